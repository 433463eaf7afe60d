// merge_leaves: what two programs return together.
//
// Takes: two leaves. Gives: the one whose action comes first in the kernel's order, of equal ones that of the program that runs
// first. How: actions are numbers between the least and the most that their known bits leave; mostly these tell which is lower,
// since programs compute the data of an action and seldom the action. Where they do not, the action of the one that is computed is
// asked for, or where both are, their difference. Guarantees: exact. Source: kernel/seccomp.c:seccomp_run_filters. Weaknesses: what
// divides by a word is not asked for: asked earlier than it was computed, it could end the program.
#include "bpf_dsl/merge_leaves.h"

#include <linux/seccomp.h>
#include <string.h>

// Signed numbers in order as unsigned ones.
#define SIGN 0x80000000u

enum { MERGE_BORDERS = 3, ACTION_STEP = SECCOMP_RET_DATA + 1, ACTION_SHIFT = 16 };
// The cell in which an action waits for the other one, and what there is beside the two.
enum { MERGE_CELL = BPF_MEMWORDS - 1, MERGE_MORE_INSNS = 7 };

// --- what is known of a leaf ------------------------------------------------------------------------------------------

struct bits {
    uint32_t known;
    uint32_t value; // 0 where it is not known
};

static struct bits bits_after(struct bits bits, const struct sock_filter *insn)
{
    uint32_t set = ~bits.known | bits.value; // perhaps
    switch (BPF_OP(insn->code)) {
    case BPF_AND:
        return (struct bits){bits.known | ~insn->k, bits.value & insn->k};
    case BPF_ADD:
        if ((set & insn->k) != 0) {
            break;
        }
        return (struct bits){bits.known | insn->k, bits.value | insn->k};
    case BPF_OR:
        return (struct bits){bits.known | insn->k, bits.value | insn->k};
    case BPF_XOR:
        return (struct bits){bits.known, (bits.value ^ insn->k) & bits.known};
    case BPF_LSH:
        return (struct bits){~(~bits.known << insn->k), bits.value << insn->k};
    case BPF_RSH:
        return (struct bits){~(~bits.known >> insn->k), bits.value >> insn->k};
    default:
        break;
    }
    return (struct bits){0, 0};
}

static struct bits bits_of(const struct dsl_decisions *graph, const struct dsl_decision *leaf)
{
    if (leaf->kind != DSL_DECISION_GIVE) {
        return (struct bits){UINT32_MAX, leaf->mask};
    }
    const struct dsl_term tail = dsl_decision_tail(graph, leaf);
    struct bits bits = {0, 0};
    for (uint32_t i = 0; i < tail.count; i++) {
        bits = bits_after(bits, &tail.insns[i]);
    }
    return bits;
}

// An action as a number, such that the lower one counts.
struct action {
    uint32_t least;
    uint32_t most;
};

static struct action action_of(const struct dsl_decisions *graph, const struct dsl_decision *leaf)
{
    struct bits bits = bits_of(graph, leaf);
    uint32_t known = bits.known & SECCOMP_RET_ACTION_FULL;
    uint32_t value = bits.value & SECCOMP_RET_ACTION_FULL;
    uint32_t open = SECCOMP_RET_ACTION_FULL & ~known;
    uint32_t sign = open & SIGN; // turned round, its least is a set bit's
    return (struct action){(value | sign) ^ SIGN, (value | (open & ~SIGN)) ^ SIGN};
}

// --- asking for an action ---------------------------------------------------------------------------------------------

static bool has_insn(const struct dsl_term *term, uint16_t code, uint32_t k)
{
    uint32_t at = 0;
    while (at < term->count && (term->insns[at].code != code || term->insns[at].k != k)) {
        at++;
    }
    return at < term->count;
}

static bool divides(const struct dsl_term *term)
{
    return has_insn(term, BPF_ALU | BPF_DIV | BPF_X, 0);
}

// The word that a leaf returns. Returns: false where it cannot be asked for.
static bool word_of(struct dsl_decisions *graph, const struct dsl_decision *leaf, uint32_t *ret_word)
{
    const struct dsl_term *given = &graph->given[leaf->mask];
    bool is_word = dsl_decision_tail(graph, leaf).count == 0;
    if (divides(given)) {
        return false;
    }
    *ret_word = is_word ? leaf->word : dsl_decision_term(graph, given->insns, given->count);
    return is_word || *ret_word != 0;
}

// A switch that leads to `lower` where its action is the lower one. One of the two computes it, the other one's is `known`.
static uint32_t ask(struct dsl_decisions *graph, uint32_t upper, uint32_t lower, uint32_t known, bool is_lower_known)
{
    struct dsl_run runs[MERGE_BORDERS];
    uint32_t count = 0;
    uint32_t word;
    // Where the answer changes, as actions are numbers in the program.
    uint32_t border = (is_lower_known ? known + ACTION_STEP : known) ^ SIGN;
    const uint32_t first[] = {0, border < SIGN ? border : SIGN, border < SIGN ? SIGN : border};
    if (!word_of(graph, dsl_decision_get(graph, is_lower_known ? upper : lower), &word)) {
        return DSL_DECISION_NO;
    }
    for (int i = 0; i < MERGE_BORDERS; i++) {
        uint32_t asked = first[i] ^ SIGN;
        bool is_lower = is_lower_known ? known < asked : asked < known;
        if (i == 0 || first[i] != first[i - 1]) {
            runs[count++] = (struct dsl_run){first[i], is_lower ? lower : upper};
        }
    }
    return dsl_decision_switch(graph, (enum dsl_word)word, SECCOMP_RET_ACTION_FULL, runs, count);
}

// Writes what a leaf's action is as a number, such that the lower one counts. Returns: how many instructions.
static uint32_t write_action(const struct dsl_term *given, struct sock_filter *ret_insns)
{
    // Both with BPF_K, which is 0 as well.
    const struct sock_filter shift = {.code = BPF_ALU | BPF_RSH, .k = ACTION_SHIFT};
    const struct sock_filter turn = {.code = BPF_ALU | BPF_XOR, .k = SIGN >> ACTION_SHIFT};
    memcpy(ret_insns, given->insns, given->count * sizeof *ret_insns);
    ret_insns[given->count] = shift;
    ret_insns[given->count + 1] = turn;
    return given->count + 2;
}

// A switch that leads to `lower` where its action minus the upper one's is below zero. Both compute their actions.
static uint32_t ask_both(struct dsl_decisions *graph, uint32_t upper, uint32_t lower)
{
    const struct dsl_term *of_upper = &graph->given[dsl_decision_get(graph, upper)->mask];
    const struct dsl_term *of_lower = &graph->given[dsl_decision_get(graph, lower)->mask];
    uint32_t most = of_upper->count + of_lower->count + MERGE_MORE_INSNS;
    struct sock_filter *insns = DSL_ARENA_ARRAY(graph->nodes.arena, struct sock_filter, most);
    if (insns == NULL || divides(of_upper) || divides(of_lower) || has_insn(of_lower, BPF_ST, MERGE_CELL)) {
        return DSL_DECISION_NO;
    }
    uint32_t count = write_action(of_upper, insns);
    insns[count++] = (struct sock_filter){.code = BPF_ST, .k = MERGE_CELL};
    count += write_action(of_lower, insns + count);
    insns[count++] = (struct sock_filter){.code = BPF_LDX | BPF_MEM, .k = MERGE_CELL};
    insns[count++] = (struct sock_filter){.code = BPF_ALU | BPF_SUB | BPF_X};
    uint32_t word = dsl_decision_term(graph, insns, count);
    const struct dsl_run runs[] = {{0, upper}, {SIGN, lower}};
    return word == 0 ? DSL_DECISION_NO : dsl_decision_switch(graph, (enum dsl_word)word, SIGN, runs, 2);
}

uint32_t dsl_merge_leaves(struct dsl_decisions *graph, uint32_t upper, uint32_t lower)
{
    struct action of_upper = action_of(graph, dsl_decision_get(graph, upper));
    struct action of_lower = action_of(graph, dsl_decision_get(graph, lower));
    if (of_lower.most < of_upper.least || of_lower.least >= of_upper.most) {
        return of_lower.most < of_upper.least ? lower : upper;
    }
    bool is_lower_known = of_lower.least == of_lower.most;
    if (!is_lower_known && of_upper.least != of_upper.most) {
        return ask_both(graph, upper, lower);
    }
    return ask(graph, upper, lower, is_lower_known ? of_lower.least : of_upper.least, is_lower_known);
}
