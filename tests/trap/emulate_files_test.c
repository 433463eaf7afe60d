// openat2 and statfs side by side with the kernel, and with their opens emulated in turn.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/trap/side_by_side.h"

#ifndef SYS_openat2
#define SYS_openat2 437 // one number everywhere; older libcs do not have it
#endif

#define LARGE_FILE 0100000 // the kernel's O_LARGEFILE on x86, which libc may have as 0

// --- openat2 ----------------------------------------------------------------------------------------------------------

static const struct trap_rule openat2_rules[] = {{SYS_openat2, ANY, 0, EMULATED_BY(brig_trap_emulate_openat2_by_openat)}};

#define HOW_AT SIDE_PAGE(SIDE_WRITABLE, 2048)
#define HOW(flags_, mode_, resolve_) \
    .words = {(uint32_t)(flags_), 0, (uint32_t)(mode_), 0, (uint32_t)(resolve_), 0}, .words_at = HOW_AT
#define OPENAT2(what_, text_, bytes) .what = what_, .nr = SYS_openat2, .args = {AT_FDCWD, SIDE_TEXT, HOW_AT, bytes}, .text = text_

// What a descriptor is: flags, type and permissions of the file, and whether it is closed on exec.
static long describe_fd(const struct side_call *call, long result)
{
    struct stat status;
    (void)call;
    if (result < 0) {
        return result;
    }
    const int fd = (int)result;
    const long flags = fcntl(fd, F_GETFL) & 0x7ffffff;
    const long closes = fcntl(fd, F_GETFD);
    const bool is_there = fstat(fd, &status) == 0;
    close(fd);
    return flags | closes << 28 | (is_there ? (long)(status.st_mode & 07777) << 12 : -1);
}

static const struct side_call openat2s[] = {
    {OPENAT2("a file", "/proc/self/exe", 24), HOW(O_RDONLY, 0, 0)},
    {OPENAT2("close-on-exec", "/proc/self/exe", 24), HOW(O_RDONLY | O_CLOEXEC, 0, 0)},
    {OPENAT2("a device to write", "/dev/null", 24), HOW(O_RDWR | O_NONBLOCK | O_APPEND, 0, 0)},
    {OPENAT2("a directory", "/proc/self", 24), HOW(O_DIRECTORY, 0, 0)},
    {OPENAT2("a file as a directory", "/proc/self/exe", 24), HOW(O_DIRECTORY, 0, 0)},
    {OPENAT2("a path alone", "/dev/null", 24), HOW(O_PATH | O_CLOEXEC, 0, 0)},
    {OPENAT2("a symbolic link alone", "/proc/self/exe", 24), HOW(O_PATH | O_NOFOLLOW, 0, 0)},
    {OPENAT2("a symbolic link that is not followed", "/proc/self/exe", 24), HOW(O_NOFOLLOW, 0, 0)},
    {OPENAT2("said to be large", "/dev/null", 24), HOW(O_RDONLY | LARGE_FILE, 0, 0)},
    {OPENAT2("all access bits", "/dev/null", 24), HOW(3, 0, 0)},
    {OPENAT2("nothing there", "/no/such/file", 24), HOW(O_RDONLY, 0, 0)},
    {OPENAT2("no name", "", 24), HOW(O_RDONLY, 0, 0)},
    {OPENAT2("an unnamed file", "/dev/shm", 24), HOW(O_TMPFILE | O_RDWR, 0600, 0)},
    {OPENAT2("an unnamed file, sticky", "/dev/shm", 24), HOW(O_TMPFILE | O_WRONLY, 01640, 0)},
    {OPENAT2("an unnamed file to read", "/dev/shm", 24), HOW(O_TMPFILE | O_RDONLY, 0600, 0)},
    {OPENAT2("half of O_TMPFILE", "/dev/shm", 24), HOW((O_TMPFILE & ~O_DIRECTORY) | O_RDWR, 0600, 0)},
    {OPENAT2("a file that is there, created", "/dev/null", 24), HOW(O_CREAT | O_RDWR, 0600, 0)},
    {OPENAT2("only if it is new", "/dev/null", 24), HOW(O_CREAT | O_EXCL | O_RDWR, 0600, 0)},
    {OPENAT2("a directory, created", "/dev/shm", 24), HOW(O_CREAT | O_DIRECTORY | O_RDWR, 0600, 0)},
    {OPENAT2("a mode without creating", "/dev/null", 24), HOW(O_RDONLY, 0600, 0)},
    {OPENAT2("a mode of a file type", "/dev/null", 24), HOW(O_CREAT | O_RDWR, 0100600, 0)},
    {OPENAT2("a path alone, to write", "/dev/null", 24), HOW(O_PATH | O_RDWR, 0, 0)},
    {OPENAT2("a path alone, appended", "/dev/null", 24), HOW(O_PATH | O_APPEND, 0, 0)},
    {OPENAT2("a path alone, said to be large", "/dev/null", 24), HOW(O_PATH | LARGE_FILE, 0, 0)},
    {OPENAT2("a path alone, created", "/dev/null", 24), HOW(O_PATH | O_CREAT, 0, 0)},
    {OPENAT2("an unknown flag", "/dev/null", 24), HOW(0x80000000u, 0, 0)},
    {OPENAT2("another", "/dev/null", 24), HOW(0x40000000, 0, 0)},
    {OPENAT2("what was once the kernel's own", "/dev/null", 24), HOW(0x4000000, 0, 0)},
    {OPENAT2("the same, later", "/dev/null", 24), HOW(0x2000000, 0, 0)},
    {OPENAT2("a low unknown flag", "/dev/null", 24), HOW(010, 0, 0)},
    {OPENAT2("a flag above 32 bits", "/dev/null", 24), .words = {0, 1}, .words_at = HOW_AT},
    {OPENAT2("a mode above 32 bits", "/dev/null", 24), .words = {O_CREAT | O_RDWR, 0, 0600, 1}, .words_at = HOW_AT},
    {OPENAT2("a mode above 32 bits, none below", "/dev/null", 24), .words = {0, 0, 0, 1}, .words_at = HOW_AT},
    {OPENAT2("a way to resolve above 32 bits", "/dev/null", 24), .words = {0, 0, 0, 0, 0, 1}, .words_at = HOW_AT},
    {OPENAT2("an unknown way to resolve", "/dev/null", 24), HOW(O_RDONLY, 0, 0x40)},
    {OPENAT2("two scopes", "/dev/null", 24), HOW(O_RDONLY, 0, 0x18)},
    {OPENAT2("cached, to create", "/dev/null", 24), HOW(O_CREAT | O_RDWR, 0600, 0x20)},
    {OPENAT2("cached, with a mistake", "/dev/null", 24), HOW(O_RDONLY, 1, 0x20)},
    {OPENAT2("beneath, with a mistake", "/dev/null", 24), HOW(O_RDONLY, 1, 0x08)},
    {OPENAT2("cached", "/dev/null", 24), HOW(O_RDONLY, 0, 0x20), .differs = true, .expected = -EAGAIN},
    {OPENAT2("cached, no symbolic links", "/dev/null", 24), HOW(O_RDONLY, 0, 0x24), .differs = true, .expected = -EAGAIN},
    {OPENAT2("on one device", "/", 24), HOW(O_RDONLY, 0, 0x01), .differs = true, .expected = -ENOSYS},
    {OPENAT2("no magic links", "/", 24), HOW(O_RDONLY, 0, 0x02), .differs = true, .expected = -ENOSYS},
    {OPENAT2("no symbolic links", "/", 24), HOW(O_RDONLY, 0, 0x04), .differs = true, .expected = -ENOSYS},
    {OPENAT2("beneath", ".", 24), HOW(O_RDONLY, 0, 0x08), .differs = true, .expected = -ENOSYS},
    {OPENAT2("in a root", ".", 24), HOW(O_RDONLY, 0, 0x10), .differs = true, .expected = -ENOSYS},

    // Lengths.
    {OPENAT2("no struct", "/dev/null", 0), HOW(O_RDONLY, 0, 0)},
    {OPENAT2("a short struct", "/dev/null", 23), HOW(O_RDONLY, 0, 0)},
    {OPENAT2("a longer struct, of zeros", "/dev/null", 32), HOW(O_RDONLY, 0, 0)},
    {OPENAT2("a longer struct, not of zeros", "/dev/null", 33), HOW(O_RDONLY, 0, 0)},
    {OPENAT2("more than a page", "/dev/null", SIDE_PAGE_BYTES + 1), HOW(O_RDONLY, 0, 0)},
    {OPENAT2("a page", "/dev/null", SIDE_PAGE_BYTES), HOW(O_RDONLY, 0, 0)},
    {OPENAT2("far too long", "/dev/null", -1), HOW(O_RDONLY, 0, 0)},
    {OPENAT2("too long, and short in its low half", "/dev/null", 0x100000010), HOW(O_RDONLY, 0, 0)},

    // Pointers.
    {.what = "no struct at all", .nr = SYS_openat2, .args = {AT_FDCWD, SIDE_TEXT, 0, 24}, .text = "/dev/null"},
    {.what = "an unmapped struct",
     .nr = SYS_openat2,
     .args = {AT_FDCWD, SIDE_TEXT, SIDE_PAGE(SIDE_HOLE, 8), 24},
     .text = "/dev/null"},
    {.what = "a struct at the end", .nr = SYS_openat2, .args = {AT_FDCWD, SIDE_TEXT, -24, 24}, .text = "/dev/null"},
    {.what = "a struct over the end", .nr = SYS_openat2, .args = {AT_FDCWD, SIDE_TEXT, -8, 32}, .text = "/dev/null"},
    {.what = "a rest over the end", .nr = SYS_openat2, .args = {AT_FDCWD, SIDE_TEXT, -24, 64}, .text = "/dev/null"},
    {.what = "a struct that is read-only",
     .nr = SYS_openat2,
     .args = {AT_FDCWD, SIDE_TEXT, SIDE_PAGE(SIDE_READ_ONLY, 8), 24},
     .text = "/dev/null",
     .words = {0},
     .words_at = SIDE_PAGE(SIDE_READ_ONLY, 8)},
    {.what = "a struct up to a hole",
     .nr = SYS_openat2,
     .args = {AT_FDCWD, SIDE_TEXT, SIDE_END(SIDE_WRITABLE2, 24), 24},
     .text = "/dev/null",
     .words = {0},
     .words_at = SIDE_END(SIDE_WRITABLE2, 24),
     .word_count = 6},
    {.what = "a struct into a hole",
     .nr = SYS_openat2,
     .args = {AT_FDCWD, SIDE_TEXT, SIDE_END(SIDE_WRITABLE2, 20), 24},
     .text = "/dev/null",
     .words = {0},
     .words_at = SIDE_END(SIDE_WRITABLE2, 20),
     .word_count = 5},
    {.what = "a rest in a hole",
     .nr = SYS_openat2,
     .args = {AT_FDCWD, SIDE_TEXT, SIDE_END(SIDE_WRITABLE2, 24), 32},
     .text = "/dev/null",
     .words = {0},
     .words_at = SIDE_END(SIDE_WRITABLE2, 24),
     .word_count = 6},
    {.what = "a rest of zeros into a hole",
     .nr = SYS_openat2,
     .args = {AT_FDCWD, SIDE_TEXT, SIDE_END(SIDE_WRITABLE2, 28), 64},
     .text = "/dev/null",
     .words = {0},
     .words_at = SIDE_END(SIDE_WRITABLE2, 28),
     .word_count = 7},
    {.what = "a rest not of zeros into a hole",
     .nr = SYS_openat2,
     .args = {AT_FDCWD, SIDE_TEXT, SIDE_END(SIDE_WRITABLE2, 28), 64},
     .text = "/dev/null",
     .words = {0, 0, 0, 0, 0, 0, 7},
     .words_at = SIDE_END(SIDE_WRITABLE2, 28),
     .word_count = 7},
    {.what = "a struct in a hole, a rest not of zeros",
     .nr = SYS_openat2,
     .args = {AT_FDCWD, SIDE_TEXT, SIDE_END(SIDE_HOLE, 24), 64},
     .text = "/dev/null"},
    {.what = "a struct over two pages",
     .nr = SYS_openat2,
     .args = {AT_FDCWD, SIDE_TEXT, SIDE_END(SIDE_WRITABLE, 13), 24},
     .text = "/dev/null",
     .words = {0},
     .words_at = SIDE_END(SIDE_WRITABLE, 13),
     .word_count = 6},
    {.what = "no name, and a mistake", .nr = SYS_openat2, .args = {AT_FDCWD, 0, HOW_AT, 24}, HOW(O_RDONLY, 1, 0)},
    {.what = "no name", .nr = SYS_openat2, .args = {AT_FDCWD, 0, HOW_AT, 24}, HOW(O_RDONLY, 0, 0)},
    {.what = "an unmapped name", .nr = SYS_openat2, .args = {AT_FDCWD, SIDE_PAGE(SIDE_HOLE, 0), HOW_AT, 24}, HOW(O_RDONLY, 0, 0)},

    // Directories.
    {.what = "beside a closed descriptor",
     .nr = SYS_openat2,
     .args = {999, SIDE_TEXT, HOW_AT, 24},
     .text = "null",
     HOW(O_RDONLY, 0, 0)},
    {.what = "beside a descriptor of no directory",
     .nr = SYS_openat2,
     .args = {0, SIDE_TEXT, HOW_AT, 24},
     .text = "null",
     HOW(O_RDONLY, 0, 0)},
    {.what = "an absolute name beside a closed descriptor",
     .nr = SYS_openat2,
     .args = {999, SIDE_TEXT, HOW_AT, 24},
     .text = "/dev/null",
     HOW(O_RDONLY, 0, 0)},
    {.what = "a descriptor with a dirty upper half",
     .nr = SYS_openat2,
     .args = {0x1ffffff9c, SIDE_TEXT, HOW_AT, 24},
     .text = "/dev/null",
     HOW(O_RDONLY, 0, 0)},
};

SANDBOX_TEST(trap, openat2_answers_as_the_kernel_does, .expect_exit = 0)
{
    side_by_side(&(struct side_by_side){.rules = openat2_rules,
                                        .rule_count = COUNT_OF(openat2_rules),
                                        .calls = openat2s,
                                        .count = COUNT_OF(openat2s),
                                        .settle = describe_fd});
}

// Every flag alone and in company, without those that the emulation answers otherwise; nothing is created that has a name.
static void make_openat2(size_t index, struct side_call *ret_call)
{
    static const char *const names[] = {"/dev/null", "/dev/shm", "/", "/no/such/file", "/proc/self/exe", ""};
    static const uint32_t modes[] = {0, 0, 0, 0600, 07777, 010000};
    uint32_t state = (uint32_t)index * 2654435761u;
    side_random(&state, 2);
    uint32_t flags = 0;
    for (uint32_t i = side_random(&state, 5); i > 0; i--) {
        flags |= 1u << side_random(&state, 32);
    }
    const uint32_t resolve = side_random(&state, 8) == 0 ? 0x40u << side_random(&state, 20) : 0;
    ret_call->nr = SYS_openat2;
    ret_call->text = names[side_random(&state, COUNT_OF(names))];
    ret_call->args[0] = AT_FDCWD;
    ret_call->args[1] = SIDE_TEXT;
    ret_call->args[2] = HOW_AT;
    ret_call->args[3] = side_random(&state, 16) == 0 ? side_random(&state, 40) : 24;
    ret_call->words[0] = flags & ~(uint32_t)O_ASYNC;
    ret_call->words[2] = modes[side_random(&state, COUNT_OF(modes))];
    ret_call->words[4] = resolve;
    ret_call->words_at = HOW_AT;
}

SANDBOX_TEST(trap, openat2_answers_as_the_kernel_does_at_random, .expect_exit = 0)
{
    side_by_side(&(struct side_by_side){
        .rules = openat2_rules, .rule_count = COUNT_OF(openat2_rules), .make = make_openat2, .count = 4000, .settle = describe_fd});
}

static void ignore(int signal_nr)
{
    (void)signal_nr;
}

// Opens a FIFO that nobody else opens, with a timer running: a timer without SA_RESTART is how programs give up.
SANDBOX_TEST(trap, openat2_that_waits_is_interrupted, .expect_exit = 0)
{
    char name[] = "/tmp/brig-fifo-XXXXXX";
    const uint64_t how[3] = {O_RDONLY, 0, 0};
    const struct itimerval timer = {.it_value = {.tv_usec = 30000}};
    const struct sigaction action = {.sa_handler = ignore};
    struct trap_fixture fixture;
    REQUIRE(mkdtemp(name));
    char fifo[64];
    snprintf(fifo, sizeof fifo, "%s/fifo", name);
    CHECK_EQ(mkfifo(fifo, 0600), 0);
    CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
    fixture_start(&fixture, openat2_rules, COUNT_OF(openat2_rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
    CHECK_EQ(fixture_call(SYS_openat2, AT_FDCWD, (long)(intptr_t)fifo, (long)(intptr_t)how, sizeof how), -EINTR);
    unlink(fifo);
    rmdir(name);
    fixture_end(&fixture);
}

// --- statfs -----------------------------------------------------------------------------------------------------------

static const struct trap_rule statfs_rules[] = {
    {SYS_statfs, ANY, 0, EMULATED_BY(brig_trap_emulate_statfs_by_open)},
#ifdef SYS_statfs64
    {SYS_statfs64, ANY, 0, EMULATED_BY(brig_trap_emulate_statfs_by_open)},
#endif
};

#define BUFFER SIDE_PAGE(SIDE_WRITABLE, 2048)
#define STATFS_BYTES (sizeof(long) == 8 ? 120ll : 64ll)

// A file system whose free space does not change between the two runs.
#define STATFS(what_, text_) .what = what_, .nr = SYS_statfs, .args = {SIDE_TEXT, BUFFER}, .text = text_
#define STATFS_INTO(what_, address) .what = what_, .nr = SYS_statfs, .args = {SIDE_TEXT, address}, .text = "/proc"

static const struct side_call statfses[] = {
    {STATFS("/proc", "/proc")},
    {STATFS("/sys", "/sys")},
    {STATFS("a file", "/proc/version")},
    {STATFS("a symbolic link", "/proc/self/exe/.")},
    {STATFS("a device", "/proc/self/ns/pid")},
    {STATFS("a relative path", ".")},
    {STATFS("nothing there", "/no/such/file")},
    {STATFS("no name", "")},
    {STATFS("a file as a directory", "/proc/version/")},
    {STATFS("under a file", "/proc/version/x")},
    {.what = "no path", .nr = SYS_statfs, .args = {0, BUFFER}},
    {.what = "an unmapped path", .nr = SYS_statfs, .args = {SIDE_PAGE(SIDE_HOLE, 0), BUFFER}},
    {.what = "a path without an end", .nr = SYS_statfs, .args = {SIDE_PAGE(SIDE_WRITABLE2, 0), BUFFER}},
    {.what = "a path into a hole", .nr = SYS_statfs, .args = {SIDE_END(SIDE_WRITABLE2, 100), BUFFER}},
    {.what = "no path, no buffer", .nr = SYS_statfs},
    {STATFS_INTO("no buffer", 0)},
    {STATFS_INTO("an unmapped buffer", SIDE_PAGE(SIDE_HOLE, 0))},
    {STATFS_INTO("a buffer up to a hole", SIDE_END(SIDE_WRITABLE2, STATFS_BYTES))},
    {STATFS_INTO("a buffer into a hole", SIDE_END(SIDE_WRITABLE2, STATFS_BYTES - 4))},
    {STATFS_INTO("a read-only buffer", SIDE_PAGE(SIDE_READ_ONLY, 0))},
    {STATFS_INTO("a buffer over two pages", SIDE_END(SIDE_WRITABLE, 13))},
    {STATFS_INTO("the kernel's buffer", INTPTR_MIN)},
#ifdef SYS_statfs64
    {.what = "64: /proc", .nr = SYS_statfs64, .args = {SIDE_TEXT, 84, BUFFER}, .text = "/proc"},
    {.what = "64: a wrong size", .nr = SYS_statfs64, .args = {SIDE_TEXT, 88, BUFFER}, .text = "/proc"},
    {.what = "64: no size, no path", .nr = SYS_statfs64, .args = {0, 0, BUFFER}},
    {.what = "64: no path", .nr = SYS_statfs64, .args = {0, 84, BUFFER}},
    {.what = "64: no buffer", .nr = SYS_statfs64, .args = {SIDE_TEXT, 84, 0}, .text = "/proc"},
    {.what = "64: a buffer into a hole",
     .nr = SYS_statfs64,
     .args = {SIDE_TEXT, 84, SIDE_END(SIDE_WRITABLE2, 80)},
     .text = "/proc"},
#endif
};

SANDBOX_TEST(trap, statfs_answers_as_the_kernel_does, .expect_exit = 0)
{
    REQUIRE(CHECK_EQ(chdir("/proc/self/fd"), 0));
    side_by_side(&(struct side_by_side){
        .rules = statfs_rules, .rule_count = COUNT_OF(statfs_rules), .calls = statfses, .count = COUNT_OF(statfses)});
}

// No descriptor for nothing: the shim counts them. A FIFO and a file without rights can be asked about, as with the real call.
SANDBOX_TEST(trap, statfs_opens_nothing_that_waits, .expect_exit = 0)
{
    struct trap_fixture fixture;
    char name[] = "/tmp/brig-statfs-XXXXXX";
    char fifo[64];
    unsigned char buffer[256];
    REQUIRE(mkdtemp(name));
    snprintf(fifo, sizeof fifo, "%s/fifo", name);
    CHECK_EQ(mkfifo(fifo, 0), 0);
    fixture_start(&fixture, statfs_rules, COUNT_OF(statfs_rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    CHECK_EQ(fixture_call(SYS_statfs, (long)(intptr_t)fifo, (long)(intptr_t)buffer, 0, 0), 0);
    unlink(fifo);
    rmdir(name);
    fixture_end(&fixture);
}

// --- opens that are emulated in turn ----------------------------------------------------------------------------------

// In the place of a broker: whatever is opened, /proc is.
static struct brig_trap_outcome open_proc(const struct brig_trap_call *call)
{
    const uint64_t args[6] = {(uint64_t)AT_FDCWD, (uintptr_t) "/proc", call->args[2]};
#ifdef SYS_open
    return brig_trap_answer(brig_trap_syscall(call, SYS_open, (const uint64_t[6]){args[1], args[2]}));
#else
    return (struct brig_trap_outcome){BRIG_TRAP_ERRNO, EACCES};
#endif
}

static const enum brig_dsl_call no_calls[] = {BRIG_SYS_NONE};
static const struct brig_trap_emulation proc = {.dsl = {.name = "open_proc", .calls = no_calls}, .emulate = open_proc};
static const struct trap_rule nested_rules[] = {
    {SYS_statfs, ANY, 0, EMULATED_BY(brig_trap_emulate_statfs_by_open)},
    {SYS_openat2, ANY, 0, EMULATED_BY(brig_trap_emulate_openat2_by_openat)},
    {SYS_openat, ANY, 0, EMULATED_BY(proc)},
};

SANDBOX_TEST(trap, opens_of_emulations_are_emulated_in_turn, .expect_exit = 0)
{
    struct trap_fixture fixture;
    unsigned char real[256] = {0}, emulated[256] = {0};
    const uint64_t how[3] = {O_PATH, 0, 0};
    CHECK_EQ(fixture_call(SYS_statfs, (long)(intptr_t) "/proc", (long)(intptr_t)real, 0, 0), 0);
    fixture_start(&fixture, nested_rules, COUNT_OF(nested_rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    CHECK_EQ(fixture_call(SYS_statfs, (long)(intptr_t) "/no/such/file", (long)(intptr_t)emulated, 0, 0), 0);
    CHECK_BYTES_EQ(emulated, real, sizeof real);
    const long fd = fixture_call(SYS_openat2, AT_FDCWD, (long)(intptr_t) "/no/such/file", (long)(intptr_t)how, sizeof how);
    CHECK_GE(fd, 0);
    close((int)fd);
    CHECK_EQ(fixture.slots->emulated, 4);
    CHECK_EQ(fixture.slots->reentered, 2);
    fixture_end(&fixture);
}

// What openat's row refuses is refused to those who ask in another way.
SANDBOX_TEST(trap, emulated_opens_are_refused_as_openat_is, .expect_exit = 0)
{
    static const struct trap_rule rules[] = {
        {SYS_statfs, ANY, 0, EMULATED_BY(brig_trap_emulate_statfs_by_open)},
        {SYS_openat2, ANY, 0, EMULATED_BY(brig_trap_emulate_openat2_by_openat)},
        {SYS_openat, ANY, 0, {.verb = BRIG_DSL_REPORT, .data = EDOM}},
    };
    struct trap_fixture fixture;
    unsigned char buffer[256];
    const uint64_t how[3] = {O_RDONLY, 0, 0};
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    CHECK_EQ(fixture_call(SYS_statfs, (long)(intptr_t) "/proc", (long)(intptr_t)buffer, 0, 0), -EDOM);
    CHECK_EQ(fixture_call(SYS_openat2, AT_FDCWD, (long)(intptr_t) "/proc", (long)(intptr_t)how, sizeof how), -EDOM);
    CHECK_EQ(fixture_record_count(&fixture), 2);
    CHECK_EQ(fixture_record(&fixture, 0)->nr, SYS_openat);
    fixture_end(&fixture);
}
