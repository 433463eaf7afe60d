// compiler: Brig's compiler beside libseccomp's, policy by policy. What the files of this folder share.
//
//   corpus.c        the policies: what Brig ships, synthetic.c's, and the files of a directory
//   files.c         these files, read and checked
//   synthetic.c     policies that are made up: many values, many calls, a container's profile
//   inputs.c        which calls a policy decides by arguments, and the inputs that all programs of it are run with
//   figures.c       sizes, paths and costs of a program
//   brig.c          Brig's programs
//   peer.h, peer_conditions.c, peer_rules.c    a policy's rules as libseccomp takes them
//   peer.c          libseccomp's program of such rules
//   race.c          how long compilers take, in turns
//   mixes.c         which calls are made under programs
//   hot_calls.c     how long they take, from installation to installation
//   compare.c       all of that for one policy, in a process of its own
//   shapes.c survey.c    random policies, of which times only are compared: the group `survey`
//   aims.c          what all comparisons come to
//   table.c json.c  the same results for people and for programs
//   compiler.c      the whole
//
// Rules that hold throughout:
// - Everything is for the arch that this runs on. Whatever is compared with a figure has seen the same inputs.
// - Only what cannot be measured is missing, and then a text says why.
#ifndef BRIG_TOOLS_BENCHMARKS_COMPILER_COMPILER_H
#define BRIG_TOOLS_BENCHMARKS_COMPILER_COMPILER_H

#include <stdio.h>

#include "bpf_dsl/program.h"
#include "tools/benchmarks/bench.h"
#include "tools/import/import.h"

// --- programs and policies --------------------------------------------------------------------------------------------

struct bench_code {
    struct sock_filter insns[BPF_MAXINSNS];
    size_t count; // 0: there is none
};

enum { BENCH_SHOWN_CHARACTERS = 48 }; // of a subject's name
enum { BENCH_TEXT_BYTES = 256, BENCH_WHY_BYTES = IMPORT_ERROR_TEXT_BYTES };

typedef bool bench_importer(const struct import_source *source, const struct import_options *options,
                            struct import_policies *ret_policies, struct import_error *reterr);

// One thing to compile. A raw program has no policy.
struct bench_subject {
    char name[256];   // can be printed
    const char *kind; // "built-in", "synthetic", "oci", "minijail", "raw"
    bool is_raw;
    const struct brig_dsl_policy *policy; // of a file: once it is loaded
    bench_importer *import;               // of a file that is a policy
    char *path;                           // of a file, else NULL
    char *text;
    size_t text_bytes;
    struct import_policies imported;
};

struct bench_corpus {
    struct bench_subject *subjects;
    size_t count;
};

// Adds the policies that this build of Brig has, and the made-up ones. Returns: false if memory ran out.
bool bench_corpus_add_own(struct bench_corpus *corpus);
// Adds the .json, .policy and .bpf files of a directory, sorted by name, unread. Returns: false, said on stderr, if it cannot be
// listed. That there are none is a failure in `table`.
bool bench_corpus_add_directory(struct bench_corpus *corpus, const char *path, struct bench_table *table);
void bench_corpus_free(struct bench_corpus *corpus);

// Reads a file and checks what is in it; what is no file is ready. Returns: false with a line of at most BENCH_WHY_BYTES that names
// the file. Owns: nothing is freed, a process does this for one subject.
bool bench_load(struct bench_subject *subject, char *ret_why_not);
// Copies the program of a raw subject.
void bench_read_raw(const struct bench_subject *subject, struct bench_code *ret_code);
// Imports a file's text, from memory. Returns: false after having written `reterr`. Owns: ret_policies is freed by import_free.
bool bench_import(const struct bench_subject *subject, struct import_policies *ret_policies, struct import_error *reterr);
// Replaces what is no text by question marks.
void bench_make_printable(char *text);

// The made-up policies, closed by NULL. Returns: NULL if memory ran out.
const struct brig_dsl_policy *const *bench_synthetic_policies(void);
extern const char bench_container_name[]; // of the one in the shape of a container's profile
extern const char bench_values_name[];    // a thousand values of one argument
extern const char bench_dense_name[];     // hundreds of calls, most decided by arguments

// --- inputs -----------------------------------------------------------------------------------------------------------

struct bench_random {
    uint64_t state;
};
// Returns: the next of a fixed sequence.
uint64_t bench_random_next(struct bench_random *random);

enum bench_decider {
    BENCH_BY_BITMAP,    // allowed outright: the program does not run
    BENCH_BY_ARGUMENTS, // the program reads more than arch and number
    BENCH_BY_NUMBER,    // the rest: refused outright, or allowed with something besides
};

enum { BENCH_INPUTS_PER_CALL = 512 };

// One number, and inputs for it.
struct bench_call {
    uint32_t nr;
    enum bench_decider decider;
    struct brig_dsl_data *inputs;
    size_t input_count; // where arguments decide twice BENCH_INPUTS_PER_CALL, see inputs.c; else 1
};

// What was recorded of a call that is not answered by the bitmap.
struct bench_recorded {
    struct brig_dsl_data data;
    enum bench_decider decider;
    double weight; // calls seen
};

// All that a policy's programs are run with.
struct bench_inputs {
    struct bench_call *calls; // numbers from 0 up
    size_t call_count;
    struct bench_recorded *recorded; // without a profile: none
    size_t recorded_count;
    double cached_weight; // calls seen that the bitmap answers
};

// What inputs are made from.
struct bench_source {
    const struct bench_code *reference;     // the policy's plainest program
    const struct brig_dsl_rules *rules;     // NULL: a raw program
    const struct brig_dsl_profile *profile; // or NULL
};

// Makes the inputs of a policy. Returns: false if memory ran out.
bool bench_inputs_make(const struct bench_source *source, struct bench_inputs *ret_inputs);
void bench_inputs_free(struct bench_inputs *inputs);

// --- figures ----------------------------------------------------------------------------------------------------------

struct bench_mean {
    double cost;  // mean of executed eBPF instructions, prologue included
    double count; // of calls that it is a mean of; 0: there is none
};

struct bench_figures {
    uint32_t insns;
    uint32_t ebpf_insns;
    uint32_t cached;                      // numbers that the kernel's bitmap answers
    uint32_t longest;                     // classic instructions
    struct bench_mean arguments;          // of calls decided by arguments, most of which no rule names
    struct bench_mean named;              // the same with arguments that rules name
    struct bench_mean denied;             // of the other calls that the bitmap does not answer
    struct bench_mean recorded_arguments; // under a profile
    struct bench_mean recorded_denied;
    struct bench_mean recorded; // all that a program was run for
};

struct bench_figures bench_figures_of(const struct bench_code *code, const struct bench_inputs *inputs);

struct bench_time {
    double least; // 0: not measured
    double median;
};

enum bench_compiler { BENCH_BRIG, BENCH_LIBSECCOMP_1, BENCH_LIBSECCOMP_2, BENCH_INPUT, BENCH_COMPILER_COUNT };
const char *bench_compiler_name(enum bench_compiler compiler);

// Calls that are really made.
enum bench_mix_kind { BENCH_MIX_ARGUMENTS, BENCH_MIX_DENIED, BENCH_MIX_COUNT };

// What the calls of a mix take under one program, installed several times.
struct bench_calls {
    struct bench_time ns; // per call, the kernel's own work included
    // The same over that of Brig's program, each time where both were installed side by side; 0: not measured
    double relative; // median
    double relative_most;
};

// What one compiler makes of one policy.
struct bench_result {
    bool is_wanted; // the compiler is one for subjects of this kind
    struct bench_code code;
    char why_not[BENCH_TEXT_BYTES]; // no program, or not a peer
    size_t arena_bytes;             // Brig, policies only: BRIG_DSL_ARENA_BYTES, or more if that was too little
    bool needs_proof;               // Brig, raw programs only: the library's own check did not come to an end
    double proof_ms;                // of Z3, where it was asked
    struct bench_figures figures;
    struct bench_time compile_us;
    struct bench_time parse_us; // Brig, files only
    struct bench_calls calls[BENCH_MIX_COUNT];
};

struct bench_comparison {
    const struct bench_subject *subject;
    struct bench_result results[BENCH_COMPILER_COUNT];
    // The same program of Brig's, installed as often again beside it, and what part of the time the two differed by: median.
    struct bench_time again_ns[BENCH_MIX_COUNT];
    double noise[BENCH_MIX_COUNT];
    size_t hot_calls;               // different ones in the mix by arguments
    char left_out[BENCH_WHY_BYTES]; // not empty: nothing was measured, and why
    const char *step;               // what is being done with it; NULL once it is done
    bool has_failed;                // a line on stderr said so
};

// Returns: whether there is a program that decides the same.
static inline bool bench_is_peer(const struct bench_result *result)
{
    return result->is_wanted && result->code.count != 0 && result->why_not[0] == '\0';
}

// --- the other compiler -----------------------------------------------------------------------------------------------

struct peer_rules; // peer.h

// Finds libseccomp's programs of a policy that decide as its rules do. Returns: the rules that they came from, to compile them
// again; freed by peer_rules_free; NULL if memory ran out.
struct peer_rules *peer_make(const struct brig_dsl_rules *rules, const struct bench_inputs *inputs,
                             struct bench_result results[BENCH_COMPILER_COUNT]);
// Makes some program of libseccomp's, for inputs where Brig has none. Returns: whether there is one.
bool peer_make_reference(const struct brig_dsl_rules *rules, struct bench_code *ret_code);
void peer_rules_free(struct peer_rules *rules);
// Builds the filter and exports it, everything included. Returns: false with a reason of at most BENCH_TEXT_BYTES.
bool peer_compile(const struct peer_rules *rules, uint32_t level, struct bench_code *ret_code, char *ret_why_not);

// Writes the version of the installed libseccomp.
void peer_version(char *ret_text, size_t text_bytes);

// --- measuring --------------------------------------------------------------------------------------------------------

struct race {
    const struct bench_subject *subject;
    const struct brig_dsl_options *options;
    const struct peer_rules *peer_rules;
};

// Compiles in turns with everyone who has a program, and writes the times.
void bench_race(const struct race *race, struct bench_result results[BENCH_COMPILER_COUNT], struct bench_table *table);

enum { BENCH_MIX_CALLS = 1024, BENCH_MIX_STEPS = 16384 };

// Different calls, and the order in which to make them, each many times.
struct bench_mix {
    struct brig_dsl_data calls[BENCH_MIX_CALLS];
    size_t count; // 0: there are none, and no order
    uint16_t order[BENCH_MIX_STEPS];
};

// Finds harmless calls that a process survives under `code`, a program of the policy.
void bench_mixes_make(const struct bench_inputs *inputs, const struct bench_code *code,
                      struct bench_mix ret_mixes[BENCH_MIX_COUNT]);

// Makes such calls under every program, installed several times, and writes the times.
void bench_hot_calls(const struct bench_inputs *inputs, struct bench_comparison *comparison, struct bench_table *table);

// Makes Brig's program of a subject. Returns: false with the reason in result->why_not.
bool bench_brig_compile(const struct bench_subject *subject, const struct brig_dsl_options *options, struct bench_result *result);
// Proves a raw program's new one equal to it, by Z3. Returns: false with the reason in result->why_not, and without the program.
bool bench_brig_prove(const struct bench_subject *subject, struct bench_result *result);

// Does all of the above for one subject. What fails is said on stderr and in `table`; the comparison has what was reached.
void bench_compare(const struct bench_subject *subject, const struct brig_dsl_options *options,
                   struct bench_comparison *ret_comparison, struct bench_table *table);

// --- what comes out ---------------------------------------------------------------------------------------------------

// One line of the summary: a figure and what it should be.
struct bench_aim {
    char what[BENCH_TEXT_BYTES];
    double value; // or BENCH_NOT_MEASURED
    double limit; // at most this, or BENCH_NO_LIMIT
};

// One figure of a program. Returns: 0 where there is none.
typedef double bench_figure(const struct bench_result *result);
// Returns: Brig's figure over the best other one; 0: there are not both.
double bench_ratio(const struct bench_comparison *comparison, bench_figure *get);

enum { BENCH_AIMS_MAX = 24 };
#define BENCH_NO_LIMIT (-1.0)
#define BENCH_NOT_MEASURED (-1.0)

struct bench_aims {
    struct bench_aim aims[BENCH_AIMS_MAX];
    size_t count;
};

void bench_aims_make(const struct bench_comparison *comparisons, size_t count, struct bench_aims *ret_aims);

// Writes what the columns say.
void bench_print_legend(FILE *out);
void bench_print_comparison(FILE *out, const struct bench_comparison *comparison);
void bench_print_aims(FILE *out, const struct bench_aims *aims);
// Names the files that were not measured.
void bench_print_left_out(FILE *out, const struct bench_comparison *comparisons, size_t count);
// Returns: false if it could not be written.
bool bench_write_json(FILE *out, const struct bench_comparison *comparisons, size_t count, const struct bench_aims *aims);

// tools/bench compiler [DIR] [--profile FILE] [--json FILE] [--programs DIR]: argv[0] is `compiler`.
//
// Returns: -1 to go on with the run; else the exit status: help was asked for, or the arguments are wrong, which was said.
struct bench_compiler_run;
int bench_compiler_prepare(int argc, char **argv, struct bench_compiler_run **ret_run);
// Returns: where tables of other groups go; not to standard output where that is the JSON. `run` may be NULL.
FILE *bench_compiler_text(const struct bench_compiler_run *run);
// Measures, reports and frees. Returns: the exit status.
int bench_compiler_run(struct bench_compiler_run *run);

#endif
