// Questions of programs: a call that the policy asks about is decided by the host, from copies, with an errno, a result, a
// descriptor or death; whatever the program has in its memory by then.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bpf_dsl/words.h"
#include "policies/policies.h"
#include "sandbox/program.h"
#include "sandbox/report.h"
#include "tests/policies/run_program.h"
#include "tests/sandbox/fixture.h"

static const struct brig_dsl_row asking_rows[] = {
    WHY("the host says what is opened"),
    ROW(openat, NOTIFY, IN(flags, O_RDONLY | O_CLOEXEC)),
    ROW(open, NOTIFY, IN(flags, O_RDONLY | O_CLOEXEC)),
    ROWS_END,
};
static const struct brig_dsl_policy asking_policy = {.name = "asking",
                                                     .base = &brig_policy_program,
                                                     .rows = asking_rows,
                                                     FALLBACK(CRASH),
                                                     .kernel = BRIG_DSL_KERNEL(6, 18),
                                                     .libc = "any"};

// What is answered to the next question, and what was asked.
static struct {
    struct brig_answer answer;
    int asked;
    char path[64];
    int pid;
    int program_pid;
    enum brig_dsl_call call;
} host;

static void decide(void *context, const struct brig_question *question, struct brig_answer *ret_answer)
{
    (void)context;
    host.asked++;
    host.call = question->call;
    host.pid = question->pid;
    host.program_pid = brig_program_pid(question->worker);
    if (question->pointee_count == 1 && question->pointees[0].size_bytes < sizeof host.path) {
        memcpy(host.path, question->pointees[0].bytes, question->pointees[0].size_bytes);
        host.path[question->pointees[0].size_bytes] = '\0';
    }
    *ret_answer = host.answer;
}

static char *environment[] = {NULL};

// Runs the visitor's `cat` on a name, with `output_fd` as its stdout.
static bool run_visitor(struct fixture *fixture, const char *name, int output_fd)
{
    char path[512], cat[] = "cat", argument[64] = "";
    char *arguments[] = {cat, cat, argument, NULL};
    const struct brig_program_spec spec = {.name = "visitor",
                                           .file = path,
                                           .argv = arguments,
                                           .envp = environment,
                                           .policy = &asking_policy,
                                           .front_policy = brig_policy_for_this_build("notify")};
    struct brig_error error;
    const int before = dup(STDOUT_FILENO);
    snprintf(argument, sizeof argument, "%s", name);
    dup2(output_fd, STDOUT_FILENO);
    const bool is_found = run_program_path("program_visitor", path, sizeof path);
    const enum brig_code code = is_found ? brig_supervisor_run(fixture->supervisor, &spec, NULL, &error) : BRIG_IO;
    dup2(before, STDOUT_FILENO);
    close(before);
    return CHECK(is_found) && CHECK_OK(code, &error) && CHECK(fixture_run(fixture, 1));
}

static void check_answer(const struct brig_answer *answer, bool has_host, int wait_status, const char *output)
{
    const struct brig_supervisor_options options = {.on_question = has_host ? decide : NULL};
    struct fixture fixture = {.count = 0};
    char text[64] = "";
    const int output_fd = memfd_create("output", MFD_CLOEXEC);
    memset(&host, 0, sizeof host);
    host.answer = *answer;
    REQUIRE(fixture_open_with(&fixture, &options));
    REQUIRE(run_visitor(&fixture, "/some/name", output_fd));
    const int last = fixture_find(&fixture, BRIG_EVENT_EXIT, 0);
    CHECK_EQ(fixture.events[last].wait_status, wait_status);
    CHECK_GE(pread(output_fd, text, sizeof text - 1, 0), 0);
    CHECK_STR_EQ(text, output);
    CHECK_EQ(host.asked, has_host ? 1 : 0);
    if (has_host) {
        CHECK_STR_EQ(host.path, "/some/name");
        CHECK_EQ(host.pid, host.program_pid);
        CHECK(host.call == BRIG_SYS_openat || host.call == BRIG_SYS_open);
    }
    close(output_fd);
    fixture_close(&fixture);
}

SANDBOX_TEST(program, a_question_is_answered_with_an_errno, .expect_exit = 0)
{
    check_answer(&(struct brig_answer){.kind = BRIG_ANSWER_ERRNO, .value = EILSEQ, .descriptor = -1}, true, 1 << 8, "errno 84\n");
}

SANDBOX_TEST(program, a_question_is_answered_with_a_descriptor, .expect_exit = 0)
{
    const int fd = memfd_create("given", MFD_CLOEXEC);
    CHECK_EQ(write(fd, "from the host\n", 14), 14);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    check_answer(&(struct brig_answer){.kind = BRIG_ANSWER_RESULT, .descriptor = fd}, true, 0, "from the host\n");
    CHECK_EQ(fcntl(fd, F_GETFD), -1); // the supervisor has closed it
}

SANDBOX_TEST(program, a_question_is_answered_with_a_number, .expect_exit = 0)
{
    // No descriptor of the program's: reading it fails.
    check_answer(&(struct brig_answer){.kind = BRIG_ANSWER_RESULT, .value = 77, .descriptor = -1}, true, 1 << 8, "errno 9\n");
}

SANDBOX_TEST(program, a_question_is_answered_with_death, .expect_exit = 0)
{
    check_answer(&(struct brig_answer){.kind = BRIG_ANSWER_KILL, .descriptor = -1}, true, SIGSYS, "");
}

SANDBOX_TEST(program, an_answer_out_of_its_range_is_enosys, .expect_exit = 0)
{
    check_answer(&(struct brig_answer){.kind = BRIG_ANSWER_RESULT, .value = -5, .descriptor = -1}, true, 1 << 8, "errno 38\n");
    const int fd = memfd_create("given", MFD_CLOEXEC);
    check_answer(&(struct brig_answer){.kind = BRIG_ANSWER_ERRNO, .value = 1, .descriptor = fd}, true, 1 << 8, "errno 38\n");
    CHECK_EQ(fcntl(fd, F_GETFD), -1);
}

SANDBOX_TEST(program, a_question_to_nobody_is_enosys, .expect_exit = 0)
{
    check_answer(&(struct brig_answer){.descriptor = -1}, false, 1 << 8, "errno 38\n");
}
