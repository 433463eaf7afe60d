// handler: the SIGSYS handler. Context of everything here: signal handler.
//
// Takes what the kernel put on the stack, and believes of it only what agrees: a SIGSYS is a filter's if its si_code says so, its
// call address is where the thread stands (or a vsyscall), and its number is in the thread's registers. Everything else (kill,
// sigqueue, a driver) is counted and ignored. Of a filter's SIGSYS the id is ours if number and arch are among those that our
// program gives this id for; ids of a filter that was inherited mean something else, and the newest filter's id is the one that
// arrives.
//
// Weakness: a thread can send itself a siginfo in which all of this agrees. It gets the answer to a call that it did not make.

#include <errno.h>

#include "trap/handler/handler.h"

#define SI_CODE_SECCOMP 1        // include/uapi/asm-generic/siginfo.h:SYS_SECCOMP, which glibc's headers lack
#define X32_CALL_BIT 0x40000000u // arch/x86/include/uapi/asm/unistd.h:__X32_SYSCALL_BIT

// Filled and sealed by set-up (trap/registry.c) before the handler is ever called.
union trap_root_page trap_root_page __attribute__((aligned(TRAP_ARCH_PAGE_BYTES)));

_Static_assert(sizeof(union trap_root_page) == TRAP_ARCH_PAGE_BYTES, "sealing the root seals nothing else");

void trap_count(size_t counter_offset)
{
    unsigned char *slots = (unsigned char *)trap_root_page.root.slots;
    if (slots) {
        __atomic_fetch_add((uint64_t *)(void *)(slots + counter_offset), 1, __ATOMIC_RELAXED);
    }
}

// Where the kernel took the number for a restart code it has gone back to the instruction.
static bool is_to_be_restarted(const ucontext_t *context, uint32_t nr, uint64_t call_address)
{
    return trap_arch_may_restart(nr) && trap_arch_pc(context) + TRAP_ARCH_INSN_BYTES == call_address;
}

// The kernel stops the thread behind the call.
static bool is_from_a_filter(const siginfo_t *info, const ucontext_t *context)
{
    const uint64_t call_address = (uintptr_t)info->si_call_addr;
    const uint32_t nr = (uint32_t)info->si_syscall;
    const bool is_here = trap_arch_pc(context) == call_address || is_to_be_restarted(context, nr, call_address) ||
                         trap_arch_is_vsyscall(call_address);
    return info->si_code == SI_CODE_SECCOMP && is_here && trap_arch_made_call(context, nr, info->si_arch);
}

static bool fits(const struct trap_entry *entry, uint32_t nr, uint32_t audit_arch)
{
    const bool is_native = audit_arch == trap_root_page.root.audit_arch;
    switch (entry->origin) {
    case BRIG_DSL_ORIGIN_FOREIGN_ARCH:
        return !is_native;
    case BRIG_DSL_ORIGIN_X32:
        return is_native && (nr & X32_CALL_BIT);
    default:
        return is_native && (nr < BRIG_DSL_TRAP_NRS ? entry->nr_set[nr / 64] >> nr % 64 & 1 : entry->other_nrs);
    }
}

static const struct trap_entry *find_entry(uint32_t id, uint32_t nr, uint32_t audit_arch)
{
    const struct trap_root *root = &trap_root_page.root;
    if (id == 0 || id >= root->entry_count) {
        return NULL;
    }
    return fits(&root->entries[id], nr, audit_arch) ? &root->entries[id] : NULL;
}

// The level of the handler that was interrupted, 0 if it was ordinary code. Handler code that called past trap_arch_syscall does
// not know its level: it is taken to be as deep as is allowed.
static uint32_t interrupted_level(const ucontext_t *context)
{
    if (trap_arch_pc(context) == (uintptr_t)trap_arch_syscall_done) {
        return trap_arch_level(context);
    }
    const bool has_handler_mask = (trap_context_mask(context) & TRAP_HANDLER_MASK) == TRAP_HANDLER_MASK;
    return has_handler_mask ? trap_level(TRAP_DEPTH_MAX, TRAP_STAGE_EMULATING) : 0;
}

static void describe(struct trap_event *event, const siginfo_t *info, ucontext_t *context)
{
    const struct trap_root *root = &trap_root_page.root;
    const uint32_t nr = (uint32_t)info->si_syscall;
    const uint32_t outer = interrupted_level(context);
    event->context = context;
    event->id = (uint32_t)info->si_errno;
    event->entry = find_entry(event->id, nr, info->si_arch);
    event->outer_stage = trap_level_stage(outer);
    event->call.call = BRIG_SYS_NONE;
    if (info->si_arch == root->audit_arch && nr < BRIG_DSL_TRAP_NRS) {
        event->call.call = (enum brig_dsl_call)root->call_of_nr[nr];
    }
    event->call.nr = nr;
    event->call.audit_arch = info->si_arch;
    event->call.level = trap_level(trap_level_depth(outer) + 1, TRAP_STAGE_EMULATING);
    event->call.ip = (uintptr_t)info->si_call_addr;
    trap_arch_args(context, info->si_arch, event->call.args);
    event->call.signal_mask = trap_context_mask(context);
}

void trap_handler(int signal_nr, siginfo_t *info, void *context)
{
    const int saved_errno = errno; // the interrupted code's; this is the only place that puts it back
    struct trap_event event;
    (void)signal_nr;
    if (is_from_a_filter(info, context)) {
        describe(&event, info, context);
        if (is_to_be_restarted(context, event.call.nr, event.call.ip)) {
            trap_arch_set_pc(event.context, event.call.ip);
        }
        trap_dispatch(&event);
    } else {
        trap_count(offsetof(struct brig_trap_slots, forged));
    }
    errno = saved_errno;
}
