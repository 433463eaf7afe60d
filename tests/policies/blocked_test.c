// What libc calls with SIGSYS blocked, found by watching it, must not trap under the renderer policy, nor under promises that cover
// it: the kernel would kill without a report.
//
// Runs the stress program without a sandbox under ptrace, on every libc of this build. Each call that is made while the calling
// thread blocks SIGSYS is decided by the policies, arguments included.
#include <inttypes.h>
#include <string.h>

#include "policies/policies.h"
#include "tests/policies/decide.h"
#include "tests/policies/run_program.h"
#include "tests/policies/watch.h"
#include "tests/shim/test.h"

enum { RENDERER, PROMISES, POLICIES };

struct judges {
    bool have_started;
    struct decided_policy policies[POLICIES];
};

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

// `stdio` covers all that the modes do but to start processes.
static bool start_policies(struct judges *judges, int pid)
{
    static struct brig_policy_pledge_memory memory;
    const struct brig_dsl_policy *promises;
    return CHECK(brig_policy_pledge("stdio proc", &memory, &promises, NULL) == BRIG_OK) &&
           decide_start(&brig_policy_renderer, brig_dsl_arch_native(), pid, &judges->policies[RENDERER]) &&
           decide_start(promises, brig_dsl_arch_native(), pid, &judges->policies[PROMISES]);
}

static void judge_call(struct watch *watch, const struct watched_call *call)
{
    struct judges *judges = watch->data;
    judges->have_started = judges->have_started || start_policies(judges, watch->pid);
    for (size_t i = 0; judges->have_started && i < POLICIES; i++) {
        judge(&judges->policies[i], &call->data);
    }
}

// Returns: how many calls were made with SIGSYS blocked.
static unsigned watch_mode(const char *path, const char *mode)
{
    const char *const argv[] = {path, mode, "unlocked", NULL};
    struct judges judges = {.have_started = false};
    struct watch watch = {.on_blocked_call = judge_call, .data = &judges};
    test_message("%s %s", path, mode);
    watch_program(&watch, argv);
    for (size_t i = 0; judges.have_started && i < POLICIES; i++) {
        decide_end(&judges.policies[i]);
    }
    test_message("%s", "");
    return watch.observed;
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
