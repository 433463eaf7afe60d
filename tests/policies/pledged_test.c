// Programs that promise, on glibc, and on musl dynamic and static: those that keep their promises run as without a sandbox, those
// that break them end as the promises say.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/policies/run_program.h"
#include "tests/shim/test.h"

static const struct expectation {
    const char *mode;
    const char *promises;
    int signal; // 0: exits with 0
} expectations[] = {
    {"stdio", "stdio", 0},
    {"stdio", "stdio error", 0},
    {"read", "stdio rpath", 0},
    {"temporary", "stdio tmppath", 0},
    {"temporary", "stdio rpath wpath cpath", 0},
    {"write", "stdio rpath wpath cpath", 0},
    {"attributes", "stdio tmppath fattr chown flock", 0},
    {"inet", "stdio inet", 0},
    {"unix", "stdio unix", 0},
    {"messages", "stdio recvfd sendfd", 0},
    {"names", "stdio dns", 0},
    {"server", "stdio dns", 0}, // glibc's
    {"interfaces", "stdio route", 0},
    {"users", "stdio getpw", 0},
    {"terminal", "stdio tty", 0},
    {"fork", "stdio proc", 0},
    {"system", "stdio rpath proc exec prot_exec", 0},
    {"code", "stdio prot_exec", 0},
    {"identity", "stdio id", 0},
    {"clock", "stdio settime", 0},
    {"landlock", "stdio unveil", 0},
    {"abort", "stdio", SIGABRT},
    {"end", "", 0},

    {"stdio", "", SIGSYS},
    {"open", "stdio", SIGSYS},
    {"open", "stdio wpath cpath", SIGSYS},
    {"open", "stdio error", 0},
    {"create", "stdio rpath wpath", SIGSYS},
    {"create", "stdio rpath error", 0},
    {"temporary", "stdio rpath", SIGSYS},
    {"kill", "stdio", SIGSYS},
    {"kill", "stdio error", 0},
    {"exec", "stdio rpath proc", SIGSYS},
    {"exec", "stdio error", 0},
    {"fork", "stdio", SIGSYS},
    {"code", "stdio", SIGSYS},
    {"socket", "stdio", SIGSYS},
    {"socket", "stdio error", 0},
    {"connect", "stdio anet", SIGSYS},
    {"connect", "stdio anet error", 0},
    {"messages", "stdio", SIGSYS},
    {"messages", "stdio recvfd", SIGSYS},
    {"attributes", "stdio tmppath", SIGSYS},
    {"identity", "stdio", SIGSYS},
    {"clock", "stdio", SIGSYS},
};

static void check_end(const struct expectation *expectation, const struct run_result *result)
{
    int status = result->wait_status;
    CHECK(!result->is_late);
    CHECK_EQ(WIFSIGNALED(status) ? WTERMSIG(status) : 0, expectation->signal);
    if (expectation->signal == 0) {
        CHECK_EQ(status, 0);
        CHECK_CONTAINS(result->output, strcmp(expectation->mode, "end") == 0 ? "" : "kept\n");
    }
    if (status >> 8 == 1) {
        CHECK_STR_EQ(result->output, "");
    }
}

static void run_build(const char *program)
{
    char path[4096];
    if (!run_program_path(program + 1, path, sizeof path)) {
        test_skip("%s is not part of this build", program + 1);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(expectations); i++) {
        if (strcmp(expectations[i].mode, "server") == 0 && strcmp(program, "@pledged") != 0) {
            continue;
        }
        const char *const argv[] = {program, expectations[i].mode, expectations[i].promises, NULL};
        struct run_result result;
        test_message("%s %s '%s'", program, expectations[i].mode, expectations[i].promises);
        REQUIRE(run_program(argv, 60000, &result));
        check_end(&expectations[i], &result);
        free(result.output);
    }
    test_message("%s", "");
}

TEST(pledge, promises_are_kept_and_broken_on_glibc)
{
    run_build("@pledged");
}

TEST(pledge, promises_are_kept_and_broken_on_musl)
{
    run_build("@musl/pledged");
}

TEST(pledge, promises_are_kept_and_broken_on_static_musl)
{
    run_build("@musl_static/pledged");
}
