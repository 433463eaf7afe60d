// decide: which row of a policy decides a call that the kernel told us about.
//
// A notification carries the call and no word about who refused it, so the policy's rules are asked again, with the data that the
// filter saw: number, arch, instruction pointer and registers, which the kernel copied. Nothing of the program's memory is looked
// at for it.
#include "sandbox/notify/notify.h"

struct brig_dsl_options box_program_options(int pid)
{
    struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT;
    options.target = BRIG_DSL_NOTIFIED;
    options.self_pid = pid;
    return options;
}

struct box_decision box_decide(const struct brig_dsl_rules *rules, const struct brig_dsl_data *data)
{
    // A call that no rule refuses is never told about: whatever comes nevertheless is a violation.
    struct box_decision decision = {.call = BRIG_SYS_NONE, .verb = BRIG_DSL_CRASH};
    const struct brig_dsl_trap *trap = brig_dsl_decide(rules, data);
    if (data->audit_arch == brig_dsl_arch_audit(rules->arch))
        decision.call = brig_dsl_call_by_nr(data->nr, rules->arch);
    if (!trap)
        return decision;
    decision.verb = trap->action.verb;
    decision.data = trap->action.data;
    decision.handler = trap->action.handler;
    decision.trap_id = (uint32_t)(trap - rules->traps);
    return decision;
}
