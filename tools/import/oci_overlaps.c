// oci_overlaps: rules of one call whose actions differ, and which may hold for the same arguments.
//
// libseccomp makes a tree of a call's rules; which of two such rules it finds first depends on how the tree grew, and its manual
// does not say. So whoever wrote the profile is told. Weaknesses: rules are compared in pairs and argument by argument, so some
// that cannot meet are taken for ones that may; the first pair of an entry is told, and of a call the last LOOK_BACK rules are
// looked at.
#include "tools/import/oci.h"

enum { LOOK_BACK = 64 };

struct seen_rule {
    const struct oci_entry *entry;
    const struct oci_argument *arguments;
    size_t argument_count;
    const struct seen_rule *previous; // of the same call
};

struct overlaps {
    const struct oci_profile *profile;
    const struct seen_rule *last[BRIG_SYS_COUNT];
    bool is_decided[BRIG_SYS_COUNT]; // by a rule without conditions
    const struct oci_entry *told;
};

// The values that a comparison holds for lie between these.
struct range {
    uint64_t least;
    uint64_t most;
};

static struct range range_of(const struct oci_argument *argument)
{
    uint64_t value = argument->value;
    switch (argument->op) {
    case OCI_EQ:
        return (struct range){value, value};
    case OCI_LT:
        return (struct range){0, value == 0 ? 0 : value - 1};
    case OCI_LE:
        return (struct range){0, value};
    case OCI_GE:
        return (struct range){value, UINT64_MAX};
    case OCI_GT:
        return (struct range){value == UINT64_MAX ? value : value + 1, UINT64_MAX};
    default:
        return (struct range){0, UINT64_MAX};
    }
}

// The bits that a comparison asks for exactly.
static uint64_t mask_of(const struct oci_argument *argument)
{
    return argument->op == OCI_EQ ? UINT64_MAX : argument->op == OCI_MASKED_EQ ? argument->value : 0;
}

static bool are_disjoint(const struct oci_argument *a, const struct oci_argument *b)
{
    struct range left = range_of(a);
    struct range right = range_of(b);
    uint64_t wanted_a = a->op == OCI_MASKED_EQ ? a->value_two : a->value;
    uint64_t wanted_b = b->op == OCI_MASKED_EQ ? b->value_two : b->value;
    bool is_complement = (a->op == OCI_NE && b->op == OCI_EQ) || (a->op == OCI_EQ && b->op == OCI_NE);
    return left.most < right.least || right.most < left.least || ((wanted_a ^ wanted_b) & mask_of(a) & mask_of(b)) != 0 ||
           (is_complement && a->value == b->value);
}

static bool may_meet(const struct seen_rule *a, const struct seen_rule *b)
{
    for (size_t i = 0; i < a->argument_count; i++) {
        for (size_t j = 0; j < b->argument_count; j++) {
            if (a->arguments[i].index == b->arguments[j].index && are_disjoint(&a->arguments[i], &b->arguments[j])) {
                return false;
            }
        }
    }
    return true;
}

static bool acts_alike(const struct brig_dsl_action *a, const struct brig_dsl_action *b)
{
    return a->verb == b->verb && a->data == b->data;
}

static void warn(struct overlaps *overlaps, const struct seen_rule *rule, enum brig_dsl_call call)
{
    const struct seen_rule *other = rule->previous;
    for (int i = 0; i < LOOK_BACK && other != NULL && overlaps->told != rule->entry; i++, other = other->previous) {
        if (!acts_alike(&other->entry->action, &rule->entry->action) && may_meet(rule, other)) {
            import_warn(
                overlaps->profile->reader->memory, overlaps->profile->reader->source->name, rule->entry->line,
                "for %s, line %d may hold too, with another action; which one counts is not documented, libseccomp 2.5 mostly takes the "
                "same one",
                brig_dsl_call_name(call), other->entry->line);
            overlaps->told = rule->entry;
        }
    }
}

typedef void visitor(struct overlaps *overlaps, const struct seen_rule *rule, enum brig_dsl_call call);

static void note_decided(struct overlaps *overlaps, const struct seen_rule *rule, enum brig_dsl_call call)
{
    overlaps->is_decided[call] |= rule->argument_count == 0;
}

static void compare(struct overlaps *overlaps, const struct seen_rule *rule, enum brig_dsl_call call)
{
    struct seen_rule *kept = overlaps->is_decided[call] ? NULL : import_alloc(overlaps->profile->reader->memory, sizeof *kept);
    if (kept != NULL) {
        *kept = *rule;
        kept->previous = overlaps->last[call];
        overlaps->last[call] = kept;
        warn(overlaps, kept, call);
    }
}

static void visit_rules(struct overlaps *overlaps, const struct oci_rules *rules, visitor *visit)
{
    for (size_t i = 0; i < rules->count; i++) {
        const struct oci_rule *listed = &rules->rules[i];
        struct seen_rule rule = {.entry = listed->entry, .arguments = listed->arguments, .argument_count = listed->argument_count};
        for (const struct import_json *name = listed->entry->names; name != NULL; name = name->next) {
            visit(overlaps, &rule, oci_find_call(name->text));
        }
    }
}

void oci_warn_overlaps(const struct oci_profile *profile, enum brig_dsl_arch machine)
{
    struct overlaps *overlaps = import_alloc(profile->reader->memory, sizeof *overlaps);
    if (overlaps != NULL) {
        overlaps->profile = profile;
        overlaps->is_decided[BRIG_SYS_NONE] = true; // calls of other arches
        struct oci_rules rules = oci_list_rules(profile, machine);
        visit_rules(overlaps, &rules, note_decided);
        visit_rules(overlaps, &rules, compare);
    }
}
