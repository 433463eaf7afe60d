#include "tests/policies/watch.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/shim/test.h"

#define OPTIONS \
    (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | \
     PTRACE_O_EXITKILL)
#define STOP_SYSCALL (SIGTRAP | 0x80)

struct thread_status {
    int process;
    bool blocks_sigsys;
};

static struct thread_status read_status(pid_t tid)
{
    char path[64];
    char text[4096];
    snprintf(path, sizeof path, "/proc/%d/status", (int)tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) {
        close(fd);
    }
    text[bytes > 0 ? bytes : 0] = '\0';
    const char *process = strstr(text, "Tgid:");
    const char *mask = strstr(text, "SigBlk:");
    const uint64_t blocked = mask ? strtoull(mask + strlen("SigBlk:"), NULL, 16) : 0;
    return (struct thread_status){.process = process ? atoi(process + strlen("Tgid:")) : 0,
                                  .blocks_sigsys = blocked & UINT64_C(1) << (SIGSYS - 1)};
}

static void look_at_call(struct watch *watch, pid_t tid)
{
    struct __ptrace_syscall_info info;
    const long bytes = ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info);
    const struct thread_status status = read_status(tid);
    if (bytes <= 0 || info.op != PTRACE_SYSCALL_INFO_ENTRY || !status.blocks_sigsys) {
        return;
    }
    struct watched_call call = {
        .data = {.nr = (uint32_t)info.entry.nr, .audit_arch = info.arch, .ip = info.instruction_pointer},
        .is_childs = status.process != watch->pid,
    };
    memcpy(call.data.args, info.entry.args, sizeof call.data.args);
    watch->on_blocked_call(watch, &call);
    watch->observed++;
}

static bool is_event(int status, int event)
{
    return status >> 8 == (SIGTRAP | event << 8);
}

static void handle_stop(struct watch *watch, pid_t tid, int status)
{
    const int signal = WSTOPSIG(status);
    const bool is_ours = status >> 16 != 0 || signal == STOP_SYSCALL || signal == SIGSTOP || signal == SIGTRAP;
    if (is_event(status, PTRACE_EVENT_EXEC) && tid != watch->pid) {
        ptrace(PTRACE_DETACH, tid, NULL, 0);
        return;
    }
    if (signal == STOP_SYSCALL) {
        look_at_call(watch, tid);
    }
    ptrace(PTRACE_SYSCALL, tid, NULL, is_ours ? 0 : signal);
}

// Follows all threads and children to their end.
static bool follow(struct watch *watch)
{
    bool has_ended = false;
    int status;
    for (pid_t tid; (tid = waitpid(-1, &status, __WALL)) > 0;) {
        if (WIFSTOPPED(status)) {
            handle_stop(watch, tid, status);
        } else if (tid == watch->pid) {
            watch->wait_status = status;
            has_ended = true;
        }
    }
    return has_ended;
}

__attribute__((noreturn)) static void be_watched(const char *const *argv)
{
    int null_fd = open("/dev/null", O_RDWR);
    dup2(null_fd, 0);
    dup2(null_fd, 1);
    dup2(null_fd, 2);
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

bool watch_program(struct watch *watch, const char *const *argv)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        be_watched(argv);
    }
    watch->pid = pid;
    if (!CHECK(pid > 0) || !CHECK_EQ(waitpid(pid, &status, __WALL), pid) || !CHECK(WIFSTOPPED(status)) ||
        !CHECK_EQ(ptrace(PTRACE_SETOPTIONS, pid, NULL, OPTIONS), 0)) {
        return false;
    }
    ptrace(PTRACE_SYSCALL, pid, NULL, 0);
    return CHECK(follow(watch));
}
