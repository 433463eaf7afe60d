// SIGSYS that no filter sent: counted, and the thread goes on as if nothing had come.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/trap/fixture.h"

static const struct trap_rule rules[] = {{SYS_getppid, ANY, 0, {.verb = BRIG_DSL_CRASH}},
                                         {SYS_umask, ANY, 0, {.verb = BRIG_DSL_CRASH}}};

// The kernel's layout of what rt_tgsigqueueinfo takes is libc's siginfo_t.
static siginfo_t perfect_siginfo(void *call_address, int nr)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = SIGSYS;
    info.si_code = 1; // SYS_SECCOMP
    info.si_errno = FIXTURE_FIRST_RULE_ID;
    info.si_call_addr = call_address;
    info.si_syscall = nr;
    info.si_arch = brig_dsl_arch_audit(brig_dsl_arch_native());
    return info;
}

static long queue(siginfo_t *info)
{
    return syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGSYS, info);
}

static void by_kill(void)
{
    CHECK_EQ(kill(getpid(), SIGSYS), 0);
}

static void by_tgkill(void)
{
    CHECK_EQ(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGSYS), 0);
}

static void by_sigqueue(void)
{
    CHECK_EQ(sigqueue(getpid(), SIGSYS, (union sigval){.sival_int = FIXTURE_FIRST_RULE_ID}), 0);
}

static void by_wrong_address(void)
{
    siginfo_t info = perfect_siginfo((void *)(uintptr_t)0x1000, 0);
    CHECK_EQ(queue(&info), 0);
}

// The address at which syscall() stops, learnt from a first attempt.
static void *stopped_at;

static void learn_address(int signal_nr, siginfo_t *info, void *context)
{
    (void)signal_nr, (void)context;
    stopped_at = info->si_call_addr;
}

// All agrees but the number: the register has the result of rt_tgsigqueueinfo, 0.
static void by_perfect_siginfo(void)
{
    siginfo_t info = perfect_siginfo(stopped_at, SYS_getppid);
    CHECK_EQ(queue(&info), 0);
}

static void by_wrong_arch(void)
{
    siginfo_t info = perfect_siginfo(stopped_at, 0);
    info.si_arch = 0x12345678;
    CHECK_EQ(queue(&info), 0);
}

static void by_wrong_code(void)
{
    siginfo_t info = perfect_siginfo(stopped_at, 0);
    info.si_code = 2; // SYS_USER_DISPATCH
    CHECK_EQ(queue(&info), 0);
}

static const struct {
    const char *what;
    void (*send)(void);
} forgeries[] = {
    {"kill", by_kill},
    {"tgkill", by_tgkill},
    {"sigqueue", by_sigqueue},
    {"rt_tgsigqueueinfo, wrong address", by_wrong_address},
    {"rt_tgsigqueueinfo, perfect siginfo", by_perfect_siginfo},
    {"rt_tgsigqueueinfo, wrong arch", by_wrong_arch},
    {"rt_tgsigqueueinfo, wrong code", by_wrong_code},
};

// syscall() has one system call instruction: a filter of another process tells where.
static bool find_syscall_address(void)
{
    static const struct trap_rule one[] = {{SYS_getsid, ANY, 0, {.verb = BRIG_DSL_CRASH}}};
    struct trap_fixture fixture;
    struct sigaction action = {.sa_sigaction = learn_address, .sa_flags = SA_SIGINFO};
    fixture_start(&fixture, one, COUNT_OF(one), ALLOW_ALL);
    sigaction(SIGSYS, &action, NULL);
    const bool is_installed = fixture_install(&fixture);
    syscall(SYS_getsid, 0);
    fixture_end(&fixture);
    return is_installed && CHECK(stopped_at != NULL);
}

SANDBOX_TEST(trap, forged_signals_are_counted_and_ignored, .expect_exit = 0)
{
    struct trap_fixture fixture;
    REQUIRE(find_syscall_address());
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    for (size_t i = 0; i < COUNT_OF(forgeries); i++) {
        test_message("%s", forgeries[i].what);
        errno = ENOTTY;
        forgeries[i].send();
        CHECK_EQ(errno, ENOTTY);
        CHECK_EQ(fixture.slots->forged, i + 1);
    }
    CHECK_EQ(fixture.slots->events, 0);
    CHECK_EQ(fixture_record_count(&fixture), 0);
    fixture_end(&fixture);
}

static bool has_stopped;

static void *be_busy(void *unused)
{
    (void)unused;
    while (!__atomic_load_n(&has_stopped, __ATOMIC_RELAXED)) {
        syscall(SYS_getpid);
    }
    return NULL;
}

SANDBOX_TEST(trap, forged_signals_between_threads_are_ignored, .expect_exit = 0)
{
    enum { SIGNALS = 200 };
    struct trap_fixture fixture;
    pthread_t thread;
    REQUIRE(find_syscall_address());
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    CHECK_EQ(pthread_create(&thread, NULL, be_busy, NULL), 0);
    for (int i = 0; i < SIGNALS; i++) {
        CHECK_EQ(pthread_kill(thread, SIGSYS), 0);
        usleep(50);
    }
    __atomic_store_n(&has_stopped, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    CHECK_GT(fixture.slots->forged, 0);
    CHECK_LE(fixture.slots->forged, SIGNALS);
    CHECK_EQ(fixture.slots->events, 0);
    fixture_end(&fixture);
}
