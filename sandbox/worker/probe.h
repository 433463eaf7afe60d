// probe: the rows of the feature table, and the functions that they name. Internal to worker/.
#ifndef BRIG_SANDBOX_WORKER_PROBE_H
#define BRIG_SANDBOX_WORKER_PROBE_H

#include "sandbox/sandbox.h"

// Fills in is_present, sys_errno, detail, and value if "yes" and "no" do not say it; `hint` may be replaced by a better one.
// `argument` comes from the row.
typedef void box_probe_function(struct brig_feature *feature, uint32_t argument);

struct box_probe {
    const char *name;
    const char *what;
    box_probe_function *run;
    uint32_t argument;
    enum brig_feature_kind kind;
    const char *hint; // about absence; of a FACT about presence
};

// Sets `value` to `before`, `number` and `after`, one behind the other. Any may be left out: NULL, negative, NULL.
void box_probe_say(struct brig_feature *feature, const char *before, int64_t number, const char *after);

// Present if `result` is not negative, else absent with errno. Returns: `result`.
int64_t box_probe_result(struct brig_feature *feature, int64_t result);

// Runs `attempt` in a child. Present if it returns 0, else absent with what it returned as errno; a child that dies is ENOSYS.
void box_probe_in_child(struct brig_feature *feature, int (*attempt)(uint32_t argument), uint32_t argument);

// probe_seccomp.c
box_probe_function box_probe_filter_flag; // argument: SECCOMP_FILTER_FLAG_*
box_probe_function box_probe_action;      // argument: SECCOMP_RET_*
box_probe_function box_probe_bitmap;
box_probe_function box_probe_jit;
box_probe_function box_probe_no_new_privs;
box_probe_function box_probe_foreign_filters;
box_probe_function box_probe_speculation;

// probe_system.c
box_probe_function box_probe_kernel;
box_probe_function box_probe_glibc;
box_probe_function box_probe_proc;
box_probe_function box_probe_pidfd;
box_probe_function box_probe_nowait;
box_probe_function box_probe_memfd;
box_probe_function box_probe_close_range;
box_probe_function box_probe_openat2;
box_probe_function box_probe_landlock;
box_probe_function box_probe_mdwe;
box_probe_function box_probe_mseal;
box_probe_function box_probe_io_uring;
box_probe_function box_probe_ptrace_scope;

// probe_attempts.c
box_probe_function box_probe_user_namespaces;
box_probe_function box_probe_namespace; // argument: CLONE_NEW*
box_probe_function box_probe_ia32;
box_probe_function box_probe_x32;

#endif
