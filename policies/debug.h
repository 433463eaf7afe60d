// debug: policies of instrumented builds. Not installed, and compiled in only there.
#ifndef BRIG_POLICIES_DEBUG_H
#define BRIG_POLICIES_DEBUG_H

#include "bpf_dsl/bpf_dsl.h"

extern const struct brig_dsl_policy policy_baseline_debug;
extern const struct brig_dsl_policy policy_renderer_debug;
extern const struct brig_dsl_policy policy_network_debug;
extern const struct brig_dsl_policy policy_broker_debug;
extern const struct brig_dsl_policy policy_broker_network_debug;
extern const struct brig_dsl_policy policy_notify_debug;

#endif
