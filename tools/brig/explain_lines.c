// explain_lines: the lines of `brig explain`, one for each row and action.
//
// Takes: a policy and its rules. Gives: a line for all rules that say the same of several calls. Guarantees: the work grows with
// the rules and rows, not with their square: imported policies may have tens of thousands.
#include <stdlib.h>
#include <string.h>

#include "tools/brig/explain.h"

// --- the order of rows ------------------------------------------------------------------------------------------------

struct ranked {
    const struct brig_dsl_row *row;
    uint32_t rank;
};

// Every row of a policy and its bases; a row that is read twice counts where it stands first.
struct ranks {
    struct ranked *of; // by row
    size_t count;
};

// Lists rows in reading order, or only counts them while there is no list.
static void list_table(const struct brig_dsl_row *table, struct ranks *ranks)
{
    for (const struct brig_dsl_row *row = table; row->kind != BRIG_DSL_ROW_END; row++) {
        if (row->kind == BRIG_DSL_ROW_USE) {
            list_table(row->table, ranks);
        } else {
            if (ranks->of != NULL) {
                ranks->of[ranks->count] = (struct ranked){row, (uint32_t)ranks->count + 1};
            }
            ranks->count++;
        }
    }
}

static void list_policy(const struct brig_dsl_policy *policy, struct ranks *ranks)
{
    ranks->count = 0;
    for (; policy != NULL; policy = policy->base) {
        if (policy->rows != NULL) {
            list_table(policy->rows, ranks);
        }
    }
}

static int compare_places(const void *a, const void *b)
{
    const struct ranked *left = a;
    const struct ranked *right = b;
    if (left->row != right->row) {
        return (uintptr_t)left->row < (uintptr_t)right->row ? -1 : 1;
    }
    return left->rank < right->rank ? -1 : left->rank > right->rank;
}

static bool rank_rows(const struct brig_dsl_policy *policy, struct ranks *ret_ranks)
{
    *ret_ranks = (struct ranks){NULL, 0};
    list_policy(policy, ret_ranks);
    ret_ranks->of = calloc(ret_ranks->count + 1, sizeof *ret_ranks->of);
    if (ret_ranks->of == NULL) {
        return false;
    }
    list_policy(policy, ret_ranks);
    qsort(ret_ranks->of, ret_ranks->count, sizeof *ret_ranks->of, compare_places);
    return true;
}

static uint32_t rank_of(const struct ranks *ranks, const struct brig_dsl_row *row)
{
    size_t low = 0;
    size_t high = ranks->count;
    if (row == NULL) {
        return UINT32_MAX; // what is left when no row holds
    }
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if ((uintptr_t)ranks->of[middle].row < (uintptr_t)row) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < ranks->count && ranks->of[low].row == row ? ranks->of[low].rank : 0;
}

// --- lines ------------------------------------------------------------------------------------------------------------

// One row may be for many calls, and an imported line may be many rows.
static bool same_row(const struct brig_dsl_row *a, const struct brig_dsl_row *b)
{
    return a == b ||
           (a != NULL && b != NULL && a->line == b->line && a->conditions == b->conditions && strcmp(a->file, b->file) == 0);
}

static bool same_meaning(const struct brig_dsl_rule *a, const struct brig_dsl_rule *b)
{
    return same_row(a->row, b->row) && a->ret == b->ret && a->condition_count == b->condition_count &&
           (a->row != NULL || a->condition_count == 0);
}

// The same for rules with the same meaning.
static size_t hash_of(const struct brig_dsl_rule *rule)
{
    uint64_t hash = (uint64_t)rule->ret << 8 ^ rule->condition_count;
    if (rule->row != NULL) {
        hash = (hash ^ (uint64_t)rule->row->line << 40 ^ (uintptr_t)rule->row->conditions) * 0x9e3779b97f4a7c15;
    }
    return (size_t)((hash ^ hash >> 32) * 0x9e3779b97f4a7c15 >> 20);
}

// Lines under construction, found by what their rules mean.
struct collection {
    struct explain_lines *lines;
    struct ranks ranks;
    uint32_t *slots; // indices of lines plus one; 0: free
    size_t slot_count;
};

static struct explain_line *find_line(struct collection *collection, const struct brig_dsl_rule *rule)
{
    struct explain_lines *lines = collection->lines;
    size_t slot = hash_of(rule) & (collection->slot_count - 1);
    for (; collection->slots[slot] != 0; slot = (slot + 1) & (collection->slot_count - 1)) {
        struct explain_line *line = &lines->of[collection->slots[slot] - 1];
        if (same_meaning(line->rule, rule)) {
            return line;
        }
    }
    struct explain_line *line = &lines->of[lines->count++];
    collection->slots[slot] = (uint32_t)lines->count;
    *line = (struct explain_line){.rule = rule, .rank = rank_of(&collection->ranks, rule->row), .is_otherwise = true};
    return line;
}

static void add_rules(struct collection *collection, const struct brig_dsl_call_rules *rules, int call)
{
    for (uint32_t i = 0; i < rules->rule_count; i++) {
        struct explain_line *line = find_line(collection, rules->rules[i]);
        line->is_otherwise = line->is_otherwise && i > 0;
        line->calls[call / 64] |= (uint64_t)1 << (call % 64);
    }
}

static int first_call(const struct explain_line *line)
{
    int call = 0;
    while ((line->calls[call / 64] >> (call % 64) & 1) == 0) {
        call++;
    }
    return call;
}

static int compare_lines(const void *a, const void *b)
{
    const struct explain_line *left = a;
    const struct explain_line *right = b;
    if (left->rank != right->rank) {
        return left->rank < right->rank ? -1 : 1;
    }
    const int left_call = first_call(left), right_call = first_call(right);
    return left_call < right_call ? -1 : left_call > right_call;
}

static size_t count_rules(const struct brig_dsl_rules *rules)
{
    size_t count = 0;
    for (int call = 1; call < BRIG_SYS_COUNT; call++) {
        count += brig_dsl_rules_of(rules, (enum brig_dsl_call)call)->rule_count;
    }
    return count;
}

uint32_t explain_calls(const struct explain_line *line, enum brig_dsl_call calls[BRIG_SYS_COUNT])
{
    uint32_t count = 0;
    for (int call = 1; call < BRIG_SYS_COUNT; call++) {
        if ((line->calls[call / 64] >> (call % 64) & 1) != 0) {
            calls[count++] = (enum brig_dsl_call)call;
        }
    }
    return count;
}

bool explain_collect(const struct brig_dsl_policy *policy, const struct brig_dsl_rules *rules, const bool *wanted,
                     struct explain_lines *ret_lines)
{
    const size_t count = count_rules(rules);
    struct collection collection = {.lines = ret_lines, .slot_count = 64};
    while (collection.slot_count < 2 * count) {
        collection.slot_count *= 2;
    }
    *ret_lines = (struct explain_lines){.of = calloc(count + 1, sizeof *ret_lines->of)};
    collection.slots = calloc(collection.slot_count, sizeof *collection.slots);
    const bool has_memory = rank_rows(policy, &collection.ranks) && ret_lines->of != NULL && collection.slots != NULL;
    for (int call = 1; call < BRIG_SYS_COUNT && has_memory; call++) {
        if (wanted == NULL || wanted[call]) {
            add_rules(&collection, brig_dsl_rules_of(rules, (enum brig_dsl_call)call), call);
        }
    }
    if (has_memory) {
        qsort(ret_lines->of, ret_lines->count, sizeof *ret_lines->of, compare_lines);
    } else {
        free(ret_lines->of);
    }
    free(collection.ranks.of);
    free(collection.slots);
    return has_memory;
}
