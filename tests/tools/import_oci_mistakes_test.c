// OCI profiles that are wrong: what each mistake is told, and where; and what is no mistake but worth a warning.
#include <stdio.h>
#include <string.h>

#include "tests/shim/test.h"
#include "tools/import/import.h"

#define EQ(index, value) "{\"index\": " #index ", \"value\": " #value ", \"op\": \"SCMP_CMP_EQ\"}"

struct mistake {
    const char *json;
    const char *text;
};

#define SYSCALLS(entries) "{\"defaultAction\": \"SCMP_ACT_ALLOW\",\n\"syscalls\": [\n" entries "]}"
#define READ "{\"names\": [\"read\"], \"action\": \"SCMP_ACT_ERRNO\""
#define WITH(member) SYSCALLS(READ ",\n " member "}")
#define ARG(members) WITH("\"args\": [{" members "}]")

static const struct mistake mistakes[] = {
    // No JSON.
    {"", "p.json:1: not JSON: unexpected token near end of file"},
    {"5", "p.json: not a profile: it is a number, not an object"},
    {"{\"a\": \"\\u0000\"}", "p.json:1:14: a string with \\u0000 in it"},
    {"[]", "p.json: not a profile: it is an array, not an object"},
    {"{\"defaultAction\": }", "p.json:1:19: not JSON: unexpected token near '}'"},
    {"{\n\"a\": 1e999}", "p.json:2:10: not JSON: real number overflow near '1e999'"},
    {"{}\n}", "p.json:2:1: not JSON: end of file expected near '}'"},
    {"{\"syscalls\": [], \"syscalls\": []}",
     "p.json:1:27: duplicate object key near '\"syscalls\"': which one counts, readers of JSON do not agree on"},
    {SYSCALLS(READ ",\n \"action\": \"\"}"),
     "p.json:4:9: duplicate object key near '\"action\"': which one counts, readers of JSON do not agree on"},
    {"{\"defaultAction\": \"\xff\"}", "p.json:1:19: not JSON: unable to decode byte 0xff near '\"'"},
    // The profile.
    {"{}", "p.json:1:1: a profile without 'defaultAction'"},
    {"{\"linux\": {}}", "p.json:1:11: there is no object 'linux.seccomp'"},
    {"{\"linux\": []}", "p.json:1:11: there is no object 'linux.seccomp'"},
    {"{\"linux\": {\"seccomp\": {\n \"defaultaction\": \"\"}}}",
     "p.json:2:2: a profile has no key 'defaultaction'; did you mean 'defaultAction'?"},
    {"{\"zzz\": 1}", "p.json:1:2: a profile has no key 'zzz'"},
    {"{\"defaultAction\": 7}", "p.json:1:19: 'defaultAction' is a number, not a string"},
    {"{\"defaultAction\": \"SCMP_ACT_ALOW\"}", "p.json:1:19: there is no action 'SCMP_ACT_ALOW'; did you mean 'SCMP_ACT_ALLOW'?"},
    {"{\"defaultAction\": \"allow\"}", "p.json:1:19: there is no action 'allow'"},
    {"{\"defaultAction\": \"SCMP_ACT_NOTIFY\"}", "p.json:1:19: SCMP_ACT_NOTIFY cannot be the default action"},
    {"{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrnoRet\": 4096}",
     "p.json:1:56: 'defaultErrnoRet' is a whole number from 0 to 4095, not 4096"},
    {"{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrno\": \"ENOSY\"}",
     "p.json:1:53: there is no errno 'ENOSY'; did you mean 'ENOSR'?"},
    {"{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrno\": \"ENOSYS\", \"defaultErrnoRet\": 1}",
     "p.json:1:53: 'defaultErrno' and 'defaultErrnoRet' contradict each other"},
    {"{\"defaultAction\": \"SCMP_ACT_LOG\",\n\"flags\": [\"SECCOMP_FILTER_FLAG_TSINC\"]}",
     "p.json:2:11: there is no flag 'SECCOMP_FILTER_FLAG_TSINC'; did you mean 'SECCOMP_FILTER_FLAG_TSYNC'?"},
    {"{\"defaultAction\": \"SCMP_ACT_LOG\",\n\"listenerMetadata\": \"x\"}",
     "p.json:2:21: 'listenerMetadata' without 'listenerPath'"},
    {"{\"defaultAction\": \"SCMP_ACT_LOG\",\n\"listenerPath\": \"/x\"}",
     "p.json:2:17: 'listenerPath' without an entry whose action is SCMP_ACT_NOTIFY"},
    // Arches.
    {"{\"defaultAction\": \"SCMP_ACT_LOG\", \"architectures\": [\"SCMP_ARCH_X86_46\"]}",
     "p.json:1:53: there is no arch 'SCMP_ARCH_X86_46'; did you mean 'SCMP_ARCH_X86_64'?"},
    {"{\"defaultAction\": \"SCMP_ACT_LOG\", \"architectures\": [1]}",
     "p.json:1:53: an element of 'architectures' is a number, not a string"},
    {"{\"defaultAction\": \"SCMP_ACT_LOG\", \"archMap\": [{\"arch\": \"\"}]}",
     "p.json:1:48: an entry of 'archMap' has no key 'arch'"},
    {"{\"defaultAction\": \"SCMP_ACT_LOG\", \"archMap\": [{}]}", "p.json:1:47: an entry of 'archMap' without 'architecture'"},
    {"{\"defaultAction\": \"SCMP_ACT_LOG\", \"archMap\": [{\"architecture\": \"SCMP_ARCH_ARM\", \"subArchitectures\": [\"ARM\"]}]}",
     "p.json:1:102: there is no arch 'ARM'"},
    {"{\"defaultAction\": \"SCMP_ACT_LOG\", \"architectures\": [\"SCMP_ARCH_ARM\"],\n"
     "\"archMap\": [{\"architecture\": \"SCMP_ARCH_ARM\"}]}",
     "p.json:2:12: 'architectures' and 'archMap' are both given"},
    // Entries.
    {SYSCALLS("7"), "p.json:3:1: an element of 'syscalls' is a number, not an object"},
    {SYSCALLS("{}"), "p.json:3:1: an entry of 'syscalls' without names"},
    {SYSCALLS("{\"names\": []}"), "p.json:3:1: an entry of 'syscalls' without names"},
    {SYSCALLS("{\"names\": [\"read\"]}"), "p.json:3:1: an entry of 'syscalls' without 'action'"},
    {SYSCALLS("{\"names\": [\"read\"], \"name\": \"read\"}"), "p.json:3:29: 'name' and 'names' are both given"},
    {SYSCALLS("{\"names\": \"read\"}"), "p.json:3:11: 'names' is a string, not an array"},
    {SYSCALLS("{\"names\": [\"read\",\n  \"wrote\"]}"), "p.json:4:3: there is no system call 'wrote'; did you mean 'write'?"},
    {SYSCALLS("{\"names\": [\"\"]}"), "p.json:3:12: there is no system call ''"},
    {SYSCALLS("{\"names\": [\"nosuchcallanywhere\"]}"), "p.json:3:12: there is no system call 'nosuchcallanywhere'"},
    {WITH("\"arg\": []"), "p.json:4:2: an entry of 'syscalls' has no key 'arg'; did you mean 'args'?"},
    {WITH("\"errnoRet\": 1.5"), "p.json:4:14: 'errnoRet' is a whole number from 0 to 4095, not 1.5"},
    {WITH("\"errnoRet\": \"EPERM\""), "p.json:4:14: 'errnoRet' is a string, not a number"},
    {WITH("\"errno\": \"O_RDONLY\""), "p.json:4:11: there is no errno 'O_RDONLY'"},
    {SYSCALLS("{\"names\": [\"write\"], \"action\": \"SCMP_ACT_NOTIFY\"}"),
     "p.json:3:12: SCMP_ACT_NOTIFY cannot be the action of write: a runtime sends the listener with it"},
    // Arguments.
    {WITH("\"args\": [3]"), "p.json:4:11: an element of 'args' is a number, not an object"},
    {ARG(""), "p.json:4:11: an argument without 'index'"},
    {ARG("\"index\": 0"), "p.json:4:11: an argument without 'value'"},
    {ARG("\"index\": 0, \"value\": 0"), "p.json:4:11: an argument without 'op'"},
    {ARG("\"index\": 6, \"value\": 0, \"op\": \"SCMP_CMP_EQ\""), "p.json:4:21: 'index' is a whole number from 0 to 5, not 6"},
    {ARG("\"index\": 0, \"value\": -1, \"op\": \"SCMP_CMP_EQ\""),
     "p.json:4:33: 'value' is a whole number from 0 to 18446744073709551615, not -1"},
    {ARG("\"index\": 0, \"value\": 18446744073709551616, \"op\": \"SCMP_CMP_EQ\""),
     "p.json:4:33: 'value' is a whole number from 0 to 18446744073709551615, not 18446744073709551616"},
    {ARG("\"index\": 0, \"value\": 1e3, \"op\": \"SCMP_CMP_EQ\""),
     "p.json:4:33: 'value' is a whole number from 0 to 18446744073709551615, not 1e3"},
    {ARG("\"index\": 0, \"value\": 0, \"valueTwo\": true, \"op\": \"SCMP_CMP_EQ\""),
     "p.json:4:48: 'valueTwo' is true or false, not a number"},
    {ARG("\"index\": 0, \"value\": 0, \"valuetwo\": 1, \"op\": \"SCMP_CMP_EQ\""),
     "p.json:4:36: an argument has no key 'valuetwo'; did you mean 'valueTwo'?"},
    {ARG("\"index\": 0, \"value\": 0, \"op\": \"SCMP_CMP_EQUAL\""),
     "p.json:4:42: there is no operator 'SCMP_CMP_EQUAL'; did you mean 'SCMP_CMP_EQ'?"},
    // Filters.
    {WITH("\"includes\": []"), "p.json:4:14: 'includes' is an array, not an object"},
    {WITH("\"includes\": {\"arch\": []}"), "p.json:4:15: a filter has no key 'arch'; did you mean 'arches'?"},
    {WITH("\"includes\": {\"arches\": [\"x86_64\"]}"), "p.json:4:26: there is no arch 'x86_64'; did you mean 'x86'?"},
    {WITH("\"excludes\": {\"caps\": [\"CAP_SYS_ADMN\"]}"),
     "p.json:4:24: there is no capability 'CAP_SYS_ADMN'; did you mean 'CAP_SYS_ADMIN'?"},
    {WITH("\"excludes\": {\"minKernel\": \"4.x\"}"), "p.json:4:28: 'minKernel' is a version as in 4.8, not '4.x'"},
    {WITH("\"excludes\": {\"minKernel\": \"4.8.1\"}"), "p.json:4:28: 'minKernel' is a version as in 4.8, not '4.8.1'"},
    {WITH("\"excludes\": {\"minKernel\": 4.8}"), "p.json:4:28: 'minKernel' is a number, not a string"},
};

TEST(import_oci_mistakes, are_told_where_and_what)
{
    static const enum brig_dsl_arch arch = BRIG_DSL_X86_64;
    static const struct import_options options = {.arches = &arch, .arch_count = 1};
    for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
        struct import_source source = {.name = "p.json", .text = mistakes[i].json, .text_bytes = strlen(mistakes[i].json)};
        struct import_policies policies;
        struct import_error error;
        char text[IMPORT_ERROR_TEXT_BYTES];
        test_message("%s", mistakes[i].json);
        if (import_oci(&source, &options, &policies, &error)) {
            CHECK(false);
            import_free(&policies);
            continue;
        }
        CHECK_STR_EQ(import_error_format(&error, text, sizeof text), mistakes[i].text);
    }
    test_message("%s", "");
}

TEST(import_oci_mistakes, a_capability_that_is_none)
{
    static const char *const capabilities[] = {"CAP_KILL", "CAP_SYS_ADMN"};
    static const char json[] = "{\"defaultAction\": \"SCMP_ACT_LOG\"}";
    struct import_options options = {.capabilities = capabilities, .capability_count = 2};
    struct import_source source = {.name = "p.json", .text = json, .text_bytes = strlen(json)};
    struct import_policies policies;
    struct import_error error;
    char text[IMPORT_ERROR_TEXT_BYTES];
    REQUIRE(!import_oci(&source, &options, &policies, &error));
    CHECK_STR_EQ(import_error_format(&error, text, sizeof text),
                 "--cap: there is no capability 'CAP_SYS_ADMN'; did you mean 'CAP_SYS_ADMIN'?");
}

TEST(import_oci_mistakes, warnings)
{
    static const struct {
        enum brig_dsl_arch arch;
        const char *json;
        int line;
        const char *text;
    } rows[] = {
        {BRIG_DSL_X86_64, SYSCALLS(READ "}"), 0, NULL},
        {BRIG_DSL_X86_64, "{\"defaultAction\": \"SCMP_ACT_LOG\",\n\n\"flags\": [\"SECCOMP_FILTER_FLAG_LOG\"]}", 3,
         "SECCOMP_FILTER_FLAG_LOG is for who installs the program, and not in the program"},
        {BRIG_DSL_X86_64,
         "{\"defaultAction\": \"SCMP_ACT_LOG\",\n\n\"flags\": [\"SECCOMP_FILTER_FLAG_LOG\", \"SECCOMP_FILTER_FLAG_TSYNC\", "
         "\"SECCOMP_FILTER_FLAG_LOG\"]}",
         3, "SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_TSYNC are for who installs the program, and not in the program"},
        {BRIG_DSL_X86_64, "{\"defaultAction\": \"SCMP_ACT_TRAP\",\n\"defaultErrnoRet\": 3}", 2,
         "'defaultErrnoRet' does nothing with SCMP_ACT_TRAP"},
        {BRIG_DSL_X86_64, SYSCALLS("{\"names\": [\"read\"], \"action\": \"SCMP_ACT_NOTIFY\"}"), 0,
         "there is no 'listenerPath': who installs the program has to answer what SCMP_ACT_NOTIFY asks"},
        {BRIG_DSL_X86_64, SYSCALLS("{\"names\": [\"s390_sthyi\", \"read\", \"spu_run\"], \"action\": \"SCMP_ACT_ERRNO\"}"), 0,
         "2 names of calls that only other arches have are left out, the first is s390_sthyi"},
        {BRIG_DSL_X86_64,
         SYSCALLS(READ
                  ", \"args\": [" EQ(0, 1) "]},\n{\"names\": [\"read\"], \"action\": \"SCMP_ACT_LOG\", \"args\": [" EQ(1, 1) "]}"),
         4,
         "for read, line 3 may hold too, with another action; which one counts is not documented, libseccomp 2.5 mostly takes the same one"},
        {BRIG_DSL_X86_64,
         SYSCALLS(READ
                  ", \"args\": [" EQ(0, 1) "]},\n{\"names\": [\"read\"], \"action\": \"SCMP_ACT_LOG\", \"args\": [" EQ(0, 2) "]}"),
         0, NULL},
        {BRIG_DSL_X86_64, SYSCALLS(READ ", \"args\": [" EQ(0, 1) "]},\n{\"names\": [\"read\"], \"action\": \"SCMP_ACT_LOG\"}"), 0,
         NULL},
        {BRIG_DSL_I386,
         SYSCALLS("{\"names\": [\"bind\"], \"action\": \"SCMP_ACT_ERRNO\",\n"
                  "\"args\": [{\"index\": 0, \"value\": 1, \"op\": \"SCMP_CMP_EQ\"}]}"),
         3, "on i386 bind can be made by socketcall, with its arguments in memory, where no filter sees them"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct import_options options = {.arches = &rows[i].arch, .arch_count = 1};
        struct import_source source = {.name = "p.json", .text = rows[i].json, .text_bytes = strlen(rows[i].json)};
        struct import_policies policies;
        struct import_error error;
        test_message("%s", rows[i].json);
        REQUIRE(import_oci(&source, &options, &policies, &error));
        CHECK_EQ(policies.warning_count, rows[i].text == NULL ? 0u : 1u);
        if (policies.warning_count == 1 && rows[i].text != NULL) {
            CHECK_STR_EQ(policies.warnings[0].text, rows[i].text);
            CHECK_STR_EQ(policies.warnings[0].file, "p.json");
            CHECK_EQ(policies.warnings[0].line, rows[i].line);
        }
        import_free(&policies);
    }
    test_message("%s", "");
}
