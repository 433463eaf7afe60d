// random_program: valid programs that no compiler would write, with every opcode that seccomp takes, and inputs that find their
// corners.
#ifndef BRIG_TESTS_TOOLS_RANDOM_PROGRAM_H
#define BRIG_TESTS_TOOLS_RANDOM_PROGRAM_H

#include "bpf_dsl/program.h"

struct random_source {
    uint64_t state; // not 0
};

uint32_t random_below(struct random_source *random, uint32_t limit);
// A number that is likely to be near a limit of something.
uint32_t random_word(struct random_source *random);
struct brig_dsl_data random_data(struct random_source *random);

enum { RANDOM_PROGRAM_LEAST = 6 };
// Fills `insns` with a valid program of `insn_count` instructions, at least RANDOM_PROGRAM_LEAST.
void random_program(struct random_source *random, struct sock_filter *insns, size_t insn_count);

// Changes one instruction so that the program stays valid.
void random_mutation(struct random_source *random, struct sock_filter *insns, size_t insn_count);

#endif
