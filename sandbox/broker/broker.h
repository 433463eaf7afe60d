// broker: what the files of broker/ share. The list as the broker sees it, a place that a name leads to, and one request being
// served. Internal.
#ifndef BRIG_SANDBOX_BROKER_BROKER_H
#define BRIG_SANDBOX_BROKER_BROKER_H

#include "sandbox/broker.h"

// --- the list (list.c) ------------------------------------------------------------------------------------------------

struct box_list;

// Checks a list, copies it, and opens the directories of its entries (O_PATH). Returns: as brig_broker_start says.
enum brig_code box_list_new(const struct brig_broker_list *list, struct box_list **ret_list, struct brig_error *reterr);
void box_list_free(struct box_list *list);

// --- where a name leads (resolve.c) -----------------------------------------------------------------------------------

// What a request wants to do with the last component of a name.
enum box_purpose {
    BOX_LOOK,   // look at it: STAT_ONLY is enough
    BOX_READ,   // READ
    BOX_WRITE,  // WRITE
    BOX_CREATE, // CREATE: the name itself is made, removed or changed
};

// Result of a look-up: `dir_fd` and `name` are for openat2 (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS) or,
// split in parent and last component, for the calls that take no RESOLVE flags.
struct box_place {
    int dir_fd;                        // an entry's directory; belongs to the list
    const char *name;                  // relative to it, no "..", "." for the entry itself; points into `path`
    uint32_t rights;                   // enum brig_broker_rights of the deciding entry
    char path[BRIG_BROKER_PATH_BYTES]; // virtual, absolute, normal
};

// Decides about a name.
//
// Takes the virtual directory that a relative name starts at (from box_directory_path, or the list's). With `follow_last` a
// symbolic link in the last component is followed where the list allows. Returns: 0; -errno of the kernel (ENOENT, ENOTDIR, ELOOP,
// ENAMETOOLONG ...); or of the list, and then *ret_verdict is DENIED or TOUCHED.
int box_resolve(const struct box_list *list, const char *start, const char *name, unsigned purposes, bool follow_last,
                struct box_place *ret_place, enum brig_broker_verdict *ret_verdict);
// `purposes` is a set: 1 << BOX_LOOK, ...

// The virtual path of a directory descriptor that a client sent: by /proc/self/fd, checked to be a directory that is still there.
// Returns: 0 or -errno (EBADF, ENOTDIR, EACCES where it is no place of the file system). It gives no right to anything.
int box_directory_path(int dir_fd, char path[BRIG_BROKER_PATH_BYTES]);

// --- one request (serve.c, serve_*.c) ---------------------------------------------------------------------------------

struct box_job {
    const struct box_list *list;
    const struct brig_broker_request *request; // private copy, checked by box_request_check
    const char *path[2];                       // into it, NUL-terminated; NULL if there is none
    const uint8_t *data;
    int attached[3]; // -1: not attached; closed by the caller
    struct brig_broker_reply *reply;
    int descriptor; // out: what is to be handed over, -1: none; closed by the caller
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

// --- sessions (session.c) ---------------------------------------------------------------------------------------------
// Owned by the helper who builds the broker process; declared there.

#endif
