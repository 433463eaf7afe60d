// Any bytes as a program: whatever passes validation runs, is measured and listed without harm, as long as its longest path says,
// and is allowed by the bitmap only where it allows. What the check says to equal the sample policy decides as the policy does.
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf_dsl/check.h"
#include "bpf_dsl/program.h"
#include "tests/bpf_dsl/random_calls.h"
#include "tests/bpf_dsl/sample_policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { TUPLES = 64 };

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "program_fuzz: %s\n", what);
        abort();
    }
}

static const struct brig_dsl_rules *sample_rules(void)
{
    static _Alignas(16) unsigned char memory[1 << 18];
    static struct brig_dsl_arena arena;
    static struct brig_dsl_rules rules;
    if (arena.memory == NULL) {
        struct brig_dsl_options options = {.arch = BRIG_DSL_X86_64, .self_pid = 1234, .notify_fd = BRIG_DSL_SLOT_UNSET};
        brig_dsl_arena_init(&arena, memory, sizeof memory);
        must(brig_dsl_resolve(&sample_policy, &options, &arena, &rules, NULL) == BRIG_OK, "a sample that is no policy");
    }
    return &rules;
}

static void count_bytes(void *context, const char *text, size_t text_bytes)
{
    (void)text;
    *(size_t *)context += text_bytes;
}

static void check_runs(const struct sock_filter *insns, size_t count)
{
    struct brig_dsl_stats stats = brig_dsl_measure(insns, count, BRIG_DSL_X86_64);
    struct random random = {count + 1};
    must(stats.insns == count && stats.ebpf_insns > count && stats.max_executed <= count, "a measure that cannot be");
    for (int i = 0; i < TUPLES; i++) {
        struct brig_dsl_data call = random_data(&random, sample_rules());
        struct brig_dsl_run run = brig_dsl_interpret(insns, count, &call, NULL);
        must(run.executed >= 1 && run.executed <= stats.max_executed, "a run longer than the longest path");
        must(!brig_dsl_is_cached_allow(insns, count, call.audit_arch, call.nr) || run.ret == SECCOMP_RET_ALLOW,
             "a number that the bitmap allows and the program does not");
    }
}

// How a check begins.
struct beginning {
    uint32_t patience;
    bool is_chain; // all rules are said to be asked one after the other
};

static void check_check(const struct sock_filter *insns, size_t count, struct beginning beginning)
{
    uint64_t chains[BRIG_DSL_TRAP_NRS / 64];
    memset(chains, beginning.is_chain ? 0xff : 0, sizeof chains);
    static _Alignas(16) unsigned char memory[1 << 21];
    struct brig_dsl_arena arena;
    const struct dsl_target target = {.arch = BRIG_DSL_X86_64, .rules = sample_rules()};
    const struct dsl_check_input input = {.targets = &target,
                                          .target_count = 1,
                                          .insns = insns,
                                          .insn_count = (uint32_t)count,
                                          .steps = DSL_CHECK_STEPS,
                                          .patience = beginning.patience,
                                          .chains = chains};
    uint32_t nr;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    if (dsl_check(&input, &arena, &nr) != DSL_CHECKED_EQUAL) {
        return;
    }
    struct random random = {count};
    for (int i = 0; i < 8 * TUPLES; i++) {
        struct brig_dsl_data call = random_data(&random, sample_rules());
        must(brig_dsl_interpret(insns, count, &call, NULL).ret == brig_dsl_evaluate(sample_rules(), &call, NULL),
             "a program that the check should have refused");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct sock_filter insns[BPF_MAXINSNS + 1];
    size_t count = bytes / sizeof *insns;
    count = count > BPF_MAXINSNS + 1 ? BPF_MAXINSNS + 1 : count;
    memcpy(insns, data, count * sizeof *insns);
    struct brig_error error = {.code = BRIG_OK};
    if (brig_dsl_validate(insns, count, &error) != BRIG_OK) {
        must(error.subject != NULL && error.step != NULL && error.detail >= 0, "a refusal without its facts");
        return 0;
    }
    size_t written = 0;
    brig_dsl_list(insns, count, BRIG_DSL_X86_64, &(struct brig_dsl_sink){count_bytes, &written});
    must(written >= 8 * count, "a listing without lines");
    check_runs(insns, count);
    check_check(insns, count, (struct beginning){.patience = DSL_CHECK_PATIENCE});
    check_check(insns, count, (struct beginning){.patience = 0});
    check_check(insns, count, (struct beginning){.patience = DSL_CHECK_PATIENCE, .is_chain = true});
    return 0;
}
