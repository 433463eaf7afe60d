// trap: what the filter refuses reaches a SIGSYS handler, which emulates, reports, or reports and dies.
//
//   brig_dsl_compile(&policy, &options, &arena, &program, &error);
//   brig_trap_arm(&program, &setup, &error);        // handler and tables first
//   brig_install(&program, 0, &error);              // sandbox/: the filter last
//
// Rules that hold throughout:
// - The trap is not a wall: nothing that the filter denies becomes possible because of what a handler decides. After a compromise
//   everything in the worker's memory, this layer's state included, belongs to the attacker.
// - Emulations and everything they call run inside a signal handler: no allocation, no locks, no libc but memcpy and its like. For
//   ours the build proves it (trap/handler/symbols.allow).
// - An outcome is typed: an errno is an answer to the program, a violation is a message to the supervisor.
#ifndef BRIG_TRAP_TRAP_H
#define BRIG_TRAP_TRAP_H

#include "bpf_dsl/bpf_dsl.h"
#include "trap/record.h"

#ifdef __cplusplus
extern "C" {
#endif

// --- emulations -------------------------------------------------------------------------------------------------------

// One trapped call as an emulation sees it.
struct brig_trap_call {
    enum brig_dsl_call call;
    uint32_t nr;
    uint32_t audit_arch;
    uint32_t level; // private: how deep traps are nested here
    uint64_t ip;    // address after the system call instruction
    uint64_t args[6];
    uint64_t signal_mask; // private: of the code that made the call
};

enum brig_trap_outcome_kind {
    BRIG_TRAP_RESULT,    // `value` is what the call returns; never in the range of errnos, -4095 to -1
    BRIG_TRAP_ERRNO,     // the call fails with errno `value`, 1 to 4095
    BRIG_TRAP_VIOLATION, // report, then die, as CRASH does; a RESULT or ERRNO out of its range is one too
};

struct brig_trap_outcome {
    enum brig_trap_outcome_kind kind;
    int64_t value;
};

// One emulation. Policies name it: EMULATE(fstatat_empty_path) is &brig_trap_emulate_fstatat_empty_path.dsl.
struct brig_trap_emulation {
    struct brig_dsl_handler dsl;                                            // must stay first
    struct brig_trap_outcome (*emulate)(const struct brig_trap_call *call); // context: signal handler
};

// newfstatat(fd, "", buf, AT_EMPTY_PATH) and i386's fstatat64 become fstat(fd, buf), as libc's fstat means it. A path that is not
// empty, and the working directory (AT_FDCWD), answer EACCES; a path that cannot be read EFAULT.
extern const struct brig_trap_emulation brig_trap_emulate_fstatat_empty_path;
// open and openat of the files that libc looks for by itself and does without (processors, memory, time zones, messages, libraries)
// answer ENOENT; every other path is a violation. Opens nothing. For policies under which opening a file is one.
extern const struct brig_trap_emulation brig_trap_emulate_open_libc_probe;
// sched_{get,set}{param,scheduler,affinity} and sched_rr_get_interval on the caller's own thread id become the same call on pid 0,
// which the policy must let through (a trap of pid 0 itself is a violation); another thread answers EPERM.
extern const struct brig_trap_emulation brig_trap_emulate_sched_own_thread;
// tkill(tid, sig) becomes tgkill(own process, tid, sig), which the policy's row for tgkill decides. A thread of another process
// answers ESRCH. Not for programs on musl, which calls tkill with signals blocked.
extern const struct brig_trap_emulation brig_trap_emulate_tkill_own_process;
// getppid answers what it was when the trap layer was armed, even after the parent's end; 0 in a child forked later.
extern const struct brig_trap_emulation brig_trap_emulate_getppid_when_armed;
// uname answers what it was when the trap layer was armed.
extern const struct brig_trap_emulation brig_trap_emulate_uname_when_armed;
// statfs(path, buf) and statfs64 become openat(AT_FDCWD, path, O_PATH | O_CLOEXEC), fstatfs and close: the policy's rows for these
// decide, and openat may be emulated in turn. File systems that are mounted on demand are not mounted; may answer EMFILE and
// ENFILE.
extern const struct brig_trap_emulation brig_trap_emulate_statfs_by_open;
// openat2 becomes openat with the flags and mode of its struct, which the policy's rows for openat decide, or emulate in turn. What
// openat cannot express is never opened: RESOLVE_CACHED answers EAGAIN, all other RESOLVE_ flags ENOSYS.
extern const struct brig_trap_emulation brig_trap_emulate_openat2_by_openat;
// i386's socketcall becomes the direct call that each of its numbers stands for, which the policy's row for that one decides, or
// emulates in turn. Never reached on other arches.
extern const struct brig_trap_emulation brig_trap_emulate_socketcall;
// i386's ipc becomes the direct call of each operation, in the same way. Structs of before IPC_64 answer EINVAL.
extern const struct brig_trap_emulation brig_trap_emulate_ipc;
// umask sets the mask of the files that the broker makes for this process and its children, and answers the one before; the
// kernel's own stays as it was.
extern const struct brig_trap_emulation brig_trap_emulate_umask_of_broker;

// Makes a system call for an emulation. Use nothing else: a call made in this way may be trapped and emulated in turn, four levels
// deep; a trap that an emulation causes in any other way is a violation.
//
// Returns: what the kernel or the nested emulation answers, -errno included.
// Context: signal handler, inside an emulation.
int64_t brig_trap_syscall(const struct brig_trap_call *call, uint32_t nr, const uint64_t args[6]);

// The same for a call that may wait (accept, msgrcv, open of a FIFO): until it returns, the program's signals are delivered as if
// it waited in the call itself, so that they end it with EINTR or it goes on, as their handlers ask. The emulation has to name
// BRIG_SYS_rt_sigprocmask in `dsl.calls`; where the policy refuses that, signals wait until the call is over. Handlers of such
// signals run on the stack that the trap is on.
//
// Returns, Context: as brig_trap_syscall. A handler that leaves by siglongjmp does not come back here.
int64_t brig_trap_syscall_interruptible(const struct brig_trap_call *call, uint32_t nr, const uint64_t args[6]);

// Asks the kernel whether the byte at `address` can be read now. Another thread may unmap it a moment later: then reading it is a
// true fault of the program.
//
// Returns: false where it cannot, and always below 4096. Costs one system call.
// Context: signal handler, inside an emulation.
bool brig_trap_is_readable(const struct brig_trap_call *call, uint64_t address);

// Copies `bytes` of the program's memory at `address` to `to`, once. What an emulation decides by has to be read in this way: the
// program can change its memory at any time.
//
// Returns: false where a part cannot be read (the call then answers EFAULT); what stands in `to` then means nothing. Costs a system
// call for each page that is touched. Another thread may unmap the memory meanwhile, as with brig_trap_is_readable.
// Context: signal handler, inside an emulation.
bool brig_trap_read(const struct brig_trap_call *call, uint64_t address, void *to, size_t bytes);

// Copies `bytes` at `from` to the program's memory at `address`. The emulation has to name BRIG_SYS_getrandom in `dsl.calls`: the
// kernel is asked to write a random byte to each page first, which is undone.
//
// Returns: false where a part cannot be written, or where the policy does not let getrandom write there (the call then answers
// EFAULT). As the kernel's: up to eight bytes are written all or none, of more the part before the first such page is.
// Context: signal handler, inside an emulation.
bool brig_trap_write(const struct brig_trap_call *call, uint64_t address, const void *from, size_t bytes);

// Turns what brig_trap_syscall returned into the answer to the program. Context: any.
static inline struct brig_trap_outcome brig_trap_answer(int64_t kernel_result)
{
    struct brig_trap_outcome outcome = {BRIG_TRAP_RESULT, kernel_result};
    if (kernel_result < 0 && kernel_result >= -4095) {
        outcome.kind = BRIG_TRAP_ERRNO;
        outcome.value = -kernel_result;
    }
    return outcome;
}

// --- arming -----------------------------------------------------------------------------------------------------------

struct brig_broker_slots;
struct brig_trap_setup {
    struct brig_trap_slots *slots; // shared with the supervisor, or NULL: nobody reads records
    int notify_fd;                 // eventfd (EFD_NONBLOCK) that wakes the supervisor, or -1
    // How long a dying thread waits to be looked at, and again to be done with; and how long a thread whose call's row says NOTIFY
    // waits for a slot, and again for the answer. 0: does not wait; NOTIFY then answers ENOSYS.
    uint32_t verdict_wait_ms;
    struct brig_broker_slots *broker_slots; // trap/broker.h: shared with the broker, or NULL: none, BROKER answers EACCES
    int broker_fd;                          // the session's socket, on which descriptors go up; of no meaning without slots
};

// Prepares this process for the traps of `program`: copies its table to pages of its own and seals them read-only (and against
// unmapping where the kernel has mseal(2), 6.10), gives this thread an alternate stack, installs the SIGSYS handler and unblocks
// SIGSYS in this thread, and in the masks of the signal handlers that the program has. A handler that it had for SIGSYS is gone.
//
// Call before the filter is installed, and before other threads exist or while others do not trap yet. A program without traps
// needs nothing: OK, and nothing is done. The same program and setup again: only what belongs to the calling thread is done.
// Returns: OK; BAD_ARGUMENT (program, setup, arch: not this process's; handler: an emulation without a function; slots,
// broker_slots: not what record.h and broker.h describe); KERNEL_REFUSED (subject: the call that failed); OUT_OF_MEMORY;
// ALREADY_LOCKED when armed before with another program or setup. After a failure the process is as before, but may have an
// alternate stack, and SIGSYS unblocked.
// Owns: copies what it needs; `program` may go, its emulations stay. Both slots must stay mapped. A library that armed stays
// loaded.
// Context: single-threaded setup, after fork.
// Source: sigaction(2), sigaltstack(2), seccomp(2).
BRIG_MUST_CHECK enum brig_code brig_trap_arm(const struct brig_dsl_program *program, const struct brig_trap_setup *setup,
                                             struct brig_error *reterr);

// Returns: whether this process is armed, by itself or as a child of one that is. Context: any.
bool brig_trap_is_armed(void);

// Makes the calling thread ready for traps: gives it an alternate signal stack, if it has none, and unblocks SIGSYS. Threads
// without such a stack run the handler on their own, and one that blocks SIGSYS is killed by its first trap.
//
// Call first in a thread's start function; a program that links trap/wrap/ does so in every thread that libc makes for it. The
// stack has room for five nested traps (each AT_MINSIGSTKSZ and 4 KiB for the handler; at least 32 KiB in all) above a guard page.
// Returns: OK, also when there was one already; KERNEL_REFUSED; OUT_OF_MEMORY.
// Owns: the stack; brig_trap_thread_leave unmaps it.
// Context: normal.
BRIG_MUST_CHECK enum brig_code brig_trap_thread_enter(struct brig_error *reterr);
// Takes away and unmaps a stack that brig_trap_thread_enter gave this thread; does nothing to any other. Context: normal.
void brig_trap_thread_leave(void);

// Ends the process by the reserved call: with a filter on, its status is a true SIGSYS; without one, exit status 159. Does not
// return.
// Context: signal handler.
__attribute__((noreturn)) void brig_trap_die(void);

#ifdef __cplusplus
}
#endif
#endif
