// brig graph: what decides, as a picture: Graphviz dot, for `dot -Tsvg`.
//
// The decisions of a policy come from the compile, those of a raw program from its decompiled form. What cannot be had as decisions
// (a program that computes too much, or was emitted plain) is drawn as its control flow. Here nodes are collected, and it is worked
// out which calls come to which; graph_dot.c draws.
#include <stdlib.h>
#include <string.h>

#include "tools/brig/graph.h"

const struct tool_option brig_graph_options[] = {
    TOOL_OPTION_ARCH,
    TOOL_OPTION_OUTPUT,
    TOOL_OPTION_KERNEL,
    TOOL_OPTION_TARGET,
    TOOL_OPTION_FROM,
    TOOL_OPTION_CAP,
    {"flow", 0, NULL, "draw the program's instructions instead of its decisions"},
    TOOL_OPTION_JSON,
    {NULL, 0, NULL, NULL},
};
enum { ARCH, OUTPUT, KERNEL, TARGET, FROM, CAP, FLOW, JSON };

// --- collecting -------------------------------------------------------------------------------------------------------

// Nodes come with falling ids, so the first one tells how many there can be.
static void collect(void *context, const struct brig_dsl_node *node)
{
    struct graph *graph = context;
    if (graph->nodes == NULL) {
        graph->nodes = calloc((size_t)node->id + 1, sizeof *graph->nodes);
        graph->node_count = graph->nodes == NULL ? 0 : (size_t)node->id + 1;
        graph->root = node->id;
    }
    if (node->id >= graph->node_count) {
        return;
    }
    struct graph_node *kept = &graph->nodes[node->id];
    *kept = (struct graph_node){.is_there = true,
                                .kind = node->kind,
                                .word = node->word,
                                .mask = (uint32_t)node->mask,
                                .value = node->value,
                                .run_count = node->run_count};
    kept->word.term = node->word.term == NULL ? NULL : strdup(node->word.term); // the node's goes with the arena
    kept->runs = calloc((size_t)node->run_count + 1, sizeof *kept->runs);
    if (kept->runs == NULL) {
        kept->run_count = 0;
    } else if (node->run_count > 0) {
        memcpy(kept->runs, node->runs, node->run_count * sizeof *kept->runs);
    }
}

static void free_graph(struct graph *graph)
{
    for (size_t i = 0; graph->nodes != NULL && i < graph->node_count; i++) {
        free(graph->nodes[i].runs);
        free((void *)graph->nodes[i].word.term);
    }
    free(graph->nodes);
}

// --- who comes where --------------------------------------------------------------------------------------------------

// Which calls of `node` have a number in `run`, on any of its arches.
static void take_calls(const struct graph_node *node, const struct brig_dsl_node_run *run, uint64_t *calls)
{
    for (int i = 0; i < BRIG_SYS_COUNT * BRIG_DSL_ARCH_COUNT; i++) {
        int call = i / BRIG_DSL_ARCH_COUNT;
        int arch = i % BRIG_DSL_ARCH_COUNT;
        int32_t nr = brig_dsl_call_nr((enum brig_dsl_call)call, (enum brig_dsl_arch)arch);
        uint32_t value = (uint32_t)nr & node->mask;
        if (nr >= 0 && graph_has_arch(node, arch) && graph_has_call(node, call) && value >= run->first && value <= run->last) {
            calls[call / 64] |= (uint64_t)1 << (call % 64);
        }
    }
}

static void go_along(struct graph *graph, const struct graph_node *node, const struct brig_dsl_node_run *run)
{
    struct graph_node *child = &graph->nodes[run->target];
    enum brig_dsl_arch arch;
    uint64_t calls[GRAPH_CALL_WORDS] = {0};
    bool is_arch =
        node->word.kind == BRIG_DSL_WORD_ARCH && run->first == run->last && brig_dsl_arch_by_audit((uint32_t)run->first, &arch);
    child->arches |= is_arch ? 1u << arch : node->arches;
    if (node->word.kind == BRIG_DSL_WORD_NR) {
        take_calls(node, run, calls);
    } else {
        memcpy(calls, node->calls, sizeof calls);
    }
    for (size_t i = 0; i < GRAPH_CALL_WORDS; i++) {
        child->calls[i] |= calls[i];
    }
}

static void find_comers(struct graph *graph, enum brig_dsl_arch arch)
{
    struct graph_node *root = &graph->nodes[graph->root];
    root->arches = 1u << arch;
    memset(root->calls, 0xff, sizeof root->calls);
    for (size_t id = graph->node_count; id-- > 0;) {
        struct graph_node *node = &graph->nodes[id];
        for (uint32_t i = 0; node->arches != 0 && i < node->run_count; i++) {
            go_along(graph, node, &node->runs[i]);
        }
    }
}

// Follows a call past the tests of its arch and number.
static uint32_t find_start(const struct graph *graph, enum brig_dsl_arch arch, uint32_t nr)
{
    uint32_t id = graph->root;
    while (true) {
        const struct graph_node *node = &graph->nodes[id];
        bool is_nr = node->word.kind == BRIG_DSL_WORD_NR;
        if (node->kind != BRIG_DSL_NODE_SWITCH || (!is_nr && node->word.kind != BRIG_DSL_WORD_ARCH)) {
            return id;
        }
        uint32_t value = (is_nr ? nr : brig_dsl_arch_audit(arch)) & node->mask;
        uint32_t run = 0;
        while (run + 1 < node->run_count && node->runs[run].last < value) {
            run++;
        }
        if (node->run_count == 0) {
            return id;
        }
        id = node->runs[run].target;
    }
}

// What a picture, or its JSON, has: all that can be reached.
static void mark_drawn(struct graph *graph, const struct graph_start *starts, size_t start_count)
{
    graph->nodes[graph->root].is_drawn = start_count == 0;
    for (size_t i = 0; i < start_count; i++) {
        graph->nodes[starts[i].node].is_drawn = true;
    }
    for (size_t id = graph->node_count; id-- > 0;) {
        const struct graph_node *node = &graph->nodes[id];
        for (uint32_t i = 0; node->is_drawn && i < node->run_count; i++) {
            graph->nodes[node->runs[i].target].is_drawn = true;
        }
    }
}

// --- the verb ---------------------------------------------------------------------------------------------------------

// Gets the decisions. Returns: -1, or an exit status. A graph without nodes means that there are none to be had.
static int load_decisions(const struct tool_request *request, struct graph *graph)
{
    struct brig_error error = {.code = BRIG_OK};
    struct brig_dsl_arena arena;
    struct brig_dsl_visitor visitor = {.stage = BRIG_DSL_STAGE_DECISIONS, .visit = collect, .context = graph};
    const struct tool_subject *subject = graph->subject;
    const struct brig_dsl_filter filter = {subject->program.insns, subject->program.insn_count};
    void *memory = malloc(BRIG_DSL_OPTIMIZE_ARENA_BYTES);
    if (memory == NULL) {
        return tool_complain("graph", "out of memory");
    }
    brig_dsl_arena_init(&arena, memory, BRIG_DSL_OPTIMIZE_ARENA_BYTES);
    enum brig_code code = subject->target_count == 0 ? brig_dsl_visit_program(&filter, &request->options, &arena, &visitor, &error)
                                                     : brig_dsl_visit(subject->targets, subject->target_count, &request->options,
                                                                      &arena, &visitor, &error);
    free(memory);
    return code == BRIG_OK ? -1 : tool_fail("graph", &error);
}

// Adds a call on every arch of the program that has it.
static size_t add_starts(const struct tool_subject *subject, enum brig_dsl_call call, struct graph_start *starts)
{
    size_t count = 0;
    if (subject->target_count == 0) {
        starts[count++] = (struct graph_start){.call = call, .arch = subject->program.arch};
    }
    for (size_t i = 0; i < subject->target_count; i++) {
        if (brig_dsl_call_nr(call, subject->targets[i].arch) >= 0) {
            starts[count++] = (struct graph_start){.call = call, .arch = subject->targets[i].arch};
        }
    }
    return count;
}

// Finds the calls named on the command line; numbers are those of the first arch. Returns: how many, 0 after having complained.
static size_t find_starts(const struct tool_arguments *arguments, const struct tool_subject *subject, struct graph_start *starts)
{
    size_t count = 0;
    for (int i = 1; i < arguments->operand_count; i++) {
        enum brig_dsl_call call = tool_find_call("graph", arguments->operands[i], subject->program.arch);
        if (call == BRIG_SYS_NONE) {
            return 0;
        }
        count += add_starts(subject, call, starts + count);
    }
    return count;
}

// Looks whether what was asked for can be drawn. Returns: -1, or the exit status after having complained.
static int check_drawing(const struct tool_arguments *arguments, const struct graph *graph, size_t start_count)
{
    if (graph->nodes != NULL) {
        return -1;
    }
    if (arguments->values[JSON] != NULL) {
        return tool_complain("graph", "instructions have no JSON form here; see brig disasm --json");
    }
    if (start_count > 1) {
        return tool_complain("graph", "this program is drawn as its instructions, for one call at most");
    }
    return -1;
}

static void draw(FILE *out, const struct tool_arguments *arguments, struct graph *graph, struct graph_start *starts,
                 size_t start_count)
{
    for (size_t i = 0; graph->nodes != NULL && i < start_count; i++) {
        starts[i].node = find_start(graph, starts[i].arch, (uint32_t)brig_dsl_call_nr(starts[i].call, starts[i].arch));
    }
    if (graph->nodes == NULL) {
        uint32_t nr = start_count == 0 ? 0 : (uint32_t)brig_dsl_call_nr(starts[0].call, starts[0].arch);
        graph_draw_flow(out, graph->subject, start_count == 0 ? NULL : &nr);
    } else if (arguments->values[JSON] != NULL) {
        mark_drawn(graph, starts, start_count);
        graph_print_json(out, graph, starts, start_count);
    } else {
        find_comers(graph, graph->subject->program.arch);
        mark_drawn(graph, starts, start_count);
        graph_draw(out, graph, starts, start_count);
    }
}

static int write_output(const struct tool_request *request, const struct tool_subject *subject, struct graph_start *starts)
{
    const struct tool_arguments *arguments = request->arguments;
    struct graph graph = {.subject = subject};
    size_t start_count = find_starts(arguments, subject, starts);
    int status = arguments->operand_count > 1 && start_count == 0 ? TOOL_USAGE : -1;
    if (status < 0 && arguments->values[FLOW] == NULL) {
        status = load_decisions(request, &graph);
    }
    status = status < 0 ? check_drawing(arguments, &graph, start_count) : status;
    struct tool_output output;
    if (status < 0 && tool_open_output("graph", arguments->values[OUTPUT], &output)) {
        draw(output.file, arguments, &graph, starts, start_count);
        status = tool_close_output("graph", &output);
    }
    free_graph(&graph);
    return status < 0 ? TOOL_USAGE : status;
}

static int graph_subject(const struct tool_request *request, const struct tool_subject *subject)
{
    struct graph_start *starts = calloc((size_t)request->arguments->operand_count * BRIG_DSL_ARCH_COUNT, sizeof *starts);
    int status = starts == NULL ? tool_complain("graph", "out of memory") : write_output(request, subject, starts);
    free(starts);
    return status;
}

int brig_graph_main(int argc, char **argv);
int brig_graph_main(int argc, char **argv)
{
    struct tool_arguments arguments;
    struct tool_request request;
    struct tool_subject subject;
    int status = tool_parse("graph", brig_graph_options, argc, argv, &arguments);
    if (status >= 0) {
        return status;
    }
    if (arguments.operand_count < 1) {
        return tool_complain("graph", "give a policy; see brig graph --help");
    }
    if (!tool_make_request("graph", &arguments, &request)) {
        return TOOL_USAGE;
    }
    request.program_only = true;
    status = tool_load("graph", arguments.operands[0], &request, &subject);
    if (status < 0) {
        status = graph_subject(&request, &subject);
        tool_free_subject(&subject);
    }
    return status;
}
