// foresee: rules whose tests are better not sorted. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_FORESEE_H
#define BRIG_BPF_DSL_FORESEE_H

#include "bpf_dsl/decisions.h"
#include "bpf_dsl/expr_nodes.h"

// Whether sorting the tests of a chain of rules would make a diagram far bigger than the rules are. `node`: the first link;
// `order`: of the words, as they would be sorted. Returns: false where that is not known.
bool dsl_foresees_explosion(const struct brig_dsl_builder *builder, uint32_t node, const struct dsl_order *order);

// Whether some rule of a chain asks for anything but single values. `node`: the first link.
bool dsl_asks_for_ranges(const struct brig_dsl_builder *builder, uint32_t node);

#endif
