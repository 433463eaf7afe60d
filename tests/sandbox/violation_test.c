// Violations: from a refused call to an event and a file, also when the worker, the disk or the directory does not play along.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bpf_dsl/words.h"
#include "sandbox/report.h"
#include "tests/sandbox/fixture.h"

static const struct brig_worker_spec crashing = {.name = "renderer", .policy = &fixture_policy, .entry = fixture_entry_crash};

SANDBOX_TEST(sandbox, a_crash_is_reported_and_is_a_true_sigsys, .expect_exit = 0)
{
    struct fixture fixture;
    struct brig_error error;
    char *json = NULL;
    REQUIRE(fixture_open(&fixture));
    REQUIRE(fixture_launch(&fixture, &crashing));
    REQUIRE(fixture_run(&fixture, 1));
    REQUIRE(CHECK_EQ(fixture.count, 2u));
    CHECK_EQ(fixture.events[0].kind, BRIG_EVENT_VIOLATION);
    CHECK_EQ(fixture.events[0].violation_count, 1u);
    CHECK_CONTAINS(fixture.events[0].message, "uname(");
    CHECK_CONTAINS(fixture.events[0].message, "killed");
    CHECK_CONTAINS(fixture.events[0].message, "fixture.c:");
    CHECK_CONTAINS(fixture.events[0].report_path, fixture.report_dir);
    CHECK_EQ(fixture.events[1].kind, BRIG_EVENT_EXIT);
    CHECK(WIFSIGNALED(fixture.events[1].wait_status));
    CHECK_EQ(WTERMSIG(fixture.events[1].wait_status), SIGSYS);
    CHECK_CONTAINS(fixture.events[1].message, "1 violation");
    CHECK_EQ(fixture.events[1].trap_counts.reported, 1u);
    // The name is TIME-SEQ-PID.json.gz, and the file holds what the event had.
    char expected[64];
    snprintf(expected, sizeof expected, "-1-%d.json.gz", fixture.events[0].pid);
    CHECK_CONTAINS(fixture.events[0].report_path, expected);
    REQUIRE(CHECK_OK(brig_report_read(fixture.events[0].report_path, &json, &error), &error));
    CHECK_STR_EQ(json, fixture.events[0].json);
    CHECK_CONTAINS(json, BRIG_REPORT_SCHEMA);
    CHECK_CONTAINS(json, "fixture_entry_crash");
    free(json);
    fixture_close(&fixture);
}

SANDBOX_TEST(sandbox, a_report_becomes_a_minidump_only_if_it_was_asked_for, .expect_exit = 0)
{
    for (int with_stack = 0; with_stack <= 1; with_stack++) {
        const struct brig_supervisor_options options = {.with_stack = with_stack != 0};
        struct fixture fixture = {.count = 0};
        struct brig_error error;
        void *dump = NULL;
        size_t dump_bytes = 0;
        test_message("with_stack %d", with_stack);
        REQUIRE(fixture_open_with(&fixture, &options));
        REQUIRE(fixture_launch(&fixture, &crashing));
        REQUIRE(fixture_run(&fixture, 1));
        REQUIRE(CHECK_EQ(fixture.events[0].kind, BRIG_EVENT_VIOLATION));
        const enum brig_code code = brig_report_minidump(fixture.events[0].json, &dump, &dump_bytes, &error);
        CHECK_EQ(code, with_stack ? BRIG_OK : BRIG_BAD_REPORT);
        if (code == BRIG_OK) {
            CHECK_BYTES_EQ(dump, "MDMP", 4);
            CHECK_GT(dump_bytes, (size_t)1000);
            free(dump);
        }
        fixture_close(&fixture);
    }
}

// The worker is not dumpable, and yet its strings are in the report.
static int open_far_away(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    return open("/nonexistent/brig-test-path", O_RDONLY | O_NOATIME);
}

static int connect_somewhere(void *data, int channel_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/brig-test-socket"};
    (void)data;
    (void)channel_fd;
    return connect(0, (struct sockaddr *)&address, sizeof address);
}

// A path that starts before a hole in memory: cut, not lost.
static int open_at_the_edge(void *data, int channel_fd)
{
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)data;
    (void)channel_fd;
    munmap(pages + 4096, 4096);
    memcpy(pages + 4096 - 8, "brigedge", 8);
    return (int)syscall(SYS_openat, AT_FDCWD, pages + 4096 - 8, O_NOATIME);
}

SANDBOX_TEST(sandbox, what_pointers_pointed_to_is_in_the_report, .expect_exit = 0)
{
    static const struct {
        brig_entry *entry;
        const char *text;
    } rows[] = {
        {open_far_away, "/nonexistent/brig-test-path"},
        {connect_somewhere, "/run/brig-test-socket"},
        {open_at_the_edge, "brigedge"},
    };
    struct fixture fixture;
    REQUIRE(fixture_open(&fixture));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        REQUIRE(fixture_launch(&fixture,
                               &(struct brig_worker_spec){.name = "renderer", .policy = &fixture_policy, .entry = rows[i].entry}));
        REQUIRE(fixture_run(&fixture, i + 1));
        int at = fixture_find(&fixture, BRIG_EVENT_VIOLATION, i);
        REQUIRE(CHECK_GE(at, 0));
        test_message("row %zu: %s", i, fixture.events[at].message);
        CHECK_CONTAINS(fixture.events[at].json, rows[i].text);
    }
    fixture_close(&fixture);
}

static int ask_once_and_exit(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    errno = 0;
    return syscall(SYS_getpriority, 0, 0) == -1 && errno == EACCES ? 0 : 1;
}

// The host is busy elsewhere; when it comes back, the worker is gone and the record still is there.
SANDBOX_TEST(sandbox, records_of_a_dead_worker_are_found, .expect_exit = 0)
{
    struct fixture fixture;
    REQUIRE(fixture_open(&fixture));
    struct brig_worker *worker =
        fixture_launch(&fixture, &(struct brig_worker_spec){.name = "asks", .policy = &fixture_policy, .entry = ask_once_and_exit});
    REQUIRE(worker != NULL);
    siginfo_t info;
    REQUIRE(waitid(P_PID, (id_t)brig_worker_pid(worker), &info, WEXITED | WNOWAIT) == 0);
    REQUIRE(fixture_run(&fixture, 1));
    REQUIRE(CHECK_EQ(fixture.count, 2u));
    CHECK_EQ(fixture.events[0].kind, BRIG_EVENT_VIOLATION);
    CHECK_CONTAINS(fixture.events[0].json, "ask_once_and_exit"); // by the mappings of the launch
    CHECK_EQ(fixture.events[1].wait_status, 0);
    fixture_close(&fixture);
}

static int die_without_record(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    return (int)syscall(SYS_setpriority, 0, 0, 0);
}

SANDBOX_TEST(sandbox, a_kill_without_a_handler_says_so, .expect_exit = 0)
{
    struct fixture fixture;
    REQUIRE(fixture_open(&fixture));
    REQUIRE(
        fixture_launch(&fixture, &(struct brig_worker_spec){.name = "x", .policy = &fixture_policy, .entry = die_without_record}));
    REQUIRE(fixture_run(&fixture, 1));
    CHECK_EQ(WTERMSIG(fixture.events[0].wait_status), SIGSYS);
    CHECK_CONTAINS(fixture.events[0].message, "no record");
    fixture_close(&fixture);
}

// A violation that was told before explains nothing.
static int die_with_sigsys_blocked(void *data, int channel_fd)
{
    const uint64_t all = ~UINT64_C(0);
    (void)data;
    (void)channel_fd;
    syscall(SYS_getpriority, 0, 0);
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, sizeof all);
    return (int)syscall(SYS_getpriority, 0, 0);
}

SANDBOX_TEST(sandbox, a_trap_with_sigsys_blocked_says_so, .expect_exit = 0)
{
    struct fixture fixture;
    REQUIRE(fixture_open(&fixture));
    REQUIRE(fixture_launch(&fixture,
                           &(struct brig_worker_spec){.name = "x", .policy = &fixture_policy, .entry = die_with_sigsys_blocked}));
    REQUIRE(fixture_run(&fixture, 1));
    const int last = fixture_find(&fixture, BRIG_EVENT_EXIT, 0);
    REQUIRE(CHECK_EQ(last, 1));
    CHECK_EQ(WTERMSIG(fixture.events[last].wait_status), SIGSYS);
    CHECK_CONTAINS(fixture.events[last].message, "1 violation");
    CHECK_CONTAINS(fixture.events[last].message, "no record of it: SIGSYS was blocked");
    fixture_close(&fixture);
}

// --- floods -----------------------------------------------------------------------------------------------------------

static int ask_for_ever(void *data, int channel_fd)
{
    (void)channel_fd;
    for (int i = 0; i < *(const int *)data; i++)
        syscall(SYS_getpriority, 0, 0);
    return 0;
}

SANDBOX_TEST(sandbox, a_flood_is_counted_not_told, .timeout_ms = 30000)
{
    struct fixture fixture;
    int calls = 20000;
    const time_t start = time(NULL);
    REQUIRE(fixture_open(&fixture));
    REQUIRE(fixture_launch(
        &fixture, &(struct brig_worker_spec){.name = "x", .policy = &fixture_policy, .entry = ask_for_ever, .data = &calls}));
    REQUIRE(fixture_run(&fixture, 1));
    int last = fixture_find(&fixture, BRIG_EVENT_EXIT, 0);
    CHECK_EQ(fixture.events[last].wait_status, 0);
    CHECK_GE(fixture_count(&fixture, BRIG_EVENT_VIOLATION), 10u);
    const size_t seconds = (size_t)(time(NULL) - start) + 1; // however slow the machine is
    CHECK_LE(fixture_count(&fixture, BRIG_EVENT_VIOLATION), 20 + 10 * seconds);
    CHECK_GT(fixture.events[last].violation_count, 0u);
    const struct brig_trap_counts counts = fixture.events[last].trap_counts;
    CHECK_EQ(counts.events, (uint64_t)calls);
    CHECK_EQ(counts.reported + counts.lost, (uint64_t)calls);
    CHECK_EQ(counts.reported, fixture.events[last].violation_count);
    fixture_close(&fixture);
}

SANDBOX_TEST(sandbox, old_reports_make_room, .expect_exit = 0)
{
    struct fixture fixture;
    int calls = 12;
    REQUIRE(fixture_open(&fixture));
    brig_supervisor_free(fixture.supervisor);
    // Room for about three reports.
    REQUIRE(fixture_open_with(&fixture,
                              &(struct brig_supervisor_options){.report_dir = fixture.report_dir, .report_quota_bytes = 6000}));
    REQUIRE(fixture_launch(
        &fixture, &(struct brig_worker_spec){.name = "x", .policy = &fixture_policy, .entry = ask_for_ever, .data = &calls}));
    REQUIRE(fixture_run(&fixture, 1));
    CHECK_EQ(fixture_count(&fixture, BRIG_EVENT_VIOLATION), (size_t)calls);
    CHECK_GE(fixture_files(&fixture), 1u);
    CHECK_LT(fixture_files(&fixture), (size_t)calls);
    int newest = fixture_find(&fixture, BRIG_EVENT_VIOLATION, (size_t)calls - 1);
    CHECK_EQ(access(fixture.events[newest].report_path, R_OK), 0);
    CHECK_EQ(access(fixture.events[0].report_path, R_OK), -1);
    fixture_close(&fixture);
}

// --- disks ------------------------------------------------------------------------------------------------------------

static void expect_report_failure(struct fixture *fixture)
{
    REQUIRE(fixture_launch(fixture, &crashing));
    REQUIRE(fixture_run(fixture, 1));
    REQUIRE(CHECK_EQ(fixture->count, 2u));
    CHECK_EQ(fixture->events[0].kind, BRIG_EVENT_VIOLATION);
    CHECK_EQ(fixture->events[0].code, BRIG_IO);
    CHECK_STR_EQ(fixture->events[0].report_path, "");
    CHECK(fixture->events[0].json != NULL); // what could not be written is told all the same
    CHECK_CONTAINS(fixture->events[0].message, "uname(");
    CHECK_EQ(WTERMSIG(fixture->events[1].wait_status), SIGSYS);
}

SANDBOX_TEST(sandbox, a_directory_that_vanishes_stops_nothing, .expect_exit = 0)
{
    struct fixture fixture;
    REQUIRE(fixture_open(&fixture));
    REQUIRE(rmdir(fixture.report_dir) == 0);
    expect_report_failure(&fixture);
    REQUIRE(mkdir(fixture.report_dir, 0700) == 0);
    fixture_close(&fixture);
}

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool is_written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return is_written;
}

// Without the maps, files could not be made there: nobody owns them.
static bool enter_user_namespace(void)
{
    char users[32], groups[32];
    snprintf(users, sizeof users, "0 %u 1", (unsigned)geteuid());
    snprintf(groups, sizeof groups, "0 %u 1", (unsigned)getegid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && write_text("/proc/self/setgroups", "deny") &&
           write_text("/proc/self/uid_map", users) && write_text("/proc/self/gid_map", groups);
}

// A file system of a few pages, all of them taken. Returns: false if this process may not mount.
static bool mount_full_disk(const char *path)
{
    static char filler[65536];
    char file[128];
    if (unshare(CLONE_NEWNS) != 0 && !enter_user_namespace())
        return false;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || mount("brig", path, "tmpfs", 0, "size=16k,mode=777") != 0)
        return false;
    snprintf(file, sizeof file, "%s/filler", path);
    int fd = open(file, O_CREAT | O_WRONLY, 0600);
    while (write(fd, filler, sizeof filler) > 0)
        continue;
    close(fd);
    return true;
}

SANDBOX_TEST(sandbox, a_full_disk_stops_nothing, .expect_exit = 0)
{
    struct fixture fixture;
    REQUIRE(fixture_open(&fixture));
    brig_supervisor_free(fixture.supervisor);
    fixture.supervisor = NULL;
    if (!mount_full_disk(fixture.report_dir)) {
        test_skip("no right to mount");
        rmdir(fixture.report_dir);
        return;
    }
    REQUIRE(fixture_open_with(&fixture, &(struct brig_supervisor_options){.report_dir = fixture.report_dir}));
    expect_report_failure(&fixture);
    CHECK_EQ(fixture_files(&fixture), 1u); // the filler: nothing half-written
    brig_supervisor_free(fixture.supervisor);
    fixture.supervisor = NULL;
    umount2(fixture.report_dir, MNT_DETACH);
    fixture_close(&fixture);
}

SANDBOX_TEST(sandbox, without_a_directory_there_are_events_only, .expect_exit = 0)
{
    struct fixture fixture = {.count = 0};
    REQUIRE(fixture_open_with(&fixture, &(struct brig_supervisor_options){.report_dir = NULL}));
    REQUIRE(fixture_launch(&fixture, &crashing));
    REQUIRE(fixture_run(&fixture, 1));
    CHECK_EQ(fixture.events[0].code, BRIG_OK);
    CHECK_STR_EQ(fixture.events[0].report_path, "");
    CHECK_CONTAINS(fixture.events[0].json, BRIG_REPORT_SCHEMA);
    fixture_close(&fixture);
}

// --- liars ------------------------------------------------------------------------------------------------------------

static void notify(void)
{
    const uint64_t one = 1;
    if (write(fixture_notify_fd, &one, sizeof one) < 0)
        _exit(9);
}

// Each slot has a state that is none, or is the supervisor's to write.
static int write_impossible_states(void *data, int channel_fd)
{
    static const uint32_t states[] = {BRIG_TRAP_SLOT_TAKEN, BRIG_TRAP_SLOT_DONE, 5, 0xffffffff};
    struct brig_trap_slots *slots = fixture_own_slots();
    (void)data;
    (void)channel_fd;
    for (size_t i = 0; i < COUNT_OF(states); i++)
        __atomic_store_n(&slots->slots[i].state, states[i], __ATOMIC_RELEASE);
    notify();
    return 0;
}

static int write_rubbish_records(void *data, int channel_fd)
{
    struct brig_trap_slots *slots = fixture_own_slots();
    (void)data;
    (void)channel_fd;
    for (size_t i = 0; i < BRIG_TRAP_SLOT_COUNT; i++) {
        memset(&slots->slots[i].record, (int)(0xa5 + i), sizeof slots->slots[i].record);
        __atomic_store_n(&slots->slots[i].state, BRIG_TRAP_SLOT_READY, __ATOMIC_RELEASE);
    }
    notify();
    return 0;
}

static int change_states_while_they_are_read(void *data, int channel_fd)
{
    struct brig_trap_slots *slots = fixture_own_slots();
    (void)data;
    (void)channel_fd;
    for (uint32_t i = 0; i < 200000; i++) {
        slots->slots[i % BRIG_TRAP_SLOT_COUNT].state = i * 2654435761u >> 29;
        if (i % 100 == 0)
            notify();
    }
    return 0;
}

static int shrink_slots(void *data, int channel_fd)
{
    char path[64], target[64];
    (void)data;
    (void)channel_fd;
    for (int fd = 0; fd < 64; fd++) { // the descriptor is closed, and sealed in any case
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        if (strstr(target, "brig-slots"))
            return 1;
    }
    return 0;
}

SANDBOX_TEST(sandbox, workers_that_lie_in_their_slots, .timeout_ms = 30000)
{
    static const struct {
        const char *what;
        brig_entry *entry;
        size_t lost_at_least, lost_at_most;
        enum brig_code code;
    } rows[] = {
        {"impossible states", write_impossible_states, 4, 4, BRIG_WORKER_LIED},
        {"rubbish", write_rubbish_records, 16, 16, BRIG_BAD_RECORD},
        {"changing states", change_states_while_they_are_read, 1, 40, BRIG_CODE_COUNT},
        {"no descriptor to shrink", shrink_slots, 0, 0, BRIG_OK},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fixture fixture;
        test_message("row %zu: %s", i, rows[i].what);
        REQUIRE(fixture_open(&fixture));
        REQUIRE(fixture_launch(&fixture, &(struct brig_worker_spec){.name = "liar",
                                                                    .policy = &fixture_policy,
                                                                    .warm_up = fixture_find_notify_fd,
                                                                    .entry = rows[i].entry,
                                                                    .dumpable = true}));
        REQUIRE(fixture_run(&fixture, 1));
        int last = fixture_find(&fixture, BRIG_EVENT_EXIT, 0);
        CHECK_EQ(fixture.events[last].wait_status, 0);
        const size_t lost = fixture_count(&fixture, BRIG_EVENT_LOST);
        CHECK_GE(lost, rows[i].lost_at_least);
        CHECK_LE(lost, rows[i].lost_at_most);
        int first = fixture_find(&fixture, BRIG_EVENT_LOST, 0);
        if (first >= 0 && rows[i].code != BRIG_CODE_COUNT)
            CHECK_EQ(fixture.events[first].code, rows[i].code);
        fixture_close(&fixture);
    }
}

// A slot that says WAITS and never waits, a trap id out of range, other worker's process id: all are claims.
static int forge_a_plausible_record(void *data, int channel_fd)
{
    struct brig_trap_slots *slots = fixture_own_slots();
    struct brig_trap_record *record = &slots->slots[3].record;
    (void)data;
    (void)channel_fd;
    *record = (struct brig_trap_record){.magic = BRIG_TRAP_RECORD_MAGIC,
                                        .version = BRIG_TRAP_RECORD_VERSION,
                                        .pid = 1,
                                        .tid = 1,
                                        .nr = SYS_openat,
                                        .audit_arch = brig_dsl_arch_audit(brig_dsl_arch_native()),
                                        .trap_id = 60000,
                                        .verb = BRIG_DSL_CRASH,
                                        .flags = BRIG_TRAP_FLAG_WAITS,
                                        .args = {0, (uint64_t)(uintptr_t) "\x1b[31mforged", 0, 0, 0, 0},
                                        .stack_bytes = 0};
    __atomic_store_n(&slots->slots[3].state, BRIG_TRAP_SLOT_READY, __ATOMIC_RELEASE);
    notify();
    pause();
    return 0;
}

SANDBOX_TEST(sandbox, a_forged_record_is_told_as_a_claim, .expect_exit = 0)
{
    struct fixture fixture;
    REQUIRE(fixture_open(&fixture));
    struct brig_worker *worker = fixture_launch(&fixture, &(struct brig_worker_spec){.name = "liar",
                                                                                     .policy = &fixture_policy,
                                                                                     .warm_up = fixture_find_notify_fd,
                                                                                     .entry = forge_a_plausible_record,
                                                                                     .dumpable = true});
    REQUIRE(worker != NULL);
    const int pid = brig_worker_pid(worker);
    struct brig_error error;
    for (int i = 0; i < 50 && fixture.count == 0; i++)
        REQUIRE_OK(brig_supervisor_dispatch(fixture.supervisor, 100, &error), &error);
    REQUIRE(CHECK_EQ(fixture.count, 1u));
    CHECK_EQ(fixture.events[0].pid, pid);
    CHECK(strchr(fixture.events[0].message, 0x1b) == NULL);
    fixture_close(&fixture);
}
