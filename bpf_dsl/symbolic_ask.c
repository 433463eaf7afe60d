// symbolic_ask: a question about an expression becomes a question about a word.
//
// Takes: an expression and a span. Gives: for which values of (word & mask) the expression is in the span. How, in this order:
// 1. Turned round operation by operation, where the expression is one word and constants: the span before an addition is the same
//    span elsewhere, before a shift a wider one, and so on. All of it modulo 2^bits, since the low bits of a sum are the sum of the
//    low bits.
// 2. By trying all values, where ten bits of one word decide: bitmaps, tables in a constant.
// 3. As a term, whatever it is.
// Guarantees: exact. Weaknesses: a product by an odd constant is a term.
#include "bpf_dsl/symbolic.h"

#define ALL UINT32_MAX

enum { ASK_BITS = 10 };

// Sorted spans of the low `bits` bits of `id`.
struct asking {
    struct dsl_symbols *symbols;
    uint32_t id;
    uint32_t bits;
    struct dsl_span *spans; // room for DSL_SYMBOL_SPANS
    uint32_t count;
    struct dsl_span *spare; // the same room
    bool failed;
};

static uint32_t highest(uint32_t bits)
{
    return bits == 0 ? 0 : ALL >> (32 - bits);
}

// --- lists of spans ---------------------------------------------------------------------------------------------------

static void put(struct asking *asking, uint32_t *count, uint32_t first, uint32_t last)
{
    if (*count == DSL_SYMBOL_SPANS) {
        asking->failed = true;
        return;
    }
    asking->spare[(*count)++] = (struct dsl_span){first, last};
}

// Sorts what was put, joins neighbours, and makes it the list.
static void finish(struct asking *asking, uint32_t count)
{
    struct dsl_span *spans = asking->spare;
    for (uint32_t i = 1; i < count; i++) {
        struct dsl_span span = spans[i];
        uint32_t at = i;
        for (; at > 0 && spans[at - 1].first > span.first; at--) {
            spans[at] = spans[at - 1];
        }
        spans[at] = span;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (kept > 0 && (spans[kept - 1].last == ALL || spans[i].first <= spans[kept - 1].last + 1)) {
            spans[kept - 1].last = spans[i].last > spans[kept - 1].last ? spans[i].last : spans[kept - 1].last;
        } else {
            spans[kept++] = spans[i];
        }
    }
    asking->spare = asking->spans;
    asking->spans = spans;
    asking->count = kept;
}

// Moves a span round the circle of 2^bits numbers.
static void put_turned(struct asking *asking, uint32_t *count, uint32_t first, uint32_t last)
{
    uint32_t top = highest(asking->bits);
    first &= top;
    last &= top;
    if (first <= last) {
        put(asking, count, first, last);
    } else {
        put(asking, count, first, top);
        put(asking, count, 0, last);
    }
}

// --- one operation back -----------------------------------------------------------------------------------------------

static void undo_add(struct asking *asking, uint32_t k)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < asking->count; i++) {
        struct dsl_span span = asking->spans[i];
        if (span.last - span.first == highest(asking->bits)) {
            put(asking, &count, 0, span.last - span.first);
        } else {
            put_turned(asking, &count, span.first - k, span.last - k);
        }
    }
    finish(asking, count);
}

// The expression is k - x.
static void undo_from(struct asking *asking, uint32_t k)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < asking->count; i++) {
        struct dsl_span span = asking->spans[i];
        if (span.last - span.first == highest(asking->bits)) {
            put(asking, &count, 0, span.last - span.first);
        } else {
            put_turned(asking, &count, k - span.last, k - span.first);
        }
    }
    finish(asking, count);
}

// A span is blocks of 2^n aligned numbers, and a block stays one whatever its numbers are turned by.
static void undo_xor(struct asking *asking, uint32_t k)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < asking->count && !asking->failed; i++) {
        uint64_t first = asking->spans[i].first;
        uint64_t end = (uint64_t)asking->spans[i].last + 1;
        while (first < end) {
            uint64_t block = first == 0 ? (uint64_t)1 << 32 : first & (0 - first);
            while (first + block > end) {
                block /= 2;
            }
            uint32_t low = (uint32_t)(block - 1);
            uint32_t start = ((uint32_t)first ^ k) & ~low & highest(asking->bits);
            put(asking, &count, start, start | low);
            first += block;
        }
    }
    finish(asking, count);
}

static void undo_left(struct asking *asking, uint32_t shift)
{
    uint32_t count = 0;
    uint32_t low = highest(shift);
    asking->bits = asking->bits > shift ? asking->bits - shift : 0;
    for (uint32_t i = 0; i < asking->count; i++) {
        uint32_t first = (asking->spans[i].first >> shift) + ((asking->spans[i].first & low) != 0);
        uint32_t last = asking->spans[i].last >> shift;
        if (first <= last) {
            put(asking, &count, first, last);
        }
    }
    finish(asking, count);
}

static void undo_right(struct asking *asking, uint32_t shift)
{
    uint32_t count = 0;
    uint32_t top = asking->bits < 32 - shift ? highest(asking->bits) : ALL >> shift;
    asking->bits = asking->bits + shift < 32 ? asking->bits + shift : 32;
    for (uint32_t i = 0; i < asking->count; i++) {
        uint32_t last = asking->spans[i].last < top ? asking->spans[i].last : top;
        if (asking->spans[i].first <= last) {
            put(asking, &count, asking->spans[i].first << shift, last << shift | highest(shift));
        }
    }
    finish(asking, count);
}

static void undo_divide(struct asking *asking, uint32_t k)
{
    uint32_t count = 0;
    asking->failed |= asking->bits < 32;
    for (uint32_t i = 0; i < asking->count; i++) {
        uint64_t first = (uint64_t)asking->spans[i].first * k;
        uint64_t last = (uint64_t)asking->spans[i].last * k + (k - 1);
        if (first <= ALL) {
            put(asking, &count, (uint32_t)first, last > ALL ? ALL : (uint32_t)last);
        }
    }
    finish(asking, count);
}

// A mask of low bits leaves fewer bits, one of high bits makes spans wider; any other one is only good on the word itself.
// Returns: whether it was one of these.
static bool undo_mask(struct asking *asking, uint32_t k)
{
    uint32_t count = 0;
    uint32_t top = highest(asking->bits);
    k &= top;
    uint32_t low = top & ~k;
    bool is_low = (k & (k + 1)) == 0;
    if (!is_low && (low & (low + 1)) != 0) {
        return false;
    }
    for (uint32_t i = 0; i < asking->count; i++) {
        uint32_t first = asking->spans[i].first;
        uint32_t last = asking->spans[i].last < k ? asking->spans[i].last : k;
        if (first > last || (!is_low && (!dsl_next_in_mask(k, first, &first) || first > last))) {
            continue;
        }
        put(asking, &count, first, is_low ? last : last | low);
    }
    finish(asking, count);
    asking->bits = is_low ? (k == 0 ? 0 : 32 - (uint32_t)__builtin_clz(k)) : asking->bits;
    return true;
}

// Goes down one operation. Returns: false where this cannot be done.
static bool undo(struct asking *asking, const struct dsl_symbol *symbol)
{
    const struct dsl_symbol *left = dsl_symbol_get(asking->symbols, symbol->a);
    const struct dsl_symbol *right = dsl_symbol_get(asking->symbols, symbol->b);
    if (symbol->k == BPF_SUB && left->kind == DSL_SYMBOL_CONSTANT) {
        undo_from(asking, left->k);
        asking->id = symbol->b;
        return true;
    }
    if (right->kind != DSL_SYMBOL_CONSTANT) {
        return false;
    }
    asking->id = symbol->a;
    switch (symbol->k) {
    case BPF_ADD:
        undo_add(asking, right->k);
        return true;
    case BPF_XOR:
        undo_xor(asking, right->k);
        return true;
    case BPF_LSH:
        undo_left(asking, right->k);
        return true;
    case BPF_RSH:
        undo_right(asking, right->k);
        return true;
    case BPF_DIV:
        undo_divide(asking, right->k);
        return true;
    case BPF_AND:
        return undo_mask(asking, right->k);
    default:
        return false;
    }
}

// A mask of any bits of the word itself. Returns: whether it is that.
static bool ends_in_mask(const struct asking *asking, const struct dsl_symbol *symbol)
{
    return symbol->k == BPF_AND && dsl_symbol_get(asking->symbols, symbol->a)->kind == DSL_SYMBOL_WORD &&
           dsl_symbol_get(asking->symbols, symbol->b)->kind == DSL_SYMBOL_CONSTANT;
}

static bool turn_round(struct asking *asking, struct dsl_question *ret_question)
{
    uint32_t mask = ALL;
    for (;;) {
        const struct dsl_symbol *symbol = dsl_symbol_get(asking->symbols, asking->id);
        if (symbol->kind == DSL_SYMBOL_WORD) {
            *ret_question = (struct dsl_question){symbol->word, mask & highest(asking->bits), asking->spans, asking->count};
            return !asking->failed;
        }
        if (symbol->kind == DSL_SYMBOL_CONSTANT || asking->failed) {
            return false;
        }
        uint32_t below = symbol->a;
        if (!undo(asking, symbol)) {
            if (!ends_in_mask(asking, symbol)) {
                return false;
            }
            mask = dsl_symbol_get(asking->symbols, symbol->b)->k;
            asking->id = below;
        }
    }
}

// --- trying all values ------------------------------------------------------------------------------------------------

// The bits of the word that `bits` of an expression depend on.
static uint32_t bits_needed(const struct dsl_symbols *symbols, uint32_t id, uint32_t bits)
{
    const struct dsl_symbol *symbol = dsl_symbol_get(symbols, id);
    if (symbol->kind != DSL_SYMBOL_OP || bits == 0) {
        return symbol->kind == DSL_SYMBOL_WORD ? bits : 0;
    }
    uint32_t below = ALL >> __builtin_clz(bits);
    uint32_t above = ~((bits & (0 - bits)) - 1);
    const struct dsl_symbol *right = dsl_symbol_get(symbols, symbol->b);
    bool by_constant = right->kind == DSL_SYMBOL_CONSTANT;
    switch (symbol->k) {
    case BPF_AND:
        bits = by_constant ? bits & right->k : bits;
        return bits_needed(symbols, symbol->a, bits) | bits_needed(symbols, symbol->b, bits);
    case BPF_OR:
    case BPF_XOR:
        return bits_needed(symbols, symbol->a, bits) | bits_needed(symbols, symbol->b, bits);
    case BPF_LSH:
        return bits_needed(symbols, symbol->a, by_constant ? bits >> right->k : below) | bits_needed(symbols, symbol->b, 31);
    case BPF_RSH:
        return bits_needed(symbols, symbol->a, by_constant ? bits << right->k : above) | bits_needed(symbols, symbol->b, 31);
    case BPF_DIV:
        return bits_needed(symbols, symbol->a, ALL) | bits_needed(symbols, symbol->b, ALL);
    default:
        return bits_needed(symbols, symbol->a, below) | bits_needed(symbols, symbol->b, below);
    }
}

static uint32_t evaluate(const struct dsl_symbols *symbols, uint32_t id, uint32_t word)
{
    const struct dsl_symbol *symbol = dsl_symbol_get(symbols, id);
    if (symbol->kind != DSL_SYMBOL_OP) {
        return symbol->kind == DSL_SYMBOL_WORD ? word : symbol->k;
    }
    uint32_t a = evaluate(symbols, symbol->a, word);
    uint32_t b = evaluate(symbols, symbol->b, word);
    return dsl_symbol_calculate((uint16_t)symbol->k, a, b);
}

uint32_t dsl_symbol_unpack(uint32_t mask, uint32_t packed)
{
    uint32_t value = 0;
    for (; mask != 0; mask &= mask - 1, packed >>= 1) {
        value |= (packed & 1) != 0 ? mask & (0 - mask) : 0;
    }
    return value;
}

bool dsl_symbol_enumerate(struct dsl_symbols *symbols, uint32_t id, uint32_t bits, struct dsl_symbol_values *ret_values)
{
    const struct dsl_symbol *symbol = dsl_symbol_get(symbols, id);
    struct dsl_symbol_values values = {.word = symbol->word};
    if (symbol->word == DSL_SYMBOL_MANY_WORDS || symbol->word == DSL_SYMBOL_NO_WORD) {
        return false;
    }
    values.mask = bits_needed(symbols, id, bits);
    if (__builtin_popcount(values.mask) > ASK_BITS) {
        return false;
    }
    values.count = 1u << __builtin_popcount(values.mask);
    values.values = DSL_ARENA_ARRAY(symbols->nodes.arena, uint32_t, values.count);
    for (uint32_t i = 0; i < values.count && values.values != NULL; i++) {
        values.values[i] = evaluate(symbols, id, dsl_symbol_unpack(values.mask, i)) & bits;
    }
    *ret_values = values;
    return values.values != NULL;
}

// Bits that a span can tell apart.
static uint32_t bits_asked(struct dsl_symbols *symbols, uint32_t *id)
{
    const struct dsl_symbol *symbol = dsl_symbol_get(symbols, *id);
    if (symbol->kind == DSL_SYMBOL_OP && symbol->k == BPF_AND && dsl_symbol_get(symbols, symbol->b)->kind == DSL_SYMBOL_CONSTANT) {
        *id = symbol->a;
        return dsl_symbol_get(symbols, symbol->b)->k;
    }
    return ALL;
}

static bool try_values(struct asking *asking, uint32_t id, struct dsl_span span, struct dsl_question *ret_question)
{
    struct dsl_symbol_values values;
    uint32_t bits = bits_asked(asking->symbols, &id);
    if (!dsl_symbol_enumerate(asking->symbols, id, bits, &values)) {
        return false;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < values.count; i++) {
        if (values.values[i] >= span.first && values.values[i] <= span.last) {
            // Neighbours of a mask with gaps are joined, since the values between are nobody's.
            uint32_t value = dsl_symbol_unpack(values.mask, i);
            if (count > 0 && asking->spare[count - 1].last == dsl_symbol_unpack(values.mask, i - 1)) {
                asking->spare[count - 1].last = value;
            } else {
                put(asking, &count, value, value);
            }
        }
    }
    finish(asking, count);
    *ret_question = (struct dsl_question){values.word, values.mask, asking->spans, asking->count};
    return !asking->failed;
}

// --- terms ------------------------------------------------------------------------------------------------------------

static bool as_term(struct asking *asking, struct dsl_decisions *graph, uint32_t id, struct dsl_span span,
                    struct dsl_question *ret_question)
{
    uint32_t mask = bits_asked(asking->symbols, &id);
    struct dsl_term written;
    // A division that stood behind a test may be asked for before it.
    bool is_written = dsl_symbol_write(asking->symbols, id, true, &written);
    uint32_t term = is_written ? dsl_decision_term(graph, written.insns, written.count) : 0;
    asking->spans[0] = span;
    *ret_question = (struct dsl_question){(uint8_t)term, mask, asking->spans, 1};
    return term != 0;
}

bool dsl_symbol_ask(struct dsl_symbols *symbols, struct dsl_decisions *graph, uint32_t id, struct dsl_span span,
                    struct dsl_question *ret_question)
{
    struct asking asking = {.symbols = symbols, .id = id, .bits = 32, .count = 1};
    asking.spans = symbols->scratch[0];
    asking.spare = symbols->scratch[1];
    asking.spans[0] = span;
    if (dsl_symbol_get(symbols, id)->word == DSL_SYMBOL_MANY_WORDS || !turn_round(&asking, ret_question)) {
        asking.failed = false;
        if (!try_values(&asking, id, span, ret_question) && !as_term(&asking, graph, id, span, ret_question)) {
            return false;
        }
    }
    struct dsl_span *kept = DSL_ARENA_ARRAY(symbols->nodes.arena, struct dsl_span, ret_question->count);
    if (kept == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < ret_question->count; i++) {
        kept[i] = ret_question->spans[i];
    }
    ret_question->spans = kept;
    return true;
}
