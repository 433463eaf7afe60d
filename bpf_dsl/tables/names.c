// Names: the hash over names, comparing, and the search for the name that was meant.
//
// Takes: text from policies, of any length, not terminated. Gives: hashes, equality, groups, nearest names. Names in the tables are
// at most DSL_NAME_ROOM - 1 bytes long; anything longer is no name. Guarantees: no allocation, no writes but to the stack; safe in
// a signal handler. Weakness: the search for a near name looks at every name; it is for messages to people, a millisecond at most.

#include <string.h>

#include "bpf_dsl/tables/data.h"

// Eight bytes at a time, because policies look up hundreds of names and a byte-wise hash would cost more than all the rest of a
// look-up. tools/tables/generate.py:hash_name is the same function.
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are read as they stand in memory");

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

uint32_t dsl_name_hash(const char *name, size_t name_bytes)
{
    uint64_t hash = name_bytes;
    uint64_t word;
    size_t left = name_bytes;
    for (; left >= sizeof word; left -= sizeof word, name += sizeof word) {
        memcpy(&word, name, sizeof word);
        hash = mix(hash, word);
    }
    if (left == 0) {
        return (uint32_t)hash;
    }
    word = 0;
    for (size_t i = left; i-- > 0;) {
        word = word << 8 | (unsigned char)name[i];
    }
    return (uint32_t)mix(hash, word);
}

bool dsl_name_equals(const char *known, const char *name, size_t name_bytes)
{
    // The terminator first: it tells most names apart without a call.
    return name_bytes < DSL_NAME_ROOM && known[name_bytes] == '\0' && memcmp(known, name, name_bytes) == 0;
}

const struct dsl_group *dsl_find_group(const char *name)
{
    size_t low = 0;
    size_t high = dsl_group_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, dsl_groups[middle].name);
        if (order == 0) {
            return &dsl_groups[middle];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

// The distance at (i, j) of the two texts: insert, delete, replace, or swap two neighbours, which is how fingers err.
static uint8_t step_distance(const char *a, const char *b, const uint8_t *rows[3], size_t i, size_t j)
{
    size_t replace = rows[1][j - 1] + (size_t)(a[i - 1] != b[j - 1]);
    size_t best = smaller(replace, smaller(rows[1][j], rows[0][j - 1]) + (size_t)1);
    if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        best = smaller(best, rows[2][j - 2] + (size_t)1);
    }
    return (uint8_t)best;
}

// Edits between two texts, given up (as `limit` + 1) once every way costs more than `limit`.
static size_t edit_distance(const char *a, size_t a_bytes, const char *b, size_t b_bytes, size_t limit)
{
    uint8_t ring[3][DSL_NAME_ROOM]; // the row at work and the two before it
    for (size_t j = 0; j <= b_bytes; j++) {
        ring[0][j] = (uint8_t)j;
    }
    for (size_t i = 1; i <= a_bytes; i++) {
        uint8_t *row = ring[i % 3];
        const uint8_t *rows[3] = {row, ring[(i - 1) % 3], ring[(i + 1) % 3]};
        size_t best = row[0] = (uint8_t)i;
        for (size_t j = 1; j <= b_bytes; j++) {
            row[j] = step_distance(a, b, rows, i, j);
            best = smaller(best, row[j]);
        }
        if (best > limit) {
            return limit + 1;
        }
    }
    return ring[a_bytes % 3][b_bytes];
}

// What libc calls a function is not always what the kernel calls the call behind it, on any arch.
static const char *const libc_names[][2] = {
    {"_exit", "exit_group"},  {"fstatat", "newfstatat"}, {"posix_fadvise", "fadvise64"}, {"pread", "pread64"},
    {"prlimit", "prlimit64"}, {"pselect", "pselect6"},   {"pwrite", "pwrite64"},         {"wait", "wait4"},
};

static const char *kernel_name(const char *name, size_t name_bytes)
{
    for (size_t i = 0; i < sizeof libc_names / sizeof libc_names[0]; i++) {
        if (strlen(libc_names[i][0]) == name_bytes && memcmp(libc_names[i][0], name, name_bytes) == 0) {
            return libc_names[i][1];
        }
    }
    return NULL;
}

static const char *name_at(char kind, size_t index)
{
    return kind == 'c' ? brig_dsl_call_name((enum brig_dsl_call)(index + 1)) : dsl_constant_name_at(index);
}

const char *brig_dsl_closest_name(const char *name, size_t name_bytes, char kind)
{
    if (name_bytes == 0 || name_bytes >= DSL_NAME_ROOM || (kind != 'c' && kind != 'k')) {
        return NULL;
    }
    const char *closest = kind == 'c' ? kernel_name(name, name_bytes) : NULL;
    if (closest != NULL) {
        return closest;
    }
    size_t limit = name_bytes / 3;
    size_t count = kind == 'c' ? (size_t)BRIG_SYS_COUNT - 1 : dsl_constant_count;
    for (size_t i = 0; i < count; i++) {
        const char *known = name_at(kind, i);
        size_t known_bytes = strlen(known);
        if (known_bytes > name_bytes + limit || name_bytes > known_bytes + limit) {
            continue;
        }
        size_t distance = edit_distance(name, name_bytes, known, known_bytes, limit);
        if (distance > limit || (closest != NULL && distance == limit)) {
            continue;
        }
        closest = known;
        limit = distance;
    }
    return closest;
}
