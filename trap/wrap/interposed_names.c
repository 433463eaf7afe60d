// interposed_names: getaddrinfo and freeaddrinfo under libc's own names. See interposed.c.
#include <dlfcn.h>
#include <string.h>

#include "trap/wrap/wrap.h"

static struct trap_wrap_resolver real;

__attribute__((constructor)) static void fill(void)
{
    void *const get = dlsym(RTLD_NEXT, "getaddrinfo"), *const free = dlsym(RTLD_NEXT, "freeaddrinfo");
    memcpy(&real.getaddrinfo, &get, sizeof get);
    memcpy(&real.freeaddrinfo, &free, sizeof free);
}

const struct trap_wrap_resolver *trap_wrap_resolver(void)
{
    if (!real.getaddrinfo || !real.freeaddrinfo) {
        fill(); // somebody's constructor was earlier
    }
    return &real;
}

__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                                                       struct addrinfo **ret_infos);
__attribute__((visibility("default"))) void freeaddrinfo(struct addrinfo *infos);

__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                                                       struct addrinfo **ret_infos)
{
    return trap_wrap_getaddrinfo(node, service, hints, ret_infos);
}

__attribute__((visibility("default"))) void freeaddrinfo(struct addrinfo *infos)
{
    trap_wrap_freeaddrinfo(infos);
}
