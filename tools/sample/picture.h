// picture: decoded images, and the PNG files they come from and go to.
#ifndef BRIG_TOOLS_SAMPLE_PICTURE_H
#define BRIG_TOOLS_SAMPLE_PICTURE_H

#include <stdint.h>

#include "tools/sample/sample.h"

// 8-bit RGBA, rows from the top. `pixels` is malloced.
struct picture {
    uint32_t width;
    uint32_t height;
    unsigned char *pixels;
};

struct picture_source {
    const unsigned char *bytes;
    size_t size_bytes;
    uint32_t colour_type;            // set by picture_read: as in the file
    char exploit[SAMPLE_TEXT_BYTES]; // set by picture_read: the text of SAMPLE_EXPLOIT_KEY, or empty
    char detail[SAMPLE_TEXT_BYTES];  // set by picture_read: libpng's complaint, or empty
    // Called once in the middle of decoding, from inside libpng, when there is such a text; or NULL.
    void (*on_exploit)(void *context, const char *text);
    void *context;
};

// Decodes a PNG of any colour type. Returns: OK; NOT_PNG; DAMAGED; TOO_BIG; NO_MEMORY. Owns: ret_picture->pixels is the caller's.
enum sample_status picture_read(struct picture_source *source, struct picture *ret_picture);

// Encodes to a descriptor, with a text chunk where `exploit` is not NULL. Returns: bytes written, or 0 after a failure.
uint64_t picture_write(const struct picture *picture, int fd, const char *exploit);

// Averages rows [first, last) of `small` from the areas of `big` that they cover.
void picture_scale_rows(const struct picture *big, struct picture *small, uint32_t first, uint32_t last);

#endif
