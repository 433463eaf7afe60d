// check_asked: tests of what programs compute. Internal to the check.
#ifndef BRIG_BPF_DSL_CHECK_ASKED_H
#define BRIG_BPF_DSL_CHECK_ASKED_H

#include "bpf_dsl/check_values.h"

// Terms that programs test. What is known of them is kept as if each was a word: `facts` are about terms[word].
struct check_asked {
    struct check_facts facts;
    uint32_t terms[CHECK_WORDS];
    uint32_t count;
};

// A test that says the same of one word or term.
struct check_question {
    uint32_t registers[CHECK_REGISTERS];
    struct sock_filter test;
    bool is_turned; // the answer is the contrary
    bool is_word;   // of struct seccomp_data
};

bool dsl_check_asked_init(struct check_asked *asked, struct brig_dsl_arena *arena, uint32_t depth, uint32_t steps);

// Puts a test of A and X as one of a term. Returns: false where there are too many terms, or the arena is exhausted.
bool dsl_check_ask(struct check_values *values, struct check_asked *asked, const uint32_t *registers,
                   const struct sock_filter *test, struct check_question *ret_question);

// Whether a value is known since it was asked for. Returns: false if not.
bool dsl_check_asked_is(struct check_values *values, const struct check_asked *asked, uint32_t value, uint32_t *ret_value);

#endif
