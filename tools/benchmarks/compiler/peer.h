// peer: a policy's rules as libseccomp takes them. Shared by peer*.c.
#ifndef BRIG_TOOLS_BENCHMARKS_COMPILER_PEER_H
#define BRIG_TOOLS_BENCHMARKS_COMPILER_PEER_H

#include "tools/benchmarks/compiler/compiler.h"

// --- comparisons ------------------------------------------------------------------------------------------------------

// A comparison of one register. MASKED: (register & mask) == value.
struct peer_comparison {
    enum { PEER_ANY, PEER_MASKED, PEER_NE, PEER_GE, PEER_LE } op;
    uint64_t mask;
    uint64_t value;
};

// Of which at least one holds.
enum { PEER_ALTERNATIVES_MAX = 2048, PEER_PARTS_MAX = 8 };
struct peer_alternatives {
    struct peer_comparison parts[PEER_ALTERNATIVES_MAX];
    size_t count; // more than PEER_ALTERNATIVES_MAX: too many
};

// Returns: a comparison of the bits of `mask` with those of `value`.
struct peer_comparison peer_masked(uint64_t mask, uint64_t value);
// Whether no number can meet both. Says no where it does not know.
bool peer_is_apart(const struct peer_comparison *a, const struct peer_comparison *b);
// Whether each number that meets `a` meets `b`. Says no where it does not know.
bool peer_is_within(const struct peer_comparison *a, const struct peer_comparison *b);
// Writes comparisons of which one or more hold where `comparison` does not. Returns: their number; 0: there is no short form.
size_t peer_negate(const struct peer_comparison *comparison, struct peer_comparison ret_parts[PEER_PARTS_MAX]);
// Lists a condition. Returns: NULL, or why there is no form.
const char *peer_list_alternatives(const struct brig_dsl_rule_condition *condition, struct peer_alternatives *ret_all);

// --- rules ------------------------------------------------------------------------------------------------------------

// One rule as libseccomp has them: all comparisons hold, at most one for each argument.
struct peer_rule {
    uint32_t nr;
    uint32_t action;
    struct peer_comparison arguments[6];
};

enum { PEER_RULES_MAX = 20000 };

struct peer_rules {
    uint32_t fallback;
    uint32_t foreign;
    struct peer_rule *rules;
    size_t count;
    char why_not[BENCH_TEXT_BYTES]; // not empty: cannot be said
};

// Says a policy in rules that libseccomp takes. With `in_order`, rules of one call may overlap whatever their actions, and stand in
// the policy's order; else what an earlier rule takes is taken out of the later ones. Returns: NULL if memory ran out.
struct peer_rules *peer_rules_make(const struct brig_dsl_rules *rules, bool in_order);
// Returns: an action without what libseccomp cannot say of it.
uint32_t peer_action(uint32_t ret);

#endif
