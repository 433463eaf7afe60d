// arch/x86_64: the two other ways into an x86-64 kernel, tried for real. Run in a child of its own: a kernel without them may end
// it.
#ifndef BRIG_SANDBOX_WORKER_ARCH_X86_64_H
#define BRIG_SANDBOX_WORKER_ARCH_X86_64_H

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

// getpid is 20 on i386. Without IA32 emulation int 0x80 is a fault, and the child dies of SIGSEGV.
static inline int box_arch_try_ia32(void)
{
    enum { IA32_GETPID = 20 };
    long result = IA32_GETPID;
    __asm__ volatile("int $0x80" : "+a"(result) : : "r8", "r9", "r10", "r11", "memory");
    return result > 0 ? 0 : (int)-result;
}

static inline int box_arch_try_x32(void)
{
    enum { X32_BIT = 0x40000000 };
    return syscall(X32_BIT | SYS_getpid) > 0 ? 0 : errno;
}

#endif
