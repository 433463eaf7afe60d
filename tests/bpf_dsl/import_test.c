// Policies that were written for other tools: what their rows say and nothing else, on every arch, by every witness.
#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>

#include "bpf_dsl/program.h"
#include "bpf_dsl/words.h"
#include "tests/bpf_dsl/kernel_fixture.h"
#include "tests/bpf_dsl/rules_fixture.h"
#include "tests/shim/codes.h"
#include "tests/shim/test.h"

// Errnos that tell where an answer came from.
enum { ROW_SAYS = 101, FALLBACK_SAYS = 102, FOREIGN_SAYS = 103, X32_SAYS = 104 };
#define SAYS(which) (SECCOMP_RET_ERRNO | (which))

static const struct brig_dsl_import import = {.foreign = BRIG_DSL_ACTION_DENY(FOREIGN_SAYS), .x32 = BRIG_DSL_ACTION_DENY(X32_SAYS)};

static struct brig_dsl_policy policy_of(const struct brig_dsl_row *rows)
{
    return (struct brig_dsl_policy){.name = "imported", .rows = rows, FALLBACK(DENY(FALLBACK_SAYS)), .import = &import};
}

// --- the witnesses ----------------------------------------------------------------------------------------------------

enum { OPTIMISED, PLAIN, FORMS };

static struct witnesses {
    struct brig_dsl_rules rules;
    struct brig_dsl_program programs[FORMS];
} witnesses;

static bool compile(const struct brig_dsl_policy *policy, enum brig_dsl_arch arch)
{
    static _Alignas(16) unsigned char memory[FORMS][BRIG_DSL_ARENA_BYTES];
    struct brig_error error;
    for (int form = 0; form < FORMS; form++) {
        struct brig_dsl_options options = fixture_options(arch);
        struct brig_dsl_arena arena;
        options.plain = form == PLAIN;
        brig_dsl_arena_init(&arena, memory[form], sizeof memory[form]);
        if (!CHECK_OK(brig_dsl_compile(policy, &options, &arena, &witnesses.programs[form], &error), &error)) {
            return false;
        }
    }
    struct brig_dsl_options options = fixture_options(arch);
    return CHECK_OK(fixture_resolve(policy, &options, &witnesses.rules, &error), &error);
}

static struct brig_dsl_data data_of(uint32_t nr)
{
    return (struct brig_dsl_data){.nr = nr, .audit_arch = brig_dsl_arch_audit(witnesses.rules.arch)};
}

static void expect(const struct brig_dsl_data *data, uint32_t ret)
{
    CHECK_EQ(brig_dsl_evaluate(&witnesses.rules, data, NULL), ret);
    for (int form = 0; form < FORMS; form++) {
        CHECK_EQ(brig_dsl_interpret(witnesses.programs[form].insns, witnesses.programs[form].insn_count, data, NULL).ret, ret);
    }
}

// --- verbs ------------------------------------------------------------------------------------------------------------

TEST(import, verbs)
{
    static const struct {
        const struct brig_dsl_action action;
        uint32_t ret;
    } verbs[] = {
        {BRIG_DSL_ACTION_ALLOW, SECCOMP_RET_ALLOW},
        {BRIG_DSL_ACTION_DENY(EPERM), SECCOMP_RET_ERRNO | EPERM},
        {BRIG_DSL_ACTION_DENY(0), SECCOMP_RET_ERRNO},
        {BRIG_DSL_ACTION_LOG, SECCOMP_RET_LOG},
        {BRIG_DSL_ACTION_KILL_PROCESS, SECCOMP_RET_KILL_PROCESS},
        {BRIG_DSL_ACTION_KILL_THREAD, SECCOMP_RET_KILL_THREAD},
        {BRIG_DSL_ACTION_TRACE(0xffff), SECCOMP_RET_TRACE | 0xffff},
        {BRIG_DSL_ACTION_NOTIFY, SECCOMP_RET_USER_NOTIF},
        {BRIG_DSL_ACTION_TRAP(0), SECCOMP_RET_TRAP},
        {BRIG_DSL_ACTION_TRAP(0xfffe), SECCOMP_RET_TRAP | 0xfffe},
    };
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        const struct brig_dsl_row rows[] = {
            {.kind = BRIG_DSL_ROW_CALL, .call = BRIG_SYS_read, .action = verbs[i].action},
            ROWS_END,
        };
        const struct brig_dsl_import said = {.foreign = verbs[i].action, .x32 = verbs[i].action};
        struct brig_dsl_policy policy = policy_of(rows);
        policy.import = &said;
        test_message("%#x", verbs[i].ret);
        REQUIRE(compile(&policy, BRIG_DSL_X86_64));
        struct brig_dsl_data data = data_of(0);
        expect(&data, verbs[i].ret);
        data.nr |= 0x40000000;
        expect(&data, verbs[i].ret);
        data.audit_arch = brig_dsl_arch_audit(BRIG_DSL_I386);
        expect(&data, verbs[i].ret);
        CHECK_EQ(witnesses.programs[OPTIMISED].trap_count, 0u);
        CHECK_STR_EQ(witnesses.programs[OPTIMISED].policy, "imported");
    }
    test_message("%s", "");
}

// --- what only policies of Brig's own have ----------------------------------------------------------------------------

static const struct brig_dsl_row some_rows[] = {
    ROW(getppid, DENY(ROW_SAYS), IN(reg0, 1)),
    ROW(close_range, DENY(ROW_SAYS), IN(reg2, 0)),
    ROWS_END,
};

TEST(import, nothing_but_the_rows)
{
    static const enum brig_dsl_call calls[] = {BRIG_SYS_rt_sigreturn, BRIG_SYS_restart_syscall, BRIG_SYS_exit_group,
                                               BRIG_SYS_gettid,       BRIG_SYS_futex,           BRIG_SYS_clone3,
                                               BRIG_SYS_getppid,      BRIG_SYS_close_range,     BRIG_SYS_write};
    static const uint32_t numbers[] = {BRIG_DSL_DIE_NR, BRIG_DSL_PROBE_NR, 1023, 0x3fffffff};
    for (int arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
        struct brig_dsl_policy policy = policy_of(some_rows);
        policy.kernel = arch % 2 == 0 ? 0 : BRIG_DSL_KERNEL(2, 6); // a baseline says nothing here, nor does none
        REQUIRE(compile(&policy, (enum brig_dsl_arch)arch));
        for (size_t i = 0; i < COUNT_OF(calls) + COUNT_OF(numbers); i++) {
            struct brig_dsl_data data = data_of(i < COUNT_OF(calls) ? (uint32_t)brig_dsl_call_nr(calls[i], (enum brig_dsl_arch)arch)
                                                                    : numbers[i - COUNT_OF(calls)]);
            data.args[2] = 1;
            test_message("%s: %#x", brig_dsl_arch_name((enum brig_dsl_arch)arch), data.nr);
            expect(&data, SAYS(FALLBACK_SAYS));
        }
        struct brig_dsl_data data = data_of((uint32_t)brig_dsl_call_nr(BRIG_SYS_getppid, (enum brig_dsl_arch)arch));
        data.args[0] = 1;
        expect(&data, SAYS(ROW_SAYS));
        static const uint32_t x32_numbers[] = {0x40000000, 0x7fffffff, 0x80000000, UINT32_MAX - 1};
        for (size_t i = 0; i < COUNT_OF(x32_numbers); i++) {
            data.nr = x32_numbers[i];
            expect(&data, arch == BRIG_DSL_X86_64 ? SAYS(X32_SAYS) : SAYS(FALLBACK_SAYS));
        }
        data.nr = UINT32_MAX; // of a call that a tracer skips
        expect(&data, SAYS(FALLBACK_SAYS));
        data.audit_arch ^= 1;
        expect(&data, SAYS(FOREIGN_SAYS));
    }
    test_message("%s", "");
}

static const struct brig_dsl_row ordered_rows[] = {
    ROW(getppid, DENY(1), IN(reg0, 1)),
    ROW(getppid, DENY(2), IN(reg1, 1)),
    ROW(getppid, DENY(3)),
    ROW(getppid, DENY(4), IN(reg9, what)),
    ROW(getpid, DENY(5), RANGE(reg0, 5, 4)),         // never
    ROW(getpid, DENY(6), MASKED(reg0, 1, 2)),        // never
    ROW(getpid, DENY(7), NOT_MASKED(reg0, 1, 2, 0)), // where bit 0 is set
    ROWS_END,
};

// The first row that matches wins, and what stands behind an unconditional one is not even read.
TEST(import, order_of_rows)
{
    struct brig_dsl_policy policy = policy_of(ordered_rows);
    REQUIRE(compile(&policy, BRIG_DSL_X86_64));
    for (uint64_t bits = 0; bits < 4; bits++) {
        struct brig_dsl_data data = data_of(110);
        data.args[0] = bits & 1;
        data.args[1] = bits >> 1;
        expect(&data, SECCOMP_RET_ERRNO | ((bits & 1) != 0 ? 1 : bits != 0 ? 2 : 3));
        data.nr = 39;
        expect(&data, (bits & 1) != 0 ? SECCOMP_RET_ERRNO | 7 : SAYS(FALLBACK_SAYS));
    }
}

// --- conditions -------------------------------------------------------------------------------------------------------

#define HIGH UINT64_C(0x100000000)

// One condition on register 0, and values for which it holds or not; a list ends in its first 0 but for the first value.
static const struct question {
    const struct brig_dsl_row row;
    uint64_t yes[6];
    uint64_t no[6];
} questions[] = {
    {ROW(getppid, DENY(ROW_SAYS), IN(reg0, 1, 0x100000002)), {1, HIGH + 2}, {0, 2, HIGH, HIGH + 1, UINT64_MAX}},
    {ROW(getppid, DENY(ROW_SAYS), IN(reg0, U64(0xffffffffffffffff))), {UINT64_MAX}, {0, UINT32_MAX, INT64_MAX, UINT64_MAX - 1}},
    {ROW(getppid, DENY(ROW_SAYS), IN(reg0, -1)), {UINT64_MAX}, {0, UINT32_MAX, UINT64_MAX - 1}},
    {ROW(getppid, DENY(ROW_SAYS), NOT_IN(reg0, 0)), {1, HIGH, UINT64_MAX}, {0}},
    {ROW(getppid, DENY(ROW_SAYS), NOT_IN(reg0, U64(0xffffffffffffffff))), {0, UINT32_MAX, HIGH, UINT64_MAX - 1}, {UINT64_MAX}},
    {ROW(getppid, DENY(ROW_SAYS), NOT_IN(reg0, 0xffffffff, 0x100000000)), {0, 1, HIGH - 2, HIGH + 1, 2 * HIGH}, {HIGH - 1, HIGH}},
    {ROW(getppid, DENY(ROW_SAYS), AT_LEAST(reg0, 0x100000000)), {HIGH, HIGH + 1, UINT64_MAX}, {0, HIGH - 1}},
    {ROW(getppid, DENY(ROW_SAYS), AT_LEAST(reg0, 0xffffffff)), {HIGH - 1, HIGH, UINT64_MAX}, {0, HIGH - 2}},
    {ROW(getppid, DENY(ROW_SAYS), AT_LEAST(reg0, U64(0x8000000000000000))), {UINT64_C(1) << 63, UINT64_MAX}, {0, INT64_MAX}},
    {ROW(getppid, DENY(ROW_SAYS), AT_MOST(reg0, 0xffffffff)), {0, HIGH - 1}, {HIGH, 2 * HIGH, UINT64_MAX}},
    {ROW(getppid, DENY(ROW_SAYS), AT_MOST(reg0, 0x100000005)), {0, HIGH - 1, HIGH + 5}, {HIGH + 6, 2 * HIGH, UINT64_MAX}},
    {ROW(getppid, DENY(ROW_SAYS), AT_MOST(reg0, 0)), {0}, {1, HIGH, UINT64_MAX}},
    {ROW(getppid, DENY(ROW_SAYS), RANGE(reg0, 0x80000000, 0x200000000)),
     {HIGH / 2, HIGH, 2 * HIGH},
     {0, HIGH / 2 - 1, 2 * HIGH + 1}},
    {ROW(getppid, DENY(ROW_SAYS), MASKED(reg0, 0x1000000ff, 0x100000007)),
     {HIGH + 7, 3 * HIGH + 0x107},
     {0, 7, HIGH, 2 * HIGH + 7}},
    {ROW(getppid, DENY(ROW_SAYS), NOT_MASKED(reg0, 0x1000000ff, 0x100000007)),
     {0, 7, HIGH, 2 * HIGH + 7},
     {HIGH + 7, 3 * HIGH + 0x107}},
    {ROW(getppid, DENY(ROW_SAYS), ONLY_BITS(reg0, 0x100000001)), {0, 1, HIGH, HIGH + 1}, {2, 2 * HIGH, UINT64_MAX}},
    {ROW(getppid, DENY(ROW_SAYS), NO_BITS(reg0, 0x7e020000)), {0, 1, 0x10000, HIGH}, {0x20000, 0x40000000, HIGH + 0x20000}},
    {ROW(getppid, DENY(ROW_SAYS), ALL_BITS(reg0, 0x100000001)), {HIGH + 1, UINT64_MAX}, {0, 1, HIGH}},
    {ROW(getppid, DENY(ROW_SAYS), ANY_BITS(reg0, 0x100000001)), {1, HIGH, 3, UINT64_MAX}, {0, 2, 2 * HIGH, UINT32_MAX - 1}},
    {ROW(getppid, DENY(ROW_SAYS), ANY_BITS(reg0, U64(0x8000000000000000))), {UINT64_C(1) << 63, UINT64_MAX}, {0, INT64_MAX}},
    {ROW(getppid, DENY(ROW_SAYS), ANY_BITS(reg0, 0)), {0}, {0}}, // never: `yes` is not asked
};

static bool has_value(const uint64_t *values, size_t n)
{
    return n < COUNT_OF(questions[0].yes) && (n == 0 || values[n] != 0);
}

// Asks one question everywhere but in the kernel. Returns: false after a compile that failed.
static bool ask(const struct question *question, enum brig_dsl_arch arch)
{
    const struct brig_dsl_row rows[] = {question->row, ROWS_END};
    struct brig_dsl_policy policy = policy_of(rows);
    if (!compile(&policy, arch)) {
        return false;
    }
    bool is_never = question->yes[0] == question->no[0];
    struct brig_dsl_data data = data_of((uint32_t)brig_dsl_call_nr(BRIG_SYS_getppid, arch));
    for (size_t n = 0; !is_never && has_value(question->yes, n); n++) {
        data.args[0] = question->yes[n];
        test_message("%s: %s, %#llx", brig_dsl_arch_name(arch), question->row.conditions->text, (unsigned long long)data.args[0]);
        expect(&data, SAYS(ROW_SAYS));
    }
    for (size_t n = 0; has_value(question->no, n); n++) {
        data.args[0] = question->no[n];
        test_message("%s: %s, %#llx", brig_dsl_arch_name(arch), question->row.conditions->text, (unsigned long long)data.args[0]);
        expect(&data, SAYS(FALLBACK_SAYS));
    }
    return true;
}

TEST(import, conditions_are_on_registers)
{
    for (int arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
        for (size_t i = 0; i < COUNT_OF(questions); i++) {
            REQUIRE(ask(&questions[i], (enum brig_dsl_arch)arch));
        }
    }
    test_message("%s", "");
}

// The kernel, where its registers can hold the value.
TEST(import, the_kernel_agrees)
{
    enum brig_dsl_arch arch = brig_dsl_arch_native();
    for (size_t i = 0; i < COUNT_OF(questions); i++) {
        const struct question *question = &questions[i];
        const struct brig_dsl_row rows[] = {ROW(exit_group, ALLOW), question->row, ROWS_END};
        struct brig_dsl_policy policy = policy_of(rows);
        struct kernel_call calls[12] = {{.nr = 0}};
        uint32_t count = 0;
        test_message("%s", question->row.conditions->text);
        REQUIRE(compile(&policy, arch));
        for (size_t n = 0; n < 12; n++) {
            const uint64_t *values = n < 6 ? question->yes : question->no;
            if (has_value(values, n % 6) && (unsigned long)values[n % 6] == values[n % 6]) {
                calls[count].nr = (uint32_t)brig_dsl_call_nr(BRIG_SYS_getppid, arch);
                calls[count++].args[0] = (unsigned long)values[n % 6];
            }
        }
        const struct kernel_filter filter = {witnesses.programs[0].insns, witnesses.programs[0].insn_count};
        REQUIRE(CHECK(kernel_answers(&filter, 1, calls, count)));
        for (uint32_t n = 0; n < count; n++) {
            struct brig_dsl_data data = data_of(calls[n].nr);
            data.args[0] = calls[n].args[0];
            CHECK_EQ(SAYS((uint32_t)calls[n].answer), brig_dsl_evaluate(&witnesses.rules, &data, NULL));
        }
    }
    test_message("%s", "");
}

// Where the call thinks otherwise: half a register, memory, pointers, a union without a selector.
static const struct brig_dsl_row odd_rows[] = {
    ROW(socketcall, DENY(ROW_SAYS), IN(reg0, 1)),
    ROW(mmap, DENY(ROW_SAYS), IN(reg0, 1)),
    ROW(read, DENY(ROW_SAYS), IN(reg1, 1)),
    ROW(fcntl, DENY(ROW_SAYS), IN(reg2, 1)),
    ROW(mkdir, DENY(ROW_SAYS), IN(reg1, 1)),
    ROW(gettid, DENY(ROW_SAYS), IN(reg5, 1)),
    ROWS_END,
};

TEST(import, whatever_the_call_thinks_of_them)
{
    static const uint8_t registers[] = {0, 0, 1, 2, 1, 5};
    struct brig_dsl_policy policy = policy_of(odd_rows);
    for (int arch = BRIG_DSL_X86_64; arch <= BRIG_DSL_I386; arch++) {
        REQUIRE(compile(&policy, (enum brig_dsl_arch)arch));
        for (size_t i = 0; i < COUNT_OF(registers); i++) {
            int32_t nr = brig_dsl_call_nr(odd_rows[i].call, (enum brig_dsl_arch)arch);
            struct brig_dsl_data data = data_of(nr < 0 ? 1023 : (uint32_t)nr);
            test_message("%s", brig_dsl_call_name(odd_rows[i].call));
            data.args[registers[i]] = 1;
            expect(&data, nr < 0 ? SAYS(FALLBACK_SAYS) : SAYS(ROW_SAYS));
            data.args[registers[i]] = HIGH + 1;
            expect(&data, SAYS(FALLBACK_SAYS));
            data.args[registers[i]] = 0x10001;
            expect(&data, SAYS(FALLBACK_SAYS));
        }
    }
    test_message("%s", "");
}

// --- errors -----------------------------------------------------------------------------------------------------------

static const enum brig_dsl_call no_calls[] = {BRIG_SYS_NONE};
static const struct brig_dsl_handler handler = {.name = "handler", .calls = no_calls};
static const struct brig_dsl_import without_foreign = {.x32 = BRIG_DSL_ACTION_ALLOW};
static const struct brig_dsl_import without_x32 = {.foreign = BRIG_DSL_ACTION_ALLOW};
static const struct brig_dsl_import with_crash = {.foreign = BRIG_DSL_ACTION_CRASH, .x32 = BRIG_DSL_ACTION_ALLOW};
static const struct brig_dsl_row no_rows[] = {ROWS_END};
static const struct brig_dsl_policy imported = {.name = "base", .rows = no_rows, FALLBACK(ALLOW), .import = &import};
static const struct brig_dsl_policy ours = {.name = "base", .rows = no_rows, FALLBACK(CRASH), .kernel = BRIG_DSL_KERNEL(6, 18)};

#define ROWS(...) \
    (const struct brig_dsl_row[]) \
    { \
        __VA_ARGS__, ROWS_END \
    }
#define IMPORTED(...) \
    { \
        .name = "p", .import = &import, __VA_ARGS__ \
    }

static const struct {
    const struct brig_dsl_policy policy;
    enum brig_code code;
    const char *subject;
} mistakes[] = {
    {IMPORTED(.rows = ROWS(ROW(read, CRASH)), FALLBACK(ALLOW)), BRIG_BAD_ACTION, "read"},
    {IMPORTED(.rows = ROWS(ROW(read, REPORT(1))), FALLBACK(ALLOW)), BRIG_BAD_ACTION, "read"},
    {IMPORTED(.rows = ROWS(
                  {.kind = BRIG_DSL_ROW_CALL, .call = BRIG_SYS_read, .action = {.verb = BRIG_DSL_EMULATE, .handler = &handler}}),
              FALLBACK(ALLOW)),
     BRIG_BAD_ACTION, "read"},
    {IMPORTED(.rows = no_rows, FALLBACK(CRASH)), BRIG_BAD_ACTION, "fallback"},
    {IMPORTED(.rows = no_rows), BRIG_BAD_ACTION, "fallback"},
    {{.name = "p", .rows = no_rows, FALLBACK(ALLOW), .import = &without_foreign}, BRIG_BAD_ACTION, "foreign"},
    {{.name = "p", .rows = no_rows, FALLBACK(ALLOW), .import = &without_x32}, BRIG_BAD_ACTION, "x32"},
    {{.name = "p", .rows = no_rows, FALLBACK(ALLOW), .import = &with_crash}, BRIG_BAD_ACTION, "foreign"},
    {IMPORTED(.rows = no_rows, FALLBACK(ALLOW), .base = &ours), BRIG_BAD_ARGUMENT, "base"},
    {{.name = "p", .rows = no_rows, FALLBACK(ALLOW), .base = &imported, .kernel = 1}, BRIG_BAD_ARGUMENT, "base"},
    {{.name = "p", .rows = ROWS(ROW(read, TRAP(1))), FALLBACK(ALLOW), .kernel = 1}, BRIG_BAD_ACTION, "read"},
    {{.name = "p", .rows = no_rows, FALLBACK(TRAP(1)), .kernel = 1}, BRIG_BAD_ACTION, "fallback"},
    {IMPORTED(.rows = ROWS(ROW(read, ALLOW, IN(fd, 1))), FALLBACK(ALLOW)), BRIG_NO_SUCH_ARGUMENT, "fd"},
    {IMPORTED(.rows = ROWS(ROW(read, ALLOW, IN(reg6, 1))), FALLBACK(ALLOW)), BRIG_NO_SUCH_ARGUMENT, "reg6"},
    {IMPORTED(.rows = ROWS(ROW(read, ALLOW, IN(reg, 1))), FALLBACK(ALLOW)), BRIG_NO_SUCH_ARGUMENT, "reg"},
    {IMPORTED(.rows = ROWS(ROW(read, ALLOW, IS_NULL(reg1))), FALLBACK(ALLOW)), BRIG_BAD_CONDITION, "reg1"},
    {IMPORTED(.rows = ROWS(ROW(read, ALLOW, LOW32_IN(reg1, 1))), FALLBACK(ALLOW)), BRIG_BAD_CONDITION, "reg1"},
    {IMPORTED(.rows = ROWS(ROW(read, ALLOW, AT_LEAST(reg1, -1))), FALLBACK(ALLOW)), BRIG_VALUE_OUT_OF_RANGE, "-1"},
    {IMPORTED(.rows = ROWS(ROW(read, ALLOW, IN(reg1, 0x8000000000000000))), FALLBACK(ALLOW)), BRIG_VALUE_OUT_OF_RANGE,
     "0x8000000000000000"},
    {IMPORTED(.rows = ROWS(ROW(read, DENY(4096))), FALLBACK(ALLOW)), BRIG_BAD_ACTION, "read"},
};

TEST(import, errors)
{
    for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
        struct brig_dsl_options options = fixture_options(BRIG_DSL_X86_64);
        struct brig_dsl_rules rules;
        struct brig_error error;
        test_message("%zu", i);
        CHECK(CHECK_CODE(fixture_resolve(&mistakes[i].policy, &options, &rules, &error), mistakes[i].code, &error));
        CHECK_STR_EQ(fixture_subject(&error), mistakes[i].subject);
    }
    test_message("%s", "");
}

// Two masks of one upper half leave no call on some ways through the rules, which the check finds out while it asks about a list of
// values in several upper halves.
TEST(import, contradictions_are_no_calls)
{
    static const struct brig_dsl_condition conditions[] = {
        {.op = BRIG_DSL_NOT_MASKED,
         .argument = "reg0",
         .text = "U64(0xfffffff0ffffffff), 0x4000000005, 0x8000000005, 0x9000000005, 0xa000000005"},
        {.op = BRIG_DSL_IN, .argument = "reg0", .text = "0x4500000005, 0xd500000005"},
        {.op = BRIG_DSL_NOT_IN, .argument = "reg0", .text = "0xd500000005, 0xd600000005"},
        {.op = BRIG_DSL_END}};
    static const struct brig_dsl_row rows[] = {
        {.kind = BRIG_DSL_ROW_CALL, .call = BRIG_SYS_read, .action = {.verb = BRIG_DSL_ALLOW}, .conditions = conditions},
        {.kind = BRIG_DSL_ROW_CALL, .call = BRIG_SYS_read, .action = {.verb = BRIG_DSL_DENY, .data = ROW_SAYS}},
        {.kind = BRIG_DSL_ROW_END}};
    const struct brig_dsl_policy policy = policy_of(rows);
    REQUIRE(compile(&policy, BRIG_DSL_X86_64));
    struct brig_dsl_data data = data_of(0);
    for (uint64_t high = 0; high < 256; high++) {
        data.args[0] = high << 32 | 5;
        expect(&data, SAYS(ROW_SAYS));
    }
}

// --- as importers do it -----------------------------------------------------------------------------------------------

enum { ROW_COUNT = 3000 };

// Rows in memory that was made for them: long lists of one call, and every call in turn, again and again.
TEST(import, thousands_of_rows)
{
    static struct brig_dsl_row rows[ROW_COUNT + 1];
    static struct brig_dsl_condition conditions[ROW_COUNT][2];
    static char texts[ROW_COUNT][24];
    static _Alignas(16) unsigned char memory[16 << 20];
    for (int i = 0; i < ROW_COUNT; i++) {
        bool is_listed = i % 3 != 0;
        enum brig_dsl_call call = (enum brig_dsl_call)(1 + i / 3 % (BRIG_SYS_COUNT - 1));
        snprintf(texts[i], sizeof texts[i], "%#x", 0x5000 + 7 * i);
        conditions[i][0] = (struct brig_dsl_condition){.op = BRIG_DSL_IN, .argument = "reg1", .text = texts[i]};
        rows[i] = (struct brig_dsl_row){.kind = BRIG_DSL_ROW_CALL,
                                        .call = is_listed                ? BRIG_SYS_ioctl
                                                : call == BRIG_SYS_ioctl ? BRIG_SYS_read
                                                                         : call,
                                        .action = {.verb = BRIG_DSL_DENY, .data = ROW_SAYS},
                                        .conditions = is_listed ? conditions[i] : NULL};
    }
    struct brig_dsl_policy policy = policy_of(rows);
    struct brig_dsl_options options = fixture_options(BRIG_DSL_X86_64);
    struct brig_dsl_program program;
    struct brig_dsl_arena arena;
    struct brig_error error;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    REQUIRE(CHECK_OK(brig_dsl_compile(&policy, &options, &arena, &program, &error), &error));
    CHECK(!program.is_plain);
    for (uint64_t value = 0x4ff0; value < 0x5000 + 7 * ROW_COUNT + 16; value++) {
        const struct brig_dsl_data data = {.nr = 16, .audit_arch = brig_dsl_arch_audit(BRIG_DSL_X86_64), .args = {0, value}};
        bool is_said =
            value >= 0x5000 && (value - 0x5000) % 7 == 0 && (value - 0x5000) / 7 % 3 != 0 && value < 0x5000 + 7 * ROW_COUNT;
        uint32_t ret = brig_dsl_interpret(program.insns, program.insn_count, &data, NULL).ret;
        test_message("%#llx", (unsigned long long)value);
        REQUIRE(CHECK_EQ(ret, is_said ? SAYS(ROW_SAYS) : SAYS(FALLBACK_SAYS)));
    }
    test_message("%s", "");
}
