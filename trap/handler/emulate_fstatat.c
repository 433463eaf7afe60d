// emulate_fstatat: libc's fstat(fd) is newfstatat(fd, "", buf, AT_EMPTY_PATH) since glibc 2.33, and a filter cannot tell "" from a
// path. Context of everything here: signal handler.
//
// Takes newfstatat (i386: fstatat64), gives fstat on the descriptor. The path is looked at once and never handed to the kernel, so
// nobody can change it in between. Answers other than the kernel's: a path is EACCES whatever it names, and so is the working
// directory (AT_FDCWD). Kernels before 6.11 complain about a path of NULL and about unknown flags of a descriptor.

#include <errno.h>
#include <fcntl.h>

#include "trap/handler/handler.h"

#define ALL_FLAGS (AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | 0x6000u) // 0x6000: AT_STATX_SYNC_TYPE

// Returns: 0 for an empty path, else the errno that the kernel has for it, EACCES if it has none. NULL is an empty path since Linux
// 6.11, if it may be empty.
static int check_path(const struct brig_trap_call *call)
{
    const uint64_t path = call->args[1];
    const bool may_be_empty = call->args[3] & AT_EMPTY_PATH;
    if (path == 0) {
        return may_be_empty ? 0 : EFAULT;
    }
    if (!brig_trap_is_readable(call, path)) {
        return EFAULT;
    }
    if (*(const volatile char *)(uintptr_t)path != '\0') {
        return EACCES;
    }
    return may_be_empty ? 0 : ENOENT;
}

// Flags that mean nothing come before what is wrong with the path, and do not matter for a descriptor alone:
// fs/stat.c:vfs_fstatat, since Linux 6.11.
static int check(const struct brig_trap_call *call)
{
    const int32_t dir_fd = (int32_t)call->args[0];
    const int error = check_path(call);
    if (!error && dir_fd >= 0) {
        return 0;
    }
    if ((uint32_t)call->args[3] & ~ALL_FLAGS) {
        return EINVAL;
    }
    return !error && dir_fd == AT_FDCWD ? EACCES : error;
}

static struct brig_trap_outcome fstatat_empty_path(const struct brig_trap_call *call)
{
    const int32_t dir_fd = (int32_t)call->args[0];
    const int error = check(call);
    if (error) {
        return (struct brig_trap_outcome){BRIG_TRAP_ERRNO, error};
    }
    const uint64_t args[6] = {(uint64_t)dir_fd, call->args[2]};
    return brig_trap_answer(brig_trap_syscall(call, TRAP_ARCH_NR_FSTAT, args));
}

// For every target, whatever this is compiled for: a target that has no fstat64 needs none.
static const enum brig_dsl_call calls[] = {BRIG_SYS_fstat, BRIG_SYS_fstat64, BRIG_SYS_NONE};

const struct brig_trap_emulation brig_trap_emulate_fstatat_empty_path = {
    .dsl = {.name = "fstatat_empty_path", .calls = calls},
    .emulate = fstatat_empty_path,
};
