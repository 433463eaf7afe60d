// report: what the files of the verb `report` share. See report.c.
#ifndef BRIG_TOOLS_BRIG_REPORT_H
#define BRIG_TOOLS_BRIG_REPORT_H

#include "tools/brig/tool.h"

// --- one report -------------------------------------------------------------------------------------------------------

// Returns: the string at report.group.key, or report.group itself if `key` is NULL; "" if there is none.
const char *report_string(const json_t *report, const char *group, const char *key);
// Returns: the number at report.group.key, or 0.
json_int_t report_number(const json_t *report, const char *group, const char *key);

// Writes "0x7f3a+0x1c"-like places for people: function and offset, or address in the module, of one frame of stack.frames.
void report_frame_place(const json_t *frame, char *buffer, size_t buffer_bytes);
// Returns: a sentence for stack.stop.
const char *report_stop_sentence(const json_t *report);
// Writes who decided: "policies/renderer.c:88", or "no row of the policy (its fallback)".
void report_decider(const json_t *report, char *buffer, size_t buffer_bytes);

// --- a directory ------------------------------------------------------------------------------------------------------

// Reports with one cause.
struct report_group {
    char key[32];
    size_t files;
    json_int_t events; // as the supervisor counted, files that were never written included
    json_int_t first_ms;
    json_int_t last_ms;
    char newest_name[256];
    json_t *newest;
};

struct report_groups {
    struct report_group *list; // most events first
    size_t count;
    size_t file_count;
    size_t bad_count; // files with a report's name that are none
    size_t run_count; // files of `brig run`, which are no reports
    char newest_run[256];
};

// Reads all reports of a directory. Complains about each that cannot be read, and goes on.
// Returns: -1 to go on, else the exit status. Owns: report_groups_free.
int report_groups_read(const char *directory, struct report_groups *ret_groups);
void report_groups_free(struct report_groups *groups);

// Reads one report. Returns: NULL after having complained.
json_t *report_load(const char *path);

// --- output -----------------------------------------------------------------------------------------------------------

void report_print(FILE *out, const json_t *report, bool is_colored);
void report_groups_print(FILE *out, const char *directory, const struct report_groups *groups, bool is_colored);
json_t *report_groups_json(const char *directory, const struct report_groups *groups);

// One self-contained page: of one report, or of a directory's groups.
void report_html(FILE *out, const char *title, const json_t *report);
void report_groups_html(FILE *out, const char *title, const struct report_groups *groups);

#endif
