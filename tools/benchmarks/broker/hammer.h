// hammer: threads that open files through a broker as fast as they can, in a process that takes orders. The process is a worker, or
// a program that was executed.
#ifndef BRIG_TOOLS_BENCHMARKS_BROKER_HAMMER_H
#define BRIG_TOOLS_BENCHMARKS_BROKER_HAMMER_H

#include <stdbool.h>
#include <stdint.h>

#define HAMMER_THREADS 16
#define HAMMER_DIRECTORY_BYTES 64

// The argument with which the bench executes itself to be the program.
#define HAMMER_PROGRAM "hammer-program"

struct hammer_order {
    uint32_t threads;
    uint32_t turn_ms;
    char directory[HAMMER_DIRECTORY_BYTES]; // of files 0 to HAMMER_THREADS - 1, each with its own number in it
};

struct hammer_score {
    uint64_t ns; // from the first thread's start to the last one's end
    uint64_t opened;
    uint64_t least;    // of the threads: what the one with the fewest opened
    uint64_t crossed;  // another thread's file
    uint64_t failed;   // and why, the last of them:
    int64_t sys_errno; // of it
};

// Obeys orders from in_fd, with a score to out_fd for each, until the other end is closed. Returns: an exit status.
// Context: the process whose calls the broker answers, with one thread.
int hammer_obey(int in_fd, int out_fd, bool is_worker);

#endif
