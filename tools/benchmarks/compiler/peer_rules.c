// peer_rules: a policy's rules as libseccomp takes them.
//
// Takes: resolved rules. Gives: rules with at most one comparison for each argument, in one of two ways. In order, they stand as in
// the policy, and overlap with whatever action; libseccomp promises nothing for those that overlap with different actions, but its
// trees put the more exact comparison first, which often is the same. Apart, what an earlier rule with another action takes is
// taken out of the later ones, so that no two overlap. Guarantees: apart, the rules mean what the policy says, or there is a reason
// why not. Weaknesses: reserved and unknown numbers, and the data of a TRAP, are left out, since libseccomp cannot say them.
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "tools/benchmarks/compiler/peer.h"

enum { CUBES_MAX = 2048 };

// Rules of one call under construction, without number and action.
struct cubes {
    struct peer_rule rules[CUBES_MAX];
    size_t count;
};

struct maker {
    struct peer_rules *out;
    enum brig_dsl_call call;
    struct cubes *cubes; // of the rule at work
    struct cubes *spare;
};

static void give_up(struct maker *maker, const char *why, unsigned argument)
{
    if (maker->out->why_not[0] == '\0') {
        snprintf(maker->out->why_not, sizeof maker->out->why_not, "not expressible: %s, argument %u: %s",
                 brig_dsl_call_name(maker->call), argument, why);
    }
}

uint32_t peer_action(uint32_t ret)
{
    return (ret & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRAP ? SECCOMP_RET_TRAP : ret;
}

// --- cubes ------------------------------------------------------------------------------------------------------------

static void add_cube(struct maker *maker, struct cubes *cubes, const struct peer_rule *cube)
{
    if (cubes->count == CUBES_MAX) {
        give_up(maker, "too many rules", 0);
        return;
    }
    cubes->rules[cubes->count++] = *cube;
}

static void swap_cubes(struct maker *maker)
{
    struct cubes *made = maker->spare;
    maker->spare = maker->cubes;
    maker->cubes = made;
}

// Narrows what `cube` says of one argument to `comparison` as well.
static void add_narrowed(struct maker *maker, struct peer_rule cube, unsigned argument, const struct peer_comparison *comparison)
{
    struct peer_comparison *at = &cube.arguments[argument];
    if (peer_is_apart(at, comparison)) {
        return;
    }
    if (!peer_is_within(at, comparison)) {
        if (!peer_is_within(comparison, at)) {
            give_up(maker, "needs two comparisons", argument);
            return;
        }
        *at = *comparison;
    }
    add_cube(maker, maker->spare, &cube);
}

static void and_condition(struct maker *maker, const struct brig_dsl_rule_condition *condition)
{
    static struct peer_alternatives alternatives;
    const char *why_not = peer_list_alternatives(condition, &alternatives);
    if (why_not || alternatives.count > PEER_ALTERNATIVES_MAX) {
        give_up(maker, why_not ? why_not : "too many values", condition->argument);
        return;
    }
    maker->spare->count = 0;
    for (size_t i = 0; i < maker->cubes->count; i++) {
        for (size_t j = 0; j < alternatives.count; j++) {
            add_narrowed(maker, maker->cubes->rules[i], condition->argument, &alternatives.parts[j]);
        }
    }
    swap_cubes(maker);
}

static void cubes_of_rule(struct maker *maker, const struct brig_dsl_rule *rule)
{
    static const struct peer_rule everything;
    maker->cubes->count = 0;
    add_cube(maker, maker->cubes, &everything);
    for (uint32_t i = 0; i < rule->condition_count && maker->out->why_not[0] == '\0'; i++) {
        and_condition(maker, &rule->conditions[i]);
    }
}

static bool cubes_are_apart(const struct peer_rule *a, const struct peer_rule *b)
{
    for (int i = 0; i < 6; i++) {
        if (peer_is_apart(&a->arguments[i], &b->arguments[i])) {
            return true;
        }
    }
    return false;
}

// Adds what is left of `cube` without `taken` to the spare cubes: for each argument that `taken` compares, those that differ there.
static void add_difference(struct maker *maker, const struct peer_rule *cube, const struct peer_rule *taken)
{
    struct peer_comparison parts[PEER_PARTS_MAX];
    if (cubes_are_apart(cube, taken)) {
        add_cube(maker, maker->spare, cube);
        return;
    }
    for (unsigned i = 0; i < 6; i++) {
        if (peer_is_within(&cube->arguments[i], &taken->arguments[i])) {
            continue;
        }
        const size_t count = peer_negate(&taken->arguments[i], parts);
        if (count == 0) {
            give_up(maker, "the rest beside other rules has no form", i);
        }
        for (size_t j = 0; j < count; j++) {
            add_narrowed(maker, *cube, i, &parts[j]);
        }
    }
}

static void take_out(struct maker *maker, const struct peer_rule *taken)
{
    maker->spare->count = 0;
    for (size_t i = 0; i < maker->cubes->count && maker->out->why_not[0] == '\0'; i++) {
        add_difference(maker, &maker->cubes->rules[i], taken);
    }
    swap_cubes(maker);
}

// --- calls ------------------------------------------------------------------------------------------------------------

// Keeps the cubes at work as rules with `action`.
static void keep_cubes(struct maker *maker, uint32_t nr, uint32_t action)
{
    struct peer_rules *out = maker->out;
    for (size_t i = 0; i < maker->cubes->count; i++) {
        if (out->count == PEER_RULES_MAX) {
            give_up(maker, "too many rules", 0);
            return;
        }
        out->rules[out->count] = maker->cubes->rules[i];
        out->rules[out->count].nr = nr;
        out->rules[out->count++].action = action;
    }
}

// libseccomp lets an unconditional rule replace all others of its call. One that compares an argument with nothing does not.
static void pretend_condition(struct maker *maker, size_t first)
{
    for (size_t i = 0; first < maker->out->count && i < 6; i++) {
        if (maker->out->rules[first].arguments[i].op != PEER_ANY) {
            maker->cubes->rules[0].arguments[i] = peer_masked(0, 0);
            return;
        }
    }
}

static void add_rule_in_order(struct maker *maker, uint32_t nr, size_t first, const struct brig_dsl_rule *rule)
{
    const uint32_t action = peer_action(rule->ret);
    cubes_of_rule(maker, rule);
    if (rule->condition_count == 0) {
        pretend_condition(maker, first);
    }
    if (action != maker->out->fallback) {
        keep_cubes(maker, nr, action);
    }
}

// Rules with the fallback's action are kept until the call is done: others have to make room for them.
static void add_rule_apart(struct maker *maker, uint32_t nr, size_t first, const struct brig_dsl_rule *rule)
{
    const uint32_t action = peer_action(rule->ret);
    cubes_of_rule(maker, rule);
    for (size_t i = first; i < maker->out->count && maker->out->why_not[0] == '\0'; i++) {
        if (maker->out->rules[i].action != action) {
            take_out(maker, &maker->out->rules[i]);
        }
    }
    keep_cubes(maker, nr, action);
}

static void drop_fallbacks(struct peer_rules *out, size_t first)
{
    size_t kept = first;
    for (size_t i = first; i < out->count; i++) {
        if (out->rules[i].action != out->fallback) {
            out->rules[kept++] = out->rules[i];
        }
    }
    out->count = kept;
}

// Rules at the end that do what the fallback does need not be said.
static uint32_t count_needed(const struct brig_dsl_call_rules *of_call, uint32_t fallback)
{
    uint32_t count = of_call->rule_count;
    while (count > 0 && peer_action(of_call->rules[count - 1]->ret) == fallback) {
        count--;
    }
    return count;
}

static void add_call(struct maker *maker, const struct brig_dsl_rules *rules, bool in_order)
{
    const struct brig_dsl_call_rules *of_call = brig_dsl_rules_of(rules, maker->call);
    const int32_t nr = brig_dsl_call_nr(maker->call, rules->arch);
    const size_t first = maker->out->count;
    if (nr < 0) {
        return;
    }
    if (of_call->rule_count == 0 && brig_dsl_call_since(maker->call) > rules->kernel) {
        const struct brig_dsl_rule unknown = {.ret = rules->unknown_ret};
        add_rule_in_order(maker, (uint32_t)nr, first, &unknown);
    }
    const uint32_t needed = count_needed(of_call, maker->out->fallback);
    for (uint32_t i = 0; i < needed && maker->out->why_not[0] == '\0'; i++) {
        (in_order ? add_rule_in_order : add_rule_apart)(maker, (uint32_t)nr, first, of_call->rules[i]);
    }
    drop_fallbacks(maker->out, first);
}

// --- entries ----------------------------------------------------------------------------------------------------------

void peer_rules_free(struct peer_rules *rules)
{
    if (rules) {
        free(rules->rules);
    }
    free(rules);
}

struct peer_rules *peer_rules_make(const struct brig_dsl_rules *rules, bool in_order)
{
    static struct cubes cubes[2];
    struct peer_rules *made = calloc(1, sizeof *made);
    if (!made || !(made->rules = malloc(PEER_RULES_MAX * sizeof *made->rules))) {
        free(made);
        return NULL;
    }
    made->fallback = peer_action(rules->fallback_ret);
    made->foreign = peer_action(rules->foreign_ret);
    struct maker maker = {.out = made, .cubes = &cubes[0], .spare = &cubes[1]};
    for (int call = BRIG_SYS_NONE + 1; call < BRIG_SYS_COUNT && made->why_not[0] == '\0'; call++) {
        maker.call = (enum brig_dsl_call)call;
        add_call(&maker, rules, in_order);
    }
    return made;
}
