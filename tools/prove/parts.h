// parts: what the files of this room share. See README.md for who does what.
#ifndef BRIG_TOOLS_PROVE_PARTS_H
#define BRIG_TOOLS_PROVE_PARTS_H

#include "tools/prove/prove.h"
#include "tools/prove/z3_library.h"

enum { PROVE_WORDS = 16 }; // of struct seccomp_data

// --- values: formulas of 32 bits with bounds ---------------------------------------------------------------------------

// `ast` is made only when needed: NULL for a constant (lo == hi).
struct prove_value {
    Z3_ast ast;
    uint32_t lo;
    uint32_t hi;
};

// Z3 and what is asked of it again and again.
struct prove_solver {
    Z3_context z3;
    Z3_sort word_sort;
    Z3_ast words[PROVE_WORDS]; // nr, arch, ip low ...
    Z3_ast yes;
    Z3_ast no;
    int64_t deadline_ms; // on the monotonic clock; 0: none
    unsigned *proven;    // ids of formulas shown to be unsatisfiable, open addressing, 0: free
    size_t proven_slots; // a power of two
    size_t proven_count;
    size_t queries;
};

// prove_z3_load has to have succeeded. Returns: false if memory ran out.
bool prove_solver_open(struct prove_solver *solver, int64_t timeout_ms);
void prove_solver_close(struct prove_solver *solver);
// Returns: milliseconds left, 0 if the limit was reached, a large number if there is none.
int64_t prove_solver_left_ms(const struct prove_solver *solver);

enum prove_sat { PROVE_SAT, PROVE_UNSAT, PROVE_UNKNOWN };
// Looks for a call in `domain` for which `formula` is true. Returns: PROVE_SAT with the call.
enum prove_sat prove_solver_find(struct prove_solver *solver, const struct prove_domain *domain, Z3_ast formula,
                                 struct brig_dsl_data *ret_data);

struct prove_value prove_constant(uint32_t value);
bool prove_is_constant(struct prove_value value);
Z3_ast prove_ast(const struct prove_solver *solver, struct prove_value value);
// The result of `op` (BPF_ADD ... BPF_NEG); division needs a divisor that is not 0 where it matters.
struct prove_value prove_calculate(const struct prove_solver *solver, uint16_t op, struct prove_value a, struct prove_value b);
// The condition of a test (BPF_JEQ ...): solver->yes, solver->no, or a formula.
Z3_ast prove_test(const struct prove_solver *solver, uint16_t op, struct prove_value a, struct prove_value b);
// condition ? a : b
struct prove_value prove_choose(const struct prove_solver *solver, Z3_ast condition, struct prove_value a, struct prove_value b);

// Connectives that know yes and no.
Z3_ast prove_and(const struct prove_solver *solver, Z3_ast a, Z3_ast b);
Z3_ast prove_or(const struct prove_solver *solver, Z3_ast a, Z3_ast b);
Z3_ast prove_not(const struct prove_solver *solver, Z3_ast a);

// --- programs as formulas ---------------------------------------------------------------------------------------------

// One value that a program may return, and when. The conditions of an outcome exclude each other and cover everything.
struct prove_return {
    Z3_ast reach;
    struct prove_value value;
};

// Every return of a program, and one more per division.
enum { PROVE_RETURN_MAX = 2 * BPF_MAXINSNS };

struct prove_outcome {
    struct prove_return returns[PROVE_RETURN_MAX]; // constants once each
    size_t count;
};

// What is known before an instruction.
struct prove_state {
    Z3_ast reach; // NULL: no path comes here
    struct prove_value a;
    struct prove_value x;
    struct prove_value cells[BPF_MEMWORDS];
};

struct prove_encoder {
    const struct prove_solver *solver;
    struct prove_state states[BPF_MAXINSNS];
};

// Writes what `program` returns for calls of `domain`. With `is_whole` the bounds of the domain are not used.
void prove_encode(struct prove_encoder *encoder, const struct prove_program *program, const struct prove_domain *domain,
                  bool is_whole, struct prove_outcome *ret_outcome);

// Where outcomes of a stack are made; outcomes[current] is the last one.
struct prove_stack_room {
    struct prove_outcome own; // of one program
    struct prove_outcome outcomes[2];
    size_t current;
};

// Makes the outcome of a stack. Returns: false when it returns too many different values.
bool prove_stack_encode(struct prove_encoder *encoder, const struct prove_stack *stack, const struct prove_domain *domain,
                        bool is_whole, struct prove_stack_room *room);

// The formula that is true where `relation` does not hold; solver->no where that is clear.
Z3_ast prove_violation(const struct prove_solver *solver, enum prove_relation relation, const struct prove_outcome *a,
                       const struct prove_outcome *b);
// Returns: whether the program returns one and the same value for everything.
bool prove_is_settled(const struct prove_outcome *outcome, uint32_t *ret_ret);

// --- splitting --------------------------------------------------------------------------------------------------------

// Sorted first values of intervals that follow each other, from 0.
struct prove_cuts {
    uint32_t *starts;
    size_t count;
    size_t capacity;
    bool is_broken; // memory ran out
};

// Collects where the programs' tests of `word` (0: nr, 1: arch) change their answer.
void prove_cuts_collect(struct prove_cuts *cuts, const struct prove_program *program, uint32_t word);
void prove_cuts_add(struct prove_cuts *cuts, uint32_t start);
// Adds both ends of [value, value].
void prove_cuts_add_point(struct prove_cuts *cuts, uint32_t value);
// Sorts, and adds 0. Returns: false if memory ran out.
bool prove_cuts_finish(struct prove_cuts *cuts);
// Returns: the last value of interval `index`.
uint32_t prove_cuts_end(const struct prove_cuts *cuts, size_t index);
void prove_cuts_free(struct prove_cuts *cuts);

// --- witnesses --------------------------------------------------------------------------------------------------------

// Runs both programs on `data` and, if `relation` does not hold, makes the call simpler as long as that stays so.
// Returns: false if the relation holds: Z3 and the interpreter disagree.
bool prove_confirm(const struct prove_question *question, enum prove_relation relation, const struct brig_dsl_data *data,
                   struct prove_witness *ret_witness);

#endif
