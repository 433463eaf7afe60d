// prove: exact answers about two programs, over all inputs that the kernel can hand them.
//
//   struct prove_question question = {.programs = {{a, a_count}, {b, b_count}}, .relation = PROVE_EQUAL, .timeout_ms = 60000};
//   struct prove_result result;
//   if (prove_run(&question, &result) == PROVE_FAILS) { ... result.witness is a call on which they differ ... }
//
// Rules that hold throughout:
// - Programs are valid (brig_dsl_validate). Inputs are nr, arch, ip and six arguments, 512 bits in all.
// - PROVE_HOLDS is a proof by Z3 and interval arithmetic. PROVE_FAILS comes with a call that brig_dsl_interpret confirmed.
// - Nothing is printed. Deterministic but for the time limit. One thread at a time.
#ifndef BRIG_TOOLS_PROVE_PROVE_H
#define BRIG_TOOLS_PROVE_PROVE_H

#include "bpf_dsl/program.h"

// What is asked about the two values returned, A's and B's.
enum prove_relation {
    PROVE_EQUAL,       // the same 32 bits
    PROVE_SAME_EFFECT, // the kernel does the same: data that it does not look at may differ
    PROVE_SUBSET,      // what A allows (or only logs), B allows
    PROVE_SUPERSET,    // what B allows, A allows
    PROVE_SAME_DENIAL, // where both allow or neither does, the kernel does the same
    PROVE_RELATION_COUNT
};

enum prove_answer {
    PROVE_HOLDS,
    PROVE_FAILS,     // there is a witness
    PROVE_UNDECIDED, // the time limit was reached, memory ran out, or Z3 gave up, see `why`
    PROVE_UNABLE,    // the library of Z3 could not be loaded, or no process be made for it, see `why`
    PROVE_BROKEN,    // Z3 and the interpreter disagree: a bug, see `why`
};

struct prove_program {
    const struct sock_filter *insns;
    size_t insn_count;
};

// Programs that one process has installed, the first one first.
struct prove_stack {
    const struct prove_program *programs;
    size_t count;
};

// Which calls a statement is about; bounds are included.
struct prove_domain {
    uint32_t nr_lo;
    uint32_t nr_hi;
    uint32_t arch_lo;
    uint32_t arch_hi;
};

// A call with what the two programs return for it.
struct prove_witness {
    struct brig_dsl_data data;
    uint32_t rets[2];
};

// One part of the inputs in which a relation does not hold.
struct prove_difference {
    struct prove_domain domain;
    enum prove_relation relation;
    bool is_constant; // every call of the domain gets the witness's two values
    struct prove_witness witness;
};

struct prove_question {
    struct prove_program programs[2]; // A and B
    struct prove_stack stacks[2];     // where one has programs, it is A or B, and the program is not looked at
    enum prove_relation relation;
    int64_t timeout_ms; // 0: none
    bool is_whole;      // one formula for everything, nothing decided without Z3: slow, for tests of the shortcuts

    // Where not NULL, the search goes on after a difference and calls this for each part and each of PROVE_SUPERSET, PROVE_SUBSET
    // and PROVE_SAME_DENIAL that fails there; the numbers of known calls are parts of their own.
    void (*report)(void *context, const struct prove_difference *difference);
    // Called now and then with how many of `total` numbers' parts are done. May be NULL.
    void (*progress)(void *context, size_t done, size_t total);
    void *context;
};

struct prove_result {
    struct prove_witness witness; // FAILS: the first
    const char *why;              // UNDECIDED, UNABLE, BROKEN: a sentence that stays
    size_t parts;                 // that the inputs were split into
    size_t queries;               // that Z3 answered
};

// Answers `question`. Returns: the answer; *ret_result is always written.
enum prove_answer prove_run(const struct prove_question *question, struct prove_result *ret_result);
// The same in a process of its own, for whoever must not end where Z3 does: without memory, or without threads.
enum prove_answer prove_run_apart(const struct prove_question *question, struct prove_result *ret_result);

// What is asked about a program and the rules that it was made from.
struct prove_rules_question {
    struct prove_program program;
    const struct brig_dsl_rules *rules; // for each arch of the program; the first decides calls of all others
    size_t rules_count;
    int64_t timeout_ms; // 0: none
};

// Says whether the program returns what the rules say, all 32 bits, for every call. Returns: the answer; *ret_result is always
// written, the witness's second value is the rules'.
enum prove_answer prove_rules_run(const struct prove_rules_question *question, struct prove_result *ret_result);

// What calls have been seen to do, a byte per instruction; the sides of a jump whose targets are the same count as neither.
enum { PROVE_TAKEN = 1, PROVE_TAKEN_YES = 2, PROVE_TAKEN_NO = 4 };

struct prove_reached {
    size_t at;      // FAILS, UNDECIDED, BROKEN: an instruction
    unsigned side;  // and what of it (PROVE_TAKEN...) no call takes, or is not known to take
    size_t queries; // that Z3 answered
};

// Runs a program for one call and adds what it takes to `taken`.
void prove_reach_run(const struct prove_program *program, const struct brig_dsl_data *data, unsigned char *taken);

// Looks for calls that take what is not in `taken` yet, and adds what they take.
// Returns: HOLDS if in the end every instruction runs and every test has both its sides; FAILS at the first for which no call can
// exist.
enum prove_answer prove_reach(const struct prove_program *program, int64_t timeout_ms, unsigned char *taken,
                              struct prove_reached *ret_reached);

// Returns: what the kernel makes of what the programs of a stack return for a call.
// Source: kernel/seccomp.c:seccomp_run_filters.
uint32_t prove_stack_run(const struct prove_stack *stack, const struct brig_dsl_data *data);

// Says whether `relation` holds between two returned values.
bool prove_relation_holds(enum prove_relation relation, uint32_t ret_a, uint32_t ret_b);

// Returns: `ret` as the kernel acts on it: unknown actions are KILL_PROCESS, errno is at most 4095, unused data is 0.
// Source: kernel/seccomp.c:__seccomp_filter.
uint32_t prove_effect(uint32_t ret);

#endif
