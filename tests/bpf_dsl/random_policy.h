// random_policy: policies as people write them, rows with text, and beside them what their author meant. What stands between the
// two (names, texts, widths, signs, split registers, the order of rows) is what resolve does, so here is a witness against that.
#ifndef BRIG_TESTS_BPF_DSL_RANDOM_POLICY_H
#define BRIG_TESTS_BPF_DSL_RANDOM_POLICY_H

#include "bpf_dsl/rules.h"
#include "tests/bpf_dsl/random.h"

// A condition on the argument as the kernel's code sees it.
struct meant_condition {
    const char *argument;
    enum brig_dsl_operator op;
    uint8_t bits; // 16, 32 or 64
    bool is_signed;
    uint32_t count;
    const uint64_t *values; // cut to `bits`
};

struct meant_row {
    const struct brig_dsl_row *row;
    const enum brig_dsl_call *calls;
    uint32_t call_count;
    const struct meant_condition *conditions;
    uint32_t condition_count;
};

struct random_policy {
    struct brig_dsl_policy policy;
    struct brig_dsl_policy base; // of `policy`, sometimes
    struct brig_dsl_import import;
    struct brig_dsl_options options;
    const struct meant_row *rows; // in the order in which they count
    uint32_t row_count;
    bool asks_broker; // by a handler, whatever decides
};

// Makes policy number `seed`, of Brig's own or an imported one, for the arch in its options. Owns: `arena` keeps everything; aborts
// when it is exhausted.
const struct random_policy *random_policy_of(uint64_t seed, struct brig_dsl_arena *arena);

// Whether some call can be asked of the broker: a row says so, no row in front of it takes every call, and there is a handler.
bool random_policy_asks_broker(const struct random_policy *random);

// Whether the rules that the policy was resolved to say about a call what the author meant. Returns: NULL, or a static sentence.
const char *random_policy_dispute(const struct random_policy *random, const struct brig_dsl_rules *rules,
                                  const struct brig_dsl_data *data);

#endif
