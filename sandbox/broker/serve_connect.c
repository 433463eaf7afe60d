// serve_connect: CONNECT and RESOLVE. What leads out of the machine's files.
//
// The address is a private copy, so nobody changes it between check and use; the socket is the client's own, and connects from the
// broker's process. A blocking socket blocks the request's thread as long as its own SO_SNDTIMEO says.
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "sandbox/broker/nscd.h"
#include "sandbox/broker/serve.h"

// glibc's sockets to nscd do not wait. musl's do; it asks nscd for users and groups, which it takes silence about for a failure,
// and a refusal for nobody.
static bool is_for_nscd(const struct box_job *job)
{
    struct sockaddr_un address = {.sun_family = AF_UNSPEC};
    int type;
    socklen_t type_bytes = sizeof type;
    if (!job->nscd || job->request->data_bytes > sizeof address)
        return false;
    memcpy(&address, job->data, job->request->data_bytes);
    if (address.sun_family != AF_UNIX || strncmp(address.sun_path, BOX_NSCD_PATH, sizeof address.sun_path) != 0)
        return false;
    return getsockopt(job->attached[2], SOL_SOCKET, SO_TYPE, &type, &type_bytes) == 0 && type == SOCK_STREAM &&
           (fcntl(job->attached[2], F_GETFL) & O_NONBLOCK) != 0;
}

void box_serve_CONNECT(struct box_job *job)
{
    enum brig_broker_verdict verdict = BRIG_BROKER_DONE;
    job->reply->result = box_addresses_connect(job->list, job->attached[2], job->data, job->request->data_bytes, &verdict);
    if (verdict == BRIG_BROKER_DENIED && is_for_nscd(job)) {
        job->reply->result = box_nscd_connect(job->nscd, job->client, job->attached[2]);
        verdict = BRIG_BROKER_DONE;
    }
    job->reply->verdict = verdict;
}

static int errno_of_resolver(int code, int reason)
{
    static const struct {
        int code, reason;
    } errors[] = {
#define ERROR(code, reason) {code, reason},
#include "trap/broker_errors.def"
#undef ERROR
    };
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (errors[i].code == code)
            return errors[i].reason;
    }
    return code == EAI_SYSTEM && reason ? reason : EIO;
}

// Not AI_IDN and its like: libc loads a library for them, which the broker's policy kills it for.
static bool are_known(int32_t flags)
{
    const int32_t known = AI_PASSIVE | AI_CANONNAME | AI_NUMERICHOST | AI_NUMERICSERV | AI_V4MAPPED | AI_ALL | AI_ADDRCONFIG;
    return !(flags & ~known);
}

static struct brig_broker_hints hints_of(const struct box_job *job)
{
    struct brig_broker_hints hints = {.family = AF_UNSPEC};
    if (job->request->data_bytes)
        memcpy(&hints, job->data, sizeof hints);
    return hints;
}

static struct addrinfo as_libc_has_them(const struct brig_broker_hints *hints)
{
    return (struct addrinfo){
        .ai_flags = hints->flags, .ai_family = hints->family, .ai_socktype = hints->type, .ai_protocol = hints->protocol};
}

// The canonical name has room in any case; addresses as many as are left.
static uint32_t write_addresses(struct brig_broker_reply *reply, const struct addrinfo *address)
{
    const char *name = address->ai_canonname;
    const size_t name_bytes = name && strlen(name) < NI_MAXHOST ? strlen(name) + 1 : 0;
    uint32_t count = 0;
    size_t used = 0;
    for (; address && used + sizeof(struct brig_broker_resolved) + name_bytes <= sizeof reply->answer; address = address->ai_next) {
        struct brig_broker_resolved resolved = {.family = address->ai_family,
                                                .type = address->ai_socktype,
                                                .protocol = address->ai_protocol,
                                                .address_bytes = address->ai_addrlen,
                                                .flags = address->ai_flags};
        if (address->ai_addrlen > sizeof resolved.address)
            continue;
        memcpy(resolved.address, address->ai_addr, address->ai_addrlen);
        memcpy(reply->answer + used, &resolved, sizeof resolved);
        used += sizeof resolved;
        count++;
    }
    if (name_bytes > 0)
        memcpy(reply->answer + used, name, name_bytes);
    reply->answer_bytes = (uint32_t)(used + name_bytes);
    return count;
}

void box_serve_RESOLVE(struct box_job *job)
{
    const struct brig_broker_hints given = hints_of(job);
    const struct addrinfo hints = as_libc_has_them(&given);
    struct addrinfo *addresses = NULL;
    if (!job->list->may_resolve) {
        job->reply->result = -(int)job->list->deny_errno;
        job->reply->verdict = BRIG_BROKER_DENIED;
        return;
    }
    int code = EAI_BADFLAGS;
    if (are_known(given.flags)) // no hints are other hints than none set
        code = getaddrinfo(job->path[0], job->path[1], job->request->data_bytes ? &hints : NULL, &addresses);
    if (code != 0) {
        job->reply->result = -errno_of_resolver(code, errno);
        return;
    }
    job->reply->result = write_addresses(job->reply, addresses);
    freeaddrinfo(addresses);
}
