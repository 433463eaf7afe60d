// From registers to a request, row by row of broker_calls.def, on x86_64's and i386's meaning of them whatever this test runs on;
// and from an answer to the structs of each arch.
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>

#include "tests/shim/test.h"
#include "trap/broker.h"

// --- memory -----------------------------------------------------------------------------------------------------------

// Addresses of a program that does not exist. Its memory ends where the unmapped begins.
enum {
    BASE = 0x10000,
    A = BASE,            // "a/b"
    B = BASE + 0x10,     // "/c"
    D = BASE + 0x20,     // "d"
    NOTHING = BASE + 15, // ""
    HOW = BASE + 0x30,
    TIMES = BASE + 0x60, // four longs of 32 or 64 bits: 1, 2, 3, 4
    ADDRESS = BASE + 0xa0,
    OUT = BASE + 0x100,
    END = BASE + 0x2000,
};

static uint8_t bytes[END - BASE];

static size_t read_fake(const struct brig_broker_memory *memory, void *to, uint64_t address, size_t count)
{
    (void)memory;
    const size_t left = address >= BASE && address < END ? (size_t)(END - address) : 0;
    const size_t got = count < left ? count : left;
    memcpy(to, bytes + (left ? address - BASE : 0), got);
    return got;
}

static bool write_fake(const struct brig_broker_memory *memory, uint64_t address, const void *from, size_t count)
{
    (void)memory;
    if (address < BASE || address > END || count > END - address) {
        return false;
    }
    memcpy(bytes + (address - BASE), from, count);
    return true;
}

static void fill_memory(enum brig_dsl_arch arch, uint32_t call)
{
    const struct open_how how = {.flags = O_RDWR | O_CREAT | O_CLOEXEC, .mode = 0666, .resolve = RESOLVE_BENEATH};
    const bool is_narrow = arch == BRIG_DSL_I386 && call != BRIG_SYS_utimensat_time64;
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, "a/b", 4);
    memcpy(bytes + (B - BASE), "/c", 3);
    memcpy(bytes + (D - BASE), "d", 2);
    memcpy(bytes + (HOW - BASE), &how, sizeof how);
    memcpy(bytes + (ADDRESS - BASE), "address", 7);
    for (size_t i = 0; i < 4; i++) {
        const int64_t wide = (int64_t)i + 1;
        const int32_t narrow = (int32_t)i + 1;
        memcpy(bytes + (TIMES - BASE) + i * (is_narrow ? 4 : 8), is_narrow ? (const void *)&narrow : &wide, is_narrow ? 4 : 8);
    }
    memset(bytes + sizeof bytes - 0x1000, 'x', 0x1000);
}

static struct brig_broker_memory memory_of(enum brig_dsl_arch arch)
{
    return (struct brig_broker_memory){.read = read_fake, .write = write_fake, .arch = arch, .umask = 027};
}

// --- rows -------------------------------------------------------------------------------------------------------------

#define CWD ((uint64_t)(uint32_t)AT_FDCWD | UINT64_C(0x5555) << 32) // an int: what is above it does not count
#define DIRTY UINT64_C(0xabcd00000000)
#define LOOK (AT_NO_AUTOMOUNT)

static const struct {
    const char *what;
    enum brig_dsl_call call;
    enum brig_dsl_arch arch;
    uint64_t args[6];
    int result;
    enum brig_broker_op op;
    uint32_t flags, mode;
    uint64_t number;
    uint32_t attached;
    const char *paths[2];
    int64_t data[4]; // times; data_bytes is 32 if one is not 0
    int32_t descriptors[3];
} rows[] = {
#define X BRIG_DSL_X86_64
#define I BRIG_DSL_I386
#define NO_FDS \
    { \
        -1, -1, -1 \
    }
#define OP(name) BRIG_BROKER_OP_##name
#define CALL(name) BRIG_SYS_##name
    {"open", CALL(open), X, {A, O_RDONLY | DIRTY, 0777}, 0, OP(OPEN), 0, 0, 0, 0, {"a/b"}, {0}, NO_FDS},
    {"open, new",
     CALL(open),
     I,
     {A, O_CREAT | O_WRONLY, 0170777},
     0,
     OP(OPEN),
     O_CREAT | O_WRONLY,
     0750,
     0,
     0,
     {"a/b"},
     {0},
     NO_FDS},
    {"openat", CALL(openat), X, {CWD, A, O_CLOEXEC}, 0, OP(OPEN), O_CLOEXEC, 0, 0, 0, {"a/b"}, {0}, NO_FDS},
    {"openat, unknown bits", CALL(openat), X, {CWD, A, 0x7f800000}, 0, OP(OPEN), 0, 0, 0, 0, {"a/b"}, {0}, NO_FDS},
    {"openat, O_PATH", CALL(openat), X, {5, A, O_PATH | O_RDWR | O_TRUNC}, 0, OP(OPEN), O_PATH, 0, 0, 1, {"a/b"}, {0}, {5, -1, -1}},
    {"openat, absolute", CALL(openat), X, {5, B, 0}, 0, OP(OPEN), 0, 0, 0, 0, {"/c"}, {0}, NO_FDS},
    {"openat2",
     CALL(openat2),
     X,
     {5, A, HOW, 24},
     0,
     OP(OPEN),
     O_RDWR | O_CREAT | O_CLOEXEC,
     0640,
     RESOLVE_BENEATH,
     1,
     {"a/b"},
     {0},
     {5, -1, -1}},
    {"openat2, longer",
     CALL(openat2),
     I,
     {CWD, B, HOW, 40},
     0,
     OP(OPEN),
     O_RDWR | O_CREAT | O_CLOEXEC,
     0640,
     RESOLVE_BENEATH,
     0,
     {"/c"},
     {0},
     NO_FDS},
    {"openat2, too long", CALL(openat2), X, {CWD, B, HOW, 64}, E2BIG, 0, 0, 0, 0, 0, {0}, {0}, NO_FDS},
    {"creat", CALL(creat), X, {A, 0666}, 0, OP(OPEN), O_CREAT | O_WRONLY | O_TRUNC, 0640, 0, 0, {"a/b"}, {0}, NO_FDS},
    {"access", CALL(access), X, {A, 4 | DIRTY}, 0, OP(ACCESS), 0, 4, 0, 0, {"a/b"}, {0}, NO_FDS},
    {"faccessat", CALL(faccessat), X, {CWD, A, 7, AT_EACCESS}, 0, OP(ACCESS), 0, 7, 0, 0, {"a/b"}, {0}, NO_FDS},
    {"faccessat2", CALL(faccessat2), X, {CWD, A, 7, AT_EACCESS}, 0, OP(ACCESS), AT_EACCESS, 7, 0, 0, {"a/b"}, {0}, NO_FDS},
    {"faccessat2, a descriptor",
     CALL(faccessat2),
     X,
     {6, NOTHING, 7, AT_EMPTY_PATH},
     BRIG_BROKER_ABOUT_DESCRIPTOR,
     OP(ACCESS),
     AT_EMPTY_PATH,
     7,
     0,
     1,
     {""},
     {0},
     {6, -1, -1}},
    {"stat", CALL(stat), X, {A, OUT}, 0, OP(STAT), LOOK, 0, 0x7ff, 0, {"a/b"}, {0}, NO_FDS},
    {"lstat", CALL(lstat), I, {A, OUT}, 0, OP(STAT), LOOK | AT_SYMLINK_NOFOLLOW, 0, 0x7ff, 0, {"a/b"}, {0}, NO_FDS},
    {"stat64", CALL(stat64), I, {A, OUT}, 0, OP(STAT), LOOK, 0, 0x7ff, 0, {"a/b"}, {0}, NO_FDS},
    {"lstat64", CALL(lstat64), I, {A, OUT}, 0, OP(STAT), LOOK | AT_SYMLINK_NOFOLLOW, 0, 0x7ff, 0, {"a/b"}, {0}, NO_FDS},
    {"newfstatat",
     CALL(newfstatat),
     X,
     {7, A, OUT, AT_SYMLINK_NOFOLLOW},
     0,
     OP(STAT),
     LOOK | AT_SYMLINK_NOFOLLOW,
     0,
     0x7ff,
     1,
     {"a/b"},
     {0},
     {7, -1, -1}},
    {"newfstatat, the working directory",
     CALL(newfstatat),
     X,
     {CWD, NOTHING, OUT, AT_EMPTY_PATH},
     0,
     OP(STAT),
     LOOK | AT_EMPTY_PATH,
     0,
     0x7ff,
     0,
     {"."},
     {0},
     NO_FDS},
    {"newfstatat, a descriptor",
     CALL(newfstatat),
     X,
     {7, 0, OUT, AT_EMPTY_PATH},
     BRIG_BROKER_ABOUT_DESCRIPTOR,
     OP(STAT),
     LOOK | AT_EMPTY_PATH,
     0,
     0x7ff,
     1,
     {""},
     {0},
     {7, -1, -1}},
    {"fstatat64", CALL(fstatat64), I, {7, A, OUT, 0}, 0, OP(STAT), LOOK, 0, 0x7ff, 1, {"a/b"}, {0}, {7, -1, -1}},
    {"statx", CALL(statx), X, {7, A, 0, 0xfff | DIRTY, OUT}, 0, OP(STAT), 0, 0, 0xfff, 1, {"a/b"}, {0}, {7, -1, -1}},
    {"readlink", CALL(readlink), X, {A, OUT, 10}, 0, OP(READLINK), 0, 0, 0, 0, {"a/b"}, {0}, NO_FDS},
    {"readlinkat", CALL(readlinkat), X, {CWD, A, OUT, 10}, 0, OP(READLINK), 0, 0, 0, 0, {"a/b"}, {0}, NO_FDS},
    {"rename", CALL(rename), X, {A, B}, 0, OP(RENAME), 0, 0, 0, 0, {"a/b", "/c"}, {0}, NO_FDS},
    {"renameat", CALL(renameat), X, {5, A, 6, D}, 0, OP(RENAME), 0, 0, 0, 3, {"a/b", "d"}, {0}, {5, 6, -1}},
    {"renameat2", CALL(renameat2), X, {5, B, 6, D, 1}, 0, OP(RENAME), 1, 0, 0, 2, {"/c", "d"}, {0}, {-1, 6, -1}},
    {"mkdir", CALL(mkdir), X, {A, 01777 | 0x10000}, 0, OP(MKDIR), 0, 01750, 0, 0, {"a/b"}, {0}, NO_FDS},
    {"mkdirat", CALL(mkdirat), X, {CWD, A, 0700}, 0, OP(MKDIR), 0, 0700, 0, 0, {"a/b"}, {0}, NO_FDS},
    {"rmdir", CALL(rmdir), X, {A}, 0, OP(UNLINK), AT_REMOVEDIR, 0, 0, 0, {"a/b"}, {0}, NO_FDS},
    {"unlink", CALL(unlink), X, {A}, 0, OP(UNLINK), 0, 0, 0, 0, {"a/b"}, {0}, NO_FDS},
    {"unlinkat", CALL(unlinkat), X, {CWD, A, AT_REMOVEDIR}, 0, OP(UNLINK), AT_REMOVEDIR, 0, 0, 0, {"a/b"}, {0}, NO_FDS},
    {"link", CALL(link), X, {A, B}, 0, OP(LINK), 0, 0, 0, 0, {"a/b", "/c"}, {0}, NO_FDS},
    {"linkat",
     CALL(linkat),
     X,
     {5, A, 6, D, AT_SYMLINK_FOLLOW},
     0,
     OP(LINK),
     AT_SYMLINK_FOLLOW,
     0,
     0,
     3,
     {"a/b", "d"},
     {0},
     {5, 6, -1}},
    {"symlink", CALL(symlink), X, {A, D}, 0, OP(SYMLINK), 0, 0, 0, 0, {"a/b", "d"}, {0}, NO_FDS},
    {"symlinkat", CALL(symlinkat), X, {A, 6, D}, 0, OP(SYMLINK), 0, 0, 0, 2, {"a/b", "d"}, {0}, {-1, 6, -1}},
    {"chmod", CALL(chmod), X, {A, 0177777}, 0, OP(CHMOD), 0, 07777, 0, 0, {"a/b"}, {0}, NO_FDS},
    {"fchmodat", CALL(fchmodat), X, {CWD, A, 0666, 0xff}, 0, OP(CHMOD), 0, 0666, 0, 0, {"a/b"}, {0}, NO_FDS},
    {"fchmodat2",
     CALL(fchmodat2),
     X,
     {CWD, A, 0666, AT_SYMLINK_NOFOLLOW},
     0,
     OP(CHMOD),
     AT_SYMLINK_NOFOLLOW,
     0666,
     0,
     0,
     {"a/b"},
     {0},
     NO_FDS},
    {"utime", CALL(utime), X, {A, TIMES}, 0, OP(UTIMENS), 0, 0, 0, 0, {"a/b"}, {1, 0, 2, 0}, NO_FDS},
    {"utime, now", CALL(utime), I, {A, 0}, 0, OP(UTIMENS), 0, 0, 0, 0, {"a/b"}, {0}, NO_FDS},
    {"utime", CALL(utime), I, {A, TIMES}, 0, OP(UTIMENS), 0, 0, 0, 0, {"a/b"}, {1, 0, 2, 0}, NO_FDS},
    {"utimes", CALL(utimes), I, {A, TIMES}, 0, OP(UTIMENS), 0, 0, 0, 0, {"a/b"}, {1, 2000, 3, 4000}, NO_FDS},
    {"futimesat", CALL(futimesat), X, {CWD, A, TIMES}, 0, OP(UTIMENS), 0, 0, 0, 0, {"a/b"}, {1, 2000, 3, 4000}, NO_FDS},
    {"futimesat, a descriptor",
     CALL(futimesat),
     X,
     {9, 0, TIMES},
     BRIG_BROKER_ABOUT_DESCRIPTOR,
     OP(UTIMENS),
     AT_EMPTY_PATH,
     0,
     0,
     1,
     {""},
     {1, 2000, 3, 4000},
     {9, -1, -1}},
    {"utimensat",
     CALL(utimensat),
     X,
     {CWD, A, TIMES, AT_SYMLINK_NOFOLLOW},
     0,
     OP(UTIMENS),
     AT_SYMLINK_NOFOLLOW,
     0,
     0,
     0,
     {"a/b"},
     {1, 2, 3, 4},
     NO_FDS},
    {"utimensat", CALL(utimensat), I, {CWD, A, TIMES, 0}, 0, OP(UTIMENS), 0, 0, 0, 0, {"a/b"}, {1, 2, 3, 4}, NO_FDS},
    {"utimensat_time64", CALL(utimensat_time64), I, {CWD, A, TIMES, 0}, 0, OP(UTIMENS), 0, 0, 0, 0, {"a/b"}, {1, 2, 3, 4}, NO_FDS},
    {"truncate", CALL(truncate), X, {A, UINT64_C(1) << 40}, 0, OP(TRUNCATE), 0, 0, UINT64_C(1) << 40, 0, {"a/b"}, {0}, NO_FDS},
    {"truncate, negative", CALL(truncate), I, {A, 0xffffffff}, EINVAL, 0, 0, 0, 0, 0, {0}, {0}, NO_FDS},
    {"truncate64", CALL(truncate64), I, {A, 5, 1}, 0, OP(TRUNCATE), 0, 0, UINT64_C(0x100000005), 0, {"a/b"}, {0}, NO_FDS},
    {"truncate64, negative", CALL(truncate64), I, {A, 0, 0x80000000}, EINVAL, 0, 0, 0, 0, 0, {0}, {0}, NO_FDS},
    {"statfs", CALL(statfs), X, {A, OUT}, 0, OP(STATFS), 0, 0, 0, 0, {"a/b"}, {0}, NO_FDS},
    {"statfs64", CALL(statfs64), I, {A, 84, OUT}, 0, OP(STATFS), 0, 0, 0, 0, {"a/b"}, {0}, NO_FDS},
    {"statfs64, another size", CALL(statfs64), I, {A, 88, OUT}, EINVAL, 0, 0, 0, 0, 0, {0}, {0}, NO_FDS},
    {"inotify_add_watch", CALL(inotify_add_watch), X, {8, A, 0x102}, 0, OP(WATCH), 0, 0, 0x102, 4, {"a/b"}, {0}, {-1, -1, 8}},
    {"connect", CALL(connect), X, {8, ADDRESS, 7}, 0, OP(CONNECT), 0, 0, 0, 4, {0}, {0}, {-1, -1, 8}},
    {"connect, negative", CALL(connect), X, {8, ADDRESS, 0xffffffff}, EINVAL, 0, 0, 0, 0, 0, {0}, {0}, NO_FDS},
    {"a path that ends nowhere", CALL(access), X, {END - 0x1000, 0}, ENAMETOOLONG, 0, 0, 0, 0, 0, {0}, {0}, NO_FDS},
    {"a path that ends too late", CALL(access), X, {END - 0xfff, 0}, EFAULT, 0, 0, 0, 0, 0, {0}, {0}, NO_FDS},
    {"a path at the top", CALL(access), X, {UINT64_MAX, 0}, EFAULT, 0, 0, 0, 0, 0, {0}, {0}, NO_FDS},
    {"a pointer with a dirty upper half", CALL(access), I, {A | DIRTY, 0}, 0, OP(ACCESS), 0, 0, 0, 0, {"a/b"}, {0}, NO_FDS},
#undef X
#undef I
#undef OP
#undef CALL
};

static void check_row(size_t i)
{
    static struct brig_broker_request request;
    const struct brig_broker_call *call = brig_broker_find_call(rows[i].call);
    const struct brig_broker_memory memory = memory_of(rows[i].arch);
    int32_t descriptors[3];
    fill_memory(rows[i].arch, rows[i].call);
    REQUIRE(call != NULL);
    if (!CHECK_EQ(brig_broker_gather(call, rows[i].args, &memory, &request, descriptors), rows[i].result) || rows[i].result > 0) {
        return;
    }
    uint32_t used = 0;
    CHECK_EQ(request.op, rows[i].op);
    CHECK_EQ(request.call, rows[i].call);
    CHECK_EQ(request.flags, rows[i].flags);
    CHECK_EQ(request.mode, rows[i].mode);
    CHECK_EQ(request.number, rows[i].number);
    CHECK_EQ(request.attached, rows[i].attached);
    for (size_t path = 0; path < 2; path++) {
        const char *expected = rows[i].paths[path];
        CHECK_EQ(request.path_bytes[path], expected ? strlen(expected) + 1 : 0);
        if (expected) {
            CHECK_STR_EQ((const char *)request.bytes + used, expected);
        }
        used += request.path_bytes[path];
    }
    const bool has_times = rows[i].data[0] != 0;
    CHECK_EQ(request.data_bytes, has_times ? 32 : rows[i].op == BRIG_BROKER_OP_CONNECT ? 7 : 0);
    if (request.data_bytes > 0) {
        CHECK_BYTES_EQ(request.bytes + used, has_times ? (const void *)rows[i].data : "address", request.data_bytes);
    }
    CHECK_BYTES_EQ(descriptors, rows[i].descriptors, sizeof descriptors);
}

TEST(broker_gather, every_row_makes_its_request)
{
    bool is_seen[BRIG_SYS_COUNT] = {false};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        test_message("row %zu: %s", i, rows[i].what);
        check_row(i);
        is_seen[rows[i].call] = true;
    }
    for (unsigned call = 0; call < BRIG_SYS_COUNT; call++) {
        test_message("call %s", call ? brig_dsl_call_name((enum brig_dsl_call)call) : "none");
        CHECK_EQ(brig_broker_find_call((enum brig_dsl_call)call) != NULL, is_seen[call]);
    }
    CHECK(brig_broker_find_call(BRIG_SYS_COUNT) == NULL);
}

// Registers are where the tables of calls say that they are, on every arch that has the call.
TEST(broker_gather, registers_agree_with_the_tables)
{
    static const enum brig_dsl_arch arches[] = {BRIG_DSL_X86_64, BRIG_DSL_I386, BRIG_DSL_AARCH64};
    for (unsigned call = 1; call < BRIG_SYS_COUNT; call++) {
        const struct brig_broker_call *row = brig_broker_find_call((enum brig_dsl_call)call);
        for (size_t i = 0; i < COUNT_OF(arches) && row; i++) {
            const enum brig_dsl_arch arch = arches[i];
            const int count = brig_dsl_call_argument_count((enum brig_dsl_call)call, arch);
            test_message("%s", brig_dsl_call_name((enum brig_dsl_call)call));
            for (size_t path = 0; path < 2 && brig_dsl_call_nr((enum brig_dsl_call)call, arch) >= 0; path++) {
                const struct brig_dsl_argument *argument =
                    row->path[path] < 0 ? NULL : brig_dsl_call_argument((enum brig_dsl_call)call, arch, row->path[path]);
                const struct brig_dsl_argument *dir =
                    row->dir[path] < 0 ? NULL : brig_dsl_call_argument((enum brig_dsl_call)call, arch, row->dir[path]);
                CHECK(row->path[path] < 0 || (argument && argument->is_pointer));
                CHECK(row->dir[path] < 0 || (dir && dir->kind == BRIG_DSL_KIND_DIRFD));
                CHECK(row->out < count && row->in < count && row->flags < count && row->mode < count && row->number < count);
            }
        }
    }
}

// --- answers ----------------------------------------------------------------------------------------------------------

// What stands at an offset of a struct statx, and what is then delivered.
static const struct {
    const char *what;
    enum brig_dsl_call call;
    enum brig_dsl_arch arch;
    uint64_t args[6];
    uint8_t at, count; // in the answer
    uint64_t value;
    int64_t result;
    uint8_t out_at, out_count;
    uint64_t out_value;
} answers[] = {
#define X BRIG_DSL_X86_64
#define I BRIG_DSL_I386
#define R BRIG_DSL_AARCH64
#define STATX_NLINK 0x10, 4
#define STATX_UID 0x14, 4
#define STATX_INO 0x20, 8
#define STATX_SIZE 0x28, 8
    {"size", BRIG_SYS_stat, X, {A, OUT}, STATX_SIZE, UINT64_C(1) << 40, 0, 48, 8, UINT64_C(1) << 40},
    {"size", BRIG_SYS_newfstatat, R, {0, A, OUT}, STATX_SIZE, UINT64_C(1) << 40, 0, 48, 8, UINT64_C(1) << 40},
    {"links of 4 bytes", BRIG_SYS_newfstatat, R, {0, A, OUT}, STATX_NLINK, 0xfffffffe, 0, 20, 4, 0xfffffffe},
    {"size that fits", BRIG_SYS_stat, I, {A, OUT}, STATX_SIZE, 0x7fffffff, 0, 20, 4, 0x7fffffff},
    {"size that does not", BRIG_SYS_stat, I, {A, OUT}, STATX_SIZE, 0x80000000, -EOVERFLOW, 0, 0, 0},
    {"inode that does not", BRIG_SYS_stat, I, {A, OUT}, STATX_INO, UINT64_C(1) << 32, -EOVERFLOW, 0, 0, 0},
    {"links that do not", BRIG_SYS_lstat, I, {A, OUT}, STATX_NLINK, 0x10000, -EOVERFLOW, 0, 0, 0},
    {"owner that fits", BRIG_SYS_stat, I, {A, OUT}, STATX_UID, 65535, 0, 12, 2, 65535},
    {"owner that does not", BRIG_SYS_stat, I, {A, OUT}, STATX_UID, 65536, 0, 12, 2, 65534},
    {"size", BRIG_SYS_stat64, I, {A, OUT}, STATX_SIZE, UINT64_C(1) << 40, 0, 44, 8, UINT64_C(1) << 40},
    {"inode", BRIG_SYS_fstatat64, I, {0, A, OUT}, STATX_INO, UINT64_C(0x123456789), 0, 88, 8, UINT64_C(0x123456789)},
    {"inode, once more", BRIG_SYS_fstatat64, I, {0, A, OUT}, STATX_INO, UINT64_C(0x123456789), 0, 12, 4, 0x23456789},
    {"owner", BRIG_SYS_stat64, I, {A, OUT}, STATX_UID, 65536, 0, 24, 4, 65536},
    {"statx", BRIG_SYS_statx, X, {0, A, 0, 0, OUT}, STATX_INO, 77, 0, 0x20, 8, 77},
    {"blocks", BRIG_SYS_statfs, X, {A, OUT}, 16, 8, UINT64_C(1) << 40, 0, 16, 8, UINT64_C(1) << 40},
    {"blocks that do not fit", BRIG_SYS_statfs, I, {A, OUT}, 16, 8, UINT64_C(1) << 40, -EOVERFLOW, 0, 0, 0},
    {"no files", BRIG_SYS_statfs, I, {A, OUT}, 40, 8, UINT64_MAX, 0, 20, 4, 0xffffffff},
    {"files that do not fit", BRIG_SYS_statfs, I, {A, OUT}, 48, 8, UINT64_C(1) << 32, -EOVERFLOW, 0, 0, 0},
    {"id", BRIG_SYS_statfs, I, {A, OUT}, 56, 8, UINT64_C(0x1122334455667788), 0, 28, 8, UINT64_C(0x1122334455667788)},
    {"blocks", BRIG_SYS_statfs64, I, {A, 84, OUT}, 16, 8, UINT64_C(1) << 40, 0, 8, 8, UINT64_C(1) << 40},
    {"fragments", BRIG_SYS_statfs64, I, {A, 84, OUT}, 72, 8, UINT64_C(1) << 32, -EOVERFLOW, 0, 0, 0},
    {"a bad pointer", BRIG_SYS_stat, X, {A, END - 8}, STATX_SIZE, 1, -EFAULT, 0, 0, 0},
    {"a bad pointer", BRIG_SYS_statfs, X, {A, 0}, STATX_SIZE, 1, -EFAULT, 0, 0, 0},
#undef X
#undef I
#undef R
};

TEST(broker_gather, answers_fit_the_arch_or_do_not)
{
    static struct brig_broker_reply reply;
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        const struct brig_broker_memory memory = memory_of(answers[i].arch);
        test_message("row %zu: %s", i, answers[i].what);
        memset(bytes, 0, sizeof bytes);
        memset(&reply, 0, sizeof reply);
        reply.answer_bytes = 256;
        memcpy(reply.answer + answers[i].at, &answers[i].value, answers[i].count);
        CHECK_EQ(brig_broker_deliver(brig_broker_find_call(answers[i].call), answers[i].args, &memory, &reply), answers[i].result);
        CHECK_BYTES_EQ(bytes + (OUT - BASE) + answers[i].out_at, &answers[i].out_value, answers[i].out_count);
    }
}

TEST(broker_gather, texts_are_cut_and_answers_are_whole)
{
    static struct brig_broker_reply reply = {.result = 6, .answer_bytes = 6, .answer = "target"};
    const struct brig_broker_memory memory = memory_of(BRIG_DSL_X86_64);
    const struct brig_broker_call *readlink = brig_broker_find_call(BRIG_SYS_readlink);
    const struct brig_broker_call *stat = brig_broker_find_call(BRIG_SYS_stat);
    memset(bytes, '.', sizeof bytes);
    CHECK_EQ(brig_broker_deliver(readlink, (const uint64_t[6]){A, OUT, 4}, &memory, &reply), 4);
    CHECK_BYTES_EQ(bytes + (OUT - BASE), "targ..", 6);
    CHECK_EQ(brig_broker_deliver(readlink, (const uint64_t[6]){A, OUT, 100}, &memory, &reply), 6);
    CHECK_BYTES_EQ(bytes + (OUT - BASE), "target..", 8);
    CHECK_EQ(brig_broker_deliver(readlink, (const uint64_t[6]){A, END - 2, 100}, &memory, &reply), -EFAULT);
    CHECK_EQ(brig_broker_deliver(stat, (const uint64_t[6]){A, OUT}, &memory, &reply), -EIO); // six bytes are no struct statx
    reply.answer_bytes = UINT32_MAX; // what a thread of the worker's scribbles
    CHECK_EQ(brig_broker_deliver(readlink, (const uint64_t[6]){A, OUT, 4096}, &memory, &reply), 4096);
    reply.result = -ENOENT;
    CHECK_EQ(brig_broker_deliver(stat, (const uint64_t[6]){A, OUT}, &memory, &reply), -ENOENT);
}
