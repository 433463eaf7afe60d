// import: policies that were written for other tools become policies of ours, one for each arch that they serve.
//
//   struct import_source source = {.name = "docker.json", .text = text, .text_bytes = bytes};
//   struct import_options options = {.kernel = BRIG_DSL_KERNEL(6, 18)};
//   if (!import_oci(&source, &options, &policies, &error)) {
//       complain(import_error_format(&error, buffer, sizeof buffer)); // docker.json:12:9: ...; did you mean 'openat'?
//   }
//   ... brig_dsl_compile_targets(policies.targets, policies.target_count, ...) ...
//   import_free(&policies);
//
// Rules that hold throughout:
// - An importer takes text and a name, and gives policies with `import` set: conditions on reg0 to reg5 as text, and in every row
//   the file and line of the input that said so. It reads no file but through options->reader, prints nothing, keeps no state.
// - What cannot be expressed is an error, never dropped in silence. What is left out because it cannot matter to a program for
//   these arches (other arches, options of the install) is a warning.
// - Results live in memory of their own until import_free; the source's text may go before. Errors own their text.
// - Deterministic: the same text and options give the same rows. The running kernel and this process's capabilities are not looked
//   at; what is not given in the options is the default named there.
#ifndef BRIG_TOOLS_IMPORT_IMPORT_H
#define BRIG_TOOLS_IMPORT_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf_dsl/bpf_dsl.h"

// A text to import. `name` stands in errors, warnings and rows; the text needs no terminator.
struct import_source {
    const char *name;
    const char *text;
    size_t text_bytes;
};

// Reads other files that a text names.
struct import_reader {
    // Reads the file `path` whole. Returns: 0, or an errno; ENODEV: it is no regular file. Owns: the text is from malloc and
    // becomes the importer's.
    int (*read)(void *context, const char *path, char **ret_text, size_t *ret_text_bytes);
    void *context;
};

struct import_options {
    const enum brig_dsl_arch *arches; // those asked for, in order; none: this machine's and what the text says goes with it
    size_t arch_count;
    const char *const *capabilities; // what the process will have, as in CAP_SYS_ADMIN; none: nothing
    size_t capability_count;
    uint16_t kernel;                    // what the program will run on, for conditions on it; 0: the newest that the tables know
    const struct import_reader *reader; // NULL: a text that names other files is an error
};

// Something that the person who wrote the text may want to know.
struct import_warning {
    const char *file;
    int line; // 0: the text as a whole
    const char *text;
};

struct import_memory;

struct import_policies {
    struct brig_dsl_target targets[BRIG_DSL_ARCH_COUNT]; // the arches served, the most important one first; at least one
    size_t target_count;
    const struct brig_dsl_profile *profile; // what the text says of how often calls are made, for the first target; or NULL
    const struct import_warning *warnings;
    size_t warning_count;
    struct import_memory *memory; // private: owns all of it
};

struct import_error {
    char file[256];   // the source's name, or the name of a file that it includes
    int line;         // from 1; 0: the text as a whole
    int column;       // in bytes, from 1; 0: the line as a whole
    char text[320];   // what is wrong, quoting the text where that helps
    char closest[64]; // the known name closest to a wrong one, or empty
};

// Imports an OCI runtime-spec seccomp profile in JSON: the object `linux.seccomp`, alone or inside a whole config.json, which is
// also the form of Docker's and Podman's profiles. The meaning is runc's with libseccomp (oci.c says which).
//
// Returns: false after having written `reterr`.
// Owns: ret_policies is freed by import_free.
// Context: normal.
// Source: opencontainers/runtime-spec config-linux.md, seccomp_rule_add(3); JSON as in RFC 8259.
bool import_oci(const struct import_source *source, const struct import_options *options, struct import_policies *ret_policies,
                struct import_error *reterr);

// Imports a minijail policy (.policy).
//
// Returns, Owns, Context: as import_oci.
// Source: minijail0(5).
bool import_minijail(const struct import_source *source, const struct import_options *options, struct import_policies *ret_policies,
                     struct import_error *reterr);

// Frees all that an import gave.
void import_free(struct import_policies *policies);

// Writes an error as one line, "FILE:LINE:COLUMN: what; did you mean 'NAME'?", for people.
// Returns: `buffer`, always terminated; IMPORT_ERROR_TEXT_BYTES are enough.
#define IMPORT_ERROR_TEXT_BYTES 768
const char *import_error_format(const struct import_error *error, char *buffer, size_t buffer_bytes);

#endif
