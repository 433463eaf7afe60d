// broker: opens and changes files for workers that may not, as a list says (sandbox/broker.h).
//
// The list is judged by the broker's own code, which reads what hostile workers wrote. So what stands here is what is left to
// whoever takes that code over: calls on the file system by name, and no more. Which names, the list's Landlock ruleset says,
// because no filter can see them. Nothing runs a program, maps code, makes a socket, traces, mounts or signals.
//
// `broker+network` connects too, and resolves names: what libc needs for that is much, so it is a policy of its own.
#include "bpf_dsl/words.h"
#include "policies/policies.h"

static const struct brig_dsl_values listener_calls =
    VALUES(listener_calls, "receive a request, answer it by a number or with a descriptor", SECCOMP_IOCTL_NOTIF_RECV,
           SECCOMP_IOCTL_NOTIF_SEND, SECCOMP_IOCTL_NOTIF_ADDFD);

static const struct brig_dsl_row broker_rows[] = {
    WHY("requests of linked workers arrive on a listener, and the answer goes back to the very call"),
    ROW(ioctl, ALLOW, IN_SET(cmd, listener_calls)),
    WHY("a new session's slots: shared with the worker, never executable"),
    ROW(mmap, ALLOW, ONLY_BITS(prot, PROT_READ | PROT_WRITE), IN(flags, MAP_SHARED)),
    ROW(mmap2, ALLOW, ONLY_BITS(prot, PROT_READ | PROT_WRITE), IN(flags, MAP_SHARED)),
    WHY("the supervisor's channel, requests as messages, descriptors that come with them; no MSG_OOB"),
    USE(brig_policy_restrict_socket_io),
    WHY("closes what it handed over, empties its eventfd"),
    ROW(SET(brig_policy_fd_io), ALLOW),
    ROW(SET(brig_policy_fd_wait), ALLOW),

    WHY("opens what the list allows, beneath the list's directories; the struct is in memory, Landlock knows the directories"),
    ELSE(openat2, ALLOW),
    WHY("looks at what it holds open; names of files are no secret from whoever may open them"),
    ELSE(statx, ALLOW),
    ELSE(newfstatat, ALLOW),
    ELSE(fstatat64, ALLOW),
    ELSE(faccessat2, ALLOW),
    ELSE(readlink, ALLOW),
    ELSE(readlinkat, ALLOW),
    WHY("lists and changes directories, relative to one that it holds"),
    ELSE(mkdirat, ALLOW),
    ELSE(unlinkat, ALLOW),
    ELSE(renameat2, ALLOW),
    ELSE(linkat, ALLOW),
    ELSE(symlinkat, ALLOW),
    WHY("changes times and sizes of what it holds, by /proc/self/fd"),
    ELSE(utimensat, ALLOW),
    ELSE(utimensat_time64, ALLOW),
    ELSE(truncate, ALLOW),
    ELSE(truncate64, ALLOW),
    WHY("changes permission bits; a program that runs as its owner is never made"),
    ROW(chmod, ALLOW, NO_BITS(mode, S_ISUID | S_ISGID)),
    ELSE(chmod, CRASH),
    ROW(fchmodat, ALLOW, NO_BITS(mode, S_ISUID | S_ISGID)),
    ELSE(fchmodat, CRASH),
    WHY("adds watches to a client's inotify descriptor"),
    ELSE(inotify_add_watch, ALLOW),

    WHY("what a socket is that a client wants connected; and then it is told no: broker+network connects"),
    ROW(getsockopt, ALLOW, IN(level, SOL_SOCKET), IN(optname, SO_DOMAIN, SO_TYPE)),
    ELSE(connect, DENY(EACCES)),
    ROWS_END,
};

const struct brig_dsl_policy brig_policy_broker = {.name = "broker",
                                                   .base = &brig_policy_baseline,
                                                   .rows = broker_rows,
                                                   FALLBACK(CRASH),
                                                   .kernel = BRIG_DSL_KERNEL(6, 18),
                                                   .libc = "glibc 2.42, musl 1.2.5"};

static const struct brig_dsl_row broker_network_rows[] = {
    WHY("connects sockets of clients to listed addresses; the address is in memory, Landlock knows the TCP ports"),
    ELSE(connect, ALLOW),
    WHY("getaddrinfo asks name servers and the name service cache, and the kernel which addresses are its own"),
    ROW(socket, ALLOW, IN(domain, AF_INET, AF_INET6), MASKED(type, ~(SOCK_CLOEXEC | SOCK_NONBLOCK), SOCK_DGRAM, SOCK_STREAM),
        IN(protocol, 0, IPPROTO_TCP, IPPROTO_UDP)),
    ROW(socket, ALLOW, IN(domain, AF_UNIX), MASKED(type, ~(SOCK_CLOEXEC | SOCK_NONBLOCK), SOCK_STREAM), IN(protocol, 0)),
    ROW(socket, ALLOW, IN(domain, AF_NETLINK), MASKED(type, ~(SOCK_CLOEXEC | SOCK_NONBLOCK), SOCK_RAW, SOCK_DGRAM),
        IN(protocol, NETLINK_ROUTE)),
    ELSE(socket, DENY(EAFNOSUPPORT)),
    ELSE(bind, ALLOW),
    ELSE(getsockname, ALLOW),
    ELSE(getpeername, ALLOW),
    WHY("a question to the kernel has its address; so does one to a name server in musl"),
    ROW(sendto, ALLOW, NO_BITS(flags, MSG_OOB)),
    ROW(sendmmsg, ALLOW, NO_BITS(flags, MSG_OOB)),
    ELSE(sendmmsg, CRASH),
    WHY("errors of ICMP, which resolvers look for"),
    ROW(setsockopt, ALLOW, IN(level, SOL_IP), IN(optname, IP_RECVERR)),
    ROW(setsockopt, ALLOW, IN(level, SOL_IPV6), IN(optname, IPV6_RECVERR, IPV6_V6ONLY)),
    ELSE(setsockopt, DENY(ENOPROTOOPT)),
    WHY("answers clients in nscd's place, on a socket that it listened on before; who connected is itself, or is sent away"),
    ROW(accept4, ALLOW, ONLY_BITS(flags, SOCK_CLOEXEC | SOCK_NONBLOCK)),
    ELSE(accept4, CRASH),
    ROW(getsockopt, ALLOW, IN(level, SOL_SOCKET), IN(optname, SO_PEERCRED)),
    WHY("what libc's modules for names ask of their own sockets, and do without"),
    ROW(getsockopt, ALLOW, IN(level, SOL_SOCKET), IN(optname, SO_DOMAIN, SO_TYPE, SO_ERROR)),
    ELSE(getsockopt, DENY(ENOPROTOOPT)),
    WHY("an interface in an address (fe80::1%eth0), or reorder in host.conf: a name that any client may ask for is not to end it"),
    ROW(ioctl, DENY(ENODEV), IN(cmd, SIOCGIFINDEX, SIOCGIFCONF)),
    WHY("caches of the name service, and of the linker when a module is not there after all: read-only, never executable"),
    ROW(mmap, ALLOW, ONLY_BITS(prot, PROT_READ), IN(flags, MAP_PRIVATE, MAP_SHARED)),
    ROW(mmap2, ALLOW, ONLY_BITS(prot, PROT_READ), IN(flags, MAP_PRIVATE, MAP_SHARED)),
    WHY("hosts, services and resolv.conf are read again when they change; Landlock knows their directories"),
    ROW(openat, ALLOW, NO_BITS(flags, O_ACCMODE | O_CREAT | O_TRUNC)),
    ROW(open, ALLOW, NO_BITS(flags, O_ACCMODE | O_CREAT | O_TRUNC)),
    ELSE(openat, CRASH),
    ELSE(open, CRASH),
    ELSE(stat, ALLOW),
    ELSE(stat64, ALLOW),
    ELSE(access, ALLOW),
    ROWS_END,
};

const struct brig_dsl_policy brig_policy_broker_network = {.name = "broker+network",
                                                           .base = &brig_policy_broker,
                                                           .rows = broker_network_rows,
                                                           FALLBACK(CRASH),
                                                           .kernel = BRIG_DSL_KERNEL(6, 18),
                                                           .libc = "glibc 2.42, musl 1.2.5"};
