// search: a cheap tree of tests for one switch.
//
// Takes: items with weights. Gives: steps. Requires: items sorted, without overlap. Guarantees: deterministic, integers only; a
// list of n items costs about n log n, whatever the weights are; no test whose answer the list's other tests say.
//
// What is counted is what the kernel runs after its conversion: a test is one instruction, two where neither side can stand right
// behind it, one more for a constant with the high bit. The cost of a tree is the weight that comes by each instruction, plus for
// each instruction a rent (SIZE_RENT of the mean weight of an item): what is never run is made small, what is run often fast.
//
//   - A value that has a good part of the weight, or that stands alone between equal neighbours, may be asked for first (JEQ). What
//     is left is a shorter list, in which its neighbours have become one.
//   - Short lists are cut (JGE) where the best tree of cuts has its root, up to DSL_CUTS_ITEMS items (cuts.c).
//     Chains of tests are such trees as well.
//   - Long lists are cut where both sides weigh about the same.
//   - Values within 32 of each other that go two ways are a constant with a bit for each value, shifted by the value (PICK): few
//     branches, where a tree has many. Very few values are cheaper to ask for one by one. Not for numbers and arches: the kernel's
//     bitmap does not follow it.
//   - Where the program has to be small, values that stand alone are asked for one after the other, SEARCH_UNCUT items without
//     a cut, and the rent is all that counts.
//   - Values from 2^31 on lose their high bit once (AND), where otherwise several tests would pay for it.
//
// Weaknesses: which values are taken out of a list is decided one by one, not together. That a processor guesses tests wrong is
// weighed for windows only: a wrong guess takes as long as some fifty instructions, so that numbers which are refused in an order
// without any rule may take up to 3 % longer than by a chain of more tests; in the orders that were recorded, they do not.
#include "bpf_dsl/cuts.h"

#include <string.h>

enum {
    SEARCH_RENT = 2,     // rent of an instruction, in mean weights of an item
    SEARCH_HOT_PART = 3, // a value with one part in so many of the weight may be asked for first
    SEARCH_CHAIN = 64,   // values taken out of a list at once where a program has to be small
    SEARCH_UNCUT = 1024, // items up to which a list is not cut then
    SEARCH_SMALL = 32,   // rent then, in weights of the whole list
};

// --- costs ------------------------------------------------------------------------------------------------------------

static uint64_t weight_of(const struct dsl_list *list, uint32_t from, uint32_t to)
{
    uint64_t weight = 0;
    for (uint32_t i = from; i < to; i++) {
        weight += list->items[i].weight;
    }
    return weight;
}

// What one test costs that `weight` comes by.
static uint64_t cost_of_test(const struct dsl_list *list, uint32_t constant, uint64_t weight)
{
    uint64_t cost = weight + list->rent;
    return constant >= DSL_HIGH_BIT ? 2 * cost : cost;
}

// --- taking values out ------------------------------------------------------------------------------------------------

static void take_out(struct dsl_list *list, uint32_t at)
{
    struct dsl_item *items = list->items;
    uint32_t gone = 1;
    list->weight -= items[at].weight;
    if (at > 0 && at + 1 < list->count && items[at - 1].target == items[at + 1].target) {
        items[at - 1].last = items[at + 1].last;
        items[at - 1].weight += items[at + 1].weight;
        gone = 2;
    }
    list->count -= gone;
    memmove(&items[at], &items[at + gone], (list->count - at) * sizeof *items);
}

static bool is_hole(const struct dsl_list *list, uint32_t at)
{
    return at > 0 && at + 1 < list->count && list->items[at - 1].target == list->items[at + 1].target;
}

// The value to ask for first, if any: the heaviest one if it is heavy enough, else the heaviest one between equal neighbours.
static bool find_candidate(const struct dsl_list *list, uint32_t *ret_at)
{
    uint64_t weight = list->weight;
    bool found = false;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct dsl_item *item = &list->items[i];
        bool is_hot = item->weight * SEARCH_HOT_PART > weight;
        if (!dsl_item_is_single(item) || !(is_hot || is_hole(list, i))) {
            continue;
        }
        if (!found || item->weight > list->items[*ret_at].weight) {
            *ret_at = i;
            found = true;
        }
    }
    return found && list->count > 2;
}

// Whether the list is one value between equal neighbours: no tree does with less than the one test for it.
static bool is_lone_value(const struct dsl_list *list)
{
    return list->count == 3 && is_hole(list, 1) && dsl_item_is_single(&list->items[1]);
}

// --- windows ----------------------------------------------------------------------------------------------------------

static uint32_t make(const struct dsl_search *search, struct dsl_step step)
{
    step.word = search->word;
    return search->step(search->context, &step);
}

// A JGT, which is all that windows and the high bit need.
static uint32_t above(const struct dsl_search *search, uint32_t k, uint32_t yes, uint32_t no, uint64_t weight)
{
    return make(search, (struct dsl_step){.kind = DSL_STEP_JGT, .k = k, .yes = yes, .no = no, .weight = weight});
}

// "Is it this one value?"
static uint32_t ask_for(const struct dsl_search *search, const struct dsl_item *item, uint32_t otherwise, uint64_t weight)
{
    return make(search,
                (struct dsl_step){.kind = DSL_STEP_JEQ, .k = item->first, .yes = item->target, .no = otherwise, .weight = weight});
}

// All items, or all but the first or the last or both, are within 32 values, and they go two ways: a constant with a bit for each
// value knows which.
struct window {
    uint32_t base;
    uint32_t bits;   // of the values that go the way of items[inside]
    uint32_t inside; // an item
    uint32_t other;  // an item that goes the other way, as all values outside of the window do
    bool is_open;    // there are values outside
};

enum {
    WINDOW_VALUES = 32,
    WINDOW_INSNS = 6,
    WINDOW_DENSE = 24, // items within a window for which a long list is cut
};

static uint32_t bits_between(uint32_t base, uint32_t first, uint32_t last)
{
    return (UINT32_MAX >> (31 - (last - first))) << (first - base);
}

// Whether items [from, to) make a window from `base` on: they go two ways, and the items outside go one of them.
static bool fill_window(const struct dsl_list *list, uint32_t from, uint32_t to, uint32_t base, struct window *ret_window)
{
    uint32_t other = to < list->count ? list->count - 1 : 0;
    *ret_window = (struct window){.base = base, .inside = list->count, .other = other};
    ret_window->is_open = to - from < list->count;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct dsl_item *item = &list->items[i];
        bool is_other = item->target == list->items[other].target;
        if ((i < from || i >= to) && !is_other) {
            return false;
        }
        if (is_other) {
            continue;
        }
        if (ret_window->inside != list->count && item->target != list->items[ret_window->inside].target) {
            return false;
        }
        ret_window->inside = i;
        ret_window->bits |= bits_between(ret_window->base, item->first, item->last);
    }
    return ret_window->inside != list->count;
}

static bool find_window(const struct dsl_list *list, uint32_t a_max, struct window *ret_window)
{
    const struct dsl_item *items = list->items;
    // The widest choice that fits: all; without one end; without both.
    static const uint8_t cuts[][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        uint32_t from = cuts[i][0];
        uint32_t to = list->count - cuts[i][1];
        if (to - from >= 2 && items[to - 1].last - items[from].first < WINDOW_VALUES) {
            // The window does not reach beyond what A can hold: a distance from its base would wrap.
            uint32_t highest_base = a_max < WINDOW_VALUES ? 0 : a_max - (WINDOW_VALUES - 1);
            uint32_t base = items[from].first < highest_base ? items[from].first : highest_base;
            return fill_window(list, from, to, base, ret_window);
        }
    }
    return false;
}

// What a window costs, as costs go here.
static uint64_t cost_of_window(const struct dsl_list *list, const struct window *window)
{
    uint64_t weight = list->weight;
    uint64_t insns = WINDOW_INSNS - (window->base == 0 ? 1u : 0u) - (window->is_open ? 0u : 1u);
    return insns * (weight + list->rent) + list->rent;
}

// A tree is charged a quarter more: what it asks last is guessed wrong half the time.
static bool pays_to_shift(const struct dsl_search *search, const struct dsl_list *list, uint64_t cost, struct window *ret_window)
{
    return search->may_shift && list->count >= WINDOW_INSNS && find_window(list, search->mask, ret_window) &&
           cost_of_window(list, ret_window) < cost + cost / 4;
}

// Where to cut a long list so that what is dense enough for a window comes to stand alone. Returns: false where nothing is.
static bool find_dense(const struct dsl_list *list, uint32_t *ret_at)
{
    for (uint32_t from = 1, to = 1; from < list->count; from++) {
        to = to > from ? to : from;
        while (to < list->count && list->items[to].last - list->items[from].first < WINDOW_VALUES) {
            to++;
        }
        if (to - from >= WINDOW_DENSE) {
            // One item more on either side is what lies outside.
            *ret_at = from > 1 ? from - 1 : to + 1;
            return *ret_at < list->count;
        }
    }
    return false;
}

static uint32_t build_window(const struct dsl_search *search, const struct dsl_list *list, const struct window *window)
{
    struct dsl_item ways[2] = {list->items[window->inside], list->items[window->other]};
    search->enter(search->context, 0, ways, 2);
    uint64_t weight = list->weight;
    uint32_t picked = make(
        search, (struct dsl_step){.kind = DSL_STEP_JSET, .k = 1, .yes = ways[0].target, .no = ways[1].target, .weight = weight});
    picked = make(search, (struct dsl_step){.kind = DSL_STEP_PICK, .k = window->bits, .yes = picked, .weight = weight});
    if (window->is_open) {
        picked = above(search, WINDOW_VALUES - 1, ways[1].target, picked, weight);
    }
    return window->base == 0
               ? picked
               : make(search, (struct dsl_step){.kind = DSL_STEP_SUB, .k = window->base, .yes = picked, .weight = weight});
}

// --- building ---------------------------------------------------------------------------------------------------------

static uint32_t build(const struct dsl_search *search, struct dsl_list list);

// A test that tells items below `at` from those at and above it.
struct cut {
    uint32_t at;
    enum dsl_step_kind kind;
    uint32_t constant;
    bool is_low; // the answer yes is for those below
    uint64_t weight;
};

// Made before the parts are built, which uses the items up. A side that is one value is asked for by that value.
static struct cut make_cut(const struct dsl_list *list, uint32_t at)
{
    const struct dsl_item *lowest = &list->items[0];
    const struct dsl_item *highest = &list->items[list->count - 1];
    bool may_ask_lowest = at == 1 && dsl_item_is_single(lowest);
    bool may_ask_highest = at + 1 == list->count && dsl_item_is_single(highest);
    struct cut cut = {.at = at, .kind = DSL_STEP_JEQ, .weight = list->weight};
    if (may_ask_highest && !(may_ask_lowest && lowest->weight > highest->weight)) {
        cut.constant = highest->first;
    } else if (may_ask_lowest) {
        cut.constant = lowest->first;
        cut.is_low = true;
    } else {
        cut.constant = dsl_list_border(list, at);
        cut.kind = cut.constant == list->items[at].first ? DSL_STEP_JGE : DSL_STEP_JGT;
    }
    return cut;
}

static uint32_t test_cut(const struct dsl_search *search, struct cut cut, uint32_t low, uint32_t high)
{
    return make(search, (struct dsl_step){.kind = (uint8_t)cut.kind,
                                          .k = cut.constant,
                                          .yes = cut.is_low ? low : high,
                                          .no = cut.is_low ? high : low,
                                          .weight = cut.weight});
}

static struct dsl_list part_of(const struct dsl_list *list, uint32_t from, uint32_t to)
{
    return (struct dsl_list){list->items + from, to - from, list->rent, weight_of(list, from, to)};
}

// What the list costs when items[at] is asked for first; `ret_cuts` is about what is left then.
static uint64_t cost_of_asking(const struct dsl_list *list, uint32_t at, struct dsl_cuts *ret_cuts)
{
    struct dsl_item items[DSL_CUTS_ITEMS];
    struct dsl_list rest = {items, list->count, list->rent, list->weight};
    memcpy(items, list->items, list->count * sizeof *items);
    take_out(&rest, at);
    return cost_of_test(list, list->items[at].first, list->weight) + dsl_cuts_plan(&rest, ret_cuts);
}

// What a short list costs when its values are asked for one after the other, until nothing is left to tell: a tree of cuts pays for
// both borders of each, and would make a window look cheap.
static uint64_t cost_of_chain(const struct dsl_list *list)
{
    struct dsl_item items[DSL_CUTS_ITEMS];
    struct dsl_list rest = {items, list->count, list->rent, list->weight};
    uint64_t cost = 0;
    uint32_t at;
    memcpy(items, list->items, list->count * sizeof *items);
    while (find_candidate(&rest, &at)) {
        cost += cost_of_test(&rest, items[at].first, rest.weight);
        take_out(&rest, at);
    }
    return rest.count == 1 ? cost : UINT64_MAX;
}

// Builds what is left to tell of a short list, which `table` knows from number `start` on, where no value is asked for and nothing
// is cut. Returns: false where something is.
static bool build_end(const struct dsl_search *search, const struct dsl_list *list, const struct dsl_cuts *table, uint32_t start,
                      uint32_t *ret_first)
{
    struct window window;
    uint64_t cost = dsl_cuts_cost(table, start, list);
    if (list->count <= 1) { // there is always one
        *ret_first = list->items[0].target;
        return true;
    }
    if (is_lone_value(list)) {
        *ret_first = ask_for(search, &list->items[1], list->items[0].target, list->weight);
        return true;
    }
    if (pays_to_shift(search, list, cost, &window) && cost_of_window(list, &window) < cost_of_chain(list)) {
        *ret_first = build_window(search, list, &window);
        return true;
    }
    return false;
}

static uint32_t build_planned(const struct dsl_search *search, struct dsl_list list, const struct dsl_cuts *table, uint32_t start);

static uint32_t build_cut(const struct dsl_search *search, const struct dsl_list *list, const struct dsl_cuts *table,
                          uint32_t start)
{
    struct cut cut = make_cut(list, table->cut[start][start + list->count] - start);
    uint32_t low = build_planned(search, part_of(list, 0, cut.at), table, start);
    uint32_t high = build_planned(search, part_of(list, cut.at, list->count), table, start + cut.at);
    return test_cut(search, cut, low, high);
}

// Asks for items[at], and for other values of what is left, as long as that is no dearer than a tree of cuts. Not inlined, because
// its tables would be in every frame of the recursion.
__attribute__((noinline)) static uint32_t build_asking(const struct dsl_search *search, struct dsl_list list,
                                                       const struct dsl_cuts *table, uint32_t start, uint32_t at)
{
    struct dsl_cuts rest[2]; // what is left knows one, what is left then the other
    struct dsl_item taken[DSL_CUTS_ITEMS];
    uint64_t weights[DSL_CUTS_ITEMS];
    uint32_t count = 0;
    uint32_t next = 0;
    bool is_end = false;
    do {
        if (cost_of_asking(&list, at, &rest[count % 2]) > dsl_cuts_cost(table, start, &list)) {
            break;
        }
        table = &rest[count % 2];
        start = 0;
        weights[count] = list.weight;
        taken[count++] = list.items[at];
        take_out(&list, at);
        is_end = build_end(search, &list, table, start, &next);
    } while (!is_end && find_candidate(&list, &at));
    next = is_end ? next : build_cut(search, &list, table, start);
    while (count-- > 0) {
        next = ask_for(search, &taken[count], next, weights[count]);
    }
    return next;
}

// At most DSL_CUTS_ITEMS items, which `table` knows from number `start` on. What was planned for a list holds for its parts, until
// a value is taken out.
static uint32_t build_planned(const struct dsl_search *search, struct dsl_list list, const struct dsl_cuts *table, uint32_t start)
{
    uint32_t at;
    uint32_t first;
    if (build_end(search, &list, table, start, &first)) {
        return first;
    }
    return find_candidate(&list, &at) ? build_asking(search, list, table, start, at) : build_cut(search, &list, table, start);
}

static uint32_t build_short(const struct dsl_search *search, struct dsl_list list)
{
    struct dsl_cuts table;
    if (list.count == 2) { // there is one cut only
        return test_cut(search, make_cut(&list, 1), list.items[0].target, list.items[1].target);
    }
    dsl_cuts_plan(&list, &table);
    return build_planned(search, list, &table, 0);
}

// Where both sides weigh about the same; what weighs nothing is halved by count.
static uint32_t middle_of(const struct dsl_list *list)
{
    uint64_t base = list->rent / 8 + 1;
    uint64_t all = list->weight + base * list->count;
    uint64_t left = 0;
    uint64_t best = UINT64_MAX;
    uint32_t middle = 1;
    for (uint32_t at = 1; at < list->count; at++) {
        left += list->items[at - 1].weight + base;
        uint64_t imbalance = 2 * left > all ? 2 * left - all : all - 2 * left;
        if (imbalance >= best) {
            break; // from here on it only grows
        }
        best = imbalance;
        middle = at;
    }
    return middle;
}

// About what a long list costs: a test for each halving.
static uint64_t cost_of_halving(const struct dsl_list *list)
{
    uint32_t halvings = 32u - (uint32_t)__builtin_clz(list->count - 1);
    return halvings * list->weight + list->count * list->rent;
}

static uint32_t build_parts(const struct dsl_search *search, const struct dsl_list *list, uint32_t at)
{
    struct cut cut = make_cut(list, at);
    uint32_t low = build(search, part_of(list, 0, at));
    uint32_t high = build(search, part_of(list, at, list->count));
    return test_cut(search, cut, low, high);
}

static uint32_t build_long(const struct dsl_search *search, struct dsl_list list)
{
    uint32_t at;
    struct window window;
    if (pays_to_shift(search, &list, cost_of_halving(&list), &window)) {
        return build_window(search, &list, &window);
    }
    if (find_candidate(&list, &at) && list.items[at].weight * SEARCH_HOT_PART > list.weight) {
        const struct dsl_item taken = list.items[at];
        uint64_t weight = list.weight;
        take_out(&list, at);
        return ask_for(search, &taken, build(search, list), weight);
    }
    return build_parts(search, &list, search->may_shift && find_dense(&list, &at) ? at : middle_of(&list));
}

// --- small programs ---------------------------------------------------------------------------------------------------

// Returns: a value that stands alone between equal neighbours; 0 for none.
static uint32_t find_hole(const struct dsl_list *list)
{
    uint32_t at = 1;
    while (at + 1 < list->count && !(dsl_item_is_single(&list->items[at]) && is_hole(list, at))) {
        at++;
    }
    return at + 1 < list->count ? at : 0;
}

// Asks for values that stand alone one after the other: an instruction each, where cuts are more.
static uint32_t build_chain(const struct dsl_search *search, struct dsl_list list)
{
    struct dsl_item taken[SEARCH_CHAIN];
    uint64_t weights[SEARCH_CHAIN];
    uint32_t count = 0;
    uint32_t at;
    while (count < SEARCH_CHAIN && (at = find_hole(&list)) != 0) {
        weights[count] = list.weight;
        taken[count++] = list.items[at];
        take_out(&list, at);
    }
    uint32_t next = build(search, list);
    while (count-- > 0) {
        next = ask_for(search, &taken[count], next, weights[count]);
    }
    return next;
}

// --- the high bit -----------------------------------------------------------------------------------------------------

// Tests that would need a wide constant each, from which on stripping pays: one instruction, and another one to tell who has the
// bit.
enum { WIDE_TESTS = 2, WIDE_TESTS_ASTRIDE = 3 };

static uint32_t first_wide(const struct dsl_list *list)
{
    uint32_t at = 0;
    while (at < list->count && list->items[at].last < DSL_HIGH_BIT) {
        at++;
    }
    return at;
}

// How many tests need a wide constant: one for each border, one for both borders of a value that stands alone.
static uint32_t count_wide_tests(const struct dsl_list *list, uint32_t from)
{
    uint32_t tests = 0;
    for (uint32_t i = from > 0 ? from : 1; i < list->count; i++) {
        bool is_after_hole = is_hole(list, i - 1) && dsl_item_is_single(&list->items[i - 1]);
        tests += list->items[i].first >= DSL_HIGH_BIT && !is_after_hole;
    }
    return tests;
}

// All items are from 2^31 on.
static uint32_t build_stripped(const struct dsl_search *search, struct dsl_list list)
{
    struct dsl_search below = *search;
    below.mask &= ~DSL_HIGH_BIT;
    for (uint32_t i = 0; i < list.count; i++) {
        list.items[i].first &= ~DSL_HIGH_BIT;
        list.items[i].last &= ~DSL_HIGH_BIT;
    }
    below.enter(below.context, below.mask, list.items, list.count);
    uint64_t weight = list.weight;
    uint32_t first = build(&below, list);
    return make(&below, (struct dsl_step){.kind = DSL_STEP_AND, .k = below.mask, .yes = first, .weight = weight});
}

// Items below and from 2^31 on; one of them may be both.
static uint32_t build_astride(const struct dsl_search *search, struct dsl_list list, uint32_t at)
{
    const struct dsl_item both = list.items[at];
    bool is_both = both.first < DSL_HIGH_BIT;
    uint64_t weight = list.weight;
    list.items[at].first = is_both ? DSL_HIGH_BIT : both.first;
    uint32_t high = build(search, part_of(&list, at, list.count));
    list.items[at] = both;
    list.items[at].last = DSL_HIGH_BIT - 1;
    uint32_t low = build(search, part_of(&list, 0, is_both ? at + 1 : at));
    return above(search, DSL_HIGH_BIT - 1, high, low, weight);
}

// Recursion: a value taken out or a cut each time; long lists are cut in the middle unless a third of the weight is taken out.
static uint32_t build(const struct dsl_search *search, struct dsl_list list)
{
    if (list.count <= 1) { // there is always one
        return list.items[0].target;
    }
    if (is_lone_value(&list)) {
        return ask_for(search, &list.items[1], list.items[0].target, list.weight);
    }
    // Only a border from 2^31 on needs a wide constant.
    bool may_be_wide = (search->mask & DSL_HIGH_BIT) != 0 && list.items[list.count - 1].first >= DSL_HIGH_BIT;
    uint32_t wide = may_be_wide ? first_wide(&list) : list.count;
    bool is_all_wide = list.items[0].first >= DSL_HIGH_BIT;
    if (wide < list.count && count_wide_tests(&list, wide) >= (is_all_wide ? WIDE_TESTS : WIDE_TESTS_ASTRIDE)) {
        return is_all_wide ? build_stripped(search, list) : build_astride(search, list, wide);
    }
    if (search->is_small && list.count > SEARCH_UNCUT) {
        return build_parts(search, &list, list.count / 2);
    }
    if (search->is_small && find_hole(&list) != 0) {
        return build_chain(search, list);
    }
    return list.count <= DSL_CUTS_ITEMS ? build_short(search, list) : build_long(search, list);
}

uint32_t dsl_search_build(const struct dsl_search *search, struct dsl_item *items, uint32_t count)
{
    struct dsl_list list = {items, count, 0, 0};
    list.weight = weight_of(&list, 0, count);
    list.rent = search->is_small ? SEARCH_SMALL * list.weight + 1 : SEARCH_RENT * list.weight / count + 1;
    return build(search, list);
}
