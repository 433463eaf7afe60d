// Lists: which are refused, and which entry decides about a path. Requests: which are malformed.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/sandbox/broker_fixture.h"

#define READ_BELOW (BRIG_BROKER_READ | BRIG_BROKER_RECURSIVE)

static char long_path[BRIG_BROKER_PATH_BYTES + 2];

#define ENTRIES(...) \
    .entries = (const struct brig_broker_entry[]){__VA_ARGS__}, \
    .entry_count = COUNT_OF(((const struct brig_broker_entry[]){__VA_ARGS__}))
#define ADDRESS(...) .addresses = (const struct brig_broker_address[]){__VA_ARGS__}, .address_count = 1

static const struct {
    const char *subject; // of the error; NULL: none
    struct brig_broker_list list;
} lists[] = {
    {NULL, {.entry_count = 0}},
    {NULL, {ENTRIES({.path = "/"})}},
    {NULL, {ENTRIES({.path = "/no/such/place", .rights = READ_BELOW})}},
    {NULL, {ENTRIES({.path = "//tmp/./x/", .rights = READ_BELOW})}},
    {"list.entries.path", {ENTRIES({.path = NULL})}},
    {"", {ENTRIES({.path = ""})}},
    {"tmp", {ENTRIES({.path = "tmp"})}},
    {"/tmp/..", {ENTRIES({.path = "/tmp/.."})}},
    {long_path, {ENTRIES({.path = long_path})}},
    {"/tmp", {ENTRIES({.path = "/tmp", .rights = 256})}},
    {"/tmp", {ENTRIES({.path = "/tmp", .rights = BRIG_BROKER_TEMPORARY})}},
    {"/tmp", {ENTRIES({.path = "/tmp", .rights = BRIG_BROKER_DENY | BRIG_BROKER_READ})}},
    {"/tmp", {ENTRIES({.path = "/tmp", .rights = BRIG_BROKER_DENY | BRIG_BROKER_CRASH})}},
    {"/tmp", {ENTRIES({.path = "/tmp", .deny_errno = 4096})}},
    {"/proc/self/fd", {ENTRIES({.path = "/proc/self/fd", .rights = READ_BELOW})}},
    {"/proc//thread-self", {ENTRIES({.path = "/proc//thread-self"})}},
    {"/proc/1/maps", {ENTRIES({.path = "/proc/1/maps"})}},
    {"/proc/net", {ENTRIES({.path = "/proc/net", .rights = READ_BELOW})}},
    {"/dev/fd", {ENTRIES({.path = "/dev/fd", .rights = READ_BELOW})}},
    {NULL, {ENTRIES({.path = "/proc/meminfo", .rights = BRIG_BROKER_READ})}},
    {"/tmp//x", {ENTRIES({.path = "/tmp/x"}, {.path = "/tmp//x"})}},
    {NULL, {ENTRIES({.path = "/tmp/x"}, {.path = "/tmp/x-y"})}},
    {"list.entry_count", {.entry_count = 1}},
    {"list.entry_count", {.entries = (const struct brig_broker_entry[]){{.path = "/"}}, .entry_count = 5000}},
    {"list.deny_errno", {.deny_errno = 5000}},
    {"list.working_directory", {.working_directory = "here"}},
    {"list.working_directory", {.working_directory = "/a/../b"}},
    {"list.address_count", {.address_count = 1}},
    {"list.addresses.text", {ADDRESS({.text = NULL})}},
    {NULL, {ADDRESS({.text = "127.0.0.1:80"})}},
    {NULL, {ADDRESS({.text = "10.0.0.0/8:53", .is_datagram = true})}},
    {NULL, {ADDRESS({.text = "[::1]:443"})}},
    {NULL, {ADDRESS({.text = "[fe80::/10]:1"})}},
    {NULL, {ADDRESS({.text = "*:443"})}},
    {NULL, {ADDRESS({.text = "unix:@name"})}},
    {NULL, {ADDRESS({.text = "unix:/tmp/no-such-socket"})}},
    {"unix:relative", {ADDRESS({.text = "unix:relative"})}},
    {"unix:@", {ADDRESS({.text = "unix:@"})}},
    {"unix:/tmp/", {ADDRESS({.text = "unix:/tmp/"})}},
    {"unix:/no/such/socket", {ADDRESS({.text = "unix:/no/such/socket"})}},
    {"127.0.0.1", {ADDRESS({.text = "127.0.0.1"})}},
    {"127.0.0.1:", {ADDRESS({.text = "127.0.0.1:"})}},
    {"127.0.0.1:65536", {ADDRESS({.text = "127.0.0.1:65536"})}},
    {"127.0.0.1:+8", {ADDRESS({.text = "127.0.0.1:+8"})}},
    {"127.0.0:80", {ADDRESS({.text = "127.0.0:80"})}},
    {"10.0.0.0/33:80", {ADDRESS({.text = "10.0.0.0/33:80"})}},
    {"::1:443", {ADDRESS({.text = "::1:443"})}},
    {"[*]:443", {ADDRESS({.text = "[*]:443"})}},
};

TEST(broker, bad_lists_are_refused)
{
    memset(long_path, 'a', sizeof long_path - 1);
    long_path[0] = '/';
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        struct box_list *list = NULL;
        struct brig_error error;
        test_message("row %zu: %s", i, lists[i].subject ? lists[i].subject : "good");
        enum brig_code code = box_list_new(&lists[i].list, &list, &error);
        if (!lists[i].subject)
            CHECK_OK(code, &error);
        else if (CHECK(code == BRIG_BAD_ARGUMENT || code == BRIG_IO))
            CHECK_STR_EQ(error.subject, lists[i].subject);
        box_list_free(list);
    }
}

static const struct brig_broker_entry entries[] = {
    {.path = "/a", .rights = READ_BELOW},
    {.path = "/a/b/exact", .rights = BRIG_BROKER_READ | BRIG_BROKER_WRITE},
    {.path = "/a/deny", .rights = BRIG_BROKER_DENY, .deny_errno = EPERM},
    {.path = "/a/deny/inside", .rights = READ_BELOW},
    {.path = "/a/crash", .rights = BRIG_BROKER_CRASH},
    {.path = "/a/b/temporary", .rights = READ_BELOW | BRIG_BROKER_WRITE | BRIG_BROKER_CREATE | BRIG_BROKER_TEMPORARY},
    {.path = "/a-b", .rights = READ_BELOW},
    {.path = "/x/y/z", .rights = BRIG_BROKER_STAT_ONLY},
    {.path = "/x/deny", .rights = BRIG_BROKER_DENY},
    {.path = "/only/deny", .rights = BRIG_BROKER_DENY},
    {.path = "/proc", .rights = READ_BELOW},
};

enum { LOOK = 1 << BOX_LOOK, READ = 1 << BOX_READ, WRITE = 1 << BOX_WRITE, CREATE = 1 << BOX_CREATE, NEW = 1 << BOX_TEMPORARY };

static const struct {
    const char *path;
    unsigned purposes;
    int expected; // 0, or the errno of the refusal
} lookups[] = {
    {"/", LOOK, 0},
    {"/", READ, ENOENT},
    {"/a", READ, 0},
    {"/a", WRITE, ENOENT},
    {"/ab", LOOK, ENOENT},
    {"/a/b", READ, 0},
    {"/a/b/c/d/e", READ, 0},
    {"/a/b/exact", READ | WRITE, 0},
    {"/a/b/exact", CREATE, ENOENT},
    {"/a/b/exact/below", WRITE, ENOENT},
    {"/a/b/exact/below", READ, 0}, // by /a: the exact entry says nothing of it
    {"/a/b/exact2", WRITE, ENOENT},
    {"/a/deny", LOOK, EPERM},
    {"/a/deny/x", LOOK, EPERM},
    {"/a/deny/inside", LOOK, EPERM},
    {"/a/deny/inside/x", READ, EPERM},
    {"/a/denyx", READ, 0},
    {"/a/crash/x", LOOK, ENOENT},
    {"/a/b/temporary/x", LOOK, 0},
    {"/a/b/temporary/x", READ, ENOENT},
    {"/a/b/temporary/x", CREATE, ENOENT},
    {"/a/b/temporary/x", CREATE | WRITE | NEW, 0},
    {"/a-b/c", READ, 0},
    {"/x", LOOK, 0},
    {"/x/y", LOOK, 0},
    {"/x/y", READ, ENOENT},
    {"/x/y/z", LOOK, 0},
    {"/x/y/z", READ, ENOENT},
    {"/x/y/z/w", LOOK, ENOENT},
    {"/x/w", LOOK, ENOENT},
    {"/x/deny", LOOK, ENOENT},
    {"/only", LOOK, ENOENT},
    {"/proc/meminfo", READ, 0},
    {"/proc/self", LOOK, ENOENT},
    {"/proc/thread-self/maps", LOOK, ENOENT},
    {"/proc/1/maps", LOOK, ENOENT},
    {"/proc/sys/kernel", READ, 0},
    {"/proc/selfish", READ, 0},
};

TEST(broker, the_longest_entry_decides)
{
    const struct brig_broker_list given = {.entries = entries, .entry_count = COUNT_OF(entries), .deny_errno = ENOENT};
    struct box_list *list;
    struct brig_error error;
    REQUIRE_OK(box_list_new(&given, &list, &error), &error);
    for (size_t i = 0; i < COUNT_OF(lookups); i++) {
        struct box_found found = box_list_find(list, lookups[i].path, (uint32_t)strlen(lookups[i].path));
        enum brig_broker_verdict verdict = BRIG_BROKER_DONE;
        test_message("row %zu: %s", i, lookups[i].path);
        bool is_known = found.entry || found.is_above;
        bool is_allowed = is_known && box_list_allows(&found, lookups[i].purposes);
        CHECK_EQ(is_allowed ? 0 : -box_list_refuse(list, found.entry, &verdict), lookups[i].expected);
        bool is_crash = strncmp(lookups[i].path, "/a/crash", 8) == 0;
        CHECK_EQ(verdict, is_allowed ? BRIG_BROKER_DONE : is_crash ? BRIG_BROKER_TOUCHED : BRIG_BROKER_DENIED);
    }
    box_list_free(list);
}

TEST(broker, malformed_requests_are_named)
{
    static const struct {
        const char *expected; // NULL: well-formed
        uint32_t op, call, attached, paths[2], data;
        const char *bytes;
        int more; // bytes of the message beyond the sum
    } rows[] = {
        {NULL, BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, 0, {2, 0}, 0, "a\0", 0},
        {NULL, BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, 1, {1, 0}, 0, "\0", 0},
        {NULL, BRIG_BROKER_OP_RENAME, BRIG_SYS_renameat, 3, {2, 2}, 0, "a\0b\0", 0},
        {NULL, BRIG_BROKER_OP_CONNECT, BRIG_SYS_connect, 4, {0, 0}, 3, "abc", 0},
        {NULL, BRIG_BROKER_OP_RESOLVE, 0, 0, {0, 2}, 0, "a\0", 0},
        {"an op that there is not", 0, BRIG_SYS_openat, 0, {2, 0}, 0, "a\0", 0},
        {"an op that there is not", BRIG_BROKER_OP_COUNT, BRIG_SYS_openat, 0, {2, 0}, 0, "a\0", 0},
        {"an op that there is not", UINT32_MAX, BRIG_SYS_openat, 0, {2, 0}, 0, "a\0", 0},
        {"a call that there is not", BRIG_BROKER_OP_OPEN, BRIG_SYS_COUNT, 0, {2, 0}, 0, "a\0", 0},
        {"a part that is too long", BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, 0, {4097, 0}, 0, "a\0", 0},
        {"a part that is too long", BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, 0, {UINT32_MAX, 3}, 0, "a\0", 0},
        {"a part that is too long", BRIG_BROKER_OP_CONNECT, BRIG_SYS_connect, 4, {0, 0}, 257, "", 0},
        {"a length that is not the sum of its parts", BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, 0, {2, 0}, 0, "a\0", 1},
        {"a length that is not the sum of its parts", BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, 0, {2, 0}, 0, "a\0", -1},
        {"less than a header", BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, 0, {2, 0}, 0, "a\0", -3},
        {"a name that is missing", BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, 0, {0, 0}, 0, "", 0},
        {"a name that is missing", BRIG_BROKER_OP_LINK, BRIG_SYS_link, 0, {2, 0}, 0, "a\0", 0},
        {"a name too many", BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, 0, {2, 2}, 0, "a\0b\0", 0},
        {"a name too many", BRIG_BROKER_OP_CONNECT, BRIG_SYS_connect, 4, {2, 0}, 2, "a\0xx", 0},
        {"a name that does not end where it says", BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, 0, {2, 0}, 0, "ab", 0},
        {"a name that does not end where it says", BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, 0, {3, 0}, 0, "a\0\0", 0},
        {"data of a wrong length", BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, 0, {2, 0}, 1, "a\0x", 0},
        {"data of a wrong length", BRIG_BROKER_OP_UTIMENS, BRIG_SYS_utimensat, 0, {2, 0}, 31, "a\0", 0},
        {"data of a wrong length", BRIG_BROKER_OP_CONNECT, BRIG_SYS_connect, 4, {0, 0}, 1, "a", 0},
        {"data of a wrong length", BRIG_BROKER_OP_CONNECT, BRIG_SYS_connect, 4, {0, 0}, 129, "", 0},
        {"a descriptor too many", BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, 2, {2, 0}, 0, "a\0", 0},
        {"a descriptor too many", BRIG_BROKER_OP_SYMLINK, BRIG_SYS_symlinkat, 1, {2, 2}, 0, "a\0b\0", 0},
        {"a descriptor too many", BRIG_BROKER_OP_STAT, BRIG_SYS_stat, 1u << 31, {2, 0}, 0, "a\0", 0},
        {"a descriptor that is missing", BRIG_BROKER_OP_CONNECT, BRIG_SYS_connect, 0, {0, 0}, 2, "ab", 0},
        {"a descriptor that is missing", BRIG_BROKER_OP_WATCH, BRIG_SYS_inotify_add_watch, 0, {2, 0}, 0, "a\0", 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        static struct brig_broker_request request;
        size_t bytes = rows[i].paths[0] + (size_t)rows[i].paths[1] + rows[i].data;
        memset(&request, 0, sizeof request);
        request.op = rows[i].op;
        request.call = rows[i].call;
        request.attached = rows[i].attached;
        memcpy(request.path_bytes, rows[i].paths, sizeof request.path_bytes);
        request.data_bytes = rows[i].data;
        memcpy(request.bytes, rows[i].bytes, bytes < 5 ? bytes : 1);
        test_message("row %zu: %s", i, rows[i].expected ? rows[i].expected : "good");
        CHECK_STR_EQ(box_request_check(&request, BRIG_BROKER_HEADER_BYTES + bytes + (size_t)(ssize_t)rows[i].more),
                     rows[i].expected);
    }
}
