// facts: what tests of a word say about later tests of the same word.
//
// Takes: a diagram. Gives: one that decides the same, without branches that no call can take. Requires: nothing.
// How: a fact is a pair (switch, child): the word is one that this switch sends to this child. Walking down, each node is seen
// under the facts about the words that are still tested below it. A run of a switch is kept if some word has all facts and is in
// the run; runs that no word is in join their neighbour, which often makes a switch superfluous. Whether such a word exists is
// found by deciding its bits from the top, only those that an undecided fact looks at. Guarantees: facts are exact (not intervals),
// so nothing that they say is overlooked; nodes under the same facts are done once. Recursion: one level per switch on a path,
// FACTS_DEPTH at most; one per bit in the search. Weaknesses: a child that two parents share is split where their facts differ;
// of more than FACTS_AT_ONCE facts the oldest are forgotten. Beyond the limits a diagram stays as it is.
#include "bpf_dsl/facts.h"

#include "bpf_dsl/masks.h"

#include <string.h>

enum { FACTS_DEPTH = 256, FACTS_STEPS = 400000, FACTS_MEMO_SLOTS = 1024, FACTS_AT_ONCE = 12, ABSORB_RUNS = 6 };

struct fact {
    uint32_t node; // a switch
    uint32_t child;
};

// The newest first.
struct fact_list {
    struct fact facts[FACTS_AT_ONCE];
    uint32_t count;
    uint32_t words; // that the facts are about
};

struct memo_slot {
    uint32_t node_plus_one; // 0: free
    uint32_t result;
    uint32_t count;
    const struct fact *facts;
};

struct narrowing {
    struct dsl_decisions *graph;
    struct memo_slot *memo;
    uint32_t steps;
    bool gave_up;
};

// --- is there such a word? --------------------------------------------------------------------------------------------

enum { CERTAIN, OPEN, IMPOSSIBLE };

// A word that is partly decided: `free` bits are not, the others are as in `fixed`.
struct partial {
    uint32_t free;
    uint32_t fixed;
};

// Whether (word & mask) can be, or must be, in [first, last].
static int judge_interval(struct partial word, uint32_t mask, uint32_t first, uint32_t last)
{
    uint32_t lo = word.fixed & mask;
    uint32_t hi = (word.fixed | word.free) & mask;
    if (lo > last || hi < first) {
        return IMPOSSIBLE;
    }
    return lo >= first && hi <= last ? CERTAIN : OPEN;
}

// Whether a switch can, or must, send the word to `child`.
static int judge_fact(struct narrowing *narrowing, struct partial word, const struct fact *fact)
{
    const struct dsl_decision *node = dsl_decision_get(narrowing->graph, fact->node);
    uint32_t hi = (word.fixed | word.free) & node->mask;
    bool some = false;
    bool all = true;
    for (uint32_t i = dsl_find_run(node, word.fixed & node->mask); i < node->run_count && node->runs[i].first <= hi; i++) {
        narrowing->steps++;
        bool is_it = node->runs[i].child == fact->child;
        some |= is_it;
        all &= is_it;
        if (some && !all) {
            return OPEN;
        }
    }
    return all ? CERTAIN : IMPOSSIBLE;
}

// What is asked: the facts about one word, and a run of `node`.
struct question {
    const struct fact_list *list;
    const struct dsl_decision *node;
    uint32_t first;
    uint32_t last;
};

static bool exists(struct narrowing *narrowing, const struct question *question, struct partial word)
{
    uint32_t open = 0;
    if (++narrowing->steps > FACTS_STEPS) {
        narrowing->gave_up = true;
        return true;
    }
    int judged = judge_interval(word, question->node->mask, question->first, question->last);
    if (judged == IMPOSSIBLE) {
        return false;
    }
    open |= judged == OPEN ? question->node->mask : 0;
    for (uint32_t i = 0; i < question->list->count; i++) {
        const struct fact *fact = &question->list->facts[i];
        const struct dsl_decision *about = dsl_decision_get(narrowing->graph, fact->node);
        if (about->word != question->node->word) {
            continue;
        }
        judged = judge_fact(narrowing, word, fact);
        if (judged == IMPOSSIBLE) {
            return false;
        }
        open |= judged == OPEN ? about->mask : 0;
    }
    open &= word.free;
    if (open == 0) {
        return true;
    }
    uint32_t bit = 0x80000000u >> __builtin_clz(open);
    return exists(narrowing, question, (struct partial){word.free & ~bit, word.fixed}) ||
           exists(narrowing, question, (struct partial){word.free & ~bit, word.fixed | bit});
}

// --- lists of facts ---------------------------------------------------------------------------------------------------

// The facts that matter for `id`, the new one included. Where there are too many, the oldest ones are forgotten.
static void inherit(const struct dsl_decisions *graph, const struct fact_list *list, uint32_t id, struct fact new_fact,
                    struct fact_list *ret_list)
{
    uint32_t below = dsl_decision_get(graph, id)->words;
    *ret_list = (struct fact_list){.count = 0};
    for (uint32_t i = 0; i <= list->count; i++) {
        const struct fact *fact = i == 0 ? &new_fact : &list->facts[i - 1];
        uint32_t word = dsl_word_bit(dsl_decision_get(graph, fact->node)->word);
        if ((below & word) == 0) {
            continue;
        }
        if (ret_list->count == FACTS_AT_ONCE) {
            return;
        }
        ret_list->facts[ret_list->count++] = *fact;
        ret_list->words |= word;
    }
}

static struct memo_slot *find_memo(const struct narrowing *narrowing, uint32_t id, const struct fact_list *list)
{
    uint64_t hash = dsl_hash(id, list->count);
    for (uint32_t i = 0; i < list->count; i++) {
        hash = dsl_hash(hash, (uint64_t)list->facts[i].node << 32 | list->facts[i].child);
    }
    return &narrowing->memo[dsl_hash_end(hash) % FACTS_MEMO_SLOTS];
}

static bool is_remembered(const struct memo_slot *slot, uint32_t id, const struct fact_list *list)
{
    return slot->node_plus_one == id + 1 && slot->count == list->count &&
           memcmp(slot->facts, list->facts, list->count * sizeof *list->facts) == 0;
}

static void remember(struct narrowing *narrowing, struct memo_slot *slot, uint32_t id, const struct fact_list *list,
                     uint32_t result)
{
    struct fact *facts = DSL_ARENA_ARRAY(narrowing->graph->nodes.arena, struct fact, list->count);
    if (facts != NULL) {
        for (uint32_t i = 0; i < list->count; i++) {
            facts[i] = list->facts[i];
        }
        *slot = (struct memo_slot){.node_plus_one = id + 1, .result = result, .count = list->count, .facts = facts};
    }
}

// --- narrowing --------------------------------------------------------------------------------------------------------

static uint32_t narrow(struct narrowing *narrowing, uint32_t id, const struct fact_list *list, uint32_t depth);

// `id`, a child of a switch or what may stand for one, where the fact holds.
static uint32_t narrow_under(struct narrowing *narrowing, uint32_t id, struct fact fact, const struct fact_list *list,
                             uint32_t depth)
{
    struct fact_list below;
    inherit(narrowing->graph, list, id, fact, &below);
    return narrow(narrowing, id, &below, depth + 1);
}

// Leads all runs of a switch that lead to `from` to `to`.
static uint32_t lead_to(struct narrowing *narrowing, uint32_t id, uint32_t from, uint32_t to)
{
    const struct dsl_decision *node = dsl_decision_get(narrowing->graph, id);
    struct dsl_run runs[ABSORB_RUNS];
    for (uint32_t i = 0; i < node->run_count; i++) {
        runs[i] = node->runs[i];
        runs[i].child = runs[i].child == from ? to : runs[i].child;
    }
    return dsl_decision_switch(narrowing->graph, (enum dsl_word)node->word, node->mask, runs, node->run_count);
}

// Finds a run that can go the way of its neighbour, which tests the word again and decides the same for it. Returns: the switch
// without that border, or `id`.
static uint32_t absorb(struct narrowing *narrowing, uint32_t id, const struct fact_list *list, uint32_t depth)
{
    const struct dsl_decision *node = dsl_decision_get(narrowing->graph, id);
    for (uint32_t i = 0; i < 2 * (node->run_count - 1) && node->run_count <= ABSORB_RUNS; i++) {
        uint32_t from = node->runs[i / 2 + i % 2].child;
        uint32_t to = node->runs[i / 2 + 1 - i % 2].child;
        const struct fact fact = {id, from};
        if ((dsl_decision_get(narrowing->graph, to)->words & dsl_word_bit(node->word)) != 0 &&
            narrow_under(narrowing, to, fact, list, depth) == narrow_under(narrowing, from, fact, list, depth)) {
            return lead_to(narrowing, id, from, to);
        }
    }
    return id;
}

static uint32_t narrow_switch(struct narrowing *narrowing, uint32_t id, const struct fact_list *list, uint32_t depth)
{
    const struct dsl_decision *node = dsl_decision_get(narrowing->graph, id);
    struct dsl_run *runs = DSL_ARENA_ARRAY(narrowing->graph->nodes.arena, struct dsl_run, node->run_count);
    bool is_known = (list->words & dsl_word_bit(node->word)) != 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < node->run_count && runs != NULL; i++) {
        struct question question = {list, node, node->runs[i].first, dsl_run_last(node, i)};
        if (is_known && !exists(narrowing, &question, (struct partial){.free = UINT32_MAX})) {
            continue; // the run before it reaches over it
        }
        uint32_t child = narrow_under(narrowing, node->runs[i].child, (struct fact){id, node->runs[i].child}, list, depth);
        runs[count] = (struct dsl_run){count == 0 ? 0 : node->runs[i].first, child};
        count++;
    }
    return count == 0 ? node->runs[0].child
                      : dsl_masks_switch(narrowing->graph, (enum dsl_word)node->word, node->mask, runs, count);
}

static uint32_t narrow(struct narrowing *narrowing, uint32_t id, const struct fact_list *list, uint32_t depth)
{
    const struct dsl_decision *node = dsl_decision_get(narrowing->graph, id);
    if (node->kind != DSL_DECISION_SWITCH || narrowing->gave_up) {
        return id;
    }
    narrowing->gave_up |= depth == FACTS_DEPTH || ++narrowing->steps > FACTS_STEPS;
    struct memo_slot *slot = find_memo(narrowing, id, list);
    if (is_remembered(slot, id, list)) {
        return slot->result;
    }
    uint32_t without = absorb(narrowing, id, list, depth);
    uint32_t result = without != id ? narrow(narrowing, without, list, depth + 1) : narrow_switch(narrowing, id, list, depth);
    remember(narrowing, slot, id, list, result);
    return result;
}

uint32_t dsl_facts_narrow(struct dsl_decisions *graph, uint32_t root)
{
    struct narrowing narrowing = {.graph = graph};
    narrowing.memo = DSL_ARENA_ARRAY(graph->nodes.arena, struct memo_slot, FACTS_MEMO_SLOTS);
    if (narrowing.memo == NULL) {
        return root;
    }
    memset(narrowing.memo, 0, FACTS_MEMO_SLOTS * sizeof *narrowing.memo);
    const struct fact_list nothing = {.count = 0};
    uint32_t result = narrow(&narrowing, root, &nothing, 0);
    return narrowing.gave_up || graph->exploded ? root : result;
}
