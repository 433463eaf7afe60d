// explain: the parts of `brig explain`.
#ifndef BRIG_TOOLS_BRIG_EXPLAIN_H
#define BRIG_TOOLS_BRIG_EXPLAIN_H

#include "tools/brig/tool.h"

// One line of the listing: a rule and the calls that it is the same rule for.
struct explain_line {
    const struct brig_dsl_rule *rule;
    uint32_t rank;                              // position of the row: the handler's own first, then the policy's, then its base's
    bool is_otherwise;                          // all of its calls have rules before this one
    uint64_t calls[(BRIG_SYS_COUNT + 63) / 64]; // a bit for each
};

// In the order in which they are read.
struct explain_lines {
    struct explain_line *of; // from malloc
    size_t count;
};

// Makes the lines of a policy, for the calls that are wanted; NULL: for all. Returns: false if memory ran out.
bool explain_collect(const struct brig_dsl_policy *policy, const struct brig_dsl_rules *rules, const bool *wanted,
                     struct explain_lines *ret_lines);
// Lists the calls of a line in the order of their names. Returns: how many there are, at least one.
uint32_t explain_calls(const struct explain_line *line, enum brig_dsl_call calls[BRIG_SYS_COUNT]);

// Writes the conditions of an imported rule, which are on registers and numbers, with the names of arguments and constants where
// all of `calls` agree on them.
void explain_import(const struct brig_dsl_rule *rule, const enum brig_dsl_call *calls, uint32_t call_count, enum brig_dsl_arch arch,
                    FILE *out);

#endif
