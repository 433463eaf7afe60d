// cuts: dynamic programming over the cuts of a short list.
//
// Takes: items with weights. Gives: for every part of the list what its best tree of cuts costs, as costs go in search.c, and where
// that has its root. Requires: at most DSL_CUTS_ITEMS items. Guarantees: the least cost; of cuts that cost the same, the first.
// Weaknesses: cubic.
#include "bpf_dsl/cuts.h"

// What a test costs more whose sides are both somewhere else: a jump, which is run where the answer is no.
static uint64_t cost_of_far(const struct dsl_list *list, uint32_t at)
{
    const struct dsl_item *low = &list->items[at - 1];
    const struct dsl_item *high = &list->items[at];
    if (low->is_near || high->is_near) {
        return 0;
    }
    return list->rent + (dsl_item_is_single(low) && low->weight > high->weight ? high->weight : low->weight);
}

// What two items cost: there is one cut.
static void plan_pair(const struct dsl_list *list, size_t from, uint64_t test, struct dsl_cuts *cuts)
{
    uint64_t cost = test + cost_of_far(list, (uint32_t)from + 1) * DSL_CUTS_UNIT;
    cost += dsl_list_border(list, (uint32_t)from + 1) >= DSL_HIGH_BIT ? test : 0;
    cuts->cut[from][from + 2] = (uint8_t)(from + 1);
    cuts->cost[from][from + 2] = cost;
    cuts->cost[from + 2][from] = cost + from;
}

// Parts that end at an item come after those that end before it, the shorter ones first. Which cut is the best so far is anybody's
// guess, so it is found without branches: with the costs comes the cut.
uint64_t dsl_cuts_plan(const struct dsl_list *list, struct dsl_cuts *ret_cuts)
{
    uint64_t wide[DSL_CUTS_ITEMS]; // all bits where the border below an item needs a wide constant
    const struct dsl_item *items = list->items;
    ret_cuts->cost[0][1] = 0;
    ret_cuts->cost[1][0] = 0;
    for (size_t to = 2; to <= list->count; to++) {
        uint64_t *right = ret_cuts->cost[to];
        uint64_t test = (items[to - 1].weight + items[to - 2].weight + list->rent) * DSL_CUTS_UNIT;
        wide[to - 1] = dsl_list_border(list, (uint32_t)to - 1) >= DSL_HIGH_BIT ? UINT64_MAX : 0;
        ret_cuts->cost[to - 1][to] = 0;
        right[to - 1] = to - 1;
        plan_pair(list, to - 2, test, ret_cuts);
        for (size_t from = to - 2; from-- > 0;) {
            uint64_t *left = ret_cuts->cost[from];
            test += items[from].weight * DSL_CUTS_UNIT;
            uint64_t best = right[from + 1] + (wide[from + 1] & test);
            for (size_t cut = from + 2; cut < to; cut++) {
                uint64_t cost = left[cut] + right[cut] + (wide[cut] & test);
                best = cost < best ? cost : best;
            }
            ret_cuts->cut[from][to] = best % DSL_CUTS_UNIT;
            best = best / DSL_CUTS_UNIT * DSL_CUTS_UNIT + test;
            left[to] = best;
            right[from] = best + from;
        }
    }
    return dsl_cuts_cost(ret_cuts, 0, list);
}
