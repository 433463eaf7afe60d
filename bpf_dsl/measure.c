// measure: how big a program is, and how long its paths are.
//
// Takes: a valid program. Gives: classic and eBPF sizes, the longest path, what the bitmap answers, the mean path of what it does
// not answer. Guarantees: linear in the program, but for the mean, which runs it once per call. Weaknesses: eBPF sizes are those of
// the kernel's conversion without constant blinding (net.core.bpf_jit_harden); the mean knows no frequencies. Source:
// net/core/filter.c:bpf_convert_filter.
#include "bpf_dsl/program.h"

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

// Longest paths from each instruction, from the end. Jumps go forward, so the targets are known.
static uint32_t longest_path(const struct sock_filter *insns, size_t insn_count)
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

static void measure_calls(const struct sock_filter *insns, size_t insn_count, enum brig_dsl_arch arch, struct brig_dsl_stats *stats)
{
    uint64_t executed = 0;
    uint32_t ran = 0;
    for (int call = BRIG_SYS_NONE + 1; call < BRIG_SYS_COUNT; call++) {
        int32_t nr = brig_dsl_call_nr((enum brig_dsl_call)call, arch);
        struct brig_dsl_data data = {.nr = (uint32_t)nr, .audit_arch = brig_dsl_arch_audit(arch)};
        if (nr < 0) {
            continue;
        }
        if (brig_dsl_is_cached_allow(insns, insn_count, data.audit_arch, data.nr)) {
            stats->cached_allow++;
        } else {
            executed += brig_dsl_interpret(insns, insn_count, &data, NULL).executed;
            ran++;
        }
    }
    stats->expected_executed = ran == 0 ? 0 : (double)executed / ran;
}

struct brig_dsl_stats brig_dsl_measure(const struct sock_filter *insns, size_t insn_count, enum brig_dsl_arch arch)
{
    struct brig_dsl_stats stats = {.insns = (uint32_t)insn_count,
                                   .bytes = (uint32_t)(insn_count * sizeof *insns),
                                   .ebpf_insns = DSL_EBPF_PROLOGUE,
                                   .max_executed = longest_path(insns, insn_count)};
    for (size_t at = 0; at < insn_count; at++) {
        stats.ebpf_insns += ebpf_size(&insns[at]);
    }
    measure_calls(insns, insn_count, arch, &stats);
    return stats;
}
