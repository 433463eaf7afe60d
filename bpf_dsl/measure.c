// measure: how big a program is, and how long its paths are.
//
// Takes: a valid program. Gives: classic and eBPF sizes, the longest path, what the bitmap answers, the mean path of what it does
// not answer, the eBPF cost of one call. Guarantees: linear in the program, but for the mean, which runs it once per call.
// Weaknesses: eBPF sizes are those of the kernel's conversion without constant blinding (net.core.bpf_jit_harden); the mean knows
// no frequencies. Source: net/core/filter.c:bpf_convert_filter.
#include "bpf_dsl/measure.h"

#include <string.h>

enum { DSL_EBPF_PROLOGUE = 3 }; // A = 0, X = 0, and the context moved to its register

// A jump with a target on either side costs two instructions, one that falls through costs one; JSET cannot be turned round. A
// constant with the high bit set needs a register of its own, since eBPF would extend its sign.
static uint32_t ebpf_size_of_test(const struct sock_filter *insn)
{
    bool falls_through = insn->jf == 0 || (insn->jt == 0 && BPF_OP(insn->code) != BPF_JSET);
    bool wide = BPF_SRC(insn->code) == BPF_K && insn->k > INT32_MAX;
    return 1u + (falls_through ? 0u : 1u) + (wide ? 1u : 0u);
}

static uint32_t ebpf_size(const struct sock_filter *insn)
{
    if (BPF_CLASS(insn->code) == BPF_RET) {
        return BPF_RVAL(insn->code) == BPF_K ? 2 : 1;
    }
    if (BPF_CLASS(insn->code) == BPF_JMP && BPF_OP(insn->code) != BPF_JA) {
        return ebpf_size_of_test(insn);
    }
    return 1;
}

uint32_t dsl_ebpf_size(const struct sock_filter *insns, size_t insn_count)
{
    uint32_t size = DSL_EBPF_PROLOGUE;
    for (size_t at = 0; at < insn_count; at++) {
        size += ebpf_size(&insns[at]);
    }
    return size;
}

// What a test costs in one run. The second of two instructions is a jump to where a test that does not hold goes.
static uint32_t ebpf_cost_of_test(const struct sock_filter *insn, bool is_taken)
{
    uint32_t size = ebpf_size_of_test(insn);
    bool has_second = insn->jf != 0 && (insn->jt != 0 || BPF_OP(insn->code) == BPF_JSET);
    return has_second && is_taken ? size - 1 : size;
}

uint32_t brig_dsl_ebpf_executed(const struct sock_filter *insns, size_t insn_count, const struct brig_dsl_data *data)
{
    unsigned char trace[BPF_MAXINSNS];
    memset(trace, 0, insn_count);
    brig_dsl_interpret(insns, insn_count, data, trace);
    uint32_t executed = DSL_EBPF_PROLOGUE;
    for (size_t at = 0, next; at < insn_count; at = next) {
        const struct sock_filter *insn = &insns[at];
        // Jumps go forward, so what ran next is the next that ran.
        for (next = at + 1; next < insn_count && !trace[next]; next++) {
        }
        bool is_test = BPF_CLASS(insn->code) == BPF_JMP && BPF_OP(insn->code) != BPF_JA;
        executed += is_test ? ebpf_cost_of_test(insn, next != at + 1 + insn->jf) : ebpf_size(insn);
    }
    return executed;
}

// Longest paths from each instruction, from the end. Jumps go forward, so the targets are known.
uint32_t dsl_longest_path(const struct sock_filter *insns, size_t insn_count)
{
    uint16_t longest[BPF_MAXINSNS + 1] = {0};
    for (size_t at = insn_count; at-- > 0;) {
        const struct sock_filter *insn = &insns[at];
        uint16_t rest = 0;
        if (BPF_CLASS(insn->code) == BPF_JMP && BPF_OP(insn->code) == BPF_JA) {
            rest = longest[at + 1 + insn->k];
        } else if (BPF_CLASS(insn->code) == BPF_JMP) {
            uint16_t yes = longest[at + 1 + insn->jt];
            uint16_t no = longest[at + 1 + insn->jf];
            rest = yes > no ? yes : no;
        } else if (BPF_CLASS(insn->code) != BPF_RET) {
            rest = longest[at + 1];
        }
        longest[at] = (uint16_t)(rest + 1);
    }
    return longest[0];
}

static uint32_t count_cached(const struct sock_filter *insns, size_t insn_count, enum brig_dsl_arch arch)
{
    uint32_t count = 0;
    for (uint32_t nr = 0; nr < BRIG_DSL_BITMAP_NUMBERS; nr++) {
        count += brig_dsl_is_cached_allow(insns, insn_count, brig_dsl_arch_audit(arch), nr);
    }
    return count;
}

// Sums over runs that the kernel makes; cached calls make none.
struct sums {
    double executed;
    double ebpf;
    double ran;
    double calls;
};

static void add_call(const struct sock_filter *insns, size_t insn_count, const struct brig_dsl_data *data, double weight,
                     struct sums *sums)
{
    sums->executed += weight * brig_dsl_interpret(insns, insn_count, data, NULL).executed;
    sums->ebpf += weight * brig_dsl_ebpf_executed(insns, insn_count, data);
    sums->ran += weight;
}

static void measure_calls(const struct sock_filter *insns, size_t insn_count, enum brig_dsl_arch arch, struct brig_dsl_stats *stats)
{
    struct sums sums = {0};
    for (int call = BRIG_SYS_NONE + 1; call < BRIG_SYS_COUNT; call++) {
        int32_t nr = brig_dsl_call_nr((enum brig_dsl_call)call, arch);
        struct brig_dsl_data data = {.nr = (uint32_t)nr, .audit_arch = brig_dsl_arch_audit(arch)};
        if (nr >= 0 && !brig_dsl_is_cached_allow(insns, insn_count, data.audit_arch, data.nr)) {
            add_call(insns, insn_count, &data, 1, &sums);
        }
    }
    stats->expected_executed = sums.ran == 0 ? 0 : sums.executed / sums.ran;
    stats->expected_ebpf = sums.ran == 0 ? 0 : sums.ebpf / sums.ran;
}

// Where a recorded call comes from: some code of a 64-bit process.
#define DSL_SOME_CODE 0x7f0000400000u

struct brig_dsl_cost brig_dsl_measure_profile(const struct sock_filter *insns, size_t insn_count, enum brig_dsl_arch arch,
                                              const struct brig_dsl_profile *profile)
{
    struct sums sums = {0};
    for (size_t i = 0; i < profile->sample_count; i++) {
        const struct brig_dsl_sample *sample = &profile->samples[i];
        struct brig_dsl_data data = {.nr = sample->nr, .audit_arch = brig_dsl_arch_audit(arch), .ip = DSL_SOME_CODE};
        memcpy(data.args, sample->args, sizeof data.args);
        sums.calls += (double)sample->count;
        if (!brig_dsl_has_bitmap(data.nr, arch) || !brig_dsl_is_cached_allow(insns, insn_count, data.audit_arch, data.nr)) {
            add_call(insns, insn_count, &data, (double)sample->count, &sums);
        }
    }
    return (struct brig_dsl_cost){.calls = sums.calls,
                                  .cached_share = sums.calls == 0 ? 0 : (sums.calls - sums.ran) / sums.calls,
                                  .expected_executed = sums.ran == 0 ? 0 : sums.executed / sums.ran,
                                  .expected_ebpf = sums.ran == 0 ? 0 : sums.ebpf / sums.ran};
}

struct brig_dsl_stats brig_dsl_measure(const struct sock_filter *insns, size_t insn_count, enum brig_dsl_arch arch)
{
    struct brig_dsl_stats stats = {.insns = (uint32_t)insn_count,
                                   .bytes = (uint32_t)(insn_count * sizeof *insns),
                                   .ebpf_insns = dsl_ebpf_size(insns, insn_count),
                                   .cached_allow = count_cached(insns, insn_count, arch),
                                   .max_executed = dsl_longest_path(insns, insn_count)};
    measure_calls(insns, insn_count, arch, &stats);
    return stats;
}

// One byte after the other, each waiting for the one before; but many are 0, and a byte with those behind it is one product.
static uint64_t hash_insn(uint64_t hash, const struct sock_filter *insn)
{
    const uint64_t prime = 0x100000001b3u;
    const uint64_t square = prime * prime;
    if (insn->code <= 0xff && insn->jt + insn->jf == 0) {
        hash = (hash ^ insn->code) * (square * square);
    } else {
        hash =
            insn->code <= 0xff ? (hash ^ insn->code) * square : (((hash ^ (insn->code & 0xff)) * prime) ^ insn->code >> 8) * prime;
        hash = (((hash ^ insn->jt) * prime) ^ insn->jf) * prime;
    }
    if (insn->k <= 0xff) {
        return (hash ^ insn->k) * (square * square);
    }
    hash = (hash ^ (insn->k & 0xff)) * prime;
    if (insn->k <= 0xffff) {
        return (hash ^ insn->k >> 8) * (square * prime);
    }
    hash = (hash ^ (insn->k >> 8 & 0xff)) * prime;
    hash = (hash ^ (insn->k >> 16 & 0xff)) * prime;
    return (hash ^ insn->k >> 24) * prime;
}

uint64_t brig_dsl_hash(const struct sock_filter *insns, size_t insn_count)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < insn_count; i++) {
        hash = hash_insn(hash, &insns[i]);
    }
    return hash;
}
