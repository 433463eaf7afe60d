// random_values: numbers for conditions, of the kinds that compilers treat in ways of their own.
#ifndef BRIG_TESTS_BPF_DSL_RANDOM_VALUES_H
#define BRIG_TESTS_BPF_DSL_RANDOM_VALUES_H

#include "tests/bpf_dsl/random.h"

// What a list of values looks like. Each but the first has made some compiler, this one or another, do something clever.
enum random_family {
    RANDOM_ANY,        // small ones, borders, powers of two, anything
    RANDOM_CLOSED,     // closed under the bits of a mask: one test of bits says all of them
    RANDOM_NEIGHBOURS, // ascending, mostly without gaps: few ranges
    RANDOM_WINDOW,     // within 32 numbers, anywhere: a bitmap
    RANDOM_WINDOWS,    // within a few such windows
    RANDOM_PAIRS,      // pairs that differ in one bit: a mask and a comparison
    RANDOM_HIGH,       // from 2^31 on, and negative
    RANDOM_IOCTLS,     // as ioctl numbers are made
    RANDOM_STRIDE,     // a power of two apart
    RANDOM_HALVES,     // one half the same in all
    RANDOM_FAMILY_COUNT
};

uint64_t random_number(struct random *random);
uint64_t random_mask(struct random *random);

// Fills `values` with `count` numbers of a family. A number may stand twice.
void random_fill(struct random *random, enum random_family family, uint64_t *values, uint32_t count);

// A number that is likely to be judged differently: `value`, one beside it, or one that differs in a bit or a half.
uint64_t random_near(struct random *random, uint64_t value);

// The number itself (0) and everything beside it that compilers get wrong.
enum { RANDOM_VARIANTS = 11 };
uint64_t random_variant(uint64_t value, uint32_t which);

#endif
