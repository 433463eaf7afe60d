// interruptible: a call that waits in the handler waits as the program's own would. Context of everything here: signal handler.
//
// The handler runs with all signals blocked but SIGSYS and faults. A call that waits for somebody would then keep the program from
// its timers, its cancellation and its end, which the kernel would not. So the mask of the code that made the call is put back
// around it. A signal that comes between the change of the mask and the call is one that came before the call: the same race is in
// the program's own code.
//
// Weakness: handlers of such signals run on the alternate stack, whether they asked for it or not, as long as the trap does.

#include "trap/handler/handler.h"

#define SIGSET_BYTES 8

static int64_t set_mask(const struct brig_trap_call *call, const uint64_t *mask, uint64_t *ret_before)
{
    const uint64_t args[6] = {SIG_SETMASK, (uintptr_t)mask, (uintptr_t)ret_before, SIGSET_BYTES};
    return brig_trap_syscall(call, SYS_rt_sigprocmask, args);
}

int64_t brig_trap_syscall_interruptible(const struct brig_trap_call *call, uint32_t nr, const uint64_t args[6])
{
    uint64_t handler_mask;
    if (set_mask(call, &call->signal_mask, &handler_mask) != 0) {
        return brig_trap_syscall(call, nr, args);
    }
    const int64_t result = brig_trap_syscall(call, nr, args);
    set_mask(call, &handler_mask, NULL);
    return result;
}
