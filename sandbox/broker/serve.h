// serve: what the functions of serve_*.c share. Internal.
#ifndef BRIG_SANDBOX_BROKER_SERVE_H
#define BRIG_SANDBOX_BROKER_SERVE_H

#include <errno.h>

#include "sandbox/broker/list.h"

// "/proc/self/fd/N": a name for a descriptor, for calls that take no descriptor. It leads to the file itself, not to its name.
struct box_fd_name {
    char text[32];
};
struct box_fd_name box_fd_name(int fd);

// What a request asks about one of its names.
struct box_wish {
    unsigned path; // which of the two
    unsigned purposes;
    enum box_ending ending;
    bool makes_file;
    uint64_t resolve;
};

// Resolves and opens one of the request's names. Returns: a descriptor or -errno; the verdict is in the reply.
int box_job_open(struct box_job *job, const struct box_wish *wish, const struct box_opening *opening, struct box_place *ret_place);

// Opens what a name leads to, O_PATH: to look at it or to change it. With `flags` of an AT_ call (AT_SYMLINK_NOFOLLOW,
// AT_SYMLINK_FOLLOW) already in wish->ending. Returns: as box_job_open.
int box_job_hold(struct box_job *job, const struct box_wish *wish, struct box_place *ret_place);

// Opens the directory that a name is to be made or removed in. Returns: as box_job_open.
int box_job_hold_parent(struct box_job *job, unsigned path, struct box_place *ret_place);

// The list refuses after all. Returns: -errno.
int box_job_refuse(struct box_job *job, const struct box_place *place);

// Whether the request is about an attached descriptor itself: AT_EMPTY_PATH and an empty name.
bool box_job_is_empty(const struct box_job *job, unsigned path);

// What a call returned, as the kernel gave it.
static inline int64_t box_result(int64_t result)
{
    return result < 0 ? -errno : result;
}

#endif
