// Programs for the tests of the compiler: compiled from rules, with every stage at hand.
#ifndef BRIG_TESTS_BPF_DSL_PROGRAM_FIXTURE_H
#define BRIG_TESTS_BPF_DSL_PROGRAM_FIXTURE_H

#include "bpf_dsl/check.h"
#include "bpf_dsl/compile.h"
#include "bpf_dsl/program.h"
#include "tests/bpf_dsl/random_rules.h"

// One policy of the generator, compiled both ways.
struct compiled {
    struct brig_dsl_rules rules;
    struct brig_dsl_rules others[BRIG_DSL_ARCH_COUNT - 1]; // of more arches that the program is for
    uint32_t other_count;
    struct brig_dsl_profile profile;
    struct brig_dsl_options options[2];
    struct brig_dsl_arena arenas[3];
    struct dsl_compilation forms[2]; // optimised, plain
    const struct sock_filter *insns[2];
    uint32_t count[2];
    enum brig_code codes[2];
};

enum { COMPILED_OPTIMISED, COMPILED_PLAIN };

// Makes rules and compiles them, in memory that the next call takes again. Returns: the result, with a code for each form.
const struct compiled *program_compile(struct random *random, const struct random_shape *shape);

// The same for `count` arches, from the shape's on, in one program. Their rules are alike, or have nothing to do with each other.
const struct compiled *program_compile_arches(struct random *random, const struct random_shape *shape, uint32_t count);

// The rules of arch number `index` of a program, round and round.
const struct brig_dsl_rules *program_rules_of(const struct compiled *of, uint32_t index);

// What the rules say that a program was made from; those of the first arch where the call is of none.
uint32_t program_expected(const struct compiled *of, const struct brig_dsl_data *data);

// The same for rules that are there; changed copies of the last call's are good.
const struct compiled *program_compile_rules(const struct brig_dsl_rules *rules);

// Shapes of long lists of rules of one call that overlap.
struct random_shape program_long_shape(struct random *random, uint64_t seed);

// Checks a program against the rules of the first arch, a rule at a time wherever that can be. `ret_taken`: a byte for each
// instruction, as in struct dsl_check_input; or NULL.
enum dsl_checked program_check(const struct compiled *of, const struct sock_filter *insns, uint32_t count,
                               unsigned char *ret_taken);

// Rules of one call on x86_64, for tables of tests: everything else gets the fallback ERRNO(1), numbers that are no call ERRNO(38).
struct brig_dsl_rules program_rules(enum brig_dsl_call call, const struct brig_dsl_rule *const *rules, uint32_t count);

#endif
