// program: working with a finished BPF program of any origin: run it, print it, judge it, read it back.
//
// Nothing here knows policies. All functions take instructions as the kernel has them (struct sock_filter, host byte order)
// and are pure.
#ifndef BRIG_BPF_DSL_PROGRAM_H
#define BRIG_BPF_DSL_PROGRAM_H

#include "bpf_dsl/rules.h"

#ifdef __cplusplus
extern "C" {
#endif

// Says whether the kernel would accept a program: opcodes, load offsets, jumps in range, ends in RET, 1 to 4096 instructions,
// no read of an M[] cell before it is written.
// Returns: OK; BAD_PROGRAM with the index of the instruction in detail and the reason in subject.
// Context: any. Source: kernel/seccomp.c:seccomp_check_filter, net/core/filter.c:bpf_check_classic.
BRIG_MUST_CHECK enum brig_code brig_dsl_validate(const struct sock_filter *insns, size_t insn_count, struct brig_error *reterr);

// What one run did.
struct brig_dsl_run {
    uint32_t ret;      // SECCOMP_RET_* | data
    uint32_t executed; // instructions, RET included
};

// Runs a program as the kernel does. `insns` must be valid. `trace`, where not NULL, has a byte per instruction, set to 1 for
// each that ran. Handles every opcode that the kernel's checker accepts.
// Context: any. Source: net/core/filter.c, kernel/seccomp.c (Linux 3.5).
struct brig_dsl_run brig_dsl_interpret(const struct sock_filter *insns, size_t insn_count, const struct brig_dsl_data *data,
                                       unsigned char *trace);

// Says how many eBPF instructions the kernel runs for one call: after its conversion, prologue included. `insns` must be valid.
// Context: any. Source: net/core/filter.c:bpf_convert_filter.
uint32_t brig_dsl_ebpf_executed(const struct sock_filter *insns, size_t insn_count, const struct brig_dsl_data *data);

// Returns: FNV-1a 64 of the instruction bytes as they are on a little-endian target, the same on any host: brig_dsl_program.hash.
// Context: any.
uint64_t brig_dsl_hash(const struct sock_filter *insns, size_t insn_count);

// Says whether the kernel's allow bitmap will answer `nr` of `audit_arch` without running the program.
//
// `nr` is taken to be one that the kernel has: the bitmap has no bits for others, see brig_dsl_has_bitmap.
// Context: any. Source: kernel/seccomp.c:seccomp_is_const_allow, Linux 5.11.
bool brig_dsl_is_cached_allow(const struct sock_filter *insns, size_t insn_count, uint32_t audit_arch, uint32_t nr);

// Numbers that the bitmap of each arch is counted over: it has a bit for every number from 0 to the last one of the kernel's table,
// whether there is such a call or not. These are Linux 6.19's; newer kernels have a few more, but a count is good for nothing if it
// changes with each of them.
#define BRIG_DSL_BITMAP_NUMBERS 471

// Says whether the bitmap of some kernel has a bit for `nr` of `arch`: it is counted, or a call that is known.
// Context: any. Source: kernel/seccomp.c:seccomp_cache_check_allow_bitmap, Linux 5.11.
bool brig_dsl_has_bitmap(uint32_t nr, enum brig_dsl_arch arch);

struct brig_dsl_stats {
    uint32_t insns;
    uint32_t ebpf_insns;      // after the kernel's conversion, prologue included
    uint32_t bytes;           // of the classic program
    uint32_t cached_allow;    // numbers below BRIG_DSL_BITMAP_NUMBERS of `arch` that the bitmap answers
    uint32_t max_executed;    // longest path, RET included
    double expected_executed; // mean over the calls of `arch` that are not cached, zero arguments, weighted alike
    double expected_ebpf;     // the same in the instructions that the kernel runs
};

// Measures a valid program for calls of `arch`.
// Context: normal. Source: net/core/filter.c:bpf_convert_filter for the conversion.
struct brig_dsl_stats brig_dsl_measure(const struct sock_filter *insns, size_t insn_count, enum brig_dsl_arch arch);

// What a program costs the calls of a profile.
struct brig_dsl_cost {
    double calls;             // in the profile
    double cached_share;      // of them: what the bitmap answers, 0 to 1
    double expected_executed; // mean over the calls that are not cached; 0 if there are none
    double expected_ebpf;     // the same in the instructions that the kernel runs
};

// Measures a valid program for the calls of `profile`, which are of `arch`. Arguments that were not recorded are as the sample has
// them, so whoever makes one puts something likely there.
// Context: normal.
struct brig_dsl_cost brig_dsl_measure_profile(const struct sock_filter *insns, size_t insn_count, enum brig_dsl_arch arch,
                                              const struct brig_dsl_profile *profile);

// Writes one instruction as assembler: "ld [0]", "jeq #0x3, +2, +0" without address or newline.
// Returns: bytes written, without the terminator; the text is cut at buffer_bytes (64 is enough).
// Context: any.
size_t brig_dsl_disassemble(const struct sock_filter *insn, char *buffer, size_t buffer_bytes);

// Writes a listing, one instruction a line: index, instruction with absolute targets, and a comment that names the word
// loaded, the call compared with, the action returned. Calls are named as `arch` does where its calls come by, else as an arch does
// whose calls do.
// Context: normal.
void brig_dsl_list(const struct sock_filter *insns, size_t insn_count, enum brig_dsl_arch arch, const struct brig_dsl_sink *sink);

// A piece of text that need not be terminated.
struct brig_dsl_text {
    const char *text;
    size_t bytes;
};

// The longest text that brig_dsl_assemble reads.
#define BRIG_DSL_ASSEMBLER_BYTES_MAX (1u << 20)

// Reads assembler: what brig_dsl_list writes, and what people write by hand (labels, comments, `ld args[0].lo`, `jne SYS_read,
// no`, `ret ERRNO(EPERM)`; assemble.c has an example). Names of calls and constants are those of `arch`. `ret_insns` has room
// for BPF_MAXINSNS.
//
// The program is one that brig_dsl_validate accepts, and what brig_dsl_list wrote of such a program gives the same bytes again.
// Returns: OK; TOO_BIG; BAD_ASSEMBLER with the line, the column in detail, the words at fault as subject, what was expected as
// step.
// Owns: the error's subject points into `text`. `ret_insns` is undefined after a failure.
// Context: normal; needs about 70 KiB of stack.
BRIG_MUST_CHECK enum brig_code brig_dsl_assemble(struct brig_dsl_text text, enum brig_dsl_arch arch, struct sock_filter *ret_insns,
                                                 size_t *ret_insn_count, struct brig_error *reterr);

// Finds the known word closest to what a BAD_ASSEMBLER error is about, for "did you mean": an instruction, a word of struct
// seccomp_data, an action, a constant; for SYS_NAME a call, without the SYS_.
// Returns: a static name, or NULL if none is close.
// Context: any.
const char *brig_dsl_assembler_closest(const struct brig_error *error);

// Writes an action value as the command line does: ALLOW, ERRNO(13), TRAP(4), TRACE(1), LOG, USER_NOTIF, KILL_PROCESS,
// KILL_THREAD. Unknown actions are KILL_PROCESS, as the kernel treats them.
// Returns: bytes written, without the terminator; 24 bytes are enough.
// Context: any.
size_t brig_dsl_ret_text(uint32_t ret, char *buffer, size_t buffer_bytes);

#ifdef __cplusplus
}
#endif
#endif
