// control: what a supervisor and its broker tell each other, over the broker's channel (SOCK_SEQPACKET), and the table of refusals
// that they share.
//
// The broker reads what hostile workers wrote, so its own word is not taken for more than it is: the supervisor copies a message or
// a table once, checks it, and uses the copy; a message can at worst end workers of this very broker.
#ifndef BRIG_SANDBOX_BROKER_CONTROL_H
#define BRIG_SANDBOX_BROKER_CONTROL_H

#include "sandbox/broker.h"

// --- to the broker ----------------------------------------------------------------------------------------------------

enum box_control_kind {
    BOX_CONTROL_NONE,
    BOX_CONTROL_OPEN,     // a new session of a linked worker, with the descriptors of enum box_control_fd
    BOX_CONTROL_MESSAGES, // a new session of a front end, with one descriptor: a socket
    BOX_CONTROL_CLOSE,    // its worker is gone
    BOX_CONTROL_COUNT,    // what workers refused themselves is to be in the table; `session` is the number of this question
};
enum box_control_fd { BOX_CONTROL_LISTENER, BOX_CONTROL_SLOTS, BOX_CONTROL_SOCKET, BOX_CONTROL_FDS };

struct box_control {
    uint32_t kind;
    uint32_t session; // the supervisor's number for it, never 0; of COUNT, of the question
    uint32_t client;  // the same for all sessions of one client: its first one's number
};

// --- from the broker --------------------------------------------------------------------------------------------------

enum box_news_kind {
    BOX_NEWS_NONE,
    BOX_NEWS_CLOSED,  // the session is over: `what` says why
    BOX_NEWS_TOUCHED, // the worker asked for a path that nobody may touch: `what` is the entry
};

struct box_news {
    uint32_t kind;
    uint32_t session;
    int32_t pid; // of the asking process: the worker, or one that it forked
    uint32_t op;
    uint32_t call; // enum brig_dsl_call, as the worker claims
    int32_t sys_errno;
    char what[128];
    char path[256]; // its end, if it is longer
};

// --- refusals ---------------------------------------------------------------------------------------------------------

#define BOX_DENIALS 256

struct box_denial {
    uint32_t call, op, flags;
    int32_t sys_errno;
    uint64_t count; // grows
    char path[256]; // its end, if it is longer; does not change any more
};

// In memory that both map. The broker writes; an entry is whole when `used` says that it is there.
struct box_denials {
    uint32_t used;
    uint32_t counted; // the last COUNT that was done; a futex
    struct box_denial entries[BOX_DENIALS];
};

// --- names ------------------------------------------------------------------------------------------------------------

// Makes of a list what its workers are to know; nothing (count 0) of one that is too long for that (list_names.c). Returns: OK;
// BAD_ARGUMENT; OUT_OF_MEMORY. Context: normal; nothing is opened.
enum brig_code box_names_of(const struct brig_broker_list *list, struct brig_broker_names *ret_names, struct brig_error *reterr);
// Copies what is used of them; `to` is zeroed memory.
void box_names_copy(struct brig_broker_names *to, const struct brig_broker_names *from);

// --- the broker's process ---------------------------------------------------------------------------------------------

// What the process needs to know, made before fork.
struct box_broker_start {
    const struct brig_broker_list *list;
    int denials_fd;
    // Filled in by the preparation, in the broker.
    int nscd_fd; // a listener, or -1 where names are not resolved
    struct box_list *opened;
    struct box_denials *denials;
    int wake_fd;
    unsigned processors; // that it may run on
};

// Opens the list, and gives up what the broker will not need: a struct box_preparation's function, `data` is a box_broker_start.
// Returns: as brig_broker_start. Context: after fork, one thread.
enum brig_code box_broker_prepare(void *data, struct brig_error *reterr);

// The broker's entry function: serves sessions until its supervisor closes the channel. Returns: an exit status.
// Context: locked.
int box_broker_run(void *data, int channel_fd);

#endif
