// Exact witnesses: Z3 says, for all calls, that programs decide what the rules say, and that every branch of what the compiler
// emits is one that some call takes.
#include <linux/filter.h>
#include <string.h>

#include "bpf_dsl/words.h"
#include "policies/policies.h"
#include "tests/bpf_dsl/program_fixture.h"
#include "tests/bpf_dsl/random_calls.h"
#include "tests/bpf_dsl/sample_policy.h"
#include "tests/shim/codes.h"
#include "tests/shim/test.h"
#include "tests/tools/random_program.h"
#include "tools/prove/prove.h"

enum { POLICIES = 100, TUPLES = 1000, MOST_VALUES = 12, TIMEOUT_MS = 60000 };

static struct prove_program program_of(const struct compiled *compiled, int form)
{
    return (struct prove_program){compiled->insns[form], compiled->count[form]};
}

// --- programs against rules -------------------------------------------------------------------------------------------

// Both forms against the rules, and against each other.
static bool is_proven(const struct compiled *compiled)
{
    struct prove_result result;
    struct prove_question question = {.relation = PROVE_EQUAL, .timeout_ms = TIMEOUT_MS};
    struct brig_dsl_rules rules[BRIG_DSL_ARCH_COUNT];
    for (uint32_t i = 0; i <= compiled->other_count; i++) {
        rules[i] = *program_rules_of(compiled, i);
    }
    for (int form = 0; form < 2; form++) {
        if (compiled->codes[form] != BRIG_OK) {
            continue;
        }
        const struct prove_rules_question of_rules = {.program = program_of(compiled, form),
                                                      .rules = rules,
                                                      .rules_count = compiled->other_count + 1,
                                                      .timeout_ms = TIMEOUT_MS};
        if (!CHECK_EQ(prove_rules_run(&of_rules, &result), PROVE_HOLDS)) {
            return false;
        }
        question.programs[form] = of_rules.program;
    }
    bool are_both = question.programs[0].insn_count > 0 && question.programs[1].insn_count > 0;
    return !are_both || CHECK_EQ(prove_run(&question, &result), PROVE_HOLDS);
}

// --- branches ---------------------------------------------------------------------------------------------------------

struct taking {
    struct prove_program program;
    unsigned char taken[BPF_MAXINSNS];
};

static bool run(void *context, const struct brig_dsl_data *data)
{
    struct taking *taking = context;
    prove_reach_run(&taking->program, data, taking->taken);
    return true;
}

// Whether every side of every test is taken by some call: those at the borders, random ones, and where they do not do it, Z3's.
static bool is_covered(const struct compiled *compiled, struct random *random)
{
    struct taking taking = {.program = program_of(compiled, COMPILED_OPTIMISED)};
    const struct random_visitor visitor = {run, &taking};
    struct prove_reached reached;
    for (uint32_t i = 0; i <= compiled->other_count; i++) {
        random_visit_borders(random, program_rules_of(compiled, i), MOST_VALUES, &visitor);
    }
    for (uint32_t i = 0; i < TUPLES; i++) {
        struct brig_dsl_data data = random_data(random, program_rules_of(compiled, i));
        run(&taking, &data);
    }
    enum prove_answer answer = prove_reach(&taking.program, TIMEOUT_MS, taking.taken, &reached);
    if (!CHECK_EQ(answer, PROVE_HOLDS)) {
        test_fail(__FILE__, __LINE__, "instruction %zu, side %u", reached.at, reached.side);
    }
    return answer == PROVE_HOLDS;
}

static bool is_certain(const struct compiled *compiled, struct random *random)
{
    for (int form = 0; form < 2; form++) {
        bool is_too_big = compiled->codes[form] == BRIG_PROGRAM_TOO_BIG;
        if (!CHECK(is_too_big || compiled->codes[form] == BRIG_OK)) {
            return false;
        }
    }
    // Where the optimised form was given up there is only the plain one, which asks again what it knows.
    bool is_optimised = compiled->codes[0] == BRIG_OK && !compiled->forms[0].is_plain;
    return is_proven(compiled) && (!is_optimised || is_covered(compiled, random));
}

TEST(witness, random_rules)
{
    int optimised = 0;
    for (uint64_t seed = random_first_seed(), end = seed + random_policies(POLICIES); seed < end; seed++) {
        struct random random;
        struct random_shape shape = random_shape_of(&random, seed);
        uint32_t arches = seed % 7 == 0 ? 2 + (uint32_t)(seed % 4) : 1;
        test_message("seed %llu", (unsigned long long)seed);
        const struct compiled *compiled = program_compile_arches(&random, &shape, arches);
        REQUIRE(is_certain(compiled, &random));
        optimised += compiled->codes[0] == BRIG_OK && !compiled->forms[0].is_plain;
    }
    test_message("%s", "");
    CHECK_GT(optimised, random_policies(POLICIES) * 9 / 10);
}

// --- the witnesses themselves -----------------------------------------------------------------------------------------

// Programs with one instruction spoiled: against the rules Z3 must say what it says of the programs.
TEST(witness, spoiled_programs_are_found)
{
    enum { MUTANTS = 300 };
    static struct sock_filter spoiled[BPF_MAXINSNS];
    int found = 0;
    for (uint32_t i = 0; i < random_policies(MUTANTS); i++) {
        struct random random;
        struct random_shape shape = random_shape_of(&random, i);
        shape.calls = 1 + shape.calls % 6;
        const struct compiled *compiled = program_compile(&random, &shape);
        struct prove_program good = program_of(compiled, i % 2);
        struct prove_program bad = {spoiled, good.insn_count};
        struct prove_result result;
        const struct prove_question question = {.programs = {good, bad}, .timeout_ms = TIMEOUT_MS};
        const struct prove_rules_question of_rules = {
            .program = bad, .rules = &compiled->rules, .rules_count = 1, .timeout_ms = TIMEOUT_MS};
        memcpy(spoiled, good.insns, good.insn_count * sizeof *spoiled);
        random_mutation(&random, spoiled, good.insn_count);
        test_message("mutant %u", i);
        enum prove_answer answer = prove_rules_run(&of_rules, &result);
        CHECK_EQ(answer, prove_run(&question, &result));
        found += answer == PROVE_FAILS;
    }
    CHECK_GT(found, random_policies(MUTANTS) / 2);
    CHECK_LT(found, random_policies(MUTANTS));
}

#define LOAD(word) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4 * (word))
#define TEST_K(op, k, jt, jf) BPF_JUMP(BPF_JMP | (op) | BPF_K, (k), (jt), (jf))
#define RET(k) BPF_STMT(BPF_RET | BPF_K, (k))

static const struct {
    const char *what;
    struct sock_filter insns[10];
    size_t count;
    size_t at; // of the first that no call takes
    unsigned side;
} dead_branches[] = {
    {"a test of what is known",
     {LOAD(0), TEST_K(BPF_JEQ, 5, 0, 1), TEST_K(BPF_JGT, 4, 0, 1), RET(1), RET(2)},
     5,
     2,
     PROVE_TAKEN_NO},
    {"a value outside the mask",
     {LOAD(4), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 6), TEST_K(BPF_JEQ, 1, 0, 1), RET(1), RET(2)},
     5,
     2,
     PROVE_TAKEN_YES},
    {"a number above all", {LOAD(15), TEST_K(BPF_JGT, UINT32_MAX, 0, 1), RET(1), RET(2)}, 4, 1, PROVE_TAKEN_YES},
    {"bits of a bitmap that no shift gives",
     {LOAD(4), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 3), BPF_STMT(BPF_MISC | BPF_TAX, 0), BPF_STMT(BPF_LD | BPF_IMM, 1),
      BPF_STMT(BPF_ALU | BPF_LSH | BPF_X, 0), TEST_K(BPF_JSET, 0xf0, 0, 1), RET(1), RET(2)},
     8,
     5,
     PROVE_TAKEN_YES},
    {"what nothing leads to", {BPF_STMT(BPF_JMP | BPF_JA, 1), RET(1), RET(2)}, 3, 1, PROVE_TAKEN},
};

TEST(witness, dead_branches_are_found)
{
    for (size_t i = 0; i < COUNT_OF(dead_branches); i++) {
        const struct prove_program program = {dead_branches[i].insns, dead_branches[i].count};
        unsigned char taken[BPF_MAXINSNS] = {0};
        struct prove_reached reached;
        test_message("%s", dead_branches[i].what);
        CHECK_EQ(prove_reach(&program, TIMEOUT_MS, taken, &reached), PROVE_FAILS);
        CHECK_EQ(reached.at, dead_branches[i].at);
        CHECK_EQ(reached.side, dead_branches[i].side);
    }
}

// --- policies ---------------------------------------------------------------------------------------------------------

static const struct brig_dsl_row asking_rows[] = {
    ROW(read, ALLOW),
    ROW(openat, BROKER, ONLY_BITS(flags, O_RDWR | O_CREAT)),
    ELSE(openat, CRASH),
    ROW(sendmsg, NOTIFY, IN(flags, 0)),
    ELSE(sendmsg, REPORT(EPERM)),
    ROWS_END,
};
static const struct brig_dsl_policy asking_policy = {
    .name = "asking", .rows = asking_rows, FALLBACK(BROKER), .kernel = BRIG_DSL_KERNEL(6, 18)};

static bool is_policy_certain(const struct brig_dsl_policy *policy, enum brig_dsl_arch arch, enum brig_dsl_process target)
{
    static unsigned char memory[BRIG_DSL_ARENA_BYTES];
    struct brig_dsl_options options = {.arch = arch, .target = target, .self_pid = 4242, .notify_fd = 3, .broker_fd = 4};
    struct brig_dsl_arena arena;
    struct brig_dsl_rules rules;
    struct brig_error error;
    struct random random = random_of_seed(arch);
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    test_message("%s, %s, target %d", policy->name, brig_dsl_arch_name(arch), target);
    if (!CHECK_OK(brig_dsl_resolve(policy, &options, &arena, &rules, &error), &error)) {
        return false;
    }
    const struct compiled *compiled = program_compile_rules(&rules);
    return CHECK_EQ(compiled->codes[0], BRIG_OK) && CHECK_EQ(compiled->codes[1], BRIG_OK) && is_certain(compiled, &random);
}

TEST(witness, policies)
{
    for (int arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
        for (size_t i = 0; brig_policy_all[i] != NULL; i++) {
            is_policy_certain(brig_policy_all[i], (enum brig_dsl_arch)arch, BRIG_DSL_LINKED);
        }
        is_policy_certain(&sample_policy, (enum brig_dsl_arch)arch, BRIG_DSL_LINKED);
        is_policy_certain(&asking_policy, (enum brig_dsl_arch)arch, BRIG_DSL_LINKED);
        // What changes with the target does not change with the policy.
        is_policy_certain(&asking_policy, (enum brig_dsl_arch)arch, BRIG_DSL_EXECUTED);
        is_policy_certain(&asking_policy, (enum brig_dsl_arch)arch, BRIG_DSL_NOTIFIED);
    }
}
