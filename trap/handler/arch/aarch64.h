// aarch64: registers of an interrupted thread.
#ifndef BRIG_TRAP_HANDLER_ARCH_AARCH64_H
#define BRIG_TRAP_HANDLER_ARCH_AARCH64_H

#include <linux/audit.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <ucontext.h>

enum {
    TRAP_ARCH_PAGE_BYTES = 65536, // the biggest page that a kernel of this arch uses
    TRAP_ARCH_INSN_BYTES = 4,
    TRAP_ARCH_REGISTERS = 34,
};

#define TRAP_ARCH_NR_FSTAT SYS_fstat       // the call with the struct that newfstatat fills
#define TRAP_ARCH_NR_FSTATFS64 SYS_fstatfs // there is no statfs64
#define TRAP_ARCH_O_LARGEFILE 0400000      // the kernel's; libc's is 0 where every file is large

static inline uint64_t trap_arch_pc(const ucontext_t *context)
{
    return context->uc_mcontext.pc;
}

static inline void trap_arch_set_pc(ucontext_t *context, uint64_t pc)
{
    context->uc_mcontext.pc = pc;
}

static inline uint64_t trap_arch_sp(const ucontext_t *context)
{
    return context->uc_mcontext.sp;
}

static inline void trap_arch_set_result(ucontext_t *context, int64_t result)
{
    context->uc_mcontext.regs[0] = (uint64_t)result;
}

static inline bool trap_arch_is_vsyscall(uint64_t call_address)
{
    (void)call_address;
    return false;
}

// The level that an interrupted trap_arch_syscall was given.
static inline uint32_t trap_arch_level(const ucontext_t *context)
{
    return (uint32_t)context->uc_mcontext.regs[19];
}

// Whether the kernel may go back to the instruction before it sends the signal: here that depends on x0, which is the first
// argument of the call and not its number. Source: arch/arm64/kernel/signal.c:do_signal.
static inline bool trap_arch_may_restart(uint32_t nr)
{
    (void)nr;
    return true;
}

// Whether the registers are those of a thread that made call `nr`. x0 is the first argument again by the time the signal is sent.
static inline bool trap_arch_made_call(const ucontext_t *context, uint32_t nr, uint32_t audit_arch)
{
    return audit_arch == AUDIT_ARCH_AARCH64 && (uint32_t)context->uc_mcontext.regs[8] == nr;
}

static inline void trap_arch_args(const ucontext_t *context, uint32_t audit_arch, uint64_t ret_args[6])
{
    (void)audit_arch; // a process of this arch makes calls of no other
    for (size_t i = 0; i < 6; i++) {
        ret_args[i] = context->uc_mcontext.regs[i];
    }
}

static inline void trap_arch_registers(const ucontext_t *context, uint64_t ret_registers[TRAP_ARCH_REGISTERS])
{
    for (size_t i = 0; i < 31; i++) {
        ret_registers[i] = context->uc_mcontext.regs[i];
    }
    ret_registers[31] = context->uc_mcontext.sp;
    ret_registers[32] = context->uc_mcontext.pc;
    ret_registers[33] = context->uc_mcontext.pstate;
}

// Copies a multiple of 16 bytes. Not memcpy: a sanitizer's memcpy would object to reading another function's frame.
static inline void trap_arch_copy(void *to, uint64_t from, size_t bytes)
{
    for (; bytes >= 16; bytes -= 16) {
        uint64_t low, high;
        __asm__ volatile("ldp %[low], %[high], [%[from]], #16\n\tstp %[low], %[high], [%[to]], #16"
                         : [to] "+r"(to), [from] "+r"(from), [low] "=&r"(low), [high] "=&r"(high)
                         :
                         : "memory");
    }
}

#endif
