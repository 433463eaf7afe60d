// record: writes an event into a slot of the shared memory. Context of everything here: signal handler.
//
// Takes an event, gives a READY slot and a woken supervisor. Never faults on the interrupted stack, whose end is not known: every
// page is asked for before it is read. Weakness: another thread can unmap a page between question and copy; then the worker dies by
// SIGSEGV instead of SIGSYS, which is no more than it could do without us.
//
// A trap that interrupts a handler is recorded in short: without thread id and stack, because those take calls, and one of these
// may be what is trapped.

#include <errno.h>
#include <linux/futex.h>

#include "trap/handler/handler.h"

#define RED_ZONE_BYTES 128u
#define COPY_PAGE_BYTES 4096u // the smallest page of any kernel: on bigger ones some are asked for twice

// READY, TAKEN, and one spurious wake-up in each.
#define VERDICT_WAITS 4

_Static_assert(sizeof(struct brig_trap_record) == 400 + BRIG_TRAP_STACK_BYTES, "no padding: this is a wire format");
_Static_assert(TRAP_ARCH_REGISTERS <= BRIG_TRAP_REGISTERS, "all registers of this arch have a place");

struct brig_trap_slot *trap_slot_claim(uint32_t slot_count)
{
    struct brig_trap_slots *slots = trap_root_page.root.slots;
    for (size_t i = 0; slots && i < slot_count; i++) {
        uint32_t state = BRIG_TRAP_SLOT_FREE;
        if (__atomic_compare_exchange_n(&slots->slots[i].state, &state, BRIG_TRAP_SLOT_WRITING, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED)) {
            return &slots->slots[i];
        }
    }
    return NULL;
}

static bool is_on_alternate_stack(const ucontext_t *context)
{
    const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    const uintptr_t bottom = (uintptr_t)context->uc_stack.ss_sp;
    return !(context->uc_stack.ss_flags & SS_DISABLE) && here - bottom < context->uc_stack.ss_size;
}

static uint32_t context_flags(const ucontext_t *context)
{
    const bool blocks = (trap_context_mask(context) & ~TRAP_SIGNAL_BIT(SIGSYS)) != 0;
    return (blocks ? BRIG_TRAP_FLAG_ASYNC_BLOCKED : 0u) | (is_on_alternate_stack(context) ? BRIG_TRAP_FLAG_ALT_STACK : 0u);
}

void trap_record_fill(struct brig_trap_record *record, const struct trap_event *event, enum brig_dsl_verb verb)
{
    record->magic = BRIG_TRAP_RECORD_MAGIC;
    record->version = BRIG_TRAP_RECORD_VERSION;
    record->pid = trap_root_page.root.pid;
    record->tid = 0;
    record->nr = event->call.nr;
    record->audit_arch = event->call.audit_arch;
    record->trap_id = event->id;
    record->verb = verb;
    record->data = verb == BRIG_DSL_REPORT ? event->entry->data : 0;
    record->call_address = event->call.ip;
    for (size_t i = 0; i < 6; i++) {
        record->args[i] = event->call.args[i];
    }
    trap_arch_registers(event->context, record->registers);
    for (size_t i = TRAP_ARCH_REGISTERS; i < BRIG_TRAP_REGISTERS; i++) {
        record->registers[i] = 0;
    }
    record->stack_address = (trap_arch_sp(event->context) - RED_ZONE_BYTES) & ~(uint64_t)15;
    record->stack_bytes = 0;
    record->reserved = 0;
    for (size_t i = 0; i < sizeof record->thread_name; i++) {
        record->thread_name[i] = 0;
    }
}

static void zero(uint8_t *to, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        to[i] = 0;
    }
}

// Copies up to the first page that cannot be read. The red zone of a thread whose sp is at the very end of its stack is on a page
// that does not exist: it is zeros. Returns: BRIG_TRAP_FLAG_STACK_CUT if there is more.
static uint32_t copy_stack(struct brig_trap_record *record, uint64_t sp, uint32_t level)
{
    const uint64_t start = record->stack_address;
    bool has_found = false;
    uint32_t done = 0;
    while (done < BRIG_TRAP_STACK_BYTES) {
        const uint64_t from = start + done;
        const uint32_t to_page_end = COPY_PAGE_BYTES - (uint32_t)(from % COPY_PAGE_BYTES);
        const uint32_t left = BRIG_TRAP_STACK_BYTES - done;
        const uint32_t bytes = to_page_end < left ? to_page_end : left;
        if (trap_is_readable(level, from)) {
            trap_arch_copy(record->stack + done, from, bytes);
            has_found = true;
        } else if (done + bytes <= sp - start) {
            zero(record->stack + done, bytes);
        } else {
            break;
        }
        done += bytes;
    }
    record->stack_bytes = has_found ? done : 0;
    return done == BRIG_TRAP_STACK_BYTES && trap_is_readable(level, start + done) ? BRIG_TRAP_FLAG_STACK_CUT : 0u;
}

uint32_t trap_own_tid(uint32_t level)
{
    const int64_t tid = trap_syscall(level, SYS_gettid, (const uint64_t[6]){0});
    return tid > 0 ? (uint32_t)tid : 0;
}

static void wake_supervisor(uint32_t level)
{
    static const uint64_t one = 1;
    const int fd = trap_root_page.root.notify_fd;
    if (fd >= 0) {
        trap_syscall(level, SYS_write, (const uint64_t[6]){(uint64_t)fd, (uintptr_t)&one, sizeof one});
    }
}

void trap_slot_publish(struct brig_trap_slot *slot, const struct trap_event *event, uint32_t flags, uint32_t level)
{
    slot->record.flags = flags | context_flags(event->context);
    slot->verdict = BRIG_TRAP_VERDICT_NONE;
    slot->value = 0;
    __atomic_store_n(&slot->state, BRIG_TRAP_SLOT_READY, __ATOMIC_RELEASE);
    wake_supervisor(level);
}

// The supervisor may be slow, gone, or not there at all, and other threads of a hijacked worker may wake us for nothing: the number
// of waits is bounded, and so is each.
static void wait_for_verdict(struct brig_trap_slot *slot, uint32_t level)
{
    const uint32_t wait_ms = trap_root_page.root.verdict_wait_ms;
    const long timeout[2] = {(long)(wait_ms / 1000),
                             (long)(wait_ms % 1000 * 1000000)}; // struct timespec as SYS_futex has it on all arches
    for (int i = 0; i < VERDICT_WAITS && wait_ms; i++) {
        const uint32_t state = __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
        if (state != BRIG_TRAP_SLOT_READY && state != BRIG_TRAP_SLOT_TAKEN) {
            __atomic_store_n(&slot->state, BRIG_TRAP_SLOT_FREE, __ATOMIC_RELEASE);
            return;
        }
        const uint64_t args[6] = {(uintptr_t)&slot->state, FUTEX_WAIT, state, (uintptr_t)timeout};
        if (trap_syscall(level, SYS_futex, args) == -ETIMEDOUT) {
            return; // the record stays READY: a supervisor that comes later still finds it
        }
    }
}

void trap_record(const struct trap_event *event, enum brig_dsl_verb verb, uint32_t flags)
{
    const bool is_short = trap_event_depth(event) > 1;
    const uint32_t level = trap_level(trap_event_depth(event), is_short ? TRAP_STAGE_SHORT : TRAP_STAGE_RECORDING);
    struct brig_trap_slot *slot = trap_slot_claim(BRIG_TRAP_SLOT_COUNT);
    if (!slot) {
        trap_count(offsetof(struct brig_trap_slots, lost));
        return;
    }
    trap_record_fill(&slot->record, event, verb);
    if (is_short) {
        flags |= BRIG_TRAP_FLAG_REENTERED;
    } else {
        slot->record.tid = trap_own_tid(level);
        flags |= copy_stack(&slot->record, trap_arch_sp(event->context), level);
    }
    trap_slot_publish(slot, event, flags, level);
    trap_count(offsetof(struct brig_trap_slots, reported));
    if (flags & BRIG_TRAP_FLAG_WAITS) {
        wait_for_verdict(slot, level);
    }
}
