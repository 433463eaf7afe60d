// list: a permission list as the broker looks it up.
//
// Takes the caller's entries, gives a tree of path components whose nodes hold directories (O_PATH) that were opened at set-up.
// Sorted entries make the tree: all paths below one component stand beside each other, so a node is a range of entries and its
// children are the parts of that range. A look-up goes down the tree by binary search, and the deepest directory on its way to the
// entry that decides is where openat2 starts.
//
// Which nodes hold a directory: those above an entry that allows something, and recursive entries. Links in their own paths are
// followed, once, here: the author of the list named them. So a recursive entry is like a mount point: what it led to when the
// broker started, whatever happens to its name. What was not there yet is found below the deepest directory that was.
//
// Guarantees: a DENY or CRASH entry decides for all below it; else the longest entry that covers a path decides. Names in /proc
// that mean whoever asks (self, thread-self, numbers) would mean the broker: they are refused, in the list and below any entry.
//
// Weakness: what is bound to a second place (mount --bind, a hard link) has two names, and the list knows each by its own. A
// file system that ignores case lets a DENY entry be spelt otherwise.
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "sandbox/broker/list.h"

enum {
    ENTRIES_MAX = 4096, // each may hold a descriptor
    RIGHTS_USE = BRIG_BROKER_READ | BRIG_BROKER_WRITE | BRIG_BROKER_CREATE | BRIG_BROKER_FOLLOW | BRIG_BROKER_TEMPORARY,
    RIGHTS_REFUSE = BRIG_BROKER_DENY | BRIG_BROKER_CRASH,
    RIGHTS_ALL = RIGHTS_USE | RIGHTS_REFUSE | BRIG_BROKER_RECURSIVE,
    ERRNO_MAX = 4095,
};

static const char step_list[] = "check broker list";

static enum brig_code bad(struct brig_error *reterr, const char *subject, size_t index)
{
    struct brig_error error = {.code = BRIG_BAD_ARGUMENT, .step = step_list, .subject = subject, .detail = (int64_t)index};
    return brig_error_set(reterr, error);
}

static enum brig_code failed(struct brig_error *reterr, enum brig_code code, int reason, const char *subject)
{
    struct brig_error error = {.code = code, .sys_errno = reason, .step = step_list, .subject = subject};
    return brig_error_set(reterr, error);
}

int box_openat2(int dir_fd, const char *name, uint64_t flags, uint64_t mode, uint64_t resolve)
{
    struct open_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};
    long fd = syscall(SYS_openat2, dir_fd, name, &how, sizeof how);
    return fd < 0 ? -errno : (int)fd;
}

// --- names that mean whoever asks -------------------------------------------------------------------------------------

static bool is_in_proc(const char *path)
{
    return strncmp(path, "/proc/", 6) == 0;
}

static bool is_own_in_proc(const char *path, uint32_t bytes)
{
    if (bytes <= 6 || !is_in_proc(path))
        return false;
    const char *name = path + 6;
    size_t length = strcspn(name, "/");
    return (length == 4 && memcmp(name, "self", 4) == 0) || (length == 11 && memcmp(name, "thread-self", 11) == 0) ||
           strspn(name, "0123456789") == length;
}

// --- entries ----------------------------------------------------------------------------------------------------------

static bool contradicts_itself(uint32_t rights)
{
    if (rights & ~(uint32_t)RIGHTS_ALL || (rights & RIGHTS_REFUSE) == RIGHTS_REFUSE)
        return true;
    if (rights & RIGHTS_REFUSE)
        return rights & RIGHTS_USE;
    return rights & BRIG_BROKER_TEMPORARY && !(rights & BRIG_BROKER_CREATE);
}

static enum brig_code copy_entry(struct box_list *made, const struct brig_broker_entry *entry, size_t index,
                                 struct brig_error *reterr)
{
    struct box_entry *copy = &made->entries[made->entry_count];
    struct box_name name;
    if (!entry->path)
        return bad(reterr, "list.entries.path", index);
    if (*entry->path != '/' || box_name_join("/", entry->path, &name) != 0 || is_own_in_proc(name.text, name.bytes))
        return bad(reterr, entry->path, index);
    if (contradicts_itself(entry->rights) || entry->deny_errno > ERRNO_MAX)
        return bad(reterr, entry->path, index);
    *copy = (struct box_entry){.path = strndup(name.text, name.bytes),
                               .path_bytes = name.bytes,
                               .rights = entry->rights,
                               .deny_errno = entry->deny_errno ? entry->deny_errno : made->deny_errno,
                               .index = (uint32_t)index};
    if (!copy->path)
        return failed(reterr, BRIG_OUT_OF_MEMORY, 0, NULL);
    made->entry_count++;
    return BRIG_OK;
}

// A path stands before all that is below it, and these before everything else.
static int rank_of(char character)
{
    return character == '\0' ? 0 : character == '/' ? 1 : (unsigned char)character + 1;
}

static int compare_entries(const void *left, const void *right)
{
    const char *a = ((const struct box_entry *)left)->path, *b = ((const struct box_entry *)right)->path;
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return rank_of(*a) - rank_of(*b);
}

static enum brig_code copy_entries(struct box_list *made, const struct brig_broker_list *list, struct brig_error *reterr)
{
    if (list->entry_count > ENTRIES_MAX || (list->entry_count && !list->entries))
        return bad(reterr, "list.entry_count", list->entry_count);
    made->entries = calloc(list->entry_count + 1, sizeof *made->entries);
    if (!made->entries)
        return failed(reterr, BRIG_OUT_OF_MEMORY, 0, NULL);
    for (size_t i = 0; i < list->entry_count; i++) {
        enum brig_code code = copy_entry(made, &list->entries[i], i, reterr);
        if (code != BRIG_OK)
            return code;
    }
    qsort(made->entries, made->entry_count, sizeof *made->entries, compare_entries);
    for (size_t i = 1; i < made->entry_count; i++) {
        uint32_t a = made->entries[i - 1].index, b = made->entries[i].index;
        uint32_t second = a > b ? a : b;
        if (strcmp(made->entries[i - 1].path, made->entries[i].path) == 0)
            return bad(reterr, list->entries[second].path, second);
    }
    return BRIG_OK;
}

// --- the tree ---------------------------------------------------------------------------------------------------------

static uint32_t components_of(const char *path)
{
    const char *component;
    size_t bytes;
    uint32_t count = 0;
    while (box_next_component(&path, &component, &bytes))
        count++;
    return count;
}

static bool refuses(const struct box_entry *entry)
{
    return entry->rights & RIGHTS_REFUSE;
}

// Where a child's own component starts.
static uint32_t below(const struct box_node *node)
{
    return node->path_bytes == 1 ? 1 : node->path_bytes + 1;
}

static uint32_t end_of_child(const struct box_list *list, uint32_t first, uint32_t end, uint32_t bytes)
{
    const char *path = list->entries[first].path;
    uint32_t i = first + 1;
    while (i < end && strncmp(list->entries[i].path, path, bytes) == 0 && strchr("/", list->entries[i].path[bytes]))
        i++;
    return i;
}

static void add_child(struct box_list *list, struct box_node *node, uint32_t *first)
{
    const char *path = list->entries[*first].path;
    uint32_t start = below(node);
    uint32_t bytes = start + (uint32_t)strcspn(path + start, "/");
    uint32_t end = end_of_child(list, *first, node->end_entry, bytes);
    list->nodes[list->node_count++] = (struct box_node){
        .path = path, .path_bytes = bytes, .name_bytes = bytes - start, .first_entry = *first, .end_entry = end, .fd = -1};
    node->child_count++;
    *first = end;
}

static void make_node(struct box_list *list, struct box_node *node)
{
    uint32_t first = node->first_entry;
    if (first < node->end_entry && list->entries[first].path_bytes == node->path_bytes)
        node->entry = &list->entries[first++];
    for (uint32_t i = node->first_entry; i < node->end_entry; i++)
        node->leads |= !refuses(&list->entries[i]);
    node->first_child = list->node_count;
    while (first < node->end_entry)
        add_child(list, node, &first);
}

static enum brig_code make_tree(struct box_list *list, struct brig_error *reterr)
{
    size_t capacity = 1;
    for (size_t i = 0; i < list->entry_count; i++)
        capacity += components_of(list->entries[i].path);
    list->nodes = calloc(capacity, sizeof *list->nodes);
    if (!list->nodes)
        return failed(reterr, BRIG_OUT_OF_MEMORY, 0, NULL);
    list->nodes[0] = (struct box_node){.path = "/", .path_bytes = 1, .end_entry = (uint32_t)list->entry_count, .fd = -1};
    list->node_count = 1;
    for (uint32_t i = 0; i < list->node_count; i++)
        make_node(list, &list->nodes[i]);
    return BRIG_OK;
}

// --- directories ------------------------------------------------------------------------------------------------------

static bool wants_directory(const struct box_node *node)
{
    // The root has no parent to be found in.
    bool is_root = node->path_bytes == 1;
    return node->leads && (is_root || node->child_count || node->entry->rights & BRIG_BROKER_RECURSIVE);
}

// A path outside /proc may lead there by links (/dev/fd), and then to the broker's own descriptors.
static bool leads_to_proc(int fd)
{
    struct statfs status;
    return fstatfs(fd, &status) == 0 && status.f_type == PROC_SUPER_MAGIC;
}

static enum brig_code open_directory(const struct box_list *list, struct box_node *node, const struct brig_broker_list *given,
                                     struct brig_error *reterr)
{
    char path[BRIG_BROKER_PATH_BYTES];
    memcpy(path, node->path, node->path_bytes);
    path[node->path_bytes] = '\0';
    bool in_proc = is_in_proc(path);
    uint64_t resolve = in_proc ? RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS : 0;
    uint32_t index = list->nodes == node ? 0 : list->entries[node->first_entry].index;
    const char *subject = list->nodes == node ? "/" : given->entries[index].path;
    int fd = box_openat2(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0, resolve);
    if (fd == -ENOENT || fd == -ENOTDIR)
        return BRIG_OK;
    if (fd == -ENOSYS)
        return failed(reterr, BRIG_KERNEL_LACKS, ENOSYS, "openat2");
    if (fd == -ELOOP && in_proc)
        return bad(reterr, subject, index);
    if (fd < 0)
        return failed(reterr, BRIG_IO, -fd, subject);
    node->fd = fd;
    if (!in_proc && strcmp(path, "/proc") != 0 && leads_to_proc(fd))
        return bad(reterr, subject, index);
    return BRIG_OK;
}

static enum brig_code open_directories(struct box_list *list, const struct brig_broker_list *given, struct brig_error *reterr)
{
    for (uint32_t i = 0; i < list->node_count; i++) {
        enum brig_code code = BRIG_OK;
        if (wants_directory(&list->nodes[i]))
            code = open_directory(list, &list->nodes[i], given, reterr);
        if (code != BRIG_OK)
            return code;
    }
    return BRIG_OK;
}

static enum brig_code copy_scalars(struct box_list *made, const struct brig_broker_list *list, struct brig_error *reterr)
{
    const char *directory = list->working_directory ? list->working_directory : "/";
    if (*directory != '/' || box_name_join("/", directory, &made->working_directory) != 0)
        return bad(reterr, "list.working_directory", 0);
    made->working_directory.text[made->working_directory.bytes] = '\0';
    if (list->deny_errno > ERRNO_MAX)
        return bad(reterr, "list.deny_errno", list->deny_errno);
    made->deny_errno = list->deny_errno ? list->deny_errno : EACCES;
    made->may_resolve = list->may_resolve;
    made->uid = geteuid();
    return BRIG_OK;
}

enum brig_code box_list_read(const struct brig_broker_list *list, struct box_list **ret_list, struct brig_error *reterr)
{
    struct box_list *made = calloc(1, sizeof *made);
    if (!made)
        return failed(reterr, BRIG_OUT_OF_MEMORY, 0, NULL);
    enum brig_code code = copy_scalars(made, list, reterr);
    if (code == BRIG_OK)
        code = copy_entries(made, list, reterr);
    if (code == BRIG_OK)
        code = make_tree(made, reterr);
    if (code == BRIG_OK)
        *ret_list = made;
    else
        box_list_free(made);
    return code;
}

enum brig_code box_list_new(const struct brig_broker_list *list, struct box_list **ret_list, struct brig_error *reterr)
{
    struct box_list *made;
    enum brig_code code = box_list_read(list, &made, reterr);
    if (code != BRIG_OK)
        return code;
    code = open_directories(made, list, reterr);
    if (code == BRIG_OK)
        code = box_addresses_new(list, made, reterr);
    if (code == BRIG_OK)
        *ret_list = made;
    else
        box_list_free(made);
    return code;
}

void box_list_free(struct box_list *list)
{
    if (!list)
        return;
    for (uint32_t i = 0; i < list->node_count; i++) {
        if (list->nodes[i].fd >= 0)
            close(list->nodes[i].fd);
    }
    for (size_t i = 0; i < list->entry_count; i++)
        free(list->entries[i].path);
    box_addresses_free(list);
    free(list->nodes);
    free(list->entries);
    free(list);
}

// --- look-up ----------------------------------------------------------------------------------------------------------

static int compare_component(const struct box_node *node, const char *component, size_t bytes)
{
    size_t common = node->name_bytes < bytes ? node->name_bytes : bytes;
    int order = memcmp(node->path + node->path_bytes - node->name_bytes, component, common);
    return order ? order : (node->name_bytes > bytes) - (node->name_bytes < bytes);
}

static const struct box_node *find_child(const struct box_list *list, const struct box_node *node, const char *component,
                                         size_t bytes)
{
    uint32_t low = node->first_child, high = low + node->child_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare_component(&list->nodes[middle], component, bytes);
        if (order == 0)
            return &list->nodes[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

// The directory that a path through this node starts at; `start` is what was best above.
static struct box_found start_of(const struct box_node *node, struct box_found start)
{
    if (node->fd >= 0) {
        start.fd = node->fd;
        start.rest = below(node);
    }
    return start;
}

struct box_found box_list_find(const struct box_list *list, const char *path, uint32_t bytes)
{
    const struct box_node *node = list->nodes;
    struct box_found start = {.fd = -1}, found = {.fd = -1};
    if (is_own_in_proc(path, bytes))
        return found;
    while (node) {
        bool is_end = node->path_bytes == bytes;
        start = start_of(node, start);
        if (node->entry && (is_end || node->entry->rights & (BRIG_BROKER_RECURSIVE | RIGHTS_REFUSE))) {
            found = start;
            found.entry = node->entry;
        }
        if (node->entry && refuses(node->entry))
            return found;
        if (is_end && !found.entry && node->leads) {
            found = start;
            found.is_above = true;
        }
        if (is_end)
            found.has_below = node->child_count != 0;
        uint32_t next = below(node);
        node = is_end ? NULL : find_child(list, node, path + next, strcspn(path + next, "/"));
    }
    return found;
}

bool box_list_allows(const struct box_found *found, unsigned purposes)
{
    static const uint32_t needed[] = {[BOX_LOOK] = 0,
                                      [BOX_READ] = BRIG_BROKER_READ,
                                      [BOX_WRITE] = BRIG_BROKER_WRITE,
                                      [BOX_CREATE] = BRIG_BROKER_CREATE,
                                      [BOX_TEMPORARY] = 0};
    uint32_t rights = found->entry ? found->entry->rights : 0, wanted = 0;
    for (unsigned i = 0; i < sizeof needed / sizeof *needed; i++)
        wanted |= purposes >> i & 1 ? needed[i] : 0;
    if (found->fd < 0 || rights & RIGHTS_REFUSE)
        return false;
    // An entry for temporary files says nothing of files that are there.
    if (rights & BRIG_BROKER_TEMPORARY && !(purposes >> BOX_TEMPORARY & 1))
        rights &= ~(uint32_t)RIGHTS_USE | BRIG_BROKER_FOLLOW;
    return (rights & wanted) == wanted;
}

int box_list_refuse(const struct box_list *list, const struct box_entry *entry, enum brig_broker_verdict *ret_verdict)
{
    *ret_verdict = entry && entry->rights & BRIG_BROKER_CRASH ? BRIG_BROKER_TOUCHED : BRIG_BROKER_DENIED;
    return -(int)(entry ? entry->deny_errno : list->deny_errno);
}
