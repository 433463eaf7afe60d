// random_calls: see random_calls.h.
#include "tests/bpf_dsl/random_calls.h"

#include "tests/bpf_dsl/random_values.h"

static const struct brig_dsl_rule *some_rule(struct random *random, const struct brig_dsl_call_rules *rules)
{
    return rules->rule_count > 1 ? rules->rules[random_below(random, rules->rule_count - 1)] : NULL;
}

static const struct brig_dsl_rule_condition *some_condition_of(struct random *random, const struct brig_dsl_call_rules *rules,
                                                               int argument)
{
    for (int tries = 0; tries < 8 && rules->rule_count > 1; tries++) {
        const struct brig_dsl_rule *rule = some_rule(random, rules);
        const struct brig_dsl_rule_condition *condition = &rule->conditions[random_below(random, rule->condition_count)];
        if (condition->argument == argument && condition->value_count > 0) {
            return condition;
        }
    }
    return NULL;
}

uint64_t random_value(struct random *random, const struct brig_dsl_rules *rules, enum brig_dsl_call call, int argument)
{
    const struct brig_dsl_rule_condition *condition = some_condition_of(random, brig_dsl_rules_of(rules, call), argument);
    if (condition == NULL || random_once_in(random, 8)) {
        return random_number(random);
    }
    return random_near(random, condition->values[random_below(random, condition->value_count)]);
}

// --- meeting conditions -----------------------------------------------------------------------------------------------

// A value that meets the condition, as far as one condition alone goes.
static uint64_t meet(struct random *random, const struct brig_dsl_rule_condition *condition)
{
    const uint64_t *values = condition->values;
    uint64_t any = random_next(random);
    any &= random_next(random);
    switch ((enum brig_dsl_operator)condition->op) {
    case BRIG_DSL_IN:
    case BRIG_DSL_RANGE:
    case BRIG_DSL_AT_LEAST:
    case BRIG_DSL_AT_MOST:
        return values[random_below(random, condition->value_count)];
    case BRIG_DSL_MASKED:
        return values[1 + random_below(random, condition->value_count - 1)] | (any & ~values[0]);
    case BRIG_DSL_ONLY_BITS:
        return any & values[0];
    case BRIG_DSL_NO_BITS:
        return any & ~values[0];
    case BRIG_DSL_ALL_BITS:
    case BRIG_DSL_ANY_BITS:
        return values[0] | any;
    case BRIG_DSL_IS_NULL:
        return 0;
    default: // what a random number meets more often than not
        return random_number(random);
    }
}

static void meet_all(struct random *random, const struct brig_dsl_rule *rule, struct brig_dsl_data *data)
{
    for (uint32_t i = 0; i < rule->condition_count; i++) {
        const struct brig_dsl_rule_condition *condition = &rule->conditions[i];
        uint64_t value = meet(random, condition);
        bool is_dirty = condition->bits == 32 && random_once_in(random, 2);
        data->args[condition->argument] = is_dirty ? value ^ random_next(random) << 32 : value;
    }
}

// --- random calls -----------------------------------------------------------------------------------------------------

static enum brig_dsl_call some_call(struct random *random, const struct brig_dsl_rules *rules)
{
    for (int tries = 0; tries < 4000; tries++) {
        uint32_t call = 1 + random_below(random, BRIG_SYS_COUNT - 1);
        bool exists = brig_dsl_call_nr((enum brig_dsl_call)call, rules->arch) >= 0;
        if (exists && (brig_dsl_rules_of(rules, call)->rule_count > 1 || tries > 2000)) {
            return (enum brig_dsl_call)call;
        }
    }
    return BRIG_SYS_NONE;
}

static struct brig_dsl_data data_of(struct random *random, const struct brig_dsl_rules *rules, enum brig_dsl_call call)
{
    struct brig_dsl_data data = {.nr = (uint32_t)brig_dsl_call_nr(call, rules->arch),
                                 .audit_arch = brig_dsl_arch_audit(rules->arch),
                                 .ip = random_next(random)};
    for (int i = 0; i < 6; i++) {
        data.args[i] = random_value(random, rules, call, i);
    }
    const struct brig_dsl_rule *rule = some_rule(random, brig_dsl_rules_of(rules, call));
    if (rule != NULL && !random_once_in(random, 3)) {
        meet_all(random, rule, &data);
        uint32_t spoiled = random_below(random, 12);
        if (spoiled < 6) {
            data.args[spoiled] = random_near(random, data.args[spoiled]);
        }
    }
    return data;
}

struct brig_dsl_data random_data(struct random *random, const struct brig_dsl_rules *rules)
{
    struct brig_dsl_data data = data_of(random, rules, some_call(random, rules));
    switch (random_below(random, 64)) {
    case 0:
        data.audit_arch = (uint32_t)random_number(random);
        break;
    case 1:
        data.nr = (uint32_t)random_number(random);
        break;
    case 2:
        data.nr |= 0x40000000;
        break;
    default:
        break;
    }
    return data;
}

// --- borders ----------------------------------------------------------------------------------------------------------

struct visit {
    struct random *random;
    const struct brig_dsl_rules *rules;
    uint32_t most_values;
    const struct random_visitor *visitor;
    enum brig_dsl_call call; // at work
    const struct brig_dsl_rule *rule;
};

static bool show(const struct visit *visit, const struct brig_dsl_data *data)
{
    return visit->visitor->visit(visit->visitor->context, data);
}

static bool visit_numbers(const struct visit *visit)
{
    static const uint32_t others[] = {0x3fffffff, 0x40000000, 0x40000001, 0x7fffffff, 0x80000000, 0xc0000000,
                                      0xfffffffe, 0xffffffff, 0xf0000,    0xf0001,    0xf0005,    0xf0006,
                                      0xb168,     0xb169,     0xb16a,     0xb16b};
    enum { DENSE = 1100, OTHERS = sizeof others / sizeof others[0] };
    struct brig_dsl_data data = {.audit_arch = brig_dsl_arch_audit(visit->rules->arch)};
    for (uint32_t i = 0; i < DENSE + OTHERS; i++) {
        data.nr = i < DENSE ? i : others[i - DENSE];
        data.args[i % 6] = random_number(visit->random);
        if (!show(visit, &data)) {
            return false;
        }
    }
    return true;
}

static bool visit_arches(const struct visit *visit)
{
    struct brig_dsl_data data = {.nr = (uint32_t)brig_dsl_call_nr(BRIG_SYS_read, visit->rules->arch)};
    for (uint32_t i = 0; i < 3 * BRIG_DSL_ARCH_COUNT; i++) {
        data.audit_arch = brig_dsl_arch_audit((enum brig_dsl_arch)(i / 3)) + i % 3 - 1;
        if (!show(visit, &data)) {
            return false;
        }
    }
    return true;
}

// One value with what is beside it, in a call that meets the rest of the rule and in one that may not.
static bool visit_value(const struct visit *visit, uint32_t argument, uint64_t value)
{
    for (uint32_t i = 0; i < 2 * RANDOM_VARIANTS; i++) {
        struct brig_dsl_data data = data_of(visit->random, visit->rules, visit->call);
        if (i % 2 == 0) {
            meet_all(visit->random, visit->rule, &data);
        }
        data.args[argument] = random_variant(value, i / 2);
        if (!show(visit, &data)) {
            return false;
        }
    }
    return true;
}

static bool visit_condition(const struct visit *visit, const struct brig_dsl_rule_condition *condition)
{
    uint32_t count = condition->value_count;
    uint32_t step = count / visit->most_values + 1;
    for (uint32_t i = 0; i < count; i += 1 + random_below(visit->random, 2 * step - 1)) {
        if (!visit_value(visit, condition->argument, condition->values[i])) {
            return false;
        }
    }
    return true;
}

static bool visit_call(struct visit *visit)
{
    const struct brig_dsl_call_rules *of_call = brig_dsl_rules_of(visit->rules, visit->call);
    for (uint32_t i = 0; i < of_call->rule_count; i++) {
        visit->rule = of_call->rules[i];
        for (uint32_t c = 0; c < visit->rule->condition_count; c++) {
            if (!visit_condition(visit, &visit->rule->conditions[c])) {
                return false;
            }
        }
    }
    return true;
}

bool random_visit_borders(struct random *random, const struct brig_dsl_rules *rules, uint32_t most_values,
                          const struct random_visitor *visitor)
{
    struct visit visit = {.random = random, .rules = rules, .most_values = most_values, .visitor = visitor};
    bool goes_on = visit_numbers(&visit) && visit_arches(&visit);
    for (int call = BRIG_SYS_NONE + 1; goes_on && call < BRIG_SYS_COUNT; call++) {
        visit.call = (enum brig_dsl_call)call;
        goes_on = brig_dsl_call_nr(visit.call, rules->arch) < 0 || visit_call(&visit);
    }
    return goes_on;
}
