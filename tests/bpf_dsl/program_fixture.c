#include "tests/bpf_dsl/program_fixture.h"

#include <linux/seccomp.h>
#include <string.h>

#include "bpf_dsl/lower.h"
#include "tests/bpf_dsl/random_calls.h"

enum { RULES_BYTES = 4 << 20, FORM_BYTES = 16 << 20, CHECK_BYTES = 32 << 20, MOST_SAMPLES = 100 };

static _Alignas(16) unsigned char rules_memory[RULES_BYTES];
static _Alignas(16) unsigned char form_memory[2][FORM_BYTES];
static struct compiled compiled;

const struct brig_dsl_rules *program_rules_of(const struct compiled *of, uint32_t index)
{
    index = (uint32_t)(index % ((uint64_t)of->other_count + 1));
    return index == 0 ? &of->rules : &of->others[index - 1];
}

// Calls that look for the rules' borders, as if somebody had recorded them.
static void make_profile(struct random *random, const struct random_shape *shape)
{
    static struct brig_dsl_sample samples[MOST_SAMPLES];
    uint32_t count = shape->samples < MOST_SAMPLES ? shape->samples : MOST_SAMPLES;
    for (uint32_t i = 0; i < count; i++) {
        struct brig_dsl_data data = random_data(random, program_rules_of(&compiled, i));
        samples[i] = (struct brig_dsl_sample){.nr = data.nr, .known = random_below(random, 64)};
        memcpy(samples[i].args, data.args, sizeof data.args);
        samples[i].count = random_next(random) >> random_below(random, 64);
    }
    compiled.profile = (struct brig_dsl_profile){samples, count};
}

static void compile_form(int form)
{
    compiled.options[form] = (struct brig_dsl_options){.arch = compiled.rules.arch, .plain = form == COMPILED_PLAIN};
    compiled.options[form].profile = compiled.profile.sample_count > 0 ? &compiled.profile : NULL;
    brig_dsl_arena_init(&compiled.arenas[form], form_memory[form], FORM_BYTES);
    compiled.forms[form] = (struct dsl_compilation){.options = &compiled.options[form], .arena = &compiled.arenas[form]};
    dsl_compile_add_rules(&compiled.forms[form], &compiled.rules);
    for (uint32_t i = 0; i < compiled.other_count; i++) {
        dsl_compile_add_rules(&compiled.forms[form], &compiled.others[i]);
    }
    compiled.codes[form] = dsl_compile(&compiled.forms[form]);
    // A program that the check refused is looked at by tests all the same.
    bool has_program = compiled.forms[form].emitter.insns != NULL;
    compiled.insns[form] = has_program ? dsl_emitted(&compiled.forms[form].emitter) : NULL;
    compiled.count[form] = compiled.insns[form] != NULL ? compiled.forms[form].emitter.head : 0;
}

static const struct compiled *compile_both(void)
{
    compile_form(COMPILED_OPTIMISED);
    compile_form(COMPILED_PLAIN);
    return &compiled;
}

const struct compiled *program_compile_rules(const struct brig_dsl_rules *rules)
{
    compiled.rules = *rules;
    compiled.other_count = 0;
    compiled.profile.sample_count = 0;
    return compile_both();
}

const struct compiled *program_compile(struct random *random, const struct random_shape *shape)
{
    brig_dsl_arena_init(&compiled.arenas[2], rules_memory, RULES_BYTES);
    compiled.rules = random_rules(random, shape, &compiled.arenas[2]);
    compiled.other_count = 0;
    make_profile(random, shape);
    return compile_both();
}

const struct compiled *program_compile_arches(struct random *random, const struct random_shape *shape, uint32_t count)
{
    struct random_shape next = *shape;
    bool are_alike = random_once_in(random, 2);
    brig_dsl_arena_init(&compiled.arenas[2], rules_memory, RULES_BYTES);
    compiled.other_count = count - 1;
    for (uint32_t i = 0; i < count; i++) {
        struct random same = *random;
        next.arch = (enum brig_dsl_arch)((shape->arch + i) % BRIG_DSL_ARCH_COUNT);
        struct brig_dsl_rules *rules = i == 0 ? &compiled.rules : &compiled.others[i - 1];
        *rules = random_rules(are_alike ? &same : random, &next, &compiled.arenas[2]);
    }
    make_profile(random, shape);
    return compile_both();
}

uint32_t program_expected(const struct compiled *of, const struct brig_dsl_data *data)
{
    const struct brig_dsl_rules *rules = &of->rules;
    for (uint32_t i = 0; i < of->other_count; i++) {
        rules = brig_dsl_arch_audit(of->others[i].arch) == data->audit_arch ? &of->others[i] : rules;
    }
    return brig_dsl_evaluate(rules, data, NULL);
}

struct random_shape program_long_shape(struct random *random, uint64_t seed)
{
    struct random_shape shape = random_shape_of(random, seed);
    shape.style = seed % 2 == 0 ? RANDOM_ADVERSARIAL : RANDOM_WILD;
    shape.calls = 1;
    shape.most_rules = 40;
    shape.most_conditions = 4;
    shape.most_values = 2;
    shape.returns = 4;
    return shape;
}

enum dsl_checked program_check(const struct compiled *of, const struct sock_filter *insns, uint32_t count, unsigned char *ret_taken)
{
    static _Alignas(16) unsigned char memory[CHECK_BYTES];
    uint64_t every_number[BRIG_DSL_TRAP_NRS / 64];
    struct brig_dsl_arena arena;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    memset(every_number, 0xff, sizeof every_number);
    if (ret_taken != NULL) {
        memset(ret_taken, 0, count);
    }
    const struct dsl_target target = {.arch = of->rules.arch, .rules = &of->rules};
    const struct dsl_check_input input = {.targets = &target,
                                          .target_count = 1,
                                          .insns = insns,
                                          .insn_count = count,
                                          .steps = DSL_CHECK_STEPS,
                                          .patience = DSL_CHECK_PATIENCE,
                                          .chains = every_number,
                                          .taken = ret_taken};
    uint32_t nr;
    return dsl_check(&input, &arena, &nr);
}

struct brig_dsl_rules program_rules(enum brig_dsl_call call, const struct brig_dsl_rule *const *rules, uint32_t count)
{
    static const struct brig_dsl_policy policy = {.name = "one call"};
    static struct brig_dsl_call_rules calls[BRIG_SYS_COUNT];
    memset(calls, 0, sizeof calls);
    calls[call] = (struct brig_dsl_call_rules){.rules = rules, .rule_count = count};
    return (struct brig_dsl_rules){.policy = &policy,
                                   .arch = BRIG_DSL_X86_64,
                                   .kernel = BRIG_DSL_KERNEL(6, 18),
                                   .calls = calls,
                                   .fallback_ret = SECCOMP_RET_ERRNO | 1,
                                   .unknown_ret = SECCOMP_RET_ERRNO | 38,
                                   .foreign_ret = SECCOMP_RET_KILL_PROCESS,
                                   .x32_ret = SECCOMP_RET_ERRNO | 39};
}
