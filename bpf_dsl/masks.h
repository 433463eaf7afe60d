// masks: several masks of one word become one. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_MASKS_H
#define BRIG_BPF_DSL_MASKS_H

#include "bpf_dsl/decisions.h"

// A switch as dsl_decision_switch makes it, joined with the switch that it leads to where one test can do for both.
uint32_t dsl_masks_switch(struct dsl_decisions *graph, enum dsl_word word, uint32_t mask, const struct dsl_run *runs,
                          uint32_t count);

// The same for all switches of a diagram, from the leaves up. Returns: the diagram; `root` itself when the arena is exhausted.
uint32_t dsl_masks_join(struct dsl_decisions *graph, uint32_t root);

// Leaves out of every switch over an argument the bits that make no difference, where that saves tests. Returns: the whole graph
// anew; `root` itself where nothing changed or the arena is exhausted.
uint32_t dsl_masks_drop_idle(struct dsl_decisions *graph, uint32_t root);

#endif
