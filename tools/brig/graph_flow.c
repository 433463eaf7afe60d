// graph_flow: the control flow of a program as Graphviz dot: a box for each run of instructions that are always run together.
//
// For one call, branches that its number decides are not drawn: the accumulator is followed while it holds nothing but the number
// or the arch. Jumps go forward, so one walk over the instructions is enough.
#include <inttypes.h>
#include <string.h>

#include "tools/brig/graph.h"

// What is known of the accumulator before an instruction.
struct state {
    bool is_reached;
    bool is_start; // of a box
    bool is_known;
    uint32_t a;
    uint8_t comers; // ways to come here, up to 2
};

struct flow {
    FILE *out;
    const struct tool_subject *subject;
    const uint32_t *nr; // or NULL
    struct state states[BPF_MAXINSNS];
};

static void arrive(struct flow *flow, uint32_t at, const struct state *before, bool is_jump)
{
    struct state *state = &flow->states[at];
    bool agrees = !state->is_reached || (state->is_known && before->is_known && state->a == before->a);
    state->is_known = before->is_known && agrees;
    state->a = before->a;
    state->is_reached = true;
    state->comers = (uint8_t)(state->comers < 2 ? state->comers + 1 : 2);
    state->is_start = state->is_start || is_jump || state->comers > 1;
}

// Returns: whether the test's outcome is known, and which it is.
static bool is_decided(const struct state *state, const struct sock_filter *insn, bool *ret_holds)
{
    switch (insn->code) {
    case BPF_JMP | BPF_JEQ | BPF_K:
        *ret_holds = state->a == insn->k;
        break;
    case BPF_JMP | BPF_JGE | BPF_K:
        *ret_holds = state->a >= insn->k;
        break;
    case BPF_JMP | BPF_JGT | BPF_K:
        *ret_holds = state->a > insn->k;
        break;
    case BPF_JMP | BPF_JSET | BPF_K:
        *ret_holds = (state->a & insn->k) != 0;
        break;
    default:
        return false;
    }
    return state->is_known;
}

static bool is_test(const struct sock_filter *insn)
{
    return BPF_CLASS(insn->code) == BPF_JMP && BPF_OP(insn->code) != BPF_JA;
}

// What the accumulator holds after an instruction that goes on with the next.
static struct state step(const struct flow *flow, const struct state *before, const struct sock_filter *insn)
{
    struct state after = *before;
    if (insn->code == (BPF_LD | BPF_W | BPF_ABS)) {
        after.is_known = flow->nr != NULL && insn->k <= 4;
        after.a = !after.is_known ? 0 : insn->k == 0 ? *flow->nr : brig_dsl_arch_audit(flow->subject->program.arch);
    } else if (insn->code == (BPF_ALU | BPF_AND | BPF_K)) {
        after.a &= insn->k;
    } else if (BPF_CLASS(insn->code) == BPF_LD || BPF_CLASS(insn->code) == BPF_ALU || BPF_CLASS(insn->code) == BPF_MISC) {
        after.is_known = false;
    }
    return after;
}

static void follow(struct flow *flow)
{
    const struct brig_dsl_program *program = &flow->subject->program;
    flow->states[0] = (struct state){.is_reached = true, .is_start = true};
    for (uint32_t at = 0; at < program->insn_count; at++) {
        const struct sock_filter *insn = &program->insns[at];
        const struct state state = flow->states[at];
        bool holds = false;
        if (!state.is_reached || BPF_CLASS(insn->code) == BPF_RET) {
            continue;
        }
        if (is_test(insn) && is_decided(&state, insn, &holds)) {
            arrive(flow, at + 1 + (holds ? insn->jt : insn->jf), &state, false);
        } else if (is_test(insn)) {
            arrive(flow, at + 1 + insn->jt, &state, true);
            arrive(flow, at + 1 + insn->jf, &state, true);
        } else if (BPF_CLASS(insn->code) == BPF_JMP) {
            arrive(flow, at + 1 + insn->k, &state, false);
        } else {
            struct state after = step(flow, &state, insn);
            arrive(flow, at + 1, &after, false);
        }
    }
}

static void put_insn(struct flow *flow, uint32_t at)
{
    const struct sock_filter *insn = &flow->subject->program.insns[at];
    char text[64];
    brig_dsl_disassemble(insn, text, sizeof text);
    // Where a test goes is said by arrows.
    text[strcspn(text, ",")] = '\0';
    fprintf(flow->out, "%" PRIu32 ": ", at);
    tool_put_escaped(flow->out, text);
    fputs("<BR ALIGN=\"LEFT\"/>", flow->out);
}

// Draws the box that starts at `at`: its instructions up to one that branches, returns, or is followed by another box.
static void draw_box(struct flow *flow, uint32_t at)
{
    const struct brig_dsl_program *program = &flow->subject->program;
    uint32_t box = at;
    fprintf(flow->out, "  i%" PRIu32 " [shape=box, style=filled, fillcolor=white, fontname=monospace, label=<", box);
    while (true) {
        const struct sock_filter *insn = &program->insns[at];
        bool holds = false;
        bool is_branch = is_test(insn) && !is_decided(&flow->states[at], insn, &holds);
        uint32_t next = at + 1 + (BPF_CLASS(insn->code) != BPF_JMP ? 0 : !is_test(insn) ? insn->k : holds ? insn->jt : insn->jf);
        if (BPF_CLASS(insn->code) != BPF_JMP || is_branch) {
            put_insn(flow, at);
        }
        if (insn->code == (BPF_RET | BPF_K)) {
            graph_put_verdict(flow->out, flow->subject, insn->k);
            fprintf(flow->out, ">, fillcolor=\"%s\"];\n", graph_fill(flow->subject, insn->k));
            return;
        }
        if (BPF_CLASS(insn->code) == BPF_RET) {
            fputs(">];\n", flow->out);
            return;
        }
        if (is_branch) {
            fprintf(flow->out, ">];\n  i%" PRIu32 " -> i%" PRIu32 " [label=yes, fontsize=8];\n", box, at + 1 + insn->jt);
            fprintf(flow->out, "  i%" PRIu32 " -> i%" PRIu32 " [label=no, fontsize=8];\n", box, at + 1 + insn->jf);
            return;
        }
        if (flow->states[next].is_start) {
            fprintf(flow->out, ">];\n  i%" PRIu32 " -> i%" PRIu32 ";\n", box, next);
            return;
        }
        at = next;
    }
}

void graph_draw_flow(FILE *out, const struct tool_subject *subject, const uint32_t *nr)
{
    struct flow flow = {.out = out, .subject = subject, .nr = nr};
    graph_put_head(out, subject);
    follow(&flow);
    for (uint32_t at = 0; at < subject->program.insn_count; at++) {
        if (flow.states[at].is_reached && flow.states[at].is_start) {
            draw_box(&flow, at);
        }
    }
    fputs("}\n", out);
}
