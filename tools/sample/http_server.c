// http_server: the demo's web server: a process that serves a fixed list of files on the loopback interface, one connection at a
// time.
//
// Stands in for the outside world; it is not sandboxed code under test. Takes paths that its host chose, gives "/N". Ends with its
// parent.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/sample/sample.h"

static bool say(int fd, const char *text)
{
    size_t bytes = strlen(text);
    return send(fd, text, bytes, MSG_NOSIGNAL) == (ssize_t)bytes;
}

static void send_file(int fd, const char *path)
{
    struct stat status;
    int file_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (file_fd < 0 || fstat(file_fd, &status) != 0) {
        say(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    char header[128];
    snprintf(header, sizeof header, "HTTP/1.1 200 OK\r\nContent-Length: %lld\r\nConnection: close\r\n\r\n",
             (long long)status.st_size);
    bool goes_on = say(fd, header);
    for (off_t done = 0; goes_on && done < status.st_size;) {
        goes_on = sendfile(fd, file_fd, &done, (size_t)(status.st_size - done)) > 0;
    }
    close(file_fd);
}

static void answer(int fd, const char *const *paths, size_t path_count)
{
    char request[1024];
    ssize_t got = recv(fd, request, sizeof request - 1, 0);
    if (got <= 0) {
        return;
    }
    request[got] = '\0';
    size_t index;
    if (sscanf(request, "GET /%zu HTTP/1.1\r\n", &index) == 1 && index < path_count) {
        send_file(fd, paths[index]);
    } else {
        say(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    }
}

__attribute__((noreturn)) static void serve(int listen_fd, const char *const *paths, size_t path_count)
{
    for (;;) {
        int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            answer(fd, paths, path_count);
            close(fd);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            _exit(1);
        }
    }
}

static int listen_on_loopback(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t address_bytes = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 16) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &address_bytes) != 0) {
        close(fd);
        return -1;
    }
    *ret_port = ntohs(address.sin_port);
    return fd;
}

int sample_http_server_start(const char *const *paths, size_t path_count, uint16_t *ret_port)
{
    int listen_fd = listen_on_loopback(ret_port);
    if (listen_fd < 0) {
        return -1;
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent) {
            serve(listen_fd, paths, path_count);
        }
        _exit(1);
    }
    close(listen_fd);
    return pid;
}
