// z3_library: libz3.so.4, loaded on demand.
//
// Takes: nothing. Gives: the table of its functions, or which library or function is missing, and where it was looked for.
// Guarantees: the compiler has checked every call against <z3.h>; the library is the one that the linker would have named, found in
// the places where the dynamic linker looks, and stays until the process ends. Weaknesses: whoever makes packages of `brig` has to
// name the library's, because no tool sees that it is used.
#include "tools/prove/z3_library.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>
#include <z3_version.h>

#define LIBRARY "libz3.so.4"
#define PACKAGE "libz3-4"

_Static_assert(Z3_MAJOR_VERSION == 4, "the header is another library's");

struct prove_z3_functions prove_z3;

static const struct {
    const char *name;
    size_t offset; // of its pointer
} functions[] = {
#define Z3_FUNCTION(name) {"Z3_" #name, offsetof(struct prove_z3_functions, name)},
#include "tools/prove/z3_functions.def"
#undef Z3_FUNCTION
};

// Says what the dynamic linker could not do.
static const char *explain(void)
{
    static char sentence[512];
    const char *reason = dlerror();
    snprintf(sentence, sizeof sentence, "Z3 cannot be loaded: %s (it is in Debian's package " PACKAGE ")",
             reason != NULL ? reason : LIBRARY);
    // Names of folders come from the environment, and what is said may become JSON.
    for (char *at = sentence; *at != '\0'; at++) {
        if (*at < ' ' || *at > '~') {
            *at = '?';
        }
    }
    return sentence;
}

// Returns: whether all were found.
static bool find_functions(void *library, struct prove_z3_functions *ret_found)
{
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        void *function = dlsym(library, functions[i].name);
        if (function == NULL) {
            return false;
        }
        memcpy((char *)ret_found + functions[i].offset, &function, sizeof function);
    }
    return true;
}

const char *prove_z3_load(void)
{
    static bool is_loaded;
    struct prove_z3_functions found;
    if (is_loaded) {
        return NULL;
    }
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        return explain();
    }
    if (!find_functions(library, &found)) {
        const char *why = explain();
        dlclose(library);
        return why;
    }
    prove_z3 = found;
    is_loaded = true;
    return NULL;
}
