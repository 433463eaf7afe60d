// optimize_parts: what optimize.c and merge_programs.c share. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_OPTIMIZE_PARTS_H
#define BRIG_BPF_DSL_OPTIMIZE_PARTS_H

#include "bpf_dsl/check.h"
#include "bpf_dsl/decompile.h"

// A program in the place of another one.
struct dsl_better {
    struct dsl_code code;     // NULL insns: the arena is exhausted
    bool is_input;            // nothing better was found: the other one without what nothing reaches
    enum dsl_checked checked; // against the other one
    uint32_t nr;              // of a call that was found to be decided otherwise
};

// Finds the best form that may take a valid program's place (brig_dsl_optimize says what is promised). Where the arena is exhausted
// behind it, nothing that it returns counts.
struct dsl_better dsl_find_better(const struct dsl_code *given, const struct brig_dsl_options *options,
                                  struct brig_dsl_arena *arena);

// Whether the kernel's bitmap answers, with `after`, every number that it answers with all of `before`.
bool dsl_keeps_bitmap(const struct dsl_code *before, uint32_t before_count, const struct dsl_code *after);

// Makes instructions of a graph, as a compile does. Returns: false when they do not fit, or the arena is exhausted.
bool dsl_emit_decision(struct dsl_decisions *graph, uint32_t root, const struct brig_dsl_options *options,
                       struct dsl_code *ret_code);

#endif
