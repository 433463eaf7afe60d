// regions: where tests of one word that follow each other change their answer.
//
// Takes: a graph, a word, what is known of it. Gives: pieces of its values that every test treats alike, and where each leads.
// How: the nodes of a region are looked at from the biggest id to the smallest, so each comes once, after all that lead to it, with
// the values that can come to it; each adds its borders. A masked test has borders where its answer changes from a number to the
// next, found by halving. Then every piece is walked by one of its values. Guarantees: exact. Weaknesses: a list of "is it this
// number?" is walked once for each number.
#include "bpf_dsl/specialise.h"

#include <string.h>

#define ALL UINT32_MAX

// Numbers that a masked test is cut over, and pieces that it may cut into: a bitmap, or a set of few. Elsewhere a mask says more
// than its pieces. Arch and number are always cut.
enum { REGION_MASK_NUMBERS = 1024, REGION_MASK_PIECES = 64 };

static const struct dsl_decision *node_of(const struct dsl_specialiser *specialiser, uint32_t id)
{
    return dsl_decision_get(specialiser->graph, id);
}

const struct dsl_set *dsl_known_set(const struct dsl_specialiser *specialiser, const struct dsl_known *known, uint32_t word)
{
    for (uint32_t i = 0; i < known->count; i++) {
        if (known->of[i].word == word) {
            return dsl_set_get(&specialiser->sets, known->of[i].set);
        }
    }
    return dsl_set_get(&specialiser->sets, DSL_SET_ALL);
}

// --- one node ---------------------------------------------------------------------------------------------------------

// Whether (value & mask) is in the same run for all values of a span.
static bool is_one_run(const struct dsl_decision *node, struct dsl_span span, uint32_t *ret_run)
{
    uint32_t varies = span.first == span.last ? 0 : ALL >> __builtin_clz(span.first ^ span.last);
    if (node->mask == ALL) {
        *ret_run = dsl_find_run(node, span.first);
        return span.last <= dsl_run_last(node, *ret_run);
    }
    *ret_run = dsl_find_run(node, span.first & node->mask & ~varies);
    return ((span.first | varies) & node->mask) <= dsl_run_last(node, *ret_run);
}

bool dsl_region_decided(struct dsl_specialiser *specialiser, uint32_t id, const struct dsl_set *set, uint32_t *ret_child)
{
    const struct dsl_decision *node = node_of(specialiser, id);
    uint32_t run;
    *ret_child = node->runs[0].child; // no set is empty
    for (uint32_t i = 0; i < set->count; i++) {
        specialiser->steps++;
        if (!is_one_run(node, set->spans[i], &run) || (i > 0 && node->runs[run].child != *ret_child)) {
            return false;
        }
        *ret_child = node->runs[run].child;
    }
    return true;
}

// --- borders ----------------------------------------------------------------------------------------------------------

static void cut(struct dsl_specialiser *specialiser, uint32_t at)
{
    if (specialiser->cut_count == specialiser->cut_limit) {
        specialiser->gave_up = true;
        return;
    }
    specialiser->cuts[specialiser->cut_count++] = at;
}

// A masked test within [lo, hi], cut from `start` on.
struct masked {
    const struct dsl_decision *node;
    uint32_t start; // cuts of this test begin here
    uint32_t pieces;
    uint32_t run; // of the piece before
};

// Halves a block of 2^bits aligned numbers until each half has one answer. Returns: false when there are too many.
static bool cut_block(struct dsl_specialiser *specialiser, struct masked *masked, struct dsl_span span, uint32_t bits)
{
    uint32_t run;
    specialiser->steps++;
    if (is_one_run(masked->node, span, &run)) {
        if (masked->pieces > 0 && masked->run != run) {
            cut(specialiser, span.first);
        }
        masked->pieces += masked->pieces == 0 || masked->run != run;
        masked->run = run;
        return masked->pieces <= REGION_MASK_PIECES;
    }
    // Bits above are the same in the whole span, so one of them tells the halves apart.
    uint32_t border = (span.last >> (bits - 1)) << (bits - 1);
    if (border <= span.first) {
        return cut_block(specialiser, masked, span, bits - 1);
    }
    return cut_block(specialiser, masked, (struct dsl_span){span.first, border - 1}, bits - 1) &&
           cut_block(specialiser, masked, (struct dsl_span){border, span.last}, bits - 1);
}

// Adds the borders of one test within [lo, hi]. Returns: false, and adds none, where a mask has too many.
static bool cut_node(struct dsl_specialiser *specialiser, const struct dsl_decision *node, uint32_t lo, uint32_t hi)
{
    if (node->mask == specialiser->mask) {
        for (uint32_t i = dsl_find_run(node, lo) + 1; i < node->run_count && node->runs[i].first <= hi; i++) {
            cut(specialiser, node->runs[i].first);
        }
        return true;
    }
    struct masked masked = {.node = node};
    bool is_cut = specialiser->cuts_all || node->word == DSL_WORD_NR || node->word == DSL_WORD_ARCH;
    if (specialiser->mask != ALL || (!is_cut && hi - lo >= REGION_MASK_NUMBERS)) {
        return false;
    }
    uint32_t before = specialiser->cut_count;
    if (cut_block(specialiser, &masked, (struct dsl_span){lo, hi}, 32)) {
        return true;
    }
    specialiser->cut_count = before;
    return false;
}

// Pieces of a set between the cuts, which are used up.
static struct dsl_piece *make_pieces(struct dsl_specialiser *specialiser, const struct dsl_set *set, uint32_t *ret_count)
{
    uint32_t most = specialiser->cut_count + set->count;
    struct dsl_piece *pieces = DSL_ARENA_ARRAY(specialiser->graph->nodes.arena, struct dsl_piece, most);
    uint32_t count = 0;
    uint32_t at = 0;
    dsl_sort(specialiser->cuts, specialiser->cut_count);
    for (uint32_t i = 0; i < set->count && pieces != NULL; i++) {
        uint32_t first = set->spans[i].first;
        for (; at < specialiser->cut_count && specialiser->cuts[at] <= set->spans[i].last; at++) {
            if (specialiser->cuts[at] > first) {
                pieces[count++] = (struct dsl_piece){first, specialiser->cuts[at] - 1, 0};
                first = specialiser->cuts[at];
            }
        }
        pieces[count++] = (struct dsl_piece){first, set->spans[i].last, 0};
    }
    specialiser->cut_count = 0;
    *ret_count = count;
    return pieces;
}

// --- the region -------------------------------------------------------------------------------------------------------

// Past tests of other words than the region's whose answer is known.
static uint32_t skip(struct dsl_specialiser *specialiser, uint32_t id, uint32_t word)
{
    struct dsl_region_note *note = &specialiser->notes[id];
    if (note->skip_stamp == specialiser->stamp) {
        return note->skip;
    }
    const struct dsl_decision *node = node_of(specialiser, id);
    uint32_t child;
    while (node->kind == DSL_DECISION_SWITCH && node->word != word &&
           dsl_region_decided(specialiser, id, dsl_known_set(specialiser, specialiser->known, node->word), &child)) {
        id = child;
        node = node_of(specialiser, id);
    }
    note->skip_stamp = specialiser->stamp;
    note->skip = id;
    return id;
}

static void push(struct dsl_specialiser *specialiser, uint32_t id, uint32_t lo, uint32_t hi)
{
    struct dsl_region_note *note = &specialiser->notes[id];
    if (note->stamp == specialiser->stamp) {
        note->lo = lo < note->lo ? lo : note->lo;
        note->hi = hi > note->hi ? hi : note->hi;
        return;
    }
    note->stamp = specialiser->stamp;
    note->lo = lo;
    note->hi = hi;
    uint32_t at = specialiser->heap_count++;
    for (; at > 0 && specialiser->heap[(at - 1) / 2] < id; at = (at - 1) / 2) {
        specialiser->heap[at] = specialiser->heap[(at - 1) / 2];
    }
    specialiser->heap[at] = id;
}

static uint32_t pop(struct dsl_specialiser *specialiser)
{
    uint32_t id = specialiser->heap[0];
    specialiser->heap[0] = specialiser->heap[--specialiser->heap_count];
    dsl_sift(specialiser->heap, 0, specialiser->heap_count);
    return id;
}

// Adds one node's borders and goes on to its successors that test the same word.
static void look_at(struct dsl_specialiser *specialiser, uint32_t id)
{
    const struct dsl_decision *node = node_of(specialiser, id);
    struct dsl_region_note *note = &specialiser->notes[id];
    uint32_t lo = note->lo;
    uint32_t hi = note->hi;
    if (!cut_node(specialiser, node, lo, hi)) {
        note->stamp = 0; // not in the region after all
        return;
    }
    bool is_direct = node->mask == specialiser->mask;
    for (uint32_t i = is_direct ? dsl_find_run(node, lo) : 0; i < node->run_count; i++) {
        uint32_t id_of_child = skip(specialiser, node->runs[i].child, node->word);
        const struct dsl_decision *child = node_of(specialiser, id_of_child);
        uint32_t first = is_direct && node->runs[i].first > lo ? node->runs[i].first : lo;
        uint32_t last = is_direct && dsl_run_last(node, i) < hi ? dsl_run_last(node, i) : hi;
        if (is_direct && node->runs[i].first > hi) {
            break;
        }
        specialiser->steps++;
        if (child->kind == DSL_DECISION_SWITCH && child->word == node->word) {
            push(specialiser, id_of_child, first, last);
        }
    }
}

static uint32_t leave(struct dsl_specialiser *specialiser, uint32_t id, uint32_t value)
{
    while (specialiser->notes[id].stamp == specialiser->stamp) {
        const struct dsl_decision *node = node_of(specialiser, id);
        id = skip(specialiser, node->runs[dsl_find_run(node, value & node->mask)].child, node->word);
        specialiser->steps++;
    }
    return id;
}

// Looks at the region from `id` on. Returns: whether `id` is in it.
static bool look_around(struct dsl_specialiser *specialiser, uint32_t id, uint32_t mask, const struct dsl_set *set)
{
    specialiser->stamp++;
    specialiser->mask = mask;
    push(specialiser, id, set->spans[0].first, set->spans[set->count - 1].last);
    while (specialiser->heap_count > 0) {
        look_at(specialiser, pop(specialiser));
    }
    return specialiser->notes[id].stamp == specialiser->stamp;
}

struct dsl_piece *dsl_region_cut(struct dsl_specialiser *specialiser, uint32_t id, const struct dsl_known *known,
                                 uint32_t *ret_count)
{
    const struct dsl_set *set = dsl_known_set(specialiser, known, node_of(specialiser, id)->word);
    specialiser->known = known;
    if (!look_around(specialiser, id, ALL, set)) {
        set = dsl_set_get(&specialiser->sets, DSL_SET_ALL);
        look_around(specialiser, id, node_of(specialiser, id)->mask, set);
    }
    struct dsl_piece *pieces = make_pieces(specialiser, set, ret_count);
    for (uint32_t i = 0; i < *ret_count && pieces != NULL; i++) {
        pieces[i].exit = leave(specialiser, id, pieces[i].first);
    }
    return pieces;
}

// Whether what is known decides a node of another word.
static bool skips(struct dsl_specialiser *specialiser, uint32_t id, const struct dsl_known *known, uint32_t *ret_child)
{
    const struct dsl_set *set = dsl_known_set(specialiser, known, node_of(specialiser, id)->word);
    return dsl_region_decided(specialiser, id, set, ret_child);
}

struct dsl_piece *dsl_region_cut_all(struct dsl_specialiser *specialiser, uint32_t root, uint32_t word,
                                     const struct dsl_known *known, uint32_t *ret_count)
{
    specialiser->stamp++;
    specialiser->mask = ALL;
    specialiser->notes[root].stamp = specialiser->stamp;
    for (uint32_t id = root + 1; id-- > 0;) {
        const struct dsl_decision *node = node_of(specialiser, id);
        uint32_t only;
        if (specialiser->notes[id].stamp != specialiser->stamp || node->kind != DSL_DECISION_SWITCH) {
            continue;
        }
        if (skips(specialiser, id, known, &only)) {
            specialiser->notes[only].stamp = specialiser->stamp;
            continue;
        }
        if (node->word == word) {
            cut_node(specialiser, node, 0, ALL);
        }
        for (uint32_t i = 0; i < node->run_count; i++) {
            specialiser->notes[node->runs[i].child].stamp = specialiser->stamp;
        }
    }
    return make_pieces(specialiser, dsl_set_get(&specialiser->sets, DSL_SET_ALL), ret_count);
}
