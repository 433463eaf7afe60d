// Everything that a broker can be asked for, from end to end: a worker under the policy `files`, its broker, and real files. The
// rows are those of trap/broker_ops.def and trap/broker_calls.def, so that a new one does not compile, or fails, until it has a
// test here.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "bpf_dsl/tables.h"
#include "policies/policies.h"
#include "tests/sandbox/broker_room.h"
#include "trap/broker.h"

// --- one request that is granted, for each op -------------------------------------------------------------------------

static void try_OPEN(void)
{
    CHECK(room_has("ro/hello", "hello\n"));
}

static void try_ACCESS(void)
{
    CHECK_EQ(access(room_path("ro/hello"), R_OK), 0);
    CHECK_EQ(access(room_path("ro/hello"), W_OK), -1);
}

static void try_STAT(void)
{
    struct stat status = {.st_size = 0};
    CHECK_EQ(stat(room_path("ro/hello"), &status), 0);
    CHECK_EQ(status.st_size, 6);
}

static void try_READLINK(void)
{
    char text[16] = "";
    CHECK_EQ(readlink(room_path("ro/link"), text, sizeof text - 1), 5);
    CHECK_STR_EQ(text, "hello");
}

static void try_RENAME(void)
{
    CHECK(room_write("rw/old", "text"));
    CHECK_EQ(rename(room_path("rw/old"), room_path("rw/new")), 0);
    CHECK(room_has("rw/new", "text"));
}

static void try_MKDIR(void)
{
    struct stat status = {.st_mode = 0};
    CHECK_EQ(mkdir(room_path("rw/folder"), 0700), 0);
    CHECK_EQ(stat(room_path("rw/folder"), &status), 0);
    CHECK(S_ISDIR(status.st_mode));
}

static void try_UNLINK(void)
{
    CHECK(room_write("rw/gone", "text"));
    CHECK_EQ(unlink(room_path("rw/gone")), 0);
    CHECK_EQ(access(room_path("rw/gone"), F_OK), -1);
    CHECK_EQ(rmdir(room_path("rw/folder")), 0);
}

static void try_LINK(void)
{
    CHECK(room_write("rw/first", "text"));
    CHECK_EQ(link(room_path("rw/first"), room_path("rw/second")), 0);
    CHECK(room_has("rw/second", "text"));
}

static void try_SYMLINK(void)
{
    char text[16] = "";
    CHECK_EQ(symlink("anything", room_path("rw/symlink")), 0);
    CHECK_EQ(readlink(room_path("rw/symlink"), text, sizeof text - 1), 8);
    CHECK_STR_EQ(text, "anything");
}

static void try_CHMOD(void)
{
    struct stat status = {.st_mode = 0};
    CHECK(room_write("rw/mode", "text"));
    CHECK_EQ(chmod(room_path("rw/mode"), 0640), 0);
    CHECK_EQ(stat(room_path("rw/mode"), &status), 0);
    CHECK_EQ(status.st_mode & 0777, 0640u);
}

static void try_UTIMENS(void)
{
    const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 2000, .tv_nsec = 3}};
    struct stat status = {.st_mode = 0};
    CHECK(room_write("rw/times", "text"));
    CHECK_EQ(utimensat(AT_FDCWD, room_path("rw/times"), times, 0), 0);
    CHECK_EQ(stat(room_path("rw/times"), &status), 0);
    CHECK_EQ(status.st_mtim.tv_sec, 2000);
}

static void try_TRUNCATE(void)
{
    CHECK(room_write("rw/short", "text"));
    CHECK_EQ(truncate(room_path("rw/short"), 2), 0);
    CHECK(room_has("rw/short", "te"));
}

static void try_STATFS(void)
{
    struct statfs status = {.f_bsize = 0};
    CHECK_EQ(statfs(room_path("ro"), &status), 0);
    CHECK_GT(status.f_bsize, 0);
}

static void try_WATCH(void)
{
    char events[512];
    const int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    CHECK_GE(inotify_add_watch(fd, room_path("rw"), IN_CREATE), 0);
    CHECK(room_write("rw/watched", "text"));
    CHECK_GT(read(fd, events, sizeof events), 0);
    close(fd);
}

static void try_CONNECT(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", room_path("socket"));
    CHECK_EQ(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_EQ(send(fd, "x", 1, MSG_NOSIGNAL), 1);
    close(fd);
}

// No name server is asked: it is a number.
static int resolve_number(struct addrinfo **ret_addresses)
{
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    return brig_broker_getaddrinfo("127.0.0.1", "80", &hints, ret_addresses);
}

static void try_RESOLVE(void)
{
    struct addrinfo *addresses = NULL;
    REQUIRE(CHECK_EQ(resolve_number(&addresses), 0) && CHECK(addresses != NULL));
    const struct sockaddr_in *address = (const struct sockaddr_in *)(const void *)addresses->ai_addr;
    CHECK_EQ(address->sin_port, htons(80));
    CHECK_EQ(address->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    brig_broker_freeaddrinfo(addresses);
}

static const struct {
    const char *op;
    void (*attempt)(void);
} granted[] = {
#define OP(name, answer, paths, what) {#name, try_##name},
#include "trap/broker_ops.def"
#undef OP
};

static int try_granted(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    for (size_t i = 0; i < COUNT_OF(granted); i++) {
        test_message("%s", granted[i].op);
        granted[i].attempt();
    }
    test_message("%s", "");
    return 0;
}

// --- one request that is refused, for each call -----------------------------------------------------------------------

static const enum brig_dsl_call calls[] = {
#define CALL(name, ...) BRIG_SYS_##name,
#include "trap/broker_calls.def"
#undef CALL
};

// What a call's pointers point to.
static struct {
    char path[2][128];
    struct open_how how;
    struct sockaddr_un address;
    char out[512];
} memory;

static void fill_pointer(const struct brig_broker_call *row, uint64_t args[6])
{
    switch (row->in_shape) {
    case BRIG_BROKER_SHAPE_HOW:
        memory.how = (struct open_how){.flags = O_RDONLY | O_CLOEXEC};
        args[row->in] = (uintptr_t)&memory.how;
        args[row->in + 1] = sizeof memory.how;
        break;
    case BRIG_BROKER_SHAPE_ADDRESS:
        args[row->in] = (uintptr_t)&memory.address;
        args[row->in + 1] = sizeof memory.address;
        break;
    default: // times may be NULL, a pair is a number
        break;
    }
    if (row->out >= 0)
        args[row->out] = (uintptr_t)memory.out;
    if (row->out_shape == BRIG_BROKER_SHAPE_TEXT)
        args[row->out + 1] = sizeof memory.out;
}

// The secret folder, in every register that has a path; a socket or an inotify descriptor where there is one.
static void fill(const struct brig_broker_call *row, int descriptor, uint64_t args[6])
{
    for (int i = 0; i < 2; i++) {
        snprintf(memory.path[i], sizeof memory.path[i], "%s", room_path(i ? "secret/other" : "secret/file"));
        if (row->dir[i] >= 0)
            args[row->dir[i]] = (uint64_t)AT_FDCWD;
        if (row->path[i] >= 0)
            args[row->path[i]] = (uintptr_t)memory.path[i];
    }
    memory.address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(memory.address.sun_path, sizeof memory.address.sun_path, "%s", memory.path[0]);
    fill_pointer(row, args);
    if (row->descriptor >= 0)
        args[row->descriptor] = (uint64_t)descriptor;
    if (row->op == BRIG_BROKER_OP_WATCH)
        args[row->number] = IN_CREATE;
}

static int try_refused(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    const int socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int inotify_fd = inotify_init1(IN_CLOEXEC);
    struct addrinfo *addresses = NULL;
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        const struct brig_broker_call *row = brig_broker_find_call(calls[i]);
        const int32_t nr = brig_dsl_call_nr(calls[i], brig_dsl_arch_native());
        uint64_t args[6] = {0};
        test_message("%s", brig_dsl_call_name(calls[i]));
        if (!CHECK(row != NULL) || nr < 0)
            continue;
        fill(row, row->op == BRIG_BROKER_OP_WATCH ? inotify_fd : socket_fd, args);
        CHECK_EQ(syscall(nr, args[0], args[1], args[2], args[3], args[4], args[5]), -1);
        CHECK_EQ(errno, EACCES);
    }
    test_message("%s", "");
    CHECK_EQ(resolve_number(&addresses), EAI_SYSTEM);
    CHECK_EQ(errno, EACCES);
    return 0;
}

// Every refusal is known to the supervisor, as the call and the request that it was.
static void check_denials(struct room *room)
{
    static struct brig_broker_denial denials[256];
    struct brig_error error;
    size_t count;
    REQUIRE_OK(brig_broker_denials(room->broker, denials, COUNT_OF(denials), &count, &error), &error);
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        bool is_there = brig_dsl_call_nr(calls[i], brig_dsl_arch_native()) < 0;
        for (size_t d = 0; d < count && !is_there; d++)
            is_there = denials[d].call == calls[i] && denials[d].op == brig_broker_find_call(calls[i])->op &&
                       denials[d].sys_errno == EACCES;
        test_message("%s", brig_dsl_call_name(calls[i]));
        CHECK(is_there);
    }
    test_message("%s", "");
}

// --- the tests --------------------------------------------------------------------------------------------------------

static bool run(struct room *room, brig_entry *entry)
{
    const bool is_plain = brig_policy_for_this_build("renderer") == &brig_policy_renderer; // sanitizers need more than `files` has
    const struct brig_worker_spec spec = {.name = "files",
                                          .policy = is_plain ? &brig_policy_files : &room_policy,
                                          .entry = entry,
                                          .dumpable = true,
                                          .broker = room->broker};
    if (!fixture_launch(&room->fixture, &spec) || !fixture_run(&room->fixture, 1))
        return false;
    const int exit = fixture_find(&room->fixture, BRIG_EVENT_EXIT, 0);
    return CHECK_EQ(room->fixture.events[exit].wait_status, 0);
}

static bool start_resolving_broker(struct room *room)
{
    const struct brig_broker_spec spec = {.name = "resolving",
                                          .policy = brig_policy_for_this_build("broker+network"),
                                          .list = {.entries = room->entries,
                                                   .entry_count = COUNT_OF(room->entries),
                                                   .addresses = room->addresses,
                                                   .address_count = COUNT_OF(room->addresses),
                                                   .working_directory = room->folder,
                                                   .may_resolve = true}};
    struct brig_error error;
    brig_broker_stop(room->broker);
    return CHECK_OK(brig_broker_start(room->fixture.supervisor, &spec, &room->broker, &error), &error);
}

SANDBOX_TEST(broker, every_op_is_served_from_end_to_end, .expect_exit = 0)
{
    struct room room;
    REQUIRE(room_open(&room));
    if (start_resolving_broker(&room))
        run(&room, try_granted);
    room_close(&room);
}

SANDBOX_TEST(broker, every_call_is_refused_from_end_to_end, .expect_exit = 0)
{
    struct room room;
    REQUIRE(room_open(&room));
    if (run(&room, try_refused))
        check_denials(&room);
    room_close(&room);
}
