// intern: open addressing over (hash, id) pairs, nodes in chunks of pointers. See intern.h.
#include "bpf_dsl/intern.h"

#include <string.h>

enum { DSL_INTERN_LEAST_SLOTS = 64 };

static struct dsl_intern_slot *new_slots(struct brig_dsl_arena *arena, uint32_t count)
{
    struct dsl_intern_slot *slots = DSL_ARENA_ARRAY(arena, struct dsl_intern_slot, count);
    if (slots != NULL) {
        memset(slots, 0, count * sizeof *slots);
    }
    return slots;
}

static void put(struct dsl_intern_slot *slots, uint32_t slot_count, struct dsl_intern_slot entry)
{
    uint32_t at = entry.hash & (slot_count - 1);
    while (slots[at].id_plus_one != 0) {
        at = (at + 1) & (slot_count - 1);
    }
    slots[at] = entry;
}

static bool grow(struct dsl_intern *intern)
{
    uint32_t slot_count = intern->slot_count * 2;
    struct dsl_intern_slot *slots = new_slots(intern->arena, slot_count);
    if (slots == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < intern->slot_count; i++) {
        if (intern->slots[i].id_plus_one != 0) {
            put(slots, slot_count, intern->slots[i]);
        }
    }
    intern->slots = slots;
    intern->slot_count = slot_count;
    return true;
}

bool dsl_intern_make_room(struct dsl_intern *intern)
{
    if (intern->count == DSL_INTERN_LIMIT) {
        intern->full = true;
        return false;
    }
    if (intern->count % DSL_INTERN_CHUNK == 0) {
        const void **chunk = DSL_ARENA_ARRAY(intern->arena, const void *, DSL_INTERN_CHUNK);
        if (chunk == NULL) {
            return false;
        }
        intern->chunks[intern->count / DSL_INTERN_CHUNK] = chunk;
    }
    return intern->count < intern->slot_count / 4 * 3 || grow(intern);
}

bool dsl_intern_init(struct dsl_intern *intern, struct brig_dsl_arena *arena, uint32_t expected)
{
    intern->arena = arena;
    intern->count = 0;
    intern->full = false;
    intern->slot_count = DSL_INTERN_LEAST_SLOTS;
    while (intern->slot_count / 4 * 3 < expected && expected <= DSL_INTERN_LIMIT) {
        intern->slot_count *= 2;
    }
    intern->slots = new_slots(arena, intern->slot_count);
    return intern->slots != NULL;
}
