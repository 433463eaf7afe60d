// restrict_clock_ids: the clocks of the machine and one's own, not those of other processes and devices.
//
// A negative clock id names a process, a thread or a descriptor (kernel/time/posix-cpu-timers.c, posix-clock.c), so a clock id can
// be used to look at other processes. Needed as real calls when the vDSO cannot answer.
#include "bpf_dsl/words.h"
#include "policies/policies.h"

static const struct brig_dsl_values own_clocks =
    VALUES(own_clocks, "clocks that say nothing about others", CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID,
           CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME);

const struct brig_dsl_row brig_policy_restrict_clock_ids[] = {
    WHY("machine-wide clocks and this thread's own; other ids name other processes or devices and do not exist here"),
    ROW(clock_gettime, ALLOW, IN_SET(clockid, own_clocks)),
    ELSE(clock_gettime, DENY(EINVAL)),
    ROW(clock_gettime64, ALLOW, IN_SET(clockid, own_clocks)),
    ELSE(clock_gettime64, DENY(EINVAL)),
    ROW(clock_getres, ALLOW, IN_SET(clockid, own_clocks)),
    ELSE(clock_getres, DENY(EINVAL)),
    ROW(clock_getres_time64, ALLOW, IN_SET(clockid, own_clocks)),
    ELSE(clock_getres_time64, DENY(EINVAL)),
    ROW(clock_nanosleep, ALLOW, IN_SET(clockid, own_clocks)),
    ELSE(clock_nanosleep, DENY(EINVAL)),
    ROW(clock_nanosleep_time64, ALLOW, IN_SET(clockid, own_clocks)),
    ELSE(clock_nanosleep_time64, DENY(EINVAL)),
    ROWS_END,
};
