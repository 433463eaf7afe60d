// program: an ordinary program that was executed, static or dynamic, that knows nothing of Brig: cat, python3, sqlite3, curl.
//
// It computes, has threads and children, and uses the descriptors that it has; whatever it does by name is asked of a broker, which
// has a list. What no list can say is refused with the errno that programs know from other sandboxes, and only what no such program
// does by chance kills. The rows of what any program needs are those of the promises stdio, tty, flock and prot_exec.
//
// Where a path is relative to the working directory, the broker asks its list about the whole path; so chdir is let through: it
// tells whether a directory is there and may be searched, and gives no more. A TCP socket can only be connected by the broker:
// MSG_FASTOPEN, which connects by sending, is refused, and so are datagrams, which need no connection at all.
#include "bpf_dsl/words.h"
#include "policies/pledge/pledge.h"
#include "policies/policies.h"

// clang-format off

static const struct brig_dsl_set names =
    CALLS(program_names, "what is done to files by their names, and to whom a socket connects: the broker's list decides",
          open, openat, openat2, creat, access, faccessat, faccessat2, stat, lstat, stat64, lstat64, newfstatat, fstatat64, statx,
          readlink, readlinkat, rename, renameat, renameat2, mkdir, mkdirat, rmdir, unlink, unlinkat, link, linkat, symlink,
          symlinkat, chmod, fchmodat, fchmodat2, utime, utimes, futimesat, utimensat, utimensat_time64, truncate, truncate64,
          statfs, statfs64, inotify_add_watch, connect);

static const struct brig_dsl_set extended_attributes =
    CALLS(program_extended_attributes, "attributes beside mode and owner: ls and cp ask, and go on without",
          getxattr, lgetxattr, fgetxattr, getxattrat, listxattr, llistxattr, flistxattr, listxattrat, setxattr, lsetxattr,
          fsetxattr, setxattrat, removexattr, lremovexattr, fremovexattr, removexattrat);

static const struct brig_dsl_set owners =
    CALLS(program_owners, "owners, nodes, and modes by descriptor: a descriptor for reading would change what a list gave for reading",
          chown, fchown, lchown, fchownat, chown32, fchown32, lchown32, fchmod, mknod, mknodat);

static const struct brig_dsl_set servers =
    CALLS(program_servers, "be connected to", bind, listen, accept, accept4);

static const struct brig_dsl_set own_sandboxes =
    CALLS(program_own_sandboxes, "programs that lock themselves try these, and go on where the kernel has none",
          seccomp, landlock_create_ruleset, landlock_add_rule, landlock_restrict_self);

static const struct brig_dsl_set rings =
    CALLS(program_rings, "runtimes look for io_uring, and use epoll where there is none", io_uring_setup);

static const struct brig_dsl_values socket_options =
    VALUES(program_socket_options, "time limits, buffers, keep-alive: nothing that reaches netfilter or protocol modules",
           SO_ERROR, SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_KEEPALIVE, SO_LINGER, SO_RCVBUF, SO_SNDBUF, SO_RCVTIMEO, SO_SNDTIMEO,
           SO_RCVTIMEO_NEW, SO_SNDTIMEO_NEW, SO_REUSEADDR, SO_PEERCRED);

static const struct brig_dsl_values tcp_options =
    VALUES(program_tcp_options, "when TCP sends and when it gives up; TCP_ULP, TCP_REPAIR and TCP_FASTOPEN_CONNECT are other code",
           TCP_NODELAY, TCP_CORK, TCP_MAXSEG, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_QUICKACK, TCP_USER_TIMEOUT, TCP_INFO);

// clang-format on

static const struct brig_dsl_row program_rows[] = {
    WHY("files by name, and connections: the broker has a list"),
    ROW(SET(names), BROKER),
    WHY("the working directory is the kernel's to keep, over fork and threads; paths below it are still the broker's"),
    ROW(chdir, ALLOW),
    ROW(getcwd, ALLOW),
    WHY("lists a directory that the broker opened, and watches what it said may be watched"),
    ROW(getdents, ALLOW),
    ROW(getdents64, ALLOW),
    ROW(inotify_init, ALLOW),
    ROW(inotify_init1, ALLOW),
    ROW(inotify_rm_watch, ALLOW),
    WHY("attributes that a list knows nothing of; told so, as by a file system without them"),
    ROW(SET(extended_attributes), DENY(EOPNOTSUPP)),
    WHY("owners and nodes are root's business, and a mode changed by descriptor would go round the list"),
    ROW(SET(owners), DENY(EPERM)),

    WHY("its SIGSYS is nobody else's: nothing of ours is in it, and Go's runtime does not start without its handlers"),
    ROW(rt_sigaction, ALLOW, IN(sig, SIGSYS)),
    ROW(sigaction, ALLOW, IN(sig, SIGSYS)),
    WHY("threads as Go's runtime makes them: it keeps no id of its own in memory"),
    ROW(clone, ALLOW,
        IN(flags, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM,
           CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS)),

    USE(policy_pledge_stdio),
    USE(policy_pledge_stdio_sockets),
    USE(policy_pledge_terminals),
    USE(policy_pledge_locks),
    USE(policy_pledge_code),
    USE(policy_pledge_code_answers),
    USE(policy_pledge_stdio_answers),

    WHY("fork, vfork and posix_spawn, which share the filter and its listener; no namespaces, no child that is somebody else's"),
    ROW(fork, ALLOW),
    ROW(vfork, ALLOW),
    ROW(clone, ALLOW,
        ONLY_BITS(flags, CSIGNAL | CLONE_VM | CLONE_VFORK | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID |
                             CLONE_CHILD_CLEARTID)),
    ROW(setsid, ALLOW),
    ROW(setpgid, ALLOW),
    WHY("no other program: under this filter nobody would be there to start it; told so, because shells and subprocess ask"),
    ELSE(execve, REPORT(EACCES)),
    ELSE(execveat, REPORT(EACCES)),
    WHY("signals to others, children included, which cannot be told apart here; libc blocks signals where it sends them"),
    ELSE(kill, DENY(EPERM)),
    ELSE(tgkill, DENY(EPERM)),
    ELSE(rt_sigqueueinfo, DENY(EPERM)),
    ELSE(rt_tgsigqueueinfo, DENY(EPERM)),

    WHY("TCP and local streams, which only the broker can connect; datagrams and all else need no connection to send"),
    ROW(socket, ALLOW, IN(domain, AF_INET, AF_INET6), MASKED(type, ~(SOCK_CLOEXEC | SOCK_NONBLOCK), SOCK_STREAM),
        IN(protocol, 0, IPPROTO_TCP)),
    ROW(socket, ALLOW, IN(domain, AF_UNIX), MASKED(type, ~(SOCK_CLOEXEC | SOCK_NONBLOCK), SOCK_STREAM, SOCK_SEQPACKET),
        IN(protocol, 0)),
    ELSE(socket, DENY(EAFNOSUPPORT)),
    ELSE(socketpair, DENY(EAFNOSUPPORT)),
    WHY("messages over what is connected; MSG_FASTOPEN would connect, and MSG_OOB led into the kernel (CVE-2025-38236)"),
    ROW(sendmsg, ALLOW, NO_BITS(flags, MSG_OOB | MSG_FASTOPEN)),
    ROW(sendmmsg, ALLOW, NO_BITS(flags, MSG_OOB | MSG_FASTOPEN)),
    ROW(recvmsg, ALLOW, NO_BITS(flags, MSG_OOB)),
    ROW(recvmmsg, ALLOW, NO_BITS(flags, MSG_OOB)),
    ROW(recvmmsg_time64, ALLOW, NO_BITS(flags, MSG_OOB)),
    ELSE(sendmsg, DENY(EOPNOTSUPP)),
    ELSE(sendmmsg, DENY(EOPNOTSUPP)),
    ELSE(recvmsg, DENY(EOPNOTSUPP)),
    ELSE(recvmmsg, DENY(EOPNOTSUPP)),
    ELSE(recvmmsg_time64, DENY(EOPNOTSUPP)),
    ELSE(sendto, DENY(EOPNOTSUPP)),
    ELSE(recvfrom, DENY(EOPNOTSUPP)),
    ELSE(send, DENY(EOPNOTSUPP)),
    ELSE(recv, DENY(EOPNOTSUPP)),
    WHY("options that programs set; one that is not on the lists does not exist here"),
    ROW(setsockopt, ALLOW, IN(level, SOL_SOCKET), IN_SET(optname, socket_options)),
    ROW(setsockopt, ALLOW, IN(level, SOL_TCP), IN_SET(optname, tcp_options)),
    ROW(getsockopt, ALLOW, IN(level, SOL_SOCKET), IN_SET(optname, socket_options)),
    ROW(getsockopt, ALLOW, IN(level, SOL_TCP), IN_SET(optname, tcp_options)),
    ELSE(setsockopt, DENY(ENOPROTOOPT)),
    ELSE(getsockopt, DENY(ENOPROTOOPT)),
    WHY("it is no server; told so, and somebody hears of it"),
    ROW(SET(servers), REPORT(EACCES)),

    WHY("a lock of one's own comes on top of this one, and calls into old kernel code to be made"),
    ROW(SET(own_sandboxes), DENY(ENOSYS)),
    ROW(SET(rings), DENY(ENOSYS)),
    WHY("what else these calls can do is refused as a kernel or a limit would refuse it"),
    ELSE(mmap, DENY(ENOMEM)),
    ELSE(mmap2, DENY(ENOMEM)),
    ELSE(mprotect, DENY(EACCES)),
    ELSE(mremap, DENY(EINVAL)),
    ELSE(ioctl, DENY(ENOTTY)),
    ELSE(fcntl, DENY(EINVAL)),
    ELSE(fcntl64, DENY(EINVAL)),
    ELSE(prctl, DENY(EINVAL)),
    ELSE(fallocate, DENY(EOPNOTSUPP)),
    ELSE(timerfd_create, DENY(EINVAL)),
    ELSE(timer_create, DENY(EINVAL)),
    ELSE(setrlimit, DENY(EPERM)),
    ROWS_END,
};

const struct brig_dsl_policy brig_policy_program = {.name = "program",
                                                    .base = &brig_policy_baseline,
                                                    .rows = program_rows,
                                                    FALLBACK(REPORT(ENOSYS)),
                                                    .kernel = BRIG_DSL_KERNEL(6, 18),
                                                    .libc = "glibc 2.42, musl 1.2.5"};
