// bitmap: predicts what the kernel's bitmap of constant allows will hold.
//
// Takes: a valid program, an arch, a number. Gives: whether the kernel answers that number without running the program. Guarantees:
// the same walk as the kernel's, which knows loads of nr and arch, masks, and jumps by constants, and gives up at anything else.
// Weaknesses: says nothing about other filters of the process (a number is cached only if all of them allow it so), nor about
// arches that the kernel keeps no bitmap for (x32). Source: kernel/seccomp.c:seccomp_is_const_allow, Linux 5.11.
#include <linux/seccomp.h>

#include "bpf_dsl/program.h"

static bool holds(uint16_t op, uint32_t a, uint32_t k)
{
    switch (op) {
    case BPF_JEQ:
        return a == k;
    case BPF_JGE:
        return a >= k;
    case BPF_JGT:
        return a > k;
    default:
        return (a & k) != 0;
    }
}

bool brig_dsl_has_bitmap(uint32_t nr, enum brig_dsl_arch arch)
{
    // arm's private calls are beyond every table.
    return nr < BRIG_DSL_BITMAP_NUMBERS || (nr < 0x10000 && brig_dsl_call_by_nr(nr, arch) != BRIG_SYS_NONE);
}

bool brig_dsl_is_cached_allow(const struct sock_filter *insns, size_t insn_count, uint32_t audit_arch, uint32_t nr)
{
    uint32_t a = 0;
    for (size_t at = 0; at < insn_count; at++) {
        const struct sock_filter *insn = &insns[at];
        switch (insn->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            if (insn->k > 4) {
                return false;
            }
            a = insn->k == 0 ? nr : audit_arch;
            break;
        case BPF_RET | BPF_K:
            return insn->k == SECCOMP_RET_ALLOW;
        case BPF_JMP | BPF_JA:
            at += insn->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
        case BPF_JMP | BPF_JGE | BPF_K:
        case BPF_JMP | BPF_JGT | BPF_K:
        case BPF_JMP | BPF_JSET | BPF_K:
            at += holds(BPF_OP(insn->code), a, insn->k) ? insn->jt : insn->jf;
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= insn->k;
            break;
        default:
            return false;
        }
    }
    return false;
}
