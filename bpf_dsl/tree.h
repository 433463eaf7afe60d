// tree: the decision graph as single tests, the last form before instructions. Internal to bpf_dsl.
//
// A step is one instruction to be: load a word, mask it, test it, return. Steps are hash-consed like decisions, so equal tails of
// different switches are one, and what the accumulator holds is part of a step's place: a test says nothing about loads.
#ifndef BRIG_BPF_DSL_TREE_H
#define BRIG_BPF_DSL_TREE_H

#include "bpf_dsl/decisions.h"

enum dsl_step_kind {
    DSL_STEP_RET,  // return k
    DSL_STEP_GIVE, // return A
    DSL_STEP_LOAD, // A = word, go to yes
    DSL_STEP_AND,  // A &= k, go to yes
    DSL_STEP_SUB,  // A -= k, go to yes
    DSL_STEP_TURN, // A = A op k, on the way to a GIVE; go to yes
    DSL_STEP_PICK, // A = k >> A, where A is at most 31: its lowest bit is bit A of k; go to yes
    DSL_STEP_JEQ,  // A == k ? yes : no
    DSL_STEP_JGE,
    DSL_STEP_JGT,
    DSL_STEP_JSET, // (A & k) != 0 ? yes : no
};

struct dsl_step {
    uint8_t kind; // enum dsl_step_kind
    uint8_t word; // LOAD: what is loaded; others: what A was loaded from
    uint16_t op;  // TURN: the instruction
    uint32_t k;
    uint32_t yes;
    uint32_t no;
    uint64_t weight; // calls that come by, from all sides
};

struct dsl_tree {
    struct dsl_intern steps;      // successors have smaller ids
    const struct dsl_term *terms; // what words from DSL_WORD_COUNT on are; the graph's
    uint32_t root;
};

// What a tree is made for.
struct dsl_wishes {
    const struct brig_dsl_profile *profile; // what is found first; or NULL
    bool is_small;                          // few instructions count, however many of them are run
};

// Searches for every switch that `root` reaches. Returns: false when the arena is exhausted or there are too many steps.
bool dsl_tree_build(const struct dsl_decisions *graph, uint32_t root, const struct dsl_wishes *wishes, struct dsl_tree *tree);

// Marks what the root reaches. Returns: a byte for each id up to the root; NULL when the arena is exhausted.
unsigned char *dsl_tree_mark(const struct dsl_tree *tree);

static inline bool dsl_step_is_test(const struct dsl_step *step)
{
    return step->kind >= DSL_STEP_JEQ;
}

static inline bool dsl_step_is_end(const struct dsl_step *step)
{
    return step->kind <= DSL_STEP_GIVE;
}

static inline const struct dsl_step *dsl_step_get(const struct dsl_tree *tree, uint32_t id)
{
    return (const struct dsl_step *)dsl_intern_get(&tree->steps, id);
}

#endif
