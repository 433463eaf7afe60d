// brig prove: an exact answer about two programs, with a witness where the answer is no. `prove A B`: both return the same for
// every call; `prove A --subset-of B`: what A allows, B allows; `prove A`: the optimised program of policy A is its plain one.
// Several where one is expected are those of one process: `prove MERGED FIRST LAST`, `prove FIRST LAST --subset-of B`.
#include <inttypes.h>
#include <string.h>

#include "tools/brig/pair.h"

const struct tool_option brig_prove_options[] = {
    TOOL_OPTION_ARCH,
    TOOL_OPTION_KERNEL,
    TOOL_OPTION_TARGET,
    TOOL_OPTION_FROM,
    TOOL_OPTION_CAP,
    {"subset-of", 0, "POLICY", "prove that every call that A allows, POLICY allows too; repeatable, then all of them"},
    {"actions-only", 0, NULL, "compare only what the kernel does, not data that it does not look at"},
    {"whole", 0, NULL, "leave everything to Z3, as one formula; slower, and a check of the shortcuts"},
    {"timeout", 0, "SECONDS", "give up after SECONDS (120)"},
    TOOL_OPTION_JSON,
    {NULL, 0, NULL, NULL},
};
enum { ARCH, KERNEL, TARGET, FROM, CAP, SUBSET_OF, ACTIONS_ONLY, WHOLE, TIMEOUT, JSON };

// What is asked, in words for each answer.
struct claim {
    enum prove_relation relation;
    const char *holds;
    const char *fails;
    const char *json_holds;
    const char *json_fails;
};

static const struct claim claims[] = {
    {PROVE_EQUAL, "equal", "not equal", "equal", "different"},
    {PROVE_SAME_EFFECT, "equal in what the kernel does", "not equal in what the kernel does", "equal", "different"},
    {PROVE_SUBSET, "a subset", "not a subset", "subset", "not-subset"},
};

struct answer {
    const struct claim *claim;
    enum prove_answer answer;
    struct prove_result result;
    int64_t elapsed_ms;
};

static void set_progress(void *context, size_t done, size_t total)
{
    pair_progress_set(context, done, total);
}

static void print_name(const struct pair *pair, int side)
{
    printf("  %c ", side == 0 ? 'A' : 'B');
    tool_put_clean(stdout, pair->sides[side].name);
}

static void print_side(const struct pair *pair, int side, const struct prove_witness *witness)
{
    char verdict[64];
    char row[512];
    pair_verdict(pair, witness->rets[side], verdict, sizeof verdict);
    pair_row(pair, side, &witness->data, row, sizeof row);
    const struct pair_side *programs = &pair->sides[side];
    const bool is_stack = programs->count > 1;
    print_name(pair, side);
    printf(": %s%s", verdict, is_stack ? "  of " : "");
    tool_put_clean(stdout, is_stack ? pair_decider(programs, &witness->data)->subject.name : "");
    fputs(row[0] == '\0' ? "" : "  by ", stdout);
    tool_put_clean(stdout, row);
    puts("");
}

static void print_answer(const struct pair *pair, const struct answer *answer)
{
    const struct prove_witness *witness = &answer->result.witness;
    switch (answer->answer) {
    case PROVE_HOLDS:
        printf("%s: proven for every call in %.1f s (%zu parts, %zu queries)\n", answer->claim->holds,
               (double)answer->elapsed_ms / 1000.0, answer->result.parts, answer->result.queries);
        if (pair->sides[0].count > 1 || pair->sides[1].count > 1) { // who takes a list of operands for something else sees it
            print_name(pair, 0);
            puts("");
            print_name(pair, 1);
            puts("");
        }
        break;
    case PROVE_FAILS:
        printf("%s, for example ", answer->claim->fails);
        pair_print_call(stdout, &witness->data, true);
        fputs("\n", stdout);
        print_side(pair, 0, witness);
        print_side(pair, 1, witness);
        break;
    case PROVE_UNDECIDED:
        printf("undecided: %s after %.1f s\n", answer->result.why, (double)answer->elapsed_ms / 1000.0);
        break;
    case PROVE_UNABLE:
        tool_complain("prove", "%s", answer->result.why);
        break;
    case PROVE_BROKEN:
        tool_complain("prove", "internal error: %s", answer->result.why);
        break;
    }
}

static void print_json(const struct pair *pair, const struct answer *answer)
{
    const char *const words[] = {
        [PROVE_HOLDS] = answer->claim->json_holds, [PROVE_FAILS] = answer->claim->json_fails,
        [PROVE_UNDECIDED] = "undecided",           [PROVE_UNABLE] = "unable",
        [PROVE_BROKEN] = "internal-error",
    };
    json_t *json = json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:s?, s:I, s:I, s:I}", "schema", "brig-prove-1", "a",
                             pair->sides[0].name, "b", pair->sides[1].name, "a_programs", pair_names_json(&pair->sides[0]),
                             "b_programs", pair_names_json(&pair->sides[1]), "answer", words[answer->answer], "why",
                             answer->result.why, "ms", (json_int_t)answer->elapsed_ms, "parts", (json_int_t)answer->result.parts,
                             "queries", (json_int_t)answer->result.queries);
    if (answer->answer == PROVE_FAILS) {
        json_object_set_new(json, "witness", pair_witness_json(pair, &answer->result.witness));
    }
    tool_print_json(stdout, json);
}

static int exit_status(enum prove_answer answer)
{
    switch (answer) {
    case PROVE_HOLDS:
        return TOOL_OK;
    case PROVE_FAILS:
        return TOOL_FINDINGS;
    case PROVE_UNABLE:
        return TOOL_LACKS;
    default:
        return TOOL_UNDECIDED;
    }
}

static const struct claim *claim_of(const struct tool_arguments *arguments)
{
    return &claims[arguments->values[SUBSET_OF] != NULL ? 2 : arguments->values[ACTIONS_ONLY] != NULL ? 1 : 0];
}

static int prove(const struct pair *pair, const struct tool_arguments *arguments, long timeout_seconds)
{
    struct answer answer = {.claim = claim_of(arguments)};
    struct pair_progress progress;
    struct prove_question question = pair_question(pair, answer.claim->relation, timeout_seconds);
    question.is_whole = arguments->values[WHOLE] != NULL;
    question.progress = set_progress;
    question.context = &progress;
    pair_progress_start(&progress, "prove");
    answer.answer = prove_run_apart(&question, &answer.result);
    answer.elapsed_ms = pair_progress_end(&progress);
    if (arguments->values[JSON] != NULL) {
        print_json(pair, &answer);
    } else {
        print_answer(pair, &answer);
    }
    return exit_status(answer.answer);
}

// Finds out what the two sides are: with --subset-of its values are B, else all operands but the first are, and of one operand
// alone B is the plain form. Returns: false after having complained.
static bool read_sides(const struct tool_arguments *arguments, struct pair_names *ret_names)
{
    const bool is_subset = arguments->values[SUBSET_OF] != NULL;
    bool is_read = true;
    if (arguments->operand_count < 1) {
        tool_complain("prove",
                      "give two policies, or one and --subset-of=POLICY, or one alone to compare its optimised and its plain "
                      "program; see brig prove --help");
        return false;
    }
    if (is_subset && arguments->values[ACTIONS_ONLY] != NULL) {
        tool_complain("prove", "--subset-of asks what is allowed; --actions-only does not go with it");
        return false;
    }
    for (int i = 0; i < arguments->operand_count && is_read; i++) {
        is_read = pair_add_name("prove", &ret_names[i > 0 && !is_subset], arguments->operands[i]);
    }
    for (int i = 0; i < arguments->given_count && is_read; i++) {
        is_read = arguments->given[i].option != SUBSET_OF || pair_add_name("prove", &ret_names[1], arguments->given[i].value);
    }
    if (ret_names[1].count == 0) {
        ret_names[1] = (struct pair_names){.names = {arguments->operands[0]}, .count = 1, .is_plain = true};
    }
    return is_read;
}

int brig_prove_main(int argc, char **argv);
int brig_prove_main(int argc, char **argv)
{
    struct tool_arguments arguments;
    struct tool_request request;
    struct pair_names names[2] = {{.count = 0}, {.count = 0}};
    struct pair pair;
    int status = tool_parse("prove", brig_prove_options, argc, argv, &arguments);
    if (status >= 0) {
        return status;
    }
    if (!read_sides(&arguments, names)) {
        return TOOL_USAGE;
    }
    long timeout_seconds = pair_read_timeout("prove", arguments.values[TIMEOUT]);
    if (timeout_seconds < 0 || !tool_make_request("prove", &arguments, &request)) {
        return TOOL_USAGE;
    }
    // A policy's two forms have the same ids; different policies number their rows each on their own.
    status = pair_load("prove", names, &request, names[1].is_plain, &pair);
    if (status >= 0) {
        return status;
    }
    status = prove(&pair, &arguments, timeout_seconds);
    pair_free(&pair);
    int close_status = tool_flush("prove");
    return close_status == TOOL_OK ? status : close_status;
}
