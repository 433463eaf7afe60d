#include "tests/bpf_dsl/rules_fixture.h"

#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>

#include "bpf_dsl/text.h"

static _Alignas(16) unsigned char memory[BRIG_DSL_ARENA_BYTES];

struct brig_dsl_options fixture_options(enum brig_dsl_arch arch)
{
    return (struct brig_dsl_options){
        .arch = arch, .self_pid = FIXTURE_PID, .notify_fd = BRIG_DSL_SLOT_UNSET, .broker_fd = BRIG_DSL_SLOT_UNSET};
}

enum brig_code fixture_resolve(const struct brig_dsl_policy *policy, const struct brig_dsl_options *options,
                               struct brig_dsl_rules *ret_rules, struct brig_error *reterr)
{
    struct brig_dsl_arena arena;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    return brig_dsl_resolve(policy, options, &arena, ret_rules, reterr);
}

enum brig_code fixture_resolve_rows(const struct brig_dsl_row *rows, enum brig_dsl_arch arch, struct brig_dsl_rules *ret_rules,
                                    struct brig_error *reterr)
{
    // The rules keep a pointer to the policy.
    static struct brig_dsl_policy policy;
    policy = (struct brig_dsl_policy){
        .name = "fixture", .rows = rows, .fallback = {.verb = BRIG_DSL_CRASH}, .kernel = BRIG_DSL_KERNEL(6, 18)};
    struct brig_dsl_options options = fixture_options(arch);
    return fixture_resolve(&policy, &options, ret_rules, reterr);
}

// What a value that no rule gave stands for. Traps are the fallback's, since rows have rules.
static struct brig_dsl_action action_of_ret(uint32_t ret)
{
    uint16_t data = (uint16_t)(ret & SECCOMP_RET_DATA);
    switch (ret & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
        return (struct brig_dsl_action){.verb = BRIG_DSL_ALLOW};
    case SECCOMP_RET_ERRNO:
        return (struct brig_dsl_action){.verb = BRIG_DSL_DENY, .data = data};
    case SECCOMP_RET_USER_NOTIF:
        return (struct brig_dsl_action){.verb = BRIG_DSL_NOTIFY};
    case SECCOMP_RET_TRAP:
        return (struct brig_dsl_action){.verb = BRIG_DSL_CRASH};
    default:
        return (struct brig_dsl_action){.verb = BRIG_DSL_KILL_PROCESS};
    }
}

const char *fixture_decide(const struct brig_dsl_rules *rules, enum brig_dsl_call call, const uint64_t args[6])
{
    static char text[64];
    struct brig_dsl_data data = {.nr = (uint32_t)brig_dsl_call_nr(call, rules->arch),
                                 .audit_arch = brig_dsl_arch_audit(rules->arch)};
    memcpy(data.args, args, sizeof data.args);
    const struct brig_dsl_rule *rule = NULL;
    uint32_t ret = brig_dsl_evaluate(rules, &data, &rule);
    struct brig_dsl_action action = rule ? rule->action : action_of_ret(ret);
    struct dsl_buffer buffer = {.text = text, .size_bytes = sizeof text};
    struct brig_dsl_sink sink = dsl_buffer_sink(&buffer);
    brig_dsl_describe_action(&action, &sink);
    return text;
}

const char *fixture_subject(const struct brig_error *error)
{
    static char text[256];
    const char *subject = error->subject ? error->subject : "";
    size_t length = error->subject_bytes > 0 ? error->subject_bytes : strlen(subject);
    snprintf(text, sizeof text, "%.*s", (int)length, subject);
    return text;
}
