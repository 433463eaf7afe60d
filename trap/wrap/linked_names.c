// linked_names: getaddrinfo and freeaddrinfo under the names that ld's --wrap looks for. In a file of its own, so that static
// programs that resolve no names do not get all of libc's resolver.
#include "trap/wrap/wrap.h"

int __real_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_infos);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_infos);
void __real_freeaddrinfo(struct addrinfo *infos);
void __wrap_freeaddrinfo(struct addrinfo *infos);

const struct trap_wrap_resolver *trap_wrap_resolver(void)
{
    static const struct trap_wrap_resolver real = {__real_getaddrinfo, __real_freeaddrinfo};
    return &real;
}

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_infos)
{
    return trap_wrap_getaddrinfo(node, service, hints, ret_infos);
}

void __wrap_freeaddrinfo(struct addrinfo *infos)
{
    trap_wrap_freeaddrinfo(infos);
}
