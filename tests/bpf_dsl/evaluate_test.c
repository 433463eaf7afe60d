// Evaluate: each operator on both sides of each of its edges, at both widths and in both signs.
#include <errno.h>

#include <linux/seccomp.h>

#include "bpf_dsl/rules.h"
#include "bpf_dsl/words.h"
#include "tests/bpf_dsl/rules_fixture.h"
#include "tests/shim/codes.h"
#include "tests/shim/test.h"

#define DIRTY (UINT64_C(0xdeadbeef) << 32)

static const struct brig_dsl_values small = VALUES(small, "a few", 1, 2, 0x10);
static const struct brig_dsl_constant own[] = {{"OURS", 3}, {.name = NULL}};

// One condition, and the values of one argument for which it must hold or not.
struct question {
    const char *what;
    enum brig_dsl_arch arch;
    const struct brig_dsl_row row;
    int argument;
    uint64_t yes[6]; // ends in the first value that is repeated
    uint64_t no[6];
};

#define MINUS(number) ((uint64_t)INT64_C(-number))

static const struct question questions[] = {
    {"int in", BRIG_DSL_X86_64, ROW(fcntl, ALLOW, IN(cmd, 3, F_GETFD)), 1, {3, 1, DIRTY | 3}, {0, 2, 4, DIRTY | 4, UINT64_MAX}},
    {"int in a set", BRIG_DSL_X86_64, ROW(ioctl, ALLOW, IN_SET(cmd, small)), 1, {1, 2, 0x10}, {0, 3, 0xf, 0x11}},
    {"own constant", BRIG_DSL_X86_64, ROW(fcntl, ALLOW, IN(cmd, OURS)), 1, {3, DIRTY | 3}, {0, 4}},
    {"negative int",
     BRIG_DSL_X86_64,
     ROW(openat, ALLOW, IN(dirfd, AT_FDCWD)),
     0,
     {MINUS(100), 0xffffff9c, DIRTY | 0xffffff9c},
     {100, 0xffffff9b, MINUS(101)}},
    {"int above INT_MAX", BRIG_DSL_X86_64, ROW(openat, ALLOW, IN(dirfd, 0xffffff9c)), 0, {MINUS(100), 0xffffff9c}, {100}},
    {"own pid",
     BRIG_DSL_X86_64,
     ROW(kill, ALLOW, IN(pid, SELF_PID, -1)),
     0,
     {FIXTURE_PID, DIRTY | FIXTURE_PID, MINUS(1)},
     {FIXTURE_PID + 1, 0}},
    {"long in",
     BRIG_DSL_X86_64,
     ROW(read, ALLOW, IN(count, 5, U64(0xffffffffffffffff), 0x100000001)),
     2,
     {5, UINT64_MAX, 0x100000001},
     {DIRTY | 5, 1, 0xffffffff, 0x100000000}},
    {"long in, sign-extended", BRIG_DSL_X86_64, ROW(read, ALLOW, IN(count, -1)), 2, {UINT64_MAX}, {0xffffffff, 0x7fffffffffffffff}},
    {"long on 32 bits", BRIG_DSL_I386, ROW(read, ALLOW, IN(count, -1, 7)), 2, {0xffffffff, 7}, {0, 0x7fffffff}},
    {"signed range",
     BRIG_DSL_X86_64,
     ROW(kill, ALLOW, RANGE(sig, -1, 64)),
     1,
     {0, 64, 0xffffffff, DIRTY | 64},
     {65, 0xfffffffe, 0x80000000, DIRTY | 65}},
    {"unsigned range",
     BRIG_DSL_X86_64,
     ROW(lseek, ALLOW, RANGE(whence, 1, 0x80000000)),
     2,
     {1, 0x80000000, DIRTY | 1},
     {0, 0x80000001, 0xffffffff, DIRTY}},
    {"signed long range",
     BRIG_DSL_X86_64,
     ROW(lseek, ALLOW, RANGE(offset, -5, 5)),
     1,
     {0, 5, MINUS(5)},
     {6, MINUS(6), 0xfffffffb, UINT64_C(1) << 63}},
    {"int at least",
     BRIG_DSL_X86_64,
     ROW(kill, ALLOW, AT_LEAST(pid, -1)),
     0,
     {0xffffffff, 0, 0x7fffffff},
     {0xfffffffe, 0x80000000}},
    {"int at most", BRIG_DSL_X86_64, ROW(kill, ALLOW, AT_MOST(pid, 0)), 0, {0, 0xffffffff, 0x80000000, DIRTY}, {1, 0x7fffffff}},
    {"unsigned long at most",
     BRIG_DSL_X86_64,
     ROW(read, ALLOW, AT_MOST(count, 0x100000000)),
     2,
     {0, 0xffffffff, 0x100000000},
     {0x100000001, UINT64_MAX}},
    {"unsigned long at most all", BRIG_DSL_X86_64, ROW(read, ALLOW, AT_MOST(count, ~1)), 2, {0, UINT64_MAX - 1}, {UINT64_MAX}},
    {"unsigned int at most nearly all", BRIG_DSL_X86_64, ROW(lseek, ALLOW, AT_MOST(whence, ~1)), 2, {0, 0xfffffffe}, {0xffffffff}},
    {"unsigned long at least",
     BRIG_DSL_X86_64,
     ROW(read, ALLOW, AT_LEAST(count, U64(0xffffffffffffffff))),
     2,
     {UINT64_MAX},
     {0, UINT64_MAX - 1}},
    {"masked int",
     BRIG_DSL_X86_64,
     ROW(futex, ALLOW, MASKED(op, ~128, 5, 6)),
     1,
     {5, 6, 5 | 128, DIRTY | 6},
     {7, 5 | 256, 0x80000005}},
    {"masked long",
     BRIG_DSL_X86_64,
     ROW(read, ALLOW, MASKED(count, 0xff00000001, 1)),
     2,
     {1, 3, 0xf00000000001},
     {0, 0x100000001, 2}},
    {"only bits",
     BRIG_DSL_X86_64,
     ROW(openat, ALLOW, ONLY_BITS(flags, O_WRONLY | O_APPEND)),
     2,
     {0, 1, 02001, DIRTY},
     {2, 02002, 0x80000000}},
    {"only bits of a long", BRIG_DSL_X86_64, ROW(mmap, ALLOW, ONLY_BITS(flags, 3)), 3, {0, 3}, {4, DIRTY | 3, 0x100000000}},
    {"only bits by complement",
     BRIG_DSL_X86_64,
     ROW(openat, ALLOW, ONLY_BITS(flags, ~0x80000000)),
     2,
     {0, 0x7fffffff, DIRTY},
     {0x80000000}},
    {"no bits", BRIG_DSL_X86_64, ROW(mmap, ALLOW, NO_BITS(prot, PROT_EXEC | PROT_WRITE)), 2, {0, 1, DIRTY}, {2, 4, 6, 7}},
    {"no bits of all", BRIG_DSL_X86_64, ROW(openat, ALLOW, NO_BITS(flags, ~0)), 2, {0, DIRTY}, {1, 0x80000000}},
    {"all bits", BRIG_DSL_X86_64, ROW(mmap, ALLOW, ALL_BITS(prot, 3)), 2, {3, 7, DIRTY | 3}, {0, 1, 2, DIRTY}},
    {"all bits of an int", BRIG_DSL_X86_64, ROW(openat, ALLOW, ALL_BITS(flags, ~0)), 2, {0xffffffff, UINT64_MAX}, {0, 0x7fffffff}},
    {"null", BRIG_DSL_X86_64, ROW(read, ALLOW, IS_NULL(buf)), 1, {0}, {1, UINT64_C(1) << 32, UINT64_MAX}},
    {"not null", BRIG_DSL_X86_64, ROW(read, ALLOW, NOT_NULL(buf)), 1, {1, UINT64_C(1) << 32, UINT64_MAX}, {0}},
    {"null on 32 bits", BRIG_DSL_ARM, ROW(read, ALLOW, IS_NULL(buf)), 1, {0}, {1, 0xffffffff}},
    {"low half in",
     BRIG_DSL_X86_64,
     ROW(fcntl, ALLOW, IN(cmd, 0), LOW32_IN(arg, 4, -1)),
     2,
     {4, DIRTY | 4, 0xffffffff},
     {5, DIRTY}},
    {"low half only bits",
     BRIG_DSL_X86_64,
     ROW(fcntl, ALLOW, LOW32_ONLY_BITS(arg, O_APPEND), IN(cmd, 0)),
     2,
     {0, 02000, DIRTY | 02000},
     {1, 02001}},
    {"low half no bits", BRIG_DSL_X86_64, ROW(prctl, ALLOW, IN(option, 0), LOW32_NO_BITS(arg2, 6)), 1, {0, 1, 8, DIRTY}, {2, 6}},
    {"low half all bits",
     BRIG_DSL_X86_64,
     ROW(prctl, ALLOW, IN(option, 0), LOW32_ALL_BITS(arg2, 6)),
     1,
     {6, 7, DIRTY | 6},
     {2, DIRTY}},
    {"low half masked",
     BRIG_DSL_X86_64,
     ROW(prctl, ALLOW, IN(option, 0), LOW32_MASKED(arg2, 0xf0, 0x10, 0x20)),
     1,
     {0x10, 0x2f, DIRTY | 0x11},
     {0x30, 0, 0xf}},
    {"int not in",
     BRIG_DSL_X86_64,
     ROW(fcntl, ALLOW, NOT_IN(cmd, 3, F_GETFD)),
     1,
     {0, 2, DIRTY | 4, UINT64_MAX},
     {3, 1, DIRTY | 3}},
    {"int not in, negative",
     BRIG_DSL_X86_64,
     ROW(openat, ALLOW, NOT_IN(dirfd, AT_FDCWD, 0)),
     0,
     {1, 100, 0xffffff9b},
     {MINUS(100), 0xffffff9c, DIRTY}},
    {"not own pid", BRIG_DSL_X86_64, ROW(kill, ALLOW, NOT_IN(pid, SELF_PID)), 0, {FIXTURE_PID + 1}, {FIXTURE_PID}},
    {"long not in",
     BRIG_DSL_X86_64,
     ROW(read, ALLOW, NOT_IN(count, 5, U64(0xffffffffffffffff), 0x100000001)),
     2,
     {0, 4},
     {5, UINT64_MAX, 0x100000001}},
    {"long not in, beside its values",
     BRIG_DSL_X86_64,
     ROW(read, ALLOW, NOT_IN(count, 5, U64(0xffffffffffffffff), 0x100000001)),
     2,
     {DIRTY | 5, 1, 0xffffffff, 0x100000000, UINT64_MAX - 1},
     {5}},
    {"int any bits", BRIG_DSL_X86_64, ROW(mmap, ALLOW, ANY_BITS(prot, 6)), 2, {2, 4, 7, DIRTY | 2}, {0, 1, 8, DIRTY}},
    {"int any bits of all", BRIG_DSL_X86_64, ROW(openat, ALLOW, ANY_BITS(flags, ~0)), 2, {1, 0x80000000}, {0, DIRTY}},
    {"long any bits",
     BRIG_DSL_X86_64,
     ROW(mmap, ALLOW, ANY_BITS(flags, 0x100000001)),
     3,
     {1, 0x100000000, UINT64_MAX, 0x300000002},
     {0, 2, 0x200000000, 0xfffffffe}},
    {"int not masked",
     BRIG_DSL_X86_64,
     ROW(futex, ALLOW, NOT_MASKED(op, ~128, 5, 6)),
     1,
     {7, 5 | 256, 0x80000005},
     {5, 6, 5 | 128, DIRTY | 6}},
    {"long not masked",
     BRIG_DSL_X86_64,
     ROW(read, ALLOW, NOT_MASKED(count, 0xff00000001, 1, U64(0xff00000001))),
     2,
     {0, 0x100000001, 2, 0xfe00000001},
     {1, 3, 0xf00000000001, 0xff00000001, UINT64_MAX}},
    {"low half not in",
     BRIG_DSL_X86_64,
     ROW(fcntl, ALLOW, IN(cmd, 0), LOW32_NOT_IN(arg, 4, -1)),
     2,
     {5, DIRTY},
     {4, DIRTY | 4, 0xffffffff}},
    {"low half any bits",
     BRIG_DSL_X86_64,
     ROW(prctl, ALLOW, IN(option, 0), LOW32_ANY_BITS(arg2, 6)),
     1,
     {2, 6, DIRTY | 4},
     {0, 1, DIRTY}},
    {"low half not masked",
     BRIG_DSL_X86_64,
     ROW(prctl, ALLOW, IN(option, 0), LOW32_NOT_MASKED(arg2, 0xf0, 0x10, 0x20)),
     1,
     {0x30, 0xf},
     {0x10, 0x2f, DIRTY | 0x11}},
    // The kernel drops all but 16 bits of a mode: what it drops must not lead past a row.
    {"mode in",
     BRIG_DSL_X86_64,
     ROW(mkdirat, ALLOW, IN(mode, 0777, 0)),
     2,
     {0777, 0x10000 | 0777, DIRTY | 0777},
     {0776, 0x8000 | 0777}},
    {"mode in, negative", BRIG_DSL_X86_64, ROW(mkdirat, ALLOW, IN(mode, -1, 07)), 2, {0xffff, UINT64_MAX, 07}, {0xfffe, 0}},
    {"mode masked",
     BRIG_DSL_AARCH64,
     ROW(openat, ALLOW, MASKED(mode, ~0777, 0, 07000)),
     3,
     {0777, 07000, 0x10000, DIRTY | 07777},
     {0x8000, 04000, 0x18000}},
    {"mode only bits",
     BRIG_DSL_X86_64,
     ROW(openat, ALLOW, ONLY_BITS(mode, 0777)),
     3,
     {0, 0777, 0x10000, DIRTY},
     {01000, 0x8000, 0x11000}},
    {"mode no bits", BRIG_DSL_X86_64, ROW(openat, ALLOW, NO_BITS(mode, ~0777)), 3, {0, 0777, 0x10000, DIRTY}, {01000, 0x8000}},
    {"mode all bits", BRIG_DSL_X86_64, ROW(openat, ALLOW, ALL_BITS(mode, S_ISUID)), 3, {04000, 0x10000 | 04000}, {0, 0x10000}},
    {"mode not in",
     BRIG_DSL_X86_64,
     ROW(mkdirat, ALLOW, NOT_IN(mode, 0777, -1)),
     2,
     {0776, 0x8000 | 0777, 0x10000, 0xfffe},
     {0777, 0x10000 | 0777, DIRTY | 0777, 0xffff, UINT64_MAX}},
    {"mode any bits",
     BRIG_DSL_AARCH64,
     ROW(openat, ALLOW, ANY_BITS(mode, ~0777)),
     3,
     {01000, 0x8000, 0x11000},
     {0, 0777, 0x10000, DIRTY}},
    {"mode not masked",
     BRIG_DSL_X86_64,
     ROW(openat, ALLOW, NOT_MASKED(mode, ~0777, 0, 07000)),
     3,
     {0x8000, 04000, 0x18000},
     {0777, 07000, 0x10000, DIRTY | 07777}},
    {"uid of an old call not in",
     BRIG_DSL_I386,
     ROW(setuid, ALLOW, NOT_IN(uid, 65534)),
     0,
     {0xffff, 0x1ffff},
     {0xfffe, 0xdeadfffe}},
    {"uid of an old call", BRIG_DSL_I386, ROW(setuid, ALLOW, IN(uid, 65534)), 0, {0xfffe, 0xdeadfffe}, {0xffff, 0}},
};

static void ask(const struct brig_dsl_rules *rules, const struct question *question, uint64_t value, bool is_yes)
{
    uint64_t args[6] = {0};
    args[question->argument] = value;
    test_message("%s: 0x%llx", question->what, (unsigned long long)value);
    CHECK_STR_EQ(fixture_decide(rules, question->row.call, args), is_yes ? "ALLOW" : "DENY(EXDEV)");
}

TEST(evaluate, operators)
{
    for (size_t i = 0; i < COUNT_OF(questions); i++) {
        const struct question *question = &questions[i];
        const struct brig_dsl_row rows[] = {
            question->row,
            {.kind = BRIG_DSL_ROW_ELSE, .call = question->row.call, .action = BRIG_DSL_ACTION_DENY(EXDEV)},
            {.kind = BRIG_DSL_ROW_END},
        };
        const struct brig_dsl_policy policy = {
            .name = "p", .rows = rows, FALLBACK(CRASH), .kernel = BRIG_DSL_KERNEL(6, 18), .constants = own};
        struct brig_dsl_options options = fixture_options(question->arch);
        struct brig_dsl_rules rules;
        struct brig_error error;
        test_message("%s", question->what);
        REQUIRE(CHECK_OK(fixture_resolve(&policy, &options, &rules, &error), &error));
        for (size_t n = 0; n == 0 || (n < COUNT_OF(question->yes) && question->yes[n] != 0); n++) {
            ask(&rules, question, question->yes[n], true);
        }
        for (size_t n = 0; n == 0 || (n < COUNT_OF(question->no) && question->no[n] != 0); n++) {
            ask(&rules, question, question->no[n], false);
        }
    }
}

static const struct {
    const char *what;
    struct brig_dsl_row row;
    uint64_t yes[3];
    uint64_t no[4];
} halves[] = {
    {"in",
     ROW(pread64, ALLOW, IN(pos, 0x100000002, 0x100000004)),
     {0x100000002, 0x100000004, 0x100000002},
     {2, 0x100000003, 0x200000002, 0x400000001}},
    {"in, negative",
     ROW(pread64, ALLOW, IN(pos, -1)),
     {UINT64_MAX, UINT64_MAX, UINT64_MAX},
     {0xffffffff, 0, UINT64_MAX - 1, UINT64_C(0xffffffff) << 32}},
    {"range",
     ROW(pread64, ALLOW, RANGE(pos, 1, 0xffffffff)),
     {1, 0x80000000, 0xffffffff},
     {0, 0x100000001, UINT64_MAX, 0x100000000}},
    {"range below zero", ROW(pread64, ALLOW, RANGE(pos, -3, -1)), {UINT64_MAX, MINUS(2), MINUS(3)}, {MINUS(4), 0, 1, 0xfffffffe}},
    {"masked",
     ROW(pread64, ALLOW, MASKED(pos, 0xf0000000f, 0x300000001, 0x300000002)),
     {0x300000001, 0x1300000012, 0x300000302},
     {1, 0x400000001, 0x300000003, 0x300000000}},
    {"only bits", ROW(pread64, ALLOW, ONLY_BITS(pos, 0x100000001)), {0, 1, 0x100000001}, {2, 0x200000000, 0x100000002, UINT64_MAX}},
    {"no bits", ROW(pread64, ALLOW, NO_BITS(pos, ~0xfff)), {0, 1, 0xfff}, {0x1000, 0x100000000, UINT64_MAX, MINUS(1)}},
    {"any bits of the low half",
     ROW(pread64, ALLOW, ANY_BITS(pos, 6)),
     {2, 0x100000004, UINT64_MAX},
     {0, 1, 0x200000000, UINT64_MAX & ~UINT64_C(6)}},
    {"any bits of the high half",
     ROW(pread64, ALLOW, ANY_BITS(pos, 0x300000000)),
     {0x100000000, 0x200000005, UINT64_MAX},
     {0, 1, 0xffffffff, 0x400000000}},
    {"all bits",
     ROW(pread64, ALLOW, ALL_BITS(pos, 0x100000001)),
     {0x100000001, UINT64_MAX, 0x300000003},
     {0, 1, 0x100000000, 0xffffffff}},
};

TEST(evaluate, split_arguments_of_32_bit_arches)
{
    static const struct {
        enum brig_dsl_arch arch;
        int low;
    } arches[] = {{BRIG_DSL_I386, 3}, {BRIG_DSL_ARM, 4}};
    for (size_t i = 0; i < COUNT_OF(halves) * COUNT_OF(arches); i++) {
        size_t at = i / COUNT_OF(arches);
        int low = arches[i % COUNT_OF(arches)].low;
        const struct brig_dsl_row table[] = {halves[at].row, ELSE(pread64, DENY(EXDEV)), ROWS_END};
        struct brig_dsl_rules rules;
        struct brig_error error;
        test_message("%s", halves[at].what);
        REQUIRE(CHECK_OK(fixture_resolve_rows(table, arches[i % COUNT_OF(arches)].arch, &rules, &error), &error));
        for (size_t n = 0; n < COUNT_OF(halves[at].yes) + COUNT_OF(halves[at].no); n++) {
            bool is_yes = n < COUNT_OF(halves[at].yes);
            uint64_t value = is_yes ? halves[at].yes[n] : halves[at].no[n - COUNT_OF(halves[at].yes)];
            uint64_t args[6] = {0};
            args[low] = value & UINT32_MAX;
            args[low + 1] = value >> 32;
            test_message("%s: 0x%llx", halves[at].what, (unsigned long long)value);
            CHECK_STR_EQ(fixture_decide(&rules, BRIG_SYS_pread64, args), is_yes ? "ALLOW" : "DENY(EXDEV)");
        }
    }
}

static const struct brig_dsl_row few[] = {ROW(read, ALLOW), ROW(breakpoint, DENY(EPERM)), ROWS_END};

TEST(evaluate, numbers)
{
    static const struct {
        const char *what;
        enum brig_dsl_arch arch;
        enum brig_dsl_arch seen;
        uint32_t nr;
        uint32_t ret;
    } calls[] = {
        {"allowed", BRIG_DSL_X86_64, BRIG_DSL_X86_64, 0, SECCOMP_RET_ALLOW},
        {"fallback", BRIG_DSL_X86_64, BRIG_DSL_X86_64, 165, SECCOMP_RET_TRAP | 3},
        {"foreign", BRIG_DSL_X86_64, BRIG_DSL_I386, 0, SECCOMP_RET_TRAP | 1},
        {"foreign, and the number to die by", BRIG_DSL_X86_64, BRIG_DSL_I386, BRIG_DSL_DIE_NR, SECCOMP_RET_TRAP | 1},
        {"die", BRIG_DSL_X86_64, BRIG_DSL_X86_64, BRIG_DSL_DIE_NR, SECCOMP_RET_KILL_PROCESS},
        {"probe", BRIG_DSL_X86_64, BRIG_DSL_X86_64, BRIG_DSL_PROBE_NR, SECCOMP_RET_ERRNO | BRIG_DSL_PROBE_ERRNO},
        {"last below x32", BRIG_DSL_X86_64, BRIG_DSL_X86_64, 0x3fffffff, SECCOMP_RET_ERRNO | ENOSYS},
        {"first of x32", BRIG_DSL_X86_64, BRIG_DSL_X86_64, 0x40000000, SECCOMP_RET_TRAP | 2},
        {"last of x32", BRIG_DSL_X86_64, BRIG_DSL_X86_64, 0x7fffffff, SECCOMP_RET_TRAP | 2},
        {"above x32", BRIG_DSL_X86_64, BRIG_DSL_X86_64, 0x80000000, SECCOMP_RET_ERRNO | ENOSYS},
        {"-1", BRIG_DSL_X86_64, BRIG_DSL_X86_64, UINT32_MAX, SECCOMP_RET_ERRNO | ENOSYS},
        {"no call", BRIG_DSL_X86_64, BRIG_DSL_X86_64, 1023, SECCOMP_RET_ERRNO | ENOSYS},
        {"no x32 elsewhere", BRIG_DSL_AARCH64, BRIG_DSL_AARCH64, 0x40000000, SECCOMP_RET_ERRNO | ENOSYS},
        {"private call of arm", BRIG_DSL_ARM, BRIG_DSL_ARM, 0x0f0001, SECCOMP_RET_ERRNO | EPERM},
    };
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        struct brig_dsl_rules rules;
        struct brig_error error;
        test_message("%s", calls[i].what);
        REQUIRE(CHECK_OK(fixture_resolve_rows(few, calls[i].arch, &rules, &error), &error));
        struct brig_dsl_data data = {.nr = calls[i].nr, .audit_arch = brig_dsl_arch_audit(calls[i].seen)};
        CHECK_EQ(brig_dsl_evaluate(&rules, &data, NULL), calls[i].ret);
    }
}
