// symbolic: expressions of what a foreign program computes.
//
// Takes: operations on constants, words and results. Gives: one id per different expression. Requires: nothing. Guarantees: an
// expression has the value that the kernel computes for every call, but where a division by zero would have ended the program.
// How they are kept simple: constants stand on the right; a subtraction of a constant is an addition; "or" with a constant is "and"
// and "xor"; masks are moved through shifts and "xor" to the word, since a masked word is what a switch can be about. Weaknesses:
// no more algebra than compilers of filters need.
#include "bpf_dsl/symbolic.h"

#define ALL UINT32_MAX

static bool same_symbol(const void *node, const void *key)
{
    const struct dsl_symbol *a = node;
    const struct dsl_symbol *b = key;
    return a->kind == b->kind && a->k == b->k && a->a == b->a && a->b == b->b && (a->kind != DSL_SYMBOL_WORD || a->word == b->word);
}

static uint32_t add(struct dsl_symbols *symbols, struct dsl_symbol key)
{
    uint64_t hash = dsl_hash(dsl_hash(key.kind, (uint64_t)key.k << 8 | key.word), (uint64_t)key.a << 32 | key.b);
    uint32_t id = dsl_intern_find(&symbols->nodes, dsl_hash_end(hash), same_symbol, &key);
    if (id != DSL_INTERN_NONE) {
        return id;
    }
    struct dsl_symbol *kept = DSL_ARENA_NEW(symbols->nodes.arena, struct dsl_symbol);
    if (kept == NULL) {
        return 0;
    }
    *kept = key;
    id = dsl_intern_add(&symbols->nodes, dsl_hash_end(hash), kept);
    symbols->too_big |= symbols->nodes.full;
    return id == DSL_INTERN_NONE ? 0 : id;
}

bool dsl_symbols_init(struct dsl_symbols *symbols, struct brig_dsl_arena *arena)
{
    symbols->too_big = false;
    for (int i = 0; i < 2; i++) {
        symbols->scratch[i] = DSL_ARENA_ARRAY(arena, struct dsl_span, DSL_SYMBOL_SPANS);
    }
    return dsl_intern_init(&symbols->nodes, arena, 256) && dsl_symbol_constant(symbols, 0) == 0 && !arena->exhausted;
}

uint32_t dsl_symbol_constant(struct dsl_symbols *symbols, uint32_t value)
{
    return add(symbols, (struct dsl_symbol){.kind = DSL_SYMBOL_CONSTANT, .word = DSL_SYMBOL_NO_WORD, .size = 1, .k = value});
}

uint32_t dsl_symbol_word(struct dsl_symbols *symbols, uint32_t word)
{
    return add(symbols, (struct dsl_symbol){.kind = DSL_SYMBOL_WORD, .word = (uint8_t)word, .size = 1});
}

// --- operations -------------------------------------------------------------------------------------------------------

uint32_t dsl_symbol_calculate(uint16_t op, uint32_t a, uint32_t b)
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
    default: // BPF_RSH
        return a >> (b & 31);
    }
}

static uint32_t add_op(struct dsl_symbols *symbols, uint16_t op, uint32_t a, uint32_t b)
{
    const struct dsl_symbol *left = dsl_symbol_get(symbols, a);
    const struct dsl_symbol *right = dsl_symbol_get(symbols, b);
    struct dsl_symbol symbol = {.kind = DSL_SYMBOL_OP, .k = op, .a = a, .b = b, .word = left->word};
    uint32_t size = 1u + left->size + right->size;
    if (left->word == DSL_SYMBOL_NO_WORD) {
        symbol.word = right->word;
    } else if (right->word != DSL_SYMBOL_NO_WORD && right->word != left->word) {
        symbol.word = DSL_SYMBOL_MANY_WORDS;
    }
    symbols->too_big |= size > DSL_SYMBOL_SIZE;
    symbol.size = (uint16_t)(size > DSL_SYMBOL_SIZE ? DSL_SYMBOL_SIZE : size);
    return symbols->too_big ? 0 : add(symbols, symbol);
}

static uint32_t with_constant(struct dsl_symbols *symbols, uint16_t op, uint32_t a, uint32_t k);

// (a & k), with the mask as far down as it goes.
static uint32_t mask_with(struct dsl_symbols *symbols, uint32_t a, uint32_t k)
{
    const struct dsl_symbol *inner = dsl_symbol_get(symbols, a);
    bool by_constant = inner->kind == DSL_SYMBOL_OP && dsl_symbol_get(symbols, inner->b)->kind == DSL_SYMBOL_CONSTANT;
    uint32_t c = by_constant ? dsl_symbol_get(symbols, inner->b)->k : 0;
    if (k == 0 || k == ALL) {
        return k == 0 ? 0 : a;
    }
    switch (by_constant ? inner->k : BPF_ADD) {
    case BPF_AND:
        return mask_with(symbols, inner->a, k & c);
    case BPF_XOR:
        return with_constant(symbols, BPF_XOR, mask_with(symbols, inner->a, k), c & k);
    case BPF_LSH:
        // Bits that the shift leaves empty need no mask.
        return k >> c == ALL >> c ? a : with_constant(symbols, BPF_LSH, mask_with(symbols, inner->a, k >> c), c);
    case BPF_RSH:
        return k << c == ALL << c ? a : with_constant(symbols, BPF_RSH, mask_with(symbols, inner->a, k << c), c);
    default:
        return add_op(symbols, BPF_AND, a, dsl_symbol_constant(symbols, k));
    }
}

static uint32_t with_constant(struct dsl_symbols *symbols, uint16_t op, uint32_t a, uint32_t k)
{
    const struct dsl_symbol *inner = dsl_symbol_get(symbols, a);
    bool is_same = inner->kind == DSL_SYMBOL_OP && inner->k == op && dsl_symbol_get(symbols, inner->b)->kind == DSL_SYMBOL_CONSTANT;
    if (inner->kind == DSL_SYMBOL_CONSTANT) {
        return dsl_symbol_constant(symbols, dsl_symbol_calculate(op, inner->k, k));
    }
    switch (op) {
    case BPF_AND:
        return mask_with(symbols, a, k);
    case BPF_OR:
        return with_constant(symbols, BPF_XOR, mask_with(symbols, a, ~k), k);
    case BPF_SUB:
        return with_constant(symbols, BPF_ADD, a, 0 - k);
    case BPF_ADD:
    case BPF_XOR:
        if (is_same) {
            return with_constant(symbols, op, inner->a, dsl_symbol_calculate(op, dsl_symbol_get(symbols, inner->b)->k, k));
        }
        return k == 0 ? a : add_op(symbols, op, a, dsl_symbol_constant(symbols, k));
    case BPF_MUL:
        if ((k & (k - 1)) == 0) {
            return k == 0 ? 0 : with_constant(symbols, BPF_LSH, a, (uint32_t)__builtin_ctz(k));
        }
        return add_op(symbols, op, a, dsl_symbol_constant(symbols, k));
    case BPF_DIV:
        return k == 1 ? a : add_op(symbols, op, a, dsl_symbol_constant(symbols, k));
    default: // shifts
        return k % 32 == 0 ? a : add_op(symbols, op, a, dsl_symbol_constant(symbols, k % 32));
    }
}

uint32_t dsl_symbol_not_zero(struct dsl_symbols *symbols, uint32_t b)
{
    uint32_t not_b = with_constant(symbols, BPF_XOR, b, ALL);
    uint32_t one_less = with_constant(symbols, BPF_ADD, b, ALL);
    uint32_t is_zero = with_constant(symbols, BPF_RSH, dsl_symbol_op(symbols, BPF_AND, not_b, one_less), 31);
    return dsl_symbol_op(symbols, BPF_OR, b, is_zero);
}

uint32_t dsl_symbol_op(struct dsl_symbols *symbols, uint16_t op, uint32_t a, uint32_t b)
{
    if (op == BPF_NEG) {
        return dsl_symbol_op(symbols, BPF_SUB, 0, a);
    }
    bool commutes = op == BPF_ADD || op == BPF_MUL || op == BPF_AND || op == BPF_OR || op == BPF_XOR;
    if (commutes && (dsl_symbol_get(symbols, a)->kind == DSL_SYMBOL_CONSTANT ||
                     (dsl_symbol_get(symbols, b)->kind != DSL_SYMBOL_CONSTANT && a > b))) {
        uint32_t other = a;
        a = b;
        b = other;
    }
    if (dsl_symbol_get(symbols, b)->kind == DSL_SYMBOL_CONSTANT) {
        return with_constant(symbols, op, a, dsl_symbol_get(symbols, b)->k);
    }
    if (a == b && (op == BPF_AND || op == BPF_OR)) {
        return a;
    }
    if (a == b && (op == BPF_SUB || op == BPF_XOR)) {
        return 0;
    }
    return add_op(symbols, op, a, b);
}

uint32_t dsl_symbol_is_above(struct dsl_symbols *symbols, uint32_t a, uint32_t b)
{
    // The borrow of b - a: (~b & a) | (~(b ^ a) & (b - a)), its highest bit.
    uint32_t only_a = dsl_symbol_op(symbols, BPF_AND, dsl_symbol_op(symbols, BPF_XOR, b, dsl_symbol_constant(symbols, ALL)), a);
    uint32_t alike = with_constant(symbols, BPF_XOR, dsl_symbol_op(symbols, BPF_XOR, b, a), ALL);
    uint32_t carried = dsl_symbol_op(symbols, BPF_AND, alike, dsl_symbol_op(symbols, BPF_SUB, b, a));
    return with_constant(symbols, BPF_RSH, dsl_symbol_op(symbols, BPF_OR, only_a, carried), 31);
}
