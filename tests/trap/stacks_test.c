// Signal stacks: who gets one, whose stays, and what happens when a thread's own stack is used up.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/trap/fixture.h"

static const struct trap_rule noting_rules[] = {{SYS_getppid, ANY, 0, EMULATED_BY(fixture_noting)},
                                                {SYS_getsid, ANY, 0, {.verb = BRIG_DSL_CRASH}},
                                                {SYS_getpgid, ANY, 0, {.verb = BRIG_DSL_REPORT, .data = EPERM}}};

static bool is_on(const stack_t *stack, uintptr_t address)
{
    return address - (uintptr_t)stack->ss_sp < stack->ss_size;
}

static void take_stack_away(void)
{
    const stack_t none = {.ss_flags = SS_DISABLE};
    CHECK_EQ(sigaltstack(&none, NULL), 0);
}

SANDBOX_TEST(trap, arming_gives_this_thread_a_stack, .expect_exit = 0)
{
    struct trap_fixture fixture;
    stack_t stack;
    take_stack_away();
    fixture_start(&fixture, noting_rules, COUNT_OF(noting_rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    CHECK_EQ(sigaltstack(NULL, &stack), 0);
    CHECK_EQ(stack.ss_flags & SS_DISABLE, 0);
    CHECK_GE(stack.ss_size, 32768);
    CHECK_EQ(syscall(SYS_getppid), FIXTURE_NOTED);
    CHECK(is_on(&stack, fixture_handler_at));
    fixture_end(&fixture);
}

SANDBOX_TEST(trap, a_stack_of_the_program_stays, .expect_exit = 0)
{
    static unsigned char memory[65536];
    const stack_t own = {.ss_sp = memory, .ss_size = sizeof memory};
    struct trap_fixture fixture;
    struct brig_error error;
    stack_t stack;
    take_stack_away();
    CHECK_EQ(sigaltstack(&own, NULL), 0);
    fixture_start(&fixture, noting_rules, COUNT_OF(noting_rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    CHECK_OK(brig_trap_thread_enter(&error), &error);
    CHECK_EQ(syscall(SYS_getppid), FIXTURE_NOTED);
    CHECK(is_on(&own, fixture_handler_at));
    brig_trap_thread_leave();
    CHECK_EQ(sigaltstack(NULL, &stack), 0);
    CHECK_EQ(stack.ss_sp, own.ss_sp);
    take_stack_away();
    fixture_end(&fixture);
}

SANDBOX_TEST(trap, threads_without_a_stack_answer_on_their_own, .expect_exit = 0)
{
    struct trap_fixture fixture;
    fixture_start(&fixture, noting_rules, COUNT_OF(noting_rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    take_stack_away();
    CHECK_EQ(syscall(SYS_getppid), FIXTURE_NOTED);
    const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    CHECK_LT(fixture_handler_at, here);
    CHECK_LT(here - fixture_handler_at, 65536);
    CHECK_EQ(fixture_call(SYS_getpgid, 0, 0, 0, 0), -EPERM);
    REQUIRE(CHECK_EQ(fixture_record_count(&fixture), 1));
    CHECK_EQ(fixture_record(&fixture, 0)->flags & BRIG_TRAP_FLAG_ALT_STACK, 0);
    fixture_end(&fixture);
}

static void *enter_and_leave(void *unused)
{
    struct brig_error error;
    stack_t first, second, last;
    (void)unused;
    take_stack_away();
    CHECK_OK(brig_trap_thread_enter(&error), &error);
    CHECK_EQ(sigaltstack(NULL, &first), 0);
    CHECK_EQ(first.ss_flags, 0);
    CHECK_OK(brig_trap_thread_enter(&error), &error);
    CHECK_EQ(sigaltstack(NULL, &second), 0);
    CHECK_EQ(first.ss_sp, second.ss_sp);
    memset(first.ss_sp, 1, first.ss_size);
    brig_trap_thread_leave();
    CHECK_EQ(sigaltstack(NULL, &last), 0);
    CHECK_EQ(last.ss_flags & SS_DISABLE, SS_DISABLE);
    CHECK_EQ(msync((void *)((uintptr_t)first.ss_sp & ~(uintptr_t)4095), 4096, MS_ASYNC), -1); // unmapped
    CHECK_EQ(errno, ENOMEM);
    brig_trap_thread_leave(); // does nothing
    return NULL;
}

SANDBOX_TEST(trap, threads_enter_and_leave, .expect_exit = 0)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, enter_and_leave, NULL), 0);
    pthread_join(thread, NULL);
}

SANDBOX_TEST(trap, stacks_have_a_guard_page, .expect_signal = SIGSEGV)
{
    struct brig_error error;
    stack_t stack;
    take_stack_away();
    CHECK_OK(brig_trap_thread_enter(&error), &error);
    CHECK_EQ(sigaltstack(NULL, &stack), 0);
    ((volatile unsigned char *)stack.ss_sp)[0] = 1;
    ((volatile unsigned char *)stack.ss_sp)[-1] = 1;
}

// --- a stack with less room than the kernel's frame takes -------------------------------------------------------------

enum { GUARD_BYTES = 65536, SMALL_STACK_BYTES = 262144, ROOM_BYTES = 1536 };
static unsigned char *small_stack;
static bool enter_first;
static long answer_at_the_end;

// Goes down until there is no room for a signal frame, with room for this function and a call left.
ON_THE_REAL_STACK static long call_at_the_end(long nr)
{
    volatile long nothing = 0; // or the compiler makes a loop of this
    if ((uintptr_t)__builtin_frame_address(0) - (uintptr_t)small_stack > ROOM_BYTES) {
        return call_at_the_end(nr) + nothing;
    }
    return syscall(nr) + nothing;
}

static void *use_up_the_stack(void *nr)
{
    struct brig_error error;
    take_stack_away();
    if (enter_first) {
        CHECK_OK(brig_trap_thread_enter(&error), &error);
    }
    answer_at_the_end = call_at_the_end((long)(intptr_t)nr);
    brig_trap_thread_leave();
    return NULL;
}

static void run_on_small_stack(long nr)
{
    pthread_attr_t attributes;
    pthread_t thread;
    unsigned char *memory = mmap(NULL, GUARD_BYTES + SMALL_STACK_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    small_stack = memory + GUARD_BYTES;
    CHECK_EQ(mprotect(small_stack, SMALL_STACK_BYTES, PROT_READ | PROT_WRITE), 0);
    pthread_attr_init(&attributes);
    CHECK_EQ(pthread_attr_setstack(&attributes, small_stack, SMALL_STACK_BYTES), 0);
    CHECK_EQ(pthread_create(&thread, &attributes, use_up_the_stack, (void *)(intptr_t)nr), 0);
    pthread_join(thread, NULL);
}

SANDBOX_TEST(trap, a_used_up_stack_is_answered_for, .expect_exit = 0)
{
    struct trap_fixture fixture;
    fixture_start(&fixture, noting_rules, COUNT_OF(noting_rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    enter_first = true;
    run_on_small_stack(SYS_getppid);
    CHECK_EQ(answer_at_the_end, FIXTURE_NOTED);
    munmap(small_stack - GUARD_BYTES, GUARD_BYTES + SMALL_STACK_BYTES);
    fixture_end(&fixture);
}

static void crash_on_small_stack(void)
{
    enter_first = true;
    run_on_small_stack(SYS_getsid);
}

SANDBOX_TEST(trap, a_used_up_stack_is_recorded, .expect_exit = 0)
{
    struct trap_fixture fixture;
    fixture_start(&fixture, noting_rules, COUNT_OF(noting_rules), ALLOW_ALL);
    const int status = fixture_run(&fixture, crash_on_small_stack);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    const struct brig_trap_record *record = fixture_record(&fixture, 0);
    REQUIRE(record);
    CHECK_EQ(record->flags & BRIG_TRAP_FLAG_ALT_STACK, BRIG_TRAP_FLAG_ALT_STACK);
    CHECK_EQ(record->stack_bytes, BRIG_TRAP_STACK_BYTES);
    fixture_end(&fixture);
}

SANDBOX_TEST(trap, a_used_up_stack_without_help_kills, .expect_signal = SIGSEGV)
{
    struct trap_fixture fixture;
    fixture_start(&fixture, noting_rules, COUNT_OF(noting_rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    enter_first = false;
    run_on_small_stack(SYS_getppid);
}
