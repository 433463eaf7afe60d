// random_text: see random_text.h.
#include "tests/bpf_dsl/random_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((format(printf, 2, 3))) static void add(struct random_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text->text + text->bytes, sizeof text->text - text->bytes, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof text->text - text->bytes) {
        abort();
    }
    text->bytes += (size_t)length;
}

static void add_plain(struct random *random, struct random_text *text, uint64_t number)
{
    unsigned long long wide = number;
    switch (number == 0 ? 0 : random_below(random, 4)) {
    case 0:
        add(text, "%llu", wide);
        break;
    case 1:
        add(text, "0x%llx", wide);
        break;
    case 2:
        add(text, " 0X%llX", wide);
        break;
    default:
        add(text, "0%llo", wide);
        break;
    }
}

// Two numbers with an operator between them.
static void add_binary(struct random *random, struct random_text *text, uint64_t left, const char *operator, uint64_t right)
{
    bool has_brackets = random_once_in(random, 3);
    add(text, "%s", has_brackets ? "(" : "");
    add_plain(random, text, left);
    add(text, "%s", operator);
    add_plain(random, text, right);
    add(text, "%s", has_brackets ? ")" : "");
}

// A number up to INT64_MAX.
static void add_positive(struct random *random, struct random_text *text, uint64_t number)
{
    uint64_t part = random_next(random) & number;
    switch (random_below(random, 12)) {
    case 0:
        add_binary(random, text, part, random_once_in(random, 2) ? "|" : " | ", number);
        return;
    case 1:
        add_binary(random, text, part, "+", number - part);
        return;
    case 2:
        if (number < INT64_MAX - 100) {
            add_binary(random, text, number + 100, " - ", 100);
            return;
        }
        break;
    case 3:
        if (number != 0) {
            unsigned zeros = (unsigned)__builtin_ctzll(number);
            add_binary(random, text, number >> zeros, " << ", zeros);
            return;
        }
        break;
    case 4:
        if (number > ' ' && number < '~' && number != '\'' && number != '\\') {
            add(text, "'%c'", (char)number);
            return;
        }
        break;
    case 5:
        add_binary(random, text, number, " & ", number | random_next(random) >> 1);
        return;
    default:
        break;
    }
    add_plain(random, text, number);
}

static uint64_t all_bits(uint8_t bits)
{
    return UINT64_MAX >> (64 - bits);
}

static void add_negative(struct random *random, struct random_text *text, uint64_t magnitude)
{
    if (magnitude > INT64_MAX) {
        add(text, "-9223372036854775807 - 1");
    } else if (random_once_in(random, 2)) {
        add(text, "-");
        add_plain(random, text, magnitude);
    } else {
        add(text, "~");
        add_plain(random, text, magnitude - 1);
    }
}

static void add_unsigned(struct random *random, struct random_text *text, uint64_t number)
{
    if (number <= INT64_MAX && !random_once_in(random, 20)) {
        add_positive(random, text, number);
        return;
    }
    add(text, "U64(");
    if (random_once_in(random, 4)) {
        add(text, "~");
        number = ~number;
    }
    add_plain(random, text, number);
    add(text, ")");
}

static void add_comma(struct random_text *text)
{
    add(text, "%s", text->bytes > 0 ? ", " : "");
}

void random_text_number(struct random *random, struct random_text *text, uint64_t number, const struct random_number_kind *kind)
{
    uint64_t negative = (0 - number) & all_bits(kind->bits);
    bool is_high = (number >> (kind->bits - 1) & 1) != 0;
    add_comma(text);
    if (is_high && (kind->is_ordered ? kind->is_signed : random_once_in(random, 2))) {
        add_negative(random, text, negative);
    } else if (!kind->is_ordered && kind->bits < 64 && random_once_in(random, 10)) {
        add(text, "~");
        add_plain(random, text, ~number & all_bits(kind->bits));
    } else {
        add_unsigned(random, text, number);
    }
}

void random_text_word(struct random_text *text, const char *word)
{
    add_comma(text);
    add(text, "%s", word);
}
