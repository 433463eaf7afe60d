// rest: what becomes of calls that were not promised, and what is said of them.
//
// These rows stand behind all others, so they hold the end of every call that a promise lets through on conditions. Most calls
// would get the same answer from the policy's fallback; they are here so that a report names the promise that is missing. One list
// (rest.def) is two tables: a broken promise kills, or fails with ENOSYS as OpenBSD's `error` has it. Weakness: where reading
// kills, what libc opens by itself (time zones, processors, modules) is not there; a program that wants its time zone calls tzset
// first.
#include "bpf_dsl/words.h"
#include "policies/pledge/pledge.h"
#include "policies/policies.h"
#include "trap/trap.h"

// clang-format off

static const struct brig_dsl_set rest_opens = CALLS(pledge_rest_opens, "open a path", open, openat, creat);

static const struct brig_dsl_set rest_reads = CALLS(pledge_rest_reads, "open a path with flags", open, openat);

static const struct brig_dsl_set rest_look =
    CALLS(pledge_rest_look, "ask about paths, walk directories",
          stat, lstat, stat64, lstat64, newfstatat, fstatat64, statx, access, faccessat, faccessat2, readlink, readlinkat, getcwd,
          chdir, getdents, getdents64, statfs, statfs64, getxattr, lgetxattr, fgetxattr, listxattr, llistxattr, flistxattr,
          inotify_init, inotify_init1, inotify_add_watch, inotify_rm_watch);

static const struct brig_dsl_set rest_write = CALLS(pledge_rest_write, "write by path", truncate, truncate64);

static const struct brig_dsl_set rest_create =
    CALLS(pledge_rest_create, "change names",
          mkdir, mkdirat, rmdir, unlink, unlinkat, rename, renameat, renameat2, link, linkat, symlink, symlinkat);

static const struct brig_dsl_set rest_nodes = CALLS(pledge_rest_nodes, "make a node", mknod, mknodat);

static const struct brig_dsl_set rest_attributes =
    CALLS(pledge_rest_attributes, "change what a file's inode says",
          chmod, fchmod, fchmodat, fchmodat2, utime, utimes, utimensat, utimensat_time64, futimesat, setxattr, lsetxattr, fsetxattr,
          removexattr, lremovexattr, fremovexattr);

static const struct brig_dsl_set rest_owners =
    CALLS(pledge_rest_owners, "change whose a file is", chown, fchown, lchown, fchownat, chown32, fchown32, lchown32);

static const struct brig_dsl_set rest_fcntl = CALLS(pledge_rest_fcntl, "what else fcntl can do", fcntl, fcntl64);

static const struct brig_dsl_set rest_sockets =
    CALLS(pledge_rest_sockets, "make and connect sockets",
          socket, connect, bind, listen, accept, accept4, socketpair, getsockname, getpeername);

static const struct brig_dsl_set rest_options = CALLS(pledge_rest_options, "options of sockets", setsockopt, getsockopt);

static const struct brig_dsl_set rest_bytes =
    CALLS(pledge_rest_bytes, "bytes over sockets", send, sendto, recv, recvfrom, shutdown);

static const struct brig_dsl_set rest_receive =
    CALLS(pledge_rest_receive, "receive messages", recvmsg, recvmmsg, recvmmsg_time64);

static const struct brig_dsl_set rest_send = CALLS(pledge_rest_send, "send messages", sendmsg, sendmmsg);

static const struct brig_dsl_set rest_processes =
    CALLS(pledge_rest_processes, "start processes", clone, fork, vfork, setsid, setpgid);

static const struct brig_dsl_set rest_signals =
    CALLS(pledge_rest_signals, "signal processes",
          kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_open, pidfd_send_signal);

static const struct brig_dsl_set rest_scheduling =
    CALLS(pledge_rest_scheduling, "schedule processes",
          getpriority, setpriority, nice, ioprio_get, ioprio_set, sched_setscheduler, sched_setparam, sched_setattr, sched_setaffinity,
          sched_getaffinity, sched_getattr, sched_rr_get_interval, sched_rr_get_interval_time64);

static const struct brig_dsl_set rest_programs =
    CALLS(pledge_rest_programs, "become another program", execve, execveat);

static const struct brig_dsl_set rest_code =
    CALLS(pledge_rest_code, "map memory", mmap, mmap2, mprotect, mremap, cacheflush, riscv_flush_icache);

static const struct brig_dsl_set rest_identity =
    CALLS(pledge_rest_identity, "change what this process is and may use",
          setuid, setgid, setreuid, setregid, setresuid, setresgid, setfsuid, setfsgid, setgroups, setuid32, setgid32, setreuid32,
          setregid32, setresuid32, setresgid32, setfsuid32, setfsgid32, setgroups32, capset, setrlimit, prlimit64);

static const struct brig_dsl_set rest_clocks =
    CALLS(pledge_rest_clocks, "set clocks",
          settimeofday, stime, clock_settime, clock_settime64, adjtimex, clock_adjtime, clock_adjtime64);

static const struct brig_dsl_set rest_landlock =
    CALLS(pledge_rest_landlock, "Landlock", landlock_create_ruleset, landlock_add_rule, landlock_restrict_self);

static const struct brig_dsl_set rest_memory_facts = CALLS(pledge_rest_memory_facts, "ask about memory", get_mempolicy, cachestat);

static const struct brig_dsl_set rest_stdio =
    CALLS(pledge_rest_stdio, "use descriptors, wait, be one of several threads",
          dup, dup2, dup3, close_range, fallocate, pipe, pipe2, fsync, fdatasync, ftruncate, ftruncate64, umask, epoll_create,
          epoll_create1, epoll_ctl, epoll_wait, epoll_pwait, eventfd, eventfd2, signalfd, signalfd4, timerfd_create, timer_create,
          alarm, getitimer, setitimer, wait4, waitid, waitpid, clock_gettime, clock_gettime64, clock_nanosleep,
          clock_nanosleep_time64, madvise, futex, futex_time64, rt_sigaction, sigaction, arch_prctl,
          set_thread_area, set_tls);

// clang-format on

// NOT_PROMISED becomes an action of words.h for one table after the other.
const struct brig_dsl_row policy_pledge_rest_kills[] = {
    WHY("not promised: opening a path to read takes rpath; what libc looks for by itself is not there, everything else kills"),
    ROW(SET(rest_reads), EMULATE(open_libc_probe), MASKED(flags, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)),
#define BRIG_DSL_ACTION_NOT_PROMISED BRIG_DSL_ACTION_CRASH
#include "policies/pledge/rest.def"
#undef BRIG_DSL_ACTION_NOT_PROMISED
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_rest_fails[] = {
#define BRIG_DSL_ACTION_NOT_PROMISED BRIG_DSL_ACTION_DENY(ENOSYS)
#include "policies/pledge/rest.def"
#undef BRIG_DSL_ACTION_NOT_PROMISED
    ROWS_END,
};
