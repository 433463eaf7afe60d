// getaddrinfo and freeaddrinfo with a broker behind them: the same answers as libc's own, and lists that programs take apart.
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/trap/broker_fixture.h"

static const struct trap_rule rules[] = {BROKER_ASKED(SYS_openat)};

static bool start(struct broker_fixture *fixture)
{
    broker_resolver = getaddrinfo;
    broker_start(fixture, rules, COUNT_OF(rules));
    return broker_lock(fixture);
}

static void end(struct broker_fixture *fixture)
{
    broker_kill(fixture);
    broker_end(fixture);
}

// --- side by side -----------------------------------------------------------------------------------------------------

static const struct question {
    const char *node, *service;
    bool has_hints;
    struct addrinfo hints;
} questions[] = {
    {"127.0.0.1", "80", false, {.ai_flags = 0}},
    {"127.0.0.1", NULL, false, {.ai_flags = 0}},
    {"::1", "443", false, {.ai_flags = 0}},
    {NULL, "80", false, {.ai_flags = 0}},
    {NULL, "80", true, {.ai_flags = AI_PASSIVE}},
    {NULL, "80", true, {.ai_flags = AI_PASSIVE, .ai_family = AF_INET6, .ai_socktype = SOCK_STREAM}},
    {"127.0.0.1", "80", true, {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_DGRAM}},
    {"127.0.0.1", "80", true, {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_family = AF_INET}},
    {"127.0.0.1", "80", true, {.ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM}},
    {"127.0.0.1", "80", true, {.ai_flags = AI_V4MAPPED, .ai_family = AF_INET6, .ai_socktype = SOCK_STREAM}},
    {"localhost", "80", true, {.ai_flags = AI_CANONNAME, .ai_family = AF_INET, .ai_socktype = SOCK_STREAM}},
    {"localhost", NULL, true, {.ai_flags = AI_NUMERICHOST}},
    {"::1", "80", true, {.ai_family = AF_INET}},
    {"127.0.0.1", "no-such-service", false, {.ai_flags = 0}},
    {"127.0.0.1", "http", true, {.ai_flags = AI_NUMERICSERV}},
    {"127.0.0.1", "80", true, {.ai_family = 77}},
    {"127.0.0.1", "80", true, {.ai_socktype = 77}},
    {"127.0.0.1", "80", true, {.ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_UDP}},
    {"127.0.0.1", NULL, true, {.ai_socktype = SOCK_RAW, .ai_protocol = 1}},
    {"127.0.0.1", "80", true, {.ai_flags = 0x40000000}},
    {NULL, NULL, false, {.ai_flags = 0}},
    {NULL, "80", true, {.ai_flags = AI_CANONNAME}},
    {"1.2.3.4.5", "80", true, {.ai_flags = AI_NUMERICHOST}},
};

static int ask(const struct question *question, struct addrinfo **ret_infos)
{
    return getaddrinfo(question->node, question->service, question->has_hints ? &question->hints : NULL, ret_infos);
}

static void check_same(const struct addrinfo *found, const struct addrinfo *expected)
{
    // The first one's, by POSIX; musl has it at all of them, asked for or not.
    CHECK(!expected->ai_canonname || (found->ai_canonname && strcmp(found->ai_canonname, expected->ai_canonname) == 0));
    for (; found && expected; found = found->ai_next, expected = expected->ai_next) {
        CHECK_EQ(found->ai_flags, expected->ai_flags);
        CHECK_EQ(found->ai_family, expected->ai_family);
        CHECK_EQ(found->ai_socktype, expected->ai_socktype);
        CHECK_EQ(found->ai_protocol, expected->ai_protocol);
        CHECK_EQ(found->ai_addrlen, expected->ai_addrlen);
        CHECK(memcmp(found->ai_addr, expected->ai_addr, expected->ai_addrlen) == 0);
    }
    CHECK(!found && !expected);
}

SANDBOX_TEST(wrap_names, answers_are_those_of_libc, .expect_exit = 0)
{
    struct addrinfo *expected[COUNT_OF(questions)] = {NULL}, *found;
    int codes[COUNT_OF(questions)];
    struct broker_fixture fixture;
    for (size_t i = 0; i < COUNT_OF(questions); i++) {
        codes[i] = ask(&questions[i], &expected[i]);
    }
    REQUIRE(start(&fixture));
    for (size_t i = 0; i < COUNT_OF(questions); i++) {
        test_message("%zu: %s %s", i, questions[i].node ? questions[i].node : "-",
                     questions[i].service ? questions[i].service : "-");
        const int code = ask(&questions[i], &found);
        CHECK_EQ(code, codes[i]);
        if (code == 0 && codes[i] == 0) {
            check_same(found, expected[i]);
            freeaddrinfo(found);
            freeaddrinfo(expected[i]);
        }
    }
    test_message("%s", "");
    end(&fixture);
}

// --- whose it is ------------------------------------------------------------------------------------------------------

static struct addrinfo *resolve(const char *node)
{
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME};
    struct addrinfo *infos = NULL;
    CHECK_EQ(getaddrinfo(node, "80", &hints, &infos), 0);
    return infos;
}

SANDBOX_TEST(wrap_names, the_broker_is_asked_where_it_may_resolve, .expect_exit = 0)
{
    struct broker_fixture fixture;
    struct addrinfo *infos;
    REQUIRE(start(&fixture));
    infos = resolve("host"); // which nobody else knows
    CHECK(infos && infos->ai_next && !infos->ai_next->ai_next);
    freeaddrinfo(infos);
    CHECK_EQ(getaddrinfo("no", NULL, NULL, &infos), EAI_NONAME);
    CHECK_EQ(getaddrinfo("broken", NULL, NULL, &infos), EAI_FAIL);
    broker_kill(&fixture);
    CHECK_EQ(getaddrinfo("127.0.0.1", NULL, NULL, &infos), EAI_FAIL);
    broker_end(&fixture);
}

SANDBOX_TEST(wrap_names, libc_is_asked_where_the_broker_may_not, .expect_exit = 0)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct broker_fixture fixture;
    struct addrinfo *infos;
    REQUIRE(start(&fixture));
    CHECK_NE(getaddrinfo("refused", "80", &hints, &infos), 0); // libc's own answer
    broker_kill(&fixture);
    CHECK_EQ(getaddrinfo("127.0.0.1", "80", &hints, &infos), 0); // and from then on, at once
    freeaddrinfo(infos);
    broker_end(&fixture);
}

#ifdef __GLIBC__ // musl's own lists cannot be taken apart
#define LIBC_LISTS 1
#else
#define LIBC_LISTS 0
#endif

SANDBOX_TEST(wrap_names, lists_are_freed_in_parts_and_mixed_with_others, .expect_exit = 0)
{
    struct broker_fixture fixture;
    struct addrinfo *others[2] = {resolve("127.0.0.1"), resolve("127.0.0.2")};
    REQUIRE(start(&fixture));
    freeaddrinfo(NULL);
    struct addrinfo *infos = resolve("host"), *rest = infos->ai_next;
    infos->ai_next = NULL;
    freeaddrinfo(infos); // the head alone
    struct sockaddr_in address;
    memcpy(&address, rest->ai_addr, sizeof address);
    CHECK_EQ(address.sin_addr.s_addr, htonl(0x7f000002));
    rest->ai_next = others[0]; // ours, libc's, ours, libc's
    others[0]->ai_next = resolve("host");
    others[0]->ai_next->ai_next->ai_next = LIBC_LISTS ? others[1] : NULL;
    freeaddrinfo(rest);
    if (!LIBC_LISTS) {
        freeaddrinfo(others[1]);
    }
    end(&fixture);
}

SANDBOX_TEST(wrap_names, more_results_than_a_block_has, .expect_exit = 0)
{
    enum { LISTS = 200 };
    struct broker_fixture fixture;
    struct addrinfo *lists[LISTS];
    REQUIRE(start(&fixture));
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < LISTS; i++) {
            lists[i] = resolve("host");
        }
        for (size_t i = 0; i < LISTS; i++) {
            CHECK(lists[i]->ai_next != NULL);
            freeaddrinfo(lists[(i * 7) % LISTS]);
        }
    }
    end(&fixture);
}

static void *resolve_often(void *data)
{
    for (int i = 0; i < 100; i++) {
        struct addrinfo *infos = resolve("host");
        CHECK(infos && infos->ai_next && infos->ai_canonname == NULL);
        freeaddrinfo(infos);
    }
    return data;
}

SANDBOX_TEST(wrap_names, many_threads_resolve, .expect_exit = 0)
{
    struct broker_fixture fixture;
    pthread_t threads[6];
    REQUIRE(start(&fixture));
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, resolve_often, NULL), 0);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    end(&fixture);
}
