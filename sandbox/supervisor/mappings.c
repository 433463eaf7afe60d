// mappings: what memory a worker has inherited besides its own.
//
// Takes the text of its /proc/PID/maps, gives "nothing special" or what was found. A shared mapping of an object of the kernel's is
// a right, as a descriptor is, and no audit of descriptors shows it: an io_uring with a kernel thread that polls (SQPOLL) takes
// orders from memory alone, and a device's registers need no system call either. The host keeps such a mapping from its workers by
// madvise(MADV_DONTFORK).
//
// Memory that is shared with other processes (files, memfd, shmget) passes: hosts hand pictures over in it. Weakness: where the
// host may not read its child's maps, nothing is seen.
#include <string.h>

#include "sandbox/supervisor/internal.h"

static const struct {
    const char *prefix; // of the name that the kernel gives
    const char *what;   // NULL: memory and no more
} names[] = {
    {"anon_inode:", "memory shared with the kernel (io_uring and its like); MADV_DONTFORK keeps it from workers"},
    {"/dev/shm/", NULL},
    {"/dev/zero", NULL}, // what the kernel calls MAP_SHARED | MAP_ANONYMOUS
    {"/dev/hugepages/", NULL},
    {"/dev/", "memory shared with a device; MADV_DONTFORK keeps it from workers"},
};

static bool has_prefix(const char *text, const char *end, const char *prefix)
{
    const size_t bytes = strlen(prefix);
    return (size_t)(end - text) >= bytes && memcmp(text, prefix, bytes) == 0;
}

// Returns: what stands after `count` fields, or NULL.
static const char *skip_fields(const char *text, const char *end, int count)
{
    while (text < end && count > 0) {
        const char *space = memchr(text, ' ', (size_t)(end - text));
        for (text = space ? space : end; text < end && *text == ' ';)
            text++;
        count--;
    }
    return text < end ? text : NULL;
}

// FROM-TO PERMISSIONS OFFSET DEVICE INODE NAME
static const char *judge_line(const char *line, const char *end)
{
    const char *permissions = skip_fields(line, end, 1);
    const char *name = skip_fields(line, end, 5);
    if (!permissions || !name || end - permissions < 4 || permissions[3] != 's')
        return NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (has_prefix(name, end, names[i].prefix))
            return names[i].what;
    }
    return NULL;
}

const char *box_maps_judge(const struct box_text_file *maps)
{
    const char *what = NULL;
    const char *end = maps->text + maps->bytes;
    for (const char *line = maps->text; maps->bytes && line < end && !what;) {
        const char *line_end = memchr(line, '\n', (size_t)(end - line));
        line_end = line_end ? line_end : end;
        what = judge_line(line, line_end);
        line = line_end + 1;
    }
    return what;
}
