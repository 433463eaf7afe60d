// random_expr: see random_expr.h.
#include "tests/bpf_dsl/random_expr.h"

#include <linux/seccomp.h>
#include <stdlib.h>

#include "bpf_dsl/arena.h"
#include "tests/bpf_dsl/random_values.h"

enum { MOST_CHILDREN = 4, MOST_VALUES = 40, ALL_VALUES = 4096, CALLS = 24, DEPTH = 5 };

enum tree_kind {
    TREE_IN, // tests
    TREE_RANGE,
    TREE_MASKED,
    TREE_NOT,
    TREE_ALL,
    TREE_ANY,
    TREE_ALWAYS,
    TREE_RET, // verdicts
    TREE_IF,
    TREE_SWITCH,
};

struct random_tree {
    enum tree_kind kind;
    struct brig_dsl_operand operand;
    uint32_t value_count; // MASKED has the mask first; SWITCH has as many for each case
    const uint64_t *values;
    uint32_t child_count; // IF: test, then, otherwise; SWITCH: cases, otherwise
    const struct random_tree *children[MOST_CHILDREN];
    uint32_t ret; // ALWAYS: 0 or 1
};

struct maker {
    struct random *random;
    struct brig_dsl_arena *arena;
    uint64_t *values; // of all trees
    uint32_t value_count;
    const struct random_tree *earlier; // to be shared
};

static void *need(void *memory)
{
    if (memory == NULL) {
        abort();
    }
    return memory;
}

// --- making -----------------------------------------------------------------------------------------------------------

static uint64_t cut(uint64_t number, const struct brig_dsl_operand *operand)
{
    return operand->bits == 32 ? (uint32_t)number : number;
}

static void give_operand(struct maker *maker, struct random_tree *tree, uint32_t count)
{
    struct random *random = maker->random;
    uint64_t *values = need(DSL_ARENA_ARRAY(maker->arena, uint64_t, count));
    tree->operand = (struct brig_dsl_operand){.argument = (uint8_t)random_below(random, random_once_in(random, 2) ? 6 : 2),
                                              .bits = random_once_in(random, 3) ? 64 : 32,
                                              .is_signed = random_once_in(random, 2)};
    random_fill(random, (enum random_family)random_below(random, RANDOM_FAMILY_COUNT), values, count);
    for (uint32_t i = 0; i < count; i++) {
        values[i] = cut(values[i], &tree->operand);
        values[i] &= tree->kind == TREE_MASKED && !random_once_in(random, 4) ? values[0] : UINT64_MAX;
        if (maker->value_count < ALL_VALUES) {
            maker->values[maker->value_count++] = values[i];
        }
    }
    tree->values = values;
    tree->value_count = count;
}

static struct random_tree *new_tree(struct maker *maker, enum tree_kind kind)
{
    struct random_tree *tree = need(DSL_ARENA_NEW(maker->arena, struct random_tree));
    *tree = (struct random_tree){.kind = kind};
    return tree;
}

static const struct random_tree *make_test(struct maker *maker, int depth)
{
    struct random *random = maker->random;
    uint32_t kind = random_below(random, depth > 0 ? TREE_ALWAYS + 1 : TREE_MASKED + 1);
    struct random_tree *tree = new_tree(maker, (enum tree_kind)kind);
    switch (tree->kind) {
    case TREE_IN:
        give_operand(maker, tree, 1 + random_below(random, MOST_VALUES));
        break;
    case TREE_RANGE:
        give_operand(maker, tree, 2);
        break;
    case TREE_MASKED:
        give_operand(maker, tree, 2 + random_below(random, 6));
        break;
    case TREE_ALWAYS:
        tree->ret = random_below(random, 2);
        break;
    default: // NOT, ALL, ANY
        tree->child_count = tree->kind == TREE_NOT ? 1 : random_below(random, MOST_CHILDREN + 1);
        break;
    }
    for (uint32_t i = 0; i < tree->child_count; i++) {
        tree->children[i] = make_test(maker, depth - 1);
    }
    return tree;
}

static const struct random_tree *make_verdict(struct maker *maker, int depth)
{
    static const uint32_t rets[] = {SECCOMP_RET_ALLOW,        SECCOMP_RET_ERRNO | 1, SECCOMP_RET_ERRNO | 2,
                                    SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_TRAP | 12, SECCOMP_RET_LOG};
    struct random *random = maker->random;
    if (maker->earlier != NULL && random_once_in(random, 6)) {
        return maker->earlier;
    }
    uint32_t choice = random_below(random, 6);
    struct random_tree *tree = new_tree(maker, depth == 0 || choice == 0 ? TREE_RET : choice < 5 ? TREE_IF : TREE_SWITCH);
    tree->ret = rets[random_below(random, sizeof rets / sizeof rets[0])];
    if (tree->kind == TREE_IF) {
        tree->child_count = 3;
        tree->children[0] = make_test(maker, 2);
    } else if (tree->kind == TREE_SWITCH) {
        tree->child_count = 1 + random_below(random, MOST_CHILDREN);
        give_operand(maker, tree, tree->child_count * (1 + random_below(random, 3)));
    }
    for (uint32_t i = tree->kind == TREE_IF; i < tree->child_count; i++) {
        tree->children[i] = make_verdict(maker, depth - 1);
    }
    maker->earlier = random_once_in(random, 3) ? tree : maker->earlier;
    return tree;
}

// --- the builder's reading --------------------------------------------------------------------------------------------

static struct brig_dsl_test build_test(struct brig_dsl_builder *builder, const struct random_tree *tree)
{
    struct brig_dsl_test tests[MOST_CHILDREN] = {{0}};
    for (uint32_t i = 0; i < tree->child_count; i++) {
        tests[i] = build_test(builder, tree->children[i]);
    }
    switch (tree->kind) {
    case TREE_IN:
        return brig_dsl_arg_in(builder, tree->operand, tree->values, tree->value_count);
    case TREE_RANGE:
        return brig_dsl_arg_range(builder, tree->operand, tree->values[0], tree->values[1]);
    case TREE_MASKED:
        return brig_dsl_arg_masked(builder, tree->operand, tree->values[0], tree->values + 1, tree->value_count - 1);
    case TREE_NOT:
        return brig_dsl_not(builder, tests[0]);
    case TREE_ALL:
        return brig_dsl_all_of(builder, tests, tree->child_count);
    case TREE_ANY:
        return brig_dsl_any_of(builder, tests, tree->child_count);
    default:
        return brig_dsl_always(builder, tree->ret == 1);
    }
}

static struct brig_dsl_verdict build_verdict(struct brig_dsl_builder *builder, const struct random_tree *tree)
{
    struct brig_dsl_case cases[MOST_CHILDREN];
    if (tree->kind == TREE_RET) {
        return brig_dsl_ret(builder, tree->ret);
    }
    if (tree->kind == TREE_IF) {
        return brig_dsl_if(builder, build_test(builder, tree->children[0]), build_verdict(builder, tree->children[1]),
                           build_verdict(builder, tree->children[2]));
    }
    uint32_t last = tree->child_count - 1;
    uint32_t each = tree->value_count / tree->child_count;
    for (uint32_t i = 0; i < last; i++) {
        cases[i] = (struct brig_dsl_case){tree->values + (size_t)i * each, each, build_verdict(builder, tree->children[i])};
    }
    return brig_dsl_switch(builder, tree->operand, cases, last, build_verdict(builder, tree->children[last]));
}

static struct brig_dsl_verdict evaluate(const void *context, struct brig_dsl_builder *builder, enum brig_dsl_call call,
                                        enum brig_dsl_arch arch)
{
    (void)arch;
    const struct random_expr *expr = context;
    const struct random_tree *tree = expr->calls[call];
    return build_verdict(builder, tree != NULL ? tree : expr->calls[BRIG_SYS_NONE]);
}

// --- the other reading ------------------------------------------------------------------------------------------------

static bool is_at_most(uint64_t a, uint64_t b, const struct brig_dsl_operand *operand)
{
    uint64_t sign = operand->is_signed ? (uint64_t)1 << (operand->bits - 1) : 0;
    return (a ^ sign) <= (b ^ sign);
}

static bool is_among(uint64_t number, const uint64_t *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (values[i] == number) {
            return true;
        }
    }
    return false;
}

static bool holds(const struct random_tree *tree, const struct brig_dsl_data *data)
{
    uint64_t argument = cut(data->args[tree->operand.argument], &tree->operand);
    uint32_t holding = 0;
    for (uint32_t i = 0; i < tree->child_count; i++) {
        holding += holds(tree->children[i], data);
    }
    switch (tree->kind) {
    case TREE_IN:
        return is_among(argument, tree->values, tree->value_count);
    case TREE_RANGE:
        return is_at_most(tree->values[0], argument, &tree->operand) && is_at_most(argument, tree->values[1], &tree->operand);
    case TREE_MASKED:
        return is_among(argument & tree->values[0], tree->values + 1, tree->value_count - 1);
    case TREE_NOT:
        return holding == 0;
    case TREE_ALL:
        return holding == tree->child_count;
    case TREE_ANY:
        return holding > 0;
    default:
        return tree->ret == 1;
    }
}

static uint32_t decide(const struct random_tree *tree, const struct brig_dsl_data *data)
{
    if (tree->kind == TREE_RET) {
        return tree->ret;
    }
    if (tree->kind == TREE_IF) {
        return decide(tree->children[holds(tree->children[0], data) ? 1 : 2], data);
    }
    uint32_t each = tree->value_count / tree->child_count;
    uint32_t which = 0;
    uint64_t argument = cut(data->args[tree->operand.argument], &tree->operand);
    while (which + 1 < tree->child_count && !is_among(argument, tree->values + (size_t)which * each, each)) {
        which++;
    }
    return decide(tree->children[which], data);
}

uint32_t random_expr_decide(const struct random_expr *expr, const struct brig_dsl_data *data)
{
    bool has_reserved = !expr->evaluator.is_bare;
    if (data->audit_arch != brig_dsl_arch_audit(expr->arch)) {
        return expr->evaluator.foreign_ret;
    }
    if (expr->arch == BRIG_DSL_X86_64 && (has_reserved ? data->nr >> 30 == 1 : data->nr >> 30 >= 1 && data->nr + 1 != 0)) {
        return expr->evaluator.x32_ret;
    }
    if (has_reserved && data->nr == BRIG_DSL_DIE_NR) {
        return SECCOMP_RET_KILL_PROCESS;
    }
    if (has_reserved && data->nr == BRIG_DSL_PROBE_NR) {
        return SECCOMP_RET_ERRNO | BRIG_DSL_PROBE_ERRNO;
    }
    if (has_reserved && data->nr == BRIG_DSL_BROKER_NR && expr->evaluator.asks_broker) {
        return SECCOMP_RET_ALLOW;
    }
    const struct random_tree *tree = expr->calls[brig_dsl_call_by_nr(data->nr, expr->arch)];
    return decide(tree != NULL ? tree : expr->calls[BRIG_SYS_NONE], data);
}

// --- policies and calls -----------------------------------------------------------------------------------------------

const struct random_expr *random_expr_of(uint64_t seed, struct brig_dsl_arena *arena)
{
    struct random random = random_of_seed(seed);
    struct random_expr *expr = need(DSL_ARENA_NEW(arena, struct random_expr));
    const struct random_tree **calls = need(DSL_ARENA_ARRAY(arena, const struct random_tree *, BRIG_SYS_COUNT));
    struct maker maker = {.random = &random, .arena = arena, .values = need(DSL_ARENA_ARRAY(arena, uint64_t, ALL_VALUES))};
    for (int call = 0; call < BRIG_SYS_COUNT; call++) {
        calls[call] = NULL;
    }
    maker.values[maker.value_count++] = 0;
    // What is no call has no arguments to be looked at, mostly.
    calls[BRIG_SYS_NONE] = make_verdict(&maker, random_once_in(&random, 4) ? 2 : 0);
    for (uint32_t count = 1 + random_below(&random, CALLS); count > 0; count--) {
        calls[1 + random_below(&random, BRIG_SYS_COUNT - 1)] = make_verdict(&maker, 1 + (int)random_below(&random, DEPTH));
    }
    *expr = (struct random_expr){.arch = (enum brig_dsl_arch)(seed % BRIG_DSL_ARCH_COUNT),
                                 .calls = calls,
                                 .values = maker.values,
                                 .value_count = maker.value_count};
    expr->evaluator = (struct brig_dsl_evaluator){.evaluate = evaluate,
                                                  .context = expr,
                                                  .foreign_ret = SECCOMP_RET_KILL_PROCESS,
                                                  .x32_ret = SECCOMP_RET_ERRNO | 39,
                                                  .asks_broker = random_once_in(&random, 2),
                                                  .is_bare = random_once_in(&random, 2)};
    return expr;
}

struct brig_dsl_data random_expr_data(struct random *random, const struct random_expr *expr)
{
    struct brig_dsl_data data = {.nr = random_below(random, 500), .audit_arch = brig_dsl_arch_audit(expr->arch)};
    for (int tries = 0; tries < 2000; tries++) {
        enum brig_dsl_call call = (enum brig_dsl_call)(1 + random_below(random, BRIG_SYS_COUNT - 1));
        if (expr->calls[call] != NULL && brig_dsl_call_nr(call, expr->arch) >= 0) {
            data.nr = (uint32_t)brig_dsl_call_nr(call, expr->arch);
            break;
        }
    }
    if (random_once_in(random, 16)) {
        data.nr = random_once_in(random, 2) ? random_below(random, 1100) : (uint32_t)random_number(random);
    }
    data.audit_arch += random_once_in(random, 100);
    for (int i = 0; i < 6; i++) {
        data.args[i] = random_near(random, expr->values[random_below(random, expr->value_count)]);
    }
    return data;
}
