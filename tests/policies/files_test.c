// What the policy `files` asks its broker is what a broker can be asked: no call more, none less, on any arch.
#include "policies/policies.h"
#include "tests/policies/decide.h"
#include "tests/shim/test.h"
#include "trap/broker.h"

// Returns: whether the call's first rule that holds without conditions asks the broker.
static bool is_brokered(const struct brig_dsl_call_rules *rules)
{
    return rules->rule_count > 0 && rules->rules[0]->condition_count == 0 && rules->rules[0]->action.verb == BRIG_DSL_BROKER;
}

TEST(policies, files_asks_its_broker_all_that_a_broker_answers)
{
    for (int arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
        struct decided_policy policy;
        REQUIRE(decide_start(&brig_policy_files, (enum brig_dsl_arch)arch, DECIDE_SELF_PID, &policy));
        for (int call = BRIG_SYS_NONE + 1; call < BRIG_SYS_COUNT; call++) {
            if (brig_dsl_call_nr((enum brig_dsl_call)call, policy.arch) >= 0) {
                test_message("%s on %s", brig_dsl_call_name((enum brig_dsl_call)call), brig_dsl_arch_name(policy.arch));
                CHECK_EQ(is_brokered(brig_dsl_rules_of(&policy.rules, (enum brig_dsl_call)call)),
                         brig_broker_find_call((enum brig_dsl_call)call) != NULL);
            }
        }
        decide_end(&policy);
    }
    test_message("%s", "");
}
