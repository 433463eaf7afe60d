// tool: what the verbs of `brig` share: options, policies by name, output, errors, exit statuses.
//
// One file per verb; a verb is a row in verbs.def and one function that returns an exit status.
#ifndef BRIG_TOOLS_BRIG_TOOL_H
#define BRIG_TOOLS_BRIG_TOOL_H

#include <jansson.h>
#include <stdio.h>

#include "bpf_dsl/program.h"

// Exit statuses of every verb (but the ones that pass on a program's own).
enum tool_exit {
    TOOL_OK = 0,
    TOOL_FINDINGS = 1,  // findings, or a difference
    TOOL_USAGE = 2,     // wrong arguments or bad input
    TOOL_UNDECIDED = 3, // a limit was reached
    TOOL_LACKS = 4,     // the kernel lacks something that was asked for
};

struct tool_verb {
    const char *name;
    const char *arguments;
    const char *summary;
    const char *about;
    const char *examples;              // lines of the help
    int (*run)(int argc, char **argv); // argv[0] is the verb's name
};

// The table of verbs, closed by a NULL name.
extern const struct tool_verb tool_verbs[];

// --- options ----------------------------------------------------------------------------------------------------------

#define TOOL_OPTION_MAX 16
#define TOOL_ARCH_MAX 8

struct tool_option {
    const char *name;  // long form without dashes; NULL closes the table
    char letter;       // short form, or 0
    const char *value; // what to call its value in the help, NULL: takes none
    const char *help;
};

// Options that several verbs have; each verb's table starts with those that it supports.
#define TOOL_OPTION_ARCH \
    { \
        "arch", 'a', "ARCH", "target: x86_64, i386, aarch64, arm or riscv64 (this machine's)" \
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
        "kernel", 0, "VERSION", "baseline kernel instead of the policy's, as in 6.1" \
    }
#define TOOL_OPTION_PLAIN \
    { \
        "plain", 0, NULL, "the unoptimised program of a policy, which the optimised one has to equal" \
    }

struct tool_arguments {
    const char
        *values[TOOL_OPTION_MAX]; // by index in the option table: the value, "" for an option without value, NULL if not given
    enum brig_dsl_arch arches[TOOL_ARCH_MAX]; // every --arch, in order; the native one if none was given
    int arch_count;
    char **operands;
    int operand_count;
};

// Reads the command line of `verb`. Prints help for --help and a reason for every mistake.
// Returns: -1 to go on, else the exit status to return at once.
int tool_parse(const char *verb, const struct tool_option *options, int argc, char **argv, struct tool_arguments *ret_arguments);

// Reads "6.1" or "6.18" as BRIG_DSL_KERNEL. Returns: false if it is not a version, or newer than the tables.
bool tool_read_kernel(const char *text, uint16_t *ret_kernel);

// --- errors -----------------------------------------------------------------------------------------------------------

// Prints "brig VERB: text", or "brig: text" for NULL, to standard error. What it quotes cannot harm a terminal. Returns:
// TOOL_USAGE.
__attribute__((format(printf, 2, 3))) int tool_complain(const char *verb, const char *format, ...);
// Prints an error of the library. Returns: the exit status that fits its code.
int tool_fail(const char *verb, const struct brig_error *error);
// Prints that `name` is no system call, with a suggestion where there is one. Returns: TOOL_USAGE.
int tool_complain_about_call(const char *verb, const char *name);
// Finds the candidate closest to `name`, for "did you mean". Returns: it, or NULL if none is close.
const char *tool_closest(const char *name, const char *const *candidates, size_t candidate_count);

// --- output -----------------------------------------------------------------------------------------------------------

// Opens `path`, or standard output for NULL and "-". Returns: NULL after having complained.
FILE *tool_open_output(const char *verb, const char *path);
// Flushes and closes. Returns: TOOL_OK, or TOOL_USAGE after having complained that not everything could be written.
int tool_close_output(const char *verb, FILE *out, const char *path);
// Says whether WHEN of --color is auto, always, never or not given. Returns: false after having complained.
bool tool_check_color(const char *verb, const char *when);
// Returns: whether to color standard output: WHEN, then NO_COLOR, then whether it is a terminal.
bool tool_wants_color(const char *when);
// A sink that writes to `out`.
struct brig_dsl_sink tool_sink(FILE *out);
// Prints `json` with two-space indentation and a newline, then releases it.
void tool_print_json(FILE *out, json_t *json);

// --- policies and programs --------------------------------------------------------------------------------------------

// What POLICY names on the command line: a policy of ours, or a raw program.
struct tool_subject {
    const char *name;
    const struct brig_dsl_policy *policy; // NULL for a raw program
    struct brig_dsl_rules rules;          // of the policy, for the arch asked for
    struct brig_dsl_program program;      // compiled, or as read (then without traps)
    void *memory;                         // all of it
    double compile_us;                    // 0 for a raw program
};

// Finds a built-in policy by name, complaining with a suggestion. Returns: NULL if there is none.
const struct brig_dsl_policy *tool_find_policy(const char *verb, const char *name);
// Returns: whether POLICY names a raw program rather than a built-in policy: "-", FILE.bpf, or anything with a slash.
bool tool_is_raw(const char *name);
// Run-time slots of programs that are compiled to be looked at: fixed, so that the same policy always gives the same bytes.
enum { TOOL_SELF_PID = 4242, TOOL_NOTIFY_FD = 3 };
// The options of a compile for `arch`, with these slots. Returns: false after having complained.
bool tool_compile_options(const char *verb, enum brig_dsl_arch arch, const char *kernel, struct brig_dsl_options *ret_options);
// Loads what `name` says: a built-in policy (compiled) or FILE.bpf, or - for a raw program on standard input (validated).
// Returns: -1 to go on, else the exit status to return at once. The subject is freed by tool_free_subject.
int tool_load(const char *verb, const char *name, const struct brig_dsl_options *options, struct tool_subject *ret_subject);
void tool_free_subject(struct tool_subject *subject);

#endif
