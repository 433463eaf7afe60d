// The stress program under the renderer policy and under stdio, unchanged: on glibc and musl, dynamic and static.
//
// Each mode must end as it does without a sandbox; SIGSYS would mean that libc made a call that nobody listed. Exceptions to that
// are written down here, with their reason in policies/restrict_kill.c; and modes that do what stdio does not promise.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "policies/policies.h"
#include "tests/policies/run_program.h"
#include "tests/shim/test.h"

enum { GLIBC = 1, MUSL = 2, ANY = 3 };

static const struct build {
    const char *program;
    int libc;
} builds[] = {
    {"@stress", GLIBC},
    {"@stress_static", GLIBC},
    {"@musl/stress", MUSL},
    {"@musl_static/stress", MUSL},
};

static const struct expectation {
    const char *mode;
    int libc;
    int exit_status;
    int signal; // 0: exits
    const char *says;
    bool only_plain; // another end, or none to speak of, under a sanitizer and under renderer+debug
    bool breaks_stdio;
} expectations[] = {
    {"pool", ANY, 0, 0, "pool done", false, false},
    {"exceptions", ANY, 0, 0, "", false, false},
    {"abort", ANY, 0, SIGABRT, "", false, false},
    {"assert", ANY, 0, SIGABRT, "the panic message", false, false},
    {"abort-thread", GLIBC, 0, SIGABRT, "", false, false},
    {"abort-thread", MUSL, 0, SIGSEGV, "", false, false}, // tkill of a thread that a filter cannot know
    {"panic", ANY, 0, SIGABRT, "panic: thread main", false, false},
    {"panic-cold", ANY, 0, SIGABRT, "panic: thread main", false, false},
    {"double-free", GLIBC, 0, SIGABRT, "double free detected", true, false},
    {"double-free", MUSL, 0, SIGSEGV, "", true, false}, // an instruction that traps
    {"fork", ANY, 0, 0, "", true, true},
    {"probe", ANY, 0, 0, "", true, true},
    {"isatty", ANY, 0, 0, "", false, false},
};

static void check_end(const struct expectation *expectation, bool is_pledged, const struct run_result *result)
{
    bool is_broken = is_pledged && expectation->breaks_stdio;
    CHECK(!result->is_late);
    if (expectation->signal || is_broken) {
        CHECK(WIFSIGNALED(result->wait_status));
        CHECK_EQ(WIFSIGNALED(result->wait_status) ? WTERMSIG(result->wait_status) : 0, is_broken ? SIGSYS : expectation->signal);
    } else {
        CHECK_EQ(result->wait_status, expectation->exit_status << 8);
    }
    CHECK_CONTAINS(result->output, expectation->says);
}

// `pledge` is NULL for the renderer policy.
static void run_build(const struct build *build, const char *pledge)
{
    bool is_instrumented = strcmp(brig_policy_for_this_build("renderer")->name, "renderer") != 0;
    for (size_t i = 0; i < COUNT_OF(expectations); i++) {
        if (!(expectations[i].libc & build->libc) || (is_instrumented && expectations[i].only_plain)) {
            continue;
        }
        const char *const argv[] = {build->program, expectations[i].mode, pledge, NULL};
        struct run_result result;
        test_message("%s %s %s", build->program, expectations[i].mode, pledge ? pledge : "");
        REQUIRE(run_program(argv, 60000, &result));
        check_end(&expectations[i], pledge != NULL, &result);
        free(result.output);
    }
    test_message("%s", "");
}

// Instrumented builds have the first alone, and run it under renderer+debug; promises have no such form.
static void run_if_built(const struct build *build)
{
    char path[4096];
    if (run_program_path(build->program + 1, path, sizeof path)) {
        run_build(build, NULL);
        if (brig_policy_for_this_build("renderer") == &brig_policy_renderer) {
            run_build(build, "pledge:stdio");
        }
    } else {
        test_skip("%s is not part of this build", build->program + 1);
    }
}

TEST(policies, threads_and_last_words_on_glibc)
{
    run_if_built(&builds[0]);
}

TEST(policies, threads_and_last_words_on_static_glibc)
{
    run_if_built(&builds[1]);
}

TEST(policies, threads_and_last_words_on_musl)
{
    run_if_built(&builds[2]);
}

TEST(policies, threads_and_last_words_on_static_musl)
{
    run_if_built(&builds[3]);
}
