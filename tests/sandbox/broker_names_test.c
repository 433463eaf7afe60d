// Host names for workers whose code knows nothing of Brig: glibc's own functions, which ask nscd, and find the broker there.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policies/policies.h"
#include "sandbox/broker/nscd.h"
#include "tests/sandbox/broker_room.h"

// What this machine says without a lock. Found out in a child: where there is no nscd, glibc remembers that for a hundred
// questions.
struct expected {
    size_t count;
    char host[1025];
};
static struct expected *expected;

static size_t count(const struct addrinfo *addresses)
{
    size_t found = 0;
    for (; addresses; addresses = addresses->ai_next)
        found++;
    return found;
}

static void look(void)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    const struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct addrinfo *addresses = NULL;
    CHECK_EQ(getaddrinfo("localhost", NULL, &hints, &addresses), 0);
    expected->count = count(addresses);
    freeaddrinfo(addresses);
    getnameinfo((const struct sockaddr *)&loopback, sizeof loopback, expected->host, sizeof expected->host, NULL, 0, 0);
}

static bool expect(void)
{
    expected = mmap(NULL, sizeof *expected, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!CHECK(expected != MAP_FAILED))
        return false;
    const pid_t child = fork();
    if (child == 0) {
        look();
        _exit(0);
    }
    return CHECK_EQ(waitpid(child, NULL, 0), child);
}

static void resolve(void)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME};
    struct addrinfo *addresses = NULL;
    const int code = getaddrinfo("localhost", "80", &hints, &addresses);
    REQUIRE(CHECK_EQ(code, 0));
    CHECK_EQ(count(addresses), expected->count);
    CHECK(addresses->ai_canonname != NULL);
    freeaddrinfo(addresses);
    struct hostent host, *found = NULL;
    char buffer[1024];
    int reason;
    CHECK_EQ(gethostbyname_r("localhost", &host, buffer, sizeof buffer, &found, &reason), 0);
    CHECK(found && found->h_addrtype == AF_INET && *(const uint8_t *)found->h_addr_list[0] == 127);
}

static void name_address(void)
{
    const struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    char host[1025] = "";
    CHECK_EQ(getnameinfo((const struct sockaddr *)&loopback, sizeof loopback, host, sizeof host, NULL, 0, 0), 0);
    CHECK_STR_EQ(host, expected->host);
}

static void *resolve_often(void *data)
{
    for (int i = 0; i < 10; i++)
        resolve();
    return data;
}

static int ask(void *data, int channel_fd)
{
    pthread_t threads[4];
    (void)data;
    (void)channel_fd;
    resolve();
    name_address();
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, resolve_often, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    return 0;
}

static int connect_to_nscd(int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/var/run/nscd/socket"};
    const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    const int result = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : -errno;
    close(fd);
    return result;
}

// musl's sockets to nscd wait, and are for users and groups.
static int connect_otherwise(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    CHECK_EQ(connect_to_nscd(SOCK_STREAM | SOCK_NONBLOCK), 0);
    CHECK_EQ(connect_to_nscd(SOCK_STREAM), -EACCES);
    CHECK_EQ(connect_to_nscd(SOCK_SEQPACKET | SOCK_NONBLOCK), -EACCES);
    return 0;
}

// What glibc does for such a name is more than to read files and to ask name servers.
static int ask_for_an_interface(void *data, int channel_fd)
{
    static const char name[] = "fe80::1%lo";
    static const int32_t header[3] = {BOX_NSCD_VERSION, BOX_NSCD_ADDRESSES, sizeof name};
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = BOX_NSCD_PATH};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    char question[sizeof header + sizeof name];
    int32_t answer[6];
    (void)data;
    (void)channel_fd;
    memcpy(question, header, sizeof header);
    memcpy(question + sizeof header, name, sizeof name);
    CHECK_EQ(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    CHECK_EQ(send(fd, question, sizeof question, MSG_NOSIGNAL), sizeof question);
    CHECK_EQ(poll(&polled, 1, 5000), 1);
    CHECK_EQ(read(fd, answer, sizeof answer), sizeof answer);
    close(fd);
    CHECK_EQ(connect_to_nscd(SOCK_STREAM | SOCK_NONBLOCK), 0);
    return 0;
}

static int be_refused(void *data, int channel_fd)
{
    struct addrinfo *addresses = NULL;
    (void)data;
    (void)channel_fd;
    CHECK_NE(getaddrinfo("localhost", NULL, NULL, &addresses), 0);
    CHECK_EQ(connect_to_nscd(SOCK_STREAM | SOCK_NONBLOCK), -EACCES);
    return 0;
}

static bool run(struct room *room, bool may_resolve, brig_entry *entry)
{
    const bool is_plain = brig_policy_for_this_build("renderer") == &brig_policy_renderer; // sanitizers need more than `files` has
    const struct brig_broker_spec spec = {
        .name = "names", .policy = brig_policy_for_this_build("broker+network"), .list = {.may_resolve = may_resolve}};
    struct brig_error error;
    if (!CHECK_OK(brig_broker_start(room->fixture.supervisor, &spec, &room->broker, &error), &error))
        return false;
    const struct brig_worker_spec worker = {.name = "files",
                                            .policy = is_plain ? &brig_policy_files : &room_policy,
                                            .entry = entry,
                                            .dumpable = true,
                                            .broker = room->broker};
    if (!fixture_launch(&room->fixture, &worker) || !fixture_run(&room->fixture, 1))
        return false;
    for (size_t i = 0; i < room->fixture.count; i++)
        test_message("%s", room->fixture.events[i].message);
    CHECK_EQ(fixture_count(&room->fixture, BRIG_EVENT_VIOLATION), 0u);
    const int exit = fixture_find(&room->fixture, BRIG_EVENT_EXIT, 0);
    return CHECK_EQ(room->fixture.events[exit].wait_status, 0);
}

SANDBOX_TEST(broker, getaddrinfo_of_glibc_asks_it_in_many_threads, .expect_exit = 0)
{
    struct room room;
    REQUIRE(expect());
    REQUIRE(room_open(&room));
    run(&room, true, ask);
    room_close(&room);
    munmap(expected, sizeof *expected);
}

SANDBOX_TEST(broker, it_is_nscd_for_glibc_alone, .expect_exit = 0)
{
    struct room room;
    REQUIRE(room_open(&room));
    run(&room, true, connect_otherwise);
    room_close(&room);
}

SANDBOX_TEST(broker, a_name_with_an_interface_does_not_end_it, .expect_exit = 0)
{
    struct room room;
    REQUIRE(room_open(&room));
    run(&room, true, ask_for_an_interface);
    room_close(&room);
}

SANDBOX_TEST(broker, it_is_no_nscd_if_the_list_does_not_say_so, .expect_exit = 0)
{
    static struct brig_broker_denial denials[64];
    struct brig_error error;
    struct room room;
    size_t count = 0;
    bool is_counted = false;
    REQUIRE(room_open(&room));
    run(&room, false, be_refused);
    CHECK_OK(brig_broker_denials(room.broker, denials, COUNT_OF(denials), &count, &error), &error);
    for (size_t i = 0; i < count; i++)
        is_counted |= strcmp(denials[i].path, "unix:/var/run/nscd/socket") == 0;
    CHECK(is_counted);
    room_close(&room);
}
