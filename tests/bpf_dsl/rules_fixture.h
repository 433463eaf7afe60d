// Small policies for the tests of rules: resolved, asked for a decision, described.
#ifndef BRIG_TESTS_BPF_DSL_RULES_FIXTURE_H
#define BRIG_TESTS_BPF_DSL_RULES_FIXTURE_H

#include "bpf_dsl/rules.h"

// Run-time values that the fixtures give: one known, one not.
enum { FIXTURE_PID = 1234 };

// Options for `arch` with SELF_PID given, NOTIFY_FD and BROKER_FD unset.
struct brig_dsl_options fixture_options(enum brig_dsl_arch arch);

// Resolves `policy` in memory that the next call takes again; `rules` and `error` as brig_dsl_resolve writes them.
enum brig_code fixture_resolve(const struct brig_dsl_policy *policy, const struct brig_dsl_options *options,
                               struct brig_dsl_rules *ret_rules, struct brig_error *reterr);

// The same for bare rows, with FALLBACK(CRASH) and the baseline 6.18.
enum brig_code fixture_resolve_rows(const struct brig_dsl_row *rows, enum brig_dsl_arch arch, struct brig_dsl_rules *ret_rules,
                                    struct brig_error *reterr);

// What the rules say about `call` with `args` on their own arch: an action as rows write it ("DENY(EPERM)"), "CRASH" for the
// fallback. Returns: memory that the next call takes again.
const char *fixture_decide(const struct brig_dsl_rules *rules, enum brig_dsl_call call, const uint64_t args[6]);

// The span that an error points to, terminated. Returns: memory that the next call takes again; "" without a subject.
const char *fixture_subject(const struct brig_error *error);

#endif
