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

#include "tools/profile/profile.h"

struct run {
    const char *directory; // or NULL
    const char *profile_path;
    const char *json_path;
    struct profile profile;
    struct brig_dsl_options options;
    struct bench_corpus corpus;
    struct bench_comparison *comparisons;
    size_t comparison_count;
    struct bench_table failures;
};

// --- Brig's programs --------------------------------------------------------------------------------------------------

static unsigned char memory[BRIG_DSL_ARENA_BYTES];

static bool keep_code(const struct brig_dsl_program *program, struct bench_code *ret_code)
{
    memcpy(ret_code->insns, program->insns, program->insn_count * sizeof program->insns[0]);
    ret_code->count = program->insn_count;
    return true;
}

static bool compile(const struct brig_dsl_policy *policy, const struct brig_dsl_options *options, struct bench_code *ret_code,
                    char *ret_why_not)
{
    char text[BRIG_ERROR_TEXT_BYTES];
    struct brig_dsl_arena arena;
    struct brig_dsl_program program;
    struct brig_error error;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    if (brig_dsl_compile(policy, options, &arena, &program, &error) != BRIG_OK) {
        snprintf(ret_why_not, BENCH_TEXT_BYTES, "%s", brig_error_format(&error, text, sizeof text));
        return false;
    }
    return keep_code(&program, ret_code);
}

bool bench_brig_compile(const struct bench_subject *subject, const struct brig_dsl_options *options, struct bench_result *result)
{
    result->is_wanted = true;
    if (!subject->policy) {
        snprintf(result->why_not, sizeof result->why_not, "raw programs are not optimised");
        return false;
    }
    return compile(subject->policy, options, &result->code, result->why_not);
}

// --- one subject ------------------------------------------------------------------------------------------------------

// The program that inputs come from: the plain form, or where that does not fit, the one that does; or the raw program itself.
static bool make_reference(const struct run *run, const struct bench_subject *subject, struct bench_code *ret_code,
                           char *ret_why_not)
{
    struct brig_dsl_options plain = run->options;
    plain.plain = true;
    if (subject->policy) {
        return compile(subject->policy, &plain, ret_code, ret_why_not) ||
               compile(subject->policy, &run->options, ret_code, ret_why_not);
    }
    memcpy(ret_code->insns, subject->text, subject->text_bytes);
    ret_code->count = subject->text_bytes / sizeof ret_code->insns[0];
    return true;
}

static struct peer_rules *make_peers(struct run *run, struct bench_comparison *comparison, const struct bench_inputs *inputs)
{
    struct brig_dsl_arena arena;
    struct brig_dsl_rules rules;
    struct brig_error error;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    if (brig_dsl_resolve(comparison->subject->policy, &run->options, &arena, &rules, &error) != BRIG_OK) {
        return NULL;
    }
    return peer_make(&rules, &comparison->results[BENCH_BRIG].code, inputs, comparison->results);
}

static void measure(struct run *run, struct bench_comparison *comparison, const struct bench_code *reference,
                    const struct bench_inputs *inputs)
{
    const struct bench_subject *subject = comparison->subject;
    struct bench_result *results = comparison->results;
    struct peer_rules *peer_rules = NULL;
    const bool is_compiled = bench_brig_compile(subject, &run->options, &results[BENCH_BRIG]);
    if (!subject->policy) {
        results[BENCH_INPUT].is_wanted = true;
        results[BENCH_INPUT].code = *reference;
    } else if (is_compiled) {
        peer_rules = make_peers(run, comparison, inputs);
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

static void compare(struct run *run, const struct bench_subject *subject, struct bench_comparison *comparison)
{
    static struct bench_code reference;
    struct bench_inputs inputs;
    char why_not[BENCH_TEXT_BYTES];
    const struct brig_dsl_profile *profile = run->profile_path ? &run->profile.calls : NULL;
    comparison->subject = subject;
    if (!make_reference(run, subject, &reference, why_not)) {
        bench_fail(&run->failures, "%s: %s", subject->name, why_not);
    } else if (!bench_inputs_make(&reference, profile, &inputs)) {
        bench_fail(&run->failures, "%s: no memory for inputs", subject->name);
    } else {
        measure(run, comparison, &reference, &inputs);
        bench_inputs_free(&inputs);
    }
}

// --- the run ----------------------------------------------------------------------------------------------------------

static int print_usage(FILE *out, int status)
{
    fputs("usage: tools/bench compiler [DIR] [--profile FILE] [--json FILE]\n\n"
          "  DIR             policies to compile as well: *.json (OCI), *.policy (minijail), *.bpf (raw programs)\n"
          "  --profile FILE  recorded calls: they are compiled for, and costs are weighted by them\n"
          "  --json FILE     write the results as JSON, - is standard output (and then there is no table)\n",
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

static void compare_all(struct run *run, FILE *out)
{
    for (size_t i = 0; i < run->comparison_count; i++) {
        compare(run, &run->corpus.subjects[i], &run->comparisons[i]);
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
