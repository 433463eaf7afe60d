// random_rules: resolved rules, from what people write to what nobody would. The same seed gives the same rules.
#ifndef BRIG_TESTS_BPF_DSL_RANDOM_RULES_H
#define BRIG_TESTS_BPF_DSL_RANDOM_RULES_H

#include "bpf_dsl/rules.h"
#include "tests/bpf_dsl/random.h"

enum random_style {
    RANDOM_WILD,        // every operator, values that collide, rules that overlap, some calls with the rules of others
    RANDOM_REAL,        // long lists of calls allowed or denied outright, few with checks
    RANDOM_DENSE,       // four calls of five have checks, half of which are other calls' as well
    RANDOM_ADVERSARIAL, // lists of the kinds that compilers are clever with, chains over all arguments, rules that hardly differ
    RANDOM_STYLE_COUNT
};

// How wild the rules are.
struct random_shape {
    enum random_style style;
    enum brig_dsl_arch arch;
    uint32_t calls;      // calls with rules
    uint32_t most_rules; // per call
    uint32_t most_conditions;
    uint32_t most_values;
    uint32_t returns; // different return values
    bool only_errnos; // all return values are ERRNO; otherwise any action
    uint32_t samples; // of a profile; 0: none
};

// The shape of policy number `seed`: small ones and big ones of every arch. `random` is started.
struct random_shape random_shape_of(struct random *random, uint64_t seed);

// Makes rules. Owns: `arena` keeps everything; aborts when it is exhausted.
struct brig_dsl_rules random_rules(struct random *random, const struct random_shape *shape, struct brig_dsl_arena *arena);

#endif
