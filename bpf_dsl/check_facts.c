// check_facts: what one path through the program has found out, and what a condition is worth under that.
//
// Takes: facts and conditions. Gives: whether a call with these facts can meet the condition, and whether one can fail it. Both answers are
// exact: facts about different words are independent of each other, since every test of a program is about one word.
// How: a word that was only looked at whole, or only through the mask that the condition has, is a range with holes. Anything else (a word
// seen through several masks) is searched bit by bit from the top, where each bit that no undecided fact cares about has one choice.
// Requires: holes are single values. Weaknesses: the search can be long for many masks of one word; steps are counted.
#include "bpf_dsl/check_parts.h"

#include <string.h>

#define ALL UINT32_MAX

// --- keeping facts ----------------------------------------------------------------------------------------------------

bool check_facts_init(struct check_facts *facts, struct brig_dsl_arena *arena, uint32_t depth)
{
    *facts = (struct check_facts){.node_limit = depth, .undo_limit = depth};
    facts->nodes = DSL_ARENA_ARRAY(arena, struct check_node, depth);
    facts->undo = DSL_ARENA_ARRAY(arena, struct check_undo, depth);
    for (int word = 0; word < CHECK_WORDS; word++) {
        facts->words[word].whole.hi = ALL;
    }
    return facts->nodes != NULL && facts->undo != NULL;
}

struct check_mark check_mark(const struct check_facts *facts)
{
    return (struct check_mark){facts->node_count, facts->undo_count};
}

void check_rewind(struct check_facts *facts, struct check_mark mark)
{
    while (facts->undo_count > mark.undo) {
        const struct check_undo *undo = &facts->undo[--facts->undo_count];
        facts->words[undo->word] = undo->was;
    }
    facts->node_count = mark.nodes;
}

// Returns: the new node, + 1; 0 when there is no room.
static uint32_t push_node(struct check_facts *facts, struct check_node node)
{
    if (facts->node_count == facts->node_limit) {
        facts->overflowed = true;
        return 0;
    }
    facts->nodes[facts->node_count++] = node;
    return facts->node_count;
}

static const struct check_node *find_mask(const struct check_facts *facts, uint32_t word, uint32_t mask)
{
    for (uint32_t at = facts->words[word].masked; at != 0; at = facts->nodes[at - 1].next) {
        if (facts->nodes[at - 1].number == mask) {
            return &facts->nodes[at - 1];
        }
    }
    return NULL;
}

struct check_range check_range_of(const struct check_facts *facts, uint32_t word, uint32_t mask)
{
    if (mask == ALL) {
        return facts->words[word].whole;
    }
    const struct check_node *node = find_mask(facts, word, mask);
    return node != NULL ? node->range : (struct check_range){.hi = mask};
}

void check_learn(struct check_facts *facts, uint32_t word, uint32_t mask, struct check_range range)
{
    if (facts->undo_count == facts->undo_limit) {
        facts->overflowed = true;
        return;
    }
    facts->undo[facts->undo_count++] = (struct check_undo){word, facts->words[word]};
    if (mask == ALL) {
        facts->words[word].whole = range;
    } else {
        uint32_t node = push_node(facts, (struct check_node){mask, facts->words[word].masked, range});
        facts->words[word].masked = node;
    }
}

struct check_range check_without(struct check_facts *facts, struct check_range range, uint32_t value)
{
    if (value < range.lo || value > range.hi) {
        return range;
    }
    if (range.lo == range.hi) { // nothing is left: an empty range
        return (struct check_range){.lo = 1, .hi = 0};
    }
    if (value == range.lo) {
        range.lo++;
    } else if (value == range.hi) {
        range.hi--;
    } else {
        range.hole = push_node(facts, (struct check_node){.number = value, .next = range.hole});
        range.hole_count++;
    }
    return range;
}

bool check_is_untouched(const struct check_facts *facts, uint32_t word)
{
    const struct check_word *known = &facts->words[word];
    return known->masked == 0 && known->whole.lo == 0 && known->whole.hi == ALL && known->whole.hole == 0;
}

// --- one range --------------------------------------------------------------------------------------------------------

static bool is_hole(struct check_facts *facts, struct check_range range, uint32_t value)
{
    for (uint32_t at = range.hole; at != 0; at = facts->nodes[at - 1].next) {
        facts->steps++;
        if (facts->nodes[at - 1].number == value) {
            return true;
        }
    }
    return false;
}

// The smallest number at or above `from` without a bit outside `mask`. Returns: false for none.
static bool next_with_mask(uint32_t mask, uint32_t from, uint32_t *ret_value)
{
    uint64_t value = from;
    while ((value & ~(uint64_t)mask) != 0) {
        // Bits that stick out are counted away one after the other, lowest first; each sum clears what is below.
        uint64_t lowest = value & ~(uint64_t)mask;
        lowest &= 0 - lowest;
        value = (value + lowest) & ~(lowest - 1);
        if (value > ALL) {
            return false;
        }
    }
    *ret_value = (uint32_t)value;
    return true;
}

bool check_range_meets(struct check_facts *facts, struct check_range range, uint32_t mask, uint32_t lo, uint32_t hi)
{
    lo = lo > range.lo ? lo : range.lo;
    hi = hi < range.hi ? hi : range.hi;
    if (lo > hi) {
        return false;
    }
    if (mask == ALL && hi - lo >= range.hole_count) {
        return true; // more values than holes
    }
    uint32_t value = lo;
    while (next_with_mask(mask, value, &value) && value <= hi) {
        if (!is_hole(facts, range, value)) {
            return true;
        }
        if (value == hi) {
            break;
        }
        value++;
    }
    return false;
}

// Index of the first span that ends at or above `from`.
static uint32_t first_span(const struct check_condition *condition, uint64_t from)
{
    uint32_t low = 0;
    uint32_t high = condition->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (condition->spans[middle].last < from) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// What the condition is for the values of a range, put below `base`: the high half where the condition is wide, else 0.
static unsigned range_can(struct check_facts *facts, struct check_range range, uint32_t mask, const struct check_condition *condition,
                          uint64_t base)
{
    unsigned can = 0;
    uint64_t last = base | range.hi;
    uint64_t at = base | range.lo;
    for (uint32_t i = first_span(condition, at); at <= last && can != (CHECK_CAN_HOLD | CHECK_CAN_FAIL); i++) {
        facts->steps++;
        bool is_over = i == condition->count || condition->spans[i].first > last;
        uint64_t from = is_over ? last : condition->spans[i].first;
        uint64_t to = is_over || condition->spans[i].last > last ? last : condition->spans[i].last;
        if (is_over || from > at) {
            uint64_t gap_last = is_over ? last : from - 1;
            can |= check_range_meets(facts, range, mask, (uint32_t)at, (uint32_t)gap_last) ? CHECK_CAN_FAIL : 0;
        }
        if (is_over) {
            break;
        }
        from = from > at ? from : at;
        can |= check_range_meets(facts, range, mask, (uint32_t)from, (uint32_t)to) ? CHECK_CAN_HOLD : 0;
        if (to == last) {
            break;
        }
        at = to + 1;
    }
    return can;
}

// --- several masks of one word ----------------------------------------------------------------------------------------

enum { CERTAIN, OPEN, IMPOSSIBLE };

// What is asked of a word beside its facts.
struct question {
    const struct check_condition *condition; // NULL: nothing
    uint64_t base;
    uint32_t mask;
    bool must_hold;
};

// Whether the values of a range are certain to be there, when (word & mask) is known to be in [lo, hi].
static int judge_range(struct check_facts *facts, struct check_range range, uint32_t mask, uint32_t lo, uint32_t hi)
{
    if (!check_range_meets(facts, range, mask, lo, hi)) {
        return IMPOSSIBLE;
    }
    if (lo < range.lo || hi > range.hi) {
        return OPEN;
    }
    for (uint32_t at = range.hole; at != 0; at = facts->nodes[at - 1].next) {
        uint32_t hole = facts->nodes[at - 1].number;
        if (hole >= lo && hole <= hi && (hole & ~mask) == 0) {
            return OPEN;
        }
    }
    return CERTAIN;
}

static int judge_question(struct check_facts *facts, const struct question *question, uint32_t lo, uint32_t hi)
{
    if (question->condition == NULL) {
        return CERTAIN;
    }
    struct check_range range = {.lo = lo, .hi = hi};
    unsigned can = range_can(facts, range, question->mask, question->condition, question->base);
    unsigned wanted = question->must_hold ? CHECK_CAN_HOLD : CHECK_CAN_FAIL;
    return (can & wanted) == 0 ? IMPOSSIBLE : can == wanted ? CERTAIN : OPEN;
}

// Whether a word that starts with the bits of `prefix` above `free` (its free bits are the low ones) can have all facts and answer the question.
// Returns: IMPOSSIBLE; CERTAIN if every choice of free bits does; OPEN with the bits that matter in *ret_open.
static int judge_prefix(struct check_facts *facts, const struct check_word *known, const struct question *question, uint32_t prefix,
                        uint32_t free, uint32_t *ret_open)
{
    facts->steps++;
    int whole = judge_range(facts, known->whole, ALL, prefix, prefix | free);
    int asked = judge_question(facts, question, prefix & question->mask, (prefix | free) & question->mask);
    *ret_open = (whole == OPEN ? ALL : 0) | (asked == OPEN ? question->mask : 0);
    int worst = whole > asked ? whole : asked;
    // Older nodes of a mask say less than the newest one, but nothing wrong.
    for (uint32_t at = known->masked; at != 0 && worst != IMPOSSIBLE; at = facts->nodes[at - 1].next) {
        const struct check_node *node = &facts->nodes[at - 1];
        int judged = judge_range(facts, node->range, node->number, prefix & node->number, (prefix | free) & node->number);
        *ret_open |= judged == OPEN ? node->number : 0;
        worst = judged > worst ? judged : worst;
    }
    return worst;
}

// Whether any word has all facts and answers the question. Recursion: one level per bit.
static bool search_bits(struct check_facts *facts, const struct check_word *known, const struct question *question, uint32_t prefix,
                        uint32_t free)
{
    uint32_t open;
    int judged = judge_prefix(facts, known, question, prefix, free, &open);
    if (judged != OPEN || free == 0) {
        return judged != IMPOSSIBLE;
    }
    uint32_t bit = free - free / 2;
    if (search_bits(facts, known, question, prefix, free / 2)) {
        return true;
    }
    // A bit that nothing open looks at need not be tried the other way.
    return (open & bit) != 0 && search_bits(facts, known, question, prefix | bit, free / 2);
}

static unsigned search_word(struct check_facts *facts, const struct check_word *known, struct question question)
{
    unsigned can = 0;
    question.must_hold = true;
    can |= search_bits(facts, known, &question, 0, ALL) ? CHECK_CAN_HOLD : 0;
    question.must_hold = false;
    can |= search_bits(facts, known, &question, 0, ALL) ? CHECK_CAN_FAIL : 0;
    return can;
}

// --- conditions -------------------------------------------------------------------------------------------------------

static bool is_whole(struct check_range range)
{
    return range.lo == 0 && range.hi == ALL && range.hole == 0;
}

// Whether all that is known of (word & mask) is one range. Returns: that range.
static bool is_simple(const struct check_facts *facts, uint32_t word, uint32_t mask, struct check_range *ret_range)
{
    const struct check_word *known = &facts->words[word];
    if (known->masked == 0 && (mask == ALL || is_whole(known->whole))) {
        *ret_range = mask == ALL ? known->whole : (struct check_range){.hi = mask};
        return true;
    }
    if (known->whole.lo == known->whole.hi) { // a known number, whatever else was looked at
        *ret_range = (struct check_range){.lo = known->whole.lo & mask, .hi = known->whole.lo & mask};
        return true;
    }
    // A mask that was looked at again has more than one node, the first one counts; another mask is not simple.
    for (uint32_t at = known->masked; at != 0; at = facts->nodes[at - 1].next) {
        if (facts->nodes[at - 1].number != mask) {
            return false;
        }
    }
    *ret_range = check_range_of(facts, word, mask);
    return is_whole(known->whole);
}

static unsigned word_can(struct check_facts *facts, uint32_t word, uint32_t mask, const struct check_condition *condition, uint64_t base)
{
    struct check_range range;
    facts->steps++;
    if (is_simple(facts, word, mask, &range)) {
        return range_can(facts, range, mask, condition, base);
    }
    return search_word(facts, &facts->words[word], (struct question){.condition = condition, .base = base, .mask = mask});
}

static uint32_t low_word(const struct check_condition *condition)
{
    return CHECK_ARGUMENTS + 2u * condition->argument;
}

static uint32_t high(uint64_t value)
{
    return (uint32_t)(value >> 32);
}

// Whether (word & mask) can be in [lo, hi].
static bool word_meets(struct check_facts *facts, uint32_t word, uint32_t mask, uint32_t lo, uint32_t hi)
{
    const struct check_span span = {lo, hi};
    const struct check_condition condition = {.spans = &span, .count = 1};
    return (word_can(facts, word, mask, &condition, 0) & CHECK_CAN_HOLD) != 0;
}

// Whether the number can be in [first, last]: high halves between the ends with any low half, or at an end with its part.
static bool wide_meets(struct check_facts *facts, const struct check_condition *condition, uint64_t first, uint64_t last)
{
    uint32_t lo = low_word(condition);
    uint32_t lo_mask = (uint32_t)condition->mask;
    uint32_t hi_mask = high(condition->mask);
    bool same = high(first) == high(last);
    uint32_t first_end = same ? (uint32_t)last : ALL;
    if (word_meets(facts, lo + 1, hi_mask, high(first), high(first)) &&
        word_meets(facts, lo, lo_mask, (uint32_t)first, first_end)) {
        return true;
    }
    if (same) {
        return false;
    }
    if (high(last) - high(first) > 1 && word_meets(facts, lo + 1, hi_mask, high(first) + 1, high(last) - 1)) {
        return true;
    }
    return word_meets(facts, lo + 1, hi_mask, high(last), high(last)) && word_meets(facts, lo, lo_mask, 0, (uint32_t)last);
}

// Spans in several high halves, and those not known: each span and each gap by itself.
static unsigned wide_can(struct check_facts *facts, const struct check_condition *condition)
{
    unsigned can = 0;
    uint64_t at = 0;
    for (uint32_t i = 0; i < condition->count && can != (CHECK_CAN_HOLD | CHECK_CAN_FAIL); i++) {
        const struct check_span *span = &condition->spans[i];
        if ((can & CHECK_CAN_HOLD) == 0 && wide_meets(facts, condition, span->first, span->last)) {
            can |= CHECK_CAN_HOLD;
        }
        if ((can & CHECK_CAN_FAIL) == 0 && span->first > at && wide_meets(facts, condition, at, span->first - 1)) {
            can |= CHECK_CAN_FAIL;
        }
        at = span->last + 1;
    }
    bool reaches_end = condition->count > 0 && condition->spans[condition->count - 1].last == UINT64_MAX;
    if ((can & CHECK_CAN_FAIL) == 0 && !reaches_end && wide_meets(facts, condition, at, UINT64_MAX)) {
        can |= CHECK_CAN_FAIL;
    }
    return can;
}

unsigned check_condition_can(struct check_facts *facts, const struct check_condition *condition)
{
    uint32_t lo = low_word(condition);
    if (!condition->is_wide) {
        return word_can(facts, lo, (uint32_t)condition->mask, condition, 0);
    }
    struct check_range range;
    if (is_simple(facts, lo + 1, high(condition->mask), &range) && range.lo == range.hi) {
        return word_can(facts, lo, (uint32_t)condition->mask, condition, (uint64_t)range.lo << 32);
    }
    if (!condition->has_one_high) {
        return wide_can(facts, condition);
    }
    uint32_t only = high(condition->spans[0].first);
    const struct check_span span = {only, only};
    const struct check_condition is_only = {.spans = &span, .count = 1};
    unsigned hi_can = word_can(facts, lo + 1, high(condition->mask), &is_only, 0);
    unsigned lo_can = word_can(facts, lo, (uint32_t)condition->mask, condition, (uint64_t)only << 32);
    if (hi_can == 0 || lo_can == 0) {
        return 0;
    }
    return (hi_can & lo_can & CHECK_CAN_HOLD) | ((hi_can | lo_can) & CHECK_CAN_FAIL);
}

bool check_is_possible(struct check_facts *facts)
{
    const struct question nothing = {.condition = NULL};
    for (uint32_t word = 0; word < CHECK_WORDS; word++) {
        const struct check_word *known = &facts->words[word];
        bool possible = known->masked != 0 ? search_bits(facts, known, &nothing, 0, ALL)
                                           : check_range_meets(facts, known->whole, ALL, 0, ALL);
        if (!possible) {
            return false;
        }
    }
    return true;
}

// --- cuts -------------------------------------------------------------------------------------------------------------

// Keeps a border that lies inside a range (both sides get values), the nearer to its middle the better.
static void offer(struct check_cut *best, uint64_t *best_distance, struct check_range range, uint64_t border)
{
    uint64_t middle = range.lo + ((uint64_t)range.hi - range.lo + 1) / 2;
    uint64_t distance = border > middle ? border - middle : middle - border;
    if (border > range.lo && border <= range.hi && distance < *best_distance) {
        best->border = (uint32_t)border;
        *best_distance = distance;
    }
}

static bool cut_high(struct check_facts *facts, const struct check_condition *condition, struct check_cut *ret_cut)
{
    *ret_cut = (struct check_cut){.word = low_word(condition) + 1, .mask = high(condition->mask)};
    struct check_range range = check_range_of(facts, ret_cut->word, ret_cut->mask);
    uint64_t distance = UINT64_MAX;
    for (uint32_t i = 0; i < condition->count; i++) {
        offer(ret_cut, &distance, range, high(condition->spans[i].first));
        offer(ret_cut, &distance, range, (uint64_t)high(condition->spans[i].first) + 1);
        offer(ret_cut, &distance, range, high(condition->spans[i].last));
        offer(ret_cut, &distance, range, (uint64_t)high(condition->spans[i].last) + 1);
    }
    return distance != UINT64_MAX;
}

bool check_find_cut(struct check_facts *facts, const struct check_condition *condition, struct check_cut *ret_cut)
{
    if (condition->is_wide && cut_high(facts, condition, ret_cut)) {
        return true;
    }
    // Now the high half is known as far as the condition cares, so only the borders of the low halves are left.
    *ret_cut = (struct check_cut){.word = low_word(condition), .mask = (uint32_t)condition->mask};
    struct check_range range = check_range_of(facts, ret_cut->word, ret_cut->mask);
    uint64_t distance = UINT64_MAX;
    for (uint32_t i = 0; i < condition->count; i++) {
        offer(ret_cut, &distance, range, (uint32_t)condition->spans[i].first);
        offer(ret_cut, &distance, range, (uint64_t)(uint32_t)condition->spans[i].last + 1);
    }
    return distance != UINT64_MAX;
}
