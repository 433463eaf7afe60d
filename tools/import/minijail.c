// minijail: policies of minijail (.policy) become policies of ours.
//
// Takes: a text in the syntax of minijail0(5), or in that of minijail's compile_seccomp_policy, which adds lists in braces, arches
// in brackets, @default, @denylist and @frequency. Gives: for each arch asked for (this machine's, if none) rows of the calls in
// the order of the text, and what @frequency says as a profile. Guarantees: what both tools refuse is refused, but for calls by
// number, which only the man page has; what they read means what they make of it. Where they differ the other files of this
// importer say what holds.
//
// Beside the entries:
// - Calls that no entry decides get the @default, which kills the process if there is none. So do x32 numbers and those above
//   them, which minijail's programs do not tell from calls without entries, and the number -1 of a call that a tracer skips.
// - "kill" is kill-process, as in minijail0(5): the process is killed. Older versions of minijail kill the thread.
// - Calls of other arches kill the process.
// - A denylist allows what it does not list, but for x32 numbers, which kill the process. minijail's program lets all of them
//   through, and so every call that the denylist is against. -1 is let through by both.
//
// Weaknesses: minijail's names of constants are those of the C library that it was built with, ours are the kernel's, which shows
// in O_LARGEFILE: 0 in the C library of 64-bit arches, a bit of its own in the kernel.
#include <string.h>

#include "tools/import/minijail.h"

enum { ROWS_LIMIT = 100000 }; // many more than any program has room for

static const struct brig_dsl_action allow = {.verb = BRIG_DSL_ALLOW};
static const struct brig_dsl_action kill_process = {.verb = BRIG_DSL_KILL_PROCESS};

// --- rows -------------------------------------------------------------------------------------------------------------

// Adds the rows of a filter. Returns: whether it decides all that is left.
static bool add_filter(const struct minijail *mj, enum brig_dsl_call call, const struct minijail_filter *filter,
                       struct import_rows *rows)
{
    struct brig_dsl_row row = {.kind = BRIG_DSL_ROW_CALL,
                               .call = call,
                               .action = filter->action.verb == BRIG_DSL_VERB_NONE ? mj->fallback : filter->action,
                               .file = filter->place.file};
    for (size_t i = 0; i < filter->clauses.count; i++) {
        const struct minijail_clause *clause = &filter->clauses.items[i];
        row.line = clause->line;
        import_add_row(rows, &row, clause->conditions, clause->condition_count);
        if (clause->condition_count == 0) {
            return true;
        }
    }
    row.line = filter->place.line;
    if (filter->is_unconditional) {
        import_add_row(rows, &row, NULL, 0);
    }
    return filter->is_unconditional;
}

// Where no filter decides, the fallback does. A call of which no filter is left has a row that says so, for whoever asks where it
// is from.
static void add_call(const struct minijail *mj, enum brig_dsl_call call, struct import_rows *rows)
{
    size_t count = rows->count;
    const struct import_place *place = &mj->calls[call].place;
    for (const struct minijail_entry *entry = mj->calls[call].first; entry != NULL; entry = entry->next) {
        for (const struct minijail_filter *filter = entry->filters; filter != NULL; filter = filter->next) {
            if (add_filter(mj, call, filter, rows)) {
                return;
            }
        }
    }
    if (rows->count == count) {
        struct brig_dsl_row row = {
            .kind = BRIG_DSL_ROW_CALL, .call = call, .action = mj->fallback, .file = place->file, .line = place->line};
        import_add_row(rows, &row, NULL, 0);
    }
}

static void add_target(struct minijail *mj, const struct import_source *source, struct import_policies *policies)
{
    struct import_rows rows = {.memory = mj->memory};
    struct import_heading heading = {
        .name = source->name,
        .arch = mj->arch,
        .kernel = mj->options->kernel,
        .fallback = mj->fallback,
        .import = {.foreign = kill_process, .x32 = mj->is_denylist ? kill_process : mj->fallback},
    };
    for (size_t i = 0; i < mj->order_count; i++) {
        add_call(mj, mj->order[i], &rows);
        if (rows.count > ROWS_LIMIT) {
            import_fail(mj->reterr, mj->calls[mj->order[i]].place, "the calls have more than %d alternatives all together",
                        ROWS_LIMIT);
            mj->has_failed = true;
            return;
        }
    }
    import_add_target(&rows, &heading, policies);
}

// --- the profile ------------------------------------------------------------------------------------------------------

// Calls that have an entry and no number count once, as in compile_seccomp_policy.
static uint64_t count_of(const struct minijail_call *call)
{
    return call->is_counted ? call->count : call->first != NULL;
}

static const struct brig_dsl_profile *make_profile(const struct minijail *mj)
{
    struct brig_dsl_sample *samples = import_alloc(mj->memory, BRIG_SYS_COUNT * sizeof *samples);
    struct brig_dsl_profile *profile = import_alloc(mj->memory, sizeof *profile);
    if (samples == NULL || profile == NULL) {
        return NULL;
    }
    profile->samples = samples;
    for (int call = BRIG_SYS_NONE + 1; call < BRIG_SYS_COUNT; call++) {
        uint64_t count = count_of(&mj->calls[call]);
        if (count > 0) {
            samples[profile->sample_count++] =
                (struct brig_dsl_sample){.nr = (uint32_t)brig_dsl_call_nr((enum brig_dsl_call)call, mj->arch), .count = count};
        }
    }
    return profile;
}

// --- the whole --------------------------------------------------------------------------------------------------------

// Imports for one arch. Returns: false after a failure.
static bool import_arch(struct minijail *mj, const struct import_source *source, struct import_policies *policies)
{
    mj->fallback = kill_process;
    minijail_read_policy(mj, source);
    if (mj->has_failed) {
        return false;
    }
    if (mj->is_denylist) {
        mj->fallback = allow;
    }
    if (mj->has_frequencies && policies->target_count == 0) {
        policies->profile = make_profile(mj);
    }
    add_target(mj, source, policies);
    return !mj->has_failed;
}

static bool import_arches(struct import_memory *memory, const struct import_source *source, const struct import_options *options,
                          struct import_policies *policies, struct import_error *reterr)
{
    enum brig_dsl_arch native = brig_dsl_arch_native();
    size_t arch_count = options->arch_count == 0 ? 1 : options->arch_count;
    bool is_read = true;
    if (arch_count > BRIG_DSL_ARCH_COUNT) {
        return import_fail(reterr, (struct import_place){.file = source->name}, "an arch is asked for twice");
    }
    for (size_t i = 0; i < arch_count && is_read; i++) {
        struct minijail *mj = import_alloc(memory, sizeof *mj);
        if (mj != NULL) {
            mj->memory = memory;
            mj->options = options;
            mj->arch = options->arch_count == 0 ? native : options->arches[i];
            mj->reterr = reterr;
            mj->is_repeated = i > 0;
            is_read = import_arch(mj, source, policies);
        }
    }
    return is_read;
}

bool import_minijail(const struct import_source *source, const struct import_options *options, struct import_policies *ret_policies,
                     struct import_error *reterr)
{
    struct import_policies policies = {.target_count = 0};
    struct import_memory *memory = import_memory_new();
    if (memory == NULL) {
        return import_fail(reterr, (struct import_place){.file = source->name}, "out of memory");
    }
    struct import_source own = {
        .name = import_copy(memory, source->name, strlen(source->name)), .text = source->text, .text_bytes = source->text_bytes};
    if (!import_arches(memory, &own, options, &policies, reterr)) {
        import_memory_free(memory);
        return false;
    }
    if (!import_finish(memory, source->name, &policies, reterr)) {
        return false;
    }
    *ret_policies = policies;
    return true;
}
