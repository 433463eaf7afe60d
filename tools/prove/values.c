// values: the words that a program computes with, as Z3 formulas of 32 bits, each with bounds.
//
// Takes: an operation and its operands. Gives: a formula, and bounds that hold for every input. Guarantees: the kernel's meaning:
// all is modulo 2^32 and unsigned, shifts count modulo 32. Constants never become formulas before they meet something that varies,
// so that tests of a known word prune half of the program. Weaknesses: bounds are one interval; what an AND or a subtraction that
// wraps does to them is forgotten, and left to Z3.
#include <linux/filter.h>

#include "tools/prove/parts.h"

struct prove_value prove_constant(uint32_t value)
{
    return (struct prove_value){.lo = value, .hi = value};
}

bool prove_is_constant(struct prove_value value)
{
    return value.lo == value.hi;
}

Z3_ast prove_ast(const struct prove_solver *solver, struct prove_value value)
{
    return prove_is_constant(value) ? prove_z3.mk_unsigned_int(solver->z3, value.lo, solver->word_sort) : value.ast;
}

// --- connectives ------------------------------------------------------------------------------------------------------

Z3_ast prove_and(const struct prove_solver *solver, Z3_ast a, Z3_ast b)
{
    if (a == solver->no || b == solver->no) {
        return solver->no;
    }
    if (a == solver->yes || b == solver->yes || a == b) {
        return a == solver->yes ? b : a;
    }
    return prove_z3.mk_and(solver->z3, 2, (Z3_ast[]){a, b});
}

Z3_ast prove_or(const struct prove_solver *solver, Z3_ast a, Z3_ast b)
{
    if (a == solver->yes || b == solver->yes) {
        return solver->yes;
    }
    if (a == solver->no || b == solver->no || a == b) {
        return a == solver->no ? b : a;
    }
    return prove_z3.mk_or(solver->z3, 2, (Z3_ast[]){a, b});
}

Z3_ast prove_not(const struct prove_solver *solver, Z3_ast a)
{
    if (a == solver->yes || a == solver->no) {
        return a == solver->yes ? solver->no : solver->yes;
    }
    return prove_z3.mk_not(solver->z3, a);
}

struct prove_value prove_choose(const struct prove_solver *solver, Z3_ast condition, struct prove_value a, struct prove_value b)
{
    if (condition == solver->yes || condition == solver->no) {
        return condition == solver->yes ? a : b;
    }
    if (a.ast == b.ast && a.lo == b.lo && a.hi == b.hi) {
        return a;
    }
    return (struct prove_value){
        .ast = prove_z3.mk_ite(solver->z3, condition, prove_ast(solver, a), prove_ast(solver, b)),
        .lo = a.lo < b.lo ? a.lo : b.lo,
        .hi = a.hi > b.hi ? a.hi : b.hi,
    };
}

// --- arithmetic -------------------------------------------------------------------------------------------------------

static uint32_t calculate_constant(uint16_t op, uint32_t a, uint32_t b)
{
    switch (op) {
    case BPF_ADD:
        return a + b;
    case BPF_SUB:
        return a - b;
    case BPF_MUL:
        return a * b;
    case BPF_DIV:
        return b == 0 ? UINT32_MAX : a / b; // as Z3 has it; no path on which it matters divides by 0
    case BPF_AND:
        return a & b;
    case BPF_OR:
        return a | b;
    case BPF_XOR:
        return a ^ b;
    case BPF_LSH:
        return a << (b & 31);
    case BPF_RSH:
        return a >> (b & 31);
    default: // BPF_NEG
        return 0 - a;
    }
}

static Z3_ast shift_count(const struct prove_solver *solver, struct prove_value b)
{
    return prove_is_constant(b) ? prove_ast(solver, prove_constant(b.lo & 31))
                                : prove_z3.mk_bvand(solver->z3, b.ast, prove_ast(solver, prove_constant(31)));
}

static Z3_ast calculate_ast(const struct prove_solver *solver, uint16_t op, struct prove_value a, struct prove_value b)
{
    Z3_context z3 = solver->z3;
    Z3_ast left = prove_ast(solver, a);
    Z3_ast right = prove_ast(solver, b);
    switch (op) {
    case BPF_ADD:
        return prove_z3.mk_bvadd(z3, left, right);
    case BPF_SUB:
        return prove_z3.mk_bvsub(z3, left, right);
    case BPF_MUL:
        return prove_z3.mk_bvmul(z3, left, right);
    case BPF_DIV:
        return prove_z3.mk_bvudiv(z3, left, right);
    case BPF_AND:
        return prove_z3.mk_bvand(z3, left, right);
    case BPF_OR:
        return prove_z3.mk_bvor(z3, left, right);
    case BPF_XOR:
        return prove_z3.mk_bvxor(z3, left, right);
    case BPF_LSH:
        return prove_z3.mk_bvshl(z3, left, shift_count(solver, b));
    case BPF_RSH:
        return prove_z3.mk_bvlshr(z3, left, shift_count(solver, b));
    default:
        return prove_z3.mk_bvneg(z3, left);
    }
}

// Returns: `value` with every bit below its highest one set.
static uint32_t fill(uint32_t value)
{
    for (unsigned shift = 1; shift < 32; shift *= 2) {
        value |= value >> shift;
    }
    return value;
}

// Sets bounds where they cannot wrap.
static void set_bounds(struct prove_value *value, uint64_t lo, uint64_t hi)
{
    if (hi <= UINT32_MAX && lo <= hi) {
        value->lo = (uint32_t)lo;
        value->hi = (uint32_t)hi;
    }
}

static void bound(struct prove_value *value, uint16_t op, struct prove_value a, struct prove_value b)
{
    uint64_t product = (uint64_t)a.hi * b.hi;
    switch (op) {
    case BPF_ADD:
        set_bounds(value, (uint64_t)a.lo + b.lo, (uint64_t)a.hi + b.hi);
        break;
    case BPF_SUB:
        if (a.lo >= b.hi) {
            set_bounds(value, a.lo - b.hi, a.hi - b.lo);
        }
        break;
    case BPF_MUL:
        set_bounds(value, product <= UINT32_MAX ? (uint64_t)a.lo * b.lo : 0, product);
        break;
    case BPF_DIV:
        if (b.lo > 0) {
            set_bounds(value, a.lo / b.hi, a.hi / b.lo);
        }
        break;
    case BPF_AND:
        set_bounds(value, 0, a.hi < b.hi ? a.hi : b.hi);
        break;
    case BPF_OR:
        set_bounds(value, a.lo > b.lo ? a.lo : b.lo, fill(a.hi | b.hi));
        break;
    case BPF_XOR:
        set_bounds(value, 0, fill(a.hi | b.hi));
        break;
    case BPF_LSH:
        if (prove_is_constant(b)) {
            set_bounds(value, (uint64_t)a.lo << (b.lo & 31), (uint64_t)a.hi << (b.lo & 31));
        }
        break;
    case BPF_RSH:
        set_bounds(value, prove_is_constant(b) ? a.lo >> (b.lo & 31) : 0, prove_is_constant(b) ? a.hi >> (b.lo & 31) : a.hi);
        break;
    }
}

struct prove_value prove_calculate(const struct prove_solver *solver, uint16_t op, struct prove_value a, struct prove_value b)
{
    struct prove_value value = {.ast = NULL, .lo = 0, .hi = UINT32_MAX};
    if (prove_is_constant(a) && prove_is_constant(b)) {
        return prove_constant(calculate_constant(op, a.lo, b.lo));
    }
    value.ast = calculate_ast(solver, op, a, b);
    bound(&value, op, a, b);
    return value;
}

// --- tests ------------------------------------------------------------------------------------------------------------

static Z3_ast known(const struct prove_solver *solver, bool is_true)
{
    return is_true ? solver->yes : solver->no;
}

static Z3_ast test_bits(const struct prove_solver *solver, struct prove_value a, struct prove_value b)
{
    if (prove_is_constant(b)) {
        uint32_t same = ~fill(a.lo ^ a.hi); // bits that are the same in all of a
        if ((a.lo & same & b.lo) != 0 || (b.lo & ~same) == 0) {
            return known(solver, (a.lo & same & b.lo) != 0);
        }
    }
    Z3_ast common = prove_z3.mk_bvand(solver->z3, prove_ast(solver, a), prove_ast(solver, b));
    return prove_z3.mk_not(solver->z3, prove_z3.mk_eq(solver->z3, common, prove_ast(solver, prove_constant(0))));
}

Z3_ast prove_test(const struct prove_solver *solver, uint16_t op, struct prove_value a, struct prove_value b)
{
    if (op == BPF_JSET) {
        return test_bits(solver, a, b);
    }
    if (op == BPF_JEQ) {
        bool is_apart = a.hi < b.lo || b.hi < a.lo;
        if (is_apart || (prove_is_constant(a) && prove_is_constant(b))) {
            return known(solver, !is_apart);
        }
        return prove_z3.mk_eq(solver->z3, prove_ast(solver, a), prove_ast(solver, b));
    }
    bool is_always = op == BPF_JGT ? a.lo > b.hi : a.lo >= b.hi;
    bool is_never = op == BPF_JGT ? a.hi <= b.lo : a.hi < b.lo;
    if (is_always || is_never) {
        return known(solver, is_always);
    }
    Z3_ast left = prove_ast(solver, a);
    Z3_ast right = prove_ast(solver, b);
    return op == BPF_JGT ? prove_z3.mk_bvugt(solver->z3, left, right) : prove_z3.mk_bvuge(solver->z3, left, right);
}
