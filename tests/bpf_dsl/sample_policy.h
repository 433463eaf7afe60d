// A small policy with a row of every form, for golden files and tests of the whole.
#ifndef BRIG_TESTS_BPF_DSL_SAMPLE_POLICY_H
#define BRIG_TESTS_BPF_DSL_SAMPLE_POLICY_H

#include "bpf_dsl/bpf_dsl.h"

extern const struct brig_dsl_policy sample_policy;

#endif
