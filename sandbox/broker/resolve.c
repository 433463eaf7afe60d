// resolve: from a name to what it leads to, or to a refusal.
//
// The list is asked about a path as text; the kernel is then asked to open exactly that path, below a directory of the list and
// without any link (openat2 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS). So it does not matter what somebody
// does to the tree in between: what is opened was reached by the components that the list was asked about. If there was a link the
// kernel says ELOOP, and only then a name is walked component by component (walk.c), which gives another text to ask about.
//
// Guarantees: no descriptor of anything outside the directories of the list, whatever is renamed, linked or swapped meanwhile.
// Weakness: a name that is swapped faster than it can be walked gets ELOOP, which the kernel would not say.
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>

#include "sandbox/broker/list.h"

enum {
    ATTEMPTS = 16,
    RESOLVE_OURS = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    RESOLVE_PASSED = RESOLVE_NO_XDEV | RESOLVE_CACHED,
};

static bool may_lead_elsewhere(const struct box_list *list, const struct box_question *question, const struct box_place *place)
{
    const struct box_found found = box_list_find(list, place->path, place->path_bytes);
    return question->ending != BOX_NAME && found.entry && found.entry->rights & BRIG_BROKER_FOLLOW;
}

int box_place_fill(const struct box_list *list, const struct box_question *question, struct box_place *ret_place,
                   enum brig_broker_verdict *ret_verdict)
{
    const struct box_found found = box_list_find(list, ret_place->path, ret_place->path_bytes);
    // A last component that is no name decides nothing: the kernel refuses it.
    unsigned purposes = ret_place->last ? 1u << BOX_LOOK : question->purposes;
    if (!box_list_allows(&found, purposes) || (!found.entry && !found.is_above))
        return box_list_refuse(list, found.entry, ret_verdict);
    ret_place->dir_fd = found.fd;
    ret_place->rights = found.entry ? found.entry->rights : 0;
    ret_place->deny_errno = found.entry ? found.entry->deny_errno : list->deny_errno;
    ret_place->has_below = found.has_below;
    ret_place->is_exact = found.entry && found.entry->path_bytes == ret_place->path_bytes;
    ret_place->name = found.rest < strlen(ret_place->path) ? ret_place->path + found.rest : ".";
    return 0;
}

static bool ends_in_dots(const char *name)
{
    size_t bytes = strlen(name);
    while (bytes && name[bytes - 1] == '/')
        bytes--;
    return bytes && name[bytes - 1] == '.' && (bytes == 1 || name[bytes - 2] == '/');
}

int box_resolve(const struct box_list *list, const struct box_question *question, struct box_place *ret_place,
                enum brig_broker_verdict *ret_verdict)
{
    struct box_name name;
    *ret_verdict = BRIG_BROKER_DONE;
    if (question->resolve & RESOLVE_BENEATH && *question->name == '/')
        return -EXDEV;
    // "." at the end of a name that is to be made belongs to the kernel's rules; "/" inside a root of its own to the walk's.
    if ((question->ending == BOX_NAME && ends_in_dots(question->name)) ||
        (question->resolve & RESOLVE_IN_ROOT && *question->name == '/'))
        return box_walk(list, question, ret_place, ret_verdict);
    int result = box_name_join(question->start, question->name, &name);
    if (result == -EXDEV)
        return box_walk(list, question, ret_place, ret_verdict);
    if (result < 0)
        return result;
    memset(ret_place, 0, offsetof(struct box_place, path));
    ret_place->path_bytes = name.bytes;
    memcpy(ret_place->path, name.text, name.bytes + strlen(name.text + name.bytes) + 1);
    result = box_place_fill(list, question, ret_place, ret_verdict);
    if (*ret_verdict != BRIG_BROKER_DENIED)
        return result;
    // A link needs FOLLOW alone: the rights that are asked for have to be where it leads.
    if (may_lead_elsewhere(list, question, ret_place))
        return box_walk(list, question, ret_place, ret_verdict);
    *ret_verdict = BRIG_BROKER_SETTLED;
    return result;
}

const char *box_place_last(const struct box_place *place)
{
    if (place->last)
        return place->last;
    // The directory of an entry is like a mount point: to make, remove or rename it is what "/" is to the kernel, EEXIST or EBUSY.
    if (strcmp(place->name, ".") == 0)
        return "/";
    const char *last = place->path + place->path_bytes;
    while (last > place->name && last[-1] != '/')
        last--;
    return last;
}

static int open_parent(struct box_place *place, uint64_t resolve)
{
    char parent[BRIG_BROKER_PATH_BYTES + 4];
    const char *last = box_place_last(place);
    if (place->last)
        return box_openat2(place->dir_fd, place->name, O_PATH | O_DIRECTORY, 0, resolve);
    size_t bytes = strcmp(place->name, ".") == 0 ? 0 : (size_t)(last - place->name);
    memcpy(parent, place->name, bytes);
    memcpy(parent + bytes, ".", 2);
    return box_openat2(place->dir_fd, parent, O_PATH | O_DIRECTORY, 0, resolve);
}

static int open_place(const struct box_question *question, const struct box_opening *opening, struct box_place *place)
{
    uint64_t resolve = RESOLVE_OURS | (question->resolve & RESOLVE_PASSED);
    if (opening->wants_parent)
        return open_parent(place, resolve);
    return box_openat2(place->dir_fd, place->name, opening->flags, opening->mode, resolve);
}

int box_open(const struct box_list *list, const struct box_question *question, const struct box_opening *opening,
             struct box_place *ret_place, enum brig_broker_verdict *ret_verdict)
{
    int result = box_resolve(list, question, ret_place, ret_verdict);
    if (result < 0)
        return result;
    result = open_place(question, opening, ret_place);
    for (int i = 0; result == -ELOOP && !ret_place->is_link && i < ATTEMPTS; i++) {
        if (question->resolve & RESOLVE_NO_SYMLINKS)
            return -ELOOP;
        result = box_walk(list, question, ret_place, ret_verdict);
        if (result < 0)
            return result;
        result = open_place(question, opening, ret_place);
    }
    return result;
}
