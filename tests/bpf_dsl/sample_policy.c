#include "tests/bpf_dsl/sample_policy.h"

#include "bpf_dsl/words.h"

static const struct brig_dsl_set own_io = CALLS(own_io, "on what it has", read, write, close, lseek);
static const struct brig_dsl_values terminals = VALUES(terminals, "asked by isatty", TCGETS, TIOCGWINSZ, FIONREAD);

static const struct brig_dsl_row rows[] = {
    WHY("plain I/O"),
    ROW(SET(own_io), ALLOW),
    WHY("flags are asked for, and a few may be set"),
    ROW(fcntl, ALLOW, IN(cmd, F_GETFL, F_GETFD)),
    ROW(fcntl, ALLOW, IN(cmd, F_SETFL), LOW32_ONLY_BITS(arg, O_APPEND | O_NONBLOCK)),
    ELSE(fcntl, DENY(EPERM)),
    WHY("terminals"),
    ROW(ioctl, ALLOW, IN_SET(cmd, terminals)),
    ELSE(ioctl, DENY(ENOTTY)),
    WHY("memory, never executable"),
    ROW(mmap, REPORT(EACCES), ALL_BITS(prot, PROT_EXEC)),
    ROW(mmap, ALLOW, IN(addr, 0), AT_MOST(length, 0x7fffffff)),
    ELSE(mmap, CRASH),
    ROW(mprotect, ALLOW, NO_BITS(prot, PROT_EXEC)),
    ELSE(mprotect, CRASH),
    WHY("itself, and nobody else"),
    ROW(kill, ALLOW, IN(pid, SELF_PID), RANGE(sig, 0, 31)),
    ELSE(kill, DENY(EPERM)),
    WHY("no PI operations"),
    ROW(futex, ALLOW, MASKED(op, 0x7f, FUTEX_WAIT, FUTEX_WAKE)),
    ELSE(futex, DENY(ENOSYS)),
    WHY("without asking what is left"),
    ROW(nanosleep, ALLOW, NOT_NULL(request), IS_NULL(remain)),
    ELSE(nanosleep, DENY(EINVAL)),
    WHY("nicer only"),
    ROW(setpriority, ALLOW, AT_LEAST(prio, 0)),
    ELSE(setpriority, LOG),
    ROWS_END,
};

const struct brig_dsl_policy sample_policy = {
    .name = "sample", .rows = rows, FALLBACK(CRASH), .kernel = BRIG_DSL_KERNEL(6, 1), .libc = "none"};
