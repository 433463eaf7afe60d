// Workers that do to their broker what they can: each row ends its own session, and nobody else's.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/sandbox/broker_room.h"
#include "tests/sandbox/lingering.h"

static long ask(uint64_t slot, uint64_t generation)
{
    return syscall(BRIG_DSL_BROKER_NR, slot, generation);
}

// Without a tag: an empty message.
static void send_attachment(const struct brig_broker_attachment *tag, const int *fds, size_t count)
{
    if (fixture_send(room_socket, tag, tag ? sizeof *tag : 0, fds, count) < 0)
        return; // its session is over already
}

// --- requests that are none -------------------------------------------------------------------------------------------

static struct brig_broker_request *filled(void)
{
    room_fill(0, room_path("ro/hello"));
    return &room_slots->slots[0].request;
}

static uint64_t no_such_slot(void)
{
    filled();
    return BRIG_BROKER_SLOT_COUNT;
}

static uint64_t a_slot_beyond_all(void)
{
    filled();
    return UINT64_MAX;
}

static uint64_t no_such_op(void)
{
    filled()->op = BRIG_BROKER_OP_COUNT;
    return 0;
}

static uint64_t op_zero(void)
{
    filled()->op = 0;
    return 0;
}

static uint64_t a_path_too_long(void)
{
    filled()->path_bytes[0] = BRIG_BROKER_PATH_BYTES + 1;
    return 0;
}

static uint64_t a_path_that_wraps(void)
{
    filled()->path_bytes[0] = UINT32_MAX;
    return 0;
}

static uint64_t a_path_without_end(void)
{
    struct brig_broker_request *request = filled();
    memset(request->bytes, 'a', BRIG_BROKER_PATH_BYTES);
    request->path_bytes[0] = BRIG_BROKER_PATH_BYTES;
    return 0;
}

static uint64_t a_path_with_two_ends(void)
{
    struct brig_broker_request *request = filled();
    request->path_bytes[0] += 2;
    memcpy(request->bytes + request->path_bytes[0] - 3, "\0a", 3);
    return 0;
}

static uint64_t a_path_too_many(void)
{
    struct brig_broker_request *request = filled();
    request->path_bytes[1] = request->path_bytes[0];
    memcpy(request->bytes + request->path_bytes[0], request->bytes, request->path_bytes[0]);
    return 0;
}

static uint64_t data_too_long(void)
{
    filled()->data_bytes = BRIG_BROKER_DATA_BYTES + 1;
    return 0;
}

static uint64_t descriptors_that_do_not_exist(void)
{
    filled()->attached = 0xfffffff8;
    return 0;
}

static uint64_t more_descriptors_than_it_says(void)
{
    const struct brig_broker_attachment tag = {.slot = 0, .attached = 1};
    int fds[60];
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        fds[i] = room_socket;
    filled()->attached = 1;
    send_attachment(&tag, fds, COUNT_OF(fds));
    return 0;
}

static uint64_t fewer_descriptors_than_it_says(void)
{
    const struct brig_broker_attachment tag = {.slot = 0, .attached = 7};
    const int fds[] = {room_socket};
    filled()->attached = 7;
    send_attachment(&tag, fds, 1);
    return 0;
}

static uint64_t descriptors_for_no_slot(void)
{
    const struct brig_broker_attachment tag = {.slot = UINT32_MAX, .attached = 1};
    const int fds[] = {room_socket};
    filled()->attached = 1;
    send_attachment(&tag, fds, 1);
    return 0;
}

static uint64_t a_message_cut_short(void)
{
    filled()->attached = 1;
    CHECK_EQ(send(room_socket, "x", 1, MSG_NOSIGNAL), 1);
    return 0;
}

static uint64_t an_empty_message_with_descriptors(void)
{
    const int fds[] = {room_socket, room_socket, room_socket};
    const struct brig_broker_attachment tag = {.slot = 0, .attached = 1};
    filled()->attached = 1;
    send_attachment(&tag, fds, 1);
    send_attachment(NULL, fds, COUNT_OF(fds));
    return 0;
}

static const struct {
    const char *what;
    uint64_t (*prepare)(void);
    const char *told;
} malformed[] = {
    {"no such slot", no_such_slot, "slot"},
    {"a slot beyond all", a_slot_beyond_all, "slot"},
    {"no such op", no_such_op, ""},
    {"op 0", op_zero, ""},
    {"a path too long", a_path_too_long, "size"},
    {"a path that wraps", a_path_that_wraps, "size"},
    {"a path without end", a_path_without_end, ""},
    {"a path with two ends", a_path_with_two_ends, ""},
    {"a path too many", a_path_too_many, ""},
    {"data too long", data_too_long, "size"},
    {"descriptors that do not exist", descriptors_that_do_not_exist, ""},
    {"more descriptors than it says", more_descriptors_than_it_says, "descriptors"},
    {"fewer descriptors than it says", fewer_descriptors_than_it_says, "descriptors"},
    {"descriptors for no slot", descriptors_for_no_slot, "descriptors"},
    {"a message cut short", a_message_cut_short, "descriptors"},
    {"an empty message with descriptors", an_empty_message_with_descriptors, "descriptors"},
};

static int send_something_malformed(void *data, int channel_fd)
{
    const size_t row = *(const size_t *)data;
    (void)channel_fd;
    CHECK_EQ(ask(malformed[row].prepare(), 0), -1);
    CHECK_EQ(errno, ENOSYS);
    filled();
    CHECK_EQ(ask(0, 0), -1); // what is well-formed comes too late
    CHECK_EQ(errno, ENOSYS);
    CHECK_EQ(open(room_path("ro/hello"), O_RDONLY), -1);
    CHECK_EQ(errno, EIO);
    return 0;
}

static int ask_until_told(void *data, int channel_fd)
{
    char byte;
    (void)data;
    while (recv(channel_fd, &byte, 1, MSG_DONTWAIT) < 0)
        CHECK(room_has("ro/hello", "hello\n"));
    return 0;
}

SANDBOX_TEST(broker, malformed_requests_end_that_session_and_no_other, .timeout_ms = 30000)
{
    struct room room;
    REQUIRE(room_open(&room));
    const int before = room_descriptors(brig_broker_pid(room.broker));
    struct brig_worker *honest = fixture_launch(
        &room.fixture,
        &(struct brig_worker_spec){
            .name = "honest", .policy = &room_policy, .entry = ask_until_told, .channel = true, .broker = room.broker});
    REQUIRE(honest != NULL);
    for (size_t i = 0; i < COUNT_OF(malformed); i++) {
        test_message("%s", malformed[i].what);
        const size_t events = fixture_count(&room.fixture, BRIG_EVENT_BROKER);
        REQUIRE(room_run(&room, send_something_malformed, &i));
        REQUIRE(fixture_wait(&room.fixture, BRIG_EVENT_BROKER, events + 1));
        const int told = fixture_find(&room.fixture, BRIG_EVENT_BROKER, events);
        CHECK_STR_EQ(room.fixture.events[told].name, "client");
        CHECK_CONTAINS(room.fixture.events[told].message, malformed[i].told);
    }
    test_message("%s", "");
    CHECK_EQ(send(brig_worker_channel_fd(honest), "x", 1, 0), 1);
    REQUIRE(fixture_run(&room.fixture, COUNT_OF(malformed) + 1));
    CHECK_EQ(room.fixture.events[room.fixture.count - 1].wait_status, 0);
    CHECK_EQ(room_settled_descriptors(room.broker, before), before);
    room_close(&room);
}

// --- without end ------------------------------------------------------------------------------------------------------

enum { FLOODERS = 8 };

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

// Writes into all slots while the broker reads them: sizes, ends, ops.
static void *scribble(void *context)
{
    uint32_t state = (uint32_t)(uintptr_t)context;
    const double end = seconds() + 1.0;
    while (seconds() < end) {
        for (int i = 0; i < 1000; i++) {
            struct brig_broker_request *request = &room_slots->slots[next_random(&state) % 8].request;
            switch (next_random(&state) % 4) {
            case 0:
                __atomic_store_n(&request->path_bytes[0], 1 + next_random(&state) % 32, __ATOMIC_RELAXED);
                break;
            case 1:
                __atomic_store_n(&request->bytes[next_random(&state) % 64], (uint8_t) "/.a"[next_random(&state) % 4],
                                 __ATOMIC_RELAXED);
                break;
            case 2:
                __atomic_store_n(&request->op, 1 + next_random(&state) % 3, __ATOMIC_RELAXED);
                break;
            default:
                __atomic_store_n(&request->flags, next_random(&state), __ATOMIC_RELAXED);
            }
        }
    }
    return NULL;
}

static void *flood(void *context)
{
    uint32_t state = (uint32_t)(uintptr_t)context;
    const double end = seconds() + 1.0;
    while (seconds() < end) {
        const uint32_t slot = next_random(&state) % 8;
        room_fill(slot, room_path("ro/hello"));
        const long fd = ask(slot, 0);
        if (fd >= 0)
            close((int)fd);
    }
    return NULL;
}

static int flood_from_threads(void *data, int channel_fd)
{
    pthread_t threads[FLOODERS];
    (void)data;
    (void)channel_fd;
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, i % 4 == 0 ? scribble : flood, (void *)(i + 1)), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    return 0;
}

static int send_descriptors_without_end(void *data, int channel_fd)
{
    const int fds[] = {room_socket, room_socket, room_socket};
    struct brig_broker_attachment tag = {.attached = 7};
    (void)data;
    (void)channel_fd;
    for (int i = 0; i < 20000; i++) {
        tag.slot = (uint32_t)i % BRIG_BROKER_SLOT_COUNT;
        tag.generation = (uint32_t)i;
        send_attachment(&tag, fds, 3);
        if (i % 64 == 0) {
            filled()->attached = 1;
            ask(0, 1);
        }
    }
    return 0;
}

// What the request needs came before the empty message; it ends the session at the first.
static int send_descriptors_with_nothing(void *data, int channel_fd)
{
    const int fds[] = {room_socket, room_socket, room_socket};
    const struct brig_broker_attachment tag = {.slot = 1, .attached = 1};
    const int folder_fd = open(room_path("ro"), O_RDONLY | O_CLOEXEC);
    (void)data;
    (void)channel_fd;
    for (int i = 0; i < 2000; i++) {
        room_fill(1, "hello");
        room_slots->slots[1].request.attached = 1;
        send_attachment(&tag, &folder_fd, 1);
        send_attachment(NULL, fds, COUNT_OF(fds));
        const long fd = ask(1, 0);
        if (fd >= 0)
            close((int)fd);
    }
    return 0;
}

static int open_the_fifo_from_many_threads(void *data, int channel_fd);

static const struct {
    const char *what;
    brig_entry *entry;
} endless[] = {
    {"slots that change while they are read", flood_from_threads},
    {"descriptors without end", send_descriptors_without_end},
    {"empty messages with descriptors", send_descriptors_with_nothing},
    {"all slots in a call that never returns", open_the_fifo_from_many_threads},
};

static void *open_the_fifo(void *context)
{
    const uint64_t slot = (uint64_t)(uintptr_t)context;
    room_fill((uint32_t)slot, room_path("rw/fifo"));
    ask(slot, 0);
    return NULL;
}

// More threads than slots, and then it exits while they wait.
static int open_the_fifo_from_many_threads(void *data, int channel_fd)
{
    pthread_attr_t attributes;
    pthread_t thread;
    (void)data;
    (void)channel_fd;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 << 10);
    for (size_t i = 0; i < (size_t)3 * BRIG_BROKER_SLOT_COUNT; i++)
        CHECK_EQ(pthread_create(&thread, &attributes, open_the_fifo, (void *)(i % BRIG_BROKER_SLOT_COUNT)), 0);
    const struct timespec pause = {.tv_nsec = 300000000};
    nanosleep(&pause, NULL);
    return 0;
}

SANDBOX_TEST(broker, endless_and_flooding_clients_stall_nobody_else, .timeout_ms = 60000)
{
    struct room room;
    REQUIRE(room_open(&room));
    REQUIRE(CHECK_EQ(mkfifo(room_path("rw/fifo"), 0600), 0));
    const int before = room_descriptors(brig_broker_pid(room.broker));
    for (size_t i = 0; i < COUNT_OF(endless); i++) {
        test_message("%s", endless[i].what);
        struct brig_worker *honest = fixture_launch(
            &room.fixture,
            &(struct brig_worker_spec){
                .name = "honest", .policy = &room_policy, .entry = ask_until_told, .channel = true, .broker = room.broker});
        REQUIRE(honest != NULL);
        REQUIRE(room_run(&room, endless[i].entry, NULL));
        CHECK_EQ(send(brig_worker_channel_fd(honest), "x", 1, 0), 1);
        REQUIRE(fixture_run(&room.fixture, 2 * (i + 1)));
        CHECK_EQ(room.fixture.events[room.fixture.count - 1].wait_status, 0);
        CHECK_EQ(room_settled_descriptors(room.broker, before), before);
        CHECK_EQ(kill(brig_broker_pid(room.broker), 0), 0);
    }
    test_message("%s", "");
    room_close(&room);
}

// --- descriptors that are not there -----------------------------------------------------------------------------------

// A signal may have ended the call for which they came (before 5.19), so their lack is no crime.
static int ask_without_descriptors(void *data, int channel_fd)
{
    const struct brig_broker_attachment earlier = {.slot = 0, .generation = 7, .attached = 1};
    const struct brig_broker_attachment tag = {.slot = 0, .generation = 9, .attached = 1};
    const int folder_fd = open(room_path("ro"), O_RDONLY | O_CLOEXEC);
    (void)data;
    (void)channel_fd;
    room_fill(0, "hello");
    room_slots->slots[0].request.attached = 1;
    CHECK_EQ(ask(0, 7), -1);
    CHECK_EQ(errno, BRIG_BROKER_SEND_AGAIN);
    send_attachment(&earlier, &folder_fd, 1);
    CHECK_EQ(ask(0, 8), -1);
    CHECK_EQ(errno, BRIG_BROKER_SEND_AGAIN);
    send_attachment(&tag, &folder_fd, 1);
    const long fd = ask(0, 9);
    CHECK_GE(fd, 0);
    close((int)fd);
    CHECK_EQ(ask(0, 9), -1); // they came for one request
    CHECK_EQ(errno, BRIG_BROKER_SEND_AGAIN);
    return 0;
}

SANDBOX_TEST(broker, descriptors_that_are_not_there_are_asked_for_again, .expect_exit = 0)
{
    struct room room;
    REQUIRE(room_open(&room));
    REQUIRE(room_run(&room, ask_without_descriptors, NULL));
    CHECK_EQ(fixture_count(&room.fixture, BRIG_EVENT_BROKER), 0u);
    room_close(&room);
}

// --- descriptors that are slow to close -------------------------------------------------------------------------------

// Sends it for a slot of which it never asks anything, and leaves.
static int leave_it_behind(void *data, int channel_fd)
{
    const struct brig_broker_attachment other = {.slot = 5, .attached = 4}, tag = {.slot = 1, .attached = 1};
    const int folder_fd = open(room_path("ro"), O_RDONLY | O_CLOEXEC);
    (void)channel_fd;
    room_fill(1, "hello");
    room_slots->slots[1].request.attached = 1;
    send_attachment(&other, data, 1);
    send_attachment(&tag, &folder_fd, 1);
    CHECK_GE(ask(1, 0), 0);
    return 0;
}

static int ask_once(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    CHECK(room_has("ro/hello", "hello\n"));
    return 0;
}

SANDBOX_TEST(broker, descriptors_that_are_slow_to_close_stall_nobody, .timeout_ms = 60000)
{
    struct room room;
    int peer_fd;
    REQUIRE(room_open(&room));
    for (size_t i = 0; i < 3; i++) {
        int fd = lingering_socket(&peer_fd);
        const struct brig_keep keep[] = {{fd, BRIG_KEEP_SOCKET}};
        REQUIRE(fd >= 0);
        REQUIRE(fixture_launch(&room.fixture, &(struct brig_worker_spec){.name = "client",
                                                                         .policy = &room_policy,
                                                                         .warm_up = room_find_slots,
                                                                         .entry = leave_it_behind,
                                                                         .data = &fd,
                                                                         .keep = keep,
                                                                         .keep_count = 1,
                                                                         .dumpable = true,
                                                                         .broker = room.broker}) != NULL);
        close(fd);
        REQUIRE(fixture_wait(&room.fixture, BRIG_EVENT_EXIT, 2 * i + 1));
        const double start = seconds();
        CHECK(room_run(&room, ask_once, NULL));
        CHECK(seconds() - start < 4.0);
        close(peer_fd);
    }
    room_close(&room);
}

// --- calls of its own -------------------------------------------------------------------------------------------------

// The number by itself is no right: what it does not know of a slot it cannot have, and what it writes there is checked.
static int ask_by_hand(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    room_fill(3, room_path("secret/file"));
    CHECK_EQ(ask(3, 0), -1);
    CHECK_EQ(errno, EACCES);
    room_fill(3, room_path("ro/../secret/file"));
    CHECK_EQ(ask(3, 0), -1);
    CHECK_EQ(errno, EACCES);
    room_fill(3, "/proc/self/fd/0");
    CHECK_EQ(ask(3, 0), -1);
    CHECK_EQ(errno, EACCES);
    room_fill(3, room_path("ro/hello"));
    const long fd = ask(3, 0);
    CHECK_GE(fd, 0);
    close((int)fd);
    return 0;
}

SANDBOX_TEST(broker, asking_by_hand_gives_no_more_than_the_list, .expect_exit = 0)
{
    struct room room;
    REQUIRE(room_open(&room));
    REQUIRE(room_run(&room, ask_by_hand, NULL));
    CHECK_EQ(fixture_count(&room.fixture, BRIG_EVENT_BROKER), 0u);
    room_close(&room);
}
