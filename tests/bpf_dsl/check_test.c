// The check: it accepts what is right, refuses what is wrong, and says so when it cannot know.
#include "bpf_dsl/check.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>

#include "bpf_dsl/check_parts.h"
#include "bpf_dsl/clean.h"
#include "tests/bpf_dsl/program_fixture.h"
#include "tests/bpf_dsl/random_calls.h"
#include "tests/bpf_dsl/random_values.h"
#include "tests/shim/test.h"

static _Alignas(16) unsigned char memory[4 << 20];

// How a check begins.
struct beginning {
    uint32_t patience;
    bool is_chain; // all rules are said to be asked one after the other
};

static enum dsl_checked check_with(const struct compiled *compiled, const struct sock_filter *insns, uint32_t count,
                                   struct beginning beginning)
{
    uint64_t chains[BRIG_DSL_TRAP_NRS / 64];
    memset(chains, beginning.is_chain ? 0xff : 0, sizeof chains);
    struct brig_dsl_arena arena;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    const struct dsl_target target = {.arch = compiled->rules.arch, .rules = &compiled->rules};
    const struct dsl_check_input input = {.targets = &target,
                                          .target_count = 1,
                                          .insns = insns,
                                          .insn_count = count,
                                          .steps = DSL_CHECK_STEPS,
                                          .patience = beginning.patience,
                                          .chains = chains};
    uint32_t nr;
    return dsl_check(&input, &arena, &nr);
}

// Checks as compiling does, with claims from the start, and rule by rule: all must come to the same.
static enum dsl_checked check(const struct compiled *compiled, const struct sock_filter *insns, uint32_t count)
{
    enum dsl_checked checked = check_with(compiled, insns, count, (struct beginning){.patience = DSL_CHECK_PATIENCE});
    CHECK_EQ(check_with(compiled, insns, count, (struct beginning){.patience = 0}), checked);
    CHECK_EQ(check_with(compiled, insns, count, (struct beginning){.patience = DSL_CHECK_PATIENCE, .is_chain = true}), checked);
    return checked;
}

// --- mutants ----------------------------------------------------------------------------------------------------------

static void mutate(struct random *random, struct sock_filter *insn)
{
    bool is_jge = insn->code == (BPF_JMP | BPF_JGE | BPF_K);
    bool is_jgt = insn->code == (BPF_JMP | BPF_JGT | BPF_K);
    uint8_t jt = insn->jt;
    switch (random_below(random, 8)) {
    case 0:
        insn->k++;
        break;
    case 1:
        insn->k--;
        break;
    case 2:
        insn->jt = insn->jf;
        insn->jf = jt;
        break;
    case 3:
        insn->k ^= (uint32_t)1 << random_below(random, 32);
        break;
    case 4:
        insn->code = is_jge ? BPF_JMP | BPF_JGT | BPF_K : is_jgt ? BPF_JMP | BPF_JGE | BPF_K : insn->code;
        break;
    case 5:
        insn->jt++;
        break;
    case 6:
        insn->jf++;
        break;
    default:
        insn->k ^= insn->code == (BPF_LD | BPF_W | BPF_ABS) ? 4 : 2;
        break;
    }
}

static bool witnesses_differ(const struct compiled *compiled, const struct sock_filter *insns, uint32_t count,
                             struct random *random)
{
    for (int i = 0; i < 600; i++) {
        struct brig_dsl_data data = random_data(random, &compiled->rules);
        data.nr = i % 4 == 0 ? random_below(random, 470) : data.nr;
        if (brig_dsl_interpret(insns, count, &data, NULL).ret != brig_dsl_evaluate(&compiled->rules, &data, NULL)) {
            return true;
        }
    }
    return false;
}

// Programs with one instruction spoiled. The check may refuse what the witnesses let pass, since it looks at all calls; never the
// other way round.
TEST(check, what_witnesses_find_the_check_finds)
{
    static struct sock_filter insns[BPF_MAXINSNS];
    int refused = 0;
    int accepted = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct random random;
        struct random_shape shape = random_shape_of(&random, seed);
        shape.calls = 1 + shape.calls / 3;
        const struct compiled *compiled = program_compile(&random, &shape);
        uint32_t form = seed % 3 == 0;
        for (int mutant = 0; mutant < 50; mutant++) {
            uint32_t count = compiled->count[form];
            memcpy(insns, compiled->insns[form], count * sizeof *insns);
            mutate(&random, &insns[random_below(&random, count)]);
            if (brig_dsl_validate(insns, count, NULL) != BRIG_OK) {
                continue;
            }
            enum dsl_checked checked = check(compiled, insns, count);
            test_message("seed %llu, mutant %d", (unsigned long long)seed, mutant);
            REQUIRE(CHECK(checked != DSL_CHECKED_EQUAL || !witnesses_differ(compiled, insns, count, &random)));
            refused += checked == DSL_CHECKED_DIFFERENT;
            accepted += checked == DSL_CHECKED_EQUAL;
        }
    }
    test_message("%s", "");
    // Some mutants are as good as the original: a jump to another copy of the same return, a value that nothing has.
    CHECK_GT(refused, 1200);
    CHECK_GT(accepted, 50);
}

// One value of one word that is answered otherwise, before everything else: arches, numbers, halves of arguments.
TEST(check, one_value_is_enough)
{
    static struct sock_filter insns[BPF_MAXINSNS];
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct random random;
        struct random_shape shape = random_shape_of(&random, seed);
        const struct compiled *compiled = program_compile(&random, &shape);
        uint32_t word = (uint32_t)(seed % 2 == 0 ? seed / 2 % 2 : 4 + seed / 2 % 12);
        uint32_t ours = brig_dsl_arch_audit(compiled->rules.arch);
        uint32_t value = word == 1 ? ours + (uint32_t)seed : word == 0 ? (uint32_t)seed * 17 : (uint32_t)random_number(&random);
        // What no rule of the generator returns.
        const struct sock_filter answer[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4 * word),
                                             BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
                                             BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | 4242)};
        uint32_t count = compiled->count[0] + (uint32_t)COUNT_OF(answer);
        if (compiled->codes[0] != BRIG_OK || count > BPF_MAXINSNS) {
            continue;
        }
        memcpy(insns, answer, sizeof answer);
        memcpy(insns + COUNT_OF(answer), compiled->insns[0], compiled->count[0] * sizeof *insns);
        test_message("seed %llu, word %u, value %#x", (unsigned long long)seed, word, value);
        CHECK_EQ(check(compiled, insns, count), DSL_CHECKED_DIFFERENT);
    }
    test_message("%s", "");
}

// --- what is not followed ---------------------------------------------------------------------------------------------

#define ARCH_X86_64 0xc000003e

TEST(check, what_it_does_not_follow_is_undecided)
{
    static const struct brig_dsl_rule allow = {.ret = SECCOMP_RET_ALLOW};
    static const struct brig_dsl_rule *const rules[] = {&allow};
    static const struct sock_filter insns[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, 4},
        {BPF_MISC | BPF_TXA, 0, 0, 0},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    struct compiled compiled = {.rules = program_rules(BRIG_SYS_read, rules, 1)};
    CHECK_EQ(check(&compiled, insns, COUNT_OF(insns)), DSL_CHECKED_UNDECIDED);
    CHECK_EQ(check(&compiled, insns + 2, 1), DSL_CHECKED_DIFFERENT);
}

// A program to check by itself.
struct body {
    const struct sock_filter *insns;
    uint32_t count;
    unsigned char *taken; // or NULL
};

// Checks a program for one arch; with claims from the start and rule by rule as well, which must come to the same.
static enum dsl_checked check_target(const struct check_target *target, const struct check_subject *foreign, struct body body)
{
    static _Alignas(16) unsigned char more[1 << 20];
    uint64_t chains[BRIG_DSL_TRAP_NRS / 64];
    enum dsl_checked checked[3];
    memset(chains, 0xff, sizeof chains);
    for (uint32_t i = 0; i < 3; i++) {
        struct brig_dsl_arena arena;
        struct dsl_check_walk walk = {.insns = body.insns,
                                      .insn_count = body.count,
                                      .targets = target,
                                      .target_count = 1,
                                      .foreign = foreign,
                                      .steps = DSL_CHECK_MOST_STEPS,
                                      .patience = i * DSL_CHECK_PATIENCE,
                                      .chains = i == 2 ? chains : NULL,
                                      .taken = i == 1 ? body.taken : NULL};
        brig_dsl_arena_init(&arena, more, sizeof more);
        checked[i] = dsl_check_walk(&walk, &arena);
    }
    CHECK_EQ(checked[0], checked[1]);
    CHECK_EQ(checked[2], checked[1]);
    return checked[1];
}

// Checks a program as what one subject says, whatever the arch and the number.
static enum dsl_checked check_subject(const struct check_subject *subject, const struct sock_filter *insns, uint32_t count,
                                      unsigned char *taken)
{
    const struct check_numbers all = {.last = UINT32_MAX, .subject = subject};
    const struct check_target target = {.audit_arch = ARCH_X86_64, .numbers = &all, .number_count = 1};
    return check_target(&target, subject, (struct body){insns, count, taken});
}

static enum dsl_checked check_call(const struct brig_dsl_call_rules *rules, const struct sock_filter *insns, uint32_t count,
                                   unsigned char *taken)
{
    struct brig_dsl_arena arena;
    struct check_subject subject;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    return dsl_check_read_rules(rules, &arena, &subject) ? check_subject(&subject, insns, count, taken) : DSL_CHECKED_UNDECIDED;
}

enum { PADDING = 500 }; // steps after which joins are remembered

// Allows small first arguments only.
static const uint64_t small_most[] = {31};
static const struct brig_dsl_rule_condition is_small = {.bits = 32, .op = BRIG_DSL_AT_MOST, .value_count = 1, .values = small_most};
static const struct brig_dsl_rule allow_small = {.conditions = &is_small, .condition_count = 1, .ret = SECCOMP_RET_ALLOW};
static const struct brig_dsl_rule refuse = {.ret = SECCOMP_RET_ERRNO | 1};
static const struct brig_dsl_rule *const small_rules[] = {&allow_small, &refuse};
static const struct brig_dsl_call_rules only_small = {.rules = small_rules, .rule_count = COUNT_OF(small_rules)};

static enum dsl_checked check_program(const struct sock_filter *insns, uint32_t count, unsigned char *taken)
{
    return check_call(&only_small, insns, count, taken);
}

// The same for one that begins with `PADDING` idle loads.
static enum dsl_checked check_small(const struct sock_filter *body, uint32_t count)
{
    static struct sock_filter insns[BPF_MAXINSNS];
    for (uint32_t i = 0; i < PADDING; i++) {
        insns[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 24);
    }
    memcpy(insns + PADDING, body, count * sizeof *body);
    return check_program(insns, PADDING + count, NULL);
}

// Two ways meet at a load with X holding a word that is not loaded again: the shift below tells the ways apart.
TEST(check, x_tells_ways_apart)
{
    struct sock_filter body[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 31, 6, 0),
        BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 15, 0, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 32), // both ways
        BPF_STMT(BPF_LD | BPF_W | BPF_IMM, 0xffffffff),
        BPF_STMT(BPF_ALU | BPF_RSH | BPF_X, 0),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    CHECK_EQ(check_small(body, COUNT_OF(body)), DSL_CHECKED_EQUAL);
    body[5].k = 0xffff0000; // wrong where the word is at most 15, the way that is walked later
    CHECK_EQ(check_small(body, COUNT_OF(body)), DSL_CHECKED_DIFFERENT);
}

// Of three bits two are always alike, so no call comes to the second load by the way that is walked first: each of its tests can be
// passed, but not all of them. What is wrong from there on must be seen on the other way.
TEST(check, a_way_of_no_call_does_not_count_as_walked)
{
    static const struct sock_filter body[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16),           BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 31, 13, 0),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 8, 0, 11),   BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 3),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 11, 0),    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 3, 10, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16),           BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 6),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 7, 0),     BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 6, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16),           BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 5),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 0),     BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 5, 2, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 24), // both ways
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    CHECK_EQ(check_small(body, COUNT_OF(body)), DSL_CHECKED_DIFFERENT);
}

// A program that is made instruction by instruction.
struct text {
    struct sock_filter insns[BPF_MAXINSNS];
    uint32_t count;
};

static void add(struct text *text, struct sock_filter insn)
{
    text->insns[text->count++] = insn;
}

static void add_load(struct text *text, uint32_t offset, uint32_t mask)
{
    add(text, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
    if (mask != UINT32_MAX) {
        add(text, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
    }
}

// Begins with `PADDING` idle loads, and then that of the first argument.
static void start_long(struct text *text)
{
    text->count = 0;
    for (uint32_t i = 0; i < PADDING; i++) {
        add_load(text, 24, UINT32_MAX);
    }
    add_load(text, 16, UINT32_MAX);
}

// What has this value gets an error.
static void add_refusal(struct text *text, uint32_t value)
{
    add(text, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
    add(text, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1));
}

// Eleven pairs of bits differ, and four bits have sums that no bits have: it takes long to find out that there is no such word.
static void add_tests_of_no_call(struct text *text)
{
    static const uint32_t sums[][2] = {{7, 0}, {11, 0}, {13, 0}, {14, 1}};
    for (uint32_t pair = 0; pair < 11; pair++) {
        add_load(text, 16, 3u << 2 * pair);
        add_refusal(text, 0);
        add_refusal(text, 3u << 2 * pair);
    }
    for (uint32_t i = 0; i < COUNT_OF(sums); i++) {
        add_load(text, 16, sums[i][0] << 24);
        for (uint32_t value = 0; value < 16; value++) {
            if ((value & ~sums[i][0]) == 0 && (uint32_t)__builtin_parity(value) != sums[i][1]) {
                add_refusal(text, value << 24);
            }
        }
    }
    add_load(text, 16, 15u << 24);
    add_refusal(text, 14u << 24);
}

// The same where nothing but a constant is said, which is compared without forgetting anything.
TEST(check, a_way_that_is_not_seen_to_be_of_no_call_does_not_count_either)
{
    static struct text text;
    static const struct check_subject subject = {.ret = SECCOMP_RET_ERRNO | 1};
    start_long(&text);
    add(&text, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x80000000, 1, 0));
    uint32_t jump = text.count;
    add(&text, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JA, 0, 0, 0));
    add_tests_of_no_call(&text);
    text.insns[jump].k = text.count - jump - 1;
    add_load(&text, 24, UINT32_MAX); // both ways
    add(&text, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    CHECK_EQ(check_subject(&subject, text.insns, text.count, NULL), DSL_CHECKED_DIFFERENT);
}

// Two calls with the same rules come to the same body, which allows small first arguments; checked for one of them, it counts for
// the other, unless it asks whose it is: by a load, or by what X holds.
TEST(check, a_body_is_walked_for_each_call_that_it_tells_apart)
{
    enum { FIRST = 7, SECOND = 9, LOAD = 7, ASK = 9 };
    struct sock_filter insns[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH_X86_64, 0, 10),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FIRST, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SECOND, 0, 6),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 24), // both calls
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 32),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SECOND, 0, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SECOND, 0, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 31, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    static const struct check_subject others = {.ret = SECCOMP_RET_ERRNO | 1};
    struct brig_dsl_arena arena;
    struct check_subject subjects[2];
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    REQUIRE(dsl_check_read_rules(&only_small, &arena, &subjects[0]) && dsl_check_read_rules(&only_small, &arena, &subjects[1]));
    const struct check_numbers numbers[] = {{0, FIRST - 1, &others},
                                            {FIRST, FIRST, &subjects[0]},
                                            {FIRST + 1, SECOND - 1, &others},
                                            {SECOND, SECOND, &subjects[1]},
                                            {SECOND + 1, UINT32_MAX, &others}};
    const struct check_target target = {ARCH_X86_64, numbers, COUNT_OF(numbers)};
    const struct body body = {insns, COUNT_OF(insns), NULL};
    CHECK_EQ(check_target(&target, &others, body), DSL_CHECKED_EQUAL);
    struct check_rule turned[] = {subjects[1].rules[0], subjects[1].rules[1]};
    turned[0].ret = refuse.ret;
    turned[1].ret = allow_small.ret;
    const struct check_rule *const same = subjects[1].rules;
    subjects[1].rules = turned;
    CHECK_EQ(check_target(&target, &others, body), DSL_CHECKED_DIFFERENT);
    subjects[1].rules = same;
    insns[ASK].jt = 3;
    insns[LOAD].k = 0;
    CHECK_EQ(check_target(&target, &others, body), DSL_CHECKED_DIFFERENT);
    insns[LOAD] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_IMM, 1u << SECOND);
    insns[LOAD + 1] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_RSH | BPF_X, 0);
    insns[ASK] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 3, 0);
    CHECK_EQ(check_target(&target, &others, body), DSL_CHECKED_DIFFERENT);
}

// Ends in a body that refuses all, which the small arguments of call 7 come to last. First the ways come to it that `body_jump`
// sends there.
static void add_calls_with_a_wrong_body(struct text *text, uint32_t body_jump, uint32_t ret)
{
    add_load(text, 4, UINT32_MAX);
    add(text, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH_X86_64, 1, 0));
    add(text, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1));
    add_load(text, 0, UINT32_MAX);
    add(text, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 7, 1, 0));
    add(text, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1));
    text->insns[body_jump].k = text->count - body_jump - 1;
    add_load(text, 16, UINT32_MAX);
    add(text, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ret));
}

// Checks a program in which call 7 has small first arguments only, and everything else is refused.
static enum dsl_checked check_call_7(const struct text *text)
{
    static const struct check_subject others = {.ret = SECCOMP_RET_ERRNO | 1};
    struct brig_dsl_arena arena;
    struct check_subject subject;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    if (!CHECK(dsl_check_read_rules(&only_small, &arena, &subject))) {
        return DSL_CHECKED_UNDECIDED;
    }
    const struct check_numbers numbers[] = {{0, 6, &others}, {7, 7, &subject}, {8, UINT32_MAX, &others}};
    const struct check_target target = {ARCH_X86_64, numbers, COUNT_OF(numbers)};
    return check_target(&target, &others, (struct body){text->insns, text->count, NULL});
}

// What only other arches come to was walked for them, not for our calls: that it is not ours is seen through a mask.
TEST(check, a_body_that_no_call_of_ours_came_to_is_walked_for_the_first)
{
    static struct text text;
    text.count = 0;
    add_load(&text, 4, 0xc3); // of our arch 0x02
    add(&text, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 3, 0, 1));
    add(&text, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JA, 0, 0, 0));
    add_calls_with_a_wrong_body(&text, text.count - 1, SECCOMP_RET_ERRNO | 1);
    CHECK_EQ(check_call_7(&text), DSL_CHECKED_DIFFERENT);
}

// No arch at all comes to the body first: of an odd ring of bits each is unlike the next. That takes long to find out.
TEST(check, a_body_that_no_call_at_all_came_to_is_walked_for_the_first)
{
    enum { RING = 19, INSNS_OF_A_BIT = 4 };
    static struct text text;
    text.count = 0;
    for (uint32_t i = 0; i < RING; i++) {
        uint32_t lower = i + 1 == RING ? 1 : 1u << i;
        uint32_t upper = i + 1 == RING ? 1u << i : 1u << (i + 1);
        add_load(&text, 4, lower | upper);
        add(&text, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, lower));
        uint8_t past = (uint8_t)(INSNS_OF_A_BIT * (RING - 1 - i) + 1);
        add(&text, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, upper - lower, past, 0));
    }
    add(&text, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JA, 0, 0, 0));
    add_calls_with_a_wrong_body(&text, text.count - 1, SECCOMP_RET_ALLOW);
    CHECK_EQ(check_call_7(&text), DSL_CHECKED_DIFFERENT);
}

// A claim about a constant is to blame for nothing.
TEST(check, a_constant_that_is_not_said_behind_a_join_is_different)
{
    static struct text text;
    static const struct check_subject subject = {.ret = SECCOMP_RET_ERRNO | 1};
    start_long(&text);
    add(&text, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 0));
    add_load(&text, 24, UINT32_MAX);
    add_refusal(&text, 5);
    add(&text, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    CHECK_EQ(check_subject(&subject, text.insns, text.count, NULL), DSL_CHECKED_DIFFERENT);
}

// --- sides ------------------------------------------------------------------------------------------------------------

#define LOAD BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16)
#define IF(test, k, yes, no) BPF_JUMP(BPF_JMP | (test) | BPF_K, (k), (yes), (no))
#define AND(k) BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (k))
#define NO BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1)
#define YES BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static const struct {
    const char *what;
    struct sock_filter insns[13];
    uint32_t count;
    uint32_t at; // the test of which one side only is taken
    unsigned char taken;
} one_sided[] = {
    {"a bit test behind all values without the bits",
     {LOAD, IF(BPF_JGT, 31, 5, 0), IF(BPF_JEQ, 0, 5, 0), IF(BPF_JEQ, 1, 4, 0), IF(BPF_JEQ, 2, 3, 0), IF(BPF_JEQ, 3, 2, 0),
      IF(BPF_JSET, 0x1c, 1, 0), NO, YES},
     9,
     6,
     DSL_TAKEN_YES},
    {"a masked value behind all its values",
     {LOAD, IF(BPF_JGT, 31, 5, 0), IF(BPF_JEQ, 5, 5, 0), IF(BPF_JEQ, 21, 4, 0), AND(15), IF(BPF_JEQ, 4, 2, 0), IF(BPF_JEQ, 5, 0, 1),
      NO, YES},
     9,
     6,
     DSL_TAKEN_NO},
    {"a value behind masks that leave it out",
     {LOAD, IF(BPF_JGT, 31, 8, 0), AND(6), IF(BPF_JEQ, 2, 7, 0), LOAD, AND(5), IF(BPF_JEQ, 4, 4, 0), LOAD, IF(BPF_JEQ, 6, 1, 2),
      YES, NO, YES},
     12,
     8,
     DSL_TAKEN_NO},
    {"the end of a window", // of 4 to 7, of which 4 and 6 went another way
     {LOAD, IF(BPF_JGT, 31, 7, 0), IF(BPF_JEQ, 4, 7, 0), IF(BPF_JEQ, 6, 6, 0), AND(0xfffffffc), IF(BPF_JEQ, 4, 0, 4), LOAD, AND(1),
      IF(BPF_JEQ, 1, 1, 0), NO, YES},
     11,
     8,
     DSL_TAKEN_YES},
};

// Sides that a set of values under one mask has, but that what is known beside it leaves no value.
TEST(check, sides_that_no_call_takes_are_known)
{
    for (size_t i = 0; i < COUNT_OF(one_sided); i++) {
        unsigned char taken[BPF_MAXINSNS] = {0};
        test_message("%s", one_sided[i].what);
        REQUIRE(CHECK_EQ(brig_dsl_validate(one_sided[i].insns, one_sided[i].count, NULL), BRIG_OK));
        CHECK_EQ(check_program(one_sided[i].insns, one_sided[i].count, taken), DSL_CHECKED_EQUAL);
        for (uint32_t at = 0; at < one_sided[i].count; at++) {
            uint16_t code = one_sided[i].insns[at].code;
            bool is_test = BPF_CLASS(code) == BPF_JMP && BPF_OP(code) != BPF_JA;
            unsigned char sides = at == one_sided[i].at ? one_sided[i].taken : DSL_TAKEN_YES | DSL_TAKEN_NO;
            CHECK_EQ(taken[at], is_test ? sides : 0);
        }
    }
    test_message("%s", "");
}

TEST(check, a_full_arena_is_undecided)
{
    struct random random;
    struct random_shape shape = random_shape_of(&random, 5);
    const struct compiled *compiled = program_compile(&random, &shape);
    const struct dsl_target target = {.arch = compiled->rules.arch, .rules = &compiled->rules};
    const struct dsl_check_input input = {.targets = &target,
                                          .target_count = 1,
                                          .insns = compiled->insns[0],
                                          .insn_count = compiled->count[0],
                                          .steps = DSL_CHECK_STEPS,
                                          .patience = DSL_CHECK_PATIENCE};
    bool was_equal = false;
    for (size_t bytes = 0; bytes < 300000; bytes += 997) {
        struct brig_dsl_arena arena;
        uint32_t nr;
        brig_dsl_arena_init(&arena, memory, bytes);
        enum dsl_checked checked = dsl_check(&input, &arena, &nr);
        CHECK_EQ(checked, was_equal || !arena.exhausted ? DSL_CHECKED_EQUAL : DSL_CHECKED_UNDECIDED);
        was_equal |= checked == DSL_CHECKED_EQUAL;
    }
    CHECK(was_equal);
}
