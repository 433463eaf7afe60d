// landlock: see landlock.h. libc has no functions for these calls.
#include "sandbox/worker/landlock.h"

#include <sys/syscall.h>
#include <unistd.h>

enum { RULE_NET_PORT = 2 }; // ABI 4

struct net_port {
    uint64_t allowed, port;
};

int box_landlock_abi(void)
{
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

int box_landlock_new(const struct box_landlock *landlock)
{
    return (int)syscall(SYS_landlock_create_ruleset, landlock, sizeof *landlock, 0);
}

int box_landlock_allow(int ruleset_fd, int beneath_fd, uint64_t access)
{
    const struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = beneath_fd};
    return (int)syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

int box_landlock_allow_port(int ruleset_fd, uint64_t access, uint16_t port)
{
    const struct net_port rule = {.allowed = access, .port = port};
    return (int)syscall(SYS_landlock_add_rule, ruleset_fd, RULE_NET_PORT, &rule, 0);
}

int box_landlock_enforce(int ruleset_fd)
{
    return (int)syscall(SYS_landlock_restrict_self, ruleset_fd, 0);
}
