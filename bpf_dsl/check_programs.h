// check_programs: proves that a program returns what others return. Internal to bpf_dsl.
#ifndef BRIG_BPF_DSL_CHECK_PROGRAMS_H
#define BRIG_BPF_DSL_CHECK_PROGRAMS_H

#include "bpf_dsl/check.h"
#include "bpf_dsl/decompile.h"

// Compares `subject` with a stack of programs, the one installed first at stack[0], over all inputs. With one program alone what it
// returns is compared as it is; with several, what the kernel makes of what they return.
// *ret_nr is a number that is decided differently.
enum dsl_checked dsl_check_programs(const struct dsl_code *stack, uint32_t stack_count, const struct dsl_code *subject,
                                    struct brig_dsl_arena *arena, uint32_t *ret_nr);

#endif
