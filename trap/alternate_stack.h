// alternate_stack: a signal stack for the calling thread. Internal to trap/.
#ifndef BRIG_TRAP_ALTERNATE_STACK_H
#define BRIG_TRAP_ALTERNATE_STACK_H

#include "bpf_dsl/error.h"

// The half of brig_trap_thread_enter that can be done before there is a handler.
//
// Returns, Owns, Context: as brig_trap_thread_enter.
__attribute__((visibility("hidden"))) BRIG_MUST_CHECK enum brig_code trap_stack_give(struct brig_error *reterr);

#endif
