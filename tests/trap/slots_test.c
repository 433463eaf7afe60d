// Slots: claimed, filled, waited in, and given back; by several at once, with a supervisor and without one.
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/trap/fixture.h"

static const struct trap_rule rules[] = {{SYS_getppid, ANY, 0, {.verb = BRIG_DSL_REPORT, .data = EPERM}},
                                         {SYS_getsid, ANY, 0, {.verb = BRIG_DSL_CRASH}}};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void crash(void)
{
    syscall(SYS_getsid, 0);
}

SANDBOX_TEST(trap, events_without_a_free_slot_are_counted, .expect_exit = 0)
{
    enum { EVENTS = BRIG_TRAP_SLOT_COUNT + 5 };
    struct trap_fixture fixture;
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    for (int i = 0; i < EVENTS; i++) {
        CHECK_EQ(fixture_call(SYS_getppid, 0, 0, 0, 0), -EPERM);
    }
    CHECK_EQ(fixture.slots->events, EVENTS);
    CHECK_EQ(fixture.slots->reported, BRIG_TRAP_SLOT_COUNT);
    CHECK_EQ(fixture.slots->lost, 5);
    CHECK_EQ(fixture_record_count(&fixture), BRIG_TRAP_SLOT_COUNT);
    fixture.slots->slots[7].state = BRIG_TRAP_SLOT_FREE; // as the supervisor does
    CHECK_EQ(fixture_call(SYS_getppid, 0, 0, 0, 0), -EPERM);
    CHECK_EQ(fixture.slots->slots[7].state, BRIG_TRAP_SLOT_READY);
    fixture_end(&fixture);
}

SANDBOX_TEST(trap, a_crash_without_a_free_slot_does_not_wait, .expect_exit = 0)
{
    struct trap_fixture fixture;
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    fixture.setup.verdict_wait_ms = 60000;
    for (size_t i = 0; i < BRIG_TRAP_SLOT_COUNT; i++) {
        fixture.slots->slots[i].state = BRIG_TRAP_SLOT_TAKEN;
    }
    const int status = fixture_run(&fixture, crash);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    CHECK_EQ(fixture.slots->lost, 1);
    fixture_end(&fixture);
}

// --- verdicts ---------------------------------------------------------------------------------------------------------

SANDBOX_TEST(trap, waiting_without_a_supervisor_ends, .expect_exit = 0)
{
    static const uint32_t waits_ms[] = {0, 1, 300};
    for (size_t i = 0; i < COUNT_OF(waits_ms); i++) {
        struct trap_fixture fixture;
        test_message("wait of %u ms", waits_ms[i]);
        fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
        fixture.setup.verdict_wait_ms = waits_ms[i];
        const int64_t start_ms = now_ms();
        const int status = fixture_run(&fixture, crash);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
        CHECK_GE(now_ms() - start_ms, waits_ms[i]);
        CHECK_LT(now_ms() - start_ms, 4 * (int64_t)waits_ms[i] + 3000);
        CHECK_EQ(fixture_record_count(&fixture), 1); // for a supervisor that comes later
        fixture_end(&fixture);
    }
}

static uint32_t state_of(struct trap_fixture *fixture)
{
    return __atomic_load_n(&fixture->slots->slots[0].state, __ATOMIC_ACQUIRE);
}

static void set_state(struct trap_fixture *fixture, uint32_t state)
{
    uint32_t *word = &fixture->slots->slots[0].state;
    __atomic_store_n(word, state, __ATOMIC_RELEASE);
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

SANDBOX_TEST(trap, a_dying_thread_waits_for_the_supervisor, .expect_exit = 0)
{
    struct trap_fixture fixture;
    int status;
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    fixture.setup.verdict_wait_ms = 5000;
    const pid_t pid = fork();
    if (pid == 0) {
        if (fixture_lock(&fixture)) {
            crash();
        }
        _exit(0);
    }
    while (state_of(&fixture) != BRIG_TRAP_SLOT_READY) {
        usleep(1000);
    }
    const int64_t start_ms = now_ms();
    set_state(&fixture, BRIG_TRAP_SLOT_TAKEN);
    usleep(50000);
    CHECK_EQ(waitpid(pid, &status, WNOHANG), 0); // still there to be looked at
    CHECK_EQ(fixture.slots->slots[0].record.flags & BRIG_TRAP_FLAG_WAITS, BRIG_TRAP_FLAG_WAITS);
    set_state(&fixture, BRIG_TRAP_SLOT_DONE);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    CHECK_EQ(state_of(&fixture), BRIG_TRAP_SLOT_FREE);
    CHECK_LT(now_ms() - start_ms, 4000);
    fixture_end(&fixture);
}

// --- many threads -----------------------------------------------------------------------------------------------------

enum { THREADS = 64, CALLS = 300 };

static struct brig_trap_outcome add_one(const struct brig_trap_call *call)
{
    return (struct brig_trap_outcome){BRIG_TRAP_RESULT, (int64_t)call->args[0] + 1};
}

static const enum brig_dsl_call no_calls[] = {BRIG_SYS_NONE};
static const struct brig_trap_emulation adding = {.dsl = {.name = "add", .calls = no_calls}, .emulate = add_one};

static const struct trap_rule mixed_rules[] = {{SYS_getppid, ANY, 0, {.verb = BRIG_DSL_REPORT, .data = EPERM}},
                                               {SYS_umask, ANY, 0, EMULATED_BY(adding)}};

static void *call_often(void *number)
{
    struct brig_error error;
    CHECK_OK(brig_trap_thread_enter(&error), &error);
    for (long i = 0; i < CALLS; i++) {
        const long value = (long)(intptr_t)number * CALLS + i;
        errno = ENOTTY;
        if (!CHECK_EQ(syscall(SYS_umask, value), value + 1) || !CHECK_EQ(errno, ENOTTY)) {
            break;
        }
        if (!CHECK_EQ(fixture_call(SYS_getppid, value, 0, 0, 0), -EPERM)) {
            break;
        }
    }
    brig_trap_thread_leave();
    return NULL;
}

SANDBOX_TEST(trap, many_threads_trap_at_once, .expect_exit = 0)
{
    struct trap_fixture fixture;
    pthread_t threads[THREADS];
    fixture_start(&fixture, mixed_rules, COUNT_OF(mixed_rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    for (long i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, call_often, (void *)(intptr_t)i), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    const uint64_t calls = (uint64_t)THREADS * CALLS;
    CHECK_EQ(fixture.slots->events, 2 * calls);
    CHECK_EQ(fixture.slots->emulated, calls);
    CHECK_EQ(fixture.slots->reported + fixture.slots->lost, calls);
    CHECK_EQ(fixture.slots->reentered, 0);
    CHECK_EQ(fixture_record_count(&fixture), BRIG_TRAP_SLOT_COUNT);
    for (size_t i = 0; i < fixture_record_count(&fixture); i++) {
        CHECK_EQ(fixture_record(&fixture, i)->nr, SYS_getppid);
    }
    fixture_end(&fixture);
}

static pthread_barrier_t all_there;

static void *crash_together(void *unused)
{
    pthread_barrier_wait(&all_there);
    crash();
    return unused;
}

static void crash_in_many_threads(void)
{
    pthread_t threads[THREADS];
    pthread_barrier_init(&all_there, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, crash_together, NULL), 0);
    }
    pthread_join(threads[0], NULL);
}

SANDBOX_TEST(trap, many_threads_crash_at_once, .expect_exit = 0)
{
    struct trap_fixture fixture;
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    fixture.setup.verdict_wait_ms = 200;
    const int status = fixture_run(&fixture, crash_in_many_threads);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    REQUIRE(CHECK_GE(fixture_record_count(&fixture), 1));
    for (size_t i = 1; i < fixture_record_count(&fixture); i++) {
        CHECK_NE(fixture_record(&fixture, i)->tid, fixture_record(&fixture, i - 1)->tid);
    }
    fixture_end(&fixture);
}
