// sockets: TCP for who connects by itself (network) and for who has its broker connect (broker_connect).
//
// To whom is not said here: that is the row of connect in the table that uses this one.
#include "policies/sockets.h"

#include "bpf_dsl/words.h"

const struct brig_dsl_row policy_tcp_sockets[] = {
    WHY("TCP over IPv4 and IPv6; no datagrams, no raw, no other family, no MPTCP or SCTP"),
    ROW(socket, ALLOW, IN(domain, AF_INET, AF_INET6), MASKED(type, ~(SOCK_CLOEXEC | SOCK_NONBLOCK), SOCK_STREAM),
        IN(protocol, 0, IPPROTO_TCP)),
    WHY("libc and language runtimes ask whether a family exists and go on without it"),
    ELSE(socket, DENY(EAFNOSUPPORT)),
    WHY("with whom a socket talks, and the outcome of a connect that did not block"),
    ROW(getsockname, ALLOW),
    ROW(getpeername, ALLOW),
    ROW(getsockopt, ALLOW, IN(level, SOL_SOCKET), IN(optname, SO_ERROR, SO_TYPE)),
    WHY("time limits, no delay, keep-alive; nothing that reaches netfilter or protocol modules"),
    ROW(setsockopt, ALLOW, IN(level, SOL_SOCKET), IN(optname, SO_RCVTIMEO, SO_SNDTIMEO, SO_KEEPALIVE)),
    ROW(setsockopt, ALLOW, IN(level, SOL_TCP), IN(optname, TCP_NODELAY)),
    WHY("makes a connection non-blocking"),
    ROW(ioctl, ALLOW, IN(cmd, FIONBIO)),
    ROWS_END,
};
