// interposed: the wrappers under libc's own names, for dynamic programs. Takes part in the search for symbols before libc does,
// because it is linked (or preloaded) before it; libc's own functions are the next ones.
#include <dlfcn.h>
#include <string.h>

#include "trap/wrap/wrap.h"

static struct trap_wrap_real real;
static bool is_filled;

// A pointer to data becomes one to a function by its bytes: dlsym(3) has no other way that is C.
static void find(const char *name, void *ret_function)
{
    void *const function = dlsym(RTLD_NEXT, name);
    memcpy(ret_function, &function, sizeof function);
}

// Before anything runs in which dlsym(3) could not be called, such as a signal handler.
__attribute__((constructor)) static void fill(void)
{
#define WRAP(type, name, parameters, arguments) find(#name, &real.name);
#define REPLACE(type, name, parameters, arguments)
#define WAIT WRAP
#define OPEN(name, parameters, arguments) WRAP(int, name, parameters, arguments)
#include "trap/wrap/wrap.def"
#undef WRAP
#undef REPLACE
#undef WAIT
#undef OPEN
    __atomic_store_n(&is_filled, true, __ATOMIC_RELEASE);
}

const struct trap_wrap_real *trap_wrap_real(void)
{
    if (!__atomic_load_n(&is_filled, __ATOMIC_ACQUIRE)) {
        fill(); // somebody's constructor was earlier
    }
    return &real;
}

#define WRAP(type, name, parameters, arguments) \
    __attribute__((visibility("default"))) type name parameters; \
    type name parameters \
    { \
        return trap_wrap_##name arguments; \
    }
#define REPLACE WRAP
#define WAIT WRAP
#define OPEN(name, parameters, arguments) \
    __attribute__((visibility("default"))) int name parameters; \
    int name parameters TRAP_WRAP_OPEN_BODY(name, arguments)
#include "trap/wrap/wrap.def"
