// tools/bench compiler as its users meet it: every kind of file is measured, the JSON is JSON, and what is wrong has a line of its
// own and leaves the rest alone.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/policies/run_program.h"
#include "tests/shim/test.h"
#include "tests/tools/commands.h"

#define TIMEOUT_MS 280000

#define PROGRAM /* ld [0]; jeq #39, allow; jeq #72, next, deny; ld args[1].lo; jeq #3, allow, deny; allow: ret; deny: ret */ \
    "\x20\0\0\0\0\0\0\0" \
    "\x15\0\3\0\x27\0\0\0" \
    "\x15\0\0\3\x48\0\0\0" \
    "\x20\0\0\0\x18\0\0\0" \
    "\x15\0\0\1\3\0\0\0" \
    "\6\0\0\0\0\0\xff\x7f" \
    "\6\0\0\0\1\0\5\0"

// What a bit decides that is in what is returned: Brig's own check does not follow that, only Z3 does. Two instructions are idle.
#define COMPUTED /* tax; ld args[0].hi; rsh #8; ldx #4; xor #0; jset x, next, end; rsh #16; end: ret a */ \
    "\7\0\0\0\0\0\0\0" \
    "\x20\0\0\0\x14\0\0\0" \
    "\x74\0\0\0\x8\0\0\0" \
    "\1\0\0\0\4\0\0\0" \
    "\xa4\0\0\0\0\0\0\0" \
    "\x4d\0\0\1\0\0\0\0" \
    "\x74\0\0\0\x10\0\0\0" \
    "\x16\0\0\0\0\0\0\0"

// Policies that allow getpid, and fcntl with one command.
static const struct {
    const char *name;
    const char *kind;
    const char *text;
    size_t bytes; // 0: a string
} files[] = {
    {"container.json", "oci",
     "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [{\"names\": [\"getpid\"], \"action\": \"SCMP_ACT_ALLOW\"}, {\"names\": "
     "[\"fcntl\"], \"action\": \"SCMP_ACT_ALLOW\", \"args\": [{\"index\": 1, \"value\": 3, \"op\": \"SCMP_CMP_EQ\"}]}]}",
     0},
    {"jail.policy", "minijail", "getpid: 1\nfcntl: arg1 == F_GETFL\n", 0},
    {"program.bpf", "raw", PROGRAM, sizeof PROGRAM - 1},
};

static bool write_bytes(const char *folder, const char *name, const char *text, size_t bytes)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *out = fopen(path, "wbe");
    const bool is_written = out && fwrite(text, 1, bytes, out) == bytes;
    return out && fclose(out) == 0 && is_written;
}

static bool write_file(const char *folder, size_t index)
{
    const size_t bytes = files[index].bytes ? files[index].bytes : strlen(files[index].text);
    return write_bytes(folder, files[index].name, files[index].text, bytes);
}

static void remove_folder(const char *folder)
{
    struct run_result result;
    const char *const removal[] = {"rm", "-rf", folder, NULL};
    if (run_program(removal, TIMEOUT_MS, &result)) {
        free(result.output);
    }
}

// What the JSON says of one policy's compiler.
static json_t *find_result(const json_t *json, const char *name, const char *compiler)
{
    size_t i, j;
    json_t *policy, *result;
    json_array_foreach(json_object_get(json, "policies"), i, policy)
    {
        json_array_foreach(json_object_get(policy, "results"), j, result)
        {
            if (strcmp(json_string_value(json_object_get(policy, "name")), name) == 0 &&
                strcmp(json_string_value(json_object_get(result, "compiler")), compiler) == 0) {
                return result;
            }
        }
    }
    return NULL;
}

static void check_result(const json_t *json, const char *name, const char *compiler)
{
    json_t *result = find_result(json, name, compiler);
    test_message("%s by %s", name, compiler);
    CHECK(json_integer_value(json_object_get(result, "insns")) > 0);
    CHECK(json_integer_value(json_object_get(result, "ebpf_insns")) > 0);
    CHECK(json_real_value(json_object_get(json_object_get(result, "by_arguments_ebpf"), "cost")) > 0);
    test_message("%s", "");
}

static void check_json(const char *path)
{
    json_error_t error;
    json_t *json = json_load_file(path, 0, &error);
    test_message("%s", error.text);
    REQUIRE(json != NULL);
    test_message("%s", "");
    CHECK_STR_EQ(json_string_value(json_object_get(json, "schema")), "brig-bench-compiler-1");
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        check_result(json, files[i].name, "brig");
        check_result(json, files[i].name, strcmp(files[i].kind, "raw") == 0 ? "input" : "libseccomp-2");
    }
    check_result(json, "container", "libseccomp-1");
    CHECK(json_real_value(json_object_get(find_result(json, "container", "libseccomp-1"), "denied_over_brig")) > 0);
    check_result(json, "dense", "brig");
    CHECK(json_array_size(json_object_get(json, "aims")) > 0);
    json_decref(json);
}

TEST(bench, compiles_every_kind)
{
    char folder[] = "/tmp/brig-bench-test-XXXXXX", json[64];
    struct run_result result;
    REQUIRE(mkdtemp(folder) != NULL);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        CHECK(write_file(folder, i));
    }
    snprintf(json, sizeof json, "%s/result.txt", folder);
    const char *const argv[] = {"@brig_bench", "compiler", folder, "--json", json, NULL};
    if (run_program(argv, TIMEOUT_MS, &result)) {
        test_message("%s", result.output);
        CHECK_EQ(result.wait_status, 0);
        test_message("%s", "");
        CHECK(strstr(result.output, "container.json (oci)") != NULL);
        CHECK(strstr(result.output, "1000 values: compile time in ms") != NULL);
        free(result.output);
        check_json(json);
    }
    remove_folder(folder);
}

// --- what is wrong ----------------------------------------------------------------------------------------------------

// What stands in a folder beside a policy, and what is said of it, behind the folder's name.
static const struct {
    const char *name;
    enum { TEXT, FOLDER, FIFO, LINK, HUGE } is;
    const char *text;
    const char *says;
} wrong[] = {
    {"call.policy", TEXT, "getpid: 1\nraed: 1\n", "call.policy:2:1: there is no system call 'raed'; did you mean 'read'?"},
    {"cut.json", TEXT, "{\"defaultAction\":\n", "cut.json:"},
    {"empty.bpf", TEXT, "", "empty.bpf: not an array of 8-byte instructions: it has 0 bytes"},
    {"fifo.policy", FIFO, "", "fifo.policy: not a regular file"},
    {"folder.json", FOLDER, "", "folder.json: not a regular file"},
    {"huge.json", HUGE, "", "huge.json: bigger than 16 MiB"},
    {"huge.policy", HUGE, "", "huge.policy: bigger than 16 MiB"},
    {"line\nbreak.bpf", TEXT, "12345678",
     "line?break.bpf: the kernel would refuse instruction 0: an opcode that seccomp does not take"},
    {"nothing.json", LINK, "/nonexistent", "nothing.json: No such file or directory"},
    {"nothing.policy", TEXT, "@include ./none\n", "nothing.policy:1:10:"},
    {"odd.bpf", TEXT, "123456789", "odd.bpf: not an array of 8-byte instructions: it has 9 bytes"},
    {"single.bpf", TEXT, "1", "single.bpf: not an array of 8-byte instructions: it has 1 byte"},
    {"\xff.bpf", FIFO, "", "?.bpf: not a regular file"},
};

static bool make_wrong(const char *folder, size_t index)
{
    enum { HUGE_BYTES = 17 << 20 };
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, wrong[index].name);
    switch (wrong[index].is) {
    case FOLDER:
        return mkdir(path, 0700) == 0;
    case FIFO:
        return mkfifo(path, 0600) == 0;
    case LINK:
        return symlink(wrong[index].text, path) == 0;
    case HUGE:
        return write_bytes(folder, wrong[index].name, "", 0) && truncate(path, HUGE_BYTES) == 0;
    default:
        return write_bytes(folder, wrong[index].name, wrong[index].text, strlen(wrong[index].text));
    }
}

// Each is named twice: on standard error when it is met, and at the end of the table.
static void check_wrong(const char *folder, const char *output)
{
    char said[512];
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        snprintf(said, sizeof said, "bench: %s/%s", folder, wrong[i].says);
        test_message("%s", wrong[i].says);
        CHECK(strstr(output, said) != NULL);
        snprintf(said, sizeof said, "\n  %s/%s", folder, wrong[i].says);
        CHECK(strstr(output, said) != NULL);
    }
    test_message("%s", "");
    CHECK(strstr(output, "size over the smaller program of libseccomp, mean of") != NULL);
}

static void check_wrong_json(const char *path)
{
    json_t *json = json_load_file(path, 0, NULL);
    REQUIRE(json != NULL);
    CHECK_EQ(json_array_size(json_object_get(json, "left_out")), COUNT_OF(wrong));
    check_result(json, "jail.policy", "brig");
    check_result(json, "computed.bpf", "brig");
    CHECK(json_real_value(json_object_get(find_result(json, "computed.bpf", "brig"), "proof_ms")) > 0);
    json_decref(json);
}

TEST(bench, leaves_out_what_is_wrong)
{
    char folder[] = "/tmp/brig-bench-test-XXXXXX", json[64];
    struct run_result result;
    REQUIRE(mkdtemp(folder) != NULL);
    CHECK(write_file(folder, 1));
    CHECK(write_bytes(folder, "computed.bpf", COMPUTED, sizeof COMPUTED - 1));
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        CHECK(make_wrong(folder, i));
    }
    snprintf(json, sizeof json, "%s/result.txt", folder);
    const char *const argv[] = {"@brig_bench", "compiler", folder, "--json", json, NULL};
    if (run_program(argv, TIMEOUT_MS, &result)) {
        test_message("%s", result.output);
        CHECK(WIFEXITED(result.wait_status) && WEXITSTATUS(result.wait_status) == 1);
        test_message("%s", "");
        check_wrong(folder, result.output);
        free(result.output);
        check_wrong_json(json);
    }
    remove_folder(folder);
}

// Under a filter that refuses others (seccomp is call 317 on x86_64, 277 by the numbers of arm64 and riscv64) no call is timed.
TEST(bench, says_what_was_not_measured)
{
    static const struct command rows[] = {
        {"python3 -c \"import ctypes, os, struct; nr = 317 if os.uname().machine == 'x86_64' else 277; "
         "code = b''.join(struct.pack('<HBBI', *row) for row in ((32, 0, 0, 0), (21, 0, 1, nr), (6, 0, 0, 0x50001), (6, 0, 0, 0x7fff0000))); "
         "kept = ctypes.create_string_buffer(code); libc = ctypes.CDLL(None); libc.prctl(38, 1, 0, 0, 0); "
         "libc.prctl(22, 2, struct.pack('HxxxxxxQ', 4, ctypes.addressof(kept))); os.execvp('brig_bench', ['brig_bench', 'compiler'])\"",
         1,
         {"bench: renderer: a filter could not be installed: Operation not permitted", "beyond noise  ", " 0.000  not measured\n"}},
    };
    check_commands(rows, COUNT_OF(rows));
}

// Nothing of this takes as long as a measurement.
TEST(bench, says_what_is_wrong_with_arguments_at_once)
{
    static const struct command rows[] = {
        {"brig_bench --help", 0, {"usage: tools/bench [GROUP...]", "  compiler policies through Brig and libseccomp"}},
        {"brig_bench compile nothing", 2, {"bench: there is no group 'nothing'"}},
        {"brig_bench --nothing", 2, {"bench: there is no option '--nothing'"}},
        {"brig_bench compile compiler --help", 0, {"usage: tools/bench [GROUP...] compiler [DIR]"}},
        {"brig_bench compile compiler --json", 2, {"bench: --json needs a file behind it"}},
        {"brig_bench compiler --programs=", 2, {"bench: --programs needs a directory behind it"}},
        {"brig_bench compiler --nothing", 2, {"bench: '--nothing' is no option of compiler"}},
        {"brig_bench compiler /tmp compile", 2, {"bench: 'compile' is one directory too many; groups stand before compiler"}},
        {"brig_bench compiler /nonexistent", 2, {"bench: cannot list '/nonexistent': No such file or directory"}},
        {"brig_bench compiler --json /nonexistent/x", 2, {"bench: cannot write '/nonexistent/x': No such file or directory"}},
        {"brig_bench compile compiler --json=/tmp", 2, {"bench: cannot write '/tmp': Is a directory"}},
        {"brig_bench compiler --programs /nonexistent", 2, {"bench: cannot write programs to '/nonexistent'"}},
        {"brig_bench compiler --profile /nonexistent", 2, {"bench: /nonexistent: cannot read it: No such file or directory"}},
    };
    check_commands(rows, COUNT_OF(rows));
}
