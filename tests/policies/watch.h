// watch: runs a program under ptrace and tells which system calls it makes while SIGSYS is blocked, in all its threads and in the
// children that libc makes, until these execute something.
#ifndef BRIG_TESTS_POLICIES_WATCH_H
#define BRIG_TESTS_POLICIES_WATCH_H

#include <stdbool.h>

#include "bpf_dsl/rules.h"

struct watched_call {
    struct brig_dsl_data data;
    bool is_childs; // made by a process that the program forked
};

struct watch {
    void (*on_blocked_call)(struct watch *watch, const struct watched_call *call);
    void *data;        // the caller's
    int pid;           // of the program, from its start on
    int wait_status;   // of its end
    unsigned observed; // calls that were told of
};

// Runs argv, whose first element is a path, with nothing but /dev/null open. Returns: whether it was watched to its end; a failed
// check has been recorded if not.
bool watch_program(struct watch *watch, const char *const *argv);

#endif
