// rules: whether a program decides what rules say, for every call.
//
// Takes: a program, and the rules that it was made from, for each of its arches. Gives: a proof that they agree, or a call on which
// they do not. Requires: rules as brig_dsl_resolve makes them. Guarantees: shares nothing with the compiler, its check or the
// reference evaluator: operators are written once more, as formulas of 64 bits with the signed comparisons that Z3 has. A
// difference was confirmed by interpreter and evaluator. Weaknesses: takes the tables' word for which number is which call.
#include <linux/seccomp.h>
#include <stdlib.h>

#include "tools/prove/parts.h"

enum { X32_FIRST = 0x40000000, X32_LAST = 0x7fffffff };
#define SKIPPED_NR UINT32_MAX // of a call that a tracer skips

struct comparison {
    const struct prove_rules_question *question;
    struct prove_result *result;
    struct prove_solver solver;
    struct prove_encoder encoder;
    struct prove_outcome program;
    struct prove_outcome rules;
    enum prove_answer answer; // so far
};

// --- conditions -------------------------------------------------------------------------------------------------------

struct operand {
    Z3_context z3;
    Z3_ast ast;
    Z3_sort sort;
    bool is_signed;
};

static Z3_ast number(const struct operand *operand, uint64_t value)
{
    bool is_narrow = prove_z3.get_bv_sort_size(operand->z3, operand->sort) == 32;
    return prove_z3.mk_unsigned_int64(operand->z3, is_narrow ? (uint32_t)value : value, operand->sort);
}

static struct operand operand_of(const struct prove_solver *solver, const struct brig_dsl_rule_condition *condition)
{
    Z3_ast low = solver->words[4 + 2 * condition->argument];
    Z3_ast high = solver->words[5 + 2 * condition->argument];
    struct operand operand = {.z3 = solver->z3, .ast = low, .sort = solver->word_sort, .is_signed = condition->is_signed};
    if (condition->bits == 64) {
        operand.ast = prove_z3.mk_concat(solver->z3, high, low);
        operand.sort = prove_z3.mk_bv_sort(solver->z3, 64);
    }
    return operand;
}

static Z3_ast at_most(const struct operand *operand, Z3_ast a, Z3_ast b)
{
    return operand->is_signed ? prove_z3.mk_bvsle(operand->z3, a, b) : prove_z3.mk_bvule(operand->z3, a, b);
}

static Z3_ast one_of(const struct operand *operand, Z3_ast ast, const uint64_t *values, uint32_t count)
{
    Z3_ast any = prove_z3.mk_false(operand->z3);
    for (uint32_t i = 0; i < count; i++) {
        Z3_ast is_value = prove_z3.mk_eq(operand->z3, ast, number(operand, values[i]));
        any = i == 0 ? is_value : prove_z3.mk_or(operand->z3, 2, (Z3_ast[]){any, is_value});
    }
    return any;
}

// (operand & mask) == value
static Z3_ast masked_is(const struct operand *operand, uint64_t mask, uint64_t value)
{
    return prove_z3.mk_eq(operand->z3, prove_z3.mk_bvand(operand->z3, operand->ast, number(operand, mask)), number(operand, value));
}

static Z3_ast condition_ast(const struct prove_solver *solver, const struct brig_dsl_rule_condition *condition)
{
    struct operand operand = operand_of(solver, condition);
    const uint64_t *values = condition->values;
    switch ((enum brig_dsl_operator)condition->op) {
    case BRIG_DSL_IN:
    case BRIG_DSL_IN_SET:
        return one_of(&operand, operand.ast, values, condition->value_count);
    case BRIG_DSL_NOT_IN:
        return prove_z3.mk_not(solver->z3, one_of(&operand, operand.ast, values, condition->value_count));
    case BRIG_DSL_RANGE:
        return prove_and(solver, at_most(&operand, number(&operand, values[0]), operand.ast),
                         at_most(&operand, operand.ast, number(&operand, values[1])));
    case BRIG_DSL_AT_LEAST:
        return at_most(&operand, number(&operand, values[0]), operand.ast);
    case BRIG_DSL_AT_MOST:
        return at_most(&operand, operand.ast, number(&operand, values[0]));
    case BRIG_DSL_MASKED:
        return one_of(&operand, prove_z3.mk_bvand(solver->z3, operand.ast, number(&operand, values[0])), values + 1,
                      condition->value_count - 1);
    case BRIG_DSL_NOT_MASKED:
        return prove_z3.mk_not(solver->z3, one_of(&operand, prove_z3.mk_bvand(solver->z3, operand.ast, number(&operand, values[0])),
                                                  values + 1, condition->value_count - 1));
    case BRIG_DSL_ONLY_BITS:
        return masked_is(&operand, ~values[0], 0);
    case BRIG_DSL_NO_BITS:
        return masked_is(&operand, values[0], 0);
    case BRIG_DSL_ALL_BITS:
        return masked_is(&operand, values[0], values[0]);
    case BRIG_DSL_ANY_BITS:
        return prove_z3.mk_not(solver->z3, masked_is(&operand, values[0], 0));
    case BRIG_DSL_IS_NULL:
        return prove_z3.mk_eq(solver->z3, operand.ast, number(&operand, 0));
    case BRIG_DSL_NOT_NULL:
        return prove_z3.mk_not(solver->z3, prove_z3.mk_eq(solver->z3, operand.ast, number(&operand, 0)));
    case BRIG_DSL_END:
    case BRIG_DSL_OPERATOR_COUNT:
        break;
    }
    return solver->no;
}

// --- calls ------------------------------------------------------------------------------------------------------------

// Returns: false if there are too many different answers.
static bool add_return(const struct prove_solver *solver, struct prove_outcome *outcome, Z3_ast reach, uint32_t ret)
{
    for (size_t i = 0; i < outcome->count; i++) {
        if (outcome->returns[i].value.lo == ret) {
            outcome->returns[i].reach = prove_or(solver, outcome->returns[i].reach, reach);
            return true;
        }
    }
    if (outcome->count == PROVE_RETURN_MAX) {
        return false;
    }
    outcome->returns[outcome->count++] = (struct prove_return){reach, prove_constant(ret)};
    return true;
}

// What the rules of one call answer, and when: each rule where its conditions hold and those of no rule before it do.
static bool encode_rules(struct comparison *comparison, const struct brig_dsl_call_rules *rules)
{
    const struct prove_solver *solver = &comparison->solver;
    Z3_ast left = solver->yes;
    for (uint32_t i = 0; i < rules->rule_count; i++) {
        const struct brig_dsl_rule *rule = rules->rules[i];
        Z3_ast holds = solver->yes;
        for (uint32_t c = 0; c < rule->condition_count; c++) {
            holds = prove_and(solver, holds, condition_ast(solver, &rule->conditions[c]));
        }
        if (!add_return(solver, &comparison->rules, prove_and(solver, left, holds), rule->ret)) {
            return false;
        }
        left = prove_and(solver, left, prove_not(solver, holds));
    }
    return true;
}

// What the rules answer in a part, which is one number, or numbers that are no call.
static bool encode_part(struct comparison *comparison, const struct brig_dsl_rules *rules, const struct prove_domain *domain)
{
    enum brig_dsl_call call = brig_dsl_call_by_nr(domain->nr_lo, rules->arch);
    uint32_t ret = rules->unknown_ret;
    comparison->rules.count = 0;
    if (domain->arch_lo != brig_dsl_arch_audit(rules->arch)) {
        ret = rules->foreign_ret;
    } else if (rules->arch == BRIG_DSL_X86_64 && domain->nr_lo >= X32_FIRST &&
               domain->nr_lo <= (rules->is_import ? SKIPPED_NR - 1 : X32_LAST)) {
        ret = rules->x32_ret;
    } else if (domain->nr_lo == BRIG_DSL_DIE_NR && !rules->is_import) {
        ret = SECCOMP_RET_KILL_PROCESS;
    } else if (domain->nr_lo == BRIG_DSL_PROBE_NR && !rules->is_import) {
        ret = SECCOMP_RET_ERRNO | BRIG_DSL_PROBE_ERRNO;
    } else if (domain->nr_lo == BRIG_DSL_BROKER_NR && rules->asks_broker) {
        ret = SECCOMP_RET_ALLOW;
    } else if (call != BRIG_SYS_NONE && brig_dsl_rules_of(rules, call)->rule_count > 0) {
        return encode_rules(comparison, brig_dsl_rules_of(rules, call));
    } else if (call != BRIG_SYS_NONE && brig_dsl_call_since(call) <= rules->kernel) {
        ret = rules->fallback_ret;
    }
    return add_return(&comparison->solver, &comparison->rules, comparison->solver.yes, ret);
}

// --- answers ----------------------------------------------------------------------------------------------------------

static uint32_t rules_say(const struct prove_rules_question *question, const struct brig_dsl_data *data)
{
    size_t which = 0;
    for (size_t i = 0; i < question->rules_count; i++) {
        which = data->audit_arch == brig_dsl_arch_audit(question->rules[i].arch) ? i : which;
    }
    return brig_dsl_evaluate(&question->rules[which], data, NULL);
}

static void give_up(struct comparison *comparison, enum prove_answer answer, const char *why)
{
    comparison->answer = answer;
    comparison->result->why = why;
}

static void found(struct comparison *comparison, const struct brig_dsl_data *data)
{
    const struct prove_program *program = &comparison->question->program;
    struct prove_witness *witness = &comparison->result->witness;
    *witness = (struct prove_witness){.data = *data};
    witness->rets[0] = brig_dsl_interpret(program->insns, program->insn_count, data, NULL).ret;
    witness->rets[1] = rules_say(comparison->question, data);
    if (witness->rets[0] == witness->rets[1]) {
        give_up(comparison, PROVE_BROKEN, "interpreter and evaluator do not confirm what Z3 found");
        return;
    }
    comparison->answer = PROVE_FAILS;
}

static void check_part(struct comparison *comparison, const struct brig_dsl_rules *rules, const struct prove_domain *domain)
{
    struct prove_solver *solver = &comparison->solver;
    struct brig_dsl_data data = {.nr = domain->nr_lo, .audit_arch = domain->arch_lo};
    comparison->result->parts++;
    if (!encode_part(comparison, rules, domain)) {
        give_up(comparison, PROVE_BROKEN, "a call has more different answers than a program can have");
        return;
    }
    prove_encode(&comparison->encoder, &comparison->question->program, domain, false, &comparison->program);
    Z3_ast violation = prove_violation(solver, PROVE_EQUAL, &comparison->program, &comparison->rules);
    switch (violation == solver->yes ? PROVE_SAT : prove_solver_find(solver, domain, violation, &data)) {
    case PROVE_SAT:
        found(comparison, &data);
        break;
    case PROVE_UNSAT:
        break;
    case PROVE_UNKNOWN:
        give_up(comparison, PROVE_UNDECIDED, prove_solver_left_ms(solver) == 0 ? "the time limit was reached" : "Z3 gave up");
        break;
    }
}

// Splits the numbers wherever the program, the tables or x32 have a border. Returns: false if memory ran out.
static bool check_arch(struct comparison *comparison, const struct brig_dsl_rules *rules)
{
    uint32_t audit_arch = brig_dsl_arch_audit(rules->arch);
    struct prove_cuts cuts = {.starts = NULL};
    prove_cuts_collect(&cuts, &comparison->question->program, 0);
    for (int call = BRIG_SYS_NONE + 1; call < BRIG_SYS_COUNT; call++) {
        int32_t nr = brig_dsl_call_nr((enum brig_dsl_call)call, rules->arch);
        if (nr >= 0) {
            prove_cuts_add_point(&cuts, (uint32_t)nr);
        }
    }
    prove_cuts_add_point(&cuts, BRIG_DSL_DIE_NR);
    prove_cuts_add_point(&cuts, BRIG_DSL_PROBE_NR);
    prove_cuts_add_point(&cuts, BRIG_DSL_BROKER_NR);
    prove_cuts_add(&cuts, X32_FIRST);
    prove_cuts_add(&cuts, (uint32_t)X32_LAST + 1);
    prove_cuts_add(&cuts, SKIPPED_NR);
    bool is_made = prove_cuts_finish(&cuts);
    for (size_t i = 0; is_made && i < cuts.count && comparison->answer == PROVE_HOLDS; i++) {
        const struct prove_domain domain = {cuts.starts[i], prove_cuts_end(&cuts, i), audit_arch, audit_arch};
        check_part(comparison, rules, &domain);
    }
    prove_cuts_free(&cuts);
    return is_made;
}

static bool is_ours(const struct prove_rules_question *question, uint32_t audit_arch)
{
    for (size_t i = 0; i < question->rules_count; i++) {
        if (brig_dsl_arch_audit(question->rules[i].arch) == audit_arch) {
            return true;
        }
    }
    return false;
}

// All other arches, which are the first rules' affair.
static bool check_foreign(struct comparison *comparison)
{
    const struct prove_rules_question *question = comparison->question;
    struct prove_cuts cuts = {.starts = NULL};
    prove_cuts_collect(&cuts, &question->program, 1);
    for (size_t i = 0; i < question->rules_count; i++) {
        prove_cuts_add_point(&cuts, brig_dsl_arch_audit(question->rules[i].arch));
    }
    bool is_made = prove_cuts_finish(&cuts);
    for (size_t i = 0; is_made && i < cuts.count && comparison->answer == PROVE_HOLDS; i++) {
        const struct prove_domain domain = {0, UINT32_MAX, cuts.starts[i], prove_cuts_end(&cuts, i)};
        if (!is_ours(question, domain.arch_lo)) {
            check_part(comparison, &question->rules[0], &domain);
        }
    }
    prove_cuts_free(&cuts);
    return is_made;
}

enum prove_answer prove_rules_run(const struct prove_rules_question *question, struct prove_result *ret_result)
{
    *ret_result = (struct prove_result){.why = prove_z3_load()};
    if (ret_result->why != NULL) {
        return PROVE_UNABLE;
    }
    ret_result->why = "out of memory";
    struct comparison *comparison = malloc(sizeof *comparison);
    if (comparison == NULL) {
        return PROVE_BROKEN;
    }
    comparison->question = question;
    comparison->result = ret_result;
    comparison->encoder.solver = &comparison->solver;
    comparison->answer = PROVE_HOLDS;
    bool is_made = prove_solver_open(&comparison->solver, question->timeout_ms) && check_foreign(comparison);
    for (size_t i = 0; is_made && i < question->rules_count; i++) {
        is_made = check_arch(comparison, &question->rules[i]);
    }
    ret_result->queries = comparison->solver.queries;
    enum prove_answer answer = is_made ? comparison->answer : PROVE_BROKEN;
    prove_solver_close(&comparison->solver);
    free(comparison);
    return answer;
}
