// Policies that other CPUs' compilers built, on those CPUs (by qemu), give the same programs as here, byte for byte.
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/policies/run_program.h"
#include "tests/shim/test.h"

// Says where two long texts part, instead of printing both.
static void check_same_text(const char *left, const char *right)
{
    size_t line = 1;
    size_t at = 0;
    for (; left[at] && left[at] == right[at]; at++) {
        line += left[at] == '\n';
    }
    if (left[at] != right[at]) {
        test_fail(__FILE__, __LINE__, "outputs differ from line %zu on", line);
    }
}

TEST(policies, cross_compiled_policies_are_the_same_to_the_byte)
{
    static const struct {
        const char *what;
        const char *argv[4];
    } others[] = {
        {"i386", {"qemu-i386", "@i386/policy_bytes", NULL}},
        {"aarch64", {"qemu-aarch64", "@aarch64/policy_bytes", NULL}},
    };
    static const char *const own[] = {"@policy_bytes", NULL};
    struct run_result here;
    REQUIRE(run_program(own, 30000, &here));
    CHECK_EQ(here.wait_status, 0);
    CHECK_GT(strlen(here.output), 10000);
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        struct run_result there;
        test_message("%s", others[i].what);
        char path[4096];
        if (!run_program_path(others[i].argv[1] + 1, path, sizeof path)) {
            test_skip("%s is not part of this build", others[i].argv[1] + 1);
            continue;
        }
        REQUIRE(run_program(others[i].argv, 60000, &there));
        CHECK_EQ(there.wait_status, 0);
        check_same_text(here.output, there.output);
        free(there.output);
    }
    free(here.output);
    test_message("%s", "");
}
