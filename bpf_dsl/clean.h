// clean: programs without what nothing reaches. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_CLEAN_H
#define BRIG_BPF_DSL_CLEAN_H

#include "bpf_dsl/optimize_parts.h"

// Which sides of a test calls were seen to take, by instruction.
enum { DSL_TAKEN_YES = 1, DSL_TAKEN_NO = 2 };

// Leaves out what no jump leads to. Returns: the rest; NULL insns when the arena is exhausted.
struct dsl_code dsl_clean(const struct dsl_code *code, struct brig_dsl_arena *arena);

// Says whether some test has a side that no call takes.
bool dsl_has_untaken(const struct dsl_code *code, const unsigned char *taken);

// Leaves out tests of which one side only is taken, and then what nothing reaches. Returns: as dsl_clean.
struct dsl_code dsl_cut_untaken(const struct dsl_code *code, const unsigned char *taken, struct brig_dsl_arena *arena);

#endif
