// aarch64: the only system call instruction of the handler, and the way back from it.

    .text

// int64_t trap_arch_syscall(const uint64_t args[6], uint32_t nr, uint32_t level)
//
// x19 holds the level while the kernel has the thread: a trapped call is interrupted at trap_arch_syscall_done, where the handler
// that runs then reads it.
    .globl trap_arch_syscall, trap_arch_syscall_done
    .hidden trap_arch_syscall, trap_arch_syscall_done
    .type trap_arch_syscall, %function
    .p2align 2
trap_arch_syscall:
    .cfi_startproc
    str x19, [sp, #-16]!
    .cfi_def_cfa_offset 16
    .cfi_offset x19, -16
    mov w19, w2
    mov w8, w1
    mov x9, x0
    ldp x0, x1, [x9]
    ldp x2, x3, [x9, #16]
    ldp x4, x5, [x9, #32]
    svc #0
trap_arch_syscall_done:
    ldr x19, [sp], #16
    .cfi_def_cfa_offset 0
    .cfi_restore x19
    ret
    .cfi_endproc
    .size trap_arch_syscall, . - trap_arch_syscall

// rt_sigreturn. Unwinders know a signal frame by exactly these instructions, and look one before them for the function.
    nop
    .globl trap_arch_restorer
    .hidden trap_arch_restorer
    .type trap_arch_restorer, %function
trap_arch_restorer:
    mov x8, #139
    svc #0
    .size trap_arch_restorer, . - trap_arch_restorer

    .section .note.GNU-stack, "", %progbits
