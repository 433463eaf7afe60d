// broker: what the files of broker/ share. The list as the broker sees it, a place that a name leads to, and one request being
// served. Internal.
#ifndef BRIG_SANDBOX_BROKER_BROKER_H
#define BRIG_SANDBOX_BROKER_BROKER_H

#include "sandbox/broker.h"

// --- the list (list.c) ------------------------------------------------------------------------------------------------

struct box_list;

// Checks a list, copies it, and opens the directories of its entries (O_PATH). Returns: as brig_broker_start says.
enum brig_code box_list_new(const struct brig_broker_list *list, struct box_list **ret_list, struct brig_error *reterr);
// The same without opening anything, and without addresses: what its names say. Returns: OK; BAD_ARGUMENT; OUT_OF_MEMORY.
enum brig_code box_list_read(const struct brig_broker_list *list, struct box_list **ret_list, struct brig_error *reterr);
void box_list_free(struct box_list *list);

// --- where a name leads (resolve.c, walk.c) -----------------------------------------------------------------------------

// What a request wants to do with what a name leads to. `purposes` below is a set: 1 << BOX_LOOK, ...
enum box_purpose {
    BOX_LOOK,      // look at it: any entry is enough, and so is being a directory above one
    BOX_READ,      // READ
    BOX_WRITE,     // WRITE
    BOX_CREATE,    // CREATE: the name itself is made, removed or changed
    BOX_TEMPORARY, // said beside others: the file is new, so an entry for temporary files allows them
};

enum box_ending {
    BOX_FOLLOW, // a link in the last component is followed where the list allows
    BOX_KEEP,   // it is not: the request is about the link, or refuses one
    BOX_NAME,   // the last component is a name that is made, removed or changed; what it leads to does not matter
};

struct box_question {
    const char *start; // virtual directory that a relative name starts at: box_directory_path's, or the list's
    const char *name;
    unsigned purposes;
    enum box_ending ending;
    bool makes_file;  // O_CREAT
    uint64_t resolve; // RESOLVE_* that the asking call wants beside ours
};

// Where a name leads: `dir_fd` and `name` are for openat2 with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS.
struct box_place {
    int dir_fd;                            // a directory of the list
    const char *name;                      // relative to it, no "..", "." for the directory itself; points into `path`
    const char *last;                      // BOX_NAME with a name that cannot be made or removed: ".", ".." or "/"; else NULL
    uint32_t rights;                       // enum brig_broker_rights of the deciding entry
    uint16_t deny_errno;                   // and its errno
    bool has_below;                        // entries are listed below it
    bool is_exact;                         // it is the deciding entry's own path
    bool is_link;                          // walked, and the last component is a link that was kept
    uint32_t path_bytes;                   // without the ending "", "/" or "/."
    char path[BRIG_BROKER_PATH_BYTES + 4]; // virtual, absolute, normal
};

// Decides about a name, by its text alone where that is possible.
//
// Returns: 0; -errno of the kernel (ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG ...); or of the list, and then *ret_verdict is DENIED or
// TOUCHED.
int box_resolve(const struct box_list *list, const struct box_question *question, struct box_place *ret_place,
                enum brig_broker_verdict *ret_verdict);

// The same, component by component, following links: for names that hold "..", and after the kernel said ELOOP.
int box_walk(const struct box_list *list, const struct box_question *question, struct box_place *ret_place,
             enum brig_broker_verdict *ret_verdict);

// What is opened at a place.
struct box_opening {
    uint64_t flags;    // of openat2
    uint64_t mode;     // of openat2
    bool wants_parent; // the directory that holds the last component instead, O_PATH
};

// Resolves and opens: what was checked, without a link, or not at all. Retries a bounded number of times if names change meanwhile.
// Returns: a descriptor, or -errno as box_resolve; ELOOP also if names would not stop changing.
int box_open(const struct box_list *list, const struct box_question *question, const struct box_opening *opening,
             struct box_place *ret_place, enum brig_broker_verdict *ret_verdict);

// The last component for a call relative to a parent that box_open opened.
const char *box_place_last(const struct box_place *place);

// The virtual path of a directory descriptor that a client sent: by /proc/self/fd, checked to be a directory that is still there.
// Returns: 0 or -errno (EBADF, ENOTDIR, ENOENT if it was removed, EACCES where it is no place of the file system). It gives no
// right to anything.
int box_directory_path(int dir_fd, char path[BRIG_BROKER_PATH_BYTES]);

// --- one request (serve.c, serve_*.c) ---------------------------------------------------------------------------------

struct box_nscd;
struct box_job {
    const struct box_list *list;
    struct box_nscd *nscd;                     // what answers in nscd's place, or NULL
    uint32_t client;                           // who asks, for nscd's limits
    const struct brig_broker_request *request; // private copy, checked by box_request_check
    const char *path[2];                       // into it, NUL-terminated; NULL if there is none
    const uint8_t *data;
    int attached[3]; // -1: not attached; closed by the caller
    struct brig_broker_reply *reply;
    bool only_decides; // nothing is opened or done: the reply's verdict is the list's, and its result what the list says
    int descriptor;    // out: what is to be handed over, -1: none; closed by the caller
};

// Checks a private copy that is `bytes` long: sizes, op, NULs, attached descriptors as the op wants them.
// Returns: NULL, or a static string that says what is malformed.
const char *box_request_check(const struct brig_broker_request *request, size_t bytes);

// Does what a checked request asks, or refuses it: fills job->reply and job->descriptor. Never waits for another request.
// Context: the broker's threads, and tests.
void box_serve(struct box_job *job);

// One function per row of broker_ops.def, in serve_*.c. Each fills job->reply and job->descriptor.
#define OP(name, answer, paths, what) void box_serve_##name(struct box_job *job);
#include "trap/broker_ops.def"
#undef OP

#endif
