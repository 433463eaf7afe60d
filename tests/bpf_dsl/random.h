// random: numbers for generators. The same seed gives the same numbers on every machine, so a seed is a whole bug report.
#ifndef BRIG_TESTS_BPF_DSL_RANDOM_H
#define BRIG_TESTS_BPF_DSL_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

// xorshift64*: small, good enough, the same everywhere.
struct random {
    uint64_t state; // not 0
};

// The generator number `seed`, for any seed.
struct random random_of_seed(uint64_t seed);

// Where tests over random policies begin to count: 1, or BRIG_SEED of the environment, which tools/soak moves on.
uint64_t random_first_seed(void);
// How many of `count` policies there is time for: all, but a few where sanitizers make each of them slow.
uint32_t random_policies(uint32_t count);

uint64_t random_next(struct random *random);

// Returns: a number below `limit`, 0 for 0.
uint32_t random_below(struct random *random, uint32_t limit);

// Returns: true once in `times`.
bool random_once_in(struct random *random, uint32_t times);

#endif
