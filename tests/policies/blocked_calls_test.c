// What each libc calls with all signals blocked, measured, against the compiler's table of calls that no row may answer by a trap
// (bpf_dsl/traps.c): nothing is missing there, and nothing stands there without a reason.
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "bpf_dsl/rules.h"
#include "tests/policies/run_program.h"
#include "tests/policies/watch.h"
#include "tests/shim/test.h"

static const char *const modes[] = {"thread", "cancel", "detached", "c11",   "scheduled", "system",      "popen",
                                    "spawn",  "fork",   "abort",    "raise", "timer",     "getaddrinfo", "setuid"};

// Measured, and not in the table: rows may trap them, and pay for it where this is done.
static const struct {
    enum brig_dsl_call call;
    const char *reason;
} exceptions[] = {
    {BRIG_SYS_rt_sigreturn, "mandatory: every policy allows it"},
    {BRIG_SYS_gettid, "mandatory: every policy allows it"},
    {BRIG_SYS_getpid, "glibc's pthread_kill and pthread_cancel of another thread"},
    {BRIG_SYS_tkill, "musl's raise, abort and pthread_cancel; glibc has no use for it, and an emulation of its own"},
    {BRIG_SYS_mmap, "the helper thread of timer_create(SIGEV_THREAD) runs with all signals blocked"},
    {BRIG_SYS_mmap2, "the same"},
    {BRIG_SYS_mprotect, "the same"},
    {BRIG_SYS_membarrier, "the same, in musl"},
    {BRIG_SYS_rt_sigtimedwait, "the same"},
    {BRIG_SYS_timer_delete, "the same, in musl"},
    {BRIG_SYS_pipe2, "musl's posix_spawn hears from its child through a pipe"},
    {BRIG_SYS_read, "the same"},
    {BRIG_SYS_close, "the same"},
    {BRIG_SYS_rt_sigaction, "musl's setuid family, with other threads; children of posix_spawn"},
    {BRIG_SYS_setgid, "musl's setuid family, with other threads"},
};

static const char *exception(enum brig_dsl_call call)
{
    for (size_t i = 0; i < COUNT_OF(exceptions); i++) {
        if (exceptions[i].call == call) {
            return exceptions[i].reason;
        }
    }
    return NULL;
}

static bool is_measured[BRIG_SYS_COUNT];

// What a child of posix_spawn does between clone and execve is not asked for here: a filter that lets a process start another has
// to let it get there, and the child dies alone.
static void note_call(struct watch *watch, const struct watched_call *call)
{
    const enum brig_dsl_call id = brig_dsl_call_by_nr(call->data.nr, brig_dsl_arch_native());
    (void)watch;
    if (call->is_childs) {
        return;
    }
    is_measured[id] = true;
    if (!brig_dsl_blocked_reason(id) && !exception(id)) {
        test_fail(__FILE__, __LINE__, "%s is called with signals blocked, and bpf_dsl/traps.c does not know",
                  brig_dsl_call_name(id));
    }
}

// Returns: whether the program is part of this build.
static bool measure(const char *program)
{
    char path[4096];
    unsigned observed = 0;
    if (!run_program_path(program, path, sizeof path)) {
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        const char *const argv[] = {path, modes[i], NULL};
        struct watch watch = {.on_blocked_call = note_call};
        test_message("%s %s", program, modes[i]);
        if (watch_program(&watch, argv) && strcmp(modes[i], "abort") != 0) {
            CHECK(WIFEXITED(watch.wait_status) && WEXITSTATUS(watch.wait_status) == 0);
        }
        observed += watch.observed;
    }
    test_message("%s", "");
    CHECK_GT(observed, 50);
    return true;
}

static void check_measured(const enum brig_dsl_call *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        test_message("%s", brig_dsl_call_name(calls[i]));
        CHECK(is_measured[calls[i]]);
    }
    test_message("%s", "");
}

TEST(policies, calls_of_glibc_with_signals_blocked_are_known)
{
    static const enum brig_dsl_call expected[] = {BRIG_SYS_clone3,
                                                  BRIG_SYS_exit,
                                                  BRIG_SYS_madvise,
                                                  BRIG_SYS_rseq,
                                                  BRIG_SYS_munmap,
                                                  BRIG_SYS_rt_sigprocmask,
                                                  BRIG_SYS_set_robust_list,
                                                  BRIG_SYS_tgkill,
                                                  BRIG_SYS_sched_setscheduler};
    memset(is_measured, 0, sizeof is_measured);
    if (!measure("blocked_calls")) {
        test_skip("no program without instrumentation in this build");
        return;
    }
    check_measured(expected, COUNT_OF(expected));
}

TEST(policies, calls_of_musl_with_signals_blocked_are_known)
{
    static const enum brig_dsl_call expected[] = {BRIG_SYS_clone,          BRIG_SYS_exit, BRIG_SYS_futex, BRIG_SYS_munmap,
                                                  BRIG_SYS_rt_sigprocmask, BRIG_SYS_fork, BRIG_SYS_tkill};
    memset(is_measured, 0, sizeof is_measured);
    if (!measure("musl/blocked_calls") || !measure("musl_static/blocked_calls")) {
        test_skip("no musl in this build");
        return;
    }
    check_measured(expected, COUNT_OF(expected));
}
