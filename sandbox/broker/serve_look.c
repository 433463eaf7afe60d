// serve_look: ACCESS, STAT, READLINK, STATFS. What is there, without opening it.
//
// Each holds the file by an O_PATH descriptor, which resolve.c opened without a link, and asks the descriptor: these calls take no
// RESOLVE flags of their own. Looking needs any entry, or to be a directory above one; a link's text needs READ.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "sandbox/broker/serve.h"

_Static_assert(sizeof(struct statx) <= BRIG_BROKER_ANSWER_BYTES && sizeof(struct brig_broker_statfs) <= BRIG_BROKER_ANSWER_BYTES,
               "answers fit");

// What a name leads to, or the attached descriptor itself. Returns: a descriptor that is to be closed, or -errno.
static int hold(struct box_job *job, bool keeps_link, struct box_place *ret_place)
{
    const struct box_wish wish = {.purposes = 1u << BOX_LOOK, .ending = keeps_link ? BOX_KEEP : BOX_FOLLOW};
    if (!box_job_is_empty(job, 0))
        return box_job_hold(job, &wish, ret_place);
    if (job->request->attached & 1) {
        *ret_place = (struct box_place){.rights = UINT32_MAX};
        int fd = fcntl(job->attached[0], F_DUPFD_CLOEXEC, 0);
        return fd < 0 ? -errno : fd;
    }
    job->path[0] = ".";
    return box_job_hold(job, &wish, ret_place);
}

// A file's mode is not asked for what the list does not give anyway.
static bool list_allows(const struct box_place *place, uint32_t mode)
{
    const uint32_t reads = BRIG_BROKER_READ, writes = BRIG_BROKER_WRITE | BRIG_BROKER_CREATE;
    return !(mode & (R_OK | X_OK) && !(place->rights & reads)) && !(mode & W_OK && !(place->rights & writes));
}

static int64_t ask_access(struct box_job *job)
{
    const struct brig_broker_request *request = job->request;
    const uint32_t known = AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
    struct box_place place;
    if (request->mode & ~(uint32_t)(R_OK | W_OK | X_OK) || request->flags & ~known)
        return -EINVAL;
    int fd = hold(job, request->flags & AT_SYMLINK_NOFOLLOW, &place);
    if (fd < 0)
        return fd;
    int64_t result = syscall(SYS_faccessat2, fd, "", request->mode, AT_EMPTY_PATH | (request->flags & AT_EACCESS));
    result = box_result(result);
    if (!list_allows(&place, request->mode))
        result = box_job_refuse(job, &place);
    close(fd);
    return result;
}

void box_serve_ACCESS(struct box_job *job)
{
    job->reply->result = ask_access(job);
}

static int64_t ask_stat(struct box_job *job)
{
    const struct brig_broker_request *request = job->request;
    const uint32_t sync = AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC;
    const uint32_t known = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | sync;
    const unsigned mask = request->call == BRIG_SYS_statx ? (unsigned)request->number : STATX_BASIC_STATS;
    struct box_place place;
    struct statx status;
    if (request->flags & ~known || (request->flags & sync) == sync || mask & STATX__RESERVED)
        return -EINVAL;
    int fd = hold(job, request->flags & AT_SYMLINK_NOFOLLOW, &place);
    if (fd < 0)
        return fd;
    memset(&status, 0, sizeof status);
    int64_t result = statx(fd, "", AT_EMPTY_PATH | (int)(request->flags & (sync | AT_NO_AUTOMOUNT)), mask, &status);
    result = box_result(result);
    close(fd);
    if (result == 0) {
        memcpy(job->reply->answer, &status, sizeof status);
        job->reply->answer_bytes = sizeof status;
    }
    return result;
}

void box_serve_STAT(struct box_job *job)
{
    job->reply->result = ask_stat(job);
}

static int64_t ask_readlink(struct box_job *job)
{
    const struct box_wish wish = {.purposes = 1u << BOX_LOOK, .ending = BOX_KEEP};
    struct box_place place;
    struct stat status;
    int fd = box_job_hold(job, &wish, &place);
    if (fd < 0)
        return fd;
    int64_t result = fstat(fd, &status) != 0 ? -errno : S_ISLNK(status.st_mode) ? 0 : -EINVAL;
    if (result == 0 && !(place.rights & BRIG_BROKER_READ))
        result = box_job_refuse(job, &place);
    if (result == 0) {
        result = readlinkat(fd, "", (char *)job->reply->answer, sizeof job->reply->answer);
        result = box_result(result);
    }
    close(fd);
    job->reply->answer_bytes = result > 0 ? (uint32_t)result : 0;
    return result;
}

void box_serve_READLINK(struct box_job *job)
{
    job->reply->result = ask_readlink(job);
}

static int64_t ask_statfs(struct box_job *job)
{
    const struct box_wish wish = {.purposes = 1u << BOX_LOOK, .ending = BOX_FOLLOW};
    struct box_place place;
    struct statfs64 status;
    int fd = box_job_hold(job, &wish, &place);
    if (fd < 0)
        return fd;
    int64_t result = fstatfs64(fd, &status);
    result = box_result(result);
    close(fd);
    if (result < 0)
        return result;
    struct brig_broker_statfs answer = {.type = (uint64_t)status.f_type,
                                        .block_bytes = (uint64_t)status.f_bsize,
                                        .blocks = status.f_blocks,
                                        .free_blocks = status.f_bfree,
                                        .available_blocks = status.f_bavail,
                                        .files = status.f_files,
                                        .free_files = status.f_ffree,
                                        .name_bytes = (uint64_t)status.f_namelen,
                                        .fragment_bytes = (uint64_t)status.f_frsize,
                                        .flags = (uint64_t)status.f_flags};
    memcpy(answer.fs_id, &status.f_fsid, sizeof answer.fs_id);
    memcpy(job->reply->answer, &answer, sizeof answer);
    job->reply->answer_bytes = sizeof answer;
    return 0;
}

void box_serve_STATFS(struct box_job *job)
{
    job->reply->result = ask_statfs(job);
}
