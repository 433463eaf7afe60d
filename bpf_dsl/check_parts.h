// check_parts: what the files of the check share. Internal to the check.
#ifndef BRIG_BPF_DSL_CHECK_PARTS_H
#define BRIG_BPF_DSL_CHECK_PARTS_H

#include "bpf_dsl/arena.h"
#include "bpf_dsl/check.h"

// Words of struct seccomp_data, by offset / 4.
enum { CHECK_NR, CHECK_ARCH, CHECK_ARGUMENTS = 4, CHECK_WORDS = 16 };

// --- conditions -------------------------------------------------------------------------------------------------------

// Inclusive.
struct check_span {
    uint64_t first;
    uint64_t last;
};

// What a condition was worth the last time that something was known of its words, and what was known then.
struct check_memo {
    uint32_t low_version;
    uint32_t high_version;
    uint8_t can;       // 0: not asked yet
    uint8_t can_fresh; // where nothing is known
};

// (argument & mask) is in one of the spans, which are sorted and do not overlap.
struct check_condition {
    const struct check_span *spans;
    uint32_t count;
    uint8_t argument;
    bool is_wide;      // 64 bits: high half * 2^32 + low half
    bool has_one_high; // all spans have the same high half
    bool has_one_gap;  // all numbers outside the spans have the same high half, which is `gap_high`
    uint32_t gap_high;
    uint64_t mask;
    const struct check_lows *lows; // NULL: its spans are looked through one by one
    struct check_memo *memo;       // NULL: nothing is remembered
};

// Reads one condition of a rule. Returns: false when the arena is exhausted.
bool dsl_check_read_condition(const struct brig_dsl_rule_condition *source, struct brig_dsl_arena *arena,
                              struct check_condition *ret_condition);

// Makes a condition of spans in any order, which are the arena's. `is_wide` may turn out to be unnecessary.
struct check_condition dsl_check_make_condition(uint8_t argument, bool is_wide, uint64_t mask, struct check_span *spans,
                                                uint32_t count);

// Sorts many spans in several high halves by their low halves as well. Returns: false when the arena is exhausted.
bool dsl_check_sort_lows(struct check_condition *condition, struct brig_dsl_arena *arena);

// Whether two conditions ask about the same bits of the same argument.
bool dsl_check_same_place(const struct check_condition *a, const struct check_condition *b);
bool dsl_check_same_condition(const struct check_condition *a, const struct check_condition *b);

// --- facts ------------------------------------------------------------------------------------------------------------

// Values from lo to hi without the holes.
struct check_range {
    uint32_t lo;
    uint32_t hi;
    uint32_t hole; // first of a list of nodes, + 1; 0: none
    uint32_t hole_count;
};

static inline bool dsl_check_is_empty(const struct check_range *range)
{
    return range->lo > range->hi;
}

// The numbers of a range from lo to hi.
static inline struct check_range dsl_check_clamp(struct check_range range, uint32_t lo, uint32_t hi)
{
    range.lo = range.lo > lo ? range.lo : lo;
    range.hi = range.hi < hi ? range.hi : hi;
    return range;
}

// What is known about one word. `masked` lists ranges of (word & some mask); the first node of a mask is the one that counts.
struct check_word {
    struct check_range whole;
    uint32_t known; // bits that have one value, and that value
    uint32_t value;
    uint32_t masked;  // node + 1; 0: none
    uint64_t masks;   // bit dsl_check_mask_bit of each mask among them
    uint32_t version; // of all that is known of this word: the same number, the same facts; 0: nothing is known
};

struct check_node {
    uint32_t number; // the value left out, or the mask
    uint32_t next;   // node + 1
    struct check_range range;
};

// The values that a masked word can have: those of a range that differ from `fixed` in `free` bits only. The range ends at numbers
// from `fixed` up to `fixed | free`, or is empty.
struct check_set {
    struct check_range range;
    uint32_t free;
    uint32_t fixed;
};

struct check_undo {
    uint32_t word;
    struct check_word was;
};

// Everything that a path knows. Nodes and undo records are stacks: going back to an earlier state is cutting them.
struct check_facts {
    struct check_word words[CHECK_WORDS];
    struct check_node *nodes;
    uint32_t node_count;
    uint32_t node_limit;
    struct check_undo *undo;
    uint32_t undo_count;
    uint32_t undo_limit;
    uint32_t versions;               // given to words so far
    uint32_t steps;                  // work done
    uint32_t step_limit;             // no search goes on beyond it
    uint32_t side_steps;             // work done to find sides that no call takes; not among `steps`
    uint32_t witnesses[CHECK_WORDS]; // words that had all facts when they were asked for: where to begin next time
    bool overflowed;                 // sticky: a stack was too small, or a search too long; answers are no longer exact
};

struct dsl_check_mark {
    uint32_t nodes;
    uint32_t undo;
};

// What a condition can be for the calls that the facts leave; 0 if it was noticed that there is none.
enum { CHECK_CAN_HOLD = 1, CHECK_CAN_FAIL = 2 };

bool dsl_check_facts_init(struct check_facts *facts, struct brig_dsl_arena *arena, uint32_t depth, uint32_t steps);

static inline struct dsl_check_mark dsl_check_mark(const struct check_facts *facts)
{
    return (struct dsl_check_mark){facts->node_count, facts->undo_count};
}

// Goes back to what was known then.
static inline void dsl_check_rewind(struct check_facts *facts, struct dsl_check_mark mark)
{
    while (facts->undo_count > mark.undo) {
        const struct check_undo *undo = &facts->undo[--facts->undo_count];
        facts->words[undo->word] = undo->was;
    }
    facts->node_count = mark.nodes;
}

// A bit for each mask, which others may share.
static inline uint64_t dsl_check_mask_bit(uint32_t mask)
{
    return UINT64_C(1) << (mask * 0x9e3779b1u >> 26);
}

// The newest node of a mask of a word; NULL if there is none.
const struct check_node *dsl_check_find_mask(const struct check_facts *facts, uint32_t word, uint32_t mask);

// The range of (word & mask), with what is known of its bits; nothing about other masks of the word. Asked all the time.
static inline struct check_set dsl_check_set_of(const struct check_facts *facts, uint32_t word, uint32_t mask)
{
    const struct check_word *known = &facts->words[word];
    struct check_set set = {.range = known->whole, .free = mask & ~known->known, .fixed = mask & known->value};
    if (mask != UINT32_MAX) {
        const struct check_node *node = dsl_check_find_mask(facts, word, mask);
        set.range = node != NULL ? node->range : (struct check_range){.hi = mask};
    }
    set.range = dsl_check_clamp(set.range, set.fixed, set.fixed | set.free);
    return set;
}

// Whether a set is all numbers of its range but the holes: what is free are the lowest bits.
static inline bool dsl_check_is_gapless(const struct check_set *set)
{
    return (set->free & (set->free + 1)) == 0;
}

// Replaces the range of (word & mask).
void dsl_check_learn(struct check_facts *facts, uint32_t word, uint32_t mask, struct check_range range);
// Forgets everything about a word.
void dsl_check_unlearn(struct check_facts *facts, uint32_t word);
// Notes that a value between its ends is not in a range.
void dsl_check_add_hole(struct check_facts *facts, struct check_range *range, uint32_t value);

// Adds a hole to a range: at an end by moving the end.
static inline struct check_range dsl_check_without(struct check_facts *facts, struct check_range range, uint32_t value)
{
    if (value < range.lo || value > range.hi) {
        return range;
    }
    if (range.lo == range.hi) { // nothing is left: an empty range
        return (struct check_range){.lo = 1, .hi = 0};
    }
    if (value == range.lo) {
        range.lo++;
    } else if (value == range.hi) {
        range.hi--;
    } else {
        dsl_check_add_hole(facts, &range, value);
    }
    return range;
}

// Index of the first span of a condition that ends at or above `from`; how many there are where none does.
uint32_t dsl_check_first_span(const struct check_condition *condition, uint64_t from);
// What the condition is for the values of a set, put below `base`: the high half where the condition is wide, else 0.
unsigned dsl_check_set_can(struct check_facts *facts, const struct check_set *set, const struct check_condition *condition,
                           uint64_t base);
// The smallest number at or above `from` that differs from `fixed`, which has no `free` bits, in those only. Returns: false for
// none.
bool dsl_check_next_fitting(uint32_t free, uint32_t fixed, uint32_t from, uint32_t *ret_value);
// Moves the ends of a set's range to values that the set has. Returns: the range; lo above hi where there is none.
struct check_range dsl_check_fit(struct check_facts *facts, const struct check_set *set);
// Whether a set has a value in [lo, hi], which is in its range. Looks for one.
bool dsl_check_find_value(struct check_facts *facts, const struct check_set *set, uint32_t lo, uint32_t hi);

// Whether a set has a value in [lo, hi]. Mostly that can be seen.
static inline bool dsl_check_set_meets(struct check_facts *facts, const struct check_set *set, uint32_t lo, uint32_t hi)
{
    const struct check_range part = dsl_check_clamp(set->range, lo, hi);
    if (dsl_check_is_empty(&part)) {
        return false;
    }
    bool has_more_than_holes = part.hi - part.lo >= part.hole_count && dsl_check_is_gapless(set);
    return has_more_than_holes || dsl_check_find_value(facts, set, part.lo, part.hi);
}

// Finds a value of a word that has all facts, near `*value`. Returns: false where none was found, which says nothing.
bool dsl_check_find_word(struct check_facts *facts, uint32_t word, uint32_t *value);
// Whether nothing at all was learned about a word.
bool dsl_check_is_untouched(const struct check_facts *facts, uint32_t word);
// Whether a call exists that has all facts. Exact.
bool dsl_check_is_possible(struct check_facts *facts);
// What the condition is for (word & mask), put below `base`, as dsl_check_set_can. Exact, if there is a call that has all facts.
unsigned dsl_check_word_can(struct check_facts *facts, uint32_t word, uint32_t mask, const struct check_condition *condition,
                            uint64_t base);
// Whether (word & mask) can be in [lo, hi], as above.
bool dsl_check_word_meets(struct check_facts *facts, uint32_t word, uint32_t mask, uint32_t lo, uint32_t hi);
// Whether a call exists that has all facts and (word & mask) in `range`, which is not empty and of that set. Exact for facts that
// some call has; true where the search for one would be long.
bool dsl_check_has_call(struct check_facts *facts, uint32_t word, uint32_t mask, struct check_range range);
// Exact, for 32 bits and for 64, if there is a call that has all facts; else it may be anything.
unsigned dsl_check_condition_can(struct check_facts *facts, const struct check_condition *condition);
// Where to cut a condition that can both hold and fail: (word & mask) below `border`, and not below.
struct check_cut {
    uint32_t word;
    uint32_t mask;
    uint32_t border;
};
bool dsl_check_find_cut(struct check_facts *facts, const struct check_condition *condition, struct check_cut *ret_cut);

// --- sides ------------------------------------------------------------------------------------------------------------

enum check_held {
    CHECK_HELD_WORD,     // (word & mask) - minus
    CHECK_HELD_CONSTANT, // bits
    CHECK_HELD_PICKED,   // bits >> ((word & mask) - minus), which is at most 31
};

// What A or X holds. Both start as 0, which is any word under no mask.
struct check_register {
    enum check_held held;
    uint32_t word;
    uint32_t mask;
    uint32_t minus;
    uint32_t bits;
};

// Both sides of a test, as ranges of (word & mask); empty where no call takes one.
struct check_sides {
    uint32_t word;
    uint32_t mask;
    struct check_range yes;
    struct check_range no;
};

// The word that a register is about, as a set, and what was subtracted from its values.
struct check_shifted {
    uint32_t word;
    uint32_t mask;
    struct check_set set;
    uint32_t minus;
};

// The values of (word & mask) among `values` that calls have; its ends are such values.
struct check_range dsl_check_part(struct check_facts *facts, uint32_t word, uint32_t mask, struct check_range values);
// Splits the facts by a test of a word from which nothing was subtracted.
void dsl_check_sides(struct check_facts *facts, const struct check_register *a, const struct sock_filter *insn,
                     struct check_sides *ret_sides);
struct check_shifted dsl_check_shifted(const struct check_facts *facts, const struct check_register *held);
// Whether the values that a register can have are 0 to 31.
bool dsl_check_is_bit_number(const struct check_shifted *shifted);

// --- subjects ---------------------------------------------------------------------------------------------------------

// A rule: conditions[0 .. count - 1] all hold.
struct check_rule {
    struct check_condition *conditions;
    uint32_t count;
    uint32_t number; // of its first condition among all conditions of the subject
    uint32_t ret;
    bool is_dead; // a rule before it takes all its calls
};

// What is said about a run of numbers: a constant, rules, or an expression.
struct check_subject {
    uint32_t ret; // where it is a constant
    const struct check_rule *rules;
    uint32_t rule_count;                             // 0: a constant or an expression
    const struct check_condition *const *conditions; // all of them, where there are any
    uint32_t condition_count;
    const struct dsl_expr *verdict; // NULL: not an expression
};

struct check_subjects {
    const struct brig_dsl_builder *builder;       // for expressions
    const struct check_condition **of_expression; // by node; NULL: not read yet
    bool *needed;                                 // by node, scratch
};

bool dsl_check_read_rules(const struct brig_dsl_call_rules *source, struct brig_dsl_arena *arena,
                          struct check_subject *ret_subject);
bool dsl_check_read_verdict(struct check_subjects *subjects, struct brig_dsl_verdict verdict, struct brig_dsl_arena *arena,
                            struct check_subject *ret_subject);
// Finds rules that are never the first to match.
void dsl_check_mark_dead(struct check_rule *rules, uint32_t count);
// Whether two lists of rules say the same with the same words.
bool dsl_check_same_rules(const struct check_subject *a, const struct check_subject *b);
// What is left of a subject's rules on a path.
struct check_rest {
    uint32_t first_rule; // all rules before it do not match
    const uint64_t
        *given; // what conditions are supposed to be, by their number: two bits each, 0 for nothing; NULL: nothing at all
};

static inline unsigned dsl_check_given(const uint64_t *given, uint32_t number)
{
    return given == NULL ? 0 : given[number / 32] >> number % 32 * 2 & 3;
}

// Passes over rules that no call with these facts matches; facts only grow along a path, so it stays so.
// Returns: the first one that is left.
uint32_t dsl_check_skip_rules(const struct check_subject *subject, struct check_rest rest, struct check_facts *facts);
// Whether no call with these facts matches a rule.
bool dsl_check_is_out(const struct check_rule *rule, const uint64_t *given, struct check_facts *facts);
// What a program returns for the calls of one path.
struct check_answer {
    const struct check_subject *subject;
    struct check_rest rest;
    uint32_t ret;
    const struct check_rule *contrary; // where it is wrong: the rule that is in the way; NULL: none is
};
// Compares an answer with what the subject says under the facts, of the rest of its rules; cuts the facts further where that is
// undecided.
enum dsl_checked dsl_check_subject_says(const struct check_subjects *subjects, struct check_answer *answer,
                                        struct check_facts *facts);

// --- the walk ---------------------------------------------------------------------------------------------------------

// Numbers first .. last.
struct check_numbers {
    uint32_t first;
    uint32_t last;
    const struct check_subject *subject;
};

// One of the arches of the program, and what must be said about its numbers.
struct check_target {
    uint32_t audit_arch;
    const struct check_numbers *numbers; // cover 0 .. 2^32-1
    uint32_t number_count;
};

enum { CHECK_MOST_ENDS = UINT16_MAX / 2 };
_Static_assert(DSL_CHECK_FEW_WAYS < CHECK_MOST_ENDS, "more ways than are counted would be few");

// What was found out about the program as text: who is jumped to, what is read.
struct check_insn {
    uint16_t words; // bit per word that may be loaded from here on
    uint16_t ends;  // ways from here to a return, whatever calls take them; CHECK_MOST_ENDS for more
    bool reads_x;   // X may be looked at before it is set again
    uint8_t ways;   // that lead here, or to what lies between the last load and this: 2 for more
};

// What is supposed of the rest of a program. It holds, does not, or is being looked at.
struct check_claim;

// The other side of a test; or a claim, all ways of which lie above it.
struct check_fork {
    uint32_t test; // whose side it is
    uint32_t pc;
    struct check_rest rest;
    uint32_t first_rule;
    struct check_claim *claim; // NULL: a side
    struct check_register a;
    struct check_register x;
    struct dsl_check_mark mark;
    struct check_sides sides; // `no` is what was learned on it
};

// What a walk does with what it finds out.
enum check_manner {
    CHECK_WITH_FACTS,   // keeps all of it
    CHECK_RULE_BY_RULE, // forgets it where the next rule is asked
    CHECK_WITH_CLAIMS,  // forgets it where that makes ways meet
    CHECK_FOR_SIDES,    // keeps it, compares nothing, and only goes where a side may still be found that was not taken
};

// One walk: of a subject, or (NULL) of what comes before it is known which.
struct check_path {
    const struct check_subject *subject;
    uint32_t pc;
    struct check_rest rest;            // where the facts begin
    uint32_t first_rule;               // of it: all rules before it are known not to match
    const struct check_rule *contrary; // to the latest return
    struct check_register a;
    struct check_register x;
    uint32_t fork_count; // forks used by the walks around this one, and by this one
    uint32_t fork_base;
    uint32_t step_base;
    enum check_manner manner;
};

// Where all ways come by; check_chains.c.
struct dsl_check_gate;

struct dsl_check_walk {
    const struct sock_filter *insns;
    uint32_t insn_count;
    const struct check_subjects *subjects;
    const struct check_target *targets;
    uint32_t target_count;
    const struct check_subject *foreign; // all other arches
    struct check_facts facts;
    uint32_t steps; // budget
    uint32_t patience;
    const uint64_t *chains; // as in struct dsl_check_input
    uint32_t few_ways;      // likewise
    uint32_t nr;            // of the call at hand; in the end: where the program differs

    struct check_insn *about;            // by instruction
    bool is_read;                        // what is said about them
    const struct check_subject **walked; // by instruction: rules that what begins there was found to say; NULL: none were
    struct check_fork *forks;            // the other sides of tests, still to be walked; room for one more than fork_limit
    uint32_t fork_limit;
    struct brig_dsl_arena *arena;
    struct dsl_check_gate *gates; // by instruction, of a walk rule by rule; NULL: not needed so far
    uint32_t gate;                // where it began
    uint32_t arrivals;            // of ways at gates
    bool is_following;            // and it ends with the first of them
    bool has_arrived;
    struct check_joins *joins; // of the walk of one subject; NULL: not needed so far
    unsigned char *taken;      // as in struct dsl_check_input
    unsigned char *seen; // of a walk rule by rule: sides that it came by, whatever calls take them; of a walk for sides: those of
                         // them that it has not found yet
    uint32_t seen_end;   // of a walk for sides: instructions from there on have none; 0: there are none
    const struct check_path *rules; // where the rules at hand begin
    unsigned char new_side; // not known to be taken, that a walk rule by rule went to last; 0: none since a call was made up
    uint32_t new_test;      // whose it is
    uint32_t call_insns;    // budget of made-up calls
};

// Returns: how many instructions there are to a return, at most, and how many shifts by X are expected on one path, more of which
// make the walk undecided; false when the arena is exhausted.
bool dsl_check_measure(const struct dsl_check_walk *walk, struct brig_dsl_arena *arena, uint32_t *ret_depth, uint32_t *ret_picks);
// Reads the program as text: only long walks need it.
void dsl_check_read_insns(struct dsl_check_walk *walk);

// --- tests ------------------------------------------------------------------------------------------------------------

// Words of a row of bits: two for each condition, of which the first is for its low half.
static inline uint32_t dsl_check_row_words(const struct check_subject *subject)
{
    return subject->condition_count / 32 + 1;
}

// Which conditions are looked at from each instruction on. Returns: a row for each, and one more of what there is to look at; NULL
// when that is too much, or the arena is exhausted.
const uint64_t *dsl_check_read_tests(const struct dsl_check_walk *walk, const struct check_subject *subject);

// --- chains -----------------------------------------------------------------------------------------------------------

// Walks from gate to gate. Returns: EQUAL or UNDECIDED.
enum dsl_checked dsl_check_walk_chain(struct dsl_check_walk *walk, const struct check_path *start);
// Whether the path came to the next gate, where it ends.
bool dsl_check_is_at_gate(struct dsl_check_walk *walk, const struct check_path *path);
// Passes over rules that are out. Returns: the first one that is left.
uint32_t dsl_check_pass_rules(struct dsl_check_walk *walk, const struct check_path *path);

// Makes up calls that have all facts, and notes which sides they take, until one takes the new side.
void dsl_check_try_calls(struct dsl_check_walk *walk, const struct check_path *start);

// --- joins ------------------------------------------------------------------------------------------------------------

// Whether the rest of the program says what it must for all calls that come to the load at hand. Where that is not known, the path
// may go on for a claim, with fewer facts.
bool dsl_check_is_walked(struct dsl_check_walk *walk, struct check_path *path);
// Every way from there was walked.
void dsl_check_note_held(struct check_claim *claim);
// Something that was returned is not what it must be, or this is undecided: then some claim does not hold, and the path goes back
// to before it. Returns: false where no claim is left to blame, or so many have failed that it is undecided.
bool dsl_check_drop_claim(struct dsl_check_walk *walk, struct check_path *path, enum dsl_checked *checked);

// Walks with what is left of the budget, up to so many steps.
enum dsl_checked dsl_check_walk_again(struct dsl_check_walk *walk, const struct check_path *start, enum check_manner manner,
                                      uint32_t patience);
// Walks the code of a subject's rules, in the manner that proves them soonest.
enum dsl_checked dsl_check_walk_rules(struct dsl_check_walk *walk, const struct check_path *start);
// Goes the only way that comes to a gate, and stays there with its facts. Returns: false where it did not come there, and the facts
// are any.
bool dsl_check_follow(struct dsl_check_walk *walk, const struct check_path *start);

// --- entry ------------------------------------------------------------------------------------------------------------

// Prepares and walks. Returns: as dsl_check.
enum dsl_checked dsl_check_walk(struct dsl_check_walk *walk, struct brig_dsl_arena *arena);

#endif
