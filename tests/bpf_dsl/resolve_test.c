// Resolve: merging, the target's calls and arguments, trap ids, and every way in which rows can be wrong.
#include <errno.h>
#include <string.h>

#include <linux/seccomp.h>

#include "bpf_dsl/resolve.h"
#include "bpf_dsl/words.h"
#include "tests/bpf_dsl/rules_fixture.h"
#include "tests/shim/codes.h"
#include "tests/shim/test.h"

// Stands in for an emulation of the trap room.
static const struct {
    struct brig_dsl_handler dsl;
} brig_trap_emulate_needs_fstat = {{.name = "needs_fstat", .calls = (const enum brig_dsl_call[]){BRIG_SYS_fstat, BRIG_SYS_NONE}}};

static const struct brig_dsl_set io = CALLS(io, "plain I/O", read, write, close);
static const struct brig_dsl_set stats = CALLS(stats, "what stat means today", stat, fstat, lstat, newfstatat, fstat64, statx);
static const struct brig_dsl_set misspelt = CALLS(misspelt, "a name too many", read, wriet);
static const struct brig_dsl_set empty = {.name = "empty", .text = "", .file = "sets.c", .line = 3};
static const struct brig_dsl_set double_comma = {.name = "double_comma", .text = "read,,write", .file = "sets.c", .line = 4};
static const struct brig_dsl_set no_comma = {.name = "no_comma", .text = "read write", .file = "sets.c", .line = 5};
static const struct brig_dsl_values bad_values = {.name = "bad_values", .text = "1, NOT_THERE", .file = "sets.c", .line = 6};

static const struct brig_dsl_row recursive[] = {ROW(read, ALLOW), USE(recursive), ROWS_END};
extern const struct brig_dsl_row ping[];
static const struct brig_dsl_row pong[] = {USE(ping), ROWS_END};
const struct brig_dsl_row ping[] = {USE(pong), ROWS_END};

#define ROWS(...) \
    (const struct brig_dsl_row[]) \
    { \
        __VA_ARGS__, ROWS_END \
    }

// --- rejection ----------------------------------------------------------------------------------------------------------

struct rejection {
    const char *what;
    const struct brig_dsl_row *rows;
    enum brig_dsl_arch arch;
    enum brig_code code;
    const char *subject;
    int row; // index of the row at fault; -1: file and line of a set, which stand in `rows`' set
};

static const struct rejection rejections[] = {
    {"misspelt call in a set", ROWS(ROW(SET(misspelt), ALLOW)), BRIG_DSL_X86_64, BRIG_NO_SUCH_CALL, "wriet", -1},
    {"empty set", ROWS(ROW(SET(empty), ALLOW)), BRIG_DSL_X86_64, BRIG_BAD_VALUE_SYNTAX, "", -1},
    {"two commas", ROWS(ROW(SET(double_comma), ALLOW)), BRIG_DSL_X86_64, BRIG_BAD_VALUE_SYNTAX, "read,,write", -1},
    {"no comma", ROWS(ROW(SET(no_comma), ALLOW)), BRIG_DSL_X86_64, BRIG_BAD_VALUE_SYNTAX, "read write", -1},
    {"argument of another call", ROWS(ROW(fcntl, ALLOW, IN(sig, 1))), BRIG_DSL_X86_64, BRIG_NO_SUCH_ARGUMENT, "sig", 0},
    {"argument that one call of a set lacks", ROWS(ROW(SET(io), ALLOW, IN(count, 1))), BRIG_DSL_X86_64, BRIG_NO_SUCH_ARGUMENT,
     "count", 0},
    {"name that is too long", ROWS(ROW(pread64, ALLOW, IN(a123456789012345678901234567890123456789012345678901234567890123, 1))),
     BRIG_DSL_I386, BRIG_NO_SUCH_ARGUMENT, "a123456789012345678901234567890123456789012345678901234567890123", 0},
    {"misspelt constant", ROWS(ROW(read, ALLOW), ROW(fcntl, ALLOW, IN(cmd, F_GETFL, F_GETFG))), BRIG_DSL_X86_64,
     BRIG_NO_SUCH_CONSTANT, "F_GETFG", 1},
    {"misspelt constant in a set", ROWS(ROW(ioctl, ALLOW, IN_SET(cmd, bad_values))), BRIG_DSL_X86_64, BRIG_NO_SUCH_CONSTANT,
     "NOT_THERE", -1},
    {"constant of another arch", ROWS(ROW(mmap, ALLOW, NO_BITS(flags, MAP_32BIT))), BRIG_DSL_AARCH64, BRIG_ABSENT_ON_ARCH,
     "MAP_32BIT", 0},
    {"logical or", ROWS(ROW(openat, ALLOW, ONLY_BITS(flags, O_WRONLY || O_CREAT))), BRIG_DSL_X86_64, BRIG_BAD_VALUE_SYNTAX,
     "O_WRONLY || O_CREAT", 0},
    {"no value", ROWS(ROW(fcntl, ALLOW, IN(cmd, ))), BRIG_DSL_X86_64, BRIG_BAD_VALUE_SYNTAX, "", 0},
    {"half a range", ROWS(ROW(kill, ALLOW, RANGE(sig, 0))), BRIG_DSL_X86_64, BRIG_BAD_VALUE_SYNTAX, "0", 0},
    {"a range and more", ROWS(ROW(kill, ALLOW, RANGE(sig, 0, 1, 2))), BRIG_DSL_X86_64, BRIG_BAD_VALUE_SYNTAX, "0, 1, 2", 0},
    {"two masks", ROWS(ROW(openat, ALLOW, ONLY_BITS(flags, 1, 2))), BRIG_DSL_X86_64, BRIG_BAD_VALUE_SYNTAX, "1, 2", 0},
    {"mask without values", ROWS(ROW(futex, ALLOW, MASKED(op, 127))), BRIG_DSL_X86_64, BRIG_BAD_VALUE_SYNTAX, "127", 0},
    {"value outside its mask", ROWS(ROW(futex, ALLOW, MASKED(op, 127, 1, 128))), BRIG_DSL_X86_64, BRIG_VALUE_OUT_OF_RANGE, "128",
     0},
    {"empty range", ROWS(ROW(kill, ALLOW, RANGE(sig, 1, 0))), BRIG_DSL_X86_64, BRIG_VALUE_OUT_OF_RANGE, "0", 0},
    {"33 bits for an int", ROWS(ROW(fcntl, ALLOW, IN(cmd, 1, 0x100000000))), BRIG_DSL_X86_64, BRIG_VALUE_OUT_OF_RANGE,
     "0x100000000", 0},
    {"below an int", ROWS(ROW(fcntl, ALLOW, IN(cmd, -0x80000001))), BRIG_DSL_X86_64, BRIG_VALUE_OUT_OF_RANGE, "-0x80000001", 0},
    {"unsigned bound for a signed int", ROWS(ROW(kill, ALLOW, AT_MOST(pid, 0x80000000))), BRIG_DSL_X86_64, BRIG_VALUE_OUT_OF_RANGE,
     "0x80000000", 0},
    {"negative bound for an unsigned", ROWS(ROW(futex, ALLOW, AT_LEAST(val, -1))), BRIG_DSL_X86_64, BRIG_VALUE_OUT_OF_RANGE, "-1",
     0},
    {"negative bound for an unsigned long", ROWS(ROW(read, ALLOW, AT_MOST(count, -1))), BRIG_DSL_X86_64, BRIG_VALUE_OUT_OF_RANGE,
     "-1", 0},
    {"unsigned bound for a signed long", ROWS(ROW(lseek, ALLOW, AT_MOST(offset, U64(1 << 63)))), BRIG_DSL_X86_64,
     BRIG_VALUE_OUT_OF_RANGE, "U64(1 << 63)", 0},
    {"long value on a 32-bit arch", ROWS(ROW(read, ALLOW, AT_MOST(count, 0x100000000))), BRIG_DSL_I386, BRIG_VALUE_OUT_OF_RANGE,
     "0x100000000", 0},
    {"pointer as a number", ROWS(ROW(read, ALLOW, IN(buf, 0))), BRIG_DSL_X86_64, BRIG_BAD_CONDITION, "buf", 0},
    {"half a pointer", ROWS(ROW(read, ALLOW, LOW32_IN(buf, 0))), BRIG_DSL_X86_64, BRIG_BAD_CONDITION, "buf", 0},
    {"number as a pointer", ROWS(ROW(read, ALLOW, IS_NULL(count))), BRIG_DSL_X86_64, BRIG_BAD_CONDITION, "count", 0},
    {"half a number", ROWS(ROW(read, ALLOW, LOW32_IN(count, 1))), BRIG_DSL_X86_64, BRIG_BAD_CONDITION, "count", 0},
    {"all of a union", ROWS(ROW(fcntl, ALLOW, IN(cmd, F_SETFL), IN(arg, 0))), BRIG_DSL_X86_64, BRIG_BAD_CONDITION, "arg", 0},
    {"union as a pointer", ROWS(ROW(fcntl, ALLOW, IN(cmd, F_GETLK), NOT_NULL(arg))), BRIG_DSL_X86_64, BRIG_BAD_CONDITION, "arg", 0},
    {"union without a selector", ROWS(ROW(fcntl, ALLOW, LOW32_IN(arg, 0))), BRIG_DSL_X86_64, BRIG_NEEDS_SELECTOR, "arg", 0},
    {"unions select nothing", ROWS(ROW(prctl, ALLOW, LOW32_IN(arg2, 0), LOW32_IN(arg3, 0))), BRIG_DSL_X86_64, BRIG_NEEDS_SELECTOR,
     "arg3", 0},
    {"arguments in memory", ROWS(ROW(socketcall, ALLOW, IN(call, 1)), ELSE(socketcall, DENY(ENOSYS))), BRIG_DSL_I386,
     BRIG_MEMORY_ARGUMENTS, "socketcall", 0},
    {"ELSE with conditions",
     ROWS({.kind = BRIG_DSL_ROW_ELSE,
           .call = BRIG_SYS_fcntl,
           .action = {.verb = BRIG_DSL_CRASH},
           .conditions = (const struct brig_dsl_condition[]){IN(cmd, 1), BRIG_DSL_CONDITIONS_END}}),
     BRIG_DSL_X86_64, BRIG_BAD_CONDITION, "cmd", 0},
    {"no operator",
     ROWS({.kind = BRIG_DSL_ROW_CALL,
           .call = BRIG_SYS_fcntl,
           .action = {.verb = BRIG_DSL_CRASH},
           .conditions =
               (const struct brig_dsl_condition[]){{.op = BRIG_DSL_OPERATOR_COUNT, .argument = "cmd"}, BRIG_DSL_CONDITIONS_END}}),
     BRIG_DSL_X86_64, BRIG_BAD_CONDITION, "cmd", 0},
    {"no ELSE", ROWS(ROW(read, ALLOW), ROW(fcntl, ALLOW, IN(cmd, 1)), ROW(fcntl, ALLOW, IN(cmd, 2)), ROW(close, ALLOW)),
     BRIG_DSL_X86_64, BRIG_MISSING_ELSE, "fcntl", 2},
    {"no ELSE after the handler's own row", ROWS(ROW(futex, ALLOW, IN(op, 1))), BRIG_DSL_X86_64, BRIG_MISSING_ELSE, "futex", 0},
    {"errno that the kernel cuts", ROWS(ROW(read, DENY(4096))), BRIG_DSL_X86_64, BRIG_BAD_ACTION, "read", 0},
    {"emulation of nothing", ROWS({.kind = BRIG_DSL_ROW_CALL, .call = BRIG_SYS_read, .action = {.verb = BRIG_DSL_EMULATE}}),
     BRIG_DSL_X86_64, BRIG_BAD_ACTION, "read", 0},
    {"no action", ROWS({.kind = BRIG_DSL_ROW_CALL, .call = BRIG_SYS_read}), BRIG_DSL_X86_64, BRIG_BAD_ACTION, "read", 0},
    {"action of tomorrow", ROWS({.kind = BRIG_DSL_ROW_CALL, .call = BRIG_SYS_read, .action = {.verb = BRIG_DSL_VERB_COUNT}}),
     BRIG_DSL_X86_64, BRIG_BAD_ACTION, "read", 0},
    {"no call", ROWS({.kind = BRIG_DSL_ROW_CALL, .action = {.verb = BRIG_DSL_ALLOW}}), BRIG_DSL_X86_64, BRIG_BAD_ARGUMENT,
     "row.call", 0},
    {"no table", ROWS({.kind = BRIG_DSL_ROW_USE}), BRIG_DSL_X86_64, BRIG_BAD_ARGUMENT, "row.table", 0},
    {"no kind", ROWS({.kind = (enum brig_dsl_row_kind)77}), BRIG_DSL_X86_64, BRIG_BAD_ARGUMENT, "row.kind", 0},
    {"answer where signals are blocked", ROWS(ROW(rseq, REPORT(EPERM))), BRIG_DSL_X86_64, BRIG_TRAP_WHILE_BLOCKED, "rseq", 0},
    {"emulation where signals are blocked", ROWS(ROW(fstat, ALLOW), ROW(madvise, EMULATE(needs_fstat))), BRIG_DSL_X86_64,
     BRIG_TRAP_WHILE_BLOCKED, "madvise", 1},
    {"question where signals are blocked", ROWS(ROW(munmap, NOTIFY)), BRIG_DSL_X86_64, BRIG_TRAP_WHILE_BLOCKED, "munmap", 0},
    {"broker where signals are blocked", ROWS(ROW(futex, BROKER)), BRIG_DSL_X86_64, BRIG_TRAP_WHILE_BLOCKED, "futex", 0},
    {"handler that cannot work", ROWS(ROW(read, ALLOW), ROW(newfstatat, EMULATE(needs_fstat))), BRIG_DSL_X86_64,
     BRIG_HANDLER_CALL_DENIED, "fstat", 1},
    {"slot that was not given", ROWS(ROW(write, ALLOW, IN(fd, NOTIFY_FD)), ELSE(write, CRASH)), BRIG_DSL_X86_64, BRIG_SLOT_UNSET,
     "NOTIFY_FD", 0},
    {"the broker's slot that was not given", ROWS(ROW(write, ALLOW, IN(fd, BROKER_FD)), ELSE(write, CRASH)), BRIG_DSL_X86_64,
     BRIG_SLOT_UNSET, "BROKER_FD", 0},
    {"slot in an expression", ROWS(ROW(kill, ALLOW, IN(pid, SELF_PID + 1))), BRIG_DSL_X86_64, BRIG_BAD_VALUE_SYNTAX, "SELF_PID + 1",
     0},
    {"slot as a bound", ROWS(ROW(kill, ALLOW, AT_MOST(pid, SELF_PID))), BRIG_DSL_X86_64, BRIG_BAD_VALUE_SYNTAX, "SELF_PID", 0},
    {"table in itself", ROWS(USE(recursive)), BRIG_DSL_X86_64, BRIG_BASE_CYCLE, "fixture", -2},
    {"two tables in each other", ROWS(USE(ping)), BRIG_DSL_X86_64, BRIG_BASE_CYCLE, "fixture", -2},
    {"split argument with several high halves", ROWS(ROW(pread64, ALLOW, IN(pos, 0, 0x100000000))), BRIG_DSL_I386,
     BRIG_BAD_CONDITION, "pos", 0},
    {"split argument with an open bound", ROWS(ROW(pread64, ALLOW, AT_MOST(pos, 10))), BRIG_DSL_ARM, BRIG_BAD_CONDITION, "pos", 0},
    {"split argument, not one of", ROWS(ROW(pread64, ALLOW, NOT_IN(pos, 0))), BRIG_DSL_ARM, BRIG_BAD_CONDITION, "pos", 0},
    {"split argument, not masked", ROWS(ROW(pread64, ALLOW, NOT_MASKED(pos, 1, 0))), BRIG_DSL_I386, BRIG_BAD_CONDITION, "pos", 0},
    {"bits of both halves", ROWS(ROW(pread64, ALLOW, ANY_BITS(pos, 0x100000001))), BRIG_DSL_I386, BRIG_BAD_CONDITION, "pos", 0},
    {"not what is outside the mask", ROWS(ROW(futex, ALLOW, NOT_MASKED(op, 7, 8))), BRIG_DSL_X86_64, BRIG_VALUE_OUT_OF_RANGE, "8",
     0},
    {"mode by size", ROWS(ROW(openat, ALLOW, AT_MOST(mode, 0777))), BRIG_DSL_X86_64, BRIG_BAD_CONDITION, "mode", 0},
    {"17 bits for a mode", ROWS(ROW(openat, ALLOW, IN(mode, 0x10000))), BRIG_DSL_X86_64, BRIG_VALUE_OUT_OF_RANGE, "0x10000", 0},
    {"17 bits of a mode", ROWS(ROW(openat, ALLOW, NO_BITS(mode, 0x1ffff))), BRIG_DSL_X86_64, BRIG_VALUE_OUT_OF_RANGE, "0x1ffff", 0},
    {"below 16 bits", ROWS(ROW(openat, ALLOW, IN(mode, -0x8001))), BRIG_DSL_X86_64, BRIG_VALUE_OUT_OF_RANGE, "-0x8001", 0},
    {"mode outside its mask", ROWS(ROW(openat, ALLOW, MASKED(mode, 07, 010))), BRIG_DSL_X86_64, BRIG_VALUE_OUT_OF_RANGE, "010", 0},
    {"the low long of preadv is no half", ROWS(ROW(preadv, ALLOW, IN(pos, 0))), BRIG_DSL_X86_64, BRIG_NO_SUCH_ARGUMENT, "pos", 0},
};

static void check_place(const struct rejection *rejection, const struct brig_error *error)
{
    if (rejection->row == -2) {
        CHECK_STR_EQ(error->file, __FILE__);
    } else if (rejection->row >= 0) {
        CHECK_EQ(error->line, rejection->rows[rejection->row].line);
        CHECK_STR_EQ(error->file, rejection->rows[rejection->row].file);
    } else if (rejection->rows[0].set) {
        CHECK_EQ(error->line, rejection->rows[0].set->line);
        CHECK_STR_EQ(error->file, rejection->rows[0].set->file);
    } else {
        CHECK_EQ(error->line, rejection->rows[0].conditions[0].set->line);
    }
}

TEST(resolve, rejections)
{
    for (size_t i = 0; i < COUNT_OF(rejections); i++) {
        const struct rejection *rejection = &rejections[i];
        struct brig_dsl_rules rules = {.trap_count = 42};
        struct brig_error error = {.code = BRIG_OK};
        test_message("%s", rejection->what);
        if (CHECK_CODE(fixture_resolve_rows(rejection->rows, rejection->arch, &rules, &error), rejection->code, &error)) {
            CHECK_STR_EQ(fixture_subject(&error), rejection->subject);
            check_place(rejection, &error);
        }
        CHECK_EQ(rules.trap_count, 42);
        CHECK_EQ(fixture_resolve_rows(rejection->rows, rejection->arch, &rules, NULL), rejection->code);
    }
}

TEST(resolve, whole_policy_rejections)
{
    static struct brig_dsl_policy ring;
    ring = (struct brig_dsl_policy){.name = "ring", .base = &ring, FALLBACK(CRASH), .kernel = BRIG_DSL_KERNEL(6, 18)};
    static const struct {
        const char *what;
        struct brig_dsl_policy policy;
        enum brig_code code;
        const char *subject;
    } rows[] = {
        {"no baseline", {.name = "p", FALLBACK(CRASH)}, BRIG_BAD_ARGUMENT, "kernel"},
        {"no fallback", {.name = "p", .kernel = BRIG_DSL_KERNEL(6, 1)}, BRIG_BAD_ACTION, "fallback"},
        {"bad fallback", {.name = "p", FALLBACK(DENY(5000)), .kernel = BRIG_DSL_KERNEL(6, 1)}, BRIG_BAD_ACTION, "fallback"},
        {"fallback whose handler cannot work",
         {.name = "p", FALLBACK(EMULATE(needs_fstat)), .kernel = BRIG_DSL_KERNEL(6, 1)},
         BRIG_HANDLER_CALL_DENIED,
         "fstat"},
        {"own base", {.name = "p", .base = &ring, FALLBACK(CRASH), .kernel = BRIG_DSL_KERNEL(6, 1)}, BRIG_BASE_CYCLE, "ring"},
    };
    struct brig_dsl_options options = fixture_options(BRIG_DSL_X86_64);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct brig_dsl_rules rules;
        struct brig_error error = {.code = BRIG_OK};
        test_message("%s", rows[i].what);
        REQUIRE(CHECK_CODE(fixture_resolve(&rows[i].policy, &options, &rules, &error), rows[i].code, &error));
        CHECK_STR_EQ(fixture_subject(&error), rows[i].subject);
        CHECK(error.file == NULL);
    }
    options.arch = BRIG_DSL_ARCH_COUNT;
    struct brig_error error;
    REQUIRE(CHECK_CODE(fixture_resolve(&rows[4].policy, &options, &(struct brig_dsl_rules){0}, &error), BRIG_BAD_ARGUMENT, &error));
}

TEST(resolve, more_rows_than_trap_ids)
{
    // 6 tables, each used 9 times by the one before it, hold more rows than there are ids.
    static struct brig_dsl_row tables[6][10];
    for (size_t level = 0; level < COUNT_OF(tables); level++) {
        for (size_t i = 0; i < 9; i++) {
            tables[level][i] =
                level + 1 < COUNT_OF(tables)
                    ? (struct brig_dsl_row){.kind = BRIG_DSL_ROW_USE, .table = tables[level + 1]}
                    : (struct brig_dsl_row){.kind = BRIG_DSL_ROW_CALL, .call = BRIG_SYS_read, .action = {.verb = BRIG_DSL_CRASH}};
        }
    }
    struct brig_dsl_rules rules;
    struct brig_error error;
    REQUIRE(CHECK_CODE(fixture_resolve_rows(tables[0], BRIG_DSL_X86_64, &rules, &error), BRIG_TOO_MANY_ROWS, &error));
    CHECK_EQ(error.detail, UINT16_MAX - DSL_OWN_TRAP_IDS);
}

static const struct brig_dsl_policy small_policy = {.name = "p",
                                                    .rows = ROWS(ROW(SET(stats), CRASH), ROW(fcntl, ALLOW, IN(cmd, 1, 2)),
                                                                 ELSE(fcntl, CRASH), ROW(pread64, ALLOW, IN(pos, 0)),
                                                                 ELSE(pread64, ALLOW)),
                                                    FALLBACK(CRASH),
                                                    .kernel = BRIG_DSL_KERNEL(6, 18)};

TEST(resolve, every_arena_that_is_too_small)
{
    static _Alignas(16) unsigned char memory[BRIG_DSL_ARENA_BYTES];
    struct brig_dsl_options options = fixture_options(BRIG_DSL_I386);
    struct brig_dsl_rules rules;
    struct brig_dsl_arena arena;
    struct brig_error error;
    enum brig_code code = BRIG_OUT_OF_ARENA;
    size_t bytes = 0;
    for (; code == BRIG_OUT_OF_ARENA && bytes < sizeof memory; bytes += 8) {
        // An odd address, as a caller may have it.
        brig_dsl_arena_init(&arena, memory + 1, bytes);
        code = brig_dsl_resolve(&small_policy, &options, &arena, &rules, &error);
        if (code == BRIG_OUT_OF_ARENA) {
            CHECK_EQ(error.detail, bytes);
            CHECK(arena.exhausted);
        }
    }
    CHECK_EQ(code, BRIG_OK);
    CHECK_LT(bytes, sizeof memory / 8);
}

// --- merging ------------------------------------------------------------------------------------------------------------

static const struct brig_dsl_row spliced[] = {
    ROW(getpid, DENY(1)), WHY("inner"), ROW(getuid, DENY(2)), ROW(fcntl, DENY(3), IN(cmd, 3)), ROWS_END,
};
static const struct brig_dsl_row base_rows[] = {
    WHY("of the base"),
    ROW(fcntl, ALLOW, IN(cmd, 1)),
    ROW(fcntl, ALLOW, IN(cmd, 2)),
    ELSE(fcntl, DENY(11)),
    ROW(ioctl, ALLOW, IN(cmd, 1)),
    ELSE(ioctl, DENY(12)),
    ROW(getpid, ALLOW),
    ROW(SET(io), ALLOW),
    ROW(execve, CRASH),
    ROWS_END,
};
static const struct brig_dsl_constant derived_constants[] = {{"OURS", 5}, {.name = NULL}};
static const struct brig_dsl_policy base_policy = {
    .name = "base", .rows = base_rows, FALLBACK(DENY(99)), .kernel = BRIG_DSL_KERNEL(5, 10)};
static const struct brig_dsl_row derived_rows[] = {
    WHY("outer"),
    USE(spliced),
    ROW(getgid, DENY(4)),
    ROW(fcntl, DENY(5), IN(cmd, 1, OURS)), // extends the base
    ROW(ioctl, DENY(6), IN(cmd, 7)),       // replaces it
    ELSE(ioctl, DENY(7)),
    ELSE(SET(io), DENY(8)),
    ROWS_END,
};
static const struct brig_dsl_policy derived_policy = {
    .name = "derived", .base = &base_policy, .rows = derived_rows, .constants = derived_constants};

TEST(resolve, derived_rows_extend_or_replace)
{
    static const struct {
        enum brig_dsl_call call;
        uint64_t second; // argument
        const char *action;
        const char *why;
    } rows[] = {
        {BRIG_SYS_getpid, 0, "DENY(EPERM)", "outer"},      {BRIG_SYS_getuid, 0, "DENY(ENOENT)", "inner"},
        {BRIG_SYS_getgid, 0, "DENY(EINTR)", "outer"},      {BRIG_SYS_fcntl, 3, "DENY(ESRCH)", "inner"},
        {BRIG_SYS_fcntl, 1, "DENY(EIO)", "outer"},         {BRIG_SYS_fcntl, 5, "DENY(EIO)", "outer"},
        {BRIG_SYS_fcntl, 2, "ALLOW", "of the base"},       {BRIG_SYS_fcntl, 9, "DENY(EAGAIN)", "of the base"},
        {BRIG_SYS_ioctl, 7, "DENY(ENXIO)", "outer"},       {BRIG_SYS_ioctl, 1, "DENY(E2BIG)", "outer"},
        {BRIG_SYS_close, 0, "DENY(ENOEXEC)", "outer"},     {BRIG_SYS_execve, 0, "CRASH", "of the base"},
        {BRIG_SYS_mount, 0, "DENY(EADDRNOTAVAIL)", NULL},  {BRIG_SYS_fsmount, 0, "DENY(EADDRNOTAVAIL)", NULL}, // 5.2
        {BRIG_SYS_mount_setattr, 0, "DENY(ENOSYS)", NULL}, // 5.12, above the base's baseline
    };
    struct brig_dsl_options options = fixture_options(BRIG_DSL_X86_64);
    struct brig_dsl_rules rules;
    struct brig_error error;
    REQUIRE(CHECK_OK(fixture_resolve(&derived_policy, &options, &rules, &error), &error));
    CHECK_EQ(rules.kernel, BRIG_DSL_KERNEL(5, 10));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const uint64_t args[6] = {0, rows[i].second};
        test_message("%s %d", brig_dsl_call_name(rows[i].call), (int)rows[i].second);
        CHECK_STR_EQ(fixture_decide(&rules, rows[i].call, args), rows[i].action);
        struct brig_dsl_data data = {(uint32_t)brig_dsl_call_nr(rows[i].call, BRIG_DSL_X86_64),
                                     brig_dsl_arch_audit(BRIG_DSL_X86_64),
                                     0,
                                     {0, rows[i].second}};
        const struct brig_dsl_rule *rule = NULL;
        brig_dsl_evaluate(&rules, &data, &rule);
        CHECK_STR_EQ(rule ? rule->why : NULL, rows[i].why);
    }
}

TEST(resolve, baseline_decides_what_is_unknown)
{
    struct brig_dsl_options options = fixture_options(BRIG_DSL_X86_64);
    static const uint64_t none[6];
    struct brig_dsl_rules rules;
    struct brig_error error;
    options.kernel = BRIG_DSL_KERNEL(5, 12);
    REQUIRE(CHECK_OK(fixture_resolve(&derived_policy, &options, &rules, &error), &error));
    CHECK_STR_EQ(fixture_decide(&rules, BRIG_SYS_mount_setattr, none), "DENY(EADDRNOTAVAIL)");
    CHECK_STR_EQ(fixture_decide(&rules, BRIG_SYS_clone3, none), "DENY(ENOSYS)"); // 5.3, but never the fallback
    options.kernel = BRIG_DSL_KERNEL(4, 4);
    REQUIRE(CHECK_OK(fixture_resolve(&derived_policy, &options, &rules, &error), &error));
    CHECK_STR_EQ(fixture_decide(&rules, BRIG_SYS_fsmount, none), "DENY(ENOSYS)");
    CHECK_STR_EQ(fixture_decide(&rules, BRIG_SYS_mount, none), "DENY(EADDRNOTAVAIL)");
}

TEST(resolve, clone3_can_be_named)
{
    struct brig_dsl_rules rules;
    struct brig_error error;
    static const uint64_t none[6];
    REQUIRE(CHECK_OK(fixture_resolve_rows(ROWS(ROW(clone3, ALLOW)), BRIG_DSL_AARCH64, &rules, &error), &error));
    CHECK_STR_EQ(fixture_decide(&rules, BRIG_SYS_clone3, none), "ALLOW");
}

static const struct brig_dsl_policy handler_policy = {
    .name = "p", .rows = ROWS(ROW(exit_group, CRASH), ROW(futex, DENY(EPERM))), FALLBACK(CRASH), .kernel = BRIG_DSL_KERNEL(6, 18)};

TEST(resolve, the_handlers_rows_come_first)
{
    static const struct {
        enum brig_dsl_call call;
        uint64_t args[6];
        const char *action;
    } rows[] = {
        {BRIG_SYS_rt_sigreturn, {0}, "ALLOW"},   {BRIG_SYS_restart_syscall, {0}, "ALLOW"},
        {BRIG_SYS_exit_group, {0}, "ALLOW"},     {BRIG_SYS_gettid, {0}, "ALLOW"},
        {BRIG_SYS_futex, {0, 0}, "ALLOW"},       {BRIG_SYS_futex, {0, 128}, "DENY(EPERM)"},
        {BRIG_SYS_futex, {0, 1}, "DENY(EPERM)"}, {BRIG_SYS_write, {9}, "ALLOW"},
        {BRIG_SYS_write, {8}, "CRASH"},
    };
    struct brig_dsl_options options = fixture_options(BRIG_DSL_X86_64);
    struct brig_dsl_rules rules;
    struct brig_error error;
    options.notify_fd = 9;
    REQUIRE(CHECK_OK(fixture_resolve(&handler_policy, &options, &rules, &error), &error));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        test_message("%s", brig_dsl_call_name(rows[i].call));
        CHECK_STR_EQ(fixture_decide(&rules, rows[i].call, rows[i].args), rows[i].action);
    }
    options.notify_fd = BRIG_DSL_SLOT_UNSET;
    REQUIRE(CHECK_OK(fixture_resolve(&handler_policy, &options, &rules, &error), &error));
    CHECK_EQ(brig_dsl_rules_of(&rules, BRIG_SYS_write)->rule_count, 0);
}

TEST(resolve, only_the_last_rule_is_unconditional)
{
    for (int arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
        struct brig_dsl_options options = fixture_options((enum brig_dsl_arch)arch);
        struct brig_dsl_rules rules;
        struct brig_error error;
        REQUIRE(CHECK_OK(fixture_resolve(&derived_policy, &options, &rules, &error), &error));
        for (int call = BRIG_SYS_NONE; call < BRIG_SYS_COUNT; call++) {
            const struct brig_dsl_call_rules *list = brig_dsl_rules_of(&rules, (enum brig_dsl_call)call);
            test_message("%s on %s", brig_dsl_call_name((enum brig_dsl_call)call), brig_dsl_arch_name(options.arch));
            CHECK(list->rule_count == 0 || brig_dsl_call_nr((enum brig_dsl_call)call, options.arch) >= 0);
            // What is not set here neither the lowering nor the check looks at.
            CHECK(list->rule_count == 0 || (rules.with_rules[call / 64] >> call % 64 & 1) != 0);
            for (uint32_t i = 0; i < list->rule_count; i++) {
                CHECK_EQ(list->rules[i]->condition_count == 0, i + 1 == list->rule_count);
            }
        }
    }
}

// --- arches -------------------------------------------------------------------------------------------------------------

static const struct brig_dsl_row tls[] = {ROW(clone, ALLOW, IN(tls, 7)), ELSE(clone, CRASH), ROWS_END};

TEST(resolve, arguments_are_where_the_target_has_them)
{
    static const struct {
        enum brig_dsl_arch arch;
        uint8_t argument;
        uint8_t bits;
    } rows[] = {{BRIG_DSL_X86_64, 4, 64}, {BRIG_DSL_AARCH64, 3, 64}, {BRIG_DSL_I386, 3, 32}, {BRIG_DSL_ARM, 3, 32}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct brig_dsl_rules rules;
        struct brig_error error;
        test_message("%s", brig_dsl_arch_name(rows[i].arch));
        REQUIRE(CHECK_OK(fixture_resolve_rows(tls, rows[i].arch, &rules, &error), &error));
        const struct brig_dsl_rule_condition *condition = brig_dsl_rules_of(&rules, BRIG_SYS_clone)->rules[0]->conditions;
        CHECK_EQ(condition->argument, rows[i].argument);
        CHECK_EQ(condition->bits, rows[i].bits);
    }
}

static const struct brig_dsl_row partly_absent[] = {
    ROW(open, ALLOW, ONLY_BITS(flags, MAP_32BIT)), // not even read where there is no open
    ROW(SET(stats), ALLOW),
    ROWS_END,
};

TEST(resolve, calls_that_the_target_lacks_are_skipped)
{
    struct brig_dsl_rules rules;
    struct brig_error error;
    REQUIRE(CHECK_OK(fixture_resolve_rows(partly_absent, BRIG_DSL_AARCH64, &rules, &error), &error));
    CHECK_EQ(brig_dsl_rules_of(&rules, BRIG_SYS_open)->rule_count, 0);
    CHECK_EQ(brig_dsl_rules_of(&rules, BRIG_SYS_stat)->rule_count, 0);
    CHECK_EQ(brig_dsl_rules_of(&rules, BRIG_SYS_fstat64)->rule_count, 0);
    CHECK_EQ(brig_dsl_rules_of(&rules, BRIG_SYS_newfstatat)->rule_count, 1);
    CHECK(brig_dsl_rules_of(&rules, BRIG_SYS_newfstatat)->rules[0] == brig_dsl_rules_of(&rules, BRIG_SYS_statx)->rules[0]);
}

static const struct brig_dsl_row partly_hidden[] = {ROW(mmap, ALLOW, NO_BITS(prot, PROT_EXEC)), ELSE(mmap, CRASH),
                                                    ROW(select, ALLOW), ROWS_END};

TEST(resolve, arguments_that_one_arch_hides_in_memory)
{
    static const uint64_t none[6];
    struct brig_dsl_rules rules;
    struct brig_error error;
    REQUIRE(CHECK_OK(fixture_resolve_rows(partly_hidden, BRIG_DSL_I386, &rules, &error), &error));
    CHECK_STR_EQ(fixture_decide(&rules, BRIG_SYS_mmap, none), "DENY(ENOSYS)");
    CHECK_STR_EQ(fixture_decide(&rules, BRIG_SYS_select, none), "ALLOW");
    REQUIRE(CHECK_OK(fixture_resolve_rows(partly_hidden, BRIG_DSL_X86_64, &rules, &error), &error));
    CHECK_STR_EQ(fixture_decide(&rules, BRIG_SYS_mmap, none), "ALLOW");
}

// --- traps --------------------------------------------------------------------------------------------------------------

static const struct brig_dsl_row trapping[] = {
    WHY("first"),      ROW(SET(io), REPORT(EPERM)),           ROW(read, CRASH), // dropped, takes no id
    WHY("second"),     ROW(fcntl, CRASH, IN(cmd, 1)),         ELSE(fcntl, ALLOW),
    ROW(fstat, ALLOW), ROW(newfstatat, EMULATE(needs_fstat)), ROW(open, CRASH),
    ROWS_END,
};

static bool has_nr(const struct brig_dsl_trap *trap, int32_t nr)
{
    return nr < BRIG_DSL_TRAP_NRS ? trap->nr_set[nr / 64] >> (nr % 64) & 1 : trap->other_nrs;
}

TEST(resolve, trap_ids)
{
    static const struct {
        enum brig_dsl_origin origin;
        int row;
        const char *why;
        enum brig_dsl_call call;  // that can give the id
        enum brig_dsl_call other; // that cannot
    } wanted[] = {
        {BRIG_DSL_ORIGIN_FOREIGN_ARCH, -1, NULL, BRIG_SYS_read, BRIG_SYS_NONE},
        {BRIG_DSL_ORIGIN_X32, -1, NULL, BRIG_SYS_NONE, BRIG_SYS_read},
        {BRIG_DSL_ORIGIN_FALLBACK, -1, NULL, BRIG_SYS_mount, BRIG_SYS_read},
        {BRIG_DSL_ORIGIN_ROW, 1, "first", BRIG_SYS_read, BRIG_SYS_fcntl},
        {BRIG_DSL_ORIGIN_ROW, 4, "second", BRIG_SYS_fcntl, BRIG_SYS_read},
        {BRIG_DSL_ORIGIN_ROW, 7, "second", BRIG_SYS_newfstatat, BRIG_SYS_fstat},
        {BRIG_DSL_ORIGIN_ROW, 8, "second", BRIG_SYS_open, BRIG_SYS_openat},
    };
    struct brig_dsl_rules rules;
    struct brig_error error;
    REQUIRE(CHECK_OK(fixture_resolve_rows(trapping, BRIG_DSL_X86_64, &rules, &error), &error));
    REQUIRE(CHECK_EQ(rules.trap_count, COUNT_OF(wanted) + 1));
    for (uint32_t id = 1; id < rules.trap_count; id++) {
        const struct brig_dsl_trap *trap = &rules.traps[id];
        test_message("trap %u", id);
        CHECK_EQ(trap->origin, wanted[id - 1].origin);
        CHECK(trap->row == (wanted[id - 1].row < 0 ? NULL : &trapping[wanted[id - 1].row]));
        CHECK_STR_EQ(trap->why, wanted[id - 1].why);
        if (wanted[id - 1].call != BRIG_SYS_NONE) {
            CHECK(has_nr(trap, brig_dsl_call_nr(wanted[id - 1].call, BRIG_DSL_X86_64)));
        }
        if (wanted[id - 1].other != BRIG_SYS_NONE) {
            CHECK(!has_nr(trap, brig_dsl_call_nr(wanted[id - 1].other, BRIG_DSL_X86_64)));
        }
    }
    CHECK(rules.traps[2].other_nrs);
    CHECK(has_nr(&rules.traps[3], brig_dsl_call_nr(BRIG_SYS_futex, BRIG_DSL_X86_64))); // behind the handler's row
    CHECK(!rules.traps[4].other_nrs);
    CHECK_EQ(rules.foreign_ret, SECCOMP_RET_TRAP | 1);
    CHECK_EQ(rules.x32_ret, SECCOMP_RET_TRAP | 2);
    CHECK_EQ(rules.fallback_ret, SECCOMP_RET_TRAP | 3);
    CHECK_EQ(rules.unknown_ret, SECCOMP_RET_ERRNO | ENOSYS);
    CHECK_EQ(brig_dsl_rules_of(&rules, BRIG_SYS_write)->rules[0]->ret, SECCOMP_RET_TRAP | 4);
}

TEST(resolve, other_arches_have_no_x32)
{
    struct brig_dsl_rules rules;
    struct brig_error error;
    REQUIRE(CHECK_OK(fixture_resolve_rows(trapping, BRIG_DSL_AARCH64, &rules, &error), &error));
    CHECK_EQ(rules.trap_count, 6); // and no open
    CHECK_EQ(rules.x32_ret, rules.unknown_ret);
    CHECK_EQ(rules.traps[2].origin, BRIG_DSL_ORIGIN_FALLBACK);
}

TEST(resolve, equal_policies_give_equal_rules)
{
    struct brig_dsl_options options = fixture_options(BRIG_DSL_X86_64);
    struct brig_dsl_rules first;
    struct brig_dsl_rules second;
    static unsigned char memory[2][BRIG_DSL_ARENA_BYTES / 8];
    struct brig_dsl_arena arenas[2];
    memset(memory[1], 0xa5, sizeof memory[1]);
    brig_dsl_arena_init(&arenas[0], memory[0], sizeof memory[0]);
    brig_dsl_arena_init(&arenas[1], memory[1], sizeof memory[1]);
    REQUIRE(brig_dsl_resolve(&derived_policy, &options, &arenas[0], &first, NULL) == BRIG_OK);
    REQUIRE(brig_dsl_resolve(&derived_policy, &options, &arenas[1], &second, NULL) == BRIG_OK);
    REQUIRE(CHECK_EQ(first.trap_count, second.trap_count));
    for (int call = 0; call < BRIG_SYS_COUNT; call++) {
        REQUIRE(CHECK_EQ(first.calls[call].rule_count, second.calls[call].rule_count));
        for (uint32_t i = 0; i < first.calls[call].rule_count; i++) {
            CHECK_EQ(first.calls[call].rules[i]->ret, second.calls[call].rules[i]->ret);
            CHECK(first.calls[call].rules[i]->row == second.calls[call].rules[i]->row);
        }
    }
}
