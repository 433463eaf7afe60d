// decompile: a program of any origin becomes a decision graph. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_DECOMPILE_H
#define BRIG_BPF_DSL_DECOMPILE_H

#include "bpf_dsl/decisions.h"

// Instructions of somebody's program.
struct dsl_code {
    const struct sock_filter *insns;
    uint32_t count;
};

// Adds a graph that decides what a valid program decides, with tests in the program's order: a word may be tested again and again.
// Returns: its root; DSL_DECISION_NO where the program cannot be expressed (it returns a computed value of many bits, computes too
// much, or has too many different states), or the arena is exhausted.
uint32_t dsl_decompile(struct dsl_decisions *graph, const struct dsl_code *code);

#endif
