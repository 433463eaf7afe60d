// What the interrupted program gets: results, errnos, registers, its own errno.
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/trap/fixture.h"

// --- an emulation that answers what the call's arguments say ----------------------------------------------------------

static struct brig_trap_call seen;

static struct brig_trap_outcome obey(const struct brig_trap_call *call)
{
    seen = *call;
    errno = EXDEV; // a handler that forgets to put it back shows
    return (struct brig_trap_outcome){(enum brig_trap_outcome_kind)call->args[0], (long)call->args[1]};
}

static const enum brig_dsl_call no_calls[] = {BRIG_SYS_NONE};
static const struct brig_trap_emulation obeying = {.dsl = {.name = "obey", .calls = no_calls}, .emulate = obey};
static const struct trap_rule obeying_rules[] = {{SYS_getppid, ANY, 0, EMULATED_BY(obeying)}};

static const struct {
    enum brig_trap_outcome_kind kind;
    long value;
    long expected;
} outcomes[] = {
    {BRIG_TRAP_RESULT, 0, 0},         {BRIG_TRAP_RESULT, 1, 1}, {BRIG_TRAP_RESULT, 0x7fffffff, 0x7fffffff},
    {BRIG_TRAP_RESULT, -4096, -4096}, {BRIG_TRAP_ERRNO, 1, -1}, {BRIG_TRAP_ERRNO, ENOENT, -ENOENT},
    {BRIG_TRAP_ERRNO, 4095, -4095},
};

SANDBOX_TEST(trap, outcomes_become_results, .expect_exit = 0)
{
    struct trap_fixture fixture;
    fixture_start(&fixture, obeying_rules, COUNT_OF(obeying_rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    for (size_t i = 0; i < COUNT_OF(outcomes); i++) {
        test_message("outcome %zu", i);
        CHECK_EQ(fixture_call(SYS_getppid, outcomes[i].kind, outcomes[i].value, 0, 0), outcomes[i].expected);
    }
    CHECK_EQ(fixture.slots->emulated, COUNT_OF(outcomes));
    CHECK_EQ(fixture.slots->events, COUNT_OF(outcomes));
    CHECK_EQ(fixture.slots->reported, 0);
    fixture_end(&fixture);
}

static const struct {
    enum brig_trap_outcome_kind kind;
    int64_t value;
} impossible[] = {
    {BRIG_TRAP_RESULT, -1}, {BRIG_TRAP_RESULT, -4095}, {BRIG_TRAP_ERRNO, 0},     {BRIG_TRAP_ERRNO, 4096},
    {BRIG_TRAP_ERRNO, -1},  {BRIG_TRAP_VIOLATION, 0},  {BRIG_TRAP_VIOLATION, 5}, {(enum brig_trap_outcome_kind)77, 0},
};
static size_t impossible_index;

static void cause_impossible(void)
{
    fixture_call(SYS_getppid, impossible[impossible_index].kind, (long)impossible[impossible_index].value, 0, 0);
}

SANDBOX_TEST(trap, impossible_outcomes_are_violations, .expect_exit = 0)
{
    for (size_t i = 0; i < COUNT_OF(impossible); i++) {
        struct trap_fixture fixture;
        test_message("outcome %zu", i);
        impossible_index = i;
        fixture_start(&fixture, obeying_rules, COUNT_OF(obeying_rules), ALLOW_ALL);
        const int status = fixture_run(&fixture, cause_impossible);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
        CHECK_EQ(fixture.slots->emulated, 0);
        REQUIRE(CHECK_EQ(fixture_record_count(&fixture), 1));
        CHECK_EQ(fixture_record(&fixture, 0)->verb, BRIG_DSL_CRASH);
        CHECK_EQ(fixture_record(&fixture, 0)->nr, SYS_getppid);
        fixture_end(&fixture);
    }
}

SANDBOX_TEST(trap, emulations_see_the_call, .expect_exit = 0)
{
    struct trap_fixture fixture;
    const long arguments[6] = {BRIG_TRAP_RESULT, 42, -3, 0x1234567, 5, -6};
    fixture_start(&fixture, obeying_rules, COUNT_OF(obeying_rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    CHECK_EQ(syscall(SYS_getppid, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]), 42);
    CHECK_EQ(seen.call, BRIG_SYS_getppid);
    CHECK_EQ(seen.nr, SYS_getppid);
    CHECK_EQ(seen.audit_arch, brig_dsl_arch_audit(brig_dsl_arch_native()));
    CHECK_NE(seen.ip, 0);
    for (size_t i = 0; i < 6; i++) {
        test_message("argument %zu", i);
        CHECK_EQ(seen.args[i], (unsigned long)arguments[i]);
    }
    fixture_end(&fixture);
}

SANDBOX_TEST(trap, errno_of_the_program_is_kept, .expect_exit = 0)
{
    struct trap_fixture fixture;
    fixture_start(&fixture, obeying_rules, COUNT_OF(obeying_rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    errno = ENOTTY;
    CHECK_EQ(syscall(SYS_getppid, BRIG_TRAP_RESULT, 9), 9);
    CHECK_EQ(errno, ENOTTY);
    CHECK_EQ(syscall(SYS_getppid, BRIG_TRAP_ERRNO, EBADF), -1);
    CHECK_EQ(errno, EBADF);
    fixture_end(&fixture);
}

// --- REPORT -----------------------------------------------------------------------------------------------------------

static const struct trap_rule reporting_rules[] = {
    {SYS_getppid, 0, 0, {.verb = BRIG_DSL_REPORT, .data = 0}},
    {SYS_getppid, 0, 1, {.verb = BRIG_DSL_REPORT, .data = EPERM}},
    {SYS_getppid, ANY, 0, {.verb = BRIG_DSL_REPORT, .data = 4095}},
};

SANDBOX_TEST(trap, report_answers_its_errno_and_goes_on, .expect_exit = 0)
{
    static const uint32_t data[] = {0, EPERM, 4095};
    struct trap_fixture fixture;
    fixture_start(&fixture, reporting_rules, COUNT_OF(reporting_rules), ALLOW_ALL);
    fixture.setup.verdict_wait_ms = 60000; // is not waited for
    REQUIRE(fixture_lock(&fixture));
    for (size_t i = 0; i < COUNT_OF(data); i++) {
        test_message("errno %u", data[i]);
        CHECK_EQ(fixture_call(SYS_getppid, (long)i, 0, 0, 0), -(long)data[i]);
        const struct brig_trap_record *record = fixture_record(&fixture, i);
        REQUIRE(record);
        CHECK_EQ(record->verb, BRIG_DSL_REPORT);
        CHECK_EQ(record->data, data[i]);
        CHECK_EQ(record->trap_id, FIXTURE_FIRST_RULE_ID + i);
        CHECK_EQ(record->flags & BRIG_TRAP_FLAG_WAITS, 0);
    }
    CHECK_EQ(fixture.slots->reported, COUNT_OF(data));
    uint64_t wake_ups = 0;
    CHECK_EQ(read(fixture.setup.notify_fd, &wake_ups, sizeof wake_ups), (ssize_t)sizeof wake_ups);
    CHECK_EQ(wake_ups, COUNT_OF(data));
    fixture_end(&fixture);
}

SANDBOX_TEST(trap, nobody_has_to_read_records, .expect_exit = 0)
{
    struct trap_fixture fixture;
    fixture_start(&fixture, reporting_rules, COUNT_OF(reporting_rules), ALLOW_ALL);
    const int notify_fd = fixture.setup.notify_fd;
    fixture.setup = (struct brig_trap_setup){.notify_fd = -1};
    REQUIRE(fixture_lock(&fixture));
    CHECK_EQ(fixture_call(SYS_getppid, 1, 0, 0, 0), -EPERM);
    fixture.setup.notify_fd = notify_fd;
    fixture_end(&fixture);
}

static long answer_in_handler;

static void call_from_handler(int signal_nr)
{
    (void)signal_nr;
    answer_in_handler = fixture_call(SYS_getppid, 1, 0, 0, 0);
}

SANDBOX_TEST(trap, traps_of_signal_handlers_are_answered, .expect_exit = 0)
{
    struct trap_fixture fixture;
    struct sigaction action = {.sa_handler = call_from_handler};
    fixture_start(&fixture, reporting_rules, COUNT_OF(reporting_rules), ALLOW_ALL);
    sigaddset(&action.sa_mask, SIGUSR2);
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    REQUIRE(fixture_lock(&fixture));
    raise(SIGUSR1);
    CHECK_EQ(answer_in_handler, -EPERM);
    REQUIRE(CHECK_EQ(fixture_record_count(&fixture), 1));
    CHECK_EQ(fixture_record(&fixture, 0)->flags & BRIG_TRAP_FLAG_ASYNC_BLOCKED, BRIG_TRAP_FLAG_ASYNC_BLOCKED);
    CHECK_EQ(fixture.slots->reentered, 0);
    fixture_end(&fixture);
}
