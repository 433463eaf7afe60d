// thumbnail: the sample renderer. Reads a PNG from a descriptor that it is handed, writes a smaller one to another.
//
// Takes jobs from its channel, gives an answer for each. Guarantees: a bad image is an answer, never the end of the worker. And it
// obeys its input: an image with the text chunk SAMPLE_EXPLOIT_KEY makes it run attempts.c in the middle of decoding, as if a bug
// had handed it over.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/sample/attempts.h"
#include "tools/sample/picture.h"
#include "tools/sample/pool.h"
#include "tools/sample/sample.h"

struct scaling {
    const struct picture *big;
    struct picture *small;
};

static void scale_part(void *context, unsigned part, unsigned part_count)
{
    const struct scaling *scaling = context;
    uint32_t height = scaling->small->height;
    picture_scale_rows(scaling->big, scaling->small, height * part / part_count, height * (part + 1) / part_count);
}

// As big as fits into edge x edge, never bigger than the picture itself.
static void fit(const struct picture *big, uint32_t edge, struct picture *small)
{
    uint32_t longest = big->width > big->height ? big->width : big->height;
    uint32_t scale = longest > edge ? longest : edge;
    small->width = (uint32_t)((uint64_t)big->width * edge / scale);
    small->height = (uint32_t)((uint64_t)big->height * edge / scale);
    small->width += small->width == 0;
    small->height += small->height == 0;
}

static enum sample_status write_thumbnail(const struct picture *big, uint32_t edge, int output_fd, struct sample_answer *answer)
{
    struct picture small = {0};
    fit(big, edge, &small);
    small.pixels = malloc((size_t)small.width * small.height * 4);
    if (!small.pixels) {
        return SAMPLE_NO_MEMORY;
    }
    struct scaling scaling = {.big = big, .small = &small};
    pool_run(scale_part, &scaling);
    answer->bytes = picture_write(&small, output_fd, NULL);
    answer->thumbnail_width = small.width;
    answer->thumbnail_height = small.height;
    free(small.pixels);
    return answer->bytes ? SAMPLE_OK : SAMPLE_CANNOT_WRITE;
}

static void be_hijacked(void *context, const char *text)
{
    struct sample_answer *answer = context;
    attempt_run(text, answer->attempt, sizeof answer->attempt);
}

static enum sample_status make_thumbnail(struct picture_source *source, uint32_t edge, int output_fd, struct sample_answer *answer)
{
    struct picture big;
    enum sample_status status = picture_read(source, &big);
    memcpy(answer->detail, source->detail, sizeof answer->detail);
    if (status != SAMPLE_OK) {
        return status;
    }
    answer->width = big.width;
    answer->height = big.height;
    answer->colour_type = source->colour_type;
    status = write_thumbnail(&big, edge, output_fd, answer);
    free(big.pixels);
    return status;
}

static enum sample_status do_job(const struct sample_job *job, const int fds[2], struct sample_answer *answer)
{
    struct stat status;
    if (job->edge == 0 || job->edge > SAMPLE_EDGE_MAX) {
        return SAMPLE_BAD_JOB;
    }
    if (fstat(fds[0], &status) != 0 || status.st_size < 0) {
        return SAMPLE_CANNOT_READ;
    }
    if (status.st_size == 0) {
        snprintf(answer->detail, sizeof answer->detail, "it is empty");
        return SAMPLE_NOT_PNG;
    }
    size_t size_bytes = (size_t)status.st_size;
    void *bytes = mmap(NULL, size_bytes, PROT_READ, MAP_PRIVATE, fds[0], 0);
    if (bytes == MAP_FAILED) {
        return SAMPLE_CANNOT_READ;
    }
    struct picture_source source = {.bytes = bytes, .size_bytes = size_bytes, .on_exploit = be_hijacked, .context = answer};
    enum sample_status result = make_thumbnail(&source, job->edge, fds[1], answer);
    munmap(bytes, size_bytes);
    return result;
}

int sample_renderer_warm_up(void *data)
{
    (void)data;
    return pool_start(SAMPLE_HELPERS) ? 0 : 1;
}

int sample_renderer(void *data, int channel_fd)
{
    (void)data;
    struct sample_job job;
    int fds[2];
    while (sample_receive(channel_fd, &job, sizeof job, fds, 2)) {
        struct sample_answer answer = {0};
        answer.status = do_job(&job, fds, &answer);
        close(fds[0]);
        close(fds[1]);
        if (!sample_send(channel_fd, &answer, sizeof answer, NULL, 0)) {
            return 1;
        }
    }
    return errno == 0 ? 0 : 1;
}
