// list: a permission list made ready for look-ups, and names as text. Internal to the pure part of the broker.
#ifndef BRIG_SANDBOX_BROKER_LIST_H
#define BRIG_SANDBOX_BROKER_LIST_H

#include "sandbox/broker/broker.h"

// --- names as text (names.c) ------------------------------------------------------------------------------------------

// An absolute path without "." and "..", "//" and final slash; "/" is the root.
struct box_name {
    uint32_t bytes;
    char text[BRIG_BROKER_PATH_BYTES + 4];
};

// Takes the next component of `*text` and moves it on. Returns: false if there is none.
bool box_next_component(const char **text, const char **ret_component, size_t *ret_bytes);

// Returns: false if the path would be too long.
bool box_name_push(struct box_name *name, const char *component, size_t bytes);

// Takes the last component away; the root stays.
void box_name_pop(struct box_name *name);

// Puts "/" or "/." behind the text, without counting it; the root needs neither.
void box_name_end(struct box_name *name, const char *ending);

// Joins a directory and a name by their text. The ending that the name had ("", "/" or "/.") stands behind the text, uncounted.
// Returns: 0; -ENOENT (the name is empty); -ENAMETOOLONG; -EXDEV: the name holds "..", so its text is not enough.
int box_name_join(const char *start, const char *text, struct box_name *ret_name);

// --- the list (list.c) ------------------------------------------------------------------------------------------------

struct box_entry {
    char *path;
    uint32_t path_bytes;
    uint32_t rights;
    uint16_t deny_errno; // the list's, if it has none
    uint32_t index;      // in the caller's list
};

// One component of the paths of the list. The children of a node stand beside each other, sorted.
struct box_node {
    const char *path; // begins with the node's path
    uint32_t path_bytes;
    uint32_t name_bytes; // of its last component
    uint32_t first_child;
    uint32_t child_count;
    uint32_t first_entry; // of those at and below it
    uint32_t end_entry;
    const struct box_entry *entry; // at it, or NULL
    int fd;                        // its directory, O_PATH, or -1
    bool leads;                    // to an entry that allows something, at or below it
};

struct box_address;

struct box_list {
    struct box_entry *entries; // sorted
    size_t entry_count;
    struct box_node *nodes; // the root first
    uint32_t node_count;
    struct box_address *addresses;
    size_t address_count;
    struct box_name working_directory;
    uint32_t uid; // of the broker
    uint16_t deny_errno;
    bool may_resolve;
};

// What the list says about a path.
struct box_found {
    const struct box_entry *entry; // that decides, or NULL
    int fd;                        // directory to start at, -1: there is none
    uint32_t rest;                 // offset of the path that is left below it
    bool is_above;                 // no entry covers the path, but one that allows something is below it
    bool has_below;                // an entry is below it
};

// Looks a path up, which is normal and `bytes` long: one binary search for each component, nothing allocated. Context: any thread.
struct box_found box_list_find(const struct box_list *list, const char *path, uint32_t bytes);

// Whether the list gives what `purposes` ask for there.
bool box_list_allows(const struct box_found *found, unsigned purposes);

// The errno of a refusal, negative, and its verdict. `entry` may be NULL.
int box_list_refuse(const struct box_list *list, const struct box_entry *entry, enum brig_broker_verdict *ret_verdict);

// openat2 as a result. Returns: a descriptor (close-on-exec) or -errno.
int box_openat2(int dir_fd, const char *name, uint64_t flags, uint64_t mode, uint64_t resolve);

// --- places (resolve.c) -----------------------------------------------------------------------------------------------

// Asks the list about the path of a place, and fills the rest of it. Returns: as box_resolve.
int box_place_fill(const struct box_list *list, const struct box_question *question, struct box_place *ret_place,
                   enum brig_broker_verdict *ret_verdict);

// --- addresses (addresses.c) ------------------------------------------------------------------------------------------

enum brig_code box_addresses_new(const struct brig_broker_list *list, struct box_list *made, struct brig_error *reterr);
void box_addresses_free(struct box_list *list);

// Connects a socket to an address that the list has. `address` is a private copy of `bytes` bytes. Returns: 0 or -errno; of the
// list with a verdict.
int box_addresses_connect(const struct box_list *list, int socket_fd, const void *address, size_t bytes,
                          enum brig_broker_verdict *ret_verdict);

#endif
