// restrict_sched: scheduling of the own thread only.
//
// libc names the own thread by its number where 0 would do (pthread_getaffinity_np), and a filter cannot know thread numbers: the
// handler compares. Calls that libc makes with all signals blocked cannot be emulated, a trap would kill: pthread_create sets
// scheduling so, and musl's pthread_getschedparam asks so. What sets is refused for numbers, as to a process without the right to;
// what only asks is let through.
#include "bpf_dsl/words.h"
#include "policies/policies.h"
#include "trap/trap.h"

const struct brig_dsl_row brig_policy_restrict_sched[] = {
    WHY("glibc's malloc counts processors to size its arenas; thread pools do the same"),
    ROW(sched_getaffinity, ALLOW, IN(pid, 0)),
    WHY("the same for the own thread by its number (pthread_getaffinity_np); of other processes nothing is told"),
    ELSE(sched_getaffinity, EMULATE(sched_own_thread)),
    WHY("thread libraries ask for their own class and time slice, by number"),
    ROW(sched_getattr, ALLOW, IN(pid, 0)),
    ELSE(sched_getattr, EMULATE(sched_own_thread)),
    ROW(sched_rr_get_interval, ALLOW, IN(pid, 0)),
    ELSE(sched_rr_get_interval, EMULATE(sched_own_thread)),
    ROW(sched_rr_get_interval_time64, ALLOW, IN(pid, 0)),
    ELSE(sched_rr_get_interval_time64, EMULATE(sched_own_thread)),
    WHY("pthread_getschedparam, which on musl blocks signals first; tells no more of another process than its scheduling class"),
    ROW(sched_getparam, ALLOW),
    ROW(sched_getscheduler, ALLOW),
    WHY("a thread of a pool lowers its own priority or pins itself; others it cannot name"),
    ROW(sched_setaffinity, ALLOW, IN(pid, 0)),
    ELSE(sched_setaffinity, DENY(EPERM)),
    ROW(sched_setscheduler, ALLOW, IN(pid, 0)),
    ELSE(sched_setscheduler, DENY(EPERM)),
    ROW(sched_setparam, ALLOW, IN(pid, 0)),
    ELSE(sched_setparam, DENY(EPERM)),
    ROWS_END,
};
