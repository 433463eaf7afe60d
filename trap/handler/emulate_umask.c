// emulate_umask: files that a broker makes for a worker have the worker's umask taken off their modes, and the client does that
// (trap/broker.h). Context of everything here: signal handler.
//
// Takes umask(mask), gives the umask of brokered calls another value and answers the one before. It is shared with the processes
// that are forked from this one, where the kernel's is copied. The kernel's own stays as it was: what may be made without a broker
// is made with that one. Without a broker it answers EACCES.

#include <errno.h>

#include "trap/handler/handler.h"

#define UMASK_BITS 0777u // kernel/sys.c:SYSCALL_DEFINE1(umask): S_IRWXUGO

static struct brig_trap_outcome umask_of_broker(const struct brig_trap_call *call)
{
    struct brig_broker_slots *slots = trap_root_page.root.broker_slots;
    if (!slots) {
        return (struct brig_trap_outcome){BRIG_TRAP_ERRNO, EACCES};
    }
    const uint32_t before = __atomic_exchange_n(&slots->umask, (uint32_t)call->args[0] & UMASK_BITS, __ATOMIC_RELAXED);
    return (struct brig_trap_outcome){BRIG_TRAP_RESULT, before & UMASK_BITS};
}

static const enum brig_dsl_call calls[] = {BRIG_SYS_NONE};

const struct brig_trap_emulation brig_trap_emulate_umask_of_broker = {
    .dsl = {.name = "umask_of_broker", .calls = calls},
    .emulate = umask_of_broker,
};
