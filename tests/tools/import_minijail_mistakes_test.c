// minijail policies: what every mistake is told, and what is warned of.
#include <stdlib.h>
#include <string.h>

#include "tests/shim/test.h"
#include "tests/tools/minijail_files.h"

#define MAIN "dir/main.policy:1:"

static const struct {
    const char *text;
    const char *error; // all of it
} mistakes[] = {
    {"opeen: 1", MAIN "1: there is no system call 'opeen'; did you mean 'open'?"},
    {"foo_bar_baz: 1", MAIN "1: there is no system call 'foo_bar_baz'"},
    {"waitpid: 1",
     MAIN "1: x86_64 has no system call 'waitpid'; i386 has it (say for which arches the entry is: waitpid[arch=...])"},
    {"kern_features: 1",
     MAIN "1: 'kern_features' is a system call of arches that are not known here (say which: kern_features[arch=...])"},
    {"ARM_set_tls: 1",
     MAIN "1: x86_64 has no system call 'ARM_set_tls'; arm has it (say for which arches the entry is: ARM_set_tls[arch=...])"},
    {"ARM_read: 1", MAIN "1: there is no system call 'ARM_read'"},
    {"open[arch=arm64]: 1", MAIN "1: none of the arches in brackets has a system call 'open'"},
    {"open[arch=sparc,arm64]: 1", MAIN "1: none of the arches in brackets has a system call 'open'"},
    {"read[arch=x86_46]: 1", MAIN "11: there is no arch 'x86_46'; did you mean 'x86_64'?"},
    {"read[arch=]: 1", MAIN "11: expected the name of an arch, not ']'"},
    {"read[Arch=arm]: 1", MAIN "6: expected 'arch', the only thing that is known to stand in brackets, not 'Arch'"},
    {"read[arch arm]: 1", MAIN "11: expected '=', not 'arm'"},
    {"read[arch=arm: 1", MAIN "14: expected ']' for what was opened at 1:5, not ':'"},
    {"stdio@libc: 1", MAIN "1: groups of calls are not known here ('stdio@libc'): minijail has them from its constants.json"},
    {"read 1", MAIN "6: expected ':', not '1'"},
    {"read", MAIN "5: expected ':', not the end of the line"},
    {": 1", MAIN "1: expected the name of a system call, not ':'"},
    {"read:", MAIN "6: expected an action, not the end of the line"},
    {"read: 1 1", MAIN "9: expected the end of the line, not '1'"},
    {"read: 2", MAIN "7: the only number that is an action is 1, which allows"},
    {"read: alow", MAIN "7: there is no action 'alow'; did you mean 'allow'?"},
    {"read: permit", MAIN "7: there is no action 'permit'"},
    {"read: ==", MAIN "7: expected an action, not '=='"},
    {"read: arg6 == 1", MAIN "7: there is no argument 'arg6'; a filter sees arg0 to arg5"},
    {"read: arg == 1", MAIN "7: there is no argument 'arg'; a filter sees arg0 to arg5"},
    {"read: argument0 == 1", MAIN "7: there is no argument 'argument0'; a filter sees arg0 to arg5"},
    {"read: arg0", MAIN "11: expected one of == != < <= > >= & in, not the end of the line"},
    {"read: arg0 = 1", MAIN "12: expected one of == != < <= > >= & in, not '='"},
    {"read: arg0 is 1", MAIN "12: expected one of == != < <= > >= & in, not 'is'"},
    {"read: arg0 ==", MAIN "14: expected a number or a constant, not the end of the line"},
    {"read: arg0 == PROT_REED", MAIN "15: there is no constant 'PROT_REED'; did you mean 'PROT_READ'?"},
    {"read: arg0 == arg1", MAIN "15: there is no constant 'arg1'"},
    {"read: arg0 == 1 &&", MAIN "19: expected arg0 to arg5, not the end of the line"},
    {"read: arg0 == 1 || trap", MAIN "20: expected arg0 to arg5, not 'trap'"},
    {"read: arg0 == 1 | ", MAIN "19: expected a number or a constant, not the end of the line"},
    {"read: arg0 == ~~1", MAIN "16: a complement of a complement is not read by minijail; leave out both '~'"},
    {"read: arg0 == ~", MAIN "16: expected a number or a constant, not the end of the line"},
    {"read: arg0 == (1", MAIN "17: expected ')' for what was opened at 1:15, not the end of the line"},
    {"read: arg0 == (1]", MAIN "17: expected ')' for what was opened at 1:15, not ']'"},
    {"read: arg0 == ()", MAIN "16: expected a number or a constant, not ')'"},
    {"read: arg0 == 089", MAIN "15: '089' is no decimal, octal or hexadecimal number"},
    {"read: arg0 == 1k", MAIN "15: '1k' is no decimal, octal or hexadecimal number"},
    {"read: arg0 == 0x", MAIN "15: '0x' is no decimal, octal or hexadecimal number"},
    {"read: arg0 == 18446744073709551616", MAIN "15: '18446744073709551616' does not fit in 64 bits"},
    {"read: arg0 == -9223372036854775809",
     MAIN "15: '-9223372036854775809' does not fit in a register of x86_64, which has 64 bits"},
    {"read: arg0 == 111111111111111111111111111111111111",
     MAIN "15: '111111111111111111111111111111111111' does not fit in 64 bits"},
    {"read: (arg0 == 1)", MAIN "7: expected arg0 to arg5 (only values have parentheses), not '('"},
    {"read: !arg0", MAIN "7: expected arg0 to arg5 (only values have parentheses), not '!'"},
    {"read: arg0 == 1; return ENOPERM", MAIN "25: there is no constant 'ENOPERM'; did you mean 'ENOMEM'?"},
    {"read: arg0 == 1; return 4096", MAIN "25: an errno is a number from 0 to 4095"},
    {"read: arg0 == 1; return -1", MAIN "25: an errno is a number from 0 to 4095"},
    {"read: arg0 == 1; arg0 == 2", MAIN "18: there is no action 'arg0'"},
    {"read: return EPERM; return EPERM", MAIN "19: expected the end of the line, not ';'"},
    {"read: { 1", MAIN "10: expected '}' for what was opened at 1:7, not the end of the line"},
    {"read: { 1, 1 }", MAIN "12: nothing comes this far: 1:9 has decided already"},
    {"read: { allow, arg0 == 1 }", MAIN "16: nothing comes this far: 1:9 has decided already"},
    {"read: {}", MAIN "8: expected an action, not '}'"},
    {"{read, read}: 1", MAIN "8: 'read' stands twice in front of one colon"},
    {"{read write}: 1", MAIN "7: expected '}' for what was opened at 1:1, not 'write'"},
    {"{}: 1", MAIN "2: expected the name of a system call, not '}'"},
    {"{read: 1", MAIN "6: expected '}' for what was opened at 1:1, not ':'"},
    {"-1: 1", MAIN "1: x86_64 has no system call of number -1"},
    {"99999: 1", MAIN "1: x86_64 has no system call of number 99999"},
    {"08: 1", MAIN "1: '08' is no decimal, octal or hexadecimal number"},
    {"read: 1 \\ x", MAIN "9: '\\' continues an entry only where it is the last in its line"},
    {"read: $", MAIN "7: '$' has no meaning here"},
    {"read: 1 @default", MAIN "9: expected the end of the line, not '@default'"},
    {"@default", MAIN "9: expected an action, not the end of the line"},
    {"@default log", MAIN "10: 'log' is no default; known are kill, kill-process, kill-thread, trap, user-notify"},
    {"@default allow", MAIN "10: 'allow' is no default; known are kill, kill-process, kill-thread, trap, user-notify"},
    {"@default return EPERM", MAIN "10: 'return' is no default; known are kill, kill-process, kill-thread, trap, user-notify"},
    {"@default kil",
     MAIN "10: 'kil' is no default; known are kill, kill-process, kill-thread, trap, user-notify; did you mean 'kill'?"},
    {"@defaults kill", MAIN "1: there is no directive '@defaults'; did you mean '@default'?"},
    {"@foo", MAIN "1: there is no directive '@foo'"},
    {"@denylist x", MAIN "11: expected the end of the line, not 'x'"},
    {"@include", MAIN "9: expected a path, not the end of the line"},
    {"@include base.policy", MAIN "10: a path starts with / or ./, as in './base.policy'"},
    {"@include ../base.policy", MAIN "10: a path starts with / or ./, as in './../base.policy'"},
    {"@include ./missing.policy", MAIN "10: cannot read 'dir/missing.policy': No such file or directory"},
    {"@include ./outer.policy",
     "dir/wrong.policy:2:3: there is no system call 'opeen' (from dir/outer.policy:1, dir/main.policy:1); did you mean 'open'?"},
    {"@include ./self.policy", "dir/self.policy:1:10: 'dir/self.policy' includes itself (from dir/main.policy:1)"},
    {"@include ./turn.policy",
     "dir/turned.policy:2:11: 'dir/turn.policy' includes itself (from dir/turn.policy:1, dir/main.policy:1)"},
    {"@include ./1.policy",
     "dir/9.policy:1:10: more than 10 files lie in one another (from dir/8.policy:1, dir/7.policy:1, dir/6.policy:1, dir/5.policy:1, dir/4.policy:1, dir/3.policy:1, dir/2.policy:1, dir/1.policy:1, dir/main.policy:1)"},
    {"@include ./deny.policy",
     "dir/deny.policy:1:1: a policy that is no denylist includes this one, which is (from dir/main.policy:1)"},
    {"@frequency ./big.frequency",
     "dir/big.frequency:2:7: the calls of 'read' add up to more than 64 bits hold (from dir/main.policy:1)"},
    {"@frequency ./minus.frequency", "dir/minus.frequency:1:7: expected a number of calls, not '-1' (from dir/main.policy:1)"},
    {"@frequency ./bare.frequency", "dir/bare.frequency:1:5: expected ':', not the end of the line (from dir/main.policy:1)"},
    {"@frequency ./unknown.frequency",
     "dir/unknown.frequency:1:1: there is no system call 'reed' (from dir/main.policy:1); did you mean 'read'?"},
    {"read: 1\nread: 1", "dir/main.policy:2:1: 'read' has an entry in dir/main.policy:1 already, which decides everything"},
    {"read: arg0 == 1; return EPERM\n\nread: 1",
     "dir/main.policy:3:1: 'read' has an entry in dir/main.policy:1 already, which decides everything"},
    {"{read,write}: 1\n@include ./base.policy",
     "dir/base.policy:1:1: 'read' has an entry in dir/main.policy:1 already, which decides everything (from dir/main.policy:2)"},
    {"read: \xff", MAIN "7: a policy is a text, and this is the byte 0xff"},
    {"# a \\\nread: 1",
     MAIN "5: a comment that ends in '\\' makes a comment of the next line for minijail0, and not for compile_seccomp_policy"},
    {"read: 1 \\", MAIN "9: '\\' continues an entry only where it is the last in its line"},
    {"read: arg0 == 1 || \\\n", "dir/main.policy:2:1: the text ends where the line before it has an entry go on"},
    {"read: 1\n@denylist", "dir/main.policy:2:1: @denylist stands before all entries and includes"},
    {"@default kill\n@denylist",
     "dir/main.policy:2:1: a denylist allows what it does not list; it has no @default (dir/main.policy:1)"},
    {"@denylist\n@default kill", "dir/main.policy:2:1: a denylist allows what it does not list; it has no @default"},
    {"@denylist\nread: 1", "dir/main.policy:2:7: expected 'return', which is all that a denylist does, not '1'"},
    {"@denylist\nread: kill", "dir/main.policy:2:7: expected 'return', which is all that a denylist does, not 'kill'"},
    {"@denylist\nread: return", "dir/main.policy:2:13: expected a number or a constant, not the end of the line"},
    {"@denylist\n@include ./base.policy",
     "dir/base.policy:1:1: a denylist includes this policy, which has to say @denylist as well (from dir/main.policy:2)"},
    {"write: 1\nread: arg0 == ((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))",
     "dir/main.policy:2:47: parentheses are nested more than 32 deep"},
    {"a\rb: 1", MAIN "2: a policy is a text, and this is the byte 0x0d"},
};

TEST(minijail, mistakes_are_told)
{
    for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
        struct import_policies policies;
        struct import_error error;
        char text[IMPORT_ERROR_TEXT_BYTES];
        test_message("row %zu: %s", i, mistakes[i].text);
        if (import_text(mistakes[i].text, BRIG_DSL_X86_64, &policies, &error)) {
            CHECK_STR_EQ("read", mistakes[i].error);
            import_free(&policies);
        } else {
            CHECK_STR_EQ(import_error_format(&error, text, sizeof text), mistakes[i].error);
        }
    }
}

TEST(minijail, policies_name_no_files_without_a_reader)
{
    static const char text[] = "@include ./base.policy";
    struct import_source source = {.name = "main.policy", .text = text, .text_bytes = sizeof text - 1};
    struct import_policies policies;
    struct import_error error;
    char line[IMPORT_ERROR_TEXT_BYTES];
    REQUIRE(!import_minijail(&source, &(struct import_options){.reader = NULL}, &policies, &error));
    CHECK_STR_EQ(import_error_format(&error, line, sizeof line),
                 "main.policy:1:10: 'base.policy' cannot be read: this text may name no files");
}

// Returns: `entry` followed by `more`, `count` times; the caller frees it.
static char *repeat(const char *entry, const char *more, size_t count)
{
    size_t entry_bytes = strlen(entry);
    size_t more_bytes = strlen(more);
    char *text = calloc(1, entry_bytes + count * more_bytes + 1);
    if (text != NULL) {
        memcpy(text, entry, entry_bytes);
        for (size_t i = 0; i < count; i++) {
            memcpy(text + entry_bytes + i * more_bytes, more, more_bytes);
        }
    }
    return text;
}

TEST(minijail, policies_are_bounded)
{
    static const struct {
        const char *entry;
        const char *more;
        size_t count;
        const char *error;
    } rows[] = {
        {"read: arg0 == 1", "||arg0==1", 101000, "the calls have more than 100000 alternatives all together"},
        {"read: arg0 == 1", "&&arg0==1", 1000, "more than 1000 conditions are joined by &&"},
        {"", "@include ./kill.policy\n", 1000, "more than 1000 files are read"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct import_policies policies;
        struct import_error error;
        char *text = repeat(rows[i].entry, rows[i].more, rows[i].count);
        REQUIRE(text != NULL);
        CHECK(!import_text(text, BRIG_DSL_X86_64, &policies, &error));
        CHECK_STR_EQ(error.text, rows[i].error);
        free(text);
    }
}

TEST(minijail, warnings_are_told)
{
    static const struct {
        const char *text;
        int line;
        const char *warning;
    } rows[] = {
        {"\nopen: arg1 & O_RDONLY || arg1 == O_WRONLY", 2, "'arg1 & 0' never holds on x86_64"},
        {"read: arg0 <= -1", 1, "'arg0 <= ~0' always holds on x86_64"},
        {"read: arg0 == 1\nread: arg0 == 2", 2,
         "'read' has an entry in dir/main.policy:1 already; this one counts where that one does not decide (minijail0 would "
         "refuse it)"},
        {"read: arg0 == 1; trap", 1,
         "'trap' is done where the condition holds, as compile_seccomp_policy has it (only 'return' is for where it does not); "
         "braces make that plain: { ...; trap }"},
        {"@default trap\n@default kill", 2, "replaces the @default of dir/main.policy:1"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct import_policies policies;
        struct import_error error;
        test_message("row %zu: %s", i, rows[i].text);
        REQUIRE(import_text(rows[i].text, BRIG_DSL_X86_64, &policies, &error));
        if (CHECK_EQ(policies.warning_count, 1)) {
            CHECK_STR_EQ(policies.warnings[0].text, rows[i].warning);
            CHECK_STR_EQ(policies.warnings[0].file, "dir/main.policy");
            CHECK_EQ(policies.warnings[0].line, rows[i].line);
        }
        import_free(&policies);
    }
}
