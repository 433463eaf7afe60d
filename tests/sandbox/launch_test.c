// Launch: what a worker is and has when its entry function runs, and that it leaves nothing behind.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/sandbox.h"
#include "tests/sandbox/fixture.h"

SANDBOX_TEST(sandbox, a_worker_is_locked_runs_and_exits, .expect_exit = 0)
{
    struct fixture fixture;
    int status = 7;
    REQUIRE(fixture_open(&fixture));
    struct brig_worker *worker = fixture_launch(
        &fixture,
        &(struct brig_worker_spec){.name = "renderer", .policy = &fixture_policy, .entry = fixture_entry_return, .data = &status});
    REQUIRE(worker != NULL);
    const struct brig_status *read_back = brig_worker_status(worker);
    CHECK_EQ(read_back->pid, brig_worker_pid(worker));
    CHECK_EQ(read_back->thread_count, 1);
    CHECK_EQ(read_back->filtered_thread_count, 1);
    CHECK_GE(read_back->min_filters, 1);
    CHECK_EQ(read_back->no_new_privs_count, 1);
    CHECK(!read_back->sigsys_blocked);
    CHECK_EQ(read_back->odd_tid, 0);
    CHECK_EQ(brig_worker_channel_fd(worker), -1);
    const int pid = brig_worker_pid(worker);
    REQUIRE(fixture_run(&fixture, 1));
    CHECK_EQ(fixture.events[0].kind, BRIG_EVENT_EXIT);
    CHECK_EQ(fixture.events[0].pid, pid);
    CHECK_STR_EQ(fixture.events[0].name, "renderer");
    CHECK_EQ(WEXITSTATUS(fixture.events[0].wait_status), 7);
    CHECK_CONTAINS(fixture.events[0].message, "exited with status 7");
    CHECK_EQ(fixture.events[0].violation_count, 0u);
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1); // no zombie
    CHECK_EQ(errno, ECHILD);
    fixture_close(&fixture);
}

// Between lock and entry a worker uses only what every program allows; this one allows nothing else.
SANDBOX_TEST(sandbox, a_policy_without_rows_can_be_launched, .expect_exit = 0)
{
    struct fixture fixture;
    REQUIRE(fixture_open(&fixture));
    REQUIRE(fixture_launch(
        &fixture, &(struct brig_worker_spec){.name = "empty", .policy = &fixture_empty_policy, .entry = fixture_entry_return}));
    REQUIRE(fixture_run(&fixture, 1));
    CHECK_EQ(fixture.events[0].wait_status, 0);
    fixture_close(&fixture);
}

// --- what the entry function finds ------------------------------------------------------------------------------------

// The first thing that is not as it should be, as a line number; 0: all is well.
#define EXPECT_IN_WORKER(condition) \
    do { \
        if (!(condition)) \
            return __LINE__ - FIRST_LINE; \
    } while (0)

struct expected {
    int kept_fd;
    int host_fd; // must be closed
    pid_t host_session;
};

enum { FIRST_LINE = __LINE__ };
static int check_process(const struct expected *expected)
{
    char name[16] = "";
    struct sigaction action;
    struct rlimit limit;
    sigset_t blocked;
    EXPECT_IN_WORKER(prctl(PR_GET_NAME, name, 0, 0, 0) == 0 && strcmp(name, "renderer") == 0);
    EXPECT_IN_WORKER(getsid(0) == getpid() && getsid(0) != expected->host_session);
    EXPECT_IN_WORKER(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    EXPECT_IN_WORKER(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
    EXPECT_IN_WORKER(prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2);
    EXPECT_IN_WORKER(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    EXPECT_IN_WORKER(sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    EXPECT_IN_WORKER(sigprocmask(SIG_SETMASK, NULL, &blocked) == 0 && !sigismember(&blocked, SIGTERM));
    EXPECT_IN_WORKER(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == 0 && limit.rlim_max == 0);
    EXPECT_IN_WORKER(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max == 32);
    EXPECT_IN_WORKER(getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_max == 4096);
    EXPECT_IN_WORKER(getrlimit(RLIMIT_CPU, &limit) == 0 && limit.rlim_max == 9);
    return 0;
}

static int check_descriptors(const struct expected *expected, int channel_fd)
{
    struct stat status;
    for (int fd = 0; fd <= 2; fd++)
        EXPECT_IN_WORKER(fstat(fd, &status) == 0 && S_ISCHR(status.st_mode));
    EXPECT_IN_WORKER(fstat(expected->kept_fd, &status) == 0 && S_ISREG(status.st_mode));
    EXPECT_IN_WORKER(fstat(expected->host_fd, &status) == -1 && errno == EBADF);
    EXPECT_IN_WORKER(fstat(channel_fd, &status) == 0 && S_ISSOCK(status.st_mode));
    int open_count = 0;
    for (int fd = 0; fd < 4096; fd++)
        open_count += fcntl(fd, F_GETFD) >= 0;
    EXPECT_IN_WORKER(open_count == 6); // three standard ones, kept, channel, notify
    return 0;
}

static int check_all(void *data, int channel_fd)
{
    const struct expected *expected = data;
    int wrong = check_process(expected);
    return wrong ? wrong : check_descriptors(expected, channel_fd);
}

static void ignore_signal(int number)
{
    (void)number;
}

SANDBOX_TEST(sandbox, a_worker_has_what_it_was_given_and_no_more, .expect_exit = 0)
{
    struct fixture fixture;
    REQUIRE(fixture_open(&fixture));
    struct expected expected = {.host_session = getsid(0)};
    expected.kept_fd = (int)syscall(SYS_memfd_create, "kept", 0);
    expected.host_fd = open("/etc/passwd", O_RDONLY);
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    signal(SIGUSR1, ignore_signal);
    signal(SIGPIPE, SIG_IGN);
    const struct brig_keep keep[] = {{expected.kept_fd, BRIG_KEEP_DATA}};
    REQUIRE(fixture_launch(&fixture, &(struct brig_worker_spec){.name = "renderer",
                                                                .policy = &fixture_policy,
                                                                .entry = check_all,
                                                                .data = &expected,
                                                                .channel = true,
                                                                .keep = keep,
                                                                .keep_count = 1,
                                                                .file_size_bytes = 4096,
                                                                .open_files = 32,
                                                                .cpu_seconds = 9}));
    REQUIRE(fixture_run(&fixture, 1));
    test_message("line %d", FIRST_LINE + WEXITSTATUS(fixture.events[0].wait_status));
    CHECK_EQ(fixture.events[0].wait_status, 0);
    close(expected.kept_fd);
    close(expected.host_fd);
    fixture_close(&fixture);
}

static int echo(void *data, int channel_fd)
{
    char text[64];
    (void)data;
    for (ssize_t got; (got = recv(channel_fd, text, sizeof text, 0)) > 0;)
        send(channel_fd, text, (size_t)got, 0);
    return 0;
}

SANDBOX_TEST(sandbox, a_channel_carries_packets_both_ways, .expect_exit = 0)
{
    struct fixture fixture;
    char text[64] = "";
    REQUIRE(fixture_open(&fixture));
    struct brig_worker *worker = fixture_launch(
        &fixture, &(struct brig_worker_spec){.name = "echo", .policy = &fixture_policy, .entry = echo, .channel = true});
    REQUIRE(worker != NULL);
    CHECK_EQ(send(brig_worker_channel_fd(worker), "hello", 6, 0), 6);
    CHECK_EQ(recv(brig_worker_channel_fd(worker), text, sizeof text, 0), 6);
    CHECK_STR_EQ(text, "hello");
    shutdown(brig_worker_channel_fd(worker), SHUT_WR);
    REQUIRE(fixture_run(&fixture, 1));
    CHECK_EQ(fixture.events[0].wait_status, 0);
    fixture_close(&fixture);
}

// --- threads ----------------------------------------------------------------------------------------------------------

enum { THREADS = 8 };

static void *ask_in_thread(void *data)
{
    pthread_barrier_t *barrier = data;
    pthread_barrier_wait(barrier);
    syscall(SYS_getpriority, 0, 0);
    pthread_barrier_wait(barrier);
    return NULL;
}

static pthread_barrier_t barrier;
static pthread_t threads[THREADS];

static int start_threads(void *data)
{
    (void)data;
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, ask_in_thread, &barrier) != 0)
            return i + 1;
    }
    return 0;
}

static int let_threads_ask(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}

// Each of the threads existed before the lock, and each is refused after it.
SANDBOX_TEST(sandbox, eight_threads_at_the_moment_of_locking, .expect_exit = 0)
{
    struct fixture fixture;
    REQUIRE(fixture_open(&fixture));
    struct brig_worker *worker = fixture_launch(
        &fixture,
        &(struct brig_worker_spec){.name = "pool", .policy = &fixture_policy, .warm_up = start_threads, .entry = let_threads_ask});
    REQUIRE(worker != NULL);
    const struct brig_status *status = brig_worker_status(worker);
    CHECK_GE(status->thread_count, THREADS + 1); // sanitizers have some of their own
    CHECK_EQ(status->filtered_thread_count, status->thread_count);
    CHECK_EQ(status->no_new_privs_count, status->thread_count);
    REQUIRE(fixture_run(&fixture, 1));
    int last = fixture_find(&fixture, BRIG_EVENT_EXIT, 0);
    CHECK_EQ(fixture.events[last].wait_status, 0);
    CHECK_EQ(fixture.events[last].violation_count, (uint64_t)THREADS);
    fixture_close(&fixture);
}

static atomic_bool host_stops;

static void *allocate(void *data)
{
    (void)data;
    while (!atomic_load(&host_stops)) {
        char *volatile memory = malloc(100);
        free(memory);
    }
    return NULL;
}

static int use_malloc_and_stdio(void *data, int channel_fd)
{
    char line[64];
    (void)data;
    (void)channel_fd;
    char *memory = malloc(1000);
    snprintf(line, sizeof line, "%p", (void *)memory);
    free(memory);
    return printf("%s\n", line) > 0 && fflush(stdout) == 0 ? 0 : 1;
}

// A fork may fall into the middle of another thread's malloc.
SANDBOX_TEST(sandbox, launch_in_a_host_with_busy_threads, .timeout_ms = 30000)
{
    struct fixture fixture;
    pthread_t host_threads[2];
    REQUIRE(fixture_open(&fixture));
    for (size_t i = 0; i < COUNT_OF(host_threads); i++)
        REQUIRE(pthread_create(&host_threads[i], NULL, allocate, NULL) == 0);
    for (size_t i = 0; i < 20; i++) {
        REQUIRE(fixture_launch(
            &fixture, &(struct brig_worker_spec){.name = "renderer", .policy = &fixture_policy, .entry = use_malloc_and_stdio}));
        REQUIRE(fixture_run(&fixture, i + 1));
        CHECK_EQ(fixture.events[i].wait_status, 0);
    }
    atomic_store(&host_stops, true);
    for (size_t i = 0; i < COUNT_OF(host_threads); i++)
        pthread_join(host_threads[i], NULL);
    fixture_close(&fixture);
}

// --- several workers, and their ends ----------------------------------------------------------------------------------

SANDBOX_TEST(sandbox, two_types_at_once, .expect_exit = 0)
{
    struct fixture fixture;
    REQUIRE(fixture_open(&fixture));
    struct brig_worker *crashing = fixture_launch(
        &fixture, &(struct brig_worker_spec){.name = "renderer", .policy = &fixture_policy, .entry = fixture_entry_crash});
    struct brig_worker *answered = fixture_launch(
        &fixture, &(struct brig_worker_spec){.name = "network", .policy = &fixture_other_policy, .entry = fixture_entry_crash});
    REQUIRE(crashing != NULL && answered != NULL);
    const int crashing_pid = brig_worker_pid(crashing), answered_pid = brig_worker_pid(answered);
    REQUIRE(fixture_run(&fixture, 2));
    for (size_t i = 0; i < fixture.count; i++) {
        const bool crashes = fixture.events[i].pid == crashing_pid;
        test_message("event %zu: %s", i, fixture.events[i].message);
        CHECK(crashes || fixture.events[i].pid == answered_pid);
        CHECK_STR_EQ(fixture.events[i].name, crashes ? "renderer" : "network");
        if (fixture.events[i].kind == BRIG_EVENT_VIOLATION) {
            REQUIRE(fixture.events[i].json != NULL);
            CHECK_CONTAINS(fixture.events[i].json, crashes ? "\"fixture\"" : "\"other\"");
        } else {
            CHECK_EQ(fixture.events[i].wait_status & 0x7f, crashes ? SIGSYS : 0);
        }
    }
    CHECK_EQ(fixture_count(&fixture, BRIG_EVENT_VIOLATION), 2u);
    fixture_close(&fixture);
}

SANDBOX_TEST(sandbox, a_hanging_worker_is_killed, .expect_exit = 0)
{
    struct fixture fixture;
    REQUIRE(fixture_open(&fixture));
    struct brig_worker *worker = fixture_launch(
        &fixture, &(struct brig_worker_spec){.name = "hang", .policy = &fixture_policy, .entry = fixture_entry_hang});
    REQUIRE(worker != NULL);
    brig_worker_kill(worker);
    brig_worker_kill(worker); // dead or not
    REQUIRE(fixture_run(&fixture, 1));
    CHECK_EQ(WTERMSIG(fixture.events[0].wait_status), SIGKILL);
    CHECK_CONTAINS(fixture.events[0].message, "SIGKILL");
    fixture_close(&fixture);
}

SANDBOX_TEST(sandbox, a_worker_killed_by_others_is_noticed, .expect_exit = 0)
{
    struct fixture fixture;
    REQUIRE(fixture_open(&fixture));
    struct brig_worker *worker = fixture_launch(
        &fixture, &(struct brig_worker_spec){.name = "hang", .policy = &fixture_policy, .entry = fixture_entry_hang});
    REQUIRE(worker != NULL);
    kill(brig_worker_pid(worker), SIGKILL);
    REQUIRE(fixture_run(&fixture, 1));
    CHECK_EQ(WTERMSIG(fixture.events[0].wait_status), SIGKILL);
    fixture_close(&fixture);
}

SANDBOX_TEST(sandbox, free_ends_what_still_runs, .expect_exit = 0)
{
    struct fixture fixture;
    REQUIRE(fixture_open(&fixture));
    for (int i = 0; i < 3; i++)
        REQUIRE(fixture_launch(&fixture,
                               &(struct brig_worker_spec){.name = "hang", .policy = &fixture_policy, .entry = fixture_entry_hang}));
    fixture_close(&fixture);
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    CHECK_EQ(errno, ECHILD);
}

static void supervise_and_die(const void *context)
{
    struct fixture fixture;
    const int pipe_fd = *(const int *)context;
    REQUIRE(fixture_open(&fixture));
    struct brig_worker *worker = fixture_launch(
        &fixture, &(struct brig_worker_spec){.name = "hang", .policy = &fixture_policy, .entry = fixture_entry_hang});
    REQUIRE(worker != NULL);
    const int pid = brig_worker_pid(worker);
    CHECK_EQ(write(pipe_fd, &pid, sizeof pid), (ssize_t)sizeof pid);
    rmdir(fixture.report_dir);
    _exit(0); // without a word to the worker
}

SANDBOX_TEST(sandbox, workers_die_with_their_supervisor, .expect_exit = 0)
{
    int pipe_fds[2], pid = 0;
    REQUIRE(pipe(pipe_fds) == 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); // so that the orphan is ours to wait for
    fixture_in_child(supervise_and_die, &pipe_fds[1]);
    REQUIRE(read(pipe_fds[0], &pid, sizeof pid) == sizeof pid);
    int status = 0;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(WTERMSIG(status), SIGKILL);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static int count_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static long count_mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    long lines = 0;
    for (int c; maps && (c = fgetc(maps)) != EOF;)
        lines += c == '\n';
    if (maps)
        fclose(maps);
    return lines;
}

SANDBOX_TEST(sandbox, fifty_launches_leave_nothing, .timeout_ms = 30000)
{
    struct fixture fixture;
    REQUIRE(fixture_open(&fixture));
    int before = 0;
    long mappings = 0;
    for (size_t i = 0; i < 52; i++) {
        if (i == 2) { // the first ones load what is loaded once
            before = count_descriptors();
            mappings = count_mappings();
        }
        REQUIRE(fixture_launch(&fixture,
                               &(struct brig_worker_spec){
                                   .name = "renderer", .policy = &fixture_policy, .entry = fixture_entry_return, .channel = true}));
        REQUIRE(fixture_run(&fixture, i + 1));
    }
    CHECK_EQ(count_descriptors(), before);
    CHECK_LE(count_mappings(), mappings + 2); // the allocator may take a new arena
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    fixture_close(&fixture);
}

// A sibling's slots and the compiler's memory of earlier workers are not inherited.
static int count_slot_mappings(void *data, int channel_fd)
{
    char line[512];
    int count = 0;
    (void)data;
    (void)channel_fd;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && fgets(line, sizeof line, maps))
        count += strstr(line, "memfd:brig-slots") != NULL;
    return count;
}

SANDBOX_TEST(sandbox, workers_do_not_see_each_others_slots, .expect_exit = 0)
{
    struct fixture fixture;
    REQUIRE(fixture_open(&fixture));
    REQUIRE(fixture_launch(&fixture,
                           &(struct brig_worker_spec){.name = "hang", .policy = &fixture_policy, .entry = fixture_entry_hang}));
    REQUIRE(fixture_launch(&fixture,
                           &(struct brig_worker_spec){.name = "looks", .policy = &fixture_policy, .entry = count_slot_mappings}));
    REQUIRE(fixture_run(&fixture, 1));
    CHECK_EQ(WEXITSTATUS(fixture.events[0].wait_status), 1);
    fixture_close(&fixture);
}
