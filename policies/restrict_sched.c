// restrict_sched: scheduling of the own thread only.
//
// libc names the own thread by its number where 0 would do (pthread_getaffinity_np, pthread_getschedparam), and a filter cannot know thread
// numbers: the handler compares. What *sets* scheduling is called by pthread_create with all signals blocked, so it must not trap: 0 is
// let through, a number is refused as it is for a process without the right to.
#include "bpf_dsl/words.h"
#include "policies/policies.h"
#include "trap/trap.h"

const struct brig_dsl_row brig_policy_restrict_sched[] = {
    WHY("glibc's malloc counts processors to size its arenas; thread pools do the same"),
    ROW(sched_getaffinity, ALLOW, IN(pid, 0)),
    ROW(sched_getparam, ALLOW, IN(pid, 0)),
    ROW(sched_getscheduler, ALLOW, IN(pid, 0)),
    WHY("the same for the own thread by number (pthread_getaffinity_np, pthread_getschedparam); of other processes nothing is told"),
    ELSE(sched_getaffinity, EMULATE(sched_own_thread)),
    ELSE(sched_getparam, EMULATE(sched_own_thread)),
    ELSE(sched_getscheduler, EMULATE(sched_own_thread)),
    WHY("a thread of a pool lowers its own priority or pins itself; others it cannot name"),
    ROW(sched_setaffinity, ALLOW, IN(pid, 0)),
    ELSE(sched_setaffinity, DENY(EPERM)),
    ROW(sched_setscheduler, ALLOW, IN(pid, 0)),
    ELSE(sched_setscheduler, DENY(EPERM)),
    ROW(sched_setparam, ALLOW, IN(pid, 0)),
    ELSE(sched_setparam, DENY(EPERM)),
    ROWS_END,
};
