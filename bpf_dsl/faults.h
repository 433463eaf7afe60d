// faults: why a condition or a value cannot be used. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_FAULTS_H
#define BRIG_BPF_DSL_FAULTS_H

// In brig_error.detail, behind BRIG_BAD_CONDITION and BRIG_VALUE_OUT_OF_RANGE.
enum dsl_fault {
#define FAULT(name, sentence) DSL_FAULT_##name,
#include "bpf_dsl/faults.def"
#undef FAULT
    DSL_FAULT_COUNT
};

#endif
