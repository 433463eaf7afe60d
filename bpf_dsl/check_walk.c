// dsl_check_walk: all paths of a program.
//
// Takes: a valid program and what must be said about every number. Gives: whether it says that. How: first the paths that look at
// arch and number only; where one of them returns, or loads anything else, it goes on once for each different thing that must be
// said about the numbers that come here. Every test splits the facts of a path; a side without any value left is not walked; at a
// return dsl_check_subject_says compares. Guarantees: exact; what it does not follow (X, M[], arithmetic but "and") makes it
// undecided, never equal. Joins: where ways meet at a load, nothing that is still tested below was touched, and every condition of
// the rules is known or untouched as well, the rest is the same for all ways with the same known conditions; it is walked once.
// Weaknesses: other joins are walked once per way; steps are counted, CHECK_WALK_STEPS of them.
#include "bpf_dsl/check_parts.h"

#include <linux/filter.h>
#include <string.h>

enum {
    CHECK_WALK_STEPS = 3000000,
    CHECK_MEMO_AFTER = 400, // steps on one subject before joins are remembered: most need fewer
    CHECK_MEMO_SLOTS = 512,
    CHECK_MEMO_CONDITIONS = 128,
    CHECK_LONG_LIST = 12,   // rules from which on it pays to pass over those that are out
    CHECK_MORE_FACTS = 256, // beyond one per instruction of a path: cuts, and numbers picked out
};

#define ALL UINT32_MAX

// What A holds: a masked word. It starts as 0, which is any word under no mask.
struct check_accumulator {
    uint32_t word;
    uint32_t mask;
};

// The other side of a test.
struct check_fork {
    uint32_t pc;
    uint32_t first_rule;
    struct check_accumulator a;
    struct dsl_check_mark mark;
    uint32_t word; // what was learned on it
    uint32_t mask;
    struct check_range range;
};

// Conditions known at a join: two bits each.
struct check_known {
    uint64_t bits[CHECK_MEMO_CONDITIONS / 32];
};

struct check_memo {
    uint32_t generation; // one per walk of a subject
    uint32_t used;
    struct {
        uint32_t generation;
        uint32_t pc;
        struct check_known known;
    } slots[CHECK_MEMO_SLOTS];
};

// One walk: of a subject, or (NULL) of what comes before it is known which.
struct path {
    const struct check_subject *subject;
    uint32_t pc;
    uint32_t first_rule; // all rules before it are known not to match
    struct check_accumulator a;
    uint32_t fork_count; // forks used by the walks around this one, and by this one
    uint32_t fork_base;
    uint32_t step_base;
};

// --- the program as text ----------------------------------------------------------------------------------------------

static void follow(struct check_insn *about, uint32_t from, uint32_t to, uint8_t *ways)
{
    about[from].words |= about[to].words;
    uint16_t depth = (uint16_t)(about[to].depth + 1);
    about[from].depth = depth > about[from].depth ? depth : about[from].depth;
    ways[to] = ways[to] < 2 ? (uint8_t)(ways[to] + 1) : 2;
}

// Jumps go forward, so one look from the end to the start knows everything below.
static const struct check_insn *read_insns(const struct dsl_check_walk *walk, struct brig_dsl_arena *arena)
{
    struct check_insn *about = DSL_ARENA_ARRAY(arena, struct check_insn, walk->insn_count);
    uint8_t *ways = DSL_ARENA_ARRAY(arena, uint8_t, walk->insn_count);
    if (about == NULL || ways == NULL) {
        return NULL;
    }
    memset(about, 0, walk->insn_count * sizeof *about);
    memset(ways, 0, walk->insn_count);
    for (uint32_t pc = walk->insn_count; pc-- > 0;) {
        const struct sock_filter *insn = &walk->insns[pc];
        if (insn->code == (BPF_JMP | BPF_JA)) {
            follow(about, pc, pc + 1 + insn->k, ways);
        } else if (BPF_CLASS(insn->code) == BPF_JMP) {
            follow(about, pc, pc + 1 + insn->jt, ways);
            follow(about, pc, pc + 1 + insn->jf, ways);
        } else if (BPF_CLASS(insn->code) != BPF_RET) {
            follow(about, pc, pc + 1, ways);
        }
        if (insn->code == (BPF_LD | BPF_W | BPF_ABS)) {
            about[pc].words |= (uint16_t)(1u << insn->k / 4);
        }
    }
    for (uint32_t pc = 0; pc < walk->insn_count; pc++) {
        about[pc].is_join = ways[pc] > 1;
    }
    return about;
}

// --- tests ------------------------------------------------------------------------------------------------------------

// Both sides of a test, as ranges of (word & mask).
struct sides {
    uint32_t word;
    uint32_t mask;
    struct check_range yes; // lo above hi: no such value
    struct check_range no;
};

static const struct check_range nothing = {.lo = 1, .hi = 0};

static struct check_range up_to(struct check_range range, uint32_t hi)
{
    range.hi = hi < range.hi ? hi : range.hi;
    return range;
}

static struct check_range from(struct check_range range, uint32_t lo)
{
    range.lo = lo > range.lo ? lo : range.lo;
    return range;
}

static struct check_range fit(struct check_facts *facts, const struct check_set *set, struct check_range side)
{
    const struct check_set narrowed = {side, set->free, set->fixed};
    return dsl_check_fit(facts, &narrowed);
}

// Where all bits that a mask takes away are known, the test is one of the whole word.
static struct check_accumulator widen(const struct check_facts *facts, struct check_accumulator a, uint32_t *k)
{
    const struct check_word *known = &facts->words[a.word];
    if ((a.mask | known->known) == ALL && (*k & ~a.mask) == 0) {
        *k |= known->value & ~a.mask;
        a.mask = ALL;
    }
    return a;
}

static struct sides split(struct check_facts *facts, struct check_accumulator a, const struct sock_filter *insn)
{
    uint32_t k = insn->k;
    bool is_bits = BPF_OP(insn->code) == BPF_JSET;
    if (!is_bits) {
        a = widen(facts, a, &k);
    }
    struct sides sides = {.word = a.word, .mask = is_bits ? a.mask & k : a.mask};
    struct check_set set = dsl_check_set_of(facts, a.word, sides.mask);
    switch (BPF_OP(insn->code)) {
    case BPF_JEQ:
        sides.yes = dsl_check_set_meets(facts, &set, k, k) ? (struct check_range){.lo = k, .hi = k} : nothing;
        sides.no = dsl_check_without(facts, set.range, k);
        break;
    case BPF_JGT:
        sides.yes = k == ALL ? nothing : from(set.range, k + 1);
        sides.no = up_to(set.range, k);
        break;
    case BPF_JGE:
        sides.yes = from(set.range, k);
        sides.no = k == 0 ? nothing : up_to(set.range, k - 1);
        break;
    default: // JSET
        sides.yes = from(set.range, 1);
        sides.no = up_to(set.range, 0);
        break;
    }
    sides.yes = fit(facts, &set, sides.yes);
    sides.no = fit(facts, &set, sides.no);
    return sides;
}

static void learn(struct check_facts *facts, uint32_t word, uint32_t mask, struct check_range range)
{
    struct check_range known = dsl_check_set_of(facts, word, mask).range;
    if (known.lo != range.lo || known.hi != range.hi || known.hole != range.hole) {
        dsl_check_learn(facts, word, mask, range);
    }
}

// Goes on with one side of a test and keeps the other for later. Returns: false when there is no room to keep it.
static bool take_test(struct dsl_check_walk *walk, struct path *path)
{
    struct check_facts *facts = &walk->facts;
    const struct sock_filter *insn = &walk->insns[path->pc];
    struct sides sides = split(facts, path->a, insn);
    uint32_t yes = path->pc + 1 + insn->jt;
    uint32_t no = path->pc + 1 + insn->jf;
    bool can_yes = sides.yes.lo <= sides.yes.hi;
    if (can_yes && sides.no.lo <= sides.no.hi) {
        if (path->fork_count == walk->fork_limit) {
            return false;
        }
        walk->forks[path->fork_count++] =
            (struct check_fork){no, path->first_rule, path->a, dsl_check_mark(facts), sides.word, sides.mask, sides.no};
    }
    // With one side only nothing is learned that was not known; where both sides are empty no call comes here, and any side will
    // do.
    learn(facts, sides.word, sides.mask, can_yes ? sides.yes : sides.no);
    path->pc = can_yes ? yes : no;
    return true;
}

// Goes back to the latest fork. Returns: false when there is none left.
static bool take_fork(struct dsl_check_walk *walk, struct path *path)
{
    if (path->fork_count == path->fork_base) {
        return false;
    }
    const struct check_fork *fork = &walk->forks[--path->fork_count];
    dsl_check_rewind(&walk->facts, fork->mark);
    learn(&walk->facts, fork->word, fork->mask, fork->range);
    path->pc = fork->pc;
    path->first_rule = fork->first_rule;
    path->a = fork->a;
    return true;
}

// --- joins ------------------------------------------------------------------------------------------------------------

// Sorts a subject's conditions into known ones and untouched ones. Returns: false where one is neither, or there are too many.
static bool read_known(struct dsl_check_walk *walk, const struct check_subject *subject, struct check_known *ret_known)
{
    struct check_facts *facts = &walk->facts;
    if (subject->condition_count > CHECK_MEMO_CONDITIONS) {
        return false;
    }
    memset(ret_known, 0, sizeof *ret_known);
    for (uint32_t i = 0; i < subject->condition_count; i++) {
        const struct check_condition *condition = subject->conditions[i];
        uint32_t word = CHECK_ARGUMENTS + 2u * condition->argument;
        unsigned can = dsl_check_condition_can(facts, condition);
        bool is_open = can == (CHECK_CAN_HOLD | CHECK_CAN_FAIL);
        if (is_open && (!dsl_check_is_untouched(facts, word) || (condition->is_wide && !dsl_check_is_untouched(facts, word + 1)))) {
            return false;
        }
        ret_known->bits[i / 32] |= (uint64_t)can << i % 32 * 2;
    }
    return true;
}

// Whether the rest of the program from here has been walked, or is being walked, for the same known conditions. A walk that fails
// ends everything, so what was begun counts as done.
static bool is_walked(struct dsl_check_walk *walk, const struct path *path)
{
    struct check_facts *facts = &walk->facts;
    struct check_memo *memo = walk->memo;
    struct check_known known;
    for (uint32_t word = 0; word < CHECK_WORDS; word++) {
        if ((walk->about[path->pc].words & 1u << word) != 0 && !dsl_check_is_untouched(facts, word)) {
            return false;
        }
    }
    if (!read_known(walk, path->subject, &known)) {
        return false;
    }
    uint64_t hash = path->pc;
    for (uint32_t i = 0; i < CHECK_MEMO_CONDITIONS / 32; i++) {
        hash = (hash ^ known.bits[i]) * 0x9e3779b97f4a7c15u;
    }
    uint32_t at = (uint32_t)(hash >> 40) % CHECK_MEMO_SLOTS;
    for (; memo->slots[at].generation == memo->generation; at = (at + 1) % CHECK_MEMO_SLOTS) {
        if (memo->slots[at].pc == path->pc && memcmp(&memo->slots[at].known, &known, sizeof known) == 0) {
            return true;
        }
    }
    if (memo->used < CHECK_MEMO_SLOTS / 2) {
        memo->used++;
        memo->slots[at].generation = memo->generation;
        memo->slots[at].pc = path->pc;
        memo->slots[at].known = known;
    }
    return false;
}

// --- paths ------------------------------------------------------------------------------------------------------------

static enum dsl_checked walk_paths(struct dsl_check_walk *walk, struct path *path);

// What to do with each subject that the facts about arch and number leave: compare what is returned, or go on.
static enum dsl_checked go_on(struct dsl_check_walk *walk, const struct path *path, const struct check_subject *subject)
{
    const struct sock_filter *insn = &walk->insns[path->pc];
    walk->nr = walk->facts.words[CHECK_NR].whole.lo;
    if (insn->code == (BPF_RET | BPF_K)) {
        return dsl_check_subject_says(walk->subjects, subject, 0, insn->k, &walk->facts);
    }
    struct path below = {.subject = subject,
                         .pc = path->pc,
                         .a = path->a,
                         .fork_count = path->fork_count,
                         .fork_base = path->fork_count,
                         .step_base = walk->facts.steps};
    walk->memo->generation++;
    walk->memo->used = 0;
    return walk_paths(walk, &below);
}

static enum dsl_checked go_on_with_numbers(struct dsl_check_walk *walk, const struct path *path, struct check_numbers numbers)
{
    struct check_facts *facts = &walk->facts;
    struct check_set set = dsl_check_set_of(facts, CHECK_NR, ALL);
    const struct sock_filter *insn = &walk->insns[path->pc];
    bool is_constant = numbers.subject->rule_count == 0 && numbers.subject->verdict == NULL;
    if (insn->code == (BPF_RET | BPF_K) && is_constant && insn->k == numbers.subject->ret) {
        return DSL_CHECKED_EQUAL;
    }
    if (!dsl_check_set_meets(facts, &set, numbers.first, numbers.last)) {
        return DSL_CHECKED_EQUAL;
    }
    struct dsl_check_mark mark = dsl_check_mark(facts);
    learn(facts, CHECK_NR, ALL, up_to(from(set.range, numbers.first), numbers.last));
    enum dsl_checked checked = go_on(walk, path, numbers.subject);
    dsl_check_rewind(facts, mark);
    return checked;
}

// Index of the run that has `nr`.
static uint32_t find_numbers(const struct check_target *target, uint32_t nr)
{
    uint32_t low = 0;
    uint32_t high = target->number_count - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (target->numbers[middle].last < nr) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static enum dsl_checked go_on_with_all_numbers(struct dsl_check_walk *walk, const struct path *path,
                                               const struct check_target *target)
{
    struct check_range range = dsl_check_set_of(&walk->facts, CHECK_NR, ALL).range;
    enum dsl_checked checked = DSL_CHECKED_EQUAL;
    for (uint32_t i = find_numbers(target, range.lo);
         checked == DSL_CHECKED_EQUAL && i < target->number_count && target->numbers[i].first <= range.hi; i++) {
        walk->facts.steps++;
        checked = go_on_with_numbers(walk, path, target->numbers[i]);
    }
    return checked;
}

static enum dsl_checked go_on_with_foreign(struct dsl_check_walk *walk, const struct path *path)
{
    struct check_facts *facts = &walk->facts;
    struct dsl_check_mark mark = dsl_check_mark(facts);
    struct check_set arch = dsl_check_set_of(facts, CHECK_ARCH, ALL);
    enum dsl_checked checked = DSL_CHECKED_EQUAL;
    for (uint32_t i = 0; i < walk->target_count; i++) {
        arch.range = dsl_check_without(facts, arch.range, walk->targets[i].audit_arch);
    }
    struct check_range others = fit(facts, &arch, arch.range);
    if (others.lo <= others.hi) {
        learn(facts, CHECK_ARCH, ALL, others);
        checked = go_on(walk, path, walk->foreign);
    }
    dsl_check_rewind(facts, mark);
    return checked;
}

static enum dsl_checked go_on_with_target(struct dsl_check_walk *walk, const struct path *path, const struct check_target *target)
{
    struct check_facts *facts = &walk->facts;
    const struct check_range ours = {.lo = target->audit_arch, .hi = target->audit_arch};
    struct check_set arch = dsl_check_set_of(facts, CHECK_ARCH, ALL);
    if (!dsl_check_set_meets(facts, &arch, ours.lo, ours.hi)) {
        return DSL_CHECKED_EQUAL;
    }
    struct dsl_check_mark mark = dsl_check_mark(facts);
    learn(facts, CHECK_ARCH, ALL, ours);
    enum dsl_checked checked = go_on_with_all_numbers(walk, path, target);
    dsl_check_rewind(facts, mark);
    return checked;
}

// The path returns, or loads something other than arch and number: from here on it matters whose call it is.
static enum dsl_checked go_on_with_all(struct dsl_check_walk *walk, const struct path *path)
{
    enum dsl_checked checked = go_on_with_foreign(walk, path);
    for (uint32_t i = 0; checked == DSL_CHECKED_EQUAL && i < walk->target_count; i++) {
        checked = go_on_with_target(walk, path, &walk->targets[i]);
    }
    return checked;
}

// What one instruction does to a path.
enum outcome { OUTCOME_ON, OUTCOME_END, OUTCOME_STOP };

static enum outcome take_load(struct dsl_check_walk *walk, struct path *path, uint32_t word, enum dsl_checked *ret_checked)
{
    if (path->subject == NULL && word != CHECK_NR && word != CHECK_ARCH) {
        *ret_checked = go_on_with_all(walk, path);
        return OUTCOME_END;
    }
    bool is_long = walk->facts.steps - path->step_base > CHECK_MEMO_AFTER;
    if (path->subject != NULL && is_long && walk->about[path->pc].is_join && is_walked(walk, path)) {
        return OUTCOME_END;
    }
    if (path->subject != NULL && path->subject->rule_count > CHECK_LONG_LIST) {
        path->first_rule = dsl_check_skip_rules(path->subject, path->first_rule, &walk->facts);
    }
    path->a = (struct check_accumulator){word, ALL};
    path->pc++;
    return OUTCOME_ON;
}

static enum outcome take_insn(struct dsl_check_walk *walk, struct path *path, enum dsl_checked *ret_checked)
{
    const struct sock_filter *insn = &walk->insns[path->pc];
    switch (insn->code) {
    case BPF_LD | BPF_W | BPF_ABS:
        return take_load(walk, path, insn->k / 4, ret_checked);
    case BPF_ALU | BPF_AND | BPF_K:
        path->a.mask &= insn->k;
        path->pc++;
        return OUTCOME_ON;
    case BPF_JMP | BPF_JA:
        path->pc += 1 + insn->k;
        return OUTCOME_ON;
    case BPF_JMP | BPF_JEQ | BPF_K:
    case BPF_JMP | BPF_JGT | BPF_K:
    case BPF_JMP | BPF_JGE | BPF_K:
    case BPF_JMP | BPF_JSET | BPF_K:
        return take_test(walk, path) ? OUTCOME_ON : OUTCOME_STOP;
    case BPF_RET | BPF_K:
        *ret_checked = path->subject == NULL
                           ? go_on_with_all(walk, path)
                           : dsl_check_subject_says(walk->subjects, path->subject, path->first_rule, insn->k, &walk->facts);
        return OUTCOME_END;
    default:
        return OUTCOME_STOP;
    }
}

// Recursion: once, from the walk of arch and number into the walk of a subject.
static enum dsl_checked walk_paths(struct dsl_check_walk *walk, struct path *path)
{
    struct check_facts *facts = &walk->facts;
    for (;;) {
        enum dsl_checked checked = DSL_CHECKED_EQUAL;
        enum outcome outcome = take_insn(walk, path, &checked);
        if (outcome == OUTCOME_STOP || facts->overflowed || ++facts->steps > CHECK_WALK_STEPS) {
            return DSL_CHECKED_UNDECIDED;
        }
        if (outcome == OUTCOME_END) {
            if (checked != DSL_CHECKED_EQUAL) {
                return checked;
            }
            if (!take_fork(walk, path)) {
                return DSL_CHECKED_EQUAL;
            }
        }
    }
}

enum dsl_checked dsl_check_walk(struct dsl_check_walk *walk, struct brig_dsl_arena *arena)
{
    walk->about = read_insns(walk, arena);
    if (walk->about == NULL) {
        return DSL_CHECKED_UNDECIDED;
    }
    uint32_t depth = walk->about[0].depth + 1u;
    walk->fork_limit = depth;
    walk->forks = DSL_ARENA_ARRAY(arena, struct check_fork, depth);
    walk->memo = DSL_ARENA_NEW(arena, struct check_memo);
    if (walk->forks == NULL || walk->memo == NULL || !dsl_check_facts_init(&walk->facts, arena, 2 * depth + CHECK_MORE_FACTS)) {
        return DSL_CHECKED_UNDECIDED;
    }
    memset(walk->memo, 0, sizeof *walk->memo);
    struct path path = {.subject = NULL};
    return walk_paths(walk, &path);
}
