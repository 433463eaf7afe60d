// report_text: reports for people at a terminal.
//
// Every string of a report goes through tool_put_clean, whoever wrote the file; colours come from here only.
#include <string.h>
#include <time.h>

#include "sandbox/report.h"
#include "tools/brig/report.h"

enum { PLACE_BYTES = 512, LABEL_WIDTH = 10 };

struct paint {
    const char *bold;
    const char *bad;  // killed
    const char *mild; // answered
    const char *faint;
    const char *end;
};

static const struct paint colors = {"\033[1m", "\033[1;31m", "\033[1;33m", "\033[2m", "\033[0m"};
static const struct paint plain = {"", "", "", "", ""};

// A label in the left column; NULL and "" leave it empty.
static void label(FILE *out, const struct paint *paint, const char *name)
{
    fprintf(out, "%s%-*s%s ", paint->bold, LABEL_WIDTH, name, paint->end);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

// --- one report -------------------------------------------------------------------------------------------------------

static void print_headline(FILE *out, const json_t *report, const struct paint *paint)
{
    bool is_killed = strcmp(report_string(report, "outcome", "kind"), "killed") == 0;
    tool_put_clean(out, report_string(report, "worker", "name"));
    fprintf(out, "[%lld] ", (long long)report_number(report, "worker", "pid"));
    fputs(paint->bold, out);
    tool_put_clean(out, report_string(report, "event", "text"));
    fprintf(out, "%s -> %s", paint->end, is_killed ? paint->bad : paint->mild);
    tool_put_clean(out, report_string(report, "outcome", "text"));
    fprintf(out, "%s\n\n", paint->end);
}

static void print_event(FILE *out, const json_t *report, const struct paint *paint)
{
    size_t i;
    const json_t *argument;
    const json_t *event = json_object_get(report, "event");
    label(out, paint, "call");
    tool_put_clean(out, report_string(report, "event", "call"));
    fprintf(out, ", number %lld on ", (long long)report_number(report, "event", "nr"));
    tool_put_clean(out, report_string(report, "event", "arch"));
    fputs(", at ", out);
    tool_put_clean(out, report_string(report, "event", "call_address"));
    fputs("\n", out);
    json_array_foreach(json_object_get(event, "args"), i, argument)
    {
        const char *name = json_string_value(json_object_get(argument, "name"));
        char clean[64];
        brig_report_clean(name == NULL ? "?" : name, clean, sizeof clean);
        label(out, paint, "");
        fprintf(out, "  %-12s ", clean);
        tool_put_clean(out, json_string_value(json_object_get(argument, "text")) == NULL
                                ? ""
                                : json_string_value(json_object_get(argument, "text")));
        fprintf(out, "%s%s%s\n", paint->faint,
                json_is_true(json_object_get(argument, "ignored")) ? "  (ignored by the kernel)" : "", paint->end);
    }
}

static void print_policy(FILE *out, const json_t *report, const struct paint *paint)
{
    char decider[PLACE_BYTES];
    report_decider(report, decider, sizeof decider);
    label(out, paint, "decided by");
    tool_put_clean(out, decider);
    if (*report_string(report, "policy", "action") != '\0') {
        fputs("  ", out);
        tool_put_clean(out, report_string(report, "policy", "action"));
    }
    fputs("\n", out);
    if (*report_string(report, "policy", "why") != '\0') {
        label(out, paint, "because");
        tool_put_clean(out, report_string(report, "policy", "why"));
        fputs("\n", out);
    }
    label(out, paint, "policy");
    tool_put_clean(out, report_string(report, "policy", "name"));
    fputs(" ", out);
    tool_put_clean(out, report_string(report, "policy", "hash"));
    const json_t *baseline = json_object_get(json_object_get(report, "policy"), "baseline");
    if (baseline != NULL) {
        fputs(", written for Linux ", out);
        tool_put_clean(out, report_string(json_object_get(report, "policy"), "baseline", "kernel"));
        fputs(*report_string(json_object_get(report, "policy"), "baseline", "libc") == '\0' ? "" : " and ", out);
        tool_put_clean(out, report_string(json_object_get(report, "policy"), "baseline", "libc"));
    }
    fputs("\n", out);
}

static void print_worker(FILE *out, const json_t *report, const struct paint *paint)
{
    label(out, paint, "worker");
    fprintf(out, "pid %lld, inside it says %lld, thread %lld", (long long)report_number(report, "worker", "pid"),
            (long long)report_number(report, "worker", "pid_inside"), (long long)report_number(report, "worker", "tid_inside"));
    if (*report_string(report, "worker", "thread") != '\0') {
        fputs(" (", out);
        tool_put_clean(out, report_string(report, "worker", "thread"));
        fputs(")", out);
    }
    fputs("\n", out);
    label(out, paint, "seen");
    tool_put_clean(out, report_string(report, "id", "time"));
    if (report_number(report, "id", "count") > 1) {
        fprintf(out, ", %lld times since ", (long long)report_number(report, "id", "count"));
        tool_put_clean(out, report_string(report, "id", "first_seen"));
    }
    fputs("\n", out);
    label(out, paint, "system");
    fputs("Linux ", out);
    tool_put_clean(out, report_string(report, "env", "kernel"));
    fputs(" ", out);
    tool_put_clean(out, report_string(report, "env", "machine"));
    fputs(*report_string(report, "env", "libc") == '\0' ? "" : ", ", out);
    tool_put_clean(out, report_string(report, "env", "libc"));
    fputs("\n\n", out);
}

static void print_frame(FILE *out, const json_t *frame, size_t number, const struct paint *paint)
{
    char place[PLACE_BYTES];
    char clean[PLACE_BYTES];
    const char *module = json_string_value(json_object_get(frame, "module"));
    const char *offset = json_string_value(json_object_get(frame, "offset"));
    const char *how = json_string_value(json_object_get(frame, "how"));
    report_frame_place(frame, place, sizeof place);
    brig_report_clean(place, clean, sizeof clean);
    fprintf(out, "  #%-3zu %-36s %s", number, clean, paint->faint);
    tool_put_clean(out, module == NULL ? "no file" : base_name(module));
    fputs(" ", out);
    tool_put_clean(out, module == NULL || offset == NULL ? "" : offset);
    fputs("  by ", out);
    tool_put_clean(out, how == NULL ? "?" : how);
    fprintf(out, "%s\n", paint->end);
}

static void print_stack(FILE *out, const json_t *report, const struct paint *paint)
{
    size_t i;
    const json_t *frame;
    label(out, paint, "stack");
    fprintf(out, "%s\n", report_stop_sentence(report));
    json_array_foreach(json_object_get(json_object_get(report, "stack"), "frames"), i, frame)
    {
        print_frame(out, frame, i, paint);
    }
    fputs("\n", out);
}

// The rows of an edit, one under the other.
static void print_edit(FILE *out, const json_t *report, const struct paint *paint)
{
    const char *edit = report_string(report, "advice", "edit");
    label(out, paint, "to allow");
    fputs("add ", out);
    tool_put_clean(out, report_string(report, "advice", "place"));
    fputs("\n", out);
    while (*edit != '\0') {
        char line[PLACE_BYTES];
        size_t line_bytes = strcspn(edit, "\n");
        snprintf(line, sizeof line, "%.*s", (int)line_bytes, edit);
        label(out, paint, "");
        fputs("    ", out);
        tool_put_clean(out, line);
        fputs("\n", out);
        edit += line_bytes + (edit[line_bytes] == '\n');
    }
}

static void print_advice(FILE *out, const json_t *report, const struct paint *paint)
{
    bool is_never = strcmp(report_string(report, "advice", "risk"), "never") == 0;
    if (*report_string(report, "advice", "edit") != '\0') {
        print_edit(out, report, paint);
    }
    label(out, paint, is_never ? "never" : "risk");
    fputs(is_never ? paint->bad : "", out);
    tool_put_clean(out, is_never ? "" : report_string(report, "advice", "risk"));
    fprintf(out, "%s%s", paint->end, is_never ? "" : ": ");
    tool_put_clean(out, report_string(report, "advice", "reason"));
    fputs("\n", out);
    label(out, paint, "better");
    tool_put_clean(out, report_string(report, "advice", "alternative"));
    fputs("\n\n", out);
}

static void print_trust(FILE *out, const json_t *report, const struct paint *paint)
{
    bool is_confirmed = json_is_true(json_object_get(json_object_get(report, "policy"), "confirmed"));
    label(out, paint, "trust");
    fputs("call, arguments, outcome and stack are what the worker claims; pid and modules are the kernel's\n", out);
    label(out, paint, "");
    fputs(is_confirmed ? "the policy, run here on the claimed call, gives the same row\n"
                       : "the policy, run here on the claimed call, does not give this answer: the worker may lie\n",
          out);
    if (json_is_true(json_object_get(json_object_get(report, "stack"), "cut"))) {
        label(out, paint, "limits");
        fprintf(out, "%lld bytes of stack were copied, there was more\n", (long long)report_number(report, "stack", "bytes"));
    }
}

void report_print(FILE *out, const json_t *report, bool is_colored)
{
    const struct paint *paint = is_colored ? &colors : &plain;
    print_headline(out, report, paint);
    print_event(out, report, paint);
    print_policy(out, report, paint);
    print_worker(out, report, paint);
    print_stack(out, report, paint);
    print_advice(out, report, paint);
    print_trust(out, report, paint);
}

// --- a directory ------------------------------------------------------------------------------------------------------

static void put_time(FILE *out, json_int_t time_ms)
{
    char text[64] = "?";
    struct tm fields;
    time_t seconds = (time_t)(time_ms / 1000);
    if (gmtime_r(&seconds, &fields) != NULL) {
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &fields);
    }
    fputs(text, out);
}

static void print_group(FILE *out, const struct report_group *group, const struct paint *paint)
{
    char decider[PLACE_BYTES];
    char place[PLACE_BYTES];
    const json_t *report = group->newest;
    const json_t *frames = json_object_get(json_object_get(report, "stack"), "frames");
    report_decider(report, decider, sizeof decider);
    fprintf(out, "%s%5lld x%s ", paint->bold, (long long)group->events, paint->end);
    tool_put_clean(out, report_string(report, "worker", "name"));
    fputs("  ", out);
    tool_put_clean(out, report_string(report, "event", "text"));
    fputs(" -> ", out);
    tool_put_clean(out, report_string(report, "outcome", "text"));
    fputs("\n        by ", out);
    tool_put_clean(out, decider);
    for (size_t i = 0; i < 3 && i < json_array_size(frames); i++) {
        report_frame_place(json_array_get(frames, i), place, sizeof place);
        fputs(i == 0 ? "  at " : " < ", out);
        tool_put_clean(out, place);
    }
    fprintf(out, "\n        %s", paint->faint);
    put_time(out, group->first_ms);
    fputs(" to ", out);
    put_time(out, group->last_ms);
    fprintf(out, " UTC, %zu file%s, newest %s", group->files, group->files == 1 ? "" : "s", paint->end);
    tool_put_clean(out, group->newest_name);
    fputs("\n", out);
}

void report_groups_print(FILE *out, const char *directory, const struct report_groups *groups, bool is_colored)
{
    fprintf(out, "%zu report%s in ", groups->file_count, groups->file_count == 1 ? "" : "s");
    tool_put_clean(out, directory);
    fprintf(out, ", %zu cause%s\n", groups->count, groups->count == 1 ? "" : "s");
    for (size_t i = 0; i < groups->count; i++) {
        fputs("\n", out);
        print_group(out, &groups->list[i], is_colored ? &colors : &plain);
    }
    if (groups->run_count > 0) {
        fprintf(out, "\n%zu run%s; what the %s was denied: brig report ", groups->run_count, groups->run_count == 1 ? "" : "s",
                groups->run_count == 1 ? "program" : "newest");
        tool_put_clean(out, directory);
        fputs("/", out);
        tool_put_clean(out, groups->newest_run);
        fputs("\n", out);
    }
}
