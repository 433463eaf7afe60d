// check_chains: programs that ask one rule after the other.
//
// Takes: a path that comes to a load, with what it knows. Gives: whether the code of another rule begins there, all rules before
// which are out, and whether it was walked already. From there on the path goes by that rule, and knows nothing any more: "from
// here on, whatever the arguments are, the program says what this rule and those behind it say". So each rule's code is walked
// once, not once for each way through those before it. Requires: a path of a subject with rules. How: the code of a rule is known
// by its text, a load and a test of one of the rule's borders. Guarantees: what is said to be walked was, by a path that knew
// nothing; a walk that comes to a wrong end proves nothing about the program, only about what was forgotten. Weaknesses: rules
// whose code shares more than its end with another's are walked with all facts, or not proven this way.
#include "bpf_dsl/check_parts.h"

#include <linux/filter.h>
#include <string.h>

enum { MOST_SPANS = 4 }; // of a condition whose borders are compared with a test

// --- what a rule asks -------------------------------------------------------------------------------------------------

// Half of a condition: what it asks of one word.
struct half {
    const struct check_condition *condition;
    uint32_t word;
    uint32_t shift; // of its part of a number
    uint32_t mask;
};

static struct half half_of(const struct check_condition *condition, uint32_t high)
{
    uint32_t word = CHECK_ARGUMENTS + 2u * condition->argument + high;
    return (struct half){condition, word, 32 * high, (uint32_t)(condition->mask >> 32 * high)};
}

static uint32_t count_halves(const struct check_condition *condition)
{
    return condition->is_wide ? 2 : 1;
}

// --- what the program asks --------------------------------------------------------------------------------------------

// "(word & mask) is below `border`", or is `value`.
struct asked {
    uint32_t word;
    uint32_t mask;
    uint32_t border;
    bool is_value;
};

// Reads what is tested next: a word that is loaded, or is there. Returns: false where it is something else.
static bool read_asked(const struct dsl_check_walk *walk, const struct check_path *path, struct asked *ret_asked)
{
    const struct sock_filter *insn = &walk->insns[path->pc];
    bool is_load = insn->code == (BPF_LD | BPF_W | BPF_ABS);
    if (!is_load && (path->a.held != CHECK_HELD_WORD || path->a.minus != 0)) {
        return false;
    }
    *ret_asked = (struct asked){is_load ? insn->k / 4 : path->a.word, is_load ? UINT32_MAX : path->a.mask, 0, false};
    insn += is_load; // which is never the last
    if (insn->code == (BPF_ALU | BPF_AND | BPF_K)) {
        ret_asked->mask &= insn->k;
        insn++;
    }
    ret_asked->border = insn->k;
    switch (insn->code) {
    case BPF_JMP | BPF_JSET | BPF_K:
        ret_asked->mask &= insn->k;
        ret_asked->border = 1;
        return true;
    case BPF_JMP | BPF_JGT | BPF_K:
        ret_asked->border++;
        return true;
    case BPF_JMP | BPF_JGE | BPF_K:
        return true;
    case BPF_JMP | BPF_JEQ | BPF_K:
        ret_asked->is_value = true;
        return true;
    default:
        return false;
    }
}

static bool is_border_of(const struct half *half, const struct asked *asked)
{
    for (uint32_t i = 0; i < half->condition->count && i < MOST_SPANS; i++) {
        uint32_t first = (uint32_t)(half->condition->spans[i].first >> half->shift);
        uint32_t last = (uint32_t)(half->condition->spans[i].last >> half->shift);
        // A value has a border on each side.
        if (first - asked->border <= asked->is_value || last + 1 - asked->border <= asked->is_value) {
            return true;
        }
    }
    return false;
}

// Whether what is asked is about a border of the rule.
static bool is_about(const struct check_rule *rule, const struct asked *asked)
{
    for (uint32_t i = 0; i < rule->count; i++) {
        for (uint32_t high = 0; high < count_halves(&rule->conditions[i]); high++) {
            const struct half half = half_of(&rule->conditions[i], high);
            if (half.word == asked->word && half.mask == asked->mask && is_border_of(&half, asked)) {
                return true;
            }
        }
    }
    return false;
}

// --- links ------------------------------------------------------------------------------------------------------------

// Whether all rules from the path's on up to `rule` are out, where those before it are. A dead rule is where the one that takes its
// calls is, unless the program was found to ask for it all the same.
static bool is_rule_out(struct dsl_check_walk *walk, const struct check_path *path, uint32_t rule)
{
    const struct check_rule *rules = path->subject->rules;
    return (rule > path->first_rule && rules[rule].is_dead) || dsl_check_is_out(&rules[rule], NULL, &walk->facts);
}

// The first rule behind the path's whose code may begin here, where all before it are out. Returns: how many rules there are for
// none.
static uint32_t find_rule(struct dsl_check_walk *walk, const struct check_path *path)
{
    const struct check_rule *rules = path->subject->rules;
    const uint32_t count = path->subject->rule_count;
    uint32_t rule = path->first_rule + 1;
    struct asked asked;
    if (rule >= count || !read_asked(walk, path, &asked)) {
        return count;
    }
    if (is_about(&rules[rule - 1], &asked) && !is_about(&rules[rule], &asked)) {
        return count; // in the midst of the path's rule, as most tests are
    }
    for (; rule < count && is_rule_out(walk, path, rule - 1); rule++) {
        if (is_about(&rules[rule], &asked)) {
            return rule;
        }
    }
    return count;
}

// Everything but the arch and the number: the instruction pointer as well.
static void forget_all(struct check_facts *facts)
{
    for (uint32_t word = CHECK_ARCH + 1; word < CHECK_WORDS; word++) {
        if (!dsl_check_is_untouched(facts, word)) {
            dsl_check_unlearn(facts, word);
        }
    }
}

// Returns: false when the arena is exhausted, or the program is not one that can be cut into links here.
static bool is_ready(struct dsl_check_walk *walk, const struct check_path *path)
{
    const uint32_t decided = 1u << CHECK_NR | 1u << CHECK_ARCH; // what the subject stands for
    if (walk->links == NULL) {
        walk->links = DSL_ARENA_ARRAY(walk->arena, struct check_link, walk->insn_count);
        if (walk->links == NULL) {
            return false;
        }
        memset(walk->links, 0, walk->insn_count * sizeof *walk->links);
    }
    if (!walk->is_read) {
        dsl_check_read_insns(walk);
    }
    const struct check_insn *about = &walk->about[path->pc];
    return !about->reads_x && (about->words & decided) == 0 && path->subject->rule_count <= UINT16_MAX;
}

bool dsl_check_is_link_walked(struct dsl_check_walk *walk, struct check_path *path)
{
    uint32_t rule = is_ready(walk, path) ? find_rule(walk, path) : path->subject->rule_count;
    if (rule == path->subject->rule_count) {
        return false;
    }
    struct check_link *link = &walk->links[path->pc];
    bool is_load = walk->insns[path->pc].code == (BPF_LD | BPF_W | BPF_ABS);
    const struct check_link wanted = {(uint16_t)rule, is_load ? 0 : (uint16_t)path->a.word, is_load ? 0 : path->a.mask};
    if (link->rule == wanted.rule && link->word == wanted.word && link->mask == wanted.mask) {
        return true;
    }
    *link = wanted;
    path->first_rule = rule;
    forget_all(&walk->facts);
    return false;
}

uint32_t dsl_check_pass_links(struct dsl_check_walk *walk, const struct check_path *path)
{
    uint32_t rule = path->first_rule;
    while (rule + 1 < path->subject->rule_count && is_rule_out(walk, path, rule)) {
        rule++;
    }
    return rule;
}
