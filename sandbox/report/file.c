// file: bounded reads from a file that may lie, shrink, or be slow, and the clock that ends all work on one.
//
// Takes: an open regular file, or bytes in memory. Gives: exactly the bytes asked for, or a refusal. Guarantees: no read beyond the
// size at the time of opening; small reads cost one system call per chunk of 4 KiB. Weakness: a file on a file system that does not
// answer blocks pread.
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/report/elf.h"

enum { CALLS_PER_CLOCK = 64 };

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void box_budget_start(struct box_budget *budget, int64_t limit_ms)
{
    *budget = (struct box_budget){.end_ns = now_ns() + limit_ms * 1000000};
}

bool box_budget_is_over(struct box_budget *budget)
{
    if (!budget->is_over && budget->calls++ % CALLS_PER_CLOCK == 0) {
        budget->is_over = now_ns() >= budget->end_ns;
    }
    return budget->is_over;
}

void box_file_init(struct box_file *file, int fd, const void *image, uint64_t size_bytes)
{
    file->fd = fd;
    file->image = image;
    file->size_bytes = size_bytes;
    for (size_t i = 0; i < BOX_CHUNK_COUNT; i++) {
        file->chunks[i].size_bytes = 0;
    }
}

static bool is_inside(const struct box_file *file, uint64_t offset, size_t size_bytes)
{
    return offset <= file->size_bytes && size_bytes <= file->size_bytes - offset;
}

bool box_file_read_through(struct box_file *file, uint64_t offset, void *buffer, size_t size_bytes)
{
    if (!is_inside(file, offset, size_bytes)) {
        return false;
    }
    if (file->image != NULL) {
        memcpy(buffer, file->image + offset, size_bytes);
        return true;
    }
    for (size_t done = 0; done < size_bytes;) {
        ssize_t got = pread(file->fd, (char *)buffer + done, size_bytes - done, (off_t)(offset + done));
        if (got <= 0) {
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

static const struct box_chunk *load_chunk(struct box_file *file, uint64_t number)
{
    struct box_chunk *chunk = &file->chunks[number % BOX_CHUNK_COUNT];
    uint64_t offset = number * BOX_CHUNK_BYTES;
    if (chunk->size_bytes > 0 && chunk->offset == offset) {
        return chunk;
    }
    uint64_t left = file->size_bytes - offset;
    size_t size_bytes = left < BOX_CHUNK_BYTES ? (size_t)left : BOX_CHUNK_BYTES;
    chunk->size_bytes = 0;
    if (!box_file_read_through(file, offset, chunk->bytes, size_bytes)) {
        return NULL;
    }
    chunk->offset = offset;
    chunk->size_bytes = size_bytes;
    return chunk;
}

bool box_file_read(struct box_file *file, uint64_t offset, void *buffer, size_t size_bytes)
{
    if (!is_inside(file, offset, size_bytes)) {
        return false;
    }
    if (file->image != NULL) {
        return box_file_read_through(file, offset, buffer, size_bytes);
    }
    for (size_t done = 0; done < size_bytes;) {
        const struct box_chunk *chunk = load_chunk(file, (offset + done) / BOX_CHUNK_BYTES);
        if (chunk == NULL) {
            return false;
        }
        size_t skip = (size_t)((offset + done) % BOX_CHUNK_BYTES);
        size_t part = chunk->size_bytes - skip < size_bytes - done ? chunk->size_bytes - skip : size_bytes - done;
        memcpy((char *)buffer + done, chunk->bytes + skip, part);
        done += part;
    }
    return true;
}
