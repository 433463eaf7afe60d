// Policies as code: programs decide what a plain reading of the same trees does.
#include "bpf_dsl/program.h"
#include "tests/bpf_dsl/random_expr.h"
#include "tests/shim/codes.h"
#include "tests/shim/test.h"

enum { POLICIES = 200, TUPLES = 3000 };

static _Alignas(16) unsigned char tree_memory[8 << 20];
static _Alignas(16) unsigned char program_memory[2][8 << 20];

static bool compile(const struct random_expr *expr, struct brig_dsl_program programs[2], int *fitting)
{
    for (int i = 0; i < 2; i++) {
        struct brig_dsl_options options = {.arch = expr->arch, .plain = i == 1};
        struct brig_dsl_arena arena;
        struct brig_error error;
        brig_dsl_arena_init(&arena, program_memory[i], sizeof program_memory[i]);
        enum brig_code code = brig_dsl_compile_with(&expr->evaluator, &options, &arena, &programs[i], &error);
        *fitting += code == BRIG_OK;
        if (code != BRIG_PROGRAM_TOO_BIG && !CHECK_OK(code, &error)) {
            return false;
        }
    }
    return true;
}

static bool is_read_alike(uint64_t seed, int *fitting)
{
    struct brig_dsl_program programs[2] = {{.insn_count = 0}, {.insn_count = 0}};
    struct random random = random_of_seed(seed);
    struct brig_dsl_arena arena;
    brig_dsl_arena_init(&arena, tree_memory, sizeof tree_memory);
    const struct random_expr *expr = random_expr_of(seed, &arena);
    test_message("seed %llu", (unsigned long long)seed);
    if (!compile(expr, programs, fitting)) {
        return false;
    }
    for (int i = 0; i < TUPLES; i++) {
        struct brig_dsl_data data = random_expr_data(&random, expr);
        uint32_t expected = random_expr_decide(expr, &data);
        for (int form = 0; form < 2; form++) {
            const struct brig_dsl_program *program = &programs[form];
            if (program->insn_count > 0 &&
                !CHECK_EQ(brig_dsl_interpret(program->insns, program->insn_count, &data, NULL).ret, expected)) {
                return false;
            }
        }
    }
    return true;
}

TEST(random_expr, is_read_alike)
{
    int fitting = 0;
    for (uint64_t seed = random_first_seed(), end = seed + random_policies(POLICIES); seed < end; seed++) {
        REQUIRE(is_read_alike(seed, &fitting));
    }
    CHECK_GT(fitting, 2 * random_policies(POLICIES) * 9 / 10);
}
