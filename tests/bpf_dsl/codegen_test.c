// Code: jumps reach, parts are shared, what A holds is not loaded again, and the same policy gives the same bytes.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>

#include "bpf_dsl/emit.h"
#include "tests/bpf_dsl/program_fixture.h"
#include "tests/shim/test.h"

static _Alignas(16) unsigned char memory[1 << 20];

TEST(codegen, labels_stay_in_reach)
{
    struct brig_dsl_arena arena;
    struct dsl_emitter emitter;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    REQUIRE(dsl_emitter_init(&emitter, &arena));
    struct dsl_label ret = {.is_return = true, .ret = 7};
    struct dsl_label other = {.is_return = true, .ret = 8};
    dsl_emit_test(&emitter, BPF_JMP | BPF_JEQ | BPF_K, 1, &ret, &other);
    struct dsl_label far = dsl_label_here(&emitter);
    for (int i = 0; i < 1000; i++) {
        dsl_emit_test(&emitter, BPF_JMP | BPF_JEQ | BPF_K, 2, &far, &ret);
    }
    const struct sock_filter *insns = dsl_emitted(&emitter);
    REQUIRE(insns != NULL);
    CHECK_EQ(brig_dsl_validate(insns, emitter.head, NULL), BRIG_OK);
    // Whoever starts at a test ends where its labels say: at the first test with A = 2, and at 7 otherwise.
    for (uint32_t at = 0; at < emitter.head; at++) {
        const struct sock_filter *insn = &insns[at];
        if (insn->code != (BPF_JMP | BPF_JEQ | BPF_K) || insn->k != 2) {
            continue;
        }
        const struct sock_filter *yes = insn + 1 + insn->jt;
        const struct sock_filter *no = insn + 1 + insn->jf;
        while (yes->code == (BPF_JMP | BPF_JA)) {
            yes += 1 + yes->k;
        }
        CHECK(yes->code == (BPF_JMP | BPF_JEQ | BPF_K) && yes->k == 1);
        CHECK(no->code == (BPF_RET | BPF_K) && no->k == 7);
    }
}

TEST(codegen, beyond_the_limit_it_only_counts)
{
    struct brig_dsl_arena arena;
    struct dsl_emitter emitter;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    REQUIRE(dsl_emitter_init(&emitter, &arena));
    for (int i = 0; i < BPF_MAXINSNS; i++) {
        dsl_emit(&emitter, BPF_RET | BPF_K, (uint32_t)i);
    }
    CHECK(dsl_emitted(&emitter) != NULL);
    dsl_emit(&emitter, BPF_RET | BPF_K, 0);
    CHECK(dsl_emitted(&emitter) == NULL);
    CHECK_EQ(emitter.head, (uint32_t)BPF_MAXINSNS + 1);
}

static uint32_t count_code(const struct compiled *compiled, uint16_t code, uint32_t k)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < compiled->count[0]; i++) {
        count += compiled->insns[0][i].code == code && compiled->insns[0][i].k == k;
    }
    return count;
}

#define CONDITION(op_, argument_, bits_, ...) \
    { \
        .op = op_, .argument = argument_, .bits = bits_, .values = (const uint64_t[]){__VA_ARGS__}, \
        .value_count = sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t) \
    }
#define LOW(argument) (16u + 8u * (argument))

static const struct brig_dsl_rule deny = {.ret = SECCOMP_RET_ERRNO | 1};

TEST(codegen, the_floor_for_one_allowed_value)
{
    const struct brig_dsl_rule_condition conditions[] = {CONDITION(BRIG_DSL_IN, 1, 64, 0x5401)};
    const struct brig_dsl_rule allow = {.ret = SECCOMP_RET_ALLOW, .condition_count = 1, .conditions = conditions};
    const struct brig_dsl_rule *const list[] = {&allow, &deny};
    struct brig_dsl_rules rules = program_rules(BRIG_SYS_ioctl, list, 2);
    const struct compiled *compiled = program_compile_rules(&rules);
    REQUIRE(CHECK_EQ(compiled->codes[0], BRIG_OK));
    struct brig_dsl_data data = {.nr = 16, .audit_arch = 0xc000003e, .args = {0, 0x5401}};
    struct brig_dsl_run run = brig_dsl_interpret(compiled->insns[0], compiled->count[0], &data, NULL);
    CHECK_EQ(run.ret, SECCOMP_RET_ALLOW);
    // arch 2, nr a few (numbers that are no call are told apart), low half 2, high half 2, return.
    CHECK_LE(run.executed, 14u);
    CHECK_EQ(count_code(compiled, BPF_LD | BPF_W | BPF_ABS, LOW(1)), 1u);
    CHECK_EQ(count_code(compiled, BPF_LD | BPF_W | BPF_ABS, LOW(1) + 4), 1u);
}

TEST(codegen, a_word_in_the_accumulator_is_not_loaded_again)
{
    // Two bit tests of one word, then values of it: one load.
    const struct brig_dsl_rule_condition values[] = {CONDITION(BRIG_DSL_IN, 2, 32, 1, 5)};
    const struct brig_dsl_rule_condition low[] = {CONDITION(BRIG_DSL_NO_BITS, 2, 32, 0x0a)};
    const struct brig_dsl_rule_condition high[] = {CONDITION(BRIG_DSL_NO_BITS, 2, 32, 0x500)};
    const struct brig_dsl_rule by_value = {.ret = SECCOMP_RET_ERRNO | 7, .condition_count = 1, .conditions = values};
    const struct brig_dsl_rule by_low = {.ret = SECCOMP_RET_ERRNO | 2, .condition_count = 1, .conditions = low};
    const struct brig_dsl_rule by_high = {.ret = SECCOMP_RET_ERRNO | 3, .condition_count = 1, .conditions = high};
    const struct brig_dsl_rule *const list[] = {&by_value, &by_low, &by_high, &deny};
    struct brig_dsl_rules rules = program_rules(BRIG_SYS_mmap, list, 4);
    const struct compiled *compiled = program_compile_rules(&rules);
    REQUIRE(CHECK_EQ(compiled->codes[0], BRIG_OK));
    CHECK_EQ(count_code(compiled, BPF_LD | BPF_W | BPF_ABS, LOW(2)), 1u);
    CHECK_EQ(count_code(compiled, BPF_JMP | BPF_JSET | BPF_K, 0x0a), 1u);
    CHECK_EQ(count_code(compiled, BPF_JMP | BPF_JSET | BPF_K, 0x500), 1u);
}

TEST(codegen, ranges_and_masks_that_are_ranges_are_one_comparison)
{
    const struct {
        struct brig_dsl_rule_condition condition;
        uint16_t op;
        uint32_t k;
    } rows[] = {
        // Of the fourth there is one more, for x32 numbers.
        {CONDITION(BRIG_DSL_AT_MOST, 0, 32, 99), BPF_JGE, 100},
        {CONDITION(BRIG_DSL_ONLY_BITS, 0, 32, 0xfff), BPF_JGE, 0x1000},
        {CONDITION(BRIG_DSL_NO_BITS, 0, 32, 0xffff0000), BPF_JGE, 0x10000},
        {CONDITION(BRIG_DSL_NO_BITS, 0, 32, 0x80000000), BPF_JGT, 0x7fffffff},
        {CONDITION(BRIG_DSL_NO_BITS, 0, 32, 6), BPF_JSET, 6},
        {CONDITION(BRIG_DSL_ALL_BITS, 0, 32, 8), BPF_JSET, 8},
        {CONDITION(BRIG_DSL_IN, 0, 32, 4, 5, 6, 7, 0, 1, 2, 3), BPF_JGE, 8},
        {CONDITION(BRIG_DSL_IN, 0, 32, 7777), BPF_JEQ, 7777},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct brig_dsl_rule allow = {.ret = SECCOMP_RET_ERRNO | 2, .condition_count = 1, .conditions = &rows[i].condition};
        const struct brig_dsl_rule *list[] = {&allow, &deny};
        struct brig_dsl_rules rules = program_rules(BRIG_SYS_mmap, list, 2);
        const struct compiled *compiled = program_compile_rules(&rules);
        test_message("row %zu", i);
        CHECK_EQ(count_code(compiled, (uint16_t)(BPF_JMP | rows[i].op | BPF_K), rows[i].k), rows[i].op == BPF_JGT ? 2u : 1u);
        CHECK_EQ(count_code(compiled, BPF_ALU | BPF_AND | BPF_K, rows[i].k), 0u);
    }
    test_message("%s", "");
}

TEST(codegen, equal_checks_of_several_calls_are_one_body)
{
    const struct brig_dsl_rule_condition values[] = {CONDITION(BRIG_DSL_IN, 2, 32, 100, 200, 300, 400, 500, 600)};
    const struct brig_dsl_rule allow = {.ret = SECCOMP_RET_ALLOW, .condition_count = 1, .conditions = values};
    const struct brig_dsl_rule *const list[] = {&allow, &deny};
    static struct brig_dsl_call_rules calls[BRIG_SYS_COUNT];
    static const enum brig_dsl_call which[] = {BRIG_SYS_read, BRIG_SYS_ioctl, BRIG_SYS_mmap, BRIG_SYS_socket, BRIG_SYS_futex};
    struct brig_dsl_rules rules = program_rules(BRIG_SYS_read, list, 2);
    memcpy(calls, rules.calls, sizeof calls);
    for (size_t i = 0; i < COUNT_OF(which); i++) {
        calls[which[i]] = (struct brig_dsl_call_rules){.rules = list, .rule_count = 2};
    }
    rules.calls = calls;
    const struct compiled *compiled = program_compile_rules(&rules);
    CHECK_EQ(count_code(compiled, BPF_LD | BPF_W | BPF_ABS, LOW(2)), 1u);
    CHECK_EQ(count_code(compiled, BPF_JMP | BPF_JEQ | BPF_K, 300), 1u);
}

// One call's values, and how many tests a call with the last of them comes by once its argument is loaded.
static uint32_t count_tests_of(const struct brig_dsl_rule_condition *values)
{
    const struct brig_dsl_rule allow = {.ret = SECCOMP_RET_ALLOW, .condition_count = 1, .conditions = values};
    const struct brig_dsl_rule *const list[] = {&allow, &deny};
    struct brig_dsl_rules rules = program_rules(BRIG_SYS_ioctl, list, 2);
    const struct compiled *compiled = program_compile_rules(&rules);
    struct brig_dsl_data data = {.nr = (uint32_t)brig_dsl_call_nr(BRIG_SYS_ioctl, BRIG_DSL_X86_64),
                                 .audit_arch = brig_dsl_arch_audit(BRIG_DSL_X86_64),
                                 .args = {0, values->values[values->value_count - 1]}};
    unsigned char trace[BPF_MAXINSNS] = {0};
    uint32_t tests = 0;
    bool is_argument = false;
    CHECK_EQ(brig_dsl_interpret(compiled->insns[0], compiled->count[0], &data, trace).ret, SECCOMP_RET_ALLOW);
    for (uint32_t i = 0; i < compiled->count[0]; i++) {
        const struct sock_filter *insn = &compiled->insns[0][i];
        is_argument |= trace[i] != 0 && insn->code == (BPF_LD | BPF_W | BPF_ABS) && insn->k == LOW(1);
        tests += is_argument && trace[i] != 0 && BPF_CLASS(insn->code) == BPF_JMP;
    }
    return tests;
}

TEST(codegen, values_close_to_each_other_are_bits_of_a_constant)
{
    const struct brig_dsl_rule_condition dense = CONDITION(BRIG_DSL_IN, 1, 32, 0x5401, 0x5403, 0x5405, 0x5408, 0x540a, 0x540c,
                                                           0x540f, 0x5411, 0x5413, 0x5416, 0x541a, 0x541c);
    const struct brig_dsl_rule_condition from_zero = CONDITION(BRIG_DSL_IN, 1, 32, 0, 2, 4, 7, 9, 11, 14, 16, 18, 21, 25, 31);
    CHECK_EQ(count_tests_of(&dense), 2u); // the distance, and the bit
    CHECK_EQ(count_tests_of(&from_zero), 2u);
}

// A constant with bits would be five instructions, whichever value it is.
TEST(codegen, a_few_values_are_asked_for_one_by_one)
{
    static const uint64_t families[] = {5, 9, 17, 31};
    const struct brig_dsl_rule_condition conditions[] = {
        {.op = BRIG_DSL_IN, .argument = 0, .bits = 64, .value_count = COUNT_OF(families), .values = families}};
    const struct brig_dsl_rule allow = {.ret = SECCOMP_RET_ALLOW, .condition_count = 1, .conditions = conditions};
    const struct brig_dsl_rule *const list[] = {&allow, &deny};
    struct brig_dsl_rules rules = program_rules(BRIG_SYS_socket, list, 2);
    const struct compiled *compiled = program_compile_rules(&rules);
    for (size_t i = 0; i < COUNT_OF(families); i++) {
        CHECK_EQ(count_code(compiled, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)families[i]), 1u);
    }
    CHECK_EQ(count_code(compiled, BPF_MISC | BPF_TAX, 0), 0u);
}

// What lies beside a value or between two is what others left over; nobody calls with it, and nothing asks for it.
TEST(codegen, values_that_nobody_named_are_not_asked_for)
{
    const struct brig_dsl_rule_condition one = CONDITION(BRIG_DSL_IN, 1, 32, 1);
    const struct brig_dsl_rule_condition gap = CONDITION(BRIG_DSL_IN, 1, 32, 0x13, 0x15, 0x1e, 0x21);
    const struct brig_dsl_rule_condition *const conditions[] = {&one, &gap};
    for (size_t i = 0; i < COUNT_OF(conditions); i++) {
        const struct brig_dsl_rule allow = {.ret = SECCOMP_RET_ALLOW, .condition_count = 1, .conditions = conditions[i]};
        const struct brig_dsl_rule *const list[] = {&allow, &deny};
        struct brig_dsl_rules rules = program_rules(BRIG_SYS_ioctl, list, 2);
        const struct compiled *compiled = program_compile_rules(&rules);
        for (uint32_t k = 0; k < conditions[i]->value_count; k++) {
            CHECK_EQ(count_code(compiled, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)conditions[i]->values[k]), 1u);
        }
        CHECK_EQ(count_code(compiled, BPF_JMP | BPF_JEQ | BPF_K, 0), 0u);
        CHECK_EQ(count_code(compiled, BPF_JMP | BPF_JEQ | BPF_K, 0x14), 0u);
    }
}

// RestrictNamespaces= is such a list: libc tries clone3 for each thread, and clone when that is not there.
TEST(codegen, the_one_call_that_a_list_denies_outright_is_found_first)
{
    static const enum brig_dsl_call decided[] = {BRIG_SYS_clone, BRIG_SYS_unshare,  BRIG_SYS_setns,
                                                 BRIG_SYS_mmap,  BRIG_SYS_mprotect, BRIG_SYS_shmat};
    const struct brig_dsl_rule_condition namespaces[] = {CONDITION(BRIG_DSL_ANY_BITS, 0, 32, 0x7e020000)};
    const struct brig_dsl_rule refuse = {.ret = SECCOMP_RET_ERRNO | 1, .condition_count = 1, .conditions = namespaces};
    const struct brig_dsl_rule missing = {.ret = SECCOMP_RET_ERRNO | 38};
    const struct brig_dsl_rule allow = {.ret = SECCOMP_RET_ALLOW};
    const struct brig_dsl_rule *const some[] = {&refuse, &allow};
    const struct brig_dsl_rule *const none[] = {&missing};
    struct brig_dsl_call_rules calls[BRIG_SYS_COUNT];
    struct brig_dsl_rules rules = program_rules(BRIG_SYS_clone3, none, 1);
    memcpy(calls, rules.calls, sizeof calls);
    for (size_t i = 0; i < COUNT_OF(decided); i++) {
        calls[decided[i]] = (struct brig_dsl_call_rules){.rules = some, .rule_count = 2};
    }
    rules.calls = calls;
    rules.fallback_ret = SECCOMP_RET_ALLOW;
    rules.unknown_ret = SECCOMP_RET_ALLOW;
    rules.x32_ret = SECCOMP_RET_KILL_PROCESS;
    const struct compiled *compiled = program_compile_rules(&rules);
    REQUIRE(CHECK_EQ(compiled->codes[0], BRIG_OK));
    struct brig_dsl_data data = {.nr = 435, .audit_arch = 0xc000003e};
    struct brig_dsl_run run = brig_dsl_interpret(compiled->insns[0], compiled->count[0], &data, NULL);
    CHECK_EQ(run.ret, SECCOMP_RET_ERRNO | 38);
    CHECK_LE(run.executed, 6u); // arch 2, number 1, one test, perhaps another, return
}

TEST(codegen, bits_that_make_no_difference_are_not_looked_at)
{
    const struct brig_dsl_rule_condition closed = CONDITION(BRIG_DSL_IN, 1, 32, 0, 1, 0x80, 0x81);
    const struct brig_dsl_rule_condition exception = CONDITION(BRIG_DSL_IN, 1, 32, 0, 8, 0x20000, 0x20008, 0xffffffff);
    CHECK_EQ(count_tests_of(&closed), 1u);
    CHECK_EQ(count_tests_of(&exception), 1u);
}

TEST(codegen, flags_that_must_be_set_or_clear_are_one_test)
{
    static const uint64_t set[] = {0x100};
    static const uint64_t other[] = {0x40000000};
    const struct brig_dsl_rule_condition conditions[] = {
        {.op = BRIG_DSL_ALL_BITS, .argument = 1, .bits = 32, .value_count = 1, .values = set},
        {.op = BRIG_DSL_NO_BITS, .argument = 1, .bits = 32, .value_count = 1, .values = other},
        CONDITION(BRIG_DSL_AT_MOST, 1, 32, 0x7fffffff),
    };
    const struct brig_dsl_rule allow = {
        .ret = SECCOMP_RET_ALLOW, .condition_count = COUNT_OF(conditions), .conditions = conditions};
    const struct brig_dsl_rule *const list[] = {&allow, &deny};
    struct brig_dsl_rules rules = program_rules(BRIG_SYS_ioctl, list, 2);
    const struct compiled *compiled = program_compile_rules(&rules);
    CHECK_EQ(count_code(compiled, BPF_ALU | BPF_AND | BPF_K, 0xc0000100), 1u);
    CHECK_EQ(count_code(compiled, BPF_JMP | BPF_JEQ | BPF_K, 0x100), 1u);
}

// What is above 0xc0044c93 has the high bit, so nothing asks for it again where the values under a mask are told apart.
TEST(codegen, a_test_that_always_goes_one_way_is_cut)
{
    static const uint64_t high[] = {0xb4eff083, 0x80c08000, 0x84411080, 0x940db001, 0xa0e34083, 0xb06a5003};
    static const uint64_t low[] = {0xb4eff083, 0x84411080, 0x00ec7003, 0x202f0002};
    const struct brig_dsl_rule_condition above[] = {
        CONDITION(BRIG_DSL_AT_LEAST, 0, 32, 0xc0044c93),
        {.op = BRIG_DSL_MASKED, .argument = 0, .bits = 32, .value_count = COUNT_OF(high), .values = high},
    };
    const struct brig_dsl_rule_condition any = {
        .op = BRIG_DSL_MASKED, .argument = 0, .bits = 32, .value_count = COUNT_OF(low), .values = low};
    const struct brig_dsl_rule first = {.ret = SECCOMP_RET_ERRNO | 7, .condition_count = 2, .conditions = above};
    const struct brig_dsl_rule second = {.ret = SECCOMP_RET_ALLOW, .condition_count = 1, .conditions = &any};
    const struct brig_dsl_rule *const list[] = {&first, &second, &deny};
    struct brig_dsl_rules rules = program_rules(BRIG_SYS_ioctl, list, 3);
    const struct compiled *compiled = program_compile_rules(&rules);
    CHECK_EQ(compiled->codes[0], BRIG_OK);
    CHECK(!compiled->forms[0].is_plain);
    CHECK_EQ(count_code(compiled, BPF_ALU | BPF_AND | BPF_K, 0x34eff083), 1u);
    CHECK_EQ(count_code(compiled, BPF_JMP | BPF_JGT | BPF_K, 0x7fffffff), 1u); // the one that parts numbers: x32 ends there
}

TEST(codegen, the_same_bytes_every_time)
{
    static struct sock_filter before[BPF_MAXINSNS];
    for (uint64_t seed = 1; seed < 20; seed++) {
        struct random random;
        struct random_shape shape = random_shape_of(&random, seed);
        const struct compiled *compiled = program_compile(&random, &shape);
        uint32_t count = compiled->count[0];
        memcpy(before, compiled->insns[0], count * sizeof *before);
        // Other addresses: the arena starts elsewhere.
        struct brig_dsl_options options = {.arch = shape.arch, .profile = compiled->options[0].profile};
        struct brig_dsl_arena arena;
        static _Alignas(16) unsigned char elsewhere[(8 << 20) + 64];
        brig_dsl_arena_init(&arena, elsewhere + 3 + seed, 8 << 20);
        struct dsl_compilation again = {.options = &options, .arena = &arena};
        dsl_compile_add_rules(&again, &compiled->rules);
        REQUIRE(CHECK_EQ(dsl_compile(&again), BRIG_OK));
        REQUIRE(CHECK_EQ(again.emitter.head, count));
        CHECK_BYTES_EQ(dsl_emitted(&again.emitter), before, count * sizeof *before);
    }
}
