// check_subjects: what the rules say about a number, compared with one value that the program returns.
//
// Takes: the rules of a call (or an expression), a return value, and the facts of the path that returns it. Gives: equal if the
// rules say that value for every call with these facts. Guarantees: exact. The first rule that says another value and that some
// call may match is what is in the way. Where a rule before it that says this value matches all calls, it is not; where one may
// match, or the conditions of the first do not all hold, the facts are cut in two at a border of such a condition, and both halves
// are looked at. Recursion: each cut halves the borders of one condition; CHECK_CUTS levels, then undecided. Weaknesses: the number
// of cuts is the product over the conditions in the worst case; steps are counted, and the budget is the walk's.
#include "bpf_dsl/check_parts.h"

#include <string.h>

enum { ARGUMENTS = 6, CHECK_CUTS = 96 };

// --- reading rules ----------------------------------------------------------------------------------------------------

static bool is_same_but_one(const struct check_rule *a, const struct check_rule *b, uint32_t *ret_different)
{
    uint32_t differences = 0;
    if (a->ret != b->ret || a->count != b->count) {
        return false;
    }
    for (uint32_t i = 0; i < a->count && differences < 2; i++) {
        if (!dsl_check_same_condition(&a->conditions[i], &b->conditions[i])) {
            if (!dsl_check_same_place(&a->conditions[i], &b->conditions[i])) {
                return false;
            }
            differences++;
            *ret_different = i;
        }
    }
    return differences == 1;
}

// A growing "or" of single rules: how policies made from lists of values look.
struct joining {
    struct check_rule *rule;       // NULL: none
    struct check_condition *place; // its condition that differs from rule to rule
    struct check_span *spans;      // room for `limit`
    uint32_t count;
    uint32_t limit;
};

static void finish_joining(struct joining *joining)
{
    if (joining->rule != NULL) {
        const struct check_condition *place = joining->place;
        *joining->place = dsl_check_make_condition(place->argument, place->is_wide, place->mask, joining->spans, joining->count);
    }
    joining->rule = NULL;
}

static bool add_spans(struct joining *joining, const struct check_condition *condition, struct brig_dsl_arena *arena)
{
    if (joining->count + condition->count > joining->limit) {
        uint32_t limit = 2 * (joining->count + condition->count) + 16;
        struct check_span *spans = DSL_ARENA_ARRAY(arena, struct check_span, limit);
        if (spans == NULL) {
            return false;
        }
        if (joining->count > 0) {
            memcpy(spans, joining->spans, joining->count * sizeof *spans);
        }
        joining->spans = spans;
        joining->limit = limit;
    }
    if (condition->count > 0) {
        memcpy(joining->spans + joining->count, condition->spans, condition->count * sizeof *condition->spans);
    }
    joining->count += condition->count;
    return true;
}

// Whether a condition is "some of these bits": all that the mask can give but 0.
static bool says_some_bit(const struct check_condition *condition)
{
    return condition->count == 1 && condition->spans[0].first > 0 &&
           condition->spans[0].first <= (condition->mask & (0 - condition->mask)) && condition->spans[0].last == condition->mask;
}

// Whether it is "not all of these bits": all that the mask can give but itself.
static bool says_not_all(const struct check_condition *condition)
{
    return condition->count == 1 && condition->spans[0].first == 0 && condition->spans[0].last < condition->mask &&
           condition->spans[0].last >= (condition->mask & (condition->mask - 1));
}

// "Some of these bits" or "some of those" is "some of both", and so it is with "not all". Returns: whether `before` says that now.
static bool join_bits(struct check_rule *before, const struct check_rule *rule, struct brig_dsl_arena *arena)
{
    struct check_condition *a = before->conditions;
    const struct check_condition *b = rule->conditions;
    if (before->ret != rule->ret || before->count != 1 || rule->count != 1 || a->argument != b->argument ||
        a->is_wide != b->is_wide || !((says_some_bit(a) && says_some_bit(b)) || (says_not_all(a) && says_not_all(b)))) {
        return false;
    }
    struct check_span *spans = DSL_ARENA_NEW(arena, struct check_span);
    if (spans != NULL) {
        uint64_t mask = a->mask | b->mask;
        *spans = says_some_bit(a) ? (struct check_span){1, mask} : (struct check_span){0, mask - 1};
        *a = dsl_check_make_condition(a->argument, a->is_wide, mask, spans, 1);
    }
    return spans != NULL;
}

// Joins `rule` to the one before it where they say the same but for one condition. Returns: false when the arena is exhausted.
static bool try_join(struct joining *joining, struct check_rule *before, const struct check_rule *rule, bool *ret_joined,
                     struct brig_dsl_arena *arena)
{
    uint32_t different = 0;
    *ret_joined = false;
    if (before != NULL && joining->rule == NULL && join_bits(before, rule, arena)) {
        *ret_joined = true;
        return true;
    }
    if (before == NULL || rule->count == 0 || !is_same_but_one(before, rule, &different)) {
        return true;
    }
    struct check_condition *place = &before->conditions[different];
    if (joining->rule != NULL && joining->place != place) {
        return true;
    }
    if (joining->rule == NULL) {
        *joining = (struct joining){.rule = before, .place = place};
        if (!add_spans(joining, place, arena)) {
            return false;
        }
    }
    *ret_joined = true;
    return add_spans(joining, &rule->conditions[different], arena);
}

static bool read_rule(const struct brig_dsl_rule *source, struct brig_dsl_arena *arena, struct check_rule *ret_rule)
{
    struct check_condition *conditions = DSL_ARENA_ARRAY(arena, struct check_condition, source->condition_count);
    for (uint32_t i = 0; i < source->condition_count && conditions != NULL; i++) {
        if (!dsl_check_read_condition(&source->conditions[i], arena, &conditions[i])) {
            return false;
        }
    }
    *ret_rule = (struct check_rule){.conditions = conditions, .count = source->condition_count, .ret = source->ret};
    return conditions != NULL;
}

// Lists all conditions of a subject's rules.
static bool list_conditions(struct check_subject *subject, struct check_rule *rules, struct brig_dsl_arena *arena)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < subject->rule_count; i++) {
        count += subject->rules[i].count;
    }
    const struct check_condition **list = DSL_ARENA_ARRAY(arena, const struct check_condition *, count);
    struct check_memo *memos = DSL_ARENA_ARRAY(arena, struct check_memo, count);
    if (list == NULL || memos == NULL) {
        return false;
    }
    memset(memos, 0, count * sizeof *memos);
    subject->condition_count = 0;
    subject->conditions = list;
    for (uint32_t i = 0; i < subject->rule_count; i++) {
        rules[i].number = subject->condition_count;
        for (uint32_t k = 0; k < rules[i].count; k++) {
            struct check_condition *condition = &rules[i].conditions[k];
            if (!dsl_check_sort_lows(condition, arena)) {
                return false;
            }
            condition->memo = &memos[subject->condition_count];
            list[subject->condition_count++] = condition;
        }
    }
    return true;
}

bool dsl_check_read_rules(const struct brig_dsl_call_rules *source, struct brig_dsl_arena *arena, struct check_subject *ret_subject)
{
    *ret_subject = (struct check_subject){.ret = source->rules[0]->ret};
    struct check_rule *rules = DSL_ARENA_ARRAY(arena, struct check_rule, source->rule_count);
    struct joining joining = {.rule = NULL};
    uint32_t count = 0;
    for (uint32_t i = 0; i < source->rule_count && rules != NULL; i++) {
        bool joined = false;
        if (!read_rule(source->rules[i], arena, &rules[count]) ||
            !try_join(&joining, count > 0 ? &rules[count - 1] : NULL, &rules[count], &joined, arena)) {
            return false;
        }
        if (!joined) {
            finish_joining(&joining);
            count++;
        }
    }
    finish_joining(&joining);
    ret_subject->rules = rules;
    ret_subject->rule_count = count;
    dsl_check_mark_dead(rules, count);
    return rules != NULL && list_conditions(ret_subject, rules, arena);
}

bool dsl_check_same_rules(const struct check_subject *a, const struct check_subject *b)
{
    bool is_same = a->rule_count == b->rule_count && a->condition_count == b->condition_count;
    for (uint32_t i = 0; i < a->rule_count && is_same; i++) {
        is_same = a->rules[i].ret == b->rules[i].ret && a->rules[i].count == b->rules[i].count;
    }
    for (uint32_t i = 0; i < a->condition_count && is_same; i++) {
        is_same = dsl_check_same_condition(a->conditions[i], b->conditions[i]);
    }
    return is_same;
}

// --- reading expressions ----------------------------------------------------------------------------------------------

// An expression's test of an argument is a condition already; only its mask may be written another way.
static const struct check_condition *condition_of(struct check_subjects *subjects, uint32_t id, struct brig_dsl_arena *arena)
{
    const struct dsl_expr *node = dsl_expr_get(subjects->builder, id);
    struct check_condition *condition = DSL_ARENA_NEW(arena, struct check_condition);
    struct check_span *spans = DSL_ARENA_ARRAY(arena, struct check_span, node->count);
    if (condition == NULL || spans == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        spans[i] = (struct check_span){node->runs[i].first, node->runs[i].last};
    }
    *condition = dsl_check_make_condition(node->argument, node->bits == 64, node->mask, spans, node->count);
    return dsl_check_sort_lows(condition, arena) ? condition : NULL;
}

// Lists the conditions among the nodes that are needed.
static bool list_needed(struct check_subjects *subjects, uint32_t last, struct brig_dsl_arena *arena, struct check_subject *subject)
{
    const struct check_condition **list = DSL_ARENA_ARRAY(arena, const struct check_condition *, subject->condition_count);
    uint32_t count = 0;
    for (uint32_t id = 0; id <= last && list != NULL; id++) {
        if (subjects->needed[id] && dsl_expr_get(subjects->builder, id)->kind == DSL_EXPR_ARGUMENT) {
            if (subjects->of_expression[id] == NULL) {
                subjects->of_expression[id] = condition_of(subjects, id, arena);
            }
            list[count++] = subjects->of_expression[id];
        }
    }
    subject->conditions = list;
    return !arena->exhausted;
}

bool dsl_check_read_verdict(struct check_subjects *subjects, struct brig_dsl_verdict verdict, struct brig_dsl_arena *arena,
                            struct check_subject *ret_subject)
{
    const struct dsl_expr *root = dsl_expr_get(subjects->builder, verdict.node);
    *ret_subject = (struct check_subject){.ret = (uint32_t)root->mask};
    if (root->kind == DSL_EXPR_RET) {
        return true;
    }
    memset(subjects->needed, 0, ((size_t)verdict.node + 1) * sizeof *subjects->needed);
    subjects->needed[verdict.node] = true;
    ret_subject->verdict = root;
    for (uint32_t id = verdict.node + 1; id-- > 0;) { // parts have smaller numbers
        const struct dsl_expr *node = dsl_expr_get(subjects->builder, id);
        for (uint32_t i = 0; subjects->needed[id] && node->kind != DSL_EXPR_ARGUMENT && i < node->count; i++) {
            subjects->needed[node->parts[i]] = true;
        }
        ret_subject->condition_count += subjects->needed[id] && node->kind == DSL_EXPR_ARGUMENT;
    }
    return list_needed(subjects, verdict.node, arena, ret_subject);
}

// --- asking -----------------------------------------------------------------------------------------------------------

// Conditions that would have to be known.
struct open {
    const struct check_condition *first;         // NULL: none
    const struct check_condition *of[ARGUMENTS]; // by argument
    uint8_t arguments;                           // bit per argument: there is one
    uint8_t twice;                               // more than one
};

struct asking {
    const struct check_subjects *subjects;
    struct check_answer *answer;
    uint32_t first;        // rule that may be the first to match
    const uint64_t *given; // as in struct check_rest
    struct check_facts *facts;
    struct open open;   // of a rule, or of an expression's chain
    uint32_t open_rule; // rules before it do not match
    bool is_empty;      // no call has these facts
};

static unsigned can_of(struct asking *asking, const struct check_condition *condition)
{
    unsigned can = dsl_check_condition_can(asking->facts, condition);
    asking->is_empty |= can == 0;
    if (can == (CHECK_CAN_HOLD | CHECK_CAN_FAIL)) {
        struct open *open = &asking->open;
        uint8_t bit = (uint8_t)(1u << condition->argument);
        open->first = open->first == NULL ? condition : open->first;
        open->of[condition->argument] = (open->arguments & bit) == 0 ? condition : open->of[condition->argument];
        open->twice |= open->arguments & bit;
        open->arguments |= bit;
    }
    return can;
}

// Whether a whole low half is outside everything that the condition names: the quick end of most rules of a long list.
static bool is_far_off(const struct check_facts *facts, const struct check_condition *condition)
{
    const struct check_range *whole = &facts->words[CHECK_ARGUMENTS + 2 * condition->argument].whole;
    return (uint32_t)condition->mask == UINT32_MAX && (!condition->is_wide || condition->has_one_high) && condition->count > 0 &&
           ((uint32_t)condition->spans[condition->count - 1].last < whole->lo || (uint32_t)condition->spans[0].first > whole->hi);
}

// Whether all conditions of a rule hold. A bit each for "they can" and "they can fail"; a call that has all facts may still not
// exist.
static unsigned rule_can(struct asking *asking, const struct check_rule *rule)
{
    unsigned can = CHECK_CAN_HOLD;
    asking->facts->steps++;
    if (rule->count > 0 && is_far_off(asking->facts, &rule->conditions[0])) {
        return CHECK_CAN_FAIL;
    }
    for (uint32_t i = 0; i < rule->count && (can & CHECK_CAN_HOLD) != 0; i++) {
        unsigned one = dsl_check_given(asking->given, rule->number + i);
        one = one != 0 ? one : can_of(asking, &rule->conditions[i]);
        can = (can | (one & CHECK_CAN_FAIL)) & (one | CHECK_CAN_FAIL);
    }
    return can;
}

// The test of an expression. Recursion: DSL_EXPR_DEPTH levels.
static unsigned test_can(struct asking *asking, uint32_t id)
{
    const struct dsl_expr *node = dsl_expr_get(asking->subjects->builder, id);
    unsigned can;
    switch ((enum dsl_expr_kind)node->kind) {
    case DSL_EXPR_TRUE:
        return CHECK_CAN_HOLD;
    case DSL_EXPR_ARGUMENT:
        return can_of(asking, asking->subjects->of_expression[id]);
    case DSL_EXPR_NOT:
        can = test_can(asking, node->parts[0]);
        return (can & CHECK_CAN_HOLD ? CHECK_CAN_FAIL : 0u) | (can & CHECK_CAN_FAIL ? CHECK_CAN_HOLD : 0u);
    case DSL_EXPR_ALL:
        can = CHECK_CAN_HOLD;
        for (uint32_t i = 0; i < node->count && (can & CHECK_CAN_HOLD) != 0; i++) {
            unsigned one = test_can(asking, node->parts[i]);
            can = (can | (one & CHECK_CAN_FAIL)) & (one | CHECK_CAN_FAIL);
        }
        return can;
    case DSL_EXPR_ANY:
        can = CHECK_CAN_FAIL;
        for (uint32_t i = 0; i < node->count && (can & CHECK_CAN_FAIL) != 0; i++) {
            unsigned one = test_can(asking, node->parts[i]);
            can = (can | (one & CHECK_CAN_HOLD)) & (one | CHECK_CAN_HOLD);
        }
        return can;
    case DSL_EXPR_FALSE:
    case DSL_EXPR_RET:
    case DSL_EXPR_IF:
        break;
    }
    return CHECK_CAN_FAIL;
}

// What a list of rules comes to, or a chain of choices.
enum link { LINK_EQUAL, LINK_DIFFERENT, LINK_OPEN };

// What was open in a rule that does not match does not matter.
static void forget_open(struct asking *asking)
{
    if (asking->open.first != NULL) {
        asking->open = (struct open){.first = NULL};
    }
}

// What the rules say that calls may match, up to the first one that says another value.
struct outlook {
    const struct check_rule *contrary; // NULL: none, or all calls match a rule before it
    struct open before;                // what rules before it ask, and a condition of the one that asks about the fewest arguments
    int fewest;
};

static void note_before(struct asking *asking, uint32_t rule, struct outlook *outlook)
{
    const struct open *open = &asking->open;
    int arguments = __builtin_popcount(open->arguments);
    asking->open_rule = rule < asking->open_rule ? rule : asking->open_rule;
    outlook->before.arguments |= open->arguments;
    outlook->before.first = arguments < outlook->fewest ? open->first : outlook->before.first;
    outlook->fewest = arguments < outlook->fewest ? arguments : outlook->fewest;
}

// What is open afterwards is what the contrary rule asks.
static struct outlook look(struct asking *asking)
{
    struct outlook outlook = {.fewest = ARGUMENTS + 1};
    asking->open_rule = UINT32_MAX;
    for (uint32_t i = asking->first; i < asking->answer->subject->rule_count; i++) {
        const struct check_rule *rule = &asking->answer->subject->rules[i];
        forget_open(asking);
        unsigned can = rule_can(asking, rule);
        if ((can & CHECK_CAN_HOLD) != 0 && rule->ret != asking->answer->ret) {
            asking->open_rule = i < asking->open_rule ? i : asking->open_rule;
            outlook.contrary = rule;
            return outlook;
        }
        if (can == CHECK_CAN_HOLD) {
            return outlook;
        }
        if ((can & CHECK_CAN_HOLD) != 0) {
            note_before(asking, i, &outlook);
        }
    }
    return outlook;
}

// What to cut: an argument of the contrary rule that more than one condition is about, its own or those that may take calls away
// from it. What it alone asks of an argument can hold, and nothing else depends on it.
static const struct check_condition *choose(const struct open *contrary, const struct open *before)
{
    unsigned shared = contrary->arguments & (contrary->twice | before->arguments);
    if (shared != 0) {
        return contrary->of[__builtin_ctz(shared)];
    }
    return before->first != NULL ? before->first : contrary->first;
}

static enum link ask_rules(struct asking *asking)
{
    const struct outlook outlook = look(asking);
    if (outlook.contrary == NULL) {
        return LINK_EQUAL;
    }
    asking->answer->contrary = outlook.contrary;
    asking->open.first = choose(&asking->open, &outlook.before);
    return asking->open.first != NULL ? LINK_OPEN : LINK_DIFFERENT;
}

static enum link ask_expression(struct asking *asking)
{
    const struct dsl_expr *node = asking->answer->subject->verdict;
    while (node->kind == DSL_EXPR_IF) {
        const struct dsl_expr *then = dsl_expr_get(asking->subjects->builder, node->parts[1]);
        unsigned can = test_can(asking, node->parts[0]);
        if (can == CHECK_CAN_HOLD) {
            node = then;
            continue;
        }
        if (can != CHECK_CAN_FAIL && (then->kind != DSL_EXPR_RET || (uint32_t)then->mask != asking->answer->ret)) {
            return LINK_OPEN;
        }
        node = dsl_expr_get(asking->subjects->builder, node->parts[2]);
    }
    return (uint32_t)node->mask == asking->answer->ret ? LINK_EQUAL : LINK_DIFFERENT;
}

static enum dsl_checked ask(struct asking *asking, uint32_t cuts);

// Looks at one half of what a cut leaves: [lo, hi] of the set.
static enum dsl_checked ask_half(struct asking *asking, const struct check_cut *cut, struct check_set half, uint32_t cuts)
{
    struct check_facts *facts = asking->facts;
    struct dsl_check_mark mark = dsl_check_mark(facts);
    struct check_range range = dsl_check_fit(facts, &half);
    if (range.lo > range.hi) {
        return DSL_CHECKED_EQUAL; // no call
    }
    const struct asking was = *asking;
    asking->first = asking->answer->subject->verdict == NULL ? asking->open_rule : 0;
    dsl_check_learn(facts, cut->word, cut->mask, range);
    enum dsl_checked checked = ask(asking, cuts + 1);
    dsl_check_rewind(facts, mark);
    *asking = was;
    return checked;
}

static enum dsl_checked ask_halves(struct asking *asking, uint32_t cuts)
{
    struct check_facts *facts = asking->facts;
    struct check_cut cut;
    if (cuts == CHECK_CUTS || facts->steps > facts->step_limit || facts->overflowed ||
        !dsl_check_find_cut(facts, asking->open.first, &cut)) {
        return DSL_CHECKED_UNDECIDED;
    }
    struct check_set below = dsl_check_set_of(facts, cut.word, cut.mask);
    struct check_set above = below;
    below.range.hi = cut.border - 1;
    above.range.lo = cut.border;
    enum dsl_checked checked = ask_half(asking, &cut, below, cuts);
    return checked == DSL_CHECKED_EQUAL ? ask_half(asking, &cut, above, cuts) : checked;
}

static enum dsl_checked ask(struct asking *asking, uint32_t cuts)
{
    forget_open(asking);
    enum link link = asking->answer->subject->verdict != NULL ? ask_expression(asking) : ask_rules(asking);
    if (asking->is_empty) {
        asking->is_empty = false;
        return DSL_CHECKED_EQUAL;
    }
    switch (link) {
    case LINK_EQUAL:
        return DSL_CHECKED_EQUAL;
    case LINK_DIFFERENT:
        if (asking->open.first == NULL) {
            return dsl_check_is_possible(asking->facts) ? DSL_CHECKED_DIFFERENT : DSL_CHECKED_EQUAL;
        }
        break;
    case LINK_OPEN:
        break;
    }
    return ask_halves(asking, cuts);
}

uint32_t dsl_check_skip_rules(const struct check_subject *subject, struct check_rest rest, struct check_facts *facts)
{
    struct asking asking = {.facts = facts, .given = rest.given};
    uint32_t first = rest.first_rule;
    while (first + 1 < subject->rule_count && rule_can(&asking, &subject->rules[first]) == CHECK_CAN_FAIL) {
        first++;
    }
    return first;
}

bool dsl_check_is_out(const struct check_rule *rule, const uint64_t *given, struct check_facts *facts)
{
    struct asking asking = {.facts = facts, .given = given};
    return (rule_can(&asking, rule) & CHECK_CAN_HOLD) == 0;
}

enum dsl_checked dsl_check_subject_says(const struct check_subjects *subjects, struct check_answer *answer,
                                        struct check_facts *facts)
{
    const struct check_subject *subject = answer->subject;
    answer->contrary = NULL;
    if (subject->rule_count == 0 && subject->verdict == NULL) {
        bool differs = subject->ret != answer->ret && dsl_check_is_possible(facts);
        return differs ? DSL_CHECKED_DIFFERENT : DSL_CHECKED_EQUAL;
    }
    struct asking asking = {
        .subjects = subjects, .answer = answer, .first = answer->rest.first_rule, .given = answer->rest.given, .facts = facts};
    return ask(&asking, 0);
}
