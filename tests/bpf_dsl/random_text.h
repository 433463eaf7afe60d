// random_text: numbers as people write them in a policy.
#ifndef BRIG_TESTS_BPF_DSL_RANDOM_TEXT_H
#define BRIG_TESTS_BPF_DSL_RANDOM_TEXT_H

#include <stddef.h>

#include "tests/bpf_dsl/random.h"

// Text that grows; a pass over one list of values.
struct random_text {
    char text[1 << 16];
    size_t bytes;
};

// What a number is for.
struct random_number_kind {
    uint8_t bits;    // 16, 32 or 64
    bool is_ordered; // compared by size, so that it must be written in its own sign
    bool is_signed;
};

// Adds a number of `kind`, and a comma before it if it is not the first: decimal, hex, octal, a character, a sum, an OR, a shift, a
// complement, negative, within U64().
void random_text_number(struct random *random, struct random_text *text, uint64_t number, const struct random_number_kind *kind);

// Adds a word in the same place.
void random_text_word(struct random_text *text, const char *word);

#endif
