// Runs one test and judges it.
//
// Takes a registered test; gives calls of test_driver_failure. Guarantees: when a run returns, no process of the test is alive, and
// each thing that can go wrong (a failed check anywhere, the wrong end, a timeout, a leaked descriptor, a process left behind) has
// been reported. Weakness: a TEST that hangs hangs the program; only a SANDBOX_TEST has a timeout.
//
// The end of a sandboxed body, where the child may be behind any filter and the parent wants to look at it:
//
//   child: body returns; stage = BODY_DONE; spins ................ stage is LEAVE or LEAVE_LOCKED: last checks, exit_group
//   parent:              reads /proc/CHILD/fd and its Seccomp line; stage = LEAVE (no filter) or LEAVE_LOCKED
#include "tests/shim/runner.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/shim/board.h"

enum { DEFAULT_TIMEOUT_MS = 10000 };

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { TIMEOUT_FACTOR = 6 };
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
enum { TIMEOUT_FACTOR = 6 };
#else
enum { TIMEOUT_FACTOR = 1 };
#endif
#else
enum { TIMEOUT_FACTOR = 1 };
#endif

// --- registered tests -------------------------------------------------------------------------------------------------

static struct test_case *all_tests;

static int order(const struct test_case *left, const struct test_case *right)
{
    int files = strcmp(left->file, right->file);
    return files ? files : left->line - right->line;
}

void test_register(struct test_case *test)
{
    struct test_case **place = &all_tests;
    while (*place && order(*place, test) < 0)
        place = &(*place)->next;
    test->next = *place;
    *place = test;
}

const struct test_case *test_runner_first(void)
{
    return all_tests;
}

static bool is_unique(const struct test_case *test)
{
    for (const struct test_case *other = test->next; other; other = other->next) {
        if (strcmp(test->room, other->room) == 0 && strcmp(test->name, other->name) == 0) {
            fprintf(stderr, "%s:%d: %s.%s is also the name of a test in %s:%d\n", other->file, other->line, test->room, test->name,
                    test->file, test->line);
            return false;
        }
    }
    return true;
}

bool test_runner_start(void)
{
    for (const struct test_case *test = all_tests; test; test = test->next) {
        if (!is_unique(test))
            return false;
    }
    if (board_start() && processes_adopt())
        return true;
    perror("cannot prepare to run tests");
    return false;
}

// --- sanitizers and coverage ------------------------------------------------------------------------------------------

// Weak: there in the builds that have them.
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));
void __gcov_dump(void) __attribute__((weak));
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
    // The runtime must not turn a fault that a test expects into an exit; without its handlers it still reports bad accesses.
    return "handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0:detect_stack_use_after_return=1";
}

__attribute__((visibility("default"))) const char *__tsan_default_options(void)
{
    // Children of a program with threads are what Brig is about; and a report that does not end the process could be overlooked.
    return "die_after_fork=0:halt_on_error=1:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0";
}

// What exit would do, while it is still possible: nothing behind a filter.
static void last_checks(const struct test_case *test)
{
    if (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check() != 0)
        test_fail(test->file, test->line, "memory was leaked, see above");
    if (__gcov_dump)
        __gcov_dump();
}

// --- the child's side -------------------------------------------------------------------------------------------------

static void prepare_child(const struct test_case *test)
{
    setpgid(0, 0);
    // A test program that is killed takes its test with it.
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    if (test->options.expect_signal)
        signal(test->options.expect_signal, SIG_DFL);
    descriptors_read(getpid(), &board_get()->before);
}

__attribute__((noreturn)) static void run_child(const struct test_case *test)
{
    prepare_child(test);
    test->body();
    struct board *board = board_get();
    atomic_store(&board->stage, BOARD_BODY_DONE);
    while (atomic_load(&board->stage) == BOARD_BODY_DONE)
        ;
    if (atomic_load(&board->stage) == BOARD_LEAVE) {
        last_checks(test);
        _exit(0);
    }
    syscall(SYS_exit_group, 0);
    __builtin_trap();
}

// --- the parent's side ------------------------------------------------------------------------------------------------

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void look_at_child(const struct test_case *test, pid_t pid)
{
    struct board *board = board_get();
    struct descriptor_list after;
    descriptors_read(pid, &after);
    descriptors_compare(&board->before, &after, test->file, test->line);
    atomic_store(&board->stage, process_is_filtered(pid) ? BOARD_LEAVE_LOCKED : BOARD_LEAVE);
}

// Waits for the child's end. Returns: false if it did not come in time.
static bool await_child(const struct test_case *test, pid_t pid, int *ret_status)
{
    int timeout_ms = (test->options.timeout_ms ? test->options.timeout_ms : DEFAULT_TIMEOUT_MS) * TIMEOUT_FACTOR;
    int64_t deadline = now_ms() + timeout_ms;
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    bool has_ended = false;
    while (!has_ended && now_ms() < deadline) {
        struct pollfd poller = {.fd = pidfd, .events = POLLIN};
        poll(&poller, 1, 1);
        if (atomic_load(&board_get()->stage) == BOARD_BODY_DONE)
            look_at_child(test, pid);
        has_ended = waitpid(pid, ret_status, WNOHANG) == pid;
    }
    if (pidfd >= 0)
        close(pidfd);
    return has_ended;
}

static const char *status_text(int status, char *buffer, size_t buffer_bytes)
{
    if (WIFSIGNALED(status))
        snprintf(buffer, buffer_bytes, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(buffer, buffer_bytes, "exit status %d", WEXITSTATUS(status));
    return buffer;
}

static void check_status(const struct test_case *test, int status)
{
    const struct test_options *options = &test->options;
    // A wait status: the signal, or the exit status in the second byte; 0x80 says that there was a core dump.
    int expected = options->expect_signal ? options->expect_signal : options->expect_exit << 8;
    if (atomic_load(&board_get()->is_skipped))
        expected = 0; // a body that skips returns
    if ((status & ~0x80) == expected)
        return;
    char got_text[80], expected_text[80];
    test_fail(test->file, test->line, "the test ended with %s, expected %s", status_text(status, got_text, sizeof got_text),
              status_text(expected, expected_text, sizeof expected_text));
}

static void run_sandboxed(const struct test_case *test)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        test_fail(test->file, test->line, "fork failed");
        return;
    }
    if (pid == 0)
        run_child(test);
    int status = 0;
    if (await_child(test, pid, &status)) {
        check_status(test, status);
    } else {
        test_fail(test->file, test->line, "the test did not end in time");
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL);
        processes_end_all();
    }
}

static void run_here(const struct test_case *test)
{
    struct board *board = board_get();
    struct descriptor_list after;
    descriptors_read(getpid(), &board->before);
    test->body();
    descriptors_read(getpid(), &after);
    descriptors_compare(&board->before, &after, test->file, test->line);
}

const char *test_runner_run(const struct test_case *test)
{
    board_clear();
    if (test->is_sandboxed)
        run_sandboxed(test);
    else
        run_here(test);
    test_message("%s", "");
    processes_check_none_left(test->file, test->line);
    board_drain();
    return atomic_load(&board_get()->is_skipped) ? board_get()->skip_reason : NULL;
}
