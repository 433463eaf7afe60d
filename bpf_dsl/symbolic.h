// symbolic: what registers of a foreign program hold, as expressions of the words of a call. Internal to bpf_dsl.
//
// Equal expressions are one node, constants are folded, and masks are moved down to the words as far as they go, so that two ways
// of computing the same thing are mostly one id.
#ifndef BRIG_BPF_DSL_SYMBOLIC_H
#define BRIG_BPF_DSL_SYMBOLIC_H

#include "bpf_dsl/decisions.h"
#include "bpf_dsl/sets.h"

// What an expression depends on, beside a word.
enum { DSL_SYMBOL_NO_WORD = 0xff, DSL_SYMBOL_MANY_WORDS = 0xfe };

enum dsl_symbol_kind { DSL_SYMBOL_CONSTANT, DSL_SYMBOL_WORD, DSL_SYMBOL_OP };

struct dsl_symbol {
    uint8_t kind;  // enum dsl_symbol_kind
    uint8_t word;  // the only word that it depends on, or one of the above
    uint16_t size; // nodes as a tree (saturates)
    uint32_t k;    // CONSTANT: the value; OP: BPF_ADD, BPF_SUB, ...
    uint32_t a;
    uint32_t b;
};

// Expressions bigger than this are given up: every question about one walks it.
enum { DSL_SYMBOL_SIZE = 200 };
// Spans of one question while it is turned round.
enum { DSL_SYMBOL_SPANS = 600 };

struct dsl_symbols {
    struct dsl_intern nodes; // node 0 is the constant 0
    bool too_big;            // sticky: an expression beyond DSL_SYMBOL_SIZE
    struct dsl_span *scratch[2];
};

bool dsl_symbols_init(struct dsl_symbols *symbols, struct brig_dsl_arena *arena);
uint32_t dsl_symbol_constant(struct dsl_symbols *symbols, uint32_t value);
uint32_t dsl_symbol_word(struct dsl_symbols *symbols, uint32_t word);

// The result of `op` (BPF_ADD ... BPF_NEG) as the kernel computes it; a division by zero gives anything.
uint32_t dsl_symbol_op(struct dsl_symbols *symbols, uint16_t op, uint32_t a, uint32_t b);

// What an operation on two numbers gives; 0 for a division by zero.
uint32_t dsl_symbol_calculate(uint16_t op, uint32_t a, uint32_t b);

// What divides as `b` does, but is never 0.
uint32_t dsl_symbol_not_zero(struct dsl_symbols *symbols, uint32_t b);

// A value that is not 0 exactly where a > b.
uint32_t dsl_symbol_is_above(struct dsl_symbols *symbols, uint32_t a, uint32_t b);

static inline const struct dsl_symbol *dsl_symbol_get(const struct dsl_symbols *symbols, uint32_t id)
{
    return (const struct dsl_symbol *)dsl_intern_get(&symbols->nodes, id);
}

static inline bool dsl_symbol_is(const struct dsl_symbols *symbols, uint32_t id, uint32_t value)
{
    const struct dsl_symbol *symbol = dsl_symbol_get(symbols, id);
    return symbol->kind == DSL_SYMBOL_CONSTANT && symbol->k == value;
}

// A question about an expression: is it in the span? As one about (word & mask): is it in one of the sorted spans?
struct dsl_question {
    uint8_t word; // of struct seccomp_data, or a term
    uint32_t mask;
    struct dsl_span *spans;
    uint32_t count;
};

// Turns a question round: from an expression to its word, or, where that cannot be done, to a term.
// Returns: false when the arena is exhausted, or there are too many terms or spans.
bool dsl_symbol_ask(struct dsl_symbols *symbols, struct dsl_decisions *graph, uint32_t id, struct dsl_span span,
                    struct dsl_question *ret_question);

// Writes instructions that leave an expression in A, from nothing. `guards`: where they run, divisors may be 0. Returns: false when
// they are too many, or the arena is exhausted.
bool dsl_symbol_write(struct dsl_symbols *symbols, uint32_t id, bool guards, struct dsl_term *ret_term);

// Values of an expression of one word, of which few bits matter.
struct dsl_symbol_values {
    uint8_t word;
    uint32_t mask;
    uint32_t count;   // 2 to the number of bits in the mask
    uint32_t *values; // by the bits of (word & mask), packed
};

// Lists all values of those bits of an expression that are in `bits`. Returns: false when more than ten bits of a word matter.
bool dsl_symbol_enumerate(struct dsl_symbols *symbols, uint32_t id, uint32_t bits, struct dsl_symbol_values *ret_values);

// The word value with the index `packed` of dsl_symbol_values.
uint32_t dsl_symbol_unpack(uint32_t mask, uint32_t packed);

#endif
