// tree: a search tree for every switch.
//
// Takes: a decision graph and weights. Gives: steps (load, mask, test, return) that share equal parts. Requires: a normalised
// graph. Guarantees: about log2(runs) tests per switch, halved by weight; a value that stands alone between equal neighbours costs
// one "equal"; a switch whose first run is {0} and that has two runs is one "any of these bits" test, which leaves A as it is; a
// switch entered while A still holds its word does not load it again. Known weaknesses: halving by weight is not the cheapest tree
// (that is an optimal alphabetic tree); "equal" tests are mixed in only at the bottom.
#include "bpf_dsl/tree.h"

#include <linux/seccomp.h>
#include <string.h>

// Values that are looked for one after the other rather than by halves: up to here that is smaller and on average not longer.
enum { DSL_CHAIN_VALUES = 3 };
#define DSL_HIGH_BIT 0x80000000u

struct builder {
    const struct dsl_decisions *graph;
    const struct dsl_weights *weights;
    struct dsl_tree *tree;
    uint32_t *entry_of; // step that starts each decision
};

// What a run leads to: a step, entered with A as the switch leaves it.
struct item {
    uint32_t first;
    uint32_t target;
    uint64_t weight_before; // sum of the weights of the items before this one
};

// One switch while its tree is made. items[count] is only there for its weight_before.
struct search {
    struct builder *builder;
    uint8_t word;
    uint32_t mask;
    const struct item *items;
    uint32_t count;
};

// --- steps ------------------------------------------------------------------------------------------------------------

static bool same_step(const void *node, const void *key)
{
    const struct dsl_step *a = node;
    const struct dsl_step *b = key;
    return a->kind == b->kind && a->word == b->word && a->k == b->k && a->yes == b->yes && a->no == b->no;
}

static uint32_t step(struct builder *builder, struct dsl_step key)
{
    struct dsl_intern *steps = &builder->tree->steps;
    uint64_t hash = dsl_hash(dsl_hash((uint64_t)key.kind << 8 | key.word, key.k), (uint64_t)key.yes << 32 | key.no);
    uint32_t id = dsl_intern_find(steps, dsl_hash_end(hash), same_step, &key);
    if (id != DSL_INTERN_NONE) {
        return id;
    }
    struct dsl_step *kept = DSL_ARENA_NEW(steps->arena, struct dsl_step);
    if (kept == NULL) {
        return 0;
    }
    *kept = key;
    id = dsl_intern_add(steps, dsl_hash_end(hash), kept);
    return id == DSL_INTERN_NONE ? 0 : id;
}

static uint32_t test(const struct search *search, enum dsl_step_kind kind, uint32_t k, uint32_t yes, uint32_t no)
{
    if (yes == no) {
        return yes;
    }
    return step(search->builder, (struct dsl_step){.kind = (uint8_t)kind, .word = search->word, .k = k, .yes = yes, .no = no});
}

// The step to jump to for a child whose first step is `entry`, when A holds (word & mask): past a load of what is there already.
static uint32_t enter(const struct builder *builder, uint32_t entry, uint8_t word, uint32_t mask)
{
    const struct dsl_step *load = dsl_step_get(builder->tree, entry);
    if (load->kind != DSL_STEP_LOAD || load->word != word) {
        return entry;
    }
    const struct dsl_step *next = dsl_step_get(builder->tree, load->yes);
    uint32_t needed = next->kind == DSL_STEP_AND || next->kind == DSL_STEP_JSET ? next->k : UINT32_MAX;
    // A JSET may be followed by tests of the whole word, so it takes a masked A only where nothing was masked.
    if (next->kind != DSL_STEP_AND && mask != UINT32_MAX) {
        return entry;
    }
    return (needed & ~mask) == 0 ? load->yes : entry;
}

// --- the search over one switch ---------------------------------------------------------------------------------------

static uint32_t last_of(const struct search *search, uint32_t at)
{
    return at + 1 < search->count ? search->items[at + 1].first - 1 : UINT32_MAX;
}

static bool is_single(const struct search *search, uint32_t at)
{
    uint32_t next;
    uint32_t last = last_of(search, at);
    return search->items[at].first == last || !dsl_next_in_mask(search->mask, search->items[at].first + 1, &next) || next > last;
}

// A below items[at] goes to `low`, else to `high`. "Above 0x7fffffff" needs no wide constant, "at least 0x80000000" does.
static uint32_t split(const struct search *search, uint32_t at, uint32_t low, uint32_t high)
{
    uint32_t first = search->items[at].first;
    if (first == DSL_HIGH_BIT) {
        return test(search, DSL_STEP_JGT, first - 1, high, low);
    }
    return test(search, DSL_STEP_JGE, first, high, low);
}

// Whether all items of [from, to) but a few single values go to `background`. Returns: how many do not; too many count as `to -
// from`.
static uint32_t count_singles(const struct search *search, uint32_t from, uint32_t to, uint32_t background)
{
    uint32_t singles = 0;
    for (uint32_t i = from; i < to; i++) {
        if (search->items[i].target != background) {
            if (!is_single(search, i) || singles == DSL_CHAIN_VALUES) {
                return to - from;
            }
            singles++;
        }
    }
    return singles;
}

// "Equal to this? to that?" and else to `background`.
static uint32_t chain(const struct search *search, uint32_t from, uint32_t to, uint32_t background)
{
    uint32_t result = background;
    for (uint32_t i = to; i-- > from;) {
        if (search->items[i].target != background) {
            result = test(search, DSL_STEP_JEQ, search->items[i].first, search->items[i].target, result);
        }
    }
    return result;
}

// Where to cut [from, to): both sides weigh about the same; among equals, about as many runs on both sides.
static uint32_t choose_cut(const struct search *search, uint32_t from, uint32_t to)
{
    uint64_t start = search->items[from].weight_before;
    uint64_t total = search->items[to].weight_before - start;
    uint32_t best = from + 1;
    uint64_t best_imbalance = UINT64_MAX;
    uint32_t best_off_middle = UINT32_MAX;
    for (uint32_t at = from + 1; at < to; at++) {
        uint64_t left = 2 * (search->items[at].weight_before - start);
        uint64_t imbalance = left > total ? left - total : total - left;
        uint32_t off_middle = at - from > to - at ? (at - from) - (to - at) : (to - at) - (at - from);
        if (imbalance < best_imbalance || (imbalance == best_imbalance && off_middle < best_off_middle)) {
            best = at;
            best_imbalance = imbalance;
            best_off_middle = off_middle;
        }
    }
    return best;
}

// Recursion: each cut halves the weight or, between weightless runs, the count: at most 64 + 32 levels.
static uint32_t search_runs(const struct search *search, uint32_t from, uint32_t to)
{
    if (to - from == 1) {
        return search->items[from].target;
    }
    for (uint32_t i = from; i < from + 2; i++) {
        uint32_t background = search->items[i].target;
        if (count_singles(search, from, to, background) < to - from) {
            return chain(search, from, to, background);
        }
    }
    uint32_t at = choose_cut(search, from, to);
    uint32_t low = search_runs(search, from, at);
    return split(search, at, low, search_runs(search, at, to));
}

// --- switches ---------------------------------------------------------------------------------------------------------

// Whether "any of these bits" tells the two runs of a switch apart.
static bool is_bit_test(const struct dsl_decision *node)
{
    uint32_t lowest;
    return node->run_count == 2 && node->mask != UINT32_MAX && dsl_next_in_mask(node->mask, 1, &lowest) &&
           node->runs[1].first == lowest;
}

static struct item *list_items(struct builder *builder, const struct dsl_decision *node, uint32_t mask)
{
    struct item *items = DSL_ARENA_ARRAY(builder->tree->steps.arena, struct item, (size_t)node->run_count + 1);
    uint64_t weight = 0;
    for (uint32_t i = 0; i < node->run_count && items != NULL; i++) {
        uint32_t target = enter(builder, builder->entry_of[node->runs[i].child], node->word, mask);
        items[i] = (struct item){node->runs[i].first, target, weight};
        weight += builder->weights->weight(builder->weights->context, builder->graph, node, i);
    }
    if (items != NULL) {
        items[node->run_count] = (struct item){.weight_before = weight};
    }
    return items;
}

static uint32_t build_switch(struct builder *builder, const struct dsl_decision *node)
{
    bool bit_test = is_bit_test(node);
    uint32_t mask = bit_test ? UINT32_MAX : node->mask; // what A holds of the word during the tests
    const struct item *items = list_items(builder, node, mask);
    if (items == NULL) {
        return 0;
    }
    struct search search = {builder, node->word, node->mask, items, node->run_count};
    uint32_t first = bit_test ? test(&search, DSL_STEP_JSET, node->mask, items[1].target, items[0].target)
                              : search_runs(&search, 0, node->run_count);
    if (mask != UINT32_MAX) {
        first = step(builder, (struct dsl_step){.kind = DSL_STEP_AND, .word = node->word, .k = mask, .yes = first});
    }
    return step(builder, (struct dsl_step){.kind = DSL_STEP_LOAD, .word = node->word, .yes = first});
}

static void build_decision(struct builder *builder, uint32_t id)
{
    const struct dsl_decision *node = dsl_decision_get(builder->graph, id);
    if (node->kind == DSL_DECISION_RET) {
        builder->entry_of[id] = step(builder, (struct dsl_step){.kind = DSL_STEP_RET, .k = node->mask});
    } else if (node->kind == DSL_DECISION_SWITCH) {
        builder->entry_of[id] = build_switch(builder, node);
    }
}

static uint32_t even_weight(const void *context, const struct dsl_decisions *graph, const struct dsl_decision *node, uint32_t run)
{
    (void)context;
    const struct dsl_decision *child = dsl_decision_get(graph, node->runs[run].child);
    return node->word != DSL_WORD_NR || child->kind != DSL_DECISION_RET || child->mask != SECCOMP_RET_ALLOW;
}

const struct dsl_weights dsl_weights_even = {.weight = even_weight};

unsigned char *dsl_tree_mark(const struct dsl_tree *tree)
{
    unsigned char *marks = DSL_ARENA_ARRAY(tree->steps.arena, unsigned char, (size_t)tree->root + 1);
    if (marks == NULL) {
        return NULL;
    }
    memset(marks, 0, (size_t)tree->root + 1);
    marks[tree->root] = 1;
    for (uint32_t id = tree->root + 1; id-- > 0;) {
        const struct dsl_step *at = dsl_step_get(tree, id);
        if (marks[id] && at->kind != DSL_STEP_RET) {
            marks[at->yes] = 1;
            marks[dsl_step_is_test(at) ? at->no : at->yes] = 1;
        }
    }
    return marks;
}

bool dsl_tree_build(const struct dsl_decisions *graph, uint32_t root, const struct dsl_weights *weights, struct dsl_tree *tree)
{
    struct brig_dsl_arena *arena = graph->nodes.arena;
    struct builder builder = {.graph = graph, .weights = weights, .tree = tree};
    const unsigned char *marks = dsl_decisions_mark(graph, root);
    builder.entry_of = DSL_ARENA_ARRAY(arena, uint32_t, (size_t)root + 1);
    tree->terms = graph->terms;
    if (marks == NULL || builder.entry_of == NULL || !dsl_intern_init(&tree->steps, arena, graph->nodes.count)) {
        return false;
    }
    for (uint32_t id = 0; id <= root; id++) {
        if (marks[id]) {
            build_decision(&builder, id);
        }
    }
    tree->root = builder.entry_of[root];
    return !arena->exhausted && !tree->steps.full;
}
