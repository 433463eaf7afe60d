// decisions: building the decision graph.
//
// Takes: leaves and switches. Gives: nodes in one normal form, each different one once, so that equal decisions are one id and runs
// that decide alike can be merged by comparing ids. Requires: within one diagram variables appear in the graph's order, at most
// once on a path. Guarantees: runs of a switch cover 0 .. 2^32-1, neighbours differ; a run of a masked switch starts at a value
// that the mask can give, and has at least one; grafting visits each pair of nodes once (as long as the cache remembers). Recursion
// goes one variable deeper each time, and a diagram has at most DSL_VARIABLES of them (lower_decisions.c). Weaknesses: an order
// fixed beforehand can make a graph that is far bigger than another one; the step limit is the way out. Masks of one word are
// separate variables here, facts.c finds out what they say about each other.
#include "bpf_dsl/decisions.h"

#include <string.h>

// Many policies graft nothing, and most less often than the cache has slots when it has grown.
enum { DSL_MEMO_FIRST_SLOTS = 64, DSL_MEMO_GROWTH = 4, DSL_MEMO_SLOTS = 1024 };

struct dsl_graft {
    uint32_t base;
    uint32_t graft;
    uint32_t leaf_and_stamp; // 0: free
    uint32_t result;
};

// --- nodes ------------------------------------------------------------------------------------------------------------

static bool same_decision(const void *node, const void *key)
{
    const struct dsl_decision *a = node;
    const struct dsl_decision *b = key;
    return a->kind == b->kind && a->word == b->word && a->mask == b->mask && a->run_count == b->run_count &&
           (a->run_count == 0 || memcmp(a->runs, b->runs, a->run_count * sizeof *a->runs) == 0);
}

static uint32_t hash_decision(const struct dsl_decision *node)
{
    uint64_t hash = dsl_hash((uint64_t)node->word << 32 | node->mask, node->kind);
    for (uint32_t i = 0; i < node->run_count; i++) {
        hash = dsl_hash(hash, (uint64_t)node->runs[i].first << 32 | node->runs[i].child);
    }
    return dsl_hash_end(hash);
}

// Gives `key`, whose runs may be in the scratch stack, its id.
static uint32_t intern(struct dsl_decisions *graph, const struct dsl_decision *key)
{
    uint32_t hash = hash_decision(key);
    uint32_t id = dsl_intern_find(&graph->nodes, hash, same_decision, key);
    if (id != DSL_INTERN_NONE) {
        return id;
    }
    struct dsl_decision *node = DSL_ARENA_NEW(graph->nodes.arena, struct dsl_decision);
    struct dsl_run *runs = key->run_count == 0 ? NULL : DSL_ARENA_ARRAY(graph->nodes.arena, struct dsl_run, key->run_count);
    if (node == NULL || (runs == NULL && key->run_count != 0)) {
        return DSL_DECISION_NO;
    }
    for (uint32_t i = 0; i < key->run_count; i++) {
        runs[i] = key->runs[i];
    }
    *node = *key;
    node->runs = runs;
    id = dsl_intern_add(&graph->nodes, hash, node);
    graph->exploded |= graph->nodes.full;
    return id == DSL_INTERN_NONE ? DSL_DECISION_NO : id;
}

// --- what was grafted -------------------------------------------------------------------------------------------------

static bool start_memo(struct dsl_graft_memo *memo, uint32_t slot_count, struct brig_dsl_arena *arena)
{
    *memo = (struct dsl_graft_memo){.slots = DSL_ARENA_ARRAY(arena, struct dsl_graft, slot_count), .slot_count = slot_count};
    if (memo->slots != NULL) {
        memset(memo->slots, 0, slot_count * sizeof *memo->slots);
    }
    return memo->slots != NULL;
}

static struct dsl_graft *find_graft(const struct dsl_graft_memo *memo, uint32_t base, uint32_t graft, uint32_t leaf_and_stamp)
{
    return &memo->slots[dsl_hash_end(dsl_hash(dsl_hash(base, graft), leaf_and_stamp)) % memo->slot_count];
}

static void keep_graft(struct dsl_decisions *graph, struct dsl_graft entry)
{
    const struct dsl_graft_memo was = graph->memo;
    bool is_narrow = was.slot_count < DSL_MEMO_SLOTS && was.used == was.slot_count / 2;
    uint32_t slot_count = was.slots == NULL ? DSL_MEMO_FIRST_SLOTS : DSL_MEMO_GROWTH * was.slot_count;
    if (is_narrow && !start_memo(&graph->memo, slot_count, graph->nodes.arena)) {
        graph->memo = was; // out of arena, which ends the compile
        return;
    }
    for (uint32_t i = 0; is_narrow && was.slots != NULL && i < was.slot_count; i++) {
        const struct dsl_graft *old = &was.slots[i];
        if (old->leaf_and_stamp != 0) {
            *find_graft(&graph->memo, old->base, old->graft, old->leaf_and_stamp) = *old;
        }
    }
    graph->memo.used++;
    *find_graft(&graph->memo, entry.base, entry.graft, entry.leaf_and_stamp) = entry;
}

bool dsl_decisions_init(struct dsl_decisions *graph, struct brig_dsl_arena *arena, uint32_t expected)
{
    static const struct dsl_decision leaves[] = {{.kind = DSL_DECISION_NO, .open = DSL_OPEN_NO},
                                                 {.kind = DSL_DECISION_YES, .open = DSL_OPEN_YES}};
    // Member by member: most of the graph's bytes are room for terms, of which there are none.
    graph->term_count = 0;
    graph->given = NULL;
    graph->given_count = 0;
    graph->order = (struct dsl_order){{0}};
    graph->order_stamp = 1;
    graph->is_chaining = false;
    graph->scratch_used = 0;
    graph->scratch_room = DSL_SCRATCH_FIRST_RUNS;
    graph->steps = 0;
    graph->step_limit = UINT32_MAX;
    graph->more_views = 0;
    graph->exploded = false;
    graph->memo = (struct dsl_graft_memo){.slots = NULL};
    graph->scratch = DSL_ARENA_ARRAY(arena, struct dsl_run, DSL_SCRATCH_FIRST_RUNS);
    if (!dsl_intern_init(&graph->nodes, arena, expected)) {
        return false;
    }
    dsl_intern_add_known(&graph->nodes, &leaves[0]);
    dsl_intern_add_known(&graph->nodes, &leaves[1]);
    return !arena->exhausted;
}

void dsl_decisions_set_order(struct dsl_decisions *graph, const struct dsl_order *order)
{
    if (memcmp(&graph->order, order, sizeof *order) != 0) {
        graph->order = *order;
        graph->order_stamp++;
    }
}

void dsl_decisions_set_chaining(struct dsl_decisions *graph, bool is_chaining)
{
    graph->order_stamp += graph->is_chaining != is_chaining;
    graph->is_chaining = is_chaining;
}

void dsl_decisions_allow_steps(struct dsl_decisions *graph, uint32_t steps)
{
    graph->step_limit = graph->steps + steps;
    graph->order_stamp += graph->exploded; // what was remembered on the way there is not what it seems
    graph->exploded = graph->nodes.full;
}

uint32_t dsl_decision_ret(struct dsl_decisions *graph, uint32_t ret)
{
    return intern(graph, &(struct dsl_decision){.kind = DSL_DECISION_RET, .mask = ret});
}

// --- switches ---------------------------------------------------------------------------------------------------------

// Runs under construction, on top of the scratch stack.
struct run_list {
    uint32_t start;
    uint32_t count;
};

static struct run_list begin_runs(const struct dsl_decisions *graph)
{
    return (struct run_list){graph->scratch_used, 0};
}

// Returns: false, with the graph exploded, where there are too many runs.
static bool grow_scratch(struct dsl_decisions *graph)
{
    uint32_t room = 4 * graph->scratch_room < DSL_SCRATCH_RUNS ? 4 * graph->scratch_room : DSL_SCRATCH_RUNS;
    struct dsl_run *scratch = room == graph->scratch_room ? NULL : DSL_ARENA_ARRAY(graph->nodes.arena, struct dsl_run, room);
    if (scratch == NULL) {
        graph->exploded = true;
        return false;
    }
    memcpy(scratch, graph->scratch, graph->scratch_used * sizeof *scratch);
    graph->scratch = scratch;
    graph->scratch_room = room;
    return true;
}

static void push_run(struct dsl_decisions *graph, struct run_list *list, uint32_t first, uint32_t child)
{
    if (list->count > 0 && graph->scratch[list->start + list->count - 1].child == child) {
        return;
    }
    if (graph->scratch_used == graph->scratch_room && !grow_scratch(graph)) {
        return;
    }
    graph->scratch[graph->scratch_used++] = (struct dsl_run){first, child};
    list->count++;
}

// Makes a node of runs in their normal form.
static uint32_t make_switch(struct dsl_decisions *graph, uint8_t word, uint32_t mask, const struct dsl_run *runs, uint32_t count)
{
    if (count <= 1 || graph->exploded) {
        return count == 0 ? DSL_DECISION_NO : runs[0].child;
    }
    struct dsl_decision key = {.kind = DSL_DECISION_SWITCH, .word = word, .mask = mask, .run_count = count, .runs = runs};
    for (uint32_t i = 0; i < count; i++) {
        const struct dsl_decision *child = dsl_decision_get(graph, runs[i].child);
        key.open |= child->open;
        key.words |= child->words;
    }
    key.words |= dsl_word_bit(word);
    graph->steps += count;
    return intern(graph, &key);
}

// Takes the runs off the stack again and makes a node of them.
static uint32_t end_runs(struct dsl_decisions *graph, const struct run_list *list, uint8_t word, uint32_t mask)
{
    graph->scratch_used = list->start;
    return make_switch(graph, word, mask, graph->scratch + list->start, list->count);
}

// Whether runs of whole words are in normal form: none is empty, neighbours differ.
static bool are_normal(const struct dsl_run *runs, uint32_t count)
{
    bool are = true;
    for (uint32_t i = 1; i < count && are; i++) {
        are = runs[i - 1].first < runs[i].first && runs[i - 1].child != runs[i].child;
    }
    return are;
}

uint32_t dsl_decision_switch(struct dsl_decisions *graph, enum dsl_word word, uint32_t mask, const struct dsl_run *runs,
                             uint32_t count)
{
    if (mask == UINT32_MAX && count <= DSL_SCRATCH_FIRST_RUNS && are_normal(runs, count)) {
        return make_switch(graph, (uint8_t)word, mask, runs, count);
    }
    struct run_list list = begin_runs(graph);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t first;
        uint32_t last = i + 1 < count ? runs[i + 1].first - 1 : UINT32_MAX;
        // Values that the mask cannot give belong to nobody, so a run without any other is left out.
        if (dsl_next_in_mask(mask, runs[i].first, &first) && first <= last) {
            push_run(graph, &list, first, runs[i].child);
        }
    }
    return end_runs(graph, &list, (uint8_t)word, mask);
}

// --- what foreign programs compute ------------------------------------------------------------------------------------

// A list of terms, and how many there may be.
struct term_list {
    struct dsl_term *terms;
    uint32_t *count;
    uint32_t most;
};

// Returns: the place of a term in a list, added if it is new; UINT32_MAX where there is no room.
static uint32_t place_term(struct dsl_decisions *graph, const struct term_list *list, const struct sock_filter *insns,
                           uint32_t count)
{
    for (uint32_t i = 0; i < *list->count; i++) {
        if (list->terms[i].count == count && memcmp(list->terms[i].insns, insns, count * sizeof *insns) == 0) {
            return i;
        }
    }
    struct sock_filter *kept = DSL_ARENA_ARRAY(graph->nodes.arena, struct sock_filter, count);
    if (*list->count == list->most || kept == NULL) {
        return UINT32_MAX;
    }
    memcpy(kept, insns, count * sizeof *insns);
    list->terms[*list->count] = (struct dsl_term){.insns = kept, .count = count};
    return (*list->count)++;
}

uint32_t dsl_decision_term(struct dsl_decisions *graph, const struct sock_filter *insns, uint32_t count)
{
    const struct term_list list = {graph->terms, &graph->term_count, DSL_TERMS_MAX};
    uint32_t at = place_term(graph, &list, insns, count);
    return at == UINT32_MAX ? 0 : DSL_WORD_COUNT + at;
}

static bool needs_only_a(const struct sock_filter *insn)
{
    return BPF_CLASS(insn->code) == BPF_ALU && (BPF_SRC(insn->code) == BPF_K || BPF_OP(insn->code) == BPF_NEG);
}

uint32_t dsl_decision_give(struct dsl_decisions *graph, const struct sock_filter *insns, uint32_t count)
{
    uint32_t head = count;
    while (head > 0 && needs_only_a(&insns[head - 1])) {
        head--;
    }
    if (graph->given == NULL) {
        graph->given = DSL_ARENA_ARRAY(graph->nodes.arena, struct dsl_term, DSL_GIVEN_MAX);
    }
    const struct term_list list = {graph->given, &graph->given_count, DSL_GIVEN_MAX};
    uint32_t given = graph->given == NULL ? UINT32_MAX : place_term(graph, &list, insns, count);
    bool is_word = head == 1 && insns[0].code == (BPF_LD | BPF_W | BPF_ABS);
    uint32_t word = is_word ? insns[0].k / 4 : dsl_decision_term(graph, insns, head);
    if (given == UINT32_MAX || (!is_word && word == 0)) {
        return DSL_DECISION_NO;
    }
    return intern(graph, &(struct dsl_decision){.kind = DSL_DECISION_GIVE, .word = (uint8_t)word, .mask = given});
}

// --- grafting ---------------------------------------------------------------------------------------------------------

// Where a node's variable stands in the order; leaves come after all variables.
static uint64_t place_of(const struct dsl_decisions *graph, uint32_t word, uint32_t mask)
{
    uint64_t narrow = 32u - dsl_count_bits(mask);
    return (uint64_t)graph->order.rank[word] << 40 | narrow << 32 | mask;
}

static uint64_t place(const struct dsl_decisions *graph, const struct dsl_decision *node)
{
    return node->kind == DSL_DECISION_SWITCH ? place_of(graph, node->word, node->mask) : UINT64_MAX;
}

bool dsl_decision_comes_after(const struct dsl_decisions *graph, uint32_t id, uint32_t word, uint32_t mask)
{
    const struct dsl_decision *node = dsl_decision_get(graph, id);
    return node->kind != DSL_DECISION_SWITCH || place(graph, node) > place_of(graph, word, mask);
}

// Walks two switches over the same variable side by side; a leaf or a switch over a later variable is one run.
struct walk {
    const struct dsl_decision *node; // NULL: not a switch over this variable
    uint32_t whole;                  // its id then
    uint32_t run;
};

static struct walk start_walk(const struct dsl_decision *node, uint32_t id, bool is_here)
{
    return (struct walk){.node = is_here ? node : NULL, .whole = id};
}

static uint32_t walk_child(const struct walk *walk)
{
    return walk->node == NULL ? walk->whole : walk->node->runs[walk->run].child;
}

static uint32_t walk_last(const struct walk *walk)
{
    return walk->node == NULL ? UINT32_MAX : dsl_run_last(walk->node, walk->run);
}

static uint32_t combine(struct dsl_decisions *graph, uint32_t base_id, enum dsl_decision_kind leaf, uint32_t graft_id)
{
    const struct dsl_decision *base = dsl_decision_get(graph, base_id);
    const struct dsl_decision *graft = dsl_decision_get(graph, graft_id);
    uint64_t base_place = place(graph, base);
    uint64_t graft_place = graph->is_chaining ? UINT64_MAX : place(graph, graft);
    const struct dsl_decision *top = base_place <= graft_place ? base : graft;
    struct walk in_base = start_walk(base, base_id, base_place <= graft_place);
    struct walk in_graft = start_walk(graft, graft_id, graft_place <= base_place);
    struct run_list list = begin_runs(graph);
    for (uint32_t first = 0, last = 0; !graph->exploded; first = last + 1) {
        uint32_t base_last = walk_last(&in_base);
        uint32_t graft_last = walk_last(&in_graft);
        last = base_last < graft_last ? base_last : graft_last;
        push_run(graph, &list, first, dsl_decision_graft(graph, walk_child(&in_base), leaf, walk_child(&in_graft)));
        if (last == UINT32_MAX) {
            break;
        }
        in_base.run += base_last == last;
        in_graft.run += graft_last == last;
    }
    return end_runs(graph, &list, top->word, top->mask);
}

uint32_t dsl_decision_graft(struct dsl_decisions *graph, uint32_t base, enum dsl_decision_kind leaf, uint32_t graft)
{
    if ((dsl_decision_get(graph, base)->open & (leaf == DSL_DECISION_NO ? DSL_OPEN_NO : DSL_OPEN_YES)) == 0 || graph->exploded) {
        return base;
    }
    if (base == (uint32_t)leaf) {
        return graft;
    }
    uint32_t key = graph->order_stamp << 1 | (leaf == DSL_DECISION_YES);
    const struct dsl_graft *known = graph->memo.used == 0 ? NULL : find_graft(&graph->memo, base, graft, key);
    if (known != NULL && known->base == base && known->graft == graft && known->leaf_and_stamp == key) {
        return known->result;
    }
    graph->exploded |= ++graph->steps > graph->step_limit;
    uint32_t result = combine(graph, base, leaf, graft);
    keep_graft(graph, (struct dsl_graft){base, graft, key, result});
    return result;
}

// A walk over a diagram that ends as soon as it is known to be too big.
struct measuring {
    const struct dsl_decisions *graph;
    uint32_t *seen; // ids of switches plus one, 0: free; more than can be seen
    uint32_t slots; // a power of two
    uint32_t left;  // switches and runs
    bool is_over;
};

// Recursion: one level per variable.
static void measure(struct measuring *measuring, uint32_t id)
{
    const struct dsl_decision *node = dsl_decision_get(measuring->graph, id);
    if (node->kind != DSL_DECISION_SWITCH || measuring->is_over) {
        return;
    }
    uint32_t at = dsl_hash_end(dsl_hash(id, 0)) & (measuring->slots - 1);
    while (measuring->seen[at] != 0 && measuring->seen[at] != id + 1) {
        at = (at + 1) & (measuring->slots - 1);
    }
    if (measuring->seen[at] != 0) {
        return;
    }
    measuring->seen[at] = id + 1;
    measuring->is_over = measuring->left < 1 + node->run_count;
    measuring->left -= 1 + node->run_count;
    for (uint32_t i = 0; i < node->run_count && !measuring->is_over; i++) {
        measure(measuring, node->runs[i].child);
    }
}

bool dsl_decision_exceeds(const struct dsl_decisions *graph, uint32_t root, uint32_t size)
{
    struct brig_dsl_arena *arena = graph->nodes.arena;
    const size_t used_bytes = arena->used_bytes;
    struct measuring measuring = {.graph = graph, .slots = 32, .left = size};
    while (measuring.slots < size && measuring.slots < DSL_INTERN_LIMIT) { // a switch counts three at least
        measuring.slots *= 2;
    }
    measuring.seen = DSL_ARENA_ARRAY(arena, uint32_t, measuring.slots);
    if (measuring.seen == NULL) {
        return true; // out of arena, which ends the compile
    }
    memset(measuring.seen, 0, measuring.slots * sizeof *measuring.seen);
    measure(&measuring, root);
    dsl_arena_rewind(arena, used_bytes);
    return measuring.is_over;
}

// Counts down. Recursion: DSL_VARIABLES levels in diagrams that are sorted.
static void walk_ways(const struct dsl_decisions *graph, uint32_t id, uint32_t *left)
{
    const struct dsl_decision *node = dsl_decision_get(graph, id);
    *left -= node->kind != DSL_DECISION_SWITCH && *left > 0;
    for (uint32_t i = 0; i < node->run_count; i++) {
        bool is_around_value = i > 1 && node->runs[i].child == node->runs[i - 2].child;
        if (!is_around_value && *left > 0) {
            walk_ways(graph, node->runs[i].child, left);
        }
    }
}

bool dsl_decision_has_ways(const struct dsl_decisions *graph, uint32_t root, uint64_t ways)
{
    uint32_t left = ways < UINT32_MAX ? (uint32_t)ways : UINT32_MAX;
    walk_ways(graph, root, &left);
    return left == 0;
}

unsigned char *dsl_decisions_mark(const struct dsl_decisions *graph, uint32_t root)
{
    unsigned char *marks = DSL_ARENA_ARRAY(graph->nodes.arena, unsigned char, (size_t)root + 1);
    if (marks == NULL) {
        return NULL;
    }
    memset(marks, 0, (size_t)root + 1);
    marks[root] = DSL_MARK_ONE;
    for (uint32_t id = root + 1; id-- > 0;) {
        const struct dsl_decision *node = dsl_decision_get(graph, id);
        for (uint32_t i = 0; marks[id] && i < node->run_count; i++) {
            unsigned char *mark = &marks[node->runs[i].child];
            *mark = (unsigned char)(*mark + (*mark < DSL_MARK_MORE));
        }
    }
    return marks;
}
