// proc: reading small files of /proc without allocation.
#ifndef BRIG_SANDBOX_WORKER_PROC_H
#define BRIG_SANDBOX_WORKER_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Enough for every /proc/PID/task/TID/status (the longest lines are the CPU and memory masks).
#define BOX_STATUS_BYTES 8192

// Reads at most buffer_bytes - 1 bytes of `path` and terminates them. Returns: bytes read, or -1 with errno. Context: any.
long box_read_text(const char *path, char *buffer, size_t buffer_bytes);

// Reads from the start of an open file, as box_read_text. Context: any.
long box_pread_text(int fd, char *buffer, size_t buffer_bytes);

// Finds "NAME:\t" at the start of a line and reads the number after it, in `base` 8, 10 or 16. Returns: whether it is there.
// Context: any.
bool box_status_field(const char *text, const char *name, unsigned base, uint64_t *ret_value);

// Reads one field of a /proc/PID/status. Returns: the number, or -1 with errno, ENODATA where the kernel shows no such field.
// Context: any.
int64_t box_read_status_field(const char *path, const char *name, unsigned base);

// Reads a file that holds one decimal number. Returns: the number, or -1 with errno. Context: any.
int64_t box_read_number(const char *path);

// What one thread's status file says.
struct box_thread_status {
    uint64_t seccomp_mode; // 0 off, 1 strict, 2 filter
    int64_t filters;       // -1 unknown (before Linux 5.9)
    bool no_new_privs;
    bool sigsys_blocked;
};

// Reads the fields of a status file's text. Returns: false if the kernel shows no seccomp mode. Context: any.
bool box_parse_status(const char *text, struct box_thread_status *ret_status);

// Writes text pieces one after the other into a fixed buffer, always terminated, cut at its end. Context: any.
struct box_line {
    char *bytes;
    size_t capacity;
    size_t used;
};
void box_line_add(struct box_line *text, const char *piece);
void box_line_add_number(struct box_line *text, int64_t number);

#endif
