// process: the stages of entry that concern the process as a whole.
//
// Each stage gives what its row in stages.c says or an error; none is optional. None needs more than an unprivileged process has.
//
// Not here, on purpose: RLIMIT_NPROC (it counts all processes of the user and does not hold for root; the policy refuses fork
// instead).
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/child/child.h"

enum { DEFAULT_OPEN_FILES = 64 };

static enum brig_code refused(struct brig_error *reterr, const char *step, const char *subject)
{
    struct brig_error error = {.code = BRIG_KERNEL_REFUSED, .sys_errno = errno, .step = step, .subject = subject};
    return brig_error_set(reterr, error);
}

enum brig_code box_stage_death_signal(const struct box_child *child, struct brig_error *reterr)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        return refused(reterr, "set the death signal", "PR_SET_PDEATHSIG");
    // Without this question a supervisor that died before the call would leave a worker behind for ever.
    if (getppid() != child->supervisor_pid)
        _exit(1);
    return BRIG_OK;
}

enum brig_code box_stage_session(const struct box_child *child, struct brig_error *reterr)
{
    if (setsid() < 0)
        return refused(reterr, "start a session", "setsid");
    // Whatever the warm-up starts stays below this process, also when its parent ends.
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
        return refused(reterr, "adopt orphans", "PR_SET_CHILD_SUBREAPER");
    if (prctl(PR_SET_NAME, child->spec->name, 0, 0, 0) != 0)
        return refused(reterr, "name the worker", "PR_SET_NAME");
    return BRIG_OK;
}

enum brig_code box_stage_signals(const struct box_child *child, struct brig_error *reterr)
{
    (void)child;
    struct sigaction action = {.sa_handler = SIG_DFL};
    // libc keeps a few numbers for itself and refuses them, as the kernel does SIGKILL and SIGSTOP: that is no error.
    for (int number = 1; number <= SIGRTMAX; number++)
        sigaction(number, &action, NULL);
    // The host's handlers are gone, and with them the need for its alternate stack, which may be too small for ours.
    const stack_t none = {.ss_flags = SS_DISABLE};
    if (sigaltstack(&none, NULL) != 0)
        return refused(reterr, "reset signals", "sigaltstack");
    sigset_t empty;
    sigemptyset(&empty);
    if (sigprocmask(SIG_SETMASK, &empty, NULL) != 0)
        return refused(reterr, "reset signals", "sigprocmask");
    return BRIG_OK;
}

// Lowers one limit to `value` and never raises it.
static enum brig_code lower_limit(int resource, uint64_t value, const char *name, struct brig_error *reterr)
{
    struct rlimit_64 {
        uint64_t soft, hard;
    } limit;
    // libc's type for the first argument differs between libcs.
    if (syscall(SYS_prlimit64, 0, resource, NULL, &limit) != 0)
        return refused(reterr, "read a limit", name);
    if (limit.hard > value)
        limit.hard = value;
    limit.soft = limit.hard;
    if (syscall(SYS_prlimit64, 0, resource, &limit, NULL) != 0)
        return refused(reterr, "set a limit", name);
    return BRIG_OK;
}

enum brig_code box_stage_limits(const struct box_child *child, struct brig_error *reterr)
{
    const struct brig_worker_spec *spec = child->spec;
    const struct {
        const char *name;
        int resource;
        bool is_wanted;
        uint64_t value;
    } limits[] = {
        {"RLIMIT_CORE", RLIMIT_CORE, !spec->dumpable, 0},
        {"RLIMIT_AS", RLIMIT_AS, spec->address_space_bytes != 0, spec->address_space_bytes},
        {"RLIMIT_FSIZE", RLIMIT_FSIZE, spec->file_size_bytes != 0, spec->file_size_bytes},
        {"RLIMIT_NOFILE", RLIMIT_NOFILE, true, spec->open_files ? spec->open_files : DEFAULT_OPEN_FILES},
        {"RLIMIT_CPU", RLIMIT_CPU, spec->cpu_seconds != 0, spec->cpu_seconds},
    };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (!limits[i].is_wanted)
            continue;
        enum brig_code code = lower_limit(limits[i].resource, limits[i].value, limits[i].name, reterr);
        if (code != BRIG_OK)
            return code;
    }
    return BRIG_OK;
}

enum brig_code box_stage_no_processes(const struct box_child *child, struct brig_error *reterr)
{
    siginfo_t info;
    if (child->preparation && child->preparation->leaves_process)
        return BRIG_OK;
    do {
        info.si_pid = 0;
        // __WALL: also those that clone(2) made without a signal for the end, as for sharing memory.
        if (syscall(SYS_waitid, P_ALL, 0, &info, WEXITED | WNOHANG | __WALL, NULL) != 0)
            return errno == ECHILD ? BRIG_OK : refused(reterr, "look for processes", "waitid");
    } while (info.si_pid != 0);
    struct brig_error error = {
        .code = BRIG_READ_BACK_DIFFERS, .step = "warm up", .subject = "a process that the warm-up left, and that no filter holds"};
    return brig_error_set(reterr, error);
}

enum brig_code box_stage_no_new_privs(const struct box_child *child, struct brig_error *reterr)
{
    (void)child;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? BRIG_OK : refused(reterr, "set no_new_privs", "no_new_privs");
}

enum brig_code box_stage_dumpable(const struct box_child *child, struct brig_error *reterr)
{
    if (child->spec->dumpable)
        return BRIG_OK;
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? BRIG_OK : refused(reterr, "close the process to others", "PR_SET_DUMPABLE");
}
