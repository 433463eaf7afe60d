// random_rules: see random_rules.h.
#include "tests/bpf_dsl/random_rules.h"

#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "bpf_dsl/arena.h"

uint64_t random_next(struct random *random)
{
    random->state ^= random->state >> 12;
    random->state ^= random->state << 25;
    random->state ^= random->state >> 27;
    return random->state * 0x2545f4914f6cdd1du;
}

uint32_t random_below(struct random *random, uint32_t limit)
{
    return (uint32_t)((random_next(random) >> 32) * limit >> 32);
}

// --- values -----------------------------------------------------------------------------------------------------------

static const uint64_t borders[] = {0,
                                   1,
                                   2,
                                   0x7f,
                                   0x80,
                                   0xff,
                                   0xffff,
                                   0x10000,
                                   0x7fffffff,
                                   0x80000000,
                                   0xfffffffe,
                                   0xffffffff,
                                   0x100000000,
                                   0x1ffffffff,
                                   INT64_MAX,
                                   (uint64_t)INT64_MAX + 1,
                                   UINT64_MAX - 1,
                                   UINT64_MAX};

// Small numbers collide often, which is what makes rules overlap.
static uint64_t some_value(struct random *random)
{
    switch (random_below(random, 8)) {
    case 0:
        return borders[random_below(random, sizeof borders / sizeof borders[0])];
    case 1:
        return random_next(random) >> random_below(random, 64);
    case 2:
        return (uint64_t)-1 - random_below(random, 16);
    case 3:
        return (uint64_t)1 << random_below(random, 64);
    default:
        return random_below(random, 32);
    }
}

static uint64_t some_mask(struct random *random)
{
    switch (random_below(random, 5)) {
    case 0:
        return (uint64_t)1 << random_below(random, 64);
    case 1:
        return ~(((uint64_t)1 << random_below(random, 64)) - 1);
    case 2:
        return random_next(random);
    default:
        return random_next(random) & random_next(random) >> 32 & 0xff;
    }
}

static bool less(uint64_t a, uint64_t b, uint8_t bits, bool is_signed)
{
    if (bits == 32) {
        return is_signed ? (int32_t)a < (int32_t)b : (uint32_t)a < (uint32_t)b;
    }
    return is_signed ? (int64_t)a < (int64_t)b : a < b;
}

// --- rules ------------------------------------------------------------------------------------------------------------

static void *need(void *memory)
{
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static void fill_values(struct random *random, struct brig_dsl_rule_condition *condition, uint64_t *values)
{
    for (uint32_t i = 0; i < condition->value_count; i++) {
        values[i] = some_value(random);
    }
    switch (condition->op) {
    case BRIG_DSL_RANGE:
        if (less(values[1], values[0], condition->bits, condition->is_signed)) {
            uint64_t swap = values[0];
            values[0] = values[1];
            values[1] = swap;
        }
        break;
    case BRIG_DSL_MASKED:
        values[0] = some_mask(random);
        for (uint32_t i = 1; i < condition->value_count; i++) {
            values[i] = random_below(random, 4) == 0 ? values[i] : random_next(random) & values[0];
        }
        break;
    case BRIG_DSL_ONLY_BITS:
    case BRIG_DSL_NO_BITS:
    case BRIG_DSL_ALL_BITS:
        values[0] = some_mask(random);
        break;
    default:
        break;
    }
}

static struct brig_dsl_rule_condition some_condition(struct random *random, const struct random_shape *shape,
                                                     struct brig_dsl_arena *arena)
{
    static const uint8_t operators[] = {BRIG_DSL_IN,        BRIG_DSL_IN,      BRIG_DSL_IN,       BRIG_DSL_RANGE,
                                        BRIG_DSL_AT_LEAST,  BRIG_DSL_AT_MOST, BRIG_DSL_MASKED,   BRIG_DSL_MASKED,
                                        BRIG_DSL_ONLY_BITS, BRIG_DSL_NO_BITS, BRIG_DSL_ALL_BITS, BRIG_DSL_IS_NULL,
                                        BRIG_DSL_NOT_NULL};
    struct brig_dsl_rule_condition condition = {
        .op = operators[random_below(random, sizeof operators)],
        .argument = (uint8_t)random_below(random, random_below(random, 3) == 0 ? 6 : 2),
        .bits = random_below(random, 3) == 0 ? 64 : 32,
        .is_signed = random_below(random, 2) == 0,
    };
    bool has_list = condition.op == BRIG_DSL_IN || condition.op == BRIG_DSL_MASKED;
    condition.value_count = has_list ? 1 + random_below(random, shape->most_values) : condition.op == BRIG_DSL_RANGE ? 2 : 1;
    condition.value_count += condition.op == BRIG_DSL_MASKED;
    condition.value_count = condition.op == BRIG_DSL_IS_NULL || condition.op == BRIG_DSL_NOT_NULL ? 0 : condition.value_count;
    uint64_t *values = need(DSL_ARENA_ARRAY(arena, uint64_t, condition.value_count));
    condition.values = values;
    fill_values(random, &condition, values);
    return condition;
}

static const struct brig_dsl_rule *some_rule(struct random *random, const struct random_shape *shape, bool is_last,
                                             struct brig_dsl_arena *arena)
{
    struct brig_dsl_rule *rule = need(DSL_ARENA_NEW(arena, struct brig_dsl_rule));
    *rule = (struct brig_dsl_rule){.ret = SECCOMP_RET_ERRNO | (1 + random_below(random, shape->returns))};
    rule->condition_count = is_last ? 0 : 1 + random_below(random, shape->most_conditions);
    struct brig_dsl_rule_condition *conditions =
        need(DSL_ARENA_ARRAY(arena, struct brig_dsl_rule_condition, rule->condition_count));
    for (uint32_t i = 0; i < rule->condition_count; i++) {
        conditions[i] = some_condition(random, shape, arena);
    }
    rule->conditions = conditions;
    return rule;
}

// A rule like another one, with other values in one condition or two: what policies made from tables look like.
static const struct brig_dsl_rule *vary_rule(struct random *random, const struct brig_dsl_rule *rule, struct brig_dsl_arena *arena)
{
    struct brig_dsl_rule *copy = need(DSL_ARENA_NEW(arena, struct brig_dsl_rule));
    struct brig_dsl_rule_condition *conditions =
        need(DSL_ARENA_ARRAY(arena, struct brig_dsl_rule_condition, rule->condition_count));
    memcpy(conditions, rule->conditions, rule->condition_count * sizeof *conditions);
    for (uint32_t changes = 1 + random_below(random, 2); changes > 0; changes--) {
        struct brig_dsl_rule_condition *condition = &conditions[random_below(random, rule->condition_count)];
        uint64_t *values = need(DSL_ARENA_ARRAY(arena, uint64_t, condition->value_count));
        condition->values = values;
        fill_values(random, condition, values);
    }
    *copy = *rule;
    copy->conditions = conditions;
    return copy;
}

static struct brig_dsl_call_rules some_call_rules(struct random *random, const struct random_shape *shape,
                                                  struct brig_dsl_arena *arena)
{
    uint32_t count = 1 + random_below(random, shape->most_rules);
    const struct brig_dsl_rule **rules = need(DSL_ARENA_ARRAY(arena, const struct brig_dsl_rule *, count));
    for (uint32_t i = 0; i < count; i++) {
        bool is_last = i + 1 == count;
        bool varies = i > 0 && !is_last && random_below(random, 4) == 0;
        rules[i] = varies ? vary_rule(random, rules[i - 1], arena) : some_rule(random, shape, is_last, arena);
    }
    return (struct brig_dsl_call_rules){.rules = rules, .rule_count = count};
}

struct brig_dsl_rules random_rules(struct random *random, const struct random_shape *shape, struct brig_dsl_arena *arena)
{
    static const struct brig_dsl_policy policy = {.name = "random"};
    struct brig_dsl_call_rules *calls = need(DSL_ARENA_ARRAY(arena, struct brig_dsl_call_rules, BRIG_SYS_COUNT));
    memset(calls, 0, BRIG_SYS_COUNT * sizeof *calls);
    struct brig_dsl_call_rules earlier = {.rule_count = 0};
    for (uint32_t i = 0; i < shape->calls; i++) {
        uint32_t call = 1 + random_below(random, BRIG_SYS_COUNT - 1);
        if (earlier.rule_count == 0 || random_below(random, 5) != 0) {
            earlier = some_call_rules(random, shape, arena);
        }
        calls[call] = earlier;
    }
    return (struct brig_dsl_rules){.policy = &policy,
                                   .arch = shape->arch,
                                   .kernel = BRIG_DSL_KERNEL(5, 10),
                                   .calls = calls,
                                   .fallback_ret = SECCOMP_RET_ERRNO | 1,
                                   .unknown_ret = SECCOMP_RET_ERRNO | 38,
                                   .foreign_ret = SECCOMP_RET_KILL_PROCESS,
                                   .x32_ret = SECCOMP_RET_ERRNO | 39};
}

// --- calls ------------------------------------------------------------------------------------------------------------

static const struct brig_dsl_rule_condition *some_condition_of(struct random *random, const struct brig_dsl_call_rules *rules,
                                                               int argument)
{
    for (int tries = 0; tries < 8 && rules->rule_count > 1; tries++) {
        const struct brig_dsl_rule *rule = rules->rules[random_below(random, rules->rule_count - 1)];
        const struct brig_dsl_rule_condition *condition = &rule->conditions[random_below(random, rule->condition_count)];
        if (condition->argument == argument && condition->value_count > 0) {
            return condition;
        }
    }
    return NULL;
}

static uint64_t nearby(struct random *random, uint64_t value)
{
    switch (random_below(random, 12)) {
    case 0:
        return value + 1;
    case 1:
        return value - 1;
    case 2:
        return (uint64_t)(int64_t)(int32_t)value;
    case 3:
        return value ^ random_next(random) << 32; // dirty upper half
    case 4:
        return value ^ (uint64_t)1 << random_below(random, 64);
    case 5:
        return ~value;
    case 6:
        return (uint32_t)value;
    case 7:
        return value & random_next(random);
    default:
        return value;
    }
}

uint64_t random_value(struct random *random, const struct brig_dsl_rules *rules, enum brig_dsl_call call, int argument)
{
    const struct brig_dsl_rule_condition *condition = some_condition_of(random, &rules->calls[call], argument);
    if (condition == NULL || random_below(random, 8) == 0) {
        return some_value(random);
    }
    return nearby(random, condition->values[random_below(random, condition->value_count)]);
}

static enum brig_dsl_call some_call(struct random *random, const struct brig_dsl_rules *rules)
{
    for (int tries = 0; tries < 4000; tries++) {
        uint32_t call = 1 + random_below(random, BRIG_SYS_COUNT - 1);
        bool exists = brig_dsl_call_nr((enum brig_dsl_call)call, rules->arch) >= 0;
        if (exists && (rules->calls[call].rule_count > 1 || tries > 2000)) {
            return (enum brig_dsl_call)call;
        }
    }
    return BRIG_SYS_NONE;
}

struct brig_dsl_data random_data(struct random *random, const struct brig_dsl_rules *rules)
{
    enum brig_dsl_call call = some_call(random, rules);
    struct brig_dsl_data data = {.nr = (uint32_t)brig_dsl_call_nr(call, rules->arch),
                                 .audit_arch = brig_dsl_arch_audit(rules->arch),
                                 .ip = random_next(random)};
    for (int i = 0; i < 6; i++) {
        data.args[i] = random_value(random, rules, call, i);
    }
    switch (random_below(random, 64)) {
    case 0:
        data.audit_arch = (uint32_t)some_value(random);
        break;
    case 1:
        data.nr = (uint32_t)some_value(random);
        break;
    case 2:
        data.nr |= 0x40000000;
        break;
    default:
        break;
    }
    return data;
}
