// tool: what the verbs of `brig` share: options, policies by name, output, errors, exit statuses.
//
// One file per verb; a verb is a row in verbs.def and one function that returns an exit status.
#ifndef BRIG_TOOLS_BRIG_TOOL_H
#define BRIG_TOOLS_BRIG_TOOL_H

#include <jansson.h>
#include <stdio.h>

#include "bpf_dsl/program.h"
#include "tools/import/import.h"
#include "tools/profile/profile.h"

// Exit statuses of every verb (but the ones that pass on a program's own).
enum tool_exit {
    TOOL_OK = 0,
    TOOL_FINDINGS = 1,  // findings, or a difference
    TOOL_USAGE = 2,     // wrong arguments or bad input
    TOOL_UNDECIDED = 3, // a limit was reached
    TOOL_LACKS = 4,     // the kernel, or this machine, lacks something that was asked for
};

struct tool_option;

struct tool_verb {
    const char *name;
    const char *arguments;
    const char *summary;
    const char *about;
    const char *examples;              // lines of the help
    const struct tool_option *options; // what it parses, closed by a NULL name
    int (*run)(int argc, char **argv); // argv[0] is the verb's name
};

// The table of verbs, closed by a NULL name.
extern const struct tool_verb tool_verbs[];

// --- options ----------------------------------------------------------------------------------------------------------

#define TOOL_OPTION_MAX 20
#define TOOL_GIVEN_MAX 64
#define TOOL_CAPABILITY_MAX 64

struct tool_option {
    const char *name;  // long form without dashes; NULL closes the table
    char letter;       // short form, or 0
    const char *value; // what to call its value in the help, NULL: takes none
    const char *help;
};

// Options that several verbs have; each verb's table starts with those that it supports.
#define TOOL_OPTION_ARCH \
    { \
        "arch", 'a', "ARCH", \
            "target: x86_64, i386, aarch64, arm or riscv64 (this machine's); more than one for an imported policy" \
    }
#define TOOL_OPTION_FROM \
    { \
        "from", 0, "FORMAT", "what - or a FILE whose name does not say it is: oci, minijail, pledge, bpf (-: bpf)" \
    }
#define TOOL_OPTION_CAP \
    { \
        "cap", 0, "CAP,...", "capabilities that an OCI profile's includes and excludes find, as in CAP_SYS_ADMIN (none)" \
    }
#define TOOL_OPTION_OUTPUT \
    { \
        "output", 'o', "FILE", "write to FILE instead of standard output" \
    }
#define TOOL_OPTION_JSON \
    { \
        "json", 0, NULL, "print JSON" \
    }
#define TOOL_OPTION_KERNEL \
    { \
        "kernel", 0, "VERSION", \
            "baseline kernel instead of the policy's, and what an OCI profile's minKernel is compared with, as in 6.1" \
    }
#define TOOL_OPTION_TARGET \
    { \
        "target", 0, "PROCESS", \
            "what a policy of Brig's own is for: linked, executed or notified, see `brig compile --help` (linked)" \
    }
#define TOOL_OPTION_COLOR \
    { \
        "color", 0, "WHEN", "auto, always or never; auto heeds NO_COLOR" \
    }
#define TOOL_OPTION_PROFILE \
    { \
        "profile", 0, "FILE", \
            "recorded calls, which are to be decided fast, instead of a .policy's @frequency; repeatable, adds up" \
    }
#define TOOL_OPTION_PROFILE_TYPE \
    { \
        "profile-type", 0, "TYPE", "count only rows of this process type" \
    }
#define TOOL_OPTION_PLAIN \
    { \
        "plain", 0, NULL, "the unoptimised program of a policy, which the optimised one has to equal" \
    }

struct tool_arguments {
    const char
        *values[TOOL_OPTION_MAX]; // by index in the option table: the value, "" for an option without value, NULL if not given
    struct {
        int option; // index in the option table
        const char *value;
    } given[TOOL_GIVEN_MAX]; // every option, in order: for those that may be repeated
    int given_count;
    enum brig_dsl_arch arches[BRIG_DSL_ARCH_COUNT]; // every --arch, in order; the native one if none was given
    int arch_count;
    bool has_arch;                                 // whether --arch was given
    const char *kernel;                            // of --kernel, or NULL
    enum brig_dsl_process target;                  // of --target
    const char *from;                              // of --from, or NULL
    const char *capabilities[TOOL_CAPABILITY_MAX]; // every --cap, its commas taken apart
    size_t capability_count;
    char **operands;
    int operand_count;
};

// Reads the command line of `verb`. Prints help for --help and a reason for every mistake.
// Returns: -1 to go on, else the exit status to return at once.
int tool_parse(const char *verb, const struct tool_option *options, int argc, char **argv, struct tool_arguments *ret_arguments);

// Reads "6.1" or "6.18.44-amd64" as BRIG_DSL_KERNEL. Returns: false if it is not a version, or newer than the tables.
bool tool_read_kernel(const char *text, uint16_t *ret_kernel);

// --- errors -----------------------------------------------------------------------------------------------------------

// Prints "brig VERB: text", or "brig: text" for NULL, to standard error. What it quotes cannot harm a terminal. Returns:
// TOOL_USAGE.
__attribute__((format(printf, 2, 3))) int tool_complain(const char *verb, const char *format, ...);
// Prints an error of the library. Returns: the exit status that fits its code.
int tool_fail(const char *verb, const struct brig_error *error);
// Prints that `name` is no system call, with a suggestion where there is one. Returns: TOOL_USAGE.
int tool_complain_about_call(const char *verb, const char *name);
// Finds a call by its name or number on `arch`. Returns: BRIG_SYS_NONE after having complained.
enum brig_dsl_call tool_find_call(const char *verb, const char *name, enum brig_dsl_arch arch);
// Finds the candidate closest to `name`, for "did you mean". Returns: it, or NULL if none is close.
const char *tool_closest(const char *name, const char *const *candidates, size_t candidate_count);

// --- output -----------------------------------------------------------------------------------------------------------

// Where a verb writes what it was asked for: standard output, or a file, which is whole in the end or as it was before (output.c
// says where a power cut is an exception).
struct tool_output {
    FILE *file;       // to write to
    const char *path; // NULL: standard output
    char *text;       // what was written to `file` for a path
    size_t text_bytes;
    int fd; // of tool_hold_output
};

// Says before long work whether what is opened behind it can be. Returns: false after having complained.
bool tool_check_output(const char *verb, const char *path);
// Begins an output to `path`, or to standard output for NULL and "-". Returns: false after having complained: `path` cannot be
// written. It is ended by tool_close_output or tool_drop_output, and stays where it is until then.
bool tool_open_output(const char *verb, const char *path, struct tool_output *ret_output);
// Begins an output to the file that `path` is now, whatever somebody makes of the name before the end. The file is emptied, unless
// it is standard output or standard error, and what comes is added to it. Returns: as tool_open_output.
bool tool_hold_output(const char *verb, const char *path, struct tool_output *ret_output);
// Ends an output that came to nothing: the file stays as it was, or empty if it was held. After tool_close_output it does nothing.
void tool_drop_output(struct tool_output *output);
// Ends an output: the file is written. Returns: TOOL_OK, or TOOL_USAGE after having complained that not everything could be
// written.
int tool_close_output(const char *verb, struct tool_output *output);
// Closes a file that was written to as it came. Returns: as tool_close_output.
int tool_close_file(const char *verb, FILE *file, const char *path);
// Flushes standard output. Returns: as tool_close_output.
int tool_flush(const char *verb);
// Returns: whether what is written to `path` is seen on a terminal.
bool tool_is_terminal(const char *path);
// Says whether WHEN of --color is auto, always, never or not given. Returns: false after having complained.
bool tool_check_color(const char *verb, const char *when);
// Returns: whether to color standard output: WHEN, then NO_COLOR, then whether it is a terminal.
bool tool_wants_color(const char *when);
// Colours by what is meant, not by hue: the same for all verbs.
enum tool_color { TOOL_COLOR_END, TOOL_COLOR_ALLOW, TOOL_COLOR_DENY, TOOL_COLOR_TRAP, TOOL_COLOR_KILL, TOOL_COLOR_FAINT };
// Returns: the escape sequence that starts `color`, or ends any; "" unless `is_colored`.
const char *tool_paint(bool is_colored, enum tool_color color);
enum tool_color tool_color_of_ret(uint32_t ret);
// Prints a program, an instruction a line. With a `trace` of brig_dsl_interpret `>` marks what ran.
void tool_print_listing(FILE *out, const struct brig_dsl_program *program, const unsigned char *trace, bool is_colored);
// A sink that writes to `out`.
struct brig_dsl_sink tool_sink(FILE *out);
// Writes text of the command line or of a file for people: nothing that a terminal obeys or hides gets through, line breaks neither
// (brig_report_clean).
void tool_put_clean(FILE *out, const char *text);
// Writes text for HTML and XML. Control characters, which may not be in either, become '?'; line breaks and tabs stay.
void tool_put_escaped(FILE *out, const char *text);
// Makes a string of text from a policy, or null of NULL. Of what is no UTF-8 the bytes above 127 become \xNN.
json_t *tool_json_text(const char *text);
// Prints `json` with two-space indentation and a newline, then releases it. If that fails, or if it is NULL, whatever is closed
// next says so.
void tool_print_json(FILE *out, json_t *json);

// --- policies and programs --------------------------------------------------------------------------------------------

// What a verb wants of the POLICY that its command line names.
struct tool_request {
    struct brig_dsl_options options;        // arch: the first one asked for
    const struct tool_arguments *arguments; // arches, --from and --cap
    const char *refuses_raw;                // what to complain where POLICY is a raw program, or NULL: it may be one
    bool is_quiet;                          // its warnings have been printed already
    bool is_of_any_arch;                    // what is asked of a raw program needs no arch
    bool is_from_used;                      // --from is for another of several policies
    bool is_beside_others;                  // there are several policies, and an --arch may be for another
    bool rows_only;                         // no program is made; several arches may then be asked for of any policy
    bool program_only;                      // no rules are made: nobody asks which row decides
    bool is_timed;                          // somebody asks for compile_us
    bool takes_refused;                     // a raw program that the kernel would refuse is loaded, once that was complained
};

// What POLICY names: a policy of ours, one that was imported, or a raw program.
struct tool_subject {
    const char *name;
    const struct brig_dsl_policy *policy; // of the first target; NULL for a raw program
    struct brig_dsl_target targets[BRIG_DSL_ARCH_COUNT];
    struct brig_dsl_rules rules[BRIG_DSL_ARCH_COUNT]; // of each target; empty if only the program was wanted
    size_t target_count;                              // 0 for a raw program
    struct brig_dsl_program program;                  // compiled, or as read (then without traps, and for the arch that it tests)
    const char *refusal;                              // why the kernel would refuse the raw program at `refused_insn`, or NULL
    size_t refused_insn;
    struct import_policies imported;
    struct brig_policy_pledge_memory *pledge; // of a policy of promises
    void *memory;                             // of rules and program
    double compile_us; // of the compile, if it is timed: rows in, checked program out; what was read and imported before it does
                       // not count. 0 for a raw program
};

// Memory of one compile: more than the library asks of its users, because imported policies may be of any size.
enum { TOOL_ARENA_BYTES = 16 << 20 };
// Run-time slots of programs that are compiled to be looked at: fixed, so that the same policy always gives the same bytes.
enum { TOOL_SELF_PID = 4242, TOOL_NOTIFY_FD = 3, TOOL_BROKER_FD = 4 };
// Makes the request of a command line, for its first arch. Returns: false after having complained. `arguments` is kept.
bool tool_make_request(const char *verb, const struct tool_arguments *arguments, struct tool_request *ret_request);
// Loads what `name` says: a built-in policy, pledge:PROMISES, FILE.json (an OCI profile), FILE.policy (minijail's), FILE.pledge,
// FILE.bpf (a raw program, validated), any other file with a slash in its name or of the form that --from says, or - for standard
// input. Warnings of an import go to standard error; a --from that is of no use is a mistake. Returns: -1 to go on, else the exit
// status to return at once. The subject is freed by tool_free_subject.
int tool_load(const char *verb, const char *name, const struct tool_request *request, struct tool_subject *ret_subject);
void tool_free_subject(struct tool_subject *subject);
// Returns: whether only --from can say what POLICY `name` is.
bool tool_needs_from(const char *name);

// --- recorded calls ---------------------------------------------------------------------------------------------------

// Reads every file given for the option at index `option`, a TOOL_OPTION_PROFILE that TOOL_OPTION_PROFILE_TYPE follows, and says
// on standard error what of them could not be used in full.
//
// Returns: -1 to go on, else the exit status to return at once. Without such an option `ret_profile` is empty: no calls, and
// tool_profile_calls gives NULL. It is freed by profile_free.
int tool_read_profiles(const char *verb, const struct tool_arguments *arguments, int option, struct profile *ret_profile);
// Says whether a profile, where there is one, was read for the arch of the program: numbers of calls mean something else on
// another. Returns: false after having complained.
bool tool_check_profile_arch(const char *verb, const struct tool_request *request, const struct tool_subject *subject);
// Returns: what a compile takes (struct brig_dsl_options.profile), which lives as long as `profile`; NULL for an empty one.
const struct brig_dsl_profile *tool_profile_calls(const struct profile *profile);
// Returns: the rules that decide calls of this arch; NULL for a raw program.
const struct brig_dsl_rules *tool_rules(const struct tool_subject *subject, uint32_t audit_arch);

#endif
