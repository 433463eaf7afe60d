// profile: files of recorded calls, and their sum. See profile.h.
//
// Takes: files in the forms that lines.c knows, plain or compressed. Gives: one profile. Guarantees: memory is bounded by the
// limits of profile.h, whatever a file holds; the same calls give the same profile in any order. Weaknesses: where two tables count
// calls of one process type, one with arguments and one without, they are taken for two views of one run, so that adding up runs of
// different programs needs different names of their types.
#include "tools/profile/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "tools/profile/parts.h"

__attribute__((format(printf, 3, 4))) static bool fail(const struct profile_reader *reader, struct profile_error *reterr,
                                                       const char *format, ...)
{
    *reterr = (struct profile_error){.line = 0};
    snprintf(reterr->file, sizeof reterr->file, "%s", reader->name == NULL ? "" : reader->name);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reterr->text, sizeof reterr->text, format, arguments);
    va_end(arguments);
    return false;
}

const char *profile_error_format(const struct profile_error *error, char *buffer, size_t buffer_bytes)
{
    char place[32] = "";
    if (error->line > 0) {
        snprintf(place, sizeof place, error->column > 0 ? ":%d:%d" : ":%d", error->line, error->column);
    }
    snprintf(buffer, buffer_bytes, "%s%s%s%s%s%s%s", error->file, place, error->file[0] == '\0' ? "" : ": ", error->text,
             error->closest[0] == '\0' ? "" : "; did you mean '", error->closest, error->closest[0] == '\0' ? "" : "'?");
    return buffer;
}

struct profile_reader *profile_new(enum brig_dsl_arch arch, const char *type)
{
    struct profile_reader *reader = calloc(1, sizeof *reader);
    if (reader != NULL) {
        reader->arch = arch;
        reader->type = type;
    }
    return reader;
}

void profile_delete(struct profile_reader *reader)
{
    for (int i = 0; reader != NULL && i < reader->type_count; i++) {
        free(reader->types[i]);
    }
    if (reader != NULL) {
        profile_table_free(&reader->table);
    }
    free(reader);
}

// --- files ------------------------------------------------------------------------------------------------------------

static void start_file(struct profile_reader *reader, const char *name)
{
    reader->file_count++;
    reader->name = name;
    reader->line = 0;
    reader->kind = PROFILE_KIND_UNKNOWN;
}

static bool end_file(struct profile_reader *reader, struct profile_error *reterr)
{
    return reader->kind != PROFILE_KIND_UNKNOWN || fail(reader, reterr, "no calls in it");
}

static bool complain_about_length(struct profile_reader *reader, struct profile_error *reterr)
{
    fail(reader, reterr, "a line of more than %d bytes", PROFILE_LINE_BYTES_MAX);
    reterr->line = reader->line + 1;
    return false;
}

// Reads the whole lines of `text`, and at the end of a file what is left. `ret_used` is how much that was.
static bool read_lines(struct profile_reader *reader, struct brig_dsl_text text, bool is_end, size_t *ret_used,
                       struct profile_error *reterr)
{
    size_t used = 0;
    while (used < text.bytes) {
        const char *start = text.text + used;
        const char *end = memchr(start, '\n', text.bytes - used);
        size_t bytes = end == NULL ? text.bytes - used : (size_t)(end - start);
        if (bytes > PROFILE_LINE_BYTES_MAX) {
            return complain_about_length(reader, reterr);
        }
        if (end == NULL && !is_end) {
            break;
        }
        if (!profile_read_line(reader, (struct brig_dsl_text){start, bytes}, reterr)) {
            return false;
        }
        used += bytes + (end == NULL ? 0 : 1);
    }
    *ret_used = used;
    return true;
}

enum { CHUNK_BYTES = 1 << 16 };

static bool read_chunks(struct profile_reader *reader, gzFile in, struct profile_error *reterr)
{
    char chunk[CHUNK_BYTES];
    size_t left = 0; // start of a line, from the chunk before
    uint64_t total = 0;
    while (true) {
        errno = 0;
        int bytes = gzread(in, chunk + left, (unsigned)(sizeof chunk - left));
        int status = Z_OK;
        const char *reason = gzerror(in, &status);
        // An end in the middle of compressed data is no error to gzread. What zlib says starts with a name that it made up.
        if (bytes < 0 || (status != Z_OK && status != Z_STREAM_END)) {
            const char *end = strstr(reason, ">: ");
            return fail(reader, reterr, "cannot read it: %s", status == Z_ERRNO ? strerror(errno) : end == NULL ? reason : end + 3);
        }
        total += (uint64_t)bytes;
        if (total > PROFILE_FILE_BYTES_MAX) {
            return fail(reader, reterr, "more than %llu bytes", (unsigned long long)PROFILE_FILE_BYTES_MAX);
        }
        size_t used;
        struct brig_dsl_text text = {chunk, left + (size_t)bytes};
        if (!read_lines(reader, text, bytes == 0, &used, reterr)) {
            return false;
        }
        if (bytes == 0) {
            return end_file(reader, reterr);
        }
        left = text.bytes - used;
        memmove(chunk, chunk + used, left);
    }
}

bool profile_read_file(struct profile_reader *reader, const char *path, struct profile_error *reterr)
{
    bool is_stdin = strcmp(path, "-") == 0;
    struct stat status;
    start_file(reader, is_stdin ? "<stdin>" : path);
    int fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return fail(reader, reterr, "cannot read it: %s", strerror(errno));
    }
    if (S_ISDIR(status.st_mode)) {
        close(fd);
        return fail(reader, reterr, "cannot read it: %s", strerror(EISDIR));
    }
    gzFile in = gzdopen(fd, "rb");
    if (in == NULL) {
        close(fd);
        return fail(reader, reterr, "out of memory");
    }
    bool is_read = read_chunks(reader, in, reterr);
    gzclose_r(in);
    return is_read;
}

bool profile_read_text(struct profile_reader *reader, const char *name, struct brig_dsl_text text, struct profile_error *reterr)
{
    size_t used;
    start_file(reader, name);
    return read_lines(reader, text, true, &used, reterr) && end_file(reader, reterr);
}

// --- the sum ----------------------------------------------------------------------------------------------------------

// Takes what tables with arguments have of a call from what tables of counts say of it.
static void remove_doubles(struct profile_reader *reader)
{
    for (size_t i = 0; i < reader->table.count; i++) {
        const struct profile_entry *part = &reader->table.entries[i];
        if (part->is_total || part->type == PROFILE_NO_TYPE) {
            continue;
        }
        enum brig_dsl_call call = brig_dsl_call_by_nr(part->sample.nr, reader->arch);
        struct profile_entry key = {.type = part->type, .is_total = true};
        key.sample = profile_blank_sample(part->sample.nr, call, reader->arch);
        struct profile_entry *total = profile_table_find(&reader->table, &key);
        if (total != NULL) {
            total->sample.count -= part->sample.count < total->sample.count ? part->sample.count : total->sample.count;
        }
    }
}

static int compare_samples(const void *a, const void *b)
{
    const struct brig_dsl_sample *left = &((const struct profile_entry *)a)->sample;
    const struct brig_dsl_sample *right = &((const struct profile_entry *)b)->sample;
    if (left->nr != right->nr) {
        return left->nr < right->nr ? -1 : 1;
    }
    if (left->known != right->known) {
        return left->known < right->known ? -1 : 1;
    }
    for (int i = 0; i < 6; i++) {
        if (left->args[i] != right->args[i]) {
            return left->args[i] < right->args[i] ? -1 : 1;
        }
    }
    return 0;
}

// Adds up what differs in no more than the process type.
static bool sum_up(struct profile_reader *reader, struct profile_table *sum, struct profile_error *reterr)
{
    for (size_t i = 0; i < reader->table.count; i++) {
        struct profile_entry entry = {.type = PROFILE_NO_TYPE, .sample = reader->table.entries[i].sample};
        enum profile_added added = entry.sample.count == 0 ? PROFILE_ADDED : profile_table_add(sum, &entry);
        if (added != PROFILE_ADDED) {
            return fail(reader, reterr, added == PROFILE_OVERFLOW ? "counts that add up to more than 64 bits" : "out of memory");
        }
    }
    return true;
}

static bool check_type(const struct profile_reader *reader, struct profile_error *reterr)
{
    enum { NAMES_BYTES = 100, DOTS_BYTES = 8 };
    char known[NAMES_BYTES + DOTS_BYTES] = ""; // a comma may be the last of the names
    size_t used = 0;
    for (int i = 0; i < reader->type_count; i++) {
        if (reader->type == NULL || strcmp(reader->types[i], reader->type) == 0) {
            return true;
        }
        used += used < NAMES_BYTES
                    ? (size_t)snprintf(known + used, NAMES_BYTES - used, "%s%s", i == 0 ? "" : ", ", reader->types[i])
                    : 0;
    }
    if (used >= NAMES_BYTES) { // the last name that stands there was cut
        char *comma = strrchr(known, ',');
        snprintf(comma == NULL ? known : comma + 1, DOTS_BYTES, comma == NULL ? "..." : " ...");
    }
    if (reader->type == NULL) {
        return true;
    }
    return reader->type_count == 0 ? fail(reader, reterr, "no process types are named in it")
                                   : fail(reader, reterr, "no rows of the process type '%.40s'; there are %s", reader->type, known);
}

static bool copy_samples(const struct profile_table *sum, struct profile *profile)
{
    struct brig_dsl_sample *samples = calloc(sum->count, sizeof *samples);
    if (samples == NULL) {
        return false;
    }
    profile->calls = (struct brig_dsl_profile){samples, sum->count};
    for (size_t i = 0; i < sum->count; i++) {
        samples[i] = sum->entries[i].sample;
        if (__builtin_add_overflow(profile->call_count, samples[i].count, &profile->call_count)) {
            free(samples);
            return false;
        }
    }
    return true;
}

bool profile_finish(struct profile_reader *reader, struct profile *ret_profile, struct profile_error *reterr)
{
    struct profile_table sum = {.entries = NULL};
    struct profile profile = {.vague_count = reader->vague_count, .absent_count = reader->absent_count};
    reader->name = reader->file_count == 1 ? reader->name : NULL; // what is wrong now is wrong with all of them
    remove_doubles(reader);
    bool is_good = check_type(reader, reterr) && sum_up(reader, &sum, reterr);
    if (is_good && sum.entries != NULL) {
        qsort(sum.entries, sum.count, sizeof *sum.entries, compare_samples);
        is_good = copy_samples(&sum, &profile) || fail(reader, reterr, "too many calls");
    } else if (is_good) {
        is_good = fail(reader, reterr, "no calls that this arch has");
    }
    profile_table_free(&sum);
    if (is_good) {
        *ret_profile = profile;
    }
    return is_good;
}

void profile_free(struct profile *profile)
{
    free((void *)profile->calls.samples);
    *profile = (struct profile){.calls = {NULL, 0}};
}
