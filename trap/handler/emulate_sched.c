// emulate_sched: thread libraries ask for and set the scheduling of the calling thread by its thread id, which no filter can know
// (it differs per thread, and one program serves all). Context of everything here: signal handler.
//
// Takes any call whose first argument is a thread id and for which 0 means "the caller", gives the same call on 0. So the policy's
// row for it has to let pid 0 through: ROW(sched_getparam, ALLOW, IN(pid, 0)), ELSE(sched_getparam, EMULATE(sched_own_thread)).
// That row's absence shows as a violation: a call on 0 arrives here. Answers other than the kernel's: another thread is EPERM,
// whether it exists or not.

#include <errno.h>

#include "trap/handler/handler.h"

// kernel/sched/syscalls.c: these two look at the mask first (of what is asked for, at its length), then for the thread; the others
// at the number.
static int error_of_negative(const struct brig_trap_call *call)
{
    const uint64_t asking_nowhere[6] = {0, call->args[1], 0}; // EINVAL for a length that is wrong, EFAULT for one that is not
    if (call->call == BRIG_SYS_sched_getaffinity) {
        return brig_trap_syscall(call, call->nr, asking_nowhere) == -EINVAL ? EINVAL : ESRCH;
    }
    if (call->call == BRIG_SYS_sched_setaffinity) {
        const bool is_read = (uint32_t)call->args[1] > 0;
        return is_read && !brig_trap_is_readable(call, call->args[2]) ? EFAULT : ESRCH;
    }
    return EINVAL;
}

static struct brig_trap_outcome sched_own_thread(const struct brig_trap_call *call)
{
    const int32_t tid = (int32_t)call->args[0];
    if (tid == 0) {
        return (struct brig_trap_outcome){BRIG_TRAP_VIOLATION, 0};
    }
    if (tid < 0) {
        return (struct brig_trap_outcome){BRIG_TRAP_ERRNO, error_of_negative(call)};
    }
    if (tid != brig_trap_syscall(call, SYS_gettid, (const uint64_t[6]){0})) {
        return (struct brig_trap_outcome){BRIG_TRAP_ERRNO, EPERM};
    }
    const uint64_t args[6] = {0, call->args[1], call->args[2], call->args[3], call->args[4], call->args[5]};
    return brig_trap_answer(brig_trap_syscall(call, call->nr, args));
}

static const enum brig_dsl_call calls[] = {BRIG_SYS_gettid, BRIG_SYS_NONE};

const struct brig_trap_emulation brig_trap_emulate_sched_own_thread = {
    .dsl = {.name = "sched_own_thread", .calls = calls},
    .emulate = sched_own_thread,
};
