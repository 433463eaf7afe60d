// emulate_tkill: tkill(2) names a thread of any process, and which numbers are one's own no filter can know; tgkill(2) names the
// process too. Context of everything here: signal handler.
//
// Takes tkill, gives tgkill with the own process id, which the policy's row for tgkill then decides. The process id is asked for
// and not remembered, so that this holds in a child as well. Answers other than the kernel's: a thread of another process is ESRCH,
// as if it were not there.
//
// A signal to oneself that the handler leaves open (SIGABRT, faults) would arrive in here, and its handler would be taken for a
// part of this one. So it is blocked first; leaving this handler puts the program's mask back, and the signal arrives where the
// kernel would have delivered it. Not for libcs that call tkill with signals blocked, where a trap kills: musl's raise and
// pthread_kill do.

#include "trap/handler/handler.h"

#define SIGSET_BYTES 8

static void keep_until_return(const struct brig_trap_call *call, uint32_t signal_nr)
{
    static const uint64_t kept = TRAP_OPEN_SIGNALS & ~TRAP_SIGNAL_BIT(SIGSYS);
    if (signal_nr >= 1 && signal_nr <= 64 && (TRAP_SIGNAL_BIT(signal_nr) & kept)) {
        brig_trap_syscall(call, SYS_rt_sigprocmask, (const uint64_t[6]){SIG_BLOCK, (uintptr_t)&kept, 0, SIGSET_BYTES});
    }
}

static struct brig_trap_outcome tkill_own_process(const struct brig_trap_call *call)
{
    const int64_t pid = brig_trap_syscall(call, SYS_getpid, (const uint64_t[6]){0});
    if (pid <= 0) {
        return (struct brig_trap_outcome){BRIG_TRAP_VIOLATION, 0}; // a policy that refuses getpid: this cannot be answered
    }
    keep_until_return(call, (uint32_t)call->args[1]);
    const uint64_t args[6] = {(uint64_t)pid, call->args[0], call->args[1]};
    return brig_trap_answer(brig_trap_syscall(call, SYS_tgkill, args));
}

static const enum brig_dsl_call calls[] = {BRIG_SYS_getpid, BRIG_SYS_tgkill, BRIG_SYS_rt_sigprocmask, BRIG_SYS_NONE};

const struct brig_trap_emulation brig_trap_emulate_tkill_own_process = {
    .dsl = {.name = "tkill_own_process", .calls = calls},
    .emulate = tkill_own_process,
};
