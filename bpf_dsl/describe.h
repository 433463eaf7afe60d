// describe: text of resolved rules, for the stage `rules`. Internal to bpf_dsl; brig_dsl_describe_rule is in rules.h.
#ifndef BRIG_BPF_DSL_DESCRIBE_H
#define BRIG_BPF_DSL_DESCRIBE_H

#include "bpf_dsl/rules.h"

// Writes a condition with the numbers that the target compares: "cmd in {0x3, 0x1}".
void dsl_put_condition(const struct brig_dsl_sink *sink, const struct brig_dsl_rule_condition *condition, const char *argument);

// Writes all rules, call by call in the order of names, and what the trap ids mean: the stage BRIG_DSL_STAGE_RULES of
// brig_dsl_dump.
void dsl_dump_rules(const struct brig_dsl_rules *rules, const struct brig_dsl_sink *sink);

#endif
