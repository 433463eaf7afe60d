// i386: registers of an interrupted thread. The kernel may have 64 bits, the process has not.
#ifndef BRIG_TRAP_HANDLER_ARCH_I386_H
#define BRIG_TRAP_HANDLER_ARCH_I386_H

#include <linux/audit.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <ucontext.h>

enum {
    TRAP_ARCH_PAGE_BYTES = 4096, // the biggest page that a kernel of this arch uses
    TRAP_ARCH_INSN_BYTES = 2,    // of int 0x80; the vDSO's sysenter comes back through an int 0x80 as well
    TRAP_ARCH_REGISTERS = 9,
};

#define TRAP_ARCH_NR_FSTAT SYS_fstat64       // the call with the struct that fstatat64 fills
#define TRAP_ARCH_NR_FSTATFS64 SYS_fstatfs64 // ... and what statfs64 fills
#define TRAP_ARCH_O_LARGEFILE 0100000        // the kernel's; libc's is 0 where every file is large

static inline uint64_t trap_arch_pc(const ucontext_t *context)
{
    return (uint32_t)context->uc_mcontext.gregs[REG_EIP];
}

static inline void trap_arch_set_pc(ucontext_t *context, uint64_t pc)
{
    context->uc_mcontext.gregs[REG_EIP] = (greg_t)pc;
}

static inline uint64_t trap_arch_sp(const ucontext_t *context)
{
    return (uint32_t)context->uc_mcontext.gregs[REG_ESP];
}

static inline void trap_arch_set_result(ucontext_t *context, int64_t result)
{
    context->uc_mcontext.gregs[REG_EAX] = (greg_t)result;
}

static inline bool trap_arch_is_vsyscall(uint64_t call_address)
{
    (void)call_address;
    return false;
}

// The level that an interrupted trap_arch_syscall was given: all registers are taken by a call with six arguments, so it is on the
// stack.
static inline uint32_t trap_arch_level(const ucontext_t *context)
{
    return *(const uint32_t *)(uintptr_t)trap_arch_sp(context);
}

// Whether the kernel may take the number for a result of its own, and change it and go back to the instruction before it sends the
// signal: the restart codes, -516 to -512. Source: arch/x86/kernel/signal.c:handle_signal.
static inline bool trap_arch_may_restart(uint32_t nr)
{
    return nr - (uint32_t)-516 <= 4;
}

// Whether the registers are those of a thread that made call `nr`: the kernel puts the number back into eax before it sends the
// signal, unless it takes it for one of its restart codes.
static inline bool trap_arch_made_call(const ucontext_t *context, uint32_t nr, uint32_t audit_arch)
{
    return audit_arch == AUDIT_ARCH_I386 && ((uint32_t)context->uc_mcontext.gregs[REG_EAX] == nr || trap_arch_may_restart(nr));
}

static inline void trap_arch_args(const ucontext_t *context, uint32_t audit_arch, uint64_t ret_args[6])
{
    static const uint8_t order[6] = {REG_EBX, REG_ECX, REG_EDX, REG_ESI, REG_EDI, REG_EBP};
    (void)audit_arch; // a process of this arch makes calls of no other
    for (size_t i = 0; i < 6; i++) {
        ret_args[i] = (uint32_t)context->uc_mcontext.gregs[order[i]];
    }
}

static inline void trap_arch_registers(const ucontext_t *context, uint64_t ret_registers[TRAP_ARCH_REGISTERS])
{
    static const uint8_t dwarf_order[TRAP_ARCH_REGISTERS] = {REG_EAX, REG_ECX, REG_EDX, REG_EBX, REG_ESP,
                                                             REG_EBP, REG_ESI, REG_EDI, REG_EIP};
    for (size_t i = 0; i < TRAP_ARCH_REGISTERS; i++) {
        ret_registers[i] = (uint32_t)context->uc_mcontext.gregs[dwarf_order[i]];
    }
}

// Copies a multiple of 16 bytes. Not memcpy: a sanitizer's memcpy would object to reading another function's frame.
static inline void trap_arch_copy(void *to, uint64_t from, size_t bytes)
{
    uintptr_t source = (uintptr_t)from;
    size_t words = bytes / 4;
    __asm__ volatile("rep movsl" : "+D"(to), "+S"(source), "+c"(words) : : "memory");
}

#endif
