// gzip: a report on disk, and back.
//
// Takes: JSON, a directory, a name from the supervisor's own counters. Gives: NAME, gzipped, complete or not there at all.
// Guarantees: written under a temporary name, synced, then renamed without replacing anything; mode 0600; no symbolic link is
// followed; a full disk or a file size limit is an error, not a signal, and leaves nothing behind. Reading back: bounded output,
// exactly one gzip member, nothing behind it, and a JSON object of our schema. Weakness: the directory itself is not synced, so a
// power failure can lose the newest names.
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ZLIB_CONST // input stays const
#include <zlib.h>

#include "sandbox/report.h"

enum { NAME_BYTES_MAX = 200, GZIP_LEVEL = 6, GZIP_WINDOW = 15 + 16, GZIP_MEMORY = 8 }; // +16: gzip's header (zlib.h:deflateInit2)

static enum brig_code fail_io(const char *step, const char *name, struct brig_error *reterr)
{
    return brig_error_set(reterr, (struct brig_error){.code = BRIG_IO, .step = step, .subject = name, .sys_errno = errno});
}

// --- writing ----------------------------------------------------------------------------------------------------------

// No time and no name in the header: the same report gives the same bytes.
static void *compress_text(const char *text, size_t *ret_size_bytes)
{
    z_stream stream = {.next_in = (const Bytef *)text, .avail_in = (uInt)strlen(text)};
    if (deflateInit2(&stream, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK) {
        return NULL;
    }
    size_t capacity_bytes = deflateBound(&stream, stream.avail_in);
    void *bytes = malloc(capacity_bytes);
    stream.next_out = bytes;
    stream.avail_out = (uInt)capacity_bytes;
    bool is_whole = bytes != NULL && deflate(&stream, Z_FINISH) == Z_STREAM_END;
    *ret_size_bytes = capacity_bytes - stream.avail_out;
    deflateEnd(&stream);
    if (!is_whole) {
        free(bytes);
        return NULL;
    }
    return bytes;
}

static bool write_all(int fd, const char *bytes, size_t size_bytes)
{
    while (size_bytes > 0) {
        ssize_t written = write(fd, bytes, size_bytes);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            errno = written == 0 ? EIO : errno;
            return false;
        }
        bytes += written;
        size_bytes -= (size_t)written;
    }
    return true;
}

// Beyond RLIMIT_FSIZE the kernel sends SIGXFSZ to the writing thread, which would end the host. It is held back, taken, and
// forgotten.
static bool write_without_signal(int fd, const char *bytes, size_t size_bytes)
{
    sigset_t limit_signal;
    sigset_t before;
    sigemptyset(&limit_signal);
    sigaddset(&limit_signal, SIGXFSZ);
    if (pthread_sigmask(SIG_BLOCK, &limit_signal, &before) != 0) {
        return false;
    }
    bool is_written = write_all(fd, bytes, size_bytes);
    int saved_errno = errno;
    if (!is_written && saved_errno == EFBIG) {
        sigtimedwait(&limit_signal, NULL, &(struct timespec){0});
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved_errno;
    return is_written;
}

// rename(2) would replace; where the file system has no way to refuse that, a link does the same in two steps.
static bool rename_new(int dir_fd, const char *from, const char *to)
{
    if (renameat2(dir_fd, from, dir_fd, to, RENAME_NOREPLACE) == 0) {
        return true;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return false;
    }
    return linkat(dir_fd, from, dir_fd, to, 0) == 0 && unlinkat(dir_fd, from, 0) == 0;
}

static bool is_plain_name(const char *name)
{
    return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL && strlen(name) <= NAME_BYTES_MAX;
}

static enum brig_code write_file(int dir_fd, const char *name, const void *bytes, size_t size_bytes, struct brig_error *reterr)
{
    char temporary[NAME_BYTES_MAX + 8];
    enum brig_code code = BRIG_OK;
    snprintf(temporary, sizeof temporary, ".%s.tmp", name);
    int fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return fail_io("make report file", name, reterr);
    }
    if (!write_without_signal(fd, bytes, size_bytes)) {
        code = fail_io("write report", name, reterr);
    } else if (fsync(fd) != 0) {
        code = fail_io("sync report", name, reterr);
    } else if (!rename_new(dir_fd, temporary, name)) {
        code = fail_io("name report", name, reterr);
    }
    if (code != BRIG_OK) {
        unlinkat(dir_fd, temporary, 0);
    }
    close(fd);
    return code;
}

enum brig_code brig_report_write(int dir_fd, const char *name, const char *json, struct brig_error *reterr)
{
    size_t size_bytes = 0;
    if (!is_plain_name(name)) {
        return brig_error_set(reterr, (struct brig_error){.code = BRIG_BAD_ARGUMENT, .step = "write report", .subject = name});
    }
    if (strlen(json) > BRIG_REPORT_BYTES_MAX) {
        return brig_error_set(
            reterr, (struct brig_error){
                        .code = BRIG_TOO_BIG, .step = "write report", .subject = name, .detail = (int64_t)BRIG_REPORT_BYTES_MAX});
    }
    void *bytes = compress_text(json, &size_bytes);
    if (bytes == NULL) {
        return brig_error_set(reterr, (struct brig_error){.code = BRIG_OUT_OF_MEMORY, .step = "compress report"});
    }
    enum brig_code code = write_file(dir_fd, name, bytes, size_bytes, reterr);
    free(bytes);
    return code;
}

// --- reading ----------------------------------------------------------------------------------------------------------

static const char read_step[] = "read report";

static enum brig_code fail_format(const char *path, int64_t detail, struct brig_error *reterr)
{
    return brig_error_set(reterr,
                          (struct brig_error){.code = BRIG_BAD_REPORT, .step = read_step, .subject = path, .detail = detail});
}

static enum brig_code fail_size(const char *path, struct brig_error *reterr)
{
    return brig_error_set(
        reterr,
        (struct brig_error){.code = BRIG_TOO_BIG, .step = read_step, .subject = path, .detail = (int64_t)BRIG_REPORT_BYTES_MAX});
}

// A file's bytes, of at most BRIG_REPORT_BYTES_MAX, and one more so that an excess shows.
struct raw_report {
    size_t size_bytes;
    unsigned char bytes[BRIG_REPORT_BYTES_MAX + 1];
};

static enum brig_code load(const char *path, struct raw_report *raw, struct brig_error *reterr)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return fail_io(read_step, path, reterr);
    }
    ssize_t got = 0;
    bool is_regular = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    for (raw->size_bytes = 0; is_regular && raw->size_bytes < sizeof raw->bytes; raw->size_bytes += (size_t)got) {
        got = read(fd, raw->bytes + raw->size_bytes, sizeof raw->bytes - raw->size_bytes);
        if (got <= 0) {
            break;
        }
    }
    enum brig_code code = got < 0 ? fail_io(read_step, path, reterr) : BRIG_OK;
    close(fd);
    if (code == BRIG_OK && !is_regular) {
        return fail_format(path, 0, reterr);
    }
    return code == BRIG_OK && raw->size_bytes > BRIG_REPORT_BYTES_MAX ? fail_size(path, reterr) : code;
}

// Unpacks exactly one member into `text`. The stream's end must be the file's end.
static enum brig_code unpack(const char *path, struct raw_report *raw, char *text, struct brig_error *reterr)
{
    z_stream stream = {.next_in = raw->bytes, .avail_in = (uInt)raw->size_bytes};
    if (inflateInit2(&stream, GZIP_WINDOW) != Z_OK) {
        return brig_error_set(reterr, (struct brig_error){.code = BRIG_OUT_OF_MEMORY, .step = read_step});
    }
    stream.next_out = (Bytef *)text;
    stream.avail_out = (uInt)BRIG_REPORT_BYTES_MAX;
    int status = inflate(&stream, Z_FINISH);
    size_t size_bytes = BRIG_REPORT_BYTES_MAX - stream.avail_out;
    bool has_more_input = stream.avail_in > 0;
    bool is_full = stream.avail_out == 0;
    inflateEnd(&stream);
    if (status != Z_STREAM_END && is_full) {
        return fail_size(path, reterr);
    }
    if (status != Z_STREAM_END || has_more_input || memchr(text, '\0', size_bytes) != NULL) {
        return fail_format(path, (int64_t)(raw->size_bytes - stream.avail_in), reterr);
    }
    text[size_bytes] = '\0';
    return BRIG_OK;
}

static enum brig_code check_schema(const char *path, const char *text, struct brig_error *reterr)
{
    json_error_t where;
    json_t *report = json_loads(text, JSON_REJECT_DUPLICATES, &where);
    const char *schema = json_string_value(json_object_get(report, "schema"));
    bool is_ours = schema != NULL && strcmp(schema, BRIG_REPORT_SCHEMA) == 0;
    int64_t line = report == NULL ? where.line : 0;
    json_decref(report);
    return is_ours ? BRIG_OK : fail_format(path, line, reterr);
}

static enum brig_code extract(const char *path, struct raw_report *raw, char *text, struct brig_error *reterr)
{
    enum brig_code code = load(path, raw, reterr);
    if (code != BRIG_OK) {
        return code;
    }
    if (raw->size_bytes >= 2 && raw->bytes[0] == 0x1f && raw->bytes[1] == 0x8b) { // RFC 1952
        code = unpack(path, raw, text, reterr);
    } else if (memchr(raw->bytes, '\0', raw->size_bytes) != NULL) {
        code = fail_format(path, 0, reterr);
    } else {
        memcpy(text, raw->bytes, raw->size_bytes);
        text[raw->size_bytes] = '\0';
    }
    return code == BRIG_OK ? check_schema(path, text, reterr) : code;
}

enum brig_code brig_report_read(const char *path, char **ret_json, struct brig_error *reterr)
{
    struct raw_report *raw = malloc(sizeof *raw);
    char *text = malloc(BRIG_REPORT_BYTES_MAX + 1);
    enum brig_code code = raw == NULL || text == NULL
                              ? brig_error_set(reterr, (struct brig_error){.code = BRIG_OUT_OF_MEMORY, .step = read_step})
                              : extract(path, raw, text, reterr);
    free(raw);
    if (code != BRIG_OK) {
        free(text);
        return code;
    }
    *ret_json = text;
    return BRIG_OK;
}
