// random_calls: calls that are likely to tell two readings of the same rules apart.
#ifndef BRIG_TESTS_BPF_DSL_RANDOM_CALLS_H
#define BRIG_TESTS_BPF_DSL_RANDOM_CALLS_H

#include "bpf_dsl/rules.h"
#include "tests/bpf_dsl/random.h"

// A value near one of the conditions' values for `call`, or a border of 32 or 64 bits, or anything.
uint64_t random_value(struct random *random, const struct brig_dsl_rules *rules, enum brig_dsl_call call, int argument);

// A call: mostly of a number with conditions, often one that meets all conditions of some rule, or all but one.
struct brig_dsl_data random_data(struct random *random, const struct brig_dsl_rules *rules);

// What looks at a call. Returns: false to end the visit.
struct random_visitor {
    bool (*visit)(void *context, const struct brig_dsl_data *data);
    void *context;
};

// Visits calls at the borders: all numbers up to and around the tables', all arches, and for each condition its values and what is
// beside them, once in a call that meets the rule's other conditions and once in a random one. Of longer lists about `most_values`
// values are taken. Returns: false if the visitor did.
bool random_visit_borders(struct random *random, const struct brig_dsl_rules *rules, uint32_t most_values,
                          const struct random_visitor *visitor);

#endif
