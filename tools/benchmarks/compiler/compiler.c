// compiler: every policy through every compiler, measured in one run.
//
// Takes: this build's policies, made-up ones, and those of a directory; perhaps recorded calls. Gives: a table, aims beside what
// was reached, and the same as JSON. For a policy the programs are Brig's and libseccomp's at levels 1 and 2; for a raw program
// they are the program itself and what Brig makes of it. Guarantees: what is wrong with the arguments is said before anything is
// measured; what is wrong with one policy is said and leaves the others alone, and the exit status is 1.
#include "tools/benchmarks/compiler/compiler.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/profile/profile.h"

enum option { PROFILE, JSON, PROGRAMS, OPTION_COUNT };
static const char *const option_names[OPTION_COUNT] = {"--profile", "--json", "--programs"};

struct bench_compiler_run {
    const char *directory;             // or NULL
    const char *options[OPTION_COUNT]; // or NULL
    FILE *json;                        // or NULL
    FILE *table;                       // or NULL
    struct profile profile;
    struct brig_dsl_options compile;
    struct bench_corpus corpus;
    struct bench_comparison *comparisons;
    size_t comparison_count;
    struct bench_table failures;
};

// --- arguments --------------------------------------------------------------------------------------------------------

static int print_usage(FILE *out, int status)
{
    fputs(
        "usage: tools/bench [GROUP...] compiler [DIR] [--profile FILE] [--json FILE] [--programs DIR]\n\n"
        "  DIR             policies to compile as well: *.json (OCI), *.policy (minijail), *.bpf (raw programs)\n"
        "  --profile FILE  recorded calls: they are compiled for, and costs are weighted by them\n"
        "  --json FILE     write the results as JSON, - is standard output (and then there is no table)\n"
        "  --programs DIR  write every program as DIR/NAME.COMPILER.bpf\n\n"
        "Nanoseconds are of nine installations of each program, side by side on one processor, in processes of their own. A policy's\n"
        "calls are said to be slower, beyond noise, where they took longer in all nine, and in the middle one by more than Brig's\n"
        "program, installed twice, differs from itself, and by 2 %.\n\n"
        "Exit status: 0, also where aims are missed; 1: something was left out, or could not be done; 2: wrong arguments.\n",
        out);
    return status;
}

// Takes `--name VALUE` and `--name=VALUE`. Returns: how many arguments it was; 0: no such option; -1: it has no value.
static int read_option(struct bench_compiler_run *run, int argc, char **argv)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        const size_t bytes = strlen(option_names[i]);
        if (strncmp(argv[0], option_names[i], bytes) != 0 || (argv[0][bytes] != '\0' && argv[0][bytes] != '=')) {
            continue;
        }
        const bool is_one = argv[0][bytes] == '=';
        run->options[i] = is_one ? argv[0] + bytes + 1 : argc > 1 ? argv[1] : "";
        if (run->options[i][0] == '\0') {
            fprintf(stderr, "bench: %s needs a %s behind it\n", option_names[i], i == PROGRAMS ? "directory" : "file");
            return -1;
        }
        return is_one ? 1 : 2;
    }
    return 0;
}

// Returns: -1 to go on, else the exit status.
static int read_arguments(struct bench_compiler_run *run, int argc, char **argv)
{
    for (int i = 1; i < argc;) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return print_usage(stdout, 0);
        }
        const int taken = read_option(run, argc - i, argv + i);
        if (taken < 0) {
            return print_usage(stderr, 2);
        }
        if (taken == 0 && (argv[i][0] == '-' || run->directory)) {
            fprintf(stderr, "bench: '%s' is %s\n", argv[i],
                    argv[i][0] == '-' ? "no option of compiler" : "one directory too many; groups stand before compiler");
            return print_usage(stderr, 2);
        }
        if (taken == 0) {
            run->directory = argv[i];
        }
        i += taken > 0 ? taken : 1;
    }
    return -1;
}

static bool read_profile(struct bench_compiler_run *run)
{
    struct profile_error error;
    char text[1024];
    struct profile_reader *reader = profile_new(run->compile.arch, NULL);
    const bool is_read =
        reader && profile_read_file(reader, run->options[PROFILE], &error) && profile_finish(reader, &run->profile, &error);
    if (!is_read) {
        fprintf(stderr, "bench: %s\n", reader ? profile_error_format(&error, text, sizeof text) : "out of memory");
    }
    profile_delete(reader);
    run->compile.profile = is_read ? &run->profile.calls : NULL;
    return is_read;
}

// Before anything is measured, and so that what the file had stays until there is something to write.
static bool open_json(struct bench_compiler_run *run)
{
    const char *path = run->options[JSON];
    if (strcmp(path, "-") == 0) {
        run->json = stdout;
        run->table = NULL;
        return true;
    }
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
    run->json = fd < 0 ? NULL : fdopen(fd, "w");
    if (!run->json) {
        fprintf(stderr, "bench: cannot write '%s': %s\n", path, strerror(errno));
    }
    return run->json != NULL;
}

static bool check_programs_directory(const char *path)
{
    struct stat status;
    int code = stat(path, &status) != 0 || access(path, W_OK | X_OK) != 0 ? errno : 0;
    code = code == 0 && !S_ISDIR(status.st_mode) ? ENOTDIR : code;
    if (code != 0) {
        fprintf(stderr, "bench: cannot write programs to '%s': %s\n", path, strerror(code));
    }
    return code == 0;
}

// Finds what there is to measure. Returns: false after having said what is wrong with the arguments.
static bool prepare(struct bench_compiler_run *run)
{
    if (!bench_corpus_add_own(&run->corpus)) {
        bench_fail(&run->failures, "no memory for policies");
    }
    return (!run->options[PROFILE] || read_profile(run)) &&
           (!run->directory || bench_corpus_add_directory(&run->corpus, run->directory, &run->failures)) &&
           (!run->options[PROGRAMS] || check_programs_directory(run->options[PROGRAMS])) && (!run->options[JSON] || open_json(run));
}

// --- the run ----------------------------------------------------------------------------------------------------------

static bool write_json(struct bench_compiler_run *run, const struct bench_aims *aims)
{
    bool is_written = run->json == stdout || ftruncate(fileno(run->json), 0) == 0 || errno == EINVAL; // a pipe has no length
    is_written = is_written && bench_write_json(run->json, run->comparisons, run->comparison_count, aims);
    is_written = (run->json == stdout ? fflush(stdout) : fclose(run->json)) == 0 && is_written;
    if (!is_written) {
        fprintf(stderr, "bench: cannot write '%s': %s\n", run->options[JSON], strerror(errno));
    }
    return is_written;
}

static void keep_programs(struct bench_compiler_run *run, const struct bench_comparison *comparison)
{
    char path[4096];
    for (int i = 0; run->options[PROGRAMS] && i < BENCH_COMPILER_COUNT; i++) {
        const struct bench_code *code = &comparison->results[i].code;
        snprintf(path, sizeof path, "%s/%s.%s.bpf", run->options[PROGRAMS], comparison->subject->name,
                 bench_compiler_name((enum bench_compiler)i));
        FILE *out = code->count ? fopen(path, "wbe") : NULL;
        const bool is_written = out && fwrite(code->insns, sizeof code->insns[0], code->count, out) == code->count;
        if (code->count && (!out || fclose(out) != 0 || !is_written)) {
            bench_fail(&run->failures, "cannot write '%s'", path);
        }
    }
}

static void compare_all(struct bench_compiler_run *run)
{
    run->comparisons = calloc(run->corpus.count, sizeof *run->comparisons);
    if (!run->comparisons) {
        bench_fail(&run->failures, "no memory for results");
        return;
    }
    run->comparison_count = run->corpus.count;
    for (size_t i = 0; i < run->comparison_count; i++) {
        bench_compare(&run->corpus.subjects[i], &run->compile, &run->comparisons[i], &run->failures);
        keep_programs(run, &run->comparisons[i]);
        if (run->table) {
            bench_print_comparison(run->table, &run->comparisons[i]);
            fflush(run->table);
        }
    }
}

// Returns: whether all of it could be written.
static bool report(struct bench_compiler_run *run)
{
    static struct bench_aims aims;
    bench_aims_make(run->comparisons, run->comparison_count, &aims);
    if (run->table) {
        bench_print_aims(run->table, &aims);
        bench_print_left_out(run->table, run->comparisons, run->comparison_count);
        if (fflush(run->table) != 0 || ferror(run->table)) {
            fprintf(stderr, "bench: cannot write the table: %s\n", strerror(errno));
            return false;
        }
    }
    return !run->json || write_json(run, &aims);
}

static void release(struct bench_compiler_run *run)
{
    if (run->compile.profile) {
        profile_free(&run->profile);
    }
    free(run->comparisons);
    bench_corpus_free(&run->corpus);
}

FILE *bench_compiler_text(const struct bench_compiler_run *run)
{
    return run && run->json == stdout ? stderr : stdout;
}

int bench_compiler_run(struct bench_compiler_run *run)
{
    if (run->table) {
        bench_print_legend(run->table);
    }
    compare_all(run);
    const bool is_done = report(run) && !run->failures.has_failed;
    release(run);
    return is_done ? 0 : 1;
}

int bench_compiler_prepare(int argc, char **argv, struct bench_compiler_run **ret_run)
{
    static struct bench_compiler_run run;
    run.compile = (struct brig_dsl_options){.arch = brig_dsl_arch_native(), .self_pid = 4242, .notify_fd = 3};
    run.table = stdout;
    int status = read_arguments(&run, argc, argv);
    if (status < 0 && !prepare(&run)) {
        release(&run);
        status = 2;
    }
    *ret_run = &run;
    return status;
}
