// sockets: families, options and messages.
//
// A family is kernel code that anyone may reach through socket(2), so each promise names its own. To whom a socket connects is
// behind a pointer and stays unseen: a network namespace or Landlock narrows that. What a message carries is out of sight too:
// recvmsg and sendmsg, which can carry descriptors over unix sockets, are in recvfd and sendfd. Weaknesses: inet, dns and route
// have them as well, because datagrams, resolvers and netlink are done with them, so that a process with one of these and a unix
// socket from before can pass descriptors through it. Out-of-band data (MSG_OOB) is in no promise: CVE-2025-38236.
#include "bpf_dsl/words.h"
#include "policies/pledge/pledge.h"
#include "policies/policies.h"

// clang-format off

static const struct brig_dsl_set message_calls =
    CALLS(pledge_message_calls, "messages with what goes beside them", recvmsg, sendmsg, recvmmsg, recvmmsg_time64, sendmmsg);

static const struct brig_dsl_set receive_calls =
    CALLS(pledge_receive_calls, "receive what may carry descriptors", recvmsg, recvmmsg, recvmmsg_time64);

static const struct brig_dsl_set send_calls =
    CALLS(pledge_send_calls, "send what may carry descriptors", sendmsg, sendmmsg);

static const struct brig_dsl_set plain_calls =
    CALLS(pledge_plain_calls, "bytes over sockets that are connected", send, recv, recvfrom);

static const struct brig_dsl_set addresses =
    CALLS(pledge_addresses, "who is at the ends of a socket", getsockname, getpeername);

static const struct brig_dsl_set accepts = CALLS(pledge_accepts, "be connected to", bind, listen, accept, accept4);

static const struct brig_dsl_values socket_options =
    VALUES(pledge_socket_options, "time limits, buffers, addresses used again: nothing that is for protocol modules or root",
           SO_REUSEADDR, SO_REUSEPORT, SO_KEEPALIVE, SO_BROADCAST, SO_LINGER, SO_RCVBUF, SO_SNDBUF, SO_RCVLOWAT, SO_RCVTIMEO,
           SO_SNDTIMEO, SO_RCVTIMEO_NEW, SO_SNDTIMEO_NEW, SO_TIMESTAMP, SO_TIMESTAMPNS, SO_DONTROUTE, SO_OOBINLINE, SO_PRIORITY);

static const struct brig_dsl_values socket_facts =
    VALUES(pledge_socket_facts, "what a socket is and how it fares",
           SO_TYPE, SO_ERROR, SO_ACCEPTCONN, SO_DOMAIN, SO_PROTOCOL);

static const struct brig_dsl_values tcp_options =
    VALUES(pledge_tcp_options, "when TCP sends and when it gives up; TCP_ULP, TCP_CONGESTION and TCP_REPAIR reach other code",
           TCP_NODELAY, TCP_CORK, TCP_MAXSEG, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_SYNCNT, TCP_LINGER2, TCP_DEFER_ACCEPT,
           TCP_QUICKACK, TCP_USER_TIMEOUT, TCP_FASTOPEN, TCP_FASTOPEN_CONNECT, TCP_NOTSENT_LOWAT, TCP_INFO);

static const struct brig_dsl_values ip_options =
    VALUES(pledge_ip_options, "marks of packets, and what comes with them; what netfilter and tunnels have is not here (CVE-2021-22555)",
           IP_TOS, IP_TTL, IP_RECVTOS, IP_RECVTTL, IP_PKTINFO, IP_RECVERR, IP_MTU_DISCOVER, IP_MTU, IP_BIND_ADDRESS_NO_PORT);

static const struct brig_dsl_values ipv6_options =
    VALUES(pledge_ipv6_options, "the same for IPv6",
           IPV6_V6ONLY, IPV6_TCLASS, IPV6_UNICAST_HOPS, IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS, IPV6_RECVERR,
           IPV6_MTU_DISCOVER, IPV6_MTU, IPV6_DONTFRAG);

static const struct brig_dsl_values ip_groups =
    VALUES(pledge_ip_groups, "join and leave multicast groups",
           IP_MULTICAST_IF, IP_MULTICAST_TTL, IP_MULTICAST_LOOP, IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP, MCAST_JOIN_GROUP,
           MCAST_LEAVE_GROUP);

static const struct brig_dsl_values ipv6_groups =
    VALUES(pledge_ipv6_groups, "join and leave multicast groups of IPv6",
           IPV6_MULTICAST_IF, IPV6_MULTICAST_HOPS, IPV6_MULTICAST_LOOP, IPV6_ADD_MEMBERSHIP, IPV6_DROP_MEMBERSHIP, MCAST_JOIN_GROUP,
           MCAST_LEAVE_GROUP);

static const struct brig_dsl_values interface_questions =
    VALUES(pledge_interface_questions, "names, addresses and states of network interfaces",
           SIOCGIFNAME, SIOCGIFCONF, SIOCGIFFLAGS, SIOCGIFADDR, SIOCGIFDSTADDR, SIOCGIFBRDADDR, SIOCGIFNETMASK, SIOCGIFMETRIC,
           SIOCGIFMTU, SIOCGIFHWADDR, SIOCGIFINDEX);

// clang-format on

const struct brig_dsl_row policy_pledge_stdio_sockets[] = {
    WHY("bytes over the sockets that it has; out-of-band data led into the kernel by unix sockets: CVE-2025-38236"),
    ROW(SET(plain_calls), ALLOW, NO_BITS(flags, MSG_OOB)),
    WHY("send is sendto without an address; with one, it would talk to someone that it is not connected to"),
    ROW(sendto, ALLOW, NO_BITS(flags, MSG_OOB), IS_NULL(addr)),
    ROW(shutdown, ALLOW),
    WHY("pairs of sockets that stay connected to each other; one of datagrams could be connected to any path: it needs unix"),
    ROW(socketpair, ALLOW, IN(domain, AF_UNIX), MASKED(type, ~(SOCK_CLOEXEC | SOCK_NONBLOCK), SOCK_STREAM, SOCK_SEQPACKET),
        IN(protocol, 0)),
    WHY("who is at the ends of a socket: bash asks it of its standard input"),
    ROW(SET(addresses), ALLOW),
    WHY("how a socket fares, and how much it holds"),
    ROW(getsockopt, ALLOW, IN(level, SOL_SOCKET), IN(optname, SO_ERROR, SO_TYPE, SO_RCVBUF, SO_SNDBUF)),
    ROW(setsockopt, ALLOW, IN(level, SOL_SOCKET), IN(optname, SO_RCVBUF)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_inet_sockets[] = {
    WHY("TCP and UDP over IPv4 and IPv6; no raw packets, no MPTCP, SCTP or other protocol"),
    ROW(socket, ALLOW, IN(domain, AF_INET, AF_INET6), MASKED(type, ~(SOCK_CLOEXEC | SOCK_NONBLOCK), SOCK_STREAM),
        IN(protocol, 0, IPPROTO_TCP)),
    ROW(socket, ALLOW, IN(domain, AF_INET, AF_INET6), MASKED(type, ~(SOCK_CLOEXEC | SOCK_NONBLOCK), SOCK_DGRAM),
        IN(protocol, 0, IPPROTO_UDP)),
    WHY("options that programs set: nothing that reaches netfilter or protocol modules (CVE-2021-22555, CVE-2023-0461)"),
    ROW(setsockopt, ALLOW, IN(level, SOL_SOCKET), IN_SET(optname, socket_options)),
    ROW(setsockopt, ALLOW, IN(level, SOL_TCP), IN_SET(optname, tcp_options)),
    ROW(setsockopt, ALLOW, IN(level, SOL_IP), IN_SET(optname, ip_options)),
    ROW(setsockopt, ALLOW, IN(level, SOL_IPV6), IN_SET(optname, ipv6_options)),
    ROW(getsockopt, ALLOW, IN(level, SOL_SOCKET), IN_SET(optname, socket_options)),
    ROW(getsockopt, ALLOW, IN(level, SOL_SOCKET), IN_SET(optname, socket_facts)),
    ROW(getsockopt, ALLOW, IN(level, SOL_TCP), IN_SET(optname, tcp_options)),
    ROW(getsockopt, ALLOW, IN(level, SOL_IP), IN_SET(optname, ip_options)),
    ROW(getsockopt, ALLOW, IN(level, SOL_IPV6), IN_SET(optname, ipv6_options)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_inet_accept[] = {
    WHY("is connected to"),
    ROW(SET(accepts), ALLOW),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_inet_connect[] = {
    WHY("connects, and sends to addresses: to which cannot be seen here; a network namespace or Landlock narrows it"),
    ROW(connect, ALLOW),
    ROW(sendto, ALLOW, NO_BITS(flags, MSG_OOB)),
    WHY("datagrams in batches and with what comes beside them"),
    ROW(SET(message_calls), ALLOW, NO_BITS(flags, MSG_OOB)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_multicast[] = {
    WHY("multicast groups"),
    ROW(setsockopt, ALLOW, IN(level, SOL_IP), IN_SET(optname, ip_groups)),
    ROW(setsockopt, ALLOW, IN(level, SOL_IPV6), IN_SET(optname, ipv6_groups)),
    ROW(getsockopt, ALLOW, IN(level, SOL_IP), IN_SET(optname, ip_groups)),
    ROW(getsockopt, ALLOW, IN(level, SOL_IPV6), IN_SET(optname, ipv6_groups)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_unix_sockets[] = {
    WHY("sockets of the unix family, by path, by abstract name or in pairs"),
    ROW(socket, ALLOW, IN(domain, AF_UNIX), MASKED(type, ~(SOCK_CLOEXEC | SOCK_NONBLOCK), SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET),
        IN(protocol, 0)),
    ROW(socketpair, ALLOW, IN(domain, AF_UNIX), MASKED(type, ~(SOCK_CLOEXEC | SOCK_NONBLOCK), SOCK_DGRAM), IN(protocol, 0)),
    ROW(SET(accepts), ALLOW),
    WHY("connects, and sends to addresses: to which cannot be seen here; a mount namespace or Landlock narrows it"),
    ROW(connect, ALLOW),
    ROW(sendto, ALLOW, NO_BITS(flags, MSG_OOB)),
    WHY("options that programs set, and who the peer is"),
    ROW(setsockopt, ALLOW, IN(level, SOL_SOCKET), IN_SET(optname, socket_options)),
    ROW(setsockopt, ALLOW, IN(level, SOL_SOCKET), IN(optname, SO_PASSCRED)),
    ROW(getsockopt, ALLOW, IN(level, SOL_SOCKET), IN_SET(optname, socket_options)),
    ROW(getsockopt, ALLOW, IN(level, SOL_SOCKET), IN_SET(optname, socket_facts)),
    ROW(getsockopt, ALLOW, IN(level, SOL_SOCKET), IN(optname, SO_PASSCRED, SO_PEERCRED, SO_PEERGROUPS)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_dns[] = {
    WHY("asks name servers, by UDP and, for long answers, TCP"),
    ROW(socket, ALLOW, IN(domain, AF_INET, AF_INET6), MASKED(type, ~(SOCK_CLOEXEC | SOCK_NONBLOCK), SOCK_STREAM),
        IN(protocol, 0, IPPROTO_TCP)),
    ROW(socket, ALLOW, IN(domain, AF_INET, AF_INET6), MASKED(type, ~(SOCK_CLOEXEC | SOCK_NONBLOCK), SOCK_DGRAM),
        IN(protocol, 0, IPPROTO_UDP)),
    ROW(connect, ALLOW),
    WHY("musl's resolver binds a socket and sends from it to all servers; glibc's sends two questions at once"),
    ROW(bind, ALLOW),
    ROW(sendto, ALLOW, NO_BITS(flags, MSG_OOB)),
    ROW(SET(message_calls), ALLOW, NO_BITS(flags, MSG_OOB)),
    WHY("glibc wants to hear of unreachable servers, musl sends its first bytes with the connection"),
    ROW(setsockopt, ALLOW, IN(level, SOL_IP), IN(optname, IP_RECVERR)),
    ROW(setsockopt, ALLOW, IN(level, SOL_IPV6), IN(optname, IPV6_RECVERR, IPV6_V6ONLY)),
    ROW(setsockopt, ALLOW, IN(level, SOL_TCP), IN(optname, TCP_FASTOPEN_CONNECT)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_route[] = {
    WHY("netlink's routing family answers getifaddrs and if_nameindex; changing anything takes CAP_NET_ADMIN"),
    ROW(socket, ALLOW, IN(domain, AF_NETLINK), MASKED(type, ~(SOCK_CLOEXEC | SOCK_NONBLOCK), SOCK_RAW, SOCK_DGRAM),
        IN(protocol, NETLINK_ROUTE)),
    ROW(bind, ALLOW),
    ROW(sendto, ALLOW, NO_BITS(flags, MSG_OOB)),
    ROW(SET(message_calls), ALLOW, NO_BITS(flags, MSG_OOB)),
    WHY("room for long answers, and better ones"),
    ROW(setsockopt, ALLOW, IN(level, SOL_SOCKET), IN(optname, SO_SNDBUF, SO_RCVBUF)),
    ROW(setsockopt, ALLOW, IN(level, SOL_NETLINK), IN(optname, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK)),
    WHY("the older questions, which want a socket of any family"),
    ROW(socket, ALLOW, IN(domain, AF_UNIX, AF_INET), MASKED(type, ~(SOCK_CLOEXEC | SOCK_NONBLOCK), SOCK_DGRAM), IN(protocol, 0)),
    ROW(ioctl, ALLOW, IN_SET(cmd, interface_questions)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_receive_messages[] = {
    WHY("messages, and the descriptors that they may carry"),
    ROW(SET(receive_calls), ALLOW, NO_BITS(flags, MSG_OOB)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_send_messages[] = {
    WHY("messages, and the descriptors that they may carry"),
    ROW(SET(send_calls), ALLOW, NO_BITS(flags, MSG_OOB)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_socket_answers[] = {
    WHY("resolvers and language runtimes ask whether a family exists and go on without it"),
    ELSE(socket, DENY(EAFNOSUPPORT)),
    WHY("an option that is not on the lists does not exist here"),
    ELSE(setsockopt, DENY(ENOPROTOOPT)),
    ELSE(getsockopt, DENY(ENOPROTOOPT)),
    ROWS_END,
};

const struct brig_dsl_row policy_pledge_module_answers[] = {
    WHY("glibc looks for modules that could know more names and users, and goes on with what it has when it cannot map them"),
    ROW(mmap, DENY(EACCES), ALL_BITS(prot, PROT_EXEC), NO_BITS(flags, MAP_ANONYMOUS)),
    ROW(mmap2, DENY(EACCES), ALL_BITS(prot, PROT_EXEC), NO_BITS(flags, MAP_ANONYMOUS)),
    ROWS_END,
};
