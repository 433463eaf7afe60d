// terms: what a foreign program computes, as text. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_TERMS_H
#define BRIG_BPF_DSL_TERMS_H

#include "bpf_dsl/decisions.h"
#include "bpf_dsl/text.h"

// Writes a word of struct seccomp_data.
typedef void dsl_put_word_function(const struct brig_dsl_sink *sink, uint32_t word);

// Writes a term as "a1.lo + (a0.lo * 0x3)", with words as `put_word` has them.
void dsl_put_term(const struct brig_dsl_sink *sink, const struct dsl_term *term, dsl_put_word_function *put_word);

// Describes every term of a graph, and from DSL_TERMS_MAX on what its leaves compute, with words as assembler has them:
// "args[0].lo". Returns: texts by term, which live as long as the arena; NULL when that is exhausted.
const char *const *dsl_terms_describe(const struct dsl_decisions *graph, struct brig_dsl_arena *arena);

#endif
