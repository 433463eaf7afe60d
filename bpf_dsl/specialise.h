// specialise: a graph in any order becomes one decision for each arch and each number. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_SPECIALISE_H
#define BRIG_BPF_DSL_SPECIALISE_H

#include "bpf_dsl/chains.h"
#include "bpf_dsl/decisions.h"
#include "bpf_dsl/sets.h"

// What is known of a word.
struct dsl_known_word {
    uint32_t word;
    uint32_t set;
};

// All that is known, words in ascending order.
struct dsl_known {
    struct dsl_known_word of[DSL_WORD_COUNT];
    uint32_t count;
};

// From `first` to `last`, going on at `exit`.
struct dsl_piece {
    uint32_t first;
    uint32_t last;
    uint32_t exit;
};

// What is noted about a node while a region is looked at; the stamps say which one.
struct dsl_region_note {
    uint32_t stamp;
    uint32_t lo; // values that come here
    uint32_t hi;
    uint32_t group_stamp;
    uint32_t group;
    uint32_t skip_stamp;
    uint32_t skip; // where one goes on from here, past tests of other words whose answer is known
};

struct dsl_specialise_memo;
struct dsl_reordering;

struct dsl_specialiser {
    struct dsl_decisions *graph;
    struct dsl_sets sets;
    struct dsl_chains numbers; // lists of calls' numbers
    const struct dsl_specialise_memo **memos;
    uint32_t memo_count;
    struct dsl_region_note *notes; // by node
    uint32_t stamp;
    uint32_t mask;                 // of the region that was cut last
    const struct dsl_known *known; // above it
    bool cuts_all;                 // cut masked tests over all numbers, not only where they are few
    bool has_masks;                // any masked test but of arch and number
    uint32_t *heap;                // nodes of a region still to be looked at
    uint32_t heap_count;
    uint32_t *cuts;
    uint32_t cut_count;
    uint32_t cut_limit;
    struct dsl_reordering *reordering;
    uint32_t steps;
    bool gave_up; // sticky
};

// --- regions.c --------------------------------------------------------------------------------------------------------

// The successor of a switch when its word is in `set`, if that is always the same one. Returns: false if not, or not seen.
bool dsl_region_decided(struct dsl_specialiser *specialiser, uint32_t id, const struct dsl_set *set, uint32_t *ret_child);

// Cuts what is known of the word that `id` tests where any of the tests of that word that follow each other from `id` on changes
// its answer; tests of other words in between whose answer is known do not count. A masked test that would cut into too much is
// only taken together with others of the same mask; then the pieces are of the masked word, all of it, and specialiser->mask says
// so. Returns: the pieces, in order; NULL where the arena is exhausted.
struct dsl_piece *dsl_region_cut(struct dsl_specialiser *specialiser, uint32_t id, const struct dsl_known *known,
                                 uint32_t *ret_count);

// Cuts all numbers where any test of `word` that can be reached from `root` changes its answer. Returns: as above; `exit` is not
// set.
struct dsl_piece *dsl_region_cut_all(struct dsl_specialiser *specialiser, uint32_t root, uint32_t word,
                                     const struct dsl_known *known, uint32_t *ret_count);

// What is known of `word`.
const struct dsl_set *dsl_known_set(const struct dsl_specialiser *specialiser, const struct dsl_known *known, uint32_t word);

// --- specialise.c, reorder.c ------------------------------------------------------------------------------------------

// Makes a graph that decides what `root` decides: a switch over the arch, switches over the number, and below them diagrams in
// which no test has an answer that is known from above, with words in the order that compiling a policy would choose where that is
// not bigger. Returns: its root; DSL_DECISION_NO where it would be too big, or the arena is exhausted.
uint32_t dsl_specialise(struct dsl_decisions *graph, uint32_t root);

// Returns: NULL when the arena is exhausted.
struct dsl_reordering *dsl_reordering_new(struct dsl_decisions *graph);

// Orders the words of one call's diagram, in which none is tested twice under the same mask on a path. Returns: its id; `id` itself
// where that would be much bigger.
uint32_t dsl_reorder(struct dsl_reordering *reordering, uint32_t id);

// About how big a diagram is as a program, for comparing two of them.
uint32_t dsl_reordering_size(struct dsl_reordering *reordering, uint32_t id);

#endif
