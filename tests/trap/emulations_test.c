// The shipped emulations side by side with the real calls: the same arguments, once trapped and once not, must answer the same,
// except where the emulation says that it differs.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/trap/fixture.h"

static long tid(void)
{
    return syscall(SYS_gettid);
}

// --- fstatat ----------------------------------------------------------------------------------------------------------

static const struct trap_rule fstatat_rules[] = {{NR_FSTATAT, ANY, 0, EMULATED_BY(brig_trap_emulate_fstatat_empty_path)}};

enum { AS_KERNEL = 1 };

// Descriptors and pointers that only exist at run time, by name.
enum place { EMPTY, A_PATH, UNMAPPED, NULL_POINTER, PAGE_END, READ_ONLY, FILE_FD, PIPE_FD, CLOSED_FD, PATH_FD, CWD_FD };
static long places[CWD_FD + 1];

static const struct {
    const char *what;
    enum place fd, path;
    bool bad_buffer;
    long flags;
    long expected; // AS_KERNEL, or -errno
} stats[] = {
    {"a file", FILE_FD, EMPTY, false, AT_EMPTY_PATH, AS_KERNEL},
    {"a pipe", PIPE_FD, EMPTY, false, AT_EMPTY_PATH, AS_KERNEL},
    {"an O_PATH descriptor", PATH_FD, EMPTY, false, AT_EMPTY_PATH, AS_KERNEL},
    {"no automount", FILE_FD, EMPTY, false, AT_EMPTY_PATH | AT_NO_AUTOMOUNT, AS_KERNEL},
    {"no following", FILE_FD, EMPTY, false, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, AS_KERNEL},
    {"a closed descriptor", CLOSED_FD, EMPTY, false, AT_EMPTY_PATH, AS_KERNEL},
    {"a bad buffer", FILE_FD, EMPTY, true, AT_EMPTY_PATH, AS_KERNEL},
    {"an empty path, not said to be", FILE_FD, EMPTY, false, 0, AS_KERNEL},
    {"an unmapped path", FILE_FD, UNMAPPED, false, AT_EMPTY_PATH, AS_KERNEL},
    {"an unmapped path, not said to be empty", FILE_FD, UNMAPPED, false, 0, AS_KERNEL},
    {"no path, not said to be empty", FILE_FD, NULL_POINTER, false, 0, AS_KERNEL},
    {"an empty path in the last byte of a mapping", FILE_FD, PAGE_END, false, AT_EMPTY_PATH, AS_KERNEL},
    {"an empty path on a read-only page", FILE_FD, READ_ONLY, false, AT_EMPTY_PATH, AS_KERNEL},
    {"unknown flags of a descriptor", FILE_FD, EMPTY, false, AT_EMPTY_PATH | 0x10, AS_KERNEL},
    {"unknown flags, an empty path, not said to be", FILE_FD, EMPTY, false, 0x10, AS_KERNEL},
    {"unknown flags of an unmapped path", FILE_FD, UNMAPPED, false, AT_EMPTY_PATH | 0x10, AS_KERNEL},
    {"unknown flags of a path", CWD_FD, A_PATH, false, 0x10, AS_KERNEL},
    {"unknown flags of the working directory", CWD_FD, EMPTY, false, AT_EMPTY_PATH | 0x10, AS_KERNEL},
    {"how to synchronize", FILE_FD, EMPTY, false, AT_EMPTY_PATH | 0x4000, AS_KERNEL},
    {"no path", FILE_FD, NULL_POINTER, false, AT_EMPTY_PATH, 0}, // what Linux 6.11 and later say
    {"a path", CWD_FD, A_PATH, false, 0, -EACCES},
    {"a path beside a descriptor", FILE_FD, A_PATH, false, AT_EMPTY_PATH, -EACCES},
    {"the working directory", CWD_FD, EMPTY, false, AT_EMPTY_PATH, -EACCES},
};

static bool find_places(void)
{
    const size_t page_bytes = 65536; // a page or several
    int pipes[2];
    unsigned char *pages = mmap(NULL, 3 * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!CHECK(pages != MAP_FAILED) || !CHECK_EQ(pipe(pipes), 0)) {
        return false;
    }
    memset(pages, 'x', 2 * page_bytes);
    pages[page_bytes - 1] = '\0';
    munmap(pages + page_bytes, page_bytes);
    pages[2 * page_bytes] = '\0';
    mprotect(pages + 2 * page_bytes, page_bytes, PROT_READ);
    places[EMPTY] = (long)(intptr_t) "";
    places[A_PATH] = (long)(intptr_t) "/";
    places[UNMAPPED] = (long)(intptr_t)(pages + page_bytes);
    places[PAGE_END] = (long)(intptr_t)(pages + page_bytes - 1);
    places[READ_ONLY] = (long)(intptr_t)(pages + 2 * page_bytes);
    places[FILE_FD] = open("/proc/self/exe", O_RDONLY);
    places[PIPE_FD] = pipes[0];
    places[CLOSED_FD] = 999;
    places[PATH_FD] = open("/", O_PATH | O_DIRECTORY);
    places[CWD_FD] = AT_FDCWD;
    return CHECK(places[FILE_FD] >= 0) && CHECK(places[PATH_FD] >= 0);
}

static long stat_row(size_t i, struct stat *buffer)
{
    memset(buffer, 0x5a, sizeof *buffer);
    return fixture_call(NR_FSTATAT, places[stats[i].fd], places[stats[i].path],
                        stats[i].bad_buffer ? places[UNMAPPED] : (long)(intptr_t)buffer, stats[i].flags);
}

SANDBOX_TEST(trap, fstatat_answers_as_the_kernel_does, .expect_exit = 0)
{
    struct trap_fixture fixture;
    struct stat real[COUNT_OF(stats)], emulated;
    long expected[COUNT_OF(stats)];
    REQUIRE(find_places());
    for (size_t i = 0; i < COUNT_OF(stats); i++) {
        expected[i] = stat_row(i, &real[i]);
    }
    fixture_start(&fixture, fstatat_rules, COUNT_OF(fstatat_rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    for (size_t i = 0; i < COUNT_OF(stats); i++) {
        test_message("%s", stats[i].what);
        CHECK_EQ(stat_row(i, &emulated), stats[i].expected == AS_KERNEL ? expected[i] : stats[i].expected);
        if (stats[i].expected == AS_KERNEL) {
            CHECK_BYTES_EQ(&emulated, &real[i], sizeof emulated);
        }
    }
    CHECK_EQ(fixture.slots->emulated, COUNT_OF(stats));
    CHECK_EQ(fixture_record_count(&fixture), 0);
    for (enum place i = FILE_FD; i <= PATH_FD; i++) {
        close((int)places[i]);
    }
    close((int)places[PIPE_FD] + 1);
    fixture_end(&fixture);
}

SANDBOX_TEST(trap, libc_fstat_works, .expect_exit = 0)
{
    struct trap_fixture fixture;
    struct stat before, after;
    CHECK_EQ(fstat(0, &before), 0);
    fixture_start(&fixture, fstatat_rules, COUNT_OF(fstatat_rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    CHECK_EQ(fstat(0, &after), 0);
    CHECK_EQ(before.st_ino, after.st_ino);
    fixture_end(&fixture);
}

// --- sched ------------------------------------------------------------------------------------------------------------

#define ZERO_OR_EMULATE(nr) \
    {nr, 0, 0, {.verb = BRIG_DSL_ALLOW}}, \
    { \
        nr, ANY, 0, EMULATED_BY(brig_trap_emulate_sched_own_thread) \
    }
static const struct trap_rule sched_rules[] = {
    ZERO_OR_EMULATE(SYS_sched_getparam),        ZERO_OR_EMULATE(SYS_sched_setparam),    ZERO_OR_EMULATE(SYS_sched_getscheduler),
    ZERO_OR_EMULATE(SYS_sched_setscheduler),    ZERO_OR_EMULATE(SYS_sched_getaffinity), ZERO_OR_EMULATE(SYS_sched_setaffinity),
    ZERO_OR_EMULATE(SYS_sched_rr_get_interval),
};

enum who { SELF, OTHER, NOBODY, NEGATIVE };

static const struct {
    long nr;
    enum who who;
    long b;
    bool b_is_memory, c_is_memory;
    long expected; // AS_KERNEL, or -errno
} scheds[] = {
    {SYS_sched_getparam, SELF, 0, true, false, AS_KERNEL},
    {SYS_sched_getparam, SELF, 0, false, false, AS_KERNEL},
    {SYS_sched_getparam, NEGATIVE, 0, true, false, AS_KERNEL},
    {SYS_sched_getparam, OTHER, 0, true, false, -EPERM},
    {SYS_sched_getparam, NOBODY, 0, true, false, -EPERM},
    {SYS_sched_setparam, SELF, 0, true, false, AS_KERNEL},
    {SYS_sched_setparam, SELF, 0, false, false, AS_KERNEL},
    {SYS_sched_setparam, NEGATIVE, 0, true, false, AS_KERNEL},
    {SYS_sched_setparam, OTHER, 0, true, false, -EPERM},
    {SYS_sched_getscheduler, SELF, 0, false, false, AS_KERNEL},
    {SYS_sched_getscheduler, NEGATIVE, 0, false, false, AS_KERNEL},
    {SYS_sched_getscheduler, OTHER, 0, false, false, -EPERM},
    {SYS_sched_setscheduler, SELF, SCHED_OTHER, false, true, AS_KERNEL},
    {SYS_sched_setscheduler, SELF, 12345, false, true, AS_KERNEL},
    {SYS_sched_setscheduler, SELF, SCHED_OTHER, false, false, AS_KERNEL},
    {SYS_sched_setscheduler, NEGATIVE, SCHED_OTHER, false, true, AS_KERNEL},
    {SYS_sched_setscheduler, OTHER, SCHED_OTHER, false, true, -EPERM},
    {SYS_sched_getaffinity, SELF, 128, false, true, AS_KERNEL},
    {SYS_sched_getaffinity, SELF, 3, false, true, AS_KERNEL},
    {SYS_sched_getaffinity, SELF, 128, false, false, AS_KERNEL},
    {SYS_sched_getaffinity, NEGATIVE, 128, false, true, AS_KERNEL},
    {SYS_sched_getaffinity, NEGATIVE, 3, false, true, AS_KERNEL},
    {SYS_sched_getaffinity, NEGATIVE, 128, false, false, AS_KERNEL},
    {SYS_sched_getaffinity, OTHER, 128, false, true, -EPERM},
    {SYS_sched_setaffinity, SELF, 128, false, true, AS_KERNEL},
    {SYS_sched_setaffinity, SELF, 128, false, false, AS_KERNEL},
    {SYS_sched_setaffinity, NEGATIVE, 128, false, true, AS_KERNEL},
    {SYS_sched_setaffinity, NEGATIVE, 128, false, false, AS_KERNEL},
    {SYS_sched_setaffinity, NEGATIVE, 0, false, false, AS_KERNEL},
    {SYS_sched_setaffinity, OTHER, 128, false, true, -EPERM},
    {SYS_sched_rr_get_interval, SELF, 0, true, false, AS_KERNEL},
    {SYS_sched_rr_get_interval, SELF, 8, false, false, AS_KERNEL},
    {SYS_sched_rr_get_interval, NEGATIVE, 0, true, false, AS_KERNEL},
    {SYS_sched_rr_get_interval, OTHER, 0, true, false, -EPERM},
};

static long other_tid;

static long sched_row(size_t i, unsigned char memory[256])
{
    const long ids[] = {[SELF] = tid(), [OTHER] = other_tid, [NOBODY] = 0x3fffffff, [NEGATIVE] = -5};
    const bool sets_mask = scheds[i].nr == SYS_sched_setaffinity;
    memset(memory, sets_mask ? 0xff : 0, 256); // priority 0 of SCHED_OTHER, or all processors
    return fixture_call(scheds[i].nr, ids[scheds[i].who], scheds[i].b_is_memory ? (long)(intptr_t)memory : scheds[i].b,
                        scheds[i].c_is_memory ? (long)(intptr_t)memory : 0, 0);
}

static pthread_barrier_t turns;

static void *be_the_other(void *unused)
{
    other_tid = tid();
    pthread_barrier_wait(&turns);
    pthread_barrier_wait(&turns);
    return unused;
}

SANDBOX_TEST(trap, sched_answers_as_the_kernel_does_in_threads, .expect_exit = 0)
{
    static unsigned char real[COUNT_OF(scheds)][256], emulated[256];
    struct trap_fixture fixture;
    long expected[COUNT_OF(scheds)];
    pthread_t thread;
    pthread_barrier_init(&turns, NULL, 2);
    CHECK_EQ(pthread_create(&thread, NULL, be_the_other, NULL), 0);
    pthread_barrier_wait(&turns);
    for (size_t i = 0; i < COUNT_OF(scheds); i++) {
        expected[i] = sched_row(i, real[i]);
    }
    fixture_start(&fixture, sched_rules, COUNT_OF(sched_rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    for (size_t i = 0; i < COUNT_OF(scheds); i++) {
        test_message("row %zu: call %ld", i, scheds[i].nr);
        CHECK_EQ(sched_row(i, emulated), scheds[i].expected == AS_KERNEL ? expected[i] : scheds[i].expected);
        if (scheds[i].expected == AS_KERNEL) {
            CHECK_BYTES_EQ(emulated, real[i], sizeof emulated);
        }
    }
    pthread_barrier_wait(&turns);
    pthread_join(thread, NULL);
    fixture_end(&fixture);
}

static void ask_for_zero(void)
{
    syscall(SYS_sched_getscheduler, 0);
}

SANDBOX_TEST(trap, sched_on_zero_is_a_violation, .expect_exit = 0)
{
    static const struct trap_rule rules[] = {{SYS_sched_getscheduler, ANY, 0, EMULATED_BY(brig_trap_emulate_sched_own_thread)}};
    struct trap_fixture fixture;
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    const int status = fixture_run(&fixture, ask_for_zero);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    CHECK_EQ(fixture.slots->events, 1);
    CHECK_EQ(fixture_record_count(&fixture), 1);
    fixture_end(&fixture);
}
