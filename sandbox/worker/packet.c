// packet: sending and receiving descriptors with a message, in one place.
//
// The room for control data ends with the last descriptor that the caller wants (CMSG_LEN). CMSG_SPACE is rounded up to the
// alignment, which is room for a second int: the kernel would install that one, too, and who looks for one descriptor would leave
// it open. What does not fit the kernel drops, and says so (MSG_CTRUNC).
//
// Source: unix(7), cmsg(3), net/core/scm.c:scm_detach_fds.
#include "sandbox/worker/packet.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * BOX_PACKET_FDS)];
};
// So nothing with a descriptor in it can stand behind something else, and the first header is all there is to look at.
_Static_assert(CMSG_LEN(sizeof(int) * BOX_PACKET_FDS) < CMSG_LEN(0) + CMSG_LEN(sizeof(int)), "room for one control message");

// In musl's type, which is the narrower one.
static socklen_t room_for(size_t count)
{
    return (socklen_t)CMSG_LEN(sizeof(int) * count);
}

ssize_t box_packet_send(int socket_fd, const void *bytes, size_t byte_count, const struct box_packet_fds *fds, int flags)
{
    struct iovec part = {(void *)(uintptr_t)bytes, byte_count};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    union control control = {.bytes = {0}};
    if (fds->count) {
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = room_for(fds->count);
        memcpy(CMSG_DATA(&control.header), fds->fds, sizeof(int) * fds->count);
        message.msg_control = &control;
        message.msg_controllen = room_for(fds->count);
    }
    return sendmsg(socket_fd, &message, flags | MSG_NOSIGNAL);
}

static const struct box_packet_fds no_fds = {0, {-1, -1, -1}};

void box_packet_close(struct box_packet_fds *fds)
{
    for (size_t i = 0; i < fds->count; i++)
        close(fds->fds[i]);
    *fds = no_fds;
}

// All that the kernel has installed. Returns: whether there was nothing but descriptors.
static bool take_descriptors(struct msghdr *message, struct box_packet_fds *fds)
{
    const struct cmsghdr *header = CMSG_FIRSTHDR(message);
    if (!header)
        return true;
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
        return false;
    fds->count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds->fds, CMSG_DATA(header), sizeof(int) * fds->count);
    return true;
}

ssize_t box_packet_receive(int socket_fd, struct iovec part, size_t most, int flags, struct box_packet_fds *ret_fds)
{
    union control control = {.bytes = {0}};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = room_for(most)};
    const ssize_t got = recvmsg(socket_fd, &message, flags | MSG_CMSG_CLOEXEC);
    *ret_fds = no_fds;
    if (got < 0)
        return got;
    const bool is_clean = take_descriptors(&message, ret_fds);
    const bool is_cut = (message.msg_flags & MSG_CTRUNC) != 0;
    const bool lacks_room = is_clean && is_cut && ret_fds->count < most;
    if (is_clean && !is_cut && !(message.msg_flags & MSG_TRUNC) && (got > 0 || ret_fds->count == 0))
        return got;
    box_packet_close(ret_fds);
    errno = lacks_room ? EMFILE : EPROTO;
    return -1;
}
