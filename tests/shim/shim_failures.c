// Tests that fail, each for one reason; shim_test.c has what each must say. Not part of the list that tools/test runs.
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/shim/test.h"

TEST(failures, check)
{
    CHECK(1 + 1 == 3);
}

TEST(failures, check_eq_signs)
{
    CHECK_EQ(-1, UINT64_MAX);
}

TEST(failures, check_goes_on)
{
    CHECK_STR_EQ("one", "two");
    CHECK_STR_EQ(NULL, "three");
}

TEST(failures, require_returns)
{
    REQUIRE(1 > 2);
    test_fail(__FILE__, __LINE__, "REQUIRE went on");
}

TEST(failures, message)
{
    for (int i = 0; i < 3; i++) {
        test_message("row %d", i);
        CHECK_LT(i, 2);
    }
}

static void *failing_thread(void *unused)
{
    CHECK_CONTAINS("a haystack", "needle");
    return unused;
}

TEST(failures, in_thread)
{
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, failing_thread, NULL) == 0);
    pthread_join(thread, NULL);
}

TEST(failures, in_forked_child)
{
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_EQ(6, 7);
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

TEST(failures, many_in_forked_child)
{
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 100; i++)
            CHECK_EQ(i, -1);
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

TEST(failures, leaks_descriptor)
{
    CHECK(open("/dev/zero", O_RDONLY) >= 0);
}

TEST(failures, leaves_process)
{
    if (fork() == 0) {
        pause();
        _exit(0);
    }
}

SANDBOX_TEST(failures, sandboxed_check, .expect_exit = 0)
{
    CHECK_BYTES_EQ("abc", "abd", 3);
}

SANDBOX_TEST(failures, sandboxed_check_before_expected_death, .expect_signal = SIGKILL)
{
    CHECK_GE(1, 2);
    kill(getpid(), SIGKILL);
}

SANDBOX_TEST(failures, sandboxed_in_grandchild, .expect_exit = 0)
{
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_NE(8, 8);
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

SANDBOX_TEST(failures, timeout, .timeout_ms = 50)
{
    for (;;)
        pause();
}

SANDBOX_TEST(failures, timeout_with_grandchild_in_own_session, .timeout_ms = 50)
{
    if (fork() == 0)
        setsid();
    for (;;)
        pause();
}

SANDBOX_TEST(failures, wrong_signal, .expect_signal = SIGSYS)
{
    abort();
}

SANDBOX_TEST(failures, no_signal, .expect_signal = SIGSYS)
{
}

SANDBOX_TEST(failures, unexpected_signal, .expect_exit = 0)
{
    kill(getpid(), SIGSEGV);
}

SANDBOX_TEST(failures, wrong_exit, .expect_exit = 3)
{
    _exit(4);
}

SANDBOX_TEST(failures, sandboxed_descriptor, .expect_exit = 0)
{
    CHECK(open("/dev/zero", O_RDONLY) >= 0);
}

SANDBOX_TEST(failures, sandboxed_reopened_descriptor, .expect_exit = 0)
{
    close(STDIN_FILENO);
    CHECK_EQ(open("/dev/zero", O_RDONLY), STDIN_FILENO);
}

SANDBOX_TEST(failures, sandboxed_process, .expect_exit = 0)
{
    if (fork() == 0) {
        pause();
        _exit(0);
    }
}

// Nothing is allowed here but exit_group, not even writing down that a check failed.
static bool allow_exit_only(void)
{
    struct sock_filter insns[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 231, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {.len = COUNT_OF(insns), .filter = insns};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

SANDBOX_TEST(failures, locked_check, .expect_exit = 0)
{
    REQUIRE(allow_exit_only());
    CHECK_EQ(20, 21);
}

SANDBOX_TEST(failures, locked_descriptor, .expect_exit = 0)
{
    CHECK(open("/dev/zero", O_RDONLY) >= 0);
    REQUIRE(allow_exit_only());
}

SANDBOX_TEST(failures, skip_does_not_hide_a_failure, .expect_exit = 0)
{
    CHECK_LE(5, 4);
    test_skip("no reason");
}

SANDBOX_TEST(failures, skip_does_not_hide_a_death, .expect_exit = 0)
{
    test_skip("no reason");
    abort();
}

// Not a failure: what a locked test that passes looks like.
SANDBOX_TEST(passes, locked_death, .expect_signal = SIGSYS)
{
    REQUIRE(allow_exit_only());
    getpid();
}

SANDBOX_TEST(passes, skip, .expect_exit = 0)
{
    test_skip("this kernel has no %s", "time machine");
}
