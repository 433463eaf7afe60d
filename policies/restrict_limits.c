// restrict_limits: read one's own resource limits, set none.
#include "bpf_dsl/words.h"
#include "policies/policies.h"

const struct brig_dsl_row brig_policy_restrict_limits[] = {
    WHY("getrlimit of glibc and musl is prlimit64 with nothing to set: stack sizes of new threads, sysconf"),
    ROW(prlimit64, ALLOW, IN(pid, 0, SELF_PID), IS_NULL(new_limit)),
    WHY("limits are the supervisor's; and other processes' limits are theirs"),
    ELSE(prlimit64, DENY(EPERM)),
    ROWS_END,
};
