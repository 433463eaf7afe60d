// slots: the memory in which a worker leaves records, seen from the side that trusts none of it.
//
// Takes a sealed memfd, gives private copies of records. The worker cannot make the memory smaller under us (seals), cannot change
// a record while it is being used (one copy), and cannot make us wait or write outside a slot (the slot's number is ours, its state
// is checked against our own view).
//
// Each worker has its own memfd. Our mapping is not inherited by later workers (MADV_DONTFORK), or each of them could write its
// siblings' records.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/supervisor/internal.h"

static enum brig_code failed(struct brig_error *reterr, const char *subject)
{
    const bool lacks = errno == ENOSYS;
    struct brig_error error = {
        .code = lacks ? BRIG_KERNEL_LACKS : BRIG_KERNEL_REFUSED, .sys_errno = errno, .step = "make slots", .subject = subject};
    return brig_error_set(reterr, error);
}

static void *map_shared(int fd)
{
    void *address = mmap(NULL, sizeof(struct brig_trap_slots), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return address == MAP_FAILED ? NULL : address;
}

static enum brig_code map_both(struct box_slots *slots, int fd, struct brig_error *reterr)
{
    if (ftruncate(fd, sizeof(struct brig_trap_slots)) != 0)
        return failed(reterr, "ftruncate");
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return failed(reterr, "F_ADD_SEALS");
    slots->shared = map_shared(fd);
    slots->worker = map_shared(fd);
    if (!slots->shared || !slots->worker || madvise(slots->shared, sizeof *slots->shared, MADV_DONTFORK) != 0)
        return failed(reterr, "mmap");
    return BRIG_OK;
}

enum brig_code box_slots_new(struct box_slots *slots, struct brig_error *reterr)
{
    int fd = (int)syscall(SYS_memfd_create, "brig-slots", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return failed(reterr, "memfd_create");
    enum brig_code code = map_both(slots, fd, reterr);
    close(fd);
    if (code != BRIG_OK)
        return code;
    slots->shared->magic = BRIG_TRAP_RECORD_MAGIC;
    slots->shared->version = BRIG_TRAP_RECORD_VERSION;
    slots->shared->slot_count = BRIG_TRAP_SLOT_COUNT;
    return BRIG_OK;
}

static void unmap(struct brig_trap_slots **slots)
{
    if (*slots)
        munmap(*slots, sizeof **slots);
    *slots = NULL;
}

void box_slots_after_fork(struct box_slots *slots)
{
    unmap(&slots->worker);
}

void box_slots_free(struct box_slots *slots)
{
    unmap(&slots->worker);
    unmap(&slots->shared);
}

// States that the worker may have put there, by what we did last.
static bool is_possible(enum box_slot_view view, uint32_t state)
{
    if (state == BRIG_TRAP_SLOT_FREE || state == BRIG_TRAP_SLOT_WRITING || state == BRIG_TRAP_SLOT_READY)
        return true;
    return view == BOX_SLOT_ANSWERED && state == BRIG_TRAP_SLOT_DONE; // not woken yet
}

enum box_slot_news box_slots_look(struct box_slots *slots, size_t index, struct brig_trap_record *record)
{
    struct brig_trap_slot *slot = &slots->shared->slots[index];
    uint8_t *view = &slots->views[index];
    if (*view == BOX_SLOT_BROKEN)
        return BOX_SLOT_NOTHING;
    uint32_t state = __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
    if (!is_possible(*view, state)) {
        *view = BOX_SLOT_BROKEN;
        return BOX_SLOT_LIE;
    }
    if (state != BRIG_TRAP_SLOT_READY)
        return BOX_SLOT_NOTHING;
    uint32_t expected = BRIG_TRAP_SLOT_READY;
    if (!__atomic_compare_exchange_n(&slot->state, &expected, BRIG_TRAP_SLOT_TAKEN, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        // It may have taken back a question that it waited for long enough.
        const bool is_fine = is_possible(BOX_SLOT_IDLE, expected);
        *view = is_fine ? *view : BOX_SLOT_BROKEN;
        return is_fine ? BOX_SLOT_NOTHING : BOX_SLOT_LIE;
    }
    *view = BOX_SLOT_OURS;
    __atomic_store_n(&slot->verdict, BRIG_TRAP_VERDICT_NONE, __ATOMIC_RELAXED);
    memcpy(record, &slot->record, sizeof *record);
    return BOX_SLOT_RECORD;
}

static void let_go(struct box_slots *slots, size_t index, uint32_t state)
{
    struct brig_trap_slot *slot = &slots->shared->slots[index];
    slots->views[index] = state == BRIG_TRAP_SLOT_DONE ? BOX_SLOT_ANSWERED : BOX_SLOT_IDLE;
    uint32_t expected = BRIG_TRAP_SLOT_TAKEN;
    // If the state is not TAKEN any more, it stays as the worker wrote it, and the next look judges it.
    if (!__atomic_compare_exchange_n(&slot->state, &expected, state, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED) &&
        expected == BRIG_TRAP_SLOT_LEFT) {
        slots->views[index] = BOX_SLOT_IDLE;
        __atomic_compare_exchange_n(&slot->state, &expected, BRIG_TRAP_SLOT_FREE, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
    }
    if (state == BRIG_TRAP_SLOT_DONE)
        syscall(SYS_futex, &slot->state, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void box_slots_answer(struct box_slots *slots, size_t index, bool is_waiting)
{
    let_go(slots, index, is_waiting ? BRIG_TRAP_SLOT_DONE : BRIG_TRAP_SLOT_FREE);
}

void box_slots_answer_question(struct box_slots *slots, size_t index, enum brig_trap_verdict verdict, int64_t value)
{
    struct brig_trap_slot *slot = &slots->shared->slots[index];
    __atomic_store_n(&slot->verdict, verdict, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->value, value, __ATOMIC_RELAXED);
    let_go(slots, index, BRIG_TRAP_SLOT_DONE);
}

uint64_t box_slots_newly_lost(struct box_slots *slots)
{
    const uint64_t lost = __atomic_load_n(&slots->shared->lost, __ATOMIC_RELAXED);
    const uint64_t newly = lost > slots->lost_seen ? lost - slots->lost_seen : 0; // nothing is unlost
    slots->lost_seen = lost;
    return newly < INT64_MAX ? newly : INT64_MAX;
}
