// Calls that are asked of a broker side by side with the kernel's own: the same arguments, good and bad, have the same answers.
#include "tests/trap/broker_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static long text(const char *path)
{
    return (long)(intptr_t)path;
}

enum place {
    NONE,
    ROOT,
    DEV_NULL,
    EMPTY,
    MISSING,
    UNMAPPED,
    CUT,
    LONGEST,
    TOO_LONG,
    BUFFER,
    READ_ONLY,
    FILE_FD,
    CLOSED_FD,
    HOW,
    LATER_HOW,
    BAD_HOW,
    OMIT,
    BAD_TIMES,
    NOW,
    PLACES
};
static long places[PLACES];
static unsigned char buffer[4096];

struct argument {
    enum place place;
    long value; // where there is no place
};
#define AT(place) \
    { \
        place, 0 \
    }
#define N(value) \
    { \
        NONE, value \
    }

static const struct {
    long nr;
    struct argument args[5];
} calls[] = {
    {SYS_openat, {N(AT_FDCWD), AT(NONE), N(0), N(0)}},
    {SYS_openat, {N(AT_FDCWD), AT(UNMAPPED), N(0), N(0)}},
    {SYS_openat, {N(AT_FDCWD), AT(CUT), N(0), N(0)}},
    {SYS_openat, {N(AT_FDCWD), AT(EMPTY), N(0), N(0)}},
    {SYS_openat, {N(AT_FDCWD), AT(TOO_LONG), N(0), N(0)}},
    {SYS_openat, {N(AT_FDCWD), AT(LONGEST), N(0), N(0)}},
    {SYS_openat, {AT(CLOSED_FD), AT(EMPTY), N(0), N(0)}},
    {SYS_openat, {N(AT_FDCWD), AT(MISSING), N(O_CREAT | O_DIRECTORY), N(0)}},
    {SYS_openat, {N(AT_FDCWD), AT(UNMAPPED), N(O_CREAT | O_DIRECTORY), N(0)}},
    {SYS_openat, {N(AT_FDCWD), AT(ROOT), N(O_TMPFILE), N(0600)}},
    {SYS_openat, {N(AT_FDCWD), AT(MISSING), N(0x7f800000), N(0)}},
    {NR_FSTATAT, {N(AT_FDCWD), AT(DEV_NULL), AT(BUFFER), N(0)}},
    {NR_FSTATAT, {N(AT_FDCWD), AT(ROOT), AT(BUFFER), N(AT_SYMLINK_NOFOLLOW)}},
    {NR_FSTATAT, {N(AT_FDCWD), AT(ROOT), AT(UNMAPPED), N(0)}},
    {NR_FSTATAT, {N(AT_FDCWD), AT(ROOT), AT(READ_ONLY), N(0)}},
    {NR_FSTATAT, {N(AT_FDCWD), AT(ROOT), AT(NONE), N(0)}},
    {NR_FSTATAT, {N(AT_FDCWD), AT(EMPTY), AT(BUFFER), N(0)}},
    {NR_FSTATAT, {N(AT_FDCWD), AT(EMPTY), AT(BUFFER), N(AT_EMPTY_PATH)}},
    {NR_FSTATAT, {AT(FILE_FD), AT(EMPTY), AT(BUFFER), N(AT_EMPTY_PATH)}},
    {NR_FSTATAT, {AT(CLOSED_FD), AT(EMPTY), AT(BUFFER), N(AT_EMPTY_PATH)}},
    {NR_FSTATAT, {AT(FILE_FD), AT(EMPTY), AT(UNMAPPED), N(AT_EMPTY_PATH)}},
    {NR_FSTATAT, {N(AT_FDCWD), AT(ROOT), AT(BUFFER), N(0x80)}},
    {NR_FSTATAT, {N(AT_FDCWD), AT(UNMAPPED), AT(BUFFER), N(0x80)}},
    {NR_FSTATAT, {N(AT_FDCWD), AT(MISSING), AT(BUFFER), N(0)}},
    {SYS_faccessat, {N(AT_FDCWD), AT(ROOT), N(R_OK), N(0)}},
    {SYS_faccessat, {N(AT_FDCWD), AT(UNMAPPED), N(8), N(0)}},
    {SYS_faccessat, {N(AT_FDCWD), AT(UNMAPPED), N(0), N(0)}},
    {SYS_faccessat2, {N(AT_FDCWD), AT(ROOT), N(R_OK), N(0x4000)}},
    {SYS_faccessat2, {N(AT_FDCWD), AT(UNMAPPED), N(R_OK), N(0x4000)}},
    {SYS_faccessat2, {N(AT_FDCWD), AT(EMPTY), N(R_OK), N(AT_EMPTY_PATH)}},
    {SYS_faccessat2, {N(AT_FDCWD), AT(NONE), N(R_OK), N(AT_EMPTY_PATH)}},
    {SYS_faccessat2, {AT(FILE_FD), AT(EMPTY), N(F_OK), N(AT_EMPTY_PATH)}},
    {SYS_readlinkat, {N(AT_FDCWD), AT(ROOT), AT(BUFFER), N(10)}},
    {SYS_readlinkat, {N(AT_FDCWD), AT(UNMAPPED), AT(BUFFER), N(0)}},
    {SYS_readlinkat, {N(AT_FDCWD), AT(UNMAPPED), AT(BUFFER), N(-1)}},
    {SYS_readlinkat, {N(AT_FDCWD), AT(EMPTY), AT(BUFFER), N(10)}},
    {SYS_readlinkat, {AT(FILE_FD), AT(EMPTY), AT(BUFFER), N(10)}},
    {SYS_mkdirat, {N(AT_FDCWD), AT(EMPTY), N(0), N(0)}},
    {SYS_mkdirat, {N(AT_FDCWD), AT(ROOT), N(0), N(0)}},
    {SYS_unlinkat, {N(AT_FDCWD), AT(UNMAPPED), N(1), N(0)}},
    {SYS_unlinkat, {N(AT_FDCWD), AT(UNMAPPED), N(0), N(0)}},
    {SYS_unlinkat, {N(AT_FDCWD), AT(MISSING), N(AT_REMOVEDIR), N(0)}},
    {SYS_renameat2, {N(AT_FDCWD), AT(UNMAPPED), N(AT_FDCWD), AT(UNMAPPED)}},
    {SYS_renameat2, {N(AT_FDCWD), AT(MISSING), N(AT_FDCWD), AT(EMPTY)}},
    {SYS_linkat, {N(AT_FDCWD), AT(EMPTY), N(AT_FDCWD), AT(MISSING)}},
    {SYS_symlinkat, {AT(EMPTY), N(AT_FDCWD), AT(MISSING), N(0)}},
    {SYS_symlinkat, {AT(ROOT), N(AT_FDCWD), AT(UNMAPPED), N(0)}},
    {SYS_fchmodat, {N(AT_FDCWD), AT(MISSING), N(0), N(0)}},
    {SYS_truncate, {AT(UNMAPPED), N(-1), N(0), N(0)}},
    {SYS_truncate, {AT(UNMAPPED), N(1), N(0), N(0)}},
    {SYS_truncate, {AT(ROOT), N(1), N(0), N(0)}},
    {SYS_statx, {N(AT_FDCWD), AT(UNMAPPED), N(0x80), N(0x7ff), AT(BUFFER)}},
    {SYS_statx, {N(AT_FDCWD), AT(ROOT), N(0), N(INT32_MIN), AT(BUFFER)}},
    {SYS_statx, {N(AT_FDCWD), AT(ROOT), N(0x6000), N(0x7ff), AT(BUFFER)}},
    {SYS_statx, {N(AT_FDCWD), AT(ROOT), N(0x2000), N(0x7ff), AT(BUFFER)}},
    {SYS_statx, {N(AT_FDCWD), AT(ROOT), N(0), N(0x7ff), AT(UNMAPPED)}},
    {SYS_statx, {AT(CLOSED_FD), AT(EMPTY), N(AT_EMPTY_PATH), N(0x7ff), AT(BUFFER)}},
    {SYS_statx, {AT(FILE_FD), AT(EMPTY), N(AT_EMPTY_PATH), N(0x7ff), AT(UNMAPPED)}},
    {SYS_openat2, {N(AT_FDCWD), AT(DEV_NULL), AT(HOW), N(23)}},
    {SYS_openat2, {N(AT_FDCWD), AT(UNMAPPED), AT(HOW), N(24)}},
    {SYS_openat2, {N(AT_FDCWD), AT(DEV_NULL), AT(HOW), N(4097)}},
    {SYS_openat2, {N(AT_FDCWD), AT(DEV_NULL), AT(LATER_HOW), N(32)}},
    {SYS_openat2, {N(AT_FDCWD), AT(DEV_NULL), AT(UNMAPPED), N(24)}},
    {SYS_openat2, {N(AT_FDCWD), AT(DEV_NULL), AT(CUT), N(24)}},
    {SYS_openat2, {N(AT_FDCWD), AT(UNMAPPED), AT(BAD_HOW), N(24)}},
    {SYS_openat2, {N(AT_FDCWD), AT(MISSING), AT(HOW), N(24)}},
    {SYS_openat2, {N(AT_FDCWD), AT(MISSING), AT(HOW), N(64)}},
    {SYS_utimensat, {N(AT_FDCWD), AT(UNMAPPED), AT(OMIT), N(0)}},
    {SYS_utimensat, {N(AT_FDCWD), AT(UNMAPPED), AT(OMIT), N(0x80)}},
    {SYS_utimensat, {N(AT_FDCWD), AT(UNMAPPED), AT(UNMAPPED), N(0x80)}},
    {SYS_utimensat, {N(AT_FDCWD), AT(UNMAPPED), AT(NOW), N(0x80)}},
    {SYS_utimensat, {N(AT_FDCWD), AT(UNMAPPED), AT(NONE), N(0)}},
    {SYS_utimensat, {N(AT_FDCWD), AT(NONE), AT(NOW), N(0)}},
    {SYS_utimensat, {AT(FILE_FD), AT(NONE), AT(NOW), N(0x100)}},
    {SYS_utimensat, {N(AT_FDCWD), AT(ROOT), AT(BAD_TIMES), N(0)}},
    {SYS_utimensat, {AT(CLOSED_FD), AT(EMPTY), AT(NOW), N(AT_EMPTY_PATH)}},
    {NR_FSTATAT, {N(-7), AT(EMPTY), AT(BUFFER), N(AT_EMPTY_PATH)}},
    {NR_FSTATAT, {N(-7), AT(ROOT), AT(BUFFER), N(0)}},
    {NR_FSTATAT, {N(-7), AT(NONE), AT(BUFFER), N(0)}},
    {NR_FSTATAT, {N(-7), AT(EMPTY), AT(BUFFER), N(AT_EMPTY_PATH | 0x80)}},
    {NR_FSTATAT, {AT(FILE_FD), AT(EMPTY), AT(BUFFER), N(AT_EMPTY_PATH | 0x80)}},
    {SYS_renameat2, {N(AT_FDCWD), AT(UNMAPPED), N(AT_FDCWD), AT(UNMAPPED), N(8)}},
    {SYS_renameat2, {N(AT_FDCWD), AT(UNMAPPED), N(AT_FDCWD), AT(UNMAPPED), N(3)}},
    {SYS_linkat, {N(AT_FDCWD), AT(UNMAPPED), N(AT_FDCWD), AT(UNMAPPED), N(0x100)}},
    {SYS_linkat, {AT(FILE_FD), AT(EMPTY), N(AT_FDCWD), AT(MISSING), N(AT_EMPTY_PATH)}},
    {SYS_inotify_add_watch, {AT(FILE_FD), AT(UNMAPPED), N(0), N(0)}},
    {SYS_inotify_add_watch, {AT(CLOSED_FD), AT(ROOT), N(1), N(0)}},
    {SYS_statfs, {AT(MISSING), AT(BUFFER), N(0), N(0)}},
    {SYS_statfs, {AT(ROOT), AT(UNMAPPED), N(0), N(0)}},
};

static struct open_how how = {.flags = O_RDONLY}, bad_how = {.flags = UINT64_C(1) << 40};
static unsigned char longer_how[4096], later_how[64];
static const struct timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}}, omit[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}},
                             bad_times[2] = {{0, 1000000000}, {0, 0}};

static long path_of(size_t length)
{
    char *path = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < length; i++) {
        path[i] = '/';
    }
    return (long)(intptr_t)path;
}

static bool find_places(void)
{
    const size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *pages = mmap(NULL, 3 * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!CHECK(pages != MAP_FAILED)) {
        return false;
    }
    memset(pages, 'x', page_bytes);
    munmap(pages + page_bytes, page_bytes);
    mprotect(pages + 2 * page_bytes, page_bytes, PROT_READ);
    places[ROOT] = text("/");
    places[DEV_NULL] = text("/dev/null");
    places[EMPTY] = text("");
    places[MISSING] = text("/nonexistent/a");
    places[UNMAPPED] = (long)(intptr_t)(pages + page_bytes);
    places[CUT] = (long)(intptr_t)(pages + page_bytes - 20);
    places[LONGEST] = path_of(4095);
    places[TOO_LONG] = path_of(4096);
    places[BUFFER] = (long)(intptr_t)buffer;
    places[READ_ONLY] = (long)(intptr_t)(pages + 2 * page_bytes);
    later_how[24] = 1;
    memcpy(longer_how, &how, sizeof how);
    places[HOW] = (long)(intptr_t)longer_how;
    places[LATER_HOW] = (long)(intptr_t)later_how;
    places[BAD_HOW] = (long)(intptr_t)&bad_how;
    places[NOW] = (long)(intptr_t)now;
    places[OMIT] = (long)(intptr_t)omit;
    places[BAD_TIMES] = (long)(intptr_t)bad_times;
    places[FILE_FD] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    places[CLOSED_FD] = 999;
    return true;
}

static long argument(const struct argument *argument)
{
    return argument->place == NONE ? argument->value : places[argument->place];
}

static long make_call(size_t i)
{
    memset(buffer, 0, sizeof buffer); // a 64-bit kernel leaves the padding of a 32-bit struct as it is
    const struct argument *args = calls[i].args;
    const long result = syscall(calls[i].nr, argument(&args[0]), argument(&args[1]), argument(&args[2]), argument(&args[3]),
                                argument(&args[4]), 0L);
    if (result >= 0 && (calls[i].nr == SYS_openat || calls[i].nr == SYS_openat2)) {
        close((int)result);
        return 0;
    }
    return result < 0 ? -errno : result;
}

SANDBOX_TEST(broker, answers_are_the_kernels, .expect_exit = 0)
{
    static unsigned char real[COUNT_OF(calls)][160];
    struct broker_fixture fixture;
    long expected[COUNT_OF(calls)];
    REQUIRE(find_places());
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        expected[i] = make_call(i);
        memcpy(real[i], buffer, sizeof real[i]);
    }
    broker_start_with_all(&fixture);
    REQUIRE(broker_lock(&fixture));
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        test_message("row %zu: call %ld", i, calls[i].nr);
        CHECK_EQ(make_call(i), expected[i]);
        CHECK_BYTES_EQ(buffer, real[i], sizeof real[i]);
    }
    close((int)places[FILE_FD]);
    broker_kill(&fixture);
    broker_end(&fixture);
}
