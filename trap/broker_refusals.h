// broker_refusals: what a linked worker can refuse itself, because the broker would: the names of the list, and what was refused
// without a word to the broker, for its counts. Part of broker.h's shared memory.
//
// A worker that answers itself is a worker that obeys: what stands here gives nobody anything. The supervisor writes the names, the
// worker reads them; what it scribbles there it can only refuse itself. The refusals it posts are read by the broker, which
// believes none of them: it asks its own list.
#ifndef BRIG_TRAP_BROKER_REFUSALS_H
#define BRIG_TRAP_BROKER_REFUSALS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// --- names ------------------------------------------------------------------------------------------------------------

// A list that has more than this is asked of the broker.
#define BRIG_BROKER_NAMES 1024
#define BRIG_BROKER_NAMES_TEXT 16384

enum brig_broker_name_kind {
    BRIG_BROKER_NAME_LEADS = 1,  // an entry that allows something is here or below
    BRIG_BROKER_NAME_IS = 2,     // an entry allows something here
    BRIG_BROKER_NAME_COVERS = 4, // and below
    BRIG_BROKER_NAME_DENIES = 8, // an entry refuses this and all below, with `deny_errno`
    BRIG_BROKER_NAME_CRASHES = 16,
};

// One component of the paths of a list.
struct brig_broker_name {
    uint32_t text; // offset in `text`
    uint32_t first_child;
    uint16_t child_count; // beside each other, sorted by their bytes, the shorter one first
    uint16_t bytes;
    uint16_t deny_errno;
    uint16_t kind; // set of enum brig_broker_name_kind
};

struct brig_broker_names {
    uint32_t count;                                   // 0: unknown; nothing is refused here
    uint32_t deny_errno;                              // of what no entry covers
    uint32_t directory;                               // offset of what relative paths start with, absolute and without "." and ".."
    uint32_t directory_bytes;                         // without a NUL
    struct brig_broker_name nodes[BRIG_BROKER_NAMES]; // the root first
    char text[BRIG_BROKER_NAMES_TEXT];
};

struct brig_broker_request;

// Says whether the names of a request alone are enough for the broker to refuse it, whatever is in the file system: no entry covers
// the path or leads below it, or one denies it.
//
// Returns: the errno, or 0: the broker has to be asked. Context: any, signal handler too.
int brig_broker_names_refuse(const struct brig_broker_names *names, const struct brig_broker_request *request);

// --- refusals ---------------------------------------------------------------------------------------------------------

#define BRIG_BROKER_REFUSALS 64
#define BRIG_BROKER_REFUSAL_PATH_BYTES 224 // a multiple of 16

// A request that was refused in the worker: of the words that a request has, those that decide.
struct brig_broker_refusal {
    uint32_t turn; // one more than its index since the beginning, once it is whole
    uint32_t op, call, flags, mode;
    uint32_t path_bytes; // with the NUL
    uint64_t number;
    char path[BRIG_BROKER_REFUSAL_PATH_BYTES];
};

// A ring. Posting never waits: who finds it full asks the broker, which then reads all of it.
struct brig_broker_refusals {
    uint32_t posted; // by the worker
    uint32_t taken;  // by the broker, for the worker to see; the broker counts for itself
    struct brig_broker_refusal ring[BRIG_BROKER_REFUSALS];
};

#ifdef __cplusplus
}
#endif
#endif
