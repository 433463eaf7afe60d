// facts: no test whose answer is known. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_FACTS_H
#define BRIG_BPF_DSL_FACTS_H

#include "bpf_dsl/decisions.h"

#define DSL_FACTS_STEPS 400000u

// Narrows a diagram in which words are tested more than once (through several masks, or again), so that each branch is one that
// some call takes. A chain of rules, whose parts are shared by many ways through it, is left as it is where these would have to
// part. `steps`: what it may cost, DSL_FACTS_STEPS at most. Returns: the narrowed diagram; DSL_INTERN_NONE where that would take
// too long.
uint32_t dsl_facts_narrow(struct dsl_decisions *graph, uint32_t root, bool is_chain, uint32_t steps);

#endif
