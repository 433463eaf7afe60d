// files: the files of a directory, whole, and what they are.
//
// Takes: paths that somebody else's directory has, whatever stands there. Gives: a subject ready to compile, or one line that says
// where it is wrong and why. Guarantees: what is no regular file is not waited for; a limit holds for what is; what an error or a
// name quotes can be printed, and be a string of JSON.
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/benchmarks/compiler/compiler.h"

enum { FILE_BYTES_MAX = 16 << 20 }; // as `brig` has it

void bench_make_printable(char *text)
{
    json_t *string = json_string(text);
    const bool is_utf8 = string != NULL;
    json_decref(string);
    for (unsigned char *at = (unsigned char *)text; *at; at++) {
        if (*at < ' ' || *at == 0x7f || (*at > 0x7f && !is_utf8)) {
            *at = '?';
        }
    }
}

// --- bytes ------------------------------------------------------------------------------------------------------------

// Returns: 0 or an errno.
static int read_stream(FILE *in, char **ret_text, size_t *ret_bytes)
{
    char *text = malloc(FILE_BYTES_MAX + 1);
    if (!text) {
        return ENOMEM;
    }
    const size_t bytes = fread(text, 1, FILE_BYTES_MAX + 1, in);
    if (ferror(in) || bytes > FILE_BYTES_MAX) {
        const int result = ferror(in) ? errno : EFBIG;
        free(text);
        return result;
    }
    char *fitting = realloc(text, bytes + 1);
    *ret_text = fitting ? fitting : text;
    *ret_bytes = bytes;
    return 0;
}

// A pipe that nobody writes to would be waited for. Returns: 0 or an errno; ENODEV: no regular file.
static int read_file(void *context, const char *path, char **ret_text, size_t *ret_bytes)
{
    (void)context;
    struct stat status;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    FILE *in = fd < 0 ? NULL : fdopen(fd, "rb");
    if (!in) {
        const int result = errno;
        if (fd >= 0) {
            close(fd);
        }
        return result;
    }
    int result = fstat(fd, &status) != 0 ? errno : S_ISREG(status.st_mode) ? 0 : ENODEV;
    if (result == 0) {
        result = read_stream(in, ret_text, ret_bytes);
    }
    fclose(in);
    return result;
}

// --- kinds ------------------------------------------------------------------------------------------------------------

// Files that a policy includes stand beside it, as their paths say.
static const struct import_reader reader = {.read = read_file};

bool bench_import(const struct bench_subject *subject, struct import_policies *ret_policies, struct import_error *reterr)
{
    const enum brig_dsl_arch native = brig_dsl_arch_native();
    const struct import_options options = {.arches = &native, .arch_count = 1, .reader = &reader};
    const struct import_source source = {.name = subject->path, .text = subject->text, .text_bytes = subject->text_bytes};
    return subject->import(&source, &options, ret_policies, reterr);
}

static bool check_program(const struct bench_subject *subject, char *ret_why_not)
{
    static struct bench_code code;
    struct brig_error error;
    const size_t bytes = subject->text_bytes;
    if (bytes == 0 || bytes % sizeof code.insns[0] != 0) {
        snprintf(ret_why_not, BENCH_WHY_BYTES, "%s: not an array of 8-byte instructions: it has %zu bytes", subject->path, bytes);
        return false;
    }
    if (bytes > sizeof code.insns) {
        snprintf(ret_why_not, BENCH_WHY_BYTES, "%s: too big: a program has at most %d instructions of 8 bytes", subject->path,
                 BPF_MAXINSNS);
        return false;
    }
    bench_read_raw(subject, &code);
    if (brig_dsl_validate(code.insns, code.count, &error) != BRIG_OK) {
        snprintf(ret_why_not, BENCH_WHY_BYTES, "%s: the kernel would refuse instruction %lld: %s", subject->path,
                 (long long)error.detail, error.subject);
        return false;
    }
    return true;
}

static bool load(struct bench_subject *subject, char *ret_why_not)
{
    struct import_error error;
    const int result = read_file(NULL, subject->path, &subject->text, &subject->text_bytes);
    if (result != 0) {
        snprintf(ret_why_not, BENCH_WHY_BYTES, "%s: %s", subject->path,
                 result == ENODEV  ? "not a regular file"
                 : result == EFBIG ? "bigger than 16 MiB"
                                   : strerror(result));
        return false;
    }
    if (subject->is_raw) {
        return check_program(subject, ret_why_not);
    }
    if (!bench_import(subject, &subject->imported, &error)) {
        import_error_format(&error, ret_why_not, BENCH_WHY_BYTES);
        return false;
    }
    subject->policy = subject->imported.targets[0].policy;
    return true;
}

bool bench_load(struct bench_subject *subject, char *ret_why_not)
{
    if (!subject->path || load(subject, ret_why_not)) {
        return true;
    }
    bench_make_printable(ret_why_not);
    return false;
}
