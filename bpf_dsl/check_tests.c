// check_tests: which conditions of a subject the rest of a program looks at.
//
// Takes: a program, and the conditions of rules. Gives: for each instruction the halves of conditions that are tested there or on some
// way from there. How: a condition is known by its borders; what A holds at each jump is read from the text, and a jump tests the conditions
// that have its border; what is tested below is gathered from the end to the start. Requires: nothing. Guarantees: nothing that a
// proof hangs on: it says which claims are worth trying (check_joins.c). Weaknesses: a condition that the program tests in another
// way, as a part of other masks or bit by bit, is taken for one that is not tested.
#include "bpf_dsl/check_parts.h"
#include "bpf_dsl/intern.h"

#include <linux/filter.h>
#include <string.h>

enum { MOST_BYTES = 512 * 1024 }; // of what is given

// "(word & mask) is below `border`" is a part of a condition.
struct border {
    uint32_t mask;
    uint32_t border;
    uint32_t word_plus_one; // 0: free
    uint32_t half;          // 2 * number of the condition, + 1 for the high half
};

struct reading {
    const struct dsl_check_walk *walk;
    const struct check_subject *subject;
    struct border *borders;
    uint32_t slots; // a power of two
    uint64_t *below;
    uint32_t row_words;
};

// What A holds.
struct held {
    uint32_t mask;
    uint32_t minus;
    uint8_t word;
    bool is_word; // (word & mask) - minus; else something else about the word
};

static uint64_t *row_of(const struct reading *reading, uint32_t pc)
{
    return reading->below + (size_t)pc * reading->row_words;
}

// Slots of one border lie one behind the other, those of others between them.
static uint32_t first_slot(const struct reading *reading, uint32_t word, uint32_t mask, uint32_t border)
{
    return dsl_hash_end(dsl_hash(dsl_hash(word, mask), border)) & (reading->slots - 1);
}

static void set_bit(uint64_t *row, uint32_t bit)
{
    row[bit / 64] |= UINT64_C(1) << bit % 64;
}

static void add_border(struct reading *reading, uint32_t word, uint32_t mask, uint32_t border, uint32_t half)
{
    if (border == 0 || mask == 0) {
        return; // nothing is below it
    }
    uint32_t at = first_slot(reading, word, mask, border);
    while (reading->borders[at].word_plus_one != 0) {
        at = (at + 1) & (reading->slots - 1);
    }
    reading->borders[at] = (struct border){mask, border, word + 1, half};
    set_bit(row_of(reading, reading->walk->insn_count), half);
}

static void note_border(struct reading *reading, const struct held *held, uint32_t border, uint64_t *row)
{
    border += held->minus;
    uint32_t at = first_slot(reading, held->word, held->mask, border);
    for (; reading->borders[at].word_plus_one != 0; at = (at + 1) & (reading->slots - 1)) {
        const struct border *slot = &reading->borders[at];
        if (slot->word_plus_one == held->word + 1u && slot->mask == held->mask && slot->border == border) {
            set_bit(row, slot->half);
        }
    }
}

// Something is tested that is not followed: it may be any condition about the word.
static void note_word(struct reading *reading, uint32_t word, uint64_t *row)
{
    for (uint32_t i = 0; i < reading->subject->condition_count; i++) {
        if (CHECK_ARGUMENTS + 2u * reading->subject->conditions[i]->argument == (word & ~1u)) {
            set_bit(row, 2 * i + (word & 1u));
        }
    }
}

static void note_test(struct reading *reading, struct held held, const struct sock_filter *insn, uint64_t *row)
{
    if (!held.is_word) {
        note_word(reading, held.word, row);
        return;
    }
    if (BPF_OP(insn->code) == BPF_JSET) {
        held.mask &= insn->k;
        note_border(reading, &held, 1, row);
    }
    if (BPF_OP(insn->code) != BPF_JGT) {
        note_border(reading, &held, insn->k, row);
    }
    if (BPF_OP(insn->code) != BPF_JGE) {
        note_border(reading, &held, insn->k + 1, row);
    }
}

static struct held compute(struct held held, const struct sock_filter *insn)
{
    switch (insn->code) {
    case BPF_LD | BPF_W | BPF_ABS:
        return (struct held){.mask = UINT32_MAX, .word = (uint8_t)(insn->k / 4), .is_word = true};
    case BPF_ALU | BPF_AND | BPF_K:
        held.mask &= insn->k;
        break;
    case BPF_ALU | BPF_SUB | BPF_K:
        held.minus += insn->k;
        break;
    default: // of a word that was loaded before
        held.is_word = false;
        break;
    }
    return held;
}

// Notes what each jump tests. Returns: false when the arena is exhausted.
static bool read_tests(struct reading *reading)
{
    const struct sock_filter *insns = reading->walk->insns;
    const uint32_t count = reading->walk->insn_count;
    struct held *held = DSL_ARENA_ARRAY(reading->walk->arena, struct held, count);
    if (held == NULL) {
        return false;
    }
    memset(held, 0, count * sizeof *held);
    for (uint32_t pc = 0; pc < count; pc++) {
        const struct sock_filter *insn = &insns[pc];
        if (insn->code == (BPF_JMP | BPF_JA)) {
            held[pc + 1 + insn->k] = held[pc];
        } else if (BPF_CLASS(insn->code) == BPF_JMP) {
            note_test(reading, held[pc], insn, row_of(reading, pc));
            held[pc + 1 + insn->jt] = held[pc];
            held[pc + 1 + insn->jf] = held[pc];
        } else if (BPF_CLASS(insn->code) != BPF_RET) {
            held[pc + 1] = compute(held[pc], insn);
        }
    }
    return true;
}

static void gather(const struct reading *reading, uint32_t pc, uint32_t from)
{
    uint64_t *row = row_of(reading, pc);
    const uint64_t *below = row_of(reading, from);
    for (uint32_t i = 0; i < reading->row_words; i++) {
        row[i] |= below[i];
    }
}

static void gather_all(const struct reading *reading)
{
    for (uint32_t pc = reading->walk->insn_count; pc-- > 0;) {
        const struct sock_filter *insn = &reading->walk->insns[pc];
        if (insn->code == (BPF_JMP | BPF_JA)) {
            gather(reading, pc, pc + 1 + insn->k);
        } else if (BPF_CLASS(insn->code) == BPF_JMP) {
            gather(reading, pc, pc + 1 + insn->jt);
            gather(reading, pc, pc + 1 + insn->jf);
        } else if (BPF_CLASS(insn->code) != BPF_RET) {
            gather(reading, pc, pc + 1);
        }
    }
}

static void add_low(struct reading *reading, uint32_t number, uint32_t word, uint32_t mask, const struct check_span *span)
{
    add_border(reading, word, mask, (uint32_t)span->first, 2 * number);
    add_border(reading, word, mask, (uint32_t)span->last + 1, 2 * number);
}

// Of the high halves at both ends only some numbers are in the span where its low halves begin or end in between.
static void add_high(struct reading *reading, uint32_t number, uint32_t word, uint32_t mask, const struct check_span *span)
{
    uint32_t first = (uint32_t)(span->first >> 32);
    uint32_t last = (uint32_t)(span->last >> 32);
    add_border(reading, word, mask, first, 2 * number + 1);
    add_border(reading, word, mask, last + 1, 2 * number + 1);
    if ((uint32_t)span->first != 0) {
        add_border(reading, word, mask, first + 1, 2 * number + 1);
    }
    if ((uint32_t)span->last != UINT32_MAX) {
        add_border(reading, word, mask, last, 2 * number + 1);
    }
}

static void add_conditions(struct reading *reading)
{
    for (uint32_t i = 0; i < reading->subject->condition_count; i++) {
        const struct check_condition *condition = reading->subject->conditions[i];
        uint32_t word = CHECK_ARGUMENTS + 2u * condition->argument;
        for (uint32_t k = 0; k < condition->count; k++) {
            add_low(reading, i, word, (uint32_t)condition->mask, &condition->spans[k]);
            if (condition->is_wide) {
                add_high(reading, i, word + 1, (uint32_t)(condition->mask >> 32), &condition->spans[k]);
            }
        }
    }
}

static uint32_t count_spans(const struct check_subject *subject)
{
    uint32_t spans = 0;
    for (uint32_t i = 0; i < subject->condition_count; i++) {
        spans += subject->conditions[i]->count;
    }
    return spans;
}

const uint64_t *dsl_check_read_tests(const struct dsl_check_walk *walk, const struct check_subject *subject)
{
    struct reading reading = {.walk = walk, .subject = subject, .slots = 16, .row_words = dsl_check_row_words(subject)};
    size_t words = ((size_t)walk->insn_count + 1) * reading.row_words;
    uint32_t spans = count_spans(subject);
    while (reading.slots < 12 * spans) { // six borders each
        reading.slots *= 2;
    }
    if (words * sizeof *reading.below + reading.slots * sizeof *reading.borders > MOST_BYTES) {
        return NULL;
    }
    reading.below = DSL_ARENA_ARRAY(walk->arena, uint64_t, words);
    reading.borders = DSL_ARENA_ARRAY(walk->arena, struct border, reading.slots);
    if (reading.below == NULL || reading.borders == NULL) {
        return NULL;
    }
    memset(reading.below, 0, words * sizeof *reading.below);
    memset(reading.borders, 0, reading.slots * sizeof *reading.borders);
    add_conditions(&reading);
    if (!read_tests(&reading)) {
        return NULL;
    }
    gather_all(&reading);
    return reading.below;
}
