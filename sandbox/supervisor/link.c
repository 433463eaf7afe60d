// link: what joins a worker to its broker, from nothing to a session of the broker's, and its end.
//
//   new         a sealed memfd for requests, mapped for the worker; a socket pair for descriptors      (before fork)
//   after fork  the worker has its mapping and its end
//   open        the worker is locked: its listener is taken out of the socket and handed to the broker with all the rest
//   close       the worker is gone
//
// After `open` nothing of it is open here: the kernel answers a worker's requests with ENOSYS as soon as the last descriptor of its
// listener is closed, and that must happen when the broker dies.
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/broker/control.h"
#include "sandbox/supervisor/broker.h"
#include "sandbox/worker/proc.h"

static const char step_link[] = "join worker and broker";

static enum brig_code failed(struct brig_error *reterr, const char *subject)
{
    const enum brig_code code = errno == ENOSYS ? BRIG_KERNEL_LACKS : BRIG_KERNEL_REFUSED;
    struct brig_error error = {.code = code, .sys_errno = errno, .step = step_link, .subject = subject};
    return brig_error_set(reterr, error);
}

// umask(2) could only be asked by setting another one, and files that other threads of the host make in between would get that.
// The kernel shows it since 4.7, and has listeners since 5.0: where it is not shown, a broker cannot be either.
static enum brig_code read_umask(uint32_t *ret_umask, struct brig_error *reterr)
{
    const int64_t mask = box_read_status_field("/proc/thread-self/status", "Umask", 8);
    if (mask < 0)
        return failed(reterr, "Umask in /proc/thread-self/status");
    *ret_umask = (uint32_t)mask;
    return BRIG_OK;
}

static enum brig_code map_slots(struct box_link *link, struct brig_error *reterr)
{
    if (ftruncate(link->slots_fd, sizeof *link->slots) != 0)
        return failed(reterr, "ftruncate");
    if (fcntl(link->slots_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return failed(reterr, "F_ADD_SEALS");
    void *address = mmap(NULL, sizeof *link->slots, PROT_READ | PROT_WRITE, MAP_SHARED, link->slots_fd, 0);
    if (address == MAP_FAILED)
        return failed(reterr, "mmap");
    link->slots = address;
    link->slots->magic = BRIG_BROKER_MAGIC;
    link->slots->version = BRIG_BROKER_VERSION;
    link->slots->slot_count = BRIG_BROKER_SLOT_COUNT;
    box_names_copy(&link->slots->names, link->broker->names);
    if (getrandom(&link->slots->settled_seed, sizeof link->slots->settled_seed, 0) != sizeof link->slots->settled_seed)
        return failed(reterr, "getrandom");
    return read_umask(&link->slots->umask, reterr);
}

void box_link_init(struct box_link *link)
{
    *link = (struct box_link){.slots_fd = -1, .socket_fd = -1, .worker_socket_fd = -1, .worker_socket_number = -1};
}

enum brig_code box_link_new(struct brig_worker *worker, struct brig_broker *broker, struct brig_error *reterr)
{
    struct box_link *link = &worker->link;
    int pair[2];
    if (!broker)
        return BRIG_OK;
    if (broker->supervisor != worker->supervisor) {
        struct brig_error error = {.code = BRIG_BAD_ARGUMENT, .step = step_link, .subject = "broker"};
        return brig_error_set(reterr, error);
    }
    if (!broker->process || broker->process->is_gone)
        return box_broker_is_gone(broker, reterr);
    link->slots_fd = (int)syscall(SYS_memfd_create, "brig-requests", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (link->slots_fd < 0)
        return failed(reterr, "memfd_create");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return failed(reterr, "socketpair");
    link->socket_fd = pair[0];
    link->worker_socket_fd = link->worker_socket_number = pair[1];
    link->broker = broker;
    return map_slots(link, reterr);
}

static void close_if_open(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void box_link_after_fork(struct box_link *link)
{
    close_if_open(&link->worker_socket_fd);
    if (link->slots)
        munmap(link->slots, sizeof *link->slots);
    link->slots = NULL;
}

// --- handing over -----------------------------------------------------------------------------------------------------

static enum brig_code lied(const char *what, struct brig_error *reterr)
{
    struct brig_error error = {.code = BRIG_WORKER_LIED, .step = step_link, .subject = what};
    return brig_error_set(reterr, error);
}

// ENOENT: a listener, and no notification has the number 0.
static bool is_listener(int fd)
{
    uint64_t id = 0;
    return ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) != 0 && errno == ENOENT;
}

// The worker sent it before it said that it is locked.
static enum brig_code take_listener(const struct box_link *link, int *ret_fd, struct brig_error *reterr)
{
    char byte;
    struct box_packet_fds fds;
    const ssize_t got = box_packet_receive(link->socket_fd, (struct iovec){&byte, 1}, 1, MSG_DONTWAIT, &fds);
    if (got < 0 || !fds.count)
        return lied(got < 0 && errno == EAGAIN ? "no listener" : "a message without a listener", reterr);
    if (!is_listener(fds.fds[0])) {
        box_packet_close(&fds);
        return lied("a descriptor that is no listener", reterr);
    }
    *ret_fd = fds.fds[0];
    return BRIG_OK;
}

static enum brig_code hand_over(struct brig_worker *worker, int listener_fd, struct brig_error *reterr)
{
    struct box_link *link = &worker->link;
    const struct box_packet_fds fds = {
        BOX_CONTROL_FDS,
        {[BOX_CONTROL_LISTENER] = listener_fd, [BOX_CONTROL_SLOTS] = link->slots_fd, [BOX_CONTROL_SOCKET] = link->socket_fd}};
    const uint32_t number = ++link->broker->last_session;
    const struct box_control control = {.kind = BOX_CONTROL_OPEN, .session = number, .client = number};
    enum brig_code code = box_broker_tell(link->broker, &control, &fds, reterr);
    if (code != BRIG_OK)
        return code;
    link->session = control.session;
    link->broker->session_count++;
    return BRIG_OK;
}

enum brig_code box_link_open(struct brig_worker *worker, struct brig_error *reterr)
{
    int listener_fd;
    if (!worker->link.broker)
        return BRIG_OK;
    enum brig_code code = take_listener(&worker->link, &listener_fd, reterr);
    if (code != BRIG_OK)
        return code;
    code = hand_over(worker, listener_fd, reterr);
    close(listener_fd);
    close_if_open(&worker->link.slots_fd);
    close_if_open(&worker->link.socket_fd);
    return code;
}

void box_link_close(struct brig_worker *worker)
{
    struct box_link *link = &worker->link;
    struct brig_broker *broker = link->broker;
    box_link_after_fork(link);
    close_if_open(&link->slots_fd);
    close_if_open(&link->socket_fd);
    if (!broker || !link->session)
        return;
    const struct box_control control = {.kind = BOX_CONTROL_CLOSE, .session = link->session};
    // A broker that cannot be told sees its listener end by itself (6.11), or is dead.
    box_broker_tell(broker, &control, &(struct box_packet_fds){.count = 0}, &(struct brig_error){.code = BRIG_OK});
    link->session = 0;
    broker->session_count--;
    if (broker->session_count == 0 && broker->ends_with_last_worker)
        box_broker_dismiss(broker);
}
