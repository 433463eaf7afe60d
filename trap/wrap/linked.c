// linked: the wrappers under the names that ld's --wrap looks for, for static programs and for those that do not want libc's names
// in themselves. A name that stands in wrap.def and not in wrap.flags, or the other way round, does not link.
#include "trap/wrap/wrap.h"

#define WRAP(type, name, parameters, arguments) \
    type __real_##name parameters; \
    type __wrap_##name parameters; \
    type __wrap_##name parameters \
    { \
        return trap_wrap_##name arguments; \
    }
#define REPLACE(type, name, parameters, arguments) \
    type __wrap_##name parameters; \
    type __wrap_##name parameters \
    { \
        return trap_wrap_##name arguments; \
    }
#define WAIT WRAP
#define OPEN(name, parameters, arguments) \
    int __real_##name parameters; \
    int __wrap_##name parameters; \
    int __wrap_##name parameters TRAP_WRAP_OPEN_BODY(name, arguments)
#include "trap/wrap/wrap.def"
#undef WRAP
#undef REPLACE
#undef WAIT
#undef OPEN

const struct trap_wrap_real *trap_wrap_real(void)
{
    static const struct trap_wrap_real real = {
#define WRAP(type, name, parameters, arguments) .name = __real_##name,
#define REPLACE(type, name, parameters, arguments)
#define WAIT WRAP
#define OPEN(name, parameters, arguments) .name = __real_##name,
#include "trap/wrap/wrap.def"
    };
    return &real;
}
