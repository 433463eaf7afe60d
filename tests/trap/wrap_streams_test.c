// fopen and opendir with a broker behind them: the same streams as libc's own, without a trap.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/trap/broker_fixture.h"

static const struct trap_rule rules[] = {BROKER_ASKED(SYS_openat),
#ifdef SYS_open
                                         BROKER_ASKED(SYS_open)
#endif
};

static char folder[] = "/tmp/brig-streams-XXXXXX";

// What can be seen of a stream.
struct seen {
    int sys_errno; // of fopen
    int flags, fd_flags;
    long position, end;
    bool writes;
    char text[16];
};

static void name_file(char path[64], const char *name)
{
    snprintf(path, 64, "%s/%s", folder, name);
}

static void write_file(const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK_EQ(write(fd, "abc", 3), 3);
    close(fd);
}

static struct seen look(const char *name, const char *mode)
{
    struct seen seen = {.sys_errno = 0};
    char path[64];
    name_file(path, name);
    FILE *stream = fopen(path, mode);
    if (!stream) {
        seen.sys_errno = errno;
        return seen;
    }
    seen.flags = fcntl(fileno(stream), F_GETFL);
    seen.fd_flags = fcntl(fileno(stream), F_GETFD);
    seen.position = ftell(stream);
    seen.writes = fputs("xy", stream) >= 0 && fflush(stream) == 0;
    fseek(stream, 0, SEEK_END);
    seen.end = ftell(stream);
    rewind(stream);
    if (fread(seen.text, 1, sizeof seen.text - 1, stream) == 0) {
        seen.text[0] = '\0';
    }
    fclose(stream);
    return seen;
}

static const char *const modes[] = {"r", "rb", "r+", "re", "w", "w+b", "wx", "a", "a+", "ae", "rm", "z"};
static const char *const names[] = {"there", "missing"};

static void look_at_all(struct seen seen[COUNT_OF(modes)][2])
{
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        for (size_t k = 0; k < 2; k++) {
            char path[64];
            name_file(path, "there");
            write_file(path);
            seen[i][k] = look(names[k], modes[i]);
            name_file(path, "missing");
            unlink(path);
        }
    }
}

static void compare(const struct seen *before, const struct seen *after)
{
    CHECK_EQ(after->sys_errno, before->sys_errno);
    CHECK_EQ(after->flags, before->flags);
    CHECK_EQ(after->fd_flags, before->fd_flags);
    CHECK_EQ(after->position, before->position);
    CHECK_EQ(after->end, before->end);
    CHECK_EQ(after->writes, before->writes);
    CHECK_STR_EQ(after->text, before->text);
}

static size_t count_entries(const char *path)
{
    size_t count = 0;
    DIR *entries = opendir(path);
    while (CHECK(entries != NULL) && readdir(entries)) {
        count++;
    }
    if (entries) {
        CHECK_EQ(fcntl(dirfd(entries), F_GETFD), FD_CLOEXEC);
        closedir(entries);
    }
    return count;
}

static void remove_all(void)
{
    char path[64];
    name_file(path, "there");
    unlink(path);
    rmdir(folder);
}

SANDBOX_TEST(wrap_streams, are_libcs_own_without_a_trap, .expect_exit = 0)
{
    static struct seen before[COUNT_OF(modes)][2], after[COUNT_OF(modes)][2];
    struct broker_fixture fixture;
    REQUIRE(mkdtemp(folder) != NULL);
    look_at_all(before);
    broker_start(&fixture, rules, COUNT_OF(rules));
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        struct brig_dsl_trap *trap = &fixture.trap.traps[FIXTURE_FIRST_RULE_ID + i];
        memcpy(trap->all_set, trap->nr_set, sizeof trap->all_set);
    }
    REQUIRE(broker_lock(&fixture));
    look_at_all(after);
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        for (size_t k = 0; k < 2; k++) {
            test_message("mode \"%s\", file %s", modes[i], names[k]);
            compare(&before[i][k], &after[i][k]);
        }
    }
    test_message("%s", "");
    const uint64_t of_libc = fixture.trap.slots->events;
    CHECK_EQ(of_libc, 8u); // modes that append, and what only one libc knows, twice each
    CHECK_EQ(count_entries(folder), 3u);
    CHECK(opendir("/nonexistent") == NULL);
    CHECK_EQ(errno, ENOENT);
    CHECK(opendir("/dev/null") == NULL);
    CHECK_EQ(errno, ENOTDIR);
    CHECK_EQ(fixture.trap.slots->events, of_libc);
    broker_kill(&fixture);
    broker_end(&fixture);
    remove_all();
}
