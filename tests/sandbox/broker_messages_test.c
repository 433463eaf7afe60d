// Requests as messages: what a notify front end does for a program that was executed.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "policies/policies.h"
#include "sandbox/supervisor/internal.h"
#include "sandbox/worker/packet.h"
#include "tests/sandbox/broker_room.h"
#include "tests/sandbox/lingering.h"

static int64_t ask_by_message(int socket_fd, const struct brig_broker_request *request, size_t bytes, int *ret_descriptor)
{
    struct brig_broker_reply reply = {.result = 0};
    struct box_packet_fds fds;
    *ret_descriptor = -1;
    if (send(socket_fd, request, bytes, MSG_NOSIGNAL) != (ssize_t)bytes ||
        box_packet_receive(socket_fd, (struct iovec){&reply, sizeof reply}, 1, 0, &fds) <= 0)
        return INT64_MIN;
    *ret_descriptor = fds.fds[0];
    return reply.result;
}

static size_t fill_open(struct brig_broker_request *request, const char *path)
{
    const size_t bytes = strlen(path) + 1;
    *request = (struct brig_broker_request){
        .op = BRIG_BROKER_OP_OPEN, .call = BRIG_SYS_openat, .flags = O_RDONLY, .path_bytes = {(uint32_t)bytes, 0}};
    memcpy(request->bytes, path, bytes);
    return BRIG_BROKER_HEADER_BYTES + bytes;
}

SANDBOX_TEST(broker, front_ends_ask_by_messages, .expect_exit = 0)
{
    static struct brig_broker_request request;
    struct room room;
    struct brig_error error;
    int socket_fd, other_fd, fd;
    uint32_t client = 0;
    char text[16] = "";
    REQUIRE(room_open(&room));
    const int before = room_descriptors(brig_broker_pid(room.broker));
    REQUIRE_OK(box_broker_socket(room.broker, &client, &socket_fd, &error), &error);
    REQUIRE_OK(box_broker_socket(room.broker, &client, &other_fd, &error), &error);
    CHECK_EQ(ask_by_message(socket_fd, &request, fill_open(&request, room_path("ro/hello")), &fd), 0);
    CHECK_EQ(read(fd, text, sizeof text), 6);
    CHECK_STR_EQ(text, "hello\n");
    close(fd);
    CHECK_EQ(ask_by_message(socket_fd, &request, fill_open(&request, room_path("secret/file")), &fd), -EACCES);
    CHECK_EQ(fd, -1);
    CHECK_EQ(ask_by_message(socket_fd, &request, BRIG_BROKER_HEADER_BYTES - 1, &fd), INT64_MIN); // no request: it is closed
    CHECK_EQ(ask_by_message(other_fd, &request, fill_open(&request, room_path("ro/hello")), &fd), 0);
    close(fd);
    close(other_fd);
    close(socket_fd);
    CHECK_EQ(room_settled_descriptors(room.broker, before), before);
    brig_broker_stop(room.broker);
    room_close(&room);
}

// What nobody read of its messages is closed with its socket: not by the thread that looks after all others.
SANDBOX_TEST(broker, messages_that_are_slow_to_close_stall_nobody, .expect_exit = 0, .timeout_ms = 60000)
{
    static struct brig_broker_request request;
    struct room room;
    struct brig_error error;
    int socket_fd, other_fd, peer_fd;
    uint32_t client = 0, other = 0;
    REQUIRE(room_open(&room));
    int fd = lingering_socket(&peer_fd);
    REQUIRE_OK(box_broker_socket(room.broker, &client, &socket_fd, &error), &error);
    REQUIRE(CHECK_EQ(mkfifo(room_path("ro/fifo"), 0600), 0));
    const size_t bytes = fill_open(&request, room_path("ro/fifo"));
    CHECK_EQ(send(socket_fd, &request, bytes, MSG_NOSIGNAL), bytes);
    poll(NULL, 0, 100); // until its thread waits for the other end
    CHECK_EQ(box_packet_send(socket_fd, "", 1, &(struct box_packet_fds){1, {fd}}, 0), 1);
    close(fd);
    close(socket_fd);
    const int fifo_fd = open(room_path("ro/fifo"), O_WRONLY);
    poll(NULL, 0, 100);
    const time_t start = time(NULL);
    REQUIRE_OK(box_broker_socket(room.broker, &other, &other_fd, &error), &error);
    CHECK_EQ(ask_by_message(other_fd, &request, fill_open(&request, room_path("ro/hello")), &fd), 0);
    CHECK_LT(time(NULL) - start, 5);
    close(fd), close(fifo_fd), close(other_fd), close(peer_fd);
    room_close(&room);
}

SANDBOX_TEST(broker, it_resolves_names_behind_its_lock, .expect_exit = 0)
{
    static struct brig_broker_request request;
    struct room room;
    struct brig_error error;
    int socket_fd, fd;
    uint32_t client = 0;
    static const char names[] = "localhost\0"
                                "80";
    REQUIRE(room_open(&room));
    const struct brig_broker_spec spec = {
        .name = "names", .policy = brig_policy_for_this_build("broker+network"), .list = {.may_resolve = true}};
    REQUIRE_OK(brig_broker_start(room.fixture.supervisor, &spec, &room.broker, &error), &error);
    REQUIRE_OK(box_broker_socket(room.broker, &client, &socket_fd, &error), &error);
    request = (struct brig_broker_request){.op = BRIG_BROKER_OP_RESOLVE, .path_bytes = {10, 3}};
    memcpy(request.bytes, names, sizeof names);
    CHECK_GE(ask_by_message(socket_fd, &request, BRIG_BROKER_HEADER_BYTES + 13, &fd), 1);
    close(socket_fd);
    CHECK_EQ(fixture_count(&room.fixture, BRIG_EVENT_VIOLATION), 0u);
    room_close(&room);
}
