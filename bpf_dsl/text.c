// text: small writers over a sink. They are used in error paths after fork, so they need nothing: no stdio, no locale, no memory.
#include <string.h>

#include "bpf_dsl/text.h"

void dsl_put_bytes(const struct brig_dsl_sink *sink, const char *text, size_t text_bytes)
{
    sink->write(sink->context, text, text_bytes);
}

void dsl_put(const struct brig_dsl_sink *sink, const char *text)
{
    dsl_put_bytes(sink, text, strlen(text));
}

// Enough for 2^64 - 1 in either base, "0x" and a sign included.
enum { NUMBER_BYTES = 24 };

// Writes digits in front of `end`. Returns: the first of them.
static char *digits_before(char *end, uint64_t value, unsigned base)
{
    do {
        *--end = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    return end;
}

void dsl_put_decimal(const struct brig_dsl_sink *sink, int64_t value)
{
    char text[NUMBER_BYTES];
    char *end = text + sizeof text;
    // Unsigned negation, since -INT64_MIN is no int64_t.
    char *start = digits_before(end, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10);
    if (value < 0) {
        *--start = '-';
    }
    dsl_put_bytes(sink, start, (size_t)(end - start));
}

void dsl_put_hex(const struct brig_dsl_sink *sink, uint64_t value)
{
    char text[NUMBER_BYTES];
    char *end = text + sizeof text;
    char *start = digits_before(end, value, 16);
    *--start = 'x';
    *--start = '0';
    dsl_put_bytes(sink, start, (size_t)(end - start));
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

void dsl_put_source(const struct brig_dsl_sink *sink, const char *text, size_t text_bytes)
{
    const char *end = text + text_bytes;
    bool is_started = false;
    while (text < end) {
        const char *word = text;
        while (text < end && !is_blank(*text)) {
            text++;
        }
        if (text > word) {
            dsl_put(sink, is_started ? " " : "");
            dsl_put_bytes(sink, word, (size_t)(text - word));
            is_started = true;
        }
        while (text < end && is_blank(*text)) {
            text++;
        }
    }
}

// Returns: the bytes of the UTF-8 character at the start of `text`, and which one it is; 0 if there is none.
static size_t read_character(const unsigned char *text, size_t text_bytes, uint32_t *ret_character)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const size_t bytes = text[0] < 0x80 ? 1 : text[0] < 0xc2 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : text[0] < 0xf5 ? 4 : 0;
    uint32_t character = bytes <= 1 ? text[0] : text[0] & (0x7fu >> bytes);
    if (bytes > text_bytes) {
        return 0;
    }
    for (size_t i = 1; i < bytes; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
        character = character << 6 | (text[i] & 0x3f);
    }
    *ret_character = character;
    return bytes == 0 || character < least[bytes] || (character >= 0xd800 && character <= 0xdfff) || character > 0x10ffff ? 0
                                                                                                                          : bytes;
}

static bool is_shown(uint32_t character)
{
    static const uint32_t hidden[][2] = {{0, 0x1f},        {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},
                                         {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}};
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
        if (character >= hidden[i][0] && character <= hidden[i][1]) {
            return false;
        }
    }
    return true;
}

void dsl_put_shown(const struct brig_dsl_sink *sink, const char *text, size_t text_bytes)
{
    for (size_t at = 0; at < text_bytes;) {
        uint32_t character = 0;
        const size_t bytes = read_character((const unsigned char *)text + at, text_bytes - at, &character);
        const size_t end = at + (bytes == 0 ? 1 : bytes);
        if (bytes > 0 && is_shown(character)) {
            dsl_put_bytes(sink, text + at, bytes);
            at = end;
        }
        for (; at < end; at++) {
            const unsigned char byte = (unsigned char)text[at];
            const char escape[] = {'\\', 'x', "0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
            dsl_put_bytes(sink, escape, sizeof escape);
        }
    }
}

size_t dsl_whole_characters(const char *text, size_t text_bytes)
{
    size_t at = text_bytes;
    while (at > 0 && text_bytes - at < 3 && ((unsigned char)text[at - 1] & 0xc0) == 0x80) {
        at--;
    }
    if (at == 0) {
        return text_bytes;
    }
    unsigned char lead = (unsigned char)text[at - 1];
    size_t wanted = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    size_t present = text_bytes - at + 1;
    return present < wanted ? at - 1 : text_bytes;
}

static void buffer_write(void *context, const char *text, size_t text_bytes)
{
    struct dsl_buffer *buffer = context;
    size_t room = buffer->size_bytes - 1 - buffer->used_bytes;
    if (buffer->is_cut || text_bytes == 0) {
        return;
    }
    if (text_bytes > room) {
        text_bytes = room;
        buffer->is_cut = true;
    }
    memcpy(buffer->text + buffer->used_bytes, text, text_bytes);
    buffer->used_bytes += text_bytes;
    if (buffer->is_cut) {
        buffer->used_bytes = dsl_whole_characters(buffer->text, buffer->used_bytes);
    }
    buffer->text[buffer->used_bytes] = '\0';
}

struct brig_dsl_sink dsl_buffer_sink(struct dsl_buffer *buffer)
{
    buffer->used_bytes = 0;
    buffer->is_cut = false;
    buffer->text[0] = '\0';
    return (struct brig_dsl_sink){.write = buffer_write, .context = buffer};
}
