// check_facts: what one path through the program has found out, and what a condition is worth under that.
//
// Takes: facts and conditions. Gives: whether a call with these facts can meet the condition, and whether one can fail it. Both
// answers are exact: facts about different words are independent of each other, since every test of a program is about one word.
// How: what is known of (word & mask) is a set: a range with holes, some bits of which are known. That is all there is to it when
// the word was only looked at as a whole, through this mask, or through masks that left one value, or where the other masks leave
// out less than each value of the set stands for. Anything else is searched bit by bit from the top, where a bit that no undecided
// fact cares about has one choice. Requires: holes are single values. Weaknesses: the search can be long for many masks of one
// word; steps are counted, and where they end, so does exactness (`overflowed`).
#include "bpf_dsl/check_parts.h"

#include <string.h>

#define ALL UINT32_MAX

// --- keeping facts ----------------------------------------------------------------------------------------------------

bool dsl_check_facts_init(struct check_facts *facts, struct brig_dsl_arena *arena, uint32_t depth, uint32_t steps)
{
    *facts = (struct check_facts){.node_limit = depth, .undo_limit = depth, .step_limit = steps};
    facts->nodes = DSL_ARENA_ARRAY(arena, struct check_node, depth);
    facts->undo = DSL_ARENA_ARRAY(arena, struct check_undo, depth);
    for (int word = 0; word < CHECK_WORDS; word++) {
        facts->words[word].whole.hi = ALL;
    }
    return facts->nodes != NULL && facts->undo != NULL;
}

struct dsl_check_mark dsl_check_mark(const struct check_facts *facts)
{
    return (struct dsl_check_mark){facts->node_count, facts->undo_count};
}

void dsl_check_rewind(struct check_facts *facts, struct dsl_check_mark mark)
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

static struct check_range clamp(struct check_range range, uint32_t lo, uint32_t hi)
{
    range.lo = range.lo > lo ? range.lo : lo;
    range.hi = range.hi < hi ? range.hi : hi;
    return range;
}

struct check_set dsl_check_set_of(const struct check_facts *facts, uint32_t word, uint32_t mask)
{
    const struct check_word *known = &facts->words[word];
    struct check_set set = {.free = mask & ~known->known, .fixed = mask & known->value};
    if (mask == ALL) {
        set.range = known->whole;
    } else {
        const struct check_node *node = find_mask(facts, word, mask);
        set.range = node != NULL ? node->range : (struct check_range){.hi = mask};
    }
    set.range = clamp(set.range, set.fixed, set.fixed | set.free);
    return set;
}

void dsl_check_learn(struct check_facts *facts, uint32_t word, uint32_t mask, struct check_range range)
{
    struct check_word *known = &facts->words[word];
    if (facts->undo_count == facts->undo_limit) {
        facts->overflowed = true;
        return;
    }
    facts->undo[facts->undo_count++] = (struct check_undo){word, *known};
    // Numbers between two that begin alike begin so as well.
    uint32_t differ = range.lo ^ range.hi;
    uint32_t settled = differ == 0 ? mask : mask & ~(ALL >> __builtin_clz(differ));
    known->known |= settled;
    known->value = (known->value & ~settled) | (range.lo & settled);
    if (mask == ALL) {
        known->whole = range;
    } else if (range.lo != range.hi) {
        known->masked = push_node(facts, (struct check_node){mask, known->masked, range});
    }
}

struct check_range dsl_check_without(struct check_facts *facts, struct check_range range, uint32_t value)
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

static bool is_whole(const struct check_range *range)
{
    return range->lo == 0 && range->hi == ALL && range->hole == 0;
}

bool dsl_check_is_untouched(const struct check_facts *facts, uint32_t word)
{
    const struct check_word *known = &facts->words[word];
    return known->masked == 0 && known->known == 0 && is_whole(&known->whole);
}

// --- one set ----------------------------------------------------------------------------------------------------------

static bool is_hole(struct check_facts *facts, const struct check_range *range, uint32_t value)
{
    for (uint32_t at = range->hole; at != 0; at = facts->nodes[at - 1].next) {
        facts->steps++;
        if (facts->nodes[at - 1].number == value) {
            return true;
        }
    }
    return false;
}

// The smallest number at or above `from` that differs from `fixed`, which has no `free` bits, in those only. Returns: false for
// none.
static bool next_fitting(uint32_t free, uint32_t fixed, uint32_t from, uint32_t *ret_value)
{
    uint32_t wrong = (from ^ fixed) & ~free;
    if (wrong == 0) {
        *ret_value = from;
        return true;
    }
    uint32_t top = 0x80000000u >> __builtin_clz(wrong);
    if ((fixed & top) == 0) {
        // Too high from this bit on: the lowest free bit above it that is 0 has to become 1.
        uint32_t usable = free & ~from & ~(top | (top - 1));
        if (usable == 0) {
            return false;
        }
        top = usable & (0 - usable);
    }
    uint32_t below = top - 1;
    *ret_value = (from & ~below) | top | (fixed & below);
    return true;
}

bool dsl_check_set_meets(struct check_facts *facts, const struct check_set *set, uint32_t lo, uint32_t hi)
{
    lo = lo > set->range.lo ? lo : set->range.lo;
    hi = hi < set->range.hi ? hi : set->range.hi;
    if (lo > hi) {
        return false;
    }
    if (set->free == ALL && hi - lo >= set->range.hole_count) {
        return true; // more values than holes
    }
    uint32_t value = lo;
    while (next_fitting(set->free, set->fixed, value, &value) && value <= hi) {
        if (!is_hole(facts, &set->range, value)) {
            return true;
        }
        if (value == hi) {
            break;
        }
        value++;
    }
    return false;
}

struct check_range dsl_check_fit(struct check_facts *facts, const struct check_set *set)
{
    struct check_range range = set->range;
    uint32_t not_hi = 0;
    if (set->free == ALL && range.hole == 0) {
        return range;
    }
    // Counting down is counting up with all bits turned round.
    if (!dsl_check_set_meets(facts, set, 0, ALL) || !next_fitting(set->free, set->fixed, range.lo, &range.lo) ||
        !next_fitting(set->free, ~(set->fixed | set->free), ~range.hi, &not_hi)) {
        return (struct check_range){.lo = 1, .hi = 0};
    }
    range.hi = ~not_hi;
    return range;
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

// What the condition is for the values of a set, put below `base`: the high half where the condition is wide, else 0.
static unsigned set_can(struct check_facts *facts, const struct check_set *set, const struct check_condition *condition,
                        uint64_t base)
{
    unsigned can = 0;
    uint64_t last = base | set->range.hi;
    uint64_t at = base | set->range.lo;
    for (uint32_t i = first_span(condition, at); at <= last && can != (CHECK_CAN_HOLD | CHECK_CAN_FAIL); i++) {
        facts->steps++;
        if (i == condition->count || condition->spans[i].first > last) {
            can |= dsl_check_set_meets(facts, set, (uint32_t)at, (uint32_t)last) ? CHECK_CAN_FAIL : 0;
            break;
        }
        uint64_t from = condition->spans[i].first;
        uint64_t to = condition->spans[i].last < last ? condition->spans[i].last : last;
        if (from > at) {
            can |= dsl_check_set_meets(facts, set, (uint32_t)at, (uint32_t)(from - 1)) ? CHECK_CAN_FAIL : 0;
            at = from;
        }
        can |= dsl_check_set_meets(facts, set, (uint32_t)at, (uint32_t)to) ? CHECK_CAN_HOLD : 0;
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

// A word that is partly decided: `free` bits are not, the others are as in `fixed`.
struct partial {
    uint32_t free;
    uint32_t fixed;
};

static struct partial masked(struct partial word, uint32_t mask)
{
    return (struct partial){word.free & mask, word.fixed & mask};
}

// Whether a word is in a range.
static int judge_range(struct check_facts *facts, const struct check_range *range, struct partial word)
{
    uint32_t free = word.free;
    uint32_t fixed = word.fixed;
    const struct check_set set = {clamp(*range, fixed, fixed | free), free, fixed};
    if (!dsl_check_set_meets(facts, &set, 0, ALL)) {
        return IMPOSSIBLE;
    }
    if (set.range.lo != fixed || set.range.hi != (fixed | free)) {
        return OPEN;
    }
    for (uint32_t at = range->hole; at != 0; at = facts->nodes[at - 1].next) {
        if (((facts->nodes[at - 1].number ^ fixed) & ~free) == 0) {
            return OPEN;
        }
    }
    return CERTAIN;
}

static int judge_question(struct check_facts *facts, const struct question *question, struct partial word)
{
    if (question->condition == NULL) {
        return CERTAIN;
    }
    const struct check_set set = {{.lo = word.fixed, .hi = word.fixed | word.free}, word.free, word.fixed};
    unsigned can = set_can(facts, &set, question->condition, question->base);
    unsigned wanted = question->must_hold ? CHECK_CAN_HOLD : CHECK_CAN_FAIL;
    return (can & wanted) == 0 ? IMPOSSIBLE : can == wanted ? CERTAIN : OPEN;
}

// Whether a word can have all facts and answer the question. Returns: IMPOSSIBLE; CERTAIN if every choice of free bits does; OPEN
// with the bits that matter in *ret_open.
static int judge_word(struct check_facts *facts, const struct check_word *known, const struct question *question,
                      struct partial word, uint32_t *ret_open)
{
    facts->steps++;
    int whole = judge_range(facts, &known->whole, word);
    int asked = judge_question(facts, question, masked(word, question->mask));
    *ret_open = (whole == OPEN ? ALL : 0) | (asked == OPEN ? question->mask : 0);
    int worst = whole > asked ? whole : asked;
    // Older nodes of a mask say less than the newest one, but nothing wrong.
    for (uint32_t at = known->masked; at != 0 && worst != IMPOSSIBLE; at = facts->nodes[at - 1].next) {
        const struct check_node *node = &facts->nodes[at - 1];
        int judged = judge_range(facts, &node->range, masked(word, node->number));
        *ret_open |= judged == OPEN ? node->number : 0;
        worst = judged > worst ? judged : worst;
    }
    return worst;
}

// Whether any word has all facts and answers the question. Recursion: one level per bit. Some hundred masks of few bits each can
// make it try nearly all words, so it ends with the budget of whoever asks.
static bool search_bits(struct check_facts *facts, const struct check_word *known, const struct question *question,
                        struct partial word)
{
    uint32_t open;
    if (facts->steps > facts->step_limit) {
        facts->overflowed = true;
        return true;
    }
    int judged = judge_word(facts, known, question, word, &open);
    if (judged != OPEN || (open & word.free) == 0) {
        return judged != IMPOSSIBLE;
    }
    // Only bits that something open looks at are worth deciding; the others stay free, since either value will do.
    uint32_t bit = 0x80000000u >> __builtin_clz(open & word.free);
    return search_bits(facts, known, question, (struct partial){word.free & ~bit, word.fixed}) ||
           search_bits(facts, known, question, (struct partial){word.free & ~bit, word.fixed | bit});
}

static bool search_undecided(struct check_facts *facts, const struct check_word *known, const struct question *question)
{
    return search_bits(facts, known, question, (struct partial){~known->known, known->value});
}

static unsigned search_word(struct check_facts *facts, const struct check_word *known, struct question question)
{
    unsigned can = 0;
    question.must_hold = true;
    can |= search_undecided(facts, known, &question) ? CHECK_CAN_HOLD : 0;
    question.must_hold = false;
    can |= search_undecided(facts, known, &question) ? CHECK_CAN_FAIL : 0;
    return can;
}

// --- conditions -------------------------------------------------------------------------------------------------------

// How much of what (word & number) could be is left out, seen from one value of (word & mask), at most: parts of 2^32.
static uint64_t left_out(const struct check_word *known, const struct check_range *range, uint32_t number, uint32_t mask)
{
    uint32_t lowest = number & known->value & known->known;
    uint32_t highest = lowest | (number & ~known->known);
    uint64_t values = range->hole_count;
    values += range->lo > lowest ? range->lo - lowest : 0;
    values += range->hi < highest ? highest - range->hi : 0;
    // Each value of (word & mask) is met by as many of (word & number) as there are choices for the other bits.
    int other_bits = __builtin_popcount(number & ~mask & ~known->known);
    return values > ALL ? (uint64_t)ALL + 1 : (values << 32) >> other_bits;
}

// Whether what is known of (word & mask) is its set, and nothing more: all that is known otherwise leaves out less than there is.
static bool is_simple(const struct check_facts *facts, uint32_t word, uint32_t mask)
{
    const struct check_word *known = &facts->words[word];
    if ((mask & ~known->known) == 0) {
        return true;
    }
    uint64_t parts = mask == ALL ? 0 : left_out(known, &known->whole, ALL, mask);
    for (uint32_t at = known->masked; at != 0 && parts <= ALL; at = facts->nodes[at - 1].next) {
        const struct check_node *node = &facts->nodes[at - 1];
        // Older nodes of this mask say nothing that the newest, which is its set, does not say. A mask that has no undecided bit in
        // common with this one cannot be seen through it, but may take away together with others.
        parts += node->number == mask ? 0 : left_out(known, &node->range, node->number, mask);
    }
    return parts <= ALL;
}

static unsigned word_can(struct check_facts *facts, uint32_t word, uint32_t mask, const struct check_condition *condition,
                         uint64_t base)
{
    facts->steps++;
    struct check_set set = dsl_check_set_of(facts, word, mask);
    unsigned can = set_can(facts, &set, condition, base);
    // More facts can only take something away, so what the set alone rules out is settled.
    if (can != (CHECK_CAN_HOLD | CHECK_CAN_FAIL) || is_simple(facts, word, mask)) {
        return can;
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

// A list of numbers with one high half, or all numbers but such a list: the low half matters where the high one is that.
static unsigned one_high_can(struct check_facts *facts, const struct check_condition *condition, uint32_t only)
{
    uint32_t lo = low_word(condition);
    const struct check_span span = {only, only};
    const struct check_condition is_only = {.spans = &span, .count = 1};
    unsigned hi_can = word_can(facts, lo + 1, high(condition->mask), &is_only, 0);
    unsigned lo_can = word_can(facts, lo, (uint32_t)condition->mask, condition, (uint64_t)only << 32);
    if (hi_can == 0 || lo_can == 0) {
        return 0;
    }
    unsigned elsewhere = condition->has_one_high ? CHECK_CAN_FAIL : CHECK_CAN_HOLD;
    return ((hi_can & CHECK_CAN_HOLD) != 0 ? lo_can : 0) | ((hi_can & CHECK_CAN_FAIL) != 0 ? elsewhere : 0);
}

unsigned dsl_check_condition_can(struct check_facts *facts, const struct check_condition *condition)
{
    uint32_t lo = low_word(condition);
    if (!condition->is_wide) {
        return word_can(facts, lo, (uint32_t)condition->mask, condition, 0);
    }
    struct check_set set = dsl_check_set_of(facts, lo + 1, high(condition->mask));
    if (set.range.lo == set.range.hi) {
        return word_can(facts, lo, (uint32_t)condition->mask, condition, (uint64_t)set.range.lo << 32);
    }
    if (condition->has_one_high) {
        return one_high_can(facts, condition, high(condition->spans[0].first));
    }
    return condition->has_one_gap ? one_high_can(facts, condition, condition->gap_high) : wide_can(facts, condition);
}

bool dsl_check_is_possible(struct check_facts *facts)
{
    const struct question nothing = {.condition = NULL};
    for (uint32_t word = 0; word < CHECK_WORDS; word++) {
        const struct check_word *known = &facts->words[word];
        if (!search_undecided(facts, known, &nothing)) {
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
    struct check_range range = dsl_check_set_of(facts, ret_cut->word, ret_cut->mask).range;
    facts->steps += condition->count;
    uint64_t distance = UINT64_MAX;
    for (uint32_t i = 0; i < condition->count; i++) {
        offer(ret_cut, &distance, range, high(condition->spans[i].first));
        offer(ret_cut, &distance, range, (uint64_t)high(condition->spans[i].first) + 1);
        offer(ret_cut, &distance, range, high(condition->spans[i].last));
        offer(ret_cut, &distance, range, (uint64_t)high(condition->spans[i].last) + 1);
    }
    return distance != UINT64_MAX;
}

bool dsl_check_find_cut(struct check_facts *facts, const struct check_condition *condition, struct check_cut *ret_cut)
{
    if (condition->is_wide && cut_high(facts, condition, ret_cut)) {
        return true;
    }
    // Now the high half is known as far as the condition cares, so only the borders of the low halves are left.
    *ret_cut = (struct check_cut){.word = low_word(condition), .mask = (uint32_t)condition->mask};
    struct check_range range = dsl_check_set_of(facts, ret_cut->word, ret_cut->mask).range;
    facts->steps += condition->count;
    uint64_t distance = UINT64_MAX;
    for (uint32_t i = 0; i < condition->count; i++) {
        offer(ret_cut, &distance, range, (uint32_t)condition->spans[i].first);
        offer(ret_cut, &distance, range, (uint64_t)(uint32_t)condition->spans[i].last + 1);
    }
    return distance != UINT64_MAX;
}
