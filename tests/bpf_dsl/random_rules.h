// random_rules: resolved rules nobody would write, for the agreement tests. The same seed gives the same rules.
#ifndef BRIG_TESTS_BPF_DSL_RANDOM_RULES_H
#define BRIG_TESTS_BPF_DSL_RANDOM_RULES_H

#include "bpf_dsl/rules.h"

// xorshift64*: small, good enough, the same everywhere.
struct random {
    uint64_t state;
};
uint64_t random_next(struct random *random);
uint32_t random_below(struct random *random, uint32_t limit);

// How wild the rules are.
struct random_shape {
    enum brig_dsl_arch arch;
    uint32_t calls;      // calls with rules
    uint32_t most_rules; // per call
    uint32_t most_conditions;
    uint32_t most_values;
    uint32_t returns; // different return values, all of them ERRNO
};

// Makes rules. Every fifth call or so gets those of an earlier one. Owns: `arena` keeps everything; aborts when it is exhausted.
struct brig_dsl_rules random_rules(struct random *random, const struct random_shape *shape, struct brig_dsl_arena *arena);

// A value likely to tell programs apart: near one of the conditions' values for `call`, or a border of 32 or 64 bits, or anything.
uint64_t random_value(struct random *random, const struct brig_dsl_rules *rules, enum brig_dsl_call call, int argument);

// A call likely to tell programs apart: mostly of a call with rules.
struct brig_dsl_data random_data(struct random *random, const struct brig_dsl_rules *rules);

#endif
