// effect: what the kernel makes of a returned value, and what two values can have to do with each other. The formulas of
// violation.c say the same to Z3; witnesses are judged here.
#include <linux/seccomp.h>

#include "tools/prove/prove.h"

enum { MAX_ERRNO = 4095 };

uint32_t prove_effect(uint32_t ret)
{
    uint32_t action = ret & SECCOMP_RET_ACTION_FULL;
    uint32_t data = ret & SECCOMP_RET_DATA;
    switch (action) {
    case SECCOMP_RET_ERRNO:
        return action | (data > MAX_ERRNO ? MAX_ERRNO : data);
    case SECCOMP_RET_TRAP:
    case SECCOMP_RET_TRACE:
        return ret;
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG:
    case SECCOMP_RET_USER_NOTIF:
    case SECCOMP_RET_KILL_THREAD:
        return action;
    default:
        return SECCOMP_RET_KILL_PROCESS;
    }
}

static bool allows(uint32_t ret)
{
    uint32_t action = ret & SECCOMP_RET_ACTION_FULL;
    return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG;
}

bool prove_relation_holds(enum prove_relation relation, uint32_t ret_a, uint32_t ret_b)
{
    switch (relation) {
    case PROVE_EQUAL:
        return ret_a == ret_b;
    case PROVE_SAME_EFFECT:
        return prove_effect(ret_a) == prove_effect(ret_b);
    case PROVE_SUBSET:
        return !allows(ret_a) || allows(ret_b);
    case PROVE_SUPERSET:
        return !allows(ret_b) || allows(ret_a);
    case PROVE_SAME_DENIAL:
        return allows(ret_a) != allows(ret_b) || prove_effect(ret_a) == prove_effect(ret_b);
    case PROVE_RELATION_COUNT:
        break;
    }
    return false;
}
