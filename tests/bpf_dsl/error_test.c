// Errors: sentences for people.
#include <errno.h>
#include <string.h>

#include "bpf_dsl/error.h"
#include "bpf_dsl/faults.h"
#include "bpf_dsl/tables.h"
#include "tests/shim/test.h"

static const struct {
    struct brig_error error;
    const char *text;
} sentences[] = {
    {{.code = BRIG_NO_SUCH_CONSTANT, .step = "resolve rows", .subject = "O_CLOEXSEC", .file = "policies/renderer.c", .line = 88},
     "policies/renderer.c:88: resolve rows: no constant has this name: 'O_CLOEXSEC' (did you mean O_CLOEXEC?)"},
    {{.code = BRIG_NO_SUCH_CONSTANT,
      .step = "resolve rows",
      .subject = "F_GETFG, F_GETFL",
      .subject_bytes = 7,
      .file = "a.c",
      .line = 1},
     "a.c:1: resolve rows: no constant has this name: 'F_GETFG' (did you mean F_GETFD?)"},
    {{.code = BRIG_NO_SUCH_CALL, .step = "resolve rows", .subject = "opneat"},
     "resolve rows: no system call has this name: 'opneat' (did you mean openat?)"},
    {{.code = BRIG_NO_SUCH_CALL, .step = "resolve rows", .subject = "zzzzzzzzzzzzzzzz"},
     "resolve rows: no system call has this name: 'zzzzzzzzzzzzzzzz'"},
    {{.code = BRIG_NO_SUCH_ARGUMENT, .step = "resolve rows", .subject = "command", .detail = BRIG_SYS_fcntl},
     "resolve rows: this system call has no such argument: 'command' (fcntl has fd, cmd, arg)"},
    {{.code = BRIG_BAD_VALUE_SYNTAX, .step = "resolve rows", .subject = "A || B", .detail = 3},
     "resolve rows: a value cannot be read: 'A || B' at character 4 (for the union of bits write |)"},
    {{.code = BRIG_BAD_VALUE_SYNTAX, .step = "resolve rows", .subject = "", .detail = 0},
     "resolve rows: a value cannot be read: '' at character 1 (a value is missing)"},
    {{.code = BRIG_VALUE_OUT_OF_RANGE, .step = "resolve rows", .subject = "-5", .detail = DSL_FAULT_UNSIGNED},
     "resolve rows: a value does not fit: '-5': this argument is an unsigned int: 0 to 4294967295"},
    {{.code = BRIG_ABSENT_ON_ARCH, .step = "resolve rows", .subject = "MAP_32BIT", .detail = BRIG_DSL_AARCH64},
     "resolve rows: a constant does not exist on this arch: 'MAP_32BIT', aarch64"},
    {{.code = BRIG_MISSING_ELSE, .step = "resolve rows", .subject = "fcntl", .file = "p.c", .line = 3},
     "p.c:3: resolve rows: a call with conditional rows has no reachable ELSE: 'fcntl'; end the rows of this call with "
     "ELSE(call, action)"},
    {{.code = BRIG_OUT_OF_ARENA, .step = "compile", .detail = 100},
     "compile: the arena is too small for this policy (bytes in the arena: 100); BRIG_DSL_ARENA_BYTES is enough for the "
     "policies that Brig ships"},
    {{.code = BRIG_KERNEL_REFUSED, .step = "enter namespaces", .subject = "user namespace", .sys_errno = ENOSPC},
     "enter namespaces: the kernel refused: 'user namespace': ENOSPC; raise the sysctl user.max_user_namespaces"},
    {{.code = BRIG_KERNEL_REFUSED, .step = "set rlimits", .subject = "RLIMIT_AS", .sys_errno = EPERM},
     "set rlimits: the kernel refused: 'RLIMIT_AS': EPERM"},
    // NOLINTBEGIN(misc-misleading-bidirectional)
    {{.code = BRIG_IO,
      .step = "open report",
      .subject = "\xc3\xa9 \xc2\x9b"
                 "2J \xe2\x80\xae \x9b \xe2\x80 \xed\xa0\x80 \xf0\x9f\x98\x80"},
     "open report: input or output failed: '\xc3\xa9 \\xc2\\x9b2J \\xe2\\x80\\xae \\x9b \\xe2\\x80 \\xed\\xa0\\x80 \xf0\x9f\x98\x80'"},
    // NOLINTEND(misc-misleading-bidirectional)
    {{.code = BRIG_IO, .step = "open report", .subject = "a\nb\x1b[m", .sys_errno = 4000},
     "open report: input or output failed: 'a\\x0ab\\x1b[m': errno 4000"},
    {{.code = BRIG_WORKER_DIED, .step = "wait for worker", .detail = 31},
     "wait for worker: the worker died before it was ready (signal 31, SIGSYS)"},
    {{.code = BRIG_WORKER_DIED, .step = "wait for worker", .detail = 3 << 8},
     "wait for worker: the worker died before it was ready (exit status 3)"},
    {{.code = BRIG_OUT_OF_MEMORY, .step = "start"}, "start: out of memory"},
    {{.code = BRIG_CODE_COUNT}, "unknown code "},
};

TEST(error, sentences)
{
    for (size_t i = 0; i < COUNT_OF(sentences); i++) {
        char text[BRIG_ERROR_TEXT_BYTES];
        CHECK(brig_error_format(&sentences[i].error, text, sizeof text) == text);
        if (sentences[i].error.code == BRIG_CODE_COUNT) {
            CHECK_CONTAINS(text, sentences[i].text);
        } else {
            CHECK_STR_EQ(text, sentences[i].text);
        }
    }
}

TEST(error, every_code_has_a_name_and_a_sentence)
{
    for (int code = 0; code < BRIG_CODE_COUNT; code++) {
        char text[BRIG_ERROR_TEXT_BYTES];
        const struct brig_error error = {.code = (enum brig_code)code, .step = "step", .detail = 7};
        test_message("code %d", code);
        CHECK(strlen(brig_code_name((enum brig_code)code)) > 1);
        CHECK(strlen(brig_error_format(&error, text, sizeof text)) > strlen("step: ") + 5);
    }
    CHECK_STR_EQ(brig_code_name(BRIG_OK), "OK");
    CHECK_STR_EQ(brig_code_name(BRIG_CODE_COUNT), "UNKNOWN_CODE");
    CHECK_STR_EQ(brig_code_name((enum brig_code) - 1), "UNKNOWN_CODE");
}

TEST(error, any_buffer_is_enough)
{
    // Cut inside the two bytes of an umlaut at some size: whole characters stay.
    const struct brig_error error = {
        .code = BRIG_IO, .step = "read", .subject = "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", .sys_errno = EIO};
    char whole[BRIG_ERROR_TEXT_BYTES];
    brig_error_format(&error, whole, sizeof whole);
    for (size_t size = 1; size <= strlen(whole) + 1; size++) {
        char text[BRIG_ERROR_TEXT_BYTES];
        memset(text, 'x', sizeof text);
        brig_error_format(&error, text, size);
        test_message("%zu bytes", size);
        CHECK_LT(strlen(text), size);
        CHECK_GE(strlen(text) + 4, size);
        CHECK_BYTES_EQ(text, whole, strlen(text));
        CHECK(text[size] == 'x');
        CHECK(((unsigned char)whole[strlen(text)] & 0xc0) != 0x80);
    }
}

TEST(error, long_subjects_are_cut)
{
    char subject[400];
    char text[BRIG_ERROR_TEXT_BYTES];
    memset(subject, 'a', sizeof subject);
    subject[sizeof subject - 1] = '\0';
    const struct brig_error error = {.code = BRIG_IO, .step = "read", .subject = subject, .sys_errno = EIO};
    CHECK_CONTAINS(brig_error_format(&error, text, sizeof text), "aaa...': EIO");
    CHECK_LT(strlen(text), 240);
}

TEST(error, set_writes_only_where_it_may)
{
    struct brig_error error = {.code = BRIG_OK};
    CHECK_EQ(brig_error_set(NULL, (struct brig_error){.code = BRIG_IO}), BRIG_IO);
    CHECK_EQ(brig_error_set(&error, (struct brig_error){.code = BRIG_IO, .step = "x", .detail = 3}), BRIG_IO);
    CHECK_EQ(error.code, BRIG_IO);
    CHECK_EQ(error.detail, 3);
}
