// policies: which policies this build has, by name.
#include "policies/policies.h"

#include <string.h>

#ifdef BRIG_DEBUG_POLICIES
#include "policies/debug.h"
#endif

const struct brig_dsl_policy *const brig_policy_all[] = {
    &brig_policy_baseline,
    &brig_policy_renderer,
    &brig_policy_network,
    &brig_policy_files,
    &brig_policy_broker,
    &brig_policy_broker_network,
    &brig_policy_program,
    &brig_policy_notify,
#ifdef BRIG_DEBUG_POLICIES
    &policy_baseline_debug,
    &policy_renderer_debug,
    &policy_network_debug,
    &policy_broker_debug,
    &policy_broker_network_debug,
    &policy_notify_debug,
#endif
    NULL,
};

const struct brig_dsl_policy *brig_policy_by_name(const char *name)
{
    for (size_t i = 0; brig_policy_all[i]; i++) {
        if (strcmp(brig_policy_all[i]->name, name) == 0) {
            return brig_policy_all[i];
        }
    }
    return NULL;
}

const struct brig_dsl_policy *brig_policy_for_this_build(const char *name)
{
    const struct brig_dsl_policy *plain = brig_policy_by_name(name);
    for (size_t i = 0; plain && brig_policy_all[i]; i++) {
        const char *debug = brig_policy_all[i]->name;
        if (brig_policy_all[i]->base == plain && strcmp(debug + strlen(name), "+debug") == 0) {
            return brig_policy_all[i];
        }
    }
    return plain;
}
