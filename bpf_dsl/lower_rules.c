// lower_rules: rules become expressions, the stock implementation of the seam `evaluate(builder, call) -> verdict`.
//
// Takes: the resolved rules of one call. Gives: a chain of brig_dsl_if, one link per rule, from the last rule to the first.
// Requires: rules as brig_dsl_resolve makes them (the last one is unconditional). Guarantees: calls with the same rules get the
// same node. Weaknesses: none known; nothing is decided here but what each operator means as a set of masked values.
#include "bpf_dsl/lower.h"

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

static struct brig_dsl_verdict evaluate_rules(const void *context, struct brig_dsl_builder *builder, enum brig_dsl_call call,
                                              enum brig_dsl_arch arch)
{
    (void)arch;
    const struct brig_dsl_rules *rules = context;
    const struct brig_dsl_call_rules *of_call = &rules->calls[call];
    if (call == BRIG_SYS_NONE) {
        return brig_dsl_ret(builder, rules->unknown_ret);
    }
    if (of_call->rule_count == 0) {
        bool is_new = brig_dsl_call_since(call) > rules->kernel;
        return brig_dsl_ret(builder, is_new ? rules->unknown_ret : rules->fallback_ret);
    }
    struct brig_dsl_verdict verdict = brig_dsl_ret(builder, of_call->rules[of_call->rule_count - 1]->ret);
    for (uint32_t i = of_call->rule_count - 1; i-- > 0;) {
        const struct brig_dsl_rule *rule = of_call->rules[i];
        // One after the other: nodes are numbered as they are made, and C leaves the order of arguments open.
        struct brig_dsl_test test = lower_conditions(builder, rule);
        struct brig_dsl_verdict then = brig_dsl_ret(builder, rule->ret);
        verdict = brig_dsl_if(builder, test, then, verdict);
    }
    return verdict;
}

struct brig_dsl_evaluator dsl_rules_evaluator(const struct brig_dsl_rules *rules)
{
    return (struct brig_dsl_evaluator){
        .evaluate = evaluate_rules, .context = rules, .foreign_ret = rules->foreign_ret, .x32_ret = rules->x32_ret};
}
