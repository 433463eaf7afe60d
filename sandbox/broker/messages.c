// messages: requests of a notify front end, which speaks for a program that was executed. One message is a request with its
// descriptors, the next one back is its reply; a socket has one request at a time, and a front end as many sockets as it has
// threads.
//
// A message wakes a thread wherever there is room, maybe where others work; so these threads preempt (they are not patient), or
// each would wait for a stranger's slice: with both processors busy an open of a program took 2 ms, where it now takes 0.1.
//
// The front end is ours, but it has copied what a hostile program wrote, and a program that takes it over speaks here: so a message
// is checked as a slot is.
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/broker/session.h"

static enum box_received receive(struct box_work *work)
{
    struct box_packet_fds came;
    const struct iovec part = {&work->request, sizeof work->request};
    const ssize_t got = box_packet_receive(work->session->request_fd, part, BOX_ATTACHED, 0, &came);
    const bool is_malformed = got < 0 && (errno == EPROTO || errno == EMFILE);
    if (got < 0 && errno == EINTR)
        return BOX_RECEIVED_NOTHING;
    if (got <= 0 && !is_malformed)
        return BOX_RECEIVED_END;
    work->request_bytes = is_malformed ? 0 : (size_t)got;
    const bool has_header = work->request_bytes >= BRIG_BROKER_HEADER_BYTES;
    if (box_attached_from(&came, has_header ? work->request.attached : 0, work->came_with) && has_header)
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
    const struct box_packet_fds fds = box_packet_fd(work->job.descriptor);
    const size_t bytes = BRIG_BROKER_REPLY_HEADER_BYTES + work->reply.answer_bytes;
    if (box_packet_send(work->session->request_fd, &work->reply, bytes, &fds, 0) < 0)
        box_session_end(work->session, NULL, 0); // nobody is there any more
}

static void free_nothing(struct box_session *session)
{
    (void)session;
}

const struct box_port box_port_messages = {1, false, true, receive, collect, answer, free_nothing};
