// serve_names: MKDIR, UNLINK, SYMLINK, RENAME, LINK. Names that are made, removed and changed.
//
// The kernel's calls for these take no RESOLVE flags, so the directory that holds a name is opened first (resolve.c), and the call
// gets that directory and one component, which none of them follows. A name needs CREATE. The directory of an entry is like a mount
// point: it cannot be made, removed or renamed (EEXIST, EBUSY).
//
// A file keeps what it could be used for: a rename or a link is refused if the new name would be readable or writable where the old
// one is not. And a directory that holds listed names stays where it is: else what an entry forbids would be had under another
// name.
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/broker/serve.h"

static const uint32_t use_rights = BRIG_BROKER_READ | BRIG_BROKER_WRITE;

static int64_t remove_directory(int parent_fd, const struct box_place *place)
{
    const char *last = box_place_last(place);
    return box_result(unlinkat(parent_fd, last, AT_REMOVEDIR));
}

static int64_t ask_mkdir(struct box_job *job)
{
    struct box_place place;
    if (job->request->mode & (S_ISUID | S_ISGID | S_ISVTX))
        return -EPERM;
    int fd = box_job_hold_parent(job, 0, &place);
    if (fd < 0)
        return fd;
    int64_t result = mkdirat(fd, box_place_last(&place), job->request->mode & 0777);
    result = box_result(result);
    close(fd);
    return result;
}

void box_serve_MKDIR(struct box_job *job)
{
    job->reply->result = ask_mkdir(job);
}

static int64_t ask_unlink(struct box_job *job)
{
    const uint32_t flags = job->request->flags;
    struct box_place place;
    int64_t result;
    if (flags & ~(uint32_t)AT_REMOVEDIR)
        return -EINVAL;
    int fd = box_job_hold_parent(job, 0, &place);
    if (fd < 0)
        return fd;
    if (place.has_below && !place.last)
        result = box_job_refuse(job, &place);
    else if (flags)
        result = remove_directory(fd, &place);
    else
        result = box_result(unlinkat(fd, box_place_last(&place), 0));
    close(fd);
    return result;
}

void box_serve_UNLINK(struct box_job *job)
{
    job->reply->result = ask_unlink(job);
}

static int64_t ask_symlink(struct box_job *job)
{
    struct box_place place;
    if (!*job->path[0])
        return -ENOENT;
    int fd = box_job_hold_parent(job, 1, &place);
    if (fd < 0)
        return fd;
    int64_t result = box_result(symlinkat(job->path[0], fd, box_place_last(&place)));
    close(fd);
    return result;
}

void box_serve_SYMLINK(struct box_job *job)
{
    job->reply->result = ask_symlink(job);
}

// Whether a file that moves from one place to the other could be used for more there.
static bool widens(const struct box_place *from, const struct box_place *to)
{
    return to->rights & use_rights & ~from->rights;
}

static int64_t rename_held(struct box_job *job, const int fds[2], const struct box_place places[2])
{
    const unsigned flags = job->request->flags;
    const char *old = box_place_last(&places[0]), *new = box_place_last(&places[1]);
    bool is_no_name = places[0].last || places[1].last;
    bool is_wider = widens(&places[0], &places[1]) || (flags & RENAME_EXCHANGE && widens(&places[1], &places[0]));
    if (!is_no_name && (is_wider || places[0].has_below || places[1].has_below))
        return box_job_refuse(job, &places[is_wider]);
    return box_result(syscall(SYS_renameat2, fds[0], old, fds[1], new, flags));
}

static int64_t ask_rename(struct box_job *job)
{
    const uint32_t flags = job->request->flags;
    struct box_place places[2];
    int fds[2];
    // RENAME_WHITEOUT leaves a device behind.
    if (flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE))
        return flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT) ? -EINVAL : -EPERM;
    if (flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
        return -EINVAL;
    fds[0] = box_job_hold_parent(job, 0, &places[0]);
    if (fds[0] < 0)
        return fds[0];
    fds[1] = box_job_hold_parent(job, 1, &places[1]);
    int64_t result = fds[1];
    if (fds[1] >= 0) {
        result = rename_held(job, fds, places);
        close(fds[1]);
    }
    close(fds[0]);
    return result;
}

void box_serve_RENAME(struct box_job *job)
{
    job->reply->result = ask_rename(job);
}

// By the descriptor, so that the file that was checked is the one that gets the name.
static int64_t link_held(struct box_job *job, int fd, const struct box_place *from)
{
    struct box_place to;
    int parent_fd = box_job_hold_parent(job, 1, &to);
    if (parent_fd < 0)
        return parent_fd;
    int64_t result;
    if (!to.last && widens(from, &to)) {
        result = box_job_refuse(job, &to);
    } else {
        const struct box_fd_name name = box_fd_name(fd);
        result = linkat(AT_FDCWD, name.text, parent_fd, box_place_last(&to), AT_SYMLINK_FOLLOW);
        result = box_result(result);
    }
    close(parent_fd);
    return result;
}

static int64_t ask_link(struct box_job *job)
{
    const uint32_t flags = job->request->flags;
    const struct box_wish wish = {.purposes = 1u << BOX_CREATE, .ending = flags & AT_SYMLINK_FOLLOW ? BOX_FOLLOW : BOX_KEEP};
    struct box_place from;
    if (flags & ~(uint32_t)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    int fd = box_job_hold(job, &wish, &from);
    if (fd < 0)
        return fd;
    int64_t result = link_held(job, fd, &from);
    close(fd);
    return result;
}

void box_serve_LINK(struct box_job *job)
{
    job->reply->result = ask_link(job);
}
