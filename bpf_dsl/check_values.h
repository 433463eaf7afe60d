// check_values: what registers hold while programs are compared. Internal to the check.
#ifndef BRIG_BPF_DSL_CHECK_VALUES_H
#define BRIG_BPF_DSL_CHECK_VALUES_H

#include <linux/filter.h>

#include "bpf_dsl/check_terms.h"

// A, X, and the cells. Each holds a value by its id.
enum { CHECK_A, CHECK_X, CHECK_CELLS, CHECK_REGISTERS = CHECK_CELLS + BPF_MEMWORDS };
// The value that everything holds at the start: the constant 0.
enum { CHECK_ZERO = 0 };

struct check_values {
    struct dsl_intern values;
    struct check_terms terms;    // what values are that are not of one word
    uint32_t words[CHECK_WORDS]; // the values of words as they are
};

// Starts with the value CHECK_ZERO. Returns: false when the arena is exhausted.
bool dsl_check_values_init(struct check_values *values, struct brig_dsl_arena *arena);

enum check_taken {
    CHECK_TOOK,
    CHECK_ENDED,   // a division by zero ends the program with 0
    CHECK_DIVIDES, // it does so where X is 0, and was taken for all other calls
};

// Does what an instruction that is no jump and no return does.
enum check_taken dsl_check_value_take(struct check_values *values, uint32_t *registers, const struct sock_filter *insn);

// The value of a constant.
uint32_t dsl_check_value_constant(struct check_values *values, uint32_t k);

// What a value is as a term; DSL_INTERN_NONE where there was no room.
uint32_t dsl_check_value_term(struct check_values *values, uint32_t id);

// Compares two values for all calls that have the facts. Returns: as dsl_check_terms_compare.
enum dsl_checked dsl_check_values_compare(struct check_values *values, struct check_facts *facts, uint32_t a, uint32_t b);

// Whether a value is known. Returns: false if not.
bool dsl_check_value_is(struct check_values *values, const struct check_facts *facts, uint32_t id, uint32_t *ret_value);

// Whether a test has one answer, where that can be seen at once. Returns: false if not.
bool dsl_check_value_known(const struct check_values *values, const struct check_facts *facts, const uint32_t *registers,
                           const struct sock_filter *insn, bool *ret_holds);

// One part of what can come to a test: (word & mask) in a range.
struct check_piece {
    uint32_t word;
    uint32_t mask;
    struct check_range range;
    bool holds;
};

enum { CHECK_PIECES = 128 };
#define CHECK_TOO_MANY UINT32_MAX

// Splits what can come to a test. Returns: how many pieces; CHECK_TOO_MANY where they do not fit, or the test is not about one
// word.
uint32_t dsl_check_value_split(struct check_values *values, struct check_facts *facts, const uint32_t *registers,
                               const struct sock_filter *insn, struct check_piece *ret_pieces);

#endif
