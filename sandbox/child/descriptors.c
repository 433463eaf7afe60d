// descriptors: which ones the worker has.
//
// Takes the host's whole table, leaves what was named, /dev/null in the place of standard descriptors that were not, and the three
// of our own (notify, channel, broker). What stays is audited twice: what was named, before the warm-up; everything that is open,
// after it, because a warm-up opens things too.
//
// Weakness: a warm-up that closes a kept descriptor and opens something of the same role in its place is not noticed.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/child/child.h"

enum { OWN_DESCRIPTORS = 3, STAYING_MAX = BRIG_KEEP_MAX + OWN_DESCRIPTORS + 3 };

// Sorted descriptors that stay.
struct staying {
    int fds[STAYING_MAX];
    size_t count;
};

static bool is_kept(const struct brig_worker_spec *spec, int fd)
{
    for (size_t i = 0; i < spec->keep_count; i++) {
        if (spec->keep[i].fd == fd)
            return true;
    }
    return false;
}

static int role_of(const struct box_child *child, int fd)
{
    for (size_t i = 0; i < child->spec->keep_count; i++) {
        if (child->spec->keep[i].fd == fd)
            return (int)child->spec->keep[i].role;
    }
    return child->preparation ? BOX_MADE_BY_US : BOX_MADE_HERE;
}

static void add_sorted(struct staying *staying, int fd)
{
    size_t at = staying->count;
    if (fd < 0)
        return;
    for (; at > 0 && staying->fds[at - 1] > fd; at--)
        staying->fds[at] = staying->fds[at - 1];
    staying->fds[at] = fd;
    staying->count++;
}

static void list_staying(const struct box_child *child, struct staying *staying)
{
    staying->count = 0;
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        add_sorted(staying, fd);
    for (size_t i = 0; i < child->spec->keep_count; i++) {
        if (child->spec->keep[i].fd > STDERR_FILENO)
            add_sorted(staying, child->spec->keep[i].fd);
    }
    add_sorted(staying, child->notify_fd);
    add_sorted(staying, child->channel_fd);
    add_sorted(staying, child->broker_fd);
}

static enum brig_code refused(struct brig_error *reterr, const char *step, const char *subject, int fd)
{
    struct brig_error error = {.code = BRIG_KERNEL_REFUSED, .sys_errno = errno, .step = step, .subject = subject, .detail = fd};
    return brig_error_set(reterr, error);
}

enum brig_code box_stage_stdio(const struct box_child *child, struct brig_error *reterr)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        if (!is_kept(child->spec, fd) && dup2(child->null_fd, fd) < 0)
            return refused(reterr, "replace standard descriptors", "/dev/null", fd);
    }
    return BRIG_OK;
}

struct kernel_dirent {
    uint64_t inode;
    int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[];
};

static int number_of(const char *text)
{
    int number = 0;
    if (*text < '0' || *text > '9')
        return -1;
    for (; *text; text++)
        number = number * 10 + (*text - '0');
    return number;
}

static bool stays(const struct staying *staying, int fd)
{
    for (size_t i = 0; i < staying->count; i++) {
        if (staying->fds[i] == fd)
            return true;
    }
    return false;
}

// For kernels before 5.9 and for outer filters that do not know close_range. Reads the list again until nothing is left to close,
// because closing while reading may skip entries; readdir would allocate.
static bool close_by_list(const struct staying *staying)
{
    _Alignas(struct kernel_dirent) char buffer[4096];
    int folder = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return false;
    for (bool again = true; again;) {
        again = false;
        lseek(folder, 0, SEEK_SET);
        for (long got; (got = syscall(SYS_getdents64, folder, buffer, sizeof buffer)) > 0;) {
            for (long at = 0; at < got;) {
                const struct kernel_dirent *entry = (const struct kernel_dirent *)(const void *)(buffer + at);
                int fd = number_of(entry->name);
                at += entry->length;
                again |= fd >= 0 && fd != folder && !stays(staying, fd) && close(fd) == 0;
            }
        }
    }
    close(folder);
    return true;
}

static bool close_gap(int after, int before)
{
    unsigned first = (unsigned)(after + 1), last = before < 0 ? ~0u : (unsigned)(before - 1);
    return (before >= 0 && after + 1 >= before) || syscall(SYS_close_range, first, last, 0) == 0;
}

enum brig_code box_stage_close(const struct box_child *child, struct brig_error *reterr)
{
    struct staying staying;
    list_staying(child, &staying);
    bool closed = true;
    for (size_t i = 0; i < staying.count && closed; i++)
        closed = close_gap(staying.fds[i], i + 1 < staying.count ? staying.fds[i + 1] : -1);
    if (closed || close_by_list(&staying))
        return BRIG_OK;
    return refused(reterr, "close descriptors", "close_range, and /proc/self/fd", 0);
}

static enum brig_code audit(int fd, int role, struct brig_error *reterr)
{
    const char *what = box_audit(fd, role);
    if (!what)
        return BRIG_OK;
    struct brig_error error = {.code = BRIG_FD_REFUSED, .step = "audit descriptors", .subject = what, .detail = fd};
    return brig_error_set(reterr, error);
}

enum brig_code box_stage_audit_kept(const struct box_child *child, struct brig_error *reterr)
{
    enum brig_code code = BRIG_OK;
    for (size_t i = 0; i < child->spec->keep_count && code == BRIG_OK; i++)
        code = audit(child->spec->keep[i].fd, (int)child->spec->keep[i].role, reterr);
    return code;
}

// Asks about as many descriptors at once as the limit allows in one poll: those that are not open are POLLNVAL.
static enum brig_code audit_range(const struct box_child *child, int first, int count, struct brig_error *reterr)
{
    enum { BATCH = 64 };
    struct pollfd polled[BATCH];
    for (int i = 0; i < count; i++)
        polled[i] = (struct pollfd){.fd = first + i};
    if (poll(polled, (nfds_t)count, 0) < 0)
        return refused(reterr, "audit descriptors", "poll", first);
    for (int i = 0; i < count; i++) {
        enum brig_code code = polled[i].revents & POLLNVAL ? BRIG_OK : audit(first + i, role_of(child, first + i), reterr);
        if (code != BRIG_OK)
            return code;
    }
    return BRIG_OK;
}

// Nothing new can be above the limit that the stage before the warm-up set.
enum brig_code box_stage_audit_all(const struct box_child *child, struct brig_error *reterr)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return refused(reterr, "read a limit", "RLIMIT_NOFILE", 0);
    const int end = limit.rlim_cur < INT32_MAX ? (int)limit.rlim_cur : INT32_MAX;
    enum brig_code code = BRIG_OK;
    for (int first = 0; first < end && code == BRIG_OK; first += 64)
        code = audit_range(child, first, end - first < 64 ? end - first : 64, reterr);
    return code;
}
