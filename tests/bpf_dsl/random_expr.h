// random_expr: policies as code, decided by two readers of one tree: the builder of expressions, and a function that just looks.
#ifndef BRIG_TESTS_BPF_DSL_RANDOM_EXPR_H
#define BRIG_TESTS_BPF_DSL_RANDOM_EXPR_H

#include "bpf_dsl/expr.h"
#include "bpf_dsl/rules.h"
#include "tests/bpf_dsl/random.h"

struct random_tree;

struct random_expr {
    struct brig_dsl_evaluator evaluator;
    enum brig_dsl_arch arch;
    const struct random_tree *const *calls; // indexed by enum brig_dsl_call; NULL: as BRIG_SYS_NONE
    const uint64_t *values;                 // all that are in the trees
    uint32_t value_count;
};

// Makes policy number `seed`. Owns: `arena` keeps everything; aborts when it is exhausted.
const struct random_expr *random_expr_of(uint64_t seed, struct brig_dsl_arena *arena);

// What the trees say about a call.
uint32_t random_expr_decide(const struct random_expr *expr, const struct brig_dsl_data *data);

// A call that is likely to tell two readings apart.
struct brig_dsl_data random_expr_data(struct random *random, const struct random_expr *expr);

#endif
