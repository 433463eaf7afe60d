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
    static const struct {
        int code, reason;
    } errors[] = {
#define ERROR(code, reason) {code, reason},
#include "trap/broker_errors.def"
#undef ERROR
    };
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (errors[i].reason == -result) {
            return errors[i].code;
        }
    }
    errno = (int)-result;
    return EAI_SYSTEM;
}

static int refused(void)
{
    errno = EACCES;
    return EAI_SYSTEM;
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
    result->info = (struct addrinfo){.ai_flags = wire.flags,
                                     .ai_family = wire.family,
                                     .ai_socktype = wire.type,
                                     .ai_protocol = wire.protocol,
                                     .ai_addrlen = wire.address_bytes,
                                     .ai_addr = (struct sockaddr *)&result->address.storage};
    return true;
}

// One behind the other, and the name behind the last.
static bool fill_results(struct result *results, size_t count, const struct brig_broker_reply *reply, size_t name_bytes)
{
    char *name = (char *)&results[count];
    for (size_t i = 0; i < count; i++) {
        if (!fill_result(&results[i], reply->answer + i * sizeof(struct brig_broker_resolved))) {
            return false;
        }
        if (i > 0) {
            results[i - 1].info.ai_next = &results[i].info;
        }
    }
    if (name_bytes > 0) {
        memcpy(name, reply->answer + count * sizeof(struct brig_broker_resolved), name_bytes);
        name[name_bytes - 1] = '\0';
        results->info.ai_canonname = name;
    }
    return true;
}

static int read_answer(const struct brig_broker_reply *reply, int64_t count, struct addrinfo **ret_addresses)
{
    const uint32_t answer_bytes = __atomic_load_n(&reply->answer_bytes, __ATOMIC_RELAXED);
    if (count <= 0 || (uint64_t)count > ADDRESSES_MAX || answer_bytes > sizeof reply->answer ||
        answer_bytes < (size_t)count * sizeof(struct brig_broker_resolved)) {
        return EAI_FAIL;
    }
    const size_t name_bytes = answer_bytes - (size_t)count * sizeof(struct brig_broker_resolved);
    struct result *results = calloc(1, (size_t)count * sizeof *results + name_bytes);
    if (!results) {
        return EAI_MEMORY;
    }
    if (!fill_results(results, (size_t)count, reply, name_bytes)) {
        free(results);
        return EAI_FAIL;
    }
    *ret_addresses = &results->info;
    return 0;
}

int brig_broker_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_addresses)
{
    const struct brig_trap_call ordinary = {.level = 0}; // a trap of what is called from here is a first one
    const char *const texts[2] = {node, service};
    if (!trap_root_page.root.broker_slots) {
        return refused();
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
    const uint32_t verdict = slot->reply.verdict;
    const int error = result >= 0                   ? read_answer(&slot->reply, result, ret_addresses)
                      : verdict == BRIG_BROKER_DONE ? error_of(result)
                                                    : refused();
    trap_broker_release(slot);
    return error;
}

void brig_broker_freeaddrinfo(struct addrinfo *addresses)
{
    free(addresses);
}
