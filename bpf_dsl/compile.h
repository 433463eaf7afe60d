// compile: every stage of one compile, kept so that it can be dumped. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_COMPILE_H
#define BRIG_BPF_DSL_COMPILE_H

#include "bpf_dsl/emit.h"
#include "bpf_dsl/ranges.h"
#include "bpf_dsl/tree.h"

struct dsl_compilation {
    const struct brig_dsl_options *options;
    struct brig_dsl_arena *arena;
    const struct brig_dsl_rules *rules; // NULL for an evaluator that is not rows
    struct brig_dsl_evaluator evaluator;

    struct brig_dsl_builder *builder; // expressions
    struct dsl_ranges ranges;
    struct dsl_decisions *graph;
    struct dsl_lowering lowering;
    uint32_t root; // decision of the whole program
    struct dsl_tree *tree;
    struct dsl_emitter emitter;
    bool is_plain;
    uint32_t too_big; // instructions of the smallest form that did not fit; 0: all did so far

    struct brig_error error; // once something failed
};

// Runs every stage after the rules. Returns: OK; OUT_OF_ARENA, BAD_ARGUMENT, PROGRAM_TOO_BIG, BUG_CHECK_FAILED, with
// compilation->error set.
enum brig_code dsl_compile(struct dsl_compilation *compilation);

// Writes one stage after the rules; the compile must have succeeded.
void dsl_dump_stage(const struct dsl_compilation *compilation, enum brig_dsl_stage stage, const struct brig_dsl_sink *sink);

#endif
