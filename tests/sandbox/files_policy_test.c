// What libraries do with files, under the policy `files`: libc's own functions, called as anybody's code calls them. Some are told
// no, and none may end the worker.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <iconv.h>
#include <locale.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <syslog.h>
#include <unistd.h>

#include "policies/policies.h"
#include "tests/sandbox/broker_room.h"

static void use_streams(void)
{
    char line[32] = "";
    FILE *file = fopen(room_path("rw/stream"), "w+e");
    REQUIRE(file != NULL);
    CHECK_EQ(fprintf(file, "%s %d\n", "line", 1), 7);
    CHECK_EQ(fseek(file, 0, SEEK_SET), 0);
    CHECK(fgets(line, sizeof line, file) != NULL);
    CHECK_STR_EQ(line, "line 1\n");
    CHECK_EQ(ftruncate(fileno(file), 0), 0);
    file = freopen(room_path("ro/hello"), "re", file);
    REQUIRE(file != NULL);
    CHECK(fgets(line, sizeof line, file) != NULL);
    CHECK_STR_EQ(line, "hello\n");
    fclose(file);
}

static int count_entry(const char *path, const struct stat *status, int kind, struct FTW *level)
{
    (void)path, (void)status, (void)level;
    return kind == FTW_DNR || kind == FTW_NS;
}

static void walk_trees(void)
{
    struct dirent **entries = NULL;
    glob_t found;
    char *real = realpath(room_path("ro/sub/../link"), NULL);
    CHECK_STR_EQ(real, room_path("ro/hello"));
    free(real);
    const int count = scandir(room_path("ro"), &entries, NULL, alphasort);
    CHECK_EQ(count, 5); // . .. hello link sub
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    CHECK_EQ(nftw(room_path("ro"), count_entry, 4, FTW_PHYS), 0);
    CHECK_EQ(glob(room_path("ro/h*"), 0, NULL, &found), 0);
    CHECK_EQ(found.gl_pathc, 1u);
    globfree(&found);
}

static void make_temporary_files(void)
{
    char file[80], folder[80];
    snprintf(file, sizeof file, "%s", room_path("rw/fileXXXXXX"));
    snprintf(folder, sizeof folder, "%s", room_path("rw/folderXXXXXX"));
    const int fd = mkstemp(file);
    CHECK_GE(fd, 0);
    close(fd);
    CHECK_EQ(remove(file), 0);
    CHECK(mkdtemp(folder) != NULL);
    CHECK_EQ(remove(folder), 0);
    CHECK(tmpfile() == NULL); // /tmp is not in the list
}

// As databases do.
static void lock_and_map(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    const int fd = open(room_path("rw/base"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK_EQ(posix_fallocate(fd, 0, 8192), 0);
    CHECK_EQ(lockf(fd, F_LOCK, 1), 0);
    CHECK_EQ(fcntl(fd, F_OFD_SETLK, &lock), -1); // the process's own lock is in the way: two kinds of owner
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(lockf(fd, F_ULOCK, 1), 0);
    CHECK_EQ(fcntl(fd, F_OFD_SETLK, &lock), 0);
    CHECK_EQ(flock(fd, LOCK_SH), 0);
    char *base = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    REQUIRE(base != MAP_FAILED);
    base[4096] = 'x';
    CHECK_EQ(msync(base, 8192, MS_SYNC), 0);
    CHECK_EQ(munmap(base, 8192), 0);
    CHECK_EQ(fdatasync(fd), 0);
    CHECK_EQ(fsync(fd), 0);
    CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    CHECK_EQ(chmod(room_path("rw/base"), 0640), 0);
    CHECK_EQ(fchmod(fd, 0640), -1);
    CHECK_EQ(errno, EPERM);
    CHECK_EQ(fchown(fd, (uid_t)-1, (gid_t)-1), -1);
    CHECK_EQ(errno, EPERM);
    CHECK_EQ(fgetxattr(fd, "user.any", base = NULL, 0), -1);
    CHECK_EQ(errno, EOPNOTSUPP);
    close(dup(fd));
    close(fd);
}

// What the list gave for reading is for reading, also where the kernel asks only who the owner is.
static void change_by_descriptor(void)
{
    struct stat before, after;
    char own[32];
    const int fd = open(room_path("ro/hello"), O_RDONLY | O_CLOEXEC);
    CHECK_EQ(fstat(fd, &before), 0);
    snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
    CHECK_EQ(fchmod(fd, 0666), -1);
    CHECK_EQ(futimens(fd, NULL), -1);
    CHECK_EQ(fchown(fd, 0, 0), -1);
    CHECK_EQ(ftruncate(fd, 0), -1);
    CHECK_EQ(posix_fallocate(fd, 0, 100), EBADF);
    CHECK_EQ(chmod(own, 0666), -1);
    CHECK_EQ(open(own, O_WRONLY | O_CLOEXEC), -1);
    CHECK_EQ(linkat(AT_FDCWD, own, AT_FDCWD, room_path("rw/link"), AT_SYMLINK_FOLLOW), -1);
    CHECK(mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    CHECK_EQ(fstat(fd, &after), 0);
    CHECK_EQ(after.st_mode, before.st_mode);
    CHECK_EQ(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
    close(fd);
}

// What is not in the list, or not to be had: told, and not killed.
static void ask_for_too_much(void)
{
    struct addrinfo *addresses = NULL;
    char path[64];
    CHECK(getpwnam("root") == NULL);
    CHECK(setlocale(LC_ALL, "xx_XX.UTF-8") == NULL);
    CHECK(iconv_open("UTF-16", "EUC-JP") == (iconv_t)-1);
    CHECK_NE(getaddrinfo("localhost", "http", NULL, &addresses), 0);
    syslog(LOG_INFO, "%s", "nobody hears this");
    CHECK(popen("true", "re") == NULL);
    CHECK_EQ(chdir("/"), -1);
    CHECK(getcwd(path, sizeof path) == NULL);
    CHECK_EQ(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), -1);
    CHECK_EQ(errno, EAFNOSUPPORT);
}

static int be_a_library(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    use_streams();
    walk_trees();
    make_temporary_files();
    lock_and_map();
    change_by_descriptor();
    ask_for_too_much();
    return 0;
}

SANDBOX_TEST(files, libraries_get_what_they_need_and_are_told_the_rest, .expect_exit = 0)
{
    struct room room;
    if (brig_policy_for_this_build("renderer") != &brig_policy_renderer) {
        test_skip("the policy `files` knows nothing of sanitizers");
        return;
    }
    REQUIRE(room_open(&room));
    const struct brig_worker_spec spec = {
        .name = "files", .policy = &brig_policy_files, .entry = be_a_library, .broker = room.broker};
    if (fixture_launch(&room.fixture, &spec) && fixture_run(&room.fixture, 1)) {
        const int exit = fixture_find(&room.fixture, BRIG_EVENT_EXIT, 0);
        CHECK_EQ(room.fixture.events[exit].wait_status, 0);
    }
    for (size_t i = 0; i < room.fixture.count; i++)
        test_message("%s", room.fixture.events[i].message);
    room_close(&room);
}
