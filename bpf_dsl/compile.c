// compile: the pipeline.
//
// Takes: a policy, or an evaluator. Gives: a program that was proven to decide what they say. The stages, each in a file of its
// own:
//
//     rows         const data                                              brig_dsl_resolve       resolve.c
//     expression   one immutable, hash-consed node per call                evaluate               lower_rules.c, expr.c
//     ranges       sorted runs of numbers, neighbours differ               dsl_ranges_build       ranges.c
//     decisions    one graph over 32-bit words, shared across calls        dsl_ranges_decide      lower_decisions.c, decisions.c
//     tree         a search in every switch                                dsl_tree_build         tree.c
//     insns        sock_filter[], built from the end                       dsl_codegen            codegen.c, emit.c
//     checked      the emitted bytes decide what the rows say              dsl_check              check.c
//
// Where the optimised form does not fit, it is made once more, with the rules of each call one after the other, with values asked
// for one after the other, with both: slower and smaller. Where that does not help, or nothing can be proven in the check's budget,
// the plain program (plain.c) takes its place, and is checked as well. Where that one is not proven either, the optimised one is
// checked again with all the patience that there is.
#include "bpf_dsl/compile.h"

#include <string.h>

#include "bpf_dsl/clean.h"
#include "bpf_dsl/codegen.h"
#include "bpf_dsl/describe.h"
#include "bpf_dsl/masks.h"
#include "bpf_dsl/plain.h"
#include "bpf_dsl/program.h"
#include "bpf_dsl/stages_visit.h"

#define STEP "compile"

static enum brig_code fail(struct dsl_compilation *compilation, enum brig_code code, int64_t detail)
{
    compilation->error = (struct brig_error){.code = code, .step = STEP, .detail = detail};
    return code;
}

static enum brig_code out_of_arena(struct dsl_compilation *compilation)
{
    return fail(compilation, BRIG_OUT_OF_ARENA, (int64_t)compilation->arena->size_bytes);
}

// --- stages -----------------------------------------------------------------------------------------------------------

static enum brig_code build_expressions(struct dsl_compilation *compilation)
{
    struct brig_dsl_arena *arena = compilation->arena;
    compilation->builder = DSL_ARENA_NEW(arena, struct brig_dsl_builder);
    if (compilation->builder == NULL || !dsl_builder_init(compilation->builder, arena)) {
        return out_of_arena(compilation);
    }
    for (uint32_t i = 0; i < compilation->target_count; i++) {
        const struct dsl_target *target = &compilation->targets[i];
        if (!dsl_ranges_build(&target->evaluator, target->arch, compilation->builder, &compilation->ranges[i])) {
            return out_of_arena(compilation);
        }
    }
    if (compilation->builder->nodes.full) {
        return fail(compilation, BRIG_PROGRAM_TOO_BIG, (int64_t)compilation->builder->nodes.count);
    }
    return compilation->builder->bad_operand ? fail(compilation, BRIG_BAD_ARGUMENT, 0) : BRIG_OK;
}

// Whether the emitted program fits; if not, how big the smallest one would have been is remembered.
static bool fits(struct dsl_compilation *compilation)
{
    uint32_t count = compilation->emitter.head;
    if (dsl_emitted(&compilation->emitter) != NULL) {
        return true;
    }
    compilation->too_big = compilation->too_big == 0 || count < compilation->too_big ? count : compilation->too_big;
    return false;
}

// What calls of any other arch get.
static uint32_t foreign_ret(const struct dsl_compilation *compilation)
{
    return compilation->targets[0].evaluator.foreign_ret;
}

// How an optimised program can be made.
struct form {
    bool prefer_chains;
    bool is_small;
};

// The faster before the smaller.
static const struct form forms[] = {{false, false}, {true, false}, {false, true}, {true, true}};
enum { FORMS = sizeof forms / sizeof forms[0] };

// From expressions to the optimised program. Returns: false when it explodes, does not fit, or the arena is exhausted.
static bool emit_optimised(struct dsl_compilation *compilation, const struct form *form)
{
    struct brig_dsl_arena *arena = compilation->arena;
    const struct dsl_wishes wishes = {.profile = compilation->options->profile, .is_small = form->is_small};
    compilation->graph = DSL_ARENA_NEW(arena, struct dsl_decisions);
    compilation->tree = DSL_ARENA_NEW(arena, struct dsl_tree);
    if (compilation->graph == NULL || compilation->tree == NULL ||
        !dsl_decisions_init(compilation->graph, arena, 2 * compilation->builder->nodes.count) ||
        !dsl_lowering_init(&compilation->lowering, compilation->builder, compilation->graph)) {
        return false;
    }
    compilation->lowering.prefer_chains = form->prefer_chains;
    compilation->lowering.is_patient = form->prefer_chains || form->is_small;
    compilation->root =
        dsl_ranges_decide(compilation->ranges, compilation->target_count, foreign_ret(compilation), &compilation->lowering);
    if (compilation->lowering.gave_up || arena->exhausted) {
        return false;
    }
    compilation->root = dsl_masks_drop_idle(compilation->graph, compilation->root);
    return !compilation->graph->nodes.full && dsl_tree_build(compilation->graph, compilation->root, &wishes, compilation->tree) &&
           dsl_emitter_init(&compilation->emitter, arena) && dsl_codegen(compilation->tree, &compilation->emitter) &&
           fits(compilation);
}

// Emits the first form that fits, in the memory that those before it took. Not where one of them used up the arena: what becomes of
// a policy does not depend on the size of that.
static bool emit_first(struct dsl_compilation *compilation)
{
    struct brig_dsl_arena *arena = compilation->arena;
    const size_t used_bytes = arena->used_bytes;
    for (uint32_t i = 0; i < FORMS && !arena->exhausted; i++) {
        dsl_arena_rewind(arena, used_bytes);
        if (emit_optimised(compilation, &forms[i])) {
            return true;
        }
    }
    return false;
}

// Emits the smallest form.
static bool emit_smallest(struct dsl_compilation *compilation)
{
    struct brig_dsl_arena *arena = compilation->arena;
    const size_t used_bytes = arena->used_bytes;
    uint32_t best = FORMS;
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < FORMS; i++) {
        dsl_arena_rewind(arena, used_bytes);
        if (emit_optimised(compilation, &forms[i]) && compilation->emitter.head < least) {
            least = compilation->emitter.head;
            best = i;
        }
        if (arena->exhausted) {
            return false;
        }
    }
    dsl_arena_rewind(arena, used_bytes);
    return best != FORMS && emit_optimised(compilation, &forms[best]);
}

static bool emit_plain(struct dsl_compilation *compilation)
{
    compilation->is_plain = true;
    return dsl_emitter_init(&compilation->emitter, compilation->arena) &&
           dsl_plain(compilation->ranges, compilation->target_count, foreign_ret(compilation), compilation->builder,
                     &compilation->emitter) &&
           fits(compilation);
}

static enum dsl_checked check(struct dsl_compilation *compilation, uint32_t steps, unsigned char *taken, uint32_t *ret_nr)
{
    uint64_t all_numbers[BRIG_DSL_TRAP_NRS / 64];
    memset(all_numbers, 0xff, sizeof all_numbers);
    const struct dsl_check_input input = {.targets = compilation->targets,
                                          .target_count = compilation->target_count,
                                          .builder = compilation->builder,
                                          .insns = dsl_emitted(&compilation->emitter),
                                          .insn_count = compilation->emitter.head,
                                          .steps = steps,
                                          .patience = DSL_CHECK_PATIENCE,
                                          .chains = compilation->is_plain ? all_numbers : compilation->lowering.chains,
                                          .few_ways = DSL_CHECK_FEW_WAYS,
                                          .taken = taken};
    return dsl_check(&input, compilation->arena, ret_nr);
}

// Checks, and cuts what the check saw no call take: the search does not know what earlier tests of a word say. What is left is
// compared with what was proven.
static enum dsl_checked check_and_cut(struct dsl_compilation *compilation, uint32_t steps, uint32_t *ret_nr)
{
    struct dsl_emitter *emitter = &compilation->emitter;
    unsigned char taken[BPF_MAXINSNS];
    const struct dsl_code code = {dsl_emitted(emitter), emitter->head};
    memset(taken, 0, code.count);
    enum dsl_checked checked = check(compilation, steps, taken, ret_nr);
    if (checked != DSL_CHECKED_EQUAL || !dsl_has_untaken(&code, taken)) {
        return checked;
    }
    struct dsl_code cut = dsl_cut_untaken(&code, taken, compilation->arena);
    if (cut.insns == NULL) {
        return checked;
    }
    bool is_proven = dsl_check_is_cut(&code, taken, &cut);
    emitter->head = cut.count;
    memcpy(emitter->insns + (BPF_MAXINSNS - cut.count), cut.insns, cut.count * sizeof *cut.insns);
    return is_proven ? DSL_CHECKED_EQUAL : check(compilation, steps, NULL, ret_nr);
}

// Emits the plain program and checks it.
static enum dsl_checked compile_plain(struct dsl_compilation *compilation, uint32_t *ret_nr)
{
    return emit_plain(compilation) ? check(compilation, DSL_CHECK_STEPS, NULL, ret_nr) : DSL_CHECKED_UNDECIDED;
}

static enum brig_code finish_plain(struct dsl_compilation *compilation, enum dsl_checked checked, uint32_t nr)
{
    if (checked == DSL_CHECKED_UNDECIDED && compilation->arena->exhausted) {
        return out_of_arena(compilation);
    }
    if (dsl_emitted(&compilation->emitter) == NULL) {
        return fail(compilation, BRIG_PROGRAM_TOO_BIG, compilation->too_big);
    }
    compilation->is_unproven = checked == DSL_CHECKED_UNDECIDED;
    return checked == DSL_CHECKED_DIFFERENT ? fail(compilation, BRIG_BUG_CHECK_FAILED, nr) : BRIG_OK;
}

// The optimised program could not be proven in the usual budget, the plain one does not do instead: all the time that there is for
// the optimised one.
static enum brig_code compile_patiently(struct dsl_compilation *compilation)
{
    const struct dsl_emitter optimised = compilation->emitter;
    uint32_t nr = 0;
    enum dsl_checked checked = compile_plain(compilation, &nr);
    if (checked == DSL_CHECKED_UNDECIDED) {
        compilation->emitter = optimised;
        compilation->is_plain = false;
        checked = check_and_cut(compilation, DSL_CHECK_MOST_STEPS, &nr);
    }
    return finish_plain(compilation, checked, nr);
}

void dsl_compile_add_rules(struct dsl_compilation *compilation, const struct brig_dsl_rules *rules)
{
    compilation->targets[compilation->target_count++] =
        (struct dsl_target){.arch = rules->arch, .rules = rules, .evaluator = dsl_rules_evaluator(rules)};
}

static enum brig_code compile(struct dsl_compilation *compilation)
{
    enum brig_code code = build_expressions(compilation);
    if (code != BRIG_OK) {
        return code;
    }
    const struct brig_dsl_options *options = compilation->options;
    uint32_t nr = 0;
    if (options->plain || !(options->small ? emit_smallest(compilation) : emit_first(compilation))) {
        if (compilation->arena->exhausted) {
            return out_of_arena(compilation);
        }
        enum dsl_checked checked = compile_plain(compilation, &nr);
        return finish_plain(compilation, checked, nr);
    }
    switch (check_and_cut(compilation, DSL_CHECK_STEPS, &nr)) {
    case DSL_CHECKED_EQUAL:
        return BRIG_OK;
    case DSL_CHECKED_DIFFERENT:
        return fail(compilation, BRIG_BUG_CHECK_FAILED, nr);
    case DSL_CHECKED_UNDECIDED:
        break;
    }
    return compile_patiently(compilation);
}

enum brig_code dsl_compile(struct dsl_compilation *compilation)
{
    enum brig_code code = compile(compilation);
    // What was not cut, or checked otherwise, for want of memory would make the program depend on how much there was.
    return code == BRIG_OK && compilation->arena->exhausted ? out_of_arena(compilation) : code;
}

// --- entries ----------------------------------------------------------------------------------------------------------

static struct brig_dsl_program program_of(const struct dsl_compilation *compilation)
{
    const struct dsl_target *first = &compilation->targets[0];
    struct brig_dsl_program program = {.insns = dsl_emitted(&compilation->emitter),
                                       .insn_count = compilation->emitter.head,
                                       .arch = first->arch,
                                       .is_plain = compilation->is_plain,
                                       .is_unproven = compilation->is_unproven};
    program.hash = brig_dsl_hash(program.insns, program.insn_count);
    if (first->rules != NULL) {
        program.traps = first->rules->traps;
        program.trap_count = first->rules->trap_count;
        program.policy = first->rules->policy->name;
    }
    return program;
}

static enum brig_code fail_argument(const char *name, int64_t value, struct brig_error *reterr)
{
    return brig_error_set(reterr, (struct brig_error){.code = BRIG_BAD_ARGUMENT, .step = STEP, .subject = name, .detail = value});
}

enum brig_code brig_dsl_compile_with(const struct brig_dsl_evaluator *evaluator, const struct brig_dsl_options *options,
                                     struct brig_dsl_arena *arena, struct brig_dsl_program *ret_program, struct brig_error *reterr)
{
    struct dsl_compilation compilation = {
        .options = options, .arena = arena, .targets = {{.arch = options->arch, .evaluator = *evaluator}}, .target_count = 1};
    if ((unsigned)options->arch >= BRIG_DSL_ARCH_COUNT) {
        return fail_argument("arch", (int64_t)options->arch, reterr);
    }
    if (dsl_compile(&compilation) != BRIG_OK) {
        return brig_error_set(reterr, compilation.error);
    }
    *ret_program = program_of(&compilation);
    return BRIG_OK;
}

// Says what is wrong with a list of targets as a whole.
static enum brig_code check_targets(const struct brig_dsl_target *targets, size_t count, struct brig_error *reterr)
{
    uint32_t seen = 0;
    if (count == 0) {
        return fail_argument("target_count", 0, reterr);
    }
    for (size_t i = 0; i < count; i++) {
        unsigned arch = (unsigned)targets[i].arch;
        if (arch >= BRIG_DSL_ARCH_COUNT || (seen & 1u << arch) != 0) {
            return fail_argument("arch", (int64_t)arch, reterr);
        }
        if (count > 1 && targets[i].policy->import == NULL) {
            return fail_argument("policy", 0, reterr);
        }
        seen |= 1u << arch;
    }
    return BRIG_OK;
}

// Resolves and compiles checked targets. `ret_rules` has room for each and must outlive the compilation.
static enum brig_code compile_targets(struct dsl_compilation *compilation, const struct brig_dsl_target *targets, size_t count,
                                      struct brig_dsl_rules *ret_rules, struct brig_error *reterr)
{
    struct brig_dsl_options options = *compilation->options;
    for (size_t i = 0; i < count; i++) {
        options.arch = targets[i].arch;
        enum brig_code code = brig_dsl_resolve(targets[i].policy, &options, compilation->arena, &ret_rules[i], reterr);
        if (code != BRIG_OK) {
            return code;
        }
        dsl_compile_add_rules(compilation, &ret_rules[i]);
    }
    return dsl_compile(compilation) == BRIG_OK ? BRIG_OK : brig_error_set(reterr, compilation->error);
}

enum brig_code brig_dsl_compile_targets(const struct brig_dsl_target *targets, size_t target_count,
                                        const struct brig_dsl_options *options, struct brig_dsl_arena *arena,
                                        struct brig_dsl_program *ret_program, struct brig_error *reterr)
{
    struct brig_dsl_rules rules[BRIG_DSL_ARCH_COUNT];
    struct dsl_compilation compilation = {.options = options, .arena = arena};
    enum brig_code code = check_targets(targets, target_count, reterr);
    if (code == BRIG_OK) {
        code = compile_targets(&compilation, targets, target_count, rules, reterr);
    }
    if (code == BRIG_OK) {
        *ret_program = program_of(&compilation);
    }
    return code;
}

enum brig_code brig_dsl_compile(const struct brig_dsl_policy *policy, const struct brig_dsl_options *options,
                                struct brig_dsl_arena *arena, struct brig_dsl_program *ret_program, struct brig_error *reterr)
{
    const struct brig_dsl_target target = {options->arch, policy};
    return brig_dsl_compile_targets(&target, 1, options, arena, ret_program, reterr);
}

enum brig_code brig_dsl_dump(const struct brig_dsl_policy *policy, const struct brig_dsl_options *options,
                             enum brig_dsl_stage stage, struct brig_dsl_arena *arena, const struct brig_dsl_sink *sink,
                             struct brig_error *reterr)
{
    struct brig_dsl_rules rules;
    const struct brig_dsl_target target = {options->arch, policy};
    struct dsl_compilation compilation = {.options = options, .arena = arena};
    enum brig_code code = compile_targets(&compilation, &target, 1, &rules, reterr);
    if (code != BRIG_OK) {
        return code;
    }
    if (stage == BRIG_DSL_STAGE_RULES) {
        dsl_dump_rules(&rules, sink);
    } else if (!dsl_dump_stage(&compilation, stage, sink)) {
        out_of_arena(&compilation);
        return brig_error_set(reterr, compilation.error);
    }
    return BRIG_OK;
}

enum brig_code brig_dsl_visit(const struct brig_dsl_target *targets, size_t target_count, const struct brig_dsl_options *options,
                              struct brig_dsl_arena *arena, const struct brig_dsl_visitor *visitor, struct brig_error *reterr)
{
    struct brig_dsl_rules rules[BRIG_DSL_ARCH_COUNT];
    struct dsl_compilation compilation = {.options = options, .arena = arena};
    enum brig_code code = check_targets(targets, target_count, reterr);
    if (code == BRIG_OK) {
        code = compile_targets(&compilation, targets, target_count, rules, reterr);
    }
    if (code == BRIG_OK && !dsl_visit_stage(&compilation, visitor)) {
        out_of_arena(&compilation);
        return brig_error_set(reterr, compilation.error);
    }
    return code;
}
