// What each policy allows without looking at arguments, per arch, against reviewed lists:
// tests/policies/golden/POLICY.ARCH.allow.txt, and pledge.ARCH.allow.txt for all promises. BRIG_BLESS=1 rewrites the lists; the
// difference is what a reviewer reads.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policies/policies.h"
#include "tests/policies/decide.h"
#include "tests/shim/test.h"

#define LIST_BYTES 16384

static bool is_allowed(const struct decided_policy *policy, int call)
{
    const struct brig_dsl_call_rules *rules = brig_dsl_rules_of(&policy->rules, (enum brig_dsl_call)call);
    return rules->rule_count > 0 && rules->rules[0]->condition_count == 0 && rules->rules[0]->action.verb == BRIG_DSL_ALLOW;
}

static void list_allowed(const struct decided_policy *policy, char ret_list[LIST_BYTES])
{
    size_t used = 0;
    ret_list[0] = '\0';
    for (int call = BRIG_SYS_NONE + 1; call < BRIG_SYS_COUNT; call++) {
        if (is_allowed(policy, call)) {
            used += (size_t)snprintf(ret_list + used, LIST_BYTES - used, "%s\n", brig_dsl_call_name((enum brig_dsl_call)call));
        }
    }
}

static bool read_list(const char *path, char ret_list[LIST_BYTES])
{
    FILE *file = fopen(path, "re");
    if (!file) {
        return false;
    }
    size_t bytes = fread(ret_list, 1, LIST_BYTES - 1, file);
    ret_list[bytes] = '\0';
    fclose(file);
    return true;
}

static void compare_or_bless(const char *path, const char *list)
{
    char expected[LIST_BYTES];
    if (getenv("BRIG_BLESS")) {
        FILE *file = fopen(path, "we");
        REQUIRE(file);
        CHECK(fputs(list, file) >= 0);
        CHECK_EQ(fclose(file), 0);
        return;
    }
    test_message("%s", path);
    REQUIRE(read_list(path, expected));
    CHECK_STR_EQ(list, expected);
}

TEST(policies, unconditional_allows_are_as_reviewed)
{
    static const struct brig_dsl_policy *const policies[] = {
        &brig_policy_baseline, &brig_policy_renderer,       &brig_policy_network, &brig_policy_files,
        &brig_policy_broker,   &brig_policy_broker_network, &brig_policy_program, &brig_policy_notify};
    for (size_t p = 0; p < COUNT_OF(policies); p++) {
        for (int arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
            struct decided_policy policy;
            char path[200];
            char list[LIST_BYTES];
            REQUIRE(decide_start(policies[p], (enum brig_dsl_arch)arch, DECIDE_SELF_PID, &policy));
            list_allowed(&policy, list);
            snprintf(path, sizeof path, "tests/policies/golden/%s.%s.allow.txt", policies[p]->name,
                     brig_dsl_arch_name(policy.arch));
            compare_or_bless(path, list);
            decide_end(&policy);
        }
    }
    test_message("%s", "");
}

// --- promises ---------------------------------------------------------------------------------------------------------

struct promised {
    struct brig_policy_pledge_memory memory;
    struct decided_policy policy;
};

static bool promise(const char *promises, enum brig_dsl_arch arch, struct promised *ret_promised)
{
    const struct brig_dsl_policy *policy;
    return CHECK(brig_policy_pledge(promises, &ret_promised->memory, &policy, NULL) == BRIG_OK) &&
           decide_start(policy, arch, DECIDE_SELF_PID, &ret_promised->policy);
}

// Appends a block: what one promise lets through without conditions that none does not. Returns: the bytes used.
static size_t list_promise(const char *name, const struct decided_policy *none, char *list, size_t list_bytes)
{
    struct promised promised;
    if (!promise(name, none->arch, &promised)) {
        return 0;
    }
    size_t used = (size_t)snprintf(list, list_bytes, "%s:\n", name);
    for (int call = BRIG_SYS_NONE + 1; call < BRIG_SYS_COUNT; call++) {
        if (is_allowed(&promised.policy, call) && !is_allowed(none, call)) {
            used += (size_t)snprintf(list + used, list_bytes - used, "  %s\n", brig_dsl_call_name((enum brig_dsl_call)call));
        }
    }
    decide_end(&promised.policy);
    return used;
}

TEST(policies, unconditional_allows_of_promises_are_as_reviewed)
{
    for (int arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
        struct promised none;
        char path[200];
        char list[LIST_BYTES];
        size_t used = 0;
        REQUIRE(promise("", (enum brig_dsl_arch)arch, &none));
        for (const struct brig_policy_promise *one = brig_policy_all_promises; one->name; one++) {
            used += list_promise(one->name, &none.policy, list + used, sizeof list - used);
        }
        snprintf(path, sizeof path, "tests/policies/golden/pledge.%s.allow.txt", brig_dsl_arch_name(none.policy.arch));
        compare_or_bless(path, list);
        decide_end(&none.policy);
    }
    test_message("%s", "");
}
