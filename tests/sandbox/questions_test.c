// Questions: the host decides what calls answer, by a callback; and workers ask what, how and when they like.
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bpf_dsl/words.h"
#include "sandbox/report.h"
#include "tests/sandbox/fixture.h"

static const struct brig_dsl_row asking_rows[] = {
    WHY("the host knows better"),
    ROW(getsid, NOTIFY),
    ROW(getpgid, NOTIFY, AT_MOST(pid, 1000)),
    ELSE(getpgid, DENY(EPERM)),
    ROW(openat, NOTIFY, ALL_BITS(flags, O_NOFOLLOW)),
    ROWS_END,
};
static const struct brig_dsl_policy asking_policy = {
    .name = "asking", .base = &fixture_policy, .rows = asking_rows, .kernel = BRIG_DSL_KERNEL(6, 18), .libc = "any"};

// --- a host -----------------------------------------------------------------------------------------------------------

// What getsid is answered, by its argument.
enum { SAY_NOTHING = 1, SAY_EXDEV, SAY_4711, SAY_WIDE, KILL_IT, LAST_GOOD };
enum { SAY_NO_ERRNO = 20, SAY_BAD_ERRNO, SAY_BAD_RESULT, SAY_BAD_KIND, SAY_DESCRIPTOR, LAST_BAD };
enum { END_IT = 40, TAKE_LONG, ADD_ONE = 1000 };

static size_t asked;
static uint64_t last_count;
static int asked_with_why;
static char asked_path[64];

static int handed_over = -1;

static void take_long(void)
{
    const struct timespec longer = {.tv_sec = 2, .tv_nsec = 300000000};
    nanosleep(&longer, NULL);
}

static void answer_getsid(const struct brig_question *question, struct brig_answer *answer)
{
    const int64_t number = (int64_t)question->args[0];
    static const struct brig_answer answers[] = {
        [SAY_EXDEV] = {BRIG_ANSWER_ERRNO, EXDEV, -1},       [SAY_4711] = {BRIG_ANSWER_RESULT, 4711, -1},
        [SAY_WIDE] = {BRIG_ANSWER_RESULT, -4096, -1},       [KILL_IT] = {BRIG_ANSWER_KILL, 0, -1},
        [SAY_NO_ERRNO] = {BRIG_ANSWER_ERRNO, 0, -1},        [SAY_BAD_ERRNO] = {BRIG_ANSWER_ERRNO, 4096, -1},
        [SAY_BAD_RESULT] = {BRIG_ANSWER_RESULT, -4095, -1}, [SAY_BAD_KIND] = {(enum brig_answer_kind)77, 1, -1},
    };
    if (number >= ADD_ONE)
        *answer = (struct brig_answer){BRIG_ANSWER_RESULT, number + 1, -1};
    else if (number == SAY_DESCRIPTOR)
        *answer = (struct brig_answer){BRIG_ANSWER_RESULT, 0, handed_over = open("/dev/null", O_RDONLY | O_CLOEXEC)};
    else if (number == END_IT)
        brig_worker_kill(question->worker);
    else if (number == TAKE_LONG)
        take_long();
    else if (number != SAY_NOTHING)
        *answer = answers[number];
}

static void decide(void *context, const struct brig_question *question, struct brig_answer *answer)
{
    (void)context;
    asked++;
    last_count = question->count;
    asked_with_why += question->why && strcmp(question->why, "the host knows better") == 0 && question->row != NULL;
    CHECK_EQ(question->pid, brig_worker_pid(question->worker));
    CHECK_EQ(question->nr, (uint32_t)brig_dsl_call_nr(question->call, question->arch));
    CHECK_EQ(answer->kind, BRIG_ANSWER_ERRNO);
    CHECK_EQ(answer->value, ENOSYS);
    CHECK_EQ(answer->descriptor, -1);
    if (question->call == BRIG_SYS_getsid)
        answer_getsid(question, answer);
    if (question->call == BRIG_SYS_openat && CHECK_EQ(question->pointee_count, 1u)) {
        const struct brig_pointee *path = &question->pointees[0];
        CHECK_EQ(path->argument, 1);
        snprintf(asked_path, sizeof asked_path, "%.*s", (int)path->size_bytes, (const char *)path->bytes);
    }
}

static bool open_host(struct fixture *fixture, bool answers)
{
    const struct brig_supervisor_options options = {.on_question = answers ? decide : NULL};
    *fixture = (struct fixture){.count = 0};
    asked = 0;
    asked_with_why = 0;
    return fixture_open_with(fixture, &options);
}

static long ask(long number)
{
    const long result = syscall(SYS_getsid, number);
    return result == -1 && errno < 4096 ? -errno : result;
}

// --- answers ----------------------------------------------------------------------------------------------------------

static int ask_for_all(void *data, int channel_fd)
{
    static const long expected[LAST_GOOD] = {[SAY_NOTHING] = -ENOSYS, [SAY_EXDEV] = -EXDEV, [SAY_4711] = 4711, [SAY_WIDE] = -4096};
    (void)data;
    (void)channel_fd;
    for (int number = SAY_NOTHING; number < KILL_IT; number++) {
        if (ask(number) != expected[number])
            return number;
    }
    if (open("/some/path", O_RDONLY | O_NOFOLLOW) != -1 || errno != ENOSYS)
        return 100;
    if (syscall(SYS_getpgid, 1001) != -1 || errno != EPERM) // not asked about
        return 101;
    return syscall(SYS_getpgid, 1000) == -1 && errno == ENOSYS ? 0 : 102;
}

SANDBOX_TEST(sandbox, questions_are_answered, .expect_exit = 0)
{
    struct fixture fixture;
    REQUIRE(open_host(&fixture, true));
    REQUIRE(fixture_launch(&fixture, &(struct brig_worker_spec){.name = "x", .policy = &asking_policy, .entry = ask_for_all}));
    REQUIRE(fixture_run(&fixture, 1));
    CHECK_EQ(fixture.count, 1u); // no event but the end
    CHECK(WIFEXITED(fixture.events[0].wait_status) && WEXITSTATUS(fixture.events[0].wait_status) == 0);
    CHECK_EQ(asked, (size_t)KILL_IT - SAY_NOTHING + 2);
    CHECK_EQ(last_count, asked);
    CHECK_EQ(asked_with_why, (int)asked);
    CHECK_STR_EQ(asked_path, "/some/path");
    CHECK_EQ(fixture.events[0].trap_counts.asked, asked);
    fixture_close(&fixture);
}

static int ask_nobody(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    return ask(SAY_4711) == -ENOSYS ? 0 : 1;
}

SANDBOX_TEST(sandbox, without_a_callback_questions_are_enosys, .expect_exit = 0)
{
    struct fixture fixture;
    REQUIRE(open_host(&fixture, false));
    REQUIRE(fixture_launch(&fixture, &(struct brig_worker_spec){.name = "x", .policy = &asking_policy, .entry = ask_nobody}));
    REQUIRE(fixture_run(&fixture, 1));
    CHECK_EQ(fixture.count, 1u);
    CHECK(WIFEXITED(fixture.events[0].wait_status) && WEXITSTATUS(fixture.events[0].wait_status) == 0);
    fixture_close(&fixture);
}

static int ask_for_impossible(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    for (int number = SAY_NO_ERRNO; number < LAST_BAD; number++) {
        if (ask(number) != -ENOSYS)
            return number;
    }
    return 0;
}

SANDBOX_TEST(sandbox, impossible_answers_are_told, .expect_exit = 0)
{
    static const char *const subjects[] = {"answer.value", "answer.value", "answer.value", "answer.kind", "answer.descriptor"};
    struct fixture fixture;
    REQUIRE(open_host(&fixture, true));
    REQUIRE(
        fixture_launch(&fixture, &(struct brig_worker_spec){.name = "x", .policy = &asking_policy, .entry = ask_for_impossible}));
    REQUIRE(fixture_run(&fixture, 1));
    CHECK_EQ(fixture_count(&fixture, BRIG_EVENT_LOST), COUNT_OF(subjects));
    for (size_t i = 0; i < COUNT_OF(subjects); i++) {
        const int at = fixture_find(&fixture, BRIG_EVENT_LOST, i);
        REQUIRE(at >= 0);
        CHECK_EQ(fixture.events[at].code, BRIG_BAD_ARGUMENT);
        CHECK_CONTAINS(fixture.events[at].error, subjects[i]);
    }
    const int end = fixture_find(&fixture, BRIG_EVENT_EXIT, 0);
    CHECK(WIFEXITED(fixture.events[end].wait_status) && WEXITSTATUS(fixture.events[end].wait_status) == 0);
    CHECK(handed_over >= 0 && fcntl(handed_over, F_GETFD) == -1); // closed
    fixture_close(&fixture);
}

__attribute__((noinline)) static int ask_to_be_killed(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    return ask(KILL_IT) != 0;
}

SANDBOX_TEST(sandbox, kill_is_a_violation_with_a_report, .expect_exit = 0)
{
    struct fixture fixture;
    REQUIRE(open_host(&fixture, true));
    REQUIRE(fixture_launch(&fixture, &(struct brig_worker_spec){.name = "x", .policy = &asking_policy, .entry = ask_to_be_killed}));
    REQUIRE(fixture_run(&fixture, 1));
    REQUIRE(CHECK_EQ(fixture.count, 2u));
    CHECK_EQ(fixture.events[0].kind, BRIG_EVENT_VIOLATION);
    CHECK_CONTAINS(fixture.events[0].message, "getsid(");
    CHECK_CONTAINS(fixture.events[0].message, "killed");
    CHECK_CONTAINS(fixture.events[0].message, "questions_test.c:");
    REQUIRE(fixture.events[0].json != NULL);
    CHECK_CONTAINS(fixture.events[0].json, "\"NOTIFY\"");
    CHECK_CONTAINS(fixture.events[0].json, "ask_to_be_killed"); // the stack was read while it waited
    CHECK_EQ(fixture.events[1].kind, BRIG_EVENT_EXIT);
    CHECK(WIFSIGNALED(fixture.events[1].wait_status) && WTERMSIG(fixture.events[1].wait_status) == SIGKILL);
    CHECK_EQ(fixture.events[1].violation_count, 1u);
    fixture_close(&fixture);
}

// --- many, and at bad times ---------------------------------------------------------------------------------------------

enum { THREADS = 32, QUESTIONS = 100 };

static void *ask_often(void *number)
{
    for (long i = 0; i < QUESTIONS; i++) {
        const long value = ADD_ONE + (long)(intptr_t)number * QUESTIONS + i;
        if (ask(value) != value + 1)
            _exit(1);
    }
    return NULL;
}

static int ask_in_threads(void *data, int channel_fd)
{
    pthread_t threads[THREADS];
    (void)data;
    (void)channel_fd;
    for (long i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, ask_often, (void *)(intptr_t)i) != 0)
            return 2;
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}

// Twice as many threads as slots, far more questions than events are told, and each thread gets its own answer.
SANDBOX_TEST(sandbox, many_threads_ask_at_once, .expect_exit = 0, .timeout_ms = 60000)
{
    struct fixture fixture;
    REQUIRE(open_host(&fixture, true));
    REQUIRE(fixture_launch(&fixture, &(struct brig_worker_spec){.name = "x", .policy = &asking_policy, .entry = ask_in_threads}));
    while (fixture_count(&fixture, BRIG_EVENT_EXIT) == 0)
        REQUIRE(CHECK_OK(brig_supervisor_dispatch(fixture.supervisor, 5000, NULL), NULL));
    CHECK_EQ(fixture.count, 1u);
    CHECK(WIFEXITED(fixture.events[0].wait_status) && WEXITSTATUS(fixture.events[0].wait_status) == 0);
    CHECK_EQ(asked, (size_t)THREADS * QUESTIONS);
    fixture_close(&fixture);
}

static int ask_a_busy_host(void *data, int channel_fd)
{
    char letter;
    (void)data;
    if (ask(SAY_4711) != -ENOSYS) // the host sleeps
        return 1;
    if (send(channel_fd, "x", 1, 0) != 1 || recv(channel_fd, &letter, 1, 0) != 1)
        return 2;
    if (ask(TAKE_LONG) != -ENOSYS) // the callback does
        return 3;
    for (long i = 0; i < 40; i++) { // all slots are usable again
        if (ask(ADD_ONE + i) != ADD_ONE + i + 1)
            return 4;
    }
    return 0;
}

SANDBOX_TEST(sandbox, a_busy_host_costs_an_errno, .expect_exit = 0, .timeout_ms = 30000)
{
    struct fixture fixture;
    char letter;
    REQUIRE(open_host(&fixture, true));
    struct brig_worker *worker = fixture_launch(
        &fixture, &(struct brig_worker_spec){.name = "x", .policy = &asking_policy, .entry = ask_a_busy_host, .channel = true});
    REQUIRE(worker != NULL);
    CHECK_EQ(recv(brig_worker_channel_fd(worker), &letter, 1, 0), 1); // it gave up
    CHECK_OK(brig_supervisor_dispatch(fixture.supervisor, 0, NULL), NULL);
    CHECK_EQ(asked, 0u); // the question was taken back
    CHECK_EQ(send(brig_worker_channel_fd(worker), "x", 1, 0), 1);
    REQUIRE(fixture_run(&fixture, 1));
    CHECK_EQ(fixture.count, 1u);
    CHECK(WIFEXITED(fixture.events[0].wait_status) && WEXITSTATUS(fixture.events[0].wait_status) == 0);
    CHECK_EQ(asked, 41u);
    fixture_close(&fixture);
}

static int ask_for_the_end(void *data, int channel_fd)
{
    (void)channel_fd;
    ask(*(const int *)data);
    return 0;
}

static void *kill_in_a_moment(void *unused)
{
    const struct timespec moment = {.tv_nsec = 50000000};
    nanosleep(&moment, NULL);
    kill(getpid(), SIGKILL);
    return unused;
}

static int be_killed_while_asking(void *data, int channel_fd)
{
    pthread_t thread;
    (void)data;
    (void)channel_fd;
    return pthread_create(&thread, NULL, kill_in_a_moment, NULL) == 0 ? (int)ask(SAY_4711) : 1;
}

SANDBOX_TEST(sandbox, a_worker_may_die_while_it_asks, .expect_exit = 0)
{
    int end_it = END_IT;
    const struct timespec later = {.tv_nsec = 300000000};
    const struct brig_worker_spec specs[] = {
        {.name = "x", .policy = &asking_policy, .entry = ask_for_the_end, .data = &end_it}, // by the callback
        {.name = "x", .policy = &asking_policy, .entry = be_killed_while_asking},           // before anybody has looked
    };
    for (size_t i = 0; i < COUNT_OF(specs); i++) {
        struct fixture fixture;
        REQUIRE(open_host(&fixture, true));
        REQUIRE(fixture_launch(&fixture, &specs[i]));
        nanosleep(&later, NULL);
        REQUIRE(fixture_run(&fixture, 1));
        CHECK_EQ(fixture.count, 1u);
        CHECK(WIFSIGNALED(fixture.events[0].wait_status) && WTERMSIG(fixture.events[0].wait_status) == SIGKILL);
        fixture_close(&fixture);
    }
}

// --- hostile workers --------------------------------------------------------------------------------------------------

static void wake_host(void)
{
    const uint64_t one = 1;
    if (write(fixture_notify_fd, &one, sizeof one) != sizeof one)
        _exit(99);
}

// Writes a record as the handler would. Returns: what the slot says in the end.
static long pretend(struct brig_trap_slots *slots, const struct brig_trap_record *record)
{
    struct brig_trap_slot *slot = &slots->slots[0];
    slot->record = *record;
    slot->verdict = 77;
    __atomic_store_n(&slot->state, BRIG_TRAP_SLOT_READY, __ATOMIC_RELEASE);
    wake_host();
    while (__atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) != BRIG_TRAP_SLOT_DONE)
        usleep(1000);
    const long value = slot->verdict == BRIG_TRAP_VERDICT_ERRNO ? -(long)slot->value : (long)slot->value;
    __atomic_store_n(&slot->state, BRIG_TRAP_SLOT_FREE, __ATOMIC_RELEASE);
    return value;
}

static int ask_what_it_must_not(void *data, int channel_fd)
{
    struct brig_trap_slots *slots = fixture_own_slots();
    (void)data;
    (void)channel_fd;
    if (!slots || ask(ADD_ONE) != ADD_ONE + 1) // leaves a good record behind
        return 1;
    struct brig_trap_record record = slots->slots[0].record;
    record.args[0] = ADD_ONE + 7;
    if (pretend(slots, &record) != ADD_ONE + 8) // the policy asks about it
        return 2;
    struct brig_trap_record other = record;
    other.nr = SYS_getpgid;
    other.args[0] = 1001; // not about this one
    if (pretend(slots, &other) != -ENOSYS)
        return 3;
    other.nr = SYS_uname;
    if (pretend(slots, &other) != -ENOSYS)
        return 4;
    other = record;
    other.audit_arch = brig_dsl_arch_audit(BRIG_DSL_ARM);
    if (pretend(slots, &other) != -ENOSYS)
        return 5;
    other = record;
    other.flags = 0;
    return pretend(slots, &other) == -ENOSYS ? 0 : 6;
}

SANDBOX_TEST(sandbox, only_what_the_policy_asks_about_reaches_the_host, .expect_exit = 0)
{
    struct fixture fixture;
    REQUIRE(open_host(&fixture, true));
    REQUIRE(fixture_launch(&fixture, &(struct brig_worker_spec){.name = "liar",
                                                                .policy = &asking_policy,
                                                                .warm_up = fixture_find_notify_fd,
                                                                .entry = ask_what_it_must_not,
                                                                .dumpable = true}));
    REQUIRE(fixture_run(&fixture, 1));
    const int end = fixture_find(&fixture, BRIG_EVENT_EXIT, 0);
    CHECK(WIFEXITED(fixture.events[end].wait_status) && CHECK_EQ(WEXITSTATUS(fixture.events[end].wait_status), 0));
    CHECK_EQ(asked, 2u);
    CHECK_EQ(fixture_count(&fixture, BRIG_EVENT_LOST), 4u);
    for (size_t i = 0; i < 4; i++) {
        const int at = fixture_find(&fixture, BRIG_EVENT_LOST, i);
        REQUIRE(at >= 0);
        CHECK_EQ(fixture.events[at].code, i < 3 ? BRIG_WORKER_LIED : BRIG_BAD_RECORD);
    }
    fixture_close(&fixture);
}

static void *ask_on(void *unused)
{
    for (;;)
        ask(ADD_ONE);
    return unused;
}

// States, verdicts and records change under everybody's hands, while threads ask in earnest.
static int play_with_slots(void *data, int channel_fd)
{
    pthread_t threads[4];
    struct brig_trap_slots *slots = fixture_own_slots();
    struct timespec start, now;
    unsigned int random = 1;
    (void)data;
    (void)channel_fd;
    if (!slots)
        return 1;
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        if (pthread_create(&threads[i], NULL, ask_on, NULL) != 0)
            return 2;
    }
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        struct brig_trap_slot *slot = &slots->slots[rand_r(&random) % BRIG_TRAP_SLOT_COUNT];
        const uint32_t state = (uint32_t)rand_r(&random) % 8;
        slot->record.verb = state < 4 ? (uint32_t)BRIG_DSL_NOTIFY : (uint32_t)rand_r(&random) % 16;
        slot->record.nr = state < 4 ? (uint32_t)SYS_getsid : (uint32_t)rand_r(&random) % 500;
        slot->value = rand_r(&random);
        __atomic_store_n(&slot->state, state, __ATOMIC_RELEASE);
        syscall(SYS_futex, &slot->state, FUTEX_WAKE, 1, NULL, NULL, 0);
        wake_host();
        usleep(20);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec - start.tv_sec < 2);
    _exit(0);
}

SANDBOX_TEST(sandbox, slots_in_any_state_hurt_nobody, .expect_exit = 0, .timeout_ms = 60000)
{
    struct fixture fixture;
    REQUIRE(open_host(&fixture, true));
    REQUIRE(fixture_launch(&fixture, &(struct brig_worker_spec){.name = "liar",
                                                                .policy = &asking_policy,
                                                                .warm_up = fixture_find_notify_fd,
                                                                .entry = play_with_slots,
                                                                .dumpable = true}));
    REQUIRE(fixture_run(&fixture, 1));
    CHECK_GT(asked, 0u);
    // The supervisor works on, and another worker is answered.
    REQUIRE(fixture_launch(&fixture, &(struct brig_worker_spec){.name = "good", .policy = &asking_policy, .entry = ask_for_all}));
    REQUIRE(fixture_run(&fixture, 2));
    const int end = fixture_find(&fixture, BRIG_EVENT_EXIT, 1);
    CHECK(end >= 0 && WIFEXITED(fixture.events[end].wait_status) && WEXITSTATUS(fixture.events[end].wait_status) == 0);
    fixture_close(&fixture);
}
