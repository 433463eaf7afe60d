// graph_dot: decisions as Graphviz dot, for people.
//
// Every switch is one table: what is looked at on top, then a row for each outcome: values on the left, on the right the verdict,
// or an arrow to the next table. So verdicts need no arrows, parts that several calls share are drawn once, and a table reads like
// a sentence.
#include <inttypes.h>
#include <linux/seccomp.h>
#include <string.h>

#include "tools/brig/graph.h"

enum { NAMES_COLUMNS = 56, VALUES_MAX = 40 };
enum { ARM_PRIVATE = 0x0f0000, X32_BIT = 0x40000000, X32_LAST = 0x7fffffff };

// --- rows of a table --------------------------------------------------------------------------------------------------

// Runs that lead to `target`, which is the target of runs[first].
struct row {
    const struct graph_node *node;
    uint32_t first;
    uint32_t target;
    bool is_rest; // what most values lead to
};

// Counts the values up to `last` that lead to `target`.
static uint64_t count_values(const struct graph_node *node, uint32_t target, uint64_t last)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < node->run_count && node->runs[i].first <= last; i++) {
        const uint64_t end = node->runs[i].last < last ? node->runs[i].last : last;
        count += node->runs[i].target == target ? end - node->runs[i].first + 1 : 0;
    }
    return count;
}

// A text in lines of some length.
struct lines {
    FILE *out;
    int columns;
    bool has_text;
};

static void put_item(struct lines *lines, const char *text)
{
    int bytes = (int)strlen(text);
    if (lines->has_text) {
        lines->columns += 2;
        fputs(",", lines->out);
        fputs(lines->columns + bytes > NAMES_COLUMNS ? "<BR ALIGN=\"LEFT\"/>" : " ", lines->out);
        lines->columns = lines->columns + bytes > NAMES_COLUMNS ? 0 : lines->columns;
    }
    tool_put_escaped(lines->out, text);
    lines->columns += bytes;
    lines->has_text = true;
}

// Returns: the call that has this number on all arches which come here, or BRIG_SYS_NONE.
static enum brig_dsl_call find_call(const struct graph_node *node, uint32_t nr)
{
    enum brig_dsl_call call = BRIG_SYS_NONE;
    for (int arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
        enum brig_dsl_call here = graph_has_arch(node, arch) ? brig_dsl_call_by_nr(nr, (enum brig_dsl_arch)arch) : call;
        if (call != BRIG_SYS_NONE && here != call) {
            return BRIG_SYS_NONE;
        }
        call = here;
    }
    return call;
}

// A part of a run: a call, or numbers that are none.
struct part {
    enum brig_dsl_call call;
    uint64_t first;
    uint64_t last;
};

// Where numbers that are no call end at the latest if they start at `first`: x32's are told from those below and above.
static uint64_t find_border(const struct graph_node *node, uint64_t first)
{
    bool has_x32 = graph_has_arch(node, BRIG_DSL_X86_64);
    return has_x32 && first < X32_BIT ? X32_BIT - 1 : has_x32 && first <= X32_LAST ? X32_LAST : UINT32_MAX;
}

// Returns: the part that starts at `first`, cut off at `last`.
static struct part find_part(const struct graph_node *node, uint64_t first, uint64_t last)
{
    const uint64_t border = find_border(node, first);
    struct part part = {.call = find_call(node, (uint32_t)first), .first = first, .last = first};
    last = border < last ? border : last;
    while (part.call == BRIG_SYS_NONE && part.last < last) {
        uint64_t next = part.last + 1;
        // Beyond the tables there are arm's private calls and nothing else.
        next = next >= BRIG_DSL_TRAP_NRS && next < ARM_PRIVATE ? ARM_PRIVATE : next;
        if (next > ARM_PRIVATE + 16 || next > last) {
            part.last = last;
        } else if (find_call(node, (uint32_t)next) != BRIG_SYS_NONE) {
            part.last = next - 1;
            break;
        } else {
            part.last = next;
        }
    }
    return part;
}

static uint64_t count_calls(const struct graph_node *node, const struct brig_dsl_node_run *run)
{
    uint64_t count = 0;
    struct part part;
    for (uint64_t first = run->first; first <= run->last; first = part.last + 1) {
        part = find_part(node, first, run->last);
        count += part.call != BRIG_SYS_NONE;
    }
    return count;
}

static void put_numbers(struct lines *lines, const struct part *part)
{
    char text[32];
    const char *format = part->first < BRIG_DSL_TRAP_NRS ? "%" PRIu64 : "0x%" PRIx64;
    int bytes = snprintf(text, sizeof text, format, part->first);
    if (part->last > part->first) {
        format = part->last < BRIG_DSL_TRAP_NRS ? " to %" PRIu64 : " to 0x%" PRIx64;
        snprintf(text + bytes, sizeof text - (size_t)bytes, format, part->last);
    }
    put_item(lines, part->first == X32_BIT && part->last == X32_LAST ? "x32 numbers" : text);
}

// What of a row is named: its calls, and the numbers that are none.
struct naming {
    bool has_calls;
    bool has_numbers;
};

static void put_parts(struct lines *lines, const struct row *row, struct naming naming)
{
    const struct graph_node *node = row->node;
    int left = VALUES_MAX;
    for (uint32_t i = row->first; i < node->run_count; i++) {
        const struct brig_dsl_node_run *run = &node->runs[i];
        struct part part;
        for (uint64_t first = run->first; run->target == row->target && first <= run->last; first = part.last + 1) {
            part = find_part(node, first, run->last);
            if (part.call != BRIG_SYS_NONE && naming.has_calls) {
                put_item(lines, brig_dsl_call_name(part.call));
            } else if (part.call == BRIG_SYS_NONE && naming.has_numbers && left-- > 0) {
                put_numbers(lines, &part);
            }
        }
    }
    if (left < 0) {
        char text[48];
        snprintf(text, sizeof text, "and %d more runs of numbers", -left);
        put_item(lines, text);
    }
}

// What a row is about. What most calls get is not listed, unless it is that they are allowed. Numbers that are no call are listed
// in every row but one, and so that one has the others.
static void put_calls(FILE *out, const struct graph *graph, const struct row *row)
{
    const struct graph_node *target = &graph->nodes[row->target];
    bool is_allow = target->kind == BRIG_DSL_NODE_RET && target->value == SECCOMP_RET_ALLOW;
    uint64_t calls = 0;
    uint64_t all_calls = 0;
    struct lines lines = {.out = out};
    for (uint32_t i = 0; i < row->node->run_count; i++) {
        uint64_t count = count_calls(row->node, &row->node->runs[i]);
        calls += row->node->runs[i].target == row->target ? count : 0;
        all_calls += count;
    }
    bool is_most = 2 * calls > all_calls && !is_allow;
    if (is_most) {
        char text[48];
        snprintf(text, sizeof text, "every other call (%" PRIu64 ")", calls);
        put_item(&lines, text);
    }
    put_parts(&lines, row, (struct naming){.has_calls = !is_most, .has_numbers = !row->is_rest});
    if (row->is_rest && count_values(row->node, row->target, UINT32_MAX) > calls) {
        put_item(&lines, "every other number");
    }
}

// How a row is called that needs no values: the rest, or one of the two outcomes of a test for bits.
static const char *name_of_row(const struct row *row)
{
    const struct graph_node *node = row->node;
    bool has_bits = row->first != 0; // the run that starts at 0 comes first
    if (node->mask == UINT32_MAX || node->run_count != 2 || node->runs[0].last != 0) {
        return row->is_rest ? "otherwise" : NULL;
    }
    if (graph_is_inverted(node)) {
        return has_bits ? "other bits too" : "no other bits";
    }
    if (__builtin_popcount(node->mask) == 1) {
        return has_bits ? "set" : "not set";
    }
    return has_bits ? "any of them" : "none of them";
}

static void put_values(FILE *out, const struct row *row)
{
    const struct graph_node *node = row->node;
    const struct brig_dsl_argument *argument = node->word.kind == BRIG_DSL_WORD_ARGUMENT ? graph_find_argument(node) : NULL;
    bool is_flags = argument != NULL && argument->kind == BRIG_DSL_KIND_FLAGS;
    struct lines lines = {.out = out};
    int count = 0;
    const char *name = name_of_row(row);
    if (name != NULL) {
        fputs(name, out);
        return;
    }
    for (uint32_t i = row->first; i < node->run_count; i++) {
        const struct brig_dsl_node_run *run = &node->runs[i];
        if (run->target != row->target || ++count > VALUES_MAX) {
            continue;
        }
        fputs(lines.has_text ? ",<BR ALIGN=\"LEFT\"/>" : "", out);
        lines.has_text = true;
        bool is_range = run->last != run->first;
        // Between two sets of flags lie sets that have nothing to do with them.
        const struct brig_dsl_argument *named = is_range && is_flags ? NULL : argument;
        graph_put_value(out, node, named, run->first);
        if (is_range) {
            fputs(" &#8211; ", out);
            graph_put_value(out, node, named, run->last);
        }
    }
    if (count > VALUES_MAX) {
        fprintf(out, ",<BR ALIGN=\"LEFT\"/>and %d more", count - VALUES_MAX);
    }
}

static void put_row(FILE *out, const struct graph *graph, const struct row *row)
{
    const struct graph_node *target = &graph->nodes[row->target];
    fputs("<TR><TD ALIGN=\"LEFT\" BALIGN=\"LEFT\">", out);
    if (row->node->word.kind == BRIG_DSL_WORD_NR && row->node->mask == UINT32_MAX) {
        put_calls(out, graph, row);
    } else {
        put_values(out, row);
    }
    if (target->kind == BRIG_DSL_NODE_SWITCH) {
        fprintf(out, "</TD><TD PORT=\"r%" PRIu32 "\" ALIGN=\"LEFT\">", row->target);
        graph_put_word(out, target);
    } else {
        fprintf(out, "</TD><TD BGCOLOR=\"%s\" ALIGN=\"LEFT\">", graph_fill_leaf(graph->subject, target));
        graph_put_leaf(out, graph->subject, target);
    }
    fputs("</TD></TR>\n", out);
}

// --- tables -----------------------------------------------------------------------------------------------------------

static bool is_first_of_target(const struct graph_node *node, uint32_t run)
{
    for (uint32_t i = 0; i < run; i++) {
        if (node->runs[i].target == node->runs[run].target) {
            return false;
        }
    }
    return true;
}

// What most values lead to: the row that says "otherwise". Of numbers those count that no arch has a use of its own for.
static uint32_t find_rest(const struct graph_node *node)
{
    const bool is_nr = node->word.kind == BRIG_DSL_WORD_NR && node->mask == UINT32_MAX;
    const uint64_t last = is_nr ? X32_BIT - 1 : UINT32_MAX;
    uint32_t rest = 0;
    uint64_t most = 0;
    for (uint32_t i = 0; i < node->run_count; i++) {
        uint64_t count = is_first_of_target(node, i) ? count_values(node, node->runs[i].target, last) : 0;
        rest = count > most ? node->runs[i].target : rest;
        most = count > most ? count : most;
    }
    return rest;
}

// Rows with arrows first, then verdicts; the rest comes last of its kind.
static void put_rows(FILE *out, const struct graph *graph, const struct graph_node *node)
{
    uint32_t rest = find_rest(node);
    for (int pass = 0; pass < 4; pass++) {
        for (uint32_t i = 0; i < node->run_count; i++) {
            struct row row = {.node = node, .first = i, .target = node->runs[i].target, .is_rest = node->runs[i].target == rest};
            bool is_verdict = graph->nodes[row.target].kind != BRIG_DSL_NODE_SWITCH;
            if (is_first_of_target(node, i) && pass == 2 * is_verdict + row.is_rest) {
                put_row(out, graph, &row);
            }
        }
    }
}

static void draw_table(FILE *out, const struct graph *graph, uint32_t id)
{
    const struct graph_node *node = &graph->nodes[id];
    fprintf(out,
            "  d%" PRIu32 " [label=<<TABLE BORDER=\"0\" CELLBORDER=\"1\" CELLSPACING=\"0\" CELLPADDING=\"3\" COLOR=\"#98a2b3\">\n",
            id);
    fputs("<TR><TD PORT=\"top\" COLSPAN=\"2\" BGCOLOR=\"#e4e7ec\"><B>", out);
    graph_put_title(out, node);
    fputs("</B></TD></TR>\n", out);
    put_rows(out, graph, node);
    fputs("</TABLE>>];\n", out);
    for (uint32_t i = 0; i < node->run_count; i++) {
        uint32_t target = node->runs[i].target;
        if (is_first_of_target(node, i) && graph->nodes[target].kind == BRIG_DSL_NODE_SWITCH) {
            fprintf(out, "  d%" PRIu32 ":r%" PRIu32 ":e -> d%" PRIu32 ":top:w;\n", id, target, target);
        }
    }
}

static void draw_start(FILE *out, const struct graph *graph, const struct graph_start *start)
{
    const struct graph_node *node = &graph->nodes[start->node];
    bool is_verdict = node->kind != BRIG_DSL_NODE_SWITCH;
    int nr = brig_dsl_call_nr(start->call, start->arch);
    fprintf(out, "  %s_%s [shape=box, style=\"rounded,filled\", fillcolor=\"%s\", label=<<B>%s</B>",
            brig_dsl_call_name(start->call), brig_dsl_arch_name(start->arch),
            is_verdict ? graph_fill_leaf(graph->subject, node) : "#e4e7ec", brig_dsl_call_name(start->call));
    fprintf(out, "<BR/>%s %d", brig_dsl_arch_name(start->arch), nr);
    if (is_verdict) {
        fputs("<BR/>", out);
        graph_put_leaf(out, graph->subject, node);
        fputs(">];\n", out);
        return;
    }
    fprintf(out, ">];\n  %s_%s -> d%" PRIu32 ":top:w;\n", brig_dsl_call_name(start->call), brig_dsl_arch_name(start->arch),
            start->node);
}

// Narrows what comes where to the calls of the picture, so that their arguments have names.
static void narrow(struct graph *graph, const struct graph_start *starts, size_t start_count)
{
    for (size_t id = 0; id < graph->node_count; id++) {
        for (size_t word = 0; word < GRAPH_CALL_WORDS; word++) {
            uint64_t wanted = 0;
            for (size_t i = 0; i < start_count; i++) {
                wanted |= (size_t)starts[i].call / 64 == word ? (uint64_t)1 << (starts[i].call % 64) : 0;
            }
            graph->nodes[id].calls[word] &= wanted;
        }
    }
}

// A program that decides nothing is its verdict.
static void draw_verdict(FILE *out, const struct graph *graph)
{
    const struct graph_node *node = &graph->nodes[graph->root];
    fprintf(out, "  d%" PRIu32 " [shape=box, style=\"rounded,filled\", fillcolor=\"%s\", label=<every call<BR/>", graph->root,
            graph_fill_leaf(graph->subject, node));
    graph_put_leaf(out, graph->subject, node);
    fputs(">];\n", out);
}

void graph_draw(FILE *out, struct graph *graph, const struct graph_start *starts, size_t start_count)
{
    graph_put_head(out, graph->subject);
    if (start_count > 0) {
        narrow(graph, starts, start_count);
    } else if (graph->nodes[graph->root].kind != BRIG_DSL_NODE_SWITCH) {
        draw_verdict(out, graph);
    }
    for (size_t i = 0; i < start_count; i++) {
        draw_start(out, graph, &starts[i]);
    }
    for (size_t id = graph->node_count; id-- > 0;) {
        if (graph->nodes[id].is_drawn && graph->nodes[id].kind == BRIG_DSL_NODE_SWITCH) {
            draw_table(out, graph, (uint32_t)id);
        }
    }
    fputs("}\n", out);
}
