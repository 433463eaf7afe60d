// facts: what tests of a word say about later tests of the same word.
//
// Takes: a diagram. Gives: one that decides the same, without branches that no call can take. Requires: nothing.
// How: a fact is a pair (switch, child): the word is one that this switch sends to this child. Walking down, each node is seen
// under the facts about the words that are still tested below it. A run of a switch is kept if some word has all facts and is in
// the run; runs that no word is in join their neighbour, which often makes a switch superfluous. Whether such a word exists is
// found by going from border to border where no fact has a mask. Else facts that let one value through settle its bits; where all
// others together leave out fewer words than there are, there is one; and what is left is tried bit by bit. Guarantees: facts are
// exact (not intervals), so nothing that they say is overlooked; nodes under the same facts are done once. Recursion: one level per
// switch on a path, FACTS_DEPTH at most; one per bit in the search. Weaknesses: a child that two parents share is split where their
// facts differ; of more than FACTS_AT_ONCE facts the oldest are forgotten. Beyond the limits there is no result.
#include "bpf_dsl/facts.h"

#include "bpf_dsl/masks.h"

#include <string.h>

enum {
    FACTS_DEPTH = 256,
    FACTS_MORE_VIEWS = 1024, // beyond what a diagram has for itself, in all diagrams of a graph
    FACTS_MEMO_SLOTS = 1024,
    FACTS_AT_ONCE = 12,
    ABSORB_RUNS = 6,
    TRIED_WORDS = 8,
    SAMPLES = 6,       // two values of the word with each of three runs of any other
    RUNS_COUNTED = 16, // of a switch, to find out how much a fact leaves out
};
#define EVERY_WORD (UINT64_C(1) << 32)

enum fact_kind { FACT_OF_RUNS, FACT_ONE_VALUE, FACT_NOT_ONE_VALUE };

struct fact {
    uint32_t node; // a switch
    uint32_t child;
    uint32_t kind;  // enum fact_kind: of most, what they say is short
    uint32_t value; // (word & mask) is that one value, or is not; 0 for others
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
    uint32_t memo_slots; // a power of two
    uint32_t steps;
    uint32_t step_limit;
    uint32_t views; // nodes under facts
    uint32_t view_limit;
    bool gave_up;
};

// --- is there such a word? --------------------------------------------------------------------------------------------

// A word that is partly decided: `free` bits are not, the others are as in `fixed`.
struct partial {
    uint32_t free;
    uint32_t fixed;
};

static struct partial masked(struct partial word, uint32_t mask)
{
    return (struct partial){word.free & mask, word.fixed & mask};
}

// What a fact says of a word that is partly decided: how many values of the bits that it looks at it lets through and leaves out,
// at most, and which one where that is one.
struct opinion {
    struct partial part;
    uint64_t let_in;
    uint64_t left_out;
    uint32_t only_in;
    uint32_t only_out;
};

// Adds the values from first to last to what is let through, or left out.
static void add_values(struct opinion *opinion, uint32_t mask, const struct dsl_run *values, uint32_t last, bool is_in)
{
    bool is_single = dsl_is_single(mask, values->first, last);
    uint32_t highest = opinion->part.fixed | opinion->part.free;
    uint32_t lo = values->first > opinion->part.fixed ? values->first : opinion->part.fixed;
    uint32_t hi = last < highest ? last : highest;
    if (lo > hi || (is_single && ((values->first ^ opinion->part.fixed) & mask & ~opinion->part.free) != 0)) {
        return;
    }
    *(is_in ? &opinion->let_in : &opinion->left_out) += is_single ? 1 : (uint64_t)hi - lo + 1;
    *(is_in ? &opinion->only_in : &opinion->only_out) = is_single ? values->first : lo;
}

// What is asked: the facts about one word, and a run of `node`.
struct question {
    const struct fact_list *list;
    const struct dsl_decision *node;
    uint32_t first;
    uint32_t last;
};

static struct opinion judge_question(const struct question *question, struct partial word)
{
    uint32_t mask = question->node->mask;
    struct opinion opinion = {.part = masked(word, mask)};
    add_values(&opinion, mask, &(struct dsl_run){.first = question->first}, question->last, true);
    if (question->first > 0) {
        add_values(&opinion, mask, &(struct dsl_run){.first = 0}, question->first - 1, false);
    }
    if (question->last < UINT32_MAX) {
        add_values(&opinion, mask, &(struct dsl_run){.first = question->last + 1}, UINT32_MAX, false);
    }
    return opinion;
}

static struct opinion judge_fact(struct narrowing *narrowing, const struct fact *fact, struct partial word)
{
    const struct dsl_decision *node = dsl_decision_get(narrowing->graph, fact->node);
    struct opinion opinion = {.part = masked(word, node->mask)};
    uint32_t first = dsl_find_run(node, opinion.part.fixed);
    uint32_t highest = opinion.part.fixed | opinion.part.free;
    for (uint32_t i = first; i < node->run_count && node->runs[i].first <= highest; i++) {
        narrowing->steps++;
        add_values(&opinion, node->mask, &node->runs[i], dsl_run_last(node, i), node->runs[i].child == fact->child);
        if (opinion.let_in > 1 && opinion.left_out > 0 && i - first == RUNS_COUNTED) {
            opinion.left_out = EVERY_WORD;
            break;
        }
    }
    return opinion;
}

// What is known after all facts were asked once.
struct survey {
    struct partial word;
    uint32_t open;   // bits that undecided facts look at
    uint64_t parts;  // of 2^32 words, those that undecided facts leave out, at most
    bool is_settled; // bits were
    bool is_possible;
};

static void settle(struct survey *survey, uint32_t mask, uint32_t value)
{
    survey->word.fixed |= value & mask & survey->word.free;
    survey->word.free &= ~mask;
    survey->is_settled = true;
}

static void hear(struct survey *survey, const struct opinion *opinion, uint32_t mask)
{
    uint32_t free = opinion->part.free;
    if (opinion->let_in == 0 || opinion->left_out == 0) {
        survey->is_possible &= opinion->let_in != 0;
    } else if (opinion->let_in == 1) {
        settle(survey, mask, opinion->only_in);
    } else if (opinion->left_out == 1 && (free & (free - 1)) == 0) {
        settle(survey, free, ~opinion->only_out);
    } else {
        survey->open |= free;
        uint32_t bits = dsl_count_bits(free);
        survey->parts += opinion->left_out >> bits != 0 ? EVERY_WORD : opinion->left_out << (32 - bits);
    }
}

// The same for a fact that is about one value.
static void hear_value(struct survey *survey, const struct fact *fact, uint32_t mask)
{
    uint32_t free = mask & survey->word.free;
    bool differs = ((fact->value ^ survey->word.fixed) & mask & ~survey->word.free) != 0;
    if (fact->kind == FACT_ONE_VALUE) {
        survey->is_possible &= !differs;
        if (!differs && free != 0) {
            settle(survey, mask, fact->value);
        }
    } else if (!differs && (free & (free - 1)) == 0) {
        survey->is_possible &= free != 0;
        settle(survey, free, ~fact->value);
    } else if (!differs) {
        survey->open |= free;
        survey->parts += EVERY_WORD >> dsl_count_bits(free);
    }
}

static void ask_all(struct narrowing *narrowing, const struct question *question, struct survey *survey)
{
    struct opinion opinion = judge_question(question, survey->word);
    hear(survey, &opinion, question->node->mask);
    survey->is_settled = false; // by what was asked first: all that is asked below knows it
    for (uint32_t i = 0; i < question->list->count && survey->is_possible; i++) {
        const struct fact *fact = &question->list->facts[i];
        const struct dsl_decision *about = dsl_decision_get(narrowing->graph, fact->node);
        if (about->word == question->node->word && fact->kind != FACT_OF_RUNS) {
            hear_value(survey, fact, about->mask);
        } else if (about->word == question->node->word) {
            opinion = judge_fact(narrowing, fact, survey->word);
            hear(survey, &opinion, about->mask);
        }
    }
}

// Whether more of the run is among words that have a bit than among those that do not: there a word is found sooner.
static bool has_more_above(const struct question *question, struct partial with_bit)
{
    uint32_t border = with_bit.fixed & question->node->mask;
    return border <= question->last && (border <= question->first || question->last - border >= border - question->first);
}

// Whether a word has all facts and is in the run. Facts that let one value through settle bits; where all others together leave out
// less than there is, there is a word; else both values of the highest bit are tried.
static bool exists(struct narrowing *narrowing, const struct question *question, struct partial word)
{
    struct survey survey = {.word = word, .is_settled = true, .is_possible = true};
    while (survey.is_settled && survey.is_possible) {
        survey = (struct survey){.word = survey.word, .is_possible = true};
        if (++narrowing->steps > narrowing->step_limit) {
            narrowing->gave_up = true;
            return true;
        }
        ask_all(narrowing, question, &survey);
    }
    word = survey.word;
    survey.open &= word.free;
    if (!survey.is_possible || survey.open == 0 || survey.parts < EVERY_WORD) {
        return survey.is_possible;
    }
    uint32_t bit = 0x80000000u >> __builtin_clz(survey.open);
    struct partial one = {word.free & ~bit, word.fixed | bit};
    struct partial other = {word.free & ~bit, word.fixed};
    bool is_one_first = has_more_above(question, one);
    return exists(narrowing, question, is_one_first ? one : other) || exists(narrowing, question, is_one_first ? other : one);
}

static bool has_fact(const struct narrowing *narrowing, const struct fact *fact, uint32_t word)
{
    const struct dsl_decision *node = dsl_decision_get(narrowing->graph, fact->node);
    if (fact->kind != FACT_OF_RUNS) {
        return (((word ^ fact->value) & node->mask) == 0) == (fact->kind == FACT_ONE_VALUE);
    }
    return node->runs[dsl_find_run(node, word & node->mask)].child == fact->child;
}

// A word that has the fact, and is otherwise like one that has not.
static uint32_t mend(const struct narrowing *narrowing, const struct fact *fact, uint32_t word, uint32_t attempt)
{
    const struct dsl_decision *node = dsl_decision_get(narrowing->graph, fact->node);
    uint32_t run = 0;
    switch ((enum fact_kind)fact->kind) {
    case FACT_ONE_VALUE:
        return (word & ~node->mask) | fact->value;
    case FACT_NOT_ONE_VALUE: // other bits than the last time, for a fact that wanted them as they were
        return word ^ (attempt % 2 == 0 ? 0x80000000u >> __builtin_clz(node->mask) : node->mask & (0 - node->mask));
    case FACT_OF_RUNS:
        break;
    }
    while (run + 1 < node->run_count && node->runs[run].child != fact->child) {
        run++;
    }
    return (word & ~node->mask) | node->runs[run].first;
}

// Tries words one by one, each the one before mended by a fact that it has not. Most answers are yes, and are found so at once.
static bool finds_word(struct narrowing *narrowing, const struct question *question)
{
    const struct fact_list *list = question->list;
    uint32_t mask = question->node->mask;
    uint32_t word = question->first;
    for (uint32_t attempt = 0; attempt < TRIED_WORDS; attempt++) {
        uint32_t i = 0;
        narrowing->steps++;
        if ((word & mask) < question->first || (word & mask) > question->last) {
            word = (word & ~mask) | question->first;
        }
        while (i < list->count && (dsl_decision_get(narrowing->graph, list->facts[i].node)->word != question->node->word ||
                                   has_fact(narrowing, &list->facts[i], word))) {
            i++;
        }
        if (i == list->count) {
            return true;
        }
        word = mend(narrowing, &list->facts[i], word, attempt);
    }
    return false;
}

// Moves a word up to the next one that a switch without a mask sends to the fact's child. Returns: false if there is none.
static bool move_to_child(struct narrowing *narrowing, const struct fact *fact, uint32_t *word)
{
    const struct dsl_decision *node = dsl_decision_get(narrowing->graph, fact->node);
    uint32_t run = dsl_find_run(node, *word);
    narrowing->steps++;
    while (run < node->run_count && node->runs[run].child != fact->child) {
        run++;
    }
    if (run == node->run_count) {
        return false;
    }
    *word = node->runs[run].first > *word ? node->runs[run].first : *word;
    return true;
}

// Whether a word has all facts, none of which has a mask, and is in the run: each fact in turn moves it up, until it fits all.
static bool has_whole_word(struct narrowing *narrowing, const struct question *question)
{
    const struct fact_list *list = question->list;
    uint32_t word = question->first;
    for (uint32_t fitting = 0, i = 0; fitting < list->count; fitting++, i = i + 1 < list->count ? i + 1 : 0) {
        uint32_t was = word;
        bool is_about = dsl_decision_get(narrowing->graph, list->facts[i].node)->word == question->node->word;
        if (is_about && (!move_to_child(narrowing, &list->facts[i], &word) || word > question->last)) {
            return false;
        }
        fitting = word != was ? 0 : fitting;
    }
    return true;
}

static bool has_mask(const struct narrowing *narrowing, const struct question *question)
{
    for (uint32_t i = 0; i < question->list->count; i++) {
        const struct dsl_decision *about = dsl_decision_get(narrowing->graph, question->list->facts[i].node);
        if (about->word == question->node->word && about->mask != UINT32_MAX) {
            return true;
        }
    }
    return question->node->mask != UINT32_MAX;
}

// Whether a word has all facts and is in the run.
static bool has_word(struct narrowing *narrowing, const struct question *question)
{
    if (!has_mask(narrowing, question)) {
        return has_whole_word(narrowing, question);
    }
    return finds_word(narrowing, question) || exists(narrowing, question, (struct partial){.free = UINT32_MAX});
}

// --- lists of facts ---------------------------------------------------------------------------------------------------

// What is known of a word that a switch sends to a child.
static struct fact fact_of(const struct dsl_decisions *graph, uint32_t id, uint32_t child)
{
    const struct dsl_decision *node = dsl_decision_get(graph, id);
    struct fact fact = {.node = id, .child = child};
    for (uint32_t i = 0; i < node->run_count && node->run_count <= 3; i++) {
        bool is_apart = node->run_count == 2 || (i == 1 && node->runs[0].child == node->runs[2].child);
        if (is_apart && dsl_is_single(node->mask, node->runs[i].first, dsl_run_last(node, i))) {
            fact.kind = node->runs[i].child == child ? FACT_ONE_VALUE : FACT_NOT_ONE_VALUE;
            fact.value = node->runs[i].first;
        }
    }
    return fact;
}

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
    return &narrowing->memo[dsl_hash_end(hash) & (narrowing->memo_slots - 1)];
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

// One value for each word that was come across.
struct sample {
    uint32_t values[DSL_WORD_COUNT + DSL_TERMS_MAX];
    bool is_known[DSL_WORD_COUNT + DSL_TERMS_MAX];
    uint32_t choice; // which run a word is taken from that comes up for the first time
};

static uint32_t child_of(const struct dsl_decision *node, const struct sample *sample)
{
    return node->runs[dsl_find_run(node, sample->values[node->word] & node->mask)].child;
}

// Goes down to the next node, with a value that is chosen where the word comes up for the first time.
static uint32_t step_down(struct narrowing *narrowing, const struct dsl_decision *node, struct sample *sample)
{
    narrowing->steps++;
    if (!sample->is_known[node->word]) {
        sample->is_known[node->word] = true;
        sample->values[node->word] = node->runs[sample->choice % node->run_count].first;
    }
    return child_of(node, sample);
}

// Whether two diagrams come to different leaves. Ways that meet stay together, and children have smaller ids: so the upper one of
// two goes on, and two parts of one chain are walked no further than to where the chain takes both.
static bool decide_apart(struct narrowing *narrowing, const uint32_t diagrams[2], struct sample *sample)
{
    uint32_t a = diagrams[0];
    uint32_t b = diagrams[1];
    while (a != b) {
        const struct dsl_decision *at_a = dsl_decision_get(narrowing->graph, a);
        const struct dsl_decision *at_b = dsl_decision_get(narrowing->graph, b);
        if (at_a->kind == DSL_DECISION_SWITCH && (a > b || at_b->kind != DSL_DECISION_SWITCH)) {
            a = step_down(narrowing, at_a, sample);
        } else if (at_b->kind == DSL_DECISION_SWITCH) {
            b = step_down(narrowing, at_b, sample);
        } else {
            return true;
        }
    }
    return false;
}

static bool has_facts(const struct narrowing *narrowing, const struct fact_list *list, const struct sample *sample)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const struct dsl_decision *node = dsl_decision_get(narrowing->graph, list->facts[i].node);
        if (sample->is_known[node->word] && !has_fact(narrowing, &list->facts[i], sample->values[node->word])) {
            return false;
        }
    }
    return true;
}

// Whether two diagrams were seen to decide otherwise for a call that has all facts and that run `run` of a switch takes: a few
// calls are tried before the diagrams are narrowed for nothing.
static bool were_different(struct narrowing *narrowing, const struct dsl_decision *node, uint32_t run, const struct fact_list *list,
                           const uint32_t diagrams[2])
{
    for (uint32_t choice = 0; choice < SAMPLES; choice++) {
        struct sample sample;
        memset(sample.is_known, 0, sizeof sample.is_known);
        sample.choice = choice / 2;
        sample.is_known[node->word] = true;
        sample.values[node->word] = node->runs[run].first | (choice % 2 != 0 ? ~node->mask : 0);
        // What is known of the one word that is chosen here is asked twice: that is cheaper than a walk for nothing.
        if (has_facts(narrowing, list, &sample) && decide_apart(narrowing, diagrams, &sample) &&
            has_facts(narrowing, list, &sample)) {
            return true;
        }
    }
    return false;
}

// Finds a run that can go the way of its neighbour, which tests the word again and decides the same for it. Returns: the switch
// without that border, or `id`.
static uint32_t absorb(struct narrowing *narrowing, uint32_t id, const struct fact_list *list, uint32_t depth)
{
    const struct dsl_decision *node = dsl_decision_get(narrowing->graph, id);
    for (uint32_t i = 0; i < 2 * (node->run_count - 1) && node->run_count <= ABSORB_RUNS; i++) {
        uint32_t from = node->runs[i / 2 + i % 2].child;
        uint32_t to = node->runs[i / 2 + 1 - i % 2].child;
        const struct fact fact = fact_of(narrowing->graph, id, from);
        if ((dsl_decision_get(narrowing->graph, to)->words & dsl_word_bit(node->word)) != 0 &&
            !were_different(narrowing, node, i / 2 + i % 2, list, (const uint32_t[]){from, to}) &&
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
        if (is_known && !has_word(narrowing, &question)) {
            continue; // the run before it reaches over it
        }
        uint32_t child =
            narrow_under(narrowing, node->runs[i].child, fact_of(narrowing->graph, id, node->runs[i].child), list, depth);
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
    narrowing->gave_up |= depth == FACTS_DEPTH || ++narrowing->steps > narrowing->step_limit;
    struct memo_slot *slot = find_memo(narrowing, id, list);
    if (is_remembered(slot, id, list)) {
        return slot->result;
    }
    narrowing->gave_up |= ++narrowing->views > narrowing->view_limit;
    uint32_t without = absorb(narrowing, id, list, depth);
    uint32_t result = without != id ? narrow(narrowing, without, list, depth + 1) : narrow_switch(narrowing, id, list, depth);
    remember(narrowing, slot, id, list, result);
    return result;
}

uint32_t dsl_facts_narrow(struct dsl_decisions *graph, uint32_t root, struct dsl_facts_budget budget)
{
    struct narrowing narrowing = {.graph = graph, .step_limit = budget.steps};
    narrowing.view_limit = budget.views + (budget.takes_more ? FACTS_MORE_VIEWS - graph->more_views : 0);
    narrowing.memo_slots = dsl_memo_slots(graph, FACTS_MEMO_SLOTS);
    narrowing.memo = DSL_ARENA_ARRAY(graph->nodes.arena, struct memo_slot, narrowing.memo_slots);
    if (narrowing.memo == NULL) {
        return DSL_INTERN_NONE;
    }
    memset(narrowing.memo, 0, narrowing.memo_slots * sizeof *narrowing.memo);
    const struct fact_list nothing = {.count = 0};
    uint32_t result = narrow(&narrowing, root, &nothing, 0);
    uint32_t more = budget.takes_more && narrowing.views > budget.views ? narrowing.views - budget.views : 0;
    graph->more_views = graph->more_views + more < FACTS_MORE_VIEWS ? graph->more_views + more : FACTS_MORE_VIEWS;
    return narrowing.gave_up || graph->exploded ? DSL_INTERN_NONE : result;
}
