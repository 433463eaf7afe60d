// improve: from programs to one that Z3 has proven equal to them.
//
// The library's own check has walked both by then; Z3 is a second opinion that shares nothing with it, and the only one where a
// program computes what the walk does not follow. What neither has shown is not written: then the program stays as it was.
#include "tools/brig/improve.h"

#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/brig/pair.h"

enum { ARCH, OUTPUT, KERNEL, TARGET, FROM, CAP, FORMAT, STATS, JSON, PROFILE, PROFILE_TYPE, TIMEOUT };

struct improvement {
    const struct write_program_kind *kind;
    const struct tool_arguments *arguments;
    struct tool_request request;
    struct profile profile;
    struct tool_subject subjects[IMPROVE_MOST_PROGRAMS];
    size_t count;
    unsigned char *memory;
    struct brig_dsl_optimized optimized;
    struct brig_dsl_program program; // what is written
    double improve_us;
    enum prove_answer answer;
    struct prove_result proof;
    int64_t proof_ms;
};

// --- programs in ------------------------------------------------------------------------------------------------------

// Returns: whether calls come to the handler of a process with numbers that only this policy's rows give a meaning.
static bool has_traps(const struct brig_dsl_program *program)
{
    for (uint32_t i = 0; i < program->insn_count && program->trap_count > 1; i++) {
        const struct sock_filter *insn = &program->insns[i];
        if (insn->code == (BPF_RET | BPF_K) && (insn->k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRAP) {
            return true;
        }
    }
    return false;
}

static int load(struct improvement *improvement)
{
    const char *verb = improvement->kind->verb;
    const char *trapping = NULL;
    size_t from_input = 0;
    improvement->request.is_beside_others = improvement->arguments->operand_count > 1;
    for (int i = 0; i < improvement->arguments->operand_count; i++) {
        improvement->request.is_from_used |= tool_needs_from(improvement->arguments->operands[i]);
    }
    for (int i = 0; i < improvement->arguments->operand_count; i++) {
        from_input += strcmp(improvement->arguments->operands[i], "-") == 0;
        if (from_input > 1) {
            return tool_complain(verb, "only one program can be standard input");
        }
        int status = tool_load(verb, improvement->arguments->operands[i], &improvement->request, &improvement->subjects[i]);
        if (status >= 0) {
            return status;
        }
        improvement->count++;
        const struct tool_subject *subject = &improvement->subjects[i];
        if (!has_traps(&subject->program)) {
            continue;
        }
        if (trapping != NULL) {
            return tool_complain(verb,
                                 "'%s' and '%s' both answer by traps, which each of them numbers for a handler of its own, and a "
                                 "process has one; merge at most one, or give --target=executed for programs without traps",
                                 trapping, subject->name);
        }
        trapping = subject->name;
    }
    if (!tool_check_profile_arch(verb, &improvement->request, &improvement->subjects[0])) {
        return TOOL_USAGE;
    }
    improvement->request.options.arch = improvement->subjects[0].program.arch;
    return -1;
}

static double elapsed_us(struct timespec from, struct timespec to)
{
    return (double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3;
}

// The library names the program at fault by its place among those that it was given.
static int complain(const struct improvement *improvement, const struct brig_error *error)
{
    const bool is_about_one = error->code == BRIG_BAD_ARGUMENT && error->subject != NULL && error->detail >= 0 &&
                              (size_t)error->detail < improvement->count;
    if (!is_about_one) {
        return tool_fail(improvement->kind->verb, error);
    }
    return tool_complain(improvement->kind->verb, "'%s' is %s: it cannot become one with another",
                         improvement->subjects[error->detail].name, error->subject);
}

static int improve(struct improvement *improvement, improve_function *function)
{
    struct brig_dsl_filter filters[IMPROVE_MOST_PROGRAMS];
    struct brig_dsl_arena arena;
    struct brig_error error;
    struct timespec start;
    struct timespec end;
    improvement->memory = malloc(BRIG_DSL_OPTIMIZE_ARENA_BYTES);
    if (improvement->memory == NULL) {
        return tool_complain(improvement->kind->verb, "out of memory");
    }
    for (size_t i = 0; i < improvement->count; i++) {
        filters[i].insns = improvement->subjects[i].program.insns;
        filters[i].insn_count = improvement->subjects[i].program.insn_count;
    }
    brig_dsl_arena_init(&arena, improvement->memory, BRIG_DSL_OPTIMIZE_ARENA_BYTES);
    clock_gettime(CLOCK_MONOTONIC, &start);
    enum brig_code code =
        function(filters, improvement->count, &improvement->request.options, &arena, &improvement->optimized, &error);
    clock_gettime(CLOCK_MONOTONIC, &end);
    improvement->improve_us = elapsed_us(start, end);
    return code == BRIG_OK ? -1 : complain(improvement, &error);
}

// --- the proof --------------------------------------------------------------------------------------------------------

static void set_progress(void *context, size_t done, size_t total)
{
    pair_progress_set(context, done, total);
}

static void prove(struct improvement *improvement, long timeout_seconds)
{
    struct prove_program stack[IMPROVE_MOST_PROGRAMS];
    struct pair_progress progress;
    for (size_t i = 0; i < improvement->count; i++) {
        stack[i].insns = improvement->subjects[i].program.insns;
        stack[i].insn_count = improvement->subjects[i].program.insn_count;
    }
    struct prove_question question = {
        .relation = PROVE_EQUAL, .timeout_ms = (int64_t)timeout_seconds * 1000, .progress = set_progress, .context = &progress};
    question.programs[0].insns = improvement->optimized.insns;
    question.programs[0].insn_count = improvement->optimized.insn_count;
    question.programs[1] = stack[0];
    question.stacks[1] = (struct prove_stack){stack, improvement->count > 1 ? improvement->count : 0};
    pair_progress_start(&progress, improvement->kind->verb);
    improvement->answer = prove_run_apart(&question, &improvement->proof);
    improvement->proof_ms = pair_progress_end(&progress);
}

// What was shown about the program that is written, in words.
static const char *proof_words(const struct improvement *improvement)
{
    if (improvement->answer == PROVE_HOLDS) {
        return "proven equal";
    }
    if (!improvement->optimized.is_checked) {
        return "not proven";
    }
    return improvement->answer == PROVE_UNABLE ? "equal by the library's check, Z3 could not be asked"
                                               : "equal by the library's check, Z3 did not finish";
}

// The exit status where nothing was shown.
static int status_unshown(const struct improvement *improvement)
{
    return improvement->answer == PROVE_UNABLE ? TOOL_LACKS : TOOL_UNDECIDED;
}

// Decides what is written. Returns: -1 to go on, else the exit status to return at once.
static int judge(struct improvement *improvement)
{
    const char *verb = improvement->kind->verb;
    if (improvement->answer == PROVE_FAILS || improvement->answer == PROVE_BROKEN) {
        tool_complain(verb, "internal error: %s",
                      improvement->answer == PROVE_FAILS ? "Z3 found a call that the new program decides otherwise"
                                                         : improvement->proof.why);
        return TOOL_UNDECIDED;
    }
    bool is_shown = improvement->answer == PROVE_HOLDS || improvement->optimized.is_checked;
    if (!is_shown && improvement->count > 1) {
        tool_complain(verb, "the merged program could not be proven equal: %s", improvement->proof.why);
        return status_unshown(improvement);
    }
    improvement->program = (struct brig_dsl_program){.insns = improvement->optimized.insns,
                                                     .insn_count = improvement->optimized.insn_count,
                                                     .arch = improvement->request.options.arch};
    if (is_shown && improvement->answer == PROVE_UNABLE) {
        tool_complain(verb, "note: equal by the library's check alone; %s", improvement->proof.why);
    }
    if (!is_shown) {
        tool_complain(verb, "note: the better program could not be proven equal (%s); this is the old one", improvement->proof.why);
        improvement->program.insns = improvement->subjects[0].program.insns;
        improvement->program.insn_count = improvement->subjects[0].program.insn_count;
    }
    improvement->program.hash = brig_dsl_hash(improvement->program.insns, improvement->program.insn_count);
    return -1;
}

static const char *name_of(const struct improvement *improvement)
{
    return improvement->count > 1 ? "merged" : improvement->subjects[0].name;
}

// --- figures ----------------------------------------------------------------------------------------------------------

struct figures {
    struct brig_dsl_stats stats;
    struct brig_dsl_cost cost;
};

static struct figures measure(const struct improvement *improvement, const struct brig_dsl_program *program)
{
    const struct brig_dsl_profile *calls = tool_profile_calls(&improvement->profile);
    enum brig_dsl_arch arch = improvement->request.options.arch;
    struct figures figures = {.stats = brig_dsl_measure(program->insns, program->insn_count, arch)};
    figures.cost.expected_executed = figures.stats.expected_executed;
    figures.cost.expected_ebpf = figures.stats.expected_ebpf;
    if (calls != NULL) {
        figures.cost = brig_dsl_measure_profile(program->insns, program->insn_count, arch, calls);
    }
    return figures;
}

static json_t *figures_json(const char *name, const struct figures *figures)
{
    return json_pack("{s:s, s:i, s:i, s:i, s:i, s:f, s:f}", "program", name, "insns", (int)figures->stats.insns, "ebpf_insns",
                     (int)figures->stats.ebpf_insns, "cached_allow", (int)figures->stats.cached_allow, "max_executed",
                     (int)figures->stats.max_executed, "expected_executed", figures->cost.expected_executed, "expected_ebpf",
                     figures->cost.expected_ebpf);
}

static json_t *describe(const struct improvement *improvement, const char *name)
{
    const struct write_program program = {name, &improvement->program};
    json_t *json = write_program_describe(improvement->kind, &program);
    json_object_set_new(json, "proof", json_string(proof_words(improvement)));
    return json;
}

static void write_stats_json(FILE *out, const struct improvement *improvement, const char *name)
{
    json_t *json = describe(improvement, name);
    json_t *before = json_array();
    struct figures figures;
    for (size_t i = 0; i < improvement->count; i++) {
        figures = measure(improvement, &improvement->subjects[i].program);
        json_array_append_new(before, figures_json(improvement->subjects[i].name, &figures));
    }
    figures = measure(improvement, &improvement->program);
    json_object_set_new(json, "before", before);
    json_object_set_new(json, "after", figures_json(name, &figures));
    json_object_set_new(json, "us", json_real(improvement->improve_us));
    json_object_set_new(json, "proof_ms", json_integer(improvement->proof_ms));
    tool_print_json(out, json);
}

static void write_line(FILE *out, const char *name, const struct figures *figures)
{
    fprintf(out, "%7" PRIu32 "%7" PRIu32 "%8" PRIu32 "%9" PRIu32 "%10.2f%10.2f  ", figures->stats.insns, figures->stats.ebpf_insns,
            figures->stats.cached_allow, figures->stats.max_executed, figures->cost.expected_executed, figures->cost.expected_ebpf);
    tool_put_clean(out, name);
    fputs("\n", out);
}

static void write_stats(FILE *out, const struct improvement *improvement)
{
    struct figures figures;
    bool has_profile = tool_profile_calls(&improvement->profile) != NULL;
    fputs("  insns   ebpf  cached  longest  executed  ebpf_run\n", out);
    for (size_t i = 0; i < improvement->count; i++) {
        figures = measure(improvement, &improvement->subjects[i].program);
        write_line(out, improvement->subjects[i].name, &figures);
    }
    figures = measure(improvement, &improvement->program);
    write_line(out, improvement->count > 1 ? "merged" : "optimized", &figures);
    fprintf(out, "executed, ebpf_run: mean over %s, of %s\n",
            has_profile ? "the profile's calls that are not cached"
                        : "all calls that are not cached, alike, arguments 0 (no --profile)",
            brig_dsl_arch_name(improvement->program.arch));
    fputs(proof_words(improvement), out);
    if (improvement->answer == PROVE_HOLDS) {
        fprintf(out, " for every call, by Z3 in %.1f s (%zu parts, %zu queries)", (double)improvement->proof_ms / 1000,
                improvement->proof.parts, improvement->proof.queries);
    }
    fprintf(out, "; made in %.1f ms\n", improvement->improve_us / 1000);
}

// --- out --------------------------------------------------------------------------------------------------------------

static int write_figures(const struct improvement *improvement, const struct write_program_options *asked, int format)
{
    if (write_program_has_json_stats(asked, format)) {
        write_stats_json(stdout, improvement, name_of(improvement));
    } else {
        write_stats(stdout, improvement);
    }
    return tool_flush(improvement->kind->verb);
}

static int write_improved(const struct improvement *improvement, const struct write_program_options *asked, int format)
{
    const char *verb = improvement->kind->verb;
    struct tool_output output;
    if (!tool_open_output(verb, asked->output, &output)) {
        return TOOL_USAGE;
    }
    if (format == WRITE_PROGRAM_JSON) {
        json_t *json = describe(improvement, name_of(improvement));
        json_object_set_new(json, "insns", write_program_insns(&improvement->program));
        tool_print_json(output.file, json);
    } else {
        write_program(output.file, improvement->kind, format, &(struct write_program){name_of(improvement), &improvement->program});
    }
    if (format != WRITE_PROGRAM_JSON && !asked->wants_stats) {
        fprintf(stderr, "brig %s: %" PRIu32 " instruction%s, %s\n", verb, improvement->program.insn_count,
                improvement->program.insn_count == 1 ? "" : "s", proof_words(improvement));
    }
    return tool_close_output(verb, &output);
}

static int write_output(const struct improvement *improvement, const struct write_program_options *asked, int format)
{
    bool is_shown = improvement->answer == PROVE_HOLDS || improvement->optimized.is_checked;
    bool has_program = !asked->wants_stats || write_program_is_apart(asked);
    int status = has_program ? write_improved(improvement, asked, format) : TOOL_OK;
    status = status == TOOL_OK && asked->wants_stats ? write_figures(improvement, asked, format) : status;
    return status != TOOL_OK || is_shown ? status : status_unshown(improvement);
}

static int run(struct improvement *improvement, improve_function *function)
{
    const struct tool_arguments *arguments = improvement->arguments;
    const char *verb = improvement->kind->verb;
    const struct write_program_options asked = {.output = arguments->values[OUTPUT],
                                                .format = arguments->values[FORMAT],
                                                .wants_json = arguments->values[JSON] != NULL,
                                                .wants_stats = arguments->values[STATS] != NULL};
    int format = write_program_find_format(verb, &asked);
    long timeout_seconds = format < 0 ? -1 : pair_read_timeout(verb, arguments->values[TIMEOUT]);
    if (timeout_seconds < 0 || !tool_make_request(verb, arguments, &improvement->request) ||
        !tool_check_output(verb, asked.output)) {
        return TOOL_USAGE;
    }
    int status = tool_read_profiles(verb, arguments, PROFILE, &improvement->profile);
    if (status >= 0) {
        return status;
    }
    improvement->request.program_only = true;
    improvement->request.options.profile = tool_profile_calls(&improvement->profile);
    status = load(improvement);
    status = status >= 0 ? status : improve(improvement, function);
    if (status < 0) {
        prove(improvement, timeout_seconds);
        status = judge(improvement);
    }
    return status >= 0 ? status : write_output(improvement, &asked, format);
}

int improve_run(const struct write_program_kind *kind, const struct tool_arguments *arguments, improve_function *improve_programs)
{
    struct improvement *improvement = calloc(1, sizeof *improvement);
    if (improvement == NULL) {
        return tool_complain(kind->verb, "out of memory");
    }
    improvement->kind = kind;
    improvement->arguments = arguments;
    int status = run(improvement, improve_programs);
    for (size_t i = 0; i < improvement->count; i++) {
        tool_free_subject(&improvement->subjects[i]);
    }
    profile_free(&improvement->profile);
    free(improvement->memory);
    free(improvement);
    return status;
}
