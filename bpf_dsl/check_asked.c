// check_asked: tests of what programs compute.
//
// Takes: tests of values that are not of one word, or that are cut into too many pieces. Gives: a test of one term with a constant,
// and what is known of such terms. How: where both sides are computed, what is tested is their difference, their common bits, or
// the borrow of a subtraction. Two programs that test the same term learn the same of it. Guarantees: every call that comes to a
// place has what is known there. Weaknesses: of a term is known only what it was asked for itself, not what its words say of it, so
// a difference between programs may be one that no call ever sees; terms are the same where their normal forms are.
#include "bpf_dsl/check_asked.h"

#define ALL UINT32_MAX

bool dsl_check_asked_init(struct check_asked *asked, struct brig_dsl_arena *arena, uint32_t depth, uint32_t steps)
{
    asked->count = 0;
    return dsl_check_facts_init(&asked->facts, arena, depth, steps);
}

// --- one term ---------------------------------------------------------------------------------------------------------

// A term, and what of it is compared with a constant.
struct asking {
    uint32_t term;
    uint16_t op;
    uint32_t k;
    bool is_turned;
};

// Whether a > b, as a number that is not 0: the borrow of b - a, (~b & a) | (~(b ^ a) & (b - a)), its highest bit.
static uint32_t above(struct check_terms *terms, uint32_t a, uint32_t b)
{
    uint32_t all = dsl_check_term_constant(terms, ALL);
    uint32_t only_a = dsl_check_term_op(terms, BPF_AND, a, dsl_check_term_op(terms, BPF_XOR, b, all));
    uint32_t alike = dsl_check_term_op(terms, BPF_XOR, dsl_check_term_op(terms, BPF_XOR, a, b), all);
    uint32_t carried = dsl_check_term_op(terms, BPF_AND, alike, dsl_check_term_op(terms, BPF_SUB, b, a));
    uint32_t highest = dsl_check_term_constant(terms, BITS - 1);
    return dsl_check_term_op(terms, BPF_RSH, dsl_check_term_op(terms, BPF_OR, only_a, carried), highest);
}

static struct asking ask_both(struct check_terms *terms, uint16_t op, uint32_t a, uint32_t b)
{
    switch (op) {
    case BPF_JEQ:
        return (struct asking){dsl_check_term_op(terms, BPF_SUB, a, b), BPF_JEQ, 0, false};
    case BPF_JSET:
        return (struct asking){dsl_check_term_op(terms, BPF_AND, a, b), BPF_JEQ, 0, true};
    case BPF_JGT:
        return (struct asking){above(terms, a, b), BPF_JEQ, 0, true};
    default: // a >= b is not b > a
        return (struct asking){above(terms, b, a), BPF_JEQ, 0, false};
    }
}

static struct asking read_test(struct check_values *values, const uint32_t *registers, const struct sock_filter *test)
{
    uint16_t op = BPF_OP(test->code);
    uint32_t a = dsl_check_value_term(values, registers[CHECK_A]);
    uint32_t b = dsl_check_value_term(values, registers[CHECK_X]);
    uint32_t k = test->k;
    if (BPF_SRC(test->code) == BPF_K || dsl_check_term_is(&values->terms, b, &k)) {
        return (struct asking){a, op, k, false};
    }
    if (dsl_check_term_is(&values->terms, a, &k)) {
        // k > x is not x >= k; k >= x is not x > k.
        bool is_turned = op == BPF_JGT || op == BPF_JGE;
        return (struct asking){b, op == BPF_JGT ? BPF_JGE : op == BPF_JGE ? BPF_JGT : op, k, is_turned};
    }
    return ask_both(&values->terms, op, a, b);
}

// Where a term is asked for one value, what is added to it goes to the other side.
static void move_over(const struct check_terms *terms, struct asking *asking)
{
    uint32_t k;
    while (asking->op == BPF_JEQ && asking->term != DSL_INTERN_NONE) {
        const struct term *term = dsl_check_term_get(terms, asking->term);
        if (term->kind == TERM_OP && term->op == BPF_ADD && dsl_check_term_is(terms, term->b, &k)) {
            asking->term = term->a;
            asking->k -= k;
        } else if (term->kind == TERM_OP && term->op == BPF_SUB && dsl_check_term_is(terms, term->a, &k)) {
            asking->term = term->b;
            asking->k = k - asking->k;
        } else {
            return;
        }
    }
}

// --- places -----------------------------------------------------------------------------------------------------------

// A term as another one under a mask, where it is that. Returns: the other one.
static uint32_t unmask(const struct check_terms *terms, uint32_t term, uint32_t *ret_mask)
{
    uint8_t bits[BITS];
    uint32_t source = dsl_check_term_bits(terms, term, bits);
    *ret_mask = 0;
    for (uint32_t i = 0; i < BITS; i++) {
        if (bits[i] != i && bits[i] != BIT_ZERO) {
            *ret_mask = ALL;
            return term;
        }
        *ret_mask |= (uint32_t)(bits[i] == i) << i;
    }
    return source;
}

// Returns: the place of a term, CHECK_WORDS where it has none.
static uint32_t find_place(const struct check_asked *asked, uint32_t term)
{
    for (uint32_t i = 0; i < asked->count; i++) {
        if (asked->terms[i] == term) {
            return i;
        }
    }
    return CHECK_WORDS;
}

static bool put_masked(struct check_values *values, uint32_t word, uint32_t mask, struct check_question *ret_question)
{
    const struct sock_filter insn = {.code = BPF_ALU | BPF_AND, .k = mask}; // and BPF_K, which is 0 as well
    ret_question->registers[CHECK_A] = values->words[word];
    dsl_check_value_take(values, ret_question->registers, &insn);
    return ret_question->registers[CHECK_A] != DSL_INTERN_NONE;
}

bool dsl_check_ask(struct check_values *values, struct check_asked *asked, const uint32_t *registers,
                   const struct sock_filter *test, struct check_question *ret_question)
{
    uint32_t mask;
    uint32_t k;
    struct asking asking = read_test(values, registers, test);
    move_over(&values->terms, &asking);
    if (asking.term == DSL_INTERN_NONE) {
        return false;
    }
    *ret_question = (struct check_question){.test = {.code = BPF_JMP | asking.op, .k = asking.k}, .is_turned = asking.is_turned};
    if (dsl_check_term_is(&values->terms, asking.term, &k)) {
        ret_question->registers[CHECK_A] = dsl_check_value_constant(values, k);
        return true;
    }
    uint32_t source = unmask(&values->terms, asking.term, &mask);
    const struct term *term = dsl_check_term_get(&values->terms, source);
    ret_question->is_word = term->kind == TERM_WORD;
    if (ret_question->is_word) {
        return put_masked(values, term->a, mask, ret_question);
    }
    uint32_t place = find_place(asked, source);
    if (place == CHECK_WORDS && asked->count < CHECK_WORDS) {
        place = asked->count++;
        asked->terms[place] = source;
    }
    return place < CHECK_WORDS && put_masked(values, place, mask, ret_question);
}

bool dsl_check_asked_is(struct check_values *values, const struct check_asked *asked, uint32_t value, uint32_t *ret_value)
{
    uint32_t mask;
    uint32_t term = dsl_check_value_term(values, value);
    if (term == DSL_INTERN_NONE) {
        return false;
    }
    uint32_t place = find_place(asked, unmask(&values->terms, term, &mask));
    if (place == CHECK_WORDS) {
        return false;
    }
    struct check_set set = dsl_check_set_of(&asked->facts, place, mask);
    *ret_value = set.range.lo;
    return set.range.lo == set.range.hi;
}
