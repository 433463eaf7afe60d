// The whole: what a program says about itself, each way to fail, and policies of sizes that hurt others.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>

#include "tests/bpf_dsl/program_fixture.h"
#include "tests/bpf_dsl/random_calls.h"
#include "tests/bpf_dsl/random_policy.h"
#include "tests/bpf_dsl/sample_policy.h"
#include "tests/shim/codes.h"
#include "tests/shim/test.h"

static _Alignas(16) unsigned char memory[BRIG_DSL_ARENA_BYTES];

static enum brig_code compile_sample(size_t bytes, bool plain, struct brig_dsl_program *ret_program, struct brig_error *reterr)
{
    struct brig_dsl_options options = {.arch = BRIG_DSL_X86_64, .self_pid = 1234, .notify_fd = BRIG_DSL_SLOT_UNSET, .plain = plain};
    struct brig_dsl_arena arena;
    brig_dsl_arena_init(&arena, memory, bytes);
    return brig_dsl_compile(&sample_policy, &options, &arena, ret_program, reterr);
}

TEST(compile, says_what_it_made)
{
    struct brig_dsl_program program;
    struct brig_dsl_program plain;
    struct brig_error error;
    REQUIRE(CHECK_OK(compile_sample(sizeof memory, false, &program, &error), &error));
    CHECK_STR_EQ(program.policy, "sample");
    CHECK_EQ(program.arch, BRIG_DSL_X86_64);
    CHECK(!program.is_plain);
    CHECK_GT(program.trap_count, 1u);
    CHECK_EQ(brig_dsl_validate(program.insns, program.insn_count, NULL), BRIG_OK);
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < program.insn_count * sizeof *program.insns; i++) {
        hash = (hash ^ ((const unsigned char *)program.insns)[i]) * 0x100000001b3u;
    }
    CHECK_EQ(program.hash, hash);
    uint32_t count = program.insn_count;
    REQUIRE(CHECK_OK(compile_sample(sizeof memory, true, &plain, &error), &error));
    CHECK(plain.is_plain);
    CHECK_NE(plain.hash, hash);
    CHECK_GT(plain.insn_count, count);
}

static bool has_nr(const uint64_t set[BRIG_DSL_TRAP_NRS / 64], enum brig_dsl_call call)
{
    const uint32_t nr = (uint32_t)brig_dsl_call_nr(call, BRIG_DSL_X86_64);
    return set[nr / 64] >> nr % 64 & 1;
}

// mkdir and rmdir have one row, openat two.
TEST(compile, knows_calls_that_give_their_id_whatever_their_arguments_are)
{
    static const enum brig_dsl_call calls[] = {BRIG_SYS_mkdir, BRIG_SYS_rmdir, BRIG_SYS_openat};
    static const struct brig_dsl_condition reading[] = {{.op = BRIG_DSL_IN, .argument = "flags", .text = "O_RDONLY"},
                                                        {.op = BRIG_DSL_END}};
    static const struct brig_dsl_condition none[] = {{.op = BRIG_DSL_END}};
    static const struct brig_dsl_row rows[] = {
        {.kind = BRIG_DSL_ROW_CALL, .call = BRIG_SYS_mkdir, .action = {.verb = BRIG_DSL_BROKER}, .conditions = none},
        {.kind = BRIG_DSL_ROW_CALL, .call = BRIG_SYS_openat, .action = {.verb = BRIG_DSL_ALLOW}, .conditions = reading},
        {.kind = BRIG_DSL_ROW_ELSE, .call = BRIG_SYS_openat, .action = {.verb = BRIG_DSL_BROKER}, .conditions = none},
        {.kind = BRIG_DSL_ROW_ELSE, .call = BRIG_SYS_rmdir, .action = {.verb = BRIG_DSL_BROKER}, .conditions = none},
        {.kind = BRIG_DSL_ROW_END},
    };
    static const struct brig_dsl_policy policy = {.name = "always",
                                                  .rows = rows,
                                                  .fallback = {.verb = BRIG_DSL_DENY, .data = 1},
                                                  .kernel = BRIG_DSL_KERNEL(6, 18),
                                                  .libc = "none"};
    struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT;
    struct brig_dsl_program program;
    struct brig_dsl_arena arena;
    struct brig_error error;
    uint64_t can[BRIG_DSL_TRAP_NRS / 64] = {0}, must[BRIG_DSL_TRAP_NRS / 64] = {0};
    options.arch = BRIG_DSL_X86_64;
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    REQUIRE(CHECK_OK(brig_dsl_compile(&policy, &options, &arena, &program, &error), &error));
    for (uint32_t id = 1; id < program.trap_count; id++) {
        for (size_t i = 0; i < COUNT_OF(can) && program.traps[id].action.verb == BRIG_DSL_BROKER; i++) {
            can[i] |= program.traps[id].nr_set[i];
            must[i] |= program.traps[id].all_set[i];
        }
    }
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        test_message("%s", brig_dsl_call_name(calls[i]));
        CHECK(has_nr(can, calls[i]));
        CHECK_EQ(has_nr(must, calls[i]), calls[i] != BRIG_SYS_openat);
    }
    brig_dsl_arena_end(&arena);
}

TEST(compile, reserved_numbers)
{
    static const struct {
        uint32_t nr;
        uint32_t ret;
    } rows[] = {{BRIG_DSL_DIE_NR, SECCOMP_RET_KILL_PROCESS},      {BRIG_DSL_PROBE_NR, SECCOMP_RET_ERRNO | BRIG_DSL_PROBE_ERRNO},
                {BRIG_DSL_DIE_NR - 1, SECCOMP_RET_ERRNO | 38},    {BRIG_DSL_BROKER_NR, SECCOMP_RET_ERRNO | 38},
                {BRIG_DSL_BROKER_NR + 1, SECCOMP_RET_ERRNO | 38}, {0xffffffff, SECCOMP_RET_ERRNO | 38}};
    for (int plain = 0; plain < 2; plain++) {
        struct brig_dsl_program program;
        struct brig_error error;
        REQUIRE(CHECK_OK(compile_sample(sizeof memory, plain, &program, &error), &error));
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            struct brig_dsl_data data = {.nr = rows[i].nr, .audit_arch = brig_dsl_arch_audit(BRIG_DSL_X86_64)};
            test_message("%#x", rows[i].nr);
            CHECK_EQ(brig_dsl_interpret(program.insns, program.insn_count, &data, NULL).ret, rows[i].ret);
        }
    }
    test_message("%s", "");
}

// Whatever the arena's size, a compile succeeds or says that the arena is too small, and writes its output only then.
TEST(compile, any_arena)
{
    bool succeeded = false;
    for (size_t bytes = 0; bytes <= sizeof memory; bytes += succeeded ? 6007 : 97) {
        struct brig_dsl_program program = {.insn_count = 4711};
        struct brig_error error = {.code = BRIG_OK};
        enum brig_code code = compile_sample(bytes, false, &program, &error);
        test_message("%zu bytes", bytes);
        if (code == BRIG_OK) {
            succeeded = true;
            CHECK_NE(program.insn_count, 4711u);
            CHECK_EQ(error.code, BRIG_OK);
        } else {
            CHECK(!succeeded);
            CHECK(CHECK_CODE(code, BRIG_OUT_OF_ARENA, &error));
            CHECK_EQ(program.insn_count, 4711u);
        }
    }
    test_message("%s", "");
    CHECK(succeeded);
}

// What comes out does not depend on how much memory there was beyond what it takes: a check or a cut that had too little is no
// other program, but none.
TEST(compile, bytes_do_not_depend_on_the_arena)
{
    enum { POLICIES = 24, SIZES = 40 };
    static _Alignas(16) unsigned char room[4 << 20], rows[4 << 20];
    uint32_t compiled = 0, refused = 0;
    for (uint64_t seed = 1; seed <= POLICIES; seed++) {
        struct brig_dsl_arena arena;
        struct brig_dsl_program program;
        struct brig_error error;
        brig_dsl_arena_init(&arena, rows, sizeof rows);
        const struct random_policy *random = random_policy_of(seed, &arena);
        brig_dsl_arena_init(&arena, room, sizeof room);
        if (brig_dsl_compile(&random->policy, &random->options, &arena, &program, &error) != BRIG_OK) {
            continue;
        }
        const uint64_t hash = program.hash;
        const size_t least = arena.used_bytes / 4;
        const size_t most = arena.used_bytes + (256 << 10); // what the check takes, it gives back
        for (size_t i = 0; i < SIZES; i++) {
            brig_dsl_arena_init(&arena, room, most - i * ((most - least) / SIZES));
            enum brig_code code = brig_dsl_compile(&random->policy, &random->options, &arena, &program, &error);
            test_message("seed %d, %zu bytes", (int)seed, arena.size_bytes);
            CHECK(code == BRIG_OUT_OF_ARENA || (code == BRIG_OK && program.hash == hash));
            compiled += code == BRIG_OK;
            refused += code == BRIG_OUT_OF_ARENA;
        }
    }
    test_message("%u compiled, %u refused", compiled, refused);
    CHECK_GT(compiled, 200u);
    CHECK_GT(refused, 100u);
}

// --- sizes ------------------------------------------------------------------------------------------------------------

enum { MANY = 1000 };

static uint64_t many_values[MANY];
static struct brig_dsl_rule_condition many_conditions[MANY];
static struct brig_dsl_rule many_rules[MANY + 1];
static const struct brig_dsl_rule *many_list[MANY + 1];

// ioctl numbers as they are: clusters, with holes.
static void make_many(void)
{
    for (uint32_t i = 0; i < MANY; i++) {
        many_values[i] = 0x5400 + 0x100 * (i / 50) + 3 * (i % 50);
        many_conditions[i] = (struct brig_dsl_rule_condition){
            .op = BRIG_DSL_IN, .argument = 1, .bits = 32, .value_count = 1, .values = &many_values[i]};
        many_rules[i] = (struct brig_dsl_rule){.ret = SECCOMP_RET_ALLOW, .condition_count = 1, .conditions = &many_conditions[i]};
        many_list[i] = &many_rules[i];
    }
    many_rules[MANY] = (struct brig_dsl_rule){.ret = SECCOMP_RET_ERRNO | 25};
    many_list[MANY] = &many_rules[MANY];
}

static bool many_agree(const struct compiled *compiled, uint32_t longest)
{
    for (int form = 0; form < 2; form++) {
        if (!CHECK_EQ(compiled->codes[form], BRIG_OK)) {
            return false;
        }
    }
    for (uint64_t value = 0x5300; value < 0x6c00; value++) {
        struct brig_dsl_data data = {.nr = 16, .audit_arch = brig_dsl_arch_audit(BRIG_DSL_X86_64), .args = {0, value}};
        uint32_t expected = brig_dsl_evaluate(&compiled->rules, &data, NULL);
        struct brig_dsl_run run = brig_dsl_interpret(compiled->insns[0], compiled->count[0], &data, NULL);
        if (!CHECK_EQ(run.ret, expected) || !CHECK_LE(run.executed, longest)) {
            return false;
        }
    }
    return CHECK(!compiled->forms[0].is_plain);
}

TEST(compile, a_thousand_values_in_one_rule)
{
    make_many();
    const struct brig_dsl_rule_condition all = {
        .op = BRIG_DSL_IN, .argument = 1, .bits = 32, .value_count = MANY, .values = many_values};
    const struct brig_dsl_rule one = {.ret = SECCOMP_RET_ALLOW, .condition_count = 1, .conditions = &all};
    const struct brig_dsl_rule *const list[] = {&one, &many_rules[MANY]};
    struct brig_dsl_rules rules = program_rules(BRIG_SYS_ioctl, list, 2);
    REQUIRE(many_agree(program_compile_rules(&rules), 32));
}

TEST(compile, a_thousand_rules_of_one_value)
{
    make_many();
    struct brig_dsl_rules rules = program_rules(BRIG_SYS_ioctl, many_list, MANY + 1);
    REQUIRE(many_agree(program_compile_rules(&rules), 32));
}

TEST(compile, a_thousand_rules_with_answers_of_their_own)
{
    make_many();
    for (uint32_t i = 0; i < MANY; i++) {
        many_rules[i].ret = SECCOMP_RET_ERRNO | (i + 100);
    }
    struct brig_dsl_rules rules = program_rules(BRIG_SYS_ioctl, many_list, MANY + 1);
    REQUIRE(many_agree(program_compile_rules(&rules), 32));
}

// Rules that ask about two arguments in turns have a diagram as big as the product; one after the other, they are as big as the
// sum.
static bool turns_agree(uint32_t count)
{
    make_many();
    for (uint32_t i = 0; i < count; i++) {
        many_conditions[i].argument = (uint8_t)(i % 2);
        many_rules[i].ret = SECCOMP_RET_ERRNO | (i + 100);
    }
    many_list[count] = &many_rules[MANY];
    struct brig_dsl_rules rules = program_rules(BRIG_SYS_ioctl, many_list, count + 1);
    const struct compiled *compiled = program_compile_rules(&rules);
    struct random random = {1};
    bool agree = CHECK_EQ(compiled->codes[0], BRIG_OK) && CHECK(!compiled->forms[0].is_plain);
    for (int i = 0; agree && i < 20000; i++) {
        struct brig_dsl_data data = {.nr = 16, .audit_arch = brig_dsl_arch_audit(BRIG_DSL_X86_64)};
        data.args[0] = many_values[random_below(&random, count)];
        data.args[1] = many_values[random_below(&random, count)] + random_below(&random, 2);
        agree = CHECK_EQ(brig_dsl_interpret(compiled->insns[0], compiled->count[0], &data, NULL).ret,
                         brig_dsl_evaluate(&rules, &data, NULL));
    }
    return agree;
}

TEST(compile, where_sorting_does_not_fit_rules_are_chained)
{
    REQUIRE(turns_agree(40));  // sorted
    REQUIRE(turns_agree(140)); // too big when sorted
    REQUIRE(turns_agree(600)); // exploding
}

// --- values without end -----------------------------------------------------------------------------------------------

enum { ENDLESS = 4000 };

static uint64_t endless_values[ENDLESS];

static void make_endless(void)
{
    for (uint32_t i = 0; i < ENDLESS; i++) {
        endless_values[i] = i * 2654435761u >> 2 | 1; // all over, no two alike or neighbours
    }
}

static bool endless_agree(const struct compiled *compiled, uint32_t count)
{
    bool agree = CHECK_EQ(compiled->codes[0], BRIG_OK) && CHECK(!compiled->forms[0].is_plain) &&
                 CHECK(!compiled->forms[0].is_unproven) && CHECK_LE(compiled->count[0], (uint32_t)BPF_MAXINSNS);
    for (uint32_t i = 0; agree && i < 3 * count; i++) {
        struct brig_dsl_data data = {.nr = 16, .audit_arch = brig_dsl_arch_audit(BRIG_DSL_X86_64)};
        data.args[1] = endless_values[i / 3] + i % 3 - 1;
        agree = CHECK_EQ(brig_dsl_interpret(compiled->insns[0], compiled->count[0], &data, NULL).ret,
                         brig_dsl_evaluate(&compiled->rules, &data, NULL));
    }
    return agree;
}

// A tree of cuts over so many values is too big; asked for one after the other they fit.
TEST(compile, where_cuts_do_not_fit_values_are_chained)
{
    make_endless();
    const struct brig_dsl_rule_condition all = {
        .op = BRIG_DSL_IN, .argument = 1, .bits = 32, .value_count = ENDLESS, .values = endless_values};
    const struct brig_dsl_rule one = {.ret = SECCOMP_RET_ALLOW, .condition_count = 1, .conditions = &all};
    static const struct brig_dsl_rule otherwise = {.ret = SECCOMP_RET_ERRNO | 25};
    const struct brig_dsl_rule *const list[] = {&one, &otherwise};
    struct brig_dsl_rules rules = program_rules(BRIG_SYS_ioctl, list, 2);
    REQUIRE(endless_agree(program_compile_rules(&rules), ENDLESS));
}

// The usual budget of the check is not enough here, and the plain program is too big.
TEST(compile, what_has_no_plain_form_is_checked_patiently)
{
    enum { RULES = 1900, ANSWERS = 128 };
    static struct brig_dsl_rule_condition conditions[RULES];
    static struct brig_dsl_rule rules_of[RULES + 1];
    static const struct brig_dsl_rule *list[RULES + 1];
    make_endless();
    for (uint32_t i = 0; i < RULES; i++) {
        conditions[i] = (struct brig_dsl_rule_condition){
            .op = BRIG_DSL_IN, .argument = 1, .bits = 64, .value_count = 1, .values = &endless_values[i]};
        rules_of[i] = (struct brig_dsl_rule){
            .ret = SECCOMP_RET_ERRNO | (1 + i * 37 % ANSWERS), .condition_count = 1, .conditions = &conditions[i]};
        list[i] = &rules_of[i];
    }
    rules_of[RULES] = (struct brig_dsl_rule){.ret = SECCOMP_RET_ALLOW};
    list[RULES] = &rules_of[RULES];
    struct brig_dsl_rules rules = program_rules(BRIG_SYS_ioctl, list, RULES + 1);
    REQUIRE(endless_agree(program_compile_rules(&rules), RULES));
}

// Every call checks arguments: 430 and more bodies.
TEST(compile, a_dense_policy_fits)
{
    static struct brig_dsl_rule_condition conditions[BRIG_SYS_COUNT][2];
    static uint64_t values[BRIG_SYS_COUNT][4];
    static struct brig_dsl_rule allows[BRIG_SYS_COUNT];
    static const struct brig_dsl_rule deny = {.ret = SECCOMP_RET_ERRNO | 1};
    static const struct brig_dsl_rule *lists[BRIG_SYS_COUNT][2];
    static struct brig_dsl_call_rules calls[BRIG_SYS_COUNT];
    for (uint32_t call = 1; call < BRIG_SYS_COUNT; call++) {
        for (uint32_t i = 0; i < 4; i++) {
            values[call][i] = call * 7 + i * i;
        }
        conditions[call][0] = (struct brig_dsl_rule_condition){
            .op = BRIG_DSL_IN, .argument = (uint8_t)(call % 3), .bits = 32, .value_count = 3, .values = values[call]};
        conditions[call][1] = (struct brig_dsl_rule_condition){
            .op = BRIG_DSL_NO_BITS, .argument = 3, .bits = 32, .value_count = 1, .values = &values[call][3]};
        allows[call] =
            (struct brig_dsl_rule){.ret = SECCOMP_RET_ALLOW, .condition_count = 1 + call % 2, .conditions = conditions[call]};
        lists[call][0] = &allows[call];
        lists[call][1] = &deny;
        calls[call] = (struct brig_dsl_call_rules){.rules = lists[call], .rule_count = call % 5 == 0 ? 1 : 2};
        lists[call][0] = call % 5 == 0 ? &deny : lists[call][0];
    }
    struct brig_dsl_rules rules = program_rules(BRIG_SYS_read, lists[1], 2);
    rules.calls = calls;
    const struct compiled *compiled = program_compile_rules(&rules);
    REQUIRE(CHECK_EQ(compiled->codes[0], BRIG_OK));
    CHECK(!compiled->forms[0].is_plain);
    CHECK_LT(compiled->arenas[0].used_bytes, (size_t)BRIG_DSL_ARENA_BYTES);
    struct random random = {1};
    for (int i = 0; i < 20000; i++) {
        struct brig_dsl_data data = random_data(&random, &rules);
        REQUIRE(CHECK_EQ(brig_dsl_interpret(compiled->insns[0], compiled->count[0], &data, NULL).ret,
                         brig_dsl_evaluate(&rules, &data, NULL)));
    }
}

TEST(compile, too_big_says_how_big)
{
    make_many();
    static uint64_t pairs[MANY][2];
    static struct brig_dsl_rule_condition conditions[MANY][2];
    for (uint32_t i = 0; i < MANY; i++) {
        pairs[i][0] = (uint64_t)i * 7919 << 32 | (uint64_t)i * 3;
        pairs[i][1] = (uint64_t)i * 104729 << 32 | (uint64_t)i * 5;
        for (uint8_t k = 0; k < 2; k++) {
            conditions[i][k] = (struct brig_dsl_rule_condition){
                .op = BRIG_DSL_IN, .argument = k, .bits = 64, .value_count = 1, .values = &pairs[i][k]};
        }
        many_rules[i] =
            (struct brig_dsl_rule){.ret = SECCOMP_RET_ERRNO | (i + 100), .condition_count = 2, .conditions = conditions[i]};
    }
    struct brig_dsl_rules rules = program_rules(BRIG_SYS_ioctl, many_list, MANY + 1);
    const struct compiled *compiled = program_compile_rules(&rules);
    CHECK_EQ(compiled->codes[0], BRIG_PROGRAM_TOO_BIG);
    CHECK_GT(compiled->forms[0].error.detail, 4096);
    CHECK_LT(compiled->forms[0].error.detail, 40000);
}
