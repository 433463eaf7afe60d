// arm: puts the trap layer in place: tables, this thread's signal stack, the signal handler.
//
// Order matters. The handler is installed last but one and the tables are sealed last, because sealing cannot be undone and
// everything before can; the filter comes after all of it, so no trap can arrive in between. Calls for signals go to the kernel
// directly: a sanitizer's sigaction would put its own handler in front of ours, and libc's leaves libc's own signals out of the
// mask.
//
// A handler of the program's that runs with all signals blocked (many do: sigfillset on sa_mask) would be killed by its first trap.
// So SIGSYS is taken out of the masks of the handlers that are there. Those that come later are the wrappers' (trap/wrap/).

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "trap/alternate_stack.h"
#include "trap/broker.h"
#include "trap/registry.h"

#define KERNEL_SA_RESTORER 0x04000000ul // include/uapi/asm/signal.h of our arches; libc hides it
#define KERNEL_SIGSET_BYTES ((size_t)8)
#define KERNEL_SIGNALS 64 // _NSIG of our arches

// What rt_sigaction(2) takes on our arches: arch/*/include/uapi/asm/signal.h.
struct kernel_sigaction {
    void (*handler)(int signal_nr, siginfo_t *info, void *context);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

static enum brig_code refused(const char *call, struct brig_error *reterr)
{
    return brig_error_set(
        reterr, (struct brig_error){.code = BRIG_KERNEL_REFUSED, .step = "arm SIGSYS", .subject = call, .sys_errno = errno});
}

static enum brig_code bad_argument(const char *name, int64_t value, struct brig_error *reterr)
{
    return brig_error_set(reterr,
                          (struct brig_error){.code = BRIG_BAD_ARGUMENT, .step = "arm traps", .subject = name, .detail = value});
}

static bool is_slots(const struct brig_trap_slots *slots)
{
    return slots->magic == BRIG_TRAP_RECORD_MAGIC && slots->version == BRIG_TRAP_RECORD_VERSION &&
           slots->slot_count == BRIG_TRAP_SLOT_COUNT;
}

static bool is_broker_slots(const struct brig_broker_slots *slots)
{
    return slots->magic == BRIG_BROKER_MAGIC && slots->version == BRIG_BROKER_VERSION &&
           slots->slot_count == BRIG_BROKER_SLOT_COUNT;
}

static enum brig_code check_arguments(const struct brig_dsl_program *program, const struct brig_trap_setup *setup,
                                      struct brig_error *reterr)
{
    if (!program || (program->trap_count && !program->traps)) {
        return bad_argument("program", 0, reterr);
    }
    if (!setup) {
        return bad_argument("setup", 0, reterr);
    }
    if (program->arch != brig_dsl_arch_native()) {
        return bad_argument("arch", program->arch, reterr);
    }
    if (setup->slots && !is_slots(setup->slots)) {
        return bad_argument("slots", setup->slots->version, reterr);
    }
    if (setup->broker_slots && !is_broker_slots(setup->broker_slots)) {
        return bad_argument("broker_slots", setup->broker_slots->version, reterr);
    }
    return BRIG_OK;
}

static enum brig_code unblock(struct brig_error *reterr)
{
    const uint64_t sigsys = TRAP_SIGNAL_BIT(SIGSYS);
    if (syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &sigsys, NULL, KERNEL_SIGSET_BYTES) != 0) {
        return refused("rt_sigprocmask", reterr);
    }
    return BRIG_OK;
}

// Nothing depends on it but the report of a trap in there, so a kernel that refuses is not asked why.
static void open_masks_of_handlers(void)
{
    for (int signal_nr = 1; signal_nr <= KERNEL_SIGNALS; signal_nr++) {
        struct kernel_sigaction action;
        if (syscall(SYS_rt_sigaction, signal_nr, NULL, &action, KERNEL_SIGSET_BYTES) == 0 &&
            (action.mask & TRAP_SIGNAL_BIT(SIGSYS))) {
            action.mask &= ~TRAP_SIGNAL_BIT(SIGSYS);
            syscall(SYS_rt_sigaction, signal_nr, &action, NULL, KERNEL_SIGSET_BYTES);
        }
    }
}

// A SIGSYS may be waiting behind the mask: when the mask goes, the handler is there.
static enum brig_code install_and_seal(const struct trap_root *root, struct brig_error *reterr)
{
    struct kernel_sigaction before;
    const struct kernel_sigaction action = {
        .handler = trap_handler,
        .flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | KERNEL_SA_RESTORER,
        .restorer = trap_arch_restorer,
        .mask = TRAP_HANDLER_MASK,
    };
    if (syscall(SYS_rt_sigaction, SIGSYS, &action, &before, KERNEL_SIGSET_BYTES) != 0) {
        return refused("rt_sigaction", reterr);
    }
    enum brig_code code = unblock(reterr);
    if (code == BRIG_OK) {
        code = trap_registry_seal(root, reterr);
    }
    if (code != BRIG_OK) {
        syscall(SYS_rt_sigaction, SIGSYS, &before, NULL, KERNEL_SIGSET_BYTES);
        return code;
    }
    open_masks_of_handlers();
    return BRIG_OK;
}

enum brig_code brig_trap_thread_enter(struct brig_error *reterr)
{
    const enum brig_code code = trap_stack_give(reterr);
    return code == BRIG_OK ? unblock(reterr) : code;
}

// What is sealed stays: the same again is fine, anything else is not.
static enum brig_code arm_again(const struct brig_dsl_program *program, const struct brig_trap_setup *setup,
                                struct brig_error *reterr)
{
    const struct trap_root *root = &trap_root_page.root;
    if (root->hash != program->hash || root->slots != setup->slots || root->notify_fd != setup->notify_fd ||
        root->verdict_wait_ms != setup->verdict_wait_ms || root->broker_slots != setup->broker_slots ||
        (setup->broker_slots && root->broker_fd != setup->broker_fd)) {
        return brig_error_set(reterr, (struct brig_error){.code = BRIG_ALREADY_LOCKED, .step = "arm traps"});
    }
    return brig_trap_thread_enter(reterr);
}

// What libbrig-wrap refers to weakly, which takes nothing out of a static library: whoever arms has all of it.
__attribute__((used)) static const struct {
    bool (*try_call)(enum brig_dsl_call call, const uint64_t args[6], int64_t *ret_result);
    int (*resolve)(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_addresses);
} for_wrappers = {brig_broker_try, brig_broker_getaddrinfo};

bool brig_trap_is_armed(void)
{
    return trap_root_page.root.entries != NULL;
}

enum brig_code brig_trap_arm(const struct brig_dsl_program *program, const struct brig_trap_setup *setup, struct brig_error *reterr)
{
    struct trap_root root;
    enum brig_code code = check_arguments(program, setup, reterr);
    if (code != BRIG_OK || program->trap_count <= 1) {
        return code;
    }
    if (trap_root_page.root.entries) {
        return arm_again(program, setup, reterr);
    }
    code = trap_stack_give(reterr);
    if (code == BRIG_OK) {
        code = trap_registry_make(program, setup, &root, reterr);
    }
    if (code != BRIG_OK) {
        return code;
    }
    code = install_and_seal(&root, reterr);
    if (code != BRIG_OK) {
        trap_registry_drop(&root);
    }
    return code;
}
