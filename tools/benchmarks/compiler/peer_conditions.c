// peer_conditions: what one register is compared with, as libseccomp can say it.
//
// Takes: a resolved condition. Gives: comparisons of which at least one holds where the condition does: (register & mask) == value,
// register != value, register >= value, register <= value; all unsigned, of all 64 bits. Also what two of them have to do with each
// other. Weakness: no signs, no sizes of 32 bits, no "none of several"; those are said to have no form.
#include "tools/benchmarks/compiler/peer.h"

// --- comparisons ------------------------------------------------------------------------------------------------------

struct peer_comparison peer_masked(uint64_t mask, uint64_t value)
{
    return (struct peer_comparison){PEER_MASKED, mask, value & mask};
}

static bool holds(const struct peer_comparison *comparison, uint64_t number)
{
    switch (comparison->op) {
    case PEER_ANY:
        return true;
    case PEER_MASKED:
        return (number & comparison->mask) == comparison->value;
    case PEER_NE:
        return number != comparison->value;
    case PEER_GE:
        return number >= comparison->value;
    case PEER_LE:
        return number <= comparison->value;
    }
    return false;
}

static bool is_one_value(const struct peer_comparison *comparison)
{
    return comparison->op == PEER_MASKED && comparison->mask == UINT64_MAX;
}

bool peer_is_apart(const struct peer_comparison *a, const struct peer_comparison *b)
{
    if (is_one_value(a)) {
        return !holds(b, a->value);
    }
    if (is_one_value(b)) {
        return !holds(a, b->value);
    }
    if (a->op == PEER_MASKED && b->op == PEER_MASKED) {
        return ((a->value ^ b->value) & a->mask & b->mask) != 0;
    }
    return (a->op == PEER_GE && b->op == PEER_LE && b->value < a->value) ||
           (a->op == PEER_LE && b->op == PEER_GE && a->value < b->value);
}

bool peer_is_within(const struct peer_comparison *a, const struct peer_comparison *b)
{
    if (b->op == PEER_ANY || is_one_value(a)) {
        return b->op == PEER_ANY || holds(b, a->value);
    }
    if (a->op == PEER_MASKED && b->op == PEER_MASKED) {
        return (b->mask & ~a->mask) == 0 && (a->value & b->mask) == b->value;
    }
    if (b->op == PEER_NE) {
        return a->op == PEER_NE ? a->value == b->value : !holds(a, b->value);
    }
    return a->op == b->op && (a->op == PEER_GE ? a->value >= b->value : a->op == PEER_LE && a->value <= b->value);
}

size_t peer_negate(const struct peer_comparison *comparison, struct peer_comparison ret_parts[PEER_PARTS_MAX])
{
    size_t count = 0;
    switch (comparison->op) {
    case PEER_ANY:
        return 0;
    case PEER_NE:
        ret_parts[0] = peer_masked(UINT64_MAX, comparison->value);
        return 1;
    case PEER_GE:
        ret_parts[0] = (struct peer_comparison){PEER_LE, 0, comparison->value - 1};
        return 1;
    case PEER_LE:
        ret_parts[0] = (struct peer_comparison){PEER_GE, 0, comparison->value + 1};
        return 1;
    case PEER_MASKED:
        break;
    }
    if (is_one_value(comparison)) {
        ret_parts[0] = (struct peer_comparison){PEER_NE, 0, comparison->value};
        return 1;
    }
    if (__builtin_popcountll(comparison->mask) > PEER_PARTS_MAX) {
        return 0;
    }
    for (uint64_t rest = comparison->mask; rest; rest &= rest - 1) {
        const uint64_t bit = rest & -rest;
        ret_parts[count++] = peer_masked(bit, ~comparison->value);
    }
    return count;
}

// --- conditions -------------------------------------------------------------------------------------------------------

static void add_alternative(struct peer_alternatives *alternatives, struct peer_comparison comparison)
{
    if (alternatives->count < PEER_ALTERNATIVES_MAX) {
        alternatives->parts[alternatives->count] = comparison;
    }
    alternatives->count++;
}

// The bits of a condition's register that count.
static uint64_t all_of(const struct brig_dsl_rule_condition *condition)
{
    return condition->bits == 32 ? UINT32_MAX : UINT64_MAX;
}

static void list_values(const struct brig_dsl_rule_condition *condition, uint64_t mask, uint32_t first,
                        struct peer_alternatives *ret_all)
{
    for (uint32_t i = first; i < condition->value_count; i++) {
        if ((condition->values[i] & all_of(condition) & ~mask) == 0) { // else no number meets it
            add_alternative(ret_all, peer_masked(mask, condition->values[i]));
        }
    }
}

static void list_bits(uint64_t bits, struct peer_alternatives *ret_all)
{
    for (uint64_t rest = bits; rest; rest &= rest - 1) {
        add_alternative(ret_all, peer_masked(rest & -rest, UINT64_MAX));
    }
}

// Returns: NULL, or why there is no form.
static const char *list_range(const struct brig_dsl_rule_condition *condition, struct peer_alternatives *ret_all)
{
    const bool has_low = condition->op != BRIG_DSL_AT_MOST, has_high = condition->op != BRIG_DSL_AT_LEAST;
    const uint64_t low = has_low ? condition->values[0] : 0;
    const uint64_t high = has_high ? condition->values[condition->value_count - 1] : UINT64_MAX;
    if (condition->is_signed || condition->bits == 32) {
        return condition->is_signed ? "compares with a sign" : "compares the size of one half";
    }
    if (low != 0 && high != UINT64_MAX) {
        return "needs two comparisons";
    }
    add_alternative(ret_all, low != 0 ? (struct peer_comparison){PEER_GE, 0, low} : (struct peer_comparison){PEER_LE, 0, high});
    return NULL;
}

static const char *list_others(const struct brig_dsl_rule_condition *condition, struct peer_alternatives *ret_all)
{
    if (condition->value_count != 1 || condition->bits == 32) {
        return condition->bits == 32 ? "compares one half for difference" : "is none of several values";
    }
    add_alternative(ret_all, (struct peer_comparison){PEER_NE, 0, condition->values[0]});
    return NULL;
}

static const char *list_unlike(const struct brig_dsl_rule_condition *condition, struct peer_alternatives *ret_all)
{
    struct peer_comparison parts[PEER_PARTS_MAX];
    const struct peer_comparison taken = peer_masked(condition->values[0] & all_of(condition), condition->values[1]);
    const size_t count = condition->value_count == 2 ? peer_negate(&taken, parts) : 0;
    for (size_t i = 0; i < count; i++) {
        add_alternative(ret_all, parts[i]);
    }
    return count ? NULL : "is none of several values, or many bits differ";
}

const char *peer_list_alternatives(const struct brig_dsl_rule_condition *condition, struct peer_alternatives *ret_all)
{
    const uint64_t all = all_of(condition), first = condition->value_count ? condition->values[0] & all : 0;
    ret_all->count = 0;
    switch ((enum brig_dsl_operator)condition->op) {
    case BRIG_DSL_IN:
    case BRIG_DSL_IN_SET:
        list_values(condition, all, 0, ret_all);
        return NULL;
    case BRIG_DSL_MASKED:
        list_values(condition, first, 1, ret_all);
        return NULL;
    case BRIG_DSL_ONLY_BITS:
        add_alternative(ret_all, peer_masked(all & ~first, 0));
        return NULL;
    case BRIG_DSL_NO_BITS:
        add_alternative(ret_all, peer_masked(first, 0));
        return NULL;
    case BRIG_DSL_ALL_BITS:
        add_alternative(ret_all, peer_masked(first, first));
        return NULL;
    case BRIG_DSL_ANY_BITS:
        list_bits(first, ret_all);
        return NULL;
    case BRIG_DSL_IS_NULL:
        add_alternative(ret_all, peer_masked(all, 0));
        return NULL;
    case BRIG_DSL_NOT_NULL:
        add_alternative(ret_all, (struct peer_comparison){PEER_NE, 0, 0});
        return all == UINT64_MAX ? NULL : "compares one half for difference";
    case BRIG_DSL_NOT_IN:
        return list_others(condition, ret_all);
    case BRIG_DSL_NOT_MASKED:
        return list_unlike(condition, ret_all);
    case BRIG_DSL_RANGE:
    case BRIG_DSL_AT_LEAST:
    case BRIG_DSL_AT_MOST:
        return list_range(condition, ret_all);
    case BRIG_DSL_END:
    case BRIG_DSL_OPERATOR_COUNT:
        break;
    }
    return "has a form of its own";
}
