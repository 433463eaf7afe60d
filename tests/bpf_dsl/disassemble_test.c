// Text of instructions, returned values and listings.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>

#include "bpf_dsl/program.h"
#include "bpf_dsl/text.h"
#include "tests/shim/test.h"

TEST(disassemble, each_opcode_has_its_text)
{
    static const struct {
        struct sock_filter insn;
        const char *text;
    } rows[] = {
        {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 16}, "ld [16]"},
        {{BPF_LD | BPF_W | BPF_LEN, 0, 0, 0}, "ld len"},
        {{BPF_LDX | BPF_W | BPF_LEN, 0, 0, 0}, "ldx len"},
        {{BPF_IMM, 0, 0, 255}, "ld #0xff"},
        {{BPF_LDX | BPF_IMM, 0, 0, 1}, "ldx #0x1"},
        {{BPF_LD | BPF_MEM, 0, 0, 3}, "ld M[3]"},
        {{BPF_LDX | BPF_MEM, 0, 0, 3}, "ldx M[3]"},
        {{BPF_ST, 0, 0, 15}, "st M[15]"},
        {{BPF_STX, 0, 0, 15}, "stx M[15]"},
        {{BPF_ALU | BPF_ADD, 0, 0, 1}, "add #0x1"},
        {{BPF_ALU | BPF_SUB | BPF_X, 0, 0, 0}, "sub x"},
        {{BPF_ALU | BPF_MUL | BPF_K, 0, 0, 2}, "mul #0x2"},
        {{BPF_ALU | BPF_DIV | BPF_X, 0, 0, 0}, "div x"},
        {{BPF_ALU | BPF_AND | BPF_K, 0, 0, 0x7f}, "and #0x7f"},
        {{BPF_ALU | BPF_OR | BPF_X, 0, 0, 0}, "or x"},
        {{BPF_ALU | BPF_XOR | BPF_K, 0, 0, 3}, "xor #0x3"},
        {{BPF_ALU | BPF_LSH | BPF_X, 0, 0, 0}, "lsh x"},
        {{BPF_ALU | BPF_RSH | BPF_K, 0, 0, 31}, "rsh #0x1f"},
        {{BPF_ALU | BPF_NEG, 0, 0, 0}, "neg"},
        {{BPF_MISC | BPF_TAX, 0, 0, 0}, "tax"},
        {{BPF_MISC | BPF_TXA, 0, 0, 0}, "txa"},
        {{BPF_JMP | BPF_JA, 0, 0, 12}, "ja +12"},
        {{BPF_JMP | BPF_JEQ | BPF_K, 2, 0, 3}, "jeq #0x3, +2, +0"},
        {{BPF_JMP | BPF_JGT | BPF_X, 0, 255, 0}, "jgt x, +0, +255"},
        {{BPF_JMP | BPF_JGE | BPF_K, 1, 2, 0xffffffff}, "jge #0xffffffff, +1, +2"},
        {{BPF_JMP | BPF_JSET | BPF_K, 1, 0, 8}, "jset #0x8, +1, +0"},
        {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}, "ret #0x7fff0000"},
        {{BPF_RET | BPF_A, 0, 0, 0}, "ret a"},
        {{BPF_LD | BPF_H | BPF_ABS, 1, 2, 4}, ".insn 0x28, +1, +2, #0x4"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[64];
        size_t bytes = brig_dsl_disassemble(&rows[i].insn, text, sizeof text);
        CHECK_STR_EQ(text, rows[i].text);
        CHECK_EQ(bytes, strlen(rows[i].text));
    }
    char small[4];
    CHECK_EQ(brig_dsl_disassemble(&rows[0].insn, small, sizeof small), 3u);
    CHECK_STR_EQ(small, "ld ");
}

TEST(disassemble, returned_values)
{
    static const struct {
        uint32_t ret;
        const char *text;
    } rows[] = {
        {SECCOMP_RET_ALLOW, "ALLOW"},
        {SECCOMP_RET_ERRNO | 13, "ERRNO(13)"},
        {SECCOMP_RET_TRAP | 4, "TRAP(4)"},
        {SECCOMP_RET_TRACE | 0xffff, "TRACE(65535)"},
        {SECCOMP_RET_LOG, "LOG"},
        {SECCOMP_RET_USER_NOTIF, "USER_NOTIF"},
        {SECCOMP_RET_KILL_PROCESS, "KILL_PROCESS"},
        {SECCOMP_RET_KILL_THREAD, "KILL_THREAD"},
        {0x12340000, "KILL_PROCESS"},
        {0x7ffb0000, "KILL_PROCESS"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[24];
        CHECK_EQ(brig_dsl_ret_text(rows[i].ret, text, sizeof text), strlen(rows[i].text));
        CHECK_STR_EQ(text, rows[i].text);
    }
}

TEST(disassemble, listings_have_targets_and_comments)
{
    static const struct sock_filter insns[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, 4},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 6, 0xc000003e},
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, 0},
        {BPF_JMP | BPF_JGE | BPF_K, 1, 0, 59},
        {BPF_JMP | BPF_JA, 0, 0, 3},
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, 28},
        // Here A is the high half of argument 1, whichever number it is compared with.
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 59},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | 1},
    };
    char text[1024];
    struct dsl_buffer buffer = {.text = text, .size_bytes = sizeof text};
    struct brig_dsl_sink sink = dsl_buffer_sink(&buffer);
    brig_dsl_list(insns, COUNT_OF(insns), BRIG_DSL_X86_64, &sink);
    CHECK_STR_EQ(text, "   0: ld [4]  ; arch\n"
                       "   1: jeq #0xc000003e, 2, 8  ; x86_64\n"
                       "   2: ld [0]  ; nr\n"
                       "   3: jge #0x3b, 5, 4  ; execve\n"
                       "   4: ja 8\n"
                       "   5: ld [28]  ; argument 1 high\n"
                       "   6: jeq #0x3b, 7, 8\n"
                       "   7: ret #0x7fff0000  ; ALLOW\n"
                       "   8: ret #0x50001  ; ERRNO(1)\n");
}

// Calls have the names of the arch whose calls come by; where several do, those of the one that was asked for.
TEST(disassemble, listings_of_several_arches)
{
    static const struct sock_filter insns[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, 4},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 0x40000003},
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, 0},
        {BPF_JMP | BPF_JEQ | BPF_K, 6, 0, 20},
        {BPF_JMP | BPF_JA, 0, 0, 3},
        {BPF_JMP | BPF_JGT | BPF_K, 4, 0, 0xc000003e},
        {BPF_JMP | BPF_JGE | BPF_K, 0, 3, 0xc000003e},
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, 0},
        {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 39},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | 1},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    static const struct {
        enum brig_dsl_arch arch;
        const char *shared; // 39 is asked of both arches: what i386 calls mkdir
    } rows[] = {{BRIG_DSL_X86_64, "getpid"}, {BRIG_DSL_I386, "mkdir"}, {BRIG_DSL_ARM, "getpid"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[1024];
        char line[64];
        struct dsl_buffer buffer = {.text = text, .size_bytes = sizeof text};
        struct brig_dsl_sink sink = dsl_buffer_sink(&buffer);
        brig_dsl_list(insns, COUNT_OF(insns), rows[i].arch, &sink);
        CHECK_CONTAINS(text, "   3: jeq #0x14, 10, 4  ; getpid\n"); // i386's
        CHECK_CONTAINS(text, "   5: jgt #0xc000003e, 10, 6  ; x86_64\n");
        snprintf(line, sizeof line, "   8: jeq #0x27, 10, 9  ; %s\n", rows[i].shared);
        CHECK_CONTAINS(text, line);
    }
}
