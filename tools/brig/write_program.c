// write_program: see write_program.h.
#include "tools/brig/write_program.h"

#include <inttypes.h>
#include <string.h>

// --- formats ----------------------------------------------------------------------------------------------------------

static void write_raw(FILE *out, const struct write_program_kind *kind, const struct write_program *program)
{
    (void)kind;
    fwrite(program->program->insns, sizeof *program->program->insns, program->program->insn_count, out);
}

static void write_c(FILE *out, const struct write_program_kind *kind, const struct write_program *written)
{
    const struct brig_dsl_program *program = written->program;
    fprintf(out, "// %s ", kind->noun);
    tool_put_clean(out, written->name); // behind a line break a comment would be code
    fprintf(out, " for %s, %" PRIu32 " instructions, hash %016" PRIx64 "\n", brig_dsl_arch_name(program->arch), program->insn_count,
            program->hash);
    fputs("// code, jt, jf, k of struct sock_filter\n", out);
    for (uint32_t i = 0; i < program->insn_count; i++) {
        const struct sock_filter *insn = &program->insns[i];
        char text[64];
        brig_dsl_disassemble(insn, text, sizeof text);
        fprintf(out, "{0x%02x, %3u, %3u, 0x%08" PRIx32 "}, // %4" PRIu32 ": %s\n", insn->code, insn->jt, insn->jf, insn->k, i,
                text);
    }
}

static void write_text(FILE *out, const struct write_program_kind *kind, const struct write_program *program)
{
    (void)kind;
    tool_print_listing(out, program->program, NULL, false);
}

json_t *write_program_describe(const struct write_program_kind *kind, const struct write_program *program)
{
    char hash[17];
    snprintf(hash, sizeof hash, "%016" PRIx64, program->program->hash);
    return json_pack("{s:s, s:s, s:s, s:s}", "schema", kind->schema, kind->noun, program->name, "arch",
                     brig_dsl_arch_name(program->program->arch), "hash", hash);
}

json_t *write_program_insns(const struct brig_dsl_program *program)
{
    json_t *insns = json_array();
    for (uint32_t i = 0; i < program->insn_count; i++) {
        const struct sock_filter *insn = &program->insns[i];
        json_array_append_new(insns, json_pack("[i, i, i, I]", (int)insn->code, (int)insn->jt, (int)insn->jf, (json_int_t)insn->k));
    }
    return insns;
}

static void write_json(FILE *out, const struct write_program_kind *kind, const struct write_program *program)
{
    json_t *json = write_program_describe(kind, program);
    json_object_set_new(json, "insns", write_program_insns(program->program));
    tool_print_json(out, json);
}

static const struct {
    const char *name;
    void (*write)(FILE *out, const struct write_program_kind *kind, const struct write_program *program);
} formats[] = {
    [WRITE_PROGRAM_RAW] = {"raw", write_raw},
    [WRITE_PROGRAM_C] = {"c", write_c},
    [WRITE_PROGRAM_TEXT] = {"text", write_text},
    [WRITE_PROGRAM_JSON] = {"json", write_json},
};
enum { FORMAT_COUNT = sizeof formats / sizeof formats[0] };

void write_program(FILE *out, const struct write_program_kind *kind, int format, const struct write_program *program)
{
    formats[format].write(out, kind, program);
}

// --- which one --------------------------------------------------------------------------------------------------------

static int complain(const char *verb, const struct write_program_options *options)
{
    const char *names[FORMAT_COUNT];
    for (int i = 0; i < FORMAT_COUNT; i++) {
        names[i] = formats[i].name;
    }
    const char *closest = tool_closest(options->format, names, FORMAT_COUNT);
    if (closest != NULL) {
        tool_complain(verb, "format '%s' is not known; did you mean '%s'?", options->format, closest);
    } else {
        tool_complain(verb, "format '%s' is not known; known are raw, c, text, json", options->format);
    }
    return -1;
}

// The format that is named, or the one that fits where the program goes. Returns: its index, or -1 after having complained.
static int find_named(const char *verb, const struct write_program_options *options)
{
    if (options->format == NULL) {
        return options->output == NULL ? WRITE_PROGRAM_TEXT : WRITE_PROGRAM_RAW;
    }
    for (int i = 0; i < FORMAT_COUNT; i++) {
        if (strcmp(options->format, formats[i].name) == 0) {
            return i;
        }
    }
    return complain(verb, options);
}

bool write_program_is_apart(const struct write_program_options *options)
{
    return options->wants_stats && options->output != NULL && strcmp(options->output, "-") != 0;
}

bool write_program_has_json_stats(const struct write_program_options *options, int format)
{
    return options->wants_json || (format == WRITE_PROGRAM_JSON && !write_program_is_apart(options));
}

int write_program_find_format(const char *verb, const struct write_program_options *options)
{
    const char *name = options->format;
    if (write_program_is_apart(options)) {
        return find_named(verb, options);
    }
    bool is_json = options->wants_json || (name != NULL && strcmp(name, "json") == 0);
    if (name != NULL && !is_json && options->wants_stats) {
        tool_complain(verb, "--stats has no format '%s'; it prints text, or JSON with --json", name);
        return -1;
    }
    if (name != NULL && options->wants_json && strcmp(name, "json") != 0) {
        tool_complain(verb, "--json and --format=%s contradict each other", name);
        return -1;
    }
    int format = is_json ? WRITE_PROGRAM_JSON : find_named(verb, options);
    if (format == WRITE_PROGRAM_RAW && !options->wants_stats && tool_is_terminal(options->output)) {
        tool_complain(verb, "a raw program is nothing for a terminal; give --output=FILE");
        return -1;
    }
    return format;
}
