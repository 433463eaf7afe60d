// sandbox, worker side (libbrig, needs libc alone): what the kernel offers, and locking the process that calls.
//
//   static unsigned char memory[BRIG_DSL_ARENA_BYTES];
//   struct brig_lock_options options = {.memory = memory, .memory_bytes = sizeof memory};
//   if (brig_lock(&brig_policy_renderer, &options, &error) != BRIG_OK) { ... }   // from here on every thread is filtered
//
// Rules that hold throughout:
// - Enforce or fail: what was asked for and is not there is an error, and what was installed is read back from the kernel.
// - A filter cannot be taken off again. brig_lock either installs none or locks all threads of the process; the one case in between
//   (the filter is on and the read-back fails) ends the process, because half-sandboxed is the worst state.
// - To launch separate workers use sandbox/supervisor.h.
#ifndef BRIG_SANDBOX_SANDBOX_H
#define BRIG_SANDBOX_SANDBOX_H

#include "bpf_dsl/bpf_dsl.h"
#include "trap/trap.h"

#ifdef __cplusplus
extern "C" {
#endif

struct brig_broker_slots; // trap/broker.h

// --- what this kernel offers ------------------------------------------------------------------------------------------

enum brig_feature_kind {
    BRIG_FEATURE_NEEDED,   // brig_lock or brig_supervisor_launch fails without it
    BRIG_FEATURE_OPTIONAL, // something works better, or can be asked for, with it
    BRIG_FEATURE_FACT,     // about this machine or process: neither good nor bad in itself
};

// One probed feature. `name` is stable ("seccomp-filter", "tsync", "action-kill-process", "user-namespaces", "landlock", "jit"
// ...).
struct brig_feature {
    const char *name;
    const char *what; // one line for people
    enum brig_feature_kind kind;
    bool is_present;
    int sys_errno;    // why not, 0 if present or unknown
    int64_t detail;   // for programs: Landlock ABI version, kernel version as BRIG_DSL_KERNEL ..., 0 if none
    char value[32];   // for people: "6.18.2", "glibc 2.36", "ABI 7", "1 filter", "yes"; never empty
    const char *hint; // what to do about its absence, or about its presence where that is the risk; NULL: nothing
};

// Probes everything without changing the process (some probes fork a short-lived child).
//
// Returns: OK; TOO_SMALL if there are more than `capacity` features (detail: how many). *ret_count is how many were written.
// Owns: ret_features is the caller's; strings are static.
// Context: normal.
// Source: seccomp(2) SECCOMP_GET_ACTION_AVAIL (4.14), prctl(2), landlock_create_ruleset(2), /proc/sys.
BRIG_MUST_CHECK enum brig_code brig_probe(struct brig_feature *ret_features, size_t capacity, size_t *ret_count,
                                          struct brig_error *reterr);

// --- locking the calling process --------------------------------------------------------------------------------------

struct brig_lock_options {
    void *memory;                  // for the compiler; may be reused afterwards
    size_t memory_bytes;           // BRIG_DSL_ARENA_BYTES is enough
    struct brig_trap_slots *slots; // or NULL, see brig_trap_setup
    int notify_fd;                 // with slots: the eventfd, never negative; else ignored
    uint32_t verdict_wait_ms;
    struct brig_broker_slots *broker_slots; // or NULL: what the policy says BROKER of gets EACCES
    int broker_fd;                          // with broker_slots: the socket to the broker, never negative; else ignored
    uint32_t filter_flags;                  // extra SECCOMP_FILTER_FLAG_* (SPEC_ALLOW, LOG); TSYNC is always on
};

// Compiles `policy` for this process, arms the trap layer, sets no_new_privs, installs the filter on all threads at once, and asks
// the kernel back whether it is on.
//
// Call once, when all that needs more than the policy is done. Threads may run; each gets the filter. Other processes do not, also
// those that share this memory (vfork, clone with CLONE_VM): there must be none.
// Returns: OK; BAD_ARGUMENT, also for an imported policy; NOT_PROVEN (brig_dsl_program.is_unproven); every code of
// brig_dsl_compile, brig_trap_arm and brig_install; ALREADY_LOCKED (by an earlier brig_lock, also of a parent). On failure no
// filter is on; no_new_privs and the SIGSYS handler may stay. A filter that is on and does not answer as it must ends the process.
// Owns: nothing; `policy`'s data must live as long as the process. A subject made at run time lives until this thread's next call.
// Context: normal, after fork.
// Source: seccomp(2) SECCOMP_SET_MODE_FILTER with SECCOMP_FILTER_FLAG_TSYNC (3.17).
BRIG_MUST_CHECK enum brig_code brig_lock(const struct brig_dsl_policy *policy, const struct brig_lock_options *options,
                                         struct brig_error *reterr);

// The last step of brig_lock alone: installs a compiled program on all threads (no_new_privs must be set) and proves it by the
// probe number, and by /proc for as many threads as the program lets be asked. A proof that fails ends the process.
//
// Returns: OK; BAD_ARGUMENT (a program with NOTIFY actions, or without the probe number; flags other than LOG, SPEC_ALLOW and
// TSYNC); KERNEL_LACKS (subject: the action or flag); KERNEL_REFUSED; TSYNC_REFUSED (detail: the thread in the way; subject: its
// name and why). On failure no filter is on. Owns: a subject made at run time lives until this thread's next call. Context:
// normal, after fork. Source: seccomp(2), kernel/seccomp.c:seccomp_can_sync_threads.
BRIG_MUST_CHECK enum brig_code brig_install(const struct brig_dsl_program *program, uint32_t filter_flags,
                                            struct brig_error *reterr);

// --- what a process has on --------------------------------------------------------------------------------------------

struct brig_status {
    int pid;
    int thread_count;
    int filtered_thread_count; // threads in seccomp filter mode
    int min_filters;           // stacked filters, least over all threads (5.9; -1 unknown)
    int no_new_privs_count;    // threads with no_new_privs
    bool sigsys_blocked;       // some thread blocks SIGSYS: its traps would kill
    int odd_tid;               // the first thread that is not filtered, lacks no_new_privs or blocks SIGSYS; 0: none
};

// Reads /proc/PID/task/*/status of every thread.
//
// Returns: OK; IO (no such process, or /proc not readable).
// Context: normal. Source: proc(5) Seccomp, Seccomp_filters (5.9), NoNewPrivs, SigBlk.
BRIG_MUST_CHECK enum brig_code brig_read_status(int pid, struct brig_status *ret_status, struct brig_error *reterr);

#ifdef __cplusplus
}
#endif
#endif
