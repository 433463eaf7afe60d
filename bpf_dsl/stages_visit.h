// stages_visit: what shows nodes of a stage to a visitor. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_STAGES_VISIT_H
#define BRIG_BPF_DSL_STAGES_VISIT_H

#include "bpf_dsl/compile.h"
#include "bpf_dsl/stages.h"

// Shows what `root` reaches, `root` first. Returns: false when the arena is exhausted.
bool dsl_visit_decisions(const struct dsl_decisions *graph, uint32_t root, struct brig_dsl_arena *arena,
                         const struct brig_dsl_visitor *visitor);

// Shows a stage of a compile that succeeded. Returns: false when the arena is exhausted.
bool dsl_visit_stage(const struct dsl_compilation *compilation, const struct brig_dsl_visitor *visitor);

#endif
