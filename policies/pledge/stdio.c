// stdio: what a program needs that computes and uses the descriptors it has: memory, threads, signals to itself, time, events.
//
// As in OpenBSD, descriptors are trusted: what they were opened for decides what can be done to them. Narrower than there where a
// filter of Linux cannot see enough: messages, which may carry descriptors, need recvfd or sendfd, because a filter cannot look
// into them. Weakness: a signal to the own process group (kill of 0) kills, though OpenBSD has it in stdio: others may be in it.
#include "bpf_dsl/words.h"
#include "policies/pledge/pledge.h"
#include "policies/policies.h"
#include "trap/trap.h"

// Names stand on lines of their own, apart from the reason.
// clang-format off

static const struct brig_dsl_set descriptors =
    CALLS(pledge_descriptors, "copies of descriptors, and what was written gets to the disk",
          dup, dup2, dup3, fsync, fdatasync, syncfs, sync_file_range, arm_sync_file_range, ftruncate, ftruncate64, fadvise64,
          fadvise64_64, arm_fadvise64_64, readahead, sendfile, sendfile64, copy_file_range, fchdir, umask);

static const struct brig_dsl_set events =
    CALLS(pledge_events, "wait for descriptors and alarms: what kqueue and setitimer are there",
          epoll_create, epoll_create1, epoll_ctl, epoll_wait, epoll_pwait, epoll_pwait2, eventfd, eventfd2, signalfd, signalfd4,
          timerfd_gettime, timerfd_gettime64, timerfd_settime, timerfd_settime64, timer_delete, timer_getoverrun, timer_gettime,
          timer_gettime64, timer_settime, timer_settime64, alarm, getitimer, setitimer);

static const struct brig_dsl_set own_memory =
    CALLS(pledge_own_memory, "keep secrets out of the swap, flush mapped files, ask what is resident",
          msync, mincore, mlock, mlock2, munlock);

static const struct brig_dsl_set own_family =
    CALLS(pledge_own_family, "groups, sessions and rights of processes, by number; and how a child ended",
          getgroups, getgroups32, getpgid, getpgrp, getsid, wait4, waitid, waitpid, capget, riscv_hwprobe);

static const struct brig_dsl_set page_moves =
    CALLS(pledge_page_moves, "move pages between pipes and files (CVE-2022-0847, Dirty Pipe)",
          splice, tee, vmsplice);

static const struct brig_dsl_set newest =
    CALLS(pledge_newest, "calls that libc and libraries try and do without where the kernel does not have them",
          file_getattr, file_setattr, getxattrat, setxattrat, listxattrat, removexattrat, statmount, listmount, open_tree_attr,
          cachestat, lsm_get_self_attr, lsm_set_self_attr, lsm_list_modules);

// clang-format on

const struct brig_dsl_row policy_pledge_always[] = {
    WHY("end this thread; the process may end in any policy"),
    ROW(exit, ALLOW),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_stdio[] = {
    WHY("reads, writes and closes the descriptors that it has"),
    ROW(SET(brig_policy_fd_io), ALLOW),
    ROW(SET(descriptors), ALLOW),
    ROW(SET(brig_policy_fd_stat), ALLOW),
    WHY("closes many at once; CLOSE_RANGE_UNSHARE would part threads"),
    ROW(close_range, ALLOW, ONLY_BITS(flags, CLOSE_RANGE_CLOEXEC)),
    WHY("gets room in a file, as writing would get it"),
    ROW(fallocate, ALLOW, IN(mode, 0, FALLOC_FL_KEEP_SIZE)),
    WHY("pipes; O_EXCL would make one for the kernel's notifications (CVE-2022-0995)"),
    ROW(pipe, ALLOW),
    ROW(pipe2, ALLOW, ONLY_BITS(flags, O_CLOEXEC | O_NONBLOCK | O_DIRECT)),
    WHY("a descriptor's flags, copies and seals; owners need proc, locks need flock"),
    ROW(fcntl, ALLOW, IN(cmd, F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_GET_SEALS, F_GETPIPE_SZ)),
    ROW(fcntl64, ALLOW, IN(cmd, F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_GET_SEALS, F_GETPIPE_SZ)),
    WHY("gives back what F_GETFL said with another bit; neither O_DIRECT nor FASYNC (0x2000), which is for signals"),
    ROW(fcntl, ALLOW, IN(cmd, F_SETFL), LOW32_NO_BITS(arg, O_DIRECT | 0x2000)),
    ROW(fcntl64, ALLOW, IN(cmd, F_SETFL), LOW32_NO_BITS(arg, O_DIRECT | 0x2000)),
    WHY("how much can be read, non-blocking, close-on-exec: for descriptors of any kind"),
    ROW(ioctl, ALLOW, IN(cmd, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX)),
    WHY("waits for descriptors, alarms and events"),
    ROW(SET(brig_policy_fd_wait), ALLOW),
    ROW(SET(events), ALLOW),
    WHY("timers on the clocks of the machine: they signal this process alone; a CPU clock would look at others"),
    ROW(timerfd_create, ALLOW, IN(clockid, CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME)),
    ROW(timer_create, ALLOW, IN(clockid, CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME)),

    WHY("malloc, thread stacks and files to read and write in place; memory that runs needs prot_exec"),
    ROW(SET(brig_policy_memory), ALLOW),
    ROW(SET(own_memory), ALLOW),
    ROW(mmap, ALLOW, ONLY_BITS(prot, PROT_READ | PROT_WRITE),
        ONLY_BITS(flags, MAP_SHARED_VALIDATE | MAP_ANONYMOUS | MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_NORESERVE | MAP_POPULATE |
                             MAP_NONBLOCK | MAP_STACK | MAP_DENYWRITE | MAP_LOCKED)),
    ROW(mmap2, ALLOW, ONLY_BITS(prot, PROT_READ | PROT_WRITE),
        ONLY_BITS(flags, MAP_SHARED_VALIDATE | MAP_ANONYMOUS | MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_NORESERVE | MAP_POPULATE |
                             MAP_NONBLOCK | MAP_STACK | MAP_DENYWRITE | MAP_LOCKED)),
    ROW(mprotect, ALLOW, ONLY_BITS(prot, PROT_READ | PROT_WRITE)),
    ROW(mremap, ALLOW, ONLY_BITS(flags, MREMAP_MAYMOVE)),

    WHY("threads: the flags of glibc's pthread_create, and those of musl, which adds CLONE_DETACHED; processes need proc"),
    ROW(SET(brig_policy_threads), ALLOW),
    ROW(clone, ALLOW,
        IN(flags,
           CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
               CLONE_CHILD_CLEARTID,
           CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
               CLONE_CHILD_CLEARTID | CLONE_DETACHED)),
    WHY("where a thread's data are: what a program that another one became says before main"),
    ROW(arch_prctl, ALLOW, IN(option, ARCH_SET_FS, ARCH_GET_FS)),
    ROW(set_thread_area, ALLOW),
    ROW(set_tls, ALLOW),
    WHY("its own signals; those of others need proc"),
    ROW(SET(brig_policy_signals), ALLOW),
    ROW(kill, ALLOW, IN(pid, SELF_PID), RANGE(sig, 0, 64)),
    ROW(tgkill, ALLOW, IN(tgid, SELF_PID), RANGE(sig, 0, 64)),
    ROW(tkill, ALLOW, IN(tid, SELF_PID), RANGE(sig, 0, 64)),
    ROW(rt_sigqueueinfo, ALLOW, IN(tgid, SELF_PID)),
    ROW(rt_tgsigqueueinfo, ALLOW, IN(tgid, SELF_PID)),

    WHY("the time, when the vDSO cannot answer, and facts about oneself"),
    ROW(SET(brig_policy_time), ALLOW),
    ROW(SET(brig_policy_getters), ALLOW),
    ROW(SET(own_family), ALLOW),
    WHY("names for threads and mappings; what this process may do, and promises to do no more"),
    ROW(prctl, ALLOW,
        IN(option, PR_SET_NAME, PR_GET_NAME, PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, PR_GET_SECCOMP, PR_GET_DUMPABLE,
           PR_CAPBSET_READ, PR_GET_SECUREBITS, PR_GET_KEEPCAPS, PR_GET_PDEATHSIG, PR_GET_TIMERSLACK)),
    ROW(prctl, ALLOW, IN(option, PR_SET_VMA), LOW32_IN(arg2, PR_SET_VMA_ANON_NAME)),
    ROW(prctl, ALLOW, IN(option, PR_SET_DUMPABLE), LOW32_IN(arg2, 0)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_stdio_answers[] = {
    USE(brig_policy_restrict_madvise),
    USE(brig_policy_restrict_membarrier),
    USE(brig_policy_restrict_futex),
    USE(brig_policy_restrict_sched),
    USE(brig_policy_restrict_sigaction),
    USE(brig_policy_restrict_clock_ids),
    USE(brig_policy_restrict_limits),
    WHY("libc asks what the processor offers against hijacked returns, and goes on without"),
    ELSE(arch_prctl, DENY(EINVAL)),
    WHY("other threads cannot be told from other processes here; musl asks with signals blocked, where a trap would kill"),
    ELSE(tkill, DENY(EPERM)),
    WHY("glibc's fstat is newfstatat with an empty path; a filter cannot see the path, so the handler looks, and refuses others"),
    ROW(newfstatat, EMULATE(fstatat_empty_path)),
    ROW(fstatat64, EMULATE(fstatat_empty_path)),
    WHY("stdio and shells ask whether a stream is a terminal: to say so is part of tty, and without it none is"),
    ROW(ioctl, DENY(ENOTTY), IN(cmd, TCGETS, TCGETS2, TIOCGWINSZ, TIOCGPGRP, TIOCGSID)),
    WHY("cp asks the file system to share blocks, and copies when it cannot"),
    ROW(ioctl, DENY(EOPNOTSUPP), IN(cmd, FICLONE, FICLONERANGE)),
    WHY("libnuma asks when it is loaded, and takes a kernel that does not have it for a machine with one node"),
    ROW(get_mempolicy, DENY(ENOSYS)),
    ROW(set_mempolicy, DENY(ENOSYS)),
    WHY("cat and cp try to move pages, and copy when they cannot; moved pages let others write into files (CVE-2022-0847)"),
    ROW(SET(page_moves), DENY(ENOSYS)),
    WHY("newer spellings of older calls: whoever tries them has the older one to fall back to"),
    ROW(SET(brig_policy_newer_twins), DENY(ENOSYS)),
    ROW(SET(newest), DENY(ENOSYS)),
    ROWS_END,
};
