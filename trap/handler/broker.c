// broker: asks the broker for what the filter refuses. Context of everything here: signal handler, but for the slots, which linked
// code uses as well (trap/broker_resolve.c).
//
// Takes a call whose row says BROKER. Claims a slot of the shared memory, makes the request there, sends the descriptors that
// belong to it, makes the reserved call, on which the kernel wakes the broker, and writes what came back to where the program wants
// it. System calls of an open: one to ask whether the path can be read (one more for each page that it goes on to), and the
// reserved one, whose result is the new descriptor. Requests and answers stay in the slot: a signal stack has no room for them.
//
// No slot free means that as many requests as there are slots are under way: it looks again every millisecond, for ten seconds,
// then the call answers EAGAIN. The reserved call has no end of its own; a broker that dies ends it.
//
// A call about a descriptor itself (AT_EMPTY_PATH, or no path where that means the descriptor) is no question to a broker. It
// becomes:
//
//   newfstatat, fstatat64, statx   fstat (fstat64 on i386), which knows no birth time and no mount
//   fchmodat2                      fchmod
//   utimensat, futimesat           utimensat without a path; if that itself is what the filter refused, EACCES
//   faccessat2                     fstat for F_OK; EACCES for what else is asked, because the answer is the file system's
//   readlinkat, linkat             ENOENT, the kernel's answer for what is no link, and without the right to link descriptors
// and the policy's rows for those decide.
//
// What the words of a request decide alone is refused here (refuse.c).
//
// Weaknesses. Every process of a family that is killed in the middle of a request takes a slot with it. The slots are ordinary
// memory of the worker: what its other threads scribble there is what it asks.

#include <errno.h>
#include <linux/futex.h>
#include <linux/stat.h>
#include <string.h>

#include "trap/broker_parts.h"
#include "trap/handler/handler.h"

#define WAITS 10000                 // of a millisecond: for a slot
#define RETRIES 1000                // a forged SIGSYS interrupts the reserved call as long as the broker has not seen it
#define SENDINGS 100                // of the descriptors of a request: more than one only before 5.19
#define PAGE_BYTES ((uint64_t)4096) // the smallest page of any kernel
#define STAT_BYTES 144              // the longest struct stat of our arches
#define UTIMENSAT_TIME64 412        // include/uapi/asm-generic/unistd.h, the same on all 32-bit arches
#define SEND_FLAGS 0x4040           // MSG_DONTWAIT | MSG_NOSIGNAL
#define LEVEL_SOCKET 1              // SOL_SOCKET
#define SENDS_RIGHTS 1              // SCM_RIGHTS

// --- the program's memory ---------------------------------------------------------------------------------------------

struct local_memory {
    struct brig_broker_memory memory; // must stay first
    const struct brig_trap_call *call;
    bool is_probed;         // the kernel is asked what can be read and written
    uint64_t readable_page; // of which the kernel said so a moment ago; UINT64_MAX: none
};

static void copy_in(uint8_t *to, uint64_t from, size_t bytes)
{
    const size_t whole = bytes & ~(size_t)15;
    trap_arch_copy(to, from, whole);
    for (size_t i = whole; i < bytes; i++) {
        to[i] = *(const volatile uint8_t *)(uintptr_t)(from + i);
    }
}

static size_t read_local(const struct brig_broker_memory *memory, void *to, uint64_t address, size_t bytes)
{
    struct local_memory *local = (struct local_memory *)(uintptr_t)memory;
    size_t done = 0;
    while (done < bytes) {
        const uint64_t from = address + done;
        const uint64_t page = from / PAGE_BYTES;
        const uint64_t to_page_end = PAGE_BYTES - from % PAGE_BYTES;
        const size_t part = bytes - done < to_page_end ? bytes - done : (size_t)to_page_end;
        const bool is_known = page == local->readable_page || (!local->is_probed && page != 0);
        if (from > UINTPTR_MAX || (!is_known && !brig_trap_is_readable(local->call, from))) {
            break;
        }
        local->readable_page = page;
        copy_in((uint8_t *)to + done, from, part);
        done += part;
    }
    return done;
}

static bool write_local(const struct brig_broker_memory *memory, uint64_t address, const void *from, size_t bytes)
{
    const struct local_memory *local = (const struct local_memory *)(const void *)memory;
    if (local->is_probed || address < PAGE_BYTES) {
        return brig_trap_write(local->call, address, from, bytes);
    }
    memcpy((void *)(uintptr_t)address, from, bytes);
    return true;
}

// --- slots ------------------------------------------------------------------------------------------------------------

// Threads start at different slots, so that they do not all try the same.
static uint32_t first_slot(void)
{
    return (uint32_t)((uintptr_t)__builtin_frame_address(0) >> 12) % BRIG_BROKER_SLOT_COUNT;
}

static bool try_slot(struct brig_broker_slot *slot)
{
    uint32_t state = BRIG_BROKER_SLOT_FREE;
    return __atomic_load_n(&slot->state, __ATOMIC_RELAXED) == state &&
           __atomic_compare_exchange_n(&slot->state, &state, BRIG_BROKER_SLOT_TAKEN, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static struct brig_broker_slot *try_slots(struct brig_broker_slots *slots, uint32_t first)
{
    for (uint32_t i = 0; i < BRIG_BROKER_SLOT_COUNT; i++) {
        struct brig_broker_slot *slot = &slots->slots[(first + i) % BRIG_BROKER_SLOT_COUNT];
        if (try_slot(slot)) {
            return slot;
        }
    }
    return NULL;
}

// Waking is no call that every policy allows, so nobody is woken: whoever waits looks for himself.
static void wait_a_millisecond(const struct brig_trap_call *call, const struct brig_broker_slot *slot)
{
    const long timeout[2] = {0, 1000000}; // struct timespec as SYS_futex has it on all arches
    const uint64_t args[6] = {(uintptr_t)&slot->state, FUTEX_WAIT, BRIG_BROKER_SLOT_TAKEN, (uintptr_t)timeout};
    brig_trap_syscall(call, SYS_futex, args);
}

struct brig_broker_slot *trap_broker_claim(const struct brig_trap_call *call)
{
    struct brig_broker_slots *slots = trap_root_page.root.broker_slots;
    const uint32_t first = first_slot();
    struct brig_broker_slot *slot = try_slots(slots, first);
    for (int i = 0; !slot && i < WAITS; i++) {
        wait_a_millisecond(call, &slots->slots[first]);
        slot = try_slots(slots, first);
    }
    if (slot) {
        slot->generation++;
    }
    return slot;
}

void trap_broker_release(struct brig_broker_slot *slot)
{
    __atomic_store_n(&slot->state, BRIG_BROKER_SLOT_FREE, __ATOMIC_RELEASE);
}

// --- the call ---------------------------------------------------------------------------------------------------------

static uint32_t index_of(const struct brig_broker_slot *slot)
{
    return (uint32_t)(slot - trap_root_page.root.broker_slots->slots);
}

// The kernel's structs, which no libc has changed.
struct vector {
    const void *bytes;
    size_t count;
};

struct message {
    void *name;
    int32_t name_bytes;
    struct vector *vectors;
    size_t vector_count;
    void *control;
    size_t control_bytes;
    uint32_t flags;
};

struct rights {
    size_t bytes;
    int32_t level;
    int32_t type;
    int32_t fds[4]; // three, and what aligns it
};

// Returns: 0 or -errno. EBADF is the kernel's for a descriptor that is not open, as the call itself would have it.
static int64_t send_descriptors(const struct brig_trap_call *call, const struct brig_broker_slot *slot, uint32_t attached,
                                const int32_t descriptors[3])
{
    const struct brig_broker_attachment tag = {.slot = index_of(slot), .generation = slot->generation, .attached = attached};
    struct vector vector = {&tag, sizeof tag};
    struct rights rights = {.bytes = offsetof(struct rights, fds), .level = LEVEL_SOCKET, .type = SENDS_RIGHTS};
    size_t count = 0;
    for (uint32_t i = 0; i < 3; i++) {
        if (attached >> i & 1) {
            rights.fds[count++] = descriptors[i];
        }
    }
    rights.bytes += count * sizeof rights.fds[0];
    const struct message message = {.vectors = &vector, .vector_count = 1, .control = &rights, .control_bytes = rights.bytes};
    const uint64_t args[6] = {(uint64_t)trap_root_page.root.broker_fd, (uintptr_t)&message, SEND_FLAGS};
    const int64_t result = brig_trap_syscall(call, SYS_sendmsg, args);
    if (result >= 0 || result == -EBADF || result == -EAGAIN || result == -ETOOMANYREFS) {
        return result < 0 ? result : 0;
    }
    return -EIO; // EPIPE, ECONNRESET: nobody is there any more
}

// ENOSYS says that nobody listens: of a kernel that asked no broker, because its listener is gone.
int64_t trap_broker_exchange(const struct brig_trap_call *call, struct brig_broker_slot *slot)
{
    const uint64_t args[6] = {index_of(slot), slot->generation};
    int64_t result = -EINTR;
    slot->reply.verdict = BRIG_BROKER_DONE;
    slot->reply.answer_bytes = 0;
    for (int i = 0; result == -EINTR && i < RETRIES; i++) {
        result = brig_trap_syscall(call, BRIG_DSL_BROKER_NR, args);
    }
    result = result == -ENOSYS ? -EIO : result;
    slot->reply.result = result;
    return result;
}

// An exchange with what belongs to it. Returns: as trap_broker_exchange, or why the descriptors could not be sent; it is the
// reply's result, too.
static int64_t exchange_with_descriptors(const struct brig_trap_call *call, struct brig_broker_slot *slot, uint32_t attached,
                                         const int32_t descriptors[3])
{
    int64_t result = -BRIG_BROKER_SEND_AGAIN;
    slot->reply.verdict = BRIG_BROKER_DONE;
    for (int i = 0; result == -BRIG_BROKER_SEND_AGAIN && i < SENDINGS; i++) {
        slot->generation++;
        const int64_t sent = send_descriptors(call, slot, attached, descriptors);
        result = sent < 0 ? sent : trap_broker_exchange(call, slot);
    }
    result = result == -BRIG_BROKER_SEND_AGAIN ? -EINTR : result;
    slot->reply.result = result;
    return result;
}

// --- descriptors themselves -------------------------------------------------------------------------------------------

static int64_t look_at_descriptor(const struct brig_trap_call *call, const struct brig_broker_call *row, int32_t fd,
                                  const struct brig_broker_memory *memory)
{
    uint8_t status[STAT_BYTES];
    struct statx statx;
    const bool is_statx = row->out_shape == BRIG_BROKER_SHAPE_STATX;
    const uint64_t args[6] = {(uint64_t)fd, is_statx ? (uintptr_t)status : call->args[row->out]};
    const int64_t result = brig_trap_syscall(call, TRAP_ARCH_NR_FSTAT, args);
    if (!is_statx || result != 0) {
        return result;
    }
    trap_statx_from_stat(memory->arch, status, &statx);
    return memory->write(memory, call->args[row->out], &statx, sizeof statx) ? 0 : -EFAULT;
}

static int64_t check_descriptor(const struct brig_trap_call *call, int32_t fd, uint32_t mode)
{
    uint8_t status[STAT_BYTES];
    const int64_t result = brig_trap_syscall(call, TRAP_ARCH_NR_FSTAT, (const uint64_t[6]){(uint64_t)fd, (uintptr_t)status});
    return result == 0 && mode != 0 ? -EACCES : result;
}

// `times` are as the request has them: two struct timespec of 64 bits, or NULL.
static int64_t touch_descriptor(const struct brig_trap_call *call, const struct brig_broker_call *row, int32_t fd,
                                const uint8_t *times)
{
    const uint32_t nr = sizeof(long) == 8 ? SYS_utimensat : UTIMENSAT_TIME64;
    const bool is_refused = call->nr == nr && call->args[row->path[0]] == 0;
    return is_refused ? -EACCES : brig_trap_syscall(call, nr, (const uint64_t[6]){(uint64_t)fd, 0, (uintptr_t)times, 0});
}

static int64_t ask_kernel(const struct brig_trap_call *call, const struct brig_broker_call *row, int32_t fd,
                          const struct brig_broker_memory *memory, const struct brig_broker_request *request)
{
    switch ((enum brig_broker_op)row->op) {
    case BRIG_BROKER_OP_STAT:
        return look_at_descriptor(call, row, fd, memory);
    case BRIG_BROKER_OP_ACCESS:
        return check_descriptor(call, fd, request->mode);
    case BRIG_BROKER_OP_CHMOD:
        return brig_trap_syscall(call, SYS_fchmod, (const uint64_t[6]){(uint64_t)fd, request->mode});
    case BRIG_BROKER_OP_UTIMENS:
        return touch_descriptor(call, row, fd, request->data_bytes ? request->bytes + 1 : NULL);
    default:
        return -ENOENT;
    }
}

// --- one call ---------------------------------------------------------------------------------------------------------

static struct brig_trap_outcome ask_broker(const struct brig_trap_call *call, const struct brig_broker_call *row,
                                           const struct brig_broker_memory *memory, struct brig_broker_slot *slot)
{
    int32_t descriptors[3];
    const int gathered = brig_broker_gather(row, call->args, memory, &slot->request, descriptors);
    if (gathered == BRIG_BROKER_ABOUT_DESCRIPTOR) {
        return brig_trap_answer(ask_kernel(call, row, descriptors[0], memory, &slot->request));
    }
    if (gathered != BRIG_BROKER_GATHERED) {
        return brig_trap_answer(gathered == BRIG_BROKER_NOTHING_TO_DO ? 0 : -gathered);
    }
    const uint32_t attached = slot->request.attached;
    uint64_t hash;
    const int refused = trap_broker_refuse(&slot->request, &hash);
    if (refused) {
        return brig_trap_answer(-refused);
    }
    const int64_t result =
        attached ? exchange_with_descriptors(call, slot, attached, descriptors) : trap_broker_exchange(call, slot);
    if (slot->reply.verdict == BRIG_BROKER_SETTLED) {
        trap_broker_settle(hash, result);
    }
    if (slot->reply.verdict == BRIG_BROKER_TOUCHED) {
        return (struct brig_trap_outcome){BRIG_TRAP_VIOLATION, 0};
    }
    return brig_trap_answer(brig_broker_deliver(row, call->args, memory, &slot->reply));
}

static struct brig_trap_outcome ask(const struct brig_trap_call *call, bool is_probed)
{
    const struct trap_root *root = &trap_root_page.root;
    const struct brig_broker_call *row = brig_broker_find_call(call->call);
    if (!root->broker_slots || !row) {
        return (struct brig_trap_outcome){BRIG_TRAP_ERRNO, EACCES};
    }
    struct brig_broker_slot *slot = trap_broker_claim(call);
    if (!slot) {
        return (struct brig_trap_outcome){BRIG_TRAP_ERRNO, EAGAIN};
    }
    struct local_memory local = {
        .memory = {.read = read_local, .write = write_local, .arch = root->arch, .umask = root->broker_slots->umask},
        .call = call,
        .is_probed = is_probed,
        .readable_page = UINT64_MAX,
    };
    const struct brig_trap_outcome outcome = ask_broker(call, row, &local.memory, slot);
    trap_broker_release(slot);
    return outcome;
}

struct brig_trap_outcome trap_ask_broker(const struct brig_trap_call *call)
{
    return ask(call, true);
}

struct brig_trap_outcome trap_ask_broker_unprobed(const struct brig_trap_call *call)
{
    return ask(call, false);
}
