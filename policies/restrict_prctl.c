// restrict_prctl: names of threads and mappings, and questions about the own lock.
#include "bpf_dsl/words.h"
#include "policies/policies.h"

const struct brig_dsl_row brig_policy_restrict_prctl[] = {
    WHY("threads name themselves (pthread_setname_np), malloc names its mappings (PR_SET_VMA: glibc 2.39, scudo)"),
    ROW(prctl, ALLOW, IN(option, PR_SET_NAME, PR_GET_NAME)),
    ROW(prctl, ALLOW, IN(option, PR_SET_VMA), LOW32_IN(arg2, PR_SET_VMA_ANON_NAME)),
    WHY("am I locked? answers only"),
    ROW(prctl, ALLOW, IN(option, PR_GET_NO_NEW_PRIVS, PR_GET_SECCOMP, PR_GET_DUMPABLE)),
    WHY("the rest undoes what the launch set up: dumpable, death signal, tracers, capabilities, the memory map"),
    ELSE(prctl, CRASH),
    ROWS_END,
};
