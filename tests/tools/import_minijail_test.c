// minijail policies: what each construct decides, through the compiler, and what else comes with a policy.
#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>

#include "bpf_dsl/program.h"
#include "tests/shim/codes.h"
#include "tests/shim/test.h"
#include "tests/tools/commands.h"
#include "tests/tools/minijail_files.h"

#define ALLOW SECCOMP_RET_ALLOW
#define KILL SECCOMP_RET_KILL_PROCESS
#define DENY(code) (SECCOMP_RET_ERRNO | (code))
#define HIGH 0x100000000u

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
    {"ARM_set_tls: 1", BRIG_DSL_ARM, "set_tls", {0}, ALLOW},
    {"kern_features[arch=sparc64]: 1\nread: 1", BRIG_DSL_ARM, "read", {0}, ALLOW},
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

TEST(minijail, policies_decide)
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

TEST(minijail, policies_decide_what_is_no_call_of_the_arch)
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
        {"@denylist\nread: return EPERM", 0xfffffffe, BRIG_DSL_X86_64, KILL},
        {"@denylist\nread: return EPERM", 0xffffffff, BRIG_DSL_X86_64, ALLOW},
        {"@default trap\nread: 1", 0xffffffff, BRIG_DSL_X86_64, SECCOMP_RET_TRAP},
        {"read: 1", 100000, BRIG_DSL_X86_64, KILL},
        {"@denylist\nread: return EPERM", 100000, BRIG_DSL_X86_64, ALLOW},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct brig_dsl_data data = {.nr = rows[i].nr, .audit_arch = brig_dsl_arch_audit(rows[i].of)};
        test_message("row %zu: %s", i, rows[i].text);
        CHECK_EQ(decide(rows[i].text, BRIG_DSL_X86_64, &data), rows[i].ret);
    }
}

// --- what else comes with a policy ------------------------------------------------------------------------------------

TEST(minijail, frequencies_are_a_profile)
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

TEST(minijail, long_lists_are_checked_in_time)
{
    static char text[32768];
    for (int i = 0; i < 2; i++) {
        struct compiled compiled;
        size_t used = (size_t)snprintf(text, sizeof text, "ioctl: arg1 %s 7", i == 0 ? "==" : "!=");
        for (unsigned value = 1; value < 1000; value++) {
            used += (size_t)snprintf(text + used, sizeof text - used, i == 0 ? "||arg1==%u" : "&&arg1!=%u", value * 2654435761u);
        }
        test_message("%.40s", text);
        if (compile_text(text, BRIG_DSL_X86_64, &compiled)) {
            CHECK(!compiled.program.is_plain);
            CHECK_LT(compiled.program.insn_count, 2000);
            import_free(&compiled.policies);
        }
    }
}

// Writes entries for calls 0, 7, 14 ... behind `directive`. Returns: how many instructions chroot takes.
static uint32_t run_chroot(const char *directive)
{
    char text[4096];
    struct compiled compiled;
    struct brig_dsl_data data = {.nr = 161, .audit_arch = brig_dsl_arch_audit(BRIG_DSL_X86_64)};
    size_t used = (size_t)snprintf(text, sizeof text, "%s", directive);
    for (unsigned nr = 0; nr < 300; nr += 7) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%u: arg0 == %u\n", nr, nr + 5);
    }
    if (!compile_text(text, BRIG_DSL_X86_64, &compiled)) {
        return UINT32_MAX;
    }
    uint32_t executed = brig_dsl_interpret(compiled.program.insns, compiled.program.insn_count, &data, NULL).executed;
    import_free(&compiled.policies);
    return executed;
}

TEST(minijail, frequencies_make_calls_fast)
{
    CHECK_LT(run_chroot("@frequency ./hot.frequency\n"), run_chroot(""));
}

TEST(minijail, rows_say_where_they_are_from)
{
    struct import_policies policies;
    struct import_error error;
    REQUIRE(import_text("\nclose: arg0 == 1 || \\\n arg0 > 5\n@include ./base.policy\nopen: arg1 & O_RDONLY", BRIG_DSL_X86_64,
                        &policies, &error));
    const struct brig_dsl_row *rows = policies.targets[0].policy->rows;
    CHECK_STR_EQ(policies.targets[0].policy->name, "dir/main.policy");
    CHECK_STR_EQ(rows[0].file, "dir/main.policy");
    CHECK_EQ(rows[0].line, 2);
    CHECK_EQ(rows[1].line, 3);
    CHECK_STR_EQ(rows[2].file, "dir/base.policy");
    CHECK_EQ(rows[2].line, 1);
    CHECK_STR_EQ(rows[3].file, "dir/deeper/more.policy");
    CHECK_EQ(rows[4].line, 5); // of a call for which no condition is left
    CHECK_EQ(rows[4].action.verb, BRIG_DSL_KILL_PROCESS);
    CHECK_EQ(rows[5].kind, BRIG_DSL_ROW_END);
    import_free(&policies);
}

TEST(minijail, policies_serve_several_arches)
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

// --- on the command line ----------------------------------------------------------------------------------------------

#define IN_DIRECTORY(line) "d=$(mktemp -d) && cd $d && { " line "; }; status=$?; rm -r $d; exit $status"

TEST(minijail, policies_are_policies_on_the_command_line)
{
    static const struct command rows[] = {
        {IN_DIRECTORY(
             "printf 'read: 1\\n' > b.policy; printf '@include ./b.policy\\nwrite: arg0 == 1; return EPERM\\n' > a.policy; "
             "brig explain a.policy -a x86_64"),
         0,
         {"a.policy (x86_64)", "read", "  b.policy:1", "write when fd in {1}", "a.policy:2", "write otherwise"}},
        // Names stand where they are the number that is compared.
        {"printf 'mmap: arg2 in ~PROT_EXEC\\n{kill, tgkill}: arg1 == SIGTERM\\nopenat: arg0 == AT_FDCWD && arg2 & O_CREAT\\n"
         "ioctl: arg1 == 0x100005401' | brig explain - --from=minijail -a x86_64",
         0,
         {"mmap when prot has none of {PROT_EXEC}", "kill when sig in {SIGTERM}", "tgkill when tid in {0xf}",
          "openat when dirfd in {0xffffffffffffff9c}", "O_CREAT}", "ioctl when cmd in {0x100005401}"}},
        {"printf 'getpid: arg3 == 0x10\\nsocket: arg0 <= AF_INET' | brig explain - --from=minijail",
         0,
         {"getpid when arg3 in {0x10}", "socket when domain at most 2"}},
        {"printf 'write: arg0 == 1\\n' | brig emu - write 1 --from=minijail", 0, {"ALLOW"}},
        {"printf 'wirte: arg0 == 1\\n' | brig compile - --from=minijail",
         2,
         {"brig compile: <stdin>:1:1: there is no system call 'wirte'; did you mean 'write'?\n"}},
        {"printf 'read: 1\\n@default trap\\n@default kill\\n' | brig compile - --from=minijail",
         0,
         {"brig compile: <stdin>:3: warning: replaces the @default of <stdin>:2\n"}},
        // Of an arch that minijail has and we do not, once.
        {"printf 'read[arch=sparc]: 1\\nread[arch=sparc,x86_64]: 1\\nread[arch=mips]: 1\\n' | brig emu - read --from=minijail -a x86_64",
         0,
         {"<stdin>:1: warning: no programs for sparc are made here; what is for it alone is left out\nbrig emu: <stdin>:3: warning: ",
          "ALLOW"}},
        {IN_DIRECTORY("mkfifo b.policy; printf '@include ./b.policy\\n' > a.policy; brig compile a.policy"),
         2,
         {"brig compile: a.policy:1:10: cannot read 'b.policy': it is no regular file\n"}},
        {"printf '@include ./b.policy\\n' | brig compile - --from=minijail",
         2,
         {"<stdin>:1:10: cannot read 'b.policy': No such file or directory"}},
    };
    check_commands(rows, COUNT_OF(rows));
}
