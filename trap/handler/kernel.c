// kernel: the calls that the handler makes, and the end. Context of everything here: signal handler.
//
// What is called: gettid, futex (FUTEX_WAIT), write, exit_group and the reserved number. They are the mandatory rows of every
// policy (bpf_dsl/handler_rows.c), and a test runs the handler under a filter that has no others.

#include <errno.h>
#include <linux/futex.h>

#include "trap/handler/handler.h"

int64_t trap_syscall(uint32_t level, uint32_t nr, const uint64_t args[6])
{
    return trap_arch_syscall(args, nr, level);
}

// A futex call that cannot wait, because its word has another value, is made to read `address` as its timeout: EFAULT if it cannot,
// EINVAL or EAGAIN if it can. Sixteen bytes are read; aligned, they are on one page. Any other answer comes from a filter and
// proves nothing. Source: kernel/futex/syscalls.c:SYSCALL_DEFINE6(futex): the timeout is copied before anything else is looked at.
bool trap_is_readable(uint32_t level, uint64_t address)
{
    const uint32_t word = 0;
    const uint64_t args[6] = {(uintptr_t)&word, FUTEX_WAIT, 1, address & ~(uint64_t)15};
    if (address < 4096) {
        return false; // NULL is no timeout, and nothing is mapped there
    }
    const int64_t result = trap_syscall(level, SYS_futex, args);
    return result == -EAGAIN || result == -EINVAL;
}

void trap_die(void)
{
    const uint32_t level = trap_level(TRAP_DEPTH_MAX, TRAP_STAGE_DYING);
    const uint64_t none[6] = {0};
    const uint64_t as_if_killed[6] = {128 + SIGSYS};
    trap_syscall(level, BRIG_DSL_DIE_NR, none);
    for (;;) {
        trap_syscall(level, SYS_exit_group, as_if_killed); // no filter, or one of somebody else
        __builtin_trap();                                  // ... that refuses even this
    }
}

void brig_trap_die(void)
{
    trap_die();
}

int64_t brig_trap_syscall(const struct brig_trap_call *call, uint32_t nr, const uint64_t args[6])
{
    return trap_syscall(call->level, nr, args);
}

bool brig_trap_is_readable(const struct brig_trap_call *call, uint64_t address)
{
    return trap_is_readable(call->level, address);
}
