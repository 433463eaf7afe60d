// nscd_wire: from the bytes of a question to what is asked, and from what libc says to the bytes of an answer. Pure.
//
// A question's bytes are a stranger's. An answer's are read by glibc in a client, which believes lengths that an answer says, and
// so they are made here of what was copied, never of what was found.
#include "sandbox/broker/nscd.h"

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

enum { FOUND = 1, NOT_FOUND = 0, ADDRESSES_MAX = 64, ALIASES_MAX = 16, NAME_BYTES_MAX = 1025, IN_BYTES = 4, IN6_BYTES = 16 };

// --- questions --------------------------------------------------------------------------------------------------------

static const struct {
    enum box_nscd_type type;
    int family;
    uint32_t address_bytes; // 0: the key is a name
} kinds[] = {
    {BOX_NSCD_HOST_BY_NAME, AF_INET, 0},
    {BOX_NSCD_HOST_BY_NAME_6, AF_INET6, 0},
    {BOX_NSCD_HOST_BY_ADDRESS, AF_INET, IN_BYTES},
    {BOX_NSCD_HOST_BY_ADDRESS_6, AF_INET6, IN6_BYTES},
    {BOX_NSCD_ADDRESSES, AF_UNSPEC, 0},
};
enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

// Source: glibc, nscd/nscd-client.h: request_header.
struct header {
    int32_t version, type, key_bytes;
};
_Static_assert(sizeof(struct header) == BOX_NSCD_HEADER_BYTES, "no padding: this is a wire format");

static size_t find_kind(int32_t type)
{
    size_t i = 0;
    while (i < KIND_COUNT && (int32_t)kinds[i].type != type)
        i++;
    return i;
}

// A name has exactly one NUL, its last byte; an address the bytes of its family.
static bool is_key(const uint8_t *key, uint32_t bytes, uint32_t address_bytes)
{
    return address_bytes ? bytes == address_bytes : memchr(key, '\0', bytes) == key + bytes - 1;
}

enum box_nscd_read box_nscd_read(const uint8_t *bytes, size_t count, struct box_nscd_question *ret_question)
{
    struct header header;
    if (count < sizeof header)
        return BOX_NSCD_MORE;
    memcpy(&header, bytes, sizeof header);
    const size_t kind = find_kind(header.type);
    if (header.version != BOX_NSCD_VERSION || kind == KIND_COUNT || header.key_bytes < 1 || header.key_bytes > BOX_NSCD_KEY_BYTES)
        return BOX_NSCD_REFUSED;
    const uint32_t key_bytes = (uint32_t)header.key_bytes, address_bytes = kinds[kind].address_bytes;
    const uint8_t *key = bytes + sizeof header;
    if (count < sizeof header + key_bytes)
        return BOX_NSCD_MORE;
    if (count > sizeof header + key_bytes || !is_key(key, key_bytes, address_bytes))
        return BOX_NSCD_REFUSED;
    ret_question->type = kinds[kind].type;
    ret_question->family = kinds[kind].family;
    if (address_bytes)
        memcpy(ret_question->address, key, address_bytes);
    else
        memcpy(ret_question->name, key, key_bytes);
    return BOX_NSCD_QUESTION;
}

// --- answers ----------------------------------------------------------------------------------------------------------

// Source: glibc, nscd/nscd-client.h: ai_response_header, hst_response_header.
struct addresses_header {
    int32_t version, found, address_count, address_bytes, canonical_bytes, error;
};
struct host_header {
    int32_t version, found, name_bytes, alias_count, family, address_bytes, address_count, error;
};

// Returns: false if there is no room for it, and then nothing was added.
static bool add(struct box_nscd_answer *answer, const void *bytes, size_t count)
{
    if (count > sizeof answer->data - answer->bytes)
        return false;
    memcpy(answer->data + answer->bytes, bytes, count);
    answer->bytes += count;
    return true;
}

static void begin(struct box_nscd_answer *ret_answer, const void *header, size_t bytes)
{
    ret_answer->bytes = 0;
    add(ret_answer, header, bytes);
}

void box_nscd_say_nothing(enum box_nscd_type type, int reason, struct box_nscd_answer *ret_answer)
{
    const struct addresses_header addresses = {.version = BOX_NSCD_VERSION, .found = NOT_FOUND, .error = reason};
    const struct host_header host = {.version = BOX_NSCD_VERSION, .found = NOT_FOUND, .error = reason};
    if (type == BOX_NSCD_ADDRESSES)
        begin(ret_answer, &addresses, sizeof addresses);
    else
        begin(ret_answer, &host, sizeof host);
}

// Of a name that glibc would not take, none is given. Returns: with its NUL.
static size_t name_bytes(const char *name)
{
    const size_t bytes = name ? strlen(name) + 1 : 0;
    return bytes > NAME_BYTES_MAX ? 0 : bytes;
}

// Returns: the bytes of its address; 0: it is of no family that is known.
static size_t bytes_of(const struct addrinfo *info, uint8_t address[IN6_BYTES])
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    if (info->ai_family == AF_INET && info->ai_addrlen >= sizeof in) {
        memcpy(&in, info->ai_addr, sizeof in);
        memcpy(address, &in.sin_addr, IN_BYTES);
        return IN_BYTES;
    }
    if (info->ai_family != AF_INET6 || info->ai_addrlen < sizeof in6)
        return 0;
    memcpy(&in6, info->ai_addr, sizeof in6);
    memcpy(address, &in6.sin6_addr, IN6_BYTES);
    return IN6_BYTES;
}

void box_nscd_say_addresses(const struct addrinfo *addresses, struct box_nscd_answer *ret_answer)
{
    struct addresses_header header = {.version = BOX_NSCD_VERSION, .found = FOUND};
    uint8_t families[ADDRESSES_MAX], address[IN6_BYTES];
    const char *canonical = addresses ? addresses->ai_canonname : NULL;
    begin(ret_answer, &header, sizeof header);
    for (const struct addrinfo *info = addresses; info && header.address_count < ADDRESSES_MAX; info = info->ai_next) {
        const size_t bytes = bytes_of(info, address);
        if (bytes == 0)
            continue;
        add(ret_answer, address, bytes);
        families[header.address_count++] = (uint8_t)info->ai_family;
        header.address_bytes += (int32_t)bytes;
    }
    if (header.address_count == 0) {
        box_nscd_say_nothing(BOX_NSCD_ADDRESSES, NO_DATA, ret_answer);
        return;
    }
    add(ret_answer, families, (size_t)header.address_count);
    header.canonical_bytes = (int32_t)name_bytes(canonical);
    add(ret_answer, canonical ? canonical : "", (size_t)header.canonical_bytes);
    memcpy(ret_answer->data, &header, sizeof header);
}

// The lengths of all aliases stand before the addresses, the aliases behind them. Returns: how many there is room for.
static uint32_t measure_aliases(const struct hostent *host, size_t room, uint32_t lengths[ALIASES_MAX])
{
    uint32_t count = 0;
    while (count < ALIASES_MAX && host->h_aliases && host->h_aliases[count]) {
        const size_t bytes = name_bytes(host->h_aliases[count]);
        if (bytes == 0 || bytes + sizeof lengths[0] > room)
            break;
        room -= bytes + sizeof lengths[0];
        lengths[count++] = (uint32_t)bytes;
    }
    return count;
}

void box_nscd_say_host(const struct hostent *host, struct box_nscd_answer *ret_answer)
{
    const size_t address_bytes = host->h_addrtype == AF_INET ? IN_BYTES : IN6_BYTES;
    struct host_header header = {.version = BOX_NSCD_VERSION, .found = FOUND, .family = host->h_addrtype};
    uint32_t lengths[ALIASES_MAX];
    header.name_bytes = (int32_t)name_bytes(host->h_name);
    header.address_bytes = (int32_t)address_bytes;
    while (header.address_count < ADDRESSES_MAX && host->h_addr_list[header.address_count])
        header.address_count++;
    if (header.name_bytes == 0 || header.address_count == 0 || (size_t)host->h_length != address_bytes) {
        box_nscd_say_nothing(BOX_NSCD_HOST_BY_NAME, NO_DATA, ret_answer);
        return;
    }
    begin(ret_answer, &header, sizeof header);
    add(ret_answer, host->h_name, (size_t)header.name_bytes);
    const size_t taken = ret_answer->bytes + (size_t)header.address_count * address_bytes;
    header.alias_count = (int32_t)measure_aliases(host, sizeof ret_answer->data - taken, lengths);
    add(ret_answer, lengths, (size_t)header.alias_count * sizeof lengths[0]);
    for (int32_t i = 0; i < header.address_count; i++)
        add(ret_answer, host->h_addr_list[i], address_bytes);
    for (int32_t i = 0; i < header.alias_count; i++)
        add(ret_answer, host->h_aliases[i], lengths[i]);
    memcpy(ret_answer->data, &header, sizeof header);
}
