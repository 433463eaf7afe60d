// run: the whole search. Splits the inputs, settles what bounds alone can settle, asks Z3 about the rest, and has every witness
// confirmed.
//
// Takes: a question. Gives: its answer. Requires: valid programs. Guarantees: PROVE_HOLDS only if it was shown for every part, and
// the parts are all inputs; one part that could not be decided makes everything undecided, unless another has a witness.
#include <stdlib.h>

#include "tools/prove/parts.h"

struct run {
    const struct prove_question *question;
    struct prove_result *result;
    struct prove_solver solver;
    struct prove_encoder encoder;
    struct prove_outcome own[2];             // of the programs
    struct prove_stack_room *rooms[2];       // of the stacks; NULL: a program
    const struct prove_outcome *outcomes[2]; // that are compared
    enum prove_answer answer;                // so far
    size_t done;
    size_t total;
};

// --- one part ---------------------------------------------------------------------------------------------------------

static void give_up(struct run *run, enum prove_answer answer, const char *why)
{
    // A witness is worth more than a part that is undecided; a bug is worth more than both.
    if (run->answer == PROVE_HOLDS || answer == PROVE_BROKEN) {
        run->answer = answer;
        run->result->why = why;
    }
}

// Returns: false where a stack is too much.
static bool encode_side(struct run *run, int side, const struct prove_domain *domain)
{
    const struct prove_question *question = run->question;
    struct prove_stack_room *room = run->rooms[side];
    if (room == NULL) {
        prove_encode(&run->encoder, &question->programs[side], domain, question->is_whole, &run->own[side]);
        run->outcomes[side] = &run->own[side];
        return true;
    }
    bool is_encoded = prove_stack_encode(&run->encoder, &question->stacks[side], domain, question->is_whole, room);
    run->outcomes[side] = &room->outcomes[room->current];
    return is_encoded;
}

static void encode(struct run *run, const struct prove_domain *domain)
{
    bool is_encoded = encode_side(run, 0, domain);
    if (!encode_side(run, 1, domain) || !is_encoded) {
        give_up(run, PROVE_UNDECIDED, "a stack returns too many different values");
        run->outcomes[1] = run->outcomes[0]; // nothing is found in this part
    }
}

static void found(struct run *run, enum prove_relation relation, const struct prove_domain *domain,
                  const struct brig_dsl_data *data)
{
    uint32_t rets[2];
    struct prove_difference difference = {.domain = *domain, .relation = relation};
    difference.is_constant = prove_is_settled(run->outcomes[0], &rets[0]) && prove_is_settled(run->outcomes[1], &rets[1]);
    if (!prove_confirm(run->question, relation, data, &difference.witness)) {
        give_up(run, PROVE_BROKEN, "the interpreter does not confirm what Z3 found");
        return;
    }
    if (run->answer == PROVE_BROKEN) {
        return;
    }
    if (run->answer != PROVE_FAILS) {
        run->result->witness = difference.witness;
    }
    run->answer = PROVE_FAILS;
    if (run->question->report != NULL) {
        run->question->report(run->question->context, &difference);
    }
}

// Returns: whether `relation` holds in this part.
static enum prove_sat violated(struct run *run, enum prove_relation relation, const struct prove_domain *domain,
                               struct brig_dsl_data *ret_data)
{
    Z3_ast violation = prove_violation(&run->solver, relation, run->outcomes[0], run->outcomes[1]);
    if (violation == run->solver.no) {
        return PROVE_UNSAT;
    }
    if (violation == run->solver.yes) {
        *ret_data = (struct brig_dsl_data){.nr = domain->nr_lo, .audit_arch = domain->arch_lo};
        return PROVE_SAT;
    }
    return prove_solver_find(&run->solver, domain, violation, ret_data);
}

// Looks for a violation of one relation, and hands it on if `reports`. Returns: whether there may be one.
static bool check_relation(struct run *run, enum prove_relation relation, const struct prove_domain *domain, bool reports)
{
    struct brig_dsl_data data;
    switch (violated(run, relation, domain, &data)) {
    case PROVE_UNSAT:
        return false;
    case PROVE_SAT:
        if (reports) {
            found(run, relation, domain, &data);
        }
        return true;
    case PROVE_UNKNOWN:
        break;
    }
    bool is_late = prove_solver_left_ms(&run->solver) == 0;
    give_up(run, PROVE_UNDECIDED, is_late ? "the time limit was reached" : "Z3 gave up");
    return true;
}

static void check_part(struct run *run, const struct prove_domain *domain)
{
    static const enum prove_relation directions[] = {PROVE_SUPERSET, PROVE_SUBSET, PROVE_SAME_DENIAL};
    bool lists = run->question->report != NULL;
    run->result->parts++;
    if (check_relation(run, run->question->relation, domain, !lists) && lists) {
        for (size_t i = 0; i < sizeof directions / sizeof directions[0]; i++) {
            check_relation(run, directions[i], domain, true);
        }
    }
}

static bool is_settled(const struct run *run)
{
    uint32_t ret;
    return prove_is_settled(run->outcomes[0], &ret) && prove_is_settled(run->outcomes[1], &ret);
}

// Returns: whether to go on.
static bool goes_on(struct run *run)
{
    if (run->question->progress != NULL) {
        run->question->progress(run->question->context, run->done, run->total);
    }
    if (run->answer == PROVE_BROKEN || (run->answer == PROVE_FAILS && run->question->report == NULL)) {
        return false;
    }
    if (prove_solver_left_ms(&run->solver) == 0) {
        give_up(run, PROVE_UNDECIDED, "the time limit was reached");
        if (run->answer == PROVE_FAILS) {
            run->result->why = "the time limit was reached";
        }
        return false;
    }
    return true;
}

// --- splitting --------------------------------------------------------------------------------------------------------

// Makes the numbers of an arch's calls parts of their own.
static void add_calls(struct prove_cuts *cuts, uint32_t audit_arch)
{
    enum brig_dsl_arch arch;
    if (!brig_dsl_arch_by_audit(audit_arch, &arch)) {
        return;
    }
    for (int call = BRIG_SYS_NONE + 1; call < BRIG_SYS_COUNT; call++) {
        int32_t nr = brig_dsl_call_nr((enum brig_dsl_call)call, arch);
        if (nr >= 0) {
            prove_cuts_add_point(cuts, (uint32_t)nr);
        }
    }
}

// Checks one arch, or several that the programs do not tell apart: all numbers at once if they do not matter, else part by part.
static void check_arch(struct run *run, struct prove_domain domain, const struct prove_cuts *numbers)
{
    encode(run, &domain);
    if (is_settled(run)) {
        check_part(run, &domain);
        run->done += numbers->count;
        return;
    }
    for (size_t i = 0; i < numbers->count && goes_on(run); i++) {
        domain.nr_lo = numbers->starts[i];
        domain.nr_hi = prove_cuts_end(numbers, i);
        encode(run, &domain);
        check_part(run, &domain);
        run->done++;
    }
}

static bool collect(const struct prove_question *question, uint32_t word, struct prove_cuts *cuts)
{
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < question->stacks[side].count; i++) {
            prove_cuts_collect(cuts, &question->stacks[side].programs[i], word);
        }
        if (question->stacks[side].count == 0) {
            prove_cuts_collect(cuts, &question->programs[side], word);
        }
    }
    for (int arch = 0; word == 1 && arch < BRIG_DSL_ARCH_COUNT; arch++) {
        prove_cuts_add_point(cuts, brig_dsl_arch_audit((enum brig_dsl_arch)arch));
    }
    return prove_cuts_finish(cuts);
}

// Goes through the numbers of interval `index` of the arches. Returns: false if memory ran out.
static bool check_interval(struct run *run, const struct prove_cuts *arches, size_t index, const struct prove_cuts *numbers)
{
    struct prove_domain domain = {0, UINT32_MAX, arches->starts[index], prove_cuts_end(arches, index)};
    struct prove_cuts own = {.starts = NULL};
    if (run->question->report != NULL && domain.arch_lo == domain.arch_hi) {
        for (size_t i = 0; i < numbers->count; i++) {
            prove_cuts_add(&own, numbers->starts[i]);
        }
        add_calls(&own, domain.arch_lo);
        if (!prove_cuts_finish(&own)) {
            prove_cuts_free(&own);
            return false;
        }
        run->total += own.count - numbers->count;
    }
    check_arch(run, domain, own.count > 0 ? &own : numbers);
    prove_cuts_free(&own);
    return true;
}

// Returns: the place of an interval in the order of the search: arches that people know, then the rest. A call that shows a
// difference is one of the former where there is one.
static size_t rank(const struct prove_cuts *arches, size_t index)
{
    enum brig_dsl_arch arch;
    bool is_known = arches->starts[index] == prove_cuts_end(arches, index) && brig_dsl_arch_by_audit(arches->starts[index], &arch);
    return is_known ? (size_t)arch : BRIG_DSL_ARCH_COUNT;
}

// Goes through the arches with their numbers. Returns: false if memory ran out.
static bool check_all(struct run *run, struct prove_cuts *arches, struct prove_cuts *numbers)
{
    if (!collect(run->question, 1, arches) || !collect(run->question, 0, numbers)) {
        return false;
    }
    run->total = arches->count * numbers->count;
    for (size_t wanted = 0; wanted <= BRIG_DSL_ARCH_COUNT; wanted++) {
        for (size_t i = 0; i < arches->count && goes_on(run); i++) {
            if (rank(arches, i) == wanted && !check_interval(run, arches, i, numbers)) {
                return false;
            }
        }
    }
    return true;
}

static bool search(struct run *run)
{
    const struct prove_domain everything = {0, UINT32_MAX, 0, UINT32_MAX};
    struct prove_cuts arches = {.starts = NULL};
    struct prove_cuts numbers = {.starts = NULL};
    if (run->question->is_whole) {
        encode(run, &everything);
        check_part(run, &everything);
        return true;
    }
    bool is_complete = check_all(run, &arches, &numbers);
    prove_cuts_free(&arches);
    prove_cuts_free(&numbers);
    return is_complete;
}

// Returns: false if memory ran out.
static bool make_rooms(struct run *run)
{
    bool is_made = true;
    for (int side = 0; side < 2; side++) {
        bool is_stack = run->question->stacks[side].count > 0;
        run->rooms[side] = is_stack ? calloc(1, sizeof *run->rooms[side]) : NULL;
        is_made = is_made && (!is_stack || run->rooms[side] != NULL);
    }
    return is_made;
}

enum prove_answer prove_run(const struct prove_question *question, struct prove_result *ret_result)
{
    *ret_result = (struct prove_result){.why = prove_z3_load()};
    if (ret_result->why != NULL) {
        return PROVE_UNABLE;
    }
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL) {
        ret_result->why = "memory ran out";
        return PROVE_UNDECIDED;
    }
    run->question = question;
    run->result = ret_result;
    run->encoder.solver = &run->solver;
    if (!make_rooms(run) || !prove_solver_open(&run->solver, question->timeout_ms) || !search(run)) {
        give_up(run, PROVE_UNDECIDED, "memory ran out");
    }
    ret_result->queries = run->solver.queries;
    enum prove_answer answer = run->answer;
    prove_solver_close(&run->solver);
    free(run->rooms[0]);
    free(run->rooms[1]);
    free(run);
    return answer;
}
