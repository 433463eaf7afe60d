// stages: entry, as a table. Each row says what it does and what would go wrong without it.
//
// The order is forced in these places: the death signal stands before the first wait; descriptors are closed before anything of the
// host's runs; limits come before the warm-up, so that all that it opens lies below them; what only one thread may do comes before
// the warm-up, which may start threads; `dumpable` comes after the audit, which reads /proc/self; the filter is last, because it
// refuses what the others need.
#include <errno.h>
#include <unistd.h>

#include "sandbox/child/child.h"
#include "sandbox/unveil.h"

static enum brig_code warm_up(const struct box_child *child, struct brig_error *reterr)
{
    int result = child->spec->warm_up ? child->spec->warm_up(child->spec->data) : 0;
    if (result == 0)
        return BRIG_OK;
    struct brig_error error = {.code = BRIG_WORKER_WARMUP, .step = "warm up", .subject = child->spec->name, .detail = result};
    return brig_error_set(reterr, error);
}

static enum brig_code prepare(const struct box_child *child, struct brig_error *reterr)
{
    return child->preparation ? child->preparation->prepare(child->preparation->data, reterr) : BRIG_OK;
}

static enum brig_code unveil(const struct box_child *child, struct brig_error *reterr)
{
    return child->spec->unveil ? brig_unveil_enforce(child->spec->unveil, child->spec->unveil_count, reterr) : BRIG_OK;
}

static enum brig_code lock(const struct box_child *child, struct brig_error *reterr)
{
    const struct brig_lock_options options = {.memory = child->memory,
                                              .memory_bytes = child->memory_bytes,
                                              .slots = child->slots,
                                              .notify_fd = child->notify_fd,
                                              .verdict_wait_ms = child->verdict_wait_ms,
                                              .broker_slots = child->broker_slots,
                                              .broker_fd = child->broker_fd,
                                              .filter_flags = child->spec->filter_flags};
    return brig_lock(child->spec->policy, &options, reterr);
}

static const struct box_stage stages[] = {
    {"death signal", "a worker must not outlive its supervisor", box_stage_death_signal},
    {"start", "the supervisor opens what it needs of us while it still may", box_stage_start},
    {"session", "no controlling terminal to type into (TIOCSTI), no signals from its keys; ps shows the type", box_stage_session},
    {"signals", "the host's handlers are not for this process; a blocked SIGSYS would kill where it should report",
     box_stage_signals},
    {"standard descriptors", "a library that writes to 2 must not write into whatever got that number", box_stage_stdio},
    {"close", "an open descriptor is a right that no filter takes away", box_stage_close},
    {"audit kept descriptors", "what stays open must be what its role says", box_stage_audit_kept},
    {"limits", "memory, files and time are not the filter's business", box_stage_limits},
    {"no_new_privs", "from here no exec can gain rights; the filter needs it", box_stage_no_new_privs},
    {"listener", "requests to a broker are notifications; a filter that makes them has to be there before there are threads",
     box_stage_listener},
    {"preparation", "what a process of ours, a broker, has to open and to give up itself", prepare},
    {"warm-up", "the host's own function: what must be loaded or started while everything is allowed", warm_up},
    {"processes", "TSYNC reaches threads: what the warm-up forked would go on without a filter, perhaps in this very memory",
     box_stage_no_processes},
    {"death signal again", "a change of user ids in the warm-up takes it away", box_stage_death_signal},
    {"audit all descriptors", "the warm-up opens things too", box_stage_audit_all},
    {"dumpable", "no core file, and no ptrace or /proc/PID/mem from processes of the same user", box_stage_dumpable},
    {"unveil", "a filter sees no path; after the warm-up, which reads what it likes, and only if that left one thread", unveil},
    {"lock", "the filter, on all threads", lock},
};

void box_child_run(const struct box_child *child)
{
    struct brig_error error = {.code = BRIG_OK};
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
        if (stages[i].run(child, &error) != BRIG_OK)
            box_announce_failed(child, &error);
    }
    box_announce_locked(child);
    // Not exit: the host's atexit functions and stdio buffers are the host's.
    _exit(child->spec->entry(child->spec->data, child->channel_fd));
}
