// restrict_clone: new threads, never new processes.
//
// The flags are exactly what pthread_create passes, so CLONE_NEWUSER and its like need no row of their own. clone3 hides its flags
// behind a pointer and is answered ENOSYS (set newer_twins): libc then uses clone. Nothing here may trap: libc clones with all
// signals blocked, where a trap kills without a report.
#include "bpf_dsl/words.h"
#include "policies/policies.h"

const struct brig_dsl_row brig_policy_restrict_clone[] = {
    WHY("pthread_create: the flags of glibc, and those of musl, which adds CLONE_DETACHED"),
    ROW(clone, ALLOW,
        IN(flags,
           CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
               CLONE_CHILD_CLEARTID,
           CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
               CLONE_CHILD_CLEARTID | CLONE_DETACHED)),
    WHY("no child processes: fork, system and posix_spawn fail as at a process limit; libc blocks signals around them, so no trap"),
    ELSE(clone, DENY(EPERM)),
    ELSE(fork, DENY(EPERM)),
    ELSE(vfork, DENY(EPERM)),
    WHY("musl's posix_spawn makes a pipe first, with signals blocked; and pipe buffers are what heap exploits are built from"),
    ELSE(pipe, DENY(EPERM)),
    ELSE(pipe2, DENY(EPERM)),
    ROWS_END,
};
