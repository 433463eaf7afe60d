// values: "F_DUPFD_CLOEXEC, 0x10, O_RDWR|O_CLOEXEC, ~(A | B), U64(0xffffffffffffffff), SELF_PID" becomes numbers of the target.
//
// Takes: text as it stands in the policy's source (words.h stringizes it, so that no macro of the build host is expanded), the
// target arch, the policy's own constants, the run-time slots. Gives: values with their span in the text, for errors.
// Guarantees: C's precedence for | & << + - and unary - ~; no result wraps unseen (VALUE_OUT_OF_RANGE); nesting is bounded, so
// recursion is; every failure names the first bad character or the span that does not fit. Weaknesses: no *, /, ^, >>, ?:, casts,
// suffixes or function-like macros other than U64(); -9223372036854775808 must be written as -9223372036854775807 - 1, as in C.
#include <limits.h>
#include <string.h>

#include "bpf_dsl/faults.h"
#include "bpf_dsl/rules.h"
#include "bpf_dsl/text.h"
#include "bpf_dsl/values.h"

// Deeper nesting than a person writes; each level costs three small stack frames.
enum { DEPTH_LIMIT = 32 };

static const struct dsl_value zero;

// --- failures ---------------------------------------------------------------------------------------------------------

static bool has_failed(const struct dsl_value_reader *reader)
{
    return reader->error.code != BRIG_OK;
}

static struct dsl_value fail_syntax(struct dsl_value_reader *reader, size_t offset)
{
    if (!has_failed(reader)) {
        // An empty span would be taken for a terminated string.
        reader->error = (struct brig_error){.code = BRIG_BAD_VALUE_SYNTAX,
                                            .step = "read value",
                                            .subject = reader->text_bytes > 0 ? reader->text : "",
                                            .subject_bytes = (uint32_t)reader->text_bytes,
                                            .detail = (int64_t)offset};
    }
    return zero;
}

static struct dsl_value fail_span(struct dsl_value_reader *reader, enum brig_code code, size_t start, int64_t detail)
{
    if (!has_failed(reader)) {
        reader->error = (struct brig_error){.code = code,
                                            .step = "read value",
                                            .subject = reader->text + start,
                                            .subject_bytes = (uint32_t)(reader->at - start),
                                            .detail = detail};
    }
    return zero;
}

// --- characters -------------------------------------------------------------------------------------------------------

// Returns: the character at `offset`, '\0' past the end.
static char peek_at(const struct dsl_value_reader *reader, size_t offset)
{
    return offset < reader->text_bytes ? reader->text[offset] : '\0';
}

static char peek(struct dsl_value_reader *reader)
{
    while (peek_at(reader, reader->at) == ' ' || (peek_at(reader, reader->at) >= '\t' && peek_at(reader, reader->at) <= '\r')) {
        reader->at++;
    }
    return peek_at(reader, reader->at);
}

static bool accept(struct dsl_value_reader *reader, char wanted)
{
    if (peek(reader) != wanted) {
        return false;
    }
    reader->at++;
    return true;
}

// Returns: what `c` stands for in a number; UINT_MAX where it stands for nothing.
static unsigned digit_of(char c)
{
    static const uint8_t above[UCHAR_MAX + 1] = {
        ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
        ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
        ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
    };
    return above[(unsigned char)c] - 1u;
}

static bool starts_name(char c)
{
    return dsl_is_name_character(c) && !(c >= '0' && c <= '9');
}

static size_t name_length(const struct dsl_value_reader *reader)
{
    const char *start = reader->text + reader->at;
    const char *end = reader->text + reader->text_bytes;
    const char *at = start;
    while (at < end && dsl_is_name_character(*at)) {
        at++;
    }
    return (size_t)(at - start);
}

static bool is_word(const char *text, size_t text_bytes, const char *word)
{
    return strlen(word) == text_bytes && memcmp(text, word, text_bytes) == 0;
}

// --- the grammar ------------------------------------------------------------------------------------------------------

static struct dsl_value read_expression(struct dsl_value_reader *reader, int level);

static struct dsl_value from_int64(int64_t number)
{
    return (struct dsl_value){.bits = (uint64_t)number, .is_negative = number < 0};
}

static struct dsl_value read_number(struct dsl_value_reader *reader)
{
    size_t start = reader->at;
    uint64_t number = 0;
    unsigned base = 10;
    bool overflows = false;
    if (peek_at(reader, start) == '0') {
        bool is_hex = (peek_at(reader, start + 1) | 0x20) == 'x';
        base = is_hex ? 16 : 8;
        reader->at += is_hex ? 2 : 0;
    }
    size_t first = reader->at;
    for (unsigned digit; (digit = digit_of(peek_at(reader, reader->at))) < base; reader->at++) {
        overflows |= __builtin_mul_overflow(number, base, &number);
        overflows |= __builtin_add_overflow(number, digit, &number);
    }
    if (reader->at == first) {
        return fail_syntax(reader, first);
    }
    struct dsl_value value = {.bits = number, .is_unsigned = reader->u64_depth > 0};
    if (overflows || !dsl_value_fits(&value)) {
        return fail_span(reader, BRIG_VALUE_OUT_OF_RANGE, start, overflows ? DSL_FAULT_BITS_64 : DSL_FAULT_U64);
    }
    return value;
}

static struct dsl_value read_character(struct dsl_value_reader *reader)
{
    static const char escapes[][2] = {{'n', '\n'}, {'t', '\t'}, {'r', '\r'}, {'0', '\0'}, {'\\', '\\'}, {'\'', '\''}, {'"', '"'}};
    size_t at = reader->at + 1;
    char c = peek_at(reader, at);
    if (c == '\\') {
        at++;
        size_t i = 0;
        while (i < sizeof escapes / sizeof escapes[0] && escapes[i][0] != peek_at(reader, at)) {
            i++;
        }
        if (i == sizeof escapes / sizeof escapes[0]) {
            return fail_syntax(reader, at);
        }
        c = escapes[i][1];
    } else if (c < ' ' || c == '\'' || c > '~') {
        return fail_syntax(reader, at);
    }
    if (peek_at(reader, at + 1) != '\'') {
        return fail_syntax(reader, at + 1);
    }
    reader->at = at + 2;
    return from_int64(c);
}

// The words for run-time values.
static const struct slot {
    const char *name;
    size_t offset; // of the number in the options
} slots[] = {{"SELF_PID", offsetof(struct brig_dsl_options, self_pid)},
             {"NOTIFY_FD", offsetof(struct brig_dsl_options, notify_fd)},
             {"BROKER_FD", offsetof(struct brig_dsl_options, broker_fd)}};

// Returns: NULL if `name` is none of them.
static const struct slot *find_slot(const char *name, size_t name_bytes)
{
    for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++) {
        if (is_word(name, name_bytes, slots[i].name)) {
            return &slots[i];
        }
    }
    return NULL;
}

static struct dsl_value read_u64(struct dsl_value_reader *reader)
{
    if (!accept(reader, '(')) {
        return fail_syntax(reader, reader->at);
    }
    reader->u64_depth++;
    struct dsl_value value = read_expression(reader, 1);
    reader->u64_depth--;
    if (!accept(reader, ')')) {
        return fail_syntax(reader, reader->at);
    }
    value.is_unsigned = true;
    return value;
}

static struct dsl_value read_name(struct dsl_value_reader *reader)
{
    size_t start = reader->at;
    const char *name = reader->text + start;
    size_t name_bytes = name_length(reader);
    if (find_slot(name, name_bytes) != NULL) {
        return fail_syntax(reader, start); // part of an expression, or a place without slots
    }
    reader->at += name_bytes;
    if (is_word(name, name_bytes, "U64")) {
        return read_u64(reader);
    }
    for (const struct brig_dsl_constant *own = reader->own; own && own->name; own++) {
        if (is_word(name, name_bytes, own->name)) {
            return from_int64(own->value);
        }
    }
    int64_t number = 0;
    switch (brig_dsl_constant_value(name, name_bytes, reader->arch, &number)) {
    case 0:
        return from_int64(number);
    case 2:
        return fail_span(reader, BRIG_ABSENT_ON_ARCH, start, (int64_t)reader->arch);
    default:
        return fail_span(reader, BRIG_NO_SUCH_CONSTANT, start, 0);
    }
}

static struct dsl_value read_primary(struct dsl_value_reader *reader)
{
    char c = peek(reader);
    if (c >= '0' && c <= '9') {
        return read_number(reader);
    }
    if (starts_name(c)) {
        return read_name(reader);
    }
    if (c == '\'') {
        return read_character(reader);
    }
    if (!accept(reader, '(')) {
        return fail_syntax(reader, reader->at);
    }
    struct dsl_value value = read_expression(reader, 1);
    return accept(reader, ')') ? value : fail_syntax(reader, reader->at);
}

static struct dsl_value read_unary(struct dsl_value_reader *reader)
{
    if (reader->depth == DEPTH_LIMIT) {
        return fail_syntax(reader, reader->at);
    }
    reader->depth++;
    size_t start = (peek(reader), reader->at);
    struct dsl_value value;
    if (accept(reader, '~')) {
        value = dsl_value_complement(read_unary(reader));
    } else if (accept(reader, '-')) {
        struct dsl_value operand = read_unary(reader);
        value = operand;
        if (!dsl_value_negate(&value, &operand)) {
            value = fail_span(reader, BRIG_VALUE_OUT_OF_RANGE, start, DSL_FAULT_BITS_64);
        }
    } else {
        value = read_primary(reader);
    }
    reader->depth--;
    return value;
}

// Operators of one level group from the left: the right operand takes only what binds tighter.
static struct dsl_value read_expression(struct dsl_value_reader *reader, int level)
{
    size_t start = (peek(reader), reader->at);
    struct dsl_value left = read_unary(reader);
    for (;;) {
        peek(reader); // to the operator
        const struct dsl_operator *binary = dsl_operator_at(reader->text + reader->at, reader->text_bytes - reader->at);
        if (has_failed(reader) || !binary || binary->level < level) {
            return left;
        }
        reader->at += strlen(binary->text);
        struct dsl_value right = read_expression(reader, binary->level + 1);
        struct dsl_value result = {.is_unsigned = left.is_unsigned || right.is_unsigned,
                                   .is_complement = left.is_complement || right.is_complement};
        if (!has_failed(reader) && !binary->apply(&result, &left, &right)) {
            return fail_span(reader, BRIG_VALUE_OUT_OF_RANGE, start, DSL_FAULT_BITS_64);
        }
        left = result;
    }
}

// --- lists ------------------------------------------------------------------------------------------------------------

// Reads a slot that is a whole value. Returns: false, with nothing consumed, where there is none.
static bool read_slot(struct dsl_value_reader *reader, struct dsl_value *ret_value)
{
    const char *name = reader->text + reader->at;
    size_t start = reader->at;
    size_t name_bytes = name_length(reader);
    const struct slot *slot = find_slot(name, name_bytes);
    if (!reader->slots || !slot) {
        return false;
    }
    reader->at += name_bytes;
    char next = peek(reader);
    reader->at = start;
    if (next != ',' && next != '\0') {
        return false;
    }
    reader->at += name_bytes;
    int64_t number;
    memcpy(&number, (const char *)reader->slots + slot->offset, sizeof number);
    *ret_value = number == BRIG_DSL_SLOT_UNSET ? fail_span(reader, BRIG_SLOT_UNSET, start, 0) : from_int64(number);
    return true;
}

// Most values are plain numbers, and lists of them are long.
static struct dsl_value read_value(struct dsl_value_reader *reader)
{
    size_t start = reader->at;
    if (digit_of(peek_at(reader, start)) < 10) {
        struct dsl_value number = read_number(reader);
        char next = peek(reader);
        if (next == ',' || reader->at == reader->text_bytes || has_failed(reader)) {
            return number;
        }
        reader->at = start;
    }
    struct dsl_value value = zero;
    return read_slot(reader, &value) ? value : read_expression(reader, 1);
}

static size_t without_trailing_blanks(const struct dsl_value_reader *reader, size_t start, size_t end)
{
    while (end > start && (reader->text[end - 1] == ' ' || (reader->text[end - 1] >= '\t' && reader->text[end - 1] <= '\r'))) {
        end--;
    }
    return end;
}

bool dsl_value_next(struct dsl_value_reader *reader, struct dsl_value *ret_value)
{
    bool is_first = reader->at == 0;
    if (has_failed(reader) || (!is_first && reader->at == reader->text_bytes && reader->text[reader->at - 1] != ',')) {
        return false;
    }
    size_t start = (peek(reader), reader->at);
    struct dsl_value value = read_value(reader);
    char next = peek(reader);
    if (next != ',' && reader->at < reader->text_bytes) {
        fail_syntax(reader, reader->at);
    }
    if (has_failed(reader)) {
        return false;
    }
    value.offset = (uint32_t)start;
    value.bytes = (uint32_t)(without_trailing_blanks(reader, start, reader->at) - start);
    reader->at += next == ',';
    *ret_value = value;
    return true;
}

size_t dsl_value_count_bound(const char *text, size_t text_bytes)
{
    size_t count = 1;
    for (size_t i = 0; i < text_bytes; i++) {
        count += text[i] == ',';
    }
    return count;
}

enum brig_code brig_dsl_read_value(const char *text, size_t text_bytes, enum brig_dsl_arch arch,
                                   const struct brig_dsl_constant *own, uint64_t *ret_value, struct brig_error *reterr)
{
    struct dsl_value_reader reader = {.text = text, .text_bytes = text_bytes, .arch = arch, .own = own};
    struct dsl_value value;
    if (dsl_value_next(&reader, &value) && reader.text[reader.at - 1] == ',') {
        fail_syntax(&reader, reader.at - 1); // one value, not a list
    }
    if (has_failed(&reader)) {
        return brig_error_set(reterr, reader.error);
    }
    *ret_value = value.bits;
    return BRIG_OK;
}
