// Policies of promises, on the command line and under the prover: with each promise more a policy allows what it allowed before,
// for every input, and its optimised program is its plain one.
#include <linux/filter.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bpf_dsl/rules.h"
#include "policies/policies.h"
#include "tests/policies/run_program.h"
#include "tests/shim/codes.h"
#include "tests/shim/test.h"
#include "tests/tools/commands.h"
#include "tools/prove/prove.h"

enum { TIMEOUT_MS = 60000 };

static unsigned char arenas[2][BRIG_DSL_ARENA_BYTES];

static struct prove_program compile(const char *promises, enum brig_dsl_arch arch, bool is_plain, unsigned char *memory)
{
    static struct brig_policy_pledge_memory pledge;
    struct brig_dsl_options options = {.arch = arch, .self_pid = 4242, .notify_fd = 3, .plain = is_plain};
    const struct brig_dsl_policy *policy;
    struct brig_dsl_arena arena;
    struct brig_dsl_program program = {.insn_count = 0};
    struct brig_error error;
    brig_dsl_arena_init(&arena, memory, BRIG_DSL_ARENA_BYTES);
    if (CHECK_OK(brig_policy_pledge(promises, &pledge, &policy, &error), &error)) {
        CHECK_OK(brig_dsl_compile(policy, &options, &arena, &program, &error), &error);
    }
    return (struct prove_program){program.insns, program.insn_count};
}

static bool resolve(const char *promises, enum brig_dsl_arch arch, unsigned char *memory, struct brig_dsl_rules *ret_rules)
{
    static struct brig_policy_pledge_memory pledge;
    struct brig_dsl_options options = {.arch = arch, .self_pid = 4242, .notify_fd = 3};
    const struct brig_dsl_policy *policy;
    struct brig_dsl_arena arena;
    struct brig_error error;
    brig_dsl_arena_init(&arena, memory, BRIG_DSL_ARENA_BYTES);
    return CHECK_OK(brig_policy_pledge(promises, &pledge, &policy, &error), &error) &&
           CHECK_OK(brig_dsl_resolve(policy, &options, &arena, ret_rules, &error), &error);
}

static void check_subset(const char *fewer, const char *more, enum brig_dsl_arch arch, enum prove_answer expected)
{
    struct prove_result result;
    struct prove_question question = {
        .programs = {compile(fewer, arch, false, arenas[0]), compile(more, arch, false, arenas[1])},
        .relation = PROVE_SUBSET,
        .timeout_ms = TIMEOUT_MS,
    };
    test_message("'%s' within '%s', %s", fewer, more, brig_dsl_arch_name(arch));
    REQUIRE(question.programs[0].insn_count > 0 && question.programs[1].insn_count > 0);
    CHECK_EQ(prove_run(&question, &result), expected);
}

TEST(pledge, a_promise_more_allows_no_less_is_proven)
{
    char all[400] = "";
    for (const struct brig_policy_promise *promise = brig_policy_all_promises; promise->name; promise++) {
        char one[40];
        char before[400];
        snprintf(one, sizeof one, "stdio %s", promise->name);
        snprintf(before, sizeof before, "%s", all);
        snprintf(all, sizeof all, "%s %s", before, promise->name);
        check_subset("stdio", one, BRIG_DSL_ARM, PROVE_HOLDS);
        check_subset(before, all, BRIG_DSL_X86_64, PROVE_HOLDS);
    }
    check_subset("stdio rpath", "stdio", BRIG_DSL_X86_64, PROVE_FAILS);
    check_subset("stdio wpath", "stdio rpath cpath", BRIG_DSL_X86_64, PROVE_FAILS);
    test_message("%s", "");
}

TEST(pledge, programs_equal_their_plain_forms)
{
    char all[400] = "";
    size_t used = 0;
    for (const struct brig_policy_promise *promise = brig_policy_all_promises; promise->name; promise++) {
        if (strcmp(promise->name, "error") != 0) {
            used += (size_t)snprintf(all + used, sizeof all - used, " %s", promise->name);
        }
    }
    const char *const sets[] = {"", "stdio error", all};
    for (size_t i = 0; i < COUNT_OF(sets) * BRIG_DSL_ARCH_COUNT; i++) {
        const char *promises = sets[i / BRIG_DSL_ARCH_COUNT];
        enum brig_dsl_arch arch = (enum brig_dsl_arch)(i % BRIG_DSL_ARCH_COUNT);
        struct prove_result result;
        struct prove_question question = {
            .programs = {compile(promises, arch, false, arenas[0]), compile(promises, arch, true, arenas[1])},
            .relation = PROVE_EQUAL,
            .timeout_ms = TIMEOUT_MS,
        };
        test_message("'%s', %s", promises, brig_dsl_arch_name(arch));
        REQUIRE(question.programs[0].insn_count > 0 && question.programs[1].insn_count > 0);
        CHECK_EQ(prove_run(&question, &result), PROVE_HOLDS);
    }
    test_message("%s", "");
}

// Where promises overlap, rows stand behind others that decide the same: none of that may be left in a program.
TEST(pledge, programs_are_their_rows_and_every_branch_is_taken)
{
    static const struct {
        const char *promises;
        enum brig_dsl_arch arch;
    } rows[] = {
        {"stdio rpath wpath cpath tmppath unveil", BRIG_DSL_X86_64},
        {"stdio inet mcast unix dns route sendfd", BRIG_DSL_ARM},
        {"stdio proc tty ps id prot_exec flock error", BRIG_DSL_AARCH64},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        static unsigned char taken[BPF_MAXINSNS];
        struct prove_result result;
        struct prove_reached reached;
        struct brig_dsl_rules rules;
        struct prove_program program = compile(rows[i].promises, rows[i].arch, false, arenas[0]);
        test_message("'%s', %s", rows[i].promises, brig_dsl_arch_name(rows[i].arch));
        REQUIRE(program.insn_count > 0 && resolve(rows[i].promises, rows[i].arch, arenas[1], &rules));
        struct prove_rules_question question = {.program = program, .rules = &rules, .rules_count = 1, .timeout_ms = TIMEOUT_MS};
        CHECK_EQ(prove_rules_run(&question, &result), PROVE_HOLDS);
        memset(taken, 0, sizeof taken);
        CHECK_EQ(prove_reach(&program, TIMEOUT_MS, taken, &reached), PROVE_HOLDS);
    }
    test_message("%s", "");
}

TEST(pledge, every_verb_takes_promises)
{
    static const struct command rows[] = {
        {"brig compile 'pledge:stdio rpath' --stats", 0, {"pledge:stdio rpath", "cached_allow"}},
        {"brig compile pledge: --stats", 0, {"pledge:"}},
        {"brig compile pledge:stdio -a aarch64 --format=raw | brig disasm -a aarch64 - | head -n 1", 0, {"ld [4]"}},
        {"test \"$(brig compile 'pledge:rpath  stdio rpath' --format=raw | cksum)\" = \"$(brig compile 'pledge:stdio rpath' "
         "--format=raw | cksum)\"",
         0,
         {""}},
        {"echo stdio rpath | brig compile --from=pledge --stats -", 0, {"cached_allow"}},
        {"printf 'stdio\\0rpath' | brig compile --from=pledge -", 2, {"'-' is not a text"}},
        {"file=$(mktemp --suffix=.pledge); printf 'stdio\\ninet\\n' > $file; brig emu -q $file socket AF_INET SOCK_STREAM 0; "
         "status=$?; rm $file; exit $status",
         0,
         {"ALLOW\n"}},
        // Files have lines and comments, and mistakes in them a place.
        {"printf '# reads\\nstdio # and\\n\\trpath\\n#' | brig emu -q --from=pledge - openat AT_FDCWD /etc/passwd O_RDONLY",
         0,
         {"ALLOW\n"}},
        {"printf 'stdio\\r\\nrpath\\r' | brig emu -q --from=pledge - openat AT_FDCWD /etc/passwd O_RDONLY", 0, {"ALLOW\n"}},
        {"printf '# rpth\\nstdio rpth # rpath\\n' | brig compile --from=pledge -",
         2,
         {"brig compile: <stdin>:2:7: there is no promise 'rpth'; did you mean 'rpath'?\n"}},
        {"printf 'stdio\\nvmm' | brig compile --from=pledge -",
         2,
         {"<stdin>:2:1: there is no promise 'vmm'; known are stdio rpath"}},
        {"brig compile 'pledge:stdio # rpath'", 2, {"brig compile: there is no promise '#'; known are"}},
        {"brig explain pledge:stdio ioctl openat", 0, {"pledge:stdio (x86_64, ", "DENY(ENOTTY)", "not promised: ", "stdio.c:"}},
        {"brig dump 'pledge:stdio inet' --stage=rules", 0, {"socket"}},
        {"brig disasm 'pledge:stdio inet'", 0, {"ld [4]"}},
        {"brig emu -q pledge:stdio read 0 0 0", 0, {"ALLOW\n"}},
        {"brig emu -q pledge:stdio openat AT_FDCWD /etc/passwd O_RDONLY", 0, {"TRAP("}},
        {"brig emu -q 'pledge:stdio rpath' openat AT_FDCWD /etc/passwd O_RDONLY", 0, {"ALLOW\n"}},
        {"brig emu -q 'pledge:stdio error' openat AT_FDCWD /etc/passwd O_RDONLY", 0, {"ERRNO(38)\n"}},
        {"brig prove 'pledge:stdio dns'", 0, {"equal: proven"}},
        {"brig prove pledge:stdio --subset-of='pledge:stdio rpath'", 0, {"a subset: proven"}},
        {"brig prove 'pledge:stdio rpath' --subset-of=pledge:stdio", 1, {"not a subset, for example"}},
        {"brig diff pledge:stdio 'pledge:stdio inet'", 1, {"+ socket", "sockets.c:"}},
        {"brig compile pledge:stdoi", 2, {"there is no promise 'stdoi'; did you mean 'stdio'?"}},
        {"brig compile 'pledge:stdio vmm'", 2, {"there is no promise 'vmm'; known are stdio rpath"}},
        {"brig compile 'pledge:stdio,rpath'", 2, {"there is no promise 'stdio,rpath'"}},
    };
    check_commands(rows, COUNT_OF(rows));
}

static bool write_file(char *path, const char *text)
{
    int fd = mkstemp(path);
    bool is_written = CHECK(fd >= 0) && CHECK_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return is_written;
}

TEST(pledge, example_program_keeps_its_promise_or_dies)
{
    char kind[] = "/tmp/kind-XXXXXX";
    char evil[] = "/tmp/evil-XXXXXX";
    struct run_result result;
    if (brig_policy_for_this_build("renderer") != &brig_policy_renderer) {
        test_skip("promises know nothing of sanitizers");
        return;
    }
    REQUIRE(write_file(kind, "one\ntwo\n") && write_file(evil, "one\n! remove me\n"));
    REQUIRE(run_program((const char *const[]){"@example-promise", kind, NULL}, TIMEOUT_MS, &result));
    CHECK_EQ(result.wait_status, 0);
    CHECK_STR_EQ(result.output, "2 lines\n");
    free(result.output);
    REQUIRE(run_program((const char *const[]){"@example-promise", evil, NULL}, TIMEOUT_MS, &result));
    CHECK(WIFSIGNALED(result.wait_status) && WTERMSIG(result.wait_status) == SIGSYS);
    free(result.output);
    CHECK_EQ(access(evil, F_OK), 0); // it is still there
    unlink(kind);
    unlink(evil);
}
