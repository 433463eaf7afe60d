// random_insns: programs nobody would write, for the tests of what works on any program.
#ifndef BRIG_TESTS_BPF_DSL_RANDOM_INSNS_H
#define BRIG_TESTS_BPF_DSL_RANDOM_INSNS_H

#include <linux/filter.h>

#include "tests/bpf_dsl/random.h"

// Fills `insns` with a program that is mostly valid: every opcode that seccomp takes, jumps that mostly stay inside, an ending.
void random_insns(struct random *random, struct sock_filter *insns, uint32_t count);

// Fills `insns`, at least 3, with a program that computes something of four words with X and a cell, and returns it.
void random_expression(struct random *random, struct sock_filter *insns, uint32_t count);

// Makes some places of a program return what was loaded there, with something done to it.
void random_return_computed(struct random *random, struct sock_filter *insns, uint32_t count);

// Changes one field of one instruction.
void random_mutate(struct random *random, struct sock_filter *insns, uint32_t count);

#endif
