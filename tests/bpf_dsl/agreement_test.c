// Agreement: the reference evaluator, the optimised program and the plain one say the same about every call that is tried.
// tests/tools/witness_test.c shows it for all calls.
#include "tests/bpf_dsl/program_fixture.h"
#include "tests/bpf_dsl/random_calls.h"
#include "tests/shim/test.h"

enum { POLICIES = 150, TUPLES = 1500, MOST_VALUES = 40 };

// Both programs against the rules. Returns: whether they agree.
static bool agree(const struct compiled *compiled, const struct brig_dsl_data *data)
{
    uint32_t expected = brig_dsl_evaluate(&compiled->rules, data, NULL);
    for (int form = 0; form < 2; form++) {
        if (compiled->count[form] > 0 &&
            !CHECK_EQ(brig_dsl_interpret(compiled->insns[form], compiled->count[form], data, NULL).ret, expected)) {
            return false;
        }
    }
    return true;
}

static bool visit(void *context, const struct brig_dsl_data *data)
{
    return agree(context, data);
}

static bool policy_agrees(uint64_t seed)
{
    struct random random;
    struct random_shape shape = random_shape_of(&random, seed);
    const struct compiled *compiled = program_compile(&random, &shape);
    test_message("seed %llu", (unsigned long long)seed);
    for (int form = 0; form < 2; form++) {
        bool is_too_big = compiled->codes[form] == BRIG_PROGRAM_TOO_BIG;
        if (is_too_big ? !CHECK_EQ(compiled->count[form], 0)
                       : !CHECK_EQ(compiled->codes[form], BRIG_OK) ||
                             !CHECK_EQ(brig_dsl_validate(compiled->insns[form], compiled->count[form], NULL), BRIG_OK)) {
            return false;
        }
    }
    const struct random_visitor visitor = {visit, (void *)(uintptr_t)compiled};
    bool agreed = random_visit_borders(&random, &compiled->rules, MOST_VALUES, &visitor);
    for (int i = 0; agreed && i < TUPLES; i++) {
        struct brig_dsl_data data = random_data(&random, &compiled->rules);
        agreed = agree(compiled, &data);
    }
    return agreed;
}

TEST(agreement, evaluator_optimised_and_plain_program)
{
    for (uint64_t seed = random_first_seed(), end = seed + random_policies(POLICIES); seed < end; seed++) {
        REQUIRE(policy_agrees(seed));
    }
    test_message("%s", "");
}

// Policies as people write them are never given up; wild ones rarely.
TEST(agreement, the_optimised_form_is_the_rule)
{
    int plain = 0;
    for (uint64_t seed = 1000; seed < 1200; seed++) {
        struct random random;
        struct random_shape shape = random_shape_of(&random, seed);
        plain += program_compile(&random, &shape)->forms[0].is_plain;
    }
    CHECK_LE(plain, 2);
}
