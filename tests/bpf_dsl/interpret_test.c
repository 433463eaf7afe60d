// The interpreter: each opcode by itself, and random programs against the kernel.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>

#include "bpf_dsl/program.h"
#include "tests/bpf_dsl/kernel_fixture.h"
#include "tests/bpf_dsl/random_insns.h"
#include "tests/shim/test.h"

static const struct brig_dsl_data sample = {
    .nr = 59, .audit_arch = 0xc000003e, .ip = 0x1122334455667788, .args = {0xa1000000a0, 0xb1000000b0, 2, 3, 4, 0xf1000000f0}};

#define LD_A(k) \
    { \
        BPF_LD | BPF_IMM, 0, 0, k \
    }
#define LD_X(k) \
    { \
        BPF_LDX | BPF_IMM, 0, 0, k \
    }
#define RET_A \
    { \
        BPF_RET | BPF_A, 0, 0, 0 \
    }
#define RET(k) \
    { \
        BPF_RET | BPF_K, 0, 0, k \
    }
#define ALU_K(op, k) \
    { \
        BPF_ALU | BPF_##op | BPF_K, 0, 0, k \
    }
#define ALU_X(op) \
    { \
        BPF_ALU | BPF_##op | BPF_X, 0, 0, 0 \
    }
#define TEST_K(op, k) \
    { \
        BPF_JMP | BPF_##op | BPF_K, 0, 1, k \
    }
#define TEST_X(op) \
    { \
        BPF_JMP | BPF_##op | BPF_X, 0, 1, 0 \
    }

static const struct {
    const char *what;
    uint32_t ret;
    uint32_t executed;
    struct sock_filter insns[6];
} opcodes[] = {
    {"nr", 59, 2, {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 0}, RET_A}},
    {"arch", 0xc000003e, 2, {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 4}, RET_A}},
    {"low half of ip", 0x55667788, 2, {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 8}, RET_A}},
    {"high half of ip", 0x11223344, 2, {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 12}, RET_A}},
    {"low half of the first argument", 0xa0, 2, {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 16}, RET_A}},
    {"high half of the first argument", 0xa1, 2, {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 20}, RET_A}},
    {"high half of the last argument", 0xf1, 2, {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 60}, RET_A}},
    {"length", 64, 2, {{BPF_LD | BPF_W | BPF_LEN, 0, 0, 0}, RET_A}},
    {"length in X", 64, 3, {{BPF_LDX | BPF_W | BPF_LEN, 0, 0, 0}, {BPF_MISC | BPF_TXA, 0, 0, 0}, RET_A}},
    {"A starts as 0", 0, 1, {RET_A}},
    {"X starts as 0", 0, 3, {LD_A(7), {BPF_MISC | BPF_TXA, 0, 0, 0}, RET_A}},
    {"tax", 7, 5, {LD_A(7), {BPF_MISC | BPF_TAX, 0, 0, 0}, LD_A(0), ALU_X(ADD), RET_A}},
    {"cells", 9, 4, {LD_A(9), {BPF_ST, 0, 0, 3}, {BPF_LD | BPF_MEM, 0, 0, 3}, RET_A}},
    {"cells of X", 9, 5, {LD_X(9), {BPF_STX, 0, 0, 15}, LD_A(1), {BPF_LD | BPF_MEM, 0, 0, 15}, RET_A}},
    {"add wraps", 1, 3, {LD_A(0xffffffff), ALU_K(ADD, 2), RET_A}},
    {"sub wraps", 0xffffffff, 3, {LD_A(1), ALU_K(SUB, 2), RET_A}},
    {"sub of X", 3, 4, {LD_A(5), LD_X(2), ALU_X(SUB), RET_A}},
    {"mul wraps", 0xfffffffe, 3, {LD_A(0x7fffffff), ALU_K(MUL, 2), RET_A}},
    {"mul by X", 42, 4, {LD_A(6), LD_X(7), ALU_X(MUL), RET_A}},
    {"div is unsigned", 0x7fffffff, 3, {LD_A(0xfffffffe), ALU_K(DIV, 2), RET_A}},
    {"div by X", 3, 4, {LD_A(11), LD_X(3), ALU_X(DIV), RET_A}},
    {"div by X of 0 returns 0", 0, 3, {LD_A(11), LD_X(0), ALU_X(DIV), RET(5)}},
    {"and", 0x10, 3, {LD_A(0x11), ALU_K(AND, 0xf0), RET_A}},
    {"and with X", 0x10, 4, {LD_A(0x11), LD_X(0xf0), ALU_X(AND), RET_A}},
    {"or", 0xf1, 3, {LD_A(0x11), ALU_K(OR, 0xf0), RET_A}},
    {"or with X", 0xf1, 4, {LD_A(0x11), LD_X(0xf0), ALU_X(OR), RET_A}},
    {"xor", 0xe1, 3, {LD_A(0x11), ALU_K(XOR, 0xf0), RET_A}},
    {"xor with X", 0xe1, 4, {LD_A(0x11), LD_X(0xf0), ALU_X(XOR), RET_A}},
    {"lsh", 0x80000000, 3, {LD_A(1), ALU_K(LSH, 31), RET_A}},
    {"lsh by X counts modulo 32", 2, 4, {LD_A(1), LD_X(33), ALU_X(LSH), RET_A}},
    {"rsh is unsigned", 1, 3, {LD_A(0x80000000), ALU_K(RSH, 31), RET_A}},
    {"rsh by X", 4, 4, {LD_A(64), LD_X(4), ALU_X(RSH), RET_A}},
    {"neg", 0xffffffff, 3, {LD_A(1), {BPF_ALU | BPF_NEG, 0, 0, 0}, RET_A}},
    {"ja", 2, 2, {{BPF_JMP | BPF_JA, 0, 0, 1}, RET(1), RET(2)}},
    {"jeq holds", 1, 3, {LD_A(5), TEST_K(JEQ, 5), RET(1), RET(2)}},
    {"jeq fails", 2, 3, {LD_A(5), TEST_K(JEQ, 6), RET(1), RET(2)}},
    {"jeq x", 1, 4, {LD_A(5), LD_X(5), TEST_X(JEQ), RET(1), RET(2)}},
    {"jgt fails on equal", 2, 3, {LD_A(5), TEST_K(JGT, 5), RET(1), RET(2)}},
    {"jgt is unsigned", 1, 3, {LD_A(0x80000000), TEST_K(JGT, 0x7fffffff), RET(1), RET(2)}},
    {"jgt x", 2, 4, {LD_A(5), LD_X(9), TEST_X(JGT), RET(1), RET(2)}},
    {"jge holds on equal", 1, 3, {LD_A(5), TEST_K(JGE, 5), RET(1), RET(2)}},
    {"jge x", 2, 4, {LD_A(5), LD_X(6), TEST_X(JGE), RET(1), RET(2)}},
    {"jset holds", 1, 3, {LD_A(6), TEST_K(JSET, 4), RET(1), RET(2)}},
    {"jset fails", 2, 3, {LD_A(6), TEST_K(JSET, 9), RET(1), RET(2)}},
    {"jset x", 1, 4, {LD_A(6), LD_X(2), TEST_X(JSET), RET(1), RET(2)}},
};

TEST(interpret, each_opcode)
{
    for (size_t i = 0; i < COUNT_OF(opcodes); i++) {
        unsigned char trace[6] = {0};
        test_message("%s", opcodes[i].what);
        struct brig_dsl_run run = brig_dsl_interpret(opcodes[i].insns, 6, &sample, trace);
        CHECK_EQ(run.ret, opcodes[i].ret);
        CHECK_EQ(run.executed, opcodes[i].executed);
        uint32_t traced = 0;
        for (size_t k = 0; k < sizeof trace; k++) {
            traced += trace[k];
        }
        CHECK_EQ(traced, opcodes[i].executed);
    }
    test_message("%s", "");
}

// --- against the kernel -----------------------------------------------------------------------------------------------

enum { PROGRAMS = 120, BODY = 24, LONGEST = BODY + 8, CALLS = 12, FIRST_NR = 20000 };

// A program that answers one number with an errno made of A, and allows all others:
//     ld [0]; jeq #nr, 1; ret ALLOW; BODY, which ends in:  and #0x7ff; or #ERRNO + 0x800 (an errno, and never 0); ret a
static uint32_t wrap(struct random *random, uint32_t nr, struct sock_filter *insns)
{
    static const struct sock_filter tail[] = {ALU_K(AND, 0x7ff), ALU_K(OR, SECCOMP_RET_ERRNO | 0x800), RET_A};
    const struct sock_filter head[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, 0}, {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, nr}, RET(SECCOMP_RET_ALLOW), LD_X(3)};
    memcpy(insns, head, sizeof head);
    do {
        random_insns(random, insns + COUNT_OF(head), BODY);
        // The body runs into the tail: its last instruction, and every return in it, is made harmless.
        for (uint32_t i = COUNT_OF(head); i < COUNT_OF(head) + BODY; i++) {
            if (BPF_CLASS(insns[i].code) == BPF_RET) {
                insns[i] = (struct sock_filter){BPF_ALU | BPF_XOR | BPF_X, 0, 0, 0};
            }
        }
        memcpy(insns + COUNT_OF(head) + BODY, tail, sizeof tail);
    } while (brig_dsl_validate(insns, COUNT_OF(head) + BODY + COUNT_OF(tail), NULL) != BRIG_OK);
    return COUNT_OF(head) + BODY + COUNT_OF(tail);
}

static struct brig_dsl_data data_of(const struct kernel_call *call)
{
    // The instruction pointer is the one thing that is not known here; see below.
    struct brig_dsl_data data = {.nr = call->nr, .audit_arch = brig_dsl_arch_audit(brig_dsl_arch_native())};
    for (int i = 0; i < 6; i++) {
        data.args[i] = call->args[i];
    }
    return data;
}

static bool reads_ip(const struct sock_filter *insns, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (insns[i].code == (BPF_LD | BPF_W | BPF_ABS) && (insns[i].k == 8 || insns[i].k == 12)) {
            return true;
        }
    }
    return false;
}

// A division by zero returns 0, which kills; such calls are not made. Returns: false when the program divides by zero most of the
// time.
static bool choose_calls(struct random *random, const struct kernel_filter *filter, uint32_t nr, struct kernel_call *ret_calls)
{
    uint32_t count = 0;
    for (int tries = 0; tries < 4 * CALLS && count < CALLS; tries++) {
        struct kernel_call *call = &ret_calls[count];
        *call = (struct kernel_call){.nr = nr};
        for (int a = 0; a < 6; a++) {
            call->args[a] = (unsigned long)(random_next(random) >> random_below(random, 64));
        }
        struct brig_dsl_data data = data_of(call);
        count += brig_dsl_interpret(filter->insns, filter->count, &data, NULL).ret != 0;
    }
    return count == CALLS;
}

TEST(interpret, agrees_with_the_kernel_on_every_opcode)
{
    static struct sock_filter insns[PROGRAMS][LONGEST];
    static struct kernel_filter filters[PROGRAMS];
    static struct kernel_call calls[PROGRAMS * CALLS];
    struct random random = {31337};
    for (uint32_t i = 0; i < PROGRAMS; i++) {
        do {
            filters[i] = (struct kernel_filter){insns[i], wrap(&random, FIRST_NR + i, insns[i])};
        } while (reads_ip(insns[i], filters[i].count) ||
                 !choose_calls(&random, &filters[i], FIRST_NR + i, &calls[(size_t)i * CALLS]));
    }
    REQUIRE(kernel_answers(filters, PROGRAMS, calls, PROGRAMS * CALLS));
    for (uint32_t i = 0; i < PROGRAMS * CALLS; i++) {
        struct brig_dsl_data data = data_of(&calls[i]);
        uint32_t ret = brig_dsl_interpret(insns[i / CALLS], filters[i / CALLS].count, &data, NULL).ret;
        test_message("program %u, call %u", i / CALLS, i % CALLS);
        REQUIRE(CHECK_EQ(ret & SECCOMP_RET_ACTION_FULL, SECCOMP_RET_ERRNO));
        REQUIRE(CHECK_EQ((uint32_t)calls[i].answer, ret & SECCOMP_RET_DATA));
    }
    test_message("%s", "");
}
