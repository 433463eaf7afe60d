// launch: a worker from nothing to "locked, read back from the kernel, and entered", or to nothing again.
//
//   prepare     slots, handshake page, descriptors                       (worker.c)
//   fork        the worker waits at its first gate
//   look in     pidfd; /proc/PID/maps and mem, while it still is dumpable
//   start       the worker goes through its stages (child/)
//   locked      it says so (handshake.c)
//   read back   the kernel says so, of every thread
//   go
//
// fork(2) through libc, not a raw clone3: the entry function and the warm-up are ordinary C and use malloc and stdio, whose locks
// another thread of the host may hold at this moment; libc's fork takes them first and gives the child clean ones. The pidfd comes
// from pidfd_open: a child that has not been waited for keeps its number, so there is no race.
//
// Weakness: a host that ignores SIGCHLD or waits for all children gives the number away early; then pidfd_open fails or the status
// is lost, and says so.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/child/child.h"
#include "sandbox/supervisor/internal.h"
#include "sandbox/worker/proc.h"

static const char step_launch[] = "launch worker";

static enum brig_code bad_argument(struct brig_error *reterr, const char *subject, int64_t detail)
{
    struct brig_error error = {.code = BRIG_BAD_ARGUMENT, .step = step_launch, .subject = subject, .detail = detail};
    return brig_error_set(reterr, error);
}

static enum brig_code check_spec(const struct brig_worker_spec *spec, struct brig_error *reterr)
{
    if (!spec || !spec->name || !*spec->name)
        return bad_argument(reterr, "name", 0);
    if (!spec->policy)
        return bad_argument(reterr, "policy", 0);
    if (spec->policy->import)
        return bad_argument(reterr, "policy.import", 0);
    if (!spec->entry)
        return bad_argument(reterr, "entry", 0);
    if (spec->keep_count > BRIG_KEEP_MAX || (spec->keep_count && !spec->keep))
        return bad_argument(reterr, "keep_count", (int64_t)spec->keep_count);
    for (size_t i = 0; i < spec->keep_count; i++) {
        if (spec->keep[i].fd < 0 || fcntl(spec->keep[i].fd, F_GETFD) < 0)
            return bad_argument(reterr, "keep", spec->keep[i].fd);
    }
    return BRIG_OK;
}

static enum brig_code failed(struct brig_error *reterr, const char *subject)
{
    const enum brig_code code = errno == ENOSYS ? BRIG_KERNEL_LACKS : BRIG_KERNEL_REFUSED;
    struct brig_error error = {.code = code, .sys_errno = errno, .step = step_launch, .subject = subject};
    return brig_error_set(reterr, error);
}

static uint32_t handshake_ms_of(const struct brig_worker_spec *spec)
{
    return spec->handshake_ms ? spec->handshake_ms : BOX_HANDSHAKE_MS;
}

// What is wanted: a worker of the host's, or with a preparation one of ours.
struct order {
    const struct brig_worker_spec *spec;
    const struct box_preparation *preparation;
    int64_t filters; // that each thread must have in the end, at least
};

static struct box_child child_of(const struct brig_worker *worker, const struct order *order)
{
    return (struct box_child){.spec = order->spec,
                              .preparation = order->preparation,
                              .handshake = worker->handshake,
                              .slots = worker->slots.worker,
                              .memory = worker->memory,
                              .memory_bytes = BRIG_DSL_ARENA_BYTES,
                              .supervisor_pid = getpid(),
                              .null_fd = worker->supervisor->null_fd,
                              .notify_fd = worker->notify_fd,
                              .channel_fd = worker->worker_channel_fd,
                              .broker_fd = worker->link.worker_socket_fd,
                              .broker_slots = worker->link.slots,
                              .handshake_ms = handshake_ms_of(order->spec),
                              .verdict_wait_ms = BOX_VERDICT_WAIT_MS};
}

// Signals stay blocked until the child has reset the handlers: the host's must not run there.
static enum brig_code fork_worker(struct brig_worker *worker, const struct order *order, struct brig_error *reterr)
{
    const struct box_child child = child_of(worker, order);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        box_child_run(&child);
    int reason = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = reason;
    if (pid < 0)
        return failed(reterr, "fork");
    worker->pid = pid;
    box_slots_after_fork(&worker->slots);
    box_link_after_fork(&worker->link);
    if (worker->worker_channel_fd >= 0)
        close(worker->worker_channel_fd);
    worker->worker_channel_fd = -1;
    box_worker_drop_memory(worker); // the worker has its copy
    return BRIG_OK;
}

// Returns: false if it could be had and was not. A host that is not dumpable itself, or Yama, may forbid it: then reports lack
// names and strings and say so.
static bool open_proc(int pid, const char *file, int *ret_fd)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    *ret_fd = open(path, O_RDONLY | O_CLOEXEC);
    return *ret_fd >= 0 || errno == EACCES || errno == EPERM;
}

static enum brig_code look_in(struct brig_worker *worker, struct brig_error *reterr)
{
    worker->pid_fd = (int)syscall(SYS_pidfd_open, worker->pid, 0);
    if (worker->pid_fd < 0)
        return failed(reterr, "pidfd_open");
    if (!open_proc(worker->pid, "maps", &worker->maps_fd))
        return failed(reterr, "/proc/PID/maps");
    if (!open_proc(worker->pid, "mem", &worker->memory_fd))
        return failed(reterr, "/proc/PID/mem");
    return BRIG_OK;
}

// Filters of the launching thread are inherited; only what comes on top is ours: the policy's, and below it the broker's listener.
// Before the fork: without /proc nothing can be read back.
static enum brig_code count_filters(struct order *order, struct brig_error *reterr)
{
    static const char path[] = "/proc/thread-self/status";
    char text[BOX_STATUS_BYTES];
    struct box_thread_status status;
    errno = ENOENT;
    if (box_read_text(path, text, sizeof text) <= 0 || !box_parse_status(text, &status)) {
        struct brig_error error = {.code = BRIG_IO, .sys_errno = errno, .step = step_launch, .subject = path};
        return brig_error_set(reterr, error);
    }
    // Before Linux 5.9 there is no number.
    order->filters = (status.filters > 0 ? status.filters : 0) + (order->spec->broker ? 2 : 1);
    return BRIG_OK;
}

static const char *difference(const struct brig_status *status, int64_t filters)
{
    if (status->filtered_thread_count != status->thread_count)
        return "a thread without a filter";
    if (status->no_new_privs_count != status->thread_count)
        return "a thread without no_new_privs";
    if (status->min_filters >= 0 && status->min_filters < filters)
        return "fewer filters than were installed";
    return NULL;
}

// A thread that was just made has all signals blocked until libc has set it up (pthread_create): worth a moment, which is long
// where the machine is busy.
static enum brig_code read_status_of_settled_threads(struct brig_worker *worker, struct brig_error *reterr)
{
    enum { ROUNDS = 1000 };
    const struct timespec pause = {.tv_nsec = 1000000};
    enum brig_code code = brig_read_status(worker->pid, &worker->status, reterr);
    for (int i = 0; code == BRIG_OK && worker->status.sigsys_blocked && i < ROUNDS; i++) {
        nanosleep(&pause, NULL);
        code = brig_read_status(worker->pid, &worker->status, reterr);
    }
    return code;
}

static enum brig_code judge_status(const struct brig_status *status, int64_t filters, struct brig_error *reterr)
{
    const char *what = difference(status, filters);
    if (!what && status->sigsys_blocked)
        what = "a thread that blocks SIGSYS, where a trap kills without a report";
    if (!what)
        return BRIG_OK;
    struct brig_error error = {.code = BRIG_READ_BACK_DIFFERS, .step = "read back", .subject = what, .detail = status->odd_tid};
    return brig_error_set(reterr, error);
}

static enum brig_code read_back(struct brig_worker *worker, int64_t filters, struct brig_error *reterr)
{
    enum brig_code code = read_status_of_settled_threads(worker, reterr);
    if (code == BRIG_OK)
        code = judge_status(&worker->status, filters, reterr);
    // Threads that are ending, one of them by a violation perhaps, show neither filters nor files.
    return code != BRIG_OK ? box_handshake_ended(worker, code, reterr) : code;
}

static enum brig_code watch(struct brig_worker *worker, struct brig_error *reterr)
{
    struct epoll_event notify = {.events = EPOLLIN, .data.ptr = &worker->notify_source};
    struct epoll_event death = {.events = EPOLLIN, .data.ptr = &worker->death_source};
    const int epoll_fd = worker->supervisor->epoll_fd;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, worker->notify_fd, &notify) != 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, worker->pid_fd, &death) != 0)
        return failed(reterr, "epoll_ctl");
    // The handshake may have swallowed the wake-up of a record.
    static const uint64_t one = 1;
    return write(worker->notify_fd, &one, sizeof one) == sizeof one ? BRIG_OK : failed(reterr, "eventfd");
}

static enum brig_code judge_mappings(struct brig_worker *worker, struct brig_error *reterr)
{
    worker->maps_at_launch = box_maps_text(worker->maps_fd);
    const char *what = box_maps_judge(&worker->maps_at_launch);
    if (!what)
        return BRIG_OK;
    struct brig_error error = {.code = BRIG_FD_REFUSED, .step = "audit mappings", .subject = what};
    return brig_error_set(reterr, error);
}

static enum brig_code go(struct brig_worker *worker, struct brig_error *reterr)
{
    if (box_handshake_step(worker, BOX_PHASE_LOCKED, BOX_PHASE_GO)) {
        box_handshake_free(worker);
        return BRIG_OK;
    }
    struct brig_error error = {
        .code = BRIG_WORKER_LIED, .step = step_launch, .subject = "a phase that changed while it was locked"};
    return brig_error_set(reterr, error);
}

// From fork to go. On failure the process may exist.
static enum brig_code bring_up(struct brig_worker *worker, struct order *order, struct brig_error *reterr)
{
    const bool changes_after_fork = order->spec->warm_up || order->preparation;
    enum brig_code code = count_filters(order, reterr);
    if (code == BRIG_OK)
        code = fork_worker(worker, order, reterr);
    if (code != BRIG_OK)
        return code;
    code = look_in(worker, reterr);
    if (code != BRIG_OK) // a worker that failed in its first stage is gone already, and has said why
        return box_handshake_ended(worker, code, reterr);
    box_handshake_step(worker, BOX_PHASE_CREATED, BOX_PHASE_START);
    if (!changes_after_fork)
        code = judge_mappings(worker, reterr); // they stay as they are, and we have the time
    if (code == BRIG_OK)
        code = box_handshake_wait(worker, handshake_ms_of(order->spec), reterr);
    if (code == BRIG_OK)
        code = read_back(worker, order->filters, reterr);
    if (code == BRIG_OK && changes_after_fork)
        code = judge_mappings(worker, reterr);
    if (code == BRIG_OK)
        code = box_link_open(worker, reterr);
    if (code == BRIG_OK)
        code = watch(worker, reterr);
    return code == BRIG_OK ? go(worker, reterr) : code;
}

// Without a pidfd there is only the number. It is ours until somebody waits for it: a host that ignores SIGCHLD has the kernel do
// that, and then it may be another process's by now.
static void end_without_pidfd(int pid)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    siginfo_t info;
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
        return;
    kill(pid, SIGKILL);
    for (int waited_ms = 0; waited_ms < BOX_DEATH_WAIT_MS && waitpid(pid, NULL, WNOHANG) == 0; waited_ms++)
        nanosleep(&pause, NULL);
}

static void abandon(struct brig_worker *worker)
{
    if (worker->pid && worker->pid_fd < 0)
        end_without_pidfd(worker->pid);
    box_worker_end(worker);
    // A worker that died of a violation right after its lock has left a record, and nothing says more about why.
    box_worker_drain(worker);
    box_worker_free(worker);
}

enum brig_code box_launch(struct brig_supervisor *supervisor, const struct brig_worker_spec *spec,
                          const struct box_preparation *preparation, struct brig_worker **ret_worker, struct brig_error *reterr)
{
    struct order order = {.spec = spec, .preparation = preparation};
    struct brig_worker *worker;
    enum brig_code code = supervisor ? check_spec(spec, reterr) : bad_argument(reterr, "supervisor", 0);
    if (code == BRIG_OK)
        code = box_worker_new(supervisor, spec, &worker, reterr);
    if (code != BRIG_OK)
        return code;
    code = bring_up(worker, &order, reterr);
    if (code != BRIG_OK) {
        abandon(worker);
        return code;
    }
    worker->next = supervisor->workers;
    supervisor->workers = worker;
    if (ret_worker)
        *ret_worker = worker;
    return BRIG_OK;
}

enum brig_code brig_supervisor_launch(struct brig_supervisor *supervisor, const struct brig_worker_spec *spec,
                                      struct brig_worker **ret_worker, struct brig_error *reterr)
{
    return box_launch(supervisor, spec, NULL, ret_worker, reterr);
}
