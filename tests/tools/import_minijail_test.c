// minijail policies: what each construct decides, through the compiler; what every mistake is told; what is warned of.
#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "bpf_dsl/program.h"
#include "tests/shim/codes.h"
#include "tests/shim/test.h"
#include "tools/import/import.h"

#define ALLOW SECCOMP_RET_ALLOW
#define KILL SECCOMP_RET_KILL_PROCESS
#define DENY(code) (SECCOMP_RET_ERRNO | (code))
#define HIGH 0x100000000u
#define NO_BITS_LEFT UINT64_MAX

// --- files ------------------------------------------------------------------------------------------------------------

static const struct {
    const char *path;
    const char *text;
} files[] = {
    {"dir/base.policy", "read: 1\n@include ./deeper/more.policy\n"},
    {"dir/deeper/more.policy", "write: arg0 == 1\n"},
    {"/etc/all.policy", "close: 1"},
    {"dir/self.policy", "@include ./self.policy\n"},
    {"dir/turn.policy", "@include ./turned.policy\n"},
    {"dir/turned.policy", "\n @include ./turn.policy\n"},
    {"dir/wrong.policy", "# two\n  opeen: 1\n"},
    {"dir/outer.policy", "@include ./wrong.policy"},
    {"dir/deny.policy", "@denylist\nread: return EPERM\n"},
    {"dir/kill.policy", "@default kill-thread\n"},
    {"dir/1.policy", "@include ./2.policy"},
    {"dir/2.policy", "@include ./3.policy"},
    {"dir/3.policy", "@include ./4.policy"},
    {"dir/4.policy", "@include ./5.policy"},
    {"dir/5.policy", "@include ./6.policy"},
    {"dir/6.policy", "@include ./7.policy"},
    {"dir/7.policy", "@include ./8.policy"},
    {"dir/8.policy", "@include ./9.policy"},
    {"dir/9.policy", "@include ./10.policy"},
    {"dir/calls.frequency", "# seen\nread: 100\nwrite : 0x10\nclose[arch=arm]: 7\ngetpid: 2\nread: 1\nmmap: 0\n"},
    {"dir/big.frequency", "read: 0xffffffffffffffff\nread: 1\n"},
    {"dir/minus.frequency", "read: -1\n"},
    {"dir/bare.frequency", "read\n"},
    {"dir/unknown.frequency", "reed: 1\n"},
};

static int read_file(void *context, const char *path, char **ret_text, size_t *ret_text_bytes)
{
    (void)context;
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        if (strcmp(files[i].path, path) == 0) {
            *ret_text = strdup(files[i].text);
            *ret_text_bytes = strlen(files[i].text);
            return 0;
        }
    }
    return ENOENT;
}

static bool import_text(const char *text, enum brig_dsl_arch arch, struct import_policies *ret_policies,
                        struct import_error *reterr)
{
    static const struct import_reader reader = {.read = read_file};
    struct import_source source = {.name = "dir/main.policy", .text = text, .text_bytes = strlen(text)};
    struct import_options options = {.arches = &arch, .arch_count = 1, .reader = &reader};
    return import_minijail(&source, &options, ret_policies, reterr);
}

// --- decisions --------------------------------------------------------------------------------------------------------

static const struct decision {
    const char *text;
    enum brig_dsl_arch arch;
    const char *call;
    uint64_t args[3];
    uint32_t ret;
} decisions[] = {
    // What is allowed, and what is not there.
    {"read: 1", BRIG_DSL_X86_64, "read", {7, 8, 9}, ALLOW},
    {"read: 1", BRIG_DSL_X86_64, "write", {0}, KILL},
    {"read: 0x1", BRIG_DSL_AARCH64, "read", {0}, ALLOW},
    {"read: allow", BRIG_DSL_RISCV64, "read", {0}, ALLOW},
    {"", BRIG_DSL_X86_64, "read", {0}, KILL},
    {"0: 1", BRIG_DSL_X86_64, "read", {0}, ALLOW},
    {"63[arch=arm64]: 1", BRIG_DSL_AARCH64, "read", {0}, ALLOW},
    {"9999[arch=arm64]: 1\nread: 1", BRIG_DSL_X86_64, "read", {0}, ALLOW},
    {"kill: 1", BRIG_DSL_X86_64, "kill", {0}, ALLOW},
    // Comparisons are unsigned and of all of the register.
    {"read: arg0 == 5", BRIG_DSL_X86_64, "read", {5}, ALLOW},
    {"read: arg0 == 5", BRIG_DSL_X86_64, "read", {HIGH + 5}, KILL},
    {"read: arg0 != 5", BRIG_DSL_X86_64, "read", {5}, KILL},
    {"read: arg0 != 5", BRIG_DSL_X86_64, "read", {HIGH + 5}, ALLOW},
    {"read: arg0 != 5 && arg1 == 1 && arg0 != 6 && arg1 != 5", BRIG_DSL_X86_64, "read", {7, 1}, ALLOW},
    {"read: arg0 != 5 && arg1 == 1 && arg0 != 6 && arg1 != 5", BRIG_DSL_X86_64, "read", {6, 1}, KILL},
    {"read: arg0 != 5 && arg1 == 1 && arg0 != 6 && arg1 != 5", BRIG_DSL_X86_64, "read", {7, 5}, KILL},
    {"read: arg0 < 5", BRIG_DSL_X86_64, "read", {4}, ALLOW},
    {"read: arg0 < 5", BRIG_DSL_X86_64, "read", {5}, KILL},
    {"read: arg0 < 5", BRIG_DSL_X86_64, "read", {UINT64_MAX}, KILL},
    {"read: arg0 <= 5", BRIG_DSL_X86_64, "read", {5}, ALLOW},
    {"read: arg0 <= 5", BRIG_DSL_X86_64, "read", {6}, KILL},
    {"read: arg0 > 5", BRIG_DSL_X86_64, "read", {5}, KILL},
    {"read: arg0 > 5", BRIG_DSL_X86_64, "read", {6}, ALLOW},
    {"read: arg0 > 5", BRIG_DSL_X86_64, "read", {HIGH}, ALLOW},
    {"read: arg0 >= 5", BRIG_DSL_X86_64, "read", {4}, KILL},
    {"read: arg0 >= 5", BRIG_DSL_X86_64, "read", {5}, ALLOW},
    {"read: arg0 > 0xffffffff", BRIG_DSL_X86_64, "read", {UINT32_MAX}, KILL},
    {"read: arg0 > 0xffffffff", BRIG_DSL_X86_64, "read", {HIGH}, ALLOW},
    {"read: arg0 & 6", BRIG_DSL_X86_64, "read", {4}, ALLOW},
    {"read: arg0 & 6", BRIG_DSL_X86_64, "read", {9}, KILL},
    {"read: arg0 & 0x300000000", BRIG_DSL_X86_64, "read", {HIGH}, ALLOW},
    {"read: arg0 in 6", BRIG_DSL_X86_64, "read", {0}, ALLOW},
    {"read: arg0 in 6", BRIG_DSL_X86_64, "read", {6}, ALLOW},
    {"read: arg0 in 6", BRIG_DSL_X86_64, "read", {7}, KILL},
    {"read: arg0 in 6", BRIG_DSL_X86_64, "read", {HIGH + 6}, KILL},
    {"read: arg2 == 5", BRIG_DSL_X86_64, "read", {0, 0, 5}, ALLOW},
    // Those that the width of a register decides.
    {"read: arg0 < 0", BRIG_DSL_X86_64, "read", {0}, KILL},
    {"read: arg0 >= 0", BRIG_DSL_X86_64, "read", {0}, ALLOW},
    {"read: arg0 > -1", BRIG_DSL_X86_64, "read", {UINT64_MAX}, KILL},
    {"read: arg0 <= ~0", BRIG_DSL_X86_64, "read", {UINT64_MAX}, ALLOW},
    {"open: arg1 & O_RDONLY", BRIG_DSL_X86_64, "open", {0, 1}, KILL},
    {"read: arg0 in ~0", BRIG_DSL_ARM, "read", {UINT32_MAX}, ALLOW},
    {"read: arg0 >= 0 && arg1 == 1 || arg0 == 9", BRIG_DSL_X86_64, "read", {3, 1}, ALLOW},
    {"read: arg0 < 0 && arg1 == 1 || arg0 == 9", BRIG_DSL_X86_64, "read", {3, 1}, KILL},
    {"read: arg0 < 0 && arg1 == 1 || arg0 == 9", BRIG_DSL_X86_64, "read", {9}, ALLOW},
    // Values.
    {"read: arg0 == 017", BRIG_DSL_X86_64, "read", {15}, ALLOW},
    {"read: arg0 == 1|0x2|(4|8)", BRIG_DSL_X86_64, "read", {15}, ALLOW},
    {"read: arg0 == ~(1|2)|1", BRIG_DSL_X86_64, "read", {~UINT64_C(2)}, ALLOW},
    {"read: arg0 == -1", BRIG_DSL_X86_64, "read", {UINT64_MAX}, ALLOW},
    {"read: arg0 == -1", BRIG_DSL_X86_64, "read", {UINT32_MAX}, KILL},
    {"read: arg0 == -1", BRIG_DSL_I386, "read", {UINT32_MAX}, ALLOW},
    {"read: arg0 == ~1", BRIG_DSL_I386, "read", {UINT32_MAX - 1}, ALLOW},
    {"read: arg0 == -2147483648", BRIG_DSL_ARM, "read", {0x80000000}, ALLOW},
    {"read: arg0 == 18446744073709551615", BRIG_DSL_X86_64, "read", {UINT64_MAX}, ALLOW},
    {"read: arg0 == -0x8000000000000000", BRIG_DSL_X86_64, "read", {UINT64_C(1) << 63}, ALLOW},
    {"openat: arg0 == AT_FDCWD", BRIG_DSL_X86_64, "openat", {(uint64_t)-100}, ALLOW},
    {"openat: arg0 == AT_FDCWD", BRIG_DSL_ARM, "openat", {(uint32_t)-100}, ALLOW},
    {"openat: arg2 == O_DIRECTORY", BRIG_DSL_X86_64, "openat", {0, 0, 0200000}, ALLOW},
    {"openat: arg2 == O_DIRECTORY", BRIG_DSL_AARCH64, "openat", {0, 0, 040000}, ALLOW},
    {"ioctl: arg1 == TIOCSTI", BRIG_DSL_X86_64, "ioctl", {0, 0x5412}, ALLOW},
    {"socket: arg0 == AF_UNIX && arg1 == SOCK_STREAM|SOCK_CLOEXEC", BRIG_DSL_X86_64, "socket", {1, 02000001}, ALLOW},
    {"mmap: arg2 in ~PROT_EXEC || arg2 in ~PROT_WRITE", BRIG_DSL_X86_64, "mmap", {0, 0, 5}, ALLOW},
    {"mmap: arg2 in ~PROT_EXEC || arg2 in ~PROT_WRITE", BRIG_DSL_X86_64, "mmap", {0, 0, 6}, KILL},
    {"mmap: arg2 in ~PROT_EXEC || arg2 in ~PROT_WRITE", BRIG_DSL_X86_64, "mmap", {0, 0, HIGH | 2}, ALLOW},
    // ORs of ANDs; blanks are not needed.
    {"read:arg0==1&&arg1==2||arg2==3", BRIG_DSL_X86_64, "read", {1, 2}, ALLOW},
    {"read:arg0==1&&arg1==2||arg2==3", BRIG_DSL_X86_64, "read", {1, 3}, KILL},
    {"read:arg0==1&&arg1==2||arg2==3", BRIG_DSL_X86_64, "read", {0, 0, 3}, ALLOW},
    {"read:arg0==1&&arg0==2", BRIG_DSL_X86_64, "read", {1}, KILL},
    // Errnos: alone, and for where a condition does not hold.
    {"read: return EPERM", BRIG_DSL_X86_64, "read", {0}, DENY(EPERM)},
    {"read: return 13", BRIG_DSL_X86_64, "read", {0}, DENY(13)},
    {"read: return 0", BRIG_DSL_X86_64, "read", {0}, DENY(0)},
    {"read: return", BRIG_DSL_X86_64, "read", {0}, KILL},
    {"read: arg0 == 1; return EBADF", BRIG_DSL_X86_64, "read", {1}, ALLOW},
    {"read: arg0 == 1; return EBADF", BRIG_DSL_X86_64, "read", {2}, DENY(EBADF)},
    {"read: arg0 == 1; return", BRIG_DSL_X86_64, "read", {2}, KILL},
    {"@default trap\nread: arg0 == 1; return", BRIG_DSL_X86_64, "read", {2}, SECCOMP_RET_TRAP},
    // Actions.
    {"read: kill", BRIG_DSL_X86_64, "read", {0}, KILL},
    {"read: kill-process", BRIG_DSL_X86_64, "read", {0}, KILL},
    {"read: kill-thread", BRIG_DSL_X86_64, "read", {0}, SECCOMP_RET_KILL_THREAD},
    {"read: trap", BRIG_DSL_X86_64, "read", {0}, SECCOMP_RET_TRAP},
    {"read: trace", BRIG_DSL_X86_64, "read", {0}, SECCOMP_RET_TRACE},
    {"read: log", BRIG_DSL_X86_64, "read", {0}, SECCOMP_RET_LOG},
    {"read: user-notify", BRIG_DSL_X86_64, "read", {0}, SECCOMP_RET_USER_NOTIF},
    {"read: arg0 == 1; trap", BRIG_DSL_X86_64, "read", {1}, SECCOMP_RET_TRAP},
    {"read: arg0 == 1; trap", BRIG_DSL_X86_64, "read", {2}, KILL},
    // Lists: an action is for where its condition holds.
    {"read: {arg0 == 1; return EPERM, arg0 == 2, log}", BRIG_DSL_X86_64, "read", {1}, DENY(EPERM)},
    {"read: {arg0 == 1; return EPERM, arg0 == 2, log}", BRIG_DSL_X86_64, "read", {2}, ALLOW},
    {"read: {arg0 == 1; return EPERM, arg0 == 2, log}", BRIG_DSL_X86_64, "read", {3}, SECCOMP_RET_LOG},
    {"read: { arg0 == 1; return EPERM }", BRIG_DSL_X86_64, "read", {2}, KILL},
    {"read: { arg0 == 1; return, allow }", BRIG_DSL_X86_64, "read", {1}, KILL},
    {"read: { 1 }", BRIG_DSL_X86_64, "read", {1}, ALLOW},
    // Several calls, and calls of some arches.
    {"{read, write}: 1", BRIG_DSL_X86_64, "write", {0}, ALLOW},
    {"{open[arch=x86_64,x86], openat}: 1", BRIG_DSL_X86_64, "open", {0}, ALLOW},
    {"{open[arch=x86_64,x86], openat}: 1", BRIG_DSL_AARCH64, "openat", {0}, ALLOW},
    {"open[arch=x86_64]: 1\nread: 1", BRIG_DSL_RISCV64, "read", {0}, ALLOW},
    {"cacheflush[arch=mips]: 1\nread[arch=mips,x86_64]: 1", BRIG_DSL_X86_64, "read", {0}, ALLOW},
    {"mmap[arch=x86_64]: arg3 in MAP_32BIT\nread: 1", BRIG_DSL_AARCH64, "read", {0}, ALLOW},
    // A second entry goes on where the first one is open.
    {"read: arg0 == 1\nread: arg0 == 2; return EPERM", BRIG_DSL_X86_64, "read", {1}, ALLOW},
    {"read: arg0 == 1\nread: arg0 == 2; return EPERM", BRIG_DSL_X86_64, "read", {2}, ALLOW},
    {"read: arg0 == 1\nread: arg0 == 2; return EPERM", BRIG_DSL_X86_64, "read", {3}, DENY(EPERM)},
    // Lines.
    {"read: arg0 == 1 || \\\n  arg0 == 2 # both", BRIG_DSL_X86_64, "read", {2}, ALLOW},
    {"read: arg0 == 1 || # one \\\n  arg0 == 2", BRIG_DSL_X86_64, "read", {2}, ALLOW},
    {"# a comment \\\n# that goes on \\\n\nread: 1", BRIG_DSL_X86_64, "read", {0}, ALLOW},
    {"\r\n\tread: \\\r\n1\r\n\r\nwrite: 1\r", BRIG_DSL_X86_64, "write", {0}, ALLOW},
    // The default.
    {"@default kill-thread\nread: arg0 == 1", BRIG_DSL_X86_64, "read", {2}, SECCOMP_RET_KILL_THREAD},
    {"read: 1\n@default user-notify", BRIG_DSL_X86_64, "write", {0}, SECCOMP_RET_USER_NOTIF},
    {"@default kill\nread: 1", BRIG_DSL_X86_64, "write", {0}, KILL},
    {"@default trap\n@include ./kill.policy", BRIG_DSL_X86_64, "write", {0}, SECCOMP_RET_KILL_THREAD},
    // Denylists.
    {"@denylist\nread: return EPERM", BRIG_DSL_X86_64, "read", {0}, DENY(EPERM)},
    {"@denylist\nread: return EPERM", BRIG_DSL_X86_64, "write", {0}, ALLOW},
    {"@denylist\nread: arg0 == 1; return EPERM", BRIG_DSL_X86_64, "read", {1}, DENY(EPERM)},
    {"@denylist\nread: arg0 == 1; return EPERM", BRIG_DSL_X86_64, "read", {2}, ALLOW},
    {"@denylist\nread: {arg0 == 1, return EPERM}", BRIG_DSL_X86_64, "read", {1}, ALLOW},
    {"@denylist\n@include ./deny.policy", BRIG_DSL_X86_64, "read", {1}, DENY(EPERM)},
    // Files.
    {"@include ./base.policy\n", BRIG_DSL_X86_64, "read", {0}, ALLOW},
    {"@include ./base.policy # all\n", BRIG_DSL_X86_64, "write", {1}, ALLOW},
    {"@include\t/etc/all.policy", BRIG_DSL_X86_64, "close", {0}, ALLOW},
    {"@frequency ./calls.frequency\nread: 1", BRIG_DSL_X86_64, "getpid", {0}, KILL},
};

struct compiled {
    struct import_policies policies;
    struct brig_dsl_program program;
};

// Returns: whether it worked; import_free is the caller's then.
static bool compile_text(const char *text, enum brig_dsl_arch arch, struct compiled *ret_compiled)
{
    static unsigned char memory[BRIG_DSL_ARENA_BYTES];
    struct import_error error;
    struct brig_error compile_error;
    struct brig_dsl_arena arena;
    struct brig_dsl_options options = {.arch = arch};
    if (!import_text(text, arch, &ret_compiled->policies, &error)) {
        test_fail(__FILE__, __LINE__, "%s", error.text);
        return false;
    }
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    options.profile = ret_compiled->policies.profile;
    if (CHECK_OK(brig_dsl_compile_targets(ret_compiled->policies.targets, ret_compiled->policies.target_count, &options, &arena,
                                          &ret_compiled->program, &compile_error),
                 &compile_error)) {
        return true;
    }
    import_free(&ret_compiled->policies);
    return false;
}

static uint32_t decide(const char *text, enum brig_dsl_arch arch, const struct brig_dsl_data *data)
{
    struct compiled compiled;
    if (!compile_text(text, arch, &compiled)) {
        return 0xdead;
    }
    uint32_t ret = brig_dsl_interpret(compiled.program.insns, compiled.program.insn_count, data, NULL).ret;
    import_free(&compiled.policies);
    return ret;
}

TEST(tools, minijail_policies_decide)
{
    for (size_t i = 0; i < COUNT_OF(decisions); i++) {
        const struct decision *decision = &decisions[i];
        enum brig_dsl_call call = brig_dsl_call_by_name(decision->call, strlen(decision->call));
        struct brig_dsl_data data = {.nr = (uint32_t)brig_dsl_call_nr(call, decision->arch),
                                     .audit_arch = brig_dsl_arch_audit(decision->arch)};
        memcpy(data.args, decision->args, sizeof decision->args);
        test_message("row %zu: %s: %s", i, decision->text, decision->call);
        CHECK_EQ(decide(decision->text, decision->arch, &data), decision->ret);
    }
}

TEST(tools, minijail_policies_decide_what_is_no_call_of_the_arch)
{
    static const struct {
        const char *text;
        uint32_t nr;
        enum brig_dsl_arch of;
        uint32_t ret;
    } rows[] = {
        {"read: 1", 0, BRIG_DSL_I386, KILL},
        {"@default trap\nread: 1", 0, BRIG_DSL_I386, KILL},
        {"@denylist\nread: return EPERM", 63, BRIG_DSL_AARCH64, KILL},
        {"read: 1", 0x40000000, BRIG_DSL_X86_64, KILL},
        {"@default trap\nread: 1", 0x40000000, BRIG_DSL_X86_64, SECCOMP_RET_TRAP},
        {"@denylist\nread: return EPERM", 0x40000000, BRIG_DSL_X86_64, KILL},
        {"read: 1", 100000, BRIG_DSL_X86_64, KILL},
        {"@denylist\nread: return EPERM", 100000, BRIG_DSL_X86_64, ALLOW},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct brig_dsl_data data = {.nr = rows[i].nr, .audit_arch = brig_dsl_arch_audit(rows[i].of)};
        test_message("row %zu: %s", i, rows[i].text);
        CHECK_EQ(decide(rows[i].text, BRIG_DSL_X86_64, &data), rows[i].ret);
    }
}

// --- mistakes ---------------------------------------------------------------------------------------------------------

#define MAIN "dir/main.policy:1:"

static const struct {
    const char *text;
    const char *error; // all of it
} mistakes[] = {
    {"opeen: 1", MAIN "1: there is no system call 'opeen'; did you mean 'open'?"},
    {"foo_bar_baz: 1", MAIN "1: there is no system call 'foo_bar_baz'"},
    {"waitpid: 1",
     MAIN "1: x86_64 has no system call 'waitpid'; i386 has it (say for which arches the entry is: waitpid[arch=...])"},
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
    {"read: \xff", MAIN "7: byte 0xff"},
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
    {"a\rb: 1", MAIN "2: byte 0x0d"},
};

TEST(tools, minijail_mistakes_are_told)
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

TEST(tools, minijail_policies_name_no_files_without_a_reader)
{
    static const char text[] = "@include ./base.policy";
    struct import_source source = {.name = "main.policy", .text = text, .text_bytes = sizeof text - 1};
    struct import_policies policies;
    struct import_error error;
    char line[IMPORT_ERROR_TEXT_BYTES];
    REQUIRE(!import_minijail(&source, &(struct import_options){.reader = NULL}, &policies, &error));
    CHECK_STR_EQ(import_error_format(&error, line, sizeof line),
                 "main.policy:1:10: './base.policy' cannot be read: this text may name no files");
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

TEST(tools, minijail_policies_are_bounded)
{
    static const struct {
        const char *more;
        size_t count;
        const char *error;
    } rows[] = {
        {"||arg0==1", 101000, "the calls have more than 100000 alternatives all together"},
        {"&&arg0==1", 1000, "more than 1000 conditions are joined by &&"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct import_policies policies;
        struct import_error error;
        char *text = repeat("read: arg0 == 1", rows[i].more, rows[i].count);
        REQUIRE(text != NULL);
        CHECK(!import_text(text, BRIG_DSL_X86_64, &policies, &error));
        CHECK_STR_EQ(error.text, rows[i].error);
        free(text);
    }
}

// --- what else comes with a policy ------------------------------------------------------------------------------------

TEST(tools, minijail_warnings_are_told)
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

TEST(tools, minijail_frequencies_are_a_profile)
{
    static const struct {
        uint32_t nr;
        uint64_t count;
    } samples[] = {{3, 1}, {39, 2}, {0, 101}, {1, 16}}; // by name: close, getpid, read, write
    struct import_policies policies;
    struct import_error error;
    REQUIRE(import_text("@frequency ./calls.frequency\nread: 1\nclose: 1\nmmap: 1\n", BRIG_DSL_X86_64, &policies, &error));
    if (CHECK(policies.profile != NULL) && CHECK_EQ(policies.profile->sample_count, COUNT_OF(samples))) {
        for (size_t i = 0; i < COUNT_OF(samples); i++) {
            CHECK_EQ(policies.profile->samples[i].nr, samples[i].nr);
            CHECK_EQ(policies.profile->samples[i].count, samples[i].count);
            CHECK_EQ(policies.profile->samples[i].known, 0);
        }
    }
    import_free(&policies);
    REQUIRE(import_text("read: 1", BRIG_DSL_X86_64, &policies, &error));
    CHECK(policies.profile == NULL);
    import_free(&policies);
}

TEST(tools, minijail_rows_say_where_they_are_from)
{
    struct import_policies policies;
    struct import_error error;
    REQUIRE(import_text("\nclose: 1\n@include ./base.policy\n", BRIG_DSL_X86_64, &policies, &error));
    const struct brig_dsl_row *rows = policies.targets[0].policy->rows;
    CHECK_STR_EQ(policies.targets[0].policy->name, "dir/main.policy");
    CHECK_STR_EQ(rows[0].file, "dir/main.policy");
    CHECK_EQ(rows[0].line, 2);
    CHECK_STR_EQ(rows[1].file, "dir/base.policy");
    CHECK_EQ(rows[1].line, 1);
    CHECK_STR_EQ(rows[2].file, "dir/deeper/more.policy");
    CHECK_EQ(rows[3].kind, BRIG_DSL_ROW_END);
    import_free(&policies);
}

TEST(tools, minijail_policies_serve_several_arches)
{
    static const char text[] = "open[arch=x86_64]: 1\nopenat: arg2 == O_DIRECTORY; trap\n";
    static const enum brig_dsl_arch arches[] = {BRIG_DSL_AARCH64, BRIG_DSL_X86_64};
    struct import_source source = {.name = "main.policy", .text = text, .text_bytes = sizeof text - 1};
    struct import_options options = {.arches = arches, .arch_count = 2};
    struct import_policies policies;
    struct import_error error;
    REQUIRE(import_minijail(&source, &options, &policies, &error));
    REQUIRE(CHECK_EQ(policies.target_count, 2));
    CHECK_EQ(policies.targets[0].arch, BRIG_DSL_AARCH64);
    CHECK_EQ(policies.targets[0].policy->rows[0].call, BRIG_SYS_openat);
    CHECK_STR_EQ(policies.targets[0].policy->rows[0].conditions[0].text, "0x4000");
    CHECK_EQ(policies.targets[1].policy->rows[0].call, BRIG_SYS_open);
    CHECK_STR_EQ(policies.targets[1].policy->rows[1].conditions[0].text, "0x10000");
    CHECK_EQ(policies.warning_count, 1);
    import_free(&policies);
}
