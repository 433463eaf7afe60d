// restrict_fcntl: a descriptor's flags, copies and seals; no owners, leases, locks or notifications.
//
// F_SETOWN and F_SETSIG make the kernel send signals to processes of one's choice, leases and F_NOTIFY reach other processes
// through files, and O_DIRECT, settable by F_SETFL, takes the rarely walked path through every file system.
#include "bpf_dsl/words.h"
#include "policies/policies.h"

const struct brig_dsl_row brig_policy_restrict_fcntl[] = {
    WHY("stdio and event loops look at a descriptor and mark it close-on-exec; receivers of a memfd ask for its seals"),
    ROW(fcntl, ALLOW, IN(cmd, F_GETFD, F_SETFD, F_GETFL, F_DUPFD, F_DUPFD_CLOEXEC, F_GET_SEALS)),
    ROW(fcntl64, ALLOW, IN(cmd, F_GETFD, F_SETFD, F_GETFL, F_DUPFD, F_DUPFD_CLOEXEC, F_GET_SEALS)),
    WHY("set non-blocking and append; not O_DIRECT, O_ASYNC or O_NOATIME"),
    ROW(fcntl, ALLOW, IN(cmd, F_SETFL), LOW32_ONLY_BITS(arg, O_ACCMODE | O_APPEND | O_NONBLOCK | O_LARGEFILE)),
    ROW(fcntl64, ALLOW, IN(cmd, F_SETFL), LOW32_ONLY_BITS(arg, O_ACCMODE | O_APPEND | O_NONBLOCK | O_LARGEFILE)),
    WHY("everything else: F_SETOWN and F_SETSIG send signals to others, leases and locks block others"),
    ELSE(fcntl, CRASH),
    ELSE(fcntl64, CRASH),
    ROWS_END,
};
