// files: the files of a directory, whole, and what they are.
//
// Takes: paths that somebody else's directory has, whatever stands there. Gives: a subject ready to compile, or one line that says
// where it is wrong and why. Guarantees: what is no regular file is not waited for; a limit holds for what is; what an error or a
// name quotes can be printed, and be a string of JSON.
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "tools/benchmarks/compiler/compiler.h"
#include "tools/files/files.h"

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

// --- kinds ------------------------------------------------------------------------------------------------------------

static int read_included(void *context, const char *path, char **ret_text, size_t *ret_bytes)
{
    (void)context;
    return files_read_regular(path, ret_text, ret_bytes);
}

// Files that a policy includes stand beside it, as their paths say.
static const struct import_reader reader = {.read = read_included};

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
        snprintf(ret_why_not, BENCH_WHY_BYTES, "%s: not an array of 8-byte instructions: it has %zu byte%s", subject->path, bytes,
                 bytes == 1 ? "" : "s");
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
    const int result = files_read_regular(subject->path, &subject->text, &subject->text_bytes);
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
