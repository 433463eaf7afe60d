// disassemble: instructions as text.
//
// Takes: instructions, valid or not. Gives: one line of assembler each, in the syntax of the kernel's bpf_asm; in a listing jumps name the index of
// their target, and a comment says what is loaded, compared or returned. Guarantees: every opcode that the kernel accepts has its own
// text. Weaknesses: the comments follow what the accumulator holds through the program, and say nothing where paths disagree.
#include <linux/seccomp.h>
#include <string.h>

#include "bpf_dsl/decisions.h"
#include "bpf_dsl/program.h"
#include "bpf_dsl/text.h"

// How an opcode's operands are written. K stands for a number.
enum operands { OPERANDS_NONE, OPERANDS_OFFSET, OPERANDS_K, OPERANDS_CELL, OPERANDS_X, OPERANDS_LEN, OPERANDS_JUMP, OPERANDS_A };

struct mnemonic {
    uint16_t code;
    char name[5];
    uint8_t operands; // enum operands
    bool is_test;     // two targets follow
};

static const struct mnemonic mnemonics[] = {
    {BPF_LD | BPF_W | BPF_ABS, "ld", OPERANDS_OFFSET, false},
    {BPF_LD | BPF_W | BPF_LEN, "ld", OPERANDS_LEN, false},
    {BPF_LDX | BPF_W | BPF_LEN, "ldx", OPERANDS_LEN, false},
    {BPF_LD | BPF_IMM, "ld", OPERANDS_K, false},
    {BPF_LDX | BPF_IMM, "ldx", OPERANDS_K, false},
    {BPF_LD | BPF_MEM, "ld", OPERANDS_CELL, false},
    {BPF_LDX | BPF_MEM, "ldx", OPERANDS_CELL, false},
    {BPF_ST, "st", OPERANDS_CELL, false},
    {BPF_STX, "stx", OPERANDS_CELL, false},
    {BPF_ALU | BPF_ADD | BPF_K, "add", OPERANDS_K, false},
    {BPF_ALU | BPF_ADD | BPF_X, "add", OPERANDS_X, false},
    {BPF_ALU | BPF_SUB | BPF_K, "sub", OPERANDS_K, false},
    {BPF_ALU | BPF_SUB | BPF_X, "sub", OPERANDS_X, false},
    {BPF_ALU | BPF_MUL | BPF_K, "mul", OPERANDS_K, false},
    {BPF_ALU | BPF_MUL | BPF_X, "mul", OPERANDS_X, false},
    {BPF_ALU | BPF_DIV | BPF_K, "div", OPERANDS_K, false},
    {BPF_ALU | BPF_DIV | BPF_X, "div", OPERANDS_X, false},
    {BPF_ALU | BPF_AND | BPF_K, "and", OPERANDS_K, false},
    {BPF_ALU | BPF_AND | BPF_X, "and", OPERANDS_X, false},
    {BPF_ALU | BPF_OR | BPF_K, "or", OPERANDS_K, false},
    {BPF_ALU | BPF_OR | BPF_X, "or", OPERANDS_X, false},
    {BPF_ALU | BPF_XOR | BPF_K, "xor", OPERANDS_K, false},
    {BPF_ALU | BPF_XOR | BPF_X, "xor", OPERANDS_X, false},
    {BPF_ALU | BPF_LSH | BPF_K, "lsh", OPERANDS_K, false},
    {BPF_ALU | BPF_LSH | BPF_X, "lsh", OPERANDS_X, false},
    {BPF_ALU | BPF_RSH | BPF_K, "rsh", OPERANDS_K, false},
    {BPF_ALU | BPF_RSH | BPF_X, "rsh", OPERANDS_X, false},
    {BPF_ALU | BPF_NEG, "neg", OPERANDS_NONE, false},
    {BPF_MISC | BPF_TAX, "tax", OPERANDS_NONE, false},
    {BPF_MISC | BPF_TXA, "txa", OPERANDS_NONE, false},
    {BPF_JMP | BPF_JA, "ja", OPERANDS_JUMP, false},
    {BPF_JMP | BPF_JEQ | BPF_K, "jeq", OPERANDS_K, true},
    {BPF_JMP | BPF_JEQ | BPF_X, "jeq", OPERANDS_X, true},
    {BPF_JMP | BPF_JGT | BPF_K, "jgt", OPERANDS_K, true},
    {BPF_JMP | BPF_JGT | BPF_X, "jgt", OPERANDS_X, true},
    {BPF_JMP | BPF_JGE | BPF_K, "jge", OPERANDS_K, true},
    {BPF_JMP | BPF_JGE | BPF_X, "jge", OPERANDS_X, true},
    {BPF_JMP | BPF_JSET | BPF_K, "jset", OPERANDS_K, true},
    {BPF_JMP | BPF_JSET | BPF_X, "jset", OPERANDS_X, true},
    {BPF_RET | BPF_K, "ret", OPERANDS_K, false},
    {BPF_RET | BPF_A, "ret", OPERANDS_A, false},
};

static const struct mnemonic *find_mnemonic(uint16_t code)
{
    for (size_t i = 0; i < sizeof mnemonics / sizeof mnemonics[0]; i++) {
        if (mnemonics[i].code == code) {
            return &mnemonics[i];
        }
    }
    return NULL;
}

// --- one instruction --------------------------------------------------------------------------------------------------

static void put_bracketed(const struct brig_dsl_sink *sink, const char *before, uint32_t number)
{
    dsl_put(sink, before);
    dsl_put_decimal(sink, number);
    dsl_put(sink, "]");
}

static void put_operands(const struct brig_dsl_sink *sink, const struct mnemonic *mnemonic, uint32_t k)
{
    switch ((enum operands)mnemonic->operands) {
    case OPERANDS_OFFSET:
        put_bracketed(sink, " [", k);
        break;
    case OPERANDS_CELL:
        put_bracketed(sink, " M[", k);
        break;
    case OPERANDS_K:
        dsl_put(sink, " #");
        dsl_put_hex(sink, k);
        break;
    case OPERANDS_X:
        dsl_put(sink, " x");
        break;
    case OPERANDS_A:
        dsl_put(sink, " a");
        break;
    case OPERANDS_LEN:
        dsl_put(sink, " len");
        break;
    case OPERANDS_NONE:
    case OPERANDS_JUMP:
        break;
    }
}

// Writes jump targets: offsets from the next instruction, or absolute ones where `next` is that instruction's index.
static void put_target(const struct brig_dsl_sink *sink, const char *before, uint32_t offset, const uint32_t *next)
{
    dsl_put(sink, before);
    dsl_put(sink, next == NULL ? "+" : "");
    dsl_put_decimal(sink, next == NULL ? (int64_t)offset : (int64_t)*next + offset);
}

static void put_insn(const struct brig_dsl_sink *sink, const struct sock_filter *insn, const uint32_t *next)
{
    const struct mnemonic *mnemonic = find_mnemonic(insn->code);
    if (mnemonic == NULL) {
        dsl_put(sink, ".insn ");
        dsl_put_hex(sink, insn->code);
        put_target(sink, ", ", insn->jt, NULL);
        put_target(sink, ", ", insn->jf, NULL);
        dsl_put(sink, ", #");
        dsl_put_hex(sink, insn->k);
        return;
    }
    dsl_put(sink, mnemonic->name);
    put_operands(sink, mnemonic, insn->k);
    if (mnemonic->operands == OPERANDS_JUMP) {
        put_target(sink, " ", insn->k, next);
    }
    if (mnemonic->is_test) {
        put_target(sink, ", ", insn->jt, next);
        put_target(sink, ", ", insn->jf, next);
    }
}

size_t brig_dsl_disassemble(const struct sock_filter *insn, char *buffer, size_t buffer_bytes)
{
    struct dsl_buffer text = {.text = buffer, .size_bytes = buffer_bytes};
    struct brig_dsl_sink sink = dsl_buffer_sink(&text);
    put_insn(&sink, insn, NULL);
    return text.used_bytes;
}

// --- returned values --------------------------------------------------------------------------------------------------

struct action_name {
    uint32_t action;
    const char *name;
    bool has_data;
};

static const struct action_name action_names[] = {
    {SECCOMP_RET_KILL_PROCESS, "KILL_PROCESS", false}, // first: what unknown actions are
    {SECCOMP_RET_KILL_THREAD, "KILL_THREAD", false},
    {SECCOMP_RET_TRAP, "TRAP", true},
    {SECCOMP_RET_ERRNO, "ERRNO", true},
    {SECCOMP_RET_USER_NOTIF, "USER_NOTIF", false},
    {SECCOMP_RET_TRACE, "TRACE", true},
    {SECCOMP_RET_LOG, "LOG", false},
    {SECCOMP_RET_ALLOW, "ALLOW", false},
};

static void put_ret(const struct brig_dsl_sink *sink, uint32_t ret)
{
    const struct action_name *found = &action_names[0];
    for (size_t i = 0; i < sizeof action_names / sizeof action_names[0]; i++) {
        found = action_names[i].action == (ret & SECCOMP_RET_ACTION_FULL) ? &action_names[i] : found;
    }
    dsl_put(sink, found->name);
    if (found->has_data) {
        dsl_put(sink, "(");
        dsl_put_decimal(sink, ret & SECCOMP_RET_DATA);
        dsl_put(sink, ")");
    }
}

size_t brig_dsl_ret_text(uint32_t ret, char *buffer, size_t buffer_bytes)
{
    struct dsl_buffer text = {.text = buffer, .size_bytes = buffer_bytes};
    struct brig_dsl_sink sink = dsl_buffer_sink(&text);
    put_ret(&sink, ret);
    return text.used_bytes;
}

// --- listings ---------------------------------------------------------------------------------------------------------

enum { DSL_WORD_UNSEEN = 0xff, DSL_WORD_UNKNOWN = 0xfe };

static void arrive(uint8_t *word, uint8_t arriving)
{
    *word = *word == DSL_WORD_UNSEEN || *word == arriving ? arriving : DSL_WORD_UNKNOWN;
}

// Finds the word that the accumulator holds before each instruction. One pass: jumps go forward.
static void follow_words(const struct sock_filter *insns, size_t insn_count, uint8_t *words)
{
    memset(words, DSL_WORD_UNSEEN, insn_count);
    words[0] = DSL_WORD_UNKNOWN;
    for (size_t at = 0; at + 1 < insn_count; at++) {
        const struct sock_filter *insn = &insns[at];
        bool jumps = BPF_CLASS(insn->code) == BPF_JMP;
        if (jumps && BPF_OP(insn->code) == BPF_JA) {
            arrive(&words[at + 1 + insn->k], words[at]);
        } else if (jumps) {
            arrive(&words[at + 1 + insn->jt], words[at]);
            arrive(&words[at + 1 + insn->jf], words[at]);
        } else if (insn->code == (BPF_LD | BPF_W | BPF_ABS)) {
            arrive(&words[at + 1], (uint8_t)(insn->k / 4));
        } else if (insn->code == (BPF_ALU | BPF_AND | BPF_K) && words[at] >= DSL_WORD_ARGUMENTS) {
            arrive(&words[at + 1], words[at]);
        } else if (BPF_CLASS(insn->code) != BPF_RET) {
            arrive(&words[at + 1], DSL_WORD_UNKNOWN);
        }
    }
}

static void put_word(const struct brig_dsl_sink *sink, uint32_t word)
{
    static const char *const names[] = {"nr", "arch", "ip low", "ip high"};
    if (word < DSL_WORD_ARGUMENTS) {
        dsl_put(sink, names[word]);
        return;
    }
    dsl_put(sink, "argument ");
    dsl_put_decimal(sink, (word - DSL_WORD_ARGUMENTS) / 2);
    dsl_put(sink, word % 2 == 0 ? " low" : " high");
}

// Writes what a comparison with nr or arch is about.
static void put_compared(const struct brig_dsl_sink *sink, uint8_t word, uint32_t k, enum brig_dsl_arch arch)
{
    enum brig_dsl_arch compared;
    const char *name = NULL;
    if (word == DSL_WORD_NR) {
        name = brig_dsl_call_name(brig_dsl_call_by_nr(k, arch));
    } else if (word == DSL_WORD_ARCH && brig_dsl_arch_by_audit(k, &compared)) {
        name = brig_dsl_arch_name(compared);
    }
    if (name != NULL) {
        dsl_put(sink, name);
    }
}

static void put_comment(const struct brig_dsl_sink *sink, const struct sock_filter *insn, uint8_t word, enum brig_dsl_arch arch)
{
    char text[64];
    struct dsl_buffer buffer = {.text = text, .size_bytes = sizeof text};
    struct brig_dsl_sink comment = dsl_buffer_sink(&buffer);
    if (insn->code == (BPF_LD | BPF_W | BPF_ABS)) {
        put_word(&comment, insn->k / 4);
    } else if (insn->code == (BPF_RET | BPF_K)) {
        put_ret(&comment, insn->k);
    } else if (BPF_CLASS(insn->code) == BPF_JMP && BPF_OP(insn->code) != BPF_JA && BPF_SRC(insn->code) == BPF_K) {
        put_compared(&comment, word, insn->k, arch);
    }
    if (buffer.used_bytes > 0) {
        dsl_put(sink, "  ; ");
        dsl_put(sink, text);
    }
}

void brig_dsl_list(const struct sock_filter *insns, size_t insn_count, enum brig_dsl_arch arch, const struct brig_dsl_sink *sink)
{
    uint8_t words[BPF_MAXINSNS];
    if (insn_count == 0 || insn_count > BPF_MAXINSNS) {
        return;
    }
    follow_words(insns, insn_count, words);
    for (uint32_t at = 0; at < insn_count; at++) {
        uint32_t next = at + 1;
        dsl_put(sink, at < 10 ? "   " : at < 100 ? "  " : at < 1000 ? " " : "");
        dsl_put_decimal(sink, at);
        dsl_put(sink, ": ");
        put_insn(sink, &insns[at], &next);
        put_comment(sink, &insns[at], words[at], arch);
        dsl_put(sink, "\n");
    }
}
