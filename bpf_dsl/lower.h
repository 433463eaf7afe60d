// lower: from rules to expressions, and from expressions to decisions. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_LOWER_H
#define BRIG_BPF_DSL_LOWER_H

#include "bpf_dsl/decisions.h"
#include "bpf_dsl/expr_nodes.h"
#include "bpf_dsl/rules.h"

// Rows as an evaluator: what brig_dsl_compile compiles. `rules` must outlive it.
struct brig_dsl_evaluator dsl_rules_evaluator(const struct brig_dsl_rules *rules);

// Walks the calls of an arch by number, but for those of which an evaluator is known, without asking it, to say what it says of
// numbers that are no call. Policies of other tools often name few calls, and one of two rules should not cost what one of four
// hundred does.
struct dsl_asked_calls {
    const struct brig_dsl_rules *rules; // NULL: all are asked about
    enum brig_dsl_arch arch;
    uint32_t from;
    uint32_t most;                           // calls that may be asked about
    uint32_t end;                            // none of the numbers from here on is in the set
    uint64_t nr_set[BRIG_DSL_TRAP_NRS / 64]; // numbers to ask about; those above are looked at one by one
};
struct dsl_asked_calls dsl_asked_calls(const struct brig_dsl_evaluator *evaluator, enum brig_dsl_arch arch);
// Returns: the next call and its number, or BRIG_SYS_NONE.
enum brig_dsl_call dsl_asked_next(struct dsl_asked_calls *asked, uint32_t *ret_nr);

struct dsl_lowering {
    const struct brig_dsl_builder *builder;
    struct dsl_decisions *graph;
    uint32_t *decision_of;                   // by expression; DSL_INTERN_NONE: not lowered yet
    bool *is_chain;                          // by expression: lowered as rules one after the other
    uint64_t chains[BRIG_DSL_TRAP_NRS / 64]; // numbers of calls whose rules are; those above are not noted
    bool prefer_chains; // rules one after the other, which is smaller where they ask about many things in turns
    bool is_patient;    // what did not fit is worth more work
    bool gave_up;       // sticky: some call exploded even as a chain; its decision means nothing
};

// Starts lowering the expressions that `builder` has now. Returns: false when the arena is exhausted.
bool dsl_lowering_init(struct dsl_lowering *lowering, const struct brig_dsl_builder *builder, struct dsl_decisions *graph);

// Lowers one verdict. Returns: its decision; equal decisions are equal ids.
uint32_t dsl_lower_verdict(struct dsl_lowering *lowering, struct brig_dsl_verdict verdict);

#endif
