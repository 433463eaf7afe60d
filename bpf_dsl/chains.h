// chains: "is it this number? is it that one?", many times, answered at once. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_CHAINS_H
#define BRIG_BPF_DSL_CHAINS_H

#include "bpf_dsl/decisions.h"

// Where a node stands in a chain.
struct dsl_chain_link {
    uint32_t chain; // + 1; 0: in none
    uint32_t at;
};

struct dsl_chain {
    uint32_t start; // of its links in the lists below
    uint32_t count;
    uint32_t tail; // where one goes on who is none of the numbers
};

struct dsl_chains {
    struct dsl_chain_link *links; // by node
    struct dsl_chain *chains;
    uint32_t chain_count;
    uint64_t *keys;     // the number that each link is about, and its place, sorted within a chain
    uint32_t *children; // by place: where one goes on who is that number
    uint32_t link_count;
};

// Finds the chains of tests of `word` in what has ids up to `root`. Returns: false when the arena is exhausted.
bool dsl_chains_find(struct dsl_chains *chains, const struct dsl_decisions *graph, uint32_t root, uint8_t word);

// Goes on from a node, past all chains, as a word that is `value` does. Returns: the first node that is in no chain.
uint32_t dsl_chains_follow(const struct dsl_chains *chains, uint32_t id, uint32_t value);

#endif
