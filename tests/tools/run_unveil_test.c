// brig run --unveil: a program's files in OpenBSD's letters.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policies/policies.h"
#include "tests/policies/run_program.h"
#include "tests/shim/test.h"

enum { TIMEOUT_MS = 60000, PATH_BYTES = 64 };

static bool write_file(const char *path)
{
    FILE *file = fopen(path, "we");
    return CHECK(file && fputs("content\n", file) >= 0 && fclose(file) == 0);
}

static void check_run(const char *permissions, const char *folder, const char *file, const char *says)
{
    char unveil[PATH_BYTES + 16];
    struct run_result result;
    snprintf(unveil, sizeof unveil, "%s:%s", folder, permissions);
    test_message("%s", unveil);
    if (run_program((const char *const[]){"@brig", "run", "--unveil", unveil, "--", "cat", file, NULL}, TIMEOUT_MS, &result)) {
        CHECK_CONTAINS(result.output, says);
        CHECK_EQ(WEXITSTATUS(result.wait_status) == 0, strcmp(says, "content\n") == 0);
        free(result.output);
    }
    test_message("%s", "");
}

TEST(run, unveils_in_the_letters_of_openbsd)
{
    char folder[] = "/tmp/brig-unveil-XXXXXX";
    char file[PATH_BYTES], other[PATH_BYTES];
    if (brig_policy_for_this_build("renderer") != &brig_policy_renderer) {
        test_skip("programs know nothing of sanitizers");
        return;
    }
    REQUIRE(mkdtemp(folder) != NULL);
    snprintf(file, sizeof file, "%s/file", folder);
    snprintf(other, sizeof other, "%s/other", folder);
    if (write_file(file) && write_file(other)) {
        check_run("r", folder, file, "content\n");
        check_run("r", file, file, "content\n");
        check_run("r", file, other, "brig: denied openat(\"");
        check_run("w", folder, file, "brig: denied openat(\"");
        check_run("", folder, file, "brig: denied openat(\"");
        check_run("rz", folder, file, "'rz'");
        check_run("r", "tmp/none", file, "brig: denied openat(\""); // what is not there may be named, and is missing
    }
    unlink(file);
    unlink(other);
    rmdir(folder);
}
