// profile: recorded calls, read from files into what a compile takes to make frequent calls fast.
//
//   struct profile_reader *reader = profile_new(BRIG_DSL_X86_64, "renderer");
//   if (!profile_read_file(reader, "renderer.tsv", &error) || !profile_finish(reader, &profile, &error)) {
//       complain(profile_error_format(&error, buffer, sizeof buffer)); // renderer.tsv:7:10: no system call has this name: 'opnat'
//       ...
//   }
//   options.profile = &profile.calls;
//   ... profile_free(&profile); profile_delete(reader);
//
// Three kinds of files, told apart by their first line that is neither empty nor a comment (#); each may be compressed by gzip:
//
// - Counts: a table with tabs and a line of headings, of which `syscall` and `count` are needed; a `process_type` makes rows belong
//   to one. Other columns are not looked at: numbers are those of the arch that was recorded, names hold for all.
// - Counts by argument: the same with a column `argument`, words such as `WAKE|PRIVATE`, `flags=0x40`, `AT_FDCWD RDONLY|CLOEXEC`
//   (words.c). Calls that a table of counts has as well, for the same process type, are not counted twice.
// - Calls one by one: `NR A0 A1 A2 A3 A4 A5`, the number in decimal and of the arch asked for, arguments in hex, P for some
// pointer.
//
// Rules that hold throughout: everything is summed over all files; the result does not depend on the order of lines. A call that
// the arch does not have is counted as absent. Any other name or number that means nothing is an error.
#ifndef BRIG_TOOLS_PROFILE_PROFILE_H
#define BRIG_TOOLS_PROFILE_PROFILE_H

#include "bpf_dsl/program.h"

// Limits: bytes of a line, bytes of a file after decompression, and calls that differ in number or arguments.
enum { PROFILE_LINE_BYTES_MAX = 4096, PROFILE_SAMPLES_MAX = 1 << 20 };
#define PROFILE_FILE_BYTES_MAX ((uint64_t)1 << 30)

struct profile_reader;

struct profile_error {
    char file[256];
    int line;         // from 1; 0: the file as a whole
    int column;       // in bytes, from 1; 0: the line as a whole
    char text[200];   // what is wrong
    char closest[64]; // the known name closest to a wrong one, or empty
};

struct profile {
    struct brig_dsl_profile calls; // each combination of number and arguments once, sorted
    uint64_t call_count;           // sum of their counts
    uint64_t vague_count;          // of these: what a file says of their arguments gives no values
    uint64_t absent_count;         // left out: the arch has no such call
};

// Starts a profile of `arch`; of tables that name process types only rows of `type` count, all with NULL.
// Returns: NULL when out of memory. Owns: `type` must outlive the reader.
struct profile_reader *profile_new(enum brig_dsl_arch arch, const char *type);
void profile_delete(struct profile_reader *reader);

// Reads a file, or standard input for "-". Returns: false after having written `reterr`; the reader is then good for nothing but
// profile_delete.
bool profile_read_file(struct profile_reader *reader, const char *path, struct profile_error *reterr);
// The same for text in memory (never compressed).
bool profile_read_text(struct profile_reader *reader, const char *name, struct brig_dsl_text text, struct profile_error *reterr);

// Sums up. Returns: false after having written `reterr`: no calls, or no such process type.
// Owns: ret_profile is the caller's, who gives it to profile_free.
bool profile_finish(struct profile_reader *reader, struct profile *ret_profile, struct profile_error *reterr);
void profile_free(struct profile *profile);

// Writes "FILE:LINE:COLUMN: what is wrong; did you mean 'NAME'?". Returns: `buffer`.
const char *profile_error_format(const struct profile_error *error, char *buffer, size_t buffer_bytes);

#endif
