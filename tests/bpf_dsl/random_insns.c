// random_insns: see random_insns.h.
#include "tests/bpf_dsl/random_insns.h"

static const uint16_t opcodes[] = {
    BPF_LD | BPF_W | BPF_ABS,
    BPF_LD | BPF_W | BPF_ABS,
    BPF_LD | BPF_W | BPF_LEN,
    BPF_LDX | BPF_W | BPF_LEN,
    BPF_IMM, // and BPF_LD, which is 0 as well
    BPF_LDX | BPF_IMM,
    BPF_LD | BPF_MEM,
    BPF_LDX | BPF_MEM,
    BPF_ST,
    BPF_STX,
    BPF_ST,
    BPF_STX,
    BPF_ALU | BPF_ADD, // and BPF_K, which is 0 as well
    BPF_ALU | BPF_ADD | BPF_X,
    BPF_ALU | BPF_SUB | BPF_K,
    BPF_ALU | BPF_SUB | BPF_X,
    BPF_ALU | BPF_MUL | BPF_K,
    BPF_ALU | BPF_MUL | BPF_X,
    BPF_ALU | BPF_DIV | BPF_K,
    BPF_ALU | BPF_DIV | BPF_X,
    BPF_ALU | BPF_AND | BPF_K,
    BPF_ALU | BPF_AND | BPF_X,
    BPF_ALU | BPF_OR | BPF_K,
    BPF_ALU | BPF_OR | BPF_X,
    BPF_ALU | BPF_XOR | BPF_K,
    BPF_ALU | BPF_XOR | BPF_X,
    BPF_ALU | BPF_LSH | BPF_K,
    BPF_ALU | BPF_LSH | BPF_X,
    BPF_ALU | BPF_RSH | BPF_K,
    BPF_ALU | BPF_RSH | BPF_X,
    BPF_ALU | BPF_NEG,
    BPF_MISC | BPF_TAX,
    BPF_MISC | BPF_TXA,
    BPF_JMP | BPF_JA,
    BPF_JMP | BPF_JEQ | BPF_K,
    BPF_JMP | BPF_JEQ | BPF_X,
    BPF_JMP | BPF_JGT | BPF_K,
    BPF_JMP | BPF_JGT | BPF_X,
    BPF_JMP | BPF_JGE | BPF_K,
    BPF_JMP | BPF_JGE | BPF_X,
    BPF_JMP | BPF_JSET | BPF_K,
    BPF_JMP | BPF_JSET | BPF_X,
    BPF_RET | BPF_K,
    BPF_RET | BPF_A,
};

static uint32_t some_k(struct random *random, uint16_t code, uint32_t left)
{
    bool is_shift = BPF_CLASS(code) == BPF_ALU && (BPF_OP(code) == BPF_LSH || BPF_OP(code) == BPF_RSH);
    if (code == (BPF_LD | BPF_W | BPF_ABS)) {
        return 4 * random_below(random, 16);
    }
    if (code == (BPF_JMP | BPF_JA)) {
        return left > 0 ? random_below(random, left < 4 ? left : 4) : 0;
    }
    if (is_shift && BPF_SRC(code) == BPF_K) {
        return random_below(random, 32);
    }
    if (BPF_CLASS(code) == BPF_ST || BPF_CLASS(code) == BPF_STX || BPF_MODE(code) == BPF_MEM) {
        return random_below(random, 3);
    }
    return (uint32_t)random_next(random) >> random_below(random, 32);
}

void random_insns(struct random *random, struct sock_filter *insns, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t left = count - i - 1;
        uint32_t reach = left < 5 ? left : 5;
        struct sock_filter *insn = &insns[i];
        *insn = (struct sock_filter){.code = opcodes[random_below(random, sizeof opcodes / sizeof opcodes[0])]};
        // Returns in the middle end most paths, and cells are seldom written before they are read.
        bool is_return = BPF_CLASS(insn->code) == BPF_RET;
        bool is_cell = BPF_CLASS(insn->code) < BPF_ST && BPF_MODE(insn->code) == BPF_MEM;
        if ((is_return && random_below(random, 4) != 0) || (is_cell && random_below(random, 3) == 0)) {
            insn->code = BPF_LD | BPF_W | BPF_ABS;
        }
        insn->k = some_k(random, insn->code, left);
        insn->jt = (uint8_t)(reach > 0 ? random_below(random, reach) : 0);
        insn->jf = (uint8_t)(reach > 0 ? random_below(random, reach) : 0);
    }
    insns[count - 1].code = random_below(random, 2) == 0 ? BPF_RET | BPF_K : BPF_RET | BPF_A;
}

void random_expression(struct random *random, struct sock_filter *insns, uint32_t count)
{
    static const uint16_t operators[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_AND, BPF_OR, BPF_XOR, BPF_LSH, BPF_RSH};
    static const uint16_t codes[] = {BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_IMM,  BPF_LDX | BPF_MEM, BPF_ST,
                                     BPF_MISC | BPF_TAX,       BPF_ALU | BPF_NEG, BPF_ALU | BPF_K,   BPF_ALU | BPF_X};
    for (uint32_t at = 0; at + 1 < count; at++) {
        // A word, which the cell has from the start.
        uint16_t code = at == 0 ? BPF_LD | BPF_W | BPF_ABS : BPF_ST;
        code = at < 2 ? code : codes[random_below(random, sizeof codes / sizeof codes[0])];
        insns[at] = (struct sock_filter){.code = code};
        if (code == (BPF_ALU | BPF_K) || code == (BPF_ALU | BPF_X)) {
            insns[at].code = (uint16_t)(code | operators[random_below(random, sizeof operators / sizeof operators[0])]);
            insns[at].k = BPF_SRC(code) == BPF_K ? random_below(random, 32) : 0;
        } else if (code == (BPF_LD | BPF_W | BPF_ABS)) {
            insns[at].k = 16 + 4 * random_below(random, 4);
        } else if (code == (BPF_LD | BPF_IMM)) {
            insns[at].k = (uint32_t)random_next(random);
        }
    }
    insns[count - 1] = (struct sock_filter){.code = BPF_RET | BPF_A};
}

void random_return_computed(struct random *random, struct sock_filter *insns, uint32_t count)
{
    static const uint16_t operators[] = {BPF_ADD, BPF_AND, BPF_OR};
    for (uint32_t at = 0; at + 1 < count; at++) {
        bool are_two = insns[at].code == (BPF_RET | BPF_K) && insns[at + 1].code == (BPF_RET | BPF_K);
        if (are_two && random_below(random, 2) == 0) {
            insns[at].code = (uint16_t)(BPF_ALU | operators[random_below(random, 3)] | BPF_K);
            insns[at + 1] = (struct sock_filter){.code = BPF_RET | BPF_A};
        }
    }
}

void random_mutate(struct random *random, struct sock_filter *insns, uint32_t count)
{
    struct sock_filter *insn = &insns[random_below(random, count)];
    switch (random_below(random, 6)) {
    case 0:
        insn->code = (uint16_t)(insn->code ^ 1u << random_below(random, 9));
        break;
    case 1:
        insn->jt = (uint8_t)random_next(random);
        break;
    case 2:
        insn->jf = (uint8_t)random_next(random);
        break;
    case 3:
        insn->k ^= (uint32_t)1 << random_below(random, 32);
        break;
    case 4:
        insn->k = random_below(random, 80);
        break;
    default:
        insn->code = (uint16_t)random_below(random, 256);
        break;
    }
}
