// sets: see sets.h.
#include "bpf_dsl/sets.h"

#include <string.h>

static bool same_set(const void *node, const void *key)
{
    const struct dsl_set *a = node;
    const struct dsl_set *b = key;
    return a->count == b->count && memcmp(a->spans, b->spans, a->count * sizeof *a->spans) == 0;
}

uint32_t dsl_set_make(struct dsl_sets *sets, struct dsl_span *spans, uint32_t count)
{
    uint32_t joined = 0;
    uint64_t hash = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (joined > 0 && spans[joined - 1].last + 1 == spans[i].first) {
            spans[joined - 1].last = spans[i].last;
        } else {
            spans[joined++] = spans[i];
        }
    }
    for (uint32_t i = 0; i < joined; i++) {
        hash = dsl_hash(hash, (uint64_t)spans[i].first << 32 | spans[i].last);
    }
    const struct dsl_set key = {spans, joined};
    uint32_t id = dsl_intern_find(&sets->sets, dsl_hash_end(hash), same_set, &key);
    if (id != DSL_INTERN_NONE) {
        return id;
    }
    struct dsl_set *set = DSL_ARENA_NEW(sets->sets.arena, struct dsl_set);
    struct dsl_span *kept = DSL_ARENA_ARRAY(sets->sets.arena, struct dsl_span, joined);
    if (set == NULL || kept == NULL) {
        return DSL_SET_ALL;
    }
    memcpy(kept, spans, joined * sizeof *spans);
    *set = (struct dsl_set){kept, joined};
    id = dsl_intern_add(&sets->sets, dsl_hash_end(hash), set);
    return id == DSL_INTERN_NONE ? DSL_SET_ALL : id;
}

bool dsl_sets_init(struct dsl_sets *sets, struct brig_dsl_arena *arena)
{
    struct dsl_span all = {0, UINT32_MAX};
    return dsl_intern_init(&sets->sets, arena, 64) && dsl_set_make(sets, &all, 1) == DSL_SET_ALL && !arena->exhausted;
}

// --- sorting ----------------------------------------------------------------------------------------------------------

void dsl_sift(uint32_t *values, uint32_t at, uint32_t count)
{
    for (uint32_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        child += child + 1 < count && values[child + 1] > values[child];
        if (values[at] >= values[child]) {
            break;
        }
        uint32_t value = values[at];
        values[at] = values[child];
        values[child] = value;
        at = child;
    }
}

void dsl_sort(uint32_t *values, uint32_t count)
{
    for (uint32_t at = count / 2; at-- > 0;) {
        dsl_sift(values, at, count);
    }
    for (uint32_t end = count; end > 1;) {
        uint32_t value = values[--end];
        values[end] = values[0];
        values[0] = value;
        dsl_sift(values, 0, end);
    }
}
