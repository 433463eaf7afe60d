// probe: what this kernel, this libc and this process offer, as a table.
//
// Takes nothing, gives one feature per row, in the order of the table. A row is name, what it is, how to find out, whether Brig
// works without it, and what to do about its absence (of a fact: about its presence).
//
// Weakness: an outer filter that answers a probe with a false errno is believed.
#include <errno.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sched.h>

#include "sandbox/worker/probe.h"
#include "sandbox/worker/proc.h"

// Newer than the oldest headers that this builds with. Source: include/uapi/linux/seccomp.h, since 5.7 and 5.19.
enum { FLAG_TSYNC_ESRCH = 1 << 4, FLAG_WAIT_KILLABLE_RECV = 1 << 5 };

static const char hint_seccomp[] =
    "the kernel needs CONFIG_SECCOMP_FILTER, and an outer filter (a container's) must allow seccomp(2)";
static const char hint_action[] = "needs Linux 4.14";
static const char hint_namespace[] = "needs a user namespace or CAP_SYS_ADMIN, and the kernel's CONFIG_*_NS";

static const struct box_probe probes[] = {
    {"kernel", "the version of Linux", box_probe_kernel, 0, BRIG_FEATURE_NEEDED, NULL},
    {"glibc", "the C library", box_probe_glibc, 0, BRIG_FEATURE_FACT, NULL},
    {"proc", "/proc shows what a process has on", box_probe_proc, 0, BRIG_FEATURE_NEEDED, "mount proc on /proc"},

    {"seccomp-filter", "seccomp(2) takes BPF filters", box_probe_filter_flag, 0, BRIG_FEATURE_NEEDED, hint_seccomp},
    {"tsync", "one call filters all threads", box_probe_filter_flag, SECCOMP_FILTER_FLAG_TSYNC, BRIG_FEATURE_NEEDED,
     "needs Linux 3.17"},
    {"tsync-esrch", "TSYNC beside a listener", box_probe_filter_flag, SECCOMP_FILTER_FLAG_TSYNC | FLAG_TSYNC_ESRCH,
     BRIG_FEATURE_OPTIONAL, "needs Linux 5.7"},
    {"filter-log", "the kernel logs refused calls", box_probe_filter_flag, SECCOMP_FILTER_FLAG_LOG, BRIG_FEATURE_OPTIONAL,
     hint_action},
    {"spec-allow", "filters without speculation mitigation", box_probe_filter_flag, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
     BRIG_FEATURE_OPTIONAL, "needs Linux 4.17"},
    {"new-listener", "a listener for notified calls", box_probe_filter_flag, SECCOMP_FILTER_FLAG_NEW_LISTENER,
     BRIG_FEATURE_OPTIONAL, "needs Linux 5.0"},
    {"wait-killable-recv", "notified calls are not interrupted once received", box_probe_filter_flag,
     SECCOMP_FILTER_FLAG_NEW_LISTENER | FLAG_WAIT_KILLABLE_RECV, BRIG_FEATURE_OPTIONAL, "needs Linux 5.19"},
    {"action-kill-process", "a filter may kill the process", box_probe_action, SECCOMP_RET_KILL_PROCESS, BRIG_FEATURE_NEEDED,
     hint_action},
    {"action-kill-thread", "a filter may kill the thread", box_probe_action, SECCOMP_RET_KILL_THREAD, BRIG_FEATURE_OPTIONAL,
     hint_action},
    {"action-trap", "a filter may call a handler (SIGSYS)", box_probe_action, SECCOMP_RET_TRAP, BRIG_FEATURE_NEEDED, hint_action},
    {"action-errno", "a filter may answer an errno", box_probe_action, SECCOMP_RET_ERRNO, BRIG_FEATURE_NEEDED, hint_action},
    {"action-notify", "a filter may ask a supervisor", box_probe_action, SECCOMP_RET_USER_NOTIF, BRIG_FEATURE_OPTIONAL,
     "needs Linux 5.0"},
    {"action-trace", "a filter may ask a tracer", box_probe_action, SECCOMP_RET_TRACE, BRIG_FEATURE_OPTIONAL, hint_action},
    {"action-log", "a filter may log and allow", box_probe_action, SECCOMP_RET_LOG, BRIG_FEATURE_OPTIONAL, hint_action},
    {"action-allow", "a filter may allow", box_probe_action, SECCOMP_RET_ALLOW, BRIG_FEATURE_NEEDED, hint_action},
    {"bitmap", "numbers that are always allowed do not run the filter", box_probe_bitmap, 0, BRIG_FEATURE_OPTIONAL,
     "needs Linux 5.11"},
    {"jit", "filters run as machine code", box_probe_jit, 0, BRIG_FEATURE_OPTIONAL, "set the sysctl net.core.bpf_jit_enable to 1"},
    {"no-new-privs", "a filter without privileges", box_probe_no_new_privs, 0, BRIG_FEATURE_NEEDED, "needs Linux 3.5"},
    {"foreign-filters", "filters that this process has already", box_probe_foreign_filters, 0, BRIG_FEATURE_FACT,
     "the filters that are there stay and apply as well; the strictest answer counts"},

    {"user-namespaces", "an unprivileged process gets rights in a user namespace", box_probe_user_namespaces, 0,
     BRIG_FEATURE_OPTIONAL, hint_namespace},
    {"pid-namespaces", "its own process numbers", box_probe_namespace, CLONE_NEWPID, BRIG_FEATURE_OPTIONAL, hint_namespace},
    {"net-namespaces", "its own network", box_probe_namespace, CLONE_NEWNET, BRIG_FEATURE_OPTIONAL, hint_namespace},
    {"mount-namespaces", "its own mounts", box_probe_namespace, CLONE_NEWNS, BRIG_FEATURE_OPTIONAL, hint_namespace},
    {"landlock", "rules about files and ports, by the process itself", box_probe_landlock, 0, BRIG_FEATURE_OPTIONAL,
     "needs Linux 5.13 with landlock in the kernel's lsm= list"},

    {"pidfd", "processes named by descriptors (pidfd_open)", box_probe_pidfd, 0, BRIG_FEATURE_NEEDED, "needs Linux 5.3"},
    {"memfd", "memory that cannot shrink (memfd_create with seals)", box_probe_memfd, 0, BRIG_FEATURE_NEEDED, "needs Linux 3.17"},
    {"nowait", "reading an eventfd without waiting (RWF_NOWAIT)", box_probe_nowait, 0, BRIG_FEATURE_NEEDED, "needs Linux 5.8"},
    {"close-range", "descriptors closed in one call (close_range)", box_probe_close_range, 0, BRIG_FEATURE_OPTIONAL,
     "needs Linux 5.9; until then /proc/self/fd is walked"},
    {"openat2", "paths that cannot lead out of a directory (openat2)", box_probe_openat2, 0, BRIG_FEATURE_OPTIONAL,
     "needs Linux 5.6"},
    {"mdwe", "no memory both writable and executable (PR_SET_MDWE)", box_probe_mdwe, 0, BRIG_FEATURE_OPTIONAL, "needs Linux 6.3"},
    {"mseal", "mappings that cannot be replaced (mseal)", box_probe_mseal, 0, BRIG_FEATURE_OPTIONAL,
     "needs Linux 6.10 and a 64-bit process"},

    {"io-uring", "io_uring can be set up: a way round every filter that allows it", box_probe_io_uring, 0, BRIG_FEATURE_FACT,
     "policies refuse it; the sysctl kernel.io_uring_disabled closes it for all"},
    {"ia32", "int 0x80 reaches the kernel", box_probe_ia32, 0, BRIG_FEATURE_FACT, "every Brig program refuses it"},
    {"x32", "x32 numbers reach the kernel", box_probe_x32, 0, BRIG_FEATURE_FACT, "every Brig program refuses them"},
    {"speculation-store-bypass", "speculation: store bypass", box_probe_speculation, PR_SPEC_STORE_BYPASS, BRIG_FEATURE_FACT, NULL},
    {"speculation-indirect-branch", "speculation: indirect branches", box_probe_speculation, PR_SPEC_INDIRECT_BRANCH,
     BRIG_FEATURE_FACT, NULL},
    {"ptrace-scope", "whom ptrace reaches (kernel.yama.ptrace_scope)", box_probe_ptrace_scope, 0, BRIG_FEATURE_FACT,
     "from 2 on supervisors cannot read the strings of a refused call"},
};

int64_t box_probe_result(struct brig_feature *feature, int64_t result)
{
    feature->is_present = result >= 0;
    feature->sys_errno = result >= 0 ? 0 : errno;
    return result;
}

void box_probe_say(struct brig_feature *feature, const char *before, int64_t number, const char *after)
{
    struct box_line value = {feature->value, sizeof feature->value, 0};
    box_line_add(&value, before ? before : "");
    if (number >= 0)
        box_line_add_number(&value, number);
    box_line_add(&value, after ? after : "");
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
        struct brig_feature *feature = &ret_features[i];
        *feature = (struct brig_feature){.name = row->name, .what = row->what, .hint = row->hint, .kind = row->kind};
        row->run(feature, row->argument);
        if (!*feature->value)
            box_probe_say(feature, feature->is_present ? "yes" : "no", -1, NULL);
        if (feature->is_present != (row->kind == BRIG_FEATURE_FACT))
            feature->hint = NULL; // all is as it should be
    }
    *ret_count = count;
    return BRIG_OK;
}
