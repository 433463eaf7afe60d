// restrict_sigaction: every signal but the one that the trap layer lives on.
#include "bpf_dsl/words.h"
#include "policies/policies.h"

const struct brig_dsl_row brig_policy_restrict_sigaction[] = {
    WHY("without the SIGSYS handler a violation kills without a report, and emulations end"),
    ROW(rt_sigaction, DENY(EPERM), IN(sig, SIGSYS)),
    ROW(sigaction, DENY(EPERM), IN(sig, SIGSYS)),
    WHY("abort resets SIGABRT, musl's pthread sets its own signals, runtimes handle SIGSEGV"),
    ELSE(rt_sigaction, ALLOW),
    ELSE(sigaction, ALLOW),
    ROWS_END,
};
