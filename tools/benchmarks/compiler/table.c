// table: the comparison for people.
#include "tools/benchmarks/compiler/compiler.h"

static void print_mean(FILE *out, const struct bench_mean *mean)
{
    if (mean->count > 0) {
        fprintf(out, " %8.2f", mean->cost);
    } else {
        fprintf(out, " %8s", "-");
    }
}

// Minimum and median.
static void print_time(FILE *out, const struct bench_time *time)
{
    if (time->least > 0) {
        fprintf(out, " %8.1f %8.1f", time->least, time->median);
    } else {
        fprintf(out, " %8s %8s", "-", "-");
    }
}

static void print_result(FILE *out, enum bench_compiler compiler, const struct bench_result *result)
{
    const struct bench_figures *figures = &result->figures;
    fprintf(out, "  %-14s", bench_compiler_name(compiler));
    if (!bench_is_peer(result)) {
        fprintf(out, " %s\n", result->why_not);
        return;
    }
    fprintf(out, " %5u %5u %6u %7u", figures->insns, figures->ebpf_insns, figures->cached, figures->longest);
    print_mean(out, &figures->arguments);
    print_mean(out, &figures->named);
    print_mean(out, &figures->denied);
    print_mean(out, &figures->recorded_arguments);
    print_mean(out, &figures->recorded);
    print_time(out, &result->compile_us);
    print_time(out, &result->arguments_ns);
    print_time(out, &result->denied_ns);
    fputc('\n', out);
}

static void print_heading(FILE *out, const char *name, const char *kind)
{
    char title[BENCH_NAME_BYTES + 16];
    snprintf(title, sizeof title, "%s (%s)", name, kind);
    fprintf(out, "\n%-43s%27s%18s%18s%18s%18s\n", title, "eBPF run", "recorded, eBPF", "compile, us", "by args, ns", "denied, ns");
    fprintf(out, "  %-14s %5s %5s %6s %7s", "", "insns", "eBPF", "cached", "longest");
    fprintf(out, " %8s %8s %8s %8s %8s", "by args", "named", "denied", "by args", "all");
    fprintf(out, " %8s %8s %8s %8s %8s %8s\n", "min", "median", "min", "median", "min", "median");
}

void bench_print_comparison(FILE *out, const struct bench_comparison *comparison)
{
    print_heading(out, comparison->subject->name, comparison->subject->kind);
    for (int i = 0; i < BENCH_COMPILER_COUNT; i++) {
        if (comparison->results[i].is_wanted) {
            print_result(out, (enum bench_compiler)i, &comparison->results[i]);
        }
    }
    if (comparison->arguments_again_ns.least > 0 || comparison->denied_again_ns.least > 0) {
        fprintf(out, "  %-104s", "brig's program once more, in another process: what differs by this much is noise");
        print_time(out, &comparison->arguments_again_ns);
        print_time(out, &comparison->denied_again_ns);
        fputc('\n', out);
    }
    if (comparison->results[BENCH_BRIG].arena_bytes > BRIG_DSL_ARENA_BYTES) {
        fputs("  brig's arena of BRIG_DSL_ARENA_BYTES was too small; it was given more\n", out);
    }
    const struct bench_time *parse = &comparison->results[BENCH_BRIG].parse_us;
    if (parse->least > 0) {
        fprintf(out, "  %-86s", "besides, from text to rows");
        print_time(out, parse);
        fputc('\n', out);
    }
}

void bench_print_aims(FILE *out, const struct bench_aims *aims)
{
    fprintf(out, "\n%-96s %9s %9s\n", "all of it; ratios against the better of libseccomp's two programs", "reached", "aim");
    for (size_t i = 0; i < aims->count; i++) {
        const struct bench_aim *aim = &aims->aims[i];
        fprintf(out, "  %-94s %9.3f", aim->what, aim->value);
        if (aim->limit >= 0) {
            fprintf(out, " %9.3f%s", aim->limit, aim->value <= aim->limit ? "" : "  missed");
        }
        fputc('\n', out);
    }
}
