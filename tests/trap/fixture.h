// Hand-made filters for the tests of the trap layer: they do not depend on the compiler, so that a failure here is the handler's.
//
//   static const struct trap_rule rules[] = {{SYS_getppid, ANY, 0, {.verb = BRIG_DSL_REPORT, .data = EPERM}}};
//   struct trap_fixture fixture;
//   fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
//   CHECK_EQ(fixture_run(&fixture, body), 0);                       // body runs locked, in a child
//   CHECK_EQ(fixture_record(&fixture, 0)->nr, SYS_getppid);
//   fixture_end(&fixture);
#ifndef BRIG_TESTS_TRAP_FIXTURE_H
#define BRIG_TESTS_TRAP_FIXTURE_H

#include <linux/filter.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/shim/codes.h"
#include "tests/shim/test.h"
#include "trap/trap.h"

// What libc calls where it means fstat: i386 has another name for it.
#ifdef SYS_newfstatat
#define NR_FSTATAT SYS_newfstatat
#else
#define NR_FSTATAT SYS_fstatat64
#endif

// For functions whose frame is looked at: AddressSanitizer would put their variables elsewhere.
#define ON_THE_REAL_STACK __attribute__((noinline, no_sanitize_address))

// Makes the compiler keep `array` as it is on the stack, up to here.
#define KEEP_ON_STACK(array) __asm__ volatile("" : : "r"(array) : "memory")

#define FIXTURE_RULES 32
#define ANY (-1)
#define ALLOW_ALL ((struct brig_dsl_action){.verb = BRIG_DSL_ALLOW})
#define EMULATED_BY(emulation) \
    { \
        .verb = BRIG_DSL_EMULATE, .handler = &(emulation).dsl \
    }

// Rules are ordered, the first match wins.
struct trap_rule {
    long nr;
    int argument; // index of a register whose low word must be `value`, or ANY
    uint32_t value;
    struct brig_dsl_action action;
};

struct trap_fixture {
    struct brig_dsl_program program;
    struct brig_dsl_trap traps[FIXTURE_RULES + 4];
    struct sock_filter insns[FIXTURE_RULES * 6 + 16];
    struct brig_trap_slots *slots;
    struct brig_trap_setup setup; // slots, eventfd, no wait; a test may change it before it locks
};

// Trap ids: 1 foreign arch, 2 x32, 3 the fallback's, then the rules' in order.
enum { FIXTURE_FOREIGN_ID = 1, FIXTURE_X32_ID, FIXTURE_FALLBACK_ID, FIXTURE_FIRST_RULE_ID };

void fixture_start(struct trap_fixture *fixture, const struct trap_rule *rules, size_t rule_count, struct brig_dsl_action fallback);
void fixture_end(struct trap_fixture *fixture);

// Arms the trap layer and installs the filter, in this process. Returns: whether both worked; a failed check has been recorded if
// not.
bool fixture_lock(struct trap_fixture *fixture);
// The second half alone. Context: a process that may set no_new_privs.
bool fixture_install(const struct trap_fixture *fixture);

// Forks a child that locks itself, runs `body` and exits with 0. Returns: its wait status.
int fixture_run(struct trap_fixture *fixture, void (*body)(void));

// Returns: how many slots are READY, and the `index`th such record, NULL if there are not so many.
size_t fixture_record_count(const struct trap_fixture *fixture);
const struct brig_trap_record *fixture_record(const struct trap_fixture *fixture, size_t index);

// Answers FIXTURE_NOTED, and notes where this thread's handler has its frame.
#define FIXTURE_NOTED 4711
extern const struct brig_trap_emulation fixture_noting;
extern __thread uintptr_t fixture_handler_at;

// A call past libc's own checks. Returns: the result, or -errno.
long fixture_call(long nr, long a, long b, long c, long d);

#endif
