// names: getaddrinfo asked of a broker that may resolve. What libc does itself for a name (sockets, files, plugins) is more than
// most policies give.
//
// Takes what getaddrinfo takes. Gives the broker's answer where this process has a broker that may resolve; before there is one,
// where it may not, and for the flags that it does not know (AI_IDN), libc's own. freeaddrinfo takes lists of both, also where a
// program has put them together or taken them apart: each of our results can be freed alone, as each of glibc's can.
//
// Which results are ours is told by where they are: they stand in blocks that are never given back, so no result of libc's is ever
// there. A process has as many blocks as it had results at once.
//
// Weakness: gethostbyname and getnameinfo are libc's own; glibc's find the broker as nscd where a policy has local sockets.
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "trap/wrap/wrap.h"

// --- results ----------------------------------------------------------------------------------------------------------

struct result {
    struct addrinfo info; // first, so that its address is the result's
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } address;
    bool is_taken;
};

struct block {
    struct block *next;
    struct result results[64];
};

static struct block first_block;
static struct block *blocks = &first_block;

static struct result *take_from(struct block *block)
{
    for (size_t i = 0; i < sizeof block->results / sizeof block->results[0]; i++) {
        if (!__atomic_exchange_n(&block->results[i].is_taken, true, __ATOMIC_ACQUIRE)) {
            return &block->results[i];
        }
    }
    return NULL;
}

// Returns: NULL if there is no memory.
static struct result *take_result(void)
{
    struct block *block = __atomic_load_n(&blocks, __ATOMIC_ACQUIRE);
    for (; block; block = block->next) {
        struct result *result = take_from(block);
        if (result) {
            return result;
        }
    }
    block = calloc(1, sizeof *block);
    if (!block) {
        return NULL;
    }
    block->results[0].is_taken = true;
    block->next = __atomic_load_n(&blocks, __ATOMIC_RELAXED);
    for (bool is_in = false; !is_in;) { // another thread may come first
        is_in = __atomic_compare_exchange_n(&blocks, &block->next, block, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
    }
    return &block->results[0];
}

// Returns: NULL if it is libc's.
static struct result *find_result(const struct addrinfo *info)
{
    for (struct block *block = __atomic_load_n(&blocks, __ATOMIC_ACQUIRE); block; block = block->next) {
        const uintptr_t offset = (uintptr_t)info - (uintptr_t)block->results;
        if (offset < sizeof block->results) {
            return &block->results[offset / sizeof block->results[0]];
        }
    }
    return NULL;
}

static void give_back(struct result *result)
{
    free(result->info.ai_canonname);
    __atomic_store_n(&result->is_taken, false, __ATOMIC_RELEASE);
}

// --- freeaddrinfo -----------------------------------------------------------------------------------------------------

// Gives libc's results up to the next of ours to libc. Returns: that one, or NULL.
static struct addrinfo *free_of_libc(struct addrinfo *infos)
{
    struct addrinfo *last = infos;
    while (last->ai_next && !find_result(last->ai_next)) {
        last = last->ai_next;
    }
    struct addrinfo *next = last->ai_next;
    last->ai_next = NULL;
    trap_wrap_resolver()->freeaddrinfo(infos);
    return next;
}

void trap_wrap_freeaddrinfo(struct addrinfo *infos)
{
    while (infos) {
        struct result *result = find_result(infos);
        if (result) {
            infos = infos->ai_next;
            give_back(result);
        } else {
            infos = free_of_libc(infos);
        }
    }
}

// --- getaddrinfo ------------------------------------------------------------------------------------------------------

// Returns: false if there is no memory.
static bool copy_result(const struct addrinfo *info, struct addrinfo **ret_copy)
{
    struct result *result = take_result();
    if (!result) {
        return false;
    }
    result->info = *info;
    result->info.ai_next = NULL;
    result->info.ai_addr = &result->address.any;
    memcpy(&result->address, info->ai_addr, info->ai_addrlen < sizeof result->address ? info->ai_addrlen : sizeof result->address);
    result->info.ai_canonname = info->ai_canonname ? strdup(info->ai_canonname) : NULL;
    *ret_copy = &result->info;
    return !info->ai_canonname || result->info.ai_canonname;
}

// Of a list in one allocation, which is given back, makes one whose results stand alone.
static int take_over(struct addrinfo *answer, struct addrinfo **ret_infos)
{
    struct addrinfo *copies = NULL, **end = &copies;
    bool is_done = true;
    for (const struct addrinfo *info = answer; info && is_done; info = info->ai_next) {
        is_done = copy_result(info, end);
        end = *end ? &(*end)->ai_next : end;
    }
    brig_broker_freeaddrinfo(answer);
    if (!is_done) {
        trap_wrap_freeaddrinfo(copies);
        return EAI_MEMORY;
    }
    *ret_infos = copies;
    return 0;
}

// A refusal is for ever: it is the list's.
static bool is_refused;

static bool may_ask(const struct addrinfo *hints)
{
    const int known = AI_PASSIVE | AI_CANONNAME | AI_NUMERICHOST | AI_NUMERICSERV | AI_V4MAPPED | AI_ALL | AI_ADDRCONFIG;
    return brig_broker_getaddrinfo && brig_trap_is_armed && brig_trap_is_armed() && !(hints && hints->ai_flags & ~known) &&
           !__atomic_load_n(&is_refused, __ATOMIC_RELAXED);
}

int trap_wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_infos)
{
    struct addrinfo *answer;
    const int reason = errno;
    if (!may_ask(hints)) {
        return trap_wrap_resolver()->getaddrinfo(node, service, hints, ret_infos);
    }
    const int code = brig_broker_getaddrinfo(node, service, hints, &answer);
    if (code == EAI_SYSTEM && errno == EACCES) {
        __atomic_store_n(&is_refused, true, __ATOMIC_RELAXED);
        errno = reason;
        return trap_wrap_resolver()->getaddrinfo(node, service, hints, ret_infos);
    }
    return code == 0 ? take_over(answer, ret_infos) : code;
}
