// solve: questions to Z3.
//
// Takes: a formula over the words of a call, and bounds for nr and arch. Gives: a call that makes it true, that there is none, or
// that Z3 does not know in the time that is left. Guarantees: a formula shown to be unsatisfiable is not asked about again (calls
// that share their argument checks share the formula, because Z3 keeps equal formulas once). Weaknesses: Z3 keeps every formula
// until the end; the largest filters need some 100 MB.
#include <stdlib.h>
#include <time.h>

#include "tools/prove/parts.h"

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Errors are asked for where they can happen; without a handler Z3 would print and exit.
static void ignore_error(Z3_context z3, Z3_error_code code)
{
    (void)z3;
    (void)code;
}

bool prove_solver_open(struct prove_solver *solver, int64_t timeout_ms)
{
    enum { PROVEN_SLOTS = 1024 };
    Z3_config config = prove_z3.mk_config();
    *solver = (struct prove_solver){.z3 = prove_z3.mk_context(config), .proven_slots = PROVEN_SLOTS};
    prove_z3.del_config(config);
    if (solver->z3 == NULL) {
        return false;
    }
    prove_z3.set_error_handler(solver->z3, ignore_error);
    solver->word_sort = prove_z3.mk_bv_sort(solver->z3, 32);
    solver->yes = prove_z3.mk_true(solver->z3);
    solver->no = prove_z3.mk_false(solver->z3);
    for (int i = 0; i < PROVE_WORDS; i++) {
        solver->words[i] = prove_z3.mk_const(solver->z3, prove_z3.mk_int_symbol(solver->z3, i), solver->word_sort);
    }
    solver->deadline_ms = timeout_ms == 0 ? 0 : now_ms() + timeout_ms;
    solver->proven = calloc(solver->proven_slots, sizeof *solver->proven);
    return solver->proven != NULL;
}

void prove_solver_close(struct prove_solver *solver)
{
    free(solver->proven);
    if (solver->z3 != NULL) {
        prove_z3.del_context(solver->z3);
    }
}

int64_t prove_solver_left_ms(const struct prove_solver *solver)
{
    int64_t left = solver->deadline_ms == 0 ? INT32_MAX : solver->deadline_ms - now_ms();
    return left < 0 ? 0 : left;
}

// --- what is known already --------------------------------------------------------------------------------------------

// Returns: the slot of `id`, or the free one where it belongs.
static unsigned *find_slot(const struct prove_solver *solver, unsigned id)
{
    for (size_t i = id * (size_t)2654435761u;; i++) {
        unsigned *slot = &solver->proven[i & (solver->proven_slots - 1)];
        if (*slot == 0 || *slot == id) {
            return slot;
        }
    }
}

// Makes room; without memory the table stays as it is, and formulas are asked about again.
static void grow(struct prove_solver *solver)
{
    struct prove_solver old = *solver;
    unsigned *larger = calloc(old.proven_slots * 2, sizeof *larger);
    if (larger == NULL) {
        return;
    }
    solver->proven = larger;
    solver->proven_slots = old.proven_slots * 2;
    for (size_t i = 0; i < old.proven_slots; i++) {
        if (old.proven[i] != 0) {
            *find_slot(solver, old.proven[i]) = old.proven[i];
        }
    }
    free(old.proven);
}

static void remember(struct prove_solver *solver, Z3_ast formula)
{
    if (solver->proven_count * 2 >= solver->proven_slots) {
        grow(solver);
    }
    if (solver->proven_count * 2 < solver->proven_slots) {
        *find_slot(solver, prove_z3.get_ast_id(solver->z3, formula)) = prove_z3.get_ast_id(solver->z3, formula);
        solver->proven_count++;
    }
}

// --- questions --------------------------------------------------------------------------------------------------------

// Returns: false if memory ran out.
static bool demand(const struct prove_solver *solver, Z3_solver z3_solver, Z3_ast formula)
{
    if (formula == NULL) {
        return false;
    }
    prove_z3.solver_assert(solver->z3, z3_solver, formula);
    return prove_z3.get_error_code(solver->z3) == Z3_OK;
}

// Returns: false if memory ran out.
static bool demand_bounds(const struct prove_solver *solver, Z3_solver z3_solver, Z3_ast word, uint32_t lo, uint32_t hi)
{
    Z3_context z3 = solver->z3;
    bool is_demanded = true;
    if (lo > 0) {
        is_demanded = demand(solver, z3_solver, prove_z3.mk_bvuge(z3, word, prove_ast(solver, prove_constant(lo))));
    }
    if (hi < UINT32_MAX) {
        is_demanded = is_demanded && demand(solver, z3_solver, prove_z3.mk_bvule(z3, word, prove_ast(solver, prove_constant(hi))));
    }
    return is_demanded;
}

static Z3_solver make_solver(const struct prove_solver *solver)
{
    Z3_context z3 = solver->z3;
    int64_t left_ms = prove_solver_left_ms(solver);
    Z3_solver z3_solver = prove_z3.mk_solver_for_logic(z3, prove_z3.mk_string_symbol(z3, "QF_BV"));
    prove_z3.solver_inc_ref(z3, z3_solver);
    Z3_params params = prove_z3.mk_params(z3);
    prove_z3.params_inc_ref(z3, params);
    prove_z3.params_set_bool(z3, params, prove_z3.mk_string_symbol(z3, "ctrl_c"), false);
    if (solver->deadline_ms != 0) {
        prove_z3.params_set_uint(z3, params, prove_z3.mk_string_symbol(z3, "timeout"), (unsigned)(left_ms > 0 ? left_ms : 1));
    }
    prove_z3.solver_set_params(z3, z3_solver, params);
    prove_z3.params_dec_ref(z3, params);
    return z3_solver;
}

static bool read_model(const struct prove_solver *solver, Z3_solver z3_solver, struct brig_dsl_data *ret_data)
{
    Z3_context z3 = solver->z3;
    uint32_t words[PROVE_WORDS] = {0};
    bool is_read = true;
    Z3_model model = prove_z3.solver_get_model(z3, z3_solver);
    if (model == NULL) {
        return false;
    }
    prove_z3.model_inc_ref(z3, model);
    for (size_t i = 0; i < PROVE_WORDS; i++) {
        Z3_ast value = NULL;
        is_read = is_read && prove_z3.model_eval(z3, model, solver->words[i], true, &value) &&
                  prove_z3.get_numeral_uint(z3, value, &words[i]);
    }
    prove_z3.model_dec_ref(z3, model);
    *ret_data = (struct brig_dsl_data){.nr = words[0], .audit_arch = words[1], .ip = words[2] | (uint64_t)words[3] << 32};
    for (size_t i = 0; i < 6; i++) {
        ret_data->args[i] = words[4 + 2 * i] | (uint64_t)words[5 + 2 * i] << 32;
    }
    return is_read;
}

enum prove_sat prove_solver_find(struct prove_solver *solver, const struct prove_domain *domain, Z3_ast formula,
                                 struct brig_dsl_data *ret_data)
{
    enum prove_sat answer = PROVE_UNKNOWN;
    // Only a formula without bounds is the same question everywhere: with one number and one arch, neither is in it.
    bool is_general = domain->nr_lo == domain->nr_hi && domain->arch_lo == domain->arch_hi;
    if (formula == solver->no || (is_general && *find_slot(solver, prove_z3.get_ast_id(solver->z3, formula)) != 0)) {
        return PROVE_UNSAT;
    }
    Z3_solver z3_solver = make_solver(solver);
    const bool is_asked = demand(solver, z3_solver, formula) &&
                          demand_bounds(solver, z3_solver, solver->words[0], domain->nr_lo, domain->nr_hi) &&
                          demand_bounds(solver, z3_solver, solver->words[1], domain->arch_lo, domain->arch_hi);
    solver->queries++;
    Z3_lbool result = is_asked ? prove_z3.solver_check(solver->z3, z3_solver) : Z3_L_UNDEF;
    if (result == Z3_L_TRUE && read_model(solver, z3_solver, ret_data)) {
        answer = PROVE_SAT;
    } else if (result == Z3_L_FALSE && prove_z3.get_error_code(solver->z3) == Z3_OK) {
        answer = PROVE_UNSAT;
        if (is_general) {
            remember(solver, formula);
        }
    }
    prove_z3.solver_dec_ref(solver->z3, z3_solver);
    return answer;
}
