// Decisions of every policy, as a table: a call, and what each policy says. All arches that have the call must agree. A row of a
// policy that no line here reaches is a failure: every row is a claim, and every claim has a test.
#include <stdio.h>
#include <string.h>

#include "policies/policies.h"
#include "tests/policies/decide.h"
#include "tests/shim/test.h"

enum { BASELINE = 1, RENDERER = 2, NETWORK = 4, ALL = 7, WORKERS = RENDERER | NETWORK };
enum { FILES = 8, ADDRESSES = 16, BROKERS = FILES | ADDRESSES }; // broker, broker+network
enum { FILE_WORKER = 64, PROGRAM = 128, FRONT = 256 };           // files, program, notify

static const struct policy_bit {
    unsigned bit;
    const struct brig_dsl_policy *policy;
} policies[] = {{BASELINE, &brig_policy_baseline}, {RENDERER, &brig_policy_renderer}, {NETWORK, &brig_policy_network},
                {FILE_WORKER, &brig_policy_files}, {FILES, &brig_policy_broker},      {ADDRESSES, &brig_policy_broker_network},
                {PROGRAM, &brig_policy_program},   {FRONT, &brig_policy_notify}};

static const struct {
    const char *call;
    unsigned policies;
    const char *expected;
} decisions[] = {
#include "tests/policies/decisions.def"
#include "tests/policies/files.def"
#include "tests/policies/program.def"
};

// Runs all decisions on all arches.
static void run_decisions(struct decide_reached *reached)
{
    bool existed[COUNT_OF(decisions)] = {false};
    for (size_t p = 0; p < COUNT_OF(policies); p++) {
        for (int arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
            struct decided_policy policy;
            REQUIRE(decide_start(policies[p].policy, (enum brig_dsl_arch)arch, DECIDE_SELF_PID, &policy));
            for (size_t i = 0; i < COUNT_OF(decisions); i++) {
                if (decisions[i].policies & policies[p].bit) {
                    existed[i] |= decide_check(&policy, decisions[i].call, decisions[i].expected, reached);
                }
            }
            decide_end(&policy);
        }
    }
    for (size_t i = 0; i < COUNT_OF(decisions); i++) {
        test_message("%s", decisions[i].call);
        CHECK(existed[i]);
    }
    test_message("%s", "");
}

TEST(policies, calls_are_decided_as_the_tables_say_and_every_row_is_reached)
{
    static struct decide_reached reached;
    reached.count = 0;
    run_decisions(&reached);
    for (size_t i = 0; i < COUNT_OF(policies); i++) {
        decide_check_reached(policies[i].policy->rows, &reached, false); // promises have pledge.def
    }
    test_message("%s", "");
}

// --- what does not depend on rows -------------------------------------------------------------------------------------

TEST(policies, foreign_arches_and_x32_crash_and_unknown_numbers_do_not_exist)
{
    static const struct {
        const char *what;
        uint32_t nr;
        uint32_t audit_arch;
        const char *expected;
    } rows[] = {
        {"i386 dup2", 63, 0x40000003, "CRASH"},
        {"i386 read, which is also a number of x86_64", 3, 0x40000003, "CRASH"},
        {"aarch64 getpid", 172, 0xc00000b7, "CRASH"},
        {"x32 read", 0x40000000, 0xc000003e, "CRASH"},
        {"x32 dup2", 0x40000021, 0xc000003e, "CRASH"},
        {"no call", 1000, 0xc000003e, "ENOSYS"},
        {"no call, far", 0x3fffffff, 0xc000003e, "ENOSYS"},
    };
    for (size_t p = 0; p < COUNT_OF(policies); p++) {
        struct decided_policy policy;
        REQUIRE(decide_start(policies[p].policy, BRIG_DSL_X86_64, DECIDE_SELF_PID, &policy));
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            struct brig_dsl_data data = {.nr = rows[i].nr, .audit_arch = rows[i].audit_arch};
            char text[80];
            test_message("%s under %s", rows[i].what, policies[p].policy->name);
            decide(&policy, &data, text, sizeof text);
            CHECK_STR_EQ(text, rows[i].expected);
        }
        decide_end(&policy);
    }
    test_message("%s", "");
}

TEST(policies, every_row_and_set_has_a_reason)
{
    for (size_t p = 0; p < COUNT_OF(policies); p++) {
        struct decided_policy policy;
        REQUIRE(decide_start(policies[p].policy, BRIG_DSL_X86_64, DECIDE_SELF_PID, &policy));
        for (int call = BRIG_SYS_NONE + 1; call < BRIG_SYS_COUNT; call++) {
            const struct brig_dsl_call_rules *rules = brig_dsl_rules_of(&policy.rules, (enum brig_dsl_call)call);
            for (uint32_t i = 0; i < rules->rule_count; i++) {
                test_message("%s: %s, rule %u", policies[p].policy->name, brig_dsl_call_name((enum brig_dsl_call)call), i);
                CHECK(rules->rules[i]->why && strlen(rules->rules[i]->why) > 10);
            }
        }
        decide_end(&policy);
    }
    for (size_t i = 0; brig_policy_all_sets[i]; i++) {
        test_message("set %s", brig_policy_all_sets[i]->name);
        CHECK(strlen(brig_policy_all_sets[i]->why) > 10);
    }
    test_message("%s", "");
}

// What libc calls with all signals blocked kills without a report where it traps: it must be let through or refused by errno.
TEST(policies, nothing_that_libc_calls_with_signals_blocked_traps)
{
    static const char *const calls[] = {
        "clone()",
        "clone3()",
        "clone(flags=SIGCHLD)",
        "clone(flags=CLONE_VM|CLONE_VFORK|SIGCHLD)",
        "rseq()",
        "set_robust_list()",
        "set_tid_address()",
        "madvise(advice=MADV_DONTNEED)",
        "madvise(advice=102)",
        "madvise(advice=9999)",
        "munmap()",
        "futex(op=FUTEX_WAKE)",
        "futex(op=FUTEX_LOCK_PI)",
        "rt_sigprocmask()",
        "exit()",
        "tkill(tid=1)",
        "sched_setscheduler(pid=77)",
        "sched_setaffinity(pid=77)",
        "sched_setparam(pid=77)",
        "membarrier(cmd=99)",
        "tgkill(tgid=SELF, tid=77, sig=6)",
        "rt_sigaction(sig=SIGABRT)",
        "fork()",
        "vfork()",
    };
    for (size_t p = 0; p < COUNT_OF(policies); p++) {
        struct decided_policy policy;
        REQUIRE(decide_start(policies[p].policy, BRIG_DSL_X86_64, DECIDE_SELF_PID, &policy));
        for (size_t i = 0; i < COUNT_OF(calls); i++) {
            struct brig_dsl_data data;
            char text[80];
            REQUIRE(decide_read(calls[i], BRIG_DSL_X86_64, &data) == DECIDE_READ);
            decide(&policy, &data, text, sizeof text);
            test_message("%s under %s: %s", calls[i], policies[p].policy->name, text);
            CHECK(strcmp(text, "ALLOW") == 0 || text[0] == 'E');
            CHECK(strncmp(text, "EMULATE", 7) != 0);
        }
        decide_end(&policy);
    }
    test_message("%s", "");
}

TEST(policies, policies_are_found_by_name)
{
    CHECK(brig_policy_by_name("renderer") == &brig_policy_renderer);
    CHECK(brig_policy_by_name("rendere") == NULL);
    CHECK(brig_policy_by_name("") == NULL);
    CHECK(brig_policy_for_this_build("no such policy") == NULL);
    // The overlay is in instrumented builds and in no other.
    CHECK_EQ(brig_policy_by_name("renderer+debug") == NULL, TEST_IS_PLAIN);
    CHECK_EQ(brig_policy_for_this_build("renderer") == &brig_policy_renderer, TEST_IS_PLAIN);
}
