// Validation: each reason against a program, and the kernel's own opinion on thousands of programs that are nearly good.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>

#include "bpf_dsl/program.h"
#include "tests/bpf_dsl/kernel_fixture.h"
#include "tests/bpf_dsl/random_insns.h"
#include "tests/shim/codes.h"
#include "tests/shim/test.h"

#define RET \
    { \
        BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW \
    }

TEST(validate, says_what_is_wrong_and_where)
{
    static const struct {
        const char *what;
        uint32_t count;
        struct sock_filter insns[4];
        int at; // -1: nothing is wrong
    } rows[] = {
        {"smallest", 1, {RET}, -1},
        {"return of A", 1, {{BPF_RET | BPF_A, 0, 0, 0}}, -1},
        {"return of X", 1, {{BPF_RET | BPF_X, 0, 0, 0}}, 0},
        {"last load", 2, {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 60}, RET}, -1},
        {"load past the end", 2, {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 64}, RET}, 0},
        {"load across words", 2, {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 2}, RET}, 0},
        {"load of a half", 2, {{BPF_LD | BPF_H | BPF_ABS, 0, 0, 0}, RET}, 0},
        {"indirect load", 2, {{BPF_LD | BPF_W | BPF_IND, 0, 0, 0}, RET}, 0},
        {"division by zero", 2, {{BPF_ALU | BPF_DIV | BPF_K, 0, 0, 0}, RET}, 0},
        {"division by X", 2, {{BPF_ALU | BPF_DIV | BPF_X, 0, 0, 0}, RET}, -1},
        {"remainder", 2, {{BPF_ALU | BPF_MOD | BPF_K, 0, 0, 3}, RET}, 0},
        {"shift by 31", 2, {{BPF_ALU | BPF_LSH | BPF_K, 0, 0, 31}, RET}, -1},
        {"shift by 32", 2, {{BPF_ALU | BPF_RSH | BPF_K, 0, 0, 32}, RET}, 0},
        {"cell 15", 2, {{BPF_ST, 0, 0, 15}, RET}, -1},
        {"cell 16", 2, {{BPF_STX, 0, 0, 16}, RET}, 0},
        {"unwritten cell", 2, {{BPF_LD | BPF_MEM, 0, 0, 1}, RET}, 0},
        {"written cell", 3, {{BPF_ST, 0, 0, 1}, {BPF_LDX | BPF_MEM, 0, 0, 1}, RET}, -1},
        {"cell written on one way only",
         4,
         {{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 5}, {BPF_ST, 0, 0, 1}, {BPF_LD | BPF_MEM, 0, 0, 1}, RET},
         2},
        {"jump to the end", 2, {{BPF_JMP | BPF_JA, 0, 0, 0}, RET}, -1},
        {"jump past the end", 2, {{BPF_JMP | BPF_JA, 0, 0, 1}, RET}, 0},
        {"jump backwards", 2, {{BPF_JMP | BPF_JA, 0, 0, 0xffffffff}, RET}, 0},
        {"test past the end", 2, {{BPF_JMP | BPF_JSET | BPF_K, 1, 0, 1}, RET}, 0},
        {"test past the end, else", 2, {{BPF_JMP | BPF_JSET | BPF_X, 0, 1, 1}, RET}, 0},
        {"no return at the end", 2, {RET, {BPF_MISC | BPF_TAX, 0, 0, 0}}, 1},
        {"jump as the last", 1, {{BPF_JMP | BPF_JA, 0, 0, 0}}, 0},
        {"wide opcode", 2, {{0x100 | BPF_RET | BPF_K, 0, 0, 0}, RET}, 0},
        {"nothing", 0, {RET}, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct brig_error error = {.code = BRIG_OK};
        test_message("%s", rows[i].what);
        enum brig_code code = brig_dsl_validate(rows[i].insns, rows[i].count, &error);
        CHECK_EQ(code, rows[i].at < 0 ? BRIG_OK : BRIG_BAD_PROGRAM);
        CHECK(rows[i].at < 0 || (error.detail == rows[i].at && error.subject != NULL && error.step != NULL));
    }
    test_message("%s", "");
}

TEST(validate, length)
{
    static struct sock_filter insns[BPF_MAXINSNS + 1];
    for (size_t i = 0; i < COUNT_OF(insns); i++) {
        insns[i] = (struct sock_filter)RET;
    }
    CHECK_EQ(brig_dsl_validate(insns, BPF_MAXINSNS, NULL), BRIG_OK);
    CHECK_EQ(brig_dsl_validate(insns, BPF_MAXINSNS + 1, NULL), BRIG_BAD_PROGRAM);
}

enum { PROGRAMS = 4000, LONGEST = 24 };

TEST(validate, agrees_with_the_kernel)
{
    static struct sock_filter insns[PROGRAMS][LONGEST];
    static struct kernel_filter programs[PROGRAMS];
    static unsigned char opinions[PROGRAMS];
    struct random random = {20250101};
    uint32_t accepted = 0;
    for (uint32_t i = 0; i < PROGRAMS; i++) {
        programs[i] = (struct kernel_filter){insns[i], 1 + random_below(&random, LONGEST)};
        random_insns(&random, insns[i], programs[i].count);
        for (uint32_t m = random_below(&random, 3); m > 0; m--) {
            random_mutate(&random, insns[i], programs[i].count);
        }
    }
    if (!kernel_opinions(programs, PROGRAMS, opinions)) {
        test_skip("this kernel does not refuse a second listener with EBUSY");
        return;
    }
    for (uint32_t i = 0; i < PROGRAMS; i++) {
        struct brig_error error = {.subject = "nothing"};
        bool good = brig_dsl_validate(programs[i].insns, programs[i].count, &error) == BRIG_OK;
        test_message("program %u: %s", i, error.subject);
        REQUIRE(CHECK_EQ(good, opinions[i] == KERNEL_ACCEPTS));
        accepted += good;
    }
    test_message("%s", "");
    // Otherwise the programs say little.
    CHECK_GT(accepted, PROGRAMS / 10);
    CHECK_LT(accepted, PROGRAMS - PROGRAMS / 10);
}
