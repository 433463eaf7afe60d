// Packets with descriptors: what comes is what was wanted, or nothing of it stays open.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/worker/packet.h"
#include "tests/sandbox/fixture.h"

// Lowest free number: nothing was left open below, if it is what it was before.
static int next_descriptor(void)
{
    const int fd = dup(STDIN_FILENO);
    close(fd);
    return fd;
}

static bool is_same_file(int left, int right)
{
    struct stat a, b;
    return fstat(left, &a) == 0 && fstat(right, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void check_received(const struct box_packet_fds *fds, const int *sent, size_t count)
{
    CHECK_EQ(fds->count, count);
    for (size_t i = 0; i < BOX_PACKET_FDS; i++) {
        if (i >= count) {
            CHECK_EQ(fds->fds[i], -1);
            continue;
        }
        CHECK(is_same_file(fds->fds[i], sent[i]));
        CHECK_EQ(fcntl(fds->fds[i], F_GETFD), FD_CLOEXEC);
    }
}

TEST(sandbox, packets_come_whole_or_leave_nothing_open)
{
    static const struct {
        const char *what;
        size_t bytes, fds;   // that are sent
        size_t room, most;   // of who receives
        bool is_credentials; // asks for those of the sender, which come as a control message of their own
        long got;
        int sys_errno;
    } rows[] = {
        {"no descriptor", 8, 0, 8, 3, .got = 8},
        {"no descriptor, and no room for one", 8, 0, 8, 0, .got = 8},
        {"one", 8, 1, 8, 1, .got = 8},
        {"one of three", 8, 1, 8, 3, .got = 8},
        {"two of three", 8, 2, 8, 3, .got = 8},
        {"three", 8, 3, 8, 3, .got = 8},
        {"a short packet", 3, 1, 8, 1, .got = 3},
        {"a surplus one where there is none wanted", 8, 1, 8, 0, .got = -1, .sys_errno = EPROTO},
        {"a surplus one that alignment has room for", 8, 2, 8, 1, .got = -1, .sys_errno = EPROTO},
        {"a surplus one behind three", 8, 4, 8, 3, .got = -1, .sys_errno = EPROTO},
        {"a surplus of many", 8, FIXTURE_FDS, 8, 1, .got = -1, .sys_errno = EPROTO},
        {"a long packet", 9, 0, 8, 1, .got = -1, .sys_errno = EPROTO},
        {"a long packet with a descriptor", 9, 1, 8, 1, .got = -1, .sys_errno = EPROTO},
        {"an empty packet", 0, 0, 8, 1, .got = 0},
        {"an empty packet with a descriptor", 0, 1, 8, 1, .got = -1, .sys_errno = EPROTO},
        {"an empty packet with too many", 0, 9, 8, 3, .got = -1, .sys_errno = EPROTO},
        {"no descriptor, but credentials", 8, 0, 8, 3, true, .got = -1, .sys_errno = EPROTO},
        {"no descriptor, but half of credentials", 8, 0, 8, 1, true, .got = -1, .sys_errno = EPROTO},
        {"credentials before descriptors", 8, 3, 8, 3, true, .got = -1, .sys_errno = EPROTO},
    };
    int pipes[2][2], sent[FIXTURE_FDS], pair[2];
    REQUIRE(pipe(pipes[0]) == 0 && pipe(pipes[1]) == 0);
    for (size_t i = 0; i < COUNT_OF(sent); i++)
        sent[i] = pipes[i % 2][i / 2 % 2];
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char bytes[16] = "";
        struct box_packet_fds fds;
        const int asks = rows[i].is_credentials;
        test_message("row %zu: %s", i, rows[i].what);
        REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
        REQUIRE(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &asks, sizeof asks) == 0);
        const int next = next_descriptor();
        CHECK_EQ(fixture_send(pair[0], "12345678abcdefg", rows[i].bytes, sent, rows[i].fds), rows[i].bytes);
        errno = 0;
        CHECK_EQ(box_packet_receive(pair[1], (struct iovec){bytes, rows[i].room}, rows[i].most, MSG_DONTWAIT, &fds), rows[i].got);
        CHECK_EQ(errno, rows[i].sys_errno);
        CHECK_EQ(bytes[rows[i].room], '\0');
        check_received(&fds, sent, rows[i].got > 0 ? rows[i].fds : 0);
        box_packet_close(&fds);
        check_received(&fds, NULL, 0);
        CHECK_EQ(next_descriptor(), next);
        close(pair[0]);
        close(pair[1]);
    }
    for (int i = 0; i < 4; i++)
        close(pipes[i / 2][i % 2]);
}

TEST(sandbox, packets_that_are_not_there_have_no_descriptors)
{
    int pair[2];
    char byte;
    struct box_packet_fds fds = {.count = 9};
    const struct iovec part = {&byte, 1};
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
    CHECK_EQ(box_packet_receive(pair[1], part, 1, MSG_DONTWAIT, &fds), -1);
    CHECK_EQ(errno, EAGAIN);
    check_received(&fds, NULL, 0);
    close(pair[0]);
    CHECK_EQ(box_packet_receive(pair[1], part, 1, 0, &fds), 0);
    check_received(&fds, NULL, 0);
    close(pair[1]);
    CHECK_EQ(box_packet_receive(pair[1], part, 1, 0, &fds), -1);
    CHECK_EQ(errno, EBADF);
    check_received(&fds, NULL, 0);
}

// In a process of its own, because of its limit.
SANDBOX_TEST(sandbox, packets_do_not_bring_half_of_their_descriptors, .expect_exit = 0)
{
    int pair[2];
    char byte;
    struct box_packet_fds fds;
    const int sent[3] = {0, 1, 2};
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
    const int next = next_descriptor();
    const struct rlimit limit = {(rlim_t)next + 2, (rlim_t)next + 2};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK_EQ(fixture_send(pair[0], "x", 1, sent, 3), 1);
    CHECK_EQ(box_packet_receive(pair[1], (struct iovec){&byte, 1}, 3, MSG_DONTWAIT, &fds), -1);
    CHECK_EQ(errno, EMFILE);
    check_received(&fds, sent, 0);
    CHECK_EQ(next_descriptor(), next);
    CHECK_EQ(fixture_send(pair[0], "x", 1, sent, 2), 1);
    CHECK_EQ(box_packet_receive(pair[1], (struct iovec){&byte, 1}, 3, MSG_DONTWAIT, &fds), 1);
    check_received(&fds, sent, 2);
    box_packet_close(&fds);
    close(pair[0]);
    close(pair[1]);
}

SANDBOX_TEST(sandbox, packets_to_nobody_are_an_error_and_no_signal, .expect_exit = 0)
{
    int pair[2];
    const struct box_packet_fds none = box_packet_fd(-1), one = box_packet_fd(0);
    CHECK_EQ(none.count, 0u);
    CHECK_EQ(one.count, 1u);
    REQUIRE(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
    close(pair[1]);
    CHECK_EQ(box_packet_send(pair[0], "hello", 5, &one, 0), -1);
    CHECK_EQ(errno, EPIPE);
    close(pair[0]);
}

TEST(sandbox, packets_are_sent_with_what_is_there)
{
    int pair[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
    for (size_t count = 0; count <= BOX_PACKET_FDS; count++) {
        char text[8] = "";
        struct box_packet_fds came, sent = {count, {0, pair[0], pair[1]}};
        test_message("%zu descriptors", count);
        CHECK_EQ(box_packet_send(pair[0], "hello", 5, &sent, MSG_DONTWAIT), 5);
        CHECK_EQ(box_packet_receive(pair[1], (struct iovec){text, sizeof text}, BOX_PACKET_FDS, MSG_DONTWAIT, &came), 5);
        CHECK_STR_EQ(text, "hello");
        check_received(&came, sent.fds, count);
        box_packet_close(&came);
    }
    close(pair[0]);
    close(pair[1]);
}
