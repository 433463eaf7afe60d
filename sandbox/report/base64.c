// base64: takes bytes, gives text, and back. Guarantees: reading accepts only what writing produces.
#include "sandbox/report/base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void box_base64_write(const void *bytes, size_t size_bytes, char *text)
{
    const unsigned char *from = bytes;
    for (size_t i = 0; i < size_bytes; i += 3) {
        size_t left = size_bytes - i;
        uint32_t group = (uint32_t)from[i] << 16 | (left > 1 ? (uint32_t)from[i + 1] << 8 : 0) | (left > 2 ? from[i + 2] : 0u);
        *text++ = alphabet[group >> 18];
        *text++ = alphabet[group >> 12 & 63];
        *text++ = left > 1 ? alphabet[group >> 6 & 63] : '=';
        *text++ = left > 2 ? alphabet[group & 63] : '=';
    }
    *text = '\0';
}

// Reads four characters. Returns: how many bytes they are, 0 if they are malformed.
static size_t read_group(const char *text, unsigned char bytes[3])
{
    uint32_t group = 0;
    size_t padding = text[3] != '=' ? 0 : text[2] != '=' ? 1 : 2;
    for (size_t i = 0; i < 4; i++) {
        const char *place = i >= 4 - padding ? alphabet : memchr(alphabet, text[i], sizeof alphabet - 1);
        if (place == NULL) {
            return 0;
        }
        group = group << 6 | (uint32_t)(place - alphabet);
    }
    if ((group & ((1u << 8 * padding) - 1)) != 0) {
        return 0; // bits that writing leaves zero
    }
    bytes[0] = (unsigned char)(group >> 16);
    bytes[1] = (unsigned char)(group >> 8);
    bytes[2] = (unsigned char)group;
    return 3 - padding;
}

bool box_base64_read(const char *text, void *buffer, size_t capacity_bytes, size_t *ret_size_bytes)
{
    size_t used = 0;
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i += 4) {
        unsigned char bytes[3];
        size_t count = length - i >= 4 ? read_group(text + i, bytes) : 0;
        if (count == 0 || count > capacity_bytes - used || (count < 3 && i + 4 != length)) {
            return false;
        }
        memcpy((char *)buffer + used, bytes, count);
        used += count;
    }
    *ret_size_bytes = used;
    return true;
}
