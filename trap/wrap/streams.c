// streams: fopen and opendir, whose opens libc makes inside where no wrapper stands: opened through a broker without a trap, and
// made a stream after that.
//
// Takes modes that say how to open and no more. Those with extensions of a libc's own ("m", "ccs=") are libc's, and so are those
// that append: where such a stream starts differs between fopen and fdopen of one libc, and between libcs.
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "trap/wrap/wrap.h"

#define NEW_FILE_MODE 0666u // POSIX, fopen(3)

// glibc has a second name for files beyond 2 GiB, musl does not need one.
#ifdef __GLIBC__
#define FOPEN_LARGE 0
#else
#define FOPEN_LARGE O_LARGEFILE
#endif

// Returns: flags of open, or -1 for a mode that is libc's business.
static int flags_of(const char *mode)
{
    const size_t bytes = strlen(mode);
    int flags = *mode == 'r' ? 0 : *mode == 'w' ? O_CREAT | O_TRUNC : -1;
    if (flags < 0 || strspn(mode + 1, "+bex") != bytes - 1) {
        return -1;
    }
    flags |= strchr(mode, '+') ? O_RDWR : *mode == 'r' ? O_RDONLY : O_WRONLY;
    flags |= strchr(mode, 'e') ? O_CLOEXEC : 0;
    flags |= strchr(mode, 'x') ? O_EXCL : 0;
    return flags;
}

static void close_quietly(int fd)
{
    const int reason = errno;
    close(fd);
    errno = reason;
}

// Returns: whether *ret_stream is what the function returns.
static bool try_stream(const char *path, const char *mode, int large, FILE **ret_stream)
{
    const int flags = flags_of(mode);
    int fd;
    if (flags < 0 || !trap_wrap_try_open(AT_FDCWD, path, flags | large, NEW_FILE_MODE, &fd)) {
        return false;
    }
    *ret_stream = fd >= 0 ? fdopen(fd, mode) : NULL;
    if (fd >= 0 && !*ret_stream) {
        close_quietly(fd);
    }
    return true;
}

FILE *trap_wrap_fopen(const char *path, const char *mode)
{
    FILE *stream;
    return try_stream(path, mode, FOPEN_LARGE, &stream) ? stream : trap_wrap_real()->fopen(path, mode);
}

FILE *trap_wrap_fopen64(const char *path, const char *mode)
{
    FILE *stream;
    return try_stream(path, mode, O_LARGEFILE, &stream) ? stream : trap_wrap_real()->fopen64(path, mode);
}

DIR *trap_wrap_opendir(const char *path)
{
    int fd;
    if (!trap_wrap_try_open(AT_FDCWD, path, O_NONBLOCK | O_DIRECTORY | O_LARGEFILE | O_CLOEXEC, 0, &fd)) {
        return trap_wrap_real()->opendir(path);
    }
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (fd >= 0 && !stream) {
        close_quietly(fd);
    }
    return stream;
}
