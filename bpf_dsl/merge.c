// merge: rows become lists of rules, one list per call.
//
// Takes: rows in the order in which they count (rows.c). Gives: per call of the target the rules that can decide it, ending in the
// only unconditional one. Guarantees: first match wins, so what stands behind an unconditional rule is dropped unread; that is how
// an ELSE (or a ROW without conditions) replaces what the base says; calls that the target does not have are skipped; a row whose
// conditions only this arch hides in memory makes the call answer ENOSYS there. An imported policy's list that is open at its end
// goes on with the fallback.
//
// Rules without conditions are made once per row and shared by all calls of its set.
#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>

#include "bpf_dsl/resolve.h"
#include "bpf_dsl/text.h"

static const char *call_name(const struct dsl_resolver *resolver)
{
    return brig_dsl_call_name(resolver->call);
}

// Whether an action is asked of the broker by the process itself.
static bool asks_broker(const struct dsl_resolver *resolver, const struct brig_dsl_action *action)
{
    return action->verb == BRIG_DSL_BROKER && resolver->options->target == BRIG_DSL_LINKED;
}

// Returns: the list of a call; NULL if it has not begun.
static struct dsl_call_list *list_of(const struct dsl_resolver *resolver, enum brig_dsl_call call)
{
    return resolver->list_of[call] != 0 ? &resolver->lists[resolver->list_of[call] - 1] : NULL;
}

static struct dsl_call_list *begin_list(struct dsl_resolver *resolver)
{
    struct dsl_call_list *list = &resolver->lists[resolver->list_count++];
    *list = (struct dsl_call_list){.call = (uint16_t)resolver->call};
    resolver->list_of[resolver->call] = (uint16_t)resolver->list_count;
    resolver->with_rules[resolver->call / 64] |= UINT64_C(1) << resolver->call % 64;
    return list;
}

static enum brig_code append(struct dsl_resolver *resolver, const struct brig_dsl_rule *rule)
{
    struct dsl_call_list *list = list_of(resolver, resolver->call);
    list = list ? list : begin_list(resolver);
    struct dsl_rule_link *link = DSL_ARENA_NEW(resolver->arena, struct dsl_rule_link);
    if (!link) {
        return dsl_resolve_exhausted(resolver);
    }
    *link = (struct dsl_rule_link){.rule = rule};
    if (list->last) {
        list->last->next = link;
    } else {
        list->first = link;
    }
    list->last = link;
    list->count++;
    list->is_closed = rule->condition_count == 0;
    resolver->asks_broker |= asks_broker(resolver, &rule->action);
    return BRIG_OK;
}

// Answers from the handler need an open signal mask. Where there is no handler the kernel answers, whatever is blocked.
static enum brig_code check_blocked(struct dsl_resolver *resolver, const struct brig_dsl_action *action)
{
    bool is_answered = !resolver->import && resolver->options->target == BRIG_DSL_LINKED && dsl_action_asks(action) &&
                       action->verb != BRIG_DSL_CRASH;
    if (!is_answered || !brig_dsl_blocked_reason(resolver->call)) {
        return BRIG_OK;
    }
    return dsl_resolve_fail(resolver, (struct brig_error){.code = BRIG_TRAP_WHILE_BLOCKED, .subject = call_name(resolver)});
}

// What the calls of one row share.
struct shared {
    bool is_known; // trap id and return value have been given
    uint32_t trap;
    uint32_t ret;
    const struct brig_dsl_rule *unconditional;
};

// Makes the rule of the row at work for the call at work. Returns: NULL after a failure.
static const struct brig_dsl_rule *rule_of_row(struct dsl_resolver *resolver, struct shared *shared)
{
    if (shared->unconditional) {
        return shared->unconditional;
    }
    const struct brig_dsl_row *row = resolver->entry.row;
    struct brig_dsl_rule *rule = DSL_ARENA_NEW(resolver->arena, struct brig_dsl_rule);
    if (!rule) {
        dsl_resolve_exhausted(resolver);
        return NULL;
    }
    *rule = (struct brig_dsl_rule){.row = row, .why = resolver->entry.why, .action = row->action};
    if (dsl_resolve_conditions(resolver, rule) != BRIG_OK) {
        return NULL;
    }
    // Only now, so that rows that reach no call of the target take no id.
    if (!shared->is_known) {
        shared->trap = dsl_trap_for_row(resolver);
        shared->ret = dsl_action_ret(resolver, &row->action, shared->trap);
        shared->is_known = true;
    }
    rule->ret = shared->ret;
    rule->trap = shared->trap;
    if (rule->condition_count == 0) {
        shared->unconditional = rule;
    }
    return rule;
}

static enum brig_code append_rowless(struct dsl_resolver *resolver, const struct brig_dsl_action *action, uint32_t ret,
                                     uint32_t trap, const char *why)
{
    struct brig_dsl_rule *rule = DSL_ARENA_NEW(resolver->arena, struct brig_dsl_rule);
    if (!rule) {
        return dsl_resolve_exhausted(resolver);
    }
    *rule = (struct brig_dsl_rule){.why = why, .action = *action, .ret = ret, .trap = trap};
    return append(resolver, rule);
}

static enum brig_code append_no_such_call(struct dsl_resolver *resolver, const char *why)
{
    static const struct brig_dsl_action no_such_call = {.verb = BRIG_DSL_DENY, .data = ENOSYS};
    return append_rowless(resolver, &no_such_call, resolver->unknown_ret, 0, why);
}

// Whether the row's conditions cannot be tested on this arch though they can on others (mmap and select of i386, where libc has
// mmap2 and _newselect). A policy for all arches must be able to hold such a row.
static bool is_out_of_sight(const struct dsl_resolver *resolver)
{
    const struct brig_dsl_condition *conditions = resolver->entry.row->conditions;
    if (resolver->import || !conditions || conditions->op == BRIG_DSL_END ||
        !brig_dsl_call_has_memory_arguments(resolver->call, resolver->options->arch)) {
        return false;
    }
    for (int arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
        if (brig_dsl_call_nr(resolver->call, (enum brig_dsl_arch)arch) >= 0 &&
            !brig_dsl_call_has_memory_arguments(resolver->call, (enum brig_dsl_arch)arch)) {
            return true;
        }
    }
    return false;
}

static enum brig_code add_call(struct dsl_resolver *resolver, enum brig_dsl_call call, struct shared *shared)
{
    int32_t nr = brig_dsl_call_nr(call, resolver->options->arch);
    const struct dsl_call_list *list = list_of(resolver, call);
    if (nr < 0 || (list && list->is_closed)) {
        return BRIG_OK;
    }
    resolver->call = call;
    if (is_out_of_sight(resolver)) {
        return append_no_such_call(resolver, "its arguments are in memory on this arch, out of a filter's sight");
    }
    const struct brig_dsl_action *action = &resolver->entry.row->action;
    enum brig_code code = dsl_check_action(resolver, action, call_name(resolver));
    if (code == BRIG_OK) {
        code = check_blocked(resolver, action);
    }
    if (code == BRIG_OK) {
        const struct brig_dsl_rule *rule = rule_of_row(resolver, shared);
        code = rule ? append(resolver, rule) : resolver->error.code;
    }
    if (code == BRIG_SLOT_UNSET && resolver->entry.is_handler) {
        // Without a supervisor there is nobody to tell.
        resolver->error = (struct brig_error){.code = BRIG_OK};
        return BRIG_OK;
    }
    if (code == BRIG_OK) {
        dsl_trap_note(resolver, shared->trap, (uint32_t)nr);
        list_of(resolver, call)->has_own_row |= !resolver->entry.is_handler;
    }
    return code;
}

// --- sets of calls ----------------------------------------------------------------------------------------------------

static const char *skip_blanks(const char *at)
{
    while (*at == ' ' || (*at >= '\t' && *at <= '\r')) {
        at++;
    }
    return at;
}

static enum brig_code fail_set(struct dsl_resolver *resolver, enum brig_code code, const char *span, size_t span_bytes)
{
    const struct brig_dsl_set *set = resolver->entry.row->set;
    struct brig_error error = {
        .code = code, .subject = span, .subject_bytes = (uint32_t)span_bytes, .file = set->file, .line = set->line};
    if (code == BRIG_BAD_VALUE_SYNTAX) {
        error.detail = span - set->text;
        error.subject = set->text;
        error.subject_bytes = 0;
    }
    return dsl_resolve_fail(resolver, error);
}

// "read, write, close": one comma between two names, none at the end.
static enum brig_code add_set(struct dsl_resolver *resolver, struct shared *shared)
{
    const char *at = resolver->entry.row->set->text;
    for (;;) {
        const char *name = at = skip_blanks(at);
        while (dsl_is_name_character(*at)) {
            at++;
        }
        if (at == name) {
            return fail_set(resolver, BRIG_BAD_VALUE_SYNTAX, at, 0);
        }
        enum brig_dsl_call call = brig_dsl_call_by_name(name, (size_t)(at - name));
        if (call == BRIG_SYS_NONE) {
            return fail_set(resolver, BRIG_NO_SUCH_CALL, name, (size_t)(at - name));
        }
        enum brig_code code = add_call(resolver, call, shared);
        if (code != BRIG_OK) {
            return code;
        }
        at = skip_blanks(at);
        if (*at == '\0') {
            return BRIG_OK;
        }
        if (*at++ != ',') {
            return fail_set(resolver, BRIG_BAD_VALUE_SYNTAX, at - 1, 0);
        }
    }
}

enum brig_code dsl_merge_row(struct dsl_resolver *resolver)
{
    const struct brig_dsl_row *row = resolver->entry.row;
    struct shared shared = {.trap = 0};
    if (row->set && row->set->text) {
        return add_set(resolver, &shared);
    }
    if (row->call <= BRIG_SYS_NONE || (unsigned)row->call >= BRIG_SYS_COUNT) {
        return dsl_resolve_fail(
            resolver, (struct brig_error){.code = BRIG_BAD_ARGUMENT, .subject = "row.call", .detail = (int64_t)row->call});
    }
    return add_call(resolver, row->call, &shared);
}

// --- the end of each list ---------------------------------------------------------------------------------------------

// The handler's own conditions end in what the call would get without them.
static enum brig_code end_open_list(struct dsl_resolver *resolver, const struct dsl_call_list *list, uint32_t nr)
{
    if (list->has_own_row && !resolver->import) {
        const struct brig_dsl_row *row = list->last->rule->row;
        return dsl_resolve_fail(
            resolver,
            (struct brig_error){.code = BRIG_MISSING_ELSE, .subject = call_name(resolver), .file = row->file, .line = row->line});
    }
    if (brig_dsl_call_since(resolver->call) > resolver->kernel && !resolver->import) {
        return append_no_such_call(resolver, "newer than the baseline");
    }
    dsl_trap_note(resolver, resolver->fallback_trap, nr);
    return append_rowless(resolver, &resolver->fallback, resolver->fallback_ret, resolver->fallback_trap, "no row says otherwise");
}

static enum brig_code end_list(struct dsl_resolver *resolver, uint32_t nr)
{
    const struct dsl_call_list *list = list_of(resolver, resolver->call);
    if (list && list->is_closed) {
        return BRIG_OK;
    }
    if (list && list->count > 0) {
        return end_open_list(resolver, list, nr);
    }
    if (resolver->call == BRIG_SYS_clone3 && !resolver->import) {
        return append_no_such_call(resolver,
                                   "its flags are in memory, out of a filter's sight; libc falls back to clone on ENOSYS");
    }
    if (brig_dsl_call_since(resolver->call) <= resolver->kernel) {
        dsl_trap_note(resolver, resolver->fallback_trap, nr);
    }
    return BRIG_OK;
}

// A call of one rule gives that rule's id whatever its arguments are.
static void note_only_rule(struct dsl_resolver *resolver, const struct brig_dsl_rule *rule)
{
    const int32_t nr = brig_dsl_call_nr(resolver->call, resolver->options->arch);
    const bool is_trap = (rule->ret & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRAP && resolver->traps;
    if (is_trap && rule->condition_count == 0 && nr >= 0 && nr < BRIG_DSL_TRAP_NRS) {
        resolver->traps[rule->ret & SECCOMP_RET_DATA].all_set[nr / 64] |= UINT64_C(1) << nr % 64;
    }
}

// Writes the list of the call at work to the same place in `calls`.
static enum brig_code write_list(struct dsl_resolver *resolver, struct brig_dsl_call_rules *calls)
{
    const uint32_t place = resolver->list_of[resolver->call];
    const struct dsl_call_list *list = list_of(resolver, resolver->call);
    if (!list || list->count == 0) {
        return BRIG_OK;
    }
    const struct brig_dsl_rule **rules = DSL_ARENA_ARRAY(resolver->arena, const struct brig_dsl_rule *, list->count);
    if (!rules) {
        return dsl_resolve_exhausted(resolver);
    }
    uint32_t count = 0;
    for (const struct dsl_rule_link *link = list->first; link; link = link->next) {
        rules[count++] = link->rule;
    }
    if (count == 1) {
        note_only_rule(resolver, rules[0]);
    }
    calls[place] = (struct brig_dsl_call_rules){.rules = rules, .rule_count = count};
    return BRIG_OK;
}

// Who asks no broker has nothing to send it. The rows are the first of their calls.
static void drop_broker_rows(struct dsl_resolver *resolver)
{
    for (const struct brig_dsl_row *row = dsl_broker_rows; row->kind != BRIG_DSL_ROW_END; row++) {
        struct dsl_call_list *list = row->kind == BRIG_DSL_ROW_CALL ? list_of(resolver, row->call) : NULL;
        if (list && list->first && list->first->rule->row == row) {
            list->first = list->first->next;
            list->last = list->first ? list->last : NULL;
            list->count--;
        }
    }
}

static enum brig_code finish_call(struct dsl_resolver *resolver, enum brig_dsl_call call, struct brig_dsl_call_rules *calls)
{
    int32_t nr = brig_dsl_call_nr(call, resolver->options->arch);
    if (nr < 0) {
        return BRIG_OK;
    }
    resolver->call = call;
    enum brig_code code = end_list(resolver, (uint32_t)nr);
    return code == BRIG_OK ? write_list(resolver, calls) : code;
}

// An imported policy says nothing of calls without rows.
static enum brig_code finish_import(struct dsl_resolver *resolver, struct brig_dsl_call_rules *calls)
{
    enum brig_code code = BRIG_OK;
    for (uint32_t i = 0; i < resolver->list_count && code == BRIG_OK; i++) {
        code = finish_call(resolver, (enum brig_dsl_call)resolver->lists[i].call, calls);
    }
    return code;
}

static enum brig_code finish_all(struct dsl_resolver *resolver, struct brig_dsl_call_rules *calls)
{
    enum brig_code code = BRIG_OK;
    for (int call = BRIG_SYS_NONE + 1; call < BRIG_SYS_COUNT && code == BRIG_OK; call++) {
        code = finish_call(resolver, (enum brig_dsl_call)call, calls);
    }
    return code;
}

enum brig_code dsl_merge_finish(struct dsl_resolver *resolver, const struct brig_dsl_call_rules **ret_calls)
{
    // The first one is of all calls without a list.
    const size_t places = (size_t)resolver->list_room + 1;
    struct brig_dsl_call_rules *calls = DSL_ARENA_ARRAY(resolver->arena, struct brig_dsl_call_rules, places);
    if (!calls) {
        return dsl_resolve_exhausted(resolver);
    }
    memset(calls, 0, places * sizeof calls[0]);
    resolver->entry = (struct dsl_entry){.row = NULL};
    resolver->asks_broker |= asks_broker(resolver, &resolver->fallback);
    if (!resolver->asks_broker) {
        drop_broker_rows(resolver);
    }
    *ret_calls = calls;
    return resolver->import ? finish_import(resolver, calls) : finish_all(resolver, calls);
}
