// restrict_membarrier: barriers among one's own threads.
//
// musl registers for them in every first pthread_create and falls back to signals when it cannot; the global commands interrupt
// every processor of the machine.
#include "bpf_dsl/words.h"
#include "policies/policies.h"

const struct brig_dsl_row brig_policy_restrict_membarrier[] = {
    WHY("musl's pthread_create and dlopen, and lock-free libraries: barriers among this process's threads"),
    ROW(membarrier, ALLOW,
        IN(cmd, MEMBARRIER_CMD_QUERY, MEMBARRIER_CMD_PRIVATE_EXPEDITED, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)),
    WHY("machine-wide barriers disturb everyone"),
    ELSE(membarrier, DENY(EINVAL)),
    ROWS_END,
};
