// probe_system: what else of the kernel a sandbox uses or has to know, asked without changing anything.
#include <errno.h>
#include <linux/fs.h> // RWF_NOWAIT, which musl has not
#include <linux/landlock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "sandbox/worker/probe.h"
#include "sandbox/worker/proc.h"

// Newer than the oldest headers that this builds with. Source: include/uapi/linux/prctl.h, since 6.3.
enum { GET_MDWE = 66 };

static int64_t version_of(const char *text)
{
    char *end = NULL;
    long major = strtol(text, &end, 10);
    long minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
    return BRIG_DSL_KERNEL(major, minor);
}

void box_probe_kernel(struct brig_feature *feature, uint32_t argument)
{
    struct utsname name;
    (void)argument;
    if (box_probe_result(feature, uname(&name)) != 0)
        return;
    feature->detail = version_of(name.release);
    name.release[strspn(name.release, "0123456789.")] = '\0'; // what a distribution adds says nothing here
    box_probe_say(feature, name.release, -1, NULL);
}

// Other libcs have no number to ask for.
void box_probe_glibc(struct brig_feature *feature, uint32_t argument)
{
    char text[64];
    (void)argument;
    size_t length = confstr(_CS_GNU_LIBC_VERSION, text, sizeof text);
    feature->is_present = length > sizeof "glibc" && length <= sizeof text;
    feature->detail = feature->is_present ? version_of(text + sizeof "glibc") : 0;
    box_probe_say(feature, feature->is_present ? text : "not glibc", -1, NULL);
}

static void probe_descriptor(struct brig_feature *feature, long fd)
{
    if (box_probe_result(feature, fd) >= 0)
        close((int)fd);
}

void box_probe_pidfd(struct brig_feature *feature, uint32_t argument)
{
    (void)argument;
    probe_descriptor(feature, syscall(SYS_pidfd_open, getpid(), 0));
}

// As the supervisor empties its eventfds.
void box_probe_nowait(struct brig_feature *feature, uint32_t argument)
{
    uint64_t count;
    const struct iovec place = {&count, sizeof count};
    const long here = -1;
    (void)argument;
    const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    syscall(SYS_preadv2, fd, &place, 1, here, here, RWF_NOWAIT);
    feature->is_present = errno == EAGAIN;
    feature->sys_errno = feature->is_present ? 0 : errno;
    if (fd >= 0)
        close(fd);
}

// Nothing is told about filters without it.
void box_probe_proc(struct brig_feature *feature, uint32_t argument)
{
    char text[BOX_STATUS_BYTES];
    struct box_thread_status status;
    (void)argument;
    int64_t got = box_probe_result(feature, box_read_text("/proc/thread-self/status", text, sizeof text));
    feature->is_present = got > 0 && box_parse_status(text, &status);
}

void box_probe_memfd(struct brig_feature *feature, uint32_t argument)
{
    (void)argument;
    probe_descriptor(feature, syscall(SYS_memfd_create, "probe", MFD_CLOEXEC | MFD_ALLOW_SEALING));
}

void box_probe_close_range(struct brig_feature *feature, uint32_t argument)
{
    (void)argument;
    box_probe_result(feature, syscall(SYS_close_range, ~0u, ~0u, 0)); // no process has this descriptor
}

// A struct of no size is refused with EINVAL by a kernel that knows the call.
void box_probe_openat2(struct brig_feature *feature, uint32_t argument)
{
    (void)argument;
    syscall(SYS_openat2, -1, NULL, NULL, 0);
    feature->is_present = errno == EINVAL;
    feature->sys_errno = feature->is_present ? 0 : errno;
}

void box_probe_landlock(struct brig_feature *feature, uint32_t argument)
{
    (void)argument;
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    feature->detail = box_probe_result(feature, abi) > 0 ? abi : 0;
    if (abi > 0)
        box_probe_say(feature, "ABI ", abi, NULL);
}

void box_probe_mdwe(struct brig_feature *feature, uint32_t argument)
{
    (void)argument;
    box_probe_result(feature, prctl(GET_MDWE, 0, 0, 0, 0));
}

// Sealing nothing does nothing. The number comes from our tables: headers of the oldest supported systems do not have it.
void box_probe_mseal(struct brig_feature *feature, uint32_t argument)
{
    (void)argument;
    box_probe_result(feature, syscall(brig_dsl_call_nr(BRIG_SYS_mseal, brig_dsl_arch_native()), NULL, 0, 0));
}

// No parameters are EFAULT for a kernel that would set a ring up; EPERM is the sysctl kernel.io_uring_disabled.
void box_probe_io_uring(struct brig_feature *feature, uint32_t argument)
{
    (void)argument;
    syscall(SYS_io_uring_setup, 1, NULL);
    feature->is_present = errno == EFAULT;
    feature->sys_errno = feature->is_present ? 0 : errno;
}

void box_probe_ptrace_scope(struct brig_feature *feature, uint32_t argument)
{
    (void)argument;
    int64_t scope = box_probe_result(feature, box_read_number("/proc/sys/kernel/yama/ptrace_scope"));
    feature->is_present = scope > 0;
    feature->detail = scope > 0 ? scope : 0;
    static const char *const scopes[] = {"all of the same user", "children", "with CAP_SYS_PTRACE", "nobody"};
    const bool is_known = scope >= 0 && scope < (int64_t)(sizeof scopes / sizeof scopes[0]);
    box_probe_say(feature, is_known ? scopes[scope] : "no Yama", -1, NULL);
    if (scope < 2)
        feature->hint = NULL; // a supervisor may read its children
}
