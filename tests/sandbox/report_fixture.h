// A policy, a record and everything else that a violation needs, made by hand; tests of reports change what they are about.
#ifndef BRIG_TESTS_SANDBOX_REPORT_FIXTURE_H
#define BRIG_TESTS_SANDBOX_REPORT_FIXTURE_H

#include "sandbox/report.h"
#include "tests/shim/codes.h"
#include "tests/shim/test.h"

struct report_fixture {
    struct brig_dsl_arena arena;
    unsigned char memory[BRIG_DSL_ARENA_BYTES];
    struct brig_dsl_program program;
    struct brig_trap_record record;
    struct brig_pointee pointees[6];
    struct brig_violation violation;
    struct brig_stack stack;
};

// A policy of three kinds of trap: openat by a row at policies/example.c:88, getpid answered EPERM by a row at :90, others by the
// fallback.
extern const struct brig_dsl_policy report_policy;

// Makes a fixture for `call` (by its name) on x86_64 with these arguments, refused as report_policy says. Owns:
// report_fixture_free. Returns: NULL after having failed the test.
struct report_fixture *report_fixture_new(const char *call, const uint64_t args[6]);
void report_fixture_free(struct report_fixture *fixture);

// Says what an argument points to.
void report_point(struct report_fixture *fixture, int argument, const void *bytes, size_t size_bytes, bool is_cut);

// Makes a record that brig_record_check accepts.
void report_record_init(struct brig_trap_record *record);

// The JSON of the fixture, parsed. Returns: NULL after having failed the test.
struct json_t;
struct json_t *report_fixture_json(struct report_fixture *fixture);

// Makes an empty directory of its own below /tmp, and removes it with the files in it. Returns: its path; false after having failed
// the test.
bool report_directory_new(char path[64]);
void report_directory_free(const char *path);

#endif
