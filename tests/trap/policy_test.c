// The compiler's traps and the handler's view of them agree: a real policy, compiled for this process.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bpf_dsl/words.h"
#include "tests/trap/fixture.h"

static const struct brig_dsl_set idle = CALLS(idle, "asked for by nobody", getsid, getpgid, umask);

// As little as a test needs: everything else has to be allowed, so the rows are the whole of what is refused.
static const struct brig_dsl_row rows[] = {
    WHY("what the test does between the calls that it is about"),
    ROW(read, ALLOW),
    ROW(write, ALLOW),
    ROW(close, ALLOW),
    ROW(fstat, ALLOW),
    ROW(fstat64, ALLOW),
    ROW(getpid, ALLOW),
    ROW(munmap, ALLOW),
    WHY("fstat on every libc"),
    ROW(newfstatat, EMULATE(fstatat_empty_path)),
    ROW(fstatat64, EMULATE(fstatat_empty_path)),
    WHY("thread libraries ask about themselves"),
    ROW(sched_getscheduler, ALLOW, IN(pid, 0)),
    ELSE(sched_getscheduler, EMULATE(sched_own_thread)),
    WHY("not wanted, not worth a death"),
    ROW(SET(idle), REPORT(EDOM)),
    WHY("wanted by nobody but an attacker"),
    ROW(getppid, CRASH),
    ROWS_END,
};
static const struct brig_dsl_policy policy = {
    .name = "trap-test", .rows = rows, FALLBACK(CRASH), .kernel = BRIG_DSL_KERNEL(6, 18), .libc = "any"};

static unsigned char memory[BRIG_DSL_ARENA_BYTES];

// Puts the compiled program in the place of the fixture's own.
static bool start(struct trap_fixture *fixture)
{
    struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT;
    struct brig_dsl_arena arena;
    struct brig_error error;
    fixture_start(fixture, NULL, 0, ALLOW_ALL);
    options.notify_fd = fixture->setup.notify_fd;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    return CHECK_OK(brig_dsl_compile(&policy, &options, &arena, &fixture->program, &error), &error);
}

SANDBOX_TEST(trap, compiled_policies_are_answered, .expect_exit = 0)
{
    struct trap_fixture fixture;
    struct stat buffer;
    REQUIRE(start(&fixture));
    REQUIRE(fixture_lock(&fixture));
    CHECK_EQ(fixture_call(NR_FSTATAT, 0, (long)(intptr_t) "", (long)(intptr_t)&buffer, AT_EMPTY_PATH), 0);
    CHECK_EQ(fixture_call(NR_FSTATAT, AT_FDCWD, (long)(intptr_t) "/", (long)(intptr_t)&buffer, 0), -EACCES);
    CHECK_EQ(fixture_call(SYS_sched_getscheduler, syscall(SYS_gettid), 0, 0, 0), SCHED_OTHER);
    CHECK_EQ(fixture_call(SYS_sched_getscheduler, 1, 0, 0, 0), -EPERM);
    CHECK_EQ(fixture.slots->emulated, 4);
    CHECK_EQ(fixture_call(SYS_getsid, 0, 0, 0, 0), -EDOM);
    CHECK_EQ(fixture_call(SYS_umask, 0, 0, 0, 0), -EDOM);
    REQUIRE(CHECK_EQ(fixture_record_count(&fixture), 2));
    CHECK_EQ(fixture_record(&fixture, 0)->trap_id, fixture_record(&fixture, 1)->trap_id);
    CHECK_EQ(fixture_call(100000, 0, 0, 0, 0), -ENOSYS);
    CHECK_EQ(fixture.slots->forged, 0);
    fixture_end(&fixture);
}

static void crash_by_row(void)
{
    syscall(SYS_getppid);
}

static void crash_by_fallback(void)
{
    syscall(SYS_chdir, "/");
}

SANDBOX_TEST(trap, compiled_policies_crash_with_a_record, .expect_exit = 0)
{
    static const struct {
        void (*body)(void);
        long nr;
        enum brig_dsl_origin origin;
    } crashes[] = {{crash_by_row, SYS_getppid, BRIG_DSL_ORIGIN_ROW}, {crash_by_fallback, SYS_chdir, BRIG_DSL_ORIGIN_FALLBACK}};
    for (size_t i = 0; i < COUNT_OF(crashes); i++) {
        struct trap_fixture fixture;
        test_message("call %ld", crashes[i].nr);
        REQUIRE(start(&fixture));
        const int status = fixture_run(&fixture, crashes[i].body);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
        REQUIRE(CHECK_EQ(fixture_record_count(&fixture), 1));
        const struct brig_trap_record *record = fixture_record(&fixture, 0);
        CHECK_EQ(record->nr, crashes[i].nr);
        CHECK_EQ(record->flags & (BRIG_TRAP_FLAG_FOREIGN | BRIG_TRAP_FLAG_REENTERED), 0);
        CHECK_GT(record->stack_bytes, 0);
        REQUIRE(CHECK_LT(record->trap_id, fixture.program.trap_count));
        CHECK_EQ(fixture.program.traps[record->trap_id].origin, crashes[i].origin);
        fixture_end(&fixture);
    }
}
