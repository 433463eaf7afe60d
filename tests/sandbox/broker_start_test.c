// Starting a broker, and a worker with one, where something is missing or in the way; and what the host may do while it is told.
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policies/policies.h"
#include "tests/sandbox/broker_room.h"

// --- kernels with something missing -----------------------------------------------------------------------------------

enum { FILTER_FLAGS = 1, WAIT_KILLABLE_RECV = 1 << 5, NEW_LISTENER = 1 << 3 };

static void start_where_landlock_is_missing(const void *context)
{
    const struct fixture_refusal refusal = {.call = BRIG_SYS_landlock_create_ruleset, .sys_errno = ENOSYS, .argument = -1};
    struct fixture fixture;
    struct brig_broker *broker;
    struct brig_error error;
    (void)context;
    if (!fixture_open(&fixture) || !fixture_refuse(&refusal))
        return;
    const struct brig_broker_spec spec = {.name = "files", .policy = brig_policy_for_this_build("broker")};
    CHECK(CHECK_CODE(brig_broker_start(fixture.supervisor, &spec, &broker, &error), BRIG_KERNEL_LACKS, &error));
    CHECK_STR_EQ(error.subject, "Landlock");
    fixture_close(&fixture);
}

SANDBOX_TEST(broker, it_does_not_start_without_landlock, .expect_exit = 0)
{
    fixture_in_child(start_where_landlock_is_missing, NULL);
}

static int open_hello(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    CHECK(room_has("ro/hello", "hello\n"));
    return 0;
}

static void run_without_a_flag(const void *context)
{
    const struct fixture_refusal *refusal = context;
    struct room room;
    if (!fixture_refuse(refusal) || !room_open(&room))
        return;
    CHECK(room_run(&room, open_hello, NULL));
    room_close(&room);
}

// Linux before 5.19.
SANDBOX_TEST(broker, listeners_that_do_not_wait_killably_will_do, .expect_exit = 0)
{
    const struct fixture_refusal refusal = {.call = BRIG_SYS_seccomp,
                                            .sys_errno = EINVAL,
                                            .argument = FILTER_FLAGS,
                                            .mask = WAIT_KILLABLE_RECV,
                                            .value = WAIT_KILLABLE_RECV};
    fixture_in_child(run_without_a_flag, &refusal);
}

static void launch_where_listeners_are_missing(const void *context)
{
    const struct fixture_refusal refusal = {
        .call = BRIG_SYS_seccomp, .sys_errno = EINVAL, .argument = FILTER_FLAGS, .mask = NEW_LISTENER, .value = NEW_LISTENER};
    struct room room;
    struct brig_worker *worker;
    struct brig_error error;
    (void)context;
    if (!room_open(&room) || !fixture_refuse(&refusal))
        return;
    const struct brig_worker_spec spec = {.name = "client", .policy = &room_policy, .entry = open_hello, .broker = room.broker};
    CHECK(CHECK_CODE(brig_supervisor_launch(room.fixture.supervisor, &spec, &worker, &error), BRIG_KERNEL_LACKS, &error));
    CHECK_CONTAINS(error.subject, "listener");
    room_close(&room);
}

SANDBOX_TEST(broker, workers_that_want_one_need_a_listener, .expect_exit = 0)
{
    fixture_in_child(launch_where_listeners_are_missing, NULL);
}

// --- threads of a warm-up ---------------------------------------------------------------------------------------------

static int go_on[2];
static pthread_t early;

static void *open_when_told(void *context)
{
    char byte;
    (void)context;
    CHECK_EQ(read(go_on[0], &byte, 1), 1);
    CHECK(room_has("ro/hello", "hello\n"));
    return NULL;
}

static int start_a_thread(void *data)
{
    (void)data;
    return pipe2(go_on, O_CLOEXEC) != 0 || pthread_create(&early, NULL, open_when_told, NULL) != 0;
}

static int tell_the_thread(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    CHECK_EQ(write(go_on[1], "x", 1), 1);
    CHECK_EQ(pthread_join(early, NULL), 0);
    return 0;
}

SANDBOX_TEST(broker, a_thread_of_the_warm_up_may_ask_it, .expect_exit = 0)
{
    struct room room;
    REQUIRE(room_open(&room));
    REQUIRE(fixture_launch(
        &room.fixture,
        &(struct brig_worker_spec){
            .name = "client", .policy = &room_policy, .warm_up = start_a_thread, .entry = tell_the_thread, .broker = room.broker}));
    REQUIRE(fixture_run(&room.fixture, 1));
    CHECK_EQ(room.fixture.events[0].wait_status, 0);
    room_close(&room);
}

// --- the host while it is told ----------------------------------------------------------------------------------------

struct host {
    struct brig_supervisor *supervisor;
    struct brig_broker *broker;
    size_t exits, stops;
};

// Stops the broker in the middle of what is said about one of its workers.
static void stop_the_broker(void *context, const struct brig_event *event)
{
    struct host *host = context;
    host->exits += event->kind == BRIG_EVENT_EXIT;
    if (event->kind == BRIG_EVENT_BROKER) {
        brig_broker_stop(host->broker);
        host->broker = NULL;
        host->stops++;
    }
}

static int ask_nonsense(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    room_fill(0, room_path("ro/hello"));
    room_slots->slots[0].request.op = 0;
    syscall(BRIG_DSL_BROKER_NR, 0, 0);
    return 0;
}

static bool launch_nonsense(struct room *room, struct host *host)
{
    struct brig_error error;
    struct brig_worker *worker;
    const struct brig_worker_spec spec = {
        .name = "client", .policy = &room_policy, .warm_up = room_find_slots, .entry = ask_nonsense, .broker = host->broker};
    (void)room;
    return CHECK_OK(brig_supervisor_launch(host->supervisor, &spec, &worker, &error), &error);
}

SANDBOX_TEST(broker, the_host_may_stop_it_from_an_event, .expect_exit = 0)
{
    struct room room;
    struct brig_error error;
    struct host host = {.exits = 0};
    REQUIRE(room_open(&room));
    const struct brig_supervisor_options options = {.on_event = stop_the_broker, .context = &host};
    REQUIRE_OK(brig_supervisor_new(&options, &host.supervisor, &error), &error);
    struct fixture before = room.fixture;
    room.fixture.supervisor = host.supervisor;
    REQUIRE(room_start(&room, "stopped", false, &host.broker));
    room.fixture = before;
    REQUIRE(launch_nonsense(&room, &host) && launch_nonsense(&room, &host));
    for (int i = 0; i < 100 && host.exits < 2; i++)
        REQUIRE_OK(brig_supervisor_dispatch(host.supervisor, 100, &error), &error);
    CHECK_EQ(host.exits, 2u);
    CHECK_EQ(host.stops, 1u);
    brig_supervisor_free(host.supervisor);
    room_close(&room);
}
