// Which sides of tests calls take, as far as the check says, and programs without the others.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>

#include "bpf_dsl/check.h"
#include "bpf_dsl/clean.h"
#include "tests/bpf_dsl/program_fixture.h"
#include "tests/bpf_dsl/random_calls.h"
#include "tests/shim/test.h"

// --- programs by hand -------------------------------------------------------------------------------------------------

#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define IF(test, k, yes, no) BPF_JUMP(BPF_JMP | (test) | BPF_K, (k), (yes), (no))
#define GO(over) BPF_STMT(BPF_JMP | BPF_JA, (over))
#define ERRNO(value) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (value))

enum { BOTH = DSL_TAKEN_YES | DSL_TAKEN_NO, MOST_INSNS = 8 };

static const struct sock_filter whole[] = {LOAD(16), IF(BPF_JEQ, 5, 0, 2), LOAD(24), IF(BPF_JGE, 9, 1, 2), GO(0), ERRNO(1),
                                           ERRNO(2)};

static const struct {
    const char *what;
    unsigned char first;  // sides taken of the first test
    unsigned char second; // and of the second
    uint32_t count;
    struct sock_filter cut[MOST_INSNS];
    bool expected;
} pairs[] = {
    {"itself",
     BOTH,
     BOTH,
     COUNT_OF(whole),
     {LOAD(16), IF(BPF_JEQ, 5, 0, 2), LOAD(24), IF(BPF_JGE, 9, 1, 2), GO(0), ERRNO(1), ERRNO(2)},
     true},
    {"without a jump", BOTH, BOTH, 6, {LOAD(16), IF(BPF_JEQ, 5, 0, 2), LOAD(24), IF(BPF_JGE, 9, 0, 1), ERRNO(1), ERRNO(2)}, true},
    {"no call goes on", DSL_TAKEN_NO, 0, 2, {LOAD(16), ERRNO(1)}, true},
    {"all calls go on", DSL_TAKEN_YES, BOTH, 5, {LOAD(16), LOAD(24), IF(BPF_JGE, 9, 0, 1), ERRNO(1), ERRNO(2)}, true},
    {"some calls do not", BOTH, BOTH, 5, {LOAD(16), LOAD(24), IF(BPF_JGE, 9, 0, 1), ERRNO(1), ERRNO(2)}, false},
    {"the wrong side", DSL_TAKEN_NO, BOTH, 5, {LOAD(16), LOAD(24), IF(BPF_JGE, 9, 0, 1), ERRNO(1), ERRNO(2)}, false},
    {"sides turned round",
     BOTH,
     BOTH,
     6,
     {LOAD(16), IF(BPF_JEQ, 5, 0, 2), LOAD(24), IF(BPF_JGE, 9, 1, 0), ERRNO(1), ERRNO(2)},
     false},
    {"another number", BOTH, BOTH, 6, {LOAD(16), IF(BPF_JEQ, 4, 0, 2), LOAD(24), IF(BPF_JGE, 9, 0, 1), ERRNO(1), ERRNO(2)}, false},
    {"another test", BOTH, BOTH, 6, {LOAD(16), IF(BPF_JEQ, 5, 0, 2), LOAD(24), IF(BPF_JGT, 9, 0, 1), ERRNO(1), ERRNO(2)}, false},
    {"another word", BOTH, BOTH, 6, {LOAD(16), IF(BPF_JEQ, 5, 0, 2), LOAD(28), IF(BPF_JGE, 9, 0, 1), ERRNO(1), ERRNO(2)}, false},
    {"another answer", BOTH, BOTH, 6, {LOAD(16), IF(BPF_JEQ, 5, 0, 2), LOAD(24), IF(BPF_JGE, 9, 0, 1), ERRNO(1), ERRNO(3)}, false},
    {"a load is missing", BOTH, BOTH, 5, {LOAD(16), IF(BPF_JEQ, 5, 0, 1), IF(BPF_JGE, 9, 0, 1), ERRNO(1), ERRNO(2)}, false},
};

TEST(check_cut, only_what_no_call_takes_is_missing)
{
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        unsigned char taken[COUNT_OF(whole)] = {0};
        taken[1] = pairs[i].first;
        taken[3] = pairs[i].second;
        const struct dsl_code all = {whole, COUNT_OF(whole)};
        const struct dsl_code cut = {pairs[i].cut, pairs[i].count};
        test_message("%s", pairs[i].what);
        REQUIRE(CHECK_EQ(brig_dsl_validate(cut.insns, cut.count, NULL), BRIG_OK));
        CHECK_EQ(dsl_check_is_cut(&all, taken, &cut), pairs[i].expected);
    }
    test_message("%s", "");
}

// --- policies ---------------------------------------------------------------------------------------------------------

enum { CALLS = 2000, MUTANTS = 20 };

// Whether all sides that a call takes are said to be taken.
static bool are_taken(const struct dsl_code *code, const struct brig_dsl_data *data, const unsigned char *taken)
{
    unsigned char trace[BPF_MAXINSNS] = {0};
    brig_dsl_interpret(code->insns, code->count, data, trace);
    uint32_t next = UINT32_MAX;
    for (uint32_t pc = code->count; pc-- > 0;) {
        const struct sock_filter *insn = &code->insns[pc];
        bool is_test = BPF_CLASS(insn->code) == BPF_JMP && BPF_OP(insn->code) != BPF_JA && insn->jt != insn->jf;
        unsigned char side = next == pc + 1 + insn->jt ? DSL_TAKEN_YES : DSL_TAKEN_NO;
        if (trace[pc] && is_test && (taken[pc] & side) == 0) {
            return false;
        }
        next = trace[pc] ? pc : next;
    }
    return true;
}

static bool differ(const struct dsl_code *a, const struct dsl_code *b, const struct brig_dsl_data *data)
{
    return brig_dsl_interpret(a->insns, a->count, data, NULL).ret != brig_dsl_interpret(b->insns, b->count, data, NULL).ret;
}

// Changes one number or jump. Returns: whether it is still a program.
static bool change(struct sock_filter *insns, uint32_t count, struct random *random)
{
    struct sock_filter *insn = &insns[random_below(random, count)];
    if (BPF_CLASS(insn->code) == BPF_JMP && BPF_OP(insn->code) != BPF_JA && random_below(random, 2) != 0) {
        insn->jt = (uint8_t)random_below(random, 30);
    } else {
        insn->k ^= 1u << random_below(random, 8);
    }
    return brig_dsl_validate(insns, count, NULL) == BRIG_OK;
}

// Whether changed forms of what was cut are found, or decide the same for calls.
static bool are_changes_found(const struct compiled *compiled, const struct dsl_code *code, const unsigned char *taken,
                              const struct dsl_code *cut, struct random *random)
{
    static struct sock_filter changed[BPF_MAXINSNS];
    const struct dsl_code other = {changed, cut->count};
    for (int mutant = 0; mutant < MUTANTS; mutant++) {
        memcpy(changed, cut->insns, cut->count * sizeof *changed);
        bool is_missed = change(changed, cut->count, random) && dsl_check_is_cut(code, taken, &other);
        for (int i = 0; is_missed && i < CALLS / 10; i++) {
            struct brig_dsl_data data = random_data(random, &compiled->rules);
            if (differ(code, &other, &data)) {
                return false;
            }
        }
    }
    return true;
}

// Plain programs ask for much that no call is left to be asked for; not all of the longest are proven.
TEST(check_cut, calls_take_what_is_said_to_be_taken)
{
    static unsigned char cut_memory[4 << 20];
    uint32_t proven = 0;
    uint32_t cuts = 0;
    const uint64_t seeds = random_policies(60);
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        struct random random;
        struct brig_dsl_arena arena;
        struct random_shape shape = program_long_shape(&random, seed);
        shape.calls = 1 + (uint32_t)(seed % 3);
        const struct compiled *compiled = program_compile(&random, &shape);
        uint32_t form = seed % 3 == 0 ? COMPILED_OPTIMISED : COMPILED_PLAIN;
        const struct dsl_code code = {compiled->insns[form], compiled->count[form]};
        unsigned char taken[BPF_MAXINSNS];
        REQUIRE(CHECK_EQ(compiled->codes[form], BRIG_OK));
        test_message("seed %llu", (unsigned long long)seed);
        enum dsl_checked checked = program_check(compiled, code.insns, code.count, taken);
        CHECK_NE(checked, DSL_CHECKED_DIFFERENT);
        if (checked != DSL_CHECKED_EQUAL) {
            continue;
        }
        brig_dsl_arena_init(&arena, cut_memory, sizeof cut_memory);
        const struct dsl_code cut = dsl_cut_untaken(&code, taken, &arena);
        proven++;
        cuts += cut.count < code.count;
        REQUIRE(CHECK(dsl_check_is_cut(&code, taken, &cut)));
        for (int i = 0; i < CALLS; i++) {
            struct brig_dsl_data data = random_data(&random, &compiled->rules);
            REQUIRE(CHECK(are_taken(&code, &data, taken)) && CHECK(!differ(&code, &cut, &data)));
        }
        CHECK(are_changes_found(compiled, &code, taken, &cut, &random));
    }
    test_message("%s", "");
    CHECK_GT(proven, seeds * 9 / 10);
    CHECK_GT(cuts, seeds / 4);
}
