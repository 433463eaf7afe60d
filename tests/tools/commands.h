// commands: command lines of brig with what they must print and how they must exit.
#ifndef BRIG_TESTS_TOOLS_COMMANDS_H
#define BRIG_TESTS_TOOLS_COMMANDS_H

#include <stddef.h>

#include "tests/shim/test.h"

#define COMMAND_OUTPUT_BYTES_MAX 524288

struct command {
    const char *command; // for the shell; brig is the one that was built beside the test
    int exit_status;
    const char *says[6]; // in standard output or standard error
};

struct command_outcome {
    int exit_status; // -1: did not exit
    size_t bytes;
    char text[COMMAND_OUTPUT_BYTES_MAX]; // standard output and standard error, as they came
};

// Runs a line of a shell. Returns: false if that was not possible.
bool command_run(const char *line, struct command_outcome *ret_outcome);

// Runs every row and checks it.
void check_commands(const struct command *rows, size_t row_count);

#endif
