// reorder: the words of one call's diagram in a good order.
//
// Takes: a diagram whose words stand in the order in which somebody's program asked for them. Gives: the one that compiling a
// policy would have made: the argument that is told apart most often first, its low half before its high half (lower_decisions.c
// says why). Requires: on a path a word is tested once under a mask. How: from the leaves up; a switch whose successors all ask for
// later words stays, any other one is "this run and what follows it" for each successor, joined by grafts, halves first.
// Guarantees: for a given order, diagrams that decide the same become the same node. Weaknesses: one order for the whole diagram;
// where it makes it bigger by more than a quarter, or takes too long, the order that was found stays.
#include <string.h>

#include "bpf_dsl/facts.h"
#include "bpf_dsl/masks.h"
#include "bpf_dsl/specialise.h"

enum { REORDER_STEPS = 200000, REORDER_ARGUMENTS = 6, REORDER_SLACK = 2 };

struct dsl_reordering {
    struct dsl_decisions *graph;
    uint32_t *stamps;  // by node: when it was last seen
    uint32_t *ordered; // by node: the same in order
    uint32_t stamp;
    uint32_t *ids; // nodes of one diagram
    uint32_t count;
};

struct dsl_reordering *dsl_reordering_new(struct dsl_decisions *graph)
{
    const uint32_t most = DSL_INTERN_LIMIT;
    const size_t nodes = most;
    struct brig_dsl_arena *arena = graph->nodes.arena;
    struct dsl_reordering *reordering = DSL_ARENA_NEW(arena, struct dsl_reordering);
    uint32_t *stamps = DSL_ARENA_ARRAY(arena, uint32_t, nodes);
    uint32_t *ordered = DSL_ARENA_ARRAY(arena, uint32_t, nodes);
    uint32_t *ids = DSL_ARENA_ARRAY(arena, uint32_t, nodes);
    if (arena->exhausted) {
        return NULL;
    }
    memset(stamps, 0, nodes * sizeof *stamps);
    *reordering = (struct dsl_reordering){.graph = graph, .stamps = stamps, .ordered = ordered, .ids = ids};
    return reordering;
}

static const struct dsl_decision *node_of(const struct dsl_reordering *reordering, uint32_t id)
{
    return dsl_decision_get(reordering->graph, id);
}

static bool see(struct dsl_reordering *reordering, uint32_t id)
{
    if (reordering->stamps[id] == reordering->stamp) {
        return false;
    }
    reordering->stamps[id] = reordering->stamp;
    reordering->ids[reordering->count++] = id;
    return true;
}

// Lists the nodes of a diagram, successors first. Returns: runs in all of it, which is about its size.
static uint32_t list_nodes(struct dsl_reordering *reordering, uint32_t root)
{
    uint32_t runs = 0;
    reordering->stamp++;
    reordering->count = 0;
    see(reordering, root);
    for (uint32_t at = 0; at < reordering->count; at++) {
        const struct dsl_decision *node = node_of(reordering, reordering->ids[at]);
        for (uint32_t i = 0; i < node->run_count; i++) {
            see(reordering, node->runs[i].child);
        }
        runs += node->run_count;
    }
    dsl_sort(reordering->ids, reordering->count);
    return runs;
}

// --- the order --------------------------------------------------------------------------------------------------------

static void sort_arguments(const uint32_t *uses, uint8_t *ret_arguments)
{
    for (int i = 0; i < REORDER_ARGUMENTS; i++) {
        int at = i;
        for (; at > 0 && uses[ret_arguments[at - 1]] < uses[i]; at--) {
            ret_arguments[at] = ret_arguments[at - 1];
        }
        ret_arguments[at] = (uint8_t)i;
    }
}

static struct dsl_order choose_order(const struct dsl_reordering *reordering)
{
    uint32_t runs[DSL_WORD_COUNT] = {0};
    uint32_t uses[REORDER_ARGUMENTS];
    uint8_t arguments[REORDER_ARGUMENTS];
    struct dsl_order order = {{0}};
    uint8_t next = 0;
    for (uint32_t i = 0; i < reordering->count; i++) {
        const struct dsl_decision *node = node_of(reordering, reordering->ids[i]);
        if (node->kind == DSL_DECISION_SWITCH && node->word < DSL_WORD_COUNT) {
            runs[node->word] += node->run_count - 1;
        }
    }
    for (int i = 0; i < REORDER_ARGUMENTS; i++) {
        uint32_t low = runs[DSL_WORD_ARGUMENTS + 2 * i];
        uint32_t high = runs[DSL_WORD_ARGUMENTS + 2 * i + 1];
        uses[i] = low > high ? low : high;
    }
    sort_arguments(uses, arguments);
    for (int word = 0; word < DSL_WORD_ARGUMENTS; word++) {
        order.rank[word] = next++;
    }
    for (int i = 0; i < REORDER_ARGUMENTS; i++) {
        order.rank[DSL_WORD_ARGUMENTS + 2 * arguments[i]] = next++;
        order.rank[DSL_WORD_ARGUMENTS + 2 * arguments[i] + 1] = next++;
    }
    for (int term = DSL_WORD_COUNT; term < DSL_WORD_COUNT + DSL_TERMS_MAX; term++) {
        order.rank[term] = next++;
    }
    return order;
}

// Where a node stands; as decisions.c has it.
static uint64_t place(const struct dsl_reordering *reordering, const struct dsl_decision *node)
{
    uint64_t narrow = 32u - (unsigned)__builtin_popcount(node->mask);
    return node->kind != DSL_DECISION_SWITCH
               ? UINT64_MAX
               : (uint64_t)reordering->graph->order.rank[node->word] << 40 | narrow << 32 | node->mask;
}

// --- one switch -------------------------------------------------------------------------------------------------------

// A switch while it is put in order: its runs, whose children are in order already.
struct sorting {
    struct dsl_reordering *reordering;
    const struct dsl_decision *node;
    struct dsl_run *runs; // scratch, as many as the node has
};

static uint32_t switch_of(const struct sorting *sorting)
{
    const struct dsl_decision *node = sorting->node;
    return dsl_decision_switch(sorting->reordering->graph, (enum dsl_word)node->word, node->mask, sorting->runs, node->run_count);
}

static uint32_t child_of(const struct sorting *sorting, uint32_t run)
{
    return sorting->reordering->ordered[sorting->node->runs[run].child];
}

static bool comes_later(const struct sorting *sorting, uint32_t child)
{
    return place(sorting->reordering, node_of(sorting->reordering, child)) > place(sorting->reordering, sorting->node);
}

// The runs that lead to `child`, and what follows them there; NO elsewhere.
static uint32_t piece_for(const struct sorting *sorting, uint32_t child)
{
    for (uint32_t i = 0; i < sorting->node->run_count; i++) {
        uint32_t leaf = child_of(sorting, i) == child ? DSL_DECISION_YES : DSL_DECISION_NO;
        sorting->runs[i] = (struct dsl_run){sorting->node->runs[i].first, leaf};
    }
    return dsl_decision_graft(sorting->reordering->graph, switch_of(sorting), DSL_DECISION_YES, child);
}

static uint32_t join_pieces(const struct sorting *sorting, const uint32_t *children, uint32_t count)
{
    if (count == 1) {
        return piece_for(sorting, children[0]);
    }
    uint32_t left = join_pieces(sorting, children, count / 2);
    uint32_t right = join_pieces(sorting, children + count / 2, count - count / 2);
    return dsl_decision_graft(sorting->reordering->graph, left, DSL_DECISION_NO, right);
}

// Children that ask for an earlier word, each once, in ascending order. Returns: how many; UINT32_MAX when out of arena.
static uint32_t list_early(const struct sorting *sorting, uint32_t **ret_children)
{
    uint32_t count = 0;
    uint32_t kept = 0;
    uint32_t *children = DSL_ARENA_ARRAY(sorting->reordering->graph->nodes.arena, uint32_t, sorting->node->run_count);
    for (uint32_t i = 0; i < sorting->node->run_count && children != NULL; i++) {
        uint32_t child = child_of(sorting, i);
        if (!comes_later(sorting, child)) {
            children[count++] = child;
        }
    }
    if (children == NULL) {
        return UINT32_MAX;
    }
    dsl_sort(children, count);
    for (uint32_t i = 0; i < count; i++) {
        if (kept == 0 || children[kept - 1] != children[i]) {
            children[kept++] = children[i];
        }
    }
    *ret_children = children;
    return kept;
}

static uint32_t sort_switch(struct dsl_reordering *reordering, const struct dsl_decision *node)
{
    struct sorting sorting = {.reordering = reordering, .node = node};
    sorting.runs = DSL_ARENA_ARRAY(reordering->graph->nodes.arena, struct dsl_run, node->run_count);
    if (sorting.runs == NULL) {
        return DSL_DECISION_NO;
    }
    bool has_early = false;
    for (uint32_t i = 0; i < node->run_count; i++) {
        bool is_early = !comes_later(&sorting, child_of(&sorting, i));
        sorting.runs[i] = (struct dsl_run){node->runs[i].first, is_early ? DSL_DECISION_NO : child_of(&sorting, i)};
        has_early |= is_early;
    }
    uint32_t base = switch_of(&sorting);
    uint32_t *early = NULL;
    uint32_t count = has_early ? list_early(&sorting, &early) : 0;
    if (count == 0 || count == UINT32_MAX) {
        return base;
    }
    return dsl_decision_graft(reordering->graph, base, DSL_DECISION_NO, join_pieces(&sorting, early, count));
}

// --- the whole --------------------------------------------------------------------------------------------------------

static bool has_relatives(const struct dsl_reordering *reordering)
{
    uint32_t masks[DSL_WORD_COUNT + DSL_TERMS_MAX] = {0};
    for (uint32_t i = 0; i < reordering->count; i++) {
        const struct dsl_decision *node = node_of(reordering, reordering->ids[i]);
        if (node->kind != DSL_DECISION_SWITCH) {
            continue;
        }
        if (masks[node->word] != 0 && masks[node->word] != node->mask) {
            return true;
        }
        masks[node->word] = node->mask;
    }
    return false;
}

static uint32_t narrowed(struct dsl_reordering *reordering, uint32_t id)
{
    list_nodes(reordering, id);
    if (!has_relatives(reordering)) {
        return id;
    }
    uint32_t joined = dsl_masks_join(reordering->graph, id);
    uint32_t narrow = dsl_facts_narrow(reordering->graph, joined, dsl_facts_most);
    return narrow == DSL_INTERN_NONE ? joined : narrow;
}

uint32_t dsl_reordering_size(struct dsl_reordering *reordering, uint32_t id)
{
    uint32_t size = 0;
    list_nodes(reordering, id);
    for (uint32_t i = 0; i < reordering->count; i++) {
        const struct dsl_decision *node = node_of(reordering, reordering->ids[i]);
        bool is_switch = node->kind == DSL_DECISION_SWITCH;
        // A load, a mask, and a test for each border.
        size += is_switch ? node->run_count + (node->mask != UINT32_MAX) : 0;
    }
    return size;
}

uint32_t dsl_reorder(struct dsl_reordering *reordering, uint32_t id)
{
    struct dsl_decisions *graph = reordering->graph;
    uint32_t found_runs = list_nodes(reordering, id);
    struct dsl_order order = choose_order(reordering);
    dsl_decisions_set_order(graph, &order);
    dsl_decisions_allow_steps(graph, REORDER_STEPS);
    for (uint32_t i = 0; i < reordering->count && !graph->exploded; i++) {
        const struct dsl_decision *node = node_of(reordering, reordering->ids[i]);
        bool is_leaf = node->kind != DSL_DECISION_SWITCH;
        reordering->ordered[reordering->ids[i]] = is_leaf ? reordering->ids[i] : sort_switch(reordering, node);
    }
    uint32_t result = graph->exploded ? id : reordering->ordered[id];
    dsl_decisions_allow_steps(graph, UINT32_MAX - graph->steps);
    if (result != id && list_nodes(reordering, result) > found_runs + found_runs / 4 + REORDER_SLACK) {
        result = id;
    }
    return narrowed(reordering, result);
}
