// broker_gather: from a call's registers and the caller's memory to a request. Context of everything here: any, signal handler too.
//
// Takes a row of broker_calls.def, six registers as the call was made with, and a way to the caller's memory. Gives a request in
// which every text ends, every size fits and every number is as wide as the kernel takes it, or the errno that the kernel has for
// such arguments. Nothing is read twice: what was looked at is what is sent.
//
// Errors come in the kernel's order (fs/open.c, fs/namei.c, fs/stat.c, fs/utimes.c of Linux 6.18): flags, then the first path, then
// the second. What can only be known with a file in hand is the server's.
//
// Differences. A call with two paths looks the first one up before it says that the second cannot be read; here both are read
// first. A directory or socket number that is open nowhere is noticed after the paths, and whether it is open at all when it is
// sent.

#include <errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/inotify.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <string.h>

#include "trap/broker.h"

#define CHUNK_BYTES 256u               // most paths are shorter: what is copied for nothing costs too
#define PAGE_BYTES 4096u               // the smallest page of any kernel
#define HOW_BYTES 24u                  // include/uapi/linux/openat2.h:OPEN_HOW_SIZE_VER0
#define MODE_BITS 07777u               // include/linux/stat.h:S_IALLUGO
#define ADDRESS_BYTES_MAX 128          // struct sockaddr_storage
#define NSEC_PER_USEC 1000             //
#define USEC_PER_SEC 1000000           //
#define NSEC_OMIT 0x3ffffffe           // include/linux/stat.h:UTIME_OMIT
#define STATX_ALL_RESERVED 0x80000000u // include/uapi/linux/stat.h:STATX__RESERVED
#define CREATES (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))
#define TMPFILE_BIT (O_TMPFILE & ~O_DIRECTORY)
#define LARGEFILE_BIT O_LARGEFILE
// include/linux/fcntl.h:VALID_OPEN_FLAGS, O_PATH_FLAGS
#define OPEN_FLAGS \
    (O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | FASYNC | O_DIRECT | \
     LARGEFILE_BIT | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | TMPFILE_BIT)
#define PATH_FLAGS (O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC)
#define RESOLVE_FLAGS \
    (RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_CACHED)
#define WATCH_FLAGS \
    (IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK | IN_MASK_ADD | \
     IN_MASK_CREATE | IN_ISDIR | IN_ONESHOT)

// One request being made.
struct gathering {
    const struct brig_broker_call *row;
    const uint64_t *args;
    const struct brig_broker_memory *memory;
    struct brig_broker_request *request;
    int32_t *descriptors;
    uint32_t used;          // of request->bytes
    uint32_t path_bytes[2]; // as in the request, which other threads of a worker can scribble on
    bool has_times;
    int64_t times[4]; // seconds and nanoseconds of access, then of change
};

// An `int` of the call, `absent` where it has none.
static int32_t int_argument(const struct gathering *gathering, int8_t at, int32_t absent)
{
    return at == BRIG_BROKER_ABSENT ? absent : (int32_t)gathering->args[at];
}

static bool has_narrow_longs(const struct gathering *gathering)
{
    return gathering->memory->arch == BRIG_DSL_I386 || gathering->memory->arch == BRIG_DSL_ARM;
}

static uint64_t pointer_argument(const struct gathering *gathering, int8_t at)
{
    return has_narrow_longs(gathering) ? (uint32_t)gathering->args[at] : gathering->args[at];
}

static int read_exactly(const struct gathering *gathering, void *to, uint64_t address, size_t bytes)
{
    return gathering->memory->read(gathering->memory, to, address, bytes) == bytes ? 0 : EFAULT;
}

// --- opening ----------------------------------------------------------------------------------------------------------

// What openat2 says of its arguments before it looks at the path. Source: fs/open.c:build_open_flags.
static int check_how(const struct open_how *how)
{
    const bool creates = how->flags & CREATES;
    if (how->flags & ~(uint64_t)OPEN_FLAGS || how->resolve & ~(uint64_t)RESOLVE_FLAGS ||
        (how->resolve & RESOLVE_BENEATH && how->resolve & RESOLVE_IN_ROOT) || how->mode & ~(uint64_t)(creates ? MODE_BITS : 0)) {
        return EINVAL;
    }
    if ((how->flags & (O_DIRECTORY | O_CREAT)) == (O_DIRECTORY | O_CREAT)) {
        return EINVAL;
    }
    if (how->flags & TMPFILE_BIT && (!(how->flags & O_DIRECTORY) || (how->flags & O_ACCMODE) == O_RDONLY)) {
        return EINVAL;
    }
    if (how->flags & O_PATH && how->flags & ~(uint64_t)PATH_FLAGS) {
        return EINVAL;
    }
    return how->resolve & RESOLVE_CACHED && how->flags & (O_TRUNC | CREATES) ? EAGAIN : 0;
}

// The older calls ignore what they do not know. Source: fs/open.c:build_open_how.
static void older_how(const struct gathering *gathering, struct open_how *how)
{
    const uint32_t flags = (uint32_t)int_argument(gathering, gathering->row->flags, 0) | gathering->row->fixed_flags;
    how->flags = flags & OPEN_FLAGS;
    if (how->flags & O_PATH) {
        how->flags &= PATH_FLAGS;
    }
    how->mode = how->flags & CREATES ? (uint32_t)int_argument(gathering, gathering->row->mode, 0) & MODE_BITS : 0;
    how->resolve = 0;
}

// What is beyond the struct that we know has to be zero. Source: include/linux/uaccess.h:copy_struct_from_user.
static int check_tail(const struct gathering *gathering, uint64_t address, size_t bytes)
{
    uint8_t part[64];
    while (bytes > 0) {
        const size_t wanted = bytes < sizeof part ? bytes : sizeof part;
        const size_t got = gathering->memory->read(gathering->memory, part, address, wanted);
        for (size_t i = 0; i < got; i++) {
            if (part[i] != 0) {
                return E2BIG;
            }
        }
        if (got < wanted) {
            return EFAULT;
        }
        address += wanted;
        bytes -= wanted;
    }
    return 0;
}

static int read_how(const struct gathering *gathering, struct open_how *how)
{
    const uint64_t address = pointer_argument(gathering, gathering->row->in);
    const uint64_t bytes = pointer_argument(gathering, (int8_t)(gathering->row->in + 1));
    if (bytes < HOW_BYTES || bytes > PAGE_BYTES) {
        return bytes < HOW_BYTES ? EINVAL : E2BIG;
    }
    const int error = check_tail(gathering, address + HOW_BYTES, (size_t)bytes - HOW_BYTES);
    return error ? error : read_exactly(gathering, how, address, HOW_BYTES);
}

static int gather_open(struct gathering *gathering)
{
    struct open_how how;
    int error = 0;
    if (gathering->row->in_shape == BRIG_BROKER_SHAPE_HOW) {
        error = read_how(gathering, &how);
    } else {
        older_how(gathering, &how);
    }
    error = error ? error : check_how(&how);
    if (error) {
        return error;
    }
    gathering->request->flags = (uint32_t)how.flags;
    gathering->request->mode = (uint32_t)how.mode & ~gathering->memory->umask;
    gathering->request->number = how.resolve;
    return 0;
}

// --- times ------------------------------------------------------------------------------------------------------------

// Reads `count` longs of the caller's, two or four.
static int read_longs(const struct gathering *gathering, uint64_t address, size_t count, int64_t ret_values[4])
{
    int32_t narrow[4];
    if (!has_narrow_longs(gathering)) {
        return read_exactly(gathering, ret_values, address, count * sizeof *ret_values);
    }
    const int error = read_exactly(gathering, narrow, address, count * sizeof *narrow);
    for (size_t i = 0; i < count && !error; i++) {
        ret_values[i] = narrow[i];
    }
    return error;
}

static bool is_usec(int64_t value)
{
    return value >= 0 && value < USEC_PER_SEC;
}

static int read_times(struct gathering *gathering, uint64_t address)
{
    int64_t *times = gathering->times;
    int error = 0;
    switch ((enum brig_broker_shape)gathering->row->in_shape) {
    case BRIG_BROKER_SHAPE_TIMESPECS64:
        error = read_exactly(gathering, times, address, sizeof gathering->times);
        times[1] &= UINT32_MAX; // kernel/time/time.c:get_timespec64: a 32-bit caller's padding
        times[3] &= UINT32_MAX;
        return error;
    case BRIG_BROKER_SHAPE_TIMEVALS:
        error = read_longs(gathering, address, 4, times);
        if (error || !is_usec(times[1]) || !is_usec(times[3])) {
            return error ? error : EINVAL;
        }
        times[1] *= NSEC_PER_USEC;
        times[3] *= NSEC_PER_USEC;
        return 0;
    case BRIG_BROKER_SHAPE_UTIMBUF:
        error = read_longs(gathering, address, 2, times);
        times[2] = times[1];
        times[1] = 0;
        times[3] = 0;
        return error;
    default:
        return read_longs(gathering, address, 4, times);
    }
}

// Source: fs/utimes.c: nanoseconds that are none are only noticed when the file is there.
static int gather_times(struct gathering *gathering)
{
    const uint64_t address = pointer_argument(gathering, gathering->row->in);
    gathering->has_times = address != 0;
    const int error = gathering->has_times ? read_times(gathering, address) : 0;
    if (error) {
        return error;
    }
    const bool may_omit = gathering->row->in_shape != BRIG_BROKER_SHAPE_TIMEVALS;
    if (may_omit && gathering->has_times && gathering->times[1] == NSEC_OMIT && gathering->times[3] == NSEC_OMIT) {
        return BRIG_BROKER_NOTHING_TO_DO;
    }
    const bool is_of_descriptor = gathering->row->empty == BRIG_BROKER_EMPTY_NULL_OR_FLAG &&
                                  pointer_argument(gathering, gathering->row->path[0]) == 0 &&
                                  int_argument(gathering, gathering->row->dir[0], AT_FDCWD) != AT_FDCWD;
    const uint32_t known = is_of_descriptor ? 0 : AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
    return gathering->request->flags & ~known ? EINVAL : 0;
}

// --- numbers ----------------------------------------------------------------------------------------------------------

static int check_rename(uint32_t flags)
{
    const uint32_t known = RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT;
    return flags & ~known || (flags & RENAME_EXCHANGE && flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)) ? EINVAL : 0;
}

static int check_watch(uint32_t mask)
{
    return mask & ~WATCH_FLAGS || !(mask & WATCH_FLAGS) || (mask & IN_MASK_ADD && mask & IN_MASK_CREATE) ? EINVAL : 0;
}

static int gather_truncate(struct gathering *gathering)
{
    const int8_t at = gathering->row->number;
    int64_t length = (int64_t)gathering->args[at];
    if (gathering->row->in_shape == BRIG_BROKER_SHAPE_PAIR) {
        length = (int64_t)((uint32_t)gathering->args[at] | gathering->args[gathering->row->in] << 32);
    } else if (has_narrow_longs(gathering)) {
        length = (int32_t)gathering->args[at];
    }
    gathering->request->number = (uint64_t)length;
    return length < 0 ? EINVAL : 0;
}

// What the kernel checks before it looks at a path, and what it makes of numbers.
static int gather_numbers(struct gathering *gathering)
{
    const struct brig_broker_call *row = gathering->row;
    struct brig_broker_request *request = gathering->request;
    switch ((enum brig_broker_op)row->op) {
    case BRIG_BROKER_OP_OPEN:
        return gather_open(gathering);
    case BRIG_BROKER_OP_ACCESS:
        return request->mode & ~7u || request->flags & ~(uint32_t)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) ? EINVAL : 0;
    case BRIG_BROKER_OP_STAT:
        request->number = row->number == BRIG_BROKER_ABSENT ? STATX_BASIC_STATS : request->number;
        return 0;
    case BRIG_BROKER_OP_READLINK:
        return int_argument(gathering, (int8_t)(row->out + 1), 0) <= 0 ? EINVAL : 0;
    case BRIG_BROKER_OP_RENAME:
        return check_rename(request->flags);
    case BRIG_BROKER_OP_MKDIR:
        request->mode &= MODE_BITS & ~gathering->memory->umask;
        return 0;
    case BRIG_BROKER_OP_UNLINK:
        return request->flags & ~(uint32_t)AT_REMOVEDIR ? EINVAL : 0;
    case BRIG_BROKER_OP_LINK:
        return request->flags & ~(uint32_t)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) ? EINVAL : 0;
    case BRIG_BROKER_OP_CHMOD:
        request->mode &= MODE_BITS;
        return request->flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) ? EINVAL : 0;
    case BRIG_BROKER_OP_UTIMENS:
        return gather_times(gathering);
    case BRIG_BROKER_OP_TRUNCATE:
        return gather_truncate(gathering);
    case BRIG_BROKER_OP_STATFS:
        return row->out_shape == BRIG_BROKER_SHAPE_STATFS64 && pointer_argument(gathering, (int8_t)(row->out - 1)) != 84 ? EINVAL
                                                                                                                         : 0;
    case BRIG_BROKER_OP_WATCH:
        return check_watch((uint32_t)request->number);
    default:
        return 0;
    }
}

// Calls that look at files do so after an empty path has been found to mean a descriptor, of which fstat knows no flags, and before
// they say what is wrong with any other path. Source: fs/stat.c:vfs_fstatat, do_statx_fd, do_statx, vfs_statx.
static int check_look(const struct brig_broker_request *request, bool is_about_descriptor)
{
    const uint32_t known = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE;
    const bool is_bad_statx = request->call == BRIG_SYS_statx &&
                              (request->number & STATX_ALL_RESERVED || (request->flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE);
    return is_bad_statx || (!is_about_descriptor && request->flags & ~known) ? EINVAL : 0;
}

// --- paths ------------------------------------------------------------------------------------------------------------

// Returns: the length of the text at `bytes` without its NUL, or `count`.
static uint32_t find_nul(const uint8_t *bytes, uint32_t count)
{
    uint32_t i = 0;
    while (i < count && bytes[i] != 0) {
        i++;
    }
    return i;
}

static uint32_t chunk_bytes(uint64_t address, uint32_t done)
{
    const uint32_t to_page_end = PAGE_BYTES - (uint32_t)(address % PAGE_BYTES);
    const uint32_t left = BRIG_BROKER_PATH_BYTES - done;
    const uint32_t wanted = done == 0 && left > CHUNK_BYTES ? CHUNK_BYTES : left;
    return wanted < to_page_end ? wanted : to_page_end;
}

// Source: fs/namei.c:getname_flags.
static int read_path(struct gathering *gathering, size_t index)
{
    const uint64_t address = pointer_argument(gathering, gathering->row->path[index]);
    uint8_t *to = gathering->request->bytes + gathering->used;
    uint32_t done = 0;
    while (done < BRIG_BROKER_PATH_BYTES) {
        const uint32_t wanted = chunk_bytes(address + done, done);
        const uint32_t got = (uint32_t)gathering->memory->read(gathering->memory, to + done, address + done, wanted);
        const uint32_t length = find_nul(to + done, got);
        if (length < got) {
            gathering->path_bytes[index] = done + length + 1;
            return 0;
        }
        if (got < wanted) {
            return EFAULT;
        }
        done += got;
    }
    return ENAMETOOLONG;
}

// Whether a first path that is empty, or none at all, stands for its directory.
static bool may_be_empty(const struct gathering *gathering, bool is_null)
{
    const bool has_flag = gathering->request->flags & AT_EMPTY_PATH;
    switch ((enum brig_broker_empty)gathering->row->empty) {
    case BRIG_BROKER_EMPTY_FLAG:
        return has_flag && !is_null;
    case BRIG_BROKER_EMPTY_FLAG_OR_NULL:
        return has_flag;
    case BRIG_BROKER_EMPTY_NULL:
        return is_null;
    case BRIG_BROKER_EMPTY_NULL_OR_FLAG:
        return is_null || has_flag;
    case BRIG_BROKER_EMPTY_ALWAYS:
        return !is_null;
    default:
        return false;
    }
}

// The working directory is "." to the broker; of another descriptor it need not be told.
static int take_empty(struct gathering *gathering, bool is_null)
{
    const int32_t fd = int_argument(gathering, gathering->row->dir[0], AT_FDCWD);
    struct brig_broker_request *request = gathering->request;
    if (!may_be_empty(gathering, is_null)) {
        return is_null ? EFAULT : ENOENT;
    }
    if (fd != AT_FDCWD) {
        memcpy(request->bytes, "", 1);
        gathering->path_bytes[0] = 1;
        gathering->used = 1;
        request->attached = 1;
        request->flags |= AT_EMPTY_PATH;
        gathering->descriptors[0] = fd;
        return fd < 0 ? EBADF : BRIG_BROKER_ABOUT_DESCRIPTOR;
    }
    if (gathering->row->empty != BRIG_BROKER_EMPTY_FLAG && gathering->row->empty != BRIG_BROKER_EMPTY_FLAG_OR_NULL && is_null) {
        return EFAULT; // fs/utimes.c:do_utimes
    }
    if (gathering->row->empty == BRIG_BROKER_EMPTY_ALWAYS) {
        return ENOENT; // fs/stat.c:do_readlinkat: a directory is no link
    }
    memcpy(request->bytes, ".", 2);
    gathering->path_bytes[0] = 2;
    return 0;
}

static int gather_path(struct gathering *gathering, size_t index)
{
    if (gathering->row->path[index] == BRIG_BROKER_ABSENT) {
        return 0;
    }
    const bool is_null = pointer_argument(gathering, gathering->row->path[index]) == 0;
    int error = is_null ? 0 : read_path(gathering, index);
    if (!error && (is_null || gathering->path_bytes[index] == 1)) {
        error = index == 0 ? take_empty(gathering, is_null) : is_null ? EFAULT : ENOENT;
    }
    if (error) {
        return error;
    }
    gathering->used += gathering->path_bytes[index];
    return 0;
}

// --- the rest ---------------------------------------------------------------------------------------------------------

// Source: net/socket.c:move_addr_to_kernel.
static int gather_address(struct gathering *gathering)
{
    const int32_t bytes = int_argument(gathering, (int8_t)(gathering->row->in + 1), 0);
    if (bytes < 0 || bytes > ADDRESS_BYTES_MAX) {
        return EINVAL;
    }
    gathering->request->data_bytes = (uint32_t)bytes;
    const int error = read_exactly(gathering, gathering->request->bytes + gathering->used,
                                   pointer_argument(gathering, gathering->row->in), (size_t)bytes);
    if (error == 0 && bytes < (int32_t)sizeof(uint16_t)) {
        return EINVAL; // no room for a family, of whatever kind the socket is: net/ipv4/af_inet.c, net/unix/af_unix.c
    }
    return error;
}

static int gather_data(struct gathering *gathering)
{
    if (gathering->row->in_shape == BRIG_BROKER_SHAPE_ADDRESS) {
        return gather_address(gathering);
    }
    if (gathering->has_times) {
        gathering->request->data_bytes = sizeof gathering->times;
        memcpy(gathering->request->bytes + gathering->used, gathering->times, sizeof gathering->times);
    }
    return 0;
}

static int attach(struct gathering *gathering, unsigned index, int32_t fd)
{
    gathering->descriptors[index] = fd;
    gathering->request->attached |= 1u << index;
    return fd < 0 ? EBADF : 0;
}

static int gather_descriptor(struct gathering *gathering)
{
    const int8_t at = gathering->row->descriptor;
    return at == BRIG_BROKER_ABSENT ? 0 : attach(gathering, 2, (int32_t)gathering->args[at]);
}

// An absolute path does not ask where it starts.
static int gather_directories(struct gathering *gathering)
{
    uint32_t start = 0;
    for (unsigned i = 0; i < 2; i++) {
        const int32_t fd = int_argument(gathering, gathering->row->dir[i], AT_FDCWD);
        const bool is_relative = gathering->path_bytes[i] > 0 && gathering->request->bytes[start] != '/';
        const int error = fd != AT_FDCWD && is_relative ? attach(gathering, i, fd) : 0;
        if (error) {
            return error;
        }
        start += gathering->path_bytes[i];
    }
    return 0;
}

static void start_request(const struct gathering *gathering)
{
    const struct brig_broker_call *row = gathering->row;
    struct brig_broker_request *request = gathering->request;
    memset(request, 0, BRIG_BROKER_HEADER_BYTES);
    request->op = row->op;
    request->call = row->call;
    request->flags = (uint32_t)int_argument(gathering, row->flags, 0) | row->fixed_flags;
    request->mode = (uint32_t)int_argument(gathering, row->mode, 0);
    request->number = (uint32_t)int_argument(gathering, row->number, 0);
    for (size_t i = 0; i < 3; i++) {
        gathering->descriptors[i] = -1;
    }
}

int brig_broker_gather(const struct brig_broker_call *call, const uint64_t args[6], const struct brig_broker_memory *memory,
                       struct brig_broker_request *ret_request, int32_t ret_descriptors[3])
{
    struct gathering gathering = {
        .row = call, .args = args, .memory = memory, .request = ret_request, .descriptors = ret_descriptors};
    start_request(&gathering);
    int error = gather_numbers(&gathering);
    error = error ? error : gather_descriptor(&gathering);
    if (error) {
        return error;
    }
    error = gather_path(&gathering, 0);
    if (call->op == BRIG_BROKER_OP_STAT && check_look(ret_request, error == BRIG_BROKER_ABOUT_DESCRIPTOR) != 0) {
        return EINVAL;
    }
    error = error ? error : gather_path(&gathering, 1);
    ret_request->path_bytes[0] = gathering.path_bytes[0];
    ret_request->path_bytes[1] = gathering.path_bytes[1];
    error = error ? error : gather_directories(&gathering);
    if (error && error != BRIG_BROKER_ABOUT_DESCRIPTOR) {
        return error;
    }
    const int data_error = gather_data(&gathering);
    return data_error ? data_error : error;
}
