// check_calls: calls that are made up to see which sides of tests they take.
//
// Takes: what a way from one gate to the next knows (check_chains.c). Gives: notes of the sides that some calls like that take, all
// of them from the beginning of the rules on. How: words of which nothing is known get numbers that hardly any rule asks for, so
// that the rules before do not take the call. Requires: a program that the walk follows. Guarantees: what is noted is taken.
// Weaknesses: a side that is not noted may be taken all the same; who wants to know asks all ways (CHECK_FOR_SIDES).
#include "bpf_dsl/check_parts.h"
#include "bpf_dsl/clean.h"

#include <linux/filter.h>

enum { CALLS_TRIES = 2, CALLS_INSNS_PER_STEP = 8 };

// What an instruction works with.
struct registers {
    uint32_t a;
    uint32_t x;
};

static uint32_t worth(const struct check_register *held, const uint32_t *words)
{
    uint32_t number = (words[held->word] & held->mask) - held->minus;
    return held->held == CHECK_HELD_WORD ? number : held->held == CHECK_HELD_PICKED ? held->bits >> (number & 31) : held->bits;
}

static bool is_yes(const struct sock_filter *insn, uint32_t a)
{
    switch (insn->code) {
    case BPF_JMP | BPF_JEQ | BPF_K:
        return a == insn->k;
    case BPF_JMP | BPF_JGT | BPF_K:
        return a > insn->k;
    case BPF_JMP | BPF_JGE | BPF_K:
        return a >= insn->k;
    default:
        return (a & insn->k) != 0;
    }
}

static void compute(const struct sock_filter *insn, const uint32_t *words, struct registers *registers)
{
    switch (insn->code) {
    case BPF_LD | BPF_W | BPF_ABS:
        registers->a = words[insn->k / 4];
        break;
    case BPF_ALU | BPF_AND | BPF_K:
        registers->a &= insn->k;
        break;
    case BPF_ALU | BPF_SUB | BPF_K:
        registers->a -= insn->k;
        break;
    case BPF_MISC | BPF_TAX:
        registers->x = registers->a;
        break;
    case BPF_LD | BPF_W | BPF_IMM:
        registers->a = insn->k;
        break;
    default: // BPF_RSH by X, as far as the walk goes
        registers->a >>= registers->x & 31;
        break;
    }
}

// Runs a call from where its rules begin, and notes what it takes. Returns: how many instructions it met.
static uint32_t run(struct dsl_check_walk *walk, const struct check_path *start, const uint32_t *words)
{
    struct registers registers = {worth(&start->a, words), worth(&start->x, words)};
    uint32_t pc = start->pc;
    uint32_t count = 0;
    for (; BPF_CLASS(walk->insns[pc].code) != BPF_RET; count++) {
        const struct sock_filter *insn = &walk->insns[pc];
        if (insn->code == (BPF_JMP | BPF_JA)) {
            pc += insn->k;
        } else if (BPF_CLASS(insn->code) == BPF_JMP) {
            bool yes = is_yes(insn, registers.a);
            walk->taken[pc] |= yes ? DSL_TAKEN_YES : DSL_TAKEN_NO;
            pc += yes ? insn->jt : insn->jf;
        } else {
            compute(insn, words, &registers);
        }
        pc++;
    }
    return count;
}

void dsl_check_try_calls(struct dsl_check_walk *walk, const struct check_path *start)
{
    struct check_facts *facts = &walk->facts;
    uint32_t words[CHECK_WORDS];
    for (uint32_t try = 0; try < CALLS_TRIES && (walk->taken[walk->new_test] & walk->new_side) == 0; try++) {
        bool is_call = true;
        for (uint32_t word = 0; word < CHECK_WORDS && is_call; word++) {
            // Any numbers that look like no other; and a high half as most calls have it.
            uint32_t odd = (word + 1) * 0x9e3779b9u;
            words[word] = try == 0 ? odd : (word & 1) != 0 ? 0 : ~odd;
            is_call = dsl_check_is_untouched(facts, word) || dsl_check_find_word(facts, word, &words[word]);
        }
        facts->steps += is_call ? run(walk, start, words) / CALLS_INSNS_PER_STEP : 0;
    }
}
