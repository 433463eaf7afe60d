// minijail_filters: what stands behind a colon: conditions on arg0 to arg5 with what is done where they hold.
//
// Takes: tokens. Gives: filters in order, the first that holds decides. Guarantees: at most the last one is unconditional.
//
// minijail has two readers of its policies, and they read one form the opposite way. "read: arg0 == 1; return EPERM" is, for
// minijail0 and its man page, allowed where it holds and EPERM elsewhere; for compile_seccomp_policy it is EPERM where it holds.
// The man page decides here. All other forms are read by one of the two only, and mean what they mean there: a list in braces, an
// action other than return behind a condition (which gets a warning, being so close to the first form), all of a denylist.
//
// As in minijail conditions are an OR of ANDs of comparisons, unsigned, of all of a register. One that the width of registers
// decides alone ("arg1 & O_RDONLY", which is 0) is left out, with a warning.
#include <stdio.h>
#include <string.h>

#include "tools/import/minijail.h"

// --- comparisons ------------------------------------------------------------------------------------------------------

// A value for which a comparison has one answer for all arguments.
enum edge { EDGE_NONE, EDGE_ZERO, EDGE_MAX };

static const struct comparison {
    char text[3];
    uint8_t op; // enum brig_dsl_operator
    int8_t add; // to the value
    uint8_t edge;
    bool edge_holds;
} comparisons[] = {
    {"==", BRIG_DSL_IN, 0, EDGE_NONE, false},      {"!=", BRIG_DSL_NOT_IN, 0, EDGE_NONE, false},
    {"<", BRIG_DSL_AT_MOST, -1, EDGE_ZERO, false}, {"<=", BRIG_DSL_AT_MOST, 0, EDGE_MAX, true},
    {">", BRIG_DSL_AT_LEAST, 1, EDGE_MAX, false},  {">=", BRIG_DSL_AT_LEAST, 0, EDGE_ZERO, true},
    {"&", BRIG_DSL_ANY_BITS, 0, EDGE_ZERO, false}, {"in", BRIG_DSL_ONLY_BITS, 0, EDGE_MAX, true},
};

// Comparisons joined by &&, as they are read.
struct atom {
    enum brig_dsl_operator op;
    unsigned reg;
    uint64_t value;
};
struct clause {
    struct atom *atoms;
    size_t atom_count;
    bool never; // one of them cannot hold
};
enum { ATOMS_LIMIT = 1000 };

// Makes room for one more item; arrays have a power of two. Returns: the array, moved if it had to grow; NULL if there is no
// memory.
static void *grow(struct import_memory *memory, void *items, size_t count, size_t item_bytes)
{
    if ((count & (count - 1)) != 0) {
        return items;
    }
    void *larger = import_alloc(memory, (count == 0 ? 1 : 2 * count) * item_bytes);
    if (larger != NULL && count > 0) {
        memcpy(larger, items, count * item_bytes);
    }
    return larger;
}

static bool is_argument(const struct minijail_token *token)
{
    return token->kind == MINIJAIL_WORD && token->text_bytes >= 3 && memcmp(token->text, "arg", 3) == 0;
}

static unsigned read_argument(struct minijail *mj)
{
    struct minijail_token token = mj->file->token;
    if (!is_argument(&token)) {
        minijail_expected(mj, minijail_is(mj, "(") || minijail_is(mj, "!") ? "arg0 to arg5 (only values have parentheses)"
                                                                           : "arg0 to arg5");
        return 0;
    }
    if (token.text_bytes != 4 || token.text[3] < '0' || token.text[3] > '5') {
        minijail_fail(mj, token.place, NULL, "there is no argument '%.*s'; a filter sees arg0 to arg5", minijail_shown(&token),
                      token.text);
        return 0;
    }
    minijail_advance(mj);
    return (unsigned)(token.text[3] - '0');
}

static const struct comparison *read_comparison(struct minijail *mj)
{
    for (size_t i = 0; i < sizeof comparisons / sizeof comparisons[0]; i++) {
        if (minijail_accept(mj, comparisons[i].text)) {
            return &comparisons[i];
        }
    }
    minijail_expected(mj, "one of == != < <= > >= & in");
    return NULL;
}

static bool is_at_edge(const struct minijail *mj, const struct comparison *comparison, uint64_t value)
{
    switch (comparison->edge) {
    case EDGE_ZERO:
        return value == 0;
    case EDGE_MAX:
        return value == minijail_register_max(mj);
    default:
        return false;
    }
}

// Reads "arg0 == VALUE" and adds it to `clause`.
static void read_condition(struct minijail *mj, struct clause *clause, bool is_skipped)
{
    struct minijail_token token = mj->file->token;
    unsigned reg = read_argument(mj);
    const struct comparison *comparison = read_comparison(mj);
    uint64_t value = minijail_read_value(mj, is_skipped);
    if (mj->has_failed || is_skipped) {
        return;
    }
    if (is_at_edge(mj, comparison, value)) {
        clause->never |= !comparison->edge_holds;
        import_warn(mj->memory, token.place.file, token.place.line, "'arg%u %s %s' %s holds on %s", reg, comparison->text,
                    value == 0 ? "0" : "~0", comparison->edge_holds ? "always" : "never", brig_dsl_arch_name(mj->arch));
        return;
    }
    if (clause->atom_count == ATOMS_LIMIT) {
        minijail_fail(mj, token.place, NULL, "more than %d conditions are joined by &&", ATOMS_LIMIT);
        return;
    }
    clause->atoms = grow(mj->memory, clause->atoms, clause->atom_count, sizeof *clause->atoms);
    if (clause->atoms != NULL) {
        clause->atoms[clause->atom_count++] = (struct atom){
            .op = (enum brig_dsl_operator)comparison->op, .reg = reg, .value = value + (uint64_t)(int64_t)comparison->add};
    }
}

// --- expressions ------------------------------------------------------------------------------------------------------

// Clauses as they are read.
struct clauses {
    struct minijail_clause *items;
    size_t count;
};

// Makes one condition of `atoms[at]` and, where that is !=, of all others of its register. Returns: false if an earlier one has it.
static bool make_condition(struct minijail *mj, const struct clause *clause, size_t at, struct brig_dsl_condition *ret_condition)
{
    uint64_t values[ATOMS_LIMIT];
    size_t value_count = 0;
    const struct atom *first = &clause->atoms[at];
    for (size_t i = 0; first->op == BRIG_DSL_NOT_IN && i < clause->atom_count; i++) {
        const struct atom *atom = &clause->atoms[i];
        if (atom->op == first->op && atom->reg == first->reg) {
            if (i < at) {
                return false;
            }
            values[value_count++] = atom->value;
        }
    }
    *ret_condition = first->op == BRIG_DSL_NOT_IN ? import_condition(mj->memory, first->op, first->reg, values, value_count)
                                                  : import_condition(mj->memory, first->op, first->reg, &first->value, 1);
    return true;
}

static void read_clause(struct minijail *mj, struct clauses *clauses, bool is_skipped)
{
    struct clause clause = {.never = false};
    struct minijail_clause made = {.condition_count = 0};
    do {
        read_condition(mj, &clause, is_skipped);
    } while (minijail_accept(mj, "&&"));
    if (clause.never || mj->has_failed) {
        return;
    }
    struct brig_dsl_condition *conditions = import_alloc(mj->memory, clause.atom_count * sizeof *conditions + 1);
    for (size_t i = 0; i < clause.atom_count && conditions != NULL; i++) {
        made.condition_count += make_condition(mj, &clause, i, &conditions[made.condition_count]);
    }
    made.conditions = conditions;
    clauses->items = grow(mj->memory, clauses->items, clauses->count, sizeof *clauses->items);
    if (clauses->items != NULL) {
        clauses->items[clauses->count++] = made;
    }
}

static struct clauses read_expression(struct minijail *mj, bool is_skipped)
{
    struct clauses clauses = {.items = NULL};
    do {
        read_clause(mj, &clauses, is_skipped);
    } while (minijail_accept(mj, "||"));
    return clauses;
}

// --- actions ----------------------------------------------------------------------------------------------------------

static const struct action {
    const char *name;
    enum brig_dsl_verb verb;
    bool is_default; // may stand behind @default
} actions[] = {
    {"allow", BRIG_DSL_ALLOW, false},
    {"kill", BRIG_DSL_KILL_PROCESS, true},
    {"kill-process", BRIG_DSL_KILL_PROCESS, true},
    {"kill-thread", BRIG_DSL_KILL_THREAD, true},
    {"trap", BRIG_DSL_TRAP, true},
    {"trace", BRIG_DSL_TRACE, false},
    {"log", BRIG_DSL_LOG, false},
    {"user-notify", BRIG_DSL_NOTIFY, true},
};
enum { ACTION_COUNT = sizeof actions / sizeof actions[0] };

static const struct action *read_named_action(struct minijail *mj, bool is_default)
{
    const struct minijail_token *token = &mj->file->token;
    const char *names[ACTION_COUNT + 1];
    size_t name_count = 0;
    char name[32];
    if (!is_default) {
        names[name_count++] = "return";
    }
    for (size_t i = 0; i < ACTION_COUNT; i++) {
        if (actions[i].is_default || !is_default) {
            names[name_count++] = actions[i].name;
            if (minijail_accept(mj, actions[i].name)) {
                return &actions[i];
            }
        }
    }
    if (token->kind != MINIJAIL_WORD) {
        minijail_expected(mj, "an action");
        return NULL;
    }
    snprintf(name, sizeof name, "%.*s", minijail_shown(token) < 31 ? minijail_shown(token) : 31, token->text);
    minijail_fail(mj, token->place, import_closest(name, names, name_count),
                  is_default ? "'%.*s' is no default; known are kill, kill-process, kill-thread, trap, user-notify"
                             : "there is no action '%.*s'",
                  minijail_shown(token), token->text);
    return NULL;
}

// What follows "return". Without an errno it is what the policy does by default, as in minijail0.
static struct brig_dsl_action read_return(struct minijail *mj, bool is_skipped)
{
    struct import_place place = mj->file->token.place;
    bool is_bare = mj->file->token.kind == MINIJAIL_LINE_END || minijail_is(mj, ",") || minijail_is(mj, "}");
    if (is_bare && !mj->is_denylist) {
        return (struct brig_dsl_action){.verb = BRIG_DSL_VERB_NONE};
    }
    uint64_t number = minijail_read_constant(mj, is_skipped);
    if (number > 4095) {
        minijail_fail(mj, place, NULL, "an errno is a number from 0 to 4095");
    }
    return (struct brig_dsl_action){.verb = BRIG_DSL_DENY, .data = (uint16_t)number};
}

static struct brig_dsl_action read_action(struct minijail *mj, bool is_skipped)
{
    struct import_place place = mj->file->token.place;
    const struct action *action;
    if (minijail_accept(mj, "return")) {
        return read_return(mj, is_skipped);
    }
    if (mj->is_denylist) {
        minijail_expected(mj, "'return', which is all that a denylist does");
    }
    if (mj->file->token.kind == MINIJAIL_NUMBER) {
        if (minijail_read_constant(mj, is_skipped) != 1) {
            minijail_fail(mj, place, NULL, "the only number that is an action is 1, which allows");
        }
        return (struct brig_dsl_action){.verb = BRIG_DSL_ALLOW};
    }
    action = read_named_action(mj, false);
    return (struct brig_dsl_action){.verb = action == NULL ? BRIG_DSL_VERB_NONE : action->verb};
}

struct brig_dsl_action minijail_read_default(struct minijail *mj)
{
    const struct action *action = read_named_action(mj, true);
    return (struct brig_dsl_action){.verb = action == NULL ? BRIG_DSL_VERB_NONE : action->verb};
}

// --- filters ----------------------------------------------------------------------------------------------------------

// The filters of an entry as they are read.
struct filters {
    const struct minijail_filter *first;
    const struct minijail_filter **end;
};

static struct minijail_filter *add_filter(struct minijail *mj, struct filters *filters, struct import_place place,
                                          struct brig_dsl_action action)
{
    struct minijail_filter *filter = import_alloc(mj->memory, sizeof *filter);
    if (filter != NULL) {
        *filter = (struct minijail_filter){.action = action, .place = place};
        *filters->end = filter;
        filters->end = &filter->next;
    }
    return filter;
}

static void add_unconditional(struct minijail *mj, struct filters *filters, struct import_place place,
                              struct brig_dsl_action action)
{
    struct minijail_filter *filter = add_filter(mj, filters, place, action);
    if (filter != NULL) {
        filter->is_unconditional = true;
    }
}

// What stands behind a condition: nothing, or an action. Returns: what is done where the condition holds; *ret_else: elsewhere, no
// verb if nothing is said of that.
static struct brig_dsl_action read_consequence(struct minijail *mj, bool is_braced, bool is_skipped,
                                               struct brig_dsl_action *ret_else)
{
    static const struct brig_dsl_action allow = {.verb = BRIG_DSL_ALLOW};
    if (!minijail_accept(mj, ";")) {
        return allow;
    }
    struct minijail_token token = mj->file->token;
    bool is_return = minijail_is(mj, "return");
    struct brig_dsl_action action = read_action(mj, is_skipped);
    if (is_braced || mj->is_denylist) {
        return action;
    }
    if (is_return) {
        *ret_else = action;
        return allow;
    }
    minijail_warn(
        mj, token.place,
        "'%.*s' is done where the condition holds, as compile_seccomp_policy has it (only 'return' is for where it does not); braces "
        "make that plain: { ...; %.*s }",
        minijail_shown(&token), token.text, minijail_shown(&token), token.text);
    return action;
}

static void read_filter(struct minijail *mj, struct filters *filters, bool is_braced, bool is_skipped)
{
    struct import_place place = mj->file->token.place;
    if (!is_argument(&mj->file->token) && !minijail_is(mj, "(") && !minijail_is(mj, "!")) {
        add_unconditional(mj, filters, place, read_action(mj, is_skipped));
        return;
    }
    struct brig_dsl_action otherwise = {.verb = BRIG_DSL_VERB_NONE};
    struct clauses clauses = read_expression(mj, is_skipped);
    struct brig_dsl_action action = read_consequence(mj, is_braced, is_skipped, &otherwise);
    struct minijail_filter *filter = add_filter(mj, filters, place, action);
    if (filter != NULL) {
        filter->clauses = clauses.items;
        filter->clause_count = clauses.count;
    }
    if (otherwise.verb != BRIG_DSL_VERB_NONE) {
        add_unconditional(mj, filters, place, otherwise);
    }
}

const struct minijail_filter *minijail_read_filters(struct minijail *mj, bool is_skipped)
{
    struct filters filters = {.first = NULL};
    filters.end = &filters.first;
    struct import_place place = mj->file->token.place;
    if (!minijail_accept(mj, "{")) {
        read_filter(mj, &filters, false, is_skipped);
        return filters.first;
    }
    do {
        read_filter(mj, &filters, true, is_skipped);
    } while (minijail_accept(mj, ","));
    minijail_close(mj, "}", place);
    return filters.first;
}
