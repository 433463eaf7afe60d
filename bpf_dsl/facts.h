// facts: no test whose answer is known. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_FACTS_H
#define BRIG_BPF_DSL_FACTS_H

#include "bpf_dsl/decisions.h"

// What narrowing a diagram may cost.
struct dsl_facts_budget {
    uint32_t steps;
    uint32_t views;  // of nodes, under whatever facts
    bool takes_more; // views beyond these, of which there are some for all diagrams of a graph
};

static const struct dsl_facts_budget dsl_facts_most = {.steps = 400000, .views = 256, .takes_more = true};

// Narrows a diagram in which words are tested more than once (through several masks, or again), so that each branch is one that
// some call takes. Returns: the narrowed diagram; DSL_INTERN_NONE where that would take too long.
uint32_t dsl_facts_narrow(struct dsl_decisions *graph, uint32_t root, struct dsl_facts_budget budget);

#endif
