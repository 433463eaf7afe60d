// Locking the own process, and what the kernel and a process say about it.
#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bpf_dsl/words.h"
#include "sandbox/sandbox.h"
#include "tests/sandbox/fixture.h"

static unsigned char memory[BRIG_DSL_ARENA_BYTES];
static const struct brig_lock_options options = {.memory = memory, .memory_bytes = sizeof memory};

SANDBOX_TEST(sandbox, a_locked_process_is_refused, .expect_exit = 0)
{
    struct brig_error error;
    struct brig_status before, after;
    REQUIRE_OK(brig_read_status(getpid(), &before, &error), &error);
    REQUIRE_OK(brig_lock(&fixture_policy, &options, &error), &error);
    REQUIRE_OK(brig_read_status(getpid(), &after, &error), &error);
    CHECK_EQ(after.filtered_thread_count, 1);
    CHECK_EQ(after.no_new_privs_count, 1);
    CHECK(before.min_filters < 0 || after.min_filters == before.min_filters + 1);
    CHECK_EQ(syscall(SYS_getpriority, 0, 0), -1);
    CHECK_EQ(errno, EACCES);
    CHECK_EQ(syscall(BRIG_DSL_PROBE_NR), -1);
    CHECK_EQ(errno, BRIG_DSL_PROBE_ERRNO);
}

SANDBOX_TEST(sandbox, a_locked_process_dies_of_a_crash_row, .expect_signal = SIGSYS)
{
    struct utsname name;
    struct brig_error error;
    REQUIRE_OK(brig_lock(&fixture_policy, &options, &error), &error);
    uname(&name);
    CHECK_STR_EQ("alive", "dead");
}

// A policy of another tool lets the handler neither answer nor die, and its program cannot be proven to be on.
static const struct brig_dsl_import import = {.foreign = BRIG_DSL_ACTION_KILL_PROCESS, .x32 = BRIG_DSL_ACTION_KILL_PROCESS};
static const struct brig_dsl_row no_rows[] = {ROWS_END};
static const struct brig_dsl_policy imported = {.name = "imported", .rows = no_rows, FALLBACK(ALLOW), .import = &import};

SANDBOX_TEST(sandbox, an_imported_policy_is_not_locked, .expect_exit = 0)
{
    struct brig_error error;
    char text[256];
    REQUIRE(CHECK_CODE(brig_lock(&imported, &options, &error), BRIG_BAD_ARGUMENT, &error));
    brig_error_format(&error, text, sizeof text);
    CHECK_CONTAINS(text, "policy.import");
    CHECK_CONTAINS(text, "written for another tool");
    CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
}

SANDBOX_TEST(sandbox, an_imported_program_is_not_installed, .expect_exit = 0)
{
    struct brig_dsl_options compile_options = BRIG_DSL_OPTIONS_DEFAULT;
    struct brig_dsl_program program;
    struct brig_dsl_arena arena;
    struct brig_error error;
    struct brig_status status;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    REQUIRE_OK(brig_dsl_compile(&imported, &compile_options, &arena, &program, &error), &error);
    REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(CHECK_CODE(brig_install(&program, 0, &error), BRIG_BAD_ARGUMENT, &error));
    CHECK_STR_EQ(error.subject, "a program without the probe number");
    REQUIRE_OK(brig_read_status(getpid(), &status, &error), &error);
    CHECK_EQ(status.filtered_thread_count, 0);
}

// pread64 and close are refused here: the proof must not make them.
SANDBOX_TEST(sandbox, a_policy_without_rows_locks_its_own_process, .expect_exit = 0)
{
    REQUIRE(brig_lock(&fixture_empty_policy, &options, NULL) == BRIG_OK);
}

SANDBOX_TEST(sandbox, a_process_is_locked_once, .expect_exit = 0)
{
    struct brig_error error;
    REQUIRE_OK(brig_lock(&fixture_policy, &options, &error), &error);
    CHECK(CHECK_CODE(brig_lock(&fixture_other_policy, &options, &error), BRIG_ALREADY_LOCKED, &error));
}

SANDBOX_TEST(sandbox, bad_lock_arguments_are_refused, .expect_exit = 0)
{
    static struct brig_trap_slots slots;
    const struct {
        const char *subject;
        enum brig_code code;
        const struct brig_dsl_policy *policy;
        struct brig_lock_options options;
    } rows[] = {
        {"policy", BRIG_BAD_ARGUMENT, NULL, options},
        {"memory", BRIG_BAD_ARGUMENT, &fixture_policy, {.memory = NULL}},
        {"notify_fd",
         BRIG_BAD_ARGUMENT,
         &fixture_policy,
         {.memory = memory, .memory_bytes = sizeof memory, .slots = &slots, .notify_fd = -1}},
        {"filter_flags",
         BRIG_BAD_ARGUMENT,
         &fixture_policy,
         {.memory = memory, .memory_bytes = sizeof memory, .filter_flags = SECCOMP_FILTER_FLAG_NEW_LISTENER}},
        {"", BRIG_OUT_OF_ARENA, &fixture_policy, {.memory = memory, .memory_bytes = 1024}},
    };
    struct brig_error error;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        test_message("row %zu: %s", i, rows[i].subject);
        CHECK(CHECK_CODE(brig_lock(rows[i].policy, &rows[i].options, &error), rows[i].code, &error));
        CHECK(!*rows[i].subject || strcmp(error.subject, rows[i].subject) == 0);
        CHECK_EQ(syscall(BRIG_DSL_PROBE_NR), -1);
        CHECK_EQ(errno, ENOSYS); // no filter is on
    }
}

SANDBOX_TEST(sandbox, a_program_that_is_too_big_is_not_installed, .timeout_ms = 120000)
{
    enum { ROOM = 64 << 20 };
    struct fixture_big big;
    struct brig_error error;
    void *room = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(room != MAP_FAILED && fixture_big_make(&big));
    const struct brig_lock_options roomy = {.memory = room, .memory_bytes = ROOM};
    CHECK(CHECK_CODE(brig_lock(&big.policy, &roomy, &error), BRIG_PROGRAM_TOO_BIG, &error));
    CHECK_GT(error.detail, 4096);
    CHECK_EQ(syscall(BRIG_DSL_PROBE_NR), -1);
    CHECK_EQ(errno, ENOSYS); // no filter is on
    fixture_big_free(&big);
}

// Masks, limits and values of four arguments in another order each time, from a few numbers, with two actions: the check would have
// to try their combinations. One in four hundred such policies is like that.
enum { MASKED_ROWS = 51, MASKED_EACH = 4, MASKED_NUMBERS = 6, MASKED_SEED = 399 };
static const struct brig_dsl_row masked_else = ELSE(mmap, ALLOW), masked_end = ROWS_END;
static struct brig_dsl_row masked_rows[MASKED_ROWS + 2];
static struct brig_dsl_condition masked_conditions[MASKED_ROWS][MASKED_EACH + 1];
static char masked_texts[MASKED_ROWS][MASKED_EACH][48];
static uint64_t masked_state;

static uint64_t masked_next(void)
{
    masked_state ^= masked_state << 13;
    masked_state ^= masked_state >> 7;
    masked_state ^= masked_state << 17;
    return masked_state >> 11;
}

static struct brig_dsl_condition make_masked_condition(const uint64_t *numbers, const char *argument, char *text, size_t text_bytes)
{
    static const enum brig_dsl_operator operators[] = {BRIG_DSL_IN, BRIG_DSL_MASKED, BRIG_DSL_AT_LEAST, BRIG_DSL_AT_MOST,
                                                       BRIG_DSL_NOT_IN};
    const uint64_t value = numbers[masked_next() % MASKED_NUMBERS];
    const uint64_t mask = numbers[masked_next() % MASKED_NUMBERS] | 1;
    const enum brig_dsl_operator op = operators[masked_next() % COUNT_OF(operators)];
    if (op == BRIG_DSL_MASKED) {
        snprintf(text, text_bytes, "%#" PRIx64 ", %#" PRIx64, mask, value & mask);
    } else {
        snprintf(text, text_bytes, "%#" PRIx64, value);
    }
    return (struct brig_dsl_condition){.op = op, .argument = argument, .text = text};
}

static void make_masked_rows(void)
{
    static const char *const arguments[] = {"addr", "length", "prot", "flags"};
    uint64_t numbers[MASKED_NUMBERS];
    masked_state = MASKED_SEED * 0x9e3779b97f4a7c15;
    for (size_t i = 0; i < MASKED_NUMBERS; i++) {
        const uint64_t number = masked_next();
        numbers[i] = i % 2 != 0 ? number % 100 : number & INT32_MAX;
    }
    for (size_t i = 0; i < MASKED_ROWS; i++) {
        const size_t first = masked_next() % COUNT_OF(arguments);
        for (size_t k = 0; k < MASKED_EACH; k++) {
            masked_conditions[i][k] = make_masked_condition(numbers, arguments[(first + k) % COUNT_OF(arguments)],
                                                            masked_texts[i][k], sizeof masked_texts[i][k]);
        }
        masked_conditions[i][MASKED_EACH] = (struct brig_dsl_condition){.op = BRIG_DSL_END};
        masked_rows[i] = (struct brig_dsl_row){.kind = BRIG_DSL_ROW_CALL,
                                               .call = BRIG_SYS_mmap,
                                               .action = {.verb = BRIG_DSL_DENY, .data = 1 + (uint16_t)(masked_next() % 2)},
                                               .conditions = masked_conditions[i],
                                               .file = __FILE__,
                                               .line = (int)i};
    }
    masked_rows[MASKED_ROWS] = masked_else;
    masked_rows[MASKED_ROWS + 1] = masked_end;
}

SANDBOX_TEST(sandbox, a_program_that_is_not_proven_is_not_installed, .timeout_ms = 120000)
{
    enum { ROOM = 64 << 20 };
    const struct brig_dsl_policy policy = {
        .name = "masked", .rows = masked_rows, FALLBACK(ALLOW), .kernel = BRIG_DSL_KERNEL(6, 18), .libc = "any"};
    struct brig_error error;
    void *room = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(room != MAP_FAILED);
    const struct brig_lock_options roomy = {.memory = room, .memory_bytes = ROOM};
    make_masked_rows();
    CHECK(CHECK_CODE(brig_lock(&policy, &roomy, &error), BRIG_NOT_PROVEN, &error));
    CHECK_STR_EQ(error.subject, "masked");
    CHECK_EQ(syscall(BRIG_DSL_PROBE_NR), -1);
    CHECK_EQ(errno, ENOSYS); // no filter is on
}

static const struct brig_dsl_row notify_rows[] = {
    WHY("would sleep for ever without a listener"),
    ROW(uname, NOTIFY),
    ROWS_END,
};
static const struct brig_dsl_policy notify_policy = {
    .name = "notify", .rows = notify_rows, FALLBACK(ALLOW), .kernel = BRIG_DSL_KERNEL(6, 18), .libc = "any"};

SANDBOX_TEST(sandbox, a_program_that_notifies_nobody_is_refused, .expect_exit = 0)
{
    static _Alignas(16) unsigned char room[BRIG_DSL_ARENA_BYTES];
    struct brig_dsl_options notified = BRIG_DSL_OPTIONS_DEFAULT;
    struct brig_dsl_program program;
    struct brig_dsl_arena arena;
    struct brig_error error;
    notified.target = BRIG_DSL_NOTIFIED;
    brig_dsl_arena_init(&arena, room, sizeof room);
    REQUIRE(CHECK_OK(brig_dsl_compile(&notify_policy, &notified, &arena, &program, &error), &error));
    CHECK(CHECK_CODE(brig_install(&program, 0, &error), BRIG_BAD_ARGUMENT, &error));
    CHECK_CONTAINS(error.subject, "NOTIFY");
}

static void lock_with_refusal(const void *context)
{
    const struct fixture_refusal *refusal = context;
    struct brig_error error;
    REQUIRE(fixture_refuse(refusal));
    const enum brig_code expected = refusal->sys_errno == ENOSYS ? BRIG_KERNEL_LACKS : BRIG_KERNEL_REFUSED;
    CHECK(CHECK_CODE(brig_lock(&fixture_policy, &options, &error), expected, &error));
    CHECK_EQ(error.sys_errno, refusal->sys_errno);
}

SANDBOX_TEST(sandbox, a_refusing_kernel_is_told_from_a_lacking_one, .expect_exit = 0)
{
    const struct fixture_refusal refusals[] = {
        {BRIG_SYS_seccomp, ENOSYS, -1, 0, 0},
        {BRIG_SYS_seccomp, EPERM, -1, 0, 0},
        {BRIG_SYS_seccomp, EACCES, 0, 0xff, SECCOMP_SET_MODE_FILTER},
        {BRIG_SYS_seccomp, ENOMEM, 0, 0xff, SECCOMP_SET_MODE_FILTER},
        {BRIG_SYS_prctl, EINVAL, 0, 0xff, PR_SET_NO_NEW_PRIVS},
    };
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        test_message("row %zu", i);
        fixture_in_child(lock_with_refusal, &refusals[i]);
    }
}

// --- threads ----------------------------------------------------------------------------------------------------------

enum { THREADS = 8 };
static pthread_barrier_t barrier;

static void *be_refused(void *data)
{
    (void)data;
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier); // locked meanwhile
    CHECK_EQ(syscall(SYS_getpriority, 0, 0), -1);
    CHECK_EQ(errno, EACCES);
    return NULL;
}

SANDBOX_TEST(sandbox, all_threads_are_locked_at_once, .expect_exit = 0)
{
    struct brig_error error;
    struct brig_status status;
    pthread_t threads[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, be_refused, NULL) == 0);
    pthread_barrier_wait(&barrier);
    CHECK_OK(brig_lock(&fixture_policy, &options, &error), &error);
    CHECK_OK(brig_read_status(getpid(), &status, &error), &error);
    CHECK_GE(status.thread_count, THREADS + 1); // sanitizers have one of their own
    CHECK_EQ(status.filtered_thread_count, status.thread_count);
    CHECK_EQ(status.no_new_privs_count, status.thread_count);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void *filter_itself(void *data)
{
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog fprog = {.len = 1, .filter = &allow};
    pthread_setname_np(pthread_self(), "decoder-3");
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    CHECK_EQ(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog), 0);
    *(int *)data = (int)syscall(SYS_gettid);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return NULL;
}

SANDBOX_TEST(sandbox, the_thread_in_the_way_is_named, .expect_exit = 0)
{
    struct brig_error error;
    pthread_t thread;
    int tid = 0;
    char text[BRIG_ERROR_TEXT_BYTES];
    pthread_barrier_init(&barrier, NULL, 2);
    REQUIRE(pthread_create(&thread, NULL, filter_itself, &tid) == 0);
    pthread_barrier_wait(&barrier);
    CHECK(CHECK_CODE(brig_lock(&fixture_policy, &options, &error), BRIG_TSYNC_REFUSED, &error));
    CHECK_EQ(error.detail, tid);
    CHECK_CONTAINS(error.subject, "thread decoder-3 has a filter of its own");
    CHECK_CONTAINS(brig_error_format(&error, text, sizeof text), "decoder-3");
    CHECK_EQ(syscall(BRIG_DSL_PROBE_NR), -1);
    CHECK_EQ(errno, ENOSYS); // not half-locked
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
}

// --- what the kernel offers -------------------------------------------------------------------------------------------

static const struct brig_feature *find_feature(const struct brig_feature *features, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(features[i].name, name) == 0)
            return &features[i];
    }
    return NULL;
}

TEST(sandbox, probes_tell_what_the_kernel_offers)
{
    static const char *const needed[] = {"kernel", "seccomp-filter", "tsync",        "action-kill-process",
                                         "pidfd",  "memfd",          "no-new-privs", "action-trap"};
    struct brig_feature features[64];
    struct brig_error error;
    size_t count = 0;
    CHECK(CHECK_CODE(brig_probe(features, 3, &count, &error), BRIG_TOO_SMALL, &error));
    REQUIRE_OK(brig_probe(features, COUNT_OF(features), &count, &error), &error);
    CHECK_EQ(error.detail, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        test_message("feature %s", features[i].name);
        CHECK(features[i].what != NULL);
        CHECK(!features[i].is_present || features[i].sys_errno == 0);
        CHECK(find_feature(features, count, features[i].name) == &features[i]); // names are unique
        CHECK(features[i].kind != BRIG_FEATURE_NEEDED || features[i].is_present);
        CHECK(*features[i].value != '\0' && memchr(features[i].value, '\0', sizeof features[i].value) != NULL);
    }
    for (size_t i = 0; i < COUNT_OF(needed); i++) {
        const struct brig_feature *feature = find_feature(features, count, needed[i]);
        test_message("feature %s", needed[i]);
        CHECK(feature != NULL && feature->kind == BRIG_FEATURE_NEEDED && feature->is_present);
    }
    const struct brig_feature *kernel = find_feature(features, count, "kernel");
    char version[32];
    CHECK_GE(kernel->detail, BRIG_DSL_KERNEL(5, 10));
    snprintf(version, sizeof version, "%d.%d", (int)(kernel->detail >> 8), (int)(kernel->detail & 0xff));
    CHECK_CONTAINS(kernel->value, version);
    CHECK_EQ(find_feature(features, count, "x32")->kind, BRIG_FEATURE_FACT);
}

SANDBOX_TEST(sandbox, probes_see_what_is_missing, .expect_exit = 0)
{
    static const struct {
        enum brig_dsl_call call;
        const char *name;
    } rows[] = {
        {BRIG_SYS_pidfd_open, "pidfd"},        {BRIG_SYS_memfd_create, "memfd"},
        {BRIG_SYS_openat2, "openat2"},         {BRIG_SYS_landlock_create_ruleset, "landlock"},
        {BRIG_SYS_unshare, "user-namespaces"}, {BRIG_SYS_seccomp, "tsync"},
    };
    struct brig_feature features[64];
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        REQUIRE(fixture_refuse(&(struct fixture_refusal){rows[i].call, ENOSYS, -1, 0, 0}) || rows[i].call == BRIG_SYS_seccomp);
    REQUIRE(brig_probe(features, COUNT_OF(features), &count, NULL) == BRIG_OK);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct brig_feature *feature = find_feature(features, count, rows[i].name);
        test_message("feature %s", rows[i].name);
        CHECK(feature && !feature->is_present);
        CHECK_EQ(feature->sys_errno, ENOSYS);
        CHECK(feature->hint != NULL);
    }
    const struct brig_feature *foreign = find_feature(features, count, "foreign-filters");
    char filters[32];
    CHECK(foreign->is_present && foreign->hint != NULL);
    snprintf(filters, sizeof filters, "%d filters", (int)COUNT_OF(rows));
    CHECK_STR_EQ(foreign->value, filters);
}

TEST(sandbox, the_status_of_no_process_is_an_error)
{
    struct brig_status status;
    struct brig_error error;
    CHECK(CHECK_CODE(brig_read_status(0x3fffffff, &status, &error), BRIG_IO, &error));
    CHECK_EQ(error.sys_errno, ENOENT);
}
