// graph: what the files of the verb `graph` share. See graph.c.
#ifndef BRIG_TOOLS_BRIG_GRAPH_H
#define BRIG_TOOLS_BRIG_GRAPH_H

#include "bpf_dsl/stages.h"
#include "tools/brig/tool.h"

enum { GRAPH_CALL_WORDS = (BRIG_SYS_COUNT + 63) / 64 };

// A decision, and who comes to it.
struct graph_node {
    bool is_there;
    bool is_drawn;
    enum brig_dsl_node_kind kind; // SWITCH, RET or GIVE
    struct brig_dsl_word word;
    uint32_t mask;
    uint32_t value;
    uint32_t run_count;
    struct brig_dsl_node_run *runs;
    uint32_t arches;                  // bit of each arch whose calls may come here
    uint64_t calls[GRAPH_CALL_WORDS]; // bit of each call that may come here
};

struct graph {
    const struct tool_subject *subject;
    struct graph_node *nodes; // by id; users have greater ids than what they use
    size_t node_count;
    uint32_t root;
};

// A call that the picture is about, where it is not about all.
struct graph_start {
    enum brig_dsl_call call;
    enum brig_dsl_arch arch;
    uint32_t node; // where its arguments start to count
};

static inline bool graph_has_arch(const struct graph_node *node, int arch)
{
    return (node->arches >> arch & 1) != 0;
}

static inline bool graph_has_call(const struct graph_node *node, int call)
{
    return (node->calls[call / 64] >> (call % 64) & 1) != 0;
}

// Writes the decisions that are to be drawn as JSON.
void graph_print_json(FILE *out, const struct graph *graph, const struct graph_start *starts, size_t start_count);

// Writes them as a dot file. Narrows the calls that come to each node to those of `starts`, if there are any.
void graph_draw(FILE *out, struct graph *graph, const struct graph_start *starts, size_t start_count);
// Returns: the fill colour of a verdict.
const char *graph_fill(const struct tool_subject *subject, uint32_t ret);
// Writes what a program does in the end: what stands in the policy if it is known, else the value returned.
void graph_put_verdict(FILE *out, const struct tool_subject *subject, uint32_t ret);
// Writes the same for a node, which may compute what it returns; and the fill colour of it.
void graph_put_leaf(FILE *out, const struct tool_subject *subject, const struct graph_node *node);
const char *graph_fill_leaf(const struct tool_subject *subject, const struct graph_node *node);
// Returns: the argument that all calls which come to `node` have at its register, or NULL if they do not agree.
const struct brig_dsl_argument *graph_find_argument(const struct graph_node *node);
// Writes what `node` looks at; graph_put_title writes its mask too.
void graph_put_word(FILE *out, const struct graph_node *node);
void graph_put_title(FILE *out, const struct graph_node *node);
// Writes a value of what `node` looks at, by the name that `argument` has for it; NULL: as a number.
void graph_put_value(FILE *out, const struct graph_node *node, const struct brig_dsl_argument *argument, uint64_t value);
// Returns: whether the mask leaves most bits, and so is read more easily as what it takes away.
bool graph_is_inverted(const struct graph_node *node);
// Writes the beginning of a dot file: name, direction, looks.
void graph_put_head(FILE *out, const struct tool_subject *subject);

// Writes the control flow of the subject's program as a dot file; for calls of `nr`, where it is not NULL, without the branches
// that they cannot take.
void graph_draw_flow(FILE *out, const struct tool_subject *subject, const uint32_t *nr);

#endif
