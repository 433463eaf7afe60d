// refuse: what the words of a request decide alone, without the broker. Context: signal handler, and linked code that asks the
// broker without a trap.
//
// Libraries look for the same missing files time and again, and for names that no list has: a look at the list's own names, or at
// what the broker said to the same words before, takes a tenth of a microsecond where asking takes three. What was refused here is
// posted, so that the broker's counts hold it; a ring that is full, or a request that does not fit into it, is a question after
// all.
//
// Weakness: a thread that is killed, or leaves by siglongjmp, while it posts, leaves a hole in the ring that is never filled. After
// that everything is asked.

#include <string.h>

#include "trap/handler/handler.h"

#define HASH_FACTOR UINT64_C(0x9E3779B97F4A7C15) // odd, and no pattern in its bits: 2^64 divided by the golden ratio

// --- what is settled --------------------------------------------------------------------------------------------------

// What the broker decided by the words of a request alone it would decide again. 51 bits of a hash stand for the words; what a
// thread of ours scribbles here can only refuse what the broker would have been asked.

// 0 stands for none.
static uint64_t hash_of(const struct brig_broker_request *request)
{
    const size_t bytes = (size_t)request->path_bytes[0] + request->path_bytes[1] + request->data_bytes;
    // The call as well: the broker tells the supervisor which calls were refused.
    const uint64_t numbers[] = {request->op | (uint64_t)request->call << 16 | (uint64_t)request->flags << 32,
                                request->mode | (uint64_t)request->path_bytes[0] << 32, request->number, bytes};
    uint64_t hash = trap_root_page.root.broker_slots->settled_seed;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        hash = (hash ^ numbers[i]) * HASH_FACTOR;
        hash ^= hash >> 32;
    }
    for (size_t i = 0; i < bytes; i += sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, request->bytes + i, bytes - i < sizeof word ? bytes - i : sizeof word);
        hash = (hash ^ word) * HASH_FACTOR;
        hash ^= hash >> 32;
    }
    return hash | 1u << 12; // above the errno
}

static uint64_t *settled_place(uint64_t hash)
{
    return &trap_root_page.root.broker_slots->settled[hash % BRIG_BROKER_SETTLED_COUNT];
}

// Returns: the errno, 0 if the broker has to be asked.
static int settled_errno(uint64_t hash)
{
    const uint64_t word = __atomic_load_n(settled_place(hash), __ATOMIC_RELAXED);
    return (word ^ hash) & ~BRIG_BROKER_SETTLED_ERRNO ? 0 : (int)(word & BRIG_BROKER_SETTLED_ERRNO);
}

// --- what is posted ---------------------------------------------------------------------------------------------------

static bool fits(const struct brig_broker_request *request)
{
    return request->path_bytes[0] > 0 && request->path_bytes[0] <= BRIG_BROKER_REFUSAL_PATH_BYTES && request->path_bytes[1] == 0 &&
           request->data_bytes == 0;
}

// Returns: NULL if there is no room.
static struct brig_broker_refusal *take_place(struct brig_broker_refusals *refusals, uint32_t *ret_turn)
{
    uint32_t posted = __atomic_load_n(&refusals->posted, __ATOMIC_RELAXED);
    do {
        if (posted - __atomic_load_n(&refusals->taken, __ATOMIC_ACQUIRE) >= BRIG_BROKER_REFUSALS) {
            return NULL;
        }
    } while (!__atomic_compare_exchange_n(&refusals->posted, &posted, posted + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    *ret_turn = posted + 1;
    return &refusals->ring[posted % BRIG_BROKER_REFUSALS];
}

static bool post(const struct brig_broker_request *request)
{
    uint32_t turn;
    struct brig_broker_refusal *place = fits(request) ? take_place(&trap_root_page.root.broker_slots->refusals, &turn) : NULL;
    if (!place) {
        return false;
    }
    place->op = request->op;
    place->call = request->call;
    place->flags = request->flags;
    place->mode = request->mode;
    place->path_bytes = request->path_bytes[0];
    place->number = request->number;
    // Not memcpy: a checker of races intercepts that, and cannot see that the broker's reading orders two threads of ours.
    trap_arch_copy((uint8_t *)place->path, (uintptr_t)request->bytes, (request->path_bytes[0] + 15u) & ~15u);
    __atomic_store_n(&place->turn, turn, __ATOMIC_RELEASE);
    return true;
}

// --- both -------------------------------------------------------------------------------------------------------------

int trap_broker_refuse(const struct brig_broker_request *request, uint64_t *ret_hash)
{
    *ret_hash = 0;
    if (request->attached) {
        return 0;
    }
    int refused = brig_broker_names_refuse(&trap_root_page.root.broker_slots->names, request);
    if (!refused) {
        *ret_hash = hash_of(request);
        refused = settled_errno(*ret_hash);
    }
    return refused && post(request) ? refused : 0;
}

void trap_broker_settle(uint64_t hash, int64_t result)
{
    if (hash != 0 && result < 0 && result >= -(int64_t)BRIG_BROKER_SETTLED_ERRNO) {
        __atomic_store_n(settled_place(hash), (hash & ~BRIG_BROKER_SETTLED_ERRNO) | (uint64_t)-result, __ATOMIC_RELAXED);
    }
}
