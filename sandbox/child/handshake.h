// handshake: one page that a worker and its supervisor share from fork until the worker enters.
//
// Not a socket: a locked worker may neither read nor close, but the handler's rows of every program let it wait on a word of shared
// memory and write to the notify descriptor. So "locked" and "go" pass through this page.
//
//   CREATED -> (supervisor) START -> (worker) LOCKED -> (supervisor, after the read-back) GO
//                                 -> (worker) FAILED, error filled in, and the worker exits
//
// The page is a wire format between a possibly hostile writer and a careful reader, as the slots are: the reader copies it once,
// checks the copy, and uses the copy. Anything but these steps is WORKER_LIED.
#ifndef BRIG_SANDBOX_CHILD_HANDSHAKE_H
#define BRIG_SANDBOX_CHILD_HANDSHAKE_H

#include <stdint.h>

#include "bpf_dsl/error.h"

enum box_phase { BOX_PHASE_CREATED, BOX_PHASE_START, BOX_PHASE_LOCKED, BOX_PHASE_FAILED, BOX_PHASE_GO };

// An error without pointers. Texts are cut to their field and always terminated; an empty one was NULL.
struct box_wire_error {
    uint32_t code;
    int32_t sys_errno;
    int32_t line;
    uint32_t reserved;
    int64_t detail;
    char step[64];
    char subject[160];
    char file[160];
};

struct box_handshake {
    uint32_t phase; // enum box_phase; accessed with __atomic builtins, futex word
    uint32_t reserved;
    struct box_wire_error error;
};

#endif
