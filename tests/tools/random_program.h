// random_program: valid programs that no compiler would write, with every opcode that seccomp takes, and inputs that find their
// corners.
#ifndef BRIG_TESTS_TOOLS_RANDOM_PROGRAM_H
#define BRIG_TESTS_TOOLS_RANDOM_PROGRAM_H

#include "bpf_dsl/program.h"
#include "tests/bpf_dsl/random.h"

// A number that is likely to be near a limit of something.
uint32_t random_word(struct random *random);
struct brig_dsl_data random_input(struct random *random);

enum { RANDOM_PROGRAM_LEAST = 6 };
// Fills `insns` with a valid program of `insn_count` instructions, at least RANDOM_PROGRAM_LEAST.
void random_program(struct random *random, struct sock_filter *insns, size_t insn_count);

// Changes one instruction so that the program stays valid.
void random_mutation(struct random *random, struct sock_filter *insns, size_t insn_count);

#endif
