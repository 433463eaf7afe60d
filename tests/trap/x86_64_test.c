// What only x86_64 has: i386 calls by int 0x80, x32 numbers, and registers by name.
#include <errno.h>
#include <linux/audit.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/trap/fixture.h"

static const struct trap_rule rules[] = {{SYS_getppid, ANY, 0, {.verb = BRIG_DSL_REPORT, .data = EPERM}},
                                         {SYS_getsid, ANY, 0, {.verb = BRIG_DSL_CRASH}}};

// Makes an i386 call with distinct values in the low and the high half of each register.
__attribute__((noinline)) static long int_0x80(uint32_t nr)
{
    long result;
    __asm__ volatile("push %%rbp\n\t"
                     "mov $0x106, %%ebp\n\t"
                     "int $0x80\n\t"
                     "pop %%rbp"
                     : "=a"(result)
                     : "a"((uint64_t)nr), "b"(0x9900000101), "c"(0x9900000102), "d"(0x9900000103), "S"(0x9900000104),
                       "D"(0x9900000105)
                     : "memory", "r8", "r9", "r10", "r11");
    return result;
}

static uint32_t i386_nr;

static void call_i386(void)
{
    int_0x80(i386_nr);
}

static bool has_i386(void)
{
    return int_0x80(20) == getpid();
}

SANDBOX_TEST(trap, i386_calls_are_recorded, .expect_exit = 0)
{
    // getpid, and the kernel's restart codes: it takes the number for a result and changes registers before the signal.
    static const uint32_t nrs[] = {20, (uint32_t)-512, (uint32_t)-513, (uint32_t)-514, (uint32_t)-516, 0xffffffff, 0x7fffffff};
    if (!has_i386()) {
        test_skip("this kernel has no i386 calls");
        return;
    }
    for (size_t i = 0; i < COUNT_OF(nrs); i++) {
        struct trap_fixture fixture;
        test_message("i386 call %#x", nrs[i]);
        i386_nr = nrs[i];
        fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
        const int status = fixture_run(&fixture, call_i386);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
        REQUIRE(CHECK_EQ(fixture_record_count(&fixture), 1));
        const struct brig_trap_record *record = fixture_record(&fixture, 0);
        CHECK_EQ(record->audit_arch, AUDIT_ARCH_I386);
        CHECK_EQ(record->nr, nrs[i]);
        CHECK_EQ(record->trap_id, FIXTURE_FOREIGN_ID);
        CHECK_EQ(record->flags & BRIG_TRAP_FLAG_FOREIGN, 0);
        for (uint64_t argument = 0; argument < 6; argument++) {
            CHECK_EQ(record->args[argument], 0x101 + argument);
        }
        CHECK_EQ(record->registers[16], record->call_address);
        fixture_end(&fixture);
    }
}

static void call_x32(void)
{
    syscall(0x40000000 | SYS_getppid);
}

SANDBOX_TEST(trap, x32_calls_are_recorded, .expect_exit = 0)
{
    struct trap_fixture fixture;
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    const int status = fixture_run(&fixture, call_x32);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    REQUIRE(CHECK_EQ(fixture_record_count(&fixture), 1));
    CHECK_EQ(fixture_record(&fixture, 0)->trap_id, FIXTURE_X32_ID);
    CHECK_EQ(fixture_record(&fixture, 0)->nr, 0x40000000 | SYS_getppid);
    CHECK_EQ(fixture_record(&fixture, 0)->flags & BRIG_TRAP_FLAG_FOREIGN, 0);
    fixture_end(&fixture);
}

// The vsyscall page is as old as the arch. Where it is there, the kernel makes its calls pass the filter, and stops the thread at
// their end: back in the caller.
static long (*const vsyscall_time)(long *) = (long (*)(long *))(uintptr_t)0xffffffffff600400;
static const struct trap_rule time_crashes[] = {{SYS_time, ANY, 0, {.verb = BRIG_DSL_CRASH}}};
static const struct trap_rule time_reports[] = {{SYS_time, ANY, 0, {.verb = BRIG_DSL_REPORT, .data = EPERM}}};

static void call_vsyscall(void)
{
    CHECK_EQ(vsyscall_time(NULL), -EPERM);
    CHECK_EQ(vsyscall_time(NULL), -EPERM); // and still stands where it should
}

static void look_for_vsyscall(void)
{
    _exit(vsyscall_time(NULL) > 0 ? 0 : 1);
}

SANDBOX_TEST(trap, vsyscalls_are_answered, .expect_exit = 0)
{
    struct trap_fixture fixture;
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    const bool has_vsyscall = fixture_run(&fixture, look_for_vsyscall) == 0;
    fixture_end(&fixture);
    if (!has_vsyscall) {
        test_skip("this kernel has no vsyscall page");
        return;
    }
    fixture_start(&fixture, time_reports, COUNT_OF(time_reports), ALLOW_ALL);
    CHECK_EQ(fixture_run(&fixture, call_vsyscall), 0);
    REQUIRE(CHECK_EQ(fixture_record_count(&fixture), 2));
    CHECK_EQ(fixture_record(&fixture, 0)->nr, SYS_time);
    CHECK_EQ(fixture_record(&fixture, 0)->call_address, 0xffffffffff600400);
    CHECK_EQ(fixture.slots->forged, 0);
    fixture_end(&fixture);
    fixture_start(&fixture, time_crashes, COUNT_OF(time_crashes), ALLOW_ALL);
    const int status = fixture_run(&fixture, call_vsyscall);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    fixture_end(&fixture);
}

// --- registers --------------------------------------------------------------------------------------------------------

// In DWARF order. rcx and r11 are the system call's; rsp and rbp are the compiler's here.
struct registers {
    uint64_t value[17];
};

__attribute__((noinline)) static void call_with_registers(long nr, struct registers *in_out)
{
    __asm__ volatile("push %%rbp\n\t"
                     "push %[block]\n\t"
                     "mov 8(%[block]), %%rdx\n\t"
                     "mov 24(%[block]), %%rbx\n\t"
                     "mov 32(%[block]), %%rsi\n\t"
                     "mov 48(%[block]), %%rbp\n\t"
                     "mov 64(%[block]), %%r8\n\t"
                     "mov 72(%[block]), %%r9\n\t"
                     "mov 80(%[block]), %%r10\n\t"
                     "mov 96(%[block]), %%r12\n\t"
                     "mov 104(%[block]), %%r13\n\t"
                     "mov 112(%[block]), %%r14\n\t"
                     "mov 120(%[block]), %%r15\n\t"
                     "mov 40(%[block]), %%rdi\n\t"
                     "syscall\n\t"
                     "pop %%r11\n\t"
                     "mov %%rax, 0(%%r11)\n\t"
                     "mov %%rdx, 8(%%r11)\n\t"
                     "mov %%rbx, 24(%%r11)\n\t"
                     "mov %%rsi, 32(%%r11)\n\t"
                     "mov %%rdi, 40(%%r11)\n\t"
                     "mov %%rbp, 48(%%r11)\n\t"
                     "mov %%r8, 64(%%r11)\n\t"
                     "mov %%r9, 72(%%r11)\n\t"
                     "mov %%r10, 80(%%r11)\n\t"
                     "mov %%r12, 96(%%r11)\n\t"
                     "mov %%r13, 104(%%r11)\n\t"
                     "mov %%r14, 112(%%r11)\n\t"
                     "mov %%r15, 120(%%r11)\n\t"
                     "pop %%rbp"
                     : "+a"(nr)
                     : [block] "D"(in_out)
                     : "memory", "cc", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15");
}

static bool is_compared(size_t index)
{
    return index != 0 && index != 2 && index != 7 && index != 11 && index != 16; // rax, rcx, rsp, r11, rip
}

SANDBOX_TEST(trap, registers_survive_and_are_recorded, .expect_exit = 0)
{
    struct trap_fixture fixture;
    struct registers before, after;
    for (size_t i = 0; i < COUNT_OF(before.value); i++) {
        before.value[i] = 0x1122334455660000u + i;
    }
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    after = before;
    call_with_registers(SYS_getppid, &after);
    CHECK_EQ((int64_t)after.value[0], -EPERM);
    const struct brig_trap_record *record = fixture_record(&fixture, 0);
    REQUIRE(record);
    for (size_t i = 0; i < COUNT_OF(before.value); i++) {
        test_message("register %zu", i);
        CHECK(!is_compared(i) || after.value[i] == before.value[i]);
        CHECK(!is_compared(i) || record->registers[i] == before.value[i]);
    }
    CHECK_EQ(record->registers[0], SYS_getppid);
    CHECK_EQ(record->registers[16], record->call_address);
    CHECK_EQ((record->registers[7] - 128) & ~UINT64_C(15), record->stack_address);
    for (size_t i = 17; i < BRIG_TRAP_REGISTERS; i++) {
        CHECK_EQ(record->registers[i], 0);
    }
    fixture_end(&fixture);
}

static struct registers wild;

// A stack pointer that points nowhere: with a signal stack the handler runs all the same, and finds nothing to copy.
static void crash_without_a_stack(void)
{
    __asm__ volatile("mov %0, %%rsp\n\tsyscall" : : "r"(wild.value[7]), "a"(SYS_getsid) : "memory", "rcx", "r11");
}

SANDBOX_TEST(trap, wild_stack_pointers_are_recorded, .expect_exit = 0)
{
    static const uint64_t pointers[] = {
        0, 8, 64, 0x1000, 0xdead0000, 0x7ffffffff000, 0x8000000000000000, UINT64_MAX, UINT64_MAX - 64};
    for (size_t i = 0; i < COUNT_OF(pointers); i++) {
        struct trap_fixture fixture;
        test_message("stack pointer %#lx", (unsigned long)pointers[i]);
        wild.value[7] = pointers[i];
        fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
        const int status = fixture_run(&fixture, crash_without_a_stack);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
        REQUIRE(CHECK_EQ(fixture_record_count(&fixture), 1));
        CHECK_EQ(fixture_record(&fixture, 0)->registers[7], pointers[i]);
        CHECK_EQ(fixture_record(&fixture, 0)->stack_bytes, 0);
        fixture_end(&fixture);
    }
}
