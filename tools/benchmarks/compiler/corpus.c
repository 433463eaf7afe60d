// corpus: the policies that compilers are measured on.
//
// Takes: this build's policies, the made-up ones, a directory. Gives: subjects, in that order, files sorted by name; what a file is
// says its ending. Files are not read here (files.c).
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policies/policies.h"
#include "tools/benchmarks/compiler/compiler.h"

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
    bench_make_printable(subject->name);
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

static bool add_file(struct bench_corpus *corpus, const char *directory, const char *name)
{
    const struct file_kind *kind = kind_of(name);
    struct bench_subject *subject = add_subject(corpus, name, kind->kind);
    if (!subject || asprintf(&subject->path, "%s/%s", directory, name) < 0) {
        corpus->count -= subject != NULL;
        return false;
    }
    subject->import = kind->import;
    subject->is_raw = kind->import == NULL;
    return true;
}

static int is_policy(const struct dirent *entry)
{
    return kind_of(entry->d_name) != NULL;
}

bool bench_corpus_add_directory(struct bench_corpus *corpus, const char *path, struct bench_table *table)
{
    struct dirent **entries;
    const int count = scandir(path, &entries, is_policy, alphasort);
    if (count < 0) {
        fprintf(stderr, "bench: cannot list '%s': %s\n", path, strerror(errno));
        return false;
    }
    if (count == 0) {
        bench_fail(table, "%s has no .json, .policy or .bpf", path);
    }
    for (int i = 0; i < count; i++) {
        if (!add_file(corpus, path, entries[i]->d_name)) {
            bench_fail(table, "%s/%s: out of memory", path, entries[i]->d_name);
        }
        free(entries[i]);
    }
    free(entries);
    return true;
}

void bench_corpus_free(struct bench_corpus *corpus)
{
    for (size_t i = 0; i < corpus->count; i++) {
        free(corpus->subjects[i].path);
    }
    free(corpus->subjects);
    *corpus = (struct bench_corpus){.subjects = NULL};
}
