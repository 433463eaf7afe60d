// The shim's driver where there is no googletest (musl): prints the same lines. Takes one --gtest_filter=PATTERN, a shell pattern.
#include <fnmatch.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "tests/shim/runner.h"

static atomic_uint failures;

void test_driver_failure(const char *file, int line, const char *text)
{
    printf("%s:%d: Failure\n%s\n", file, line, text);
    atomic_fetch_add(&failures, 1);
}

static const char *run(const struct test_case *test, const char *name)
{
    printf("[ RUN      ] %s\n", name);
    atomic_store(&failures, 0);
    const char *skipped = test_runner_run(test);
    const char *verdict = atomic_load(&failures) ? "  FAILED  " : skipped ? "  SKIPPED " : "       OK ";
    if (skipped)
        printf("Skipped\n%s\n", skipped);
    printf("[%s] %s\n", verdict, name);
    fflush(stdout);
    return verdict;
}

int main(int argc, char **argv)
{
    static const char option[] = "--gtest_filter=";
    const char *pattern = argc == 2 && strncmp(argv[1], option, sizeof option - 1) == 0 ? argv[1] + sizeof option - 1 : "*";
    unsigned failed = 0;
    if (!test_runner_start())
        return 2;
    for (const struct test_case *test = test_runner_first(); test; test = test->next) {
        char name[128];
        snprintf(name, sizeof name, "%s.%s", test->room, test->name);
        if (fnmatch(pattern, name, 0) == 0 && strstr(run(test, name), "FAILED"))
            failed++;
    }
    printf("%u tests FAILED\n", failed);
    return failed != 0;
}
