// Foresight: which rules are not worth sorting, and which of their like are.
#include "bpf_dsl/foresee.h"

#include <linux/seccomp.h>

#include "tests/shim/test.h"

static _Alignas(16) unsigned char memory[1 << 20];
static struct brig_dsl_arena arena;
static struct brig_dsl_builder builder;

// Rules that ask for (argument 0 & mask) == value, and whatever else.
struct rules {
    const char *what;
    uint32_t count;
    uint64_t masks[2]; // of one rule and of the next
    uint64_t step;     // a mask is shifted by so much for each two rules
    bool asks_upper;
    bool has_range; // the last rule is one
    bool explodes;
};

static const struct rules table[] = {
    {"unlike masks of both halves", 8, {UINT64_C(0x1000000003), UINT64_C(0x3000000005)}, 1, true, false, true},
    {"two of them", 2, {UINT64_C(0x1000000003), UINT64_C(0x3000000005)}, 1, true, false, false},
    {"one mask, whatever the values", 64, {UINT64_MAX, UINT64_MAX}, 0, true, false, false},
    {"unlike masks, but nothing is left to ask below them", 16, {0x3, 0x5}, 1, false, false, false},
    {"one of them is wide", 8, {UINT64_C(0x1000000003), UINT64_C(0x3000000005)}, 1, true, true, false},
};

static struct brig_dsl_test rule(const struct rules *rules, uint32_t i)
{
    const struct brig_dsl_operand operand = {0, 64, false};
    uint64_t mask = rules->masks[i % 2] << (i / 2 * rules->step);
    uint64_t value = rules->asks_upper ? (rules->step == 0 ? (uint64_t)i << 32 | i : mask) : mask & (0 - mask);
    if (rules->has_range && i + 1 == rules->count) {
        return brig_dsl_arg_range(&builder, operand, 0, 1000);
    }
    return brig_dsl_arg_masked(&builder, operand, mask, &value, 1);
}

TEST(foresee, table)
{
    struct dsl_order order = {{0}};
    for (int word = 0; word < DSL_WORD_COUNT; word++) {
        order.rank[word] = (uint8_t)word;
    }
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        test_message("%s", table[i].what);
        brig_dsl_arena_init(&arena, memory, sizeof memory);
        REQUIRE(dsl_builder_init(&builder, &arena));
        struct brig_dsl_verdict verdict = brig_dsl_ret(&builder, SECCOMP_RET_KILL_PROCESS);
        for (uint32_t k = 0; k < table[i].count; k++) {
            verdict = brig_dsl_if(&builder, rule(&table[i], k), brig_dsl_ret(&builder, SECCOMP_RET_ALLOW), verdict);
        }
        CHECK_EQ(dsl_foresees_explosion(&builder, verdict.node, &order), table[i].explodes);
    }
}
