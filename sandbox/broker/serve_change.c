// serve_change: CHMOD, UTIMENS, TRUNCATE, WATCH. What is done to a file by its name.
//
// Each holds the file by an O_PATH descriptor (resolve.c) and acts on that: by AT_EMPTY_PATH where the call has it, else by the
// name /proc/self/fd/N, which leads to the file and to nothing else.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/broker/serve.h"

static int hold(struct box_job *job, enum box_purpose purpose, bool keeps_link)
{
    const struct box_wish wish = {.purposes = 1u << purpose, .ending = keeps_link ? BOX_KEEP : BOX_FOLLOW};
    struct box_place place;
    return box_job_hold(job, &wish, &place);
}

// The set-id and sticky bits change what a file is to others: nobody behind a broker may set them.
static int64_t ask_chmod(struct box_job *job)
{
    const uint32_t flags = job->request->flags;
    struct stat status;
    if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    if (job->request->mode & (S_ISUID | S_ISGID | S_ISVTX))
        return -EPERM;
    int fd = hold(job, BOX_WRITE, flags & AT_SYMLINK_NOFOLLOW);
    if (fd < 0)
        return fd;
    int64_t result = box_result(fstat(fd, &status));
    if (result == 0 && S_ISLNK(status.st_mode))
        result = -EOPNOTSUPP;
    if (result == 0)
        result = box_result(chmod(box_fd_name(fd).text, job->request->mode & 0777));
    close(fd);
    return result;
}

void box_serve_CHMOD(struct box_job *job)
{
    job->reply->result = ask_chmod(job);
}

static int64_t ask_utimens(struct box_job *job)
{
    const uint32_t flags = job->request->flags;
    int64_t given[4] = {0};
    if (job->request->data_bytes)
        memcpy(given, job->data, sizeof given);
    struct timespec times[2] = {{.tv_sec = (time_t)given[0], .tv_nsec = (long)given[1]},
                                {.tv_sec = (time_t)given[2], .tv_nsec = (long)given[3]}};
    // The kernel does not even look the name up (fs/utimes.c).
    if (times[0].tv_nsec == UTIME_OMIT && times[1].tv_nsec == UTIME_OMIT)
        return 0;
    if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    int fd = hold(job, BOX_WRITE, flags & AT_SYMLINK_NOFOLLOW);
    if (fd < 0)
        return fd;
    int64_t result = utimensat(fd, "", job->request->data_bytes ? times : NULL, AT_EMPTY_PATH);
    result = box_result(result);
    close(fd);
    return result;
}

void box_serve_UTIMENS(struct box_job *job)
{
    job->reply->result = ask_utimens(job);
}

static int64_t ask_truncate(struct box_job *job)
{
    const int64_t length = (int64_t)job->request->number;
    if (length < 0)
        return -EINVAL;
    int fd = hold(job, BOX_WRITE, false);
    if (fd < 0)
        return fd;
    int64_t result = box_result(truncate(box_fd_name(fd).text, (off_t)length));
    close(fd);
    return result;
}

void box_serve_TRUNCATE(struct box_job *job)
{
    job->reply->result = ask_truncate(job);
}

static int64_t ask_watch(struct box_job *job)
{
    const uint32_t mask = (uint32_t)job->request->number;
    int fd = hold(job, BOX_READ, mask & IN_DONT_FOLLOW);
    if (fd < 0)
        return fd;
    // What is held is what the name led to: the name of the descriptor itself has to be followed.
    int64_t result = inotify_add_watch(job->attached[2], box_fd_name(fd).text, mask & ~(uint32_t)IN_DONT_FOLLOW);
    result = box_result(result);
    close(fd);
    return result;
}

void box_serve_WATCH(struct box_job *job)
{
    job->reply->result = ask_watch(job);
}
