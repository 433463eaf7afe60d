// broker_connect: connections to where the broker's list says. For USE in a policy whose worker is launched with a broker.
//
// The worker makes a socket, the broker connects it: an address is in memory, out of a filter's sight, and the broker looks at a
// copy. That holds only as long as no other call takes an address. sendmsg does, and nobody sees it; on a stream or a sequence of
// packets it means nothing (net/ipv4/tcp.c, net/unix/af_unix.c refuse it or look away) but for MSG_FASTOPEN, which connects. On a
// datagram socket it would be every address there is, so there are none. Weakness: a socket that the host hands over is the host's
// to have connected.
#include "bpf_dsl/words.h"
#include "policies/policies.h"
#include "policies/sockets.h"

const struct brig_dsl_row brig_policy_broker_connect[] = {
    WHY("streams and packets in order between processes of this machine: X11, D-Bus, a database's server"),
    ROW(socket, ALLOW, IN(domain, AF_UNIX), MASKED(type, ~(SOCK_CLOEXEC | SOCK_NONBLOCK), SOCK_STREAM, SOCK_SEQPACKET),
        IN(protocol, 0)),
    WHY("to whom is the broker's question: it connects the socket, if its list has the address"),
    ROW(connect, BROKER),
    WHY("MSG_FASTOPEN is a connect by another name, past the broker"),
    ROW(sendmsg, CRASH, ANY_BITS(flags, MSG_FASTOPEN)),
    USE(policy_tcp_sockets),
    ROWS_END,
};
