// report_group: the reports of a directory, grouped by the key that the supervisor gave their cause.
//
// One report is in memory at a time, and the newest of each group.
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/report.h"
#include "tools/brig/report.h"

static bool has_suffix(const char *name, const char *suffix)
{
    size_t name_bytes = strlen(name);
    size_t suffix_bytes = strlen(suffix);
    return name_bytes > suffix_bytes && strcmp(name + name_bytes - suffix_bytes, suffix) == 0;
}

// As `brig run` names what became of a run.
static bool is_run_name(const char *name)
{
    return strncmp(name, "run-", strlen("run-")) == 0 && has_suffix(name, ".json");
}

static int is_report_name(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && (has_suffix(entry->d_name, ".json.gz") || has_suffix(entry->d_name, ".json"));
}

// Returns: the group of `key`, made if there is none yet; NULL if memory ran out.
static struct report_group *find_group(struct report_groups *groups, const char *key)
{
    for (size_t i = 0; i < groups->count; i++) {
        if (strcmp(groups->list[i].key, key) == 0) {
            return &groups->list[i];
        }
    }
    struct report_group *list = realloc(groups->list, (groups->count + 1) * sizeof *list);
    if (list == NULL) {
        return NULL;
    }
    groups->list = list;
    struct report_group *group = &list[groups->count++];
    *group = (struct report_group){.first_ms = INT64_MAX, .last_ms = INT64_MIN};
    snprintf(group->key, sizeof group->key, "%s", key);
    return group;
}

// Takes over `report`.
static void add_report(struct report_group *group, json_t *report, const char *name)
{
    json_int_t time_ms = report_number(report, "id", "time_ms");
    json_int_t events = report_number(report, "id", "count");
    group->files++;
    group->events = events > group->events ? events : group->events;
    group->events = (json_int_t)group->files > group->events ? (json_int_t)group->files : group->events;
    group->first_ms = time_ms < group->first_ms ? time_ms : group->first_ms;
    if (time_ms < group->last_ms) {
        json_decref(report);
        return;
    }
    json_decref(group->newest);
    group->newest = report;
    group->last_ms = time_ms;
    snprintf(group->newest_name, sizeof group->newest_name, "%s", name);
}

static void read_file(const char *directory, const char *name, struct report_groups *groups)
{
    char path[8192];
    if (is_run_name(name)) { // in the order of their names, which begin with the time
        groups->run_count++;
        snprintf(groups->newest_run, sizeof groups->newest_run, "%s", name);
        return;
    }
    snprintf(path, sizeof path, "%s/%s", directory, name);
    json_t *report = report_load(path);
    if (report == NULL) {
        groups->bad_count++;
        return;
    }
    struct report_group *group = find_group(groups, report_string(report, "id", "key"));
    if (group == NULL) {
        json_decref(report);
        return;
    }
    groups->file_count++;
    add_report(group, report, name);
}

static int compare_groups(const void *left, const void *right)
{
    const struct report_group *a = left;
    const struct report_group *b = right;
    if (a->events != b->events) {
        return a->events < b->events ? 1 : -1;
    }
    return a->last_ms != b->last_ms ? (a->last_ms < b->last_ms ? 1 : -1) : strcmp(a->key, b->key);
}

int report_groups_read(const char *directory, struct report_groups *ret_groups)
{
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, is_report_name, alphasort);
    *ret_groups = (struct report_groups){.list = NULL};
    if (count < 0) {
        return tool_complain("report", "cannot read '%s': %s", directory, strerror(errno));
    }
    for (int i = 0; i < count; i++) {
        read_file(directory, entries[i]->d_name, ret_groups);
        free(entries[i]);
    }
    free(entries);
    if (ret_groups->count > 0) {
        qsort(ret_groups->list, ret_groups->count, sizeof *ret_groups->list, compare_groups);
    }
    return -1;
}

void report_groups_free(struct report_groups *groups)
{
    for (size_t i = 0; i < groups->count; i++) {
        json_decref(groups->list[i].newest);
    }
    free(groups->list);
}

json_t *report_groups_json(const char *directory, const struct report_groups *groups)
{
    json_t *list = json_array();
    for (size_t i = 0; i < groups->count; i++) {
        const struct report_group *group = &groups->list[i];
        json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I, s:I, s:s, s:O}", "key", group->key, "events", group->events,
                                              "files", (json_int_t)group->files, "first_ms", group->first_ms, "last_ms",
                                              group->last_ms, "newest", group->newest_name, "report", group->newest));
    }
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:o}", "schema", "brig-report-groups-1", "directory", directory, "files",
                     (json_int_t)groups->file_count, "unreadable_files", (json_int_t)groups->bad_count, "runs",
                     (json_int_t)groups->run_count, "groups", list);
}
