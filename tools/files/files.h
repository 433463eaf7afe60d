// files: whole files and streams as text in memory, for tools that are given names of files by anybody.
//
//   char *text;
//   size_t text_bytes;
//   int code = files_read("policy.json", &text, &text_bytes);
//   if (code != 0) {
//       complain(strerror(code));
//   }
//
// Rules that hold throughout: functions return 0 or an errno, EFBIG for more than FILES_BYTES_MAX; the text is from malloc, has no
// terminator, and is given only with 0.
#ifndef BRIG_TOOLS_FILES_FILES_H
#define BRIG_TOOLS_FILES_FILES_H

#include <stddef.h>
#include <stdio.h>

enum { FILES_BYTES_MAX = 16 << 20 };

// Reads a stream to its end.
int files_read_stream(FILE *in, char **ret_text, size_t *ret_text_bytes);
// Reads a file of any kind that somebody has named: a pipe is waited for.
int files_read(const char *path, char **ret_text, size_t *ret_text_bytes);
// Reads a file that nobody has named, or a file has: never waits. Returns: also ENODEV for what is no regular file.
int files_read_regular(const char *path, char **ret_text, size_t *ret_text_bytes);

#endif
