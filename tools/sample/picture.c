// picture: PNG in and out by libpng, and scaling by the mean of each pixel's area.
//
// Takes bytes that nobody vouches for. Guarantees: at most SAMPLE_EDGE_MAX pixels a side and SAMPLE_PIXELS_MAX in all, whatever the
// header says; libpng's own allocations per chunk are limited as well. libpng reports errors by longjmp: so what lives across
// setjmp is in structs that outlive it, and each function with a setjmp does nothing else.
#include "tools/sample/picture.h"

#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIGNATURE_BYTES 8
#define CHUNK_BYTES_MAX ((png_alloc_size_t)8 << 20)

struct reading {
    png_structp png;
    png_infop info;
    struct picture_source *source;
    size_t at;
    enum sample_status status;
    struct picture picture;
    unsigned char **rows;
};

struct writing {
    png_structp png;
    png_infop info;
    int fd;
    uint64_t bytes;
    const struct picture *picture;
    const char *exploit;
};

static void on_read_error(png_structp png, const char *message)
{
    struct reading *reading = png_get_error_ptr(png);
    snprintf(reading->source->detail, sizeof reading->source->detail, "%s", message);
    if (reading->status == SAMPLE_OK) {
        reading->status = SAMPLE_DAMAGED;
    }
    png_longjmp(png, 1);
}

static void on_write_error(png_structp png, const char *message)
{
    (void)message;
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, const char *message)
{
    (void)png;
    (void)message;
}

static void read_bytes(png_structp png, png_bytep bytes, size_t count)
{
    struct reading *reading = png_get_io_ptr(png);
    if (count > reading->source->size_bytes - reading->at) {
        png_error(png, "the file ends too early");
    }
    memcpy(bytes, reading->source->bytes + reading->at, count);
    reading->at += count;
}

static void fail_read(struct reading *reading, enum sample_status status, const char *message)
{
    reading->status = status;
    png_error(reading->png, message);
}

static void on_row(png_structp png, png_uint_32 row, int pass)
{
    (void)pass;
    struct reading *reading = png_get_io_ptr(png);
    struct picture_source *source = reading->source;
    if (row == 1 && source->exploit[0] && source->on_exploit) {
        source->on_exploit(source->context, source->exploit);
        source->on_exploit = NULL; // an interlaced picture has seven first rows
    }
}

static void read_exploit(struct reading *reading)
{
    png_textp texts = NULL;
    int count = 0;
    png_get_text(reading->png, reading->info, &texts, &count);
    for (int i = 0; i < count; i++) {
        if (strcmp(texts[i].key, SAMPLE_EXPLOIT_KEY) == 0) {
            snprintf(reading->source->exploit, sizeof reading->source->exploit, "%s", texts[i].text);
        }
    }
}

static void check_size(struct reading *reading)
{
    uint64_t width = png_get_image_width(reading->png, reading->info);
    uint64_t height = png_get_image_height(reading->png, reading->info);
    if (width > SAMPLE_EDGE_MAX || height > SAMPLE_EDGE_MAX || width * height > SAMPLE_PIXELS_MAX) {
        char text[100];
        snprintf(text, sizeof text, "%llu x %llu pixels", (unsigned long long)width, (unsigned long long)height);
        fail_read(reading, SAMPLE_TOO_BIG, text);
    }
    reading->picture.width = (uint32_t)width;
    reading->picture.height = (uint32_t)height;
}

// Any colour type and depth becomes 8-bit RGBA.
static void ask_for_rgba(png_structp png, png_infop info)
{
    png_set_expand(png);
    png_set_scale_16(png);
    png_set_gray_to_rgb(png);
    png_set_add_alpha(png, 0xff, PNG_FILLER_AFTER);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
}

static void allocate_rows(struct reading *reading)
{
    struct picture *picture = &reading->picture;
    picture->pixels = malloc((size_t)picture->width * picture->height * 4);
    reading->rows = malloc(picture->height * sizeof reading->rows[0]);
    if (!picture->pixels || !reading->rows) {
        fail_read(reading, SAMPLE_NO_MEMORY, "no memory for the pixels");
    }
    for (size_t y = 0; y < picture->height; y++) {
        reading->rows[y] = picture->pixels + y * picture->width * 4;
    }
}

static void read_all(struct reading *reading)
{
    if (setjmp(png_jmpbuf(reading->png))) {
        return;
    }
    png_set_read_fn(reading->png, reading, read_bytes);
    // The library's own limits stay above ours, so that too big a picture is called that.
    png_set_user_limits(reading->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_read_status_fn(reading->png, on_row);
    png_set_chunk_malloc_max(reading->png, CHUNK_BYTES_MAX);
    png_read_info(reading->png, reading->info);
    reading->source->colour_type = png_get_color_type(reading->png, reading->info);
    read_exploit(reading);
    check_size(reading);
    ask_for_rgba(reading->png, reading->info);
    allocate_rows(reading);
    png_read_image(reading->png, reading->rows);
    png_read_end(reading->png, reading->info);
}

enum sample_status picture_read(struct picture_source *source, struct picture *ret_picture)
{
    struct reading reading = {.source = source};
    source->detail[0] = source->exploit[0] = '\0';
    if (source->size_bytes < SIGNATURE_BYTES || png_sig_cmp(source->bytes, 0, SIGNATURE_BYTES) != 0) {
        snprintf(source->detail, sizeof source->detail, "it does not begin with the eight bytes that every PNG begins with");
        return SAMPLE_NOT_PNG;
    }
    reading.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reading, on_read_error, on_warning);
    reading.info = reading.png ? png_create_info_struct(reading.png) : NULL;
    if (reading.info) {
        read_all(&reading);
    } else {
        reading.status = SAMPLE_NO_MEMORY;
    }
    png_destroy_read_struct(&reading.png, &reading.info, NULL);
    free(reading.rows);
    if (reading.status != SAMPLE_OK) {
        free(reading.picture.pixels);
        return reading.status;
    }
    *ret_picture = reading.picture;
    return SAMPLE_OK;
}

// --- writing ----------------------------------------------------------------------------------------------------------

static void write_bytes(png_structp png, png_bytep bytes, size_t count)
{
    struct writing *writing = png_get_io_ptr(png);
    while (count > 0) {
        ssize_t written = write(writing->fd, bytes, count);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            png_error(png, "write");
        }
        bytes += written;
        count -= (size_t)written;
        writing->bytes += (uint64_t)written;
    }
}

static void flush_nothing(png_structp png)
{
    (void)png;
}

static void write_text(struct writing *writing)
{
    char key[] = SAMPLE_EXPLOIT_KEY;
    char text[SAMPLE_TEXT_BYTES];
    snprintf(text, sizeof text, "%s", writing->exploit);
    png_text chunk = {.compression = PNG_TEXT_COMPRESSION_NONE, .key = key, .text = text, .text_length = strlen(text)};
    png_set_text(writing->png, writing->info, &chunk, 1);
}

static bool write_all(struct writing *writing)
{
    if (setjmp(png_jmpbuf(writing->png))) {
        return false;
    }
    const struct picture *picture = writing->picture;
    png_set_write_fn(writing->png, writing, write_bytes, flush_nothing);
    png_set_IHDR(writing->png, writing->info, picture->width, picture->height, 8, PNG_COLOR_TYPE_RGBA, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (writing->exploit) {
        write_text(writing);
    }
    png_write_info(writing->png, writing->info);
    for (size_t y = 0; y < picture->height; y++) {
        png_write_row(writing->png, picture->pixels + y * picture->width * 4);
    }
    png_write_end(writing->png, writing->info);
    return true;
}

uint64_t picture_write(const struct picture *picture, int fd, const char *exploit)
{
    struct writing writing = {.fd = fd, .picture = picture, .exploit = exploit};
    writing.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_write_error, on_warning);
    writing.info = writing.png ? png_create_info_struct(writing.png) : NULL;
    bool is_written = writing.info && write_all(&writing);
    png_destroy_write_struct(&writing.png, &writing.info);
    return is_written ? writing.bytes : 0;
}

// --- scaling ----------------------------------------------------------------------------------------------------------

// Colours count by their alpha, so that what is behind transparent pixels does not shine through.
static void mean_of_area(const struct picture *big, const uint32_t x[2], const uint32_t y[2], unsigned char *ret_pixel)
{
    uint64_t sums[4] = {0};
    for (uint32_t row = y[0]; row < y[1]; row++) {
        const unsigned char *pixel = big->pixels + ((size_t)row * big->width + x[0]) * 4;
        for (uint32_t column = x[0]; column < x[1]; column++, pixel += 4) {
            for (int i = 0; i < 3; i++) {
                sums[i] += (uint64_t)pixel[i] * pixel[3];
            }
            sums[3] += pixel[3];
        }
    }
    uint64_t area = (uint64_t)(x[1] - x[0]) * (y[1] - y[0]);
    for (int i = 0; i < 3; i++) {
        ret_pixel[i] = (unsigned char)(sums[3] ? sums[i] / sums[3] : 0);
    }
    ret_pixel[3] = (unsigned char)(sums[3] / area);
}

static void span_of(uint32_t index, uint32_t count, uint32_t big, uint32_t ret_span[2])
{
    ret_span[0] = (uint32_t)((uint64_t)index * big / count);
    ret_span[1] = (uint32_t)((uint64_t)(index + 1) * big / count);
    ret_span[1] += ret_span[1] == ret_span[0];
}

void picture_scale_rows(const struct picture *big, struct picture *small, uint32_t first, uint32_t last)
{
    for (uint32_t row = first; row < last; row++) {
        uint32_t y[2];
        span_of(row, small->height, big->height, y);
        for (uint32_t column = 0; column < small->width; column++) {
            uint32_t x[2];
            span_of(column, small->width, big->width, x);
            mean_of_area(big, x, y, small->pixels + ((size_t)row * small->width + column) * 4);
        }
    }
}
