// Text of a worker: what must not reach a terminal does not, and nothing is cut in half.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/report.h"
#include "sandbox/report/text.h"
#include "tests/shim/test.h"

#define BYTES(text) text, sizeof(text) - 1

// NOLINTBEGIN(misc-misleading-bidirectional)
static const struct {
    const char *what;
    const char *bytes;
    size_t size_bytes;
    const char *expected;
} rows[] = {
    {"plain text stays", BYTES("/etc/passwd"), "/etc/passwd"},
    {"letters of any script stay", BYTES("/tmp/\xc3\xa4\xe2\x82\xac\xe6\x97\xa5\xf0\x9f\x90\x9a"), "/tmp/ä€日🐚"},
    {"backslash and quote", BYTES("a\\\"b"), "a\\\\\\\"b"},
    {"newline, tab, return", BYTES("a\nb\tc\rd"), "a\\nb\\tc\\rd"},
    {"terminal escape", BYTES("\033[2J"), "\\x1b[2J"},
    {"NUL and DEL", BYTES("a\0b\x7f"), "a\\x00b\\x7f"},
    {"C1 as UTF-8",
     BYTES("\xc2\x9b"
           "31m"),
     "\\u009b31m"},
    {"C1 as one byte",
     BYTES("\x9b"
           "31m"),
     "\\x9b31m"},
    {"right-to-left override", BYTES("\xe2\x80\xaegnp"), "\\u202egnp"},
    {"isolate", BYTES("\xe2\x81\xa7"), "\\u2067"},
    {"zero-width space and joiner", BYTES("a\xe2\x80\x8b\xe2\x80\x8d"), "a\\u200b\\u200d"},
    {"line and paragraph separator", BYTES("\xe2\x80\xa8\xe2\x80\xa9"), "\\u2028\\u2029"},
    {"byte order mark", BYTES("\xef\xbb\xbfx"), "\\ufeffx"},
    {"tag characters", BYTES("\xf3\xa0\x81\x81"), "\\U000e0041"},
    {"overlong slash", BYTES("\xc0\xaf"), "\\xc0\\xaf"},
    {"overlong in three bytes", BYTES("\xe0\x80\xaf"), "\\xe0\\x80\\xaf"},
    {"surrogate", BYTES("\xed\xa0\x80"), "\\xed\\xa0\\x80"},
    {"beyond Unicode", BYTES("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80"},
    {"cut character", BYTES("a\xe2\x82"), "a\\xe2\\x82"},
    {"lone continuation", BYTES("\x80"), "\\x80"},
};
// NOLINTEND(misc-misleading-bidirectional)

TEST(report, text_of_a_worker_is_escaped)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char buffer[128];
        struct box_text text;
        test_message("%s", rows[i].what);
        box_text_init(&text, buffer, sizeof buffer);
        box_text_add_escaped(&text, rows[i].bytes, rows[i].size_bytes);
        CHECK_STR_EQ(buffer, rows[i].expected);
        CHECK(!text.is_cut);
    }
}

TEST(report, a_text_that_does_not_fit_is_cut_between_characters)
{
    static const char source[] =
        "ab\xe2\x82\xac\033\xf0\x9f\x90\x9axyz"; // a b EUR ESC shell x y z: 1 1 3 4 4 1 1 1 bytes of output
    static const size_t ends[] = {0, 1, 2, 5, 9, 13, 14, 15, 16};
    for (size_t size = 1; size <= 20; size++) {
        char buffer[32];
        struct box_text text;
        size_t expected = 0;
        for (size_t i = 0; i < COUNT_OF(ends); i++) {
            expected = ends[i] < size ? ends[i] : expected;
        }
        memset(buffer, '#', sizeof buffer);
        test_message("buffer of %zu", size);
        box_text_init(&text, buffer, size);
        box_text_add_escaped(&text, source, sizeof source - 1);
        CHECK_EQ(text.used_bytes, expected);
        CHECK_EQ(strlen(buffer), expected);
        CHECK_EQ(text.is_cut, size <= 16);
        CHECK_EQ(buffer[size], '#');
    }
}

TEST(report, a_long_path_loses_its_beginning)
{
    char path[600];
    char buffer[64];
    struct box_text text;
    memset(path, 'd', sizeof path);
    memcpy(path, "/nix/store/", 11);
    memcpy(path + 560, "/lib/libfoo.so.1", sizeof "/lib/libfoo.so.1");
    box_text_init(&text, buffer, sizeof buffer);
    box_text_add_path(&text, path);
    CHECK_EQ(strncmp(buffer, "...ddd", 6), 0);
    CHECK_STR_EQ(strchr(buffer, '/'), "/lib/libfoo.so.1");
    memset(path, '\033', 560); // each byte needs four
    box_text_init(&text, buffer, sizeof buffer);
    box_text_add_path(&text, path);
    CHECK_CONTAINS(buffer, "/libfoo.so.1");
    CHECK(!text.is_cut);
}

TEST(report, a_string_of_a_report_is_cleaned_for_a_terminal)
{
    char buffer[64];
    brig_report_clean("already \\x1b escaped, \033[31m not", buffer, sizeof buffer);
    CHECK_STR_EQ(buffer, "already \\x1b escaped, \\x1b[31m not");
}
