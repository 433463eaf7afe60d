// Minidumps, read back by their structure; debuggers were tried by hand (lldb 14: frames, registers, modules, SIGSYS).
#include <jansson.h>
#include <linux/audit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sandbox/report_fixture.h"

enum { DUMP_BYTES = 131072 };

struct dump {
    unsigned char bytes[DUMP_BYTES];
    size_t size_bytes;
};

static uint64_t number_at(const struct dump *dump, size_t offset, size_t size_bytes)
{
    uint64_t value = 0;
    if (CHECK_LE(offset + size_bytes, dump->size_bytes)) {
        memcpy(&value, dump->bytes + offset, size_bytes);
    }
    return value;
}

// Returns: where the stream of this type starts, 0 after having failed the test.
static size_t stream_at(const struct dump *dump, uint32_t type, size_t *ret_size_bytes)
{
    uint64_t count = number_at(dump, 8, 4);
    uint64_t directory = number_at(dump, 12, 4);
    for (uint64_t i = 0; i < count && i < 64; i++) {
        size_t entry = (size_t)(directory + 12 * i);
        if (number_at(dump, entry, 4) == type) {
            *ret_size_bytes = (size_t)number_at(dump, entry + 4, 4);
            size_t start = (size_t)number_at(dump, entry + 8, 4);
            return CHECK_LE(start + *ret_size_bytes, dump->size_bytes) ? start : 0;
        }
    }
    test_fail(__FILE__, __LINE__, "no stream %#x", type);
    return 0;
}

static bool make_dump(struct report_fixture *fixture, struct dump *ret_dump)
{
    char *json = NULL;
    void *bytes = NULL;
    struct brig_error error;
    fixture->violation.with_stack = true;
    ret_dump->size_bytes = 0;
    if (!CHECK_OK(brig_report_json(&fixture->violation, &fixture->stack, &json, &error), &error)) {
        return false;
    }
    bool is_made = CHECK_OK(brig_report_minidump(json, &bytes, &ret_dump->size_bytes, &error), &error) &&
                   CHECK_LE(ret_dump->size_bytes, DUMP_BYTES);
    if (is_made) {
        memcpy(ret_dump->bytes, bytes, ret_dump->size_bytes);
    }
    free(bytes);
    free(json);
    return is_made;
}

static const char maps[] = "550000000000-550000001000 r--p 00000000 08:01 11 /opt/example/libfont.so\n"
                           "550000001000-550000003000 r-xp 00001000 08:01 11 /opt/example/libfont.so\n"
                           "7f0000000000-7f0000100000 r-xp 00000000 08:01 12 /usr/lib/libc.so.6\n";

TEST(report, a_minidump_holds_what_the_report_holds)
{
    static struct dump dump;
    struct report_fixture *fixture = report_fixture_new("openat", (uint64_t[6]){0});
    size_t size_bytes = 0;
    REQUIRE(fixture != NULL);
    fixture->violation.maps = maps;
    fixture->violation.maps_bytes = sizeof maps - 1;
    memset(fixture->record.stack, 0xa5, fixture->record.stack_bytes);
    fixture->record.registers[0] = 0x1111; // rax
    fixture->record.registers[1] = 0x2222; // rdx
    if (make_dump(fixture, &dump)) {
        CHECK_EQ(number_at(&dump, 0, 4), 0x504d444d);
        size_t exception = stream_at(&dump, 6, &size_bytes);
        CHECK_EQ(size_bytes, 168);
        CHECK_EQ(number_at(&dump, exception, 4), 3);      // thread
        CHECK_EQ(number_at(&dump, exception + 8, 4), 31); // SIGSYS
        CHECK_EQ(number_at(&dump, exception + 12, 4), 1); // SYS_SECCOMP
        CHECK_EQ(number_at(&dump, exception + 24, 8), fixture->record.call_address);
        CHECK_EQ(number_at(&dump, exception + 40, 8), 257);
        CHECK_EQ(number_at(&dump, exception + 48, 8), AUDIT_ARCH_X86_64);
        CHECK_EQ(number_at(&dump, exception + 160, 4), 1232); // context
        size_t context = (size_t)number_at(&dump, exception + 164, 4);
        CHECK_EQ(number_at(&dump, context + 0x78, 8), 0x1111);
        CHECK_EQ(number_at(&dump, context + 0x88, 8), 0x2222);
        CHECK_EQ(number_at(&dump, context + 0x98, 8), fixture->record.registers[7]);
        CHECK_EQ(number_at(&dump, context + 0xf8, 8), fixture->record.call_address);
        size_t memory = stream_at(&dump, 5, &size_bytes);
        CHECK_EQ(number_at(&dump, memory + 4, 8), fixture->record.stack_address);
        CHECK_EQ(number_at(&dump, memory + 12, 4), fixture->record.stack_bytes);
        CHECK_BYTES_EQ(dump.bytes + number_at(&dump, memory + 16, 4), fixture->record.stack, fixture->record.stack_bytes);
        size_t modules = stream_at(&dump, 4, &size_bytes);
        CHECK_EQ(number_at(&dump, modules, 4), 2);
        CHECK_EQ(size_bytes, 4 + 2 * 108);
        CHECK_EQ(number_at(&dump, modules + 4, 8), 0x550000000000);
        CHECK_EQ(number_at(&dump, modules + 12, 4), 0x3000);
        CHECK_EQ(number_at(&dump, modules + 4 + 108 + 76, 4), 24); // signature and build-id of libc
        size_t report = stream_at(&dump, 0x47495242, &size_bytes);
        json_t *json = json_loadb((const char *)dump.bytes + report, size_bytes, 0, NULL);
        CHECK(json_object_get(json, "snapshot") == NULL && json_object_get(json, "schema") != NULL);
        json_decref(json);
    }
    report_fixture_free(fixture);
}

#define SNAPSHOT(arch, registers, address, stack) \
    "{\"schema\": \"" BRIG_REPORT_SCHEMA "\", \"snapshot\": {\"arch\": \"" arch "\", \"registers\": [" registers \
    "], \"stack_address\": \"" address "\", \"stack\": \"" stack "\"}}"
#define FOUR "\"0x1\", \"0x2\", \"0x3\", \"0xffffffffffffffff\", "
#define SEVENTEEN FOUR FOUR FOUR FOUR "\"0x0\""

static const struct {
    const char *json;
    const char *subject; // NULL: it is accepted
} inputs[] = {
    {SNAPSHOT("x86_64", SEVENTEEN, "0x1000", "AAAA"), NULL},
    {SNAPSHOT("x86_64", SEVENTEEN, "0x1000", ""), NULL},
    {"", "report"},
    {"[]", "report"},
    {"{}", "snapshot"},
    {"{\"snapshot\": 1}", "snapshot.arch"},
    {SNAPSHOT("aarch64", SEVENTEEN, "0x1000", ""), "snapshot.arch"},
    {SNAPSHOT("x86_64", FOUR "1", "0x1000", ""), "snapshot.registers"},
    {SNAPSHOT("x86_64", FOUR FOUR FOUR FOUR "\"0x10000000000000000\"", "0x1000", ""), "snapshot.registers"},
    {SNAPSHOT("x86_64", FOUR FOUR FOUR FOUR "\"0x\"", "0x1000", ""), "snapshot.registers"},
    {SNAPSHOT("x86_64", FOUR FOUR FOUR FOUR "\"-1\"", "0x1000", ""), "snapshot.registers"},
    {SNAPSHOT("x86_64", SEVENTEEN, "1000", ""), "snapshot.stack_address"},
    {SNAPSHOT("x86_64", SEVENTEEN, "0x1000", "AAA"), "snapshot.stack"},
    {SNAPSHOT("x86_64", SEVENTEEN, "0x1000", "A=AA"), "snapshot.stack"},
    {SNAPSHOT("x86_64", SEVENTEEN, "0x1000", "AA==AAAA"), "snapshot.stack"},
    {SNAPSHOT("x86_64", SEVENTEEN, "0x1000", "AB=="), "snapshot.stack"}, // bits that nobody writes
    {SNAPSHOT("x86_64", SEVENTEEN, "0x1000", "A\\u0000AA"), "report"},
};

TEST(report, only_a_whole_snapshot_becomes_a_minidump)
{
    for (size_t i = 0; i < COUNT_OF(inputs); i++) {
        void *bytes = NULL;
        size_t size_bytes = 0;
        struct brig_error error;
        test_message("%s", inputs[i].json);
        if (inputs[i].subject == NULL) {
            CHECK_OK(brig_report_minidump(inputs[i].json, &bytes, &size_bytes, &error), &error);
            free(bytes);
            continue;
        }
        REQUIRE(CHECK_CODE(brig_report_minidump(inputs[i].json, &bytes, &size_bytes, &error), BRIG_BAD_REPORT, &error));
        CHECK_STR_EQ(error.subject, inputs[i].subject);
    }
}
