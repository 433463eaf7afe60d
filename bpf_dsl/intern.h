// intern: numbers for immutable nodes, so that equal nodes are one node. Internal to bpf_dsl.
//
// Takes: a node's hash and a way to compare. Gives: a small dense id per different node. Ids are given in the order of creation, so
// whatever is sorted or hashed by id comes out the same on every run, whatever the addresses are. Guarantees: a node's address
// never changes; id 0 is the first node ever added. Weakness: nothing is ever removed.
#ifndef BRIG_BPF_DSL_INTERN_H
#define BRIG_BPF_DSL_INTERN_H

#include "bpf_dsl/arena.h"

// More nodes than any program of 4096 instructions can need; a compile that reaches it has exploded and is given up.
#define DSL_INTERN_LIMIT UINT32_C(65536)
#define DSL_INTERN_NONE UINT32_MAX

struct dsl_intern_slot {
    uint32_t hash;
    uint32_t id_plus_one; // 0: free
};

struct dsl_intern {
    struct brig_dsl_arena *arena;
    const void **nodes; // by id
    struct dsl_intern_slot *slots;
    uint32_t slot_count; // a power of two
    uint32_t room;       // nodes up to which neither table has to grow
    uint32_t count;      // nodes, also the next id
    bool full;           // sticky: more than DSL_INTERN_LIMIT nodes
};

// Starts an empty table with room for about `expected` nodes; more make it grow. Returns: false when the arena is exhausted.
bool dsl_intern_init(struct dsl_intern *intern, struct brig_dsl_arena *arena, uint32_t expected);

// Makes room for one node more. Returns: false when the arena is exhausted or the table full (both sticky).
bool dsl_intern_make_room(struct dsl_intern *intern);

static inline const void *dsl_intern_get(const struct dsl_intern *intern, uint32_t id)
{
    return intern->nodes[id];
}

// Finds a node for which `same(node, key)` holds among those with this hash. Returns: its id, or DSL_INTERN_NONE.
static inline uint32_t dsl_intern_find(const struct dsl_intern *intern, uint32_t hash,
                                       bool (*same)(const void *node, const void *key), const void *key)
{
    uint32_t at = hash & (intern->slot_count - 1);
    for (; intern->slots[at].id_plus_one != 0; at = (at + 1) & (intern->slot_count - 1)) {
        uint32_t id = intern->slots[at].id_plus_one - 1;
        if (intern->slots[at].hash == hash && same(dsl_intern_get(intern, id), key)) {
            return id;
        }
    }
    return DSL_INTERN_NONE;
}

// Adds a node that is not there yet. Returns: its id; DSL_INTERN_NONE when the arena is exhausted or the table full.
static inline uint32_t dsl_intern_add(struct dsl_intern *intern, uint32_t hash, const void *node)
{
    if (intern->count == intern->room && !dsl_intern_make_room(intern)) {
        return DSL_INTERN_NONE;
    }
    uint32_t id = intern->count++;
    uint32_t at = hash & (intern->slot_count - 1);
    while (intern->slots[at].id_plus_one != 0) {
        at = (at + 1) & (intern->slot_count - 1);
    }
    intern->slots[at] = (struct dsl_intern_slot){.hash = hash, .id_plus_one = id + 1};
    intern->nodes[id] = node;
    return id;
}

// Adds a node that nobody will look for. Returns: its id; DSL_INTERN_NONE when the arena is exhausted or the table full.
static inline uint32_t dsl_intern_add_known(struct dsl_intern *intern, const void *node)
{
    if (intern->count == intern->room && !dsl_intern_make_room(intern)) {
        return DSL_INTERN_NONE;
    }
    intern->nodes[intern->count] = node;
    return intern->count++;
}

// Mixes one word into a hash (FNV-1a by words, with the high bits brought down at the end by dsl_hash_end).
static inline uint64_t dsl_hash(uint64_t hash, uint64_t word)
{
    return (hash ^ word) * 0x9e3779b97f4a7c15u;
}

static inline uint32_t dsl_hash_end(uint64_t hash)
{
    return (uint32_t)(hash >> 32 ^ hash);
}

#endif
