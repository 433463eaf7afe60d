// coverage: finds a call that takes a given branch of a program, if there is one.
#ifndef BRIG_TESTS_BPF_DSL_COVERAGE_H
#define BRIG_TESTS_BPF_DSL_COVERAGE_H

#include "bpf_dsl/program.h"

// Which branches ran: bit 0 of a byte per instruction for "it ran", 1 for "its test held", 2 for "its test failed".
enum { COVERED_RAN = 1, COVERED_YES = 2, COVERED_NO = 4 };

// Runs a program for one call and adds what ran.
uint32_t coverage_run(const struct sock_filter *insns, uint32_t count, const struct brig_dsl_data *data, unsigned char *covered);

// Searches for calls that take what is not covered yet, and runs them. The program may use what the compiler emits, nothing else.
// Returns: index of the first instruction with a branch that no call takes, or `count`.
uint32_t coverage_complete(const struct sock_filter *insns, uint32_t count, unsigned char *covered);

#endif
