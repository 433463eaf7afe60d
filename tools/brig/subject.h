// subject: the parts of what makes a POLICY of a word of the command line: what it can be called, and what a file can hold.
#ifndef BRIG_TOOLS_BRIG_SUBJECT_H
#define BRIG_TOOLS_BRIG_SUBJECT_H

#include "tools/brig/tool.h"

// --- what is meant ----------------------------------------------------------------------------------------------------

typedef bool subject_importer(const struct import_source *source, const struct import_options *options,
                              struct import_policies *ret_policies, struct import_error *reterr);

// What a file can hold.
struct subject_format {
    const char *from;         // as --from says it
    const char *ending;       // of a file that needs no --from
    subject_importer *import; // NULL: a raw program, or promises
};
extern const struct subject_format *const subject_raw_format;

// Names of all formats, for people: as --from says them, or as files end.
struct subject_format_list {
    char text[128];
};
struct subject_format_list subject_list_formats(bool as_files);

// Finds the format that --from names. Returns: NULL after having complained.
const struct subject_format *subject_format_of_option(const char *verb, const char *from);
// Finds the format that a file's name ends in. Returns: NULL if the ending says nothing.
const struct subject_format *subject_format_of_name(const char *name);
// Finds the only format that a file with this content can have. Returns: NULL if it may be several.
const struct subject_format *subject_format_of_content(const char *text, size_t text_bytes);
// Returns: NULL if no policy of ours has this name.
const struct brig_dsl_policy *subject_find_built_in(const char *name);
// Complains that a name is nothing that is known. Returns: TOOL_USAGE.
int subject_complain_about_policy(const char *verb, const char *name);

#endif
