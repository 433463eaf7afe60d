// supervisor: the fd, the dispatch, and the life of the whole.
//
// Takes a host's loop, gives it one descriptor. Each worker has two sources in the epoll behind it: an eventfd (a record is ready)
// and a pidfd (it is dead); a broker has its channel as well. Nothing here waits but dispatch itself, as long as it is told to.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "sandbox/supervisor/broker.h"

#define DEFAULT_QUOTA_BYTES ((uint64_t)16 << 20)
enum { EVENTS_AT_ONCE = 16 };

static const char step_new[] = "make supervisor";

static enum brig_code failed(struct brig_error *reterr, enum brig_code code, const char *subject)
{
    if (code == BRIG_KERNEL_REFUSED && errno == ENOSYS)
        code = BRIG_KERNEL_LACKS;
    struct brig_error error = {.code = code, .sys_errno = errno, .step = step_new, .subject = subject};
    return brig_error_set(reterr, error);
}

// What every launch needs, found missing here and not in the middle of one.
static enum brig_code check_kernel(struct brig_error *reterr)
{
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (fd < 0)
        return failed(reterr, BRIG_KERNEL_REFUSED, "pidfd_open");
    close(fd);
    fd = (int)syscall(SYS_memfd_create, "brig-probe", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return failed(reterr, BRIG_KERNEL_REFUSED, "memfd_create");
    close(fd);
    fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return failed(reterr, BRIG_KERNEL_REFUSED, "eventfd");
    box_notify_take(fd);
    int reason = errno; // EAGAIN: there was nothing, and it did not wait
    close(fd);
    errno = reason == EOPNOTSUPP ? ENOSYS : reason;
    return reason == EAGAIN ? BRIG_OK : failed(reterr, BRIG_KERNEL_REFUSED, "preadv2 with RWF_NOWAIT on an eventfd");
}

static enum brig_code open_null(struct brig_supervisor *supervisor, struct brig_error *reterr)
{
    struct stat status;
    supervisor->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (supervisor->null_fd < 0 || fstat(supervisor->null_fd, &status) != 0)
        return failed(reterr, BRIG_IO, "/dev/null");
    if (S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3))
        return BRIG_OK;
    errno = ENODEV; // in a badly made container it may be a file that fills up
    return failed(reterr, BRIG_IO, "/dev/null");
}

static enum brig_code open_report_dir(struct brig_supervisor *supervisor, struct brig_error *reterr)
{
    const char *path = supervisor->options.report_dir;
    if (!path)
        return BRIG_OK;
    supervisor->report_dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (supervisor->report_dir_fd < 0 || faccessat(supervisor->report_dir_fd, ".", W_OK | X_OK, AT_EACCESS) != 0)
        return failed(reterr, BRIG_IO, path);
    supervisor->report_dir = strdup(path);
    return supervisor->report_dir ? BRIG_OK : failed(reterr, BRIG_OUT_OF_MEMORY, NULL);
}

static enum brig_code set_up(struct brig_supervisor *supervisor, struct brig_error *reterr)
{
    enum brig_code code = check_kernel(reterr);
    if (code == BRIG_OK)
        code = open_null(supervisor, reterr);
    if (code == BRIG_OK)
        code = open_report_dir(supervisor, reterr);
    if (code != BRIG_OK)
        return code;
    supervisor->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return supervisor->epoll_fd >= 0 ? BRIG_OK : failed(reterr, BRIG_KERNEL_REFUSED, "epoll_create1");
}

enum brig_code brig_supervisor_new(const struct brig_supervisor_options *options, struct brig_supervisor **ret_supervisor,
                                   struct brig_error *reterr)
{
    if (!options || !ret_supervisor) {
        struct brig_error error = {.code = BRIG_BAD_ARGUMENT, .step = step_new, .subject = options ? "ret_supervisor" : "options"};
        return brig_error_set(reterr, error);
    }
    struct brig_supervisor *supervisor = calloc(1, sizeof *supervisor);
    if (!supervisor)
        return failed(reterr, BRIG_OUT_OF_MEMORY, NULL);
    supervisor->options = *options;
    if (!supervisor->options.report_quota_bytes)
        supervisor->options.report_quota_bytes = DEFAULT_QUOTA_BYTES;
    supervisor->report_dir_fd = supervisor->null_fd = supervisor->epoll_fd = -1;
    // Not mmap: an arena leaves marks for AddressSanitizer, which free takes away.
    supervisor->program_memory = malloc(BRIG_DSL_ARENA_BYTES);
    enum brig_code code = supervisor->program_memory ? set_up(supervisor, reterr) : failed(reterr, BRIG_OUT_OF_MEMORY, NULL);
    if (code == BRIG_OK)
        *ret_supervisor = supervisor;
    else
        brig_supervisor_free(supervisor);
    return code;
}

void brig_supervisor_free(struct brig_supervisor *supervisor)
{
    if (!supervisor)
        return;
    // All are told before the first is waited for.
    for (struct brig_worker *worker = supervisor->workers; worker; worker = worker->next)
        brig_worker_kill(worker);
    box_brokers_free(supervisor);
    while (supervisor->workers) {
        box_worker_end(supervisor->workers);
        box_worker_free(supervisor->workers);
    }
    const int fds[] = {supervisor->epoll_fd, supervisor->null_fd, supervisor->report_dir_fd};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    free(supervisor->program_memory);
    free(supervisor->rules_memory);
    free(supervisor->report_dir);
    free(supervisor);
}

int brig_supervisor_fd(const struct brig_supervisor *supervisor)
{
    return supervisor->epoll_fd;
}

static void handle_notify(struct brig_worker *worker)
{
    // Emptied first: a record that comes during the drain wakes us again. Looked at in any case: a worker can empty it as well.
    box_notify_take(worker->notify_fd);
    box_worker_drain(worker);
}

static void handle_death(struct brig_worker *worker)
{
    struct brig_error error = {.code = BRIG_KERNEL_REFUSED, .step = "reap worker", .subject = "waitid"};
    box_worker_drain(worker);
    // The last words of a broker, or about one of its workers.
    if (worker->serves)
        box_broker_hear(worker);
    else if (worker->link.broker && worker->link.broker->process)
        box_broker_hear(worker->link.broker->process);
    if (worker->program)
        box_program_hear(worker);
    if (!box_worker_reap(worker, 0))
        return;
    if (worker->program) {
        box_program_exit(worker);
        return;
    }
    error.sys_errno = worker->wait_errno;
    box_event_exit(worker, worker->wait_errno ? &error : NULL);
}

// At the end of a dispatch: two events of one batch may belong to the same worker.
static void free_gone(struct brig_supervisor *supervisor)
{
    for (struct brig_worker *worker = supervisor->workers, *next; worker; worker = next) {
        next = worker->next;
        if (worker->is_gone)
            box_worker_free(worker);
    }
}

enum brig_code brig_supervisor_dispatch(struct brig_supervisor *supervisor, int timeout_ms, struct brig_error *reterr)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int count = epoll_wait(supervisor->epoll_fd, events, EVENTS_AT_ONCE, timeout_ms);
    if (count < 0 && errno != EINTR) {
        struct brig_error error = {
            .code = BRIG_KERNEL_REFUSED, .sys_errno = errno, .step = "wait for events", .subject = "epoll_wait"};
        return brig_error_set(reterr, error);
    }
    for (int i = 0; i < count; i++) {
        const struct box_source *source = events[i].data.ptr;
        if (source->worker->is_gone)
            continue;
        if (source->kind == BOX_SOURCE_NOTIFY)
            handle_notify(source->worker);
        else if (source->kind == BOX_SOURCE_NEWS && source->worker->program)
            box_program_hear(source->worker);
        else if (source->kind == BOX_SOURCE_NEWS)
            box_broker_hear(source->worker);
        else
            handle_death(source->worker);
    }
    free_gone(supervisor);
    return BRIG_OK;
}
