// The third witness: the kernel. Random policies whose every verdict is an errno are installed in a child, which then makes the
// calls for real: nothing is executed, and each answer tells which verdict it got.
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include "tests/bpf_dsl/kernel_fixture.h"
#include "tests/bpf_dsl/program_fixture.h"
#include "tests/bpf_dsl/random_calls.h"
#include "tests/shim/test.h"

enum { POLICIES = 40, CALLS = 400 };

static struct kernel_call calls[2][CALLS];

// Rules of the generator in which the child can end, and nothing else happens.
static const struct compiled *compile_policy(struct random *random, uint64_t seed)
{
    static const struct brig_dsl_rule allow = {.ret = SECCOMP_RET_ALLOW};
    static const struct brig_dsl_rule *const allowed[] = {&allow};
    static struct brig_dsl_call_rules of_calls[BRIG_SYS_COUNT];
    static _Alignas(16) unsigned char memory[4 << 20];
    struct brig_dsl_arena arena;
    struct random_shape shape = random_shape_of(random, seed);
    shape.arch = brig_dsl_arch_native();
    shape.returns = 3000;
    shape.only_errnos = true;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    struct brig_dsl_rules rules = random_rules(random, &shape, &arena);
    for (int call = 0; call < BRIG_SYS_COUNT; call++) {
        of_calls[call] = *brig_dsl_rules_of(&rules, (enum brig_dsl_call)call);
    }
    of_calls[BRIG_SYS_exit_group] = (struct brig_dsl_call_rules){.rules = allowed, .rule_count = 1};
    rules.calls = of_calls;
    return program_compile_rules(&rules);
}

// What a call of this process looks like to its filter: registers have the width of the arch.
static struct kernel_call call_of(const struct brig_dsl_data *data)
{
    struct kernel_call call = {.nr = data->nr};
    for (int i = 0; i < 6; i++) {
        call.args[i] = (unsigned long)data->args[i];
    }
    return call;
}

static struct brig_dsl_data data_of(const struct kernel_call *call)
{
    struct brig_dsl_data data = {.nr = call->nr, .audit_arch = brig_dsl_arch_audit(brig_dsl_arch_native())};
    for (int i = 0; i < 6; i++) {
        data.args[i] = call->args[i];
    }
    return data;
}

// Whether a call is safe to make, and filtered at all: exit_group would end the child, DIE_NR kill it; uretprobe and uprobe pass
// every filter (kernel/seccomp.c:seccomp_uprobe_exception, since 6.14).
static bool is_usable(uint32_t nr)
{
    bool is_uprobe = brig_dsl_arch_native() == BRIG_DSL_X86_64 && (nr == 335 || nr == 336);
    return nr != SYS_exit_group && nr != BRIG_DSL_DIE_NR && !is_uprobe;
}

static void choose_calls(struct random *random, const struct compiled *compiled)
{
    for (uint32_t i = 0, tries = 0; i < CALLS; tries++) {
        struct brig_dsl_data data = random_data(random, &compiled->rules);
        data.nr = tries % 8 == 0 ? tries / 8 * 9 : data.nr;
        if (is_usable(data.nr)) {
            calls[0][i] = calls[1][i] = call_of(&data);
            i++;
        }
    }
}

static bool kernel_agrees(uint64_t seed)
{
    struct random random;
    const struct compiled *compiled = compile_policy(&random, seed);
    test_message("seed %llu", (unsigned long long)seed);
    choose_calls(&random, compiled);
    for (int form = 0; form < 2; form++) {
        if (compiled->codes[form] == BRIG_PROGRAM_TOO_BIG) {
            continue;
        }
        if (!CHECK_EQ(compiled->codes[form], BRIG_OK)) {
            return false;
        }
        const struct kernel_filter filter = {compiled->insns[form], compiled->count[form]};
        if (!CHECK(kernel_answers(&filter, 1, calls[form], CALLS))) {
            return false;
        }
        for (uint32_t i = 0; i < CALLS; i++) {
            struct brig_dsl_data data = data_of(&calls[form][i]);
            uint32_t expected = brig_dsl_evaluate(&compiled->rules, &data, NULL);
            test_message("seed %llu, form %d, nr %#x", (unsigned long long)seed, form, data.nr);
            if (!CHECK_EQ(SECCOMP_RET_ERRNO | (uint32_t)calls[form][i].answer, expected)) {
                return false;
            }
        }
    }
    return true;
}

TEST(kernel, agrees_with_the_rules)
{
    for (uint64_t seed = random_first_seed(), end = seed + random_policies(POLICIES); seed < end; seed++) {
        REQUIRE(kernel_agrees(seed));
    }
    test_message("%s", "");
}
