// libc's functions that open and look at files, with a broker behind them: the same answers as by a trap, without one.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/trap/broker_fixture.h"

#define HAS_KERNELS_STAT (sizeof(long) == 8) // else libc has a struct of its own: these trap

// musl prefers the older calls.
static const struct trap_rule rules[] = {BROKER_ASKED(SYS_openat),
#ifdef SYS_open
                                         BROKER_ASKED(SYS_open),   BROKER_ASKED(SYS_access),
                                         BROKER_ASKED(SYS_stat),   BROKER_ASKED(SYS_lstat),
#endif
#ifdef SYS_stat64
                                         BROKER_ASKED(SYS_stat64), BROKER_ASKED(SYS_lstat64),
#endif
                                         BROKER_ASKED(NR_FSTATAT), BROKER_ASKED(SYS_faccessat)};

// As the compiler says it of calls that have one unconditional row.
static void say_always(struct broker_fixture *fixture)
{
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        struct brig_dsl_trap *trap = &fixture->trap.traps[FIXTURE_FIRST_RULE_ID + i];
        memcpy(trap->all_set, trap->nr_set, sizeof trap->all_set);
    }
}

static bool start(struct broker_fixture *fixture, bool is_always)
{
    broker_start(fixture, rules, COUNT_OF(rules));
    if (is_always) {
        say_always(fixture);
    }
    return broker_lock(fixture);
}

static void end(struct broker_fixture *fixture)
{
    broker_kill(fixture);
    broker_end(fixture);
}

static void check_open(int fd, int expected_flag)
{
    CHECK(fd >= 0);
    CHECK_EQ(fcntl(fd, F_GETFD), expected_flag);
    close(fd);
}

static void check_files(void)
{
    struct stat status = {.st_mode = 0};
    const int dir = open("/dev", O_RDONLY | O_DIRECTORY);
    check_open(open("/dev/null", O_RDWR | O_CLOEXEC), FD_CLOEXEC);
    check_open(openat(dir, "null", O_RDONLY), 0);
    check_open(openat(999, "/dev/null", O_RDONLY), 0);
    CHECK_EQ(openat(999, "null", O_RDONLY), -1);
    CHECK_EQ(errno, EBADF);
    CHECK_EQ(open("/nonexistent", O_RDONLY), -1);
    CHECK_EQ(errno, ENOENT);
    CHECK_EQ(open("", O_RDONLY), -1);
    CHECK_EQ(errno, ENOENT);
    CHECK_EQ(stat("/dev/null", &status), 0);
    CHECK(S_ISCHR(status.st_mode));
    CHECK_EQ(lstat("/proc/self", &status), 0);
    CHECK(S_ISLNK(status.st_mode));
    CHECK_EQ(fstatat(dir, "null", &status, 0), 0);
    CHECK(S_ISCHR(status.st_mode));
    CHECK_EQ(stat("/nonexistent", &status), -1);
    CHECK_EQ(errno, ENOENT);
    CHECK_EQ(access("/", R_OK), 0);
    CHECK_EQ(access("/nonexistent", F_OK), -1);
    CHECK_EQ(errno, ENOENT);
    close(dir);
}

SANDBOX_TEST(wrap_files, answers_come_without_a_trap, .expect_exit = 0)
{
    struct broker_fixture fixture;
    REQUIRE(start(&fixture, true));
    check_files();
    if (HAS_KERNELS_STAT) {
        CHECK_EQ(fixture.trap.slots->events, 0);
    }
    end(&fixture);
}

SANDBOX_TEST(wrap_files, calls_with_conditions_are_the_filters, .expect_exit = 0)
{
    struct broker_fixture fixture;
    REQUIRE(start(&fixture, false));
    check_files();
    CHECK(fixture.trap.slots->events >= 6); // each open, at least
    end(&fixture);
}

TEST(wrap_files, nothing_changes_without_a_filter)
{
    check_files();
    char path[] = "/tmp/brig-wrap-XXXXXX";
    const mode_t before = umask(027);
    CHECK(mkdtemp(path) != NULL);
    const int dir = open(path, O_RDONLY | O_DIRECTORY);
    const int file = openat(dir, "file", O_WRONLY | O_CREAT | O_EXCL, 0666);
    struct stat status;
    CHECK_EQ(fstat(file, &status), 0);
    CHECK_EQ(status.st_mode & 07777, 0640);
    CHECK_EQ(unlinkat(dir, "file", 0), 0);
    CHECK_EQ(rmdir(path), 0);
    umask(before);
    close(file);
    close(dir);
}

SANDBOX_TEST(wrap_files, what_is_settled_is_not_asked_again, .expect_exit = 0)
{
    struct broker_fixture fixture;
    REQUIRE(start(&fixture, true));
    CHECK_EQ(open(BROKER_SETTLED, O_RDONLY), -1);
    CHECK_EQ(errno, EPERM);
    broker_kill(&fixture);
    CHECK_EQ(open(BROKER_SETTLED, O_RDONLY), -1);
    CHECK_EQ(errno, EPERM); // of the worker's own memory
    CHECK_EQ(open(BROKER_SETTLED, O_WRONLY), -1);
    CHECK_EQ(errno, EIO); // another question
    CHECK_EQ(open("/broker/settle", O_RDONLY), -1);
    CHECK_EQ(errno, EIO);
    CHECK_EQ(access(BROKER_SETTLED, F_OK), -1);
    CHECK_EQ(errno, EIO);
    CHECK_EQ(fixture_call(SYS_openat, AT_FDCWD, (long)(intptr_t)BROKER_SETTLED, O_RDONLY, 0), -EPERM); // by a trap as well
    broker_end(&fixture);
}

SANDBOX_TEST(wrap_files, who_touches_dies_where_the_call_is, .expect_signal = SIGSYS)
{
    struct broker_fixture fixture;
    REQUIRE(start(&fixture, true));
    open(BROKER_TOUCH, O_RDONLY);
    CHECK(false);
}
