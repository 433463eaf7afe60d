// random_filter: programs as somebody's compiler of filters might write them, with bitmaps, biased ranges, masks, cells and all,
// and calls that look for their borders.
#ifndef BRIG_TESTS_BPF_DSL_RANDOM_FILTER_H
#define BRIG_TESTS_BPF_DSL_RANDOM_FILTER_H

#include <linux/filter.h>

#include "bpf_dsl/rules.h"
#include "tests/bpf_dsl/random.h"

// Fills `insns` with a valid program of about `count` instructions, at least 8 and at most BPF_MAXINSNS. Returns: how many.
uint32_t random_filter(struct random *random, struct sock_filter *insns, uint32_t count);

// A call whose words are near the constants of a program.
struct brig_dsl_data random_filter_call(struct random *random, const struct sock_filter *insns, uint32_t count);

#endif
