// brig asm: assembler as `brig disasm` prints it, or written by hand, becomes a program.
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/brig/tool.h"
#include "tools/files/files.h"

const struct tool_option brig_asm_options[] = {
    TOOL_OPTION_ARCH,
    TOOL_OPTION_OUTPUT,
    {"format", 0, "FORMAT", "raw (8-byte instructions) or c (an initializer); raw"},
    {NULL, 0, NULL, NULL},
};
enum { ARCH, OUTPUT, FORMAT };

// Returns: false after having complained.
static bool read_text(const char *name, struct brig_dsl_text *ret_text)
{
    char *text = NULL;
    size_t text_bytes = 0;
    const bool is_stdin = strcmp(name, "-") == 0;
    const int code = is_stdin ? files_read_stream(stdin, &text, &text_bytes) : files_read(name, &text, &text_bytes);
    if (code == EFBIG) {
        tool_complain("asm", "'%s' is too big: the limit is %d MiB", name, FILES_BYTES_MAX >> 20);
        return false;
    }
    if (code != 0) {
        tool_complain("asm", "cannot read '%s': %s", is_stdin ? "standard input" : name, strerror(code));
        return false;
    }
    *ret_text = (struct brig_dsl_text){text, text_bytes};
    return true;
}

// Prints FILE:LINE:COLUMN, what is wrong with which words, and what may have been meant.
static int complain(const char *name, const struct brig_error *error)
{
    if (error->code != BRIG_BAD_ASSEMBLER) {
        return tool_fail("asm", error);
    }
    name = strcmp(name, "-") == 0 ? "<stdin>" : name;
    if (error->line == 0) { // of the whole text
        return tool_complain("asm", "%s: %s", name, error->step);
    }
    const char *closest = brig_dsl_assembler_closest(error);
    const char *prefix = strncmp(error->subject, "SYS_", 4) == 0 ? "SYS_" : "";
    bool is_same = closest != NULL && strlen(closest) == error->subject_bytes &&
                   memcmp(closest, error->subject, error->subject_bytes) == 0; // known, but not as what is wanted here
    bool is_known = closest != NULL && !is_same;
    const bool has_zero = memchr(error->subject, '\0', error->subject_bytes) != NULL; // where printf ends
    return tool_complain("asm", "%s:%d:%" PRId64 ": %s: '%.*s%s'%s%s%s%s", name, error->line, error->detail, error->step,
                         (int)error->subject_bytes, error->subject, has_zero ? "\\x00" : "", is_known ? "; did you mean '" : "",
                         is_known ? prefix : "", is_known ? closest : "", is_known ? "'?" : "");
}

static void write_raw(FILE *out, const struct sock_filter *insns, size_t insn_count)
{
    fwrite(insns, sizeof *insns, insn_count, out);
}

static void write_c(FILE *out, const struct sock_filter *insns, size_t insn_count)
{
    fputs("// code, jt, jf, k of struct sock_filter\n", out);
    for (size_t i = 0; i < insn_count; i++) {
        char text[64];
        brig_dsl_disassemble(&insns[i], text, sizeof text);
        fprintf(out, "{0x%02x, %3u, %3u, 0x%08" PRIx32 "}, // %4zu: %s\n", insns[i].code, insns[i].jt, insns[i].jf, insns[i].k, i,
                text);
    }
}

static int assemble(const struct tool_arguments *arguments, bool as_c)
{
    struct sock_filter insns[BPF_MAXINSNS];
    size_t insn_count;
    struct brig_error error;
    struct brig_dsl_text text;
    const char *name = arguments->operands[0];
    if (!read_text(name, &text)) {
        return TOOL_USAGE;
    }
    int status = TOOL_OK;
    if (brig_dsl_assemble(text, arguments->arches[0], insns, &insn_count, &error) != BRIG_OK) {
        status = complain(name, &error);
    }
    free((void *)text.text);
    struct tool_output output;
    if (status != TOOL_OK || !tool_open_output("asm", arguments->values[OUTPUT], &output)) {
        return TOOL_USAGE;
    }
    (as_c ? write_c : write_raw)(output.file, insns, insn_count);
    return tool_close_output("asm", &output);
}

int brig_asm_main(int argc, char **argv);
int brig_asm_main(int argc, char **argv)
{
    struct tool_arguments arguments;
    int status = tool_parse("asm", brig_asm_options, argc, argv, &arguments);
    if (status >= 0) {
        return status;
    }
    if (arguments.operand_count != 1 || arguments.arch_count != 1) {
        return tool_complain("asm", "give one file, or - for standard input, and at most one --arch; see brig asm --help");
    }
    const char *format = arguments.values[FORMAT] == NULL ? "raw" : arguments.values[FORMAT];
    bool as_c = strcmp(format, "c") == 0;
    if (!as_c && strcmp(format, "raw") != 0) {
        return tool_complain("asm", "format '%s' is not known; known are raw, c", format);
    }
    if (!as_c && tool_is_terminal(arguments.values[OUTPUT])) {
        return tool_complain("asm", "a raw program is nothing for a terminal; give --output=FILE");
    }
    return assemble(&arguments, as_c);
}
