// arch: the one place where the handler asks what it is compiled for. Each file gives the same names; x86_64.h is the one to read.
#ifndef BRIG_TRAP_HANDLER_ARCH_ARCH_H
#define BRIG_TRAP_HANDLER_ARCH_ARCH_H

#if defined(__x86_64__) && !defined(__ILP32__)
#include "trap/handler/arch/x86_64.h"
#elif defined(__aarch64__)
#include "trap/handler/arch/aarch64.h"
#elif defined(__i386__)
#include "trap/handler/arch/i386.h"
#else
#error "the trap layer runs on x86_64, aarch64 and i386; policies for other arches can be compiled, but not enforced here"
#endif

#pragma GCC visibility push(hidden)

// In arch/ARCH.S. Makes one system call, with `level` kept where trap_arch_level finds it if the call is trapped. Returns: what the
// kernel returns.
int64_t trap_arch_syscall(const uint64_t args[6], uint32_t nr, uint32_t level);
// The address after its system call instruction.
extern const char trap_arch_syscall_done[];
// What the kernel returns to from the handler.
void trap_arch_restorer(void);

#pragma GCC visibility pop

#endif
