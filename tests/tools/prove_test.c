// The prover against everything else that knows what a program means: the compiler's plain form, the interpreter, itself without
// shortcuts. What is said to hold is tried on many inputs; what is said to fail has a witness that the interpreter has to confirm.
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "policies/policies.h"
#include "tests/shim/codes.h"
#include "tests/shim/test.h"
#include "tests/tools/random_program.h"
#include "tools/prove/prove.h"

enum { INSNS_MAX = 300, TIMEOUT_MS = 60000 };

static uint32_t run(const struct prove_program *program, const struct brig_dsl_data *data)
{
    return brig_dsl_interpret(program->insns, program->insn_count, data, NULL).ret;
}

// Asks, and checks a witness. Returns: the answer.
static enum prove_answer ask(const struct prove_question *question, struct prove_result *ret_result)
{
    enum prove_answer answer = prove_run(question, ret_result);
    CHECK_NE(answer, PROVE_BROKEN);
    if (answer == PROVE_FAILS) {
        const struct prove_witness *witness = &ret_result->witness;
        uint32_t a = run(&question->programs[0], &witness->data);
        uint32_t b = run(&question->programs[1], &witness->data);
        CHECK_EQ(witness->rets[0], a);
        CHECK_EQ(witness->rets[1], b);
        CHECK(!prove_relation_holds(question->relation, a, b));
    }
    return answer;
}

static struct brig_dsl_program compile(const struct brig_dsl_policy *policy, enum brig_dsl_arch arch, bool is_plain,
                                       unsigned char *memory)
{
    struct brig_dsl_options options = {.arch = arch, .self_pid = 4242, .notify_fd = 3, .plain = is_plain};
    struct brig_dsl_arena arena;
    struct brig_dsl_program program = {.insn_count = 0};
    struct brig_error error;
    brig_dsl_arena_init(&arena, memory, BRIG_DSL_ARENA_BYTES);
    CHECK_OK(brig_dsl_compile(policy, &options, &arena, &program, &error), &error);
    return program;
}

static unsigned char arenas[2][BRIG_DSL_ARENA_BYTES];

// The question about two policies.
static struct prove_question about(const struct brig_dsl_policy *a, const struct brig_dsl_policy *b, enum brig_dsl_arch arch)
{
    struct brig_dsl_program programs[2] = {compile(a, arch, false, arenas[0]), compile(b, arch, a == b, arenas[1])};
    return (struct prove_question){
        .programs = {{programs[0].insns, programs[0].insn_count}, {programs[1].insns, programs[1].insn_count}},
        .relation = a == b ? PROVE_EQUAL : PROVE_SUBSET,
        .timeout_ms = TIMEOUT_MS,
    };
}

// --- policies ---------------------------------------------------------------------------------------------------------

TEST(prove, every_policy_equals_its_plain_form)
{
    for (size_t i = 0; brig_policy_all[i] != NULL; i++) {
        for (int arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
            struct prove_result result;
            struct prove_question question = about(brig_policy_all[i], brig_policy_all[i], (enum brig_dsl_arch)arch);
            test_message("%s, %s", brig_policy_all[i]->name, brig_dsl_arch_name((enum brig_dsl_arch)arch));
            REQUIRE(question.programs[0].insn_count > 0 && question.programs[1].insn_count > 0);
            CHECK_EQ(ask(&question, &result), PROVE_HOLDS);
            // And with nothing decided before Z3 sees it.
            question.is_whole = true;
            CHECK_EQ(ask(&question, &result), PROVE_HOLDS);
            CHECK_EQ(result.queries, 1);
        }
    }
}

TEST(prove, what_a_base_allows_its_heirs_allow)
{
    static const struct {
        const struct brig_dsl_policy *a;
        const struct brig_dsl_policy *b;
        enum prove_answer answer;
    } rows[] = {
        {&brig_policy_baseline, &brig_policy_renderer, PROVE_HOLDS},
        {&brig_policy_renderer, &brig_policy_baseline, PROVE_FAILS},
        {&brig_policy_network, &brig_policy_baseline, PROVE_FAILS},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (int arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
            struct prove_result result;
            struct prove_question question = about(rows[i].a, rows[i].b, (enum brig_dsl_arch)arch);
            test_message("%s, %s, %s", rows[i].a->name, rows[i].b->name, brig_dsl_arch_name((enum brig_dsl_arch)arch));
            REQUIRE(question.programs[0].insn_count > 0 && question.programs[1].insn_count > 0);
            CHECK_EQ(ask(&question, &result), rows[i].answer);
            question.relation = PROVE_SUPERSET; // the same question from the other side
            struct prove_program a = question.programs[0];
            question.programs[0] = question.programs[1];
            question.programs[1] = a;
            CHECK_EQ(ask(&question, &result), rows[i].answer);
        }
    }
}

// Returns: whether some input tells the programs apart: random ones, with numbers near those that the programs compare with.
static bool differ_somewhere(struct random *random, const struct prove_question *question, size_t tries)
{
    for (size_t i = 0; i < tries; i++) {
        struct brig_dsl_data data = random_input(random);
        const struct prove_program *program = &question->programs[i % 2];
        const struct sock_filter *near = &program->insns[random_below(random, (uint32_t)program->insn_count)];
        data.nr = random_below(random, 3) == 0 ? near->k + random_below(random, 3) - 1 : random_below(random, 470);
        data.audit_arch = random_below(random, 8) == 0 ? data.audit_arch : brig_dsl_arch_audit(BRIG_DSL_X86_64);
        for (size_t j = 0; j < 6; j++) {
            const struct sock_filter *other = &program->insns[random_below(random, (uint32_t)program->insn_count)];
            data.args[j] = random_below(random, 2) == 0 ? other->k + random_below(random, 3) - 1 : data.args[j];
        }
        if (!prove_relation_holds(question->relation, run(&question->programs[0], &data), run(&question->programs[1], &data))) {
            return true;
        }
    }
    return false;
}

TEST(prove, a_changed_instruction_is_found)
{
    enum { CHANGES = 150 };
    static struct sock_filter changed[BPF_MAXINSNS];
    struct random random = {.state = 7};
    struct brig_dsl_program program = compile(&brig_policy_renderer, BRIG_DSL_X86_64, false, arenas[0]);
    size_t bytes = program.insn_count * sizeof *program.insns;
    size_t told_apart = 0;
    REQUIRE(program.insn_count > 0);
    for (int i = 0; i < CHANGES; i++) {
        struct prove_result result;
        struct prove_question question = {.programs = {{program.insns, program.insn_count}, {changed, program.insn_count}},
                                          .timeout_ms = TIMEOUT_MS};
        memcpy(changed, program.insns, bytes);
        random_mutation(&random, changed, program.insn_count);
        test_message("change %d", i);
        enum prove_answer answer = ask(&question, &result);
        told_apart += answer == PROVE_FAILS;
        CHECK_NE(answer, PROVE_UNDECIDED);
        CHECK(answer == PROVE_FAILS || !differ_somewhere(&random, &question, 5000));
    }
    // Few changes have no effect: fields that are ignored, tests that a policy makes twice.
    CHECK_GT(told_apart, CHANGES * 6 / 10);
}

// --- any program ------------------------------------------------------------------------------------------------------

static uint32_t word_of(const struct brig_dsl_data *data, uint32_t word)
{
    const uint64_t wide[] = {data->nr | (uint64_t)data->audit_arch << 32,
                             data->ip,
                             data->args[0],
                             data->args[1],
                             data->args[2],
                             data->args[3],
                             data->args[4],
                             data->args[5]};
    return (uint32_t)(wide[word / 2] >> (word % 2 == 0 ? 0 : 32));
}

enum { DATA_WORDS = 16, PIN_INSNS = 2 * DATA_WORDS };

// Puts a program behind tests that only `data` passes; every other call gets 0. Returns: number of instructions.
static size_t pin(const struct brig_dsl_data *data, const struct sock_filter *insns, size_t insn_count, struct sock_filter *pinned)
{
    size_t count = PIN_INSNS + insn_count + 1;
    for (uint32_t word = 0; word < DATA_WORDS; word++) {
        size_t at = (size_t)2 * word;
        pinned[at] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4 * word);
        pinned[at + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, word_of(data, word), 0, (uint8_t)(count - at - 3));
    }
    memcpy(pinned + PIN_INSNS, insns, insn_count * sizeof *insns);
    pinned[count - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
    return count;
}

// Z3 and the interpreter agree on what a program returns for one input: it equals a constant there, and no other one.
TEST(prove, formulas_say_what_the_interpreter_does)
{
    struct random random = {.state = 3};
    for (int i = 0; i < 250; i++) {
        struct sock_filter insns[32];
        struct sock_filter pinned[INSNS_MAX];
        struct sock_filter constant[INSNS_MAX];
        struct prove_result result;
        size_t insn_count = RANDOM_PROGRAM_LEAST + random_below(&random, 26);
        struct brig_dsl_data data = random_input(&random);
        random_program(&random, insns, insn_count);
        struct prove_program program = {pinned, pin(&data, insns, insn_count, pinned)};
        struct sock_filter ret = BPF_STMT(BPF_RET | BPF_K, run(&program, &data));
        struct prove_question question = {
            .programs = {program, {constant, pin(&data, &ret, 1, constant)}}, .timeout_ms = TIMEOUT_MS, .is_whole = i % 2 == 0};
        test_message("program %d", i);
        CHECK_EQ(ask(&question, &result), PROVE_HOLDS);
        ret.k ^= 1u << random_below(&random, 32);
        pin(&data, &ret, 1, constant);
        if (CHECK_EQ(ask(&question, &result), PROVE_FAILS)) {
            CHECK_EQ(result.witness.data.nr, data.nr);
            CHECK_EQ(result.witness.data.ip, data.ip);
            CHECK_BYTES_EQ(result.witness.data.args, data.args, sizeof data.args);
        }
    }
}

// Splitting and bounds change nothing about the answer, for any relation.
TEST(prove, shortcuts_change_no_answer)
{
    struct random random = {.state = 11};
    int answers[PROVE_BROKEN + 1] = {0};
    for (int i = 0; i < 250; i++) {
        struct sock_filter insns[2][24];
        struct prove_result result;
        size_t insn_count = RANDOM_PROGRAM_LEAST + random_below(&random, 18);
        struct prove_question question = {.programs = {{insns[0], insn_count}, {insns[1], insn_count}},
                                          .relation = (enum prove_relation)(i % PROVE_RELATION_COUNT),
                                          .timeout_ms = 2000};
        random_program(&random, insns[0], insn_count);
        memcpy(insns[1], insns[0], sizeof insns[0]);
        for (int changes = 0; changes < 1 + i % 8; changes++) {
            random_mutation(&random, insns[1], insn_count);
        }
        if (i % 3 == 0) {
            random_program(&random, insns[1], insn_count);
        }
        test_message("pair %d", i);
        enum prove_answer answer = ask(&question, &result);
        question.is_whole = true;
        enum prove_answer whole = ask(&question, &result);
        answers[answer]++;
        CHECK(answer == whole || answer == PROVE_UNDECIDED || whole == PROVE_UNDECIDED);
        CHECK(answer != PROVE_HOLDS || !differ_somewhere(&random, &question, 2000));
    }
    CHECK_GT(answers[PROVE_HOLDS], 25);
    CHECK_GT(answers[PROVE_FAILS], 25);
    CHECK_LT(answers[PROVE_UNDECIDED], 25);
}

// --- corners ----------------------------------------------------------------------------------------------------------

#define LOAD(word) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4 * (word))
#define TAX BPF_STMT(BPF_MISC | BPF_TAX, 0)
#define ALU_X(op) BPF_STMT(BPF_ALU | (op) | BPF_X, 0)
#define ALU_K(op, k) BPF_STMT(BPF_ALU | (op) | BPF_K, (k))
#define RET_A BPF_STMT(BPF_RET | BPF_A, 0)
#define RET(k) BPF_STMT(BPF_RET | BPF_K, (k))
#define TEST_K(op, k, jt, jf) BPF_JUMP(BPF_JMP | (op) | BPF_K, (k), (jt), (jf))

static const struct {
    const char *what;
    struct sock_filter a[8];
    struct sock_filter b[8];
    enum prove_relation relation;
    enum prove_answer answer;
} corners[] = {
    {"a division by zero returns 0",
     {LOAD(4), TAX, LOAD(6), ALU_X(BPF_DIV), RET(7)},
     {LOAD(4), TEST_K(BPF_JEQ, 0, 0, 1), RET(0), RET(7)},
     PROVE_EQUAL,
     PROVE_HOLDS},
    {"and nothing else does", {LOAD(4), TAX, LOAD(6), ALU_X(BPF_DIV), RET(7)}, {RET(7)}, PROVE_EQUAL, PROVE_FAILS},
    {"a divisor known to be no zero",
     {LOAD(4), ALU_K(BPF_OR, 2), TAX, LOAD(6), ALU_X(BPF_DIV), RET(7)},
     {RET(7)},
     PROVE_EQUAL,
     PROVE_HOLDS},
    {"a shift by 32 is one by 0",
     {BPF_STMT(BPF_LDX | BPF_IMM, 32), LOAD(4), ALU_X(BPF_LSH), RET_A},
     {LOAD(4), RET_A},
     PROVE_EQUAL,
     PROVE_HOLDS},
    {"a shift counts modulo 32",
     {LOAD(6), TAX, LOAD(4), ALU_X(BPF_RSH), RET_A},
     {LOAD(6), ALU_K(BPF_AND, 31), TAX, LOAD(4), ALU_X(BPF_RSH), RET_A},
     PROVE_EQUAL,
     PROVE_HOLDS},
    {"and not modulo 64",
     {LOAD(6), TAX, LOAD(4), ALU_X(BPF_RSH), RET_A},
     {LOAD(6), ALU_K(BPF_AND, 63), TAX, LOAD(4), ALU_X(BPF_RSH), RET_A},
     PROVE_EQUAL,
     PROVE_HOLDS},
    {"addition wraps", {LOAD(4), ALU_K(BPF_ADD, 0xffffffff), RET_A}, {LOAD(4), ALU_K(BPF_SUB, 1), RET_A}, PROVE_EQUAL, PROVE_HOLDS},
    {"negation",
     {LOAD(4), BPF_STMT(BPF_ALU | BPF_NEG, 0), RET_A},
     {LOAD(4), ALU_K(BPF_XOR, 0xffffffff), ALU_K(BPF_ADD, 1), RET_A},
     PROVE_EQUAL,
     PROVE_HOLDS},
    {"division is unsigned", {LOAD(4), ALU_K(BPF_DIV, 16), RET_A}, {LOAD(4), ALU_K(BPF_RSH, 4), RET_A}, PROVE_EQUAL, PROVE_HOLDS},
    {"comparison is unsigned",
     {LOAD(4), TEST_K(BPF_JGT, 0x7fffffff, 0, 1), RET(1), RET(2)},
     {LOAD(4), TEST_K(BPF_JSET, 0x80000000, 0, 1), RET(1), RET(2)},
     PROVE_EQUAL,
     PROVE_HOLDS},
    {"JGE is not JGT",
     {LOAD(4), TEST_K(BPF_JGE, 5, 0, 1), RET(1), RET(2)},
     {LOAD(4), TEST_K(BPF_JGT, 5, 0, 1), RET(1), RET(2)},
     PROVE_EQUAL,
     PROVE_FAILS},
    {"A and X start as 0", {ALU_X(BPF_OR), RET_A}, {RET(0)}, PROVE_EQUAL, PROVE_HOLDS},
    {"the length is 64",
     {BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_MISC | BPF_TXA, 0), RET_A},
     {RET(64)},
     PROVE_EQUAL,
     PROVE_HOLDS},
    {"a cell keeps a word",
     {LOAD(15), BPF_STMT(BPF_ST, 3), LOAD(0), BPF_STMT(BPF_LDX | BPF_MEM, 3), BPF_STMT(BPF_MISC | BPF_TXA, 0), RET_A},
     {LOAD(15), RET_A},
     PROVE_EQUAL,
     PROVE_HOLDS},
    {"one call of 2^512",
     {LOAD(15), TEST_K(BPF_JEQ, 0xdeadbeef, 0, 3), LOAD(2), TEST_K(BPF_JEQ, 0xfeedface, 0, 1), RET(2), RET(1)},
     {RET(1)},
     PROVE_EQUAL,
     PROVE_FAILS},
    {"x32 numbers",
     {LOAD(0), TEST_K(BPF_JSET, 0x40000000, 0, 1), RET(1), RET(2)},
     {LOAD(0), ALU_K(BPF_RSH, 30), ALU_K(BPF_AND, 1), TEST_K(BPF_JEQ, 1, 0, 1), RET(1), RET(2)},
     PROVE_EQUAL,
     PROVE_HOLDS},
    {"a formula that is false for one range of numbers and not for the next",
     {LOAD(0), TEST_K(BPF_JGE, 1000, 0, 0), ALU_K(BPF_XOR, 0x5a5a), TEST_K(BPF_JEQ, 2000 ^ 0x5a5a, 0, 1), RET(1), RET(2)},
     {RET(2)},
     PROVE_EQUAL,
     PROVE_FAILS},
    {"data that nobody looks at", {RET(SECCOMP_RET_ALLOW | 5)}, {RET(SECCOMP_RET_ALLOW)}, PROVE_SAME_EFFECT, PROVE_HOLDS},
    {"but other bits", {RET(SECCOMP_RET_ALLOW | 5)}, {RET(SECCOMP_RET_ALLOW)}, PROVE_EQUAL, PROVE_FAILS},
    {"errno ends at 4095", {RET(SECCOMP_RET_ERRNO | 0xffff)}, {RET(SECCOMP_RET_ERRNO | 4095)}, PROVE_SAME_EFFECT, PROVE_HOLDS},
    {"an errno counts", {RET(SECCOMP_RET_ERRNO | 1)}, {RET(SECCOMP_RET_ERRNO | 2)}, PROVE_SAME_EFFECT, PROVE_FAILS},
    {"an unknown action kills", {RET(0x12345678)}, {RET(SECCOMP_RET_KILL_PROCESS)}, PROVE_SAME_EFFECT, PROVE_HOLDS},
    {"effects of a value that varies",
     {LOAD(4), ALU_K(BPF_AND, 0xffff), ALU_K(BPF_OR, SECCOMP_RET_ALLOW), RET_A},
     {RET(SECCOMP_RET_ALLOW)},
     PROVE_SAME_EFFECT,
     PROVE_HOLDS},
    {"errno that varies",
     {LOAD(4), ALU_K(BPF_AND, 0xffff), ALU_K(BPF_OR, SECCOMP_RET_ERRNO | 0x1000), RET_A},
     {RET(SECCOMP_RET_ERRNO | 4095)},
     PROVE_SAME_EFFECT,
     PROVE_HOLDS},
    {"logging is allowing", {RET(SECCOMP_RET_LOG)}, {RET(SECCOMP_RET_ALLOW)}, PROVE_SUBSET, PROVE_HOLDS},
    {"denying is a subset", {RET(SECCOMP_RET_ERRNO)}, {LOAD(4), RET_A}, PROVE_SUBSET, PROVE_HOLDS},
    {"a value that varies may allow", {LOAD(4), RET_A}, {RET(SECCOMP_RET_ERRNO)}, PROVE_SUBSET, PROVE_FAILS},
};

TEST(prove, corners)
{
    for (size_t i = 0; i < 2 * COUNT_OF(corners); i++) {
        struct prove_result result;
        struct prove_question question = {.relation = corners[i / 2].relation, .timeout_ms = TIMEOUT_MS, .is_whole = i % 2 != 0};
        const struct sock_filter *const sides[] = {corners[i / 2].a, corners[i / 2].b};
        test_message("%s%s", corners[i / 2].what, question.is_whole ? ", whole" : "");
        for (size_t side = 0; side < 2; side++) {
            size_t count = 8;
            while (BPF_CLASS(sides[side][count - 1].code) != BPF_RET) {
                count--;
            }
            question.programs[side] = (struct prove_program){sides[side], count};
            CHECK_EQ(brig_dsl_validate(sides[side], count, NULL), BRIG_OK);
        }
        CHECK_EQ(ask(&question, &result), corners[i / 2].answer);
    }
}

// (a + b) * c * c against ((a ^ b) + 2 * (a & b)) * c * c: the same, and too hard for a solver of bits in any time that a test has.
TEST(prove, a_time_limit_ends_the_search)
{
    static const struct sock_filter left[] = {
        LOAD(4),
        TAX,
        LOAD(6),
        ALU_X(BPF_ADD),
        BPF_STMT(BPF_ST, 0), // a + b
        LOAD(8),
        TAX,
        BPF_STMT(BPF_LD | BPF_MEM, 0),
        ALU_X(BPF_MUL),
        ALU_X(BPF_MUL),
        RET_A,
    };
    static const struct sock_filter right[] = {
        LOAD(4),
        TAX,
        LOAD(6),
        ALU_X(BPF_XOR),
        BPF_STMT(BPF_ST, 0), // a ^ b
        LOAD(6),
        ALU_X(BPF_AND),
        ALU_K(BPF_LSH, 1),
        BPF_STMT(BPF_LDX | BPF_MEM, 0),
        ALU_X(BPF_ADD), // + 2 * (a & b)
        BPF_STMT(BPF_ST, 0),
        LOAD(8),
        TAX,
        BPF_STMT(BPF_LD | BPF_MEM, 0),
        ALU_X(BPF_MUL),
        ALU_X(BPF_MUL),
        RET_A,
    };
    struct prove_result result;
    struct prove_question question = {.programs = {{left, COUNT_OF(left)}, {right, COUNT_OF(right)}}, .timeout_ms = 300};
    CHECK_EQ(ask(&question, &result), PROVE_UNDECIDED);
    CHECK_STR_EQ(result.why, "the time limit was reached");
}

// --- differences ------------------------------------------------------------------------------------------------------

struct seen {
    size_t count;
    size_t socket_count;
    size_t by_relation[PROVE_RELATION_COUNT];
};

static void see(void *context, const struct prove_difference *difference)
{
    struct seen *seen = context;
    const struct brig_dsl_data *data = &difference->witness.data;
    seen->count++;
    seen->by_relation[difference->relation]++;
    seen->socket_count += difference->domain.nr_lo == (uint32_t)brig_dsl_call_nr(BRIG_SYS_socket, BRIG_DSL_X86_64);
    CHECK(data->nr >= difference->domain.nr_lo && data->nr <= difference->domain.nr_hi);
    CHECK(data->audit_arch >= difference->domain.arch_lo && data->audit_arch <= difference->domain.arch_hi);
    CHECK(!prove_relation_holds(difference->relation, difference->witness.rets[0], difference->witness.rets[1]));
}

TEST(prove, differences_are_listed_by_call)
{
    struct prove_result result;
    struct seen seen = {.count = 0};
    struct prove_question question = about(&brig_policy_renderer, &brig_policy_network, BRIG_DSL_X86_64);
    REQUIRE(question.programs[0].insn_count > 0 && question.programs[1].insn_count > 0);
    question.relation = PROVE_SAME_EFFECT;
    question.report = see;
    question.context = &seen;
    CHECK_EQ(ask(&question, &result), PROVE_FAILS);
    CHECK_GT(seen.socket_count, 0);
    CHECK_GT(seen.by_relation[PROVE_SUPERSET], 0);
    CHECK_EQ(seen.by_relation[PROVE_EQUAL], 0);
    seen = (struct seen){.count = 0};
    question.programs[1] = question.programs[0];
    CHECK_EQ(ask(&question, &result), PROVE_HOLDS);
    CHECK_EQ(seen.count, 0);
}
