// brig: Brig's program of a policy, or of another program.
//
// Takes: a loaded subject. Gives: its program, as `brig compile` and `brig optimize` would write it, or why there is none.
// Guarantees: a program stands here only where it was shown to decide as the rows, or as the program that it was made of, for
// every call: by the library's own check, or for a raw program that computes more than that follows, by Z3. The proof by Z3 is a
// step of its own, so that the time of a compile is one thing and that of a proof another.
#include <string.h>

#include "bpf_dsl/optimize.h"
#include "tools/benchmarks/compiler/compiler.h"
#include "tools/prove/prove.h"

enum { PROOF_MS_MAX = 120000 };

static unsigned char memory[BRIG_DSL_OPTIMIZE_ARENA_BYTES];

static void keep_code(const struct sock_filter *insns, size_t count, struct bench_code *ret_code)
{
    memcpy(ret_code->insns, insns, count * sizeof insns[0]);
    ret_code->count = count;
}

static bool fail(const struct brig_error *error, char *ret_why_not)
{
    char text[BRIG_ERROR_TEXT_BYTES];
    snprintf(ret_why_not, BENCH_TEXT_BYTES, "%s", brig_error_format(error, text, sizeof text));
    return false;
}

static enum brig_code compile_in(size_t arena_bytes, const struct brig_dsl_policy *policy, const struct brig_dsl_options *options,
                                 struct brig_dsl_program *ret_program, struct brig_error *reterr)
{
    struct brig_dsl_arena arena;
    brig_dsl_arena_init(&arena, memory, arena_bytes);
    return brig_dsl_compile(policy, options, &arena, ret_program, reterr);
}

// As every caller does it, with an arena of the size that is said to be enough; where it is not (sanitizers need more), with all
// the memory that there is.
static bool compile(const struct brig_dsl_policy *policy, const struct brig_dsl_options *options, struct bench_result *result)
{
    struct brig_dsl_program program;
    struct brig_error error;
    result->arena_bytes = BRIG_DSL_ARENA_BYTES;
    enum brig_code code = compile_in(result->arena_bytes, policy, options, &program, &error);
    if (code == BRIG_OUT_OF_ARENA) {
        result->arena_bytes = sizeof memory;
        code = compile_in(result->arena_bytes, policy, options, &program, &error);
    }
    if (code != BRIG_OK) {
        return fail(&error, result->why_not);
    }
    if (program.is_unproven) {
        snprintf(result->why_not, sizeof result->why_not,
                 "%u instructions, not proven to decide what the rows say: no process is locked with it", program.insn_count);
        return false;
    }
    keep_code(program.insns, program.insn_count, &result->code);
    return true;
}

void bench_read_raw(const struct bench_subject *subject, struct bench_code *ret_code)
{
    ret_code->count = subject->text_bytes / sizeof ret_code->insns[0];
    memcpy(ret_code->insns, subject->text, subject->text_bytes);
}

static bool optimize(const struct bench_subject *subject, const struct brig_dsl_options *options, struct bench_result *result)
{
    static struct bench_code input;
    struct brig_dsl_arena arena;
    struct brig_dsl_optimized optimized;
    struct brig_error error;
    bench_read_raw(subject, &input);
    brig_dsl_arena_init(&arena, memory, sizeof memory);
    if (brig_dsl_optimize(&(struct brig_dsl_filter){input.insns, input.count}, options, &arena, &optimized, &error) != BRIG_OK) {
        return fail(&error, result->why_not);
    }
    result->needs_proof = !optimized.is_checked;
    keep_code(optimized.insns, optimized.insn_count, &result->code);
    return true;
}

bool bench_brig_compile(const struct bench_subject *subject, const struct brig_dsl_options *options, struct bench_result *result)
{
    result->is_wanted = true;
    return subject->policy ? compile(subject->policy, options, result) : optimize(subject, options, result);
}

bool bench_brig_prove(const struct bench_subject *subject, struct bench_result *result)
{
    static struct bench_code input;
    struct prove_result proof;
    bench_read_raw(subject, &input);
    const struct prove_question question = {.programs = {{result->code.insns, result->code.count}, {input.insns, input.count}},
                                            .timeout_ms = PROOF_MS_MAX};
    const uint64_t start_ns = bench_now_ns();
    const enum prove_answer answer = prove_run(&question, &proof);
    result->proof_ms = (double)(bench_now_ns() - start_ns) / 1e6;
    if (answer == PROVE_HOLDS) {
        return true;
    }
    snprintf(result->why_not, sizeof result->why_not, "%zu instructions, not proven equal (%s); brig optimize keeps the input",
             result->code.count, answer == PROVE_FAILS ? "Z3 has a call that it decides otherwise: a bug in Brig" : proof.why);
    result->code.count = 0;
    return false;
}
