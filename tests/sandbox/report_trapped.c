// A program that makes a forbidden call in a known place and writes down what a trap handler would have: one record, then the text
// of its /proc/self/maps, on standard output. report_unwind_test.c starts it and knows which functions must be on the stack.
//
//   trapped SCENARIO
//
// Built several times: for speed, without frame pointers, without call frame information, statically. It fills the record by hand,
// so that a failure here is the unwinder's.
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "bpf_dsl/bpf_dsl.h" // nogncheck
#include "trap/record.h"     // nogncheck

static struct brig_trap_record record;
static uintptr_t stack_end; // of the thread that traps

// DWARF numbers of x86_64.
static const int dwarf_registers[] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8,
                                      REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};

static void fill_stack(uint64_t sp)
{
    uint64_t left = stack_end - ((sp - 128) & ~UINT64_C(15));
    record.stack_address = (sp - 128) & ~UINT64_C(15);
    record.stack_bytes = left < BRIG_TRAP_STACK_BYTES ? (uint32_t)left : BRIG_TRAP_STACK_BYTES;
    record.flags = left > BRIG_TRAP_STACK_BYTES ? BRIG_TRAP_FLAG_STACK_CUT : 0;
    memcpy(record.stack, (const void *)record.stack_address, record.stack_bytes); // NOLINT(performance-no-int-to-ptr)
}

static void on_trap(int number, siginfo_t *info, void *context)
{
    ucontext_t *interrupted = context;
    (void)number;
    record.magic = BRIG_TRAP_RECORD_MAGIC;
    record.version = BRIG_TRAP_RECORD_VERSION;
    record.pid = (uint32_t)getpid();
    record.nr = (uint32_t)info->si_syscall;
    record.audit_arch = info->si_arch;
    record.trap_id = 1;
    record.verb = BRIG_DSL_CRASH;
    record.call_address = (uintptr_t)info->si_call_addr;
    for (size_t i = 0; i < sizeof dwarf_registers / sizeof dwarf_registers[0]; i++) {
        record.registers[i] = (uint64_t)interrupted->uc_mcontext.gregs[dwarf_registers[i]];
    }
    fill_stack(record.registers[7]);
    interrupted->uc_mcontext.gregs[REG_RAX] = -1;
}

static int install(void)
{
    struct sock_filter insns[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP | 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof insns / sizeof insns[0], insns};
    static char alternate[65536];
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    return sigaltstack(&stack, NULL) || sigaction(SIGSYS, &action, NULL) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

// --- scenarios: each function is a frame that the test looks for ------------------------------------------------------

#define FRAME __attribute__((noinline, used))
// Behind a call, so that it does not become a jump.
#define KEEP_FRAME() __asm__ volatile("" : : : "memory")

FRAME static int forbidden(void)
{
    int result = (int)getppid();
    KEEP_FRAME();
    return result;
}

FRAME static int compare_numbers(const void *left, const void *right)
{
    int result = forbidden() + *(const int *)left - *(const int *)right;
    KEEP_FRAME();
    return result;
}

FRAME static int sort_two(void)
{
    int numbers[] = {2, 1};
    qsort(numbers, 2, sizeof *numbers, compare_numbers);
    KEEP_FRAME();
    return numbers[0];
}

FRAME static int recurse(int depth) // NOLINT(misc-no-recursion)
{
    int result = depth == 0 ? forbidden() : recurse(depth - 1) + 1;
    KEEP_FRAME();
    return result;
}

FRAME static int recurse_deeply(void)
{
    return recurse(150) + 1;
}

FRAME static int big_frame(void)
{
    char space[BRIG_TRAP_STACK_BYTES + 4096];
    memset(space, 1, sizeof space);
    __asm__ volatile("" : : "r"(space) : "memory");
    int result = forbidden();
    __asm__ volatile("" : : "r"(space) : "memory");
    return result;
}

static void on_user_signal(int number)
{
    (void)number;
    forbidden();
    KEEP_FRAME();
}

FRAME static int raise_signal(void)
{
    signal(SIGUSR1, on_user_signal);
    int result = raise(SIGUSR1);
    KEEP_FRAME();
    return result;
}

FRAME static void *in_thread(void *argument)
{
    stack_end = (uintptr_t)__builtin_frame_address(0) + 512; // within the thread's mapping, above this frame
    forbidden();
    KEEP_FRAME();
    return argument;
}

FRAME static int start_thread(void)
{
    pthread_t thread;
    return pthread_create(&thread, NULL, in_thread, NULL) || pthread_join(thread, NULL);
}

// A call made from memory that no file is behind: as a JIT does it.
FRAME static int jump_to_made_code(void)
{
    // mov eax, SYS_getppid; syscall; ret
    static const unsigned char code[] = {0xb8, SYS_getppid, 0, 0, 0, 0x0f, 0x05, 0xc3};
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return 1;
    }
    memcpy(page, code, sizeof code);
    mprotect(page, 4096, PROT_READ | PROT_EXEC);
    int (*made)(void);
    memcpy(&made, &page, sizeof made);
    int result = made();
    KEEP_FRAME();
    return result;
}

static const struct {
    const char *name;
    int (*run)(void);
} scenarios[] = {
    {"qsort", sort_two},      {"deep", recurse_deeply}, {"big-frame", big_frame},
    {"signal", raise_signal}, {"thread", start_thread}, {"made-code", jump_to_made_code},
};

static int write_maps(void)
{
    char buffer[4096];
    ssize_t got;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    while ((got = read(fd, buffer, sizeof buffer)) > 0) {
        if (write(1, buffer, (size_t)got) != got) {
            return 1;
        }
    }
    close(fd);
    return got < 0;
}

int main(int argc, char **argv)
{
    // The environment stands at the stack's end.
    stack_end = (uintptr_t)(argv + argc + 1);
    for (size_t i = 0; argc == 2 && i < sizeof scenarios / sizeof scenarios[0]; i++) {
        if (strcmp(argv[1], scenarios[i].name) == 0) {
            if (install()) {
                perror("seccomp");
                return 2;
            }
            scenarios[i].run();
            return write(1, &record, sizeof record) != (ssize_t)sizeof record || write_maps();
        }
    }
    return 1;
}
