// table: calls that are alike, counted.
//
// Takes: entries, one for each line of a file. Gives: each once, with the sum of the counts, in the order of their first coming.
// Guarantees: at most PROFILE_SAMPLES_MAX of them; a sum that does not fit is an error. Open addressing, at most half full.
#include <stdlib.h>
#include <string.h>

#include "tools/profile/parts.h"

enum { FIRST_SLOTS = 1024 };

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

static size_t hash_entry(const struct profile_entry *entry)
{
    const struct brig_dsl_sample *sample = &entry->sample;
    uint64_t hash = mix((uint64_t)(unsigned)entry->type << 1 | entry->is_total, (uint64_t)sample->nr << 32 | sample->known);
    for (size_t i = 0; i < sizeof sample->args / sizeof sample->args[0]; i++) {
        hash = mix(hash, sample->args[i]);
    }
    return (size_t)hash;
}

static bool are_alike(const struct profile_entry *a, const struct profile_entry *b)
{
    return a->type == b->type && a->is_total == b->is_total && a->sample.nr == b->sample.nr && a->sample.known == b->sample.known &&
           memcmp(a->sample.args, b->sample.args, sizeof a->sample.args) == 0;
}

// Returns: the slot of the entry that is like `entry`, or the empty one where it belongs.
static uint32_t *find_slot(const struct profile_table *table, const struct profile_entry *entry)
{
    size_t slot = hash_entry(entry) & (table->slot_count - 1);
    while (table->slots[slot] != 0 && !are_alike(&table->entries[table->slots[slot] - 1], entry)) {
        slot = (slot + 1) & (table->slot_count - 1);
    }
    return &table->slots[slot];
}

static bool grow_slots(struct profile_table *table)
{
    size_t slot_count = table->slot_count == 0 ? FIRST_SLOTS : 2 * table->slot_count;
    uint32_t *slots = calloc(slot_count, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    free(table->slots);
    table->slots = slots;
    table->slot_count = slot_count;
    for (size_t i = 0; i < table->count; i++) {
        *find_slot(table, &table->entries[i]) = (uint32_t)i + 1;
    }
    return true;
}

static bool grow(struct profile_table *table)
{
    if (2 * (table->count + 1) > table->slot_count && !grow_slots(table)) {
        return false;
    }
    if (table->count == table->capacity) {
        size_t capacity = table->capacity == 0 ? FIRST_SLOTS / 2 : 2 * table->capacity;
        struct profile_entry *entries = reallocarray(table->entries, capacity, sizeof *entries);
        if (entries == NULL) {
            return false;
        }
        table->entries = entries;
        table->capacity = capacity;
    }
    return true;
}

enum profile_added profile_table_add(struct profile_table *table, const struct profile_entry *entry)
{
    if (!grow(table)) {
        return PROFILE_NO_MEMORY;
    }
    uint32_t *slot = find_slot(table, entry);
    if (*slot != 0) {
        uint64_t *count = &table->entries[*slot - 1].sample.count;
        return __builtin_add_overflow(*count, entry->sample.count, count) ? PROFILE_OVERFLOW : PROFILE_ADDED;
    }
    if (table->count == PROFILE_SAMPLES_MAX) {
        return PROFILE_TOO_MANY;
    }
    table->entries[table->count++] = *entry;
    *slot = (uint32_t)table->count;
    return PROFILE_ADDED;
}

struct profile_entry *profile_table_find(const struct profile_table *table, const struct profile_entry *entry)
{
    const uint32_t *slot = table->count == 0 ? NULL : find_slot(table, entry);
    return slot == NULL || *slot == 0 ? NULL : &table->entries[*slot - 1];
}

void profile_table_free(struct profile_table *table)
{
    free(table->entries);
    free(table->slots);
    *table = (struct profile_table){.entries = NULL};
}
