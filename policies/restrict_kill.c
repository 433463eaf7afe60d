// restrict_kill: signals to this process only.
//
// tkill names a thread of any process, and which thread numbers are one's own cannot be said in a filter. The main thread's is the
// process id, so raise and abort work there. Weakness: on musl, whose raise, abort and pthread_kill use tkill with all signals
// blocked (where a trap would kill), a signal to another thread is refused with EPERM; abort in such a thread ends in musl's
// fallback, SIGSEGV.
#include "bpf_dsl/words.h"
#include "policies/policies.h"

const struct brig_dsl_row brig_policy_restrict_kill[] = {
    WHY("raise and abort: glibc sends itself SIGABRT by tgkill, other programs by kill"),
    ROW(kill, ALLOW, IN(pid, SELF_PID), RANGE(sig, 0, 64)),
    ROW(tgkill, ALLOW, IN(tgid, SELF_PID), RANGE(sig, 0, 64)),
    WHY("musl's raise and abort, in the main thread"),
    ROW(tkill, ALLOW, IN(tid, SELF_PID), RANGE(sig, 0, 64)),
    WHY("other threads cannot be told from other processes here; musl asks with signals blocked, where a trap would kill"),
    ELSE(tkill, DENY(EPERM)),
    WHY("no signals to other processes: stopping or killing the supervisor is the way out of its sight"),
    ELSE(kill, CRASH),
    ELSE(tgkill, CRASH),
    ROWS_END,
};
