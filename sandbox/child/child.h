// child: from fork to the entry function. Everything here runs in the new process, between fork and entry.
//
// The host may have had threads, of which only the caller of fork exists here; whatever locks the others held stay locked. Until
// the warm-up function, which is the host's own, nothing is called that could wait for one: the build checks the list
// (symbols.allow).
#ifndef BRIG_SANDBOX_CHILD_CHILD_H
#define BRIG_SANDBOX_CHILD_CHILD_H

#include "sandbox/child/handshake.h"
#include "sandbox/supervisor.h"

// What the supervisor prepared before fork.
struct box_child {
    const struct brig_worker_spec *spec;
    struct box_handshake *handshake;
    struct brig_trap_slots *slots;
    void *memory; // for the compiler
    size_t memory_bytes;
    int supervisor_pid;
    int null_fd; // /dev/null, as the supervisor checked it
    int notify_fd;
    int channel_fd; // the worker's end, or -1
    uint32_t handshake_ms;
    uint32_t verdict_wait_ms;
};

// One step of entry. `run` returns BRIG_OK or an error for the supervisor, and then the worker exits.
struct box_stage {
    const char *name;
    const char *why;
    enum brig_code (*run)(const struct box_child *child, struct brig_error *reterr);
};

// Runs all stages, tells the supervisor, waits for its word, and enters. Context: after fork.
__attribute__((noreturn)) void box_child_run(const struct box_child *child);

// handshake.c
// Waits until the supervisor says start, at most handshake_ms. Context: after fork.
enum brig_code box_stage_start(const struct box_child *child, struct brig_error *reterr);
// Says that the process is locked, and waits for GO. Context: locked.
void box_announce_locked(const struct box_child *child);
// Hands the error over and ends the process. Context: after fork, not locked.
__attribute__((noreturn)) void box_announce_failed(const struct box_child *child, const struct brig_error *error);

// process.c
enum brig_code box_stage_death_signal(const struct box_child *child, struct brig_error *reterr);
enum brig_code box_stage_session(const struct box_child *child, struct brig_error *reterr);
enum brig_code box_stage_signals(const struct box_child *child, struct brig_error *reterr);
enum brig_code box_stage_limits(const struct box_child *child, struct brig_error *reterr);
enum brig_code box_stage_no_processes(const struct box_child *child, struct brig_error *reterr);
enum brig_code box_stage_no_new_privs(const struct box_child *child, struct brig_error *reterr);
enum brig_code box_stage_dumpable(const struct box_child *child, struct brig_error *reterr);

// descriptors.c
enum brig_code box_stage_stdio(const struct box_child *child, struct brig_error *reterr);
enum brig_code box_stage_close(const struct box_child *child, struct brig_error *reterr);
enum brig_code box_stage_audit_kept(const struct box_child *child, struct brig_error *reterr);
enum brig_code box_stage_audit_all(const struct box_child *child, struct brig_error *reterr);

// audit.c
// The role of what the worker's own warm-up opened, beyond those of enum brig_keep_role.
enum { BOX_MADE_HERE = BRIG_KEEP_KERNEL_FILE + 1 };
// Judges one open descriptor by its role. Returns: NULL if it may stay, else a static string that says what it is. Context: after
// fork.
const char *box_audit(int fd, int role);

#endif
