// validate: says whether the kernel would accept a program.
//
// Takes: any bytes as instructions. Gives: yes, or the first reason against. Guarantees: the same answer as the kernel, no more and
// no less. Weaknesses: names one reason only. Source: net/core/filter.c:bpf_check_classic and check_load_and_stores,
// kernel/seccomp.c:seccomp_check_filter (Linux 3.17 and later).
#include <linux/seccomp.h>
#include <string.h>

#include "bpf_dsl/program.h"

#define BAD_OPCODE "an opcode that seccomp does not take"

// What an opcode's other fields must obey.
enum shape {
    SHAPE_REFUSED,
    SHAPE_FREE,
    SHAPE_LOAD,   // k: an aligned offset into struct seccomp_data
    SHAPE_STORE,  // k: a cell
    SHAPE_CELL,   // k: a cell that was written
    SHAPE_DIVIDE, // k: not 0
    SHAPE_SHIFT,  // k: below 32
    SHAPE_JUMP,   // k: an offset
    SHAPE_TEST,   // jt and jf: offsets
    SHAPE_RETURN,
};

static const uint8_t shapes[256] = {
    [BPF_LD | BPF_W | BPF_ABS] = SHAPE_LOAD,
    [BPF_LD | BPF_W | BPF_LEN] = SHAPE_FREE,
    [BPF_LDX | BPF_W | BPF_LEN] = SHAPE_FREE,
    [BPF_IMM] = SHAPE_FREE, // BPF_LD | BPF_IMM: some parts are 0, and clang-tidy wants them once
    [BPF_LDX | BPF_IMM] = SHAPE_FREE,
    [BPF_LD | BPF_MEM] = SHAPE_CELL,
    [BPF_LDX | BPF_MEM] = SHAPE_CELL,
    [BPF_ST] = SHAPE_STORE,
    [BPF_STX] = SHAPE_STORE,
    [BPF_ALU | BPF_ADD] = SHAPE_FREE, // BPF_ALU | BPF_ADD | BPF_K
    [BPF_ALU | BPF_ADD | BPF_X] = SHAPE_FREE,
    [BPF_ALU | BPF_SUB | BPF_K] = SHAPE_FREE,
    [BPF_ALU | BPF_SUB | BPF_X] = SHAPE_FREE,
    [BPF_ALU | BPF_MUL | BPF_K] = SHAPE_FREE,
    [BPF_ALU | BPF_MUL | BPF_X] = SHAPE_FREE,
    [BPF_ALU | BPF_DIV | BPF_K] = SHAPE_DIVIDE,
    [BPF_ALU | BPF_DIV | BPF_X] = SHAPE_FREE,
    [BPF_ALU | BPF_AND | BPF_K] = SHAPE_FREE,
    [BPF_ALU | BPF_AND | BPF_X] = SHAPE_FREE,
    [BPF_ALU | BPF_OR | BPF_K] = SHAPE_FREE,
    [BPF_ALU | BPF_OR | BPF_X] = SHAPE_FREE,
    [BPF_ALU | BPF_XOR | BPF_K] = SHAPE_FREE,
    [BPF_ALU | BPF_XOR | BPF_X] = SHAPE_FREE,
    [BPF_ALU | BPF_LSH | BPF_K] = SHAPE_SHIFT,
    [BPF_ALU | BPF_LSH | BPF_X] = SHAPE_FREE,
    [BPF_ALU | BPF_RSH | BPF_K] = SHAPE_SHIFT,
    [BPF_ALU | BPF_RSH | BPF_X] = SHAPE_FREE,
    [BPF_ALU | BPF_NEG] = SHAPE_FREE,
    [BPF_MISC | BPF_TAX] = SHAPE_FREE,
    [BPF_MISC | BPF_TXA] = SHAPE_FREE,
    [BPF_JMP | BPF_JA] = SHAPE_JUMP,
    [BPF_JMP | BPF_JEQ | BPF_K] = SHAPE_TEST,
    [BPF_JMP | BPF_JEQ | BPF_X] = SHAPE_TEST,
    [BPF_JMP | BPF_JGT | BPF_K] = SHAPE_TEST,
    [BPF_JMP | BPF_JGT | BPF_X] = SHAPE_TEST,
    [BPF_JMP | BPF_JGE | BPF_K] = SHAPE_TEST,
    [BPF_JMP | BPF_JGE | BPF_X] = SHAPE_TEST,
    [BPF_JMP | BPF_JSET | BPF_K] = SHAPE_TEST,
    [BPF_JMP | BPF_JSET | BPF_X] = SHAPE_TEST,
    [BPF_RET | BPF_K] = SHAPE_RETURN,
    [BPF_RET | BPF_A] = SHAPE_RETURN,
};

static enum shape shape_of(const struct sock_filter *insn)
{
    return insn->code < sizeof shapes ? (enum shape)shapes[insn->code] : SHAPE_REFUSED;
}

// Returns: what is wrong with one instruction, `left` of which follow it; NULL for nothing.
static const char *fault_of(const struct sock_filter *insn, size_t left)
{
    switch (shape_of(insn)) {
    case SHAPE_REFUSED:
        return BAD_OPCODE;
    case SHAPE_LOAD:
        return insn->k >= sizeof(struct seccomp_data) ? "a load from outside struct seccomp_data"
               : insn->k % 4 != 0                     ? "a load across two words of struct seccomp_data"
                                                      : NULL;
    case SHAPE_STORE:
    case SHAPE_CELL:
        return insn->k >= BPF_MEMWORDS ? "a cell that does not exist" : NULL;
    case SHAPE_DIVIDE:
        return insn->k == 0 ? "a division by zero" : NULL;
    case SHAPE_SHIFT:
        return insn->k >= 32 ? "a shift by more than 31" : NULL;
    case SHAPE_JUMP:
        return insn->k >= left ? "a jump out of the program" : NULL;
    case SHAPE_TEST:
        return insn->jt >= left || insn->jf >= left ? "a jump out of the program" : NULL;
    case SHAPE_FREE:
    case SHAPE_RETURN:
        break;
    }
    return NULL;
}

// Which cells are written on every path to each instruction; `memory[i]` has a bit per cell. As in the kernel, what follows a
// return inherits from it. Returns: index of the first read of an unwritten cell, or insn_count.
static size_t find_unwritten(const struct sock_filter *insns, size_t insn_count)
{
    uint16_t memory[BPF_MAXINSNS];
    uint16_t written = 0;
    memset(memory, 0xff, sizeof memory);
    for (size_t at = 0; at < insn_count; at++) {
        const struct sock_filter *insn = &insns[at];
        written &= memory[at];
        switch (shape_of(insn)) {
        case SHAPE_STORE:
            written = (uint16_t)(written | 1u << insn->k);
            break;
        case SHAPE_CELL:
            if ((written & 1u << insn->k) == 0) {
                return at;
            }
            break;
        case SHAPE_JUMP:
            memory[at + 1 + insn->k] &= written;
            written = UINT16_MAX;
            break;
        case SHAPE_TEST:
            memory[at + 1 + insn->jt] &= written;
            memory[at + 1 + insn->jf] &= written;
            written = UINT16_MAX;
            break;
        default:
            break;
        }
    }
    return insn_count;
}

static enum brig_code refuse(struct brig_error *reterr, const char *reason, size_t at)
{
    return brig_error_set(
        reterr,
        (struct brig_error){.code = BRIG_BAD_PROGRAM, .step = "validate program", .subject = reason, .detail = (int64_t)at});
}

enum brig_code brig_dsl_validate(const struct sock_filter *insns, size_t insn_count, struct brig_error *reterr)
{
    if (insn_count == 0 || insn_count > BPF_MAXINSNS) {
        return refuse(reterr, "1 to 4096 instructions are allowed", insn_count);
    }
    for (size_t at = 0; at < insn_count; at++) {
        const char *fault = fault_of(&insns[at], insn_count - at - 1);
        if (fault != NULL) {
            return refuse(reterr, fault, at);
        }
    }
    if (shape_of(&insns[insn_count - 1]) != SHAPE_RETURN) {
        return refuse(reterr, "the last instruction is no return", insn_count - 1);
    }
    size_t unwritten = find_unwritten(insns, insn_count);
    if (unwritten < insn_count) {
        return refuse(reterr, "a cell is read that was not written", unwritten);
    }
    return BRIG_OK;
}
