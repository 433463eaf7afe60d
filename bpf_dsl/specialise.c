// specialise: every test whose answer follows from the tests above it is left out, one arch and one number at a time.
//
// Takes: a decision graph in any order, words tested again and again (what decompile.c gives). Gives: arch first, then the number,
// then the rest, where no word is tested twice under the same mask. Requires: nothing.
// How: what is known of a word is a set of spans. Under such a set all tests of the word that follow each other, however many and
// through whatever masks, are one region (regions.c): one switch over the whole word. Pieces that leave the region to the same
// place are one set there. Arch and number come first whatever the program did: they are cut where anything below tells them apart,
// and each piece is specialised by itself. What was specialised under the same sets of the words that matter below is done once.
// Guarantees: exact; what cannot be expressed or takes too long is given up. Weaknesses: a mask that cuts a word into too many
// pieces stays a switch of its own, and says nothing about later tests of the word (facts.c looks at those). A program that asks
// about several arguments in turns can have more specialisations than allowed.
#include "bpf_dsl/specialise.h"

#include <string.h>

#include "bpf_dsl/facts.h"

enum {
    SPECIALISE_BUCKETS = 1024,
    SPECIALISE_DEPTH = 64,
    SPECIALISE_STEPS = 30000000,
    SPECIALISE_MEMOS = 40000,
    SPECIALISE_MORE_CUTS = 4096,
};

// Beside an id in what is remembered: its diagram was ordered; masks were cut over all numbers.
#define ORDERED 0x80000000u
#define CUT_ALL 0x40000000u

struct dsl_specialise_memo {
    const struct dsl_specialise_memo *next;
    uint32_t id;
    uint32_t result;
    uint32_t count;
    struct dsl_known_word known[];
};

// --- what is known ----------------------------------------------------------------------------------------------------

// Adds or replaces what is known of `word`. Returns: false when there are too many words.
static bool know(struct dsl_known *known, uint32_t word, uint32_t set)
{
    uint32_t at = 0;
    while (at < known->count && known->of[at].word < word) {
        at++;
    }
    if (at < known->count && known->of[at].word == word) {
        known->of[at].set = set;
        return true;
    }
    if (known->count == DSL_WORD_COUNT) {
        return false;
    }
    for (uint32_t i = known->count++; i > at; i--) {
        known->of[i] = known->of[i - 1];
    }
    known->of[at] = (struct dsl_known_word){word, set};
    return true;
}

static bool is_about(const struct dsl_known *known, uint32_t word)
{
    for (uint32_t i = 0; i < known->count; i++) {
        if (known->of[i].word == word) {
            return true;
        }
    }
    return false;
}

// Leaves out what nothing below asks about.
static void keep_needed(const struct dsl_known *known, uint32_t words, struct dsl_known *ret_known)
{
    ret_known->count = 0;
    for (uint32_t i = 0; i < known->count; i++) {
        if ((dsl_word_bit(known->of[i].word) & words) != 0) {
            ret_known->of[ret_known->count++] = known->of[i];
        }
    }
}

static uint32_t bucket_of(uint32_t id, const struct dsl_known *known)
{
    uint64_t hash = dsl_hash(id, known->count);
    for (uint32_t i = 0; i < known->count; i++) {
        hash = dsl_hash(hash, (uint64_t)known->of[i].word << 32 | known->of[i].set);
    }
    return dsl_hash_end(hash) % SPECIALISE_BUCKETS;
}

static const struct dsl_specialise_memo *find_memo(const struct dsl_specialiser *specialiser, uint32_t bucket, uint32_t id,
                                                   const struct dsl_known *known)
{
    const struct dsl_specialise_memo *memo = specialiser->memos[bucket];
    while (memo != NULL && (memo->id != id || memo->count != known->count ||
                            memcmp(memo->known, known->of, known->count * sizeof known->of[0]) != 0)) {
        memo = memo->next;
    }
    return memo;
}

static void remember(struct dsl_specialiser *specialiser, uint32_t bucket, uint32_t id, const struct dsl_known *known,
                     uint32_t result)
{
    size_t bytes = known->count * sizeof known->of[0];
    struct dsl_specialise_memo *memo =
        dsl_arena_alloc(specialiser->graph->nodes.arena, sizeof *memo + bytes, _Alignof(struct dsl_specialise_memo));
    if (memo == NULL) {
        return;
    }
    *memo = (struct dsl_specialise_memo){.next = specialiser->memos[bucket], .id = id, .result = result, .count = known->count};
    memcpy(memo->known, known->of, bytes);
    specialiser->memos[bucket] = memo;
    specialiser->gave_up |= ++specialiser->memo_count > SPECIALISE_MEMOS;
}

// --- one specialisation -----------------------------------------------------------------------------------------------

static uint32_t specialise(struct dsl_specialiser *specialiser, uint32_t id, const struct dsl_known *known, uint32_t depth);

// Pieces that go on at the same place.
struct group {
    uint32_t exit;
    uint32_t count;
    uint32_t start; // its spans
    uint32_t result;
};

// Numbers the places where pieces go on; pieces get the number of theirs. Returns: how many.
static uint32_t number_groups(struct dsl_specialiser *specialiser, struct dsl_piece *pieces, uint32_t count, struct group *groups)
{
    uint32_t group_count = 0;
    uint32_t start = 0;
    specialiser->stamp++;
    for (uint32_t i = 0; i < count; i++) {
        struct dsl_region_note *note = &specialiser->notes[pieces[i].exit];
        if (note->group_stamp != specialiser->stamp) {
            note->group_stamp = specialiser->stamp;
            note->group = group_count;
            groups[group_count++] = (struct group){.exit = pieces[i].exit};
        }
        pieces[i].exit = note->group;
        groups[pieces[i].exit].count++;
    }
    for (uint32_t i = 0; i < group_count; i++) {
        groups[i].start = start;
        start += groups[i].count;
        groups[i].count = 0;
    }
    return group_count;
}

// A region while its pieces are joined.
struct region {
    struct dsl_piece *pieces;
    uint32_t count;
    uint32_t word;
    uint32_t mask;
    const struct dsl_known *known;
    uint32_t depth;
};

// Goes on at the place of one group, knowing that the word is in its spans.
static uint32_t go_on(struct dsl_specialiser *specialiser, const struct region *region, const struct group *group,
                      struct dsl_span *spans)
{
    struct dsl_known below = *region->known;
    bool is_asked = (dsl_decision_get(specialiser->graph, group->exit)->words & dsl_word_bit(region->word)) != 0;
    if (is_asked && region->mask == UINT32_MAX) {
        uint32_t set = dsl_set_make(&specialiser->sets, spans + group->start, group->count);
        specialiser->gave_up |= !know(&below, region->word, set);
    }
    return specialise(specialiser, group->exit, &below, region->depth + 1);
}

static uint32_t join_pieces(struct dsl_specialiser *specialiser, const struct region *region)
{
    struct brig_dsl_arena *arena = specialiser->graph->nodes.arena;
    uint32_t count = region->count;
    struct group *groups = DSL_ARENA_ARRAY(arena, struct group, count);
    struct dsl_span *spans = DSL_ARENA_ARRAY(arena, struct dsl_span, count);
    struct dsl_run *runs = DSL_ARENA_ARRAY(arena, struct dsl_run, count);
    if (groups == NULL || spans == NULL || runs == NULL) {
        return DSL_DECISION_NO;
    }
    uint32_t group_count = number_groups(specialiser, region->pieces, count, groups);
    for (uint32_t i = 0; i < count; i++) {
        struct group *group = &groups[region->pieces[i].exit];
        spans[group->start + group->count++] = (struct dsl_span){region->pieces[i].first, region->pieces[i].last};
    }
    for (uint32_t i = 0; i < group_count; i++) {
        groups[i].result = go_on(specialiser, region, &groups[i], spans);
    }
    for (uint32_t i = 0; i < count; i++) {
        // What the word cannot be belongs to the piece before it.
        runs[i] = (struct dsl_run){i == 0 ? 0 : region->pieces[i].first, groups[region->pieces[i].exit].result};
    }
    return dsl_decision_switch(specialiser->graph, (enum dsl_word)region->word, region->mask, runs, count);
}

static uint32_t specialise_switch(struct dsl_specialiser *specialiser, uint32_t id, const struct dsl_known *known, uint32_t depth)
{
    struct region region = {.word = dsl_decision_get(specialiser->graph, id)->word, .known = known, .depth = depth};
    region.pieces = dsl_region_cut(specialiser, id, known, &region.count);
    region.mask = specialiser->mask;
    return region.pieces == NULL ? id : join_pieces(specialiser, &region);
}

// Past tests whose answer is known. What is known of the number is a piece that no test of a chain cuts, so one of it stands for
// all.
static uint32_t go_past_known(struct dsl_specialiser *specialiser, uint32_t id, const struct dsl_known *known)
{
    const struct dsl_set *number = dsl_known_set(specialiser, known, DSL_WORD_NR);
    bool has_number = number->count == 1 && is_about(known, DSL_WORD_NR);
    for (;;) {
        uint32_t child;
        id = has_number ? dsl_chains_follow(&specialiser->numbers, id, number->spans[0].first) : id;
        const struct dsl_decision *node = dsl_decision_get(specialiser->graph, id);
        if (node->kind != DSL_DECISION_SWITCH ||
            !dsl_region_decided(specialiser, id, dsl_known_set(specialiser, known, node->word), &child)) {
            return id;
        }
        id = child;
    }
}

static uint32_t specialise(struct dsl_specialiser *specialiser, uint32_t id, const struct dsl_known *known, uint32_t depth)
{
    id = go_past_known(specialiser, id, known);
    const struct dsl_decision *node = dsl_decision_get(specialiser->graph, id);
    specialiser->gave_up |= specialiser->steps > SPECIALISE_STEPS || depth > SPECIALISE_DEPTH || specialiser->graph->exploded ||
                            specialiser->graph->nodes.arena->exhausted;
    if (node->kind != DSL_DECISION_SWITCH || specialiser->gave_up) {
        return id;
    }
    struct dsl_known needed;
    keep_needed(known, node->words, &needed);
    uint32_t key = id | (specialiser->cuts_all ? CUT_ALL : 0);
    uint32_t bucket = bucket_of(key, &needed);
    const struct dsl_specialise_memo *memo = find_memo(specialiser, bucket, key, &needed);
    if (memo != NULL) {
        return memo->result;
    }
    uint32_t result = specialise_switch(specialiser, id, &needed, depth);
    remember(specialiser, bucket, key, &needed, result);
    return result;
}

// --- arch and number --------------------------------------------------------------------------------------------------

// One call's diagram with its words in order.
static uint32_t order_call(struct dsl_specialiser *specialiser, uint32_t root, const struct dsl_known *known)
{
    static const struct dsl_known is_ordered = {.count = 0};
    uint32_t id = specialise(specialiser, root, known, 0);
    if (specialiser->gave_up || dsl_decision_get(specialiser->graph, id)->kind != DSL_DECISION_SWITCH) {
        return id;
    }
    uint32_t bucket = bucket_of(id | ORDERED, &is_ordered);
    const struct dsl_specialise_memo *memo = find_memo(specialiser, bucket, id | ORDERED, &is_ordered);
    if (memo != NULL) {
        return memo->result;
    }
    uint32_t result = dsl_reorder(specialiser->reordering, id);
    remember(specialiser, bucket, id | ORDERED, &is_ordered, result);
    return result;
}

// One call's diagram in its best form: with masks, or with what they leave as numbers.
static uint32_t finish_call(struct dsl_specialiser *specialiser, uint32_t root, const struct dsl_known *known)
{
    specialiser->cuts_all = false;
    uint32_t masked = order_call(specialiser, root, known);
    if (!specialiser->has_masks || dsl_decision_get(specialiser->graph, masked)->kind != DSL_DECISION_SWITCH) {
        return masked;
    }
    specialiser->cuts_all = true;
    uint32_t cut = order_call(specialiser, root, known);
    bool is_smaller = cut != masked && !specialiser->gave_up &&
                      dsl_reordering_size(specialiser->reordering, cut) < dsl_reordering_size(specialiser->reordering, masked);
    return is_smaller ? cut : masked;
}

// A switch over `word` (arch, then number) for everything that anything below tells apart.
static uint32_t force(struct dsl_specialiser *specialiser, uint32_t root, uint32_t word, const struct dsl_known *known)
{
    uint32_t count = 0;
    struct dsl_piece *pieces = dsl_region_cut_all(specialiser, root, word, known, &count);
    struct dsl_run *runs = DSL_ARENA_ARRAY(specialiser->graph->nodes.arena, struct dsl_run, count);
    for (uint32_t i = 0; i < count && pieces != NULL && runs != NULL && !specialiser->gave_up; i++) {
        struct dsl_known below = *known;
        struct dsl_span span = {pieces[i].first, pieces[i].last};
        know(&below, word, dsl_set_make(&specialiser->sets, &span, 1));
        uint32_t child =
            word == DSL_WORD_ARCH ? force(specialiser, root, DSL_WORD_NR, &below) : finish_call(specialiser, root, &below);
        runs[i] = (struct dsl_run){pieces[i].first, child};
    }
    if (pieces == NULL || runs == NULL || specialiser->gave_up) {
        return DSL_DECISION_NO;
    }
    return dsl_decision_switch(specialiser->graph, (enum dsl_word)word, UINT32_MAX, runs, count);
}

static bool start(struct dsl_specialiser *specialiser, uint32_t root)
{
    struct brig_dsl_arena *arena = specialiser->graph->nodes.arena;
    size_t nodes = (size_t)root + 1;
    specialiser->cut_limit = SPECIALISE_MORE_CUTS;
    for (uint32_t id = 0; id <= root; id++) {
        const struct dsl_decision *node = dsl_decision_get(specialiser->graph, id);
        bool is_argument = node->word != DSL_WORD_NR && node->word != DSL_WORD_ARCH;
        specialiser->has_masks |= node->kind == DSL_DECISION_SWITCH && node->mask != UINT32_MAX && is_argument;
        specialiser->cut_limit += node->run_count;
    }
    specialiser->notes = DSL_ARENA_ARRAY(arena, struct dsl_region_note, nodes);
    specialiser->heap = DSL_ARENA_ARRAY(arena, uint32_t, nodes);
    specialiser->cuts = DSL_ARENA_ARRAY(arena, uint32_t, specialiser->cut_limit);
    specialiser->memos = DSL_ARENA_ARRAY(arena, const struct dsl_specialise_memo *, SPECIALISE_BUCKETS);
    specialiser->reordering = dsl_reordering_new(specialiser->graph);
    if (arena->exhausted || !dsl_sets_init(&specialiser->sets, arena) ||
        !dsl_chains_find(&specialiser->numbers, specialiser->graph, root, DSL_WORD_NR)) {
        return false;
    }
    memset(specialiser->notes, 0, nodes * sizeof *specialiser->notes);
    for (uint32_t i = 0; i < SPECIALISE_BUCKETS; i++) {
        specialiser->memos[i] = NULL;
    }
    return true;
}

uint32_t dsl_specialise(struct dsl_decisions *graph, uint32_t root)
{
    struct dsl_specialiser specialiser = {.graph = graph};
    const struct dsl_known nothing = {.count = 0};
    if (!start(&specialiser, root)) {
        return DSL_DECISION_NO;
    }
    uint32_t result = force(&specialiser, root, DSL_WORD_ARCH, &nothing);
    return specialiser.gave_up || graph->exploded || graph->nodes.arena->exhausted ? DSL_DECISION_NO : result;
}
