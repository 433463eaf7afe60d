// optimize: a raw program through the compiler's second half.
//
// Takes: a valid program. Gives: one that returns the same and is not bigger. The stages:
//
//     insns        anyone's
//     decisions    what it decides, in its own order           dsl_decompile       decompile.c, symbolic.c
//     decisions    arch, number, arguments, nothing twice      dsl_specialise      specialise.c, regions.c, reorder.c
//     tree         as in a compile                             dsl_tree_build      tree.c
//     insns        as in a compile                             dsl_codegen         codegen.c
//     checked      the new bytes return what the old ones do   dsl_check_programs  check_programs.c
//
// Guarantees: what comes out is never bigger than what came in, in instructions and in the kernel's, never slower for the profile's
// calls, or without one on the longest path, and is answered by the bitmap wherever the input was; where no form is that good, the
// input itself comes out, without what nothing reaches. Weaknesses: a program that carries more states than decompile.c follows is
// only cleaned.
#include "bpf_dsl/optimize.h"

#include <string.h>

#include "bpf_dsl/check_programs.h"
#include "bpf_dsl/clean.h"
#include "bpf_dsl/codegen.h"
#include "bpf_dsl/decompile.h"
#include "bpf_dsl/masks.h"
#include "bpf_dsl/measure.h"
#include "bpf_dsl/optimize_parts.h"
#include "bpf_dsl/specialise.h"

#define STEP "optimize"

// --- what must not get worse ------------------------------------------------------------------------------------------

// The arches whose calls are looked at: all of ours, and whatever the program compares with.
// Numbers above those of today's kernels are looked at as well: bitmaps grow.
enum { OPTIMIZE_ARCHES = 64, OPTIMIZE_NUMBERS = 1024 };

static uint32_t add_arches(const struct dsl_code *code, uint32_t count, uint32_t *arches)
{
    for (uint32_t at = 0; at < code->count; at++) {
        const struct sock_filter *insn = &code->insns[at];
        bool is_known = insn->code != (BPF_JMP | BPF_JEQ | BPF_K) || insn->k < OPTIMIZE_NUMBERS;
        for (uint32_t i = 0; i < count; i++) {
            is_known |= arches[i] == insn->k;
        }
        // The high bit of an arch says 64 bits, the next one little endian: one of them is set for every arch that has a bitmap.
        if (!is_known && (insn->k & 0xc0000000u) != 0 && count < OPTIMIZE_ARCHES) {
            arches[count++] = insn->k;
        }
    }
    return count;
}

static bool is_cached(const struct dsl_code *code, uint32_t arch, uint32_t nr)
{
    return brig_dsl_is_cached_allow(code->insns, code->count, arch, nr);
}

static bool is_cached_by_all(const struct dsl_code *codes, uint32_t count, uint32_t arch, uint32_t nr)
{
    uint32_t cached = 0;
    while (cached < count && is_cached(&codes[cached], arch, nr)) {
        cached++;
    }
    return cached == count;
}

bool dsl_keeps_bitmap(const struct dsl_code *before, uint32_t before_count, const struct dsl_code *after)
{
    uint32_t arches[OPTIMIZE_ARCHES];
    uint32_t count = 0;
    for (int arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
        arches[count++] = brig_dsl_arch_audit((enum brig_dsl_arch)arch);
    }
    for (uint32_t i = 0; i < before_count; i++) {
        count = add_arches(&before[i], count, arches);
    }
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t nr = 0; nr < OPTIMIZE_NUMBERS; nr++) {
            if (!is_cached(after, arches[i], nr) && is_cached_by_all(before, before_count, arches[i], nr)) {
                return false;
            }
        }
    }
    return true;
}

// Whether `after` is faster: for the profile's calls, or else on the longest path. Returns: below 0 for slower, above 0 for faster.
static int compare_speed(const struct dsl_code *before, const struct dsl_code *after, const struct brig_dsl_options *options)
{
    if (options->profile == NULL) {
        const uint32_t old_path = dsl_longest_path(before->insns, before->count);
        const uint32_t new_path = dsl_longest_path(after->insns, after->count);
        return (new_path < old_path) - (new_path > old_path);
    }
    struct brig_dsl_cost old = brig_dsl_measure_profile(before->insns, before->count, options->arch, options->profile);
    struct brig_dsl_cost new = brig_dsl_measure_profile(after->insns, after->count, options->arch, options->profile);
    // Calls that the bitmap answers cost nothing.
    double old_cost = old.expected_ebpf * (1 - old.cached_share);
    double new_cost = new.expected_ebpf *(1 - new.cached_share);
    return (new_cost < old_cost) - (new_cost > old_cost);
}

// Whether `after` may take the place of `before`: in nothing worse, and in something better.
static bool is_better(const struct dsl_code *before, const struct dsl_code *after, const struct brig_dsl_options *options)
{
    uint32_t ebpf_before = dsl_ebpf_size(before->insns, before->count);
    uint32_t ebpf_after = dsl_ebpf_size(after->insns, after->count);
    if (after->count > before->count || ebpf_after > ebpf_before) {
        return false;
    }
    int speed = compare_speed(before, after, options);
    bool is_smaller = after->count < before->count || ebpf_after < ebpf_before;
    return speed >= 0 && (is_smaller || speed > 0) && dsl_keeps_bitmap(before, 1, after);
}

// --- forms ------------------------------------------------------------------------------------------------------------

bool dsl_emit_decision(struct dsl_decisions *graph, uint32_t root, const struct brig_dsl_options *options,
                       struct dsl_code *ret_code)
{
    struct brig_dsl_arena *arena = graph->nodes.arena;
    struct dsl_tree *tree = DSL_ARENA_NEW(arena, struct dsl_tree);
    const struct dsl_wishes wishes = {.profile = options->profile, .is_small = options->small};
    struct dsl_emitter emitter;
    if (tree == NULL || !dsl_tree_build(graph, dsl_masks_drop_idle(graph, root), &wishes, tree) ||
        !dsl_emitter_init(&emitter, arena) || !dsl_codegen(tree, &emitter) || dsl_emitted(&emitter) == NULL) {
        return false;
    }
    *ret_code = (struct dsl_code){dsl_emitted(&emitter), emitter.head};
    return true;
}

// Puts a form that is better in the place of `best`. Returns: whether there was one.
static bool take_better(struct dsl_code *best, const struct brig_dsl_options *options, const struct dsl_code *input,
                        uint32_t most_leaves, struct brig_dsl_arena *arena)
{
    struct dsl_decisions *graph = DSL_ARENA_NEW(arena, struct dsl_decisions);
    if (graph == NULL || !dsl_decisions_init(graph, arena, 2 * input->count)) {
        return false;
    }
    uint32_t raw = dsl_decompile(graph, input, most_leaves);
    if (raw == DSL_DECISION_NO) {
        return false;
    }
    uint32_t roots[] = {dsl_specialise(graph, raw), raw};
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
        struct dsl_code code;
        if (roots[i] != DSL_DECISION_NO && dsl_emit_decision(graph, roots[i], options, &code) && is_better(best, &code, options)) {
            *best = code;
            return true;
        }
    }
    return false;
}

static bool returns_a(const struct dsl_code *code)
{
    uint32_t at = 0;
    while (at < code->count && code->insns[at].code != (BPF_RET | BPF_A)) {
        at++;
    }
    return at < code->count;
}

struct dsl_better dsl_find_better(const struct dsl_code *given, const struct brig_dsl_options *options,
                                  struct brig_dsl_arena *arena)
{
    const struct dsl_code input = dsl_clean(given, arena);
    struct dsl_better better = {.code = input, .is_input = true, .checked = DSL_CHECKED_UNDECIDED};
    if (input.insns == NULL) {
        return better;
    }
    better.is_input = !take_better(&better.code, options, &input, DSL_LEAVES_MANY, arena);
    if (returns_a(&input)) {
        better.is_input &= !take_better(&better.code, options, &input, DSL_LEAVES_FEW, arena);
    }
    better.checked = dsl_check_programs(given, 1, &better.code, arena, &better.nr);
    return better;
}

// --- entry ------------------------------------------------------------------------------------------------------------

static enum brig_code fail(struct brig_error *reterr, enum brig_code code, int64_t detail)
{
    return brig_error_set(reterr, (struct brig_error){.code = code, .step = STEP, .detail = detail});
}

enum brig_code brig_dsl_optimize(const struct brig_dsl_filter *filter, const struct brig_dsl_options *options,
                                 struct brig_dsl_arena *arena, struct brig_dsl_optimized *ret_optimized, struct brig_error *reterr)
{
    enum brig_code code = brig_dsl_validate(filter->insns, filter->insn_count, reterr);
    if (code != BRIG_OK) {
        return code;
    }
    const struct dsl_code given = {filter->insns, (uint32_t)filter->insn_count};
    const struct dsl_better better = dsl_find_better(&given, options, arena);
    if (better.checked == DSL_CHECKED_DIFFERENT) {
        return fail(reterr, BRIG_BUG_CHECK_FAILED, better.nr);
    }
    if (arena->exhausted) {
        return fail(reterr, BRIG_OUT_OF_ARENA, (int64_t)arena->size_bytes);
    }
    *ret_optimized = (struct brig_dsl_optimized){.insns = better.code.insns,
                                                 .insn_count = better.code.count,
                                                 .is_input = better.is_input,
                                                 .is_checked = better.checked == DSL_CHECKED_EQUAL};
    return BRIG_OK;
}
