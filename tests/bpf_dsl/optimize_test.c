// Programs of any origin, optimised: they return the same, are not bigger, and the bitmap answers what it did.
#include "bpf_dsl/optimize.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "bpf_dsl/measure.h"
#include "bpf_dsl/program.h"
#include "tests/bpf_dsl/kernel_fixture.h"
#include "tests/bpf_dsl/random_filter.h"
#include "tests/bpf_dsl/random_insns.h"
#include "tests/shim/test.h"

enum { CALLS = 400, LENGTH = 64 };

static struct brig_dsl_arena arena;
static unsigned char *memory;

static struct brig_dsl_optimized optimize(const struct sock_filter *insns, uint32_t count)
{
    struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT;
    struct brig_dsl_optimized optimized = {.insns = NULL};
    struct brig_error error = {.code = BRIG_OK};
    memory = memory == NULL ? malloc(BRIG_DSL_OPTIMIZE_ARENA_BYTES) : memory;
    brig_dsl_arena_init(&arena, memory, BRIG_DSL_OPTIMIZE_ARENA_BYTES);
    enum brig_code code = brig_dsl_optimize(&(struct brig_dsl_filter){insns, count}, &options, &arena, &optimized, &error);
    CHECK_EQ(code, BRIG_OK);
    return optimized;
}

static uint32_t run(const struct sock_filter *insns, uint32_t count, const struct brig_dsl_data *data)
{
    return brig_dsl_interpret(insns, count, data, NULL).ret;
}

// Everything that is promised about a result.
static void check_promises(const struct sock_filter *insns, uint32_t count, const struct brig_dsl_optimized *optimized,
                           struct random *random)
{
    CHECK_EQ(brig_dsl_validate(optimized->insns, optimized->insn_count, NULL), BRIG_OK);
    CHECK_LE(optimized->insn_count, count);
    CHECK(optimized->is_checked || !optimized->is_input); // what was only cleaned needs no proof by others
    CHECK_LE(dsl_ebpf_size(optimized->insns, optimized->insn_count), dsl_ebpf_size(insns, count));
    CHECK_LE(dsl_longest_path(optimized->insns, optimized->insn_count), dsl_longest_path(insns, count));
    for (uint32_t nr = 0; nr < 80; nr++) {
        CHECK(!brig_dsl_is_cached_allow(insns, count, AUDIT_ARCH_X86_64, nr) ||
              brig_dsl_is_cached_allow(optimized->insns, optimized->insn_count, AUDIT_ARCH_X86_64, nr));
    }
    for (int i = 0; i < CALLS; i++) {
        struct brig_dsl_data data = random_filter_call(random, insns, count);
        CHECK_EQ(run(optimized->insns, optimized->insn_count, &data), run(insns, count, &data));
    }
}

// Optimises random filters, which may be changed first, and checks each. Returns: how many got better, and were proven.
static void optimize_filters(uint64_t count, void (*change)(struct random *, struct sock_filter *, uint32_t),
                             uint32_t *ret_improved, uint32_t *ret_checked)
{
    static struct sock_filter insns[BPF_MAXINSNS];
    for (uint64_t seed = 1; seed <= count; seed++) {
        struct random random = random_of_seed(seed);
        uint32_t length = random_filter(&random, insns, 16 + random_below(&random, 90));
        if (change != NULL) {
            change(&random, insns, length);
        }
        test_message("seed %llu", (unsigned long long)seed);
        REQUIRE(brig_dsl_validate(insns, length, NULL) == BRIG_OK);
        struct brig_dsl_optimized optimized = optimize(insns, length);
        REQUIRE(optimized.insns != NULL);
        check_promises(insns, length, &optimized, &random);
        *ret_improved += !optimized.is_input;
        *ret_checked += optimized.is_checked;
    }
    test_message("%u improved, %u checked", *ret_improved, *ret_checked);
}

TEST(optimize, filters_return_the_same)
{
    uint32_t improved = 0;
    uint32_t checked = 0;
    optimize_filters(1500, NULL, &improved, &checked);
    CHECK_GT(improved, 1000);
    CHECK_GT(checked, 1100);
}

// Filters of which some leaves compute what they return: nearly all of them come out smaller, and are shown to be right.
TEST(optimize, filters_that_compute_what_they_return)
{
    uint32_t improved = 0;
    uint32_t checked = 0;
    optimize_filters(500, random_return_computed, &improved, &checked);
    CHECK_GT(improved, 350);
    CHECK_GT(checked, 400);
}

// What is computed in one way comes out computed in another one, and the check says that it is the same.
TEST(optimize, expressions_return_the_same)
{
    static struct sock_filter insns[LENGTH];
    uint32_t improved = 0;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct random random = random_of_seed(seed);
        uint32_t count = 3 + random_below(&random, 30);
        random_expression(&random, insns, count);
        test_message("seed %llu", (unsigned long long)seed);
        REQUIRE(brig_dsl_validate(insns, count, NULL) == BRIG_OK);
        struct brig_dsl_optimized optimized = optimize(insns, count);
        REQUIRE(optimized.insns != NULL);
        check_promises(insns, count, &optimized, &random);
        CHECK(optimized.is_checked);
        improved += !optimized.is_input;
    }
    test_message("%u improved", improved);
    CHECK_GT(improved, 2800);
}

// The kernel as a witness: what a program and its better form answer to real calls.
TEST(optimize, the_kernel_gives_the_same_errnos)
{
    enum { PROGRAMS = 12, KERNEL_CALLS = 40 };
    static struct sock_filter insns[LENGTH];
    static struct kernel_call calls[2][KERNEL_CALLS];
    for (uint64_t seed = 1; seed <= PROGRAMS; seed++) {
        struct random random = random_of_seed(seed);
        uint32_t count = 3 + random_below(&random, 30);
        insns[0] = (struct sock_filter){BPF_LD | BPF_W | BPF_ABS, 0, 0, 0};
        insns[1] = (struct sock_filter){BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_exit_group};
        insns[2] = (struct sock_filter){BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
        random_expression(&random, insns + 3, count);
        insns[2 + count] = (struct sock_filter){BPF_ALU | BPF_AND | BPF_K, 0, 0, 0xff};
        insns[3 + count] = (struct sock_filter){BPF_ALU | BPF_OR | BPF_K, 0, 0, SECCOMP_RET_ERRNO | 1};
        insns[4 + count] = (struct sock_filter){BPF_RET | BPF_A, 0, 0, 0};
        struct brig_dsl_optimized optimized = optimize(insns, count + 5);
        REQUIRE(optimized.insns != NULL);
        for (int i = 0; i < KERNEL_CALLS; i++) {
            calls[0][i] = (struct kernel_call){.nr = SYS_getppid};
            for (int at = 0; at < 6; at++) {
                calls[0][i].args[at] = (unsigned long)random_next(&random) >> random_below(&random, 32);
            }
            calls[1][i] = calls[0][i];
        }
        const struct kernel_filter filters[] = {{insns, count + 5}, {optimized.insns, optimized.insn_count}};
        test_message("seed %llu", (unsigned long long)seed);
        REQUIRE(kernel_answers(&filters[0], 1, calls[0], KERNEL_CALLS) && kernel_answers(&filters[1], 1, calls[1], KERNEL_CALLS));
        for (int i = 0; i < KERNEL_CALLS; i++) {
            CHECK_EQ(calls[1][i].answer, calls[0][i].answer);
            CHECK_GT(calls[0][i].answer, 0);
        }
    }
}

TEST(optimize, programs_of_every_opcode_return_the_same)
{
    static struct sock_filter insns[64];
    uint32_t valid = 0;
    for (uint64_t seed = 1; seed <= 6000; seed++) {
        struct random random = random_of_seed(seed);
        uint32_t count = 2 + random_below(&random, 40);
        random_insns(&random, insns, count);
        if (brig_dsl_validate(insns, count, NULL) != BRIG_OK) {
            continue;
        }
        test_message("seed %llu", (unsigned long long)seed);
        struct brig_dsl_optimized optimized = optimize(insns, count);
        REQUIRE(optimized.insns != NULL);
        check_promises(insns, count, &optimized, &random);
        valid++;
    }
    CHECK_GT(valid, 1000);
}

// A second time there is nothing left to do.
TEST(optimize, the_best_stays_as_it_is)
{
    static struct sock_filter insns[BPF_MAXINSNS];
    static struct sock_filter first[BPF_MAXINSNS];
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct random random = random_of_seed(seed);
        uint32_t count = random_filter(&random, insns, 16 + random_below(&random, 90));
        struct brig_dsl_optimized once = optimize(insns, count);
        REQUIRE(once.insns != NULL);
        memcpy(first, once.insns, once.insn_count * sizeof *first);
        struct brig_dsl_optimized twice = optimize(first, once.insn_count);
        REQUIRE(twice.insns != NULL);
        test_message("seed %llu", (unsigned long long)seed);
        CHECK_LE(twice.insn_count, once.insn_count);
    }
}

// Programs by hand, each with something that compilers do or that the kernel allows, and what is left of it at most.
TEST(optimize, what_compilers_do)
{
    static const struct {
        const char *what;
        uint32_t most;
        bool is_checked;
        const char *text;
    } rows[] = {
        {"a bitmap of numbers becomes ranges", 8, true,
         "ld nr\n sub #10\n jgt #31, no\n tax\n ld #1\n lsh x\n jset #0x0000ffff, yes, no\nyes: ret ALLOW\nno: ret ERRNO(1)\n"},
        {"a table in a constant", 8, true,
         "ld args[0].lo\n jgt #31, no\n tax\n ld #0xff\n rsh x\n and #1\n jeq #1, yes, no\nyes: ret ALLOW\nno: ret ERRNO(1)\n"},
        {"a bias", 6, true, "ld nr\n add #5\n jge #15, no\n jge #10, yes, no\nyes: ret ALLOW\nno: ret ERRNO(1)\n"},
        {"the same word again and again", 4, true,
         "ld nr\n jeq #1, a\n ret ERRNO(1)\na: ld nr\n jeq #2, bad\n ld nr\n jgt #0, yes\nbad: ret KILL_PROCESS\nyes: ret ALLOW\n"},
        {"through cells and X", 4, true,
         "ld nr\n st M[3]\n ldx M[3]\n ld #7\n st M[0]\n txa\n ldx M[0]\n jeq x, yes, no\nyes: ret ALLOW\nno: ret ERRNO(1)\n"},
        {"two words together", 9, true,
         "ld args[0].lo\n tax\n ld args[1].lo\n add x\n jeq #9, yes, no\nyes: ret ALLOW\nno: ret ERRNO(1)\n"},
        {"which of two words is bigger", 9, true,
         "ld args[0].lo\n tax\n ld args[1].lo\n jgt x, yes, no\nyes: ret ALLOW\nno: ret ERRNO(1)\n"},
        {"a division by a word that may be 0", 12, true, "ldx #0\n ld args[0].lo\n div x\n ret a\n"},
        {"the length", 1, true, "ld len\n jeq #64, yes, no\nyes: ret ALLOW\nno: ret ERRNO(1)\n"},
        {"a computed action of few values", 12, true, "ld nr\n and #3\n or #0x50000\n ret a\n"},
        {"a computed action of many values", 2, true, "ld args[0].lo\n ret a\n"},
        {"an errno out of an argument", 8, true,
         "ld nr\n jeq #5, x\n ret ALLOW\nx: ld args[0].lo\n and #0xffff\n jeq #0, ok\n or #0x50000\n ret a\nok: ret ALLOW\n"},
        {"an argument that is tested and returned", 5, true,
         "ld args[0].lo\n jeq #1, no\n ld args[0].lo\n jeq #2, no\n ld args[0].lo\n ret a\nno: ret ALLOW\n"},
        {"a leaf through cells and X", 4, true,
         "ld args[0].lo\n st M[2]\n ldx M[2]\n txa\n and #0xff\n st M[1]\n ld #0x50000\n ldx M[1]\n or x\n ret a\n"},
        {"a difference from a constant", 4, true, "ld args[1].hi\n tax\n ld #7\n st M[0]\n sub x\n ret a\n"},
        {"a word that is returned with everything on the way to it asked twice", 7, true,
         "ld nr\n jeq #1, a\n jeq #2, a\n jeq #3, a\n ret ALLOW\na: ld nr\n jeq #9, b\n ld args[0].lo\n or #0x50000\n ret "
         "a\nb: ret KILL_PROCESS\n"},
        {"two leaves that compute the same", 7, true,
         "ld nr\n jeq #1, a\n ld args[0].lo\n add #3\n sub #1\n ret a\na: ld args[0].lo\n add #2\n ret a\n"},
        {"a sum that is tested and returned", 7, true,
         "ld args[0].lo\n tax\n ld args[1].lo\n add x\n tax\n txa\n jgt #9, no\n txa\n ret a\nno: ret ALLOW\n"},
        {"nothing reaches the end", 2, true,
         "ld nr\n ja end\n ret ALLOW\n ret KILL_PROCESS\nend: jeq #1, yes, yes\nyes: ret ERRNO(5)\n"},
        {"a shift by more than 31 counts modulo 32", 6, true,
         "ld nr\n ldx #33\n lsh x\n jeq #8, yes, no\nyes: ret ALLOW\nno: ret ERRNO(1)\n"},
    };
    static struct sock_filter insns[BPF_MAXINSNS];
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t count = 0;
        struct random random = random_of_seed(i + 1);
        struct brig_error error = {.code = BRIG_OK};
        struct brig_dsl_text text = {rows[i].text, strlen(rows[i].text)};
        enum brig_code code = brig_dsl_assemble(text, BRIG_DSL_X86_64, insns, &count, &error);
        test_message("%s: %s, line %d", rows[i].what, brig_code_name(code), error.line);
        REQUIRE(code == BRIG_OK);
        struct brig_dsl_optimized optimized = optimize(insns, (uint32_t)count);
        REQUIRE(optimized.insns != NULL);
        CHECK_LE(optimized.insn_count, rows[i].most);
        CHECK(optimized.is_checked || !rows[i].is_checked);
        check_promises(insns, (uint32_t)count, &optimized, &random);
    }
}

TEST(optimize, refusals)
{
    static const struct sock_filter bad[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 0}};
    static const struct sock_filter good[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
    static _Alignas(16) unsigned char little[256];
    struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT;
    struct brig_dsl_optimized optimized = {.insns = NULL};
    struct brig_error error = {.code = BRIG_OK};
    struct brig_dsl_arena small;
    brig_dsl_arena_init(&small, little, sizeof little);
    CHECK_EQ(brig_dsl_optimize(&(struct brig_dsl_filter){bad, 1}, &options, &small, &optimized, &error), BRIG_BAD_PROGRAM);
    CHECK_EQ(brig_dsl_optimize(&(struct brig_dsl_filter){good, 1}, &options, &small, &optimized, &error), BRIG_OUT_OF_ARENA);
    CHECK_EQ(error.code, BRIG_OUT_OF_ARENA);
    CHECK(optimized.insns == NULL);
    brig_dsl_arena_end(&small);
}
