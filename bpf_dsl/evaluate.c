// evaluate: what the rows say about one call, computed straight from their meaning.
//
// Takes: rules and a call as a filter sees it. Gives: the value that the kernel must get. It is the witness against the compiler,
// so it is written to be believed: one rule after the other, one condition after the other, no expression, no table, nothing taken
// over from the lowering. Weakness: slow (one comparison per value).
#include <errno.h>
#include <linux/seccomp.h>

#include "bpf_dsl/rules.h"

// The x32 numbers on x86_64: bit 30, without bit 31 (arch/x86/include/uapi/asm/unistd.h: __X32_SYSCALL_BIT).
enum { X32_FIRST = 0x40000000, X32_LAST = 0x7fffffff };
// What ptrace(2) says to set the number to, as the kernel's int, for a call that is not to be made.
enum { SKIPPED_NR = -1 };

// The argument as the kernel's own code will see it, and a value of the condition beside it.
static uint64_t cut(uint64_t number, uint8_t bits)
{
    return bits == 32 ? (uint32_t)number : number;
}

static int64_t as_signed(uint64_t number, uint8_t bits)
{
    return bits == 32 ? (int64_t)(int32_t)(uint32_t)number : (int64_t)number;
}

static bool is_at_most(uint64_t a, uint64_t b, const struct brig_dsl_rule_condition *condition)
{
    if (condition->is_signed) {
        return as_signed(a, condition->bits) <= as_signed(b, condition->bits);
    }
    return cut(a, condition->bits) <= cut(b, condition->bits);
}

static bool is_one_of(uint64_t number, const struct brig_dsl_rule_condition *condition, uint32_t first)
{
    for (uint32_t i = first; i < condition->value_count; i++) {
        if (cut(number, condition->bits) == cut(condition->values[i], condition->bits)) {
            return true;
        }
    }
    return false;
}

static bool condition_holds(const struct brig_dsl_rule_condition *condition, const struct brig_dsl_data *data)
{
    uint64_t argument = cut(data->args[condition->argument], condition->bits);
    const uint64_t *values = condition->values;
    switch ((enum brig_dsl_operator)condition->op) {
    case BRIG_DSL_IN:
    case BRIG_DSL_IN_SET:
        return is_one_of(argument, condition, 0);
    case BRIG_DSL_RANGE:
        return is_at_most(values[0], argument, condition) && is_at_most(argument, values[1], condition);
    case BRIG_DSL_AT_LEAST:
        return is_at_most(values[0], argument, condition);
    case BRIG_DSL_AT_MOST:
        return is_at_most(argument, values[0], condition);
    case BRIG_DSL_MASKED:
        return is_one_of(argument & values[0], condition, 1);
    case BRIG_DSL_ONLY_BITS:
        return (argument & ~values[0]) == 0;
    case BRIG_DSL_NO_BITS:
        return (argument & values[0]) == 0;
    case BRIG_DSL_ALL_BITS:
        return (argument & cut(values[0], condition->bits)) == cut(values[0], condition->bits);
    case BRIG_DSL_IS_NULL:
        return argument == 0;
    case BRIG_DSL_NOT_NULL:
        return argument != 0;
    case BRIG_DSL_NOT_IN:
        return !is_one_of(argument, condition, 0);
    case BRIG_DSL_ANY_BITS:
        return (argument & values[0]) != 0;
    case BRIG_DSL_NOT_MASKED:
        return !is_one_of(argument & values[0], condition, 1);
    case BRIG_DSL_END:
    case BRIG_DSL_OPERATOR_COUNT:
        break;
    }
    return false;
}

static bool rule_holds(const struct brig_dsl_rule *rule, const struct brig_dsl_data *data)
{
    for (uint32_t i = 0; i < rule->condition_count; i++) {
        if (!condition_holds(&rule->conditions[i], data)) {
            return false;
        }
    }
    return true;
}

// Returns: the first rule that holds, or NULL where the call has no rows.
static const struct brig_dsl_rule *deciding_rule(const struct brig_dsl_call_rules *rules, const struct brig_dsl_data *data)
{
    for (uint32_t i = 0; i < rules->rule_count; i++) {
        if (rule_holds(rules->rules[i], data)) {
            return rules->rules[i];
        }
    }
    return NULL;
}

// What a call meets.
struct verdict {
    uint32_t ret;
    uint32_t trap;
    const struct brig_dsl_rule *rule;
};

static struct verdict decide_call(const struct brig_dsl_rules *rules, enum brig_dsl_call call, const struct brig_dsl_data *data)
{
    const struct brig_dsl_rule *rule = deciding_rule(brig_dsl_rules_of(rules, call), data);
    if (rule) {
        return (struct verdict){.ret = rule->ret, .trap = rule->trap, .rule = rule};
    }
    if (brig_dsl_call_since(call) > rules->kernel) {
        return (struct verdict){.ret = rules->unknown_ret};
    }
    return (struct verdict){.ret = rules->fallback_ret, .trap = rules->fallback_trap};
}

static struct verdict decide(const struct brig_dsl_rules *rules, const struct brig_dsl_data *data)
{
    if (data->audit_arch != brig_dsl_arch_audit(rules->arch)) {
        return (struct verdict){.ret = rules->foreign_ret, .trap = rules->foreign_trap};
    }
    const bool is_x32 = data->nr >= X32_FIRST && (rules->is_import ? (int32_t)data->nr != SKIPPED_NR : data->nr <= X32_LAST);
    if (rules->arch == BRIG_DSL_X86_64 && is_x32) {
        return (struct verdict){.ret = rules->x32_ret, .trap = rules->x32_trap};
    }
    if (data->nr == BRIG_DSL_DIE_NR && !rules->is_import) {
        return (struct verdict){.ret = SECCOMP_RET_KILL_PROCESS};
    }
    if (data->nr == BRIG_DSL_PROBE_NR && !rules->is_import) {
        return (struct verdict){.ret = SECCOMP_RET_ERRNO | BRIG_DSL_PROBE_ERRNO};
    }
    if (data->nr == BRIG_DSL_BROKER_NR && rules->asks_broker) {
        return (struct verdict){.ret = SECCOMP_RET_ALLOW};
    }
    enum brig_dsl_call call = brig_dsl_call_by_nr(data->nr, rules->arch);
    return call == BRIG_SYS_NONE ? (struct verdict){.ret = rules->unknown_ret} : decide_call(rules, call, data);
}

uint32_t brig_dsl_evaluate(const struct brig_dsl_rules *rules, const struct brig_dsl_data *data,
                           const struct brig_dsl_rule **ret_rule)
{
    struct verdict verdict = decide(rules, data);
    if (ret_rule) {
        *ret_rule = verdict.rule;
    }
    return verdict.ret;
}

const struct brig_dsl_trap *brig_dsl_decide(const struct brig_dsl_rules *rules, const struct brig_dsl_data *data)
{
    uint32_t trap = decide(rules, data).trap;
    return trap == 0 ? NULL : &rules->traps[trap];
}
