// dump: what the files of the verb `dump` share. See dump.c.
#ifndef BRIG_TOOLS_BRIG_DUMP_H
#define BRIG_TOOLS_BRIG_DUMP_H

#include "bpf_dsl/stages.h"
#include "tools/brig/tool.h"

// One target to dump.
struct dump {
    const struct brig_dsl_target *target;
    const struct brig_dsl_rules *rules;
    const struct brig_dsl_options *options; // for the target's arch
    int stage;                              // BRIG_DSL_STAGE_COUNT: all of them
};

// A node of a stage as JSON.
json_t *dump_node_json(const struct brig_dsl_node *node);
// Adds an object for the target to `targets`. Returns: -1, or the exit status after having complained.
int dump_add_json(const struct dump *dump, json_t *targets);

#endif
