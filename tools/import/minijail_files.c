// minijail_files: entries and directives of a policy, and the files that it names.
//
// Takes: a text, and a reader of files. Gives: what each call's entries say (struct minijail_call), the default action, how often
// calls are made. Guarantees: ends, whatever the files say: at most DEPTH_LIMIT files lie in one another, none in itself, and at
// most FILES_LIMIT are read. An error in a file that is included says through which.
//
// Paths start with / or ./, as for minijail, and the latter are relative to the file that names them, as for compile_seccomp_policy
// (minijail0 takes them from its working directory). A second entry for a call goes on where the first has left the decision
// open, as there; minijail0 refuses it, so it gets a warning. After an entry that decides everything it is an error, as for both.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/import/minijail.h"

enum { DEPTH_LIMIT = 10, FILES_LIMIT = 1000 };

// --- entries ----------------------------------------------------------------------------------------------------------

static const struct minijail_filter *find_closer(const struct minijail_filter *filter)
{
    while (filter != NULL && !filter->is_unconditional) {
        filter = filter->next;
    }
    return filter;
}

// Nothing may stand behind an unconditional filter.
static void check_order(struct minijail *mj, const struct minijail_filter *filters)
{
    const struct minijail_filter *closer = find_closer(filters);
    if (closer != NULL && closer->next != NULL) {
        minijail_fail(mj, closer->next->place, NULL, "nothing comes this far: %d:%d has decided already", closer->place.line,
                      closer->place.column);
    }
}

static void add_entry(struct minijail *mj, enum brig_dsl_call id, const struct minijail_filter *filters, struct import_place place)
{
    struct minijail_call *call = &mj->calls[id];
    struct minijail_entry *entry = import_alloc(mj->memory, sizeof *entry);
    if (entry == NULL || mj->has_failed) {
        return;
    }
    if (call->closer != NULL) {
        minijail_fail(mj, place, NULL, "'%s' has an entry in %s:%d already, which decides everything", brig_dsl_call_name(id),
                      call->closer->place.file, call->closer->place.line);
        return;
    }
    entry->filters = filters;
    if (call->first == NULL) {
        mj->order[mj->order_count++] = id;
        call->first = entry;
        call->place = place;
    } else {
        call->last->next = entry;
        minijail_warn(mj, place,
                      "'%s' has an entry in %s:%d already; this one counts where that one does not decide "
                      "(minijail0 would refuse it)",
                      brig_dsl_call_name(id), call->place.file, call->place.line);
    }
    call->last = entry;
    call->closer = find_closer(filters);
}

static void read_entry(struct minijail *mj)
{
    struct minijail_subjects subjects;
    struct import_place place = mj->file->token.place;
    if (mj->is_denylist && !mj->file->is_denylist) {
        minijail_fail(mj, place, NULL, "a denylist includes this policy, which has to say @denylist as well");
    }
    mj->file->has_rules = true;
    minijail_read_subjects(mj, &subjects);
    if (!minijail_accept(mj, ":")) {
        minijail_expected(mj, "':'");
    }
    const struct minijail_filter *filters = minijail_read_filters(mj, subjects.is_skipped);
    check_order(mj, filters);
    for (size_t i = 0; i < subjects.count; i++) {
        add_entry(mj, subjects.calls[i], filters, place);
    }
}

// --- files ------------------------------------------------------------------------------------------------------------

static void read_lines(struct minijail *mj, void (*read_line)(struct minijail *mj));

// Returns: the path of what `token` names in `file`: beside it, unless the path is absolute.
static const char *resolve_path(const struct minijail *mj, const struct minijail_file *file, const struct minijail_token *token)
{
    const char *slash = strrchr(file->source.name, '/');
    int directory_bytes = slash == NULL ? 0 : (int)(slash - file->source.name) + 1;
    if (token->text[0] == '/') {
        return import_copy(mj->memory, token->text, token->text_bytes);
    }
    return import_print(mj->memory, "%.*s%.*s", directory_bytes, file->source.name, (int)token->text_bytes - 2, token->text + 2);
}

static bool check_path(struct minijail *mj, const struct minijail_token *token)
{
    bool is_absolute = token->text_bytes > 1 && token->text[0] == '/';
    bool is_beside = token->text_bytes > 2 && token->text[0] == '.' && token->text[1] == '/';
    if (!is_absolute && !is_beside && token->text_bytes > 0) {
        minijail_fail(mj, token->place, NULL, "a path starts with / or ./, as in './%.*s'", minijail_shown(token), token->text);
    } else if (token->text_bytes == 0) {
        minijail_fail(mj, token->place, NULL, "expected a path, not the end of the line");
    } else if (memchr(token->text, '\0', token->text_bytes) != NULL) {
        minijail_fail(mj, token->place, NULL, "byte 0x00 in a path");
    }
    return !mj->has_failed;
}

static void check_nesting(struct minijail *mj, const struct minijail_token *token, const char *path)
{
    const struct minijail_file *innermost = mj->file;
    unsigned depth = innermost->depth;
    for (const struct minijail_file *file = innermost; file != NULL; file = file->parent) {
        if (strcmp(file->source.name, path) == 0) {
            minijail_fail(mj, token->place, NULL, "'%s' includes itself", path);
        }
    }
    if (depth + 1 == DEPTH_LIMIT) {
        minijail_fail(mj, token->place, NULL, "more than %d files lie in one another", DEPTH_LIMIT);
    }
    if (mj->file_count == FILES_LIMIT) {
        minijail_fail(mj, token->place, NULL, "more than %d files are read", FILES_LIMIT);
    }
}

// Adds to an error where the file that it is in was named: " (from a.policy:1, b.policy:7)".
static void add_chain(struct minijail *mj, const struct minijail_token *token)
{
    char *text = mj->reterr->text;
    size_t used = strlen(text) - mj->has_chain; // over the closing parenthesis
    snprintf(text + used, sizeof mj->reterr->text - used, "%s%s:%d)", mj->has_chain ? ", " : " (from ", token->place.file,
             token->place.line);
    mj->has_chain = true;
}

// Reads the file `path`, which `token` names. Returns: false after a failure.
static bool load(struct minijail *mj, const struct minijail_token *token, const char *path, char **ret_text, size_t *ret_text_bytes)
{
    const struct import_reader *reader = mj->options->reader;
    if (reader == NULL) {
        minijail_fail(mj, token->place, NULL, "'%s' cannot be read: this text may name no files", path);
        return false;
    }
    int status = reader->read(reader->context, path, ret_text, ret_text_bytes);
    if (status != 0) {
        minijail_fail(mj, token->place, NULL, "cannot read '%s': %s", path,
                      status == ENODEV ? "it is no regular file" : strerror(status));
    }
    return status == 0;
}

// Reads the file that `token` names, line by line.
static void read_file(struct minijail *mj, const struct minijail_token *token, void (*read_line)(struct minijail *mj))
{
    struct minijail_file *outer = mj->file;
    struct minijail_file file = {.parent = outer, .depth = outer->depth + 1};
    char *text;
    if (!check_path(mj, token)) {
        return;
    }
    file.source.name = resolve_path(mj, outer, token);
    check_nesting(mj, token, file.source.name);
    if (mj->has_failed || !load(mj, token, file.source.name, &text, &file.source.text_bytes)) {
        return;
    }
    file.source.text = text;
    mj->file_count++;
    minijail_open(mj, &file);
    read_lines(mj, read_line);
    free(text);
    mj->file = outer;
    if (mj->has_failed) {
        outer->token.kind = MINIJAIL_BAD;
        add_chain(mj, token);
    }
}

// --- directives -------------------------------------------------------------------------------------------------------

static void read_line_of_policy(struct minijail *mj);

// A line of a frequency file: "read: 100".
static void read_frequency(struct minijail *mj)
{
    struct minijail_subjects subjects = {.count = 0};
    minijail_read_subject(mj, &subjects);
    if (!minijail_accept(mj, ":")) {
        minijail_expected(mj, "':'");
    }
    struct import_place place = mj->file->token.place;
    uint64_t count = minijail_read_count(mj);
    for (size_t i = 0; i < subjects.count && !mj->has_failed; i++) {
        struct minijail_call *call = &mj->calls[subjects.calls[i]];
        call->is_counted = true;
        if (__builtin_add_overflow(call->count, count, &call->count)) {
            minijail_fail(mj, place, NULL, "the calls of '%s' add up to more than 64 bits hold",
                          brig_dsl_call_name(subjects.calls[i]));
        }
    }
}

static void read_default(struct minijail *mj)
{
    struct import_place place = mj->file->token.place;
    minijail_advance(mj);
    if (mj->is_denylist) {
        minijail_fail(mj, place, NULL, "a denylist allows what it does not list; it has no @default");
    }
    struct brig_dsl_action action = minijail_read_default(mj);
    if (mj->fallback_place.line > 0 && mj->fallback.verb != action.verb && !mj->has_failed) {
        minijail_warn(mj, place, "replaces the @default of %s:%d", mj->fallback_place.file, mj->fallback_place.line);
    }
    mj->fallback = action;
    mj->fallback_place = place;
}

static void read_denylist(struct minijail *mj)
{
    struct minijail_file *file = mj->file;
    struct import_place place = file->token.place;
    minijail_advance(mj);
    if (file->parent != NULL && !mj->is_denylist) {
        minijail_fail(mj, place, NULL, "a policy that is no denylist includes this one, which is");
    } else if (file->has_rules) {
        minijail_fail(mj, place, NULL, "@denylist stands before all entries and includes");
    } else if (mj->fallback_place.line > 0) {
        minijail_fail(mj, place, NULL, "a denylist allows what it does not list; it has no @default (%s:%d)",
                      mj->fallback_place.file, mj->fallback_place.line);
    }
    file->is_denylist = mj->is_denylist = true;
}

static void read_include(struct minijail *mj)
{
    struct minijail_token path = minijail_read_path(mj);
    mj->file->has_rules = true;
    read_file(mj, &path, read_line_of_policy);
}

static void read_frequencies(struct minijail *mj)
{
    struct minijail_token path = minijail_read_path(mj);
    mj->has_frequencies = true;
    read_file(mj, &path, read_frequency);
}

static const struct {
    const char *name;
    void (*read)(struct minijail *mj);
} directives[] = {
    {"@include", read_include},
    {"@frequency", read_frequencies},
    {"@default", read_default},
    {"@denylist", read_denylist},
};
enum { DIRECTIVE_COUNT = sizeof directives / sizeof directives[0] };

static void read_directive(struct minijail *mj)
{
    const struct minijail_token *token = &mj->file->token;
    const char *names[DIRECTIVE_COUNT];
    char name[32];
    for (size_t i = 0; i < DIRECTIVE_COUNT; i++) {
        names[i] = directives[i].name;
        if (minijail_is(mj, names[i])) {
            directives[i].read(mj);
            return;
        }
    }
    snprintf(name, sizeof name, "%.*s", minijail_shown(token) < 31 ? minijail_shown(token) : 31, token->text);
    minijail_fail(mj, token->place, import_closest(name, names, DIRECTIVE_COUNT), "there is no directive '%.*s'",
                  minijail_shown(token), token->text);
}

static void read_line_of_policy(struct minijail *mj)
{
    if (mj->file->token.kind == MINIJAIL_DIRECTIVE) {
        read_directive(mj);
    } else {
        read_entry(mj);
    }
}

static void read_lines(struct minijail *mj, void (*read_line)(struct minijail *mj))
{
    while (mj->file->token.kind != MINIJAIL_FILE_END && !mj->has_failed) {
        if (mj->file->token.kind != MINIJAIL_LINE_END) {
            read_line(mj);
        }
        if (mj->file->token.kind == MINIJAIL_LINE_END) {
            minijail_advance(mj);
        } else if (mj->file->token.kind != MINIJAIL_FILE_END) {
            minijail_expected(mj, "the end of the line");
        }
    }
}

void minijail_read_policy(struct minijail *mj, const struct import_source *source)
{
    struct minijail_file file = {.source = *source};
    mj->file_count = 1;
    minijail_open(mj, &file);
    read_lines(mj, read_line_of_policy);
    mj->file = NULL;
}
