// merge_programs: a stack of programs becomes one.
//
// Takes: valid programs in the order in which a process installed them. Gives: one that returns what the kernel makes of what they
// return. How: all are decompiled into one graph; what an upper program returns decides which copy of the lower ones' graph stands
// in its place, one in which their returns are what comes out of both. Where an upper program kills, nothing of the lower ones is
// left, so most copies are a leaf. What comes out is specialised after each program, so that it does not grow with the stack, and
// optimised at the end (optimize.c). A program of the stack that alone decides what all of them do is taken where it is smaller.
// Guarantees: the check compares the bytes with the stack, and what was optimised with what it was. Weaknesses: programs that
// compute the action itself by dividing cannot be merged; a stack that needs more than 4096 instructions even so is refused.
#include <linux/seccomp.h>
#include <string.h>

#include "bpf_dsl/check_programs.h"
#include "bpf_dsl/clean.h"
#include "bpf_dsl/measure.h"
#include "bpf_dsl/merge_leaves.h"
#include "bpf_dsl/optimize.h"
#include "bpf_dsl/optimize_parts.h"
#include "bpf_dsl/program.h"
#include "bpf_dsl/specialise.h"

#define STEP "merge"

enum { MERGE_MOST_PROGRAMS = 64, MERGE_FORMS = 2 };

static enum brig_code fail(struct brig_error *reterr, enum brig_code code, const char *subject, int64_t detail)
{
    return brig_error_set(reterr, (struct brig_error){.code = code, .step = STEP, .subject = subject, .detail = detail});
}

// --- leaves -----------------------------------------------------------------------------------------------------------

// A graph with other leaves.
struct replacement {
    struct dsl_decisions *graph;
    uint32_t *replaced; // by node
};

// Rebuilds what `root` reaches; its leaves have their replacements already. Returns: the new root.
static uint32_t rebuild(const struct replacement *replacement, const unsigned char *marks, uint32_t root)
{
    struct dsl_decisions *graph = replacement->graph;
    for (uint32_t id = 0; id <= root; id++) {
        const struct dsl_decision *node = dsl_decision_get(graph, id);
        if (!marks[id] || node->kind != DSL_DECISION_SWITCH) {
            continue;
        }
        struct dsl_run *runs = DSL_ARENA_ARRAY(graph->nodes.arena, struct dsl_run, node->run_count);
        for (uint32_t i = 0; i < node->run_count && runs != NULL; i++) {
            runs[i] = (struct dsl_run){node->runs[i].first, replacement->replaced[node->runs[i].child]};
        }
        replacement->replaced[id] =
            runs == NULL ? id : dsl_decision_switch(graph, (enum dsl_word)node->word, node->mask, runs, node->run_count);
    }
    return replacement->replaced[root];
}

static bool begin(struct replacement *replacement, struct dsl_decisions *graph, uint32_t root, const unsigned char **ret_marks)
{
    *replacement = (struct replacement){graph, DSL_ARENA_ARRAY(graph->nodes.arena, uint32_t, (size_t)root + 1)};
    *ret_marks = dsl_decisions_mark(graph, root);
    return replacement->replaced != NULL && *ret_marks != NULL;
}

// The lower programs where the upper one's leaf is `upper`. Returns: DSL_DECISION_NO where that cannot be expressed.
static uint32_t under(struct dsl_decisions *graph, uint32_t lower_root, uint32_t upper)
{
    struct replacement replacement;
    const unsigned char *marks;
    if (!begin(&replacement, graph, lower_root, &marks)) {
        return lower_root;
    }
    for (uint32_t id = 0; id <= lower_root; id++) {
        const struct dsl_decision *node = dsl_decision_get(graph, id);
        if (marks[id] && node->kind != DSL_DECISION_SWITCH) {
            replacement.replaced[id] = dsl_merge_leaves(graph, upper, id);
        }
        if (marks[id] && node->kind != DSL_DECISION_SWITCH && replacement.replaced[id] == DSL_DECISION_NO) {
            return DSL_DECISION_NO;
        }
    }
    return rebuild(&replacement, marks, lower_root);
}

static uint32_t stack(struct dsl_decisions *graph, uint32_t upper_root, uint32_t lower_root)
{
    struct replacement replacement;
    const unsigned char *marks;
    if (!begin(&replacement, graph, upper_root, &marks)) {
        return upper_root;
    }
    for (uint32_t id = 0; id <= upper_root; id++) {
        const struct dsl_decision *node = dsl_decision_get(graph, id);
        if (marks[id] && node->kind != DSL_DECISION_SWITCH) {
            replacement.replaced[id] = under(graph, lower_root, id);
        }
        if (marks[id] && node->kind != DSL_DECISION_SWITCH && replacement.replaced[id] == DSL_DECISION_NO) {
            return DSL_DECISION_NO;
        }
    }
    return rebuild(&replacement, marks, upper_root);
}

// --- the whole --------------------------------------------------------------------------------------------------------

// Programs in the order of their installation.
struct programs {
    struct dsl_code given[MERGE_MOST_PROGRAMS];
    struct dsl_code codes[MERGE_MOST_PROGRAMS]; // without what nothing reaches
    uint32_t count;
};

// Graphs of the whole stack: the good one, and the one that is always there.
struct forms {
    uint32_t roots[MERGE_FORMS];
};

// Returns: false, with the index of a program that cannot be expressed.
static bool build(struct dsl_decisions *graph, const struct programs *programs, struct forms *ret_forms, uint32_t *ret_index)
{
    uint32_t bottom = dsl_decision_ret(graph, SECCOMP_RET_ALLOW); // what the kernel starts with
    *ret_forms = (struct forms){{bottom, bottom}};
    for (uint32_t i = 0; i < programs->count; i++) {
        uint32_t root = dsl_decompile(graph, &programs->codes[i], DSL_LEAVES_MANY);
        *ret_index = i;
        if (root == DSL_DECISION_NO) {
            return false;
        }
        // A value with the action that the kernel starts with changes nothing, so the bottom stands above the first program.
        uint32_t raw = i == 0 ? stack(graph, bottom, root) : stack(graph, root, ret_forms->roots[0]);
        if (raw == DSL_DECISION_NO) {
            return false;
        }
        uint32_t good = graph->exploded ? DSL_DECISION_NO : dsl_specialise(graph, raw);
        *ret_forms = (struct forms){{good == DSL_DECISION_NO ? raw : good, raw}};
    }
    // ALLOW has no data, wherever it came from.
    for (int form = 0; form < MERGE_FORMS; form++) {
        ret_forms->roots[form] = stack(graph, bottom, ret_forms->roots[form]);
        if (ret_forms->roots[form] == DSL_DECISION_NO) {
            return false;
        }
    }
    return !graph->exploded;
}

static bool emit(struct dsl_decisions *graph, const struct forms *forms, const struct programs *programs,
                 const struct brig_dsl_options *options, struct dsl_code *ret_code)
{
    bool has_one = false;
    for (int form = 0; form < MERGE_FORMS; form++) {
        struct dsl_code code;
        if (!dsl_emit_decision(graph, forms->roots[form], options, &code)) {
            continue;
        }
        if (dsl_keeps_bitmap(programs->given, programs->count, &code)) {
            *ret_code = code;
            return true;
        }
        *ret_code = has_one ? *ret_code : code;
        has_one = true;
    }
    return has_one;
}

// --- in and out -------------------------------------------------------------------------------------------------------

// What is left of an arena, for what is not kept.
static struct brig_dsl_arena rest_of(const struct brig_dsl_arena *arena)
{
    struct brig_dsl_arena rest;
    brig_dsl_arena_init(&rest, arena->memory + arena->used_bytes, arena->size_bytes - arena->used_bytes);
    return rest;
}

static void give_back(struct brig_dsl_arena *arena, const struct brig_dsl_arena *rest)
{
    dsl_arena_close(arena);
    if (rest->exhausted) {
        dsl_arena_exhaust(arena);
    }
}

static enum dsl_checked check(const struct programs *programs, const struct dsl_code *subject, struct brig_dsl_arena *arena,
                              uint32_t *ret_nr)
{
    struct brig_dsl_arena rest = rest_of(arena);
    enum dsl_checked checked = dsl_check_programs(programs->given, programs->count, subject, &rest, ret_nr);
    give_back(arena, &rest);
    return checked;
}

// Puts a better program in the place of one, where it was shown to return the same. Returns: DIFFERENT, with a number, where the
// optimiser is wrong.
static enum dsl_checked improve(struct dsl_code *code, const struct brig_dsl_options *options, struct brig_dsl_arena *arena,
                                uint32_t *ret_nr)
{
    struct sock_filter *room = DSL_ARENA_ARRAY(arena, struct sock_filter, code->count);
    if (room == NULL) {
        return DSL_CHECKED_UNDECIDED;
    }
    struct brig_dsl_arena rest = rest_of(arena);
    struct dsl_better better = dsl_find_better(code, options, &rest);
    if (better.checked == DSL_CHECKED_EQUAL && !rest.exhausted) {
        memcpy(room, better.code.insns, better.code.count * sizeof *room);
        *code = (struct dsl_code){room, better.code.count};
    }
    give_back(arena, &rest);
    *ret_nr = better.nr;
    return better.checked;
}

static bool is_smaller(const struct dsl_code *code, const struct dsl_code *other)
{
    const uint32_t ebpf = dsl_ebpf_size(code->insns, code->count);
    const uint32_t ebpf_other = dsl_ebpf_size(other->insns, other->count);
    return code->count <= other->count && ebpf <= ebpf_other && (code->count < other->count || ebpf < ebpf_other);
}

// Puts the smallest program of the stack that alone decides what all of them do in the place of a bigger one, or of none.
// Returns: whether there is one.
static bool take_single(const struct programs *programs, struct brig_dsl_arena *arena, struct dsl_code *code)
{
    bool is_taken = false;
    for (uint32_t i = 0; i < programs->count; i++) {
        const struct dsl_code *single = &programs->codes[i];
        uint32_t nr;
        if ((code->insns == NULL || is_smaller(single, code)) && dsl_keeps_bitmap(programs->given, programs->count, single) &&
            check(programs, single, arena, &nr) == DSL_CHECKED_EQUAL) {
            *code = *single;
            is_taken = true;
        }
    }
    return is_taken;
}

// --- entry ------------------------------------------------------------------------------------------------------------

// Why nothing came of a stack.
static enum brig_code complain(const struct dsl_decisions *graph, bool is_built, uint32_t index, struct brig_error *reterr)
{
    if (!is_built && !graph->exploded) {
        return fail(reterr, BRIG_BAD_ARGUMENT, "a program that computes too much", index);
    }
    return fail(reterr, BRIG_PROGRAM_TOO_BIG, NULL, 0);
}

static enum brig_code merge(const struct programs *programs, const struct brig_dsl_options *options, struct brig_dsl_arena *arena,
                            struct brig_dsl_optimized *ret_optimized, struct brig_error *reterr)
{
    struct dsl_decisions *graph = DSL_ARENA_NEW(arena, struct dsl_decisions);
    struct dsl_code merged = {NULL, 0};
    enum dsl_checked checked = DSL_CHECKED_UNDECIDED;
    struct forms forms;
    uint32_t index = 0;
    uint32_t nr = 0;
    bool is_built =
        graph != NULL && dsl_decisions_init(graph, arena, 4 * programs->codes[0].count) && build(graph, programs, &forms, &index);
    if (is_built && emit(graph, &forms, programs, options, &merged)) {
        checked = check(programs, &merged, arena, &nr);
        if (checked == DSL_CHECKED_DIFFERENT || improve(&merged, options, arena, &nr) == DSL_CHECKED_DIFFERENT) {
            return fail(reterr, BRIG_BUG_CHECK_FAILED, NULL, nr);
        }
    }
    if (!arena->exhausted && take_single(programs, arena, &merged)) {
        checked = DSL_CHECKED_EQUAL;
    }
    if (arena->exhausted) {
        return fail(reterr, BRIG_OUT_OF_ARENA, NULL, (int64_t)arena->size_bytes);
    }
    if (merged.insns == NULL) {
        return complain(graph, is_built, index, reterr);
    }
    *ret_optimized =
        (struct brig_dsl_optimized){.insns = merged.insns, .insn_count = merged.count, .is_checked = checked == DSL_CHECKED_EQUAL};
    return BRIG_OK;
}

enum brig_code brig_dsl_merge(const struct brig_dsl_filter *filters, size_t filter_count, const struct brig_dsl_options *options,
                              struct brig_dsl_arena *arena, struct brig_dsl_optimized *ret_optimized, struct brig_error *reterr)
{
    struct programs programs = {.count = (uint32_t)filter_count};
    if (filter_count == 0 || filter_count > MERGE_MOST_PROGRAMS) {
        return fail(reterr, BRIG_BAD_ARGUMENT, "filter_count", (int64_t)filter_count);
    }
    if (filter_count == 1) {
        return brig_dsl_optimize(&filters[0], options, arena, ret_optimized, reterr);
    }
    for (size_t i = 0; i < filter_count; i++) {
        enum brig_code code = brig_dsl_validate(filters[i].insns, filters[i].insn_count, reterr);
        if (code != BRIG_OK) {
            return code;
        }
        programs.given[i] = (struct dsl_code){filters[i].insns, (uint32_t)filters[i].insn_count};
    }
    for (size_t i = 0; i < filter_count; i++) {
        programs.codes[i] = dsl_clean(&programs.given[i], arena);
    }
    return arena->exhausted ? fail(reterr, BRIG_OUT_OF_ARENA, NULL, (int64_t)arena->size_bytes)
                            : merge(&programs, options, arena, ret_optimized, reterr);
}
