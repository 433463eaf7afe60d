// Attacks on the supervisor by a worker that is taken over, and on the lock by what happens before it.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/sandbox.h"
#include "tests/sandbox/fixture.h"

// --- descriptors that worker and supervisor share ---------------------------------------------------------------------

static bool say(int fd, char letter)
{
    return send(fd, &letter, 1, 0) == 1;
}

static char hear(int fd)
{
    char letter = 0;
    return recv(fd, &letter, 1, 0) == 1 ? letter : 0;
}

static bool ask(int fd, char letter)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    return say(fd, letter) && poll(&polled, 1, 5000) == 1 && hear(fd) == letter;
}

static int violate_when_asked(void *data, int channel_fd)
{
    (void)data;
    for (char letter; (letter = hear(channel_fd)) != 0;) {
        syscall(SYS_getpriority, 0, 0);
        say(channel_fd, letter);
    }
    return 0;
}

// The flags of an open file are shared by all who have it: w makes reads of the notify descriptor block, and fills it; s empties
// it.
static int play_with_notify(void *data, int channel_fd)
{
    uint64_t count = 1;
    struct iovec place = {&count, sizeof count};
    (void)data;
    for (char letter; (letter = hear(channel_fd)) != 0;) {
        if (letter == 'w' &&
            (fcntl(fixture_notify_fd, F_SETFL, 0) != 0 || write(fixture_notify_fd, &count, sizeof count) != sizeof count))
            return 1;
        if (letter == 's' && syscall(SYS_preadv2, fixture_notify_fd, &place, 1, -1l, -1l, RWF_NOWAIT) != sizeof count)
            return 2;
        say(channel_fd, letter);
    }
    return 0;
}

static int thief_channel_fd;
static bool has_stolen;
static void let_the_thief_steal(void *context, const struct brig_event *event)
{
    (void)context;
    if (event->kind == BRIG_EVENT_VIOLATION)
        has_stolen = ask(thief_channel_fd, 's');
}

// Between epoll's "readable" and the read, a worker empties the counter and lets the read block.
SANDBOX_TEST(sandbox, a_worker_cannot_block_its_supervisors_read, .expect_exit = 0)
{
    struct brig_supervisor *supervisor;
    struct brig_worker *first, *thief;
    struct brig_error error;
    const struct brig_supervisor_options options = {.on_event = let_the_thief_steal};
    const struct brig_worker_spec specs[] = {
        {.name = "first", .policy = &fixture_policy, .entry = violate_when_asked, .channel = true},
        {.name = "thief", .policy = &fixture_policy, .warm_up = fixture_find_notify_fd, .entry = play_with_notify, .channel = true},
    };
    REQUIRE_OK(brig_supervisor_new(&options, &supervisor, &error), &error);
    REQUIRE_OK(brig_supervisor_launch(supervisor, &specs[0], &first, &error), &error);
    REQUIRE_OK(brig_supervisor_launch(supervisor, &specs[1], &thief, &error), &error);
    for (int i = 0; i < 4; i++)
        REQUIRE_OK(brig_supervisor_dispatch(supervisor, 0, &error), &error);
    thief_channel_fd = brig_worker_channel_fd(thief);
    REQUIRE(ask(brig_worker_channel_fd(first), 'v'));
    REQUIRE(ask(thief_channel_fd, 'w'));
    REQUIRE_OK(brig_supervisor_dispatch(supervisor, 0, &error), &error); // both in one batch, in this order
    CHECK(has_stolen);
    CHECK(ask(thief_channel_fd, 'x'));
    brig_supervisor_free(supervisor);
}

// Any other process or message may still hold the worker's notify descriptor when the worker is gone: a child of the host's, or a
// socket through which the worker has sent it.
SANDBOX_TEST(sandbox, a_dead_workers_eventfd_wakes_nobody, .expect_exit = 0)
{
    struct fixture fixture;
    const uint64_t one = 1;
    REQUIRE(fixture_open(&fixture));
    struct brig_worker *worker =
        fixture_launch(&fixture, &(struct brig_worker_spec){.name = "x", .policy = &fixture_policy, .entry = fixture_entry_hang});
    REQUIRE(worker != NULL);
    const int copy = dup(fixture_eventfd());
    brig_worker_kill(worker);
    REQUIRE(fixture_run(&fixture, 1));
    REQUIRE(CHECK_EQ(write(copy, &one, sizeof one), (ssize_t)sizeof one));
    struct pollfd polled = {.fd = brig_supervisor_fd(fixture.supervisor), .events = POLLIN};
    CHECK_EQ(poll(&polled, 1, 0), 0);
    CHECK_OK(brig_supervisor_dispatch(fixture.supervisor, 0, NULL), NULL);
    close(copy);
    fixture_close(&fixture);
}

// --- counters ---------------------------------------------------------------------------------------------------------

static int count_backwards(void *data, int channel_fd)
{
    const uint64_t one = 1;
    struct brig_trap_slots *slots = fixture_own_slots();
    (void)data;
    slots->lost = UINT64_MAX - 4;
    if (write(fixture_notify_fd, &one, sizeof one) != sizeof one || !hear(channel_fd))
        return 1;
    slots->lost = 0;
    return write(fixture_notify_fd, &one, sizeof one) == sizeof one && hear(channel_fd) ? 0 : 1;
}

SANDBOX_TEST(sandbox, lost_records_are_a_number_that_makes_sense, .expect_exit = 0)
{
    struct fixture fixture;
    REQUIRE(fixture_open(&fixture));
    struct brig_worker *worker = fixture_launch(&fixture, &(struct brig_worker_spec){.name = "liar",
                                                                                     .policy = &fixture_policy,
                                                                                     .warm_up = fixture_find_notify_fd,
                                                                                     .entry = count_backwards,
                                                                                     .channel = true,
                                                                                     .dumpable = true});
    REQUIRE(worker != NULL);
    REQUIRE(fixture_wait(&fixture, BRIG_EVENT_LOST, 1));
    CHECK(say(brig_worker_channel_fd(worker), 'g') && say(brig_worker_channel_fd(worker), 'g'));
    REQUIRE(fixture_run(&fixture, 1));
    for (size_t i = 0; i < fixture.count; i++) {
        test_message("%s", fixture.events[i].message);
        CHECK(strstr(fixture.events[i].message, "lost -") == NULL);
    }
    CHECK_EQ(fixture_count(&fixture, BRIG_EVENT_LOST), 1u);
    fixture_close(&fixture);
}

// --- warm-ups that undo what stood before them -----------------------------------------------------------------------

// As setuid does it, on the way.
static int lose_the_death_signal(void *data)
{
    (void)data;
    return prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
}

static int death_signal_of_worker(void *data, int channel_fd)
{
    int number = 0;
    (void)data;
    (void)channel_fd;
    return prctl(PR_GET_PDEATHSIG, &number, 0, 0, 0) == 0 ? number : -1;
}

SANDBOX_TEST(sandbox, a_warm_up_cannot_lose_the_death_signal, .expect_exit = 0)
{
    struct fixture fixture;
    REQUIRE(fixture_open(&fixture));
    REQUIRE(fixture_launch(
        &fixture, &(struct brig_worker_spec){
                      .name = "x", .policy = &fixture_policy, .warm_up = lose_the_death_signal, .entry = death_signal_of_worker}));
    REQUIRE(fixture_run(&fixture, 1));
    CHECK_EQ(WEXITSTATUS(fixture.events[0].wait_status), SIGKILL);
    fixture_close(&fixture);
}

static int hang_in_child(void *data)
{
    (void)data;
    while (pause() != 0)
        continue;
    return 0;
}

static int fork_helper(void *data)
{
    pid_t pid = fork();
    if (pid == 0)
        hang_in_child(data);
    return pid < 0;
}

// Its parent ends at once, and so it is nobody's.
static int fork_daemon(void *data)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(fork_helper(data));
    return pid < 0 || waitpid(pid, NULL, 0) != pid;
}

// Shares the memory and not the filter: what a thread of the worker writes, it runs.
static int share_memory(void *data)
{
    static unsigned char stack[65536] __attribute__((aligned(16)));
    (void)data;
    return clone(hang_in_child, stack + sizeof stack, CLONE_VM, NULL) < 0; // no signal to the parent either
}

SANDBOX_TEST(sandbox, a_warm_up_leaves_no_process_without_a_filter, .timeout_ms = 30000)
{
    static const struct {
        const char *what;
        int (*warm_up)(void *data);
    } rows[] = {{"a helper", fork_helper}, {"a daemon", fork_daemon}, {"one that shares the memory", share_memory}};
    struct fixture fixture;
    struct brig_error error;
    struct brig_worker *worker = NULL;
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); // so that orphans are ours to wait for
    REQUIRE(fixture_open(&fixture));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int status = 0;
        test_message("row %zu: %s", i, rows[i].what);
        const struct brig_worker_spec spec = {
            .name = "x", .policy = &fixture_policy, .warm_up = rows[i].warm_up, .entry = fixture_entry_return};
        REQUIRE(CHECK_CODE(brig_supervisor_launch(fixture.supervisor, &spec, &worker, &error), BRIG_READ_BACK_DIFFERS, &error));
        CHECK_CONTAINS(error.subject, "a process that the warm-up left");
        CHECK(waitpid(-1, &status, __WALL) > 0); // it is dead as well
        CHECK_EQ(WTERMSIG(status), SIGKILL);
        CHECK_EQ(waitpid(-1, NULL, WNOHANG | __WALL), -1);
    }
    fixture_close(&fixture);
}

static int use_helpers_and_clean_up(void *data)
{
    (void)data;
    return system("exit 0");
}

SANDBOX_TEST(sandbox, a_warm_up_may_use_processes_that_end, .expect_exit = 0)
{
    struct fixture fixture;
    REQUIRE(fixture_open(&fixture));
    REQUIRE(fixture_launch(
        &fixture, &(struct brig_worker_spec){
                      .name = "x", .policy = &fixture_policy, .warm_up = use_helpers_and_clean_up, .entry = fixture_entry_return}));
    REQUIRE(fixture_run(&fixture, 1));
    CHECK_EQ(fixture.events[0].wait_status, 0);
    fixture_close(&fixture);
}

// A process that the worker made later, under a policy that lets it, ends with it.
static int leave_a_child(void *data, int channel_fd)
{
    (void)channel_fd;
    return fork_helper(data);
}

SANDBOX_TEST(sandbox, what_a_worker_forked_dies_with_it, .expect_exit = 0)
{
    struct fixture fixture;
    int status = 0;
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    REQUIRE(fixture_open(&fixture));
    REQUIRE(fixture_launch(&fixture, &(struct brig_worker_spec){.name = "x", .policy = &fixture_policy, .entry = leave_a_child}));
    REQUIRE(fixture_run(&fixture, 1));
    CHECK_EQ(fixture.events[0].wait_status, 0);
    CHECK(waitpid(-1, &status, 0) > 0);
    CHECK_EQ(WTERMSIG(status), SIGKILL);
    fixture_close(&fixture);
}

// --- descriptors and memory that are more than they look --------------------------------------------------------------

static int made_fd;
static int make_epoll(void *data)
{
    (void)data;
    made_fd = epoll_create1(EPOLL_CLOEXEC);
    return made_fd < 0;
}

// Whoever has a loop's epoll can put pointers of his own into it. One that the worker made itself is its own.
SANDBOX_TEST(sandbox, an_epoll_of_the_host_is_not_kept, .expect_exit = 0)
{
    struct fixture fixture;
    struct brig_error error;
    struct brig_worker *worker = NULL;
    REQUIRE(fixture_open(&fixture));
    const struct brig_keep keep = {brig_supervisor_fd(fixture.supervisor), BRIG_KEEP_DATA};
    const struct brig_worker_spec spec = {
        .name = "x", .policy = &fixture_policy, .entry = fixture_entry_return, .keep = &keep, .keep_count = 1};
    REQUIRE(CHECK_CODE(brig_supervisor_launch(fixture.supervisor, &spec, &worker, &error), BRIG_FD_REFUSED, &error));
    CHECK_CONTAINS(error.subject, "epoll");
    REQUIRE(fixture_launch(
        &fixture,
        &(struct brig_worker_spec){.name = "x", .policy = &fixture_policy, .warm_up = make_epoll, .entry = fixture_entry_return}));
    REQUIRE(fixture_run(&fixture, 1));
    fixture_close(&fixture);
}

// A ring of the host's that works by shared memory alone (SQPOLL) needs no system call that a filter could refuse.
SANDBOX_TEST(sandbox, a_ring_of_the_host_is_not_inherited, .expect_exit = 0)
{
    struct fixture fixture;
    struct brig_error error;
    char parameters[256] = {0};
    const int ring_fd = (int)syscall(SYS_io_uring_setup, 1, parameters);
    if (ring_fd < 0) {
        test_skip("this kernel gives no io_uring");
        return;
    }
    REQUIRE(fixture_open(&fixture));
    void *ring = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd, 0);
    close(ring_fd);
    REQUIRE(ring != MAP_FAILED);
    const struct brig_worker_spec spec = {.name = "x", .policy = &fixture_policy, .entry = fixture_entry_return};
    REQUIRE(CHECK_CODE(brig_supervisor_launch(fixture.supervisor, &spec, NULL, &error), BRIG_FD_REFUSED, &error));
    CHECK_CONTAINS(error.subject, "memory shared with");
    REQUIRE(madvise(ring, 4096, MADV_DONTFORK) == 0); // the way out
    REQUIRE(fixture_launch(&fixture, &spec));
    REQUIRE(fixture_run(&fixture, 1));
    munmap(ring, 4096);
    fixture_close(&fixture);
}

// --- hosts that are unusual --------------------------------------------------------------------------------------------

SANDBOX_TEST(sandbox, without_proc_nothing_is_launched, .expect_exit = 0)
{
    struct fixture fixture;
    struct brig_error error;
    REQUIRE(fixture_open(&fixture));
    if ((unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || mount("brig", "/proc", "tmpfs", 0, NULL) != 0) {
        test_skip("no right to mount");
        fixture_close(&fixture);
        return;
    }
    const struct brig_worker_spec spec = {.name = "x", .policy = &fixture_policy, .entry = fixture_entry_return};
    CHECK(CHECK_CODE(brig_supervisor_launch(fixture.supervisor, &spec, NULL, &error), BRIG_IO, &error));
    CHECK_CONTAINS(error.subject, "/proc");
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    umount2("/proc", MNT_DETACH);
    fixture_close(&fixture);
}

static size_t count_open(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

// Each descriptor that a launch opens is once the one too many: then there is an error, never less of a check.
SANDBOX_TEST(sandbox, a_host_that_runs_out_of_descriptors, .timeout_ms = 30000)
{
    struct fixture fixture;
    struct brig_error error;
    struct rlimit limit;
    size_t launched = 0;
    REQUIRE(fixture_open(&fixture));
    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    const struct brig_worker_spec spec = {.name = "x", .policy = &fixture_policy, .entry = fixture_entry_return, .channel = true};
    const size_t before = count_open();
    const int first_free = dup(STDERR_FILENO);
    close(first_free);
    for (int room = 0; room < 12; room++) {
        const struct rlimit low = {.rlim_cur = (rlim_t)(first_free + room), .rlim_max = limit.rlim_max};
        test_message("room for %d", room);
        REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
        const enum brig_code code = brig_supervisor_launch(fixture.supervisor, &spec, NULL, &error);
        REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        if (code == BRIG_OK) {
            REQUIRE(fixture_run(&fixture, ++launched));
        } else {
            CHECK(launched == 0); // what was enough stays enough
            CHECK_EQ(error.sys_errno, EMFILE);
        }
        CHECK_EQ(count_open(), before);
        CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    }
    CHECK_GT(launched, 0u);
    CHECK_LT(launched, 8u);
    fixture_close(&fixture);
}

// The kernel takes dead children away by itself then: no status, but the end is told, and launches work.
SANDBOX_TEST(sandbox, a_host_that_ignores_its_children, .expect_exit = 0)
{
    struct fixture fixture;
    struct brig_error error;
    signal(SIGCHLD, SIG_IGN);
    REQUIRE(fixture_open(&fixture));
    const struct brig_worker_spec spec = {.name = "x", .policy = &fixture_policy, .entry = fixture_entry_return};
    REQUIRE(fixture_launch(&fixture, &spec));
    REQUIRE(fixture_run(&fixture, 1));
    CHECK_EQ(fixture.events[0].code, BRIG_KERNEL_REFUSED);
    CHECK_CONTAINS(fixture.events[0].message, "somebody else has taken its status");
    const struct brig_worker_spec failing = {
        .name = "x", .policy = &fixture_policy, .warm_up = lose_the_death_signal, .entry = fixture_entry_return};
    REQUIRE(fixture_refuse(&(struct fixture_refusal){BRIG_SYS_pidfd_open, EMFILE, -1, 0, 0}));
    CHECK(CHECK_CODE(brig_supervisor_launch(fixture.supervisor, &failing, NULL, &error), BRIG_KERNEL_REFUSED, &error));
    fixture_close(&fixture);
}
