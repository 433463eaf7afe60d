// child: from fork to the entry function. Everything here runs in the new process, between fork and entry.
//
// The host may have had threads, of which only the caller of fork exists here; whatever locks the others held stay locked. Until
// the warm-up function, which is the host's own, nothing is called that could wait for one: the build checks the list
// (symbols.allow).
#ifndef BRIG_SANDBOX_CHILD_CHILD_H
#define BRIG_SANDBOX_CHILD_CHILD_H

#include "sandbox/child/handshake.h"
#include "sandbox/supervisor.h"

// A warm-up of our own, with errors of its own: what a broker needs before it is locked. The host's workers have none.
struct box_preparation {
    enum brig_code (*prepare)(void *data, struct brig_error *reterr);
    void *data;
    bool leaves_process; // it forks one that has a filter of its own before it does anything: an executed program
};

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
    int broker_fd;  // the worker's end of the socket to its broker, or -1: it has none
    struct brig_broker_slots *broker_slots;
    const struct box_preparation *preparation; // or NULL
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

// listener.c
// Makes the filter by which requests reach the broker, and hands its listener to the supervisor. Context: after fork, one thread.
enum brig_code box_stage_listener(const struct box_child *child, struct brig_error *reterr);
// Asks the kernel to wake whoever listens where the caller ran, and the other way round. Context: any; ioctl must be allowed.
void box_listener_keep_together(int listener_fd);

// audit.c
// Roles beyond those of enum brig_keep_role: of what the worker's own warm-up opened, and of what a preparation of ours did.
enum { BOX_MADE_HERE = BRIG_KEEP_KERNEL_FILE + 1, BOX_MADE_BY_US };
// Judges one open descriptor by its role. Returns: NULL if it may stay, else a static string that says what it is. Context: after
// fork.
const char *box_audit(int fd, int role);

#endif
