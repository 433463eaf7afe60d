// Checks of functions that return enum brig_code. Apart from test.h, so that the shim itself needs no room.
#ifndef BRIG_TESTS_SHIM_CODES_H
#define BRIG_TESTS_SHIM_CODES_H

#include "bpf_dsl/error.h"
#include "tests/shim/test.h"

static inline bool test_check_code(enum brig_code code, enum brig_code expected, const struct brig_error *error,
                                   struct test_place place)
{
    if (code == expected)
        return true;
    char text[BRIG_ERROR_TEXT_BYTES] = "";
    if (code != BRIG_OK && error && error->code == code)
        brig_error_format(error, text, sizeof text);
    test_fail(place.file, place.line, "%s\n  returned %s, expected %s%s%s", place.text, brig_code_name(code),
              brig_code_name(expected), *text ? "\n  " : "", text);
    return false;
}

// CHECK_OK(brig_lock(policy, &options, &error), &error): says the whole error when it is not OK; the second argument may be NULL.
#define CHECK_OK(expression, error) test_check_code((expression), BRIG_OK, (error), TEST_PLACE(#expression))

// CHECK_CODE(brig_lock(NULL, &options, &error), BRIG_BAD_ARGUMENT, &error): a certain code, and that the error has it too.
#define CHECK_CODE(expression, expected, error) \
    (test_check_code((expression), (expected), (error), TEST_PLACE(#expression)) && \
     test_check_error_has((expected), (error), TEST_PLACE(#expression)))

static inline bool test_check_error_has(enum brig_code expected, const struct brig_error *error, struct test_place place)
{
    if (!error || expected == BRIG_OK || (error->code == expected && error->step))
        return true;
    test_fail(place.file, place.line, "%s\n  returned %s, but the error says %s at step %s", place.text, brig_code_name(expected),
              brig_code_name(error->code), error->step ? error->step : "NULL");
    return false;
}

#define REQUIRE_OK(expression, error) \
    do { \
        if (!CHECK_OK(expression, error)) \
            return; \
    } while (0)

#endif
