// start: from fork to execve, in the process that becomes the program.
//
// Single-threaded, our own code, memory that nobody else has: the only place where a call may be let go on that the filter told the
// front end about. The front end lets go exactly one, this execve with these three pointers, which it knows because it was forked
// from the same memory; every later one is decided by the policy.
//
// Signals are reset and limits set already: the front end went through the stages of a worker before it forked (child/stages.c).
// Context of everything here: after fork.
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bpf_dsl/program.h"
#include "sandbox/child/handshake.h"
#include "sandbox/notify/notify.h"

_Static_assert(sizeof(struct box_wire_error) <= sizeof((struct box_start_page *)0)->error, "an error fits the page");

enum { EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

static enum brig_code refused(struct brig_error *reterr, const char *step, const char *subject)
{
    const enum brig_code code = errno == ENOSYS || errno == EINVAL ? BRIG_KERNEL_LACKS : BRIG_KERNEL_REFUSED;
    return brig_error_set(reterr, (struct brig_error){.code = code, .sys_errno = errno, .step = step, .subject = subject});
}

static enum brig_code follow_front(const struct box_front *front, int front_pid, struct brig_error *reterr)
{
    (void)front;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        return refused(reterr, "set the death signal", "PR_SET_PDEATHSIG");
    if (getppid() != front_pid)
        _exit(1);
    return BRIG_OK;
}

static enum brig_code wait_for_go(const struct box_front *front, int front_pid, struct brig_error *reterr)
{
    (void)front_pid;
    (void)reterr;
    // For ever, if it must be: the death signal ends it.
    while (!__atomic_load_n(&front->page->go, __ATOMIC_ACQUIRE))
        syscall(SYS_futex, &front->page->go, FUTEX_WAIT, 0, NULL, NULL, 0);
    return BRIG_OK;
}

static enum brig_code enter_directory(const struct box_front *front, int front_pid, struct brig_error *reterr)
{
    const char *path = front->spec->working_directory;
    (void)front_pid;
    if (!path || chdir(path) == 0)
        return BRIG_OK;
    return brig_error_set(
        reterr, (struct brig_error){.code = BRIG_IO, .sys_errno = errno, .step = "change the working directory", .subject = path});
}

static enum brig_code close_rest(const struct box_front *front, int front_pid, struct brig_error *reterr)
{
    (void)front;
    (void)front_pid;
    return syscall(SYS_close_range, STDERR_FILENO + 1, ~0u, 0) == 0 ? BRIG_OK : refused(reterr, "close descriptors", "close_range");
}

// Whether the filter tells about our own execve. One that lets it pass would start a program that nobody answers for.
static bool tells_of_execve(const struct box_front *front, const struct brig_dsl_program *compiled)
{
    const struct brig_dsl_data data = {
        .nr = (uint32_t)brig_dsl_call_nr(BRIG_SYS_execve, compiled->arch),
        .audit_arch = brig_dsl_arch_audit(compiled->arch),
        .args = {(uintptr_t)front->file, (uintptr_t)front->spec->argv, (uintptr_t)front->spec->envp}};
    return brig_dsl_interpret(compiled->insns, compiled->insn_count, &data, NULL).ret == SECCOMP_RET_USER_NOTIF;
}

static enum brig_code lock(const struct box_front *front, int front_pid, struct brig_error *reterr)
{
    const struct brig_dsl_options options = box_program_options(getpid());
    struct brig_dsl_program compiled;
    struct brig_dsl_arena arena;
    (void)front_pid;
    brig_dsl_arena_init(&arena, front->memory, BRIG_DSL_ARENA_BYTES);
    enum brig_code code = brig_dsl_compile(front->spec->policy, &options, &arena, &compiled, reterr);
    if (code != BRIG_OK)
        return code;
    if (compiled.is_unproven)
        return brig_error_set(
            reterr, (struct brig_error){.code = BRIG_NOT_PROVEN, .step = "start program", .subject = front->spec->policy->name});
    if (!tells_of_execve(front, &compiled))
        return brig_error_set(reterr, (struct brig_error){.code = BRIG_BAD_ARGUMENT,
                                                          .step = "start program",
                                                          .subject = "policy: its execve is not asked about, say REPORT or CRASH"});
    // The kernel's struct has a pointer to non-const; it only reads.
    struct sock_fprog program = {.len = (unsigned short)compiled.insn_count,
                                 .filter = (struct sock_filter *)(uintptr_t)compiled.insns};
    const int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program);
    if (fd < 0)
        return refused(reterr, "install filter", errno == EBUSY ? "a second listener" : "a listener that waits killably");
    // From here on no call but the last one: the front end finds the descriptor by this word, and answers nothing else.
    __atomic_store_n(&front->page->listener_fd, (uint32_t)fd + 1, __ATOMIC_RELEASE);
    return BRIG_OK;
}

static const struct {
    const char *why;
    enum brig_code (*run)(const struct box_front *front, int front_pid, struct brig_error *reterr);
} stages[] = {
    {"a program must not outlive the front end, without which its calls are refused for ever", follow_front},
    {"the front end locks itself first: it must not be there unlocked while the program runs", wait_for_go},
    {"relative paths start here", enter_directory},
    {"whatever is open is a right; the program has its three streams", close_rest},
    {"the filter, and the listener that the front end fetches", lock},
};

static void copy_text(char *to, size_t bytes, const char *from)
{
    size_t used = 0;
    for (; from && from[used] && used + 1 < bytes; used++)
        to[used] = from[used];
    to[used] = '\0';
}

__attribute__((noreturn)) static void fail(const struct box_front *front, const struct brig_error *error)
{
    struct box_wire_error wire = {.code = error->code, .sys_errno = error->sys_errno, .line = error->line, .detail = error->detail};
    copy_text(wire.step, sizeof wire.step, error->step);
    copy_text(wire.subject, sizeof wire.subject, error->subject);
    copy_text(wire.file, sizeof wire.file, error->file);
    memcpy(front->page->error, &wire, sizeof wire);
    __atomic_store_n(&front->page->has_failed, 1, __ATOMIC_RELEASE);
    _exit(1);
}

void box_program_become(const struct box_front *front, int front_pid)
{
    struct brig_error error;
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
        if (stages[i].run(front, front_pid, &error) != BRIG_OK)
            fail(front, &error);
    }
    syscall(SYS_execve, front->file, front->spec->argv, front->spec->envp);
    __atomic_store_n(&front->page->exec_errno, errno, __ATOMIC_RELEASE);
    _exit(errno == ENOENT || errno == ENOTDIR ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}
