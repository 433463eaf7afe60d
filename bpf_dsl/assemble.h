// assemble: the names that only assembler has. Internal to the assembler.
#ifndef BRIG_BPF_DSL_ASSEMBLE_H
#define BRIG_BPF_DSL_ASSEMBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What is said of names that nothing has; brig_dsl_assembler_closest tells by it where to look for a closer one.
#define DSL_ASSEMBLER_NO_INSTRUCTION "no instruction has this name"
#define DSL_ASSEMBLER_NO_CONSTANT "no constant has this name"
#define DSL_ASSEMBLER_NO_CALL "this arch has no such system call"

// Returns: what an instruction takes, for one that was given something else: "st takes M[N]".
const char *dsl_assembler_expected(const char *name, size_t name_bytes);

// Finds a word of struct seccomp_data: nr, arch, ip.lo, args[0].hi ... Returns: its offset, or -1.
int64_t dsl_assembler_word(const char *name, size_t name_bytes);

// Finds an AUDIT_ARCH_* value by that name. Returns: false if it is none.
bool dsl_assembler_audit(const char *name, size_t name_bytes, uint32_t *ret_audit);

#endif
