// i386: the only system call instruction of the handler, and the way back from it.

    .text

// int64_t trap_arch_syscall(const uint64_t args[6], uint32_t nr, uint32_t level)
//
// The level lies on top of the stack while the kernel has the thread: a trapped call is interrupted at trap_arch_syscall_done,
// where the handler that runs then reads it. Of each argument the low word counts.
    .globl trap_arch_syscall, trap_arch_syscall_done
    .hidden trap_arch_syscall, trap_arch_syscall_done
    .type trap_arch_syscall, @function
trap_arch_syscall:
    .cfi_startproc
    push %ebx
    .cfi_adjust_cfa_offset 4
    .cfi_rel_offset %ebx, 0
    push %esi
    .cfi_adjust_cfa_offset 4
    .cfi_rel_offset %esi, 0
    push %edi
    .cfi_adjust_cfa_offset 4
    .cfi_rel_offset %edi, 0
    push %ebp
    .cfi_adjust_cfa_offset 4
    .cfi_rel_offset %ebp, 0
    mov 24(%esp), %eax
    push 28(%esp)
    .cfi_adjust_cfa_offset 4
    mov 24(%esp), %ebp
    mov (%ebp), %ebx
    mov 8(%ebp), %ecx
    mov 16(%ebp), %edx
    mov 24(%ebp), %esi
    mov 32(%ebp), %edi
    mov 40(%ebp), %ebp
    int $0x80
trap_arch_syscall_done:
    add $4, %esp
    .cfi_adjust_cfa_offset -4
    cltd
    pop %ebp
    .cfi_adjust_cfa_offset -4
    .cfi_restore %ebp
    pop %edi
    .cfi_adjust_cfa_offset -4
    .cfi_restore %edi
    pop %esi
    .cfi_adjust_cfa_offset -4
    .cfi_restore %esi
    pop %ebx
    .cfi_adjust_cfa_offset -4
    .cfi_restore %ebx
    ret
    .cfi_endproc
    .size trap_arch_syscall, . - trap_arch_syscall

// rt_sigreturn. Unwinders know a signal frame by exactly these bytes, and look one byte before them for the function.
    nop
    .globl trap_arch_restorer
    .hidden trap_arch_restorer
    .type trap_arch_restorer, @function
trap_arch_restorer:
    mov $173, %eax
    int $0x80
    .size trap_arch_restorer, . - trap_arch_restorer

    .section .note.GNU-stack, "", @progbits
