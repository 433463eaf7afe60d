// The check of programs that ask one rule after the other.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>

#include "bpf_dsl/check_parts.h"
#include "tests/bpf_dsl/program_fixture.h"
#include "tests/bpf_dsl/random_calls.h"
#include "tests/shim/test.h"

static _Alignas(16) unsigned char memory[4 << 20];
static uint64_t every_number[BRIG_DSL_TRAP_NRS / 64];

// --- programs by hand -------------------------------------------------------------------------------------------------

enum { FIRST = 16, SECOND = 24, THIRD = 32, MOST_INSNS = 1200 };

static const uint64_t masked_two[] = {6, 2};
static const uint64_t five[] = {5};
static const uint64_t six[] = {6};
static const uint64_t ten[] = {10};

#define CONDITION(number, operator, list) \
    { \
        .argument = (number), .bits = 32, .op = (operator), .value_count = COUNT_OF(list), .values = (list) \
    }

static const struct brig_dsl_rule_condition of_first[] = {CONDITION(0, BRIG_DSL_MASKED, masked_two),
                                                          CONDITION(1, BRIG_DSL_IN, five)};
static const struct brig_dsl_rule_condition of_second[] = {CONDITION(0, BRIG_DSL_AT_LEAST, ten), CONDITION(1, BRIG_DSL_IN, six)};
// What the first rule takes already.
static const struct brig_dsl_rule_condition of_dead[] = {CONDITION(0, BRIG_DSL_IN, six), CONDITION(1, BRIG_DSL_IN, five),
                                                         CONDITION(2, BRIG_DSL_IN, ten)};
static const struct brig_dsl_rule_condition of_first_and_dead[] = {CONDITION(0, BRIG_DSL_MASKED, masked_two),
                                                                   CONDITION(1, BRIG_DSL_IN, five), CONDITION(2, BRIG_DSL_IN, ten)};

#define RULE(list, value) \
    { \
        .conditions = (list), .condition_count = COUNT_OF(list), .ret = SECCOMP_RET_ERRNO | (value) \
    }

static const struct brig_dsl_rule first = RULE(of_first, 2);
static const struct brig_dsl_rule second = RULE(of_second, 3);
static const struct brig_dsl_rule not_dead = RULE(of_dead, 4);
static const struct brig_dsl_rule dead = RULE(of_first_and_dead, 4);
static const struct brig_dsl_rule rest = {.ret = SECCOMP_RET_ALLOW};

static const struct brig_dsl_rule *const two_rules[] = {&first, &second, &rest};
static const struct brig_dsl_rule *const three_rules[] = {&first, &dead, &second, &rest};
static const struct brig_dsl_rule *const other_three_rules[] = {&first, &not_dead, &second, &rest};

#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define AND(k) BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (k))
#define IF(test, k, yes, no) BPF_JUMP(BPF_JMP | (test) | BPF_K, (k), (yes), (no))
#define ERRNO(value) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (value))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

#define ASK_FIRST(no) LOAD(FIRST), AND(6), IF(BPF_JEQ, 2, 0, 3), LOAD(SECOND), IF(BPF_JEQ, 5, 0, (no)), ERRNO(2)
#define ASK_SECOND LOAD(FIRST), IF(BPF_JGE, 10, 0, 3), LOAD(SECOND), IF(BPF_JEQ, 6, 0, 1), ERRNO(3)
#define ASK_DEAD \
    LOAD(FIRST), AND(6), IF(BPF_JEQ, 2, 0, 5), LOAD(SECOND), IF(BPF_JEQ, 5, 0, 3), LOAD(THIRD), IF(BPF_JEQ, 10, 0, 1), ERRNO(4)

static const struct {
    const char *what;
    struct brig_dsl_call_rules rules;
    struct sock_filter insns[24];
    uint32_t count;
    enum dsl_checked expected;
} programs[] = {
    {"one rule after the other", {.rules = two_rules, .rule_count = 3}, {ASK_FIRST(1), ASK_SECOND, ALLOW}, 12, DSL_CHECKED_EQUAL},
    {"a way past the second", {.rules = two_rules, .rule_count = 3}, {ASK_FIRST(6), ASK_SECOND, ALLOW}, 12, DSL_CHECKED_DIFFERENT},
    {"the second before the first",
     {.rules = two_rules, .rule_count = 3},
     {ASK_SECOND, ASK_FIRST(1), ALLOW},
     12,
     DSL_CHECKED_EQUAL}, // they have no call in common
    {"a dead rule that is not asked",
     {.rules = three_rules, .rule_count = 4},
     {ASK_FIRST(1), ASK_SECOND, ALLOW},
     12,
     DSL_CHECKED_EQUAL},
    {"a dead rule that is asked",
     {.rules = three_rules, .rule_count = 4},
     {ASK_FIRST(1), ASK_DEAD, ASK_SECOND, ALLOW},
     20,
     DSL_CHECKED_EQUAL},
    {"a dead rule in front",
     {.rules = three_rules, .rule_count = 4},
     {ASK_DEAD, ASK_FIRST(1), ASK_SECOND, ALLOW},
     20,
     DSL_CHECKED_DIFFERENT},
    {"something about the instruction pointer that is forgotten",
     {.rules = two_rules, .rule_count = 3},
     {LOAD(8), IF(BPF_JEQ, 5, 0, 0), ASK_FIRST(1), ASK_SECOND, LOAD(8), IF(BPF_JEQ, 5, 0, 1), ALLOW, ERRNO(9)},
     17,
     DSL_CHECKED_DIFFERENT},
    {"a rule that is not asked, and is not dead",
     {.rules = other_three_rules, .rule_count = 4},
     {ASK_FIRST(1), ASK_SECOND, ALLOW},
     12,
     DSL_CHECKED_DIFFERENT},
};

// What a check comes to, and what it took.
struct outcome {
    enum dsl_checked checked;
    uint32_t steps;
};

static struct outcome check_chain(const struct brig_dsl_call_rules *rules, const struct sock_filter *insns, uint32_t count)
{
    struct brig_dsl_arena arena;
    struct check_subject subject;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    if (!CHECK(dsl_check_read_rules(rules, &arena, &subject))) {
        return (struct outcome){.checked = DSL_CHECKED_UNDECIDED};
    }
    const struct check_numbers all = {.last = UINT32_MAX, .subject = &subject};
    const struct check_target target = {.audit_arch = 0xc000003e, .numbers = &all, .number_count = 1};
    memset(every_number, 0xff, sizeof every_number);
    struct dsl_check_walk walk = {.insns = insns,
                                  .insn_count = count,
                                  .targets = &target,
                                  .target_count = 1,
                                  .foreign = &subject,
                                  .steps = DSL_CHECK_STEPS,
                                  .patience = DSL_CHECK_PATIENCE,
                                  .chains = every_number};
    enum dsl_checked checked = dsl_check_walk(&walk, &arena);
    return (struct outcome){checked, walk.facts.steps};
}

TEST(check_chains, rules_are_asked_in_their_order)
{
    for (size_t i = 0; i < COUNT_OF(programs); i++) {
        test_message("%s", programs[i].what);
        REQUIRE(CHECK_EQ(brig_dsl_validate(programs[i].insns, programs[i].count, NULL), BRIG_OK));
        CHECK_EQ(check_chain(&programs[i].rules, programs[i].insns, programs[i].count).checked, programs[i].expected);
    }
    test_message("%s", "");
}

// --- long chains ------------------------------------------------------------------------------------------------------

enum { LONGEST = 160, ASKED = 3 };

// Rule number i asks three arguments for a bit pattern each, under masks of its own.
struct long_chain {
    uint64_t values[LONGEST][ASKED][2];
    struct brig_dsl_rule_condition conditions[LONGEST][ASKED];
    struct brig_dsl_rule rules[LONGEST];
    const struct brig_dsl_rule *list[LONGEST + 1];
    struct sock_filter insns[MOST_INSNS * 2];
    uint32_t count;
};

static void add_rule(struct long_chain *chain, struct random *random, uint32_t number)
{
    for (uint32_t i = 0; i < ASKED; i++) {
        uint32_t mask = (uint32_t)random_next(random) | 0x101;
        uint32_t value = (uint32_t)random_next(random) & mask;
        uint8_t past = (uint8_t)(3 * (ASKED - 1 - i) + 1);
        const struct sock_filter ask[] = {LOAD(FIRST + 8 * i), AND(mask), IF(BPF_JEQ, value, 0, past)};
        chain->values[number][i][0] = mask;
        chain->values[number][i][1] = value;
        chain->conditions[number][i] = (struct brig_dsl_rule_condition){
            .argument = (uint8_t)i, .bits = 32, .op = BRIG_DSL_MASKED, .value_count = 2, .values = chain->values[number][i]};
        memcpy(&chain->insns[chain->count], ask, sizeof ask);
        chain->count += (uint32_t)COUNT_OF(ask);
    }
    chain->rules[number] = (struct brig_dsl_rule){
        .conditions = chain->conditions[number], .condition_count = ASKED, .ret = SECCOMP_RET_ERRNO | (2 + number % 3)};
    chain->list[number] = &chain->rules[number];
    chain->insns[chain->count++] = (struct sock_filter)ERRNO(2 + number % 3);
}

static struct outcome check_long_chain(uint32_t rules)
{
    static struct long_chain chain;
    struct random random = random_of_seed(7);
    chain.count = 0;
    for (uint32_t i = 0; i < rules; i++) {
        add_rule(&chain, &random, i);
    }
    chain.list[rules] = &rest;
    chain.insns[chain.count++] = (struct sock_filter)ALLOW;
    const struct brig_dsl_call_rules of_call = {.rules = chain.list, .rule_count = rules + 1};
    return check_chain(&of_call, chain.insns, chain.count);
}

// Four times the rules take no more than five times the steps.
TEST(check_chains, steps_grow_with_the_rules)
{
    struct outcome few = check_long_chain(LONGEST / 4);
    struct outcome many = check_long_chain(LONGEST);
    CHECK_EQ(few.checked, DSL_CHECKED_EQUAL);
    CHECK_EQ(many.checked, DSL_CHECKED_EQUAL);
    CHECK_LT(many.steps / 5, few.steps);
}

// --- ways that no call takes ------------------------------------------------------------------------------------------

enum { MASKED_RULES = 12, IMPOSSIBLE_RULES = MASKED_RULES + 2, MOST_FILLERS = 120 };

struct impossible {
    uint64_t values[MASKED_RULES][2];
    struct brig_dsl_rule_condition conditions[MASKED_RULES];
    struct brig_dsl_rule rules[MASKED_RULES];
    const struct brig_dsl_rule *list[IMPOSSIBLE_RULES];
    struct sock_filter insns[MOST_INSNS];
    uint32_t count;
};

static void append(struct impossible *impossible, const struct sock_filter *insns, size_t count)
{
    memcpy(&impossible->insns[impossible->count], insns, count * sizeof *insns);
    impossible->count += (uint32_t)count;
}

// Rules that leave the calls of which the three lowest bits of three arguments are alike.
static void ask_for_bits(struct impossible *impossible)
{
    static const uint64_t bits[][2] = {{3, 1}, {3, 2}, {6, 2}, {6, 4}};
    static const uint8_t arguments[] = {0, 1, 4};
    for (uint32_t i = 0; i < MASKED_RULES; i++) {
        uint8_t argument = arguments[i / COUNT_OF(bits)];
        memcpy(impossible->values[i], bits[i % COUNT_OF(bits)], sizeof impossible->values[i]);
        impossible->conditions[i] = (struct brig_dsl_rule_condition){
            .argument = argument, .bits = 32, .op = BRIG_DSL_MASKED, .value_count = 2, .values = impossible->values[i]};
        impossible->rules[i] = (struct brig_dsl_rule){
            .conditions = &impossible->conditions[i], .condition_count = 1, .ret = SECCOMP_RET_ERRNO | (2 + i % 2)};
        impossible->list[i] = &impossible->rules[i];
        const struct sock_filter ask[] = {LOAD(FIRST + 8u * argument), AND((uint32_t)impossible->values[i][0]),
                                          IF(BPF_JEQ, (uint32_t)impossible->values[i][1], 0, 1), ERRNO(2 + i % 2)};
        append(impossible, ask, COUNT_OF(ask));
    }
}

// What no call is asked for, which the check does not find out for ever: it has a budget for that.
static void ask_in_vain(struct impossible *impossible, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct sock_filter ask[] = {LOAD(i % 2 != 0 ? SECOND : FIRST + 8 * 4), AND(5u | (i + 1) << 4), IF(BPF_JEQ, 1, 0, 1),
                                          ERRNO(2)};
        append(impossible, ask, COUNT_OF(ask));
    }
}

// A way of no call leads to the end before the one that all calls take, and the end is wrong. Where the budget ends in between, no
// more is known at the end than that.
TEST(check_chains, what_no_call_knows_is_not_kept)
{
    static const struct brig_dsl_rule_condition of_third[] = {CONDITION(2, BRIG_DSL_IN, five)};
    static const struct brig_dsl_rule third = RULE(of_third, 4);
    static const struct sock_filter end[] = {LOAD(FIRST),
                                             AND(5),
                                             IF(BPF_JEQ, 1, 0, 4),
                                             LOAD(THIRD),
                                             IF(BPF_JEQ, 5, 0, 1),
                                             ERRNO(4),
                                             BPF_STMT(BPF_JMP | BPF_JA, 3),
                                             LOAD(THIRD),
                                             IF(BPF_JEQ, 5, 0, 1),
                                             ERRNO(4),
                                             LOAD(FIRST + 8 * 3),
                                             IF(BPF_JEQ, 1, 0, 1),
                                             ERRNO(9),
                                             ALLOW};
    static struct impossible impossible;
    const struct brig_dsl_call_rules rules = {.rules = impossible.list, .rule_count = IMPOSSIBLE_RULES};
    impossible.list[MASKED_RULES] = &third;
    impossible.list[MASKED_RULES + 1] = &rest;
    for (uint32_t fillers = 60; fillers < MOST_FILLERS; fillers++) {
        impossible.count = 0;
        ask_for_bits(&impossible);
        ask_in_vain(&impossible, fillers);
        append(&impossible, end, COUNT_OF(end));
        REQUIRE(CHECK_EQ(brig_dsl_validate(impossible.insns, impossible.count, NULL), BRIG_OK));
        REQUIRE(CHECK_NE(check_chain(&rules, impossible.insns, impossible.count).checked, DSL_CHECKED_EQUAL));
    }
}

// --- policies ---------------------------------------------------------------------------------------------------------

static bool witnesses_differ(const struct compiled *compiled, const struct sock_filter *insns, uint32_t count,
                             struct random *random)
{
    for (int i = 0; i < 300; i++) {
        struct brig_dsl_data data = random_data(random, &compiled->rules);
        if (brig_dsl_interpret(insns, count, &data, NULL).ret != brig_dsl_evaluate(&compiled->rules, &data, NULL)) {
            return true;
        }
    }
    return false;
}

// Long lists of rules, with a jump led elsewhere or a number changed.
TEST(check_chains, what_witnesses_find_the_check_finds)
{
    static struct sock_filter insns[BPF_MAXINSNS];
    uint32_t refused = 0;
    const uint64_t seeds = random_policies(60);
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        struct random random;
        struct random_shape shape = program_long_shape(&random, seed);
        const struct compiled *compiled = program_compile(&random, &shape);
        uint32_t form = seed % 4 == 0 ? COMPILED_PLAIN : COMPILED_OPTIMISED;
        uint32_t count = compiled->count[form];
        REQUIRE(CHECK_EQ(compiled->codes[form], BRIG_OK));
        CHECK(!compiled->forms[form].is_unproven);
        CHECK_EQ(program_check(compiled, compiled->insns[form], count, NULL), DSL_CHECKED_EQUAL);
        for (uint32_t mutant = 0; mutant < 30; mutant++) {
            memcpy(insns, compiled->insns[form], count * sizeof *insns);
            struct sock_filter *insn = &insns[random_below(&random, count)];
            bool is_jump = BPF_CLASS(insn->code) == BPF_JMP && BPF_OP(insn->code) != BPF_JA;
            insn->jf = is_jump && mutant % 2 == 0 ? (uint8_t)random_below(&random, 60) : insn->jf;
            insn->k ^= mutant % 2 == 0 ? 0 : 1u << random_below(&random, 8);
            if (brig_dsl_validate(insns, count, NULL) != BRIG_OK) {
                continue;
            }
            enum dsl_checked checked = program_check(compiled, insns, count, NULL);
            test_message("seed %llu, mutant %u", (unsigned long long)seed, mutant);
            REQUIRE(CHECK(checked != DSL_CHECKED_EQUAL || !witnesses_differ(compiled, insns, count, &random)));
            refused += checked == DSL_CHECKED_DIFFERENT;
        }
    }
    test_message("%s", "");
    CHECK_GT(refused, 10 * seeds);
}
