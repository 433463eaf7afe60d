// x86_64: registers of an interrupted thread. A process of this arch also makes i386 calls, by int 0x80: their arguments are
// elsewhere.
#ifndef BRIG_TRAP_HANDLER_ARCH_X86_64_H
#define BRIG_TRAP_HANDLER_ARCH_X86_64_H

#include <linux/audit.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <ucontext.h>

enum {
    TRAP_ARCH_PAGE_BYTES = 4096, // the biggest page that a kernel of this arch uses
    TRAP_ARCH_INSN_BYTES = 2,    // of syscall and of int 0x80
    TRAP_ARCH_REGISTERS = 17,
};

#define TRAP_ARCH_NR_FSTAT SYS_fstat       // the call with the struct that newfstatat fills
#define TRAP_ARCH_NR_FSTATFS64 SYS_fstatfs // there is no statfs64
#define TRAP_ARCH_O_LARGEFILE 0100000      // the kernel's; libc's is 0 where every file is large

static inline uint64_t trap_arch_pc(const ucontext_t *context)
{
    return (uint64_t)context->uc_mcontext.gregs[REG_RIP];
}

static inline void trap_arch_set_pc(ucontext_t *context, uint64_t pc)
{
    context->uc_mcontext.gregs[REG_RIP] = (greg_t)pc;
}

static inline uint64_t trap_arch_sp(const ucontext_t *context)
{
    return (uint64_t)context->uc_mcontext.gregs[REG_RSP];
}

static inline void trap_arch_set_result(ucontext_t *context, int64_t result)
{
    context->uc_mcontext.gregs[REG_RAX] = result;
}

// Whether a call is made by jumping to `call_address` instead of by an instruction there. The thread then stands in the caller, as
// after a return. Source: arch/x86/entry/vsyscall/vsyscall_64.c:emulate_vsyscall.
static inline bool trap_arch_is_vsyscall(uint64_t call_address)
{
    return (call_address & ~(uint64_t)0xfff) == 0xffffffffff600000;
}

// The level that an interrupted trap_arch_syscall was given.
static inline uint32_t trap_arch_level(const ucontext_t *context)
{
    return (uint32_t)context->uc_mcontext.gregs[REG_RBX];
}

// Whether the kernel may take the number for a result of its own, and change it and go back to the instruction before it sends the
// signal: the restart codes, -516 to -512. Source: arch/x86/kernel/signal.c:handle_signal.
static inline bool trap_arch_may_restart(uint32_t nr)
{
    return nr - (uint32_t)-516 <= 4;
}

// Whether the registers are those of a thread that made call `nr`: the kernel puts the number back into rax before it sends the
// signal, unless it takes it for one of its restart codes.
static inline bool trap_arch_made_call(const ucontext_t *context, uint32_t nr, uint32_t audit_arch)
{
    return (audit_arch == AUDIT_ARCH_X86_64 || audit_arch == AUDIT_ARCH_I386) &&
           ((uint32_t)context->uc_mcontext.gregs[REG_RAX] == nr || trap_arch_may_restart(nr));
}

static inline void trap_arch_args(const ucontext_t *context, uint32_t audit_arch, uint64_t ret_args[6])
{
    static const uint8_t x86_64[6] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};
    static const uint8_t i386[6] = {REG_RBX, REG_RCX, REG_RDX, REG_RSI, REG_RDI, REG_RBP};
    const bool is_i386 = audit_arch == AUDIT_ARCH_I386;
    for (size_t i = 0; i < 6; i++) {
        const uint64_t value = (uint64_t)context->uc_mcontext.gregs[is_i386 ? i386[i] : x86_64[i]];
        ret_args[i] = is_i386 ? (uint32_t)value : value;
    }
}

static inline void trap_arch_registers(const ucontext_t *context, uint64_t ret_registers[TRAP_ARCH_REGISTERS])
{
    static const uint8_t dwarf_order[TRAP_ARCH_REGISTERS] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
                                                             REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                                             REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};
    for (size_t i = 0; i < TRAP_ARCH_REGISTERS; i++) {
        ret_registers[i] = (uint64_t)context->uc_mcontext.gregs[dwarf_order[i]];
    }
}

// Copies a multiple of 16 bytes. Not memcpy: a sanitizer's memcpy would object to reading another function's frame.
static inline void trap_arch_copy(void *to, uint64_t from, size_t bytes)
{
    size_t words = bytes / 8;
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

#endif
