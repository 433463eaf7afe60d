// check_conditions: conditions of rules as sets of numbers.
//
// Takes: a condition as resolved. Gives: sorted spans of (argument & mask). Requires: nothing. Guarantees: written from the meaning
// of the operators (bpf_dsl.h), not from the lowering. A mask that keeps all upper bits is no mask: its values are spans of the
// whole number. Weaknesses: none known.
#include "bpf_dsl/check_parts.h"

#include <string.h>

static uint64_t all_bits(bool is_wide)
{
    return is_wide ? UINT64_MAX : UINT32_MAX;
}

// Shell sort: short and in place.
static void sort_bucket(struct check_span *spans, uint32_t count)
{
    for (uint32_t gap = count / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11) {
        for (uint32_t i = gap; i < count; i++) {
            struct check_span span = spans[i];
            uint32_t at = i;
            for (; at >= gap && spans[at - gap].first > span.first; at -= gap) {
                spans[at] = spans[at - gap];
            }
            spans[at] = span;
        }
    }
}

enum { BUCKETS = 256, BUCKETS_FROM = 64 };

// What spans differ in first, as a number below BUCKETS.
static unsigned bucket_of(const struct check_span *span, int top)
{
    return (unsigned)(span->first >> (top > 7 ? top - 7 : 0)) % BUCKETS;
}

// Exchanges spans until each is in its bucket. `ends` says where each bucket ends, and its start is where the one before ends.
static void fill_buckets(struct check_span *spans, const uint32_t ends[BUCKETS], int top)
{
    uint32_t next[BUCKETS];
    for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
        next[bucket] = bucket > 0 ? ends[bucket - 1] : 0;
    }
    for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
        while (next[bucket] < ends[bucket]) {
            struct check_span *here = &spans[next[bucket]];
            struct check_span *there = &spans[next[bucket_of(here, top)]++];
            struct check_span span = *there;
            *there = *here;
            *here = span;
        }
    }
}

// Parts spans by the first bits in which any two differ (`differ`), which leaves a handful of a thousand values in each bucket.
static void sort_by_buckets(struct check_span *spans, uint32_t count, uint64_t differ)
{
    uint32_t ends[BUCKETS] = {0};
    int top = 63 - __builtin_clzll(differ);
    for (uint32_t i = 0; i < count; i++) {
        ends[bucket_of(&spans[i], top)]++;
    }
    for (unsigned bucket = 1; bucket < BUCKETS; bucket++) {
        ends[bucket] += ends[bucket - 1];
    }
    fill_buckets(spans, ends, top);
    for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
        uint32_t start = bucket > 0 ? ends[bucket - 1] : 0;
        sort_bucket(spans + start, ends[bucket] - start);
    }
}

static void sort(struct check_span *spans, uint32_t count)
{
    uint64_t differ = 0;
    for (uint32_t i = 1; i < count; i++) {
        differ |= spans[i].first ^ spans[0].first;
    }
    if (count < BUCKETS_FROM || differ == 0) {
        sort_bucket(spans, count);
    } else {
        sort_by_buckets(spans, count, differ);
    }
}

static uint32_t join_neighbours(struct check_span *spans, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (kept > 0 && (spans[i].first <= spans[kept - 1].last || spans[i].first - spans[kept - 1].last == 1)) {
            spans[kept - 1].last = spans[i].last > spans[kept - 1].last ? spans[i].last : spans[kept - 1].last;
        } else {
            spans[kept++] = spans[i];
        }
    }
    return kept;
}

// Spans of masked values become spans of whole ones; only where the bits not in the mask are the lowest ones.
static uint32_t unmask(uint64_t mask, struct check_span *spans, uint32_t count)
{
    uint64_t low = ~mask;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        // The masked value at or above `first`, and the one at or below `last`.
        uint64_t first = (spans[i].first & low) == 0 ? spans[i].first : (spans[i].first | low) + 1;
        uint64_t last = spans[i].last & mask;
        if (first <= last && first >= spans[i].first) {
            spans[kept++] = (struct check_span){first, last | low};
        }
    }
    return kept;
}

// Says in which high half all numbers outside the spans are, if they are in one. Takes sorted spans.
static void find_gap(struct check_condition *condition)
{
    if (condition->count == 0) {
        return;
    }
    const struct check_span *first = &condition->spans[0];
    const struct check_span *last = &condition->spans[condition->count - 1];
    uint64_t lowest = first->first > 0 ? 0 : first->last + 1;
    uint64_t highest = last->last < UINT64_MAX ? UINT64_MAX : last->first - 1;
    bool has_gap = condition->count > 1 || first->first > 0 || first->last < UINT64_MAX;
    condition->has_one_gap = has_gap && lowest >> 32 == highest >> 32;
    condition->gap_high = (uint32_t)(lowest >> 32);
}

struct check_condition dsl_check_make_condition(uint8_t argument, bool is_wide, uint64_t mask, struct check_span *spans,
                                                uint32_t count)
{
    uint64_t all = all_bits(is_wide);
    mask &= all;
    uint64_t low = ~mask & all;
    if (low != 0 && (low & (low + 1)) == 0) {
        count = unmask(mask | ~all, spans, count);
        mask = all;
    }
    sort(spans, count);
    count = join_neighbours(spans, count);
    // High halves of which nothing counts are none; the spans are then all in the low half.
    is_wide = is_wide && mask > UINT32_MAX;
    struct check_condition condition = {.spans = spans,
                                        .count = count,
                                        .argument = argument,
                                        .is_wide = is_wide,
                                        .has_one_high = count > 0 && spans[0].first >> 32 == spans[count - 1].last >> 32,
                                        .mask = mask};
    find_gap(&condition);
    return condition;
}

// --- operators --------------------------------------------------------------------------------------------------------

// What is written of a condition, cut to the bits that count.
struct reading {
    uint64_t all;
    uint64_t lowest; // in the condition's sign
    uint64_t highest;
    uint64_t mask;
    struct check_span *spans;
    uint32_t count;
};

static void add_points(struct reading *reading, const uint64_t *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t value = values[i] & reading->all;
        // A bit outside the mask never comes out of it.
        if ((value & reading->mask) == value) {
            reading->spans[reading->count++] = (struct check_span){value, value};
        }
    }
}

// From lo up to hi on a number line that starts at `lowest`; it may pass the end of the unsigned one.
static void add_upward(struct reading *reading, uint64_t lo, uint64_t hi)
{
    lo &= reading->all;
    hi &= reading->all;
    // Distances from the lowest number decide which one is above.
    if (((lo - reading->lowest) & reading->all) > ((hi - reading->lowest) & reading->all)) {
        return;
    }
    if (lo <= hi) {
        reading->spans[reading->count++] = (struct check_span){lo, hi};
    } else {
        reading->spans[reading->count++] = (struct check_span){lo, reading->all};
        reading->spans[reading->count++] = (struct check_span){0, hi};
    }
}

// What (argument & mask) can be and is in none of the points. There is room for one span more than points.
static void turn_round(struct reading *reading)
{
    struct check_span *spans = reading->spans;
    uint32_t count = reading->count;
    uint64_t next = 0;
    bool is_past_end = false;
    sort(spans, count);
    reading->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t point = spans[i].first; // kept, since spans[reading->count] may be this one
        if (!is_past_end && point > next) {
            spans[reading->count++] = (struct check_span){next, point - 1};
        }
        is_past_end = point == reading->mask;
        next = point + 1;
    }
    if (!is_past_end) {
        spans[reading->count++] = (struct check_span){next, reading->mask};
    }
}

static void read_operator(struct reading *reading, const struct brig_dsl_rule_condition *source)
{
    static const uint64_t zero[] = {0};
    const uint64_t *values = source->values;
    switch ((enum brig_dsl_operator)source->op) {
    case BRIG_DSL_IN:
    case BRIG_DSL_IN_SET:
        add_points(reading, values, source->value_count);
        break;
    case BRIG_DSL_RANGE:
        add_upward(reading, values[0], values[1]);
        break;
    case BRIG_DSL_AT_LEAST:
        add_upward(reading, values[0], reading->highest);
        break;
    case BRIG_DSL_AT_MOST:
        add_upward(reading, reading->lowest, values[0]);
        break;
    case BRIG_DSL_MASKED:
        reading->mask = values[0] & reading->all;
        add_points(reading, values + 1, source->value_count - 1);
        break;
    case BRIG_DSL_ONLY_BITS:
        reading->mask = ~values[0] & reading->all;
        add_points(reading, zero, 1);
        break;
    case BRIG_DSL_NO_BITS:
        reading->mask = values[0] & reading->all;
        add_points(reading, zero, 1);
        break;
    case BRIG_DSL_ALL_BITS:
        reading->mask = values[0] & reading->all;
        add_points(reading, values, 1);
        break;
    case BRIG_DSL_IS_NULL:
        add_points(reading, zero, 1);
        break;
    case BRIG_DSL_NOT_NULL:
        add_upward(reading, 1, reading->all);
        break;
    case BRIG_DSL_NOT_IN:
        add_points(reading, values, source->value_count);
        turn_round(reading);
        break;
    case BRIG_DSL_ANY_BITS:
        reading->mask = values[0] & reading->all;
        if (reading->mask != 0) {
            reading->spans[reading->count++] = (struct check_span){1, reading->mask};
        }
        break;
    case BRIG_DSL_NOT_MASKED:
        reading->mask = values[0] & reading->all;
        add_points(reading, values + 1, source->value_count - 1);
        turn_round(reading);
        break;
    case BRIG_DSL_END:
    case BRIG_DSL_OPERATOR_COUNT:
        break;
    }
}

bool dsl_check_read_condition(const struct brig_dsl_rule_condition *source, struct brig_dsl_arena *arena,
                              struct check_condition *ret_condition)
{
    bool is_wide = source->bits == 64;
    struct reading reading = {.all = all_bits(is_wide), .highest = all_bits(is_wide), .mask = all_bits(is_wide)};
    bool is_signed = source->is_signed && source->op != BRIG_DSL_NOT_NULL;
    if (is_signed) {
        reading.lowest = is_wide ? (uint64_t)INT64_MIN : (uint32_t)INT32_MIN;
        reading.highest = is_wide ? INT64_MAX : INT32_MAX;
    }
    reading.spans = DSL_ARENA_ARRAY(arena, struct check_span, (size_t)source->value_count + 2);
    if (reading.spans == NULL) {
        return false;
    }
    read_operator(&reading, source);
    *ret_condition = dsl_check_make_condition(source->argument, is_wide, reading.mask, reading.spans, reading.count);
    return true;
}

bool dsl_check_same_place(const struct check_condition *a, const struct check_condition *b)
{
    return a->argument == b->argument && a->is_wide == b->is_wide && a->mask == b->mask;
}

bool dsl_check_same_condition(const struct check_condition *a, const struct check_condition *b)
{
    return dsl_check_same_place(a, b) && a->count == b->count &&
           (a->count == 0 || memcmp(a->spans, b->spans, a->count * sizeof *a->spans) == 0);
}
