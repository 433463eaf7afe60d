// expr_nodes: what stands behind the opaque values of expr.h. Internal to bpf_dsl: the lowering reads it, and so does the check of
// custom evaluators.
#ifndef BRIG_BPF_DSL_EXPR_NODES_H
#define BRIG_BPF_DSL_EXPR_NODES_H

#include "bpf_dsl/expr.h"
#include "bpf_dsl/intern.h"

// Levels of nesting in tests and in `then` branches: what bounds the recursion of every pass over expressions.
enum { DSL_RECENT_RETS = 16 };
enum { DSL_EXPR_DEPTH = 64, DSL_EXPR_ARGUMENTS = 6 };

enum dsl_expr_kind {
    DSL_EXPR_FALSE, // must be node 0: what a failed constructor returns
    DSL_EXPR_TRUE,
    DSL_EXPR_ARGUMENT, // (argument & mask) is in one of the runs
    DSL_EXPR_NOT,
    DSL_EXPR_ALL,
    DSL_EXPR_ANY,
    DSL_EXPR_RET,
    DSL_EXPR_IF,
};

// Inclusive, sorted, never touching.
struct dsl_expr_run {
    uint64_t first;
    uint64_t last;
};

// One node; which members count depends on `kind`. Const once it is interned.
struct dsl_expr {
    uint8_t kind; // enum dsl_expr_kind
    uint8_t argument;
    uint8_t bits;                      // 32 or 64
    uint8_t depth;                     // nesting below this node, at most DSL_EXPR_DEPTH
    uint32_t count;                    // of runs, or of parts
    uint64_t mask;                     // ARGUMENT: within `bits`; RET: the value
    const struct dsl_expr_run *runs;   // ARGUMENT
    const uint32_t *parts;             // NOT: 1, ALL and ANY: sorted, IF: test, then, otherwise
    uint16_t uses[DSL_EXPR_ARGUMENTS]; // how often each argument is tested below (saturates): what orders the tests
};

struct brig_dsl_builder {
    struct dsl_intern nodes;
    bool bad_operand;                         // sticky: an operand, a value or the depth was out of range
    uint32_t deny;                            // RET node that failed verdicts become
    uint32_t recent_rets[DSL_RECENT_RETS][2]; // a value and its RET node, 0: none; most calls say one of a few
};

// Starts a builder. Returns: false when the arena is exhausted.
bool dsl_builder_init(struct brig_dsl_builder *builder, struct brig_dsl_arena *arena);

// Takes what an evaluator answered. Returns: that, or a verdict that denies, with the builder marked, where it is none of this
// builder's.
struct brig_dsl_verdict dsl_builder_accept(struct brig_dsl_builder *builder, struct brig_dsl_verdict verdict);

static inline const struct dsl_expr *dsl_expr_get(const struct brig_dsl_builder *builder, uint32_t node)
{
    return (const struct dsl_expr *)dsl_intern_get(&builder->nodes, node);
}

#endif
