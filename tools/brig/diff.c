// brig diff: which calls two policies or programs decide differently, grouped by arch and call, each with an example in every
// direction.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/brig/pair.h"

const struct tool_option brig_diff_options[] = {
    TOOL_OPTION_ARCH, TOOL_OPTION_KERNEL, TOOL_OPTION_TARGET,
    TOOL_OPTION_FROM, TOOL_OPTION_CAP,    {"timeout", 0, "SECONDS", "give up after SECONDS (120)"},
    TOOL_OPTION_JSON, TOOL_OPTION_COLOR,  {NULL, 0, NULL, NULL},
};
enum { ARCH, KERNEL, TARGET, FROM, CAP, TIMEOUT, JSON, COLOR };

// Everything that was found, in order of arch, number and direction.
struct diff {
    const struct pair *pair;
    struct pair_progress progress;
    struct prove_difference *differences;
    size_t count;
    size_t capacity;
    bool is_broken; // memory ran out
    bool is_colored;
};

static const char *const directions[PROVE_RELATION_COUNT] = {
    [PROVE_SUPERSET] = "+", // B allows more
    [PROVE_SUBSET] = "-",
    [PROVE_SAME_DENIAL] = "~",
};

static const char *const direction_names[PROVE_RELATION_COUNT] = {
    [PROVE_SUPERSET] = "only-b-allows",
    [PROVE_SUBSET] = "only-a-allows",
    [PROVE_SAME_DENIAL] = "other-verdict",
};

// --- collecting -------------------------------------------------------------------------------------------------------

static bool is_call(const struct prove_domain *domain)
{
    enum brig_dsl_arch arch;
    return domain->arch_lo == domain->arch_hi && domain->nr_lo == domain->nr_hi && brig_dsl_arch_by_audit(domain->arch_lo, &arch) &&
           brig_dsl_call_by_nr(domain->nr_lo, arch) != BRIG_SYS_NONE;
}

// Returns: whether `next` continues `last`, so that both are one line.
static bool continues(const struct prove_difference *last, const struct prove_difference *next)
{
    const struct prove_domain *a = &last->domain;
    const struct prove_domain *b = &next->domain;
    bool same_verdicts = last->is_constant && next->is_constant && last->relation == next->relation &&
                         memcmp(last->witness.rets, next->witness.rets, sizeof last->witness.rets) == 0;
    return same_verdicts && a->arch_lo == b->arch_lo && a->arch_hi == b->arch_hi && a->nr_hi + 1 == b->nr_lo && !is_call(a) &&
           !is_call(b);
}

static void collect(void *context, const struct prove_difference *difference)
{
    struct diff *diff = context;
    if (diff->count > 0 && continues(&diff->differences[diff->count - 1], difference)) {
        diff->differences[diff->count - 1].domain.nr_hi = difference->domain.nr_hi;
        return;
    }
    if (diff->count == diff->capacity) {
        size_t capacity = diff->capacity == 0 ? 256 : diff->capacity * 2;
        struct prove_difference *differences = realloc(diff->differences, capacity * sizeof *differences);
        if (differences == NULL) {
            diff->is_broken = true;
            return;
        }
        diff->differences = differences;
        diff->capacity = capacity;
    }
    diff->differences[diff->count++] = *difference;
}

static void set_progress(void *context, size_t done, size_t total)
{
    struct diff *diff = context;
    pair_progress_set(&diff->progress, done, total);
}

// --- text -------------------------------------------------------------------------------------------------------------

static bool same_arch(const struct prove_difference *a, const struct prove_difference *b)
{
    return a->domain.arch_lo == b->domain.arch_lo && a->domain.arch_hi == b->domain.arch_hi;
}

static bool is_every_number(const struct prove_difference *difference)
{
    return difference->is_constant && difference->domain.nr_lo == 0 && difference->domain.nr_hi == UINT32_MAX;
}

// Returns: whether both are about every number of some arch, with the same verdicts, so that one line can stand for both.
static bool is_same_everywhere(const struct prove_difference *a, const struct prove_difference *b)
{
    return is_every_number(a) && is_every_number(b) && memcmp(a->witness.rets, b->witness.rets, sizeof a->witness.rets) == 0;
}

// Prints the arches of a line: one, or all that `first` stands for.
static void print_arches(const struct diff *diff, size_t first)
{
    const char *separator = "";
    bool has_others = false;
    for (size_t i = first; i < diff->count; i++) {
        const struct prove_difference *difference = &diff->differences[i];
        enum brig_dsl_arch arch;
        if (i != first && !is_same_everywhere(&diff->differences[first], difference)) {
            continue;
        }
        if (difference->domain.arch_lo == difference->domain.arch_hi && brig_dsl_arch_by_audit(difference->domain.arch_lo, &arch)) {
            printf("%s%s", separator, brig_dsl_arch_name(arch));
            separator = ", ";
        } else if (difference->domain.arch_lo == difference->domain.arch_hi) {
            printf("%sarch 0x%" PRIx32, separator, difference->domain.arch_lo);
            separator = ", ";
        } else {
            has_others = true;
        }
    }
    printf("%s\n", !has_others ? "" : separator[0] == '\0' ? "other arches" : " and other arches");
}

#define X32_BIT 0x40000000u // of numbers of x86_64

// What a line is about: a call, or numbers that are none.
static void name_domain(const struct prove_domain *domain, char *text, size_t text_bytes)
{
    enum brig_dsl_arch arch;
    if (is_call(domain) && brig_dsl_arch_by_audit(domain->arch_lo, &arch)) {
        snprintf(text, text_bytes, "%s", brig_dsl_call_name(brig_dsl_call_by_nr(domain->nr_lo, arch)));
    } else if (domain->nr_lo == 0 && domain->nr_hi == UINT32_MAX) {
        snprintf(text, text_bytes, "every number");
    } else {
        bool is_x32 =
            domain->arch_lo == brig_dsl_arch_audit(BRIG_DSL_X86_64) && domain->nr_lo >= X32_BIT && domain->nr_hi < 2 * X32_BIT;
        uint32_t base = is_x32 ? X32_BIT : 0;
        int bytes = snprintf(text, text_bytes, "%s %" PRIu32, is_x32 ? "x32" : "number", domain->nr_lo - base);
        if (domain->nr_lo != domain->nr_hi) {
            snprintf(text + bytes, text_bytes - (size_t)bytes, " to %" PRIu32, domain->nr_hi - base);
        }
    }
}

static void print_rows(const struct pair *pair, const struct brig_dsl_data *data)
{
    char rows[2][512];
    pair_row(pair, 0, data, rows[0], sizeof rows[0]);
    pair_row(pair, 1, data, rows[1], sizeof rows[1]);
    if (rows[0][0] != '\0' || rows[1][0] != '\0') {
        fputs("  by ", stdout);
        tool_put_clean(stdout, rows[0][0] == '\0' ? "no row" : rows[0]);
        fputs(" | ", stdout);
        tool_put_clean(stdout, rows[1][0] == '\0' ? "no row" : rows[1]);
    }
}

static void print_difference(const struct pair *pair, const struct prove_difference *difference, bool is_colored)
{
    // What B allows in addition is what somebody has to look at.
    static const enum tool_color colors[PROVE_RELATION_COUNT] = {
        [PROVE_SUPERSET] = TOOL_COLOR_KILL, [PROVE_SUBSET] = TOOL_COLOR_ALLOW, [PROVE_SAME_DENIAL] = TOOL_COLOR_DENY};
    char name[64];
    char verdicts[2][64];
    const struct prove_witness *witness = &difference->witness;
    name_domain(&difference->domain, name, sizeof name);
    pair_verdict(pair, witness->rets[0], verdicts[0], sizeof verdicts[0]);
    pair_verdict(pair, witness->rets[1], verdicts[1], sizeof verdicts[1]);
    printf("  %s%s %-24s%s %-14s -> %-14s  ", tool_paint(is_colored, colors[difference->relation]),
           directions[difference->relation], name, tool_paint(is_colored, TOOL_COLOR_END), verdicts[0], verdicts[1]);
    if (difference->is_constant) {
        fputs("always", stdout);
    } else {
        fputs("e.g. ", stdout);
        pair_print_call(stdout, &witness->data, false);
    }
    print_rows(pair, &witness->data);
    fputc('\n', stdout);
}

// Returns: whether both are about the same numbers of arches that have no names, with the same verdicts.
static bool is_same_elsewhere(const struct prove_difference *a, const struct prove_difference *b)
{
    return a->is_constant && b->is_constant && a->domain.arch_lo != a->domain.arch_hi && b->domain.arch_lo != b->domain.arch_hi &&
           a->domain.nr_lo == b->domain.nr_lo && a->domain.nr_hi == b->domain.nr_hi &&
           memcmp(a->witness.rets, b->witness.rets, sizeof a->witness.rets) == 0;
}

// Returns: whether an earlier line stands for this one.
static bool is_told(const struct diff *diff, size_t index)
{
    const struct prove_difference *difference = &diff->differences[index];
    for (size_t i = 0; i < index; i++) {
        if (is_same_everywhere(&diff->differences[i], difference) || is_same_elsewhere(&diff->differences[i], difference)) {
            return true;
        }
    }
    return false;
}

static void print_text(const struct diff *diff, const struct prove_result *result, enum prove_answer answer)
{
    size_t last = diff->count;
    if (diff->count > 0) {
        fputs("A ", stdout);
        tool_put_clean(stdout, diff->pair->sides[0].name);
        fputs(" -> B ", stdout);
        tool_put_clean(stdout, diff->pair->sides[1].name);
        puts("   + B allows more, - B allows less, ~ another verdict");
    }
    for (size_t i = 0; i < diff->count; i++) {
        if (is_told(diff, i)) {
            continue;
        }
        if (last == diff->count || !same_arch(&diff->differences[last], &diff->differences[i])) {
            print_arches(diff, i);
        }
        print_difference(diff->pair, &diff->differences[i], diff->is_colored);
        last = i;
    }
    if (result->why != NULL) {
        printf("undecided, and so not complete: %s\n", result->why);
    } else if (answer == PROVE_HOLDS) {
        puts("no call differs");
    }
}

// --- JSON -------------------------------------------------------------------------------------------------------------

static json_t *difference_json(const struct pair *pair, const struct prove_difference *difference)
{
    const struct prove_domain *domain = &difference->domain;
    char name[64];
    name_domain(domain, name, sizeof name);
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:b, s:o}", "direction", direction_names[difference->relation], "what", name,
                     "arch_lo", (json_int_t)domain->arch_lo, "arch_hi", (json_int_t)domain->arch_hi, "nr_lo",
                     (json_int_t)domain->nr_lo, "nr_hi", (json_int_t)domain->nr_hi, "always", (int)difference->is_constant,
                     "example", pair_witness_json(pair, &difference->witness));
}

static void print_json(const struct diff *diff, const struct prove_result *result, enum prove_answer answer)
{
    const struct pair_side *sides = diff->pair->sides;
    bool is_decided = result->why == NULL;
    json_t *differences = json_array();
    for (size_t i = 0; i < diff->count; i++) {
        json_array_append_new(differences, difference_json(diff->pair, &diff->differences[i]));
    }
    tool_print_json(stdout, json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:s?, s:o}", "schema", "brig-diff-1", "a", sides[0].name, "b",
                                      sides[1].name, "a_programs", pair_names_json(&sides[0]), "b_programs",
                                      pair_names_json(&sides[1]), "answer",
                                      !is_decided             ? "undecided"
                                      : answer == PROVE_HOLDS ? "equal"
                                                              : "different",
                                      "why", result->why, "differences", differences));
}

// --- the verb ---------------------------------------------------------------------------------------------------------

static int find_differences(struct diff *diff, long timeout_seconds, bool as_json)
{
    struct prove_result result;
    struct prove_question question = pair_question(diff->pair, PROVE_SAME_EFFECT, timeout_seconds);
    question.report = collect;
    question.progress = set_progress;
    question.context = diff;
    pair_progress_start(&diff->progress, "diff");
    enum prove_answer answer = prove_run_apart(&question, &result);
    pair_progress_end(&diff->progress);
    if (answer == PROVE_UNABLE) {
        tool_complain("diff", "%s", result.why);
        return TOOL_LACKS;
    }
    if (answer == PROVE_BROKEN || diff->is_broken) {
        tool_complain("diff", "internal error: %s", diff->is_broken ? "out of memory" : result.why);
        return TOOL_UNDECIDED;
    }
    (as_json ? print_json : print_text)(diff, &result, answer);
    if (result.why != NULL) {
        return TOOL_UNDECIDED;
    }
    return answer == PROVE_HOLDS ? TOOL_OK : TOOL_FINDINGS;
}

int brig_diff_main(int argc, char **argv);
int brig_diff_main(int argc, char **argv)
{
    struct tool_arguments arguments;
    struct tool_request request;
    struct pair pair;
    int status = tool_parse("diff", brig_diff_options, argc, argv, &arguments);
    if (status >= 0) {
        return status;
    }
    if (arguments.operand_count < 2) {
        return tool_complain("diff", "give two policies; see brig diff --help");
    }
    long timeout_seconds = pair_read_timeout("diff", arguments.values[TIMEOUT]);
    if (timeout_seconds < 0 || !tool_check_color("diff", arguments.values[COLOR]) ||
        !tool_make_request("diff", &arguments, &request)) {
        return TOOL_USAGE;
    }
    struct pair_names names[2] = {{.count = 0}, {.count = 0}};
    for (int i = 0; i < arguments.operand_count; i++) {
        if (!pair_add_name("diff", &names[i > 0], arguments.operands[i])) {
            return TOOL_USAGE;
        }
    }
    status = pair_load("diff", names, &request, false, &pair);
    if (status >= 0) {
        return status;
    }
    struct diff diff = {.pair = &pair, .is_colored = tool_wants_color(arguments.values[COLOR])};
    status = find_differences(&diff, timeout_seconds, arguments.values[JSON] != NULL);
    free(diff.differences);
    pair_free(&pair);
    int close_status = tool_flush("diff");
    return close_status == TOOL_OK ? status : close_status;
}
