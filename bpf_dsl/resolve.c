// resolve: a policy as one target sees it, in four steps: count the rows that ask somebody, give ids, merge, check the handlers.
//
// Takes: a policy and a target. Gives: struct brig_dsl_rules (rules.h). Guarantees: deterministic; near-linear in rows, names and
// values; each failure names the row. Weakness: a row behind an unconditional one of the same call is not looked at, so its
// mistakes show only when it moves (lint reads all rows).
#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>

#include "bpf_dsl/resolve.h"

enum brig_code dsl_resolve_fail(struct dsl_resolver *resolver, struct brig_error error)
{
    error.step = "resolve rows";
    const struct brig_dsl_row *row = resolver->entry.row;
    if (!error.file && row) {
        error.file = row->file;
        error.line = row->line;
    }
    resolver->error = error;
    return error.code;
}

enum brig_code dsl_resolve_exhausted(struct dsl_resolver *resolver)
{
    resolver->entry.row = NULL; // it is nobody's row that is too big
    return dsl_resolve_fail(resolver,
                            (struct brig_error){.code = BRIG_OUT_OF_ARENA, .detail = (int64_t)resolver->arena->size_bytes});
}

// --- what holds for the whole policy ----------------------------------------------------------------------------------

// What a policy does not give it has from its base. The walk over rows has found the chain to end.
static void inherit(struct dsl_resolver *resolver, const struct brig_dsl_policy *policy)
{
    resolver->kernel = resolver->options->kernel;
    for (; policy; policy = policy->base) {
        if (resolver->kernel == 0) {
            resolver->kernel = policy->kernel;
        }
        if (resolver->fallback.verb == BRIG_DSL_VERB_NONE) {
            resolver->fallback = policy->fallback;
        }
    }
}

// A policy that was written for another tool stands alone: rows of ours and rows of its kind mean different things.
static enum brig_code check_import(struct dsl_resolver *resolver, const struct brig_dsl_policy *policy)
{
    resolver->import = policy->import;
    for (const struct brig_dsl_policy *base = policy->base; base; base = base->base) {
        if (policy->import || base->import) {
            return dsl_resolve_fail(resolver, (struct brig_error){.code = BRIG_BAD_ARGUMENT, .subject = "base"});
        }
    }
    return BRIG_OK;
}

static enum brig_code start(struct dsl_resolver *resolver, const struct brig_dsl_policy *policy)
{
    inherit(resolver, policy);
    enum brig_code code = check_import(resolver, policy);
    if (code != BRIG_OK) {
        return code;
    }
    if (resolver->kernel == 0 && !resolver->import) {
        return dsl_resolve_fail(resolver, (struct brig_error){.code = BRIG_BAD_ARGUMENT, .subject = "kernel"});
    }
    resolver->unknown_ret = SECCOMP_RET_ERRNO | ENOSYS;
    resolver->lists = DSL_ARENA_ARRAY(resolver->arena, struct dsl_call_list, resolver->list_room);
    resolver->list_of = DSL_ARENA_ARRAY(resolver->arena, uint16_t, BRIG_SYS_COUNT);
    resolver->with_rules = DSL_ARENA_ARRAY(resolver->arena, uint64_t, BRIG_SYS_COUNT / 64 + 1);
    if (!resolver->lists || !resolver->list_of || !resolver->with_rules) {
        return dsl_resolve_exhausted(resolver);
    }
    memset(resolver->list_of, 0, BRIG_SYS_COUNT * sizeof resolver->list_of[0]);
    memset(resolver->with_rules, 0, (BRIG_SYS_COUNT / 64 + 1) * sizeof resolver->with_rules[0]);
    return dsl_check_action(resolver, &resolver->fallback, "fallback");
}

// --- rows -------------------------------------------------------------------------------------------------------------

// Counts the rows that need an id, and the calls that may get rules; finds out that there is an end.
static enum brig_code count_rows(struct dsl_resolver *resolver, const struct brig_dsl_policy *policy, uint32_t *ret_count)
{
    struct dsl_row_cursor cursor;
    struct dsl_entry entry;
    uint32_t count = 0;
    uint32_t calls = 1; // clone3 has a rule where no row names it
    dsl_rows_start(&cursor, policy);
    for (uint32_t rows = 0; dsl_rows_next(&cursor, &entry); rows++) {
        if (rows == UINT16_MAX - DSL_OWN_TRAP_IDS) {
            return dsl_resolve_fail(resolver, (struct brig_error){.code = BRIG_TOO_MANY_ROWS, .detail = (int64_t)rows});
        }
        count += (unsigned)entry.row->action.verb < BRIG_DSL_VERB_COUNT && dsl_action_asks(&entry.row->action);
        calls += entry.row->set ? BRIG_SYS_COUNT : 1;
    }
    if (cursor.error.code != BRIG_OK) {
        return dsl_resolve_fail(resolver, cursor.error);
    }
    resolver->list_room = calls < BRIG_SYS_COUNT ? calls : BRIG_SYS_COUNT;
    *ret_count = count;
    return BRIG_OK;
}

static enum brig_code merge_rows(struct dsl_resolver *resolver, const struct brig_dsl_policy *policy)
{
    struct dsl_row_cursor cursor;
    dsl_rows_start(&cursor, policy);
    while (dsl_rows_next(&cursor, &resolver->entry)) {
        enum brig_code code = dsl_merge_row(resolver);
        if (code != BRIG_OK) {
            return code;
        }
    }
    return BRIG_OK;
}

// --- handlers ---------------------------------------------------------------------------------------------------------

static bool is_allowed_somewhere(const struct dsl_resolver *resolver, const struct brig_dsl_call_rules *calls,
                                 enum brig_dsl_call call)
{
    const struct brig_dsl_call_rules *rules = &calls[resolver->list_of[call]];
    for (uint32_t i = 0; i < rules->rule_count; i++) {
        if (dsl_action_allows(&rules->rules[i]->action)) {
            return true;
        }
    }
    return rules->rule_count == 0 && brig_dsl_call_since(call) <= resolver->kernel && dsl_action_allows(&resolver->fallback);
}

// An emulation whose own calls are refused would trap inside the handler, again and again.
static enum brig_code check_handlers(struct dsl_resolver *resolver, const struct brig_dsl_call_rules *calls)
{
    if (resolver->options->target != BRIG_DSL_LINKED) {
        return BRIG_OK; // none of them will run
    }
    for (uint32_t id = 1; id < resolver->trap_count; id++) {
        const struct brig_dsl_trap *trap = &resolver->traps[id];
        const enum brig_dsl_call *needed = trap->action.handler ? trap->action.handler->calls : NULL;
        for (; needed && *needed != BRIG_SYS_NONE; needed++) {
            bool exists = brig_dsl_call_nr(*needed, resolver->options->arch) >= 0;
            if (exists && !is_allowed_somewhere(resolver, calls, *needed)) {
                resolver->entry.row = trap->row;
                return dsl_resolve_fail(
                    resolver, (struct brig_error){.code = BRIG_HANDLER_CALL_DENIED, .subject = brig_dsl_call_name(*needed)});
            }
        }
    }
    return BRIG_OK;
}

static enum brig_code resolve(struct dsl_resolver *resolver, const struct brig_dsl_policy *policy,
                              const struct brig_dsl_call_rules **ret_calls)
{
    uint32_t trap_rows = 0;
    enum brig_code code = count_rows(resolver, policy, &trap_rows);
    if (code == BRIG_OK) {
        code = start(resolver, policy);
    }
    if (code == BRIG_OK) {
        code = dsl_traps_start(resolver, trap_rows);
    }
    if (code == BRIG_OK) {
        code = merge_rows(resolver, policy);
    }
    if (code == BRIG_OK) {
        code = dsl_merge_finish(resolver, ret_calls);
    }
    if (code == BRIG_OK) {
        code = check_handlers(resolver, *ret_calls);
    }
    if (code == BRIG_OK && resolver->arena->exhausted) {
        code = dsl_resolve_exhausted(resolver);
    }
    return code;
}

enum brig_code brig_dsl_resolve(const struct brig_dsl_policy *policy, const struct brig_dsl_options *options,
                                struct brig_dsl_arena *arena, struct brig_dsl_rules *ret_rules, struct brig_error *reterr)
{
    struct brig_dsl_options known = *options;
    struct dsl_resolver resolver = {.options = &known, .arena = arena};
    const struct brig_dsl_call_rules *calls = NULL;
    if ((unsigned)options->arch >= BRIG_DSL_ARCH_COUNT) {
        return brig_error_set(
            reterr, (struct brig_error){
                        .code = BRIG_BAD_ARGUMENT, .step = "resolve rows", .subject = "arch", .detail = (int64_t)options->arch});
    }
    if ((unsigned)options->target >= BRIG_DSL_PROCESS_COUNT) {
        return brig_error_set(reterr, (struct brig_error){.code = BRIG_BAD_ARGUMENT,
                                                          .step = "resolve rows",
                                                          .subject = "target",
                                                          .detail = (int64_t)options->target});
    }
    if (options->target != BRIG_DSL_LINKED) {
        known.notify_fd = known.broker_fd = BRIG_DSL_SLOT_UNSET; // the handler's, and there is none
    }
    if (resolve(&resolver, policy, &calls) != BRIG_OK) {
        return brig_error_set(reterr, resolver.error);
    }
    *ret_rules = (struct brig_dsl_rules){.policy = policy,
                                         .arch = options->arch,
                                         .target = options->target,
                                         .is_import = resolver.import != NULL,
                                         .kernel = resolver.kernel,
                                         .calls = calls,
                                         .place_of = resolver.list_of,
                                         .with_rules = resolver.with_rules,
                                         .fallback_ret = resolver.fallback_ret,
                                         .unknown_ret = resolver.unknown_ret,
                                         .foreign_ret = resolver.foreign_ret,
                                         .x32_ret = resolver.x32_ret,
                                         .asks_broker = resolver.asks_broker,
                                         .traps = resolver.traps,
                                         .trap_count = resolver.trap_count,
                                         .fallback_trap = resolver.fallback_trap,
                                         .foreign_trap = resolver.foreign_trap,
                                         .x32_trap = resolver.x32_trap};
    return BRIG_OK;
}
