// Between the shim's two halves: runner.c runs one test and judges it; a driver (googletest.cc, or plain.c where there is no
// googletest) chooses tests and prints.
#ifndef BRIG_TESTS_SHIM_RUNNER_H
#define BRIG_TESTS_SHIM_RUNNER_H

#include "tests/shim/test.h"

#ifdef __cplusplus
extern "C" {
#endif

// Prepares this process; call once, before anything else. Returns: false, after saying why on stderr, if tests cannot be run here.
bool test_runner_start(void);

// Returns: the first registered test; the others follow through `next`.
const struct test_case *test_runner_first(void);

// Runs one test to its end, every process of it included; failures reach the driver during and after it.
// Returns: NULL, or why the test was skipped (valid until the next call).
const char *test_runner_run(const struct test_case *test);

// Given by the driver: a check failed in this process, in any thread of it, or in a child that has ended by now.
void test_driver_failure(const char *file, int line, const char *text);

#ifdef __cplusplus
}
#endif
#endif
