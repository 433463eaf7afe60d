// decisions: the one graph in which everything is decided. Internal to bpf_dsl.
//
// A node is a leaf, or a switch over (word & mask) whose sorted runs cover 0 .. 2^32-1 exactly once; neighbours lead to different
// nodes. The arch, the call's number, and every half of every argument are words like any other, so one form serves them all, and
// equal parts of different calls are one node.
#ifndef BRIG_BPF_DSL_DECISIONS_H
#define BRIG_BPF_DSL_DECISIONS_H

#include <linux/filter.h>

#include "bpf_dsl/intern.h"

// 32-bit words of struct seccomp_data by their place in it, on little-endian targets (all of ours): word w is at byte 4 * w.
enum dsl_word {
    DSL_WORD_NR,
    DSL_WORD_ARCH,
    DSL_WORD_IP_LO,
    DSL_WORD_IP_HI,
    DSL_WORD_ARGUMENTS, // low half of argument 0, then its high half, and so on
    DSL_WORD_COUNT = DSL_WORD_ARGUMENTS + 12,
    // Beyond these are terms: what a foreign program computes from several words. A term is a word like any other to everything but
    // the code that loads it.
    DSL_TERMS_MAX = 64,
    // What leaves compute and return.
    DSL_GIVEN_MAX = 192,
};

// How a term is computed: instructions that leave it in A, from nothing. They may use X and M[]: nothing else keeps anything there.
struct dsl_term {
    const struct sock_filter *insns;
    uint32_t count;
};

enum dsl_decision_kind {
    DSL_DECISION_NO,  // must be node 0. A test that does not hold; no rule so far
    DSL_DECISION_YES, // a test that holds
    DSL_DECISION_RET,
    DSL_DECISION_GIVE, // returns what a foreign program computes of a word
    DSL_DECISION_SWITCH,
};

// From `first` to before the next run's `first`, or to the end.
struct dsl_run {
    uint32_t first;
    uint32_t child;
};

struct dsl_decision {
    uint8_t kind;   // enum dsl_decision_kind
    uint8_t word;   // SWITCH, GIVE: enum dsl_word
    uint8_t open;   // bit of each of NO and YES that can be reached from here
    uint32_t words; // bit of each word that is tested from here on; see dsl_word_bit
    uint32_t mask;  // RET: the value; GIVE: which of graph->given
    uint32_t run_count;
    const struct dsl_run *runs;
};

enum { DSL_OPEN_NO = 1, DSL_OPEN_YES = 2 };

// Which variables come first. A variable is a (word, mask); those of one word are neighbours, wide masks first.
struct dsl_order {
    uint8_t rank[DSL_WORD_COUNT + DSL_TERMS_MAX];
};

// A cache that forgets. Without slots as long as nothing was kept.
struct dsl_graft_memo {
    struct dsl_graft *slots;
    uint32_t slot_count;
    uint32_t used; // what was kept, forgotten or not
};

struct dsl_decisions {
    struct dsl_intern nodes;
    struct dsl_order order;  // in force; dsl_decisions_set_order
    uint32_t order_stamp;    // changes with it, so that what was remembered under another order is not used
    bool is_chaining;        // grafts keep the graft below the base, whatever the order
    struct dsl_run *scratch; // a stack of runs under construction, which moves where it grows
    uint32_t scratch_used;
    uint32_t scratch_room;
    struct dsl_graft_memo memo;
    uint32_t steps; // work done
    uint32_t step_limit;
    uint32_t more_views;    // of nodes, that facts.c took beyond what is usual
    bool exploded;          // sticky until more steps are allowed: more work or runs than allowed, or too many nodes
    struct dsl_term *given; // what leaves compute; NULL as long as there are none
    uint32_t given_count;
    uint32_t term_count;
    struct dsl_term terms[DSL_TERMS_MAX]; // last, because most graphs have none
};

// Runs that can be under construction at once: what most policies need, and more than a program of 4096 instructions can tell
// apart.
enum { DSL_SCRATCH_FIRST_RUNS = 64, DSL_SCRATCH_RUNS = 9000 };

// Starts an empty graph with room for about `expected` nodes. Returns: false when the arena is exhausted.
bool dsl_decisions_init(struct dsl_decisions *graph, struct brig_dsl_arena *arena, uint32_t expected);

// Sets the order of the words for what is built next. Whole diagrams of another order may be leaves' parents, but never be grafted.
void dsl_decisions_set_order(struct dsl_decisions *graph, const struct dsl_order *order);

// Grafts with or without sorting variables. Without, the result may test a variable again, and must not become the base of a sorted
// graft.
void dsl_decisions_set_chaining(struct dsl_decisions *graph, bool is_chaining);

// Allows so many steps from now on, and forgets an explosion unless the nodes themselves ran out.
void dsl_decisions_allow_steps(struct dsl_decisions *graph, uint32_t steps);

// The word of a term: the same instructions are the same word. `insns` are copied. Returns: DSL_WORD_COUNT and up; 0 when there are
// too many, or the arena is exhausted.
uint32_t dsl_decision_term(struct dsl_decisions *graph, const struct sock_filter *insns, uint32_t count);

// The bit that stands for a word in dsl_decision.words. Terms share bits, so a bit says only that a word may be tested.
static inline uint32_t dsl_word_bit(uint32_t word)
{
    return 1u << (word < DSL_WORD_COUNT ? word : DSL_WORD_COUNT + word % DSL_WORD_COUNT);
}

// A leaf that returns `ret`.
uint32_t dsl_decision_ret(struct dsl_decisions *graph, uint32_t ret);

// A leaf that returns what `insns` leave in A, from nothing. What they end with and what needs nothing but A is its tail, the rest
// its word. They are copied. Returns: NO where there are too many, or the arena is exhausted.
uint32_t dsl_decision_give(struct dsl_decisions *graph, const struct sock_filter *insns, uint32_t count);

// A switch over (word & mask). `runs` are sorted and start at 0; neighbours may be equal. One child alone is returned as it is.
uint32_t dsl_decision_switch(struct dsl_decisions *graph, enum dsl_word word, uint32_t mask, const struct dsl_run *runs,
                             uint32_t count);

// `base` with `leaf` (NO or YES) replaced by `graft`. With YES this is "and", with NO it is "or", and "the first rule that
// matches".
uint32_t dsl_decision_graft(struct dsl_decisions *graph, uint32_t base, enum dsl_decision_kind leaf, uint32_t graft);

// Whether a node may stand below a switch over (word & mask): it is a leaf, or asks for a variable that comes later in the order.
bool dsl_decision_comes_after(const struct dsl_decisions *graph, uint32_t id, uint32_t word, uint32_t mask);

// Whether a sorted diagram has more than `size` switches and runs.
bool dsl_decision_exceeds(const struct dsl_decisions *graph, uint32_t root, uint32_t size);
// Whether there are so many ways through a sorted diagram, or more.
bool dsl_decision_has_ways(const struct dsl_decisions *graph, uint32_t root, uint64_t ways);

// Marks of nodes that a root reaches, 0 of others: one run leads there (or it is the root), or more than one.
enum { DSL_MARK_ONE = 1, DSL_MARK_MORE = 2 };

// Marks what `root` reaches: children have smaller ids, so one walk downwards is enough. Returns: a mark for each id up to `root`;
// NULL when the arena is exhausted.
unsigned char *dsl_decisions_mark(const struct dsl_decisions *graph, uint32_t root);

static inline const struct dsl_decision *dsl_decision_get(const struct dsl_decisions *graph, uint32_t id)
{
    return (const struct dsl_decision *)dsl_intern_get(&graph->nodes, id);
}

// What a GIVE leaf does to its word before it returns it.
static inline struct dsl_term dsl_decision_tail(const struct dsl_decisions *graph, const struct dsl_decision *node)
{
    const struct dsl_term *given = &graph->given[node->mask];
    uint32_t head = node->word < DSL_WORD_COUNT ? 1 : graph->terms[node->word - DSL_WORD_COUNT].count;
    return (struct dsl_term){.insns = given->insns + head, .count = given->count - head};
}

// How many bits are set; the compiler's own may be a call.
static inline uint32_t dsl_count_bits(uint32_t bits)
{
    bits -= bits >> 1 & 0x55555555;
    bits = (bits & 0x33333333) + (bits >> 2 & 0x33333333);
    return ((bits + (bits >> 4)) & 0x0f0f0f0f) * 0x01010101 >> 24;
}

// Returns: how many slots a pass over part of the graph needs to remember most of it, a power of two; `most` at most, also one.
static inline uint32_t dsl_memo_slots(const struct dsl_decisions *graph, uint32_t most)
{
    uint32_t slots = 32;
    while (slots < most && slots < 2 * graph->nodes.count) {
        slots *= 2;
    }
    return slots;
}

static inline uint32_t dsl_run_last(const struct dsl_decision *node, uint32_t run)
{
    return run + 1 < node->run_count ? node->runs[run + 1].first - 1 : UINT32_MAX;
}

// The smallest value at or above `from` that has no bit outside `mask`. Returns: false if there is none.
static inline bool dsl_next_in_mask(uint32_t mask, uint32_t from, uint32_t *ret_value)
{
    if ((from & ~mask) == 0) {
        *ret_value = from;
        return true;
    }
    // Everything below the highest bit that sticks out can be zero once the part above has been counted up within the mask.
    uint32_t above = ~(UINT32_MAX >> __builtin_clz(from & ~mask));
    uint32_t counted = ((from | ~mask) & above) + (above & -above);
    *ret_value = counted & mask;
    return counted != 0;
}

// Whether the mask gives one value only of [first, last], which is then `first`: runs start at values that it gives.
static inline bool dsl_is_single(uint32_t mask, uint32_t first, uint32_t last)
{
    uint32_t next;
    return first == last || !dsl_next_in_mask(mask, first + 1, &next) || next > last;
}

// The run of a switch that has `value`.
static inline uint32_t dsl_find_run(const struct dsl_decision *node, uint32_t value)
{
    uint32_t low = 0;
    uint32_t high = node->run_count - 1;
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        if (node->runs[middle].first <= value) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

#endif
