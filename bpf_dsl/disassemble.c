// disassemble: instructions as text.
//
// Takes: instructions, valid or not. Gives: one line of assembler each, in the syntax of the kernel's bpf_asm; in a listing jumps
// name the index of their target, and a comment says what is loaded, compared or returned. Guarantees: every opcode that the kernel
// accepts has its own text, and brig_dsl_assemble makes the same bytes of it; an instruction with something in a field that its
// opcode ignores is written as `.insn OPCODE, +JT, +JF, #K`. Weaknesses: the comments follow what the accumulator holds through the
// program, and say nothing where paths disagree.
#include <linux/seccomp.h>
#include <string.h>

#include "bpf_dsl/decisions.h"
#include "bpf_dsl/mnemonics.h"
#include "bpf_dsl/program.h"
#include "bpf_dsl/text.h"

static bool uses_k(const struct dsl_mnemonic *mnemonic)
{
    switch ((enum dsl_operands)mnemonic->operands) {
    case DSL_OPERANDS_OFFSET:
    case DSL_OPERANDS_K:
    case DSL_OPERANDS_CELL:
    case DSL_OPERANDS_JUMP:
        return true;
    default:
        return false;
    }
}

// Returns: how `insn` is written, or NULL for an unknown opcode and for one with something in a field that it does not use, which
// its name would not tell.
static const struct dsl_mnemonic *find_mnemonic(const struct sock_filter *insn)
{
    for (size_t i = 0; i < DSL_MNEMONIC_COUNT; i++) {
        const struct dsl_mnemonic *found = &dsl_mnemonics[i];
        if (found->code == insn->code) {
            bool has_rest = (!uses_k(found) && insn->k != 0) || (!found->is_test && (insn->jt | insn->jf) != 0);
            return has_rest ? NULL : found;
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

static void put_operands(const struct brig_dsl_sink *sink, const struct dsl_mnemonic *mnemonic, uint32_t k)
{
    switch ((enum dsl_operands)mnemonic->operands) {
    case DSL_OPERANDS_OFFSET:
        put_bracketed(sink, " [", k);
        break;
    case DSL_OPERANDS_CELL:
        put_bracketed(sink, " M[", k);
        break;
    case DSL_OPERANDS_K:
        dsl_put(sink, " #");
        dsl_put_hex(sink, k);
        break;
    case DSL_OPERANDS_X:
        dsl_put(sink, " x");
        break;
    case DSL_OPERANDS_A:
        dsl_put(sink, " a");
        break;
    case DSL_OPERANDS_LEN:
        dsl_put(sink, " len");
        break;
    case DSL_OPERANDS_NONE:
    case DSL_OPERANDS_JUMP:
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
    const struct dsl_mnemonic *mnemonic = find_mnemonic(insn);
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
    if (mnemonic->operands == DSL_OPERANDS_JUMP) {
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

static void put_ret(const struct brig_dsl_sink *sink, uint32_t ret)
{
    const struct dsl_action_name *found = &dsl_action_names[0];
    for (size_t i = 0; i < DSL_ACTION_NAME_COUNT; i++) {
        found = dsl_action_names[i].action == (ret & SECCOMP_RET_ACTION_FULL) ? &dsl_action_names[i] : found;
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
#define ALL_ARCHES ((1u << BRIG_DSL_ARCH_COUNT) - 1)

// What is known before an instruction.
struct known {
    uint8_t word;   // that the accumulator holds
    uint8_t arches; // bit of each arch whose calls can come by
};

static void arrive(struct known *known, uint8_t word, uint8_t arches)
{
    known->word = known->word == DSL_WORD_UNSEEN || known->word == word ? word : DSL_WORD_UNKNOWN;
    known->arches |= arches;
}

static bool holds_for(const struct sock_filter *insn, uint32_t value)
{
    switch (BPF_OP(insn->code)) {
    case BPF_JEQ:
        return value == insn->k;
    case BPF_JGT:
        return value > insn->k;
    case BPF_JGE:
        return value >= insn->k;
    default: // JSET
        return (value & insn->k) != 0;
    }
}

// Goes both ways of a test; a test of the arch sends each arch one way only.
static void follow_test(const struct sock_filter *insn, const struct known *from, struct known *yes, struct known *no)
{
    uint8_t holding = 0;
    uint8_t failing = 0;
    bool is_sorting = from->word == DSL_WORD_ARCH && BPF_SRC(insn->code) == BPF_K;
    for (int arch = 0; arch < BRIG_DSL_ARCH_COUNT; arch++) {
        uint8_t bit = (uint8_t)(from->arches & 1u << arch);
        bool holds = holds_for(insn, brig_dsl_arch_audit((enum brig_dsl_arch)arch));
        holding |= !is_sorting || holds ? bit : 0;
        failing |= !is_sorting || !holds ? bit : 0;
    }
    arrive(yes, from->word, holding);
    arrive(no, from->word, failing);
}

// Finds out what is known before each instruction. One pass: jumps go forward.
static void follow_insns(const struct sock_filter *insns, size_t insn_count, struct known *known)
{
    for (size_t at = 0; at < insn_count; at++) {
        known[at] = (struct known){DSL_WORD_UNSEEN, 0};
    }
    known[0] = (struct known){DSL_WORD_UNKNOWN, ALL_ARCHES};
    for (size_t at = 0; at + 1 < insn_count; at++) {
        const struct sock_filter *insn = &insns[at];
        struct known *next = &known[at + 1];
        bool jumps = BPF_CLASS(insn->code) == BPF_JMP;
        if (jumps && BPF_OP(insn->code) == BPF_JA) {
            arrive(next + insn->k, known[at].word, known[at].arches);
        } else if (jumps) {
            follow_test(insn, &known[at], next + insn->jt, next + insn->jf);
        } else if (insn->code == (BPF_LD | BPF_W | BPF_ABS)) {
            arrive(next, (uint8_t)(insn->k / 4), known[at].arches);
        } else if (insn->code == (BPF_ALU | BPF_AND | BPF_K) && known[at].word >= DSL_WORD_ARGUMENTS) {
            arrive(next, known[at].word, known[at].arches);
        } else if (BPF_CLASS(insn->code) != BPF_RET) {
            arrive(next, DSL_WORD_UNKNOWN, known[at].arches);
        }
    }
}

// The arch whose names fit: `wanted` if its calls come by, else the first whose do.
static enum brig_dsl_arch arch_here(const struct known *known, enum brig_dsl_arch wanted)
{
    bool is_elsewhere = known->arches != 0 && (unsigned)wanted < BRIG_DSL_ARCH_COUNT && (known->arches & 1u << wanted) == 0;
    return is_elsewhere ? (enum brig_dsl_arch)__builtin_ctz(known->arches) : wanted;
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
static void put_compared(const struct brig_dsl_sink *sink, const struct known *known, uint32_t k, enum brig_dsl_arch arch)
{
    enum brig_dsl_arch compared;
    const char *name = NULL;
    if (known->word == DSL_WORD_NR) {
        name = brig_dsl_call_name(brig_dsl_call_by_nr(k, arch_here(known, arch)));
    } else if (known->word == DSL_WORD_ARCH && brig_dsl_arch_by_audit(k, &compared)) {
        name = brig_dsl_arch_name(compared);
    }
    if (name != NULL) {
        dsl_put(sink, name);
    }
}

static void put_comment(const struct brig_dsl_sink *sink, const struct sock_filter *insn, const struct known *known,
                        enum brig_dsl_arch arch)
{
    char text[64];
    struct dsl_buffer buffer = {.text = text, .size_bytes = sizeof text};
    struct brig_dsl_sink comment = dsl_buffer_sink(&buffer);
    if (insn->code == (BPF_LD | BPF_W | BPF_ABS)) {
        put_word(&comment, insn->k / 4);
    } else if (insn->code == (BPF_RET | BPF_K)) {
        put_ret(&comment, insn->k);
    } else if (BPF_CLASS(insn->code) == BPF_JMP && BPF_OP(insn->code) != BPF_JA && BPF_SRC(insn->code) == BPF_K) {
        put_compared(&comment, known, insn->k, arch);
    }
    if (buffer.used_bytes > 0) {
        dsl_put(sink, "  ; ");
        dsl_put(sink, text);
    }
}

void brig_dsl_list(const struct sock_filter *insns, size_t insn_count, enum brig_dsl_arch arch, const struct brig_dsl_sink *sink)
{
    struct known known[BPF_MAXINSNS];
    if (insn_count == 0 || insn_count > BPF_MAXINSNS) {
        return;
    }
    follow_insns(insns, insn_count, known);
    for (uint32_t at = 0; at < insn_count; at++) {
        uint32_t next = at + 1;
        dsl_put(sink, at < 10 ? "   " : at < 100 ? "  " : at < 1000 ? " " : "");
        dsl_put_decimal(sink, at);
        dsl_put(sink, ": ");
        put_insn(sink, &insns[at], &next);
        put_comment(sink, &insns[at], &known[at], arch);
        dsl_put(sink, "\n");
    }
}
