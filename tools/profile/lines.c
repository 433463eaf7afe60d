// lines: the lines of a recording.
//
// Takes: lines in order, any bytes. Gives: entries of the reader's table. The first line that is neither empty nor a comment says
// which kind of file it is: a number starts a list of calls, words with a tab between them are the headings of a table. Guarantees:
// a line is either counted, counted as absent, of another process type, or an error with its column.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/profile/parts.h"

enum profile_heading { HEADING_SYSCALL, HEADING_COUNT, HEADING_ARGUMENT, HEADING_TYPE, HEADINGS };
static const char *const headings[HEADINGS] = {"syscall", "count", "argument", "process_type"};

// One line while it is read.
struct line {
    struct profile_reader *reader;
    struct brig_dsl_text text;
    struct profile_error *reterr;
};

// --- errors -----------------------------------------------------------------------------------------------------------

// Fails at `at`, a place in the line.
__attribute__((format(printf, 3, 4))) static bool fail(const struct line *line, const char *at, const char *format, ...)
{
    struct profile_error *error = line->reterr;
    *error = (struct profile_error){.line = line->reader->line, .column = (int)(at - line->text.text) + 1};
    snprintf(error->file, sizeof error->file, "%s", line->reader->name);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return false;
}

// What is quoted in an error: not more than helps.
static int quoted_bytes(struct brig_dsl_text text)
{
    return (int)(text.bytes < 60 ? text.bytes : 60);
}

// --- pieces -----------------------------------------------------------------------------------------------------------

// A whole number of digits alone. Returns: false if it is anything else or does not fit.
static bool read_decimal(struct brig_dsl_text text, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.bytes; i++) {
        uint64_t digit = (uint64_t)(unsigned char)text.text[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value)) {
            return false;
        }
    }
    *ret_value = value;
    return text.bytes > 0;
}

static bool read_hex(struct brig_dsl_text text, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (text.bytes > 2 && text.text[0] == '0' && text.text[1] == 'x') {
        text = (struct brig_dsl_text){text.text + 2, text.bytes - 2};
    }
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.text[i];
        unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;
        if (digit > 15) {
            return false;
        }
        value = value << 4 | digit;
    }
    *ret_value = value;
    return text.bytes > 0 && text.bytes <= 16;
}

static bool add_entry(const struct line *line, const struct profile_entry *entry)
{
    switch (profile_table_add(&line->reader->table, entry)) {
    case PROFILE_ADDED:
        return true;
    case PROFILE_TOO_MANY:
        return fail(line, line->text.text, "more than %d calls that differ", PROFILE_SAMPLES_MAX);
    case PROFILE_OVERFLOW:
        return fail(line, line->text.text, "counts that add up to more than 64 bits");
    case PROFILE_NO_MEMORY:
        break;
    }
    return fail(line, line->text.text, "out of memory");
}

// --- calls one by one -------------------------------------------------------------------------------------------------

// Cuts the next word off. Returns: an empty one at the end.
static struct brig_dsl_text next_word(struct brig_dsl_text *rest)
{
    while (rest->bytes > 0 && (*rest->text == ' ' || *rest->text == '\t')) {
        *rest = (struct brig_dsl_text){rest->text + 1, rest->bytes - 1};
    }
    struct brig_dsl_text word = {rest->text, 0};
    while (word.bytes < rest->bytes && rest->text[word.bytes] != ' ' && rest->text[word.bytes] != '\t') {
        word.bytes++;
    }
    *rest = (struct brig_dsl_text){rest->text + word.bytes, rest->bytes - word.bytes};
    return word;
}

// Takes in the value of one register. What the call does not read is left out. One address is as good as another: filters see that
// it is not NULL.
static void set_register(struct brig_dsl_sample *sample, const struct brig_dsl_argument *argument, int index, uint64_t value)
{
    if (argument != NULL) {
        sample->args[index] = argument->is_pointer && value != 0 ? PROFILE_SOME_POINTER : value;
        sample->known |= 1u << index;
    }
}

static bool read_registers(const struct line *line, struct brig_dsl_text rest, enum brig_dsl_call call,
                           struct brig_dsl_sample *sample)
{
    static const struct brig_dsl_argument any = {.width = BRIG_DSL_WIDTH_64};
    for (int i = 0; i < 6; i++) {
        struct brig_dsl_text word = next_word(&rest);
        // A number without a call has no arguments that could be left out.
        const struct brig_dsl_argument *argument =
            call == BRIG_SYS_NONE ? &any : brig_dsl_call_argument(call, line->reader->arch, i);
        uint64_t value;
        if (word.bytes == 1 && word.text[0] == 'P') {
            // Elsewhere it is a number that was taken for one, or an address that the call takes for a number.
            sample->args[i] = argument == NULL ? 0 : PROFILE_SOME_POINTER;
            sample->known |= argument != NULL && argument->is_pointer ? 1u << i : 0;
        } else if (read_hex(word, &value)) {
            set_register(sample, argument, i, value);
        } else if (word.bytes == 0) {
            return fail(line, word.text, "a call has a number and six arguments, these are %d", i);
        } else {
            return fail(line, word.text, "'%.*s' is neither a hexadecimal number of 64 bits nor P", quoted_bytes(word), word.text);
        }
    }
    struct brig_dsl_text more = next_word(&rest);
    return more.bytes == 0 || fail(line, more.text, "a call has six arguments, and here is one more");
}

static bool read_call(const struct line *line)
{
    struct brig_dsl_text rest = line->text;
    struct brig_dsl_text word = next_word(&rest);
    uint64_t nr;
    if (!read_decimal(word, &nr) || nr > UINT32_MAX) {
        return fail(line, word.text, "'%.*s' is not the number of a call, in decimal", quoted_bytes(word), word.text);
    }
    enum brig_dsl_call call = brig_dsl_call_by_nr((uint32_t)nr, line->reader->arch);
    struct profile_entry entry = {.type = PROFILE_NO_TYPE, .sample = profile_blank_sample((uint32_t)nr, call, line->reader->arch)};
    entry.sample.count = 1;
    return read_registers(line, rest, call, &entry.sample) && add_entry(line, &entry);
}

// --- tables -----------------------------------------------------------------------------------------------------------

// Cuts the next field off. Returns: false when there are no more.
static bool next_field(struct brig_dsl_text *rest, struct brig_dsl_text *ret_field)
{
    if (rest->text == NULL) {
        return false;
    }
    const char *tab = memchr(rest->text, '\t', rest->bytes);
    size_t bytes = tab == NULL ? rest->bytes : (size_t)(tab - rest->text);
    *ret_field = (struct brig_dsl_text){rest->text, bytes};
    *rest = tab == NULL ? (struct brig_dsl_text){NULL, 0} : (struct brig_dsl_text){tab + 1, rest->bytes - bytes - 1};
    return true;
}

static bool equals(struct brig_dsl_text text, const char *word)
{
    return strlen(word) == text.bytes && memcmp(word, text.text, text.bytes) == 0;
}

static bool read_headings(const struct line *line)
{
    struct profile_reader *reader = line->reader;
    struct brig_dsl_text rest = line->text;
    struct brig_dsl_text field;
    for (int heading = 0; heading < HEADINGS; heading++) {
        reader->columns[heading] = -1;
    }
    for (reader->column_count = 0; next_field(&rest, &field); reader->column_count++) {
        for (int heading = 0; heading < HEADINGS; heading++) {
            bool is_it = equals(field, headings[heading]);
            if (is_it && reader->columns[heading] >= 0) {
                return fail(line, field.text, "two columns '%s'", headings[heading]);
            }
            reader->columns[heading] = is_it ? reader->column_count : reader->columns[heading];
        }
    }
    if (reader->columns[HEADING_SYSCALL] < 0 || reader->columns[HEADING_COUNT] < 0) {
        return fail(line, line->text.text,
                    "neither a call (NR A0 A1 A2 A3 A4 A5) nor headings with `syscall` and `count`, with tabs between them");
    }
    return true;
}

// Finds the index of a process type, making it if it is new.
static bool find_type(const struct line *line, struct brig_dsl_text name, int *ret_type)
{
    struct profile_reader *reader = line->reader;
    // From the end: rows of one type stand together.
    for (int i = reader->type_count; i-- > 0;) {
        if (equals(name, reader->types[i])) {
            *ret_type = i;
            return true;
        }
    }
    char *kept = reader->type_count == PROFILE_TYPES_MAX ? NULL : strndup(name.text, name.bytes);
    if (kept == NULL) {
        return fail(line, name.text, reader->type_count == PROFILE_TYPES_MAX ? "too many process types" : "out of memory");
    }
    *ret_type = reader->type_count;
    reader->types[reader->type_count++] = kept;
    return true;
}

static bool complain_about_name(const struct line *line, struct brig_dsl_text name)
{
    const char *closest = brig_dsl_closest_name(name.text, name.bytes, 'c');
    fail(line, name.text, "no system call has the name '%.*s'", quoted_bytes(name), name.text);
    snprintf(line->reterr->closest, sizeof line->reterr->closest, "%s", closest == NULL ? "" : closest);
    return false;
}

// Adds a row that counts.
static bool add_row(const struct line *line, const struct brig_dsl_text *fields, int type, uint64_t count)
{
    struct profile_reader *reader = line->reader;
    struct brig_dsl_text name = fields[HEADING_SYSCALL];
    enum brig_dsl_call call = brig_dsl_call_by_name(name.text, name.bytes);
    if (call == BRIG_SYS_NONE) {
        return complain_about_name(line, name);
    }
    int32_t nr = brig_dsl_call_nr(call, reader->arch);
    uint64_t *special = nr < 0 ? &reader->absent_count : NULL;
    struct profile_entry entry = {.type = type, .is_total = reader->columns[HEADING_ARGUMENT] < 0};
    if (nr >= 0) {
        entry.sample = profile_blank_sample((uint32_t)nr, call, reader->arch);
        bool is_vague = !entry.is_total && !profile_read_words(fields[HEADING_ARGUMENT], call, reader->arch, &entry.sample);
        special = is_vague ? &reader->vague_count : NULL;
    }
    if (special != NULL && __builtin_add_overflow(*special, count, special)) {
        return fail(line, line->text.text, "counts that add up to more than 64 bits");
    }
    entry.sample.count = count;
    return nr < 0 || count == 0 || add_entry(line, &entry);
}

static bool read_row(const struct line *line)
{
    struct profile_reader *reader = line->reader;
    struct brig_dsl_text rest = line->text;
    struct brig_dsl_text field;
    struct brig_dsl_text fields[HEADINGS] = {{NULL, 0}};
    int count = 0;
    for (; next_field(&rest, &field); count++) {
        for (int heading = 0; heading < HEADINGS; heading++) {
            fields[heading] = reader->columns[heading] == count ? field : fields[heading];
        }
    }
    if (count != reader->column_count) {
        return fail(line, line->text.text, "%d fields, and the headings are %d", count, reader->column_count);
    }
    int type = PROFILE_NO_TYPE;
    if (fields[HEADING_TYPE].text != NULL && !find_type(line, fields[HEADING_TYPE], &type)) {
        return false;
    }
    uint64_t calls;
    if (!read_decimal(fields[HEADING_COUNT], &calls)) {
        return fail(line, fields[HEADING_COUNT].text, "'%.*s' is not a count", quoted_bytes(fields[HEADING_COUNT]),
                    fields[HEADING_COUNT].text);
    }
    bool counts = type == PROFILE_NO_TYPE || reader->type == NULL || strcmp(reader->types[type], reader->type) == 0;
    return !counts || add_row(line, fields, type, calls);
}

// --- lines ------------------------------------------------------------------------------------------------------------

bool profile_read_line(struct profile_reader *reader, struct brig_dsl_text text, struct profile_error *reterr)
{
    while (text.bytes > 0 && text.text[text.bytes - 1] == '\r') {
        text.bytes--;
    }
    struct line line = {reader, text, reterr};
    struct brig_dsl_text rest = text;
    struct brig_dsl_text first = next_word(&rest);
    reader->line++;
    if (first.bytes == 0 || first.text[0] == '#') {
        return true;
    }
    if (reader->kind == PROFILE_KIND_UNKNOWN && (first.text[0] < '0' || first.text[0] > '9')) {
        reader->kind = PROFILE_KIND_TABLE;
        return read_headings(&line);
    }
    if (reader->kind == PROFILE_KIND_UNKNOWN) {
        reader->kind = PROFILE_KIND_CALLS;
    }
    return reader->kind == PROFILE_KIND_TABLE ? read_row(&line) : read_call(&line);
}
