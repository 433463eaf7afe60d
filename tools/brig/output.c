// output: where verbs write: standard output, and files that are whole in the end or as they were. See tool.h.
//
// A file's text is collected in memory and written when all of it is there. It then takes the place of the old file in one step, so
// that neither a full disk nor whoever reads it meanwhile finds half of it. Where that would change more than what the file holds,
// the old one is written over: it is a link or has several names, a new file would have another owner or group, it has extended
// attributes (a list of who may do what, a label), something is mounted on it, or its directory takes no new files. There what
// needs room is written first, behind the old text, so that a full disk leaves that as it was; whoever reads it meanwhile may find
// half, and so does everybody where the power fails, or a disk that keeps old blocks has no room for new ones. What `brig run`
// tells is written to a file that was emptied before the program ran.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "sandbox/report.h"
#include "tools/brig/tool.h"

// No stream can be told that what should have gone there could not be made.
static bool is_json_lost;

// --- files ------------------------------------------------------------------------------------------------------------

static bool is_standard_output(const char *path)
{
    return path == NULL || strcmp(path, "-") == 0;
}

static int complain_about_file(const char *verb, const char *path, int code)
{
    return tool_complain(verb, "cannot write '%s': %s", path, strerror(code));
}

// Returns: 0 or an errno.
static int write_all(int fd, const char *text, size_t text_bytes)
{
    int code = 0;
    for (size_t done = 0; done < text_bytes && code == 0;) {
        const ssize_t bytes = write(fd, text + done, text_bytes - done);
        done += bytes > 0 ? (size_t)bytes : 0;
        code = bytes >= 0 || errno == EINTR ? 0 : errno;
    }
    return code;
}

// Closes a descriptor that was written to with `code`. Returns: 0 or an errno.
static int close_written(int fd, int code)
{
    return close(fd) == 0 || code != 0 ? code : errno;
}

static bool is_own_stream(const struct stat *status)
{
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        struct stat own;
        if (fstat(fd, &own) == 0 && own.st_dev == status->st_dev && own.st_ino == status->st_ino) {
            return true;
        }
    }
    return false;
}

// Empties what it opens, but for /dev/stdout and the like, where somebody has written already. Returns: -1 with errno set.
static int open_over(const char *path)
{
    struct stat status;
    const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0) {
        return -1;
    }
    if (fstat(fd, &status) == 0 && (!S_ISREG(status.st_mode) || is_own_stream(&status) || ftruncate(fd, 0) == 0)) {
        return fd;
    }
    const int code = errno;
    close(fd);
    errno = code;
    return -1;
}

// Writes over what a file of `old_bytes` holds. Returns: 0 or an errno.
static int write_from_behind(int fd, size_t old_bytes, const struct tool_output *output)
{
    const size_t shared_bytes = output->text_bytes < old_bytes ? output->text_bytes : old_bytes;
    const size_t more_bytes = output->text_bytes - shared_bytes;
    int code = lseek(fd, (off_t)shared_bytes, SEEK_SET) < 0 ? errno : write_all(fd, output->text + shared_bytes, more_bytes);
    // Some disks say only here that they are full.
    code = code == 0 && more_bytes > 0 && fdatasync(fd) != 0 && errno != EINVAL ? errno : code;
    if (code != 0) {
        return ftruncate(fd, (off_t)old_bytes) != 0 ? errno : code;
    }
    code = lseek(fd, 0, SEEK_SET) < 0 ? errno : write_all(fd, output->text, shared_bytes);
    return code == 0 && ftruncate(fd, (off_t)output->text_bytes) != 0 ? errno : code;
}

// Returns: 0 or an errno. Signals wait while a file is between two texts; where a pipe or a terminal makes us wait, they end that.
static int write_over(const struct tool_output *output)
{
    struct stat old;
    sigset_t all, before;
    const int fd = open(output->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    int code = fd < 0 || fstat(fd, &old) != 0 ? errno : 0;
    if (fd < 0 || code != 0) {
        return fd < 0 ? code : close_written(fd, code);
    }
    if (!S_ISREG(old.st_mode) || is_own_stream(&old)) {
        code = fcntl(fd, F_SETFL, O_APPEND) != 0 ? errno : write_all(fd, output->text, output->text_bytes);
        return close_written(fd, code);
    }
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    code = close_written(fd, write_from_behind(fd, (size_t)old.st_size, output));
    sigprocmask(SIG_SETMASK, &before, NULL);
    return code;
}

static bool has_attributes(ssize_t list_bytes)
{
    return list_bytes > 0 || (list_bytes < 0 && errno != ENOTSUP);
}

// Says whether another file in the place of the one at `path` might be missed by nobody.
static bool is_replaceable(const char *path, bool *ret_is_there, struct stat *ret_old)
{
    *ret_is_there = lstat(path, ret_old) == 0;
    if (!*ret_is_there) {
        return errno == ENOENT;
    }
    return S_ISREG(ret_old->st_mode) && ret_old->st_nlink == 1 && access(path, W_OK) == 0 &&
           !has_attributes(llistxattr(path, NULL, 0));
}

// Makes the new file what the old one is; its directory may have given it another group, or a list of who may do what.
static bool take_after(int fd, const struct stat *old)
{
    struct stat status;
    return fstat(fd, &status) == 0 && status.st_uid == old->st_uid && status.st_gid == old->st_gid &&
           !has_attributes(flistxattr(fd, NULL, 0)) && fchmod(fd, old->st_mode & 07777) == 0;
}

// Returns: 0 or an errno, -1 if nothing was done.
static int replace_by(const char *name, const struct tool_output *output)
{
    bool is_there;
    struct stat old;
    if (!is_replaceable(output->path, &is_there, &old)) {
        return -1;
    }
    // A file that was not there is made as any other, by umask. The contents of one that was are for those alone who could read it.
    const int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, is_there ? 0600 : 0666);
    if (fd < 0) {
        return -1;
    }
    int code = -1;
    if (is_there && !take_after(fd, &old)) {
        close(fd);
    } else {
        code = close_written(fd, write_all(fd, output->text, output->text_bytes));
        code = code == 0 && rename(name, output->path) != 0 ? errno : code;
        code = code == EBUSY || code == EXDEV ? -1 : code; // something is mounted there
    }
    if (code != 0) {
        unlink(name);
    }
    return code;
}

// As replace_by. Signals wait meanwhile: one that ends this process would leave the new file behind.
static int replace(const struct tool_output *output)
{
    char *name = NULL;
    sigset_t all, before;
    if (asprintf(&name, "%s.%d.tmp", output->path, (int)getpid()) < 0) {
        return -1;
    }
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    const int code = replace_by(name, output);
    sigprocmask(SIG_SETMASK, &before, NULL);
    free(name);
    return code;
}

// Returns: 0, or the errno of making a new file at `path`, as far as can be said before.
static int check_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *directory = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    const int code = directory == NULL ? ENOMEM : access(directory, W_OK | X_OK) != 0 ? errno : 0;
    free(directory);
    return *path == '\0' ? ENOENT : code;
}

bool tool_check_output(const char *verb, const char *path)
{
    struct stat old;
    int code = 0;
    if (is_standard_output(path)) {
        return true;
    }
    if (stat(path, &old) == 0) {
        code = S_ISDIR(old.st_mode) ? EISDIR : access(path, W_OK) != 0 ? errno : 0;
    } else {
        code = errno == ENOENT ? check_directory(path) : errno;
    }
    if (code != 0) {
        complain_about_file(verb, path, code);
    }
    return code == 0;
}

// --- outputs ----------------------------------------------------------------------------------------------------------

bool tool_open_output(const char *verb, const char *path, struct tool_output *ret_output)
{
    *ret_output = (struct tool_output){.file = stdout, .path = path, .fd = -1};
    if (is_standard_output(path)) {
        ret_output->path = NULL;
        return true;
    }
    if (!tool_check_output(verb, path)) {
        return false;
    }
    ret_output->file = open_memstream(&ret_output->text, &ret_output->text_bytes);
    return ret_output->file != NULL || tool_complain(verb, "out of memory") < 0;
}

bool tool_hold_output(const char *verb, const char *path, struct tool_output *ret_output)
{
    if (!tool_open_output(verb, path, ret_output)) {
        return false;
    }
    if (ret_output->path == NULL) {
        return true;
    }
    ret_output->fd = open_over(path);
    if (ret_output->fd < 0) {
        complain_about_file(verb, path, errno);
        tool_drop_output(ret_output);
        return false;
    }
    return true;
}

void tool_drop_output(struct tool_output *output)
{
    if (output->path == NULL) {
        return;
    }
    fclose(output->file);
    free(output->text);
    if (output->fd >= 0) {
        close(output->fd);
    }
    output->path = NULL;
}

int tool_close_output(const char *verb, struct tool_output *output)
{
    if (output->path == NULL) {
        return tool_flush(verb);
    }
    int code = is_json_lost ? EILSEQ : ferror(output->file) != 0 ? ENOMEM : 0;
    code = fclose(output->file) != 0 ? ENOMEM : code;
    if (output->fd >= 0) {
        const int write_code = close_written(output->fd, write_all(output->fd, output->text, output->text_bytes));
        code = code == 0 ? write_code : code;
    } else if (code == 0) {
        code = replace(output);
        code = code >= 0 ? code : write_over(output);
    }
    free(output->text);
    const int status = code == 0 ? TOOL_OK : tool_complain(verb, "cannot write all of '%s': %s", output->path, strerror(code));
    output->path = NULL;
    return status;
}

int tool_close_file(const char *verb, FILE *file, const char *path)
{
    bool failed = ferror(file) != 0 || is_json_lost;
    int close_errno = is_json_lost ? EILSEQ : 0;
    if (file == stdout ? fflush(file) != 0 : fclose(file) != 0) {
        failed = true;
        close_errno = errno;
    }
    if (failed) {
        return tool_complain(verb, "cannot write all of '%s': %s", path,
                             close_errno == 0 ? "input/output error" : strerror(close_errno));
    }
    return TOOL_OK;
}

int tool_flush(const char *verb)
{
    return tool_close_file(verb, stdout, "standard output");
}

// --- what is written --------------------------------------------------------------------------------------------------

bool tool_is_terminal(const char *path)
{
    return is_standard_output(path) && isatty(STDOUT_FILENO) != 0;
}

bool tool_check_color(const char *verb, const char *when)
{
    if (when == NULL || strcmp(when, "auto") == 0 || strcmp(when, "always") == 0 || strcmp(when, "never") == 0) {
        return true;
    }
    tool_complain(verb, "--color is auto, always or never, not '%s'", when);
    return false;
}

bool tool_wants_color(const char *when)
{
    if (when != NULL && strcmp(when, "auto") != 0) {
        return strcmp(when, "always") == 0;
    }
    const char *no_color = getenv("NO_COLOR");
    return (no_color == NULL || no_color[0] == '\0') && isatty(STDOUT_FILENO) != 0;
}

static void write_to_file(void *context, const char *text, size_t text_bytes)
{
    fwrite(text, 1, text_bytes, (FILE *)context);
}

struct brig_dsl_sink tool_sink(FILE *out)
{
    return (struct brig_dsl_sink){.write = write_to_file, .context = out};
}

void tool_put_clean(FILE *out, const char *text)
{
    enum { PIECE_BYTES = 256, LONGEST_ESCAPE = 4 }; // characters per byte, in \xff
    char piece[PIECE_BYTES + 1];
    char clean[LONGEST_ESCAPE * PIECE_BYTES + 1];
    for (size_t bytes; *text != '\0'; text += bytes) {
        bytes = strnlen(text, PIECE_BYTES);
        for (int i = 0; i < 3 && ((unsigned char)text[bytes] & 0xc0) == 0x80; i++) {
            bytes--; // a character stays whole
        }
        memcpy(piece, text, bytes);
        piece[bytes] = '\0';
        brig_report_clean(piece, clean, sizeof clean);
        fputs(clean, out);
    }
}

void tool_put_escaped(FILE *out, const char *text)
{
    static const char *const entities[] = {['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\''] = "&#39;"};
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte < sizeof entities / sizeof entities[0] && entities[byte] != NULL) {
            fputs(entities[byte], out);
        } else {
            bool is_control = byte < 0x20 && byte != '\n' && byte != '\t';
            fputc(is_control ? '?' : byte, out);
        }
    }
}

json_t *tool_json_text(const char *text)
{
    if (text == NULL) {
        return json_null();
    }
    json_t *json = json_string(text);
    if (json != NULL) {
        return json;
    }
    char *escaped = malloc(4 * strlen(text) + 1), *end = escaped;
    for (; escaped != NULL && *text != '\0'; text++) {
        const unsigned char byte = (unsigned char)*text;
        end += sprintf(end, byte < 0x80 ? "%c" : "\\x%02x", byte);
    }
    json = escaped == NULL ? NULL : json_string(escaped);
    free(escaped);
    return json;
}

void tool_print_json(FILE *out, json_t *json)
{
    is_json_lost = is_json_lost || json_dumpf(json, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) != 0;
    fputc('\n', out);
    json_decref(json);
}
