// Any bytes as a question to nscd: the same question however it comes in parts, a name that ends in its only NUL, and an answer
// whose lengths are its own, with the words of the input for a host.
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "sandbox/broker/nscd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { WORDS = 40 };

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "nscd_fuzz: %s\n", what);
        abort();
    }
}

// As a client reads it: a header whose numbers add up to what there is.
static void check_answer(enum box_nscd_type type, const struct box_nscd_answer *answer)
{
    int32_t header[8];
    const size_t header_bytes = type == BOX_NSCD_ADDRESSES ? 24 : 32;
    must(answer->bytes >= header_bytes && answer->bytes <= sizeof answer->data, "an answer out of bounds");
    memcpy(header, answer->data, header_bytes);
    must(header[0] == BOX_NSCD_VERSION && (header[1] == 0 || header[1] == 1), "a header that is none");
    size_t expected = header_bytes;
    if (header[1] == 1 && type == BOX_NSCD_ADDRESSES)
        expected += (size_t)header[2] + (size_t)header[3] + (size_t)header[4];
    if (header[1] == 1 && type != BOX_NSCD_ADDRESSES) {
        const size_t lengths_at = header_bytes + (size_t)header[2];
        expected = lengths_at + (size_t)header[3] * 4 + (size_t)header[6] * (size_t)header[5];
        for (size_t i = 0; i < (size_t)header[3]; i++) {
            uint32_t length;
            memcpy(&length, answer->data + lengths_at + i * sizeof length, sizeof length);
            expected += length;
        }
    }
    must(answer->bytes == expected, "lengths that do not add up");
}

// Words of the input, each up to its NUL, as a name, aliases and addresses.
static void answer_with(const uint8_t *data, size_t bytes)
{
    static char text[2 * BOX_NSCD_ANSWER_BYTES];
    char *words[WORDS + 1] = {NULL}, *addresses[WORDS + 1] = {NULL};
    struct box_nscd_answer answer;
    size_t count = 0;
    bytes = bytes < sizeof text - 16 ? bytes : sizeof text - 16;
    memset(text, 0, sizeof text);
    memcpy(text, data, bytes);
    for (size_t at = 0; at < bytes && count < WORDS; at += strlen(text + at) + 1) {
        addresses[count] = text + at; // with 16 bytes behind it
        words[count++] = text + at;
    }
    if (count == 0)
        return;
    const bool is_in = bytes % 2 == 0;
    const struct hostent host = {.h_name = words[0],
                                 .h_aliases = words + 1,
                                 .h_addrtype = is_in ? AF_INET : AF_INET6,
                                 .h_length = is_in ? 4 : 16,
                                 .h_addr_list = addresses + bytes % count};
    box_nscd_say_host(&host, &answer);
    check_answer(BOX_NSCD_HOST_BY_NAME, &answer);
}

static void read_in_parts(const uint8_t *data, size_t bytes)
{
    struct box_nscd_question question, last;
    memset(&question, 0, sizeof question);
    const enum box_nscd_read whole = box_nscd_read(data, bytes, &question);
    for (size_t part = 0; part < bytes; part++) {
        const enum box_nscd_read read = box_nscd_read(data, part, &last);
        must(read == BOX_NSCD_MORE || whole == BOX_NSCD_REFUSED, "a part is a question");
        if (read != BOX_NSCD_MORE)
            return;
    }
    if (whole != BOX_NSCD_QUESTION)
        return;
    const bool is_name = question.type != BOX_NSCD_HOST_BY_ADDRESS && question.type != BOX_NSCD_HOST_BY_ADDRESS_6;
    must(!is_name || strlen(question.name) + 1 == bytes - BOX_NSCD_HEADER_BYTES, "a name that does not end where it says");
    struct box_nscd_answer answer;
    box_nscd_say_nothing(question.type, HOST_NOT_FOUND, &answer);
    check_answer(question.type, &answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    read_in_parts(data, bytes < BOX_NSCD_QUESTION_BYTES + 1 ? bytes : BOX_NSCD_QUESTION_BYTES + 1);
    answer_with(data, bytes);
    return 0;
}
