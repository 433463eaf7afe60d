// Questions: a call waits for what somebody else decides about it. The parent plays the supervisor, well or badly.
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/trap/fixture.h"

enum { QUESTION_SLOTS = BRIG_TRAP_SLOT_COUNT - BRIG_TRAP_SLOTS_KEPT };

static const enum brig_dsl_call no_calls[] = {BRIG_SYS_NONE};

static struct brig_trap_outcome call_getsid(const struct brig_trap_call *call)
{
    return brig_trap_answer(brig_trap_syscall(call, SYS_getsid, call->args));
}
static const struct brig_trap_emulation asking = {.dsl = {.name = "asking", .calls = no_calls}, .emulate = call_getsid};

static const struct trap_rule rules[] = {{SYS_getsid, ANY, 0, {.verb = BRIG_DSL_NOTIFY}},
                                         {SYS_getppid, ANY, 0, EMULATED_BY(asking)},
                                         {SYS_umask, ANY, 0, {.verb = BRIG_DSL_CRASH}}};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void start(struct trap_fixture *fixture)
{
    fixture_start(fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    fixture->setup.verdict_wait_ms = 10000;
}

// --- a supervisor -----------------------------------------------------------------------------------------------------

// What getsid is answered, by its argument.
static const struct said {
    uint32_t verdict;
    int64_t value;
    long result; // that the caller sees; 0: it dies
} said[] = {
    {BRIG_TRAP_VERDICT_NONE, 0, -ENOSYS},     {BRIG_TRAP_VERDICT_NONE, 5, -ENOSYS},     {BRIG_TRAP_VERDICT_RESULT, 4711, 4711},
    {BRIG_TRAP_VERDICT_RESULT, -4096, -4096}, {BRIG_TRAP_VERDICT_ERRNO, EXDEV, -EXDEV}, {BRIG_TRAP_VERDICT_ERRNO, 4095, -4095},
    {BRIG_TRAP_VERDICT_RESULT, -1, 0},        {BRIG_TRAP_VERDICT_RESULT, -4095, 0},     {BRIG_TRAP_VERDICT_ERRNO, 0, 0},
    {BRIG_TRAP_VERDICT_ERRNO, 4096, 0},       {BRIG_TRAP_VERDICT_ERRNO, -EXDEV, 0},
};

static void answer(struct brig_trap_slot *slot)
{
    const uint64_t argument = slot->record.args[0];
    slot->verdict = argument < COUNT_OF(said) ? said[argument].verdict : BRIG_TRAP_VERDICT_RESULT;
    slot->value = argument < COUNT_OF(said) ? said[argument].value : (int64_t)argument + 1;
    __atomic_store_n(&slot->state, BRIG_TRAP_SLOT_DONE, __ATOMIC_RELEASE);
    syscall(SYS_futex, &slot->state, FUTEX_WAKE, 1 << 20, NULL, NULL, 0);
}

// Answers what comes until the child ends. Returns: its wait status.
static int serve(struct trap_fixture *fixture, pid_t pid)
{
    int status = -1;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        for (size_t i = 0; i < BRIG_TRAP_SLOT_COUNT; i++) {
            uint32_t ready = BRIG_TRAP_SLOT_READY;
            struct brig_trap_slot *slot = &fixture->slots->slots[i];
            if (!__atomic_compare_exchange_n(&slot->state, &ready, BRIG_TRAP_SLOT_TAKEN, false, __ATOMIC_ACQUIRE,
                                             __ATOMIC_RELAXED)) {
                continue;
            }
            CHECK_EQ(slot->record.flags & BRIG_TRAP_FLAG_WAITS, BRIG_TRAP_FLAG_WAITS);
            if (slot->record.verb == BRIG_DSL_NOTIFY) {
                CHECK_LT(i, QUESTION_SLOTS);
                CHECK_EQ(slot->record.nr, SYS_getsid);
                CHECK_EQ(slot->record.stack_bytes, 0);
                CHECK_NE(slot->record.tid, 0);
            }
            answer(slot);
        }
        usleep(100);
    }
    return status;
}

static int run_with_supervisor(struct trap_fixture *fixture, void (*body)(void))
{
    const pid_t pid = fork();
    if (pid == 0) {
        if (fixture_lock(fixture)) {
            body();
        }
        exit(0); // with what was checked
    }
    return serve(fixture, pid);
}

static size_t asked_about;

static void ask_and_compare(void)
{
    errno = ENOTTY;
    const long result = fixture_call(SYS_getsid, (long)asked_about, 0, 0, 0);
    _exit(result == said[asked_about].result ? 0 : 1);
}

SANDBOX_TEST(trap, a_question_is_answered, .expect_exit = 0)
{
    for (asked_about = 0; asked_about < COUNT_OF(said); asked_about++) {
        struct trap_fixture fixture;
        test_message("answer %zu", asked_about);
        start(&fixture);
        const int status = run_with_supervisor(&fixture, ask_and_compare);
        if (said[asked_about].result == 0) {
            CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
        } else {
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        }
        CHECK_EQ(fixture.slots->asked, 1);
        for (size_t i = 0; i < BRIG_TRAP_SLOT_COUNT; i++) {
            CHECK_EQ(fixture.slots->slots[i].state, BRIG_TRAP_SLOT_FREE);
        }
        fixture_end(&fixture);
    }
}

static void ask_inside_an_emulation(void)
{
    _exit(fixture_call(SYS_getppid, 100, 0, 0, 0) == 101 && fixture_call(SYS_getppid, 4, 0, 0, 0) == -EXDEV ? 0 : 1);
}

SANDBOX_TEST(trap, an_emulation_may_ask, .expect_exit = 0)
{
    struct trap_fixture fixture;
    start(&fixture);
    const int status = run_with_supervisor(&fixture, ask_inside_an_emulation);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_EQ(fixture.slots->asked, 2);
    CHECK_EQ(fixture.slots->reentered, 2);
    fixture_end(&fixture);
}

// --- many threads -----------------------------------------------------------------------------------------------------

enum { THREADS = 64, QUESTIONS = 50 };

static void *ask_often(void *number)
{
    for (long i = 0; i < QUESTIONS; i++) {
        const long value = 1000 + (long)(intptr_t)number * QUESTIONS + i;
        if (fixture_call(SYS_getsid, value, 0, 0, 0) != value + 1) {
            _exit(1);
        }
    }
    return NULL;
}

static void ask_in_many_threads(void)
{
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, ask_often, (void *)(intptr_t)i) != 0) {
            _exit(2);
        }
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    _exit(0);
}

// More than there are slots: nobody gets another's answer, and nobody goes without one.
SANDBOX_TEST(trap, many_threads_ask_at_once, .expect_exit = 0, .timeout_ms = 60000)
{
    struct trap_fixture fixture;
    start(&fixture);
    const int status = run_with_supervisor(&fixture, ask_in_many_threads);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_EQ(fixture.slots->asked, (uint64_t)THREADS * QUESTIONS);
    fixture_end(&fixture);
}

// --- nobody answers ---------------------------------------------------------------------------------------------------

SANDBOX_TEST(trap, a_question_without_a_supervisor_is_enosys, .expect_exit = 0)
{
    static const uint32_t waits_ms[] = {0, 1, 300};
    for (size_t i = 0; i < 2 * COUNT_OF(waits_ms); i++) {
        struct trap_fixture fixture;
        const bool has_slots = i % 2 == 0;
        test_message("wait of %u ms, %s slots", waits_ms[i / 2], has_slots ? "with" : "without");
        start(&fixture);
        fixture.setup.verdict_wait_ms = waits_ms[i / 2];
        fixture.setup.slots = has_slots ? fixture.slots : NULL;
        const pid_t pid = fork();
        if (pid == 0) {
            const bool is_locked = fixture_lock(&fixture);
            const int64_t start_ms = now_ms();
            const long first = is_locked ? fixture_call(SYS_getsid, 2, 0, 0, 0) : 0;
            const int64_t took_ms = now_ms() - start_ms;
            const long second = is_locked ? fixture_call(SYS_getsid, 2, 0, 0, 0) : 0;
            const bool waited = !has_slots || (took_ms >= waits_ms[i / 2] && took_ms < waits_ms[i / 2] + 3000);
            _exit(first == -ENOSYS && second == -ENOSYS && waited ? 0 : 1);
        }
        int status;
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        CHECK_EQ(fixture_record_count(&fixture), 0); // taken back
        CHECK_EQ(fixture.slots->slots[0].state, BRIG_TRAP_SLOT_FREE);
        fixture_end(&fixture);
    }
}

static void ask_once(void)
{
    _exit(fixture_call(SYS_getsid, 2, 0, 0, 0) == -ENOSYS ? 0 : 1);
}

// Returns: a child whose question is in the first slot.
static pid_t ask_in_child(struct trap_fixture *fixture)
{
    const pid_t pid = fork();
    if (pid == 0) {
        if (fixture_lock(fixture)) {
            ask_once();
        }
        _exit(2);
    }
    while (__atomic_load_n(&fixture->slots->slots[0].state, __ATOMIC_ACQUIRE) != BRIG_TRAP_SLOT_READY) {
        usleep(1000);
    }
    return pid;
}

static void crash(void)
{
    syscall(SYS_umask, 0);
}

// A supervisor that has taken the question and does not come back to it is told that nobody waits.
SANDBOX_TEST(trap, a_question_that_was_taken_is_left, .expect_exit = 0)
{
    struct trap_fixture fixture;
    int status;
    start(&fixture);
    fixture.setup.verdict_wait_ms = 300;
    const pid_t pid = ask_in_child(&fixture);
    struct brig_trap_slot *slot = &fixture.slots->slots[0];
    __atomic_store_n(&slot->state, BRIG_TRAP_SLOT_TAKEN, __ATOMIC_RELEASE);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_EQ(slot->state, BRIG_TRAP_SLOT_LEFT);
    fixture_end(&fixture);
}

// Questions wait for a slot, but not for one of the last: a crash still finds its own.
SANDBOX_TEST(trap, questions_leave_room_for_crashes, .expect_exit = 0)
{
    struct trap_fixture fixture;
    start(&fixture);
    fixture.setup.verdict_wait_ms = 200;
    for (size_t i = 0; i < QUESTION_SLOTS; i++) {
        fixture.slots->slots[i].state = BRIG_TRAP_SLOT_TAKEN;
    }
    const int64_t start_ms = now_ms();
    int status = fixture_run(&fixture, ask_once);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_GE(now_ms() - start_ms, 150);
    CHECK_LT(now_ms() - start_ms, 3000);
    CHECK_EQ(fixture_record_count(&fixture), 0);
    status = fixture_run(&fixture, crash);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    CHECK_EQ(fixture_record_count(&fixture), 1);
    fixture_end(&fixture);
}

// Words that other threads of a hijacked worker may write there: the call ends, whatever they are.
SANDBOX_TEST(trap, a_slot_in_any_state_ends_the_wait, .expect_exit = 0)
{
    static const uint32_t states[] = {BRIG_TRAP_SLOT_FREE, BRIG_TRAP_SLOT_WRITING, BRIG_TRAP_SLOT_LEFT, 77, UINT32_MAX};
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        struct trap_fixture fixture;
        int status;
        test_message("state %u", states[i]);
        start(&fixture);
        const pid_t pid = ask_in_child(&fixture);
        struct brig_trap_slot *slot = &fixture.slots->slots[0];
        __atomic_store_n(&slot->state, states[i], __ATOMIC_RELEASE);
        syscall(SYS_futex, &slot->state, FUTEX_WAKE, 1, NULL, NULL, 0);
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        fixture_end(&fixture);
    }
}
