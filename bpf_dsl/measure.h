// measure: what of a program can be said without running it. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_MEASURE_H
#define BRIG_BPF_DSL_MEASURE_H

#include "bpf_dsl/program.h"

// Instructions that the kernel makes of a valid program, prologue included.
uint32_t dsl_ebpf_size(const struct sock_filter *insns, size_t insn_count);

// Instructions of the longest path of a valid program, the return included.
uint32_t dsl_longest_path(const struct sock_filter *insns, size_t insn_count);

#endif
