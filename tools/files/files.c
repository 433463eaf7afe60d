// files: see files.h. Memory is taken as the text comes, so that a small file costs little, and an endless one no more than the
// limit and the byte behind it.
#include "tools/files/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int files_read_stream(FILE *in, char **ret_text, size_t *ret_text_bytes)
{
    size_t room = 1 << 16;
    size_t bytes = 0;
    char *text = malloc(room);
    while (text != NULL) {
        bytes += fread(text + bytes, 1, room - bytes, in);
        if (bytes < room || room > FILES_BYTES_MAX) {
            break;
        }
        room = 2 * room <= FILES_BYTES_MAX ? 2 * room : FILES_BYTES_MAX + 1;
        char *larger = realloc(text, room);
        if (larger == NULL) {
            free(text);
        }
        text = larger;
    }
    if (text == NULL) {
        return ENOMEM;
    }
    if (ferror(in) || bytes > FILES_BYTES_MAX) {
        int code = ferror(in) ? errno : EFBIG;
        free(text);
        return code;
    }
    *ret_text = text;
    *ret_text_bytes = bytes;
    return 0;
}

int files_read(const char *path, char **ret_text, size_t *ret_text_bytes)
{
    FILE *in = fopen(path, "rbe");
    if (in == NULL) {
        return errno;
    }
    int code = files_read_stream(in, ret_text, ret_text_bytes);
    fclose(in);
    return code;
}

int files_read_regular(const char *path, char **ret_text, size_t *ret_text_bytes)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    FILE *in = fd < 0 ? NULL : fdopen(fd, "rb");
    if (in == NULL) {
        int code = errno;
        if (fd >= 0) {
            close(fd);
        }
        return code;
    }
    int code = fstat(fd, &status) != 0 ? errno : S_ISREG(status.st_mode) ? 0 : ENODEV;
    if (code == 0) {
        code = files_read_stream(in, ret_text, ret_text_bytes);
    }
    fclose(in);
    return code;
}
