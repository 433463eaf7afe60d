// Measures: sizes after the kernel's conversion, longest paths, what is cached.
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "tests/bpf_dsl/program_fixture.h"
#include "tests/shim/test.h"

#define LD_NR \
    { \
        BPF_LD | BPF_W | BPF_ABS, 0, 0, 0 \
    }
#define RET(k) \
    { \
        BPF_RET | BPF_K, 0, 0, k \
    }
#define RET_A \
    { \
        BPF_RET | BPF_A, 0, 0, 0 \
    }
#define TEST_K(op, jt, jf, k) \
    { \
        BPF_JMP | BPF_##op | BPF_K, jt, jf, k \
    }

static bool is_about(double value, double expected)
{
    return value > expected - 1e-9 && value < expected + 1e-9;
}

TEST(measure, sizes_and_paths)
{
    static const struct {
        const char *what;
        uint32_t count;
        struct sock_filter insns[8];
        uint32_t ebpf; // without the prologue of 3
        uint32_t longest;
        uint32_t ran[2]; // without the prologue, for number 5 and for 6
    } rows[] = {
        {"a return is two", 1, {RET(0)}, 2, 1, {2, 2}},
        {"a return of A is one", 2, {LD_NR, RET_A}, 2, 2, {2, 2}},
        {"a test that falls through on no", 4, {LD_NR, TEST_K(JEQ, 1, 0, 5), RET(0), RET(1)}, 6, 3, {4, 4}},
        {"a test that falls through on yes", 4, {LD_NR, TEST_K(JEQ, 0, 1, 5), RET(0), RET(1)}, 6, 3, {4, 4}},
        {"a test that jumps both ways is two", 5, {LD_NR, TEST_K(JGT, 1, 2, 5), RET(0), RET(1), RET(2)}, 9, 3, {5, 4}},
        {"jset cannot be turned round", 4, {LD_NR, TEST_K(JSET, 0, 1, 1), RET(0), RET(1)}, 7, 3, {4, 5}},
        {"jset that falls through on no", 4, {LD_NR, TEST_K(JSET, 1, 0, 5), RET(0), RET(1)}, 6, 3, {4, 4}},
        {"a wide constant is one more", 4, {LD_NR, TEST_K(JEQ, 0, 1, 0x80000000), RET(0), RET(1)}, 7, 3, {5, 5}},
        {"a constant of 31 bits is not", 4, {LD_NR, TEST_K(JEQ, 0, 1, 0x7fffffff), RET(0), RET(1)}, 6, 3, {4, 4}},
        {"a wide mask is not", 3, {LD_NR, {BPF_ALU | BPF_AND | BPF_K, 0, 0, 0x80000000}, RET_A}, 3, 3, {3, 3}},
        {"a jump is one, and paths skip", 4, {LD_NR, {BPF_JMP | BPF_JA, 0, 0, 1}, RET(0), RET(1)}, 6, 3, {4, 4}},
        {"a comparison with X", 4, {LD_NR, {BPF_JMP | BPF_JEQ | BPF_X, 0, 1, 0}, RET(0), RET(1)}, 6, 3, {4, 4}},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        test_message("%s", rows[i].what);
        struct brig_dsl_stats stats = brig_dsl_measure(rows[i].insns, rows[i].count, BRIG_DSL_X86_64);
        CHECK_EQ(stats.insns, rows[i].count);
        CHECK_EQ(stats.bytes, 8 * (uint64_t)rows[i].count);
        CHECK_EQ(stats.ebpf_insns, 3 + rows[i].ebpf);
        CHECK_EQ(stats.max_executed, rows[i].longest);
        for (uint32_t nr = 5; nr <= 6; nr++) {
            struct brig_dsl_data data = {.nr = nr};
            CHECK_EQ(brig_dsl_ebpf_executed(rows[i].insns, rows[i].count, &data), 3 + rows[i].ran[nr - 5]);
        }
    }
    test_message("%s", "");
}

TEST(measure, calls)
{
    // read is allowed outright, everything else is denied: by the arch, or after the number.
    static const struct sock_filter insns[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, 4}, TEST_K(JEQ, 0, 2, 0xc000003e), LD_NR, TEST_K(JEQ, 1, 0, 0),
        RET(SECCOMP_RET_ERRNO | 1),          RET(SECCOMP_RET_ALLOW)};
    struct brig_dsl_stats stats = brig_dsl_measure(insns, COUNT_OF(insns), BRIG_DSL_X86_64);
    CHECK_EQ(stats.cached_allow, 1u);
    CHECK(stats.expected_executed == 5.0);
    stats = brig_dsl_measure(insns, COUNT_OF(insns), BRIG_DSL_AARCH64);
    CHECK_EQ(stats.cached_allow, 0u);
    CHECK(stats.expected_executed == 3.0);
}

TEST(measure, profiles)
{
    // read is allowed outright, write if its third argument is 5, everything else is denied.
    static const struct sock_filter insns[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, 4},
        TEST_K(JEQ, 0, 6, 0xc000003e),
        LD_NR,
        TEST_K(JEQ, 5, 0, 0),
        TEST_K(JEQ, 0, 3, 1),
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, 32},
        TEST_K(JEQ, 2, 0, 5),
        RET(SECCOMP_RET_ERRNO | 2),
        RET(SECCOMP_RET_ERRNO | 1),
        RET(SECCOMP_RET_ALLOW),
    };
    static const struct brig_dsl_sample samples[] = {
        {.nr = 0, .count = 60},                                // cached
        {.nr = 1, .known = 4, .args = {0, 0, 5}, .count = 30}, // 8 instructions
        {.nr = 1, .known = 4, .args = {0, 0, 6}, .count = 9},  // 8
        {.nr = 0xf0000000, .count = 1},                        // 6
    };
    const struct brig_dsl_profile profile = {samples, COUNT_OF(samples)};
    struct brig_dsl_cost cost = brig_dsl_measure_profile(insns, COUNT_OF(insns), BRIG_DSL_X86_64, &profile);
    CHECK(cost.calls == 100);
    CHECK(cost.cached_share == 0.6);
    CHECK(is_about(cost.expected_executed * 40, 39 * 8 + 6));
    // The prologue is 3, the arch has its high bit set, a return is two.
    CHECK(is_about(cost.expected_ebpf * 40, 39 * (3 + 8 + 1 + 1) + (3 + 6 + 1 + 1)));
    const struct brig_dsl_profile only_cached = {samples, 1};
    cost = brig_dsl_measure_profile(insns, COUNT_OF(insns), BRIG_DSL_X86_64, &only_cached);
    CHECK(cost.cached_share == 1 && cost.expected_executed == 0);
}

// A bit for every number that the kernel has, call or not, and none beyond.
TEST(measure, bitmap_numbers)
{
    static const struct sock_filter allow[] = {RET(SECCOMP_RET_ALLOW)};
    for (int arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
        CHECK_EQ(brig_dsl_measure(allow, 1, (enum brig_dsl_arch)arch).cached_allow, (uint32_t)BRIG_DSL_BITMAP_NUMBERS);
        CHECK(brig_dsl_has_bitmap(400, (enum brig_dsl_arch)arch));
        CHECK(!brig_dsl_has_bitmap(1000, (enum brig_dsl_arch)arch));
        CHECK(!brig_dsl_has_bitmap(0x40000000, (enum brig_dsl_arch)arch));
    }
    CHECK(!brig_dsl_has_bitmap(0x0f0005, BRIG_DSL_ARM)); // set_tls
}

// The longest path as a walk of all of them finds it.
static uint32_t longest_from(const struct sock_filter *insns, uint32_t at)
{
    const struct sock_filter *insn = &insns[at];
    if (BPF_CLASS(insn->code) == BPF_RET) {
        return 1;
    }
    if (insn->code == (BPF_JMP | BPF_JA)) {
        return 1 + longest_from(insns, at + 1 + insn->k);
    }
    if (BPF_CLASS(insn->code) != BPF_JMP) {
        return 1 + longest_from(insns, at + 1);
    }
    uint32_t yes = longest_from(insns, at + 1 + insn->jt);
    uint32_t no = longest_from(insns, at + 1 + insn->jf);
    return 1 + (yes > no ? yes : no);
}

TEST(measure, longest_path_of_compiled_programs)
{
    for (uint64_t seed = 1; seed < 30; seed++) {
        struct random random;
        struct random_shape shape = random_shape_of(&random, seed);
        shape.most_rules = 2; // few paths
        const struct compiled *compiled = program_compile(&random, &shape);
        uint32_t longest = brig_dsl_measure(compiled->insns[0], compiled->count[0], shape.arch).max_executed;
        CHECK_EQ(longest, longest_from(compiled->insns[0], 0));
    }
}
