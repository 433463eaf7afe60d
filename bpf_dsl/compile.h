// compile: every stage of one compile, kept so that it can be dumped. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_COMPILE_H
#define BRIG_BPF_DSL_COMPILE_H

#include "bpf_dsl/check.h"
#include "bpf_dsl/emit.h"
#include "bpf_dsl/ranges.h"
#include "bpf_dsl/tree.h"

struct dsl_compilation {
    const struct brig_dsl_options *options;
    struct brig_dsl_arena *arena;
    struct dsl_target targets[BRIG_DSL_ARCH_COUNT]; // without rules: an evaluator that is not rows
    uint32_t target_count;

    struct brig_dsl_builder *builder; // expressions, of all targets
    struct dsl_ranges ranges[BRIG_DSL_ARCH_COUNT];
    struct dsl_decisions *graph;
    struct dsl_lowering lowering;
    uint32_t root; // decision of the whole program
    struct dsl_tree *tree;
    struct dsl_emitter emitter;
    bool is_plain, is_unproven;
    uint32_t too_big; // instructions of the smallest form that did not fit; 0: all did so far

    struct brig_error error; // once something failed
};

// Adds an arch that rules decide; `rules` must outlive the compilation.
void dsl_compile_add_rules(struct dsl_compilation *compilation, const struct brig_dsl_rules *rules);

// Runs every stage after the rules, for targets that are there. Returns: OK; OUT_OF_ARENA, BAD_ARGUMENT, PROGRAM_TOO_BIG,
// BUG_CHECK_FAILED, with compilation->error set.
enum brig_code dsl_compile(struct dsl_compilation *compilation);

// Writes one stage after the rules; the compile must have succeeded. Returns: false, with nothing written, when the arena is
// exhausted.
bool dsl_dump_stage(const struct dsl_compilation *compilation, enum brig_dsl_stage stage, const struct brig_dsl_sink *sink);

#endif
