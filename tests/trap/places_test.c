// Where traps happen: in children by fork and vfork, in programs that were executed, on coroutines and tiny stacks, with
// SIGSYS blocked, with the handler gone.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <ucontext.h>
#endif

#include "tests/trap/fixture.h"

static const struct trap_rule rules[] = {{SYS_getppid, ANY, 0, EMULATED_BY(fixture_noting)},
                                         {SYS_getpgid, ANY, 0, {.verb = BRIG_DSL_REPORT, .data = EPERM}},
                                         {SYS_getsid, ANY, 0, {.verb = BRIG_DSL_CRASH}}};

static bool lock(struct trap_fixture *fixture)
{
    fixture_start(fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    return fixture_lock(fixture);
}

static bool is_answered(void)
{
    return syscall(SYS_getppid) == FIXTURE_NOTED && fixture_call(SYS_getpgid, 0, 0, 0, 0) == -EPERM;
}

static bool is_killed_by_sigsys(int status)
{
    return CHECK(WIFSIGNALED(status)) && CHECK_EQ(WTERMSIG(status), SIGSYS);
}

// --- children ---------------------------------------------------------------------------------------------------------

static int status_of(pid_t pid)
{
    int status = -1;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return status;
}

static void *fork_and_trap(void *argument)
{
    struct brig_error error;
    CHECK_OK(brig_trap_thread_enter(&error), &error);
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(is_answered() ? 7 : 1);
    }
    CHECK_EQ(WEXITSTATUS(status_of(pid)), 7);
    brig_trap_thread_leave();
    return argument;
}

SANDBOX_TEST(trap, children_of_threads_are_answered, .expect_exit = 0)
{
    struct trap_fixture fixture;
    pthread_t thread;
    REQUIRE(lock(&fixture));
    CHECK_EQ(pthread_create(&thread, NULL, fork_and_trap, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(fixture.slots->emulated, 1); // the slots are shared with children
    CHECK_EQ(fixture.slots->reported, 1);
    fixture_end(&fixture);
}

// The child has our memory, our alternate stack and our handler.
SANDBOX_TEST(trap, children_by_vfork_are_answered, .expect_exit = 0)
{
    struct trap_fixture fixture;
    REQUIRE(lock(&fixture));
    const pid_t pid = vfork(); // NOLINT(clang-analyzer-security.insecureAPI.vfork): it is what is tried
    if (pid == 0) {
        _exit(is_answered() ? 7 : 1); // NOLINT(clang-analyzer-unix.Vfork): the child's calls are the point
    }
    CHECK_EQ(WEXITSTATUS(status_of(pid)), 7);
    CHECK(is_answered());
    CHECK_EQ(fixture.slots->emulated, 2);
    fixture_end(&fixture);
}

SANDBOX_TEST(trap, children_crash_alone, .expect_exit = 0)
{
    struct trap_fixture fixture;
    REQUIRE(lock(&fixture));
    const pid_t pid = fork();
    if (pid == 0) {
        syscall(SYS_getsid, 0);
        _exit(1);
    }
    is_killed_by_sigsys(status_of(pid));
    REQUIRE(CHECK_EQ(fixture_record_count(&fixture), 1));
    CHECK_EQ(fixture_record(&fixture, 0)->tid, pid);
    CHECK(is_answered());
    fixture_end(&fixture);
}

static int status_of_program(const char *path)
{
    char *const arguments[] = {(char *)(uintptr_t)path, NULL};
    char *const environment[] = {NULL};
    pid_t pid = -1;
    CHECK_EQ(posix_spawn(&pid, path, NULL, NULL, arguments, environment), 0);
    return status_of(pid);
}

// The filter goes with the program, the handler does not: what would be answered kills.
SANDBOX_TEST(trap, executed_programs_have_the_filter_and_no_handler, .expect_exit = 0)
{
    struct trap_fixture fixture;
    REQUIRE(lock(&fixture));
    if (sizeof(long) == 8) {
        CHECK_EQ(status_of_program("/bin/true"), 0);
    }
    is_killed_by_sigsys(status_of_program("/bin/sh")); // asks for its parent; here of a foreign arch if this is i386
    CHECK_EQ(fixture.slots->events, 0);
    CHECK(is_answered());
    fixture_end(&fixture);
}

// --- stacks -----------------------------------------------------------------------------------------------------------

enum { TINY_BYTES = 16384 };
static bool has_signal_stack;

static void *trap_on_tiny_stack(void *argument)
{
    struct brig_error error;
    const stack_t none = {.ss_flags = SS_DISABLE};
    if (has_signal_stack) {
        CHECK_OK(brig_trap_thread_enter(&error), &error);
    } else {
        CHECK_EQ(sigaltstack(&none, NULL), 0);
    }
    CHECK(is_answered());
    brig_trap_thread_leave();
    return argument;
}

SANDBOX_TEST(trap, tiny_stacks_are_enough, .expect_exit = 0)
{
    struct trap_fixture fixture;
    pthread_attr_t attributes;
    REQUIRE(lock(&fixture));
    pthread_attr_init(&attributes);
    if (pthread_attr_setstacksize(&attributes, TINY_BYTES) != 0) {
        pthread_attr_setstacksize(&attributes, (size_t)sysconf(_SC_THREAD_STACK_MIN)); // big registers
    }
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        has_signal_stack = i == 0;
        CHECK_EQ(pthread_create(&thread, &attributes, trap_on_tiny_stack, NULL), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
    }
    CHECK_EQ(fixture.slots->reported, 2);
    pthread_attr_destroy(&attributes);
    fixture_end(&fixture);
}

#ifdef __GLIBC__ // musl has no makecontext
static unsigned char coroutine_stack[131072];
static ucontext_t main_context, coroutine_context;

static void trap_in_coroutine(void)
{
    CHECK(is_answered());
    swapcontext(&coroutine_context, &main_context);
    CHECK(is_answered());
}

static bool is_in_coroutine(uintptr_t address)
{
    return address - (uintptr_t)coroutine_stack < sizeof coroutine_stack;
}

static void run_coroutine(void)
{
    CHECK_EQ(getcontext(&coroutine_context), 0);
    coroutine_context.uc_stack.ss_sp = coroutine_stack;
    coroutine_context.uc_stack.ss_size = sizeof coroutine_stack;
    coroutine_context.uc_link = &main_context;
    makecontext(&coroutine_context, trap_in_coroutine, 0);
    CHECK_EQ(swapcontext(&main_context, &coroutine_context), 0);
    CHECK(is_answered());
    CHECK_EQ(swapcontext(&main_context, &coroutine_context), 0);
}

SANDBOX_TEST(trap, coroutines_are_answered, .expect_exit = 0)
{
    const stack_t none = {.ss_flags = SS_DISABLE};
    struct trap_fixture fixture;
    REQUIRE(lock(&fixture));
    run_coroutine();
    CHECK(!is_in_coroutine(fixture_handler_at));
    REQUIRE(CHECK_EQ(fixture_record_count(&fixture), 3));
    CHECK(is_in_coroutine((uintptr_t)fixture_record(&fixture, 0)->stack_address));
    CHECK(!is_in_coroutine((uintptr_t)fixture_record(&fixture, 1)->stack_address));
    CHECK_EQ(sigaltstack(&none, NULL), 0);
    run_coroutine();
    CHECK(is_in_coroutine(fixture_handler_at));
    fixture_end(&fixture);
}

#endif

// --- without the handler ----------------------------------------------------------------------------------------------

static void trap_with_sigsys_blocked(void)
{
    const uint64_t all = ~UINT64_C(0);
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, sizeof all);
    syscall(SYS_getppid);
}

static void trap_with_another_handler(void)
{
    syscall(SYS_rt_sigaction, SIGSYS, &(uint64_t[4]){0}, NULL, sizeof(uint64_t)); // SIG_DFL
    syscall(SYS_getppid);
}

static void trap_with_sigsys_ignored(void)
{
    signal(SIGSYS, SIG_IGN);
    syscall(SYS_getppid);
}

// The kernel does not let the call go by, and there is nobody to write a record: the supervisor says so from the wait status.
SANDBOX_TEST(trap, without_the_handler_a_trap_kills, .expect_exit = 0)
{
    void (*const bodies[])(void) = {trap_with_sigsys_blocked, trap_with_another_handler, trap_with_sigsys_ignored};
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct trap_fixture fixture;
        test_message("body %zu", i);
        fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
        is_killed_by_sigsys(fixture_run(&fixture, bodies[i]));
        CHECK_EQ(fixture.slots->events, 0);
        CHECK_EQ(fixture_record_count(&fixture), 0);
        fixture_end(&fixture);
    }
}
