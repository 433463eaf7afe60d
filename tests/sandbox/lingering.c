#include "tests/sandbox/lingering.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/shim/test.h"

int lingering_socket(int *ret_peer_fd)
{
    static const char bytes[65536];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct linger linger = {.l_onoff = 1, .l_linger = 20};
    const int small = 4096;
    socklen_t address_bytes = sizeof address;
    const int peer_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *ret_peer_fd = peer_fd;
    if (!CHECK_EQ(setsockopt(peer_fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0) ||
        !CHECK_EQ(bind(peer_fd, (struct sockaddr *)&address, sizeof address), 0) || !CHECK_EQ(listen(peer_fd, 1), 0) ||
        !CHECK_EQ(getsockname(peer_fd, (struct sockaddr *)&address, &address_bytes), 0) ||
        !CHECK_EQ(connect(fd, (struct sockaddr *)&address, sizeof address), 0) ||
        !CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0))
        return -1;
    while (send(fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        continue;
    return fd;
}
