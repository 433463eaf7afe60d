// restrict_socket_io: send and receive on sockets that are there, without out-of-band data.
//
// MSG_OOB on AF_UNIX, forgotten by most policies because it is "only a flag", led from a browser's renderer into the kernel
// (CVE-2025-38236). sendmsg's address is in memory, out of a filter's sight: a worker must only be given connected sockets.
#include "bpf_dsl/words.h"
#include "policies/policies.h"

const struct brig_dsl_row brig_policy_restrict_socket_io[] = {
    WHY("messages and descriptors over the worker's channel; no MSG_OOB: CVE-2025-38236"),
    ROW(sendmsg, ALLOW, NO_BITS(flags, MSG_OOB)),
    ROW(recvmsg, ALLOW, NO_BITS(flags, MSG_OOB)),
    ROW(recvfrom, ALLOW, NO_BITS(flags, MSG_OOB)),
    ROW(send, ALLOW, NO_BITS(flags, MSG_OOB)),
    ROW(recv, ALLOW, NO_BITS(flags, MSG_OOB)),
    WHY("send is sendto without an address; with one, a socket talks to someone that it is not connected to"),
    ROW(sendto, ALLOW, NO_BITS(flags, MSG_OOB), IS_NULL(addr)),
    WHY("out-of-band data, and other addressees"),
    ELSE(sendmsg, CRASH),
    ELSE(recvmsg, CRASH),
    ELSE(recvfrom, CRASH),
    ELSE(sendto, CRASH),
    ELSE(send, CRASH),
    ELSE(recv, CRASH),
    WHY("say that no more will be sent"),
    ROW(shutdown, ALLOW),
    ROWS_END,
};
