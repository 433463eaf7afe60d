// cuts: the best tree of cuts of a short list. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_CUTS_H
#define BRIG_BPF_DSL_CUTS_H

#include "bpf_dsl/search.h"

// Items up to which cuts are chosen by trying all.
enum { DSL_CUTS_ITEMS = 12, DSL_CUTS_UNIT = 16 };

#define DSL_HIGH_BIT 0x80000000u

// What is left to tell apart.
struct dsl_list {
    struct dsl_item *items;
    uint32_t count;
    uint64_t rent;
    uint64_t weight; // of all items
};

// The best trees of cuts over every part of a list; 0 costs for a part of one item.
struct dsl_cuts {
    // Of items [from, to), in units of DSL_CUTS_UNIT; by [to][from] as well, and there `from` is added: so both sides of a cut come
    // in order, and what a cut costs says which one it is.
    uint64_t cost[DSL_CUTS_ITEMS + 1][DSL_CUTS_ITEMS + 1];
    uint8_t cut[DSL_CUTS_ITEMS][DSL_CUTS_ITEMS + 1]; // first item of the right side
};

static inline bool dsl_item_is_single(const struct dsl_item *item)
{
    return item->first == item->last;
}

// The constant of the test that tells items[at] from what is below it.
static inline uint32_t dsl_list_border(const struct dsl_list *list, uint32_t at)
{
    uint32_t first = list->items[at].first;
    // "Above 0x7fffffff" needs no wide constant, "at least 0x80000000" does.
    return first >= DSL_HIGH_BIT && list->items[at - 1].last < DSL_HIGH_BIT ? DSL_HIGH_BIT - 1 : first;
}

// What a list costs that `cuts` knows from number `start` on.
static inline uint64_t dsl_cuts_cost(const struct dsl_cuts *cuts, uint32_t start, const struct dsl_list *list)
{
    return cuts->cost[start][start + list->count] / DSL_CUTS_UNIT;
}

// Finds the best trees for a list of at most DSL_CUTS_ITEMS items. Returns: what the whole list costs.
uint64_t dsl_cuts_plan(const struct dsl_list *list, struct dsl_cuts *ret_cuts);

#endif
