// Any bytes as a permission list and a name: what the tree says is what a slow reading of the list says.
//
// Lines: a character for an entry's rights, then its path; the last line is the name that is asked about.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/broker/list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { ENTRIES = 12, NAME_BYTES = 512 };

static const char start[] = "/start/here";

struct model {
    struct brig_broker_entry entries[ENTRIES];
    char paths[ENTRIES][NAME_BYTES];  // as given
    char normal[ENTRIES][NAME_BYTES]; // as they are meant
    size_t count;
    char name[NAME_BYTES];
    char normal_name[2 * NAME_BYTES];
};

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "broker_list_fuzz: %s\n", what);
        abort();
    }
}

// Splits and joins again, without a thought for speed. Returns: false if there is a "..".
static bool make_normal(const char *from, const char *name, char *ret_normal)
{
    char copy[2 * NAME_BYTES], *state;
    snprintf(copy, sizeof copy, "%s/%s", *name == '/' ? "" : from, name);
    *ret_normal = '\0';
    for (char *part = strtok_r(copy, "/", &state); part; part = strtok_r(NULL, "/", &state)) {
        if (strcmp(part, "..") == 0)
            return false;
        if (strcmp(part, ".") != 0)
            strcat(strcat(ret_normal, "/"), part);
    }
    if (!*ret_normal)
        strcpy(ret_normal, "/");
    return true;
}

static bool is_below(const char *path, const char *above)
{
    size_t bytes = strcmp(above, "/") == 0 ? 0 : strlen(above);
    return strcmp(above, path) != 0 && strncmp(path, above, bytes) == 0 && path[bytes] == '/';
}

static bool covers(const struct model *model, size_t i, const char *path)
{
    if (strcmp(model->normal[i], path) == 0)
        return true;
    const uint32_t below = BRIG_BROKER_RECURSIVE | BRIG_BROKER_DENY | BRIG_BROKER_CRASH;
    return model->entries[i].rights & below && is_below(path, model->normal[i]);
}

static bool is_refusing(const struct model *model, size_t i)
{
    return model->entries[i].rights & (BRIG_BROKER_DENY | BRIG_BROKER_CRASH);
}

// The entry that decides: the shortest that refuses, else the longest. Returns: its index, or -1.
static int decide(const struct model *model, const char *path)
{
    int best = -1;
    for (size_t i = 0; i < model->count; i++) {
        if (!covers(model, i, path))
            continue;
        size_t length = strlen(model->normal[i]), best_length = best < 0 ? 0 : strlen(model->normal[best]);
        bool is_stronger = best < 0 || is_refusing(model, i) > is_refusing(model, (size_t)best);
        bool is_weaker = best >= 0 && is_refusing(model, i) < is_refusing(model, (size_t)best);
        bool is_better = is_refusing(model, i) ? length < best_length : length > best_length;
        if (is_stronger || (!is_weaker && is_better))
            best = (int)i;
    }
    return best;
}

static bool leads(const struct model *model, const char *path)
{
    for (size_t i = 0; i < model->count; i++) {
        if (is_below(model->normal[i], path) && !is_refusing(model, i))
            return true;
    }
    return false;
}

static bool is_own(const char *path)
{
    char name[2 * NAME_BYTES];
    if (strncmp(path, "/proc/", 6) != 0)
        return false;
    snprintf(name, sizeof name, "%s", path + 6);
    name[strcspn(name, "/")] = '\0';
    return strcmp(name, "self") == 0 || strcmp(name, "thread-self") == 0 || name[strspn(name, "0123456789")] == '\0';
}

static void check_name(const struct box_list *list, const struct model *model)
{
    struct box_name joined;
    int result = box_name_join(start, model->name, &joined);
    char normal[2 * NAME_BYTES];
    bool is_normal = make_normal(start, model->name, normal);
    must((result == -EXDEV) == (!is_normal && *model->name), "\"..\" is not seen");
    must((result == -ENOENT) == !*model->name, "an empty name is not seen");
    if (result < 0)
        return;
    must(joined.bytes == strlen(normal) && memcmp(joined.text, normal, joined.bytes) == 0, "another path");
    struct box_found found = box_list_find(list, joined.text, joined.bytes);
    int expected = is_own(normal) ? -1 : decide(model, normal);
    must((found.entry != NULL) == (expected >= 0), "an entry too many or too few");
    if (expected >= 0)
        must(found.entry->index == (uint32_t)expected, "another entry");
    else
        must(found.is_above == (!is_own(normal) && leads(model, normal)), "another way");
    must(found.fd < 0 || found.rest <= joined.bytes + 1, "a rest outside the path");
    must(found.fd >= 0 || (!found.is_above && (!found.entry || found.entry->rights & (BRIG_BROKER_DENY | BRIG_BROKER_CRASH))),
         "an allowed path without a directory");
}

static bool take_line(const char **text, char line[NAME_BYTES])
{
    size_t bytes = strcspn(*text, "\n");
    bool is_last = (*text)[bytes] == '\0';
    snprintf(line, NAME_BYTES, "%.*s", bytes < NAME_BYTES ? (int)bytes : 0, *text);
    *text += bytes + !is_last;
    return !is_last;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct model model;
    char text[4096], line[NAME_BYTES];
    const char *at = text;
    snprintf(text, sizeof text, "%.*s", bytes < sizeof text ? (int)bytes : (int)sizeof text - 1, (const char *)data);
    model.count = 0;
    while (take_line(&at, line) && model.count < ENTRIES) {
        size_t i = model.count++;
        memcpy(model.paths[i], *line ? line + 1 : line, *line ? sizeof line - 1 : sizeof line);
        model.entries[i] = (struct brig_broker_entry){.path = model.paths[i], .rights = (unsigned char)*line};
    }
    memcpy(model.name, line, sizeof line);
    const struct brig_broker_list given = {.entries = model.entries, .entry_count = model.count};
    struct box_list *list;
    struct brig_error error;
    enum brig_code code = box_list_new(&given, &list, &error);
    if (code != BRIG_OK) {
        must(error.code == code && error.step, "an error without words");
        return 0;
    }
    for (size_t i = 0; i < model.count; i++)
        must(make_normal("/", model.paths[i], model.normal[i]), "a list with \"..\"");
    check_name(list, &model);
    box_list_free(list);
    return 0;
}
