// Brokers and their workers from start to end: what is refused at the start, who dies with whom, and what the others get then.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bpf_dsl/words.h"
#include "policies/policies.h"
#include "sandbox/broker/session.h"
#include "tests/sandbox/broker_room.h"

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// --- what is refused --------------------------------------------------------------------------------------------------

static int open_and_see(void *data, int channel_fd)
{
    (void)channel_fd;
    const int fd = open(room_path("ro/hello"), O_RDONLY | O_CLOEXEC);
    CHECK_EQ(fd >= 0 ? 0 : errno, *(const int *)data);
    return 0;
}

SANDBOX_TEST(broker, without_one_its_rows_answer_eacces, .expect_exit = 0)
{
    struct room room;
    int expected = EACCES;
    REQUIRE(room_open(&room));
    const struct brig_worker_spec spec = {.name = "client", .policy = &room_policy, .entry = open_and_see, .data = &expected};
    REQUIRE(fixture_launch(&room.fixture, &spec));
    REQUIRE(fixture_run(&room.fixture, 1));
    CHECK_EQ(room.fixture.events[0].wait_status, 0);
    room_close(&room);
}

SANDBOX_TEST(broker, a_worker_whose_policy_never_asks_it_is_refused, .expect_exit = 0)
{
    struct room room;
    struct brig_error error;
    struct brig_worker *worker;
    REQUIRE(room_open(&room));
    const struct brig_worker_spec spec = {
        .name = "client", .policy = &fixture_policy, .entry = fixture_entry_return, .broker = room.broker};
    CHECK(CHECK_CODE(brig_supervisor_launch(room.fixture.supervisor, &spec, &worker, &error), BRIG_BAD_ARGUMENT, &error));
    CHECK_CONTAINS(error.subject, "BROKER");
    room_close(&room);
}

SANDBOX_TEST(broker, one_of_another_supervisor_is_refused, .expect_exit = 0)
{
    struct room room;
    struct fixture other;
    struct brig_error error;
    struct brig_worker *worker;
    REQUIRE(room_open(&room));
    REQUIRE(fixture_open(&other));
    const struct brig_worker_spec spec = {
        .name = "client", .policy = &room_policy, .entry = fixture_entry_return, .broker = room.broker};
    CHECK(CHECK_CODE(brig_supervisor_launch(other.supervisor, &spec, &worker, &error), BRIG_BAD_ARGUMENT, &error));
    fixture_close(&other);
    room_close(&room);
}

SANDBOX_TEST(broker, lists_and_specs_that_cannot_be_are_refused, .expect_exit = 0)
{
    static const struct brig_broker_entry relative[] = {{"/tmp", BRIG_BROKER_READ, 0}, {"etc", BRIG_BROKER_READ, 0}};
    static const struct brig_broker_entry twice[] = {{"/tmp", BRIG_BROKER_READ, 0}, {"/tmp", BRIG_BROKER_WRITE, 0}};
    static const struct brig_broker_address address[] = {{"nowhere", false}};
    const struct brig_dsl_policy *policy = brig_policy_for_this_build("broker");
    const struct {
        const char *what;
        struct brig_broker_spec spec;
        const char *subject;
        int64_t detail;
    } rows[] = {
        {"no name", {.policy = policy}, "name", 0},
        {"no policy", {.name = "files"}, "policy", 0},
        {"a relative path", {.name = "files", .policy = policy, .list = {.entries = relative, .entry_count = 2}}, "etc", 1},
        {"twice", {.name = "files", .policy = policy, .list = {.entries = twice, .entry_count = 2}}, "/tmp", 1},
        {"an address", {.name = "files", .policy = policy, .list = {.addresses = address, .address_count = 1}}, "nowhere", 0},
    };
    struct fixture fixture;
    REQUIRE(fixture_open(&fixture));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct brig_broker *broker;
        struct brig_error error;
        test_message("%s", rows[i].what);
        CHECK(CHECK_CODE(brig_broker_start(fixture.supervisor, &rows[i].spec, &broker, &error), BRIG_BAD_ARGUMENT, &error));
        CHECK_CONTAINS(error.subject, rows[i].subject);
        CHECK_EQ(error.detail, rows[i].detail);
    }
    fixture_close(&fixture);
}

static void install_foreign_listener(void)
{
    struct sock_filter insns[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {.len = 1, .filter = insns};
    CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    CHECK_GE(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program), 0);
}

static void launch_below_a_foreign_listener(const void *context)
{
    struct room room;
    struct brig_error error;
    struct brig_worker *worker;
    char text[BRIG_ERROR_TEXT_BYTES];
    (void)context;
    if (!room_open(&room))
        return;
    install_foreign_listener();
    const struct brig_worker_spec spec = {
        .name = "client", .policy = &room_policy, .entry = fixture_entry_return, .broker = room.broker};
    CHECK(CHECK_CODE(brig_supervisor_launch(room.fixture.supervisor, &spec, &worker, &error), BRIG_KERNEL_REFUSED, &error));
    CHECK_EQ(error.sys_errno, EBUSY);
    CHECK_CONTAINS(brig_error_format(&error, text, sizeof text), "listener");
    room_close(&room);
}

SANDBOX_TEST(broker, a_foreign_listener_is_named, .expect_exit = 0)
{
    fixture_in_child(launch_below_a_foreign_listener, NULL);
}

// --- who gets what ----------------------------------------------------------------------------------------------------

static int open_only_mine(void *data, int channel_fd)
{
    const char *mine = data;
    (void)channel_fd;
    CHECK(room_has(mine, "hello\n") || room_has(mine, "secret\n"));
    CHECK(!room_has(strcmp(mine, "ro/hello") ? "ro/hello" : "secret/file", "x"));
    CHECK_EQ(errno, EBADF); // of close(-1), after the refusal
    CHECK_EQ(open(room_path(strcmp(mine, "ro/hello") ? "ro/hello" : "secret/file"), O_RDONLY), -1);
    CHECK_EQ(errno, EACCES);
    return 0;
}

SANDBOX_TEST(broker, two_workers_with_brokers_of_their_own, .expect_exit = 0)
{
    static char mine[] = "ro/hello", theirs[] = "secret/file";
    struct room room;
    struct brig_broker *other;
    REQUIRE(room_open(&room));
    snprintf(room.paths[0], sizeof room.paths[0], "%s/secret", room.folder);
    REQUIRE(room_start(&room, "others", false, &other));
    struct brig_broker *first = room.broker;
    REQUIRE(room_launch(&room, open_only_mine, mine));
    room.broker = other;
    REQUIRE(room_launch(&room, open_only_mine, theirs));
    room.broker = first;
    REQUIRE(fixture_run(&room.fixture, 2));
    CHECK_EQ(room.fixture.events[0].wait_status, 0);
    CHECK_EQ(room.fixture.events[1].wait_status, 0);
    room_close(&room);
}

static int fork_and_open(void *data, int channel_fd)
{
    int status = 1;
    (void)data;
    (void)channel_fd;
    for (int i = 0; i < 3; i++) {
        const pid_t pid = fork();
        if (pid == 0)
            _exit(room_has("ro/hello", "hello\n") ? 0 : 1);
        CHECK(room_has("ro/link", "hello\n"));
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK_EQ(status, 0);
    }
    return 0;
}

SANDBOX_TEST(broker, children_of_a_worker_share_its_session, .expect_exit = 0)
{
    struct room room;
    REQUIRE(room_open(&room));
    REQUIRE(room_run(&room, fork_and_open, NULL));
    room_close(&room);
}

static int connect_to(const char *text, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, text, &address.sin_addr);
    const int result = connect(fd, (struct sockaddr *)&address, sizeof address), reason = errno;
    close(fd);
    errno = reason;
    return result;
}

static int ask_for_secrets(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    room_fill(0, room_path("secret/file"));
    for (int i = 0; i < 5; i++) // by hand: the handler remembers what the list settled
        CHECK_EQ(syscall(BRIG_DSL_BROKER_NR, 0, 0), -1);
    CHECK_EQ(unlink(room_path("ro/\033hello")), -1);
    CHECK_EQ(connect_to("192.0.2.1", 80), -1);
    CHECK_EQ(errno, EACCES);
    CHECK_EQ(symlink("text", room_path("ro/new")), -1);
    for (int i = 0; i < 300; i++) {
        char name[32];
        snprintf(name, sizeof name, "secret/%d", i);
        CHECK_EQ(access(room_path(name), F_OK), -1);
    }
    return 0;
}

static bool is_denied(const struct brig_broker_denial *denials, size_t count, const char *end)
{
    bool is_there = false;
    for (size_t i = 0; i < count; i++) {
        const size_t bytes = strlen(denials[i].path);
        is_there |= bytes >= strlen(end) && strcmp(denials[i].path + bytes - strlen(end), end) == 0;
    }
    return is_there;
}

SANDBOX_TEST(broker, refusals_are_counted_and_bounded, .expect_exit = 0)
{
    static struct brig_broker_denial denials[256];
    struct room room;
    struct brig_error error;
    size_t count;
    REQUIRE(room_open(&room));
    REQUIRE_OK(brig_broker_denials(room.broker, denials, 0, &count, &error), &error);
    CHECK_EQ(count, 0u);
    REQUIRE(room_run(&room, ask_for_secrets, NULL));
    CHECK(CHECK_CODE(brig_broker_denials(room.broker, denials, 3, &count, &error), BRIG_TOO_SMALL, &error));
    CHECK_EQ(error.detail, 256);
    REQUIRE_OK(brig_broker_denials(room.broker, denials, COUNT_OF(denials), &count, &error), &error);
    CHECK_EQ(count, 256u);
    CHECK_STR_EQ(denials[0].path, ""); // the rest
    CHECK_EQ(denials[0].count, 304u - 255u);
    CHECK_CONTAINS(denials[1].path, "secret/file");
    CHECK_EQ(denials[1].count, 5u);
    CHECK_EQ(denials[1].op, BRIG_BROKER_OP_OPEN);
    CHECK_EQ(denials[1].sys_errno, EACCES);
    CHECK(is_denied(denials, count, "ro/\\x1bhello"));
    CHECK(is_denied(denials, count, "192.0.2.1:80"));
    CHECK(is_denied(denials, count, "ro/new"));
    for (size_t i = 0; i < count; i++)
        CHECK(strchr(denials[i].path, 033) == NULL);
    room_close(&room);
}

static int touch_the_trap(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    return open(room_path("trap/file"), O_RDONLY) >= 0;
}

SANDBOX_TEST(broker, who_touches_the_trap_is_reported_and_dies, .expect_exit = 0)
{
    struct room room;
    REQUIRE(room_open(&room));
    REQUIRE(room_launch(&room, touch_the_trap, NULL));
    REQUIRE(fixture_run(&room.fixture, 1));
    const int told = fixture_find(&room.fixture, BRIG_EVENT_BROKER, 0);
    const int reported = fixture_find(&room.fixture, BRIG_EVENT_VIOLATION, 0);
    const int ended = fixture_find(&room.fixture, BRIG_EVENT_EXIT, 0);
    REQUIRE(CHECK_GE(told, 0) && CHECK_GE(reported, 0));
    CHECK_CONTAINS(room.fixture.events[told].message, room.paths[2]);
    CHECK_CONTAINS(room.fixture.events[told].message, "openat");
    CHECK_CONTAINS(room.fixture.events[reported].json, "trap/file");
    CHECK(WIFSIGNALED(room.fixture.events[ended].wait_status));
    room_close(&room);
}

// Asks by itself, and goes on as if nothing had been.
static int touch_without_a_handler(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    room_fill(0, room_path("trap/file"));
    CHECK_EQ(syscall(BRIG_DSL_BROKER_NR, 0, 0), -1);
    const double start = seconds();
    while (seconds() < start + 3)
        pause();
    return 0;
}

SANDBOX_TEST(broker, who_touches_the_trap_and_lives_on_is_killed, .expect_exit = 0)
{
    struct room room;
    REQUIRE(room_open(&room));
    REQUIRE(room_launch(&room, touch_without_a_handler, NULL));
    REQUIRE(fixture_run(&room.fixture, 1));
    CHECK_EQ(fixture_count(&room.fixture, BRIG_EVENT_BROKER), 1u);
    CHECK_EQ(room.fixture.events[fixture_find(&room.fixture, BRIG_EVENT_EXIT, 0)].wait_status, SIGKILL);
    room_close(&room);
}

// --- ends -------------------------------------------------------------------------------------------------------------

enum { WAITERS = 6 };

static void *wait_for_a_fifo(void *context)
{
    (void)context;
    const double start = seconds();
    CHECK_EQ(open(room_path("rw/fifo"), O_RDONLY | O_CLOEXEC), -1);
    CHECK_EQ(errno, EIO);
    CHECK_LT((int)(seconds() - start), 5);
    return NULL;
}

static void *ask_until_it_ends(void *context)
{
    (void)context;
    const double start = seconds();
    while (room_has("ro/hello", "hello\n") && seconds() < start + 5)
        continue;
    CHECK_EQ(open(room_path("ro/hello"), O_RDONLY), -1);
    CHECK_EQ(errno, EIO);
    return NULL;
}

static int lose_the_broker(void *data, int channel_fd)
{
    pthread_t threads[2 * WAITERS];
    (void)data;
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, i % 2 ? ask_until_it_ends : wait_for_a_fifo, NULL), 0);
    const struct timespec pause = {.tv_nsec = 100000000};
    nanosleep(&pause, NULL);
    CHECK_EQ(send(channel_fd, "r", 1, 0), 1);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(open(room_path("ro/hello"), O_RDONLY), -1);
    CHECK_EQ(errno, EIO);
    return 0;
}

static bool launch_losers(struct room *room, struct brig_worker **ret_worker)
{
    char byte;
    const struct brig_worker_spec spec = {
        .name = "client", .policy = &room_policy, .entry = lose_the_broker, .channel = true, .broker = room->broker};
    *ret_worker = fixture_launch(&room->fixture, &spec);
    return *ret_worker && CHECK_EQ(recv(brig_worker_channel_fd(*ret_worker), &byte, 1, 0), 1);
}

SANDBOX_TEST(broker, killed_amid_requests_it_leaves_an_errno_to_all_threads, .expect_exit = 0)
{
    struct room room;
    struct brig_worker *worker;
    struct brig_error error;
    REQUIRE(room_open(&room));
    REQUIRE(CHECK_EQ(mkfifo(room_path("rw/fifo"), 0600), 0));
    REQUIRE(launch_losers(&room, &worker));
    CHECK_EQ(kill(brig_broker_pid(room.broker), SIGKILL), 0);
    REQUIRE(fixture_run(&room.fixture, 2));
    for (size_t i = 0; i < room.fixture.count; i++) {
        const bool is_broker = strcmp(room.fixture.events[i].name, "files") == 0;
        CHECK_EQ(room.fixture.events[i].wait_status, is_broker ? SIGKILL : 0);
    }
    const struct brig_worker_spec spec = {
        .name = "client", .policy = &room_policy, .entry = fixture_entry_return, .broker = room.broker};
    CHECK(CHECK_CODE(brig_supervisor_launch(room.fixture.supervisor, &spec, &worker, &error), BRIG_WORKER_DIED, &error));
    CHECK_CONTAINS(error.subject, "files");
    brig_broker_stop(room.broker);
    room_close(&room);
}

SANDBOX_TEST(broker, stopped_amid_requests_it_leaves_an_errno_to_all_threads, .expect_exit = 0)
{
    struct room room;
    struct brig_worker *worker;
    REQUIRE(room_open(&room));
    REQUIRE(CHECK_EQ(mkfifo(room_path("rw/fifo"), 0600), 0));
    REQUIRE(launch_losers(&room, &worker));
    brig_broker_stop(room.broker);
    brig_broker_stop(NULL);
    REQUIRE(fixture_run(&room.fixture, 1));
    CHECK_EQ(room.fixture.events[0].wait_status, 0);
    room_close(&room);
}

SANDBOX_TEST(broker, it_ends_with_its_last_worker_if_asked_to, .expect_exit = 0)
{
    struct room room;
    int expected = 0;
    REQUIRE(room_open(&room));
    struct brig_broker *other = room.broker;
    REQUIRE(room_start(&room, "short", true, &room.broker));
    REQUIRE(room_launch(&room, open_and_see, &expected));
    REQUIRE(room_launch(&room, open_and_see, &expected));
    REQUIRE(fixture_run(&room.fixture, 3));
    CHECK_STR_EQ(room.fixture.events[2].name, "short");
    for (size_t i = 0; i < 3; i++)
        CHECK_EQ(room.fixture.events[i].wait_status, 0);
    CHECK_EQ(kill(brig_broker_pid(other), 0), 0);
    room_close(&room);
}

static bool is_gone(int pid)
{
    char path[32], line[64] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return true;
    const bool is_zombie = fgets(line, sizeof line, file) && strstr(line, ") Z");
    fclose(file);
    return is_zombie;
}

SANDBOX_TEST(broker, it_dies_with_its_supervisor, .expect_exit = 0)
{
    static struct room room;
    int pids[2] = {0, 0}, pair[2];
    REQUIRE(CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0) && CHECK_EQ(pipe2(pair, O_CLOEXEC), 0));
    const pid_t pid = fork();
    if (pid == 0) {
        if (!room_open(&room))
            _exit(1);
        pids[0] = brig_broker_pid(room.broker);
        pids[1] = brig_worker_pid(room_launch(&room, fixture_entry_hang, NULL));
        CHECK_EQ(write(pair[1], room.folder, sizeof room.folder), (ssize_t)sizeof room.folder);
        CHECK_EQ(write(pair[1], pids, sizeof pids), (ssize_t)sizeof pids);
        for (;;)
            pause();
    }
    CHECK_EQ(read(pair[0], room.folder, sizeof room.folder), (ssize_t)sizeof room.folder);
    CHECK_EQ(read(pair[0], pids, sizeof pids), (ssize_t)sizeof pids);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    const double start = seconds();
    while ((!is_gone(pids[0]) || !is_gone(pids[1])) && seconds() < start + 5)
        continue;
    CHECK(is_gone(pids[0]));
    CHECK(is_gone(pids[1]));
    while (waitpid(-1, NULL, 0) > 0)
        continue;
    close(pair[0]);
    close(pair[1]);
    room_remove(room.folder);
}

// --- the broker itself ------------------------------------------------------------------------------------------------

static const struct brig_dsl_row weak_rows[] = {
    WHY("a broker that may not do its work"),
    ROW(openat2, CRASH),
    ROWS_END,
};
static const struct brig_dsl_policy weak_policy = {
    .name = "weak", .rows = weak_rows, FALLBACK(ALLOW), .kernel = BRIG_DSL_KERNEL(6, 18), .libc = "any"};

SANDBOX_TEST(broker, its_own_violations_are_reported, .expect_exit = 0)
{
    struct room room;
    int expected = EIO;
    struct brig_error error;
    REQUIRE(room_open(&room));
    const struct brig_broker_spec spec = {
        .name = "weak", .policy = &weak_policy, .list = {.entries = room.entries, .entry_count = COUNT_OF(room.entries)}};
    REQUIRE_OK(brig_broker_start(room.fixture.supervisor, &spec, &room.broker, &error), &error);
    REQUIRE(room_launch(&room, open_and_see, &expected));
    REQUIRE(fixture_run(&room.fixture, 2));
    const int reported = fixture_find(&room.fixture, BRIG_EVENT_VIOLATION, 0);
    REQUIRE(CHECK_GE(reported, 0));
    CHECK_STR_EQ(room.fixture.events[reported].name, "weak");
    CHECK_CONTAINS(room.fixture.events[reported].message, "openat2");
    room_close(&room);
}

SANDBOX_TEST(broker, its_workers_show_one_filter_more, .expect_exit = 0)
{
    struct room room;
    REQUIRE(room_open(&room));
    struct brig_worker *worker = room_launch(&room, fixture_entry_return, NULL);
    REQUIRE(worker != NULL);
    CHECK_EQ(brig_worker_status(worker)->min_filters, 2);
    REQUIRE(fixture_run(&room.fixture, 1));
    CHECK_EQ(room.fixture.events[0].wait_status, 0);
    room_close(&room);
}

// What Landlock alone says: a process that has the broker's ruleset, and no list.
static void try_files_under_landlock(const void *context)
{
    const struct brig_broker_list *list = context;
    struct brig_error error;
    if (!CHECK_OK(box_landlock(list, &error), &error))
        return;
    CHECK_GE(open(room_path("ro/hello"), O_RDONLY | O_CLOEXEC), 0);
    CHECK_EQ(open(room_path("ro/hello"), O_WRONLY | O_CLOEXEC), -1);
    CHECK_EQ(errno, EACCES);
    CHECK_EQ(open(room_path("secret/file"), O_RDONLY | O_CLOEXEC), -1);
    CHECK_EQ(errno, EACCES);
    CHECK_EQ(open("/etc/passwd", O_RDONLY | O_CLOEXEC), -1);
    CHECK_EQ(errno, EACCES);
    CHECK_GE(open(room_path("rw/new"), O_RDWR | O_CREAT | O_CLOEXEC, 0600), 0);
    CHECK_EQ(mkdir(room_path("rw/folder"), 0700), 0);
    CHECK_EQ(mkdir(room_path("ro/folder"), 0700), -1);
    CHECK_EQ(truncate(room_path("ro/hello"), 0), -1);
    CHECK_EQ(unlink(room_path("ro/hello")), -1);
    CHECK_EQ(mknod(room_path("rw/pipe"), S_IFIFO | 0600, 0), -1);
    CHECK_EQ(execl("/bin/true", "true", (char *)NULL), -1);
    CHECK_EQ(errno, EACCES);
    CHECK_EQ(kill(getppid(), 0) == 0 ? 0 : errno, EPERM);
}

SANDBOX_TEST(broker, landlock_holds_what_the_list_gives, .expect_exit = 0)
{
    struct room room;
    REQUIRE(room_open(&room));
    const struct brig_broker_list list = {.entries = room.entries, .entry_count = COUNT_OF(room.entries)};
    fixture_in_child(try_files_under_landlock, &list);
    room_close(&room);
}
