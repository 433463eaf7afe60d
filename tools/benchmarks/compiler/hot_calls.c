// hot_calls: what calls really take under the programs of one policy.
//
// Takes: the programs, and the policy's inputs. Gives: nanoseconds per call, the kernel's own work included, for a mix of calls
// that arguments decide and a mix of calls that are refused outright. Each program is in a process of its own, Brig's in two, so
// that what the same program differs by is known. Guarantees: the processes take turns on one processor, and do the same calls.
// How it is done: a filter may refuse everything, so the processes wait for their turns by spinning and are stopped and continued
// from outside; time comes from the vDSO. Weakness: only calls that harm nobody are made, with arguments that they refuse.
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/benchmarks/compiler/compiler.h"

enum {
    ROUNDS = 31,
    CALLS_MAX = 512, // more than a branch predictor learns by heart
    INPUTS_PER_CALL = 64,
    WARMUPS = 2,
    REPEATS = 3,
    RUNNERS_MAX = BENCH_COMPILER_COUNT + 1, // Brig's program twice
    PATIENCE_MS = 5000,
    POLL_NS = 50000,
};

// --- which calls ------------------------------------------------------------------------------------------------------

// Instead of arguments: one as the inputs have it, the address of an empty path, and that of a place for results. A path must not
// be in that place: the time of day makes a name, and an open with O_CREAT a file of it.
enum { FREE = -12345, EMPTY = -12346, ROOM = -12347 };

// With these arguments the kernel does nothing, or next to nothing, whatever the free ones are.
static const struct harmless {
    enum brig_dsl_call call;
    int args[6];
} harmless[] = {
    {BRIG_SYS_fcntl, {-1, FREE, FREE}},
    {BRIG_SYS_ioctl, {-1, FREE, 0}},
    {BRIG_SYS_futex, {1, FREE, 0}}, // not aligned
    {BRIG_SYS_mmap, {0, 0, FREE, FREE, -1, 0}},
    {BRIG_SYS_mprotect, {1, 0, FREE}},
    {BRIG_SYS_madvise, {1, 0, FREE}},
    {BRIG_SYS_mremap, {1, 0, 0, FREE, 0}},
    {BRIG_SYS_socket, {FREE, -1, 0}},
    {BRIG_SYS_socketpair, {FREE, -1, 0, 0}},
    {BRIG_SYS_setsockopt, {-1, FREE, FREE, 0, 0}},
    {BRIG_SYS_getsockopt, {-1, FREE, FREE, 0, 0}},
    {BRIG_SYS_sendto, {-1, 0, 0, FREE, 0, 0}},
    {BRIG_SYS_recvfrom, {-1, 0, 0, FREE, 0, 0}},
    {BRIG_SYS_sendmsg, {-1, 0, FREE}},
    {BRIG_SYS_recvmsg, {-1, 0, FREE}},
    {BRIG_SYS_accept4, {-1, 0, 0, FREE}},
    {BRIG_SYS_epoll_ctl, {-1, FREE, -1, ROOM}},
    {BRIG_SYS_lseek, {-1, 0, FREE}},
    {BRIG_SYS_dup3, {-1, -1, FREE}},
    {BRIG_SYS_open, {EMPTY, FREE, 0}},
    {BRIG_SYS_openat, {-1, EMPTY, FREE, 0}},
    {BRIG_SYS_newfstatat, {-1, EMPTY, ROOM, FREE}},
    {BRIG_SYS_clock_gettime, {FREE, ROOM}},
    {BRIG_SYS_clock_getres, {FREE, ROOM}},
    {BRIG_SYS_getrlimit, {FREE, ROOM}},
    {BRIG_SYS_getrusage, {FREE, ROOM}},
    {BRIG_SYS_getrandom, {0, 0, FREE}},
    {BRIG_SYS_rt_sigaction, {FREE, 0, 0, 8}},
    {BRIG_SYS_sched_setscheduler, {-1, FREE, 0}},
    {BRIG_SYS_personality, {FREE}},
};

struct mix {
    struct brig_dsl_data calls[CALLS_MAX];
    size_t count;
};

// What a process survives, with nobody to answer: allowed, or refused by an errno.
static bool is_survivable(const struct bench_code *code, const struct brig_dsl_data *data)
{
    const uint32_t action = brig_dsl_interpret(code->insns, code->count, data, NULL).ret & SECCOMP_RET_ACTION_FULL;
    return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_ERRNO;
}

static void add_call(struct mix *mix, const struct bench_code *code, const struct brig_dsl_data *data)
{
    if (mix->count < CALLS_MAX && is_survivable(code, data)) {
        mix->calls[mix->count++] = *data;
    }
}

static struct brig_dsl_data make_harmless(const struct harmless *how, struct brig_dsl_data data)
{
    static const char empty[1]; // nobody can write there
    static char room[512];      // big enough for what the calls above write
    for (int i = 0; i < 6; i++) {
        if (how->args[i] == EMPTY) {
            data.args[i] = (uintptr_t)empty;
        } else if (how->args[i] == ROOM) {
            data.args[i] = (uintptr_t)room;
        } else if (how->args[i] != FREE) {
            data.args[i] = (uint64_t)how->args[i];
        }
    }
    return data;
}

static void choose_by_arguments(const struct bench_inputs *inputs, const struct bench_code *code, struct mix *ret_mix)
{
    ret_mix->count = 0;
    for (size_t i = 0; i < INPUTS_PER_CALL; i++) {
        for (size_t j = 0; j < sizeof harmless / sizeof harmless[0]; j++) {
            const int32_t nr = brig_dsl_call_nr(harmless[j].call, brig_dsl_arch_native());
            if (nr < 0 || (size_t)nr >= inputs->call_count || inputs->calls[nr].decider != BENCH_BY_ARGUMENTS) {
                continue;
            }
            const struct bench_call *call = &inputs->calls[nr];
            const struct brig_dsl_data data = make_harmless(&harmless[j], call->inputs[i * (call->input_count / INPUTS_PER_CALL)]);
            add_call(ret_mix, code, &data);
        }
    }
}

// What the number alone refuses is never made, so it can be anything but a call that no filter sees.
static void choose_denied(const struct bench_inputs *inputs, const struct bench_code *code, struct mix *ret_mix)
{
    ret_mix->count = 0;
    for (size_t i = 0; i < inputs->call_count; i++) {
        const struct bench_call *call = &inputs->calls[i];
        const enum brig_dsl_call name = brig_dsl_call_by_nr(call->nr, brig_dsl_arch_native());
        const uint32_t ret = brig_dsl_interpret(code->insns, code->count, call->inputs, NULL).ret;
        if (name == BRIG_SYS_uretprobe || name == BRIG_SYS_uprobe) {
            continue;
        }
        if (call->decider == BENCH_BY_NUMBER && (ret & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO) {
            add_call(ret_mix, code, call->inputs);
        }
    }
}

// --- a process under a filter -----------------------------------------------------------------------------------------

enum { BY_ARGUMENTS, DENIED, MIX_COUNT };

// Shared with a runner; everything that is waited for is atomic.
struct desk {
    uint32_t turn; // the round that may run
    uint32_t done; // the last round that did
    double ns[MIX_COUNT];
};

struct runner {
    const struct bench_code *code;
    struct desk *desk;
    pid_t pid;
    double ns[MIX_COUNT][ROUNDS];
};

static double time_mix(const struct mix *mix, int repeats)
{
    struct timespec from, to;
    if (mix->count == 0) {
        return 0;
    }
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < repeats; i++) {
        for (size_t j = 0; j < mix->count; j++) {
            const struct brig_dsl_data *call = &mix->calls[j];
            syscall((long)call->nr, call->args[0], call->args[1], call->args[2], call->args[3], call->args[4], call->args[5]);
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    const double ns = (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
    return ns / repeats / (double)mix->count;
}

static bool install(const struct bench_code *code)
{
    const struct sock_fprog program = {.len = (unsigned short)code->count, .filter = (struct sock_filter *)(uintptr_t)code->insns};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

// Never returns: nothing may be left to call once the filter is there.
static void serve(const struct bench_code *code, struct desk *desk, const struct mix mixes[MIX_COUNT])
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || !install(code)) {
        _exit(1);
    }
    for (uint32_t turn = 1;; turn++) {
        while (__atomic_load_n(&desk->turn, __ATOMIC_ACQUIRE) != turn) {
        }
        for (int i = 0; i < MIX_COUNT; i++) {
            time_mix(&mixes[i], WARMUPS);
            desk->ns[i] = time_mix(&mixes[i], REPEATS);
        }
        __atomic_store_n(&desk->done, turn, __ATOMIC_RELEASE);
    }
}

// --- turns ------------------------------------------------------------------------------------------------------------

static bool start(struct runner *runner, const struct mix mixes[MIX_COUNT])
{
    runner->pid = -1;
    runner->desk = mmap(NULL, sizeof *runner->desk, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (runner->desk == MAP_FAILED) {
        runner->desk = NULL;
        return false;
    }
    fflush(NULL);
    runner->pid = fork();
    if (runner->pid == 0) {
        serve(runner->code, runner->desk, mixes);
    }
    return runner->pid > 0 && kill(runner->pid, SIGSTOP) == 0;
}

static void stop(struct runner *runner)
{
    if (runner->pid > 0) {
        kill(runner->pid, SIGKILL);
        waitpid(runner->pid, NULL, 0);
    }
    if (runner->desk) {
        munmap(runner->desk, sizeof *runner->desk);
    }
}

// Lets a runner do one round. Returns: false if it does not come back.
static bool run_turn(struct runner *runner, uint32_t turn)
{
    const uint64_t start_ns = bench_now_ns();
    __atomic_store_n(&runner->desk->turn, turn, __ATOMIC_RELEASE);
    kill(runner->pid, SIGCONT);
    while (__atomic_load_n(&runner->desk->done, __ATOMIC_ACQUIRE) != turn) {
        nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
        if (bench_now_ns() - start_ns > PATIENCE_MS * UINT64_C(1000000) || waitpid(runner->pid, NULL, WNOHANG) != 0) {
            return false;
        }
    }
    kill(runner->pid, SIGSTOP);
    return true;
}

static bool run_turns(struct runner *runners, size_t count)
{
    for (uint32_t turn = 1; turn <= ROUNDS + 1; turn++) {
        for (size_t i = 0; i < count; i++) {
            if (!run_turn(&runners[i], turn)) {
                return false;
            }
            for (int j = 0; j < MIX_COUNT && turn > 1; j++) { // the first turn faults memory in
                runners[i].ns[j][turn - 2] = runners[i].desk->ns[j];
            }
        }
    }
    return true;
}

// Moves this process, and those that it starts from now on, to one processor. Returns: the processors that it had.
static cpu_set_t use_one_processor(void)
{
    cpu_set_t all, one;
    CPU_ZERO(&all);
    CPU_ZERO(&one);
    sched_getaffinity(0, sizeof all, &all);
    for (size_t cpu = CPU_SETSIZE; cpu-- > 0;) {
        if (CPU_ISSET(cpu, &all)) {
            CPU_SET(cpu, &one);
            break;
        }
    }
    sched_setaffinity(0, sizeof one, &one);
    return all;
}

// --- entry ------------------------------------------------------------------------------------------------------------

static int compare_times(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static struct bench_time summarize(double ns[ROUNDS])
{
    qsort(ns, ROUNDS, sizeof ns[0], compare_times);
    return (struct bench_time){ns[0], ns[ROUNDS / 2]};
}

static void keep_times(struct runner *runners, struct bench_comparison *comparison)
{
    size_t at = 0;
    for (int i = 0; i < BENCH_COMPILER_COUNT; i++) {
        struct bench_result *result = &comparison->results[i];
        if (bench_is_peer(result)) {
            result->arguments_ns = summarize(runners[at].ns[BY_ARGUMENTS]);
            result->denied_ns = summarize(runners[at++].ns[DENIED]);
        }
    }
    comparison->arguments_again_ns = summarize(runners[at].ns[BY_ARGUMENTS]);
    comparison->denied_again_ns = summarize(runners[at].ns[DENIED]);
}

void bench_hot_calls(const struct bench_inputs *inputs, struct bench_comparison *comparison, struct bench_table *table)
{
    static struct runner runners[RUNNERS_MAX];
    static struct mix mixes[MIX_COUNT];
    const struct bench_code *ours = &comparison->results[BENCH_BRIG].code;
    size_t count = 0;
    if (!bench_is_peer(&comparison->results[BENCH_BRIG])) {
        return;
    }
    choose_by_arguments(inputs, ours, &mixes[BY_ARGUMENTS]);
    choose_denied(inputs, ours, &mixes[DENIED]);
    comparison->hot_calls = mixes[BY_ARGUMENTS].count;
    if (mixes[BY_ARGUMENTS].count + mixes[DENIED].count == 0) {
        return;
    }
    for (int i = 0; i < BENCH_COMPILER_COUNT; i++) {
        if (bench_is_peer(&comparison->results[i])) {
            runners[count++].code = &comparison->results[i].code;
        }
    }
    runners[count++].code = ours;
    const cpu_set_t all = use_one_processor();
    bool is_done = true;
    for (size_t i = 0; i < count; i++) {
        is_done = start(&runners[i], mixes) && is_done;
    }
    sched_setaffinity(0, sizeof all, &all);
    if (is_done && run_turns(runners, count)) {
        keep_times(runners, comparison);
    } else {
        bench_fail(table, "%s: a process under a filter did not answer", comparison->subject->name);
    }
    for (size_t i = 0; i < count; i++) {
        stop(&runners[i]);
    }
}
