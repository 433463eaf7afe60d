// A filter that comes while threads are born and die: TSYNC reaches all of them, and none traps without a handler.
#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/trap/fixture.h"

enum { PARENTS = 3, INSTALLS = 40 };

static const struct trap_rule before[] = {{SYS_getpgid, ANY, 0, {.verb = BRIG_DSL_DENY, .data = ENOTTY}}};
static const struct trap_rule rules[] = {{SYS_getppid, ANY, 0, {.verb = BRIG_DSL_REPORT, .data = EPERM}}};

static bool is_locked, has_ended;
static unsigned born, wrong;

// What a thread sees at its birth holds until its end: "locked" never goes away again.
static void *be_short_lived(void *argument)
{
    const bool must_be_refused = __atomic_load_n(&is_locked, __ATOMIC_ACQUIRE);
    const bool is_refused = fixture_call(SYS_getppid, 0, 0, 0, 0) == -EPERM;
    if (must_be_refused && !is_refused) {
        __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
    }
    __atomic_fetch_add(&born, 1, __ATOMIC_RELAXED);
    return argument;
}

static void *bear_threads(void *argument)
{
    while (!__atomic_load_n(&has_ended, __ATOMIC_RELAXED)) {
        pthread_t children[4];
        for (size_t i = 0; i < COUNT_OF(children); i++) {
            CHECK_EQ(pthread_create(&children[i], NULL, be_short_lived, NULL), 0);
        }
        for (size_t i = 0; i < COUNT_OF(children); i++) {
            CHECK_EQ(pthread_join(children[i], NULL), 0);
        }
    }
    return argument;
}

// The filter that traps comes in the middle of others; the kernel stacks them all.
static void install_often(struct trap_fixture *fixture, const struct trap_fixture *other)
{
    for (int i = 0; i < INSTALLS; i++) {
        if (i == INSTALLS / 2) {
            CHECK(fixture_install(fixture));
            __atomic_store_n(&is_locked, true, __ATOMIC_RELEASE);
        } else {
            CHECK(fixture_install(other));
        }
        const unsigned seen = __atomic_load_n(&born, __ATOMIC_RELAXED);
        while (__atomic_load_n(&born, __ATOMIC_RELAXED) < seen + 8) {
            usleep(100);
        }
    }
}

SANDBOX_TEST(trap, threads_are_born_and_die_while_the_filter_comes, .expect_exit = 0)
{
    struct trap_fixture fixture, other;
    struct brig_error error;
    pthread_t parents[PARENTS];
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    fixture_start(&other, before, COUNT_OF(before), ALLOW_ALL);
    REQUIRE(CHECK_OK(brig_trap_arm(&fixture.program, &fixture.setup, &error), &error));
    for (size_t i = 0; i < PARENTS; i++) {
        CHECK_EQ(pthread_create(&parents[i], NULL, bear_threads, NULL), 0);
    }
    install_often(&fixture, &other);
    __atomic_store_n(&has_ended, true, __ATOMIC_RELAXED);
    for (size_t i = 0; i < PARENTS; i++) {
        CHECK_EQ(pthread_join(parents[i], NULL), 0);
    }
    CHECK_EQ(wrong, 0);
    CHECK_GT(fixture.slots->reported, 0);
    CHECK_EQ(fixture_call(SYS_getpgid, 0, 0, 0, 0), -ENOTTY);
    fixture_end(&other);
    fixture_end(&fixture);
}
