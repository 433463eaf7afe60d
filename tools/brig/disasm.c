// brig disasm: a program as assembler, which `brig asm` reads back. One that the kernel would refuse is shown too, with the reason;
// that is not read back.
#include <inttypes.h>
#include <string.h>

#include "tools/brig/tool.h"

const struct tool_option brig_disasm_options[] = {
    TOOL_OPTION_ARCH, TOOL_OPTION_OUTPUT, TOOL_OPTION_KERNEL, TOOL_OPTION_TARGET, TOOL_OPTION_FROM,
    TOOL_OPTION_CAP,  TOOL_OPTION_PLAIN,  TOOL_OPTION_JSON,   TOOL_OPTION_COLOR,  {NULL, 0, NULL, NULL},
};
enum { ARCH, OUTPUT, KERNEL, TARGET, FROM, CAP, PLAIN, JSON, COLOR };

// Collects a listing as an array of objects.
struct lines {
    const struct brig_dsl_program *program;
    json_t *insns;
    char line[160];
    size_t line_bytes;
};

// A line is INDEX: INSTRUCTION, and what stands behind "  ; " if anything is.
static void add_line(struct lines *lines)
{
    const struct sock_filter *insn = &lines->program->insns[json_array_size(lines->insns)];
    char *comment = strstr(lines->line, "  ; ");
    char *text = strstr(lines->line, ": ");
    if (comment != NULL) {
        *comment = '\0';
    }
    json_array_append_new(lines->insns,
                          json_pack("{s:i, s:i, s:i, s:I, s:s, s:s?}", "code", (int)insn->code, "jt", (int)insn->jt, "jf",
                                    (int)insn->jf, "k", (json_int_t)insn->k, "text", text == NULL ? lines->line : text + 2,
                                    "comment", comment == NULL ? NULL : comment + strlen("  ; ")));
}

static void write_line(void *context, const char *text, size_t text_bytes)
{
    struct lines *lines = context;
    for (size_t i = 0; i < text_bytes; i++) {
        if (text[i] == '\n') {
            lines->line[lines->line_bytes] = '\0';
            lines->line_bytes = 0;
            add_line(lines);
        } else if (lines->line_bytes + 1 < sizeof lines->line) {
            lines->line[lines->line_bytes++] = text[i];
        }
    }
}

// What the kernel would refuse may jump anywhere: its instructions one by one, and what is wrong with one of them.
static void list_refused(const struct tool_subject *subject, const struct brig_dsl_sink *sink)
{
    char text[64];
    char line[224];
    for (uint32_t i = 0; i < subject->program.insn_count; i++) {
        bool is_at = i == subject->refused_insn;
        brig_dsl_disassemble(&subject->program.insns[i], text, sizeof text);
        int bytes = snprintf(line, sizeof line, "%4" PRIu32 ": %s%s%s\n", i, text, is_at ? "  ; refused: " : "",
                             is_at ? subject->refusal : "");
        sink->write(sink->context, line, (size_t)bytes);
    }
}

static void write_json(FILE *out, const struct tool_subject *subject)
{
    const struct brig_dsl_program *program = &subject->program;
    struct lines lines = {.program = program, .insns = json_array()};
    struct brig_dsl_sink sink = {.write = write_line, .context = &lines};
    char hash[17];
    if (subject->refusal != NULL) {
        list_refused(subject, &sink);
    } else {
        brig_dsl_list(program->insns, program->insn_count, program->arch, &sink);
    }
    snprintf(hash, sizeof hash, "%016" PRIx64, program->hash);
    tool_print_json(out, json_pack("{s:s, s:s, s:s, s:s, s:o}", "schema", "brig-disasm-1", "policy", subject->name, "arch",
                                   brig_dsl_arch_name(program->arch), "hash", hash, "insns", lines.insns));
}

static int write_output(const struct tool_arguments *arguments, const struct tool_subject *subject)
{
    const char *when = arguments->values[COLOR];
    struct tool_output output;
    if (!tool_open_output("disasm", arguments->values[OUTPUT], &output)) {
        return TOOL_USAGE;
    }
    if (arguments->values[JSON] != NULL) {
        write_json(output.file, subject);
    } else if (subject->refusal != NULL) {
        struct brig_dsl_sink sink = tool_sink(output.file);
        list_refused(subject, &sink);
    } else {
        // A file gets colours only when they are asked for.
        bool is_asked = when != NULL && strcmp(when, "always") == 0;
        tool_print_listing(output.file, &subject->program, NULL, output.path == NULL ? tool_wants_color(when) : is_asked);
    }
    int status = tool_close_output("disasm", &output);
    return subject->refusal != NULL ? TOOL_USAGE : status;
}

int brig_disasm_main(int argc, char **argv);
int brig_disasm_main(int argc, char **argv)
{
    struct tool_arguments arguments;
    struct tool_request request;
    struct tool_subject subject;
    int status = tool_parse("disasm", brig_disasm_options, argc, argv, &arguments);
    if (status >= 0) {
        return status;
    }
    if (arguments.operand_count != 1) {
        return tool_complain("disasm", "give one policy; see brig disasm --help");
    }
    if (!tool_check_color("disasm", arguments.values[COLOR]) || !tool_make_request("disasm", &arguments, &request)) {
        return TOOL_USAGE;
    }
    request.program_only = true;
    request.takes_refused = true;
    request.options.plain = arguments.values[PLAIN] != NULL;
    status = tool_load("disasm", arguments.operands[0], &request, &subject);
    if (status < 0) {
        status = write_output(&arguments, &subject);
        tool_free_subject(&subject);
    }
    return status;
}
