// merge_leaves: what two programs return together. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_MERGE_LEAVES_H
#define BRIG_BPF_DSL_MERGE_LEAVES_H

#include "bpf_dsl/decisions.h"

// Combines two leaves as the kernel does what two programs of one process return; `upper` was installed later. Returns: one of
// them, or a switch between them; DSL_DECISION_NO where what computes an action divides by a word, there are too many terms, or the
// arena is exhausted.
uint32_t dsl_merge_leaves(struct dsl_decisions *graph, uint32_t upper, uint32_t lower);

#endif
