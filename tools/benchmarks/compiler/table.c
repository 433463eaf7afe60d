// table: the comparison for people.
#include <sys/utsname.h>

#include "tools/benchmarks/compiler/compiler.h"

void bench_print_legend(FILE *out)
{
    struct utsname system;
    char version[32];
    uname(&system);
    peer_version(version, sizeof version);
    fprintf(out, "policies through Brig and libseccomp %s (-1: its default level, -2: a binary tree), on %s, Linux %s;\n", version,
            brig_dsl_arch_name(brig_dsl_arch_native()), system.release);
    fputs(
        "raw programs (input) through brig optimize. Of times the minimum and the median; all turn about, in this one run.\n"
        "  insns, eBPF    instructions, classic and after the kernel's conversion\n"
        "  cached         system calls that the kernel's bitmap allows without running the program\n"
        "  longest        longest path, in classic instructions\n"
        "  eBPF run       instructions run for a call, means: by args: calls that arguments decide; named: the same with values that\n"
        "                 the policy names; denied: calls that the number alone decides, and that are not cached\n"
        "  recorded       the same for the calls of --profile FILE\n"
        "  compile        from rows to a checked program, for libseccomp from seccomp_init to the exported one\n"
        "  by args, denied, ns   harmless calls really made under the program, the kernel's own work included; of several\n"
        "                 installations. Slower beyond noise: longer in every block of installations side by side, and in the middle one\n"
        "                 by more than Brig's program differs by there from itself, and by 2 %\n"
        "  ratio to best  Brig's figure over the best other one, column by column; of ns, the middle one of the blocks\n",
        out);
}

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
    for (int i = 0; i < BENCH_MIX_COUNT; i++) {
        print_time(out, &result->calls[i].ns);
    }
    fputc('\n', out);
}

static void print_heading(FILE *out, const char *name, const char *kind)
{
    char title[BENCH_NAME_BYTES + 16];
    snprintf(title, sizeof title, "%.*s (%s)", BENCH_SHOWN_CHARACTERS, name, kind);
    fprintf(out, "\n%-43s%27s%18s%18s%18s%18s\n", title, "eBPF run", "recorded, eBPF", "compile, us", "by args, ns", "denied, ns");
    fprintf(out, "  %-14s %5s %5s %6s %7s", "", "insns", "eBPF", "cached", "longest");
    fprintf(out, " %8s %8s %8s %8s %8s", "by args", "named", "denied", "by args", "all");
    fprintf(out, " %8s %8s %8s %8s %8s %8s\n", "min", "median", "min", "median", "min", "median");
}

// --- ratios -----------------------------------------------------------------------------------------------------------

static double insns(const struct bench_result *result)
{
    return result->figures.insns;
}

static double ebpf_insns(const struct bench_result *result)
{
    return result->figures.ebpf_insns;
}

static double longest(const struct bench_result *result)
{
    return result->figures.longest;
}

static double arguments(const struct bench_result *result)
{
    return result->figures.arguments.cost;
}

static double named(const struct bench_result *result)
{
    return result->figures.named.cost;
}

static double denied(const struct bench_result *result)
{
    return result->figures.denied.cost;
}

static double recorded_arguments(const struct bench_result *result)
{
    return result->figures.recorded_arguments.cost;
}

static double recorded(const struct bench_result *result)
{
    return result->figures.recorded.cost;
}

static double compile(const struct bench_result *result)
{
    return result->compile_us.least;
}

static double arguments_ns(const struct bench_result *result)
{
    return result->calls[BENCH_MIX_ARGUMENTS].relative;
}

static double denied_ns(const struct bench_result *result)
{
    return result->calls[BENCH_MIX_DENIED].relative;
}

// One for each column that has a ratio, as print_result has them.
static const struct column {
    bench_figure *get;
    int width;
    int gap; // characters before it: columns that have none
} columns[] = {
    {insns, 5, 0},     {ebpf_insns, 5, 0}, {longest, 7, 7}, // cached
    {arguments, 8, 0}, {named, 8, 0},      {denied, 8, 0},       {recorded_arguments, 8, 0},
    {recorded, 8, 0},  {compile, 8, 0},    {arguments_ns, 8, 9}, // the median of the column before
    {denied_ns, 8, 9},
};

static void print_ratios(FILE *out, const struct bench_comparison *comparison)
{
    if (bench_ratio(comparison, insns) <= 0) {
        return;
    }
    fprintf(out, "  %-14s", "ratio to best");
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        const double ratio = bench_ratio(comparison, columns[i].get);
        if (ratio > 0) {
            fprintf(out, "%*s %*.*f", columns[i].gap, "", columns[i].width, columns[i].width < 8 ? 2 : 3, ratio);
        } else {
            fprintf(out, "%*s %*s", columns[i].gap, "", columns[i].width, "-");
        }
    }
    fputc('\n', out);
}

// --- entries ----------------------------------------------------------------------------------------------------------

static void print_notes(FILE *out, const struct bench_comparison *comparison)
{
    const struct bench_result *ours = &comparison->results[BENCH_BRIG];
    if (bench_is_peer(ours) && ours->arena_bytes > BRIG_DSL_ARENA_BYTES) {
        fprintf(out, "  brig's arena of BRIG_DSL_ARENA_BYTES (%zu) was too small; it was given more\n",
                (size_t)BRIG_DSL_ARENA_BYTES);
    }
    if (ours->proof_ms > 0 && bench_is_peer(ours)) {
        fprintf(out, "  brig's own check did not come to an end; Z3 has proven the program equal, in %.0f ms besides\n",
                ours->proof_ms);
    }
    if (ours->parse_us.least > 0) {
        fprintf(out, "  %-86s", "besides, from text to rows");
        print_time(out, &ours->parse_us);
        fputc('\n', out);
    }
}

static void write_noise(const struct bench_comparison *comparison, int mix, char text[32])
{
    if (comparison->again_ns[mix].least > 0) {
        snprintf(text, 32, "%.1f %%", 100 * comparison->noise[mix]);
    } else {
        snprintf(text, 32, "-");
    }
}

// The control: Brig's program beside itself, and how far apart the two were.
static void print_again(FILE *out, const struct bench_comparison *comparison)
{
    const struct bench_time *again = comparison->again_ns;
    char text[BENCH_TEXT_BYTES], noise[BENCH_MIX_COUNT][32];
    if (again[BENCH_MIX_ARGUMENTS].least > 0 || again[BENCH_MIX_DENIED].least > 0) {
        for (int i = 0; i < BENCH_MIX_COUNT; i++) {
            write_noise(comparison, i, noise[i]);
        }
        snprintf(text, sizeof text, "brig's program again; installed side by side the two differ by %s and %s",
                 noise[BENCH_MIX_ARGUMENTS], noise[BENCH_MIX_DENIED]);
        fprintf(out, "  %-104s", text);
        for (int i = 0; i < BENCH_MIX_COUNT; i++) {
            print_time(out, &again[i]);
        }
        fputc('\n', out);
    }
}

void bench_print_comparison(FILE *out, const struct bench_comparison *comparison)
{
    if (comparison->left_out[0] != '\0') {
        return;
    }
    print_heading(out, comparison->subject->name, comparison->subject->kind);
    for (int i = 0; i < BENCH_COMPILER_COUNT; i++) {
        if (comparison->results[i].is_wanted) {
            print_result(out, (enum bench_compiler)i, &comparison->results[i]);
        }
    }
    print_again(out, comparison);
    print_ratios(out, comparison);
    print_notes(out, comparison);
}

void bench_print_left_out(FILE *out, const struct bench_comparison *comparisons, size_t count)
{
    size_t left_out = 0;
    for (size_t i = 0; i < count; i++) {
        left_out += comparisons[i].left_out[0] != '\0';
    }
    if (left_out) {
        fprintf(out, "\nnot measured, and in none of these figures (%zu):\n", left_out);
    }
    for (size_t i = 0; i < count; i++) {
        if (comparisons[i].left_out[0] != '\0') {
            fprintf(out, "  %s\n", comparisons[i].left_out);
        }
    }
}

void bench_print_aims(FILE *out, const struct bench_aims *aims)
{
    fprintf(out, "\n%-96s %9s %9s\n", "all of it; ratios against the better of libseccomp's two programs", "reached", "aim");
    for (size_t i = 0; i < aims->count; i++) {
        const struct bench_aim *aim = &aims->aims[i];
        if (aim->value < 0) {
            fprintf(out, "  %-94s %9s", aim->what, "-");
        } else {
            fprintf(out, "  %-94s %9.3f", aim->what, aim->value);
        }
        if (aim->limit >= 0) {
            fprintf(out, " %9.3f%s", aim->limit, aim->value < 0 ? "  not measured" : aim->value <= aim->limit ? "" : "  missed");
        }
        fputc('\n', out);
    }
}
