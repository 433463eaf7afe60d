// minijail_filters: what stands behind a colon: conditions on arg0 to arg5 with what is done where they hold.
//
// Takes: tokens. Gives: filters in order, the first that holds decides. Guarantees: at most the last one is unconditional.
//
// minijail has two readers of its policies, and they read one form the opposite way. "read: arg0 == 1; return EPERM" is, for
// minijail0 and its man page, allowed where it holds and EPERM elsewhere; for compile_seccomp_policy it is EPERM where it holds.
// The man page decides here. All other forms are read by one of the two only, and mean what they mean there: a list in braces, an
// action other than return behind a condition (which gets a warning, being so close to the first form), all of a denylist.
#include <stdio.h>

#include "tools/import/minijail.h"

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
    if (!minijail_is_argument(&mj->file->token) && !minijail_is(mj, "(") && !minijail_is(mj, "!")) {
        add_unconditional(mj, filters, place, read_action(mj, is_skipped));
        return;
    }
    struct brig_dsl_action otherwise = {.verb = BRIG_DSL_VERB_NONE};
    struct minijail_clauses clauses = minijail_read_conditions(mj, is_skipped);
    struct brig_dsl_action action = read_consequence(mj, is_braced, is_skipped, &otherwise);
    struct minijail_filter *filter = add_filter(mj, filters, place, action);
    if (filter != NULL) {
        filter->clauses = clauses;
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
