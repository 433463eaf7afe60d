// symbolic_write: an expression as instructions that leave it in A.
//
// Takes: an expression. Gives: instructions that compute it from nothing, with X and cells from M[0] on. How: what needs no X is
// computed last, next to an X that holds the rest; what needs X on both sides waits in a cell. What symbolic.c writes in its own
// way becomes what a person would have written: "and, xor" is "or" again, a subtraction from a constant is "neg, add". Guarantees:
// exact; never a division by zero where the caller says that there might be one. Weaknesses: a part that stands twice is computed
// twice.
#include "bpf_dsl/symbolic.h"

#define ALL UINT32_MAX

struct writer {
    struct dsl_symbols *symbols;
    struct sock_filter insns[4 * DSL_SYMBOL_SIZE];
    uint32_t count;
    bool guards; // divisors may be 0
    bool failed; // sticky
};

static void write(struct writer *writer, uint16_t code, uint32_t k)
{
    if (writer->count == sizeof writer->insns / sizeof writer->insns[0]) {
        writer->failed = true;
        return;
    }
    writer->insns[writer->count++] = (struct sock_filter){.code = code, .k = k};
}

static const struct dsl_symbol *symbol_of(const struct writer *writer, uint32_t id)
{
    return dsl_symbol_get(writer->symbols, id);
}

static bool is_constant(const struct writer *writer, uint32_t id)
{
    return symbol_of(writer, id)->kind == DSL_SYMBOL_CONSTANT;
}

static bool needs_x(const struct writer *writer, uint32_t id)
{
    const struct dsl_symbol *symbol = symbol_of(writer, id);
    while (symbol->kind == DSL_SYMBOL_OP) {
        bool is_from = symbol->k == BPF_SUB && is_constant(writer, symbol->a);
        if (!is_from && !is_constant(writer, symbol->b)) {
            return true;
        }
        symbol = symbol_of(writer, is_from ? symbol->b : symbol->a);
    }
    return false;
}

static void write_symbol(struct writer *writer, uint32_t id, uint32_t cell);

// ((a & ~k) ^ k), or with a narrower mask: no bit of k is left to be turned round.
static bool write_or(struct writer *writer, const struct dsl_symbol *symbol, uint32_t cell)
{
    uint32_t k = symbol_of(writer, symbol->b)->k;
    const struct dsl_symbol *inner = symbol_of(writer, symbol->a);
    bool is_masked = inner->kind == DSL_SYMBOL_OP && inner->k == BPF_AND && is_constant(writer, inner->b);
    uint32_t mask = is_masked ? symbol_of(writer, inner->b)->k : ALL;
    if (symbol->k != BPF_XOR || (mask & k) != 0) {
        return false;
    }
    write_symbol(writer, mask == ~k ? inner->a : symbol->a, cell);
    write(writer, BPF_ALU | BPF_OR | BPF_K, k);
    return true;
}

static void write_by_constant(struct writer *writer, const struct dsl_symbol *symbol, uint32_t cell)
{
    if (!write_or(writer, symbol, cell)) {
        write_symbol(writer, symbol->a, cell);
        write(writer, (uint16_t)(BPF_ALU | symbol->k | BPF_K), symbol_of(writer, symbol->b)->k);
    }
}

static void write_from_constant(struct writer *writer, const struct dsl_symbol *symbol, uint32_t cell)
{
    uint32_t k = symbol_of(writer, symbol->a)->k;
    write_symbol(writer, symbol->b, cell);
    write(writer, BPF_ALU | BPF_NEG, 0);
    if (k != 0) {
        write(writer, BPF_ALU | BPF_ADD, k); // and BPF_K, which is 0 as well
    }
}

static void write_by_x(struct writer *writer, const struct dsl_symbol *symbol, uint32_t cell)
{
    bool commutes =
        symbol->k == BPF_ADD || symbol->k == BPF_MUL || symbol->k == BPF_AND || symbol->k == BPF_OR || symbol->k == BPF_XOR;
    bool swaps = commutes && needs_x(writer, symbol->a) && !needs_x(writer, symbol->b);
    uint32_t a = swaps ? symbol->b : symbol->a;
    uint32_t b = swaps ? symbol->a : symbol->b;
    b = symbol->k == BPF_DIV && writer->guards ? dsl_symbol_not_zero(writer->symbols, b) : b;
    bool waits = needs_x(writer, a);
    writer->failed |= writer->symbols->too_big || (waits && cell == BPF_MEMWORDS);
    if (writer->failed) {
        return;
    }
    write_symbol(writer, b, cell);
    write(writer, waits ? BPF_ST : BPF_MISC | BPF_TAX, waits ? cell : 0);
    write_symbol(writer, a, cell + waits);
    if (waits) {
        write(writer, BPF_LDX | BPF_MEM, cell);
    }
    write(writer, (uint16_t)(BPF_ALU | symbol->k | BPF_X), 0);
}

// Leaves the value in A. Cells from `cell` on are free. Recursion: DSL_SYMBOL_SIZE deep at most.
static void write_symbol(struct writer *writer, uint32_t id, uint32_t cell)
{
    const struct dsl_symbol *symbol = symbol_of(writer, id);
    if (symbol->kind == DSL_SYMBOL_CONSTANT) {
        write(writer, BPF_LD | BPF_IMM, symbol->k);
    } else if (symbol->kind == DSL_SYMBOL_WORD) {
        write(writer, BPF_LD | BPF_W | BPF_ABS, 4u * symbol->word);
    } else if (is_constant(writer, symbol->b)) {
        write_by_constant(writer, symbol, cell);
    } else if (symbol->k == BPF_SUB && is_constant(writer, symbol->a)) {
        write_from_constant(writer, symbol, cell);
    } else {
        write_by_x(writer, symbol, cell);
    }
}

bool dsl_symbol_write(struct dsl_symbols *symbols, uint32_t id, bool guards, struct dsl_term *ret_term)
{
    struct writer *writer = DSL_ARENA_NEW(symbols->nodes.arena, struct writer);
    if (writer == NULL) {
        return false;
    }
    writer->symbols = symbols;
    writer->count = 0;
    writer->guards = guards;
    writer->failed = false;
    write_symbol(writer, id, 0);
    *ret_term = (struct dsl_term){writer->insns, writer->count};
    return !writer->failed;
}
