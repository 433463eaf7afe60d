// What this library is built for, asked of the compiler once.
#ifndef BRIG_BPF_DSL_TABLES_ARCH_NATIVE_H
#define BRIG_BPF_DSL_TABLES_ARCH_NATIVE_H

#if defined(__x86_64__) && !defined(__ILP32__)
#define DSL_NATIVE_ARCH BRIG_DSL_X86_64
#elif defined(__i386__)
#define DSL_NATIVE_ARCH BRIG_DSL_I386
#elif defined(__aarch64__) && !defined(__ILP32__)
#define DSL_NATIVE_ARCH BRIG_DSL_AARCH64
#elif defined(__arm__)
#define DSL_NATIVE_ARCH BRIG_DSL_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define DSL_NATIVE_ARCH BRIG_DSL_RISCV64
#else
#error "this CPU is no target arch"
#endif

#endif
