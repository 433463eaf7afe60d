// check_worth: what a condition is worth under the facts of a path.
//
// Takes: facts and conditions. Gives: whether a call with these facts can meet the condition, and whether one can fail it; where
// both, a place to cut the facts in two. Guarantees: exact: the halves of a wide argument are two words, which are independent of
// each other.
#include "bpf_dsl/check_parts.h"

#define ALL UINT32_MAX

// --- conditions -------------------------------------------------------------------------------------------------------

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
    return (dsl_check_word_can(facts, word, mask, &condition, 0) & CHECK_CAN_HOLD) != 0;
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
    unsigned hi_can = dsl_check_word_can(facts, lo + 1, high(condition->mask), &is_only, 0);
    unsigned lo_can = dsl_check_word_can(facts, lo, (uint32_t)condition->mask, condition, (uint64_t)only << 32);
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
        return dsl_check_word_can(facts, lo, (uint32_t)condition->mask, condition, 0);
    }
    struct check_set set = dsl_check_set_of(facts, lo + 1, high(condition->mask));
    if (set.range.lo == set.range.hi) {
        return dsl_check_word_can(facts, lo, (uint32_t)condition->mask, condition, (uint64_t)set.range.lo << 32);
    }
    if (condition->has_one_high) {
        return one_high_can(facts, condition, high(condition->spans[0].first));
    }
    return condition->has_one_gap ? one_high_can(facts, condition, condition->gap_high) : wide_can(facts, condition);
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
