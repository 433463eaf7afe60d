// The check of programs against programs: what it calls equal and different is so, and it is not lost where it need not be.
#include "bpf_dsl/check_programs.h"

#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "bpf_dsl/optimize.h"
#include "bpf_dsl/program.h"
#include "tests/bpf_dsl/random_filter.h"
#include "tests/bpf_dsl/random_insns.h"
#include "tests/shim/test.h"

enum { CALLS = 400, LENGTH = 128 };

static enum dsl_checked check(const struct dsl_code *stack, uint32_t count, const struct dsl_code *subject)
{
    static unsigned char *memory;
    struct brig_dsl_arena arena;
    uint32_t nr;
    memory = memory == NULL ? malloc(BRIG_DSL_OPTIMIZE_ARENA_BYTES) : memory;
    brig_dsl_arena_init(&arena, memory, BRIG_DSL_OPTIMIZE_ARENA_BYTES);
    return dsl_check_programs(stack, count, subject, &arena, &nr);
}

static struct dsl_code read_program(const char *text, struct sock_filter *insns)
{
    size_t count = 0;
    struct brig_error error = {.code = BRIG_OK};
    enum brig_code code = brig_dsl_assemble((struct brig_dsl_text){text, strlen(text)}, BRIG_DSL_X86_64, insns, &count, &error);
    test_message("%s: %s, line %d", text, brig_code_name(code), error.line);
    CHECK_EQ(code, BRIG_OK);
    return (struct dsl_code){insns, (uint32_t)count};
}

#define A "args[0].lo"
#define B "args[1].lo"
#define BOTH "ld " B "\ntax\nld " A "\n"

// Ways of computing something.
TEST(check_programs, what_is_computed)
{
    static const struct {
        const char *a;
        const char *b;
        enum dsl_checked answer;
    } rows[] = {
        // One word, bit by bit.
        {"ld " A "\nor #0x50000\nret a\n", "ld " A "\nand #0xfffaffff\nxor #0x50000\nret a\n", DSL_CHECKED_EQUAL},
        {"ld " A "\nor #0x50000\nret a\n", "ld " A "\nxor #0x50000\nret a\n", DSL_CHECKED_DIFFERENT},
        {"ld " A "\nrsh #4\nand #0xf\nret a\n", "ld " A "\nand #0xf0\nrsh #4\nret a\n", DSL_CHECKED_EQUAL},
        {"ld " A "\nlsh #8\nrsh #8\nret a\n", "ld " A "\nand #0xffffff\nret a\n", DSL_CHECKED_EQUAL},
        {"ld " A "\nlsh #8\nrsh #8\nret a\n", "ld " A "\nand #0x1ffffff\nret a\n", DSL_CHECKED_DIFFERENT},
        {"ld " A "\nmul #8\nret a\n", "ld " A "\nlsh #3\nret a\n", DSL_CHECKED_EQUAL},
        // Sums.
        {"ld " A "\nadd #7\nsub #3\nret a\n", "ld " A "\nadd #4\nret a\n", DSL_CHECKED_EQUAL},
        {"ld " A "\ntax\nld #7\nsub x\nret a\n", "ld " A "\nneg\nadd #7\nret a\n", DSL_CHECKED_EQUAL},
        {"ld " A "\nneg\nneg\nret a\n", "ld " A "\nret a\n", DSL_CHECKED_EQUAL},
        {"ld " A "\nand #0xff\nadd #0x50000\nret a\n", "ld " A "\nand #0xff\nor #0x50000\nret a\n", DSL_CHECKED_EQUAL},
        {"ld " A "\nadd #1\nret a\n", "ld " A "\nor #1\nret a\n", DSL_CHECKED_DIFFERENT},
        // Two words.
        {BOTH "add x\nret a\n", "ld " A "\ntax\nld " B "\nadd x\nret a\n", DSL_CHECKED_EQUAL},
        {BOTH "sub x\nret a\n", "ld " A "\ntax\nld " B "\nsub x\nret a\n", DSL_CHECKED_DIFFERENT},
        {BOTH "xor x\nand #0xff\nret a\n", BOTH "xor x\nlsh #24\nrsh #24\nret a\n", DSL_CHECKED_EQUAL},
        {BOTH "lsh x\nret a\n", BOTH "rsh x\nret a\n", DSL_CHECKED_DIFFERENT},
        {"ldx #0\nld " A "\nsub x\nret a\n", "ld " A "\nret a\n", DSL_CHECKED_EQUAL},
        // Under facts.
        {"ld " A "\njeq #5, y, n\ny: ret a\nn: ret ALLOW\n", "ld " A "\njeq #5, y, n\ny: ret #5\nn: ret ALLOW\n",
         DSL_CHECKED_EQUAL},
        {"ld " A "\njgt #15, y, n\nn: ret a\ny: ret ALLOW\n", "ld " A "\njgt #15, y, n\nn: and #0xf\nret a\ny: ret ALLOW\n",
         DSL_CHECKED_EQUAL},
        {"ld " A "\njgt #16, y, n\nn: ret a\ny: ret ALLOW\n", "ld " A "\njgt #16, y, n\nn: and #0xf\nret a\ny: ret ALLOW\n",
         DSL_CHECKED_DIFFERENT},
        {"ld " A "\nand #3\njeq #1, y, n\nn: ret #7\ny: ld " A "\nlsh #31\nret a\n",
         "ld " A "\nand #3\njeq #1, y, n\nn: ret #7\ny: ret #0x80000000\n", DSL_CHECKED_EQUAL},
        // Divisions.
        {BOTH "div x\nret a\n", "ld " B "\njeq #0, z\ntax\nld " A "\ndiv x\nret a\nz: ret #0\n", DSL_CHECKED_EQUAL},
        {BOTH "div x\nret a\n", "ld " B "\njeq #0, z\ntax\nld " A "\ndiv x\nret a\nz: ret #1\n", DSL_CHECKED_DIFFERENT},
        {BOTH "div x\nret #3\n", "ld " B "\njeq #0, z\nret #3\nz: ret #0\n", DSL_CHECKED_EQUAL},
        {BOTH "add x\ntax\nld #9\ndiv x\nret a\n", BOTH "add x\njeq #0, z\ntax\nld #9\ndiv x\nret a\nz: ret #0\n",
         DSL_CHECKED_EQUAL},
        // Tests of two words.
        {BOTH "jgt x, y, n\ny: ret #1\nn: ret #2\n", "ld " A "\ntax\nld " B "\njge x, n, y\ny: ret #1\nn: ret #2\n",
         DSL_CHECKED_EQUAL},
        {BOTH "jeq x, y, n\ny: ret #1\nn: ret #2\n", BOTH "sub x\njeq #0, y, n\ny: ret #1\nn: ret #2\n", DSL_CHECKED_EQUAL},
        {BOTH "jset x, y, n\ny: ret #1\nn: ret #2\n", BOTH "and x\njeq #0, n, y\ny: ret #1\nn: ret #2\n", DSL_CHECKED_EQUAL},
        {BOTH "add x\njgt #9, y, n\ny: ret #1\nn: ret a\n", BOTH "add x\njge #10, y, n\ny: ret #1\nn: ret a\n", DSL_CHECKED_EQUAL},
        {BOTH "add x\njeq #9, y, n\ny: ret #9\nn: ret #2\n", BOTH "add x\njeq #9, y, n\ny: ret a\nn: ret #2\n", DSL_CHECKED_EQUAL},
        {BOTH "add x\nadd #1\njeq #9, y, n\ny: ret #1\nn: ret #2\n", BOTH "add x\njeq #8, y, n\ny: ret #1\nn: ret #2\n",
         DSL_CHECKED_EQUAL},
        // What is known of a term may be what no call has: that is no difference.
        {BOTH "add x\njeq #9, y, n\ny: ret #1\nn: ret #2\n", BOTH "add x\njeq #8, y, n\ny: ret #1\nn: ret #2\n",
         DSL_CHECKED_UNDECIDED},
        {BOTH "mul x\njeq #9, y, n\ny: ret #2\nn: ret #2\n", "ret #2\n", DSL_CHECKED_EQUAL},
    };
    static struct sock_filter insns[2][BPF_MAXINSNS];
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct dsl_code a = read_program(rows[i].a, insns[0]);
        const struct dsl_code b = read_program(rows[i].b, insns[1]);
        test_message("%s--\n%s", rows[i].a, rows[i].b);
        CHECK_EQ(check(&a, 1, &b), rows[i].answer);
        CHECK_EQ(check(&b, 1, &a), rows[i].answer);
    }
}

static uint32_t run(const struct dsl_code *code, const struct brig_dsl_data *data)
{
    return brig_dsl_interpret(code->insns, code->count, data, NULL).ret;
}

// Filters, those that compute what they return, programs of every opcode, and expressions, one after the other.
static uint32_t make_program(struct random *random, uint64_t seed, struct sock_filter *insns)
{
    uint32_t count = 3 + random_below(random, 25);
    switch (seed % 4) {
    case 0:
        random_insns(random, insns, count);
        return count;
    case 1:
        random_expression(random, insns, count);
        return count;
    default:
        count = random_filter(random, insns, 16 + random_below(random, 30));
        if (seed % 4 == 2) {
            random_return_computed(random, insns, count);
        }
        return count;
    }
}

// A program with one change is told from the one that it was.
// A cell is multiplied or not by thirteen bits of a word, and what comes out is mixed: more values than there is room for.
static struct dsl_code multiply_often(uint32_t first_factor, struct sock_filter *insns)
{
    enum { BITS = 13, MIXES = 16 };
    uint32_t count = 0;
    insns[count++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16);
    insns[count++] = (struct sock_filter)BPF_STMT(BPF_ST, 0);
    for (uint32_t bit = 0; bit < BITS; bit++) {
        insns[count++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 24);
        insns[count++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1u << bit, 0, 3);
        insns[count++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_MEM, 0);
        insns[count++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, bit == 0 ? first_factor : 101 + 2 * bit);
        insns[count++] = (struct sock_filter)BPF_STMT(BPF_ST, 0);
    }
    insns[count++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_MEM, 0);
    for (uint32_t i = 0; i < MIXES; i++) {
        uint16_t code = BPF_ALU | BPF_K | (i % 2 == 0 ? BPF_XOR : BPF_MUL);
        insns[count++] = (struct sock_filter)BPF_STMT(code, i % 2 == 0 ? 0x1234567u * (i + 1) : 3 + 2 * i);
    }
    insns[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
    return (struct dsl_code){insns, count};
}

TEST(check_programs, values_that_there_is_no_room_for_are_not_equal)
{
    static struct sock_filter insns[2][LENGTH];
    const struct dsl_code three = multiply_often(3, insns[0]), five = multiply_often(5, insns[1]);
    const struct brig_dsl_data call = {.args = {7, 1}};
    CHECK_NE(brig_dsl_interpret(three.insns, three.count, &call, NULL).ret,
             brig_dsl_interpret(five.insns, five.count, &call, NULL).ret);
    CHECK_NE(check(&three, 1, &five), DSL_CHECKED_EQUAL);
}

// However little memory there is, nothing is equal for want of it.
TEST(check_programs, a_full_arena_makes_nothing_equal)
{
    static _Alignas(16) unsigned char memory[1 << 19];
    struct sock_filter insns[2][LENGTH];
    const struct dsl_code product = read_program(BOTH "mul x\nret a\n", insns[0]);
    const struct dsl_code sum = read_program(BOTH "add x\nret a\n", insns[1]);
    for (size_t bytes = 0; bytes <= sizeof memory; bytes += 8) {
        struct brig_dsl_arena arena;
        uint32_t nr;
        brig_dsl_arena_init(&arena, memory, bytes);
        test_message("%zu bytes", bytes);
        REQUIRE(CHECK_NE(dsl_check_programs(&product, 1, &sum, &arena, &nr), DSL_CHECKED_EQUAL));
    }
    test_message("%s", "");
}

TEST(check_programs, what_was_changed)
{
    static struct sock_filter insns[LENGTH];
    static struct sock_filter changed[LENGTH];
    uint32_t different = 0;
    uint32_t found = 0;
    for (uint64_t seed = 1; seed <= 6000; seed++) {
        struct random random = random_of_seed(seed);
        uint32_t count = make_program(&random, seed, insns);
        memcpy(changed, insns, count * sizeof *insns);
        random_mutate(&random, changed, count);
        if (brig_dsl_validate(insns, count, NULL) != BRIG_OK || brig_dsl_validate(changed, count, NULL) != BRIG_OK) {
            continue;
        }
        const struct dsl_code before = {insns, count};
        const struct dsl_code after = {changed, count};
        enum dsl_checked checked = check(&before, 1, &after);
        bool differs = false;
        for (int i = 0; i < CALLS && !differs; i++) {
            struct brig_dsl_data data = random_filter_call(&random, insns, count);
            differs = run(&before, &data) != run(&after, &data);
        }
        test_message("seed %llu", (unsigned long long)seed);
        CHECK(!differs || checked != DSL_CHECKED_EQUAL);
        different += differs;
        found += checked == DSL_CHECKED_DIFFERENT;
    }
    test_message("%u different, %u found", different, found);
    CHECK_GT(different, 300);
    CHECK_GT(found, 250);
}

// Stacks in which actions are computed.
TEST(check_programs, actions_of_a_stack)
{
    static const struct {
        const char *first;
        const char *last;
        const char *merged;
        enum dsl_checked answer;
    } rows[] = {
        {"ret ALLOW\n", "ld " A "\nret a\n", "ld " A "\njset #0x80000000, y\njge #0x7fff0000, n\ny: ret a\nn: ret ALLOW\n",
         DSL_CHECKED_EQUAL},
        {"ret ALLOW\n", "ld " A "\nret a\n", "ld " A "\njge #0x7fff0000, n\nret a\nn: ret ALLOW\n", DSL_CHECKED_DIFFERENT},
        {"ret ERRNO(1)\n", "ld " A "\nand #0xffff\nor #0x50000\nret a\n", "ld " A "\nand #0xffff\nor #0x50000\nret a\n",
         DSL_CHECKED_EQUAL},
        {BOTH "add x\nand #0xffff\nor #0x50000\nret a\n", "ret TRACE(3)\n", BOTH "add x\nand #0xffff\nor #0x50000\nret a\n",
         DSL_CHECKED_EQUAL},
        {BOTH "add x\nand #0xffff\nor #0x50000\nret a\n", "ret ERRNO(3)\n", "ret ERRNO(3)\n", DSL_CHECKED_EQUAL},
    };
    static struct sock_filter insns[3][BPF_MAXINSNS];
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct dsl_code stack[] = {read_program(rows[i].first, insns[0]), read_program(rows[i].last, insns[1])};
        const struct dsl_code merged = read_program(rows[i].merged, insns[2]);
        test_message("%s--\n%s--\n%s", rows[i].first, rows[i].last, rows[i].merged);
        CHECK_EQ(check(stack, 2, &merged), rows[i].answer);
    }
}
