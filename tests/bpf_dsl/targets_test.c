// Targets: what each action becomes in a linked worker and in a program that was executed, who the broker is there for, and how
// what a call met is found where no id says it.
#include <errno.h>
#include <string.h>

#include <linux/seccomp.h>
#include <sys/syscall.h>

#include "bpf_dsl/program.h"
#include "bpf_dsl/words.h"
#include "tests/bpf_dsl/kernel_fixture.h"
#include "tests/bpf_dsl/rules_fixture.h"
#include "tests/shim/codes.h"
#include "tests/shim/test.h"

// Stands in for an emulation of the trap room.
static const struct {
    struct brig_dsl_handler dsl;
} brig_trap_emulate_needs_fstat = {{.name = "needs_fstat", .calls = (const enum brig_dsl_call[]){BRIG_SYS_fstat, BRIG_SYS_NONE}}};

#define ROWS(...) \
    (const struct brig_dsl_row[]) \
    { \
        __VA_ARGS__, ROWS_END \
    }

static _Alignas(16) unsigned char memory[BRIG_DSL_ARENA_BYTES];

// --- what actions become ------------------------------------------------------------------------------------------------------

#define EVERYWHERE(ret_) \
    { \
        ret_, ret_, ret_ \
    }

TEST(targets, actions_as_the_kernel_sees_them)
{
    static const struct {
        struct brig_dsl_action action;
        uint32_t rets[BRIG_DSL_PROCESS_COUNT];
        const char *text;
    } rows[] = {
        {BRIG_DSL_ACTION_ALLOW, EVERYWHERE(SECCOMP_RET_ALLOW), "ALLOW"},
        {BRIG_DSL_ACTION_DENY(EACCES), EVERYWHERE(SECCOMP_RET_ERRNO | EACCES), "DENY(EACCES)"},
        {BRIG_DSL_ACTION_DENY(0), EVERYWHERE(SECCOMP_RET_ERRNO), "DENY(0)"},
        {BRIG_DSL_ACTION_DENY(4095), EVERYWHERE(SECCOMP_RET_ERRNO | 4095), "DENY(4095)"},
        {BRIG_DSL_ACTION_CRASH, {SECCOMP_RET_TRAP | 3, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_USER_NOTIF}, "CRASH"},
        {BRIG_DSL_ACTION_REPORT(EPERM), {SECCOMP_RET_TRAP | 3, SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_USER_NOTIF}, "REPORT(EPERM)"},
        {BRIG_DSL_ACTION_EMULATE(needs_fstat),
         {SECCOMP_RET_TRAP | 3, SECCOMP_RET_ERRNO | ENOSYS, SECCOMP_RET_USER_NOTIF},
         "EMULATE(needs_fstat)"},
        {BRIG_DSL_ACTION_BROKER, {SECCOMP_RET_TRAP | 3, SECCOMP_RET_ERRNO | EACCES, SECCOMP_RET_USER_NOTIF}, "BROKER"},
        {BRIG_DSL_ACTION_NOTIFY, {SECCOMP_RET_TRAP | 3, SECCOMP_RET_ERRNO | ENOSYS, SECCOMP_RET_USER_NOTIF}, "NOTIFY"},
        {BRIG_DSL_ACTION_LOG, EVERYWHERE(SECCOMP_RET_LOG), "LOG"},
        {BRIG_DSL_ACTION_KILL_PROCESS, EVERYWHERE(SECCOMP_RET_KILL_PROCESS), "KILL_PROCESS"},
        {BRIG_DSL_ACTION_KILL_THREAD, EVERYWHERE(SECCOMP_RET_KILL_THREAD), "KILL_THREAD"},
        {BRIG_DSL_ACTION_TRACE(65535), EVERYWHERE(SECCOMP_RET_TRACE | 65535), "TRACE(65535)"},
    };
    static const uint64_t none[6];
    for (size_t i = 0; i < COUNT_OF(rows) * BRIG_DSL_PROCESS_COUNT; i++) {
        const size_t row = i / BRIG_DSL_PROCESS_COUNT;
        const struct brig_dsl_row table[] = {
            ROW(fstat, ALLOW),
            {.kind = BRIG_DSL_ROW_CALL, .call = BRIG_SYS_read, .action = rows[row].action},
            {.kind = BRIG_DSL_ROW_END},
        };
        struct brig_dsl_policy policy = {.name = "p", .rows = table, FALLBACK(DENY(1)), .kernel = BRIG_DSL_KERNEL(6, 18)};
        struct brig_dsl_options options = fixture_options(BRIG_DSL_X86_64);
        struct brig_dsl_rules rules;
        struct brig_error error;
        options.target = (enum brig_dsl_process)(i % BRIG_DSL_PROCESS_COUNT);
        test_message("%s, target %d", rows[row].text, options.target);
        REQUIRE(CHECK_OK(fixture_resolve(&policy, &options, &rules, &error), &error));
        CHECK_EQ(brig_dsl_rules_of(&rules, BRIG_SYS_read)->rules[0]->ret, rows[row].rets[options.target]);
        CHECK_STR_EQ(fixture_decide(&rules, BRIG_SYS_read, none), rows[row].text);
        CHECK_EQ(rules.traps[rules.trap_count - 1].origin == BRIG_DSL_ORIGIN_ROW,
                 (rows[row].rets[BRIG_DSL_LINKED] & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRAP);
    }
    test_message("%s", "");
}

#define HANDLERS_FLAGS 0x4040 // MSG_DONTWAIT | MSG_NOSIGNAL: what the handler sends with

// --- the broker ---------------------------------------------------------------------------------------------------------------

static const struct brig_dsl_policy broker_policy = {
    .name = "p", .rows = ROWS(ROW(openat, BROKER)), FALLBACK(CRASH), .kernel = BRIG_DSL_KERNEL(6, 18)};

static const struct brig_dsl_policy silent_policy = {
    .name = "p", .rows = ROWS(ROW(openat, CRASH)), FALLBACK(CRASH), .kernel = BRIG_DSL_KERNEL(6, 18)};

TEST(targets, the_brokers_row_is_for_those_that_ask_it)
{
    static const struct {
        const struct brig_dsl_policy *policy;
        int64_t broker_fd;
        enum brig_dsl_process target;
        const char *actions[2]; // of sendmsg on 9 and on 10
    } rows[] = {
        {&broker_policy, 9, BRIG_DSL_LINKED, {"ALLOW", "CRASH"}},
        {&broker_policy, BRIG_DSL_SLOT_UNSET, BRIG_DSL_LINKED, {"CRASH", "CRASH"}},
        {&broker_policy, 9, BRIG_DSL_NOTIFIED, {"NOTIFY", "NOTIFY"}},
        {&silent_policy, 9, BRIG_DSL_LINKED, {"CRASH", "CRASH"}},
    };
    for (size_t i = 0; i < COUNT_OF(rows) * BRIG_DSL_ARCH_COUNT; i++) {
        const size_t row = i / BRIG_DSL_ARCH_COUNT;
        struct brig_dsl_options options = fixture_options((enum brig_dsl_arch)(i % BRIG_DSL_ARCH_COUNT));
        struct brig_dsl_rules rules;
        struct brig_error error;
        options.broker_fd = rows[row].broker_fd;
        options.target = rows[row].target;
        test_message("row %zu, %s", row, brig_dsl_arch_name(options.arch));
        REQUIRE(CHECK_OK(fixture_resolve(rows[row].policy, &options, &rules, &error), &error));
        for (uint64_t fd = 9; fd <= 10; fd++) {
            const uint64_t args[6] = {fd, 0, HANDLERS_FLAGS};
            CHECK_STR_EQ(fixture_decide(&rules, BRIG_SYS_sendmsg, args), rows[row].actions[fd - 9]);
        }
        // A socket that was put in the channel's place cannot be connected by a message (MSG_FASTOPEN).
        const uint64_t fast_open[6] = {9, 0, HANDLERS_FLAGS | 0x20000000};
        CHECK_STR_EQ(fixture_decide(&rules, BRIG_SYS_sendmsg, fast_open), rows[row].actions[1]);
    }
    test_message("%s", "");
}

static const struct brig_dsl_policy helpless_policy = {
    .name = "p",
    .rows = ROWS(ROW(read, ALLOW), ROW(newfstatat, EMULATE(needs_fstat)), ROW(madvise, REPORT(EPERM)), ROW(futex, BROKER)),
    FALLBACK(CRASH),
    .kernel = BRIG_DSL_KERNEL(6, 18)};

// Where no handler runs, none needs its calls, and nothing is lost where libc blocks signals.
TEST(targets, executed_programs_need_nothing_of_a_handler)
{
    for (int target = BRIG_DSL_LINKED; target <= BRIG_DSL_PROCESS_COUNT; target++) {
        struct brig_dsl_options options = fixture_options(BRIG_DSL_X86_64);
        struct brig_dsl_rules rules;
        struct brig_error error;
        options.target = (enum brig_dsl_process)target;
        test_message("target %d", target);
        enum brig_code expected = target == BRIG_DSL_LINKED          ? BRIG_TRAP_WHILE_BLOCKED
                                  : target == BRIG_DSL_PROCESS_COUNT ? BRIG_BAD_ARGUMENT
                                                                     : BRIG_OK;
        CHECK(CHECK_CODE(fixture_resolve(&helpless_policy, &options, &rules, &error), expected, &error));
    }
    test_message("%s", "");
}

// A row of BROKER that can decide, and one that stands behind a row that always does.
static const struct brig_dsl_row asking[] = {ROW(openat, BROKER), ROWS_END};
static const struct brig_dsl_row hidden[] = {ROW(openat, ALLOW), ROW(openat, BROKER), ROWS_END};

TEST(targets, only_who_asks_the_broker_may_call_it)
{
    static const struct {
        const char *what;
        const struct brig_dsl_row *rows;
        struct brig_dsl_action fallback;
        enum brig_dsl_process target;
        bool asks;
    } rows[] = {{"a row", asking, BRIG_DSL_ACTION_CRASH, BRIG_DSL_LINKED, true},
                {"a row that never decides", hidden, BRIG_DSL_ACTION_CRASH, BRIG_DSL_LINKED, false},
                {"the fallback", hidden, BRIG_DSL_ACTION_BROKER, BRIG_DSL_LINKED, true},
                {"an executed program", asking, BRIG_DSL_ACTION_BROKER, BRIG_DSL_EXECUTED, false},
                {"a program with a listener", asking, BRIG_DSL_ACTION_BROKER, BRIG_DSL_NOTIFIED, false}};
    const struct brig_dsl_data ask = {.nr = BRIG_DSL_BROKER_NR, .audit_arch = brig_dsl_arch_audit(BRIG_DSL_X86_64)};
    const struct brig_dsl_data send = {.nr = (uint32_t)brig_dsl_call_nr(BRIG_SYS_sendmsg, BRIG_DSL_X86_64),
                                       .audit_arch = brig_dsl_arch_audit(BRIG_DSL_X86_64),
                                       .args = {7, 0, HANDLERS_FLAGS}};
    for (size_t i = 0; i < COUNT_OF(rows) * 2; i++) {
        struct brig_dsl_policy policy = {
            .name = "p", .rows = rows[i / 2].rows, .fallback = rows[i / 2].fallback, .kernel = BRIG_DSL_KERNEL(6, 18)};
        struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT;
        struct brig_dsl_program program;
        struct brig_dsl_arena arena;
        struct brig_error error;
        options.arch = BRIG_DSL_X86_64;
        options.target = rows[i / 2].target;
        options.broker_fd = 7;
        options.plain = i % 2 != 0;
        test_message("%s", rows[i / 2].what);
        brig_dsl_arena_init(&arena, memory, sizeof memory);
        REQUIRE(CHECK_OK(brig_dsl_compile(&policy, &options, &arena, &program, &error), &error));
        uint32_t asked = brig_dsl_interpret(program.insns, program.insn_count, &ask, NULL).ret;
        uint32_t sent = brig_dsl_interpret(program.insns, program.insn_count, &send, NULL).ret;
        CHECK_EQ(asked, rows[i / 2].asks ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | 38);
        CHECK_EQ(sent == SECCOMP_RET_ALLOW, rows[i / 2].asks);
    }
    test_message("%s", "");
}

static struct dumped {
    char text[65536];
    size_t bytes;
} dumped;

static void put(void *context, const char *text, size_t text_bytes)
{
    (void)context;
    for (size_t i = 0; i < text_bytes && dumped.bytes + 1 < sizeof dumped.text; i++) {
        dumped.text[dumped.bytes++] = text[i];
    }
}

TEST(targets, dumps_say_who_the_rules_are_for)
{
    static const struct {
        enum brig_dsl_process target;
        const char *head;
        const char *sendmsg;
        bool asks;
    } rows[] = {
        {BRIG_DSL_LINKED, "policy p for x86_64, Linux 6.18\n", "    ALLOW when fd:0.32 in {0x9}", true},
        {BRIG_DSL_EXECUTED, "policy p for x86_64, Linux 6.18, executed\n", "4 BROKER, row\n", false},
        {BRIG_DSL_NOTIFIED, "policy p for x86_64, Linux 6.18, notified\n", "    USER_NOTIF\n", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct brig_dsl_sink sink = {put, NULL};
        struct brig_dsl_options options = fixture_options(BRIG_DSL_X86_64);
        struct brig_dsl_arena arena;
        struct brig_error error;
        dumped = (struct dumped){.bytes = 0};
        options.target = rows[i].target;
        options.broker_fd = 9;
        test_message("%s", brig_dsl_process_name(options.target));
        brig_dsl_arena_init(&arena, memory, sizeof memory);
        REQUIRE(CHECK_OK(brig_dsl_dump(&broker_policy, &options, BRIG_DSL_STAGE_RULES, &arena, &sink, &error), &error));
        CHECK_CONTAINS(dumped.text, rows[i].head);
        CHECK_CONTAINS(dumped.text, rows[i].sendmsg);
        CHECK_EQ(strstr(dumped.text, "    ALLOW of the number that asks the broker\n") != NULL, rows[i].asks);
    }
    test_message("%s", "");
    CHECK(brig_dsl_process_name(BRIG_DSL_PROCESS_COUNT) == NULL);
}

// --- what a call met --------------------------------------------------------------------------------------------------------

static const struct brig_dsl_row met_rows[] = {
    WHY("flags are read, never set"),
    ROW(fcntl, ALLOW, IN(cmd, F_GETFL)),
    ROW(fcntl, REPORT(EPERM), IN(cmd, F_SETFL)),
    WHY("and all else is the end"),
    ELSE(fcntl, CRASH),
    ROW(read, ALLOW),
    ROW(openat, BROKER),
    ROW(uname, NOTIFY),
    ROW(getppid, DENY(EPERM)),
    ROWS_END,
};
static const struct brig_dsl_policy met_policy = {
    .name = "met", .rows = met_rows, FALLBACK(CRASH), .kernel = BRIG_DSL_KERNEL(6, 18)};

TEST(targets, what_a_call_met_is_found_without_an_id)
{
    static const struct {
        enum brig_dsl_arch seen;
        enum brig_dsl_call call;
        uint64_t args[6];
        enum brig_dsl_verb verb; // NONE: nothing is found
        int row;                 // index in met_rows, 0: none
        enum brig_dsl_origin origin;
    } calls[] = {
        {BRIG_DSL_X86_64, BRIG_SYS_fcntl, {0, 3}, BRIG_DSL_VERB_NONE, 0, BRIG_DSL_ORIGIN_ROW},
        {BRIG_DSL_X86_64, BRIG_SYS_fcntl, {0, 4}, BRIG_DSL_REPORT, 2, BRIG_DSL_ORIGIN_ROW},
        {BRIG_DSL_X86_64, BRIG_SYS_fcntl, {0, 5}, BRIG_DSL_CRASH, 4, BRIG_DSL_ORIGIN_ROW},
        {BRIG_DSL_X86_64, BRIG_SYS_read, {0}, BRIG_DSL_VERB_NONE, 0, BRIG_DSL_ORIGIN_ROW},
        {BRIG_DSL_X86_64, BRIG_SYS_openat, {0}, BRIG_DSL_BROKER, 6, BRIG_DSL_ORIGIN_ROW},
        {BRIG_DSL_X86_64, BRIG_SYS_uname, {0}, BRIG_DSL_NOTIFY, 7, BRIG_DSL_ORIGIN_ROW},
        {BRIG_DSL_X86_64, BRIG_SYS_getppid, {0}, BRIG_DSL_VERB_NONE, 0, BRIG_DSL_ORIGIN_ROW},
        {BRIG_DSL_X86_64, BRIG_SYS_mount, {0}, BRIG_DSL_CRASH, 0, BRIG_DSL_ORIGIN_FALLBACK},
        {BRIG_DSL_X86_64, BRIG_SYS_clone3, {0}, BRIG_DSL_VERB_NONE, 0, BRIG_DSL_ORIGIN_ROW},
        {BRIG_DSL_X86_64, BRIG_SYS_futex, {0, 1}, BRIG_DSL_CRASH, 0, BRIG_DSL_ORIGIN_FALLBACK}, // behind the handler's row
        {BRIG_DSL_I386, BRIG_SYS_read, {0}, BRIG_DSL_CRASH, 0, BRIG_DSL_ORIGIN_FOREIGN_ARCH},
    };
    for (size_t i = 0; i < COUNT_OF(calls) * BRIG_DSL_PROCESS_COUNT; i++) {
        const size_t at = i / BRIG_DSL_PROCESS_COUNT;
        struct brig_dsl_options options = fixture_options(BRIG_DSL_X86_64);
        struct brig_dsl_rules rules;
        struct brig_error error;
        options.target = (enum brig_dsl_process)(i % BRIG_DSL_PROCESS_COUNT);
        REQUIRE(CHECK_OK(fixture_resolve(&met_policy, &options, &rules, &error), &error));
        struct brig_dsl_data data = {.nr = (uint32_t)brig_dsl_call_nr(calls[at].call, BRIG_DSL_X86_64),
                                     .audit_arch = brig_dsl_arch_audit(calls[at].seen)};
        memcpy(data.args, calls[at].args, sizeof data.args);
        test_message("%s, target %d", brig_dsl_call_name(calls[at].call), options.target);
        const struct brig_dsl_trap *met = brig_dsl_decide(&rules, &data);
        CHECK_EQ(met != NULL ? met->action.verb : BRIG_DSL_VERB_NONE, calls[at].verb);
        if (met != NULL) {
            CHECK_EQ(met->origin, calls[at].origin);
            CHECK(met->row == (calls[at].row == 0 ? NULL : &met_rows[calls[at].row]));
            CHECK((met->why != NULL) == (met->row != NULL));
        }
    }
    test_message("%s", "");
}

TEST(targets, x32_is_found_too)
{
    struct brig_dsl_options options = fixture_options(BRIG_DSL_X86_64);
    struct brig_dsl_rules rules;
    struct brig_error error;
    options.target = BRIG_DSL_NOTIFIED;
    REQUIRE(CHECK_OK(fixture_resolve(&met_policy, &options, &rules, &error), &error));
    const struct brig_dsl_data data = {.nr = 0x40000000, .audit_arch = brig_dsl_arch_audit(BRIG_DSL_X86_64)};
    const struct brig_dsl_trap *met = brig_dsl_decide(&rules, &data);
    REQUIRE(met != NULL);
    CHECK_EQ(met->origin, BRIG_DSL_ORIGIN_X32);
    CHECK_EQ(brig_dsl_evaluate(&rules, &data, NULL), SECCOMP_RET_USER_NOTIF);
}

// --- the kernel ---------------------------------------------------------------------------------------------------------------

static const struct brig_dsl_policy kernel_policy = {.name = "kernel",
                                                     .rows = ROWS(ROW(getppid, REPORT(EXDEV)), ROW(uname, EMULATE(needs_fstat)),
                                                                  ROW(getpgrp, BROKER), ROW(getuid, NOTIFY), ROW(mount, CRASH)),
                                                     FALLBACK(ALLOW),
                                                     .kernel = BRIG_DSL_KERNEL(6, 18)};

// A notification that nobody listens for is ENOSYS (kernel/seccomp.c:seccomp_do_user_notification), and nothing is executed.
TEST(targets, the_kernel_answers_as_promised)
{
    static const struct {
        enum brig_dsl_call call;
        int answers[BRIG_DSL_PROCESS_COUNT]; // -1: not asked
    } rows[] = {
        {BRIG_SYS_getppid, {-1, EXDEV, ENOSYS}}, {BRIG_SYS_uname, {-1, ENOSYS, ENOSYS}}, {BRIG_SYS_getpgrp, {-1, EACCES, ENOSYS}},
        {BRIG_SYS_getuid, {-1, ENOSYS, ENOSYS}}, {BRIG_SYS_mount, {-1, -1, ENOSYS}},
    };
    for (int target = BRIG_DSL_EXECUTED; target <= BRIG_DSL_NOTIFIED; target++) {
        struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT;
        struct brig_dsl_program program;
        struct brig_dsl_arena arena;
        struct brig_error error;
        struct kernel_call calls[COUNT_OF(rows)];
        uint32_t count = 0;
        options.target = (enum brig_dsl_process)target;
        brig_dsl_arena_init(&arena, memory, sizeof memory);
        REQUIRE(CHECK_OK(brig_dsl_compile(&kernel_policy, &options, &arena, &program, &error), &error));
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            int32_t nr = brig_dsl_call_nr(rows[i].call, options.arch);
            if (rows[i].answers[target] != -1 && nr >= 0) {
                calls[count++] = (struct kernel_call){.nr = (uint32_t)nr, .answer = rows[i].answers[target]};
            }
        }
        struct kernel_call answered[COUNT_OF(rows)];
        memcpy(answered, calls, sizeof calls);
        const struct kernel_filter filter = {program.insns, program.insn_count};
        REQUIRE(kernel_answers(&filter, 1, answered, count));
        for (uint32_t i = 0; i < count; i++) {
            test_message("target %d, nr %u", target, calls[i].nr);
            CHECK_EQ(answered[i].answer, calls[i].answer);
        }
    }
    test_message("%s", "");
}
