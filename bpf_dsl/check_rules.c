// check_rules: in which manners the code of a call's rules is walked.
//
// Takes: where a subject with rules is decided. Gives: whether it is decided rightly; which sides of its tests calls take. How:
// programs that are said to ask one rule after the other, and have many ways, are walked a rule at a time (check_chains.c), and
// made-up calls (check_calls.c) and a walk that goes nowhere else find the sides. Everything else is walked with all facts for a
// while, which is enough for most rules and finds all sides; then with facts forgotten where ways meet (check_joins.c); and where
// that proves nothing, with all facts again. Calls with the same rules that share their code are walked once. Guarantees: exact,
// whatever the manner. Weakness: sides that were not found in time count as taken.
#include "bpf_dsl/check_parts.h"

#include <string.h>

enum {
    RULES_MORE_PATIENCE = 25, // as if there were that many instructions more
    RULES_CALL_INSNS = 64,    // for each instruction, that made-up calls may meet
};

static uint32_t patience_for(const struct dsl_check_walk *walk)
{
    return walk->patience * (walk->insn_count + RULES_MORE_PATIENCE);
}

// Walks and forgets facts, so that nothing else than "equal" says anything: sides that calls take only if the facts are forgotten
// do not count where that proves nothing.
static enum dsl_checked walk_forgetting(struct dsl_check_walk *walk, const struct check_path *start, enum check_manner manner,
                                        uint32_t patience)
{
    unsigned char taken[BPF_MAXINSNS];
    if (walk->taken != NULL) {
        memcpy(taken, walk->taken, walk->insn_count);
    }
    enum dsl_checked checked = dsl_check_walk_again(walk, start, manner, patience);
    if (walk->taken != NULL && checked != DSL_CHECKED_EQUAL) {
        memcpy(walk->taken, taken, walk->insn_count);
    }
    return checked == DSL_CHECKED_EQUAL ? checked : DSL_CHECKED_UNDECIDED;
}

// Whether the program is said to ask the rules of the call at hand one after the other, and has too many ways to walk them all.
static bool is_chain(struct dsl_check_walk *walk, const struct check_path *start)
{
    bool is_hinted =
        walk->chains != NULL && walk->nr < BRIG_DSL_TRAP_NRS && (walk->chains[walk->nr / 64] >> walk->nr % 64 & 1) != 0;
    if (is_hinted && !walk->is_read) {
        dsl_check_read_insns(walk);
    }
    return is_hinted && walk->about[start->pc].ends > walk->few_ways;
}

// Finds out which of the sides that a walk rule by rule came by calls take; where that takes too long, they are supposed to be.
static void find_sides(struct dsl_check_walk *walk, const struct check_path *start)
{
    walk->seen_end = walk->insn_count;
    for (uint32_t pc = 0; pc < walk->insn_count; pc++) {
        walk->seen[pc] &= (unsigned char)~walk->taken[pc];
    }
    if (dsl_check_walk_again(walk, start, CHECK_FOR_SIDES, patience_for(walk)) != DSL_CHECKED_EQUAL) {
        for (uint32_t pc = 0; pc < walk->insn_count; pc++) {
            walk->taken[pc] |= walk->seen[pc];
        }
    }
}

// Proves a chain a rule at a time, and then looks for the sides that no call takes.
static enum dsl_checked walk_chain(struct dsl_check_walk *walk, const struct check_path *start)
{
    unsigned char seen[BPF_MAXINSNS];
    memset(seen, 0, walk->insn_count);
    walk->seen = seen;
    walk->new_side = 0;
    walk->call_insns = RULES_CALL_INSNS * walk->insn_count;
    walk->rules = start;
    enum dsl_checked checked = dsl_check_walk_chain(walk, start);
    if (checked == DSL_CHECKED_EQUAL && walk->taken != NULL) {
        find_sides(walk, start);
    }
    walk->seen = NULL;
    return checked;
}

// Walks with all facts for a while, which is enough for most rules and finds all sides that no call takes; else with claims; and
// where those do not hold, with all facts again. Chains with too many ways are first walked a rule at a time.
static enum dsl_checked walk_anew(struct dsl_check_walk *walk, const struct check_path *start)
{
    enum dsl_checked checked = DSL_CHECKED_UNDECIDED;
    if (is_chain(walk, start)) {
        checked = walk_chain(walk, start);
    }
    if (checked == DSL_CHECKED_UNDECIDED) {
        checked = dsl_check_walk_again(walk, start, CHECK_WITH_FACTS, patience_for(walk));
    }
    if (checked == DSL_CHECKED_UNDECIDED) {
        checked = walk_forgetting(walk, start, CHECK_WITH_CLAIMS, UINT32_MAX);
    }
    return checked == DSL_CHECKED_UNDECIDED ? dsl_check_walk_again(walk, start, CHECK_WITH_FACTS, UINT32_MAX) : checked;
}

// Whether what begins here was found to say the same rules for another call, and does not ask which call it is.
static bool was_walked(struct dsl_check_walk *walk, const struct check_path *start)
{
    const uint32_t decided = 1u << CHECK_NR | 1u << CHECK_ARCH;
    const struct check_subject *before = walk->walked != NULL ? walk->walked[start->pc] : NULL;
    if (before == NULL || !dsl_check_same_rules(before, start->subject)) {
        return false;
    }
    if (!walk->is_read) {
        dsl_check_read_insns(walk);
    }
    return !walk->about[start->pc].reads_x && (walk->about[start->pc].words & decided) == 0;
}

// Returns: false when the arena is exhausted.
static bool note_walked(struct dsl_check_walk *walk, const struct check_path *start)
{
    if (walk->walked == NULL) {
        walk->walked = DSL_ARENA_ARRAY(walk->arena, const struct check_subject *, walk->insn_count);
        for (uint32_t i = 0; i < walk->insn_count && walk->walked != NULL; i++) {
            walk->walked[i] = NULL;
        }
    }
    if (walk->walked != NULL) {
        walk->walked[start->pc] = start->subject;
    }
    return walk->walked != NULL;
}

enum dsl_checked dsl_check_walk_rules(struct dsl_check_walk *walk, const struct check_path *start)
{
    if (was_walked(walk, start)) {
        return DSL_CHECKED_EQUAL;
    }
    enum dsl_checked checked = walk_anew(walk, start);
    if (checked != DSL_CHECKED_EQUAL) {
        return checked;
    }
    // A way that no call takes may go anywhere without being wrong, so it must not count for the ways of calls.
    return !dsl_check_is_possible(&walk->facts) || note_walked(walk, start) ? DSL_CHECKED_EQUAL : DSL_CHECKED_UNDECIDED;
}
