// Values: the texts of conditions as numbers.
#include "bpf_dsl/values.h"

#include <string.h>

#include "bpf_dsl/rules.h"
#include "tests/bpf_dsl/rules_fixture.h"
#include "tests/shim/codes.h"
#include "tests/shim/test.h"

static const struct brig_dsl_constant own[] = {{"LOG_FD", 7}, {"O_RDONLY", 99}, {"LOWEST", INT64_MIN}, {.name = NULL}};

static enum brig_code read_text(const char *text, enum brig_dsl_arch arch, uint64_t *ret_value, struct brig_error *error)
{
    return brig_dsl_read_value(text, strlen(text), arch, own, ret_value, error);
}

static const struct {
    const char *text;
    uint64_t value;
} good_texts[] = {
    {"0", 0},
    {"12", 12},
    {" 0x1F ", 0x1f},
    {"0XfF", 0xff},
    {"0777", 0777},
    {"00", 0},
    {"9223372036854775807", INT64_MAX},
    {"0x7fffffffffffffff", INT64_MAX},
    {"-1", UINT64_MAX},
    {"-9223372036854775807 - 1", (uint64_t)INT64_MIN},
    {"--1", 1},
    {"~0", UINT64_MAX},
    {"~~5", 5},
    {"-~0", 1},
    {"'a'", 'a'},
    {"'T' << 8 | 1", 'T' << 8 | 1},
    {"'\\n'", '\n'},
    {"'\\''", '\''},
    {"'\\\\'", '\\'},
    {"','", ','},
    {"1|2|4", 7},
    {"7 & 3 | 8", 11},
    {"8 | 7 & 3", 11},
    {"1 << 2 + 1", 8},
    {"1 + 1 << 2", 8},
    {"10 - 3 - 2", 5},
    {"10 - (3 - 2)", 9},
    {"1 << 62", UINT64_C(1) << 62},
    {"~(1 | 2)", ~UINT64_C(3)},
    {"~1 & 0xff", 0xfe},
    {"-1 & 0xffffffff", 0xffffffff},
    {"U64(18446744073709551615)", UINT64_MAX},
    {"U64(0xffffffffffffffff)", UINT64_MAX},
    {"U64(1 << 63)", UINT64_C(1) << 63},
    {"U64(1) << 63", UINT64_C(1) << 63},
    {"U64(0x8000000000000000) | 1", (UINT64_C(1) << 63) + 1},
    {"~U64(1)", UINT64_MAX - 1},
    {"U64(~0)", UINT64_MAX},
    {"-U64(5)", (uint64_t)-5},
    {"U64(0xffffffffffffffff) - 0xffffffff", UINT64_C(0xffffffff00000000)},
    {"LOG_FD", 7},
    {"LOG_FD+1", 8},
    {"LOWEST", (uint64_t)INT64_MIN},
    {"O_RDONLY", 99}, // the policy's own come first
    {"O_WRONLY|O_APPEND", 02001},
    {"((((((((1))))))))", 1},
};

TEST(values, good_texts)
{
    for (size_t i = 0; i < COUNT_OF(good_texts); i++) {
        test_message("%s", good_texts[i].text);
        uint64_t value = 0;
        struct brig_error error;
        if (CHECK_OK(read_text(good_texts[i].text, BRIG_DSL_X86_64, &value, &error), &error)) {
            CHECK_EQ(value, good_texts[i].value);
        }
    }
}

static const struct {
    const char *text;
    enum brig_code code;
    const char *subject;
    int64_t detail;
} bad_texts[] = {
    {"", BRIG_BAD_VALUE_SYNTAX, "", 0},
    {"  ", BRIG_BAD_VALUE_SYNTAX, "  ", 2},
    {"1 2", BRIG_BAD_VALUE_SYNTAX, "1 2", 2},
    {"O_WRONLY || O_APPEND", BRIG_BAD_VALUE_SYNTAX, "O_WRONLY || O_APPEND", 10},
    {"1 && 2", BRIG_BAD_VALUE_SYNTAX, "1 && 2", 3},
    {"1 <<", BRIG_BAD_VALUE_SYNTAX, "1 <<", 4},
    {"1 < 2", BRIG_BAD_VALUE_SYNTAX, "1 < 2", 2},
    {"2 * 3", BRIG_BAD_VALUE_SYNTAX, "2 * 3", 2},
    {"1 ^ 3", BRIG_BAD_VALUE_SYNTAX, "1 ^ 3", 2},
    {"(1", BRIG_BAD_VALUE_SYNTAX, "(1", 2},
    {"1)", BRIG_BAD_VALUE_SYNTAX, "1)", 1},
    {"()", BRIG_BAD_VALUE_SYNTAX, "()", 1},
    {"08", BRIG_BAD_VALUE_SYNTAX, "08", 1},
    {"0x", BRIG_BAD_VALUE_SYNTAX, "0x", 2},
    {"0xg", BRIG_BAD_VALUE_SYNTAX, "0xg", 2},
    {"12ab", BRIG_BAD_VALUE_SYNTAX, "12ab", 2},
    {"1UL", BRIG_BAD_VALUE_SYNTAX, "1UL", 1},
    {"''", BRIG_BAD_VALUE_SYNTAX, "''", 1},
    {"'a", BRIG_BAD_VALUE_SYNTAX, "'a", 2},
    {"'ab'", BRIG_BAD_VALUE_SYNTAX, "'ab'", 2},
    {"'\\q'", BRIG_BAD_VALUE_SYNTAX, "'\\q'", 2},
    {"'", BRIG_BAD_VALUE_SYNTAX, "'", 1},
    {"1, 2", BRIG_BAD_VALUE_SYNTAX, "1, 2", 1},
    {"1,", BRIG_BAD_VALUE_SYNTAX, "1,", 1},
    {"U64 5", BRIG_BAD_VALUE_SYNTAX, "U64 5", 4},
    {"U64(5", BRIG_BAD_VALUE_SYNTAX, "U64(5", 5},
    {"LOG_FD(1)", BRIG_BAD_VALUE_SYNTAX, "LOG_FD(1)", 6},
    {"SELF_PID", BRIG_BAD_VALUE_SYNTAX, "SELF_PID", 0},
    {"1|NOTIFY_FD", BRIG_BAD_VALUE_SYNTAX, "1|NOTIFY_FD", 2},
    {"#", BRIG_BAD_VALUE_SYNTAX, "#", 0},
    {"O_CLOEXSEC", BRIG_NO_SUCH_CONSTANT, "O_CLOEXSEC", 0},
    {"1 | NO_NAME|2", BRIG_NO_SUCH_CONSTANT, "NO_NAME", 0},
    {"9223372036854775808", BRIG_VALUE_OUT_OF_RANGE, "9223372036854775808", 0},
    {"1 + 18446744073709551616", BRIG_VALUE_OUT_OF_RANGE, "18446744073709551616", 0},
    {"U64(18446744073709551616)", BRIG_VALUE_OUT_OF_RANGE, "18446744073709551616", 0},
    {"99999999999999999999999999999", BRIG_VALUE_OUT_OF_RANGE, "99999999999999999999999999999", 0},
    {"0x7fffffffffffffff + 1", BRIG_VALUE_OUT_OF_RANGE, "0x7fffffffffffffff + 1", 0},
    {"U64(0xffffffffffffffff) + 1", BRIG_VALUE_OUT_OF_RANGE, "U64(0xffffffffffffffff) + 1", 0},
    {"-9223372036854775807 - 2", BRIG_VALUE_OUT_OF_RANGE, "-9223372036854775807 - 2", 0},
    {"LOWEST + LOWEST", BRIG_VALUE_OUT_OF_RANGE, "LOWEST + LOWEST", 0},
    {"-LOWEST", BRIG_VALUE_OUT_OF_RANGE, "-LOWEST", 0},
    {"-U64(0x8000000000000001)", BRIG_VALUE_OUT_OF_RANGE, "-U64(0x8000000000000001)", 0},
    {"1 << 63", BRIG_VALUE_OUT_OF_RANGE, "1 << 63", 0},
    {"1 << 64", BRIG_VALUE_OUT_OF_RANGE, "1 << 64", 0},
    {"1 << -1", BRIG_VALUE_OUT_OF_RANGE, "1 << -1", 0},
    {"-1 << 1", BRIG_VALUE_OUT_OF_RANGE, "-1 << 1", 0},
    {"U64(3) << 63", BRIG_VALUE_OUT_OF_RANGE, "U64(3) << 63", 0},
};

TEST(values, bad_texts)
{
    for (size_t i = 0; i < COUNT_OF(bad_texts); i++) {
        test_message("%s", bad_texts[i].text);
        uint64_t value = 42;
        struct brig_error error = {.code = BRIG_OK};
        if (CHECK_CODE(read_text(bad_texts[i].text, BRIG_DSL_X86_64, &value, &error), bad_texts[i].code, &error)) {
            CHECK_STR_EQ(fixture_subject(&error), bad_texts[i].subject);
            CHECK(error.code != BRIG_BAD_VALUE_SYNTAX || error.detail == bad_texts[i].detail);
        }
        CHECK_EQ(value, 42);
        CHECK_EQ(read_text(bad_texts[i].text, BRIG_DSL_X86_64, &value, NULL), bad_texts[i].code);
    }
}

TEST(values, arches_have_their_own_constants)
{
    static const struct {
        const char *text;
        enum brig_dsl_arch arch;
        enum brig_code code;
        uint64_t value;
    } rows[] = {
        {"O_DIRECTORY", BRIG_DSL_X86_64, BRIG_OK, 0200000},      {"O_DIRECTORY", BRIG_DSL_AARCH64, BRIG_OK, 040000},
        {"O_DIRECT", BRIG_DSL_X86_64, BRIG_OK, 040000},          {"MAP_32BIT", BRIG_DSL_X86_64, BRIG_OK, 0x40},
        {"MAP_32BIT", BRIG_DSL_AARCH64, BRIG_ABSENT_ON_ARCH, 0}, {"EPERM", BRIG_DSL_ARM, BRIG_OK, 1},
        {"AT_FDCWD", BRIG_DSL_RISCV64, BRIG_OK, (uint64_t)-100},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        test_message("%s on %s", rows[i].text, brig_dsl_arch_name(rows[i].arch));
        uint64_t value = 0;
        struct brig_error error = {.code = BRIG_OK};
        REQUIRE(CHECK_CODE(read_text(rows[i].text, rows[i].arch, &value, &error), rows[i].code, &error));
        CHECK_EQ(value, rows[i].value);
    }
}

TEST(values, nesting_is_bounded)
{
    char text[4096];
    struct brig_error error;
    uint64_t value;
    memset(text, '(', sizeof text);
    REQUIRE(
        CHECK_CODE(brig_dsl_read_value(text, sizeof text, BRIG_DSL_X86_64, NULL, &value, &error), BRIG_BAD_VALUE_SYNTAX, &error));
    memset(text, '~', sizeof text);
    REQUIRE(
        CHECK_CODE(brig_dsl_read_value(text, sizeof text, BRIG_DSL_X86_64, NULL, &value, &error), BRIG_BAD_VALUE_SYNTAX, &error));
}

TEST(values, spans_of_a_list)
{
    const char *text = " F_GETFL,SELF_PID , ','|1 ";
    struct brig_dsl_options options = {.self_pid = 5, .notify_fd = BRIG_DSL_SLOT_UNSET};
    struct dsl_value_reader reader = {.text = text, .text_bytes = strlen(text), .arch = BRIG_DSL_X86_64, .slots = &options};
    static const struct {
        const char *span;
        uint64_t bits;
    } rows[] = {{"F_GETFL", 3}, {"SELF_PID", 5}, {"','|1", ',' | 1}};
    struct dsl_value value;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        test_message("%s", rows[i].span);
        REQUIRE(dsl_value_next(&reader, &value));
        CHECK_EQ(value.bits, rows[i].bits);
        REQUIRE(CHECK_EQ(value.bytes, strlen(rows[i].span)));
        CHECK_BYTES_EQ(text + value.offset, rows[i].span, value.bytes);
    }
    CHECK(!dsl_value_next(&reader, &value));
    CHECK_EQ(reader.error.code, BRIG_OK);
}

#ifdef __SIZEOF_INT128__
__extension__ typedef __int128 wide;

TEST(values, numbers_of_65_bits)
{
    // Every pair of edge values, against arithmetic that has the bits to be right.
    static const wide edges[] = {0, 1, -1, 2, INT64_MAX, -INT64_MAX, INT64_MIN, (wide)1 << 63, UINT64_MAX, 4096};
    static const char operators[] = "+-|&";
    for (size_t i = 0; i < COUNT_OF(edges) * COUNT_OF(edges) * (COUNT_OF(operators) - 1); i++) {
        wide a = edges[i % COUNT_OF(edges)];
        wide b = edges[i / COUNT_OF(edges) % COUNT_OF(edges)];
        char sign[2] = {operators[i / COUNT_OF(edges) / COUNT_OF(edges)], '\0'};
        wide wanted = *sign == '+' ? a + b : *sign == '-' ? a - b : *sign == '|' ? (a | b) : (a & b);
        struct dsl_value left = {.bits = (uint64_t)a, .is_negative = a < 0, .is_unsigned = true};
        struct dsl_value right = {.bits = (uint64_t)b, .is_negative = b < 0, .is_unsigned = true};
        struct dsl_value result = {.is_unsigned = true};
        bool fits = dsl_operator_at(sign, 1)->apply(&result, &left, &right);
        test_message("%lld %s %lld", (long long)a, sign, (long long)b);
        CHECK_EQ(fits, wanted >= INT64_MIN && wanted <= UINT64_MAX);
        if (fits) {
            CHECK_EQ(result.bits, (uint64_t)wanted);
            CHECK_EQ(result.is_negative, wanted < 0);
        }
    }
}
#endif
