// maps: reads /proc/PID/maps.
//
// Takes: text that the kernel wrote, in which the worker chose the paths (by the names of files that it mapped). Gives: the
// executable mappings. Guarantees: nothing outside the text is read; at most BOX_MAPS_MAX mappings and BOX_MAPS_BYTES_MAX bytes of
// text count; addresses ascend and do not overlap, whatever the text says. A path is everything up to the end of the line: it may
// hold blanks, and only a newline in it is escaped (fs/seq_file.c:mangle_path), so one that holds a backslash by itself cannot be
// told apart; the comparison of device and inode after opening settles it. Weakness: paths are those of the reader's mount
// namespace.
#include "sandbox/report/maps.h"

#include <string.h>

struct cursor {
    const char *at;
    const char *end;
};

static bool skip(struct cursor *cursor, char expected)
{
    if (cursor->at == cursor->end || *cursor->at != expected) {
        return false;
    }
    cursor->at++;
    return true;
}

static unsigned digit_of(char character)
{
    return character >= '0' && character <= '9'   ? (unsigned)(character - '0')
           : character >= 'a' && character <= 'f' ? (unsigned)(character - 'a') + 10
                                                  : 16;
}

// Reads an unsigned number. Returns: false if there is none or it does not fit.
static bool read_number(struct cursor *cursor, unsigned base, uint64_t *ret_value)
{
    uint64_t value = 0;
    const char *first = cursor->at;
    while (cursor->at < cursor->end && digit_of(*cursor->at) < base) {
        if (__builtin_mul_overflow(value, base, &value) || __builtin_add_overflow(value, digit_of(*cursor->at), &value)) {
            return false;
        }
        cursor->at++;
    }
    *ret_value = value;
    return cursor->at != first;
}

static bool read_device(struct cursor *cursor, struct box_mapping *mapping)
{
    uint64_t major = 0;
    uint64_t minor = 0;
    if (!read_number(cursor, 16, &major) || !skip(cursor, ':') || !read_number(cursor, 16, &minor) || major > UINT32_MAX ||
        minor > UINT32_MAX) {
        return false;
    }
    mapping->dev_major = (uint32_t)major;
    mapping->dev_minor = (uint32_t)minor;
    return true;
}

static bool read_permissions(struct cursor *cursor, bool *ret_is_executable)
{
    if (cursor->end - cursor->at < 4) {
        return false;
    }
    *ret_is_executable = cursor->at[2] == 'x';
    cursor->at += 4;
    return true;
}

static void read_path(struct cursor *cursor, struct box_mapping *mapping)
{
    static const char deleted[] = " (deleted)";
    const size_t deleted_bytes = sizeof deleted - 1;
    while (skip(cursor, ' ')) {
    }
    mapping->path = cursor->at;
    mapping->path_bytes = (size_t)(cursor->end - cursor->at);
    mapping->is_deleted = mapping->path_bytes >= deleted_bytes && memcmp(cursor->end - deleted_bytes, deleted, deleted_bytes) == 0;
}

// "start-end perms offset major:minor inode      path" (fs/proc/task_mmu.c:show_vma_header_prefix).
static bool read_line(struct cursor line, struct box_mapping *ret_mapping, bool *ret_is_executable)
{
    bool is_good = read_number(&line, 16, &ret_mapping->start) && skip(&line, '-') && read_number(&line, 16, &ret_mapping->end) &&
                   skip(&line, ' ') && read_permissions(&line, ret_is_executable) && skip(&line, ' ') &&
                   read_number(&line, 16, &ret_mapping->offset) && skip(&line, ' ') && read_device(&line, ret_mapping) &&
                   skip(&line, ' ') && read_number(&line, 10, &ret_mapping->inode);
    if (!is_good || ret_mapping->start >= ret_mapping->end) {
        return false;
    }
    read_path(&line, ret_mapping);
    return true;
}

static void add_mapping(struct box_maps *maps, const struct box_mapping *mapping)
{
    if (maps->count > 0 && mapping->start < maps->mappings[maps->count - 1].end) {
        return; // the kernel's text ascends
    }
    if (maps->count == BOX_MAPS_MAX) {
        maps->is_cut = true;
        return;
    }
    maps->mappings[maps->count++] = *mapping;
}

// The loader maps a file's segments one after the other; the first line is where the file begins.
static uint64_t base_of(const struct box_mapping *previous, const struct box_mapping *mapping)
{
    bool is_same_file = mapping->inode != 0 && mapping->inode == previous->inode && mapping->dev_major == previous->dev_major &&
                        mapping->dev_minor == previous->dev_minor;
    return is_same_file && previous->base < mapping->start ? previous->base : mapping->start;
}

void box_maps_read(const char *text, size_t text_bytes, struct box_maps *ret_maps)
{
    ret_maps->count = 0;
    ret_maps->is_cut = text != NULL && text_bytes > BOX_MAPS_BYTES_MAX;
    const char *end = text == NULL ? NULL : text + (ret_maps->is_cut ? BOX_MAPS_BYTES_MAX : text_bytes);
    struct box_mapping previous = {0};
    for (const char *at = text; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *line_end = newline == NULL ? end : newline;
        struct box_mapping mapping = {0};
        bool is_executable = false;
        if (read_line((struct cursor){at, line_end}, &mapping, &is_executable)) {
            mapping.base = base_of(&previous, &mapping);
            previous = mapping;
            if (is_executable) {
                add_mapping(ret_maps, &mapping);
            }
        }
        at = newline == NULL ? end : newline + 1;
    }
}

const struct box_mapping *box_maps_find(const struct box_maps *maps, uint64_t address)
{
    size_t low = 0;
    size_t high = maps->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (address < maps->mappings[middle].start) {
            high = middle;
        } else if (address >= maps->mappings[middle].end) {
            low = middle + 1;
        } else {
            return &maps->mappings[middle];
        }
    }
    return NULL;
}

bool box_mapping_has_file(const struct box_mapping *mapping)
{
    return mapping->inode != 0 && mapping->path_bytes > 0 && mapping->path[0] == '/' && !mapping->is_deleted;
}

bool box_mapping_is_vdso(const struct box_mapping *mapping)
{
    static const char name[] = "[vdso]"; // fs/proc/task_mmu.c; a name that prctl(PR_SET_VMA) gives shows as [anon:NAME]
    return mapping->inode == 0 && mapping->path_bytes == sizeof name - 1 && memcmp(mapping->path, name, sizeof name - 1) == 0;
}

bool box_mapping_path(const struct box_mapping *mapping, char buffer[BOX_PATH_BYTES])
{
    size_t used = 0;
    for (size_t i = 0; i < mapping->path_bytes; used++) {
        if (used + 1 >= BOX_PATH_BYTES || mapping->path[i] == '\0') {
            return false;
        }
        bool is_newline = mapping->path_bytes - i >= 4 && memcmp(mapping->path + i, "\\012", 4) == 0;
        buffer[used] = is_newline ? '\n' : mapping->path[i];
        i += is_newline ? 4 : 1;
    }
    buffer[used] = '\0';
    return true;
}
