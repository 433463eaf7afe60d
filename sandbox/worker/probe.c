// probe: what this kernel, this libc and this process offer, as a table.
//
// Takes nothing, gives one feature per row, in the order of the table. A row is name, what it is, how to find out, whether Brig
// works without it, and what to do about its absence (or, where presence is the news, its presence).
//
// Weakness: an outer filter that answers a probe with a false errno is believed.
#include <errno.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sched.h>

#include "sandbox/worker/probe.h"

// Newer than the oldest headers that this builds with. Source: include/uapi/linux/seccomp.h, since 5.7 and 5.19.
enum { FLAG_TSYNC_ESRCH = 1 << 4, FLAG_WAIT_KILLABLE_RECV = 1 << 5 };

static const char hint_seccomp[] =
    "the kernel needs CONFIG_SECCOMP_FILTER, and an outer filter (a container's) must allow seccomp(2)";
static const char hint_action[] = "needs Linux 4.14";
static const char hint_namespace[] = "needs a user namespace or CAP_SYS_ADMIN, and the kernel's CONFIG_*_NS";

static const struct box_probe probes[] = {
    {"kernel", "Linux version (detail: major << 8 | minor)", box_probe_kernel, 0, BOX_NEEDED, NULL},
    {"glibc", "the C library is glibc (detail: version as above)", box_probe_glibc, 0, BOX_OPTIONAL, NULL},

    {"seccomp-filter", "seccomp(2) takes BPF filters", box_probe_filter_flag, 0, BOX_NEEDED, hint_seccomp},
    {"tsync", "one call filters all threads", box_probe_filter_flag, SECCOMP_FILTER_FLAG_TSYNC, BOX_NEEDED, "needs Linux 3.17"},
    {"tsync-esrch", "TSYNC beside a listener", box_probe_filter_flag, SECCOMP_FILTER_FLAG_TSYNC | FLAG_TSYNC_ESRCH, BOX_OPTIONAL,
     "needs Linux 5.7"},
    {"filter-log", "the kernel logs refused calls", box_probe_filter_flag, SECCOMP_FILTER_FLAG_LOG, BOX_OPTIONAL, hint_action},
    {"spec-allow", "filters without speculation mitigation", box_probe_filter_flag, SECCOMP_FILTER_FLAG_SPEC_ALLOW, BOX_OPTIONAL,
     "needs Linux 4.17"},
    {"new-listener", "user notifications", box_probe_filter_flag, SECCOMP_FILTER_FLAG_NEW_LISTENER, BOX_OPTIONAL,
     "needs Linux 5.0"},
    {"wait-killable-recv", "notified calls are not interrupted once received", box_probe_filter_flag,
     SECCOMP_FILTER_FLAG_NEW_LISTENER | FLAG_WAIT_KILLABLE_RECV, BOX_OPTIONAL, "needs Linux 5.19"},
    {"action-kill-process", "KILL_PROCESS", box_probe_action, SECCOMP_RET_KILL_PROCESS, BOX_NEEDED, hint_action},
    {"action-kill-thread", "KILL_THREAD", box_probe_action, SECCOMP_RET_KILL_THREAD, BOX_OPTIONAL, hint_action},
    {"action-trap", "TRAP", box_probe_action, SECCOMP_RET_TRAP, BOX_NEEDED, hint_action},
    {"action-errno", "ERRNO", box_probe_action, SECCOMP_RET_ERRNO, BOX_NEEDED, hint_action},
    {"action-notify", "USER_NOTIF", box_probe_action, SECCOMP_RET_USER_NOTIF, BOX_OPTIONAL, "needs Linux 5.0"},
    {"action-trace", "TRACE", box_probe_action, SECCOMP_RET_TRACE, BOX_OPTIONAL, hint_action},
    {"action-log", "LOG", box_probe_action, SECCOMP_RET_LOG, BOX_OPTIONAL, hint_action},
    {"action-allow", "ALLOW", box_probe_action, SECCOMP_RET_ALLOW, BOX_NEEDED, hint_action},
    {"bitmap", "numbers that are always allowed do not run the filter", box_probe_bitmap, 0, BOX_OPTIONAL, "needs Linux 5.11"},
    {"jit", "filters run as machine code (detail: mode)", box_probe_jit, 0, BOX_OPTIONAL,
     "set the sysctl net.core.bpf_jit_enable to 1"},
    {"no-new-privs", "PR_SET_NO_NEW_PRIVS", box_probe_no_new_privs, 0, BOX_NEEDED, "needs Linux 3.5"},
    {"foreign-filters", "this process is filtered already (detail: how many filters)", box_probe_foreign_filters, 0, BOX_HAZARD,
     "the filters that are there stay and apply as well; the strictest answer counts"},

    {"user-namespaces", "an unprivileged process gets rights in a user namespace", box_probe_user_namespaces, 0, BOX_OPTIONAL,
     hint_namespace},
    {"pid-namespaces", "CLONE_NEWPID", box_probe_namespace, CLONE_NEWPID, BOX_OPTIONAL, hint_namespace},
    {"net-namespaces", "CLONE_NEWNET", box_probe_namespace, CLONE_NEWNET, BOX_OPTIONAL, hint_namespace},
    {"mount-namespaces", "CLONE_NEWNS", box_probe_namespace, CLONE_NEWNS, BOX_OPTIONAL, hint_namespace},
    {"landlock", "file rules (detail: ABI)", box_probe_landlock, 0, BOX_OPTIONAL,
     "needs Linux 5.13 with landlock in the kernel's lsm= list"},

    {"pidfd", "pidfd_open", box_probe_pidfd, 0, BOX_NEEDED, "needs Linux 5.3"},
    {"memfd", "memfd_create with seals", box_probe_memfd, 0, BOX_NEEDED, "needs Linux 3.17"},
    {"close-range", "close_range", box_probe_close_range, 0, BOX_OPTIONAL, "needs Linux 5.9; until then /proc/self/fd is walked"},
    {"openat2", "openat2", box_probe_openat2, 0, BOX_OPTIONAL, "needs Linux 5.6"},
    {"mdwe", "PR_SET_MDWE: no memory both writable and executable", box_probe_mdwe, 0, BOX_OPTIONAL, "needs Linux 6.3"},
    {"mseal", "mseal", box_probe_mseal, 0, BOX_OPTIONAL, "needs Linux 6.10 and a 64-bit process"},

    {"io-uring", "io_uring can be set up: a way round every filter that allows it", box_probe_io_uring, 0, BOX_HAZARD,
     "policies refuse it; the sysctl kernel.io_uring_disabled closes it for all"},
    {"ia32", "int 0x80 reaches the kernel", box_probe_ia32, 0, BOX_HAZARD, "every Brig program refuses it"},
    {"x32", "x32 numbers reach the kernel", box_probe_x32, 0, BOX_HAZARD, "every Brig program refuses them"},
    {"speculation-store-bypass", "store bypass is or will be held back (detail: PR_SPEC bits)", box_probe_speculation,
     PR_SPEC_STORE_BYPASS, BOX_OPTIONAL, NULL},
    {"speculation-indirect-branch", "indirect branches are or will be held back (detail: PR_SPEC bits)", box_probe_speculation,
     PR_SPEC_INDIRECT_BRANCH, BOX_OPTIONAL, NULL},
    {"ptrace-scope", "Yama limits ptrace (detail: kernel.yama.ptrace_scope)", box_probe_ptrace_scope, 0, BOX_HAZARD,
     "from 2 on supervisors cannot read the strings of a refused call"},
};

long box_probe_result(struct brig_feature *feature, long result)
{
    feature->is_present = result >= 0;
    feature->sys_errno = result >= 0 ? 0 : errno;
    return result;
}

enum brig_code brig_probe(struct brig_feature *ret_features, size_t capacity, size_t *ret_count, struct brig_error *reterr)
{
    const size_t count = sizeof probes / sizeof probes[0];
    if (capacity < count) {
        struct brig_error error = {
            .code = BRIG_TOO_SMALL, .step = "probe the kernel", .subject = "features", .detail = (int64_t)count};
        return brig_error_set(reterr, error);
    }
    for (size_t i = 0; i < count; i++) {
        const struct box_probe *row = &probes[i];
        ret_features[i] =
            (struct brig_feature){.name = row->name, .what = row->what, .hint = row->hint, .is_needed = row->role == BOX_NEEDED};
        row->run(&ret_features[i], row->argument);
        if (ret_features[i].is_present != (row->role == BOX_HAZARD))
            ret_features[i].hint = NULL; // all is as it should be
    }
    *ret_count = count;
    return BRIG_OK;
}
