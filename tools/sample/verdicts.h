// verdicts: whether an attempt worked, as seen from outside the process that made it.
#ifndef BRIG_TOOLS_SAMPLE_VERDICTS_H
#define BRIG_TOOLS_SAMPLE_VERDICTS_H

#include <stdbool.h>
#include <sys/types.h>

#define VERDICT_TEXT_BYTES 80

// Where an attempt was made.
struct verdict_scene {
    pid_t pid;         // who made it; may be dead
    pid_t parent;      // its parent: a process to be sacrificed, or this one
    int listen_fd;     // where it was told to connect to
    const char *claim; // what it says itself, "" if it said nothing
};

// Each says whether it sees the effect, and on success what. None changes anything but verdict_kill, which reaps a dead parent.
typedef bool verdict_look(const struct verdict_scene *scene, char seen[VERDICT_TEXT_BYTES]);

verdict_look verdict_open;
verdict_look verdict_stat;
verdict_look verdict_connect;
verdict_look verdict_execve;
verdict_look verdict_fork;
verdict_look verdict_ptrace;
verdict_look verdict_kill;
verdict_look verdict_mmap;
verdict_look verdict_io_uring;
verdict_look verdict_i386;
verdict_look verdict_x32;
verdict_look verdict_unknown;

// Kills all children of `pid`, which attempts may have left behind.
void verdict_kill_children(pid_t pid);

#endif
