// serve_open: OPEN. Which rights a call's flags need, and what is not handed over though the kernel opened it.
//
// One openat2 for a plain name, and one fstat: a device is handed over only if an entry names it, because a directory that
// strangers may write to can hold one. (It has been opened then, and is closed again: list /dev by its files.) The terminal of the
// broker is never taken (O_NOCTTY), and nobody may make files that run as somebody else.
//
// As the kernel: a FIFO waits for its other end. The request's thread waits with it, so a session's threads have to be its own.
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/broker/serve.h"

enum {
    FLAGS_KNOWN = O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_ASYNC | O_DIRECT |
                  O_LARGEFILE | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH |
                  O_TMPFILE, // and O_DIRECTORY, O_DSYNC, which are part of others
    FLAGS_OF_PATH = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
    RESOLVE_KNOWN =
        RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_CACHED,
    SPECIAL_BITS = S_ISUID | S_ISGID | S_ISVTX,
};

static bool is_tmpfile(uint64_t flags)
{
    return (flags & O_TMPFILE) == O_TMPFILE;
}

static bool makes_file(uint64_t flags)
{
    return flags & O_CREAT || is_tmpfile(flags);
}

// openat takes what it knows (fs/open.c: build_open_how); openat2 refuses what it does not know, which the kernel does below.
static struct box_opening opening_of(const struct brig_broker_request *request)
{
    struct box_opening opening = {.flags = request->flags, .mode = request->mode};
    if (request->call != BRIG_SYS_openat2) {
        opening.flags &= (uint64_t)FLAGS_KNOWN;
        if (opening.flags & O_PATH)
            opening.flags &= (uint64_t)FLAGS_OF_PATH;
        opening.mode = makes_file(opening.flags) ? request->mode & 07777 : 0;
    }
    if (!(opening.flags & O_PATH))
        opening.flags |= O_NOCTTY;
    return opening;
}

static unsigned purposes_of(uint64_t flags)
{
    static const unsigned of_access[] = {[O_RDONLY] = 1u << BOX_READ,
                                         [O_WRONLY] = 1u << BOX_WRITE,
                                         [O_RDWR] = 1u << BOX_READ | 1u << BOX_WRITE,
                                         [O_ACCMODE] = 1u << BOX_READ | 1u << BOX_WRITE};
    // An O_PATH descriptor can be searched and turned into others.
    unsigned purposes = flags & O_PATH ? 1u << BOX_READ : of_access[flags & O_ACCMODE];
    if (flags & O_TRUNC)
        purposes |= 1u << BOX_WRITE;
    if (makes_file(flags))
        purposes |= 1u << BOX_CREATE;
    if (is_tmpfile(flags) || (flags & O_CREAT && flags & O_EXCL))
        purposes |= 1u << BOX_TEMPORARY;
    return purposes;
}

static struct box_wish wish_of(const struct brig_broker_request *request, uint64_t flags)
{
    bool keeps = flags & O_NOFOLLOW || (flags & O_CREAT && flags & O_EXCL);
    return (struct box_wish){.purposes = purposes_of(flags),
                             .ending = keeps ? BOX_KEEP : BOX_FOLLOW,
                             .makes_file = flags & O_CREAT,
                             .resolve = request->call == BRIG_SYS_openat2 ? request->number : 0};
}

// O_CREAT is what programs say to mean "open it, and make it if it must be": without CREATE, what is there can be opened.
static int open_existing(struct box_job *job, struct box_opening *opening, struct box_place *place)
{
    struct stat status;
    opening->flags &= ~(uint64_t)O_CREAT;
    opening->mode = 0;
    const struct box_wish wish = wish_of(job->request, opening->flags);
    int fd = box_job_open(job, &wish, opening, place);
    if (fd == -ENOENT && job->reply->verdict == BRIG_BROKER_DONE)
        return box_job_refuse(job, place);
    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISDIR(status.st_mode))
        return fd;
    close(fd);
    return -EISDIR;
}

// A temporary file has no name when it is handed over. If somebody gave it another one meanwhile, it is not.
static int remove_name(struct box_job *job, const struct box_place *made, int fd)
{
    static const struct box_opening opening = {.wants_parent = true};
    struct box_question question = {.start = "/", .name = made->path, .purposes = 1u << BOX_LOOK, .ending = BOX_NAME};
    enum brig_broker_verdict verdict;
    struct box_place place;
    struct stat status;
    int parent_fd = box_open(job->list, &question, &opening, &place, &verdict);
    if (parent_fd < 0)
        return parent_fd;
    int result = unlinkat(parent_fd, box_place_last(&place), 0) == 0 ? 0 : -errno;
    close(parent_fd);
    if (result == 0 && (fstat(fd, &status) != 0 || status.st_nlink != 0))
        result = -EACCES;
    return result;
}

// Returns: 0 if the descriptor may be handed over, or -errno.
static int check_opened(struct box_job *job, const struct box_place *place, const struct box_opening *opening, int fd)
{
    struct stat status;
    if (place->is_exact && !(place->rights & BRIG_BROKER_TEMPORARY)) // named by the list: whatever it is
        return 0;
    if (fstat(fd, &status) != 0)
        return -errno;
    bool is_device = S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode);
    if (is_device && !place->is_exact && !(opening->flags & O_PATH))
        return box_job_refuse(job, place);
    if (place->rights & BRIG_BROKER_TEMPORARY && status.st_nlink != 0)
        return remove_name(job, place, fd);
    return 0;
}

// The kernel refuses flags before it looks at a name, and a walk would look first: so it is asked about unusual ones, with a name
// that leads nowhere.
static bool are_valid(const struct brig_broker_request *request, const struct box_opening *opening)
{
    const uint64_t plain = O_RDWR | O_WRONLY | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC;
    const uint64_t allowed = plain | (opening->flags & O_DIRECTORY ? (uint64_t)O_DIRECTORY : (uint64_t)O_CREAT);
    bool is_plain = !(opening->flags & ~allowed) && (opening->flags & O_ACCMODE) != O_ACCMODE;
    if (is_plain && request->call != BRIG_SYS_openat2)
        return true;
    return box_openat2(-1, "x", opening->flags, opening->mode, 0) != -EINVAL;
}

static int open_checked(struct box_job *job)
{
    const struct brig_broker_request *request = job->request;
    struct box_opening opening = opening_of(request);
    struct box_wish wish = wish_of(request, opening.flags);
    struct box_place place;
    const uint64_t border = RESOLVE_BENEATH | RESOLVE_IN_ROOT;
    if (!are_valid(request, &opening) || wish.resolve & ~(uint64_t)RESOLVE_KNOWN || (wish.resolve & border) == border)
        return -EINVAL;
    if (makes_file(opening.flags) && opening.mode & SPECIAL_BITS)
        return -EPERM;
    int fd = box_job_open(job, &wish, &opening, &place);
    bool is_refused = job->reply->verdict == BRIG_BROKER_DENIED || job->reply->verdict == BRIG_BROKER_SETTLED;
    if (fd < 0 && is_refused && opening.flags & O_CREAT && !(opening.flags & O_EXCL))
        fd = open_existing(job, &opening, &place);
    if (fd < 0)
        return fd;
    int result = check_opened(job, &place, &opening, fd);
    if (result < 0)
        close(fd);
    return result < 0 ? result : fd;
}

void box_serve_OPEN(struct box_job *job)
{
    int fd = open_checked(job);
    job->descriptor = fd >= 0 ? fd : -1;
    job->reply->result = fd < 0 ? fd : 0;
}
