// Records: what is no record is refused by the field, and what is one becomes a line.
#include <linux/audit.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sandbox/report_fixture.h"

#define FIELD(member, value_) \
    offsetof(struct brig_trap_record, member), sizeof(((struct brig_trap_record *)NULL)->member), value_, #member

// One field set to a value; what brig_record_check must then name.
static const struct {
    size_t offset;
    size_t size_bytes;
    uint64_t value;
    const char *field;
} rejections[] = {
    {FIELD(magic, 0)},
    {FIELD(magic, BRIG_TRAP_RECORD_MAGIC + 1)},
    {FIELD(version, 0)},
    {FIELD(version, BRIG_TRAP_RECORD_VERSION + 1)},
    {FIELD(pid, (1u << 22) + 1)},
    {FIELD(pid, UINT32_MAX)},
    {FIELD(tid, (1u << 22) + 1)},
    {FIELD(audit_arch, 0)},
    {FIELD(audit_arch, AUDIT_ARCH_X86_64 ^ __AUDIT_ARCH_64BIT ^ 0x1000)},
    {FIELD(trap_id, 0x10000)},
    {FIELD(verb, BRIG_DSL_ALLOW)},
    {FIELD(verb, BRIG_DSL_EMULATE)},
    {FIELD(verb, BRIG_DSL_VERB_COUNT)},
    {FIELD(verb, UINT32_MAX)},
    {FIELD(data, 4096)},
    {FIELD(flags, 64)},
    {FIELD(flags, UINT32_MAX)},
    {FIELD(stack_bytes, BRIG_TRAP_STACK_BYTES + 1)},
    {FIELD(stack_bytes, UINT32_MAX)},
    {FIELD(stack_address, 0x7ffd00001008)}, // not aligned
    {FIELD(stack_address, 0x7ffd00001090)}, // above sp
    {FIELD(stack_address, 0x7ffd00000ff0)}, // too far below sp
    {FIELD(stack_address, 0)},
    {FIELD(stack_address, UINT64_MAX - 15)},
    {FIELD(reserved, 1)},
};

TEST(report, what_is_no_record_is_refused)
{
    static struct brig_trap_record record[1];
    for (size_t i = 0; i < COUNT_OF(rejections); i++) {
        struct brig_error error;
        test_message("%s = %#llx", rejections[i].field, (unsigned long long)rejections[i].value);
        report_record_init(record);
        memcpy((char *)record + rejections[i].offset, &rejections[i].value, rejections[i].size_bytes);
        REQUIRE(CHECK_CODE(brig_record_check(record, &error), BRIG_BAD_RECORD, &error));
        CHECK_STR_EQ(error.subject, rejections[i].field);
    }
}

TEST(report, a_question_is_one_that_somebody_waits_with)
{
    static struct brig_trap_record record[1];
    struct brig_error error;
    report_record_init(record);
    record->verb = BRIG_DSL_NOTIFY;
    record->flags = BRIG_TRAP_FLAG_WAITS;
    CHECK_OK(brig_record_check(record, &error), &error);
    record->flags = 0;
    REQUIRE(CHECK_CODE(brig_record_check(record, &error), BRIG_BAD_RECORD, &error));
    CHECK_STR_EQ(error.subject, "flags");
}

// A stack at the very end of the address space must not wrap around.
TEST(report, a_stack_that_wraps_is_refused)
{
    static struct brig_trap_record record[1];
    struct brig_error error;
    report_record_init(record);
    record->stack_address = UINT64_MAX - 127;
    record->registers[7] = UINT64_MAX;
    REQUIRE(CHECK_CODE(brig_record_check(record, &error), BRIG_BAD_RECORD, &error));
    CHECK_STR_EQ(error.subject, "stack_address");
}

TEST(report, records_of_every_kind_are_accepted)
{
    static struct brig_trap_record record[1];
    report_record_init(record);
    CHECK_OK(brig_record_check(record, NULL), NULL);
    record->audit_arch = AUDIT_ARCH_I386; // int 0x80 in a 64-bit process
    record->nr = UINT32_MAX;
    record->flags = 63;
    CHECK_OK(brig_record_check(record, NULL), NULL);
    record->stack_bytes = 0; // re-entered: short
    record->stack_address = 1;
    record->tid = 0;
    CHECK_OK(brig_record_check(record, NULL), NULL);
    record->verb = BRIG_DSL_REPORT;
    record->data = 4095;
    CHECK_OK(brig_record_check(record, NULL), NULL);
}

// --- the line ---------------------------------------------------------------------------------------------------------

static bool is_utf8_without_controls(const char *text)
{
    char clean[BRIG_MESSAGE_BYTES_MAX * 4];
    brig_report_clean(text, clean, sizeof clean);
    return strcmp(text, clean) == 0;
}

TEST(report, a_line_says_who_what_why_and_where)
{
    static const uint64_t args[6] = {(uint64_t)-100, 0x1000, 0x80000, 0};
    struct report_fixture *fixture = report_fixture_new("openat", args);
    char line[BRIG_MESSAGE_BYTES_MAX];
    REQUIRE(fixture != NULL);
    report_point(fixture, 1, "/etc/passwd", 11, false);
    brig_report_message(&fixture->violation, &fixture->stack, line);
    CHECK_STR_EQ(line, "brig: example[4711] openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC) -> killed  by example.c:88  "
                       "at load_font+0x1c (libfont.so)  try: brig report 20261118T103332-7-4711.json.gz");
    report_fixture_free(fixture);
}

TEST(report, a_line_says_what_was_answered)
{
    struct report_fixture *fixture = report_fixture_new("getpid", (uint64_t[6]){0});
    char line[BRIG_MESSAGE_BYTES_MAX];
    REQUIRE(fixture != NULL);
    fixture->violation.report_name = NULL;
    brig_report_message(&fixture->violation, NULL, line);
    CHECK_STR_EQ(line, "brig: example[4711] getpid() -> answered EPERM  by example.c:90");
    report_fixture_free(fixture);
}

TEST(report, a_line_of_a_bad_record_says_so)
{
    struct report_fixture *fixture = report_fixture_new("getpid", (uint64_t[6]){0});
    char line[BRIG_MESSAGE_BYTES_MAX];
    REQUIRE(fixture != NULL);
    fixture->record.flags = 1u << 30;
    brig_report_message(&fixture->violation, &fixture->stack, line);
    CHECK_STR_EQ(line, "brig: example[4711] sent a record that is none: bad flags");
    report_fixture_free(fixture);
}

// Whatever the lengths: at most 400 bytes with the terminator, valid, and the end is there.
TEST(report, a_line_fits_whatever_is_in_it)
{
    // NOLINTNEXTLINE(misc-misleading-bidirectional)
    static const char *const units[] = {"x", "\033", "\xe2\x80\xae", "\xff", "\xe6\x97\xa5", "\\"};
    struct report_fixture *fixture = report_fixture_new("openat", (uint64_t[6]){(uint64_t)-100, 0x1000, UINT64_MAX, UINT64_MAX});
    char line[BRIG_MESSAGE_BYTES_MAX + 1];
    char path[4096];
    REQUIRE(fixture != NULL);
    for (size_t unit = 0; unit < COUNT_OF(units); unit++) {
        size_t unit_bytes = strlen(units[unit]);
        for (size_t count = 0; count < 400; count++) {
            for (size_t i = 0; i < count; i++) {
                memcpy(path + i * unit_bytes, units[unit], unit_bytes);
            }
            test_message("%zu times unit %zu", count, unit);
            fixture->violation.pointee_count = 0;
            report_point(fixture, 1, path, count * unit_bytes, false);
            fixture->violation.worker_name = count % 2 == 0 ? "example" : "a name of a process type that is far too long to be one";
            memset(fixture->stack.frames[1].symbol, 's', sizeof fixture->stack.frames[1].symbol - 1);
            line[BRIG_MESSAGE_BYTES_MAX] = '#';
            brig_report_message(&fixture->violation, &fixture->stack, line);
            CHECK_LT(strlen(line), BRIG_MESSAGE_BYTES_MAX);
            CHECK_EQ(line[BRIG_MESSAGE_BYTES_MAX], '#');
            CHECK(is_utf8_without_controls(line));
            CHECK_CONTAINS(line, "-> killed  by example.c:88  at sss");
            CHECK_CONTAINS(line, "try: brig report 20261118T103332-7-4711.json.gz");
        }
    }
    report_fixture_free(fixture);
}

// --- the key ----------------------------------------------------------------------------------------------------------

TEST(report, the_same_cause_has_the_same_key)
{
    struct report_fixture *fixture = report_fixture_new("openat", (uint64_t[6]){1, 2, 3});
    REQUIRE(fixture != NULL);
    uint64_t key = brig_report_key(&fixture->violation, &fixture->stack);
    fixture->record.args[1] = 99; // other arguments, another place in memory, another time
    fixture->stack.frames[0].ip += 4096;
    fixture->violation.time_ms++;
    fixture->program.hash++; // another process id in the program
    CHECK_EQ(brig_report_key(&fixture->violation, &fixture->stack), key);
    fixture->stack.frames[1].module_offset++;
    CHECK_NE(brig_report_key(&fixture->violation, &fixture->stack), key);
    fixture->stack.frames[1].module_offset--;
    fixture->record.nr++;
    CHECK_NE(brig_report_key(&fixture->violation, &fixture->stack), key);
    report_fixture_free(fixture);
}
