// base64: bytes inside JSON (RFC 4648, with padding). Internal to sandbox/report.
#ifndef BRIG_SANDBOX_REPORT_BASE64_H
#define BRIG_SANDBOX_REPORT_BASE64_H

#include <stdbool.h>
#include <stddef.h>

// Size of the text of `size_bytes` bytes, with the terminator.
#define BOX_BASE64_TEXT(size_bytes) (((size_bytes) + 2) / 3 * 4 + 1)

// Writes the terminated text of `bytes`; `text` has BOX_BASE64_TEXT(size_bytes) bytes. Context: any.
void box_base64_write(const void *bytes, size_t size_bytes, char *text);

// Reads text back. Returns: false if it is malformed or has more than `capacity_bytes`. Context: any.
bool box_base64_read(const char *text, void *buffer, size_t capacity_bytes, size_t *ret_size_bytes);

#endif
