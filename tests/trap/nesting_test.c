// Traps inside the handler: on purpose, by mistake, and without end.
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/trap/fixture.h"

static const enum brig_dsl_call no_calls[] = {BRIG_SYS_NONE};

static bool died_by_sigsys(int status)
{
    return CHECK(WIFSIGNALED(status)) && CHECK_EQ(WTERMSIG(status), SIGSYS);
}

// --- an emulation whose call is emulated, as often as its argument says -----------------------------------------------

static struct brig_trap_outcome count_down(const struct brig_trap_call *call)
{
    if (call->args[0] == 0) {
        return (struct brig_trap_outcome){BRIG_TRAP_RESULT, 0};
    }
    const int64_t below = brig_trap_syscall(call, call->nr, (const uint64_t[6]){call->args[0] - 1});
    return brig_trap_answer(below < 0 ? below : below + 1);
}

static const struct brig_trap_emulation counting = {.dsl = {.name = "count", .calls = no_calls}, .emulate = count_down};
static const struct trap_rule counting_rules[] = {{SYS_getppid, ANY, 0, EMULATED_BY(counting)}};

SANDBOX_TEST(trap, emulations_nest, .expect_exit = 0)
{
    struct trap_fixture fixture;
    fixture_start(&fixture, counting_rules, COUNT_OF(counting_rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    for (long depth = 0; depth < 4; depth++) {
        CHECK_EQ(fixture_call(SYS_getppid, depth, 0, 0, 0), depth);
    }
    CHECK_EQ(fixture.slots->events, 1 + 2 + 3 + 4);
    CHECK_EQ(fixture.slots->emulated, 1 + 2 + 3 + 4);
    CHECK_EQ(fixture.slots->reentered, 0 + 1 + 2 + 3);
    CHECK_EQ(fixture_record_count(&fixture), 0);
    fixture_end(&fixture);
}

static void count_too_far(void)
{
    syscall(SYS_getppid, 4);
}

SANDBOX_TEST(trap, endless_nesting_dies, .expect_exit = 0)
{
    struct trap_fixture fixture;
    fixture_start(&fixture, counting_rules, COUNT_OF(counting_rules), ALLOW_ALL);
    died_by_sigsys(fixture_run(&fixture, count_too_far));
    REQUIRE(CHECK_EQ(fixture_record_count(&fixture), 1));
    CHECK_EQ(fixture_record(&fixture, 0)->flags & BRIG_TRAP_FLAG_REENTERED, BRIG_TRAP_FLAG_REENTERED);
    CHECK_EQ(fixture_record(&fixture, 0)->stack_bytes, 0);
    CHECK_EQ(fixture_record(&fixture, 0)->tid, 0);
    CHECK_EQ(fixture_record(&fixture, 0)->nr, SYS_getppid);
    CHECK_EQ(fixture_record(&fixture, 0)->args[0], 0);
    fixture_end(&fixture);
}

// --- what a nested trap is answered -----------------------------------------------------------------------------------

static struct brig_trap_outcome call_getsid(const struct brig_trap_call *call)
{
    return brig_trap_answer(brig_trap_syscall(call, SYS_getsid, call->args));
}

// Past the trap layer: it cannot know how deep this is.
static struct brig_trap_outcome call_getsid_directly(const struct brig_trap_call *call)
{
    (void)call;
    return brig_trap_answer(fixture_call(SYS_getsid, 0, 0, 0, 0));
}

static struct brig_trap_outcome loop_directly(const struct brig_trap_call *call)
{
    return brig_trap_answer(fixture_call((long)call->nr, 0, 0, 0, 0));
}

static const struct brig_trap_emulation through_us = {.dsl = {.name = "through_us", .calls = no_calls}, .emulate = call_getsid};
static const struct brig_trap_emulation past_us = {.dsl = {.name = "past_us", .calls = no_calls}, .emulate = call_getsid_directly};
static const struct brig_trap_emulation endless = {.dsl = {.name = "endless", .calls = no_calls}, .emulate = loop_directly};

static const struct trap_rule nested_rules[] = {
    {SYS_getppid, ANY, 0, EMULATED_BY(through_us)}, {SYS_umask, ANY, 0, EMULATED_BY(past_us)},
    {SYS_getpgid, ANY, 0, EMULATED_BY(endless)},    {SYS_getsid, 0, 1, {.verb = BRIG_DSL_REPORT, .data = EDOM}},
    {SYS_getsid, ANY, 0, {.verb = BRIG_DSL_CRASH}},
};

SANDBOX_TEST(trap, a_nested_report_answers, .expect_exit = 0)
{
    struct trap_fixture fixture;
    fixture_start(&fixture, nested_rules, COUNT_OF(nested_rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    CHECK_EQ(fixture_call(SYS_getppid, 1, 0, 0, 0), -EDOM);
    REQUIRE(CHECK_EQ(fixture_record_count(&fixture), 1));
    CHECK_EQ(fixture_record(&fixture, 0)->flags & BRIG_TRAP_FLAG_REENTERED, BRIG_TRAP_FLAG_REENTERED);
    CHECK_EQ(fixture_record(&fixture, 0)->data, EDOM);
    fixture_end(&fixture);
}

static long crashing_nr;

static void call_crashing_nr(void)
{
    syscall(crashing_nr, 0);
}

SANDBOX_TEST(trap, nested_crashes_are_recorded_and_deadly, .expect_exit = 0)
{
    static const struct {
        long nr;
        long recorded_nr;
    } calls[] = {{SYS_getppid, SYS_getsid}, {SYS_umask, SYS_getsid}, {SYS_getpgid, SYS_getpgid}};
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        struct trap_fixture fixture;
        test_message("call %zu", i);
        crashing_nr = calls[i].nr;
        fixture_start(&fixture, nested_rules, COUNT_OF(nested_rules), ALLOW_ALL);
        died_by_sigsys(fixture_run(&fixture, call_crashing_nr));
        REQUIRE(CHECK_EQ(fixture_record_count(&fixture), 1));
        CHECK_EQ(fixture_record(&fixture, 0)->flags & BRIG_TRAP_FLAG_REENTERED, BRIG_TRAP_FLAG_REENTERED);
        CHECK_EQ(fixture_record(&fixture, 0)->nr, calls[i].recorded_nr);
        CHECK_EQ(fixture.slots->events, 2);
        fixture_end(&fixture);
    }
}

// --- filters that trap what the handler itself calls ------------------------------------------------------------------

static void crash(void)
{
    syscall(SYS_getppid);
}

SANDBOX_TEST(trap, a_handler_that_is_trapped_dies_with_a_record, .expect_exit = 0)
{
    static const struct {
        const char *what;
        long nr;
        size_t records;
        uint64_t events;
    } calls[] = {
        {"gettid: the short record does without", SYS_gettid, 1, 2},
        {"futex: the short record waits, and is trapped in that", SYS_futex, 1, 3},
        {"write: both records are there before they are announced", SYS_write, 2, 3},
    };
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        const struct trap_rule rules[] = {{SYS_getppid, ANY, 0, {.verb = BRIG_DSL_CRASH}},
                                          {calls[i].nr, ANY, 0, {.verb = BRIG_DSL_CRASH}}};
        struct trap_fixture fixture;
        test_message("%s", calls[i].what);
        fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
        fixture.setup.verdict_wait_ms = 20;
        died_by_sigsys(fixture_run(&fixture, crash));
        CHECK_EQ(fixture_record_count(&fixture), calls[i].records);
        CHECK_EQ(fixture.slots->events, calls[i].events);
        bool has_short = false;
        for (size_t j = 0; j < fixture_record_count(&fixture); j++) {
            const struct brig_trap_record *record = fixture_record(&fixture, j);
            has_short = has_short || ((record->flags & BRIG_TRAP_FLAG_REENTERED) && record->nr == (uint32_t)calls[i].nr);
        }
        CHECK(has_short);
        fixture_end(&fixture);
    }
}

SANDBOX_TEST(trap, a_handler_that_is_refused_still_records, .expect_exit = 0)
{
    const struct trap_rule rules[] = {{SYS_getppid, ANY, 0, {.verb = BRIG_DSL_CRASH}},
                                      {SYS_gettid, ANY, 0, {.verb = BRIG_DSL_DENY, .data = EPERM}},
                                      {SYS_futex, ANY, 0, {.verb = BRIG_DSL_DENY, .data = EPERM}},
                                      {SYS_write, ANY, 0, {.verb = BRIG_DSL_REPORT, .data = EPERM}}};
    struct trap_fixture fixture;
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    fixture.setup.verdict_wait_ms = 60000; // a wait that the filter refuses is no wait
    died_by_sigsys(fixture_run(&fixture, crash));
    REQUIRE(CHECK_GE(fixture_record_count(&fixture), 1));
    CHECK_EQ(fixture_record(&fixture, 0)->nr, SYS_getppid);
    CHECK_EQ(fixture_record(&fixture, 0)->tid, 0);
    CHECK_EQ(fixture_record(&fixture, 0)->stack_bytes, 0); // what cannot be asked for is not read
    fixture_end(&fixture);
}

// --- the mandatory rows are enough ------------------------------------------------------------------------------------

static struct brig_trap_outcome probe_and_call(const struct brig_trap_call *call)
{
    const bool is_right =
        brig_trap_is_readable(call, call->args[0]) && !brig_trap_is_readable(call, 0) && !brig_trap_is_readable(call, ~UINT64_C(0));
    return (struct brig_trap_outcome){BRIG_TRAP_RESULT, is_right};
}

static const struct brig_trap_emulation probing = {.dsl = {.name = "probe", .calls = no_calls}, .emulate = probe_and_call};

static void use_everything(void)
{
    static const char readable[64] = "file-backed and read-only";
    const bool answers = syscall(SYS_getppid, readable) == 1 && syscall(SYS_getsid) == -1 && errno == EDOM;
    syscall(answers ? SYS_getpgid : SYS_exit_group, 1);
}

SANDBOX_TEST(trap, the_handler_calls_nothing_but_the_mandatory_rows, .expect_exit = 0)
{
    struct trap_fixture fixture;
    fixture_start(&fixture, NULL, 0, ALLOW_ALL); // for its eventfd, whose number the rules need
    const struct trap_rule rules[] = {
        {SYS_getppid, ANY, 0, EMULATED_BY(probing)},
        {SYS_getsid, ANY, 0, {.verb = BRIG_DSL_REPORT, .data = EDOM}},
        {SYS_getpgid, ANY, 0, {.verb = BRIG_DSL_CRASH}},
        {SYS_rt_sigreturn, ANY, 0, {.verb = BRIG_DSL_ALLOW}},
        {SYS_restart_syscall, ANY, 0, {.verb = BRIG_DSL_ALLOW}},
        {SYS_exit_group, ANY, 0, {.verb = BRIG_DSL_ALLOW}},
        {SYS_gettid, ANY, 0, {.verb = BRIG_DSL_ALLOW}},
        {SYS_futex, 1, 0, {.verb = BRIG_DSL_ALLOW}}, // FUTEX_WAIT
        {SYS_write, 0, (uint32_t)fixture.setup.notify_fd, {.verb = BRIG_DSL_ALLOW}},
    };
    struct trap_fixture locked;
    fixture_start(&locked, rules, COUNT_OF(rules), (struct brig_dsl_action){.verb = BRIG_DSL_KILL_PROCESS});
    close(locked.setup.notify_fd);
    locked.setup.notify_fd = fixture.setup.notify_fd;
    locked.setup.verdict_wait_ms = 10;
    died_by_sigsys(fixture_run(&locked, use_everything));
    CHECK_EQ(locked.slots->emulated, 1);
    CHECK_EQ(locked.slots->forged, 0);
    REQUIRE(CHECK_EQ(fixture_record_count(&locked), 2));
    CHECK_EQ(fixture_record(&locked, 0)->nr, SYS_getsid);
    CHECK_EQ(fixture_record(&locked, 1)->nr, SYS_getpgid);
    CHECK_NE(fixture_record(&locked, 1)->tid, 0);
    CHECK_GT(fixture_record(&locked, 1)->stack_bytes, 0);
    uint64_t wake_ups = 0;
    CHECK_EQ(read(fixture.setup.notify_fd, &wake_ups, sizeof wake_ups), (ssize_t)sizeof wake_ups);
    CHECK_EQ(wake_ups, 2);
    munmap(locked.slots, sizeof *locked.slots);
    fixture_end(&fixture);
}
