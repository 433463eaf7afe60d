// emulate_ipc: ipc(2) of i386 is one call for all of System V's, some with arguments in memory, where no filter can look. Context
// of everything here: signal handler.
//
// Takes ipc, gives the call of its own that each operation has since Linux 5.1; the policy's row for that one then decides. What is
// in memory is copied once; wrong numbers are ENOSYS, and complaints come in the order of ipc/syscall.c:compat_ksys_ipc. Answers
// other than the kernel's: commands with a struct in its form of before 1998 (no IPC_64 in the command) are EINVAL, as where that
// form never was. On other arches the call does not exist, and this is never reached; it is there because a policy names it for
// every target.

#include <errno.h>

#include "trap/handler/handler.h"

// arch/x86/entry/syscalls/syscall_32.tbl. Numbers, because headers of other arches have others under these names.
enum {
    NR_SEMGET = 393,
    NR_SEMCTL,
    NR_SHMGET,
    NR_SHMCTL,
    NR_SHMAT,
    NR_SHMDT,
    NR_MSGGET,
    NR_MSGSND,
    NR_MSGRCV,
    NR_MSGCTL,
    NR_SEMTIMEDOP_TIME64 = 420,
};

// include/uapi/linux/ipc.h.
enum { SEMOP = 1, SEMGET, SEMCTL, SEMTIMEDOP, MSGSND = 11, MSGRCV, MSGGET, MSGCTL, SHMAT = 21, SHMDT, SHMGET, SHMCTL, OPERATIONS };
#define NEW_STRUCTS 0x100u // IPC_64

// The arguments of ipc behind the first, and what stands for one that the direct call has beyond them.
enum word { ZERO, FIRST, SECOND, THIRD, PTR, FIFTH, WORDS };

// Commands whose struct has two forms, a bit each: include/uapi/linux/ipc.h, sem.h, msg.h, shm.h.
#define BIT(command) (1u << (command))
#define SEM_STRUCTS (BIT(1) | BIT(2) | BIT(18) | BIT(20))          // IPC_SET, IPC_STAT, SEM_STAT, SEM_STAT_ANY
#define MSG_STRUCTS (BIT(1) | BIT(2) | BIT(11) | BIT(13))          // IPC_SET, IPC_STAT, MSG_STAT, MSG_STAT_ANY
#define SHM_STRUCTS (BIT(1) | BIT(2) | BIT(3) | BIT(13) | BIT(15)) // IPC_SET, IPC_STAT, IPC_INFO, SHM_STAT, SHM_STAT_ANY

static const struct operation {
    uint16_t nr;              // 0: there is no such operation
    uint8_t args[5];          // enum word, in the order of the direct call
    uint8_t command;          // enum word; ZERO: not a control call
    uint32_t struct_commands; // of it
} operations[OPERATIONS] = {
    [SEMOP] = {.nr = NR_SEMTIMEDOP_TIME64, .args = {FIRST, PTR, SECOND}},
    [SEMGET] = {.nr = NR_SEMGET, .args = {FIRST, SECOND, THIRD}},
    [SEMCTL] = {.nr = NR_SEMCTL, .args = {FIRST, SECOND, THIRD, PTR}, .command = THIRD, .struct_commands = SEM_STRUCTS},
    [SEMTIMEDOP] = {.nr = NR_SEMTIMEDOP_TIME64, .args = {FIRST, PTR, SECOND, FIFTH}},
    [MSGSND] = {.nr = NR_MSGSND, .args = {FIRST, PTR, SECOND, THIRD}},
    [MSGRCV] = {.nr = NR_MSGRCV, .args = {FIRST, PTR, SECOND, FIFTH, THIRD}},
    [MSGGET] = {.nr = NR_MSGGET, .args = {FIRST, SECOND}},
    [MSGCTL] = {.nr = NR_MSGCTL, .args = {FIRST, SECOND, PTR}, .command = SECOND, .struct_commands = MSG_STRUCTS},
    [SHMAT] = {.nr = NR_SHMAT, .args = {FIRST, PTR, SECOND}},
    [SHMDT] = {.nr = NR_SHMDT, .args = {PTR}},
    [SHMGET] = {.nr = NR_SHMGET, .args = {FIRST, SECOND, THIRD}},
    [SHMCTL] = {.nr = NR_SHMCTL, .args = {FIRST, SECOND, PTR}, .command = SECOND, .struct_commands = SHM_STRUCTS},
};

// What a call says, and room for what the direct call wants to find in memory.
struct ipc {
    const struct brig_trap_call *call;
    uint32_t version; // of the operation, its high half
    uint64_t words[WORDS];
    int64_t timeout[2]; // struct __kernel_timespec
};

// --- arguments in memory. Each returns 0 or the errno -----------------------------------------------------------------

// The fourth argument of semctl is behind the pointer.
static int read_semctl(struct ipc *ipc)
{
    uint32_t value;
    if (ipc->words[PTR] == 0) {
        return EINVAL;
    }
    if (!brig_trap_read(ipc->call, ipc->words[PTR], &value, sizeof value)) {
        return EFAULT;
    }
    ipc->words[PTR] = value;
    return 0;
}

// The first version of msgrcv has a pointer to the message and its type behind the pointer.
static int read_msgrcv(struct ipc *ipc)
{
    uint32_t values[2];
    if ((int32_t)ipc->words[FIRST] < 0 || (int32_t)ipc->words[SECOND] < 0) {
        return EINVAL;
    }
    if (ipc->version != 0) {
        return 0;
    }
    if (ipc->words[PTR] == 0) {
        return EINVAL;
    }
    if (!brig_trap_read(ipc->call, ipc->words[PTR], values, sizeof values)) {
        return EFAULT;
    }
    ipc->words[PTR] = values[0];
    ipc->words[FIFTH] = values[1];
    return 0;
}

// The direct call has a timeout with 64 bits of seconds only.
static int read_timeout(struct ipc *ipc)
{
    int32_t values[2];
    if (ipc->words[FIFTH] == 0) {
        return 0;
    }
    if (!brig_trap_read(ipc->call, ipc->words[FIFTH], values, sizeof values)) {
        return EFAULT;
    }
    ipc->timeout[0] = values[0];
    ipc->timeout[1] = values[1];
    ipc->words[FIFTH] = (uintptr_t)ipc->timeout;
    return 0;
}

// The direct calls know the new form of structs only, and their commands do not say so.
static int strip_command(struct ipc *ipc, const struct operation *operation)
{
    uint64_t *command = &ipc->words[operation->command];
    const bool is_new = *command & NEW_STRUCTS;
    *command &= ~(uint64_t)NEW_STRUCTS;
    return !is_new && *command < 32 && (operation->struct_commands >> *command & 1) ? EINVAL : 0;
}

static int prepare(struct ipc *ipc, uint32_t number)
{
    const struct operation *operation = &operations[number];
    int error = 0;
    if (number == SEMCTL) {
        error = read_semctl(ipc);
    } else if (number == MSGRCV) {
        error = read_msgrcv(ipc);
    } else if (number == SEMTIMEDOP) {
        error = read_timeout(ipc);
    } else if (number == SHMAT && ipc->version == 1) {
        error = EINVAL; // was for the kernel's own use in Linux 2.2
    }
    return error || !operation->command ? error : strip_command(ipc, operation);
}

// --- the direct calls -------------------------------------------------------------------------------------------------

static bool is_errno(int64_t result)
{
    return result < 0 && result >= -4095;
}

static int64_t call_direct(const struct ipc *ipc, uint32_t number)
{
    const struct operation *operation = &operations[number];
    uint64_t args[6] = {0};
    for (size_t i = 0; i < sizeof operation->args; i++) {
        args[i] = ipc->words[operation->args[i]];
    }
    const int64_t result = brig_trap_syscall_interruptible(ipc->call, operation->nr, args);
    if (number != SHMAT || is_errno(result)) {
        return result;
    }
    const uint32_t address = (uint32_t)result; // ipc's shmat gives it through its third argument; what is attached stays so
    return brig_trap_write(ipc->call, ipc->words[THIRD], &address, sizeof address) ? 0 : -EFAULT;
}

static struct brig_trap_outcome ipc(const struct brig_trap_call *call)
{
    const uint32_t number = (uint32_t)call->args[0] & 0xffff;
    struct ipc ipc = {.call = call, .version = (uint32_t)call->args[0] >> 16};
    for (size_t i = FIRST; i < WORDS; i++) {
        ipc.words[i] = (uint32_t)call->args[i];
    }
    if (number >= OPERATIONS || !operations[number].nr) {
        return (struct brig_trap_outcome){BRIG_TRAP_ERRNO, ENOSYS};
    }
    const int error = prepare(&ipc, number);
    return brig_trap_answer(error ? -error : call_direct(&ipc, number));
}

// Not the direct calls: what their rows say is the answer, a refusal too.
static const enum brig_dsl_call calls[] = {BRIG_SYS_getrandom, BRIG_SYS_rt_sigprocmask, BRIG_SYS_NONE};

const struct brig_trap_emulation brig_trap_emulate_ipc = {
    .dsl = {.name = "ipc", .calls = calls},
    .emulate = ipc,
};
