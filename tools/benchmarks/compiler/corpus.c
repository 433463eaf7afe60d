// corpus: the policies that compilers are measured on.
//
// Takes: this build's policies, the made-up ones, a directory. Gives: subjects, in that order, files sorted by name; what a file is
// says its ending. Guarantees: a file that cannot be read or imported is named, and is a failure of the run.
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "policies/policies.h"
#include "tools/benchmarks/compiler/compiler.h"

enum { FILE_BYTES_MAX = 8 << 20 };

static struct bench_subject *add_subject(struct bench_corpus *corpus, const char *name, const char *kind)
{
    struct bench_subject *subjects = realloc(corpus->subjects, (corpus->count + 1) * sizeof *subjects);
    if (!subjects) {
        return NULL;
    }
    corpus->subjects = subjects;
    struct bench_subject *subject = &subjects[corpus->count++];
    *subject = (struct bench_subject){.kind = kind};
    snprintf(subject->name, sizeof subject->name, "%s", name);
    return subject;
}

static bool add_policies(struct bench_corpus *corpus, const struct brig_dsl_policy *const *policies, const char *kind)
{
    for (; *policies; policies++) {
        struct bench_subject *subject = add_subject(corpus, (*policies)->name, kind);
        if (!subject) {
            return false;
        }
        subject->policy = *policies;
    }
    return true;
}

bool bench_corpus_add_own(struct bench_corpus *corpus)
{
    return add_policies(corpus, brig_policy_all, "built-in") && add_policies(corpus, bench_synthetic_policies(), "synthetic");
}

// --- files ------------------------------------------------------------------------------------------------------------

static const struct file_kind {
    const char *ending;
    const char *kind;
    bench_importer *import;
} file_kinds[] = {
    {".json", "oci", import_oci},
    {".policy", "minijail", import_minijail},
    {".bpf", "raw", NULL},
};

static const struct file_kind *kind_of(const char *name)
{
    const char *ending = strrchr(name, '.');
    for (size_t i = 0; ending && i < sizeof file_kinds / sizeof file_kinds[0]; i++) {
        if (strcmp(ending, file_kinds[i].ending) == 0) {
            return &file_kinds[i];
        }
    }
    return NULL;
}

// Returns: 0 or an errno.
static int read_file(const char *path, char **ret_text, size_t *ret_bytes)
{
    FILE *in = fopen(path, "rbe");
    char *text = in ? malloc(FILE_BYTES_MAX) : NULL;
    int result = in ? ENOMEM : errno;
    if (text) {
        const size_t bytes = fread(text, 1, FILE_BYTES_MAX, in);
        result = ferror(in) ? EIO : bytes == FILE_BYTES_MAX ? EFBIG : 0;
        char *fitting = realloc(text, bytes + 1);
        *ret_text = fitting ? fitting : text;
        *ret_bytes = bytes;
    }
    if (text && result != 0) {
        free(*ret_text);
    }
    if (in) {
        fclose(in);
    }
    return result;
}

// Files that a policy includes stand beside it, as their paths say.
static int read_included(void *context, const char *path, char **ret_text, size_t *ret_bytes)
{
    (void)context;
    return read_file(path, ret_text, ret_bytes);
}

static const struct import_reader reader = {.read = read_included};

static bool is_valid_program(const struct bench_subject *subject)
{
    struct brig_error error;
    static struct sock_filter insns[BPF_MAXINSNS];
    const size_t count = subject->text_bytes / sizeof insns[0];
    if (subject->text_bytes > sizeof insns || subject->text_bytes % sizeof insns[0] != 0) {
        return false;
    }
    memcpy(insns, subject->text, subject->text_bytes);
    return brig_dsl_validate(insns, count, &error) == BRIG_OK;
}

bool bench_import(const struct bench_subject *subject, struct import_policies *ret_policies, struct import_error *reterr)
{
    const enum brig_dsl_arch native = brig_dsl_arch_native();
    const struct import_options options = {.arches = &native, .arch_count = 1, .reader = &reader};
    const struct import_source source = {.name = subject->path, .text = subject->text, .text_bytes = subject->text_bytes};
    return subject->import(&source, &options, ret_policies, reterr);
}

// Returns: false with a reason.
static bool load(struct bench_subject *subject, const char *directory, char *ret_why_not)
{
    struct import_error error;
    if (asprintf(&subject->path, "%s/%s", directory, subject->name) < 0) {
        subject->path = NULL;
    }
    const int result = subject->path ? read_file(subject->path, &subject->text, &subject->text_bytes) : ENOMEM;
    if (result != 0) {
        snprintf(ret_why_not, IMPORT_ERROR_TEXT_BYTES, "%s: %s", subject->name, strerror(result));
        return false;
    }
    if (!subject->import) {
        snprintf(ret_why_not, IMPORT_ERROR_TEXT_BYTES, "%s: not a program that the kernel would accept", subject->name);
        return is_valid_program(subject);
    }
    if (!bench_import(subject, &subject->imported, &error)) {
        import_error_format(&error, ret_why_not, IMPORT_ERROR_TEXT_BYTES);
        return false;
    }
    subject->policy = subject->imported.targets[0].policy;
    return true;
}

static void free_subject(struct bench_subject *subject)
{
    if (subject->imported.memory) {
        import_free(&subject->imported);
    }
    free(subject->text);
    free(subject->path);
}

static void add_file(struct bench_corpus *corpus, const char *directory, const char *name, struct bench_table *table)
{
    char why_not[IMPORT_ERROR_TEXT_BYTES];
    const struct file_kind *kind = kind_of(name);
    struct bench_subject *subject = add_subject(corpus, name, kind->kind);
    if (!subject) {
        bench_fail(table, "no memory for %s", name);
        return;
    }
    subject->import = kind->import;
    if (!load(subject, directory, why_not)) {
        bench_fail(table, "%s", why_not);
        free_subject(subject);
        corpus->count--;
    }
}

static int is_policy(const struct dirent *entry)
{
    return kind_of(entry->d_name) != NULL;
}

void bench_corpus_add_directory(struct bench_corpus *corpus, const char *path, struct bench_table *table)
{
    struct dirent **entries;
    const int count = scandir(path, &entries, is_policy, alphasort);
    if (count < 0) {
        bench_fail(table, "%s: %s", path, strerror(errno));
        return;
    }
    if (count == 0) {
        bench_fail(table, "%s has no .json, .policy or .bpf", path);
    }
    for (int i = 0; i < count; i++) {
        add_file(corpus, path, entries[i]->d_name, table);
        free(entries[i]);
    }
    free(entries);
}

void bench_corpus_free(struct bench_corpus *corpus)
{
    for (size_t i = 0; i < corpus->count; i++) {
        free_subject(&corpus->subjects[i]);
    }
    free(corpus->subjects);
    *corpus = (struct bench_corpus){.subjects = NULL};
}
