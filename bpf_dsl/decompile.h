// decompile: a program of any origin becomes a decision graph. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_DECOMPILE_H
#define BRIG_BPF_DSL_DECOMPILE_H

#include "bpf_dsl/decisions.h"

// Instructions of somebody's program.
struct dsl_code {
    const struct sock_filter *insns;
    uint32_t count;
};

// What becomes of a computed value that is returned: a leaf for each value that it can have, if these are so few, else one leaf
// that computes it.
enum { DSL_LEAVES_FEW = 4, DSL_LEAVES_MANY = 1024 };

// Adds a graph that decides what a valid program decides, with tests in the program's order: a word may be tested again and again.
// Returns: its root; DSL_DECISION_NO where the program cannot be expressed (it computes too much, or has too many different
// states), or the arena is exhausted.
uint32_t dsl_decompile(struct dsl_decisions *graph, const struct dsl_code *code, uint32_t most_leaves);

#endif
