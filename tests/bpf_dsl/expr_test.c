// Expressions: equal ones are one node however they were written, what is known is folded, and what is wrong denies.
#include "bpf_dsl/expr.h"

#include <linux/seccomp.h>
#include <string.h>

#include "bpf_dsl/expr_nodes.h"
#include "bpf_dsl/program.h"
#include "tests/shim/codes.h"
#include "tests/shim/test.h"

static _Alignas(16) unsigned char memory[1 << 20];
static struct brig_dsl_arena arena;
static struct brig_dsl_builder builder;

static struct brig_dsl_builder *start(void)
{
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    return dsl_builder_init(&builder, &arena) ? &builder : NULL;
}

#define VALUES(...) (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t)

static const struct brig_dsl_operand u32 = {0, 32, false};
static const struct brig_dsl_operand s32 = {0, 32, true};
static const struct brig_dsl_operand u64 = {0, 64, false};
static const struct brig_dsl_operand s64 = {0, 64, true};

TEST(expr, equal_tests_are_one_node)
{
    struct brig_dsl_builder *b = start();
    REQUIRE(b != NULL);
    struct brig_dsl_test few = brig_dsl_arg_in(b, u32, VALUES(0, 1, 2, 3));
    CHECK_EQ(brig_dsl_arg_in(b, u32, VALUES(3, 1, 2, 0, 1)).node, few.node);
    CHECK_EQ(brig_dsl_arg_range(b, u32, 0, 3).node, few.node);
    CHECK_EQ(brig_dsl_any_of(b, (struct brig_dsl_test[]){few, few}, 2).node, few.node);
    CHECK_EQ(brig_dsl_not(b, brig_dsl_not(b, few)).node, few.node);
    CHECK_NE(brig_dsl_arg_in(b, u64, VALUES(0, 1, 2, 3)).node, few.node);
    CHECK_NE(brig_dsl_arg_in(b, (struct brig_dsl_operand){1, 32, false}, VALUES(0, 1, 2, 3)).node, few.node);
    // Upper halves do not count in 32 bits.
    CHECK_EQ(brig_dsl_arg_in(b, u32, VALUES(UINT64_MAX)).node, brig_dsl_arg_in(b, u32, VALUES(UINT32_MAX)).node);
    CHECK_NE(brig_dsl_arg_in(b, u64, VALUES(UINT64_MAX)).node, brig_dsl_arg_in(b, u64, VALUES(UINT32_MAX)).node);
    // Order does not matter in groups.
    struct brig_dsl_test other = brig_dsl_arg_masked(b, u64, 0xff, VALUES(7));
    CHECK_EQ(brig_dsl_all_of(b, (struct brig_dsl_test[]){few, other}, 2).node,
             brig_dsl_all_of(b, (struct brig_dsl_test[]){other, few, other}, 3).node);
}

TEST(expr, ranges_have_the_sign_of_their_operand)
{
    struct brig_dsl_builder *b = start();
    REQUIRE(b != NULL);
    CHECK_EQ(brig_dsl_arg_range(b, s32, (uint64_t)-2, 1).node, brig_dsl_arg_in(b, u32, VALUES(0, 1, 0xfffffffe, 0xffffffff)).node);
    CHECK_EQ(brig_dsl_arg_range(b, s64, (uint64_t)-1, 1).node, brig_dsl_arg_in(b, u64, VALUES(0, 1, UINT64_MAX)).node);
    CHECK_EQ(brig_dsl_arg_range(b, u32, (uint64_t)-2, 1).node, DSL_EXPR_FALSE);
    CHECK_EQ(brig_dsl_arg_range(b, s32, 1, (uint64_t)-2).node, DSL_EXPR_FALSE);
    CHECK_EQ(brig_dsl_arg_range(b, s32, (uint64_t)INT32_MIN, INT32_MAX).node, DSL_EXPR_TRUE);
    CHECK_EQ(brig_dsl_arg_range(b, u64, 0, UINT64_MAX).node, DSL_EXPR_TRUE);
}

TEST(expr, what_is_known_is_folded)
{
    struct brig_dsl_builder *b = start();
    REQUIRE(b != NULL);
    struct brig_dsl_test yes = brig_dsl_always(b, true);
    struct brig_dsl_test no = brig_dsl_always(b, false);
    struct brig_dsl_test test = brig_dsl_arg_in(b, u32, VALUES(5));
    struct brig_dsl_verdict allow = brig_dsl_ret(b, SECCOMP_RET_ALLOW);
    struct brig_dsl_verdict deny = brig_dsl_ret(b, SECCOMP_RET_ERRNO | 1);
    CHECK_EQ(brig_dsl_all_of(b, NULL, 0).node, yes.node);
    CHECK_EQ(brig_dsl_any_of(b, NULL, 0).node, no.node);
    CHECK_EQ(brig_dsl_all_of(b, (struct brig_dsl_test[]){yes, test}, 2).node, test.node);
    CHECK_EQ(brig_dsl_all_of(b, (struct brig_dsl_test[]){test, no}, 2).node, no.node);
    CHECK_EQ(brig_dsl_any_of(b, (struct brig_dsl_test[]){no, test}, 2).node, test.node);
    CHECK_EQ(brig_dsl_any_of(b, (struct brig_dsl_test[]){test, yes}, 2).node, yes.node);
    CHECK_EQ(brig_dsl_not(b, yes).node, no.node);
    CHECK_EQ(brig_dsl_arg_in(b, u32, NULL, 0).node, no.node);
    CHECK_EQ(brig_dsl_arg_masked(b, u32, 0, VALUES(0)).node, yes.node);
    CHECK_EQ(brig_dsl_arg_masked(b, u32, 1, VALUES(0, 1)).node, yes.node);
    CHECK_EQ(brig_dsl_arg_masked(b, u32, 1, VALUES(2)).node, no.node);
    CHECK_EQ(brig_dsl_if(b, test, allow, allow).node, allow.node);
    CHECK_EQ(brig_dsl_if(b, yes, allow, deny).node, allow.node);
    CHECK_EQ(brig_dsl_if(b, no, allow, deny).node, deny.node);
}

TEST(expr, what_is_wrong_is_remembered_and_denies)
{
    struct brig_dsl_builder *b = start();
    REQUIRE(b != NULL);
    struct brig_dsl_verdict allow = brig_dsl_ret(b, SECCOMP_RET_ALLOW);
    CHECK(!b->bad_operand);
    CHECK_EQ(brig_dsl_arg_in(b, (struct brig_dsl_operand){6, 32, false}, VALUES(0)).node, DSL_EXPR_FALSE);
    CHECK(b->bad_operand);
    b->bad_operand = false;
    CHECK_EQ(brig_dsl_arg_in(b, (struct brig_dsl_operand){0, 16, false}, VALUES(0)).node, DSL_EXPR_FALSE);
    CHECK(b->bad_operand);
    b->bad_operand = false;
    // A verdict is no test, whatever a cast says, and a number that is no node is nothing.
    CHECK_EQ(brig_dsl_not(b, (struct brig_dsl_test){allow.node}).node, DSL_EXPR_FALSE);
    CHECK(b->bad_operand);
    b->bad_operand = false;
    CHECK_EQ(brig_dsl_if(b, (struct brig_dsl_test){12345}, allow, allow).node, b->deny);
    CHECK(b->bad_operand);
}

TEST(expr, nesting_is_limited_and_chains_are_not)
{
    struct brig_dsl_builder *b = start();
    REQUIRE(b != NULL);
    struct brig_dsl_verdict chain = brig_dsl_ret(b, SECCOMP_RET_ALLOW);
    for (uint64_t i = 0; i < 1000; i++) {
        chain = brig_dsl_if(b, brig_dsl_arg_in(b, u32, &i, 1), brig_dsl_ret(b, SECCOMP_RET_ERRNO | (uint32_t)(i % 7)), chain);
    }
    CHECK(!b->bad_operand);
    struct brig_dsl_test test = brig_dsl_arg_in(b, u32, VALUES(1));
    for (uint8_t i = 0; i < 70; i++) {
        struct brig_dsl_test other = brig_dsl_arg_in(b, (struct brig_dsl_operand){i % 6, 64, false}, VALUES(i));
        test = i % 2 == 0 ? brig_dsl_any_of(b, (struct brig_dsl_test[]){test, other}, 2)
                          : brig_dsl_all_of(b, (struct brig_dsl_test[]){test, other}, 2);
    }
    CHECK(b->bad_operand);
}

TEST(expr, a_full_arena_is_found_out)
{
    for (size_t bytes = 0; bytes < 20000; bytes += 61) {
        brig_dsl_arena_init(&arena, memory, bytes);
        if (dsl_builder_init(&builder, &arena)) {
            for (uint64_t i = 0; i < 100; i++) {
                struct brig_dsl_test test = brig_dsl_arg_in(&builder, u32, &i, 1);
                brig_dsl_if(&builder, test, brig_dsl_ret(&builder, (uint32_t)i), brig_dsl_ret(&builder, 1));
            }
        }
        CHECK(arena.exhausted || bytes > 10000);
    }
}

// --- custom evaluators ------------------------------------------------------------------------------------------------

// A policy that rows cannot say: sockets by family and type together, a comparison that is an OR of ANDs, a switch.
static struct brig_dsl_verdict decide(const void *context, struct brig_dsl_builder *b, enum brig_dsl_call call,
                                      enum brig_dsl_arch arch)
{
    (void)arch;
    const uint32_t *denied = context;
    struct brig_dsl_verdict allow = brig_dsl_ret(b, SECCOMP_RET_ALLOW);
    struct brig_dsl_verdict deny = brig_dsl_ret(b, *denied);
    struct brig_dsl_operand first = {.argument = 0, .bits = 32};
    struct brig_dsl_operand second = {.argument = 1, .bits = 64};
    if (call == BRIG_SYS_socket) {
        struct brig_dsl_test local[] = {brig_dsl_arg_in(b, first, VALUES(1)),
                                        brig_dsl_not(b, brig_dsl_arg_masked(b, second, 0xf, VALUES(3, 5)))};
        struct brig_dsl_test wide[] = {brig_dsl_arg_range(b, first, 2, 10), brig_dsl_arg_range(b, second, 1, 0x200000001)};
        struct brig_dsl_test either[] = {brig_dsl_all_of(b, local, 2), brig_dsl_all_of(b, wide, 2)};
        return brig_dsl_if(b, brig_dsl_any_of(b, either, 2), allow, deny);
    }
    if (call == BRIG_SYS_ioctl) {
        const struct brig_dsl_case cases[] = {{VALUES(0x5401, 0x5402), allow},
                                              {VALUES(0x5413), brig_dsl_ret(b, SECCOMP_RET_ERRNO | 25)},
                                              {VALUES(0x5402, 0x541b), brig_dsl_ret(b, SECCOMP_RET_LOG)}};
        return brig_dsl_switch(b, second, cases, COUNT_OF(cases), deny);
    }
    return call == BRIG_SYS_read || call == BRIG_SYS_exit_group ? allow : deny;
}

// The same, by hand.
static uint32_t decide_by_hand(enum brig_dsl_call call, const struct brig_dsl_data *data, uint32_t denied)
{
    uint32_t first = (uint32_t)data->args[0];
    uint64_t second = data->args[1];
    if (call == BRIG_SYS_socket) {
        bool local = first == 1 && (second & 0xf) != 3 && (second & 0xf) != 5;
        bool wide = first >= 2 && first <= 10 && second >= 1 && second <= 0x200000001;
        return local || wide ? SECCOMP_RET_ALLOW : denied;
    }
    if (call == BRIG_SYS_ioctl) {
        return second == 0x5401 || second == 0x5402 ? SECCOMP_RET_ALLOW
               : second == 0x5413                   ? SECCOMP_RET_ERRNO | 25
               : second == 0x541b                   ? SECCOMP_RET_LOG
                                                    : denied;
    }
    return call == BRIG_SYS_read || call == BRIG_SYS_exit_group ? SECCOMP_RET_ALLOW : denied;
}

static bool custom_agrees(enum brig_dsl_arch arch, bool plain)
{
    static const uint64_t firsts[] = {0, 1, 2, 3, 10, 11, 0x100000001, 0xffffffff};
    static const uint64_t seconds[] = {0,      1,      2,      3,           5,           0x13,        0x5401,     0x5402,
                                       0x5413, 0x541b, 0x541c, 0x100005401, 0x200000001, 0x200000002, UINT64_MAX, 0x100000000};
    const uint32_t denied = SECCOMP_RET_ERRNO | 1;
    struct brig_dsl_evaluator evaluator = {
        .evaluate = decide, .context = &denied, .foreign_ret = SECCOMP_RET_KILL_PROCESS, .x32_ret = SECCOMP_RET_KILL_THREAD};
    struct brig_dsl_options options = {.arch = arch, .plain = plain};
    struct brig_dsl_program program;
    struct brig_error error;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    if (!CHECK_OK(brig_dsl_compile_with(&evaluator, &options, &arena, &program, &error), &error)) {
        return false;
    }
    bool agrees = CHECK_EQ(program.is_plain, plain) && CHECK_EQ(program.trap_count, 0u) && CHECK(program.policy == NULL);
    for (uint32_t nr = 0; agrees && nr < 500; nr++) {
        enum brig_dsl_call call = brig_dsl_call_by_nr(nr, arch);
        for (size_t i = 0; agrees && i < COUNT_OF(firsts) * COUNT_OF(seconds); i++) {
            struct brig_dsl_data data = {.nr = nr,
                                         .audit_arch = brig_dsl_arch_audit(arch),
                                         .args = {firsts[i % COUNT_OF(firsts)], seconds[i / COUNT_OF(firsts)]}};
            agrees = CHECK_EQ(brig_dsl_interpret(program.insns, program.insn_count, &data, NULL).ret,
                              decide_by_hand(call, &data, denied));
        }
    }
    return agrees;
}

TEST(expr, a_custom_evaluator_compiles_and_is_checked)
{
    for (int arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
        test_message("%s", brig_dsl_arch_name((enum brig_dsl_arch)arch));
        REQUIRE(custom_agrees((enum brig_dsl_arch)arch, false));
        REQUIRE(custom_agrees((enum brig_dsl_arch)arch, true));
    }
    test_message("%s", "");
}

// An evaluator that changes its mind is one whose program does not say what it says.
static struct brig_dsl_verdict waver(const void *context, struct brig_dsl_builder *b, enum brig_dsl_call call,
                                     enum brig_dsl_arch arch)
{
    (void)arch;
    unsigned *asked = (unsigned *)(uintptr_t)context;
    bool changed = call == BRIG_SYS_write && (*asked)++ > 0;
    return brig_dsl_ret(b, changed ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | 1);
}

TEST(expr, the_check_asks_again)
{
    unsigned asked = 0;
    struct brig_dsl_evaluator evaluator = {.evaluate = waver, .context = &asked};
    struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT;
    struct brig_dsl_program program = {.insn_count = 77};
    struct brig_error error = {.code = BRIG_OK};
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    CHECK(CHECK_CODE(brig_dsl_compile_with(&evaluator, &options, &arena, &program, &error), BRIG_BUG_CHECK_FAILED, &error));
    CHECK_EQ(program.insn_count, 77u);
}

static struct brig_dsl_verdict misuse(const void *context, struct brig_dsl_builder *b, enum brig_dsl_call call,
                                      enum brig_dsl_arch arch)
{
    (void)context;
    (void)call;
    (void)arch;
    struct brig_dsl_test test = brig_dsl_arg_in(b, (struct brig_dsl_operand){9, 32, false}, VALUES(1));
    return brig_dsl_if(b, test, brig_dsl_ret(b, SECCOMP_RET_ALLOW), brig_dsl_ret(b, SECCOMP_RET_ERRNO | 1));
}

// One that makes up something new each time, and one that answers with what is no verdict.
static struct brig_dsl_verdict ramble(const void *context, struct brig_dsl_builder *b, enum brig_dsl_call call,
                                      enum brig_dsl_arch arch)
{
    (void)arch;
    unsigned *asked = (unsigned *)(uintptr_t)context;
    const uint64_t value = call == BRIG_SYS_write ? (*asked)++ : 0;
    struct brig_dsl_test test = brig_dsl_arg_in(b, u32, &value, 1);
    return brig_dsl_if(b, test, brig_dsl_ret(b, SECCOMP_RET_ALLOW), brig_dsl_ret(b, SECCOMP_RET_ERRNO | 1));
}

static struct brig_dsl_verdict invent(const void *context, struct brig_dsl_builder *b, enum brig_dsl_call call,
                                      enum brig_dsl_arch arch)
{
    (void)b;
    (void)arch;
    return (struct brig_dsl_verdict){call == BRIG_SYS_write ? *(const uint32_t *)context : brig_dsl_ret(b, 0).node};
}

TEST(expr, answers_are_not_trusted)
{
    static const uint32_t made_up[] = {0, 1, 0x7fffffff, UINT32_MAX};
    unsigned asked = 0;
    struct brig_dsl_evaluator evaluator = {.evaluate = ramble, .context = &asked};
    struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT;
    struct brig_dsl_program program;
    struct brig_error error = {.code = BRIG_OK};
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    CHECK(CHECK_CODE(brig_dsl_compile_with(&evaluator, &options, &arena, &program, &error), BRIG_BUG_CHECK_FAILED, &error));
    CHECK_EQ(error.detail, brig_dsl_call_nr(BRIG_SYS_write, options.arch));
    for (size_t i = 0; i < COUNT_OF(made_up); i++) {
        evaluator = (struct brig_dsl_evaluator){.evaluate = invent, .context = &made_up[i]};
        brig_dsl_arena_init(&arena, memory, sizeof memory);
        CHECK(CHECK_CODE(brig_dsl_compile_with(&evaluator, &options, &arena, &program, &error), BRIG_BAD_ARGUMENT, &error));
    }
}

TEST(expr, misuse_fails_the_compile)
{
    struct brig_dsl_evaluator evaluator = {.evaluate = misuse};
    struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT;
    struct brig_dsl_program program;
    struct brig_error error = {.code = BRIG_OK};
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    CHECK(CHECK_CODE(brig_dsl_compile_with(&evaluator, &options, &arena, &program, &error), BRIG_BAD_ARGUMENT, &error));
    brig_dsl_arena_init(&arena, memory, 5000);
    CHECK(CHECK_CODE(brig_dsl_compile_with(&evaluator, &options, &arena, &program, &error), BRIG_OUT_OF_ARENA, &error));
    options.arch = (enum brig_dsl_arch)99;
    CHECK(CHECK_CODE(brig_dsl_compile_with(&evaluator, &options, &arena, &program, &error), BRIG_BAD_ARGUMENT, &error));
}
