// listing: a program for people, with the path that a run took and with colours where they are wanted; and the colours of all
// verbs.
//
// The text is brig_dsl_list's, which `brig asm` reads back; marks and colours are put around it here, a line at a time.
#include <linux/seccomp.h>
#include <string.h>

#include "tools/brig/tool.h"

const char *tool_paint(bool is_colored, enum tool_color color)
{
    static const char *const escapes[] = {
        [TOOL_COLOR_END] = "\033[0m",   [TOOL_COLOR_ALLOW] = "\033[32m", [TOOL_COLOR_DENY] = "\033[33m",
        [TOOL_COLOR_TRAP] = "\033[35m", [TOOL_COLOR_KILL] = "\033[31m",  [TOOL_COLOR_FAINT] = "\033[2m",
    };
    return is_colored ? escapes[color] : "";
}

enum tool_color tool_color_of_ret(uint32_t ret)
{
    switch (ret & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG:
        return TOOL_COLOR_ALLOW;
    case SECCOMP_RET_ERRNO:
        return TOOL_COLOR_DENY;
    case SECCOMP_RET_TRAP:
    case SECCOMP_RET_TRACE:
    case SECCOMP_RET_USER_NOTIF:
        return TOOL_COLOR_TRAP;
    default: // what the kernel does not know, it takes for this
        return TOOL_COLOR_KILL;
    }
}

struct listing {
    FILE *out;
    const struct brig_dsl_program *program;
    const unsigned char *trace; // NULL: no run
    bool is_colored;
    uint32_t insn;
    char line[160];
    size_t line_bytes;
};

static void end_line(struct listing *listing)
{
    const struct sock_filter *insn = &listing->program->insns[listing->insn];
    bool ran = listing->trace == NULL || listing->trace[listing->insn] != 0;
    bool is_verdict = insn->code == (BPF_RET | BPF_K);
    char *comment = strstr(listing->line, "  ; ");
    const char *mark = listing->trace == NULL ? "" : ran ? "> " : "  ";
    enum tool_color color = !ran ? TOOL_COLOR_FAINT : is_verdict ? tool_color_of_ret(insn->k) : TOOL_COLOR_END;
    size_t insn_bytes = comment == NULL ? listing->line_bytes : (size_t)(comment - listing->line);
    fputs(mark, listing->out);
    if (!listing->is_colored || (color == TOOL_COLOR_END && comment == NULL)) {
        fprintf(listing->out, "%s\n", listing->line);
        return;
    }
    fprintf(listing->out, "%s%.*s%s%s%s\n", color == TOOL_COLOR_END ? "" : tool_paint(true, color), (int)insn_bytes, listing->line,
            color == TOOL_COLOR_END ? tool_paint(true, TOOL_COLOR_FAINT) : "", comment == NULL ? "" : comment,
            tool_paint(true, TOOL_COLOR_END));
}

static void write_line(void *context, const char *text, size_t text_bytes)
{
    struct listing *listing = context;
    for (size_t i = 0; i < text_bytes; i++) {
        if (text[i] == '\n') {
            listing->line[listing->line_bytes] = '\0';
            end_line(listing);
            listing->line_bytes = 0;
            listing->insn++;
        } else if (listing->line_bytes + 1 < sizeof listing->line) {
            listing->line[listing->line_bytes++] = text[i];
        }
    }
}

void tool_print_listing(FILE *out, const struct brig_dsl_program *program, const unsigned char *trace, bool is_colored)
{
    struct listing listing = {.out = out, .program = program, .trace = trace, .is_colored = is_colored};
    struct brig_dsl_sink sink = {.write = write_line, .context = &listing};
    brig_dsl_list(program->insns, program->insn_count, program->arch, &sink);
}
