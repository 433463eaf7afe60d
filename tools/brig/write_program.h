// write_program: the formats in which the verbs that make a program write it.
#ifndef BRIG_TOOLS_BRIG_WRITE_PROGRAM_H
#define BRIG_TOOLS_BRIG_WRITE_PROGRAM_H

#include "tools/brig/tool.h"

enum { WRITE_PROGRAM_RAW, WRITE_PROGRAM_C, WRITE_PROGRAM_TEXT, WRITE_PROGRAM_JSON };

#define WRITE_PROGRAM_OPTION_FORMAT \
    { \
        "format", 0, "FORMAT", \
            "raw (8-byte instructions), c (an initializer), text (a listing) or json; without it text, or raw with -o" \
    }

// What the command line says about the output.
struct write_program_options {
    const char *output; // of --output, or NULL
    const char *format; // of --format, or NULL
    bool wants_json;
    bool wants_stats;
};

// Who writes.
struct write_program_kind {
    const char *verb;
    const char *noun; // what the program was made from: "policy", "program"; also the key of its name in JSON
    const char *schema;
};

struct write_program {
    const char *name;
    const struct brig_dsl_program *program;
};

// Returns: whether both are written: the program to the file of --output, the figures to standard output. Without a file --stats
// prints the figures instead of the program.
bool write_program_is_apart(const struct write_program_options *options);
// Returns: whether the figures are printed as JSON; `format` is the program's.
bool write_program_has_json_stats(const struct write_program_options *options, int format);
// Which of the formats is meant: --json is short for --format=json where only one thing is written, else it is for the figures.
// Returns: its index, or -1 after having complained.
int write_program_find_format(const char *verb, const struct write_program_options *options);
// Writes a program in a format.
void write_program(FILE *out, const struct write_program_kind *kind, int format, const struct write_program *program);

// Returns: an object with schema, name, arch and hash.
json_t *write_program_describe(const struct write_program_kind *kind, const struct write_program *program);
// Returns: the instructions as arrays of code, jt, jf, k.
json_t *write_program_insns(const struct brig_dsl_program *program);

#endif
