// weights: how many calls come by each run of each switch. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_WEIGHTS_H
#define BRIG_BPF_DSL_WEIGHTS_H

#include "bpf_dsl/decisions.h"

enum { DSL_HOT_VALUES = 3 };

// Values of whole words that many calls have that come by a switch: every value that more than a quarter of them has is among them.
struct dsl_hot {
    uint32_t value[DSL_HOT_VALUES];
    uint64_t weight[DSL_HOT_VALUES]; // of the calls that have it, the heaviest first; 0: no value
};

struct dsl_weights {
    const struct dsl_decisions *graph;
    uint32_t *first_run; // by node: where its runs' weights start
    uint32_t most_runs;  // of a switch
    uint64_t *of_run;
    struct dsl_hot *hot; // by node; NULL without a profile
};

// Weighs everything that `root` reaches, marked in `marks`. `profile` may be NULL. Returns: false when the arena is exhausted.
bool dsl_weights_init(struct dsl_weights *weights, const struct dsl_decisions *graph, uint32_t root, const unsigned char *marks,
                      const struct brig_dsl_profile *profile);

static inline uint64_t dsl_weight(const struct dsl_weights *weights, uint32_t node, uint32_t run)
{
    return weights->of_run[weights->first_run[node] + run];
}

#endif
