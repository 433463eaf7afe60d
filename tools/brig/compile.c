// brig compile: a policy becomes a program, written raw, as C, as a listing or as JSON; with --stats, what is known about it
// instead, or beside the file that the program goes to.
#include <inttypes.h>

#include "tools/brig/write_program.h"

const struct tool_option brig_compile_options[] = {
    TOOL_OPTION_ARCH,
    TOOL_OPTION_OUTPUT,
    TOOL_OPTION_KERNEL,
    TOOL_OPTION_TARGET,
    TOOL_OPTION_FROM,
    TOOL_OPTION_CAP,
    TOOL_OPTION_PLAIN,
    {"small", 0, NULL, "few instructions, rather than few of them run"},
    WRITE_PROGRAM_OPTION_FORMAT,
    {"stats", 0, NULL, "print figures about the program, instead of it unless -o says where that goes"},
    TOOL_OPTION_JSON,
    TOOL_OPTION_PROFILE,
    TOOL_OPTION_PROFILE_TYPE,
    {NULL, 0, NULL, NULL},
};
enum { ARCH, OUTPUT, KERNEL, TARGET, FROM, CAP, PLAIN, SMALL, FORMAT, STATS, JSON, PROFILE };

static const struct write_program_kind kind = {"compile", "policy", "brig-compile-1"};

// Figures about a program, and who was asked for the costs.
struct figures {
    struct brig_dsl_stats stats;
    struct brig_dsl_cost cost;
    const struct brig_dsl_profile *calls; // NULL: cost is that of all calls alike
    const struct profile *profile;        // what was read of --profile; empty: the calls are the policy's own
};

static struct figures measure(const struct tool_subject *subject, const struct profile *profile)
{
    const struct brig_dsl_program *program = &subject->program;
    struct figures figures = {.profile = profile};
    figures.stats = brig_dsl_measure(program->insns, program->insn_count, program->arch);
    figures.cost.expected_executed = figures.stats.expected_executed;
    figures.cost.expected_ebpf = figures.stats.expected_ebpf;
    // A policy of another tool may say itself how often calls are made (@frequency).
    figures.calls = tool_profile_calls(profile) != NULL ? tool_profile_calls(profile) : subject->imported.profile;
    if (figures.calls != NULL) {
        figures.cost = brig_dsl_measure_profile(program->insns, program->insn_count, program->arch, figures.calls);
    }
    return figures;
}

static json_t *profile_json(const struct figures *figures)
{
    if (figures->calls == NULL) {
        return json_null();
    }
    return json_pack("{s:I, s:I, s:I, s:I}", "calls", (json_int_t)figures->cost.calls, "different",
                     (json_int_t)figures->calls->sample_count, "without_arguments", (json_int_t)figures->profile->vague_count,
                     "absent", (json_int_t)figures->profile->absent_count);
}

static void write_stats_json(FILE *out, const struct tool_subject *subject, const struct figures *figures)
{
    const struct brig_dsl_program *program = &subject->program;
    const struct brig_dsl_stats *stats = &figures->stats;
    bool has_profile = figures->calls != NULL;
    json_t *json = write_program_describe(&kind, &(struct write_program){subject->name, &subject->program});
    json_object_set_new(json, "insns", json_integer(stats->insns));
    json_object_set_new(json, "ebpf_insns", json_integer(stats->ebpf_insns));
    json_object_set_new(json, "bytes", json_integer(stats->bytes));
    json_object_set_new(json, "cached_allow", json_integer(stats->cached_allow));
    json_object_set_new(json, "max_executed", json_integer(stats->max_executed));
    json_object_set_new(json, "expected_executed", json_real(figures->cost.expected_executed));
    json_object_set_new(json, "expected_ebpf", json_real(figures->cost.expected_ebpf));
    json_object_set_new(json, "cached_share", has_profile ? json_real(figures->cost.cached_share) : json_null());
    json_object_set_new(json, "profile", profile_json(figures));
    json_object_set_new(json, "compile_us", json_real(subject->compile_us));
    json_object_set_new(json, "plain", json_boolean(program->is_plain));
    json_object_set_new(json, "proven", json_boolean(!program->is_unproven));
    json_object_set_new(json, "trap_ids", json_integer(program->trap_count == 0 ? 0 : program->trap_count - 1));
    tool_print_json(out, json);
}

static void write_stats(FILE *out, const struct tool_subject *subject, const struct figures *figures)
{
    const struct brig_dsl_program *program = &subject->program;
    const struct brig_dsl_stats *stats = &figures->stats;
    bool has_profile = figures->calls != NULL;
    fputs("policy             ", out);
    tool_put_clean(out, subject->name);
    fprintf(out, "\narch               %s\nhash               %016" PRIx64 "\n", brig_dsl_arch_name(program->arch), program->hash);
    fprintf(out, "insns              %" PRIu32 " of 4096%s%s\n", stats->insns, program->is_plain ? "  (plain form)" : "",
            program->is_unproven ? "  (not proven: Brig locks no process with it)" : "");
    fprintf(out, "ebpf_insns         %" PRIu32 "\nbytes              %" PRIu32 "\n", stats->ebpf_insns, stats->bytes);
    fprintf(out, "cached_allow       %" PRIu32 "  of the numbers 0 to %d: the kernel's bitmap answers\n", stats->cached_allow,
            BRIG_DSL_BITMAP_NUMBERS - 1);
    fprintf(out, "max_executed       %" PRIu32 "  longest path\n", stats->max_executed);
    fprintf(out, "expected_executed  %.2f  mean over %s\n", figures->cost.expected_executed,
            has_profile ? "the profile's calls that are not cached"
                        : "all calls that are not cached, alike, arguments 0 (no --profile)");
    fprintf(out, "expected_ebpf      %.2f  the same after the kernel's conversion\n", figures->cost.expected_ebpf);
    if (has_profile) {
        fprintf(out, "cached_share       %.1f %%  of the profile's %.0f calls\n", 100 * figures->cost.cached_share,
                figures->cost.calls);
    }
    fprintf(out, "compile_us         %.1f  from rows to a checked program; reading a file does not count\n", subject->compile_us);
}

static int write_figures(const struct write_program_options *asked, int format, const struct tool_subject *subject,
                         const struct profile *profile)
{
    struct figures figures = measure(subject, profile);
    (write_program_has_json_stats(asked, format) ? write_stats_json : write_stats)(stdout, subject, &figures);
    return tool_flush("compile");
}

// Writes what was asked for. Returns: the exit status.
static int write_output(const struct write_program_options *asked, int format, const struct tool_subject *subject,
                        const struct profile *profile)
{
    int status = TOOL_OK;
    if (!asked->wants_stats || write_program_is_apart(asked)) {
        struct tool_output output;
        if (!tool_open_output("compile", asked->output, &output)) {
            return TOOL_USAGE;
        }
        write_program(output.file, &kind, format, &(struct write_program){subject->name, &subject->program});
        status = tool_close_output("compile", &output);
    }
    if (status == TOOL_OK && asked->wants_stats) {
        status = write_figures(asked, format, subject, profile);
    }
    if (status == TOOL_OK && subject->program.is_unproven) {
        tool_complain("compile", "%s: what it decides could not be proven within the limits; Brig locks no process with it",
                      subject->name);
        return TOOL_UNDECIDED;
    }
    return status;
}

static int compile(const struct tool_request *request, const struct write_program_options *asked, int format,
                   const struct profile *profile)
{
    struct tool_subject subject;
    int status = tool_load("compile", request->arguments->operands[0], request, &subject);
    if (status < 0) {
        status =
            tool_check_profile_arch("compile", request, &subject) ? write_output(asked, format, &subject, profile) : TOOL_USAGE;
        tool_free_subject(&subject);
    }
    return status;
}

int brig_compile_main(int argc, char **argv);
int brig_compile_main(int argc, char **argv)
{
    struct tool_arguments arguments;
    struct tool_request request;
    struct profile profile;
    int status = tool_parse("compile", brig_compile_options, argc, argv, &arguments);
    if (status >= 0) {
        return status;
    }
    if (arguments.operand_count != 1) {
        return tool_complain("compile", "give one policy; see brig compile --help");
    }
    const struct write_program_options asked = {.output = arguments.values[OUTPUT],
                                                .format = arguments.values[FORMAT],
                                                .wants_json = arguments.values[JSON] != NULL,
                                                .wants_stats = arguments.values[STATS] != NULL};
    int format = write_program_find_format("compile", &asked);
    if (format < 0 || !tool_make_request("compile", &arguments, &request)) {
        return TOOL_USAGE;
    }
    status = tool_read_profiles("compile", &arguments, PROFILE, &profile);
    if (status >= 0) {
        return status;
    }
    request.program_only = true;
    request.is_timed = arguments.values[STATS] != NULL;
    request.options.plain = arguments.values[PLAIN] != NULL;
    request.options.small = arguments.values[SMALL] != NULL;
    if (request.options.plain && request.options.small) {
        return tool_complain("compile", "--plain and --small are two forms; give one");
    }
    request.options.profile = tool_profile_calls(&profile);
    status = compile(&request, &asked, format, &profile);
    profile_free(&profile);
    return status;
}
