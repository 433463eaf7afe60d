// sets: sets of 32-bit numbers, each different one once. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_SETS_H
#define BRIG_BPF_DSL_SETS_H

#include "bpf_dsl/intern.h"

// Inclusive.
struct dsl_span {
    uint32_t first;
    uint32_t last;
};

// Sorted, apart from each other, at least one.
struct dsl_set {
    const struct dsl_span *spans;
    uint32_t count;
};

struct dsl_sets {
    struct dsl_intern sets;
};

// The set of all numbers is always this one.
#define DSL_SET_ALL 0u

// Starts with the set of all numbers. Returns: false when the arena is exhausted.
bool dsl_sets_init(struct dsl_sets *sets, struct brig_dsl_arena *arena);

// The set of `count` sorted spans; spans that touch may be several. Returns: its id; DSL_SET_ALL, which is never wrong to know,
// when the arena is exhausted.
uint32_t dsl_set_make(struct dsl_sets *sets, struct dsl_span *spans, uint32_t count);

static inline const struct dsl_set *dsl_set_get(const struct dsl_sets *sets, uint32_t id)
{
    return (const struct dsl_set *)dsl_intern_get(&sets->sets, id);
}

// Lets values[at] sink to its place in a heap, the biggest on top.
void dsl_sift(uint32_t *values, uint32_t at, uint32_t count);
void dsl_sort(uint32_t *values, uint32_t count);

#endif
