// decompile: what a program decides, read off its instructions.
//
// Takes: a valid program, with any opcode that seccomp accepts. Gives: its decision graph. Requires: nothing else. How: registers
// and cells hold expressions (symbolic.c). Jumps go forward, so one look from the first instruction to the last finds every state
// in which each is reached, and one look back makes their decisions, successors first. Registers that are not read any more count
// for nothing in a state, so ways that meet are mostly one state again, and the graph shares what the program shares. Guarantees:
// exact, kernel's meaning of every opcode included: a division by X = 0 returns 0, shifts count modulo 32, A and X start as 0.
// Linear in the states. Weaknesses: a program that carries something different on every way has a state for each; the limit is
// DECOMPILE_STATES for each instruction on average.
#include "bpf_dsl/decompile.h"

#include <linux/seccomp.h>
#include <string.h>

#include "bpf_dsl/symbolic.h"

enum { DECOMPILE_STATES = 8, DECOMPILE_MORE_STATES = 256, NO_STATE = -1 };

// Places of a machine: A, X and the cells. Bits of liveness stand in the same order.
enum { PLACE_A, PLACE_X, PLACE_CELLS, PLACE_COUNT = PLACE_CELLS + BPF_MEMWORDS };
enum { LIVE_A = 1 << PLACE_A, LIVE_X = 1 << PLACE_X };

struct machine {
    uint32_t places[PLACE_COUNT]; // expressions; 0 where it is not read any more
};

enum outcome {
    OUTCOME_RET,  // returns `value`
    OUTCOME_GO,   // goes on to `yes`
    OUTCOME_TEST, // is `value` in the span? yes : no
    OUTCOME_GIVES // returns what the expression `value` is worth
};

struct state {
    uint8_t outcome; // enum outcome
    uint32_t value;
    struct dsl_span span;
    int32_t yes; // states; NO_STATE: returns 0
    int32_t no;
    uint32_t decision;
    int32_t next;           // another state of the same instruction
    const uint32_t *places; // of its machine, as many as the program has
};

struct decompiler {
    const struct dsl_code *code;
    struct dsl_decisions *graph;
    struct dsl_symbols symbols;
    uint32_t *live;     // by instruction: bits of the places that are read from here on
    int32_t *states_of; // by instruction: the first state
    struct state *states;
    uint32_t state_count;
    uint32_t state_limit;
    uint32_t place_count;
    uint32_t most_leaves; // of one computed value
    bool failed;          // sticky
};

// --- what is read from where on ---------------------------------------------------------------------------------------

static uint32_t read_by(const struct sock_filter *insn)
{
    uint32_t operand = BPF_SRC(insn->code) == BPF_X ? LIVE_X : 0;
    switch (BPF_CLASS(insn->code)) {
    case BPF_LD:
    case BPF_LDX:
        return BPF_MODE(insn->code) == BPF_MEM ? 1u << (PLACE_CELLS + insn->k) : 0;
    case BPF_ST:
        return LIVE_A;
    case BPF_STX:
        return LIVE_X;
    case BPF_ALU:
        return LIVE_A | (BPF_OP(insn->code) == BPF_NEG ? 0 : operand);
    case BPF_JMP:
        return BPF_OP(insn->code) == BPF_JA ? 0 : LIVE_A | operand;
    case BPF_RET:
        return BPF_RVAL(insn->code) == BPF_A ? LIVE_A : 0;
    default:
        return BPF_MISCOP(insn->code) == BPF_TAX ? LIVE_A : LIVE_X;
    }
}

static uint32_t written_by(const struct sock_filter *insn)
{
    switch (BPF_CLASS(insn->code)) {
    case BPF_LD:
        return LIVE_A;
    case BPF_LDX:
        return LIVE_X;
    case BPF_ST:
    case BPF_STX:
        return 1u << (PLACE_CELLS + insn->k);
    case BPF_ALU:
        return LIVE_A;
    case BPF_MISC:
        return BPF_MISCOP(insn->code) == BPF_TAX ? LIVE_X : LIVE_A;
    default:
        return 0;
    }
}

static void find_live(struct decompiler *decompiler)
{
    decompiler->place_count = PLACE_CELLS;
    for (uint32_t at = decompiler->code->count; at-- > 0;) {
        const struct sock_filter *insn = &decompiler->code->insns[at];
        uint32_t after = 0;
        if (BPF_CLASS(insn->code) == BPF_JMP && BPF_OP(insn->code) == BPF_JA) {
            after = decompiler->live[at + 1 + insn->k];
        } else if (BPF_CLASS(insn->code) == BPF_JMP) {
            after = decompiler->live[at + 1 + insn->jt] | decompiler->live[at + 1 + insn->jf];
        } else if (BPF_CLASS(insn->code) != BPF_RET) {
            after = decompiler->live[at + 1];
        }
        decompiler->live[at] = (after & ~written_by(insn)) | read_by(insn);
        if (BPF_CLASS(insn->code) == BPF_ST || BPF_CLASS(insn->code) == BPF_STX) {
            uint32_t needed = PLACE_CELLS + insn->k + 1;
            decompiler->place_count = needed > decompiler->place_count ? needed : decompiler->place_count;
        }
    }
}

// --- states -----------------------------------------------------------------------------------------------------------

// The state in which `machine` comes to instruction `at`.
static int32_t arrive(struct decompiler *decompiler, uint32_t at, struct machine machine)
{
    uint32_t bytes = decompiler->place_count * (uint32_t)sizeof machine.places[0];
    for (uint32_t place = 0; place < decompiler->place_count; place++) {
        machine.places[place] = (decompiler->live[at] & 1u << place) != 0 ? machine.places[place] : 0;
    }
    for (int32_t id = decompiler->states_of[at]; id != NO_STATE; id = decompiler->states[id].next) {
        if (memcmp(decompiler->states[id].places, machine.places, bytes) == 0) {
            return id;
        }
    }
    uint32_t *places = DSL_ARENA_ARRAY(decompiler->graph->nodes.arena, uint32_t, decompiler->place_count);
    if (places == NULL || decompiler->state_count == decompiler->state_limit) {
        decompiler->failed = true;
        return NO_STATE;
    }
    memcpy(places, machine.places, bytes);
    int32_t id = (int32_t)decompiler->state_count++;
    decompiler->states[id] = (struct state){.next = decompiler->states_of[at], .places = places, .yes = NO_STATE, .no = NO_STATE};
    decompiler->states_of[at] = id;
    return id;
}

static uint32_t loaded(struct decompiler *decompiler, const struct machine *machine, const struct sock_filter *insn)
{
    switch (BPF_MODE(insn->code)) {
    case BPF_ABS:
        return dsl_symbol_word(&decompiler->symbols, insn->k / 4);
    case BPF_LEN:
        return dsl_symbol_constant(&decompiler->symbols, sizeof(struct seccomp_data));
    case BPF_MEM:
        return machine->places[PLACE_CELLS + insn->k];
    default:
        return dsl_symbol_constant(&decompiler->symbols, insn->k);
    }
}

static uint32_t operand_of(struct decompiler *decompiler, const struct machine *machine, const struct sock_filter *insn)
{
    return BPF_SRC(insn->code) == BPF_X ? machine->places[PLACE_X] : dsl_symbol_constant(&decompiler->symbols, insn->k);
}

// --- tests ------------------------------------------------------------------------------------------------------------

// A test as "is this expression in this span?".
struct asked {
    uint32_t value;
    struct dsl_span span;
    bool is_never; // no number is
};

static struct asked ask_above(struct dsl_symbols *symbols, uint32_t a, uint32_t b)
{
    const struct dsl_symbol *left = dsl_symbol_get(symbols, a);
    const struct dsl_symbol *right = dsl_symbol_get(symbols, b);
    if (right->kind == DSL_SYMBOL_CONSTANT) {
        return (struct asked){a, {right->k + 1, UINT32_MAX}, right->k == UINT32_MAX};
    }
    if (left->kind == DSL_SYMBOL_CONSTANT) {
        return (struct asked){b, {0, left->k - 1}, left->k == 0};
    }
    return (struct asked){dsl_symbol_is_above(symbols, a, b), {1, UINT32_MAX}, false};
}

// "a >= b" is "not b > a", so the caller has to turn the answer round.
static struct asked ask(struct dsl_symbols *symbols, uint16_t op, uint32_t a, uint32_t b)
{
    const struct dsl_symbol *right = dsl_symbol_get(symbols, b);
    switch (op) {
    case BPF_JEQ:
        if (right->kind == DSL_SYMBOL_CONSTANT) {
            return (struct asked){a, {right->k, right->k}, false};
        }
        return (struct asked){dsl_symbol_op(symbols, BPF_SUB, a, b), {0, 0}, false};
    case BPF_JGT:
        return ask_above(symbols, a, b);
    case BPF_JGE:
        return ask_above(symbols, b, a);
    default: // JSET
        return (struct asked){dsl_symbol_op(symbols, BPF_AND, a, b), {1, UINT32_MAX}, false};
    }
}

static void go(struct state *state, int32_t to)
{
    state->outcome = OUTCOME_GO;
    state->yes = to;
}

static void test(struct decompiler *decompiler, int32_t id, uint32_t at, const struct machine *machine)
{
    const struct sock_filter *insn = &decompiler->code->insns[at];
    uint16_t op = BPF_OP(insn->code);
    struct asked asked = ask(&decompiler->symbols, op, machine->places[PLACE_A], operand_of(decompiler, machine, insn));
    uint32_t yes = at + 1 + (op == BPF_JGE ? insn->jf : insn->jt);
    uint32_t no = at + 1 + (op == BPF_JGE ? insn->jt : insn->jf);
    const struct dsl_symbol *value = dsl_symbol_get(&decompiler->symbols, asked.value);
    bool is_known = asked.is_never || yes == no || value->kind == DSL_SYMBOL_CONSTANT;
    if (is_known) {
        bool holds = !asked.is_never && value->k >= asked.span.first && value->k <= asked.span.last;
        int32_t to = arrive(decompiler, holds ? yes : no, *machine);
        go(&decompiler->states[id], to);
        return;
    }
    int32_t if_yes = arrive(decompiler, yes, *machine);
    int32_t if_no = arrive(decompiler, no, *machine);
    struct state *state = &decompiler->states[id];
    state->outcome = OUTCOME_TEST;
    state->value = asked.value;
    state->span = asked.span;
    state->yes = if_yes;
    state->no = if_no;
}

// --- instructions -----------------------------------------------------------------------------------------------------

// Returns: whether the division ends the program; where that depends, the state becomes a test of the divisor.
static bool divide(struct decompiler *decompiler, int32_t id, const struct machine *machine, const struct sock_filter *insn)
{
    uint32_t divisor = operand_of(decompiler, machine, insn);
    struct state *state = &decompiler->states[id];
    if (dsl_symbol_is(&decompiler->symbols, divisor, 0)) {
        *state = (struct state){.outcome = OUTCOME_RET, .value = 0, .next = state->next, .places = state->places};
        return true;
    }
    if (dsl_symbol_get(&decompiler->symbols, divisor)->kind != DSL_SYMBOL_CONSTANT) {
        state->outcome = OUTCOME_TEST;
        state->value = divisor;
        state->span = (struct dsl_span){0, 0};
        state->yes = NO_STATE;
    }
    return false;
}

static void calculate(struct decompiler *decompiler, struct machine *machine, const struct sock_filter *insn)
{
    uint32_t operand = BPF_OP(insn->code) == BPF_NEG ? 0 : operand_of(decompiler, machine, insn);
    machine->places[PLACE_A] = dsl_symbol_op(&decompiler->symbols, BPF_OP(insn->code), machine->places[PLACE_A], operand);
}

static void end(struct decompiler *decompiler, int32_t id, const struct machine *machine, const struct sock_filter *insn)
{
    struct state *state = &decompiler->states[id];
    const struct dsl_symbol *a = dsl_symbol_get(&decompiler->symbols, machine->places[PLACE_A]);
    bool is_a = BPF_RVAL(insn->code) == BPF_A;
    state->outcome = is_a && a->kind != DSL_SYMBOL_CONSTANT ? OUTCOME_GIVES : OUTCOME_RET;
    state->value = !is_a ? insn->k : state->outcome == OUTCOME_RET ? a->k : machine->places[PLACE_A];
}

// What one instruction does to a state that comes to it.
static void take(struct decompiler *decompiler, int32_t id, uint32_t at)
{
    const struct sock_filter *insn = &decompiler->code->insns[at];
    struct machine machine = {{0}};
    memcpy(machine.places, decompiler->states[id].places, decompiler->place_count * sizeof machine.places[0]);
    uint32_t next = at + 1;
    decompiler->states[id].outcome = OUTCOME_GO;
    switch (BPF_CLASS(insn->code)) {
    case BPF_LD:
        machine.places[PLACE_A] = loaded(decompiler, &machine, insn);
        break;
    case BPF_LDX:
        machine.places[PLACE_X] = loaded(decompiler, &machine, insn);
        break;
    case BPF_ST:
        machine.places[PLACE_CELLS + insn->k] = machine.places[PLACE_A];
        break;
    case BPF_STX:
        machine.places[PLACE_CELLS + insn->k] = machine.places[PLACE_X];
        break;
    case BPF_ALU:
        if (BPF_OP(insn->code) == BPF_DIV && divide(decompiler, id, &machine, insn)) {
            return;
        }
        calculate(decompiler, &machine, insn);
        break;
    case BPF_JMP:
        if (BPF_OP(insn->code) != BPF_JA) {
            test(decompiler, id, at, &machine);
            return;
        }
        next += insn->k;
        break;
    case BPF_RET:
        end(decompiler, id, &machine, insn);
        return;
    default: // MISC
        if (BPF_MISCOP(insn->code) == BPF_TAX) {
            machine.places[PLACE_X] = machine.places[PLACE_A];
        } else {
            machine.places[PLACE_A] = machine.places[PLACE_X];
        }
        break;
    }
    int32_t to = arrive(decompiler, next, machine);
    if (decompiler->states[id].outcome == OUTCOME_TEST) {
        decompiler->states[id].no = to;
    } else {
        go(&decompiler->states[id], to);
    }
}

// --- decisions --------------------------------------------------------------------------------------------------------

static uint32_t decision_of(struct decompiler *decompiler, int32_t state)
{
    return state == NO_STATE ? dsl_decision_ret(decompiler->graph, 0) : decompiler->states[state].decision;
}

static uint32_t decide_test(struct decompiler *decompiler, const struct state *state)
{
    struct dsl_question question;
    uint32_t yes = decision_of(decompiler, state->yes);
    uint32_t no = decision_of(decompiler, state->no);
    if (yes == no) {
        return yes;
    }
    struct brig_dsl_arena *arena = decompiler->graph->nodes.arena;
    if (!dsl_symbol_ask(&decompiler->symbols, decompiler->graph, state->value, state->span, &question)) {
        decompiler->failed = true;
        return no;
    }
    struct dsl_run *runs = DSL_ARENA_ARRAY(arena, struct dsl_run, 2 * (size_t)question.count + 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < question.count && runs != NULL; i++) {
        if (count == 0 && question.spans[i].first > 0) {
            runs[count++] = (struct dsl_run){0, no};
        }
        runs[count++] = (struct dsl_run){question.spans[i].first, yes};
        if (question.spans[i].last < UINT32_MAX) {
            runs[count++] = (struct dsl_run){question.spans[i].last + 1, no};
        }
    }
    return count == 0 ? no : dsl_decision_switch(decompiler->graph, (enum dsl_word)question.word, question.mask, runs, count);
}

// A leaf that computes what it returns. Whoever comes to it has passed the test of every divisor.
static uint32_t decide_computed(struct decompiler *decompiler, uint32_t value)
{
    struct dsl_term term;
    bool is_written = dsl_symbol_write(&decompiler->symbols, value, false, &term);
    uint32_t leaf = is_written ? dsl_decision_give(decompiler->graph, term.insns, term.count) : DSL_DECISION_NO;
    decompiler->failed |= leaf == DSL_DECISION_NO;
    return leaf;
}

// A computed value is returned.
static uint32_t decide_values(struct decompiler *decompiler, const struct state *state)
{
    struct dsl_symbol_values values;
    if (!dsl_symbol_enumerate(&decompiler->symbols, state->value, UINT32_MAX, &values) || values.count > decompiler->most_leaves) {
        return decide_computed(decompiler, state->value);
    }
    struct dsl_run *runs = DSL_ARENA_ARRAY(decompiler->graph->nodes.arena, struct dsl_run, values.count);
    for (uint32_t i = 0; i < values.count && runs != NULL; i++) {
        uint32_t first = dsl_symbol_unpack(values.mask, i);
        runs[i] = (struct dsl_run){first, dsl_decision_ret(decompiler->graph, values.values[i])};
    }
    return runs == NULL ? DSL_DECISION_NO
                        : dsl_decision_switch(decompiler->graph, (enum dsl_word)values.word, values.mask, runs, values.count);
}

static uint32_t decide(struct decompiler *decompiler, const struct state *state)
{
    switch ((enum outcome)state->outcome) {
    case OUTCOME_RET:
        return dsl_decision_ret(decompiler->graph, state->value);
    case OUTCOME_GO:
        return decision_of(decompiler, state->yes);
    case OUTCOME_TEST:
        return decide_test(decompiler, state);
    case OUTCOME_GIVES:
        break;
    }
    return decide_values(decompiler, state);
}

// --- the whole --------------------------------------------------------------------------------------------------------

static bool start(struct decompiler *decompiler)
{
    struct brig_dsl_arena *arena = decompiler->graph->nodes.arena;
    uint32_t count = decompiler->code->count;
    decompiler->state_limit = DECOMPILE_STATES * count + DECOMPILE_MORE_STATES;
    decompiler->live = DSL_ARENA_ARRAY(arena, uint32_t, count);
    decompiler->states_of = DSL_ARENA_ARRAY(arena, int32_t, count);
    decompiler->states = DSL_ARENA_ARRAY(arena, struct state, decompiler->state_limit);
    if (arena->exhausted || !dsl_symbols_init(&decompiler->symbols, arena)) {
        return false;
    }
    memset(decompiler->states_of, 0xff, count * sizeof *decompiler->states_of);
    find_live(decompiler);
    return true;
}

uint32_t dsl_decompile(struct dsl_decisions *graph, const struct dsl_code *code, uint32_t most_leaves)
{
    struct decompiler decompiler = {.code = code, .graph = graph, .most_leaves = most_leaves};
    if (!start(&decompiler)) {
        return DSL_DECISION_NO;
    }
    int32_t first = arrive(&decompiler, 0, (struct machine){{0}});
    for (uint32_t at = 0; at < code->count; at++) {
        for (int32_t id = decompiler.states_of[at]; id != NO_STATE; id = decompiler.states[id].next) {
            take(&decompiler, id, at);
            if (decompiler.failed || decompiler.symbols.too_big) {
                return DSL_DECISION_NO;
            }
        }
    }
    for (uint32_t at = code->count; at-- > 0;) {
        for (int32_t id = decompiler.states_of[at]; id != NO_STATE; id = decompiler.states[id].next) {
            decompiler.states[id].decision = decide(&decompiler, &decompiler.states[id]);
        }
    }
    bool is_good = !decompiler.failed && !graph->exploded && !graph->nodes.arena->exhausted;
    return is_good ? decompiler.states[first].decision : DSL_DECISION_NO;
}
