// Policies as rows with text: the rules mean what their author meant, and the programs, by either door of the compiler, decide it.
#include "bpf_dsl/lower.h"
#include "bpf_dsl/program.h"
#include "tests/bpf_dsl/random_calls.h"
#include "tests/bpf_dsl/random_policy.h"
#include "tests/shim/codes.h"
#include "tests/shim/test.h"

enum { POLICIES = 200, TUPLES = 500, MOST_VALUES = 6 };

static _Alignas(16) unsigned char policy_memory[8 << 20];
static _Alignas(16) unsigned char rules_memory[4 << 20];
static _Alignas(16) unsigned char program_memory[3][8 << 20];

struct made {
    const struct random_policy *random;
    struct brig_dsl_rules rules;
    struct brig_dsl_program programs[3]; // optimised, plain, and from the same rules as an evaluator that is not known to be rows
};

static bool agrees(void *context, const struct brig_dsl_data *data)
{
    const struct made *made = context;
    const char *dispute = random_policy_dispute(made->random, &made->rules, data);
    if (!CHECK_STR_EQ(dispute != NULL ? dispute : "", "")) {
        return false;
    }
    uint32_t expected = brig_dsl_evaluate(&made->rules, data, NULL);
    for (size_t i = 0; i < COUNT_OF(made->programs); i++) {
        const struct brig_dsl_program *program = &made->programs[i];
        if (program->insn_count > 0 &&
            !CHECK_EQ(brig_dsl_interpret(program->insns, program->insn_count, data, NULL).ret, expected)) {
            return false;
        }
    }
    return true;
}

// Returns: false if a compile failed for another reason than that a program would be too big.
static bool compile(struct made *made, int *fitting)
{
    struct brig_error error;
    for (int i = 0; i < 3; i++) {
        struct brig_dsl_arena arena;
        struct brig_dsl_options options = made->random->options;
        struct brig_dsl_evaluator evaluator = dsl_rules_evaluator(&made->rules);
        options.plain = i == 1;
        brig_dsl_arena_init(&arena, program_memory[i], sizeof program_memory[i]);
        enum brig_code code = i == 2 ? brig_dsl_compile_with(&evaluator, &options, &arena, &made->programs[i], &error)
                                     : brig_dsl_compile(&made->random->policy, &options, &arena, &made->programs[i], &error);
        *fitting += code == BRIG_OK;
        if (code != BRIG_PROGRAM_TOO_BIG && !CHECK_OK(code, &error)) {
            return false;
        }
    }
    return true;
}

static bool policy_is_meant(uint64_t seed, int *fitting)
{
    struct made made = {.random = NULL};
    struct brig_error error;
    struct brig_dsl_arena arenas[2];
    struct random random = random_of_seed(seed);
    test_message("seed %llu", (unsigned long long)seed);
    brig_dsl_arena_init(&arenas[0], policy_memory, sizeof policy_memory);
    brig_dsl_arena_init(&arenas[1], rules_memory, sizeof rules_memory);
    made.random = random_policy_of(seed, &arenas[0]);
    enum brig_code code = brig_dsl_resolve(&made.random->policy, &made.random->options, &arenas[1], &made.rules, &error);
    if (!CHECK_OK(code, &error) || !compile(&made, fitting)) {
        return false;
    }
    const struct random_visitor visitor = {agrees, &made};
    bool agreed = random_visit_borders(&random, &made.rules, MOST_VALUES, &visitor);
    for (int i = 0; agreed && i < TUPLES; i++) {
        struct brig_dsl_data data = random_data(&random, &made.rules);
        agreed = agrees(&made, &data);
    }
    return agreed;
}

TEST(random_policy, means_what_its_author_meant)
{
    int fitting = 0;
    for (uint64_t seed = random_first_seed(), end = seed + random_policies(POLICIES); seed < end; seed++) {
        REQUIRE(policy_is_meant(seed, &fitting));
    }
    CHECK_GT(fitting, 3 * random_policies(POLICIES) * 9 / 10);
}
