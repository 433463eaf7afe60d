// check_tests: which conditions of a subject the rest of a program looks at.
//
// Takes: a program, and the conditions of rules. Gives: for each instruction the halves of conditions that are tested there or on
// some way from there. How: a condition is known by its borders; what A holds at each jump is read from the text, and a jump tests
// the conditions that have its border; what is tested below is gathered from the end to the start. Requires: nothing. Guarantees:
// nothing that a proof hangs on: it says which claims are worth trying (check_joins.c). Weaknesses: a condition that the program
// tests in another way, as a part of other masks or bit by bit, is taken for one that is not tested.
#include "bpf_dsl/check_parts.h"
#include "bpf_dsl/intern.h"

#include <linux/filter.h>
#include <string.h>

enum {
    MOST_BYTES = 256 * 1024, // of what is given
    BORDERS = 6,             // most of one span
};

// "(word & mask) is below `border`" is a part of halves of conditions.
struct border {
    uint32_t mask;
    uint32_t border;
    uint32_t word_plus_one; // 0: free
    uint32_t first;         // of a list of halves, + 1
};

struct half {
    uint32_t number; // 2 * that of the condition, + 1 for the high half
    uint32_t next;   // + 1; 0: none
};

struct reading {
    const struct dsl_check_walk *walk;
    const struct check_subject *subject;
    struct border *borders;
    uint32_t slots; // a power of two
    struct half *halves;
    uint32_t half_count;
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

static struct border *find_border(const struct reading *reading, uint32_t word, uint32_t mask, uint32_t border)
{
    uint32_t at = dsl_hash_end(dsl_hash(dsl_hash(word, mask), border)) & (reading->slots - 1);
    for (;; at = (at + 1) & (reading->slots - 1)) {
        struct border *slot = &reading->borders[at];
        bool is_it = slot->word_plus_one == word + 1 && slot->mask == mask && slot->border == border;
        if (is_it || slot->word_plus_one == 0) {
            return slot;
        }
    }
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
    struct border *slot = find_border(reading, word, mask, border);
    if (slot->first != 0 && reading->halves[slot->first - 1].number == half) {
        return;
    }
    reading->halves[reading->half_count++] = (struct half){half, slot->first};
    *slot = (struct border){mask, border, word + 1, reading->half_count};
    set_bit(row_of(reading, reading->walk->insn_count), half);
}

// Returns: whether it is a border of any condition.
static bool note_border(const struct reading *reading, const struct held *held, uint32_t border, uint64_t *row)
{
    uint32_t first = find_border(reading, held->word, held->mask, border + held->minus)->first;
    for (uint32_t at = first; at != 0; at = reading->halves[at - 1].next) {
        set_bit(row, reading->halves[at - 1].number);
    }
    return first != 0;
}

// Something is tested that is no condition's border: it may be a part of all that look at no other bits.
static void note_others(struct reading *reading, uint32_t word, uint32_t mask, uint64_t *row)
{
    uint32_t half = word & 1u;
    for (uint32_t i = 0; i < reading->subject->condition_count; i++) {
        const struct check_condition *condition = reading->subject->conditions[i];
        uint32_t bits = (uint32_t)(condition->mask >> 32 * half);
        if (CHECK_ARGUMENTS + 2u * condition->argument == word - half && bits != 0 && (bits & ~mask) == 0) {
            set_bit(row, 2 * i + half);
        }
    }
}

static void note_test(struct reading *reading, struct held held, const struct sock_filter *insn, uint64_t *row)
{
    bool is_known = false;
    held.mask &= BPF_OP(insn->code) == BPF_JSET ? insn->k : UINT32_MAX;
    if (held.is_word) {
        is_known |= BPF_OP(insn->code) == BPF_JSET && note_border(reading, &held, 1, row);
        is_known |= BPF_OP(insn->code) != BPF_JGT && note_border(reading, &held, insn->k, row);
        is_known |= BPF_OP(insn->code) != BPF_JGE && note_border(reading, &held, insn->k + 1, row);
    }
    if (!is_known && held.word >= CHECK_ARGUMENTS && !(held.is_word && held.mask == UINT32_MAX)) {
        note_others(reading, held.word, held.is_word ? held.mask : UINT32_MAX, row);
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
    uint32_t most = BORDERS * count_spans(subject);
    while (reading.slots < 2 * most) {
        reading.slots *= 2;
    }
    if (words * sizeof *reading.below + reading.slots * sizeof *reading.borders > MOST_BYTES) {
        return NULL;
    }
    reading.below = DSL_ARENA_ARRAY(walk->arena, uint64_t, words);
    reading.borders = DSL_ARENA_ARRAY(walk->arena, struct border, reading.slots);
    reading.halves = DSL_ARENA_ARRAY(walk->arena, struct half, most);
    if (reading.below == NULL || reading.borders == NULL || reading.halves == NULL) {
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
