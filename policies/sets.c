// sets: named lists of calls, each with what it is for and who needs it.
//
// A set is a list of names, not a decision: `fd_io` is allowed in one policy and could be refused in another. A call that an arch
// does not have is skipped there, so a set holds every spelling of one thing: the 32-bit twins (fstat64, clock_gettime64) and what
// older arches call it (_newselect, recv). A call that belongs together with another but is missing here is a bug that shows after
// a libc upgrade; the groups at the end of this file are the calls that policies refuse with a reason of their own, so that a
// report names that reason and not "fallback".
#include "bpf_dsl/words.h"
#include "policies/policies.h"

// Names stand on lines of their own, apart from the reason.
// clang-format off

// --- what workers need ------------------------------------------------------------------------------------------------

const struct brig_dsl_set brig_policy_fd_io =
    CALLS(fd_io, "read, write, position and close a descriptor: what it was opened for decides what that means",
          read, write, readv, writev, pread64, pwrite64, preadv, pwritev, preadv2, pwritev2, lseek, _llseek, close);

const struct brig_dsl_set brig_policy_fd_wait =
    CALLS(fd_wait, "wait until a descriptor is ready: event loops, and send or receive with a timeout",
          poll, ppoll, ppoll_time64, select, _newselect, pselect6, pselect6_time64);

const struct brig_dsl_set brig_policy_fd_stat =
    CALLS(fd_stat, "what an open descriptor is: stdio asks for the block size, decoders for the length",
          fstat, fstat64, fstatfs, fstatfs64);

const struct brig_dsl_set brig_policy_fd_storage =
    CALLS(fd_storage, "how long a file is, that it is on the disk, and how it will be read: databases",
          ftruncate, ftruncate64, fsync, fdatasync, fadvise64, fadvise64_64, readahead);

const struct brig_dsl_set brig_policy_path_calls =
    CALLS(path_calls, "name files: each call that a broker answers, as trap/broker_calls.def has them, but for connect",
          open, openat, openat2, creat, access, faccessat, faccessat2, stat, lstat, stat64, lstat64, newfstatat, fstatat64, statx,
          readlink, readlinkat, rename, renameat, renameat2, mkdir, mkdirat, rmdir, unlink, unlinkat, link, linkat, symlink,
          symlinkat, chmod, fchmodat, fchmodat2, utime, utimes, futimesat, utimensat, utimensat_time64, truncate, truncate64,
          statfs, statfs64, inotify_add_watch);

const struct brig_dsl_set brig_policy_memory =
    CALLS(memory, "give memory back, grow the heap: malloc of every libc (restrict_mmap has the rest)",
          munmap, brk);

const struct brig_dsl_set brig_policy_threads =
    CALLS(threads, "be a thread: libc sets these up in each new thread with all signals blocked, where a trap would kill",
          set_robust_list, set_tid_address, rseq, sched_yield, exit);

const struct brig_dsl_set brig_policy_signals =
    CALLS(signals, "block, unblock and wait for one's own signals; libc does it around every pthread_create and abort",
          rt_sigprocmask, sigprocmask, rt_sigpending, sigpending, rt_sigsuspend, rt_sigtimedwait, rt_sigtimedwait_time64,
          sigaltstack, pause);

const struct brig_dsl_set brig_policy_panic =
    CALLS(panic, "say why and die: assert, abort, malloc's own checks and C++ terminate write one message to stderr (and kill "
          "themselves, for which see restrict_kill)",
          write, writev, rt_sigprocmask, getpid, exit);

const struct brig_dsl_set brig_policy_time =
    CALLS(time, "the time: the vDSO answers without a call until the clock source changes, then these are real calls",
          gettimeofday, time, times, nanosleep, getcpu);

const struct brig_dsl_set brig_policy_getters =
    CALLS(getters, "facts about oneself that open nothing: glibc and C++ ask for identity and system name in many places",
          getpid, getppid, getuid, geteuid, getgid, getegid, getuid32, geteuid32, getgid32, getegid32, getresuid, getresgid,
          getresuid32, getresgid32, uname, sysinfo, getrusage, getrandom, getrlimit, ugetrlimit, sched_get_priority_max,
          sched_get_priority_min);

// --- what libc tries first --------------------------------------------------------------------------------------------

const struct brig_dsl_set brig_policy_newer_twins =
    CALLS(newer_twins, "newer spellings of older calls: libc tries them first and, told that they do not exist, uses the "
          "older one",
          clone3, statx, openat2, faccessat2, fchmodat2, close_range, epoll_pwait2, futex_waitv, futex_wait, futex_wake,
          futex_requeue, process_madvise, mseal, map_shadow_stack, pidfd_open, socketcall);

// --- what workers are refused, by reason ------------------------------------------------------------------------------

const struct brig_dsl_set brig_policy_path_questions =
    CALLS(path_questions, "ask about a path: libraries probe for configuration and translations and go on without",
          stat, lstat, stat64, lstat64, access, faccessat, readlink, readlinkat, getcwd, statfs, statfs64);

const struct brig_dsl_set brig_policy_path_changes =
    CALLS(path_changes, "change the file system by path: no decoder does",
          creat, mkdir, mkdirat, rmdir, unlink, unlinkat, rename, renameat, renameat2, link, linkat, symlink, symlinkat,
          mknod, mknodat, chmod, fchmod, fchmodat, chown, fchown, lchown, fchownat, chown32, fchown32, lchown32, truncate,
          truncate64, utime, utimes, utimensat, utimensat_time64, futimesat, setxattr, lsetxattr, fsetxattr, setxattrat,
          removexattr, lremovexattr, fremovexattr, removexattrat, chdir, fchdir, umask, inotify_init, inotify_init1,
          inotify_add_watch, fanotify_init, fanotify_mark);

const struct brig_dsl_set brig_policy_new_programs =
    CALLS(new_programs, "run another program: the first wish of shellcode, and a handler does not survive it",
          execve, execveat, uselib);

const struct brig_dsl_set brig_policy_other_processes =
    CALLS(other_processes, "reach into another process: memory, descriptors, signals, comparison of kernel objects "
          "(CVE-2019-13272)",
          ptrace, process_vm_readv, process_vm_writev, process_mrelease, kcmp, pidfd_getfd, pidfd_send_signal,
          rt_sigqueueinfo, rt_tgsigqueueinfo, get_robust_list, setpgid, setsid, setpriority, ioprio_set, wait4, waitid,
          waitpid);

const struct brig_dsl_set brig_policy_async_io =
    CALLS(async_io, "do calls in another context, past every filter; of the kernel exploits sent to Google's bounty in 2022, "
          "60 % used io_uring",
          io_uring_setup, io_uring_enter, io_uring_register, io_setup, io_destroy, io_submit, io_cancel, io_getevents,
          io_pgetevents, io_pgetevents_time64);

const struct brig_dsl_set brig_policy_kernel_programs =
    CALLS(kernel_programs, "load code into the kernel or steer its faults and counters (CVE-2021-3490, CVE-2013-2094; "
          "userfaultfd makes races easy to win)",
          bpf, perf_event_open, userfaultfd, seccomp);

const struct brig_dsl_set brig_policy_keyrings =
    CALLS(keyrings, "kernel keys are not per container and their code is old (CVE-2016-0728)",
          add_key, request_key, keyctl);

const struct brig_dsl_set brig_policy_namespaces =
    CALLS(namespaces, "new namespaces and mounts open kernel code that is written for root (CVE-2022-0185)",
          unshare, setns, chroot, pivot_root, mount, umount, umount2, mount_setattr, move_mount, fsopen, fsconfig, fsmount,
          fspick, open_tree, open_tree_attr, name_to_handle_at, open_by_handle_at);

const struct brig_dsl_set brig_policy_administration =
    CALLS(administration, "run the machine: for root, and a worker that is root is still refused",
          acct, swapon, swapoff, reboot, kexec_load, kexec_file_load, init_module, finit_module, delete_module, quotactl,
          quotactl_fd, syslog, iopl, ioperm, vm86, vm86old, modify_ldt, sethostname, setdomainname, settimeofday,
          clock_settime, clock_settime64, clock_adjtime, clock_adjtime64, adjtimex, stime, vhangup, lookup_dcookie, nfsservctl);

const struct brig_dsl_set brig_policy_identity =
    CALLS(identity, "become someone else, or someone with more rights",
          setuid, setgid, setreuid, setregid, setresuid, setresgid, setfsuid, setfsgid, setgroups, setuid32, setgid32,
          setreuid32, setregid32, setresuid32, setresgid32, setfsuid32, setfsgid32, setgroups32, capset, personality,
          setrlimit);

const struct brig_dsl_set brig_policy_shared_ipc =
    CALLS(shared_ipc, "System V and POSIX IPC: names that all processes of the machine share",
          ipc, shmget, shmat, shmctl, shmdt, semget, semop, semctl, semtimedop, semtimedop_time64, msgget, msgsnd, msgrcv,
          msgctl, mq_open, mq_unlink, mq_timedsend, mq_timedsend_time64, mq_timedreceive, mq_timedreceive_time64, mq_notify,
          mq_getsetattr);

const struct brig_dsl_set brig_policy_page_tricks =
    CALLS(page_tricks, "move pages between pipes, files and processes: Dirty Pipe (CVE-2022-0847) and its family",
          splice, tee, vmsplice, sendfile, sendfile64, copy_file_range, remap_file_pages, memfd_secret, pkey_mprotect);

const struct brig_dsl_set brig_policy_numa =
    CALLS(numa, "memory policies: a source of kernel bugs (CVE-2010-0415, CVE-2023-4611) and no decoder's business",
          mbind, set_mempolicy, get_mempolicy, set_mempolicy_home_node, migrate_pages, move_pages);

// clang-format on

const struct brig_dsl_set *const brig_policy_all_sets[] = {
    &brig_policy_fd_io,          &brig_policy_fd_wait,
    &brig_policy_fd_stat,        &brig_policy_memory,
    &brig_policy_threads,        &brig_policy_signals,
    &brig_policy_panic,          &brig_policy_time,
    &brig_policy_getters,        &brig_policy_newer_twins,
    &brig_policy_path_questions, &brig_policy_path_changes,
    &brig_policy_new_programs,   &brig_policy_other_processes,
    &brig_policy_async_io,       &brig_policy_kernel_programs,
    &brig_policy_keyrings,       &brig_policy_namespaces,
    &brig_policy_administration, &brig_policy_identity,
    &brig_policy_shared_ipc,     &brig_policy_page_tricks,
    &brig_policy_numa,           &brig_policy_fd_storage,
    &brig_policy_path_calls,     NULL,
};
