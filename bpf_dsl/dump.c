// dump: the stages of a compile as text, for people and golden files.
//
// Takes: a compilation that succeeded. Gives: one stage, in the order in which the compiler sees it. Guarantees: the same bytes for
// the same policy and arch on every host. Nodes are named by a letter for their sort and their number: t3 a test, v7 a verdict, d12
// a decision, s40 a step. Weaknesses: where the program had to be emitted plain, the later stages are those that were given up, or
// empty.
#include "bpf_dsl/compile.h"
#include "bpf_dsl/program.h"
#include "bpf_dsl/terms.h"

#include <string.h>

static const char *const stage_names[] = {
    [BRIG_DSL_STAGE_RULES] = "rules",         [BRIG_DSL_STAGE_EXPR] = "expr", [BRIG_DSL_STAGE_RANGES] = "ranges",
    [BRIG_DSL_STAGE_DECISIONS] = "decisions", [BRIG_DSL_STAGE_TREE] = "tree", [BRIG_DSL_STAGE_INSNS] = "insns",
};
_Static_assert(sizeof stage_names / sizeof stage_names[0] == BRIG_DSL_STAGE_COUNT, "every stage has a name");

const char *brig_dsl_stage_name(enum brig_dsl_stage stage)
{
    return (unsigned)stage < BRIG_DSL_STAGE_COUNT ? stage_names[stage] : NULL;
}

static void put_ret(const struct brig_dsl_sink *sink, uint32_t ret)
{
    char text[32];
    brig_dsl_ret_text(ret, text, sizeof text);
    dsl_put(sink, text);
}

static void put_node(const struct brig_dsl_sink *sink, const char *letter, uint32_t id)
{
    dsl_put(sink, letter);
    dsl_put_decimal(sink, id);
}

static void put_run(const struct brig_dsl_sink *sink, uint64_t first, uint64_t last)
{
    dsl_put_hex(sink, first);
    if (first != last) {
        dsl_put(sink, "-");
        dsl_put_hex(sink, last);
    }
}

// --- expr -------------------------------------------------------------------------------------------------------------

static void dump_argument_test(const struct dsl_expr *node, const struct brig_dsl_sink *sink)
{
    uint64_t all = node->bits == 32 ? UINT32_MAX : UINT64_MAX;
    dsl_put(sink, "argument ");
    dsl_put_decimal(sink, node->argument);
    dsl_put(sink, node->bits == 32 ? ".32" : ".64");
    if (node->mask != all) {
        dsl_put(sink, " & ");
        dsl_put_hex(sink, node->mask);
    }
    dsl_put(sink, " in");
    for (uint32_t i = 0; i < node->count; i++) {
        dsl_put(sink, " ");
        put_run(sink, node->runs[i].first, node->runs[i].last);
    }
}

static void dump_parts(const struct dsl_expr *node, const char *what, const struct brig_dsl_sink *sink)
{
    dsl_put(sink, what);
    for (uint32_t i = 0; i < node->count; i++) {
        put_node(sink, " t", node->parts[i]);
    }
}

static void dump_expression(const struct brig_dsl_builder *builder, uint32_t id, const struct brig_dsl_sink *sink)
{
    const struct dsl_expr *node = dsl_expr_get(builder, id);
    put_node(sink, node->kind >= DSL_EXPR_RET ? "v" : "t", id);
    dsl_put(sink, ": ");
    switch ((enum dsl_expr_kind)node->kind) {
    case DSL_EXPR_FALSE:
        dsl_put(sink, "false");
        break;
    case DSL_EXPR_TRUE:
        dsl_put(sink, "true");
        break;
    case DSL_EXPR_ARGUMENT:
        dump_argument_test(node, sink);
        break;
    case DSL_EXPR_NOT:
        dump_parts(node, "not", sink);
        break;
    case DSL_EXPR_ALL:
        dump_parts(node, "all", sink);
        break;
    case DSL_EXPR_ANY:
        dump_parts(node, "any", sink);
        break;
    case DSL_EXPR_RET:
        put_ret(sink, (uint32_t)node->mask);
        break;
    case DSL_EXPR_IF:
        put_node(sink, "if t", node->parts[0]);
        put_node(sink, " then v", node->parts[1]);
        put_node(sink, " else v", node->parts[2]);
        break;
    }
    dsl_put(sink, "\n");
}

static void dump_expressions(const struct dsl_compilation *compilation, const struct brig_dsl_sink *sink)
{
    for (uint32_t id = 0; id < compilation->builder->nodes.count; id++) {
        dump_expression(compilation->builder, id, sink);
    }
}

// --- ranges -----------------------------------------------------------------------------------------------------------

static void dump_ranges(const struct dsl_compilation *compilation, const struct brig_dsl_sink *sink)
{
    const struct dsl_ranges *ranges = &compilation->ranges[0]; // dumps are of one arch
    for (uint32_t i = 0; i < ranges->count; i++) {
        uint32_t first = ranges->ranges[i].first;
        uint32_t last = i + 1 < ranges->count ? ranges->ranges[i + 1].first - 1 : UINT32_MAX;
        const char *name = brig_dsl_call_name(brig_dsl_call_by_nr(first, ranges->arch));
        put_run(sink, first, last);
        put_node(sink, " v", ranges->ranges[i].verdict.node);
        dsl_put(sink, name == NULL ? "" : "  ; ");
        dsl_put(sink, name == NULL ? "" : name);
        dsl_put(sink, name != NULL && first != last ? " ..." : "");
        dsl_put(sink, "\n");
    }
}

// --- decisions --------------------------------------------------------------------------------------------------------

static void put_word(const struct brig_dsl_sink *sink, uint32_t word)
{
    static const char *const names[] = {"nr", "arch", "ip.lo", "ip.hi"};
    if (word < DSL_WORD_ARGUMENTS) {
        dsl_put(sink, names[word]);
        return;
    }
    if (word >= DSL_WORD_COUNT) { // what a raw program computes
        put_node(sink, "term", word - DSL_WORD_COUNT);
        return;
    }
    dsl_put(sink, "a");
    dsl_put_decimal(sink, (word - DSL_WORD_ARGUMENTS) / 2);
    dsl_put(sink, word % 2 == 0 ? ".lo" : ".hi");
}

// Bits of the terms that a listing names, so that it can say first what they are.
static uint64_t term_bit(uint32_t word)
{
    return word < DSL_WORD_COUNT ? 0 : (uint64_t)1 << (word - DSL_WORD_COUNT);
}
_Static_assert(DSL_TERMS_MAX <= 64, "a bit for each term");

static void dump_terms(const struct dsl_decisions *graph, uint64_t named, const struct brig_dsl_sink *sink)
{
    for (uint32_t i = 0; i < graph->term_count; i++) {
        if ((named >> i & 1) != 0) {
            put_word(sink, DSL_WORD_COUNT + i);
            dsl_put(sink, " = ");
            dsl_put_term(sink, &graph->terms[i], put_word);
            dsl_put(sink, "\n");
        }
    }
}

static void dump_leaf(const struct dsl_decisions *graph, const struct dsl_decision *node, const struct brig_dsl_sink *sink)
{
    if (node->kind == DSL_DECISION_GIVE) {
        dsl_put(sink, "return ");
        dsl_put_term(sink, &graph->given[node->mask], put_word);
    } else {
        put_ret(sink, node->mask);
    }
    dsl_put(sink, "\n");
}

static void dump_decision(const struct dsl_compilation *compilation, uint32_t id, const struct brig_dsl_sink *sink)
{
    const struct dsl_decision *node = dsl_decision_get(compilation->graph, id);
    put_node(sink, "d", id);
    dsl_put(sink, ": ");
    if (node->kind != DSL_DECISION_SWITCH) {
        dump_leaf(compilation->graph, node, sink);
        return;
    }
    put_word(sink, node->word);
    if (node->mask != UINT32_MAX) {
        dsl_put(sink, " & ");
        dsl_put_hex(sink, node->mask);
    }
    dsl_put(sink, "\n");
    for (uint32_t i = 0; i < node->run_count; i++) {
        dsl_put(sink, "    ");
        put_run(sink, node->runs[i].first, dsl_run_last(node, i));
        put_node(sink, " d", node->runs[i].child);
        dsl_put(sink, "\n");
    }
}

static bool dump_decisions(const struct dsl_compilation *compilation, const struct brig_dsl_sink *sink)
{
    const unsigned char *marks = dsl_decisions_mark(compilation->graph, compilation->root);
    uint64_t named = 0;
    for (uint32_t id = 0; marks != NULL && id <= compilation->root; id++) {
        const struct dsl_decision *node = dsl_decision_get(compilation->graph, id);
        named |= marks[id] && node->kind == DSL_DECISION_SWITCH ? term_bit(node->word) : 0;
    }
    dump_terms(compilation->graph, named, sink);
    for (uint32_t id = compilation->root + 1; marks != NULL && id-- > 0;) {
        if (marks[id]) {
            dump_decision(compilation, id, sink);
        }
    }
    return marks != NULL;
}

// --- tree -------------------------------------------------------------------------------------------------------------

// A step that only leads on.
static void dump_straight(const struct dsl_step *step, const struct brig_dsl_sink *sink)
{
    static const char *const names[] = {
        [DSL_STEP_LOAD] = "load ", [DSL_STEP_AND] = "mask ", [DSL_STEP_SUB] = "lower ", [DSL_STEP_PICK] = "pick a bit of "};
    if (step->kind == DSL_STEP_TURN) {
        char text[64];
        const struct sock_filter turn = {.code = step->op, .k = step->k};
        brig_dsl_disassemble(&turn, text, sizeof text);
        dsl_put(sink, text);
    } else {
        dsl_put(sink, names[step->kind]);
        put_word(sink, step->word);
    }
    if (step->kind != DSL_STEP_LOAD && step->kind != DSL_STEP_TURN) {
        dsl_put(sink, " by ");
        dsl_put_hex(sink, step->k);
    }
    put_node(sink, ", s", step->yes);
}

static void dump_step(const struct dsl_tree *tree, uint32_t id, const struct brig_dsl_sink *sink)
{
    static const char *const tests[] = {
        [DSL_STEP_JEQ] = " == ", [DSL_STEP_JGE] = " >= ", [DSL_STEP_JGT] = " > ", [DSL_STEP_JSET] = " & "};
    const struct dsl_step *step = dsl_step_get(tree, id);
    put_node(sink, "s", id);
    dsl_put(sink, ": ");
    if (step->kind == DSL_STEP_RET) {
        put_ret(sink, step->k);
    } else if (step->kind == DSL_STEP_GIVE) {
        dsl_put(sink, "return it");
    } else if (!dsl_step_is_test(step)) {
        dump_straight(step, sink);
    } else {
        put_word(sink, step->word);
        dsl_put(sink, tests[step->kind]);
        dsl_put_hex(sink, step->k);
        put_node(sink, " ? s", step->yes);
        put_node(sink, " : s", step->no);
    }
    if (!dsl_step_is_end(step)) {
        dsl_put(sink, "  ; ");
        dsl_put_decimal(sink, (int64_t)step->weight);
    }
    dsl_put(sink, "\n");
}

static bool dump_tree(const struct dsl_compilation *compilation, const struct brig_dsl_sink *sink)
{
    const struct dsl_tree *tree = compilation->tree;
    const unsigned char *marks = dsl_tree_mark(tree);
    uint64_t named = 0;
    for (uint32_t id = 0; marks != NULL && id <= tree->root; id++) {
        named |= marks[id] ? term_bit(dsl_step_get(tree, id)->word) : 0;
    }
    dump_terms(compilation->graph, named, sink);
    for (uint32_t id = tree->root + 1; marks != NULL && id-- > 0;) {
        if (marks[id]) {
            dump_step(tree, id, sink);
        }
    }
    return marks != NULL;
}

bool dsl_dump_stage(const struct dsl_compilation *compilation, enum brig_dsl_stage stage, const struct brig_dsl_sink *sink)
{
    switch (stage) {
    case BRIG_DSL_STAGE_EXPR:
        dump_expressions(compilation, sink);
        break;
    case BRIG_DSL_STAGE_RANGES:
        dump_ranges(compilation, sink);
        break;
    case BRIG_DSL_STAGE_DECISIONS:
        return compilation->is_plain || dump_decisions(compilation, sink);
    case BRIG_DSL_STAGE_TREE:
        return compilation->is_plain || dump_tree(compilation, sink);
    case BRIG_DSL_STAGE_INSNS:
        brig_dsl_list(dsl_emitted(&compilation->emitter), compilation->emitter.head, compilation->options->arch, sink);
        break;
    case BRIG_DSL_STAGE_RULES: // the rules are not this compilation's
    case BRIG_DSL_STAGE_COUNT:
        break;
    }
    return true;
}
