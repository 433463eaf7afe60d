// trap: what the filter refuses reaches a SIGSYS handler, which emulates, reports, or reports and dies.
//
//   brig_dsl_compile(&policy, &options, &arena, &program, &error);
//   brig_trap_arm(&program, &setup, &error);        // handler and tables first
//   brig_install(&program, 0, &error);              // sandbox/: the filter last
//
// Rules that hold throughout:
// - The trap is not a wall: nothing that the filter denies becomes possible because of what a handler decides. After a compromise everything
//   in the worker's memory, this layer's state included, belongs to the attacker.
// - Emulations and everything they call run inside a signal handler: no allocation, no locks, no libc but memcpy and its like. The build
//   proves it (trap/handler/symbols.allow).
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
    uint64_t ip; // address after the system call instruction
    uint64_t args[6];
};

enum brig_trap_outcome_kind {
    BRIG_TRAP_RESULT,    // `value` is what the call returns
    BRIG_TRAP_ERRNO,     // the call fails with errno `value`
    BRIG_TRAP_VIOLATION, // report, then die, as CRASH does
};

struct brig_trap_outcome {
    enum brig_trap_outcome_kind kind;
    int64_t value;
};

// One emulation. Policies name it: EMULATE(fstatat_empty_path) is &brig_trap_emulate_fstatat_empty_path.dsl.
struct brig_trap_emulation {
    struct brig_dsl_handler dsl; // must stay first
    struct brig_trap_outcome (*emulate)(const struct brig_trap_call *call); // context: signal handler
};

// newfstatat(fd, "", buf, AT_EMPTY_PATH) becomes fstat(fd, buf); any other path is a violation... of the row's meaning: EACCES.
extern const struct brig_trap_emulation brig_trap_emulate_fstatat_empty_path;
// sched_getparam, sched_getscheduler, sched_getaffinity, sched_setscheduler ... on the caller's own thread id become the same call on 0; another
// thread: EPERM.
extern const struct brig_trap_emulation brig_trap_emulate_sched_own_thread;

// --- arming -----------------------------------------------------------------------------------------------------------

struct brig_trap_setup {
    struct brig_trap_slots *slots; // shared with the supervisor, or NULL: nobody reads records
    int notify_fd;                 // eventfd that wakes the supervisor, or -1
    uint32_t verdict_wait_ms;      // how long a dying thread waits to be looked at; 0: does not wait
};

// Prepares this process for the traps of `program`: copies its table to pages of its own and seals them read-only, gives this thread an
// alternate stack, installs the SIGSYS handler and unblocks SIGSYS.
//
// Call once, before the filter is installed and before other threads exist or in any thread while others do not trap yet.
// Returns: OK; BAD_ARGUMENT (a program without traps needs none: that is OK too); KERNEL_REFUSED (subject: the call that failed);
// OUT_OF_MEMORY; ALREADY_LOCKED when armed before with another program.
// Owns: copies what it needs; `program` may go. `setup->slots` must stay mapped.
// Context: single-threaded setup, after fork.
// Source: sigaction(2), sigaltstack(2), seccomp(2).
BRIG_MUST_CHECK enum brig_code brig_trap_arm(const struct brig_dsl_program *program, const struct brig_trap_setup *setup,
                                             struct brig_error *reterr);

// Gives the calling thread an alternate signal stack, if it has none. Threads without one run the handler on their own stack.
//
// Call first in a thread's start function. The stack is max(16 KiB, 4 * AT_MINSIGSTKSZ) plus a guard page.
// Returns: OK, also when there was one already; KERNEL_REFUSED; OUT_OF_MEMORY.
// Owns: the stack; brig_trap_thread_leave unmaps it.
// Context: normal.
BRIG_MUST_CHECK enum brig_code brig_trap_thread_enter(struct brig_error *reterr);
// Takes away and unmaps a stack that brig_trap_thread_enter gave this thread; does nothing to any other. Context: normal.
void brig_trap_thread_leave(void);

// Ends the process by the reserved call: with a filter on, its status is a true SIGSYS; without one, exit status 159. Does not return.
// Context: signal handler.
__attribute__((noreturn)) void brig_trap_die(void);

#ifdef __cplusplus
}
#endif
#endif
