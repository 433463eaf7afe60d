// implied: rules that are never the first to match.
//
// Takes: a chain of rules. Gives: whether one of them asks for no call that one before it does not take. Requires: nothing. How:
// two at a time; each test of the earlier one must hold wherever some test of the later one does. Guarantees: what is called dead
// is dead. Weaknesses: a rule that several before it take together is not seen; of what is joined by "or" and "not" nothing is;
// neither is what only a rule behind the first IMPLIED_LINKS takes.
#include "bpf_dsl/implied.h"

enum {
    IMPLIED_RUNS = 8,    // of a test that is compared
    IMPLIED_LINKS = 256, // that a link is compared with: thousands of rules have no time for more
};

static bool has_run(const struct dsl_expr *test, uint64_t first, uint64_t last)
{
    for (uint32_t i = 0; i < test->count; i++) {
        if (test->runs[i].first <= first && last <= test->runs[i].last) {
            return true;
        }
    }
    return false;
}

// Whether a test of an argument holds wherever another does. Bits that have one value have it under a smaller mask, too.
static bool is_implied_by_one(const struct dsl_expr *test, const struct dsl_expr *other)
{
    bool is_long = test->count > IMPLIED_RUNS || other->count > IMPLIED_RUNS;
    if (other->kind != DSL_EXPR_ARGUMENT || test->argument != other->argument || test->bits != other->bits || is_long) {
        return false;
    }
    bool is_value = other->count == 1 && other->runs[0].first == other->runs[0].last;
    if (is_value && (test->mask & ~other->mask) == 0) {
        uint64_t value = other->runs[0].first & test->mask;
        return has_run(test, value, value);
    }
    bool is_within = test->mask == other->mask;
    for (uint32_t i = 0; i < other->count && is_within; i++) {
        is_within = has_run(test, other->runs[i].first, other->runs[i].last);
    }
    return is_within;
}

// The parts of "all of these"; anything else is its own only part.
struct parts {
    const uint32_t *nodes;
    uint32_t count;
};

static struct parts parts_of(const struct brig_dsl_builder *builder, const uint32_t *node)
{
    const struct dsl_expr *test = dsl_expr_get(builder, *node);
    return test->kind == DSL_EXPR_ALL ? (struct parts){test->parts, test->count} : (struct parts){node, 1};
}

static bool is_implied(const struct brig_dsl_builder *builder, const struct dsl_expr *test, struct parts by)
{
    for (uint32_t i = 0; i < by.count && test->kind == DSL_EXPR_ARGUMENT; i++) {
        if (is_implied_by_one(test, dsl_expr_get(builder, by.nodes[i]))) {
            return true;
        }
    }
    return false;
}

// Whether all calls of a rule match another.
static bool is_within(const struct brig_dsl_builder *builder, struct parts rule, struct parts other)
{
    bool is_within = true;
    for (uint32_t i = 0; i < other.count && is_within; i++) {
        is_within = is_implied(builder, dsl_expr_get(builder, other.nodes[i]), rule);
    }
    return is_within;
}

bool dsl_is_dead_link(const struct brig_dsl_builder *builder, const uint32_t *links, uint32_t link)
{
    struct parts rule = parts_of(builder, &dsl_expr_get(builder, links[link])->parts[0]);
    for (uint32_t i = 0; i < link && i < IMPLIED_LINKS; i++) {
        if (is_within(builder, rule, parts_of(builder, &dsl_expr_get(builder, links[i])->parts[0]))) {
            return true;
        }
    }
    return false;
}
