// attempts: what a hijacked worker tries. Run inside the worker; whether it worked is observed by the host (verdicts.h).
#ifndef BRIG_TOOLS_SAMPLE_ATTEMPTS_H
#define BRIG_TOOLS_SAMPLE_ATTEMPTS_H

#include <stddef.h>

// Descriptor numbers that the attempts through foreign call tables leave behind, where the host looks for them.
#define ATTEMPT_I386_FD 61
#define ATTEMPT_X32_FD 62

// Runs an attempt. `text` is "NAME ARGUMENT". Does not return where the attempt replaces or ends the process.
// Writes what came of it, as the worker sees it: "fd 5", "EACCES", into ret_outcome.
void attempt_run(const char *text, char *ret_outcome, size_t outcome_bytes);

#endif
