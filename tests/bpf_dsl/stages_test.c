// Stages as data: walked as a reader of stages.h would, they decide what the program does.
#include "bpf_dsl/stages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bpf_dsl/program_fixture.h"
#include "tests/bpf_dsl/random_calls.h"
#include "tests/bpf_dsl/sample_policy.h"
#include "tests/shim/codes.h"
#include "tests/shim/test.h"

enum { NODES_MAX = 65536, TERM_BYTES = 256 };

// Nodes of a stage by id, with copies of their arrays.
struct nodes {
    struct brig_dsl_node *of[NODES_MAX];
    uint32_t first; // id of the first one shown
    uint32_t count;
};

static void keep(void *context, const struct brig_dsl_node *node)
{
    struct nodes *nodes = context;
    struct brig_dsl_node *kept = calloc(1, sizeof *kept);
    struct brig_dsl_node_run *runs = calloc(node->run_count + 1u, sizeof *runs);
    uint32_t *parts = calloc(node->part_count + 1u, sizeof *parts);
    if (node->id >= NODES_MAX || kept == NULL || runs == NULL || parts == NULL) {
        abort(); // the tests need more room
    }
    nodes->first = nodes->count++ == 0 ? node->id : nodes->first;
    for (uint32_t i = 0; i < node->run_count; i++) {
        runs[i] = node->runs[i];
    }
    for (uint32_t i = 0; i < node->part_count; i++) {
        parts[i] = node->parts[i];
    }
    *kept = *node;
    kept->runs = runs;
    kept->parts = parts;
    nodes->of[node->id] = kept;
}

static void forget(struct nodes *nodes)
{
    for (uint32_t id = 0; id < NODES_MAX; id++) {
        if (nodes->of[id] != NULL) {
            free((void *)nodes->of[id]->runs);
            free((void *)nodes->of[id]->parts);
            free(nodes->of[id]);
        }
    }
    memset(nodes, 0, sizeof *nodes);
}

static uint64_t word_of(const struct brig_dsl_word *word, const struct brig_dsl_data *data)
{
    uint64_t value = 0;
    switch (word->kind) {
    case BRIG_DSL_WORD_NR:
        value = data->nr;
        break;
    case BRIG_DSL_WORD_ARCH:
        value = data->audit_arch;
        break;
    case BRIG_DSL_WORD_IP:
        value = data->ip;
        break;
    case BRIG_DSL_WORD_ARGUMENT:
        value = data->args[word->index];
        break;
    case BRIG_DSL_WORD_TERM:
    case BRIG_DSL_WORD_NONE:
        CHECK(false);
    }
    value >>= word->shift;
    return word->bits == 64 ? value : value & UINT32_MAX;
}

// Returns: the run that holds `value`, of which there must be one.
static const struct brig_dsl_node_run *find_run(const struct brig_dsl_node *node, uint64_t value)
{
    for (uint32_t i = 0; i < node->run_count; i++) {
        if (value >= node->runs[i].first && value <= node->runs[i].last) {
            return &node->runs[i];
        }
    }
    return NULL;
}

static uint32_t decide(const struct nodes *nodes, const struct brig_dsl_data *data)
{
    const struct brig_dsl_node *node = nodes->of[nodes->first];
    while (node != NULL && node->kind == BRIG_DSL_NODE_SWITCH) {
        const struct brig_dsl_node_run *run = find_run(node, word_of(&node->word, data) & node->mask);
        node = CHECK(run != NULL) ? nodes->of[run->target] : NULL;
    }
    return CHECK(node != NULL && node->kind == BRIG_DSL_NODE_RET) ? node->value : 0;
}

static uint32_t climb(const struct nodes *nodes, const struct brig_dsl_data *data)
{
    const struct brig_dsl_node *node = nodes->of[nodes->first];
    uint32_t a = 0;
    while (node != NULL && node->kind != BRIG_DSL_NODE_RET) {
        uint32_t part = 0;
        switch (node->kind) {
        case BRIG_DSL_NODE_LOAD:
            a = (uint32_t)word_of(&node->word, data);
            break;
        case BRIG_DSL_NODE_AND:
            a &= node->value;
            break;
        case BRIG_DSL_NODE_SUB:
            a -= node->value;
            break;
        case BRIG_DSL_NODE_PICK:
            a = CHECK_LT(a, 32u) ? node->value >> a : 0;
            break;
        case BRIG_DSL_NODE_JEQ:
            part = a != node->value;
            break;
        case BRIG_DSL_NODE_JGE:
            part = a < node->value;
            break;
        case BRIG_DSL_NODE_JGT:
            part = a <= node->value;
            break;
        default:
            CHECK(node->kind == BRIG_DSL_NODE_JSET);
            part = (a & node->value) == 0;
            break;
        }
        node = CHECK(part < node->part_count) ? nodes->of[node->parts[part]] : NULL;
    }
    return node == NULL ? 0 : node->value;
}

static bool holds(const struct nodes *nodes, uint32_t id, const struct brig_dsl_data *data)
{
    const struct brig_dsl_node *node = nodes->of[id];
    bool wants = node->kind == BRIG_DSL_NODE_ANY;
    switch (node->kind) {
    case BRIG_DSL_NODE_FALSE:
    case BRIG_DSL_NODE_TRUE:
        return node->kind == BRIG_DSL_NODE_TRUE;
    case BRIG_DSL_NODE_TEST:
        return find_run(node, word_of(&node->word, data) & node->mask) != NULL;
    case BRIG_DSL_NODE_NOT:
        return !holds(nodes, node->parts[0], data);
    default:
        CHECK(node->kind == BRIG_DSL_NODE_ALL || wants);
    }
    for (uint32_t i = 0; i < node->part_count; i++) {
        if (holds(nodes, node->parts[i], data) == wants) {
            return wants;
        }
    }
    return !wants;
}

// What the stages `ranges` and `expr` say together.
static uint32_t evaluate(const struct nodes *ranges, const struct nodes *expressions, const struct brig_dsl_data *data)
{
    for (uint32_t id = 0; id < ranges->count; id++) {
        const struct brig_dsl_node_run *run = find_run(ranges->of[id], data->nr);
        const struct brig_dsl_node *node = run == NULL ? NULL : expressions->of[run->target];
        while (node != NULL && node->kind == BRIG_DSL_NODE_IF) {
            node = expressions->of[node->parts[holds(expressions, node->parts[0], data) ? 1 : 2]];
        }
        if (node != NULL) {
            return node->value;
        }
    }
    return 0;
}

static _Alignas(16) unsigned char memory[BRIG_DSL_ARENA_BYTES];
static struct nodes stages[BRIG_DSL_STAGE_COUNT];

static bool visit(enum brig_dsl_arch arch, enum brig_dsl_stage stage)
{
    struct brig_dsl_options options = {.arch = arch, .self_pid = 1234, .notify_fd = BRIG_DSL_SLOT_UNSET};
    const struct brig_dsl_target target = {arch, &sample_policy};
    struct brig_dsl_visitor visitor = {.stage = stage, .visit = keep, .context = &stages[stage]};
    struct brig_dsl_arena arena;
    struct brig_error error;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    return CHECK_OK(brig_dsl_visit(&target, 1, &options, &arena, &visitor, &error), &error);
}

TEST(stages, every_stage_decides_the_same)
{
    for (int arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
        static _Alignas(16) unsigned char rules_memory[BRIG_DSL_ARENA_BYTES];
        struct brig_dsl_options options = {.arch = (enum brig_dsl_arch)arch, .self_pid = 1234, .notify_fd = BRIG_DSL_SLOT_UNSET};
        struct brig_dsl_arena arena;
        struct brig_dsl_rules rules;
        struct brig_error error;
        struct random random = {4711};
        brig_dsl_arena_init(&arena, rules_memory, sizeof rules_memory);
        REQUIRE(CHECK_OK(brig_dsl_resolve(&sample_policy, &options, &arena, &rules, &error), &error));
        for (int stage = BRIG_DSL_STAGE_RULES; stage < BRIG_DSL_STAGE_COUNT; stage++) {
            REQUIRE(visit((enum brig_dsl_arch)arch, (enum brig_dsl_stage)stage));
        }
        CHECK_EQ(stages[BRIG_DSL_STAGE_RULES].count + stages[BRIG_DSL_STAGE_INSNS].count, 0u);
        for (int i = 0; i < 20000; i++) {
            struct brig_dsl_data data = random_data(&random, &rules);
            uint32_t expected = brig_dsl_evaluate(&rules, &data, NULL);
            CHECK_EQ(decide(&stages[BRIG_DSL_STAGE_DECISIONS], &data), expected);
            CHECK_EQ(climb(&stages[BRIG_DSL_STAGE_TREE], &data), expected);
            if (data.audit_arch == brig_dsl_arch_audit((enum brig_dsl_arch)arch)) {
                CHECK_EQ(evaluate(&stages[BRIG_DSL_STAGE_RANGES], &stages[BRIG_DSL_STAGE_EXPR], &data), expected);
            }
        }
        for (int stage = 0; stage < BRIG_DSL_STAGE_COUNT; stage++) {
            forget(&stages[stage]);
        }
    }
}

static const struct brig_dsl_options raw_options = {.arch = BRIG_DSL_X86_64};

TEST(stages, raw_programs_have_decisions_and_a_tree)
{
    unsigned char *big = malloc(BRIG_DSL_OPTIMIZE_ARENA_BYTES);
    REQUIRE(big != NULL);
    for (uint64_t seed = 1; seed < 40; seed++) {
        struct random random;
        struct random_shape shape = random_shape_of(&random, seed);
        const struct compiled *compiled = program_compile(&random, &shape);
        struct nodes *nodes = &stages[BRIG_DSL_STAGE_DECISIONS];
        struct brig_dsl_visitor visitor = {.stage = BRIG_DSL_STAGE_DECISIONS, .visit = keep, .context = nodes};
        const struct brig_dsl_filter filter = {compiled->insns[0], compiled->count[0]};
        struct brig_dsl_arena arena;
        struct brig_error error;
        test_message("seed %d", (int)seed);
        brig_dsl_arena_init(&arena, big, BRIG_DSL_OPTIMIZE_ARENA_BYTES);
        REQUIRE(CHECK_OK(brig_dsl_visit_program(&filter, &raw_options, &arena, &visitor, &error), &error));
        for (int i = 0; nodes->count > 0 && i < 2000; i++) {
            struct brig_dsl_data data = random_data(&random, &compiled->rules);
            if (!CHECK_EQ(decide(nodes, &data), brig_dsl_interpret(filter.insns, filter.insn_count, &data, NULL).ret)) {
                break;
            }
        }
        forget(nodes);
        visitor.stage = BRIG_DSL_STAGE_TREE;
        brig_dsl_arena_init(&arena, big, BRIG_DSL_OPTIMIZE_ARENA_BYTES);
        REQUIRE(CHECK_OK(brig_dsl_visit_program(&filter, &raw_options, &arena, &visitor, &error), &error));
        for (int i = 0; nodes->count > 0 && i < 200; i++) {
            struct brig_dsl_data data = random_data(&random, &compiled->rules);
            if (!CHECK_EQ(climb(nodes, &data), brig_dsl_interpret(filter.insns, filter.insn_count, &data, NULL).ret)) {
                break;
            }
        }
        brig_dsl_arena_end(&arena);
        forget(nodes);
    }
    test_message("%s", "");
    free(big);
}

TEST(stages, what_is_no_program_is_refused)
{
    static const struct sock_filter bad[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 4}};
    struct brig_dsl_visitor visitor = {.stage = BRIG_DSL_STAGE_DECISIONS, .visit = keep, .context = &stages[0]};
    const struct brig_dsl_filter filter = {bad, 1};
    struct brig_dsl_arena arena;
    struct brig_error error;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    CHECK(CHECK_CODE(brig_dsl_visit_program(&filter, &raw_options, &arena, &visitor, &error), BRIG_BAD_PROGRAM, &error));
    const struct sock_filter good[] = {{BPF_RET | BPF_K, 0, 0, 0}};
    brig_dsl_arena_init(&arena, memory, 64);
    const struct brig_dsl_filter small = {good, 1};
    CHECK(CHECK_CODE(brig_dsl_visit_program(&small, &raw_options, &arena, &visitor, &error), BRIG_OUT_OF_ARENA, &error));
    visitor.stage = BRIG_DSL_STAGE_RANGES;
    CHECK(CHECK_CODE(brig_dsl_visit_program(&small, &raw_options, &arena, &visitor, &error), BRIG_BAD_ARGUMENT, &error));
    CHECK_STR_EQ(brig_dsl_node_kind_name(BRIG_DSL_NODE_SWITCH), "switch");
    CHECK(brig_dsl_node_kind_name(BRIG_DSL_NODE_KIND_COUNT) == NULL);
}

static void keep_term(void *context, const struct brig_dsl_node *node)
{
    if (node->word.kind == BRIG_DSL_WORD_TERM) {
        snprintf(context, TERM_BYTES, "%s", node->word.term);
    }
}

TEST(stages, what_a_program_computes_is_said)
{
    static const struct {
        const char *term;
        const char *program; // leaves it in A
    } rows[] = {
        {"args[1].lo + (args[0].lo * 0x3)", "ld args[1].lo\ntax\nld args[0].lo\nmul #3\nadd x\n"},
        {"(nr ^ (args[2].lo - 0x3)) << 3", "ld nr\ntax\nld args[2].lo\nadd #-3\nxor x\nlsh #3\n"},
        {"nr - (arch >> 4)", "ld arch\nrsh #4\ntax\nld nr\nsub x\n"},
        {"ip.hi & ~(ip.lo | args[5].hi)", "ld ip.lo\ntax\nld args[5].hi\nor x\nxor #-1\ntax\nld ip.hi\nand x\n"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char source[256];
        char term[TERM_BYTES] = "";
        struct sock_filter insns[BPF_MAXINSNS];
        struct brig_dsl_filter filter = {.insns = insns};
        struct brig_dsl_visitor visitor = {.stage = BRIG_DSL_STAGE_DECISIONS, .visit = keep_term, .context = term};
        struct brig_dsl_arena arena;
        struct brig_error error;
        test_message("%s", rows[i].term);
        const int bytes = snprintf(source, sizeof source, "%sjgt #1000, a, b\na: ret ALLOW\nb: ret LOG\n", rows[i].program);
        const struct brig_dsl_text text = {source, (size_t)bytes};
        REQUIRE(CHECK_OK(brig_dsl_assemble(text, BRIG_DSL_X86_64, insns, &filter.insn_count, &error), &error));
        brig_dsl_arena_init(&arena, memory, sizeof memory);
        CHECK_OK(brig_dsl_visit_program(&filter, &raw_options, &arena, &visitor, &error), &error);
        CHECK_STR_EQ(term, rows[i].term);
    }
    test_message("%s", "");
}
