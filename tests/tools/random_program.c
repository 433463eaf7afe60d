// random_program: see random_program.h. The generator is a fixed one: every run tests the same programs.
#include "tests/tools/random_program.h"

#include <linux/seccomp.h>
#include <stdlib.h>

static const uint16_t opcodes[] = {
#define MNEMONIC(code, name, operands, is_test) (code),
#include "bpf_dsl/mnemonics.def"
#undef MNEMONIC
};

static const uint32_t words[] = {
    0,
    1,
    2,
    3,
    5,
    31,
    32,
    33,
    64,
    0xff,
    0xffff,
    0x10000,
    0x7fffffff,
    0x80000000,
    0x80000001,
    0xfffffffe,
    0xffffffff,
    0x40000000,
    0xc000003e,
    0x40000003,
    SECCOMP_RET_ALLOW,
    SECCOMP_RET_ERRNO | 1,
    SECCOMP_RET_LOG,
    SECCOMP_RET_TRAP | 7,
};

enum { WORD_COUNT = sizeof words / sizeof words[0], OPCODE_COUNT = sizeof opcodes / sizeof opcodes[0], CELLS = 3 };

uint32_t random_word(struct random *random)
{
    switch (random_below(random, 4)) {
    case 0:
        return random_below(random, UINT32_MAX);
    case 1:
        return random_below(random, 16);
    default:
        return words[random_below(random, WORD_COUNT)];
    }
}

struct brig_dsl_data random_input(struct random *random)
{
    struct brig_dsl_data data = {.nr = random_word(random), .audit_arch = random_word(random)};
    data.ip = random_word(random) | (uint64_t)random_word(random) << 32;
    for (size_t i = 0; i < 6; i++) {
        data.args[i] = random_word(random) | (uint64_t)random_word(random) << 32;
    }
    return data;
}

static bool ignores_k(uint16_t code)
{
    switch (BPF_CLASS(code)) {
    case BPF_LD:
    case BPF_LDX:
        return BPF_MODE(code) == BPF_LEN;
    case BPF_ALU:
    case BPF_JMP:
        return BPF_SRC(code) == BPF_X || code == (BPF_ALU | BPF_NEG);
    default:
        return BPF_CLASS(code) == BPF_MISC || code == (BPF_RET | BPF_A);
    }
}

static struct sock_filter random_insn(struct random *random, size_t left)
{
    struct sock_filter insn = {.code = opcodes[random_below(random, OPCODE_COUNT)], .k = random_word(random)};
    uint16_t op = BPF_OP(insn.code);
    bool is_cell = BPF_CLASS(insn.code) == BPF_ST || BPF_CLASS(insn.code) == BPF_STX ||
                   (BPF_CLASS(insn.code) <= BPF_LDX && BPF_MODE(insn.code) == BPF_MEM);
    if (ignores_k(insn.code) && random_below(random, 4) != 0) {
        insn.k = 0;
    }
    if (BPF_CLASS(insn.code) == BPF_JMP) {
        uint32_t reach = left < 256 ? (uint32_t)left : 256;
        insn.jt = (uint8_t)random_below(random, reach);
        insn.jf = (uint8_t)random_below(random, reach);
        insn.k = op == BPF_JA ? random_below(random, (uint32_t)left) : insn.k;
    } else if (is_cell) {
        insn.k = random_below(random, CELLS);
    } else if (insn.code == (BPF_LD | BPF_W | BPF_ABS)) {
        insn.k = 4 * random_below(random, sizeof(struct seccomp_data) / 4);
    } else if (BPF_CLASS(insn.code) == BPF_ALU && BPF_SRC(insn.code) == BPF_K) {
        insn.k = op == BPF_LSH || op == BPF_RSH ? insn.k % 32 : op == BPF_DIV && insn.k == 0 ? 7 : insn.k;
    }
    return insn;
}

static bool is_valid(const struct sock_filter *insns, size_t insn_count)
{
    return brig_dsl_validate(insns, insn_count, NULL) == BRIG_OK;
}

void random_program(struct random *random, struct sock_filter *insns, size_t insn_count)
{
    // The cells get values first, so that reading them is allowed everywhere.
    for (uint32_t i = 0; i < CELLS; i++) {
        insns[i] = (struct sock_filter){.code = i % 2 == 0 ? BPF_ST : BPF_STX, .k = i};
    }
    for (size_t i = CELLS; i + 1 < insn_count; i++) {
        // Few returns in between, or nothing behind them would run.
        do {
            insns[i] = random_insn(random, insn_count - i - 1);
        } while (BPF_CLASS(insns[i].code) == BPF_RET && random_below(random, 4) != 0);
    }
    bool returns_a = random_below(random, 2) == 0;
    insns[insn_count - 1] = (struct sock_filter){.code = BPF_RET | (returns_a ? BPF_A : BPF_K), .k = random_word(random)};
    if (!is_valid(insns, insn_count)) {
        abort(); // the generator itself is wrong
    }
}

void random_mutation(struct random *random, struct sock_filter *insns, size_t insn_count)
{
    struct sock_filter before;
    size_t at;
    do {
        at = random_below(random, (uint32_t)insn_count);
        before = insns[at];
        switch (random_below(random, 4)) {
        case 0:
            insns[at].k = random_below(random, 2) == 0 ? before.k ^ 1u << random_below(random, 32) : random_word(random);
            break;
        case 1:
            insns[at].jt = (uint8_t)(before.jt + 1);
            break;
        case 2:
            insns[at].jf = (uint8_t)(before.jf + 1);
            break;
        default:
            insns[at].code = opcodes[random_below(random, OPCODE_COUNT)];
            break;
        }
        if (!is_valid(insns, insn_count)) {
            insns[at] = before;
        }
    } while (insns[at].code == before.code && insns[at].k == before.k && insns[at].jt == before.jt && insns[at].jf == before.jf);
}
