// inputs: what the programs of one policy are run with, so that their costs can be compared.
//
// Takes: the plainest program of a policy, its rules, and perhaps recorded calls. Gives: for each number who decides it, and for
// those that arguments decide two lots of BENCH_INPUTS_PER_CALL inputs. An argument is a constant (5 of 8), the successor of one,
// zero, or noise of 16 bits (1 of 8 each); upper halves are zero, as nearly all are in real calls. In the second lot the constants
// are those that the reference compares arguments of this number with: most inputs are near what the policy names. In the first lot
// the numbers of all calls that the policy names are among them (of a raw program: what it compares numbers with on the way), small
// values that mostly mean nothing as an argument: most inputs are like what no rule names, and of a mask's zero bits they have
// many.
//
// Guarantees: the same inputs for the same policy, whatever program is run with them. Weaknesses: arguments are drawn apart from
// each other, so a conjunction of several is met less often than in real life.
#include <stdlib.h>
#include <string.h>

#include "tools/benchmarks/compiler/compiler.h"

enum {
    CONSTANTS_MAX = 4096,
    IDLE_RUNS_MAX = 300, // of looking for constants, without finding one
    FIRST_ARGUMENT = 16, // byte in struct seccomp_data
    POINTER = 0x1000,    // any instruction pointer
    X32_BIT = 0x40000000,
};

uint64_t bench_random_next(struct bench_random *random) // splitmix64
{
    uint64_t mixed = random->state += 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return mixed ^ mixed >> 31;
}

static struct brig_dsl_data data_of(uint32_t nr)
{
    return (struct brig_dsl_data){.nr = nr, .audit_arch = brig_dsl_arch_audit(brig_dsl_arch_native()), .ip = POINTER};
}

// --- constants --------------------------------------------------------------------------------------------------------

struct constants {
    uint32_t values[CONSTANTS_MAX];
    size_t count;
};

static bool add_constant(struct constants *constants, uint32_t value)
{
    for (size_t i = 0; i < constants->count; i++) {
        if (constants->values[i] == value) {
            return false;
        }
    }
    if (constants->count == CONSTANTS_MAX) {
        return false;
    }
    constants->values[constants->count++] = value;
    return true;
}

// What the two lots are drawn from.
struct pools {
    struct constants any;
    struct constants named;
};

static bool is_load_of_argument(const struct sock_filter *insn)
{
    return BPF_CLASS(insn->code) == BPF_LD && BPF_MODE(insn->code) == BPF_ABS && insn->k >= FIRST_ARGUMENT;
}

// Adds what one run for `nr` compared anything with. Returns: whether anything was new.
static bool add_constants_of_run(struct pools *pools, const struct bench_code *code, const unsigned char *trace, uint32_t nr)
{
    bool is_argument = false, is_news = false;
    for (size_t at = 0; at < code->count; at++) {
        const struct sock_filter *insn = &code->insns[at];
        if (!trace[at]) {
            continue;
        }
        if (BPF_CLASS(insn->code) == BPF_LD) {
            is_argument = is_load_of_argument(insn) || BPF_MODE(insn->code) == BPF_MEM;
        } else if (BPF_CLASS(insn->code) == BPF_JMP && BPF_OP(insn->code) != BPF_JA && BPF_SRC(insn->code) == BPF_K) {
            is_news |= is_argument && add_constant(&pools->named, insn->k);
            if (insn->k != nr && insn->k != X32_BIT && insn->k != brig_dsl_arch_audit(brig_dsl_arch_native())) {
                is_news |= add_constant(&pools->any, insn->k);
            }
        }
    }
    return is_news;
}

static void add_numbers(struct constants *constants, const struct brig_dsl_rules *rules, uint32_t nr)
{
    for (uint32_t other = 0; other < BRIG_DSL_BITMAP_NUMBERS; other++) {
        const enum brig_dsl_call call = brig_dsl_call_by_nr(other, rules->arch);
        if (other != nr && call != BRIG_SYS_NONE && brig_dsl_rules_of(rules, call)->rule_count > 0) {
            add_constant(constants, other);
        }
    }
}

// A constant of any of the program's tests, or of its neighbourhood: something that may lead to tests not seen yet.
static uint32_t guess(const struct bench_code *code, struct bench_random *random)
{
    const uint64_t bits = bench_random_next(random);
    const uint32_t k = code->insns[(bits >> 32) % code->count].k;
    switch (bits % 8) {
    case 0:
        return k + 1;
    case 1:
        return ~k;
    case 2:
        return k | 1u << (bits >> 8) % 32;
    default:
        return k;
    }
}

static void find_constants(const struct bench_code *code, uint32_t nr, struct pools *pools)
{
    static unsigned char trace[BPF_MAXINSNS];
    struct bench_random random = {nr};
    pools->any.count = pools->named.count = 0;
    for (int idle = 0; idle < IDLE_RUNS_MAX; idle++) {
        struct brig_dsl_data data = data_of(nr);
        for (int i = 0; i < 6; i++) {
            const uint64_t bits = bench_random_next(&random);
            if (pools->named.count > 0 && bits % 2) {
                data.args[i] = pools->named.values[(bits >> 8) % pools->named.count];
            } else if (bits % 16 == 0) {
                data.args[i] = guess(code, &random);
            }
        }
        memset(trace, 0, code->count);
        brig_dsl_interpret(code->insns, code->count, &data, trace);
        if (add_constants_of_run(pools, code, trace, nr)) {
            idle = 0;
        }
    }
}

// --- inputs -----------------------------------------------------------------------------------------------------------

static uint64_t draw(const struct constants *constants, struct bench_random *random)
{
    const uint64_t bits = bench_random_next(random);
    const uint32_t constant = constants->count ? constants->values[(bits >> 16) % constants->count] : 0;
    switch (bits % 8) {
    case 0:
        return constant + 1u;
    case 1:
        return bits >> 48;
    case 2:
        return 0;
    default:
        return constant;
    }
}

static enum bench_decider decider_of(const struct bench_code *code, uint32_t nr)
{
    static unsigned char trace[BPF_MAXINSNS];
    const struct brig_dsl_data data = data_of(nr);
    if (brig_dsl_is_cached_allow(code->insns, code->count, data.audit_arch, nr)) {
        return BENCH_BY_BITMAP;
    }
    memset(trace, 0, code->count);
    brig_dsl_interpret(code->insns, code->count, &data, trace);
    // Up to the first load of something else, arch and number alone have led the way: one run shows it for all.
    for (size_t at = 0; at < code->count; at++) {
        const uint16_t mode = BPF_MODE(code->insns[at].code);
        if (trace[at] && BPF_CLASS(code->insns[at].code) == BPF_LD && mode == BPF_ABS && code->insns[at].k > 4) {
            return BENCH_BY_ARGUMENTS;
        }
    }
    return BENCH_BY_NUMBER;
}

static void draw_inputs(const struct constants *constants, uint32_t nr, struct brig_dsl_data *ret_inputs)
{
    struct bench_random random = {~(uint64_t)nr};
    for (size_t i = 0; i < BENCH_INPUTS_PER_CALL; i++) {
        ret_inputs[i] = data_of(nr);
        for (int j = 0; j < 6; j++) {
            ret_inputs[i].args[j] = draw(constants, &random);
        }
    }
}

static bool make_call(const struct bench_source *source, uint32_t nr, struct bench_call *ret_call)
{
    static struct pools pools;
    *ret_call = (struct bench_call){.nr = nr, .decider = decider_of(source->reference, nr), .input_count = 1};
    if (ret_call->decider == BENCH_BY_ARGUMENTS) {
        ret_call->input_count = (size_t)2 * BENCH_INPUTS_PER_CALL;
    }
    ret_call->inputs = calloc(ret_call->input_count, sizeof *ret_call->inputs);
    if (!ret_call->inputs) {
        return false;
    }
    ret_call->inputs[0] = data_of(nr);
    if (ret_call->decider == BENCH_BY_ARGUMENTS) {
        find_constants(source->reference, nr, &pools);
        if (source->rules) {
            add_numbers(&pools.any, source->rules, nr);
        }
        draw_inputs(&pools.any, nr, ret_call->inputs);
        draw_inputs(&pools.named, nr, ret_call->inputs + BENCH_INPUTS_PER_CALL);
    }
    return true;
}

// --- recorded calls ---------------------------------------------------------------------------------------------------

enum { DRAWS_PER_SAMPLE = 16 }; // where not all of a call was recorded

// A recorded call, with what was not recorded of it drawn.
static bool add_sample(struct bench_inputs *inputs, const struct brig_dsl_sample *sample)
{
    const struct bench_call *call = &inputs->calls[sample->nr];
    const bool is_whole = call->decider != BENCH_BY_ARGUMENTS || sample->known == 0x3f;
    const size_t count = is_whole ? 1 : DRAWS_PER_SAMPLE;
    struct bench_recorded *recorded = realloc(inputs->recorded, (inputs->recorded_count + count) * sizeof *recorded);
    if (!recorded) {
        return false;
    }
    inputs->recorded = recorded;
    for (size_t i = 0; i < count; i++) {
        struct bench_recorded *added = &recorded[inputs->recorded_count++];
        *added = (struct bench_recorded){call->inputs[i], call->decider, (double)sample->count / (double)count};
        for (int j = 0; j < 6; j++) {
            if (sample->known >> j & 1) {
                added->data.args[j] = sample->args[j];
            }
        }
    }
    return true;
}

static bool add_profile(struct bench_inputs *inputs, const struct brig_dsl_profile *profile)
{
    for (size_t i = 0; i < profile->sample_count; i++) {
        const struct brig_dsl_sample *sample = &profile->samples[i];
        if (sample->nr >= inputs->call_count) {
            continue;
        }
        if (inputs->calls[sample->nr].decider == BENCH_BY_BITMAP) {
            inputs->cached_weight += (double)sample->count;
        } else if (!add_sample(inputs, sample)) {
            return false;
        }
    }
    return true;
}

// --- entries ----------------------------------------------------------------------------------------------------------

void bench_inputs_free(struct bench_inputs *inputs)
{
    for (size_t i = 0; i < inputs->call_count; i++) {
        free(inputs->calls[i].inputs);
    }
    free(inputs->calls);
    free(inputs->recorded);
    *inputs = (struct bench_inputs){.calls = NULL};
}

bool bench_inputs_make(const struct bench_source *source, struct bench_inputs *ret_inputs)
{
    *ret_inputs = (struct bench_inputs){.calls = calloc(BRIG_DSL_BITMAP_NUMBERS, sizeof *ret_inputs->calls)};
    bool is_done = ret_inputs->calls != NULL;
    for (uint32_t nr = 0; is_done && nr < BRIG_DSL_BITMAP_NUMBERS; nr++) {
        is_done = make_call(source, nr, &ret_inputs->calls[nr]);
        ret_inputs->call_count++;
    }
    is_done = is_done && (!source->profile || add_profile(ret_inputs, source->profile));
    if (!is_done) {
        bench_inputs_free(ret_inputs);
    }
    return is_done;
}
