// channel: messages with descriptors over a SOCK_SEQPACKET pair, for both ends.
//
// Takes and gives whole messages of one known size. Guarantees: after a message of another shape no descriptor is left open. No
// allocation, so that the worker's side needs nothing but sendmsg and recvmsg.
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/sample/sample.h"

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(SAMPLE_DESCRIPTORS_MAX * sizeof(int))];
};

const char *sample_status_text(uint32_t status)
{
    static const char *const texts[SAMPLE_STATUS_COUNT] = {
        [SAMPLE_OK] = "fine",
        [SAMPLE_NOT_PNG] = "not a PNG",
        [SAMPLE_DAMAGED] = "a damaged PNG",
        [SAMPLE_TOO_BIG] = "too big",
        [SAMPLE_NO_MEMORY] = "not enough memory",
        [SAMPLE_CANNOT_READ] = "cannot be read",
        [SAMPLE_CANNOT_WRITE] = "the output cannot be written",
        [SAMPLE_CANNOT_CONNECT] = "the server cannot be reached",
        [SAMPLE_BAD_REPLY] = "the server's reply is no use",
        [SAMPLE_BAD_JOB] = "not a job",
    };
    return status < SAMPLE_STATUS_COUNT ? texts[status] : "unknown status";
}

bool sample_send(int channel_fd, const void *message, size_t message_bytes, const int *fds, size_t fd_count)
{
    union control control = {.bytes = {0}};
    struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = message_bytes};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd_count > 0) {
        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(rights), fds, fd_count * sizeof(int));
    }
    ssize_t sent;
    do {
        sent = sendmsg(channel_fd, &header, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)message_bytes;
}

// Returns: how many descriptors came.
static size_t take_descriptors(struct msghdr *header, int fds[SAMPLE_DESCRIPTORS_MAX])
{
    const struct cmsghdr *rights = CMSG_FIRSTHDR(header);
    if (!rights || rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS) {
        return 0;
    }
    size_t bytes = rights->cmsg_len - CMSG_LEN(0);
    memcpy(fds, CMSG_DATA(rights), bytes);
    return bytes / sizeof(int);
}

bool sample_receive(int channel_fd, void *message, size_t message_bytes, int *ret_fds, size_t fd_count)
{
    union control control = {.bytes = {0}};
    struct iovec part = {.iov_base = message, .iov_len = message_bytes};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t received;
    do {
        received = recvmsg(channel_fd, &header, MSG_CMSG_CLOEXEC);
    } while (received < 0 && errno == EINTR);
    if (received <= 0) {
        errno = received == 0 ? 0 : errno;
        return false;
    }
    int fds[SAMPLE_DESCRIPTORS_MAX];
    size_t came = take_descriptors(&header, fds);
    bool is_cut = header.msg_flags & (MSG_TRUNC | MSG_CTRUNC);
    if ((size_t)received != message_bytes || came != fd_count || is_cut) {
        for (size_t i = 0; i < came; i++) {
            close(fds[i]);
        }
        errno = EPROTO;
        return false;
    }
    if (fd_count > 0) {
        memcpy(ret_fds, fds, fd_count * sizeof(int));
    }
    return true;
}

static void make_printable(char text[SAMPLE_TEXT_BYTES])
{
    text[SAMPLE_TEXT_BYTES - 1] = '\0';
    for (char *at = text; *at; at++) {
        if (!isprint((unsigned char)*at)) {
            *at = '?';
        }
    }
}

bool sample_receive_answer(int channel_fd, struct sample_answer *ret_answer)
{
    struct sample_answer answer;
    if (!sample_receive(channel_fd, &answer, sizeof answer, NULL, 0)) {
        return false;
    }
    if (answer.status >= SAMPLE_STATUS_COUNT) {
        errno = EPROTO;
        return false;
    }
    make_printable(answer.detail);
    make_printable(answer.attempt);
    *ret_answer = answer;
    return true;
}
