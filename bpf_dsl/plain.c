// plain: the unoptimised program, for when the optimised one cannot be proven in its budget, and for comparing against.
//
// Takes: the ranges of numbers of each arch and the expressions behind them. Gives: a binary search over the numbers, and behind
// it one body per different verdict: rule after rule, condition after condition, value after value, each loading what it tests.
// Guarantees: shares nothing with decisions, tree and codegen but the emitter; numbers that are allowed outright are reached by
// comparing the number alone. A body looks like this:
//
//     rule 1:  ld  [lo argument 1]          IN(cmd, 5, 7)
//              jeq #5, condition 2
//              jeq #7, condition 2, rule 2
//     condition 2: ...
//              ret
//     rule 2:  ...
//
// Recursion: DSL_EXPR_DEPTH levels of expressions, log2(ranges) levels of search.
// Known weaknesses: slow and big, on purpose.
#include "bpf_dsl/plain.h"

#include <string.h>

struct plain {
    struct dsl_emitter *emitter;
    const struct brig_dsl_builder *builder;
    struct dsl_label *verdicts; // by expression
};

struct ways {
    struct dsl_label *yes;
    struct dsl_label *no;
};

static uint16_t jump(uint16_t op)
{
    return (uint16_t)(BPF_JMP | op | BPF_K);
}

// `test` with what is emitted now as one of its targets.
static struct dsl_label test(struct plain *plain, uint16_t op, uint32_t k, struct dsl_label *yes, struct dsl_label *no)
{
    dsl_emit_test(plain->emitter, jump(op), k, yes, no);
    return dsl_label_here(plain->emitter);
}

// --- arguments --------------------------------------------------------------------------------------------------------

// ld [word]; and #mask
static struct dsl_label load(struct plain *plain, uint32_t word, uint32_t mask, struct dsl_label *next)
{
    dsl_emit_into(plain->emitter, next);
    if (mask != UINT32_MAX) {
        dsl_emit(plain->emitter, BPF_ALU | BPF_AND | BPF_K, mask);
    }
    dsl_emit(plain->emitter, BPF_LD | BPF_W | BPF_ABS, 4 * word);
    return dsl_label_here(plain->emitter);
}

// A in [first, last]?
static struct dsl_label test_run_32(struct plain *plain, struct dsl_expr_run run, struct dsl_label *yes, struct dsl_label *no)
{
    if (run.first == run.last) {
        return test(plain, BPF_JEQ, (uint32_t)run.first, yes, no);
    }
    struct dsl_label below_last = test(plain, BPF_JGT, (uint32_t)run.last, no, yes);
    return test(plain, BPF_JGE, (uint32_t)run.first, &below_last, no);
}

static struct dsl_label test_32(struct plain *plain, const struct dsl_expr *node, struct dsl_label *yes, struct dsl_label *no)
{
    struct dsl_label next = *no;
    for (uint32_t i = node->count; i-- > 0;) {
        struct dsl_label after = next;
        next = test_run_32(plain, node->runs[i], yes, i + 1 == node->count ? no : &after);
    }
    return load(plain, DSL_WORD_ARGUMENTS + 2u * node->argument, (uint32_t)node->mask, &next);
}

// Whether the number is above `limit`, or at it where `op` is BPF_JGE: high half above, or equal and the low half decides.
static struct dsl_label test_above(struct plain *plain, const struct dsl_expr *node, uint16_t op, uint64_t limit, struct ways ways)
{
    uint32_t word = DSL_WORD_ARGUMENTS + 2u * node->argument;
    struct dsl_label low = test(plain, op, (uint32_t)limit, ways.yes, ways.no);
    low = load(plain, word, (uint32_t)node->mask, &low);
    struct dsl_label equal = test(plain, BPF_JEQ, (uint32_t)(limit >> 32), &low, ways.no);
    struct dsl_label high = test(plain, BPF_JGT, (uint32_t)(limit >> 32), ways.yes, &equal);
    return load(plain, word + 1, (uint32_t)(node->mask >> 32), &high);
}

static struct dsl_label test_64(struct plain *plain, const struct dsl_expr *node, struct dsl_label *yes, struct dsl_label *no)
{
    struct dsl_label next = *no;
    for (uint32_t i = node->count; i-- > 0;) {
        struct dsl_label after = next;
        struct dsl_label *miss = i + 1 == node->count ? no : &after;
        struct dsl_label below = test_above(plain, node, BPF_JGT, node->runs[i].last, (struct ways){miss, yes});
        next = test_above(plain, node, BPF_JGE, node->runs[i].first, (struct ways){&below, miss});
    }
    return next;
}

// --- tests and verdicts -----------------------------------------------------------------------------------------------

// Emits a test that goes on at `yes` or `no`. Returns: where it starts.
static struct dsl_label test_expression(struct plain *plain, uint32_t id, struct dsl_label *yes, struct dsl_label *no)
{
    const struct dsl_expr *node = dsl_expr_get(plain->builder, id);
    if (node->kind == DSL_EXPR_ARGUMENT) {
        return node->bits == 32 ? test_32(plain, node, yes, no) : test_64(plain, node, yes, no);
    }
    if (node->kind == DSL_EXPR_NOT) {
        return test_expression(plain, node->parts[0], no, yes);
    }
    if (node->kind != DSL_EXPR_ALL && node->kind != DSL_EXPR_ANY) {
        return node->kind == DSL_EXPR_TRUE ? *yes : *no;
    }
    bool is_all = node->kind == DSL_EXPR_ALL;
    struct dsl_label next = test_expression(plain, node->parts[node->count - 1], yes, no);
    for (uint32_t i = node->count - 1; i-- > 0;) {
        struct dsl_label after = next;
        next = test_expression(plain, node->parts[i], is_all ? &after : yes, is_all ? no : &after);
    }
    return next;
}

// Emits one verdict whose parts are there.
static void emit_verdict(struct plain *plain, uint32_t id)
{
    const struct dsl_expr *node = dsl_expr_get(plain->builder, id);
    if (node->kind == DSL_EXPR_IF) {
        struct dsl_label *then = &plain->verdicts[node->parts[1]];
        plain->verdicts[id] = test_expression(plain, node->parts[0], then, &plain->verdicts[node->parts[2]]);
    } else {
        plain->verdicts[id] = (struct dsl_label){.is_return = true, .ret = (uint32_t)node->mask};
    }
}

static void mark_verdicts(const struct plain *plain, const struct dsl_ranges *ranges, bool *needed)
{
    for (uint32_t i = 0; i < ranges->count; i++) {
        needed[ranges->ranges[i].verdict.node] = true;
    }
    // Parts have smaller ids, so one walk down marks them.
    for (uint32_t id = plain->builder->nodes.count; id-- > 0;) {
        const struct dsl_expr *node = dsl_expr_get(plain->builder, id);
        if (needed[id] && node->kind == DSL_EXPR_IF) {
            needed[node->parts[1]] = needed[node->parts[2]] = true;
        }
    }
}

// Emits every verdict that some number gets, parts first.
static void emit_verdicts(struct plain *plain, const bool *needed)
{
    for (uint32_t id = 0; id < plain->builder->nodes.count; id++) {
        if (needed[id]) {
            emit_verdict(plain, id);
        }
    }
}

// --- the whole --------------------------------------------------------------------------------------------------------

// jge #first of the upper half, upper, lower
static struct dsl_label search(struct plain *plain, const struct dsl_range *ranges, uint32_t count)
{
    if (count == 1) {
        return plain->verdicts[ranges[0].verdict.node];
    }
    struct dsl_label upper = search(plain, ranges + count / 2, count - count / 2);
    struct dsl_label lower = search(plain, ranges, count / 2);
    return test(plain, BPF_JGE, ranges[count / 2].first, &upper, &lower);
}

// jeq #arch, its numbers; for one arch after the other
static void emit_arches(struct plain *plain, const struct dsl_ranges *ranges, uint32_t count, uint32_t foreign_ret)
{
    struct dsl_label numbers[BRIG_DSL_ARCH_COUNT];
    for (uint32_t i = 0; i < count; i++) {
        numbers[i] = search(plain, ranges[i].ranges, ranges[i].count);
        numbers[i] = load(plain, DSL_WORD_NR, UINT32_MAX, &numbers[i]);
    }
    struct dsl_label next = {.is_return = true, .ret = foreign_ret};
    for (uint32_t i = count; i-- > 0;) {
        struct dsl_label others = next;
        next = test(plain, BPF_JEQ, brig_dsl_arch_audit(ranges[i].arch), &numbers[i], &others);
    }
    load(plain, DSL_WORD_ARCH, UINT32_MAX, &next);
}

bool dsl_plain(const struct dsl_ranges *ranges, uint32_t count, uint32_t foreign_ret, const struct brig_dsl_builder *builder,
               struct dsl_emitter *emitter)
{
    struct plain plain = {.emitter = emitter, .builder = builder};
    plain.verdicts = DSL_ARENA_ARRAY(builder->nodes.arena, struct dsl_label, builder->nodes.count);
    bool *needed = DSL_ARENA_ARRAY(builder->nodes.arena, bool, builder->nodes.count);
    if (plain.verdicts == NULL || needed == NULL) {
        return false;
    }
    memset(needed, 0, builder->nodes.count * sizeof *needed);
    for (uint32_t i = 0; i < count; i++) {
        mark_verdicts(&plain, &ranges[i], needed);
    }
    emit_verdicts(&plain, needed);
    emit_arches(&plain, ranges, count, foreign_ret);
    return true;
}
