// supervisor (libbrig-supervisor): launches locked workers, and turns what they were refused into reports.
//
//   brig_supervisor_new(&(struct brig_supervisor_options){.report_dir = "reports", .on_event = print_event}, &supervisor, &error);
//   brig_supervisor_launch(supervisor, &(struct brig_worker_spec){.name = "renderer", .policy = &brig_policy_renderer,
//                          .entry = decode, .channel = true}, &worker, &error);
//   ... poll brig_supervisor_fd(supervisor), call brig_supervisor_dispatch ...
//
// Rules that hold throughout:
// - Everything happens in the calling thread, inside dispatch and launch; there are no hidden threads and no global state.
// - Every wait has a limit. A worker that dies, hangs or lies never hangs the supervisor.
// - A worker is locked before its entry function runs, or it does not run: launch returns only after the supervisor has read back from the
//   kernel that every thread of the worker is filtered.
// - What a report says is marked by who says it: kernel, supervisor, or claimed (by the worker).
// - The death signal of a worker follows the launching thread: launch from a thread that lives as long as the workers should.
#ifndef BRIG_SANDBOX_SUPERVISOR_H
#define BRIG_SANDBOX_SUPERVISOR_H

#include "sandbox/sandbox.h"

#ifdef __cplusplus
extern "C" {
#endif

struct brig_supervisor;
struct brig_worker;

// --- events -----------------------------------------------------------------------------------------------------------

enum brig_event_kind {
    BRIG_EVENT_VIOLATION, // a record was taken; report_path says where the report is, NULL if it could not be written (error says why)
    BRIG_EVENT_EXIT,      // the worker is gone and reaped; brig_worker_* may be called until the callback returns
    BRIG_EVENT_LOST,      // records were lost or refused; error says what
};

struct brig_event {
    enum brig_event_kind kind;
    struct brig_worker *worker;
    const char *message;       // one line of at most 400 bytes for a log, escaped, without newline; never NULL
    const char *report_path;   // VIOLATION
    const char *report_json;   // VIOLATION: the report's text, NUL-terminated, valid during the callback
    int wait_status;           // EXIT: as waitpid(2) gives it
    uint64_t violation_count;  // of this worker so far
    const struct brig_error *error; // or NULL
};

struct brig_supervisor_options {
    const char *report_dir; // where reports go; must exist and be writable; NULL: no files, events only
    void (*on_event)(void *context, const struct brig_event *event); // or NULL
    void *context;
    uint64_t report_quota_bytes; // per worker, 0: 16 MiB; oldest reports of this supervisor go first
};

// --- workers ----------------------------------------------------------------------------------------------------------

#define BRIG_KEEP_MAX 32

// What a kept descriptor is for; a descriptor that shows more than its role allows is refused at launch.
enum brig_keep_role {
    BRIG_KEEP_DATA,        // regular file, pipe, connected UNIX socket (not datagram), memfd, eventfd, timerfd, epoll, /dev/null and its like
    BRIG_KEEP_SOCKET,      // a network socket, or a UNIX socket without a fixed peer, on purpose
    BRIG_KEEP_DIRECTORY,   // a directory, on purpose
    BRIG_KEEP_DEVICE,      // a device or tty, on purpose
    BRIG_KEEP_KERNEL_FILE, // a file of /proc, /sys or another file system of the kernel's, on purpose
};

struct brig_keep {
    int fd;
    enum brig_keep_role role;
};

// Sees only what it was given. `channel_fd` is the worker's end of the channel, or -1. Returns the exit status.
typedef int brig_entry(void *data, int channel_fd);

struct brig_worker_spec {
    const char *name;                     // process type, for messages and reports ("renderer")
    const struct brig_dsl_policy *policy; // never NULL
    int (*warm_up)(void *data);           // runs before the lock, may start threads; 0 is success; or NULL
    brig_entry *entry;                    // runs after the lock
    void *data;                           // handed to both
    bool channel;                         // make a SOCK_SEQPACKET pair: brig_worker_channel_fd is our end
    const struct brig_keep *keep;         // descriptors that stay open; 0, 1 and 2 are replaced by /dev/null unless kept
    size_t keep_count;
    uint64_t address_space_bytes;         // RLIMIT_AS, 0: no limit
    uint64_t file_size_bytes;             // RLIMIT_FSIZE
    uint32_t open_files;                  // RLIMIT_NOFILE, 0: 64
    uint32_t cpu_seconds;                 // RLIMIT_CPU, 0: no limit
    bool dumpable;                        // leave core dumps and same-user inspection possible (off: PR_SET_DUMPABLE 0)
    uint32_t handshake_ms;                // limit for warm-up and lock, 0: 10 s
    uint32_t filter_flags;                // as in brig_lock_options
};

// Makes a supervisor.
//
// Returns: OK; BAD_ARGUMENT; IO (report_dir is missing, not a directory or not writable); KERNEL_LACKS (pidfd, memfd, Linux 5.3);
// KERNEL_REFUSED; OUT_OF_MEMORY.
// Owns: the result is freed by brig_supervisor_free. Context: normal.
BRIG_MUST_CHECK enum brig_code brig_supervisor_new(const struct brig_supervisor_options *options,
                                                   struct brig_supervisor **ret_supervisor, struct brig_error *reterr);
// Kills and reaps all workers, then frees. NULL is allowed. Context: normal.
void brig_supervisor_free(struct brig_supervisor *supervisor);

// Returns: a descriptor that is readable when dispatch has something to do (an epoll fd). Owned by the supervisor.
int brig_supervisor_fd(const struct brig_supervisor *supervisor);

// Handles what has happened: records, deaths. Calls on_event. Waits up to timeout_ms for something (0: does not wait, -1: for ever).
//
// Returns: OK, also when nothing happened; KERNEL_REFUSED (epoll).
// Context: normal; not from inside on_event.
BRIG_MUST_CHECK enum brig_code brig_supervisor_dispatch(struct brig_supervisor *supervisor, int timeout_ms, struct brig_error *reterr);

// Forks a worker, closes what it must not have, limits it, runs warm_up, locks it, reads the lock back from the kernel, and lets it enter.
//
// Returns: OK; BAD_ARGUMENT; FD_REFUSED; KERNEL_REFUSED; WORKER_DIED (detail: wait status); WORKER_SILENT; WORKER_LIED; WORKER_WARMUP;
// READ_BACK_DIFFERS; and the worker's own error from brig_lock. After any failure the worker is dead and reaped.
// Owns: the worker belongs to the supervisor and lives until its EXIT event has been delivered.
// Context: normal. The host may have threads: between fork and warm_up only async-signal-safe code runs.
BRIG_MUST_CHECK enum brig_code brig_supervisor_launch(struct brig_supervisor *supervisor, const struct brig_worker_spec *spec,
                                                      struct brig_worker **ret_worker, struct brig_error *reterr);

// Returns: process id in our namespace.
int brig_worker_pid(const struct brig_worker *worker);
// Returns: the name given at launch.
const char *brig_worker_name(const struct brig_worker *worker);
// Returns: our end of the channel, or -1. Owned by the worker.
int brig_worker_channel_fd(const struct brig_worker *worker);
// Returns: what was read back from the kernel at launch.
const struct brig_status *brig_worker_status(const struct brig_worker *worker);
// Returns: counters of the trap layer, as the worker claims them.
struct brig_trap_counts {
    uint64_t events, reported, lost, forged, reentered, emulated;
};
struct brig_trap_counts brig_worker_trap_counts(const struct brig_worker *worker);
// Sends SIGKILL; the EXIT event follows by dispatch. Context: normal.
void brig_worker_kill(struct brig_worker *worker);

#ifdef __cplusplus
}
#endif
#endif
