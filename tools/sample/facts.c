// facts: what a reader wants first from a report: the call, the row and its reason, how the program got there, where the rest is.
//
// Takes a report's JSON (schema brig-report-1). Nothing in it is trusted to be there.
#include <jansson.h>
#include <string.h>

#include "tools/sample/demo.h"

#define FRAMES_SHOWN 12
#define TEXT_COLUMNS 100

static const char *text_at(const json_t *object, const char *group, const char *key)
{
    return json_string_value(json_object_get(json_object_get(object, group), key));
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

// Text in a column of its own, broken at blanks.
static void print_wrapped(const char *label, const char *text, FILE *out)
{
    fprintf(out, "     %-7s ", label);
    size_t used = 0;
    while (*text) {
        size_t word = strcspn(text, " ");
        if (used > 0 && used + 1 + word > TEXT_COLUMNS) {
            fprintf(out, "\n             ");
            used = 0;
        }
        fprintf(out, "%s%.*s", used > 0 ? " " : "", (int)word, text);
        used += word + (used > 0);
        text += word + strspn(text + word, " ");
    }
    fprintf(out, "\n");
}

static void add_frame(const json_t *frame, const char *previous_module, char *text, size_t text_bytes)
{
    const char *function = json_string_value(json_object_get(frame, "function"));
    const char *module = json_string_value(json_object_get(frame, "module"));
    const char *offset = json_string_value(json_object_get(frame, "offset"));
    size_t used = strlen(text);
    bool is_new = module && strcmp(module, previous_module) != 0;
    snprintf(text + used, text_bytes - used, "%s%s%s%s%s", used > 0 ? " < " : "",
             function ? function
             : offset ? offset
                      : "?",
             is_new ? " (" : "", is_new ? base_name(module) : "", is_new ? ")" : "");
}

// Returns: whether a frame has a function's name.
static bool print_stack(const json_t *report, FILE *out)
{
    const json_t *frames = json_object_get(json_object_get(report, "stack"), "frames");
    const char *previous_module = "";
    bool has_name = false;
    char text[2048] = "";
    for (size_t i = 0; i < json_array_size(frames) && i < FRAMES_SHOWN; i++) {
        const json_t *frame = json_array_get(frames, i);
        const char *module = json_string_value(json_object_get(frame, "module"));
        add_frame(frame, previous_module, text, sizeof text);
        has_name |= json_object_get(frame, "function") != NULL;
        previous_module = module ? module : "";
    }
    print_wrapped("stack", text, out);
    return has_name;
}

static bool print_row(const json_t *report, FILE *out)
{
    const json_t *policy = json_object_get(report, "policy");
    const char *file = json_string_value(json_object_get(policy, "file"));
    const char *origin = json_string_value(json_object_get(policy, "decided_by"));
    const char *why = json_string_value(json_object_get(policy, "why"));
    const char *name = json_string_value(json_object_get(policy, "name"));
    if (!file) {
        fprintf(out, "     row     none: %s, which every policy refuses\n", origin ? origin : "?");
        return origin != NULL;
    }
    fprintf(out, "     row     %s:%d, policy %s\n", file, (int)json_integer_value(json_object_get(policy, "line")),
            name ? name : "?");
    print_wrapped("why", why ? why : "?", out);
    return why != NULL;
}

bool demo_print_facts(const char *report_json, const char *report_path, FILE *out)
{
    json_t *report = report_json ? json_loads(report_json, 0, NULL) : NULL;
    const char *call = text_at(report, "event", "text");
    const char *outcome = text_at(report, "outcome", "text");
    const char *origin = text_at(report, "policy", "decided_by");
    bool is_foreign = origin && strcmp(origin, "foreign arch") == 0;
    const char *arch = is_foreign ? text_at(report, "event", "arch") : NULL;
    bool is_complete = call && outcome && report_path;
    fprintf(out, "   %s%s%s -> %s\n", arch ? arch : "", arch ? " " : "", call ? call : "no report", outcome ? outcome : "?");
    is_complete &= print_row(report, out);
    is_complete &= print_stack(report, out);
    fprintf(out, "     report  %s\n", report_path ? report_path : "none");
    json_decref(report);
    return is_complete;
}
