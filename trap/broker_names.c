// broker_names: which names a broker's list refuses whatever they lead to. Context: any, signal handler too.
//
// Takes the list's components as a tree and goes down it with those of a path, without a copy of either. What needs more than that
// (links, "..", rights, names of processes in /proc, names near PATH_MAX, flags that the kernel itself would refuse) is left to the
// broker, whose own look-up (sandbox/broker/list.c) decides; tests compare the two.
//
// The tree lies in memory that every thread of the worker can write. Numbers in it are held to its bounds, no more: who scribbles
// there can make this thread ask, or be refused.

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <string.h>

#include "trap/broker.h"
#include "trap/broker_parts.h"

#define NOWHERE UINT32_MAX
#define SPECIAL_BITS 07000u // set-id and sticky
#if defined(__aarch64__)
#define LARGE_FILE 0400000u // the kernel's O_LARGEFILE, which musl says always and 64-bit glibc calls 0
#else
#define LARGE_FILE 0100000u
#endif
// Flags of open that every kernel takes in any combination, but for O_CREAT with O_DIRECTORY, and O_ACCMODE itself.
#define PLAIN_FLAGS \
    ((uint32_t)(O_RDWR | O_WRONLY | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC) | \
     LARGE_FILE)

// Where a walk stands: at a node of the tree or, beside it, nowhere.
struct walk {
    const struct brig_broker_names *names;
    uint32_t node;
    uint32_t depth;
    uint32_t bytes; // of the path so far
    bool is_covered;
    bool must_ask;
    int denied; // errno
};

static const struct brig_broker_name *node_of(const struct walk *walk)
{
    return &walk->names->nodes[walk->node];
}

// Takes what an entry at this node says of the path. Nothing below it matters where it denies.
static void arrive(struct walk *walk)
{
    const uint32_t kind = node_of(walk)->kind;
    if (kind & BRIG_BROKER_NAME_CRASHES) {
        walk->must_ask = true;
    } else if (kind & BRIG_BROKER_NAME_DENIES && walk->denied == 0) {
        walk->denied = node_of(walk)->deny_errno;
    }
    walk->is_covered |= (kind & BRIG_BROKER_NAME_COVERS) != 0;
}

static int compare(const struct brig_broker_names *names, const struct brig_broker_name *node, const char *component,
                   uint32_t bytes)
{
    const uint32_t common = node->bytes < bytes ? node->bytes : bytes;
    const char *text = names->text + node->text;
    for (uint32_t i = 0; i < common; i++) {
        if (text[i] != component[i]) {
            return (unsigned char)text[i] < (unsigned char)component[i] ? -1 : 1;
        }
    }
    return (node->bytes > bytes) - (node->bytes < bytes);
}

static bool is_whole(const struct brig_broker_name *node)
{
    return node->text <= BRIG_BROKER_NAMES_TEXT && node->bytes <= BRIG_BROKER_NAMES_TEXT - node->text;
}

static uint32_t find_child(const struct walk *walk, const char *component, uint32_t bytes)
{
    const struct brig_broker_name *parent = node_of(walk);
    uint32_t low = parent->first_child;
    uint32_t high = low + parent->child_count;
    if (low > BRIG_BROKER_NAMES || high > BRIG_BROKER_NAMES) {
        return NOWHERE;
    }
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const struct brig_broker_name *node = &walk->names->nodes[middle];
        const int order = is_whole(node) ? compare(walk->names, node, component, bytes) : 0;
        if (order == 0) {
            return middle;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return NOWHERE;
}

static bool is_text(const char *component, uint32_t bytes, const char *text)
{
    uint32_t i = 0;
    while (i < bytes && text[i] && component[i] == text[i]) {
        i++;
    }
    return i == bytes && !text[i];
}

static void step(struct walk *walk, const char *component, uint32_t bytes)
{
    if (is_text(component, bytes, ".")) {
        return;
    }
    walk->bytes += bytes + 1;
    walk->must_ask |= is_text(component, bytes, "..");
    walk->node = walk->node == NOWHERE ? NOWHERE : find_child(walk, component, bytes);
    if (walk->node != NOWHERE) {
        walk->must_ask |= walk->depth == 0 && is_text(component, bytes, "proc");
        arrive(walk);
    }
    walk->depth++;
}

static void follow(struct walk *walk, const char *path, uint32_t bytes)
{
    uint32_t at = 0;
    while (at < bytes && !walk->must_ask) {
        uint32_t end = at;
        while (end < bytes && path[end] != '/') {
            end++;
        }
        if (end > at) {
            step(walk, path + at, end - at);
        }
        at = end + 1;
    }
}

// Whether the broker would look at the name before it looks at anything else.
static bool is_plain(const struct brig_broker_request *request)
{
    const bool is_open = request->op == BRIG_BROKER_OP_OPEN;
    uint32_t flags = 0;
    switch ((enum brig_broker_op)request->op) {
    case BRIG_BROKER_OP_OPEN:
        flags = PLAIN_FLAGS | (request->flags & O_CREAT ? 0u : (uint32_t)O_DIRECTORY);
        break;
    case BRIG_BROKER_OP_ACCESS:
        flags = AT_SYMLINK_NOFOLLOW | AT_EACCESS;
        break;
    case BRIG_BROKER_OP_STAT:
        flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
        break;
    case BRIG_BROKER_OP_READLINK:
        break;
    default:
        return false;
    }
    const bool has_odd_mode = is_open ? (request->mode & SPECIAL_BITS) || (request->flags & O_ACCMODE) == O_ACCMODE
                                      : request->op == BRIG_BROKER_OP_ACCESS && request->mode > 7;
    const bool has_odd_number = is_open ? request->call == BRIG_SYS_openat2 : (request->number & STATX__RESERVED) != 0;
    return !(request->flags & ~flags) && !has_odd_mode && !has_odd_number;
}

int brig_broker_names_refuse(const struct brig_broker_names *names, const struct brig_broker_request *request)
{
    struct walk walk = {.names = names, .bytes = 1};
    const uint32_t bytes = request->path_bytes[0];
    const char *path = (const char *)request->bytes;
    if (names->count == 0 || request->attached || bytes < 2 || bytes > BRIG_BROKER_PATH_BYTES || !is_plain(request)) {
        return 0;
    }
    arrive(&walk);
    if (*path != '/') {
        const uint32_t room = BRIG_BROKER_NAMES_TEXT;
        const uint32_t start = names->directory < room ? names->directory : room;
        follow(&walk, names->text + start, names->directory_bytes < room - start ? names->directory_bytes : room - start);
    }
    follow(&walk, path, bytes - 1);
    if (walk.must_ask || walk.bytes >= BRIG_BROKER_PATH_BYTES) {
        return 0;
    }
    if (walk.denied) {
        return walk.denied;
    }
    const bool is_listed = walk.node != NOWHERE && (node_of(&walk)->kind & (BRIG_BROKER_NAME_IS | BRIG_BROKER_NAME_LEADS)) != 0;
    return walk.is_covered || is_listed ? 0 : (int)names->deny_errno;
}
