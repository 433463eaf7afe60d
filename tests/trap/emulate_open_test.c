// The emulation of libc's own opens: it says "not there" to a few paths and takes every other for a violation.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/trap/fixture.h"

static const struct trap_rule rules[] = {{SYS_openat, ANY, 0, EMULATED_BY(brig_trap_emulate_open_libc_probe)}};

static long open_at(const void *path)
{
    return fixture_call(SYS_openat, AT_FDCWD, (long)(intptr_t)path, O_RDONLY | O_CLOEXEC, 0);
}

SANDBOX_TEST(trap, libc_opens_find_nothing, .expect_exit = 0)
{
    static const char *const paths[] = {
        "/proc/sys/vm/overcommit_memory",
        "/sys/devices/system/cpu/online",
        "/proc/stat",
        "/proc/cpuinfo",
        "/etc/localtime",
        "/usr/share/zoneinfo/UTC",
        "/usr/share/locale/locale.alias",
        "/usr/lib/locale/locale-archive",
        "/etc/ld.so.cache",
        "/usr/lib/x86_64-linux-gnu/gconv/gconv-modules.cache",
        "/lib/x86_64-linux-gnu/libgcc_s.so.1",
        "/lib/",
    };
    struct trap_fixture fixture;
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        test_message("%s", paths[i]);
        CHECK_EQ(open_at(paths[i]), -ENOENT);
    }
    CHECK_EQ(fixture.slots->emulated, COUNT_OF(paths));
    CHECK_EQ(fixture_record_count(&fixture), 0);
    fixture_end(&fixture);
}

// Two pages, of which the second is gone; `text` ends with the first, without a zero.
static const char *before_a_hole(const char *text)
{
    const size_t page_bytes = 65536;
    char *pages = mmap(NULL, 2 * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!CHECK(pages != MAP_FAILED)) {
        return NULL;
    }
    munmap(pages + page_bytes, page_bytes);
    return memcpy(pages + page_bytes - strlen(text), text, strlen(text));
}

SANDBOX_TEST(trap, opens_of_what_cannot_be_read_answer_as_the_kernel_does, .expect_exit = 0)
{
    struct trap_fixture fixture;
    const char *cut = before_a_hole("/proc/sta");
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    CHECK_EQ(open_at(NULL), -EFAULT);
    CHECK_EQ(open_at(cut + strlen("/proc/sta")), -EFAULT);
    CHECK_EQ(open_at(cut), -EFAULT);
    CHECK_EQ(fixture_record_count(&fixture), 0);
    fixture_end(&fixture);
}

static const char *asked;

static void ask(void)
{
    open_at(asked);
}

SANDBOX_TEST(trap, other_opens_are_violations, .expect_exit = 0)
{
    static const char *const paths[] = {"/etc/passwd", "", "/", "/proc/statm", "/proc/sta", "/library", "lib/x", "/usr/li"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct trap_fixture fixture;
        asked = paths[i];
        test_message("'%s'", asked);
        fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
        const int status = fixture_run(&fixture, ask);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
        REQUIRE(CHECK_EQ(fixture_record_count(&fixture), 1));
        CHECK_EQ(fixture_record(&fixture, 0)->nr, SYS_openat);
        fixture_end(&fixture);
    }
}
