// Policies of promises: what each promise lets through, as a table; that a promise more never allows less; and how promises are
// read.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policies/pledge/pledge.h"
#include "policies/policies.h"
#include "tests/policies/decide.h"
#include "tests/shim/test.h"

static const struct {
    const char *promises;
    const char *call;
    const char *expected;
} decisions[] = {
#include "tests/policies/pledge.def"
};

// --- policies ---------------------------------------------------------------------------------------------------------

struct pledged {
    struct brig_policy_pledge_memory memory;
    struct decided_policy policy;
};

static bool start(struct pledged *pledged, const char *promises, enum brig_dsl_arch arch)
{
    struct brig_error error;
    const struct brig_dsl_policy *policy;
    char text[BRIG_ERROR_TEXT_BYTES];
    if (brig_policy_pledge(promises, &pledged->memory, &policy, &error) != BRIG_OK) {
        test_fail(__FILE__, __LINE__, "'%s': %s", promises, brig_error_format(&error, text, sizeof text));
        return false;
    }
    return decide_start(policy, arch, DECIDE_SELF_PID, &pledged->policy);
}

#define ALL_BYTES 400

// All promises but `error`, and what else is asked for.
static void write_all_promises(const char *and, char ret_text[ALL_BYTES])
{
    size_t used = 0;
    for (const struct brig_policy_promise *promise = brig_policy_all_promises; promise->name; promise++) {
        if (strcmp(promise->name, "error") != 0) {
            used += (size_t)snprintf(ret_text + used, ALL_BYTES - used, "%s ", promise->name);
        }
    }
    snprintf(ret_text + used, ALL_BYTES - used, "%s", and);
}

// --- decisions --------------------------------------------------------------------------------------------------------

static struct decide_reached reached;

// Decides the lines from `first` on that have the same promises, on every arch. Returns: the first line behind them.
static size_t run_group(size_t first)
{
    bool existed[COUNT_OF(decisions)] = {false};
    size_t end = first;
    while (end < COUNT_OF(decisions) && strcmp(decisions[end].promises, decisions[first].promises) == 0) {
        end++;
    }
    for (int arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
        struct pledged pledged;
        if (!start(&pledged, decisions[first].promises, (enum brig_dsl_arch)arch)) {
            return end;
        }
        for (size_t i = first; i < end; i++) {
            existed[i] |= decide_check(&pledged.policy, decisions[i].call, decisions[i].expected, &reached);
        }
        decide_end(&pledged.policy);
    }
    for (size_t i = first; i < end; i++) {
        test_message("%s", decisions[i].call);
        CHECK(existed[i]);
    }
    return end;
}

TEST(pledge, calls_are_decided_as_the_table_says_and_every_row_is_reached)
{
    reached.count = 0;
    for (size_t i = 0; i < COUNT_OF(decisions);) {
        i = run_group(i);
    }
#define GRANT(table, promises) decide_check_reached(policy_pledge_##table, &reached, true);
#include "policies/pledge/grants.def"
#undef GRANT
    decide_check_reached(policy_pledge_always, &reached, true);
    decide_check_reached(policy_pledge_rest_kills, &reached, true);
    decide_check_reached(policy_pledge_rest_fails, &reached, true);
    test_message("%s", "");
}

static bool is_answer(const char *table)
{
    size_t bytes = strlen(table);
    return bytes > strlen("_answers") && strcmp(table + bytes - strlen("_answers"), "_answers") == 0;
}

static void check_only_allows(const char *table, const struct brig_dsl_row *rows)
{
    for (const struct brig_dsl_row *row = rows; row->kind != BRIG_DSL_ROW_END && !is_answer(table); row++) {
        test_message("%s: %s:%d", table, row->file, row->line);
        CHECK(row->kind == BRIG_DSL_ROW_WHY || (row->kind == BRIG_DSL_ROW_CALL && row->action.verb == BRIG_DSL_ALLOW));
    }
}

TEST(pledge, promises_only_allow)
{
#define GRANT(table, promises) check_only_allows(#table, policy_pledge_##table);
#include "policies/pledge/grants.def"
#undef GRANT
    test_message("%s", "");
}

TEST(pledge, every_rule_has_a_reason_and_error_never_kills)
{
    char all[ALL_BYTES];
    char all_and_error[ALL_BYTES];
    write_all_promises("", all);
    write_all_promises("error", all_and_error);
    const char *const sets[] = {"", "stdio", all, "error", "stdio error", all_and_error};
    for (size_t s = 0; s < COUNT_OF(sets); s++) {
        struct pledged pledged;
        bool may_fail = strstr(sets[s], "error") != NULL;
        REQUIRE(start(&pledged, sets[s], brig_dsl_arch_native()));
        for (int call = BRIG_SYS_NONE + 1; call < BRIG_SYS_COUNT; call++) {
            const struct brig_dsl_call_rules *rules = brig_dsl_rules_of(&pledged.policy.rules, (enum brig_dsl_call)call);
            for (uint32_t i = 0; i < rules->rule_count; i++) {
                test_message("'%s': %s, rule %u", sets[s], brig_dsl_call_name((enum brig_dsl_call)call), i);
                CHECK(rules->rules[i]->why && strlen(rules->rules[i]->why) > 10);
                CHECK(!may_fail || rules->rules[i]->action.verb != BRIG_DSL_CRASH);
            }
        }
        decide_end(&pledged.policy);
    }
    test_message("%s", "");
}

// --- more promises, more calls ----------------------------------------------------------------------------------------

static void check_grows(const struct pledged *fewer, const struct pledged *more)
{
    for (size_t i = 0; i < COUNT_OF(decisions); i++) {
        struct brig_dsl_data data;
        char before[80];
        char after[80];
        if (decide_read(decisions[i].call, fewer->policy.arch, &data) != DECIDE_READ) {
            continue;
        }
        decide(&fewer->policy, &data, before, sizeof before);
        decide(&more->policy, &data, after, sizeof after);
        test_message("%s: %s under %s, %s under %s", decisions[i].call, before, fewer->policy.policy->name, after,
                     more->policy.policy->name);
        CHECK(strcmp(before, "ALLOW") != 0 || strcmp(after, "ALLOW") == 0);
    }
}

static void check_step(const char *promises, const char *one_more)
{
    struct pledged fewer;
    struct pledged more;
    char text[ALL_BYTES + 20];
    snprintf(text, sizeof text, "%s %s", promises, one_more);
    if (start(&fewer, promises, BRIG_DSL_X86_64) && start(&more, text, BRIG_DSL_X86_64)) {
        check_grows(&fewer, &more);
        decide_end(&more.policy);
        decide_end(&fewer.policy);
    }
}

TEST(pledge, a_promise_more_allows_no_less)
{
    char promises[ALL_BYTES] = "";
    size_t used = 0;
    for (const struct brig_policy_promise *promise = brig_policy_all_promises; promise->name; promise++) {
        check_step("", promise->name);
        check_step("stdio", promise->name);
        check_step(promises, promise->name);
        used += (size_t)snprintf(promises + used, sizeof promises - used, " %s", promise->name);
    }
    test_message("%s", "");
}

// --- reading promises -------------------------------------------------------------------------------------------------

TEST(pledge, promises_are_read_in_any_order_and_number)
{
    static const struct {
        const char *promises;
        const char *name;
    } rows[] = {
        {"", "pledge:"},
        {"  \t\n ", "pledge:"},
        {"stdio", "pledge:stdio"},
        {"rpath stdio", "pledge:stdio rpath"},
        {" stdio  rpath\nstdio ", "pledge:stdio rpath"},
        {"error unix stdio", "pledge:stdio unix error"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        static struct brig_policy_pledge_memory memory;
        const struct brig_dsl_policy *policy = NULL;
        test_message("'%s'", rows[i].promises);
        REQUIRE(brig_policy_pledge(rows[i].promises, &memory, &policy, NULL) == BRIG_OK);
        CHECK_STR_EQ(policy->name, rows[i].name);
    }
    test_message("%s", "");
}

TEST(pledge, words_that_are_no_promises_are_errors)
{
    static const struct {
        const char *promises;
        const char *word;
        const char *closest;
    } rows[] = {
        {"stdoi", "stdoi", "stdio"},
        {"stdio rpaht", "rpaht", "rpath"},
        {"stdio,rpath", "stdio,rpath", NULL},
        {"STDIO", "STDIO", NULL},
        {"rpath vmm stdio", "vmm", NULL},
        {"audio", "audio", NULL},
        {"protexec", "protexec", "prot_exec"},
        {"exce", "exce", "exec"},
        {"stdiostdiostdiostdio", "stdiostdiostdiostdio", NULL},
        {"stdio\x01", "stdio\x01", "stdio"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        static struct brig_policy_pledge_memory memory;
        const struct brig_dsl_policy *policy = NULL;
        struct brig_error error;
        test_message("'%s'", rows[i].promises);
        REQUIRE(brig_policy_pledge(rows[i].promises, &memory, &policy, &error) == BRIG_NO_SUCH_PROMISE);
        CHECK(policy == NULL);
        CHECK_EQ(error.subject_bytes, strlen(rows[i].word));
        CHECK(strncmp(error.subject, rows[i].word, error.subject_bytes) == 0);
        const char *closest = brig_policy_closest_promise(error.subject, error.subject_bytes);
        CHECK_STR_EQ(closest ? closest : "none", rows[i].closest ? rows[i].closest : "none");
    }
    test_message("%s", "");
}

TEST(pledge, arguments_that_are_missing_are_errors)
{
    static struct brig_policy_pledge_memory memory;
    const struct brig_dsl_policy *policy = NULL;
    struct brig_error error;
    CHECK_EQ(brig_policy_pledge(NULL, &memory, &policy, &error), BRIG_BAD_ARGUMENT);
    CHECK_STR_EQ(error.subject, "promises");
    CHECK_EQ(brig_policy_pledge("stdio", NULL, &policy, &error), BRIG_BAD_ARGUMENT);
    CHECK_STR_EQ(error.subject, "memory");
    CHECK(policy == NULL);
}

// Every policy of promises fits into the arena that is said to be enough for what Brig ships.
TEST(pledge, all_promises_compile_for_every_arch)
{
    char promises[ALL_BYTES];
    write_all_promises("", promises);
    for (int arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
        struct pledged pledged;
        test_message("all promises on %s", brig_dsl_arch_name((enum brig_dsl_arch)arch));
        REQUIRE(start(&pledged, promises, (enum brig_dsl_arch)arch));
        CHECK(!pledged.policy.program.is_plain);
        decide_end(&pledged.policy);
        for (const struct brig_policy_promise *promise = brig_policy_all_promises; promise->name; promise++) {
            REQUIRE(start(&pledged, promise->name, (enum brig_dsl_arch)arch));
            decide_end(&pledged.policy);
        }
    }
    test_message("%s", "");
}
