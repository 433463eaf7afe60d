// packet: one message of a SOCK_SEQPACKET socket, and the descriptors that go with it (SCM_RIGHTS). Internal.
//
// Who sends may be hostile: what is received is either a whole packet with the descriptors that the caller has room for, or nothing
// that stays open. Sockets are our own ends, without SO_PASSCRED and its kind.
#ifndef BRIG_SANDBOX_WORKER_PACKET_H
#define BRIG_SANDBOX_WORKER_PACKET_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#define BOX_PACKET_FDS 3

// The first `count` are there. What was received has -1 in the rest, so fds[0] is the only descriptor or -1.
struct box_packet_fds {
    size_t count;
    int fds[BOX_PACKET_FDS];
};

// One descriptor, or none for -1.
static inline struct box_packet_fds box_packet_fd(int fd)
{
    return (struct box_packet_fds){fd >= 0, {fd, -1, -1}};
}

// Sends a packet with descriptors, which stay the caller's. `flags`: MSG_DONTWAIT or 0. Returns: as sendmsg(2); EPIPE without a
// signal. Context: any.
ssize_t box_packet_send(int socket_fd, const void *bytes, size_t byte_count, const struct box_packet_fds *fds, int flags);

// Receives a packet with at most `most` descriptors (up to BOX_PACKET_FDS), all close-on-exec. `flags`: MSG_DONTWAIT or 0.
// Returns: its bytes; 0 at the end, and for an empty packet; or -1 with errno: recvmsg(2)'s; EPROTO for one that is longer than
// `part`, is empty and has descriptors, has more than `most`, or something that is none; EMFILE where this process may not have so
// many. Then nothing was left open.
// Owns: the caller closes ret_fds, which is written in any case. Context: any.
ssize_t box_packet_receive(int socket_fd, struct iovec part, size_t most, int flags, struct box_packet_fds *ret_fds);

// Closes what is there, and leaves none.
void box_packet_close(struct box_packet_fds *fds);

#endif
