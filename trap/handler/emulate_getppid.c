// emulate_getppid: who the parent is, from memory: for workers that shall not watch the process that started them. Context of
// everything here: signal handler.
//
// Takes getppid, gives what the kernel said when the trap layer was armed, from the sealed page. Answers other than the kernel's: a
// parent that has ended stays the parent (the kernel says 1 then, or a reaper's number), and in a process that was forked from the
// armed one the parent is 0, which is what the kernel says of one that cannot be seen from here.

#include "trap/handler/handler.h"

static struct brig_trap_outcome getppid_when_armed(const struct brig_trap_call *call)
{
    const struct trap_root *root = &trap_root_page.root;
    const int64_t pid = brig_trap_syscall(call, SYS_getpid, (const uint64_t[6]){0});
    return (struct brig_trap_outcome){BRIG_TRAP_RESULT, pid == root->pid ? root->facts.parent_pid : 0};
}

static const enum brig_dsl_call calls[] = {BRIG_SYS_getpid, BRIG_SYS_NONE};

const struct brig_trap_emulation brig_trap_emulate_getppid_when_armed = {
    .dsl = {.name = "getppid_when_armed", .calls = calls},
    .emulate = getppid_when_armed,
};
