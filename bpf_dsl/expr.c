// expr: the expression builder.
//
// Takes: calls of expr.h. Gives: immutable nodes, each different one once. Requires: nothing; whatever is wrong with an argument is
// kept as a sticky flag and gives a node that is false, or denies. Guarantees: every test of an argument has one form, "(argument &
// mask) in sorted runs", so that equal tests are one node however they were written (AT_MOST 3, RANGE 0..3 and IN 0, 1, 2, 3);
// all_of and any_of do not depend on order; what is known is folded (a constant part, both branches equal). Weaknesses: equality is
// of form, not of meaning: all_of(a, any_of(a, b)) is not a. The decisions behind it find that out.
#include "bpf_dsl/expr_nodes.h"

#include <linux/seccomp.h>
#include <string.h>

// --- sorted runs ------------------------------------------------------------------------------------------------------

// Up to here runs are put in their places one by one; more of them by digits.
enum { DSL_FEW_RUNS = 32, DSL_DIGIT_BITS = 8 };

static void sort_few(struct dsl_expr_run *runs, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct dsl_expr_run run = runs[i];
        size_t at = i;
        for (; at > 0 && runs[at - 1].first > run.first; at--) {
            runs[at] = runs[at - 1];
        }
        runs[at] = run;
    }
}

static size_t digit_of(uint64_t value, unsigned shift)
{
    return value >> shift & ((1u << DSL_DIGIT_BITS) - 1);
}

// Moves runs to `to`, sorted by one digit; what has the same digit keeps its order.
static void sort_by_digit(const struct dsl_expr_run *runs, size_t count, unsigned shift, struct dsl_expr_run *to)
{
    uint32_t places[1u << DSL_DIGIT_BITS] = {0};
    uint32_t place = 0;
    for (size_t i = 0; i < count; i++) {
        places[digit_of(runs[i].first, shift)]++;
    }
    for (size_t digit = 0; digit < 1u << DSL_DIGIT_BITS; digit++) {
        uint32_t here = places[digit];
        places[digit] = place;
        place += here;
    }
    for (size_t i = 0; i < count; i++) {
        to[places[digit_of(runs[i].first, shift)]++] = runs[i];
    }
}

// By digits from the lowest: linear. Returns: the sorted runs, which are `runs` or in new memory.
static struct dsl_expr_run *sort_many(struct dsl_expr_run *runs, size_t count, struct brig_dsl_arena *arena)
{
    struct dsl_expr_run *spare = DSL_ARENA_ARRAY(arena, struct dsl_expr_run, count);
    uint64_t differ = 0;
    for (size_t i = 1; i < count; i++) {
        differ |= runs[i].first ^ runs[0].first;
    }
    for (unsigned shift = 0; shift < 64 && spare != NULL; shift += DSL_DIGIT_BITS) {
        if (digit_of(differ, shift) != 0) {
            sort_by_digit(runs, count, shift, spare);
            struct dsl_expr_run *sorted = spare;
            spare = runs;
            runs = sorted;
        }
    }
    return runs;
}

// Values mostly come sorted, which costs one look. Returns: the sorted runs.
static struct dsl_expr_run *sort_runs(struct dsl_expr_run *runs, size_t count, struct brig_dsl_arena *arena)
{
    size_t sorted = 1;
    while (sorted < count && runs[sorted - 1].first <= runs[sorted].first) {
        sorted++;
    }
    if (sorted >= count) {
        return runs;
    }
    if (count > DSL_FEW_RUNS) {
        return sort_many(runs, count, arena);
    }
    sort_few(runs, count);
    return runs;
}

// Joins sorted runs that touch or overlap. Returns: how many are left.
static uint32_t join_runs(struct dsl_expr_run *runs, size_t count)
{
    uint32_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && (runs[kept - 1].last == UINT64_MAX || runs[i].first <= runs[kept - 1].last + 1)) {
            runs[kept - 1].last = runs[kept - 1].last > runs[i].last ? runs[kept - 1].last : runs[i].last;
        } else {
            runs[kept++] = runs[i];
        }
    }
    return kept;
}

// --- nodes ------------------------------------------------------------------------------------------------------------

static uint32_t hash_node(const struct dsl_expr *node)
{
    uint64_t hash = dsl_hash(node->kind, node->mask);
    hash = dsl_hash(hash, node->argument);
    for (uint32_t i = 0; i < node->count; i++) {
        if (node->kind == DSL_EXPR_ARGUMENT) {
            hash = dsl_hash(dsl_hash(hash, node->runs[i].first), node->runs[i].last);
        } else {
            hash = dsl_hash(hash, node->parts[i]);
        }
    }
    return dsl_hash_end(hash);
}

static bool same_node(const void *node, const void *key)
{
    const struct dsl_expr *a = node;
    const struct dsl_expr *b = key;
    if (a->kind != b->kind || a->argument != b->argument || a->bits != b->bits || a->mask != b->mask || a->count != b->count) {
        return false;
    }
    if (a->count == 0) {
        return true;
    }
    return a->kind == DSL_EXPR_ARGUMENT ? memcmp(a->runs, b->runs, a->count * sizeof *a->runs) == 0
                                        : memcmp(a->parts, b->parts, a->count * sizeof *a->parts) == 0;
}

// `node` with its arrays already in the arena. Returns: its id; node 0 (false) when there is no room.
static uint32_t add_node(struct brig_dsl_builder *builder, const struct dsl_expr *node)
{
    uint32_t hash = hash_node(node);
    uint32_t id = dsl_intern_find(&builder->nodes, hash, same_node, node);
    if (id != DSL_INTERN_NONE) {
        return id;
    }
    struct dsl_expr *kept = DSL_ARENA_NEW(builder->nodes.arena, struct dsl_expr);
    if (kept == NULL) {
        return 0;
    }
    *kept = *node;
    id = dsl_intern_add(&builder->nodes, hash, kept);
    return id == DSL_INTERN_NONE ? 0 : id;
}

static uint32_t *copy_parts(struct brig_dsl_builder *builder, const uint32_t *parts, size_t count)
{
    uint32_t *copy = DSL_ARENA_ARRAY(builder->nodes.arena, uint32_t, count);
    if (copy != NULL) {
        memcpy(copy, parts, count * sizeof *copy);
    }
    return copy;
}

static void add_uses(struct dsl_expr *node, const struct dsl_expr *part)
{
    for (int i = 0; i < DSL_EXPR_ARGUMENTS; i++) {
        unsigned sum = (unsigned)node->uses[i] + part->uses[i];
        node->uses[i] = (uint16_t)(sum > UINT16_MAX ? UINT16_MAX : sum);
    }
}

// Takes what a node of `node`'s parts must know about them. Returns: false, and marks the builder, when it would be too deep.
static bool inherit(struct brig_dsl_builder *builder, struct dsl_expr *node)
{
    unsigned depth = 0;
    for (uint32_t i = 0; i < node->count; i++) {
        const struct dsl_expr *part = dsl_expr_get(builder, node->parts[i]);
        // Chains along `otherwise` are walked in a loop by everyone, so they do not count as nesting.
        unsigned below = part->depth + (node->kind == DSL_EXPR_IF && i == 2 ? 0u : 1u);
        depth = below > depth ? below : depth;
        if (part->kind != DSL_EXPR_RET) { // which tests nothing
            add_uses(node, part);
        }
    }
    node->depth = (uint8_t)(depth > DSL_EXPR_DEPTH ? DSL_EXPR_DEPTH : depth);
    builder->bad_operand |= depth > DSL_EXPR_DEPTH;
    return depth <= DSL_EXPR_DEPTH;
}

// Whether `node` is a value of this builder of the right sort (a test or a verdict).
static bool is_ours(struct brig_dsl_builder *builder, uint32_t node, bool is_verdict)
{
    bool ours = node < builder->nodes.count && (dsl_expr_get(builder, node)->kind >= DSL_EXPR_RET) == is_verdict;
    builder->bad_operand |= !ours;
    return ours;
}

bool dsl_builder_init(struct brig_dsl_builder *builder, struct brig_dsl_arena *arena)
{
    static const struct dsl_expr constants[] = {{.kind = DSL_EXPR_FALSE}, {.kind = DSL_EXPR_TRUE}};
    builder->bad_operand = false;
    memset(builder->recent_rets, 0, sizeof builder->recent_rets);
    if (!dsl_intern_init(&builder->nodes, arena, 0)) {
        return false;
    }
    dsl_intern_add_known(&builder->nodes, &constants[0]);
    dsl_intern_add_known(&builder->nodes, &constants[1]);
    builder->deny = add_node(builder, &(struct dsl_expr){.kind = DSL_EXPR_RET, .mask = SECCOMP_RET_KILL_PROCESS});
    return !arena->exhausted;
}

struct brig_dsl_verdict dsl_builder_accept(struct brig_dsl_builder *builder, struct brig_dsl_verdict verdict)
{
    return is_ours(builder, verdict.node, true) ? verdict : (struct brig_dsl_verdict){builder->deny};
}

// --- tests ------------------------------------------------------------------------------------------------------------

struct brig_dsl_test brig_dsl_always(struct brig_dsl_builder *builder, bool value)
{
    (void)builder;
    return (struct brig_dsl_test){value ? DSL_EXPR_TRUE : DSL_EXPR_FALSE};
}

static bool is_operand(struct brig_dsl_builder *builder, struct brig_dsl_operand operand)
{
    bool good = operand.argument < DSL_EXPR_ARGUMENTS && (operand.bits == 32 || operand.bits == 64);
    builder->bad_operand |= !good;
    return good;
}

static uint64_t all_bits(struct brig_dsl_operand operand)
{
    return operand.bits == 32 ? UINT32_MAX : UINT64_MAX;
}

// (operand & mask) in `runs`, which are in the arena and need not be tidy.
static struct brig_dsl_test test_argument(struct brig_dsl_builder *builder, struct brig_dsl_operand operand, uint64_t mask,
                                          struct dsl_expr_run *runs, size_t count)
{
    runs = sort_runs(runs, count, builder->nodes.arena);
    uint32_t kept = join_runs(runs, count);
    if (kept == 0) {
        return brig_dsl_always(builder, false);
    }
    if (mask == 0 || (runs[0].first == 0 && runs[0].last >= mask)) {
        return brig_dsl_always(builder, runs[0].first == 0);
    }
    struct dsl_expr node = {
        .kind = DSL_EXPR_ARGUMENT, .argument = operand.argument, .bits = operand.bits, .count = kept, .mask = mask, .runs = runs};
    node.uses[operand.argument] = 1;
    return (struct brig_dsl_test){add_node(builder, &node)};
}

struct brig_dsl_test brig_dsl_arg_masked(struct brig_dsl_builder *builder, struct brig_dsl_operand operand, uint64_t mask,
                                         const uint64_t *values, size_t count)
{
    struct dsl_expr_run *runs = DSL_ARENA_ARRAY(builder->nodes.arena, struct dsl_expr_run, count);
    if (!is_operand(builder, operand) || runs == NULL) {
        return brig_dsl_always(builder, false);
    }
    mask &= all_bits(operand);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t value = values[i] & all_bits(operand);
        if ((value & ~mask) == 0) {
            runs[kept++] = (struct dsl_expr_run){value, value};
        }
    }
    return test_argument(builder, operand, mask, runs, kept);
}

struct brig_dsl_test brig_dsl_arg_in(struct brig_dsl_builder *builder, struct brig_dsl_operand operand, const uint64_t *values,
                                     size_t count)
{
    return brig_dsl_arg_masked(builder, operand, UINT64_MAX, values, count);
}

struct brig_dsl_test brig_dsl_arg_range(struct brig_dsl_builder *builder, struct brig_dsl_operand operand, uint64_t lo, uint64_t hi)
{
    struct dsl_expr_run *runs = DSL_ARENA_ARRAY(builder->nodes.arena, struct dsl_expr_run, 2);
    if (!is_operand(builder, operand) || runs == NULL) {
        return brig_dsl_always(builder, false);
    }
    uint64_t all = all_bits(operand);
    // Signed order is unsigned order with the halves of the number line exchanged: flip the sign bit to compare.
    uint64_t flip = operand.is_signed ? all / 2 + 1 : 0;
    lo &= all;
    hi &= all;
    if ((lo ^ flip) > (hi ^ flip)) {
        return brig_dsl_always(builder, false);
    }
    size_t count = 1;
    runs[0] = (struct dsl_expr_run){lo, hi};
    if (lo > hi) { // from negative to positive: the run goes through zero
        runs[0] = (struct dsl_expr_run){0, hi};
        runs[1] = (struct dsl_expr_run){lo, all};
        count = 2;
    }
    return test_argument(builder, operand, all, runs, count);
}

struct brig_dsl_test brig_dsl_not(struct brig_dsl_builder *builder, struct brig_dsl_test test)
{
    if (!is_ours(builder, test.node, false)) {
        return brig_dsl_always(builder, false);
    }
    const struct dsl_expr *node = dsl_expr_get(builder, test.node);
    if (node->kind <= DSL_EXPR_TRUE) {
        return brig_dsl_always(builder, node->kind == DSL_EXPR_FALSE);
    }
    if (node->kind == DSL_EXPR_NOT) {
        return (struct brig_dsl_test){node->parts[0]};
    }
    struct dsl_expr not_node = {.kind = DSL_EXPR_NOT, .count = 1, .parts = copy_parts(builder, &test.node, 1)};
    if (not_node.parts == NULL || !inherit(builder, &not_node)) {
        return brig_dsl_always(builder, false);
    }
    return (struct brig_dsl_test){add_node(builder, &not_node)};
}

// Keeps `parts` sorted and without doubles; groups are small, and come nearly sorted.
static size_t insert_part(uint32_t *parts, size_t count, uint32_t part)
{
    size_t at = count;
    while (at > 0 && parts[at - 1] > part) {
        at--;
    }
    if (at > 0 && parts[at - 1] == part) {
        return count;
    }
    memmove(parts + at + 1, parts + at, (count - at) * sizeof *parts);
    parts[at] = part;
    return count + 1;
}

// ALL and ANY differ in which constant decides at once (`strong`) and which one does not matter (`weak`).
static struct brig_dsl_test group(struct brig_dsl_builder *builder, enum dsl_expr_kind kind, const struct brig_dsl_test *tests,
                                  size_t count)
{
    if (count == 1) {
        return is_ours(builder, tests[0].node, false) ? tests[0] : brig_dsl_always(builder, false);
    }
    uint32_t strong = kind == DSL_EXPR_ALL ? DSL_EXPR_FALSE : DSL_EXPR_TRUE;
    uint32_t weak = kind == DSL_EXPR_ALL ? DSL_EXPR_TRUE : DSL_EXPR_FALSE;
    uint32_t *parts = DSL_ARENA_ARRAY(builder->nodes.arena, uint32_t, count);
    size_t kept = 0;
    for (size_t i = 0; i < count && parts != NULL; i++) {
        if (!is_ours(builder, tests[i].node, false)) {
            return brig_dsl_always(builder, false);
        }
        if (tests[i].node == strong) {
            return (struct brig_dsl_test){strong};
        }
        kept = tests[i].node == weak ? kept : insert_part(parts, kept, tests[i].node);
    }
    if (kept <= 1 || parts == NULL) {
        return (struct brig_dsl_test){kept == 1 ? parts[0] : weak};
    }
    struct dsl_expr node = {.kind = (uint8_t)kind, .count = (uint32_t)kept, .parts = parts};
    return inherit(builder, &node) ? (struct brig_dsl_test){add_node(builder, &node)} : brig_dsl_always(builder, false);
}

struct brig_dsl_test brig_dsl_all_of(struct brig_dsl_builder *builder, const struct brig_dsl_test *tests, size_t count)
{
    return group(builder, DSL_EXPR_ALL, tests, count);
}

struct brig_dsl_test brig_dsl_any_of(struct brig_dsl_builder *builder, const struct brig_dsl_test *tests, size_t count)
{
    return group(builder, DSL_EXPR_ANY, tests, count);
}

// --- verdicts ---------------------------------------------------------------------------------------------------------

struct brig_dsl_verdict brig_dsl_ret(struct brig_dsl_builder *builder, uint32_t ret)
{
    uint32_t *recent = builder->recent_rets[(ret >> 16 ^ ret) % DSL_RECENT_RETS];
    if (recent[1] != 0 && recent[0] == ret) {
        return (struct brig_dsl_verdict){recent[1]};
    }
    uint32_t node = add_node(builder, &(struct dsl_expr){.kind = DSL_EXPR_RET, .mask = ret});
    recent[0] = ret;
    recent[1] = node;
    return (struct brig_dsl_verdict){node == 0 ? builder->deny : node};
}

struct brig_dsl_verdict brig_dsl_if(struct brig_dsl_builder *builder, struct brig_dsl_test test, struct brig_dsl_verdict then,
                                    struct brig_dsl_verdict otherwise)
{
    if (!is_ours(builder, test.node, false) || !is_ours(builder, then.node, true) || !is_ours(builder, otherwise.node, true)) {
        return (struct brig_dsl_verdict){builder->deny};
    }
    if (test.node == DSL_EXPR_TRUE || then.node == otherwise.node) {
        return then;
    }
    if (test.node == DSL_EXPR_FALSE) {
        return otherwise;
    }
    const uint32_t parts[] = {test.node, then.node, otherwise.node};
    struct dsl_expr node = {.kind = DSL_EXPR_IF, .count = 3, .parts = copy_parts(builder, parts, 3)};
    if (node.parts == NULL || !inherit(builder, &node)) {
        return (struct brig_dsl_verdict){builder->deny};
    }
    uint32_t id = add_node(builder, &node);
    return (struct brig_dsl_verdict){id == 0 ? builder->deny : id};
}

struct brig_dsl_verdict brig_dsl_switch(struct brig_dsl_builder *builder, struct brig_dsl_operand operand,
                                        const struct brig_dsl_case *cases, size_t count, struct brig_dsl_verdict otherwise)
{
    for (size_t i = count; i-- > 0;) {
        struct brig_dsl_test test = brig_dsl_arg_in(builder, operand, cases[i].values, cases[i].value_count);
        otherwise = brig_dsl_if(builder, test, cases[i].verdict, otherwise);
    }
    return otherwise;
}
