// Traps inside the dynamic loader, which holds locks of its own.
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "tests/trap/fixture.h"

// The loader asks for the size of what it has opened, and opens what it does not find.
static const struct trap_rule rules[] = {{NR_FSTATAT, ANY, 0, EMULATED_BY(brig_trap_emulate_fstatat_empty_path)},
                                         {SYS_getppid, ANY, 0, {.verb = BRIG_DSL_REPORT, .data = EPERM}}};

static void *load(void *argument)
{
    void *library = dlopen("libanl.so.1", RTLD_NOW | RTLD_LOCAL);
    CHECK(library != NULL);
    CHECK_EQ(library ? dlclose(library) : 0, 0);
    CHECK(dlopen("libthere.is.none.so", RTLD_NOW) == NULL);
    CHECK_EQ(fixture_call(SYS_getppid, 0, 0, 0, 0), -EPERM);
    return argument;
}

SANDBOX_TEST(trap, traps_inside_the_loader_are_answered, .expect_exit = 0)
{
    enum { THREADS = 4 };
    struct trap_fixture fixture;
    pthread_t threads[THREADS];
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    load(NULL);
    CHECK_GT(fixture.slots->emulated, 0);
    for (size_t i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, load, NULL), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    fixture_end(&fixture);
}
