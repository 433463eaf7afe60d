// mixes: which calls are made under the programs of one policy.
//
// Takes: a policy's inputs, and its program. Gives: harmless calls that arguments decide, calls that are refused outright, and an
// order in which to make them. Guarantees: a process under the program survives each of them, and none changes anything, but for
// the personality of the process itself, which nothing that it does depends on; the same calls in the same order for the same
// policy.
//
// The order decides how often a processor guesses a test of the program wrong, which takes as long as some fifty instructions. It
// learns hundreds of calls by heart the second time that they come in the same order, and then never guesses wrong; in an order
// without any rule it does for every call that is not like the one before. Real programs are between: in recorded ones the same
// number follows 27 to 89 times of a hundred, and 61 to 90 times the two calls before tell it. So here any call follows, but
// up to IN_A_ROW_MAX times in a row, and there are too many to learn.
//
// Weaknesses: only calls that harm nobody are made, with arguments that they refuse; real orders have more of a rule than that.
#include <linux/seccomp.h>

#include "tools/benchmarks/compiler/compiler.h"

enum { IN_A_ROW_MAX = 5 }; // two of three calls are as the one before

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

// What a process survives, with nobody to answer: allowed, or refused by an errno.
static bool is_survivable(const struct bench_code *code, const struct brig_dsl_data *data)
{
    const uint32_t action = brig_dsl_interpret(code->insns, code->count, data, NULL).ret & SECCOMP_RET_ACTION_FULL;
    return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_ERRNO;
}

static void add_call(struct bench_mix *mix, const struct bench_code *code, const struct brig_dsl_data *data)
{
    if (mix->count < BENCH_MIX_CALLS && is_survivable(code, data)) {
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

// As many of each call, from both lots of its inputs.
static void choose_by_arguments(const struct bench_inputs *inputs, const struct bench_code *code, struct bench_mix *mix)
{
    for (size_t i = 0; i < (size_t)2 * BENCH_INPUTS_PER_CALL; i++) {
        for (size_t j = 0; j < sizeof harmless / sizeof harmless[0]; j++) {
            const int32_t nr = brig_dsl_call_nr(harmless[j].call, brig_dsl_arch_native());
            if (nr < 0 || (size_t)nr >= inputs->call_count || inputs->calls[nr].decider != BENCH_BY_ARGUMENTS) {
                continue;
            }
            const struct brig_dsl_data *input = &inputs->calls[nr].inputs[i % 2 * BENCH_INPUTS_PER_CALL + i / 2];
            const struct brig_dsl_data data = make_harmless(&harmless[j], *input);
            add_call(mix, code, &data);
        }
    }
}

// What the number alone refuses is never made, so it can be anything but a call that no filter sees.
static void choose_denied(const struct bench_inputs *inputs, const struct bench_code *code, struct bench_mix *mix)
{
    for (size_t i = 0; i < inputs->call_count; i++) {
        const struct bench_call *call = &inputs->calls[i];
        const enum brig_dsl_call name = brig_dsl_call_by_nr(call->nr, brig_dsl_arch_native());
        const uint32_t ret = brig_dsl_interpret(code->insns, code->count, call->inputs, NULL).ret;
        if (name == BRIG_SYS_uretprobe || name == BRIG_SYS_uprobe) {
            continue;
        }
        if (call->decider == BENCH_BY_NUMBER && (ret & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO) {
            add_call(mix, code, call->inputs);
        }
    }
}

// Any call, some times in a row, and so on.
static void put_in_order(struct bench_mix *mix)
{
    struct bench_random random = {mix->count};
    for (size_t at = 0; mix->count > 0 && at < BENCH_MIX_STEPS;) {
        const uint64_t bits = bench_random_next(&random);
        const size_t call = (bits >> 32) % mix->count;
        for (size_t times = 1 + bits % IN_A_ROW_MAX; times > 0 && at < BENCH_MIX_STEPS; times--) {
            mix->order[at++] = (uint16_t)call;
        }
    }
}

void bench_mixes_make(const struct bench_inputs *inputs, const struct bench_code *code, struct bench_mix ret_mixes[BENCH_MIX_COUNT])
{
    for (int i = 0; i < BENCH_MIX_COUNT; i++) {
        ret_mixes[i].count = 0;
    }
    choose_by_arguments(inputs, code, &ret_mixes[BENCH_MIX_ARGUMENTS]);
    choose_denied(inputs, code, &ret_mixes[BENCH_MIX_DENIED]);
    for (int i = 0; i < BENCH_MIX_COUNT; i++) {
        put_in_order(&ret_mixes[i]);
    }
}
