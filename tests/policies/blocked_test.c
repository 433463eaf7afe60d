// What libc calls with SIGSYS blocked, found by watching it, must not trap under the renderer policy, nor under promises that cover
// it: the kernel would kill without a report.
//
// Runs the stress program without a sandbox under ptrace, on every libc of this build. Each call that is made while the calling
// thread blocks SIGSYS is decided by the policies, arguments included.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policies/policies.h"
#include "tests/policies/decide.h"
#include "tests/policies/run_program.h"
#include "tests/shim/test.h"

#define OPTIONS (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)
#define STOP_SYSCALL (SIGTRAP | 0x80)

enum { RENDERER, PROMISES, POLICIES };

struct watch {
    struct decided_policy policies[POLICIES];
    unsigned blocked_calls; // that were decided
};

static bool blocks_sigsys(pid_t tid)
{
    char path[64];
    char text[4096];
    snprintf(path, sizeof path, "/proc/%d/status", (int)tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) {
        close(fd);
    }
    text[bytes > 0 ? bytes : 0] = '\0';
    const char *line = strstr(text, "SigBlk:");
    uint64_t mask = line ? strtoull(line + strlen("SigBlk:"), NULL, 16) : 0;
    return mask & UINT64_C(1) << (SIGSYS - 1);
}

static void judge(const struct decided_policy *policy, const struct brig_dsl_data *data)
{
    char text[80];
    decide(policy, data, text, sizeof text);
    if (strcmp(text, "CRASH") == 0 || strncmp(text, "REPORT", 6) == 0 || strncmp(text, "EMULATE", 7) == 0) {
        const char *name = brig_dsl_call_name(brig_dsl_call_by_nr(data->nr, policy->arch));
        test_fail(__FILE__, __LINE__, "%s(%#" PRIx64 ", %#" PRIx64 ", %#" PRIx64 ") is called with SIGSYS blocked: %s by %s",
                  name ? name : "?", data->args[0], data->args[1], data->args[2], text, policy->policy->name);
    }
}

static void judge_call(struct watch *watch, const struct __ptrace_syscall_info *info)
{
    struct brig_dsl_data data = {.nr = (uint32_t)info->entry.nr, .audit_arch = info->arch, .ip = info->instruction_pointer};
    memcpy(data.args, info->entry.args, sizeof data.args);
    for (size_t i = 0; i < POLICIES; i++) {
        judge(&watch->policies[i], &data);
    }
    watch->blocked_calls++;
}

// Returns: the signal to hand on.
static int handle_stop(struct watch *watch, pid_t tid, int status)
{
    struct __ptrace_syscall_info info;
    int signal = WSTOPSIG(status);
    if (signal == STOP_SYSCALL) {
        long bytes = ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info);
        if (bytes > 0 && info.op == PTRACE_SYSCALL_INFO_ENTRY && blocks_sigsys(tid)) {
            judge_call(watch, &info);
        }
        return 0;
    }
    // Events, and the first stop of a new thread.
    return status >> 16 != 0 || signal == SIGSTOP || signal == SIGTRAP ? 0 : signal;
}

// Follows all threads to their end.
static void follow(struct watch *watch, pid_t pid)
{
    int status;
    for (pid_t tid; (tid = waitpid(-1, &status, __WALL)) > 0;) {
        if (WIFSTOPPED(status)) {
            ptrace(PTRACE_SYSCALL, tid, NULL, handle_stop(watch, tid, status));
        } else if (tid == pid) {
            return;
        }
    }
}

__attribute__((noreturn)) static void be_watched(const char *path, const char *mode)
{
    int null_fd = open("/dev/null", O_RDWR);
    dup2(null_fd, 0);
    dup2(null_fd, 1);
    dup2(null_fd, 2);
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    execl(path, path, mode, "unlocked", (char *)NULL);
    _exit(127);
}

// `stdio` covers all that the modes do but to start processes.
static bool start_policies(struct watch *watch, pid_t pid)
{
    static struct brig_policy_pledge_memory memory;
    const struct brig_dsl_policy *promises;
    return CHECK(brig_policy_pledge("stdio proc", &memory, &promises, NULL) == BRIG_OK) &&
           decide_start(&brig_policy_renderer, brig_dsl_arch_native(), pid, &watch->policies[RENDERER]) &&
           decide_start(promises, brig_dsl_arch_native(), pid, &watch->policies[PROMISES]);
}

// Returns: how many calls were made with SIGSYS blocked.
static unsigned watch_mode(const char *path, const char *mode)
{
    struct watch watch = {.blocked_calls = 0};
    int status;
    test_message("%s %s", path, mode);
    pid_t pid = fork();
    if (pid == 0) {
        be_watched(path, mode);
    }
    if (CHECK(pid > 0) && CHECK_EQ(waitpid(pid, &status, __WALL), pid) && CHECK(WIFSTOPPED(status)) &&
        CHECK_EQ(ptrace(PTRACE_SETOPTIONS, pid, NULL, OPTIONS), 0) && CHECK(start_policies(&watch, pid))) {
        ptrace(PTRACE_SYSCALL, pid, NULL, 0);
        follow(&watch, pid);
        decide_end(&watch.policies[RENDERER]);
        decide_end(&watch.policies[PROMISES]);
    }
    test_message("%s", "");
    return watch.blocked_calls;
}

static void watch_build(const char *program)
{
    static const char *const modes[] = {"pool", "abort", "assert", "abort-thread", "panic", "fork"};
    char path[4096];
    unsigned blocked_calls = 0;
    if (!run_program_path(program, path, sizeof path)) {
        test_skip("%s is not part of this build", program);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        blocked_calls += watch_mode(path, modes[i]);
    }
    CHECK_GT(blocked_calls, 100); // the watching itself works
}

// An instrumented program's own runtime is not libc.
static bool is_instrumented(void)
{
    return brig_policy_for_this_build("renderer") != &brig_policy_renderer;
}

TEST(policies, blocked_calls_of_glibc_do_not_trap)
{
    if (is_instrumented()) {
        test_skip("instrumented");
        return;
    }
    watch_build("stress");
    watch_build("stress_static");
}

TEST(policies, blocked_calls_of_musl_do_not_trap)
{
    if (is_instrumented()) {
        test_skip("instrumented");
        return;
    }
    watch_build("musl/stress");
    watch_build("musl_static/stress");
}
