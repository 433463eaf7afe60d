// Programs that were not written for Brig, under the policy of ordinary programs: what they can do, what they cannot, and what is
// left of them. The visitor is static, so that nothing but the room's list is asked for.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "policies/policies.h"
#include "sandbox/program.h"
#include "tests/policies/run_program.h"
#include "tests/sandbox/broker_room.h"

// A room, a visitor in it, and what the visitor wrote.
struct visit {
    struct room room;
    struct brig_worker *worker;
    int exit_event;
    char output[512];
};

static char *environment[] = {NULL};

// Starts the visitor; its output goes to a file of the room.
static bool visit_start(struct visit *visit, const char *what, const char *first, const char *second)
{
    char path[512];
    char *arguments[] = {(char *)(uintptr_t) "visitor", (char *)(uintptr_t)what, (char *)(uintptr_t)first,
                         (char *)(uintptr_t)second, NULL};
    const struct brig_program_spec spec = {.name = "visitor",
                                           .file = path,
                                           .argv = arguments,
                                           .envp = environment,
                                           .policy = &brig_policy_program,
                                           .front_policy = brig_policy_for_this_build("notify"),
                                           .broker = visit->room.broker,
                                           .working_directory = visit->room.folder};
    struct brig_error error;
    const int output_fd = open(room_path("output"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const int before = dup(STDOUT_FILENO);
    dup2(output_fd, STDOUT_FILENO);
    const bool is_found = run_program_path("program_visitor", path, sizeof path);
    const enum brig_code code =
        is_found ? brig_supervisor_run(visit->room.fixture.supervisor, &spec, &visit->worker, &error) : BRIG_OK;
    dup2(before, STDOUT_FILENO);
    close(before);
    close(output_fd);
    return CHECK(is_found) && CHECK_OK(code, &error);
}

static void read_output(struct visit *visit)
{
    const int fd = open(room_path("output"), O_RDONLY | O_CLOEXEC);
    const ssize_t bytes = read(fd, visit->output, sizeof visit->output - 1);
    close(fd);
    visit->output[bytes > 0 ? bytes : 0] = '\0';
}

static int program_exit(const struct visit *visit)
{
    for (size_t i = 0; i < visit->room.fixture.count; i++) {
        if (visit->room.fixture.events[i].kind == BRIG_EVENT_EXIT && strcmp(visit->room.fixture.events[i].name, "visitor") == 0)
            return (int)i;
    }
    return -1;
}

// Dispatches until the visitor has ended.
static bool visit_end(struct visit *visit)
{
    struct brig_error error;
    const time_t deadline = time(NULL) + 9;
    while ((visit->exit_event = program_exit(visit)) < 0 && time(NULL) < deadline) {
        if (!CHECK_OK(brig_supervisor_dispatch(visit->room.fixture.supervisor, 100, &error), &error))
            return false;
    }
    read_output(visit);
    return CHECK_GE(visit->exit_event, 0);
}

static int status_of(const struct visit *visit)
{
    return visit->room.fixture.events[visit->exit_event].wait_status;
}

static bool visit_run(struct visit *visit, const char *what, const char *first, const char *second)
{
    return visit_start(visit, what, first, second) && visit_end(visit);
}

// Runs the visitor in a room of its own and checks that it says that all is well.
static void check_visit(const char *what, const char *first, const char *second)
{
    struct visit visit = {.worker = NULL};
    REQUIRE(room_open(&visit.room));
    CHECK_EQ(symlink("../secret/file", room_path("ro/out")), 0);
    REQUIRE(visit_run(&visit, what, first ? room_path(first) : NULL, second ? room_path(second) : NULL));
    test_message("%s: %s", what, visit.output);
    CHECK_EQ(status_of(&visit), 0);
    test_message("%s", "");
    room_close(&visit.room);
}

SANDBOX_TEST(program, a_file_of_the_list_is_read_and_another_is_not, .expect_exit = 0)
{
    struct visit visit = {.worker = NULL};
    REQUIRE(room_open(&visit.room));
    REQUIRE(visit_run(&visit, "cat", "ro/hello", NULL)); // below the working directory
    CHECK_EQ(status_of(&visit), 0);
    CHECK_STR_EQ(visit.output, "hello\n");
    visit.room.fixture.count = 0;
    REQUIRE(visit_run(&visit, "cat", room_path("secret/file"), NULL));
    CHECK_EQ(WEXITSTATUS(status_of(&visit)), 1);
    CHECK_STR_EQ(visit.output, "errno 13\n");
    struct brig_broker_denial denials[256];
    size_t count = 0;
    struct brig_error error;
    REQUIRE(CHECK_OK(brig_broker_denials(visit.room.broker, denials, COUNT_OF(denials), &count, &error), &error));
    size_t at = 0;
    while (at < count && strcmp(denials[at].path, room_path("secret/file")) != 0)
        at++;
    REQUIRE(CHECK_LT(at, count));
    CHECK_EQ(denials[at].call, BRIG_SYS_openat);
    room_close(&visit.room);
}

// Not for ThreadSanitizer, whose own thread is in the program before its execve: there the front end finds two and refuses.
SANDBOX_TEST(program, eight_at_a_time_get_what_they_asked_for, .expect_exit = 0)
{
    check_visit("threads", "ro/hello", NULL);
}

SANDBOX_TEST(program, children_are_answered_too, .expect_exit = 0)
{
    check_visit("forks", "ro/hello", NULL);
}

SANDBOX_TEST(program, signals_do_not_interrupt_what_is_answered, .expect_exit = 0)
{
    check_visit("signals", "ro/hello", NULL);
}

SANDBOX_TEST(program, no_way_leads_out_of_the_list, .expect_exit = 0)
{
    check_visit("escape", "secret/file", "ro");
}

SANDBOX_TEST(program, a_descriptor_and_a_socket_give_no_more_than_the_list, .expect_exit = 0)
{
    check_visit("refused", "ro/hello", "socket");
}

// Each was a request that the broker took for nonsense, and for the end of the session.
SANDBOX_TEST(program, calls_without_a_directory_start_at_the_working_directory, .expect_exit = 0)
{
    struct visit visit = {.worker = NULL};
    REQUIRE(room_open(&visit.room));
    CHECK(room_write("rw/file", "four"));
    REQUIRE(visit_run(&visit, "relative", "rw/file", NULL));
    test_message("%s", visit.output);
    CHECK_EQ(status_of(&visit), 0);
    test_message("%s", "");
    CHECK_STR_EQ(visit.output, "fou");
    room_close(&visit.room);
}

// The path is copied once, checked, and used: what another thread writes over it meanwhile opens nothing.
SANDBOX_TEST(program, a_path_that_changes_while_it_is_looked_at_opens_only_what_was_checked, .expect_exit = 0)
{
    struct visit visit = {.worker = NULL};
    REQUIRE(room_open(&visit.room));
    CHECK(room_write("ro/allowed", "hello\n"));
    CHECK_EQ(mkdir(room_path("no"), 0777), 0);
    CHECK(room_write("no/allowed", "secret\n"));
    REQUIRE(visit_run(&visit, "swap", room_path("ro/allowed"), room_path("no/allowed")));
    test_message("%s", visit.output);
    CHECK_EQ(status_of(&visit), 0);
    test_message("%s", "");
    room_close(&visit.room);
}

// --- ends -------------------------------------------------------------------------------------------------------------

SANDBOX_TEST(program, a_violation_is_reported_and_kills_as_sigsys_does, .expect_exit = 0)
{
    struct visit visit = {.worker = NULL};
    REQUIRE(room_open(&visit.room));
    REQUIRE(visit_run(&visit, "crash", NULL, NULL));
    CHECK(WIFSIGNALED(status_of(&visit)));
    CHECK_EQ(WTERMSIG(status_of(&visit)), SIGSYS);
    const int at = fixture_find(&visit.room.fixture, BRIG_EVENT_VIOLATION, 0);
    REQUIRE(CHECK_GE(at, 0));
    CHECK_CONTAINS(visit.room.fixture.events[at].message, "visitor[");
    CHECK_CONTAINS(visit.room.fixture.events[at].message, "ptrace(PTRACE_TRACEME");
    CHECK_CONTAINS(visit.room.fixture.events[at].message, "baseline.c:");
    CHECK_CONTAINS(visit.room.fixture.events[at].message, "killed");
    CHECK(visit.room.fixture.events[at].json != NULL);
    room_close(&visit.room);
}

SANDBOX_TEST(program, a_call_of_another_arch_is_a_violation, .expect_exit = 0)
{
    struct visit visit = {.worker = NULL};
    REQUIRE(room_open(&visit.room));
    REQUIRE(visit_run(&visit, "foreign", NULL, NULL));
#ifdef __x86_64__
    CHECK_EQ(WTERMSIG(status_of(&visit)), SIGSYS);
    CHECK_EQ(fixture_count(&visit.room.fixture, BRIG_EVENT_VIOLATION), 1u);
#endif
    room_close(&visit.room);
}

SANDBOX_TEST(program, a_fatal_signal_ends_a_call_that_is_being_answered, .expect_exit = 0)
{
    struct visit visit = {.worker = NULL};
    REQUIRE(room_open(&visit.room));
    CHECK_EQ(mkfifo(room_path("ro/fifo"), 0666), 0);
    REQUIRE(visit_run(&visit, "alarm", room_path("ro/fifo"), NULL));
    CHECK_EQ(WTERMSIG(status_of(&visit)), SIGALRM);
    room_close(&visit.room);
}

SANDBOX_TEST(program, what_it_leaves_behind_ends_with_it, .expect_exit = 0)
{
    struct visit visit = {.worker = NULL};
    REQUIRE(room_open(&visit.room));
    REQUIRE(visit_run(&visit, "orphan", NULL, NULL));
    CHECK_EQ(status_of(&visit), 0);
    const int orphan = atoi(visit.output);
    CHECK_GT(orphan, 0);
    CHECK_EQ(kill(orphan, 0), -1);
    CHECK_EQ(errno, ESRCH);
    room_close(&visit.room);
}

SANDBOX_TEST(program, a_dead_broker_is_eio_and_no_hang, .expect_exit = 0)
{
    struct visit visit = {.worker = NULL};
    REQUIRE(room_open(&visit.room));
    REQUIRE(visit_start(&visit, "loop", room_path("ro/hello"), NULL));
    usleep(50000);
    kill(brig_broker_pid(visit.room.broker), SIGKILL);
    REQUIRE(visit_end(&visit));
    CHECK_EQ(status_of(&visit), 0);
    CHECK_STR_EQ(visit.output, "errno 5\n");
    room_close(&visit.room);
}

SANDBOX_TEST(program, signals_reach_it_and_its_front_end_takes_it_along, .expect_exit = 0)
{
    struct visit visit = {.worker = NULL};
    REQUIRE(room_open(&visit.room));
    REQUIRE(visit_start(&visit, "hang", NULL, NULL));
    CHECK_GT(brig_program_pid(visit.worker), 0);
    CHECK_NE(brig_program_pid(visit.worker), brig_worker_pid(visit.worker));
    brig_program_signal(visit.worker, SIGTERM);
    REQUIRE(visit_end(&visit));
    CHECK_EQ(WTERMSIG(status_of(&visit)), SIGTERM);
    visit.room.fixture.count = 0;
    REQUIRE(visit_start(&visit, "hang", NULL, NULL));
    struct pollfd program = {.fd = (int)syscall(SYS_pidfd_open, brig_program_pid(visit.worker), 0), .events = POLLIN};
    brig_worker_kill(visit.worker);
    REQUIRE(visit_end(&visit));
    CHECK_EQ(WTERMSIG(status_of(&visit)), SIGKILL);
    CHECK_CONTAINS(visit.room.fixture.events[visit.exit_event].message, "front end");
    CHECK_EQ(poll(&program, 1, 5000), 1); // it is dead, if perhaps not reaped
    close(program.fd);
    room_close(&visit.room);
}

// --- what cannot be started -------------------------------------------------------------------------------------------

SANDBOX_TEST(program, what_cannot_be_started_says_why, .expect_exit = 0)
{
    struct visit visit = {.worker = NULL};
    struct brig_error error;
    char *arguments[] = {(char *)(uintptr_t) "nothing", NULL};
    REQUIRE(room_open(&visit.room));
    struct brig_program_spec spec = {.name = "visitor",
                                     .file = "/nonexistent",
                                     .argv = arguments,
                                     .envp = environment,
                                     .policy = &brig_policy_program,
                                     .front_policy = brig_policy_for_this_build("notify")};
    REQUIRE(CHECK_OK(brig_supervisor_run(visit.room.fixture.supervisor, &spec, &visit.worker, &error), &error));
    REQUIRE(visit_end(&visit));
    CHECK_EQ(WEXITSTATUS(status_of(&visit)), 127);
    CHECK_EQ(visit.room.fixture.events[visit.exit_event].code, BRIG_IO);
    spec.working_directory = "/nonexistent";
    CHECK_EQ(brig_supervisor_run(visit.room.fixture.supervisor, &spec, &visit.worker, &error), BRIG_IO);
    CHECK_STR_EQ(error.subject, "/nonexistent");
    spec.working_directory = NULL;
    spec.policy = &fixture_policy; // allows execve, so that nobody could let it go
    CHECK_EQ(brig_supervisor_run(visit.room.fixture.supervisor, &spec, &visit.worker, &error), BRIG_BAD_ARGUMENT);
    CHECK_EQ(brig_supervisor_run(visit.room.fixture.supervisor, NULL, &visit.worker, &error), BRIG_BAD_ARGUMENT);
    CHECK_EQ(brig_supervisor_run(NULL, &spec, &visit.worker, &error), BRIG_BAD_ARGUMENT);
    room_close(&visit.room);
}
