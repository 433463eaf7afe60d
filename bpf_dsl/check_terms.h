// check_terms: what programs compute, in a normal form, and whether two of them compute the same. Internal to the check.
//
//   check_terms.c   terms
//   check_same.c    two terms
#ifndef BRIG_BPF_DSL_CHECK_TERMS_H
#define BRIG_BPF_DSL_CHECK_TERMS_H

#include "bpf_dsl/check_parts.h"
#include "bpf_dsl/intern.h"

enum { TERM_CONSTANT, TERM_WORD, TERM_BITS, TERM_OP };
// A bit of a term: of its source, from 0 to 31, perhaps turned round; or known.
enum { BIT_TURNED = 32, BIT_ZERO = 64, BIT_ONE = 65, BITS = 32 };

// Made of earlier terms.
struct term {
    uint32_t kind;
    uint32_t op; // OP: BPF_ADD ...
    uint32_t a;  // CONSTANT: the value; WORD: which one; BITS: the source; OP: a term
    uint32_t b;  // OP: a term
    uint8_t bits[BITS];
};

// Terms are ids; DSL_INTERN_NONE where there was no room.
struct check_terms {
    struct dsl_intern terms;
    uint32_t *scratch[2]; // of check_same.c, for so many terms
    uint32_t scratch_room;
};

// --- check_terms.c ----------------------------------------------------------------------------------------------------

// Returns: false when the arena is exhausted.
bool dsl_check_terms_init(struct check_terms *terms, struct brig_dsl_arena *arena);

uint32_t dsl_check_term_constant(struct check_terms *terms, uint32_t k);
uint32_t dsl_check_term_word(struct check_terms *terms, uint32_t word);
// The result of BPF_ADD, BPF_SUB, ... as the kernel computes it; a division is never by 0.
uint32_t dsl_check_term_op(struct check_terms *terms, uint16_t op, uint32_t a, uint32_t b);

// What BPF_ADD, ... gives; for a division by 0 anything.
uint32_t dsl_check_term_apply(uint32_t op, uint32_t a, uint32_t b);
// Returns: the source of the bits of a term; the term itself where it is a constant.
uint32_t dsl_check_term_bits(const struct check_terms *terms, uint32_t id, uint8_t *ret_bits);
// Returns: false where a term may have more than one value.
bool dsl_check_term_is(const struct check_terms *terms, uint32_t id, uint32_t *ret_value);

static inline const struct term *dsl_check_term_get(const struct check_terms *terms, uint32_t id)
{
    return (const struct term *)dsl_intern_get(&terms->terms, id);
}

// --- check_same.c -----------------------------------------------------------------------------------------------------

// Compares two terms for all calls that the facts leave. Returns: EQUAL, DIFFERENT only where it is so; DIFFERENT because of values
// that the facts leave for each word, so some call must have all facts.
enum dsl_checked dsl_check_terms_compare(struct check_terms *terms, struct check_facts *facts, uint32_t a, uint32_t b);

#endif
