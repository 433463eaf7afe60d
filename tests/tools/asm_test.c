// Assembler: what the disassembler writes gives the same bytes; what people write means what it says; mistakes are told with their
// place.
#include <string.h>

#include "policies/policies.h"
#include "tests/shim/codes.h"
#include "tests/shim/test.h"
#include "tests/tools/random_program.h"

struct listing {
    size_t bytes;
    char text[BRIG_DSL_ASSEMBLER_BYTES_MAX];
};

static void append(void *context, const char *text, size_t text_bytes)
{
    struct listing *listing = context;
    if (text_bytes <= sizeof listing->text - listing->bytes) {
        memcpy(listing->text + listing->bytes, text, text_bytes);
        listing->bytes += text_bytes;
    }
}

static void check_round_trip(const struct sock_filter *insns, size_t insn_count, enum brig_dsl_arch arch)
{
    static struct listing listing;
    static struct sock_filter again[BPF_MAXINSNS];
    struct brig_dsl_sink sink = {.write = append, .context = &listing};
    struct brig_error error;
    size_t again_count = 0;
    listing.bytes = 0;
    brig_dsl_list(insns, insn_count, arch, &sink);
    CHECK_OK(brig_dsl_assemble((struct brig_dsl_text){listing.text, listing.bytes}, arch, again, &again_count, &error), &error);
    if (CHECK_EQ(again_count, insn_count)) {
        CHECK_BYTES_EQ(again, insns, insn_count * sizeof *insns);
    }
}

TEST(tools, every_policy_is_assembled_again)
{
    static unsigned char memory[BRIG_DSL_ARENA_BYTES];
    for (size_t i = 0; brig_policy_all[i] != NULL; i++) {
        for (int arch = 0; arch < 2 * BRIG_DSL_ARCH_COUNT; arch++) {
            struct brig_dsl_arena arena;
            struct brig_dsl_program program;
            struct brig_error error;
            struct brig_dsl_options options = {
                .arch = (enum brig_dsl_arch)(arch / 2), .self_pid = 1, .notify_fd = 3, .plain = arch % 2 != 0};
            test_message("%s, %s", brig_policy_all[i]->name, brig_dsl_arch_name(options.arch));
            brig_dsl_arena_init(&arena, memory, sizeof memory);
            if (CHECK_OK(brig_dsl_compile(brig_policy_all[i], &options, &arena, &program, &error), &error)) {
                check_round_trip(program.insns, program.insn_count, options.arch);
            }
        }
    }
}

TEST(tools, random_programs_are_assembled_again)
{
    struct random random = {.state = 1};
    struct sock_filter insns[300];
    for (size_t i = 0; i < 3000; i++) {
        size_t insn_count = RANDOM_PROGRAM_LEAST + random_below(&random, i % 10 == 0 ? 290 : 30);
        random_program(&random, insns, insn_count);
        // Fields that an opcode ignores.
        if (i % 3 == 0) {
            struct sock_filter *insn = &insns[random_below(&random, 3)];
            insn->jt = (uint8_t)random_below(&random, 256);
            insn->jf = 7;
        }
        test_message("program %zu", i);
        check_round_trip(insns, insn_count, (enum brig_dsl_arch)(i % BRIG_DSL_ARCH_COUNT));
    }
}

TEST(tools, the_longest_program_is_assembled_again)
{
    static struct sock_filter insns[BPF_MAXINSNS];
    for (size_t i = 0; i + 1 < BPF_MAXINSNS; i++) {
        insns[i] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)(BPF_MAXINSNS - i - 2));
    }
    insns[BPF_MAXINSNS - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0x7fff0000);
    check_round_trip(insns, BPF_MAXINSNS, BRIG_DSL_X86_64);
}

// --- by hand ----------------------------------------------------------------------------------------------------------

static const struct {
    const char *text;
    struct sock_filter insns[6];
    size_t insn_count;
} by_hand[] = {
    {"ret ALLOW", {{0x06, 0, 0, 0x7fff0000}}, 1},
    {"  ret\tERRNO(EPERM) ; denied", {{0x06, 0, 0, 0x00050001}}, 1},
    {"ret TRAP(0x12) // comment\r\n\n", {{0x06, 0, 0, 0x00030012}}, 1},
    {"ret KILL_PROCESS", {{0x06, 0, 0, 0x80000000}}, 1},
    {"ld args[2].hi\nret a", {{0x20, 0, 0, 36}, {0x16, 0, 0, 0}}, 2},
    {"ld nr\njeq SYS_openat, no\nret LOG\nno: ret USER_NOTIF", // one target
     {{0x20, 0, 0, 0}, {0x15, 1, 0, 257}, {0x06, 0, 0, 0x7ffc0000}, {0x06, 0, 0, 0x7fc00000}},
     4},
    {"ld arch\njne AUDIT_ARCH_AARCH64, no\nret LOG\nno: ret #0", // the opposite test
     {{0x20, 0, 0, 4}, {0x15, 0, 1, 0xc00000b7}, {0x06, 0, 0, 0x7ffc0000}, {0x06, 0, 0, 0}},
     4},
    {"ld ip.lo\njlt #5, low, +1\nret #1\nlow: ret #2", // jlt A, B is jge B, A
     {{0x20, 0, 0, 8}, {0x35, 1, 1, 5}, {0x06, 0, 0, 1}, {0x06, 0, 0, 2}},
     4},
    {"ld args[0].lo\nand O_ACCMODE|O_CREAT\nadd -1\ntax\nld len\nret a",
     {{0x20, 0, 0, 16}, {0x54, 0, 0, 0103}, {0x04, 0, 0, 0xffffffff}, {0x07, 0, 0, 0}, {0x80, 0, 0, 0}, {0x16, 0, 0, 0}},
     6},
    {"1:\n2: stx M[15]\n a: b: ld M[15]\njset x, c\nc: .insn 0x06, +3, 4, #0x7",
     {{0x03, 0, 0, 15}, {0x60, 0, 0, 15}, {0x4d, 0, 0, 0}, {0x06, 3, 4, 7}},
     4},
    {"jmp 7\nret #1\n7: neg\nret #0", {{0x05, 0, 0, 1}, {0x06, 0, 0, 1}, {0x84, 0, 0, 0}, {0x06, 0, 0, 0}}, 4},
};

TEST(tools, assembler_by_hand_means_what_it_says)
{
    static struct sock_filter insns[BPF_MAXINSNS];
    for (size_t i = 0; i < COUNT_OF(by_hand); i++) {
        struct brig_error error;
        size_t insn_count = 0;
        struct brig_dsl_text text = {by_hand[i].text, strlen(by_hand[i].text)};
        test_message("%s", by_hand[i].text);
        CHECK_OK(brig_dsl_assemble(text, BRIG_DSL_X86_64, insns, &insn_count, &error), &error);
        if (CHECK_EQ(insn_count, by_hand[i].insn_count)) {
            CHECK_BYTES_EQ(insns, by_hand[i].insns, insn_count * sizeof *insns);
        }
    }
}

// --- mistakes ---------------------------------------------------------------------------------------------------------

static const struct {
    const char *text;
    int line;
    int column;
    const char *says;
    const char *words; // at fault
    const char *closest;
} mistakes[] = {
    {"ret ALLOW\n  jeqq #1, +0", 2, 3, "no instruction has this name", "jeqq", "jeq"},
    {"ld arhc\nret a", 1, 4, "no constant has this name", "arhc", "arch"},
    {"ret ALOW", 1, 5, "no constant has this name", "ALOW", "ALLOW"},
    {"ret ERRNO(EPRM)", 1, 11, "no constant has this name", "EPRM", "EPERM"},
    {"ret ERRNO(65536)", 1, 11, "an action's data has 16 bits", "65536", NULL},
    {"jeq SYS_opnat, +0\nret a", 1, 5, "no such system call", "SYS_opnat", "openat"},
    {"ld #0x100000000\nret a", 1, 5, "does not fit 32 bits", "0x100000000", NULL},
    {"ld\nret a", 1, 1, "ld takes a word", "ld", NULL},
    {"ldx [4]\nret a", 1, 5, "ldx takes M[N]", "[4]", NULL},
    {"tax x", 1, 5, "tax takes no operand", "x", NULL},
    {"ret #1, #2", 1, 1, "ret takes an action", "ret", NULL},
    {"a: a: ret a", 1, 4, "two lines", "a", NULL},
    {"x: ld #1\nja x\nret a", 2, 4, "jumps go forward only", "x", NULL},
    {"jeq #1, 9\nret a", 1, 9, "no line has this label", "9", NULL},
    {"jeq #1, +256\nret a", 1, 9, "too far", "+256", NULL},
    {"jeq #1\nret a", 1, 1, "one target or two", "jeq", NULL},
    {"jeq #1, +0,\nret a", 1, 11, "missing at this comma", ",", NULL},
    {"ld #1 2\nret a", 1, 5, "not a number", "1 2", NULL},
    {"* ret a", 1, 1, "starts with a letter", "*", NULL},
    {".insn 6, 0, 256, 0", 1, 13, "does not fit its field", "256", NULL},
    {".insn 6", 1, 1, "four operands", ".insn", NULL},
    {"a: ld [2] ; x\nret a", 1, 4, "a load across two words of struct seccomp_data", "ld [2]", NULL},
    {"ld [2]\nret a", 1, 1, "across two words", NULL, NULL},
    {"ld [64]\nret a", 1, 1, "outside struct seccomp_data", NULL, NULL},
    {"ld #1\n\nja +7\nret a", 3, 1, "a jump out of the program", NULL, NULL},
    {"ld M[2]\nret a", 1, 1, "a cell is read that was not written", NULL, NULL},
    {"ret a\nneg", 2, 1, "the last instruction is no return", NULL, NULL},
    {"; nothing\n", 1, 1, "1 to 4096 instructions", NULL, NULL},
};

TEST(tools, mistakes_in_assembler_are_told_with_their_place)
{
    static struct sock_filter insns[BPF_MAXINSNS];
    for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
        struct brig_error error = {.code = BRIG_OK};
        size_t insn_count = 0;
        struct brig_dsl_text text = {mistakes[i].text, strlen(mistakes[i].text)};
        test_message("%s", mistakes[i].text);
        if (!CHECK_CODE(brig_dsl_assemble(text, BRIG_DSL_X86_64, insns, &insn_count, &error), BRIG_BAD_ASSEMBLER, &error)) {
            continue;
        }
        CHECK_EQ(error.line, mistakes[i].line);
        CHECK_EQ(error.detail, mistakes[i].column);
        CHECK_CONTAINS(error.step, mistakes[i].says);
        CHECK_STR_EQ(brig_dsl_assembler_closest(&error), mistakes[i].closest);
        if (mistakes[i].words != NULL && CHECK_EQ(error.subject_bytes, strlen(mistakes[i].words))) {
            CHECK_BYTES_EQ(error.subject, mistakes[i].words, error.subject_bytes);
        }
    }
}

TEST(tools, too_much_assembler_is_refused)
{
    static struct sock_filter insns[BPF_MAXINSNS];
    struct brig_error error;
    size_t insn_count;
    static char text[BRIG_DSL_ASSEMBLER_BYTES_MAX + 1];
    size_t bytes = sizeof text;
    for (size_t i = 0; i < bytes; i++) {
        text[i] = "neg\n"[i % 4];
    }
    CHECK_EQ(brig_dsl_assemble((struct brig_dsl_text){text, bytes}, BRIG_DSL_ARM, insns, &insn_count, &error), BRIG_TOO_BIG);
    CHECK_EQ(brig_dsl_assemble((struct brig_dsl_text){text, bytes / 2}, BRIG_DSL_ARM, insns, &insn_count, &error),
             BRIG_BAD_ASSEMBLER);
    CHECK_CONTAINS(error.step, "at most 4096 instructions");
    CHECK_EQ(error.line, 4097);
}
