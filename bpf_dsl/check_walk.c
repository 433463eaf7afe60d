// dsl_check_walk: all paths of a program.
//
// Takes: a valid program and what must be said about every number. Gives: whether it says that. How: first the paths that look at
// arch and number only; where one of them returns, or loads anything else, it goes on once for each different thing that must be
// said about the numbers that come here. Every test splits the facts of a path; a side without any value left is not walked; at a
// return dsl_check_subject_says compares. Guarantees: exact; what it does not follow (M[], arithmetic but "and" with a word, "sub"
// and a constant shifted by a word) makes it undecided, never equal. What it does with what it finds out is a matter of manner, of
// which check_rules.c chooses. Weaknesses: steps are counted, dsl_check_input.steps of them, and where they end nothing is known;
// sides that calls take only if facts are forgotten count as taken.
#include "bpf_dsl/check_parts.h"
#include "bpf_dsl/clean.h"

#include <linux/filter.h>
#include <string.h>

enum {
    CHECK_JOINS_AFTER = 400, // steps on one subject before joins are remembered: most need fewer
    CHECK_MANY_MASKS = 12,   // facts about one word from which on they are forgotten rather than asked again and again
    CHECK_LONG_LIST = 12,    // rules from which on it pays to pass over those that are out
    CHECK_MORE_FACTS = 256,  // beyond one per instruction of a path: cuts, and numbers picked out
    CHECK_SIDES = 36,        // most sides of one of them, with the test of its distance
};

#define ALL UINT32_MAX

static struct check_rest rest_of(const struct check_path *path)
{
    return (struct check_rest){path->first_rule, path->rest.given};
}

// --- tests ------------------------------------------------------------------------------------------------------------

static bool is_known(const struct check_facts *facts, uint32_t word, uint32_t mask, const struct check_range *range)
{
    const struct check_range known = dsl_check_set_of(facts, word, mask).range;
    return known.lo == range->lo && known.hi == range->hi && known.hole == range->hole;
}

// A whole word that is known already is noticed where it is learned.
static void learn(struct check_facts *facts, uint32_t word, uint32_t mask, const struct check_range *range)
{
    if (mask == ALL || !is_known(facts, word, mask, range)) {
        dsl_check_learn(facts, word, mask, *range);
    }
}

// Notes that calls go from the test at hand to `pc`.
static void note_taken(struct dsl_check_walk *walk, const struct check_path *path, uint32_t pc)
{
    if (walk->taken == NULL) {
        return;
    }
    unsigned char side = pc == path->pc + 1 + walk->insns[path->pc].jt ? DSL_TAKEN_YES : DSL_TAKEN_NO;
    if (path->manner == CHECK_RULE_BY_RULE) {
        walk->seen[path->pc] |= side;
        return;
    }
    walk->taken[path->pc] |= side;
    if (path->manner == CHECK_FOR_SIDES) {
        walk->seen[path->pc] &= (unsigned char)~side;
    }
}

// Notes that a walk rule by rule goes from a test to `pc`.
static void note_gone(struct dsl_check_walk *walk, uint32_t test, uint32_t pc)
{
    unsigned char side = pc == test + 1 + walk->insns[test].jt ? DSL_TAKEN_YES : DSL_TAKEN_NO;
    if (walk->taken != NULL && (walk->taken[test] & side) == 0) {
        walk->new_test = test;
        walk->new_side = side;
    }
}

// Where both sides of a test go before one of them is kept.
static struct check_sides *next_sides(const struct dsl_check_walk *walk, const struct check_path *path)
{
    return &walk->forks[path->fork_count].sides;
}

// Keeps side `no` of what stands there for later, unless no call goes there. Returns: false when there is no room.
static bool keep_side(struct dsl_check_walk *walk, struct check_path *path, uint32_t pc)
{
    struct check_fork *fork = &walk->forks[path->fork_count];
    if (dsl_check_is_empty(&fork->sides.no)) {
        return true;
    }
    if (path->fork_count == walk->fork_limit) {
        return false;
    }
    note_taken(walk, path, pc);
    fork->test = path->pc;
    fork->pc = pc;
    fork->rest = path->rest;
    fork->first_rule = path->first_rule;
    fork->claim = NULL;
    fork->a = path->a;
    fork->x = path->x;
    fork->mark = dsl_check_mark(&walk->facts);
    path->fork_count++;
    return true;
}

// Goes on with one side of a test and keeps the other for later. Returns: false when there is no room to keep it.
static bool take_test(struct dsl_check_walk *walk, struct check_path *path)
{
    const struct sock_filter *insn = &walk->insns[path->pc];
    struct check_sides *sides = next_sides(walk, path);
    dsl_check_sides(&walk->facts, &path->a, insn, sides);
    uint32_t yes = path->pc + 1 + insn->jt;
    uint32_t no = path->pc + 1 + insn->jf;
    bool can_yes = !dsl_check_is_empty(&sides->yes);
    if (can_yes && !keep_side(walk, path, no)) {
        return false;
    }
    // Where both sides are empty no call comes here, and any side will do.
    learn(&walk->facts, sides->word, sides->mask, can_yes ? &sides->yes : &sides->no);
    if (can_yes || !dsl_check_is_empty(&sides->no)) {
        note_taken(walk, path, can_yes ? yes : no);
        note_gone(walk, path->pc, can_yes ? yes : no);
    }
    path->pc = can_yes ? yes : no;
    return true;
}

// Goes back to the latest side that is left; claims above it were found to hold. Returns: false when there is none left.
static bool take_fork(struct dsl_check_walk *walk, struct check_path *path)
{
    while (path->fork_count > path->fork_base) {
        const struct check_fork *fork = &walk->forks[--path->fork_count];
        dsl_check_rewind(&walk->facts, fork->mark);
        if (fork->claim != NULL) {
            dsl_check_note_held(fork->claim);
            continue;
        }
        learn(&walk->facts, fork->sides.word, fork->sides.mask, &fork->sides.no);
        note_gone(walk, fork->test, fork->pc);
        path->pc = fork->pc;
        path->rest = fork->rest;
        path->first_rule = fork->first_rule;
        path->a = fork->a;
        path->x = fork->x;
        return true;
    }
    return false;
}

// --- shifted words ----------------------------------------------------------------------------------------------------

// Keeps values first .. last for later.
static bool keep_part(struct dsl_check_walk *walk, struct check_path *path, uint32_t pc, const struct check_shifted *shifted,
                      struct check_range values)
{
    struct check_sides *sides = next_sides(walk, path);
    sides->word = shifted->word;
    sides->mask = shifted->mask;
    sides->no = dsl_check_part(&walk->facts, shifted->word, shifted->mask, values);
    return keep_side(walk, path, pc);
}

// "Word - minus is above k": what is not from minus up to minus + k. Returns: false for what is not followed.
static bool take_distance(struct dsl_check_walk *walk, struct check_path *path, const struct sock_filter *insn)
{
    const struct check_shifted shifted = dsl_check_shifted(&walk->facts, &path->a);
    uint32_t minus = shifted.minus;
    uint32_t k = insn->k - (BPF_OP(insn->code) == BPF_JGE);
    bool is_followed = BPF_OP(insn->code) == BPF_JGT || (BPF_OP(insn->code) == BPF_JGE && insn->k > 0);
    if (!is_followed || minus > ALL - k) {
        return false;
    }
    uint32_t far = path->pc + 1 + insn->jt;
    uint32_t near = path->pc + 1 + insn->jf;
    return (minus == 0 || keep_part(walk, path, far, &shifted, (struct check_range){.lo = 0, .hi = minus - 1})) &&
           (minus + k == ALL || keep_part(walk, path, far, &shifted, (struct check_range){.lo = minus + k + 1, .hi = ALL})) &&
           keep_part(walk, path, near, &shifted, (struct check_range){.lo = minus, .hi = minus + k});
}

// "Some of these bits, shifted by the word": values one after the other that go the same way go together.
static bool take_pick(struct dsl_check_walk *walk, struct check_path *path, const struct sock_filter *insn)
{
    const struct check_shifted shifted = dsl_check_shifted(&walk->facts, &path->a);
    if (BPF_OP(insn->code) != BPF_JSET || !dsl_check_is_bit_number(&shifted)) {
        return false;
    }
    uint32_t last = shifted.set.range.hi - shifted.minus;
    uint32_t first = shifted.set.range.lo - shifted.minus; // of the values that go together
    for (uint32_t at = first; at <= last; at++) {
        bool is_yes = (path->a.bits >> at & insn->k) != 0;
        bool is_end = at == last || ((path->a.bits >> (at + 1) & insn->k) != 0) != is_yes;
        struct check_range together = {.lo = shifted.minus + first, .hi = shifted.minus + at};
        if (is_end && !keep_part(walk, path, path->pc + 1 + (is_yes ? insn->jt : insn->jf), &shifted, together)) {
            return false;
        }
        first = is_end ? at + 1 : first;
    }
    return true;
}

// --- paths ------------------------------------------------------------------------------------------------------------

static enum dsl_checked walk_paths(struct dsl_check_walk *walk, struct check_path *path);

// Walks with what is left of the budget, up to so many steps.
enum dsl_checked dsl_check_walk_again(struct dsl_check_walk *walk, const struct check_path *start, enum check_manner manner,
                                      uint32_t patience)
{
    struct check_facts *facts = &walk->facts;
    struct check_path path = *start;
    const struct dsl_check_mark mark = dsl_check_mark(facts);
    const size_t used_bytes = walk->arena->used_bytes;
    const uint32_t step_limit = facts->step_limit;
    if (facts->steps >= step_limit) {
        return DSL_CHECKED_UNDECIDED;
    }
    if (patience < step_limit - facts->steps) {
        facts->step_limit = facts->steps + patience;
    }
    path.manner = manner;
    facts->overflowed = false;
    enum dsl_checked checked = walk_paths(walk, &path);
    facts->step_limit = step_limit;
    dsl_check_rewind(facts, mark);
    walk->joins = NULL;
    if (!walk->arena->exhausted) {
        dsl_arena_rewind(walk->arena, used_bytes);
    }
    return checked;
}

bool dsl_check_follow(struct dsl_check_walk *walk, const struct check_path *start)
{
    struct check_path path = *start;
    path.manner = CHECK_RULE_BY_RULE;
    walk->is_following = true;
    walk->has_arrived = false;
    walk_paths(walk, &path);
    walk->is_following = false;
    // Searches that end early let ways pass that no call takes; they may do so here and not have done so there.
    return walk->has_arrived && dsl_check_is_possible(&walk->facts) && !walk->facts.overflowed;
}

// What to do with each subject that the facts about arch and number leave: compare what is returned, or go on.
static enum dsl_checked go_on(struct dsl_check_walk *walk, const struct check_path *path, const struct check_subject *subject)
{
    const struct sock_filter *insn = &walk->insns[path->pc];
    walk->nr = walk->facts.words[CHECK_NR].whole.lo;
    if (walk->facts.overflowed) {
        return DSL_CHECKED_UNDECIDED;
    }
    if (insn->code == (BPF_RET | BPF_K)) {
        struct check_answer answer = {.subject = subject, .ret = insn->k};
        return dsl_check_subject_says(walk->subjects, &answer, &walk->facts);
    }
    const struct check_path start = {.subject = subject,
                                     .pc = path->pc,
                                     .a = path->a,
                                     .x = path->x,
                                     .fork_count = path->fork_count,
                                     .fork_base = path->fork_count,
                                     .step_base = walk->facts.steps};
    return subject->rule_count > 0 ? dsl_check_walk_rules(walk, &start)
                                   : dsl_check_walk_again(walk, &start, CHECK_WITH_FACTS, UINT32_MAX);
}

static enum dsl_checked go_on_with_numbers(struct dsl_check_walk *walk, const struct check_path *path, struct check_numbers numbers)
{
    struct check_facts *facts = &walk->facts;
    const struct sock_filter *insn = &walk->insns[path->pc];
    bool is_constant = numbers.subject->rule_count == 0 && numbers.subject->verdict == NULL;
    if (insn->code == (BPF_RET | BPF_K) && is_constant && insn->k == numbers.subject->ret) {
        return DSL_CHECKED_EQUAL;
    }
    struct check_range part = dsl_check_part(facts, CHECK_NR, ALL, (struct check_range){.lo = numbers.first, .hi = numbers.last});
    if (dsl_check_is_empty(&part)) {
        return DSL_CHECKED_EQUAL;
    }
    struct dsl_check_mark mark = dsl_check_mark(facts);
    learn(facts, CHECK_NR, ALL, &part);
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

static enum dsl_checked go_on_with_all_numbers(struct dsl_check_walk *walk, const struct check_path *path,
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

// `arch` is what is known of it.
static enum dsl_checked go_on_with_foreign(struct dsl_check_walk *walk, const struct check_path *path, struct check_set arch)
{
    struct check_facts *facts = &walk->facts;
    struct dsl_check_mark mark = dsl_check_mark(facts);
    for (uint32_t i = 0; i < walk->target_count; i++) {
        arch.range = dsl_check_without(facts, arch.range, walk->targets[i].audit_arch);
    }
    enum dsl_checked checked = DSL_CHECKED_EQUAL;
    // Mostly nobody is left: the way has found out whose it is.
    struct check_range others = dsl_check_is_empty(&arch.range) ? arch.range : dsl_check_fit(facts, &arch);
    if (!dsl_check_is_empty(&others)) {
        learn(facts, CHECK_ARCH, ALL, &others);
        checked = go_on(walk, path, walk->foreign);
    }
    dsl_check_rewind(facts, mark);
    return checked;
}

static enum dsl_checked go_on_with_target(struct dsl_check_walk *walk, const struct check_path *path,
                                          const struct check_target *target)
{
    struct check_facts *facts = &walk->facts;
    const struct check_range ours = {.lo = target->audit_arch, .hi = target->audit_arch};
    struct dsl_check_mark mark = dsl_check_mark(facts);
    learn(facts, CHECK_ARCH, ALL, &ours);
    enum dsl_checked checked = go_on_with_all_numbers(walk, path, target);
    dsl_check_rewind(facts, mark);
    return checked;
}

// What comes here is all of one arch, as on most ways.
static enum dsl_checked go_on_with_arch(struct dsl_check_walk *walk, const struct check_path *path, uint32_t audit_arch)
{
    for (uint32_t i = 0; i < walk->target_count; i++) {
        if (walk->targets[i].audit_arch == audit_arch) {
            return go_on_with_all_numbers(walk, path, &walk->targets[i]);
        }
    }
    return go_on(walk, path, walk->foreign);
}

// The path returns, or loads something other than arch and number: from here on it matters whose call it is.
static enum dsl_checked go_on_with_all(struct dsl_check_walk *walk, const struct check_path *path)
{
    struct check_facts *facts = &walk->facts;
    const struct check_range *known = &facts->words[CHECK_ARCH].whole;
    if (known->lo == known->hi) {
        return go_on_with_arch(walk, path, known->lo);
    }
    const struct check_set arch = dsl_check_set_of(facts, CHECK_ARCH, ALL);
    enum dsl_checked checked = go_on_with_foreign(walk, path, arch);
    for (uint32_t i = 0; checked == DSL_CHECKED_EQUAL && i < walk->target_count; i++) {
        const struct check_target *target = &walk->targets[i];
        bool is_here = dsl_check_set_meets(facts, &arch, target->audit_arch, target->audit_arch);
        checked = is_here ? go_on_with_target(walk, path, target) : DSL_CHECKED_EQUAL;
    }
    return checked;
}

// What one instruction does to a path.
enum outcome { OUTCOME_ON, OUTCOME_END, OUTCOME_STOP };

// Whether much is known of a word, which makes each question about it dear.
static bool has_many_masks(const struct check_facts *facts, uint32_t word)
{
    uint32_t masks = 0;
    for (uint32_t at = facts->words[word].masked; at != 0 && masks <= CHECK_MANY_MASKS; at = facts->nodes[at - 1].next) {
        masks++;
    }
    return masks > CHECK_MANY_MASKS;
}

// Whether to look for what was walked already. Most programs are walked before it pays to.
static bool is_worth_it(struct dsl_check_walk *walk, const struct check_path *path, uint32_t word)
{
    if (walk->facts.steps - path->step_base <= CHECK_JOINS_AFTER && path->manner != CHECK_WITH_CLAIMS) {
        return false;
    }
    if (!walk->is_read) {
        dsl_check_read_insns(walk);
    }
    return walk->about[path->pc].ways > 1 || (path->manner == CHECK_WITH_CLAIMS && has_many_masks(&walk->facts, word));
}

static enum outcome take_load(struct dsl_check_walk *walk, struct check_path *path, uint32_t word, enum dsl_checked *ret_checked)
{
    bool is_whole = path->subject != NULL && path->manner != CHECK_RULE_BY_RULE && path->manner != CHECK_FOR_SIDES;
    if (path->subject == NULL && word != CHECK_NR && word != CHECK_ARCH) {
        *ret_checked = go_on_with_all(walk, path);
        return OUTCOME_END;
    }
    if (is_whole && is_worth_it(walk, path, word) && dsl_check_is_walked(walk, path)) {
        return OUTCOME_END;
    }
    if (is_whole && path->subject->rule_count > CHECK_LONG_LIST) {
        path->first_rule = dsl_check_skip_rules(path->subject, rest_of(path), &walk->facts);
    }
    path->a = (struct check_register){.word = word, .mask = ALL};
    path->pc++;
    return OUTCOME_ON;
}

// A conditional jump: goes on with one side, or keeps all sides and ends.
static enum outcome take_jump(struct dsl_check_walk *walk, struct check_path *path)
{
    const struct sock_filter *insn = &walk->insns[path->pc];
    if (path->a.held == CHECK_HELD_WORD && path->a.minus == 0) {
        return take_test(walk, path) ? OUTCOME_ON : OUTCOME_STOP;
    }
    if (path->a.held == CHECK_HELD_WORD) {
        return take_distance(walk, path, insn) ? OUTCOME_END : OUTCOME_STOP;
    }
    return path->a.held == CHECK_HELD_PICKED && take_pick(walk, path, insn) ? OUTCOME_END : OUTCOME_STOP;
}

static bool is_word_a_bit_number(const struct dsl_check_walk *walk, const struct check_register *held)
{
    const struct check_shifted shifted = dsl_check_shifted(&walk->facts, held);
    return dsl_check_is_bit_number(&shifted);
}

// What is computed without looking at a word. Returns: false for what is not followed.
static bool compute(struct dsl_check_walk *walk, struct check_path *path)
{
    const struct sock_filter *insn = &walk->insns[path->pc];
    struct check_register *a = &path->a;
    switch (insn->code) {
    case BPF_ALU | BPF_AND | BPF_K:
        a->mask &= insn->k;
        return a->held == CHECK_HELD_WORD && a->minus == 0;
    case BPF_ALU | BPF_SUB | BPF_K:
        a->minus += insn->k;
        return a->held == CHECK_HELD_WORD;
    case BPF_MISC | BPF_TAX:
        path->x = *a;
        return true;
    case BPF_LD | BPF_W | BPF_IMM:
        *a = (struct check_register){.held = CHECK_HELD_CONSTANT, .bits = insn->k};
        return true;
    case BPF_ALU | BPF_RSH | BPF_X:
        if (a->held != CHECK_HELD_CONSTANT || path->x.held != CHECK_HELD_WORD || !is_word_a_bit_number(walk, &path->x)) {
            return false;
        }
        *a = (struct check_register){CHECK_HELD_PICKED, path->x.word, path->x.mask, path->x.minus, a->bits};
        return true;
    default:
        return false;
    }
}

// A mistake is one of the claim above it, if there is one.
static enum dsl_checked take_return(struct dsl_check_walk *walk, struct check_path *path, uint32_t ret)
{
    if (path->manner == CHECK_RULE_BY_RULE) {
        path->first_rule = dsl_check_pass_rules(walk, path);
    }
    struct check_answer answer = {.subject = path->subject, .rest = rest_of(path), .ret = ret};
    enum dsl_checked checked = dsl_check_subject_says(walk->subjects, &answer, &walk->facts);
    path->contrary = answer.contrary;
    return checked;
}

// Whether the path, of a walk rule by rule, came to a gate. Where it ends, calls are made up that go its way.
static bool take_end(struct dsl_check_walk *walk, const struct check_path *path)
{
    bool is_at_gate = dsl_check_is_at_gate(walk, path);
    if (walk->new_side != 0 && (is_at_gate || BPF_CLASS(walk->insns[path->pc].code) == BPF_RET)) {
        dsl_check_try_calls(walk, walk->rules);
        walk->new_side = 0;
    }
    walk->has_arrived |= is_at_gate;
    return is_at_gate;
}

// Whether a walk for sides may find one of them from here on.
static bool has_sides_below(struct dsl_check_walk *walk, const struct check_path *path)
{
    while (walk->seen_end > 0 && walk->seen[walk->seen_end - 1] == 0) {
        walk->seen_end--;
    }
    return path->pc < walk->seen_end && BPF_CLASS(walk->insns[path->pc].code) != BPF_RET;
}

static enum outcome take_insn(struct dsl_check_walk *walk, struct check_path *path, enum dsl_checked *ret_checked)
{
    const struct sock_filter *insn = &walk->insns[path->pc];
    if (path->manner == CHECK_RULE_BY_RULE && take_end(walk, path)) {
        return walk->is_following ? OUTCOME_STOP : OUTCOME_END;
    }
    if (path->manner == CHECK_FOR_SIDES && !has_sides_below(walk, path)) {
        return OUTCOME_END;
    }
    switch (insn->code) {
    case BPF_LD | BPF_W | BPF_ABS:
        return take_load(walk, path, insn->k / 4, ret_checked);
    case BPF_JMP | BPF_JA:
        path->pc += 1 + insn->k;
        return OUTCOME_ON;
    case BPF_JMP | BPF_JEQ | BPF_K:
    case BPF_JMP | BPF_JGT | BPF_K:
    case BPF_JMP | BPF_JGE | BPF_K:
    case BPF_JMP | BPF_JSET | BPF_K:
        return take_jump(walk, path);
    case BPF_RET | BPF_K:
        *ret_checked = path->subject == NULL ? go_on_with_all(walk, path) : take_return(walk, path, insn->k);
        return OUTCOME_END;
    default:
        if (!compute(walk, path)) {
            return OUTCOME_STOP;
        }
        path->pc++;
        return OUTCOME_ON;
    }
}

// Recursion: once, from the walk of arch and number into that of a subject, which may be walked up to three times.
static enum dsl_checked walk_paths(struct dsl_check_walk *walk, struct check_path *path)
{
    struct check_facts *facts = &walk->facts;
    for (;;) {
        enum dsl_checked checked = DSL_CHECKED_EQUAL;
        enum outcome outcome = take_insn(walk, path, &checked);
        if (outcome == OUTCOME_STOP || facts->overflowed || ++facts->steps > facts->step_limit) {
            return DSL_CHECKED_UNDECIDED;
        }
        if (outcome == OUTCOME_END && checked != DSL_CHECKED_EQUAL && !dsl_check_drop_claim(walk, path, &checked)) {
            return checked;
        }
        if (outcome == OUTCOME_END && checked == DSL_CHECKED_EQUAL && !take_fork(walk, path)) {
            return DSL_CHECKED_EQUAL;
        }
    }
}

enum dsl_checked dsl_check_walk(struct dsl_check_walk *walk, struct brig_dsl_arena *arena)
{
    uint32_t depth;
    uint32_t picks;
    walk->about = DSL_ARENA_ARRAY(arena, struct check_insn, walk->insn_count);
    if (walk->about == NULL || !dsl_check_measure(walk, arena, &depth, &picks)) {
        return DSL_CHECKED_UNDECIDED;
    }
    depth++;
    walk->fork_limit = 2 * depth + CHECK_SIDES * picks;
    walk->forks = DSL_ARENA_ARRAY(arena, struct check_fork, walk->fork_limit + 1);
    walk->arena = arena;
    if (walk->forks == NULL || !dsl_check_facts_init(&walk->facts, arena, 2 * depth + CHECK_MORE_FACTS, walk->steps)) {
        return DSL_CHECKED_UNDECIDED;
    }
    struct check_path path = {.subject = NULL};
    return walk_paths(walk, &path);
}
