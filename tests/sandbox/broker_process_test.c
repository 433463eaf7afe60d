// Workers and their broker, from unmodified libc calls to files, and from the start of a broker to its end.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utime.h>

#include "policies/policies.h"
#include "tests/sandbox/broker_room.h"

// --- every op, by libc ------------------------------------------------------------------------------------------------

static void check_opening(void)
{
    int fd = open("ro/hello", O_RDONLY);
    CHECK_GE(fd, 0);
    CHECK_EQ(fcntl(fd, F_GETFD), 0);
    close(fd);
    fd = open(room_path("ro/hello"), O_RDONLY | O_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    CHECK(room_has("ro/hello", "hello\n"));
    CHECK(room_has("ro/link", "hello\n"));
    CHECK(room_has("ro/../ro/sub/../hello", "hello\n"));
    CHECK_EQ(open(room_path("ro/none"), O_RDONLY), -1);
    CHECK_EQ(errno, ENOENT);
    CHECK_EQ(open(room_path("secret/file"), O_RDONLY), -1);
    CHECK_EQ(errno, EACCES);
    CHECK_EQ(open(room_path("ro/../secret/file"), O_RDONLY), -1);
    CHECK_EQ(errno, EACCES);
    CHECK_EQ(open(room_path("ro/hello"), O_WRONLY), -1);
    CHECK_EQ(errno, EACCES);
    CHECK_EQ(open("/etc/passwd", O_RDONLY), -1);
    CHECK_EQ(errno, EACCES);
    CHECK_EQ(open((const char *)8, O_RDONLY), -1);
    CHECK_EQ(errno, EFAULT);
}

static void check_stdio(void)
{
    char line[16] = "";
    FILE *file = fopen(room_path("ro/hello"), "re");
    CHECK(file && fgets(line, sizeof line, file));
    CHECK_STR_EQ(line, "hello\n");
    if (file)
        fclose(file);
    file = fopen(room_path("rw/new"), "we");
    CHECK(file && fputs("new\n", file) >= 0 && fclose(file) == 0);
    CHECK(room_has("rw/new", "new\n"));
    CHECK(fopen(room_path("ro/new"), "we") == NULL);
}

static void check_looking(void)
{
    struct stat status;
    struct statx extended;
    char text[16] = "";
    CHECK_EQ(stat(room_path("ro/hello"), &status), 0);
    CHECK_EQ(status.st_size, 6);
    CHECK(S_ISREG(status.st_mode));
    CHECK_EQ(lstat(room_path("ro/link"), &status), 0);
    CHECK(S_ISLNK(status.st_mode));
    CHECK_EQ(statx(AT_FDCWD, "ro/hello", 0, STATX_SIZE, &extended), 0);
    CHECK_EQ(extended.stx_size, 6u);
    CHECK_EQ(stat(room_path("secret/file"), &status), -1);
    CHECK_EQ(errno, EACCES);
    CHECK_EQ(readlink(room_path("ro/link"), text, sizeof text), 5);
    CHECK_STR_EQ(text, "hello");
    CHECK_EQ(readlink(room_path("ro/hello"), text, sizeof text), -1);
    CHECK_EQ(errno, EINVAL);
    CHECK_EQ(access(room_path("ro/hello"), R_OK), 0);
    CHECK_EQ(access(room_path("ro/none"), F_OK), -1);
    CHECK_EQ(errno, ENOENT);
}

static void check_directories(void)
{
    size_t count = 0;
    DIR *entries = opendir(room_path("ro"));
    REQUIRE(entries != NULL);
    while (readdir(entries))
        count++;
    CHECK_EQ(count, 5u); // . .. hello link sub
    const int fd = openat(dirfd(entries), "hello", O_RDONLY | O_CLOEXEC);
    CHECK_GE(fd, 0);
    close(fd);
    CHECK_EQ(openat(dirfd(entries), "../secret/file", O_RDONLY | O_CLOEXEC), -1);
    CHECK_EQ(errno, EACCES);
    closedir(entries);
    CHECK(opendir(room_path("secret")) == NULL);
    CHECK_EQ(mkdir(room_path("rw/made"), 0777), 0);
    CHECK_EQ(mkdir(room_path("rw/made"), 0777), -1);
    CHECK_EQ(errno, EEXIST);
    CHECK_EQ(rmdir(room_path("rw/made")), 0);
    CHECK_EQ(mkdir(room_path("ro/made"), 0777), -1);
    CHECK_EQ(errno, EACCES);
}

static void check_names(void)
{
    char template[80];
    snprintf(template, sizeof template, "%s", room_path("rw/tempXXXXXX"));
    const int fd = mkstemp(template);
    CHECK_GE(fd, 0);
    close(fd);
    CHECK_EQ(rename(template, room_path("rw/renamed")), 0);
    CHECK_EQ(rename(room_path("rw/renamed"), room_path("ro/renamed")), -1);
    CHECK_EQ(errno, EACCES);
    CHECK_EQ(link(room_path("rw/renamed"), room_path("rw/second")), 0);
    CHECK_EQ(link(room_path("ro/hello"), room_path("rw/hello")), -1);
    CHECK_EQ(errno, EACCES);
    CHECK_EQ(unlink(room_path("rw/second")), 0);
    CHECK_EQ(symlink("renamed", room_path("rw/link")), 0);
    CHECK_EQ(unlink(room_path("rw/link")), 0);
    CHECK_EQ(unlink(room_path("ro/hello")), -1);
    CHECK_EQ(errno, EACCES);
}

static void check_changes(void)
{
    struct stat status;
    struct utimbuf times = {1000, 2000};
    CHECK(room_write("rw/changed", "0123456789"));
    CHECK_EQ(chmod(room_path("rw/changed"), 0600), 0);
    CHECK_EQ(truncate(room_path("rw/changed"), 4), 0);
    CHECK_EQ(utime(room_path("rw/changed"), &times), 0);
    CHECK_EQ(stat(room_path("rw/changed"), &status), 0);
    CHECK_EQ(status.st_mode & 0777, 0600u);
    CHECK_EQ(status.st_size, 4);
    CHECK_EQ(status.st_mtime, 2000);
    CHECK_EQ(chmod(room_path("ro/hello"), 0600), -1);
    CHECK_EQ(errno, EACCES);
    CHECK_EQ(truncate(room_path("ro/hello"), 0), -1);
    CHECK_EQ(errno, EACCES);
}

static void check_file_systems(void)
{
    struct statfs one;
    struct statvfs other;
    CHECK_EQ(statfs(room_path("ro/hello"), &one), 0);
    CHECK_GT(one.f_bsize, 0);
    CHECK_EQ(statvfs(room_path("ro/hello"), &other), 0);
    CHECK_EQ(statfs("/proc", &one), -1);
    CHECK_EQ(errno, EACCES);
}

static void check_watches(void)
{
    struct inotify_event event = {.mask = 0};
    char buffer[512];
    const int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    CHECK_GE(inotify_add_watch(fd, room_path("rw"), IN_CREATE), 0);
    CHECK(room_write("rw/watched", "x"));
    CHECK_GT(read(fd, buffer, sizeof buffer), 0);
    memcpy(&event, buffer, sizeof event);
    CHECK(event.mask & IN_CREATE);
    CHECK_EQ(inotify_add_watch(fd, room_path("secret"), IN_CREATE), -1);
    CHECK_EQ(errno, EACCES);
    close(fd);
}

static void check_connecting(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", room_path("socket"));
    CHECK_EQ(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_EQ(send(fd, "x", 1, 0), 1);
    close(fd);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", "/run/dbus/system_bus_socket");
    CHECK_EQ(connect(fd, (struct sockaddr *)&address, sizeof address), -1);
    CHECK_EQ(errno, EACCES);
    close(fd);
}

static int use_everything(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    check_opening();
    check_stdio();
    check_looking();
    check_directories();
    check_names();
    check_changes();
    check_file_systems();
    check_watches();
    check_connecting();
    return 0;
}

SANDBOX_TEST(broker, unmodified_libc_calls_work_in_a_locked_worker, .expect_exit = 0)
{
    struct room room;
    struct stat status;
    umask(027);
    REQUIRE(room_open(&room));
    const int before = room_descriptors(brig_broker_pid(room.broker));
    REQUIRE(room_run(&room, use_everything, NULL));
    CHECK_EQ(stat(room_path("rw/new"), &status), 0);
    CHECK_EQ(status.st_mode & 0777, 0640u); // the worker's umask
    CHECK_EQ(room_settled_descriptors(room.broker, before), before);
    room_close(&room);
}

static int make_a_file(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    const int fd = open(room_path("rw/masked"), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    CHECK_GE(fd, 0);
    return close(fd);
}

// A host that asks for its mask by umask(2) would learn here that it is 0777, and have changed it elsewhere.
SANDBOX_TEST(broker, the_mask_of_the_host_is_read_and_not_touched, .expect_exit = 0)
{
    const struct fixture_refusal refusal = {BRIG_SYS_umask, EPERM, -1, 0, 0};
    struct room room;
    struct stat status;
    umask(027);
    REQUIRE(room_open(&room) && fixture_refuse(&refusal));
    REQUIRE(room_run(&room, make_a_file, NULL));
    CHECK_EQ(stat(room_path("rw/masked"), &status), 0);
    CHECK_EQ(status.st_mode & 0777, 0640u);
    room_close(&room);
}

// sandbox/broker/README.md: what differs from the kernel.
static int make_a_file_with_a_full_table(void *data, int channel_fd)
{
    struct stat status;
    (void)data;
    (void)channel_fd;
    int last = -1;
    for (int fd; (fd = dup(room_socket)) >= 0; last = fd)
        continue;
    CHECK_EQ(errno, EMFILE);
    CHECK_EQ(open(room_path("rw/too-much"), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666), -1);
    CHECK_EQ(errno, EMFILE);
    CHECK_EQ(stat(room_path("rw/too-much"), &status), 0);
    close(last);
    const int fd = open(room_path("rw/too-much"), O_WRONLY | O_CLOEXEC);
    CHECK_EQ(fd, last);
    return 0;
}

SANDBOX_TEST(broker, a_full_table_is_told_after_the_deed, .expect_exit = 0)
{
    struct room room;
    REQUIRE(room_open(&room));
    const int before = room_descriptors(brig_broker_pid(room.broker));
    REQUIRE(room_run(&room, make_a_file_with_a_full_table, NULL));
    CHECK_EQ(room_settled_descriptors(room.broker, before), before);
    room_close(&room);
}

// --- devices ----------------------------------------------------------------------------------------------------------

// What a device is told is for the worker's policy to say, once the list names it.
static int tell_devices(void *data, int channel_fd)
{
    int bits = -1;
    (void)data;
    (void)channel_fd;
    const int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC), random_fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    CHECK(null_fd >= 0 && random_fd >= 0);
    CHECK_EQ(isatty(null_fd), 0);
    CHECK_EQ(errno, ENOTTY);
    CHECK_EQ(ioctl(random_fd, RNDGETENTCNT, &bits), 0);
    CHECK_GE(bits, 0);
    return 0;
}

SANDBOX_TEST(broker, listed_devices_can_be_told_things, .expect_exit = 0)
{
    static const struct brig_broker_entry entries[] = {{.path = "/dev/null", .rights = BRIG_BROKER_READ | BRIG_BROKER_WRITE},
                                                       {.path = "/dev/urandom", .rights = BRIG_BROKER_READ}};
    const struct brig_broker_spec spec = {.name = "devices",
                                          .policy = brig_policy_for_this_build("broker"),
                                          .list = {.entries = entries, .entry_count = COUNT_OF(entries)}};
    struct room room;
    struct brig_error error;
    REQUIRE(room_open(&room));
    REQUIRE_OK(brig_broker_start(room.fixture.supervisor, &spec, &room.broker, &error), &error);
    CHECK(room_run(&room, tell_devices, NULL));
    room_close(&room);
}
