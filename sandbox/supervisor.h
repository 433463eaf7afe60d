// supervisor (libbrig-supervisor): launches locked workers, and turns what they were refused into reports.
//
//   static void print_event(void *context, const struct brig_event *event)
//   {
//       fprintf(stderr, "%s\n", event->message);
//   }
//
//   struct brig_supervisor_options options = {.report_dir = "reports", .on_event = print_event};
//   struct brig_worker_spec spec = {.name = "renderer", .policy = &brig_policy_renderer, .entry = decode, .channel = true};
//   code = brig_supervisor_new(&options, &supervisor, &error);
//   code = brig_supervisor_launch(supervisor, &spec, &worker, &error);
//   ... poll brig_supervisor_fd(supervisor) beside the rest, and call brig_supervisor_dispatch(supervisor, 0, &error) ...
//
// Rules that hold throughout:
// - Everything happens in the calling thread, inside dispatch and launch; there are no hidden threads and no global state. A
//   supervisor belongs to one thread at a time.
// - Every wait has a limit. A worker that dies, hangs or lies never hangs the supervisor.
// - A worker is locked before its entry function runs, or it does not run: launch returns only after the supervisor has read back
//   from the kernel that every thread of the worker is filtered.
// - What a report says is marked by who says it: kernel, supervisor, or claimed (by the worker).
// - The death signal of a worker follows the launching thread: launch from a thread that lives as long as the workers should.
// - The host must leave SIGCHLD alone (not ignored) and must not wait for all children; the supervisor waits for its own.
#ifndef BRIG_SANDBOX_SUPERVISOR_H
#define BRIG_SANDBOX_SUPERVISOR_H

#include "sandbox/sandbox.h"

#ifdef __cplusplus
extern "C" {
#endif

struct brig_supervisor;
struct brig_worker;
struct brig_broker; // sandbox/broker.h
struct brig_unveil; // sandbox/unveil.h

// --- events -----------------------------------------------------------------------------------------------------------

enum brig_event_kind {
    BRIG_EVENT_VIOLATION, // a record was taken
    BRIG_EVENT_EXIT,      // the worker is gone and reaped; brig_worker_* may be called until the callback returns
    BRIG_EVENT_LOST,      // records were lost or refused; error says what, NULL: the worker had no free slot for them
    BRIG_EVENT_BROKER, // its broker says of the worker that it sent what it must not (the broker does nothing for it any more), or
                       // touched what the list lets nobody touch (it is killed)
};

// Each worker tells at most 20 events at once and 10 a second after that; what is beyond is counted (violation_count goes on).
struct brig_event {
    enum brig_event_kind kind;
    struct brig_worker *worker;
    const char *message;      // one line of at most 400 bytes for a log, escaped, without newline; never NULL
    const char *report_path;  // VIOLATION: the file; NULL where none is wanted, none could be written (error says why), or the
                              // same cause has had its share of files (20 at once, 10 a second)
    const char *report_json;  // VIOLATION: the report's text, NUL-terminated, valid during the callback; NULL: error says why
    int wait_status;          // EXIT: as waitpid(2) gives it
    uint64_t violation_count; // of this worker so far
    const struct brig_error *error; // or NULL
};

// --- questions --------------------------------------------------------------------------------------------------------

struct brig_pointee; // sandbox/report.h

// A call whose row says NOTIFY. Whoever asks waits for the answer.
//
// The call is one that the policy really asks about: the supervisor has evaluated the rows for what stands here. The rest is the
// worker's claim: a hijacked one makes the call that it likes, and its memory may say something else by now. Answers are given by
// what stands here, once; there is no "go on", because the kernel would read the registers and the memory once more, and what was
// decided about is not what it would do.
struct brig_question {
    struct brig_worker *worker; // of an executed program what brig_supervisor_run gave
    enum brig_dsl_call call;
    enum brig_dsl_arch arch;
    uint32_t nr;
    uint64_t args[6];
    int pid;                             // as the kernel told
    int tid;                             // in the worker's namespace, 0: not known; a claim of workers
    const struct brig_dsl_row *row;      // NULL: the policy's fallback
    const char *why;                     // the row's reason, or NULL
    const struct brig_pointee *pointees; // strings and small structs that arguments point to, copied once
    size_t pointee_count;
    uint64_t count; // questions of this worker so far, with this one; nothing else limits them
};

enum brig_answer_kind {
    BRIG_ANSWER_ERRNO,  // the call fails with errno `value`, 1 to 4095
    BRIG_ANSWER_RESULT, // the call returns `value`, which is none of -4095 to -1, or a descriptor
    BRIG_ANSWER_KILL,   // the worker is killed (SIGKILL), and the call is told as a violation, as CRASH is
};

// Set to ERRNO, ENOSYS and no descriptor before the callback.
struct brig_answer {
    enum brig_answer_kind kind;
    int64_t value;
    // With RESULT: what is handed over, close-on-exec; the call returns its number there. Closed by the supervisor after the
    // callback, whatever becomes of it. -1: none. Only for executed programs: a linked worker gets what it needs by its broker.
    int descriptor;
};

// Answers a question, inside dispatch or launch, in the time that the asking thread waits (two seconds for workers, and then it is
// told ENOSYS). May kill, but not launch, dispatch or free. An answer out of its range, or with a descriptor for a worker, is told
// by a LOST event (BAD_ARGUMENT), and the call fails with ENOSYS.
typedef void brig_on_question(void *context, const struct brig_question *question, struct brig_answer *ret_answer);

struct brig_supervisor_options {
    const char *report_dir; // where reports go; must exist and be writable; NULL: no files, events only
    void (*on_event)(void *context, const struct brig_event *event); // or NULL; may launch and kill, but not dispatch or free
    brig_on_question *on_question;                                   // NULL: calls of NOTIFY rows fail with ENOSYS
    void *context;                                                   // of both
    uint64_t report_quota_bytes;                                     // of files per worker, 0: 16 MiB; its oldest reports go first
    bool with_stack; // reports keep registers and stack bytes, for `brig report --minidump`; they may hold secrets
};

// --- workers ----------------------------------------------------------------------------------------------------------

#define BRIG_KEEP_MAX 32

// What a kept descriptor is for; a descriptor that shows more than its role allows is refused at launch.
enum brig_keep_role {
    BRIG_KEEP_DATA,   // regular file, pipe, connected UNIX socket (not datagram), memfd, eventfd, timerfd, /dev/null and its like
    BRIG_KEEP_SOCKET, // a network socket, or a UNIX socket without a fixed peer, on purpose
    BRIG_KEEP_DIRECTORY,   // a directory, on purpose
    BRIG_KEEP_DEVICE,      // a device or tty, on purpose
    BRIG_KEEP_KERNEL_FILE, // a file of /proc, /sys or another file system of the kernel's, on purpose
};

struct brig_keep {
    int fd;
    enum brig_keep_role role;
};

// The worker's work, under its policy. `channel_fd` is the worker's end of the channel, or -1. What it returns is the exit status.
// The process ends by _exit: neither atexit functions nor stdio buffers of the host run or are written there; flush what you wrote.
typedef int brig_entry(void *data, int channel_fd);

struct brig_worker_spec {
    const char *name;                     // process type, for messages, reports and ps ("renderer"); copied, 31 bytes
    const struct brig_dsl_policy *policy; // never NULL; must live as long as the worker
    int (*warm_up)(void *data);           // runs before the lock, may start threads, leaves no process; 0 is success; or NULL
    brig_entry *entry;                    // runs after the lock
    void *data;                           // handed to both
    bool channel;                         // make a SOCK_SEQPACKET pair: brig_worker_channel_fd is our end
    const struct brig_keep *keep;         // descriptors that stay open; 0, 1 and 2 are replaced by /dev/null unless kept
    size_t keep_count;                    // at most BRIG_KEEP_MAX
    uint64_t address_space_bytes;         // RLIMIT_AS, 0: as the host's
    uint64_t file_size_bytes;             // RLIMIT_FSIZE, 0: as the host's
    uint32_t open_files;                  // RLIMIT_NOFILE, 0: 64
    uint32_t cpu_seconds;                 // RLIMIT_CPU, 0: as the host's
    bool dumpable;                        // leave core dumps and same-user inspection possible (off: PR_SET_DUMPABLE 0, no core)
    uint32_t handshake_ms;                // limit for warm-up and lock, 0: 10 s
    uint32_t filter_flags;                // as in brig_lock_options
    const struct brig_unveil *unveil;     // sandbox/unveil.h: the files that it may still name, by Landlock, after warm_up; or NULL
    size_t unveil_count;                  // needs a warm_up that starts no threads
    struct brig_broker *broker;           // answers what the policy's rows say BROKER of; or NULL: EACCES
};

// Makes a supervisor.
//
// Returns: OK; BAD_ARGUMENT; IO (report_dir is missing, not a directory or not writable; /dev/null is not what it should be);
// KERNEL_LACKS (pidfd_open, Linux 5.3; memfd_create, 3.17; preadv2 with RWF_NOWAIT on an eventfd, 5.8); KERNEL_REFUSED;
// OUT_OF_MEMORY.
// Owns: the result is freed by brig_supervisor_free. `options` may go, its strings too; `context` must live.
// Context: normal.
BRIG_MUST_CHECK enum brig_code brig_supervisor_new(const struct brig_supervisor_options *options,
                                                   struct brig_supervisor **ret_supervisor, struct brig_error *reterr);

// Kills and reaps all workers, without events, then frees. NULL is allowed. Waits at most 5 s for each worker.
//
// Context: normal; not from inside on_event.
void brig_supervisor_free(struct brig_supervisor *supervisor);

// Returns: a descriptor that is readable when dispatch has something to do (an epoll fd). Owned by the supervisor. Context: any.
int brig_supervisor_fd(const struct brig_supervisor *supervisor);

// Handles what has happened: records, deaths. Calls on_event. Waits up to timeout_ms for something (0: does not wait, -1: for
// ever).
//
// One call handles up to 16 wake-ups and returns, also when there are more; the descriptor then stays readable. A report takes
// about a millisecond (a file with fsync more), and at most half a second. Returns: OK, also when nothing happened or a signal
// ended the wait; KERNEL_REFUSED (epoll). Context: normal; not from inside on_event.
BRIG_MUST_CHECK enum brig_code brig_supervisor_dispatch(struct brig_supervisor *supervisor, int timeout_ms,
                                                        struct brig_error *reterr);

// Forks a worker, closes what it must not have, limits it, runs warm_up, locks it, reads the lock back from the kernel, lets it
// enter.
//
// What happens in the worker, in order, and why: sandbox/child/stages.c. Violations of a worker that dies in here are told by
// on_event.
// Returns: OK; BAD_ARGUMENT, also for an imported policy; FD_REFUSED (detail: the descriptor, kept or left open by warm_up; or
// memory of the host's that is shared with a device or an io_uring); KERNEL_LACKS; KERNEL_REFUSED; OUT_OF_MEMORY; WORKER_DIED
// (detail: wait status; errno: somebody else took it); WORKER_SILENT; WORKER_LIED; WORKER_WARMUP; READ_BACK_DIFFERS (detail: the
// thread; also a thread that blocks SIGSYS, and a process that warm_up left); IO (/proc is not readable); and the worker's own
// error from brig_lock, with the policy's row. With a broker also BAD_ARGUMENT (it is another supervisor's, or no row asks it),
// WORKER_DIED (subject: the broker, which has ended) and KERNEL_REFUSED (subject: a second listener; some tool has its own). After
// any failure the worker is dead and reaped. Owns: the worker belongs to the supervisor and lives until its EXIT event has been
// delivered. `spec` may go, but for `policy`. Texts in an error that the worker told live until the supervisor's next launch.
// Context: normal. The host may have threads: between fork and warm_up only async-signal-safe code of ours runs (and the host's own
// pthread_atfork functions).
// Source: fork(2), pidfd_open(2) (5.3), close_range(2) (5.9, else /proc/self/fd), prctl(2), seccomp(2), proc(5).
BRIG_MUST_CHECK enum brig_code brig_supervisor_launch(struct brig_supervisor *supervisor, const struct brig_worker_spec *spec,
                                                      struct brig_worker **ret_worker, struct brig_error *reterr);

// Returns: process id in our namespace. Context: any.
int brig_worker_pid(const struct brig_worker *worker);

// Returns: the name given at launch. Owned by the worker. Context: any.
const char *brig_worker_name(const struct brig_worker *worker);

// Returns: our end of the channel, or -1. Owned by the worker. Context: any.
int brig_worker_channel_fd(const struct brig_worker *worker);

// Returns: what was read back from the kernel at launch. Owned by the worker. Context: any.
const struct brig_status *brig_worker_status(const struct brig_worker *worker);

// Counters of the trap layer, as the worker claims them.
struct brig_trap_counts {
    uint64_t events;    // traps handled, emulations included
    uint64_t reported;  // records written
    uint64_t lost;      // records that found no free slot
    uint64_t forged;    // SIGSYS that no filter sent
    uint64_t reentered; // traps inside the handler
    uint64_t emulated;  // calls answered by an emulation
    uint64_t asked;     // questions, answered or not
};

// Returns: the counters now. Context: normal.
struct brig_trap_counts brig_worker_trap_counts(const struct brig_worker *worker);

// Sends SIGKILL; the EXIT event follows by dispatch. Does nothing to a worker that is dead already. Context: normal.
void brig_worker_kill(struct brig_worker *worker);

#ifdef __cplusplus
}
#endif
#endif
