// Launches that must fail: each with its own code, no hang, nothing left running and nothing left open.
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bpf_dsl/words.h"
#include "sandbox/child/handshake.h"
#include "sandbox/sandbox.h"
#include "tests/sandbox/fixture.h"

// Launches, expects `expected` and nothing left. The error's texts live as long as the supervisor.
static void expect_failure(struct fixture *fixture, const struct brig_worker_spec *spec, enum brig_code expected,
                           struct brig_error *error)
{
    struct brig_worker *worker = NULL;
    REQUIRE(CHECK_CODE(brig_supervisor_launch(fixture->supervisor, spec, &worker, error), expected, error));
    CHECK(worker == NULL);
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    CHECK_EQ(errno, ECHILD);
}

// --- arguments --------------------------------------------------------------------------------------------------------

SANDBOX_TEST(sandbox, bad_specs_are_refused, .expect_exit = 0)
{
    struct fixture fixture;
    struct brig_error error;
    const struct brig_keep closed[] = {{1000, BRIG_KEEP_DATA}};
    const struct {
        const char *subject;
        struct brig_worker_spec spec;
    } specs[] = {
        {"name", {.policy = &fixture_policy, .entry = fixture_entry_return}},
        {"policy", {.name = "x", .entry = fixture_entry_return}},
        {"entry", {.name = "x", .policy = &fixture_policy}},
        {"keep_count", {.name = "x", .policy = &fixture_policy, .entry = fixture_entry_return, .keep_count = 1}},
        {"keep_count",
         {.name = "x", .policy = &fixture_policy, .entry = fixture_entry_return, .keep = closed, .keep_count = BRIG_KEEP_MAX + 1}},
        {"keep", {.name = "x", .policy = &fixture_policy, .entry = fixture_entry_return, .keep = closed, .keep_count = 1}},
    };
    REQUIRE(fixture_open(&fixture));
    for (size_t i = 0; i < COUNT_OF(specs); i++) {
        test_message("row %zu: %s", i, specs[i].subject);
        expect_failure(&fixture, &specs[i].spec, BRIG_BAD_ARGUMENT, &error);
        CHECK_STR_EQ(error.subject, specs[i].subject);
    }
    fixture_close(&fixture);
}

SANDBOX_TEST(sandbox, a_supervisor_needs_a_directory_to_report_into, .expect_exit = 0)
{
    struct brig_supervisor *supervisor = NULL;
    struct brig_error error;
    const struct {
        const char *path;
        int sys_errno;
    } rows[] = {{"/nonexistent/reports", ENOENT}, {"/etc/passwd", ENOTDIR}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        test_message("row %zu: %s", i, rows[i].path);
        const struct brig_supervisor_options options = {.report_dir = rows[i].path};
        REQUIRE(CHECK_CODE(brig_supervisor_new(&options, &supervisor, &error), BRIG_IO, &error));
        CHECK_EQ(error.sys_errno, rows[i].sys_errno);
        CHECK_STR_EQ(error.subject, rows[i].path);
    }
    REQUIRE(CHECK_CODE(brig_supervisor_new(NULL, &supervisor, &error), BRIG_BAD_ARGUMENT, &error));
    CHECK(supervisor == NULL);
    brig_supervisor_free(NULL);
}

// --- kernels without something ----------------------------------------------------------------------------------------

struct kernel_case {
    struct fixture_refusal refusal;
    bool at_new; // else at launch
    enum brig_code code;
    const char *subject;
};

enum { NO_ARGUMENT = -1, WHOLE = 0x7fffffff };

static void launch_on_kernel(const void *context)
{
    const struct kernel_case *row = context;
    struct fixture fixture = {.count = 0};
    struct brig_error error = {.code = BRIG_OK};
    const struct brig_supervisor_options options = {.report_dir = NULL};
    if (row->at_new) {
        REQUIRE(fixture_refuse(&row->refusal));
        REQUIRE(CHECK_CODE(brig_supervisor_new(&options, &fixture.supervisor, &error), row->code, &error));
    } else {
        REQUIRE(fixture_open_with(&fixture, &options));
        REQUIRE(fixture_refuse(&row->refusal));
        const struct brig_worker_spec spec = {
            .name = "x", .policy = &fixture_policy, .entry = fixture_entry_return, .channel = true};
        REQUIRE(CHECK_CODE(brig_supervisor_launch(fixture.supervisor, &spec, NULL, &error), row->code, &error));
    }
    CHECK_CONTAINS(error.subject, row->subject);
    CHECK_EQ(error.sys_errno, row->refusal.sys_errno);
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    fixture_close(&fixture);
}

SANDBOX_TEST(sandbox, kernels_that_lack_or_refuse_something, .timeout_ms = 30000)
{
    static const struct kernel_case rows[] = {
        {{BRIG_SYS_pidfd_open, ENOSYS, NO_ARGUMENT, 0, 0}, true, BRIG_KERNEL_LACKS, "pidfd_open"},
        {{BRIG_SYS_memfd_create, ENOSYS, NO_ARGUMENT, 0, 0}, true, BRIG_KERNEL_LACKS, "memfd_create"},
        {{BRIG_SYS_memfd_create, EPERM, NO_ARGUMENT, 0, 0}, true, BRIG_KERNEL_REFUSED, "memfd_create"},
        {{BRIG_SYS_epoll_create1, EMFILE, NO_ARGUMENT, 0, 0}, true, BRIG_KERNEL_REFUSED, "epoll_create1"},
        {{BRIG_SYS_eventfd2, EMFILE, NO_ARGUMENT, 0, 0}, true, BRIG_KERNEL_REFUSED, "eventfd"},
        {{BRIG_SYS_preadv2, EPERM, NO_ARGUMENT, 0, 0}, true, BRIG_KERNEL_REFUSED, "RWF_NOWAIT"},
        {{BRIG_SYS_preadv2, ENOSYS, NO_ARGUMENT, 0, 0}, true, BRIG_KERNEL_LACKS, "RWF_NOWAIT"},

        {{BRIG_SYS_memfd_create, EMFILE, NO_ARGUMENT, 0, 0}, false, BRIG_KERNEL_REFUSED, "memfd_create"},
        {{BRIG_SYS_eventfd2, EMFILE, NO_ARGUMENT, 0, 0}, false, BRIG_KERNEL_REFUSED, "eventfd"},
        {{BRIG_SYS_socketpair, EMFILE, NO_ARGUMENT, 0, 0}, false, BRIG_KERNEL_REFUSED, "socketpair"},
        {{BRIG_SYS_clone, EAGAIN, NO_ARGUMENT, 0, 0}, false, BRIG_KERNEL_REFUSED, "fork"},
        {{BRIG_SYS_pidfd_open, EMFILE, NO_ARGUMENT, 0, 0}, false, BRIG_KERNEL_REFUSED, "pidfd_open"},
        {{BRIG_SYS_epoll_ctl, ENOSPC, NO_ARGUMENT, 0, 0}, false, BRIG_KERNEL_REFUSED, "epoll_ctl"},

        {{BRIG_SYS_ftruncate, ENOSPC, NO_ARGUMENT, 0, 0}, false, BRIG_KERNEL_REFUSED, "ftruncate"},
        {{BRIG_SYS_fcntl, EPERM, 1, WHOLE, F_ADD_SEALS}, false, BRIG_KERNEL_REFUSED, "F_ADD_SEALS"},
        {{BRIG_SYS_mmap, ENOMEM, 1, WHOLE, sizeof(struct brig_trap_slots)}, false, BRIG_KERNEL_REFUSED, "mmap"},
        {{BRIG_SYS_mmap, ENOMEM, 1, WHOLE, sizeof(struct box_handshake)}, false, BRIG_OUT_OF_MEMORY, "handshake"},
        {{BRIG_SYS_mmap, ENOMEM, 1, WHOLE, BRIG_DSL_ARENA_BYTES}, false, BRIG_OUT_OF_MEMORY, "the compiler's memory"},

        {{BRIG_SYS_setsid, EPERM, NO_ARGUMENT, 0, 0}, false, BRIG_KERNEL_REFUSED, "setsid"},
        {{BRIG_SYS_prctl, EINVAL, 0, WHOLE, PR_SET_CHILD_SUBREAPER}, false, BRIG_KERNEL_REFUSED, "PR_SET_CHILD_SUBREAPER"},
        {{BRIG_SYS_sigaltstack, EPERM, 1, WHOLE, 0}, false, BRIG_KERNEL_REFUSED, "sigaltstack"},
        {{BRIG_SYS_rt_sigaction, EPERM, 0, WHOLE, SIGSYS}, false, BRIG_KERNEL_REFUSED, "rt_sigaction"},
        {{BRIG_SYS_prctl, EINVAL, 0, WHOLE, PR_SET_PDEATHSIG}, false, BRIG_KERNEL_REFUSED, "PR_SET_PDEATHSIG"},
        {{BRIG_SYS_prctl, EINVAL, 0, WHOLE, PR_SET_NO_NEW_PRIVS}, false, BRIG_KERNEL_REFUSED, "no_new_privs"},
        {{BRIG_SYS_prctl, EINVAL, 0, WHOLE, PR_SET_DUMPABLE}, false, BRIG_KERNEL_REFUSED, "PR_SET_DUMPABLE"},
        {{BRIG_SYS_prlimit64, EPERM, NO_ARGUMENT, 0, 0}, false, BRIG_KERNEL_REFUSED, "RLIMIT_CORE"},

        {{BRIG_SYS_seccomp, ENOSYS, NO_ARGUMENT, 0, 0}, false, BRIG_KERNEL_LACKS, "seccomp"},
        {{BRIG_SYS_seccomp, EPERM, NO_ARGUMENT, 0, 0}, false, BRIG_KERNEL_REFUSED, "seccomp"},
        {{BRIG_SYS_seccomp, EINVAL, 0, WHOLE, SECCOMP_GET_ACTION_AVAIL}, false, BRIG_KERNEL_LACKS, "seccomp action"},
        {{BRIG_SYS_seccomp, EINVAL, 1, SECCOMP_FILTER_FLAG_TSYNC, SECCOMP_FILTER_FLAG_TSYNC}, false, BRIG_KERNEL_LACKS, "flags"},
        {{BRIG_SYS_seccomp, ENOMEM, 1, SECCOMP_FILTER_FLAG_TSYNC, SECCOMP_FILTER_FLAG_TSYNC},
         false,
         BRIG_KERNEL_REFUSED,
         "seccomp"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        test_message("row %zu: %s answers %d", i, brig_dsl_call_name(rows[i].refusal.call), rows[i].refusal.sys_errno);
        fixture_in_child(launch_on_kernel, &rows[i]);
    }
}

static int count_open(void *data, int channel_fd)
{
    int count = 0;
    (void)data;
    (void)channel_fd;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

// An old kernel, or an outer filter, without close_range: /proc/self/fd is walked instead.
SANDBOX_TEST(sandbox, descriptors_are_closed_without_close_range, .expect_exit = 0)
{
    struct fixture fixture;
    int copies[300]; // more than one read of the list
    REQUIRE(fixture_open(&fixture));
    REQUIRE(fixture_refuse(&(struct fixture_refusal){BRIG_SYS_close_range, ENOSYS, NO_ARGUMENT, 0, 0}));
    for (size_t i = 0; i < COUNT_OF(copies); i++)
        copies[i] = dup(STDERR_FILENO);
    REQUIRE(fixture_launch(&fixture, &(struct brig_worker_spec){.name = "x", .policy = &fixture_policy, .entry = count_open}));
    REQUIRE(fixture_run(&fixture, 1));
    CHECK_EQ(WEXITSTATUS(fixture.events[0].wait_status), 4); // the standard ones and notify
    for (size_t i = 0; i < COUNT_OF(copies); i++)
        close(copies[i]);
    fixture_close(&fixture);
}

// --- policies that do not become a program ----------------------------------------------------------------------------

static const struct brig_dsl_row bad_rows[] = {
    WHY("names an argument that the call does not have"),
    ROW(fcntl, ALLOW, IN(command, F_GETFL)),
    ELSE(fcntl, CRASH),
    ROWS_END,
};
static const struct brig_dsl_policy bad_policy = {
    .name = "bad", .rows = bad_rows, FALLBACK(ALLOW), .kernel = BRIG_DSL_KERNEL(6, 18), .libc = "any"};

SANDBOX_TEST(sandbox, a_bad_policy_is_told_with_its_row, .expect_exit = 0)
{
    struct fixture fixture;
    struct brig_error error;
    REQUIRE(fixture_open(&fixture));
    const struct brig_worker_spec spec = {.name = "x", .policy = &bad_policy, .entry = fixture_entry_return};
    expect_failure(&fixture, &spec, BRIG_NO_SUCH_ARGUMENT, &error);
    CHECK_CONTAINS(error.file, "failure_test.c");
    CHECK_EQ(error.line, bad_rows[1].line);
    CHECK_CONTAINS(error.subject, "command");
    fixture_close(&fixture);
}

static const struct brig_dsl_import import = {.foreign = BRIG_DSL_ACTION_KILL_PROCESS, .x32 = BRIG_DSL_ACTION_KILL_PROCESS};
static const struct brig_dsl_policy imported_policy = {.name = "imported", FALLBACK(ALLOW), .import = &import};

SANDBOX_TEST(sandbox, an_imported_policy_is_refused, .expect_exit = 0)
{
    struct fixture fixture;
    struct brig_error error;
    REQUIRE(fixture_open(&fixture));
    const struct brig_worker_spec spec = {.name = "x", .policy = &imported_policy, .entry = fixture_entry_return};
    expect_failure(&fixture, &spec, BRIG_BAD_ARGUMENT, &error);
    CHECK_STR_EQ(error.subject, "policy.import");
    fixture_close(&fixture);
}

SANDBOX_TEST(sandbox, a_policy_that_is_too_big_is_refused, .expect_exit = 0)
{
    struct fixture fixture;
    struct fixture_big big;
    struct brig_error error;
    REQUIRE(fixture_big_make(&big) && fixture_open(&fixture));
    const struct brig_worker_spec spec = {.name = "x", .policy = &big.policy, .entry = fixture_entry_return};
    expect_failure(&fixture, &spec, BRIG_OUT_OF_ARENA, &error); // before it has a program that could be too big: lock_test.c
    CHECK_EQ(error.detail, (int64_t)BRIG_DSL_ARENA_BYTES);
    fixture_close(&fixture);
    fixture_big_free(&big);
}

// --- workers that do not come up --------------------------------------------------------------------------------------

static int die_in_warm_up(void *data)
{
    (void)data;
    raise(SIGKILL);
    return 0;
}

static int exit_in_warm_up(void *data)
{
    (void)data;
    _exit(3);
}

static int sleep_in_warm_up(void *data)
{
    (void)data;
    while (pause() != 0)
        continue;
    return 0;
}

static int fail_in_warm_up(void *data)
{
    (void)data;
    return 42;
}

static int open_directory_in_warm_up(void *data)
{
    (void)data;
    return open("/tmp", O_RDONLY | O_DIRECTORY) < 0;
}

static void *wait_for_ever(void *data)
{
    (void)data;
    while (pause() != 0)
        continue;
    return 0;
}

static int start_thread_that_blocks_signals(void *data)
{
    sigset_t all, before;
    pthread_t thread;
    (void)data;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&thread, NULL, wait_for_ever, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

// A filter of one thread alone, as a library may install it.
static pthread_barrier_t filtered;
static void *filter_only_this_thread(void *data)
{
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog fprog = {.len = 1, .filter = &allow};
    (void)data;
    prctl(PR_SET_NAME, "loner", 0, 0, 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog);
    pthread_barrier_wait(&filtered);
    return wait_for_ever(NULL);
}

static int start_filtered_thread(void *data)
{
    pthread_t thread;
    (void)data;
    pthread_barrier_init(&filtered, NULL, 2);
    int result = pthread_create(&thread, NULL, filter_only_this_thread, NULL);
    if (result == 0)
        pthread_barrier_wait(&filtered);
    return result;
}

SANDBOX_TEST(sandbox, workers_that_do_not_come_up, .timeout_ms = 30000)
{
    static const struct {
        const char *what;
        int (*warm_up)(void *data);
        enum brig_code code;
        int64_t detail; // -1: any
        const char *subject;
    } rows[] = {
        {"dies by a signal", die_in_warm_up, BRIG_WORKER_DIED, SIGKILL, "x"},
        {"exits", exit_in_warm_up, BRIG_WORKER_DIED, 3 << 8, "x"},
        {"never answers", sleep_in_warm_up, BRIG_WORKER_SILENT, 300, "x"},
        {"fails", fail_in_warm_up, BRIG_WORKER_WARMUP, 42, "x"},
        {"opens a directory", open_directory_in_warm_up, BRIG_FD_REFUSED, -1, "a directory"},
        {"blocks SIGSYS in a thread", start_thread_that_blocks_signals, BRIG_READ_BACK_DIFFERS, -1, "blocks SIGSYS"},
        {"has a thread with a filter of its own", start_filtered_thread, BRIG_TSYNC_REFUSED, -1,
         "thread loner has a filter of its own"},
    };
    struct fixture fixture;
    struct brig_error error;
    REQUIRE(fixture_open(&fixture));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        test_message("row %zu: %s", i, rows[i].what);
        const struct brig_worker_spec spec = {.name = "x",
                                              .policy = &fixture_policy,
                                              .warm_up = rows[i].warm_up,
                                              .entry = fixture_entry_return,
                                              .handshake_ms = rows[i].code == BRIG_WORKER_SILENT ? 300 : 0};
        expect_failure(&fixture, &spec, rows[i].code, &error);
        CHECK(rows[i].detail < 0 || error.detail == rows[i].detail);
        CHECK_CONTAINS(error.subject, rows[i].subject);
    }
    // The supervisor is none the worse for it.
    REQUIRE(fixture_launch(&fixture,
                           &(struct brig_worker_spec){.name = "x", .policy = &fixture_policy, .entry = fixture_entry_return}));
    REQUIRE(fixture_run(&fixture, 1));
    fixture_close(&fixture);
}

static void *violate_at_once(void *data)
{
    (void)data;
    while (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 2)
        sched_yield();
    return fixture_entry_crash(NULL, -1) ? NULL : data;
}

static int start_violating_thread(void *data)
{
    pthread_t thread;
    (void)data;
    return pthread_create(&thread, NULL, violate_at_once, NULL);
}

// The death comes before or after the launch has returned; the report comes in both cases.
SANDBOX_TEST(sandbox, a_violation_in_the_middle_of_the_launch_is_reported, .expect_exit = 0)
{
    struct fixture fixture;
    struct brig_error error;
    REQUIRE(fixture_open(&fixture));
    const struct brig_worker_spec spec = {
        .name = "x", .policy = &fixture_policy, .warm_up = start_violating_thread, .entry = fixture_entry_hang};
    const enum brig_code code = brig_supervisor_launch(fixture.supervisor, &spec, NULL, &error);
    test_message("%s", brig_code_name(code));
    CHECK(code == BRIG_OK || code == BRIG_WORKER_DIED);
    CHECK(fixture_wait(&fixture, BRIG_EVENT_VIOLATION, 1));
    fixture_close(&fixture);
}

// --- liars ------------------------------------------------------------------------------------------------------------

// Finds the one mapping of a size that is shared, as a hijacked worker would.
static void *find_shared(const char *name, size_t bytes)
{
    char line[512];
    void *found = NULL;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long from = 0, to = 0;
        if (strstr(line, "rw-s") && strstr(line, name) && sscanf(line, "%lx-%lx", &from, &to) == 2 &&
            to - from == ((bytes + 4095) & ~(size_t)4095))
            found = (void *)from;
    }
    if (maps)
        fclose(maps);
    return found;
}

static struct box_handshake *handshake(void)
{
    return find_shared("/dev/zero", sizeof(struct box_handshake));
}

static int lie_go(void *data)
{
    (void)data;
    __atomic_store_n(&handshake()->phase, BOX_PHASE_GO, __ATOMIC_RELEASE);
    return sleep_in_warm_up(NULL);
}

static int lie_rubbish(void *data)
{
    (void)data;
    memset(handshake(), 0x5a, sizeof(struct box_handshake));
    _exit(0);
}

static int lie_error_without_code(void *data)
{
    struct box_handshake *page = handshake();
    (void)data;
    page->error.code = BRIG_CODE_COUNT;
    __atomic_store_n(&page->phase, BOX_PHASE_FAILED, __ATOMIC_RELEASE);
    _exit(0);
}

static int lie_error_without_end(void *data)
{
    struct box_handshake *page = handshake();
    (void)data;
    memset(&page->error, 'a', sizeof page->error);
    page->error.code = BRIG_IO;
    __atomic_store_n(&page->phase, BOX_PHASE_FAILED, __ATOMIC_RELEASE);
    _exit(0);
}

// Says that it is locked, and is not.
static int lie_locked(void *data)
{
    (void)data;
    __atomic_store_n(&handshake()->phase, BOX_PHASE_LOCKED, __ATOMIC_RELEASE);
    return sleep_in_warm_up(NULL);
}

SANDBOX_TEST(sandbox, workers_that_lie_at_launch, .timeout_ms = 30000)
{
    static const struct {
        const char *what;
        int (*warm_up)(void *data);
        enum brig_code code;
    } rows[] = {
        {"go", lie_go, BRIG_WORKER_LIED},
        {"rubbish", lie_rubbish, BRIG_WORKER_LIED},
        {"an error without a code", lie_error_without_code, BRIG_WORKER_LIED},
        {"an error without an end", lie_error_without_end, BRIG_WORKER_LIED},
        {"locked", lie_locked, BRIG_READ_BACK_DIFFERS},
    };
    struct fixture fixture;
    struct brig_error error;
    REQUIRE(fixture_open(&fixture));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        test_message("row %zu: %s", i, rows[i].what);
        const struct brig_worker_spec spec = {
            .name = "x", .policy = &fixture_policy, .warm_up = rows[i].warm_up, .entry = fixture_entry_return, .handshake_ms = 300};
        expect_failure(&fixture, &spec, rows[i].code, &error);
    }
    fixture_close(&fixture);
}

// --- what a worker may keep -------------------------------------------------------------------------------------------

static int open_tty(void)
{
    return open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static int open_connected(void)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return -1;
    close(pair[0]);
    return pair[1];
}

static int open_pipe(void)
{
    int ends[2];
    if (pipe(ends) != 0)
        return -1;
    close(ends[0]);
    return ends[1];
}

#define OPEN(name_, expression_) \
    static int name_(void) \
    { \
        return (int)(expression_); \
    }
OPEN(open_file, open("/etc/passwd", O_RDONLY))
OPEN(open_memfd, syscall(SYS_memfd_create, "x", 0))
OPEN(open_eventfd, eventfd(0, 0))
OPEN(open_null, open("/dev/null", O_RDWR))
OPEN(open_directory, open("/tmp", O_RDONLY | O_DIRECTORY))
OPEN(open_proc_file, open("/proc/self/mem", O_RDONLY))
OPEN(open_proc_directory, open("/proc", O_RDONLY | O_DIRECTORY))
OPEN(open_path, open("/etc/passwd", O_PATH))
OPEN(open_namespace, open("/proc/self/ns/net", O_RDONLY))
OPEN(open_pidfd, syscall(SYS_pidfd_open, getpid(), 0))
OPEN(open_device, open("/dev/kmsg", O_RDONLY | O_NONBLOCK))
OPEN(open_tcp, socket(AF_INET, SOCK_STREAM, 0))
OPEN(open_datagram, socket(AF_UNIX, SOCK_DGRAM, 0))
OPEN(open_unconnected, socket(AF_UNIX, SOCK_STREAM, 0))
OPEN(open_netlink, socket(AF_NETLINK, SOCK_RAW, 0))
OPEN(open_ring, syscall(SYS_io_uring_setup, 1, (char[256]){0}))

#define ANY \
    (1 << BRIG_KEEP_DATA | 1 << BRIG_KEEP_SOCKET | 1 << BRIG_KEEP_DIRECTORY | 1 << BRIG_KEEP_DEVICE | 1 << BRIG_KEEP_KERNEL_FILE)

SANDBOX_TEST(sandbox, kept_descriptors_are_audited_by_role, .timeout_ms = 60000)
{
    static const struct {
        const char *what;
        int (*make)(void);
        unsigned allowed; // roles
        const char *subject;
    } rows[] = {
        {"file", open_file, ANY, NULL},
        {"memfd", open_memfd, ANY, NULL},
        {"pipe", open_pipe, ANY, NULL},
        {"eventfd", open_eventfd, ANY, NULL},
        {"null", open_null, ANY, NULL},
        {"connected UNIX socket", open_connected, ANY, NULL},
        {"directory", open_directory, 1 << BRIG_KEEP_DIRECTORY, "a directory"},
        {"file of /proc", open_proc_file, 1 << BRIG_KEEP_KERNEL_FILE, "/proc"},
        {"/proc", open_proc_directory, 1 << BRIG_KEEP_KERNEL_FILE, "/proc"},
        {"tty", open_tty, 1 << BRIG_KEEP_DEVICE, "a tty"},
        {"device", open_device, 1 << BRIG_KEEP_DEVICE, "a device"},
        {"TCP socket", open_tcp, 1 << BRIG_KEEP_SOCKET, "a network socket"},
        {"UNIX datagram socket", open_datagram, 1 << BRIG_KEEP_SOCKET, "without a fixed peer"},
        {"unconnected UNIX socket", open_unconnected, 1 << BRIG_KEEP_SOCKET, "without a fixed peer"},
        {"netlink", open_netlink, 0, "unusual"},
        {"path", open_path, 0, "O_PATH"},
        {"namespace", open_namespace, 0, "a namespace"},
        {"pidfd", open_pidfd, 0, ""},
        {"ring", open_ring, 0, "a kernel object"},
    };
    struct fixture fixture;
    struct brig_error error;
    size_t exits = 0;
    REQUIRE(fixture_open(&fixture));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const int fd = rows[i].make();
        for (int role = 0; fd >= 0 && role <= BRIG_KEEP_KERNEL_FILE; role++) {
            const struct brig_keep keep = {fd, (enum brig_keep_role)role};
            const struct brig_worker_spec spec = {
                .name = "x", .policy = &fixture_policy, .entry = fixture_entry_return, .keep = &keep, .keep_count = 1};
            test_message("%s as role %d", rows[i].what, role);
            if (rows[i].allowed >> role & 1) {
                CHECK(fixture_launch(&fixture, &spec) != NULL);
                exits++;
                fixture.count = 0;
                fixture_run(&fixture, 1);
            } else {
                expect_failure(&fixture, &spec, BRIG_FD_REFUSED, &error);
                CHECK_EQ(error.detail, fd);
                CHECK_CONTAINS(error.subject, rows[i].subject);
            }
        }
        if (fd >= 0)
            close(fd);
    }
    CHECK_GE(exits, 30u);
    fixture_close(&fixture);
}
