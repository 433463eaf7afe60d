// The bitmap predictor against a second reading of the kernel's algorithm, on programs of every kind.
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "tests/bpf_dsl/program_fixture.h"
#include "tests/bpf_dsl/random_insns.h"
#include "tests/shim/test.h"

// kernel/seccomp.c:seccomp_is_const_allow once more, from its end: whether the walk that stands before instruction `at` with this
// A ends in ALLOW. Recursive where the other is a loop, and by the parts of an opcode where the other goes by whole ones.
static bool allows_from(const struct sock_filter *insns, uint32_t at, uint32_t a, const uint32_t seen[2])
{
    const struct sock_filter *insn = &insns[at];
    bool is_constant = BPF_SRC(insn->code) == BPF_K;
    bool taken = false;
    switch (BPF_CLASS(insn->code)) {
    case BPF_RET:
        return BPF_RVAL(insn->code) == BPF_K && insn->k == SECCOMP_RET_ALLOW;
    case BPF_LD:
        return BPF_MODE(insn->code) == BPF_ABS && insn->k < 8 && allows_from(insns, at + 1, seen[insn->k / 4], seen);
    case BPF_ALU:
        return is_constant && BPF_OP(insn->code) == BPF_AND && allows_from(insns, at + 1, a & insn->k, seen);
    case BPF_JMP:
        if (!is_constant) {
            return false;
        }
        switch (BPF_OP(insn->code)) {
        case BPF_JA:
            return allows_from(insns, at + 1 + insn->k, a, seen);
        case BPF_JEQ:
            taken = a == insn->k;
            break;
        case BPF_JGT:
            taken = a > insn->k;
            break;
        case BPF_JGE:
            taken = a >= insn->k;
            break;
        default:
            taken = a & insn->k;
            break;
        }
        return allows_from(insns, at + 1 + (taken ? insn->jt : insn->jf), a, seen);
    default:
        return false;
    }
}

static bool predictions_agree(const struct sock_filter *insns, uint32_t count, uint32_t audit_arch)
{
    for (uint32_t nr = 0; nr < 520; nr++) {
        const uint32_t seen[2] = {nr, audit_arch};
        if (!CHECK_EQ(brig_dsl_is_cached_allow(insns, count, audit_arch, nr), allows_from(insns, 0, 0, seen))) {
            return false;
        }
    }
    return true;
}

TEST(bitmap, agrees_on_any_program)
{
    static struct sock_filter insns[16];
    struct random random = {4711};
    for (int i = 0; i < 4000; i++) {
        uint32_t count = 1 + random_below(&random, COUNT_OF(insns));
        random_insns(&random, insns, count);
        for (uint32_t k = 0; k < count; k++) {
            // Small constants meet numbers, and returns that allow are what this is about.
            insns[k].k = BPF_CLASS(insns[k].code) == BPF_JMP && BPF_OP(insns[k].code) != BPF_JA ? insns[k].k % 512 : insns[k].k;
            insns[k].k = insns[k].code == (BPF_RET | BPF_K) ? SECCOMP_RET_ALLOW : insns[k].k;
        }
        if (brig_dsl_validate(insns, count, NULL) == BRIG_OK) {
            test_message("program %d", i);
            REQUIRE(predictions_agree(insns, count, random_below(&random, 512)));
        }
    }
    test_message("%s", "");
}

// What every policy relies on: a call that is allowed whatever its arguments are is answered by the bitmap, in both forms.
TEST(bitmap, holds_every_outright_allow)
{
    for (uint64_t seed = 1; seed < 40; seed++) {
        struct random random;
        struct random_shape shape = random_shape_of(&random, seed);
        const struct compiled *compiled = program_compile(&random, &shape);
        struct brig_dsl_rules rules = compiled->rules;
        // The generator denies everything; here what its policies say of calls without rules is to allow.
        rules.fallback_ret = SECCOMP_RET_ALLOW;
        compiled = program_compile_rules(&rules);
        for (int call = BRIG_SYS_NONE + 1; call < BRIG_SYS_COUNT; call++) {
            int32_t nr = brig_dsl_call_nr((enum brig_dsl_call)call, rules.arch);
            bool is_known = brig_dsl_call_since((enum brig_dsl_call)call) <= rules.kernel;
            for (int form = 0;
                 form < 2 && nr >= 0 && is_known && brig_dsl_rules_of(&rules, (enum brig_dsl_call)call)->rule_count == 0; form++) {
                test_message("seed %llu, %s", (unsigned long long)seed, brig_dsl_call_name((enum brig_dsl_call)call));
                REQUIRE(CHECK(brig_dsl_is_cached_allow(compiled->insns[form], compiled->count[form],
                                                       brig_dsl_arch_audit(rules.arch), (uint32_t)nr)));
            }
        }
    }
    test_message("%s", "");
}
