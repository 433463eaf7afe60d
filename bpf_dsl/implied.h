// implied: rules that are never the first to match. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_IMPLIED_H
#define BRIG_BPF_DSL_IMPLIED_H

#include "bpf_dsl/expr_nodes.h"

// Whether all calls that links[link] is about match one of the links before it. Returns: false where that is not easily seen.
bool dsl_is_dead_link(const struct brig_dsl_builder *builder, const uint32_t *links, uint32_t link);

#endif
