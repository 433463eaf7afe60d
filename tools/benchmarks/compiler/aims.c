// aims: what all comparisons of a run come to, beside what they should.
//
// Takes: comparisons. Gives: lines with a value and a limit. Ratios are Brig's figure over the better one of libseccomp's two (for
// raw programs: over the program's own), and means of ratios are geometric. Costs are those under the profile where it has calls
// for them. Weakness: libseccomp is one compiler; that Brig is ahead of it says nothing of others.
#include <math.h>
#include <string.h>

#include "tools/benchmarks/compiler/compiler.h"

static void add_aim(struct bench_aims *aims, const char *what, double value, double limit)
{
    if (aims->count < BENCH_AIMS_MAX) {
        struct bench_aim *aim = &aims->aims[aims->count++];
        snprintf(aim->what, sizeof aim->what, "%s", what);
        bench_make_printable(aim->what); // a name may have been cut
        aim->value = value;
        aim->limit = limit;
    }
}

// Below this nothing is said to be slower: a jump over nothing in front of a program, one instruction more, was seen to make all
// its calls faster by 1.8 %, and those of other programs slower. Which of two programs is luckier says nothing about their
// compilers.
#define NOISE_MIN 0.02

// --- figures by name --------------------------------------------------------------------------------------------------

static double size(const struct bench_result *result)
{
    return result->figures.ebpf_insns;
}

static double arguments_cost(const struct bench_result *result)
{
    const struct bench_figures *figures = &result->figures;
    return figures->recorded_arguments.count > 0 ? figures->recorded_arguments.cost : figures->arguments.cost;
}

static double denied_cost(const struct bench_result *result)
{
    const struct bench_figures *figures = &result->figures;
    return figures->recorded_denied.count > 0 ? figures->recorded_denied.cost : figures->denied.cost;
}

static double recorded_cost(const struct bench_result *result)
{
    return result->figures.recorded.cost;
}

static double compile_time(const struct bench_result *result)
{
    return result->compile_us.least;
}

double bench_ratio(const struct bench_comparison *comparison, bench_figure *get)
{
    double best = 0;
    for (int i = 0; i < BENCH_COMPILER_COUNT; i++) {
        const struct bench_result *result = &comparison->results[i];
        const double value = i != BENCH_BRIG && bench_is_peer(result) ? get(result) : 0;
        best = value > 0 && (best <= 0 || value < best) ? value : best;
    }
    const struct bench_result *ours = &comparison->results[BENCH_BRIG];
    return best > 0 && bench_is_peer(ours) ? get(ours) / best : 0;
}

// --- over all comparisons ---------------------------------------------------------------------------------------------

struct summary {
    double mean; // geometric
    double worst;
    const char *worst_name;
    size_t count;
};

static struct summary summarize(const struct bench_comparison *comparisons, size_t count, bool is_raw, bench_figure *get)
{
    struct summary summary = {.worst_name = ""};
    double logarithms = 0;
    for (size_t i = 0; i < count; i++) {
        const double ratio = bench_ratio(&comparisons[i], get);
        if (ratio <= 0 || comparisons[i].subject->is_raw != is_raw) {
            continue;
        }
        logarithms += log(ratio);
        summary.count++;
        if (ratio > summary.worst) {
            summary.worst = ratio;
            summary.worst_name = comparisons[i].subject->name;
        }
    }
    summary.mean = summary.count ? exp(logarithms / (double)summary.count) : 0;
    return summary;
}

static void add_mean(struct bench_aims *aims, const char *what, const struct summary *summary, double limit)
{
    char text[BENCH_TEXT_BYTES];
    if (summary->count) {
        snprintf(text, sizeof text, "%s, mean of %zu", what, summary->count);
        add_aim(aims, text, summary->mean, limit);
    }
}

static void add_worst(struct bench_aims *aims, const char *what, const struct summary *summary, double limit)
{
    char text[BENCH_TEXT_BYTES];
    if (summary->count) {
        snprintf(text, sizeof text, "%s, worst (%.*s)", what, BENCH_SHOWN_CHARACTERS, summary->worst_name);
        add_aim(aims, text, summary->worst, limit);
    }
}

// --- aims of their own ------------------------------------------------------------------------------------------------

static const struct bench_comparison *find(const struct bench_comparison *comparisons, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(comparisons[i].subject->name, name) == 0 && bench_is_peer(&comparisons[i].results[BENCH_BRIG])) {
            return &comparisons[i];
        }
    }
    return NULL;
}

static void add_container(struct bench_aims *aims, double ours, double theirs)
{
    char text[BENCH_TEXT_BYTES];
    if (theirs > 0) {
        snprintf(text, sizeof text, "container: compile time over libseccomp's default level, 1/%.1f", theirs / ours);
        add_aim(aims, text, ours / theirs, 1.0 / 15);
    }
}

static void add_synthetic(struct bench_aims *aims, const struct bench_comparison *comparisons, size_t count)
{
    const struct bench_comparison *container = find(comparisons, count, bench_container_name);
    const struct bench_comparison *values = find(comparisons, count, bench_values_name);
    const struct bench_comparison *dense = find(comparisons, count, bench_dense_name);
    if (container && compile_time(&container->results[BENCH_BRIG]) > 0) {
        add_container(aims, compile_time(&container->results[BENCH_BRIG]), compile_time(&container->results[BENCH_LIBSECCOMP_1]));
    }
    if (values) {
        add_aim(aims, "1000 values: compile time in ms", compile_time(&values->results[BENCH_BRIG]) / 1e3, 1);
    }
    if (dense) {
        add_aim(aims, "dense: compile time in ms", compile_time(&dense->results[BENCH_BRIG]) / 1e3, 5);
        add_aim(aims, "dense: instructions", dense->results[BENCH_BRIG].figures.insns, BPF_MAXINSNS);
    }
}

// Whether calls take longer than under another program: in all blocks, and in the middle one by more than Brig's program differs by
// from itself. Of programs that are equally fast one in 512 would pass the first of these by chance alone.
static bool has_slower_calls(const struct bench_comparison *comparison)
{
    for (int i = 0; i < BENCH_COMPILER_COUNT; i++) {
        const struct bench_result *theirs = &comparison->results[i];
        for (int mix = 0; i != BENCH_BRIG && bench_is_peer(theirs) && mix < BENCH_MIX_COUNT; mix++) {
            const struct bench_calls *calls = &theirs->calls[mix];
            if (calls->relative > 0 && calls->relative_most < 1 &&
                1 / calls->relative > 1 + fmax(comparison->noise[mix], NOISE_MIN)) {
                return true;
            }
        }
    }
    return false;
}

static bool has_measured_calls(const struct bench_comparison *comparisons, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (int mix = 0; mix < BENCH_MIX_COUNT; mix++) {
            if (comparisons[i].again_ns[mix].least > 0) {
                return true;
            }
        }
    }
    return false;
}

static bool loses_cached_calls(const struct bench_comparison *comparison)
{
    const struct bench_result *results = comparison->results;
    for (int i = 0; i < BENCH_COMPILER_COUNT; i++) {
        if (bench_is_peer(&results[BENCH_BRIG]) && bench_is_peer(&results[i]) &&
            results[i].figures.cached > results[BENCH_BRIG].figures.cached) {
            return true;
        }
    }
    return false;
}

static bool is_only_theirs(const struct bench_comparison *comparison)
{
    const struct bench_result *results = comparison->results;
    return !bench_is_peer(&results[BENCH_BRIG]) &&
           (bench_is_peer(&results[BENCH_LIBSECCOMP_1]) || bench_is_peer(&results[BENCH_LIBSECCOMP_2]));
}

// How many policies have a fault that none should have, and the first of them.
static void add_count(struct bench_aims *aims, const char *what, bool (*has_fault)(const struct bench_comparison *comparison),
                      const struct bench_comparison *comparisons, size_t count)
{
    char text[BENCH_TEXT_BYTES];
    const char *first = NULL;
    double found = 0;
    for (size_t i = 0; i < count; i++) {
        if (has_fault(&comparisons[i])) {
            found++;
            first = first ? first : comparisons[i].subject->name;
        }
    }
    snprintf(text, sizeof text, "%s%s%.*s%s", what, first ? " (" : "", BENCH_SHOWN_CHARACTERS, first ? first : "",
             first ? ")" : "");
    add_aim(aims, text, found, 0);
}

// --- entry ------------------------------------------------------------------------------------------------------------

void bench_aims_make(const struct bench_comparison *comparisons, size_t count, struct bench_aims *ret_aims)
{
    static const struct {
        const char *what;
        bench_figure *get;
        double mean_limit, worst_limit;
    } rows[] = {
        {"size over the smaller program of libseccomp", size, 0.75, BENCH_NO_LIMIT},
        {"cost of calls decided by arguments", arguments_cost, 0.85, BENCH_NO_LIMIT},
        {"cost of calls denied outright", denied_cost, BENCH_NO_LIMIT, 1.15},
        {"cost of recorded calls", recorded_cost, BENCH_NO_LIMIT, BENCH_NO_LIMIT},
        {"compile time over the faster level of libseccomp", compile_time, BENCH_NO_LIMIT, 1},
    };
    ret_aims->count = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct summary summary = summarize(comparisons, count, false, rows[i].get);
        add_mean(ret_aims, rows[i].what, &summary, rows[i].mean_limit);
        add_worst(ret_aims, rows[i].what, &summary, rows[i].worst_limit);
    }
    const struct summary raw_size = summarize(comparisons, count, true, size);
    const struct summary raw_cost = summarize(comparisons, count, true, recorded_cost);
    add_mean(ret_aims, "raw programs: size over what it was", &raw_size, 0.6);
    add_worst(ret_aims, "raw programs: size over what it was", &raw_size, 1);
    add_mean(ret_aims, "raw programs: cost of recorded calls over what it was", &raw_cost, BENCH_NO_LIMIT);
    add_synthetic(ret_aims, comparisons, count);
    static const char slower[] = "policies whose calls take longer than another's, beyond noise";
    if (has_measured_calls(comparisons, count)) {
        add_count(ret_aims, slower, has_slower_calls, comparisons, count);
    } else {
        add_aim(ret_aims, slower, BENCH_NOT_MEASURED, 0);
    }
    add_count(ret_aims, "policies that libseccomp has a program of, and Brig has not", is_only_theirs, comparisons, count);
    add_count(ret_aims, "policies where another's bitmap answers more", loses_cached_calls, comparisons, count);
}
