// foresee: rules whose tests are better not sorted.
//
// Takes: the rules of a call, the order of the words. Gives: whether they explode when they are sorted. Requires: nothing.
// How: rules that ask for one value each, under unlike masks of one word, can hold all at once. Where a sorted diagram is done with
// that word it has a node for each set of rules that may still hold, 2^n for n rules that have different things left to ask, but
// never more than there are ways through what was asked before: one more than there are values under each mask. That is counted
// at each border between two words. Only rules that are nothing but such tests are looked at: a wide one, which holds for nearly
// all words, makes most of what others say void, and nobody knows before. Guarantees: none; a wrong guess is a slower program, or
// a slower compile. Weakness: values that have a hash in common count as one.
#include "bpf_dsl/foresee.h"

#include <string.h>

enum {
    FORESEE_VARIABLES = 16, // that are told apart; few policies have more
    FORESEE_BITS = 3,       // with 2^3 nodes side by side no diagram was smaller than its rules
    FORESEE_RANKS = 2 * DSL_EXPR_ARGUMENTS,
};

// A word under a mask; the word as its place in the order.
struct variable {
    uint32_t rank;
    uint32_t mask;
    uint64_t values; // a bit for each, by its hash
};

struct foresight {
    const struct brig_dsl_builder *builder;
    const struct dsl_order *order;
    struct variable variables[FORESEE_VARIABLES];
    uint32_t variable_count;
    uint64_t rests[FORESEE_RANKS]; // a bit for each different thing that is left to ask from a word on
    bool has_relatives;            // some word is asked about under several masks
};

static uint64_t bit_of(uint64_t hash)
{
    return UINT64_C(1) << (dsl_hash_end(dsl_hash(hash, 0)) & 63);
}

static void note_test(struct foresight *foresight, uint32_t rank, uint32_t mask, uint32_t value)
{
    uint32_t at = 0;
    for (; at < foresight->variable_count; at++) {
        const struct variable *variable = &foresight->variables[at];
        if (variable->rank == rank && variable->mask == mask) {
            break;
        }
        foresight->has_relatives |= variable->rank == rank;
    }
    if (at == FORESEE_VARIABLES) {
        return;
    }
    if (at == foresight->variable_count) {
        foresight->variables[foresight->variable_count++] = (struct variable){.rank = rank, .mask = mask};
    }
    foresight->variables[at].values |= bit_of(value);
}

// What a rule asks of each word, by its place in the order; 0: nothing.
struct asked {
    uint64_t hash[FORESEE_RANKS];
};

// One half of a test for one value.
static void ask_half(struct foresight *foresight, struct asked *asked, uint32_t word, uint32_t mask, uint32_t value)
{
    uint32_t rank = foresight->order->rank[word] - DSL_WORD_ARGUMENTS;
    if (mask != 0) {
        bool keeps_upper = (~mask & (~mask + 1)) == 0; // then it is a range of the whole word
        note_test(foresight, rank, keeps_upper ? UINT32_MAX : mask, value);
        asked->hash[rank] = dsl_hash(dsl_hash(1, mask), value);
    }
}

// Returns: false where the test is none for one value.
static bool ask_one(struct foresight *foresight, struct asked *asked, const struct dsl_expr *test)
{
    if (test->kind != DSL_EXPR_ARGUMENT || test->count != 1 || test->runs[0].first != test->runs[0].last) {
        return false;
    }
    uint32_t word = DSL_WORD_ARGUMENTS + 2u * test->argument;
    uint64_t value = test->runs[0].first;
    ask_half(foresight, asked, word, (uint32_t)test->mask, (uint32_t)value);
    ask_half(foresight, asked, word + 1, test->bits == 64 ? (uint32_t)(test->mask >> 32) : 0, (uint32_t)(value >> 32));
    return true;
}

static bool ask_all(struct foresight *foresight, struct asked *asked, const struct dsl_expr *test)
{
    if (test->kind != DSL_EXPR_ALL) {
        return ask_one(foresight, asked, test);
    }
    for (uint32_t i = 0; i < test->count; i++) {
        if (!ask_one(foresight, asked, dsl_expr_get(foresight->builder, test->parts[i]))) {
            return false;
        }
    }
    return true;
}

// Notes what a rule has left to ask, and then says, from each word on before which it asked something.
static void note_rests(struct foresight *foresight, const struct asked *asked, uint32_t verdict)
{
    uint32_t first = 0;
    while (first < FORESEE_RANKS && asked->hash[first] == 0) {
        first++;
    }
    uint64_t rest = verdict;
    bool is_something = false;
    for (uint32_t rank = FORESEE_RANKS; --rank > first;) {
        is_something |= asked->hash[rank] != 0;
        rest = asked->hash[rank] != 0 ? dsl_hash(rest ^ rank, asked->hash[rank]) : rest;
        foresight->rests[rank] |= is_something ? bit_of(rest) : 0;
    }
}

static uint32_t count(uint64_t bits)
{
    return dsl_count_bits((uint32_t)bits) + dsl_count_bits((uint32_t)(bits >> 32));
}

// How many bits tell apart what was asked before a word.
static uint32_t bits_before(const struct foresight *foresight, uint32_t rank)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < foresight->variable_count; i++) {
        const struct variable *variable = &foresight->variables[i];
        bits += variable->rank < rank ? 32 - (uint32_t)__builtin_clz(count(variable->values)) : 0;
    }
    return bits;
}

// Whether there are as many rules as there have to be different things left to ask.
static bool are_enough(const struct brig_dsl_builder *builder, const struct dsl_expr *link)
{
    uint32_t rules = 0;
    for (; rules < FORESEE_BITS && link->kind == DSL_EXPR_IF; rules++) {
        link = dsl_expr_get(builder, link->parts[2]);
    }
    return rules == FORESEE_BITS;
}

static bool foresee(const struct brig_dsl_builder *builder, const struct dsl_expr *link, const struct dsl_order *order)
{
    struct foresight foresight = {.builder = builder, .order = order};
    for (; link->kind == DSL_EXPR_IF; link = dsl_expr_get(builder, link->parts[2])) {
        struct asked asked = {{0}};
        if (!ask_all(&foresight, &asked, dsl_expr_get(builder, link->parts[0]))) {
            return false;
        }
        note_rests(&foresight, &asked, link->parts[1]);
    }
    for (uint32_t rank = 1; rank < FORESEE_RANKS && foresight.has_relatives; rank++) {
        if (count(foresight.rests[rank]) >= FORESEE_BITS && bits_before(&foresight, rank) >= FORESEE_BITS) {
            return true;
        }
    }
    return false;
}

bool dsl_foresees_explosion(const struct brig_dsl_builder *builder, uint32_t node, const struct dsl_order *order)
{
    const struct dsl_expr *link = dsl_expr_get(builder, node);
    return are_enough(builder, link) && foresee(builder, link, order);
}

// --- ranges -----------------------------------------------------------------------------------------------------------

static bool has_ranges(const struct brig_dsl_builder *builder, const struct dsl_expr *test)
{
    bool is_list = test->kind == DSL_EXPR_ALL || test->kind == DSL_EXPR_ANY;
    bool has = test->kind == DSL_EXPR_NOT;
    for (uint32_t i = 0; i < test->count && !has; i++) {
        has = is_list ? has_ranges(builder, dsl_expr_get(builder, test->parts[i]))
                      : test->kind == DSL_EXPR_ARGUMENT && test->runs[i].first != test->runs[i].last;
    }
    return has;
}

bool dsl_asks_for_ranges(const struct brig_dsl_builder *builder, uint32_t node)
{
    const struct dsl_expr *link = dsl_expr_get(builder, node);
    bool asks = false;
    for (; link->kind == DSL_EXPR_IF && !asks; link = dsl_expr_get(builder, link->parts[2])) {
        asks = has_ranges(builder, dsl_expr_get(builder, link->parts[0]));
    }
    return asks;
}
