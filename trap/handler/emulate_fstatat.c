// emulate_fstatat: libc's fstat(fd) is newfstatat(fd, "", buf, AT_EMPTY_PATH) since glibc 2.33, and a filter cannot tell "" from a
// path. Context of everything here: signal handler.
//
// Takes newfstatat (i386: fstatat64), gives fstat on the descriptor. The path is looked at once and never handed to the kernel, so
// nobody can change it in between. Answers other than the kernel's: a path is EACCES whatever it names, and so is the working
// directory (AT_FDCWD).

#include <errno.h>
#include <fcntl.h>

#include "trap/handler/handler.h"

static struct brig_trap_outcome fail(int64_t error)
{
    return (struct brig_trap_outcome){BRIG_TRAP_ERRNO, error};
}

static struct brig_trap_outcome fstatat_empty_path(const struct brig_trap_call *call)
{
    const int32_t dir_fd = (int32_t)call->args[0];
    const uint64_t path = call->args[1];
    const uint64_t buffer = call->args[2];
    const bool may_be_empty = call->args[3] & AT_EMPTY_PATH;
    const bool is_null = path == 0 && may_be_empty; // the same as "" since Linux 6.11
    if (!is_null) {
        if (!brig_trap_is_readable(call, path)) {
            return fail(EFAULT);
        }
        if (*(const volatile char *)(uintptr_t)path != '\0') {
            return fail(EACCES);
        }
    }
    if (!may_be_empty) {
        return fail(ENOENT);
    }
    if (dir_fd == AT_FDCWD) {
        return fail(EACCES);
    }
    return brig_trap_answer(brig_trap_syscall(call, TRAP_ARCH_NR_FSTAT, (const uint64_t[6]){(uint64_t)dir_fd, buffer}));
}

static const enum brig_dsl_call calls[] = {TRAP_ARCH_CALL_FSTAT, BRIG_SYS_NONE};

const struct brig_trap_emulation brig_trap_emulate_fstatat_empty_path = {
    .dsl = {.name = "fstatat_empty_path", .calls = calls},
    .emulate = fstatat_empty_path,
};
