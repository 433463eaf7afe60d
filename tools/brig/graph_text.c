// graph_text: the words in a picture: arguments, values, verdicts, by name wherever all that come to a place agree on them.
#include <inttypes.h>
#include <linux/seccomp.h>
#include <string.h>

#include "sandbox/report.h"
#include "tools/brig/graph.h"

enum { VALUE_COLUMNS = 150, TERM_COLUMNS = 100 };

// --- text -------------------------------------------------------------------------------------------------------------

// Returns: the policy's trap behind a verdict, or NULL.
static const struct brig_dsl_trap *find_trap(const struct tool_subject *subject, uint32_t ret)
{
    const struct brig_dsl_program *program = &subject->program;
    uint32_t id = ret & SECCOMP_RET_DATA;
    bool is_known = (ret & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRAP && id > 0 && id < program->trap_count;
    return is_known ? &program->traps[id] : NULL;
}

const char *graph_fill(const struct tool_subject *subject, uint32_t ret)
{
    static const char *const fills[] = {[TOOL_COLOR_ALLOW] = "#d3ecd0",
                                        [TOOL_COLOR_DENY] = "#fcedbb",
                                        [TOOL_COLOR_TRAP] = "#e3daf5",
                                        [TOOL_COLOR_KILL] = "#f6cfcb"};
    const struct brig_dsl_trap *trap = find_trap(subject, ret);
    bool is_crash = trap != NULL && trap->action.verb == BRIG_DSL_CRASH;
    return fills[is_crash ? TOOL_COLOR_KILL : tool_color_of_ret(ret)];
}

static void write_escaped(void *context, const char *text, size_t text_bytes)
{
    char piece[2] = "";
    for (size_t i = 0; i < text_bytes; i++) {
        piece[0] = text[i];
        tool_put_escaped(context, piece);
    }
}

// Names of files may be any bytes.
static void put_name(FILE *out, const char *name)
{
    char clean[1024]; // what is longer is no label
    brig_report_clean(name, clean, sizeof clean);
    tool_put_escaped(out, clean);
}

void graph_put_verdict(FILE *out, const struct tool_subject *subject, uint32_t ret)
{
    const struct brig_dsl_trap *trap = find_trap(subject, ret);
    char text[32];
    if (trap != NULL) {
        struct brig_dsl_sink sink = {.write = write_escaped, .context = out};
        brig_dsl_describe_action(&trap->action, &sink);
        if (trap->row != NULL) {
            const char *slash = strrchr(trap->row->file, '/');
            fputs("<BR/><FONT POINT-SIZE=\"8\">", out);
            put_name(out, slash == NULL ? trap->row->file : slash + 1);
            fprintf(out, ":%d</FONT>", trap->row->line);
        }
        return;
    }
    brig_dsl_ret_text(ret, text, sizeof text);
    tool_put_escaped(out, text);
}

void graph_put_head(FILE *out, const struct tool_subject *subject)
{
    fputs("digraph {\n"
          "  rankdir=LR; ranksep=0.8; nodesep=0.2; bgcolor=white;\n"
          "  node [shape=plain, fontname=\"Helvetica,Arial,sans-serif\", fontsize=10];\n"
          "  edge [color=\"#667085\", arrowsize=0.7];\n"
          "  labelloc=t; fontname=\"Helvetica,Arial,sans-serif\"; fontsize=14;\n"
          "  label=<",
          out);
    put_name(out, subject->name);
    fprintf(out, " (%s)>;\n", brig_dsl_arch_name(subject->program.arch));
}

// --- names ------------------------------------------------------------------------------------------------------------

// Returns: whether `node` tests an argument that calls of `call` on `arch` have; `found` is it, or what was found before.
static bool agrees(const struct graph_node *node, enum brig_dsl_call call, enum brig_dsl_arch arch,
                   const struct brig_dsl_argument **found)
{
    const struct brig_dsl_argument *before = *found;
    *found = brig_dsl_call_argument(call, arch, node->word.index);
    return *found != NULL && (before == NULL || (strcmp(before->name, (*found)->name) == 0 && before->kind == (*found)->kind &&
                                                 before->group == (*found)->group));
}

const struct brig_dsl_argument *graph_find_argument(const struct graph_node *node)
{
    const struct brig_dsl_argument *found = NULL;
    for (int i = 0; i < BRIG_SYS_COUNT * BRIG_DSL_ARCH_COUNT && node->word.kind == BRIG_DSL_WORD_ARGUMENT; i++) {
        enum brig_dsl_call call = (enum brig_dsl_call)(i / BRIG_DSL_ARCH_COUNT);
        enum brig_dsl_arch arch = (enum brig_dsl_arch)(i % BRIG_DSL_ARCH_COUNT);
        bool comes = graph_has_call(node, (int)call) && graph_has_arch(node, (int)arch) && brig_dsl_call_nr(call, arch) >= 0;
        if (comes && !agrees(node, call, arch, &found)) {
            return NULL;
        }
    }
    return found;
}

// Names a value. Returns: false where the arches do not agree, or the name is too long to be of use.
static bool name_value(const struct graph_node *node, const struct brig_dsl_argument *argument, uint64_t value, char *text,
                       size_t text_bytes)
{
    char other[160];
    text[0] = '\0';
    for (int arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
        if (graph_has_arch(node, arch)) {
            brig_dsl_decode_value(argument, value, (enum brig_dsl_arch)arch, other, sizeof other);
            if (text[0] != '\0' && strcmp(text, other) != 0) {
                return false;
            }
            snprintf(text, text_bytes, "%s", other);
        }
    }
    return text[0] != '\0' && strlen(text) <= VALUE_COLUMNS;
}

// What a program computes, without the end of what is too long for a heading; JSON has all of it.
static void put_term(FILE *out, const char *term)
{
    char text[TERM_COLUMNS + sizeof "..."];
    const bool is_long = term != NULL && strlen(term) > TERM_COLUMNS;
    snprintf(text, sizeof text, "%.*s%s", TERM_COLUMNS, term == NULL ? "computed value" : term, is_long ? "..." : "");
    tool_put_escaped(out, text);
}

void graph_put_word(FILE *out, const struct graph_node *node)
{
    const struct brig_dsl_argument *argument = graph_find_argument(node);
    const char *half = node->word.shift == 32 ? " (upper half)" : "";
    switch (node->word.kind) {
    case BRIG_DSL_WORD_NR:
        fputs("call", out);
        break;
    case BRIG_DSL_WORD_ARCH:
        fputs("architecture", out);
        break;
    case BRIG_DSL_WORD_IP:
        fprintf(out, "instruction pointer%s", half);
        break;
    case BRIG_DSL_WORD_ARGUMENT:
        if (argument != NULL) {
            tool_put_escaped(out, argument->name);
            fputs(half, out);
        } else {
            fprintf(out, "argument %u%s", node->word.index, half);
        }
        break;
    case BRIG_DSL_WORD_TERM:
        put_term(out, node->word.term);
        break;
    case BRIG_DSL_WORD_NONE:
        break;
    }
}

void graph_put_value(FILE *out, const struct graph_node *node, const struct brig_dsl_argument *argument, uint64_t value)
{
    enum brig_dsl_arch arch;
    char text[160];
    if (node->word.kind == BRIG_DSL_WORD_ARCH && brig_dsl_arch_by_audit((uint32_t)value, &arch)) {
        fputs(brig_dsl_arch_name(arch), out);
    } else if (argument != NULL && node->word.shift == 0 && name_value(node, argument, value, text, sizeof text)) {
        tool_put_escaped(out, text);
    } else {
        fprintf(out, value < 10 ? "%" PRIu64 : "0x%" PRIx64, value);
    }
}

bool graph_is_inverted(const struct graph_node *node)
{
    return node->mask != UINT32_MAX && __builtin_popcount(node->mask) > 16;
}

const char *graph_fill_leaf(const struct tool_subject *subject, const struct graph_node *node)
{
    return node->kind == BRIG_DSL_NODE_GIVE ? "#f2f4f7" : graph_fill(subject, node->value);
}

void graph_put_leaf(FILE *out, const struct tool_subject *subject, const struct graph_node *node)
{
    if (node->kind != BRIG_DSL_NODE_GIVE) {
        graph_put_verdict(out, subject, node->value);
        return;
    }
    fputs("return ", out);
    graph_put_word(out, node);
}

void graph_put_title(FILE *out, const struct graph_node *node)
{
    const bool is_part = node->word.kind == BRIG_DSL_WORD_TERM && node->mask != UINT32_MAX;
    fputs(is_part ? "(" : "", out);
    graph_put_word(out, node);
    fputs(is_part ? ")" : "", out);
    if (node->mask != UINT32_MAX) {
        fputs(" &amp; ", out);
        fputs(graph_is_inverted(node) ? "~(" : "(", out);
        graph_put_value(out, node, node->word.kind == BRIG_DSL_WORD_ARGUMENT ? graph_find_argument(node) : NULL,
                        graph_is_inverted(node) ? ~node->mask : node->mask);
        fputs(")", out);
    }
}
