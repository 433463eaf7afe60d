// oci_rules: the rules that entries are, and the order in which libseccomp looks at them.
//
// libseccomp sorts the rules of a call into a tree, and the first one on the way through it that holds counts. Where all of them
// have one action the order does not matter. Where they do not, its manual says nothing; this is what 2.5 does (its src/db.c): a
// rule is a chain of comparisons of words, by index, the upper half of an argument first. Chains that begin alike share their
// beginning. Where they part, the higher index comes first, then the upper half, then comparisons of a value before LT and LE
// before GT and GE, then the higher value (for LT and LE the lower one), then what was there first. Weaknesses: the library drops a
// rule where a shorter one with the same action makes it needless, which can change its place among others; and it refuses two
// actions for one chain, where here the first counts.
#include <string.h>

#include "tools/import/oci.h"

// More rules than this stay in the order of the profile: each is compared with those that are there.
enum { ORDERED_MOST = 2000 };

static bool acts_alike(const struct brig_dsl_action *a, const struct brig_dsl_action *b)
{
    return a->verb == b->verb && a->data == b->data;
}

static bool is_rule(const struct oci_profile *profile, const struct oci_entry *entry, enum brig_dsl_arch machine)
{
    return !acts_alike(&entry->action, &profile->fallback) && oci_applies(profile, entry, machine);
}

struct oci_rules oci_list_rules(const struct oci_profile *profile, enum brig_dsl_arch machine)
{
    struct oci_rules list = {.count = 0};
    size_t room = 0;
    for (size_t i = 0; i < profile->entry_count; i++) {
        room += profile->entries[i].is_any ? profile->entries[i].argument_count : 1;
    }
    list.rules = import_alloc(profile->reader->memory, room * sizeof *list.rules);
    for (size_t i = 0; i < profile->entry_count && list.rules != NULL; i++) {
        const struct oci_entry *entry = &profile->entries[i];
        size_t count = !is_rule(profile, entry, machine) ? 0 : entry->is_any ? entry->argument_count : 1;
        for (size_t j = 0; j < count; j++) {
            list.rules[list.count++] = (struct oci_rule){.entry = entry,
                                                         .arguments = entry->is_any ? entry->arguments + j : entry->arguments,
                                                         .argument_count = entry->is_any ? 1 : entry->argument_count};
        }
    }
    return list;
}

// --- order ------------------------------------------------------------------------------------------------------------

// A comparison of one word, as the library has it after it has rewritten LT, LE and NE as the opposite of others.
struct link {
    unsigned place; // 2 * index, + 1 for the upper half
    enum oci_operator op;
    enum oci_operator written; // in the profile
    uint32_t mask;
    uint32_t value;
};

enum { LINKS_MOST = 3 * 6 };

struct chain {
    struct oci_rule rule;
    struct link links[LINKS_MOST];
    size_t count;
};

static enum oci_operator rewritten(enum oci_operator op)
{
    static const enum oci_operator opposites[OCI_OPERATOR_COUNT] = {
        [OCI_NE] = OCI_EQ,
        [OCI_LT] = OCI_GE,
        [OCI_LE] = OCI_GT,
        [OCI_EQ] = OCI_EQ,
        [OCI_GE] = OCI_GE,
        [OCI_GT] = OCI_GT,
        [OCI_MASKED_EQ] = OCI_MASKED_EQ,
    };
    return opposites[op];
}

static void add_link(struct chain *chain, const struct oci_argument *argument, bool is_upper, enum oci_operator op)
{
    bool is_masked = argument->op == OCI_MASKED_EQ;
    uint64_t mask = is_masked ? argument->value : UINT64_MAX;
    uint64_t value = mask & (is_masked ? argument->value_two : argument->value);
    unsigned shift = is_upper ? 32 : 0;
    chain->links[chain->count++] = (struct link){.place = 2 * argument->index + is_upper,
                                                 .op = op,
                                                 .written = argument->op,
                                                 .mask = (uint32_t)(mask >> shift),
                                                 .value = (uint32_t)(value >> shift)};
}

static void add_links(struct chain *chain, const struct oci_argument *argument, uint64_t width)
{
    enum oci_operator op = rewritten(argument->op);
    bool is_order = op == OCI_GE || op == OCI_GT;
    bool is_needless = (argument->op == OCI_GE || argument->op == OCI_MASKED_EQ) && (argument->value & width) == 0;
    if (is_needless) {
        return;
    }
    if (width > UINT32_MAX) {
        add_link(chain, argument, true, is_order ? OCI_GT : op);
        if (is_order) {
            add_link(chain, argument, true, OCI_EQ);
        }
    }
    add_link(chain, argument, false, op);
}

static bool is_same(const struct link *a, const struct link *b)
{
    return a->place == b->place && a->op == b->op && a->mask == b->mask && a->value == b->value;
}

static int rank(const struct link *link)
{
    switch (link->written) {
    case OCI_LT:
    case OCI_LE:
        return 1;
    case OCI_GE:
    case OCI_GT:
        return 0;
    default:
        return 2;
    }
}

// Returns: whether `added` has to stand before `present`.
static bool is_before(const struct link *added, const struct link *present)
{
    if (added->place != present->place) {
        return added->place > present->place;
    }
    if (rank(added) != rank(present)) {
        return rank(added) > rank(present);
    }
    return rank(present) == 1 ? added->value < present->value : added->value > present->value;
}

// Returns: whether both chains have a link at `depth`, and the same.
static bool share(const struct chain *a, const struct chain *b, size_t depth)
{
    return depth < a->count && depth < b->count && is_same(&a->links[depth], &b->links[depth]);
}

// Finds where a chain belongs among others, which are in order.
static size_t find_place(const struct chain *chains, size_t count, const struct chain *added)
{
    size_t depth = 0;
    size_t at = 0;
    size_t end = count; // of those that begin as the new one does
    while (at < end && depth < added->count) {
        const struct chain *present = &chains[at];
        size_t next = at + 1;
        if (present->count <= depth) {
            at = next; // it ends where the new one goes on
            continue;
        }
        while (next < end && share(present, &chains[next], depth)) {
            next++;
        }
        if (share(present, added, depth)) {
            depth++;
            end = next;
        } else if (is_before(&added->links[depth], &present->links[depth])) {
            return at;
        } else {
            at = next;
        }
    }
    return depth == added->count ? end : at;
}

void oci_order_rules(struct import_memory *memory, uint64_t width, unsigned first_index, struct oci_rules *rules)
{
    struct chain *chains = rules->count > ORDERED_MOST ? NULL : import_alloc(memory, (rules->count + 1) * sizeof *chains);
    for (size_t i = 0; i < rules->count && chains != NULL; i++) {
        struct chain added = {.rule = rules->rules[i]};
        for (size_t j = 0; j < added.rule.argument_count; j++) {
            if (added.rule.arguments[j].index >= first_index) {
                add_links(&added, &added.rule.arguments[j], width);
            }
        }
        size_t at = find_place(chains, i, &added);
        memmove(&chains[at + 1], &chains[at], (i - at) * sizeof *chains);
        chains[at] = added;
    }
    for (size_t i = 0; i < rules->count && chains != NULL; i++) {
        rules->rules[i] = chains[i].rule;
    }
}
