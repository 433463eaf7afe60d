// files: what is asked of a broker again and again, asked without a trap. A trap costs half as much as all the rest of an open.
//
// Takes libc's functions that open and look at files, gives the broker's answer where the policy says BROKER of the call whatever
// its arguments are; in every other case, and before there is a filter, they are libc's own. What libc calls inside does
// not come by here, and traps; streams.c has fopen and opendir.
//
// Weakness: the wrapped functions are no cancellation points where the broker answers.
#include <errno.h>

#include "trap/wrap/wrap.h"

bool trap_wrap_has_mode(int flags)
{
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
}

// Returns: whether *ret_result is what the function returns; then errno is set.
static bool try(enum brig_dsl_call call, const uint64_t args[6], int *ret_result)
{
    int64_t result;
    if (!brig_broker_try || !brig_broker_try(call, args, &result)) {
        return false;
    }
    if (result < 0) {
        errno = (int)-result;
    }
    *ret_result = result < 0 ? -1 : (int)result;
    return true;
}

bool trap_wrap_try_open(int dir_fd, const char *path, int flags, unsigned mode, int *ret_result)
{
    return try(BRIG_SYS_openat, (const uint64_t[6]){(uint64_t)dir_fd, (uintptr_t)path, (uint64_t)flags, mode}, ret_result);
}

// Arches whose libc has another struct than the kernel do not have this call.
static bool try_look(int dir_fd, const char *path, const void *ret_stat, int flags, int *ret_result)
{
    const uint64_t args[6] = {(uint64_t)dir_fd, (uintptr_t)path, (uintptr_t)ret_stat, (uint64_t)flags};
    return try(BRIG_SYS_newfstatat, args, ret_result);
}

int trap_wrap_open(const char *path, int flags, unsigned mode)
{
    int result;
    return trap_wrap_try_open(AT_FDCWD, path, flags, mode, &result) ? result : trap_wrap_real()->open(path, flags, mode);
}

int trap_wrap_open64(const char *path, int flags, unsigned mode)
{
    int result;
    return trap_wrap_try_open(AT_FDCWD, path, flags | O_LARGEFILE, mode, &result) ? result
                                                                                  : trap_wrap_real()->open64(path, flags, mode);
}

int trap_wrap_openat(int dir_fd, const char *path, int flags, unsigned mode)
{
    int result;
    return trap_wrap_try_open(dir_fd, path, flags, mode, &result) ? result : trap_wrap_real()->openat(dir_fd, path, flags, mode);
}

int trap_wrap_openat64(int dir_fd, const char *path, int flags, unsigned mode)
{
    int result;
    return trap_wrap_try_open(dir_fd, path, flags | O_LARGEFILE, mode, &result)
               ? result
               : trap_wrap_real()->openat64(dir_fd, path, flags, mode);
}

int trap_wrap_access(const char *path, int mode)
{
    int result;
    const uint64_t args[6] = {(uint64_t)AT_FDCWD, (uintptr_t)path, (uint64_t)mode};
    return try(BRIG_SYS_faccessat, args, &result) ? result : trap_wrap_real()->access(path, mode);
}

int trap_wrap_stat(const char *path, struct stat *ret_stat)
{
    int result;
    return try_look(AT_FDCWD, path, ret_stat, 0, &result) ? result : trap_wrap_real()->stat(path, ret_stat);
}

int trap_wrap_lstat(const char *path, struct stat *ret_stat)
{
    int result;
    return try_look(AT_FDCWD, path, ret_stat, AT_SYMLINK_NOFOLLOW, &result) ? result : trap_wrap_real()->lstat(path, ret_stat);
}

int trap_wrap_fstatat(int dir_fd, const char *path, struct stat *ret_stat, int flags)
{
    int result;
    return try_look(dir_fd, path, ret_stat, flags, &result) ? result : trap_wrap_real()->fstatat(dir_fd, path, ret_stat, flags);
}

int trap_wrap_stat64(const char *path, struct stat64 *ret_stat)
{
    int result;
    return try_look(AT_FDCWD, path, ret_stat, 0, &result) ? result : trap_wrap_real()->stat64(path, ret_stat);
}

int trap_wrap_lstat64(const char *path, struct stat64 *ret_stat)
{
    int result;
    return try_look(AT_FDCWD, path, ret_stat, AT_SYMLINK_NOFOLLOW, &result) ? result : trap_wrap_real()->lstat64(path, ret_stat);
}

int trap_wrap_fstatat64(int dir_fd, const char *path, struct stat64 *ret_stat, int flags)
{
    int result;
    return try_look(dir_fd, path, ret_stat, flags, &result) ? result : trap_wrap_real()->fstatat64(dir_fd, path, ret_stat, flags);
}
