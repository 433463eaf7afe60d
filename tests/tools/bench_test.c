// tools/bench compiler as its users meet it: every kind of file is measured, and the JSON is JSON.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/policies/run_program.h"
#include "tests/shim/test.h"

#define TIMEOUT_MS 280000

#define PROGRAM /* ld [0]; jeq #39, allow; jeq #72, next, deny; ld args[1].lo; jeq #3, allow, deny; allow: ret; deny: ret */ \
    "\x20\0\0\0\0\0\0\0" \
    "\x15\0\3\0\x27\0\0\0" \
    "\x15\0\0\3\x48\0\0\0" \
    "\x20\0\0\0\x18\0\0\0" \
    "\x15\0\0\1\3\0\0\0" \
    "\6\0\0\0\0\0\xff\x7f" \
    "\6\0\0\0\1\0\5\0"

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

static bool write_file(const char *folder, size_t index)
{
    char path[256];
    const size_t bytes = files[index].bytes ? files[index].bytes : strlen(files[index].text);
    snprintf(path, sizeof path, "%s/%s", folder, files[index].name);
    FILE *out = fopen(path, "wbe");
    const bool is_written = out && fwrite(files[index].text, 1, bytes, out) == bytes;
    return out && fclose(out) == 0 && is_written;
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
    const char *const removal[] = {"rm", "-rf", folder, NULL};
    if (run_program(removal, TIMEOUT_MS, &result)) {
        free(result.output);
    }
}
