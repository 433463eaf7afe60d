// network: talks TCP with hosts that nobody vouches for, and hands on what it gets.
//
// Numeric addresses only: resolving names would need files, and is a worker of its own. Weakness: connect's address is behind a
// pointer, so where it may connect to cannot be said here; a network namespace or Landlock narrows it.
#include "bpf_dsl/words.h"
#include "policies/policies.h"

static const struct brig_dsl_row network_rows[] = {
    WHY("reads from its connections and writes into what it was handed"),
    ROW(SET(brig_policy_fd_io), ALLOW),
    WHY("waits for its peers and its next job"),
    ROW(SET(brig_policy_fd_wait), ALLOW),
    USE(brig_policy_restrict_socket_io),

    WHY("TCP over IPv4 and IPv6; no datagrams, no raw, no other family, no MPTCP or SCTP"),
    ROW(socket, ALLOW, IN(domain, AF_INET, AF_INET6), MASKED(type, ~(SOCK_CLOEXEC | SOCK_NONBLOCK), SOCK_STREAM),
        IN(protocol, 0, IPPROTO_TCP)),
    WHY("libc and language runtimes ask whether a family exists and go on without it"),
    ELSE(socket, DENY(EAFNOSUPPORT)),
    WHY("to whom cannot be seen here: the address is behind a pointer; a network namespace or Landlock narrows it"),
    ROW(connect, ALLOW),
    ROW(getsockname, ALLOW),
    ROW(getpeername, ALLOW),
    WHY("the outcome of a connect that did not block"),
    ROW(getsockopt, ALLOW, IN(level, SOL_SOCKET), IN(optname, SO_ERROR, SO_TYPE)),
    WHY("time limits, no delay, keep-alive; nothing that reaches netfilter or protocol modules"),
    ROW(setsockopt, ALLOW, IN(level, SOL_SOCKET), IN(optname, SO_RCVTIMEO, SO_SNDTIMEO, SO_KEEPALIVE)),
    ROW(setsockopt, ALLOW, IN(level, SOL_TCP), IN(optname, TCP_NODELAY)),
    WHY("makes a connection non-blocking"),
    ROW(ioctl, ALLOW, IN(cmd, FIONBIO)),
    ROWS_END,
};

const struct brig_dsl_policy brig_policy_network = {.name = "network",
                                                    .base = &brig_policy_baseline,
                                                    .rows = network_rows,
                                                    FALLBACK(CRASH),
                                                    .kernel = BRIG_DSL_KERNEL(6, 18),
                                                    .libc = "glibc 2.42, musl 1.2.5"};
