// random_meaning: what the author of a random policy meant, computed from that and from what a kernel does with a call. Knows
// nothing of rules; of resolve's work it takes over nothing but the tables.
#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>

#include "tests/bpf_dsl/random_policy.h"

// --- arguments --------------------------------------------------------------------------------------------------------

static uint64_t cut(uint64_t number, uint8_t bits)
{
    return number & UINT64_MAX >> (64 - bits);
}

// The argument as the code of the call sees it.
static uint64_t argument_of(const struct meant_condition *meant, enum brig_dsl_call call, enum brig_dsl_arch arch,
                            const struct brig_dsl_data *data)
{
    char half[64];
    const char *name = meant->argument;
    if (strncmp(name, "reg", 3) == 0 && name[3] >= '0' && name[3] <= '5' && name[4] == '\0') {
        return data->args[name[3] - '0'];
    }
    int index = brig_dsl_call_argument_index(call, arch, name, strlen(name));
    if (index >= 0) {
        return cut(data->args[index], meant->bits);
    }
    int length = snprintf(half, sizeof half, "%s_lo", name);
    uint64_t low = (uint32_t)data->args[brig_dsl_call_argument_index(call, arch, half, (size_t)length)];
    snprintf(half, sizeof half, "%s_hi", name);
    return low | data->args[brig_dsl_call_argument_index(call, arch, half, (size_t)length)] << 32;
}

static bool is_among(uint64_t number, const struct meant_condition *meant, uint32_t first)
{
    for (uint32_t i = first; i < meant->count; i++) {
        if (meant->values[i] == number) {
            return true;
        }
    }
    return false;
}

static bool is_at_most(uint64_t a, uint64_t b, const struct meant_condition *meant)
{
    bool a_is_negative = meant->is_signed && (a >> (meant->bits - 1) & 1) != 0;
    bool b_is_negative = meant->is_signed && (b >> (meant->bits - 1) & 1) != 0;
    return a_is_negative == b_is_negative ? a <= b : a_is_negative;
}

static bool is_met(const struct meant_condition *meant, uint64_t argument)
{
    const uint64_t *values = meant->values;
    switch (meant->op) {
    case BRIG_DSL_IN:
    case BRIG_DSL_IN_SET:
        return is_among(argument, meant, 0);
    case BRIG_DSL_NOT_IN:
        return !is_among(argument, meant, 0);
    case BRIG_DSL_RANGE:
        return is_at_most(values[0], argument, meant) && is_at_most(argument, values[1], meant);
    case BRIG_DSL_AT_LEAST:
        return is_at_most(values[0], argument, meant);
    case BRIG_DSL_AT_MOST:
        return is_at_most(argument, values[0], meant);
    case BRIG_DSL_MASKED:
        return is_among(argument & values[0], meant, 1);
    case BRIG_DSL_NOT_MASKED:
        return !is_among(argument & values[0], meant, 1);
    case BRIG_DSL_ONLY_BITS:
        return (argument | values[0]) == values[0];
    case BRIG_DSL_NO_BITS:
        return (argument & values[0]) == 0;
    case BRIG_DSL_ALL_BITS:
        return (argument | values[0]) == argument;
    case BRIG_DSL_ANY_BITS:
        return (argument & values[0]) != 0;
    case BRIG_DSL_IS_NULL:
        return argument == 0;
    default:
        return argument != 0; // NOT_NULL
    }
}

// --- rows -------------------------------------------------------------------------------------------------------------

static bool is_about(const struct meant_row *row, enum brig_dsl_call call)
{
    for (uint32_t i = 0; i < row->call_count; i++) {
        if (row->calls[i] == call) {
            return true;
        }
    }
    return false;
}

static const struct meant_row *deciding_row(const struct random_policy *random, enum brig_dsl_call call,
                                            const struct brig_dsl_data *data)
{
    for (uint32_t i = 0; i < random->row_count; i++) {
        const struct meant_row *row = &random->rows[i];
        bool decides = is_about(row, call);
        for (uint32_t c = 0; decides && c < row->condition_count; c++) {
            decides = is_met(&row->conditions[c], argument_of(&row->conditions[c], call, random->options.arch, data));
        }
        if (decides) {
            return row;
        }
    }
    return NULL;
}

// Whether the rows of @handler let a call through, whatever the policy says and whatever its arguments are.
static bool is_always_handlers(enum brig_dsl_call call)
{
    return call == BRIG_SYS_rt_sigreturn || call == BRIG_SYS_sigreturn || call == BRIG_SYS_restart_syscall ||
           call == BRIG_SYS_exit_group || call == BRIG_SYS_gettid;
}

static bool is_slot(int64_t slot, uint64_t argument)
{
    return slot != BRIG_DSL_SLOT_UNSET && (uint32_t)argument == (uint32_t)slot;
}

// The same for one call.
static bool is_handlers(const struct random_policy *random, enum brig_dsl_call call, const struct brig_dsl_data *data)
{
    switch (call) {
    case BRIG_SYS_futex:
        return (uint32_t)data->args[1] == 0; // FUTEX_WAIT
    case BRIG_SYS_write:
        return random->options.target == BRIG_DSL_LINKED && is_slot(random->options.notify_fd, data->args[0]);
    case BRIG_SYS_sendmsg:
        return random->asks_broker && is_slot(random->options.broker_fd, data->args[0]) &&
               (uint32_t)data->args[2] == 0x4040; // MSG_DONTWAIT | MSG_NOSIGNAL
    default:
        return is_always_handlers(call);
    }
}

static bool asks_broker_about(const struct random_policy *random, enum brig_dsl_call call)
{
    if (brig_dsl_call_nr(call, random->options.arch) < 0 || is_always_handlers(call)) {
        return false;
    }
    for (uint32_t i = 0; i < random->row_count; i++) {
        const struct meant_row *row = &random->rows[i];
        if (is_about(row, call) && row->row->action.verb == BRIG_DSL_BROKER) {
            return true;
        }
        if (is_about(row, call) && row->condition_count == 0) {
            return false;
        }
    }
    return false;
}

bool random_policy_asks_broker(const struct random_policy *random)
{
    if (random->policy.import != NULL || random->options.target != BRIG_DSL_LINKED) {
        return false;
    }
    bool asks = random->policy.fallback.verb == BRIG_DSL_BROKER;
    for (int call = BRIG_SYS_NONE + 1; call < BRIG_SYS_COUNT; call++) {
        asks = asks || asks_broker_about(random, (enum brig_dsl_call)call);
    }
    return asks;
}

// What an action that asks somebody becomes where there is no handler.
static uint32_t executed_ret(const struct brig_dsl_action *action)
{
    switch (action->verb) {
    case BRIG_DSL_CRASH:
        return SECCOMP_RET_KILL_PROCESS;
    case BRIG_DSL_REPORT:
        return SECCOMP_RET_ERRNO | action->data;
    case BRIG_DSL_BROKER:
        return SECCOMP_RET_ERRNO | EACCES;
    default: // EMULATE, NOTIFY
        return SECCOMP_RET_ERRNO | ENOSYS;
    }
}

// Whether `ret` is what an action that asks somebody has to become, and `trap` says all about it.
static bool is_question(const struct random_policy *random, const struct brig_dsl_action *action,
                        const struct brig_dsl_rules *rules, const struct brig_dsl_trap *trap, uint32_t ret)
{
    if (trap == NULL || trap->action.verb != action->verb || trap->action.data != action->data) {
        return false;
    }
    switch (random->options.target) {
    case BRIG_DSL_EXECUTED:
        return ret == executed_ret(action);
    case BRIG_DSL_NOTIFIED:
        return ret == SECCOMP_RET_USER_NOTIF;
    default:
        return ret == (SECCOMP_RET_TRAP | (uint32_t)(trap - rules->traps)) && trap != rules->traps;
    }
}

// What was found for a call.
struct found {
    const struct brig_dsl_rules *rules;
    const struct brig_dsl_trap *trap;
    uint32_t ret;
};

// Whether that is what an action of the row, or of none, has to become.
static bool is_answer(const struct random_policy *random, const struct brig_dsl_action *action, const struct brig_dsl_row *row,
                      enum brig_dsl_origin origin, const struct found *found)
{
    uint32_t ret = found->ret;
    bool is_import = random->policy.import != NULL;
    switch (action->verb) {
    case BRIG_DSL_ALLOW:
        return ret == SECCOMP_RET_ALLOW && found->trap == NULL;
    case BRIG_DSL_DENY:
        return ret == (SECCOMP_RET_ERRNO | action->data) && found->trap == NULL;
    case BRIG_DSL_LOG:
        return ret == SECCOMP_RET_LOG && found->trap == NULL;
    case BRIG_DSL_KILL_PROCESS:
        return ret == SECCOMP_RET_KILL_PROCESS && found->trap == NULL;
    case BRIG_DSL_KILL_THREAD:
        return ret == SECCOMP_RET_KILL_THREAD && found->trap == NULL;
    case BRIG_DSL_TRACE:
        return ret == (SECCOMP_RET_TRACE | action->data) && found->trap == NULL;
    case BRIG_DSL_TRAP:
        return ret == (SECCOMP_RET_TRAP | action->data) && found->trap == NULL;
    default: // CRASH, REPORT, EMULATE, BROKER, NOTIFY
        if (is_import) {
            return ret == SECCOMP_RET_USER_NOTIF && found->trap == NULL;
        }
        return is_question(random, action, found->rules, found->trap, ret) && found->trap->row == row &&
               found->trap->origin == origin;
    }
}

// --- the whole --------------------------------------------------------------------------------------------------------

static const char *dispute_special(const struct random_policy *random, const struct brig_dsl_data *data, const struct found *found)
{
    static const struct brig_dsl_action crash = {.verb = BRIG_DSL_CRASH};
    const struct brig_dsl_import *import = random->policy.import;
    if (data->audit_arch != brig_dsl_arch_audit(random->options.arch)) {
        const struct brig_dsl_action *action = import != NULL ? &import->foreign : &crash;
        return is_answer(random, action, NULL, BRIG_DSL_ORIGIN_FOREIGN_ARCH, found) ? NULL : "another arch";
    }
    const struct brig_dsl_action *x32 = import != NULL ? &import->x32 : &crash;
    return is_answer(random, x32, NULL, BRIG_DSL_ORIGIN_X32, found) ? NULL : "an x32 number";
}

static const char *dispute_rowless(const struct random_policy *random, enum brig_dsl_call call, const struct found *found)
{
    bool is_unknown = random->policy.import == NULL &&
                      (call == BRIG_SYS_NONE || call == BRIG_SYS_clone3 || brig_dsl_call_since(call) > BRIG_DSL_KERNEL(5, 10));
    if (is_unknown) {
        return found->ret == (SECCOMP_RET_ERRNO | ENOSYS) && found->trap == NULL ? NULL : "a call that the policy does not know";
    }
    return is_answer(random, &random->policy.fallback, NULL, BRIG_DSL_ORIGIN_FALLBACK, found) ? NULL : "a call without a row";
}

// Whether `nr` is one that Brig has reserved in this policy. *ret_ret is what it gets.
static bool is_reserved(const struct random_policy *random, uint32_t nr, uint32_t *ret_ret)
{
    *ret_ret = nr == BRIG_DSL_DIE_NR     ? SECCOMP_RET_KILL_PROCESS
               : nr == BRIG_DSL_PROBE_NR ? SECCOMP_RET_ERRNO | BRIG_DSL_PROBE_ERRNO
                                         : SECCOMP_RET_ALLOW;
    return random->policy.import == NULL &&
           (nr == BRIG_DSL_DIE_NR || nr == BRIG_DSL_PROBE_NR || (nr == BRIG_DSL_BROKER_NR && random->asks_broker));
}

const char *random_policy_dispute(const struct random_policy *random, const struct brig_dsl_rules *rules,
                                  const struct brig_dsl_data *data)
{
    enum brig_dsl_arch arch = random->options.arch;
    // Other tools do not tell what is above x32's from them, but for -1, which stands for no call.
    bool is_x32 = arch == BRIG_DSL_X86_64 && data->nr >= 0x40000000u &&
                  (random->policy.import != NULL ? data->nr != 0xffffffffu : data->nr <= 0x7fffffffu);
    const struct brig_dsl_rule *rule;
    const struct found found = {rules, brig_dsl_decide(rules, data), brig_dsl_evaluate(rules, data, &rule)};
    uint32_t reserved;
    if (data->audit_arch != brig_dsl_arch_audit(arch) || is_x32) {
        return dispute_special(random, data, &found);
    }
    if (is_reserved(random, data->nr, &reserved)) {
        return found.ret == reserved && found.trap == NULL ? NULL : "a reserved number";
    }
    enum brig_dsl_call call = brig_dsl_call_by_nr(data->nr, arch);
    if (random->policy.import == NULL && is_handlers(random, call, data)) {
        return found.ret == SECCOMP_RET_ALLOW ? NULL : "a row of the handler";
    }
    const struct meant_row *row = deciding_row(random, call, data);
    if (row == NULL) {
        return dispute_rowless(random, call, &found);
    }
    if (rule == NULL || rule->row != row->row) {
        return "another row decides";
    }
    return is_answer(random, &row->row->action, row->row, BRIG_DSL_ORIGIN_ROW, &found) ? NULL : "the row has another action";
}
