// Stacks of programs merged into one: what the kernel makes of what they return, for every pair of actions and for random stacks.
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "bpf_dsl/measure.h"
#include "bpf_dsl/optimize.h"
#include "bpf_dsl/program.h"
#include "tests/bpf_dsl/random_filter.h"
#include "tests/shim/test.h"

enum { CALLS = 300, MOST = 5, LENGTH = 120 };

static struct brig_dsl_arena arena;
static unsigned char *memory;

static enum brig_code merge(const struct brig_dsl_filter *filters, size_t count, struct brig_dsl_optimized *ret_merged,
                            struct brig_error *reterr)
{
    struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT;
    memory = memory == NULL ? malloc(BRIG_DSL_OPTIMIZE_ARENA_BYTES) : memory;
    brig_dsl_arena_init(&arena, memory, BRIG_DSL_OPTIMIZE_ARENA_BYTES);
    return brig_dsl_merge(filters, count, &options, &arena, ret_merged, reterr);
}

// kernel/seccomp.c:seccomp_run_filters, word for word.
static uint32_t run_stack(const struct brig_dsl_filter *filters, size_t count, const struct brig_dsl_data *data)
{
    uint32_t ret = SECCOMP_RET_ALLOW;
    for (size_t i = count; i-- > 0;) {
        uint32_t cur_ret = brig_dsl_interpret(filters[i].insns, filters[i].insn_count, data, NULL).ret;
        if ((int32_t)(cur_ret & SECCOMP_RET_ACTION_FULL) < (int32_t)(ret & SECCOMP_RET_ACTION_FULL)) {
            ret = cur_ret;
        }
    }
    return ret;
}

TEST(merge_programs, every_pair_of_actions)
{
    static const uint32_t actions[] = {
        SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP,  SECCOMP_RET_ERRNO, SECCOMP_RET_USER_NOTIF,
        SECCOMP_RET_TRACE,        SECCOMP_RET_LOG,         SECCOMP_RET_ALLOW, 0x12340000,        0xffff0000};
    for (size_t i = 0; i < COUNT_OF(actions); i++) {
        for (size_t j = 0; j < COUNT_OF(actions); j++) {
            // The lower one decides about number 7 only, the upper one about everything else.
            struct sock_filter first[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 0},
                                          {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 7},
                                          {BPF_RET | BPF_K, 0, 0, actions[i] | 1},
                                          {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
            struct sock_filter last[] = {{BPF_RET | BPF_K, 0, 0, actions[j] | 2}};
            const struct brig_dsl_filter filters[] = {{first, COUNT_OF(first)}, {last, COUNT_OF(last)}};
            struct brig_dsl_optimized merged = {.insns = NULL};
            struct brig_error error;
            test_message("first %08x, last %08x", actions[i], actions[j]);
            REQUIRE(merge(filters, 2, &merged, &error) == BRIG_OK);
            CHECK(merged.is_checked);
            CHECK(!merged.is_input);
            for (uint32_t nr = 6; nr <= 7; nr++) {
                struct brig_dsl_data data = {.nr = nr, .audit_arch = AUDIT_ARCH_X86_64};
                CHECK_EQ(brig_dsl_interpret(merged.insns, merged.insn_count, &data, NULL).ret, run_stack(filters, 2, &data));
            }
        }
    }
}

TEST(merge_programs, random_stacks_return_what_the_kernel_makes_of_them)
{
    static struct sock_filter insns[MOST][LENGTH];
    uint32_t merged_count = 0;
    uint32_t checked = 0;
    for (uint64_t seed = 1; seed <= 250; seed++) {
        struct random random = random_of_seed(seed);
        struct brig_dsl_filter filters[MOST];
        size_t count = 2 + random_below(&random, MOST - 1);
        struct brig_dsl_optimized merged = {.insns = NULL};
        struct brig_error error = {.code = BRIG_OK};
        for (size_t i = 0; i < count; i++) {
            filters[i].insns = insns[i];
            filters[i].insn_count = random_filter(&random, insns[i], 16 + random_below(&random, 20));
        }
        test_message("seed %llu", (unsigned long long)seed);
        enum brig_code code = merge(filters, count, &merged, &error);
        CHECK(code == BRIG_OK || code == BRIG_PROGRAM_TOO_BIG);
        for (int i = 0; code == BRIG_OK && i < CALLS; i++) {
            const struct brig_dsl_filter *about = &filters[random_below(&random, (uint32_t)count)];
            struct brig_dsl_data data = random_filter_call(&random, about->insns, (uint32_t)about->insn_count);
            CHECK_EQ(brig_dsl_interpret(merged.insns, merged.insn_count, &data, NULL).ret, run_stack(filters, count, &data));
        }
        merged_count += code == BRIG_OK;
        checked += code == BRIG_OK && merged.is_checked;
    }
    test_message("%u merged, %u checked", merged_count, checked);
    CHECK_GT(merged_count, 200);
    CHECK_GT(checked, 160);
}

static bool has_allow_with_data(const struct sock_filter *insns, uint32_t count)
{
    for (uint32_t at = 0; at < count; at++) {
        if (insns[at].code == (BPF_RET | BPF_K) && (insns[at].k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ALLOW &&
            (insns[at].k & SECCOMP_RET_DATA) != 0) {
            return true;
        }
    }
    return false;
}

// A program that allows everything adds nothing, wherever it stands, and neither does the same program again.
TEST(merge_programs, what_adds_nothing_makes_nothing_bigger)
{
    static const struct sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
    static struct sock_filter insns[LENGTH];
    uint32_t count = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct random random = random_of_seed(seed);
        struct brig_dsl_optimized best = {.insns = NULL};
        struct brig_error error;
        const struct brig_dsl_filter one = {insns, random_filter(&random, insns, 16 + random_below(&random, 60))};
        test_message("seed %llu", (unsigned long long)seed);
        REQUIRE(merge(&one, 1, &best, &error) == BRIG_OK);
        memcpy(insns, best.insns, best.insn_count * sizeof *insns);
        if (has_allow_with_data(insns, best.insn_count)) {
            continue; // which comes out without
        }
        const struct brig_dsl_filter self = {insns, best.insn_count}, nothing = {allow, 1};
        const struct brig_dsl_filter stacks[][2] = {{self, nothing}, {nothing, self}, {self, self}};
        for (size_t i = 0; i < COUNT_OF(stacks); i++) {
            struct brig_dsl_optimized merged = {.insns = NULL};
            enum brig_code code = merge(stacks[i], 2, &merged, &error);
            CHECK(code == BRIG_OK || code == BRIG_BAD_ARGUMENT);
            if (code != BRIG_OK || !merged.is_checked) {
                continue;
            }
            CHECK(merged.insn_count <= best.insn_count ||
                  dsl_ebpf_size(merged.insns, merged.insn_count) < dsl_ebpf_size(insns, best.insn_count));
            count++;
        }
    }
    test_message("%u merged and checked", count);
    CHECK_GT(count, 500u);
}

// Programs that return what they compute, the action included.
TEST(merge_programs, computed_values)
{
    static const char *const texts[] = {
        "ld args[0].lo\n and #0xffff\n or #0x50000\n ret a\n",                                  // an errno
        "ld args[0].lo\n and #0xffff\n add #0x7ff00000\n ret a\n",                              // TRACE
        "ld args[0].lo\n tax\n ld args[1].lo\n xor x\n and #0xffff\n or #0x7fff0000\n ret a\n", // ALLOW, with data
        "ld args[1].lo\n ret a\n",
        "ld args[1].lo\n lsh #16\n ret a\n",
        "ld args[2].lo\n tax\n ld args[0].lo\n xor x\n ret a\n",
        "ld args[2].lo\n jeq #7, some\n ret ALLOW\nsome: ld args[1].lo\n tax\n ld args[0].lo\n add x\n ret a\n",
        "ldx #0\n ld args[0].lo\n jeq #3, end\n tax\n ld #0x50000\n div x\nend: ret a\n",
        "ld args[0].lo\n jeq #1, kill\n ret ALLOW\nkill: ret KILL_PROCESS\n",
        "ld args[2].lo\n jgt #9, no\n ret TRACE(4)\nno: ret ERRNO(4)\n",
    };
    static struct sock_filter insns[COUNT_OF(texts)][LENGTH];
    struct brig_dsl_filter all[COUNT_OF(texts)];
    uint32_t merged_count = 0;
    uint32_t checked = 0;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct sock_filter room[BPF_MAXINSNS];
        all[i].insns = insns[i];
        REQUIRE(brig_dsl_assemble((struct brig_dsl_text){texts[i], strlen(texts[i])}, BRIG_DSL_X86_64, room, &all[i].insn_count,
                                  NULL) == BRIG_OK);
        memcpy(insns[i], room, all[i].insn_count * sizeof *room);
    }
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct random random = random_of_seed(seed);
        struct brig_dsl_filter filters[3];
        struct brig_dsl_optimized merged = {.insns = NULL};
        struct brig_error error = {.code = BRIG_OK};
        size_t count = 2 + random_below(&random, 2);
        for (size_t i = 0; i < count; i++) {
            filters[i] = all[random_below(&random, COUNT_OF(texts))];
        }
        test_message("seed %llu", (unsigned long long)seed);
        enum brig_code code = merge(filters, count, &merged, &error);
        CHECK(code == BRIG_OK || code == BRIG_BAD_ARGUMENT);
        for (int i = 0; code == BRIG_OK && i < CALLS; i++) {
            const struct brig_dsl_filter *about = &filters[random_below(&random, (uint32_t)count)];
            struct brig_dsl_data data = random_filter_call(&random, about->insns, (uint32_t)about->insn_count);
            for (int j = 0; j < 3 && i % 2 == 0; j++) {
                static const uint32_t values[] = {0, 1, 3, 7, 0x50001, 0x7ff00003, 0x7fff0000, 0x7fff0005, 0x80000000, 0x80000001};
                data.args[j] = values[random_below(&random, COUNT_OF(values))];
            }
            CHECK_EQ(brig_dsl_interpret(merged.insns, merged.insn_count, &data, NULL).ret, run_stack(filters, count, &data));
        }
        merged_count += code == BRIG_OK;
        checked += code == BRIG_OK && merged.is_checked;
    }
    test_message("%u merged, %u checked", merged_count, checked);
    CHECK_GT(merged_count, 280);
    CHECK_GT(checked, 120);
}

TEST(merge_programs, what_all_allow_stays_in_the_bitmap)
{
    // Numbers 1 and 2, and 2 and 3, in the two ways in which programs are mostly written.
    static const struct sock_filter first[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 0},
                                               {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1},
                                               {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 2},
                                               {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
                                               {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | 1}};
    static const struct sock_filter last[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 0},
                                              {BPF_JMP | BPF_JGE | BPF_K, 0, 2, 2},
                                              {BPF_JMP | BPF_JGT | BPF_K, 1, 0, 3},
                                              {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
                                              {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS}};
    const struct brig_dsl_filter filters[] = {{first, COUNT_OF(first)}, {last, COUNT_OF(last)}};
    struct brig_dsl_optimized merged = {.insns = NULL};
    struct brig_error error;
    REQUIRE(merge(filters, 2, &merged, &error) == BRIG_OK);
    for (uint32_t nr = 0; nr < 6; nr++) {
        test_message("number %u", nr);
        CHECK_EQ(brig_dsl_is_cached_allow(merged.insns, merged.insn_count, AUDIT_ARCH_X86_64, nr), nr == 2);
    }
}

// However little memory there is, it is enough or is said not to be.
TEST(merge_programs, any_arena)
{
    enum { STEP = 4999 };
    static struct sock_filter insns[2][LENGTH];
    struct random random = random_of_seed(7);
    struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT;
    struct brig_dsl_filter filters[2];
    uint32_t merged = 0, refused = 0;
    for (size_t i = 0; i < COUNT_OF(filters); i++) {
        filters[i] = (struct brig_dsl_filter){insns[i], random_filter(&random, insns[i], 20)};
    }
    memory = memory == NULL ? malloc(BRIG_DSL_OPTIMIZE_ARENA_BYTES) : memory;
    for (size_t bytes = 0; bytes <= (4 << 20); bytes += STEP) {
        struct brig_dsl_optimized result;
        struct brig_error error;
        brig_dsl_arena_init(&arena, memory, bytes);
        enum brig_code code = brig_dsl_merge(filters, COUNT_OF(filters), &options, &arena, &result, &error);
        test_message("%zu bytes: %s", bytes, brig_code_name(code));
        CHECK(code == (arena.exhausted ? BRIG_OUT_OF_ARENA : BRIG_OK));
        merged += code == BRIG_OK;
        refused += code == BRIG_OUT_OF_ARENA;
    }
    test_message("%u merged, %u refused", merged, refused);
    CHECK_GT(merged, 0u);
    CHECK_GT(refused, 0u);
}

TEST(merge_programs, refusals)
{
    static const struct sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
    static const struct sock_filter computed[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 16}, {BPF_RET | BPF_A, 0, 0, 0}};
    static const struct sock_filter divided[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 24},
                                                 {BPF_MISC | BPF_TAX, 0, 0, 0},
                                                 {BPF_LD | BPF_W | BPF_ABS, 0, 0, 16},
                                                 {BPF_ALU | BPF_DIV | BPF_X, 0, 0, 0},
                                                 {BPF_RET | BPF_A, 0, 0, 0}};
    static const struct sock_filter bad[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 0}};
    static struct brig_dsl_filter many[65];
    const struct brig_dsl_filter with_computed[] = {{computed, 2}, {allow, 1}, {divided, 5}};
    const struct brig_dsl_filter with_bad[] = {{allow, 1}, {bad, 1}};
    const struct {
        const char *what;
        const struct brig_dsl_filter *filters;
        size_t count;
        enum brig_code code;
        int64_t detail;
    } rows[] = {
        {"none", with_bad, 0, BRIG_BAD_ARGUMENT, 0},
        {"too many", many, COUNT_OF(many), BRIG_BAD_ARGUMENT, COUNT_OF(many)},
        {"an action that is computed by dividing", with_computed, 3, BRIG_BAD_ARGUMENT, 2},
        {"a program that the kernel would refuse", with_bad, 2, BRIG_BAD_PROGRAM, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct brig_dsl_optimized merged = {.insns = NULL};
        struct brig_error error = {.code = BRIG_OK};
        test_message("%s", rows[i].what);
        CHECK_EQ(merge(rows[i].filters, rows[i].count, &merged, &error), rows[i].code);
        CHECK_EQ(error.code, rows[i].code);
        CHECK_EQ(error.detail, rows[i].detail);
        CHECK(merged.insns == NULL);
    }
}
