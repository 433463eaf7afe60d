// tkill, getppid and uname side by side with the kernel.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/trap/side_by_side.h"

#define UNAME_BYTES (6 * 65)

// --- uname ------------------------------------------------------------------------------------------------------------

static const struct trap_rule uname_rules[] = {{SYS_uname, ANY, 0, EMULATED_BY(brig_trap_emulate_uname_when_armed)}};

static const struct side_call unames[] = {
    {.what = "a buffer", .nr = SYS_uname, .args = {SIDE_MEMORY(0)}},
    {.what = "a buffer at an odd address", .nr = SYS_uname, .args = {SIDE_MEMORY(1001)}},
    {.what = "a buffer over two pages", .nr = SYS_uname, .args = {SIDE_END(SIDE_WRITABLE, 100)}},
    {.what = "a buffer up to a hole", .nr = SYS_uname, .args = {SIDE_END(SIDE_WRITABLE2, UNAME_BYTES)}},
    {.what = "a buffer into a hole", .nr = SYS_uname, .args = {SIDE_END(SIDE_WRITABLE2, UNAME_BYTES - 1)}},
    {.what = "one byte, then a hole", .nr = SYS_uname, .args = {SIDE_END(SIDE_WRITABLE2, 1)}},
    {.what = "a hole", .nr = SYS_uname, .args = {SIDE_PAGE(SIDE_HOLE, 0)}},
    {.what = "out of a hole", .nr = SYS_uname, .args = {SIDE_END(SIDE_HOLE, 8)}},
    {.what = "read-only", .nr = SYS_uname, .args = {SIDE_PAGE(SIDE_READ_ONLY, 64)}},
    {.what = "into what is read-only", .nr = SYS_uname, .args = {SIDE_END(SIDE_WRITABLE3, 200)}},
    {.what = "out of what is read-only", .nr = SYS_uname, .args = {SIDE_END(SIDE_READ_ONLY, 200)}},
    {.what = "NULL", .nr = SYS_uname, .args = {0}},
    {.what = "almost NULL", .nr = SYS_uname, .args = {8}},
    {.what = "the end of the address space", .nr = SYS_uname, .args = {-8}},
    {.what = "the kernel's", .nr = SYS_uname, .args = {INTPTR_MIN}},
};

SANDBOX_TEST(trap, uname_answers_as_the_kernel_does, .expect_exit = 0)
{
    side_by_side(&(struct side_by_side){
        .rules = uname_rules, .rule_count = COUNT_OF(uname_rules), .calls = unames, .count = COUNT_OF(unames)});
}

static uint32_t chance;

static void make_uname(size_t index, struct side_call *ret_call)
{
    chance = (uint32_t)index;
    side_random(&chance, 2);
    ret_call->nr = SYS_uname;
    ret_call->args[0] = SIDE_MEMORY(side_random(&chance, SIDE_PAGES * SIDE_PAGE_BYTES - UNAME_BYTES));
}

SANDBOX_TEST(trap, uname_answers_as_the_kernel_does_at_random, .expect_exit = 0)
{
    side_by_side(
        &(struct side_by_side){.rules = uname_rules, .rule_count = COUNT_OF(uname_rules), .make = make_uname, .count = 1000});
}

// --- getppid ----------------------------------------------------------------------------------------------------------

static const struct trap_rule getppid_rules[] = {{SYS_getppid, ANY, 0, EMULATED_BY(brig_trap_emulate_getppid_when_armed)}};
static const struct side_call getppids[] = {{.what = "getppid", .nr = SYS_getppid}};

SANDBOX_TEST(trap, getppid_answers_as_the_kernel_does, .expect_exit = 0)
{
    side_by_side(&(struct side_by_side){
        .rules = getppid_rules, .rule_count = COUNT_OF(getppid_rules), .calls = getppids, .count = COUNT_OF(getppids)});
}

SANDBOX_TEST(trap, getppid_of_a_child_is_nobody, .expect_exit = 0)
{
    struct trap_fixture fixture;
    int status = -1;
    fixture_start(&fixture, getppid_rules, COUNT_OF(getppid_rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    const pid_t pid = fork();
    if (pid == 0) {
        _exit((int)syscall(SYS_getppid));
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    fixture_end(&fixture);
}

// --- tkill ------------------------------------------------------------------------------------------------------------

static const struct trap_rule tkill_rules[] = {{SYS_tkill, ANY, 0, EMULATED_BY(brig_trap_emulate_tkill_own_process)}};

enum who { SELF, OTHER, PARENT, NOBODY, WHO_COUNT };
static long ids[WHO_COUNT];

// What arrived, in the order in which it did: signal, code and sender, and whether that was before tkill returned.
struct arrival {
    int signal_nr, code, pid;
    bool is_own_thread, blocks_more;
};
static struct arrival arrivals[64];
static int arrival_count;

// One signal at a time is on its way.
static void arrive(int signal_nr, siginfo_t *info, void *context)
{
    sigset_t blocked;
    (void)context;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    const int index = __atomic_load_n(&arrival_count, __ATOMIC_ACQUIRE);
    if (index < (int)COUNT_OF(arrivals)) {
        arrivals[index] = (struct arrival){signal_nr, info->si_code, (int)info->si_pid, syscall(SYS_gettid) == ids[SELF],
                                           sigismember(&blocked, SIGWINCH) == 1};
    }
    __atomic_store_n(&arrival_count, index + 1, __ATOMIC_RELEASE);
}

static const struct {
    const char *what;
    enum who who;
    int signal_nr;
    int arrives; // how many signals do
    bool differs;
} tkills[] = {
    {"a signal to itself", SELF, SIGUSR1, 1, false},
    {"a fault to itself", SELF, SIGSEGV, 1, false},
    {"SIGABRT to itself", SELF, SIGABRT, 1, false},
    {"a real-time signal to itself", SELF, 40, 1, false},
    {"a signal to another thread", OTHER, SIGUSR1, 1, false},
    {"SIGABRT to another thread", OTHER, SIGABRT, 1, false},
    {"no signal to itself", SELF, 0, 0, false},
    {"no signal to another thread", OTHER, 0, 0, false},
    {"a signal that there is not", SELF, 65, 0, false},
    {"a negative signal", SELF, -1, 0, false},
    {"a signal that there is not, to nobody", NOBODY, 65, 0, false},
    {"nobody", NOBODY, SIGUSR1, 0, false},
    {"no signal to nobody", NOBODY, 0, 0, false},
    {"no signal to another process", PARENT, 0, 0, true}, // ESRCH
};

static long send_row(size_t i)
{
    memset(arrivals, 0, sizeof arrivals);
    __atomic_store_n(&arrival_count, 0, __ATOMIC_RELEASE);
    const long result = fixture_call(SYS_tkill, ids[tkills[i].who], tkills[i].signal_nr, 0, 0);
    for (int wait = 0; wait < 2000 && __atomic_load_n(&arrival_count, __ATOMIC_ACQUIRE) < tkills[i].arrives; wait++) {
        usleep(1000);
    }
    return result;
}

static pthread_barrier_t turns;

static void *be_the_other(void *unused)
{
    ids[OTHER] = syscall(SYS_gettid);
    pthread_barrier_wait(&turns);
    pthread_barrier_wait(&turns);
    return unused;
}

// Not under TSan, which keeps signals back until a thread calls something that it knows.
SANDBOX_TEST(trap, tkill_answers_as_the_kernel_does, .expect_exit = 0)
{
    static struct arrival real[COUNT_OF(tkills)][COUNT_OF(arrivals)];
    static const int signals[] = {SIGUSR1, SIGSEGV, SIGABRT, 40};
    const struct sigaction action = {.sa_sigaction = arrive, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct trap_fixture fixture;
    long expected[COUNT_OF(tkills)];
    pthread_t thread;
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        CHECK_EQ(sigaction(signals[i], &action, NULL), 0);
    }
    pthread_barrier_init(&turns, NULL, 2);
    CHECK_EQ(pthread_create(&thread, NULL, be_the_other, NULL), 0);
    pthread_barrier_wait(&turns);
    ids[SELF] = syscall(SYS_gettid);
    ids[PARENT] = getppid();
    ids[NOBODY] = 0x3fffffff;
    for (size_t i = 0; i < COUNT_OF(tkills); i++) {
        expected[i] = send_row(i);
        memcpy(real[i], arrivals, sizeof arrivals);
    }
    fixture_start(&fixture, tkill_rules, COUNT_OF(tkill_rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    for (size_t i = 0; i < COUNT_OF(tkills); i++) {
        test_message("%s", tkills[i].what);
        CHECK_EQ(send_row(i), tkills[i].differs ? -ESRCH : expected[i]);
        CHECK_EQ(arrival_count, tkills[i].arrives);
        CHECK_BYTES_EQ(arrivals, real[i], sizeof arrivals);
    }
    CHECK_EQ(fixture.slots->emulated, COUNT_OF(tkills));
    pthread_barrier_wait(&turns);
    pthread_join(thread, NULL);
    fixture_end(&fixture);
}

// Thread numbers and signals of every width: none of these reaches anybody.
static void make_tkill(size_t index, struct side_call *ret_call)
{
    static const int64_t tids[] = {0, -1, INT32_MIN, INT32_MAX, 0x3fffffff, 0x100000000, 0x13fffffff, -0x100000000};
    static const int64_t signals[] = {0, 1, 9, 64, 65, 66, -1, INT32_MIN, 0x100000000, 0x100000041, INT64_MIN};
    ret_call->nr = SYS_tkill;
    ret_call->args[0] = tids[index % COUNT_OF(tids)];
    ret_call->args[1] = signals[index / COUNT_OF(tids) % COUNT_OF(signals)];
}

SANDBOX_TEST(trap, tkill_of_nobody_answers_as_the_kernel_does, .expect_exit = 0)
{
    side_by_side(
        &(struct side_by_side){.rules = tkill_rules, .rule_count = COUNT_OF(tkill_rules), .make = make_tkill, .count = 88});
}

static void tkill_in_a_child(void)
{
    int status = -1;
    signal(SIGUSR1, SIG_DFL);
    const pid_t pid = fork();
    if (pid == 0) {
        syscall(SYS_tkill, syscall(SYS_gettid), SIGUSR1);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    _exit(WIFSIGNALED(status) ? WTERMSIG(status) : 255);
}

SANDBOX_TEST(trap, tkill_in_a_child_is_the_childs, .expect_exit = 0)
{
    struct trap_fixture fixture;
    fixture_start(&fixture, tkill_rules, COUNT_OF(tkill_rules), ALLOW_ALL);
    const int status = fixture_run(&fixture, tkill_in_a_child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == SIGUSR1);
    fixture_end(&fixture);
}
