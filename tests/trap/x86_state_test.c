// What an emulated call must leave alone beside the registers that x86_64_test.c looks at: vector registers, the control words of
// both floating-point units, and the 128 bytes below the stack pointer that leaf functions of x86_64 use.
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/trap/fixture.h"

#ifdef __x86_64__
#define CALL_INSN "syscall"
#define CLOBBERED_BY_CALL "rcx", "r11", "memory", "cc"
#else
#define CALL_INSN "int $0x80"
#define CLOBBERED_BY_CALL "memory", "cc"
#endif

enum { VECTORS = 8, VECTOR_BYTES = 32, ANSWER = 4711 };

// Uses everything up. The compiler's own code in here uses what it likes as well.
__attribute__((target("avx"))) static struct brig_trap_outcome wear_out(const struct brig_trap_call *call)
{
    const uint32_t mxcsr = 0x7f80; // rounds to zero
    const uint16_t control = 0x0f7f;
    (void)call;
    __asm__ volatile("ldmxcsr %0\n\tfldcw %1\n\tfldpi\n\tfldpi" : : "m"(mxcsr), "m"(control));
    __asm__ volatile("vxorps %%ymm0, %%ymm0, %%ymm0\n\tvxorps %%ymm1, %%ymm1, %%ymm1\n\tvxorps %%ymm2, %%ymm2, %%ymm2\n\t"
                     "vxorps %%ymm3, %%ymm3, %%ymm3\n\tvxorps %%ymm4, %%ymm4, %%ymm4\n\tvxorps %%ymm5, %%ymm5, %%ymm5\n\t"
                     "vxorps %%ymm6, %%ymm6, %%ymm6\n\tvxorps %%ymm7, %%ymm7, %%ymm7"
                     :
                     :
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7");
    return (struct brig_trap_outcome){BRIG_TRAP_RESULT, ANSWER};
}

static const enum brig_dsl_call no_calls[] = {BRIG_SYS_NONE};
static const struct brig_trap_emulation wearing = {.dsl = {.name = "wear_out", .calls = no_calls}, .emulate = wear_out};
static const struct trap_rule rules[] = {{SYS_getppid, ANY, 0, EMULATED_BY(wearing)}};

struct state {
    uint8_t vectors[VECTORS][VECTOR_BYTES];
    uint32_t mxcsr;
    uint16_t control;
};

// Loads all, makes the call, stores all; nothing of the compiler's comes between.
__attribute__((noinline, target("avx"))) static long call_with_state(struct state *in_out)
{
    long result = SYS_getppid;
    __asm__ volatile("ldmxcsr 256(%[state])\n\tfldcw 260(%[state])\n\t"
                     "vmovups (%[state]), %%ymm0\n\tvmovups 32(%[state]), %%ymm1\n\t"
                     "vmovups 64(%[state]), %%ymm2\n\tvmovups 96(%[state]), %%ymm3\n\t"
                     "vmovups 128(%[state]), %%ymm4\n\tvmovups 160(%[state]), %%ymm5\n\t"
                     "vmovups 192(%[state]), %%ymm6\n\tvmovups 224(%[state]), %%ymm7\n\t" CALL_INSN "\n\t"
                     "vmovups %%ymm0, (%[state])\n\tvmovups %%ymm1, 32(%[state])\n\t"
                     "vmovups %%ymm2, 64(%[state])\n\tvmovups %%ymm3, 96(%[state])\n\t"
                     "vmovups %%ymm4, 128(%[state])\n\tvmovups %%ymm5, 160(%[state])\n\t"
                     "vmovups %%ymm6, 192(%[state])\n\tvmovups %%ymm7, 224(%[state])\n\t"
                     "stmxcsr 256(%[state])\n\tfnstcw 260(%[state])"
                     : "+a"(result)
                     : [state] "S"(in_out)
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", CLOBBERED_BY_CALL);
    return result;
}

_Static_assert(offsetof(struct state, mxcsr) == 256 && offsetof(struct state, control) == 260, "the code above says so");

static void take_stack_away(void)
{
    const stack_t none = {.ss_flags = SS_DISABLE};
    CHECK_EQ(sigaltstack(&none, NULL), 0);
}

SANDBOX_TEST(trap, vector_registers_survive, .expect_exit = 0)
{
    struct trap_fixture fixture;
    struct state before, after;
    if (!__builtin_cpu_supports("avx")) {
        test_skip("this processor has no AVX");
        return;
    }
    memset(&before, 0, sizeof before);
    for (size_t i = 0; i < sizeof before.vectors; i++) {
        before.vectors[i / VECTOR_BYTES][i % VECTOR_BYTES] = (uint8_t)(i * 7 + 1);
    }
    before.mxcsr = 0x3f80;   // rounds down
    before.control = 0x067f; // the same
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    for (int i = 0; i < 2; i++) { // on a signal stack, and on the thread's own
        after = before;
        CHECK_EQ(call_with_state(&after), ANSWER);
        CHECK_BYTES_EQ(&after, &before, sizeof before);
        take_stack_away();
    }
    fixture_end(&fixture);
}

#ifdef __x86_64__
enum { RED_ZONE_BYTES = 128 };

// The stack pointer in here is this function's own: what lies below belongs to nobody but the red zone.
ON_THE_REAL_STACK static long call_with_red_zone(const uint8_t *pattern, uint8_t *ret_red_zone)
{
    long result = SYS_getppid;
    __asm__ volatile("lea -4096(%%rsp), %%rsp\n\t" // away from the compiler's own red zone
                     "lea -128(%%rsp), %%rdi\n\tmov $128, %%ecx\n\trep movsb\n\t"
                     "syscall\n\t"
                     "lea -128(%%rsp), %%rsi\n\tmov %[to], %%rdi\n\tmov $128, %%ecx\n\trep movsb\n\t"
                     "lea 4096(%%rsp), %%rsp"
                     : "+a"(result), "+S"(pattern)
                     : [to] "r"(ret_red_zone)
                     : "rdi", "rcx", "r11", "memory", "cc");
    return result;
}

SANDBOX_TEST(trap, the_red_zone_survives, .expect_exit = 0)
{
    struct trap_fixture fixture;
    uint8_t pattern[RED_ZONE_BYTES], after[RED_ZONE_BYTES];
    for (size_t i = 0; i < sizeof pattern; i++) {
        pattern[i] = (uint8_t)(i * 5 + 3);
    }
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    for (int i = 0; i < 2; i++) {
        memset(after, 0, sizeof after);
        CHECK_EQ(call_with_red_zone(pattern, after), ANSWER);
        CHECK_BYTES_EQ(after, pattern, sizeof pattern);
        take_stack_away();
    }
    fixture_end(&fixture);
}
#endif
