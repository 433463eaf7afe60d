// stack: several programs that one process has installed, as one outcome.
//
// Takes: programs in the order of their installation. Gives: what the kernel makes of what they return: the action that is lowest
// as a signed number, of equal actions the data of the program that was installed last, ALLOW without data. Guarantees: exact;
// formulas and numbers say the same. Weaknesses: returns of two programs are combined pair by pair; values that are no constants
// are not joined, and PROVE_RETURN_MAX of them is the limit. Source: kernel/seccomp.c:seccomp_run_filters.
#include <linux/seccomp.h>

#include "tools/prove/parts.h"

static int32_t precedence(uint32_t ret)
{
    return (int32_t)(ret & SECCOMP_RET_ACTION_FULL);
}

static uint32_t combine(uint32_t upper, uint32_t lower)
{
    return precedence(lower) < precedence(upper) ? lower : upper;
}

static Z3_ast precedence_ast(const struct prove_solver *solver, struct prove_value ret)
{
    return prove_z3.mk_bvand(solver->z3, prove_ast(solver, ret), prove_ast(solver, prove_constant(SECCOMP_RET_ACTION_FULL)));
}

static struct prove_value combine_values(const struct prove_solver *solver, struct prove_value upper, struct prove_value lower)
{
    if (prove_is_constant(upper) && prove_is_constant(lower)) {
        return prove_constant(combine(upper.lo, lower.lo));
    }
    Z3_ast is_lower = prove_z3.mk_bvslt(solver->z3, precedence_ast(solver, lower), precedence_ast(solver, upper));
    return prove_choose(solver, is_lower, lower, upper);
}

// Adds a value to an outcome, constants once each. Returns: false when there is no room.
static bool add(const struct prove_solver *solver, struct prove_outcome *outcome, Z3_ast reach, struct prove_value value)
{
    for (size_t i = 0; prove_is_constant(value) && i < outcome->count; i++) {
        struct prove_return *known = &outcome->returns[i];
        if (prove_is_constant(known->value) && known->value.lo == value.lo) {
            known->reach = prove_or(solver, known->reach, reach);
            return true;
        }
    }
    if (outcome->count == PROVE_RETURN_MAX) {
        return false;
    }
    outcome->returns[outcome->count++] = (struct prove_return){reach, value};
    return true;
}

static bool combine_outcomes(const struct prove_solver *solver, const struct prove_outcome *upper,
                             const struct prove_outcome *lower, struct prove_outcome *ret_outcome)
{
    ret_outcome->count = 0;
    for (size_t i = 0; i < upper->count; i++) {
        for (size_t j = 0; j < lower->count; j++) {
            Z3_ast reach = prove_and(solver, upper->returns[i].reach, lower->returns[j].reach);
            struct prove_value value = combine_values(solver, upper->returns[i].value, lower->returns[j].value);
            if (reach != solver->no && !add(solver, ret_outcome, reach, value)) {
                return false;
            }
        }
    }
    return true;
}

bool prove_stack_encode(struct prove_encoder *encoder, const struct prove_stack *stack, const struct prove_domain *domain,
                        bool is_whole, struct prove_stack_room *room)
{
    room->outcomes[0].count = 0;
    add(encoder->solver, &room->outcomes[0], encoder->solver->yes, prove_constant(SECCOMP_RET_ALLOW));
    room->current = 0;
    for (size_t i = stack->count; i > 0; i--) {
        struct prove_outcome *next = &room->outcomes[1 - room->current];
        prove_encode(encoder, &stack->programs[i - 1], domain, is_whole, &room->own);
        if (!combine_outcomes(encoder->solver, &room->outcomes[room->current], &room->own, next)) {
            return false;
        }
        room->current = 1 - room->current;
    }
    return true;
}

uint32_t prove_stack_run(const struct prove_stack *stack, const struct brig_dsl_data *data)
{
    uint32_t ret = SECCOMP_RET_ALLOW;
    for (size_t i = stack->count; i > 0; i--) {
        const struct prove_program *program = &stack->programs[i - 1];
        ret = combine(ret, brig_dsl_interpret(program->insns, program->insn_count, data, NULL).ret);
    }
    return ret;
}
