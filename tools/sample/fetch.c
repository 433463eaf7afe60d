// fetch: the sample network worker. Gets one file over HTTP/1.1 from 127.0.0.1 and writes it to a descriptor that it is handed.
//
// Takes jobs from its channel, gives an answer for each. Guarantees: at most SAMPLE_FILE_BYTES_MAX, a time limit for each step, and
// a reply that is cut short is an error. Weakness: no redirects, no chunked replies, no names: the demo's server needs none of
// them.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tools/sample/sample.h"

#define HEADER_BYTES_MAX 4096
#define STEP_SECONDS 5

struct reply {
    char bytes[HEADER_BYTES_MAX + 1];
    size_t used;
    size_t header_bytes; // where the body begins
    uint64_t body_bytes; // as promised
};

static int connect_to(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    struct timeval limit = {.tv_sec = STEP_SECONDS};
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool send_request(int fd, const char *path)
{
    char request[SAMPLE_PATH_BYTES + 100];
    int bytes = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", path);
    return send(fd, request, (size_t)bytes, MSG_NOSIGNAL) == bytes;
}

static bool read_header(int fd, struct reply *reply)
{
    const char *end = NULL;
    while (!end && reply->used < HEADER_BYTES_MAX) {
        ssize_t got = recv(fd, reply->bytes + reply->used, HEADER_BYTES_MAX - reply->used, 0);
        if (got <= 0) {
            return false;
        }
        reply->used += (size_t)got;
        reply->bytes[reply->used] = '\0';
        end = strstr(reply->bytes, "\r\n\r\n");
    }
    if (!end) {
        return false;
    }
    reply->header_bytes = (size_t)(end - reply->bytes) + 4;
    return true;
}

static enum sample_status parse_header(struct reply *reply, char detail[SAMPLE_TEXT_BYTES])
{
    int code = 0;
    const char *line = strcasestr(reply->bytes, "\r\nContent-Length:");
    if (sscanf(reply->bytes, "HTTP/1.%*1[01] %3d", &code) != 1 || code != 200 || !line) {
        snprintf(detail, SAMPLE_TEXT_BYTES, "%.*s", (int)strcspn(reply->bytes, "\r\n"), reply->bytes);
        return SAMPLE_BAD_REPLY;
    }
    reply->body_bytes = strtoull(line + strlen("\r\nContent-Length:"), NULL, 10);
    if (reply->body_bytes > SAMPLE_FILE_BYTES_MAX) {
        snprintf(detail, SAMPLE_TEXT_BYTES, "%llu bytes", (unsigned long long)reply->body_bytes);
        return SAMPLE_TOO_BIG;
    }
    return SAMPLE_OK;
}

static bool write_all(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t written = write(fd, bytes, count);
        if (written <= 0 && errno != EINTR) {
            return false;
        }
        bytes += written > 0 ? written : 0;
        count -= written > 0 ? (size_t)written : 0;
    }
    return true;
}

static enum sample_status copy_body(int fd, const struct reply *reply, int output_fd, uint64_t *ret_bytes)
{
    char buffer[16384];
    uint64_t done = reply->used - reply->header_bytes;
    if (done > reply->body_bytes || !write_all(output_fd, reply->bytes + reply->header_bytes, (size_t)done)) {
        return done > reply->body_bytes ? SAMPLE_BAD_REPLY : SAMPLE_CANNOT_WRITE;
    }
    while (done < reply->body_bytes) {
        uint64_t left = reply->body_bytes - done;
        ssize_t got = recv(fd, buffer, left < sizeof buffer ? (size_t)left : sizeof buffer, 0);
        if (got <= 0) {
            return SAMPLE_BAD_REPLY;
        }
        if (!write_all(output_fd, buffer, (size_t)got)) {
            return SAMPLE_CANNOT_WRITE;
        }
        done += (uint64_t)got;
    }
    *ret_bytes = done;
    return SAMPLE_OK;
}

static enum sample_status fetch(const struct sample_job *job, int output_fd, struct sample_answer *answer)
{
    int fd = connect_to(job->port);
    if (fd < 0) {
        snprintf(answer->detail, sizeof answer->detail, "127.0.0.1:%u: %s", job->port, strerror(errno));
        return SAMPLE_CANNOT_CONNECT;
    }
    struct reply reply = {.used = 0};
    enum sample_status status = SAMPLE_BAD_REPLY;
    if (send_request(fd, job->path) && read_header(fd, &reply)) {
        status = parse_header(&reply, answer->detail);
    }
    if (status == SAMPLE_OK) {
        status = copy_body(fd, &reply, output_fd, &answer->bytes);
    }
    close(fd);
    return status;
}

int sample_fetcher(void *data, int channel_fd)
{
    (void)data;
    struct sample_job job;
    int output_fd;
    while (sample_receive(channel_fd, &job, sizeof job, &output_fd, 1)) {
        struct sample_answer answer = {0};
        job.path[sizeof job.path - 1] = '\0';
        answer.status = fetch(&job, output_fd, &answer);
        close(output_fd);
        if (!sample_send(channel_fd, &answer, sizeof answer, NULL, 0)) {
            return 1;
        }
    }
    return errno == 0 ? 0 : 1;
}
