// What a broker hands over and what it does not: rights by flags, ways out of the list, files that must keep their rights, devices,
// temporary files, watches and connections.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/sandbox/broker_fixture.h"

// Below the scratch directory:
static const struct {
    const char *name;
    uint32_t rights;
} listed[] = {
    {"rw", ALL_RIGHTS},
    {"rw/denied", BRIG_BROKER_DENY},
    {"rw/deep/denied", BRIG_BROKER_DENY},
    {"rw/crash", BRIG_BROKER_CRASH},
    {"ro", BRIG_BROKER_READ | BRIG_BROKER_RECURSIVE},
    {"ro/written", BRIG_BROKER_READ | BRIG_BROKER_WRITE},
    {"make", BRIG_BROKER_READ | BRIG_BROKER_CREATE | BRIG_BROKER_RECURSIVE},
    {"temporary", BRIG_BROKER_READ | BRIG_BROKER_WRITE | BRIG_BROKER_CREATE | BRIG_BROKER_RECURSIVE | BRIG_BROKER_TEMPORARY},
    {"seen", BRIG_BROKER_STAT_ONLY | BRIG_BROKER_RECURSIVE},
    {"later/place", ALL_RIGHTS},
};

struct room {
    struct scratch scratch;
    struct box_list *list;
};

static bool make_room(struct room *room)
{
    static const char *const directories[] = {"rw", "rw/deep", "rw/deep/denied", "ro", "make", "temporary", "seen", "outside"};
    static const char *const files[] = {"rw/f",   "rw/deep/denied/f", "rw/crash", "ro/f",     "ro/written",
                                        "make/f", "temporary/f",      "seen/f",   "outside/f"};
    static const char *const links[][2] = {{"rw/inside", "deep/../f"},
                                           {"rw/out", "../outside/f"},
                                           {"rw/root", "/proc/self/root"},
                                           {"rw/loop", "loop"},
                                           {"ro/link", "f"},
                                           {"rw/up", "../../../../../../etc/passwd"},
                                           {"rw/to_denied", "deep/denied/f"},
                                           {"rw/to_ro", "../ro/f"},
                                           {"rw/directory", "deep"}};
    struct brig_broker_entry entries[COUNT_OF(listed)];
    char paths[COUNT_OF(listed)][128];
    bool is_made = scratch_make(&room->scratch);
    room->list = NULL;
    for (size_t i = 0; i < COUNT_OF(directories) && is_made; i++)
        is_made = scratch_directory(&room->scratch, directories[i]);
    for (size_t i = 0; i < COUNT_OF(files) && is_made; i++)
        is_made = scratch_file(&room->scratch, files[i], "text");
    for (size_t i = 0; i < COUNT_OF(links) && is_made; i++)
        is_made = scratch_link(&room->scratch, links[i][0], links[i][1]);
    for (size_t i = 0; i < COUNT_OF(listed); i++) {
        snprintf(paths[i], sizeof paths[i], "%s/%s", room->scratch.path, listed[i].name);
        entries[i] = (struct brig_broker_entry){.path = paths[i], .rights = listed[i].rights};
    }
    const struct brig_broker_list list = {
        .entries = entries, .entry_count = COUNT_OF(entries), .deny_errno = EPERM, .working_directory = paths[0]};
    struct brig_error error;
    return is_made && CHECK_OK(box_list_new(&list, &room->list, &error), &error);
}

static void remove_room(struct room *room)
{
    box_list_free(room->list);
    scratch_remove(&room->scratch);
}

// --- tables of one-name requests --------------------------------------------------------------------------------------

struct row {
    enum brig_broker_op op;
    uint32_t flags;
    const char *name; // below the scratch directory; as it is if it starts with "/" or "=" (then behind it)
    int expected;     // errno, or 0; EPERM is the list's
    enum brig_broker_verdict verdict;
    const char *other;
};

static const char *name_in(const struct room *room, const char *name)
{
    if (!name)
        return NULL;
    return *name == '=' ? name + 1 : *name == '/' ? name : scratch_path(&room->scratch, name);
}

static void check_rows(const struct row *rows, size_t count)
{
    struct room room;
    if (make_room(&room)) {
        for (size_t i = 0; i < count; i++) {
            struct asking asking = {.op = rows[i].op,
                                    .call = BRIG_SYS_openat,
                                    .flags = rows[i].flags,
                                    .mode = rows[i].op == BRIG_BROKER_OP_ACCESS ? R_OK : 0600,
                                    .paths = {name_in(&room, rows[i].name), name_in(&room, rows[i].other)}};
            test_message("row %zu: op %u %#x %s", i, rows[i].op, rows[i].flags, rows[i].name);
            struct answer answer = broker_ask(room.list, &asking);
            CHECK_EQ(answer.result < 0 ? -answer.result : 0, rows[i].expected);
            CHECK_EQ(answer.verdict, rows[i].verdict);
            CHECK_EQ(answer.descriptor >= 0, rows[i].op == BRIG_BROKER_OP_OPEN && !rows[i].expected);
            if (answer.descriptor >= 0)
                close(answer.descriptor);
        }
    }
    remove_room(&room);
}

#define DONE BRIG_BROKER_DONE
#define DENIED BRIG_BROKER_DENIED
#define TOUCHED BRIG_BROKER_TOUCHED
#define OPEN(flags, name, expected, verdict) \
    { \
        BRIG_BROKER_OP_OPEN, (uint32_t)(flags), name, expected, verdict, NULL \
    }
#define ASK(op, flags, name, expected, verdict) \
    { \
        BRIG_BROKER_OP_##op, (uint32_t)(flags), name, expected, verdict, NULL \
    }
#define TWO(op, flags, name, other, expected, verdict) \
    { \
        BRIG_BROKER_OP_##op, (uint32_t)(flags), name, expected, verdict, other \
    }

TEST(broker, rights_by_flags)
{
    static const struct row rows[] = {
        OPEN(O_RDONLY, "ro/f", 0, DONE),
        OPEN(O_WRONLY, "ro/f", EPERM, DENIED),
        OPEN(O_RDWR, "ro/f", EPERM, DENIED),
        OPEN(O_ACCMODE, "ro/f", EPERM, DENIED),
        OPEN(O_RDONLY | O_TRUNC, "ro/f", EPERM, DENIED),
        OPEN(O_RDONLY | O_CREAT, "ro/f", 0, DONE), // it is there
        OPEN(O_RDONLY | O_CREAT, "ro", EISDIR, DONE),
        OPEN(O_RDONLY | O_CREAT, "ro/new", EPERM, DENIED),
        OPEN(O_RDONLY | O_CREAT | O_EXCL, "ro/f", EPERM, DENIED),
        OPEN(O_RDWR | O_TMPFILE, "ro", EPERM, DENIED),
        OPEN(O_RDWR | O_CREAT, "ro/written", 0, DONE),
        OPEN(O_PATH, "seen/f", EPERM, DENIED),
        OPEN(O_RDONLY, "seen/f", EPERM, DENIED),
        OPEN(O_RDONLY | O_DIRECTORY, "ro", 0, DONE),
        OPEN(O_RDONLY | O_CREAT, "make/new", 0, DONE),
        OPEN(O_WRONLY | O_CREAT, "make/newer", EPERM, DENIED),
        OPEN(O_RDONLY, "no", EPERM, DENIED),
        OPEN(O_RDONLY, "ro/no", ENOENT, DONE),
        OPEN(O_RDONLY, "=f", 0, DONE), // in the working directory
        OPEN(O_RDONLY, "=../ro/f", 0, DONE),
        OPEN(O_RDONLY, "=", ENOENT, DONE),
        OPEN(O_RDONLY, "/", EPERM, DENIED),
        OPEN(O_RDONLY | O_CREAT, "later/place", ENOENT, DONE), // later is not there
        ASK(MKDIR, 0, "later", EPERM, DENIED),
        ASK(STAT, 0, "/", 0, DONE),
        ASK(STAT, 0, "", 0, DONE),
        ASK(STAT, 0, "seen/f", 0, DONE),
        ASK(STAT, 0, "outside", EPERM, DENIED),
        ASK(STAT, AT_EMPTY_PATH, "=", 0, DONE),
        ASK(STAT, 0x8000, "ro/f", EINVAL, DONE),
        ASK(READLINK, 0, "/", EINVAL, DONE),
        ASK(READLINK, 0, "seen", EINVAL, DONE),
        ASK(ACCESS, 0, "ro/f", 0, DONE),
        ASK(ACCESS, 0, "seen/f", EPERM, DENIED),
        ASK(CHMOD, 0, "ro/f", EPERM, DENIED),
        ASK(CHMOD, 0, "rw/f", 0, DONE),
        ASK(UTIMENS, 0, "ro/f", EPERM, DENIED),
        ASK(TRUNCATE, 0, "ro/f", EPERM, DENIED),
        ASK(STATFS, 0, "ro/f", 0, DONE),
        ASK(MKDIR, 0, "ro/new", EPERM, DENIED),
        ASK(MKDIR, 0, "rw", EEXIST, DONE),
        ASK(UNLINK, 0, "ro/f", EPERM, DENIED),
        ASK(UNLINK, AT_REMOVEDIR, "make", EBUSY, DONE),
        ASK(UNLINK, AT_REMOVEDIR, "rw", EPERM, DENIED),
    };
    check_rows(rows, COUNT_OF(rows));
}

TEST(broker, no_name_leads_out_of_the_list)
{
    static const struct row rows[] = {
        OPEN(O_RDONLY, "rw/inside", 0, DONE),
        OPEN(O_RDONLY, "rw/directory/../f", 0, DONE),
        OPEN(O_RDONLY, "rw/to_ro", 0, DONE),
        OPEN(O_RDWR, "rw/to_ro", EPERM, DENIED),
        OPEN(O_RDONLY, "rw/out", EPERM, DENIED),
        OPEN(O_RDONLY, "rw/up", EPERM, DENIED),
        OPEN(O_RDONLY, "rw/root", EPERM, DENIED),
        OPEN(O_RDONLY, "rw/root/etc/passwd", EPERM, DENIED),
        OPEN(O_PATH | O_NOFOLLOW, "rw/root", 0, DONE), // the link itself
        OPEN(O_RDONLY | O_NOFOLLOW, "rw/inside", ELOOP, DONE),
        OPEN(O_RDONLY, "rw/loop", ELOOP, DONE),
        OPEN(O_RDONLY, "ro/link", ELOOP, DONE), // ro does not follow
        OPEN(O_RDONLY, "rw/../outside/f", EPERM, DENIED),
        OPEN(O_RDONLY, "rw/../../../../../../etc/passwd", EPERM, DENIED),
        OPEN(O_RDONLY, "rw/no/../f", ENOENT, DONE),
        OPEN(O_RDONLY, "rw/f/../f", ENOTDIR, DONE),
        OPEN(O_RDONLY, "rw/f/", ENOTDIR, DONE),
        OPEN(O_RDONLY, "rw/to_denied", EPERM, DENIED),
        OPEN(O_RDONLY, "rw/directory/denied/f", EPERM, DENIED),
        OPEN(O_RDONLY, "rw/deep/./denied//f", EPERM, DENIED),
        OPEN(O_RDONLY, "rw/crash", EPERM, TOUCHED),
        OPEN(O_RDONLY, "rw/directory/../crash", EPERM, TOUCHED),
        OPEN(O_RDONLY, "/proc/self/root/etc/passwd", EPERM, DENIED),
        OPEN(O_RDONLY, "/dev/fd/0", EPERM, DENIED),
        OPEN(O_WRONLY | O_CREAT, "rw/out", EPERM, DENIED),
        ASK(STAT, 0, "rw/out", EPERM, DENIED),
        ASK(STAT, AT_SYMLINK_NOFOLLOW, "rw/out", 0, DONE),
        ASK(MKDIR, 0, "rw/../outside/new", EPERM, DENIED),
        ASK(UNLINK, 0, "rw/../outside/f", EPERM, DENIED),
        // A file would be writable, a name that is denied would be had: neither moves.
        TWO(LINK, 0, "make/f", "rw/linked", EPERM, DENIED),
        TWO(RENAME, 0, "make/f", "rw/renamed", EPERM, DENIED),
        TWO(LINK, 0, "ro/f", "rw/linked", EPERM, DENIED),
        TWO(LINK, 0, "rw/f", "make/linked", 0, DONE),
        TWO(RENAME, RENAME_EXCHANGE, "rw/f", "make/f", EPERM, DENIED),
        TWO(RENAME, 0, "rw/deep", "rw/shallow", EPERM, DENIED),
        TWO(RENAME, RENAME_EXCHANGE, "rw/f", "rw/deep", EPERM, DENIED),
        TWO(RENAME, 0, "rw/f", "make", EBUSY, DONE),
        TWO(RENAME, RENAME_WHITEOUT, "rw/f", "rw/g", EPERM, DONE),
        TWO(RENAME, 0, "rw/f", "rw/g", 0, DONE),
        TWO(SYMLINK, 0, "=/etc/passwd", "rw/planted", 0, DONE),
        OPEN(O_RDONLY, "rw/planted", EPERM, DENIED),
        ASK(READLINK, 0, "rw/planted", 0, DONE),
        // Who may make names only, does not read what others made.
        OPEN(O_RDONLY, "temporary/f", EPERM, DENIED),
        OPEN(O_RDWR | O_CREAT, "temporary/new", EPERM, DENIED),
        OPEN(O_RDWR | O_CREAT | O_EXCL, "temporary/f", EEXIST, DONE),
        ASK(MKDIR, 0, "temporary/new", EPERM, DENIED),
        ASK(UNLINK, 0, "temporary/f", EPERM, DENIED),
    };
    check_rows(rows, COUNT_OF(rows));
}
#undef OPEN

TEST(broker, a_temporary_file_has_no_name)
{
    struct room room;
    struct stat status;
    if (make_room(&room)) {
        const struct asking asking = {.op = BRIG_BROKER_OP_OPEN,
                                      .call = BRIG_SYS_openat,
                                      .flags = O_RDWR | O_CREAT | O_EXCL,
                                      .mode = 0600,
                                      .paths = {scratch_path(&room.scratch, "temporary/x")}};
        for (unsigned i = 0; i < 2; i++) {
            struct answer answer = broker_ask(room.list, &asking);
            CHECK_EQ(answer.result, 0);
            CHECK_EQ(fstat(answer.descriptor, &status), 0);
            CHECK_EQ(status.st_nlink, 0);
            close(answer.descriptor);
        }
    }
    remove_room(&room);
}

TEST(broker, special_bits_and_devices_are_not_had)
{
    const struct brig_broker_entry entries[] = {{.path = "/dev", .rights = BRIG_BROKER_READ | BRIG_BROKER_RECURSIVE},
                                                {.path = "/dev/null", .rights = BRIG_BROKER_READ}};
    const struct brig_broker_list list = {.entries = entries, .entry_count = 2};
    struct asking asking = {.op = BRIG_BROKER_OP_OPEN, .call = BRIG_SYS_openat, .paths = {"/dev/null"}};
    struct box_list *made;
    struct brig_error error;
    REQUIRE_OK(box_list_new(&list, &made, &error), &error);
    CHECK_EQ(broker_try(made, &asking), 0);
    asking.paths[0] = "/dev/zero";
    CHECK_EQ(broker_try(made, &asking), -EACCES);
    box_list_free(made);
    struct room room;
    if (make_room(&room)) {
        asking = (struct asking){.op = BRIG_BROKER_OP_CHMOD, .mode = 04755, .paths = {scratch_path(&room.scratch, "rw/f")}};
        CHECK_EQ(broker_try(room.list, &asking), -EPERM);
        asking = (struct asking){.op = BRIG_BROKER_OP_MKDIR, .mode = 01777, .paths = {scratch_path(&room.scratch, "rw/g")}};
        CHECK_EQ(broker_try(room.list, &asking), -EPERM);
        asking = (struct asking){
            .op = BRIG_BROKER_OP_OPEN, .flags = O_CREAT | O_RDWR, .mode = 02755, .paths = {scratch_path(&room.scratch, "rw/g")}};
        CHECK_EQ(broker_try(room.list, &asking), -EPERM);
    }
    remove_room(&room);
}

TEST(broker, a_border_of_openat2_holds)
{
    static const struct {
        uint64_t resolve;
        const char *name;
        int expected;
    } rows[] = {
        {RESOLVE_BENEATH, "f", 0},
        {RESOLVE_BENEATH, "deep/../f", 0},
        {RESOLVE_BENEATH, "../ro/f", EXDEV},
        {RESOLVE_BENEATH, "/etc/passwd", EXDEV},
        {RESOLVE_BENEATH, "to_ro", EXDEV},
        {RESOLVE_IN_ROOT, "/f", 0},
        {RESOLVE_IN_ROOT, "../../f", 0},
        {RESOLVE_IN_ROOT, "to_ro", ENOENT},
        {RESOLVE_NO_SYMLINKS, "inside", ELOOP},
        {RESOLVE_NO_SYMLINKS, "deep/../inside", ELOOP},
        {RESOLVE_NO_SYMLINKS, "deep/../f", 0},
        {RESOLVE_BENEATH | RESOLVE_IN_ROOT, "f", EINVAL},
        {1u << 20, "f", EINVAL},
    };
    struct room room;
    if (make_room(&room)) {
        int fd = open(scratch_path(&room.scratch, "rw"), O_PATH | O_CLOEXEC);
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            struct asking asking = {.op = BRIG_BROKER_OP_OPEN,
                                    .call = BRIG_SYS_openat2,
                                    .number = rows[i].resolve,
                                    .paths = {rows[i].name},
                                    .attached = {fd}};
            struct open_how how = {.resolve = rows[i].resolve};
            test_message("row %zu: %s", i, rows[i].name);
            CHECK_EQ(broker_try(room.list, &asking), -rows[i].expected);
            int plain = box_openat2(fd, rows[i].name, 0, 0, how.resolve);
            CHECK_EQ(plain < 0 ? plain : 0, -rows[i].expected);
            if (plain >= 0)
                close(plain);
        }
        close(fd);
    }
    remove_room(&room);
}

TEST(broker, links_of_strangers_in_shared_directories_are_not_followed)
{
    struct room room;
    if (getuid() != 0) {
        test_skip("only root gives a link away");
        return;
    }
    if (make_room(&room)) {
        CHECK_EQ(chmod(scratch_path(&room.scratch, "rw/deep"), 01777), 0);
        CHECK(scratch_link(&room.scratch, "rw/deep/own", "../f") && scratch_link(&room.scratch, "rw/deep/alien", "../f"));
        CHECK_EQ(lchown(scratch_path(&room.scratch, "rw/deep/alien"), 65534, 65534), 0);
        struct asking asking = {
            .op = BRIG_BROKER_OP_OPEN, .call = BRIG_SYS_openat, .paths = {scratch_path(&room.scratch, "rw/deep/own")}};
        CHECK_EQ(broker_try(room.list, &asking), 0);
        asking.paths[0] = scratch_path(&room.scratch, "rw/deep/alien");
        CHECK_EQ(broker_try(room.list, &asking), -EACCES);
        CHECK_EQ(chmod(scratch_path(&room.scratch, "rw/deep"), 0755), 0);
        CHECK_EQ(broker_try(room.list, &asking), 0);
    }
    remove_room(&room);
}

TEST(broker, a_watch_is_on_what_was_checked)
{
    struct room room;
    if (make_room(&room)) {
        int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        struct asking asking = {.op = BRIG_BROKER_OP_WATCH,
                                .call = BRIG_SYS_inotify_add_watch,
                                .number = IN_ATTRIB | IN_DONT_FOLLOW,
                                .paths = {scratch_path(&room.scratch, "rw/f")},
                                .attached = {0, 0, fd}};
        char event[256];
        CHECK_EQ(broker_try(room.list, &asking), 1);
        CHECK_EQ(chmod(scratch_path(&room.scratch, "rw/f"), 0600), 0);
        CHECK_GT(read(fd, event, sizeof event), 0);
        asking.paths[0] = scratch_path(&room.scratch, "outside/f");
        CHECK_EQ(broker_try(room.list, &asking), -EPERM);
        close(fd);
    }
    remove_room(&room);
}

// --- connections ------------------------------------------------------------------------------------------------------

static int listen_inet(uint16_t *ret_port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(fd, (struct sockaddr *)&in, sizeof in) == 0 && listen(fd, 8) == 0);
    CHECK_EQ(getsockname(fd, (struct sockaddr *)&in, &bytes), 0);
    *ret_port = ntohs(in.sin_port);
    return fd;
}

static int64_t try_connect(const struct box_list *list, int family, const void *address, size_t bytes)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct asking asking = {.op = BRIG_BROKER_OP_CONNECT,
                                  .call = BRIG_SYS_connect,
                                  .data = address,
                                  .data_bytes = (uint32_t)bytes,
                                  .attached = {0, 0, fd}};
    int64_t result = broker_try(list, &asking);
    close(fd);
    return result;
}

TEST(broker, connections_go_where_the_list_says)
{
    struct room room;
    uint16_t port;
    char texts[2][160];
    int listener = listen_inet(&port);
    REQUIRE(make_room(&room));
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof un.sun_path, "%s", scratch_path(&room.scratch, "socket"));
    int unix_listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(unix_listener, (struct sockaddr *)&un, sizeof un) == 0 && listen(unix_listener, 8) == 0);
    snprintf(texts[0], sizeof texts[0], "127.0.0.0/8:%u", port);
    snprintf(texts[1], sizeof texts[1], "unix:%s", un.sun_path);
    const struct brig_broker_address addresses[] = {{.text = texts[0]}, {.text = texts[1]}};
    const struct brig_broker_list given = {.addresses = addresses, .address_count = 2, .deny_errno = EPERM};
    struct box_list *list;
    struct brig_error error;
    REQUIRE_OK(box_list_new(&given, &list, &error), &error);

    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK_EQ(try_connect(list, AF_INET, &in, sizeof in), 0);
    CHECK_EQ(try_connect(list, AF_INET, &in, 8), -EINVAL);
    CHECK_EQ(try_connect(list, AF_UNIX, &in, sizeof in), -EINVAL);
    in.sin_port = htons((uint16_t)(port ^ 1));
    CHECK_EQ(try_connect(list, AF_INET, &in, sizeof in), -EPERM);
    in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)}; // 0.0.0.0 is this machine, but is not listed
    CHECK_EQ(try_connect(list, AF_INET, &in, sizeof in), -EPERM);
    in.sin_family = AF_UNSPEC;
    CHECK_EQ(try_connect(list, AF_INET, &in, sizeof in), -EPERM);

    CHECK_EQ(try_connect(list, AF_UNIX, &un, sizeof un), 0);
    CHECK_EQ(try_connect(list, AF_UNIX, &un, offsetof(struct sockaddr_un, sun_path) + strlen(un.sun_path)), 0);
    // A link in the socket's place is not followed.
    CHECK_EQ(rename(un.sun_path, scratch_path(&room.scratch, "moved")), 0);
    CHECK_EQ(symlink("moved", un.sun_path), 0);
    CHECK_EQ(try_connect(list, AF_UNIX, &un, sizeof un), -ECONNREFUSED);
    snprintf(un.sun_path, sizeof un.sun_path, "%s", scratch_path(&room.scratch, "moved"));
    CHECK_EQ(try_connect(list, AF_UNIX, &un, sizeof un), -EPERM);
    memcpy(un.sun_path, "\0name", 5);
    CHECK_EQ(try_connect(list, AF_UNIX, &un, offsetof(struct sockaddr_un, sun_path) + 5), -EPERM);
    box_list_free(list);
    close(listener);
    close(unix_listener);
    remove_room(&room);
}

// 0x40, AI_IDN of glibc, makes it load a library, for which a locked broker would die.
TEST(broker, hints_that_load_libraries_are_refused)
{
    const struct brig_broker_list given = {.may_resolve = true};
    struct brig_broker_hints hints = {.family = AF_INET, .type = SOCK_STREAM};
    const struct asking asking = {
        .op = BRIG_BROKER_OP_RESOLVE, .paths = {"127.0.0.1", "80"}, .data = &hints, .data_bytes = sizeof hints};
    struct box_list *list;
    struct brig_error error;
    REQUIRE_OK(box_list_new(&given, &list, &error), &error);
    for (unsigned i = 0; i < 32; i++) {
        hints.flags = (int32_t)(1u << i);
        const int64_t result = broker_ask(list, &asking).result;
        const bool is_known =
            hints.flags & (AI_PASSIVE | AI_CANONNAME | AI_NUMERICHOST | AI_NUMERICSERV | AI_V4MAPPED | AI_ALL | AI_ADDRCONFIG);
        CHECK(is_known ? result != -EACCES : result == -EINVAL);
    }
    box_list_free(list);
}

TEST(broker, names_of_hosts_are_resolved_if_the_list_says_so)
{
    struct brig_broker_list given = {.deny_errno = EPERM};
    const struct brig_broker_hints hints = {.flags = 4 /* AI_NUMERICHOST */, .family = AF_INET, .type = SOCK_STREAM};
    const struct asking asking = {
        .op = BRIG_BROKER_OP_RESOLVE, .paths = {"127.0.0.1", "80"}, .data = &hints, .data_bytes = sizeof hints};
    struct brig_broker_resolved resolved;
    struct sockaddr_in in;
    struct brig_error error;
    for (unsigned i = 0; i < 2; i++) {
        struct box_list *list;
        given.may_resolve = i == 1;
        REQUIRE_OK(box_list_new(&given, &list, &error), &error);
        struct answer answer = broker_ask(list, &asking);
        CHECK_EQ(answer.result, i ? 1 : -EPERM);
        CHECK_EQ(answer.answer_bytes, i ? sizeof resolved : 0);
        memcpy(&resolved, answer.answer, sizeof resolved);
        memcpy(&in, resolved.address, sizeof in);
        CHECK(!i || (in.sin_family == AF_INET && in.sin_port == htons(80) && in.sin_addr.s_addr == htonl(INADDR_LOOPBACK)));
        box_list_free(list);
    }
}

static struct answer resolve(const struct box_list *list, const char *service, int32_t family, int32_t flags)
{
    const struct brig_broker_hints hints = {.flags = flags, .family = family, .type = SOCK_STREAM};
    return broker_ask(
        list, &(struct asking){
                  .op = BRIG_BROKER_OP_RESOLVE, .paths = {"127.0.0.1", service}, .data = &hints, .data_bytes = sizeof hints});
}

TEST(broker, what_getaddrinfo_says_is_told_as_it_was)
{
    const struct brig_broker_list given = {.may_resolve = true};
    struct brig_broker_resolved resolved;
    struct brig_error error;
    struct box_list *list;
    REQUIRE_OK(box_list_new(&given, &list, &error), &error);
    const struct answer answer = resolve(list, "80", AF_INET, AI_CANONNAME | AI_NUMERICHOST);
    CHECK_EQ(answer.result, 1);
    CHECK_EQ(answer.answer_bytes, sizeof resolved + sizeof "127.0.0.1");
    CHECK_STR_EQ((const char *)answer.answer + sizeof resolved, "127.0.0.1");
    memcpy(&resolved, answer.answer, sizeof resolved);
    CHECK_EQ(resolved.flags, AI_CANONNAME | AI_NUMERICHOST);
    CHECK_EQ(resolve(list, "80", 77, 0).result, -EAFNOSUPPORT);              // EAI_FAMILY
    CHECK_EQ(resolve(list, "no-such", AF_INET, 0).result, -EPROTONOSUPPORT); // EAI_SERVICE
    CHECK_EQ(resolve(list, "http", AF_INET, AI_NUMERICSERV).result, -ENOENT);
    CHECK_EQ(resolve(list, "80", AF_INET6, AI_NUMERICHOST).result, -EADDRNOTAVAIL); // EAI_ADDRFAMILY
    box_list_free(list);
}
