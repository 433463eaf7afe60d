// walk: a name component by component, for names that are more than their text: with "..", or with links in them.
//
// Takes the virtual directory that the name starts at, gives a path without links, each of whose components the list was asked
// about. A link's text takes its place in what is left to walk: it starts at the virtual directory that holds it, or at the virtual
// root. ".." goes up one component of the path, and stays at the root. Every look is an openat2 of a whole path from a directory of
// the list, so a component that is swapped for a link meanwhile is an error and not a way out.
//
// As the kernel does: 40 links, ENOTDIR below what is no directory, ENOENT for what is not there, the right to search a directory
// that ".." leaves. RESOLVE_BENEATH and RESOLVE_IN_ROOT of openat2 make the start a border.
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/broker/list.h"

enum { LINKS_MAX = 40, LINKED = 1, STOPPED = 1 };

struct walk {
    const struct box_list *list;
    const struct box_question *question;
    struct box_place *place;
    enum brig_broker_verdict *verdict;
    struct box_name at;   // where we are: a directory, reached without links
    uint32_t known_bytes; // so much of it the walk started in
    uint32_t scope_bytes; // of RESOLVE_BENEATH and RESOLVE_IN_ROOT
    int links;
    const char *left; // in `text`
    char text[BRIG_BROKER_PATH_BYTES];
};

static int end_at(struct walk *walk, const char *ending)
{
    struct box_place *place = walk->place;
    box_name_end(&walk->at, ending);
    place->path_bytes = walk->at.bytes;
    memcpy(place->path, walk->at.text, sizeof place->path);
    return box_place_fill(walk->list, walk->question, place, walk->verdict);
}

// Opens what `at` is, O_PATH. Returns: a descriptor or -errno.
static int look_at(struct walk *walk, const char *ending)
{
    struct box_found found = box_list_find(walk->list, walk->at.text, walk->at.bytes);
    char name[BRIG_BROKER_PATH_BYTES + 4];
    if (!found.entry && !found.is_above)
        return box_list_refuse(walk->list, NULL, walk->verdict);
    if (!box_list_allows(&found, 1u << BOX_LOOK))
        return box_list_refuse(walk->list, found.entry, walk->verdict);
    walk->place->rights = found.entry ? found.entry->rights : 0;
    snprintf(name, sizeof name, "%s%s", found.rest < walk->at.bytes ? walk->at.text + found.rest : ".", ending);
    return box_openat2(found.fd, name, O_PATH | O_NOFOLLOW, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

// "." and ".." need the right to search the directory that they stand in. The list need not know the directories that a relative
// name starts in: to go up from there tells nobody anything.
static int check_search(struct walk *walk)
{
    int fd = look_at(walk, "/.");
    if (fd >= 0)
        close(fd);
    if (fd < 0 && *walk->verdict == BRIG_BROKER_DENIED && walk->at.bytes <= walk->known_bytes) {
        *walk->verdict = BRIG_BROKER_DONE;
        return 0;
    }
    return fd < 0 ? fd : 0;
}

static int go_up(struct walk *walk)
{
    if (walk->at.bytes <= walk->scope_bytes)
        return walk->question->resolve & RESOLVE_BENEATH ? -EXDEV : 0;
    box_name_pop(&walk->at);
    if (walk->known_bytes > walk->at.bytes)
        walk->known_bytes = walk->at.bytes;
    return 0;
}

static int go_to_root(struct walk *walk)
{
    if (walk->question->resolve & RESOLVE_BENEATH)
        return -EXDEV;
    walk->at.bytes = walk->scope_bytes;
    walk->at.text[walk->at.bytes] = '\0';
    walk->known_bytes = walk->at.bytes;
    return 0;
}

// What fs.protected_symlinks makes the kernel refuse (fs/namei.c: may_follow_link), whether it is on or not: in a directory where
// everybody may make names, a link of a stranger.
static int check_owner(struct walk *walk, uid_t owner)
{
    const mode_t shared = S_ISVTX | S_IWOTH;
    struct stat directory;
    int fd = look_at(walk, "/.");
    if (fd < 0)
        return fd;
    int result = fstat(fd, &directory) == 0 ? 0 : -errno;
    close(fd);
    if (result == 0 && (directory.st_mode & shared) == shared && owner != walk->list->uid && owner != directory.st_uid)
        result = -EACCES;
    return result;
}

// The link `at` gives way to its text.
static int follow(struct walk *walk, int fd, uid_t owner)
{
    char text[BRIG_BROKER_PATH_BYTES], rest[BRIG_BROKER_PATH_BYTES];
    ssize_t bytes = readlinkat(fd, "", text, sizeof text - 1);
    if (bytes < 0)
        return -errno;
    text[bytes] = '\0';
    if (++walk->links > LINKS_MAX || walk->question->resolve & RESOLVE_NO_SYMLINKS || !(walk->place->rights & BRIG_BROKER_FOLLOW))
        return -ELOOP;
    snprintf(rest, sizeof rest, "%s", walk->left);
    size_t whole = (size_t)bytes + strlen(rest);
    if (whole >= sizeof walk->text)
        return -ENAMETOOLONG;
    memcpy(walk->text, text, (size_t)bytes);
    memcpy(walk->text + bytes, rest, whole - (size_t)bytes + 1);
    walk->left = walk->text;
    box_name_pop(&walk->at);
    int result = check_owner(walk, owner);
    return result == 0 && *text == '/' ? go_to_root(walk) : result;
}

// Goes on through what is at `at`. Returns: 0; STOPPED: this is the end; or -errno.
static int enter(struct walk *walk, bool is_last, bool keeps_link)
{
    struct stat status;
    int fd = look_at(walk, "");
    if (fd == -ENOENT && is_last)
        return STOPPED;
    if (fd < 0)
        return fd;
    int result = fstat(fd, &status) == 0 ? 0 : -errno;
    bool is_link = result == 0 && S_ISLNK(status.st_mode);
    if (result == 0 && is_link && !keeps_link)
        result = follow(walk, fd, status.st_uid);
    else if (result == 0 && is_last)
        result = STOPPED;
    else if (result == 0 && !S_ISDIR(status.st_mode))
        result = -ENOTDIR;
    walk->place->is_link = is_link && keeps_link;
    close(fd);
    return result;
}

// Returns: 0: on; STOPPED: `place` is filled, or its refusal is in *ret_result; or -errno.
static int step(struct walk *walk, int *ret_result)
{
    static const char *const dots[] = {".", ".."};
    const bool is_name = walk->question->ending == BOX_NAME;
    const char *component;
    size_t bytes;
    if (!box_next_component(&walk->left, &component, &bytes)) {
        walk->place->last = is_name ? "/" : NULL;
        *ret_result = end_at(walk, "/.");
        return STOPPED;
    }
    const bool has_slash = *walk->left == '/', is_last = walk->left[strspn(walk->left, "/")] == '\0';
    const bool is_dot = bytes == 1 && *component == '.', is_up = bytes == 2 && memcmp(component, "..", 2) == 0;
    int result = 0;
    if (is_dot || is_up) {
        result = check_search(walk);
        if (result == 0 && is_last && is_name)
            walk->place->last = dots[is_up];
        else if (result == 0 && is_up)
            result = go_up(walk);
        if (result == 0 && is_last)
            *ret_result = end_at(walk, "/.");
        return result ? result : is_last ? STOPPED : 0;
    }
    if (!box_name_push(&walk->at, component, bytes))
        return -ENAMETOOLONG;
    // What is to be made and has a slash is EISDIR, whatever is there (fs/namei.c: open_last_lookups).
    const bool is_refused = is_last && has_slash && walk->question->makes_file;
    if (!is_refused && !(is_last && is_name))
        result = enter(walk, is_last, is_last && !has_slash && walk->question->ending == BOX_KEEP);
    else
        result = STOPPED;
    if (result == STOPPED)
        *ret_result = end_at(walk, has_slash ? "/" : "");
    return result;
}

static int start(struct walk *walk)
{
    const struct box_question *question = walk->question;
    bool is_scoped = question->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT);
    bool is_absolute = *question->name == '/';
    size_t bytes = strlen(question->name);
    if (!bytes)
        return -ENOENT;
    if (bytes >= sizeof walk->text)
        return -ENAMETOOLONG;
    memcpy(walk->text, question->name, bytes + 1);
    walk->left = walk->text;
    int result = box_name_join("/", is_absolute && !is_scoped ? "/" : question->start, &walk->at);
    walk->at.text[walk->at.bytes] = '\0';
    walk->known_bytes = walk->at.bytes;
    walk->scope_bytes = is_scoped ? walk->at.bytes : 1;
    return result ? result : is_absolute ? go_to_root(walk) : 0;
}

int box_walk(const struct box_list *list, const struct box_question *question, struct box_place *ret_place,
             enum brig_broker_verdict *ret_verdict)
{
    struct walk walk = {.list = list, .question = question, .place = ret_place, .verdict = ret_verdict};
    int result, ended = 0;
    *ret_verdict = BRIG_BROKER_DONE;
    memset(ret_place, 0, offsetof(struct box_place, path));
    ret_place->deny_errno = list->deny_errno;
    result = start(&walk);
    while (result == 0)
        result = step(&walk, &ended);
    return result < 0 ? result : ended;
}
