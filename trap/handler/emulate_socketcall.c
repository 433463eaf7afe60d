// emulate_socketcall: socketcall(2) of i386 is one call for twenty, with its arguments in memory, where no filter can look. Context
// of everything here: signal handler.
//
// Takes socketcall, copies the arguments once, gives the call of its own that each of the twenty has since Linux 4.3; the policy's
// row for that one then decides. Wrong numbers are EINVAL, unreadable arguments EFAULT, as in net/socket.c:socketcall. On other
// arches the call does not exist, and this is never reached; it is there because a policy names it for every target.

#include <errno.h>

#include "trap/handler/handler.h"

#define ARGUMENTS_MAX 6

// arch/x86/entry/syscalls/syscall_32.tbl. Numbers, because headers of other arches have others under these names.
enum {
    NR_RECVMMSG = 337,
    NR_SENDMMSG = 345,
    NR_SOCKET = 359,
    NR_SOCKETPAIR,
    NR_BIND,
    NR_CONNECT,
    NR_LISTEN,
    NR_ACCEPT4,
    NR_GETSOCKOPT,
    NR_SETSOCKOPT,
    NR_GETSOCKNAME,
    NR_GETPEERNAME,
    NR_SENDTO,
    NR_SENDMSG,
    NR_RECVFROM,
    NR_RECVMSG,
    NR_SHUTDOWN,
};

// By number, from include/uapi/linux/net.h. Where the call has more arguments than are read, the others are 0: accept4 without
// flags is accept, sendto and recvfrom without an address are send and recv.
static const struct {
    uint16_t nr;
    uint16_t argument_count;
} subcalls[] = {
    [1] = {NR_SOCKET, 3},      // SYS_SOCKET
    [2] = {NR_BIND, 3},        // SYS_BIND
    [3] = {NR_CONNECT, 3},     // SYS_CONNECT
    [4] = {NR_LISTEN, 2},      // SYS_LISTEN
    [5] = {NR_ACCEPT4, 3},     // SYS_ACCEPT
    [6] = {NR_GETSOCKNAME, 3}, // SYS_GETSOCKNAME
    [7] = {NR_GETPEERNAME, 3}, // SYS_GETPEERNAME
    [8] = {NR_SOCKETPAIR, 4},  // SYS_SOCKETPAIR
    [9] = {NR_SENDTO, 4},      // SYS_SEND
    [10] = {NR_RECVFROM, 4},   // SYS_RECV
    [11] = {NR_SENDTO, 6},     // SYS_SENDTO
    [12] = {NR_RECVFROM, 6},   // SYS_RECVFROM
    [13] = {NR_SHUTDOWN, 2},   // SYS_SHUTDOWN
    [14] = {NR_SETSOCKOPT, 5}, // SYS_SETSOCKOPT
    [15] = {NR_GETSOCKOPT, 5}, // SYS_GETSOCKOPT
    [16] = {NR_SENDMSG, 3},    // SYS_SENDMSG
    [17] = {NR_RECVMSG, 3},    // SYS_RECVMSG
    [18] = {NR_ACCEPT4, 4},    // SYS_ACCEPT4
    [19] = {NR_RECVMMSG, 5},   // SYS_RECVMMSG
    [20] = {NR_SENDMMSG, 4},   // SYS_SENDMMSG
};

static struct brig_trap_outcome socketcall(const struct brig_trap_call *call)
{
    const uint32_t subcall = (uint32_t)call->args[0];
    uint32_t words[ARGUMENTS_MAX] = {0};
    uint64_t args[6];
    if (subcall < 1 || subcall >= sizeof subcalls / sizeof subcalls[0]) {
        return (struct brig_trap_outcome){BRIG_TRAP_ERRNO, EINVAL};
    }
    if (!brig_trap_read(call, call->args[1], words, subcalls[subcall].argument_count * sizeof words[0])) {
        return (struct brig_trap_outcome){BRIG_TRAP_ERRNO, EFAULT};
    }
    for (size_t i = 0; i < ARGUMENTS_MAX; i++) {
        args[i] = words[i];
    }
    return brig_trap_answer(brig_trap_syscall_interruptible(call, subcalls[subcall].nr, args));
}

// Not the direct calls: what their rows say is the answer, a refusal too.
static const enum brig_dsl_call calls[] = {BRIG_SYS_rt_sigprocmask, BRIG_SYS_NONE};

const struct brig_trap_emulation brig_trap_emulate_socketcall = {
    .dsl = {.name = "socketcall", .calls = calls},
    .emulate = socketcall,
};
