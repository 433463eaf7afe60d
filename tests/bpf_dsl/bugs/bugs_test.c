// Deliberate mistakes in single passes (bugs.txt), switched on one by one. Each must be caught by the always-on check and by the
// witnesses, and no program that decides wrongly may ever be returned.
#include "tests/bpf_dsl/bugs/bugs_list.h" // made by bugs.py
#include "tests/bpf_dsl/program_fixture.h"
#include "tests/bpf_dsl/random_calls.h"
#include "tests/shim/test.h"

enum { POLICIES = 400, TUPLES = 300, MOST_VALUES = 8 };

int dsl_deliberate_bug;

struct comparison {
    const struct compiled *compiled;
    int form;
};

static bool is_decided_alike(void *context, const struct brig_dsl_data *data)
{
    const struct comparison *comparison = context;
    const struct compiled *compiled = comparison->compiled;
    return brig_dsl_interpret(compiled->insns[comparison->form], compiled->count[comparison->form], data, NULL).ret ==
           program_expected(compiled, data);
}

// Whether some call is decided otherwise than the rules say. Returns: true if one was found.
static bool differs(const struct compiled *compiled, int form, struct random *random)
{
    struct comparison comparison = {compiled, form};
    const struct random_visitor visitor = {is_decided_alike, &comparison};
    for (int i = 0; i < TUPLES; i++) {
        struct brig_dsl_data data = random_data(random, program_rules_of(compiled, (uint32_t)i));
        if (!is_decided_alike(&comparison, &data)) {
            return true;
        }
    }
    for (uint32_t i = 0; i <= compiled->other_count; i++) {
        if (!random_visit_borders(random, program_rules_of(compiled, i), MOST_VALUES, &visitor)) {
            return true;
        }
    }
    return false;
}

// Looks for policies that a mistake spoils, until both have caught it.
static bool is_caught(int bug)
{
    bool by_check = false;
    bool by_witnesses = false;
    for (uint64_t seed = 1; seed <= POLICIES && !(by_check && by_witnesses); seed++) {
        struct random random;
        struct random_shape shape = random_shape_of(&random, seed);
        dsl_deliberate_bug = bug;
        const struct compiled *compiled = program_compile_arches(&random, &shape, seed % 3 == 0 ? 2 + seed % 4 : 1);
        dsl_deliberate_bug = 0;
        for (int form = 0; form < 2; form++) {
            bool refused = compiled->codes[form] == BRIG_BUG_CHECK_FAILED;
            bool is_valid =
                compiled->count[form] > 0 && brig_dsl_validate(compiled->insns[form], compiled->count[form], NULL) == BRIG_OK;
            bool wrong = is_valid && differs(compiled, form, &random);
            test_message("%s, seed %llu, form %d", bug_names[bug - 1], (unsigned long long)seed, form);
            if (!CHECK(!wrong || compiled->codes[form] != BRIG_OK)) {
                return false;
            }
            by_check |= refused;
            by_witnesses |= wrong;
        }
    }
    return CHECK(by_check) && CHECK(by_witnesses);
}

TEST(bugs, each_is_caught_by_the_check_and_by_the_witnesses)
{
    for (size_t i = 0; i < COUNT_OF(bug_names); i++) {
        is_caught((int)i + 1);
    }
    test_message("%s", "");
}

TEST(bugs, are_all_off_at_first)
{
    struct random random;
    struct random_shape shape = random_shape_of(&random, 1);
    const struct compiled *compiled = program_compile(&random, &shape);
    CHECK_EQ(compiled->codes[0], BRIG_OK);
    CHECK(!differs(compiled, 0, &random));
}
