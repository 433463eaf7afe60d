// stages: the stages of a compile as nodes, for tools. See stages.h.
//
// Takes: a compilation that succeeded, or a raw program, which has the stages from its decisions on. Gives: one node after the
// other, each in a form that does not change with the compiler's insides. Guarantees: what is shown of a masked switch are values
// that exist. Weaknesses: the runs of a node are copied.
#include "bpf_dsl/decompile.h"
#include "bpf_dsl/masks.h"
#include "bpf_dsl/program.h"
#include "bpf_dsl/specialise.h"
#include "bpf_dsl/stages_visit.h"
#include "bpf_dsl/terms.h"

static const char *const kind_names[] = {
    [BRIG_DSL_NODE_FALSE] = "false", [BRIG_DSL_NODE_TRUE] = "true",     [BRIG_DSL_NODE_TEST] = "test",
    [BRIG_DSL_NODE_NOT] = "not",     [BRIG_DSL_NODE_ALL] = "all",       [BRIG_DSL_NODE_ANY] = "any",
    [BRIG_DSL_NODE_IF] = "if",       [BRIG_DSL_NODE_RET] = "ret",       [BRIG_DSL_NODE_GIVE] = "give",
    [BRIG_DSL_NODE_RANGE] = "range", [BRIG_DSL_NODE_SWITCH] = "switch", [BRIG_DSL_NODE_LOAD] = "load",
    [BRIG_DSL_NODE_AND] = "and",     [BRIG_DSL_NODE_SUB] = "sub",       [BRIG_DSL_NODE_PICK] = "pick",
    [BRIG_DSL_NODE_TURN] = "turn",   [BRIG_DSL_NODE_JEQ] = "jeq",       [BRIG_DSL_NODE_JGE] = "jge",
    [BRIG_DSL_NODE_JGT] = "jgt",     [BRIG_DSL_NODE_JSET] = "jset",
};
_Static_assert(sizeof kind_names / sizeof kind_names[0] == BRIG_DSL_NODE_KIND_COUNT, "every kind has a name");

const char *brig_dsl_node_kind_name(enum brig_dsl_node_kind kind)
{
    return (unsigned)kind < BRIG_DSL_NODE_KIND_COUNT ? kind_names[kind] : NULL;
}

static struct brig_error out_of_arena(const struct brig_dsl_arena *arena)
{
    return (struct brig_error){.code = BRIG_OUT_OF_ARENA, .step = "show stage", .detail = (int64_t)arena->size_bytes};
}

// `terms` are those of the graph, as text.
static struct brig_dsl_word word_of(uint32_t word, const char *const *terms)
{
    static const enum brig_dsl_word_kind kinds[DSL_WORD_ARGUMENTS] = {
        [DSL_WORD_NR] = BRIG_DSL_WORD_NR,
        [DSL_WORD_ARCH] = BRIG_DSL_WORD_ARCH,
        [DSL_WORD_IP_LO] = BRIG_DSL_WORD_IP,
        [DSL_WORD_IP_HI] = BRIG_DSL_WORD_IP,
    };
    struct brig_dsl_word ret = {.kind = BRIG_DSL_WORD_TERM, .bits = 32};
    if (word >= DSL_WORD_COUNT) {
        ret.index = (uint8_t)(word - DSL_WORD_COUNT);
        ret.term = terms[ret.index];
        return ret;
    }
    bool is_argument = word >= DSL_WORD_ARGUMENTS;
    ret.kind = is_argument ? BRIG_DSL_WORD_ARGUMENT : kinds[word];
    ret.index = (uint8_t)(is_argument ? (word - DSL_WORD_ARGUMENTS) / 2 : 0);
    ret.shift = word >= DSL_WORD_IP_LO && word % 2 != 0 ? 32 : 0;
    return ret;
}

// --- expr -------------------------------------------------------------------------------------------------------------

static struct brig_dsl_node expression_node(const struct dsl_expr *expr, uint32_t id, struct brig_dsl_node_run *runs)
{
    static const enum brig_dsl_node_kind kinds[] = {
        [DSL_EXPR_FALSE] = BRIG_DSL_NODE_FALSE, [DSL_EXPR_TRUE] = BRIG_DSL_NODE_TRUE, [DSL_EXPR_ARGUMENT] = BRIG_DSL_NODE_TEST,
        [DSL_EXPR_NOT] = BRIG_DSL_NODE_NOT,     [DSL_EXPR_ALL] = BRIG_DSL_NODE_ALL,   [DSL_EXPR_ANY] = BRIG_DSL_NODE_ANY,
        [DSL_EXPR_RET] = BRIG_DSL_NODE_RET,     [DSL_EXPR_IF] = BRIG_DSL_NODE_IF,
    };
    struct brig_dsl_node node = {.id = id, .kind = kinds[expr->kind]};
    if (expr->kind == DSL_EXPR_ARGUMENT) {
        node.word = (struct brig_dsl_word){.kind = BRIG_DSL_WORD_ARGUMENT, .index = expr->argument, .bits = expr->bits};
        node.mask = expr->mask;
        node.run_count = expr->count;
        node.runs = runs;
        for (uint32_t i = 0; i < expr->count; i++) {
            runs[i] = (struct brig_dsl_node_run){.first = expr->runs[i].first, .last = expr->runs[i].last};
        }
    } else if (expr->kind == DSL_EXPR_RET) {
        node.value = (uint32_t)expr->mask;
    } else {
        node.part_count = expr->kind == DSL_EXPR_IF ? 3 : expr->kind == DSL_EXPR_NOT ? 1 : expr->count;
        node.part_count = expr->kind <= DSL_EXPR_TRUE ? 0 : node.part_count;
        node.parts = expr->parts;
    }
    return node;
}

static bool visit_expressions(const struct dsl_compilation *compilation, const struct brig_dsl_visitor *visitor)
{
    const struct brig_dsl_builder *builder = compilation->builder;
    uint32_t most = 0;
    for (uint32_t id = 0; id < builder->nodes.count; id++) {
        const struct dsl_expr *expr = dsl_expr_get(builder, id);
        most = expr->count > most ? expr->count : most;
    }
    struct brig_dsl_node_run *runs = DSL_ARENA_ARRAY(compilation->arena, struct brig_dsl_node_run, most);
    for (uint32_t id = 0; runs != NULL && id < builder->nodes.count; id++) {
        struct brig_dsl_node node = expression_node(dsl_expr_get(builder, id), id, runs);
        visitor->visit(visitor->context, &node);
    }
    return runs != NULL;
}

// --- ranges -----------------------------------------------------------------------------------------------------------

static void visit_ranges(const struct dsl_ranges *ranges, const struct brig_dsl_visitor *visitor)
{
    for (uint32_t i = 0; i < ranges->count; i++) {
        struct brig_dsl_node_run run = {.first = ranges->ranges[i].first, .target = ranges->ranges[i].verdict.node};
        run.last = i + 1 < ranges->count ? ranges->ranges[i + 1].first - 1 : UINT32_MAX;
        struct brig_dsl_node node = {.id = i,
                                     .kind = BRIG_DSL_NODE_RANGE,
                                     .word = {.kind = BRIG_DSL_WORD_NR, .bits = 32},
                                     .mask = UINT32_MAX,
                                     .run_count = 1,
                                     .runs = &run};
        visitor->visit(visitor->context, &node);
    }
}

// --- decisions --------------------------------------------------------------------------------------------------------

static struct brig_dsl_node switch_node(const struct dsl_decision *decision, struct brig_dsl_node_run *runs)
{
    struct brig_dsl_node node = {.kind = BRIG_DSL_NODE_SWITCH, .mask = decision->mask, .runs = runs};
    for (uint32_t i = 0; i < decision->run_count; i++) {
        uint32_t first;
        uint32_t next;
        uint32_t last = dsl_run_last(decision, i);
        if (!dsl_next_in_mask(decision->mask, decision->runs[i].first, &first) || first > last) {
            continue;
        }
        bool is_single = first == UINT32_MAX || !dsl_next_in_mask(decision->mask, first + 1, &next) || next > last;
        runs[node.run_count++] =
            (struct brig_dsl_node_run){.first = first, .last = is_single ? first : last, .target = decision->runs[i].child};
    }
    return node;
}

static struct brig_dsl_node leaf_node(const struct dsl_decisions *graph, const struct dsl_decision *decision,
                                      const char *const *terms)
{
    if (decision->kind != DSL_DECISION_GIVE) {
        return (struct brig_dsl_node){.kind = BRIG_DSL_NODE_RET, .value = decision->mask};
    }
    bool is_word = dsl_decision_tail(graph, decision).count == 0;
    uint32_t word = is_word ? decision->word : DSL_WORD_COUNT + DSL_TERMS_MAX + decision->mask;
    return (struct brig_dsl_node){.kind = BRIG_DSL_NODE_GIVE, .word = word_of(word, terms)};
}

bool dsl_visit_decisions(const struct dsl_decisions *graph, uint32_t root, struct brig_dsl_arena *arena,
                         const struct brig_dsl_visitor *visitor)
{
    uint32_t most = 0;
    const unsigned char *marks = dsl_decisions_mark(graph, root);
    for (uint32_t id = 0; marks != NULL && id <= root; id++) {
        uint32_t count = dsl_decision_get(graph, id)->run_count;
        most = marks[id] != 0 && count > most ? count : most;
    }
    const char *const *terms = dsl_terms_describe(graph, arena);
    struct brig_dsl_node_run *runs = marks == NULL ? NULL : DSL_ARENA_ARRAY(arena, struct brig_dsl_node_run, most);
    for (uint32_t id = root + 1; runs != NULL && id-- > 0;) {
        const struct dsl_decision *decision = dsl_decision_get(graph, id);
        if (marks[id] == 0) {
            continue; // and there may be no room for its runs
        }
        struct brig_dsl_node node;
        if (decision->kind == DSL_DECISION_SWITCH) {
            node = switch_node(decision, runs);
            node.word = word_of(decision->word, terms);
        } else {
            node = leaf_node(graph, decision, terms);
        }
        node.id = id;
        visitor->visit(visitor->context, &node);
    }
    return runs != NULL;
}

// --- tree -------------------------------------------------------------------------------------------------------------

static enum brig_dsl_node_kind kind_of_step(enum dsl_step_kind kind)
{
    switch (kind) {
    case DSL_STEP_RET:
        return BRIG_DSL_NODE_RET;
    case DSL_STEP_GIVE:
        return BRIG_DSL_NODE_GIVE;
    case DSL_STEP_LOAD:
        return BRIG_DSL_NODE_LOAD;
    case DSL_STEP_AND:
        return BRIG_DSL_NODE_AND;
    case DSL_STEP_SUB:
        return BRIG_DSL_NODE_SUB;
    case DSL_STEP_PICK:
        return BRIG_DSL_NODE_PICK;
    case DSL_STEP_TURN:
        return BRIG_DSL_NODE_TURN;
    case DSL_STEP_JEQ:
        return BRIG_DSL_NODE_JEQ;
    case DSL_STEP_JGE:
        return BRIG_DSL_NODE_JGE;
    case DSL_STEP_JGT:
        return BRIG_DSL_NODE_JGT;
    case DSL_STEP_JSET:
        return BRIG_DSL_NODE_JSET;
    }
    return BRIG_DSL_NODE_RET;
}

static bool visit_tree(const struct dsl_compilation *compilation, const struct brig_dsl_visitor *visitor)
{
    const struct dsl_tree *tree = compilation->tree;
    const char *const *terms = dsl_terms_describe(compilation->graph, compilation->arena);
    const unsigned char *marks = dsl_tree_mark(tree);
    for (uint32_t id = tree->root + 1; marks != NULL && id-- > 0;) {
        const struct dsl_step *step = dsl_step_get(tree, id);
        const uint32_t parts[] = {step->yes, step->no};
        const struct sock_filter turn = {.code = step->op, .k = step->k};
        struct brig_dsl_node node = {.id = id, .kind = kind_of_step((enum dsl_step_kind)step->kind), .value = step->k};
        if (node.kind != BRIG_DSL_NODE_RET) {
            node.word = word_of(step->word, terms);
            node.weight = step->weight;
            node.turn = step->kind == DSL_STEP_TURN ? &turn : NULL;
        }
        if (!dsl_step_is_end(step)) {
            node.part_count = dsl_step_is_test(step) ? 2 : 1;
            node.parts = parts;
        }
        if (marks[id] != 0) {
            visitor->visit(visitor->context, &node);
        }
    }
    return marks != NULL;
}

// --- the entry --------------------------------------------------------------------------------------------------------

bool dsl_visit_stage(const struct dsl_compilation *compilation, const struct brig_dsl_visitor *visitor)
{
    switch (visitor->stage) {
    case BRIG_DSL_STAGE_EXPR:
        return visit_expressions(compilation, visitor);
    case BRIG_DSL_STAGE_RANGES:
        for (uint32_t i = 0; i < compilation->target_count; i++) {
            visit_ranges(&compilation->ranges[i], visitor);
        }
        return true;
    case BRIG_DSL_STAGE_DECISIONS:
        return compilation->is_plain || dsl_visit_decisions(compilation->graph, compilation->root, compilation->arena, visitor);
    case BRIG_DSL_STAGE_TREE:
        return compilation->is_plain || visit_tree(compilation, visitor);
    case BRIG_DSL_STAGE_RULES:
    case BRIG_DSL_STAGE_INSNS:
    case BRIG_DSL_STAGE_COUNT:
        break;
    }
    return true;
}

// --- raw programs -----------------------------------------------------------------------------------------------------

static enum brig_code check_program(const struct brig_dsl_filter *filter, enum brig_dsl_stage stage, struct brig_error *reterr)
{
    if (stage < BRIG_DSL_STAGE_DECISIONS || stage >= BRIG_DSL_STAGE_COUNT) {
        return brig_error_set(reterr, (struct brig_error){.code = BRIG_BAD_ARGUMENT, .step = "read program", .detail = stage});
    }
    return brig_dsl_validate(filter->insns, filter->insn_count, reterr);
}

// Reads a program as a compile that starts at its decisions, and makes the tree if that is the stage asked for. Returns: OK, with
// is_plain set where there is no such form; OUT_OF_ARENA.
static enum brig_code read_program(const struct brig_dsl_filter *filter, enum brig_dsl_stage stage,
                                   struct dsl_compilation *compilation, struct brig_error *reterr)
{
    struct brig_dsl_arena *arena = compilation->arena;
    const struct dsl_code code = {filter->insns, (uint32_t)filter->insn_count};
    struct dsl_decisions *graph = compilation->graph = DSL_ARENA_NEW(arena, struct dsl_decisions);
    compilation->tree = DSL_ARENA_NEW(arena, struct dsl_tree);
    if (graph == NULL || compilation->tree == NULL || !dsl_decisions_init(graph, arena, 2 * code.count)) {
        return brig_error_set(reterr, out_of_arena(arena));
    }
    uint32_t root = dsl_decompile(graph, &code, DSL_LEAVES_FEW);
    uint32_t sorted = root == DSL_DECISION_NO ? root : dsl_specialise(graph, root);
    compilation->root = sorted == DSL_DECISION_NO ? root : sorted;
    compilation->is_plain = root == DSL_DECISION_NO;
    if (stage == BRIG_DSL_STAGE_TREE && !compilation->is_plain) {
        const struct dsl_wishes wishes = {.profile = compilation->options->profile, .is_small = compilation->options->small};
        compilation->is_plain = !dsl_tree_build(graph, dsl_masks_drop_idle(graph, compilation->root), &wishes, compilation->tree);
    }
    return arena->exhausted ? brig_error_set(reterr, out_of_arena(arena)) : BRIG_OK;
}

enum brig_code brig_dsl_visit_program(const struct brig_dsl_filter *filter, const struct brig_dsl_options *options,
                                      struct brig_dsl_arena *arena, const struct brig_dsl_visitor *visitor,
                                      struct brig_error *reterr)
{
    struct dsl_compilation compilation = {.options = options, .arena = arena};
    enum brig_code status = check_program(filter, visitor->stage, reterr);
    if (status == BRIG_OK) {
        status = read_program(filter, visitor->stage, &compilation, reterr);
    }
    if (status == BRIG_OK && !dsl_visit_stage(&compilation, visitor)) {
        status = brig_error_set(reterr, out_of_arena(arena));
    }
    return status;
}

enum brig_code brig_dsl_dump_program(const struct brig_dsl_filter *filter, const struct brig_dsl_options *options,
                                     enum brig_dsl_stage stage, struct brig_dsl_arena *arena, const struct brig_dsl_sink *sink,
                                     struct brig_error *reterr)
{
    struct dsl_compilation compilation = {.options = options, .arena = arena};
    struct brig_dsl_optimized optimized;
    enum brig_code status = check_program(filter, stage, reterr);
    if (status != BRIG_OK) {
        return status;
    }
    if (stage == BRIG_DSL_STAGE_INSNS) {
        status = brig_dsl_optimize(filter, options, arena, &optimized, reterr);
        if (status == BRIG_OK) {
            brig_dsl_list(optimized.insns, optimized.insn_count, options->arch, sink);
        }
        return status;
    }
    status = read_program(filter, stage, &compilation, reterr);
    if (status == BRIG_OK && !dsl_dump_stage(&compilation, stage, sink)) {
        status = brig_error_set(reterr, out_of_arena(arena));
    }
    return status;
}
