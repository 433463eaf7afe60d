// idle: bits of a word that make no difference to a switch.
//
// Takes: a graph. Gives: one that decides the same, in which sets of values that are closed under some bits ({0, 1, 0x80, 0x81})
// are tested without those bits: one JSET where the rest has to be 0, an AND and fewer values otherwise. Requires: nothing. How:
// all values but those of the widest run are listed, where they are few; a bit is idle if turning it leads every one of them to a
// value with the same child. One value may be an exception, which is asked for first. Guarantees: exact. Weaknesses: switches with
// more values than IDLE_VALUES outside their widest run are not looked at; a bit that is not idle for two values is kept for all.
#include "bpf_dsl/masks.h"

#include <string.h>

enum {
    IDLE_VALUES = 64,
    IDLE_ODD = 17, // values up to which an exception is looked for
    IDLE_GAIN = 2, // tests that an AND must save
};

// The values of a switch that do not go the way of its widest run.
struct values {
    const struct dsl_decision *node;
    uint32_t background;
    uint32_t count;
    uint32_t tests;     // that find the values one by one or by their borders
    uint32_t exception; // place of a value that is asked for by itself; `count`: none
    uint32_t value[IDLE_VALUES];
    uint32_t child[IDLE_VALUES];
};

static uint32_t widest_run(const struct dsl_decision *node)
{
    uint32_t widest = 0;
    for (uint32_t i = 1; i < node->run_count; i++) {
        if (dsl_run_last(node, i) - node->runs[i].first > dsl_run_last(node, widest) - node->runs[widest].first) {
            widest = i;
        }
    }
    return widest;
}

// Adds the values of one run. Returns: false when there are too many.
static bool add_values(struct values *values, uint32_t run)
{
    uint32_t value = values->node->runs[run].first;
    uint32_t last = dsl_run_last(values->node, run);
    values->tests += dsl_is_single(values->node->mask, value, last) || value == 0 || last == UINT32_MAX ? 1 : 2;
    while (dsl_next_in_mask(values->node->mask, value, &value) && value <= last) {
        if (values->count == IDLE_VALUES) {
            return false;
        }
        values->child[values->count] = values->node->runs[run].child;
        values->value[values->count++] = value;
        if (value++ == UINT32_MAX) {
            break;
        }
    }
    return true;
}

static bool read_values(const struct dsl_decision *node, struct values *ret_values)
{
    ret_values->node = node;
    ret_values->background = node->runs[widest_run(node)].child;
    ret_values->count = 0;
    ret_values->tests = 0;
    for (uint32_t i = 0; i < node->run_count; i++) {
        if (node->runs[i].child != ret_values->background && !add_values(ret_values, i)) {
            return false;
        }
    }
    return true;
}

static uint32_t child_of(const struct dsl_decision *node, uint32_t value)
{
    return node->runs[dsl_find_run(node, value)].child;
}

// What turning a bit does to the listed values decides for all: the others go one way.
static bool is_idle(const struct values *values, uint32_t bit)
{
    for (uint32_t i = 0; i < values->count; i++) {
        uint32_t turned = values->value[i] ^ bit;
        bool is_exception = values->exception < values->count && turned == values->value[values->exception];
        if (i != values->exception && (is_exception || values->child[i] != child_of(values->node, turned))) {
            return false;
        }
    }
    return true;
}

// Whether some bit may be idle: values that it makes pairs of have nothing but that bit, or nothing, left when they are added
// without carry, as their pairs are odd or even in number. Few lists pass.
static bool may_be_pairs(const struct values *values)
{
    bool has_exception = values->exception < values->count;
    uint32_t sum = has_exception ? values->value[values->exception] : 0;
    for (uint32_t i = 0; i < values->count; i++) {
        sum ^= values->value[i];
    }
    bool is_odd = (values->count - has_exception) / 2 % 2 == 1;
    return is_odd ? __builtin_popcount(sum) == 1 : sum == 0;
}

static uint32_t idle_bits(const struct values *values)
{
    if (!may_be_pairs(values)) {
        return 0;
    }
    uint32_t differ = 0;
    uint32_t idle = 0;
    uint32_t first = values->exception == 0 ? 1 : 0;
    for (uint32_t i = first + 1; i < values->count; i++) {
        differ |= i != values->exception ? values->value[first] ^ values->value[i] : 0;
    }
    for (; differ != 0; differ &= differ - 1) {
        idle |= is_idle(values, differ & (0 - differ)) ? differ & (0 - differ) : 0;
    }
    return idle;
}

// The switch without some bits. Returns: its id, or `id` where that is not worth it.
static uint32_t without(struct dsl_decisions *graph, uint32_t id, const struct values *values, uint32_t idle)
{
    struct dsl_run runs[2 * IDLE_VALUES + 1] = {{0, values->background}};
    uint32_t count = 1;
    uint32_t left = 0;
    for (uint32_t i = 0; i < values->count; i++) {
        uint32_t value = values->value[i];
        if (i == values->exception || (value & idle) != 0) {
            continue; // its like without these bits is listed as well
        }
        left++;
        if (runs[count - 1].first == value) {
            runs[count - 1].child = child_of(values->node, value);
        } else {
            runs[count++] = (struct dsl_run){value, child_of(values->node, value)};
        }
        if (value != UINT32_MAX) {
            runs[count++] = (struct dsl_run){value + 1, values->background};
        }
    }
    bool is_zero = left == 1 && runs[0].child != values->background;
    bool has_exception = values->exception < values->count;
    if (left + (is_zero ? 0 : IDLE_GAIN) + (has_exception ? 1 : 0) > values->tests) {
        return id;
    }
    enum dsl_word word = (enum dsl_word)values->node->word;
    uint32_t inner = dsl_decision_switch(graph, word, values->node->mask & ~idle, runs, count);
    if (!has_exception) {
        return inner;
    }
    uint32_t apart = values->value[values->exception];
    const struct dsl_run outer[] = {{0, inner}, {apart, child_of(values->node, apart)}, {apart + 1, inner}};
    // A value at either end has one neighbour only.
    return dsl_decision_switch(graph, word, values->node->mask, outer + (apart == 0), apart == UINT32_MAX || apart == 0 ? 2 : 3);
}

// Whether there may be bits to drop: one value that goes its own way is found by one test, and so are two runs.
static bool may_be_idle(const struct dsl_decision *node)
{
    bool is_one_value = node->run_count == 3 && node->runs[0].child == node->runs[2].child &&
                        dsl_is_single(node->mask, node->runs[1].first, node->runs[2].first - 1);
    return node->kind == DSL_DECISION_SWITCH && node->word >= DSL_WORD_ARGUMENTS && node->run_count >= 3 && !is_one_value;
}

static uint32_t drop_idle(struct dsl_decisions *graph, uint32_t id)
{
    struct values values;
    if (!read_values(dsl_decision_get(graph, id), &values) || values.tests < 2) {
        return id;
    }
    // Sets that are closed under a bit are even; with an exception they are odd.
    values.exception = values.count;
    uint32_t idle = values.count % 2 == 0 ? idle_bits(&values) : 0;
    for (uint32_t i = values.count; values.count % 2 == 1 && values.count <= IDLE_ODD && idle == 0 && i-- > 0;) {
        values.exception = i;
        idle = idle_bits(&values);
    }
    return idle == 0 ? id : without(graph, id, &values, idle);
}

// The switch with children that may have changed.
static uint32_t rebuild(struct dsl_decisions *graph, uint32_t id, const uint32_t *new_of)
{
    const struct dsl_decision *node = dsl_decision_get(graph, id);
    bool is_same = true;
    for (uint32_t i = 0; i < node->run_count; i++) {
        is_same &= new_of[node->runs[i].child] == node->runs[i].child;
    }
    struct dsl_run *runs = is_same ? NULL : DSL_ARENA_ARRAY(graph->nodes.arena, struct dsl_run, node->run_count);
    if (runs == NULL) {
        return id;
    }
    for (uint32_t i = 0; i < node->run_count; i++) {
        runs[i] = (struct dsl_run){node->runs[i].first, new_of[node->runs[i].child]};
    }
    return dsl_decision_switch(graph, (enum dsl_word)node->word, node->mask, runs, node->run_count);
}

uint32_t dsl_masks_drop_idle(struct dsl_decisions *graph, uint32_t root)
{
    uint32_t first = 0;
    while (first <= root && !may_be_idle(dsl_decision_get(graph, first))) {
        first++;
    }
    if (first > root) { // as in most policies
        return root;
    }
    const unsigned char *marks = dsl_decisions_mark(graph, root);
    uint32_t *new_of = DSL_ARENA_ARRAY(graph->nodes.arena, uint32_t, (size_t)root + 1);
    if (marks == NULL || new_of == NULL) {
        return root;
    }
    for (uint32_t id = 0; id <= root; id++) {
        uint32_t rebuilt = marks[id] ? rebuild(graph, id, new_of) : id;
        new_of[id] = marks[id] && may_be_idle(dsl_decision_get(graph, rebuilt)) ? drop_idle(graph, rebuilt) : rebuilt;
    }
    return graph->nodes.arena->exhausted ? root : new_of[root];
}
