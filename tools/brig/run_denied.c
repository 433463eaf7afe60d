// run_denied: what a program was refused, and which option would have allowed it. Paths are the program's words, escaped by the
// supervisor; an option is a proposal to somebody who reads, never applied.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/brig/run.h"

// What a request wanted, as an option.
static const char *option_of(const struct brig_broker_denial *denial)
{
    switch (denial->op) {
    case BRIG_BROKER_OP_OPEN:
        return (denial->flags & (O_ACCMODE | O_CREAT | O_TRUNC)) == O_RDONLY ? "--broker-ro" : "--broker-rw";
    case BRIG_BROKER_OP_ACCESS:
    case BRIG_BROKER_OP_STAT:
    case BRIG_BROKER_OP_READLINK:
    case BRIG_BROKER_OP_STATFS:
    case BRIG_BROKER_OP_WATCH:
        return "--broker-ro";
    case BRIG_BROKER_OP_CONNECT:
        return "--connect";
    default:
        return "--broker-rw";
    }
}

// Says it with its value. A path that is relative or was cut is no value.
static void describe_option(const struct brig_broker_denial *denial, char *text, size_t text_bytes)
{
    const char *option = option_of(denial);
    const bool is_path = denial->op != BRIG_BROKER_OP_CONNECT;
    const bool has_value = denial->path[0] != '\0' && (!is_path || denial->path[0] == '/');
    snprintf(text, text_bytes, "%s %s", option, has_value ? denial->path : is_path ? "DIR" : "ADDRESS");
}

static const char *errno_name(const struct brig_broker_denial *denial)
{
    const char *name = brig_dsl_constant_name("errno", denial->sys_errno, brig_dsl_arch_native());
    return name == NULL ? "unknown errno" : name;
}

static const char *call_name(const struct brig_broker_denial *denial)
{
    const char *name = brig_dsl_call_name(denial->call);
    return name == NULL ? "unknown call" : name;
}

static json_t *make_json(const struct run_outcome *outcome)
{
    json_t *denied = json_array();
    for (size_t i = 0; i < outcome->denial_count; i++) {
        const struct brig_broker_denial *denial = &outcome->denials[i];
        char option[320];
        describe_option(denial, option, sizeof option);
        json_array_append_new(denied, json_pack("{s:s, s:s, s:s, s:I, s:s}", "call", call_name(denial), "path", denial->path,
                                                "errno", errno_name(denial), "count", (json_int_t)denial->count, "option", option));
    }
    return json_pack("{s:s, s:s, s:s, s:i, s:I, s:o}", "schema", "brig-run-1", "command", outcome->command, "policy",
                     outcome->policy, "exit_status", outcome->exit_status, "violations", (json_int_t)outcome->violation_count,
                     "denied", denied);
}

static void dump(json_t *json, FILE *out)
{
    char *text = json == NULL ? NULL : json_dumps(json, JSON_INDENT(2));
    fprintf(out, "%s\n", text == NULL ? "null" : text);
    free(text);
    json_decref(json);
}

static void print_text(const struct run_outcome *outcome)
{
    enum { SHOWN_MAX = 40 };
    for (size_t i = 0; i < outcome->denial_count && i < SHOWN_MAX; i++) {
        const struct brig_broker_denial *denial = &outcome->denials[i];
        char option[320];
        describe_option(denial, option, sizeof option);
        fprintf(stderr, "brig: denied %s(\"%s\") %s, %llu time%s; try: %s\n", call_name(denial), denial->path, errno_name(denial),
                (unsigned long long)denial->count, denial->count == 1 ? "" : "s", option);
    }
    if (outcome->denial_count > SHOWN_MAX) {
        fprintf(stderr, "brig: and %zu more; --json and --report-dir have all of them\n", outcome->denial_count - SHOWN_MAX);
    }
}

void run_print_outcome(const struct run_outcome *outcome, bool as_json)
{
    if (as_json) {
        dump(make_json(outcome), stderr);
    } else {
        print_text(outcome);
    }
}

bool run_write_outcome(const struct run_outcome *outcome, const char *directory, int pid)
{
    char *path = NULL, stamp[32];
    struct tm utc;
    const time_t now = time(NULL);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%S", gmtime_r(&now, &utc));
    if (asprintf(&path, "%s/run-%s-%d.json", directory, stamp, pid) < 0) {
        return tool_complain("run", "out of memory") < 0;
    }
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    if (out == NULL) {
        tool_complain("run", "cannot write '%s': %s", path, strerror(errno));
        free(path);
        return false;
    }
    dump(make_json(outcome), out);
    const bool is_done = tool_close_output("run", out, path) == TOOL_OK;
    free(path);
    return is_done;
}
