// intern: open addressing over (hash, id) pairs, nodes by their ids. See intern.h.
#include "bpf_dsl/intern.h"

#include <string.h>

enum { DSL_INTERN_LEAST_SLOTS = 64 };

// Puts empty tables in the place of the old ones, with room for three quarters as many nodes as slots. Returns: false when the
// arena is exhausted.
static bool new_tables(struct dsl_intern *intern, uint32_t slot_count)
{
    uint32_t room = slot_count / 4 * 3 < DSL_INTERN_LIMIT ? slot_count / 4 * 3 : DSL_INTERN_LIMIT;
    struct dsl_intern_slot *slots = DSL_ARENA_ARRAY(intern->arena, struct dsl_intern_slot, slot_count);
    const void **nodes = DSL_ARENA_ARRAY(intern->arena, const void *, room);
    if (slots == NULL || nodes == NULL) {
        return false;
    }
    memset(slots, 0, slot_count * sizeof *slots);
    intern->slots = slots;
    intern->nodes = nodes;
    intern->slot_count = slot_count;
    intern->room = room;
    return true;
}

static void put(const struct dsl_intern *intern, struct dsl_intern_slot entry)
{
    uint32_t at = entry.hash & (intern->slot_count - 1);
    while (intern->slots[at].id_plus_one != 0) {
        at = (at + 1) & (intern->slot_count - 1);
    }
    intern->slots[at] = entry;
}

bool dsl_intern_make_room(struct dsl_intern *intern)
{
    const struct dsl_intern was = *intern;
    if (was.count == DSL_INTERN_LIMIT) {
        intern->full = true;
        return false;
    }
    if (!new_tables(intern, 2 * was.slot_count)) {
        return false;
    }
    memcpy(intern->nodes, was.nodes, was.count * sizeof *was.nodes);
    for (uint32_t i = 0; i < was.slot_count; i++) {
        if (was.slots[i].id_plus_one != 0) {
            put(intern, was.slots[i]);
        }
    }
    return true;
}

bool dsl_intern_init(struct dsl_intern *intern, struct brig_dsl_arena *arena, uint32_t expected)
{
    uint32_t slot_count = DSL_INTERN_LEAST_SLOTS;
    while (slot_count / 4 * 3 < expected && expected <= DSL_INTERN_LIMIT) {
        slot_count *= 2;
    }
    *intern = (struct dsl_intern){.arena = arena};
    return new_tables(intern, slot_count);
}
