// unveil, in both its forms: what can still be reached, as one table of attempts with what each form answers; and what is refused
// to be promised.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policies/policies.h"
#include "sandbox/unveil.h"
#include "sandbox/worker/unveil.h"
#include "tests/sandbox/broker_room.h"

// --- a world ----------------------------------------------------------------------------------------------------------

// FOLDER/ as a room has it, and: ro/out -> ../secret/file, ro/up -> ../secret, rw/file, one, two.
static bool make_world(struct room *room)
{
    room_here = room;
    snprintf(room->folder, sizeof room->folder, "/tmp/brig-unveil-XXXXXX");
    if (!CHECK(mkdtemp(room->folder) != NULL))
        return false;
    static const char *const folders[] = {"ro", "ro/sub", "rw", "secret"};
    for (size_t i = 0; i < COUNT_OF(folders); i++)
        CHECK_EQ(mkdir(room_path(folders[i]), 0777), 0);
    static const char *const files[] = {"ro/hello", "ro/sub/deep", "rw/file", "secret/file", "one", "two"};
    for (size_t i = 0; i < COUNT_OF(files); i++)
        CHECK(room_write(files[i], "text\n"));
    return CHECK_EQ(symlink("hello", room_path("ro/link")), 0) && CHECK_EQ(symlink("../secret/file", room_path("ro/out")), 0) &&
           CHECK_EQ(symlink("../secret", room_path("ro/up")), 0);
}

static struct {
    char paths[5][80];
    struct brig_unveil all[5];
} visible;
enum { VISIBLE = 4 }; // the fifth is for the tests to say

static const struct brig_unveil *make_visible(const struct room *room)
{
    static const char *const rows[VISIBLE][2] = {{"ro", "r"}, {"rw", "rwc"}, {"one", "r"}, {"two", "wr"}};
    for (size_t i = 0; i < VISIBLE; i++) {
        snprintf(visible.paths[i], sizeof visible.paths[i], "%s/%s", room->folder, rows[i][0]);
        visible.all[i] = (struct brig_unveil){visible.paths[i], rows[i][1]};
    }
    return visible.all;
}

static const struct brig_unveil *make_visible_and(const struct room *room, const char *name, const char *permissions)
{
    make_visible(room);
    snprintf(visible.paths[VISIBLE], sizeof visible.paths[0], "%s%s%s", *name == '/' ? "" : room->folder, *name == '/' ? "" : "/",
             name);
    visible.all[VISIBLE] = (struct brig_unveil){visible.paths[VISIBLE], permissions};
    return visible.all;
}

// --- attempts ---------------------------------------------------------------------------------------------------------

static int of_opening(const char *path, int flags)
{
    const int fd = open(path, flags | O_CLOEXEC, 0666);
    if (fd >= 0)
        close(fd);
    return fd;
}

static int to_read(const char *path, const char *other)
{
    (void)other;
    return of_opening(path, O_RDONLY);
}

static int to_write(const char *path, const char *other)
{
    (void)other;
    return of_opening(path, O_WRONLY);
}

static int to_create(const char *path, const char *other)
{
    (void)other;
    return of_opening(path, O_WRONLY | O_CREAT | O_EXCL);
}

static int to_truncate(const char *path, const char *other)
{
    (void)other;
    return truncate(path, 2);
}

static int to_unlink(const char *path, const char *other)
{
    (void)other;
    return unlink(path);
}

static int to_mkdir(const char *path, const char *other)
{
    (void)other;
    return mkdir(path, 0777);
}

static int to_rmdir(const char *path, const char *other)
{
    (void)other;
    return rmdir(path);
}

static int to_rename(const char *path, const char *other)
{
    return rename(path, other);
}

static int to_link(const char *path, const char *other)
{
    return link(path, other);
}

// A link of one's own to what one may not have, and then through it.
static int by_symlink(const char *path, const char *other)
{
    if (symlink(other, path) < 0)
        return -1;
    const int result = of_opening(path, O_RDONLY);
    const int reason = errno;
    unlink(path);
    errno = reason;
    return result;
}

// From a directory that may be opened.
static int by_directory(const char *path, const char *other)
{
    const int directory_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int fd = openat(directory_fd, "../secret/file", O_RDONLY | O_CLOEXEC);
    const int reason = errno;
    (void)other;
    close(fd);
    close(directory_fd);
    errno = directory_fd < 0 ? ENXIO : reason;
    return fd;
}

// A descriptor without rights, and then from there.
static int by_path_descriptor(const char *path, const char *other)
{
    const int directory_fd = open(path, O_PATH | O_CLOEXEC);
    const int fd = openat(directory_fd, other, O_RDONLY | O_CLOEXEC);
    const int reason = errno;
    close(fd);
    close(directory_fd);
    errno = directory_fd < 0 ? ENOENT : reason;
    return fd;
}

// Paths are below the folder unless absolute. `kernel`: by Landlock; `broker`: by a list.
static const struct attempt {
    int (*attempt)(const char *path, const char *other);
    const char *path;
    const char *other;
    int kernel;
    int broker;
} attempts[] = {
    {to_read, "ro/hello", NULL, 0, 0},
    {to_read, "ro/sub/deep", NULL, 0, 0},
    {to_read, "ro/link", NULL, 0, 0},
    {to_read, "ro/sub/../hello", NULL, 0, 0},
    {to_read, "ro", NULL, 0, 0},
    {to_read, "ro/none", NULL, ENOENT, ENOENT},
    {to_read, "one", NULL, 0, 0},
    {to_read, "two", NULL, 0, 0},
    {to_read, "rw/file", NULL, 0, 0},
    {to_write, "rw/file", NULL, 0, 0},
    {to_write, "two", NULL, 0, 0},
    {to_truncate, "two", NULL, 0, 0},
    {to_create, "rw/new", NULL, 0, 0},
    {to_rename, "rw/new", "rw/newer", 0, 0},
    {to_link, "rw/newer", "rw/newest", 0, 0},
    {to_unlink, "rw/newer", NULL, 0, 0},
    {to_mkdir, "rw/folder", NULL, 0, 0},
    {to_rmdir, "rw/folder", NULL, 0, 0},
    // the entry does not permit it
    {to_write, "ro/hello", NULL, EACCES, EACCES},
    {to_write, "ro/sub/deep", NULL, EACCES, EACCES},
    {to_write, "one", NULL, EACCES, EACCES},
    {to_truncate, "ro/hello", NULL, EACCES, EACCES},
    {to_truncate, "one", NULL, EACCES, EACCES},
    {to_create, "ro/new", NULL, EACCES, EACCES},
    {to_unlink, "ro/hello", NULL, EACCES, EACCES},
    {to_unlink, "one", NULL, EACCES, EACCES},
    {to_unlink, "two", NULL, EACCES, EACCES},
    {to_mkdir, "ro/folder", NULL, EACCES, EACCES},
    {to_rename, "rw/file", "ro/file", EACCES, EACCES},
    {to_rename, "ro/hello", "rw/hello", EACCES, EACCES},
    {to_link, "ro/hello", "rw/hello", EXDEV, EACCES}, // EXDEV: so that who asks copies
    // no entry
    {to_read, "secret/file", NULL, EACCES, ENOENT},
    {to_read, "/etc/passwd", NULL, EACCES, ENOENT},
    {to_read, "secret", NULL, EACCES, ENOENT},
    {to_truncate, "secret/file", NULL, EACCES, ENOENT},
    {to_create, "new", NULL, EACCES, ENOENT},
    {to_unlink, "secret/file", NULL, EACCES, ENOENT},
    {to_rename, "secret/file", "rw/stolen", EACCES, ENOENT},
    {to_rename, "rw/file", "secret/file", EACCES, ENOENT},
    {to_link, "secret/file", "rw/stolen", EXDEV, ENOENT},
    // ways out
    {to_read, "ro/../secret/file", NULL, EACCES, ENOENT},
    {to_read, "ro/sub/../../secret/file", NULL, EACCES, ENOENT},
    {to_read, "ro/out", NULL, EACCES, ENOENT},
    {to_read, "ro/up/file", NULL, EACCES, ENOENT},
    {by_symlink, "rw/evil", "/etc/passwd", EACCES, ENOENT},
    {by_symlink, "rw/evil", "../secret/file", EACCES, ENOENT},
    {by_directory, "ro", NULL, EACCES, ENOENT},
    {by_path_descriptor, "secret", "file", EACCES, ENOENT},
    {by_path_descriptor, "/", "etc/passwd", EACCES, ENOENT},
    {to_read, "/proc/self/root/etc/passwd", NULL, EACCES, ENOENT},
    {to_read, "/proc/self/cwd", NULL, EACCES, ENOENT},
    {to_read, "/proc/self/mem", NULL, EACCES, ENOENT},
    {to_read, "/dev/null", NULL, EACCES, ENOENT},
};

static const char *place(const char *name)
{
    return !name || *name == '/' || !strncmp(name, "..", 2) ? name : room_path(name);
}

static void try_all(bool by_broker)
{
    for (size_t i = 0; i < COUNT_OF(attempts); i++) {
        const struct attempt *row = &attempts[i];
        const char *other = row->attempt == by_path_descriptor ? row->other : place(row->other);
        test_message("attempt %zu: %s %s", i, row->path, row->other ? row->other : "");
        errno = 0;
        const int result = row->attempt(place(row->path), other);
        CHECK_EQ(result < 0 ? errno : 0, by_broker ? row->broker : row->kernel);
    }
    test_message("%s", "");
}

// --- by Landlock ------------------------------------------------------------------------------------------------------

// In a process of its own, because nothing takes its rules off again.
static void enforce_and_try(const void *context)
{
    const struct room *room = context;
    struct brig_error error;
    const int before_fd = open(room_path("secret"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int open_fd = open(room_path("secret/file"), O_RDONLY | O_CLOEXEC);
    char byte;
    REQUIRE_OK(brig_unveil_enforce(make_visible(room), VISIBLE, &error), &error);
    try_all(false);
    // A directory from before is no way in, a file from before is a file.
    CHECK_EQ(openat(before_fd, "file", O_RDONLY | O_CLOEXEC), -1);
    CHECK_EQ(errno, EACCES);
    CHECK_EQ(read(open_fd, &byte, 1), 1);
    // It can only get less.
    REQUIRE_OK(brig_unveil_enforce(&visible.all[0], 1, &error), &error);
    CHECK_GE(of_opening(room_path("ro/hello"), O_RDONLY), 0);
    CHECK_EQ(of_opening(room_path("rw/file"), O_RDONLY), -1);
}

SANDBOX_TEST(unveil, the_kernel_refuses_what_no_entry_permits, .expect_exit = 0)
{
    struct room room = {.broker = NULL};
    if (make_world(&room))
        fixture_in_child(enforce_and_try, &room);
    room_remove(room.folder);
}

static const struct {
    const char *name;
    const char *permissions;
    enum brig_code by_kernel;
    enum brig_code by_list;
    const char *says; // by the kernel's
} promises[] = {
    {"ro/sub", "r", BRIG_OK, BRIG_OK, NULL},
    {"ro/sub", "", BRIG_KERNEL_LACKS, BRIG_OK, "/ro/sub"},
    {"ro/sub", "x", BRIG_KERNEL_LACKS, BRIG_OK, "rights add up"},
    {"ro/hello", "w", BRIG_KERNEL_LACKS, BRIG_OK, "/ro/hello"},
    {"ro/link", "w", BRIG_KERNEL_LACKS, BRIG_OK, "/ro/link"},
    {"ro/up", "r", BRIG_OK, BRIG_OK, NULL},
    {"rw/file", "r", BRIG_KERNEL_LACKS, BRIG_OK, "/rw/file"},
    {"rw/file", "rwc", BRIG_OK, BRIG_OK, NULL},
    {"secret/file", "c", BRIG_KERNEL_LACKS, BRIG_OK, "one name"},
    {"secret/file", "rwc", BRIG_KERNEL_LACKS, BRIG_OK, "/secret/file"},
    {"secret/new", "rwc", BRIG_IO, BRIG_OK, "/secret/new"},
    {"none/new", "r", BRIG_IO, BRIG_IO, "/none/new"},
    {"secret/file/new", "r", BRIG_IO, BRIG_IO, "/secret/file/new"},
    {"/", "rw", BRIG_KERNEL_LACKS, BRIG_OK, "/ro"},
    {"/", "", BRIG_OK, BRIG_BAD_ARGUMENT, NULL},
    {"ro", "rw", BRIG_BAD_ARGUMENT, BRIG_BAD_ARGUMENT, "once"},
    {"ro/", "r", BRIG_BAD_ARGUMENT, BRIG_BAD_ARGUMENT, "absolute"},
    {"ro/../secret", "r", BRIG_BAD_ARGUMENT, BRIG_BAD_ARGUMENT, "absolute"},
    {"ro/.", "r", BRIG_BAD_ARGUMENT, BRIG_BAD_ARGUMENT, "absolute"},
    {"secret//file", "r", BRIG_BAD_ARGUMENT, BRIG_BAD_ARGUMENT, "absolute"},
    {"secret", "rz", BRIG_BAD_ARGUMENT, BRIG_BAD_ARGUMENT, "rz"},
    {"secret", "rr", BRIG_BAD_ARGUMENT, BRIG_BAD_ARGUMENT, "rr"},
    {"secret", "R", BRIG_BAD_ARGUMENT, BRIG_BAD_ARGUMENT, "rwxc"},
};

static void promise(const void *context)
{
    const size_t row = *(const size_t *)context;
    struct brig_error error = {.code = BRIG_OK};
    char text[BRIG_ERROR_TEXT_BYTES];
    const struct brig_unveil *unveils = make_visible_and(room_here, promises[row].name, promises[row].permissions);
    CHECK(CHECK_CODE(brig_unveil_enforce(unveils, VISIBLE + 1, &error), promises[row].by_kernel, &error));
    if (promises[row].says)
        CHECK_CONTAINS(brig_error_format(&error, text, sizeof text), promises[row].says);
    // All or nothing.
    CHECK_EQ(of_opening("/etc/passwd", O_RDONLY) >= 0, promises[row].by_kernel != BRIG_OK);
}

SANDBOX_TEST(unveil, what_the_kernel_cannot_keep_is_not_promised, .expect_exit = 0)
{
    struct room room = {.broker = NULL};
    REQUIRE(make_world(&room));
    for (size_t i = 0; i < COUNT_OF(promises); i++) {
        test_message("%s \"%s\"", promises[i].name, promises[i].permissions);
        fixture_in_child(promise, &i);
    }
    test_message("%s", "");
    room_remove(room.folder);
}

TEST(unveil, entries_without_meaning_are_refused)
{
    struct brig_unveil many[BRIG_UNVEIL_MAX + 1] = {{"/tmp", "r"}};
    const struct brig_unveil relative = {"tmp", "r"}, empty = {"", "r"}, nothing = {NULL, "r"}, silent = {"/tmp", NULL};
    struct brig_error error;
    CHECK(CHECK_CODE(brig_unveil_enforce(NULL, 1, &error), BRIG_BAD_ARGUMENT, &error));
    CHECK(CHECK_CODE(brig_unveil_enforce(many, 0, &error), BRIG_BAD_ARGUMENT, &error));
    CHECK(CHECK_CODE(brig_unveil_enforce(many, COUNT_OF(many), &error), BRIG_BAD_ARGUMENT, &error));
    CHECK(CHECK_CODE(brig_unveil_enforce(&relative, 1, &error), BRIG_BAD_ARGUMENT, &error));
    CHECK(CHECK_CODE(brig_unveil_enforce(&empty, 1, &error), BRIG_BAD_ARGUMENT, &error));
    CHECK(CHECK_CODE(brig_unveil_enforce(&nothing, 1, &error), BRIG_BAD_ARGUMENT, &error));
    CHECK(CHECK_CODE(brig_unveil_enforce(&silent, 1, &error), BRIG_BAD_ARGUMENT, &error));
}

static void *sleep_long(void *data)
{
    pause();
    return data;
}

SANDBOX_TEST(unveil, rules_are_for_one_thread, .expect_exit = 0)
{
    const struct brig_unveil unveil = {"/tmp", "r"};
    struct brig_error error;
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, sleep_long, NULL) == 0);
    CHECK(CHECK_CODE(brig_unveil_enforce(&unveil, 1, &error), BRIG_NOT_SINGLE_THREADED, &error));
    CHECK_EQ(error.detail, 2);
}

TEST(unveil, older_kernels_lack_what_entries_need)
{
    static const struct {
        int abi;
        struct brig_unveil unveil;
        const char *lacks;
    } rows[] = {
        {-1, {"/tmp", "r"}, "5.13"}, {1, {"/tmp", "r"}, "6.2"},    {1, {"/tmp", "c"}, "5.19"}, {2, {"/tmp", "c"}, "6.2"},
        {2, {"/tmp", "rw"}, "6.2"},  {2, {"/", "rwc"}, NULL},      {1, {"/", "rw"}, NULL},     {3, {"/tmp", "rwxc"}, NULL},
        {7, {"/tmp", "rwxc"}, NULL}, {99, {"/tmp", "rwxc"}, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *lacks = box_unveil_lacks(rows[i].abi, &rows[i].unveil, 1);
        test_message("ABI %d, %s", rows[i].abi, rows[i].unveil.permissions);
        if (rows[i].lacks)
            CHECK_CONTAINS(lacks, rows[i].lacks);
        else
            CHECK(lacks == NULL);
    }
    test_message("%s", "");
}

// --- by a worker's spec -----------------------------------------------------------------------------------------------

static int open_some(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    CHECK_GE(of_opening(room_path("ro/hello"), O_RDONLY), 0);
    CHECK_EQ(of_opening(room_path("secret/file"), O_RDONLY), -1);
    CHECK_EQ(errno, EACCES);
    return 0;
}

static int read_secret(void *data)
{
    (void)data;
    return of_opening(room_path("secret/file"), O_RDONLY) < 0;
}

static int start_thread(void *data)
{
    pthread_t thread;
    return pthread_create(&thread, NULL, sleep_long, data);
}

SANDBOX_TEST(unveil, a_worker_sees_what_its_spec_says, .expect_exit = 0)
{
    struct room room = {.broker = NULL};
    struct brig_worker *worker = NULL;
    struct brig_error error;
    REQUIRE(make_world(&room) && fixture_open(&room.fixture));
    struct brig_worker_spec spec = {.name = "unveiled",
                                    .policy = &fixture_policy,
                                    .warm_up = read_secret,
                                    .entry = open_some,
                                    .unveil = make_visible(&room),
                                    .unveil_count = VISIBLE};
    REQUIRE_OK(brig_supervisor_launch(room.fixture.supervisor, &spec, &worker, &error), &error);
    CHECK(fixture_run(&room.fixture, 1));
    CHECK_EQ(room.fixture.events[room.fixture.count - 1].wait_status, 0);
    spec.warm_up = start_thread;
    CHECK(CHECK_CODE(brig_supervisor_launch(room.fixture.supervisor, &spec, &worker, &error), BRIG_NOT_SINGLE_THREADED, &error));
    spec.warm_up = NULL;
    spec.unveil = make_visible_and(&room, "none/new", "r");
    spec.unveil_count = VISIBLE + 1;
    CHECK(CHECK_CODE(brig_supervisor_launch(room.fixture.supervisor, &spec, &worker, &error), BRIG_IO, &error));
    fixture_close(&room.fixture);
    room_remove(room.folder);
}

static int keep_and_break(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    CHECK_GE(of_opening(room_path("ro/hello"), O_RDONLY), 0);
    CHECK_EQ(of_opening(room_path("secret/file"), O_RDONLY), -1);
    CHECK_EQ(errno, EACCES);
    return of_opening(room_path("rw/file"), O_WRONLY); // which takes wpath
}

SANDBOX_TEST(unveil, a_promise_to_read_is_about_these_files, .expect_exit = 0)
{
    static struct brig_policy_pledge_memory memory;
    struct room room = {.broker = NULL};
    struct brig_worker_spec spec = {.name = "reader", .entry = keep_and_break, .unveil_count = VISIBLE};
    struct brig_error error;
    if (brig_policy_for_this_build("renderer") != &brig_policy_renderer) {
        test_skip("promises know nothing of sanitizers");
        return;
    }
    REQUIRE(make_world(&room) && fixture_open(&room.fixture));
    spec.unveil = make_visible(&room);
    REQUIRE_OK(brig_policy_pledge("stdio rpath", &memory, &spec.policy, &error), &error);
    CHECK(fixture_launch(&room.fixture, &spec) && fixture_run(&room.fixture, 1));
    const int exit = fixture_find(&room.fixture, BRIG_EVENT_EXIT, 0);
    CHECK(exit >= 0 && WIFSIGNALED(room.fixture.events[exit].wait_status));
    fixture_close(&room.fixture);
    room_remove(room.folder);
}

static void promise_then_unveil(const void *context)
{
    static struct brig_policy_pledge_memory memory;
    static unsigned char arena[BRIG_DSL_ARENA_BYTES];
    const struct brig_dsl_policy *policy;
    const struct brig_lock_options options = {.memory = arena, .memory_bytes = sizeof arena};
    struct brig_error error;
    REQUIRE_OK(brig_policy_pledge("stdio rpath unveil", &memory, &policy, &error), &error);
    REQUIRE_OK(brig_lock(policy, &options, &error), &error);
    CHECK_GE(of_opening(room_path("secret/file"), O_RDONLY), 0);
    REQUIRE_OK(brig_unveil_enforce(make_visible(context), VISIBLE, &error), &error);
    CHECK_EQ(of_opening(room_path("secret/file"), O_RDONLY), -1);
    CHECK_GE(of_opening(room_path("ro/hello"), O_RDONLY), 0);
}

SANDBOX_TEST(unveil, the_promise_of_this_name_is_enough_for_it, .expect_exit = 0)
{
    struct room room = {.broker = NULL};
    if (brig_policy_for_this_build("renderer") != &brig_policy_renderer) {
        test_skip("promises know nothing of sanitizers");
        return;
    }
    REQUIRE(make_world(&room));
    fixture_in_child(promise_then_unveil, &room);
    room_remove(room.folder);
}

// --- by a broker's list -----------------------------------------------------------------------------------------------

static int try_by_broker(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    try_all(true);
    return 0;
}

static bool start_broker(struct room *room, const struct brig_unveil *unveils, size_t count)
{
    struct brig_broker_entry entries[VISIBLE + 1];
    struct brig_broker_spec spec = {.name = "broker", .policy = brig_policy_for_this_build("broker")};
    struct brig_error error;
    return CHECK_OK(brig_unveil_list(unveils, count, entries, &spec.list, &error), &error) &&
           CHECK_OK(brig_broker_start(room->fixture.supervisor, &spec, &room->broker, &error), &error);
}

SANDBOX_TEST(unveil, a_broker_refuses_what_no_entry_permits, .expect_exit = 0)
{
    struct room room = {.broker = NULL};
    REQUIRE(make_world(&room) && fixture_open(&room.fixture));
    if (start_broker(&room, make_visible(&room), VISIBLE))
        room_run(&room, try_by_broker, NULL);
    fixture_close(&room.fixture);
    room_remove(room.folder);
}

static int try_what_is_narrow(void *data, int channel_fd)
{
    struct stat status;
    (void)data;
    (void)channel_fd;
    CHECK_EQ(of_opening(room_path("ro/sub/deep"), O_RDONLY), -1);
    CHECK_EQ(errno, ENOENT);
    CHECK_EQ(stat(room_path("ro/sub/deep"), &status), -1);
    CHECK_EQ(errno, ENOENT);
    CHECK_GE(of_opening(room_path("ro/hello"), O_RDONLY), 0);
    return 0;
}

// What Landlock cannot do, a list can.
SANDBOX_TEST(unveil, a_list_can_hide_what_is_below, .expect_exit = 0)
{
    struct room room = {.broker = NULL};
    REQUIRE(make_world(&room) && fixture_open(&room.fixture));
    if (start_broker(&room, make_visible_and(&room, "ro/sub", ""), VISIBLE + 1))
        room_run(&room, try_what_is_narrow, NULL);
    fixture_close(&room.fixture);
    room_remove(room.folder);
}

SANDBOX_TEST(unveil, lists_are_checked_as_rules_are, .expect_exit = 0)
{
    struct room room = {.broker = NULL};
    REQUIRE(make_world(&room));
    for (size_t i = 0; i < COUNT_OF(promises); i++) {
        struct brig_broker_entry entries[VISIBLE + 1];
        struct brig_broker_list list;
        struct brig_error error;
        test_message("%s \"%s\"", promises[i].name, promises[i].permissions);
        const struct brig_unveil *unveils = make_visible_and(&room, promises[i].name, promises[i].permissions);
        CHECK(CHECK_CODE(brig_unveil_list(unveils, VISIBLE + 1, entries, &list, &error), promises[i].by_list, &error));
    }
    test_message("%s", "");
    room_remove(room.folder);
}
