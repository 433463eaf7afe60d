// brig report: one violation report in full, or a directory of them grouped by cause; or what `brig run` has left of a run.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sandbox/report.h"
#include "tools/brig/report.h"
#include "tools/brig/run.h"
#include "tools/files/files.h"

const struct tool_option brig_report_options[] = {
    TOOL_OPTION_JSON,
    {"html", 0, "FILE", "write one self-contained page to FILE"},
    {"minidump", 0, "FILE", "write what debuggers read to FILE, from a report that was made with its stack"},
    TOOL_OPTION_COLOR,
    {NULL, 0, NULL, NULL},
};
enum { JSON, HTML, MINIDUMP, COLOR };

// --- facts of one report ----------------------------------------------------------------------------------------------

const char *report_string(const json_t *report, const char *group, const char *key)
{
    const json_t *value = json_object_get(report, group);
    value = key == NULL ? value : json_object_get(value, key);
    return json_is_string(value) ? json_string_value(value) : "";
}

json_int_t report_number(const json_t *report, const char *group, const char *key)
{
    return json_integer_value(json_object_get(json_object_get(report, group), key));
}

void report_frame_place(const json_t *frame, char *buffer, size_t buffer_bytes)
{
    const char *function = json_string_value(json_object_get(frame, "function"));
    const char *module = json_string_value(json_object_get(frame, "module"));
    const char *address = json_string_value(json_object_get(frame, module == NULL ? "ip" : "offset"));
    if (function != NULL) {
        snprintf(buffer, buffer_bytes, "%s+0x%llx", function,
                 (unsigned long long)json_integer_value(json_object_get(frame, "function_offset")));
    } else {
        snprintf(buffer, buffer_bytes, "%s", address == NULL ? "?" : address);
    }
}

const char *report_stop_sentence(const json_t *report)
{
    static const struct {
        const char *stop;
        const char *sentence;
    } sentences[] = {
        {"end", "complete"},
        {"truncated", "cut: the next frame lies above the copied bytes"},
        {"no module", "ends at code that no file is behind"},
        {"no unwind information", "ends at a function without unwind information"},
        {"stack does not grow", "ends where the stack pointer would go down"},
        {"limit", "cut at the limit of frames or of time"},
        {"no stack", "only the call site: no stack was copied"},
    };
    const char *stop = report_string(report, "stack", "stop");
    for (size_t i = 0; i < sizeof sentences / sizeof sentences[0]; i++) {
        if (strcmp(stop, sentences[i].stop) == 0) {
            return sentences[i].sentence;
        }
    }
    return "";
}

void report_decider(const json_t *report, char *buffer, size_t buffer_bytes)
{
    const char *file = report_string(report, "policy", "file");
    const char *origin = report_string(report, "policy", "decided_by");
    if (*file != '\0') {
        snprintf(buffer, buffer_bytes, "%s:%d", file, (int)report_number(report, "policy", "line"));
    } else if (strcmp(origin, "fallback") == 0) {
        snprintf(buffer, buffer_bytes, "no row: the policy's fallback");
    } else {
        snprintf(buffer, buffer_bytes, "no row: %s", origin);
    }
}

json_t *report_load(const char *path)
{
    struct brig_error error;
    char *text = NULL;
    if (brig_report_read(path, &text, &error) != BRIG_OK) {
        tool_fail("report", &error);
        return NULL;
    }
    json_t *report = json_loads(text, 0, NULL); // read has parsed it once: only memory can fail
    free(text);
    if (report == NULL) {
        tool_complain("report", "out of memory");
    }
    return report;
}

// --- the verb ---------------------------------------------------------------------------------------------------------

static int write_page(const char *path, const char *title, const json_t *report, const struct report_groups *groups)
{
    struct tool_output output;
    if (!tool_open_output("report", path, &output)) {
        return TOOL_USAGE;
    }
    if (groups != NULL) {
        report_groups_html(output.file, title, groups);
    } else {
        report_html(output.file, title, report);
    }
    return tool_close_output("report", &output);
}

static int write_minidump(const char *path, const json_t *report)
{
    struct brig_error error;
    void *dump = NULL;
    size_t dump_bytes = 0;
    char *text = json_dumps(report, 0);
    enum brig_code code = brig_report_minidump(text == NULL ? "" : text, &dump, &dump_bytes, &error);
    free(text);
    if (code == BRIG_BAD_REPORT && strcmp(error.subject, "snapshot") == 0) {
        return tool_complain("report", "this report has no stack: only one that was made with it can become a minidump");
    }
    if (code != BRIG_OK) {
        return tool_fail("report", &error);
    }
    struct tool_output output;
    const bool is_open = tool_open_output("report", path, &output);
    if (is_open) {
        fwrite(dump, 1, dump_bytes, output.file);
    }
    free(dump);
    return is_open ? tool_close_output("report", &output) : TOOL_USAGE;
}

// Returns: what `brig run` has left of a run, or NULL if the file is something else.
static json_t *load_run(const char *path)
{
    char *text = NULL;
    size_t text_bytes = 0;
    json_t *run = NULL;
    if (files_read_regular(path, &text, &text_bytes) == 0) {
        run = json_loadb(text, text_bytes, 0, NULL);
        free(text);
    }
    const char *schema = json_string_value(json_object_get(run, "schema"));
    if (schema == NULL || strcmp(schema, RUN_SCHEMA) != 0) {
        json_decref(run);
        return NULL;
    }
    return run;
}

static int show_run(json_t *run, const struct tool_arguments *arguments)
{
    if (arguments->values[HTML] != NULL || arguments->values[MINIDUMP] != NULL) {
        return tool_complain("report", "this is no violation report but what became of a run, which has text and JSON only");
    }
    if (arguments->values[JSON] != NULL) {
        tool_print_json(stdout, json_incref(run));
    } else {
        run_print(stdout, run);
    }
    return TOOL_OK;
}

static int show_file(const char *path, const struct tool_arguments *arguments)
{
    json_t *run = load_run(path);
    if (run != NULL) {
        int run_status = show_run(run, arguments);
        json_decref(run);
        return run_status;
    }
    json_t *report = report_load(path);
    if (report == NULL) {
        return TOOL_USAGE;
    }
    int status = TOOL_OK;
    if (arguments->values[HTML] != NULL) {
        status = write_page(arguments->values[HTML], path, report, NULL);
    }
    if (arguments->values[MINIDUMP] != NULL && write_minidump(arguments->values[MINIDUMP], report) != TOOL_OK) {
        status = TOOL_USAGE;
    }
    if (arguments->values[JSON] != NULL) {
        tool_print_json(stdout, json_incref(report));
    } else if (arguments->values[HTML] == NULL && arguments->values[MINIDUMP] == NULL) {
        report_print(stdout, report, tool_wants_color(arguments->values[COLOR]));
    }
    json_decref(report);
    return status;
}

static int show_directory(const char *path, const struct tool_arguments *arguments)
{
    struct report_groups groups;
    if (arguments->values[MINIDUMP] != NULL) {
        return tool_complain("report", "--minidump takes one report, not a directory");
    }
    int status = report_groups_read(path, &groups);
    if (status >= 0) {
        return status;
    }
    status = groups.bad_count == 0 ? TOOL_OK : TOOL_USAGE;
    if (arguments->values[HTML] != NULL && write_page(arguments->values[HTML], path, NULL, &groups) != TOOL_OK) {
        status = TOOL_USAGE;
    }
    if (arguments->values[JSON] != NULL) {
        tool_print_json(stdout, report_groups_json(path, &groups));
    } else if (arguments->values[HTML] == NULL) {
        report_groups_print(stdout, path, &groups, tool_wants_color(arguments->values[COLOR]));
    }
    report_groups_free(&groups);
    return status;
}

int brig_report_main(int argc, char **argv);
int brig_report_main(int argc, char **argv)
{
    struct tool_arguments arguments;
    struct stat about;
    int status = tool_parse("report", brig_report_options, argc, argv, &arguments);
    if (status >= 0) {
        return status;
    }
    if (arguments.operand_count != 1) {
        return tool_complain("report", "give one report, or a directory of reports");
    }
    if (!tool_check_color("report", arguments.values[COLOR])) {
        return TOOL_USAGE;
    }
    const char *path = arguments.operands[0];
    if (stat(path, &about) != 0) {
        return tool_complain("report", "cannot read '%s': %s", path, strerror(errno));
    }
    status = S_ISDIR(about.st_mode) ? show_directory(path, &arguments) : show_file(path, &arguments);
    int close_status = tool_flush("report");
    return status == TOOL_OK ? close_status : status;
}
