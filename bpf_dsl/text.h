// text: writing text without stdio, locale or allocation. Internal to bpf_dsl.
//
// Everything that bpf_dsl writes goes to a brig_dsl_sink; a buffer is one kind of sink.
#ifndef BRIG_BPF_DSL_TEXT_H
#define BRIG_BPF_DSL_TEXT_H

#include "bpf_dsl/bpf_dsl.h"

void dsl_put(const struct brig_dsl_sink *sink, const char *text);
void dsl_put_bytes(const struct brig_dsl_sink *sink, const char *text, size_t text_bytes);
void dsl_put_decimal(const struct brig_dsl_sink *sink, int64_t value);
void dsl_put_hex(const struct brig_dsl_sink *sink, uint64_t value); // "0x1f"
// Writes what stands in a policy's source, which may have been broken over lines: white space becomes one blank.
void dsl_put_source(const struct brig_dsl_sink *sink, const char *text, size_t text_bytes);

// Writes what people and other processes say, in one line that a terminal does not obey: control characters (C1 and line breaks
// too), marks that hide or turn round what stands beside them, and bytes that are no UTF-8 become \xNN.
void dsl_put_shown(const struct brig_dsl_sink *sink, const char *text, size_t text_bytes);

// Whether `c` can stand in a name: a letter, a digit or an underscore. One bit each, because this is asked of every character of a
// policy.
static inline bool dsl_is_name_character(char c)
{
    static const uint32_t bits[8] = {0, 0x03ff0000, 0x87fffffe, 0x07fffffe};
    unsigned char byte = (unsigned char)c;
    return (bits[byte >> 5] >> (byte & 31) & 1) != 0;
}

// Returns: how many of the `text_bytes` to keep so that `text` does not end inside a UTF-8 character.
size_t dsl_whole_characters(const char *text, size_t text_bytes);

// A sink into memory of `size_bytes` (at least 1): always terminated, what does not fit is cut at a UTF-8 character's end.
struct dsl_buffer {
    char *text;
    size_t size_bytes;
    size_t used_bytes; // without the terminator
    bool is_cut;
};
// Empties the buffer. The sink is valid as long as `buffer` is.
struct brig_dsl_sink dsl_buffer_sink(struct dsl_buffer *buffer);

#endif
