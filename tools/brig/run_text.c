// run_text: what became of a run, for people: its JSON, with what belongs together in one line. Used by `run` at the end, and by
// `report` of a file that `run` has left.
//
// Takes brig-run-1, perhaps from a file that anybody wrote: every string goes through brig_report_clean.
#include <stdlib.h>
#include <string.h>

#include "sandbox/report.h"
#include "tools/brig/run.h"

enum {
    SHOWN_MAX = 40,     // lines
    MISSING_MAX = 3,    // names that are not there, with a line each
    DIRECTORY_MIN = 6,  // names of one directory that are one line
    CLEAN_BYTES = 6000, // a path, or an option with one
};

// Refusals that one option would allow.
struct refusal {
    const char *path, *code, *option; // option: NULL, none would
    const char *right;
    char calls[96];
    json_int_t count;
    bool exists;
    bool is_directory;
    bool is_told; // by a line before
};

struct refusals {
    struct refusal *list;
    size_t count;
};

static const char *string_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

// --- what belongs together --------------------------------------------------------------------------------------------

static bool has_call(const struct refusal *refusal, const char *call, size_t bytes)
{
    for (const char *at = refusal->calls; *at != '\0'; at += strspn(at, ", ")) {
        const size_t known = strcspn(at, ",");
        if (known == bytes && memcmp(at, call, bytes) == 0) {
            return true;
        }
        at += known;
    }
    return false;
}

// Adds names of calls, with commas between them, that are not there yet.
static void add_calls(struct refusal *refusal, const char *calls)
{
    for (; *calls != '\0'; calls += strspn(calls, ", ")) {
        const size_t bytes = strcspn(calls, ","), used = strlen(refusal->calls);
        if (!has_call(refusal, calls, bytes) && used + bytes + 3 < sizeof refusal->calls) {
            snprintf(refusal->calls + used, sizeof refusal->calls - used, "%s%.*s", used == 0 ? "" : ", ", (int)bytes, calls);
        }
        calls += bytes;
    }
}

static struct refusal *find(struct refusals *refusals, const json_t *denial)
{
    for (size_t i = 0; i < refusals->count; i++) {
        struct refusal *known = &refusals->list[i];
        if (strcmp(known->path, string_of(denial, "path")) == 0 && strcmp(known->right, string_of(denial, "right")) == 0 &&
            strcmp(known->code, string_of(denial, "errno")) == 0) {
            return known;
        }
    }
    struct refusal *made = &refusals->list[refusals->count++];
    *made = (struct refusal){.path = string_of(denial, "path"),
                             .code = string_of(denial, "errno"),
                             .right = string_of(denial, "right"),
                             .option = json_string_value(json_object_get(denial, "option")),
                             .is_directory = json_is_true(json_object_get(denial, "directory")),
                             .exists = !json_is_false(json_object_get(denial, "exists"))};
    return made;
}

// Returns: false if memory ran out.
static bool collect(const json_t *denied, struct refusals *ret_refusals)
{
    size_t i;
    const json_t *denial;
    *ret_refusals = (struct refusals){.list = calloc(json_array_size(denied) + 1, sizeof *ret_refusals->list)};
    if (ret_refusals->list == NULL) {
        return false;
    }
    json_array_foreach(denied, i, denial)
    {
        struct refusal *refusal = find(ret_refusals, denial);
        refusal->count += json_integer_value(json_object_get(denial, "count"));
        add_calls(refusal, string_of(denial, "call"));
    }
    return true;
}

// What a program looks for and does not find anyway.
static bool is_search(const struct refusal *refusal)
{
    return !refusal->exists && strcmp(refusal->right, "write") != 0;
}

// Bytes of the path's directory; 0: none that could be given.
static size_t directory_bytes(const struct refusal *refusal)
{
    const char *slash = strrchr(refusal->path, '/');
    const bool counts = refusal->path[0] == '/' && !is_search(refusal) && refusal->option != NULL;
    return counts && slash != NULL && strcmp(refusal->right, "connect") != 0 ? (size_t)(slash - refusal->path) : 0;
}

static bool is_beside(const struct refusal *a, const struct refusal *b)
{
    const size_t bytes = directory_bytes(a);
    return bytes > 0 && bytes == directory_bytes(b) && memcmp(a->path, b->path, bytes) == 0 && strcmp(a->right, b->right) == 0 &&
           strcmp(a->code, b->code) == 0;
}

// --- lines ------------------------------------------------------------------------------------------------------------

static void put_count(FILE *out, json_int_t count)
{
    fprintf(out, ", %lld time%s", (long long)count, count == 1 ? "" : "s");
}

static void put_refusal(FILE *out, const struct refusal *refusal)
{
    if (refusal->path[0] == '\0') { // the broker has counted what it had no room for
        fprintf(out, "brig: denied %lld more, too many to be kept one by one\n", (long long)refusal->count);
        return;
    }
    fputs("brig: denied ", out);
    tool_put_clean(out, refusal->calls);
    fputs("(\"", out);
    tool_put_clean(out, refusal->path);
    fputs("\") ", out);
    tool_put_clean(out, refusal->code);
    put_count(out, refusal->count);
    fputs(refusal->exists ? "" : ", and it does not exist", out);
    if (refusal->option != NULL) {
        fputs("; try: ", out);
        tool_put_clean(out, refusal->option);
        fputs(refusal->is_directory ? "  (with all below it)" : "", out);
    } else if (run_is_own_in_proc(refusal->path)) {
        fputs("; no option allows that: to the broker it would be its own", out);
    }
    fputs("\n", out);
}

// One line for all names of a directory, from `first` on. Returns: false if they are too few.
static bool put_directory(FILE *out, struct refusals *refusals, size_t first)
{
    struct refusal all = {.count = 0};
    char *path = strndup(refusals->list[first].path, directory_bytes(&refusals->list[first]));
    char word[CLEAN_BYTES];
    size_t names = 0;
    for (size_t i = first; i < refusals->count; i++) {
        names += i == first || (!refusals->list[i].is_told && is_beside(&refusals->list[first], &refusals->list[i]));
    }
    if (names < DIRECTORY_MIN || path == NULL || !run_quote(path, word, sizeof word)) {
        free(path);
        return false;
    }
    for (size_t i = first; i < refusals->count; i++) {
        struct refusal *refusal = &refusals->list[i];
        if (i == first || is_beside(&refusals->list[first], refusal)) {
            add_calls(&all, refusal->calls);
            all.count += refusal->count;
            all.exists = all.exists || refusal->exists;
            refusal->is_told = true;
        }
    }
    fputs("brig: denied ", out);
    tool_put_clean(out, all.calls);
    fprintf(out, " of %zu names in \"", names);
    tool_put_clean(out, path);
    fputs("\" ", out);
    tool_put_clean(out, refusals->list[first].code);
    put_count(out, all.count);
    // Without a file of it that is there, the directory may be missing too.
    fprintf(out, "; try: --%s ",
            !all.exists                                        ? "unveil"
            : strcmp(refusals->list[first].right, "read") == 0 ? "broker-ro"
                                                               : "broker-rw");
    tool_put_clean(out, word);
    fputs(all.exists ? "  (with all below it)\n" : ":rwc\n", out);
    free(path);
    return true;
}

// Names that are searched for, as along PATH: one line where they are many, because programs go on without them.
static void put_searches(FILE *out, const struct refusals *refusals)
{
    struct refusal all = {.option = NULL};
    const char *separator = ", such as \"";
    size_t names = 0;
    for (size_t i = 0; i < refusals->count; i++) {
        names += is_search(&refusals->list[i]);
    }
    fprintf(out, "brig: denied %zu names that do not exist either", names);
    for (size_t i = 0, shown = 0; i < refusals->count; i++) {
        const struct refusal *refusal = &refusals->list[i];
        if (is_search(refusal) && shown++ < MISSING_MAX) {
            fputs(separator, out);
            tool_put_clean(out, refusal->path);
            separator = "\", \"";
        }
        if (is_search(refusal)) {
            all.count += refusal->count;
            all.option = all.option == NULL && strcmp(refusal->right, "read") == 0 ? refusal->option : all.option;
        }
    }
    fputs("\"", out);
    put_count(out, all.count);
    if (all.option != NULL) {
        fputs("; if the program minds, try: ", out);
        tool_put_clean(out, all.option);
    }
    fputs("\n", out);
}

static bool has_many_searches(const struct refusals *refusals)
{
    size_t names = 0;
    for (size_t i = 0; i < refusals->count; i++) {
        names += is_search(&refusals->list[i]);
    }
    return names > MISSING_MAX;
}

static void put_refusals(FILE *out, struct refusals *refusals)
{
    const bool joins_searches = has_many_searches(refusals);
    size_t shown = 0, left = 0;
    for (size_t i = 0; i < refusals->count; i++) {
        struct refusal *refusal = &refusals->list[i];
        if (refusal->is_told || (joins_searches && is_search(refusal))) {
            continue;
        }
        if (shown == SHOWN_MAX) {
            left++;
            continue;
        }
        if (directory_bytes(refusal) == 0 || !put_directory(out, refusals, i)) {
            put_refusal(out, refusal);
        }
        shown++;
    }
    if (left > 0) {
        fprintf(out, "brig: and %zu more; --json and --report-dir have all of them\n", left);
    }
    if (joins_searches) {
        put_searches(out, refusals);
    }
}

static void put_denied(FILE *out, const json_t *outcome)
{
    struct refusals refusals;
    if (collect(json_object_get(outcome, "denied"), &refusals)) {
        put_refusals(out, &refusals);
    }
    free(refusals.list);
}

// --- events -----------------------------------------------------------------------------------------------------------

void run_print_event(FILE *out, const json_t *event)
{
    const char *why = string_of(event, "why");
    tool_put_clean(out, string_of(event, "message"));
    fputs("\n", out);
    if (*why != '\0') {
        fputs("brig:   because ", out);
        tool_put_clean(out, why);
        fputs("\n", out);
    }
}

bool run_is_new_event(const json_t *events, size_t index)
{
    const char *key = string_of(json_array_get(events, index), "key");
    for (size_t i = 0; i < index && *key != '\0'; i++) {
        if (strcmp(string_of(json_array_get(events, i), "key"), key) == 0) {
            return false;
        }
    }
    return true;
}

// Says how often the cause of event `first` came again.
static void put_repeats(FILE *out, const json_t *events, size_t first)
{
    const char *key = string_of(json_array_get(events, first), "key"), *message = "";
    size_t count = 0;
    for (size_t i = first + 1; i < json_array_size(events) && *key != '\0'; i++) {
        const json_t *event = json_array_get(events, i);
        if (strcmp(string_of(event, "key"), key) == 0) {
            message = string_of(event, "message");
            count++;
        }
    }
    if (count > 0) {
        fprintf(out, "brig: the same %zu time%s more, the last: ", count, count == 1 ? "" : "s");
        tool_put_clean(out, strncmp(message, "brig: ", strlen("brig: ")) == 0 ? message + strlen("brig: ") : message);
        fputs("\n", out);
    }
}

void run_print_rest(FILE *out, const json_t *outcome)
{
    const json_t *events = json_object_get(outcome, "events");
    for (size_t i = 0; i < json_array_size(events); i++) {
        if (run_is_new_event(events, i)) {
            put_repeats(out, events, i);
        }
    }
    const json_int_t untold = json_integer_value(json_object_get(outcome, "violations")) - (json_int_t)json_array_size(events);
    if (untold > 0) {
        fprintf(out, "brig: and %lld more violations, which came too fast to be told one by one\n", (long long)untold);
    }
    put_denied(out, outcome);
}

void run_print(FILE *out, const json_t *outcome)
{
    const json_t *events = json_object_get(outcome, "events");
    tool_put_clean(out, string_of(outcome, "command"));
    fputs(" under ", out);
    tool_put_clean(out, string_of(outcome, "policy"));
    const json_int_t violations = json_integer_value(json_object_get(outcome, "violations"));
    fprintf(out, ": exit status %lld, %lld violation%s\n", (long long)json_integer_value(json_object_get(outcome, "exit_status")),
            (long long)violations, violations == 1 ? "" : "s");
    for (size_t i = 0; i < json_array_size(events); i++) {
        if (run_is_new_event(events, i)) {
            run_print_event(out, json_array_get(events, i));
        }
    }
    run_print_rest(out, outcome);
}
