// check_dead: rules that are never the first to match.
//
// Takes: the rules of a subject. Gives: which of them ask for no call that one before does not take. Requires: nothing. How: two at
// a time; a rule that asks for one value of some bits is within one that asks for its part of fewer bits. Guarantees: what is
// marked is dead; written from the rules, not from the lowering, which leaves such rules out as well (implied.c). Weaknesses: a
// rule that several before it take together is not seen; neither is one within a condition of many spans.
#include "bpf_dsl/check_parts.h"

enum {
    MOST_SPANS = 8,   // of a condition that is compared
    MOST_RULES = 256, // that a rule is compared with
};

static bool has_span(const struct check_condition *condition, uint64_t first, uint64_t last)
{
    for (uint32_t i = 0; i < condition->count; i++) {
        if (condition->spans[i].first <= first && last <= condition->spans[i].last) {
            return true;
        }
    }
    return false;
}

// Whether a condition holds wherever another does.
static bool is_implied_by(const struct check_condition *condition, const struct check_condition *other)
{
    if (condition->argument != other->argument || condition->count > MOST_SPANS || other->count > MOST_SPANS) {
        return false;
    }
    const struct check_span *span = &other->spans[0];
    if (other->count == 1 && span->first == span->last && (condition->mask & ~other->mask) == 0) {
        return has_span(condition, span->first & condition->mask, span->first & condition->mask);
    }
    bool is_within = condition->mask == other->mask;
    for (uint32_t i = 0; i < other->count && is_within; i++) {
        is_within = has_span(condition, other->spans[i].first, other->spans[i].last);
    }
    return is_within;
}

static bool is_condition_implied(const struct check_condition *condition, const struct check_rule *by)
{
    for (uint32_t i = 0; i < by->count; i++) {
        if (is_implied_by(condition, &by->conditions[i])) {
            return true;
        }
    }
    return false;
}

// Whether all calls that a rule is about match one before it.
static bool is_dead(const struct check_rule *rules, uint32_t rule)
{
    for (uint32_t i = 0; i < rule && i < MOST_RULES; i++) {
        const struct check_rule *before = &rules[i];
        uint32_t implied = 0;
        while (implied < before->count && is_condition_implied(&before->conditions[implied], &rules[rule])) {
            implied++;
        }
        if (implied == before->count) {
            return true;
        }
    }
    return false;
}

void dsl_check_mark_dead(struct check_rule *rules, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        rules[i].is_dead = rules[i].count > 0 && is_dead(rules, i);
    }
}
