// check_same: whether two terms are worth the same.
//
// Takes: two terms and facts. Gives: equal, different, or undecided. How: they are equal if they are so in all bits that the facts
// leave open, or, where few bits of the words matter, for all values of these; they are different if a call is found that the facts
// leave and for which they are. Guarantees: exact; everything else is undecided.
#include <linux/filter.h>
#include <string.h>

#include "bpf_dsl/check_terms.h"

#define ALL UINT32_MAX

enum { SAME_TRIES = 256, SAME_BITS = 12 };

// --- bit by bit -------------------------------------------------------------------------------------------------------

// Puts what is known of a word's bits in their place.
static void settle(const struct check_terms *terms, const struct check_facts *facts, uint32_t source, uint8_t *bits)
{
    const struct term *word = dsl_check_term_get(terms, source);
    for (uint32_t i = 0; i < BITS && word->kind == TERM_WORD; i++) {
        uint32_t at = bits[i] & (BIT_TURNED - 1u);
        if (bits[i] < BIT_ZERO && (facts->words[word->a].known >> at & 1) != 0) {
            bool is_set = (facts->words[word->a].value >> at & 1) != 0;
            bits[i] = is_set != (bits[i] >= BIT_TURNED) ? BIT_ONE : BIT_ZERO;
        }
    }
}

static bool are_all_known(const uint8_t *bits)
{
    uint32_t known = 0;
    while (known < BITS && bits[known] >= BIT_ZERO) {
        known++;
    }
    return known == BITS;
}

static bool are_alike(const struct check_terms *terms, const struct check_facts *facts, uint32_t a, uint32_t b)
{
    uint8_t of_a[BITS];
    uint8_t of_b[BITS];
    uint32_t source_a = dsl_check_term_bits(terms, a, of_a);
    uint32_t source_b = dsl_check_term_bits(terms, b, of_b);
    settle(terms, facts, source_a, of_a);
    settle(terms, facts, source_b, of_b);
    bool is_comparable = source_a == source_b || (are_all_known(of_a) && are_all_known(of_b));
    return is_comparable && memcmp(of_a, of_b, sizeof of_a) == 0;
}

// --- calls ------------------------------------------------------------------------------------------------------------

static bool is_among(const struct check_facts *facts, const struct check_range *range, uint32_t value)
{
    for (uint32_t at = range->hole; at != 0; at = facts->nodes[at - 1].next) {
        if (facts->nodes[at - 1].number == value) {
            return false;
        }
    }
    return value >= range->lo && value <= range->hi;
}

// Whether the facts leave a word this value.
static bool is_left(const struct check_facts *facts, uint32_t word, uint32_t value)
{
    const struct check_word *known = &facts->words[word];
    bool is_left = (value & known->known) == known->value && is_among(facts, &known->whole, value);
    for (uint32_t at = known->masked; at != 0; at = facts->nodes[at - 1].next) {
        is_left = is_left && is_among(facts, &facts->nodes[at - 1].range, value & facts->nodes[at - 1].number);
    }
    return is_left;
}

// Some value that the facts perhaps leave, another one for each try.
static uint32_t guess(const struct check_facts *facts, uint32_t word, uint32_t number)
{
    const struct check_word *known = &facts->words[word];
    uint32_t random = dsl_hash_end(dsl_hash(word, number));
    uint32_t value = number % 4 == 0 ? known->whole.lo : number % 4 == 1 ? known->whole.hi : random;
    if (number % 4 == 3 && known->whole.hi - known->whole.lo != ALL) {
        value = known->whole.lo + random % (known->whole.hi - known->whole.lo + 1);
    }
    for (uint32_t at = known->masked; at != 0; at = facts->nodes[at - 1].next) {
        const struct check_node *node = &facts->nodes[at - 1];
        bool is_above = !is_among(facts, &node->range, value & node->number);
        value = is_above ? (value & ~node->number) | node->range.lo : value;
    }
    return (value & ~known->known) | known->value;
}

// Two terms, and what they are made of.
struct pair {
    const struct check_terms *terms;
    uint32_t a;
    uint32_t b;
    uint32_t last;     // of both
    uint32_t *matters; // by term: the bits that matter to either of them
    uint32_t *values;  // by term
    uint32_t words[CHECK_WORDS];
    uint32_t matters_of[CHECK_WORDS];
};

// What of its parts matters to `bits` of a term.
static void pass_on(struct pair *pair, const struct term *term, uint32_t bits)
{
    uint32_t below = ALL >> __builtin_clz(bits);
    uint32_t *matters = pair->matters;
    switch (term->kind) {
    case TERM_CONSTANT:
        return;
    case TERM_WORD:
        pair->matters_of[term->a] |= bits;
        return;
    case TERM_BITS:
        for (uint32_t i = 0; i < BITS; i++) {
            bool is_open = (bits >> i & 1) != 0 && term->bits[i] < BIT_ZERO;
            matters[term->a] |= (uint32_t)is_open << term->bits[i] % BIT_TURNED;
        }
        return;
    default:
        break;
    }
    bool is_shift = term->op == BPF_LSH || term->op == BPF_RSH;
    if (term->op == BPF_AND || term->op == BPF_OR || term->op == BPF_XOR) {
        below = bits;
    } else if (term->op == BPF_DIV) {
        below = ALL;
    } else if (term->op == BPF_RSH) {
        below = ~((bits & (0 - bits)) - 1);
    }
    matters[term->a] |= below;
    matters[term->b] |= is_shift ? BITS - 1 : below;
}

static bool start_pair(struct check_terms *terms, struct pair *pair)
{
    pair->last = pair->a > pair->b ? pair->a : pair->b;
    if (pair->last >= terms->scratch_room) {
        terms->scratch_room = 2 * pair->last + 1;
        for (int i = 0; i < 2; i++) {
            terms->scratch[i] = DSL_ARENA_ARRAY(terms->terms.arena, uint32_t, terms->scratch_room);
        }
    }
    pair->matters = terms->scratch[0];
    pair->values = terms->scratch[1];
    if (pair->matters == NULL || pair->values == NULL) {
        terms->scratch_room = 0;
        return false;
    }
    memset(pair->matters, 0, ((size_t)pair->last + 1) * sizeof *pair->matters);
    pair->matters[pair->a] = ALL;
    pair->matters[pair->b] = ALL;
    for (uint32_t id = pair->last + 1; id-- > 0;) {
        if (pair->matters[id] != 0) {
            pass_on(pair, dsl_check_term_get(terms, id), pair->matters[id]);
        }
    }
    return true;
}

// --- values -----------------------------------------------------------------------------------------------------------

static uint32_t worth(const struct pair *pair, const struct term *term)
{
    const uint32_t *values = pair->values;
    uint32_t value = 0;
    switch (term->kind) {
    case TERM_CONSTANT:
        return term->a;
    case TERM_WORD:
        return pair->words[term->a];
    case TERM_OP:
        return dsl_check_term_apply(term->op, values[term->a], values[term->b]);
    default:
        break;
    }
    for (uint32_t i = 0; i < BITS; i++) {
        uint32_t bit = term->bits[i];
        bool is_set = bit == BIT_ONE || (bit < BIT_ZERO && (values[term->a] >> bit % BIT_TURNED & 1) != (bit >= BIT_TURNED));
        value |= (uint32_t)is_set << i;
    }
    return value;
}

// Whether the two differ for a call with these words. A division by zero would have ended one of the programs before.
static bool differ(struct pair *pair)
{
    for (uint32_t id = 0; id <= pair->last; id++) {
        const struct term *term = dsl_check_term_get(pair->terms, id);
        bool is_needed = pair->matters[id] != 0;
        if (is_needed && term->kind == TERM_OP && term->op == BPF_DIV && pair->values[term->b] == 0) {
            return false;
        }
        pair->values[id] = is_needed ? worth(pair, term) : 0;
    }
    return pair->values[pair->a] != pair->values[pair->b];
}

// Whether some call has in `open` bits the values of pair->words, and all facts.
static bool is_possible(const struct pair *pair, struct check_facts *facts, const uint32_t *open)
{
    struct dsl_check_mark mark = dsl_check_mark(facts);
    for (uint32_t word = 0; word < CHECK_WORDS; word++) {
        uint32_t value = pair->words[word] & open[word];
        if (open[word] != 0) {
            dsl_check_learn(facts, word, open[word], (struct check_range){.lo = value, .hi = value});
        }
    }
    bool is_possible = dsl_check_is_possible(facts);
    dsl_check_rewind(facts, mark);
    return is_possible;
}

// Tries all values where few bits matter. Returns: UNDECIDED where these are not so few.
static enum dsl_checked try_all(struct pair *pair, struct check_facts *facts)
{
    uint32_t open[CHECK_WORDS];
    uint32_t count = 0;
    for (uint32_t word = 0; word < CHECK_WORDS; word++) {
        open[word] = pair->matters_of[word] & ~facts->words[word].known;
        count += (uint32_t)__builtin_popcount(open[word]);
    }
    if (count > SAME_BITS) {
        return DSL_CHECKED_UNDECIDED;
    }
    facts->steps += 1u << count;
    for (uint32_t all = 0; all < 1u << count; all++) {
        uint32_t packed = all;
        for (uint32_t word = 0; word < CHECK_WORDS; word++) {
            pair->words[word] = facts->words[word].value;
            for (uint32_t left = open[word]; left != 0; left &= left - 1, packed >>= 1) {
                pair->words[word] |= (packed & 1) != 0 ? left & (0 - left) : 0;
            }
        }
        if (differ(pair) && is_possible(pair, facts, open)) {
            return DSL_CHECKED_DIFFERENT;
        }
    }
    return DSL_CHECKED_EQUAL;
}

static bool are_told_apart(struct pair *pair, const struct check_facts *facts)
{
    for (uint32_t number = 0; number < SAME_TRIES; number++) {
        bool are_left = true;
        for (uint32_t word = 0; word < CHECK_WORDS; word++) {
            pair->words[word] = guess(facts, word, number);
            are_left = are_left && (pair->matters_of[word] == 0 || is_left(facts, word, pair->words[word]));
        }
        if (are_left && differ(pair)) {
            return true;
        }
    }
    return false;
}

enum dsl_checked dsl_check_terms_compare(struct check_terms *terms, struct check_facts *facts, uint32_t a, uint32_t b)
{
    struct pair pair = {.terms = terms, .a = a, .b = b};
    if (a == DSL_INTERN_NONE || b == DSL_INTERN_NONE) {
        return DSL_CHECKED_UNDECIDED;
    }
    if (a == b || are_alike(terms, facts, a, b)) {
        return DSL_CHECKED_EQUAL;
    }
    if (!start_pair(terms, &pair)) {
        return DSL_CHECKED_UNDECIDED;
    }
    enum dsl_checked checked = try_all(&pair, facts);
    return checked == DSL_CHECKED_UNDECIDED && are_told_apart(&pair, facts) ? DSL_CHECKED_DIFFERENT : checked;
}
