// run_denied: what became of a run, as JSON: what the program was refused, and which option would have allowed it. Paths are the
// program's words, escaped by the supervisor; an option is a proposal to somebody who reads, never applied.
//
// Whether a path is there is looked up here, after the end of the program: what is not there needs another option, and a reader
// another attention. A path that the program never told the end of (it was cut, or is relative to a directory that is not ours) is
// taken for what it says.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/report.h"
#include "tools/brig/run.h"

enum right { RIGHT_READ, RIGHT_WRITE, RIGHT_CONNECT };

static const char *const right_names[] = {[RIGHT_READ] = "read", [RIGHT_WRITE] = "write", [RIGHT_CONNECT] = "connect"};

static enum right right_of(const struct brig_broker_denial *denial)
{
    switch (denial->op) {
    case BRIG_BROKER_OP_OPEN:
        return (denial->flags & (O_ACCMODE | O_CREAT | O_TRUNC)) == O_RDONLY ? RIGHT_READ : RIGHT_WRITE;
    case BRIG_BROKER_OP_ACCESS:
    case BRIG_BROKER_OP_STAT:
    case BRIG_BROKER_OP_READLINK:
    case BRIG_BROKER_OP_STATFS:
    case BRIG_BROKER_OP_WATCH:
        return RIGHT_READ;
    case BRIG_BROKER_OP_CONNECT:
        return RIGHT_CONNECT;
    default:
        return RIGHT_WRITE;
    }
}

// What is asked for and read on the way to a host's address.
static bool is_of_resolver(const struct brig_broker_denial *denial)
{
    static const char *const places[] = {
        "unix:/var/run/nscd/socket", "/etc/hosts", "/etc/host.conf", "/etc/resolv.conf", "/etc/gai.conf",
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (strcmp(denial->path, places[i]) == 0) {
            return right_of(denial) != RIGHT_WRITE;
        }
    }
    return false;
}

// Returns: whether the kernel finds something; of addresses only those of files are looked up.
static bool is_there(const struct brig_broker_denial *denial, bool *ret_is_directory)
{
    static const char file_address[] = "unix:";
    const char *path = denial->path;
    struct stat status;
    *ret_is_directory = false;
    if (right_of(denial) == RIGHT_CONNECT) {
        if (strncmp(path, file_address, sizeof file_address - 1) != 0 || path[sizeof file_address - 1] != '/') {
            return true;
        }
        path += sizeof file_address - 1;
    }
    if (fstatat(AT_FDCWD, path, &status, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0) {
        return false;
    }
    *ret_is_directory = S_ISDIR(status.st_mode);
    return true;
}

bool run_quote(const char *text, char *word, size_t word_bytes)
{
    brig_report_clean(text, word, word_bytes);
    if (strcmp(text, word) != 0) { // what it says is not what it is
        return false;
    }
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:,@%=";
    if (*text == '\0' || strpbrk(text, "'\\") != NULL) {
        return false;
    }
    const bool is_plain = text[strspn(text, plain)] == '\0';
    return snprintf(word, word_bytes, is_plain ? "%s" : "'%s'", text) < (int)word_bytes;
}

// Writes the option that would have allowed it. Returns: false where there is none.
static bool describe_option(const struct brig_broker_denial *denial, bool exists, char *text, size_t text_bytes)
{
    const enum right right = right_of(denial);
    if (is_of_resolver(denial)) {
        return snprintf(text, text_bytes, "--resolve") > 0;
    }
    char path[sizeof denial->path + 4096], word[sizeof path + 8];
    const char *here = *denial->path == '/' || exists || right == RIGHT_CONNECT ? NULL : getcwd(path, 4096);
    snprintf(path + (here ? strlen(here) : 0), sizeof path - (here ? strlen(here) : 0), "%s%s", here ? "/" : "", denial->path);
    const bool is_dead = right == RIGHT_CONNECT && !exists; // a list takes addresses that are there
    const bool is_all = strcmp(denial->path, "/") == 0;     // who wants to give everything needs no advice
    if (*denial->path == '\0' || is_dead || is_all || run_is_own_in_proc(path) || !run_quote(path, word, sizeof word)) {
        return false;
    }
    if (right == RIGHT_CONNECT) {
        snprintf(text, text_bytes, "--connect %s", word);
    } else if (exists) {
        snprintf(text, text_bytes, "--broker-%s %s", right == RIGHT_READ ? "ro" : "rw", word);
    } else { // the others take what is there
        snprintf(text, text_bytes, "--unveil %s:%s", word, right == RIGHT_READ ? "r" : "rwc");
    }
    return true;
}

// Returns: whether an option hides this path, or one above it.
static bool is_hidden(const struct run_list *list, const char *path)
{
    for (size_t i = 0; i < list->entry_count; i++) {
        const struct brig_broker_entry *entry = &list->entries[i];
        const size_t bytes = strlen(entry->path);
        if (entry->rights == BRIG_BROKER_DENY && strncmp(path, entry->path, bytes) == 0 &&
            (path[bytes] == '/' || path[bytes] == '\0')) {
            return true;
        }
    }
    return false;
}

static json_t *denial_json(const struct run_list *list, const struct brig_broker_denial *denial)
{
    char option[sizeof denial->path + 5000];
    const char *call = brig_dsl_call_name(denial->call);
    const char *code = brig_dsl_constant_name("errno", denial->sys_errno, brig_dsl_arch_native());
    bool is_directory;
    const bool exists = is_there(denial, &is_directory);
    const bool has_option = !is_hidden(list, denial->path) && describe_option(denial, exists, option, sizeof option);
    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:s, s:I, s:s?}", "call", call == NULL ? "unknown call" : call, "right",
                     right_names[right_of(denial)], "path", denial->path, "exists", (int)exists, "directory", (int)is_directory,
                     "errno", code == NULL ? "unknown errno" : code, "count", (json_int_t)denial->count, "option",
                     has_option ? option : NULL);
}

json_t *run_outcome_json(const struct run_outcome *outcome)
{
    char command[4096];
    json_t *denied = json_array();
    brig_report_clean(outcome->command, command, sizeof command);
    for (size_t i = 0; i < outcome->denial_count; i++) {
        json_array_append_new(denied, denial_json(outcome->list, &outcome->denials[i]));
    }
    return json_pack("{s:s, s:s, s:s, s:i, s:I, s:O, s:o}", "schema", RUN_SCHEMA, "command", command, "policy", outcome->policy,
                     "exit_status", outcome->exit_status, "violations", (json_int_t)outcome->violation_count, "events",
                     outcome->events, "denied", denied);
}

bool run_write_outcome(json_t *outcome, const char *directory, int pid)
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
    tool_print_json(out, json_incref(outcome));
    const bool is_done = tool_close_file("run", out, path) == TOOL_OK;
    free(path);
    return is_done;
}
