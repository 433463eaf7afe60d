// proc: reading small files of /proc without allocation.
//
// Takes paths and buffers, gives text and numbers. Everything here is safe between fork and exec and in a locked process that may
// still open files: no stdio, no malloc, no locale.
#include "sandbox/worker/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

long box_pread_text(int fd, char *buffer, size_t buffer_bytes)
{
    size_t used = 0;
    while (used + 1 < buffer_bytes) {
        ssize_t got = pread(fd, buffer + used, buffer_bytes - 1 - used, (off_t)used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        used += (size_t)got;
    }
    buffer[used] = '\0';
    return (long)used;
}

long box_read_text(const char *path, char *buffer, size_t buffer_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    long got = box_pread_text(fd, buffer, buffer_bytes);
    int saved = errno;
    close(fd);
    errno = saved;
    return got;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return 16;
}

static uint64_t parse_number(const char *text, unsigned base)
{
    uint64_t value = 0;
    for (; (unsigned)digit_value(*text) < base; text++)
        value = value * base + (unsigned)digit_value(*text);
    return value;
}

bool box_status_field(const char *text, const char *name, unsigned base, uint64_t *ret_value)
{
    size_t name_bytes = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, name_bytes) != 0 || line[name_bytes] != ':')
            continue;
        line += name_bytes + 1;
        *ret_value = parse_number(line + strspn(line, " \t"), base);
        return true;
    }
    return false;
}

int64_t box_read_status_field(const char *path, const char *name, unsigned base)
{
    char text[BOX_STATUS_BYTES];
    uint64_t value;
    if (box_read_text(path, text, sizeof text) < 0)
        return -1;
    errno = ENODATA;
    return box_status_field(text, name, base, &value) ? (int64_t)value : -1;
}

int64_t box_read_number(const char *path)
{
    char text[32];
    if (box_read_text(path, text, sizeof text) < 0)
        return -1;
    return (int64_t)parse_number(text, 10);
}

bool box_parse_status(const char *text, struct box_thread_status *ret_status)
{
    uint64_t mode = 0, filters = 0, no_new_privs = 0, blocked = 0;
    if (!box_status_field(text, "Seccomp", 10, &mode))
        return false;
    bool counted = box_status_field(text, "Seccomp_filters", 10, &filters);
    box_status_field(text, "NoNewPrivs", 10, &no_new_privs);
    box_status_field(text, "SigBlk", 16, &blocked);
    *ret_status = (struct box_thread_status){.seccomp_mode = mode,
                                             .filters = counted ? (int64_t)filters : -1,
                                             .no_new_privs = no_new_privs != 0,
                                             .sigsys_blocked = (blocked >> (SIGSYS - 1) & 1) != 0};
    return true;
}

void box_line_add(struct box_line *text, const char *piece)
{
    while (*piece && text->used + 1 < text->capacity)
        text->bytes[text->used++] = *piece++;
    text->bytes[text->used] = '\0';
}

void box_line_add_number(struct box_line *text, int64_t number)
{
    char digits[24];
    size_t at = sizeof digits - 1;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (number < 0)
        digits[--at] = '-';
    box_line_add(text, digits + at);
}
