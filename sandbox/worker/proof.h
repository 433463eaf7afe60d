// proof: whether a filter is on, asked from the inside.
#ifndef BRIG_SANDBOX_WORKER_PROOF_H
#define BRIG_SANDBOX_WORKER_PROOF_H

#include "bpf_dsl/bpf_dsl.h"

// Beyond this many threads the others are not asked; the supervisor's read-back asks all.
#define BOX_PROOF_THREADS 64

// Status files of this process's threads, opened while that is still allowed.
struct box_proof {
    int fds[BOX_PROOF_THREADS];
    size_t count;
};

// Opens the status files. Opens none if `program` would not let them be read and closed again. Context: normal.
void box_proof_open(struct box_proof *proof, const struct brig_dsl_program *program);

// Closes the files without asking. Context: normal.
void box_proof_close(struct box_proof *proof);

// Asks the calling thread's filter by the probe number, and the other threads by their status files, and closes these.
// Returns: NULL, or a static string that says what is not as it must be. Context: locked.
const char *box_proof_check(struct box_proof *proof);

#endif
