// subject: what POLICY means on the command line. A built-in policy is taken as it is, a policy of another tool is imported, a raw
// program is read and validated; after that the verbs do not care which it was, except where only rows can answer.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policies/policies.h"
#include "tools/brig/subject.h"
#include "tools/files/files.h"
#include "tools/import/rows.h"

// --- programs ---------------------------------------------------------------------------------------------------------

// Returns: whether a program answers some numbers of an arch otherwise than others.
static bool tells_calls_apart(const struct sock_filter *insns, size_t count, enum brig_dsl_arch arch)
{
    struct brig_dsl_data data = {.audit_arch = brig_dsl_arch_audit(arch)};
    const uint32_t first = brig_dsl_interpret(insns, count, &data, NULL).ret;
    bool is_alike = true;
    for (data.nr = 1; is_alike && data.nr < BRIG_DSL_TRAP_NRS; data.nr++) {
        is_alike = brig_dsl_interpret(insns, count, &data, NULL).ret == first;
    }
    return !is_alike;
}

// Finds what arch a raw program is for: the one that was asked for, or this machine's; but if the program compares with others
// only, and answers all calls of this one alike, it decides nothing of interest here, and was made for another.
static enum brig_dsl_arch arch_of_program(const struct sock_filter *insns, size_t count, const struct tool_request *request)
{
    const enum brig_dsl_arch wanted = request->options.arch;
    bool compares[BRIG_DSL_ARCH_COUNT] = {false};
    enum brig_dsl_arch arch;
    for (size_t i = 0; i < count; i++) {
        if (insns[i].code == (BPF_JMP | BPF_JEQ | BPF_K) && brig_dsl_arch_by_audit(insns[i].k, &arch)) {
            compares[arch] = true;
        }
    }
    if (request->arguments->has_arch || compares[wanted] || tells_calls_apart(insns, count, wanted)) {
        return wanted;
    }
    for (int i = 0; i < BRIG_DSL_ARCH_COUNT; i++) {
        if (compares[i]) {
            return (enum brig_dsl_arch)i;
        }
    }
    return wanted;
}

static int load_raw(const char *verb, const struct import_source *source, const struct tool_request *request,
                    struct tool_subject *subject)
{
    struct brig_error error;
    size_t count = source->text_bytes / sizeof(struct sock_filter);
    if (request->arguments->arch_count > 1 && !request->is_beside_others && !request->is_of_any_arch) {
        return tool_complain(verb, "a raw program is read for one arch; give one --arch");
    }
    if (count > BPF_MAXINSNS) {
        return tool_complain(verb, "'%s' is too big: a program has at most %d instructions of 8 bytes", subject->name,
                             BPF_MAXINSNS);
    }
    if (count == 0 || source->text_bytes % sizeof(struct sock_filter) != 0) {
        return tool_complain(verb, "'%s' is not an array of 8-byte instructions: it has %zu byte%s%s", subject->name,
                             source->text_bytes, source->text_bytes == 1 ? "" : "s",
                             strcmp(subject->name, "-") == 0 ? "; if it is something else, say so with --from" : "");
    }
    struct sock_filter *insns = malloc(source->text_bytes);
    if (insns == NULL) {
        return tool_complain(verb, "out of memory");
    }
    subject->memory = insns;
    memcpy(insns, source->text, source->text_bytes);
    bool is_refused = brig_dsl_validate(insns, count, &error) != BRIG_OK;
    if (is_refused) {
        subject->refusal = error.subject;
        subject->refused_insn = (size_t)error.detail;
        tool_complain(verb, "'%s': the kernel would refuse instruction %zu: %s", subject->name, subject->refused_insn,
                      subject->refusal);
        if (!request->takes_refused) {
            return TOOL_USAGE;
        }
    }
    subject->program.insns = insns;
    subject->program.insn_count = (uint32_t)count;
    subject->program.hash = brig_dsl_hash(insns, count);
    subject->program.policy = subject->name;
    subject->program.arch = is_refused ? request->options.arch : arch_of_program(insns, count, request);
    if (subject->program.arch != request->options.arch && !request->is_of_any_arch) {
        tool_complain(verb, "note: '%s' is for %s, and read as such; --arch says otherwise", source->name,
                      brig_dsl_arch_name(subject->program.arch));
    }
    return -1;
}

static double elapsed_us(struct timespec from, struct timespec to)
{
    return (double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3;
}

static enum brig_code compile(struct tool_subject *subject, const struct brig_dsl_options *options, struct brig_dsl_arena *arena,
                              struct brig_error *reterr)
{
    struct timespec start;
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    enum brig_code code =
        brig_dsl_compile_targets(subject->targets, subject->target_count, options, arena, &subject->program, reterr);
    clock_gettime(CLOCK_MONOTONIC, &end);
    subject->compile_us = elapsed_us(start, end);
    return code;
}

static int make_rules(const char *verb, const struct tool_request *request, struct tool_subject *subject)
{
    struct brig_error error;
    struct brig_dsl_arena arena;
    struct brig_dsl_options options = request->options;
    subject->policy = subject->targets[0].policy;
    subject->memory = malloc((1 + subject->target_count) * TOOL_ARENA_BYTES);
    if (subject->memory == NULL) {
        return tool_complain(verb, "out of memory");
    }
    if (request->is_timed) {
        // The first touch of a page is the kernel's work, and a caller of the library compiles into memory that it has.
        memset(subject->memory, 0, BRIG_DSL_ARENA_BYTES);
    }
    options.arch = subject->targets[0].arch;
    options.profile = options.profile == NULL ? subject->imported.profile : options.profile;
    brig_dsl_arena_init(&arena, subject->memory, TOOL_ARENA_BYTES);
    if (!request->rows_only && compile(subject, &options, &arena, &error) != BRIG_OK) {
        const bool is_about_plain = request->options.plain && error.code == BRIG_PROGRAM_TOO_BIG;
        return !is_about_plain
                   ? tool_fail(verb, &error)
                   : tool_complain(verb, "the plain program of '%s' would have more than the %d instructions that the kernel takes",
                                   subject->name, BPF_MAXINSNS);
    }
    for (size_t i = 0; i < subject->target_count && !request->program_only; i++) {
        options.arch = subject->targets[i].arch;
        brig_dsl_arena_init(&arena, (unsigned char *)subject->memory + (i + 1) * TOOL_ARENA_BYTES, TOOL_ARENA_BYTES);
        if (brig_dsl_resolve(subject->targets[i].policy, &options, &arena, &subject->rules[i], &error) != BRIG_OK) {
            return tool_fail(verb, &error);
        }
    }
    return -1;
}

// --- the three kinds --------------------------------------------------------------------------------------------------

static int load_built_in(const char *verb, const struct brig_dsl_policy *policy, const struct tool_request *request,
                         struct tool_subject *subject)
{
    const struct tool_arguments *arguments = request->arguments;
    if (arguments->arch_count != 1 && !request->rows_only) {
        return tool_complain(verb, "a built-in policy's program is for one arch; give one --arch");
    }
    for (int i = 0; i < arguments->arch_count; i++) {
        subject->targets[subject->target_count++] = (struct brig_dsl_target){.arch = arguments->arches[i], .policy = policy};
    }
    return make_rules(verb, request, subject);
}

// Says where in the file `promises` a word stands; the command line has no lines. Owns: `place` is the text.
static const char *promise_place(const struct import_source *source, const char *promises, const struct brig_error *error,
                                 char place[IMPORT_ERROR_TEXT_BYTES])
{
    place[0] = '\0';
    if (source != NULL) {
        struct import_place found = import_place_at(source, (size_t)(error->subject - promises));
        snprintf(place, IMPORT_ERROR_TEXT_BYTES, "%s:%d:%d: ", found.file, found.line, found.column);
    }
    return place;
}

static int complain_about_promise(const char *verb, const char *place, const struct brig_error *error)
{
    char known[256] = "";
    const char *closest = brig_policy_closest_promise(error->subject, error->subject_bytes);
    if (closest != NULL) {
        return tool_complain(verb, "%sthere is no promise '%.*s'; did you mean '%s'?", place, (int)error->subject_bytes,
                             error->subject, closest);
    }
    size_t used = 0;
    for (const struct brig_policy_promise *promise = brig_policy_all_promises; promise->name && used < sizeof known; promise++) {
        used += (size_t)snprintf(known + used, sizeof known - used, " %s", promise->name);
    }
    return tool_complain(verb, "%sthere is no promise '%.*s'; known are%s", place, (int)error->subject_bytes, error->subject,
                         known);
}

// `source` is the file that the promises are a copy of, or NULL.
static int load_promises(const char *verb, const char *promises, const struct import_source *source,
                         const struct tool_request *request, struct tool_subject *subject)
{
    const struct brig_dsl_policy *policy;
    struct brig_error error;
    char place[IMPORT_ERROR_TEXT_BYTES];
    subject->pledge = malloc(sizeof *subject->pledge);
    if (subject->pledge == NULL) {
        return tool_complain(verb, "out of memory");
    }
    if (brig_policy_pledge(promises, subject->pledge, &policy, &error) == BRIG_OK) {
        return load_built_in(verb, policy, request, subject);
    }
    return complain_about_promise(verb, promise_place(source, promises, &error, place), &error);
}

// Comments, and what else than a newline ends lines elsewhere, become blanks, so that every word stays where it is.
static void blank_comments(char *text)
{
    for (char *comment = text; (comment = strchr(comment, '#')) != NULL;) {
        memset(comment, ' ', strcspn(comment, "\n"));
    }
    for (char *end = text; (end = strchr(end, '\r')) != NULL; end++) {
        if (end[1] == '\n' || end[1] == '\0') {
            *end = ' ';
        }
    }
}

static int load_promises_text(const char *verb, const struct import_source *source, const struct tool_request *request,
                              struct tool_subject *subject)
{
    char *promises = malloc(source->text_bytes + 1);
    if (promises == NULL) {
        return tool_complain(verb, "out of memory");
    }
    if (source->text_bytes > 0) {
        memcpy(promises, source->text, source->text_bytes);
    }
    promises[source->text_bytes] = '\0';
    if (strlen(promises) < source->text_bytes) {
        free(promises);
        return tool_complain(verb, "'%s' is not a text", subject->name);
    }
    blank_comments(promises);
    int status = load_promises(verb, promises, source, request, subject);
    free(promises);
    return status;
}

static void print_warnings(const char *verb, const struct import_policies *imported)
{
    for (size_t i = 0; i < imported->warning_count; i++) {
        const struct import_warning *warning = &imported->warnings[i];
        if (warning->line > 0) {
            tool_complain(verb, "%s:%d: warning: %s", warning->file, warning->line, warning->text);
        } else {
            tool_complain(verb, "%s: warning: %s", warning->file, warning->text);
        }
    }
}

static int read_included(void *context, const char *path, char **ret_text, size_t *ret_text_bytes)
{
    (void)context;
    return files_read_regular(path, ret_text, ret_text_bytes);
}

static int load_import(const char *verb, const struct import_source *source, const struct subject_format *format,
                       const struct tool_request *request, struct tool_subject *subject)
{
    const struct tool_arguments *arguments = request->arguments;
    struct import_reader reader = {.read = read_included};
    struct import_error error;
    char text[IMPORT_ERROR_TEXT_BYTES];
    struct import_options options = {.arches = arguments->has_arch ? arguments->arches : NULL,
                                     .arch_count = arguments->has_arch ? (size_t)arguments->arch_count : 0,
                                     .capabilities = arguments->capabilities,
                                     .capability_count = arguments->capability_count,
                                     .kernel = request->options.kernel,
                                     .reader = &reader};
    if (!format->import(source, &options, &subject->imported, &error)) {
        return tool_complain(verb, "%s", import_error_format(&error, text, sizeof text));
    }
    if (!request->is_quiet) {
        print_warnings(verb, &subject->imported);
    }
    subject->target_count = subject->imported.target_count;
    memcpy(subject->targets, subject->imported.targets, subject->target_count * sizeof subject->targets[0]);
    return make_rules(verb, request, subject);
}

// Returns: what to complain where POLICY is a raw program, or NULL.
static const char *refusal(const struct tool_request *request)
{
    if (request->refuses_raw != NULL) {
        return request->refuses_raw;
    }
    return request->options.plain   ? "a raw program has no plain form"
           : request->options.small ? "a raw program stays as it is; see brig optimize"
                                    : NULL;
}

// Says whether --cap, if it was given, can mean this policy, or another one.
static bool check_capabilities(const char *verb, const struct subject_format *format, const struct tool_request *request,
                               const struct tool_subject *subject)
{
    const bool is_free = request->arguments->capability_count == 0 || request->is_beside_others || request->is_of_any_arch;
    if (!is_free && (format == NULL || format->import != import_oci)) {
        tool_complain(verb, "--cap is for OCI profiles, and '%s' is none", subject->name);
        return false;
    }
    return true;
}

static int load_text(const char *verb, const struct import_source *source, const struct subject_format *format,
                     const struct tool_request *request, struct tool_subject *subject)
{
    if (format == NULL) {
        format = subject_format_of_content(source->text, source->text_bytes);
    }
    if (format != subject_raw_format && source->text_bytes >= 3 && memcmp(source->text, "\xef\xbb\xbf", 3) == 0) {
        return tool_complain(verb, "'%s' begins with a byte order mark, which no policy has; save it as UTF-8 without one",
                             subject->name);
    }
    if (format == NULL) {
        return tool_complain(verb, "cannot tell what '%s' is; name it %s, or say which with --from", subject->name,
                             subject_list_formats(true).text);
    }
    if (!check_capabilities(verb, format, request, subject)) {
        return TOOL_USAGE;
    }
    if (format->import != NULL) {
        return load_import(verb, source, format, request, subject);
    }
    if (format != subject_raw_format) {
        return load_promises_text(verb, source, request, subject);
    }
    return refusal(request) != NULL ? tool_complain(verb, "%s", refusal(request)) : load_raw(verb, source, request, subject);
}

static int load_file(const char *verb, const struct subject_format *format, const struct tool_request *request,
                     struct tool_subject *subject)
{
    bool is_stdin = strcmp(subject->name, "-") == 0;
    struct import_source source = {.name = is_stdin ? "<stdin>" : subject->name};
    char *text = NULL;
    int code =
        is_stdin ? files_read_stream(stdin, &text, &source.text_bytes) : files_read(subject->name, &text, &source.text_bytes);
    if (code == EFBIG) {
        return tool_complain(verb, "'%s' is too big: the limit is %d MiB", subject->name, FILES_BYTES_MAX >> 20);
    }
    if (code != 0) {
        return tool_complain(verb, "cannot read '%s': %s", subject->name, strerror(code));
    }
    source.text = text;
    int status = load_text(verb, &source, format, request, subject);
    free(text);
    return status;
}

static bool is_promises(const char *name)
{
    return strncmp(name, "pledge:", strlen("pledge:")) == 0;
}

bool tool_needs_from(const char *name)
{
    return subject_format_of_name(name) == NULL && subject_find_built_in(name) == NULL && !is_promises(name);
}

// Finds what --from says, NULL if it was not given. Returns: false after having complained.
static bool read_from(const char *verb, const char *name, const struct tool_request *request,
                      const struct subject_format **ret_format)
{
    const char *from = request->arguments->from;
    const struct subject_format *named = subject_format_of_name(name);
    *ret_format = from == NULL ? NULL : subject_format_of_option(verb, from);
    if (from == NULL || *ret_format == NULL) {
        return from == NULL;
    }
    if (tool_needs_from(name) || request->is_from_used || named == *ret_format) {
        return true;
    }
    if (named != NULL) {
        tool_complain(verb,
                      "by its name '%s' is %s, and --from=%s says otherwise; rename it, or give it as standard input: "
                      "--from=%s - < FILE",
                      name, named->from, from, from);
    } else {
        tool_complain(verb, "--from=%s says what a file or - is, and '%s' is neither", from, name);
    }
    return false;
}

static int load(const char *verb, const struct tool_request *request, struct tool_subject *subject)
{
    const char *name = subject->name;
    const struct subject_format *said;
    if (!read_from(verb, name, request, &said)) {
        return TOOL_USAGE;
    }
    if (strcmp(name, "-") == 0) {
        return load_file(verb, said == NULL ? subject_raw_format : said, request, subject);
    }
    const struct subject_format *format = is_promises(name) ? NULL : subject_format_of_name(name);
    const struct brig_dsl_policy *policy = format == NULL ? subject_find_built_in(name) : NULL;
    if ((is_promises(name) || policy != NULL) && !check_capabilities(verb, NULL, request, subject)) {
        return TOOL_USAGE;
    }
    if (is_promises(name)) {
        return load_promises(verb, name + strlen("pledge:"), NULL, request, subject);
    }
    if (policy != NULL) {
        return load_built_in(verb, policy, request, subject);
    }
    if (format == NULL && said == NULL && strchr(name, '/') == NULL) {
        return subject_complain_about_policy(verb, name);
    }
    return load_file(verb, format == NULL ? said : format, request, subject);
}

// --- for the verbs ----------------------------------------------------------------------------------------------------

bool tool_make_request(const char *verb, const struct tool_arguments *arguments, struct tool_request *ret_request)
{
    *ret_request = (struct tool_request){.options = {.arch = arguments->arches[0],
                                                     .target = arguments->target,
                                                     .self_pid = TOOL_SELF_PID,
                                                     .notify_fd = TOOL_NOTIFY_FD,
                                                     .broker_fd = TOOL_BROKER_FD},
                                         .arguments = arguments};
    if (arguments->kernel != NULL && !tool_read_kernel(arguments->kernel, &ret_request->options.kernel)) {
        tool_complain(verb, "'%s' is not a kernel version from 2.6 to %u.%u; give it as in 6.1", arguments->kernel,
                      brig_dsl_newest_kernel() >> 8, brig_dsl_newest_kernel() & 0xffu);
        return false;
    }
    return true;
}

int tool_load(const char *verb, const char *name, const struct tool_request *request, struct tool_subject *ret_subject)
{
    *ret_subject = (struct tool_subject){.name = name};
    ret_subject->program.arch = request->options.arch;
    int status = load(verb, request, ret_subject);
    if (status >= 0) {
        tool_free_subject(ret_subject);
    }
    return status;
}

void tool_free_subject(struct tool_subject *subject)
{
    free(subject->memory);
    free(subject->pledge);
    import_free(&subject->imported);
    *subject = (struct tool_subject){.name = NULL};
}

const struct brig_dsl_rules *tool_rules(const struct tool_subject *subject, uint32_t audit_arch)
{
    for (size_t i = 0; i < subject->target_count; i++) {
        if (brig_dsl_arch_audit(subject->targets[i].arch) == audit_arch) {
            return &subject->rules[i];
        }
    }
    return subject->target_count == 0 ? NULL : &subject->rules[0];
}
