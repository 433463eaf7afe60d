// Any bytes as files to unveil and a name: the broker's list that comes out says of the name what OpenBSD would.
//
// Lines: letters, a space, a path; the last line is the name that is asked about. Seeds name directories that are everywhere,
// because only what is there is unveiled as a directory.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sandbox/broker/list.h"
#include "sandbox/unveil.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { ENTRIES = 8, TEXT_BYTES = 2048 };

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "unveil_fuzz: %s\n", what);
        abort();
    }
}

static bool is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

// What is hidden hides all below, whatever it will be once it is there.
static bool covers(const struct brig_unveil *unveil, const char *name)
{
    const char *path = unveil->path;
    const size_t bytes = strcmp(path, "/") == 0 ? 0 : strlen(path);
    return strcmp(path, name) == 0 ||
           (strncmp(path, name, bytes) == 0 && name[bytes] == '/' && (!*unveil->permissions || is_directory(path)));
}

// The longest entry that covers the name. Returns: its letters, "" if there is none.
static const char *decide(const struct brig_unveil *unveils, size_t count, const char *name)
{
    const struct brig_unveil *best = NULL;
    for (size_t i = 0; i < count; i++) {
        if (covers(&unveils[i], name) && (!best || strlen(unveils[i].path) > strlen(best->path)))
            best = &unveils[i];
    }
    return best ? best->permissions : "";
}

static void check_name(const struct brig_broker_list *made, const struct box_name *name, const char *letters)
{
    struct box_list *list;
    struct brig_error error;
    const enum brig_code code = box_list_new(made, &list, &error);
    must(code != BRIG_BAD_ARGUMENT, "a list that no broker takes");
    if (code != BRIG_OK)
        return;
    const struct box_entry *entry = box_list_find(list, name->text, name->bytes).entry;
    const uint32_t rights = entry ? entry->rights : BRIG_BROKER_DENY;
    must(!(rights & BRIG_BROKER_DENY) == (*letters != '\0'), "hidden, or not");
    must((rights & BRIG_BROKER_DENY) || !(rights & BRIG_BROKER_READ) == !strchr(letters, 'r'), "reading");
    must((rights & BRIG_BROKER_DENY) || !(rights & BRIG_BROKER_WRITE) == !strchr(letters, 'w'), "writing");
    must((rights & BRIG_BROKER_DENY) || !(rights & BRIG_BROKER_CREATE) == !strchr(letters, 'c'), "creating");
    must((entry ? entry->deny_errno : list->deny_errno) == (*letters ? EACCES : ENOENT), "another errno");
    box_list_free(list);
}

static size_t read_unveils(char *text, struct brig_unveil unveils[ENTRIES], const char **ret_name)
{
    size_t count = 0;
    char *state, *line = strtok_r(text, "\n", &state);
    for (char *next; line && (next = strtok_r(NULL, "\n", &state)) != NULL && count < ENTRIES; line = next) {
        char *space = strchr(line, ' ');
        if (space)
            *space = '\0';
        unveils[count++] = (struct brig_unveil){.path = space ? space + 1 : "", .permissions = line};
    }
    *ret_name = line ? line : "";
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char text[TEXT_BYTES];
    struct brig_unveil unveils[ENTRIES];
    struct brig_broker_entry entries[ENTRIES];
    struct brig_broker_list list;
    struct brig_error error;
    struct box_name name;
    const char *asked;
    snprintf(text, sizeof text, "%.*s", bytes < sizeof text ? (int)bytes : (int)sizeof text - 1, (const char *)data);
    if (strstr(text, "proc")) // names that mean whoever asks are refused whatever a list says
        return 0;
    const size_t count = read_unveils(text, unveils, &asked);
    const enum brig_code code = brig_unveil_list(unveils, count, entries, &list, &error);
    if (code != BRIG_OK)
        must(error.code == code && error.step, "an error without words");
    else if (box_name_join("/", asked, &name) == 0) {
        name.text[name.bytes] = '\0';
        check_name(&list, &name, decide(unveils, count, name.text));
    }
    return 0;
}
