// worker: one worker as its supervisor holds it: what it is made of, how it ends.
//
// Takes a spec, gives the memory and descriptors that have to exist before fork; takes them back when the process is gone. A
// process is always named by its pidfd, so that a number that the kernel gave away again is never killed or waited for.
//
// Weakness: a killed process that hangs inside the kernel (a dead network file system) is given up after BOX_DEATH_WAIT_MS and
// stays a zombie of the host.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/notify/notify.h"
#include "sandbox/supervisor/internal.h"

static enum brig_code failed(struct brig_error *reterr, enum brig_code code, const char *subject)
{
    struct brig_error error = {.code = code, .sys_errno = errno, .step = "prepare worker", .subject = subject};
    return brig_error_set(reterr, error);
}

static enum brig_code make_descriptors(struct brig_worker *worker, bool channel, struct brig_error *reterr)
{
    int pair[2];
    worker->notify_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (worker->notify_fd < 0)
        return failed(reterr, BRIG_KERNEL_REFUSED, "eventfd");
    if (!channel)
        return BRIG_OK;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return failed(reterr, BRIG_KERNEL_REFUSED, "socketpair");
    worker->channel_fd = pair[0];
    worker->worker_channel_fd = pair[1];
    return BRIG_OK;
}

static enum brig_code map_memory(struct brig_worker *worker, struct brig_error *reterr)
{
    void *memory = mmap(NULL, BRIG_DSL_ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return failed(reterr, BRIG_OUT_OF_MEMORY, "the compiler's memory");
    worker->memory = memory;
    return BRIG_OK;
}

void box_worker_drop_memory(struct brig_worker *worker)
{
    if (worker->memory)
        munmap(worker->memory, BRIG_DSL_ARENA_BYTES);
    worker->memory = NULL;
}

struct brig_dsl_options box_worker_options(const struct brig_worker *worker)
{
    struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT;
    options.self_pid = worker->pid;
    options.notify_fd = worker->notify_fd;
    if (worker->link.worker_socket_number >= 0)
        options.broker_fd = worker->link.worker_socket_number;
    return options;
}

enum brig_code box_worker_compile(struct brig_worker *worker, const struct box_program *program, struct brig_error *reterr)
{
    struct brig_supervisor *supervisor = worker->supervisor;
    const struct brig_dsl_options options = program ? box_program_options(program->pid) : box_worker_options(worker);
    const struct brig_dsl_policy *policy = program ? program->policy : worker->policy;
    const void *subject = program ? (const void *)program : (const void *)worker;
    struct brig_dsl_arena arena;
    if (supervisor->program_of == subject)
        return BRIG_OK;
    supervisor->program_of = NULL;
    brig_dsl_arena_init(&arena, supervisor->program_memory, BRIG_DSL_ARENA_BYTES);
    enum brig_code code = brig_dsl_compile(policy, &options, &arena, &supervisor->program, reterr);
    if (code == BRIG_OK)
        supervisor->program_of = subject;
    return code;
}

static enum brig_code make_memory(struct brig_worker *worker, struct brig_error *reterr)
{
    enum brig_code code = box_slots_new(&worker->slots, reterr);
    if (code == BRIG_OK)
        code = box_handshake_new(worker, reterr);
    if (code != BRIG_OK)
        return code;
    return map_memory(worker, reterr);
}

enum brig_code box_worker_new(struct brig_supervisor *supervisor, const struct brig_worker_spec *spec,
                              struct brig_worker **ret_worker, struct brig_error *reterr)
{
    struct brig_worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        return failed(reterr, BRIG_OUT_OF_MEMORY, NULL);
    worker->supervisor = supervisor;
    worker->policy = spec->policy;
    worker->notify_source = (struct box_source){BOX_SOURCE_NOTIFY, worker};
    worker->death_source = (struct box_source){BOX_SOURCE_DEATH, worker};
    worker->pid_fd = worker->notify_fd = worker->channel_fd = worker->worker_channel_fd = -1;
    worker->maps_fd = worker->memory_fd = -1;
    box_link_init(&worker->link);
    snprintf(worker->name, sizeof worker->name, "%s", spec->name);

    enum brig_code code = make_descriptors(worker, spec->channel, reterr);
    if (code == BRIG_OK)
        code = make_memory(worker, reterr);
    if (code == BRIG_OK)
        code = box_link_new(worker, spec->broker, reterr);
    if (code == BRIG_OK)
        *ret_worker = worker;
    else
        box_worker_free(worker);
    return code;
}

// Not read(2): whether that waits is a flag of the open file, which the worker shares and may clear; it may also empty the counter
// between epoll's word and ours. Source: preadv2(2), RWF_NOWAIT; fs/eventfd.c, since 5.8.
void box_notify_take(int notify_fd)
{
    uint64_t count;
    const struct iovec place = {&count, sizeof count};
    const long here = -1; // the file has no offset
    if (syscall(SYS_preadv2, notify_fd, &place, 1, here, here, RWF_NOWAIT) < 0)
        return; // empty already
}

static void unlist(struct brig_worker *worker)
{
    struct brig_worker **link = &worker->supervisor->workers;
    while (*link && *link != worker)
        link = &(*link)->next;
    if (*link)
        *link = worker->next;
}

// Closing takes a descriptor out of epoll only when nobody else has it open. The worker may have sent its notify descriptor
// somewhere, and a child of the host's has them all: an event would come for a worker that is no more.
static void unwatch(struct brig_worker *worker)
{
    const int watched[] = {worker->pid_fd, worker->notify_fd, worker->channel_fd};
    for (size_t i = 0; i < sizeof watched / sizeof watched[0]; i++) {
        if (watched[i] >= 0)
            epoll_ctl(worker->supervisor->epoll_fd, EPOLL_CTL_DEL, watched[i], NULL); // ENOENT: not watched yet
    }
}

void box_worker_free(struct brig_worker *worker)
{
    const int fds[] = {worker->pid_fd,  worker->notify_fd, worker->channel_fd, worker->worker_channel_fd,
                       worker->maps_fd, worker->memory_fd};
    unlist(worker);
    unwatch(worker);
    box_link_close(worker);
    box_broker_lost(worker);
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    box_slots_free(&worker->slots);
    box_handshake_free(worker);
    box_ledger_free(&worker->ledger);
    free(worker->maps_at_launch.text);
    box_worker_drop_memory(worker);
    if (worker->supervisor->program_of == worker || worker->supervisor->program_of == worker->program)
        worker->supervisor->program_of = NULL;
    if (worker->supervisor->rules_of == worker || worker->supervisor->rules_of == worker->program)
        worker->supervisor->rules_of = NULL;
    box_program_free(worker->program);
    free(worker);
}

// As waitpid(2) puts it together.
static int wait_status_of(const siginfo_t *info)
{
    enum { CORE_DUMPED = 0x80 };
    if (info->si_code == CLD_EXITED)
        return (info->si_status & 0xff) << 8;
    return info->si_status | (info->si_code == CLD_DUMPED ? CORE_DUMPED : 0);
}

// A worker leads its own session, and so its own process group: what it forked, under a policy that lets it, or left behind in its
// warm-up, ends with it. The number is the worker's as long as we have not waited for it, and not asked for if somebody else has.
static void end_group(const struct brig_worker *worker)
{
    siginfo_t info = {.si_pid = 0};
    if (waitid(P_PIDFD, (id_t)worker->pid_fd, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == worker->pid)
        kill(-worker->pid, SIGKILL);
}

bool box_worker_reap(struct brig_worker *worker, int wait_ms)
{
    struct pollfd polled = {.fd = worker->pid_fd, .events = POLLIN};
    siginfo_t info = {.si_pid = 0};
    const int64_t deadline = box_clock_ms(CLOCK_MONOTONIC) + wait_ms;
    while (poll(&polled, 1, wait_ms) < 0 && errno == EINTR) {
        const int64_t left = deadline - box_clock_ms(CLOCK_MONOTONIC);
        wait_ms = left > 0 ? (int)left : 0;
    }
    if (!polled.revents)
        return false;
    end_group(worker);
    if (waitid(P_PIDFD, (id_t)worker->pid_fd, &info, WEXITED | WNOHANG) != 0)
        worker->wait_errno = errno; // ECHILD: somebody else in the host waits for all children, or SIGCHLD is ignored
    else if (info.si_pid == 0)
        return false;
    else
        worker->wait_status = wait_status_of(&info);
    worker->is_gone = true;
    return true;
}

void box_worker_end(struct brig_worker *worker)
{
    if (worker->pid_fd < 0 || worker->is_gone)
        return;
    brig_worker_kill(worker);
    box_worker_reap(worker, BOX_DEATH_WAIT_MS);
}

void brig_worker_kill(struct brig_worker *worker)
{
    // ESRCH: it is dead already, and the EXIT event is on its way.
    if (!worker->is_gone)
        syscall(SYS_pidfd_send_signal, worker->pid_fd, SIGKILL, NULL, 0);
}

int brig_worker_pid(const struct brig_worker *worker)
{
    return worker->pid;
}

const char *brig_worker_name(const struct brig_worker *worker)
{
    return worker->name;
}

int brig_worker_channel_fd(const struct brig_worker *worker)
{
    return worker->channel_fd;
}

const struct brig_status *brig_worker_status(const struct brig_worker *worker)
{
    return &worker->status;
}

struct brig_trap_counts brig_worker_trap_counts(const struct brig_worker *worker)
{
    const struct brig_trap_slots *shared = worker->slots.shared;
    return (struct brig_trap_counts){.events = __atomic_load_n(&shared->events, __ATOMIC_RELAXED),
                                     .reported = __atomic_load_n(&shared->reported, __ATOMIC_RELAXED),
                                     .lost = __atomic_load_n(&shared->lost, __ATOMIC_RELAXED),
                                     .forged = __atomic_load_n(&shared->forged, __ATOMIC_RELAXED),
                                     .reentered = __atomic_load_n(&shared->reentered, __ATOMIC_RELAXED),
                                     .emulated = __atomic_load_n(&shared->emulated, __ATOMIC_RELAXED),
                                     .asked = __atomic_load_n(&shared->asked, __ATOMIC_RELAXED)};
}
