// brig emu: one call through a program, as the kernel would run it: the listing with the path taken, then one verdict line.
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/brig/tool.h"

const struct tool_option brig_emu_options[] = {
    TOOL_OPTION_ARCH,
    TOOL_OPTION_KERNEL,
    TOOL_OPTION_TARGET,
    TOOL_OPTION_FROM,
    TOOL_OPTION_CAP,
    {"quiet", 'q', NULL, "print only the verdict"},
    TOOL_OPTION_JSON,
    {"ip", 0, "ADDRESS", "instruction pointer of the call (0)"},
    {"batch", 0, NULL, "read lines `arch nr ip a0 a1 a2 a3 a4 a5` in hex from standard input, print `VERDICT executed` for each"},
    TOOL_OPTION_COLOR,
    {NULL, 0, NULL, NULL},
};
enum { ARCH, KERNEL, TARGET, FROM, CAP, QUIET, JSON, IP, BATCH, COLOR };

// A pointer argument given as a string stands for some valid address; filters see no more of it than that it is not NULL.
#define SOME_POINTER 0x7f0000001000u

// A whole number as people type it, any 64 bits of it. Returns: false if `text` is anything else.
static bool read_number(const char *text, uint64_t *ret_value)
{
    char *end = NULL;
    text += strspn(text, " ");
    errno = 0;
    *ret_value = strtoull(text, &end, 0);
    return (isdigit((unsigned char)text[0]) || (text[0] == '-' && isdigit((unsigned char)text[1]) && (*ret_value >> 63) != 0)) &&
           *end == '\0' && errno == 0;
}

static bool read_argument(const char *text, enum brig_dsl_arch arch, bool is_pointer, uint64_t *ret_value)
{
    static const struct {
        const char *name;
        uint64_t value;
    } words[] = {{"NULL", 0}, {"SELF_PID", TOOL_SELF_PID}, {"NOTIFY_FD", TOOL_NOTIFY_FD}, {"BROKER_FD", TOOL_BROKER_FD}};
    struct brig_error error;
    if (read_number(text, ret_value)) {
        return true;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i].name) == 0) {
            *ret_value = words[i].value;
            return true;
        }
    }
    if (text[0] == '"' || is_pointer) {
        *ret_value = SOME_POINTER;
        return true;
    }
    if (brig_dsl_read_value(text, strlen(text), arch, NULL, ret_value, &error) != BRIG_OK) {
        tool_fail("emu", &error);
        return false;
    }
    return true;
}

// A call's name or number; numbers may be ones that no kernel has. `ret_call` is BRIG_SYS_NONE for a number: its registers are
// free.
static bool read_call(const char *text, enum brig_dsl_arch arch, enum brig_dsl_call *ret_call, uint32_t *ret_nr)
{
    uint64_t number;
    *ret_call = brig_dsl_call_by_name(text, strlen(text));
    if (*ret_call != BRIG_SYS_NONE) {
        int32_t nr = brig_dsl_call_nr(*ret_call, arch);
        if (nr < 0) {
            tool_complain("emu", "%s has no call '%s'", brig_dsl_arch_name(arch), text);
            return false;
        }
        *ret_nr = (uint32_t)nr;
        return true;
    }
    const bool is_number = read_number(text, &number);
    const bool is_digits = *text != '\0' && text[strspn(text, "0123456789")] == '\0';
    if (!is_number && !is_digits) {
        tool_complain_about_call("emu", text + strspn(text, " "));
        return false;
    }
    if (!is_number || (number > UINT32_MAX && number < (uint64_t)INT32_MIN)) {
        tool_complain("emu", "a call's number has 32 bits, '%s' has more", text);
        return false;
    }
    *ret_nr = (uint32_t)number;
    return true;
}

// A mistake in counting must not pass for a verdict.
static bool check_count(enum brig_dsl_call call, enum brig_dsl_arch arch, int given)
{
    int count = brig_dsl_call_argument_count(call, arch);
    if (call == BRIG_SYS_NONE || given <= count) {
        return true;
    }
    fprintf(stderr, "brig emu: %s has %d argument%s", brig_dsl_call_name(call), count, count == 1 ? "" : "s");
    for (int i = 0; i < count; i++) {
        fprintf(stderr, "%s%s", i == 0 ? ": " : ", ", brig_dsl_call_argument(call, arch, i)->name);
    }
    fprintf(stderr, "; to set other registers too, name it by its number, %" PRId32 "\n", brig_dsl_call_nr(call, arch));
    return false;
}

static bool read_data(const struct tool_arguments *arguments, const struct tool_subject *subject, struct brig_dsl_data *ret_data)
{
    enum brig_dsl_arch arch = arguments->has_arch ? arguments->arches[0] : subject->program.arch;
    enum brig_dsl_call call;
    *ret_data = (struct brig_dsl_data){.audit_arch = brig_dsl_arch_audit(arch)};
    if (!read_call(arguments->operands[1], arch, &call, &ret_data->nr) || !check_count(call, arch, arguments->operand_count - 2)) {
        return false;
    }
    for (int i = 2; i < arguments->operand_count; i++) {
        const struct brig_dsl_argument *argument = brig_dsl_call_argument(call, arch, i - 2);
        bool is_pointer = argument != NULL && argument->is_pointer;
        if (!read_argument(arguments->operands[i], arch, is_pointer, &ret_data->args[i - 2])) {
            return false;
        }
        // A filter sees the registers of 32-bit arches with upper halves of 0, whatever -1 was meant to be.
        ret_data->args[i - 2] &= brig_dsl_arch_is_64bit(arch) ? UINT64_MAX : UINT32_MAX;
    }
    return arguments->values[IP] == NULL || read_argument(arguments->values[IP], arch, false, &ret_data->ip);
}

// What stands behind a verdict: an action and its row, or the reason why there is none.
struct cause {
    const struct brig_dsl_rule *rule; // NULL: no row says anything
    const char *why;
};

static const char *why_no_row(const struct brig_dsl_rules *rules, const struct brig_dsl_data *data, uint32_t ret)
{
    if (data->audit_arch != brig_dsl_arch_audit(rules->arch)) {
        return "another arch";
    }
    if (!rules->is_import && (data->nr == BRIG_DSL_DIE_NR || data->nr == BRIG_DSL_PROBE_NR)) {
        return "a number that Brig reserves in every policy";
    }
    if (rules->asks_broker && data->nr == BRIG_DSL_BROKER_NR) {
        return "the number by which the broker is asked";
    }
    if (rules->arch == BRIG_DSL_X86_64 && data->nr >> 30 == 1) {
        return "an x32 number";
    }
    if (brig_dsl_call_by_nr(data->nr, rules->arch) == BRIG_SYS_NONE) {
        return "no call has this number";
    }
    return ret == rules->unknown_ret && ret != rules->fallback_ret ? "newer than the baseline" : "the fallback";
}

static struct cause find_cause(const struct brig_dsl_rules *rules, const struct brig_dsl_data *data)
{
    struct cause cause = {.rule = NULL};
    uint32_t ret = brig_dsl_evaluate(rules, data, &cause.rule);
    cause.why = cause.rule == NULL ? why_no_row(rules, data, ret) : cause.rule->why;
    return cause;
}

static void print_cause(const struct cause *cause)
{
    const struct brig_dsl_row *row = cause->rule == NULL ? NULL : cause->rule->row;
    if (row == NULL) {
        printf("  by no row: %s\n", cause->why);
        return;
    }
    struct brig_dsl_sink sink = tool_sink(stdout);
    fputs("  by ", stdout);
    tool_put_clean(stdout, row->file);
    printf(":%d  ", row->line);
    brig_dsl_describe_action(&cause->rule->action, &sink);
    fputs(cause->why == NULL ? "" : ": ", stdout);
    tool_put_clean(stdout, cause->why == NULL ? "" : cause->why);
    puts("");
}

// Whether the kernel answers without running the program. It keeps bits for numbers that it has.
static bool is_cached(const struct brig_dsl_program *program, const struct brig_dsl_data *data)
{
    enum brig_dsl_arch arch;
    return brig_dsl_arch_by_audit(data->audit_arch, &arch) && brig_dsl_has_bitmap(data->nr, arch) &&
           brig_dsl_is_cached_allow(program->insns, program->insn_count, data->audit_arch, data->nr);
}

static json_t *verdict_json(const struct tool_subject *subject, const struct brig_dsl_data *data)
{
    unsigned char trace[BPF_MAXINSNS] = {0};
    char verdict[32];
    const struct brig_dsl_program *program = &subject->program;
    struct brig_dsl_run run = brig_dsl_interpret(program->insns, program->insn_count, data, trace);
    json_t *path = json_array();
    for (uint32_t i = 0; i < program->insn_count; i++) {
        if (trace[i] != 0) {
            json_array_append_new(path, json_integer(i));
        }
    }
    brig_dsl_ret_text(run.ret, verdict, sizeof verdict);
    json_t *json = json_pack("{s:s, s:s, s:I, s:I, s:I, s:b, s:o}", "schema", "brig-emu-1", "verdict", verdict, "ret",
                             (json_int_t)run.ret, "executed", (json_int_t)run.executed, "ebpf_executed",
                             (json_int_t)brig_dsl_ebpf_executed(program->insns, program->insn_count, data), "cached",
                             (int)is_cached(program, data), "path", path);
    if (subject->policy != NULL) {
        struct cause cause = find_cause(tool_rules(subject, data->audit_arch), data);
        const struct brig_dsl_row *row = cause.rule == NULL ? NULL : cause.rule->row;
        json_object_set_new(json, "file", tool_json_text(row == NULL ? NULL : row->file));
        json_object_set_new(json, "line", row == NULL ? json_null() : json_integer(row->line));
        json_object_set_new(json, "why", tool_json_text(cause.why));
    }
    return json;
}

static void print_path(const struct tool_subject *subject, const struct brig_dsl_data *data, bool is_colored)
{
    unsigned char trace[BPF_MAXINSNS] = {0};
    char verdict[32];
    const struct brig_dsl_program *program = &subject->program;
    struct brig_dsl_run run = brig_dsl_interpret(program->insns, program->insn_count, data, trace);
    tool_print_listing(stdout, program, trace, is_colored);
    brig_dsl_ret_text(run.ret, verdict, sizeof verdict);
    printf("%s%s%s  %" PRIu32 " instruction%s%s", tool_paint(is_colored, tool_color_of_ret(run.ret)), verdict,
           tool_paint(is_colored, TOOL_COLOR_END), run.executed, run.executed == 1 ? "" : "s",
           is_cached(program, data) ? ", answered by the kernel's bitmap" : "");
    if (subject->policy == NULL) {
        fputc('\n', stdout);
        return;
    }
    struct cause cause = find_cause(tool_rules(subject, data->audit_arch), data);
    print_cause(&cause);
}

static void print_verdict(const struct tool_subject *subject, const struct tool_arguments *arguments,
                          const struct brig_dsl_data *data)
{
    char verdict[32];
    if (arguments->values[JSON] != NULL) {
        tool_print_json(stdout, verdict_json(subject, data));
    } else if (arguments->values[QUIET] != NULL) {
        struct brig_dsl_run run = brig_dsl_interpret(subject->program.insns, subject->program.insn_count, data, NULL);
        brig_dsl_ret_text(run.ret, verdict, sizeof verdict);
        puts(verdict);
    } else {
        print_path(subject, data, tool_wants_color(arguments->values[COLOR]));
    }
}

// One line of a batch: nine hexadecimal fields. Returns: false if it is anything else.
static bool read_batch_line(char *line, struct brig_dsl_data *ret_data)
{
    uint64_t fields[9];
    char *at = line;
    errno = 0;
    for (size_t i = 0; i < 9; i++) {
        char *end = NULL;
        at += strspn(at, " \t");
        fields[i] = strtoull(at, &end, 16);
        if (end == at || !isxdigit((unsigned char)*at) || errno != 0) {
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
    ssize_t bytes;
    while ((bytes = getline(&line, &capacity, stdin)) >= 0) {
        struct brig_dsl_data data;
        char verdict[32];
        number++;
        if (line[strspn(line, " \t\r\n")] == '\0' && strlen(line) == (size_t)bytes) {
            continue;
        }
        if (strlen(line) != (size_t)bytes || !read_batch_line(line, &data)) {
            status = tool_complain("emu", "line %lu: not `arch nr ip a0 a1 a2 a3 a4 a5` in hex", number);
            break;
        }
        struct brig_dsl_run run = brig_dsl_interpret(subject->program.insns, subject->program.insn_count, &data, NULL);
        brig_dsl_ret_text(run.ret, verdict, sizeof verdict);
        printf("%s %" PRIu32 "\n", verdict, run.executed);
    }
    if (ferror(stdin)) {
        status = tool_complain("emu", "cannot read standard input: %s", strerror(errno));
    }
    free(line);
    return status;
}

int brig_emu_main(int argc, char **argv);
int brig_emu_main(int argc, char **argv)
{
    struct tool_arguments arguments;
    struct tool_request request;
    struct brig_dsl_data data;
    struct tool_subject subject;
    int status = tool_parse("emu", brig_emu_options, argc, argv, &arguments);
    if (status >= 0) {
        return status;
    }
    bool is_batch = arguments.values[BATCH] != NULL;
    if (is_batch ? arguments.operand_count != 1 : arguments.operand_count < 2) {
        return tool_complain("emu", "give a policy and a call (with --batch: a policy); see brig emu --help");
    }
    if (is_batch && arguments.values[JSON] != NULL) {
        return tool_complain("emu", "--batch has no JSON form");
    }
    if (is_batch && strcmp(arguments.operands[0], "-") == 0) {
        return tool_complain("emu", "standard input cannot be the program and the calls of --batch too");
    }
    if (!tool_check_color("emu", arguments.values[COLOR])) {
        return TOOL_USAGE;
    }
    if (arguments.operand_count > 8) {
        return tool_complain("emu", "a call has at most six arguments");
    }
    if (!tool_make_request("emu", &arguments, &request)) {
        return TOOL_USAGE;
    }
    request.is_of_any_arch = is_batch;
    request.is_quiet = arguments.values[QUIET] != NULL;
    status = tool_load("emu", arguments.operands[0], &request, &subject);
    if (status >= 0) {
        return status;
    }
    status = TOOL_OK;
    if (is_batch) {
        status = run_batch(&subject);
    } else if (read_data(&arguments, &subject, &data)) {
        print_verdict(&subject, &arguments, &data);
    } else {
        status = TOOL_USAGE;
    }
    tool_free_subject(&subject);
    int close_status = tool_flush("emu");
    return status == TOOL_OK ? close_status : status;
}
