// chains: see chains.h.
//
// Takes: a decision graph. Gives: for every list of tests for one number each, which follow each other where they fail, a sorted
// list of their numbers. Guarantees: a list is followed in the logarithm of its length. Every node is in one chain at most; where
// two ways lead into the same list, the second one's chain ends there and the next one is followed from its middle.
#include "bpf_dsl/chains.h"

#include <string.h>

// Whether a node asks for one number. Returns: that number, and both ways.
static bool is_link(const struct dsl_decision *node, uint8_t word, uint32_t *ret_value, uint32_t *ret_yes, uint32_t *ret_no)
{
    if (node->kind != DSL_DECISION_SWITCH || node->word != word || node->mask != UINT32_MAX) {
        return false;
    }
    if (node->run_count == 2 && node->runs[1].first == 1) {
        *ret_value = 0;
        *ret_yes = node->runs[0].child;
        *ret_no = node->runs[1].child;
        return true;
    }
    if (node->run_count != 3 || node->runs[0].child != node->runs[2].child || node->runs[1].first + 1 != node->runs[2].first) {
        return false;
    }
    *ret_value = node->runs[1].first;
    *ret_yes = node->runs[1].child;
    *ret_no = node->runs[0].child;
    return true;
}

// Sorts the keys of a chain, which mostly are in order.
static void sort(uint64_t *keys, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        uint64_t key = keys[i];
        uint32_t at = i;
        for (; at > 0 && keys[at - 1] > key; at--) {
            keys[at] = keys[at - 1];
        }
        keys[at] = key;
    }
}

// Makes a chain from `id` on, as long as nodes are links that are in none yet.
static void make_chain(struct dsl_chains *chains, const struct dsl_decisions *graph, uint32_t id, uint8_t word)
{
    struct dsl_chain *chain = &chains->chains[chains->chain_count++];
    uint32_t value;
    uint32_t yes;
    uint32_t no;
    chain->start = chains->link_count;
    while (chains->links[id].chain == 0 && is_link(dsl_decision_get(graph, id), word, &value, &yes, &no)) {
        uint32_t at = chains->link_count++;
        chains->links[id] = (struct dsl_chain_link){chains->chain_count, at};
        chains->keys[at] = (uint64_t)value << 32 | at;
        chains->children[at] = yes;
        id = no;
    }
    chain->count = chains->link_count - chain->start;
    chain->tail = id;
    sort(chains->keys + chain->start, chain->count);
}

bool dsl_chains_find(struct dsl_chains *chains, const struct dsl_decisions *graph, uint32_t root, uint8_t word)
{
    struct brig_dsl_arena *arena = graph->nodes.arena;
    size_t count = (size_t)root + 1;
    *chains = (struct dsl_chains){.links = DSL_ARENA_ARRAY(arena, struct dsl_chain_link, count)};
    chains->chains = DSL_ARENA_ARRAY(arena, struct dsl_chain, count);
    chains->keys = DSL_ARENA_ARRAY(arena, uint64_t, count);
    chains->children = DSL_ARENA_ARRAY(arena, uint32_t, count);
    if (arena->exhausted) {
        return false;
    }
    memset(chains->links, 0, count * sizeof *chains->links);
    for (uint32_t id = root + 1; id-- > 0;) {
        uint32_t value;
        uint32_t yes;
        uint32_t no;
        if (chains->links[id].chain == 0 && is_link(dsl_decision_get(graph, id), word, &value, &yes, &no)) {
            make_chain(chains, graph, id, word);
        }
    }
    return true;
}

// The first link of a chain from `at` on that asks for `value`. Returns: its place, or UINT32_MAX.
static uint32_t find_link(const struct dsl_chains *chains, const struct dsl_chain *chain, uint32_t at, uint32_t value)
{
    const uint64_t *keys = chains->keys + chain->start;
    uint64_t wanted = (uint64_t)value << 32 | at;
    uint32_t low = 0;
    uint32_t high = chain->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (keys[middle] < wanted) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < chain->count && keys[low] >> 32 == value ? (uint32_t)keys[low] : UINT32_MAX;
}

uint32_t dsl_chains_follow(const struct dsl_chains *chains, uint32_t id, uint32_t value)
{
    while (chains->links[id].chain != 0) {
        const struct dsl_chain *chain = &chains->chains[chains->links[id].chain - 1];
        uint32_t link = find_link(chains, chain, chains->links[id].at, value);
        id = link == UINT32_MAX ? chain->tail : chains->children[link];
    }
    return id;
}
