// commands: see commands.h.
#include "tests/tools/commands.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

bool command_run(const char *line, struct command_outcome *ret_outcome)
{
    char directory[4096];
    char command[8192];
    ssize_t length = readlink("/proc/self/exe", directory, sizeof directory - 1);
    if (length < 0) {
        return false;
    }
    directory[length] = '\0';
    *strrchr(directory, '/') = '\0';
    snprintf(command, sizeof command, "PATH='%s':\"$PATH\"; { %s; } 2>&1", directory, line);
    FILE *pipe = popen(command, "re");
    if (pipe == NULL) {
        return false;
    }
    ret_outcome->bytes = fread(ret_outcome->text, 1, sizeof ret_outcome->text - 1, pipe);
    ret_outcome->text[ret_outcome->bytes] = '\0';
    int status = pclose(pipe);
    ret_outcome->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return true;
}

void check_commands(const struct command *rows, size_t row_count)
{
    static struct command_outcome outcome;
    for (size_t i = 0; i < row_count; i++) {
        test_message("%s", rows[i].command);
        if (!CHECK(command_run(rows[i].command, &outcome))) {
            continue;
        }
        CHECK_EQ(outcome.exit_status, rows[i].exit_status);
        for (size_t j = 0; j < COUNT_OF(rows[i].says) && rows[i].says[j] != NULL; j++) {
            CHECK_CONTAINS(outcome.text, rows[i].says[j]);
        }
    }
    test_message("%s", "");
}
