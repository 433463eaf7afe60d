// lower_decisions: expressions become diagrams over 32-bit words.
//
// Takes: one verdict. Gives: its decision node. Requires: expressions of at most DSL_EXPR_DEPTH levels.
// Guarantees: on every path a variable (a word under a mask) is tested at most once; two verdicts that differ only in form get the
// same id when they order their words alike. Rules are joined pairwise, halves first, so a thousand rules cost n log n.
//
// How: a test is a diagram with the leaves YES and NO. "and" grafts onto YES, "or" onto NO; "not" is pushed down to the runs of the
// argument tests. A rule is its test with the action grafted onto YES; the first match of two lists of rules is the second list
// grafted onto the first one's NO. A 64-bit test is cut into pieces (runs of the high half) and (runs of the low half). Most tests
// are followed by something that is there already and comes later in the order: those are made with it in the place of their
// leaves, which gives the diagram that grafting would give.
//
// The order of the words, per call: the argument tested most often first, its low half before its high half, since programs pass
// small numbers and the high half rarely tells two of them apart.
//
// Where that explodes (foresee.c, or step or variable limit), the call's rules are chained instead: the same grafts without sorting
// by variable, so that a path may ask twice but the size is that of the rules; a rule whose calls all match one before it is left
// out (implied.c). The same where a sorted diagram has far more ways than rules, or asks about some word more than once and comes
// out bigger than the rules. Recursion: halves of a chain (logarithmic) times DSL_EXPR_DEPTH, and DSL_VARIABLES in the grafts (a
// chain is joined from its end, so that a graft stays within one link). Weaknesses: the order is a guess.
#include "bpf_dsl/facts.h"
#include "bpf_dsl/foresee.h"
#include "bpf_dsl/implied.h"
#include "bpf_dsl/lower.h"
#include "bpf_dsl/masks.h"

#include <string.h>

// Variables in one call's diagram.
enum { DSL_VARIABLES = 64 };
// Work on one call before its rules are chained: some for each value that they name, and never more than the most; but what sorting
// thousands of values takes is granted. Ranges may make each other void when they are sorted, however long that takes; single
// values never do.
enum { DSL_STEPS_PER_CALL = 500, DSL_STEPS_PER_VALUE = 40, DSL_STEPS_MOST = 60000, DSL_STEPS_AT_LEAST = 48 };
enum { DSL_STEPS_OF_FEW_VALUES = 100, DSL_STEPS_PER_ONE_OF_FEW = 10, DSL_FEW_VALUES = 200 };

// The same for what tests of one word say about others of that word. A chain's parts are shared by many ways through it, and there
// are more views of them than can be looked at as soon as these have to part: hardly any gains anything, so they are looked at only
// where the first program did not fit, and then twice as much is tried.
enum { DSL_NARROW_STEPS = 300, DSL_NARROW_STEPS_PER_VALUE = 20, DSL_NARROW_STEPS_MOST = 20000, DSL_NARROW_PATIENCE = 2 };

// What a sorted diagram that asks about some word more than once may be big: one of rules one after the other has about three
// switches and runs for each value.
enum { DSL_SIZE_PER_VALUE = 4, DSL_SIZE_PER_VALUE_IN_THE_END = 3 };

// Most ways through a sorted diagram: rules that ask about several things in turns have far more, to prove which takes longer than
// all the rest, and are hardly smaller for being sorted.
enum { DSL_WAYS = 10, DSL_WAYS_PER_VALUE = 3 };

// Different verdicts of a call's rules up to which the low halves of arguments are asked first.
enum { DSL_VERDICTS = 2 };

struct state {
    struct dsl_lowering *lowering;
    struct dsl_decisions *graph;
    struct {
        uint8_t word;
        uint32_t mask;
    } variables[DSL_VARIABLES];
    uint32_t variable_count;
    bool is_chaining; // verdicts are joined without sorting their variables
};

// What takes the place of a test's leaves.
struct ways {
    uint32_t yes;
    uint32_t no;
};

static const struct ways leaves = {DSL_DECISION_YES, DSL_DECISION_NO};

static const struct dsl_expr *expr(const struct state *state, uint32_t node)
{
    return dsl_expr_get(state->lowering->builder, node);
}

// Puts ways in the place of a diagram's leaves.
static uint32_t lead(struct state *state, uint32_t test, struct ways ways)
{
    test = ways.yes == DSL_DECISION_YES ? test : dsl_decision_graft(state->graph, test, DSL_DECISION_YES, ways.yes);
    return ways.no == DSL_DECISION_NO ? test : dsl_decision_graft(state->graph, test, DSL_DECISION_NO, ways.no);
}

// --- tests of one word ------------------------------------------------------------------------------------------------

static void note_variable(struct state *state, uint8_t word, uint32_t mask)
{
    for (uint32_t i = 0; i < state->variable_count; i++) {
        if (state->variables[i].word == word && state->variables[i].mask == mask) {
            return;
        }
    }
    if (state->variable_count == DSL_VARIABLES) {
        state->graph->exploded = true;
        return;
    }
    state->variables[state->variable_count].word = word;
    state->variables[state->variable_count++].mask = mask;
}

// Some runs of one half of a 64-bit (or the only half of a 32-bit) test.
struct half {
    const struct dsl_expr_run *runs; // the low 32 bits of first and last count
    uint32_t count;
    uint8_t word;
    uint32_t mask;
};

// The part of a run that the mask can give, as a run of the whole word where the mask keeps all upper bits: comparing with a range
// is cheaper than masking.
static bool widen(uint32_t mask, uint32_t *first, uint32_t *last)
{
    if (!dsl_next_in_mask(mask, *first, first) || *first > *last) {
        return false;
    }
    *last |= ~mask;
    return true;
}

static void add_run(struct dsl_run *runs, uint32_t *count, uint32_t first, uint32_t last, struct ways ways)
{
    if (runs[*count - 1].first == first) { // touches the run before, or starts at 0
        runs[*count - 1].child = ways.yes;
    } else {
        runs[(*count)++] = (struct dsl_run){first, ways.yes};
    }
    if (last != UINT32_MAX) {
        runs[(*count)++] = (struct dsl_run){last + 1, ways.no};
    }
}

static uint32_t test_half(struct state *state, const struct half *half, struct ways ways)
{
    bool keeps_upper = (~half->mask & (~half->mask + 1)) == 0;
    uint32_t mask = keeps_upper ? UINT32_MAX : half->mask;
    struct dsl_run *runs = DSL_ARENA_ARRAY(state->graph->nodes.arena, struct dsl_run, 2 * (size_t)half->count + 1);
    if (runs == NULL) {
        return DSL_DECISION_NO;
    }
    bool is_direct = dsl_decision_comes_after(state->graph, ways.yes, half->word, mask) &&
                     dsl_decision_comes_after(state->graph, ways.no, half->word, mask);
    struct ways next = is_direct ? ways : leaves;
    uint32_t count = 1;
    runs[0] = (struct dsl_run){0, next.no};
    for (uint32_t i = 0; i < half->count; i++) {
        uint32_t first = (uint32_t)half->runs[i].first;
        uint32_t last = (uint32_t)half->runs[i].last;
        if (!keeps_upper || widen(half->mask, &first, &last)) {
            add_run(runs, &count, first, last, next);
        }
    }
    note_variable(state, half->word, mask);
    uint32_t test = dsl_decision_switch(state->graph, (enum dsl_word)half->word, mask, runs, count);
    return is_direct ? test : lead(state, test, ways);
}

// --- tests of one argument --------------------------------------------------------------------------------------------

static uint32_t high(uint64_t value)
{
    return (uint32_t)(value >> 32);
}

struct low_runs {
    const struct dsl_expr_run *runs;
    uint32_t count;
};

// "high half in one run and low half in these runs"
static uint32_t test_piece(struct state *state, const struct dsl_expr *test, struct dsl_expr_run high_run, struct low_runs low,
                           struct ways ways)
{
    uint8_t word = (uint8_t)(DSL_WORD_ARGUMENTS + 2 * test->argument);
    struct half lo = {.runs = low.runs, .count = low.count, .word = word, .mask = (uint32_t)test->mask};
    struct half hi = {.runs = &high_run, .count = 1, .word = (uint8_t)(word + 1), .mask = high(test->mask)};
    uint32_t in_high = test_half(state, &hi, ways);
    return test_half(state, &lo, (struct ways){in_high, ways.no});
}

// One run that crosses a border of the high half: its first part, the middle where the low half does not matter, its last part.
static uint32_t test_crossing(struct state *state, const struct dsl_expr *test, struct dsl_expr_run run)
{
    static const struct dsl_expr_run any = {0, UINT32_MAX};
    uint64_t first_high = high(run.first);
    uint64_t last_high = high(run.last);
    const struct dsl_expr_run first_low = {(uint32_t)run.first, UINT32_MAX};
    const struct dsl_expr_run last_low = {0, (uint32_t)run.last};
    uint32_t result =
        test_piece(state, test, (struct dsl_expr_run){first_high, first_high}, (struct low_runs){&first_low, 1}, leaves);
    if (first_high + 1 < last_high) {
        struct dsl_expr_run middle = {first_high + 1, last_high - 1};
        result = dsl_decision_graft(state->graph, result, DSL_DECISION_NO,
                                    test_piece(state, test, middle, (struct low_runs){&any, 1}, leaves));
    }
    uint32_t end = test_piece(state, test, (struct dsl_expr_run){last_high, last_high}, (struct low_runs){&last_low, 1}, leaves);
    return dsl_decision_graft(state->graph, result, DSL_DECISION_NO, end);
}

static bool same_high(struct dsl_expr_run a, struct dsl_expr_run b)
{
    return high(a.first) == high(b.last);
}

// "or" over runs[0 .. count - 1], halves first.
static uint32_t test_runs(struct state *state, const struct dsl_expr *test, const struct dsl_expr_run *runs, uint32_t count,
                          struct ways ways)
{
    if (same_high(runs[0], runs[count - 1])) {
        uint64_t value = high(runs[0].first);
        return test_piece(state, test, (struct dsl_expr_run){value, value}, (struct low_runs){runs, count}, ways);
    }
    if (count == 1) {
        return lead(state, test_crossing(state, test, runs[0]), ways);
    }
    uint32_t left = test_runs(state, test, runs, count / 2, leaves);
    uint32_t right = test_runs(state, test, runs + count / 2, count - count / 2, leaves);
    return lead(state, dsl_decision_graft(state->graph, left, DSL_DECISION_NO, right), ways);
}

// What is not in a test's runs, within what its mask can give. Returns: how many runs; NULL in *ret_runs when out of arena.
static uint32_t complement(struct state *state, const struct dsl_expr *test, const struct dsl_expr_run **ret_runs)
{
    struct dsl_expr_run *runs = DSL_ARENA_ARRAY(state->graph->nodes.arena, struct dsl_expr_run, (size_t)test->count + 1);
    *ret_runs = runs;
    uint32_t count = 0;
    uint64_t first = 0;
    for (uint32_t i = 0; i < test->count && runs != NULL; i++) {
        if (test->runs[i].first > first) {
            runs[count++] = (struct dsl_expr_run){first, test->runs[i].first - 1};
        }
        first = test->runs[i].last + 1;
    }
    // The last run ends below the highest value that the mask gives, or nothing is left above it.
    if (runs != NULL && test->count > 0 && test->runs[test->count - 1].last < test->mask) {
        runs[count++] = (struct dsl_expr_run){first, test->mask};
    }
    return count;
}

static uint32_t test_argument(struct state *state, const struct dsl_expr *test, bool holds, struct ways ways)
{
    const struct dsl_expr_run *runs = test->runs;
    uint32_t count = holds ? test->count : complement(state, test, &runs);
    if (count == 0) {
        return ways.no;
    }
    if (test->bits == 64) {
        return test_runs(state, test, runs, count, ways);
    }
    uint8_t word = (uint8_t)(DSL_WORD_ARGUMENTS + 2 * test->argument);
    return test_half(state, &(struct half){.runs = runs, .count = count, .word = word, .mask = (uint32_t)test->mask}, ways);
}

// --- tests and verdicts -----------------------------------------------------------------------------------------------

static uint32_t lower_test(struct state *state, uint32_t node, bool holds, struct ways ways);

// parts[0 .. count - 1] joined by "and" (leaf YES) or "or" (leaf NO), halves first.
static uint32_t lower_group(struct state *state, const uint32_t *parts, uint32_t count, bool holds, enum dsl_decision_kind leaf)
{
    if (count == 1) {
        return lower_test(state, parts[0], holds, leaves);
    }
    uint32_t left = lower_group(state, parts, count / 2, holds, leaf);
    uint32_t right = lower_group(state, parts + count / 2, count - count / 2, holds, leaf);
    return dsl_decision_graft(state->graph, left, leaf, right);
}

// Where the argument that a test is about stands in the order; tests that are about several stand first.
static uint32_t rank_of(const struct state *state, uint32_t node)
{
    const struct dsl_expr *test = expr(state, node);
    return test->kind == DSL_EXPR_ARGUMENT ? state->graph->order.rank[DSL_WORD_ARGUMENTS + 2 * test->argument] : 0;
}

// Few parts joined by "and", or by "or": what comes last in the order is made first, so that the others can be made around it.
static uint32_t lower_few(struct state *state, const struct dsl_expr *test, bool holds, bool is_and, struct ways ways)
{
    uint32_t parts[DSL_EXPR_ARGUMENTS];
    for (uint32_t i = 0; i < test->count; i++) {
        uint32_t at = i;
        for (; at > 0 && rank_of(state, parts[at - 1]) < rank_of(state, test->parts[i]); at--) {
            parts[at] = parts[at - 1];
        }
        parts[at] = test->parts[i];
    }
    for (uint32_t i = 0; i < test->count; i++) {
        uint32_t part = lower_test(state, parts[i], holds, ways);
        ways = is_and ? (struct ways){part, ways.no} : (struct ways){ways.yes, part};
    }
    return is_and ? ways.yes : ways.no;
}

static uint32_t lower_parts(struct state *state, const struct dsl_expr *test, bool holds, struct ways ways)
{
    bool is_and = (test->kind == DSL_EXPR_ALL) == holds;
    if (test->count <= DSL_EXPR_ARGUMENTS) {
        return lower_few(state, test, holds, is_and, ways);
    }
    return lead(state, lower_group(state, test->parts, test->count, holds, is_and ? DSL_DECISION_YES : DSL_DECISION_NO), ways);
}

// A test, or its contrary where `holds` is false: "not all" is "any not".
static uint32_t lower_test(struct state *state, uint32_t node, bool holds, struct ways ways)
{
    const struct dsl_expr *test = expr(state, node);
    switch ((enum dsl_expr_kind)test->kind) {
    case DSL_EXPR_ARGUMENT:
        return test_argument(state, test, holds, ways);
    case DSL_EXPR_NOT:
        return lower_test(state, test->parts[0], !holds, ways);
    case DSL_EXPR_ALL:
    case DSL_EXPR_ANY:
        return lower_parts(state, test, holds, ways);
    case DSL_EXPR_TRUE:
        return holds ? ways.yes : ways.no;
    case DSL_EXPR_FALSE:
    case DSL_EXPR_RET:
    case DSL_EXPR_IF:
        break;
    }
    return holds ? ways.no : ways.yes;
}

static uint32_t lower_chain(struct state *state, uint32_t node);

static uint32_t join(struct state *state, uint32_t base, enum dsl_decision_kind leaf, uint32_t graft)
{
    dsl_decisions_set_chaining(state->graph, state->is_chaining);
    uint32_t result = dsl_decision_graft(state->graph, base, leaf, graft);
    dsl_decisions_set_chaining(state->graph, false);
    return result;
}

// One link: its verdict where its test holds, else `no`. The chain's end always matches.
static uint32_t lower_link(struct state *state, uint32_t node, uint32_t no)
{
    const struct dsl_expr *link = expr(state, node);
    if (link->kind != DSL_EXPR_IF) {
        return dsl_decision_ret(state->graph, (uint32_t)link->mask);
    }
    if (state->is_chaining) {
        state->variable_count = 0;
    }
    if (expr(state, link->parts[1])->kind == DSL_EXPR_RET) {
        return lower_test(state, link->parts[0], true, (struct ways){lower_link(state, link->parts[1], no), no});
    }
    uint32_t test = lower_test(state, link->parts[0], true, (struct ways){DSL_DECISION_YES, no});
    return join(state, test, DSL_DECISION_YES, lower_chain(state, link->parts[1]));
}

// The first match among links[0 .. count - 1], halves first.
static uint32_t lower_links(struct state *state, const uint32_t *links, uint32_t count)
{
    if (count == 1) {
        return lower_link(state, links[0], DSL_DECISION_NO);
    }
    if (count == 2 && expr(state, links[1])->kind == DSL_EXPR_RET) {
        return lower_link(state, links[0], lower_link(state, links[1], DSL_DECISION_NO));
    }
    uint32_t first = lower_links(state, links, count / 2);
    uint32_t rest = lower_links(state, links + count / 2, count - count / 2);
    return join(state, first, DSL_DECISION_NO, rest);
}

static uint32_t lower_chain(struct state *state, uint32_t node)
{
    uint32_t count = 1;
    for (uint32_t at = node; expr(state, at)->kind == DSL_EXPR_IF; at = expr(state, at)->parts[2]) {
        count++;
    }
    uint32_t *links = DSL_ARENA_ARRAY(state->graph->nodes.arena, uint32_t, count);
    if (links == NULL) {
        return DSL_DECISION_NO;
    }
    for (uint32_t i = 0; i < count; i++) {
        links[i] = node;
        node = i + 1 < count ? expr(state, node)->parts[2] : node;
    }
    if (!state->is_chaining) {
        return lower_links(state, links, count);
    }
    uint32_t result = lower_link(state, links[count - 1], DSL_DECISION_NO);
    for (uint32_t i = count - 1; i-- > 0;) {
        if (dsl_is_dead_link(state->lowering->builder, links, i)) {
            continue;
        }
        result = join(state, lower_link(state, links[i], DSL_DECISION_NO), DSL_DECISION_NO, result);
    }
    return result;
}

// --- the order of words -----------------------------------------------------------------------------------------------

// Whether rules decide for so many different things that no two values can share what is asked behind them.
static bool decides_much(const struct dsl_lowering *lowering, const struct dsl_expr *link)
{
    uint32_t verdicts[DSL_VERDICTS];
    uint32_t count = 0;
    for (; link->kind == DSL_EXPR_IF; link = dsl_expr_get(lowering->builder, link->parts[2])) {
        uint32_t at = 0;
        while (at < count && verdicts[at] != link->parts[1]) {
            at++;
        }
        if (at == DSL_VERDICTS) {
            return true;
        }
        verdicts[at] = link->parts[1];
        count += at == count;
    }
    return false;
}

static struct dsl_order choose_order(const struct dsl_lowering *lowering, const struct dsl_expr *root)
{
    struct dsl_order order = {{0}};
    uint8_t next = 0;
    uint8_t arguments[DSL_EXPR_ARGUMENTS];
    const bool high_first = decides_much(lowering, root);
    for (int i = 0; i < DSL_EXPR_ARGUMENTS; i++) {
        int at = i;
        for (; at > 0 && root->uses[arguments[at - 1]] < root->uses[i]; at--) {
            arguments[at] = arguments[at - 1];
        }
        arguments[at] = (uint8_t)i;
    }
    for (int word = 0; word < DSL_WORD_ARGUMENTS; word++) {
        order.rank[word] = next++;
    }
    for (int i = 0; i < DSL_EXPR_ARGUMENTS; i++) {
        order.rank[DSL_WORD_ARGUMENTS + 2 * arguments[i] + high_first] = next++;
        order.rank[DSL_WORD_ARGUMENTS + 2 * arguments[i] + !high_first] = next++;
    }
    return order;
}

// Whether some word may be tested more than once on a path.
static bool has_relatives(const struct state *state)
{
    for (uint32_t i = 1; i < state->variable_count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (state->variables[i].word == state->variables[k].word) {
                return true;
            }
        }
    }
    return state->is_chaining;
}

// How many values, and conditions, a test names.
static uint32_t count_values(const struct state *state, uint32_t node)
{
    const struct dsl_expr *test = expr(state, node);
    uint32_t count = 1;
    if (test->kind == DSL_EXPR_ARGUMENT) {
        return 1 + test->count;
    }
    for (uint32_t i = 0; test->kind > DSL_EXPR_TRUE && i < test->count; i++) {
        count += count_values(state, test->parts[i]);
    }
    return count;
}

static uint64_t count_all_values(const struct state *state, uint32_t node)
{
    uint64_t values = 0;
    for (uint32_t at = node; expr(state, at)->kind == DSL_EXPR_IF; at = expr(state, at)->parts[2]) {
        values += count_values(state, expr(state, at)->parts[0]);
    }
    return values;
}

// What may be spent on rules with so many values before they are chained: diagrams whose words go together need far less.
static uint32_t steps_for(const struct state *state, uint32_t node, uint64_t values)
{
    if (values <= DSL_FEW_VALUES && !dsl_asks_for_ranges(state->lowering->builder, node)) {
        return (uint32_t)(DSL_STEPS_OF_FEW_VALUES + DSL_STEPS_PER_ONE_OF_FEW * values);
    }
    uint64_t steps = DSL_STEPS_PER_CALL + DSL_STEPS_PER_VALUE * values;
    uint64_t most = DSL_STEPS_AT_LEAST * values > DSL_STEPS_MOST ? DSL_STEPS_AT_LEAST * values : DSL_STEPS_MOST;
    return (uint32_t)(steps < most ? steps : most);
}

static bool exceeds(const struct dsl_decisions *graph, uint32_t root, uint64_t size)
{
    return dsl_decision_exceeds(graph, root, size < UINT32_MAX ? (uint32_t)size : UINT32_MAX);
}

static struct dsl_facts_budget narrow_budget(const struct state *state, uint64_t values)
{
    bool is_patient = state->lowering->is_patient;
    struct dsl_facts_budget budget = dsl_facts_most;
    uint64_t steps = DSL_NARROW_STEPS + DSL_NARROW_STEPS_PER_VALUE * values * (is_patient ? DSL_NARROW_PATIENCE : 1);
    budget.steps = (uint32_t)(steps < DSL_NARROW_STEPS_MOST ? steps : DSL_NARROW_STEPS_MOST);
    budget.takes_more = !state->is_chaining;
    return budget;
}

// Takes the tests that no call needs out of a diagram that may ask about a word more than once; a chain stays as it is, since what
// is joined across its rules gains little and has to be proven together. Returns: DSL_INTERN_NONE where that would take too long,
// or where the rules one after the other are smaller.
static uint32_t sort_out(struct state *state, uint32_t root, uint64_t values)
{
    struct dsl_decisions *graph = state->graph;
    if (!state->is_chaining && exceeds(graph, root, DSL_SIZE_PER_VALUE * values)) {
        return DSL_INTERN_NONE;
    }
    if (state->is_chaining && !state->lowering->is_patient) {
        return root;
    }
    uint32_t joined = dsl_masks_join(graph, root);
    uint32_t narrowed = dsl_facts_narrow(graph, joined, narrow_budget(state, values));
    if (state->is_chaining) {
        return narrowed == DSL_INTERN_NONE ? joined : narrowed;
    }
    bool is_too_big = narrowed != DSL_INTERN_NONE && exceeds(graph, narrowed, DSL_SIZE_PER_VALUE_IN_THE_END * values);
    return is_too_big ? DSL_INTERN_NONE : narrowed;
}

// Lowers a chain of rules in the way that the state says. Returns: its decision; DSL_INTERN_NONE where that explodes.
static uint32_t try_to_lower(struct state *state, uint32_t node)
{
    struct dsl_decisions *graph = state->graph;
    uint64_t values = count_all_values(state, node);
    dsl_decisions_allow_steps(graph, state->is_chaining ? DSL_STEPS_MOST : steps_for(state, node, values));
    uint32_t result = lower_chain(state, node);
    if (graph->exploded) {
        return DSL_INTERN_NONE;
    }
    if (!state->is_chaining && dsl_decision_has_ways(graph, result, DSL_WAYS + DSL_WAYS_PER_VALUE * values)) {
        return DSL_INTERN_NONE;
    }
    return has_relatives(state) ? sort_out(state, result, values) : result;
}

static uint32_t lower_root(struct dsl_lowering *lowering, uint32_t node)
{
    struct dsl_decisions *graph = lowering->graph;
    const struct dsl_expr *root = dsl_expr_get(lowering->builder, node);
    if (root->kind == DSL_EXPR_RET) {
        return dsl_decision_ret(graph, (uint32_t)root->mask);
    }
    struct state state; // without its variables, of which there are none yet
    state.lowering = lowering;
    state.graph = graph;
    state.variable_count = 0;
    state.is_chaining = lowering->prefer_chains;
    struct dsl_order order = choose_order(lowering, root);
    dsl_decisions_set_order(graph, &order);
    state.is_chaining |= dsl_foresees_explosion(lowering->builder, node, &order);
    uint32_t result = try_to_lower(&state, node);
    if (result == DSL_INTERN_NONE && !state.is_chaining) {
        state.is_chaining = true;
        result = try_to_lower(&state, node);
    }
    lowering->gave_up |= result == DSL_INTERN_NONE;
    lowering->is_chain[node] = state.is_chaining;
    return result == DSL_INTERN_NONE ? DSL_DECISION_NO : result;
}

bool dsl_lowering_init(struct dsl_lowering *lowering, const struct brig_dsl_builder *builder, struct dsl_decisions *graph)
{
    *lowering = (struct dsl_lowering){.builder = builder, .graph = graph};
    lowering->decision_of = DSL_ARENA_ARRAY(graph->nodes.arena, uint32_t, builder->nodes.count);
    lowering->is_chain = DSL_ARENA_ARRAY(graph->nodes.arena, bool, builder->nodes.count);
    if (lowering->decision_of == NULL || lowering->is_chain == NULL) {
        return false;
    }
    memset(lowering->decision_of, 0xff, builder->nodes.count * sizeof *lowering->decision_of);
    memset(lowering->is_chain, 0, builder->nodes.count * sizeof *lowering->is_chain);
    return true;
}

uint32_t dsl_lower_verdict(struct dsl_lowering *lowering, struct brig_dsl_verdict verdict)
{
    uint32_t *known = &lowering->decision_of[verdict.node];
    if (*known == DSL_INTERN_NONE) {
        *known = lower_root(lowering, verdict.node);
    }
    return *known;
}
