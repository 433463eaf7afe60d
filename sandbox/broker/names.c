// names: paths as text. What a name means before any link is looked at: a directory's path and a name become one absolute path
// without "." and doubled slashes.
//
// Takes text without trusting it, gives text that fits. A name that holds ".." is given back unread: "a/.." is not "." if `a` is a
// link or is not there, so walk.c has to look.
#include <errno.h>
#include <string.h>

#include "sandbox/broker/list.h"

bool box_next_component(const char **text, const char **ret_component, size_t *ret_bytes)
{
    const char *start = *text + strspn(*text, "/");
    size_t bytes = strcspn(start, "/");
    *text = start + bytes;
    *ret_component = start;
    *ret_bytes = bytes;
    return bytes != 0;
}

bool box_name_push(struct box_name *name, const char *component, size_t bytes)
{
    uint32_t slash = name->bytes > 1;
    if (bytes >= BRIG_BROKER_PATH_BYTES - name->bytes - slash)
        return false;
    if (slash)
        name->text[name->bytes] = '/';
    memcpy(name->text + name->bytes + slash, component, bytes);
    name->bytes += slash + (uint32_t)bytes;
    name->text[name->bytes] = '\0';
    return true;
}

void box_name_pop(struct box_name *name)
{
    while (name->bytes > 1 && name->text[name->bytes - 1] != '/')
        name->bytes--;
    if (name->bytes > 1)
        name->bytes--;
    name->text[name->bytes] = '\0';
}

void box_name_end(struct box_name *name, const char *ending)
{
    if (name->bytes > 1)
        memcpy(name->text + name->bytes, ending, strlen(ending) + 1);
}

static bool start_at(struct box_name *name, const char *start)
{
    const char *component;
    size_t bytes;
    name->bytes = 1;
    memcpy(name->text, "/", 2);
    while (box_next_component(&start, &component, &bytes)) {
        if (!box_name_push(name, component, bytes))
            return false;
    }
    return true;
}

int box_name_join(const char *start, const char *text, struct box_name *ret_name)
{
    const char *component, *ending = "", *at = text;
    size_t bytes;
    if (!*text)
        return -ENOENT;
    if (!start_at(ret_name, *text == '/' ? "/" : start))
        return -ENAMETOOLONG;
    while (box_next_component(&at, &component, &bytes)) {
        bool is_dot = bytes == 1 && *component == '.';
        if (bytes == 2 && memcmp(component, "..", 2) == 0)
            return -EXDEV;
        if (!is_dot && !box_name_push(ret_name, component, bytes))
            return -ENAMETOOLONG;
        ending = is_dot ? "/." : *at ? "/" : "";
    }
    box_name_end(ret_name, ending);
    return 0;
}
