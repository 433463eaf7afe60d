// check_facts: what one path through the program has found out, and sets of numbers.
//
// Takes: what a path learns. Gives: what is known of (word & mask): a set, which is a range with holes, some bits of which are
// known. Guarantees: exact about sets. Requires: holes are single values. Weaknesses: what is known through another mask of the
// same word is not in a set unless it settles bits; check_words.c puts that together.
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

const struct check_node *dsl_check_find_mask(const struct check_facts *facts, uint32_t word, uint32_t mask)
{
    const struct check_word *known = &facts->words[word];
    bool is_there = (known->masks & dsl_check_mask_bit(mask)) != 0;
    for (uint32_t at = is_there ? known->masked : 0; at != 0; at = facts->nodes[at - 1].next) {
        if (facts->nodes[at - 1].number == mask) {
            return &facts->nodes[at - 1];
        }
    }
    return NULL;
}

void dsl_check_learn(struct check_facts *facts, uint32_t word, uint32_t mask, struct check_range range)
{
    struct check_word *known = &facts->words[word];
    if (mask == ALL && known->whole.lo == range.lo && known->whole.hi == range.hi && known->whole.hole == range.hole) {
        return;
    }
    if (facts->undo_count == facts->undo_limit) {
        facts->overflowed = true;
        return;
    }
    struct check_undo *undo = &facts->undo[facts->undo_count++];
    undo->word = word;
    undo->was = *known;
    known->version = ++facts->versions;
    // Numbers between two that begin alike begin so as well.
    uint32_t differ = range.lo ^ range.hi;
    uint32_t settled = differ == 0 ? mask : mask & ~(ALL >> __builtin_clz(differ));
    known->known |= settled;
    known->value = (known->value & ~settled) | (range.lo & settled);
    if (mask == ALL) {
        known->whole = range;
    } else if (range.lo != range.hi) {
        known->masked = push_node(facts, (struct check_node){mask, known->masked, range});
        known->masks |= dsl_check_mask_bit(mask);
    }
}

void dsl_check_unlearn(struct check_facts *facts, uint32_t word)
{
    if (facts->undo_count == facts->undo_limit) {
        facts->overflowed = true;
        return;
    }
    facts->undo[facts->undo_count++] = (struct check_undo){word, facts->words[word]};
    facts->words[word] = (struct check_word){.whole = {.hi = ALL}};
}

void dsl_check_add_hole(struct check_facts *facts, struct check_range *range, uint32_t value)
{
    range->hole = push_node(facts, (struct check_node){.number = value, .next = range->hole});
    range->hole_count++;
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

bool dsl_check_next_fitting(uint32_t free, uint32_t fixed, uint32_t from, uint32_t *ret_value)
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

bool dsl_check_find_value(struct check_facts *facts, const struct check_set *set, uint32_t lo, uint32_t hi)
{
    uint32_t value = lo;
    while (dsl_check_next_fitting(set->free, set->fixed, value, &value) && value <= hi) {
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
    if (range.lo > range.hi) {
        return (struct check_range){.lo = 1, .hi = 0};
    }
    if (range.hi - range.lo >= range.hole_count && dsl_check_is_gapless(set)) {
        return range;
    }
    // Counting down is counting up with all bits turned round.
    if (!dsl_check_set_meets(facts, set, 0, ALL) || !dsl_check_next_fitting(set->free, set->fixed, range.lo, &range.lo) ||
        !dsl_check_next_fitting(set->free, ~(set->fixed | set->free), ~range.hi, &not_hi)) {
        return (struct check_range){.lo = 1, .hi = 0};
    }
    range.hi = ~not_hi;
    return range;
}

// Halves are chosen without branches, which could not be foretold.
uint32_t dsl_check_first_span(const struct check_condition *condition, uint64_t from)
{
    const struct check_span *spans = condition->spans;
    uint32_t low = 0;
    for (uint32_t left = condition->count; left > 0;) {
        uint32_t half = (left + 1) / 2;
        low += half & (0 - (uint32_t)(spans[low + half - 1].last < from));
        left -= half;
    }
    return low;
}

unsigned dsl_check_set_can(struct check_facts *facts, const struct check_set *set, const struct check_condition *condition,
                           uint64_t base)
{
    unsigned can = 0;
    uint64_t last = base | set->range.hi;
    uint64_t at = base | set->range.lo;
    for (uint32_t i = dsl_check_first_span(condition, at); at <= last && can != (CHECK_CAN_HOLD | CHECK_CAN_FAIL); i++) {
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
