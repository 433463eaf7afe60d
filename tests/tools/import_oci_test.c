// OCI profiles: what each action, operator, overlap and filter decides, through the compiler; which arches are served; the lines
// that rows come from.
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>

#include "bpf_dsl/program.h"
#include "tests/shim/test.h"
#include "tools/import/import.h"

#define ALLOW SECCOMP_RET_ALLOW
#define KILL_THREAD SECCOMP_RET_KILL_THREAD
#define DENY(code) ((uint32_t)SECCOMP_RET_ERRNO | (code))
#define HIGH 0x100000000u

static unsigned char compile_memory[2 * BRIG_DSL_ARENA_BYTES];

// Imports a text. Returns: false after a failed check.
static bool import(const char *json, const struct import_options *options, struct import_policies *ret_policies)
{
    struct import_source source = {.name = "test.json", .text = json, .text_bytes = strlen(json)};
    struct import_error error;
    char text[IMPORT_ERROR_TEXT_BYTES];
    if (!import_oci(&source, options, ret_policies, &error)) {
        test_message("%s in %s", import_error_format(&error, text, sizeof text), json);
        return CHECK(false);
    }
    return true;
}

// What a text decides. Returns: false after a failed check.
static bool decide(const char *json, const struct import_options *options, const struct brig_dsl_data *data, uint32_t *ret_ret)
{
    struct brig_dsl_options compile_options = BRIG_DSL_OPTIONS_DEFAULT;
    struct brig_dsl_arena arena;
    struct brig_dsl_program program;
    struct import_policies policies;
    if (!import(json, options, &policies)) {
        return false;
    }
    brig_dsl_arena_init(&arena, compile_memory, sizeof compile_memory);
    enum brig_code code =
        brig_dsl_compile_targets(policies.targets, policies.target_count, &compile_options, &arena, &program, NULL);
    *ret_ret = code == BRIG_OK ? brig_dsl_interpret(program.insns, program.insn_count, data, NULL).ret : 0;
    import_free(&policies);
    return CHECK_EQ((int)code, (int)BRIG_OK);
}

// --- decisions --------------------------------------------------------------------------------------------------------

// A call on x86_64, decided by a profile whose default is ERRNO(1), or the whole profile that is given.
struct decision {
    const char *what;
    const char *syscalls; // elements of the array; a text that starts with a brace inside quotes is taken for them
    const char *call;
    uint64_t args[3];
    uint32_t ret;
};

#define ENTRY(names, action, rest) "{\"names\": [" names "], \"action\": \"SCMP_ACT_" action "\"" rest "}"
#define ARGS(list) ", \"args\": [" list "]"
#define ARG(index, op, value) "{\"index\": " #index ", \"op\": \"SCMP_CMP_" #op "\", \"value\": " #value "}"
#define MASKED(index, mask, value) \
    "{\"index\": " #index ", \"op\": \"SCMP_CMP_MASKED_EQ\", \"value\": " #mask ", \"valueTwo\": " #value "}"
#define READ "\"read\""

static const struct decision decisions[] = {
    // Actions.
    {"allow", ENTRY(READ, "ALLOW", ""), "read", {0}, ALLOW},
    {"errno is EPERM", ENTRY(READ, "ERRNO", ", \"errnoRet\": 1"), "read", {0}, DENY(1)},
    {"errno with data", ENTRY(READ, "ERRNO", ", \"errnoRet\": 38"), "read", {0}, DENY(38)},
    {"errno 0", ENTRY(READ, "ERRNO", ", \"errnoRet\": 0"), "read", {0}, DENY(0)},
    {"errno 4095", ENTRY(READ, "ERRNO", ", \"errnoRet\": 4095"), "read", {0}, DENY(4095)},
    {"errno by name", ENTRY(READ, "ERRNO", ", \"errno\": \"ENOSYS\""), "read", {0}, DENY(38)},
    {"errno both ways", ENTRY(READ, "ERRNO", ", \"errno\": \"ENOSYS\", \"errnoRet\": 38"), "read", {0}, DENY(38)},
    {"kill", ENTRY(READ, "KILL", ""), "read", {0}, KILL_THREAD},
    {"kill thread", ENTRY(READ, "KILL_THREAD", ""), "read", {0}, KILL_THREAD},
    {"kill process", ENTRY(READ, "KILL_PROCESS", ""), "read", {0}, SECCOMP_RET_KILL_PROCESS},
    {"trap", ENTRY(READ, "TRAP", ""), "read", {0}, SECCOMP_RET_TRAP},
    {"trap has no data", ENTRY(READ, "TRAP", ", \"errnoRet\": 7"), "read", {0}, SECCOMP_RET_TRAP},
    {"trace", ENTRY(READ, "TRACE", ""), "read", {0}, SECCOMP_RET_TRACE | 1},
    {"trace with data", ENTRY(READ, "TRACE", ", \"errnoRet\": 65535"), "read", {0}, SECCOMP_RET_TRACE | 65535},
    {"log", ENTRY(READ, "LOG", ""), "read", {0}, SECCOMP_RET_LOG},
    {"notify", ENTRY(READ, "NOTIFY", ""), "read", {0}, SECCOMP_RET_USER_NOTIF},
    {"default", ENTRY(READ, "ALLOW", ""), "write", {0}, DENY(1)},
    {"nothing", "", "read", {0}, DENY(1)},
    {"names", ENTRY("\"open\", \"write\", \"op\\u0065nat\"", "ALLOW", ""), "openat", {0}, ALLOW},
    {"a name in old profiles", "{\"name\": \"read\", \"action\": \"SCMP_ACT_ALLOW\", \"args\": null}", "read", {0}, ALLOW},
    {"calls of elsewhere", ENTRY("\"waitpid\", \"s390_sthyi\", \"read\"", "ALLOW", ""), "read", {0}, ALLOW},
    // Operators.
    {"eq", ENTRY(READ, "ALLOW", ARGS(ARG(0, EQ, 7))), "read", {7}, ALLOW},
    {"eq, other", ENTRY(READ, "ALLOW", ARGS(ARG(0, EQ, 7))), "read", {8}, DENY(1)},
    {"eq looks at all bits", ENTRY(READ, "ALLOW", ARGS(ARG(0, EQ, 7))), "read", {HIGH + 7}, DENY(1)},
    {"eq, largest", ENTRY(READ, "ALLOW", ARGS(ARG(0, EQ, 18446744073709551615))), "read", {UINT64_MAX}, ALLOW},
    {"eq, not rounded", ENTRY(READ, "ALLOW", ARGS(ARG(0, EQ, 18446744073709551615))), "read", {UINT64_MAX - 1}, DENY(1)},
    {"eq, above INT64_MAX", ENTRY(READ, "ALLOW", ARGS(ARG(0, EQ, 9223372036854775809))), "read", {INT64_MAX + 2ull}, ALLOW},
    {"eq, 2^53 + 1", ENTRY(READ, "ALLOW", ARGS(ARG(0, EQ, 9007199254740993))), "read", {9007199254740993}, ALLOW},
    {"eq, 2^53", ENTRY(READ, "ALLOW", ARGS(ARG(0, EQ, 9007199254740993))), "read", {9007199254740992}, DENY(1)},
    {"ne", ENTRY(READ, "ALLOW", ARGS(ARG(1, NE, 7))), "read", {0, 7}, DENY(1)},
    {"ne, other", ENTRY(READ, "ALLOW", ARGS(ARG(1, NE, 7))), "read", {0, HIGH + 7}, ALLOW},
    {"lt", ENTRY(READ, "ALLOW", ARGS(ARG(2, LT, 7))), "read", {0, 0, 6}, ALLOW},
    {"lt, equal", ENTRY(READ, "ALLOW", ARGS(ARG(2, LT, 7))), "read", {0, 0, 7}, DENY(1)},
    {"lt, unsigned", ENTRY(READ, "ALLOW", ARGS(ARG(2, LT, 7))), "read", {0, 0, UINT64_MAX}, DENY(1)},
    {"lt 0 is never", ENTRY(READ, "ALLOW", ARGS(ARG(2, LT, 0))), "read", {0, 0, 0}, DENY(1)},
    {"le", ENTRY(READ, "ALLOW", ARGS(ARG(2, LE, 4294967295))), "read", {0, 0, UINT32_MAX}, ALLOW},
    {"le, above", ENTRY(READ, "ALLOW", ARGS(ARG(2, LE, 4294967295))), "read", {0, 0, HIGH}, DENY(1)},
    {"le the largest is always", ENTRY(READ, "ALLOW", ARGS(ARG(2, LE, 18446744073709551615))), "read", {0, 0, UINT64_MAX}, ALLOW},
    {"ge", ENTRY(READ, "ALLOW", ARGS(ARG(0, GE, 4294967296))), "read", {HIGH}, ALLOW},
    {"ge, below", ENTRY(READ, "ALLOW", ARGS(ARG(0, GE, 4294967296))), "read", {UINT32_MAX}, DENY(1)},
    {"ge 0 is always", ENTRY(READ, "ALLOW", ARGS(ARG(0, GE, 0))), "read", {0}, ALLOW},
    {"gt", ENTRY(READ, "ALLOW", ARGS(ARG(0, GT, 7))), "read", {8}, ALLOW},
    {"gt, equal", ENTRY(READ, "ALLOW", ARGS(ARG(0, GT, 7))), "read", {7}, DENY(1)},
    {"gt the largest is never", ENTRY(READ, "ALLOW", ARGS(ARG(0, GT, 18446744073709551615))), "read", {UINT64_MAX}, DENY(1)},
    {"masked", ENTRY(READ, "ALLOW", ARGS(MASKED(0, 2114060288, 0))), "read", {0x1100}, ALLOW},
    {"masked, other", ENTRY(READ, "ALLOW", ARGS(MASKED(0, 2114060288, 0))), "read", {0x10000000}, DENY(1)},
    {"masked, both masked", ENTRY(READ, "ALLOW", ARGS(MASKED(0, 15, 255))), "read", {0x1f}, ALLOW},
    {"masked, high", ENTRY(READ, "ALLOW", ARGS(MASKED(0, 18446744069414584320, 4294967296))), "read", {HIGH + 3}, ALLOW},
    {"masked with nothing is always", ENTRY(READ, "ALLOW", ARGS(MASKED(0, 0, 9))), "read", {3}, ALLOW},
    // Several of them.
    {"and", ENTRY(READ, "ALLOW", ARGS(ARG(0, EQ, 1) ", " ARG(2, EQ, 2))), "read", {1, 0, 2}, ALLOW},
    {"and, one only", ENTRY(READ, "ALLOW", ARGS(ARG(0, EQ, 1) ", " ARG(2, EQ, 2))), "read", {1, 0, 3}, DENY(1)},
    {"an index twice is or", ENTRY(READ, "ALLOW", ARGS(ARG(0, EQ, 1) ", " ARG(0, EQ, 2))), "read", {2}, ALLOW},
    {"and so are the others",
     ENTRY(READ, "ALLOW", ARGS(ARG(0, EQ, 1) ", " ARG(0, EQ, 2) ", " ARG(1, EQ, 5))),
     "read",
     {9, 5},
     ALLOW},
    {"entries are or",
     ENTRY(READ, "ALLOW", ARGS(ARG(0, EQ, 1))) ", " ENTRY(READ, "ALLOW", ARGS(ARG(1, EQ, 5))),
     "read",
     {9, 5},
     ALLOW},
    // Overlaps.
    {"without conditions wins, later", ENTRY(READ, "LOG", ARGS(ARG(0, EQ, 1))) ", " ENTRY(READ, "ALLOW", ""), "read", {1}, ALLOW},
    {"without conditions wins, earlier", ENTRY(READ, "ALLOW", "") ", " ENTRY(READ, "LOG", ARGS(ARG(0, EQ, 1))), "read", {1}, ALLOW},
    {"the first without conditions wins", ENTRY(READ, "LOG", "") ", " ENTRY(READ, "ALLOW", ""), "read", {1}, SECCOMP_RET_LOG},
    {"always is without conditions",
     ENTRY(READ, "LOG", ARGS(ARG(0, EQ, 1))) ", " ENTRY(READ, "ALLOW", ARGS(ARG(1, GE, 0))),
     "read",
     {1},
     ALLOW},
    {"never takes nothing away", ENTRY(READ, "ALLOW", "") ", " ENTRY(READ, "LOG", ARGS(ARG(1, LT, 0))), "read", {1}, ALLOW},
    {"the default takes nothing away", ENTRY(READ, "ERRNO", "") ", " ENTRY(READ, "ALLOW", ARGS(ARG(0, EQ, 1))), "read", {1}, ALLOW},
    {"of two actions, the higher index first",
     ENTRY(READ, "LOG", ARGS(ARG(0, EQ, 1))) ", " ENTRY(READ, "ALLOW", ARGS(ARG(1, EQ, 5))),
     "read",
     {1, 5},
     ALLOW},
    {"and in the other order",
     ENTRY(READ, "ALLOW", ARGS(ARG(1, EQ, 5))) ", " ENTRY(READ, "LOG", ARGS(ARG(0, EQ, 1))),
     "read",
     {1, 5},
     ALLOW},
    {"a value before an order",
     ENTRY(READ, "LOG", ARGS(ARG(0, GT, 0))) ", " ENTRY(READ, "ALLOW", ARGS(ARG(0, EQ, 1))),
     "read",
     {1},
     ALLOW},
    {"the narrower order first",
     ENTRY(READ, "LOG", ARGS(ARG(0, GE, 1))) ", " ENTRY(READ, "ALLOW", ARGS(ARG(0, GE, 4294967297))),
     "read",
     {2 * HIGH},
     ALLOW},
    {"two for one rule, the first",
     ENTRY(READ, "LOG", ARGS(ARG(0, EQ, 1))) ", " ENTRY(READ, "ALLOW", ARGS(ARG(0, EQ, 1))),
     "read",
     {1},
     SECCOMP_RET_LOG},
    {"another errno is not the default",
     ENTRY(READ, "ERRNO", ", \"errnoRet\": 2") ", " ENTRY(READ, "ALLOW", ARGS(ARG(0, EQ, 1))),
     "read",
     {1},
     DENY(2)},
};

TEST(import_oci, decisions)
{
    static const enum brig_dsl_arch arch = BRIG_DSL_X86_64;
    struct import_options options = {.arches = &arch, .arch_count = 1};
    char json[2048];
    for (size_t i = 0; i < COUNT_OF(decisions); i++) {
        const struct decision *row = &decisions[i];
        struct brig_dsl_data data = {.audit_arch = brig_dsl_arch_audit(arch)};
        uint32_t ret = 0;
        data.nr = (uint32_t)brig_dsl_call_nr(brig_dsl_call_by_name(row->call, strlen(row->call)), arch);
        memcpy(data.args, row->args, sizeof row->args);
        snprintf(json, sizeof json, "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [%s]}", row->syscalls);
        test_message("%s", row->what);
        REQUIRE(decide(json, &options, &data, &ret));
        CHECK_EQ(ret, row->ret);
    }
    test_message("%s", "");
}

TEST(import_oci, what_is_no_call_of_the_profile)
{
    static const char json[] =
        "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"architectures\": [\"SCMP_ARCH_X86_64\", \"SCMP_ARCH_X32\"]}";
    static const struct {
        enum brig_dsl_arch arch;
        uint32_t nr;
        uint32_t ret;
    } rows[] = {
        {BRIG_DSL_X86_64, 0, ALLOW},
        {BRIG_DSL_X86_64, 0x3fffffff, ALLOW},
        {BRIG_DSL_X86_64, 0x40000000, KILL_THREAD},
        {BRIG_DSL_X86_64, 0xc0000000, KILL_THREAD},
        {BRIG_DSL_X86_64, 0xfffffffe, KILL_THREAD},
        {BRIG_DSL_X86_64, 0xffffffff, ALLOW}, // a call that a tracer skips
        {BRIG_DSL_I386, 1, KILL_THREAD},
        {BRIG_DSL_AARCH64, 1, KILL_THREAD},
    };
    static const enum brig_dsl_arch arch = BRIG_DSL_X86_64;
    struct import_options options = {.arches = &arch, .arch_count = 1};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct brig_dsl_data data = {.audit_arch = brig_dsl_arch_audit(rows[i].arch), .nr = rows[i].nr};
        uint32_t ret = 0;
        REQUIRE(decide(json, &options, &data, &ret));
        CHECK_EQ(ret, rows[i].ret);
    }
}

// --- 32 bits ----------------------------------------------------------------------------------------------------------

TEST(import_oci, calls_of_i386_that_other_calls_can_make)
{
    static const char json[] = "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [" ENTRY(
        "\"socket\"", "ALLOW", ARGS(ARG(0, NE, 40))) ", " ENTRY("\"accept\", \"shmat\"", "LOG", "") "]}";
    static const struct {
        enum brig_dsl_call call;
        uint64_t arg;
        uint32_t ret;
    } rows[] = {
        {BRIG_SYS_socket, 2, ALLOW},
        {BRIG_SYS_socket, 40, DENY(1)},
        {BRIG_SYS_socketcall, 1, ALLOW},
        {BRIG_SYS_socketcall, 2, DENY(1)},
        {BRIG_SYS_socketcall, 5, SECCOMP_RET_LOG},
        {BRIG_SYS_ipc, 21, SECCOMP_RET_LOG},
        {BRIG_SYS_ipc, 22, DENY(1)},
        {BRIG_SYS_shmat, 0, SECCOMP_RET_LOG},
    };
    static const enum brig_dsl_arch arch = BRIG_DSL_I386;
    struct import_options options = {.arches = &arch, .arch_count = 1};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct brig_dsl_data data = {.audit_arch = brig_dsl_arch_audit(arch), .args = {rows[i].arg}};
        uint32_t ret = 0;
        data.nr = (uint32_t)brig_dsl_call_nr(rows[i].call, arch);
        test_message("%s", brig_dsl_call_name(rows[i].call));
        REQUIRE(decide(json, &options, &data, &ret));
        CHECK_EQ(ret, rows[i].ret);
    }
    test_message("%s", "");
}

TEST(import_oci, values_of_32_bits)
{
    static const char json[] = "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [" ENTRY(
        READ, "ALLOW",
        ARGS(ARG(0, EQ, 18446744073709551615) ", " MASKED(1, 18446744069414584320, 7) ", " ARG(2, LE, 4294967295))) "]}";
    static const enum brig_dsl_arch arch = BRIG_DSL_ARM;
    struct import_options options = {.arches = &arch, .arch_count = 1};
    struct brig_dsl_data data = {.audit_arch = brig_dsl_arch_audit(arch), .nr = 3, .args = {UINT32_MAX, 9, 9}};
    uint32_t ret = 0;
    REQUIRE(decide(json, &options, &data, &ret));
    CHECK_EQ(ret, ALLOW);
    data.args[0] = 1;
    REQUIRE(decide(json, &options, &data, &ret));
    CHECK_EQ(ret, DENY(1));
}

// --- filters ----------------------------------------------------------------------------------------------------------

TEST(import_oci, includes_and_excludes)
{
    static const struct {
        const char *filters;
        enum brig_dsl_arch arch;
        uint16_t kernel;
        const char *capabilities[3];
        bool applies;
    } rows[] = {
        {"", BRIG_DSL_X86_64, 0, {NULL}, true},
        {", \"includes\": {}, \"excludes\": null", BRIG_DSL_X86_64, 0, {NULL}, true},
        {", \"includes\": {\"arches\": []}", BRIG_DSL_X86_64, 0, {NULL}, true},
        {", \"includes\": {\"arches\": [\"arm\", \"amd64\"]}", BRIG_DSL_X86_64, 0, {NULL}, true},
        {", \"includes\": {\"arches\": [\"arm\", \"amd64\"]}", BRIG_DSL_AARCH64, 0, {NULL}, false},
        {", \"includes\": {\"arches\": [\"x86\"]}", BRIG_DSL_I386, 0, {NULL}, true},
        {", \"includes\": {\"arches\": [\"riscv64\"]}", BRIG_DSL_RISCV64, 0, {NULL}, true},
        {", \"excludes\": {\"arches\": [\"arm64\"]}", BRIG_DSL_AARCH64, 0, {NULL}, false},
        {", \"excludes\": {\"arches\": [\"s390x\"]}", BRIG_DSL_AARCH64, 0, {NULL}, true},
        {", \"includes\": {\"caps\": [\"CAP_BPF\"]}", BRIG_DSL_X86_64, 0, {NULL}, false},
        {", \"includes\": {\"caps\": [\"CAP_BPF\"]}", BRIG_DSL_X86_64, 0, {"CAP_KILL", "CAP_BPF"}, true},
        {", \"includes\": {\"caps\": [\"CAP_BPF\", \"CAP_SYSLOG\"]}", BRIG_DSL_X86_64, 0, {"CAP_BPF"}, false},
        {", \"excludes\": {\"caps\": [\"CAP_BPF\", \"CAP_SYSLOG\"]}", BRIG_DSL_X86_64, 0, {"CAP_BPF"}, false},
        {", \"excludes\": {\"caps\": [\"CAP_BPF\", \"CAP_SYSLOG\"]}", BRIG_DSL_X86_64, 0, {"CAP_KILL"}, true},
        {", \"includes\": {\"minKernel\": \"4.8\"}", BRIG_DSL_X86_64, 0, {NULL}, true},
        {", \"includes\": {\"minKernel\": \"4.8\"}", BRIG_DSL_X86_64, BRIG_DSL_KERNEL(4, 8), {NULL}, true},
        {", \"includes\": {\"minKernel\": \"4.8\"}", BRIG_DSL_X86_64, BRIG_DSL_KERNEL(4, 7), {NULL}, false},
        {", \"includes\": {\"minKernel\": \"4.10\"}", BRIG_DSL_X86_64, BRIG_DSL_KERNEL(4, 9), {NULL}, false},
        {", \"includes\": {\"minKernel\": \"999.0\"}", BRIG_DSL_X86_64, 0, {NULL}, false},
        {", \"excludes\": {\"minKernel\": \"4.8\"}", BRIG_DSL_X86_64, BRIG_DSL_KERNEL(4, 8), {NULL}, false},
        {", \"excludes\": {\"minKernel\": \"4.8\"}", BRIG_DSL_X86_64, BRIG_DSL_KERNEL(3, 20), {NULL}, true},
        {", \"includes\": {\"minKernel\": \"\"}", BRIG_DSL_X86_64, 0, {NULL}, true},
        {", \"includes\": {\"caps\": [\"CAP_BPF\"]}, \"excludes\": {\"arches\": [\"amd64\"]}",
         BRIG_DSL_X86_64,
         0,
         {"CAP_BPF"},
         false},
    };
    char json[1024];
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct import_options options = {.arches = &rows[i].arch, .arch_count = 1, .kernel = rows[i].kernel};
        struct brig_dsl_data data = {.audit_arch = brig_dsl_arch_audit(rows[i].arch)};
        uint32_t ret = 0;
        options.capabilities = rows[i].capabilities;
        while (rows[i].capabilities[options.capability_count] != NULL) {
            options.capability_count++;
        }
        data.nr = (uint32_t)brig_dsl_call_nr(BRIG_SYS_read, rows[i].arch);
        snprintf(json, sizeof json,
                 "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [{\"names\": [\"read\"], \"action\": "
                 "\"SCMP_ACT_ALLOW\"%s}]}",
                 rows[i].filters);
        test_message("%zu: %s", i, rows[i].filters);
        REQUIRE(decide(json, &options, &data, &ret));
        CHECK_EQ(ret, rows[i].applies ? ALLOW : DENY(1));
    }
    test_message("%s", "");
}

// --- arches -----------------------------------------------------------------------------------------------------------

#define MAP \
    "\"archMap\": [{\"architecture\": \"SCMP_ARCH_X86_64\", \"subArchitectures\": [\"SCMP_ARCH_X86\", \"SCMP_ARCH_X32\"]}, " \
    "{\"architecture\": \"SCMP_ARCH_AARCH64\", \"subArchitectures\": [\"SCMP_ARCH_ARM\"]}, " \
    "{\"architecture\": \"SCMP_ARCH_S390X\"}], "

TEST(import_oci, arches)
{
    enum { X = BRIG_DSL_X86_64, I = BRIG_DSL_I386, A = BRIG_DSL_AARCH64, R = BRIG_DSL_ARM, V = BRIG_DSL_RISCV64 };
    static const struct {
        const char *arches;
        int asked[3]; // -1 ends
        int targets[4];
        const char *warning;
    } rows[] = {
        {"", {X, -1}, {X, -1}, NULL},
        {"", {V, A, -1}, {V, A, -1}, NULL},
        {"\"architectures\": null, ", {A, -1}, {A, -1}, NULL},
        {"\"architectures\": [], \"archMap\": [], ", {A, -1}, {A, -1}, NULL},
        {"\"architectures\": [\"SCMP_ARCH_X86_64\", \"SCMP_ARCH_X86\"], ", {X, -1}, {X, -1}, NULL},
        {"\"architectures\": [\"SCMP_ARCH_X86_64\", \"SCMP_ARCH_X86\"], ", {I, X, -1}, {I, X, -1}, NULL},
        {"\"architectures\": [\"SCMP_ARCH_X86_64\"], ",
         {A, -1},
         {A, -1},
         "the profile does not list aarch64; it is served all the "
         "same, as a runtime on such a machine does"},
        {MAP, {R, -1}, {R, -1}, NULL},
        {MAP, {A, A, -1}, {A, -1}, NULL},
        {MAP,
         {V, -1},
         {V, -1},
         "the profile does not list riscv64; it is served all the same, as a runtime on such a machine does"},
    };
    char json[1024];
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum brig_dsl_arch asked[3];
        struct import_options options = {.arches = asked};
        struct import_policies policies;
        for (; rows[i].asked[options.arch_count] >= 0; options.arch_count++) {
            asked[options.arch_count] = (enum brig_dsl_arch)rows[i].asked[options.arch_count];
        }
        snprintf(json, sizeof json, "{%s\"defaultAction\": \"SCMP_ACT_ERRNO\"}", rows[i].arches);
        test_message("%zu", i);
        REQUIRE(import(json, &options, &policies));
        size_t count = 0;
        for (; rows[i].targets[count] >= 0 && CHECK_LT(count, policies.target_count); count++) {
            CHECK_EQ((int)policies.targets[count].arch, rows[i].targets[count]);
        }
        CHECK_EQ(policies.target_count, count);
        CHECK_EQ(policies.warning_count, rows[i].warning == NULL ? 0u : 1u);
        if (rows[i].warning != NULL && policies.warning_count == 1) {
            CHECK_STR_EQ(policies.warnings[0].text, rows[i].warning);
        }
        import_free(&policies);
    }
    test_message("%s", "");
}

TEST(import_oci, all_arches_that_a_profile_has_for_this_machine)
{
    static const char json[] = "{" MAP "\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [" ENTRY(
        "\"arch_prctl\"", "ALLOW", ", \"includes\": {\"arches\": [\"amd64\"]}") "]}";
    static const struct import_options options = {.arch_count = 0};
    static const enum brig_dsl_arch i386 = BRIG_DSL_I386;
    struct brig_dsl_data data = {.audit_arch = brig_dsl_arch_audit(i386)};
    struct import_policies policies;
    uint32_t ret = 0;
    if (brig_dsl_arch_native() != BRIG_DSL_X86_64) {
        return; // elsewhere the map has another machine
    }
    REQUIRE(import(json, &options, &policies));
    CHECK_EQ(policies.target_count, 2u);
    CHECK_EQ((int)policies.targets[0].arch, (int)BRIG_DSL_X86_64);
    CHECK_EQ((int)policies.targets[1].arch, (int)BRIG_DSL_I386);
    REQUIRE(CHECK_EQ(policies.warning_count, 1u));
    CHECK_STR_EQ(policies.warnings[0].text, "SCMP_ARCH_X32 is left out: calls with x32 numbers kill the thread");
    CHECK_EQ(policies.warnings[0].line, 1);
    import_free(&policies);
    // Filters see the machine, in all programs for it.
    data.nr = (uint32_t)brig_dsl_call_nr(BRIG_SYS_arch_prctl, i386);
    REQUIRE(decide(json, &options, &data, &ret));
    CHECK_EQ(ret, ALLOW);
    struct import_options alone = {.arches = &i386, .arch_count = 1};
    REQUIRE(decide(json, &alone, &data, &ret));
    CHECK_EQ(ret, ALLOW);
}

// --- rows -------------------------------------------------------------------------------------------------------------

TEST(import_oci, rows_name_their_lines)
{
    static const char json[] = "{\"linux\": {\"seccomp\": {\n"
                               "\"defaultAction\": \"SCMP_ACT_KILL_PROCESS\",\n"
                               "\"syscalls\": [\n"
                               "  {\"names\": [\"read\"], \"action\": \"SCMP_ACT_ALLOW\"},\n\n"
                               "  {\n"
                               "    \"names\": [\"write\"], \"comment\": \"a \\\"log\\\"\\nof its own\",\n"
                               "    \"action\": \"SCMP_ACT_ALLOW\"}\n]}}}";
    static const enum brig_dsl_arch arch = BRIG_DSL_AARCH64;
    struct import_options options = {.arches = &arch, .arch_count = 1};
    struct import_policies policies;
    REQUIRE(import(json, &options, &policies));
    const struct brig_dsl_row *rows = policies.targets[0].policy->rows;
    CHECK_EQ(rows[0].line, 4);
    CHECK_STR_EQ(rows[0].file, "test.json");
    CHECK_EQ((int)rows[1].kind, (int)BRIG_DSL_ROW_WHY);
    CHECK_STR_EQ(rows[1].why, "a \"log\"\nof its own");
    CHECK_EQ((int)rows[2].call, (int)BRIG_SYS_write);
    CHECK_EQ(rows[2].line, 6);
    CHECK_EQ((int)rows[3].kind, (int)BRIG_DSL_ROW_END);
    CHECK_EQ((int)policies.targets[0].policy->fallback.verb, (int)BRIG_DSL_KILL_PROCESS);
    import_free(&policies);
}
