// bench: measures Brig on this machine, and prints a table. Figures are minima and medians over interleaved rounds; what lasts is
// the ratios. The group `compiler` has arguments and a table of its own (compiler/).
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
};
enum { GROUP_COUNT = sizeof groups / sizeof groups[0] };

static int print_usage(FILE *out, int status)
{
    fputs("usage: tools/bench [GROUP...]\n       tools/bench compiler [DIR] [--profile FILE] [--json FILE] [--programs DIR]\n\n",
          out);
    for (int i = 0; i < GROUP_COUNT; i++) {
        fprintf(out, "  %-8s %s\n", groups[i].name, groups[i].what);
    }
    fputs("  compiler policies through Brig and libseccomp: size, cost, compile time, nanoseconds per call\n", out);
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

int main(int argc, char **argv)
{
    static struct bench_table table;
    if (argc > 1 && strcmp(argv[1], HAMMER_PROGRAM) == 0) {
        return bench_hammer_program();
    }
    if (argc > 1 && strcmp(argv[1], "compiler") == 0) {
        return bench_compiler_main(argc - 1, argv + 1);
    }
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return print_usage(stdout, 0);
        }
        if (!is_group(argv[i])) {
            fprintf(stderr, "bench: there is no group '%s'\n", argv[i]);
            return print_usage(stderr, 2);
        }
    }
    for (int i = 0; i < GROUP_COUNT; i++) {
        if (is_wanted(groups[i].name, argc, argv)) {
            groups[i].run(&table);
        }
    }
    bench_print(&table);
    const int status = argc == 1 ? bench_compiler_main(argc, argv) : 0;
    return table.has_failed ? 1 : status;
}
