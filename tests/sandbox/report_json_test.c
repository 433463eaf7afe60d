// The report's text: one golden file, and tables of what arguments, decisions and advice must say.
#include <jansson.h>
#include <linux/audit.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "tests/sandbox/report_fixture.h"

static const char *text_at(const json_t *report, const char *group, const char *key)
{
    const char *text = json_string_value(json_object_get(json_object_get(report, group), key));
    return text == NULL ? "" : text;
}

// --- golden -----------------------------------------------------------------------------------------------------------

static void compare_or_bless(const char *path, const char *text)
{
    static char expected[65536];
    if (getenv("BRIG_BLESS") != NULL) {
        FILE *file = fopen(path, "we");
        REQUIRE(file != NULL);
        CHECK(fputs(text, file) >= 0);
        CHECK_EQ(fclose(file), 0);
        return;
    }
    FILE *file = fopen(path, "re");
    REQUIRE(file != NULL);
    expected[fread(expected, 1, sizeof expected - 1, file)] = '\0';
    fclose(file);
    CHECK_STR_EQ(text, expected);
}

// NOLINTNEXTLINE(misc-misleading-bidirectional)
static const char maps[] = "550000000000-550000001000 r--p 00000000 08:01 11 /opt/example/example\n"
                           "550000001000-550000003000 r-xp 00001000 08:01 11 /opt/example/libfont.so\n"
                           "7f0000000000-7f0000100000 r-xp 00000000 08:01 12 /usr/lib/libc.so.6\n"
                           "7f0000200000-7f0000201000 r-xp 00000000 08:01 13 /tmp/evil\\012name\xe2\x80\xae (deleted)\n";

// All but `env` (this machine's) and the policy's hash (the compiler's) is fixed; a change of the file is a change for everyone who
// reads reports.
TEST(report, json_is_as_reviewed)
{
    struct report_fixture *fixture = report_fixture_new("openat", (uint64_t[6]){(uint64_t)-100, 0x1000, 0x80041, 0600});
    REQUIRE(fixture != NULL);
    // NOLINTNEXTLINE(misc-misleading-bidirectional)
    report_point(fixture, 1, "/tmp/\033[2J\xe2\x80\xae\"\\\xff", 16, true);
    fixture->violation.maps = maps;
    fixture->violation.maps_bytes = sizeof maps - 1;
    fixture->violation.threads = fixture->violation.filtered_threads = 8;
    fixture->violation.stacked_filters = 1;
    fixture->record.flags = BRIG_TRAP_FLAG_WAITS | BRIG_TRAP_FLAG_STACK_CUT;
    fixture->program.hash = 0x1122334455667788;
    json_t *report = report_fixture_json(fixture);
    json_object_set_new(report, "env", json_object());
    char *text = json_dumps(report, JSON_INDENT(1));
    compare_or_bless("tests/sandbox/golden/report.json", text);
    free(text);
    json_decref(report);
    report_fixture_free(fixture);
}

TEST(report, groups_stand_in_their_order)
{
    static const char *const groups[] = {"schema", "id",      "worker", "policy", "event", "outcome",
                                         "stack",  "modules", "env",    "advice", "trust", "limits"};
    struct report_fixture *fixture = report_fixture_new("openat", (uint64_t[6]){0});
    size_t i = 0;
    const char *key;
    json_t *value;
    REQUIRE(fixture != NULL);
    json_t *report = report_fixture_json(fixture);
    json_object_foreach(report, key, value)
    {
        CHECK_STR_EQ(key, i < COUNT_OF(groups) ? groups[i] : "nothing");
        i++;
    }
    CHECK_EQ(i, COUNT_OF(groups));
    json_decref(report);
    report_fixture_free(fixture);
}

// Stack bytes and registers may hold secrets.
TEST(report, stack_bytes_are_in_it_only_on_request)
{
    struct report_fixture *fixture = report_fixture_new("openat", (uint64_t[6]){0});
    char *text = NULL;
    if (fixture == NULL) {
        return;
    }
    memset(fixture->record.stack, 'S', sizeof fixture->record.stack);
    fixture->record.registers[0] = 0x5ec4e7;
    REQUIRE_OK(brig_report_json(&fixture->violation, &fixture->stack, &text, NULL), NULL);
    CHECK(strstr(text, "U1NTU1NT") == NULL && strstr(text, "SSSS") == NULL && strstr(text, "5ec4e7") == NULL);
    free(text);
    fixture->violation.with_stack = true;
    REQUIRE_OK(brig_report_json(&fixture->violation, &fixture->stack, &text, NULL), NULL);
    CHECK_CONTAINS(text, "U1NTU1NT");
    CHECK_CONTAINS(text, "0x5ec4e7");
    free(text);
    report_fixture_free(fixture);
}

// The biggest that anybody can make it.
TEST(report, a_report_of_everything_at_its_limit_fits)
{
    struct report_fixture *fixture = report_fixture_new("openat", (uint64_t[6]){(uint64_t)-100, 0x1000});
    static char big_maps[1 << 20];
    static char path[4096];
    char *text = NULL;
    struct brig_error error;
    size_t used = 0;
    REQUIRE(fixture != NULL);
    memset(path, '\001', 4096);
    for (int i = 0; i < 6; i++) {
        report_point(fixture, i, path, 4096, true);
    }
    for (unsigned long i = 1; used + 1200 < sizeof big_maps; i++) {
        used += (size_t)sprintf(big_maps + used, "%lx000-%lxfff r-xp 00000000 08:01 12 /", i, i);
        memset(big_maps + used, '\002', 1000);
        used += 1000;
        big_maps[used++] = '\n';
    }
    fixture->violation.maps = big_maps;
    fixture->violation.maps_bytes = used;
    fixture->violation.with_stack = true;
    fixture->record.stack_bytes = BRIG_TRAP_STACK_BYTES;
    fixture->stack.frame_count = BRIG_FRAMES_MAX;
    for (size_t i = 0; i < BRIG_FRAMES_MAX; i++) {
        struct brig_frame *frame = &fixture->stack.frames[i];
        *frame = (struct brig_frame){.ip = UINT64_MAX, .module_offset = UINT64_MAX, .symbol_offset = INT64_MAX};
        memset(frame->module, '\\', sizeof frame->module - 1);
        memset(frame->symbol, '\\', sizeof frame->symbol - 1);
        memset(frame->build_id, 'f', sizeof frame->build_id - 1);
    }
    CHECK_OK(brig_report_json(&fixture->violation, &fixture->stack, &text, &error), &error);
    free(text);
    report_fixture_free(fixture);
}

// --- calls ------------------------------------------------------------------------------------------------------------

static const struct {
    const char *call;
    uint64_t args[6];
    int pointee; // argument, 0: none (argument 0 is never a string here)
    const char *string;
    const char *text;
} calls[] = {
    {"getpid", {1, 2, 3}, 0, NULL, "getpid()"},
    {"openat", {(uint64_t)-100, 4096, 0}, 1, "/etc/passwd", "openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY)"},
    {"openat", {0xffffff9c, 4096, 0x241, 0644}, 1, "a", "openat(AT_FDCWD, \"a\", O_WRONLY|O_CREAT|O_TRUNC, 0644)"},
    {"openat", {5, 4096, 0x80000, 0}, 0, NULL, "openat(5, 0x1000, O_RDONLY|O_CLOEXEC)"},
    {"openat", {5, 0, 0, 0}, 0, NULL, "openat(5, NULL, O_RDONLY)"},
    {"fcntl", {3, 3, 77}, 0, NULL, "fcntl(3, F_GETFL)"},
    {"fcntl", {3, 1030, 10}, 0, NULL, "fcntl(3, F_DUPFD_CLOEXEC, 10)"},
    {"socket", {2, 0x80001, 6}, 0, NULL, "socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_TCP)"},
    {"kill", {(uint64_t)-1, 9}, 0, NULL, "kill(-1, SIGKILL)"},
    {"mmap",
     {0, 4096, 7, 0x22, (uint64_t)-1, 0},
     0,
     NULL,
     "mmap(0x0, 4096, PROT_READ|PROT_WRITE|PROT_EXEC, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0x0)"},
    {"execve", {4096, 8192, 0}, 0, NULL, "execve(0x1000, 0x2000, NULL)"},
    {"99999", {1, 2, 3, 4, 5, UINT64_MAX}, 0, NULL, "syscall 99999(0x1, 0x2, 0x3, 0x4, 0x5, 0xffffffffffffffff)"},
    {"0x40000001", {1, 4096, 2}, 0, NULL, "x32 write(1, 0x1000, 2)"},
};

TEST(report, calls_are_decoded)
{
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        struct report_fixture *fixture = report_fixture_new("openat", (uint64_t[6]){0});
        REQUIRE(fixture != NULL);
        test_message("%s", calls[i].text);
        int32_t nr = brig_dsl_call_nr(brig_dsl_call_by_name(calls[i].call, strlen(calls[i].call)), BRIG_DSL_X86_64);
        fixture->record.nr = nr < 0 ? (uint32_t)strtoul(calls[i].call, NULL, 0) : (uint32_t)nr;
        memcpy(fixture->record.args, calls[i].args, sizeof calls[i].args);
        if (calls[i].string != NULL) {
            report_point(fixture, calls[i].pointee, calls[i].string, strlen(calls[i].string), false);
        }
        json_t *report = report_fixture_json(fixture);
        CHECK_STR_EQ(text_at(report, "event", "text"), calls[i].text);
        json_decref(report);
        report_fixture_free(fixture);
    }
}

static void check_connect(const void *bytes, size_t size_bytes, uint64_t length, const char *expected)
{
    struct report_fixture *fixture = report_fixture_new("connect", (uint64_t[6]){3, 4096, length});
    REQUIRE(fixture != NULL);
    test_message("%s", expected);
    report_point(fixture, 1, bytes, size_bytes, true);
    json_t *report = report_fixture_json(fixture);
    CHECK_STR_EQ(text_at(report, "event", "text"), expected);
    json_decref(report);
    report_fixture_free(fixture);
}

TEST(report, socket_addresses_are_decoded)
{
    static const struct sockaddr_in inet = {.sin_family = AF_INET, .sin_port = 0x5000, .sin_addr = {0x0100007f}};
    static const struct sockaddr_in6 inet6 = {.sin6_family = AF_INET6, .sin6_port = 0xbb01, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    static const struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = "/run/\033x"};
    static const struct sockaddr_un abstract = {.sun_family = AF_UNIX, .sun_path = "\0name\0more"};
    static const uint16_t other = 16; // AF_NETLINK, too short
    check_connect(&inet, sizeof inet, sizeof inet, "connect(3, {AF_INET, 127.0.0.1:80}, 16)");
    check_connect(&inet6, sizeof inet6, sizeof inet6, "connect(3, {AF_INET6, [::1]:443}, 28)");
    check_connect(&path, sizeof path, sizeof path, "connect(3, {AF_UNIX, \"/run/\\x1bx\"...}, 110)");
    check_connect(&abstract, sizeof abstract, 7, "connect(3, {AF_UNIX, @\"name\"}, 7)");
    check_connect(&inet, 8, 16, "connect(3, 0x1000, 16)");
    check_connect(&other, sizeof other, 2, "connect(3, 0x1000, 2)");
    check_connect("", 0, 0, "connect(3, 0x1000, 0)");
}

TEST(report, flags_behind_pointers_are_decoded)
{
    static const uint64_t how[] = {0x80041, 0600, 0x8};
    struct report_fixture *fixture = report_fixture_new("openat2", (uint64_t[6]){3, 4096, 8192, sizeof how});
    REQUIRE(fixture != NULL);
    report_point(fixture, 1, "x", 1, false);
    report_point(fixture, 2, how, sizeof how, false);
    json_t *report = report_fixture_json(fixture);
    CHECK_STR_EQ(text_at(report, "event", "text"),
                 "openat2(3, \"x\", {flags=O_WRONLY|O_CREAT|O_CLOEXEC, mode=0600, resolve=RESOLVE_BENEATH}, 24)");
    json_decref(report);
    report_fixture_free(fixture);
}

// --- decisions --------------------------------------------------------------------------------------------------------

TEST(report, a_record_that_names_another_row_is_noticed)
{
    struct report_fixture *fixture = report_fixture_new("openat", (uint64_t[6]){0});
    REQUIRE(fixture != NULL);
    uint32_t id = fixture->record.trap_id;
    json_t *report = report_fixture_json(fixture);
    CHECK(json_is_true(json_object_get(json_object_get(report, "policy"), "confirmed")));
    CHECK_STR_EQ(text_at(report, "policy", "decided_by"), "row");
    json_decref(report);
    for (uint32_t lie = 1; lie < fixture->program.trap_count; lie++) {
        fixture->record.trap_id = lie;
        report = report_fixture_json(fixture);
        CHECK_EQ(json_is_true(json_object_get(json_object_get(report, "policy"), "confirmed")), lie == id);
        json_decref(report);
    }
    fixture->record.trap_id = 0xffff; // no such id
    report = report_fixture_json(fixture);
    CHECK_STR_EQ(text_at(report, "policy", "decided_by"), "unknown");
    json_decref(report);
    fixture->record.flags = BRIG_TRAP_FLAG_FOREIGN;
    report = report_fixture_json(fixture);
    CHECK_STR_EQ(text_at(report, "policy", "decided_by"), "another filter");
    json_decref(report);
    report_fixture_free(fixture);
}

// --- advice -----------------------------------------------------------------------------------------------------------

static const struct {
    const char *call;
    uint64_t args[6];
    const char *edit;
    const char *place;
    const char *risk;
} advices[] = {
    {"openat",
     {(uint64_t)-100, 4096, 0x80000, 0},
     "ROW(openat, ALLOW, IN(flags, O_RDONLY|O_CLOEXEC)),",
     "before policies/example.c:88",
     "high"},
    {"getpid", {0}, "ROW(getpid, ALLOW),", "before policies/example.c:90", "low"},
    {"getppid", {0}, "ROW(getppid, ALLOW),", "among the rows of policy example", "low"},
    {"madvise",
     {4096, 4096, 4},
     "ROW(madvise, ALLOW, IN(advice, MADV_DONTNEED)),\nELSE(madvise, CRASH),",
     "among the rows of policy example",
     "low"},
    {"fcntl",
     {3, 4, 0x800},
     "ROW(fcntl, ALLOW, IN(cmd, F_SETFL), LOW32_IN(arg, 2048)),\nELSE(fcntl, CRASH),",
     "among the rows of policy example",
     "medium"},
    {"fcntl",
     {3, 3, 77},
     "ROW(fcntl, ALLOW, IN(cmd, F_GETFL)),\nELSE(fcntl, CRASH),",
     "among the rows of policy example",
     "medium"},
    {"mmap",
     {0, 4096, 3, 0x22, (uint64_t)-1},
     "ROW(mmap, ALLOW, IN(prot, PROT_READ|PROT_WRITE), IN(flags, MAP_PRIVATE|MAP_ANONYMOUS)),\nELSE(mmap, CRASH),",
     "among the rows of policy example",
     "high"},
    {"mmap", {0, 4096, 7, 0x22, (uint64_t)-1}, "", "", "never"}, // writable and executable
    {"mprotect", {4096, 4096, 6}, "", "", "never"},
    {"ptrace", {16, 1}, "", "", "never"},
    {"io_uring_setup", {1}, "", "", "never"},
    {"execve", {0}, "", "", "never"},
    {"0x40000001", {0}, "", "", "never"}, // x32
};

TEST(report, advice_is_the_smallest_edit_or_none)
{
    for (size_t i = 0; i < COUNT_OF(advices); i++) {
        struct report_fixture *fixture = report_fixture_new(advices[i].call, advices[i].args);
        test_message("%s, %s", advices[i].call, advices[i].edit);
        if (fixture == NULL) {
            continue;
        }
        json_t *report = report_fixture_json(fixture);
        CHECK_STR_EQ(text_at(report, "advice", "edit"), advices[i].edit);
        CHECK_STR_EQ(text_at(report, "advice", "place"), advices[i].place);
        CHECK_STR_EQ(text_at(report, "advice", "risk"), advices[i].risk);
        CHECK_GT(strlen(text_at(report, "advice", "reason")), 4);
        CHECK_GT(strlen(text_at(report, "advice", "alternative")), 4);
        json_decref(report);
        report_fixture_free(fixture);
    }
}

TEST(report, calls_of_another_arch_are_never_advised)
{
    struct report_fixture *fixture = report_fixture_new("openat", (uint64_t[6]){0});
    REQUIRE(fixture != NULL);
    fixture->record.audit_arch = AUDIT_ARCH_I386;
    fixture->record.nr = 5; // open on i386
    for (uint32_t id = 1; id < fixture->program.trap_count; id++) {
        if (fixture->program.traps[id].origin == BRIG_DSL_ORIGIN_FOREIGN_ARCH) {
            fixture->record.trap_id = id;
        }
    }
    json_t *report = report_fixture_json(fixture);
    CHECK_STR_EQ(text_at(report, "event", "call"), "open");
    CHECK_STR_EQ(text_at(report, "event", "arch"), "i386");
    CHECK_STR_EQ(text_at(report, "policy", "decided_by"), "foreign arch");
    CHECK_STR_EQ(text_at(report, "advice", "risk"), "never");
    CHECK(json_is_true(json_object_get(json_object_get(report, "policy"), "confirmed")));
    json_decref(report);
    report_fixture_free(fixture);
}
