// unveil: the calling process gives up all files but some, by Landlock.
//
// Takes entries, gives a process whose opens, names and executions the kernel itself refuses elsewhere; or an error, and then
// nothing has changed but no_new_privs. The order: text, threads, kernel, then everything is opened (O_PATH, which is no right) and
// compared by inode as Landlock compares, so that links and bind mounts do not matter; then the rules; then they are tried.
//
// Landlock's rights add up from the root down. An entry below another may therefore only give more, and a file can be given what is
// done to its content, not that its name comes and goes: both are refused here rather than enforced in part.
//
// Weakness: /proc/self/fd says in which directory a file is that was named through a link; without /proc it fails.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/worker/landlock.h"
#include "sandbox/worker/proc.h"
#include "sandbox/worker/unveil.h"

enum { PLACES_MAX = BRIG_UNVEIL_MAX + 1 }; // and the root, to try what nobody asked for

static const char step_unveil[] = "unveil";

// What a path led to. Inodes are compared as Landlock does.
struct place {
    const char *path;
    int fd; // O_PATH
    uint32_t rights;
    bool is_directory;
    bool is_tried; // a directory or regular file that could be opened to be read
    struct statx status;
};

struct places {
    size_t count;
    struct place all[PLACES_MAX];
};

static enum brig_code failed(struct brig_error *reterr, enum brig_code code, const char *step, const char *subject)
{
    struct brig_error error = {.code = code, .sys_errno = code == BRIG_KERNEL_LACKS ? 0 : errno, .step = step, .subject = subject};
    return brig_error_set(reterr, error);
}

// --- before anything is opened ----------------------------------------------------------------------------------------

static int look(int fd, const char *path, struct statx *ret_status)
{
    return (int)syscall(SYS_statx, fd, path, AT_EMPTY_PATH, STATX_TYPE | STATX_NLINK | STATX_INO | STATX_MNT_ID, ret_status);
}

// Rules are for one thread and those that it makes. The directory has a link for each thread beside its own two.
static enum brig_code check_threads(struct brig_error *reterr)
{
    struct statx status;
    if (look(AT_FDCWD, "/proc/self/task", &status) < 0)
        return failed(reterr, BRIG_IO, step_unveil, "/proc/self/task");
    if (status.stx_nlink == 3)
        return BRIG_OK;
    struct brig_error error = {.code = BRIG_NOT_SINGLE_THREADED, .step = step_unveil, .detail = (int64_t)status.stx_nlink - 2};
    return brig_error_set(reterr, error);
}

static enum brig_code check_kernel(const struct brig_unveil *unveils, size_t count, int *ret_abi, struct brig_error *reterr)
{
    const int abi = box_landlock_abi();
    const char *lacks = box_unveil_lacks(abi, unveils, count);
    if (lacks)
        return failed(reterr, BRIG_KERNEL_LACKS, step_unveil, lacks);
    *ret_abi = abi;
    return BRIG_OK;
}

// --- places -----------------------------------------------------------------------------------------------------------

static bool is_same(const struct statx *a, const struct statx *b)
{
    return a->stx_ino == b->stx_ino && a->stx_dev_major == b->stx_dev_major && a->stx_dev_minor == b->stx_dev_minor;
}

// Opens nothing that could wait or start something: no FIFO, no device.
static bool can_read(const struct place *place)
{
    const int fd = open(place->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static enum brig_code add_place(struct places *places, const char *path, uint32_t rights, struct brig_error *reterr)
{
    struct place *place = &places->all[places->count];
    *place = (struct place){.path = path, .rights = rights, .fd = open(path, O_PATH | O_CLOEXEC)};
    if (place->fd < 0)
        return failed(reterr, BRIG_IO, step_unveil, path);
    places->count++;
    if (look(place->fd, "", &place->status) < 0)
        return failed(reterr, BRIG_IO, step_unveil, path);
    place->is_directory = (place->status.stx_mode & S_IFMT) == S_IFDIR;
    place->is_tried = (place->is_directory || (place->status.stx_mode & S_IFMT) == S_IFREG) && can_read(place);
    return BRIG_OK;
}

static enum brig_code open_places(const struct brig_unveil *unveils, size_t count, struct places *places, struct brig_error *reterr)
{
    enum brig_code code = BRIG_OK;
    bool has_root = false;
    for (size_t i = 0; i < count && code == BRIG_OK; i++) {
        code = add_place(places, unveils[i].path, box_unveil_rights(unveils[i].permissions), reterr);
        has_root |= unveils[i].path[1] == '\0';
    }
    return code != BRIG_OK || has_root ? code : add_place(places, "/", 0, reterr);
}

static void close_places(struct places *places)
{
    for (size_t i = 0; i < places->count; i++)
        close(places->all[i].fd);
}

// --- what stands above a place ----------------------------------------------------------------------------------------

// Opens a directory itself, or the directory in which a file is.
static int open_first(const struct place *place)
{
    char link[64], path[PATH_MAX];
    struct box_line name = {link, sizeof link, 0};
    if (place->is_directory)
        return fcntl(place->fd, F_DUPFD_CLOEXEC, 0);
    box_line_add(&name, "/proc/self/fd/");
    box_line_add_number(&name, place->fd);
    const ssize_t bytes = readlink(link, path, sizeof path - 1);
    if (bytes <= 0)
        return -1;
    path[bytes] = '\0';
    char *slash = strrchr(path, '/');
    if (!slash)
        return -1;
    slash[slash == path] = '\0';
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static uint32_t rights_at(const struct places *places, const struct place *but, const struct statx *status)
{
    uint32_t rights = 0;
    for (const struct place *place = places->all; place < places->all + places->count; place++)
        rights |= place != but && is_same(&place->status, status) ? place->rights : 0;
    return rights;
}

// Adds up what other entries give from here to the root, which is its own "..".
static int rights_above(const struct places *places, const struct place *place, uint32_t *ret_rights)
{
    struct statx here, below = {.stx_ino = 0};
    uint32_t rights = 0;
    int fd = open_first(place);
    for (bool is_root = false; fd >= 0 && !is_root;) {
        const int result = look(fd, "", &here);
        const int above = result < 0 ? -1 : openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        close(fd);
        fd = above;
        is_root = fd >= 0 && is_same(&here, &below) && here.stx_mnt_id == below.stx_mnt_id;
        rights |= fd >= 0 ? rights_at(places, place, &here) : 0;
        below = here;
    }
    *ret_rights = rights;
    if (fd >= 0)
        close(fd);
    return fd >= 0 ? 0 : -1;
}

static enum brig_code check_place(const struct places *places, const struct place *place, struct brig_error *reterr)
{
    uint32_t above;
    if (rights_above(places, place, &above) < 0)
        return failed(reterr, BRIG_IO, step_unveil, place->path);
    if (above & ~place->rights)
        return failed(reterr, BRIG_KERNEL_LACKS, "unveil less below a directory than there (Landlock's rights add up)",
                      place->path);
    if (!place->is_directory && place->rights & ~above & BOX_UNVEIL_CREATE)
        return failed(reterr, BRIG_KERNEL_LACKS, "let one name come and go (Landlock: all of its directory's, or none)",
                      place->path);
    return BRIG_OK;
}

static enum brig_code check_places(const struct places *places, size_t count, struct brig_error *reterr)
{
    enum brig_code code = BRIG_OK;
    for (size_t i = 0; i < count && code == BRIG_OK; i++)
        code = check_place(places, &places->all[i], reterr);
    return code;
}

// --- rules ------------------------------------------------------------------------------------------------------------

#define OF_FILES \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | BOX_LANDLOCK_FS_TRUNCATE)

// No device nodes: OpenBSD's `c` has them for root, and whoever is root here must not.
static const struct {
    uint32_t right;
    uint64_t access;
} accesses[] = {
    {BOX_UNVEIL_READ, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR},
    {BOX_UNVEIL_WRITE, LANDLOCK_ACCESS_FS_WRITE_FILE | BOX_LANDLOCK_FS_TRUNCATE},
    {BOX_UNVEIL_EXECUTE, LANDLOCK_ACCESS_FS_EXECUTE},
    {BOX_UNVEIL_CREATE, LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SYM |
                            LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                            LANDLOCK_ACCESS_FS_REMOVE_DIR | BOX_LANDLOCK_FS_REFER},
};

static uint64_t access_of(const struct place *place, uint64_t handled)
{
    uint64_t access = 0;
    for (size_t i = 0; i < sizeof accesses / sizeof accesses[0]; i++)
        access |= place->rights & accesses[i].right ? accesses[i].access : 0;
    return access & handled & (place->is_directory ? ~(uint64_t)0 : OF_FILES);
}

static enum brig_code add_rules(int ruleset, const struct places *places, uint64_t handled, struct brig_error *reterr)
{
    for (const struct place *place = places->all; place < places->all + places->count; place++) {
        const uint64_t access = access_of(place, handled);
        if (access && box_landlock_allow(ruleset, place->fd, access) < 0)
            return failed(reterr, BRIG_KERNEL_REFUSED, "landlock_add_rule", place->path);
    }
    return BRIG_OK;
}

// Setting it again is refused by policies that were installed with it.
static bool has_no_new_privs(void)
{
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static enum brig_code enforce(const struct places *places, int abi, struct brig_error *reterr)
{
    const struct box_landlock landlock = {.handled_fs = BOX_LANDLOCK_FS_ABI_1 | (abi >= 2 ? BOX_LANDLOCK_FS_REFER : 0) |
                                                        (abi >= 3 ? BOX_LANDLOCK_FS_TRUNCATE : 0)};
    const int ruleset = box_landlock_new(&landlock);
    if (ruleset < 0)
        return failed(reterr, BRIG_KERNEL_REFUSED, step_unveil, "landlock_create_ruleset");
    enum brig_code code = add_rules(ruleset, places, landlock.handled_fs, reterr);
    if (code == BRIG_OK && !has_no_new_privs())
        code = failed(reterr, BRIG_KERNEL_REFUSED, step_unveil, "no_new_privs");
    if (code == BRIG_OK && box_landlock_enforce(ruleset) < 0)
        code = failed(reterr, BRIG_KERNEL_REFUSED, step_unveil, "landlock_restrict_self");
    close(ruleset);
    return code;
}

// --- read back --------------------------------------------------------------------------------------------------------

// The kernel shows its rules nowhere, so they are tried.
static enum brig_code try_places(const struct places *places, struct brig_error *reterr)
{
    for (const struct place *place = places->all; place < places->all + places->count; place++) {
        if (place->is_tried && can_read(place) != ((place->rights & BOX_UNVEIL_READ) != 0))
            return failed(reterr, BRIG_READ_BACK_DIFFERS, "unveil, by trying to read", place->path);
    }
    return BRIG_OK;
}

enum brig_code brig_unveil_enforce(const struct brig_unveil *unveils, size_t count, struct brig_error *reterr)
{
    struct places places = {.count = 0};
    int abi = 0;
    enum brig_code code = box_unveil_check(unveils, count, reterr);
    if (code == BRIG_OK)
        code = check_threads(reterr);
    if (code == BRIG_OK)
        code = check_kernel(unveils, count, &abi, reterr);
    if (code == BRIG_OK)
        code = open_places(unveils, count, &places, reterr);
    if (code == BRIG_OK)
        code = check_places(&places, count, reterr);
    if (code == BRIG_OK)
        code = enforce(&places, abi, reterr);
    if (code == BRIG_OK)
        code = try_places(&places, reterr);
    close_places(&places);
    return code;
}
