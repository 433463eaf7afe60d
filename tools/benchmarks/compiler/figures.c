// figures: how big a program is, how long its paths are, and what calls cost under it.
//
// Takes: a valid program and a policy's inputs. Gives: sizes, the longest path, what the bitmap answers, mean costs. Costs are eBPF
// instructions that the kernel runs, prologue included: for the calls that arguments decide, each number counting alike (and under
// a profile, each call as often as it was seen), and for the calls that the number alone refuses. Weakness: an instruction counts
// the same whatever it does; what a processor really takes, hot_calls.c measures.
#include "tools/benchmarks/compiler/compiler.h"

const char *bench_compiler_name(enum bench_compiler compiler)
{
    static const char *const names[] = {"brig", "libseccomp-1", "libseccomp-2", "input"};
    _Static_assert(sizeof names / sizeof names[0] == BENCH_COMPILER_COUNT, "a name for each");
    return names[compiler];
}

static double cost_of(const struct bench_code *code, const struct brig_dsl_data *data)
{
    return brig_dsl_ebpf_executed(code->insns, code->count, data);
}

static double mean_cost(const struct bench_code *code, const struct brig_dsl_data *inputs, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += cost_of(code, &inputs[i]);
    }
    return sum / (double)count;
}

// Until finish(), `cost` is a sum.
static void add(struct bench_mean *mean, double cost, double weight)
{
    mean->cost += cost * weight;
    mean->count += weight;
}

static void finish(struct bench_mean *mean)
{
    mean->cost = mean->count > 0 ? mean->cost / mean->count : 0;
}

struct bench_figures bench_figures_of(const struct bench_code *code, const struct bench_inputs *inputs)
{
    const enum brig_dsl_arch arch = brig_dsl_arch_native();
    const struct brig_dsl_stats stats = brig_dsl_measure(code->insns, code->count, arch);
    struct bench_figures figures = {
        .insns = stats.insns, .ebpf_insns = stats.ebpf_insns, .cached = stats.cached_allow, .longest = stats.max_executed};
    for (size_t i = 0; i < inputs->call_count; i++) {
        const struct bench_call *call = &inputs->calls[i];
        if (call->decider == BENCH_BY_ARGUMENTS) {
            add(&figures.arguments, mean_cost(code, call->inputs, BENCH_INPUTS_PER_CALL), 1);
            add(&figures.named, mean_cost(code, call->inputs + BENCH_INPUTS_PER_CALL, BENCH_INPUTS_PER_CALL), 1);
        } else if (call->decider == BENCH_BY_NUMBER) {
            add(&figures.denied, cost_of(code, call->inputs), 1);
        }
    }
    for (size_t i = 0; i < inputs->recorded_count; i++) {
        const struct bench_recorded *recorded = &inputs->recorded[i];
        const double cost = cost_of(code, &recorded->data);
        const bool is_by_arguments = recorded->decider == BENCH_BY_ARGUMENTS;
        add(is_by_arguments ? &figures.recorded_arguments : &figures.recorded_denied, cost, recorded->weight);
        add(&figures.recorded, cost, recorded->weight);
    }
    finish(&figures.arguments);
    finish(&figures.named);
    finish(&figures.denied);
    finish(&figures.recorded_arguments);
    finish(&figures.recorded_denied);
    finish(&figures.recorded);
    return figures;
}
