// brig emu: one call through a program, as the kernel would run it: the listing with the path taken, then one verdict line.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/brig/tool.h"

static const struct tool_option options[] = {
    TOOL_OPTION_ARCH,
    TOOL_OPTION_KERNEL,
    {"quiet", 'q', NULL, "print only the verdict"},
    TOOL_OPTION_JSON,
    {"ip", 0, "ADDRESS", "instruction pointer of the call (0)"},
    {"batch", 0, NULL, "read lines `arch nr ip a0 a1 a2 a3 a4 a5` in hex from standard input, print `VERDICT executed` for each"},
    {NULL, 0, NULL, NULL},
};
enum { ARCH, KERNEL, QUIET, JSON, IP, BATCH };

// A pointer argument given as a string stands for some valid address; filters see no more of it than that it is not NULL.
#define SOME_POINTER 0x7f0000001000u

static bool read_argument(const char *text, enum brig_dsl_arch arch, uint64_t *ret_value)
{
    struct brig_error error;
    if (text[0] == '"') {
        *ret_value = SOME_POINTER;
        return true;
    }
    if (brig_dsl_read_value(text, strlen(text), arch, NULL, ret_value, &error) != BRIG_OK) {
        tool_fail("emu", &error);
        return false;
    }
    return true;
}

// A call's name or number; numbers may be ones that no kernel has.
static bool read_call(const char *text, enum brig_dsl_arch arch, uint32_t *ret_nr)
{
    enum brig_dsl_call call = brig_dsl_call_by_name(text, strlen(text));
    if (call != BRIG_SYS_NONE) {
        int32_t nr = brig_dsl_call_nr(call, arch);
        if (nr < 0) {
            tool_complain("emu", "%s has no call '%s'", brig_dsl_arch_name(arch), text);
            return false;
        }
        *ret_nr = (uint32_t)nr;
        return true;
    }
    char *end = NULL;
    unsigned long long number = strtoull(text, &end, 0);
    if (end == text || *end != '\0' || number > UINT32_MAX) {
        const char *closest = brig_dsl_closest_name(text, strlen(text), 'c');
        tool_complain("emu", "no system call has the name '%s'%s%s%s", text, closest == NULL ? "" : "; did you mean '",
                      closest == NULL ? "" : closest, closest == NULL ? "" : "'?");
        return false;
    }
    *ret_nr = (uint32_t)number;
    return true;
}

static bool read_data(const struct tool_arguments *arguments, struct brig_dsl_data *ret_data)
{
    enum brig_dsl_arch arch = arguments->arches[0];
    *ret_data = (struct brig_dsl_data){.audit_arch = brig_dsl_arch_audit(arch)};
    if (!read_call(arguments->operands[1], arch, &ret_data->nr)) {
        return false;
    }
    for (int i = 2; i < arguments->operand_count; i++) {
        if (!read_argument(arguments->operands[i], arch, &ret_data->args[i - 2])) {
            return false;
        }
    }
    return arguments->values[IP] == NULL || read_argument(arguments->values[IP], arch, &ret_data->ip);
}

struct marked {
    const unsigned char *trace;
    uint32_t insn;
    bool at_line_start;
};

// Prefixes each line of the listing with a mark where the run came by.
static void write_marked(void *context, const char *text, size_t text_bytes)
{
    struct marked *marked = context;
    for (size_t i = 0; i < text_bytes; i++) {
        if (marked->at_line_start) {
            fputs(marked->trace[marked->insn] != 0 ? "> " : "  ", stdout);
            marked->at_line_start = false;
        }
        fputc(text[i], stdout);
        if (text[i] == '\n') {
            marked->insn++;
            marked->at_line_start = true;
        }
    }
}

// The row behind a verdict, as `FILE:LINE  reason`; nothing for raw programs.
static void print_row(const struct tool_subject *subject, const struct brig_dsl_data *data)
{
    const struct brig_dsl_rule *rule = NULL;
    if (subject->policy == NULL) {
        return;
    }
    brig_dsl_evaluate(&subject->rules, data, &rule);
    if (rule == NULL || rule->row == NULL) {
        printf("  by no row%s%s\n", rule == NULL || rule->why == NULL ? "" : ": ", rule == NULL || rule->why == NULL ? "" : rule->why);
        return;
    }
    printf("  by %s:%d%s%s\n", rule->row->file, rule->row->line, rule->why == NULL ? "" : "  ", rule->why == NULL ? "" : rule->why);
}

static int print_verdict(const struct tool_subject *subject, const struct tool_arguments *arguments, const struct brig_dsl_data *data)
{
    unsigned char trace[BPF_MAXINSNS] = {0};
    char verdict[32];
    const struct brig_dsl_program *program = &subject->program;
    struct brig_dsl_run run = brig_dsl_interpret(program->insns, program->insn_count, data, trace);
    bool cached = brig_dsl_is_cached_allow(program->insns, program->insn_count, data->audit_arch, data->nr);
    brig_dsl_ret_text(run.ret, verdict, sizeof verdict);
    if (arguments->values[JSON] != NULL) {
        tool_print_json(stdout, json_pack("{s:s, s:s, s:I, s:I, s:b}", "schema", "brig-emu-1", "verdict", verdict, "ret",
                                          (json_int_t)run.ret, "executed", (json_int_t)run.executed, "cached", (int)cached));
        return TOOL_OK;
    }
    if (arguments->values[QUIET] != NULL) {
        puts(verdict);
        return TOOL_OK;
    }
    struct marked marked = {.trace = trace, .at_line_start = true};
    struct brig_dsl_sink sink = {.write = write_marked, .context = &marked};
    brig_dsl_list(program->insns, program->insn_count, program->arch, &sink);
    printf("%s  %" PRIu32 " instructions%s", verdict, run.executed, cached ? ", answered by the kernel's bitmap" : "");
    print_row(subject, data);
    if (subject->policy == NULL) {
        fputc('\n', stdout);
    }
    return TOOL_OK;
}

// One line of a batch: nine hexadecimal fields. Returns: false if it is anything else.
static bool read_batch_line(char *line, struct brig_dsl_data *ret_data)
{
    uint64_t fields[9];
    char *at = line;
    for (size_t i = 0; i < 9; i++) {
        char *end = NULL;
        fields[i] = strtoull(at, &end, 16);
        if (end == at) {
            return false;
        }
        at = end;
    }
    at += strspn(at, " \t\r\n");
    if (*at != '\0' || fields[0] > UINT32_MAX || fields[1] > UINT32_MAX) {
        return false;
    }
    *ret_data = (struct brig_dsl_data){.audit_arch = (uint32_t)fields[0], .nr = (uint32_t)fields[1], .ip = fields[2]};
    memcpy(ret_data->args, fields + 3, sizeof ret_data->args);
    return true;
}

static int run_batch(const struct tool_subject *subject)
{
    char *line = NULL;
    size_t capacity = 0;
    unsigned long number = 0;
    int status = TOOL_OK;
    while (status == TOOL_OK && getline(&line, &capacity, stdin) >= 0) {
        struct brig_dsl_data data;
        char verdict[32];
        number++;
        if (!read_batch_line(line, &data)) {
            status = tool_complain("emu", "line %lu: not `arch nr ip a0 a1 a2 a3 a4 a5` in hex", number);
            break;
        }
        struct brig_dsl_run run = brig_dsl_interpret(subject->program.insns, subject->program.insn_count, &data, NULL);
        brig_dsl_ret_text(run.ret, verdict, sizeof verdict);
        printf("%s %" PRIu32 "\n", verdict, run.executed);
    }
    free(line);
    return status;
}

int brig_emu_main(int argc, char **argv);
int brig_emu_main(int argc, char **argv)
{
    struct tool_arguments arguments;
    struct brig_dsl_options compile_options;
    struct brig_dsl_data data;
    struct tool_subject subject;
    int status = tool_parse("emu", options, argc, argv, &arguments);
    if (status >= 0) {
        return status;
    }
    bool is_batch = arguments.values[BATCH] != NULL;
    if (arguments.arch_count != 1 || (is_batch ? arguments.operand_count != 1 : arguments.operand_count < 2)) {
        return tool_complain("emu", "give a policy and a call (with --batch: a policy), and at most one --arch; see brig emu --help");
    }
    if (arguments.operand_count > 8) {
        return tool_complain("emu", "a call has at most six arguments");
    }
    if (!tool_compile_options("emu", arguments.arches[0], arguments.values[KERNEL], &compile_options) ||
        (!is_batch && !read_data(&arguments, &data))) {
        return TOOL_USAGE;
    }
    status = tool_load("emu", arguments.operands[0], &compile_options, &subject);
    if (status >= 0) {
        return status;
    }
    status = is_batch ? run_batch(&subject) : print_verdict(&subject, &arguments, &data);
    tool_free_subject(&subject);
    int close_status = tool_close_output("emu", stdout, NULL);
    return status == TOOL_OK ? close_status : status;
}
