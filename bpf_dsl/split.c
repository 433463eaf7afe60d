// split: a 64-bit argument of a 32-bit arch is two registers, and a row does not want to know.
//
// Takes: a condition as it would stand on one register of 64 bits. Gives: two conditions on registers of 32 bits that, as the AND
// that a row is, mean the same. Guarantees: exactly the same, or nothing.
//
// An AND of two halves can say "the high half is H and the low half is such", so a condition can be split when all its values share
// their high half; conditions on bits always can, ANY_BITS if it is about one half only. Weakness: IN(offset, 0, U64(0x100000000)),
// NOT_IN, NOT_MASKED and open bounds are refused with BAD_CONDITION; two rows say the first, and a row before it says the contrary.
#include "bpf_dsl/resolve.h"

static uint64_t half_of(uint64_t value, bool is_high)
{
    return is_high ? value >> 32 : value & UINT32_MAX;
}

static bool share_high_half(const uint64_t *values, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        if (half_of(values[i], true) != half_of(values[0], true)) {
            return false;
        }
    }
    return true;
}

static bool can_split(const struct brig_dsl_rule_condition *wide)
{
    switch ((enum brig_dsl_operator)wide->op) {
    case BRIG_DSL_IN:
    case BRIG_DSL_RANGE: // within one high half both signs order alike: by the low half, unsigned
        return share_high_half(wide->values, wide->value_count);
    case BRIG_DSL_MASKED:
        return share_high_half(wide->values + 1, wide->value_count - 1);
    case BRIG_DSL_ONLY_BITS:
    case BRIG_DSL_NO_BITS:
    case BRIG_DSL_ALL_BITS:
        return true;
    case BRIG_DSL_ANY_BITS:
        return half_of(wide->values[0], false) == 0 || half_of(wide->values[0], true) == 0;
    default:
        return false;
    }
}

// How many values the high half needs: one says all of them where they are equal there.
static uint32_t high_count(const struct brig_dsl_rule_condition *wide)
{
    return wide->op == BRIG_DSL_MASKED ? 2 : 1;
}

bool dsl_split_condition(const struct brig_dsl_rule_condition *wide, int low_register, int high_register,
                         struct brig_dsl_arena *arena, struct brig_dsl_rule_condition ret_halves[2])
{
    if (!can_split(wide)) {
        return false;
    }
    for (int half = 0; half < 2; half++) {
        bool is_high = half == 1;
        uint32_t count = is_high ? high_count(wide) : wide->value_count;
        uint64_t *values = DSL_ARENA_ARRAY(arena, uint64_t, count);
        for (uint32_t i = 0; values && i < count; i++) {
            values[i] = half_of(wide->values[i], is_high);
        }
        ret_halves[half] = *wide;
        ret_halves[half].argument = (uint8_t)(is_high ? high_register : low_register);
        ret_halves[half].bits = 32;
        ret_halves[half].is_signed = false;
        ret_halves[half].value_count = count;
        ret_halves[half].values = values;
    }
    if (wide->op == BRIG_DSL_RANGE) {
        ret_halves[1].op = BRIG_DSL_IN;
    }
    if (wide->op == BRIG_DSL_ANY_BITS) {
        // The half that it is not about may be anything.
        ret_halves[half_of(wide->values[0], true) == 0].op = BRIG_DSL_NO_BITS;
    }
    return true;
}
