// `brig optimize` and `brig merge`, and stacks in the prover: what comes out is what Z3, the interpreter and the kernel's loop say.
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <unistd.h>

#include "bpf_dsl/optimize.h"
#include "tests/bpf_dsl/random_filter.h"
#include "tests/bpf_dsl/random_insns.h"
#include "tests/shim/test.h"
#include "tests/tools/commands.h"
#include "tests/tools/random_program.h"
#include "tools/prove/prove.h"

enum { MOST = 4, LENGTH = 64, TIMEOUT_MS = 1000 }; // products of two arguments are left undecided

static const struct command rows[] = {
    {"brig optimize --help", 0, {"usage: brig optimize", "--profile=FILE", "--timeout=SECONDS", "For example:"}},
    {"brig merge --help", 0, {"usage: brig merge", "installed last counts", "For example:"}},
    {"brig optimize", 2, {"give one program"}},
    {"brig optimize a.bpf b.bpf", 2, {"give one program"}},
    {"brig merge renderer", 2, {"give 2 to 64 programs, the one that is installed first at the front"}},
    {"brig optimize /no/such/file.bpf", 2, {"cannot read '/no/such/file.bpf'"}},
    {"brig optimize renderer --timeout=0", 2, {"--timeout is a number of seconds"}},
    {"brig optimize renderer --format=text --json", 2, {"--json and --format=text contradict each other"}},
    {"printf '\\6\\0\\0\\0\\0\\0\\377\\177' | brig merge - -", 2, {"only one program can be standard input"}},
    {"brig merge renderer first.bpf network", 2, {"cannot read 'first.bpf'"}},
    {"brig merge pledge:stdio 'pledge:stdio rpath'",
     2,
     {"'pledge:stdio' and 'pledge:stdio rpath' both answer by traps", "merge at most one, or give --target=executed"}},
    {"brig merge --target=executed pledge:stdio 'pledge:stdio rpath' --format=raw | "
     "brig prove --target=executed - pledge:stdio 'pledge:stdio rpath'",
     0,
     {"proven equal", "equal: proven"}},
    // What is best stays as it is, byte by byte.
    {"test \"$(brig optimize renderer --format=raw | sha256sum)\" = \"$(brig compile renderer --format=raw | sha256sum)\"",
     0,
     {""}},
    {"brig compile renderer --plain --format=raw | brig optimize - --stats",
     0,
     {"  insns   ebpf  cached  longest", "optimized", "proven equal for every call, by Z3"}},
    {"brig compile renderer --plain --format=raw | brig optimize - --format=raw | brig prove renderer -", 0, {"equal: proven"}},
    {"brig compile renderer --plain --format=raw | brig optimize - --json",
     0,
     {"\"schema\": \"brig-optimize-1\"", "\"proof\": \"proven equal\"", "\"insns\": ["}},
    {"brig compile renderer --plain --format=raw | brig optimize - --stats --json",
     0,
     {"\"before\": [", "\"after\": {", "\"ebpf_insns\":", "\"cached_allow\":", "\"expected_ebpf\":"}},
    // With a file the program goes there, and figures do not.
    {"brig optimize renderer --stats --json -o $TMPDIR/o.bpf && brig prove renderer $TMPDIR/o.bpf && rm $TMPDIR/o.bpf",
     0,
     {"\"before\": [", "equal: proven"}},
    {"brig merge renderer renderer --target=executed -o $TMPDIR/m.bpf --stats && "
     "brig prove renderer $TMPDIR/m.bpf --target=executed && rm $TMPDIR/m.bpf",
     0,
     {"  merged\n", "equal: proven"}},
    {"brig optimize renderer --format=c", 0, {"// program renderer for ", "proven equal"}},
    // A stack.
    {"printf 'ld nr\\n jeq SYS_read, a\\n ret ALLOW\\na: ret ERRNO(EPERM)\\n' | brig asm -a x86_64 - > $TMPDIR/first.bpf && "
     "printf 'ld nr\\n jeq SYS_read, a\\n jeq SYS_write, b\\n ret ALLOW\\na: ret ERRNO(EACCES)\\nb: ret KILL_PROCESS\\n' | "
     "brig asm -a x86_64 - > $TMPDIR/last.bpf && brig merge $TMPDIR/first.bpf $TMPDIR/last.bpf -a x86_64 -o $TMPDIR/both.bpf && "
     "brig emu $TMPDIR/both.bpf -a x86_64 read; brig emu $TMPDIR/both.bpf -a x86_64 write",
     0,
     {"instructions, proven equal", "ERRNO(13)", "KILL_PROCESS"}},
    // It is a side of a comparison, on either side or both, and its order counts.
    {"cd $TMPDIR && brig prove both.bpf first.bpf last.bpf", 0, {"equal: proven", "  A both.bpf\n  B first.bpf + last.bpf\n"}},
    {"cd $TMPDIR && brig prove both.bpf last.bpf first.bpf",
     1,
     {"not equal, for example x86_64 read(", "A both.bpf: ERRNO(13)\n", "B last.bpf + first.bpf: ERRNO(1)  of first.bpf\n"}},
    {"cd $TMPDIR && brig prove both.bpf last.bpf first.bpf --json | python3 -c 'import json, sys; answer = json.load(sys.stdin); "
     "print(answer[\"b_programs\"], answer[\"witness\"][\"b\"][\"decided_by\"])'",
     0,
     {"['last.bpf', 'first.bpf'] first.bpf\n"}},
    {"cd $TMPDIR && brig prove first.bpf last.bpf --subset-of=both.bpf --subset-of=first.bpf", 0, {"a subset: proven"}},
    {"cd $TMPDIR && brig prove first.bpf --subset-of=first.bpf --subset-of=last.bpf",
     1,
     {"not a subset, for example x86_64 write(", "B first.bpf + last.bpf: KILL_PROCESS  of last.bpf\n"}},
    {"cd $TMPDIR && brig diff both.bpf first.bpf last.bpf", 0, {"no call differs"}},
    {"cd $TMPDIR && brig diff first.bpf first.bpf last.bpf", 1, {"A first.bpf -> B first.bpf + last.bpf", "- write  "}},
    {"cd $TMPDIR && brig prove - first.bpf - < both.bpf", 2, {"only one of them can be standard input"}},
    {"cd $TMPDIR && brig prove $(yes first.bpf | head -n 66)", 2, {"more than 64 programs of one process"}},
    {"brig prove network renderer network", 1, {"B renderer + network: CRASH  of renderer  by policies/"}},
    {"rm $TMPDIR/*.bpf", 0, {NULL}},
};

TEST(optimize_verbs, command_lines_do_what_they_say)
{
    char folder[] = "/tmp/brig-optimize-XXXXXX";
    REQUIRE(mkdtemp(folder) != NULL);
    setenv("TMPDIR", folder, 1);
    check_commands(rows, COUNT_OF(rows));
    unsetenv("TMPDIR");
    CHECK_EQ(rmdir(folder), 0);
}

static uint32_t run_stack(const struct prove_program *programs, size_t count, const struct brig_dsl_data *data)
{
    uint32_t ret = SECCOMP_RET_ALLOW;
    for (size_t i = count; i-- > 0;) {
        uint32_t cur_ret = brig_dsl_interpret(programs[i].insns, programs[i].insn_count, data, NULL).ret;
        if ((int32_t)(cur_ret & SECCOMP_RET_ACTION_FULL) < (int32_t)(ret & SECCOMP_RET_ACTION_FULL)) {
            ret = cur_ret;
        }
    }
    return ret;
}

// Programs that return what they compute: what the library's check says of their better forms, Z3 says as well, and of a form with
// one change what the interpreter says.
TEST(optimize_verbs, computed_values_are_proven)
{
    static struct sock_filter insns[LENGTH * 2];
    static struct sock_filter changed[BPF_MAXINSNS];
    unsigned char *memory = malloc(BRIG_DSL_OPTIMIZE_ARENA_BYTES);
    REQUIRE(memory != NULL);
    uint32_t proven = 0;
    uint32_t refuted = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct random random = random_of_seed(seed);
        struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT;
        struct brig_dsl_optimized optimized;
        struct brig_dsl_arena arena;
        uint32_t count = 3 + random_below(&random, 16);
        random_expression(&random, insns, count);
        if (seed % 2 == 0) {
            count = random_filter(&random, insns, 16 + random_below(&random, 40));
            random_return_computed(&random, insns, count);
        }
        test_message("seed %llu", (unsigned long long)seed);
        brig_dsl_arena_init(&arena, memory, BRIG_DSL_OPTIMIZE_ARENA_BYTES);
        CHECK_EQ(brig_dsl_optimize(&(struct brig_dsl_filter){insns, count}, &options, &arena, &optimized, NULL), BRIG_OK);
        struct prove_question question = {.relation = PROVE_EQUAL, .timeout_ms = TIMEOUT_MS};
        question.programs[0] = (struct prove_program){optimized.insns, optimized.insn_count};
        question.programs[1] = (struct prove_program){insns, count};
        struct prove_result result;
        enum prove_answer answer = prove_run(&question, &result);
        CHECK(answer == PROVE_HOLDS || answer == PROVE_UNDECIDED);
        proven += answer == PROVE_HOLDS && !optimized.is_input;
        for (uint32_t i = 0; i < optimized.insn_count; i++) {
            changed[i] = optimized.insns[i];
        }
        random_mutation(&random, changed, optimized.insn_count);
        question.programs[0].insns = changed;
        answer = prove_run(&question, &result);
        CHECK_NE(answer, PROVE_BROKEN);
        refuted += answer == PROVE_FAILS;
    }
    free(memory);
    test_message("%u proven, %u refuted", proven, refuted);
    CHECK_GT(proven, 25);
    CHECK_GT(refuted, 10);
}

// Merged programs are proven equal to their stack; with one change they are not, or the change does not matter.
TEST(optimize_verbs, stacks_are_proven)
{
    static struct sock_filter insns[MOST][LENGTH];
    static struct sock_filter changed[BPF_MAXINSNS];
    unsigned char *memory = malloc(BRIG_DSL_OPTIMIZE_ARENA_BYTES);
    REQUIRE(memory != NULL);
    uint32_t proven = 0;
    uint32_t refuted = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct random random = random_of_seed(seed);
        struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT;
        struct brig_dsl_filter filters[MOST];
        struct prove_program programs[MOST];
        struct brig_dsl_arena arena;
        struct brig_dsl_optimized merged;
        size_t count = 2 + random_below(&random, MOST - 1);
        for (size_t i = 0; i < count; i++) {
            uint32_t length = random_filter(&random, insns[i], 16 + random_below(&random, 16));
            filters[i] = (struct brig_dsl_filter){insns[i], length};
            programs[i] = (struct prove_program){insns[i], length};
        }
        test_message("seed %llu", (unsigned long long)seed);
        brig_dsl_arena_init(&arena, memory, BRIG_DSL_OPTIMIZE_ARENA_BYTES);
        CHECK_EQ(brig_dsl_merge(filters, count, &options, &arena, &merged, NULL), BRIG_OK);
        struct prove_question question = {.relation = PROVE_EQUAL, .timeout_ms = TIMEOUT_MS, .stacks[1] = {programs, count}};
        question.programs[0] = (struct prove_program){merged.insns, merged.insn_count};
        struct prove_result result;
        enum prove_answer answer = prove_run(&question, &result);
        CHECK(answer == PROVE_HOLDS || answer == PROVE_UNDECIDED);
        proven += answer == PROVE_HOLDS;
        for (uint32_t i = 0; i < merged.insn_count; i++) {
            changed[i] = merged.insns[i];
        }
        random_mutation(&random, changed, merged.insn_count);
        question.programs[0].insns = changed;
        answer = prove_run(&question, &result);
        CHECK_NE(answer, PROVE_BROKEN);
        if (answer == PROVE_FAILS) {
            CHECK_EQ(result.witness.rets[1], run_stack(programs, count, &result.witness.data));
            CHECK_EQ(result.witness.rets[0], brig_dsl_interpret(changed, merged.insn_count, &result.witness.data, NULL).ret);
            CHECK_NE(result.witness.rets[0], result.witness.rets[1]);
            refuted++;
        }
    }
    free(memory);
    test_message("%u proven, %u refuted", proven, refuted);
    CHECK_GT(proven, 6);
    CHECK_GT(refuted, 3);
}
