// expr: decide calls by code instead of rows. For embedders whose policies are not tables, and the form that rows themselves take.
//
//   static struct brig_dsl_verdict decide(const void *context, struct brig_dsl_builder *b, enum brig_dsl_call call,
//                                         enum brig_dsl_arch arch)
//   {
//       struct brig_dsl_verdict allow = brig_dsl_ret(b, SECCOMP_RET_ALLOW), deny = brig_dsl_ret(b, SECCOMP_RET_ERRNO | EPERM);
//       if (call != BRIG_SYS_socket) {
//           return call == BRIG_SYS_NONE ? deny : allow;
//       }
//       struct brig_dsl_operand domain = {.argument = 0, .bits = 32};
//       return brig_dsl_if(b, brig_dsl_arg_in(b, domain, (const uint64_t[]){AF_UNIX, AF_INET}, 2), allow, deny);
//   }
//   struct brig_dsl_evaluator evaluator = {
//       .evaluate = decide, .foreign_ret = SECCOMP_RET_KILL_PROCESS, .x32_ret = SECCOMP_RET_KILL_PROCESS};
//   code = brig_dsl_compile_with(&evaluator, &options, &arena, &program, &error);
//
// Rules that hold throughout:
// - Tests and verdicts are struct values: they cannot be compared, negated or used as a C condition by mistake.
// - Values belong to the builder that made them and end with the call of evaluate. Equal expressions are one node.
// - Failure is sticky: out of memory, a bad operand or a value of another builder gives a valid value that denies, and the compile
//   reports it once. So nothing has to be tested in between.
// - Context of every function here: inside evaluate.
#ifndef BRIG_BPF_DSL_EXPR_H
#define BRIG_BPF_DSL_EXPR_H

#include "bpf_dsl/bpf_dsl.h"

#ifdef __cplusplus
extern "C" {
#endif

struct brig_dsl_builder;

// True or false, depending on the arguments of the call.
struct brig_dsl_test {
    uint32_t node;
};

// What happens to the call.
struct brig_dsl_verdict {
    uint32_t node;
};

// A register of the call.
struct brig_dsl_operand {
    uint8_t argument; // 0 to 5
    uint8_t bits;     // 32: the low half only, as the kernel reads an int; 64: all of it
    bool is_signed;   // for brig_dsl_arg_range
};

// A verdict by the value that the kernel is to return to.
//
// Returns: the verdict; `ret` is any SECCOMP_RET_* with its data.
struct brig_dsl_verdict brig_dsl_ret(struct brig_dsl_builder *builder, uint32_t ret);

// `then` where `test` holds, else `otherwise`.
//
// Chains grow along `otherwise` without a limit; nesting in `then` and in tests is limited to 64 levels.
struct brig_dsl_verdict brig_dsl_if(struct brig_dsl_builder *builder, struct brig_dsl_test test, struct brig_dsl_verdict then,
                                    struct brig_dsl_verdict otherwise);

// A test that is always true, or always false.
struct brig_dsl_test brig_dsl_always(struct brig_dsl_builder *builder, bool value);

// All of `count` tests hold; with none of them, true.
struct brig_dsl_test brig_dsl_all_of(struct brig_dsl_builder *builder, const struct brig_dsl_test *tests, size_t count);

// At least one of `count` tests holds; with none of them, false.
struct brig_dsl_test brig_dsl_any_of(struct brig_dsl_builder *builder, const struct brig_dsl_test *tests, size_t count);

// `test` does not hold.
struct brig_dsl_test brig_dsl_not(struct brig_dsl_builder *builder, struct brig_dsl_test test);

// The operand is one of `count` values. With 32 bits only the low halves of the values count.
struct brig_dsl_test brig_dsl_arg_in(struct brig_dsl_builder *builder, struct brig_dsl_operand operand, const uint64_t *values,
                                     size_t count);

// lo <= operand <= hi, in the operand's own sign; false where lo is above hi.
struct brig_dsl_test brig_dsl_arg_range(struct brig_dsl_builder *builder, struct brig_dsl_operand operand, uint64_t lo,
                                        uint64_t hi);

// (operand & mask) is one of `count` values; a value with bits outside the mask never is.
struct brig_dsl_test brig_dsl_arg_masked(struct brig_dsl_builder *builder, struct brig_dsl_operand operand, uint64_t mask,
                                         const uint64_t *values, size_t count);

// One case of a switch.
struct brig_dsl_case {
    const uint64_t *values;
    size_t value_count;
    struct brig_dsl_verdict verdict;
};

// The verdict of the first case that has the operand's value, else `otherwise`.
struct brig_dsl_verdict brig_dsl_switch(struct brig_dsl_builder *builder, struct brig_dsl_operand operand,
                                        const struct brig_dsl_case *cases, size_t count, struct brig_dsl_verdict otherwise);

// Who decides.
struct brig_dsl_evaluator {
    // Decides one call. Called once for every call of the target, and once with BRIG_SYS_NONE for all numbers that are no call.
    // Must answer the same when asked again.
    struct brig_dsl_verdict (*evaluate)(const void *context, struct brig_dsl_builder *builder, enum brig_dsl_call call,
                                        enum brig_dsl_arch arch);
    const void *context;
    uint32_t foreign_ret; // what calls of another arch get
    uint32_t x32_ret;     // what x32 numbers get, on x86_64
    bool asks_broker;     // BRIG_DSL_BROKER_NR is let through; else it is a number like any other that is no call
    bool is_bare;         // without the reserved numbers, and what x32 numbers get holds for all above them but -1 too
};

// Compiles what `evaluator` says, as brig_dsl_compile does rows. The check compares the program with the expressions.
//
// The reserved numbers (BRIG_DSL_DIE_NR, BRIG_DSL_PROBE_NR, and BRIG_DSL_BROKER_NR if asked for) are in the program, unless it is
// to be bare. ret_program->traps is empty and its policy is NULL: traps are the evaluator's own affair.
// Returns: OK; BAD_ARGUMENT (an operand was bad or an expression too deep); OUT_OF_ARENA; PROGRAM_TOO_BIG; BUG_CHECK_FAILED.
// Owns: ret_program points into `arena`.
// Context: normal, after fork.
BRIG_MUST_CHECK enum brig_code brig_dsl_compile_with(const struct brig_dsl_evaluator *evaluator,
                                                     const struct brig_dsl_options *options, struct brig_dsl_arena *arena,
                                                     struct brig_dsl_program *ret_program, struct brig_error *reterr);

#ifdef __cplusplus
}
#endif
#endif
