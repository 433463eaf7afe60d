// encode: a program as formulas.
//
// Takes: a valid program and a domain of calls. Gives: what it may return, each value with the condition under which it does. Jumps
// go forward only, so one pass over the instructions meets every state before it is used; where paths join, their states are merged
// (each word becomes "if the new path then this else that"), so the size is linear in the program, however many paths it has.
// Guarantees: exact, every opcode that the kernel's checker accepts. Within the domain, tests of nr and arch with a known answer
// are followed on one side only, so that most of a program is never looked at. Source: net/core/filter.c:bpf_convert_filter; A and
// X start as 0, a division by X = 0 returns 0.
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "tools/prove/parts.h"

struct walk {
    struct prove_encoder *encoder;
    const struct prove_program *program;
    struct prove_value words[PROVE_WORDS];
    struct prove_outcome *outcome;
};

static void arrive(const struct walk *walk, size_t at, const struct prove_state *from, Z3_ast reach)
{
    const struct prove_solver *solver = walk->encoder->solver;
    struct prove_state *to = &walk->encoder->states[at];
    if (reach == solver->no) {
        return;
    }
    if (to->reach == NULL) {
        *to = *from;
        to->reach = reach;
        return;
    }
    to->a = prove_choose(solver, reach, from->a, to->a);
    to->x = prove_choose(solver, reach, from->x, to->x);
    for (size_t i = 0; i < BPF_MEMWORDS; i++) {
        to->cells[i] = prove_choose(solver, reach, from->cells[i], to->cells[i]);
    }
    to->reach = prove_or(solver, to->reach, reach);
}

static void add_return(const struct walk *walk, Z3_ast reach, struct prove_value value)
{
    struct prove_outcome *outcome = walk->outcome;
    for (size_t i = 0; prove_is_constant(value) && i < outcome->count; i++) {
        struct prove_return *known = &outcome->returns[i];
        if (prove_is_constant(known->value) && known->value.lo == value.lo) {
            known->reach = prove_or(walk->encoder->solver, known->reach, reach);
            return;
        }
    }
    outcome->returns[outcome->count++] = (struct prove_return){reach, value};
}

static struct prove_value load(const struct walk *walk, const struct prove_state *state, const struct sock_filter *insn)
{
    switch (BPF_MODE(insn->code)) {
    case BPF_ABS:
        return walk->words[insn->k / 4];
    case BPF_LEN:
        return prove_constant(sizeof(struct seccomp_data));
    case BPF_MEM:
        return state->cells[insn->k];
    default:
        return prove_constant(insn->k);
    }
}

static struct prove_value operand_of(const struct prove_state *state, const struct sock_filter *insn)
{
    return BPF_SRC(insn->code) == BPF_X ? state->x : prove_constant(insn->k);
}

static void calculate(const struct walk *walk, struct prove_state *state, const struct sock_filter *insn)
{
    const struct prove_solver *solver = walk->encoder->solver;
    struct prove_value operand = operand_of(state, insn);
    if (BPF_OP(insn->code) == BPF_DIV) {
        Z3_ast is_zero = prove_test(solver, BPF_JEQ, operand, prove_constant(0));
        Z3_ast stops = prove_and(solver, state->reach, is_zero);
        if (stops != solver->no) {
            add_return(walk, stops, prove_constant(0));
        }
        state->reach = prove_and(solver, state->reach, prove_not(solver, is_zero));
    }
    state->a = prove_calculate(solver, BPF_OP(insn->code), state->a, operand);
}

static void jump(const struct walk *walk, size_t at, const struct prove_state *state, const struct sock_filter *insn)
{
    const struct prove_solver *solver = walk->encoder->solver;
    if (BPF_OP(insn->code) == BPF_JA) {
        arrive(walk, at + 1 + insn->k, state, state->reach);
        return;
    }
    if (insn->jt == insn->jf) {
        arrive(walk, at + 1 + insn->jt, state, state->reach);
        return;
    }
    Z3_ast taken = prove_test(solver, BPF_OP(insn->code), state->a, operand_of(state, insn));
    arrive(walk, at + 1 + insn->jt, state, prove_and(solver, state->reach, taken));
    arrive(walk, at + 1 + insn->jf, state, prove_and(solver, state->reach, prove_not(solver, taken)));
}

// Follows one instruction from the state before it.
static void step(const struct walk *walk, size_t at)
{
    const struct sock_filter *insn = &walk->program->insns[at];
    struct prove_state state = walk->encoder->states[at];
    switch (BPF_CLASS(insn->code)) {
    case BPF_LD:
        state.a = load(walk, &state, insn);
        break;
    case BPF_LDX:
        state.x = load(walk, &state, insn);
        break;
    case BPF_ST:
        state.cells[insn->k] = state.a;
        break;
    case BPF_STX:
        state.cells[insn->k] = state.x;
        break;
    case BPF_ALU:
        calculate(walk, &state, insn);
        break;
    case BPF_JMP:
        jump(walk, at, &state, insn);
        return;
    case BPF_RET:
        add_return(walk, state.reach, BPF_RVAL(insn->code) == BPF_A ? state.a : prove_constant(insn->k));
        return;
    case BPF_MISC:
        if (BPF_MISCOP(insn->code) == BPF_TAX) {
            state.x = state.a;
        } else {
            state.a = state.x;
        }
        break;
    }
    arrive(walk, at + 1, &state, state.reach);
}

void prove_encode(struct prove_encoder *encoder, const struct prove_program *program, const struct prove_domain *domain,
                  bool is_whole, struct prove_outcome *ret_outcome)
{
    struct walk walk = {.encoder = encoder, .program = program, .outcome = ret_outcome};
    for (size_t i = 0; i < PROVE_WORDS; i++) {
        walk.words[i] = (struct prove_value){encoder->solver->words[i], 0, UINT32_MAX};
    }
    if (!is_whole) {
        walk.words[0] = (struct prove_value){encoder->solver->words[0], domain->nr_lo, domain->nr_hi};
        walk.words[1] = (struct prove_value){encoder->solver->words[1], domain->arch_lo, domain->arch_hi};
    }
    for (size_t at = 0; at < program->insn_count; at++) {
        encoder->states[at].reach = NULL;
    }
    ret_outcome->count = 0;
    encoder->states[0] = (struct prove_state){.reach = encoder->solver->yes};
    for (size_t at = 0; at < program->insn_count; at++) {
        if (encoder->states[at].reach != NULL) {
            step(&walk, at);
        }
    }
}
