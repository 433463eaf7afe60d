// What a worker refuses itself: never more than its broker would, with the same errno, and counted as if the broker had been asked.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/broker/session.h"
#include "tests/sandbox/broker_room.h"

#define READ_BELOW (BRIG_BROKER_READ | BRIG_BROKER_RECURSIVE)

static const struct brig_broker_entry entries[] = {
    {.path = "/a", .rights = READ_BELOW},
    {.path = "/a/deny", .rights = BRIG_BROKER_DENY, .deny_errno = EPERM},
    {.path = "/a/deny/inside", .rights = READ_BELOW},
    {.path = "/a/crash", .rights = BRIG_BROKER_CRASH},
    {.path = "/a/file", .rights = BRIG_BROKER_READ | BRIG_BROKER_WRITE},
    {.path = "/only/deny", .rights = BRIG_BROKER_DENY},
    {.path = "/x/y/z", .rights = BRIG_BROKER_STAT_ONLY},
    {.path = "/x/y-z", .rights = BRIG_BROKER_READ},
};

static void fill(struct brig_broker_request *request, enum brig_broker_op op, const char *path)
{
    memset(request, 0, BRIG_BROKER_HEADER_BYTES);
    request->op = op;
    request->call = BRIG_SYS_openat;
    request->path_bytes[0] = (uint32_t)strlen(path) + 1;
    memcpy(request->bytes, path, request->path_bytes[0]);
}

// --- names ------------------------------------------------------------------------------------------------------------

static struct brig_broker_names names;
static struct brig_broker_request request;

TEST(refusals, names_that_no_entry_covers_are_refused_in_the_worker)
{
    static const struct {
        const char *path;
        int expected; // 0: ask
    } rows[] = {
        {"/a", 0},
        {"/a/b/c", 0},
        {"/a/deny", EPERM},
        {"/a/deny/x/y", EPERM},
        {"/a/deny/inside/x", EPERM},
        {"/a/denyx", 0},
        {"/a/crash", 0},
        {"/a/crash/x", 0},
        {"/a/file", 0},
        {"/a/file/x", 0},
        {"/ab", ENOENT},
        {"/", 0},
        {"/x", 0},
        {"/x/", 0},
        {"/x/y", 0},
        {"/x/y/z", 0},
        {"/x/y/z/w", ENOENT},
        {"/x/y/w", ENOENT},
        {"/x/y-z", 0},
        {"/x/y-", ENOENT},
        {"/x/y-zz", ENOENT},
        {"/only", ENOENT},
        {"/only/deny", ENOENT},
        {"//b///./c", ENOENT},
        {"/b/..", 0},
        {"/b/../a", 0},
        {"/b/...", ENOENT},
        {"/proc/self", ENOENT},
        {"relative", ENOENT},
        {".", 0},
        {"./y", 0},
        {"y/w", ENOENT},
        {"../a", 0},
        {"", 0},
    };
    const struct brig_broker_list list = {
        .entries = entries, .entry_count = COUNT_OF(entries), .deny_errno = ENOENT, .working_directory = "/x"};
    struct brig_error error;
    REQUIRE_OK(box_names_of(&list, &names, &error), &error);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        test_message("row %zu: %s", i, rows[i].path);
        fill(&request, BRIG_BROKER_OP_STAT, rows[i].path);
        CHECK_EQ(brig_broker_names_refuse(&names, &request), rows[i].expected);
    }
    test_message("%s", "");
}

TEST(refusals, what_is_not_a_plain_look_at_a_name_is_asked)
{
    static const struct {
        enum brig_broker_op op;
        enum brig_dsl_call call;
        uint32_t flags, mode;
        uint64_t number;
        uint32_t attached;
        int expected;
    } rows[] = {
        {BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, O_RDONLY | O_CLOEXEC, 0, 0, 0, EACCES},
        {BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, O_RDWR | O_CREAT | O_EXCL, 0600, 0, 0, EACCES},
        {BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, O_RDONLY | O_DIRECTORY, 0, 0, 0, EACCES},
        {BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, O_RDWR | O_CREAT, 04600, 0, 0, 0},
        {BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, O_RDWR | O_CREAT | O_DIRECTORY, 0, 0, 0, 0},
        {BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, O_ACCMODE, 0, 0, 0, 0},
        {BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, O_PATH, 0, 0, 0, 0},
        {BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, O_TMPFILE | O_RDWR, 0, 0, 0, 0},
        {BRIG_BROKER_OP_OPEN, BRIG_SYS_openat2, O_RDONLY, 0, 0, 0, 0},
        {BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, O_RDONLY, 0, 0, 1, 0},
        {BRIG_BROKER_OP_ACCESS, BRIG_SYS_faccessat2, AT_EACCESS, 7, 0, 0, EACCES},
        {BRIG_BROKER_OP_ACCESS, BRIG_SYS_faccessat2, AT_EMPTY_PATH, 0, 0, 0, 0},
        {BRIG_BROKER_OP_ACCESS, BRIG_SYS_access, 0, 8, 0, 0, 0},
        {BRIG_BROKER_OP_STAT, BRIG_SYS_statx, AT_SYMLINK_NOFOLLOW, 0, 0x7ff, 0, EACCES},
        {BRIG_BROKER_OP_STAT, BRIG_SYS_statx, 0x6000, 0, 0x7ff, 0, 0},
        {BRIG_BROKER_OP_STAT, BRIG_SYS_statx, 0, 0, 0x80000000u, 0, 0},
        {BRIG_BROKER_OP_READLINK, BRIG_SYS_readlink, 0, 0, 0, 0, EACCES},
        {BRIG_BROKER_OP_UNLINK, BRIG_SYS_unlink, 0, 0, 0, 0, 0},
        {BRIG_BROKER_OP_RESOLVE, BRIG_SYS_NONE, 0, 0, 0, 0, 0},
    };
    const struct brig_broker_list list = {.entries = entries, .entry_count = COUNT_OF(entries)};
    struct brig_error error;
    REQUIRE_OK(box_names_of(&list, &names, &error), &error);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        test_message("row %zu", i);
        fill(&request, rows[i].op, "/nowhere/file");
        request.call = rows[i].call;
        request.flags = rows[i].flags;
        request.mode = rows[i].mode;
        request.number = rows[i].number;
        request.attached = rows[i].attached;
        CHECK_EQ(brig_broker_names_refuse(&names, &request), rows[i].expected);
    }
    test_message("%s", "");
}

TEST(refusals, a_list_that_is_too_long_is_asked_of_the_broker)
{
    static struct brig_broker_entry many[BRIG_BROKER_NAMES + 1];
    static char paths[COUNT_OF(many)][16];
    struct brig_broker_list list = {.entries = many, .entry_count = BRIG_BROKER_NAMES - 1};
    struct brig_error error;
    for (size_t i = 0; i < COUNT_OF(many); i++) {
        snprintf(paths[i], sizeof paths[i], "/%zu", i);
        many[i] = (struct brig_broker_entry){.path = paths[i], .rights = BRIG_BROKER_READ};
    }
    fill(&request, BRIG_BROKER_OP_STAT, "/nowhere");
    REQUIRE_OK(box_names_of(&list, &names, &error), &error);
    CHECK_EQ(brig_broker_names_refuse(&names, &request), EACCES);
    list.entry_count++;
    REQUIRE_OK(box_names_of(&list, &names, &error), &error);
    CHECK_EQ(names.count, 0u);
    CHECK_EQ(brig_broker_names_refuse(&names, &request), 0);
}

// --- names against the broker's own look-up -----------------------------------------------------------------------------

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state >> 11;
}

static void random_path(uint64_t *state, char *path, size_t room, bool is_of_list)
{
    static const char *const components[] = {"a", "b", "ab", "a-b", "proc", "self", "17", "no-such-place", ".", "..", ""};
    const size_t kinds = COUNT_OF(components) - (is_of_list ? 3 : 0);
    size_t used = 0;
    const unsigned count = 1 + (unsigned)(next(state) % 4);
    *path = '\0';
    for (unsigned i = 0; i < count; i++) {
        const char *slash = i == 0 && !is_of_list && next(state) % 3 == 0 ? "" : "/";
        used += (size_t)snprintf(path + used, room - used, "%s%s", slash, components[next(state) % kinds]);
    }
}

static size_t random_list(uint64_t *state, struct brig_broker_entry *made, char paths[][64], size_t room)
{
    static const uint32_t rights[] = {READ_BELOW,       BRIG_BROKER_READ,  BRIG_BROKER_STAT_ONLY,
                                      BRIG_BROKER_DENY, BRIG_BROKER_CRASH, READ_BELOW | BRIG_BROKER_FOLLOW | BRIG_BROKER_WRITE};
    size_t count = 0;
    for (size_t i = 0; i < room; i++) {
        bool is_new = true;
        random_path(state, paths[count], sizeof paths[count], true);
        for (size_t k = 0; k < count; k++)
            is_new &= strcmp(paths[k], paths[count]) != 0;
        made[count] = (struct brig_broker_entry){
            .path = paths[count], .rights = rights[next(state) % COUNT_OF(rights)], .deny_errno = (uint16_t)(next(state) % 3)};
        count += is_new;
    }
    return count;
}

static void random_request(uint64_t *state)
{
    static const enum brig_broker_op ops[] = {BRIG_BROKER_OP_OPEN, BRIG_BROKER_OP_ACCESS, BRIG_BROKER_OP_STAT,
                                              BRIG_BROKER_OP_READLINK};
    static const uint32_t open_flags[] = {O_RDONLY, O_WRONLY | O_CREAT, O_RDWR | O_CREAT | O_EXCL, O_PATH, O_DIRECTORY | O_CREAT};
    char path[80];
    random_path(state, path, sizeof path, false);
    fill(&request, ops[next(state) % COUNT_OF(ops)], path);
    request.flags = request.op == BRIG_BROKER_OP_OPEN ? open_flags[next(state) % COUNT_OF(open_flags)] : 0;
    request.flags |= next(state) % 4 == 0 ? 1u << next(state) % 24 : 0;
    request.mode = next(state) % 8 == 0 ? 04777 : next(state) % 8;
}

TEST(refusals, a_worker_refuses_only_what_its_broker_refuses)
{
    uint64_t state = 0x9e3779b97f4a7c15;
    unsigned refused = 0, asked = 0;
    for (unsigned round = 0; round < 300; round++) {
        char paths[8][64];
        struct brig_broker_entry made[8];
        struct box_list *list;
        struct brig_error error;
        const struct brig_broker_list given = {.entries = made,
                                               .entry_count = random_list(&state, made, paths, 1 + round % 8),
                                               .working_directory = round % 2 ? "/a/b" : NULL,
                                               .deny_errno = (uint16_t)(round % 3 ? 0 : ENOENT)};
        if (box_list_new(&given, &list, &error) != BRIG_OK)
            continue; // a name of a process in /proc
        REQUIRE_OK(box_names_of(&given, &names, &error), &error);
        for (unsigned i = 0; i < 300; i++) {
            struct brig_broker_reply reply = {.verdict = BRIG_BROKER_DONE};
            random_request(&state);
            struct box_job job = {.list = list,
                                  .request = &request,
                                  .path = {(const char *)request.bytes},
                                  .attached = {-1, -1, -1},
                                  .reply = &reply,
                                  .only_decides = true};
            const int expected = brig_broker_names_refuse(&names, &request);
            box_serve(&job);
            refused += expected != 0;
            asked += expected == 0;
            test_message("round %u: %s, flags %#x", round, (const char *)request.bytes, request.flags);
            if (expected != 0 && !(CHECK_EQ(reply.verdict, BRIG_BROKER_SETTLED) && CHECK_EQ(reply.result, -expected)))
                return;
        }
        box_list_free(list);
    }
    test_message("%s", "");
    CHECK_GE(refused, 10000u);
    CHECK_GE(asked, 10000u);
}

// --- claims -----------------------------------------------------------------------------------------------------------

TEST(refusals, claims_are_counted_if_the_list_says_so)
{
    static const struct {
        uint32_t op, call;
        const char *path;
        uint32_t more; // bytes beyond the text
        int sys_errno; // 0: not counted
    } rows[] = {
        {BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, "/nowhere", 1, EACCES}, {BRIG_BROKER_OP_UNLINK, BRIG_SYS_unlink, "/a/x", 1, EACCES},
        {BRIG_BROKER_OP_STAT, BRIG_SYS_statx, "/a/deny", 1, EPERM},    {BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, "/a/x", 1, 0},
        {BRIG_BROKER_OP_STAT, BRIG_SYS_statx, "/a/crash", 1, 0},       {BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, "/nowhere", 0, 0},
        {BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, "/nowhere", 217, 0},    {BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, "", 0, 0},
        {BRIG_BROKER_OP_OPEN, BRIG_SYS_openat, "", UINT32_MAX, 0},     {BRIG_BROKER_OP_NONE, BRIG_SYS_openat, "/nowhere", 1, 0},
        {BRIG_BROKER_OP_COUNT, BRIG_SYS_openat, "/nowhere", 1, 0},     {BRIG_BROKER_OP_OPEN, BRIG_SYS_COUNT, "/nowhere", 1, 0},
        {BRIG_BROKER_OP_RENAME, BRIG_SYS_rename, "/nowhere", 1, 0},    {BRIG_BROKER_OP_CONNECT, BRIG_SYS_connect, "/nowhere", 1, 0},
        {BRIG_BROKER_OP_RESOLVE, BRIG_SYS_NONE, "localhost", 1, 0}, // and nobody is asked where that is
    };
    const struct brig_broker_list given = {.entries = entries, .entry_count = COUNT_OF(entries), .may_resolve = true};
    struct box_list *list;
    struct brig_error error;
    REQUIRE_OK(box_list_new(&given, &list, &error), &error);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct box_denial denial = {.sys_errno = 0};
        struct brig_broker_refusal refusal = {
            .op = rows[i].op, .call = rows[i].call, .path_bytes = (uint32_t)strlen(rows[i].path) + rows[i].more};
        memcpy(refusal.path, rows[i].path, strlen(rows[i].path));
        test_message("row %zu", i);
        CHECK_EQ(box_refusal_check(list, &refusal, &denial), rows[i].sys_errno != 0);
        CHECK_EQ(denial.sys_errno, rows[i].sys_errno);
        CHECK_STR_EQ(denial.path, rows[i].sys_errno ? rows[i].path : "");
    }
    test_message("%s", "");
    box_list_free(list);
}

// --- counts -----------------------------------------------------------------------------------------------------------

enum { NAMES = 50, TIMES = 7 };

static int look_for_many(void *data, int channel_fd)
{
    char byte = 0;
    (void)data;
    for (int i = 0; i < NAMES * TIMES; i++) {
        char name[32];
        snprintf(name, sizeof name, "secret/%d", i % NAMES);
        CHECK_EQ(access(room_path(name), F_OK), -1);
        CHECK_EQ(errno, EACCES);
        CHECK_EQ(open(room_path("ro/hello"), O_WRONLY), -1); // settled: its rights are not enough
    }
    CHECK_EQ(write(channel_fd, &byte, 1), 1);
    CHECK_EQ(read(channel_fd, &byte, 1), 1); // still alive while it is counted
    return 0;
}

static struct brig_broker_denial denials[256];

static uint64_t count_of(struct room *room, const char *end)
{
    struct brig_error error;
    size_t count = 0;
    uint64_t sum = 0;
    CHECK_OK(brig_broker_denials(room->broker, denials, COUNT_OF(denials), &count, &error), &error);
    for (size_t i = 0; i < count; i++)
        sum += strstr(denials[i].path, end) ? denials[i].count : 0;
    return sum;
}

SANDBOX_TEST(refusals, every_one_is_counted_while_the_worker_lives, .expect_exit = 0)
{
    struct room room;
    char byte;
    REQUIRE(room_open(&room));
    struct brig_worker *worker = fixture_launch(
        &room.fixture,
        &(struct brig_worker_spec){
            .name = "client", .policy = &room_policy, .entry = look_for_many, .channel = true, .broker = room.broker});
    REQUIRE(worker != NULL);
    const int channel_fd = brig_worker_channel_fd(worker);
    CHECK_EQ(read(channel_fd, &byte, 1), 1);
    CHECK_EQ(count_of(&room, "/secret/"), (uint64_t)NAMES * TIMES);
    CHECK_EQ(count_of(&room, "/secret/0"), (uint64_t)TIMES);
    CHECK_EQ(count_of(&room, "/ro/hello"), (uint64_t)NAMES * TIMES);
    CHECK_EQ(write(channel_fd, &byte, 1), 1);
    REQUIRE(fixture_run(&room.fixture, 1));
    CHECK_EQ(count_of(&room, "/secret/"), (uint64_t)NAMES * TIMES);
    room_close(&room);
}

static int leave_few(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    for (int i = 0; i < 3; i++)
        CHECK_EQ(access(room_path("secret/few"), F_OK), -1);
    return 0;
}

SANDBOX_TEST(refusals, those_of_a_worker_that_is_gone_are_counted, .expect_exit = 0)
{
    struct room room;
    REQUIRE(room_open(&room));
    for (unsigned i = 1; i <= 10; i++) {
        REQUIRE(room_run(&room, leave_few, NULL));
        CHECK_EQ(count_of(&room, "/secret/few"), UINT64_C(3) * i);
    }
    room_close(&room);
}

// --- rings that make no sense -----------------------------------------------------------------------------------------

static void claim(uint32_t turn, const char *path)
{
    struct brig_broker_refusal *place = &room_slots->refusals.ring[(turn - 1) % BRIG_BROKER_REFUSALS];
    place->op = BRIG_BROKER_OP_OPEN;
    place->call = BRIG_SYS_openat;
    place->path_bytes = (uint32_t)strlen(path) + 1;
    memcpy(place->path, path, place->path_bytes);
    place->turn = turn;
}

static int scribble(void *data, int channel_fd)
{
    (void)data;
    (void)channel_fd;
    claim(1, room_path("ro/hello"));
    claim(2, room_path("secret/claimed"));
    claim(3, room_path("secret/bad"));
    room_slots->refusals.ring[2].path_bytes = UINT32_MAX;
    room_slots->refusals.posted = 3;
    CHECK(room_has("ro/hello", "hello\n"));                         // after which they are taken
    for (uint32_t turn = 4; turn <= BRIG_BROKER_REFUSALS; turn++) { // the first three may not be taken yet
        claim(turn, "garbage");
        room_slots->refusals.ring[turn - 1].turn = turn + 1000;
    }
    room_slots->refusals.posted = 0x80000000u;
    room_slots->refusals.taken = 17;
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(access(room_path("secret/asked"), F_OK), -1);
        CHECK_EQ(errno, EACCES);
        room_slots->refusals.taken = 0xffffffffu - (uint32_t)i;
    }
    room_slots->names.count = UINT32_MAX;
    room_slots->names.directory = UINT32_MAX;
    memset(room_slots->names.nodes, 0xff, sizeof room_slots->names.nodes);
    CHECK_EQ(access("relative", F_OK), -1);
    CHECK_EQ(access("/any/where", F_OK), -1);
    return 0;
}

SANDBOX_TEST(refusals, a_worker_that_scribbles_there_harms_itself_alone, .expect_exit = 0)
{
    struct room room;
    REQUIRE(room_open(&room));
    REQUIRE(room_run(&room, scribble, NULL));
    CHECK_EQ(count_of(&room, "/ro/hello"), 0u);
    CHECK_EQ(count_of(&room, "/secret/claimed"), 1u);
    CHECK_EQ(count_of(&room, "/secret/bad"), 0u);
    CHECK_EQ(count_of(&room, "garbage"), 0u);
    REQUIRE(room_run(&room, leave_few, NULL));
    CHECK_EQ(count_of(&room, "/secret/few"), 3u);
    room_close(&room);
}
