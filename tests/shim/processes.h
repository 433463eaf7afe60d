// What the shim reads of processes in /proc: their open descriptors, whether they are filtered, and whose children they are.
#ifndef BRIG_TESTS_SHIM_PROCESSES_H
#define BRIG_TESTS_SHIM_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { DESCRIPTORS = 128 };

struct descriptor_list {
    bool is_known; // false: this process may not be looked at
    size_t count;
    struct {
        int fd;
        char target[80]; // as /proc/PID/fd shows it, cut
    } entries[DESCRIPTORS];
};

// Lists the descriptors of a process, the caller's own included (without those that the listing itself needs).
void descriptors_read(pid_t pid, struct descriptor_list *ret_list);

// Fails the test for every descriptor of `after` that is not in `before`.
void descriptors_compare(const struct descriptor_list *before, const struct descriptor_list *after, const char *file, int line);

// Returns: whether the process has a seccomp filter, or cannot be asked.
bool process_is_filtered(pid_t pid);

// Makes this process the parent of every descendant whose own parent ends.
bool processes_adopt(void);

// Fails the test for every child that is alive and does not end within a grace time, kills what is left, and reaps all.
// Call when every child that the test knows has been waited for.
void processes_check_none_left(const char *file, int line);

// Kills and reaps every child, its descendants included, without a word.
void processes_end_all(void);

#endif
