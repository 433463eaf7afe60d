// restrict_socket: no new sockets. For workers that only talk on what they were handed.
//
// Each protocol family is kernel code that anyone may reach through socket(2): AF_PACKET (CVE-2017-7308), netfilter through
// setsockopt (CVE-2021-22555), AF_VSOCK, AF_NETLINK. A policy for network workers says what it needs in rows of its own, before
// these.
#include "bpf_dsl/words.h"
#include "policies/policies.h"

const struct brig_dsl_row brig_policy_restrict_socket[] = {
    WHY("no sockets but those it was given: a family is kernel code (CVE-2017-7308), a connection is a way out for what was read"),
    ELSE(socket, CRASH),
    ELSE(connect, CRASH),
    ELSE(socketpair, CRASH),
    ELSE(bind, CRASH),
    ELSE(listen, CRASH),
    ELSE(accept, CRASH),
    ELSE(accept4, CRASH),
    WHY("options of sockets reach netfilter and protocol modules (CVE-2021-22555, CVE-2023-0461)"),
    ELSE(setsockopt, CRASH),
    ELSE(getsockopt, CRASH),
    ROWS_END,
};
