// reach: which sides of a program's tests some call takes.
//
// Takes: a program, and what is known to be taken. Gives: the rest, by calls that Z3 finds and the interpreter confirms; or the
// first side that no call takes. Guarantees: "no call" is a proof. Weaknesses: the whole program is one formula per side, so
// whoever has calls that take most sides should run them first.
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>

#include "tools/prove/parts.h"

struct search {
    const struct prove_program *program;
    unsigned char *taken;
    struct prove_solver solver;
    struct prove_encoder encoder;
    struct prove_outcome outcome;
    struct prove_reached *reached;
};

static bool is_test(const struct sock_filter *insn)
{
    return BPF_CLASS(insn->code) == BPF_JMP && BPF_OP(insn->code) != BPF_JA && insn->jt != insn->jf;
}

void prove_reach_run(const struct prove_program *program, const struct brig_dsl_data *data, unsigned char *taken)
{
    unsigned char trace[BPF_MAXINSNS];
    memset(trace, 0, program->insn_count);
    brig_dsl_interpret(program->insns, program->insn_count, data, trace);
    for (size_t at = 0; at < program->insn_count; at++) {
        const struct sock_filter *insn = &program->insns[at];
        if (!trace[at]) {
            continue;
        }
        taken[at] |= PROVE_TAKEN;
        if (is_test(insn)) {
            // What ran next tells the side.
            const unsigned char *next = memchr(trace + at + 1, 1, program->insn_count - at - 1);
            taken[at] |= next == trace + at + 1 + insn->jt ? PROVE_TAKEN_YES : PROVE_TAKEN_NO;
        }
    }
}

// When the test at `at` runs and holds, or does not.
static Z3_ast formula_of(const struct search *search, size_t at, unsigned side)
{
    const struct prove_solver *solver = &search->solver;
    const struct prove_state *state = &search->encoder.states[at];
    const struct sock_filter *insn = &search->program->insns[at];
    if (state->reach == NULL || side == PROVE_TAKEN) {
        return state->reach == NULL ? solver->no : state->reach;
    }
    struct prove_value operand = BPF_SRC(insn->code) == BPF_X ? state->x : prove_constant(insn->k);
    Z3_ast holds = prove_test(solver, BPF_OP(insn->code), state->a, operand);
    return prove_and(solver, state->reach, side == PROVE_TAKEN_YES ? holds : prove_not(solver, holds));
}

// Looks for a call that takes one side. Returns: HOLDS if there is one, and `taken` grew.
static enum prove_answer take(struct search *search, size_t at, unsigned side)
{
    static const struct prove_domain everything = {0, UINT32_MAX, 0, UINT32_MAX};
    struct brig_dsl_data data;
    search->reached->at = at;
    search->reached->side = side;
    switch (prove_solver_find(&search->solver, &everything, formula_of(search, at, side), &data)) {
    case PROVE_SAT:
        prove_reach_run(search->program, &data, search->taken);
        return (search->taken[at] & side) != 0 ? PROVE_HOLDS : PROVE_BROKEN;
    case PROVE_UNSAT:
        return PROVE_FAILS;
    default:
        return PROVE_UNDECIDED;
    }
}

static enum prove_answer take_all(struct search *search)
{
    static const struct prove_domain everything = {0, UINT32_MAX, 0, UINT32_MAX};
    prove_encode(&search->encoder, search->program, &everything, true, &search->outcome);
    for (size_t at = 0; at < search->program->insn_count; at++) {
        bool tests = is_test(&search->program->insns[at]);
        for (unsigned side = PROVE_TAKEN; side <= (tests ? PROVE_TAKEN_NO : PROVE_TAKEN); side *= 2) {
            enum prove_answer answer = (search->taken[at] & side) != 0 ? PROVE_HOLDS : take(search, at, side);
            if (answer != PROVE_HOLDS) {
                return answer;
            }
        }
    }
    return PROVE_HOLDS;
}

enum prove_answer prove_reach(const struct prove_program *program, int64_t timeout_ms, unsigned char *taken,
                              struct prove_reached *ret_reached)
{
    *ret_reached = (struct prove_reached){.queries = 0};
    if (prove_z3_load() != NULL) {
        return PROVE_UNABLE;
    }
    struct search *search = malloc(sizeof *search);
    if (search == NULL) {
        return PROVE_BROKEN;
    }
    search->program = program;
    search->taken = taken;
    search->reached = ret_reached;
    search->encoder.solver = &search->solver;
    enum prove_answer answer = prove_solver_open(&search->solver, timeout_ms) ? take_all(search) : PROVE_BROKEN;
    ret_reached->queries = search->solver.queries;
    prove_solver_close(&search->solver);
    free(search);
    return answer;
}
