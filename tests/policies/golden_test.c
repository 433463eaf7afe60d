// What each policy allows without looking at arguments, per arch, against reviewed lists:
// tests/policies/golden/POLICY.ARCH.allow.txt. BRIG_BLESS=1 rewrites the lists; the difference is what a reviewer reads.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policies/policies.h"
#include "tests/policies/decide.h"
#include "tests/shim/test.h"

#define LIST_BYTES 16384

static void list_allowed(const struct decided_policy *policy, char ret_list[LIST_BYTES])
{
    size_t used = 0;
    ret_list[0] = '\0';
    for (int call = BRIG_SYS_NONE + 1; call < BRIG_SYS_COUNT; call++) {
        const struct brig_dsl_call_rules *rules = &policy->rules.calls[call];
        if (rules->rule_count > 0 && rules->rules[0]->condition_count == 0 && rules->rules[0]->action.verb == BRIG_DSL_ALLOW) {
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
    static const struct brig_dsl_policy *const policies[] = {&brig_policy_baseline, &brig_policy_renderer, &brig_policy_network};
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
