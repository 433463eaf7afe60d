// processes: other processes, other programs, other rights, and the machine's clocks.
//
// Children inherit the filter, and so do the programs that they become; unlike OpenBSD's, promises are never taken off by execve.
// The handler does not survive it: after execve what was not promised kills without a report, and glibc's fstat needs rpath. A
// program that the loader of a libc starts needs rpath and prot_exec. Weaknesses: which process is meant by a number cannot be
// seen, so proc may signal and schedule every process that the kernel lets this user; which program execve names cannot be seen
// either.
#include "bpf_dsl/words.h"
#include "policies/pledge/pledge.h"
#include "policies/policies.h"

// clang-format off

static const struct brig_dsl_set signals_to_others =
    CALLS(pledge_signals_to_others, "signals to processes, groups and threads",
          kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_open, pidfd_send_signal);

static const struct brig_dsl_set scheduling =
    CALLS(pledge_scheduling, "priorities, classes and processors of threads and processes",
          getpriority, setpriority, nice, ioprio_get, ioprio_set, sched_setscheduler, sched_setparam, sched_setattr, sched_setaffinity,
          sched_getaffinity, sched_getattr, sched_rr_get_interval, sched_rr_get_interval_time64);

static const struct brig_dsl_set scheduling_questions =
    CALLS(pledge_scheduling_questions, "how a process is scheduled",
          getpriority, ioprio_get, sched_getaffinity, sched_getattr, sched_rr_get_interval, sched_rr_get_interval_time64);

static const struct brig_dsl_set identities =
    CALLS(pledge_identities, "become another user or group",
          setuid, setgid, setreuid, setregid, setresuid, setresgid, setfsuid, setfsgid, setgroups, setuid32, setgid32, setreuid32,
          setregid32, setresuid32, setresgid32, setfsuid32, setfsgid32, setgroups32, capset, getpriority, setpriority);

static const struct brig_dsl_set clock_changes =
    CALLS(pledge_clock_changes, "set or slew a clock",
          settimeofday, stime, clock_settime, clock_settime64, adjtimex, clock_adjtime, clock_adjtime64);

static const struct brig_dsl_values terminal_modes =
    VALUES(pledge_terminal_modes, "modes, sizes, groups and queues of terminals; TIOCSTI, which types for others, is not here",
           TCGETS, TCGETS2, TCSETS, TCSETS2, TCSETSW, TCSETSW2, TCSETSF, TCSETSF2, TIOCGWINSZ, TIOCSWINSZ, TIOCGPGRP, TIOCSPGRP,
           TIOCGSID, TCSBRK, TCSBRKP, TIOCSBRK, TIOCCBRK, TCXONC, TCFLSH, TIOCOUTQ);

// clang-format on

const struct brig_dsl_row policy_pledge_terminals[] = {
    WHY("raw mode, size, foreground group; never TIOCSTI or TIOCLINUX, which type into the terminal of the caller (CVE-2017-5226)"),
    ROW(ioctl, ALLOW, IN_SET(cmd, terminal_modes)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_terminal_sessions[] = {
    WHY("gives a session that it starts a terminal of its own: pty and login"),
    ROW(ioctl, ALLOW, IN(cmd, TIOCSCTTY, TIOCNOTTY, TIOCGPTN, TIOCSPTLCK, TIOCGPTPEER)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_processes[] = {
    WHY("fork, vfork and posix_spawn; no namespaces, and no child that is somebody else's"),
    ROW(fork, ALLOW),
    ROW(vfork, ALLOW),
    ROW(clone, ALLOW,
        ONLY_BITS(flags, CSIGNAL | CLONE_VM | CLONE_VFORK | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_IO | CLONE_SETTLS |
                             CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)),
    WHY("sessions and groups of processes, as shells and daemons make them"),
    ROW(setsid, ALLOW),
    ROW(setpgid, ALLOW),
    WHY("signals to other processes"),
    ROW(SET(signals_to_others), ALLOW),
    ROW(fcntl, ALLOW, IN(cmd, F_SETOWN, F_GETOWN)),
    ROW(fcntl64, ALLOW, IN(cmd, F_SETOWN, F_GETOWN)),
    ROW(fcntl, ALLOW, IN(cmd, F_SETFL), LOW32_NO_BITS(arg, O_DIRECT)),
    ROW(fcntl64, ALLOW, IN(cmd, F_SETFL), LOW32_NO_BITS(arg, O_DIRECT)),
    WHY("priorities and processors of children"),
    ROW(SET(scheduling), ALLOW),
    WHY("ends with its parent, or takes over orphans"),
    ROW(prctl, ALLOW, IN(option, PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_own_limits[] = {
    WHY("limits of this process and its children"),
    ROW(setrlimit, ALLOW),
    ROW(prlimit64, ALLOW, IN(pid, 0, SELF_PID)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_programs[] = {
    WHY("becomes another program, under the same filter"),
    ROW(execve, ALLOW),
    ROW(execveat, ALLOW),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_code[] = {
    WHY("libraries are mapped and made code is run: memory that runs and cannot be written at the same time"),
    ROW(mmap, ALLOW, ONLY_BITS(prot, PROT_READ | PROT_EXEC),
        ONLY_BITS(flags, MAP_SHARED_VALIDATE | MAP_ANONYMOUS | MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_NORESERVE | MAP_POPULATE |
                             MAP_NONBLOCK | MAP_STACK | MAP_DENYWRITE | MAP_LOCKED)),
    ROW(mmap2, ALLOW, ONLY_BITS(prot, PROT_READ | PROT_EXEC),
        ONLY_BITS(flags, MAP_SHARED_VALIDATE | MAP_ANONYMOUS | MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_NORESERVE | MAP_POPULATE |
                             MAP_NONBLOCK | MAP_STACK | MAP_DENYWRITE | MAP_LOCKED)),
    ROW(mprotect, ALLOW, ONLY_BITS(prot, PROT_READ | PROT_EXEC)),
    WHY("new code has to reach the processors' instruction caches"),
    ROW(cacheflush, ALLOW),
    ROW(riscv_flush_icache, ALLOW),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_code_answers[] = {
    WHY("memory to write and run at once is an exploit's first wish; answered as by SELinux, which programs know"),
    ROW(mmap, DENY(EACCES), ALL_BITS(prot, PROT_WRITE | PROT_EXEC)),
    ROW(mmap2, DENY(EACCES), ALL_BITS(prot, PROT_WRITE | PROT_EXEC)),
    ROW(mprotect, DENY(EACCES), ALL_BITS(prot, PROT_WRITE | PROT_EXEC)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_identity[] = {
    WHY("gives up root or single rights of it, or becomes someone else where the kernel lets it"),
    ROW(SET(identities), ALLOW),
    ROW(prctl, ALLOW, IN(option, PR_SET_KEEPCAPS, PR_SET_SECUREBITS, PR_CAPBSET_DROP, PR_CAP_AMBIENT)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_other_processes[] = {
    WHY("how other processes are scheduled and limited, and whether they are there; their files under /proc need rpath"),
    ROW(SET(scheduling_questions), ALLOW),
    ROW(prlimit64, ALLOW, IS_NULL(new_limit)),
    ROW(kill, ALLOW, IN(sig, 0)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_memory_facts[] = {
    WHY("on which nodes memory is, and what of a file is in the cache; files under /proc and /sys need rpath"),
    ROW(get_mempolicy, ALLOW),
    ROW(cachestat, ALLOW),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_clocks[] = {
    WHY("sets clocks, as far as the kernel lets this user"),
    ROW(SET(clock_changes), ALLOW),
    ROWS_END,
};
