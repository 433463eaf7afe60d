// outside: the front end's ways to the process that asks, and to the broker.
//
// Everything names the asking *thread* by the number that the notification has. A number can be given to another thread once the
// asking one is gone, so what was read is only used after the kernel has said that the notification still waits
// (SECCOMP_IOCTL_NOTIF_ID_VALID): as long as it does, the number is the thread's.
//
// Memory is read by process_vm_readv and written by process_vm_writev, which heed the protection of pages as the kernel does for
// the call itself; /proc/PID/mem would write to what is read-only. Descriptors come by pidfd_getfd, of the thread itself where the
// kernel can name one (PIDFD_THREAD, 6.9), else of its process.
//
// The broker is asked over a socket of the asking thread's own of the front end: one message there, one back.
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sandbox/notify/notify.h"
#include "sandbox/worker/packet.h"
#include "sandbox/worker/proc.h"

enum { PAGE_BYTES = 4096, DESCRIPTORS = BOX_PACKET_FDS };
// Newer than the oldest headers that this builds with. Source: include/uapi/linux/pidfd.h.
enum { BOX_PIDFD_THREAD = O_EXCL };

static const struct box_asker *asker_of(const struct box_outside *outside)
{
    return (const struct box_asker *)(const void *)outside;
}

// A read that runs into a hole gives what is before it, in whole pages.
static size_t read_memory(const struct box_outside *outside, void *to, uint64_t address, size_t bytes)
{
    const pid_t tid = (pid_t)asker_of(outside)->tid;
    size_t done = 0;
    while (done < bytes) {
        const size_t to_page_end = PAGE_BYTES - (size_t)((address + done) % PAGE_BYTES);
        const size_t want = bytes - done < to_page_end ? bytes - done : to_page_end;
        const struct iovec here = {(char *)to + done, want};
        const struct iovec there = {(void *)(uintptr_t)(address + done), want};
        const ssize_t got = process_vm_readv(tid, &here, 1, &there, 1, 0);
        if (got > 0)
            done += (size_t)got;
        if (got != (ssize_t)want)
            break;
    }
    return done;
}

static bool write_memory(const struct box_outside *outside, uint64_t address, const void *from, size_t bytes)
{
    const struct iovec here = {(void *)(uintptr_t)from, bytes};
    const struct iovec there = {(void *)(uintptr_t)address, bytes};
    return bytes == 0 || process_vm_writev((pid_t)asker_of(outside)->tid, &here, 1, &there, 1, 0) == (ssize_t)bytes;
}

uint32_t box_proc_field(uint32_t tid, const char *name, unsigned base)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%u/status", tid);
    const int64_t value = box_read_status_field(path, name, base);
    return value < 0 ? 0 : (uint32_t)value;
}

static uint32_t parent_of(const struct box_outside *outside)
{
    return box_proc_field(asker_of(outside)->tid, "PPid", 10);
}

static int64_t program_of(const struct box_outside *outside, void *path, size_t bytes)
{
    char link[48];
    snprintf(link, sizeof link, "/proc/%u/exe", asker_of(outside)->tid);
    const ssize_t got = readlinkat(AT_FDCWD, link, path, bytes);
    return got < 0 ? -errno : got;
}

static uint32_t umask_of(const struct box_outside *outside)
{
    return box_proc_field(asker_of(outside)->tid, "Umask", 8);
}

static int open_pidfd(uint32_t tid)
{
    int fd = (int)syscall(SYS_pidfd_open, tid, BOX_PIDFD_THREAD);
    if (fd >= 0 || errno != EINVAL)
        return fd;
    const uint32_t process = box_proc_field(tid, "Tgid", 10);
    return process ? (int)syscall(SYS_pidfd_open, process, 0) : -1;
}

static int fetch(const struct box_outside *outside, int number)
{
    const int pid_fd = open_pidfd(asker_of(outside)->tid);
    if (pid_fd < 0)
        return -EBADF;
    const int fd = (int)syscall(SYS_pidfd_getfd, pid_fd, number, 0);
    const int error = errno;
    close(pid_fd);
    // EPERM and ESRCH are about us and about a thread that is gone; the call that names the descriptor knows EBADF.
    return fd >= 0 ? fd : error == EMFILE || error == ENFILE ? -EMFILE : -EBADF;
}

static int directory(const struct box_outside *outside)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%u/cwd", asker_of(outside)->tid);
    const int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 ? fd : -ENOENT;
}

static bool is_waiting(const struct box_outside *outside)
{
    const struct box_asker *asker = asker_of(outside);
    uint64_t id = asker->id;
    return ioctl(asker->listener_fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

// --- the broker -------------------------------------------------------------------------------------------------------

static bool send_request(int socket_fd, const struct brig_broker_request *request, const int attached[DESCRIPTORS])
{
    const size_t used = request->path_bytes[0] + request->path_bytes[1] + request->data_bytes;
    const size_t bytes = BRIG_BROKER_HEADER_BYTES + used;
    struct box_packet_fds fds = {.count = 0};
    for (int i = 0; i < DESCRIPTORS; i++) {
        if (request->attached >> i & 1)
            fds.fds[fds.count++] = attached[i];
    }
    return box_packet_send(socket_fd, request, bytes, &fds, 0) == (ssize_t)bytes;
}

// A broker is no friend either: what it sends is measured before it is used.
static bool receive_reply(int socket_fd, struct brig_broker_reply *reply, int *ret_descriptor)
{
    struct box_packet_fds fds;
    const ssize_t got = box_packet_receive(socket_fd, (struct iovec){reply, sizeof *reply}, 1, 0, &fds);
    const size_t header_bytes = BRIG_BROKER_REPLY_HEADER_BYTES;
    const bool is_whole = got >= (ssize_t)header_bytes && reply->answer_bytes <= BRIG_BROKER_ANSWER_BYTES &&
                          (size_t)got >= header_bytes + reply->answer_bytes && reply->verdict <= BRIG_BROKER_TOUCHED;
    if (!is_whole)
        box_packet_close(&fds);
    *ret_descriptor = fds.fds[0];
    return is_whole;
}

static bool ask(const struct box_outside *outside, const struct brig_broker_request *request, const int attached[DESCRIPTORS],
                struct brig_broker_reply *reply, int *ret_descriptor)
{
    const int socket_fd = asker_of(outside)->broker_fd;
    *ret_descriptor = -1;
    return send_request(socket_fd, request, attached) && receive_reply(socket_fd, reply, ret_descriptor);
}

void box_asker_init(struct box_asker *asker, int listener_fd, int broker_fd)
{
    *asker = (struct box_asker){.outside = {.read = read_memory,
                                            .write = write_memory,
                                            .fetch = fetch,
                                            .directory = directory,
                                            .is_waiting = is_waiting,
                                            .ask = ask,
                                            .umask = umask_of,
                                            .parent = parent_of,
                                            .program = program_of,
                                            .has_broker = broker_fd >= 0},
                                .listener_fd = listener_fd,
                                .broker_fd = broker_fd};
}
