// check_joins: what of a program was walked already, so that ways that meet need not be walked apart.
//
// Takes: a path that comes to a load, with what it knows. Gives: whether the rest of the program was walked for it already, or a
// claim that is worth walking it for: "from here on, whatever the words are, the program says what those rules say that are left".
// Left are the rules from the first one on that calls may match, without the conditions that are not tested below and that are known
// to hold, and without rules that are known to be out by such a condition. Ways that leave the same are one claim, which is walked
// once. That a claim holds is more than has to be true of the ways that come here; but it is true of programs that ask one rule after
// the other, and of those that ask nothing twice. Guarantees: what is said to be walked was. A claim that does not hold says nothing
// about the program: its way is walked with all that it knows. Weaknesses: sides that no call takes may look taken below a claim.
#include "bpf_dsl/check_parts.h"

#include <string.h>

enum {
    CLAIMS_PER_INSN = 16,
    FAILED_MOST = 16,      // claims about one subject of which nobody knows why
    FAILED_FOR_A_RULE = 2, // and others for each rule
};

// What is known of a word that is not loaded again, where it decides a condition only in part.
struct kept {
    uint32_t word;
    uint32_t lo;
    uint32_t hi;
    uint32_t known;
    uint32_t value;
};

enum state { STATE_LOOKED_AT, STATE_HOLDS, STATE_FAILED, STATE_DROPPED };

struct check_claim {
    struct check_claim *next; // about the same instruction
    uint32_t first_rule;
    const uint64_t *given; // two bits for each condition
    const struct kept *kept;
    uint32_t kept_count;
    enum state state;
};

struct check_joins {
    uint32_t failed;
    uint32_t gone_count;
    const struct check_subject *subject;
    const uint64_t *tests; // conditions that are tested from each instruction on; NULL: nothing may be forgotten
    uint64_t *given;                     // scratch: of a claim that may have been made
    uint32_t given_words;
    uint16_t *gone;                      // by rule: from which instruction on it is not looked at
    struct check_claim *claims[];  // by instruction
};

// --- making room ------------------------------------------------------------------------------------------------------

static struct check_joins *make_joins(const struct dsl_check_walk *walk, const struct check_place *place)
{
    const struct check_subject *subject = place->subject;
    size_t bytes = sizeof(struct check_joins) + walk->insn_count * sizeof(struct check_claim *);
    struct check_joins *joins = dsl_arena_alloc(walk->arena, bytes, _Alignof(struct check_joins));
    uint32_t given_words = subject->condition_count / 32 + 1;
    uint64_t *given = DSL_ARENA_ARRAY(walk->arena, uint64_t, given_words);
    uint16_t *gone = DSL_ARENA_ARRAY(walk->arena, uint16_t, subject->rule_count);
    if (joins == NULL || given == NULL || gone == NULL) {
        return NULL;
    }
    memset(joins, 0, bytes);
    memset(gone, 0xff, subject->rule_count * sizeof *gone);
    joins->subject = subject;
    joins->tests = place->may_forget ? dsl_check_read_tests(walk, subject) : NULL;
    joins->given = given;
    joins->given_words = given_words;
    joins->gone = gone;
    return joins;
}

// Most walks do without. Returns: false when the arena is exhausted, or there is too much to look at.
static bool is_ready(struct dsl_check_walk *walk, const struct check_place *place)
{
    walk->joins = walk->joins == NULL ? make_joins(walk, place) : walk->joins;
    return walk->joins != NULL && (walk->joins->tests != NULL || !place->may_forget);
}

// --- what is left -----------------------------------------------------------------------------------------------------

// Words of a condition about which something is known, as bits.
static uint32_t touched_words(const struct check_facts *facts, const struct check_condition *condition)
{
    uint32_t word = CHECK_ARGUMENTS + 2u * condition->argument;
    uint32_t words = dsl_check_is_untouched(facts, word) ? 0 : 1u << word;
    return words | (condition->is_wide && !dsl_check_is_untouched(facts, word + 1) ? 2u << word : 0);
}

static bool is_touched_below(const struct dsl_check_walk *walk, uint32_t pc)
{
    for (uint32_t word = 0; word < CHECK_WORDS; word++) {
        if ((walk->about[pc].words & 1u << word) != 0 && !dsl_check_is_untouched(&walk->facts, word)) {
            return true;
        }
    }
    return false;
}

static unsigned halves_of(const struct check_joins *joins, uint32_t row, uint32_t number)
{
    const uint64_t *bits = joins->tests + (size_t)row * joins->given_words;
    return bits[number / 32] >> number % 32 * 2 & 3;
}

static void give(uint64_t *given, uint32_t number, unsigned can)
{
    uint64_t *bits = &given[number / 32];
    *bits = (*bits & ~(UINT64_C(3) << number % 32 * 2)) | (uint64_t)can << number % 32 * 2;
}

static void give_out(uint64_t *given, const struct check_rule *rule)
{
    for (uint32_t i = 0; i < rule->count; i++) {
        give(given, rule->number + i, CHECK_CAN_FAIL);
    }
}

// What a claim supposes of a condition: both where it is tested below. Words of which something is known that decides it in part are
// added to `vague`.
static unsigned suppose(struct dsl_check_walk *walk, const struct check_place *place, const struct check_condition *condition,
                        uint32_t number, uint32_t *vague)
{
    const struct check_joins *joins = walk->joins;
    unsigned can = dsl_check_given(place->rest.given, number);
    if (can != 0) {
        return can;
    }
    // A border of one half may be that of many conditions: only what both say is about this one.
    unsigned halves = joins->tests == NULL ? 3 : halves_of(joins, walk->insn_count, number);
    unsigned untested = joins->tests == NULL ? 3 : halves & ~halves_of(joins, place->pc, number);
    if (halves != 0 && untested == 0) {
        return CHECK_CAN_HOLD | CHECK_CAN_FAIL;
    }
    can = dsl_check_condition_can(&walk->facts, condition);
    if (can == (CHECK_CAN_HOLD | CHECK_CAN_FAIL)) {
        *vague |= touched_words(&walk->facts, condition) & untested << (CHECK_ARGUMENTS + 2u * condition->argument);
    }
    return can;
}

// Notes what is given of a rule. Returns: words, as bits, of which something is known that decides a condition in part.
static uint32_t read_rule(struct dsl_check_walk *walk, const struct check_place *place, const struct check_rule *rule,
                          bool *ret_holds)
{
    uint64_t *given = walk->joins->given;
    uint32_t vague = 0;
    *ret_holds = true;
    for (uint32_t i = 0; i < rule->count; i++) {
        uint32_t number = rule->number + i;
        unsigned can = suppose(walk, place, &rule->conditions[i], number, &vague);
        if ((can & CHECK_CAN_HOLD) == 0) { // whatever the others are
            give_out(given, rule);
            *ret_holds = false;
            return 0;
        }
        give(given, number, can == CHECK_CAN_HOLD ? can : 0);
        *ret_holds &= can == CHECK_CAN_HOLD;
    }
    return vague;
}

// Rules in front that are out are passed over.
static uint32_t read_rules(struct dsl_check_walk *walk, struct check_place *place)
{
    const struct check_subject *subject = place->subject;
    uint32_t vague = 0;
    bool holds = false;
    memset(walk->joins->given, 0, walk->joins->given_words * sizeof(uint64_t));
    for (uint32_t i = place->rest.first_rule; i < subject->rule_count && !holds; i++) {
        const struct check_rule *rule = &subject->rules[i];
        if (place->pc >= walk->joins->gone[i] && dsl_check_is_out(rule, place->rest.given, &walk->facts)) {
            give_out(walk->joins->given, rule);
            holds = false;
        } else {
            vague |= read_rule(walk, place, rule, &holds);
        }
        bool is_out = rule->count > 0 && dsl_check_given(walk->joins->given, rule->number) == CHECK_CAN_FAIL;
        place->rest.first_rule += i == place->rest.first_rule && i + 1 < subject->rule_count && is_out;
    }
    return vague;
}

// Whether what is known of some words can stay known: they are not loaded below, and it is soon compared.
static bool can_keep(const struct dsl_check_walk *walk, const struct check_place *place, uint32_t words)
{
    bool can = (words & walk->about[place->pc].words) == 0;
    for (uint32_t word = 0; word < CHECK_WORDS; word++) {
        const struct check_word *known = &walk->facts.words[word];
        can &= (words & 1u << word) == 0 || (known->masked == 0 && known->whole.hole == 0);
    }
    return can;
}

// Forgets everything but what is known of some words. Returns: how many those are.
static uint32_t keep(struct dsl_check_walk *walk, uint32_t words, struct kept *ret_kept)
{
    uint32_t count = 0;
    for (uint32_t word = CHECK_ARCH + 1; word < CHECK_WORDS; word++) {
        const struct check_word *known = &walk->facts.words[word];
        if ((words & 1u << word) != 0) {
            ret_kept[count++] = (struct kept){word, known->whole.lo, known->whole.hi, known->known, known->value};
        } else if (!dsl_check_is_untouched(&walk->facts, word)) {
            dsl_check_unlearn(&walk->facts, word);
        }
    }
    return count;
}

// An expression is walked with all facts, so each of its conditions has to be known or untouched. Returns: whether it is so.
static bool read_expression(struct dsl_check_walk *walk, const struct check_place *place)
{
    const struct check_subject *subject = place->subject;
    memset(walk->joins->given, 0, walk->joins->given_words * sizeof(uint64_t));
    for (uint32_t i = 0; i < subject->condition_count; i++) {
        unsigned can = dsl_check_condition_can(&walk->facts, subject->conditions[i]);
        if (can == (CHECK_CAN_HOLD | CHECK_CAN_FAIL) && touched_words(&walk->facts, subject->conditions[i]) != 0) {
            return false;
        }
        give(walk->joins->given, i, can);
    }
    return true;
}

// --- claims -----------------------------------------------------------------------------------------------------------

void dsl_check_note_held(struct check_claim *claim)
{
    claim->state = STATE_HOLDS;
}

void dsl_check_note_failed(struct dsl_check_walk *walk, struct check_claim *claim)
{
    claim->state = STATE_FAILED;
    walk->joins->failed++;
}

void dsl_check_note_gone(struct dsl_check_walk *walk, struct check_claim *claim, const struct check_rule *rule, uint32_t pc)
{
    uint16_t *gone = &walk->joins->gone[rule - walk->joins->subject->rules];
    *gone = pc < *gone ? (uint16_t)pc : *gone;
    claim->state = STATE_FAILED;
    walk->joins->gone_count++;
}

bool dsl_check_may_claim(const struct dsl_check_walk *walk)
{
    const struct check_joins *joins = walk->joins;
    return joins->failed < FAILED_MOST && joins->gone_count < FAILED_FOR_A_RULE * joins->subject->rule_count;
}

void dsl_check_note_dropped(struct check_claim *claim)
{
    claim->state = STATE_DROPPED;
}

static bool is_about(const struct check_claim *claim, const struct check_claim *other, uint32_t given_words)
{
    return claim->first_rule == other->first_rule && claim->kept_count == other->kept_count &&
           memcmp(claim->given, other->given, given_words * sizeof *claim->given) == 0 &&
           memcmp(claim->kept, other->kept, claim->kept_count * sizeof *claim->kept) == 0;
}

// Copies a claim, with what it points to, into the arena. Returns: NULL when that is exhausted.
static struct check_claim *copy_claim(const struct check_claim *claim, uint32_t given_words, struct brig_dsl_arena *arena)
{
    struct check_claim *copy = DSL_ARENA_NEW(arena, struct check_claim);
    uint64_t *given = DSL_ARENA_ARRAY(arena, uint64_t, given_words);
    struct kept *kept = DSL_ARENA_ARRAY(arena, struct kept, claim->kept_count);
    if (copy == NULL || given == NULL || kept == NULL) {
        return NULL;
    }
    memcpy(given, claim->given, given_words * sizeof *given);
    memcpy(kept, claim->kept, claim->kept_count * sizeof *kept);
    *copy = *claim;
    copy->given = given;
    copy->kept = kept;
    return copy;
}

// Looks for a claim about `pc`, and makes it where there is none and it is worth it.
static enum dsl_check_join find_claim(struct dsl_check_walk *walk, uint32_t pc, struct check_claim *wanted,
                                      struct check_claim **ret_claim)
{
    struct check_joins *joins = walk->joins;
    uint32_t others = 0;
    wanted->next = joins->claims[pc];
    for (struct check_claim *at = wanted->next; at != NULL; at = at->next) {
        if (is_about(at, wanted, joins->given_words)) {
            *ret_claim = at;
            return at->state == STATE_HOLDS     ? CHECK_JOIN_WALKED
                   : at->state == STATE_DROPPED ? CHECK_JOIN_CLAIM
                                                : CHECK_JOIN_NEW;
        }
        others++;
    }
    if (others == CLAIMS_PER_INSN) {
        return CHECK_JOIN_NEW;
    }
    struct check_claim *claim = copy_claim(wanted, joins->given_words, walk->arena);
    if (claim == NULL) {
        return CHECK_JOIN_NEW;
    }
    joins->claims[pc] = claim;
    *ret_claim = claim;
    return CHECK_JOIN_CLAIM;
}

// Forgets what no claim is about.
static enum dsl_check_join claim_rules(struct dsl_check_walk *walk, struct check_place *place, struct check_claim **ret_claim)
{
    struct kept kept[CHECK_WORDS];
    const struct check_rest rest = place->rest;
    uint32_t vague = read_rules(walk, place);
    if (!can_keep(walk, place, vague)) { // in the midst of a condition
        place->rest = rest;
        return CHECK_JOIN_NEW;
    }
    struct check_claim wanted = {.first_rule = place->rest.first_rule, .given = walk->joins->given, .kept = kept};
    wanted.kept_count = keep(walk, vague, kept);
    enum dsl_check_join join = find_claim(walk, place->pc, &wanted, ret_claim);
    if (join == CHECK_JOIN_CLAIM) {
        place->rest.given = (*ret_claim)->given;
    } else {
        place->rest = rest;
    }
    return join;
}

enum dsl_check_join dsl_check_meet(struct dsl_check_walk *walk, struct check_place *place, struct check_claim **ret_claim)
{
    const uint32_t decided = 1u << CHECK_NR | 1u << CHECK_ARCH; // what the subject stands for
    const struct check_insn *about = &walk->about[place->pc];
    enum dsl_check_join join = CHECK_JOIN_NEW;
    place->mark = dsl_check_mark(&walk->facts);
    bool has_rules = place->subject->rule_count > 0;
    if (about->reads_x || (about->words & decided) != 0 || !is_ready(walk, place) ||
        (!(has_rules && place->may_forget) && is_touched_below(walk, place->pc))) {
        return join;
    }
    if (has_rules) {
        join = claim_rules(walk, place, ret_claim);
    } else if (read_expression(walk, place)) {
        struct check_claim wanted = {.given = walk->joins->given};
        join = find_claim(walk, place->pc, &wanted, ret_claim);
    }
    if (join != CHECK_JOIN_CLAIM) {
        dsl_check_rewind(&walk->facts, place->mark);
    }
    return join;
}
