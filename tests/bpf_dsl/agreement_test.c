// Agreement: the reference evaluator, the optimised program and the plain one say the same about every call that is tried, and
// every branch of the optimised program is one that some call takes.
#include <string.h>

#include "tests/bpf_dsl/coverage.h"
#include "tests/bpf_dsl/program_fixture.h"
#include "tests/shim/test.h"

enum { POLICIES = 150, TUPLES = 1500 };

static unsigned char covered[2][BPF_MAXINSNS];

// Both programs against the rules. Returns: whether they agree.
static bool agree(const struct compiled *compiled, const struct brig_dsl_data *data)
{
    uint32_t expected = brig_dsl_evaluate(&compiled->rules, data, NULL);
    for (int form = 0; form < 2; form++) {
        uint32_t ret = coverage_run(compiled->insns[form], compiled->count[form], data, covered[form]);
        if (!CHECK_EQ(ret, expected)) {
            return false;
        }
    }
    return true;
}

// A value and everything beside it that compilers get wrong.
static uint64_t variant(uint64_t value, int which)
{
    switch (which) {
    case 0:
        return value;
    case 1:
        return value + 1;
    case 2:
        return value - 1;
    case 3:
        return (uint64_t)(int64_t)(int32_t)value;
    case 4:
        return (uint32_t)value;
    case 5:
        return value | (uint64_t)0xdead << 32;
    case 6:
        return value ^ (uint64_t)1 << 31;
    case 7:
        return value ^ (uint64_t)1 << 32;
    case 8:
        return ~value;
    default:
        return value << 32;
    }
}
enum { VARIANTS = 10 };

// Each value of each condition, with its neighbours, in calls that otherwise look like one that matters.
static bool borders_agree(const struct compiled *compiled, struct random *random, enum brig_dsl_call call)
{
    const struct brig_dsl_call_rules *rules = &compiled->rules.calls[call];
    for (uint32_t r = 0; r < rules->rule_count; r++) {
        for (uint32_t c = 0; c < rules->rules[r]->condition_count; c++) {
            const struct brig_dsl_rule_condition *condition = &rules->rules[r]->conditions[c];
            for (uint32_t v = 0; v < condition->value_count * VARIANTS; v++) {
                struct brig_dsl_data data = random_data(random, &compiled->rules);
                data.nr = (uint32_t)brig_dsl_call_nr(call, compiled->rules.arch);
                data.audit_arch = brig_dsl_arch_audit(compiled->rules.arch);
                data.args[condition->argument] = variant(condition->values[v / VARIANTS], (int)(v % VARIANTS));
                if (!agree(compiled, &data)) {
                    return false;
                }
            }
        }
    }
    return true;
}

static bool numbers_agree(const struct compiled *compiled)
{
    static const uint32_t others[] = {0x3fffffff, 0x40000000, 0x40000001, 0x7fffffff, 0x80000000, 0xc0000000, 0xffffffff, 0xf0000,
                                      0xf0001,    0xf0005,    0xf0006,    0xb168,     0xb169,     0xb16a,     0xb16b};
    struct brig_dsl_data data = {.audit_arch = brig_dsl_arch_audit(compiled->rules.arch)};
    for (uint32_t i = 0; i < 1100 + COUNT_OF(others); i++) {
        data.nr = i < 1100 ? i : others[i - 1100];
        if (!agree(compiled, &data)) {
            return false;
        }
    }
    for (uint32_t arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
        data.audit_arch = brig_dsl_arch_audit((enum brig_dsl_arch)arch);
        if (!agree(compiled, &data)) {
            return false;
        }
    }
    return true;
}

static bool policy_agrees(uint64_t seed)
{
    struct random random;
    struct random_shape shape = program_shape(&random, seed);
    const struct compiled *compiled = program_compile(&random, &shape);
    test_message("seed %llu", (unsigned long long)seed);
    if (!CHECK_EQ(compiled->codes[0], BRIG_OK) || !CHECK_EQ(compiled->codes[1], BRIG_OK)) {
        return false;
    }
    memset(covered, 0, sizeof covered);
    for (int form = 0; form < 2; form++) {
        if (!CHECK_EQ(brig_dsl_validate(compiled->insns[form], compiled->count[form], NULL), BRIG_OK)) {
            return false;
        }
    }
    bool agreed = numbers_agree(compiled);
    for (int call = BRIG_SYS_NONE + 1; agreed && call < BRIG_SYS_COUNT; call++) {
        bool exists = brig_dsl_call_nr((enum brig_dsl_call)call, shape.arch) >= 0;
        agreed = !exists || borders_agree(compiled, &random, (enum brig_dsl_call)call);
    }
    for (int i = 0; agreed && i < TUPLES; i++) {
        struct brig_dsl_data data = random_data(&random, &compiled->rules);
        agreed = agree(compiled, &data);
    }
    // Where the optimised form was given up there is only the plain one, which asks again what it knows.
    bool is_optimised = !compiled->forms[0].is_plain;
    return agreed &&
           (!is_optimised || CHECK_EQ(coverage_complete(compiled->insns[0], compiled->count[0], covered[0]), compiled->count[0]));
}

TEST(agreement, evaluator_optimised_and_plain_program)
{
    for (uint64_t seed = 1; seed <= POLICIES; seed++) {
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
        struct random_shape shape = program_shape(&random, seed);
        plain += program_compile(&random, &shape)->forms[0].is_plain;
    }
    CHECK_LE(plain, 2);
}
