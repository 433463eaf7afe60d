// The C side of googletest: tests with C bodies, and tests that run in a process of their own.
//
//   TEST(dsl, names_are_found)
//   {
//       for (size_t i = 0; i < COUNT_OF(rows); i++) {
//           test_message("row %zu: %s", i, rows[i].name);        // said with every failure until the next test_message
//           CHECK_EQ(brig_dsl_call_nr(rows[i].call, BRIG_DSL_X86_64), rows[i].nr);
//       }
//   }
//
//   SANDBOX_TEST(sandbox, open_is_killed, .expect_signal = SIGSYS)
//   {
//       REQUIRE(lock_this_process());
//       open("/etc/passwd", O_RDONLY);
//   }
//
// Rules that hold throughout:
// - CHECK goes on after a failure, REQUIRE returns from the function that it stands in. Both work in any thread, and in any process
//   forked from the test: failures go through shared memory, so a filter cannot swallow them.
// - A SANDBOX_TEST runs in a child, leader of its own process group. It passes when no check failed, the child ended as expected
//   (by default exit status 0 after the body returns) within the timeout, no descriptor was left open that was not open before, and
//   no process was left behind. After a body that locked itself, the shim makes no call in the child but exit_group.
// - A TEST runs in the test program itself. Descriptors and processes left behind fail it as well.
// - A child that a body forks ends by _exit.
#ifndef BRIG_TESTS_SHIM_TEST_H
#define BRIG_TESTS_SHIM_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// --- what the macros below use ----------------------------------------------------------------------------------------

struct test_options {
    int expect_signal; // the signal that must end the child; 0: it must exit
    int expect_exit;   // its exit status then; a body that returns exits with 0
    int timeout_ms;    // 0: 10 seconds; longer by a factor in sanitizer builds
};

struct test_case {
    const char *room;
    const char *name;
    const char *file;
    int line;
    bool is_sandboxed;
    struct test_options options;
    void (*body)(void);
    struct test_case *next; // the list of all, in order of file and line
};

// A number of any C integer type, or a pointer, with its sign kept.
struct test_number {
    uint64_t bits;
    bool is_signed;
};

struct test_place {
    const char *file;
    int line;
    const char *text; // the source of the check
};

enum test_relation { TEST_EQ, TEST_NE, TEST_LT, TEST_LE, TEST_GT, TEST_GE };

void test_register(struct test_case *test);

bool test_check_number(enum test_relation relation, struct test_number left, struct test_number right, struct test_place place);
bool test_check_string(const char *left, const char *right, struct test_place place);
bool test_check_contains(const char *text, const char *part, struct test_place place);
bool test_check_bytes(const void *left, const void *right, size_t bytes, struct test_place place);

// Fails the test with a message of its own; `file` and `line` name the place.
__attribute__((format(printf, 3, 4))) void test_fail(const char *file, int line, const char *format, ...);

// Sets what is said with every later failure of this thread, until the next call or the end of the test; "" for nothing.
__attribute__((format(printf, 1, 2))) void test_message(const char *format, ...);

// Marks the test as skipped, with the reason; return from the body after it. A failure before or after still counts as a failure.
__attribute__((format(printf, 1, 2))) void test_skip(const char *format, ...);

#ifdef __cplusplus
}
#else

static inline struct test_number test_number_signed(int64_t value)
{
    return (struct test_number){.bits = (uint64_t)value, .is_signed = true};
}

static inline struct test_number test_number_unsigned(uint64_t value)
{
    return (struct test_number){.bits = value, .is_signed = false};
}

static inline struct test_number test_number_pointer(const void *value)
{
    return (struct test_number){.bits = (uint64_t)(uintptr_t)value, .is_signed = false};
}

// clang-format off
#define TEST_NUMBER(value)                                                                                                     \
    _Generic((value),                                                                                                          \
        _Bool: test_number_unsigned,                                                                                           \
        char: test_number_signed, signed char: test_number_signed, short: test_number_signed, int: test_number_signed,         \
        long: test_number_signed, long long: test_number_signed,                                                               \
        unsigned char: test_number_unsigned, unsigned short: test_number_unsigned, unsigned: test_number_unsigned,             \
        unsigned long: test_number_unsigned, unsigned long long: test_number_unsigned,                                         \
        default: test_number_pointer)(value)
// clang-format on

#define TEST_PLACE(text) ((struct test_place){__FILE__, __LINE__, (text)})

// Inline, so that compilers and analyzers know what holds after REQUIRE.
static inline bool test_check(bool is_true, struct test_place place)
{
    if (!is_true)
        test_fail(place.file, place.line, "%s\n  is false", place.text);
    return is_true;
}

#define TEST_DEFINE(room_, name_, is_sandboxed_, ...) \
    static void test_body_##room_##_##name_(void); \
    __attribute__((constructor)) static void test_register_##room_##_##name_(void) \
    { \
        static struct test_case test = {.room = #room_, \
                                        .name = #name_, \
                                        .file = __FILE__, \
                                        .line = __LINE__, \
                                        .is_sandboxed = (is_sandboxed_), \
                                        .options = {__VA_ARGS__}, \
                                        .body = test_body_##room_##_##name_}; \
        test_register(&test); \
    } \
    static void test_body_##room_##_##name_(void)

// --- the macros -------------------------------------------------------------------------------------------------------

// A test in the test program itself. A name that contains "threads" also runs under TSan.
#define TEST(room, name) TEST_DEFINE(room, name, false, .expect_exit = 0)

// A test in a child of its own. At least one option of struct test_options has to be given: .expect_exit = 0 is the plain one.
#define SANDBOX_TEST(room, name, ...) TEST_DEFINE(room, name, true, __VA_ARGS__)

#define CHECK(condition) test_check((condition), TEST_PLACE(#condition))
// Numbers, compared as numbers: -1 is not UINT64_MAX.
#define CHECK_EQ(left, right) test_check_number(TEST_EQ, TEST_NUMBER(left), TEST_NUMBER(right), TEST_PLACE(#left " == " #right))
#define CHECK_NE(left, right) test_check_number(TEST_NE, TEST_NUMBER(left), TEST_NUMBER(right), TEST_PLACE(#left " != " #right))
#define CHECK_LT(left, right) test_check_number(TEST_LT, TEST_NUMBER(left), TEST_NUMBER(right), TEST_PLACE(#left " < " #right))
#define CHECK_LE(left, right) test_check_number(TEST_LE, TEST_NUMBER(left), TEST_NUMBER(right), TEST_PLACE(#left " <= " #right))
#define CHECK_GT(left, right) test_check_number(TEST_GT, TEST_NUMBER(left), TEST_NUMBER(right), TEST_PLACE(#left " > " #right))
#define CHECK_GE(left, right) test_check_number(TEST_GE, TEST_NUMBER(left), TEST_NUMBER(right), TEST_PLACE(#left " >= " #right))
// Strings; NULL equals only NULL.
#define CHECK_STR_EQ(left, right) test_check_string((left), (right), TEST_PLACE(#left " == " #right))
#define CHECK_CONTAINS(text, part) test_check_contains((text), (part), TEST_PLACE(#text " contains " #part))
#define CHECK_BYTES_EQ(left, right, bytes) test_check_bytes((left), (right), (bytes), TEST_PLACE(#left " == " #right))

// Goes on only if a check holds: REQUIRE(CHECK_EQ(a, b)) works as well as REQUIRE(a == b).
#define REQUIRE(condition) \
    do { \
        if (!CHECK(condition)) \
            return; \
    } while (0)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
#endif
