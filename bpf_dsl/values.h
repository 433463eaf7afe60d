// values: reads the value texts of conditions. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_VALUES_H
#define BRIG_BPF_DSL_VALUES_H

#include "bpf_dsl/bpf_dsl.h"

// A number from -2^63 to 2^64 - 1: `bits` in two's complement, and its sign.
struct dsl_value {
    uint64_t bits;
    bool is_negative;
    bool is_unsigned;   // came through U64(): may be above INT64_MAX
    bool is_complement; // came through ~: is taken modulo the width of the argument
    uint32_t offset;    // its span in the text
    uint32_t bytes;
};

// Reads a list of values one by one. The first failure stays in `error` (code, step, subject, detail; not file and line).
struct dsl_value_reader {
    const char *text;
    size_t text_bytes;
    enum brig_dsl_arch arch;
    const struct brig_dsl_constant *own;  // looked up before the kernel's constants, or NULL
    const struct brig_dsl_options *slots; // where slots are allowed, else NULL
    size_t at;
    unsigned depth;     // of parentheses and unary operators
    unsigned u64_depth; // of U64( ... )
    struct brig_error error;
};

// Reads the value at the reader's place and the comma behind it.
// Returns: true and a value; false at the end of the text or after a failure (error.code says which). An empty text, and a comma
// without a value behind it, are failures.
bool dsl_value_next(struct dsl_value_reader *reader, struct dsl_value *ret_value);

// Returns: at most how many values `text` has.
size_t dsl_value_count_bound(const char *text, size_t text_bytes);

// Whether the number is one that its text may have: above INT64_MAX only through U64().
bool dsl_value_fits(const struct dsl_value *value);
struct dsl_value dsl_value_complement(struct dsl_value value);
// Returns: false if the result does not fit.
bool dsl_value_negate(struct dsl_value *result, const struct dsl_value *operand);

// An operator with two operands. `result` comes with is_unsigned set.
struct dsl_operator {
    char text[3];
    int level; // binds tighter the higher
    bool (*apply)(struct dsl_value *result, const struct dsl_value *a, const struct dsl_value *b);
};
// Returns: the operator that `text` begins with, or NULL.
const struct dsl_operator *dsl_operator_at(const char *text, size_t text_bytes);

#endif
