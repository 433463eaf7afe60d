// plain: the program that is easy to believe. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_PLAIN_H
#define BRIG_BPF_DSL_PLAIN_H

#include "bpf_dsl/emit.h"
#include "bpf_dsl/ranges.h"

// Emits the unoptimised program for `count` different arches. Returns: false when the arena is exhausted; a program that is too big
// is the emitter's to say.
bool dsl_plain(const struct dsl_ranges *ranges, uint32_t count, uint32_t foreign_ret, const struct brig_dsl_builder *builder,
               struct dsl_emitter *emitter);

#endif
