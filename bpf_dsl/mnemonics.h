// mnemonics: how opcodes are written. Internal to the disassembler and the assembler, which have to agree.
#ifndef BRIG_BPF_DSL_MNEMONICS_H
#define BRIG_BPF_DSL_MNEMONICS_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// How an opcode's operands are written. K stands for a number.
enum dsl_operands {
    DSL_OPERANDS_NONE,
    DSL_OPERANDS_OFFSET,
    DSL_OPERANDS_K,
    DSL_OPERANDS_CELL,
    DSL_OPERANDS_X,
    DSL_OPERANDS_LEN,
    DSL_OPERANDS_JUMP,
    DSL_OPERANDS_A
};

struct dsl_mnemonic {
    uint16_t code;
    char name[5];
    uint8_t operands; // enum dsl_operands
    bool is_test;     // two targets follow
};

static const struct dsl_mnemonic dsl_mnemonics[] = {
#define MNEMONIC(code, name, operands, is_test) {(code), name, DSL_OPERANDS_##operands, (is_test)},
#include "bpf_dsl/mnemonics.def"
#undef MNEMONIC
};

enum { DSL_MNEMONIC_COUNT = sizeof dsl_mnemonics / sizeof dsl_mnemonics[0] };

struct dsl_action_name {
    uint32_t action;
    const char *name;
    bool has_data;
};

static const struct dsl_action_name dsl_action_names[] = {
    {SECCOMP_RET_KILL_PROCESS, "KILL_PROCESS", false}, // first: what unknown actions are
    {SECCOMP_RET_KILL_THREAD, "KILL_THREAD", false},
    {SECCOMP_RET_TRAP, "TRAP", true},
    {SECCOMP_RET_ERRNO, "ERRNO", true},
    {SECCOMP_RET_USER_NOTIF, "USER_NOTIF", false},
    {SECCOMP_RET_TRACE, "TRACE", true},
    {SECCOMP_RET_LOG, "LOG", false},
    {SECCOMP_RET_ALLOW, "ALLOW", false},
};

enum { DSL_ACTION_NAME_COUNT = sizeof dsl_action_names / sizeof dsl_action_names[0] };

#endif
