// bench: measures Brig on this machine, and prints a table. Figures are minima and medians over interleaved rounds; what lasts is
// the ratios. The group `compiler` has a table and arguments of its own (compiler/): it is the last one named.
#include <stdio.h>
#include <string.h>

#include "tools/benchmarks/bench.h"
#include "tools/benchmarks/broker/hammer.h"
#include "tools/benchmarks/compiler/compiler.h"

static const struct {
    const char *name;
    void (*run)(struct bench_table *table);
    const char *what;
} groups[] = {
    {"compile", bench_compile, "rows to program"},
    {"trap", bench_trap, "a trapped call against the shortest handler, an open through the broker against two usual brokers"},
    {"hammer", bench_hammer, "1 to 16 threads that open through the broker, for half a minute: nothing lost, crossed or leaked"},
    {"sandbox", bench_sandbox, "launch, violation to report, calls of a locked process"},
    {"survey", bench_survey, "400 random policies: how long Brig's compiler takes, against libseccomp's"},
};
enum { GROUP_COUNT = sizeof groups / sizeof groups[0] };

static const char compiler_group[] = "compiler";

static int print_usage(FILE *out, int status)
{
    fputs("usage: tools/bench [GROUP...]\n"
          "       tools/bench [GROUP...] compiler [DIR] [--profile FILE] [--json FILE] [--programs DIR]\n\n"
          "Without a group: all of them.\n\n",
          out);
    for (int i = 0; i < GROUP_COUNT; i++) {
        fprintf(out, "  %-8s %s\n", groups[i].name, groups[i].what);
    }
    fprintf(out, "  %s policies through Brig and libseccomp: size, cost, compile time, nanoseconds per call; see compiler --help\n",
            compiler_group);
    return status;
}

static bool is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return true;
        }
    }
    return argc == 1;
}

static bool is_group(const char *name)
{
    for (int i = 0; i < GROUP_COUNT; i++) {
        if (strcmp(groups[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

// Returns: where the arguments of the group compiler begin, with its name; argc if it is not named.
static int find_compiler(int argc, char **argv)
{
    int at = 1;
    while (at < argc && strcmp(argv[at], compiler_group) != 0) {
        at++;
    }
    return at;
}

// Returns: -1 to go on, else the exit status.
static int check_groups(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return print_usage(stdout, 0);
        }
        if (!is_group(argv[i])) {
            fprintf(stderr, argv[i][0] == '-' ? "bench: there is no option '%s'\n" : "bench: there is no group '%s'\n", argv[i]);
            return print_usage(stderr, 2);
        }
    }
    return -1;
}

static bool run_groups(int argc, char **argv, FILE *out)
{
    static struct bench_table table;
    for (int i = 0; i < GROUP_COUNT; i++) {
        if (is_wanted(groups[i].name, argc, argv)) {
            groups[i].run(&table);
        }
    }
    bench_print(out, &table);
    return !table.has_failed;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], HAMMER_PROGRAM) == 0) {
        return bench_hammer_program();
    }
    const int compiler_at = find_compiler(argc, argv);
    const bool is_compiler_wanted = compiler_at < argc || argc == 1;
    struct bench_compiler_run *compiler = NULL;
    int status = check_groups(compiler_at, argv);
    if (status < 0 && is_compiler_wanted) {
        status = bench_compiler_prepare(argc - compiler_at, argv + compiler_at, &compiler);
    }
    if (status >= 0) {
        return status;
    }
    const bool is_done = (compiler_at == 1 && argc > 1) || run_groups(compiler_at, argv, bench_compiler_text(compiler));
    status = compiler ? bench_compiler_run(compiler) : 0;
    return is_done ? status : 1;
}
