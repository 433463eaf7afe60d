// optimize_parts: what optimize.c and merge_programs.c share. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_OPTIMIZE_PARTS_H
#define BRIG_BPF_DSL_OPTIMIZE_PARTS_H

#include "bpf_dsl/decompile.h"

// Whether the kernel's bitmap answers, with `after`, every number that it answers with all of `before`.
bool dsl_keeps_bitmap(const struct dsl_code *before, uint32_t before_count, const struct dsl_code *after);

// Makes instructions of a graph, as a compile does. Returns: false when they do not fit, or the arena is exhausted.
bool dsl_emit_decision(struct dsl_decisions *graph, uint32_t root, const struct brig_dsl_options *options,
                       struct dsl_code *ret_code);

#endif
