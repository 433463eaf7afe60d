// The wrappers around libc: threads get signal stacks, and SIGSYS stays open and ours. The same tests run with the wrappers under
// libc's names and under the linker's.
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <threads.h>
#include <unistd.h>

#include "tests/trap/fixture.h"

// For old programs: not in every libc's headers, or with a word of warning.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
typedef void handler_function(int signal_nr);
handler_function *bsd_signal(int signal_nr, handler_function *handler);
#ifndef __GLIBC__
int sigblock(int signals);
int sigsetmask(int signals);
#endif

static const struct trap_rule rules[] = {{SYS_getppid, ANY, 0, EMULATED_BY(fixture_noting)},
                                         {SYS_getsid, ANY, 0, {.verb = BRIG_DSL_CRASH}}};

static bool lock(struct trap_fixture *fixture)
{
    fixture_start(fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    return fixture_lock(fixture);
}

static bool is_answered(void)
{
    return syscall(SYS_getppid) == FIXTURE_NOTED;
}

// --- threads ----------------------------------------------------------------------------------------------------------

static stack_t thread_stack;

static bool is_answered_on_a_stack(void)
{
    fixture_handler_at = 0;
    return CHECK_EQ(sigaltstack(NULL, &thread_stack), 0) && CHECK_EQ(thread_stack.ss_flags & SS_DISABLE, 0) &&
           CHECK_GE(thread_stack.ss_size, 32768) && CHECK(is_answered()) &&
           CHECK_LT(fixture_handler_at - (uintptr_t)thread_stack.ss_sp, thread_stack.ss_size);
}

static bool is_mapped(const void *address)
{
    return msync((void *)((uintptr_t)address & ~(uintptr_t)4095), 4096, MS_ASYNC) == 0;
}

static void *trap_and_return(void *argument)
{
    is_answered_on_a_stack();
    return argument;
}

static void *trap_and_exit(void *argument)
{
    is_answered_on_a_stack();
    pthread_exit(argument);
}

static int can_be_cancelled[2];

static void *trap_and_wait(void *argument)
{
    is_answered_on_a_stack();
    CHECK_EQ(write(can_be_cancelled[1], "", 1), 1);
    for (;;) {
        pause();
    }
    return argument;
}

static void run_thread(void *(*run)(void *), bool cancels)
{
    pthread_t thread;
    void *result = NULL;
    char byte;
    CHECK_EQ(pthread_create(&thread, NULL, run, &result), 0);
    if (cancels) {
        CHECK_EQ(read(can_be_cancelled[0], &byte, 1), 1);
        CHECK_EQ(pthread_cancel(thread), 0);
    }
    CHECK_EQ(pthread_join(thread, &result), 0);
    CHECK(result == (cancels ? PTHREAD_CANCELED : (void *)&result));
    CHECK(!is_mapped(thread_stack.ss_sp));
}

SANDBOX_TEST(wrap, threads_have_signal_stacks, .expect_exit = 0)
{
    struct trap_fixture fixture;
    CHECK_EQ(pipe(can_be_cancelled), 0);
    REQUIRE(lock(&fixture));
    run_thread(trap_and_return, false);
    run_thread(trap_and_exit, false);
    run_thread(trap_and_wait, true);
    CHECK_EQ(close(can_be_cancelled[0]) + close(can_be_cancelled[1]), 0);
    fixture_end(&fixture);
}

static int trap_and_return_7(void *argument)
{
    (void)argument;
    return is_answered_on_a_stack() ? 7 : 0;
}

SANDBOX_TEST(wrap, c11_threads_have_signal_stacks, .expect_exit = 0)
{
    struct trap_fixture fixture;
    thrd_t thread;
    int result = 0;
    REQUIRE(lock(&fixture));
    CHECK_EQ(thrd_create(&thread, trap_and_return_7, NULL), thrd_success);
    CHECK_EQ(thrd_join(thread, &result), thrd_success);
    CHECK_EQ(result, 7);
    CHECK(!is_mapped(thread_stack.ss_sp));
    fixture_end(&fixture);
}

static pthread_barrier_t is_locked;

static void *wait_and_trap(void *argument)
{
    pthread_barrier_wait(&is_locked);
    is_answered_on_a_stack();
    return argument;
}

// As thread pools do it: all signals blocked around pthread_create, so that the pool inherits that.
SANDBOX_TEST(wrap, threads_from_before_the_lock_are_ready_for_it, .expect_exit = 0)
{
    struct trap_fixture fixture;
    pthread_t thread;
    sigset_t all, before;
    pthread_barrier_init(&is_locked, NULL, 2);
    sigfillset(&all);
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &all, &before), 0);
    CHECK_EQ(pthread_create(&thread, NULL, wait_and_trap, NULL), 0);
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
    REQUIRE(lock(&fixture));
    pthread_barrier_wait(&is_locked);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    fixture_end(&fixture);
}

static void *bring_own_stack(void *argument)
{
    static unsigned char memory[65536];
    const stack_t own = {.ss_sp = memory, .ss_size = sizeof memory};
    CHECK_EQ(sigaltstack(NULL, argument), 0);
    CHECK_EQ(sigaltstack(&own, NULL), 0);
    is_answered_on_a_stack();
    CHECK_EQ(thread_stack.ss_sp, (void *)memory);
    return NULL;
}

SANDBOX_TEST(wrap, threads_may_bring_their_own_stack, .expect_exit = 0)
{
    struct trap_fixture fixture;
    pthread_t thread;
    stack_t ours;
    REQUIRE(lock(&fixture));
    CHECK_EQ(pthread_create(&thread, NULL, bring_own_stack, &ours), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK(!is_mapped(ours.ss_sp));
    fixture_end(&fixture);
}

static pthread_key_t data_key;

static void trap_in_destructor(void *data)
{
    (void)data;
    is_answered_on_a_stack();
}

static void *have_data(void *argument)
{
    pthread_setspecific(data_key, &data_key);
    return argument;
}

SANDBOX_TEST(wrap, the_data_of_threads_is_destructed_on_the_stack, .expect_exit = 0)
{
    struct trap_fixture fixture;
    REQUIRE(lock(&fixture));
    run_thread(trap_and_return, false); // our key is there before this one
    CHECK_EQ(pthread_key_create(&data_key, trap_in_destructor), 0);
    thread_stack.ss_sp = NULL;
    run_thread(have_data, false);
    CHECK(thread_stack.ss_sp != NULL);
    fixture_end(&fixture);
}

static unsigned ended_threads;

static void *count_and_end(void *argument)
{
    __atomic_fetch_add(&ended_threads, is_answered() ? 1 : 1000000, __ATOMIC_RELAXED);
    return argument;
}

static unsigned count_mappings(void)
{
    char text[256];
    unsigned lines = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(text, sizeof text, maps)) {
        lines += strchr(text, '\n') != NULL;
    }
    CHECK(maps && fclose(maps) == 0);
    return lines;
}

// More at once than there are places in the table of starts, detached ones among them.
SANDBOX_TEST(wrap, many_threads_leave_nothing_behind, .expect_exit = 0)
{
    enum { ROUNDS = 10, THREADS = 100, ALL = ROUNDS * THREADS };
    struct trap_fixture fixture;
    pthread_t threads[THREADS];
    unsigned mappings[ROUNDS];
    REQUIRE(lock(&fixture));
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < THREADS; i++) {
            REQUIRE(CHECK_EQ(pthread_create(&threads[i], NULL, count_and_end, NULL), 0));
        }
        for (size_t i = 0; i < THREADS; i++) {
            CHECK_EQ(i % 2 ? pthread_join(threads[i], NULL) : pthread_detach(threads[i]), 0);
        }
        while (__atomic_load_n(&ended_threads, __ATOMIC_RELAXED) < (round + 1) * THREADS) {
            sched_yield();
        }
        usleep(2000); // detached threads unmap themselves
        mappings[round] = count_mappings();
    }
    CHECK_EQ(ended_threads, ALL);
    CHECK_LT(mappings[ROUNDS - 1], mappings[0] + 60); // of 900 stacks none
    fixture_end(&fixture);
}

// --- masks ------------------------------------------------------------------------------------------------------------

static void block_by_sigprocmask(const sigset_t *all)
{
    CHECK_EQ(sigprocmask(SIG_BLOCK, all, NULL), 0);
}

static void set_by_sigprocmask(const sigset_t *all)
{
    CHECK_EQ(sigprocmask(SIG_SETMASK, all, NULL), 0);
}

static void block_by_pthread_sigmask(const sigset_t *all)
{
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, all, NULL), 0);
}

static void set_by_pthread_sigmask(const sigset_t *all)
{
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, all, NULL), 0);
}

static void block_by_sighold(const sigset_t *all)
{
    (void)all;
    CHECK_EQ(sighold(SIGSYS) | sighold(SIGUSR1), 0);
}

static void block_by_sigblock(const sigset_t *all)
{
    (void)all;
    sigblock(-1);
}

static void set_by_sigsetmask(const sigset_t *all)
{
    (void)all;
    sigsetmask(-1);
}

static const struct {
    const char *what;
    void (*block)(const sigset_t *all);
} ways_to_block[] = {
    {"sigprocmask(SIG_BLOCK)", block_by_sigprocmask},
    {"sigprocmask(SIG_SETMASK)", set_by_sigprocmask},
    {"pthread_sigmask(SIG_BLOCK)", block_by_pthread_sigmask},
    {"pthread_sigmask(SIG_SETMASK)", set_by_pthread_sigmask},
    {"sighold", block_by_sighold},
    {"sigblock", block_by_sigblock},
    {"sigsetmask", set_by_sigsetmask},
};

SANDBOX_TEST(wrap, sigsys_cannot_be_blocked, .expect_exit = 0)
{
    struct trap_fixture fixture;
    sigset_t all, none, before;
    sigfillset(&all);
    sigemptyset(&none);
    REQUIRE(lock(&fixture));
    for (size_t i = 0; i < COUNT_OF(ways_to_block); i++) {
        test_message("%s", ways_to_block[i].what);
        ways_to_block[i].block(&all);
        CHECK(is_answered());
        CHECK_EQ(sigprocmask(SIG_SETMASK, &none, &before), 0);
        CHECK(sigismember(&before, SIGUSR1));
        CHECK(!sigismember(&before, SIGSYS));
    }
    CHECK_EQ(sigprocmask(4711, &all, NULL), -1);
    CHECK_EQ(errno, EINVAL);
    CHECK_EQ(sighold(4711), -1);
    fixture_end(&fixture);
}

// --- handlers ---------------------------------------------------------------------------------------------------------

static volatile sig_atomic_t own_handler_ran;

static void own_handler(int signal_nr)
{
    own_handler_ran = signal_nr;
}

static void other_handler(int signal_nr)
{
    own_handler_ran = -signal_nr;
}

SANDBOX_TEST(wrap, the_handler_of_sigsys_cannot_be_replaced, .expect_exit = 0)
{
    struct trap_fixture fixture;
    struct sigaction own = {.sa_handler = own_handler, .sa_flags = SA_NODEFER}, before;
    sigaddset(&own.sa_mask, SIGUSR2);
    REQUIRE(lock(&fixture));
    CHECK_EQ(sigaction(SIGSYS, &own, &before), 0);
    CHECK(before.sa_handler == SIG_DFL);
    CHECK(is_answered());
    CHECK_EQ(sigaction(SIGSYS, NULL, &before), 0);
    CHECK(before.sa_handler == own_handler);
    CHECK_EQ(before.sa_flags, SA_NODEFER);
    CHECK(sigismember(&before.sa_mask, SIGUSR2) && !sigismember(&before.sa_mask, SIGUSR1));
    CHECK(signal(SIGSYS, other_handler) == own_handler);
    CHECK(bsd_signal(SIGSYS, own_handler) == other_handler);
    CHECK(sigset(SIGSYS, SIG_HOLD) == own_handler);
    CHECK(sigset(SIGSYS, SIG_DFL) == own_handler);
    CHECK_EQ(sigignore(SIGSYS), 0);
    CHECK(signal(SIGSYS, SIG_ERR) == SIG_ERR);
    CHECK(signal(SIGSYS, SIG_DFL) == SIG_IGN);
    CHECK(is_answered());
    CHECK_EQ(raise(SIGSYS), 0);
    CHECK_EQ(own_handler_ran, 0);
    CHECK_EQ(fixture.slots->forged, 1);
    fixture_end(&fixture);
}

// What language runtimes do: take over all signals, keep what was there, put it back.
SANDBOX_TEST(wrap, a_runtime_may_set_and_restore_every_signal, .expect_exit = 0)
{
    struct trap_fixture fixture;
    struct sigaction saved[65], now;
    signal(SIGSYS, other_handler);
    REQUIRE(lock(&fixture));
    for (int signal_nr = 1; signal_nr <= 64; signal_nr++) {
        struct sigaction own = {.sa_handler = own_handler, .sa_flags = SA_RESTART};
        sigfillset(&own.sa_mask);
        saved[signal_nr].sa_handler = SIG_ERR;
        const bool is_set = sigaction(signal_nr, &own, &saved[signal_nr]) == 0;
        CHECK(is_set || signal_nr == SIGKILL || signal_nr == SIGSTOP || (signal_nr >= 32 && signal_nr <= 34));
    }
    CHECK(saved[SIGSYS].sa_handler == other_handler); // what it was before arming
    CHECK(is_answered());
    for (int signal_nr = 1; signal_nr <= 64; signal_nr++) {
        if (saved[signal_nr].sa_handler != SIG_ERR) {
            CHECK_EQ(sigaction(signal_nr, &saved[signal_nr], NULL), 0);
            CHECK_EQ(sigaction(signal_nr, NULL, &now), 0);
            CHECK(now.sa_handler == saved[signal_nr].sa_handler);
        }
    }
    CHECK(is_answered());
    fixture_end(&fixture);
}

static volatile sig_atomic_t answered_in_handler;

static void trap_in_handler(int signal_nr)
{
    (void)signal_nr;
    answered_in_handler = is_answered();
}

static void install_trapping_handler(void)
{
    struct sigaction action = {.sa_handler = trap_in_handler};
    sigfillset(&action.sa_mask);
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
}

SANDBOX_TEST(wrap, handlers_with_all_signals_blocked_may_trap, .expect_exit = 0)
{
    struct trap_fixture fixture;
    REQUIRE(lock(&fixture));
    install_trapping_handler();
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK(answered_in_handler);
    fixture_end(&fixture);
}

static int wait_in_sigsuspend(const sigset_t *mask)
{
    return sigsuspend(mask);
}

static int wait_in_pselect(const sigset_t *mask)
{
    return pselect(0, NULL, NULL, NULL, NULL, mask);
}

static int wait_in_ppoll(const sigset_t *mask)
{
    return ppoll(NULL, 0, NULL, mask);
}

static int wait_in_epoll_pwait(const sigset_t *mask)
{
    struct epoll_event event;
    const int fd = epoll_create1(EPOLL_CLOEXEC);
    const int result = epoll_pwait(fd, &event, 1, -1, mask);
    const int error = errno;
    close(fd);
    errno = error;
    return result;
}

SANDBOX_TEST(wrap, handlers_that_run_while_a_call_waits_may_trap, .expect_exit = 0)
{
    int (*const waits[])(const sigset_t *) = {wait_in_sigsuspend, wait_in_pselect, wait_in_ppoll, wait_in_epoll_pwait};
    struct trap_fixture fixture;
    sigset_t usr1, others;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigfillset(&others);
    sigdelset(&others, SIGUSR1);
    REQUIRE(lock(&fixture));
    install_trapping_handler();
    CHECK_EQ(sigprocmask(SIG_BLOCK, &usr1, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(waits); i++) {
        test_message("wait %zu", i);
        answered_in_handler = false;
        CHECK_EQ(raise(SIGUSR1), 0);
        CHECK_EQ(waits[i](&others), -1);
        CHECK_EQ(errno, EINTR);
        CHECK(answered_in_handler);
    }
    fixture_end(&fixture);
}

// --- before -----------------------------------------------------------------------------------------------------------

SANDBOX_TEST(wrap, nothing_is_changed_before_arming, .expect_exit = 0)
{
    sigset_t all, now;
    struct sigaction own = {.sa_handler = own_handler}, before;
    sigfillset(&all);
    CHECK_EQ(sigaction(SIGSYS, &own, NULL), 0);
    CHECK_EQ(raise(SIGSYS), 0);
    CHECK_EQ(own_handler_ran, SIGSYS);
    CHECK_EQ(sigprocmask(SIG_SETMASK, &all, NULL), 0);
    CHECK_EQ(sigprocmask(SIG_SETMASK, NULL, &now), 0);
    CHECK(sigismember(&now, SIGSYS));
    own.sa_mask = all;
    CHECK_EQ(sigaction(SIGUSR1, &own, NULL), 0);
    CHECK_EQ(sigaction(SIGUSR1, NULL, &before), 0);
    CHECK(sigismember(&before.sa_mask, SIGSYS));
    CHECK(signal(SIGSYS, SIG_DFL) == own_handler);
}
