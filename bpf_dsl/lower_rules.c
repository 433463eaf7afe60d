// lower_rules: rules become expressions, the stock implementation of the seam `evaluate(builder, call) -> verdict`.
//
// Takes: the resolved rules of one call. Gives: a chain of brig_dsl_if, one link per rule, from the last rule to the first; rules
// with one verdict that differ in one list of values are one link. Requires: rules as brig_dsl_resolve makes them (the last one is
// unconditional). Guarantees: calls with the same rules get the same node. Weaknesses: none known; nothing is decided here but what
// each operator means as a set of masked values.
#include "bpf_dsl/lower.h"

#include <string.h>

static struct brig_dsl_test lower_at_least(struct brig_dsl_builder *builder, struct brig_dsl_operand operand, uint64_t value)
{
    uint64_t highest = operand.is_signed ? (operand.bits == 32 ? INT32_MAX : INT64_MAX) : UINT64_MAX;
    return brig_dsl_arg_range(builder, operand, value, highest);
}

static struct brig_dsl_test lower_at_most(struct brig_dsl_builder *builder, struct brig_dsl_operand operand, uint64_t value)
{
    uint64_t lowest = operand.is_signed ? (operand.bits == 32 ? (uint64_t)1 << 31 : (uint64_t)1 << 63) : 0;
    return brig_dsl_arg_range(builder, operand, lowest, value);
}

static struct brig_dsl_test lower_condition(struct brig_dsl_builder *builder, const struct brig_dsl_rule_condition *condition);

// What holds where the same condition with operator `op` does not.
static struct brig_dsl_test lower_contrary(struct brig_dsl_builder *builder, const struct brig_dsl_rule_condition *condition,
                                           enum brig_dsl_operator op)
{
    struct brig_dsl_rule_condition positive = *condition;
    positive.op = (uint8_t)op;
    return brig_dsl_not(builder, lower_condition(builder, &positive));
}

static struct brig_dsl_test lower_condition(struct brig_dsl_builder *builder, const struct brig_dsl_rule_condition *condition)
{
    static const uint64_t zero[] = {0};
    struct brig_dsl_operand operand = {condition->argument, condition->bits, condition->is_signed};
    const uint64_t *values = condition->values;
    switch ((enum brig_dsl_operator)condition->op) {
    case BRIG_DSL_IN:
    case BRIG_DSL_IN_SET:
        return brig_dsl_arg_in(builder, operand, values, condition->value_count);
    case BRIG_DSL_RANGE:
        return brig_dsl_arg_range(builder, operand, values[0], values[1]);
    case BRIG_DSL_AT_LEAST:
        return lower_at_least(builder, operand, values[0]);
    case BRIG_DSL_AT_MOST:
        return lower_at_most(builder, operand, values[0]);
    case BRIG_DSL_MASKED:
        return brig_dsl_arg_masked(builder, operand, values[0], values + 1, condition->value_count - 1);
    case BRIG_DSL_ONLY_BITS:
        return brig_dsl_arg_masked(builder, operand, ~values[0], zero, 1);
    case BRIG_DSL_NO_BITS:
        return brig_dsl_arg_masked(builder, operand, values[0], zero, 1);
    case BRIG_DSL_ALL_BITS:
        return brig_dsl_arg_masked(builder, operand, values[0], values, 1);
    case BRIG_DSL_IS_NULL:
        return brig_dsl_arg_in(builder, operand, zero, 1);
    case BRIG_DSL_NOT_NULL:
        return brig_dsl_not(builder, brig_dsl_arg_in(builder, operand, zero, 1));
    case BRIG_DSL_NOT_IN:
        return lower_contrary(builder, condition, BRIG_DSL_IN);
    case BRIG_DSL_ANY_BITS:
        return lower_contrary(builder, condition, BRIG_DSL_NO_BITS);
    case BRIG_DSL_NOT_MASKED:
        return lower_contrary(builder, condition, BRIG_DSL_MASKED);
    case BRIG_DSL_END:
    case BRIG_DSL_OPERATOR_COUNT:
        break;
    }
    return brig_dsl_always(builder, false);
}

// More conditions than a rule can have without testing an argument twice over; the rest is nested.
enum { DSL_CONDITIONS_AT_ONCE = 16 };

static struct brig_dsl_test lower_conditions(struct brig_dsl_builder *builder, const struct brig_dsl_rule *rule)
{
    struct brig_dsl_test tests[DSL_CONDITIONS_AT_ONCE];
    size_t count = 0;
    for (uint32_t i = 0; i < rule->condition_count; i++) {
        if (count == DSL_CONDITIONS_AT_ONCE) {
            tests[0] = brig_dsl_all_of(builder, tests, count);
            count = 1;
        }
        tests[count++] = lower_condition(builder, &rule->conditions[i]);
    }
    return brig_dsl_all_of(builder, tests, count);
}

// --- rules that differ in one list of values --------------------------------------------------------------------------

static bool same_values(const struct brig_dsl_rule_condition *a, const struct brig_dsl_rule_condition *b)
{
    return a->value_count == b->value_count &&
           (a->value_count == 0 || memcmp(a->values, b->values, a->value_count * sizeof *a->values) == 0);
}

static bool same_place(const struct brig_dsl_rule_condition *a, const struct brig_dsl_rule_condition *b)
{
    return a->op == b->op && a->argument == b->argument && a->bits == b->bits && a->is_signed == b->is_signed;
}

#define NO_LIST UINT32_MAX

// The one condition in which two rules differ, where both list values there. Returns: its index, or NO_LIST.
static uint32_t find_list(const struct brig_dsl_rule *a, const struct brig_dsl_rule *b)
{
    uint32_t found = NO_LIST;
    if (a->ret != b->ret || a->condition_count != b->condition_count) {
        return NO_LIST;
    }
    for (uint32_t i = 0; i < a->condition_count; i++) {
        if (!same_place(&a->conditions[i], &b->conditions[i])) {
            return NO_LIST;
        }
        if (!same_values(&a->conditions[i], &b->conditions[i])) {
            if (found != NO_LIST || a->conditions[i].op != BRIG_DSL_IN) {
                return NO_LIST;
            }
            found = i;
        }
    }
    return found;
}

// Joins rules[first .. last], which differ in condition `list` only, into one: a policy that was made from a table has a row per
// value, and one list of a thousand values costs far less than a thousand rules.
static struct brig_dsl_test lower_joined(struct brig_dsl_builder *builder, const struct brig_dsl_rule *const *rules, uint32_t count,
                                         uint32_t list)
{
    struct brig_dsl_arena *arena = builder->nodes.arena;
    struct brig_dsl_rule_condition *conditions = DSL_ARENA_ARRAY(arena, struct brig_dsl_rule_condition, rules[0]->condition_count);
    uint32_t value_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        value_count += rules[i]->conditions[list].value_count;
    }
    uint64_t *values = DSL_ARENA_ARRAY(arena, uint64_t, value_count);
    if (conditions == NULL || values == NULL) {
        return brig_dsl_always(builder, false);
    }
    memcpy(conditions, rules[0]->conditions, rules[0]->condition_count * sizeof *conditions);
    conditions[list].value_count = 0;
    conditions[list].values = values;
    for (uint32_t i = 0; i < count; i++) {
        const struct brig_dsl_rule_condition *part = &rules[i]->conditions[list];
        memcpy(values + conditions[list].value_count, part->values, part->value_count * sizeof *values);
        conditions[list].value_count += part->value_count;
    }
    const struct brig_dsl_rule joined = {.condition_count = rules[0]->condition_count, .conditions = conditions};
    return lower_conditions(builder, &joined);
}

// Lowers the rules that end with `last` and differ in one list of values. *ret_first is the first of them.
static struct brig_dsl_test lower_group(struct brig_dsl_builder *builder, const struct brig_dsl_call_rules *of_call, uint32_t last,
                                        uint32_t *ret_first)
{
    const struct brig_dsl_rule *rule = of_call->rules[last];
    uint32_t list = NO_LIST;
    uint32_t first = last;
    while (first > 0) {
        uint32_t found = find_list(of_call->rules[first - 1], rule);
        if (found == NO_LIST || (first != last && found != list)) {
            break;
        }
        list = found;
        first--;
    }
    *ret_first = first;
    return first == last ? lower_conditions(builder, rule) : lower_joined(builder, of_call->rules + first, last - first + 1, list);
}

static struct brig_dsl_verdict evaluate_rules(const void *context, struct brig_dsl_builder *builder, enum brig_dsl_call call,
                                              enum brig_dsl_arch arch)
{
    (void)arch;
    const struct brig_dsl_rules *rules = context;
    const struct brig_dsl_call_rules *of_call = brig_dsl_rules_of(rules, call);
    if (call == BRIG_SYS_NONE) {
        return brig_dsl_ret(builder, rules->unknown_ret);
    }
    if (of_call->rule_count == 0) {
        bool is_new = brig_dsl_call_since(call) > rules->kernel;
        return brig_dsl_ret(builder, is_new ? rules->unknown_ret : rules->fallback_ret);
    }
    struct brig_dsl_verdict verdict = brig_dsl_ret(builder, of_call->rules[of_call->rule_count - 1]->ret);
    for (uint32_t left = of_call->rule_count - 1, first; left > 0; left = first) {
        // One after the other: nodes are numbered as they are made, and C leaves the order of arguments open.
        struct brig_dsl_test test = lower_group(builder, of_call, left - 1, &first);
        struct brig_dsl_verdict then = brig_dsl_ret(builder, of_call->rules[left - 1]->ret);
        verdict = brig_dsl_if(builder, test, then, verdict);
    }
    return verdict;
}

struct brig_dsl_evaluator dsl_rules_evaluator(const struct brig_dsl_rules *rules)
{
    return (struct brig_dsl_evaluator){.evaluate = evaluate_rules,
                                       .context = rules,
                                       .foreign_ret = rules->foreign_ret,
                                       .x32_ret = rules->x32_ret,
                                       .asks_broker = rules->asks_broker,
                                       .is_bare = rules->is_import};
}

// --- what has to be asked ---------------------------------------------------------------------------------------------

// Returns: rules that say of calls without rules what they say of numbers that are no call; NULL if the evaluator is none such.
static const struct brig_dsl_rules *sparse_rules(const struct brig_dsl_evaluator *evaluator)
{
    const struct brig_dsl_rules *rules = evaluator->evaluate == evaluate_rules ? evaluator->context : NULL;
    return rules != NULL && rules->fallback_ret == rules->unknown_ret ? rules : NULL;
}

static void ask_about(struct dsl_asked_calls *asked, uint32_t call)
{
    uint32_t nr = (uint32_t)brig_dsl_call_nr((enum brig_dsl_call)call, asked->arch);
    asked->most++;
    if (brig_dsl_rules_of(asked->rules, call)->rule_count != 0 && nr < BRIG_DSL_TRAP_NRS) {
        asked->nr_set[nr / 64] |= UINT64_C(1) << nr % 64;
        asked->end = nr >= asked->end ? nr + 1 : asked->end;
    }
}

struct dsl_asked_calls dsl_asked_calls(const struct brig_dsl_evaluator *evaluator, enum brig_dsl_arch arch)
{
    struct dsl_asked_calls asked = {.rules = sparse_rules(evaluator), .arch = arch};
    asked.most = asked.rules == NULL ? BRIG_SYS_COUNT : 0;
    for (uint32_t call = 0; asked.rules != NULL && call < BRIG_SYS_COUNT; call++) {
        uint64_t rest = asked.rules->with_rules != NULL ? asked.rules->with_rules[call / 64] >> call % 64 : 1;
        if (rest == 0) {
            call |= 63; // none up to here
            continue;
        }
        call += (uint32_t)__builtin_ctzll(rest);
        ask_about(&asked, call);
    }
    return asked;
}

// Moves to the next number that is in the set, or behind it.
static void skip_silent(struct dsl_asked_calls *asked)
{
    while (asked->from < asked->end) {
        uint64_t rest = asked->nr_set[asked->from / 64] >> asked->from % 64;
        if (rest != 0) {
            asked->from += (uint32_t)__builtin_ctzll(rest);
            return;
        }
        asked->from = (asked->from | 63) + 1;
    }
    asked->from = asked->from < BRIG_DSL_TRAP_NRS ? BRIG_DSL_TRAP_NRS : asked->from;
}

enum brig_dsl_call dsl_asked_next(struct dsl_asked_calls *asked, uint32_t *ret_nr)
{
    enum brig_dsl_call call;
    do {
        if (asked->rules != NULL) {
            skip_silent(asked);
        }
        call = brig_dsl_next_call(asked->arch, asked->from, ret_nr);
        asked->from = *ret_nr + 1;
    } while (call != BRIG_SYS_NONE && asked->rules != NULL && brig_dsl_rules_of(asked->rules, call)->rule_count == 0);
    return call;
}
