// The shim tests itself: each test of shim_failures.c must fail, say why, and take no longer than it has to.
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/shim/test.h"

static const struct {
    const char *name;
    const char *says[3];
} failing[] = {
    {"check", {"1 + 1 == 3\n  is false"}},
    {"check_eq_signs", {"-1 == UINT64_MAX", "left:  -1", "right: 18446744073709551615 (0xffffffffffffffff)"}},
    {"check_goes_on", {"left:  one\n  right: two", "left:  NULL\n  right: three"}},
    {"require_returns", {"1 > 2\n  is false"}},
    {"message", {"left:  2 (0x2)\n  right: 2 (0x2)\n  at row 2"}},
    {"in_thread", {"text: a haystack\n  part: needle"}},
    {"in_forked_child", {"6 == 7"}},
    {"many_in_forked_child", {"left:  63 ", "36 more checks failed in children"}},
    {"leaks_descriptor", {"was left open: /dev/zero"}},
    {"leaves_process", {"(shim_failures) was left running"}},
    {"sandboxed_check", {"byte 2 of 3: left 0x63, right 0x64"}},
    {"sandboxed_check_before_expected_death", {"1 >= 2"}},
    {"sandboxed_in_grandchild", {"8 != 8"}},
    {"timeout", {"the test did not end in time"}},
    {"timeout_with_grandchild_in_own_session", {"the test did not end in time"}},
    {"wrong_signal", {"ended with signal 6 (Aborted), expected signal 31 (Bad system call)"}},
    {"no_signal", {"ended with exit status 0, expected signal 31"}},
    {"unexpected_signal", {"ended with signal 11 (Segmentation fault), expected exit status 0"}},
    {"wrong_exit", {"ended with exit status 4, expected exit status 3"}},
    {"sandboxed_descriptor", {"was left open: /dev/zero"}},
    {"sandboxed_reopened_descriptor", {"descriptor 0 was left open: /dev/zero"}},
    {"sandboxed_process", {"(shim_failures) was left running"}},
    {"locked_check", {"20 == 21"}},
    {"locked_descriptor", {"was left open: /dev/zero"}},
    {"skip_does_not_hide_a_failure", {"5 <= 4"}},
    {"skip_does_not_hide_a_death", {"ended with signal 6 (Aborted), expected exit status 0"}},
};

// Runs the tests of shim_failures that match; fills `output`. Returns: the wait status, or -1.
static int run_failures(const char *filter, char *output, size_t output_bytes)
{
    char path[512], command[768];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length < 0)
        return -1;
    path[length] = '\0';
    snprintf(command, sizeof command, "'%s/shim_failures' '--gtest_filter=%s' 2>&1", dirname(path), filter);
    FILE *pipe = popen(command, "re");
    if (!pipe)
        return -1;
    output[fread(output, 1, output_bytes - 1, pipe)] = '\0';
    return pclose(pipe);
}

TEST(shim, failures_are_found)
{
    for (size_t i = 0; i < COUNT_OF(failing); i++) {
        char filter[128], output[64 * 1024];
        test_message("failures.%s", failing[i].name);
        snprintf(filter, sizeof filter, "failures.%s", failing[i].name);
        int status = run_failures(filter, output, sizeof output);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
        CHECK_CONTAINS(output, "[  FAILED  ] failures.");
        CHECK(!strstr(output, "[       OK ]"));
        for (size_t j = 0; j < COUNT_OF(failing[i].says) && failing[i].says[j]; j++)
            CHECK_CONTAINS(output, failing[i].says[j]);
    }
}

TEST(shim, require_leaves_the_function)
{
    char output[64 * 1024];
    run_failures("failures.require_returns", output, sizeof output);
    CHECK(!strstr(output, "REQUIRE went on"));
}

TEST(shim, expected_ends_pass)
{
    char output[64 * 1024];
    CHECK_EQ(run_failures("passes.*", output, sizeof output), 0);
    CHECK_CONTAINS(output, "[       OK ] passes.locked_death");
    CHECK_CONTAINS(output, "[  SKIPPED ] passes.skip");
    CHECK_CONTAINS(output, "this kernel has no time machine");
}

TEST(shim, numbers_compare_as_numbers)
{
    CHECK_EQ((unsigned char)200, 200L);
    CHECK_EQ(INT64_C(-1), (signed char)-1);
    CHECK_LT(INT64_MIN, 0U);
    CHECK_GT(UINT64_MAX, INT64_MAX);
    CHECK_NE((int32_t)-1, UINT32_MAX);
    CHECK_EQ(true, 1);
    CHECK_EQ(&failing[1], failing + 1);
    CHECK_GE(2, 2);
    CHECK_LE(-3, -2);
}

SANDBOX_TEST(shim, signals_can_be_expected, .expect_signal = SIGUSR1)
{
    kill(getpid(), SIGUSR1);
}

SANDBOX_TEST(shim, exits_can_be_expected, .expect_exit = 7)
{
    _exit(7);
}

SANDBOX_TEST(shim, child_leads_its_process_group, .expect_exit = 0)
{
    CHECK_EQ(getpgrp(), getpid());
}

SANDBOX_TEST(shim, descriptors_may_be_closed, .expect_exit = 0)
{
    close(STDIN_FILENO);
}
