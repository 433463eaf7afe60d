// violation: where a relation between two programs does not hold, as one formula.
//
// Takes: what two programs return, and when. Gives: a formula that is true for exactly the calls that violate the relation.
// Guarantees: says the same as prove_relation_holds; constants are judged by it, only values that vary are spelled out for Z3.
// Weaknesses: none known; a program with very many returns gives a long chain of choices.
#include <linux/seccomp.h>

#include "tools/prove/parts.h"

static Z3_ast equals(const struct prove_solver *solver, Z3_ast word, uint32_t value)
{
    return prove_z3.mk_eq(solver->z3, word, prove_ast(solver, prove_constant(value)));
}

static Z3_ast mask(const struct prove_solver *solver, Z3_ast word, uint32_t bits)
{
    return prove_z3.mk_bvand(solver->z3, word, prove_ast(solver, prove_constant(bits)));
}

// --- effects ----------------------------------------------------------------------------------------------------------

// prove_effect for a value that varies.
static Z3_ast effect_ast(const struct prove_solver *solver, Z3_ast ret)
{
    static const uint32_t with_data[] = {SECCOMP_RET_TRAP, SECCOMP_RET_TRACE};
    static const uint32_t without_data[] = {SECCOMP_RET_ALLOW, SECCOMP_RET_LOG, SECCOMP_RET_USER_NOTIF, SECCOMP_RET_KILL_THREAD};
    const uint32_t errno_max = prove_effect(SECCOMP_RET_ERRNO | SECCOMP_RET_DATA);
    Z3_context z3 = solver->z3;
    Z3_ast action = mask(solver, ret, SECCOMP_RET_ACTION_FULL);
    Z3_ast limit = prove_ast(solver, prove_constant(errno_max));
    Z3_ast effect = prove_ast(solver, prove_constant(SECCOMP_RET_KILL_PROCESS));
    for (size_t i = 0; i < sizeof with_data / sizeof with_data[0]; i++) {
        effect = prove_z3.mk_ite(z3, equals(solver, action, with_data[i]), ret, effect);
    }
    for (size_t i = 0; i < sizeof without_data / sizeof without_data[0]; i++) {
        effect = prove_z3.mk_ite(z3, equals(solver, action, without_data[i]), action, effect);
    }
    // With the action ERRNO, the whole word grows with its data.
    Z3_ast clamped = prove_z3.mk_ite(z3, prove_z3.mk_bvugt(z3, ret, limit), limit, ret);
    return prove_z3.mk_ite(z3, equals(solver, action, SECCOMP_RET_ERRNO), clamped, effect);
}

static Z3_ast allows_ast(const struct prove_solver *solver, struct prove_value value)
{
    if (prove_is_constant(value)) {
        return prove_relation_holds(PROVE_SUBSET, value.lo, SECCOMP_RET_KILL_PROCESS) ? solver->no : solver->yes;
    }
    Z3_ast action = mask(solver, value.ast, SECCOMP_RET_ACTION_FULL);
    return prove_or(solver, equals(solver, action, SECCOMP_RET_ALLOW), equals(solver, action, SECCOMP_RET_LOG));
}

// --- programs ---------------------------------------------------------------------------------------------------------

// The value returned, as it is or as its effect.
static Z3_ast returned(const struct prove_solver *solver, const struct prove_outcome *outcome, bool as_effect)
{
    Z3_ast all = NULL;
    for (size_t i = outcome->count; i > 0; i--) {
        const struct prove_return *one = &outcome->returns[i - 1];
        struct prove_value value = one->value;
        Z3_ast ast;
        if (prove_is_constant(value)) {
            ast = prove_ast(solver, prove_constant(as_effect ? prove_effect(value.lo) : value.lo));
        } else {
            ast = as_effect ? effect_ast(solver, value.ast) : value.ast;
        }
        // The last one needs no condition: the conditions cover everything.
        all = all == NULL ? ast : prove_z3.mk_ite(solver->z3, one->reach, ast, all);
    }
    return all;
}

static Z3_ast allowed(const struct prove_solver *solver, const struct prove_outcome *outcome)
{
    Z3_ast all = solver->no;
    for (size_t i = 0; i < outcome->count; i++) {
        const struct prove_return *one = &outcome->returns[i];
        all = prove_or(solver, all, prove_and(solver, one->reach, allows_ast(solver, one->value)));
    }
    return all;
}

static Z3_ast differ(const struct prove_solver *solver, const struct prove_outcome *a, const struct prove_outcome *b,
                     bool as_effect)
{
    Z3_ast left = returned(solver, a, as_effect);
    Z3_ast right = returned(solver, b, as_effect);
    return left == right ? solver->no : prove_z3.mk_not(solver->z3, prove_z3.mk_eq(solver->z3, left, right));
}

bool prove_is_settled(const struct prove_outcome *outcome, uint32_t *ret_ret)
{
    *ret_ret = outcome->returns[0].value.lo;
    return outcome->count == 1 && prove_is_constant(outcome->returns[0].value);
}

Z3_ast prove_violation(const struct prove_solver *solver, enum prove_relation relation, const struct prove_outcome *a,
                       const struct prove_outcome *b)
{
    uint32_t ret_a;
    uint32_t ret_b;
    if (prove_is_settled(a, &ret_a) && prove_is_settled(b, &ret_b)) {
        return prove_relation_holds(relation, ret_a, ret_b) ? solver->no : solver->yes;
    }
    switch (relation) {
    case PROVE_EQUAL:
        return differ(solver, a, b, false);
    case PROVE_SAME_EFFECT:
        return differ(solver, a, b, true);
    case PROVE_SUBSET:
        return prove_and(solver, allowed(solver, a), prove_not(solver, allowed(solver, b)));
    case PROVE_SUPERSET:
        return prove_and(solver, allowed(solver, b), prove_not(solver, allowed(solver, a)));
    default: { // PROVE_SAME_DENIAL
        Z3_ast alike = prove_z3.mk_eq(solver->z3, allowed(solver, a), allowed(solver, b));
        return prove_and(solver, alike, differ(solver, a, b, true));
    }
    }
}
