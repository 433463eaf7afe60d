// check: proves that a program decides what the rules say. Internal to bpf_dsl.
//
//   check_conditions.c   conditions of rules as sets of numbers
//   check_facts.c        what a path has found out about each word, and sets of numbers
//   check_words.c        everything that is known of one word, through however many masks
//   check_worth.c        what a condition is worth under the facts
//   check_sides.c        which values of a word go which way at a test
//   check_subjects.c     what the rules say about a number, compared with one return value
//   check_insns.c        the program as text
//   check_walk.c         all paths of the program
//   check_rules.c        in which manners the code of a call's rules is walked
//   check_chains.c       a rule at a time
//   check_calls.c        calls that are made up, to see which sides of tests are taken
//   check_dead.c         rules that are never the first to match
//   check_joins.c        what of it was walked already
//   check_tests.c        which conditions it looks at below an instruction
//   check_cut.c          a program without sides that no call takes
//   check.c              the whole
//
// Nothing here is shared with expressions' lowering, decisions, tree or codegen: the operators are read from the rules once more,
// sets are built once more, and the walk sees only the bytes that will reach the kernel.
#ifndef BRIG_BPF_DSL_CHECK_H
#define BRIG_BPF_DSL_CHECK_H

#include "bpf_dsl/expr_nodes.h"
#include "bpf_dsl/rules.h"

enum dsl_checked {
    DSL_CHECKED_EQUAL,
    DSL_CHECKED_DIFFERENT, // a call exists for which the program returns something else
    DSL_CHECKED_UNDECIDED, // out of budget or arena, or the program does what the walk does not follow
};

// One of the arches of a program, and who decides its calls.
struct dsl_target {
    enum brig_dsl_arch arch;
    const struct brig_dsl_rules *rules; // what the program must say; NULL: what `evaluator` says, asked again
    struct brig_dsl_evaluator evaluator;
};

// What a check may cost: enough for what people write, which takes some milliseconds where it is used up; and what is spent, some
// seconds, where the alternative is no program.
#define DSL_CHECK_STEPS 3000000u
#define DSL_CHECK_MOST_STEPS 100000000u
// For each instruction, before the walk of a call's rules begins to forget facts (check_joins.c): enough for most. Without any, all
// that can be forgotten is.
#define DSL_CHECK_PATIENCE 20u

// Ways through a chain that are walked with all facts; one with more is walked a rule at a time (check_chains.c), which takes less
// and then has to look for the sides that no call takes. Below CHECK_MOST_ENDS.
#define DSL_CHECK_FEW_WAYS 100u

struct dsl_check_input {
    const struct dsl_target *targets; // the first one says what other arches get; all of a kind
    uint32_t target_count;
    struct brig_dsl_builder *builder; // without rules only
    const struct sock_filter *insns;  // valid
    uint32_t insn_count;
    uint32_t steps;         // DSL_CHECK_STEPS, or more
    uint32_t patience;      // DSL_CHECK_PATIENCE
    const uint64_t *chains; // BRIG_DSL_TRAP_NRS bits: numbers whose rules are likely asked one after the other; NULL: none
    uint32_t few_ways;      // DSL_CHECK_FEW_WAYS
    unsigned char *taken; // by instruction: which sides of a test calls take, and maybe more (clean.h), where it is equal; or NULL
};

// Compares a program with the rules for all numbers, arches and arguments. *ret_nr is a number that is decided differently.
enum dsl_checked dsl_check(const struct dsl_check_input *input, struct brig_dsl_arena *arena, uint32_t *ret_nr);

// Whether a program, `cut`, does what another one does for all calls, of which `taken` says what sides of the other one's tests
// they take. Returns: false also where that was not found out.
struct dsl_code;
bool dsl_check_is_cut(const struct dsl_code *whole, const unsigned char *taken, const struct dsl_code *cut);

#endif
