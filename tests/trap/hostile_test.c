// SIGSYS as an enemy would send them: every field of siginfo wrong in every way, to oneself and into running handlers, while other
// threads trap. The handler must not fall, no thread may get a wrong answer, and nothing that the filter refuses may happen.
//
// A siginfo in which everything agrees is believed (trap/README.md), so some forgeries would be taken for violations and end the
// process, as they should. `is_deadly` knows which these are, from what the kernel documents and not from the handler's code: they
// are sent one by one, each in a process of its own.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/trap/fixture.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define SHARE 10
#endif
#endif
#ifndef SHARE
#define SHARE 1
#endif

enum {
    FORGERIES = 100000 / SHARE, // or BRIG_FORGERIES of the environment, which tools/soak sets
    KNOWN_BYTES = 48,           // include/linux/signal_types.h:SI_EXPANSION_SIZE is the rest
    NESTED = 2000 / SHARE,
    DEADLY = 100 / SHARE,
    TRAPPERS = 3,
    ANSWER = 4711,
};

// --- the call by which a thread signals itself ------------------------------------------------------------------------

#ifdef __x86_64__
static const char *signal_call_end;

// rt_tgsigqueueinfo from an instruction whose address is known: the signal arrives right behind it, with the result, 0, in place.
__attribute__((noinline)) static long send_to_self(const siginfo_t *info, long pid, long tid)
{
    long result = SYS_rt_tgsigqueueinfo;
    register const siginfo_t *last __asm__("r10") = info;
    __asm__ volatile("syscall\n"
                     "1:\tlea 1b(%%rip), %%rcx\n\tmov %%rcx, %[end]"
                     : "+a"(result), [end] "=m"(signal_call_end)
                     : "D"(pid), "S"(tid), "d"((long)SIGSYS), "r"(last)
                     : "rcx", "r11", "memory", "cc");
    return result;
}

// --- policy -----------------------------------------------------------------------------------------------------------

static long own_pid;

static struct brig_trap_outcome answer(const struct brig_trap_call *call)
{
    (void)call;
    return (struct brig_trap_outcome){BRIG_TRAP_RESULT, ANSWER};
}

// Is hit by a forgery in the middle of its work, as often as its first argument says.
static struct brig_trap_outcome be_interrupted(const struct brig_trap_call *call)
{
    siginfo_t *info = (siginfo_t *)(uintptr_t)call->args[1];
    const int64_t tid = brig_trap_syscall(call, SYS_gettid, (const uint64_t[6]){0});
    for (uint64_t i = 0; i < call->args[0]; i++) {
        const uint64_t args[6] = {(uint64_t)own_pid, (uint64_t)tid, SIGSYS, (uintptr_t)&info[i]};
        brig_trap_syscall(call, SYS_rt_tgsigqueueinfo, args);
        if (brig_trap_syscall(call, SYS_getppid, args) != ANSWER) {
            return (struct brig_trap_outcome){BRIG_TRAP_ERRNO, EBADE};
        }
    }
    return (struct brig_trap_outcome){BRIG_TRAP_RESULT, ANSWER};
}

static const enum brig_dsl_call no_calls[] = {BRIG_SYS_NONE};
static const struct brig_trap_emulation answering = {.dsl = {.name = "answer", .calls = no_calls}, .emulate = answer};
static const struct brig_trap_emulation interrupted = {.dsl = {.name = "interrupt", .calls = no_calls}, .emulate = be_interrupted};

// read is number 0, which is what the register of a thread that signals itself holds: forgeries of it can agree in everything.
enum { NEVER_FD = 0x7ffffff0, ANSWER_ID = FIXTURE_FIRST_RULE_ID, REPORT_ID, CRASH_ID, INTERRUPT_ID, CANARY_ID, READ_CRASH_ID };
static const struct trap_rule rules[] = {
    {SYS_getppid, ANY, 0, EMULATED_BY(answering)},
    {SYS_read, 0, NEVER_FD, {.verb = BRIG_DSL_REPORT, .data = EDOM}},
    {SYS_getsid, ANY, 0, {.verb = BRIG_DSL_CRASH}},
    {SYS_getpgid, ANY, 0, EMULATED_BY(interrupted)},
    {SYS_umask, ANY, 0, {.verb = BRIG_DSL_REPORT, .data = EPERM}},
    {SYS_read, 0, NEVER_FD + 1, {.verb = BRIG_DSL_CRASH}},
};

// --- forgeries --------------------------------------------------------------------------------------------------------

static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static uint64_t pick(const uint64_t *values, size_t count)
{
    const uint64_t random = next_random();
    return random % 8 == 0 ? next_random() : values[random / 8 % count];
}

// All fields at random, mostly from what means something. What follows them is 0: with a code that it does not know, the kernel
// takes nothing else there (E2BIG).
static siginfo_t forge(void)
{
    const uint64_t here = (uintptr_t)signal_call_end;
    const uint64_t codes[] = {1, 1, 1, 1, 2, (uint64_t)SI_QUEUE, (uint64_t)SI_USER, (uint64_t)SI_TKILL, (uint64_t)SI_KERNEL};
    const uint64_t ids[] = {REPORT_ID, REPORT_ID,  ANSWER_ID,          CRASH_ID,       CANARY_ID, READ_CRASH_ID, 0,           99,
                            0xffff,    0x80000000, FIXTURE_FOREIGN_ID, FIXTURE_X32_ID, 200,       1u << 31,      INTERRUPT_ID};
    const uint64_t addresses[] = {
        here, here, here, here + 2, here - 2, 0, 0xffffffffff600000, 0xffffffffff600400, (uintptr_t)forge};
    const uint64_t nrs[] = {SYS_read,   SYS_read,       SYS_read,       SYS_getppid,    SYS_umask,      SYS_getsid,      0xffffffff,
                            0x40000000, (uint32_t)-512, (uint32_t)-513, (uint32_t)-514, (uint32_t)-516, BRIG_DSL_DIE_NR, 1023};
    const uint64_t arches[] = {0xc000003e, 0xc000003e, 0xc000003e, 0x40000003, 0xc00000b7, 0};
    siginfo_t info;
    uint64_t *words = (uint64_t *)(void *)&info;
    memset(&info, 0, sizeof info);
    for (size_t i = 0; i < KNOWN_BYTES / sizeof *words; i++) {
        words[i] = next_random();
    }
    info.si_signo = (int)(next_random() % 4 ? SIGSYS : next_random() % 64);
    info.si_code = (int)pick(codes, COUNT_OF(codes));
    info.si_errno = (int)pick(ids, COUNT_OF(ids));
    info.si_call_addr = (void *)(uintptr_t)pick(addresses, COUNT_OF(addresses));
    info.si_syscall = (int)pick(nrs, COUNT_OF(nrs));
    info.si_arch = (unsigned)pick(arches, COUNT_OF(arches));
    return info;
}

// Whether it is what the kernel would send for a call of number 0 (of a number that reads as a restart code, whatever the register
// says), in one of this process's two arches, from where the thread stands or from the vsyscall page.
static bool agrees(const siginfo_t *info)
{
    const uint64_t here = (uintptr_t)signal_call_end, address = (uintptr_t)info->si_call_addr;
    const uint32_t nr = (uint32_t)info->si_syscall;
    const bool is_restart_code = nr >= (uint32_t)-516 && nr <= (uint32_t)-512;
    const bool is_here = address == here || (address == here + 2 && is_restart_code) || address >> 12 == 0xffffffffff600;
    return info->si_code == 1 && is_here && (nr == 0 || is_restart_code) &&
           (info->si_arch == 0xc000003e || info->si_arch == 0x40000003);
}

// What agrees is a violation, unless its id is one that stands for this number and answers.
static bool is_deadly(const siginfo_t *info)
{
    return agrees(info) && !(info->si_errno == REPORT_ID && info->si_syscall == SYS_read && info->si_arch == 0xc000003e);
}

static siginfo_t forge_one(bool deadly)
{
    siginfo_t info;
    do {
        info = forge();
    } while (is_deadly(&info) != deadly);
    return info;
}

static uint64_t number_from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static bool start(struct trap_fixture *fixture)
{
    random_state = number_from_environment("BRIG_SEED", 1) * UINT64_C(0x9e3779b97f4a7c15) + 1;
    own_pid = getpid();
    send_to_self(&(siginfo_t){.si_signo = 0}, own_pid, 0); // fails, and learns the address
    fixture_start(fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    return fixture_lock(fixture);
}

// --- many -------------------------------------------------------------------------------------------------------------

static bool has_ended;
static uint64_t answered;

static void *trap_all_the_time(void *argument)
{
    struct brig_error error;
    CHECK_OK(brig_trap_thread_enter(&error), &error);
    while (!__atomic_load_n(&has_ended, __ATOMIC_RELAXED)) {
        const bool is_right = fixture_call(SYS_getppid, 0, 0, 0, 0) == ANSWER && fixture_call(SYS_umask, 0777, 0, 0, 0) == -EPERM &&
                              fixture_call(SYS_read, NEVER_FD, 0, 0, 0) == -EDOM;
        if (!CHECK(is_right)) {
            break;
        }
        __atomic_fetch_add(&answered, 1, __ATOMIC_RELAXED);
    }
    brig_trap_thread_leave();
    return argument;
}

// What the refused umask would have changed, without asking umask.
static void read_mask(char ret_mask[16])
{
    char line[128];
    FILE *status = fopen("/proc/self/status", "r");
    ret_mask[0] = '\0';
    while (status && fgets(line, sizeof line, status) && sscanf(line, "Umask: %15s", ret_mask) != 1) {
    }
    CHECK(status && fclose(status) == 0);
}

SANDBOX_TEST(trap, hostile_signals_do_nothing, .timeout_ms = 60000)
{
    const uint64_t forgeries = number_from_environment("BRIG_FORGERIES", FORGERIES);
    struct trap_fixture fixture;
    pthread_t threads[TRAPPERS];
    uint64_t believed = 0;
    char mask_before[16], mask_after[16];
    read_mask(mask_before);
    REQUIRE(start(&fixture));
    for (size_t i = 0; i < TRAPPERS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, trap_all_the_time, NULL), 0);
    }
    for (uint64_t i = 0; i < forgeries; i++) {
        const siginfo_t info = forge_one(false);
        const long expected = agrees(&info) ? -EDOM : 0;
        believed += agrees(&info);
        if (!CHECK_EQ(send_to_self(&info, own_pid, own_pid), expected)) {
            test_message("forgery %llu", (unsigned long long)i);
            break;
        }
    }
    __atomic_store_n(&has_ended, true, __ATOMIC_RELAXED);
    for (size_t i = 0; i < TRAPPERS; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    read_mask(mask_after);
    CHECK_STR_EQ(mask_after, mask_before);
    CHECK_EQ(fixture.slots->forged, forgeries - believed);
    CHECK_EQ(fixture.slots->events, 3 * answered + believed);
    CHECK_EQ(fixture.slots->reentered, 0);
    CHECK_GT(believed, forgeries / 1000);
    CHECK_GT(answered, 0);
    fixture_end(&fixture);
}

// --- into a handler ---------------------------------------------------------------------------------------------------

SANDBOX_TEST(trap, hostile_signals_into_a_handler_do_nothing, .timeout_ms = 30000)
{
    enum { AT_ONCE = 5 };
    struct trap_fixture fixture;
    REQUIRE(start(&fixture));
    for (uint64_t i = 0; i < NESTED / AT_ONCE; i++) {
        siginfo_t info[AT_ONCE];
        for (size_t j = 0; j < AT_ONCE; j++) {
            info[j] = forge_one(false);
            info[j].si_call_addr = (void *)(uintptr_t)(j + 1); // in a handler the thread stands elsewhere
        }
        if (!CHECK_EQ(fixture_call(SYS_getpgid, AT_ONCE, (long)(intptr_t)info, 0, 0), ANSWER)) {
            break;
        }
    }
    CHECK_EQ(fixture.slots->forged, NESTED);
    CHECK_EQ(fixture.slots->emulated, NESTED / AT_ONCE + NESTED);
    CHECK_EQ(fixture.slots->reentered, NESTED);
    fixture_end(&fixture);
}

// --- the deadly ones --------------------------------------------------------------------------------------------------

static siginfo_t deadly;

static void send_deadly(void)
{
    send_to_self(&deadly, getpid(), getpid());
}

// A record that says what the forgery said, and the end.
SANDBOX_TEST(trap, signals_that_look_like_violations_are_deadly, .timeout_ms = 60000)
{
    random_state = number_from_environment("BRIG_SEED", 1) * UINT64_C(0x9e3779b97f4a7c15) + 1;
    send_to_self(&(siginfo_t){.si_signo = 0}, 0, 0);
    for (int i = 0; i < DEADLY; i++) {
        struct trap_fixture fixture;
        test_message("forgery %d", i);
        deadly = forge_one(true);
        fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
        const int status = fixture_run(&fixture, send_deadly);
        REQUIRE(CHECK(WIFSIGNALED(status)) && CHECK_EQ(WTERMSIG(status), SIGSYS));
        REQUIRE(CHECK_EQ(fixture_record_count(&fixture), 1));
        CHECK_EQ(fixture_record(&fixture, 0)->nr, (uint32_t)deadly.si_syscall);
        CHECK_EQ(fixture_record(&fixture, 0)->trap_id, (uint32_t)deadly.si_errno);
        CHECK_EQ(fixture.slots->forged, 0);
        fixture_end(&fixture);
    }
}
#endif

// --- from another process ---------------------------------------------------------------------------------------------

// A SIGSYS that is there in the moment of a trap takes its place (kernel/signal.c:legacy_queue): the call is not made, and seems to
// have returned its own number.
static int trap_until_killed(void)
{
    for (;;) {
        const long result = fixture_call(SYS_getppid, 0, 0, 0, 0);
        if (result != -EPERM && result != SYS_getppid) {
            return 1;
        }
    }
}

static long queue_to(pid_t pid, int code)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = SIGSYS;
    info.si_errno = FIXTURE_FIRST_RULE_ID;
    info.si_syscall = SYS_getppid;
    info.si_arch = brig_dsl_arch_audit(brig_dsl_arch_native());
    info.si_code = code;
    return fixture_call(SYS_rt_tgsigqueueinfo, pid, pid, SIGSYS, (long)(intptr_t)&info);
}

// The kernel refuses others what a filter alone may say; anything else arrives, and is told by its code. Not faster than they are
// handled: SIGSYS stays open in its handler, and a flood fills the signal stack. Who can send one can as well kill.
SANDBOX_TEST(trap, signals_of_other_processes_are_ignored, .expect_exit = 0)
{
    static const struct trap_rule reporting[] = {{SYS_getppid, ANY, 0, {.verb = BRIG_DSL_REPORT, .data = EPERM}}};
    struct trap_fixture fixture;
    int status;
    fixture_start(&fixture, reporting, COUNT_OF(reporting), ALLOW_ALL);
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(fixture_lock(&fixture) ? trap_until_killed() : 2);
    }
    while (__atomic_load_n(&fixture.slots->events, __ATOMIC_RELAXED) == 0) {
        usleep(1000);
    }
    for (int i = 0; i < 300; i++) {
        CHECK_EQ(kill(pid, SIGSYS), 0);
        usleep(20);
        CHECK_EQ(syscall(SYS_tgkill, pid, pid, SIGSYS), 0);
        usleep(20);
        CHECK_EQ(sigqueue(pid, SIGSYS, (union sigval){.sival_int = FIXTURE_FIRST_RULE_ID}), 0);
        usleep(20);
        CHECK_EQ(queue_to(pid, 1), -EPERM);
        CHECK_EQ(queue_to(pid, 0), -EPERM);
        CHECK_EQ(queue_to(pid, SI_TKILL), -EPERM);
        CHECK_EQ(queue_to(pid, SI_QUEUE), 0);
        usleep(20);
    }
    const uint64_t events = __atomic_load_n(&fixture.slots->events, __ATOMIC_RELAXED);
    for (int i = 0; i < 5000 && __atomic_load_n(&fixture.slots->events, __ATOMIC_RELAXED) == events; i++) {
        usleep(1000);
    }
    CHECK_EQ(waitpid(pid, &status, WNOHANG), 0); // lives, and got the right answers
    CHECK_GT(__atomic_load_n(&fixture.slots->events, __ATOMIC_RELAXED), events);
    CHECK_GT(fixture.slots->forged, 0);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(WTERMSIG(status), SIGKILL);
    fixture_end(&fixture);
}
