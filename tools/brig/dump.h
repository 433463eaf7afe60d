// dump: what the files of the verb `dump` share. See dump.c.
#ifndef BRIG_TOOLS_BRIG_DUMP_H
#define BRIG_TOOLS_BRIG_DUMP_H

#include "bpf_dsl/stages.h"
#include "tools/brig/tool.h"

// One target to dump, or a raw program, which has the stages from DUMP_FIRST_OF_RAW on.
struct dump {
    const char *name;
    const struct brig_dsl_target *target; // NULL: a raw program
    const struct brig_dsl_rules *rules;
    struct brig_dsl_filter filter;          // the raw program
    const struct brig_dsl_options *options; // for the target's arch
    int stage;                              // BRIG_DSL_STAGE_COUNT: all of them
};

enum { DUMP_FIRST_OF_RAW = BRIG_DSL_STAGE_DECISIONS };

// A node of a stage as JSON.
json_t *dump_node_json(const struct brig_dsl_node *node);
// Adds an object for the target to `targets`. Returns: -1, or the exit status after having complained.
int dump_add_json(const struct dump *dump, json_t *targets);

#endif
