// x86_64: the only system call instruction of the handler, and the way back from it.

    .text

// int64_t trap_arch_syscall(const uint64_t args[6], uint32_t nr, uint32_t level)
//
// rbx holds the level while the kernel has the thread: a trapped call is interrupted at trap_arch_syscall_done, where the handler
// that runs then reads it. No other register survives a system call without being an argument.
    .globl trap_arch_syscall, trap_arch_syscall_done
    .hidden trap_arch_syscall, trap_arch_syscall_done
    .type trap_arch_syscall, @function
trap_arch_syscall:
    .cfi_startproc
    push %rbx
    .cfi_def_cfa_offset 16
    .cfi_offset %rbx, -16
    mov %edx, %ebx
    mov %esi, %eax
    mov 8(%rdi), %rsi
    mov 16(%rdi), %rdx
    mov 24(%rdi), %r10
    mov 32(%rdi), %r8
    mov 40(%rdi), %r9
    mov (%rdi), %rdi
    syscall
trap_arch_syscall_done:
    pop %rbx
    .cfi_def_cfa_offset 8
    .cfi_restore %rbx
    ret
    .cfi_endproc
    .size trap_arch_syscall, . - trap_arch_syscall

// rt_sigreturn. Unwinders know a signal frame by exactly these bytes, and look one byte before them for the function.
    nop
    .globl trap_arch_restorer
    .hidden trap_arch_restorer
    .type trap_arch_restorer, @function
trap_arch_restorer:
    mov $15, %rax
    syscall
    .size trap_arch_restorer, . - trap_arch_restorer

    .section .note.GNU-stack, "", @progbits
