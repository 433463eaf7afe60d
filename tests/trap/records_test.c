// What a violation leaves behind: the end of the process, and a record with the call, the registers and the stack.
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/trap/fixture.h"

static const struct trap_rule crash_rules[] = {{SYS_getppid, ANY, 0, {.verb = BRIG_DSL_CRASH}}};

static bool died_by_sigsys(int status)
{
    return CHECK(WIFSIGNALED(status)) && CHECK_EQ(WTERMSIG(status), SIGSYS);
}

// --- dying ------------------------------------------------------------------------------------------------------------

SANDBOX_TEST(trap, crash_ends_the_process_by_sigsys, .expect_signal = SIGSYS)
{
    struct trap_fixture fixture;
    fixture_start(&fixture, crash_rules, COUNT_OF(crash_rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    syscall(SYS_getppid);
}

SANDBOX_TEST(trap, die_is_sigsys_behind_a_filter, .expect_signal = SIGSYS)
{
    struct trap_fixture fixture;
    fixture_start(&fixture, crash_rules, COUNT_OF(crash_rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    brig_trap_die();
}

SANDBOX_TEST(trap, die_exits_without_a_filter, .expect_exit = 128 + SIGSYS)
{
    brig_trap_die();
}

SANDBOX_TEST(trap, die_works_behind_a_filter_that_traps_the_reserved_call, .expect_exit = 128 + SIGSYS)
{
    // Such a filter is not ours: ours kills. Rules come after the fixture's own kill, so another filter has to trap it: in one that
    // is stacked on top, KILL_PROCESS would win, so here it is alone.
    static const struct trap_rule rules[] = {{BRIG_DSL_DIE_NR, ANY, 0, {.verb = BRIG_DSL_CRASH}},
                                             {SYS_getppid, ANY, 0, {.verb = BRIG_DSL_CRASH}}};
    struct trap_fixture fixture;
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    for (uint32_t i = 0; i < fixture.program.insn_count; i++) {
        if (fixture.insns[i].code == (BPF_RET | BPF_K) && fixture.insns[i].k == 0x80000000u) {
            fixture.insns[i].k = 0x00030000u | FIXTURE_FIRST_RULE_ID; // SECCOMP_RET_TRAP
        }
    }
    REQUIRE(fixture_lock(&fixture));
    syscall(SYS_getppid);
}

// --- facts ------------------------------------------------------------------------------------------------------------

#define MARKER UINT64_C(0x6272696720747261)
static const long arguments[6] = {11, -2, LONG_MAX, LONG_MIN, 0, 0x12345678};

ON_THE_REAL_STACK static void crash_with_arguments(void)
{
    uint64_t markers[16];
    for (size_t i = 0; i < COUNT_OF(markers); i++) {
        markers[i] = MARKER + i;
    }
    KEEP_ON_STACK(markers);
    syscall(SYS_getppid, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
    KEEP_ON_STACK(markers);
}

SANDBOX_TEST(trap, records_name_the_call, .expect_exit = 0)
{
    struct trap_fixture fixture;
    fixture_start(&fixture, crash_rules, COUNT_OF(crash_rules), ALLOW_ALL);
    memset(fixture.slots->slots, 0xee, sizeof fixture.slots->slots); // what an earlier event may have left
    for (size_t i = 0; i < BRIG_TRAP_SLOT_COUNT; i++) {
        fixture.slots->slots[i].state = BRIG_TRAP_SLOT_FREE;
    }
    died_by_sigsys(fixture_run(&fixture, crash_with_arguments));
    const struct brig_trap_record *record = fixture_record(&fixture, 0);
    REQUIRE(record);
    CHECK_EQ(record->magic, BRIG_TRAP_RECORD_MAGIC);
    CHECK_EQ(record->version, BRIG_TRAP_RECORD_VERSION);
    CHECK_EQ(record->nr, SYS_getppid);
    CHECK_EQ(record->audit_arch, brig_dsl_arch_audit(brig_dsl_arch_native()));
    CHECK_EQ(record->trap_id, FIXTURE_FIRST_RULE_ID);
    CHECK_EQ(record->verb, BRIG_DSL_CRASH);
    CHECK_EQ(record->data, 0);
    CHECK_EQ(record->flags, BRIG_TRAP_FLAG_WAITS | BRIG_TRAP_FLAG_ALT_STACK | (record->flags & BRIG_TRAP_FLAG_STACK_CUT));
    CHECK_NE(record->pid, 0);
    CHECK_EQ(record->tid, record->pid);
    CHECK_EQ(record->reserved, 0);
    CHECK_STR_EQ(record->thread_name, "");
    for (size_t i = 0; i < 6; i++) {
        test_message("argument %zu", i);
        CHECK_EQ(record->args[i], (unsigned long)arguments[i]);
    }
    fixture_end(&fixture);
}

static bool holds_marker(const struct brig_trap_record *record)
{
    for (size_t at = 0; at + 16 * sizeof(uint64_t) <= record->stack_bytes; at += sizeof(uint64_t)) {
        uint64_t words[16];
        size_t same = 0;
        memcpy(words, record->stack + at, sizeof words);
        while (same < COUNT_OF(words) && words[same] == MARKER + same) {
            same++;
        }
        if (same == COUNT_OF(words)) {
            return true;
        }
    }
    return false;
}

SANDBOX_TEST(trap, records_hold_the_stack, .expect_exit = 0)
{
    struct trap_fixture fixture;
    fixture_start(&fixture, crash_rules, COUNT_OF(crash_rules), ALLOW_ALL);
    died_by_sigsys(fixture_run(&fixture, crash_with_arguments));
    const struct brig_trap_record *record = fixture_record(&fixture, 0);
    REQUIRE(record);
    CHECK_EQ(record->stack_address % 16, 0);
    CHECK_GT(record->stack_bytes, 256);
    CHECK(holds_marker(record));
    // The stack pointer is one of the registers, wherever this arch has it.
    size_t index = 0;
    while (index < BRIG_TRAP_REGISTERS && ((record->registers[index] - 128) & ~UINT64_C(15)) != record->stack_address) {
        index++;
    }
    CHECK_LT(index, BRIG_TRAP_REGISTERS);
    for (index = 0; index < BRIG_TRAP_REGISTERS && record->registers[index] != record->call_address; index++) {
    }
    CHECK_LT(index, BRIG_TRAP_REGISTERS);
    fixture_end(&fixture);
}

// --- stacks of known extent -------------------------------------------------------------------------------------------

// Set by the test, read by the child: where the child's thread runs when it makes the call.
static unsigned char *stack_memory;
static size_t stack_bytes;

static void *crash_far_down(void *unused)
{
    (void)unused;
    syscall(SYS_getppid);
    return NULL;
}

static void crash_on_given_stack(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    CHECK_EQ(pthread_attr_setstack(&attributes, stack_memory, stack_bytes), 0);
    CHECK_EQ(pthread_create(&thread, &attributes, crash_far_down, NULL), 0);
    pthread_join(thread, NULL);
}

static const size_t extents[] = {131072, 1048576};

SANDBOX_TEST(trap, records_end_where_the_stack_ends, .expect_exit = 0)
{
    for (size_t i = 0; i < COUNT_OF(extents); i++) {
        struct trap_fixture fixture;
        test_message("stack of %zu bytes", extents[i]);
        stack_bytes = extents[i];
        unsigned char *memory = mmap(NULL, stack_bytes + 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        REQUIRE(memory != MAP_FAILED);
        CHECK_EQ(mprotect(memory, stack_bytes, PROT_READ | PROT_WRITE), 0); // behind its end there is nothing to read
        stack_memory = memory;
        fixture_start(&fixture, crash_rules, COUNT_OF(crash_rules), ALLOW_ALL);
        died_by_sigsys(fixture_run(&fixture, crash_on_given_stack));
        const struct brig_trap_record *record = fixture_record(&fixture, 0);
        REQUIRE(record);
        CHECK_EQ(record->stack_address + record->stack_bytes, (uintptr_t)memory + stack_bytes);
        CHECK_EQ(record->flags & BRIG_TRAP_FLAG_STACK_CUT, 0);
        CHECK_NE(record->tid, record->pid);
        munmap(memory, stack_bytes + 4096);
        fixture_end(&fixture);
    }
}

ON_THE_REAL_STACK static void crash_under_a_big_frame(void)
{
    uint64_t big[BRIG_TRAP_STACK_BYTES / sizeof(uint64_t) + 64];
    KEEP_ON_STACK(big);
    syscall(SYS_getppid);
    KEEP_ON_STACK(big);
}

SANDBOX_TEST(trap, records_say_that_the_stack_goes_on, .expect_exit = 0)
{
    struct trap_fixture fixture;
    fixture_start(&fixture, crash_rules, COUNT_OF(crash_rules), ALLOW_ALL);
    died_by_sigsys(fixture_run(&fixture, crash_under_a_big_frame));
    const struct brig_trap_record *record = fixture_record(&fixture, 0);
    REQUIRE(record);
    CHECK_EQ(record->stack_bytes, BRIG_TRAP_STACK_BYTES);
    CHECK_EQ(record->flags & BRIG_TRAP_FLAG_STACK_CUT, BRIG_TRAP_FLAG_STACK_CUT);
    fixture_end(&fixture);
}

// --- foreign traps ----------------------------------------------------------------------------------------------------

// The tables that are armed and the filter that is on are not of one program.
static struct trap_fixture *inherited;

static void run_under_inherited(void)
{
    if (fixture_install(inherited)) {
        syscall(SYS_getppid);
        syscall(SYS_getpgid, 0);
    }
}

SANDBOX_TEST(trap, foreign_ids_are_reported_and_deadly, .expect_exit = 0)
{
    static const struct trap_rule other_call[] = {{SYS_getpgid, ANY, 0, {.verb = BRIG_DSL_REPORT, .data = EPERM}}};
    static const struct trap_rule higher_id[] = {{SYS_umask, ANY, 0, {.verb = BRIG_DSL_ALLOW}},
                                                 {SYS_getsid, ANY, 0, {.verb = BRIG_DSL_ALLOW}},
                                                 {SYS_getpgid, ANY, 0, {.verb = BRIG_DSL_REPORT, .data = EPERM}}};
    static const struct {
        const char *what;
        const struct trap_rule *rules;
        size_t count;
        uint32_t id;
    } filters[] = {{"an id that here means another call", other_call, COUNT_OF(other_call), FIXTURE_FIRST_RULE_ID},
                   {"an id that does not exist here", higher_id, COUNT_OF(higher_id), FIXTURE_FIRST_RULE_ID + 2}};
    static const struct trap_rule own_rules[] = {{SYS_getppid, 0, 77, {.verb = BRIG_DSL_REPORT, .data = EPERM}}};
    for (size_t i = 0; i < COUNT_OF(filters); i++) {
        struct trap_fixture own, other;
        test_message("%s", filters[i].what);
        fixture_start(&own, own_rules, COUNT_OF(own_rules), ALLOW_ALL);
        fixture_start(&other, filters[i].rules, filters[i].count, ALLOW_ALL);
        inherited = &other;
        died_by_sigsys(fixture_run(&own, run_under_inherited));
        REQUIRE(CHECK_EQ(fixture_record_count(&own), 1));
        CHECK_EQ(fixture_record(&own, 0)->flags & BRIG_TRAP_FLAG_FOREIGN, BRIG_TRAP_FLAG_FOREIGN);
        CHECK_EQ(fixture_record(&own, 0)->trap_id, filters[i].id);
        CHECK_EQ(fixture_record(&own, 0)->nr, SYS_getpgid);
        CHECK_EQ(fixture_record(&own, 0)->verb, BRIG_DSL_CRASH);
        fixture_end(&own);
        fixture_end(&other);
    }
}

// --- the fallback -----------------------------------------------------------------------------------------------------

static void make_unknown_call(void)
{
    syscall(2000);
}

SANDBOX_TEST(trap, numbers_beyond_the_table_reach_the_fallback, .expect_exit = 0)
{
    static const struct trap_rule rules[] = {
        {SYS_rt_sigreturn, ANY, 0, {.verb = BRIG_DSL_ALLOW}}, {SYS_exit_group, ANY, 0, {.verb = BRIG_DSL_ALLOW}},
        {SYS_gettid, ANY, 0, {.verb = BRIG_DSL_ALLOW}},       {SYS_futex, ANY, 0, {.verb = BRIG_DSL_ALLOW}},
        {SYS_write, ANY, 0, {.verb = BRIG_DSL_ALLOW}},
    };
    struct trap_fixture fixture;
    fixture_start(&fixture, rules, COUNT_OF(rules), (struct brig_dsl_action){.verb = BRIG_DSL_CRASH});
    died_by_sigsys(fixture_run(&fixture, make_unknown_call));
    REQUIRE(CHECK_EQ(fixture_record_count(&fixture), 1));
    CHECK_EQ(fixture_record(&fixture, 0)->nr, 2000);
    CHECK_EQ(fixture_record(&fixture, 0)->trap_id, FIXTURE_FALLBACK_ID);
    CHECK_EQ(fixture_record(&fixture, 0)->flags & (BRIG_TRAP_FLAG_FOREIGN | BRIG_TRAP_FLAG_REENTERED), 0);
    fixture_end(&fixture);
}
