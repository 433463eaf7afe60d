// install: seccomp(2) on all threads at once, with every way in which the kernel can say no told apart.
//
// Takes a compiled program, gives a locked process or an error and no filter. The only case in between, a filter that is on and
// does not answer as it must, ends the process here, by brig_trap_die.
//
// Weakness: seccomp_attach_filter answers EINVAL for a bad program as for a flag that it does not know, so flags and actions are
// asked for one by one before.
#include <errno.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bpf_dsl/program.h"
#include "sandbox/sandbox.h"
#include "sandbox/worker/proc.h"
#include "sandbox/worker/proof.h"

static const char step_install[] = "install filter";

// Says which thread is in the way. The name is only known at run time, so the text has to live somewhere: until this thread's next
// brig_install.
static _Thread_local char refusal[96];

enum { ALLOWED_FLAGS = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW };

// --- before: what is asked for is there -------------------------------------------------------------------------------

static enum brig_code check_action(uint32_t ret, struct brig_error *reterr)
{
    uint32_t action = ret & SECCOMP_RET_ACTION_FULL;
    if (action == SECCOMP_RET_USER_NOTIF) {
        struct brig_error error = {.code = BRIG_BAD_ARGUMENT, .step = step_install, .subject = "a NOTIFY action, and no listener"};
        return brig_error_set(reterr, error);
    }
    if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0)
        return BRIG_OK;
    int reason = errno;
    char text[24];
    struct box_line subject = {refusal, sizeof refusal, 0};
    brig_dsl_ret_text(action, text, sizeof text);
    box_line_add(&subject, reason == ENOSYS ? "seccomp" : "seccomp action ");
    box_line_add(&subject, reason == ENOSYS ? "" : text);
    // EINVAL: a kernel before 4.14 does not know the question. Whoever put another errno there did not want us to know.
    bool lacks = reason == ENOSYS || reason == EINVAL || reason == EOPNOTSUPP;
    struct brig_error error = {
        .code = lacks ? BRIG_KERNEL_LACKS : BRIG_KERNEL_REFUSED, .sys_errno = reason, .step = step_install, .subject = refusal};
    return brig_error_set(reterr, error);
}

// Each action once: programs have tens of returns and a handful of actions.
static enum brig_code check_actions(const struct brig_dsl_program *program, struct brig_error *reterr)
{
    uint32_t seen[16] = {0};
    size_t seen_count = 0;
    for (uint32_t i = 0; i < program->insn_count; i++) {
        if (BPF_CLASS(program->insns[i].code) != BPF_RET)
            continue;
        uint32_t action = program->insns[i].k & SECCOMP_RET_ACTION_FULL;
        bool is_known = false;
        for (size_t j = 0; j < seen_count; j++)
            is_known |= seen[j] == action;
        if (is_known)
            continue;
        enum brig_code code = check_action(action, reterr);
        if (code != BRIG_OK)
            return code;
        if (seen_count < sizeof seen / sizeof seen[0])
            seen[seen_count++] = action;
    }
    return BRIG_OK;
}

// The proof asks for the probe number. A program that does not answer it, such as an imported policy's, would pass for one that is
// not on, and end the process.
static enum brig_code check_probe(const struct brig_dsl_program *program, struct brig_error *reterr)
{
    const struct brig_dsl_data probe = {.nr = BRIG_DSL_PROBE_NR, .audit_arch = brig_dsl_arch_audit(brig_dsl_arch_native())};
    if (brig_dsl_interpret(program->insns, program->insn_count, &probe, NULL).ret == (SECCOMP_RET_ERRNO | BRIG_DSL_PROBE_ERRNO))
        return BRIG_OK;
    struct brig_error error = {.code = BRIG_BAD_ARGUMENT, .step = step_install, .subject = "a program without the probe number"};
    return brig_error_set(reterr, error);
}

// The kernel looks at the flags before the program: EFAULT for no program says that it knows them.
static enum brig_code check_flags(uint32_t flags, struct brig_error *reterr)
{
    if (flags & ~(uint32_t)ALLOWED_FLAGS) {
        struct brig_error error = {.code = BRIG_BAD_ARGUMENT, .step = step_install, .subject = "filter_flags", .detail = flags};
        return brig_error_set(reterr, error);
    }
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, NULL) == -1 && errno == EFAULT)
        return BRIG_OK;
    bool lacks = errno == EINVAL || errno == ENOSYS;
    struct brig_error error = {.code = lacks ? BRIG_KERNEL_LACKS : BRIG_KERNEL_REFUSED,
                               .sys_errno = errno,
                               .step = step_install,
                               .subject = errno == EINVAL ? "seccomp flags" : "seccomp",
                               .detail = flags};
    return brig_error_set(reterr, error);
}

// --- after: why not ---------------------------------------------------------------------------------------------------

static void thread_file(char *path, size_t path_bytes, int tid, const char *file)
{
    struct box_line name = {path, path_bytes, 0};
    box_line_add(&name, "/proc/self/task/");
    box_line_add_number(&name, tid);
    box_line_add(&name, file);
}

// seccomp_can_sync_threads refuses a thread in strict mode, and one whose filters are not a part of the caller's chain.
static const char *thread_reason(int tid)
{
    char path[64], text[BOX_STATUS_BYTES];
    struct box_thread_status status;
    thread_file(path, sizeof path, tid, "/status");
    if (box_read_text(path, text, sizeof text) <= 0 || !box_parse_status(text, &status))
        return "cannot be looked at";
    return status.seccomp_mode == 1 ? "is in seccomp's strict mode" : "has a filter of its own";
}

static enum brig_code tsync_refused(int tid, struct brig_error *reterr)
{
    char path[64], comm[32];
    thread_file(path, sizeof path, tid, "/comm");
    long length = box_read_text(path, comm, sizeof comm);
    comm[length > 0 ? strcspn(comm, "\n") : 0] = '\0';
    struct box_line text = {refusal, sizeof refusal, 0};
    box_line_add(&text, "thread ");
    box_line_add(&text, comm);
    box_line_add(&text, " ");
    box_line_add(&text, thread_reason(tid));
    struct brig_error error = {.code = BRIG_TSYNC_REFUSED, .step = "synchronise threads", .subject = refusal, .detail = tid};
    return brig_error_set(reterr, error);
}

// What an errno of SECCOMP_SET_MODE_FILTER means. Source: kernel/seccomp.c:seccomp_set_mode_filter, seccomp_attach_filter.
static const struct {
    int sys_errno;
    enum brig_code code;
    const char *subject;
} refusals[] = {
    {EACCES, BRIG_KERNEL_REFUSED, "seccomp"}, // no_new_privs is not set; hints.def says so
    {ENOMEM, BRIG_KERNEL_REFUSED, "seccomp"}, // 32768 instructions over all stacked filters
    {EINVAL, BRIG_KERNEL_REFUSED, "seccomp program"},
    {EFAULT, BRIG_KERNEL_REFUSED, "seccomp program"},
    {ESRCH, BRIG_TSYNC_REFUSED, "a thread that the kernel does not name"},
    {EBUSY, BRIG_KERNEL_REFUSED, "a second listener"},
    {ENOSYS, BRIG_KERNEL_LACKS, "seccomp"},
};

static enum brig_code refused(int reason, struct brig_error *reterr)
{
    struct brig_error error = {.code = BRIG_KERNEL_REFUSED, .sys_errno = reason, .step = step_install, .subject = "seccomp"};
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        if (refusals[i].sys_errno == reason) {
            error.code = refusals[i].code;
            error.subject = refusals[i].subject;
        }
    }
    return brig_error_set(reterr, error);
}

static enum brig_code set_filter(const struct brig_dsl_program *program, uint32_t flags, struct brig_error *reterr)
{
    // The kernel's struct has a pointer to non-const; it only reads.
    struct sock_fprog fprog = {.len = (unsigned short)program->insn_count,
                               .filter = (struct sock_filter *)(uintptr_t)program->insns};
    long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &fprog);
    if (result > 0)
        return tsync_refused((int)result, reterr);
    return result < 0 ? refused(errno, reterr) : BRIG_OK;
}

enum brig_code brig_install(const struct brig_dsl_program *program, uint32_t filter_flags, struct brig_error *reterr)
{
    uint32_t flags = filter_flags | SECCOMP_FILTER_FLAG_TSYNC;
    if (!program || program->insn_count == 0 || program->insn_count > BPF_MAXINSNS) {
        struct brig_error error = {.code = BRIG_BAD_ARGUMENT, .step = step_install, .subject = "program"};
        return brig_error_set(reterr, error);
    }
    enum brig_code code = check_actions(program, reterr);
    if (code == BRIG_OK)
        code = check_probe(program, reterr);
    if (code == BRIG_OK)
        code = check_flags(flags, reterr);
    if (code != BRIG_OK)
        return code;

    struct box_proof proof;
    box_proof_open(&proof, program);
    code = set_filter(program, flags, reterr);
    if (code != BRIG_OK) {
        box_proof_close(&proof);
        return code;
    }
    // The filter is on and cannot be taken off: from here it is all or nothing.
    if (box_proof_check(&proof) != NULL)
        brig_trap_die();
    return BRIG_OK;
}
