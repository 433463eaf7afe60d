// value_operators: arithmetic on the numbers of value texts.
//
// Takes and gives numbers from -2^63 to 2^64 - 1: what int64_t and U64() need together. They are computed as if they had 65 bits,
// so that every overflow is seen. Guarantees: false is returned, and the result means nothing, where C's result would differ from
// mathematics; only ~ within U64() wraps, because it is meant to.
#include <string.h>

#include "bpf_dsl/values.h"

bool dsl_value_fits(const struct dsl_value *value)
{
    bool is_high = value->bits > (uint64_t)INT64_MAX;
    return value->is_negative ? is_high : !is_high || value->is_unsigned;
}

// `sign` counts units of 2^64: 0 for a number, -1 for a negative one; anything else has left the range.
static bool set_sum(struct dsl_value *result, uint64_t a, uint64_t b, int sign)
{
    result->bits = a + b;
    sign += result->bits < a;
    result->is_negative = sign == -1;
    return (sign == 0 || sign == -1) && dsl_value_fits(result);
}

static bool add(struct dsl_value *result, const struct dsl_value *a, const struct dsl_value *b)
{
    return set_sum(result, a->bits, b->bits, -(int)a->is_negative - (int)b->is_negative);
}

bool dsl_value_negate(struct dsl_value *result, const struct dsl_value *a)
{
    // ~a + 1 in 65 bits.
    return set_sum(result, ~a->bits, 1, a->is_negative ? 0 : -1);
}

static bool subtract(struct dsl_value *result, const struct dsl_value *a, const struct dsl_value *b)
{
    // a + ~b, and 1 more, which is added to the sum so that its carry is seen too.
    uint64_t partial = a->bits + ~b->bits;
    int sign = (partial < a->bits) - (int)a->is_negative - (b->is_negative ? 0 : 1);
    return set_sum(result, partial, 1, sign);
}

static bool shift_left(struct dsl_value *result, const struct dsl_value *a, const struct dsl_value *b)
{
    if (a->is_negative || b->is_negative || b->bits > 63) {
        return false;
    }
    result->bits = a->bits << b->bits;
    result->is_negative = false;
    return result->bits >> b->bits == a->bits && dsl_value_fits(result);
}

static bool bit_and(struct dsl_value *result, const struct dsl_value *a, const struct dsl_value *b)
{
    result->bits = a->bits & b->bits;
    result->is_negative = a->is_negative && b->is_negative;
    return true;
}

static bool bit_or(struct dsl_value *result, const struct dsl_value *a, const struct dsl_value *b)
{
    result->bits = a->bits | b->bits;
    result->is_negative = a->is_negative || b->is_negative;
    return dsl_value_fits(result);
}

struct dsl_value dsl_value_complement(struct dsl_value value)
{
    value.bits = ~value.bits;
    // Within U64() numbers have 64 bits and no sign; elsewhere ~x is -x - 1.
    value.is_negative = !value.is_unsigned && !value.is_negative;
    value.is_complement = true;
    return value;
}

const struct dsl_operator *dsl_operator_at(const char *text, size_t text_bytes)
{
    static const struct dsl_operator operators[] = {
        {"|", 1, bit_or}, {"&", 2, bit_and}, {"<<", 3, shift_left}, {"+", 4, add}, {"-", 4, subtract},
    };
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        size_t length = strlen(operators[i].text);
        if (length <= text_bytes && memcmp(text, operators[i].text, length) == 0) {
            return &operators[i];
        }
    }
    return NULL;
}
