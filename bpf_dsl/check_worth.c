// check_worth: what a condition is worth under the facts of a path.
//
// Takes: facts and conditions. Gives: whether a call with these facts can meet the condition, and whether one can fail it; where
// both, a place to cut the facts in two. Guarantees: exact: the halves of a wide argument are two words, which are independent of
// each other. Of many spans in several high halves, those are looked at that can have what is known of one half: programs mostly
// ask for the low one first, so spans are sorted by that as well. What was found out last is remembered: most tests say nothing new
// about most conditions.
#include "bpf_dsl/check_parts.h"

#define ALL UINT32_MAX

enum {
    FEW_SPANS = 8,   // so many are looked through one by one
    NEAR_SPANS = 24, // most that are picked out
};
#define NOT_FEW UINT32_MAX

// --- spans by their low halves ----------------------------------------------------------------------------------------

// Low halves of one span, which is in one high half.
struct low {
    uint32_t first;
    uint32_t last;
    uint32_t highest; // `last` of this one and of those before it, at most
    uint32_t span;
};

struct check_lows {
    struct low *lows; // by `first`, then by `span`
    uint32_t count;
    uint32_t *crossing; // spans in more than one high half
    uint32_t crossing_count;
};

static uint32_t high(uint64_t value)
{
    return (uint32_t)(value >> 32);
}

static bool is_before(const struct low *a, const struct low *b)
{
    return a->first < b->first || (a->first == b->first && a->span < b->span);
}

// Shell sort: short and in place.
static void sort_lows(struct low *lows, uint32_t count)
{
    for (uint32_t gap = count / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11) {
        for (uint32_t i = gap; i < count; i++) {
            struct low low = lows[i];
            uint32_t at = i;
            for (; at >= gap && is_before(&low, &lows[at - gap]); at -= gap) {
                lows[at] = lows[at - gap];
            }
            lows[at] = low;
        }
    }
}

bool dsl_check_sort_lows(struct check_condition *condition, struct brig_dsl_arena *arena)
{
    if (!condition->is_wide || condition->count <= FEW_SPANS || condition->has_one_high || condition->has_one_gap) {
        return true;
    }
    struct check_lows *lows = DSL_ARENA_NEW(arena, struct check_lows);
    struct low *all = DSL_ARENA_ARRAY(arena, struct low, condition->count);
    uint32_t *crossing = DSL_ARENA_ARRAY(arena, uint32_t, condition->count);
    if (lows == NULL || all == NULL || crossing == NULL) {
        return false;
    }
    *lows = (struct check_lows){.lows = all, .crossing = crossing};
    for (uint32_t i = 0; i < condition->count; i++) {
        const struct check_span *span = &condition->spans[i];
        if (high(span->first) == high(span->last)) {
            all[lows->count++] = (struct low){.first = (uint32_t)span->first, .last = (uint32_t)span->last, .span = i};
        } else {
            crossing[lows->crossing_count++] = i;
        }
    }
    sort_lows(all, lows->count);
    for (uint32_t i = 0, highest = 0; i < lows->count; i++) {
        highest = all[i].last > highest ? all[i].last : highest;
        all[i].highest = highest;
    }
    condition->lows = lows;
    return true;
}

// Index of the first span that may have a low half at or above `from`.
static uint32_t first_low(const struct check_lows *lows, uint32_t from)
{
    uint32_t low = 0;
    for (uint32_t end = lows->count; low < end;) {
        uint32_t middle = low + (end - low) / 2;
        if (lows->lows[middle].highest < from) {
            low = middle + 1;
        } else {
            end = middle;
        }
    }
    return low;
}

static void insert(uint32_t *spans, uint32_t count, uint32_t span)
{
    for (; count > 0 && spans[count - 1] > span; count--) {
        spans[count] = spans[count - 1];
    }
    spans[count] = span;
}

// Lists the spans that may have low halves in `range`, in their order. Returns: how many; NOT_FEW if too many.
static uint32_t list_near(const struct check_lows *lows, struct check_range range, uint32_t ret_spans[NEAR_SPANS])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < lows->crossing_count; i++) {
        if (count == NEAR_SPANS) {
            return NOT_FEW;
        }
        ret_spans[count++] = lows->crossing[i];
    }
    for (uint32_t i = first_low(lows, range.lo); i < lows->count && lows->lows[i].first <= range.hi; i++) {
        if (count == NEAR_SPANS) {
            return NOT_FEW;
        }
        insert(ret_spans, count++, lows->lows[i].span);
    }
    return count;
}

// --- conditions -------------------------------------------------------------------------------------------------------

static uint32_t low_word(const struct check_condition *condition)
{
    return CHECK_ARGUMENTS + 2u * condition->argument;
}

// Whether the number can be in [first, last]: high halves between the ends with any low half, or at an end with its part.
static bool wide_meets(struct check_facts *facts, const struct check_condition *condition, uint64_t first, uint64_t last)
{
    uint32_t lo = low_word(condition);
    uint32_t lo_mask = (uint32_t)condition->mask;
    uint32_t hi_mask = high(condition->mask);
    bool same = high(first) == high(last);
    uint32_t first_end = same ? (uint32_t)last : ALL;
    if (dsl_check_word_meets(facts, lo + 1, hi_mask, high(first), high(first)) &&
        dsl_check_word_meets(facts, lo, lo_mask, (uint32_t)first, first_end)) {
        return true;
    }
    if (same) {
        return false;
    }
    if (high(last) - high(first) > 1 && dsl_check_word_meets(facts, lo + 1, hi_mask, high(first) + 1, high(last) - 1)) {
        return true;
    }
    return dsl_check_word_meets(facts, lo + 1, hi_mask, high(last), high(last)) &&
           dsl_check_word_meets(facts, lo, lo_mask, 0, (uint32_t)last);
}

// Each span and each gap by itself.
static unsigned spans_can(struct check_facts *facts, const struct check_condition *condition)
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

// Index of the first span that ends in high half `from` or above it.
static uint32_t first_of_high(const struct check_condition *condition, uint64_t from)
{
    uint32_t low = 0;
    for (uint32_t end = condition->count; low < end;) {
        uint32_t middle = low + (end - low) / 2;
        if (high(condition->spans[middle].last) < from) {
            low = middle + 1;
        } else {
            end = middle;
        }
    }
    return low;
}

// Spans in several high halves, and those not known. Spans that have nothing of what is known of either half might as well not be
// there: no number in them is asked about.
static unsigned wide_can(struct check_facts *facts, const struct check_condition *condition, struct check_range highs)
{
    struct check_condition few = *condition;
    struct check_span near[NEAR_SPANS];
    uint32_t indices[NEAR_SPANS];
    if (dsl_check_is_empty(&highs)) {
        return 0; // no call has these facts
    }
    uint32_t first = first_of_high(condition, highs.lo);
    uint32_t end = first_of_high(condition, (uint64_t)highs.hi + 1);
    end += end < condition->count && high(condition->spans[end].first) <= highs.hi;
    few.spans += first;
    few.count = end - first;
    if (few.count > FEW_SPANS && condition->lows != NULL) {
        struct check_range lows = dsl_check_set_of(facts, low_word(condition), (uint32_t)condition->mask).range;
        uint32_t count = list_near(condition->lows, lows, indices);
        for (uint32_t i = 0; i < count && count < few.count; i++) {
            near[i] = condition->spans[indices[i]];
        }
        few.spans = count < few.count ? near : few.spans;
        few.count = count < few.count ? count : few.count;
    }
    return spans_can(facts, &few);
}

// A list of numbers with one high half, or all numbers but such a list: the low half matters where the high one is that.
static unsigned one_high_can(struct check_facts *facts, const struct check_condition *condition, uint32_t only)
{
    uint32_t lo = low_word(condition);
    const struct check_span span = {only, only};
    const struct check_condition is_only = {.spans = &span, .count = 1};
    unsigned lo_can = dsl_check_word_can(facts, lo, (uint32_t)condition->mask, condition, (uint64_t)only << 32);
    unsigned elsewhere = condition->has_one_high ? CHECK_CAN_FAIL : CHECK_CAN_HOLD;
    if (lo_can == 0 || lo_can == elsewhere) {
        return lo_can; // whatever the high half is
    }
    unsigned hi_can = dsl_check_word_can(facts, lo + 1, high(condition->mask), &is_only, 0);
    if (hi_can == 0) {
        return 0;
    }
    return ((hi_can & CHECK_CAN_HOLD) != 0 ? lo_can : 0) | ((hi_can & CHECK_CAN_FAIL) != 0 ? elsewhere : 0);
}

static unsigned condition_can(struct check_facts *facts, const struct check_condition *condition)
{
    uint32_t lo = low_word(condition);
    if (!condition->is_wide) {
        return dsl_check_word_can(facts, lo, (uint32_t)condition->mask, condition, 0);
    }
    struct check_set set = dsl_check_set_of(facts, lo + 1, high(condition->mask));
    if (set.range.lo == set.range.hi) {
        return dsl_check_word_can(facts, lo, (uint32_t)condition->mask, condition, (uint64_t)set.range.lo << 32);
    }
    if (condition->has_one_high) {
        return one_high_can(facts, condition, high(condition->spans[0].first));
    }
    return condition->has_one_gap ? one_high_can(facts, condition, condition->gap_high) : wide_can(facts, condition, set.range);
}

unsigned dsl_check_condition_can(struct check_facts *facts, const struct check_condition *condition)
{
    struct check_memo *memo = condition->memo;
    uint32_t lo = low_word(condition);
    uint32_t low_version = facts->words[lo].version;
    uint32_t high_version = condition->is_wide ? facts->words[lo + 1].version : 0;
    if (memo == NULL) {
        return condition_can(facts, condition);
    }
    facts->steps++;
    if ((low_version | high_version) == 0) {
        memo->can_fresh = memo->can_fresh != 0 ? memo->can_fresh : (uint8_t)condition_can(facts, condition);
        return memo->can_fresh;
    }
    if (memo->can == 0 || memo->low_version != low_version || memo->high_version != high_version) {
        memo->can = (uint8_t)condition_can(facts, condition);
        memo->low_version = low_version;
        memo->high_version = high_version;
    }
    return memo->can;
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
