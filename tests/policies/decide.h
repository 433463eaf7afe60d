// decide: one call, written as text, decided by a policy in two ways that must agree.
#ifndef BRIG_TESTS_POLICIES_DECIDE_H
#define BRIG_TESTS_POLICIES_DECIDE_H

#include <stdbool.h>

#include "bpf_dsl/program.h"

#define DECIDE_SELF_PID 4242

// A policy, resolved and compiled for one arch.
struct decided_policy {
    const struct brig_dsl_policy *policy;
    enum brig_dsl_arch arch;
    struct brig_dsl_rules rules;
    struct brig_dsl_program program;
    void *memory;
};

// Fails the running test and returns false when the policy does not compile. The result is freed by decide_end.
bool decide_start(const struct brig_dsl_policy *policy, enum brig_dsl_arch arch, int self_pid, struct decided_policy *ret_policy);
void decide_end(struct decided_policy *policy);

enum decide_call { DECIDE_READ, DECIDE_ABSENT, DECIDE_WRONG };
// Reads "fcntl(cmd=F_SETFL, arg=O_NONBLOCK)": arguments by name, 0 where not given, constants as the arch has them.
// Returns: READ; ABSENT where the arch has no such call, or has its arguments in memory; WRONG after failing the running test.
enum decide_call decide_read(const char *text, enum brig_dsl_arch arch, struct brig_dsl_data *ret_data);

// Decides by the reference evaluator and by the compiled program, and fails the running test where they differ.
// Writes "ALLOW", "EPERM", "CRASH", "REPORT EACCES", "EMULATE sched_own_thread". Returns: the row, or NULL if none decided.
const struct brig_dsl_row *decide(const struct decided_policy *policy, const struct brig_dsl_data *data, char *ret_text,
                                  unsigned long text_bytes);

// Rows that decided something.
struct decide_reached {
    const struct brig_dsl_row *rows[600];
    size_t count;
};

// A line of a table: decides `call`, where the arch has it, fails the running test where it is not as `expected`, and adds the row.
// Returns: whether the arch has it.
bool decide_check(const struct decided_policy *policy, const char *call, const char *expected, struct decide_reached *reached);
// Fails the running test for each row that was not reached, among those of files below policies/pledge/, or among all others.
void decide_check_reached(const struct brig_dsl_row *rows, const struct decide_reached *reached, bool of_promises);

#endif
