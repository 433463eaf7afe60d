// codegen: steps become instructions. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_CODEGEN_H
#define BRIG_BPF_DSL_CODEGEN_H

#include "bpf_dsl/emit.h"
#include "bpf_dsl/tree.h"

// Emits everything that tree->root reaches. Returns: false when the arena is exhausted; a program that is too big is the emitter's
// to say.
bool dsl_codegen(const struct dsl_tree *tree, struct dsl_emitter *emitter);

#endif
