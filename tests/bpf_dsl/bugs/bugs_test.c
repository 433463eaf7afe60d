// Deliberate mistakes in single passes (bugs.txt), switched on one by one. Each must be caught by the always-on check and by the
// witnesses, and no program that decides wrongly may ever be returned.
#include <linux/seccomp.h>
#include <string.h>

#include "bpf_dsl/check_programs.h"
#include "bpf_dsl/optimize.h"
#include "bpf_dsl/optimize_parts.h"
#include "bpf_dsl/specialise.h"
#include "tests/bpf_dsl/bugs/bugs_list.h" // made by bugs.py
#include "tests/bpf_dsl/program_fixture.h"
#include "tests/bpf_dsl/random_calls.h"
#include "tests/bpf_dsl/random_filter.h"
#include "tests/shim/test.h"

enum { POLICIES = 400, TUPLES = 300, MOST_VALUES = 8 };

int dsl_deliberate_bug;

struct comparison {
    const struct compiled *compiled;
    int form;
};

static bool is_decided_alike(void *context, const struct brig_dsl_data *data)
{
    const struct comparison *comparison = context;
    const struct compiled *compiled = comparison->compiled;
    return brig_dsl_interpret(compiled->insns[comparison->form], compiled->count[comparison->form], data, NULL).ret ==
           program_expected(compiled, data);
}

// Whether some call is decided otherwise than the rules say. Returns: true if one was found.
static bool differs(const struct compiled *compiled, int form, struct random *random)
{
    struct comparison comparison = {compiled, form};
    const struct random_visitor visitor = {is_decided_alike, &comparison};
    for (int i = 0; i < TUPLES; i++) {
        struct brig_dsl_data data = random_data(random, program_rules_of(compiled, (uint32_t)i));
        if (!is_decided_alike(&comparison, &data)) {
            return true;
        }
    }
    for (uint32_t i = 0; i <= compiled->other_count; i++) {
        if (!random_visit_borders(random, program_rules_of(compiled, i), MOST_VALUES, &visitor)) {
            return true;
        }
    }
    return false;
}

// Looks for policies that a mistake spoils, until both have caught it.
static bool is_caught(int bug)
{
    bool by_check = false;
    bool by_witnesses = false;
    for (uint64_t seed = 1; seed <= POLICIES && !(by_check && by_witnesses); seed++) {
        struct random random;
        struct random_shape shape = random_shape_of(&random, seed);
        dsl_deliberate_bug = bug;
        const struct compiled *compiled = program_compile_arches(&random, &shape, seed % 3 == 0 ? 2 + seed % 4 : 1);
        dsl_deliberate_bug = 0;
        for (int form = 0; form < 2; form++) {
            bool refused = compiled->codes[form] == BRIG_BUG_CHECK_FAILED;
            bool is_valid =
                compiled->count[form] > 0 && brig_dsl_validate(compiled->insns[form], compiled->count[form], NULL) == BRIG_OK;
            bool wrong = is_valid && differs(compiled, form, &random);
            test_message("%s, seed %llu, form %d", bugs[bug - 1].name, (unsigned long long)seed, form);
            if (!CHECK(!wrong || compiled->codes[form] != BRIG_OK)) {
                return false;
            }
            by_check |= refused;
            by_witnesses |= wrong;
        }
    }
    return CHECK(by_check) && CHECK(by_witnesses);
}

// --- raw programs -----------------------------------------------------------------------------------------------------

enum { FILTERS = 3000, FILTER_CALLS = 300, FILTER_INSNS = 90, RAW_BYTES = 32 << 20 };

// A program of somebody's, and what the optimiser makes of it before it is checked: specialised, and in its own order.
struct raw {
    struct sock_filter insns[BPF_MAXINSNS];
    struct dsl_code given;
    struct dsl_code made[2];
    struct brig_dsl_arena arena;
};

static void make_raw(struct raw *raw, struct random *random)
{
    static _Alignas(16) unsigned char memory[RAW_BYTES];
    struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT;
    struct dsl_decisions graph;
    raw->given = (struct dsl_code){raw->insns, random_filter(random, raw->insns, 16 + random_below(random, FILTER_INSNS))};
    brig_dsl_arena_init(&raw->arena, memory, sizeof memory);
    if (!dsl_decisions_init(&graph, &raw->arena, 2 * raw->given.count)) {
        return;
    }
    uint32_t own = dsl_decompile(&graph, &raw->given);
    uint32_t roots[] = {own == DSL_DECISION_NO ? own : dsl_specialise(&graph, own), own};
    for (int i = 0; i < 2; i++) {
        if (roots[i] == DSL_DECISION_NO || !dsl_emit_decision(&graph, roots[i], &options, &raw->made[i])) {
            raw->made[i].count = 0;
        }
    }
}

static bool raw_differs(const struct raw *raw, const struct dsl_code *made, struct random *random)
{
    for (int i = 0; i < FILTER_CALLS; i++) {
        struct brig_dsl_data data = random_filter_call(random, raw->given.insns, raw->given.count);
        if (brig_dsl_interpret(raw->given.insns, raw->given.count, &data, NULL).ret !=
            brig_dsl_interpret(made->insns, made->count, &data, NULL).ret) {
            return true;
        }
    }
    return false;
}

static bool is_caught_in_raw(int bug)
{
    static struct raw raw;
    bool by_check = false;
    bool by_witnesses = false;
    for (uint64_t seed = 1; seed <= FILTERS && !(by_check && by_witnesses); seed++) {
        struct random random = random_of_seed(seed);
        uint32_t nr;
        raw = (struct raw){.given = {NULL, 0}};
        dsl_deliberate_bug = bug;
        make_raw(&raw, &random);
        dsl_deliberate_bug = 0;
        for (int i = 0; i < 2; i++) {
            if (raw.made[i].count == 0 || brig_dsl_validate(raw.made[i].insns, raw.made[i].count, NULL) != BRIG_OK) {
                continue;
            }
            enum dsl_checked checked = dsl_check_programs(&raw.given, 1, &raw.made[i], &raw.arena, &nr);
            bool wrong = raw_differs(&raw, &raw.made[i], &random);
            test_message("%s, seed %llu, form %d", bugs[bug - 1].name, (unsigned long long)seed, i);
            if (!CHECK(!wrong || checked != DSL_CHECKED_EQUAL)) {
                return false;
            }
            by_check |= checked == DSL_CHECKED_DIFFERENT;
            by_witnesses |= wrong;
        }
    }
    return CHECK(by_check) && CHECK(by_witnesses);
}

// Whether a mistake is in what only raw programs go through.
static bool is_about_raw(const struct bug *bug)
{
    static const char *const files[] = {"chains.c", "decompile.c",  "regions.c",  "reorder.c",
                                        "sets.c",   "specialise.c", "symbolic.c", "symbolic_ask.c"};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        if (strcmp(bug->file, files[i]) == 0) {
            return true;
        }
    }
    return false;
}

// --- stacks -----------------------------------------------------------------------------------------------------------

// kernel/seccomp.c:seccomp_run_filters for two programs, the first one installed first.
static uint32_t run_both(const struct brig_dsl_filter *filters, const struct brig_dsl_data *data)
{
    uint32_t ret = SECCOMP_RET_ALLOW;
    for (int i = 1; i >= 0; i--) {
        uint32_t cur_ret = brig_dsl_interpret(filters[i].insns, filters[i].insn_count, data, NULL).ret;
        bool is_lower = (int32_t)(cur_ret & SECCOMP_RET_ACTION_FULL) < (int32_t)(ret & SECCOMP_RET_ACTION_FULL);
        ret = is_lower ? cur_ret : ret;
    }
    return ret;
}

static bool merged_differs(const struct brig_dsl_filter *filters, const struct brig_dsl_optimized *merged, struct random *random)
{
    for (int i = 0; i < FILTER_CALLS; i++) {
        const struct brig_dsl_filter *about = &filters[i % 2];
        struct brig_dsl_data data = random_filter_call(random, about->insns, (uint32_t)about->insn_count);
        if (brig_dsl_interpret(merged->insns, merged->insn_count, &data, NULL).ret != run_both(filters, &data)) {
            return true;
        }
    }
    return false;
}

// What the check could not decide comes out, and is for the witnesses to find.
static bool is_caught_in_stacks(int bug)
{
    static _Alignas(16) unsigned char memory[RAW_BYTES];
    static struct sock_filter insns[2][BPF_MAXINSNS];
    struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT;
    bool by_check = false;
    bool by_witnesses = false;
    for (uint64_t seed = 1; seed <= FILTERS && !(by_check && by_witnesses); seed++) {
        struct random random = random_of_seed(seed);
        struct brig_dsl_filter filters[2];
        struct brig_dsl_optimized merged;
        struct brig_dsl_arena arena;
        for (int i = 0; i < 2; i++) {
            filters[i] = (struct brig_dsl_filter){insns[i], random_filter(&random, insns[i], 16 + random_below(&random, 40))};
        }
        brig_dsl_arena_init(&arena, memory, sizeof memory);
        dsl_deliberate_bug = bug;
        enum brig_code code = brig_dsl_merge(filters, 2, &options, &arena, &merged, NULL);
        dsl_deliberate_bug = 0;
        bool wrong = code == BRIG_OK && merged_differs(filters, &merged, &random);
        test_message("%s, seed %llu", bugs[bug - 1].name, (unsigned long long)seed);
        if (!CHECK(!wrong || !merged.is_checked)) {
            return false;
        }
        by_check |= code == BRIG_BUG_CHECK_FAILED;
        by_witnesses |= wrong;
    }
    return CHECK(by_check) && CHECK(by_witnesses);
}

TEST(bugs, each_is_caught_by_the_check_and_by_the_witnesses)
{
    for (size_t i = 0; i < COUNT_OF(bugs); i++) {
        if (is_about_raw(&bugs[i])) {
            is_caught_in_raw((int)i + 1);
        } else if (strcmp(bugs[i].file, "merge_programs.c") == 0) {
            is_caught_in_stacks((int)i + 1);
        } else {
            is_caught((int)i + 1);
        }
    }
    test_message("%s", "");
}

TEST(bugs, are_all_off_at_first)
{
    struct random random;
    struct random_shape shape = random_shape_of(&random, 1);
    const struct compiled *compiled = program_compile(&random, &shape);
    CHECK_EQ(compiled->codes[0], BRIG_OK);
    CHECK(!differs(compiled, 0, &random));
}
