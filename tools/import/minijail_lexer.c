// minijail_lexer: the text of a policy or frequency file as tokens, entry by entry.
//
// Takes: a text of any bytes. Gives: tokens, each entry closed by a LINE_END, the file by a FILE_END. Guarantees: ends, whatever
// the bytes; a byte without a meaning is a failure with its place. Entries end with their line, unless its last byte is '\'.
//
// The two readers of minijail, minijail0's own and compile_seccomp_policy, do not agree on a comment that ends in '\': for the
// first it goes on in the next line. Where that would make a difference it is a failure.
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tools/import/minijail.h"

static const char symbols[][3] = {"||", "&&", "==", "!=", "<=", ">=", ":", ";", ",", "~", "(",
                                  ")",  "{",  "}",  "[",  "]",  "|",  "&", "<", ">", "=", "!"};

// --- failures ---------------------------------------------------------------------------------------------------------

void minijail_fail(struct minijail *mj, struct import_place place, const char *closest, const char *format, ...)
{
    char text[sizeof mj->reterr->text];
    va_list arguments;
    if (mj->has_failed) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    import_fail_name(mj->reterr, place, closest, "%s", text);
    mj->has_failed = true;
    mj->file->token.kind = MINIJAIL_BAD;
}

void minijail_warn(const struct minijail *mj, struct import_place place, const char *format, ...)
{
    char text[sizeof mj->reterr->text];
    va_list arguments;
    if (mj->is_repeated || mj->has_failed) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    import_warn(mj->memory, place.file, place.line, "%s", text);
}

void minijail_expected(struct minijail *mj, const char *what)
{
    const struct minijail_token *token = &mj->file->token;
    if (token->kind == MINIJAIL_LINE_END || token->kind == MINIJAIL_FILE_END) {
        minijail_fail(mj, token->place, NULL, "expected %s, not the end of the line", what);
    } else {
        minijail_fail(mj, token->place, NULL, "expected %s, not '%.*s'", what, minijail_shown(token), token->text);
    }
}

// --- characters -------------------------------------------------------------------------------------------------------

// Returns: the byte at `at`, '\0' past the end.
static char byte_at(const struct minijail_file *file, size_t at)
{
    return at < file->source.text_bytes ? file->source.text[at] : '\0';
}

static bool is_end(const struct minijail_file *file, size_t at)
{
    return at >= file->source.text_bytes;
}

// Returns: the length of the line end at `at`, 0 if there is none.
static size_t line_end_bytes(const struct minijail_file *file, size_t at)
{
    if (byte_at(file, at) == '\r' && (byte_at(file, at + 1) == '\n' || is_end(file, at + 1))) {
        return is_end(file, at + 1) ? 1 : 2;
    }
    return byte_at(file, at) == '\n' ? 1 : 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\v' || c == '\f';
}

static bool is_word_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '@';
}

static struct import_place place_of(const struct minijail_file *file, size_t at)
{
    return (struct import_place){.file = file->source.name, .line = file->line, .column = (int)(at - file->line_start) + 1};
}

static void start_line(struct minijail_file *file, size_t at)
{
    file->at = file->line_start = at;
    file->line++;
}

// --- what stands between tokens ---------------------------------------------------------------------------------------

// Returns: whether nothing but blanks, or a comment, stands in the line that starts at `at`.
static bool is_empty_line(const struct minijail_file *file, size_t at)
{
    while (is_blank(byte_at(file, at))) {
        at++;
    }
    return is_end(file, at) || line_end_bytes(file, at) > 0 || byte_at(file, at) == '#';
}

static void skip_comment(struct minijail *mj)
{
    struct minijail_file *file = mj->file;
    size_t end = file->at;
    while (!is_end(file, end) && line_end_bytes(file, end) == 0) {
        end++;
    }
    bool is_continued = file->source.text[end - 1] == '\\';
    file->at = is_continued && file->is_inside ? end - 1 : end;
    if (is_continued && !file->is_inside && !is_empty_line(file, end + line_end_bytes(file, end))) {
        minijail_fail(
            mj, place_of(file, end - 1), NULL,
            "a comment that ends in '\\' makes a comment of the next line for minijail0, and not for compile_seccomp_policy");
    }
}

static void skip_backslash(struct minijail *mj)
{
    struct minijail_file *file = mj->file;
    size_t bytes = line_end_bytes(file, file->at + 1);
    if (bytes == 0) {
        minijail_fail(mj, place_of(file, file->at), NULL, "'\\' continues an entry only where it is the last in its line");
        return;
    }
    start_line(file, file->at + 1 + bytes);
    file->is_continued = true;
}

static void skip_to_token(struct minijail *mj)
{
    struct minijail_file *file = mj->file;
    while (!mj->has_failed) {
        char c = byte_at(file, file->at);
        if (is_blank(c)) {
            file->at++;
        } else if (c == '#') {
            skip_comment(mj);
        } else if (c == '\\') {
            skip_backslash(mj);
        } else {
            return;
        }
    }
}

// --- tokens -----------------------------------------------------------------------------------------------------------

static size_t symbol_bytes(const struct minijail_file *file)
{
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
        size_t bytes = strlen(symbols[i]);
        if (file->source.text_bytes - file->at >= bytes && memcmp(file->source.text + file->at, symbols[i], bytes) == 0) {
            return bytes;
        }
    }
    return 0;
}

static size_t word_bytes(const struct minijail_file *file)
{
    size_t bytes = 1; // the first is a sign or an @ as well
    while (is_word_byte(byte_at(file, file->at + bytes))) {
        bytes++;
    }
    return bytes;
}

// What starts at the lexer's place, which is not at the end of a line.
static enum minijail_kind kind_of(const struct minijail_file *file)
{
    char c = byte_at(file, file->at);
    char next = byte_at(file, file->at + 1);
    if (isalpha((unsigned char)c) || c == '_') {
        return MINIJAIL_WORD;
    }
    if (isdigit((unsigned char)c) || (c == '-' && isdigit((unsigned char)next))) {
        return MINIJAIL_NUMBER;
    }
    if (c == '@' && isalpha((unsigned char)next)) {
        return MINIJAIL_DIRECTIVE;
    }
    return symbol_bytes(file) > 0 ? MINIJAIL_SYMBOL : MINIJAIL_BAD;
}

static void end_entry(struct minijail *mj)
{
    struct minijail_file *file = mj->file;
    size_t bytes = line_end_bytes(file, file->at);
    file->token.kind = bytes > 0 || file->is_inside ? MINIJAIL_LINE_END : MINIJAIL_FILE_END;
    file->token.text_bytes = 0;
    if (file->is_continued && is_end(file, file->at)) {
        minijail_fail(mj, place_of(file, file->at), NULL, "the text ends where the line before it has an entry go on");
    }
    if (bytes > 0) {
        start_line(file, file->at + bytes);
    }
    file->is_inside = file->is_continued = false;
}

void minijail_advance(struct minijail *mj)
{
    struct minijail_file *file = mj->file;
    if (mj->has_failed || file->token.kind == MINIJAIL_FILE_END) {
        return;
    }
    skip_to_token(mj);
    if (mj->has_failed) {
        return;
    }
    struct minijail_token *token = &file->token;
    *token = (struct minijail_token){.text = file->source.text + file->at, .place = place_of(file, file->at)};
    if (is_end(file, file->at) || line_end_bytes(file, file->at) > 0) {
        end_entry(mj);
        return;
    }
    token->kind = kind_of(file);
    token->text_bytes = token->kind == MINIJAIL_SYMBOL ? symbol_bytes(file) : word_bytes(file);
    file->at += token->text_bytes;
    file->is_inside = true;
    file->is_continued = false;
    if (token->kind == MINIJAIL_BAD) {
        minijail_fail(mj, token->place, NULL,
                      isprint((unsigned char)token->text[0]) ? "'%c' has no meaning here"
                                                             : "a policy is a text, and this is the byte 0x%02x",
                      (unsigned char)token->text[0]);
    }
}

void minijail_open(struct minijail *mj, struct minijail_file *file)
{
    file->line = 1;
    file->token.kind = MINIJAIL_LINE_END;
    mj->file = file;
    minijail_advance(mj);
}

bool minijail_is(const struct minijail *mj, const char *text)
{
    const struct minijail_token *token = &mj->file->token;
    return token->kind != MINIJAIL_BAD && token->text_bytes == strlen(text) && memcmp(token->text, text, token->text_bytes) == 0;
}

bool minijail_accept(struct minijail *mj, const char *text)
{
    if (!minijail_is(mj, text)) {
        return false;
    }
    minijail_advance(mj);
    return true;
}

void minijail_close(struct minijail *mj, const char *text, struct import_place place)
{
    char what[96];
    if (!minijail_accept(mj, text)) {
        snprintf(what, sizeof what, "'%s' for what was opened at %d:%d", text, place.line, place.column);
        minijail_expected(mj, what);
    }
}

struct minijail_token minijail_read_path(struct minijail *mj)
{
    struct minijail_file *file = mj->file;
    skip_to_token(mj);
    struct minijail_token path = {.kind = MINIJAIL_WORD, .text = file->source.text + file->at, .place = place_of(file, file->at)};
    while (!is_end(file, file->at) && !is_blank(byte_at(file, file->at)) && line_end_bytes(file, file->at) == 0) {
        file->at++;
        path.text_bytes++;
    }
    minijail_advance(mj);
    return path;
}
