// restrict_futex: wait, wake and requeue; no priority inheritance.
//
// The PI operations are the hardest part of the futex code and were the source of CVE-2014-3153 (Towelroot). A kernel without them
// answers ENOSYS, libc then says ENOTSUP to who asks for a PI mutex; a trap would be wrong, since mutexes are also locked with
// signals blocked. The flags are spelled out because FUTEX_CMD_MASK grows: the kernel's of today also takes away flags that nobody
// here has looked at (FUTEX_ROBUST_UNLOCK).
#include "bpf_dsl/words.h"
#include "policies/policies.h"

const struct brig_dsl_row brig_policy_restrict_futex[] = {
    WHY("mutexes, condition variables, joins: malloc, stdio and pthread of every libc"),
    ROW(futex, ALLOW,
        MASKED(op, ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME), FUTEX_WAIT, FUTEX_WAKE, FUTEX_REQUEUE, FUTEX_CMP_REQUEUE,
               FUTEX_WAKE_OP, FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET)),
    ROW(futex_time64, ALLOW,
        MASKED(op, ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME), FUTEX_WAIT, FUTEX_WAKE, FUTEX_REQUEUE, FUTEX_CMP_REQUEUE,
               FUTEX_WAKE_OP, FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET)),
    WHY("no priority inheritance: CVE-2014-3153; answered as by a kernel that was built without it"),
    ELSE(futex, DENY(ENOSYS)),
    ELSE(futex_time64, DENY(ENOSYS)),
    ROWS_END,
};
