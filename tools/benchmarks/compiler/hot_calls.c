// hot_calls: what calls really take under the programs of one policy.
//
// Takes: the programs, and the policy's inputs. Gives: nanoseconds per call, the kernel's own work included, for a mix of calls
// that arguments decide and a mix of calls that are refused outright; how the other programs' times stand to Brig's; and what means
// nothing, because Brig's program differs as much from itself.
//
// How it is done: every figure is that of one installation, in a process of its own, since where the kernel happens to put a
// program is part of what it takes. A block is one installation of each program, Brig's twice, side by side in turning order; times
// are compared within blocks only, so that what the machine does meanwhile drops out, and then over the blocks. Guarantees: all run
// on one processor, where nothing of this benchmark runs beside them as long as there is another one, and make the same calls in
// the same order (mixes.c). A mix is timed in short sections, of each of which the best time counts: what interrupts spoils one.
// A filter may refuse everything, so a process says that it is done by memory alone, and spins until it is killed; time comes from
// the vDSO. Weakness: minutes of noise are noise in all blocks, and then hide differences.
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <math.h>
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
    BLOCKS = 9,
    ROUNDS = 3,          // through the whole mix, after one that warms up
    SECTION_STEPS = 512, // some 60 us
    SECTIONS = BENCH_MIX_STEPS / SECTION_STEPS,
    RUNNERS_MAX = BENCH_COMPILER_COUNT + 1, // Brig's program twice
    PATIENCE_MS = 5000,
    POLL_NS = 500000,
};

// --- a process under a filter -----------------------------------------------------------------------------------------

// Shared with a runner.
struct desk {
    double ns[BENCH_MIX_COUNT];
    int install_code; // errno, or 0
    uint32_t is_done; // atomic
};

struct runner {
    const struct bench_code *code;
    struct desk *desk;
    pid_t pid;
    double ns[BENCH_MIX_COUNT][BLOCKS];
};

static double time_section(const struct bench_mix *mix, size_t section)
{
    struct timespec from, to;
    const uint16_t *order = mix->order + section * SECTION_STEPS;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (size_t i = 0; i < SECTION_STEPS; i++) {
        const struct brig_dsl_data *call = &mix->calls[order[i]];
        syscall((long)call->nr, call->args[0], call->args[1], call->args[2], call->args[3], call->args[4], call->args[5]);
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    return (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
}

// Returns: nanoseconds per call.
static double time_mix(const struct bench_mix *mix)
{
    double least[SECTIONS], sum = 0;
    for (int round = 0; round <= ROUNDS; round++) {
        for (size_t i = 0; i < SECTIONS; i++) {
            const double ns = time_section(mix, i);
            least[i] = round <= 1 || ns < least[i] ? ns : least[i];
        }
    }
    for (size_t i = 0; i < SECTIONS; i++) {
        sum += least[i];
    }
    return sum / BENCH_MIX_STEPS;
}

static bool install(const struct bench_code *code)
{
    const struct sock_fprog program = {.len = (unsigned short)code->count, .filter = (struct sock_filter *)(uintptr_t)code->insns};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

// Never returns: nothing may be left to call once the filter is there.
static void serve(const struct bench_code *code, struct desk *desk, const struct bench_mix mixes[BENCH_MIX_COUNT])
{
    if (!install(code)) {
        desk->install_code = errno;
        _exit(1);
    }
    for (int i = 0; i < BENCH_MIX_COUNT; i++) {
        desk->ns[i] = mixes[i].count > 0 ? time_mix(&mixes[i]) : 0;
    }
    __atomic_store_n(&desk->is_done, 1, __ATOMIC_RELEASE);
    for (;;) {
    }
}

// --- blocks -----------------------------------------------------------------------------------------------------------

// Keeps a processor for runners, and the others for this process.
struct processors {
    cpu_set_t all, measured, rest;
};

static void divide_processors(struct processors *ret)
{
    CPU_ZERO(&ret->all);
    CPU_ZERO(&ret->measured);
    sched_getaffinity(0, sizeof ret->all, &ret->all);
    ret->rest = ret->all;
    for (size_t cpu = CPU_SETSIZE; cpu-- > 0;) {
        if (CPU_ISSET(cpu, &ret->all)) {
            CPU_SET(cpu, &ret->measured);
            break;
        }
    }
    if (CPU_COUNT(&ret->all) > 1) {
        CPU_XOR(&ret->rest, &ret->all, &ret->measured);
    }
}

// Returns: false if the runner does not come back.
static bool await(struct runner *runner)
{
    const uint64_t start_ns = bench_now_ns();
    while (!__atomic_load_n(&runner->desk->is_done, __ATOMIC_ACQUIRE)) {
        nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
        if (waitpid(runner->pid, NULL, WNOHANG) != 0) {
            runner->pid = -1; // somebody else's from now on
            return false;
        }
        if (bench_now_ns() - start_ns > PATIENCE_MS * UINT64_C(1000000)) {
            return false;
        }
    }
    return true;
}

// Installs a program and measures it. The process stays, stopped, so that the next program comes to another place.
static bool run(struct runner *runner, const struct bench_mix mixes[BENCH_MIX_COUNT], const struct processors *processors)
{
    const pid_t parent = getpid();
    runner->desk->is_done = 0;
    fflush(NULL);
    runner->pid = fork();
    if (runner->pid == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) {
            _exit(1);
        }
        sched_setaffinity(0, sizeof processors->measured, &processors->measured);
        serve(runner->code, runner->desk, mixes);
    }
    return runner->pid > 0 && await(runner) && kill(runner->pid, SIGSTOP) == 0;
}

static void stop(struct runner *runner)
{
    if (runner->pid > 0) {
        kill(runner->pid, SIGKILL);
        waitpid(runner->pid, NULL, 0);
    }
    runner->pid = -1;
}

static bool run_block(struct runner *runners, size_t count, size_t block, const struct bench_mix mixes[BENCH_MIX_COUNT],
                      const struct processors *processors)
{
    bool is_done = true;
    for (size_t i = 0; i < count && is_done; i++) {
        struct runner *runner = &runners[(i + block) % count];
        is_done = run(runner, mixes, processors);
        for (int j = 0; j < BENCH_MIX_COUNT; j++) {
            runner->ns[j][block] = runner->desk->ns[j];
        }
    }
    for (size_t i = 0; i < count; i++) {
        stop(&runners[i]);
    }
    return is_done;
}

// --- figures ----------------------------------------------------------------------------------------------------------

static int compare_figures(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median_of(const double figures[BLOCKS])
{
    double sorted[BLOCKS];
    memcpy(sorted, figures, sizeof sorted);
    qsort(sorted, BLOCKS, sizeof sorted[0], compare_figures);
    return sorted[BLOCKS / 2];
}

static struct bench_time time_of(const double ns[BLOCKS])
{
    double least = ns[0];
    for (size_t i = 1; i < BLOCKS; i++) {
        least = fmin(least, ns[i]);
    }
    return (struct bench_time){least, median_of(ns)};
}

// A program's times over those of Brig's two in the same block.
static void compare_with_ours(const double ns[BLOCKS], const double ours[BLOCKS], const double again[BLOCKS],
                              struct bench_calls *ret_calls)
{
    double ratios[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        ratios[i] = 2 * ns[i] / (ours[i] + again[i]);
        ret_calls->relative_most = fmax(ret_calls->relative_most, ratios[i]);
    }
    ret_calls->relative = median_of(ratios);
}

// Returns: what part of their time the two differ by, median.
static double noise_of(const double ours[BLOCKS], const double again[BLOCKS])
{
    double differences[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        differences[i] = fabs(ours[i] - again[i]) / fmin(ours[i], again[i]);
    }
    return median_of(differences);
}

// The first runner and the last one have Brig's program.
static void keep_times(const struct runner *runners, size_t count, int mix, struct bench_comparison *comparison)
{
    const double *ours = runners[0].ns[mix], *again = runners[count - 1].ns[mix];
    size_t at = 0;
    for (int i = 0; i < BENCH_COMPILER_COUNT; i++) {
        struct bench_calls *calls = &comparison->results[i].calls[mix];
        if (i == BENCH_BRIG) {
            calls->relative = calls->relative_most = 1;
            calls->ns = time_of(runners[at++].ns[mix]);
        } else if (bench_is_peer(&comparison->results[i])) {
            compare_with_ours(runners[at].ns[mix], ours, again, calls);
            calls->ns = time_of(runners[at++].ns[mix]);
        }
    }
    comparison->again_ns[mix] = time_of(again);
    comparison->noise[mix] = noise_of(ours, again);
}

// --- entry ------------------------------------------------------------------------------------------------------------

static size_t enter(struct bench_comparison *comparison, struct desk *desk, struct runner runners[RUNNERS_MAX])
{
    size_t count = 0;
    for (int i = 0; i < BENCH_COMPILER_COUNT; i++) {
        if (bench_is_peer(&comparison->results[i])) {
            runners[count++] = (struct runner){.code = &comparison->results[i].code, .desk = desk, .pid = -1};
        }
    }
    runners[count++] = (struct runner){.code = &comparison->results[BENCH_BRIG].code, .desk = desk, .pid = -1};
    return count;
}

void bench_hot_calls(const struct bench_inputs *inputs, struct bench_comparison *comparison, struct bench_table *table)
{
    static struct runner runners[RUNNERS_MAX];
    static struct bench_mix mixes[BENCH_MIX_COUNT];
    struct processors processors;
    if (!bench_is_peer(&comparison->results[BENCH_BRIG])) {
        return;
    }
    bench_mixes_make(inputs, &comparison->results[BENCH_BRIG].code, mixes);
    comparison->hot_calls = mixes[BENCH_MIX_ARGUMENTS].count;
    if (mixes[BENCH_MIX_ARGUMENTS].count + mixes[BENCH_MIX_DENIED].count == 0) {
        return;
    }
    struct desk *desk = mmap(NULL, sizeof *desk, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (desk == MAP_FAILED) {
        bench_fail(table, "%s: no shared memory", comparison->subject->name);
        return;
    }
    const size_t count = enter(comparison, desk, runners);
    bool is_done = true;
    divide_processors(&processors);
    sched_setaffinity(0, sizeof processors.rest, &processors.rest);
    for (size_t block = 0; block < BLOCKS && is_done; block++) {
        is_done = run_block(runners, count, block, mixes, &processors);
    }
    sched_setaffinity(0, sizeof processors.all, &processors.all);
    const int install_code = desk->install_code;
    munmap(desk, sizeof *desk);
    if (install_code != 0) {
        bench_fail(table, "%s: a filter could not be installed: %s", comparison->subject->name, strerror(install_code));
        return;
    }
    if (!is_done) {
        bench_fail(table, "%s: a process under a filter did not answer", comparison->subject->name);
        return;
    }
    for (int i = 0; i < BENCH_MIX_COUNT; i++) {
        if (mixes[i].count > 0) {
            keep_times(runners, count, i, comparison);
        }
    }
}
