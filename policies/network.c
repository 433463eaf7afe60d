// network: talks TCP with hosts that nobody vouches for, and hands on what it gets.
//
// Numeric addresses only: resolving names would need files, and is a worker of its own. Weakness: connect's address is behind a
// pointer, so where it may connect to cannot be said here; a network namespace or Landlock narrows it.
#include "bpf_dsl/words.h"
#include "policies/policies.h"
#include "policies/sockets.h"

static const struct brig_dsl_row network_rows[] = {
    WHY("reads from its connections and writes into what it was handed"),
    ROW(SET(brig_policy_fd_io), ALLOW),
    WHY("waits for its peers and its next job"),
    ROW(SET(brig_policy_fd_wait), ALLOW),
    USE(brig_policy_restrict_socket_io),

    WHY("to whom cannot be seen here: the address is behind a pointer; a network namespace or Landlock narrows it"),
    ROW(connect, ALLOW),
    USE(policy_tcp_sockets),
    ROWS_END,
};

const struct brig_dsl_policy brig_policy_network = {.name = "network",
                                                    .base = &brig_policy_baseline,
                                                    .rows = network_rows,
                                                    FALLBACK(CRASH),
                                                    .kernel = BRIG_DSL_KERNEL(6, 18),
                                                    .libc = "glibc 2.42, musl 1.2.5"};
