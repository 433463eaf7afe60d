// unveil_text: entries as they are written, before anything is opened.
#include <limits.h>
#include <string.h>

#include "sandbox/worker/unveil.h"

static const char letters[] = "rwxc"; // in the order of enum box_unveil_rights

static enum brig_code bad(struct brig_error *reterr, const char *step, const char *subject, size_t index)
{
    struct brig_error error = {.code = BRIG_BAD_ARGUMENT, .step = step, .subject = subject, .detail = (int64_t)index};
    return brig_error_set(reterr, error);
}

static const char *find_letter(char letter)
{
    return letter ? strchr(letters, letter) : NULL;
}

static bool are_letters(const char *permissions)
{
    for (const char *at = permissions; *at; at++) {
        if (!find_letter(*at) || strchr(at + 1, *at))
            return false;
    }
    return true;
}

// Whether every component is a name: no "", "." or "..", but for the root itself. So equal paths have equal texts.
static bool is_normal(const char *path)
{
    if (path[0] != '/' || strlen(path) >= PATH_MAX)
        return false;
    if (path[1] == '\0')
        return true;
    for (const char *at = path; *at;) {
        const char *name = at + 1;
        const size_t length = strcspn(name, "/");
        if (length == 0 || (name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.'))))
            return false;
        at = name + length;
    }
    return true;
}

static bool is_repeated(const struct brig_unveil *unveils, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (!strcmp(unveils[i].path, unveils[index].path))
            return true;
    }
    return false;
}

uint32_t box_unveil_rights(const char *permissions)
{
    uint32_t rights = 0;
    for (const char *at = permissions; *at; at++)
        rights |= 1U << (find_letter(*at) - letters);
    return rights;
}

// Truncating is restricted nowhere or everywhere, so without it every file could be emptied; where all may be written, that is
// meant. Renames between directories are refused by kernels that cannot allow them.
const char *box_unveil_lacks(int abi, const struct brig_unveil *unveils, size_t count)
{
    bool makes_names = false, is_all_writable = false;
    for (size_t i = 0; i < count; i++) {
        const uint32_t rights = box_unveil_rights(unveils[i].permissions);
        makes_names |= (rights & BOX_UNVEIL_CREATE) != 0;
        is_all_writable |= rights & BOX_UNVEIL_WRITE && unveils[i].path[1] == '\0';
    }
    if (abi < 1)
        return "Landlock (Linux 5.13)";
    if (abi < 2 && makes_names)
        return "Landlock with renames between directories (Linux 5.19)";
    return abi < 3 && !is_all_writable ? "Landlock with truncate (Linux 6.2)" : NULL;
}

bool box_unveil_is_above(const char *above, const char *path)
{
    const size_t bytes = strlen(above);
    return bytes == 1 ? path[1] != '\0' : !strncmp(above, path, bytes) && path[bytes] == '/';
}

enum brig_code box_unveil_check(const struct brig_unveil *unveils, size_t count, struct brig_error *reterr)
{
    if (!unveils || count == 0 || count > BRIG_UNVEIL_MAX)
        return bad(reterr, "unveil", unveils ? "count" : "unveils", count);
    for (size_t i = 0; i < count; i++) {
        if (!unveils[i].path || !unveils[i].permissions)
            return bad(reterr, "unveil", "unveils", i);
        if (!is_normal(unveils[i].path))
            return bad(reterr, "unveil an absolute path, without \"..\" and the like", unveils[i].path, i);
        if (!are_letters(unveils[i].permissions))
            return bad(reterr, "unveil with letters of \"rwxc\", each once", unveils[i].permissions, i);
        if (is_repeated(unveils, i))
            return bad(reterr, "unveil each path once", unveils[i].path, i);
    }
    return BRIG_OK;
}
