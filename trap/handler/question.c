// question: asks the supervisor what a call is to answer. Context of everything here: signal handler.
//
// Takes an event whose row says NOTIFY, gives the answer that the supervisor wrote beside the record; ENOSYS, which the kernel
// answers where nobody listens, when there is no supervisor, no slot came free or nobody answered in time. Every wait has a limit,
// in time and in wake-ups: other threads of a hijacked worker may wake us for nothing. What they write into the slot they could as
// well write into our registers.
//
// A question has no stack: the supervisor reads from the waiting worker what it wants. It keeps off the last slots, so that a
// violation is recorded however many questions are asked.

#include <errno.h>
#include <linux/futex.h>

#include "trap/handler/handler.h"

#define QUESTION_SLOTS (BRIG_TRAP_SLOT_COUNT - BRIG_TRAP_SLOTS_KEPT)

// READY, TAKEN, and forged signals that interrupt a wait.
#define ANSWER_WAITS 64

// Waiting for a slot: the patience of one millisecond, what a wait costs that ran its time, and how long that is. One that was
// ended by a wake-up costs 1, for somebody else may have been faster.
#define PATIENCE_OF_MS 10u
#define SLOT_WAIT_MS 5u

// Returns: 0 after a wake-up, or -errno.
static int64_t wait_while(const uint32_t *word, uint32_t value, uint32_t wait_ms, uint32_t level)
{
    const long timeout[2] = {(long)(wait_ms / 1000),
                             (long)(wait_ms % 1000 * 1000000)}; // struct timespec as SYS_futex has it on all arches
    const uint64_t args[6] = {(uintptr_t)word, FUTEX_WAIT, value, (uintptr_t)timeout};
    return trap_syscall(level, SYS_futex, args);
}

static bool is_over(int64_t waited)
{
    return waited < 0 && waited != -EAGAIN && waited != -EINTR;
}

static struct brig_trap_slot *claim_patiently(uint32_t level)
{
    const struct brig_trap_slots *slots = trap_root_page.root.slots;
    const uint64_t patience = (uint64_t)trap_root_page.root.verdict_wait_ms * PATIENCE_OF_MS;
    for (uint64_t spent = 0; slots && patience != 0; spent++) {
        struct brig_trap_slot *slot = trap_slot_claim(QUESTION_SLOTS);
        if (slot || spent >= patience) {
            return slot;
        }
        const uint32_t *state = &slots->slots[spent % QUESTION_SLOTS].state;
        const uint32_t taken = __atomic_load_n(state, __ATOMIC_RELAXED);
        if (taken != BRIG_TRAP_SLOT_FREE && is_over(wait_while(state, taken, SLOT_WAIT_MS, level))) {
            spent += (uint64_t)SLOT_WAIT_MS * PATIENCE_OF_MS;
        }
    }
    return NULL;
}

static void wait_for_answer(const struct brig_trap_slot *slot, uint32_t level)
{
    for (int i = 0; i < ANSWER_WAITS; i++) {
        const uint32_t state = __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
        if ((state != BRIG_TRAP_SLOT_READY && state != BRIG_TRAP_SLOT_TAKEN) ||
            is_over(wait_while(&slot->state, state, trap_root_page.root.verdict_wait_ms, level))) {
            return;
        }
    }
}

// Gives the slot back, whoever has it. Returns: whether the supervisor was done with it before that.
static bool leave(struct brig_trap_slot *slot)
{
    uint32_t state = BRIG_TRAP_SLOT_READY;
    if (__atomic_compare_exchange_n(&slot->state, &state, BRIG_TRAP_SLOT_FREE, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        return false;
    }
    state = BRIG_TRAP_SLOT_TAKEN;
    return !__atomic_compare_exchange_n(&slot->state, &state, BRIG_TRAP_SLOT_LEFT, false, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE) &&
           state == BRIG_TRAP_SLOT_DONE;
}

struct brig_trap_outcome trap_ask_supervisor(const struct trap_event *event)
{
    const uint32_t level = trap_level(trap_event_depth(event), TRAP_STAGE_RECORDING);
    struct brig_trap_outcome outcome = {BRIG_TRAP_ERRNO, ENOSYS};
    struct brig_trap_slot *slot = claim_patiently(level);
    if (!slot) {
        return outcome;
    }
    trap_record_fill(&slot->record, event, BRIG_DSL_NOTIFY);
    slot->record.tid = trap_own_tid(level);
    const uint32_t reentered = trap_event_depth(event) > 1 ? BRIG_TRAP_FLAG_REENTERED : 0u;
    trap_slot_publish(slot, event, BRIG_TRAP_FLAG_WAITS | reentered, level);
    wait_for_answer(slot, level);
    if (!leave(slot)) {
        return outcome;
    }
    const uint32_t verdict = slot->verdict;
    const int64_t value = slot->value;
    __atomic_store_n(&slot->state, BRIG_TRAP_SLOT_FREE, __ATOMIC_RELEASE);
    if (verdict != BRIG_TRAP_VERDICT_NONE) {
        outcome.kind = verdict == BRIG_TRAP_VERDICT_RESULT ? BRIG_TRAP_RESULT : BRIG_TRAP_ERRNO;
        outcome.value = value;
    }
    return outcome;
}
