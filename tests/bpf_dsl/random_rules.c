// random_rules: see random_rules.h.
#include "tests/bpf_dsl/random_rules.h"

#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "bpf_dsl/arena.h"
#include "tests/bpf_dsl/random_values.h"

struct maker {
    struct random *random;
    const struct random_shape *shape;
    struct brig_dsl_arena *arena;
    enum random_family family; // of the rules at work
};

static void *need(void *memory)
{
    if (memory == NULL) {
        abort();
    }
    return memory;
}

// --- conditions -------------------------------------------------------------------------------------------------------

static bool less(uint64_t a, uint64_t b, uint8_t bits, bool is_signed)
{
    if (bits == 32) {
        return is_signed ? (int32_t)a < (int32_t)b : (uint32_t)a < (uint32_t)b;
    }
    return is_signed ? (int64_t)a < (int64_t)b : a < b;
}

static void fill_masked(const struct maker *maker, uint64_t *values, uint32_t count)
{
    values[0] = random_mask(maker->random);
    for (uint32_t i = 1; i < count; i++) {
        // Now and then one that no argument can have.
        values[i] = random_once_in(maker->random, 4) ? values[i] : random_next(maker->random) & values[0];
    }
}

// Ranges of any length, and those whose ends have something to do with each other.
static void fill_range(const struct maker *maker, const struct brig_dsl_rule_condition *condition, uint64_t *values)
{
    if (random_once_in(maker->random, 2)) {
        uint64_t length = random_below(maker->random, 8);
        values[1] = values[0] + (length << (random_once_in(maker->random, 2) ? 32 : random_below(maker->random, 34)));
    }
    if (less(values[1], values[0], condition->bits, condition->is_signed)) {
        uint64_t swap = values[0];
        values[0] = values[1];
        values[1] = swap;
    }
}

static void fill_values(const struct maker *maker, struct brig_dsl_rule_condition *condition)
{
    uint64_t *values = need(DSL_ARENA_ARRAY(maker->arena, uint64_t, condition->value_count));
    condition->values = values;
    random_fill(maker->random, maker->family, values, condition->value_count);
    switch (condition->op) {
    case BRIG_DSL_RANGE:
        fill_range(maker, condition, values);
        break;
    case BRIG_DSL_MASKED:
    case BRIG_DSL_NOT_MASKED:
        fill_masked(maker, values, condition->value_count);
        break;
    case BRIG_DSL_ONLY_BITS:
    case BRIG_DSL_NO_BITS:
    case BRIG_DSL_ALL_BITS:
    case BRIG_DSL_ANY_BITS:
        values[0] = random_mask(maker->random);
        break;
    default:
        break;
    }
}

static uint32_t count_of(const struct maker *maker, uint8_t op)
{
    switch ((enum brig_dsl_operator)op) {
    case BRIG_DSL_IN:
    case BRIG_DSL_NOT_IN:
        return 1 + random_below(maker->random, maker->shape->most_values);
    case BRIG_DSL_MASKED:
    case BRIG_DSL_NOT_MASKED:
        return 2 + random_below(maker->random, maker->shape->most_values);
    case BRIG_DSL_RANGE:
        return 2;
    case BRIG_DSL_IS_NULL:
    case BRIG_DSL_NOT_NULL:
        return 0;
    default:
        return 1;
    }
}

static struct brig_dsl_rule_condition some_condition(const struct maker *maker, uint32_t index)
{
    static const uint8_t operators[] = {BRIG_DSL_IN,       BRIG_DSL_IN,      BRIG_DSL_IN,       BRIG_DSL_IN,
                                        BRIG_DSL_RANGE,    BRIG_DSL_RANGE,   BRIG_DSL_AT_LEAST, BRIG_DSL_AT_MOST,
                                        BRIG_DSL_MASKED,   BRIG_DSL_MASKED,  BRIG_DSL_MASKED,   BRIG_DSL_ONLY_BITS,
                                        BRIG_DSL_NO_BITS,  BRIG_DSL_NO_BITS, BRIG_DSL_ALL_BITS, BRIG_DSL_IS_NULL,
                                        BRIG_DSL_NOT_NULL, BRIG_DSL_NOT_IN,  BRIG_DSL_ANY_BITS, BRIG_DSL_NOT_MASKED};
    struct random *random = maker->random;
    bool is_chain = maker->shape->style == RANDOM_ADVERSARIAL && !random_once_in(random, 3);
    struct brig_dsl_rule_condition condition = {
        .op = is_chain && !random_once_in(random, 3) ? BRIG_DSL_IN : operators[random_below(random, sizeof operators)],
        .argument = (uint8_t)(is_chain ? index % 6 : random_below(random, random_once_in(random, 3) ? 6 : 2)),
        .bits = random_once_in(random, 3) ? 64 : 32,
        .is_signed = random_once_in(random, 2),
    };
    condition.value_count = count_of(maker, condition.op);
    fill_values(maker, &condition);
    return condition;
}

// --- rules ------------------------------------------------------------------------------------------------------------

static uint32_t some_return(const struct maker *maker)
{
    static const uint32_t actions[] = {SECCOMP_RET_ALLOW,      SECCOMP_RET_ALLOW,     SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_PROCESS,
                                       SECCOMP_RET_TRAP | 1,   SECCOMP_RET_LOG,       SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_THREAD,
                                       SECCOMP_RET_TRACE | 77, SECCOMP_RET_USER_NOTIF};
    uint32_t which = random_below(maker->random, maker->shape->returns);
    bool is_errno = maker->shape->only_errnos || which >= sizeof actions / sizeof actions[0];
    return is_errno ? SECCOMP_RET_ERRNO | (1 + which) : actions[which];
}

static const struct brig_dsl_rule *some_rule(const struct maker *maker, bool is_last)
{
    struct brig_dsl_rule *rule = need(DSL_ARENA_NEW(maker->arena, struct brig_dsl_rule));
    *rule = (struct brig_dsl_rule){.ret = some_return(maker)};
    rule->condition_count = is_last ? 0 : 1 + random_below(maker->random, maker->shape->most_conditions);
    struct brig_dsl_rule_condition *conditions =
        need(DSL_ARENA_ARRAY(maker->arena, struct brig_dsl_rule_condition, rule->condition_count));
    for (uint32_t i = 0; i < rule->condition_count; i++) {
        conditions[i] = some_condition(maker, i);
    }
    rule->conditions = conditions;
    return rule;
}

// A rule like another one, with other values in one condition or two: what policies made from tables look like.
static const struct brig_dsl_rule *vary_rule(const struct maker *maker, const struct brig_dsl_rule *rule)
{
    struct brig_dsl_rule *copy = need(DSL_ARENA_NEW(maker->arena, struct brig_dsl_rule));
    struct brig_dsl_rule_condition *conditions =
        need(DSL_ARENA_ARRAY(maker->arena, struct brig_dsl_rule_condition, rule->condition_count));
    memcpy(conditions, rule->conditions, rule->condition_count * sizeof *conditions);
    for (uint32_t changes = 1 + random_below(maker->random, 2); changes > 0; changes--) {
        fill_values(maker, &conditions[random_below(maker->random, rule->condition_count)]);
    }
    *copy = *rule;
    copy->conditions = conditions;
    if (random_once_in(maker->random, 4)) {
        copy->ret = some_return(maker);
    }
    return copy;
}

static struct brig_dsl_call_rules some_call_rules(struct maker *maker)
{
    struct random *random = maker->random;
    bool is_wild = maker->shape->style == RANDOM_WILD && !random_once_in(random, 3);
    uint32_t count = 1 + random_below(random, maker->shape->most_rules);
    const struct brig_dsl_rule **rules = need(DSL_ARENA_ARRAY(maker->arena, const struct brig_dsl_rule *, count));
    maker->family = is_wild ? RANDOM_ANY : (enum random_family)random_below(random, RANDOM_FAMILY_COUNT);
    for (uint32_t i = 0; i < count; i++) {
        bool is_last = i + 1 == count;
        bool varies = i > 0 && !is_last && random_once_in(random, maker->shape->style == RANDOM_ADVERSARIAL ? 2 : 4);
        rules[i] = varies ? vary_rule(maker, rules[i - 1]) : some_rule(maker, is_last);
    }
    return (struct brig_dsl_call_rules){.rules = rules, .rule_count = count};
}

// --- calls ------------------------------------------------------------------------------------------------------------

static struct brig_dsl_call_rules no_conditions(const struct maker *maker)
{
    const struct brig_dsl_rule **rules = need(DSL_ARENA_ARRAY(maker->arena, const struct brig_dsl_rule *, 1));
    rules[0] = some_rule(maker, true);
    return (struct brig_dsl_call_rules){.rules = rules, .rule_count = 1};
}

// How many calls, of ten, have conditions; and how many of those, of ten, have the same as an earlier one.
static const struct {
    uint8_t with_conditions;
    uint8_t shared;
} styles[RANDOM_STYLE_COUNT] = {
    [RANDOM_WILD] = {10, 2},
    [RANDOM_REAL] = {1, 2},
    [RANDOM_DENSE] = {8, 5},
    [RANDOM_ADVERSARIAL] = {9, 4},
};

struct brig_dsl_rules random_rules(struct random *random, const struct random_shape *shape, struct brig_dsl_arena *arena)
{
    static const struct brig_dsl_policy policy = {.name = "random"};
    struct maker maker = {.random = random, .shape = shape, .arena = arena};
    struct brig_dsl_call_rules *calls = need(DSL_ARENA_ARRAY(arena, struct brig_dsl_call_rules, BRIG_SYS_COUNT));
    memset(calls, 0, BRIG_SYS_COUNT * sizeof *calls);
    enum { KEPT = 8 };
    struct brig_dsl_call_rules earlier[KEPT];
    uint32_t kept = 0;
    for (uint32_t i = 0; i < shape->calls; i++) {
        uint32_t call = 1 + random_below(random, BRIG_SYS_COUNT - 1);
        if (random_below(random, 10) >= styles[shape->style].with_conditions) {
            calls[call] = no_conditions(&maker);
        } else if (kept > 0 && random_below(random, 10) < styles[shape->style].shared) {
            calls[call] = earlier[random_below(random, kept < KEPT ? kept : KEPT)];
        } else {
            calls[call] = earlier[kept++ % KEPT] = some_call_rules(&maker);
        }
    }
    bool is_import = random_once_in(random, 4);
    return (struct brig_dsl_rules){.policy = &policy,
                                   .arch = shape->arch,
                                   .is_import = is_import,
                                   .asks_broker = !is_import && !shape->only_errnos && random_once_in(random, 2),
                                   .kernel = BRIG_DSL_KERNEL(5, 10),
                                   .calls = calls,
                                   .fallback_ret = SECCOMP_RET_ERRNO | 1,
                                   // Policies of other tools know no difference.
                                   .unknown_ret = SECCOMP_RET_ERRNO | (is_import ? 1 : 38),
                                   .foreign_ret = SECCOMP_RET_KILL_PROCESS,
                                   .x32_ret = SECCOMP_RET_ERRNO | 39};
}

struct random_shape random_shape_of(struct random *random, uint64_t seed)
{
    *random = random_of_seed(seed);
    struct random_shape shape = {.arch = (enum brig_dsl_arch)(seed % BRIG_DSL_ARCH_COUNT)};
    static const uint8_t often[] = {RANDOM_WILD,  RANDOM_WILD,        RANDOM_WILD,        RANDOM_REAL,
                                    RANDOM_DENSE, RANDOM_ADVERSARIAL, RANDOM_ADVERSARIAL, RANDOM_ADVERSARIAL};
    shape.style = (enum random_style)often[random_below(random, sizeof often)];
    shape.only_errnos = random_once_in(random, 2);
    shape.calls = 1 + random_below(random, shape.style == RANDOM_REAL ? 400 : shape.style == RANDOM_DENSE ? 60 : 24);
    shape.most_rules = 1 + random_below(random, 7);
    shape.most_conditions = 1 + random_below(random, shape.style == RANDOM_ADVERSARIAL ? 6 : 3);
    shape.most_values = 1 + random_below(random, random_once_in(random, 8) ? 100 : 12);
    shape.returns = 1 + random_below(random, 4);
    struct random of_profile = random_of_seed(~seed); // the rules are the same with and without
    shape.samples = random_once_in(&of_profile, 3) ? random_below(&of_profile, 100) : 0;
    return shape;
}
