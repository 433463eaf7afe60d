// output: where verbs write: standard output, and files that are whole in the end or as they were. See tool.h.
//
// A file's text is collected in memory and written when all of it is there. It then takes the place of the old file in one step, so
// that neither a full disk nor whoever reads it meanwhile finds half of it. Where that would change more than what the file holds
// (it is a link, has another owner, or its directory takes no new files) the old one is written over: there a full disk does leave
// half.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/brig/tool.h"

// --- files ------------------------------------------------------------------------------------------------------------

static bool is_standard_output(const char *path)
{
    return path == NULL || strcmp(path, "-") == 0;
}

static int complain_about_file(const char *verb, const char *path, int code)
{
    return tool_complain(verb, "cannot write '%s': %s", path, strerror(code));
}

// Returns: 0 or an errno. Closes the descriptor in any case.
static int write_and_close(int fd, const struct tool_output *output)
{
    int code = 0;
    for (size_t done = 0; done < output->text_bytes && code == 0;) {
        const ssize_t bytes = write(fd, output->text + done, output->text_bytes - done);
        done += bytes > 0 ? (size_t)bytes : 0;
        code = bytes >= 0 || errno == EINTR ? 0 : errno;
    }
    return close(fd) == 0 || code != 0 ? code : errno;
}

static int write_over(int fd, const struct tool_output *output)
{
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0 || (S_ISREG(status.st_mode) && ftruncate(fd, 0) != 0)) {
        const int code = errno;
        if (fd >= 0) {
            close(fd);
        }
        return code;
    }
    return write_and_close(fd, output);
}

// Says whether a new file in the place of the one at `path` would be missed by nobody, and which mode it has to have.
static bool is_replaceable(const char *path, mode_t *ret_mode)
{
    struct stat old;
    *ret_mode = 0;
    if (lstat(path, &old) != 0) {
        return errno == ENOENT;
    }
    *ret_mode = old.st_mode & 07777;
    return S_ISREG(old.st_mode) && old.st_nlink == 1 && old.st_uid == geteuid() && old.st_gid == getegid() &&
           access(path, W_OK) == 0;
}

// Returns: 0 or an errno, -1 if nothing was done.
static int replace(const struct tool_output *output)
{
    mode_t mode;
    char *name = NULL;
    if (!is_replaceable(output->path, &mode) || asprintf(&name, "%s.%d.tmp", output->path, (int)getpid()) < 0) {
        return -1;
    }
    const int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    int code = fd < 0 ? -1 : 0;
    if (code == 0) {
        code = mode != 0 && fchmod(fd, mode) != 0 ? errno : 0;
        const int write_code = write_and_close(fd, output);
        code = code == 0 ? write_code : code;
        code = code == 0 && rename(name, output->path) != 0 ? errno : code;
    }
    if (code > 0) {
        unlink(name);
    }
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
    ret_output->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
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
    int code = ferror(output->file) != 0 ? ENOMEM : 0;
    code = fclose(output->file) != 0 ? ENOMEM : code;
    if (output->fd >= 0) {
        const int write_code = write_over(output->fd, output);
        code = code == 0 ? write_code : code;
    } else if (code == 0) {
        code = replace(output);
        code = code >= 0 ? code : write_over(open(output->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666), output);
    }
    free(output->text);
    const int status = code == 0 ? TOOL_OK : tool_complain(verb, "cannot write all of '%s': %s", output->path, strerror(code));
    output->path = NULL;
    return status;
}

int tool_close_file(const char *verb, FILE *file, const char *path)
{
    bool failed = ferror(file) != 0;
    int close_errno = 0;
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

void tool_print_json(FILE *out, json_t *json)
{
    json_dumpf(json, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    fputc('\n', out);
    json_decref(json);
}
