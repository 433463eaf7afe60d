// narrow: the kernel keeps 16 bits of some arguments (umode_t, the uids of old calls), and a row does not want to know.
//
// Takes: a condition on such an argument as written, its values already known to fit 16 bits. Gives: one on the low half of the
// register that means the same to the kernel. Guarantees: bits that the kernel drops do not count, so that a row that denies a mode
// cannot be dodged by setting them. Weakness: conditions that compare by size have no such form; conditions.c refuses them.
#include "bpf_dsl/resolve.h"

static const uint64_t *copy_cut(const struct brig_dsl_rule_condition *rule, bool with_mask, struct brig_dsl_arena *arena)
{
    uint32_t first = with_mask ? 1 : 0;
    uint64_t *values = DSL_ARENA_ARRAY(arena, uint64_t, (size_t)rule->value_count + first);
    if (!values) {
        return NULL;
    }
    values[0] = UINT16_MAX;
    for (uint32_t i = 0; i < rule->value_count; i++) {
        values[first + i] = rule->values[i] & UINT16_MAX;
    }
    return values;
}

static const uint64_t *forbidden_bits(const struct brig_dsl_rule_condition *rule, struct brig_dsl_arena *arena)
{
    uint64_t *values = DSL_ARENA_ARRAY(arena, uint64_t, 1);
    if (values) {
        values[0] = ~rule->values[0] & UINT16_MAX;
    }
    return values;
}

bool dsl_narrow_condition(struct brig_dsl_rule_condition *rule, struct brig_dsl_arena *arena)
{
    bool is_list = rule->op == BRIG_DSL_IN || rule->op == BRIG_DSL_NOT_IN;
    uint8_t masked_op = rule->op == BRIG_DSL_IN ? BRIG_DSL_MASKED : BRIG_DSL_NOT_MASKED;
    if (rule->op == BRIG_DSL_ONLY_BITS) {
        rule->values = forbidden_bits(rule, arena);
        rule->op = BRIG_DSL_NO_BITS;
    } else {
        rule->values = copy_cut(rule, is_list, arena);
        rule->value_count += is_list;
        rule->op = is_list ? masked_op : rule->op;
    }
    rule->bits = 32;
    return rule->values != NULL;
}
