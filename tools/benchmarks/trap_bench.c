// What a trap costs: our handler beside the shortest handler that answers at all, installed with the same flags and mask; both in
// one process under one filter, taking turns at being the handler of SIGSYS.
//
// The filter is made by hand, so that its length is not what is measured.
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "tools/benchmarks/bench.h"
#include "trap/handler/arch/arch.h"
#include "trap/trap.h"

enum { EMULATE_ID = 1, REPORT_ID, FSTATAT_ID, TRAP_COUNT };

// --- the calls --------------------------------------------------------------------------------------------------------

static struct brig_trap_outcome answer_42(const struct brig_trap_call *call)
{
    (void)call;
    return (struct brig_trap_outcome){BRIG_TRAP_RESULT, 42};
}

static const enum brig_dsl_call no_calls[] = {BRIG_SYS_NONE};
static const struct brig_trap_emulation answering = {.dsl = {.name = "answer", .calls = no_calls}, .emulate = answer_42};

static const struct sock_filter insns[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP | EMULATE_ID),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getsid, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP | REPORT_ID),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_newfstatat, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP | FSTATAT_ID),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

static bool install(void)
{
    const struct sock_fprog program = {.len = sizeof insns / sizeof insns[0], .filter = (struct sock_filter *)(uintptr_t)insns};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

// --- the two handlers -------------------------------------------------------------------------------------------------

static struct sigaction ours, shortest;

static void answer_and_nothing_else(int signal_nr, siginfo_t *info, void *opaque)
{
    ucontext_t *context = opaque;
    (void)signal_nr;
    trap_arch_set_result(context, info->si_syscall == SYS_getppid ? 42 : 0);
}

static void use_ours(void *data)
{
    (void)data;
    sigaction(SIGSYS, &ours, NULL);
}

static void use_shortest(void *data)
{
    (void)data;
    sigaction(SIGSYS, &shortest, NULL);
}

static bool arm(struct bench_table *table, struct brig_trap_slots *slots)
{
    static struct brig_dsl_trap traps[TRAP_COUNT];
    struct brig_error error;
    const struct brig_dsl_program program = {.insns = insns,
                                             .insn_count = sizeof insns / sizeof insns[0],
                                             .arch = brig_dsl_arch_native(),
                                             .traps = traps,
                                             .trap_count = TRAP_COUNT};
    const struct brig_trap_setup setup = {.slots = slots, .notify_fd = -1};
    traps[EMULATE_ID].action = (struct brig_dsl_action){.verb = BRIG_DSL_EMULATE, .handler = &answering.dsl};
    traps[REPORT_ID].action = (struct brig_dsl_action){.verb = BRIG_DSL_REPORT, .data = EPERM};
    traps[FSTATAT_ID].action =
        (struct brig_dsl_action){.verb = BRIG_DSL_EMULATE, .handler = &brig_trap_emulate_fstatat_empty_path.dsl};
    traps[EMULATE_ID].nr_set[SYS_getppid / 64] = UINT64_C(1) << SYS_getppid % 64;
    traps[REPORT_ID].nr_set[SYS_getsid / 64] = UINT64_C(1) << SYS_getsid % 64;
    traps[FSTATAT_ID].nr_set[SYS_newfstatat / 64] = UINT64_C(1) << SYS_newfstatat % 64;
    if (brig_trap_arm(&program, &setup, &error) != BRIG_OK) {
        char text[BRIG_ERROR_TEXT_BYTES];
        bench_fail(table, "%s", brig_error_format(&error, text, sizeof text));
        return false;
    }
    sigaction(SIGSYS, NULL, &ours);
    shortest = ours; // same flags, same mask
    shortest.sa_sigaction = answer_and_nothing_else;
    return true;
}

// --- what is measured -------------------------------------------------------------------------------------------------

static void trap_getppid(void *data, uint32_t iterations)
{
    (void)data;
    for (uint32_t i = 0; i < iterations; i++) {
        syscall(SYS_getppid);
    }
}

static void trap_fstatat(void *data, uint32_t iterations)
{
    struct {
        _Alignas(16) unsigned char bytes[256];
    } buffer;
    (void)data;
    for (uint32_t i = 0; i < iterations; i++) {
        syscall(SYS_newfstatat, 0, "", &buffer, 0x1000); // AT_EMPTY_PATH
    }
}

static void report_getsid(void *data, uint32_t iterations)
{
    struct brig_trap_slots *slots = data;
    for (uint32_t i = 0; i < iterations; i++) {
        syscall(SYS_getsid, 0);
        __atomic_store_n(&slots->slots[0].state, BRIG_TRAP_SLOT_FREE, __ATOMIC_RELEASE); // as a supervisor would
    }
}

static void call_getpid(void *data, uint32_t iterations)
{
    (void)data;
    for (uint32_t i = 0; i < iterations; i++) {
        syscall(SYS_getpid);
    }
}

static void measure(struct bench_table *table)
{
    static const struct bench_plan plan = {.rounds = 60, .iterations = 2000};
    struct brig_trap_slots *slots = mmap(NULL, sizeof *slots, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (slots == MAP_FAILED) {
        bench_fail(table, "no memory for slots");
        return;
    }
    slots->magic = BRIG_TRAP_RECORD_MAGIC;
    slots->version = BRIG_TRAP_RECORD_VERSION;
    slots->slot_count = BRIG_TRAP_SLOT_COUNT;
    if (!arm(table, slots)) {
        return;
    }
    if (!install()) {
        bench_fail(table, "the kernel refused the filter: errno %d", errno);
        return;
    }
    const struct bench_case cases[] = {
        {"trap, shortest possible handler", use_shortest, trap_getppid, NULL},
        {"trap, our handler, emulated", use_ours, trap_getppid, NULL},
        {"trap, our handler, fstatat of an empty path", use_ours, trap_fstatat, NULL},
        {"trap, our handler, reported with its stack", use_ours, report_getsid, slots},
        {"call that the same filter allows", NULL, call_getpid, NULL},
    };
    bench_measure(table, cases, sizeof cases / sizeof cases[0], &plan);
}

void bench_trap(struct bench_table *table)
{
    bench_in_child(table, measure);
    bench_broker(table);
}
