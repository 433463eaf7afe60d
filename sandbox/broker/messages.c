// messages: requests of a notify front end, which speaks for a program that was executed. One message is a request with its
// descriptors, the next one back is its reply; a socket has one request at a time, and a front end as many sockets as it has
// threads.
//
// The front end is ours, but it has copied what a hostile program wrote, and a program that takes it over speaks here: so a message
// is checked as a slot is.
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sandbox/broker/session.h"

static enum box_received receive(struct box_work *work)
{
    struct iovec part = {&work->request, sizeof work->request};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int) * BOX_ATTACHED)];
    } control;
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    const ssize_t got = recvmsg(work->session->request_fd, &message, MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR)
        return BOX_RECEIVED_NOTHING;
    const bool is_end = got == 0 && !CMSG_FIRSTHDR(&message); // an empty message may have descriptors
    if (got < 0 || is_end)
        return BOX_RECEIVED_END;
    work->request_bytes = (size_t)got;
    const bool has_header = work->request_bytes >= BRIG_BROKER_HEADER_BYTES;
    if (box_attached_from(&message, has_header ? work->request.attached : 0, work->came_with) && has_header)
        return BOX_RECEIVED_REQUEST;
    box_attached_close(work->came_with);
    work->wrong = "a message that is no request";
    return BOX_RECEIVED_WRONG;
}

static const char *collect(struct box_work *work)
{
    memcpy(work->job.attached, work->came_with, sizeof work->came_with);
    return NULL;
}

static void answer(struct box_work *work)
{
    struct iovec part = {&work->reply, BRIG_BROKER_REPLY_HEADER_BYTES + work->reply.answer_bytes};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.bytes = {0}};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (work->job.descriptor >= 0) {
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &work->job.descriptor, sizeof(int));
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(sizeof(int));
    }
    if (sendmsg(work->session->request_fd, &message, MSG_NOSIGNAL) < 0)
        box_session_end(work->session, NULL, 0); // nobody is there any more
}

static void free_nothing(struct box_session *session)
{
    (void)session;
}

const struct box_port box_port_messages = {1, receive, collect, answer, free_nothing};
