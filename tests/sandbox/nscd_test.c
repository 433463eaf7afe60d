// What stands in for nscd, from connect to answer: right answers, and whoever asks slowly, too much or not at all keeps nobody else
// waiting. getaddrinfo is a stand-in itself (ld's --wrap), so that names can be slow.
#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/broker/nscd.h"
#include "sandbox/worker/packet.h"
#include "tests/sandbox/lingering.h"
#include "tests/shim/test.h"

// Newer than the oldest headers that this builds with. Source: include/uapi/asm-generic/socket.h, 6.16.
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

int __real_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_addresses);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_addresses);

// "slow" takes longer than anybody waits, "again" has to be asked again, all else is this machine's.
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_addresses)
{
    if (strcmp(node, "slow") == 0)
        sleep(6);
    if (strcmp(node, "again") == 0)
        return EAI_AGAIN;
    return __real_getaddrinfo("127.0.0.1", service, hints, ret_addresses);
}

static int listener_fd;

static struct box_nscd *start(void)
{
    listener_fd = box_nscd_listen();
    struct box_nscd *nscd = CHECK_GE(listener_fd, 0) ? box_nscd_start(listener_fd) : NULL;
    return CHECK(nscd != NULL) ? nscd : NULL;
}

// Returns: a socket that is connected to it, or -errno.
static int connect_to(struct box_nscd *nscd, uint32_t client)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int result = box_nscd_connect(nscd, client, fd);
    if (result != 0)
        close(fd);
    return result == 0 ? fd : result;
}

static void send_question(int fd, enum box_nscd_type type, const void *key, size_t bytes)
{
    const int32_t header[3] = {BOX_NSCD_VERSION, (int32_t)type, (int32_t)bytes};
    char question[BOX_NSCD_QUESTION_BYTES];
    memcpy(question, header, sizeof header);
    memcpy(question + sizeof header, key, bytes);
    CHECK_EQ(send(fd, question, sizeof header + bytes, MSG_NOSIGNAL), sizeof header + bytes);
}

static int ask(struct box_nscd *nscd, uint32_t client, const char *name)
{
    const int fd = connect_to(nscd, client);
    if (CHECK_GE(fd, 0))
        send_question(fd, BOX_NSCD_ADDRESSES, name, strlen(name) + 1);
    return fd;
}

// Reads to the end and closes. Returns: how much there was, -1: it did not end in `limit_ms`.
static ssize_t read_answer(int fd, int32_t *ret_answer, size_t bytes, int limit_ms)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    ssize_t sum = 0, got = -1;
    while (poll(&polled, 1, limit_ms) == 1 && (got = read(fd, (char *)ret_answer + sum, bytes - (size_t)sum)) > 0)
        sum += got;
    close(fd);
    return got == 0 ? sum : -1;
}

// Returns: what the answer says of an asked name: 1 found, 0 not found; -1: nothing.
static int found(int fd, int limit_ms)
{
    int32_t answer[BOX_NSCD_ANSWER_BYTES / 4];
    return read_answer(fd, answer, sizeof answer, limit_ms) >= 24 ? answer[1] : -1;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Its threads and its listener are there to the end of the process.
static void end(void)
{
    _exit(0);
}

// --- answers ----------------------------------------------------------------------------------------------------------

SANDBOX_TEST(nscd, questions_are_answered_and_the_connection_ends, .expect_exit = 0)
{
    static const uint8_t loopback[] = {127, 0, 0, 1};
    struct box_nscd *nscd = start();
    int32_t answer[BOX_NSCD_ANSWER_BYTES / 4];
    CHECK_EQ(read_answer(ask(nscd, 1, "host"), answer, sizeof answer, 5000), 24 + 4 + 1 + sizeof "127.0.0.1");
    CHECK_EQ(answer[1], 1);
    CHECK_EQ(answer[2], 1);
    CHECK(memcmp(&answer[6], loopback, 4) == 0);
    CHECK_EQ(read_answer(ask(nscd, 1, "again"), answer, sizeof answer, 5000), 24);
    CHECK_EQ(answer[1], 0);
    CHECK_EQ(answer[5], TRY_AGAIN);
    int fd = connect_to(nscd, 1);
    send_question(fd, BOX_NSCD_HOST_BY_NAME, "127.0.0.1", 10);
    CHECK_EQ(read_answer(fd, answer, sizeof answer, 5000), 32 + 10 + 4);
    CHECK_EQ(answer[1], 1);
    fd = connect_to(nscd, 1);
    send_question(fd, BOX_NSCD_HOST_BY_NAME_6, "::1", 4);
    CHECK_EQ(read_answer(fd, answer, sizeof answer, 5000), 32 + 4 + 16);
    const struct hostent *host = gethostbyaddr(loopback, 4, AF_INET);
    fd = connect_to(nscd, 1);
    send_question(fd, BOX_NSCD_HOST_BY_ADDRESS, loopback, 4);
    CHECK_GE(read_answer(fd, answer, sizeof answer, 5000), 32);
    CHECK_EQ(answer[1], host != NULL);
    CHECK(!host || strcmp((const char *)&answer[8], host->h_name) == 0);
    end();
}

SANDBOX_TEST(nscd, what_it_does_not_answer_it_closes, .expect_exit = 0)
{
    static const enum box_nscd_type other[] = {0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18, 19, 20, 21, 22};
    struct box_nscd *nscd = start();
    int32_t answer[8];
    const int64_t before = now_ms();
    for (size_t i = 0; i < COUNT_OF(other); i++) {
        const int fd = connect_to(nscd, 1);
        send_question(fd, other[i], "hosts", 6);
        CHECK_EQ(read_answer(fd, answer, sizeof answer, 5000), 0);
    }
    CHECK_LT(now_ms() - before, 5000);
    end();
}

// A socket that was connected, that listens, of another kind: refused as the kernel does, and what comes after is as ever.
SANDBOX_TEST(nscd, other_sockets_are_not_connected, .expect_exit = 0)
{
    struct box_nscd *nscd = start();
    const int fd = connect_to(nscd, 1), inet_fd = socket(AF_INET, SOCK_STREAM, 0), datagram_fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK_EQ(box_nscd_connect(nscd, 1, fd), -EISCONN);
    CHECK_LT(box_nscd_connect(nscd, 1, inet_fd), 0);
    CHECK_LT(box_nscd_connect(nscd, 1, datagram_fd), 0);
    CHECK_EQ(box_nscd_connect(nscd, 1, listener_fd), -EINVAL);
    CHECK_EQ(box_nscd_connect(nscd, 1, -1), -EBADF);
    for (unsigned i = 0; i < 100; i++)
        CHECK_EQ(found(ask(nscd, 2 + i % 2, "host"), 5000), 1);
    close(fd), close(inet_fd), close(datagram_fd);
    end();
}

// --- what others do ---------------------------------------------------------------------------------------------------

static int connect_as_stranger(void)
{
    struct sockaddr_un address;
    socklen_t bytes = sizeof address;
    int32_t answer[8];
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    getsockname(listener_fd, (struct sockaddr *)&address, &bytes);
    if (connect(fd, (struct sockaddr *)&address, bytes) != 0)
        return 1;
    send(fd, (const int32_t[]){BOX_NSCD_VERSION, BOX_NSCD_ADDRESSES, 5}, 12, MSG_NOSIGNAL);
    send(fd, "host", 5, MSG_NOSIGNAL);
    return read_answer(fd, answer, sizeof answer, 5000) <= 0 ? 0 : 2;
}

SANDBOX_TEST(nscd, strangers_are_sent_away_unheard, .expect_exit = 0)
{
    struct box_nscd *nscd = start();
    pid_t children[8];
    for (size_t i = 0; i < COUNT_OF(children); i++) {
        children[i] = fork();
        for (int k = 0; children[i] == 0; k++) {
            const int result = connect_as_stranger();
            if (result != 0 || k == 20)
                _exit(result);
        }
        CHECK_EQ(found(ask(nscd, 1, "host"), 5000), 1);
    }
    for (size_t i = 0; i < COUNT_OF(children); i++) {
        int status = -1;
        CHECK_EQ(waitpid(children[i], &status, 0), children[i]);
        CHECK_EQ(status, 0);
    }
    end();
}

SANDBOX_TEST(nscd, descriptors_that_are_slow_to_close_stall_nobody, .expect_exit = 0, .timeout_ms = 60000)
{
    static const int no = 0;
    struct box_nscd *nscd = start();
    int peer_fd;
    const int fd = lingering_socket(&peer_fd), asker = ask(nscd, 1, "slow"); // so that nobody reads what comes behind it
    if (setsockopt(asker, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof no) != 0) {
        test_skip("this kernel has no sockets that take no descriptors");
        return;
    }
    poll(NULL, 0, 100);
    const bool is_taken = box_packet_send(asker, "", 1, &(struct box_packet_fds){1, {fd}}, 0) == 1;
    CHECK(!is_taken && errno == EPERM);
    if (!is_taken)
        close(peer_fd); // or this close waits
    close(fd);
    close(asker);
    poll(NULL, 0, 100);
    const int64_t before = now_ms();
    CHECK_EQ(found(ask(nscd, 2, "host"), 5000), 1);
    CHECK_LT(now_ms() - before, 3000);
    end();
}

SANDBOX_TEST(nscd, a_client_has_its_share_and_no_more, .expect_exit = 0)
{
    enum { SHARE = 64 };
    struct box_nscd *nscd = start();
    int fds[SHARE];
    for (size_t i = 0; i < SHARE; i++)
        CHECK_GE(fds[i] = connect_to(nscd, 1), 0);
    CHECK_EQ(connect_to(nscd, 1), -EAGAIN);
    CHECK_EQ(found(ask(nscd, 2, "host"), 5000), 1);
    for (size_t i = 0; i < SHARE; i++)
        close(fds[i]);
    int fd = -EAGAIN;
    for (int i = 0; i < 200 && fd == -EAGAIN; i++, poll(NULL, 0, 10))
        fd = connect_to(nscd, 1);
    CHECK_GE(fd, 0);
    send_question(fd, BOX_NSCD_ADDRESSES, "host", 5);
    CHECK_EQ(found(fd, 5000), 1);
    end();
}

SANDBOX_TEST(nscd, half_a_question_ends_in_time, .expect_exit = 0)
{
    struct box_nscd *nscd = start();
    const int64_t before = now_ms();
    const int silent = connect_to(nscd, 1), half = connect_to(nscd, 1);
    send(half, (const int32_t[]){BOX_NSCD_VERSION, BOX_NSCD_ADDRESSES, 100}, 12, MSG_NOSIGNAL);
    int32_t answer[8];
    CHECK_EQ(read_answer(silent, answer, sizeof answer, 8000), 0);
    CHECK_EQ(read_answer(half, answer, sizeof answer, 8000), 0);
    CHECK_GE(now_ms() - before, 3000);
    CHECK_LT(now_ms() - before, 8000);
    end();
}

// As many at once as threads were not there for: the one that waits for work is not to get all of them.
SANDBOX_TEST(nscd, a_slow_name_holds_up_no_other_of_its_client, .expect_exit = 0)
{
    struct box_nscd *nscd = start();
    int fds[4];
    CHECK_EQ(found(ask(nscd, 1, "host"), 5000), 1);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        fds[i] = connect_to(nscd, 1);
    const int64_t before = now_ms();
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        send_question(fds[i], BOX_NSCD_ADDRESSES, i == 3 ? "host" : "slow", 5);
    CHECK_EQ(found(fds[3], 5000), 1);
    CHECK_LT(now_ms() - before, 3500);
    end();
}

SANDBOX_TEST(nscd, slow_names_hold_up_nobody_else_in_other_threads, .expect_exit = 0, .timeout_ms = 20000)
{
    enum { SLOW = 20 };
    struct box_nscd *nscd = start();
    const int64_t before = now_ms();
    int fds[SLOW];
    for (size_t i = 0; i < SLOW; i++)
        fds[i] = ask(nscd, 1, "slow");
    for (uint32_t i = 0; i < 8; i++)
        CHECK_EQ(found(ask(nscd, 2 + i, "host"), 5000), 1);
    CHECK_LT(now_ms() - before, 3500);
    for (size_t i = 0; i < SLOW; i++)
        CHECK_EQ(found(fds[i], 6000), 0);
    CHECK_GE(now_ms() - before, 3000);
    CHECK_LT(now_ms() - before, 5500); // before glibc is tired of waiting, which is then without nscd for a while
    end();
}

// --- many -------------------------------------------------------------------------------------------------------------

static struct box_nscd *shared;

static void *ask_often(void *number)
{
    for (int i = 0; i < 40; i++) {
        const int fd = ask(shared, (uint32_t)(uintptr_t)number, "host");
        if (i % 4 == 3)
            close(fd); // and does not wait
        else
            CHECK_EQ(found(fd, 5000), 1);
    }
    return NULL;
}

static int count_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}

SANDBOX_TEST(nscd, many_threads_are_answered, .expect_exit = 0)
{
    pthread_t threads[12];
    shared = start();
    const int before = count_descriptors();
    for (uintptr_t i = 0; i < COUNT_OF(threads); i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, ask_often, (void *)(i / 3)), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 200 && count_descriptors() > before; i++)
        poll(NULL, 0, 10);
    CHECK_EQ(count_descriptors(), before);
    end();
}
