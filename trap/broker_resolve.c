// broker_resolve: host names by the broker, for code that knows that it has one. What libc's getaddrinfo does itself (sockets,
// files, plugins) is more than most workers may; no system call stands for it, so no trap can.
//
// Takes what getaddrinfo takes, gives what it gives, in one allocation. The answer comes from a broker, which is trusted, through
// memory that every thread can write: it is copied once, then checked, then used.

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "trap/broker.h"
#include "trap/handler/handler.h"

#define ADDRESSES_MAX (BRIG_BROKER_ANSWER_BYTES / sizeof(struct brig_broker_resolved))

// One result: addrinfo stays first, so that the first one's address is the allocation's.
struct result {
    struct addrinfo info;
    union {
        struct sockaddr_storage storage;
        uint8_t bytes[sizeof(struct sockaddr_storage)];
    } address;
};

_Static_assert(sizeof(struct brig_broker_resolved) == 48, "no padding: this is a wire format");

static int error_of(int64_t result)
{
    switch (-result) {
    case ENOENT:
        return EAI_NONAME;
    case EAGAIN:
        return EAI_AGAIN;
    case EIO:
        return EAI_FAIL;
    case EINVAL:
        return EAI_BADFLAGS;
    case ENOMEM:
        return EAI_MEMORY;
    default:
        errno = (int)-result;
        return EAI_SYSTEM;
    }
}

// Returns: how long `text` is with its NUL, 0 for NULL.
static size_t text_bytes(const char *text)
{
    return text ? strnlen(text, BRIG_BROKER_PATH_BYTES) + 1 : 0;
}

static void write_request(struct brig_broker_request *request, const char *const texts[2], const struct addrinfo *hints)
{
    uint32_t used = 0;
    memset(request, 0, BRIG_BROKER_HEADER_BYTES);
    request->op = BRIG_BROKER_OP_RESOLVE;
    for (size_t i = 0; i < 2; i++) {
        const uint32_t bytes = (uint32_t)text_bytes(texts[i]);
        request->path_bytes[i] = bytes;
        if (bytes > 0) {
            memcpy(request->bytes + used, texts[i], bytes);
        }
        used += bytes;
    }
    if (hints) {
        const struct brig_broker_hints wire = {hints->ai_flags, hints->ai_family, hints->ai_socktype, hints->ai_protocol};
        memcpy(request->bytes + used, &wire, sizeof wire);
        request->data_bytes = sizeof wire;
    }
}

static bool fill_result(struct result *result, const uint8_t *from)
{
    struct brig_broker_resolved wire;
    memcpy(&wire, from, sizeof wire);
    if (wire.address_bytes > sizeof wire.address || wire.address_bytes < sizeof(sa_family_t)) {
        return false;
    }
    memcpy(result->address.bytes, wire.address, wire.address_bytes);
    result->info = (struct addrinfo){.ai_family = wire.family,
                                     .ai_socktype = wire.type,
                                     .ai_protocol = wire.protocol,
                                     .ai_addrlen = wire.address_bytes,
                                     .ai_addr = (struct sockaddr *)&result->address.storage};
    return true;
}

static int read_answer(const struct brig_broker_reply *reply, int64_t count, struct addrinfo **ret_addresses)
{
    if (count <= 0 || (uint64_t)count > ADDRESSES_MAX) {
        return EAI_FAIL;
    }
    struct result *results = calloc((size_t)count, sizeof *results);
    if (!results) {
        return EAI_MEMORY;
    }
    for (size_t i = 0; i < (size_t)count; i++) {
        if (!fill_result(&results[i], reply->answer + i * sizeof(struct brig_broker_resolved))) {
            free(results);
            return EAI_FAIL;
        }
        if (i > 0) {
            results[i - 1].info.ai_next = &results[i].info;
        }
    }
    *ret_addresses = &results->info;
    return 0;
}

int brig_broker_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_addresses)
{
    const struct brig_trap_call ordinary = {.level = 0}; // a trap of what is called from here is a first one
    const char *const texts[2] = {node, service};
    if (!trap_root_page.root.broker_slots) {
        return error_of(-EACCES);
    }
    if ((!node && !service) || text_bytes(node) > BRIG_BROKER_PATH_BYTES || text_bytes(service) > BRIG_BROKER_PATH_BYTES) {
        return EAI_NONAME;
    }
    struct brig_broker_slot *slot = trap_broker_claim(&ordinary);
    if (!slot) {
        return EAI_AGAIN;
    }
    write_request(&slot->request, texts, hints);
    const int64_t result = trap_broker_exchange(&ordinary, slot);
    const int error = result < 0 ? error_of(result) : read_answer(&slot->reply, result, ret_addresses);
    trap_broker_release(slot);
    return error;
}

void brig_broker_freeaddrinfo(struct addrinfo *addresses)
{
    free(addresses);
}
