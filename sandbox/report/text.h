// text: a bounded buffer that text from a worker enters only escaped. Internal to sandbox/report.
#ifndef BRIG_SANDBOX_REPORT_TEXT_H
#define BRIG_SANDBOX_REPORT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Always terminated, always valid UTF-8. What does not fit is left out from there on, whole characters and whole escapes at a time.
struct box_text {
    char *buffer;
    size_t size_bytes; // of `buffer`, at least 1
    size_t used_bytes; // without the terminator
    bool is_cut;       // sticky: something was left out, and so will be everything that follows
};

// Starts an empty text in `buffer`. Context: any.
void box_text_init(struct box_text *text, char *buffer, size_t size_bytes);

// Adds text of ours: `string` must be valid UTF-8 without control characters. Context: any.
void box_text_add(struct box_text *text, const char *string);
__attribute__((format(printf, 2, 3))) void box_text_format(struct box_text *text, const char *format, ...);

// Adds bytes of anybody's, as C source would write them: backslash and double quote escaped, and everything that a terminal, a
// bidirectional text layout or a careless eye would not show as what it is (\n, \x1b, \u202e, \xff for bytes that are not UTF-8).
// Context: any.
void box_text_add_escaped(struct box_text *text, const void *bytes, size_t size_bytes);

// Adds bytes as above between double quotes, with "..." behind them where `is_cut`. Context: any.
void box_text_add_quoted(struct box_text *text, const void *bytes, size_t size_bytes, bool is_cut);

// Adds a path, escaped. One that is too long for the text loses its beginning ("...lib/libfoo.so"): the end is what tells files
// apart. Context: any.
void box_text_add_path(struct box_text *text, const char *path);

// Escapes a string, for people's words (file names, reasons): as box_text_add_escaped, but backslash and quote stay as they are.
// Context: any.
void box_text_add_clean(struct box_text *text, const char *string);

#endif
