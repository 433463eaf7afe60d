// directory: what a directory descriptor of a client is called.
//
// A client's openat(fd, "name") is about a path, and the list knows paths: so the kernel is asked what the descriptor is called,
// and whether that name still leads to it. The path gives no right to anything; it is where a relative name starts.
//
// Weaknesses: a directory that the list names through a link (/lib for /usr/lib) is called by its other name here, and has to be
// listed under that one, too.
// And one that the broker may not reach by its name any more is EACCES, where the kernel would go on from the descriptor.
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/broker/list.h"

static int check_still_there(const char *path, const struct stat *expected)
{
    struct stat found;
    int fd = box_openat2(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
    if (fd < 0)
        return fd == -EACCES ? fd : -ENOENT;
    bool is_same = fstat(fd, &found) == 0 && found.st_dev == expected->st_dev && found.st_ino == expected->st_ino;
    close(fd);
    return is_same ? 0 : -ENOENT;
}

int box_directory_path(int dir_fd, char path[BRIG_BROKER_PATH_BYTES])
{
    char link[32];
    struct stat status;
    if (fstat(dir_fd, &status) != 0)
        return -errno;
    if (!S_ISDIR(status.st_mode))
        return -ENOTDIR;
    snprintf(link, sizeof link, "/proc/self/fd/%d", dir_fd);
    ssize_t bytes = readlink(link, path, BRIG_BROKER_PATH_BYTES - 1);
    if (bytes < 0)
        return -errno;
    path[bytes] = '\0';
    if (*path != '/')
        return -EACCES;
    return check_still_there(path, &status);
}
