// lock: the calling process goes from "may do everything" to "may do what the policy says", or stays as it was.
//
// Takes a policy, gives a locked process. The order is forced: the program is compiled here and not handed in, because it knows
// this process's id and descriptors; the handler has to stand before the first call can trap; no_new_privs has to be set before the
// kernel takes a filter from an unprivileged process; the filter is last, because it would refuse the rest.
#include <errno.h>
#include <linux/seccomp.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "bpf_dsl/program.h"
#include "sandbox/sandbox.h"

// A property of the process, as the filter is: inherited over fork, gone after exec.
static atomic_bool is_locked;

static enum brig_code check_arguments(const struct brig_dsl_policy *policy, const struct brig_lock_options *options,
                                      struct brig_error *reterr)
{
    struct brig_error error = {.code = BRIG_BAD_ARGUMENT, .step = "lock"};
    if (!policy)
        error.subject = "policy";
    else if (policy->import)
        error.subject = "policy.import";
    else if (!options || !options->memory)
        error.subject = "memory";
    else if (options->slots && options->notify_fd < 0)
        error.subject = "notify_fd";
    else if (options->broker_slots && options->broker_fd < 0)
        error.subject = "broker_fd";
    else
        return BRIG_OK;
    return brig_error_set(reterr, error);
}

static enum brig_code compile(const struct brig_dsl_policy *policy, const struct brig_lock_options *options,
                              struct brig_dsl_arena *arena, struct brig_dsl_program *ret_program, struct brig_error *reterr)
{
    struct brig_dsl_options compile_options = BRIG_DSL_OPTIONS_DEFAULT;
    compile_options.self_pid = getpid();
    if (options->slots)
        compile_options.notify_fd = options->notify_fd;
    if (options->broker_slots)
        compile_options.broker_fd = options->broker_fd;
    brig_dsl_arena_init(arena, options->memory, options->memory_bytes);
    enum brig_code code = brig_dsl_compile(policy, &compile_options, arena, ret_program, reterr);
    if (code != BRIG_OK || !ret_program->is_unproven)
        return code;
    struct brig_error error = {.code = BRIG_NOT_PROVEN, .step = "lock", .subject = policy->name};
    return brig_error_set(reterr, error);
}

// A broker that no row asks was meant to be asked: a policy that was mixed up with another should not start a worker that fails
// later.
static enum brig_code check_broker(const struct brig_dsl_program *program, const struct brig_lock_options *options,
                                   struct brig_error *reterr)
{
    const struct brig_dsl_data data = {.nr = BRIG_DSL_BROKER_NR, .audit_arch = brig_dsl_arch_audit(program->arch)};
    if (!options->broker_slots || brig_dsl_interpret(program->insns, program->insn_count, &data, NULL).ret == SECCOMP_RET_ALLOW)
        return BRIG_OK;
    struct brig_error error = {.code = BRIG_BAD_ARGUMENT, .step = "lock", .subject = "a broker, and no row that says BROKER"};
    return brig_error_set(reterr, error);
}

static enum brig_code arm(const struct brig_dsl_program *program, const struct brig_lock_options *options,
                          struct brig_error *reterr)
{
    const struct brig_trap_setup setup = {.slots = options->slots,
                                          .notify_fd = options->slots ? options->notify_fd : -1,
                                          .verdict_wait_ms = options->verdict_wait_ms,
                                          .broker_slots = options->broker_slots,
                                          .broker_fd = options->broker_slots ? options->broker_fd : -1};
    return brig_trap_arm(program, &setup, reterr);
}

static enum brig_code set_no_new_privs(struct brig_error *reterr)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
        return BRIG_OK;
    struct brig_error error = {
        .code = BRIG_KERNEL_REFUSED, .sys_errno = errno, .step = "set no_new_privs", .subject = "no_new_privs"};
    return brig_error_set(reterr, error);
}

static enum brig_code compile_and_install(const struct brig_dsl_policy *policy, const struct brig_lock_options *options,
                                          struct brig_error *reterr)
{
    struct brig_dsl_arena arena;
    struct brig_dsl_program program;
    enum brig_code code = compile(policy, options, &arena, &program, reterr);
    if (code == BRIG_OK)
        code = check_broker(&program, options, reterr);
    if (code == BRIG_OK)
        code = arm(&program, options, reterr);
    if (code == BRIG_OK)
        code = set_no_new_privs(reterr);
    if (code == BRIG_OK)
        code = brig_install(&program, options->filter_flags, reterr);
    brig_dsl_arena_end(&arena);
    return code;
}

enum brig_code brig_lock(const struct brig_dsl_policy *policy, const struct brig_lock_options *options, struct brig_error *reterr)
{
    enum brig_code code = check_arguments(policy, options, reterr);
    if (code == BRIG_OK && atomic_load(&is_locked))
        code = brig_error_set(reterr, (struct brig_error){.code = BRIG_ALREADY_LOCKED, .step = "lock", .subject = policy->name});
    if (code == BRIG_OK)
        code = compile_and_install(policy, options, reterr);
    if (code == BRIG_OK)
        atomic_store(&is_locked, true);
    return code;
}
