// check_calls: calls that are made up to see which sides of tests they take.
//
// Takes: what a way from one gate to the next knows (check_chains.c). Gives: notes of the sides that some calls like that take, all
// of them from the beginning of the rules on. How: words of which nothing is known get numbers that hardly any rule asks for, so
// that the rules before do not take the call; where one does, the last of these words that it asked for gets another number, and
// the call is made once more. It is run here rather than by interpret.c because it begins in the midst, and to know its last test.
// Requires: a program that the walk follows. Guarantees: what is noted is taken. Weaknesses: a side
// that is not noted may be taken all the same; who wants to know asks all ways (CHECK_FOR_SIDES).
#include "bpf_dsl/check_parts.h"
#include "bpf_dsl/clean.h"

#include <linux/filter.h>

enum { CALLS_TRIES = 2, CALLS_CHANGES = 8 };

// What an instruction works with.
struct registers {
    uint32_t a;
    uint32_t x;
    uint32_t word; // whose bits A has
    uint32_t mask; // 0: there is none
};

// A call, and the last test that would have gone the other way with another number in a word that may be any.
struct call {
    uint32_t words[CHECK_WORDS];
    uint32_t any; // a bit for each such word
    const struct sock_filter *test;
    bool was_yes;
    struct registers tested;
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
        *registers = (struct registers){words[insn->k / 4], registers->x, insn->k / 4, UINT32_MAX};
        return;
    case BPF_ALU | BPF_AND | BPF_K:
        registers->a &= insn->k;
        registers->mask &= insn->k;
        return;
    case BPF_ALU | BPF_SUB | BPF_K:
        registers->a -= insn->k;
        break;
    case BPF_MISC | BPF_TAX:
        registers->x = registers->a;
        return;
    case BPF_LD | BPF_W | BPF_IMM:
        registers->a = insn->k;
        break;
    default: // BPF_RSH by X, as far as the walk goes
        registers->a >>= registers->x & 31;
        break;
    }
    registers->mask = 0;
}

// Runs a call from where its rules begin, and notes what it takes. Returns: how many instructions it met.
static uint32_t run(struct dsl_check_walk *walk, const struct check_path *start, struct call *call)
{
    struct registers registers = {.a = worth(&start->a, call->words), .x = worth(&start->x, call->words)};
    uint32_t pc = start->pc;
    uint32_t count = 0;
    call->test = NULL;
    for (; BPF_CLASS(walk->insns[pc].code) != BPF_RET; count++) {
        const struct sock_filter *insn = &walk->insns[pc];
        if (insn->code == (BPF_JMP | BPF_JA)) {
            pc += insn->k;
        } else if (BPF_CLASS(insn->code) == BPF_JMP) {
            bool yes = is_yes(insn, registers.a);
            if (registers.mask != 0 && (call->any >> registers.word & 1) != 0) {
                call->test = insn;
                call->was_yes = yes;
                call->tested = registers;
            }
            walk->taken[pc] |= yes ? DSL_TAKEN_YES : DSL_TAKEN_NO;
            pc += yes ? insn->jt : insn->jf;
        } else {
            compute(insn, call->words, &registers);
        }
        pc++;
    }
    return count;
}

// A number that goes the other way at a test, if its mask has it.
static uint32_t other_number(const struct sock_filter *test, bool was_yes, uint32_t a)
{
    switch (test->code) {
    case BPF_JMP | BPF_JEQ | BPF_K:
        return was_yes ? a + 1 : test->k;
    case BPF_JMP | BPF_JGT | BPF_K:
        return was_yes ? test->k : test->k + 1;
    case BPF_JMP | BPF_JGE | BPF_K:
        return was_yes ? test->k - 1 : test->k;
    default:
        return was_yes ? a & ~test->k : a | test->k;
    }
}

// Makes calls of which some words are given, each with one number changed so that the one before would have gone on. Returns:
// whether one of them takes the new side.
static bool try_changes(struct dsl_check_walk *walk, const struct check_path *start, struct call *call)
{
    const unsigned char *taken = &walk->taken[walk->new_test];
    for (uint32_t change = 0; change <= CALLS_CHANGES; change++) {
        uint32_t count = run(walk, start, call);
        walk->call_insns -= count < walk->call_insns ? count : walk->call_insns;
        if ((*taken & walk->new_side) != 0 || call->test == NULL || walk->call_insns == 0) {
            break;
        }
        uint32_t *word = &call->words[call->tested.word];
        uint32_t number = other_number(call->test, call->was_yes, call->tested.a);
        *word = (*word & ~call->tested.mask) | (number & call->tested.mask);
    }
    return (*taken & walk->new_side) != 0;
}

void dsl_check_try_calls(struct dsl_check_walk *walk, const struct check_path *start)
{
    struct check_facts *facts = &walk->facts;
    struct call call;
    bool is_taken = false;
    for (uint32_t try = 0; try < CALLS_TRIES && !is_taken && walk->call_insns > 0; try++) {
        bool is_call = true;
        call.any = 0;
        for (uint32_t word = 0; word < CHECK_WORDS && is_call; word++) {
            // Any numbers that look like no other; and a high half as most calls have it.
            uint32_t odd = (word + 1) * 0x9e3779b9u;
            call.words[word] = try == 0 ? odd : (word & 1) != 0 ? 0 : ~odd;
            bool is_any = dsl_check_is_untouched(facts, word);
            call.any |= (uint32_t)is_any << word;
            is_call = is_any || dsl_check_find_word(facts, word, &call.words[word]);
        }
        is_taken = is_call && try_changes(walk, start, &call);
    }
}
