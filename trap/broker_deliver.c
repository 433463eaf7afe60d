// broker_deliver: from a reply to what a call returns and writes. Context of everything here: any, signal handler too.
//
// Takes a reply whose answer is a struct statx, a struct brig_broker_statfs, or bytes of text; gives the struct that the call has
// on the caller's arch, as the kernel fills it, or its errno. Where a number does not fit, the kernel's rules hold (fs/stat.c:
// cp_new_stat, cp_new_stat64; fs/statfs.c: put_compat_statfs): EOVERFLOW for sizes, inodes and links, 65534 for owners, cut off for
// all others.
//
// An answer comes from a broker, which is trusted, through memory that every thread of a worker can write, which is not: it is
// copied once, and nothing in it is a length but `answer_bytes`.

#include <errno.h>
#include <linux/stat.h>
#include <string.h>

#include "trap/broker_parts.h"

#define OWNER_OVERFLOW 65534 // include/linux/highuid.h:DEFAULT_OVERFLOWUID
#define STRUCT_BYTES_MAX 144 // x86_64's struct stat

// Where a field stands in a struct; no bytes: it has none.
struct field {
    uint8_t at;
    uint8_t bytes;
};

// --- struct stat ------------------------------------------------------------------------------------------------------

enum stat_field {
    STAT_DEV,
    STAT_INO,
    STAT_MODE,
    STAT_NLINK,
    STAT_UID,
    STAT_GID,
    STAT_RDEV,
    STAT_SIZE,
    STAT_BLKSIZE,
    STAT_BLOCKS,
    STAT_ATIME,
    STAT_ATIME_NSEC,
    STAT_MTIME,
    STAT_MTIME_NSEC,
    STAT_CTIME,
    STAT_CTIME_NSEC,
    STAT_OLD_INO, // stat64 of i386 says it twice
    STAT_FIELDS
};

struct stat_layout {
    uint8_t bytes;
    struct field fields[STAT_FIELDS];
};

// Source: arch/x86/include/uapi/asm/stat.h, include/uapi/asm-generic/stat.h.
static const struct stat_layout x86_64_stat = {
    144,
    {{0, 8},
     {8, 8},
     {24, 4},
     {16, 8},
     {28, 4},
     {32, 4},
     {40, 8},
     {48, 8},
     {56, 8},
     {64, 8},
     {72, 8},
     {80, 8},
     {88, 8},
     {96, 8},
     {104, 8},
     {112, 8},
     {0, 0}},
};
static const struct stat_layout aarch64_stat = {
    128,
    {{0, 8},
     {8, 8},
     {16, 4},
     {20, 4},
     {24, 4},
     {28, 4},
     {32, 8},
     {48, 8},
     {56, 4},
     {64, 8},
     {72, 8},
     {80, 8},
     {88, 8},
     {96, 8},
     {104, 8},
     {112, 8},
     {0, 0}},
};
static const struct stat_layout i386_stat = {
    64,
    {{0, 4},
     {4, 4},
     {8, 2},
     {10, 2},
     {12, 2},
     {14, 2},
     {16, 4},
     {20, 4},
     {24, 4},
     {28, 4},
     {32, 4},
     {36, 4},
     {40, 4},
     {44, 4},
     {48, 4},
     {52, 4},
     {0, 0}},
};
static const struct stat_layout i386_stat64 = {
    96,
    {{0, 8},
     {88, 8},
     {16, 4},
     {20, 4},
     {24, 4},
     {28, 4},
     {32, 8},
     {44, 8},
     {52, 4},
     {56, 8},
     {64, 4},
     {68, 4},
     {72, 4},
     {76, 4},
     {80, 4},
     {84, 4},
     {12, 4}},
};

static const struct stat_layout *stat_layout(enum brig_dsl_arch arch, enum brig_broker_shape shape)
{
    if (arch == BRIG_DSL_I386) {
        return shape == BRIG_BROKER_SHAPE_STAT64 ? &i386_stat64 : &i386_stat;
    }
    return arch == BRIG_DSL_AARCH64 ? &aarch64_stat : &x86_64_stat;
}

// All our arches are little-endian: the low bytes come first.
static void put(uint8_t *bytes, struct field field, uint64_t value)
{
    for (uint8_t i = 0; i < field.bytes; i++) {
        bytes[field.at + i] = (uint8_t)(value >> 8 * i);
    }
}

static uint64_t get(const uint8_t *bytes, struct field field)
{
    uint64_t value = 0;
    for (uint8_t i = 0; i < field.bytes; i++) {
        value |= (uint64_t)bytes[field.at + i] << 8 * i;
    }
    return value;
}

static bool fits(struct field field, uint64_t value)
{
    return field.bytes >= 8 || value >> 8 * field.bytes == 0;
}

// Source: include/linux/kdev_t.h:new_encode_dev.
static uint64_t encode_device(uint32_t major, uint32_t minor)
{
    return (minor & 0xff) | (uint64_t)major << 8 | (uint64_t)(minor & ~0xffu) << 12;
}

static uint64_t owner(struct field field, uint32_t id)
{
    return fits(field, id) ? id : OWNER_OVERFLOW;
}

static int put_stat(const struct stat_layout *layout, const struct statx *statx, uint8_t *to)
{
    const struct field *fields = layout->fields;
    const uint64_t values[STAT_FIELDS] = {
        [STAT_DEV] = encode_device(statx->stx_dev_major, statx->stx_dev_minor),
        [STAT_INO] = statx->stx_ino,
        [STAT_MODE] = statx->stx_mode,
        [STAT_NLINK] = statx->stx_nlink,
        [STAT_UID] = owner(fields[STAT_UID], statx->stx_uid),
        [STAT_GID] = owner(fields[STAT_GID], statx->stx_gid),
        [STAT_RDEV] = encode_device(statx->stx_rdev_major, statx->stx_rdev_minor),
        [STAT_SIZE] = statx->stx_size,
        [STAT_BLKSIZE] = statx->stx_blksize,
        [STAT_BLOCKS] = statx->stx_blocks,
        [STAT_ATIME] = (uint64_t)statx->stx_atime.tv_sec,
        [STAT_ATIME_NSEC] = statx->stx_atime.tv_nsec,
        [STAT_MTIME] = (uint64_t)statx->stx_mtime.tv_sec,
        [STAT_MTIME_NSEC] = statx->stx_mtime.tv_nsec,
        [STAT_CTIME] = (uint64_t)statx->stx_ctime.tv_sec,
        [STAT_CTIME_NSEC] = statx->stx_ctime.tv_nsec,
        [STAT_OLD_INO] = statx->stx_ino,
    };
    const bool is_big = fields[STAT_SIZE].bytes == 4 && statx->stx_size > INT32_MAX;
    if (is_big || !fits(fields[STAT_INO], statx->stx_ino) || !fits(fields[STAT_NLINK], statx->stx_nlink)) {
        return EOVERFLOW;
    }
    memset(to, 0, layout->bytes);
    for (size_t i = 0; i < STAT_FIELDS; i++) {
        put(to, fields[i], values[i]);
    }
    return 0;
}

static uint32_t device_major(uint64_t device)
{
    return (uint32_t)(device >> 8 & 0xfff);
}

static uint32_t device_minor(uint64_t device)
{
    return (uint32_t)((device & 0xff) | (device >> 12 & 0xfff00));
}

static struct statx_timestamp get_time(const struct stat_layout *layout, const uint8_t *from, enum stat_field seconds)
{
    const struct field field = layout->fields[seconds];
    const uint64_t value = get(from, field);
    return (struct statx_timestamp){
        .tv_sec = field.bytes == 4 ? (int32_t)value : (int64_t)value,
        .tv_nsec = (uint32_t)get(from, layout->fields[seconds + 1]),
    };
}

void trap_statx_from_stat(enum brig_dsl_arch arch, const uint8_t *from, struct statx *ret_statx)
{
    const struct stat_layout *layout = stat_layout(arch, BRIG_BROKER_SHAPE_STAT64);
    const struct field *fields = layout->fields;
    const uint64_t device = get(from, fields[STAT_DEV]);
    const uint64_t special = get(from, fields[STAT_RDEV]);
    memset(ret_statx, 0, sizeof *ret_statx);
    ret_statx->stx_mask = STATX_BASIC_STATS;
    ret_statx->stx_blksize = (uint32_t)get(from, fields[STAT_BLKSIZE]);
    ret_statx->stx_nlink = (uint32_t)get(from, fields[STAT_NLINK]);
    ret_statx->stx_uid = (uint32_t)get(from, fields[STAT_UID]);
    ret_statx->stx_gid = (uint32_t)get(from, fields[STAT_GID]);
    ret_statx->stx_mode = (uint16_t)get(from, fields[STAT_MODE]);
    ret_statx->stx_ino = get(from, fields[STAT_INO]);
    ret_statx->stx_size = get(from, fields[STAT_SIZE]);
    ret_statx->stx_blocks = get(from, fields[STAT_BLOCKS]);
    ret_statx->stx_atime = get_time(layout, from, STAT_ATIME);
    ret_statx->stx_mtime = get_time(layout, from, STAT_MTIME);
    ret_statx->stx_ctime = get_time(layout, from, STAT_CTIME);
    ret_statx->stx_dev_major = device_major(device);
    ret_statx->stx_dev_minor = device_minor(device);
    ret_statx->stx_rdev_major = device_major(special);
    ret_statx->stx_rdev_minor = device_minor(special);
}

// --- struct statfs ----------------------------------------------------------------------------------------------------

enum { STATFS_FIELDS = sizeof(struct brig_broker_statfs) / 8 };

struct statfs_layout {
    uint8_t bytes;
    struct field fields[STATFS_FIELDS];
};

// In the order of struct brig_broker_statfs. Source: include/uapi/asm-generic/statfs.h, arch/x86/include/asm/compat.h.
static const struct statfs_layout wide_statfs = {
    120,
    {{0, 8},
     {8, 8},
     {16, 8},
     {24, 8},
     {32, 8},
     {40, 8},
     {48, 8},
     {56, 8},
     {64, 8},
     {72, 8},
     {80, 8},
     {88, 8},
     {96, 8},
     {104, 8},
     {112, 8}},
};
static const struct statfs_layout i386_statfs = {
    64,
    {{0, 4}, {4, 4}, {8, 4}, {12, 4}, {16, 4}, {20, 4}, {24, 4}, {28, 8}, {36, 4}, {40, 4}, {44, 4}},
};
static const struct statfs_layout i386_statfs64 = {
    84,
    {{0, 4}, {4, 4}, {8, 8}, {16, 8}, {24, 8}, {32, 8}, {40, 8}, {48, 8}, {56, 4}, {60, 4}, {64, 4}},
};

// Fields that must fit, and those that may be -1 as well: blocks and their sizes; files.
#define STATFS_MUST_FIT (1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 9)
#define STATFS_MAY_BE_NONE (1u << 5 | 1u << 6)

static const struct statfs_layout *statfs_layout(enum brig_dsl_arch arch, enum brig_broker_shape shape)
{
    if (arch != BRIG_DSL_I386) {
        return &wide_statfs;
    }
    return shape == BRIG_BROKER_SHAPE_STATFS64 ? &i386_statfs64 : &i386_statfs;
}

static int put_statfs(const struct statfs_layout *layout, const uint8_t *from, uint8_t *to)
{
    memset(to, 0, layout->bytes);
    for (unsigned i = 0; i < STATFS_FIELDS; i++) {
        const uint64_t value = get(from, (struct field){(uint8_t)(8 * i), 8});
        const bool may_be_none = STATFS_MAY_BE_NONE >> i & 1 && value == UINT64_MAX;
        if ((STATFS_MUST_FIT | STATFS_MAY_BE_NONE) >> i & 1 && !may_be_none && !fits(layout->fields[i], value)) {
            return EOVERFLOW;
        }
        put(to, layout->fields[i], value);
    }
    return 0;
}

// --- delivering -------------------------------------------------------------------------------------------------------

_Static_assert(sizeof(struct statx) == 256 && sizeof(struct brig_broker_statfs) == 120,
               "answers are as long as the kernel's structs");

static int64_t write_struct(const struct brig_broker_memory *memory, uint64_t address, const uint8_t *bytes, size_t count)
{
    return memory->write(memory, address, bytes, count) ? 0 : -EFAULT;
}

static int64_t deliver_stat(const struct brig_broker_memory *memory, enum brig_broker_shape shape, uint64_t address,
                            const struct brig_broker_reply *reply)
{
    const struct stat_layout *layout = stat_layout(memory->arch, shape);
    struct statx statx;
    uint8_t bytes[STRUCT_BYTES_MAX];
    memcpy(&statx, reply->answer, sizeof statx);
    const int error = put_stat(layout, &statx, bytes);
    return error ? -error : write_struct(memory, address, bytes, layout->bytes);
}

static int64_t deliver_statfs(const struct brig_broker_memory *memory, enum brig_broker_shape shape, uint64_t address,
                              const struct brig_broker_reply *reply)
{
    const struct statfs_layout *layout = statfs_layout(memory->arch, shape);
    uint8_t bytes[STRUCT_BYTES_MAX];
    const int error = put_statfs(layout, reply->answer, bytes);
    return error ? -error : write_struct(memory, address, bytes, layout->bytes);
}

static int64_t deliver_text(const struct brig_broker_memory *memory, uint64_t address, uint32_t room,
                            const struct brig_broker_reply *reply, uint32_t answer_bytes)
{
    const uint32_t bytes = answer_bytes < room ? answer_bytes : room;
    return memory->write(memory, address, reply->answer, bytes) ? (int64_t)bytes : -EFAULT;
}

// How long an answer has to be.
static uint32_t least_bytes(enum brig_broker_shape shape)
{
    switch (shape) {
    case BRIG_BROKER_SHAPE_STAT:
    case BRIG_BROKER_SHAPE_STAT64:
    case BRIG_BROKER_SHAPE_STATX:
        return sizeof(struct statx);
    case BRIG_BROKER_SHAPE_STATFS:
    case BRIG_BROKER_SHAPE_STATFS64:
        return sizeof(struct brig_broker_statfs);
    default:
        return 0;
    }
}

int64_t brig_broker_deliver(const struct brig_broker_call *call, const uint64_t args[6], const struct brig_broker_memory *memory,
                            const struct brig_broker_reply *reply)
{
    const enum brig_broker_shape shape = (enum brig_broker_shape)call->out_shape;
    const int64_t result = reply->result;
    const uint32_t claimed_bytes = *(const volatile uint32_t *)&reply->answer_bytes;
    const uint32_t answer_bytes = claimed_bytes < BRIG_BROKER_ANSWER_BYTES ? claimed_bytes : BRIG_BROKER_ANSWER_BYTES;
    if (result < 0 || shape == BRIG_BROKER_SHAPE_NONE) {
        return result;
    }
    if (answer_bytes < least_bytes(shape)) {
        return -EIO;
    }
    const uint64_t address = memory->arch == BRIG_DSL_I386 ? (uint32_t)args[call->out] : args[call->out];
    switch (shape) {
    case BRIG_BROKER_SHAPE_STAT:
    case BRIG_BROKER_SHAPE_STAT64:
        return deliver_stat(memory, shape, address, reply);
    case BRIG_BROKER_SHAPE_STATX:
        return write_struct(memory, address, reply->answer, sizeof(struct statx));
    case BRIG_BROKER_SHAPE_STATFS:
    case BRIG_BROKER_SHAPE_STATFS64:
        return deliver_statfs(memory, shape, address, reply);
    default:
        return deliver_text(memory, address, (uint32_t)args[call->out + 1], reply, answer_bytes);
    }
}
