// notified: requests of linked workers. The worker wrote one into a slot of the shared memory and made the reserved call; here it
// arrives as a notification with the slot's number, and the answer becomes the result of the call.
//
// The slot belongs to a hostile writer who may change it at any time: the header is copied, its sizes are checked in the copy, the
// bytes are copied once, and everything after that uses the copy. Nothing else of the worker's memory is read.
//
// Its threads run as SCHED_BATCH (session.c): when the worker has taken a descriptor, which wakes the thread that gave it, the
// worker goes on to its next request first. On one core a brokered open then takes 4.4 us, else 5.5. And it is served where it
// asked (sandbox/child/listener.c), so that it does not wait behind strangers on another processor.
//
// Weakness: a broker that may not run where its worker runs (affinity, cpusets) waits for a slice there if strangers are at work.
//
// A worker that was killed while its request was served makes the answer fail with ENOENT, and that is all.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sandbox/broker/session.h"

// Newer than the oldest headers that this builds with. Source: include/uapi/linux/seccomp.h, 5.14.
#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND (1UL << 1)
#endif

static bool has_hung_up(int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    return poll(&polled, 1, 0) > 0 && (polled.revents & POLLHUP);
}

// ENOENT: the asking thread is gone again, or (6.11) all that had the filter are.
static enum box_received receive(struct box_work *work)
{
    const int fd = work->session->request_fd;
    memset(&work->notification, 0, sizeof work->notification); // EINVAL otherwise
    if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &work->notification) == 0)
        return BOX_RECEIVED_REQUEST;
    if (errno == EINTR || (errno == ENOENT && !has_hung_up(fd)))
        return BOX_RECEIVED_NOTHING;
    if (errno == ENOENT)
        return BOX_RECEIVED_END;
    work->wrong = "a listener that cannot be listened to";
    return BOX_RECEIVED_WRONG;
}

// The copies must be what is checked and used later: the compiler may not go back to the shared memory.
static void copy_from_slot(void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
    __asm__ volatile("" ::: "memory");
}

static const char *copy_request(struct box_work *work, const struct brig_broker_slot *slot)
{
    struct brig_broker_request *request = &work->request;
    copy_from_slot(request, &slot->request, BRIG_BROKER_HEADER_BYTES);
    if (request->path_bytes[0] > BRIG_BROKER_PATH_BYTES || request->path_bytes[1] > BRIG_BROKER_PATH_BYTES ||
        request->data_bytes > BRIG_BROKER_DATA_BYTES)
        return "a request with a size beyond its limit";
    const size_t bytes = (size_t)request->path_bytes[0] + request->path_bytes[1] + request->data_bytes;
    copy_from_slot(request->bytes, slot->request.bytes, bytes);
    work->request_bytes = BRIG_BROKER_HEADER_BYTES + bytes;
    return NULL;
}

static const char *collect(struct box_work *work)
{
    struct box_session *session = work->session;
    const struct seccomp_data *data = &work->notification.fields.data;
    const uint64_t slot = data->args[0];
    work->pid = (int)work->notification.fields.pid;
    if (data->nr != BRIG_DSL_BROKER_NR || data->arch != brig_dsl_arch_audit(brig_dsl_arch_native()))
        return "a call that is none of the broker's";
    if (slot >= BRIG_BROKER_SLOT_COUNT)
        return "a slot that does not exist";
    atomic_load_explicit(&session->turns[slot], memory_order_acquire);
    const char *wrong = copy_request(work, &session->slots->slots[slot]);
    if (wrong || !work->request.attached)
        return wrong;
    const struct brig_broker_attachment wanted = {
        .slot = (uint32_t)slot, .generation = (uint32_t)data->args[1], .attached = work->request.attached};
    return box_attachments_take(&session->attachments, session->socket_fd, &wanted, work->job.attached);
}

static void write_answer(const struct box_work *work)
{
    const uint64_t number = work->notification.fields.data.args[0];
    struct brig_broker_slot *slot = &work->session->slots->slots[number];
    slot->reply.verdict = work->reply.verdict;
    slot->reply.answer_bytes = work->reply.answer_bytes;
    memcpy(slot->reply.answer, work->reply.answer, work->reply.answer_bytes);
    atomic_fetch_add_explicit(&work->session->turns[number], 1, memory_order_release);
}

static void send_number(const struct box_work *work, int64_t result)
{
    struct seccomp_notif_resp response = {.id = work->notification.fields.id};
    if (result < 0)
        response.error = (int32_t)result;
    else
        response.val = result;
    ioctl(work->session->request_fd, SECCOMP_IOCTL_NOTIF_SEND, &response); // ENOENT: nobody waits any more
}

// Returns: the number in the worker, already sent if `flags` say so, or -1.
static int add_descriptor(const struct box_work *work, uint32_t flags)
{
    struct seccomp_notif_addfd add = {.id = work->notification.fields.id,
                                      .flags = flags,
                                      .srcfd = (uint32_t)work->job.descriptor,
                                      .newfd_flags = work->request.flags & O_CLOEXEC};
    return ioctl(work->session->request_fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
}

static void send_descriptor(const struct box_work *work)
{
    if (add_descriptor(work, SECCOMP_ADDFD_FLAG_SEND) >= 0)
        return;
    // EINVAL: a kernel before 5.14 does not know the flag. All else (EMFILE) is the answer.
    const int fd = errno == EINVAL ? add_descriptor(work, 0) : -1;
    send_number(work, fd >= 0 ? fd : -errno);
}

static void answer(struct box_work *work)
{
    write_answer(work);
    if (work->job.descriptor >= 0)
        send_descriptor(work);
    else
        send_number(work, work->reply.result);
}

static void free_slots(struct box_session *session)
{
    if (!session->slots)
        return;
    box_refusals_take(session);
    pthread_mutex_lock(&session->refusals_lock);
    munmap(session->slots, sizeof *session->slots);
    session->slots = NULL;
    pthread_mutex_unlock(&session->refusals_lock);
    box_attachments_free(&session->attachments);
    close(session->socket_fd);
}

const struct box_port box_port_notified = {BRIG_BROKER_SLOT_COUNT, true, false, receive, collect, answer, free_slots};
