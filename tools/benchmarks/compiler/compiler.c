// compiler: every policy through every compiler, measured in one run.
//
// Takes: this build's policies, made-up ones, and those of a directory; perhaps recorded calls. Gives: a table, aims beside what
// was reached, and the same as JSON. For a policy the programs are Brig's and libseccomp's at levels 1 and 2; for a raw program
// they are the program itself and what Brig makes of it. Guarantees: inputs come from the policy's plainest program, so that no
// compiler's own tests decide what it is measured with. Weakness: one arch, the one that this runs on.
#include "tools/benchmarks/compiler/compiler.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf_dsl/optimize.h"
#include "tools/profile/profile.h"

struct run {
    const char *directory; // or NULL
    const char *profile_path;
    const char *json_path;
    const char *programs_path; // where programs are kept, or NULL
    struct profile profile;
    struct brig_dsl_options options;
    struct bench_corpus corpus;
    struct bench_comparison *comparisons;
    size_t comparison_count;
    struct bench_table failures;
};

// --- Brig's programs --------------------------------------------------------------------------------------------------

static unsigned char memory[BRIG_DSL_OPTIMIZE_ARENA_BYTES];

static void keep_code(const struct sock_filter *insns, size_t count, struct bench_code *ret_code)
{
    memcpy(ret_code->insns, insns, count * sizeof insns[0]);
    ret_code->count = count;
}

static bool fail(const struct brig_error *error, char *ret_why_not)
{
    char text[BRIG_ERROR_TEXT_BYTES];
    snprintf(ret_why_not, BENCH_TEXT_BYTES, "%s", brig_error_format(error, text, sizeof text));
    return false;
}

static enum brig_code compile_in(size_t arena_bytes, const struct brig_dsl_policy *policy, const struct brig_dsl_options *options,
                                 struct brig_dsl_program *ret_program, struct brig_error *reterr)
{
    struct brig_dsl_arena arena;
    brig_dsl_arena_init(&arena, memory, arena_bytes);
    return brig_dsl_compile(policy, options, &arena, ret_program, reterr);
}

// As every caller does it, with an arena of the size that is said to be enough; where it is not (sanitizers need more), with all
// the memory that there is.
static bool compile(const struct brig_dsl_policy *policy, const struct brig_dsl_options *options, struct bench_result *result)
{
    struct brig_dsl_program program;
    struct brig_error error;
    result->arena_bytes = BRIG_DSL_ARENA_BYTES;
    enum brig_code code = compile_in(result->arena_bytes, policy, options, &program, &error);
    if (code == BRIG_OUT_OF_ARENA) {
        result->arena_bytes = sizeof memory;
        code = compile_in(result->arena_bytes, policy, options, &program, &error);
    }
    if (code != BRIG_OK) {
        return fail(&error, result->why_not);
    }
    keep_code(program.insns, program.insn_count, &result->code);
    return true;
}

static void read_raw(const struct bench_subject *subject, struct bench_code *ret_code)
{
    ret_code->count = subject->text_bytes / sizeof ret_code->insns[0];
    memcpy(ret_code->insns, subject->text, subject->text_bytes);
}

static bool optimize(const struct bench_subject *subject, const struct brig_dsl_options *options, struct bench_result *result)
{
    static struct bench_code input;
    struct brig_dsl_arena arena;
    struct brig_dsl_optimized optimized;
    struct brig_error error;
    read_raw(subject, &input);
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    if (brig_dsl_optimize(&(struct brig_dsl_filter){input.insns, input.count}, options, &arena, &optimized, &error) != BRIG_OK) {
        return fail(&error, result->why_not);
    }
    if (!optimized.is_checked) {
        snprintf(result->why_not, sizeof result->why_not, "%u instructions, not shown to be the same", optimized.insn_count);
        return false;
    }
    keep_code(optimized.insns, optimized.insn_count, &result->code);
    return true;
}

bool bench_brig_compile(const struct bench_subject *subject, const struct brig_dsl_options *options, struct bench_result *result)
{
    result->is_wanted = true;
    return subject->policy ? compile(subject->policy, options, result) : optimize(subject, options, result);
}

// --- one subject ------------------------------------------------------------------------------------------------------

// The program that inputs come from: the plain form, or where that does not fit, the one that does; or the raw program itself.
static bool make_reference(const struct run *run, const struct bench_subject *subject, struct bench_result *ret_reference)
{
    struct brig_dsl_options plain = run->options;
    plain.plain = true;
    if (subject->policy) {
        return compile(subject->policy, &plain, ret_reference) || compile(subject->policy, &run->options, ret_reference);
    }
    read_raw(subject, &ret_reference->code);
    return true;
}

static void measure(struct run *run, struct bench_comparison *comparison, const struct bench_source *source,
                    const struct bench_inputs *inputs)
{
    const struct bench_subject *subject = comparison->subject;
    struct bench_result *results = comparison->results;
    struct peer_rules *peer_rules = NULL;
    const bool is_compiled = bench_brig_compile(subject, &run->options, &results[BENCH_BRIG]);
    if (!source->rules) {
        results[BENCH_INPUT].is_wanted = true;
        results[BENCH_INPUT].code = *source->reference;
    } else if (is_compiled) {
        peer_rules = peer_make(source->rules, &results[BENCH_BRIG].code, inputs, results);
    }
    for (int i = 0; i < BENCH_COMPILER_COUNT; i++) {
        if (bench_is_peer(&results[i])) {
            results[i].figures = bench_figures_of(&results[i].code, inputs);
        }
    }
    if (is_compiled) {
        const struct race race = {subject, &run->options, peer_rules};
        bench_race(&race, results, &run->failures);
        bench_hot_calls(inputs, comparison, &run->failures);
    }
    peer_rules_free(peer_rules);
}

// Returns: false with a reason.
static bool make_source(const struct run *run, const struct bench_subject *subject, struct bench_source *ret_source,
                        char *ret_why_not)
{
    static unsigned char rules_memory[4 * BRIG_DSL_ARENA_BYTES];
    static struct bench_result reference;
    static struct brig_dsl_rules rules;
    struct brig_dsl_arena arena;
    struct brig_error error;
    *ret_source = (struct bench_source){.reference = &reference.code, .profile = run->profile_path ? &run->profile.calls : NULL};
    if (!make_reference(run, subject, &reference)) {
        snprintf(ret_why_not, BENCH_TEXT_BYTES, "%s", reference.why_not);
        return false;
    }
    if (subject->policy) {
        brig_dsl_arena_init(&arena, rules_memory, sizeof rules_memory);
        if (brig_dsl_resolve(subject->policy, &run->options, &arena, &rules, &error) != BRIG_OK) {
            snprintf(ret_why_not, BENCH_TEXT_BYTES, "%s", brig_code_name(error.code));
            return false;
        }
        ret_source->rules = &rules;
    }
    return true;
}

static void compare(struct run *run, const struct bench_subject *subject, struct bench_comparison *comparison)
{
    struct bench_source source;
    struct bench_inputs inputs;
    char why_not[BENCH_TEXT_BYTES];
    comparison->subject = subject;
    if (!make_source(run, subject, &source, why_not)) {
        bench_fail(&run->failures, "%s: %s", subject->name, why_not);
    } else if (!bench_inputs_make(&source, &inputs)) {
        bench_fail(&run->failures, "%s: no memory for inputs", subject->name);
    } else {
        measure(run, comparison, &source, &inputs);
        bench_inputs_free(&inputs);
    }
}

// --- the run ----------------------------------------------------------------------------------------------------------

static int print_usage(FILE *out, int status)
{
    fputs("usage: tools/bench compiler [DIR] [--profile FILE] [--json FILE] [--programs DIR]\n\n"
          "  DIR             policies to compile as well: *.json (OCI), *.policy (minijail), *.bpf (raw programs)\n"
          "  --profile FILE  recorded calls: they are compiled for, and costs are weighted by them\n"
          "  --json FILE     write the results as JSON, - is standard output (and then there is no table)\n"
          "  --programs DIR  write every program as DIR/NAME.COMPILER.bpf\n",
          out);
    return status;
}

// Returns: -1 to go on, else the exit status.
static int read_arguments(struct run *run, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            return print_usage(stdout, 0);
        }
        if (strcmp(argv[i], "--profile") == 0 && i + 1 < argc) {
            run->profile_path = argv[++i];
        } else if (strcmp(argv[i], "--json") == 0 && i + 1 < argc) {
            run->json_path = argv[++i];
        } else if (strcmp(argv[i], "--programs") == 0 && i + 1 < argc) {
            run->programs_path = argv[++i];
        } else if (argv[i][0] == '-' || run->directory) {
            fprintf(stderr, "bench: '%s' is not understood\n", argv[i]);
            return print_usage(stderr, 2);
        } else {
            run->directory = argv[i];
        }
    }
    return -1;
}

static bool read_profile(struct run *run)
{
    struct profile_error error;
    char text[1024];
    struct profile_reader *reader = profile_new(run->options.arch, NULL);
    const bool is_read =
        reader && profile_read_file(reader, run->profile_path, &error) && profile_finish(reader, &run->profile, &error);
    if (!is_read) {
        fprintf(stderr, "bench: %s\n", reader ? profile_error_format(&error, text, sizeof text) : "out of memory");
    }
    profile_delete(reader);
    run->options.profile = &run->profile.calls;
    return is_read;
}

static bool write_json(const struct run *run, const struct bench_aims *aims)
{
    const bool is_stdout = strcmp(run->json_path, "-") == 0;
    FILE *out = is_stdout ? stdout : fopen(run->json_path, "we");
    bool is_written = out && bench_write_json(out, run->comparisons, run->comparison_count, aims);
    if (out) {
        is_written = (is_stdout ? fflush(out) : fclose(out)) == 0 && is_written;
    }
    if (!is_written) {
        fprintf(stderr, "bench: cannot write '%s': %s\n", run->json_path, strerror(errno));
    }
    return is_written;
}

static void gather(struct run *run)
{
    if (!bench_corpus_add_own(&run->corpus)) {
        bench_fail(&run->failures, "no memory for policies");
    }
    if (run->directory) {
        bench_corpus_add_directory(&run->corpus, run->directory, &run->failures);
    }
    run->comparisons = calloc(run->corpus.count, sizeof *run->comparisons);
    if (!run->comparisons) {
        bench_fail(&run->failures, "no memory for results");
        return;
    }
    run->comparison_count = run->corpus.count;
}

static void keep_programs(struct run *run, const struct bench_comparison *comparison)
{
    char path[4096];
    for (int i = 0; run->programs_path && i < BENCH_COMPILER_COUNT; i++) {
        const struct bench_code *code = &comparison->results[i].code;
        snprintf(path, sizeof path, "%s/%s.%s.bpf", run->programs_path, comparison->subject->name,
                 bench_compiler_name((enum bench_compiler)i));
        FILE *out = code->count ? fopen(path, "wbe") : NULL;
        const bool is_written = out && fwrite(code->insns, sizeof code->insns[0], code->count, out) == code->count;
        if (code->count && (!out || fclose(out) != 0 || !is_written)) {
            bench_fail(&run->failures, "cannot write '%s'", path);
        }
    }
}

static void compare_all(struct run *run, FILE *out)
{
    for (size_t i = 0; i < run->comparison_count; i++) {
        compare(run, &run->corpus.subjects[i], &run->comparisons[i]);
        keep_programs(run, &run->comparisons[i]);
        if (out) {
            bench_print_comparison(out, &run->comparisons[i]);
            fflush(out);
        }
    }
}

int bench_compiler_main(int argc, char **argv)
{
    static struct run run;
    static struct bench_aims aims;
    run.options = (struct brig_dsl_options){.arch = brig_dsl_arch_native(), .self_pid = 4242, .notify_fd = 3};
    const int status = read_arguments(&run, argc, argv);
    if (status >= 0) {
        return status;
    }
    if (run.profile_path && !read_profile(&run)) {
        return 2;
    }
    FILE *table = run.json_path && strcmp(run.json_path, "-") == 0 ? NULL : stdout;
    gather(&run);
    compare_all(&run, table);
    bench_aims_make(run.comparisons, run.comparison_count, &aims);
    if (table) {
        bench_print_aims(table, &aims);
    }
    const bool is_written = !run.json_path || write_json(&run, &aims);
    if (run.profile_path) {
        profile_free(&run.profile);
    }
    free(run.comparisons);
    bench_corpus_free(&run.corpus);
    return is_written && !run.failures.has_failed ? 0 : 1;
}
