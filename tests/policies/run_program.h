// run_program: starts a program that stands beside the test binary, and says how it ended and what it wrote.
#ifndef BRIG_TESTS_POLICIES_RUN_PROGRAM_H
#define BRIG_TESTS_POLICIES_RUN_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

struct run_result {
    int wait_status;
    bool is_late; // had to be killed
    char *output; // of stdout and stderr, terminated; cut at 4 MiB
};

// Runs argv, whose first element without a slash is looked for in PATH; "@NAME" elements become paths beside the test binary. stdin
// is /dev/null. Returns: false after failing the running test. Owns: ret_result->output is the caller's to free.
bool run_program(const char *const *argv, int timeout_ms, struct run_result *ret_result);

// Finds a program beside the test binary. Returns: false if it is not there.
bool run_program_path(const char *name, char *ret_path, size_t path_bytes);

#endif
