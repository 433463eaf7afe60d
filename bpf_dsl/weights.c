// weights: which tests are worth placing first.
//
// Takes: a decision graph, and recorded calls where there are any. Gives: a weight for every run of every switch. Requires:
// nothing. Guarantees: integers only, so that every host gets the same; linear in the graph and the samples.
//
// What the kernel's bitmap answers weighs nothing: a number that is allowed whatever its arguments. Without a profile every number
// that is decided by arguments weighs the same, and far more than one that is always denied, unless a list denies very few. Within
// such a call, values are taken to be what the policy itself names, their successors, zero, and small numbers; the upper halves of
// arguments are taken to be zero.
//
// With a profile each sample walks the graph as the call would. Where it comes to a word that was not recorded, its weight goes on
// by shares, as without a profile. A little of what is assumed without a profile stays, so that calls which were not seen are
// still found quickly.
//
// Weaknesses: words are taken to be independent.
#include "bpf_dsl/weights.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <string.h>

enum {
    WEIGHT_DECIDED = 4096, // a number that is decided by arguments
    WEIGHT_DENIED = 64,    // a number that is not, and not answered by the bitmap
    WEIGHT_KILLED = 16,    // a number that nobody calls twice
    WEIGHT_NUMBERS = 64,   // more numbers of one run than this count as so many: nobody calls all the unknown ones
    FIRST_X32 = 1 << 30,   // the first of numbers that are no call but of x32, which nobody has
    WEIGHT_PROFILE = 64,   // a profile weighs so many times what is assumed without one
    SMALL_NUMBERS = 65536, // what "any small number" is below of
    SHARE_UNIT = 256,      // share of one value in so many
    SHARE_64BIT = 16,      // of a 64-bit arch's calls beside a 32-bit one's, which run where the former are at home
    COUNT_BITS = 24,       // samples are scaled to this many in all, so that products stay within 64 bits
};

struct weighing {
    struct dsl_weights *weights;
    const unsigned char *marks;
    uint64_t *inflow; // by node: what came in and has not been passed on
    uint64_t *shares; // scratch: of the runs of one switch
    uint32_t root;
    uint64_t assumed; // sum over all numbers
    bool is_counting; // the samples come by once more, to count the calls that have a switch's hot value
};

static const struct dsl_decision *node_of(const struct weighing *weighing, uint32_t id)
{
    return dsl_decision_get(weighing->weights->graph, id);
}

static uint64_t *weights_of(const struct weighing *weighing, uint32_t id)
{
    return weighing->weights->of_run + weighing->weights->first_run[id];
}

// --- numbers ----------------------------------------------------------------------------------------------------------

static uint64_t weight_of_number(const struct dsl_decision *child)
{
    if (child->kind != DSL_DECISION_RET) {
        return WEIGHT_DECIDED;
    }
    switch (child->mask & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
        return 0;
    case SECCOMP_RET_KILL_PROCESS:
    case SECCOMP_RET_KILL_THREAD:
        return WEIGHT_KILLED;
    default:
        return WEIGHT_DENIED;
    }
}

static uint64_t weight_of_numbers(const struct weighing *weighing, const struct dsl_decision *node, uint32_t run)
{
    uint64_t numbers = (uint64_t)dsl_run_last(node, run) - node->runs[run].first + 1;
    numbers = node->runs[run].first >= FIRST_X32 ? 1 : numbers;
    return (numbers < WEIGHT_NUMBERS ? numbers : WEIGHT_NUMBERS) * weight_of_number(node_of(weighing, node->runs[run].child));
}

static bool is_denied(const struct dsl_decision *child)
{
    return child->kind == DSL_DECISION_RET && weight_of_number(child) == WEIGHT_DENIED;
}

// Weighs each run, into weighing->shares. Returns: how often WEIGHT_DENIED a denied number weighs. Where a list only denies, and
// fewer numbers outright than by arguments, code that can do without them tries them first (clone3, openat2): together they weigh
// half as much as what is decided.
static uint64_t weigh_denied(const struct weighing *weighing, const struct dsl_decision *node)
{
    uint64_t denied = 0;
    uint64_t killed = 0; // runs: a list that only denies kills at most what is no number at all
    uint64_t decided = 0;
    for (uint32_t i = 0; i < node->run_count; i++) {
        const struct dsl_decision *child = node_of(weighing, node->runs[i].child);
        uint64_t weight = weight_of_numbers(weighing, node, i);
        weighing->shares[i] = weight;
        decided += child->kind == DSL_DECISION_SWITCH ? weight / WEIGHT_DECIDED : 0;
        denied += is_denied(child) ? weight / WEIGHT_DENIED : 0;
        killed += child->kind == DSL_DECISION_RET && weight_of_number(child) == WEIGHT_KILLED;
    }
    return denied == 0 || denied + killed >= decided ? 1 : decided * WEIGHT_DECIDED / (2 * denied * WEIGHT_DENIED);
}

static void weigh_numbers(struct weighing *weighing, uint32_t id)
{
    const struct dsl_decision *node = node_of(weighing, id);
    uint64_t *weights = weights_of(weighing, id);
    uint64_t denied = weigh_denied(weighing, node);
    for (uint32_t i = 0; i < node->run_count; i++) {
        uint64_t weight = weighing->shares[i];
        weight *= denied > 1 && is_denied(node_of(weighing, node->runs[i].child)) ? denied : 1;
        weights[i] += weight;
        weighing->inflow[node->runs[i].child] += weight;
        weighing->assumed += weight;
    }
}

// --- words ------------------------------------------------------------------------------------------------------------

// What a run of a switch is: a single value; one whose first value a policy must have named, since one that follows a single value
// may start there by accident, and a single value that goes the way of most is what others left over.
enum { RUN_SINGLE = 1, RUN_NAMED = 2 };

// Returns: where most values go.
static uint32_t find_common(const struct dsl_decision *node)
{
    uint32_t widest = 0;
    uint32_t most = 0;
    for (uint32_t i = 0; i < node->run_count; i++) {
        uint32_t width = dsl_run_last(node, i) - node->runs[i].first;
        widest = width > most ? i : widest;
        most = width > most ? width : most;
    }
    return node->runs[widest].child;
}

// Notes what each run is. Returns: how many numbers the policy names here.
static uint32_t read_runs(const struct dsl_decision *node, uint64_t *ret_kinds)
{
    uint32_t common = find_common(node);
    uint32_t named = 0;
    bool was_single = true; // nobody names 0 by a run that starts there
    for (uint32_t i = 0; i < node->run_count; i++) {
        bool is_single = dsl_is_single(node->mask, node->runs[i].first, dsl_run_last(node, i));
        bool is_named = is_single ? node->runs[i].child != common : !was_single;
        ret_kinds[i] = (is_single ? RUN_SINGLE : 0u) | (is_named ? RUN_NAMED : 0u);
        named += is_named;
        was_single = is_single;
    }
    return named;
}

// Of eight calls five have a number that the policy names, one has its successor, one has zero, one any small number.
static uint64_t low_share(const struct dsl_decision *node, uint32_t run, uint32_t constants, uint64_t kind, uint64_t kind_before)
{
    uint32_t last = dsl_run_last(node, run);
    uint64_t unit = SHARE_UNIT;
    uint64_t share = (kind & RUN_NAMED) != 0 ? 5 * unit : 0;
    share += kind == RUN_NAMED ? unit : 0;
    share += kind_before == (RUN_SINGLE | RUN_NAMED) ? unit : 0;
    share += run == 0 ? (constants + 1) * unit : 0;
    if (node->runs[run].first < SMALL_NUMBERS) {
        uint64_t end = last < SMALL_NUMBERS ? (uint64_t)last + 1 : SMALL_NUMBERS;
        share += (end - node->runs[run].first) * unit / SMALL_NUMBERS * constants;
    }
    return share;
}

static uint64_t arch_share(const struct weighing *weighing, const struct dsl_decision *node, uint32_t run)
{
    bool is_ours = node_of(weighing, node->runs[run].child)->kind == DSL_DECISION_SWITCH;
    bool is_64bit = (node->runs[run].first & __AUDIT_ARCH_64BIT) != 0;
    return !is_ours ? 0 : is_64bit ? SHARE_64BIT : 1;
}

// Fills weighing->shares. Returns: their sum.
static uint64_t share_out(const struct weighing *weighing, const struct dsl_decision *node)
{
    uint64_t *shares = weighing->shares;
    bool is_high = node->word >= DSL_WORD_ARGUMENTS && node->word < DSL_WORD_COUNT && node->word % 2 == 1;
    bool is_low = node->word != DSL_WORD_ARCH && !is_high;
    uint32_t constants = is_low ? read_runs(node, shares) : 0;
    uint64_t before = 0;
    uint64_t all = 0;
    for (uint32_t i = 0; i < node->run_count; i++) {
        uint64_t kind = is_low ? shares[i] : 0;
        if (is_low) {
            shares[i] = low_share(node, i, constants, kind, before);
        } else {
            shares[i] = is_high ? (i == 0 ? 255 : 1) : arch_share(weighing, node, i);
        }
        before = kind;
        all += shares[i];
    }
    return all;
}

// Hands on what came in by shares. Rounding loses less than one unit a run.
static void pass_on(struct weighing *weighing, uint32_t id)
{
    const struct dsl_decision *node = node_of(weighing, id);
    uint64_t all = share_out(weighing, node);
    if (all == 0) {
        return;
    }
    uint64_t whole = weighing->inflow[id] / all;
    uint64_t rest = weighing->inflow[id] % all;
    for (uint32_t i = 0; i < node->run_count; i++) {
        uint64_t part = whole * weighing->shares[i] + rest * weighing->shares[i] / all;
        weights_of(weighing, id)[i] += part;
        weighing->inflow[node->runs[i].child] += part;
    }
}

// --- samples ----------------------------------------------------------------------------------------------------------

// Returns: whether the sample says what the word was.
static bool read_word(const struct brig_dsl_sample *sample, uint8_t word, uint32_t *ret_value)
{
    uint32_t argument = (uint32_t)(word - DSL_WORD_ARGUMENTS) / 2;
    if (word == DSL_WORD_NR) {
        *ret_value = sample->nr;
        return true;
    }
    if (word < DSL_WORD_ARGUMENTS || word >= DSL_WORD_COUNT || (sample->known & 1u << argument) == 0) {
        return false;
    }
    *ret_value = (uint32_t)(sample->args[argument] >> (word % 2 * 32));
    return true;
}

// Looks for values that more than a quarter of the weight has: such a value outlasts three others together (Misra and Gries).
static void vote(struct dsl_hot *hot, uint32_t value, uint64_t weight)
{
    uint32_t least = 0;
    for (uint32_t i = 0; i < DSL_HOT_VALUES; i++) {
        if (hot->value[i] == value && hot->weight[i] != 0) {
            hot->weight[i] += weight;
            return;
        }
        least = hot->weight[i] < hot->weight[least] ? i : least;
    }
    uint64_t paid = hot->weight[least] < weight ? hot->weight[least] : weight;
    for (uint32_t i = 0; i < DSL_HOT_VALUES; i++) {
        hot->weight[i] -= paid;
    }
    if (weight > paid) {
        hot->value[least] = value;
        hot->weight[least] = weight - paid;
    }
}

// Values that lost the vote are no value; the others are counted from nothing, in the order of their votes.
static void start_counting(struct dsl_hot *hot)
{
    for (uint32_t i = 0; i < DSL_HOT_VALUES; i++) {
        hot->value[i] = hot->weight[i] == 0 ? UINT32_MAX : hot->value[i];
        hot->weight[i] = 0;
    }
}

static void count(struct dsl_hot *hot, uint32_t value, uint64_t weight)
{
    for (uint32_t i = 0; i < DSL_HOT_VALUES; i++) {
        if (hot->value[i] == value) {
            hot->weight[i] += weight;
            return;
        }
    }
}

static void sort_hot(struct dsl_hot *hot)
{
    for (uint32_t i = 1; i < DSL_HOT_VALUES; i++) {
        for (uint32_t at = i; at > 0 && hot->weight[at - 1] < hot->weight[at]; at--) {
            uint32_t value = hot->value[at];
            uint64_t weight = hot->weight[at];
            hot->value[at] = hot->value[at - 1];
            hot->weight[at] = hot->weight[at - 1];
            hot->value[at - 1] = value;
            hot->weight[at - 1] = weight;
        }
    }
}

static void take_sample(struct weighing *weighing, uint32_t id, uint32_t run, uint32_t value, uint64_t weight)
{
    struct dsl_hot *hot = &weighing->weights->hot[id];
    if (weighing->is_counting) {
        count(hot, value, weight);
        return;
    }
    vote(hot, value, weight);
    weights_of(weighing, id)[run] += weight;
}

static bool is_answered_by_bitmap(const struct dsl_decision *node, const struct dsl_decision *child)
{
    return node->word == DSL_WORD_NR && child->kind == DSL_DECISION_RET && child->mask == SECCOMP_RET_ALLOW;
}

static void walk_sample(struct weighing *weighing, uint32_t id, const struct brig_dsl_sample *sample, uint64_t weight)
{
    const struct dsl_decision *node = node_of(weighing, id);
    uint32_t value;
    while (node->kind == DSL_DECISION_SWITCH && read_word(sample, node->word, &value)) {
        uint32_t run = dsl_find_run(node, value & node->mask);
        uint32_t child = node->runs[run].child;
        if (is_answered_by_bitmap(node, node_of(weighing, child))) {
            return; // no program is run
        }
        take_sample(weighing, id, run, value, weight);
        id = child;
        node = node_of(weighing, id);
    }
    weighing->inflow[id] += weighing->is_counting ? 0 : weight;
}

// Samples are of one arch, which is not told: they go to every arch that the program is for.
static void walk_samples(struct weighing *weighing, uint32_t id, const struct brig_dsl_profile *profile)
{
    uint64_t all = 0;
    unsigned shift = 0;
    for (size_t i = 0; i < profile->sample_count; i++) {
        uint64_t count = profile->samples[i].count;
        all = all + count < all ? UINT64_MAX : all + count;
    }
    while (all >> shift >> COUNT_BITS != 0) {
        shift++;
    }
    uint64_t unit = (weighing->assumed * WEIGHT_PROFILE) / ((all >> shift) + 1) + 1;
    for (size_t i = 0; i < profile->sample_count; i++) {
        const struct brig_dsl_sample *sample = &profile->samples[i];
        if (sample->count != 0) {
            walk_sample(weighing, id, sample, ((sample->count >> shift) + 1) * unit);
        }
    }
}

// --- the whole --------------------------------------------------------------------------------------------------------

static void weigh(struct weighing *weighing, const struct brig_dsl_profile *profile)
{
    weighing->inflow[weighing->root] = WEIGHT_DECIDED;
    for (uint32_t id = weighing->root + 1; id-- > 0;) {
        const struct dsl_decision *node = node_of(weighing, id);
        if (!weighing->marks[id] || node->kind != DSL_DECISION_SWITCH) {
            continue;
        }
        if (node->word == DSL_WORD_NR) {
            weigh_numbers(weighing, id);
            if (profile != NULL) {
                walk_samples(weighing, id, profile);
            }
        } else {
            pass_on(weighing, id);
        }
    }
}

// Counts again for the values that came out of the votes.
static void count_hot(struct weighing *weighing, const struct brig_dsl_profile *profile)
{
    weighing->is_counting = true;
    for (uint32_t id = 0; id <= weighing->root; id++) {
        start_counting(&weighing->weights->hot[id]);
    }
    for (uint32_t id = weighing->root + 1; id-- > 0;) {
        const struct dsl_decision *node = node_of(weighing, id);
        if (weighing->marks[id] && node->kind == DSL_DECISION_SWITCH && node->word == DSL_WORD_NR) {
            walk_samples(weighing, id, profile);
        }
    }
    for (uint32_t id = 0; id <= weighing->root; id++) {
        sort_hot(&weighing->weights->hot[id]);
    }
}

bool dsl_weights_init(struct dsl_weights *weights, const struct dsl_decisions *graph, uint32_t root, const unsigned char *marks,
                      const struct brig_dsl_profile *profile)
{
    struct brig_dsl_arena *arena = graph->nodes.arena;
    size_t nodes = (size_t)root + 1;
    size_t runs = 0;
    *weights = (struct dsl_weights){.graph = graph};
    weights->first_run = DSL_ARENA_ARRAY(arena, uint32_t, nodes);
    struct weighing weighing = {.weights = weights, .marks = marks, .root = root};
    weighing.inflow = DSL_ARENA_ARRAY(arena, uint64_t, nodes);
    for (uint32_t id = 0; id <= root && weights->first_run != NULL; id++) {
        uint32_t count = marks[id] ? dsl_decision_get(graph, id)->run_count : 0;
        weights->first_run[id] = (uint32_t)runs;
        runs += count;
        weights->most_runs = count > weights->most_runs ? count : weights->most_runs;
    }
    weights->of_run = DSL_ARENA_ARRAY(arena, uint64_t, runs);
    weighing.shares = DSL_ARENA_ARRAY(arena, uint64_t, weights->most_runs);
    weights->hot = profile != NULL ? DSL_ARENA_ARRAY(arena, struct dsl_hot, nodes) : NULL;
    if (arena->exhausted) {
        return false;
    }
    memset(weighing.inflow, 0, nodes * sizeof *weighing.inflow);
    memset(weights->of_run, 0, runs * sizeof *weights->of_run);
    if (profile != NULL) {
        memset(weights->hot, 0, nodes * sizeof *weights->hot);
    }
    weigh(&weighing, profile);
    if (profile != NULL) {
        count_hot(&weighing, profile);
    }
    return true;
}
