// optimize: raw programs of any origin made smaller and faster, and stacks of programs made one.
//
//   struct brig_dsl_optimized optimized;
//   code = brig_dsl_optimize(&(struct brig_dsl_filter){insns, insn_count}, &options, &arena, &optimized, &error);
//   if (code == BRIG_OK && optimized.is_checked) { ... install optimized.insns ... }
//
// Rules that hold throughout:
// - A result returns what the input returns, all 32 bits, for every arch, number, instruction pointer and argument. Whether that
//   was shown is said with it.
// - One program is never bigger behind it, neither in instructions nor in what the kernel makes of them, and never slower: with a
//   profile what its calls cost together, without one the longest path. A profile may lengthen paths that it has no calls for.
// - The kernel's bitmap answers every number that it answered before.
// - Same input, same bytes. Nothing here allocates, locks or prints: all is in the caller's arena.
#ifndef BRIG_BPF_DSL_OPTIMIZE_H
#define BRIG_BPF_DSL_OPTIMIZE_H

#include "bpf_dsl/bpf_dsl.h"

#ifdef __cplusplus
extern "C" {
#endif

// Enough for programs of 4096 instructions and for stacks of them.
#define BRIG_DSL_OPTIMIZE_ARENA_BYTES ((size_t)64 << 20)

// A program that the kernel would accept.
struct brig_dsl_filter {
    const struct sock_filter *insns;
    size_t insn_count;
};

struct brig_dsl_optimized {
    const struct sock_filter *insns;
    uint32_t insn_count;
    // The input, without instructions that nothing reaches: nothing better was found.
    bool is_input;
    // That it returns what the input returns was shown by a walk over all paths. False: that took too long, or the input computes
    // more than the walk follows; somebody else has to prove it before it is used (`brig optimize` asks Z3).
    bool is_checked;
};

// Makes a program smaller and faster.
//
// `options` says for which calls: options->profile, where there is one, and options->arch, whose calls it is of.
// Returns: OK; BAD_PROGRAM (as brig_dsl_validate); OUT_OF_ARENA; BUG_CHECK_FAILED (the optimiser is wrong: nothing is returned).
// Owns: ret_optimized points into `arena`.
// Context: normal, after fork. No allocation outside the arena; about 100 KiB of stack.
// Source: net/core/filter.c:bpf_convert_filter for sizes, kernel/seccomp.c:seccomp_is_const_allow for the bitmap.
BRIG_MUST_CHECK enum brig_code brig_dsl_optimize(const struct brig_dsl_filter *filter, const struct brig_dsl_options *options,
                                                 struct brig_dsl_arena *arena, struct brig_dsl_optimized *ret_optimized,
                                                 struct brig_error *reterr);

// Makes one program of a stack of them, as one process has it: filters[0] was installed first.
//
// What the new program returns is what the kernel makes of what they return: the action that comes first in the kernel's order
// (KILL_PROCESS, KILL_THREAD, TRAP, ERRNO, USER_NOTIF, TRACE, LOG, ALLOW; as signed numbers the lowest), of equal actions the data
// of the program that was installed last; ALLOW without data. Where one of them is shown to decide alone what all of them do, what
// comes out has no more instructions than that one, or fewer of the kernel's. One filter is as brig_dsl_optimize. Flags of an
// installation (LOG, a listener of its own) are not part of a program.
//
// Returns: OK, with is_input false for more than one filter; BAD_PROGRAM; BAD_ARGUMENT (no filters, more than 64, or one that
// computes too much, or its action by dividing: then its index is the detail); PROGRAM_TOO_BIG; OUT_OF_ARENA; BUG_CHECK_FAILED.
// Owns: ret_optimized points into `arena`.
// Context: as brig_dsl_optimize.
// Source: kernel/seccomp.c:seccomp_run_filters.
BRIG_MUST_CHECK enum brig_code brig_dsl_merge(const struct brig_dsl_filter *filters, size_t filter_count,
                                              const struct brig_dsl_options *options, struct brig_dsl_arena *arena,
                                              struct brig_dsl_optimized *ret_optimized, struct brig_error *reterr);

#ifdef __cplusplus
}
#endif
#endif
