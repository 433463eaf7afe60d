// interpret: runs a program as the kernel does.
//
// Takes: a valid program and what a filter sees of a call. Gives: the value returned and how many instructions ran. Requires: a
// program that brig_dsl_validate accepts; nothing here looks for a jump or a cell out of range again. Guarantees: the kernel's
// meaning of every opcode that it accepts from seccomp, the odd ones included: the length is 64, a division by zero that comes from
// X ends the program with 0, shifts by X count modulo 32 as the JITs and the eBPF interpreter do. Weaknesses: words are read from
// brig_dsl_data as a little-endian target would see them; all targets are. Source: net/core/filter.c:bpf_convert_filter,
// kernel/bpf/core.c, kernel/seccomp.c:seccomp_check_filter.
#include <linux/seccomp.h>
#include <string.h>

#include "bpf_dsl/program.h"

struct machine {
    uint32_t a;
    uint32_t x;
    uint32_t cells[BPF_MEMWORDS];
};

static uint32_t load_word(const struct brig_dsl_data *data, uint32_t offset)
{
    uint32_t word = offset / 4;
    switch (word) {
    case 0:
        return data->nr;
    case 1:
        return data->audit_arch;
    case 2:
        return (uint32_t)data->ip;
    case 3:
        return (uint32_t)(data->ip >> 32);
    default:
        return (uint32_t)(data->args[(word - 4) / 2] >> (word % 2 == 0 ? 0 : 32));
    }
}

static uint32_t load(const struct machine *machine, const struct sock_filter *insn, const struct brig_dsl_data *data)
{
    switch (BPF_MODE(insn->code)) {
    case BPF_ABS:
        return load_word(data, insn->k);
    case BPF_LEN:
        return sizeof(struct seccomp_data);
    case BPF_MEM:
        return machine->cells[insn->k];
    default:
        return insn->k;
    }
}

// Returns: false for a division by zero.
static bool calculate(struct machine *machine, const struct sock_filter *insn)
{
    uint32_t operand = BPF_SRC(insn->code) == BPF_X ? machine->x : insn->k;
    switch (BPF_OP(insn->code)) {
    case BPF_ADD:
        machine->a += operand;
        break;
    case BPF_SUB:
        machine->a -= operand;
        break;
    case BPF_MUL:
        machine->a *= operand;
        break;
    case BPF_DIV:
        if (operand == 0) {
            return false;
        }
        machine->a /= operand;
        break;
    case BPF_AND:
        machine->a &= operand;
        break;
    case BPF_OR:
        machine->a |= operand;
        break;
    case BPF_XOR:
        machine->a ^= operand;
        break;
    case BPF_LSH:
        machine->a <<= operand & 31;
        break;
    case BPF_RSH:
        machine->a >>= operand & 31;
        break;
    case BPF_NEG:
        machine->a = 0 - machine->a;
        break;
    }
    return true;
}

static uint32_t jump_offset(const struct machine *machine, const struct sock_filter *insn)
{
    uint32_t operand = BPF_SRC(insn->code) == BPF_X ? machine->x : insn->k;
    bool taken = false;
    switch (BPF_OP(insn->code)) {
    case BPF_JA:
        return insn->k;
    case BPF_JEQ:
        taken = machine->a == operand;
        break;
    case BPF_JGT:
        taken = machine->a > operand;
        break;
    case BPF_JGE:
        taken = machine->a >= operand;
        break;
    case BPF_JSET:
        taken = (machine->a & operand) != 0;
        break;
    }
    return taken ? insn->jt : insn->jf;
}

struct brig_dsl_run brig_dsl_interpret(const struct sock_filter *insns, size_t insn_count, const struct brig_dsl_data *data,
                                       unsigned char *trace)
{
    struct machine machine = {0};
    struct brig_dsl_run run = {.ret = 0};
    for (size_t at = 0; at < insn_count; at++) {
        const struct sock_filter *insn = &insns[at];
        run.executed++;
        if (trace != NULL) {
            trace[at] = 1;
        }
        switch (BPF_CLASS(insn->code)) {
        case BPF_LD:
            machine.a = load(&machine, insn, data);
            break;
        case BPF_LDX:
            machine.x = load(&machine, insn, data);
            break;
        case BPF_ST:
            machine.cells[insn->k] = machine.a;
            break;
        case BPF_STX:
            machine.cells[insn->k] = machine.x;
            break;
        case BPF_ALU:
            if (!calculate(&machine, insn)) {
                return run;
            }
            break;
        case BPF_JMP:
            at += jump_offset(&machine, insn);
            break;
        case BPF_RET:
            run.ret = BPF_RVAL(insn->code) == BPF_A ? machine.a : insn->k;
            return run;
        case BPF_MISC:
            if (BPF_MISCOP(insn->code) == BPF_TAX) {
                machine.x = machine.a;
            } else {
                machine.a = machine.x;
            }
            break;
        }
    }
    return run;
}
