#include "tests/bpf_dsl/kernel_fixture.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool install(const struct kernel_filter *filter, unsigned flags)
{
    struct sock_fprog program = {.len = (unsigned short)filter->count, .filter = (struct sock_filter *)(uintptr_t)filter->insns};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) >= 0;
}

// Forks, runs `body` in the child, waits. Returns: whether it exited with 0.
static bool in_child(void (*body)(void *), void *context)
{
    pid_t child = fork();
    if (child == 0) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
            _exit(2);
        }
        body(context);
        syscall(SYS_exit_group, 0); // not _exit: sanitizers make calls of their own before functions that do not return
    }
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void *share(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

// --- answers ----------------------------------------------------------------------------------------------------------

struct asking {
    const struct kernel_filter *filters;
    uint32_t filter_count;
    struct kernel_call *calls; // shared
    uint32_t call_count;
};

static void ask(void *context)
{
    const struct asking *asking = context;
    for (uint32_t i = 0; i < asking->filter_count; i++) {
        if (!install(&asking->filters[i], 0)) {
            _exit(3);
        }
    }
    for (uint32_t i = 0; i < asking->call_count; i++) {
        struct kernel_call *call = &asking->calls[i];
        errno = 0;
        long result = syscall((long)(int32_t)call->nr, call->args[0], call->args[1], call->args[2], call->args[3], call->args[4],
                              call->args[5]);
        call->answer = result == -1 ? errno : -1;
    }
}

bool kernel_answers(const struct kernel_filter *filters, uint32_t filter_count, struct kernel_call *calls, uint32_t call_count)
{
    size_t bytes = call_count * sizeof *calls;
    struct asking asking = {filters, filter_count, share(bytes), call_count};
    if (asking.calls == NULL) {
        return false;
    }
    memcpy(asking.calls, calls, bytes);
    bool done = in_child(ask, &asking);
    memcpy(calls, asking.calls, bytes);
    munmap(asking.calls, bytes);
    return done;
}

// --- opinions ---------------------------------------------------------------------------------------------------------

struct consulting {
    const struct kernel_filter *programs;
    uint32_t count;
    unsigned char *opinions; // shared
};

static void consult(void *context)
{
    static const struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const struct kernel_filter nothing = {allow, 1};
    const struct consulting *consulting = context;
    if (!install(&nothing, SECCOMP_FILTER_FLAG_NEW_LISTENER)) {
        _exit(3);
    }
    for (uint32_t i = 0; i < consulting->count; i++) {
        bool installed = install(&consulting->programs[i], SECCOMP_FILTER_FLAG_NEW_LISTENER);
        int error = errno;
        consulting->opinions[i] = installed || (error != EBUSY && error != EINVAL) ? KERNEL_CANNOT_SAY
                                  : error == EBUSY                                 ? KERNEL_ACCEPTS
                                                                                   : KERNEL_REFUSES;
        if (installed) {
            _exit(4);
        }
    }
}

bool kernel_opinions(const struct kernel_filter *programs, uint32_t count, unsigned char *opinions)
{
    struct consulting consulting = {programs, count, share(count)};
    if (consulting.opinions == NULL) {
        return false;
    }
    bool done = in_child(consult, &consulting);
    memcpy(opinions, consulting.opinions, count);
    munmap(consulting.opinions, count);
    return done && memchr(opinions, KERNEL_CANNOT_SAY, count) == NULL;
}
