// actions: what each verb is, in one table.
//
// Takes: actions as policies write them. Gives: the kernel's return values, and text. Guarantees: dsl_action_ret is the only place
// where an action becomes a SECCOMP_RET_* value.
#include <linux/seccomp.h>

#include "bpf_dsl/resolve.h"
#include "bpf_dsl/text.h"

// What `data` of an action is.
enum data_kind { DATA_NONE, DATA_ERRNO, DATA_NUMBER };

// Who may use a verb: CRASH, REPORT and EMULATE are answers of Brig's own handler, TRAP is for anybody else's.
enum user { USER_ALL, USER_OURS, USER_IMPORT };

// The kernel cuts larger errnos down silently (kernel/seccomp.c: MAX_ERRNO).
enum { ERRNO_LIMIT = 4095 };

static const struct verb {
    const char *name;
    uint32_t ret;
    uint8_t data; // enum data_kind
    uint8_t user; // enum user
} verbs[] = {
    [BRIG_DSL_VERB_NONE] = {"none", SECCOMP_RET_KILL_PROCESS, DATA_NONE, USER_ALL},
    [BRIG_DSL_ALLOW] = {"ALLOW", SECCOMP_RET_ALLOW, DATA_NONE, USER_ALL},
    [BRIG_DSL_DENY] = {"DENY", SECCOMP_RET_ERRNO, DATA_ERRNO, USER_ALL},
    [BRIG_DSL_CRASH] = {"CRASH", SECCOMP_RET_TRAP, DATA_NONE, USER_OURS},
    [BRIG_DSL_REPORT] = {"REPORT", SECCOMP_RET_TRAP, DATA_ERRNO, USER_OURS},
    [BRIG_DSL_EMULATE] = {"EMULATE", SECCOMP_RET_TRAP, DATA_NONE, USER_OURS},
    [BRIG_DSL_LOG] = {"LOG", SECCOMP_RET_LOG, DATA_NONE, USER_ALL},
    [BRIG_DSL_KILL_PROCESS] = {"KILL_PROCESS", SECCOMP_RET_KILL_PROCESS, DATA_NONE, USER_ALL},
    [BRIG_DSL_KILL_THREAD] = {"KILL_THREAD", SECCOMP_RET_KILL_THREAD, DATA_NONE, USER_ALL},
    [BRIG_DSL_TRACE] = {"TRACE", SECCOMP_RET_TRACE, DATA_NUMBER, USER_ALL},
    [BRIG_DSL_NOTIFY] = {"NOTIFY", SECCOMP_RET_USER_NOTIF, DATA_NONE, USER_ALL},
    [BRIG_DSL_TRAP] = {"TRAP", SECCOMP_RET_TRAP, DATA_NUMBER, USER_IMPORT},
    [BRIG_DSL_BROKER] = {"BROKER", SECCOMP_RET_TRAP, DATA_NONE, USER_OURS},
};
_Static_assert(sizeof verbs / sizeof verbs[0] == BRIG_DSL_VERB_COUNT, "one line per verb");

bool dsl_action_traps(const struct brig_dsl_action *action)
{
    return verbs[action->verb].user == USER_OURS;
}

bool dsl_action_allows(const struct brig_dsl_action *action)
{
    return action->verb == BRIG_DSL_ALLOW || action->verb == BRIG_DSL_LOG;
}

enum brig_code dsl_check_action(struct dsl_resolver *resolver, const struct brig_dsl_action *action, const char *subject)
{
    bool is_verb = action->verb > BRIG_DSL_VERB_NONE && (unsigned)action->verb < BRIG_DSL_VERB_COUNT;
    enum user other = resolver->import ? USER_OURS : USER_IMPORT;
    if (is_verb && verbs[action->verb].user != other && !(verbs[action->verb].data == DATA_ERRNO && action->data > ERRNO_LIMIT) &&
        (action->verb == BRIG_DSL_EMULATE) == (action->handler != NULL)) {
        return BRIG_OK;
    }
    return dsl_resolve_fail(resolver,
                            (struct brig_error){.code = BRIG_BAD_ACTION, .subject = subject, .detail = (int64_t)action->data});
}

uint32_t dsl_action_ret(const struct brig_dsl_action *action, uint32_t trap_id)
{
    return verbs[action->verb].ret | (dsl_action_traps(action) ? trap_id : action->data);
}

static void put_data(const struct brig_dsl_action *action, const struct brig_dsl_sink *sink)
{
    bool is_errno = verbs[action->verb].data == DATA_ERRNO;
    const char *name = is_errno ? brig_dsl_constant_name("errno", action->data, brig_dsl_arch_native()) : NULL;
    if (name) {
        dsl_put(sink, name);
    } else {
        dsl_put_decimal(sink, action->data);
    }
}

void brig_dsl_describe_action(const struct brig_dsl_action *action, const struct brig_dsl_sink *sink)
{
    if ((unsigned)action->verb >= BRIG_DSL_VERB_COUNT) {
        dsl_put(sink, "unknown");
        return;
    }
    dsl_put(sink, verbs[action->verb].name);
    if (action->verb == BRIG_DSL_EMULATE) {
        dsl_put(sink, "(");
        dsl_put(sink, action->handler ? action->handler->name : "?");
        dsl_put(sink, ")");
    } else if (verbs[action->verb].data != DATA_NONE) {
        dsl_put(sink, "(");
        put_data(action, sink);
        dsl_put(sink, ")");
    }
}
