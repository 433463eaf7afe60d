// lingering: a descriptor that keeps whoever closes it last waiting.
#ifndef BRIG_TESTS_SANDBOX_LINGERING_H
#define BRIG_TESTS_SANDBOX_LINGERING_H

// A TCP connection whose last close(2) waits, 20 seconds at most, for a peer that does not read. Returns: -1 after a failed check.
int lingering_socket(int *ret_peer_fd);

#endif
