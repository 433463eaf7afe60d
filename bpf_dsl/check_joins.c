// check_joins: what of a program was walked already, so that ways that meet need not be walked apart.
//
// Takes: a path that comes to a load, with what it knows. Gives: whether the rest of the program was walked for it already; if not,
// a claim that is worth walking it for: "from here on, whatever the words are, the program says what those rules say that are
// left". What is left: the rules without the conditions that are known to hold, and without those that are out by a condition that
// is known to fail; a condition that is tested below (check_tests.c) is never known, since that is what the program goes by. Ways
// that leave the same are one claim, which is walked once. It is more than has to be true of the ways that come here, but it is
// true of programs that ask one rule after the other, and of those that ask nothing twice.
//
// A claim that does not hold says nothing about the program. Where a rule is to blame that was out but looked at below, or so it
// seemed, the claim is made again without that rule; else its way is walked with all that it knows. Of expressions nothing is left
// out: claims about them keep all facts, and are made where no word that is tested below was touched. Guarantees: what is said to
// be walked was. Weaknesses: facts about a word that decide a condition in part, and are more than a range, prevent a claim.
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
    uint64_t *given;       // scratch: of a claim that may have been made
    uint32_t given_words;
    uint16_t *gone;               // by rule: from which instruction on it is not looked at
    struct check_claim *claims[]; // by instruction
};

// --- making room ------------------------------------------------------------------------------------------------------

static struct check_joins *make_joins(const struct dsl_check_walk *walk, const struct check_path *path)
{
    const struct check_subject *subject = path->subject;
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
    joins->tests = path->manner == CHECK_WITH_CLAIMS ? dsl_check_read_tests(walk, subject) : NULL;
    joins->given = given;
    joins->given_words = given_words;
    joins->gone = gone;
    return joins;
}

// Most walks do without. Returns: false when the arena is exhausted, or there is too much to look at.
static bool is_ready(struct dsl_check_walk *walk, const struct check_path *path)
{
    walk->joins = walk->joins == NULL ? make_joins(walk, path) : walk->joins;
    return walk->joins != NULL && (walk->joins->tests != NULL || path->manner != CHECK_WITH_CLAIMS);
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

// What a claim supposes of a condition: both where it is tested below. Words of which something is known that decides it in part
// are added to `vague`.
static unsigned suppose(struct dsl_check_walk *walk, const struct check_path *path, const struct check_condition *condition,
                        uint32_t number, uint32_t *vague)
{
    const struct check_joins *joins = walk->joins;
    unsigned can = dsl_check_given(path->rest.given, number);
    if (can != 0) {
        return can;
    }
    // Two bits: the low half and the high half. Others may share the borders of one, so it is this condition only if both are
    // tested.
    unsigned all = joins->tests == NULL ? 3 : halves_of(joins, walk->insn_count, number);
    unsigned untested = joins->tests == NULL ? 3 : all & ~halves_of(joins, path->pc, number);
    if (all != 0 && untested == 0) {
        return CHECK_CAN_HOLD | CHECK_CAN_FAIL;
    }
    can = dsl_check_condition_can(&walk->facts, condition);
    if (can == (CHECK_CAN_HOLD | CHECK_CAN_FAIL)) {
        *vague |= touched_words(&walk->facts, condition) & untested << (CHECK_ARGUMENTS + 2u * condition->argument);
    }
    return can;
}

// Notes what is given of a rule. Returns: words, as bits, of which something is known that decides a condition in part.
static uint32_t read_rule(struct dsl_check_walk *walk, const struct check_path *path, const struct check_rule *rule,
                          bool *ret_holds)
{
    uint64_t *given = walk->joins->given;
    uint32_t vague = 0;
    *ret_holds = true;
    for (uint32_t i = 0; i < rule->count; i++) {
        uint32_t number = rule->number + i;
        unsigned can = suppose(walk, path, &rule->conditions[i], number, &vague);
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

// Whether all conditions of a rule seem to be tested from `pc` on.
static bool is_asked_below(const struct dsl_check_walk *walk, uint32_t pc, const struct check_rule *rule)
{
    const struct check_joins *joins = walk->joins;
    bool is_asked = true;
    for (uint32_t i = 0; i < rule->count && joins->tests != NULL && is_asked; i++) {
        is_asked = (halves_of(joins, walk->insn_count, rule->number + i) & ~halves_of(joins, pc, rule->number + i)) == 0;
    }
    return is_asked;
}

// Notes what is given of all rules. Those in front that are out are passed over. Returns: as read_rule.
static uint32_t read_rules(struct dsl_check_walk *walk, const struct check_path *path, uint32_t *ret_first)
{
    const struct check_subject *subject = path->subject;
    uint32_t first = path->rest.first_rule;
    uint32_t vague = 0;
    bool holds = false;
    memset(walk->joins->given, 0, walk->joins->given_words * sizeof(uint64_t));
    for (uint32_t i = first; i < subject->rule_count && !holds; i++) {
        const struct check_rule *rule = &subject->rules[i];
        if (rule->is_dead && !is_asked_below(walk, path->pc, rule)) {
            give_out(walk->joins->given, rule);
        } else if (path->pc >= walk->joins->gone[i] && dsl_check_is_out(rule, path->rest.given, &walk->facts)) {
            give_out(walk->joins->given, rule);
        } else {
            vague |= read_rule(walk, path, rule, &holds);
        }
        bool is_out = rule->count > 0 && dsl_check_given(walk->joins->given, rule->number) == CHECK_CAN_FAIL;
        first += i == first && i + 1 < subject->rule_count && is_out;
    }
    *ret_first = first;
    return vague;
}

// Whether what is known of some words can stay known: they are not loaded below, and it is soon compared.
static bool can_keep(const struct dsl_check_walk *walk, const struct check_path *path, uint32_t words)
{
    bool can = (words & walk->about[path->pc].words) == 0;
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
static bool read_expression(struct dsl_check_walk *walk, const struct check_path *path)
{
    const struct check_subject *subject = path->subject;
    memset(walk->joins->given, 0, walk->joins->given_words * sizeof(uint64_t));
    for (uint32_t i = 0; i < subject->condition_count; i++) {
        unsigned can = dsl_check_condition_can(&walk->facts, subject->conditions[i]);
        if (can == (CHECK_CAN_HOLD | CHECK_CAN_FAIL) && touched_words(&walk->facts, subject->conditions[i]) != 0) {
            return false;
        }
        give(walk->joins->given, i, can);
    }
    // A way that no call takes may go anywhere without being wrong, so it must not count for the ways of calls.
    return dsl_check_is_possible(&walk->facts);
}

// --- claims -----------------------------------------------------------------------------------------------------------

static bool is_about(const struct check_claim *claim, const struct check_claim *other, uint32_t given_words)
{
    return claim->first_rule == other->first_rule && claim->kept_count == other->kept_count &&
           memcmp(claim->given, other->given, given_words * sizeof *claim->given) == 0 &&
           memcmp(claim->kept, other->kept, claim->kept_count * sizeof *claim->kept) == 0;
}

// Finds a claim about the same. Returns: NULL where there is none; `*ret_count`: how many there are about this instruction.
static struct check_claim *find_claim(const struct check_joins *joins, uint32_t pc, const struct check_claim *wanted,
                                      uint32_t *ret_count)
{
    struct check_claim *claim = joins->claims[pc];
    *ret_count = 0;
    while (claim != NULL && !is_about(claim, wanted, joins->given_words)) {
        claim = claim->next;
        ++*ret_count;
    }
    return claim;
}

// Copies a claim, with what it points to, into the arena. Returns: NULL when that is exhausted.
static struct check_claim *add_claim(struct check_joins *joins, uint32_t pc, const struct check_claim *claim,
                                     struct brig_dsl_arena *arena)
{
    struct check_claim *copy = DSL_ARENA_NEW(arena, struct check_claim);
    uint64_t *given = DSL_ARENA_ARRAY(arena, uint64_t, joins->given_words);
    struct kept *kept = DSL_ARENA_ARRAY(arena, struct kept, claim->kept_count);
    if (copy == NULL || given == NULL || kept == NULL) {
        return NULL;
    }
    memcpy(given, claim->given, joins->given_words * sizeof *given);
    memcpy(kept, claim->kept, claim->kept_count * sizeof *kept);
    *copy = *claim;
    copy->given = given;
    copy->kept = kept;
    copy->next = joins->claims[pc];
    joins->claims[pc] = copy;
    return copy;
}

// Reads what a claim would be about, and forgets what it is not. Returns: false where there is none.
static bool read_claim(struct dsl_check_walk *walk, const struct check_path *path, struct kept *kept, struct check_claim *ret_claim)
{
    *ret_claim = (struct check_claim){.given = walk->joins->given, .kept = kept};
    if (path->subject->rule_count == 0) {
        return read_expression(walk, path);
    }
    uint32_t vague = read_rules(walk, path, &ret_claim->first_rule);
    if (!can_keep(walk, path, vague)) {
        return false; // in the midst of a condition
    }
    ret_claim->kept_count = keep(walk, vague, kept);
    return true;
}

// Makes the path walk for a claim. Returns: false when there is no room.
static bool begin(struct dsl_check_walk *walk, struct check_path *path, struct check_claim *claim, struct dsl_check_mark mark)
{
    if (claim == NULL || path->fork_count == walk->fork_limit) {
        return false;
    }
    walk->forks[path->fork_count++] =
        (struct check_fork){.pc = path->pc, .rest = path->rest, .first_rule = path->first_rule, .claim = claim, .mark = mark};
    claim->state = STATE_LOOKED_AT;
    path->rest = (struct check_rest){claim->first_rule, path->subject->rule_count > 0 ? claim->given : NULL};
    path->first_rule = claim->first_rule;
    return true;
}

bool dsl_check_is_walked(struct dsl_check_walk *walk, struct check_path *path)
{
    const uint32_t decided = 1u << CHECK_NR | 1u << CHECK_ARCH; // what the subject stands for
    const struct check_insn *about = &walk->about[path->pc];
    const struct dsl_check_mark mark = dsl_check_mark(&walk->facts);
    bool may_forget = path->manner == CHECK_WITH_CLAIMS && path->subject->rule_count > 0;
    if (about->reads_x || (about->words & decided) != 0 || !is_ready(walk, path) ||
        (!may_forget && is_touched_below(walk, path->pc))) {
        return false;
    }
    struct kept kept[CHECK_WORDS];
    struct check_claim wanted;
    struct check_claim *claim = NULL;
    bool is_new = false;
    if (read_claim(walk, path, kept, &wanted)) {
        uint32_t count;
        claim = find_claim(walk->joins, path->pc, &wanted, &count);
        is_new = (claim == NULL && count < CLAIMS_PER_INSN) || (claim != NULL && claim->state == STATE_DROPPED);
        claim = claim == NULL && is_new ? add_claim(walk->joins, path->pc, &wanted, walk->arena) : claim;
    }
    if (!is_new || !begin(walk, path, claim, mark)) {
        dsl_check_rewind(&walk->facts, mark);
    }
    return claim != NULL && claim->state == STATE_HOLDS;
}

void dsl_check_note_held(struct check_claim *claim)
{
    claim->state = STATE_HOLDS;
}

// --- claims that do not hold ------------------------------------------------------------------------------------------

// Finds the latest claim that was made where a rule was out, and did not say so. Returns: its number among the forks, + 1; else 0.
static uint32_t find_culprit(struct dsl_check_walk *walk, const struct check_path *path)
{
    struct check_facts *facts = &walk->facts;
    struct check_word words[CHECK_WORDS]; // as they were at each claim
    uint32_t undone = facts->undo_count;
    uint32_t culprit = 0;
    memcpy(words, facts->words, sizeof words);
    for (uint32_t at = path->fork_count; at > path->fork_base && culprit == 0 && path->contrary != NULL; at--) {
        const struct check_fork *fork = &walk->forks[at - 1];
        for (; undone > fork->mark.undo; undone--) {
            facts->words[facts->undo[undone - 1].word] = facts->undo[undone - 1].was;
        }
        culprit = fork->claim != NULL && dsl_check_is_out(path->contrary, fork->rest.given, facts) ? at : 0;
    }
    memcpy(facts->words, words, sizeof words);
    return culprit;
}

// A rule that is out is not looked at from `pc` on, although its borders are.
static void note_gone(struct check_joins *joins, const struct check_rule *rule, uint32_t pc)
{
    uint16_t *gone = &joins->gone[rule - joins->subject->rules];
    *gone = pc < *gone ? (uint16_t)pc : *gone;
    joins->gone_count++;
}

bool dsl_check_drop_claim(struct dsl_check_walk *walk, struct check_path *path, enum dsl_checked *checked)
{
    if (path->subject == NULL || path->subject->rule_count == 0 || path->manner == CHECK_RULE_BY_RULE) {
        return false; // nothing was forgotten, or nobody knows where
    }
    // The claim that forgot that a rule is out, which is made again without that rule; or the latest, which is walked with all
    // facts.
    uint32_t culprit = find_culprit(walk, path);
    struct check_joins *joins = walk->joins;
    while (path->fork_count > path->fork_base) {
        const struct check_fork *fork = &walk->forks[--path->fork_count];
        dsl_check_rewind(&walk->facts, fork->mark);
        if (fork->claim == NULL) {
            continue;
        }
        if (culprit != 0 && path->fork_count + 1 != culprit) {
            fork->claim->state = STATE_DROPPED;
            continue;
        }
        fork->claim->state = STATE_FAILED;
        joins->failed += culprit == 0;
        if (culprit != 0) {
            note_gone(joins, path->contrary, fork->pc);
        }
        path->pc = fork->pc;
        path->rest = fork->rest;
        path->first_rule = fork->first_rule;
        *checked = DSL_CHECKED_UNDECIDED;
        return joins->failed < FAILED_MOST && joins->gone_count < FAILED_FOR_A_RULE * joins->subject->rule_count;
    }
    return false;
}
