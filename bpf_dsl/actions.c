// actions: what each verb is, in one table.
//
// Takes: actions as policies write them, and targets. Gives: the kernel's return values, and text. Guarantees: dsl_action_ret is
// the only place where an action becomes a SECCOMP_RET_* value.
#include <errno.h>
#include <linux/seccomp.h>

#include "bpf_dsl/resolve.h"
#include "bpf_dsl/text.h"

// What `data` of an action is.
enum data_kind { DATA_NONE, DATA_ERRNO, DATA_NUMBER };

// Who may use a verb: CRASH, REPORT, EMULATE and BROKER are answers of Brig's own handler, TRAP is for anybody else's.
enum user { USER_ALL, USER_OURS, USER_IMPORT };

// The kernel cuts larger errnos down silently (kernel/seccomp.c: MAX_ERRNO).
enum { ERRNO_LIMIT = 4095 };

#define ERRNO(number_) (SECCOMP_RET_ERRNO | (number_))
#define EVERYWHERE(ret_) \
    { \
        ret_, ret_, ret_ \
    }

static const struct verb {
    const char *name;
    uint32_t rets[BRIG_DSL_PROCESS_COUNT]; // linked, executed, notified; `data` is added to bare TRAP, ERRNO and TRACE
    uint8_t data;                          // enum data_kind
    uint8_t user;                          // enum user
    bool asks;                             // somebody besides the kernel, who has to find the row; in policies of ours
} verbs[] = {
    [BRIG_DSL_VERB_NONE] = {"none", EVERYWHERE(SECCOMP_RET_KILL_PROCESS), DATA_NONE, USER_ALL, false},
    [BRIG_DSL_ALLOW] = {"ALLOW", EVERYWHERE(SECCOMP_RET_ALLOW), DATA_NONE, USER_ALL, false},
    [BRIG_DSL_DENY] = {"DENY", EVERYWHERE(ERRNO(0)), DATA_ERRNO, USER_ALL, false},
    [BRIG_DSL_CRASH] = {"CRASH", {SECCOMP_RET_TRAP, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_USER_NOTIF}, DATA_NONE, USER_OURS, true},
    [BRIG_DSL_REPORT] = {"REPORT", {SECCOMP_RET_TRAP, ERRNO(0), SECCOMP_RET_USER_NOTIF}, DATA_ERRNO, USER_OURS, true},
    [BRIG_DSL_EMULATE] = {"EMULATE", {SECCOMP_RET_TRAP, ERRNO(ENOSYS), SECCOMP_RET_USER_NOTIF}, DATA_NONE, USER_OURS, true},
    [BRIG_DSL_LOG] = {"LOG", EVERYWHERE(SECCOMP_RET_LOG), DATA_NONE, USER_ALL, false},
    [BRIG_DSL_KILL_PROCESS] = {"KILL_PROCESS", EVERYWHERE(SECCOMP_RET_KILL_PROCESS), DATA_NONE, USER_ALL, false},
    [BRIG_DSL_KILL_THREAD] = {"KILL_THREAD", EVERYWHERE(SECCOMP_RET_KILL_THREAD), DATA_NONE, USER_ALL, false},
    [BRIG_DSL_TRACE] = {"TRACE", EVERYWHERE(SECCOMP_RET_TRACE), DATA_NUMBER, USER_ALL, false},
    [BRIG_DSL_NOTIFY] = {"NOTIFY", {SECCOMP_RET_TRAP, ERRNO(ENOSYS), SECCOMP_RET_USER_NOTIF}, DATA_NONE, USER_ALL, true},
    [BRIG_DSL_TRAP] = {"TRAP", EVERYWHERE(SECCOMP_RET_TRAP), DATA_NUMBER, USER_IMPORT, false},
    [BRIG_DSL_BROKER] = {"BROKER", {SECCOMP_RET_TRAP, ERRNO(EACCES), SECCOMP_RET_USER_NOTIF}, DATA_NONE, USER_OURS, true},
};
_Static_assert(sizeof verbs / sizeof verbs[0] == BRIG_DSL_VERB_COUNT, "one line per verb");

bool dsl_action_asks(const struct brig_dsl_action *action)
{
    return verbs[action->verb].asks;
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

uint32_t dsl_action_ret(const struct dsl_resolver *resolver, const struct brig_dsl_action *action, uint32_t trap_id)
{
    // What is a question to us is one to whoever installs a policy of another tool.
    if (resolver->import && action->verb == BRIG_DSL_NOTIFY) {
        return SECCOMP_RET_USER_NOTIF;
    }
    uint32_t ret = verbs[action->verb].rets[resolver->options->target];
    if (dsl_action_asks(action) && ret == SECCOMP_RET_TRAP) {
        return ret | trap_id;
    }
    // A notification brings nothing with it but the call.
    bool has_data = verbs[action->verb].data != DATA_NONE && ret != SECCOMP_RET_USER_NOTIF;
    return ret | (has_data ? action->data : 0);
}

const char *brig_dsl_process_name(enum brig_dsl_process target)
{
    static const char *const names[] = {
        [BRIG_DSL_LINKED] = "linked", [BRIG_DSL_EXECUTED] = "executed", [BRIG_DSL_NOTIFIED] = "notified"};
    _Static_assert(sizeof names / sizeof names[0] == BRIG_DSL_PROCESS_COUNT, "one name per target");
    return (unsigned)target < BRIG_DSL_PROCESS_COUNT ? names[target] : NULL;
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
