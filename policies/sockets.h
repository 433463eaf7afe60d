// sockets: rows that policies of this room share. Internal.
#ifndef BRIG_POLICIES_SOCKETS_H
#define BRIG_POLICIES_SOCKETS_H

#include "bpf_dsl/bpf_dsl.h"

// TCP sockets and what is done with them, but for connect; refuses every other socket. For USE behind rows of one's own.
extern const struct brig_dsl_row policy_tcp_sockets[];

#endif
