// rules: a policy as one target sees it. Rows are merged, calls have numbers, arguments have registers, values have bits.
//
// Made by brig_dsl_resolve; read by the lowering, by the reference evaluator, by `explain` and by lint. A condition keeps its
// meaning (operator, width, sign, values); how it is tested is the lowering's business, what it means is the evaluator's, and the
// two share no code.
#ifndef BRIG_BPF_DSL_RULES_H
#define BRIG_BPF_DSL_RULES_H

#include "bpf_dsl/bpf_dsl.h"

#ifdef __cplusplus
extern "C" {
#endif

// One condition on one register. `values` are 64-bit patterns: negative numbers are sign-extended whatever `bits` is.
struct brig_dsl_rule_condition {
    uint8_t op;       // enum brig_dsl_operator; IN_SET has become IN, IS_NULL and NOT_NULL stay
    uint8_t argument; // register index, 0 to 5
    uint8_t bits;     // 32: only the low half counts; 64: all of the register
    bool is_signed;   // for RANGE, AT_LEAST, AT_MOST
    uint32_t value_count;
    const uint64_t *values; // as written: MASKED has the mask first, RANGE lo and hi
    const struct brig_dsl_condition *source;
};

// One row as it applies to one call.
struct brig_dsl_rule {
    const struct brig_dsl_row *row; // the handler's own rows are in handler_rows.c; NULL: no row, see `why`
    const char *why;                // reason in force at that row, or NULL
    struct brig_dsl_action action;
    uint32_t ret;             // what the program returns: SECCOMP_RET_* | data, trap id included
    uint32_t trap;            // index in brig_dsl_rules.traps, 0: none; the id in `ret` where that traps
    uint32_t condition_count; // 0: unconditional
    const struct brig_dsl_rule_condition *conditions;
};

// The rules of one call, in order; the last one, and only that, is unconditional.
struct brig_dsl_call_rules {
    const struct brig_dsl_rule *const *rules;
    uint32_t rule_count; // 0: no rows, see brig_dsl_rules.fallback_ret and unknown_ret
};

struct brig_dsl_rules {
    const struct brig_dsl_policy *policy;
    enum brig_dsl_arch arch;
    enum brig_dsl_process target;
    bool is_import;                          // written for another tool: no reserved numbers, and `data` of a TRAP is no id
    uint16_t kernel;                         // baseline in force; 0: an imported policy has none
    const struct brig_dsl_call_rules *calls; // brig_dsl_rules_of finds a call's
    const uint16_t *place_of;                // by enum brig_dsl_call: which of `calls`; NULL: they are indexed by it themselves
    const uint64_t *with_rules;              // bit per enum brig_dsl_call, 64 a word: those not set have no rules; NULL: not known
    uint32_t fallback_ret;                   // calls up to the baseline without rows
    uint32_t unknown_ret;                    // newer calls without rows, and numbers that are no call: ENOSYS, or import's fallback
    uint32_t foreign_ret;                    // another arch
    uint32_t x32_ret;                        // x86_64 with bit 30 (and not bit 31) set; of an import all from there on but -1
    bool asks_broker;                        // some rule does, so BRIG_DSL_BROKER_NR is let through; else it is no call
    const struct brig_dsl_trap *traps;
    uint32_t trap_count;
    uint32_t fallback_trap; // indices in `traps`, 0: none
    uint32_t foreign_trap;
    uint32_t x32_trap;
};

// Finds the rules of one call.
//
// `call` is BRIG_SYS_NONE or one of the calls. Returns: its rules, of which there may be 0. Owns: lives as long as the rules.
// Context: any.
static inline const struct brig_dsl_call_rules *brig_dsl_rules_of(const struct brig_dsl_rules *rules, enum brig_dsl_call call)
{
    return &rules->calls[rules->place_of != NULL ? rules->place_of[call] : (unsigned)call];
}

// Merges, checks and resolves `policy` for options->arch.
//
// The order for each call: the handler's own rows (what every policy must allow, see handler_rows.c), then the policy's, then its
// base's unless an ELSE stopped there. Rows after an unconditional one are dropped, unread. clone3 without a row answers ENOSYS,
// and so does a call (old mmap of i386) whose first row has conditions that only this arch keeps in memory. An imported policy's
// rows are taken as they are: bpf_dsl.h:struct brig_dsl_import says how.
// Returns: OK; OUT_OF_ARENA; the codes on policies in status.def, with the row's file and line and the span of text at fault.
// Owns: ret_rules points into `arena` and `policy`.
// Context: normal, after fork.
BRIG_MUST_CHECK enum brig_code brig_dsl_resolve(const struct brig_dsl_policy *policy, const struct brig_dsl_options *options,
                                                struct brig_dsl_arena *arena, struct brig_dsl_rules *ret_rules,
                                                struct brig_error *reterr);

// What a filter sees of one call, as in struct seccomp_data but for any target.
struct brig_dsl_data {
    uint32_t nr;
    uint32_t audit_arch;
    uint64_t ip;
    uint64_t args[6];
};

// The reference evaluator: says what the rows say, straight from their meaning.
//
// Returns: the SECCOMP_RET_* value. *ret_rule, where ret_rule is not NULL, is the deciding rule, or NULL if none did (unknown,
// fallback, foreign).
// Context: any.
uint32_t brig_dsl_evaluate(const struct brig_dsl_rules *rules, const struct brig_dsl_data *data,
                           const struct brig_dsl_rule **ret_rule);

// Finds what a call that a program trapped, notified of or killed for met: its action, origin, row and reason.
//
// Call it with rules that were resolved with the program's own policy and options. Decides as brig_dsl_evaluate does, from
// everything that a filter sees and nothing else.
// Returns: an entry of rules->traps; NULL where the call meets an action that asks nobody (ALLOW, DENY, LOG, the kills, TRACE), or
// a number that is no call or reserved, or the policy is an imported one. Owns: lives as long as the rules. Context: any.
const struct brig_dsl_trap *brig_dsl_decide(const struct brig_dsl_rules *rules, const struct brig_dsl_data *data);

// Reads one value expression ("O_RDWR|O_CLOEXEC", "0x10", "-1", "1 << 3") as `arch` has its names.
//
// `own` are constants looked up first, or NULL. Slots (SELF_PID) are not known here.
// Returns: OK; BAD_VALUE_SYNTAX, NO_SUCH_CONSTANT, ABSENT_ON_ARCH, VALUE_OUT_OF_RANGE with the subject in `text`.
// Context: any.
BRIG_MUST_CHECK enum brig_code brig_dsl_read_value(const char *text, size_t text_bytes, enum brig_dsl_arch arch,
                                                   const struct brig_dsl_constant *own, uint64_t *ret_value,
                                                   struct brig_error *reterr);

// Writes a rule's conditions for people, as in `brig explain`: "cmd in {F_GETFL, F_GETFD}". Values stand as in the source; an
// unconditional rule writes nothing.
// Context: any.
void brig_dsl_describe_rule(const struct brig_dsl_rule *rule, enum brig_dsl_call call, enum brig_dsl_arch arch,
                            const struct brig_dsl_sink *sink);

// Writes an action as it is written in a policy: "ALLOW", "DENY(EPERM)", "EMULATE(uname)". Numbers without a name stay numbers.
// Context: any.
void brig_dsl_describe_action(const struct brig_dsl_action *action, const struct brig_dsl_sink *sink);

// Says who makes `call` while all signals are blocked, so that a trap there kills without a handler or a report.
//
// Rows may not REPORT, EMULATE, BROKER or NOTIFY such a call where the target is a linked worker (TRAP_WHILE_BLOCKED); lint asks
// this about a fallback that traps.
// Returns: a static sentence, or NULL when libc makes `call` only with signals open.
// Context: any. Source: how glibc and musl start and end threads; see traps.c for what was measured.
const char *brig_dsl_blocked_reason(enum brig_dsl_call call);

#ifdef __cplusplus
}
#endif
#endif
