// masks: tests of several masks of one word become one test.
//
// Takes: a diagram. Gives: one that decides the same. Requires: nothing.
// How: rules such as "none of these bits" and "all of those" come as one switch per mask, one below the other, with one way out
// for all of them. A switch that goes on for one value only, (w & m) == v, and leads all others to X, followed by a switch of the
// same word under mask n which leads single values a, b .. on and all others to X too, is one switch under (m | n) with the values
// (v | a), (v | b) .. Twenty flags that have to be set or clear are then one AND and one JEQ. Guarantees: never a longer path.
// Weaknesses: switches that more than one value leads on, or that have another way out, stay as they are.
#include "bpf_dsl/masks.h"

#include <string.h>

enum {
    MASKS_VALUES = 64, // of the inner switch; more are better searched for under their own mask
    MASKS_MEMO_SLOTS = 512,
};

// (word & mask) is `value`: `child`; anything else: `out`.
struct gate {
    uint32_t mask;
    uint32_t value;
    uint32_t child;
    uint32_t out;
};

// Whether all runs but number `at` lead to one place.
static bool has_one_way_out(const struct dsl_decision *outer, uint32_t at, uint32_t *ret_out)
{
    *ret_out = outer->runs[at == 0 ? 1 : 0].child;
    for (uint32_t i = 0; i < outer->run_count; i++) {
        if (i != at && outer->runs[i].child != *ret_out) {
            return false;
        }
    }
    return true;
}

static bool is_switch_of(const struct dsl_decisions *graph, uint32_t id, uint8_t word)
{
    const struct dsl_decision *node = dsl_decision_get(graph, id);
    return node->kind == DSL_DECISION_SWITCH && node->word == word;
}

// "Below a power of two" is "none of the bits from there on".
static bool read_limit(const struct dsl_decisions *graph, const struct dsl_decision *outer, struct gate *ret_gate)
{
    uint32_t limit = outer->runs[1].first;
    uint32_t child = outer->runs[0].child;
    *ret_gate = (struct gate){.mask = ~(limit - 1), .value = 0, .child = child, .out = outer->runs[1].child};
    return (limit & (limit - 1)) == 0 && is_switch_of(graph, child, outer->word) &&
           dsl_decision_get(graph, child)->mask != UINT32_MAX;
}

// Whether a switch is a gate to another one of the same word.
static bool read_gate(const struct dsl_decisions *graph, const struct dsl_decision *outer, struct gate *ret_gate)
{
    if (outer->mask == UINT32_MAX && outer->run_count == 2) {
        return read_limit(graph, outer, ret_gate);
    }
    for (uint32_t i = 0; i < outer->run_count && outer->run_count >= 2 && outer->run_count <= 3; i++) {
        uint32_t first = outer->runs[i].first;
        uint32_t child = outer->runs[i].child;
        *ret_gate = (struct gate){.mask = outer->mask, .value = first, .child = child};
        if (is_switch_of(graph, child, outer->word) && dsl_is_single(outer->mask, first, dsl_run_last(outer, i)) &&
            has_one_way_out(outer, i, &ret_gate->out)) {
            return true;
        }
    }
    return false;
}

// Writes the runs of the joined switch. Returns: how many; 0 where the two cannot be one.
static uint32_t join(const struct dsl_decision *inner, struct gate gate, struct dsl_run *ret_runs)
{
    uint32_t count = 1;
    ret_runs[0] = (struct dsl_run){0, gate.out};
    for (uint32_t i = 0; i < inner->run_count; i++) {
        uint32_t first = inner->runs[i].first;
        if (inner->runs[i].child == gate.out) {
            continue;
        }
        if (!dsl_is_single(inner->mask, first, dsl_run_last(inner, i))) {
            return 0;
        }
        if (((first ^ gate.value) & inner->mask & gate.mask) != 0) {
            continue; // the gate lets no such value through
        }
        // Both orders are the same: the gate adds the same bits to each value, but it may add them in between.
        uint32_t value = first | gate.value;
        if (count > 1 && value < ret_runs[count - 1].first) {
            return 0;
        }
        if (ret_runs[count - 1].first == value) {
            ret_runs[count - 1].child = inner->runs[i].child;
        } else {
            ret_runs[count++] = (struct dsl_run){value, inner->runs[i].child};
        }
        if (value != UINT32_MAX) {
            ret_runs[count++] = (struct dsl_run){value + 1, gate.out};
        }
    }
    return count;
}

uint32_t dsl_masks_switch(struct dsl_decisions *graph, enum dsl_word word, uint32_t mask, const struct dsl_run *runs,
                          uint32_t count)
{
    struct gate gate;
    struct dsl_run joined[2 * MASKS_VALUES + 1];
    const struct dsl_decision outer = {.word = (uint8_t)word, .mask = mask, .run_count = count, .runs = runs};
    if (read_gate(graph, &outer, &gate)) {
        const struct dsl_decision *inner = dsl_decision_get(graph, gate.child);
        uint32_t joined_count = inner->run_count <= MASKS_VALUES ? join(inner, gate, joined) : 0;
        if (joined_count != 0) {
            return dsl_decision_switch(graph, word, gate.mask | inner->mask, joined, joined_count);
        }
    }
    return dsl_decision_switch(graph, word, mask, runs, count);
}

// --- whole diagrams ---------------------------------------------------------------------------------------------------

struct joined {
    uint32_t id_plus_one; // 0: free
    uint32_t result;
};

struct joining {
    struct dsl_decisions *graph;
    struct joined *memo; // a cache that forgets
    uint32_t memo_slots;
};

// Recursion: one level per switch on a path.
static uint32_t join_all(struct joining *joining, uint32_t id)
{
    const struct dsl_decision *node = dsl_decision_get(joining->graph, id);
    if (node->kind != DSL_DECISION_SWITCH) {
        return id;
    }
    uint32_t at = id & (joining->memo_slots - 1);
    if (joining->memo[at].id_plus_one == id + 1) {
        return joining->memo[at].result;
    }
    struct dsl_run *runs = DSL_ARENA_ARRAY(joining->graph->nodes.arena, struct dsl_run, node->run_count);
    if (runs == NULL) {
        return id;
    }
    for (uint32_t i = 0; i < node->run_count; i++) {
        runs[i] = (struct dsl_run){node->runs[i].first, join_all(joining, node->runs[i].child)};
    }
    uint32_t result = dsl_masks_switch(joining->graph, (enum dsl_word)node->word, node->mask, runs, node->run_count);
    joining->memo[at].id_plus_one = id + 1;
    joining->memo[at].result = result;
    return result;
}

uint32_t dsl_masks_join(struct dsl_decisions *graph, uint32_t root)
{
    struct joining joining = {.graph = graph, .memo_slots = dsl_memo_slots(graph, MASKS_MEMO_SLOTS)};
    joining.memo = DSL_ARENA_ARRAY(graph->nodes.arena, struct joined, joining.memo_slots);
    if (joining.memo == NULL) {
        return root;
    }
    memset(joining.memo, 0, joining.memo_slots * sizeof *joining.memo);
    uint32_t result = join_all(&joining, root);
    return graph->nodes.arena->exhausted ? root : result;
}
