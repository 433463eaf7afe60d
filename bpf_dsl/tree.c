// tree: a search tree for every switch.
//
// Takes: a decision graph and, where there is one, a profile. Gives: steps (load, mask, test, return) that share equal parts.
// Requires: a normalised graph. Guarantees: the tests of a switch are what search.c finds cheapest for its weights (weights.c); a
// switch whose first run is {0} and that has two runs is one "any of these bits" test, which leaves A as it is; a switch entered
// while A still holds its word does not load it again; values that a profile shows to be hot are asked for before the switch. Known
// weaknesses: switches are searched one by one; what a test of one switch costs does not depend on what the next one loads.
#include "bpf_dsl/search.h"
#include "bpf_dsl/weights.h"

#include <string.h>

enum {
    ASK_PART = 3, // a recorded value with one part in so many of the weight may be asked for before the switch
    ASK_RUNS = 4, // of a switch over a whole word, from which on that pays
};

struct builder {
    const struct dsl_decisions *graph;
    struct dsl_weights weights;
    struct dsl_tree *tree;
    struct dsl_item *items;     // room for the runs of any switch
    uint32_t *entry_of;         // step that starts each decision
    const unsigned char *marks; // of each decision
    uint8_t word;               // of the switch at work
    bool is_small;
};

// --- steps ------------------------------------------------------------------------------------------------------------

static bool same_step(const void *node, const void *key)
{
    const struct dsl_step *a = node;
    const struct dsl_step *b = key;
    return a->kind == b->kind && a->word == b->word && a->k == b->k && a->op == b->op && a->yes == b->yes && a->no == b->no;
}

// Steps are not const as long as the tree is built: they gather weight.
static uint32_t step(struct builder *builder, const struct dsl_step *key)
{
    struct dsl_intern *steps = &builder->tree->steps;
    uint64_t hash = dsl_hash((uint64_t)key->word << 32 | key->k, key->kind);
    uint32_t hash_end = dsl_hash_end(dsl_hash(hash, (uint64_t)key->yes * DSL_INTERN_LIMIT + key->no));
    uint32_t id = dsl_intern_find(steps, hash_end, same_step, key);
    if (id != DSL_INTERN_NONE) {
        ((struct dsl_step *)dsl_intern_get(steps, id))->weight += key->weight;
        return id;
    }
    struct dsl_step *kept = DSL_ARENA_NEW(steps->arena, struct dsl_step);
    if (kept == NULL) {
        return 0;
    }
    *kept = *key;
    id = dsl_intern_add(steps, hash_end, kept);
    return id == DSL_INTERN_NONE ? 0 : id;
}

static uint32_t step_of_search(void *context, const struct dsl_step *key)
{
    return dsl_step_is_test(key) && key->yes == key->no ? key->yes : step(context, key);
}

// The step to jump to when A holds (term & mask): past all that computes it once more; `entry` where the steps do something else.
static uint32_t enter_computed(const struct builder *builder, uint32_t entry, uint8_t word, uint32_t mask)
{
    const struct dsl_term *term = &builder->graph->terms[word - DSL_WORD_COUNT];
    const struct dsl_step *at = dsl_step_get(builder->tree, entry);
    uint32_t count = term->count + (mask != UINT32_MAX);
    uint32_t done = term->insns[0].code == (BPF_LD | BPF_W | BPF_ABS) && term->insns[0].k == 4u * at->word;
    for (; done > 0 && done < count; done++) {
        const struct sock_filter and = {.code = BPF_ALU | BPF_AND | BPF_K, .k = mask};
        const struct sock_filter *insn = done < term->count ? &term->insns[done] : &and;
        at = dsl_step_get(builder->tree, at->yes);
        uint16_t op = at->kind == DSL_STEP_AND ? and.code : at->kind == DSL_STEP_TURN ? at->op : 0;
        if (op != insn->code || at->k != insn->k) {
            return entry;
        }
    }
    return done > 0 ? at->yes : entry;
}

// The same for an entry that is `load`: past it where it loads what is there already, and past the same mask.
static uint32_t enter_load(const struct builder *builder, uint32_t entry, uint8_t word, uint32_t mask)
{
    const struct dsl_step *load = dsl_step_get(builder->tree, entry);
    if (load->word < DSL_WORD_COUNT && word >= DSL_WORD_COUNT && mask != 0) {
        return enter_computed(builder, entry, word, mask);
    }
    if (load->word != word) {
        return entry;
    }
    const struct dsl_step *next = dsl_step_get(builder->tree, load->yes);
    uint32_t needed = next->kind == DSL_STEP_AND || next->kind == DSL_STEP_JSET ? next->k : UINT32_MAX;
    // A JSET may be followed by tests of the whole word, so it takes a masked A only where nothing was masked.
    if (next->kind != DSL_STEP_AND && mask != UINT32_MAX) {
        return entry;
    }
    if (next->kind == DSL_STEP_AND && needed == mask) {
        return next->yes;
    }
    return (needed & ~mask) == 0 ? load->yes : entry;
}

// The step to jump to for a child whose first step is `entry`, when A holds (word & mask). Most children load nothing.
static uint32_t enter(const struct builder *builder, uint32_t entry, uint8_t word, uint32_t mask)
{
    bool is_load = dsl_step_get(builder->tree, entry)->kind == DSL_STEP_LOAD;
    return is_load ? enter_load(builder, entry, word, mask) : entry;
}

// --- switches ---------------------------------------------------------------------------------------------------------

// Whether "any of these bits" tells the two runs of a switch apart.
static bool is_bit_test(const struct dsl_decision *node)
{
    uint32_t lowest;
    return node->run_count == 2 && node->mask != UINT32_MAX && dsl_next_in_mask(node->mask, 1, &lowest) &&
           node->runs[1].first == lowest;
}

static void enter_items(void *context, uint32_t mask, struct dsl_item *items, uint32_t count)
{
    const struct builder *builder = context;
    for (uint32_t i = 0; i < count; i++) {
        items[i].target = enter(builder, builder->entry_of[items[i].child], builder->word, mask);
    }
}

// A run as the search sees it. Values that the mask cannot give belong to nobody.
static void make_item(const struct builder *builder, uint32_t id, uint32_t run, struct dsl_item *ret_item)
{
    const struct dsl_decision *node = dsl_decision_get(builder->graph, id);
    uint32_t first = node->runs[run].first;
    uint32_t last = dsl_run_last(node, run);
    if (dsl_is_single(node->mask, first, last)) {
        last = first;
    }
    uint32_t child = node->runs[run].child;
    bool is_switch = dsl_decision_get(builder->graph, child)->kind == DSL_DECISION_SWITCH;
    *ret_item = (struct dsl_item){.first = first,
                                  .last = last,
                                  .child = child,
                                  .weight = dsl_weight(&builder->weights, id, run),
                                  .is_near = is_switch && builder->marks[child] == DSL_MARK_ONE};
}

static uint64_t weigh_items(const struct dsl_item *items, uint32_t count)
{
    uint64_t weight = 0;
    for (uint32_t i = 0; i < count; i++) {
        weight += items[i].weight;
    }
    return weight;
}

// Whether a value should be asked for before the switch: it would have to pass a mask, a wide constant, or the borders of a run.
static bool is_worth_asking(const struct dsl_decision *node, uint32_t value)
{
    uint32_t run = dsl_find_run(node, value & node->mask);
    if (value > INT32_MAX || (is_bit_test(node) && node->mask <= INT32_MAX)) {
        return false;
    }
    return node->mask != UINT32_MAX ||
           (node->run_count >= ASK_RUNS && !dsl_is_single(node->mask, node->runs[run].first, dsl_run_last(node, run)));
}

// Takes the weight of values that are asked for first from their items. Returns: how many there are, the heaviest ones.
static uint32_t take_hot(const struct builder *builder, uint32_t id, struct dsl_item *items)
{
    const struct dsl_decision *node = dsl_decision_get(builder->graph, id);
    const struct dsl_hot *hot = builder->weights.hot != NULL ? &builder->weights.hot[id] : NULL;
    uint32_t count = 0;
    while (hot != NULL && count < DSL_HOT_VALUES && hot->weight[count] * ASK_PART > weigh_items(items, node->run_count) &&
           is_worth_asking(node, hot->value[count])) {
        struct dsl_item *item = &items[dsl_find_run(node, hot->value[count] & node->mask)];
        item->weight -= hot->weight[count] < item->weight ? hot->weight[count] : item->weight;
        count++;
    }
    return count;
}

// Asks for the first `count` hot values, then goes on with `rest`, which `weight` comes by.
static uint32_t ask_for_hot(struct builder *builder, uint32_t id, uint32_t count, uint32_t rest, uint64_t *weight)
{
    const struct dsl_decision *node = dsl_decision_get(builder->graph, id);
    for (uint32_t i = count; i-- > 0;) {
        const struct dsl_hot *hot = &builder->weights.hot[id]; // there are some, so there is a profile
        uint32_t child = node->runs[dsl_find_run(node, hot->value[i] & node->mask)].child;
        *weight += hot->weight[i];
        const struct dsl_step ask = {.kind = DSL_STEP_JEQ,
                                     .word = node->word,
                                     .k = hot->value[i],
                                     .yes = enter(builder, builder->entry_of[child], node->word, UINT32_MAX),
                                     .no = rest,
                                     .weight = *weight};
        rest = step_of_search(builder, &ask);
    }
    return rest;
}

static uint32_t build_switch(struct builder *builder, uint32_t id)
{
    const struct dsl_decision *node = dsl_decision_get(builder->graph, id);
    bool bit_test = is_bit_test(node);
    uint32_t mask = bit_test ? UINT32_MAX : node->mask; // what A holds of the word during the tests
    struct dsl_item *items = builder->items;
    for (uint32_t i = 0; i < node->run_count; i++) {
        make_item(builder, id, i, &items[i]);
    }
    builder->word = node->word;
    enter_items(builder, mask, items, node->run_count);
    const struct dsl_search search = {.step = step_of_search,
                                      .enter = enter_items,
                                      .context = builder,
                                      .word = node->word,
                                      .mask = mask,
                                      .is_small = builder->is_small,
                                      .may_shift = node->word != DSL_WORD_NR && node->word != DSL_WORD_ARCH};
    uint32_t hot_count = take_hot(builder, id, items);
    uint64_t weight = weigh_items(items, node->run_count);
    struct dsl_step key = {.kind = DSL_STEP_JSET,
                           .word = node->word,
                           .k = node->mask,
                           .yes = items[1].target,
                           .no = items[0].target,
                           .weight = weight};
    uint32_t first = bit_test ? step_of_search(builder, &key) : dsl_search_build(&search, items, node->run_count);
    if (mask != UINT32_MAX) {
        key = (struct dsl_step){.kind = DSL_STEP_AND, .word = node->word, .k = mask, .yes = first, .weight = weight};
        first = step(builder, &key);
    }
    first = ask_for_hot(builder, id, hot_count, first, &weight);
    key = (struct dsl_step){.kind = DSL_STEP_LOAD, .word = node->word, .yes = first, .weight = weight};
    return step(builder, &key);
}

// Whoever comes with the word in A may leave out the load, as on the way to a switch.
static uint32_t build_give(struct builder *builder, const struct dsl_decision *node)
{
    const struct dsl_term tail = dsl_decision_tail(builder->graph, node);
    struct dsl_step key = {.kind = DSL_STEP_GIVE, .word = node->word};
    for (uint32_t i = tail.count; i-- > 0;) {
        const struct sock_filter *insn = &tail.insns[i];
        bool is_mask = insn->code == (BPF_ALU | BPF_AND | BPF_K);
        uint32_t next = step(builder, &key);
        key = (struct dsl_step){.kind = is_mask ? DSL_STEP_AND : DSL_STEP_TURN,
                                .word = node->word,
                                .op = is_mask ? 0 : insn->code,
                                .k = insn->k,
                                .yes = next};
    }
    uint32_t next = step(builder, &key);
    key = (struct dsl_step){.kind = DSL_STEP_LOAD, .word = node->word, .yes = next};
    return step(builder, &key);
}

static void build_decision(struct builder *builder, uint32_t id)
{
    const struct dsl_decision *node = dsl_decision_get(builder->graph, id);
    // A leaf that is neither would be a mistake of the lowering: it kills, which is what its mask says.
    const struct dsl_step leaf = {.kind = DSL_STEP_RET, .k = node->mask};
    if (node->kind == DSL_DECISION_SWITCH) {
        builder->entry_of[id] = build_switch(builder, id);
    } else {
        builder->entry_of[id] = node->kind == DSL_DECISION_GIVE ? build_give(builder, node) : step(builder, &leaf);
    }
}

unsigned char *dsl_tree_mark(const struct dsl_tree *tree)
{
    unsigned char *marks = DSL_ARENA_ARRAY(tree->steps.arena, unsigned char, (size_t)tree->root + 1);
    if (marks == NULL) {
        return NULL;
    }
    memset(marks, 0, (size_t)tree->root + 1);
    marks[tree->root] = 1;
    for (uint32_t id = tree->root + 1; id-- > 0;) {
        const struct dsl_step *at = dsl_step_get(tree, id);
        if (marks[id] && !dsl_step_is_end(at)) {
            marks[at->yes] = 1;
            marks[dsl_step_is_test(at) ? at->no : at->yes] = 1;
        }
    }
    return marks;
}

bool dsl_tree_build(const struct dsl_decisions *graph, uint32_t root, const struct dsl_wishes *wishes, struct dsl_tree *tree)
{
    struct brig_dsl_arena *arena = graph->nodes.arena;
    struct builder builder = {.graph = graph, .tree = tree, .is_small = wishes->is_small};
    builder.marks = dsl_decisions_mark(graph, root);
    builder.entry_of = DSL_ARENA_ARRAY(arena, uint32_t, (size_t)root + 1);
    tree->terms = graph->terms;
    if (builder.marks == NULL || builder.entry_of == NULL ||
        !dsl_weights_init(&builder.weights, graph, root, builder.marks, wishes->profile) ||
        !dsl_intern_init(&tree->steps, arena, graph->nodes.count)) {
        return false;
    }
    builder.items = DSL_ARENA_ARRAY(arena, struct dsl_item, builder.weights.most_runs);
    // Where there is no room for a first step, none can lead to it.
    for (uint32_t id = 0; id <= root && builder.items != NULL && !arena->exhausted; id++) {
        if (builder.marks[id] != 0) {
            build_decision(&builder, id);
        }
    }
    tree->root = builder.items != NULL ? builder.entry_of[root] : 0;
    return !arena->exhausted && !tree->steps.full;
}
