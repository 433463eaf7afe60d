// The comparisons behind the CHECK macros. Each says on failure what both sides were.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/shim/test.h"

static bool is_negative(struct test_number number)
{
    return number.is_signed && (int64_t)number.bits < 0;
}

// Returns: -1, 0 or 1, as numbers, whatever the types were. Two of one sign compare as their bits do.
static int compare(struct test_number left, struct test_number right)
{
    if (is_negative(left) != is_negative(right))
        return is_negative(left) ? -1 : 1;
    return (left.bits > right.bits) - (left.bits < right.bits);
}

static bool holds(enum test_relation relation, int order)
{
    switch (relation) {
    case TEST_EQ:
        return order == 0;
    case TEST_NE:
        return order != 0;
    case TEST_LT:
        return order < 0;
    case TEST_LE:
        return order <= 0;
    case TEST_GT:
        return order > 0;
    case TEST_GE:
        return order >= 0;
    }
    return false;
}

static const char *number_text(struct test_number number, char *buffer, size_t buffer_bytes)
{
    if (is_negative(number))
        snprintf(buffer, buffer_bytes, "%" PRId64, (int64_t)number.bits);
    else
        snprintf(buffer, buffer_bytes, "%" PRIu64 " (0x%" PRIx64 ")", number.bits, number.bits);
    return buffer;
}

bool test_check_number(enum test_relation relation, struct test_number left, struct test_number right, struct test_place place)
{
    if (holds(relation, compare(left, right)))
        return true;
    char left_text[64], right_text[64];
    test_fail(place.file, place.line, "%s\n  left:  %s\n  right: %s", place.text, number_text(left, left_text, sizeof left_text),
              number_text(right, right_text, sizeof right_text));
    return false;
}

bool test_check_string(const char *left, const char *right, struct test_place place)
{
    if (left == right || (left && right && strcmp(left, right) == 0))
        return true;
    test_fail(place.file, place.line, "%s\n  left:  %s\n  right: %s", place.text, left ? left : "NULL", right ? right : "NULL");
    return false;
}

bool test_check_contains(const char *text, const char *part, struct test_place place)
{
    if (text && part && strstr(text, part))
        return true;
    test_fail(place.file, place.line, "%s\n  text: %s\n  part: %s", place.text, text ? text : "NULL", part ? part : "NULL");
    return false;
}

bool test_check_bytes(const void *left, const void *right, size_t bytes, struct test_place place)
{
    const unsigned char *a = left, *b = right;
    for (size_t i = 0; i < bytes; i++) {
        if (a[i] == b[i])
            continue;
        test_fail(place.file, place.line, "%s\n  byte %zu of %zu: left 0x%02x, right 0x%02x", place.text, i, bytes, a[i], b[i]);
        return false;
    }
    return true;
}
