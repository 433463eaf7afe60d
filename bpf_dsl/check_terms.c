// check_terms: what programs compute, in a normal form.
//
// Takes: operations on words and constants, as programs do them. Gives: terms, such that most ways of computing the same thing are
// one id. How: what ands, ors, xors and shifts by constants do is said bit by bit: each bit of the result is 0, 1, or a bit of what
// they were done to, turned round or not; constants of sums come last; operands that can change places are sorted. Guarantees: a
// term has the value that the kernel computes, but where a division by zero ends the program. Shares nothing with symbolic.c, which
// has the same task in front of the check. Weaknesses: no algebra of sums and products but the above.
#include "bpf_dsl/check_terms.h"

#include <linux/filter.h>
#include <string.h>

#define ALL UINT32_MAX

// --- nodes ------------------------------------------------------------------------------------------------------------

static bool same_term(const void *node, const void *key)
{
    return memcmp(node, key, sizeof(struct term)) == 0;
}

static uint32_t keep(struct check_terms *terms, const struct term *key)
{
    uint64_t hash = dsl_hash((uint64_t)key->kind << 32 | key->op, (uint64_t)key->a << 32 | key->b);
    for (uint32_t i = 0; i < BITS && key->kind == TERM_BITS; i += 8) {
        uint64_t eight;
        memcpy(&eight, key->bits + i, sizeof eight);
        hash = dsl_hash(hash, eight);
    }
    uint32_t id = dsl_intern_find(&terms->terms, dsl_hash_end(hash), same_term, key);
    if (id != DSL_INTERN_NONE) {
        return id;
    }
    struct term *kept = DSL_ARENA_NEW(terms->terms.arena, struct term);
    if (kept == NULL) {
        return DSL_INTERN_NONE;
    }
    *kept = *key;
    return dsl_intern_add(&terms->terms, dsl_hash_end(hash), kept);
}

static bool is_constant(const struct check_terms *terms, uint32_t id)
{
    return dsl_check_term_get(terms, id)->kind == TERM_CONSTANT;
}

static bool is_op(const struct check_terms *terms, uint32_t id, uint16_t op)
{
    return dsl_check_term_get(terms, id)->kind == TERM_OP && dsl_check_term_get(terms, id)->op == op;
}

bool dsl_check_terms_init(struct check_terms *terms, struct brig_dsl_arena *arena)
{
    terms->scratch_room = 0;
    return dsl_intern_init(&terms->terms, arena, 64);
}

uint32_t dsl_check_term_constant(struct check_terms *terms, uint32_t k)
{
    return keep(terms, &(struct term){.kind = TERM_CONSTANT, .a = k});
}

uint32_t dsl_check_term_word(struct check_terms *terms, uint32_t word)
{
    return keep(terms, &(struct term){.kind = TERM_WORD, .a = word});
}

bool dsl_check_term_is(const struct check_terms *terms, uint32_t id, uint32_t *ret_value)
{
    if (id == DSL_INTERN_NONE || !is_constant(terms, id)) {
        return false;
    }
    *ret_value = dsl_check_term_get(terms, id)->a;
    return true;
}

static uint32_t keep_op(struct check_terms *terms, uint16_t op, uint32_t a, uint32_t b)
{
    return b == DSL_INTERN_NONE ? b : keep(terms, &(struct term){.kind = TERM_OP, .op = op, .a = a, .b = b});
}

uint32_t dsl_check_term_apply(uint32_t op, uint32_t a, uint32_t b)
{
    switch (op) {
    case BPF_ADD:
        return a + b;
    case BPF_SUB:
        return a - b;
    case BPF_MUL:
        return a * b;
    case BPF_DIV:
        return b == 0 ? 0 : a / b;
    case BPF_AND:
        return a & b;
    case BPF_OR:
        return a | b;
    case BPF_XOR:
        return a ^ b;
    case BPF_LSH:
        return a << (b & 31);
    default: // RSH
        return a >> (b & 31);
    }
}

// --- bits -------------------------------------------------------------------------------------------------------------

uint32_t dsl_check_term_bits(const struct check_terms *terms, uint32_t id, uint8_t *ret_bits)
{
    const struct term *term = dsl_check_term_get(terms, id);
    for (uint32_t i = 0; i < BITS; i++) {
        uint32_t known = (term->a >> i & 1) != 0 ? BIT_ONE : BIT_ZERO;
        ret_bits[i] = term->kind == TERM_BITS ? term->bits[i] : (uint8_t)(term->kind == TERM_CONSTANT ? known : i);
    }
    return term->kind == TERM_BITS ? term->a : id;
}

static uint8_t turned(uint8_t bit)
{
    return bit >= BIT_ZERO ? bit ^ BIT_ZERO ^ BIT_ONE : bit ^ BIT_TURNED;
}

static uint8_t bit_after(uint16_t op, uint32_t k, const uint8_t *bits, uint32_t i)
{
    bool is_set = (k >> i & 1) != 0;
    switch (op) {
    case BPF_AND:
        return is_set ? bits[i] : BIT_ZERO;
    case BPF_OR:
        return is_set ? BIT_ONE : bits[i];
    case BPF_XOR:
        return is_set ? turned(bits[i]) : bits[i];
    case BPF_LSH:
        return i >= k ? bits[i - k] : BIT_ZERO;
    default: // RSH
        return i + k < BITS ? bits[i + k] : BIT_ZERO;
    }
}

static uint32_t of_bits(struct check_terms *terms, uint32_t source, const uint8_t *bits)
{
    struct term term = {.kind = TERM_BITS, .a = source};
    uint32_t known = 0;
    uint32_t value = 0;
    uint32_t same = 0;
    for (uint32_t i = 0; i < BITS; i++) {
        term.bits[i] = bits[i];
        known += bits[i] >= BIT_ZERO;
        value |= (uint32_t)(bits[i] == BIT_ONE) << i;
        same += bits[i] == i;
    }
    if (known == BITS) {
        return dsl_check_term_constant(terms, value);
    }
    return same == BITS ? source : keep(terms, &term);
}

static uint32_t by_bits(struct check_terms *terms, uint16_t op, uint32_t a, uint32_t k)
{
    uint8_t before[BITS];
    uint8_t after[BITS];
    uint32_t source = dsl_check_term_bits(terms, a, before);
    for (uint32_t i = 0; i < BITS; i++) {
        after[i] = bit_after(op, k, before, i);
    }
    return of_bits(terms, source, after);
}

// --- operations -------------------------------------------------------------------------------------------------------

static uint32_t by_constant(struct check_terms *terms, uint16_t op, uint32_t a, uint32_t k)
{
    switch (op) {
    case BPF_LSH:
    case BPF_RSH:
        return by_bits(terms, op, a, k & 31);
    case BPF_SUB:
        op = BPF_ADD;
        k = 0 - k;
        break;
    case BPF_MUL:
        if (k != 0 && (k & (k - 1)) == 0) {
            return by_bits(terms, BPF_LSH, a, (uint32_t)__builtin_ctz(k));
        }
        break;
    case BPF_ADD:
    case BPF_DIV:
        break;
    default:
        return by_bits(terms, op, a, k);
    }
    if (op == BPF_ADD && is_op(terms, a, BPF_ADD) && is_constant(terms, dsl_check_term_get(terms, a)->b)) {
        k += dsl_check_term_get(terms, dsl_check_term_get(terms, a)->b)->a;
        a = dsl_check_term_get(terms, a)->a;
    }
    bool is_nothing = k == (op == BPF_ADD ? 0u : 1u);
    bool is_zero = op == BPF_MUL && k == 0;
    return is_nothing ? a : is_zero ? dsl_check_term_constant(terms, 0) : keep_op(terms, op, a, dsl_check_term_constant(terms, k));
}

// k - b is -b + k.
static uint32_t from_constant(struct check_terms *terms, uint32_t k, uint32_t b)
{
    if (is_op(terms, b, BPF_ADD) && is_constant(terms, dsl_check_term_get(terms, b)->b)) {
        k -= dsl_check_term_get(terms, dsl_check_term_get(terms, b)->b)->a;
        b = dsl_check_term_get(terms, b)->a;
    }
    uint32_t zero = dsl_check_term_constant(terms, 0);
    bool is_negative = is_op(terms, b, BPF_SUB) && dsl_check_term_get(terms, b)->a == zero;
    uint32_t negated = is_negative || zero == DSL_INTERN_NONE ? dsl_check_term_get(terms, b)->b : keep_op(terms, BPF_SUB, zero, b);
    return negated == DSL_INTERN_NONE || zero == DSL_INTERN_NONE ? DSL_INTERN_NONE : by_constant(terms, BPF_ADD, negated, k);
}

uint32_t dsl_check_term_op(struct check_terms *terms, uint16_t op, uint32_t a, uint32_t b)
{
    if (a == DSL_INTERN_NONE || b == DSL_INTERN_NONE) {
        return DSL_INTERN_NONE;
    }
    if (is_constant(terms, a) && is_constant(terms, b)) {
        return dsl_check_term_constant(terms,
                                       dsl_check_term_apply(op, dsl_check_term_get(terms, a)->a, dsl_check_term_get(terms, b)->a));
    }
    bool commutes = op == BPF_ADD || op == BPF_MUL || op == BPF_AND || op == BPF_OR || op == BPF_XOR;
    if (commutes && (is_constant(terms, a) || (!is_constant(terms, b) && a > b))) {
        uint32_t other = a;
        a = b;
        b = other;
    }
    if (is_constant(terms, b)) {
        return by_constant(terms, op, a, dsl_check_term_get(terms, b)->a);
    }
    bool is_shift = op == BPF_LSH || op == BPF_RSH || op == BPF_DIV;
    if (is_shift && is_constant(terms, a) && dsl_check_term_get(terms, a)->a == 0) {
        return a;
    }
    if (op == BPF_SUB && is_constant(terms, a)) {
        return from_constant(terms, dsl_check_term_get(terms, a)->a, b);
    }
    if (a == b && (op == BPF_AND || op == BPF_OR)) {
        return a;
    }
    if (a == b && (op == BPF_SUB || op == BPF_XOR)) {
        return dsl_check_term_constant(terms, 0);
    }
    return keep_op(terms, op, a, b);
}
