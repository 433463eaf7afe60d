// bpf_dsl: a policy, written as const rows, becomes a checked seccomp-BPF program.
//
//   #include "bpf_dsl/words.h"
//   static const struct brig_dsl_row rows[] = {
//       WHY("talk on the descriptors it was given"),
//       ROW(read, ALLOW), ROW(write, ALLOW),
//       WHY("ask for flags, never change them"),
//       ROW(fcntl, ALLOW, IN(cmd, F_GETFL, F_GETFD)),
//       ELSE(fcntl, DENY(EPERM)),
//       ROWS_END,
//   };
//   static const struct brig_dsl_policy policy = {
//       .name = "reader", .rows = rows, FALLBACK(CRASH), .kernel = BRIG_DSL_KERNEL(6, 18), .libc = "glibc 2.36"};
//
//   static unsigned char memory[BRIG_DSL_ARENA_BYTES];
//   struct brig_dsl_arena arena;
//   brig_dsl_arena_init(&arena, memory, sizeof memory);
//   struct brig_dsl_options options = BRIG_DSL_OPTIONS_DEFAULT;
//   code = brig_dsl_compile(&policy, &options, &arena, &program, &error);
//
// Rules that hold throughout:
// - Rows are ordered, the first match wins. A row is an AND of conditions, OR is another row, NOT is an earlier row.
// - A derived policy's rows stand before its base's. With an ELSE for a call it replaces the base's rows of that call.
// - Calls and constants are resolved for the target arch, never by the build host's headers. A call that the target does not
//   have is skipped; a constant that it does not have is an error.
// - Calls newer than the policy's baseline kernel that no row names answer ENOSYS; other calls without a row get `fallback`.
// - Foreign arches and x32 numbers are CRASH in every program. Two reserved numbers are in every program:
//   BRIG_DSL_DIE_NR kills the process, BRIG_DSL_PROBE_NR answers BRIG_DSL_PROBE_ERRNO. A third, BRIG_DSL_BROKER_NR, is let
//   through where a row asks the broker.
// - The three rules before this one are for policies of Brig's own; struct brig_dsl_import says what holds for others.
// - Two calls of x86_64, uretprobe and uprobe, never reach a filter (kernel/seccomp.c:seccomp_uprobe_exception, Linux 6.14 and
//   6.18); they fail wherever the kernel has not put a probe. A program's answer for them is for older kernels.
// - Every program is checked against the rows before it is returned. Where the check does not come to an end in its budget, some
//   seconds, the program says so (is_unproven).
// - A program that would have more than 4096 instructions is made in slower forms that have fewer, before that is an error.
// - Nothing here allocates, locks, prints or keeps state: all results live in the caller's arena. Every function may be called
//   after fork; none from a signal handler unless it says so.
#ifndef BRIG_BPF_DSL_BPF_DSL_H
#define BRIG_BPF_DSL_BPF_DSL_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf_dsl/error.h"
#include "bpf_dsl/tables.h"

#ifdef __cplusplus
extern "C" {
#endif

// A call number that no kernel has and that every program maps to KILL_PROCESS: dying by it gives a true SIGSYS status.
#define BRIG_DSL_DIE_NR 0xB169
// A call number that every program answers with an errno that no call has: whether a thread is filtered, asked from the inside.
#define BRIG_DSL_PROBE_NR 0xB16A
#define BRIG_DSL_PROBE_ERRNO 3333
// A call number by which a worker asks its broker (trap/broker.h). Programs in which a row of BROKER can decide let it through, and
// a phase-one filter below them turns it into a notification; every other program answers ENOSYS, and so does a kernel without such
// a filter.
#define BRIG_DSL_BROKER_NR 0xB16B

// --- the language: actions --------------------------------------------------------------------------------------------

enum brig_dsl_verb {
    BRIG_DSL_VERB_NONE, // not given: a forgotten initializer must not mean ALLOW
    BRIG_DSL_ALLOW,
    BRIG_DSL_DENY,         // data: errno
    BRIG_DSL_CRASH,        // trap, report, die; this and the next: as linked workers do, enum brig_dsl_process has the others
    BRIG_DSL_REPORT,       // trap, report, answer errno `data`
    BRIG_DSL_EMULATE,      // trap, answered by `handler`
    BRIG_DSL_LOG,          // allow, and the kernel logs
    BRIG_DSL_KILL_PROCESS, // without a handler
    BRIG_DSL_KILL_THREAD,
    BRIG_DSL_TRACE,  // data: message for the tracer
    BRIG_DSL_NOTIFY, // trap, asked of the supervisor; ENOSYS where there is none. Imported policies: kernel user-notification
    BRIG_DSL_TRAP,   // SIGSYS with `data` for whoever handles it; imported policies only, ours say CRASH, REPORT or EMULATE
    BRIG_DSL_BROKER, // trap, asked of the broker (trap/broker.h); EACCES where there is none
    BRIG_DSL_VERB_COUNT
};

// The part of an emulation that the compiler must know. trap/trap.h embeds it.
struct brig_dsl_handler {
    const char *name;
    const enum brig_dsl_call *calls; // what the emulation itself calls, ends in BRIG_SYS_NONE; the policy must allow each somewhere
};

struct brig_dsl_action {
    enum brig_dsl_verb verb;
    uint16_t data;
    const struct brig_dsl_handler *handler; // EMULATE only
};

// --- the language: conditions, rows, policies -------------------------------------------------------------------------
// Texts hold what stands in the source ("F_GETFL, F_GETFD"): names, decimal, hex and octal numbers, characters, - ~ | & << +
// and parentheses, U64(n) for unsigned values above INT64_MAX, SELF_PID, NOTIFY_FD and BROKER_FD for run-time slots.

enum brig_dsl_operator {
    BRIG_DSL_END,    // closes a list of conditions
    BRIG_DSL_IN,     // argument is one of the values
    BRIG_DSL_IN_SET, // argument is one of a named set
    BRIG_DSL_RANGE,  // lo <= argument <= hi, in the argument's own sign
    BRIG_DSL_AT_LEAST,
    BRIG_DSL_AT_MOST,
    BRIG_DSL_MASKED,    // (argument & first value) is one of the other values
    BRIG_DSL_ONLY_BITS, // (argument & ~value) == 0
    BRIG_DSL_NO_BITS,   // (argument & value) == 0
    BRIG_DSL_ALL_BITS,  // (argument & value) == value
    BRIG_DSL_IS_NULL,   // pointers only
    BRIG_DSL_NOT_NULL,
    BRIG_DSL_NOT_IN,     // argument is none of the values
    BRIG_DSL_ANY_BITS,   // (argument & value) != 0
    BRIG_DSL_NOT_MASKED, // (argument & first value) is none of the other values
    BRIG_DSL_OPERATOR_COUNT
};

// A named list of values, for ioctl numbers and the like.
struct brig_dsl_values {
    const char *name;
    const char *why;
    const char *text;
    const char *file;
    int line;
};

struct brig_dsl_condition {
    enum brig_dsl_operator op;
    bool low32; // LOW32_* form: compares the low half of a kernel union
    const char *argument;
    const char *text;                  // NULL for IN_SET, IS_NULL, NOT_NULL
    const struct brig_dsl_values *set; // IN_SET only
};

// A named list of calls.
struct brig_dsl_set {
    const char *name;
    const char *why;
    const char *text; // "read, write, close"
    const char *file;
    int line;
};

enum brig_dsl_row_kind {
    BRIG_DSL_ROW_END, // closes a table of rows
    BRIG_DSL_ROW_WHY, // reason for the rows up to the next WHY
    BRIG_DSL_ROW_CALL,
    BRIG_DSL_ROW_ELSE, // unconditional, and replaces the base's rows of this call
    BRIG_DSL_ROW_USE,  // splices `table`; its rows keep their own reasons
};

struct brig_dsl_row {
    enum brig_dsl_row_kind kind;
    enum brig_dsl_call call;        // BRIG_SYS_NONE where `set` is given
    const struct brig_dsl_set *set; // or NULL
    struct brig_dsl_action action;
    const struct brig_dsl_condition *conditions; // ends in BRIG_DSL_END
    const struct brig_dsl_row *table;            // USE
    const char *why;                             // WHY
    const char *file;
    int line;
};

// A constant of the policy's own, usable in its values by name. Looked up before the kernel's.
struct brig_dsl_constant {
    const char *name; // NULL closes the list
    int64_t value;
};

// What a policy that was written for another tool says where ours have rules of their own.
//
// With it a program says what the rows say and nothing else:
// - No rows of the handler, no reserved numbers, no clone3 rule, no ENOSYS: calls that no row matches, newer than the baseline or
//   unknown, get the fallback. The baselines (`kernel`, `libc`) may be left out.
// - The first row that matches wins, as always: behind an unconditional row of a call no other one is read. No ELSE is asked
//   for, and a row with a condition that nothing meets (a range that ends before it begins, a value outside its mask) never
//   matches.
// - Conditions are on registers, named reg0 to reg5: all 64 bits, unsigned, whatever the call thinks of them, and also where its
//   real arguments are in memory. The kernel shows the registers of 32-bit arches with upper halves of 0; these are compared as
//   well. IS_NULL, NOT_NULL and the LOW32_ forms are for arguments, not for registers.
// - CRASH, REPORT, EMULATE and BROKER may not be used, and the program has no traps of Brig's: `data` of TRAP is what its handler
// finds.
struct brig_dsl_import {
    struct brig_dsl_action foreign; // calls of an arch that the program is not for
    // x32 numbers, on x86_64, and all above them, which other tools do not tell apart; but not -1, which is what a tracer leaves of
    // a call that it skips, and gets the fallback.
    struct brig_dsl_action x32;
};

struct brig_dsl_policy {
    const char *name;
    const struct brig_dsl_policy *base;        // or NULL
    const struct brig_dsl_row *rows;           // ends in ROWS_END
    struct brig_dsl_action fallback;           // known calls without a row; not given: the base's
    uint16_t kernel;                           // baseline: the newest kernel whose calls the author has looked at; 0: the base's
    const char *libc;                          // baseline, for people ("glibc 2.42")
    const struct brig_dsl_constant *constants; // or NULL
    const struct brig_dsl_import *import;      // or NULL: one of ours; a policy with it has no base
};

// --- memory -----------------------------------------------------------------------------------------------------------

// Enough for every policy that Brig ships, check included.
#define BRIG_DSL_ARENA_BYTES ((size_t)1 << 20)

// Bump allocation over the caller's memory. Fields are private.
struct brig_dsl_arena {
    unsigned char *memory;
    size_t size_bytes;
    size_t used_bytes;
    bool exhausted; // sticky: once set, compile answers OUT_OF_ARENA
};

// Starts an arena over `memory` of `size_bytes`, any alignment. Owns: nothing; results of a compile point into `memory`.
void brig_dsl_arena_init(struct brig_dsl_arena *arena, void *memory, size_t size_bytes);

// Ends an arena: results that point into it are gone, and the memory may be used for other things. Without this
// AddressSanitizer takes such a use for a mistake; freeing the memory ends the arena as well.
// Context: as brig_dsl_arena_init.
void brig_dsl_arena_end(struct brig_dsl_arena *arena);

// --- compiling --------------------------------------------------------------------------------------------------------

#define BRIG_DSL_SLOT_UNSET INT64_MIN

// Calls that were seen, so that what is frequent is decided fast.
struct brig_dsl_sample {
    uint32_t nr;
    uint32_t known; // bit i: args[i] counts; the others were not recorded
    uint64_t args[6];
    uint64_t count; // how often it was seen
};

struct brig_dsl_profile {
    const struct brig_dsl_sample *samples;
    size_t sample_count;
};

// What the program will be installed in, and so who answers what the kernel cannot. The reserved numbers are in all of them; the
// handler's descriptors, NOTIFY_FD and BROKER_FD, are only in the first.
enum brig_dsl_process {
    BRIG_DSL_LINKED, // a process with Brig's SIGSYS handler: what it answers traps, with an id
    // A program that was executed: no handler survives execve. CRASH kills the process, REPORT answers its errno, BROKER EACCES,
    // EMULATE and NOTIFY ENOSYS.
    BRIG_DSL_EXECUTED,
    // A program that was executed, whose filter has a listener: CRASH, REPORT, EMULATE, BROKER and NOTIFY are notifications, calls
    // of a foreign arch and of x32 too. A notification has no id; who gets it asks brig_dsl_decide (rules.h).
    BRIG_DSL_NOTIFIED,
    BRIG_DSL_PROCESS_COUNT
};

// Returns: "linked", "executed", "notified"; NULL outside the enumeration. Context: any.
const char *brig_dsl_process_name(enum brig_dsl_process target);

struct brig_dsl_options {
    enum brig_dsl_arch arch;
    enum brig_dsl_process target;           // of no meaning for imported policies
    uint16_t kernel;                        // overrides the policy's baseline, 0: do not
    int64_t self_pid;                       // value of SELF_PID, or BRIG_DSL_SLOT_UNSET: a row that uses it is then an error
    int64_t notify_fd;                      // value of NOTIFY_FD, or BRIG_DSL_SLOT_UNSET: the handler's row for it is then left out
    int64_t broker_fd;                      // value of BROKER_FD, likewise; a policy without BROKER does without that row too
    bool plain;                             // emit the unoptimised program
    bool small;                             // prefer few instructions to few that are run
    const struct brig_dsl_profile *profile; // or NULL: all calls and all values that the policy names count alike
};
#define BRIG_DSL_OPTIONS_DEFAULT \
    { \
        .arch = brig_dsl_arch_native(), .self_pid = BRIG_DSL_SLOT_UNSET, .notify_fd = BRIG_DSL_SLOT_UNSET, \
        .broker_fd = BRIG_DSL_SLOT_UNSET \
    }

enum brig_dsl_origin { // why a trap happens
    BRIG_DSL_ORIGIN_ROW,
    BRIG_DSL_ORIGIN_FALLBACK,
    BRIG_DSL_ORIGIN_FOREIGN_ARCH,
    BRIG_DSL_ORIGIN_X32,
};

// Numbers below this are in brig_dsl_trap.nr_set; the others share one bit.
#define BRIG_DSL_TRAP_NRS 1024

// What one TRAP id means: SECCOMP_RET_TRAP's data is an index into brig_dsl_program.traps. Programs for other targets than linked
// workers have the table as well, for whoever has to find out what a call met (brig_dsl_decide).
struct brig_dsl_trap {
    enum brig_dsl_origin origin;
    struct brig_dsl_action action;            // CRASH, REPORT, EMULATE, BROKER or NOTIFY
    const struct brig_dsl_row *row;           // ROW only, else NULL
    const char *why;                          // the row's reason, or NULL
    uint64_t nr_set[BRIG_DSL_TRAP_NRS / 64];  // numbers that can give this id
    uint64_t all_set[BRIG_DSL_TRAP_NRS / 64]; // of these, numbers that give it whatever their arguments are
    bool other_nrs;                           // and whether numbers outside the set can
};

struct brig_dsl_program {
    const struct sock_filter *insns;
    uint32_t insn_count;
    enum brig_dsl_arch arch;
    const struct brig_dsl_trap *traps; // traps[0] is unused: id 0 is never given
    uint32_t trap_count;               // ids are 1 .. trap_count - 1
    uint64_t hash;                     // FNV-1a 64 of the instruction bytes, little endian
    bool is_plain;                     // the check could not be done in its budget on the optimised form
    bool is_unproven;                  // nor on this one: no lock of ours takes it
    const char *policy;                // name
};

// Compiles `policy` for options->arch and checks the result against the rows.
//
// Call it anywhere, as often as needed: a worker compiles again when a slot's value changes. A policy of 300
// rules takes about 150 us, of which the check takes a quarter (tools/bench compile).
// Returns: OK; OUT_OF_ARENA; PROGRAM_TOO_BIG; BUG_CHECK_FAILED (the compiler is wrong: nothing is returned); and every code of
// status.def's block on policies, with file and line of the row.
// Owns: ret_program points into `arena` and into `policy`, and lives as long as both.
// Context: normal, after fork. No allocation outside the arena.
// Source: seccomp(2), kernel/seccomp.c; needs Linux 4.14 for all actions but NOTIFY (5.0).
BRIG_MUST_CHECK enum brig_code brig_dsl_compile(const struct brig_dsl_policy *policy, const struct brig_dsl_options *options,
                                                struct brig_dsl_arena *arena, struct brig_dsl_program *ret_program,
                                                struct brig_error *reterr);

// One of the arches of a program, and who decides its calls.
struct brig_dsl_target {
    enum brig_dsl_arch arch;
    const struct brig_dsl_policy *policy; // an imported one
};

// Compiles one program for several arches, as brig_dsl_compile does for one; options->arch is not used, ret_program->arch is the
// first target's. What is said of foreign arches is the first target's policy's. Each arch beyond the first takes 100 to 200 KiB
// more of the arena for a policy of Docker's size.
//
// Returns: as brig_dsl_compile; BAD_ARGUMENT where there are no targets, an arch stands twice, or a policy is one of ours (its
// traps are for one arch) and there are several.
// Owns, Context: as brig_dsl_compile.
BRIG_MUST_CHECK enum brig_code brig_dsl_compile_targets(const struct brig_dsl_target *targets, size_t target_count,
                                                        const struct brig_dsl_options *options, struct brig_dsl_arena *arena,
                                                        struct brig_dsl_program *ret_program, struct brig_error *reterr);

// Where text goes. `write` gets pieces that are not terminated.
struct brig_dsl_sink {
    void (*write)(void *context, const char *text, size_t text_bytes);
    void *context;
};

// Stages of a compile, in order.
enum brig_dsl_stage {
    BRIG_DSL_STAGE_RULES,     // rows after merging, per call, numbers filled in
    BRIG_DSL_STAGE_EXPR,      // one expression per call, shared ones once
    BRIG_DSL_STAGE_RANGES,    // runs of numbers with the same expression
    BRIG_DSL_STAGE_DECISIONS, // the decision graph
    BRIG_DSL_STAGE_TREE,      // the search tree
    BRIG_DSL_STAGE_INSNS,     // the program, disassembled
    BRIG_DSL_STAGE_COUNT
};

// Returns: "rules", "expr", "ranges", "decisions", "tree", "insns"; NULL outside the enumeration.
const char *brig_dsl_stage_name(enum brig_dsl_stage stage);

// Compiles as brig_dsl_compile and writes one stage as text, for people and golden files.
// Returns: as brig_dsl_compile; nothing is written on failure.
BRIG_MUST_CHECK enum brig_code brig_dsl_dump(const struct brig_dsl_policy *policy, const struct brig_dsl_options *options,
                                             enum brig_dsl_stage stage, struct brig_dsl_arena *arena,
                                             const struct brig_dsl_sink *sink, struct brig_error *reterr);

#ifdef __cplusplus
}
#endif
#endif
