// broker_connect: connections to where the broker's list says. For USE in a policy whose worker is launched with a broker.
//
// The worker makes a socket, the broker connects it: an address is in memory, out of a filter's sight, and the broker looks at a
// copy. That holds only as long as no other call takes an address. sendmsg does, and nobody sees it; on a stream or a sequence of
// packets it means nothing (net/ipv4/tcp.c, net/unix/af_unix.c refuse it or look away) but for MSG_FASTOPEN, which connects. On a
// datagram socket it would be every address there is, so there are none. Weakness: a socket that the host hands over is the host's
// to have connected.
#include "bpf_dsl/words.h"
#include "policies/policies.h"

const struct brig_dsl_row brig_policy_broker_connect[] = {
    WHY("streams over IPv4 and IPv6; datagrams could be sent to anyone by sendmsg, whose address nobody sees"),
    ROW(socket, ALLOW, IN(domain, AF_INET, AF_INET6), MASKED(type, ~(SOCK_CLOEXEC | SOCK_NONBLOCK), SOCK_STREAM),
        IN(protocol, 0, IPPROTO_TCP)),
    WHY("streams and packets in order between processes of this machine: X11, D-Bus, a database's server"),
    ROW(socket, ALLOW, IN(domain, AF_UNIX), MASKED(type, ~(SOCK_CLOEXEC | SOCK_NONBLOCK), SOCK_STREAM, SOCK_SEQPACKET),
        IN(protocol, 0)),
    WHY("libc and language runtimes ask whether a family exists and go on without it"),
    ELSE(socket, DENY(EAFNOSUPPORT)),
    WHY("to whom is the broker's question: it connects the socket, if its list has the address"),
    ROW(connect, BROKER),
    WHY("MSG_FASTOPEN is a connect by another name, past the broker"),
    ROW(sendmsg, CRASH, ANY_BITS(flags, MSG_FASTOPEN)),
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
