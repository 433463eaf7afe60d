// Deliberate mistakes in single passes (bugs.txt), switched on one by one. Each must be caught by the always-on check and by the
// witnesses, and no program that decides wrongly may ever be returned. What stands in front of the rules (resolve) the check cannot
// see, since it believes them; nor does it know what else optimize promises than to decide the same. Those mistakes are for the
// witnesses alone.
#include <linux/seccomp.h>
#include <string.h>

#include "bpf_dsl/check_programs.h"
#include "bpf_dsl/clean.h"
#include "bpf_dsl/measure.h"
#include "bpf_dsl/optimize.h"
#include "bpf_dsl/optimize_parts.h"
#include "bpf_dsl/specialise.h"
#include "tests/bpf_dsl/bugs/bugs_list.h" // made by bugs.py
#include "tests/bpf_dsl/program_fixture.h"
#include "tests/bpf_dsl/random_calls.h"
#include "tests/bpf_dsl/random_filter.h"
#include "tests/bpf_dsl/random_insns.h"
#include "tests/bpf_dsl/random_policy.h"
#include "tests/shim/test.h"

// Most mistakes are caught by the first dozens of policies; those in what is done only where trying single words has found none may
// take more than a thousand. From where it begins here, each is caught by the first 255.
enum { FIRST_POLICY = 5001, POLICIES = 3000, TUPLES = 300, MOST_VALUES = 8 };

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
    for (uint64_t seed = FIRST_POLICY; seed < FIRST_POLICY + POLICIES && !(by_check && by_witnesses); seed++) {
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

static _Alignas(16) unsigned char raw_memory[RAW_BYTES];

static void make_forms(struct raw *raw)
{
    struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT;
    struct dsl_decisions graph;
    if (!dsl_decisions_init(&graph, &raw->arena, 2 * raw->given.count)) {
        return;
    }
    uint32_t own = dsl_decompile(&graph, &raw->given, DSL_LEAVES_FEW);
    uint32_t roots[] = {own == DSL_DECISION_NO ? own : dsl_specialise(&graph, own), own};
    for (int i = 0; i < 2; i++) {
        if (roots[i] == DSL_DECISION_NO || !dsl_emit_decision(&graph, roots[i], &options, &raw->made[i])) {
            raw->made[i].count = 0;
        }
    }
}

static void make_raw(struct raw *raw, struct random *random)
{
    raw->given = (struct dsl_code){raw->insns, random_filter(random, raw->insns, 16 + random_below(random, FILTER_INSNS))};
    make_forms(raw);
}

static void make_given(struct raw *raw, struct random *random)
{
    raw->given = (struct dsl_code){raw->insns, random_filter(random, raw->insns, 16 + random_below(random, FILTER_INSNS))};
    random_return_computed(random, raw->insns, raw->given.count);
    make_forms(raw);
}

static void make_computed(struct raw *raw, struct random *random)
{
    raw->given = (struct dsl_code){raw->insns, 8 + random_below(random, FILTER_INSNS / 4)};
    random_expression(random, raw->insns, raw->given.count);
    make_forms(raw);
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

// What becomes of a test.
enum { TWICE_YES, TWICE_NO, ALWAYS, NEVER, ONE_SIDED_COUNT };

// One test as one or two, of which the last has one side only.
static void make_one_sided(struct sock_filter *insns, unsigned char *taken, unsigned kind)
{
    const struct sock_filter test = insns[0]; // with offsets from the second place
    switch (kind) {
    case TWICE_YES:
    case TWICE_NO:
        insns[0].jt = kind == TWICE_YES ? 0 : (uint8_t)(test.jt + 1);
        insns[0].jf = kind == TWICE_YES ? (uint8_t)(test.jf + 1) : 0;
        insns[1] = test;
        taken[0] = DSL_TAKEN_YES | DSL_TAKEN_NO;
        taken[1] = kind == TWICE_YES ? DSL_TAKEN_YES : DSL_TAKEN_NO;
        break;
    default:
        insns[0].code = BPF_JMP | (kind == ALWAYS ? BPF_JGE : BPF_JGT) | BPF_K;
        insns[0].k = kind == ALWAYS ? 0 : UINT32_MAX;
        taken[0] = kind == ALWAYS ? DSL_TAKEN_YES : DSL_TAKEN_NO;
        break;
    }
}

// Makes another program in which the answer to some test is always known. Returns: its length; 0 where jumps get too long.
static uint32_t make_all_one_sided(struct random *random, const struct dsl_code *code, struct sock_filter *insns,
                                   unsigned char *taken)
{
    unsigned kinds[BPF_MAXINSNS];
    uint32_t ends[BPF_MAXINSNS + 1] = {0}; // where an instruction ends, by the next one
    for (uint32_t at = 0; at < code->count; at++) {
        kinds[at] = random_below(random, ONE_SIDED_COUNT);
        bool is_two = BPF_CLASS(code->insns[at].code) == BPF_JMP && kinds[at] <= TWICE_NO;
        ends[at + 1] = ends[at] + (is_two ? 2 : 1);
    }
    for (uint32_t at = 0; at < code->count; at++) {
        struct sock_filter insn = code->insns[at];
        uint32_t yes = ends[at + 1 + insn.jt] - ends[at + 1];
        uint32_t no = ends[at + 1 + insn.jf] - ends[at + 1];
        if (yes >= UINT8_MAX || no >= UINT8_MAX) {
            return 0;
        }
        insn.jt = (uint8_t)yes;
        insn.jf = (uint8_t)no;
        insns[ends[at]] = insn;
        if (BPF_CLASS(insn.code) == BPF_JMP) { // never BPF_JA
            make_one_sided(&insns[ends[at]], &taken[ends[at]], kinds[at]);
        }
    }
    return ends[code->count];
}

// Without what nothing reaches, and without tests of which one side only is taken.
static void make_clean(struct raw *raw, struct random *random)
{
    struct sock_filter insns[BPF_MAXINSNS];
    unsigned char taken[BPF_MAXINSNS] = {0};
    const struct dsl_code code = {insns, random_filter(random, insns, 16 + random_below(random, FILTER_INSNS))};
    raw->given = (struct dsl_code){raw->insns, make_all_one_sided(random, &code, raw->insns, taken)};
    if (raw->given.count > 0) {
        raw->made[0] = dsl_clean(&raw->given, &raw->arena);
        raw->made[1] = dsl_cut_untaken(&raw->given, taken, &raw->arena);
    }
}

static bool is_caught_in_programs(int bug, void (*make)(struct raw *raw, struct random *random))
{
    static struct raw raw;
    bool by_check = false;
    bool by_witnesses = false;
    for (uint64_t seed = 1; seed <= FILTERS && !(by_check && by_witnesses); seed++) {
        struct random random = random_of_seed(seed);
        uint32_t nr;
        raw = (struct raw){.given = {NULL, 0}};
        brig_dsl_arena_init(&raw.arena, raw_memory, sizeof raw_memory);
        dsl_deliberate_bug = bug;
        make(&raw, &random);
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

static bool is_caught_in_raw(int bug)
{
    return is_caught_in_programs(bug, make_raw);
}

static bool is_caught_in_computed(int bug)
{
    return is_caught_in_programs(bug, make_computed);
}

static bool is_caught_in_given(int bug)
{
    return is_caught_in_programs(bug, make_given);
}

static bool is_caught_in_clean(int bug)
{
    return is_caught_in_programs(bug, make_clean);
}

// --- what optimize promises beside --------------------------------------------------------------------------------------

enum { NUMBERS = 500 };

static bool is_worse(const struct brig_dsl_filter *filter, const struct brig_dsl_optimized *optimized)
{
    uint32_t before = (uint32_t)filter->insn_count;
    uint32_t after = (uint32_t)optimized->insn_count;
    bool is_worse = after > before || dsl_ebpf_size(optimized->insns, after) > dsl_ebpf_size(filter->insns, before) ||
                    dsl_longest_path(optimized->insns, after) > dsl_longest_path(filter->insns, before);
    for (uint32_t nr = 0; nr < 2 * NUMBERS; nr++) {
        uint32_t arch = brig_dsl_arch_audit(nr < NUMBERS ? BRIG_DSL_X86_64 : BRIG_DSL_I386);
        is_worse |= brig_dsl_is_cached_allow(filter->insns, before, arch, nr % NUMBERS) &&
                    !brig_dsl_is_cached_allow(optimized->insns, after, arch, nr % NUMBERS);
    }
    return is_worse;
}

// Whether a program that looks at an argument first is taken for one whose number 1 the bitmap answers. Of random filters none
// comes out so, whatever is asked of the result: numbers are mostly asked for first, and stay there.
static bool is_bitmap_forgotten(int bug)
{
    struct sock_filter number_first[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 2, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16),       BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 7, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
    };
    struct sock_filter argument_first[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16),       BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 7, 2, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
    };
    const struct dsl_code before = {number_first, COUNT_OF(number_first)};
    const struct dsl_code after = {argument_first, COUNT_OF(argument_first)};
    dsl_deliberate_bug = bug;
    bool is_forgotten = dsl_keeps_bitmap(&before, 1, &after);
    dsl_deliberate_bug = 0;
    return is_forgotten;
}

static bool is_caught_by_measure(int bug)
{
    static struct sock_filter insns[BPF_MAXINSNS];
    const struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT;
    bool is_caught = CHECK(!is_bitmap_forgotten(0)) && is_bitmap_forgotten(bug);
    for (uint64_t seed = 1; seed <= FILTERS && !is_caught; seed++) {
        struct random random = random_of_seed(seed);
        struct brig_dsl_filter filter = {insns, random_filter(&random, insns, 16 + random_below(&random, FILTER_INSNS))};
        struct brig_dsl_optimized optimized;
        struct brig_dsl_arena arena;
        brig_dsl_arena_init(&arena, raw_memory, sizeof raw_memory);
        dsl_deliberate_bug = bug;
        enum brig_code code = brig_dsl_optimize(&filter, &options, &arena, &optimized, NULL);
        dsl_deliberate_bug = 0;
        is_caught = code == BRIG_OK && is_worse(&filter, &optimized);
    }
    test_message("%s", bugs[bug - 1].name);
    return CHECK(is_caught);
}

// --- rows -------------------------------------------------------------------------------------------------------------

enum { AUTHORS = 1500, AUTHORS_CALLS = 200 };

// A policy as its author means it, and what it was resolved to.
struct reading {
    const struct random_policy *policy;
    struct brig_dsl_rules rules;
};

static bool is_meant(void *context, const struct brig_dsl_data *data)
{
    const struct reading *reading = context;
    return random_policy_dispute(reading->policy, &reading->rules, data) == NULL;
}

// Whether the rules are disputed, or there are none of a policy without mistakes.
static bool is_disputed(int bug, uint64_t seed)
{
    static _Alignas(16) unsigned char policy_memory[8 << 20];
    struct reading reading;
    struct brig_dsl_arena arenas[2];
    struct random random = random_of_seed(seed);
    brig_dsl_arena_init(&arenas[0], policy_memory, sizeof policy_memory);
    brig_dsl_arena_init(&arenas[1], raw_memory, sizeof raw_memory);
    reading.policy = random_policy_of(seed, &arenas[0]);
    dsl_deliberate_bug = bug;
    enum brig_code code = brig_dsl_resolve(&reading.policy->policy, &reading.policy->options, &arenas[1], &reading.rules, NULL);
    dsl_deliberate_bug = 0;
    const struct random_visitor visitor = {is_meant, &reading};
    bool is_disputed = code != BRIG_OK || !random_visit_borders(&random, &reading.rules, MOST_VALUES, &visitor);
    for (int i = 0; !is_disputed && i < AUTHORS_CALLS; i++) {
        struct brig_dsl_data data = random_data(&random, &reading.rules);
        is_disputed = !is_meant(&reading, &data);
    }
    return is_disputed;
}

static bool is_caught_by_authors(int bug)
{
    bool is_caught = false;
    for (uint64_t seed = 1; seed <= AUTHORS && !is_caught; seed++) {
        is_caught = is_disputed(bug, seed);
    }
    test_message("%s", bugs[bug - 1].name);
    return CHECK(is_caught);
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
            if (seed % 2 == 0) {
                random_return_computed(&random, insns[i], (uint32_t)filters[i].insn_count);
            }
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

// --- all --------------------------------------------------------------------------------------------------------------

// Where a mistake shows that not every policy brings out. Names that begin so come before files.
static const struct {
    const char *name;
    const char *file;
    bool (*is_caught)(int bug);
} places[] = {
    {"worse_", "optimize.c", is_caught_by_measure},
    {"given_", "decisions.c", is_caught_in_given},
    {"given_", "tree.c", is_caught_in_given},
    {"", "chains.c", is_caught_in_raw},
    {"", "decompile.c", is_caught_in_raw},
    {"", "optimize.c", is_caught_in_raw},
    {"", "regions.c", is_caught_in_raw},
    {"", "reorder.c", is_caught_in_raw},
    {"", "sets.c", is_caught_in_raw},
    {"", "specialise.c", is_caught_in_raw},
    {"", "symbolic.c", is_caught_in_raw},
    {"", "symbolic_ask.c", is_caught_in_raw},
    {"", "symbolic_write.c", is_caught_in_computed},
    {"", "clean.c", is_caught_in_clean},
    {"", "merge_leaves.c", is_caught_in_stacks},
    {"", "merge_programs.c", is_caught_in_stacks},
    {"", "actions.c", is_caught_by_authors},
    {"", "conditions.c", is_caught_by_authors},
    {"", "merge.c", is_caught_by_authors},
    {"", "narrow.c", is_caught_by_authors},
    {"", "resolve.c", is_caught_by_authors},
    {"", "rows.c", is_caught_by_authors},
    {"", "split.c", is_caught_by_authors},
    {"", "traps.c", is_caught_by_authors},
    {"", "value_operators.c", is_caught_by_authors},
    {"", "values.c", is_caught_by_authors},
};

TEST(bugs, each_is_caught_by_the_check_and_by_the_witnesses)
{
    for (size_t i = 0; i < COUNT_OF(bugs); i++) {
        bool (*find)(int bug) = is_caught;
        for (size_t place = COUNT_OF(places); place-- > 0;) {
            bool is_here = strncmp(bugs[i].name, places[place].name, strlen(places[place].name)) == 0 &&
                           strcmp(bugs[i].file, places[place].file) == 0;
            find = is_here ? places[place].is_caught : find;
        }
        find((int)i + 1);
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
    for (uint64_t seed = 1; seed <= 20; seed++) {
        REQUIRE(CHECK(!is_disputed(0, seed)));
    }
}
