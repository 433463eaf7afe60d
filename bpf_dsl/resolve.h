// resolve: what the passes of brig_dsl_resolve share. Internal to bpf_dsl.
//
//   rows.c          the order of rows
//   merge.c         rows become lists of rules, one per call
//   conditions.c    a row's conditions become conditions on registers
//   narrow.c        conditions on arguments of which the kernel keeps 16 bits
//   split.c         conditions on a 64-bit argument that a 32-bit arch passes in two registers
//   traps.c         actions become SECCOMP_RET_* values; trap ids
//   resolve.c       the whole
#ifndef BRIG_BPF_DSL_RESOLVE_H
#define BRIG_BPF_DSL_RESOLVE_H

#include "bpf_dsl/arena.h"
#include "bpf_dsl/rows.h"
#include "bpf_dsl/rules.h"

// Ids that are no row's: the unused 0, foreign arch, x32, fallback.
enum { DSL_OWN_TRAP_IDS = 4 };

struct dsl_rule_link {
    const struct brig_dsl_rule *rule;
    struct dsl_rule_link *next;
};

// The rules of one call, while they are collected.
struct dsl_call_list {
    struct dsl_rule_link *first;
    struct dsl_rule_link *last;
    uint16_t call; // enum brig_dsl_call
    uint32_t count;
    bool is_closed;   // the last rule is unconditional
    bool has_own_row; // one that is not the handler's
};

struct dsl_resolver {
    const struct brig_dsl_options *options;
    struct brig_dsl_arena *arena;
    const struct brig_dsl_import *import; // NULL: one of ours
    uint16_t kernel;
    struct brig_dsl_action fallback;
    uint32_t fallback_ret;
    uint32_t fallback_trap; // indices in `traps`, 0: none
    uint32_t foreign_trap;
    uint32_t x32_trap;
    uint32_t unknown_ret;
    uint32_t foreign_ret;
    uint32_t x32_ret;
    struct brig_dsl_trap *traps; // room for every row that asks
    uint32_t trap_count;
    struct dsl_call_list *lists; // in the order in which they were begun; room for one per call that rows name
    uint32_t list_count;
    uint32_t list_room;
    uint64_t *with_rules;    // bit per enum brig_dsl_call: its list was begun
    uint16_t *list_of;       // by enum brig_dsl_call: its place in `lists`, + 1; 0: not begun
    bool asks_broker;        // a rule, or the fallback, does, by the handler
    struct dsl_entry entry;  // the row at work
    enum brig_dsl_call call; // and the call
    struct brig_error error; // the failure, once there is one
};

// Keeps `error`, with file and line of the row at work where it has none of its own. Returns: error.code.
enum brig_code dsl_resolve_fail(struct dsl_resolver *resolver, struct brig_error error);
// The same for an arena that is used up.
enum brig_code dsl_resolve_exhausted(struct dsl_resolver *resolver);

// Resolves the conditions of the row at work for the call at work. Returns: OK; the codes on values and conditions; OUT_OF_ARENA.
enum brig_code dsl_resolve_conditions(struct dsl_resolver *resolver, struct brig_dsl_rule *rule);

// Writes the two conditions that together say what `wide` (64 bits, register unset) says of a number in two registers of 32.
// Returns: false if no two can.
bool dsl_split_condition(const struct brig_dsl_rule_condition *wide, int low_register, int high_register,
                         struct brig_dsl_arena *arena, struct brig_dsl_rule_condition ret_halves[2]);

// Makes a condition of 16 bits one of 32 that ignores what the kernel ignores. Returns: false when the arena is used up.
bool dsl_narrow_condition(struct brig_dsl_rule_condition *rule, struct brig_dsl_arena *arena);

// Whether an action of a policy of ours asks somebody besides the kernel, who has to know what the call met: it has an entry in the
// table of traps.
bool dsl_action_asks(const struct brig_dsl_action *action);
// Whether an action lets the call through.
bool dsl_action_allows(const struct brig_dsl_action *action);
// Returns: OK, or BAD_ACTION with `subject`.
enum brig_code dsl_check_action(struct dsl_resolver *resolver, const struct brig_dsl_action *action, const char *subject);
// The one place where an action becomes what the kernel sees. `trap_id` counts where the action traps.
uint32_t dsl_action_ret(const struct dsl_resolver *resolver, const struct brig_dsl_action *action, uint32_t trap_id);

// Allocates traps for `row_count` rows that ask, and gives the ids that are no row's: foreign arch, x32, fallback. An imported
// policy has none of these.
enum brig_code dsl_traps_start(struct dsl_resolver *resolver, uint32_t row_count);
// Gives the row at work its id.
uint32_t dsl_trap_for_row(struct dsl_resolver *resolver);
// Notes that `nr` can give `id`; id 0 is ignored.
void dsl_trap_note(struct dsl_resolver *resolver, uint32_t id, uint32_t nr);

// Adds the row at work to the lists of its calls.
enum brig_code dsl_merge_row(struct dsl_resolver *resolver);
// Ends every list and writes the arrays that the rules keep.
enum brig_code dsl_merge_finish(struct dsl_resolver *resolver, const struct brig_dsl_call_rules **ret_calls);

#endif
