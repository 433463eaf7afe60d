// What is a question to nscd and what is none, and answers as glibc reads them.
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "sandbox/broker/nscd.h"
#include "tests/shim/test.h"

// --- questions --------------------------------------------------------------------------------------------------------

struct bytes {
    int32_t header[3];
    char key[BOX_NSCD_KEY_BYTES + 8];
};

#define KEY(text) sizeof(text), text, sizeof(text)

static const struct {
    const char *what;
    int32_t version, type, key_bytes;
    const char *key;
    size_t sent; // of the key
    enum box_nscd_read expected;
} rows[] = {
    {"getaddrinfo", 2, BOX_NSCD_ADDRESSES, KEY("localhost"), BOX_NSCD_QUESTION},
    {"gethostbyname", 2, BOX_NSCD_HOST_BY_NAME, KEY("localhost"), BOX_NSCD_QUESTION},
    {"gethostbyname2", 2, BOX_NSCD_HOST_BY_NAME_6, KEY("localhost"), BOX_NSCD_QUESTION},
    {"gethostbyaddr", 2, BOX_NSCD_HOST_BY_ADDRESS, 4, "\x7f\0\0\1", 4, BOX_NSCD_QUESTION},
    {"gethostbyaddr, IPv6", 2, BOX_NSCD_HOST_BY_ADDRESS_6, 16, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16, BOX_NSCD_QUESTION},
    {"an empty name", 2, BOX_NSCD_ADDRESSES, KEY(""), BOX_NSCD_QUESTION},
    {"another version", 1, BOX_NSCD_ADDRESSES, KEY("localhost"), BOX_NSCD_REFUSED},
    {"the other byte order", 2 << 24, BOX_NSCD_ADDRESSES << 24, KEY("localhost"), BOX_NSCD_REFUSED},
    {"getpwnam", 2, 0, KEY("root"), BOX_NSCD_REFUSED},
    {"shutdown", 2, 8, KEY("x"), BOX_NSCD_REFUSED},
    {"the mapped cache of hosts", 2, 13, KEY("hosts"), BOX_NSCD_REFUSED},
    {"getservbyname", 2, 16, KEY("http/tcp"), BOX_NSCD_REFUSED},
    {"a type below all", 2, -1, KEY("x"), BOX_NSCD_REFUSED},
    {"a type beyond all", 2, INT32_MAX, KEY("x"), BOX_NSCD_REFUSED},
    {"no key", 2, BOX_NSCD_ADDRESSES, 0, "", 0, BOX_NSCD_REFUSED},
    {"less than no key", 2, BOX_NSCD_ADDRESSES, -5, "", 0, BOX_NSCD_REFUSED},
    {"a long key that is not there yet", 2, BOX_NSCD_ADDRESSES, BOX_NSCD_KEY_BYTES, "x", 1, BOX_NSCD_MORE},
    {"a key that is too long", 2, BOX_NSCD_ADDRESSES, BOX_NSCD_KEY_BYTES + 1, "x", 1, BOX_NSCD_REFUSED},
    {"the longest number", 2, BOX_NSCD_ADDRESSES, INT32_MAX, "x", 1, BOX_NSCD_REFUSED},
    {"a name without an end", 2, BOX_NSCD_ADDRESSES, 4, "name", 4, BOX_NSCD_REFUSED},
    {"a name with two ends", 2, BOX_NSCD_ADDRESSES, 5, "na\0e", 5, BOX_NSCD_REFUSED},
    {"more than a question", 2, BOX_NSCD_ADDRESSES, 5, "name\0x", 6, BOX_NSCD_REFUSED},
    {"half an address", 2, BOX_NSCD_HOST_BY_ADDRESS, 3, "\x7f\0\0", 3, BOX_NSCD_REFUSED},
    {"an address of the other family", 2, BOX_NSCD_HOST_BY_ADDRESS_6, 4, "\x7f\0\0\1", 4, BOX_NSCD_REFUSED},
};

TEST(nscd, questions_are_read_as_they_are_or_not_at_all)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct bytes bytes = {.header = {rows[i].version, rows[i].type, rows[i].key_bytes}};
        struct box_nscd_question question;
        test_message("%s", rows[i].what);
        memcpy(bytes.key, rows[i].key, rows[i].sent);
        CHECK_EQ(box_nscd_read((const uint8_t *)&bytes, BOX_NSCD_HEADER_BYTES + rows[i].sent, &question), rows[i].expected);
        if (rows[i].expected != BOX_NSCD_QUESTION)
            continue;
        CHECK_EQ(question.type, rows[i].type);
        CHECK(memcmp(rows[i].sent > 1 && rows[i].type / 2 == 3 ? (const void *)question.address : question.name, rows[i].key,
                     rows[i].sent) == 0);
        for (size_t part = 0; part < BOX_NSCD_HEADER_BYTES + rows[i].sent; part++)
            CHECK_EQ(box_nscd_read((const uint8_t *)&bytes, part, &question), BOX_NSCD_MORE);
    }
}

// --- answers ----------------------------------------------------------------------------------------------------------

static int32_t number_at(const struct box_nscd_answer *answer, size_t index)
{
    int32_t number;
    memcpy(&number, answer->data + index * sizeof number, sizeof number);
    return number;
}

TEST(nscd, nothing_found_is_a_header_with_the_reason)
{
    struct box_nscd_answer answer;
    box_nscd_say_nothing(BOX_NSCD_ADDRESSES, TRY_AGAIN, &answer);
    CHECK_EQ(answer.bytes, 24);
    CHECK_EQ(number_at(&answer, 0), BOX_NSCD_VERSION);
    CHECK_EQ(number_at(&answer, 1), 0);
    CHECK_EQ(number_at(&answer, 5), TRY_AGAIN);
    box_nscd_say_nothing(BOX_NSCD_HOST_BY_ADDRESS, HOST_NOT_FOUND, &answer);
    CHECK_EQ(answer.bytes, 32);
    CHECK_EQ(number_at(&answer, 1), 0);
    CHECK_EQ(number_at(&answer, 7), HOST_NOT_FOUND);
}

enum { MANY = 100 };

// A list of `count`, of both families in turn.
static void make_addresses(struct addrinfo *ret_infos, struct sockaddr_in6 *ret_addresses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl((uint32_t)i)}};
        const bool is_in = i % 2 == 0;
        ret_addresses[i] = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = {{{[15] = (uint8_t)i}}}};
        if (is_in)
            memcpy(&ret_addresses[i], &in, sizeof in);
        ret_infos[i] = (struct addrinfo){.ai_family = is_in ? AF_INET : AF_INET6,
                                         .ai_addrlen = is_in ? sizeof in : sizeof ret_addresses[i],
                                         .ai_addr = (struct sockaddr *)&ret_addresses[i],
                                         .ai_next = i + 1 < count ? &ret_infos[i + 1] : NULL};
    }
}

TEST(nscd, addresses_come_before_families_and_the_name)
{
    static struct addrinfo infos[MANY];
    static struct sockaddr_in6 addresses[MANY];
    char name[] = "host.example";
    struct box_nscd_answer answer;
    make_addresses(infos, addresses, 2);
    infos[0].ai_canonname = name;
    box_nscd_say_addresses(infos, &answer);
    CHECK_EQ(answer.bytes, 24 + 4 + 16 + 2 + sizeof name);
    CHECK_EQ(number_at(&answer, 1), 1);
    CHECK_EQ(number_at(&answer, 2), 2);
    CHECK_EQ(number_at(&answer, 3), 20);
    CHECK_EQ(number_at(&answer, 4), sizeof name);
    CHECK_EQ(answer.data[24 + 4 + 15], 1);
    CHECK_EQ(answer.data[24 + 20], AF_INET);
    CHECK_EQ(answer.data[24 + 21], AF_INET6);
    CHECK_STR_EQ((const char *)answer.data + 24 + 22, name);
    make_addresses(infos, addresses, MANY);
    box_nscd_say_addresses(infos, &answer);
    CHECK_EQ(number_at(&answer, 2), 64);
    CHECK_EQ(answer.bytes, 24 + 32 * 20 + 64);
    infos[0] = (struct addrinfo){.ai_family = AF_UNIX};
    box_nscd_say_addresses(infos, &answer);
    CHECK_EQ(number_at(&answer, 1), 0);
}

TEST(nscd, a_host_has_as_many_aliases_as_fit)
{
    static char long_name[900], *aliases[MANY + 1], *addresses[MANY + 1], address[16] = {1};
    char name[] = "host";
    struct hostent host = {.h_name = name, .h_aliases = aliases, .h_addrtype = AF_INET6, .h_length = 16, .h_addr_list = addresses};
    struct box_nscd_answer answer;
    memset(long_name, 'x', sizeof long_name - 1);
    for (size_t i = 0; i < MANY; i++) {
        aliases[i] = i == 1 ? long_name : name;
        addresses[i] = address;
    }
    aliases[2] = addresses[1] = NULL;
    box_nscd_say_host(&host, &answer);
    CHECK_EQ(number_at(&answer, 2), 5);
    CHECK_EQ(number_at(&answer, 3), 2);
    CHECK_EQ(number_at(&answer, 5), 16);
    CHECK_EQ(number_at(&answer, 6), 1);
    CHECK_EQ(answer.bytes, 32 + 5 + 2 * 4 + 16 + 5 + 900);
    for (size_t i = 0; i < MANY; i++) {
        aliases[i] = long_name;
        addresses[i] = address;
    }
    box_nscd_say_host(&host, &answer);
    CHECK_EQ(number_at(&answer, 6), 64);
    CHECK_EQ(number_at(&answer, 3), 3);
    CHECK_EQ(answer.bytes, 32 + 5 + 3 * 4 + 64 * 16 + 3 * 900);
    addresses[0] = NULL;
    box_nscd_say_host(&host, &answer);
    CHECK_EQ(number_at(&answer, 1), 0);
}
