// images: pictures to start from, and files in memory that can be handed to workers.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/sample/demo.h"
#include "tools/sample/picture.h"

#define TESTS "/usr/libexec/installed-tests/gdk-pixbuf/"

// Debian's gdk-pixbuf-tests: photographs, drawings and icons; RGB, RGBA, palette and gray.
const char *const demo_default_images[] = {
    TESTS "test-images/reftests/cat.jpg.ref.png",
    TESTS "bug725582-testrotate.png",
    TESTS "test-images/reftests/mandatory-bitmasks.bmp.ref.png",
    TESTS "test-images/reftests/bug785447.ico.ref.png",
    TESTS "test-images/reftests/squares.ico.ref.png",
    TESTS "test-image.png",
    TESTS "test-images/reftests/tga/gtk-logo-cmap-8bpp-top-right.tga.ref.png",
    TESTS "test-images/reftests/tga/gtk-logo-gray-16bpp-bottom-right.tga.ref.png",
    NULL,
};

int demo_memory_file(const char *name)
{
    return memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

int demo_seal_for_reading(int fd)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    bool is_sealed = fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0;
    int read_fd = is_sealed ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
    return read_fd;
}

int demo_hijacking_picture(const char *exploit)
{
    enum { EDGE = 64 };
    static unsigned char pixels[EDGE * EDGE * 4];
    struct picture picture = {.width = EDGE, .height = EDGE, .pixels = pixels};
    memset(pixels, 0x80, sizeof pixels);
    int fd = demo_memory_file("hijacking");
    if (fd < 0) {
        return -1;
    }
    if (!picture_write(&picture, fd, exploit)) {
        close(fd);
        errno = ENOSPC;
        return -1;
    }
    return demo_seal_for_reading(fd);
}

static bool write_all(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t written = write(fd, bytes, count);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        bytes += written > 0 ? written : 0;
        count -= written > 0 ? (size_t)written : 0;
    }
    return true;
}

static int64_t copy(int from_fd, int to_fd)
{
    char buffer[65536];
    int64_t copied = 0;
    for (;;) {
        ssize_t got = pread(from_fd, buffer, sizeof buffer, copied);
        if (got == 0) {
            return copied;
        }
        if (got < 0 || !write_all(to_fd, buffer, (size_t)got)) {
            return -1;
        }
        copied += got;
        if ((uint64_t)copied > SAMPLE_FILE_BYTES_MAX) {
            errno = EFBIG;
            return -1;
        }
    }
}

int64_t demo_save(int fd, const char *directory, const char *name)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", directory, name) >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int to_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (to_fd < 0) {
        return -1;
    }
    int64_t copied = copy(fd, to_fd);
    int saved_errno = errno;
    if (close(to_fd) != 0 && copied >= 0) {
        return -1;
    }
    errno = saved_errno;
    return copied;
}
