// ranges: the numbers of one arch as runs with the same verdict. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_RANGES_H
#define BRIG_BPF_DSL_RANGES_H

#include "bpf_dsl/lower.h"

// From `first` to before the next range's `first`, or to 2^32-1.
struct dsl_range {
    uint32_t first;
    struct brig_dsl_verdict verdict;
};

struct dsl_ranges {
    enum brig_dsl_arch arch;
    const struct dsl_range *ranges;
    uint32_t count;
};

// Asks `evaluator` about every number of `arch`. Returns: false when the arena is exhausted.
bool dsl_ranges_build(const struct brig_dsl_evaluator *evaluator, enum brig_dsl_arch arch, struct brig_dsl_builder *builder,
                      struct dsl_ranges *ret_ranges);

// Lowers the ranges of `count` different arches to one decision for the whole program: arch first, then the number, then arguments.
// Returns: its node, which means nothing when the arena is exhausted or the lowering gave up.
uint32_t dsl_ranges_decide(const struct dsl_ranges *ranges, uint32_t count, uint32_t foreign_ret, struct dsl_lowering *lowering);

#endif
