// escape: text that a worker chose becomes text that a person can trust to be what it looks like.
//
// Takes: any bytes. Gives: printable UTF-8 in a bounded buffer. Guarantees: no control character (C0, DEL, C1, also when written as
// UTF-8), no byte that is not part of a well-formed character (overlong forms, surrogates and values beyond U+10FFFF are not), no
// mark that reorders or hides text, no line separator; and the escaped form can be told from the same characters written out,
// because backslash is escaped as well. Weakness: letters that look alike (Latin a, Cyrillic a) are left alone.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/report.h"
#include "sandbox/report/text.h"

struct code_range {
    uint32_t first;
    uint32_t last;
};

// Characters that are invisible, change the direction of what follows, or break lines. Sorted.
static const struct code_range hidden_ranges[] = {
    {0x0000, 0x001f},   // C0
    {0x007f, 0x009f},   // DEL and C1
    {0x00ad, 0x00ad},   // soft hyphen
    {0x034f, 0x034f},   // combining grapheme joiner
    {0x061c, 0x061c},   // Arabic letter mark
    {0x115f, 0x1160},   // Hangul fillers
    {0x17b4, 0x17b5},   // Khmer inherent vowels
    {0x180b, 0x180f},   // Mongolian selectors and vowel separator
    {0x200b, 0x200f},   // zero-width space, joiners, direction marks
    {0x2028, 0x202e},   // line and paragraph separators, embeddings, overrides
    {0x2060, 0x206f},   // word joiner, invisible operators, isolates, deprecated format characters
    {0x3164, 0x3164},   // Hangul filler
    {0xfe00, 0xfe0f},   // variation selectors
    {0xfeff, 0xfeff},   // byte order mark
    {0xffa0, 0xffa0},   // halfwidth Hangul filler
    {0xfff0, 0xfffb},   // specials, interlinear annotation
    {0xfffe, 0xffff},   // noncharacters
    {0x1bca0, 0x1bca3}, // shorthand format controls
    {0x1d173, 0x1d17a}, // musical format controls
    {0xe0000, 0xe0fff}, // tags and variation selectors
};

static bool is_hidden(uint32_t code_point)
{
    for (size_t i = 0; i < sizeof hidden_ranges / sizeof hidden_ranges[0]; i++) {
        if (code_point <= hidden_ranges[i].last) {
            return code_point >= hidden_ranges[i].first;
        }
    }
    return false;
}

// Reads one well-formed character. Returns: its length in bytes, or 0 if the bytes are not UTF-8.
static size_t read_character(const unsigned char *bytes, size_t size_bytes, uint32_t *ret_code_point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char lead = bytes[0];
    size_t length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (length == 0 || length > size_bytes) {
        return 0;
    }
    uint32_t code_point = length == 1 ? lead : lead & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
        code_point = code_point << 6 | (bytes[i] & 0x3fu);
    }
    if (code_point < least[length] || code_point > 0x10ffff || (code_point >= 0xd800 && code_point <= 0xdfff)) {
        return 0;
    }
    *ret_code_point = code_point;
    return length;
}

// All or nothing, so that a cut never leaves half an escape or half a character.
static void add_bytes(struct box_text *text, const void *bytes, size_t size_bytes)
{
    if (text->is_cut || size_bytes >= text->size_bytes - text->used_bytes) {
        text->is_cut = true;
        return;
    }
    memcpy(text->buffer + text->used_bytes, bytes, size_bytes);
    text->used_bytes += size_bytes;
    text->buffer[text->used_bytes] = '\0';
}

void box_text_init(struct box_text *text, char *buffer, size_t size_bytes)
{
    *text = (struct box_text){.buffer = buffer, .size_bytes = size_bytes};
    buffer[0] = '\0';
}

void box_text_add(struct box_text *text, const char *string)
{
    add_bytes(text, string, strlen(string));
}

void box_text_format(struct box_text *text, const char *format, ...)
{
    char piece[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(piece, sizeof piece, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof piece) {
        text->is_cut = true;
        return;
    }
    add_bytes(text, piece, (size_t)length);
}

static void add_escape(struct box_text *text, uint32_t code_point)
{
    switch (code_point) {
    case '\n':
        box_text_add(text, "\\n");
        break;
    case '\t':
        box_text_add(text, "\\t");
        break;
    case '\r':
        box_text_add(text, "\\r");
        break;
    default:
        box_text_format(text, code_point < 0x80 ? "\\x%02x" : code_point < 0x10000 ? "\\u%04x" : "\\U%08x", code_point);
    }
}

// Adds the character at `bytes`. Returns: how many bytes it took.
static size_t add_character(struct box_text *text, const unsigned char *bytes, size_t size_bytes, bool escapes_backslash)
{
    uint32_t code_point = 0;
    size_t length = read_character(bytes, size_bytes, &code_point);
    if (length == 0) {
        box_text_format(text, "\\x%02x", bytes[0]);
        return 1;
    }
    if (is_hidden(code_point)) {
        add_escape(text, code_point);
    } else if (escapes_backslash && (code_point == '\\' || code_point == '"')) {
        box_text_format(text, "\\%c", (char)code_point);
    } else {
        add_bytes(text, bytes, length);
    }
    return length;
}

static void add_all(struct box_text *text, const unsigned char *bytes, size_t size_bytes, bool escapes_backslash)
{
    for (size_t i = 0; i < size_bytes && !text->is_cut;) {
        i += add_character(text, bytes + i, size_bytes - i, escapes_backslash);
    }
}

void box_text_add_escaped(struct box_text *text, const void *bytes, size_t size_bytes)
{
    add_all(text, bytes, size_bytes, true);
}

void box_text_add_quoted(struct box_text *text, const void *bytes, size_t size_bytes, bool is_cut)
{
    box_text_add(text, "\"");
    box_text_add_escaped(text, bytes, size_bytes);
    box_text_add(text, is_cut ? "\"..." : "\"");
}

void box_text_add_clean(struct box_text *text, const char *string)
{
    add_all(text, (const unsigned char *)string, strlen(string), false);
}

void box_text_add_path(struct box_text *text, const char *path)
{
    static const char ellipsis[] = "...";
    const size_t longest_escape = 4; // characters per byte, in \xff
    size_t path_bytes = strlen(path);
    struct box_text start = *text;
    box_text_add_escaped(text, path, path_bytes);
    if (!text->is_cut || start.size_bytes - start.used_bytes <= sizeof ellipsis) {
        return;
    }
    size_t room = start.size_bytes - start.used_bytes - sizeof ellipsis;
    const size_t kept[] = {room < path_bytes ? room : path_bytes, room / longest_escape};
    for (size_t i = 0; i < 2 && text->is_cut; i++) {
        *text = start;
        text->buffer[text->used_bytes] = '\0';
        box_text_add(text, ellipsis);
        box_text_add_escaped(text, path + path_bytes - kept[i], kept[i]);
    }
}

void brig_report_clean(const char *text, char *buffer, size_t buffer_bytes)
{
    struct box_text clean;
    box_text_init(&clean, buffer, buffer_bytes);
    box_text_add_clean(&clean, text);
}
