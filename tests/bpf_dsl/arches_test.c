// One program for several arches: each arch gets what its own rules say, all others what the first says of them, and what arches
// have in common is in the program once.
#include <linux/seccomp.h>
#include <string.h>

#include "bpf_dsl/words.h"
#include "tests/bpf_dsl/kernel_fixture.h"
#include "tests/bpf_dsl/program_fixture.h"
#include "tests/bpf_dsl/random_calls.h"
#include "tests/shim/codes.h"
#include "tests/shim/test.h"

enum { POLICIES = 60, TUPLES = 600, MOST_VALUES = 12 };

// --- random rules -----------------------------------------------------------------------------------------------------

static bool agree(void *context, const struct brig_dsl_data *data)
{
    const struct compiled *compiled = context;
    uint32_t expected = program_expected(compiled, data);
    for (int form = 0; form < 2; form++) {
        if (!CHECK_EQ(brig_dsl_interpret(compiled->insns[form], compiled->count[form], data, NULL).ret, expected)) {
            return false;
        }
    }
    return true;
}

static bool policy_agrees(uint64_t seed)
{
    struct random random;
    struct random_shape shape = random_shape_of(&random, seed);
    struct compiled compiled = *program_compile_arches(&random, &shape, 2 + (uint32_t)seed % 4);
    const struct random_visitor visitor = {agree, &compiled};
    test_message("seed %llu", (unsigned long long)seed);
    // Five big policies may not fit one program; nothing else may fail.
    if (compiled.codes[0] == BRIG_PROGRAM_TOO_BIG || compiled.codes[1] == BRIG_PROGRAM_TOO_BIG) {
        return true;
    }
    if (!CHECK_EQ(compiled.codes[0], BRIG_OK) || !CHECK_EQ(compiled.codes[1], BRIG_OK)) {
        return false;
    }
    for (uint32_t i = 0; i < TUPLES; i++) {
        struct brig_dsl_data data = random_data(&random, program_rules_of(&compiled, i));
        if (!agree(&compiled, &data)) {
            return false;
        }
    }
    for (uint32_t i = 0; i <= compiled.other_count; i++) {
        if (!random_visit_borders(&random, program_rules_of(&compiled, i), MOST_VALUES, &visitor)) {
            return false;
        }
    }
    return true;
}

TEST(arches, each_gets_what_its_rules_say)
{
    for (uint64_t seed = 1; seed <= POLICIES; seed++) {
        REQUIRE(policy_agrees(seed));
    }
    test_message("%s", "");
}

// --- policies ---------------------------------------------------------------------------------------------------------

static const struct brig_dsl_import import = {.foreign = BRIG_DSL_ACTION_DENY(90), .x32 = BRIG_DSL_ACTION_DENY(91)};
static const struct brig_dsl_import other_import = {.foreign = BRIG_DSL_ACTION_DENY(92), .x32 = BRIG_DSL_ACTION_DENY(93)};
// Checks that take room, on calls that all arches have.
static const struct brig_dsl_row rows[] = {
    ROW(exit_group, ALLOW),
    ROW(clone, ALLOW, NO_BITS(reg0, 0x7e020000)),
    ROW(personality, ALLOW, IN(reg0, 0, 8, 0x20000, 0x20008, U64(0xffffffff))),
    ROW(socket, DENY(1), IN(reg0, 40)),
    ROW(socket, DENY(2), IN(reg0, 41), NOT_IN(reg1, 3)),
    ROW(socket, DENY(3), MASKED(reg1, 0xf, 3), RANGE(reg2, 5, 0x100000005)),
    ROW(prctl, ALLOW, IN(reg0, 1, 2, 3, 5, 8, 13, 21, 34)),
    ROW(gettid, DENY(4)),
    ROWS_END,
};
static const struct brig_dsl_row other_rows[] = {ROW(gettid, DENY(5)), ROWS_END};
static const struct brig_dsl_policy policy = {.name = "p", .rows = rows, FALLBACK(DENY(80)), .import = &import};
static const struct brig_dsl_policy other = {.name = "q", .rows = other_rows, FALLBACK(DENY(81)), .import = &other_import};
static const struct brig_dsl_policy ours = {.name = "ours", .rows = other_rows, FALLBACK(CRASH), .kernel = BRIG_DSL_KERNEL(6, 18)};

static const struct brig_dsl_options options = {.self_pid = BRIG_DSL_SLOT_UNSET, .notify_fd = BRIG_DSL_SLOT_UNSET};

static enum brig_code compile(const struct brig_dsl_target *targets, size_t count, struct brig_dsl_program *ret_program,
                              struct brig_error *reterr)
{
    static _Alignas(16) unsigned char memory[BRIG_DSL_ARENA_BYTES];
    struct brig_dsl_arena arena;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    return brig_dsl_compile_targets(targets, count, &options, &arena, ret_program, reterr);
}

static uint32_t run(const struct brig_dsl_program *program, enum brig_dsl_arch arch, enum brig_dsl_call call)
{
    const struct brig_dsl_data data = {.nr = (uint32_t)brig_dsl_call_nr(call, arch), .audit_arch = brig_dsl_arch_audit(arch)};
    return brig_dsl_interpret(program->insns, program->insn_count, &data, NULL).ret;
}

TEST(arches, any_order)
{
    static const enum brig_dsl_arch orders[][3] = {{BRIG_DSL_X86_64, BRIG_DSL_ARM, BRIG_DSL_RISCV64},
                                                   {BRIG_DSL_RISCV64, BRIG_DSL_X86_64, BRIG_DSL_ARM},
                                                   {BRIG_DSL_ARM, BRIG_DSL_RISCV64, BRIG_DSL_X86_64}};
    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        const struct brig_dsl_target targets[] = {{orders[i][0], &policy}, {orders[i][1], &other}, {orders[i][2], &policy}};
        struct brig_dsl_program program;
        struct brig_error error;
        REQUIRE(CHECK_OK(compile(targets, 3, &program, &error), &error));
        CHECK_EQ(program.arch, orders[i][0]);
        CHECK_STR_EQ(program.policy, "p");
        CHECK_EQ(program.trap_count, 0u);
        CHECK_EQ(run(&program, orders[i][0], BRIG_SYS_gettid), SECCOMP_RET_ERRNO | 4);
        CHECK_EQ(run(&program, orders[i][1], BRIG_SYS_gettid), SECCOMP_RET_ERRNO | 5);
        CHECK_EQ(run(&program, orders[i][2], BRIG_SYS_gettid), SECCOMP_RET_ERRNO | 4);
        CHECK_EQ(run(&program, orders[i][1], BRIG_SYS_exit_group), SECCOMP_RET_ERRNO | 81);
        CHECK_EQ(run(&program, BRIG_DSL_I386, BRIG_SYS_gettid), SECCOMP_RET_ERRNO | 90);
        CHECK_EQ(run(&program, BRIG_DSL_AARCH64, BRIG_SYS_exit_group), SECCOMP_RET_ERRNO | 90);
    }
}

TEST(arches, one_target_is_a_compile)
{
    static _Alignas(16) unsigned char memory[BRIG_DSL_ARENA_BYTES];
    for (int arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
        const struct brig_dsl_target target = {(enum brig_dsl_arch)arch, arch % 2 == 0 ? &policy : &ours};
        struct brig_dsl_options with_arch = options;
        struct brig_dsl_program one;
        struct brig_dsl_program program;
        struct brig_dsl_arena arena;
        struct brig_error error;
        with_arch.arch = target.arch;
        brig_dsl_arena_init(&arena, memory, sizeof memory);
        REQUIRE(CHECK_OK(brig_dsl_compile(target.policy, &with_arch, &arena, &one, &error), &error));
        REQUIRE(CHECK_OK(compile(&target, 1, &program, &error), &error));
        CHECK_EQ(program.hash, one.hash);
        CHECK_EQ(program.trap_count, one.trap_count);
    }
}

TEST(arches, share_what_they_have_in_common)
{
    const struct brig_dsl_target both[] = {{BRIG_DSL_X86_64, &policy}, {BRIG_DSL_I386, &policy}};
    struct brig_dsl_program programs[3];
    struct brig_error error;
    for (size_t i = 0; i < 2; i++) {
        REQUIRE(CHECK_OK(compile(&both[i], 1, &programs[i], &error), &error));
    }
    REQUIRE(CHECK_OK(compile(both, 2, &programs[2], &error), &error));
    // Bodies once; the numbers twice.
    CHECK_LT(programs[2].insn_count, programs[0].insn_count + programs[1].insn_count / 2);
}

TEST(arches, the_kernel_agrees)
{
    static const enum brig_dsl_call asked[] = {BRIG_SYS_gettid, BRIG_SYS_socket, BRIG_SYS_getppid, BRIG_SYS_socket};
    struct kernel_call calls[COUNT_OF(asked)] = {{.nr = 0}};
    enum brig_dsl_arch native = brig_dsl_arch_native();
    const struct brig_dsl_target targets[] = {{native == BRIG_DSL_ARM ? BRIG_DSL_I386 : BRIG_DSL_ARM, &other}, {native, &policy}};
    struct brig_dsl_program program;
    struct brig_error error;
    REQUIRE(CHECK_OK(compile(targets, 2, &program, &error), &error));
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        calls[i].nr = (uint32_t)brig_dsl_call_nr(asked[i], native);
        calls[i].args[0] = i == 1 ? 40 : 41;
        calls[i].args[1] = 5;
    }
    const struct kernel_filter filter = {program.insns, program.insn_count};
    REQUIRE(CHECK(kernel_answers(&filter, 1, calls, COUNT_OF(asked))));
    CHECK_EQ(calls[0].answer, 4);
    CHECK_EQ(calls[1].answer, 1);
    CHECK_EQ(calls[2].answer, 80);
    CHECK_EQ(calls[3].answer, 2);
}

TEST(arches, errors)
{
    static const struct {
        struct brig_dsl_target targets[6];
        size_t count;
        const char *subject;
    } lists[] = {
        {{{BRIG_DSL_X86_64, &policy}}, 0, "target_count"},
        {{{BRIG_DSL_X86_64, &policy}, {BRIG_DSL_I386, &policy}, {BRIG_DSL_X86_64, &other}}, 3, "arch"},
        {{{BRIG_DSL_ARCH_COUNT, &policy}}, 1, "arch"},
        {{{BRIG_DSL_X86_64, &policy}, {BRIG_DSL_I386, &ours}}, 2, "policy"},
    };
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        struct brig_dsl_program program = {.insn_count = 4711};
        struct brig_error error;
        CHECK(CHECK_CODE(compile(lists[i].targets, lists[i].count, &program, &error), BRIG_BAD_ARGUMENT, &error));
        CHECK_STR_EQ(error.subject, lists[i].subject);
        CHECK_EQ(program.insn_count, 4711u);
    }
}
