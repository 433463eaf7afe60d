// search: the tests by which one switch finds the run that a value is in. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_SEARCH_H
#define BRIG_BPF_DSL_SEARCH_H

#include "bpf_dsl/tree.h"

// Neighbouring values that lead to one place. Values between two items cannot occur.
struct dsl_item {
    uint32_t first;
    uint32_t last;
    uint32_t child;  // decision
    uint32_t target; // its step, entered with A as the tests leave it
    uint64_t weight;
    bool is_near; // nothing else leads to the target, so it can stand right behind the test
};

// What a search needs of the tree's builder.
struct dsl_search {
    // Makes a step; of a test whose sides are one, that side.
    uint32_t (*step)(void *context, const struct dsl_step *step);
    // Sets the items' targets for an A that holds (word & mask), or with mask 0 something else.
    void (*enter)(void *context, uint32_t mask, struct dsl_item *items, uint32_t count);
    void *context;
    uint8_t word;   // of the switch
    uint32_t mask;  // what A holds of the word
    bool is_small;  // instructions count, not who comes by
    bool may_shift; // A may be shifted: the word is none that the kernel's bitmap looks at
};

// Builds the tests over `items` (sorted, at least one), which it uses up. Returns: the first step.
uint32_t dsl_search_build(const struct dsl_search *search, struct dsl_item *items, uint32_t count);

#endif
