// z3_library: the functions of Z3, found in its shared library when the first question is asked.
//
//   prove_z3.mk_and(solver->z3, 2, both) is Z3_mk_and(solver->z3, 2, both)
//
// Nothing links the library, because a program that does loads it at every start, with C++'s own: longer than most verbs of `brig`
// take, for the few that ask something. One table serves the process, as the linker's would.
#ifndef BRIG_TOOLS_PROVE_Z3_LIBRARY_H
#define BRIG_TOOLS_PROVE_Z3_LIBRARY_H

#include <z3.h>

struct prove_z3_functions {
#define Z3_FUNCTION(name) __typeof__(Z3_##name) *name;
#include "tools/prove/z3_functions.def"
#undef Z3_FUNCTION
};

// Not to be used before prove_z3_load has returned NULL.
extern struct prove_z3_functions prove_z3;

// Fills prove_z3, unless it has been filled. Returns: NULL; or why not, a sentence that stays.
const char *prove_z3_load(void);

#endif
