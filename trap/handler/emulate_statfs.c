// emulate_statfs: statfs(2) by a path, as open, fstatfs and close, so that the policy's answer to opening decides: a broker, or a
// list. Context of everything here: signal handler.
//
// Takes statfs and i386's statfs64, gives what fstatfs says of a descriptor that can do nothing else (O_PATH: no right to the file
// is needed, no device is touched). The open, the fstatfs and the close are made as the program's own would be: their rows decide,
// and a trapped one is emulated in turn. Answers other than the kernel's: what is mounted on demand (autofs) is not mounted; EMFILE
// and ENFILE; and a descriptor exists for a moment, which other threads can see.

#include <errno.h>
#include <fcntl.h>

#include "trap/handler/handler.h"

#define STATFS64_BYTES 84 // arch/x86/include/asm/compat.h:struct compat_statfs64, the same natively

static int64_t stat_and_close(const struct brig_trap_call *call, int64_t fd)
{
    const bool is_64 = call->call == BRIG_SYS_statfs64;
    const uint64_t args[6] = {(uint64_t)fd, call->args[1], call->args[2]};
    const int64_t result = brig_trap_syscall(call, is_64 ? TRAP_ARCH_NR_FSTATFS64 : SYS_fstatfs, args);
    brig_trap_syscall(call, SYS_close, (const uint64_t[6]){(uint64_t)fd});
    return result;
}

static struct brig_trap_outcome statfs_by_open(const struct brig_trap_call *call)
{
    const uint64_t args[6] = {(uint64_t)AT_FDCWD, call->args[0], O_PATH | O_CLOEXEC};
    if (call->call == BRIG_SYS_statfs64 && call->args[1] != STATFS64_BYTES) {
        return (struct brig_trap_outcome){BRIG_TRAP_ERRNO, EINVAL}; // before the path is looked at: fs/statfs.c
    }
    const int64_t fd = brig_trap_syscall(call, SYS_openat, args);
    return brig_trap_answer(fd < 0 ? fd : stat_and_close(call, fd));
}

// For every target, whatever this is compiled for.
static const enum brig_dsl_call calls[] = {BRIG_SYS_fstatfs, BRIG_SYS_fstatfs64, BRIG_SYS_close, BRIG_SYS_NONE};

const struct brig_trap_emulation brig_trap_emulate_statfs_by_open = {
    .dsl = {.name = "statfs_by_open", .calls = calls},
    .emulate = statfs_by_open,
};
