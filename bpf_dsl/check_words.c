// check_words: everything that is known of one word, through however many masks.
//
// Takes: facts. Gives: whether some value of a word has all of them, alone or together with a condition. Guarantees: exact; facts
// about different words are independent of each other, since every test of a program is about one word. How: what is known of (word
// & mask) is its set where the word was only looked at as a whole, through this mask, or through masks that left one value, or
// where the other masks leave out less than each value of the set stands for. Anything else is searched: first some single words
// are tried, each the one before with one mistake put right, which finds most words that there are; then the values of a condition
// one span after the other, and what is open of them bit by bit, until what is undecided leaves out fewer words than there are.
// Weaknesses: the search can be long for many masks of one word; steps are counted, and where they end, so does
// exactness (`overflowed`).
#include "bpf_dsl/check_parts.h"

#define ALL UINT32_MAX

enum {
    SPANS_COUNTED = 16,      // of a condition, to find out how much it leaves out
    SPANS_BY_ONE = 256,      // most spans of a condition that are searched one by one
    WITNESSES = 16,          // words that are tried before bits are
    SIDE_STEPS = 1000,       // to find out whether a call takes one side of a test
    ALL_SIDES_STEPS = 20000, // and for all of them
};

#define EVERY_WORD (UINT64_C(1) << 32)

// How many bits are set; the compiler's own may be a call.
static uint32_t count_bits(uint32_t bits)
{
    bits -= bits >> 1 & 0x55555555;
    bits = (bits & 0x33333333) + (bits >> 2 & 0x33333333);
    return ((bits + (bits >> 4)) & 0x0f0f0f0f) * 0x01010101 >> 24;
}

// --- several masks of one word ----------------------------------------------------------------------------------------

enum { CERTAIN, OPEN, IMPOSSIBLE };

// What is asked of a word beside its facts.
struct question {
    const struct check_condition *condition; // NULL: nothing
    uint64_t base;
    uint32_t mask;
    bool must_hold;
};

// A word that is partly decided: `free` bits are not, the others are as in `fixed`.
struct partial {
    uint32_t free;
    uint32_t fixed;
};

static struct partial masked(struct partial word, uint32_t mask)
{
    return (struct partial){word.free & mask, word.fixed & mask};
}

// Whether a word is in a range.
static int judge_range(struct check_facts *facts, const struct check_range *range, struct partial word)
{
    uint32_t free = word.free;
    uint32_t fixed = word.fixed;
    const struct check_set set = {dsl_check_clamp(*range, fixed, fixed | free), free, fixed};
    if (!dsl_check_set_meets(facts, &set, 0, ALL)) {
        return IMPOSSIBLE;
    }
    if (set.range.lo != fixed || set.range.hi != (fixed | free)) {
        return OPEN;
    }
    for (uint32_t at = range->hole; at != 0; at = facts->nodes[at - 1].next) {
        if (((facts->nodes[at - 1].number ^ fixed) & ~free) == 0) {
            return OPEN;
        }
    }
    return CERTAIN;
}

static int judge_question(struct check_facts *facts, const struct question *question, struct partial word)
{
    if (question->condition == NULL) {
        return CERTAIN;
    }
    const struct check_set set = {{.lo = word.fixed, .hi = word.fixed | word.free}, word.free, word.fixed};
    unsigned can = dsl_check_set_can(facts, &set, question->condition, question->base);
    unsigned wanted = question->must_hold ? CHECK_CAN_HOLD : CHECK_CAN_FAIL;
    return (can & wanted) == 0 ? IMPOSSIBLE : can == wanted ? CERTAIN : OPEN;
}

// At most how many values of (word & mask) are outside a range: those below and above it, and the holes.
static uint64_t count_outside(const struct check_range *range, struct partial word)
{
    uint32_t highest = word.fixed | word.free;
    uint64_t count = range->hole_count;
    count += range->lo > word.fixed ? range->lo - word.fixed : 0;
    count += range->hi < highest ? highest - range->hi : 0;
    return count;
}

// At most how many numbers answer a question the other way; of some there is nothing to say.
static uint64_t count_contrary(const struct question *question)
{
    uint64_t count = question->must_hold || question->condition->count > SPANS_COUNTED ? EVERY_WORD : 0;
    for (uint32_t i = 0; count < EVERY_WORD && i < question->condition->count; i++) {
        const struct check_span *span = &question->condition->spans[i];
        uint64_t end = question->base | ALL;
        uint64_t first = span->first > question->base ? span->first : question->base;
        uint64_t last = span->last < end ? span->last : end;
        count += first <= last ? last - first + 1 : 0;
    }
    return count;
}

// What is undecided of a word.
struct undecided {
    uint64_t parts;  // of 2^32 words, those that undecided facts leave out, at most
    uint32_t narrow; // bits that are open and that one of these facts looks at: of the one that looks at the fewest
};

static void note_open(struct undecided *undecided, uint32_t free, uint64_t left_out)
{
    uint32_t bits = count_bits(free);
    bool is_narrow = undecided->narrow == 0 || bits < count_bits(undecided->narrow);
    undecided->narrow = is_narrow ? free : undecided->narrow;
    undecided->parts += left_out >> bits != 0 ? EVERY_WORD : left_out << (32 - bits);
}

// Whether a word can have all facts and answer the question. Returns: IMPOSSIBLE; CERTAIN if every choice of free bits does; OPEN
// with what is undecided.
static int judge_word(struct check_facts *facts, const struct check_word *known, const struct question *question,
                      struct partial word, struct undecided *ret_undecided)
{
    *ret_undecided = (struct undecided){.parts = 0};
    facts->steps++;
    int whole = judge_range(facts, &known->whole, word);
    int asked = judge_question(facts, question, masked(word, question->mask));
    if (whole == OPEN) {
        note_open(ret_undecided, word.free, count_outside(&known->whole, word));
    }
    if (asked == OPEN && question->condition != NULL) { // nothing is open where nothing was asked
        note_open(ret_undecided, word.free & question->mask, count_contrary(question));
    }
    int worst = whole > asked ? whole : asked;
    // Older nodes of a mask say less than the newest one, but nothing wrong.
    for (uint32_t at = known->masked; at != 0 && worst != IMPOSSIBLE; at = facts->nodes[at - 1].next) {
        const struct check_node *node = &facts->nodes[at - 1];
        struct partial part = masked(word, node->number);
        facts->steps++;
        int judged = judge_range(facts, &node->range, part);
        if (judged == OPEN) {
            note_open(ret_undecided, part.free, count_outside(&node->range, part));
        }
        worst = judged > worst ? judged : worst;
    }
    return worst;
}

// --- one word ---------------------------------------------------------------------------------------------------------

static bool is_in_range(struct check_facts *facts, const struct check_range *range, uint32_t value)
{
    bool is_in = value >= range->lo && value <= range->hi;
    for (uint32_t at = range->hole; at != 0 && is_in; at = facts->nodes[at - 1].next) {
        facts->steps++;
        is_in = facts->nodes[at - 1].number != value;
    }
    return is_in;
}

// Moves (witness & mask) to a number from `from` to `hi`; where there is none, to one from `lo`. Bits that are not free stay.
// Returns: false where that has no number either.
static bool move(struct partial word, uint32_t mask, struct check_range range, uint32_t from, uint32_t *witness)
{
    struct partial part = masked(word, mask);
    uint32_t value;
    bool is_found = from >= range.lo && dsl_check_next_fitting(part.free, part.fixed, from, &value) && value <= range.hi;
    if (!is_found && (!dsl_check_next_fitting(part.free, part.fixed, range.lo, &value) || value > range.hi)) {
        return false;
    }
    *witness = (*witness & ~part.free) | (value & part.free);
    return true;
}

enum { FITS, MOVED, STUCK };

// Makes (witness & mask) a value of a range.
static int fit_range(struct check_facts *facts, const struct check_range *range, struct partial word, uint32_t mask,
                     uint32_t *witness)
{
    uint32_t value = *witness & mask;
    if (is_in_range(facts, range, value)) {
        return FITS;
    }
    return move(word, mask, *range, value + 1, witness) ? MOVED : STUCK;
}

static int fit_question(const struct question *question, struct partial word, uint32_t *witness)
{
    const struct check_condition *condition = question->condition;
    if (condition == NULL) {
        return FITS;
    }
    uint64_t number = question->base | (*witness & question->mask);
    uint32_t at = dsl_check_first_span(condition, number);
    const struct check_span *span = &condition->spans[at];
    bool holds = at < condition->count && number >= span->first;
    struct check_range any = {.hi = ALL};
    if (holds == question->must_hold) {
        return FITS;
    }
    if (holds) {
        return move(word, question->mask, any, (uint32_t)span->last + 1, witness) ? MOVED : STUCK;
    }
    if (at == condition->count || span->first > (question->base | ALL)) {
        return STUCK;
    }
    return move(word, question->mask, any, (uint32_t)span->first, witness) ? MOVED : STUCK;
}

// Looks for a word that has all facts and answers the question: begins with the last one that was found and puts right what is
// wrong with it, a few times. Most questions have such an answer. Returns: false where none was found, which says nothing.
static bool find_witness(struct check_facts *facts, const struct check_word *known, const struct question *question,
                         struct partial word)
{
    uint32_t *last = &facts->witnesses[known - facts->words];
    uint32_t witness = (*last & word.free) | word.fixed;
    for (uint32_t i = 0; i < WITNESSES; i++) {
        facts->steps++;
        int fit = fit_question(question, word, &witness);
        fit = fit == FITS ? fit_range(facts, &known->whole, word, ALL, &witness) : fit;
        for (uint32_t at = known->masked; at != 0 && fit == FITS; at = facts->nodes[at - 1].next) {
            facts->steps++;
            fit = fit_range(facts, &facts->nodes[at - 1].range, word, facts->nodes[at - 1].number, &witness);
        }
        if (fit != MOVED) {
            *last = fit == FITS ? witness : *last;
            return fit == FITS;
        }
    }
    return false;
}

bool dsl_check_find_word(struct check_facts *facts, uint32_t word, uint32_t *value)
{
    static const struct question nothing = {.condition = NULL};
    const struct check_word *known = &facts->words[word];
    facts->witnesses[word] = *value;
    bool is_found = find_witness(facts, known, &nothing, (struct partial){~known->known, known->value});
    *value = facts->witnesses[word];
    return is_found;
}

// --- all words --------------------------------------------------------------------------------------------------------

// Whether any word has all facts and answers the question. Where all that is undecided leaves out fewer words than there are, one
// does. Recursion: one level per bit. Some hundred masks of few bits each can make it try nearly all words, so it ends with the
// budget of whoever asks.
static bool search_bits(struct check_facts *facts, const struct check_word *known, const struct question *question,
                        struct partial word)
{
    struct undecided undecided;
    if (facts->steps > facts->step_limit) {
        facts->overflowed = true;
        return true;
    }
    int judged = judge_word(facts, known, question, word, &undecided);
    if (judged != OPEN || undecided.parts < EVERY_WORD || undecided.narrow == 0) {
        return judged != IMPOSSIBLE;
    }
    // Only bits that something open looks at are worth deciding, where it looks at few first: then it is soon decided.
    uint32_t bit = 0x80000000u >> __builtin_clz(undecided.narrow);
    return search_bits(facts, known, question, (struct partial){word.free & ~bit, word.fixed}) ||
           search_bits(facts, known, question, (struct partial){word.free & ~bit, word.fixed | bit});
}

static bool search_undecided(struct check_facts *facts, const struct check_word *known, const struct question *question)
{
    const struct partial word = {~known->known, known->value};
    return find_witness(facts, known, question, word) || search_bits(facts, known, question, word);
}

// Whether a word has all facts and is in one span, or in another one that begins alike. Numbers between two that begin alike begin
// so as well.
static bool search_span(struct check_facts *facts, const struct check_word *known, const struct question *question,
                        const struct check_span *span)
{
    uint64_t end = question->base | ALL;
    uint32_t first = span->first > question->base ? (uint32_t)span->first : 0;
    uint32_t last = span->last < end ? (uint32_t)span->last : ALL;
    uint32_t settled = first == last ? question->mask : question->mask & ~(ALL >> __builtin_clz(first ^ last));
    bool is_outside = span->first > end || span->last < question->base;
    if (is_outside || ((first ^ known->value) & known->known & settled) != 0) {
        return false;
    }
    const struct partial word = {~known->known & ~settled, (known->value & known->known) | (first & settled)};
    return find_witness(facts, known, question, word) || search_bits(facts, known, question, word);
}

// Whether the condition can hold. Few spans are mostly single values, each of which is one question.
static bool search_spans(struct check_facts *facts, const struct check_word *known, const struct question *question)
{
    bool can = false;
    if (question->condition->count > SPANS_BY_ONE) {
        return search_undecided(facts, known, question);
    }
    for (uint32_t i = 0; i < question->condition->count && !can; i++) {
        can = search_span(facts, known, question, &question->condition->spans[i]);
    }
    return can;
}

static unsigned search_word(struct check_facts *facts, const struct check_word *known, struct question question)
{
    unsigned can = 0;
    question.must_hold = true;
    can |= search_spans(facts, known, &question) ? CHECK_CAN_HOLD : 0;
    question.must_hold = false;
    can |= search_undecided(facts, known, &question) ? CHECK_CAN_FAIL : 0;
    return can;
}

// --- what is known of one mask ----------------------------------------------------------------------------------------

// How much of what (word & number) could be is left out, seen from one value of (word & mask), at most: parts of 2^32.
static uint64_t left_out(const struct check_word *known, const struct check_range *range, uint32_t number, uint32_t mask)
{
    uint32_t lowest = number & known->value & known->known;
    uint32_t highest = lowest | (number & ~known->known);
    uint64_t values = range->hole_count;
    values += range->lo > lowest ? range->lo - lowest : 0;
    values += range->hi < highest ? highest - range->hi : 0;
    // Each value of (word & mask) is met by as many of (word & number) as there are choices for the other bits.
    return values > ALL ? (uint64_t)ALL + 1 : (values << 32) >> count_bits(number & ~mask & ~known->known);
}

// Whether what is known of (word & mask) is its set, and nothing more: all that is known otherwise leaves out less than there is.
static bool is_simple(const struct check_facts *facts, uint32_t word, uint32_t mask)
{
    const struct check_word *known = &facts->words[word];
    bool is_one_set = mask == ALL && known->masked == 0;
    if (is_one_set || (mask & ~known->known) == 0) {
        return true;
    }
    uint64_t parts = mask == ALL ? 0 : left_out(known, &known->whole, ALL, mask);
    for (uint32_t at = known->masked; at != 0 && parts <= ALL; at = facts->nodes[at - 1].next) {
        const struct check_node *node = &facts->nodes[at - 1];
        // Older nodes of this mask say nothing that the newest, which is its set, does not say. A mask that has no undecided bit in
        // common with this one cannot be seen through it, but may take away together with others.
        parts += node->number == mask ? 0 : left_out(known, &node->range, node->number, mask);
    }
    return parts <= ALL;
}

unsigned dsl_check_word_can(struct check_facts *facts, uint32_t word, uint32_t mask, const struct check_condition *condition,
                            uint64_t base)
{
    facts->steps++;
    struct check_set set = dsl_check_set_of(facts, word, mask);
    unsigned can = dsl_check_set_can(facts, &set, condition, base);
    // More facts can only take something away, so what the set alone rules out is settled.
    if (can != (CHECK_CAN_HOLD | CHECK_CAN_FAIL) || is_simple(facts, word, mask)) {
        return can;
    }
    return search_word(facts, &facts->words[word], (struct question){.condition = condition, .base = base, .mask = mask});
}

bool dsl_check_word_meets(struct check_facts *facts, uint32_t word, uint32_t mask, uint32_t lo, uint32_t hi)
{
    const struct check_set set = dsl_check_set_of(facts, word, mask);
    facts->steps++;
    if (!dsl_check_set_meets(facts, &set, lo, hi)) {
        return false;
    }
    if (is_simple(facts, word, mask)) {
        return true;
    }
    const struct check_span span = {lo, hi};
    const struct check_condition condition = {.spans = &span, .count = 1};
    const struct question question = {.condition = &condition, .mask = mask, .must_hold = true};
    return search_span(facts, &facts->words[word], &question, &span);
}

// --- everything -------------------------------------------------------------------------------------------------------

bool dsl_check_is_possible(struct check_facts *facts)
{
    const struct question nothing = {.condition = NULL};
    for (uint32_t word = 0; word < CHECK_WORDS; word++) {
        const struct check_word *known = &facts->words[word];
        if (known->version == 0) {
            continue; // any word is
        }
        const struct check_set set = dsl_check_set_of(facts, word, ALL);
        bool is_one_set = known->masked == 0;
        if (is_one_set ? !dsl_check_set_meets(facts, &set, 0, ALL) : !search_undecided(facts, known, &nothing)) {
            return false;
        }
    }
    return true;
}

bool dsl_check_has_call(struct check_facts *facts, uint32_t word, uint32_t mask, struct check_range range)
{
    const struct question nothing = {.condition = NULL};
    if (facts->side_steps > ALL_SIDES_STEPS || is_simple(facts, word, mask)) {
        return true;
    }
    // Only what a program could do without hangs on this, so it has a budget of its own: nothing is undecided because of it.
    const uint32_t steps = facts->steps;
    const uint32_t step_limit = facts->step_limit;
    const bool overflowed = facts->overflowed;
    struct dsl_check_mark mark = dsl_check_mark(facts);
    facts->steps = 0;
    facts->step_limit = SIDE_STEPS;
    dsl_check_learn(facts, word, mask, range);
    bool has_call = search_undecided(facts, &facts->words[word], &nothing);
    dsl_check_rewind(facts, mark);
    facts->side_steps += facts->steps;
    facts->steps = steps;
    facts->step_limit = step_limit;
    facts->overflowed = overflowed;
    return has_call;
}
