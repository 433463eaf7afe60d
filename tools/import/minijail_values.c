// minijail_values: constants of a minijail policy as the 64 bits that a register holds.
//
// Takes: tokens and the target arch. Gives: values, names as the target's kernel has them. Guarantees: a number that does not fit
// in a register of the target is a failure; negative ones are in two's complement of its width; ~ is within its width, so that on a
// 32-bit arch upper halves stay 0. As in minijail there is one complement at a time, no operator but |, and nesting, which is
// bounded here.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/import/minijail.h"

enum { DEPTH_LIMIT = 32 };

uint64_t minijail_register_max(const struct minijail *mj)
{
    return brig_dsl_arch_is_64bit(mj->arch) ? UINT64_MAX : UINT32_MAX;
}

bool minijail_read_digits(struct minijail *mj, const struct minijail_token *token, uint64_t *ret_number)
{
    bool is_negative = token->text[0] == '-';
    char digits[32];
    char *end = digits;
    size_t bytes = token->text_bytes - is_negative;
    if (bytes < sizeof digits) {
        memcpy(digits, token->text + is_negative, bytes);
        digits[bytes] = '\0';
        errno = 0;
        *ret_number = strtoull(digits, &end, 0);
    }
    if (bytes >= sizeof digits || errno == ERANGE) {
        minijail_fail(mj, token->place, NULL, "'%.*s' does not fit in 64 bits", minijail_shown(token), token->text);
        return false;
    }
    if (*end != '\0') {
        minijail_fail(mj, token->place, NULL, "'%.*s' is no decimal, octal or hexadecimal number", minijail_shown(token),
                      token->text);
        return false;
    }
    return true;
}

// Fits `number`, or its negative, into a register.
static uint64_t fit(struct minijail *mj, uint64_t number, bool is_negative)
{
    const struct minijail_token *token = &mj->file->token;
    uint64_t max = minijail_register_max(mj);
    if (number > (is_negative ? max / 2 + 1 : max)) {
        minijail_fail(mj, token->place, NULL, "'%.*s' does not fit in a register of %s, which has %d bits", minijail_shown(token),
                      token->text, brig_dsl_arch_name(mj->arch), max == UINT64_MAX ? 64 : 32);
    }
    return is_negative ? (0 - number) & max : number;
}

static uint64_t read_name(struct minijail *mj, bool is_skipped)
{
    const struct minijail_token *token = &mj->file->token;
    int64_t number = 0;
    switch (brig_dsl_constant_value(token->text, token->text_bytes, mj->arch, &number)) {
    case 0:
        return fit(mj, number < 0 ? 0 - (uint64_t)number : (uint64_t)number, number < 0);
    case 2:
        if (!is_skipped) {
            minijail_fail(mj, token->place, NULL, "constant '%.*s' does not exist on %s", minijail_shown(token), token->text,
                          brig_dsl_arch_name(mj->arch));
        }
        return 0;
    default:
        minijail_fail(mj, token->place, brig_dsl_closest_name(token->text, token->text_bytes, 'k'), "there is no constant '%.*s'",
                      minijail_shown(token), token->text);
        return 0;
    }
}

uint64_t minijail_read_constant(struct minijail *mj, bool is_skipped)
{
    const struct minijail_token *token = &mj->file->token;
    uint64_t number = 0;
    if (token->kind == MINIJAIL_NUMBER) {
        number = minijail_read_digits(mj, token, &number) ? fit(mj, number, token->text[0] == '-') : 0;
    } else if (token->kind == MINIJAIL_WORD) {
        number = read_name(mj, is_skipped);
    } else {
        minijail_expected(mj, "a number or a constant");
    }
    minijail_advance(mj);
    return number;
}

uint64_t minijail_read_count(struct minijail *mj)
{
    const struct minijail_token *token = &mj->file->token;
    uint64_t number = 0;
    if (token->kind != MINIJAIL_NUMBER || token->text[0] == '-') {
        minijail_expected(mj, "a number of calls");
    } else if (minijail_read_digits(mj, token, &number)) {
        minijail_advance(mj);
    }
    return number;
}

static uint64_t read_alternatives(struct minijail *mj, bool is_skipped, int depth);

static uint64_t read_part(struct minijail *mj, bool is_skipped, int depth)
{
    bool is_complement = minijail_accept(mj, "~");
    uint64_t value;
    if (is_complement && minijail_is(mj, "~")) {
        minijail_fail(mj, mj->file->token.place, NULL, "a complement of a complement is not read by minijail; leave out both '~'");
    }
    struct import_place place = mj->file->token.place;
    if (!minijail_accept(mj, "(")) {
        value = minijail_read_constant(mj, is_skipped);
    } else if (depth == DEPTH_LIMIT) {
        minijail_fail(mj, place, NULL, "parentheses are nested more than %d deep", DEPTH_LIMIT);
        return 0;
    } else {
        value = read_alternatives(mj, is_skipped, depth + 1);
        minijail_close(mj, ")", place);
    }
    return is_complement ? ~value & minijail_register_max(mj) : value;
}

static uint64_t read_alternatives(struct minijail *mj, bool is_skipped, int depth)
{
    uint64_t value = read_part(mj, is_skipped, depth);
    while (minijail_accept(mj, "|")) {
        value |= read_part(mj, is_skipped, depth);
    }
    return value;
}

uint64_t minijail_read_value(struct minijail *mj, bool is_skipped)
{
    return read_alternatives(mj, is_skipped, 0);
}
