// denials: what was refused, counted, in memory that the supervisor reads.
//
// Takes refused requests from any thread, keeps BOX_DENIALS different ones. What comes after that is counted in the last entry,
// which then has no path. An entry is written before `used` says that it is there, and only its count changes later: so the reader
// needs no lock.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "sandbox/broker/session.h"

// Where entries are, by hash: index + 1, 0: free. Twice as many places as entries, so that a search ends soon.
enum { PLACES = 2 * BOX_DENIALS };
static struct {
    pthread_mutex_t lock;
    uint16_t places[PLACES];
} index_of = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint32_t hash_of(const struct box_denial *denial)
{
    const uint32_t words[] = {denial->call, denial->op, denial->flags, (uint32_t)denial->sys_errno};
    uint32_t hash = 2166136261u; // FNV-1a
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        hash = (hash ^ words[i]) * 16777619u;
    for (const char *at = denial->path; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 16777619u;
    return hash;
}

static bool is_same(const struct box_denial *a, const struct box_denial *b)
{
    return a->call == b->call && a->op == b->op && a->flags == b->flags && a->sys_errno == b->sys_errno &&
           strcmp(a->path, b->path) == 0;
}

// Returns: the entry's index, or that of a free one, made ready.
static uint32_t find(struct box_denials *denials, const struct box_denial *denial)
{
    const uint32_t last = BOX_DENIALS - 1;
    uint32_t place = hash_of(denial) % PLACES;
    for (; index_of.places[place]; place = (place + 1) % PLACES) {
        if (is_same(&denials->entries[index_of.places[place] - 1], denial))
            return index_of.places[place] - 1u;
    }
    const uint32_t used = denials->used;
    if (used == BOX_DENIALS)
        return last;
    denials->entries[used] = used == last ? (struct box_denial){.count = 0} : *denial;
    denials->entries[used].count = 0;
    if (used != last)
        index_of.places[place] = (uint16_t)(used + 1);
    __atomic_store_n(&denials->used, used + 1, __ATOMIC_RELEASE);
    return used;
}

void box_denials_count(struct box_denials *denials, const struct box_denial *denial)
{
    pthread_mutex_lock(&index_of.lock);
    __atomic_fetch_add(&denials->entries[find(denials, denial)].count, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&index_of.lock);
}

// --- what a request is about ------------------------------------------------------------------------------------------

// As addresses are written in lists.
static void address_text(const uint8_t *data, size_t bytes, char *text, size_t text_bytes)
{
    char host[INET6_ADDRSTRLEN] = "?";
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    memcpy(&address, data, bytes < sizeof address ? bytes : sizeof address);
    const struct sockaddr_un *un = (const struct sockaddr_un *)&address;
    const struct sockaddr_in *in = (const struct sockaddr_in *)&address;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address;
    if (address.ss_family == AF_UNIX) {
        const bool is_abstract = un->sun_path[0] == '\0';
        snprintf(text, text_bytes, "unix:%s%.*s", is_abstract ? "@" : "", (int)sizeof un->sun_path - 1, un->sun_path + is_abstract);
    } else if (address.ss_family == AF_INET) {
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(text, text_bytes, "%s:%u", host, ntohs(in->sin_port));
    } else if (address.ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        snprintf(text, text_bytes, "[%s]:%u", host, ntohs(in6->sin6_port));
    } else {
        snprintf(text, text_bytes, "address family %u", address.ss_family);
    }
}

void box_denial_of(const struct brig_broker_request *request, int64_t result, struct box_denial *ret_denial)
{
    // Of a new symbolic link path 0 is its text.
    const uint8_t *path = request->bytes + (request->op == BRIG_BROKER_OP_SYMLINK ? request->path_bytes[0] : 0);
    const size_t bytes = request->path_bytes[0] ? strlen((const char *)path) : 0, room = sizeof ret_denial->path - 1;
    *ret_denial =
        (struct box_denial){.call = request->call, .op = request->op, .flags = request->flags, .sys_errno = (int32_t)-result};
    if (request->op == BRIG_BROKER_OP_CONNECT)
        address_text(path, request->data_bytes, ret_denial->path, sizeof ret_denial->path);
    else
        memcpy(ret_denial->path, path + (bytes > room ? bytes - room : 0), bytes > room ? room : bytes);
}
