// restrict_ioctl: how much can be read, and "no, this is not a terminal".
//
// ioctl is thousands of calls in one number. stdio asks every new stream whether it is a terminal (glibc TCGETS and, since 2.42,
// TCGETS2; musl TIOCGWINSZ); a worker has none, so the answer is given here and no terminal code of the kernel is reached.
#include "bpf_dsl/words.h"
#include "policies/policies.h"

static const struct brig_dsl_values terminal_questions =
    VALUES(terminal_questions, "asked by isatty and by stdio for each stream", TCGETS, TCGETS2, TIOCGWINSZ);

const struct brig_dsl_row brig_policy_restrict_ioctl[] = {
    WHY("stdio asks whether a stream is a terminal, before its first write: it is not"),
    ROW(ioctl, DENY(ENOTTY), IN_SET(cmd, terminal_questions)),
    WHY("how many bytes can be read"),
    ROW(ioctl, ALLOW, IN(cmd, FIONREAD)),
    WHY("everything else is a device's or a terminal's: TIOCSTI types into the caller's terminal (CVE-2017-5226)"),
    ELSE(ioctl, CRASH),
    ROWS_END,
};
