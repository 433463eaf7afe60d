// probe_seccomp: what the kernel's seccomp can do, asked without installing anything.
#include <errno.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "sandbox/worker/probe.h"
#include "sandbox/worker/proc.h"

// The kernel checks the flags first: with no program at all it answers EFAULT if it knows them, EINVAL if not.
void box_probe_filter_flag(struct brig_feature *feature, uint32_t argument)
{
    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, argument, NULL);
    feature->is_present = errno == EFAULT;
    feature->sys_errno = feature->is_present ? 0 : errno;
}

void box_probe_action(struct brig_feature *feature, uint32_t argument)
{
    box_probe_result(feature, syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &argument));
}

// Nothing shows the bitmap but time; the version has to do. Source: kernel/seccomp.c:seccomp_cache_prepare, since 5.11.
void box_probe_bitmap(struct brig_feature *feature, uint32_t argument)
{
    struct brig_feature kernel = {.name = NULL};
    (void)argument;
    box_probe_kernel(&kernel, 0);
    feature->is_present = kernel.detail >= BRIG_DSL_KERNEL(5, 11);
}

void box_probe_jit(struct brig_feature *feature, uint32_t argument)
{
    (void)argument;
    int64_t mode = box_probe_result(feature, box_read_number("/proc/sys/net/core/bpf_jit_enable"));
    feature->is_present = mode > 0;
    feature->detail = mode > 0 ? mode : 0;
    box_probe_say(feature, mode > 0 ? "on" : mode == 0 ? "off" : "unknown", -1, NULL);
}

void box_probe_no_new_privs(struct brig_feature *feature, uint32_t argument)
{
    (void)argument;
    box_probe_result(feature, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

void box_probe_foreign_filters(struct brig_feature *feature, uint32_t argument)
{
    char text[BOX_STATUS_BYTES];
    struct box_thread_status status;
    (void)argument;
    if (box_read_text("/proc/thread-self/status", text, sizeof text) < 0) {
        feature->sys_errno = errno;
        box_probe_say(feature, "unknown", -1, NULL);
        return;
    }
    feature->is_present = box_parse_status(text, &status) && status.seccomp_mode != 0;
    feature->detail = feature->is_present && status.filters > 0 ? status.filters : 0;
    if (feature->is_present)
        box_probe_say(feature, NULL, feature->detail ? feature->detail : -1, feature->detail == 1 ? " filter" : " filters");
    else
        box_probe_say(feature, "none", -1, NULL);
}

// In the order in which they are looked for. Source: prctl(2), PR_GET_SPECULATION_CTRL.
static const struct {
    long bit;
    const char *value;
} speculations[] = {
    {PR_SPEC_FORCE_DISABLE, "held back for good"},
    {PR_SPEC_DISABLE, "held back"},
    {PR_SPEC_PRCTL, "free, a filter holds it back"},
    {PR_SPEC_ENABLE, "free"},
};

static const char *speculation_text(int64_t state)
{
    if (state < 0)
        return "unknown";
    for (size_t i = 0; i < sizeof speculations / sizeof speculations[0]; i++) {
        if (state & speculations[i].bit)
            return speculations[i].value;
    }
    return "not affected";
}

// Present: seccomp may still switch the mitigation on (or it is on); detail: the kernel's PR_SPEC_* bits.
void box_probe_speculation(struct brig_feature *feature, uint32_t argument)
{
    int64_t state = box_probe_result(feature, prctl(PR_GET_SPECULATION_CTRL, argument, 0, 0, 0));
    feature->is_present = state > 0 && state != PR_SPEC_ENABLE;
    feature->detail = state > 0 ? state : 0;
    box_probe_say(feature, speculation_text(state), -1, NULL);
}
