// Mistakes: what a newcomer writes, and the sentence that must send them the right way.
#include <string.h>

#include "bpf_dsl/bpf_dsl.h"
#include "bpf_dsl/words.h"
#include "tests/bpf_dsl/rules_fixture.h"
#include "tests/shim/test.h"

#define ROWS(...) \
    (const struct brig_dsl_row[]) \
    { \
        __VA_ARGS__, ROWS_END \
    }

static const struct brig_dsl_set slip = CALLS(slip, "two letters swapped", read, wriet);
static const struct brig_dsl_set of_libc = CALLS(of_libc, "libc's name", fstatat);
static const struct brig_dsl_set trailing = CALLS(trailing, "one comma too many", read, write, );

static const struct {
    const struct brig_dsl_row *rows;
    enum brig_dsl_arch arch;
    const char *says;
} mistakes[] = {
    // Names.
    {ROWS(ROW(fcntl, ALLOW, IN(comand, 1))), BRIG_DSL_X86_64, "no such argument: 'comand' (fcntl has fd, cmd, arg)"},
    {ROWS(ROW(fcntl, ALLOW, IN(cmd, F_GETFFL))), BRIG_DSL_X86_64, "'F_GETFFL' (did you mean F_GETFL?)"},
    {ROWS(ROW(read, ALLOW, IN(fd, JOURNAL_FILENO))), BRIG_DSL_X86_64, "go into the policy's .constants, as CONSTANT(name)"},
    {ROWS(ROW(tkill, ALLOW, IN(tid, SELF_TID))), BRIG_DSL_X86_64, "'SELF_TID'; all threads share one filter"},
    {ROWS(ROW(mmap, ALLOW, NO_BITS(flags, MAP_32BIT))), BRIG_DSL_AARCH64, "on this arch: 'MAP_32BIT', aarch64"},
    {ROWS(ROW(SET(slip), ALLOW)), BRIG_DSL_X86_64, "'wriet' (did you mean write?)"},
    {ROWS(ROW(SET(of_libc), ALLOW)), BRIG_DSL_X86_64, "'fstatat' (did you mean newfstatat?)"},
    {ROWS(ROW(SET(trailing), ALLOW)), BRIG_DSL_X86_64, "at character 13 (a value is missing)"},
    // Values.
    {ROWS(ROW(openat, ALLOW, ONLY_BITS(flags, O_RDWR || O_CREAT))), BRIG_DSL_X86_64, "(for the union of bits write |)"},
    {ROWS(ROW(openat, ALLOW, ONLY_BITS(flags, O_RDWR, O_CREAT))), BRIG_DSL_X86_64, "(a value too many; bits are joined with |)"},
    {ROWS(ROW(kill, ALLOW, RANGE(sig, 1))), BRIG_DSL_X86_64, "'1' at character 2 (a value is missing)"},
    {ROWS(ROW(kill, ALLOW, RANGE(sig, 5, 2))), BRIG_DSL_X86_64, "'2': the range ends before it begins"},
    {ROWS(ROW(futex, ALLOW, MASKED(op, 127, 128))), BRIG_DSL_X86_64, "'128': it has bits outside the mask"},
    {ROWS(ROW(read, ALLOW, AT_MOST(count, 4 +))), BRIG_DSL_X86_64, "(a value is missing)"},
    {ROWS(ROW(read, ALLOW, AT_MOST(count, 4 * 1024))), BRIG_DSL_X86_64, "(the operators are | & << + - ~)"},
    {ROWS(ROW(read, ALLOW, AT_MOST(count, 10UL))), BRIG_DSL_X86_64, "(numbers have no suffix here)"},
    {ROWS(ROW(openat, ALLOW, IN(mode, 0888))), BRIG_DSL_X86_64, "(a number that begins with 0 is octal)"},
    {ROWS(ROW(kill, ALLOW, AT_MOST(pid, SELF_PID))), BRIG_DSL_X86_64, "(a run-time value stands alone in IN or NOT_IN, "},
    {ROWS(ROW(openat, ALLOW, IN(flags, 0x100000000))), BRIG_DSL_X86_64, "'0x100000000': this argument has 32 bits here"},
    {ROWS(ROW(openat, ALLOW, AT_MOST(flags, 0xffffffff))), BRIG_DSL_X86_64, "this argument is a signed int"},
    {ROWS(ROW(openat, ALLOW, IN(mode, 0x10000))), BRIG_DSL_X86_64, "the kernel looks at 16 bits of this argument"},
    {ROWS(ROW(read, ALLOW, IN(count, 0xffffffffffffffff))), BRIG_DSL_X86_64, "write it as U64(...)"},
    {ROWS(ROW(read, ALLOW, IN(count, 0x10000000000000000))), BRIG_DSL_X86_64, "it does not fit 64 bits"},
    {ROWS(ROW(read, ALLOW, AT_MOST(count, -1))), BRIG_DSL_X86_64, "'-1': this argument is unsigned: nothing is below 0"},
    // Conditions.
    {ROWS(ROW(openat, ALLOW, IN(pathname, "/etc/passwd"))), BRIG_DSL_X86_64, "'pathname': it is a pointer, "},
    {ROWS(ROW(read, ALLOW, LOW32_IN(buf, 0))), BRIG_DSL_X86_64, "'buf': it is a pointer, "},
    {ROWS(ROW(read, ALLOW, IS_NULL(count))), BRIG_DSL_X86_64, "'count': it is no pointer"},
    {ROWS(ROW(read, ALLOW, LOW32_IN(count, 1))), BRIG_DSL_X86_64, "without LOW32_"},
    {ROWS(ROW(fcntl, ALLOW, IN(cmd, F_SETFL), IN(arg, 0))), BRIG_DSL_X86_64, "use LOW32_IN"},
    {ROWS(ROW(fcntl, ALLOW, LOW32_IN(arg, 0))), BRIG_DSL_X86_64, "'arg'; add a condition on the argument that says what"},
    {ROWS(ROW(openat, ALLOW, RANGE(mode, 0, 0777))), BRIG_DSL_X86_64, "use ONLY_BITS, MASKED or IN"},
    {ROWS(ROW(pread64, ALLOW, AT_MOST(pos, 10))), BRIG_DSL_ARM, "this arch passes it in two registers"},
    {ROWS({.kind = BRIG_DSL_ROW_ELSE,
           .call = BRIG_SYS_fcntl,
           .action = {.verb = BRIG_DSL_CRASH},
           .conditions = (const struct brig_dsl_condition[]){IN(cmd, 1), BRIG_DSL_CONDITIONS_END}}),
     BRIG_DSL_X86_64, "ELSE takes no conditions"},
    // Rows.
    {ROWS(ROW(fcntl, ALLOW, IN(cmd, F_GETFL))), BRIG_DSL_X86_64, "'fcntl'; end the rows of this call with ELSE(call, action)"},
    {ROWS(ROW(read, DENY(4096))), BRIG_DSL_X86_64, "an errno up to 4095"},
    {ROWS(ROW(rseq, REPORT(EPERM))), BRIG_DSL_X86_64, "'rseq'; use ALLOW or DENY(errno)"},
    {ROWS({.call = BRIG_SYS_read, .action = {.verb = BRIG_DSL_ALLOW}}, ROW(write, ALLOW)), BRIG_DSL_X86_64,
     "'row.kind'; write rows with"},
    {ROWS({.kind = BRIG_DSL_ROW_CALL,
           .call = BRIG_SYS_read,
           .action = {.verb = BRIG_DSL_ALLOW},
           .conditions = (const struct brig_dsl_condition[]){{.op = BRIG_DSL_IN, .text = "1"}, BRIG_DSL_CONDITIONS_END}}),
     BRIG_DSL_X86_64, "'condition.argument'"},
};

TEST(mistakes, get_a_sentence_that_helps)
{
    for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
        struct brig_dsl_rules rules;
        struct brig_error error;
        char text[BRIG_ERROR_TEXT_BYTES];
        test_message("%s", mistakes[i].says);
        if (CHECK(fixture_resolve_rows(mistakes[i].rows, mistakes[i].arch, &rules, &error) != BRIG_OK)) {
            CHECK_CONTAINS(brig_error_format(&error, text, sizeof text), mistakes[i].says);
        }
    }
}
