// improve: what `optimize` and `merge` share: programs in, one program out, proven by Z3, with figures of before and after.
#ifndef BRIG_TOOLS_BRIG_IMPROVE_H
#define BRIG_TOOLS_BRIG_IMPROVE_H

#include "bpf_dsl/optimize.h"
#include "tools/brig/write_program.h"
#include "tools/prove/prove.h"

enum { IMPROVE_MOST_PROGRAMS = 64 };

// The options that both verbs have, in this order at the start of their tables.
#define IMPROVE_OPTIONS \
    TOOL_OPTION_ARCH, TOOL_OPTION_OUTPUT, TOOL_OPTION_KERNEL, TOOL_OPTION_TARGET, TOOL_OPTION_FROM, TOOL_OPTION_CAP, \
        WRITE_PROGRAM_OPTION_FORMAT, \
        {"stats", 0, NULL, "print figures of before and after; instead of the program, unless -o says where that goes"}, \
        TOOL_OPTION_JSON, TOOL_OPTION_PROFILE, TOOL_OPTION_PROFILE_TYPE, \
        {"timeout", 0, "SECONDS", "give up the proof after SECONDS (120)"}, \
    { \
        NULL, 0, NULL, NULL \
    }

// What makes one program of several, or of one.
typedef enum brig_code improve_function(const struct brig_dsl_filter *filters, size_t count, const struct brig_dsl_options *options,
                                        struct brig_dsl_arena *arena, struct brig_dsl_optimized *ret_optimized,
                                        struct brig_error *reterr);

// Runs a verb whose command line was read. Returns: the exit status.
int improve_run(const struct write_program_kind *kind, const struct tool_arguments *arguments, improve_function *improve_programs);

#endif
