// explain: the parts of `brig explain`.
#ifndef BRIG_TOOLS_BRIG_EXPLAIN_H
#define BRIG_TOOLS_BRIG_EXPLAIN_H

#include "tools/brig/tool.h"

// Writes the conditions of an imported rule, which are on registers and numbers, with the names of arguments and constants where
// all of `calls` agree on them.
void explain_import(const struct brig_dsl_rule *rule, const enum brig_dsl_call *calls, uint32_t call_count, enum brig_dsl_arch arch,
                    FILE *out);

#endif
