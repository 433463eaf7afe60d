// probe_attempts: features that can only be told by using them, each in a short-lived child.
//
// A distribution may let a process make a user namespace and then give it no rights there (AppArmor on Ubuntu 24.04), so the
// attempt goes one step further and uses the rights. A kernel without IA32 emulation ends whoever executes int 0x80, so that is
// tried at a child's expense too.
#include <errno.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/worker/arch/arch.h"
#include "sandbox/worker/probe.h"
#include "sandbox/worker/proc.h"

void box_probe_in_child(struct brig_feature *feature, int (*attempt)(uint32_t argument), uint32_t argument)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        _exit(attempt(argument));
    if (pid < 0) {
        feature->sys_errno = errno;
        return;
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) { // ECHILD: the host ignores SIGCHLD
            feature->sys_errno = errno;
            return;
        }
    }
    feature->sys_errno = WIFEXITED(status) ? WEXITSTATUS(status) : ENOSYS;
    feature->is_present = feature->sys_errno == 0;
}

static int try_user_namespace(uint32_t argument)
{
    (void)argument;
    return unshare(CLONE_NEWUSER) != 0 || unshare(CLONE_NEWUTS) != 0 ? errno : 0;
}

// With a user namespace where that is allowed; a privileged process does not need one.
static int try_namespace(uint32_t flag)
{
    return unshare(CLONE_NEWUSER | (int)flag) != 0 && unshare((int)flag) != 0 ? errno : 0;
}

static int try_ia32(uint32_t argument)
{
    (void)argument;
    return box_arch_try_ia32();
}

static int try_x32(uint32_t argument)
{
    (void)argument;
    return box_arch_try_x32();
}

// What a distribution closes user namespaces with.
static const struct {
    const char *path;
    int64_t closed; // the value that closes
    const char *hint;
} switches[] = {
    {"/proc/sys/user/max_user_namespaces", 0, "the sysctl user.max_user_namespaces is 0: raise it"},
    {"/proc/sys/kernel/unprivileged_userns_clone", 0, "the sysctl kernel.unprivileged_userns_clone is 0: set it to 1"},
    {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 1,
     "AppArmor restricts them (kernel.apparmor_restrict_unprivileged_userns is 1): give the program a profile with `userns,`"},
};

void box_probe_user_namespaces(struct brig_feature *feature, uint32_t argument)
{
    box_probe_in_child(feature, try_user_namespace, argument);
    for (size_t i = 0; !feature->is_present && i < sizeof switches / sizeof switches[0]; i++) {
        if (box_read_number(switches[i].path) == switches[i].closed)
            feature->hint = switches[i].hint;
    }
}

void box_probe_namespace(struct brig_feature *feature, uint32_t argument)
{
    box_probe_in_child(feature, try_namespace, argument);
}

void box_probe_ia32(struct brig_feature *feature, uint32_t argument)
{
    box_probe_in_child(feature, try_ia32, argument);
}

void box_probe_x32(struct brig_feature *feature, uint32_t argument)
{
    box_probe_in_child(feature, try_x32, argument);
}
