// Programs of any origin, optimised: they return the same, are not bigger, and the bitmap answers what it did.
#include "bpf_dsl/optimize.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "bpf_dsl/check_programs.h"
#include "bpf_dsl/measure.h"
#include "tests/bpf_dsl/random_filter.h"
#include "tests/bpf_dsl/random_insns.h"
#include "tests/shim/test.h"

enum { CALLS = 400 };

static struct brig_dsl_arena arena;
static unsigned char *memory;

static struct brig_dsl_optimized optimize(const struct sock_filter *insns, uint32_t count)
{
    struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT;
    struct brig_dsl_optimized optimized = {.insns = NULL};
    struct brig_error error = {.code = BRIG_OK};
    memory = memory == NULL ? malloc(BRIG_DSL_OPTIMIZE_ARENA_BYTES) : memory;
    brig_dsl_arena_init(&arena, memory, BRIG_DSL_OPTIMIZE_ARENA_BYTES);
    enum brig_code code = brig_dsl_optimize(&(struct brig_dsl_filter){insns, count}, &options, &arena, &optimized, &error);
    CHECK_EQ(code, BRIG_OK);
    return optimized;
}

static uint32_t run(const struct sock_filter *insns, uint32_t count, const struct brig_dsl_data *data)
{
    return brig_dsl_interpret(insns, count, data, NULL).ret;
}

// Everything that is promised about a result.
static void check_promises(const struct sock_filter *insns, uint32_t count, const struct brig_dsl_optimized *optimized,
                           struct random *random)
{
    CHECK_EQ(brig_dsl_validate(optimized->insns, optimized->insn_count, NULL), BRIG_OK);
    CHECK_LE(optimized->insn_count, count);
    CHECK_LE(dsl_ebpf_size(optimized->insns, optimized->insn_count), dsl_ebpf_size(insns, count));
    for (uint32_t nr = 0; nr < 80; nr++) {
        CHECK(!brig_dsl_is_cached_allow(insns, count, AUDIT_ARCH_X86_64, nr) ||
              brig_dsl_is_cached_allow(optimized->insns, optimized->insn_count, AUDIT_ARCH_X86_64, nr));
    }
    for (int i = 0; i < CALLS; i++) {
        struct brig_dsl_data data = random_filter_call(random, insns, count);
        CHECK_EQ(run(optimized->insns, optimized->insn_count, &data), run(insns, count, &data));
    }
}

TEST(optimize, filters_return_the_same)
{
    static struct sock_filter insns[BPF_MAXINSNS];
    uint32_t improved = 0;
    uint32_t checked = 0;
    for (uint64_t seed = 1; seed <= 1500; seed++) {
        struct random random = random_of_seed(seed);
        uint32_t count = random_filter(&random, insns, 16 + random_below(&random, 90));
        test_message("seed %llu", (unsigned long long)seed);
        REQUIRE(brig_dsl_validate(insns, count, NULL) == BRIG_OK);
        struct brig_dsl_optimized optimized = optimize(insns, count);
        REQUIRE(optimized.insns != NULL);
        check_promises(insns, count, &optimized, &random);
        improved += !optimized.is_input;
        checked += optimized.is_checked;
    }
    test_message("%u improved, %u checked", improved, checked);
    CHECK_GT(improved, 1000);
    CHECK_GT(checked, 800);
}

TEST(optimize, programs_of_every_opcode_return_the_same)
{
    static struct sock_filter insns[64];
    uint32_t valid = 0;
    for (uint64_t seed = 1; seed <= 6000; seed++) {
        struct random random = random_of_seed(seed);
        uint32_t count = 2 + random_below(&random, 40);
        random_insns(&random, insns, count);
        if (brig_dsl_validate(insns, count, NULL) != BRIG_OK) {
            continue;
        }
        test_message("seed %llu", (unsigned long long)seed);
        struct brig_dsl_optimized optimized = optimize(insns, count);
        REQUIRE(optimized.insns != NULL);
        check_promises(insns, count, &optimized, &random);
        valid++;
    }
    CHECK_GT(valid, 1000);
}

// A second time there is nothing left to do.
TEST(optimize, the_best_stays_as_it_is)
{
    static struct sock_filter insns[BPF_MAXINSNS];
    static struct sock_filter first[BPF_MAXINSNS];
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct random random = random_of_seed(seed);
        uint32_t count = random_filter(&random, insns, 16 + random_below(&random, 90));
        struct brig_dsl_optimized once = optimize(insns, count);
        REQUIRE(once.insns != NULL);
        memcpy(first, once.insns, once.insn_count * sizeof *first);
        struct brig_dsl_optimized twice = optimize(first, once.insn_count);
        REQUIRE(twice.insns != NULL);
        test_message("seed %llu", (unsigned long long)seed);
        CHECK_LE(twice.insn_count, once.insn_count);
    }
}
